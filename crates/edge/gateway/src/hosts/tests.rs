//! Names of AWS's endpoints and of others.

use super::*;

fn parts(name: &str) -> Option<(&str, Option<&str>, bool)> {
    aws_host(name).map(|host| (host.service, host.region, host.s3))
}

#[test]
fn endpoint_names() {
    assert_eq!(parts("sts.us-west-2.amazonaws.com"), Some(("sts", Some("us-west-2"), false)));
    assert_eq!(parts("iam.amazonaws.com"), Some(("iam", None, false)));
    assert_eq!(
        parts("runtime.sagemaker.us-west-2.amazonaws.com"),
        Some(("runtime.sagemaker", Some("us-west-2"), false))
    );
    assert_eq!(parts("STS.cn-north-1.AmazonAWS.com.cn"), Some(("STS", Some("cn-north-1"), false)));
    assert_eq!(parts("sagemaker.eu-west-1.api.aws"), Some(("sagemaker", Some("eu-west-1"), false)));
    for s3 in ["s3", "s3-us-west-2", "b.s3", "b.c.s3-us-west-2"] {
        assert_eq!(parts(&format!("{s3}.amazonaws.com")), Some((s3, None, true)));
    }
    assert_eq!(parts("b.s3.us-west-2.amazonaws.com"), Some(("b.s3", Some("us-west-2"), true)));
    assert_eq!(parts("b.s3.dualstack.us-west-2.amazonaws.com"), Some(("b.s3.dualstack", Some("us-west-2"), true)));
    for other in
        ["amazonaws.com", ".amazonaws.com", "evilamazonaws.com", "sts.amazonaws.com.evil.org", "", "a/b.amazonaws.com"]
    {
        assert_eq!(parts(other), None, "{other}");
    }
}

#[test]
fn tunnel_patterns() {
    assert!(admits("huggingface.co", "HuggingFace.co", 443));
    assert!(!admits("huggingface.co", "huggingface.co", 80));
    assert!(admits("*.hf.co:8443", "cdn.hf.co", 8443));
    assert!(!admits("*.hf.co", "hf.co", 443));
    assert!(!admits("*.hf.co", "evilhf.co", 443));
    assert!(!admits("*", "anything", 443));
}

#[test]
fn ports() {
    assert_eq!(split_port("h:1"), ("h", Some(1)));
    assert_eq!(split_port("[::1]:443"), ("[::1]", Some(443)));
    assert_eq!(split_port("::1"), ("::1", None));
    assert_eq!(split_port("h"), ("h", None));
}
