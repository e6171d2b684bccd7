//! Buckets and objects: state and rules behind the S3 edge.
