//! The commands, one file each. Those that need the server find it through the data folder.

pub mod access_matrix;
pub mod account;
pub mod audit;
pub mod blobs;
pub mod catalog;
pub mod doctor;
pub mod env;
pub mod eula;
pub mod explain;
pub mod hf;
pub mod hub;
mod hub_rules;
pub mod keys;
pub mod model;
pub mod policy;
mod report;
mod trail;
pub mod who_can;
