//! CreateGrant.
//!
//! INVARIANT: the grant and the key's `grants_revision` are written together, so that a decision after the answer knows
//! the grant, and names are unique on a key.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{CreateGrantRequest, CreateGrantResponse, KeySpec};
use stoa_store::{Document, Query};

use super::token;
use crate::Kms;
use crate::access::is_principal;
use crate::error::{dry_run, limit_exceeded, not_here, refused, store_failed};
use crate::find::Found;
use crate::spec::grantable;
use crate::state::{GrantRecord, KeyRecord, grant_key, kind};

const MAX_GRANTS: u64 = 50_000;
const MAX_CONTEXT: usize = 384;

impl Handles<op::CreateGrant> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<CreateGrantRequest>) -> Result<CreateGrantResponse, ApiError> {
        let input = input.into_inner();
        let found = self.key_by_id(cx, &input.key_id).await?;
        found.record().must_be_enabled()?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        let wanted = self.new_grant(cx, &found, &input)?;
        if input.dry_run == Some(true) {
            return Err(dry_run());
        }
        let grant = match self.same_grant(&found, &wanted).await? {
            Some(grant) => grant,
            None => self.put_grant(cx, &found, wanted).await?,
        };
        let token = token::issue(&grant, &*self.ids);
        Ok(CreateGrantResponse { grant_token: Some(token), grant_id: Some(grant.id) })
    }
}

impl Kms {
    fn new_grant(&self, cx: &Cx, found: &Found, input: &CreateGrantRequest) -> Result<GrantRecord, ApiError> {
        for (member, given) in [
            ("GranteeServicePrincipal", &input.grantee_service_principal),
            ("RetiringServicePrincipal", &input.retiring_service_principal),
        ] {
            if given.is_some() {
                return Err(not_here(member));
            }
        }
        let grantee = input.grantee_principal.clone().ok_or_else(|| {
            ApiError::validation(
                "1 validation error detected: Value null at 'granteePrincipal' failed to satisfy constraint: Member must \
                 not be null",
            )
        })?;
        for principal in std::iter::once(&grantee).chain(&input.retiring_principal) {
            if !is_principal(principal) {
                let message = format!("ARN does not refer to a valid principal: {principal}");
                return Err(refused("InvalidArnException", message));
            }
        }
        let mut operations = input.operations.clone();
        operations.sort_unstable();
        operations.dedup();
        check_operations(found.record(), input)?;
        let constraints = input.constraints.clone().unwrap_or_default();
        if constraints.source_arn.is_some() {
            return Err(not_here("The grant constraint SourceArn"));
        }
        check_constraints(found.record(), &constraints)?;
        let mut random = [0_u8; 48];
        self.ids.fill(&mut random);
        let (id, token_key) = random.split_at_checked(32).unwrap_or_default();
        Ok(GrantRecord {
            id: hex::encode(id),
            key_id: found.record().id.clone(),
            key_arn: found.record().arn.clone(),
            name: input.name.clone(),
            grantee,
            retiring: input.retiring_principal.clone(),
            operations,
            subset: constraints.encryption_context_subset,
            equals: constraints.encryption_context_equals,
            issuer: format!("arn:{}:iam::{}:root", cx.partition, cx.principal.account),
            created: cx.now,
            token_key: hex::encode(token_key),
        })
    }

    /// A named grant that was asked for before, in every part the same.
    async fn same_grant(&self, found: &Found, wanted: &GrantRecord) -> Result<Option<GrantRecord>, ApiError> {
        if wanted.name.is_none() {
            return Ok(None);
        }
        let same = |grant: &&GrantRecord| {
            grant.name == wanted.name
                && grant.grantee == wanted.grantee
                && grant.retiring == wanted.retiring
                && grant.operations == wanted.operations
                && grant.subset == wanted.subset
                && grant.equals == wanted.equals
        };
        let access = self.access_of(&found.key).await?;
        Ok(access.grants.iter().find(same).cloned())
    }

    async fn put_grant(&self, cx: &Cx, found: &Found, grant: GrantRecord) -> Result<GrantRecord, ApiError> {
        let owner = &found.key.document.key;
        let count = Query::of(kind::GRANT).owned_by(&owner.account, owner.region.as_ref()).children_of(&grant.key_id);
        if self.store.count(&count).await.map_err(store_failed)? >= MAX_GRANTS {
            return Err(limit_exceeded(format!("The quota of {MAX_GRANTS} grants on a key is reached.")));
        }
        let region = owner.region.clone().unwrap_or_else(|| cx.region.clone());
        let key = grant_key(&owner.account, &region, &grant.key_id, &grant.id);
        let document = Document::new(key, &grant.id, cx.now, &grant)
            .map_err(store_failed)?
            .with_parent(&grant.key_id)
            .with_status(grant.retiring.as_deref().unwrap_or_default());
        self.modify_key(owner, cx.now, |key, transaction| {
            key.must_be_enabled()?;
            key.grants_revision += 1;
            Ok((transaction.create(document.clone()), ()))
        })
        .await?;
        Ok(grant)
    }
}

fn check_operations(key: &KeyRecord, input: &CreateGrantRequest) -> Result<(), ApiError> {
    if input.operations.is_empty() {
        return Err(ApiError::validation("Operations must not be empty."));
    }
    let known = grantable(key.spec, key.usage);
    for operation in &input.operations {
        if !known.contains(operation) {
            let (operation, arn, usage) = (operation.as_str(), &key.arn, key.usage.as_str());
            return Err(ApiError::validation(format!(
                "Grant operation {operation} is not valid for {arn}, whose key usage is {usage} and key spec is {}.",
                key.spec.as_str()
            )));
        }
    }
    Ok(())
}

fn check_constraints(key: &KeyRecord, constraints: &stoa_models_kms::types::GrantConstraints) -> Result<(), ApiError> {
    let given = [&constraints.encryption_context_subset, &constraints.encryption_context_equals];
    for context in given.into_iter().flatten() {
        if key.spec != KeySpec::SymmetricDefault {
            let spec = key.spec.as_str();
            return Err(ApiError::validation(format!(
                "Grant constraints on the encryption context are not valid for keys of key spec {spec}."
            )));
        }
        for (name, value) in context {
            if name.is_empty() || name.chars().count() > MAX_CONTEXT || value.chars().count() > MAX_CONTEXT {
                return Err(ApiError::validation(format!(
                    "Encryption context keys and values in grant constraints have at most {MAX_CONTEXT} characters."
                )));
            }
        }
    }
    Ok(())
}
