//! GetContextKeysForCustomPolicy and GetContextKeysForPrincipalPolicy: the keys that a simulation would need.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    GetContextKeysForCustomPolicyRequest, GetContextKeysForPolicyResponse, GetContextKeysForPrincipalPolicyRequest,
};
use stoa_policy::Document;

use crate::Iam;
use crate::error::invalid_input;
use crate::inspect::{Keys, context_keys};

/// The keys of given documents, of any kind.
fn add_given(documents: &[String], keys: &mut Keys) -> Result<(), ApiError> {
    for (index, text) in documents.iter().enumerate() {
        Document::parse(text).map_err(|error| invalid_input(format!("PolicyInputList.{}: {error}", index + 1)))?;
        context_keys(text, keys);
    }
    Ok(())
}

fn response(keys: Keys) -> GetContextKeysForPolicyResponse {
    GetContextKeysForPolicyResponse { context_key_names: Some(keys.into_values().collect()) }
}

impl Handles<op::GetContextKeysForCustomPolicy> for Iam {
    async fn handle(
        &self,
        _cx: &Cx,
        input: Authorized<GetContextKeysForCustomPolicyRequest>,
    ) -> Result<GetContextKeysForPolicyResponse, ApiError> {
        let mut keys = Keys::new();
        add_given(&input.policy_input_list, &mut keys)?;
        Ok(response(keys))
    }
}

impl Handles<op::GetContextKeysForPrincipalPolicy> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetContextKeysForPrincipalPolicyRequest>,
    ) -> Result<GetContextKeysForPolicyResponse, ApiError> {
        let account = self.account(cx);
        let entity = self.entity_by_arn(account, &input.policy_source_arn).await?;
        let mut keys = Keys::new();
        for held in self.held_policies(account, &entity).await? {
            context_keys(&held.document, &mut keys);
        }
        add_given(input.policy_input_list.as_deref().unwrap_or_default(), &mut keys)?;
        Ok(response(keys))
    }
}
