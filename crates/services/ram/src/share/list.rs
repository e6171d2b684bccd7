//! GetResourceShares: the caller's own, or those of others that the caller has part in.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::GetResourceShares;
use stoa_models_ram::types::{GetResourceSharesRequest, GetResourceSharesResponse, ResourceOwner};
use stoa_store::Query;

use super::{SEEN_MILLIS, ShareName};
use crate::Ram;
use crate::error::{invalid, malformed_arn, store_failed, unknown_share};
use crate::paging::Asked;
use crate::state::{ShareRecord, kind};

/// Tags are their owner's to see, so others find nothing by them.
fn wanted(share: &ShareRecord, own: bool, input: &GetResourceSharesRequest) -> bool {
    let named = |arn: &String| {
        let version = |version: u32| input.permission_version.is_none_or(|wanted| wanted == i64::from(version));
        share.permissions.values().any(|used| used.arn == *arn && version(used.version))
    };
    let tagged = |name: Option<&String>, values: Option<&Vec<String>>| {
        let value = name.and_then(|name| share.tags.get(name)).filter(|_| own);
        value.is_some_and(|value| values.is_none_or(|values| values.is_empty() || values.contains(value)))
    };
    input.resource_share_status.is_none_or(|status| status == share.status())
        && input.name.as_ref().is_none_or(|name| *name == share.name)
        && input.permission_arn.as_ref().is_none_or(named)
        && input.tag_filters.iter().flatten().all(|filter| tagged(filter.tag_key.as_ref(), filter.tag_values.as_ref()))
}

/// Refuses a list of shares with an ARN that is none, or of a share that is not among those found.
pub(super) fn check_named(named: Option<&[String]>, found: &[ShareRecord]) -> Result<(), ApiError> {
    for arn in named.unwrap_or_default() {
        ShareName::parse(arn).ok_or_else(|| malformed_arn(arn))?;
        if !found.iter().any(|share| share.arn == *arn) {
            return Err(unknown_share(arn));
        }
    }
    Ok(())
}

/// Whether a share is among those that a request names, where it names any.
pub(super) fn is_named(named: Option<&[String]>, share: &ShareRecord) -> bool {
    named.is_none_or(|named| named.is_empty() || named.contains(&share.arn))
}

impl Ram {
    /// The caller's shares, or those of others; deleted ones for a while.
    pub(super) async fn shares(&self, cx: &Cx, owner: ResourceOwner) -> Result<Vec<ShareRecord>, ApiError> {
        if owner == ResourceOwner::OtherAccounts {
            return self.shares_of_others(cx).await;
        }
        let owned = Query::of(kind::SHARE).owned_by(&cx.principal.account, Some(&cx.region));
        let mut shares = Vec::new();
        for document in self.all(owned).await? {
            let share: ShareRecord = document.decode().map_err(store_failed)?;
            if share.deleted.is_none_or(|deleted| deleted.plus_millis(SEEN_MILLIS) > cx.now) {
                shares.push(share);
            }
        }
        Ok(shares)
    }
}

impl Handles<GetResourceShares> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetResourceSharesRequest>,
    ) -> Result<GetResourceSharesResponse, ApiError> {
        if input.permission_version.is_some() && input.permission_arn.is_none() {
            return Err(invalid("Specify permissionArn where you specify permissionVersion."));
        }
        let filters = (
            (&input.resource_share_arns, input.resource_share_status, input.resource_owner, &input.name),
            (&input.tag_filters, &input.permission_arn, input.permission_version),
        );
        let asked = Asked::of(cx, "GetResourceShares", &filters, input.next_token.as_ref(), input.max_results);
        let shares = self.shares(cx, input.resource_owner).await?;
        let named = input.resource_share_arns.as_deref();
        check_named(named, &shares)?;
        let own = input.resource_owner == ResourceOwner::SelfValue;
        let list = shares
            .iter()
            .filter(|share| is_named(named, share) && wanted(share, own, &input))
            .map(|share| (share.arn.clone(), share.wire(own)))
            .collect();
        let (resource_shares, next_token) = self.page(&asked, list)?;
        Ok(GetResourceSharesResponse { resource_shares: Some(resource_shares), next_token })
    }
}
