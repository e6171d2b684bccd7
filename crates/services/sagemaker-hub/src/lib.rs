//! Hubs, hub contents, references, the public hub and its catalog.
