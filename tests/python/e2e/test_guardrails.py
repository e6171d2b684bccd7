"""What policies allow and refuse: exact words, least privilege, passed roles, separate accounts."""

import json

import pytest
from botocore.exceptions import ClientError

from support import (
    IRIS,
    PUBLIC_HUB,
    REGION,
    SENTIMENT,
    TINY,
    allow,
    deny,
    endpoint_gone,
    endpoint_status,
    iris_label,
    policy,
    public_model,
    refused,
    statement,
)

PUBLIC = f"arn:aws:sagemaker:{REGION}:aws"
NOBODY_ALLOWS = "because no identity-based policy allows the {} action"
DENIED = "with an explicit deny in an identity-based policy"


@pytest.fixture
def hub(account):
    sm = account.client("sagemaker")
    sm.create_hub(HubName="Company", HubDescription="d")
    for name in (IRIS, TINY):
        sm.create_hub_content_reference(
            HubName="Company", SageMakerPublicHubContentArn=f"{PUBLIC}:hub-content/{PUBLIC_HUB}/Model/{name}"
        )
    return account.arn("hub/Company")


def test_a_user_without_policies_may_nothing(account):
    user = account.new_user("ana")
    arn = f"arn:aws:iam::{account.id}:user/ana"
    cases = [
        ("sagemaker", "list_hubs", {}, "sagemaker:ListHubs", "*"),
        ("sagemaker", "list_models", {}, "sagemaker:ListModels", "*"),
        ("sagemaker", "create_hub", {"HubName": "h", "HubDescription": "d"}, "sagemaker:CreateHub", account.arn("hub/h")),
        ("sagemaker", "describe_hub", {"HubName": "h"}, "sagemaker:DescribeHub", account.arn("hub/h")),
        ("sagemaker", "describe_endpoint", {"EndpointName": "e"}, "sagemaker:DescribeEndpoint", account.arn("endpoint/e")),
        ("sagemaker", "delete_model", {"ModelName": "m"}, "sagemaker:DeleteModel", account.arn("model/m")),
        ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b""}, "sagemaker:InvokeEndpoint", account.arn("endpoint/e")),
    ]
    for service, call, arguments, action, resource in cases:
        with refused("AccessDeniedException") as error:
            getattr(user.client(service), call)(**arguments)
        assert error.message == (
            f"User: {arn} is not authorized to perform: {action} on resource: {resource} " + NOBODY_ALLOWS.format(action)
        )
    with refused("AccessDenied", status=403) as error:
        user.client("iam").get_role(RoleName="r")
    assert error.message == (
        f"User: {arn} is not authorized to perform: iam:GetRole on resource: role r " + NOBODY_ALLOWS.format("iam:GetRole")
    ) or error.message == (
        f"User: {arn} is not authorized to perform: iam:GetRole on resource: arn:aws:iam::{account.id}:role/r "
        + NOBODY_ALLOWS.format("iam:GetRole")
    )
    with refused("AccessDenied", "s3:ListAllMyBuckets", status=403):
        user.client("s3").list_buckets()
    # A refusal says nothing of what is there and what is not.
    account.client("sagemaker").create_hub(HubName="h", HubDescription="d")
    with refused("AccessDeniedException") as error:
        user.client("sagemaker").describe_hub(HubName="h")
    assert "not authorized" in error.message


def test_one_permission_opens_one_operation(account, hub):
    user = account.new_user("ana", allow("sagemaker:DescribeHub", hub))
    sm = user.client("sagemaker")
    assert sm.describe_hub(HubName="Company")["HubName"] == "Company"
    assert sm.describe_hub(HubName=hub)["HubArn"] == hub
    with refused("AccessDeniedException", "sagemaker:DescribeHub", account.arn("hub/Other")):
        sm.describe_hub(HubName="Other")
    with refused("AccessDeniedException", "sagemaker:DeleteHub"):
        sm.delete_hub(HubName="Company")
    with refused("AccessDeniedException", "sagemaker:ListHubContents"):
        sm.list_hub_contents(HubName="Company", HubContentType="ModelReference")


def test_a_deny_beats_every_allow(account, hub):
    user = account.new_user("ana", allow("*"), deny("sagemaker:Delete*", hub))
    sm = user.client("sagemaker")
    assert sm.describe_hub(HubName="Company")
    with refused("AccessDeniedException") as error:
        sm.delete_hub(HubName="Company")
    arn = f"arn:aws:iam::{account.id}:user/ana"
    assert error.message == (
        f"User: {arn} is not authorized to perform: sagemaker:DeleteHub on resource: {hub} {DENIED}"
    )
    sm.create_hub(HubName="Other", HubDescription="d")
    sm.delete_hub(HubName="Other")


def only_this_hub(account):
    """What the two blog posts attach to data scientists: this hub, nothing of the public one, no bucket around it."""
    own = [account.arn(f"{kind}/*") for kind in ("model", "endpoint", "endpoint-config")]
    return [
        policy(
            statement("Allow", [
                "sagemaker:DescribeHub", "sagemaker:ListHubContents", "sagemaker:ListHubContentVersions",
                "sagemaker:DescribeHubContent", "sagemaker:DeployHubModel", "sagemaker:CreateHubContentPresignedUrls",
            ], [account.arn("hub/Company"), account.arn("hub-content/Company/*")]),
            statement("Allow", ["sagemaker:*Model", "sagemaker:*Endpoint", "sagemaker:*EndpointConfig", "sagemaker:*Tags"], own),
            statement("Allow", ["iam:PassRole", "iam:GetRole"], f"arn:aws:iam::{account.id}:role/Exec"),
        ),
        policy(
            statement("Deny", "sagemaker:*", [f"{PUBLIC}:hub/{PUBLIC_HUB}", f"{PUBLIC}:hub-content/{PUBLIC_HUB}/*/*"]),
            {"Effect": "Deny", "Action": "s3:*", "NotResource": [f"arn:aws:s3:::jumpstart-cache-prod-{REGION}/*eula*"]},
        ),
    ]


def container_of(sm, name, arn=None, hub="Company", kind="ModelReference"):
    described = sm.describe_hub_content(HubName=hub, HubContentType=kind, HubContentName=name)
    document = json.loads(described["HubContentDocument"])
    source = {"S3Uri": document["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None"}
    content = arn or described["HubContentArn"]
    if content.count("/") < 4:
        content += "/" + described["HubContentVersion"]
    source["HubAccessConfig"] = {"HubContentArn": content}
    return {"Image": document["HostingEcrUri"], "ModelDataSource": {"S3DataSource": source}}


def test_the_data_scientist_gets_this_hub_and_nothing_else(account, hub):
    role = account.new_role("Exec", *only_this_hub(account))
    alice = account.new_user("starter", allow("sts:AssumeRole", role)).assume(role, "alice")
    sm = alice.client("sagemaker")
    listed = sm.list_hub_contents(HubName="Company", HubContentType="ModelReference")["HubContentSummaries"]
    assert {one["HubContentName"] for one in listed} == {IRIS, TINY}
    # The approved one, end to end.
    sm.create_model(ModelName="ok", ExecutionRoleArn=role, PrimaryContainer=container_of(sm, IRIS))
    variant = {"VariantName": "v", "ModelName": "ok", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sm.create_endpoint_config(EndpointConfigName="ok", ProductionVariants=[variant])
    sm.create_endpoint(EndpointName="ok", EndpointConfigName="ok")
    described = endpoint_status(sm, "ok")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    assert iris_label(alice.client("sagemaker-runtime"), "ok") == "setosa"
    sm.delete_endpoint(EndpointName="ok")
    endpoint_gone(account.client("sagemaker"), "ok")
    # What is not in the hub, by every way round.
    with refused("ResourceNotFound", SENTIMENT):
        sm.describe_hub_content(HubName="Company", HubContentType="ModelReference", HubContentName=SENTIMENT)
    for call in (
        lambda: sm.describe_hub(HubName=PUBLIC_HUB),
        lambda: sm.list_hub_contents(HubName=PUBLIC_HUB, HubContentType="Model"),
        lambda: sm.describe_hub_content(HubName=PUBLIC_HUB, HubContentType="Model", HubContentName=SENTIMENT),
    ):
        with refused("AccessDeniedException", DENIED):
            call()
    with refused("AccessDenied"):
        alice.client("s3").get_object(Bucket=f"jumpstart-cache-prod-{REGION}", Key="models_manifest.json")
    root = account.client("sagemaker")
    direct = public_model(root, SENTIMENT)["document"]
    source = {"S3Uri": direct["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": direct["HostingEcrUri"], "ModelDataSource": {"S3DataSource": source}}
    # Without HubAccessConfig: data of a bucket that the execution role must not read.
    with pytest.raises(ClientError) as caught:
        sm.create_model(ModelName="no", ExecutionRoleArn=role, PrimaryContainer=container)
    assert caught.value.response["Error"]["Code"] in ("AccessDeniedException", "ValidationException")
    # With somebody else's permit: the content is in the hub, the data are not its.
    borrowed = container_of(sm, IRIS)["ModelDataSource"]["S3DataSource"]["HubAccessConfig"]
    with pytest.raises(ClientError):
        sm.create_model(
            ModelName="no", ExecutionRoleArn=role,
            PrimaryContainer={**container, "ModelDataSource": {"S3DataSource": {**source, "HubAccessConfig": borrowed}}},
        )
    assert [one["ModelName"] for one in root.list_models()["Models"]] == ["ok"]


def test_deploy_needs_the_hubs_permission(account, hub):
    policies = only_this_hub(account)
    policies[0]["Statement"][0]["Action"].remove("sagemaker:DeployHubModel")
    role = account.new_role("Exec", *policies)
    alice = account.new_user("starter", allow("sts:AssumeRole", role)).assume(role, "alice")
    sm = alice.client("sagemaker")
    container = container_of(sm, IRIS)
    with refused("AccessDeniedException", "sagemaker:DeployHubModel", hub):
        sm.create_model(ModelName="no", ExecutionRoleArn=role, PrimaryContainer=container)


def test_passing_a_role_must_be_allowed(account):
    role = account.new_role("Exec")
    other = account.new_role("Other")
    user = account.new_user(
        "ana", allow("sagemaker:*"), policy(statement("Allow", "iam:PassRole", role, Condition={
            "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
        })),
    )
    sm = user.client("sagemaker")
    image = {"Image": public_model(sm, IRIS)["document"]["HostingEcrUri"]}
    with refused("AccessDeniedException", "iam:PassRole", other):
        sm.create_model(ModelName="m", ExecutionRoleArn=other, PrimaryContainer=image)
    sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=image)
    # A role that SageMaker may not assume is no execution role, whoever passes it.
    only_users = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account.id}:root"}, "Action": "sts:AssumeRole"}
    ]}
    made = account.client("iam").create_role(RoleName="Human", AssumeRolePolicyDocument=json.dumps(only_users))
    for role in (made["Role"]["Arn"], made["Role"]["Arn"] + "-nobody"):
        with refused("ValidationException", f"Could not assume role {role}", "sagemaker.amazonaws.com"):
            account.client("sagemaker").create_model(ModelName="n", ExecutionRoleArn=role, PrimaryContainer=image)


def test_tags_guard(account):
    """`aws:RequestTag` on creation, `aws:ResourceTag` afterwards: the common split by team."""
    guard = policy(
        statement("Allow", ["sagemaker:CreateHub", "sagemaker:AddTags"], Condition={"StringEquals": {"aws:RequestTag/team": "red"}}),
        statement("Allow", ["sagemaker:DescribeHub", "sagemaker:DeleteHub"], Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}),
    )
    sm = account.new_user("ana", guard).client("sagemaker")
    root = account.client("sagemaker")
    for tags in ([], [{"Key": "team", "Value": "blue"}]):
        with refused("AccessDeniedException", "sagemaker:CreateHub"):
            sm.create_hub(HubName="red", HubDescription="d", **({"Tags": tags} if tags else {}))
    sm.create_hub(HubName="red", HubDescription="d", Tags=[{"Key": "team", "Value": "red"}])
    root.create_hub(HubName="blue", HubDescription="d", Tags=[{"Key": "team", "Value": "blue"}])
    assert sm.describe_hub(HubName="red")
    with refused("AccessDeniedException", account.arn("hub/blue")):
        sm.describe_hub(HubName="blue")
    root.delete_tags(ResourceArn=account.arn("hub/red"), TagKeys=["team"])
    with refused("AccessDeniedException"):
        sm.delete_hub(HubName="red")


def test_source_ip_decides(account):
    near = policy(statement("Allow", "sagemaker:ListHubs", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}))
    far = policy(statement("Allow", "sagemaker:ListHubs", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    assert "HubSummaries" in account.new_user("near", near).client("sagemaker").list_hubs()
    with refused("AccessDeniedException"):
        account.new_user("far", far).client("sagemaker").list_hubs()


def test_a_policy_change_is_in_force_at_once(account):
    user, iam = account.new_user("ana"), account.client("iam")
    sm = user.client("sagemaker")
    for _ in range(3):
        with refused("AccessDeniedException"):
            sm.list_hubs()
        iam.put_user_policy(UserName="ana", PolicyName="p", PolicyDocument=json.dumps(allow("sagemaker:ListHubs")))
        assert "HubSummaries" in sm.list_hubs()
        iam.delete_user_policy(UserName="ana", PolicyName="p")


def test_accounts_are_apart(account, server, hub):
    other = server.new_account("other")
    sm = other.client("sagemaker")
    mine = [one["HubName"] for one in sm.list_hubs()["HubSummaries"]]
    assert "Company" not in mine
    with refused("ResourceNotFound"):
        sm.describe_hub(HubName="Company")
    for call in (
        lambda: sm.describe_hub(HubName=hub),
        lambda: sm.list_hub_contents(HubName=hub, HubContentType="ModelReference"),
        lambda: sm.delete_hub(HubName=hub),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] in ("AccessDeniedException", "ResourceNotFound")
    with pytest.raises(ClientError):
        sm.list_tags(ResourceArn=hub)
    sm.create_hub(HubName="Company", HubDescription="the other's own")
    assert account.client("sagemaker").describe_hub(HubName="Company")["HubDescription"] == "d"
    role = account.new_role("Exec")
    with refused("AccessDenied"):
        other.new_user("thief", allow("*")).assume(role)


def test_the_words_of_a_denied_role_session(account):
    role = account.new_role("Reader", allow("sagemaker:List*"))
    session = account.new_user("ana", allow("sts:*")).assume(role, "s1")
    with refused("AccessDeniedException") as error:
        session.client("sagemaker").create_hub(HubName="h", HubDescription="d")
    assert error.message == (
        f"User: arn:aws:sts::{account.id}:assumed-role/Reader/s1 is not authorized to perform: sagemaker:CreateHub on "
        f"resource: {account.arn('hub/h')} because no identity-based policy allows the sagemaker:CreateHub action"
    )
