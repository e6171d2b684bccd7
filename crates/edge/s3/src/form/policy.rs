//! The policy of a form: until when it is good, and what every field must be. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use stoa_kernel::ApiError;
use stoa_types::Timestamp;

use super::Fields;

/// Fields that need no condition.
const FREE: [&str; 5] = ["policy", "x-amz-signature", "signature", "awsaccesskeyid", "file"];

enum Condition {
    Equal(String, String),
    Starts(String, String),
}

/// A policy that was read.
pub(crate) struct Policy {
    expiration: Timestamp,
    conditions: Vec<(Condition, Json)>,
    /// The bytes that the file may have.
    pub length: Option<(u64, u64)>,
}

fn malformed(what: &str) -> ApiError {
    ApiError::new("InvalidPolicyDocument", 400, format!("Invalid Policy: {what}"))
}

fn refused(why: String) -> ApiError {
    ApiError::access_denied(format!("Invalid according to Policy: {why}"))
}

fn text(value: Option<&Json>) -> Result<&str, ApiError> {
    value.and_then(Json::as_str).ok_or_else(|| malformed("Invalid condition: a text is missing."))
}

fn number(value: Option<&Json>) -> Result<u64, ApiError> {
    let found = value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
    found.ok_or_else(|| malformed("Invalid content-length-range condition."))
}

/// `$Key` is the field `key`.
fn name(value: Option<&Json>) -> Result<String, ApiError> {
    let name =
        text(value)?.strip_prefix('$').ok_or_else(|| malformed("Invalid condition: a field begins with `$`."))?;
    Ok(name.to_ascii_lowercase())
}

impl Policy {
    /// Reads the policy in a form's field.
    pub fn read(encoded: &str) -> Result<Policy, ApiError> {
        let bytes = STANDARD.decode(encoded).map_err(|_| malformed("Invalid Base64."))?;
        let json: Json = serde_json::from_slice(&bytes).map_err(|_| malformed("Invalid JSON."))?;
        let expiration = json.get("expiration").and_then(Json::as_str);
        let expiration = expiration.ok_or_else(|| malformed("Policy missing expiration."))?;
        let expiration = Timestamp::parse_iso8601(expiration)
            .map_err(|_| malformed(&format!("Invalid 'expiration' value: '{expiration}'")))?;
        let listed = json.get("conditions").and_then(Json::as_array);
        let listed = listed.ok_or_else(|| malformed("Policy missing conditions."))?;
        let mut policy = Policy { expiration, conditions: Vec::new(), length: None };
        for condition in listed {
            policy.add(condition)?;
        }
        Ok(policy)
    }

    fn add(&mut self, condition: &Json) -> Result<(), ApiError> {
        match condition {
            Json::Object(members) => {
                for (name, value) in members {
                    let equal = Condition::Equal(name.to_ascii_lowercase(), text(Some(value))?.to_owned());
                    self.conditions.push((equal, condition.clone()));
                }
                Ok(())
            }
            Json::Array(parts) => {
                let (first, second) = (parts.get(1), parts.get(2));
                match parts.first().and_then(Json::as_str).unwrap_or("").to_ascii_lowercase().as_str() {
                    "eq" => {
                        let equal = Condition::Equal(name(first)?, text(second)?.to_owned());
                        self.conditions.push((equal, condition.clone()));
                    }
                    "starts-with" => {
                        let starts = Condition::Starts(name(first)?, text(second)?.to_owned());
                        self.conditions.push((starts, condition.clone()));
                    }
                    "content-length-range" => {
                        let (least, most) = (number(first)?, number(second)?);
                        let (above, below) = self.length.unwrap_or((0, u64::MAX));
                        self.length = Some((least.max(above), most.min(below)));
                    }
                    other => return Err(malformed(&format!("Invalid condition: unknown operator `{other}`."))),
                }
                Ok(())
            }
            _ => Err(malformed("Invalid condition.")),
        }
    }

    /// Whether a form into this bucket is as the policy wants it.
    pub fn check(&self, fields: &Fields, bucket: &str, now: Timestamp) -> Result<(), ApiError> {
        if self.expiration <= now {
            return Err(refused("Policy expired.".to_owned()));
        }
        let value = |name: &str| match name {
            // The bucket is where the form was sent, whatever a field of this name says.
            "bucket" => Some(bucket),
            name => fields.get(name).map(String::as_str),
        };
        for (condition, written) in &self.conditions {
            let holds = match condition {
                Condition::Equal(name, wanted) => value(name) == Some(wanted.as_str()),
                Condition::Starts(name, start) if name == "content-type" => value(name)
                    .is_some_and(|types| types.split(',').all(|kind| kind.trim_start().starts_with(start.as_str()))),
                Condition::Starts(name, start) => value(name).unwrap_or("").starts_with(start.as_str()),
            };
            if !holds {
                return Err(refused(format!("Policy Condition failed: {written}")));
            }
        }
        let known = |name: &str| {
            self.conditions.iter().any(|(condition, _)| match condition {
                Condition::Equal(known, _) | Condition::Starts(known, _) => known == name,
            })
        };
        let free = |name: &str| FREE.contains(&name) || name.starts_with("x-ignore-");
        // Every form names a bucket, by where it is sent: a policy that says nothing of it is good for none.
        let given = fields.keys().map(String::as_str).filter(|name| *name != "bucket").chain(["bucket"]);
        let extra: Vec<&str> = given.filter(|name| !free(name) && !known(name)).collect();
        match extra.is_empty() {
            true => Ok(()),
            false => Err(refused(format!("Extra input fields: {}", extra.join(", ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn policy(conditions: &str) -> Result<Policy, ApiError> {
        Policy::read(
            &STANDARD.encode(format!(r#"{{"expiration":"2030-01-01T00:00:00.000Z","conditions":{conditions}}}"#)),
        )
    }

    fn check(conditions: &str, fields: &[(&str, &str)]) -> Result<(), String> {
        let fields: Fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let checked = policy(conditions).unwrap().check(&fields, "data", NOW);
        checked.map_err(|error| error.message().to_owned())
    }

    #[test]
    fn conditions() {
        let all = r#"[{"bucket":"data"},["starts-with","$Key","user/"],["eq","$acl","private"]]"#;
        let good = [("key", "user/1"), ("acl", "private"), ("x-ignore-this", "y"), ("policy", "p")];
        assert_eq!(check(all, &good), Ok(()));
        assert!(check(all, &[("key", "other"), ("acl", "private")]).unwrap_err().contains("starts-with"));
        assert!(check(all, &[("key", "user/1")]).unwrap_err().contains("acl"));
        assert!(check(r#"[{"bucket":"other"}]"#, &[("bucket", "other")]).unwrap_err().contains("Condition failed"));
        let extra = check(all, &[("key", "user/1"), ("acl", "private"), ("x-amz-meta-a", "b")]);
        assert_eq!(extra.unwrap_err(), "Invalid according to Policy: Extra input fields: x-amz-meta-a");
        let images = r#"[{"bucket":"data"},["starts-with","$Content-Type","image/"]]"#;
        assert_eq!(check(images, &[("content-type", "image/a,image/b")]), Ok(()));
        assert!(check(images, &[("content-type", "image/a,text/b")]).is_err());
        let anywhere = check(r#"[["starts-with","$key",""]]"#, &[("key", "k")]);
        assert_eq!(anywhere.unwrap_err(), "Invalid according to Policy: Extra input fields: bucket");
    }

    #[test]
    fn what_is_no_policy() {
        for bad in [
            "[[\"like\",\"$key\",\"a\"]]",
            "[[\"eq\",\"key\",\"a\"]]",
            "[3]",
            "{}",
            "[[\"content-length-range\",-1,2]]",
        ] {
            assert_eq!(policy(bad).err().unwrap().code(), "InvalidPolicyDocument", "{bad}");
        }
        assert_eq!(policy("[[\"content-length-range\",1,\"20\"]]").unwrap().length, Some((1, 20)));
        let twice = "[[\"content-length-range\",1,20],[\"content-length-range\",5,99]]";
        assert_eq!(policy(twice).unwrap().length, Some((5, 20)), "both hold");
        for bad in ["{", "", "e30="] {
            assert_eq!(Policy::read(bad).err().unwrap().code(), "InvalidPolicyDocument", "{bad}");
        }
        let old = STANDARD.encode(r#"{"expiration":"2020-01-01T00:00:00Z","conditions":[]}"#);
        let checked = Policy::read(&old).unwrap().check(&Fields::new(), "data", NOW);
        assert_eq!(checked.unwrap_err().message(), "Invalid according to Policy: Policy expired.");
    }
}
