//! Service-linked roles: those of the services that work with SageMaker, with AWS's names, paths, trust and policies.
//!
//! Nothing of Stoa uses such a role yet, so nothing keeps one from being deleted: the deletion is one transaction with
//! its report, which stays readable by its task id.

use serde::{Deserialize, Serialize};
use stoa_kernel::{ApiError, Authorized, Cx, Handles, Target, Targets};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    CreateServiceLinkedRoleRequest, CreateServiceLinkedRoleResponse, DeleteServiceLinkedRoleRequest,
    DeleteServiceLinkedRoleResponse, DeletionTaskStatusType, GetServiceLinkedRoleDeletionStatusRequest,
    GetServiceLinkedRoleDeletionStatusResponse,
};
use stoa_schema::Value;
use stoa_store::{Document, Expect, Key, Transaction};
use stoa_types::{AccountId, principal_id, uuid_v4};

use super::{DEFAULT_SESSION_SECONDS, wire_role};
use crate::Iam;
use crate::accounts::with_role;
use crate::error::{invalid_input, no_such_entity, no_such_role, store_failed};
use crate::managed;
use crate::quotas::ROLES;
use crate::state::{RoleRecord, kind, load, role_key};
use crate::usage::principal_use_key;

/// The role of a service.
struct ServiceLinked {
    service: &'static str,
    role: &'static str,
    policy: &'static str,
}

const KNOWN: [ServiceLinked; 3] = [
    ServiceLinked {
        service: "sagemaker.amazonaws.com",
        role: "AWSServiceRoleForAmazonSageMakerNotebooks",
        policy: "arn:aws:iam::aws:policy/aws-service-role/AmazonSageMakerNotebooksServiceRolePolicy",
    },
    ServiceLinked {
        service: "hyperpod.sagemaker.amazonaws.com",
        role: "AWSServiceRoleForSageMakerHyperPod",
        policy: "arn:aws:iam::aws:policy/aws-service-role/AmazonSageMakerHyperPodServiceRolePolicy",
    },
    ServiceLinked {
        service: "sagemaker.application-autoscaling.amazonaws.com",
        role: "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
        policy: "arn:aws:iam::aws:policy/aws-service-role/AWSApplicationAutoscalingSageMakerEndpointPolicy",
    },
];

fn of_service(service: &str) -> Option<&'static ServiceLinked> {
    // A role is made only where the document of its policy is at hand.
    KNOWN.iter().find(|known| known.service == service && managed::find(known.policy).is_some())
}

fn role_arn(account: &AccountId, service: &str, role: &str) -> String {
    format!("arn:aws:iam::{account}:role/aws-service-role/{service}/{role}")
}

/// What became of a deletion.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct DeletionRecord {
    role: String,
}

fn deletion_key(account: &AccountId, task: &str) -> Key {
    Key { kind: kind::ROLE_DELETION, account: account.clone(), region: None, id: task.to_owned() }
}

impl Handles<op::CreateServiceLinkedRole> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateServiceLinkedRoleRequest>,
    ) -> Result<CreateServiceLinkedRoleResponse, ApiError> {
        let input = input.into_inner();
        let account = self.account(cx);
        let service = &input.aws_service_name;
        let Some(known) = of_service(service) else {
            return Err(no_such_entity(format!("The service {service} has no service-linked role here.")));
        };
        if input.custom_suffix.is_some() {
            return Err(invalid_input(format!("Custom suffix is not allowed for {service}")));
        }
        self.room_for(ROLES, account).await?;
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}]}}"#
        );
        let role = RoleRecord {
            name: known.role.to_owned(),
            path: format!("/aws-service-role/{service}/"),
            id: principal_id(&*self.ids, "AROA"),
            arn: role_arn(account, service, known.role),
            created: cx.now,
            description: input.description,
            trust,
            max_session_duration: DEFAULT_SESSION_SECONDS,
            inline: Default::default(),
            attached: vec![known.policy.to_owned()],
            boundary: None,
            tags: Default::default(),
            instance_profiles: Vec::new(),
        };
        let transaction = with_role(Transaction::new(), account, &role, cx.now)?;
        let taken = || {
            let name = known.role;
            invalid_input(format!(
                "Service role name {name} has been taken in this account, please try a different suffix."
            ))
        };
        self.create_entity(transaction, &role_key(account, known.role), taken).await?;
        Ok(CreateServiceLinkedRoleResponse { role: Some(wire_role(&role, true)) })
    }
}

impl Targets<op::CreateServiceLinkedRole> for Iam {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let service = input.str_member("AWSServiceName").unwrap_or("*");
        let role = KNOWN.iter().find(|known| known.service == service).map_or("*", |known| known.role);
        let target = Target::new("iam:CreateServiceLinkedRole", role_arn(self.account(cx), service, role));
        Ok(vec![target.with_key("iam:AWSServiceName", service)])
    }
}

impl Handles<op::DeleteServiceLinkedRole> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DeleteServiceLinkedRoleRequest>,
    ) -> Result<DeleteServiceLinkedRoleResponse, ApiError> {
        let account = self.account(cx);
        let role = self.holder::<RoleRecord>(account, &input.role_name).await?;
        let service = role.record.path.strip_prefix("/aws-service-role/").map(|rest| rest.trim_end_matches('/'));
        let service = service.ok_or_else(|| no_such_role(&input.role_name))?;
        let task = format!("task/aws-service-role/{service}/{}/{}", role.record.name, uuid_v4(&*self.ids));
        let report = DeletionRecord { role: role.record.name.clone() };
        let report = Document::new(deletion_key(account, &task), &task, cx.now, &report).map_err(store_failed)?;
        let transaction = Transaction::new()
            .delete(role.document.key.clone(), Expect::Generation(role.document.generation))
            .delete(principal_use_key(account, &role.record.id), Expect::Any)
            .set_tags(&role.record.arn, Vec::new())
            .create(report.with_status(DeletionTaskStatusType::Succeeded.as_str()));
        self.commit(transaction).await?;
        Ok(DeleteServiceLinkedRoleResponse { deletion_task_id: task })
    }
}

impl Handles<op::GetServiceLinkedRoleDeletionStatus> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetServiceLinkedRoleDeletionStatusRequest>,
    ) -> Result<GetServiceLinkedRoleDeletionStatusResponse, ApiError> {
        let task = &input.deletion_task_id;
        let found = load::<DeletionRecord>(&*self.store, &deletion_key(self.account(cx), task)).await?;
        // The report was written with the deletion itself: where there is one, the role is gone.
        found.ok_or_else(|| no_such_entity(format!("The deletion task {task} cannot be found.")))?;
        Ok(GetServiceLinkedRoleDeletionStatusResponse { status: DeletionTaskStatusType::Succeeded, reason: None })
    }
}

impl Targets<op::GetServiceLinkedRoleDeletionStatus> for Iam {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let mut parts = input.str_member("DeletionTaskId").unwrap_or_default().split('/').skip(2);
        let (service, role) = (parts.next().unwrap_or("*"), parts.next().unwrap_or("*"));
        let arn = role_arn(self.account(cx), service, role);
        Ok(vec![Target::new("iam:GetServiceLinkedRoleDeletionStatus", arn)])
    }
}
