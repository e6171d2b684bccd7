//! Against botocore: `tests/data/requests.json` is what its serializers send; `responses.json` is what we answer, which
//! its parsers have read as it was meant (`tests/data/cross_check.py` does both).

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value as Json, json};
use stoa_codecs::{Encoded, WireError};
use stoa_schema::{OperationSpec, ProtocolName, ServiceSpec, Value};

use crate::support::*;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn service(name: &str) -> &'static ServiceSpec {
    match name {
        "sagemaker" => &stoa_models_sagemaker::SERVICE,
        "sagemaker-runtime" => &stoa_models_sagemaker_runtime::SERVICE,
        "iam" => &stoa_models_iam::SERVICE,
        "sts" => &stoa_models_sts::SERVICE,
        other => panic!("no model of {other}"),
    }
}

fn protocol_name(name: &str) -> ProtocolName {
    match name {
        "json" => ProtocolName::AwsJson11,
        "query" => ProtocolName::AwsQuery,
        "rest-json" => ProtocolName::RestJson1,
        "smithy-rpc-v2-cbor" => ProtocolName::RpcV2Cbor,
        other => panic!("no codec of {other}"),
    }
}

#[test]
fn requests() {
    let cases: Vec<Json> = serde_json::from_slice(&std::fs::read(path("requests.json")).unwrap()).unwrap();
    assert!(cases.len() >= 30);
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let spec = service(text("service")).operation(text("operation")).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in case["headers"].as_object().unwrap() {
            let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
            headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        let body = STANDARD.decode(text("body")).unwrap();
        let read = decode_at(protocol_name(text("protocol")), spec, text("path"), "", &headers, &body);
        let shape_of_all = OperationSpec { ..rpc(spec) };
        let expected = decode(ProtocolName::AwsJson11, &shape_of_all, case["expected"].to_string().as_bytes()).unwrap();
        assert_eq!(sorted(read.unwrap()), sorted(expected), "{} {}", text("operation"), text("protocol"));
    }
}

/// The operation with its input alone.
fn rpc(spec: &OperationSpec) -> OperationSpec {
    let plain =
        OperationSpec::not_implemented("", "", "POST", "/", stoa_schema::Authz::Custom, stoa_schema::Access::Read);
    OperationSpec { input: spec.input, ..plain }
}

/// Results by operation, as awsJson writes them.
fn results() -> Vec<(&'static str, &'static str, &'static [&'static str], Json)> {
    const RPC: &[&str] = &["json", "query", "smithy-rpc-v2-cbor"];
    let hub = json!({"HubName": "CompanyHub", "HubArn": "arn:aws:sagemaker:us-west-2:123456789012:hub/CompanyHub",
        "HubStatus": "InService", "CreationTime": 1795262405.25, "LastModifiedTime": 1795262405, "HubDescription": "a <b> & \"c\" é",
        "HubSearchKeywords": ["x", "y z"], "S3StorageConfig": {"S3OutputPath": "s3://b/"}});
    let policy = "%7B%22Version%22%3A%222012-10-17%22%7D";
    let role = json!({"Role": {"Path": "/a/", "RoleName": "R", "RoleId": "AROAX", "Arn": "arn:aws:iam::123456789012:role/a/R",
        "CreateDate": 1795262405, "AssumeRolePolicyDocument": "x", "MaxSessionDuration": 3600, "Tags": [{"Key": "k", "Value": "v & w"}]}});
    vec![
        ("sagemaker", "DescribeHub", RPC, hub),
        ("sagemaker", "ListModels", RPC, json!({"Models": [], "NextToken": "t"})),
        (
            "sagemaker",
            "DescribeEndpoint",
            RPC,
            json!({"EndpointName": "e", "EndpointArn": "arn:aws:sagemaker:us-west-2:123456789012:endpoint/e",
            "EndpointStatus": "InService", "CreationTime": 1795262405, "LastModifiedTime": 1795262405, "ProductionVariants": [
                {"VariantName": "v", "CurrentWeight": 0.5, "CurrentInstanceCount": 2, "DeployedImages": [{"SpecifiedImage": "i"}]}]}),
        ),
        (
            "sagemaker",
            "DescribeModel",
            RPC,
            json!({"ModelName": "m", "ModelArn": "a", "CreationTime": 0.5, "EnableNetworkIsolation": false,
            "PrimaryContainer": {"Image": "i", "Environment": {"A": "1", "B": ""}}}),
        ),
        ("sagemaker", "DeleteHub", RPC, json!({})),
        (
            "sagemaker-runtime",
            "InvokeEndpoint",
            &["rest-json"],
            json!({"Body": "AAEC/w==", "ContentType": "application/x-npy", "InvokedProductionVariant": "v"}),
        ),
        ("iam", "GetRole", &["query"], role),
        ("iam", "GetRolePolicy", &["query"], json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": policy})),
        ("iam", "ListUsers", &["query"], json!({"Users": [], "IsTruncated": false})),
        ("iam", "DeleteRole", &["query"], json!({})),
        (
            "iam",
            "SimulatePrincipalPolicy",
            &["query"],
            json!({"IsTruncated": false, "EvaluationResults": [
            {"EvalActionName": "s3:GetObject", "EvalDecision": "explicitDeny", "EvalDecisionDetails": {"identity": "explicitDeny"},
             "MatchedStatements": [{"SourcePolicyId": "p", "StartPosition": {"Line": 1, "Column": 2}}], "MissingContextValues": []}]}),
        ),
        (
            "sts",
            "GetCallerIdentity",
            &["query"],
            json!({"UserId": "u", "Account": "123456789012", "Arn": "arn:aws:sts::1:assumed-role/R/s"}),
        ),
        (
            "sts",
            "AssumeRole",
            &["query"],
            json!({"Credentials": {"AccessKeyId": "ASIAX", "SecretAccessKey": "s/+=", "SessionToken": "t",
            "Expiration": 1795262405}, "AssumedRoleUser": {"AssumedRoleId": "AROAX:s", "Arn": "a"}, "PackedPolicySize": 3}),
        ),
    ]
}

fn shown(service: &str, operation: &str, protocol: &str, encoded: &Encoded, expected: &Json) -> Json {
    let headers: serde_json::Map<String, Json> =
        encoded.headers.iter().map(|(name, value)| (name.to_string(), Json::from(value.to_str().unwrap()))).collect();
    json!({"service": service, "operation": operation, "protocol": protocol, "status": encoded.status, "headers": headers,
        "body": STANDARD.encode(&encoded.body), "expected": expected})
}

/// Set `STOA_WRITE_GOLDEN` to write the file anew; then let `cross_check.py responses` judge it.
#[test]
fn responses() {
    let mut cases = Vec::new();
    for (service_name, operation, protocols, expected) in results() {
        let spec = service(service_name).operation(operation).unwrap();
        let as_input = OperationSpec { input: spec.output, ..rpc(spec) };
        let value = match spec.output {
            Some(_) => decode(ProtocolName::AwsJson11, &as_input, expected.to_string().as_bytes()).unwrap(),
            None => Value::empty(),
        };
        for name in protocols {
            let encoded = encode(protocol_name(name), spec, &value);
            cases.push(shown(service_name, operation, name, &encoded, &expected));
        }
    }
    let error = WireError {
        code: "ResourceInUse".to_owned(),
        message: "it's <in> use & \"busy\"".to_owned(),
        status: 400,
        sender: true,
        fields: Vec::new(),
    };
    for name in ["json", "query", "rest-json", "smithy-rpc-v2-cbor"] {
        let sagemaker = service("sagemaker");
        let encoded = stoa_codecs::protocol(protocol_name(name)).encode_error(None, sagemaker, &error, "request-1");
        let mut case =
            shown("sagemaker", "DescribeHub", name, &encoded, &json!({"Code": error.code, "Message": error.message}));
        case["error"] = Json::Bool(true);
        cases.push(case);
    }
    let fresh = format!("{:#}\n", Json::Array(cases));
    if std::env::var_os("STOA_WRITE_GOLDEN").is_some() {
        std::fs::write(path("responses.json"), &fresh).unwrap();
    }
    let golden = std::fs::read_to_string(path("responses.json")).unwrap();
    let (golden, fresh): (Json, Json) = (serde_json::from_str(&golden).unwrap(), serde_json::from_str(&fresh).unwrap());
    for (golden, fresh) in golden.as_array().unwrap().iter().zip(fresh.as_array().unwrap()) {
        assert_eq!(golden, fresh, "{} {} is no longer what botocore has read", fresh["operation"], fresh["protocol"]);
    }
    assert_eq!(golden.as_array().unwrap().len(), fresh.as_array().unwrap().len());
}
