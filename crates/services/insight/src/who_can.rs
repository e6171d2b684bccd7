//! ListPrincipalsWithAccess: every principal that would be allowed an action on a resource, and why.
//!
//! What a request would carry is not known, so an answer may be "if": see `stoa_policy::possible`. Known are the
//! principal's own keys, the resource's tags and owner, and what the question says.

use stoa_kernel::ApiError;
use stoa_kernel::ports::{AccessQuestion, Subject, SubjectAccess, Subjects};
use stoa_models_stoa::types::{
    ListPrincipalsWithAccessRequest, ListPrincipalsWithAccessResponse, PrincipalAccess, PrincipalType,
};
use stoa_policy::{MapContext, Possible};
use stoa_types::AccountId;

use crate::service::Insight;
use crate::viewer::{Scope, Viewer};
use crate::words;

const DEFAULT_PAGE: i64 = 100;

impl Insight {
    /// See the module.
    ///
    /// # Errors
    /// `ValidationException`, `AccessDeniedException` for another account, the ports' own.
    pub async fn list_principals_with_access(
        &self,
        viewer: &Viewer,
        input: &ListPrincipalsWithAccessRequest,
    ) -> Result<ListPrincipalsWithAccessResponse, ApiError> {
        let scope = self.scope(viewer, input.account_ids.as_deref()).await?;
        let mut keys = MapContext::new();
        for entry in input.context.iter().flatten() {
            words::set(&mut keys, &entry.key, &entry.values);
        }
        let question = self.question(&input.action, &input.resource, keys).await?;
        let mut subjects = self.members(&scope).await?;
        subjects.extend(self.outsiders(&scope, &question).await?);
        subjects.sort_by_key(place);
        let token_scope = format!("{}/ListPrincipalsWithAccess/{:?}", viewer.account, unpaged(input));
        let after = self.position(&token_scope, input.next_token.as_deref())?;
        let limit = usize::try_from(input.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(1).max(1);
        let all = input.include_denied == Some(true);
        let (mut principals, mut looked_at, mut next_token) = (Vec::new(), 0, None);
        for subject in subjects.iter().filter(|subject| after.as_ref().is_none_or(|after| place(subject) > *after)) {
            if principals.len() == limit {
                let last = principals.last().map(|last: &(String, PrincipalAccess)| last.0.clone());
                next_token = last.map(|last| self.parts.tokens.seal(&token_scope, &last));
                break;
            }
            looked_at += 1;
            let answers = self.parts.policies.access(subject, std::slice::from_ref(&question)).await?;
            let Some(answer) = answers.into_iter().next() else { continue };
            if all || answer.possible != Possible::Never {
                principals.push((place(subject), described(subject, &answer, &question.action)));
            }
        }
        Ok(ListPrincipalsWithAccessResponse {
            principals: principals.into_iter().map(|(_, principal)| principal).collect(),
            principals_looked_at: looked_at,
            next_token,
        })
    }

    /// The question with everything that is known of the resource.
    pub(crate) async fn question(
        &self,
        action: &str,
        resource: &str,
        mut keys: MapContext,
    ) -> Result<AccessQuestion, ApiError> {
        let service = action.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let mut closed = Vec::new();
        if !resource.contains('*') {
            for (name, value) in self.parts.tags.resource_tags(resource).await? {
                keys.set(&format!("aws:ResourceTag/{name}"), value.as_str());
                keys.set(&format!("{service}:ResourceTag/{name}"), value);
            }
            closed = vec!["aws:resourcetag/".to_owned(), format!("{service}:resourcetag/")];
        }
        let said = stoa_policy::Context::get(&keys, "aws:resourceaccount").is_some();
        if let Some(owner) = self.owner(resource).await?.filter(|_| !said) {
            keys.set("aws:ResourceAccount", owner);
        }
        Ok(AccessQuestion { action: action.to_owned(), resource: resource.to_owned(), keys, closed })
    }

    /// Whose a resource is: the account in its ARN, or the owner of the bucket.
    async fn owner(&self, resource: &str) -> Result<Option<String>, ApiError> {
        let mut parts = resource.splitn(6, ':').skip(2);
        let (service, _, account, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
        if let Some(account) = account.filter(|account| !account.is_empty() && !account.contains('*')) {
            return Ok(Some(account.to_owned()));
        }
        let (Some("s3"), Some(rest)) = (service, rest) else { return Ok(None) };
        let bucket = rest.split('/').next().unwrap_or(rest);
        if bucket.contains(['*', '?']) {
            return Ok(None);
        }
        Ok(self.parts.buckets.bucket_owner(bucket).await?.map(|owner| owner.to_string()))
    }

    /// The principals of the accounts.
    pub(crate) async fn members(&self, scope: &Scope) -> Result<Vec<Subject>, ApiError> {
        let mut subjects = Vec::new();
        for account in &scope.accounts {
            subjects.extend(self.parts.policies.subjects(Subjects::Of(&account.id)).await?);
        }
        Ok(subjects)
    }

    /// Those outside whom the resource's policy names, which is its owner's business.
    pub(crate) async fn outsiders(&self, scope: &Scope, question: &AccessQuestion) -> Result<Vec<Subject>, ApiError> {
        let owner = stoa_policy::Context::get(&question.keys, "aws:resourceaccount");
        let owner = owner.and_then(|values| values.single());
        if !scope.everything && !owner.is_some_and(|owner| scope.has(owner)) {
            return Ok(Vec::new());
        }
        let named = Subjects::NamedBy { action: &question.action, resource: &question.resource };
        self.parts.policies.subjects(named).await
    }

    /// Where a page begins.
    pub(crate) fn position(&self, scope: &str, token: Option<&str>) -> Result<Option<String>, ApiError> {
        let Some(token) = token else { return Ok(None) };
        let opened = self.parts.tokens.open(scope, token);
        opened.map(Some).map_err(|error| ApiError::validation(format!("NextToken: {error}")))
    }
}

/// The request without what differs from page to page.
fn unpaged(input: &ListPrincipalsWithAccessRequest) -> ListPrincipalsWithAccessRequest {
    ListPrincipalsWithAccessRequest { max_results: None, next_token: None, ..input.clone() }
}

/// Where a subject stands in the order: by account, then root, users, roles, and those outside.
pub(crate) fn place(subject: &Subject) -> String {
    let rank = match subject.kind {
        "Root" => 0,
        "User" => 1,
        "Role" => 2,
        _ => 3,
    };
    let account = account_of(subject).map(AccountId::to_string).unwrap_or_else(|| "~".to_owned());
    format!("{account}/{rank}/{}", subject.principal.arn)
}

/// The subject's account in the organization, where it has one.
pub(crate) fn account_of(subject: &Subject) -> Option<&AccountId> {
    matches!(subject.kind, "Root" | "User" | "Role").then_some(&subject.principal.account)
}

pub(crate) fn principal_type(subject: &Subject) -> PrincipalType {
    subject.kind.parse().unwrap_or(PrincipalType::Account)
}

fn described(subject: &Subject, answer: &SubjectAccess, action: &str) -> PrincipalAccess {
    PrincipalAccess {
        principal_arn: subject.principal.arn.clone(),
        principal_type: principal_type(subject),
        account_id: account_of(subject).map(AccountId::to_string),
        access: words::access(answer.possible),
        slot: words::slot(answer.slot),
        matched: answer.matched.as_ref().map(words::statement),
        reason: reason(subject, answer, action),
        conditions: answer.conditions.iter().map(words::condition).collect(),
    }
}

fn reason(subject: &Subject, answer: &SubjectAccess, action: &str) -> String {
    let said = words::reason(answer.effect, answer.slot, action);
    match (answer.possible, subject.kind) {
        (Possible::Never, _) => said,
        (_, "Account") => format!("{said}, if the policies of its own account allow it too"),
        (Possible::Conditional, _) => format!("{said}, if the conditions hold"),
        (Possible::Always, "Root") if answer.matched.is_none() => {
            "the root user has every permission in its account".to_owned()
        }
        (Possible::Always, _) => said,
    }
}
