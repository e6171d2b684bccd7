//! From the name in a request to the key.

use stoa_kernel::{ApiError, Cx};
use stoa_schema::{Operation, ToValue};

use crate::Kms;
use crate::error::{not_found_alias, not_found_key};
use crate::name::{Name, What};
use crate::state::{AliasRecord, KeyRecord, Loaded, alias_key, key_key, load};

/// A key that a request named.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) name: Name,
    /// The alias that named it.
    pub(crate) alias: Option<String>,
    pub(crate) key: Loaded<KeyRecord>,
}

impl Found {
    pub(crate) fn record(&self) -> &KeyRecord {
        &self.key.record
    }
}

impl Kms {
    /// The key under this name; none when key or alias are not there.
    pub(crate) async fn find(&self, name: Name) -> Result<Option<Found>, ApiError> {
        let (alias, id) = match &name.what {
            What::Key(id) => (None, id.clone()),
            What::Alias(alias) => {
                let key = alias_key(&name.account, &name.region, alias);
                let Some(found) = load::<AliasRecord>(&*self.store, &key).await? else { return Ok(None) };
                (Some(alias.clone()), found.record.key_id)
            }
        };
        let key = load::<KeyRecord>(&*self.store, &key_key(&name.account, &name.region, &id)).await?;
        Ok(key.map(|key| Found { name, alias, key }))
    }

    /// The key that an allowed request names.
    ///
    /// An alias may have moved to another key since the targets were decided, so what it names now is decided again;
    /// ids and ARNs cannot move.
    pub(crate) async fn key_for<Op: Operation>(&self, cx: &Cx, text: &str, input: &Op::Input) -> Result<Found, ApiError>
    where
        Op::Input: Clone + ToValue,
    {
        let name = Name::parse(cx, text, true)?;
        let arn = name.arn(cx);
        let missing = if matches!(name.what, What::Key(_)) { not_found_key(&arn) } else { not_found_alias(&arn) };
        let found = self.find(name).await?.ok_or(missing)?;
        if found.alias.is_some() {
            let action = format!("kms:{}", Op::SPEC.name);
            let target = self.key_target(cx, action, &found, &input.clone().to_value()).await?;
            cx.authorize(&target).await?;
        }
        Ok(found)
    }

    /// The key that an allowed request names by id or ARN.
    pub(crate) async fn key_by_id(&self, cx: &Cx, text: &str) -> Result<Found, ApiError> {
        let name = Name::parse(cx, text, false)?;
        let arn = name.arn(cx);
        self.find(name).await?.ok_or_else(|| not_found_key(&arn))
    }
}
