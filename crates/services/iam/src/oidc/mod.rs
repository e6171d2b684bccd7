//! OpenID Connect providers: their life. How their keys are found and tokens judged by them is in `verify`.

mod tags;
mod verify;

use stoa_kernel::{ApiError, Authorized, Cx, Handles, Target, Targets};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AddClientIDToOpenIDConnectProviderRequest, CreateOpenIDConnectProviderRequest, CreateOpenIDConnectProviderResponse,
    DeleteOpenIDConnectProviderRequest, GetOpenIDConnectProviderRequest, GetOpenIDConnectProviderResponse,
    ListOpenIDConnectProvidersRequest, ListOpenIDConnectProvidersResponse, OpenIDConnectProviderListEntry,
    RemoveClientIDFromOpenIDConnectProviderRequest, UpdateOpenIDConnectProviderThumbprintRequest,
};
use stoa_schema::{Empty, Value};
use stoa_store::{Document, Expect, Transaction};
use stoa_types::AccountId;

pub(crate) use verify::{JudgedToken, claim_texts};

use crate::Iam;
use crate::documents::{add_tags, wire_tags};
use crate::error::{already_exists, invalid_input, limit_exceeded, store_failed};
use crate::state::{OidcRecord, Tags, kind, oidc_key, tag_list};

const MAX_PROVIDERS: usize = 100;
const MAX_CLIENT_IDS: usize = 100;
const MAX_THUMBPRINTS: usize = 5;
const MAX_URL: usize = 255;

/// The issuer without its scheme, where the URL is one that an issuer can have.
fn host_of(url: &str) -> Result<&str, ApiError> {
    let wrong = || invalid_input(format!("The URL {url} is no issuer: https://, a host, and no query or fragment."));
    let host = url.strip_prefix("https://").ok_or_else(wrong)?;
    let host = host.strip_suffix('/').unwrap_or(host);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/%".contains(&byte);
    let named = host.split('/').next().is_some_and(|name| !name.is_empty() && !name.starts_with(':'));
    let fits = url.len() <= MAX_URL && host.bytes().all(plain) && !host.contains("//") && named;
    if fits { Ok(host) } else { Err(wrong()) }
}

fn arn_of(account: &AccountId, host: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{host}")
}

/// Thumbprints as they are kept: lower case, each forty hexadecimal digits.
fn thumbprints(given: &[String]) -> Result<Vec<String>, ApiError> {
    if given.len() > MAX_THUMBPRINTS {
        return Err(limit_exceeded("Thumbprint list must contain fewer than 5 entries."));
    }
    let mut list = Vec::with_capacity(given.len());
    for thumbprint in given {
        if thumbprint.len() != 40 || !thumbprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid_input(format!("The thumbprint {thumbprint} is not 40 hexadecimal digits.")));
        }
        list.push(thumbprint.to_ascii_lowercase());
    }
    Ok(list)
}

impl Targets<op::CreateOpenIDConnectProvider> for Iam {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let url = input.str_member("Url").unwrap_or_default();
        let host = host_of(url).unwrap_or("*");
        let target = Target::new("iam:CreateOpenIDConnectProvider", arn_of(self.account(cx), host));
        Ok(vec![target.with_request_tags(input, "Tags")])
    }
}

impl Handles<op::CreateOpenIDConnectProvider> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateOpenIDConnectProviderRequest>,
    ) -> Result<CreateOpenIDConnectProviderResponse, ApiError> {
        let input = input.into_inner();
        let account = self.account(cx);
        let host = host_of(&input.url)?;
        let client_ids = input.client_id_list.unwrap_or_default();
        if client_ids.len() > MAX_CLIENT_IDS {
            return Err(limit_exceeded(format!(
                "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {MAX_CLIENT_IDS}"
            )));
        }
        let mut given = thumbprints(input.thumbprint_list.as_deref().unwrap_or_default())?;
        if given.is_empty() {
            // As AWS: without a list, the server's topmost certificate is taken, where the server can be reached.
            given.extend(self.issuer_thumbprint(host).await?);
        }
        let mut provider = OidcRecord {
            arn: arn_of(account, host),
            host: host.to_owned(),
            client_ids,
            thumbprints: given,
            created: cx.now,
            tags: Tags::new(),
        };
        add_tags(&mut provider.tags, input.tags.unwrap_or_default())?;
        let others = self.all_of(kind::OIDC, account).await?.len();
        if others >= MAX_PROVIDERS {
            return Err(limit_exceeded(format!(
                "Cannot exceed quota for OpenIdConnectProvidersPerAccount: {MAX_PROVIDERS}"
            )));
        }
        let document = Document::new(oidc_key(account, host), host, cx.now, &provider).map_err(store_failed)?;
        let transaction = Transaction::new().create(document).set_tags(&provider.arn, tag_list(&provider.tags));
        let taken = || already_exists(format!("Provider with url https://{host} already exists."));
        self.commit_or(transaction, taken).await?;
        let tags = wire_tags(&provider.tags);
        Ok(CreateOpenIDConnectProviderResponse { open_id_connect_provider_arn: Some(provider.arn), tags })
    }
}

impl Handles<op::GetOpenIDConnectProvider> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetOpenIDConnectProviderRequest>,
    ) -> Result<GetOpenIDConnectProviderResponse, ApiError> {
        let arn = &input.open_id_connect_provider_arn;
        let provider = self.entity::<OidcRecord>(self.account(cx), arn).await?.record;
        Ok(GetOpenIDConnectProviderResponse {
            url: Some(provider.host),
            client_id_list: Some(provider.client_ids),
            thumbprint_list: Some(provider.thumbprints),
            create_date: Some(provider.created),
            tags: wire_tags(&provider.tags),
        })
    }
}

impl Handles<op::ListOpenIDConnectProviders> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        _input: Authorized<ListOpenIDConnectProvidersRequest>,
    ) -> Result<ListOpenIDConnectProvidersResponse, ApiError> {
        let mut list = Vec::new();
        for document in self.all_of(kind::OIDC, self.account(cx)).await? {
            let provider: OidcRecord = document.decode().map_err(store_failed)?;
            list.push(OpenIDConnectProviderListEntry { arn: Some(provider.arn) });
        }
        Ok(ListOpenIDConnectProvidersResponse { open_id_connect_provider_list: Some(list) })
    }
}

impl Handles<op::DeleteOpenIDConnectProvider> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteOpenIDConnectProviderRequest>) -> Result<Empty, ApiError> {
        let arn = &input.open_id_connect_provider_arn;
        let provider = self.entity::<OidcRecord>(self.account(cx), arn).await?;
        let expect = Expect::Generation(provider.document.generation);
        let transaction = Transaction::new().delete(provider.document.key.clone(), expect);
        self.commit(transaction.set_tags(arn, Vec::new())).await?;
        Ok(Empty {})
    }
}

impl Handles<op::AddClientIDToOpenIDConnectProvider> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<AddClientIDToOpenIDConnectProviderRequest>,
    ) -> Result<Empty, ApiError> {
        let add = |provider: &mut OidcRecord| {
            if provider.client_ids.contains(&input.client_id) {
                return Ok(());
            }
            if provider.client_ids.len() >= MAX_CLIENT_IDS {
                let quota = "ClientIdsPerOpenIdConnectProvider";
                return Err(limit_exceeded(format!("Cannot exceed quota for {quota}: {MAX_CLIENT_IDS}")));
            }
            provider.client_ids.push(input.client_id.clone());
            Ok(())
        };
        self.modify_entity(self.account(cx), &input.open_id_connect_provider_arn, add).await?;
        Ok(Empty {})
    }
}

impl Handles<op::RemoveClientIDFromOpenIDConnectProvider> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<RemoveClientIDFromOpenIDConnectProviderRequest>,
    ) -> Result<Empty, ApiError> {
        let remove = |provider: &mut OidcRecord| {
            provider.client_ids.retain(|id| *id != input.client_id);
            Ok(())
        };
        self.modify_entity(self.account(cx), &input.open_id_connect_provider_arn, remove).await?;
        Ok(Empty {})
    }
}

impl Handles<op::UpdateOpenIDConnectProviderThumbprint> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<UpdateOpenIDConnectProviderThumbprintRequest>,
    ) -> Result<Empty, ApiError> {
        let list = thumbprints(&input.thumbprint_list)?;
        let replace = |provider: &mut OidcRecord| {
            provider.thumbprints.clone_from(&list);
            Ok(())
        };
        self.modify_entity(self.account(cx), &input.open_id_connect_provider_arn, replace).await?;
        Ok(Empty {})
    }
}
