//! Where the blobs are, from one URL: `s3://bucket/prefix?endpoint=https://…&region=…&cache_gib=…`.
//!
//! Credentials are not in it: they come from the environment, as AWS's own clients take them.

use percent_encoding::percent_decode_str;
use stoa_types::Secret;

const DEFAULT_CACHE: u64 = 50 << 30;

/// The parts of the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The bucket, which must exist.
    pub bucket: String,
    /// What all keys begin with; empty, or without a slash at its end.
    pub prefix: String,
    /// The store, AWS itself where there is none.
    pub endpoint: Option<String>,
    /// Its region; else that of the environment.
    pub region: Option<String>,
    /// For local copies that containers are given.
    pub cache_bytes: u64,
    /// An access key and its secret; else what the environment has.
    pub credentials: Option<(String, Secret)>,
}

impl S3Settings {
    /// Reads the URL; an error says what is wrong with it.
    pub fn parse(url: &str) -> Result<S3Settings, String> {
        let rest = url.strip_prefix("s3://").ok_or_else(|| format!("`{url}` does not begin with s3://"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err(format!("`{url}` names no bucket"));
        }
        let prefix = prefix.trim_matches('/').to_owned();
        if prefix.split('/').any(|part| part == ".." || part == ".") || prefix.contains("//") {
            return Err(format!("`{prefix}` is no prefix of keys"));
        }
        let mut settings = S3Settings {
            bucket: bucket.to_owned(),
            prefix,
            endpoint: None,
            region: None,
            cache_bytes: DEFAULT_CACHE,
            credentials: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match name {
                "endpoint" if value.starts_with("http://") || value.starts_with("https://") => {
                    settings.endpoint = Some(value.trim_end_matches('/').to_owned());
                }
                "endpoint" => return Err(format!("the endpoint `{value}` is no http(s) URL")),
                "region" => settings.region = Some(value),
                "cache_gib" => {
                    let gib: u64 = value.parse().map_err(|_| format!("cache_gib `{value}` is no number"))?;
                    settings.cache_bytes = gib.saturating_mul(1 << 30);
                }
                _ => return Err(format!("`{name}` is not known; known: endpoint, region, cache_gib")),
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    //! What is read and what is refused.

    use super::*;

    #[test]
    fn a_url_is_read_whole() {
        let url = "s3://b/p/q/?endpoint=http://127.0.0.1:4566/&region=eu-west-1&cache_gib=2";
        let found = S3Settings::parse(url).unwrap();
        let wanted = S3Settings {
            bucket: "b".to_owned(),
            prefix: "p/q".to_owned(),
            endpoint: Some("http://127.0.0.1:4566".to_owned()),
            region: Some("eu-west-1".to_owned()),
            cache_bytes: 2 << 30,
            credentials: None,
        };
        assert_eq!(found, wanted);
        assert_eq!(S3Settings::parse("s3://b?endpoint=https%3A%2F%2Fs").unwrap().endpoint.unwrap(), "https://s");
        assert_eq!(S3Settings::parse("s3://b").unwrap().prefix, "");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let cases = [
            ("https://b", "does not begin"),
            ("s3:///p", "names no bucket"),
            ("s3://b/../p", "no prefix"),
            ("s3://b?endpoint=here", "no http(s) URL"),
            ("s3://b?key=secret", "`key` is not known"),
            ("s3://b?cache_gib=many", "no number"),
        ];
        for (url, wanted) in cases {
            let told = S3Settings::parse(url).unwrap_err();
            assert!(told.contains(wanted), "{url}: {told}");
        }
    }
}
