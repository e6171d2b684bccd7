//! Operations as the pipeline dispatches them, and as service authors write them.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use stoa_schema::{FromValue, Operation, OperationSpec, ServiceSpec, ToValue, Value};

use crate::{ApiError, Cx, Permit, Target};

/// Input that was decoded, allowed and validated. It can only be made with a [`Permit`].
#[derive(Debug)]
pub struct Authorized<T>(T);

impl<T> Authorized<T> {
    /// Seals the input with the permit.
    pub fn new(_permit: &Permit, input: T) -> Authorized<T> {
        Authorized(input)
    }
    /// The input.
    pub fn into_inner(self) -> T {
        self.0
    }
    fn try_map<U, E>(self, change: impl FnOnce(T) -> Result<U, E>) -> Result<Authorized<U>, E> {
        change(self.0).map(Authorized)
    }
}

impl<T> Deref for Authorized<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// The one hand-written piece of an operation: load, decide, write in one transaction, return.
pub trait Handles<Op: Operation>: Send + Sync + 'static {
    /// Handles a call. Nothing of HTTP, codecs or SQL here.
    fn handle(
        &self,
        cx: &Cx,
        input: Authorized<Op::Input>,
    ) -> impl Future<Output = Result<Op::Output, ApiError>> + Send;
}

/// Names the targets of an operation whose table entry says `custom`. Input is decoded, not yet validated.
pub trait Targets<Op: Operation>: Send + Sync + 'static {
    /// The targets, each of which must be allowed.
    fn targets(&self, cx: &Cx, input: &Value) -> impl Future<Output = Result<Vec<Target>, ApiError>> + Send;
}

/// A handler without its types.
pub type Handler =
    Box<dyn for<'a> Fn(&'a Cx, Authorized<Value>) -> BoxFuture<'a, Result<Value, ApiError>> + Send + Sync>;
/// Custom targets without their types.
pub type TargetsFn =
    Box<dyn for<'a> Fn(&'a Cx, &'a Value) -> BoxFuture<'a, Result<Vec<Target>, ApiError>> + Send + Sync>;

/// An operation ready to be dispatched.
pub struct Route {
    /// Its row.
    pub spec: &'static OperationSpec,
    /// Its handler.
    pub handler: Handler,
    /// Its targets, where its row says `custom`.
    pub targets: Option<TargetsFn>,
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Route({}:{})", self.spec.service, self.spec.name)
    }
}

/// A route whose targets are in the table.
pub fn route<Op: Operation, S: Handles<Op>>(service: &Arc<S>) -> Route {
    let service = Arc::clone(service);
    let handler: Handler = Box::new(move |cx, input| {
        let service = Arc::clone(&service);
        Box::pin(async move {
            let input = input.try_map(Op::Input::from_value).map_err(ApiError::internal)?;
            service.handle(cx, input).await.map(ToValue::to_value)
        })
    });
    Route { spec: Op::SPEC, handler, targets: None }
}

/// A route with hand-written targets.
pub fn route_with_targets<Op: Operation, S: Handles<Op> + Targets<Op>>(service: &Arc<S>) -> Route {
    let owner = Arc::clone(service);
    let targets: TargetsFn = Box::new(move |cx, input| {
        let owner = Arc::clone(&owner);
        Box::pin(async move { Targets::<Op>::targets(&*owner, cx, input).await })
    });
    Route { targets: Some(targets), ..route::<Op, S>(service) }
}

/// Targets of an operation besides those of its table: what another service's rules add to a call.
pub struct FurtherTargets {
    /// The operation's row.
    pub spec: &'static OperationSpec,
    /// What must be allowed too; may be nothing.
    pub targets: TargetsFn,
}

impl fmt::Debug for FurtherTargets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FurtherTargets({}:{})", self.spec.service, self.spec.name)
    }
}

/// Every service that is spoken, with the routes of the implemented operations.
#[derive(Debug, Default)]
pub struct Registry {
    services: Vec<&'static ServiceSpec>,
    routes: HashMap<(&'static str, &'static str), Route>,
    further: HashMap<(&'static str, &'static str), FurtherTargets>,
}

impl Registry {
    /// A registry that knows these services; routes are added next.
    pub fn new(services: Vec<&'static ServiceSpec>) -> Registry {
        Registry { services, ..Registry::default() }
    }
    /// Adds the routes of a service crate.
    #[must_use]
    pub fn with_routes(mut self, routes: Vec<Route>) -> Registry {
        for route in routes {
            self.routes.insert((route.spec.service, route.spec.name), route);
        }
        self
    }
    /// Adds targets to operations that their tables bind, implemented or not.
    #[must_use]
    pub fn with_further_targets(mut self, further: Vec<FurtherTargets>) -> Registry {
        for targets in further {
            self.further.insert((targets.spec.service, targets.spec.name), targets);
        }
        self
    }
    /// The services.
    pub fn services(&self) -> &[&'static ServiceSpec] {
        &self.services
    }
    /// The route of an operation, where it is implemented.
    pub fn route(&self, spec: &OperationSpec) -> Option<&Route> {
        self.routes.get(&(spec.service, spec.name))
    }
    /// The targets of an operation besides those of its table.
    pub fn further_targets(&self, spec: &OperationSpec) -> Option<&FurtherTargets> {
        self.further.get(&(spec.service, spec.name))
    }
    /// Operations that their table calls implemented but no service handles. Start-up refuses when there are any.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for service in &self.services {
            for spec in service.operations {
                if spec.implemented && self.route(spec).is_none() {
                    missing.push(format!("{}:{}", spec.service, spec.name));
                }
            }
        }
        missing
    }
}
