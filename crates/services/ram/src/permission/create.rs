//! CreatePermission.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::CreatePermission;
use stoa_models_ram::types::{CreatePermissionRequest, CreatePermissionResponse};
use stoa_store::{Document, Query, StoreError, Transaction};

use super::{Permission, template};
use crate::Ram;
use crate::error::{invalid, not_here, refused, store_failed};
use crate::idempotency::Ticket;
use crate::shareable::ShareableType;
use crate::state::{Loaded, PermissionRecord, PermissionVersion, kind, regional};
use crate::tags;

/// Customer managed permissions of an account in a region.
const MOST: u64 = 100;

impl Handles<CreatePermission> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreatePermissionRequest>,
    ) -> Result<CreatePermissionResponse, ApiError> {
        let ticket = Ticket::of(cx, "CreatePermission", input.client_token.as_ref(), &*input)?;
        if let Some(answer) = self.answered(&ticket).await? {
            return Ok(answer);
        }
        if input.permission_template_parameters.as_ref().is_some_and(|list| !list.is_empty()) {
            return Err(not_here("permissionTemplateParameters"));
        }
        let known = ShareableType::named(&input.resource_type).ok_or_else(|| {
            invalid(format!(
                "The resource type {} is not valid; ListResourceTypes names those that are.",
                input.resource_type
            ))
        })?;
        let template = template::checked(known, &input.policy_template)?;
        let tags = tags::new(input.tags.as_deref())?;
        let (account, region) = (&cx.principal.account, &cx.region);
        let owned = Query::of(kind::PERMISSION).owned_by(account, Some(region));
        if self.parts.store.count(&owned).await.map_err(store_failed)? >= MOST {
            let message =
                format!("The account has {MOST} customer managed permissions in this Region, which is the limit.");
            return Err(refused("PermissionLimitExceededException", message));
        }
        let record = PermissionRecord {
            name: input.name.clone(),
            arn: Ram::arn(cx, &format!("permission/{}", input.name)),
            kind: known.name.to_owned(),
            versions: [(1, PermissionVersion { template, created: cx.now })].into(),
            default: 1,
            latest: 1,
            tags,
            created: cx.now,
            updated: cx.now,
        };
        let key = regional(kind::PERMISSION, account, region, &record.name);
        let document = Document::new(key.clone(), &record.name, cx.now, &record).map_err(store_failed)?;
        let tagged = tags::list(&record.tags);
        let loaded = Loaded { document: std::sync::Arc::new(document.clone()), record };
        let arn = loaded.record.arn.clone();
        let answer = CreatePermissionResponse {
            permission: Some(Permission::Own(loaded).summary(1)),
            client_token: input.client_token.clone(),
        };
        let transaction = Transaction::new().create(document).set_tags(&arn, tagged);
        match self.parts.store.commit(ticket.remember(transaction, &answer)?).await {
            Ok(()) => Ok(answer),
            Err(StoreError::Conflict { key: over, .. }) if *over == key => match self.answered(&ticket).await? {
                Some(answer) => Ok(answer),
                None => Err(ApiError::new(
                    "PermissionAlreadyExistsException",
                    409,
                    format!("A permission with the name {} already exists in this Region.", input.name),
                )),
            },
            Err(error) => match self.answered(&ticket).await? {
                Some(answer) => Ok(answer),
                None => Err(store_failed(error)),
            },
        }
    }
}
