//! CreateResourceShare.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::CreateResourceShare;
use stoa_models_ram::types::{CreateResourceShareRequest, CreateResourceShareResponse};
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::uuid_v4;

use super::{FoundResource, SEEN_MILLIS};
use crate::Ram;
use crate::error::{invalid, not_here, refused, store_failed, too_busy};
use crate::idempotency::Ticket;
use crate::permission::Permission;
use crate::principal::Resolved;
use crate::service::ATTEMPTS;
use crate::state::{PermissionUse, ShareRecord, kind, regional};
use crate::tags;

/// RAM's limit of shares in a region.
const MOST: u64 = 5000;
const LONGEST_NAME: usize = 255;

pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    let printable = name.chars().all(|letter| !letter.is_control());
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || !printable {
        return Err(invalid(format!("A resource share's name has 1 to {LONGEST_NAME} characters.")));
    }
    Ok(())
}

pub(super) fn check_sources(sources: Option<&[String]>) -> Result<(), ApiError> {
    if sources.is_some_and(|sources| !sources.is_empty()) { Err(not_here("sources")) } else { Ok(()) }
}

/// What a new share is made of, found and checked.
struct Parts {
    resources: Vec<FoundResource>,
    principals: Vec<Resolved>,
    permissions: Vec<Permission>,
}

impl Handles<CreateResourceShare> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateResourceShareRequest>,
    ) -> Result<CreateResourceShareResponse, ApiError> {
        let ticket = Ticket::of(cx, "CreateResourceShare", input.client_token.as_ref(), &*input)?;
        check_name(&input.name)?;
        check_sources(input.sources.as_deref())?;
        if input.permission_template_parameters.as_ref().is_some_and(|list| !list.is_empty()) {
            return Err(not_here("permissionTemplateParameters"));
        }
        self.make_room(cx).await?;
        self.forget_invitations(cx, input.principals.as_deref()).await?;
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let allow_external = input.allow_external_principals.unwrap_or(true);
            let parts = Parts {
                resources: self.find_resources(cx, input.resource_arns.as_deref()).await?,
                principals: self.resolve_principals(cx, input.principals.as_deref(), allow_external).await?,
                permissions: self.find_permissions(cx, input.permission_arns.as_deref()).await?,
            };
            let (share, transaction) = self.new_share(cx, &input, &parts)?;
            let answer = CreateResourceShareResponse {
                resource_share: Some(share.wire(true)),
                client_token: input.client_token.clone(),
            };
            if self.applied(ticket.remember(transaction, &answer)?).await? {
                return Ok(answer);
            }
        }
        Err(too_busy())
    }
}

impl Ram {
    fn new_share(
        &self,
        cx: &Cx,
        input: &CreateResourceShareRequest,
        parts: &Parts,
    ) -> Result<(ShareRecord, Transaction), ApiError> {
        let id = uuid_v4(&*self.parts.ids);
        let retain = input.resource_share_configuration.as_ref();
        let mut share = ShareRecord {
            arn: Ram::arn(cx, &format!("resource-share/{id}")),
            id,
            name: input.name.clone(),
            owner: cx.principal.account.clone(),
            allow_external: input.allow_external_principals.unwrap_or(true),
            retain: retain.and_then(|given| given.retain_sharing_on_account_leave_organization).unwrap_or(false),
            created: cx.now,
            updated: cx.now,
            deleted: None,
            tags: tags::new(input.tags.as_deref())?,
            resources: Default::default(),
            principals: Default::default(),
            permissions: Default::default(),
        };
        let mut transaction = Transaction::new();
        for permission in &parts.permissions {
            let used = PermissionUse { arn: permission.arn(), version: permission.default_version(), updated: cx.now };
            share.permissions.insert(permission.kind().to_owned(), used);
            transaction = permission.held(transaction);
        }
        share.add_resources(cx, &parts.resources)?;
        share.check_identities(&parts.principals)?;
        transaction = self.add_principals(cx, &mut share, &parts.principals, transaction)?;
        let key = regional(kind::SHARE, &share.owner, &cx.region, &share.id);
        let document = Document::new(key, &share.name, cx.now, &share).map_err(store_failed)?;
        let transaction = transaction.create(document).set_tags(&share.arn, tags::list(&share.tags));
        Ok((share, transaction))
    }

    /// Removes the account's shares that were deleted long ago, and refuses one too many.
    async fn make_room(&self, cx: &Cx) -> Result<(), ApiError> {
        let owned = Query::of(kind::SHARE).owned_by(&cx.principal.account, Some(&cx.region));
        let mut there = 0;
        for document in self.all(owned).await? {
            let share: ShareRecord = document.decode().map_err(store_failed)?;
            match share.deleted {
                Some(deleted) if deleted.plus_millis(SEEN_MILLIS) <= cx.now => {
                    let expect = Expect::Generation(document.generation);
                    self.applied(Transaction::new().delete(document.key.clone(), expect)).await?;
                }
                Some(_) => {}
                None => there += 1,
            }
        }
        if there >= MOST {
            let message = format!("The account has {MOST} resource shares in this Region, which is the limit.");
            return Err(refused("ResourceShareLimitExceededException", message));
        }
        Ok(())
    }
}
