//! The context of one call: who, where, when, and the ports a decision needs. Made by the pipeline.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use stoa_policy::{MapContext, PolicySet};
use stoa_types::{AccountId, Clock, IdSource, Partition, Region, Timestamp};

use crate::Principal;
use crate::ports::{Authority, ResourceTags};
use crate::record::Trace;

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
    /// The VPC endpoint it came through: whose listener the socket belongs to.
    pub vpc_endpoint: Option<Arc<VpcEndpoint>>,
}

/// A VPC endpoint: a listener of its own, with the policy of what may go through it.
#[derive(Debug)]
pub struct VpcEndpoint {
    /// `vpce-…`.
    pub id: String,
    /// `vpc-…`.
    pub vpc: String,
    /// Whose it is.
    pub account: AccountId,
    /// The region it is in; none: that of the call.
    pub region: Option<Region>,
    /// The services it leads to, by their endpoint or signing names; empty: all.
    pub services: Vec<String>,
    /// Its policy; none is AWS's default, which lets everything through.
    pub policy: Option<Arc<PolicySet>>,
}

impl VpcEndpoint {
    /// The ARN of its VPC.
    pub fn vpc_arn(&self, region: &Region) -> String {
        let region = self.region.as_ref().unwrap_or(region);
        format!("arn:{}:ec2:{region}:{}:vpc/{}", Partition::of(region), self.account, self.vpc)
    }
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
    /// What is decided and warned of while the call is served.
    pub trace: Trace,
}

impl Cx {
    /// The context of what a service does by itself in a principal's name (an execution role that it was passed): it
    /// comes from nowhere that a caller could be.
    pub fn of_service(platform: &Arc<Platform>, principal: Principal, region: Region) -> Cx {
        let now = platform.clock.now();
        Cx {
            request_id: stoa_types::uuid_v4(&*platform.ids),
            global_keys: Cx::service_keys(&principal, &region, now),
            principal: Arc::new(principal),
            partition: Partition::of(&region),
            region,
            now,
            connection: Arc::new(Connection {
                peer: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                secure: true,
                base_url: String::new(),
                vpc_endpoint: None,
            }),
            user_agent: String::new(),
            platform: Arc::clone(platform),
            trace: Trace::default(),
        }
    }

    /// An ARN in the caller's partition, region and account.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.principal.account)
    }
}
