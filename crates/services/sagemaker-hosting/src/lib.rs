//! Models, endpoint configurations, endpoints and their invocation.
