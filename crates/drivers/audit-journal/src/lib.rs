//! The audit journal as pre-allocated segment files with group commit.
