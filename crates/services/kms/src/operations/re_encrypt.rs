//! ReEncrypt: from one key to another, the plaintext never leaving.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{ReEncryptRequest, ReEncryptResponse};
use stoa_schema::ToValue;

use super::decrypt::no_ciphertext;
use super::{context, unless_dry};
use crate::Kms;
use crate::error::{not_found_alias, not_found_key, not_here};
use crate::find::Found;
use crate::name::{Name, What};

impl Handles<op::ReEncrypt> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<ReEncryptRequest>) -> Result<ReEncryptResponse, ApiError> {
        let input = input.into_inner();
        if input.dry_run_modifiers.is_some() {
            return Err(not_here("DryRunModifiers"));
        }
        let blob = input.ciphertext_blob.clone().ok_or_else(no_ciphertext)?;
        let source = match &input.source_key_id {
            Some(key) => self.side(cx, "kms:ReEncryptFrom", key, &input).await?,
            None => self.key_of_ciphertext(&blob).await?,
        };
        let destination = self.side(cx, "kms:ReEncryptTo", &input.destination_key_id, &input).await?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        let from = Kms::encrypts(source.record(), input.source_encryption_algorithm, "ReEncryptFrom")?;
        let to = Kms::encrypts(destination.record(), input.destination_encryption_algorithm, "ReEncryptTo")?;
        let opened = self.decrypt_by(&source, from, &context(input.source_encryption_context)?, &blob).await?;
        let context = context(input.destination_encryption_context)?;
        unless_dry(input.dry_run)?;
        let made = self.encrypt_by(&destination, to, &context, &opened.plaintext).await?;
        Ok(ReEncryptResponse {
            ciphertext_blob: Some(made.ciphertext.into()),
            source_key_id: Some(source.record().arn.clone()),
            key_id: Some(destination.record().arn.clone()),
            source_encryption_algorithm: Some(from),
            destination_encryption_algorithm: Some(to),
            source_key_material_id: opened.material_id,
            destination_key_material_id: made.material_id,
        })
    }
}

impl Kms {
    /// One of the two keys; named by alias it is decided again, as in `key_for`.
    async fn side(&self, cx: &Cx, action: &str, text: &str, input: &ReEncryptRequest) -> Result<Found, ApiError> {
        let name = Name::parse(cx, text, true)?;
        let arn = name.arn(cx);
        let missing = if matches!(name.what, What::Key(_)) { not_found_key(&arn) } else { not_found_alias(&arn) };
        let found = self.find(name).await?.ok_or(missing)?;
        if found.alias.is_some() {
            let target = self.key_target(cx, action.to_owned(), &found, &input.clone().to_value()).await?;
            cx.authorize(&target).await?;
        }
        Ok(found)
    }
}
