//! The rules by name, with severity and advice. Data only.

use std::fmt;

use serde::Serialize;

/// How sure and how grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not what was meant.
    Warning,
    /// Cannot work.
    Error,
}

/// Rows of `Name "code" Severity "advice";`, which become a variant of [`Code`] each: `UnknownAction` with its
/// `code.name()` of `unknown-action`.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $name:literal $severity:ident $help:literal;)*) => {
        /// A rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every rule.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The name in output, such as `unknown-action`.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// How sure and how grave.
            pub fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity,)* }
            }

            /// What to do about it.
            pub fn help(self) -> &'static str {
                match self { $(Code::$variant => $help,)* }
            }
        }
    };
}

codes! {
    /// Not a policy document.
    Malformed "malformed" Error "correct the document; IAM refuses it as it is";
    /// A prefix near to that of a service.
    UnknownService "unknown-service" Warning "correct the prefix before the colon";
    /// An action that its service does not have.
    UnknownAction "unknown-action" Warning "correct the name; action names do not regard case, but must exist";
    /// A wildcard that no action of the service matches.
    WildcardMatchesNothing "wildcard-matches-nothing" Warning "correct or remove the pattern";
    /// An Allow that actions of write or permissions access will join by its wildcard.
    WildcardJoinsNewActions "wildcard-joins-new-actions" Note
        "list the actions that are meant, or limit the wildcard to List and Read actions";
    /// Allow of `NotAction`.
    NotActionAllow "not-action-allow" Warning
        "list the actions that are meant: this allows every other action of every service, future ones too";
    /// Allow of `NotResource`.
    NotResourceAllow "not-resource-allow" Warning "list the resources that are meant";
    /// `*` on `*`.
    OverBroad "over-broad" Warning "name the services, actions and resources that are needed";
    /// `iam:PassRole` for any role to any service.
    PassRoleAny "pass-role-any" Warning
        "name the roles in `Resource` and the service in a condition on iam:PassedToService";
    /// A resource that no action of the statement applies to.
    ResourceNotOfAction "resource-not-of-action" Warning
        "use an ARN of a resource type that the action has, or `*` for actions without one";
    /// An ARN of no resource type of its service.
    UnknownResourceType "unknown-resource-type" Warning "correct the part of the ARN after the account";
    /// An ARN that only case keeps from being of a resource type.
    ArnCase "arn-case" Warning "ARNs regard case: write the service and the resource type as AWS does";
    /// Upper case in the name of a SageMaker resource.
    ArnNameCase "arn-name-case" Note
        "AWS lower-cases most names in SageMaker ARNs, Stoa keeps them as given; match both or use lower-case names";
    /// Allow of `NotPrincipal`.
    NotPrincipalAllow "not-principal-allow" Warning
        "use `Principal` with a condition on aws:PrincipalArn: this allows everyone else, anonymous callers too";
    /// Allow to everyone without a condition.
    PublicAllow "public-allow" Warning "name principals, or add a condition such as aws:PrincipalOrgID";
    /// A key that no service sets.
    UnknownConditionKey "unknown-condition-key" Warning "correct the key; a key that does not exist is always absent";
    /// A key that no listed action sets.
    KeyNeverSet "key-never-set" Warning
        "use a key that the action sets, or move the condition to a statement for other actions";
    /// A key that some listed actions do not set.
    KeySometimesSet "key-sometimes-set" Note
        "put the actions that do not set the key into a statement of their own, or use IfExists";
    /// A key under its older name.
    LegacyKey "legacy-key" Note "the reference has a newer name for the key; Stoa sets both";
    /// An operator of one type on a key of another.
    TypeMismatch "type-mismatch" Warning "use an operator of the key's type";
    /// No set operator on a key of several values.
    SetOperatorMissing "set-operator-missing" Warning "use ForAnyValue or ForAllValues";
    /// A set operator on a key of one value.
    SetOperatorNotNeeded "set-operator-not-needed" Note "leave out ForAnyValue or ForAllValues";
    /// `ForAllValues` of an Allow holds when the key is absent.
    ForAllValuesAbsent "for-all-values-absent" Warning "add a condition `Null` with `false` for the key";
    /// `ForAnyValue` of a Deny does not hold when the key is absent.
    ForAnyValueAbsent "for-any-value-absent" Warning
        "add a Deny with a condition `Null` of `true` for the key, or see that defaults are set";
    /// Tests for what is missing that must all fail before the Deny holds.
    DenyTestsAnded "deny-tests-anded" Warning
        "conditions of a statement are ANDed: give each test a Deny statement of its own";
    /// Allow statements that each ask for one of several keys.
    AllowNullOrs "allow-null-ors" Warning
        "statements are ORed: require the keys together in one Allow, or by Deny statements with `Null` of `true`";
    /// An Allow without conditions that makes another's `Null` test void.
    GuardrailBypassed "guardrail-bypassed" Warning "turn the guardrail into a Deny with `Null` of `true`";
    /// A Deny of sessions without MFA that long-term keys pass.
    MfaAbsent "mfa-absent" Warning "use BoolIfExists: the key is absent for long-term access keys";
    /// A namespace that no metric has.
    NamespaceNeverEqual "namespace-never-equal" Warning
        "namespaces regard case: `AWS/SageMaker`, `/aws/sagemaker/Endpoints`";
    /// `aws:SourceIp` where requests may come through an endpoint.
    SourceIpAbsent "source-ip-absent" Note
        "aws:SourceIp is absent for requests through a VPC endpoint: use aws:SourceVpce, or aws:VpcSourceIp with it";
    /// `aws:SourceIp` in an endpoint policy.
    SourceIpAtEndpoint "source-ip-at-endpoint" Warning "use aws:VpcSourceIp, aws:SourceVpc or aws:SourceVpce";
    /// `${aws:username}` where sessions of roles may ask.
    UsernameAbsent "username-absent" Warning
        "aws:username is absent for role sessions: use aws:PrincipalTag, aws:SourceIdentity or aws:userid";
    /// A variable in a document of the old version.
    VariableInOldVersion "variable-in-old-version" Warning "add \"Version\": \"2012-10-17\"; without it `${` is plain text";
    /// A variable of a key that no service sets.
    UnknownVariable "unknown-variable" Warning "correct the key; a variable that is not resolved matches nothing";
    /// A policy that can only deny, where only an Allow lets anything through.
    DenyOnly "deny-only" Warning
        "add an Allow statement: this kind of policy lets through only what it allows";
    /// An Allow that a Deny covers.
    AllowShadowed "allow-shadowed" Warning "remove the Allow, or narrow the Deny";
    /// An Allow that another covers.
    AllowRepeated "allow-repeated" Note "remove the statement: another one allows all of it";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
