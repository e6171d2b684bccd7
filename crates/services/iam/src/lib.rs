//! IAM and STS: identities, credentials and the authority that decides.
