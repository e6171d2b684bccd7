//! What a subject may do, as far as can be known without a request.

use std::sync::{Arc, OnceLock};

use stoa_kernel::ports::{AccessQuestion, OpenCondition, Subject, SubjectAccess};
use stoa_kernel::{ApiError, Principal, PrincipalIdentity};
use stoa_models_authz::Action;
use stoa_policy::{Context, Document, MapContext, PolicySet, Possibility, Possible, Values, possible};

use super::statement_place;
use crate::Iam;
use crate::authority::Gathered;

/// Keys of the principal that it has or has not: nothing else can set them.
const OWN: [&str; 9] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:principaltype",
    "aws:username",
    "aws:resourceaccount",
];
const PRINCIPAL_TAG: &str = "aws:principaltag/";

/// The keys that are known, and which of the others may be in a request.
struct Known<'a> {
    own: &'a MapContext,
    /// Whether tags may come with a session.
    sessions: bool,
    question: &'a AccessQuestion,
    owner: &'a MapContext,
    action: Option<&'static Action>,
}

impl Context for Known<'_> {
    fn get(&self, key: &str) -> Option<Values<'_>> {
        self.question.keys.get(key).or_else(|| self.owner.get(key)).or_else(|| self.own.get(key))
    }

    fn is_unknown(&self, key: &str) -> bool {
        if self.get(key).is_some() || OWN.contains(&key) || key.starts_with("aws:resourceorg") {
            return false;
        }
        if key.starts_with(PRINCIPAL_TAG) {
            return self.sessions;
        }
        if self.question.closed.iter().any(|start| key.starts_with(start.as_str())) {
            return false;
        }
        // A key that no request of this action carries is absent.
        self.action.is_none_or(|action| carries(action, key))
    }
}

/// Whether requests of the action may have the key. Tags in requests are global keys by name alone: few actions take any.
fn carries(action: &Action, key: &str) -> bool {
    let by_type = action.resources.iter().flat_map(|resource| &resource.keys);
    let mut own = action.keys.iter().chain(by_type).map(|own| own.to_ascii_lowercase());
    if key.starts_with("aws:requesttag/") {
        return own.any(|own| own.starts_with("aws:requesttag/"));
    }
    if key == "aws:tagkeys" {
        return own.any(|own| own == key);
    }
    action.carries(key)
}

impl Iam {
    /// One answer a question.
    pub(super) async fn access_of(
        &self,
        subject: &Subject,
        questions: &[AccessQuestion],
    ) -> Result<Vec<SubjectAccess>, ApiError> {
        let own = self.own_keys(subject).await?;
        let sessions = !matches!(subject.principal.identity, PrincipalIdentity::User { .. } | PrincipalIdentity::Root);
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            let owner = self.owner_keys(question).await?;
            let action = stoa_models_authz::action(&question.action);
            let known = Known { own: &own, sessions, question, owner: &owner, action };
            let gathered = self.gather(&subject.principal, &question.action, &question.resource, &known).await?;
            // Who has gone meanwhile may do nothing: the same as somebody without policies.
            let nobody = || Gathered::of(Arc::new(stoa_policy::PrincipalRef::parse(&subject.principal.arn)));
            let mut gathered = gathered.unwrap_or_else(nobody);
            let outside = subject.kind == "Account";
            if outside {
                // What its own account allows it is not known here: as if everything.
                gathered.identity = everything()?;
            }
            let request = gathered.request(&question.action, &question.resource, &known);
            let mut answer = gathered.with_slots(|slots| told(&possible(slots, &request)));
            if outside && answer.possible == Possible::Always {
                answer.possible = Possible::Conditional;
            }
            answers.push(answer);
        }
        Ok(answers)
    }

    /// Whose the resource is, and where that account is.
    async fn owner_keys(&self, question: &AccessQuestion) -> Result<MapContext, ApiError> {
        let mut keys = MapContext::new();
        let said = question.keys.get("aws:resourceaccount").and_then(|values| values.single());
        let owner = said.or_else(|| question.resource.split(':').nth(4)).filter(|owner| !owner.is_empty());
        let Some(owner) = owner.filter(|owner| *owner != "*") else { return Ok(keys) };
        keys.set("aws:ResourceAccount", owner);
        if let Some(place) = self.place_of_account(owner).await? {
            keys.set("aws:ResourceOrgID", place.organization.as_str());
            keys.set_many("aws:ResourceOrgPaths", place.paths.iter().map(String::as_str));
        }
        Ok(keys)
    }

    /// The keys that are the subject's whatever it asks.
    async fn own_keys(&self, subject: &Subject) -> Result<MapContext, ApiError> {
        let principal = &subject.principal;
        let mut keys = MapContext::new();
        let service = matches!(principal.identity, PrincipalIdentity::Service { .. });
        keys.set("aws:PrincipalIsAWSService", service.to_string());
        match (&principal.identity, subject.kind) {
            (PrincipalIdentity::Anonymous, _) => return Ok(MapContext::new()),
            (PrincipalIdentity::Service { name }, _) => {
                keys.set("aws:PrincipalServiceName", name.as_str());
                keys.set("aws:PrincipalType", "Service");
                return Ok(keys);
            }
            (_, "Federated") => return Ok(keys),
            _ => {}
        }
        keys.set("aws:PrincipalArn", principal.policy_arn());
        keys.set("aws:PrincipalAccount", principal.account.as_str());
        set_identity(&mut keys, principal);
        for (name, value) in &principal.tags {
            keys.set(&format!("aws:PrincipalTag/{name}"), value.as_str());
        }
        if let Some(place) = self.place_of_account(principal.account.as_str()).await? {
            keys.set("aws:PrincipalOrgID", place.organization.as_str());
            keys.set_many("aws:PrincipalOrgPaths", place.paths.iter().map(String::as_str));
        }
        Ok(keys)
    }
}

fn set_identity(keys: &mut MapContext, principal: &Principal) {
    match &principal.identity {
        PrincipalIdentity::Root => {
            keys.set("aws:PrincipalType", "Account");
            keys.set("aws:userid", principal.principal_id.as_str());
        }
        PrincipalIdentity::User { name } => {
            keys.set("aws:PrincipalType", "User");
            keys.set("aws:username", name.as_str());
            keys.set("aws:userid", principal.principal_id.as_str());
        }
        PrincipalIdentity::AssumedRole { .. } => {
            keys.set("aws:PrincipalType", "AssumedRole");
        }
        _ => {}
    }
}

fn told(possibility: &Possibility<'_>) -> SubjectAccess {
    let decision = &possibility.decision;
    let condition = |one: &stoa_policy::DecidingCondition<'_>| OpenCondition {
        slot: one.slot,
        statement: stoa_kernel::ports::StatementPlace {
            policy: one.policy.to_owned(),
            sid: one.sid.map(str::to_owned),
            index: one.index,
        },
        deny: one.deny,
        operator: one.operator.clone(),
        key: one.key.to_owned(),
        values: one.values.clone(),
    };
    SubjectAccess {
        possible: possibility.possible,
        slot: decision.slot,
        effect: decision.effect,
        matched: decision.matched.as_ref().map(statement_place),
        conditions: possibility.conditions.iter().map(condition).collect(),
    }
}

/// Allows everything.
pub(super) fn everything() -> Result<Arc<PolicySet>, ApiError> {
    static SET: OnceLock<Arc<PolicySet>> = OnceLock::new();
    if let Some(set) = SET.get() {
        return Ok(Arc::clone(set));
    }
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let document = Document::parse(text).map_err(ApiError::internal)?;
    let set = PolicySet::compile([(Arc::from("policies of its own account"), &document)]);
    Ok(Arc::clone(SET.get_or_init(|| Arc::new(set))))
}
