//! The bucket in a host name: `bucket.s3.region.amazonaws.com`, `bucket.localhost`, `bucket.<configured domain>`.
//! Every other host is path style. Pure.

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

const AWS_SUFFIXES: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];

/// Base domains under which a label is a bucket.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    /// Longest first, so that a domain inside another wins.
    domains: Vec<String>,
}

impl Hosts {
    pub fn new(domains: &[String]) -> Hosts {
        let mut domains: Vec<String> =
            domains.iter().map(|domain| domain.trim_matches('.').to_ascii_lowercase()).collect();
        domains.push("localhost".to_owned());
        domains.sort_by_key(|domain| std::cmp::Reverse(domain.len()));
        Hosts { domains }
    }

    /// The bucket that a host name has before its domain.
    pub fn bucket(&self, host: &str) -> Option<String> {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if let Some(labels) = AWS_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)) {
            return bucket_of_aws(labels).map(str::to_owned);
        }
        let bucket = self.domains.iter().find_map(|domain| match name.strip_suffix(domain.as_str())? {
            "" => Some(""),
            rest => rest.strip_suffix('.'),
        })?;
        // `s3.localhost` is a spelling of the endpoint itself.
        let endpoint = bucket.is_empty() || bucket == "s3" || bucket.starts_with("s3.");
        (!endpoint).then(|| bucket.to_owned())
    }
}

/// The labels before `s3`, `s3.<region>`, `s3-<region>` or `s3.dualstack.<region>`.
fn bucket_of_aws(labels: &str) -> Option<&str> {
    let parts: Vec<&str> = labels.split('.').collect();
    // Bucket names may hold an `s3` label, so the last one that leaves at most a region behind it counts.
    for (index, part) in parts.iter().enumerate().rev() {
        let behind = parts.get(index + 1..)?;
        let service = *part == "s3" || part.starts_with("s3-");
        let region = matches!(behind, [] | [_]) || matches!(behind, ["dualstack", _]);
        if service && region {
            let end: usize = parts.iter().take(index).map(|part| part.len() + 1).sum();
            return labels.get(..end.checked_sub(1)?);
        }
    }
    None
}

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let found = VirtualHost::new(host);
        Ok(match self.bucket(host) {
            Some(bucket) => found.with_bucket(bucket),
            None => found,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_in_hosts() {
        let hosts = Hosts::new(&["stoa.example.com".to_owned(), "s3.local.test".to_owned()]);
        let cases = [
            ("data.s3.us-west-2.amazonaws.com", Some("data")),
            ("data.s3.us-west-2.amazonaws.com:443", Some("data")),
            ("a.b.s3.amazonaws.com", Some("a.b")),
            ("data.s3.dualstack.us-west-2.amazonaws.com", Some("data")),
            ("data.s3-us-west-2.amazonaws.com", Some("data")),
            ("s3.us-west-2.amazonaws.com", None),
            ("s3.amazonaws.com", None),
            ("my.s3.s3.us-west-2.amazonaws.com", Some("my.s3")),
            ("sts.us-west-2.amazonaws.com", None),
            ("data.localhost:4566", Some("data")),
            ("a.b.localhost", Some("a.b")),
            ("localhost:4566", None),
            ("s3.localhost:4566", None),
            ("Data.Stoa.Example.com", Some("data")),
            ("stoa.example.com", None),
            ("evilstoa.example.com", None),
            ("data.s3.local.test", Some("data")),
            ("127.0.0.1:4566", None),
            ("stoa:4566", None),
            ("", None),
        ];
        for (host, bucket) in cases {
            assert_eq!(hosts.bucket(host).as_deref(), bucket, "{host}");
        }
    }
}
