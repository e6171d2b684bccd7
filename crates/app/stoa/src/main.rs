//! Stoa: a self-hosted ML platform that speaks Amazon SageMaker AI.

fn main() {}
