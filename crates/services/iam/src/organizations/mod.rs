//! Organizations: the tree of units and accounts, the policies on it, and who else may administer it.
//!
//! There is one organization, made at the first start with all features; AWS's API works on it (`accounts` of this
//! crate makes and removes accounts for the command line, on the same state). A change is one transaction over the
//! documents it concerns, at the generations they were read at, tried again when another came between.

mod arns;
mod attachments;
mod aws_policies;
mod convert;
mod delegation;
mod documents;
mod error;
mod facts;
mod members;
mod nodes;
mod organization;
mod place;
mod policies;
mod policy_api;
mod scps;
mod services;
mod tags;
mod targets;
mod tree;
mod units;
mod wire;

pub(crate) use arns::new_id;
pub(crate) use aws_policies::default_policy;
pub(crate) use delegation::Delegation;
pub(crate) use nodes::{ATTEMPTS, new_node, node_document};
pub(crate) use place::{At, Level, Place};
