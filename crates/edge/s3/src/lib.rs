//! S3 framing by s3s, over the kernel's authenticate, decide and audit.
