//! GetAccessMatrix: who may see, download, deploy and train with which content of a hub.
//!
//! Each verb is the action that the hub's own operations decide, on the hub and on the content, both of which must be
//! allowed. Principal by principal, so that memory holds one principal's answers; only what is allowed is returned
//! unless denials are asked for.

use stoa_kernel::ApiError;
use stoa_kernel::ports::{AccessQuestion, HubContentName, Subject};
use stoa_models_stoa::types::{
    Access, ContentAccess, GetAccessMatrixRequest, GetAccessMatrixResponse, MatrixContent, MatrixPrincipal,
};
use stoa_policy::{MapContext, Possible};
use stoa_types::AccountId;

use crate::service::Insight;
use crate::viewer::{Viewer, foreign};
use crate::who_can::{account_of, place, principal_type};
use crate::words;

/// See, download, deploy, train.
const VERBS: [&str; 4] = [
    "sagemaker:DescribeHubContent",
    "sagemaker:CreateHubContentPresignedUrls",
    "sagemaker:DeployHubModel",
    "sagemaker:TrainHubModel",
];
/// The contents that are models.
const KINDS: [&str; 2] = ["Model", "ModelReference"];
const DEFAULT_PAGE: i64 = 200;
/// The hub of everyone; its owner is the pseudo-account `aws`.
const PUBLIC_HUB: &str = "SageMakerPublicHub";

/// The questions about one hub.
struct Questions {
    /// One for each verb.
    hub: Vec<AccessQuestion>,
    /// One for each verb, for each content.
    contents: Vec<AccessQuestion>,
}

impl Insight {
    /// See the module.
    ///
    /// # Errors
    /// `ValidationException`, `AccessDeniedException` for another account, `ResourceNotFound` for a hub that is not
    /// there, the ports' own.
    pub async fn get_access_matrix(
        &self,
        viewer: &Viewer,
        input: &GetAccessMatrixRequest,
    ) -> Result<GetAccessMatrixResponse, ApiError> {
        let scope = self.scope(viewer, input.account_ids.as_deref()).await?;
        let hub_arn = hub_arn(viewer, &input.hub_name);
        let owner = hub_arn.split(':').nth(4).unwrap_or_default();
        if !scope.everything && owner != viewer.account.as_str() && owner != "aws" {
            return Err(foreign(viewer, owner));
        }
        let found = self.parts.hubs.hub_contents(&hub_arn).await.map_err(not_found)?;
        let contents: Vec<HubContentName> =
            found.into_iter().filter(|content| KINDS.contains(&&*content.kind)).collect();
        let questions = self.questions(&hub_arn, &contents).await?;
        let mut subjects = self.members(&scope).await?;
        for one in &questions.hub {
            subjects.extend(self.outsiders(&scope, one).await?);
        }
        subjects.sort_by_key(place);
        subjects.dedup_by_key(|subject| place(subject));
        let unpaged = GetAccessMatrixRequest { max_results: None, next_token: None, ..input.clone() };
        let token_scope = format!("{}/GetAccessMatrix/{unpaged:?}", viewer.account);
        let after = self.position(&token_scope, input.next_token.as_deref())?;
        let limit = usize::try_from(input.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(1).max(1);
        let mut left = subjects.iter().filter(|subject| after.as_ref().is_none_or(|after| place(subject) > *after));
        let page: Vec<&Subject> = left.by_ref().take(limit).collect();
        let more = left.next().is_some();
        let next = page.last().filter(|_| more).map(|last| self.parts.tokens.seal(&token_scope, &place(last)));
        let all = input.include_denied == Some(true);
        let mut principals = Vec::new();
        for subject in &page {
            principals.extend(self.row(subject, &questions, &contents, all).await?);
        }
        Ok(GetAccessMatrixResponse {
            hub_arn,
            contents: contents.into_iter().map(named).collect(),
            principals,
            principals_looked_at: words::count(page.len()),
            next_token: next,
        })
    }

    async fn questions(&self, hub_arn: &str, contents: &[HubContentName]) -> Result<Questions, ApiError> {
        let mut questions = Questions { hub: Vec::new(), contents: Vec::new() };
        for action in VERBS {
            questions.hub.push(self.question(action, hub_arn, MapContext::new()).await?);
        }
        for content in contents {
            let first = self.question(VERBS[0], &content.arn, MapContext::new()).await?;
            let others = VERBS.iter().map(|action| AccessQuestion { action: (*action).to_owned(), ..first.clone() });
            questions.contents.extend(others);
        }
        Ok(questions)
    }

    /// One principal's access; none where it has none and denials are not asked for.
    async fn row(
        &self,
        subject: &Subject,
        questions: &Questions,
        contents: &[HubContentName],
        all: bool,
    ) -> Result<Option<MatrixPrincipal>, ApiError> {
        let hub = self.parts.policies.access(subject, &questions.hub).await?;
        let nothing = hub.iter().all(|answer| answer.possible == Possible::Never);
        if nothing && !all {
            return Ok(None);
        }
        let answers = self.parts.policies.access(subject, &questions.contents).await?;
        let mut rows = Vec::new();
        for (content, answers) in contents.iter().zip(answers.chunks(VERBS.len())) {
            let verbs: Vec<Possible> =
                hub.iter().zip(answers).map(|(hub, own)| hub.possible.min(own.possible)).collect();
            if all || verbs.iter().any(|verb| *verb != Possible::Never) {
                rows.push(access(content, &verbs));
            }
        }
        if rows.is_empty() && !all {
            return Ok(None);
        }
        Ok(Some(MatrixPrincipal {
            principal_arn: subject.principal.arn.clone(),
            principal_type: principal_type(subject),
            account_id: account_of(subject).map(AccountId::to_string).unwrap_or_default(),
            contents: rows,
        }))
    }
}

fn access(content: &HubContentName, verbs: &[Possible]) -> ContentAccess {
    let verb = |at: usize| verbs.get(at).copied().map_or(Access::Denied, words::access);
    ContentAccess {
        content_name: content.name.clone(),
        content_type: content.kind.clone(),
        see: verb(0),
        download: verb(1),
        deploy: verb(2),
        train: verb(3),
    }
}

fn named(content: HubContentName) -> MatrixContent {
    MatrixContent { content_name: content.name, content_type: content.kind, content_arn: content.arn }
}

fn hub_arn(viewer: &Viewer, name: &str) -> String {
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    let account = if name == PUBLIC_HUB { "aws" } else { viewer.account.as_str() };
    format!("arn:{}:sagemaker:{}:{account}:hub/{name}", viewer.partition(), viewer.region)
}

/// SageMaker's error in the terms of this service.
fn not_found(error: ApiError) -> ApiError {
    match error.code() {
        "ResourceNotFound" => ApiError::new("ResourceNotFoundException", 400, error.message()),
        _ => error,
    }
}
