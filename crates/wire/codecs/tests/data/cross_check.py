#!/usr/bin/env python3
"""Cross-checks the codecs against botocore, the library under boto3 and the AWS CLI. Needs the pinned botocore.

  cross_check.py requests    lets botocore's serializers write requests.json: what clients send, which the codecs must read
  cross_check.py responses   lets botocore's parsers read responses.json (written by the Rust test `responses` with
                          STOA_WRITE_GOLDEN=1): what the codecs send, which clients must read as it was meant
"""

import base64
import datetime
import io
import json
import pathlib
import sys

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.serialize
from botocore.awsrequest import HeadersDict

HERE = pathlib.Path(__file__).resolve().parent
UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)
RPC = ["json", "query", "smithy-rpc-v2-cbor", "rest-json"]

TAGS = [{"Key": "team", "Value": "a&b=c"}, {"Key": "ünï", "Value": ""}]
REQUESTS = [
    ("sagemaker", "DescribeHub", RPC, {"HubName": "CompanyHub"}),
    ("sagemaker", "CreateHub", RPC, {
        "HubName": "CompanyHub", "HubDescription": "a \"quoted\" + plus & <tag> \n line \U0001f600", "HubSearchKeywords": ["one", "two three"],
        "S3StorageConfig": {"S3OutputPath": "s3://bucket/a b/"}, "Tags": TAGS}),
    ("sagemaker", "ListHubs", RPC, {"MaxResults": 10, "CreationTimeAfter": NOON, "SortBy": "HubName", "NameContains": "x"}),
    ("sagemaker", "CreateModel", RPC, {
        "ModelName": "m", "EnableNetworkIsolation": True, "ExecutionRoleArn": "arn:aws:iam::123456789012:role/x",
        "PrimaryContainer": {"Image": "i:1", "Environment": {"A": "1", "B.C": "x=y&z"}, "ModelDataSource": {
            "S3DataSource": {"S3Uri": "s3://b/k/", "S3DataType": "S3Prefix", "CompressionType": "None",
                             "ModelAccessConfig": {"AcceptEula": False}}}},
        "VpcConfig": {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}}),
    ("sagemaker", "CreateEndpointConfig", RPC, {
        "EndpointConfigName": "c", "ProductionVariants": [
            {"VariantName": "v%d" % n, "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": n,
             "InitialVariantWeight": weight} for n, weight in ((1, 0.25), (2, 1.0), (11, 3.5))]}),
    ("sagemaker-runtime", "InvokeEndpoint", ["rest-json"], {
        "EndpointName": "my-endpoint", "Body": bytes(range(256)), "ContentType": "application/x-npy", "Accept": "text/csv",
        "CustomAttributes": "a=1,b=2", "TargetModel": "m.tar.gz", "InferenceId": "id 1"}),
    ("iam", "CreateRole", RPC, {
        "RoleName": "DataScientist", "Path": "/a/b/", "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": []}),
        "MaxSessionDuration": 7200, "Tags": TAGS}),
    ("iam", "SimulatePrincipalPolicy", RPC, {
        "PolicySourceArn": "arn:aws:iam::123456789012:user/x", "ActionNames": ["s3:GetObject", "sagemaker:*"], "ResourceArns": ["*"],
        "ContextEntries": [{"ContextKeyName": "aws:SourceIp", "ContextKeyValues": ["10.0.0.1"], "ContextKeyType": "ip"}]}),
    ("iam", "ListUsers", ["query"], {}),
    ("iam", "UntagRole", ["query"], {"RoleName": "r", "TagKeys": []}),
    ("sts", "AssumeRole", RPC, {
        "RoleArn": "arn:aws:iam::123456789012:role/x", "RoleSessionName": "s@x", "DurationSeconds": 900, "Tags": TAGS,
        "TransitiveTagKeys": ["team"], "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}),
    ("sts", "GetCallerIdentity", ["query"], {}),
]


def model(service, protocol):
    loaded = botocore.loaders.Loader().load_service_model(service, "service-2")
    metadata = dict(loaded["metadata"], protocol=protocol, protocols=[protocol], jsonVersion="1.1")
    metadata.setdefault("targetPrefix", service)
    return botocore.model.ServiceModel(dict(loaded, metadata=metadata), service)


def plain(value):
    """A value as awsJson would write it: times as epoch seconds, bytes as base64."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def body_of(request, protocol):
    import urllib.parse
    body = request["body"]
    if isinstance(body, dict):
        body = urllib.parse.urlencode(body)
    return body.encode() if isinstance(body, str) else bytes(body)


def requests():
    cases = []
    for service, operation, protocols, parameters in REQUESTS:
        for protocol in protocols:
            if protocol == "rest-json" and service in ("iam", "sts"):
                continue
            described = model(service, protocol)
            serializer = botocore.serialize.create_serializer(protocol)
            request = serializer.serialize_to_request(parameters, described.operation_model(operation))
            cases.append({
                "service": service, "operation": operation, "protocol": protocol, "method": request["method"],
                "path": request["url_path"], "headers": dict(sorted(request["headers"].items())),
                "body": base64.b64encode(body_of(request, protocol)).decode(), "expected": plain(parameters),
            })
    (HERE / "requests.json").write_text(json.dumps(cases, indent=1, sort_keys=True) + "\n")
    print(f"{len(cases)} requests written")


def comparable(value):
    """Numbers that are equal are the same; an absent list is not an empty one."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def responses():
    failures = 0
    cases = json.loads((HERE / "responses.json").read_text())
    for case in cases:
        described = model(case["service"], case["protocol"]).operation_model(case["operation"])
        parser = botocore.parsers.create_parser(case["protocol"])
        body = base64.b64decode(case["body"])
        if described.has_streaming_output and not case.get("error"):
            body = io.BytesIO(body)  # as botocore's own endpoint does
        parsed = parser.parse({"body": body, "headers": HeadersDict(case["headers"]), "status_code": case["status"]}, described.output_shape)
        if case.get("error"):
            found = {"Code": parsed["Error"]["Code"], "Message": parsed["Error"]["Message"]}
        else:
            found = comparable(plain(parsed))
        wanted = comparable(case["expected"])
        # botocore gives no metadata at all for a CBOR answer without an output shape.
        silent = described.output_shape is None and case["protocol"] == "smithy-rpc-v2-cbor" and not case.get("error")
        if found != wanted or (not silent and parsed["ResponseMetadata"].get("RequestId") != "request-1"):
            failures += 1
            print("FAIL", case["service"], case["operation"], case["protocol"], "\n  found ", found, "\n  wanted", wanted, parsed["ResponseMetadata"])
    print(f"{len(cases) - failures} responses read as meant, {failures} not")
    return failures


if __name__ == "__main__":
    sys.exit(requests() if sys.argv[1:] == ["requests"] else responses())
