//! What every service author sees: context, principal, errors, handlers, ports.
//!
//! Nothing here does I/O. The pipeline (edge) makes a [`Cx`], decides through it, and only then can make the
//! [`Authorized`] input that a handler takes. Services reach one another through the small traits in [`ports`].

mod bind;
mod cx;
mod decide;
mod error;
mod handler;
mod keys;
pub mod ports;
mod principal;
mod record;
mod session_record;
mod target;

pub use bind::bind_targets;
pub use cx::{Connection, Cx, Platform, VpcEndpoint};
pub use decide::Permit;
pub use error::{ApiError, Refusal};
pub use handler::{
    Authorized, FurtherTargets, Handler, Handles, Registry, Route, Targets, TargetsFn, route, route_with_targets,
};
pub use principal::{FederatedCaller, Principal, PrincipalIdentity, SessionContext};
pub use record::{AdditionalData, DecidedTarget, Trace};
pub use session_record::SessionRecord;
pub use target::{Target, default_target};
