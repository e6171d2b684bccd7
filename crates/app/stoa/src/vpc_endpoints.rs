//! VPC endpoints of this site: the `[[vpc_endpoints]]` tables of the configuration, checked, and their policies.
//!
//! Each is a listener of its own before the same gateway. Policies are read at start, where a bad one is an error, and
//! again on SIGHUP, where a bad one leaves the former in force and is logged. Nothing is kept: the files are the state.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use stoa_kernel::VpcEndpoint;
use stoa_policy::{Document, PolicyKind, PolicySet};
use stoa_types::{AccountId, Region};

/// A table as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEndpoint {
    id: String,
    vpc: String,
    listen: String,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    services: Vec<String>,
    #[serde(default)]
    policy: Option<PathBuf>,
}

/// An endpoint that holds together.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    pub id: String,
    pub vpc: String,
    pub listen: SocketAddr,
    /// None: the management account.
    pub account: Option<AccountId>,
    pub region: Option<Region>,
    pub services: Vec<String>,
    pub policy_file: Option<PathBuf>,
    policy: Option<Policy>,
}

/// A policy that was read.
#[derive(Debug, Clone)]
struct Policy {
    set: Arc<PolicySet>,
    /// Whether it has an Allow at all: without one it cuts everything off.
    allows: bool,
}

impl RawEndpoint {
    /// The endpoint, or nothing but problems. Relative policy files are beside the configuration file.
    pub fn check(self, beside: &Path, problems: &mut Vec<String>) -> Option<EndpointConfig> {
        let before = problems.len();
        let place = format!("[[vpc_endpoints]] `{}`", self.id);
        for (what, value, prefix) in [("id", &self.id, "vpce-"), ("vpc", &self.vpc, "vpc-")] {
            let rest = value.strip_prefix(prefix).unwrap_or_default();
            if rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                problems.push(format!("{place}: {what} `{value}` is not `{prefix}` with letters and digits"));
            }
        }
        let listen = self.listen.to_socket_addrs().ok().and_then(|mut found| found.next());
        if listen.is_none() {
            problems.push(format!("{place}: listen `{}` is no HOST:PORT", self.listen));
        }
        let account = parsed(self.account.as_deref(), &place, problems);
        let region = parsed(self.region.as_deref(), &place, problems);
        let policy_file = self.policy.map(|file| beside.join(file));
        let policy = policy_file.as_deref().and_then(|file| match read(file) {
            Ok(policy) => Some(policy),
            Err(problem) => {
                problems.push(format!("{place}: {problem}"));
                None
            }
        });
        let listen = listen.filter(|_| problems.len() == before)?;
        let (id, vpc, services) = (self.id, self.vpc, self.services);
        Some(EndpointConfig { id, vpc, listen, account, region, services, policy_file, policy })
    }
}

fn parsed<T: std::str::FromStr>(text: Option<&str>, place: &str, problems: &mut Vec<String>) -> Option<T>
where
    T::Err: std::fmt::Display,
{
    match text.map(str::parse).transpose() {
        Ok(value) => value,
        Err(error) => {
            problems.push(format!("{place}: {error}"));
            None
        }
    }
}

fn read(file: &Path) -> Result<Policy, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let document = Document::parse_as(&text, PolicyKind::Resource)
        .map_err(|error| format!("the policy {} is malformed: {error}", file.display()))?;
    let name: Arc<str> = Arc::from(file.file_name().unwrap_or_default().to_string_lossy());
    Ok(Policy { set: Arc::new(PolicySet::compile([(name, &document)])), allows: has_allow(&text) })
}

/// Whether any statement allows. The text has been parsed as a policy.
fn has_allow(text: &str) -> bool {
    let document: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let allows = |statement: &serde_json::Value| statement["Effect"] == "Allow";
    match &document["Statement"] {
        serde_json::Value::Array(statements) => statements.iter().any(allows),
        one => allows(one),
    }
}

impl EndpointConfig {
    /// The endpoint as the kernel knows it.
    pub fn endpoint(&self, management: &AccountId) -> Arc<VpcEndpoint> {
        Arc::new(VpcEndpoint {
            id: self.id.clone(),
            vpc: self.vpc.clone(),
            account: self.account.clone().unwrap_or_else(|| management.clone()),
            region: self.region.clone(),
            services: self.services.clone(),
            policy: self.policy.as_ref().map(|policy| Arc::clone(&policy.set)),
        })
    }

    /// What an operator should know of it at start.
    pub fn warning(&self) -> Option<String> {
        let cut_off = self.policy.as_ref().is_some_and(|policy| !policy.allows);
        cut_off.then(|| {
            format!(
                "the policy of {} allows nothing, so nothing gets through: a policy of denials needs an Allow beside them",
                self.id
            )
        })
    }

    /// The endpoint with its policy as it is in the file now.
    pub fn reloaded(&self) -> Result<EndpointConfig, String> {
        let policy = self.policy_file.as_deref().map(read).transpose()?;
        Ok(EndpointConfig { policy, ..self.clone() })
    }
}
