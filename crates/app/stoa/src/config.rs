//! The server's configuration: flags over the file, checked as a whole, every problem told at once.
//!
//! ```toml
//! allow_tunnel = ["*.example.com:443"]      # hosts that are not AWS's which CONNECT may tunnel to
//!
//! oidc_discovery = true                     # whether OpenID Connect issuers are asked for their keys over the network
//!
//! # where object bytes are; the data folder by default (docs/operators/blobs.md)
//! blobs = "s3://bucket/prefix?endpoint=https://s3.example.com&region=us-west-2"
//! blobs_grace_seconds = 3600                # how long object bytes that nothing names are kept (an hour by default)
//!
//! [[oidc_keys]]                             # keys of an issuer that cannot be asked; jwks_url instead of a file works too
//! issuer = "https://login.example.com/realms/lab"
//! jwks_file = "/etc/stoa/lab-keys.json"
//!
//! [s3]
//! default_encryption = "AES256"             # of buckets without a configuration of their own; "none" otherwise
//!
//! [images]                                  # image URIs of this site: exact, or up to a final *
//! "123456789012.dkr.ecr.us-west-2.amazonaws.com/own:*" = "inference"
//!
//! [events]
//! webhooks = ["https://hooks.example.com/s"] # where events are posted (docs/operators/events.md)
//!
//! [audit]
//! data_events = true                        # false: of S3's object calls and listings only those that fail are recorded
//!
//! [[vpc_endpoints]]                         # a listener of its own for each VPC endpoint
//! id = "vpce-0a1b2c3d"
//! vpc = "vpc-0a1b2c3d"
//! listen = "10.0.0.5:4567"
//! account = "123456789012"                  # whose it is; the management account's otherwise
//! region = "us-west-2"                      # where it is; that of each call otherwise
//! services = ["sagemaker.api", "s3"]        # where it leads to; everywhere otherwise
//! policy = "endpoint.json"                  # beside this file; full access otherwise
//! ```

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use stoa_kernel::ports::BucketEncryption;
use stoa_oidc_keys::Pin;
use stoa_types::Region;
use stoa_webhooks::Webhook;

use crate::blob_store::BlobUrl;
use crate::images::INFERENCE;
use crate::vpc_endpoints::{EndpointConfig, RawEndpoint};

/// The default when no `--region` is given.
const DEFAULT_REGION: &str = "us-west-2";
/// Longer than any put takes from its last byte to its name, and than clocks differ.
const DEFAULT_BLOBS_GRACE: Duration = Duration::from_secs(3600);

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    allow_tunnel: Vec<String>,
    images: BTreeMap<String, String>,
    vpc_endpoints: Vec<RawEndpoint>,
    oidc_discovery: Option<bool>,
    blobs: Option<String>,
    blobs_grace_seconds: Option<u64>,
    oidc_keys: Vec<RawIssuer>,
    events: RawEvents,
    audit: RawAudit,
    s3: RawS3,
}

/// Where events go.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawEvents {
    webhooks: Vec<String>,
}

/// What the journal is to hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAudit {
    data_events: Option<bool>,
}

/// What is set of S3.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawS3 {
    default_encryption: Option<String>,
}

/// The pinned keys of an OpenID Connect issuer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIssuer {
    issuer: String,
    jwks_file: Option<PathBuf>,
    jwks_url: Option<String>,
}

/// A configuration that holds together.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    pub regions: Vec<Region>,
    pub allow_tunnel: Vec<String>,
    pub images: BTreeMap<String, String>,
    pub sample_catalog: bool,
    pub vpc_endpoints: Vec<EndpointConfig>,
    pub oidc_keys: stoa_oidc_keys::Settings,
    pub webhooks: Vec<Webhook>,
    /// Where blobs are, if not in the data folder.
    pub blobs: Option<BlobUrl>,
    /// How long blobs that nothing names are kept.
    pub blobs_grace: Duration,
    /// Whether S3's data events are recorded where they succeed.
    pub data_events: bool,
    /// Default encryption of buckets that have none configured.
    pub default_encryption: Option<BucketEncryption>,
}

/// What is wrong with a configuration, all of it.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} problem(s):\n  - {}", .0.len(), .0.join("\n  - "))]
pub struct ConfigError(Vec<String>);

impl Config {
    /// From the flags of `stoa serve` and the file they name.
    pub fn load(
        data_dir: &Path,
        listen: &str,
        regions: &[String],
        file: Option<&Path>,
        sample_catalog: bool,
    ) -> Result<Config, ConfigError> {
        let mut problems = Vec::new();
        let raw = read(file, &mut problems);
        let address = listen.to_socket_addrs().ok().and_then(|mut found| found.next());
        if address.is_none() {
            problems.push(format!("--listen `{listen}` is no HOST:PORT"));
        }
        let mut served = Vec::new();
        for name in regions {
            match name.parse::<Region>() {
                Ok(region) if !served.contains(&region) => served.push(region),
                Ok(_) => {}
                Err(error) => problems.push(format!("--region: {error}")),
            }
        }
        if regions.is_empty() {
            served.extend(DEFAULT_REGION.parse::<Region>());
        }
        for (image, program) in &raw.images {
            if program != INFERENCE {
                problems
                    .push(format!("[images] `{image}`: there is no built-in image `{program}`; known: {INFERENCE}"));
            }
        }
        let vpc_endpoints = endpoints(raw.vpc_endpoints, file, &mut problems);
        let oidc_keys = issuers(raw.oidc_discovery, raw.oidc_keys, &mut problems);
        let webhooks = webhooks(&raw.events.webhooks, &mut problems);
        let blobs = raw.blobs.and_then(|url| match BlobUrl::parse(&url) {
            Ok(url) => Some(url),
            Err(problem) => {
                problems.push(format!("blobs: {problem}"));
                None
            }
        });
        let default_encryption = default_encryption(raw.s3.default_encryption.as_deref(), &mut problems);
        match address {
            Some(listen) if problems.is_empty() => Ok(Config {
                data_dir: data_dir.to_path_buf(),
                listen,
                regions: served,
                allow_tunnel: raw.allow_tunnel,
                images: raw.images,
                sample_catalog,
                vpc_endpoints,
                oidc_keys,
                webhooks,
                blobs,
                blobs_grace: raw.blobs_grace_seconds.map_or(DEFAULT_BLOBS_GRACE, Duration::from_secs),
                data_events: raw.audit.data_events.unwrap_or(true),
                default_encryption,
            }),
            _ => Err(ConfigError(problems)),
        }
    }
}

/// Objects are left as they are unless the operator says otherwise, so that models are served without a copy.
fn default_encryption(name: Option<&str>, problems: &mut Vec<String>) -> Option<BucketEncryption> {
    match name {
        None | Some("none") => None,
        Some("AES256") => Some(BucketEncryption::Aes256),
        Some(other) => {
            problems.push(format!("[s3] default_encryption `{other}` is neither `none` nor `AES256`"));
            None
        }
    }
}

fn endpoints(raw: Vec<RawEndpoint>, file: Option<&Path>, problems: &mut Vec<String>) -> Vec<EndpointConfig> {
    let beside = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let mut checked: Vec<EndpointConfig> = Vec::with_capacity(raw.len());
    for endpoint in raw {
        let Some(endpoint) = endpoint.check(beside, problems) else { continue };
        if checked.iter().any(|other| other.id == endpoint.id) {
            problems.push(format!("[[vpc_endpoints]] `{}` is there twice", endpoint.id));
        }
        checked.push(endpoint);
    }
    checked
}

/// Where events are posted.
fn webhooks(urls: &[String], problems: &mut Vec<String>) -> Vec<Webhook> {
    let mut checked: Vec<Webhook> = Vec::with_capacity(urls.len());
    for url in urls {
        match Webhook::parse(url) {
            Ok(_) if checked.iter().any(|other| other.url() == url) => {
                problems.push(format!("[events] webhooks: `{url}` is there twice"));
            }
            Ok(webhook) => checked.push(webhook),
            Err(error) => problems.push(format!("[events] webhooks: {error}")),
        }
    }
    checked
}

/// Where the keys of OpenID Connect issuers come from.
fn issuers(discovery: Option<bool>, pinned: Vec<RawIssuer>, problems: &mut Vec<String>) -> stoa_oidc_keys::Settings {
    let mut settings = stoa_oidc_keys::Settings { discover: discovery.unwrap_or(true), ..Default::default() };
    for RawIssuer { issuer, jwks_file, jwks_url } in pinned {
        let name = issuer.trim_end_matches('/').to_owned();
        if !name.starts_with("https://") {
            problems.push(format!("[[oidc_keys]] `{issuer}`: an issuer begins with https://"));
        }
        let pin = match (jwks_file, jwks_url) {
            (Some(file), None) if file.is_file() => Pin::File(file),
            (Some(file), None) => {
                problems.push(format!("[[oidc_keys]] `{issuer}`: there is no file {}", file.display()));
                continue;
            }
            (None, Some(url)) if url.starts_with("https://") => Pin::Url(url),
            (None, Some(url)) => {
                problems.push(format!("[[oidc_keys]] `{issuer}`: `{url}` is no https URL"));
                continue;
            }
            _ => {
                problems.push(format!("[[oidc_keys]] `{issuer}`: needs either jwks_file or jwks_url"));
                continue;
            }
        };
        if settings.pins.insert(name, pin).is_some() {
            problems.push(format!("[[oidc_keys]] `{issuer}` is there twice"));
        }
    }
    settings
}

fn read(file: Option<&Path>, problems: &mut Vec<String>) -> RawConfig {
    let Some(path) = file else { return RawConfig::default() };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.push(format!("{}: {error}", path.display()));
            return RawConfig::default();
        }
    };
    toml::from_str(&text).unwrap_or_else(|error| {
        problems.push(format!("{}: {}", path.display(), error.message()));
        RawConfig::default()
    })
}

#[cfg(test)]
mod tests {
    //! All problems at once, and what flags become.

    use super::*;

    #[test]
    fn every_problem_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("stoa.toml");
        let issuers =
            "[[oidc_keys]]\nissuer = \"http://a\"\njwks_file = \"/nowhere\"\n[[oidc_keys]]\nissuer = \"https://b\"\n";
        let events = "[events]\nwebhooks = [\"ftp://a\", \"http://b/\", \"http://b/\"]\n";
        std::fs::write(&file, format!("{issuers}{events}[images]\n\"a\" = \"nothing\"\n")).unwrap();
        let error = Config::load(dir.path(), "nowhere", &["Mars".to_owned()], Some(&file), true).unwrap_err();
        let text = error.to_string();
        for part in [
            "8 problem",
            "`ftp://a` is no http",
            "`http://b/` is there twice",
            "begins with https",
            "no file /nowhere",
            "needs either",
            "--listen `nowhere`",
            "Mars",
            "no built-in image `nothing`",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn endpoints_are_checked_and_a_bad_policy_is_told_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let load = |text: &str| {
            let file = dir.path().join("stoa.toml");
            std::fs::write(&file, text).unwrap();
            Config::load(dir.path(), "127.0.0.1:0", &[], Some(&file), true)
        };
        std::fs::write(dir.path().join("bad.json"), r#"{"Statement":[{"Effect":"Allow","Principal":"*"}]}"#).unwrap();
        let deny = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}}"#;
        std::fs::write(dir.path().join("deny.json"), deny).unwrap();
        let table = |id: &str, more: &str| {
            format!("[[vpc_endpoints]]\nid = \"{id}\"\nvpc = \"vpc-1\"\nlisten = \"127.0.0.1:0\"\n{more}\n")
        };
        let bad = table("x", "account = \"12\"\nregion = \"Mars\"\npolicy = \"bad.json\"");
        let text = load(&bad).unwrap_err().to_string();
        for part in ["4 problem", "id `x` is not `vpce-`", "`12`", "Mars", "bad.json is malformed", "$.Statement[0]"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let twice = load(&format!("{0}{0}", table("vpce-1", ""))).unwrap_err().to_string();
        assert!(twice.contains("`vpce-1` is there twice"), "{twice}");
        let good = load(&table("vpce-1", "policy = \"deny.json\"\nservices = [\"s3\"]")).unwrap();
        let endpoint = &good.vpc_endpoints[0];
        assert!(endpoint.warning().unwrap().contains("allows nothing"));
        let made = endpoint.endpoint(&"123456789012".parse().unwrap());
        assert_eq!((&*made.vpc, made.account.as_str(), made.policy.is_some()), ("vpc-1", "123456789012", true));
        std::fs::write(dir.path().join("deny.json"), "{").unwrap();
        assert!(endpoint.reloaded().unwrap_err().contains("malformed"));
    }

    #[test]
    fn the_default_region_is_served_when_none_is_named() {
        let config = Config::load(Path::new("x"), "127.0.0.1:0", &[], None, true).unwrap();
        assert_eq!(config.regions[0].as_str(), DEFAULT_REGION);
        assert!(config.data_events);
    }

    #[test]
    fn data_events_can_be_turned_off() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("stoa.toml");
        std::fs::write(&file, "[audit]\ndata_events = false\n").unwrap();
        assert!(!Config::load(dir.path(), "127.0.0.1:0", &[], Some(&file), true).unwrap().data_events);
        std::fs::write(&file, "[audit]\nevents = false\n").unwrap();
        assert!(Config::load(dir.path(), "127.0.0.1:0", &[], Some(&file), true).is_err());
    }

    #[test]
    fn default_encryption_is_none_or_aes256() {
        let dir = tempfile::tempdir().unwrap();
        let load = |text: &str| {
            let file = dir.path().join("stoa.toml");
            std::fs::write(&file, text).unwrap();
            Config::load(dir.path(), "127.0.0.1:0", &[], Some(&file), true)
        };
        assert_eq!(load("").unwrap().default_encryption, None);
        assert_eq!(load("[s3]\ndefault_encryption = \"none\"").unwrap().default_encryption, None);
        let sealed = load("[s3]\ndefault_encryption = \"AES256\"").unwrap();
        assert_eq!(sealed.default_encryption, Some(BucketEncryption::Aes256));
        let error = load("[s3]\ndefault_encryption = \"aws:kms\"").unwrap_err().to_string();
        assert!(error.contains("default_encryption `aws:kms`"), "{error}");
    }
}
