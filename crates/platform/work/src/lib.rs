//! Reconcilers, shutdown and failpoints.
