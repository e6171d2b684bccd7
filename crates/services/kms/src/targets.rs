//! What is decided for each operation: its action on the key's ARN, with KMS's condition keys and the grants that fit.
//!
//! A key of the caller's own account that is not there is decided on the ARN it would have, so that who may not use it
//! is refused first; the handler then says that it does not exist. Another account's key that is not there is refused
//! as one that may not be used: no policy allows it.

use stoa_kernel::{ApiError, Cx, Refusal, Target, Targets};
use stoa_models_kms::operations as op;
use stoa_policy::Effect;
use stoa_schema::Value;

use crate::Kms;
use crate::access::{GRANTS, RETIRES, is_caller, name_granted};
use crate::blob::Blob;
use crate::error::{invalid_ciphertext, not_found_alias};
use crate::find::Found;
use crate::grant::Wanted;
use crate::managed;
use crate::name::{Name, What};
use crate::state::{GrantRecord, KeyRecord};

/// What AWS says when the key that a ciphertext names cannot be used, whatever the reason.
const HIDDEN_KEY: &str = "The ciphertext refers to a customer master key that does not exist, does not exist in this \
                          region, or you are not allowed to access.";

/// How an operation names keys.
#[derive(Clone, Copy)]
pub(crate) struct Naming {
    /// By alias too.
    pub(crate) aliases: bool,
    /// Also keys of other accounts.
    pub(crate) foreign: bool,
}

const USE: Naming = Naming { aliases: true, foreign: true };
const SHARED: Naming = Naming { aliases: false, foreign: true };
const OWN: Naming = Naming { aliases: false, foreign: false };

impl Kms {
    /// The target of an action on a key that is there.
    pub(crate) async fn key_target(
        &self,
        cx: &Cx,
        action: String,
        found: &Found,
        input: &Value,
    ) -> Result<Target, ApiError> {
        let name = action.strip_prefix("kms:").unwrap_or(&action).to_owned();
        let mut target = Target::new(action, found.record().arn.clone());
        record_keys(&mut target, found.record());
        target.keys.set("kms:CallerAccount", cx.principal.account.as_str());
        if let Some(alias) = &found.alias {
            target.keys.set("kms:RequestAlias", alias.as_str());
        }
        request_keys(&mut target, &name, input);
        // INVARIANT: both are always set, so that nothing a principal carries with it can stand in for them.
        let access = self.access_of(&found.key).await?;
        let wanted = Wanted::of(&name, input);
        access.name_grants(cx, &mut target, &wanted);
        target.keys.set(RETIRES, "");
        Ok(target)
    }

    /// The targets of an action on the key that the request names.
    pub(crate) async fn named_targets(
        &self,
        cx: &Cx,
        action: &str,
        text: Option<&str>,
        naming: Naming,
        input: &Value,
    ) -> Result<Vec<Target>, ApiError> {
        let Some(text) = text else { return Ok(vec![nowhere(cx, action)]) };
        let name = Name::parse(cx, text, naming.aliases)?;
        let arn = name.arn(cx);
        if !naming.foreign && !name.is_own(cx) {
            // AWS lets these be done from the key's own account alone, whatever policies say.
            let arn = &cx.principal.arn;
            return Err(ApiError::access_denied(format!(
                "User: {arn} is not authorized to perform: {action} on resource: {text} because the resource belongs to \
                 another account"
            )));
        }
        let own = name.is_own(cx);
        match self.find(name.clone()).await? {
            None => self.missing_targets(cx, action, &name, arn),
            Some(found) => {
                let aliased = found.alias.is_some();
                let target = self.key_target(cx, action.to_owned(), &found, input).await?;
                if aliased && !own && cx.decide_as(&cx.principal, &target).await?.effect != Effect::Allow {
                    // Whether another account's alias exists is told only to who may use its key.
                    return Ok(vec![named(cx, action, arn)]);
                }
                Ok(vec![target])
            }
        }
    }

    fn missing_targets(&self, cx: &Cx, action: &str, name: &Name, arn: String) -> Result<Vec<Target>, ApiError> {
        match &name.what {
            What::Key(_) => Ok(vec![named(cx, action, arn)]),
            What::Alias(alias) if name.is_own(cx) && managed::service_of(alias).is_some() => {
                Ok(vec![nowhere(cx, action)])
            }
            What::Alias(_) if name.is_own(cx) => Err(not_found_alias(&arn)),
            What::Alias(_) => Ok(vec![named(cx, action, arn)]),
        }
    }

    /// The target of an action on the key that a ciphertext names. A refusal says no more than that.
    pub(crate) async fn ciphertext_target(
        &self,
        cx: &Cx,
        action: &str,
        blob: Option<&Value>,
        input: &Value,
    ) -> Result<Target, ApiError> {
        let Some(Value::Blob(bytes)) = blob else { return Ok(nowhere(cx, action)) };
        let blob = Blob::read(bytes).ok_or_else(invalid_ciphertext)?;
        let header = blob.header;
        if header.region != cx.region {
            return Err(hidden());
        }
        let name = Name { account: header.account, region: header.region, what: What::Key(header.key_id) };
        let found = self.find(name).await?.ok_or_else(hidden)?;
        let target = self.key_target(cx, action.to_owned(), &found, input).await?;
        let verdict = cx.decide_as(&cx.principal, &target).await?;
        if verdict.effect == Effect::Allow {
            return Ok(target);
        }
        Err(hidden().with_refusal(Refusal {
            action: action.to_owned(),
            resource: target.resource,
            slot: verdict.slot.name().to_owned(),
            effect: verdict.effect.to_string(),
            matched: verdict.matched,
            requested_by: None,
        }))
    }

    async fn alias_targets(&self, cx: &Cx, action: &str, input: &Value) -> Result<Vec<Target>, ApiError> {
        let alias = input.str_member("AliasName").unwrap_or_default();
        let name = Name {
            account: cx.principal.account.clone(),
            region: cx.region.clone(),
            what: What::Alias(alias.to_owned()),
        };
        let mut targets = vec![named(cx, action, name.arn(cx))];
        if let Some(found) = self.find(name).await? {
            targets.push(self.key_target(cx, action.to_owned(), &Found { alias: None, ..found }, input).await?);
        }
        Ok(targets)
    }

    async fn re_encrypt_targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let (from, to) = ("kms:ReEncryptFrom", "kms:ReEncryptTo");
        let mut targets = match input.str_member("SourceKeyId") {
            Some(source) => self.named_targets(cx, from, Some(source), USE, input).await?,
            None => vec![self.ciphertext_target(cx, from, input.member("CiphertextBlob"), input).await?],
        };
        targets.extend(self.named_targets(cx, to, input.str_member("DestinationKeyId"), USE, input).await?);
        if let [source, destination] = targets.as_mut_slice() {
            let same = (source.resource == destination.resource).to_string();
            source.keys.set("kms:ReEncryptOnSameKey", same.as_str());
            destination.keys.set("kms:ReEncryptOnSameKey", same);
        }
        Ok(targets)
    }

    async fn retire_targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let action = "kms:RetireGrant";
        let (key, grant) = match input.str_member("GrantToken") {
            Some(token) => {
                let grant = self.grant_of_token(token).await?;
                (grant.key_arn.clone(), grant.id)
            }
            None => match (input.str_member("KeyId"), input.str_member("GrantId")) {
                (Some(key), Some(grant)) => (key.to_owned(), grant.to_owned()),
                _ => return Ok(vec![nowhere(cx, action)]),
            },
        };
        let mut targets = self.named_targets(cx, action, Some(&key), SHARED, input).await?;
        let record = self.grant_on(cx, &key, &grant).await?;
        for target in &mut targets {
            if let Some(record) = &record {
                retired_keys(target, record);
                let retiring = record.retiring.as_deref().is_some_and(|principal| is_caller(cx, principal));
                let own = retiring || (gives(record, "RetireGrant") && is_caller(cx, &record.grantee));
                name_granted(cx, target, own);
            }
            // The grant itself lets its grantee retire it where RetireGrant is among its operations.
            target.keys.set_many(GRANTS, [grant.clone()]);
            target.keys.set(RETIRES, grant.as_str());
        }
        Ok(targets)
    }
}

impl Kms {
    /// The grant of this id on a key, where both are there.
    async fn grant_on(&self, cx: &Cx, key: &str, grant: &str) -> Result<Option<GrantRecord>, ApiError> {
        let Some(found) = self.find(Name::parse(cx, key, SHARED.aliases)?).await? else { return Ok(None) };
        let access = self.access_of(&found.key).await?;
        Ok(access.grants.iter().find(|record| record.id == grant).cloned())
    }
}

/// The condition keys that follow from the constraints of the grant that is retired.
fn retired_keys(target: &mut Target, grant: &GrantRecord) {
    let constraints =
        [("EncryptionContextEquals", &grant.equals), ("EncryptionContextSubset", &grant.subset)].into_iter();
    for (kind, pairs) in constraints {
        let Some(pairs) = pairs else { continue };
        target.keys.set("kms:GrantConstraintType", kind);
        let pairs: Vec<(String, String)> = pairs.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        context_keys(target, &pairs);
    }
}

fn hidden() -> ApiError {
    ApiError::access_denied(HIDDEN_KEY)
}

/// A target by ARN alone.
fn named(cx: &Cx, action: &str, arn: String) -> Target {
    let mut target = Target::new(action.to_owned(), arn).with_key("kms:CallerAccount", cx.principal.account.as_str());
    name_granted(cx, &mut target, false);
    target
}

/// A target when no key is named: only who may do it with every key is told what is wrong with the request.
fn nowhere(cx: &Cx, action: &str) -> Target {
    named(cx, action, cx.arn("kms", "key/*"))
}

/// The condition keys that follow from the key.
fn record_keys(target: &mut Target, key: &KeyRecord) {
    target.keys.set("kms:KeySpec", key.spec.as_str());
    target.keys.set("kms:CustomerMasterKeySpec", key.spec.as_str());
    target.keys.set("kms:KeyUsage", key.usage.as_str());
    target.keys.set("kms:CustomerMasterKeyUsage", key.usage.as_str());
    target.keys.set("kms:KeyOrigin", "AWS_KMS");
    target.keys.set("kms:MultiRegion", "false");
    if !key.aliases.is_empty() {
        target.keys.set_many("kms:ResourceAliases", key.aliases.iter().cloned().collect::<Vec<String>>());
    }
}

/// The condition keys that follow from the request.
fn request_keys(target: &mut Target, action: &str, input: &Value) {
    let text = |name: &str| input.str_member(name).map(str::to_owned);
    let mut set = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            target.keys.set(key, value);
        }
    };
    let algorithm = |name: &str| Some(text(name).unwrap_or_else(|| "SYMMETRIC_DEFAULT".to_owned()));
    match action {
        "Encrypt" | "Decrypt" => set("kms:EncryptionAlgorithm", algorithm("EncryptionAlgorithm")),
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => set("kms:EncryptionAlgorithm", algorithm("")),
        "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => {
            set("kms:EncryptionAlgorithm", algorithm(""));
            set("kms:DataKeyPairSpec", text("KeyPairSpec"));
        }
        "ReEncryptFrom" => set("kms:EncryptionAlgorithm", algorithm("SourceEncryptionAlgorithm")),
        "ReEncryptTo" => set("kms:EncryptionAlgorithm", algorithm("DestinationEncryptionAlgorithm")),
        "Sign" | "Verify" => {
            set("kms:SigningAlgorithm", text("SigningAlgorithm"));
            set("kms:MessageType", text("MessageType").or_else(|| Some("RAW".to_owned())));
        }
        "GenerateMac" | "VerifyMac" => set("kms:MacAlgorithm", text("MacAlgorithm")),
        "DeriveSharedSecret" => set("kms:KeyAgreementAlgorithm", text("KeyAgreementAlgorithm")),
        "PutKeyPolicy" => {
            set("kms:BypassPolicyLockoutSafetyCheck", Some(flag(input, "BypassPolicyLockoutSafetyCheck")))
        }
        "ScheduleKeyDeletion" => {
            set("kms:ScheduleKeyDeletionPendingWindowInDays", Some(number(input, "PendingWindowInDays", 30)));
        }
        "EnableKeyRotation" => set("kms:RotationPeriodInDays", Some(number(input, "RotationPeriodInDays", 365))),
        "CreateGrant" => grant_keys(target, input),
        "ListGrants" | "RevokeGrant" => set("kms:GrantIsForAWSResource", Some("false".to_owned())),
        "TagResource" => *target = target.clone().with_request_tags(&wire_tags(input), "Tags"),
        "UntagResource" => {
            if let Some(Value::List(names)) = input.member("TagKeys") {
                let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
                target.keys.set_many("aws:TagKeys", names);
            }
        }
        _ => {}
    }
    if let Some(context) = context_of(action, input) {
        context_keys(target, &context);
    }
}

fn grant_keys(target: &mut Target, input: &Value) {
    let texts = |value: &Value| match value {
        Value::List(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let operations: Vec<String> = input.member("Operations").map(texts).unwrap_or_default();
    target.keys.set_many("kms:GrantOperations", operations);
    for (key, member) in [("kms:GranteePrincipal", "GranteePrincipal"), ("kms:RetiringPrincipal", "RetiringPrincipal")]
    {
        if let Some(principal) = input.str_member(member) {
            target.keys.set(key, principal);
        }
    }
    target.keys.set("kms:GrantIsForAWSResource", "false");
    let constraints = input.member("Constraints");
    for kind in ["EncryptionContextEquals", "EncryptionContextSubset"] {
        if constraints.is_some_and(|given| given.member(kind).is_some()) {
            target.keys.set("kms:GrantConstraintType", kind);
        }
    }
}

/// The encryption context that an action's request has.
pub(crate) fn context_of(action: &str, input: &Value) -> Option<Vec<(String, String)>> {
    let found = match action {
        "ReEncryptFrom" => input.member("SourceEncryptionContext"),
        "ReEncryptTo" => input.member("DestinationEncryptionContext"),
        "CreateGrant" => {
            let constraints = input.member("Constraints")?;
            constraints.member("EncryptionContextEquals").or_else(|| constraints.member("EncryptionContextSubset"))
        }
        _ => input.member("EncryptionContext"),
    };
    let Some(Value::Map(entries)) = found else { return None };
    Some(entries.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect())
}

/// `kms:EncryptionContext:*` and `kms:EncryptionContextKeys`.
pub(crate) fn context_keys(target: &mut Target, context: &[(String, String)]) {
    for (key, value) in context {
        target.keys.set(&format!("kms:EncryptionContext:{key}"), value.as_str());
    }
    if !context.is_empty() {
        target.keys.set_many("kms:EncryptionContextKeys", context.iter().map(|(key, _)| key.as_str()));
    }
}

fn flag(input: &Value, member: &str) -> String {
    matches!(input.member(member), Some(Value::Bool(true))).to_string()
}

fn number(input: &Value, member: &str, default: i64) -> String {
    match input.member(member) {
        Some(Value::Int(number)) => number.to_string(),
        _ => default.to_string(),
    }
}

/// KMS's tags under the names that other services use, for the kernel's binding of tags.
fn wire_tags(input: &Value) -> Value {
    let Some(Value::List(tags)) = input.member("Tags") else { return Value::empty() };
    let text = |tag: &Value, name| Value::String(tag.str_member(name).unwrap_or_default().to_owned());
    let renamed = |tag: &Value| Value::Struct(vec![("Key", text(tag, "TagKey")), ("Value", text(tag, "TagValue"))]);
    Value::Struct(vec![("Tags", Value::List(tags.iter().map(renamed).collect()))])
}

macro_rules! targets {
    // targets!(USE: Encrypt, …) gives each operation the target `kms:<its name>` on the key that `KeyId` names.
    ($naming:ident: $($operation:ident),* $(,)?) => {
        $(impl Targets<op::$operation> for Kms {
            async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let action = concat!("kms:", stringify!($operation));
                self.named_targets(cx, action, input.str_member("KeyId"), $naming, input).await
            }
        })*
    };
}

targets!(USE: Encrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateDataKeyPair,
    GenerateDataKeyPairWithoutPlaintext, Sign, Verify, GenerateMac, VerifyMac, DeriveSharedSecret, GetPublicKey,
    DescribeKey);
targets!(SHARED: CreateGrant, ListGrants, RevokeGrant, GetKeyRotationStatus);
targets!(OWN: CancelKeyDeletion, DisableKey, DisableKeyRotation, EnableKey, EnableKeyRotation, GetKeyPolicy,
    ListKeyPolicies, ListKeyRotations, ListResourceTags, PutKeyPolicy, RotateKeyOnDemand, ScheduleKeyDeletion,
    TagResource, UntagResource, UpdateKeyDescription);

impl Targets<op::Decrypt> for Kms {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        match input.str_member("KeyId") {
            Some(key) => self.named_targets(cx, "kms:Decrypt", Some(key), USE, input).await,
            None => {
                let blob = input.member("CiphertextBlob");
                Ok(vec![self.ciphertext_target(cx, "kms:Decrypt", blob, input).await?])
            }
        }
    }
}

impl Targets<op::ReEncrypt> for Kms {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        self.re_encrypt_targets(cx, input).await
    }
}

impl Targets<op::CreateKey> for Kms {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let spec = input.str_member("KeySpec").or_else(|| input.str_member("CustomerMasterKeySpec"));
        let target = Target::new("kms:CreateKey", "*")
            .with_key("kms:CallerAccount", cx.principal.account.as_str())
            .with_key("kms:KeySpec", spec.unwrap_or("SYMMETRIC_DEFAULT"))
            .with_key("kms:KeyUsage", input.str_member("KeyUsage").unwrap_or("ENCRYPT_DECRYPT"))
            .with_key("kms:KeyOrigin", input.str_member("Origin").unwrap_or("AWS_KMS"))
            .with_key("kms:MultiRegion", flag(input, "MultiRegion"))
            .with_key("kms:BypassPolicyLockoutSafetyCheck", flag(input, "BypassPolicyLockoutSafetyCheck"))
            .with_request_tags(&wire_tags(input), "Tags");
        if input.member("Tags").is_none() {
            return Ok(vec![target]);
        }
        let tagging = Target { action: "kms:TagResource".into(), resource: cx.arn("kms", "key/*"), ..target.clone() };
        Ok(vec![target, tagging])
    }
}

impl Targets<op::CreateAlias> for Kms {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let action = "kms:CreateAlias";
        let mut targets = self.named_targets(cx, action, input.str_member("TargetKeyId"), OWN, input).await?;
        let alias = input.str_member("AliasName").unwrap_or("alias/*");
        targets.push(named(cx, action, cx.arn("kms", alias)));
        Ok(targets)
    }
}

impl Targets<op::UpdateAlias> for Kms {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let action = "kms:UpdateAlias";
        let mut targets = self.alias_targets(cx, action, input).await?;
        targets.extend(self.named_targets(cx, action, input.str_member("TargetKeyId"), OWN, input).await?);
        Ok(targets)
    }
}

impl Targets<op::DeleteAlias> for Kms {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        self.alias_targets(cx, "kms:DeleteAlias", input).await
    }
}

impl Targets<op::RetireGrant> for Kms {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        self.retire_targets(cx, input).await
    }
}

/// The operations of a grant, for what a target asks.
pub(crate) fn gives(grant: &GrantRecord, action: &str) -> bool {
    grant.operations.iter().any(|operation| operation.as_str() == action)
}
