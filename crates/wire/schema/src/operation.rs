//! Operations and services as rows of a table: how they travel, who may call them, what of them is audited.

use crate::Shape;

/// An AWS service as clients name it.
#[derive(Debug)]
pub struct ServiceSpec {
    /// Our folder name and botocore's, such as `sagemaker-runtime`.
    pub name: &'static str,
    /// The SigV4 signing name, such as `sagemaker`.
    pub signing_name: &'static str,
    /// The prefix of IAM actions, such as `sagemaker`.
    pub action_prefix: &'static str,
    /// Host name labels before the region, such as `runtime.sagemaker`.
    pub endpoint_prefix: &'static str,
    /// `X-Amz-Target` prefix of the JSON protocols, such as `SageMaker`; also the service name of rpcv2Cbor paths.
    pub target_prefix: &'static str,
    /// API version, such as `2017-07-24`.
    pub api_version: &'static str,
    /// XML namespace of query responses.
    pub xml_namespace: &'static str,
    /// CloudTrail's event source, such as `sagemaker.amazonaws.com`.
    pub event_source: &'static str,
    /// The protocols it speaks; the first is the one most clients use.
    pub protocols: &'static [ProtocolName],
    /// Every modelled operation, sorted by name.
    pub operations: &'static [&'static OperationSpec],
    /// Whether the names of global services' resources lack a region (IAM, STS's global endpoint).
    pub global: bool,
}

/// A wire protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProtocolName {
    /// awsJson1_0.
    AwsJson10,
    /// awsJson1_1.
    AwsJson11,
    /// awsQuery.
    AwsQuery,
    /// ec2Query (routed, not decoded yet).
    Ec2Query,
    /// restJson1.
    RestJson1,
    /// restXml (S3; decoded by s3s).
    RestXml,
    /// rpcv2Cbor.
    RpcV2Cbor,
}

/// A modelled operation.
#[derive(Debug)]
pub struct OperationSpec {
    /// The service's name.
    pub service: &'static str,
    /// Such as `CreateHub`.
    pub name: &'static str,
    /// False: routed, authenticated, authorised, then refused as not implemented.
    pub implemented: bool,
    /// Method and path of the REST protocols.
    pub http: HttpBinding,
    /// The input, where implemented or where the decision looks at it.
    pub input: Option<&'static Shape>,
    /// The output, where implemented and not empty.
    pub output: Option<&'static Shape>,
    /// awsQuery: the element that wraps the result.
    pub result_wrapper: Option<&'static str>,
    /// awsQuery: the namespace of its answers, empty in the other protocols.
    pub xml_namespace: &'static str,
    /// The status of a success, 200 unless the model says otherwise.
    pub success_status: u16,
    /// The modelled errors.
    pub errors: &'static [ErrorSpec],
    /// Who may call it.
    pub authz: Authz,
    /// What it does to state.
    pub access: Access,
    /// How it is audited.
    pub audit: AuditKind,
}

impl OperationSpec {
    /// Whether the operation can be called without a signature.
    pub const fn takes_unsigned(&self) -> bool {
        matches!(self.authz, Authz::Unsigned { .. })
    }
    /// The row of an operation that is modelled and not implemented.
    pub const fn not_implemented(
        service: &'static str,
        name: &'static str,
        method: &'static str,
        uri: &'static str,
        authz: Authz,
        access: Access,
    ) -> OperationSpec {
        OperationSpec {
            service,
            name,
            implemented: false,
            http: HttpBinding { method, uri },
            input: None,
            output: None,
            result_wrapper: None,
            xml_namespace: "",
            success_status: 200,
            errors: &[],
            authz,
            access,
            audit: AuditKind::Management,
        }
    }

    /// The same, decoded all the same, so that the decision sees what the call would have done.
    pub const fn with_input(self, input: &'static Shape) -> OperationSpec {
        OperationSpec { input: Some(input), ..self }
    }
}

/// Method and URI template (`/endpoints/{EndpointName}/invocations`).
#[derive(Debug)]
pub struct HttpBinding {
    /// `POST` for all RPC protocols.
    pub method: &'static str,
    /// `/` for all RPC protocols.
    pub uri: &'static str,
}

/// A modelled error.
#[derive(Debug)]
pub struct ErrorSpec {
    /// The shape's name.
    pub name: &'static str,
    /// The code on the wire where it differs (awsQuery).
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// awsQuery's `Sender`/`Receiver`.
    pub sender: bool,
}

/// What an operation does to state. Mutating calls are audited before they are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Changes nothing.
    Read,
    /// Changes nothing, names many.
    List,
    /// Changes something.
    Write,
    /// Changes tags.
    Tagging,
    /// Changes permissions.
    PermissionsManagement,
}

impl Access {
    /// Whether a call may change state.
    pub const fn mutates(self) -> bool {
        !matches!(self, Access::Read | Access::List)
    }
}

/// How an operation is audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditKind {
    /// A management event: with request parameters and (if it mutates) response elements.
    Management,
    /// A data event (InvokeEndpoint, S3 objects): without payloads.
    Data,
}

/// Who may call an operation: the actions decided, with their resources and condition keys.
#[derive(Debug)]
pub enum Authz {
    /// Every authenticated caller; the reason is written down.
    None {
        /// Why.
        reason: &'static str,
    },
    /// Also callers without a signature: what the request carries is its credential, and the handler verifies it and
    /// decides by it.
    Unsigned {
        /// Why.
        reason: &'static str,
    },
    /// Each target must be allowed.
    Targets(&'static [TargetSpec]),
    /// A hand-written `Targets<Op>` names them.
    Custom,
}

/// One action on one resource.
#[derive(Debug)]
pub struct TargetSpec {
    /// `sagemaker:CreateHub`.
    pub action: &'static str,
    /// `*`, or a template: `arn:{partition}:sagemaker:{region}:{account}:hub/{HubName}` where `{Member.Path}` is an
    /// input member, or `{Member}` alone when the member is an ARN itself. Every value of a list path is one target.
    /// `{A|B/*}` is A or B, the second followed by `/*`; `{Member!}` is a name or the whole ARN of the same type;
    /// `{Member?}` is that ARN, or `*` where it is a name (of something whose ARN has another name).
    pub resource: &'static str,
    /// Only when this input path is there (dependent actions such as PassRole and AddTags).
    pub when: Option<&'static str>,
    /// Condition keys set for this target.
    pub keys: &'static [KeyBinding],
}

/// A condition key and where its value comes from.
#[derive(Debug)]
pub struct KeyBinding {
    /// Such as `sagemaker:InstanceTypes`; `aws:RequestTag/*` and `aws:TagKeys` come from a list of Key/Value.
    pub key: &'static str,
    /// Alternatives separated by `|`, each giving any number of values: an input path
    /// (`ProductionVariants[].InstanceType`); a template as of a resource, where `{Member:kms}` is a KMS key by id,
    /// alias or ARN and `{Member:kind}` the kind in an ARN (`private-crowd`); `?Path` for `true` or `false` as something
    /// is there or not; `?Path:A-B` as some element there has A and not B; `=text` for a constant, last: only where
    /// nothing else gave a value.
    pub from: &'static str,
    /// Several values even when there is one.
    pub multivalued: bool,
}

impl ServiceSpec {
    /// The operation with this name.
    pub fn operation(&self, name: &str) -> Option<&'static OperationSpec> {
        self.operations.binary_search_by(|spec| spec.name.cmp(name)).ok().and_then(|i| self.operations.get(i)).copied()
    }
}
