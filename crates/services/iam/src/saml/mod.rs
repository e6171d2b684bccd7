//! SAML providers: their life. A provider is its metadata document: who the identity provider is and which certificates
//! sign for it.

mod tags;

use stoa_assertions::Metadata;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    CreateSAMLProviderRequest, CreateSAMLProviderResponse, DeleteSAMLProviderRequest, GetSAMLProviderRequest,
    GetSAMLProviderResponse, ListSAMLProvidersRequest, ListSAMLProvidersResponse, SAMLProviderListEntry,
    UpdateSAMLProviderRequest, UpdateSAMLProviderResponse,
};
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Transaction};
use stoa_types::{Timestamp, principal_id};

use crate::Iam;
use crate::documents::{add_tags, wire_tags};
use crate::error::{already_exists, invalid_input, limit_exceeded, store_failed};
use crate::state::{SamlRecord, Tags, kind, saml_key, tag_list};

const MAX_PROVIDERS: usize = 100;
/// What AWS says of metadata without an end: a hundred years.
const ENDLESS_MILLIS: i64 = 100 * 365 * 24 * 60 * 60 * 1000;

fn parse(document: &str) -> Result<Metadata, ApiError> {
    Metadata::parse(document).map_err(|error| invalid_input(format!("Could not parse metadata: {error}")))
}

fn refuse_encryption(mode: bool, key: bool) -> Result<(), ApiError> {
    if mode || key {
        return Err(invalid_input(
            "Encrypted assertions are not supported: leave out AssertionEncryptionMode and keys.",
        ));
    }
    Ok(())
}

fn valid_until(metadata: &Metadata, created: Timestamp) -> Timestamp {
    metadata.valid_until.unwrap_or_else(|| created.plus_millis(ENDLESS_MILLIS))
}

impl Handles<op::CreateSAMLProvider> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateSAMLProviderRequest>,
    ) -> Result<CreateSAMLProviderResponse, ApiError> {
        let input = input.into_inner();
        let account = self.account(cx);
        refuse_encryption(input.assertion_encryption_mode.is_some(), input.add_private_key.is_some())?;
        let metadata = parse(&input.saml_metadata_document)?;
        let mut provider = SamlRecord {
            arn: format!("arn:aws:iam::{account}:saml-provider/{}", input.name),
            uuid: principal_id(&*self.ids, "SAMLSP"),
            name: input.name,
            metadata: input.saml_metadata_document,
            created: cx.now,
            valid_until: Some(valid_until(&metadata, cx.now)),
            tags: Tags::new(),
        };
        add_tags(&mut provider.tags, input.tags.unwrap_or_default())?;
        if self.all_of(kind::SAML, account).await?.len() >= MAX_PROVIDERS {
            return Err(limit_exceeded(format!("Cannot exceed quota for SAMLProvidersPerAccount: {MAX_PROVIDERS}")));
        }
        let key = saml_key(account, &provider.name);
        let document = Document::new(key, &provider.name, cx.now, &provider).map_err(store_failed)?;
        let transaction = Transaction::new().create(document).set_tags(&provider.arn, tag_list(&provider.tags));
        let taken = || already_exists(format!("SAMLProvider with name {} already exists.", provider.name));
        self.commit_or(transaction, taken).await?;
        let tags = wire_tags(&provider.tags);
        Ok(CreateSAMLProviderResponse { saml_provider_arn: Some(provider.arn), tags })
    }
}

impl Handles<op::GetSAMLProvider> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetSAMLProviderRequest>,
    ) -> Result<GetSAMLProviderResponse, ApiError> {
        let provider = self.entity::<SamlRecord>(self.account(cx), &input.saml_provider_arn).await?.record;
        Ok(GetSAMLProviderResponse {
            saml_provider_uuid: Some(provider.uuid),
            saml_metadata_document: Some(provider.metadata),
            create_date: Some(provider.created),
            valid_until: provider.valid_until,
            tags: wire_tags(&provider.tags),
            assertion_encryption_mode: None,
            private_key_list: None,
        })
    }
}

impl Handles<op::ListSAMLProviders> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        _input: Authorized<ListSAMLProvidersRequest>,
    ) -> Result<ListSAMLProvidersResponse, ApiError> {
        let mut list = Vec::new();
        for document in self.all_of(kind::SAML, self.account(cx)).await? {
            let provider: SamlRecord = document.decode().map_err(store_failed)?;
            let (valid_until, create_date) = (provider.valid_until, Some(provider.created));
            list.push(SAMLProviderListEntry { arn: Some(provider.arn), valid_until, create_date });
        }
        Ok(ListSAMLProvidersResponse { saml_provider_list: Some(list) })
    }
}

impl Handles<op::UpdateSAMLProvider> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<UpdateSAMLProviderRequest>,
    ) -> Result<UpdateSAMLProviderResponse, ApiError> {
        let keys = input.add_private_key.is_some() || input.remove_private_key.is_some();
        refuse_encryption(input.assertion_encryption_mode.is_some(), keys)?;
        let document = input.saml_metadata_document.as_deref();
        let document = document.ok_or_else(|| invalid_input("There is no SAMLMetadataDocument to update to."))?;
        let metadata = parse(document)?;
        let replace = |provider: &mut SamlRecord| {
            document.clone_into(&mut provider.metadata);
            provider.valid_until = Some(valid_until(&metadata, provider.created));
            Ok(())
        };
        self.modify_entity(self.account(cx), &input.saml_provider_arn, replace).await?;
        Ok(UpdateSAMLProviderResponse { saml_provider_arn: Some(input.saml_provider_arn.clone()) })
    }
}

impl Handles<op::DeleteSAMLProvider> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteSAMLProviderRequest>) -> Result<Empty, ApiError> {
        let provider = self.entity::<SamlRecord>(self.account(cx), &input.saml_provider_arn).await?;
        let expect = Expect::Generation(provider.document.generation);
        let transaction = Transaction::new().delete(provider.document.key.clone(), expect);
        self.commit(transaction.set_tags(&provider.record.arn, Vec::new())).await?;
        Ok(Empty {})
    }
}
