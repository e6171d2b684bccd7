//! Who asks: an ARN or a service name, taken apart once so that matching need not parse. Nothing is kept across calls.

/// What kind of principal an ARN or name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// `arn:aws:iam::A:user/...`
    User,
    /// `arn:aws:iam::A:role/...`: a role as such, when no session is named.
    Role,
    /// `arn:aws:sts::A:assumed-role/Role/session`
    AssumedRole,
    /// `arn:aws:sts::A:federated-user/name`
    FederatedUser,
    /// `arn:aws:iam::A:root`
    Root,
    /// `sagemaker.amazonaws.com`
    Service,
    /// An identity provider: `arn:aws:iam::A:saml-provider/x`, `cognito-identity.amazonaws.com`, an OIDC issuer.
    Federated,
    /// No one in particular.
    Anonymous,
}

/// A principal, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRef {
    arn: String,
    kind: PrincipalKind,
    account: Option<String>,
    role_name: Option<String>,
    role_arn: Option<String>,
}

impl PrincipalRef {
    /// Takes apart an IAM or STS ARN, a service name (`x.amazonaws.com`) or `*`/`anonymous`. Total: what it does not
    /// know is [`PrincipalKind::Federated`] and matches only a statement that names it exactly.
    pub fn parse(text: &str) -> PrincipalRef {
        let mut made = PrincipalRef {
            arn: text.to_owned(),
            kind: PrincipalKind::Federated,
            account: None,
            role_name: None,
            role_arn: None,
        };
        if text.is_empty() || text == "*" || text == "anonymous" {
            made.kind = PrincipalKind::Anonymous;
            return made;
        }
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            // The one identity provider that is named like a service.
            if is_service_name(text) && text != "cognito-identity.amazonaws.com" {
                made.kind = PrincipalKind::Service;
            }
            return made;
        }
        let (_, service, _) = (parts.next(), parts.next(), parts.next());
        let (Some(account), Some(resource)) = (parts.next(), parts.next()) else { return made };
        if !account.is_empty() {
            made.account = Some(account.to_owned());
        }
        let (kind, rest) = resource.split_once('/').unwrap_or((resource, ""));
        match (service, kind) {
            (Some("iam"), "root") if rest.is_empty() => made.kind = PrincipalKind::Root,
            (Some("iam"), "user") => made.kind = PrincipalKind::User,
            (Some("iam"), "role") => {
                made.kind = PrincipalKind::Role;
                made.role_name = Some(last_part(rest).to_owned());
                made.role_arn = Some(text.to_owned());
            }
            (Some("sts"), "assumed-role") => {
                made.kind = PrincipalKind::AssumedRole;
                made.role_name = Some(rest.split('/').next().unwrap_or(rest).to_owned());
            }
            (Some("sts"), "federated-user") => made.kind = PrincipalKind::FederatedUser,
            _ => {}
        }
        made
    }

    /// Adds the ARN of the role behind an assumed-role session. Without it, a role that a policy names is compared by
    /// account and name only, since a session's ARN does not have the role's path.
    #[must_use]
    pub fn with_role_arn(mut self, role_arn: impl Into<String>) -> PrincipalRef {
        let role_arn = role_arn.into();
        self.role_name = Some(last_part(&role_arn).to_owned());
        self.role_arn = Some(role_arn);
        self
    }

    /// The ARN or name as given.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The kind.
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The account that the principal belongs to; none for services and anonymous callers.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The ARN of the role behind a role or session, where known.
    pub fn role_arn(&self) -> Option<&str> {
        self.role_arn.as_deref()
    }

    /// The name of the role behind a role or session.
    pub fn role_name(&self) -> Option<&str> {
        self.role_name.as_deref()
    }

    /// Whether this is a service-linked role, which SCPs do not reach.
    pub fn is_service_linked_role(&self) -> bool {
        match (&self.role_arn, &self.role_name) {
            (Some(arn), _) => arn.contains(":role/aws-service-role/"),
            (None, Some(name)) => name.starts_with("AWSServiceRoleFor"),
            (None, None) => false,
        }
    }
}

pub(crate) fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub(crate) fn is_service_name(text: &str) -> bool {
    text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn")
}
