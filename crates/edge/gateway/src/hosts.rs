//! What a host name says: AWS's endpoint names give service, region and whether it is S3.
//!
//! INVARIANT: pure and total; borrows from the name.

/// An AWS endpoint's name taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwsHost<'h> {
    /// The labels before the region, such as `runtime.sagemaker`; for S3 with the bucket.
    pub service: &'h str,
    /// The region, absent for global endpoints.
    pub region: Option<&'h str>,
    /// Whether it is an endpoint of S3.
    pub s3: bool,
}

const SUFFIXES: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];

/// Splits a port off; IPv6 literals keep their brackets.
pub fn split_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (host, None),
        },
        _ => (host, None),
    }
}

fn strip_suffix_ignoring_case<'h>(name: &'h str, suffix: &str) -> Option<&'h str> {
    let cut = name.len().checked_sub(suffix.len())?;
    let (head, tail) = (name.get(..cut)?, name.get(cut..)?);
    tail.eq_ignore_ascii_case(suffix).then_some(head)
}

/// Takes an AWS host name apart (without port); `None` when it is not AWS's.
pub fn aws_host(name: &str) -> Option<AwsHost<'_>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let labels = SUFFIXES.iter().find_map(|suffix| strip_suffix_ignoring_case(name, suffix))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if labels.is_empty() || !labels.bytes().all(plain) {
        return None;
    }
    let (service, region) = match labels.rsplit_once('.') {
        Some((service, last)) if is_region(last) => (service, Some(last)),
        _ => (labels, None),
    };
    let s3_label = |label: &str| label == "s3" || label.starts_with("s3-");
    let tail = service.strip_suffix(".dualstack").unwrap_or(service);
    let s3 = s3_label(tail.rsplit('.').next().unwrap_or(tail));
    Some(AwsHost { service, region, s3 })
}

fn is_region(label: &str) -> bool {
    !label.starts_with("s3-")
        && label.bytes().last().is_some_and(|byte| byte.is_ascii_digit())
        && label.parse::<stoa_types::Region>().is_ok()
}

/// Whether a pattern of the tunnel's list (`host`, `*.domain`, with or without `:port`) admits this host and port.
pub fn admits(pattern: &str, host: &str, port: u16) -> bool {
    let (name, wanted) = split_port(pattern);
    if wanted.unwrap_or(443) != port {
        return false;
    }
    match name.strip_prefix('*') {
        Some(suffix) => {
            suffix.starts_with('.') && strip_suffix_ignoring_case(host, suffix).is_some_and(|head| !head.is_empty())
        }
        None => name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests;
