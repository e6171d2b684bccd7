//! GetAccountSummary: what there is, and what there may be at most.

use std::collections::BTreeMap;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::GetAccountSummaryResponse;
use stoa_schema::Empty;
use stoa_types::AccountId;

use crate::Iam;
use crate::access_key::MAX_KEYS;
use crate::error::store_failed;
use crate::holder::MAX_ATTACHED;
use crate::named::Holder;
use crate::policy::{MAX_BYTES, MAX_VERSIONS};
use crate::quotas::{GROUPS, GROUPS_PER_USER, INSTANCE_PROFILES, POLICIES, Quota, ROLES, USERS};
use crate::role::MAX_TRUST_BYTES;
use crate::state::{GroupRecord, PolicyRecord, RoleRecord, UserRecord, kind};

const POLICY_VERSIONS_IN_USE: i64 = 10_000;
const SERVER_CERTIFICATES: i64 = 20;
const SIGNING_CERTIFICATES_PER_USER: i64 = 2;

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Iam {
    async fn summary(&self, account: &AccountId) -> Result<BTreeMap<String, i64>, ApiError> {
        let mut map = BTreeMap::new();
        let mut put = |name: &str, value: i64| {
            map.insert(name.to_owned(), value);
        };
        let counted: [(&str, Quota, &'static str); 5] = [
            ("Users", USERS, kind::USER),
            ("Groups", GROUPS, kind::GROUP),
            ("Roles", ROLES, kind::ROLE),
            ("Policies", POLICIES, kind::POLICY),
            ("InstanceProfiles", INSTANCE_PROFILES, kind::INSTANCE_PROFILE),
        ];
        for (name, quota, kind) in counted {
            put(name, i64::try_from(self.count(kind, account).await?).unwrap_or(i64::MAX));
            put(&format!("{name}Quota"), i64::try_from(quota.most).unwrap_or(i64::MAX));
        }
        let mut versions = 0;
        for document in self.all_of(kind::POLICY, account).await? {
            versions += document.decode::<PolicyRecord>().map_err(store_failed)?.versions.len();
        }
        put("PolicyVersionsInUse", number(versions));
        put("PolicyVersionsInUseQuota", POLICY_VERSIONS_IN_USE);
        put("VersionsPerPolicyQuota", number(MAX_VERSIONS));
        put("PolicySizeQuota", number(MAX_BYTES));
        put("UserPolicySizeQuota", number(UserRecord::INLINE_BYTES));
        put("GroupPolicySizeQuota", number(GroupRecord::INLINE_BYTES));
        put("RolePolicySizeQuota", number(RoleRecord::INLINE_BYTES));
        put("AssumeRolePolicySizeQuota", number(MAX_TRUST_BYTES));
        put("GroupsPerUserQuota", number(GROUPS_PER_USER));
        put("AccessKeysPerUserQuota", number(MAX_KEYS));
        for holder in ["Group", "Role", "User"] {
            put(&format!("AttachedPoliciesPer{holder}Quota"), number(MAX_ATTACHED));
        }
        let root_keys = self.keys_of(account, None).await?;
        put("AccountAccessKeysPresent", i64::from(!root_keys.is_empty()));
        // Root users have neither passwords nor certificates here; server certificates are not kept.
        put("AccountPasswordPresent", 0);
        put("AccountSigningCertificatesPresent", 0);
        put("ServerCertificates", 0);
        put("ServerCertificatesQuota", SERVER_CERTIFICATES);
        put("SigningCertificatesPerUserQuota", SIGNING_CERTIFICATES_PER_USER);
        // A device in use is an assigned one; the root user has none here.
        let mut in_use = 0;
        for document in self.all_of(kind::USER, account).await? {
            in_use += document.decode::<UserRecord>().map_err(store_failed)?.mfa_devices.len();
        }
        put("AccountMFAEnabled", 0);
        put("MFADevices", i64::try_from(self.count(kind::MFA, account).await?).unwrap_or(i64::MAX));
        put("MFADevicesInUse", number(in_use));
        let providers = self.count(kind::SAML, account).await? + self.count(kind::OIDC, account).await?;
        put("Providers", i64::try_from(providers).unwrap_or(i64::MAX));
        // Session tokens hold in every region.
        put("GlobalEndpointTokenVersion", 2);
        Ok(map)
    }
}

impl Handles<op::GetAccountSummary> for Iam {
    async fn handle(&self, cx: &Cx, _input: Authorized<Empty>) -> Result<GetAccountSummaryResponse, ApiError> {
        Ok(GetAccountSummaryResponse { summary_map: Some(self.summary(self.account(cx)).await?) })
    }
}
