//! Passwords of users: how they are hashed and what an account asks of them. Handlers are in `login_profile` and
//! `policy`.
//!
//! INVARIANT: a password is hashed (Argon2id, a salt of its own) before anything is written, and is in no log, no
//! message and no document.

mod login_profile;
mod policy;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use stoa_kernel::ApiError;
use stoa_types::{IdSource, Secret};

use crate::state::PasswordPolicyRecord;

/// Memory in KiB, passes and lanes: OWASP's first choice for Argon2id.
const COSTS: (u32, u32, u32) = (19_456, 2, 1);
const SALT: usize = 16;
const HASH: usize = 32;
/// How many former passwords are kept: the most that a policy can ask for.
const FORMER: usize = 24;
const SYMBOLS: &str = "!@#$%^&*()_+-=[]{}|'";
const DEFAULT_LENGTH: i64 = 8;

fn raw_hash(password: &str, salt: &[u8], costs: (u32, u32, u32)) -> Option<String> {
    let params = Params::new(costs.0, costs.1, costs.2, Some(HASH)).ok()?;
    let mut out = [0; HASH];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), salt, &mut out).ok()?;
    Some(STANDARD_NO_PAD.encode(out))
}

/// Hashes a password: `argon2id$memory$passes$lanes$salt$hash`. Takes some hundredths of a second, elsewhere.
async fn hashed(password: &str, ids: &dyn IdSource) -> Result<String, ApiError> {
    let mut salt = [0; SALT];
    ids.fill(&mut salt);
    let password = Secret::new(password);
    let made = tokio::task::spawn_blocking(move || {
        let hash = raw_hash(password.expose(), &salt, COSTS)?;
        Some(format!("argon2id${}${}${}${}${hash}", COSTS.0, COSTS.1, COSTS.2, STANDARD_NO_PAD.encode(salt)))
    });
    made.await.map_err(ApiError::internal)?.ok_or_else(|| ApiError::internal("a password cannot be hashed"))
}

fn is_of(password: &str, stored: &str) -> Option<bool> {
    let mut parts = stored.split('$');
    if parts.next()? != "argon2id" {
        return None;
    }
    let mut cost = || parts.next()?.parse::<u32>().ok();
    let costs = (cost()?, cost()?, cost()?);
    let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
    let hash = raw_hash(password, &salt, costs)?;
    // The comparison of secrets takes constant time.
    Some(Secret::new(hash) == Secret::new(parts.next()?))
}

/// Whether the password is one of these.
async fn is_one_of(password: &str, hashes: Vec<String>) -> Result<bool, ApiError> {
    let password = Secret::new(password);
    let compared = tokio::task::spawn_blocking(move || {
        hashes.iter().any(|stored| is_of(password.expose(), stored).unwrap_or(false))
    });
    compared.await.map_err(ApiError::internal)
}

/// Whether a password is as the account wants it, but for reuse. Without a policy AWS's default holds: eight letters,
/// three kinds of them, and not the account's name.
fn conforms(password: &str, policy: Option<&PasswordPolicyRecord>, account_name: &str) -> bool {
    let has = |kind: fn(char) -> bool| password.chars().any(kind);
    let kinds = [
        has(|letter| letter.is_ascii_uppercase()),
        has(|letter| letter.is_ascii_lowercase()),
        has(|letter| letter.is_ascii_digit()),
        has(|letter| SYMBOLS.contains(letter)),
    ];
    let length = i64::try_from(password.chars().count()).unwrap_or(i64::MAX);
    match policy {
        Some(policy) => {
            let wanted = [policy.uppercase, policy.lowercase, policy.numbers, policy.symbols];
            length >= policy.minimum_length && wanted.iter().zip(kinds).all(|(wanted, has)| !wanted || has)
        }
        None => {
            let count = kinds.iter().filter(|has| **has).count();
            length >= DEFAULT_LENGTH && count >= 3 && password != account_name
        }
    }
}

fn violation() -> ApiError {
    let message = "Password does not conform to the account password policy.";
    ApiError::new("PasswordPolicyViolationException", 400, message)
}

#[cfg(test)]
mod tests {
    use stoa_types::SequentialIds;

    use super::{conforms, hashed, is_one_of};
    use crate::state::PasswordPolicyRecord;

    #[tokio::test]
    async fn a_hash_is_of_its_password_alone() {
        let ids = SequentialIds::default();
        let hash = hashed("Correct-Horse-1", &ids).await.unwrap();
        assert!(hash.starts_with("argon2id$19456$2$1$") && !hash.contains("Horse"), "{hash}");
        assert!(is_one_of("Correct-Horse-1", vec!["junk".to_owned(), hash.clone()]).await.unwrap());
        assert!(!is_one_of("correct-horse-1", vec![hash.clone()]).await.unwrap());
        assert_ne!(hashed("Correct-Horse-1", &ids).await.unwrap(), hash, "each has a salt of its own");
    }

    #[test]
    fn a_policy_asks_for_length_and_kinds() {
        let policy = |minimum_length, symbols| PasswordPolicyRecord {
            minimum_length,
            symbols,
            numbers: true,
            uppercase: false,
            lowercase: true,
            users_may_change: false,
            max_age: None,
            reuse_prevention: None,
            hard_expiry: None,
        };
        let cases = [
            ("abc123", Some(policy(6, false)), true),
            ("abc12", Some(policy(6, false)), false),
            ("abcdef", Some(policy(6, false)), false),
            ("abc123", Some(policy(6, true)), false),
            ("abc123'", Some(policy(6, true)), true),
            ("Abcdefg1", None, true),
            ("abcdefg1", None, false),
            ("Abcdef1", None, false),
            ("Account-1", None, false),
        ];
        for (password, policy, wanted) in cases {
            assert_eq!(conforms(password, policy.as_ref(), "Account-1"), wanted, "{password} {policy:?}");
        }
    }
}
