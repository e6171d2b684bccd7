//! Rules that an owner sets on a bucket: when objects expire, and which web pages of other origins may use it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_types::Timestamp;

/// Which objects a lifecycle rule is about: those that meet all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LifecycleFilter {
    /// Keys that begin with this.
    pub prefix: Option<String>,
    /// Objects with all these tags.
    pub tags: BTreeMap<String, String>,
    /// Objects of more bytes than this.
    pub greater_than: Option<u64>,
    /// Objects of fewer bytes than this.
    pub less_than: Option<u64>,
    /// Whether it was given as `And`, so that it is shown so.
    pub and: bool,
}

/// A lifecycle rule. Transitions between storage classes are refused when it is put.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LifecycleRule {
    /// Its name, unique in the bucket; made up where none was given.
    pub id: String,
    /// Whether it is applied.
    pub enabled: bool,
    /// What it is about.
    pub filter: LifecycleFilter,
    /// Whether the prefix stood in the rule itself, as the API had it before there were filters.
    pub plain_prefix: bool,
    /// Days after which objects expire.
    pub days: Option<u32>,
    /// The midnight from which objects expire.
    pub date: Option<Timestamp>,
    /// Whether delete markers go that have nothing left to hide.
    pub expired_marker: bool,
    /// Days after which versions go that are not the newest.
    pub noncurrent_days: Option<u32>,
    /// How many of those are kept all the same.
    pub newer_noncurrent: Option<u32>,
    /// Days after which unfinished uploads are aborted.
    pub abort_days: Option<u32>,
}

/// A rule of Cross-Origin Resource Sharing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CorsRule {
    /// Its name.
    pub id: Option<String>,
    /// Origins, each with one `*` at most.
    pub allowed_origins: Vec<String>,
    /// `GET`, `PUT`, `POST`, `DELETE`, `HEAD`.
    pub allowed_methods: Vec<String>,
    /// Headers that a preflight may name, each with one `*` at most.
    pub allowed_headers: Vec<String>,
    /// Headers of answers that scripts may read.
    pub expose_headers: Vec<String>,
    /// How long a browser may keep a preflight's answer.
    pub max_age_seconds: Option<i32>,
}
