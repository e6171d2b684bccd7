//! AWS managed keys: one for a service in an account and region, made when it is first used, for use through the service
//! alone.
//!
//! INVARIANT: key and alias are written together, and only where the alias is not there: of two first uses one wins, and
//! both use its key.

use stoa_kernel::{ApiError, Cx};
use stoa_models_kms::types::{KeyManagerType, KeySpec, KeyUsageType};
use stoa_store::{Document, StoreError, Transaction};

use crate::Kms;
use crate::error::store_failed;
use crate::key::{NewKey, create_document};
use crate::name::RESERVED;
use crate::state::{AliasRecord, Rotation, alias_key};

const YEAR_DAYS: i64 = 365;

/// The names of AWS managed keys, with the service that uses each: its endpoint's name, and AWS's words for it.
const SERVICES: [(&str, &str, &str); 6] = [
    ("s3", "s3", "S3"),
    ("sagemaker", "sagemaker", "SageMaker"),
    ("ebs", "ec2", "EBS"),
    ("elasticfilesystem", "elasticfilesystem", "EFS"),
    ("ecr", "ecr", "ECR"),
    ("secretsmanager", "secretsmanager", "AWS Secrets Manager"),
];

/// The service whose key this alias names: its endpoint's name and its title.
pub(crate) fn service_of(alias: &str) -> Option<(&'static str, &'static str)> {
    let name = alias.strip_prefix(RESERVED)?;
    SERVICES.iter().find(|(known, _, _)| *known == name).map(|(_, service, title)| (*service, *title))
}

impl Kms {
    /// Makes sure that the key behind one of AWS's aliases is there, in the caller's account and region.
    pub(crate) async fn managed_key(&self, cx: &Cx, alias: &str) -> Result<(), ApiError> {
        let Some((service, title)) = service_of(alias) else { return Ok(()) };
        let (account, region) = (&cx.principal.account, &cx.region);
        let alias_key = alias_key(account, region, alias);
        if self.store.get(&alias_key).await.map_err(store_failed)?.is_some() {
            return Ok(());
        }
        let new = NewKey {
            account,
            region,
            partition: cx.partition.as_str(),
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsageType::EncryptDecrypt,
            manager: KeyManagerType::Aws,
            description: format!("Default key that protects my {title} data when no other key is defined"),
            now: cx.now,
        };
        let mut key = self.new_key(&new).await?;
        key.policy = policy(cx, service, title);
        key.rotation = Some(Rotation::starting(YEAR_DAYS, cx.now));
        key.aliases.insert(alias.to_owned());
        let record = AliasRecord {
            name: alias.to_owned(),
            arn: cx.arn("kms", alias),
            key_id: key.id.clone(),
            created: cx.now,
            updated: cx.now,
        };
        let document = Document::new(alias_key, alias, cx.now, &record).map_err(store_failed)?;
        let transaction = Transaction::new().create(document.with_parent(&key.id)).create(create_document(&new, &key)?);
        match self.store.commit(transaction).await {
            // Another first use came before.
            Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(other) => Err(store_failed(other)),
        }
    }
}

/// The policy of an AWS managed key: everyone in the account, through the service; its description to the account.
fn policy(cx: &Cx, service: &str, title: &str) -> String {
    let (partition, account, region) = (&cx.partition, &cx.principal.account, &cx.region);
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "auto-{service}-2",
  "Statement" : [ {{
    "Sid" : "Allow access through {title} for all principals in the account that are authorized to use {title}",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "*"
    }},
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {{
      "StringEquals" : {{
        "kms:CallerAccount" : "{account}",
        "kms:ViaService" : "{service}.{region}.amazonaws.com"
      }}
    }}
  }}, {{
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:{partition}:iam::{account}:root"
    }},
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*" ],
    "Resource" : "*"
  }} ]
}}"#
    )
}
