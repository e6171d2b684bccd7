//! The global condition keys (`aws:*`): what follows from principal, time and socket, and what from the organization.
//!
//! [`Cx::global_keys`] makes those that hold for a whole call. Those about the resource differ by target and are looked
//! at only when a policy asks for them: [`Seen`] is the context that the engine is given.

use stoa_policy::{Context, MapContext, Values};
use stoa_types::{Region, Timestamp};

use crate::ports::AccountPlace;
use crate::{Connection, Cx, Principal, PrincipalIdentity as Identity, Target};

/// The services that `aws:CalledVia` names.
const CALLED_VIA: [&str; 17] = [
    "aoss.amazonaws.com",
    "athena.amazonaws.com",
    "backup.amazonaws.com",
    "cloud9.amazonaws.com",
    "cloudformation.amazonaws.com",
    "databrew.amazonaws.com",
    "dataexchange.amazonaws.com",
    "dynamodb.amazonaws.com",
    "imagebuilder.amazonaws.com",
    "kms.amazonaws.com",
    "mgn.amazonaws.com",
    "nimble.amazonaws.com",
    "omics.amazonaws.com",
    "ram.amazonaws.com",
    "robomaker.amazonaws.com",
    "servicecatalog-appregistry.amazonaws.com",
    "sqlworkbench.amazonaws.com",
];

/// The keys of one decision, without copying any: target, resource tags, whose the resource is, the principal's place
/// in its organization, the call.
pub(crate) struct Seen<'a> {
    pub target: &'a MapContext,
    pub tags: &'a MapContext,
    pub resource_account: Option<&'a str>,
    pub resource_place: Option<&'a AccountPlace>,
    pub principal_place: Option<&'a AccountPlace>,
    pub endpoint_place: Option<&'a AccountPlace>,
    pub global: &'a MapContext,
}

impl Context for Seen<'_> {
    fn get(&self, key: &str) -> Option<Values<'_>> {
        if let Some(found) = self.target.get(key).or_else(|| self.tags.get(key)) {
            return Some(found);
        }
        match key {
            "aws:resourceaccount" => self.resource_account.map(Values::One),
            "aws:resourceorgid" => self.resource_place.map(|place| Values::One(&place.organization)),
            "aws:resourceorgpaths" => self.resource_place.map(|place| Values::Many(&place.paths)),
            "aws:principalorgid" => self.principal_place.map(|place| Values::One(&place.organization)),
            "aws:principalorgpaths" => self.principal_place.map(|place| Values::Many(&place.paths)),
            "aws:vpceorgid" => self.endpoint_place.map(|place| Values::One(&place.organization)),
            "aws:vpceorgpaths" => self.endpoint_place.map(|place| Values::Many(&place.paths)),
            _ => self.global.get(key),
        }
    }
}

/// The account that owns the target's resource: what the target says, or else the account in the ARN.
pub(crate) fn resource_account(target: &Target) -> Option<&str> {
    let said = target.keys.get("aws:resourceaccount").and_then(|values| values.single());
    said.or_else(|| target.resource.split(':').nth(4).filter(|account| !account.is_empty() && *account != "*"))
}

impl Cx {
    /// The global condition keys that follow from principal, time and socket. The gateway adds what headers say.
    pub fn global_keys(principal: &Principal, region: &Region, now: Timestamp, connection: &Connection) -> MapContext {
        let mut keys = MapContext::new();
        request_keys(&mut keys, region, now, connection);
        principal_keys(&mut keys, principal, now);
        keys
    }

    /// The global keys of a request that a service makes with credentials of its own: a role it was passed, or itself.
    /// It comes from nowhere that the caller could be, so no key says from where.
    pub fn service_keys(principal: &Principal, region: &Region, now: Timestamp) -> MapContext {
        let mut keys = MapContext::new();
        time_keys(&mut keys, region, now);
        keys.set("aws:SecureTransport", "true");
        principal_keys(&mut keys, principal, now);
        keys
    }

    /// The keys that say on whose behalf a service principal asks: what it works for, whose that is, and where.
    pub(crate) fn source_keys(keys: &mut MapContext, source_arn: &str, place: Option<&AccountPlace>) {
        keys.set("aws:SourceArn", source_arn);
        if let Some(account) = source_arn.split(':').nth(4).filter(|account| !account.is_empty()) {
            keys.set("aws:SourceAccount", account);
        }
        if let Some(place) = place {
            keys.set("aws:SourceOrgID", place.organization.as_str());
            keys.set_many("aws:SourceOrgPaths", place.paths.iter().map(String::as_str));
        }
    }

    /// The global keys of a request that a service makes in the caller's name (a forward access session), in a chain of
    /// services of which the last one asks.
    pub fn forwarded_keys(&self, services: &[&str]) -> MapContext {
        let mut keys = Cx::service_keys(&self.principal, &self.region, self.now);
        keys.set("aws:ViaAWSService", "true");
        // Not every service that goes on in the caller's name is one that the chain names.
        let named: Vec<&str> = services.iter().copied().filter(|name| CALLED_VIA.contains(name)).collect();
        if let (Some(first), Some(last)) = (named.first().copied(), named.last().copied()) {
            keys.set("aws:CalledViaFirst", first);
            keys.set("aws:CalledViaLast", last);
            keys.set_many("aws:CalledVia", named);
        }
        keys
    }
}

fn time_keys(keys: &mut MapContext, region: &Region, now: Timestamp) {
    keys.set("aws:CurrentTime", now.iso8601());
    keys.set("aws:EpochTime", now.seconds().to_string());
    keys.set("aws:RequestedRegion", region.as_str());
}

/// Where a request came from: an address, or a VPC endpoint, never both.
fn request_keys(keys: &mut MapContext, region: &Region, now: Timestamp, connection: &Connection) {
    time_keys(keys, region, now);
    keys.set("aws:SecureTransport", if connection.secure { "true" } else { "false" });
    let Some(endpoint) = &connection.vpc_endpoint else {
        keys.set("aws:SourceIp", connection.peer.to_string());
        return;
    };
    keys.set("aws:SourceVpce", endpoint.id.as_str());
    keys.set("aws:SourceVpc", endpoint.vpc.as_str());
    keys.set("aws:SourceVpcArn", endpoint.vpc_arn(region));
    keys.set("aws:VpcSourceIp", connection.peer.to_string());
    keys.set("aws:VpceAccount", endpoint.account.as_str());
}

fn principal_keys(keys: &mut MapContext, principal: &Principal, now: Timestamp) {
    match &principal.identity {
        Identity::Anonymous => {
            keys.set("aws:PrincipalAccount", "anonymous");
            keys.set("aws:PrincipalType", "Anonymous");
            keys.set("aws:userid", "anonymous");
            return;
        }
        // A service's own account is nobody's here.
        Identity::Service { name } => {
            keys.set("aws:PrincipalIsAWSService", "true");
            keys.set("aws:PrincipalServiceName", name.as_str());
            keys.set_many("aws:PrincipalServiceNamesList", [name.as_str()]);
            keys.set("aws:PrincipalType", "Service");
            return;
        }
        // Before a role is theirs they are known by what their provider says: `session.keys`.
        Identity::Federated { .. } => {}
        Identity::Root | Identity::User { .. } | Identity::AssumedRole { .. } | Identity::FederatedUser { .. } => {
            own_keys(keys, principal);
        }
    }
    session_keys(keys, principal, now);
}

/// The keys of who belongs to an account.
fn own_keys(keys: &mut MapContext, principal: &Principal) {
    keys.set("aws:PrincipalArn", principal.policy_arn());
    keys.set("aws:PrincipalAccount", principal.account.as_str());
    keys.set("aws:PrincipalType", principal_type(&principal.identity));
    keys.set("aws:userid", principal.principal_id.as_str());
    keys.set("aws:PrincipalIsAWSService", "false");
    keys.set("aws:ViaAWSService", "false");
    if let Identity::User { name } = &principal.identity {
        keys.set("aws:username", name.as_str());
    }
    for (name, value) in &principal.tags {
        keys.set(&format!("aws:PrincipalTag/{name}"), value.as_str());
    }
}

fn principal_type(identity: &Identity) -> &'static str {
    match identity {
        Identity::Root => "Account",
        Identity::User { .. } => "User",
        Identity::AssumedRole { .. } => "AssumedRole",
        Identity::FederatedUser { .. } => "FederatedUser",
        Identity::Federated { .. } | Identity::Service { .. } => "Service",
        Identity::Anonymous => "Anonymous",
    }
}

/// The keys of temporary credentials.
fn session_keys(keys: &mut MapContext, principal: &Principal, now: Timestamp) {
    let Some(session) = &principal.session else { return };
    keys.set("aws:TokenIssueTime", session.issued_at.iso8601());
    keys.set("aws:MultiFactorAuthPresent", if session.mfa_authenticated_at.is_some() { "true" } else { "false" });
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

#[cfg(test)]
mod tests;
