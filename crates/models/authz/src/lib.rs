//! The authorization facts of AWS services: every IAM action with its access level, the resource types it applies to,
//! the condition keys that its requests carry, and the actions that its caller needs as well.
//!
//! The facts are one generated text, parsed once, when first asked for. Names of actions and keys are found in any
//! case, as policies write them. Pure: nothing here can fail at run time, and a test reads every line.

mod declared;
mod lint;
mod table;

pub use declared::{Declared, hand_written};
pub use lint::lint_catalog;
pub use table::{Access, Action, ActionResource, Key, KeyType, Resource, Service, ValueType};

use table::Table;

/// Every IAM prefix with its actions, sorted by prefix.
pub fn services() -> &'static [Service] {
    &Table::get().services
}

/// The service that owns a prefix, such as `sagemaker`.
pub fn service(prefix: &str) -> Option<&'static Service> {
    let services = services();
    let lower = prefix.to_ascii_lowercase();
    let at = services.binary_search_by(|service| service.prefix.cmp(&lower)).ok()?;
    services.get(at)
}

/// An action by its full name, such as `sagemaker:CreateModel`.
pub fn action(name: &str) -> Option<&'static Action> {
    let (prefix, name) = name.split_once(':')?;
    service(prefix)?.action(name)
}

/// The actions of a prefix; none where it is not known.
pub fn actions_of(prefix: &str) -> &'static [Action] {
    service(prefix).map_or(&[], |service| &service.actions)
}

/// The actions that a policy's pattern means, such as `sagemaker:Create*` or `*`, in the order of the table.
pub fn actions_matching(pattern: &str) -> Vec<&'static Action> {
    let (prefixes, names) = pattern.split_once(':').unwrap_or((pattern, "*"));
    let services = services().iter().filter(|service| table::glob(prefixes, service.prefix));
    services.flat_map(|service| &service.actions).filter(|action| table::glob(names, action.name)).collect()
}

/// The global condition keys (`aws:*`, and a few that services put into every session), sorted.
pub fn global_keys() -> &'static [Key] {
    &Table::get().globals
}

/// A condition key as the facts write it: `aws:RequestTag/team` is found as `aws:RequestTag/${TagKey}`. Keys of identity
/// providers (`saml:aud`, `accounts.google.com:aud`) belong to STS, whatever is before their colon.
pub fn key(name: &str) -> Option<&'static Key> {
    let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
    let (own, others): (Vec<_>, Vec<_>) = services().iter().partition(|service| service.prefix == prefix);
    let keys = own.into_iter().chain(others).flat_map(|service| &service.keys);
    global_keys().iter().chain(keys).find(|key| key.is(name))
}

/// The type of a condition key. None: no service is known to set it.
pub fn key_type(name: &str) -> Option<KeyType> {
    key(name).map(|key| key.kind)
}

#[cfg(test)]
mod tests;
