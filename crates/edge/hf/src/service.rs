//! The service: one function from a request to its answer, which reads top to bottom.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, header};
use serde_json::json;
use stoa_audit::Journal;

use stoa_kernel::ports::{Bearer, BearerTokens, HubContentName, HubRepositories, LicenceText, ReadObject, Revision};
use stoa_kernel::{ApiError, Connection, Cx, Platform, Principal, Registry};
use stoa_schema::Value;
use stoa_types::{Partition, Region, Timestamp};

use crate::answer::{Body, Refusal, json_response, with_request_id};
use crate::authenticate::{authenticate, context};
use crate::file;
use crate::model::{self, Filter};
use crate::operate::Operations;
use crate::path::{Asked, HubPath, ROOT, parse, query_values};

/// Contents that one page of a listing looks at.
const PAGE: i64 = 100;
const REFERENCE: &str = "ModelReference";
const MODEL: &str = "Model";

/// What the service is made of.
pub struct HfParts {
    /// Clock, ids, authority, tags.
    pub platform: Arc<Platform>,
    /// The operations of hubs, and `GetCallerIdentity`.
    pub registry: Registry,
    /// Every call is in it before its answer leaves.
    pub journal: Arc<dyn Journal>,
    /// Opens tokens.
    pub tokens: Arc<dyn BearerTokens>,
    /// Models as repositories.
    pub repositories: Arc<dyn HubRepositories>,
    /// Files' bytes.
    pub bytes: Arc<dyn ReadObject>,
    /// The regions that are served.
    pub regions: Vec<Region>,
}

/// What the gateway knows of a request that it hands over.
#[derive(Debug, Clone)]
pub struct ServerCall {
    /// Goes out as `x-request-id` and into the audit journal.
    pub request_id: String,
    /// When it was accepted.
    pub now: Timestamp,
    /// How it came in.
    pub connection: Arc<Connection>,
}

/// The Hugging Face read API.
pub struct HfService {
    platform: Arc<Platform>,
    operations: Operations,
    tokens: Arc<dyn BearerTokens>,
    repositories: Arc<dyn HubRepositories>,
    bytes: Arc<dyn ReadObject>,
    regions: Vec<Region>,
}

impl std::fmt::Debug for HfService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HfService").field("regions", &self.regions).finish_non_exhaustive()
    }
}

/// A request whose caller and hub are known.
struct Known<'r> {
    parts: &'r Parts,
    call: &'r ServerCall,
    bearer: Bearer,
    region: Region,
    hub_arn: String,
    /// `GET /org/name/resolve/main/config.json`, for records.
    request: String,
}

impl HfService {
    /// Where every path of this API begins.
    pub const ROOT: &str = ROOT;

    /// The service over these parts.
    pub fn new(parts: HfParts) -> HfService {
        let HfParts { platform, registry, journal, tokens, repositories, bytes, regions } = parts;
        HfService { platform, operations: Operations { registry, journal }, tokens, repositories, bytes, regions }
    }

    /// Answers one request; its body is not looked at, since nothing can be written here.
    pub async fn call<B>(&self, request: Request<B>, call: ServerCall) -> Response<Body> {
        let (parts, _) = request.into_parts();
        let answer = match self.answer(&parts, &call).await {
            Ok(answer) => answer,
            Err(refusal) => {
                if let Refusal::Failed(error) = &refusal
                    && error.status() >= 500
                {
                    let cause = std::error::Error::source(error).map(ToString::to_string);
                    tracing::error!(request_id = call.request_id, %error, cause, "a hugging face request failed");
                }
                refusal.response()
            }
        };
        with_request_id(answer, &call.request_id)
    }

    async fn answer(&self, parts: &Parts, call: &ServerCall) -> Result<Response<Body>, Refusal> {
        let parsed = parse(parts.uri.path());
        let request = format!("{} {}", parts.method, shown_path(parts.uri.path()));
        let name = parsed.as_ref().and_then(|(_, asked)| operation(asked));
        let (hub, asked) = match (parsed, name) {
            (Some((hub, asked)), Some(_)) if served(&parts.method, &asked) => (hub, asked),
            _ => {
                let text = format!("{request} is not part of the read API that Stoa has of Hugging Face's");
                return Err(self.recorded(parts, call, None, None, Refusal::NotServed(text), &request).await);
            }
        };
        let (region, hub_arn) = match self.hub(&hub) {
            Ok(found) => found,
            Err(refusal) => return Err(self.recorded(parts, call, None, name, refusal, &request).await),
        };
        let bearer = match authenticate(&*self.tokens, &parts.headers, call).await {
            Ok(bearer) => bearer,
            Err(refusal) => return Err(self.recorded(parts, call, None, name, refusal, &request).await),
        };
        if bearer.hub_arn.as_ref().is_some_and(|only| *only != hub_arn) {
            let only = bearer.hub_arn.unwrap_or_default();
            let refusal = Refusal::Unauthenticated(format!("the token is for {only} alone, not for {hub_arn}"));
            let principal = Some(Arc::clone(&bearer.credential.principal));
            return Err(self.recorded(parts, call, principal, name, refusal, &request).await);
        }
        let known = Known { parts, call, bearer, region, hub_arn, request };
        match asked {
            Asked::Models => self.models(&known).await,
            Asked::Model { repository, revision } => self.model(&known, &repository, &revision).await,
            Asked::Tree { repository, revision, path } => self.tree(&known, &repository, &revision, &path).await,
            Asked::Refs { repository } => self.refs(&known, &repository).await,
            Asked::File { repository, revision, path } => self.file(&known, &repository, &revision, &path).await,
            Asked::WhoAmI => self.who_am_i(&known).await,
            Asked::Other => Err(Refusal::NotServed(known.request)),
        }
    }

    /// Records a refusal that no operation recorded, and gives it back; a caller who cannot be recorded is told only that.
    async fn recorded(
        &self,
        parts: &Parts,
        call: &ServerCall,
        principal: Option<Arc<Principal>>,
        name: Option<&str>,
        refusal: Refusal,
        request: &str,
    ) -> Refusal {
        let Some(region) = self.regions.first().cloned() else {
            return Refusal::Failed(ApiError::unavailable("no region is served"));
        };
        let principal = principal.unwrap_or_else(|| Arc::new(Principal::anonymous()));
        let cx = context(&self.platform, &parts.headers, call, principal, region);
        match self.operations.record_refused(&cx, name, &refusal, request).await {
            Ok(()) => refusal,
            Err(error) => Refusal::Failed(error),
        }
    }

    fn hub(&self, hub: &HubPath) -> Result<(Region, String), Refusal> {
        let region = self.regions.iter().find(|region| region.as_str() == hub.region).cloned();
        let region =
            region.ok_or_else(|| Refusal::RepoNotFound(format!("the region `{}` is not served here", hub.region)))?;
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !plain(&hub.account) || !plain(&hub.name) {
            return Err(Refusal::RepoNotFound(format!("`{}/{}` names no hub", hub.account, hub.name)));
        }
        let partition = Partition::of(&region);
        let arn = format!("arn:{partition}:sagemaker:{region}:{}:hub/{}", hub.account, hub.name);
        Ok((region, arn))
    }

    fn cx(&self, known: &Known<'_>) -> Cx {
        let principal = Arc::clone(&known.bearer.credential.principal);
        context(&self.platform, &known.parts.headers, known.call, principal, known.region.clone())
    }

    /// The content that a repository id means, or one of that name that the operation will not find.
    async fn content(&self, known: &Known<'_>, repository: &str) -> Result<HubContentName, Refusal> {
        let found = match self.repositories.repository(&known.hub_arn, repository).await {
            Err(error) if error.code() == "ResourceNotFound" => None,
            found => found?,
        };
        let kind = if known.hub_arn.contains(":aws:hub/") { MODEL } else { REFERENCE };
        let last = repository.rsplit('/').next().unwrap_or_default();
        let name: String = last.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '-' }).collect();
        let name = name.trim_matches('-').chars().take(63).collect();
        Ok(found.unwrap_or_else(|| HubContentName { kind: kind.to_owned(), name, arn: String::new() }))
    }

    /// Describes the latest version, or says why not; then finds the revision.
    async fn revision(
        &self,
        known: &Known<'_>,
        operation: &str,
        repository: &str,
        revision: &str,
    ) -> Result<(HubContentName, Revision), Refusal> {
        let content = self.content(known, repository).await?;
        let missing = content.arn.is_empty();
        let cx = self.cx(known);
        // The version first, so that the operation is of the very one: what it shows is told only once it is allowed.
        // In a context of its own: what is decided about a bucket on the way is not the operation's.
        let found = match missing {
            true => Ok(None),
            false => self.repositories.revision(&self.cx(known), &known.hub_arn, &content, revision).await,
        };
        let version = found.as_ref().ok().and_then(|found| found.as_ref()).map(|found| found.version.clone());
        let licence = found.as_ref().ok().and_then(|found| found.as_ref()?.licence.clone());
        let input = self.input(known, operation, &content, version, licence.as_ref());
        self.operations.run(&cx, operation, input, &known.request).await?;
        if missing {
            return Err(Refusal::RepoNotFound(format!("no model of the hub is called {repository}")));
        }
        let no_revision = || {
            Refusal::RevisionNotFound(format!(
                "{repository} has no revision {revision}: `main`, its versions and their commits are"
            ))
        };
        match found {
            Ok(found) => Ok((content, found.ok_or_else(no_revision)?)),
            Err(error) => Err(self.also_recorded(known, operation, error.into()).await),
        }
    }

    /// Records what was refused after the operation was allowed (a bucket's rules), and gives it back.
    async fn also_recorded(&self, known: &Known<'_>, operation: &str, refusal: Refusal) -> Refusal {
        let principal = Some(Arc::clone(&known.bearer.credential.principal));
        self.recorded(known.parts, known.call, principal, Some(operation), refusal, &known.request).await
    }

    fn input(
        &self,
        known: &Known<'_>,
        operation: &str,
        content: &HubContentName,
        version: Option<String>,
        licence: Option<&LicenceText>,
    ) -> Value {
        let mut members = vec![
            ("HubName", Value::String(known.hub_arn.clone())),
            ("HubContentType", Value::String(content.kind.clone())),
            ("HubContentName", Value::String(content.name.clone())),
        ];
        if let Some(version) = version {
            members.push(("HubContentVersion", Value::String(version)));
        }
        if operation == "CreateHubContentPresignedUrls" {
            // The very text that the token's owner accepted: not another one that came under this name since.
            if licence.is_some_and(|licence| known.bearer.accepted.contains(licence)) {
                members.push(("AccessConfig", Value::Struct(vec![("AcceptEula", Value::Bool(true))])));
            }
            // The operation decides about all files; its URLs are not needed.
            members.push(("MaxResults", Value::Int(1)));
        }
        Value::Struct(members)
    }

    async fn model(&self, known: &Known<'_>, repository: &str, revision: &str) -> Result<Response<Body>, Refusal> {
        let (_, found) = self.revision(known, "DescribeHubContent", repository, revision).await?;
        let blobs = query_values(known.query(), "blobs").any(|value| value.eq_ignore_ascii_case("true"));
        Ok(json_response(&model::described(&found, blobs)))
    }

    async fn tree(
        &self,
        known: &Known<'_>,
        repository: &str,
        revision: &str,
        path: &str,
    ) -> Result<Response<Body>, Refusal> {
        let (_, found) = self.revision(known, "DescribeHubContent", repository, revision).await?;
        let recursive = query_values(known.query(), "recursive").any(|value| value.eq_ignore_ascii_case("true"));
        let tree = model::tree(&found.files, path, recursive);
        let missing = || Refusal::EntryNotFound(format!("{repository} has no folder {path}"), found.commit.clone());
        Ok(json_response(&tree.ok_or_else(missing)?))
    }

    async fn file(
        &self,
        known: &Known<'_>,
        repository: &str,
        revision: &str,
        path: &str,
    ) -> Result<Response<Body>, Refusal> {
        let operation = "CreateHubContentPresignedUrls";
        let (content, found) = self.revision(known, operation, repository, revision).await?;
        let file = found.files.iter().find(|file| file.path == path);
        let Some(file) = file else {
            return Err(Refusal::EntryNotFound(format!("{repository} has no file {path}"), found.commit));
        };
        let cx = self.cx(known);
        let checked = self.repositories.check_file(&cx, &known.hub_arn, &content, &found.version, file).await;
        if let Err(error) = checked {
            return Err(self.also_recorded(known, operation, error.into()).await);
        }
        Ok(file::response((&*self.bytes, &cx), &known.parts.method, &known.parts.headers, file, &found.commit).await?)
    }

    /// Branches and tags: `main`, and a tag for each version.
    async fn refs(&self, known: &Known<'_>, repository: &str) -> Result<Response<Body>, Refusal> {
        let operation = "ListHubContentVersions";
        let content = self.content(known, repository).await?;
        let cx = self.cx(known);
        let mut input = self.input(known, operation, &content, None, None);
        input.set_member("MaxResults", Value::Int(PAGE));
        let answer = self.operations.run(&cx, operation, input, &known.request).await?;
        let mut tags = Vec::new();
        let mut main = None;
        for summary in summaries(&answer) {
            let Some(version) = summary.str_member("HubContentVersion") else { continue };
            let found = self.repositories.revision(&cx, &known.hub_arn, &content, version).await?;
            let Some(found) = found else { continue };
            tags.push(json!({ "name": version, "ref": format!("refs/tags/{version}"), "targetCommit": found.commit }));
        }
        if let Some(found) = self.repositories.revision(&cx, &known.hub_arn, &content, "main").await? {
            main = Some(json!({ "name": "main", "ref": "refs/heads/main", "targetCommit": found.commit }));
        }
        let branches: Vec<_> = main.into_iter().collect();
        Ok(json_response(&json!({ "branches": branches, "tags": tags, "converts": [] })))
    }

    async fn who_am_i(&self, known: &Known<'_>) -> Result<Response<Body>, Refusal> {
        let answer = self.operations.run(&self.cx(known), "GetCallerIdentity", Value::empty(), &known.request).await?;
        let arn = answer.str_member("Arn").unwrap_or_default().to_owned();
        let account = answer.str_member("Account").unwrap_or_default().to_owned();
        let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
        let token = json!({ "type": "access_token", "accessToken": { "displayName": "stoa", "role": "read" } });
        Ok(json_response(
            &json!({ "type": "user", "id": account, "name": name, "fullname": arn, "orgs": [], "auth": token }),
        ))
    }

    /// A page of the hub's models: its references, then its own. Pages follow the operation's, which filters shorten.
    async fn models(&self, known: &Known<'_>) -> Result<Response<Body>, Refusal> {
        let query = known.query();
        let one = |name| query_values(query, name).next();
        let filter = Filter {
            search: one("search"),
            author: one("author"),
            pipeline_tag: one("pipeline_tag"),
            gated: one("gated").map(|value| value.eq_ignore_ascii_case("true")),
            tags: query_values(query, "filter").collect(),
        };
        let public = known.hub_arn.contains(":aws:hub/");
        let cursor = one("cursor").unwrap_or_default();
        let (kind, token) = match cursor.split_once(':') {
            Some((MODEL, token)) => (MODEL, token),
            Some((_, token)) => (REFERENCE, token),
            None => (if public { MODEL } else { REFERENCE }, ""),
        };
        let mut members = vec![
            ("HubName", Value::String(known.hub_arn.clone())),
            ("HubContentType", Value::String(kind.to_owned())),
            ("MaxResults", Value::Int(PAGE)),
        ];
        if !token.is_empty() {
            members.push(("NextToken", Value::String(token.to_owned())));
        }
        let answer =
            self.operations.run(&self.cx(known), "ListHubContents", Value::Struct(members), &known.request).await?;
        let name = |summary: &Value| HubContentName {
            kind: kind.to_owned(),
            name: summary.str_member("HubContentName").unwrap_or_default().to_owned(),
            arn: summary.str_member("HubContentArn").unwrap_or_default().to_owned(),
        };
        let names: Vec<HubContentName> = summaries(&answer).map(name).collect();
        let created = |wanted: &HubContentName| {
            let found = summaries(&answer).find(|summary| summary.str_member("HubContentName") == Some(&wanted.name));
            match found.and_then(|summary| summary.member("CreationTime")) {
                Some(Value::Timestamp(time)) => *time,
                _ => Timestamp::default(),
            }
        };
        let cards = self.repositories.cards(&known.hub_arn, &names).await?;
        let listed: serde_json::Value = cards
            .iter()
            .filter(|(_, card)| filter.fits(card))
            .map(|(name, card)| model::listed(card, created(name)))
            .collect();
        let next = match answer.str_member("NextToken") {
            Some(token) => Some(format!("{kind}:{token}")),
            None if kind == REFERENCE => Some(format!("{MODEL}:")),
            None => None,
        };
        let mut response = json_response(&listed);
        if let Some(next) = next
            && let Ok(link) = HeaderValue::from_str(&format!("<{}>; rel=\"next\"", known.next_page(&next)))
        {
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
    }
}

impl Known<'_> {
    fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or("")
    }

    /// The URL of the page that begins at this cursor.
    fn next_page(&self, cursor: &str) -> String {
        let kept = self.query().split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
        let encoded = percent_encoding::utf8_percent_encode(cursor, percent_encoding::NON_ALPHANUMERIC);
        let query: Vec<String> = kept.map(str::to_owned).chain([format!("cursor={encoded}")]).collect();
        format!("{}{}?{}", self.call.connection.base_url, self.parts.uri.path(), query.join("&"))
    }
}

fn summaries(answer: &Value) -> impl Iterator<Item = &Value> {
    let list = match answer.member("HubContentSummaries") {
        Some(Value::List(list)) => list.as_slice(),
        _ => &[],
    };
    list.iter()
}

/// The operation that a request is translated into.
fn operation(asked: &Asked) -> Option<&'static str> {
    Some(match asked {
        Asked::Models => "ListHubContents",
        Asked::Model { .. } | Asked::Tree { .. } => "DescribeHubContent",
        Asked::Refs { .. } => "ListHubContentVersions",
        Asked::File { .. } => "CreateHubContentPresignedUrls",
        Asked::WhoAmI => "GetCallerIdentity",
        Asked::Other => return None,
    })
}

fn served(method: &Method, asked: &Asked) -> bool {
    *method == Method::GET || (*method == Method::HEAD && matches!(asked, Asked::File { .. }))
}

/// The path below the hub, for records.
fn shown_path(path: &str) -> String {
    match path.strip_prefix(ROOT).and_then(|rest| rest.splitn(4, '/').nth(3)) {
        Some(rest) => format!("/{rest}"),
        None => path.to_owned(),
    }
}
