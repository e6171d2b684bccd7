//! Data keys for other services, in the caller's name and through the service: the key policy and grants decide as for
//! the caller's own calls, with `kms:ViaService` set.

use async_trait::async_trait;
use stoa_kernel::ports::{DataKey, DataKeyCall, DataKeys};
use stoa_kernel::{ApiError, Cx, Target};
use stoa_schema::Value;
use zeroize::Zeroizing;

use crate::Kms;
use crate::blob::Blob;
use crate::error::{invalid_ciphertext, not_found_alias, not_found_key};
use crate::find::Found;
use crate::grant::Wanted;
use crate::name::{Name, RESERVED, What};
use crate::operations::context;
use crate::targets::context_keys;

const DATA_KEY_BYTES: usize = 32;

#[async_trait]
impl DataKeys for Kms {
    async fn key_arn(&self, cx: &Cx, call: &DataKeyCall<'_>) -> Result<String, ApiError> {
        Ok(self.key_of_call(cx, call).await?.record().arn.clone())
    }

    async fn generate_data_key(&self, cx: &Cx, call: &DataKeyCall<'_>) -> Result<DataKey, ApiError> {
        let found = self.key_of_call(cx, call).await?;
        self.decide_via(cx, "GenerateDataKey", &found, call).await?;
        Kms::encrypts(found.record(), None, "GenerateDataKey")?;
        let context = context(Some(call.context.clone()))?;
        let made = self.data_key(&found, DATA_KEY_BYTES, &context).await?;
        Ok(DataKey {
            key_arn: found.record().arn.clone(),
            plaintext: made.plaintext,
            ciphertext: made.encrypted.ciphertext,
        })
    }

    async fn decrypt_data_key(
        &self,
        cx: &Cx,
        call: &DataKeyCall<'_>,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ApiError> {
        let header = Blob::read(ciphertext).ok_or_else(invalid_ciphertext)?.header;
        let name = Name { account: header.account, region: header.region, what: What::Key(header.key_id) };
        let arn = name.arn(cx);
        let found = self.find(name).await?.ok_or_else(|| not_found_key(&arn))?;
        self.decide_via(cx, "Decrypt", &found, call).await?;
        let algorithm = Kms::encrypts(found.record(), None, "Decrypt")?;
        let context = context(Some(call.context.clone()))?;
        Ok(self.decrypt_by(&found, algorithm, &context, ciphertext).await?.plaintext)
    }
}

impl Kms {
    pub(crate) async fn key_of_call(&self, cx: &Cx, call: &DataKeyCall<'_>) -> Result<Found, ApiError> {
        let own;
        let text = match call.key {
            Some(key) => key,
            None => {
                own = format!("{RESERVED}{}", call.service);
                &own
            }
        };
        let name = Name::parse(cx, text, true)?;
        if let What::Alias(alias) = &name.what
            && name.is_own(cx)
        {
            self.managed_key(cx, alias).await?;
        }
        let arn = name.arn(cx);
        let missing = if matches!(name.what, What::Key(_)) { not_found_key(&arn) } else { not_found_alias(&arn) };
        self.find(name).await?.ok_or(missing)
    }

    pub(crate) async fn decide_via(
        &self,
        cx: &Cx,
        action: &str,
        found: &Found,
        call: &DataKeyCall<'_>,
    ) -> Result<(), ApiError> {
        let mut target: Target = self.key_target(cx, format!("kms:{action}"), found, &Value::empty()).await?;
        let pairs: Vec<(String, String)> =
            call.context.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        context_keys(&mut target, &pairs);
        target.keys.set("kms:ViaService", format!("{}.{}.amazonaws.com", call.service, cx.region));
        let wanted = Wanted::with_context(action, call.context);
        let access = self.access_of(&found.key).await?;
        access.name_grants(cx, &mut target, &wanted);
        cx.authorize_via(&[&format!("{}.amazonaws.com", call.service)], &target).await
    }
}
