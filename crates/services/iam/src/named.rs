//! What the entities of IAM have in common: a name, a path, an ARN; for some of them policies, for some of them tags.
//!
//! The changes that these traits make possible are in `holder`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stoa_kernel::ApiError;
use stoa_store::Key;
use stoa_types::AccountId;

use crate::error::no_such_entity;
use crate::state::{
    GroupRecord, InstanceProfileRecord, PolicyRecord, RoleRecord, Tags, UserRecord, group_key, instance_profile_key,
    policy_key, role_key, user_key,
};

/// An entity that its account knows by name.
pub(crate) trait Named: Serialize + DeserializeOwned + Send + Sync {
    /// Its type in ARNs and in messages.
    const WHAT: &'static str;
    fn key(account: &AccountId, name: &str) -> Key;
    fn name(&self) -> &str;
    fn arn(&self) -> &str;
    /// The permissions boundary, where such an entity can have one.
    fn boundary(&self) -> Option<&str> {
        None
    }
    /// Whether a service owns it, so that nobody else may change it.
    fn is_service_linked(&self) -> bool {
        false
    }
    /// What is said of a name that is not there.
    fn missing(name: &str) -> ApiError {
        no_such_entity(format!("The {} with name {name} cannot be found.", Self::WHAT))
    }
}

/// An entity with policies of its own: a user, a group, a role.
pub(crate) trait Holder: Named {
    /// The quota of its attached policies.
    const ATTACHED_QUOTA: &'static str;
    /// Bytes of all inline policies together.
    const INLINE_BYTES: usize;
    fn inline(&mut self) -> &mut BTreeMap<String, String>;
    fn attached(&mut self) -> &mut Vec<String>;
}

/// A user or role: it can have a permissions boundary.
pub(crate) trait Bounded: Named {
    fn boundary_mut(&mut self) -> &mut Option<String>;
}

/// An entity with tags.
pub(crate) trait Tagged: Named {
    fn tags(&mut self) -> &mut Tags;
}

macro_rules! named {
    // named!(UserRecord, "user", user_key; items) implements Named over the record's fields, with these items besides.
    ($record:ty, $what:literal, $key:ident; $($more:item)*) => {
        impl Named for $record {
            const WHAT: &'static str = $what;
            fn key(account: &AccountId, name: &str) -> Key {
                $key(account, name)
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn arn(&self) -> &str {
                &self.arn
            }
            $($more)*
        }
    };
}

named!(UserRecord, "user", user_key;
    fn boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }
);
named!(GroupRecord, "group", group_key;);
named!(RoleRecord, "role", role_key;
    fn boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }
    fn is_service_linked(&self) -> bool {
        self.path.starts_with("/aws-service-role/")
    }
);
named!(InstanceProfileRecord, "instance-profile", instance_profile_key;
    fn missing(name: &str) -> ApiError {
        no_such_entity(format!("Instance Profile {name} cannot be found."))
    }
);
named!(PolicyRecord, "policy", policy_key;);

macro_rules! holder {
    // holder!(UserRecord, "PoliciesPerUser", 2048) implements Holder over the record's fields.
    ($($record:ty, $quota:literal, $bytes:literal);* $(;)?) => {
        $(impl Holder for $record {
            const ATTACHED_QUOTA: &'static str = $quota;
            const INLINE_BYTES: usize = $bytes;
            fn inline(&mut self) -> &mut BTreeMap<String, String> {
                &mut self.inline
            }
            fn attached(&mut self) -> &mut Vec<String> {
                &mut self.attached
            }
        })*
    };
}

holder!(UserRecord, "PoliciesPerUser", 2048; GroupRecord, "PoliciesPerGroup", 5120;
    RoleRecord, "PoliciesPerRole", 10240);

macro_rules! fields {
    // fields!(Tagged, tags -> Tags: UserRecord, …) implements a trait of one accessor over the field of its name.
    ($trait:ident, $method:ident = $field:ident -> $type:ty: $($record:ty),*) => {
        $(impl $trait for $record {
            fn $method(&mut self) -> &mut $type {
                &mut self.$field
            }
        })*
    };
}

fields!(Tagged, tags = tags -> Tags: UserRecord, RoleRecord, PolicyRecord, InstanceProfileRecord);
fields!(Bounded, boundary_mut = boundary -> Option<String>: UserRecord, RoleRecord);
