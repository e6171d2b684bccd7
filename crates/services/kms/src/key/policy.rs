//! Key policies: the default one, what may replace it, and the operations on it.

use std::sync::Arc;

use stoa_kernel::{ApiError, Authorized, Cx, Handles, PrincipalIdentity};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{
    GetKeyPolicyRequest, GetKeyPolicyResponse, ListKeyPoliciesRequest, ListKeyPoliciesResponse, PutKeyPolicyRequest,
};
use stoa_policy::{Context, Document, MapContext, PolicyKind, PolicySet, PrincipalRef, Request, Slots, Values, decide};
use stoa_schema::Empty;
use stoa_types::AccountId;

use crate::Kms;
use crate::error::{limit_exceeded, not_found, refused};
use crate::paging::Paging;

/// The one name that a key policy can have.
const DEFAULT: &str = "default";
const MAX_BYTES: usize = 32 * 1024;

/// The policy that gives the account's identity policies their effect on a key.
pub(crate) fn default_policy(partition: &str, account: &AccountId) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:{partition}:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}

/// A policy that may stand on the key: it follows the language, and unless the caller bypasses that check it lets the
/// caller put the next one.
pub(super) fn checked_policy(cx: &Cx, arn: &str, text: &str, bypass: bool) -> Result<String, ApiError> {
    if text.len() > MAX_BYTES {
        return Err(limit_exceeded(format!("The key policy is larger than {MAX_BYTES} bytes.")));
    }
    let malformed = |message: String| refused("MalformedPolicyDocumentException", message);
    let document = Document::parse_as(text, PolicyKind::Resource).map_err(|error| malformed(error.to_string()))?;
    if !bypass && !lets_put(cx, arn, &document) {
        let message = "The new key policy will not allow you to update the key policy in the future.";
        return Err(malformed(message.to_owned()));
    }
    Ok(text.to_owned())
}

/// The keys of a later PutKeyPolicy by the same caller.
struct Later<'a> {
    own: MapContext,
    global: &'a MapContext,
}

impl Context for Later<'_> {
    fn get(&self, key: &str) -> Option<Values<'_>> {
        self.own.get(key).or_else(|| self.global.get(key))
    }
}

/// Whether the policy lets the caller put the next one, where its identity policies do.
fn lets_put(cx: &Cx, arn: &str, document: &Document) -> bool {
    let allow_all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let Ok(identity) = Document::parse(allow_all) else { return false };
    let identity = PolicySet::compile([(Arc::from("identity"), &identity)]);
    let policy = PolicySet::compile([(Arc::from("key-policy"), document)]);
    let mut who = PrincipalRef::parse(&cx.principal.arn);
    if let PrincipalIdentity::AssumedRole { role_arn, .. } = &cx.principal.identity {
        who = who.with_role_arn(role_arn);
    }
    let own = MapContext::new()
        .with("kms:CallerAccount", cx.principal.account.as_str())
        .with("kms:BypassPolicyLockoutSafetyCheck", "false");
    let slots = Slots { identity: &[&identity], resource: Some(&policy), ..Slots::default() };
    let request = Request {
        principal: &who,
        action: "kms:PutKeyPolicy",
        resource: arn,
        resource_account: None,
        management_account: false,
        context: &Later { own, global: &cx.global_keys },
    };
    decide(&slots, &request).is_allowed()
}

impl Handles<op::PutKeyPolicy> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<PutKeyPolicyRequest>) -> Result<Empty, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        only_default(input.policy_name.as_deref())?;
        let bypass = input.bypass_policy_lockout_safety_check == Some(true);
        let policy = checked_policy(cx, &found.record().arn, &input.policy, bypass)?;
        self.change_key(&found.key, cx.now, |key| {
            key.policy.clone_from(&policy);
            Ok(())
        })
        .await?;
        Ok(Empty {})
    }
}

impl Handles<op::GetKeyPolicy> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<GetKeyPolicyRequest>) -> Result<GetKeyPolicyResponse, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        only_default(input.policy_name.as_deref())?;
        let policy = Some(found.record().policy.clone());
        Ok(GetKeyPolicyResponse { policy, policy_name: Some(DEFAULT.to_owned()) })
    }
}

impl Handles<op::ListKeyPolicies> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListKeyPoliciesRequest>,
    ) -> Result<ListKeyPoliciesResponse, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        let paging = Paging {
            scope: format!("ListKeyPolicies/{}", found.record().id),
            marker: input.marker.as_deref(),
            limit: input.limit,
            default: 100,
        };
        let page = self.page_of_list(cx, &paging, vec![(DEFAULT.to_owned(), DEFAULT.to_owned())])?;
        Ok(ListKeyPoliciesResponse {
            truncated: page.truncated(),
            policy_names: Some(page.items),
            next_marker: page.marker,
        })
    }
}

fn only_default(name: Option<&str>) -> Result<(), ApiError> {
    if name.is_some_and(|name| name != DEFAULT) {
        return Err(not_found("No such policy exists"));
    }
    Ok(())
}
