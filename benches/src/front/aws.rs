//! A small AWS client: signed requests as bytes, and the few calls that set the stage.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use stoa_sigv4::{Signer, payload_hash, sign_headers};
use stoa_types::{Secret, Timestamp};

use crate::wire::{Client, Outcome};

pub const REGION: &str = "us-west-2";

/// Who signs, and to whom.
pub struct Caller {
    pub address: String,
    pub access_key_id: String,
    pub secret: Secret,
    pub session_token: Option<Secret>,
}

#[expect(clippy::disallowed_methods, reason = "a client signs with the time of day")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(0))
}

impl Caller {
    /// The default profile of the credentials file that the server wrote.
    pub fn from_data_dir(data_dir: &Path, address: &str) -> Outcome<Caller> {
        let text = std::fs::read_to_string(data_dir.join("credentials"))?;
        let section = text.split("[default]").nth(1).ok_or("no default profile")?;
        let section = section.split("\n[").next().unwrap_or(section);
        let value = |name: &str| {
            let lines = section.lines().filter_map(|line| line.split_once('='));
            lines.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned()).next()
        };
        Ok(Caller {
            address: address.to_owned(),
            access_key_id: value("aws_access_key_id").ok_or("no access key id")?,
            secret: Secret::new(value("aws_secret_access_key").ok_or("no secret")?),
            session_token: value("aws_session_token").map(Secret::new),
        })
    }

    /// A signed request as it goes on the wire.
    pub fn request(&self, service: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Outcome<Vec<u8>> {
        let mut all = HeaderMap::new();
        all.insert("host", HeaderValue::from_str(&self.address)?);
        for (name, value) in headers {
            all.insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        let signer = Signer {
            access_key_id: &self.access_key_id,
            secret: &self.secret,
            session_token: self.session_token.as_ref(),
            region: REGION,
            service,
            now: now(),
        };
        sign_headers(&signer, "POST", path, "", &mut all, &payload_hash(body))?;
        let mut bytes = format!("POST {path} HTTP/1.1\r\n").into_bytes();
        for (name, value) in &all {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body);
        Ok(bytes)
    }

    /// A SageMaker request by its operation.
    pub fn sagemaker_request(&self, operation: &str, body: &Value) -> Outcome<Vec<u8>> {
        let target = format!("SageMaker.{operation}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1")];
        self.request("sagemaker", "/", &headers, body.to_string().as_bytes())
    }

    /// Calls SageMaker; anything but success is an error.
    pub fn sagemaker(&self, operation: &str, body: &Value) -> Outcome<Value> {
        let answer = Client::connect(&self.address)?.call(&self.sagemaker_request(operation, body)?)?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status != 200 {
            return Err(format!("{operation}: {} {text}", answer.status).into());
        }
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    /// Calls IAM and gives the XML back.
    pub fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Outcome<String> {
        let mut form = format!("Action={action}&Version=2010-05-08");
        for (name, value) in parameters {
            form.push_str(&format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        }
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let request = self.request("iam", "/", &headers, form.as_bytes())?;
        let answer = Client::connect(&self.address)?.call(&request)?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status != 200 {
            return Err(format!("{action}: {} {text}", answer.status).into());
        }
        Ok(text)
    }

    /// A user that owns nothing but these many policy statements; the last of them allows what is measured.
    pub fn user_with_statements(&self, name: &str, account: &str, policies: usize, each: usize) -> Outcome<Caller> {
        self.iam("CreateUser", &[("UserName", name)])?;
        for policy in 0..policies {
            let mut statements: Vec<Value> = (1..each).map(|number| unrelated_statement(policy, number)).collect();
            statements.push(if policy + 1 == policies {
                serde_json::json!({"Effect": "Allow", "Action": ["sagemaker:DescribeHub", "sagemaker:InvokeEndpoint"],
                    "Resource": format!("arn:aws:sagemaker:{REGION}:{account}:*")})
            } else {
                unrelated_statement(policy, 0)
            });
            let document = serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string();
            let policy_name = format!("{name}-{policy}");
            let made = self.iam("CreatePolicy", &[("PolicyName", &policy_name), ("PolicyDocument", &document)])?;
            let arn = element(&made, "Arn").ok_or("CreatePolicy without an ARN")?;
            self.iam("AttachUserPolicy", &[("UserName", name), ("PolicyArn", arn)])?;
        }
        self.with_new_key(name)
    }

    /// A user with one inline policy.
    pub fn user_with_policy(&self, name: &str, policy: &Value) -> Outcome<Caller> {
        self.iam("CreateUser", &[("UserName", name)])?;
        let document = policy.to_string();
        self.iam("PutUserPolicy", &[("UserName", name), ("PolicyName", "own"), ("PolicyDocument", &document)])?;
        self.with_new_key(name)
    }

    fn with_new_key(&self, name: &str) -> Outcome<Caller> {
        let made = self.iam("CreateAccessKey", &[("UserName", name)])?;
        Ok(Caller {
            address: self.address.clone(),
            access_key_id: element(&made, "AccessKeyId").ok_or("no key")?.to_owned(),
            secret: Secret::new(element(&made, "SecretAccessKey").ok_or("no secret")?),
            session_token: None,
        })
    }
}

/// Statements of the usual shapes that the measured call does not match.
fn unrelated_statement(policy: usize, number: usize) -> Value {
    let actions = ["sagemaker:DescribeModel", "sagemaker:Describe*", "s3:GetObject", "sagemaker:CreateTrainingJob"];
    let kinds = ["model", "training-job", "notebook-instance", "pipeline"];
    let action = actions.get((policy + number) % actions.len()).copied().unwrap_or("s3:GetObject");
    let kind = kinds.get(number % kinds.len()).copied().unwrap_or("model");
    serde_json::json!({"Effect": "Allow", "Action": action,
        "Resource": format!("arn:aws:sagemaker:*:*:{kind}/team{policy}-{number}-*"),
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": format!("t{number}")}}})
}

/// The text of the first XML element of this name.
pub fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let start = xml.find(&format!("<{name}>"))? + name.len() + 2;
    let length = xml.get(start..)?.find("</")?;
    xml.get(start..start + length)
}
