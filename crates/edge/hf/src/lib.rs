//! The Hugging Face read API: a hub as what `huggingface_hub` and `transformers` know, under
//! `/hf/<account>/<region>/<hub>` (`HF_ENDPOINT`).
//!
//! The path says which hub, because such a client can be told one URL and nothing else: the account and region make it
//! work for hubs of other accounts as an ARN does, and no S3 bucket can be called `hf`, whose names have three letters.
//!
//! This edge has no rules of its own. Every request is translated into the hub operation that shows the same
//! (`ListHubContents`, `DescribeHubContent`, `ListHubContentVersions`; `CreateHubContentPresignedUrls` where bytes are
//! asked for), which is decided, validated, handled and audited as if it had come by itself. Only what it lets through
//! is then told in Hugging Face's form.

mod answer;
mod audit;
mod authenticate;
mod file;
mod model;
mod operate;
mod path;
mod service;

pub use service::{HfParts, HfService, ServerCall};
