//! The services that last-accessed details know by name. Others are listed where a policy names them.

/// Namespace and name, in order.
const SERVICES: &[(&str, &str)] = &[
    ("athena", "Amazon Athena"),
    ("bedrock", "Amazon Bedrock"),
    ("cloudformation", "AWS CloudFormation"),
    ("cloudtrail", "AWS CloudTrail"),
    ("cloudwatch", "Amazon CloudWatch"),
    ("dynamodb", "Amazon DynamoDB"),
    ("ec2", "Amazon EC2"),
    ("ecr", "Amazon Elastic Container Registry"),
    ("events", "Amazon EventBridge"),
    ("glue", "AWS Glue"),
    ("iam", "AWS Identity and Access Management"),
    ("kms", "AWS Key Management Service"),
    ("lambda", "AWS Lambda"),
    ("logs", "Amazon CloudWatch Logs"),
    ("organizations", "AWS Organizations"),
    ("pricing", "AWS Price List"),
    ("ram", "AWS Resource Access Manager"),
    ("s3", "Amazon S3"),
    ("sagemaker", "Amazon SageMaker"),
    ("secretsmanager", "AWS Secrets Manager"),
    ("servicecatalog", "AWS Service Catalog"),
    ("sns", "Amazon SNS"),
    ("sqs", "Amazon SQS"),
    ("states", "AWS Step Functions"),
    ("sts", "AWS Security Token Service"),
];

/// The namespaces: of these and of all services whose actions are known.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    let named = SERVICES.iter().map(|(namespace, _)| *namespace);
    named.chain(stoa_models_authz::services().iter().map(|service| service.prefix))
}

/// The service's name; its namespace where no name is known.
pub(super) fn name_of(namespace: &str) -> String {
    let known = SERVICES.iter().find(|(known, _)| *known == namespace);
    known.map_or(namespace, |(_, name)| name).to_owned()
}
