//! The context of one call: who, where, when, and the ports a decision needs. Made by the pipeline.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use stoa_policy::MapContext;
use stoa_types::{Clock, IdSource, Partition, Region, Timestamp};

use crate::Principal;
use crate::ports::{Authority, ResourceTags};

/// What outlives a call and is the same for all: clock, ids, authority, tags.
pub struct Platform {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and secrets.
    pub ids: Arc<dyn IdSource>,
    /// Knows credentials and decides.
    pub authority: Arc<dyn Authority>,
    /// Knows the tags of a resource by its ARN.
    pub tags: Arc<dyn ResourceTags>,
}

impl fmt::Debug for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Platform")
    }
}

/// How a call came in: facts of the socket, never of a header.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The caller's address.
    pub peer: IpAddr,
    /// Whether TLS protects it.
    pub secure: bool,
    /// `http://host:port` as the caller can reach this server again (presigned URLs are made from it).
    pub base_url: String,
    /// The VPC endpoint it came through, and its VPC.
    pub vpc_endpoint: Option<(String, String)>,
}

/// The context of one call.
#[derive(Debug)]
pub struct Cx {
    /// Echoed as `x-amzn-RequestId`, found in the audit journal.
    pub request_id: String,
    /// Who calls.
    pub principal: Arc<Principal>,
    /// The region the call was signed for.
    pub region: Region,
    /// The partition of that region.
    pub partition: Partition,
    /// When the call was accepted.
    pub now: Timestamp,
    /// How it came in.
    pub connection: Arc<Connection>,
    /// The `User-Agent`.
    pub user_agent: String,
    /// The global condition keys (`aws:*`) of this call.
    pub global_keys: MapContext,
    /// Clock, ids, authority, tags.
    pub platform: Arc<Platform>,
}

impl Cx {
    /// An ARN in the caller's partition, region and account.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.principal.account)
    }

    /// The global condition keys that follow from principal, time and socket. The gateway adds what headers say.
    pub fn global_keys(principal: &Principal, region: &Region, now: Timestamp, connection: &Connection) -> MapContext {
        use crate::PrincipalIdentity as Identity;
        let mut keys = MapContext::new();
        keys.set("aws:CurrentTime", now.iso8601());
        keys.set("aws:EpochTime", now.seconds().to_string());
        keys.set("aws:RequestedRegion", region.as_str());
        keys.set("aws:SecureTransport", connection.secure.to_string());
        match &connection.vpc_endpoint {
            Some((endpoint, vpc)) => {
                keys.set("aws:SourceVpce", endpoint.as_str());
                keys.set("aws:SourceVpc", vpc.as_str());
                keys.set("aws:VpcSourceIp", connection.peer.to_string());
            }
            None => {
                keys.set("aws:SourceIp", connection.peer.to_string());
            }
        }
        if principal.identity == Identity::Anonymous {
            return keys;
        }
        keys.set("aws:PrincipalArn", principal.policy_arn());
        keys.set("aws:PrincipalAccount", principal.account.as_str());
        keys.set(
            "aws:PrincipalType",
            match principal.identity {
                Identity::Root => "Account",
                Identity::User { .. } => "User",
                Identity::AssumedRole { .. } => "AssumedRole",
                Identity::FederatedUser { .. } => "FederatedUser",
                Identity::Federated { .. } | Identity::Service { .. } | Identity::Anonymous => "Service",
            },
        );
        keys.set("aws:userid", principal.principal_id.as_str());
        keys.set("aws:PrincipalIsAWSService", matches!(principal.identity, Identity::Service { .. }).to_string());
        match &principal.identity {
            Identity::User { name } => {
                keys.set("aws:username", name.as_str());
            }
            Identity::Service { name } => {
                keys.set("aws:PrincipalServiceName", name.as_str());
            }
            _ => {}
        }
        for (name, value) in &principal.tags {
            keys.set(&format!("aws:PrincipalTag/{name}"), value.as_str());
        }
        if let Some(session) = &principal.session {
            keys.set("aws:TokenIssueTime", session.issued_at.iso8601());
            keys.set("aws:MultiFactorAuthPresent", session.mfa_authenticated_at.is_some().to_string());
            if let Some(at) = session.mfa_authenticated_at {
                keys.set("aws:MultiFactorAuthAge", (now.seconds() - at.seconds()).max(0).to_string());
            }
            if let Some(provider) = &session.federated_provider {
                keys.set("aws:FederatedProvider", provider.as_str());
            }
            for (name, values) in &session.keys {
                match values.as_slice() {
                    [value] => keys.set(name, value.as_str()),
                    many => keys.set_many(name, many.iter().map(String::as_str)),
                };
            }
            for (name, value) in &session.tags {
                keys.set(&format!("aws:PrincipalTag/{name}"), value.as_str());
            }
            if let Some(identity) = &session.source_identity {
                keys.set("aws:SourceIdentity", identity.as_str());
            }
        }
        keys
    }
}
