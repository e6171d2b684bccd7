"""Hubs shared through RAM by boto3 and the CLI: three accounts, inside the organization and outside it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from botocore.exceptions import ClientError

from support import IRIS, NO_PROXIES, PUBLIC_HUB, REGION, TINY, Account, allow, clean_environment, refused

AWS = Path(sys.executable).with_name("aws")
PUBLIC = f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model"
READ = "arn:aws:ram::aws:permission/AWSRAMPermissionSageMakerHubRead"
USE = "arn:aws:ram::aws:permission/AWSRAMPermissionSageMakerHubReadAndUse"
FULL = "arn:aws:ram::aws:permission/AWSRAMPermissionSageMakerHubFullAccessPolicy"
CONTENT = {"HubContentType": "ModelReference", "HubContentName": IRIS}


@pytest.fixture
def owner(server):
    return server.new_account("owner")


@pytest.fixture
def consumer(server):
    return standalone(server, "consumer")


@pytest.fixture
def other(server):
    return standalone(server, "other")


def standalone(server, name):
    made = json.loads(server.command("account", "create", "--name", name, "--standalone").stdout)
    return Account(server, made["account_id"], made["access_key_id"], made["secret_access_key"])


def hub_of(owner, name="models"):
    """A hub with a reference to a public model; its ARN."""
    sm = owner.client("sagemaker")
    arn = sm.create_hub(HubName=name, HubDescription="d")["HubArn"]
    sm.create_hub_content_reference(HubName=name, SageMakerPublicHubContentArn=f"{PUBLIC}/{IRIS}")
    return arn


def share_of(owner, arn, *principals, **more):
    ram = owner.client("ram")
    return ram.create_resource_share(name="models", resourceArns=[arn], principals=list(principals), **more)["resourceShare"]


def accept(consumer):
    ram = consumer.client("ram")
    for invitation in ram.get_resource_share_invitations()["resourceShareInvitations"]:
        if invitation["status"] == "PENDING":
            ram.accept_resource_share_invitation(resourceShareInvitationArn=invitation["resourceShareInvitationArn"])


def code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def may_read(account, hub):
    """Whether all four ways to read a hub are open; they are open or closed together."""
    sm = account.client("sagemaker")
    codes = {
        code(sm.describe_hub, HubName=hub),
        code(sm.list_hub_contents, HubName=hub, HubContentType="ModelReference"),
        code(sm.describe_hub_content, HubName=hub, **CONTENT),
        code(sm.list_hub_content_versions, HubName=hub, **CONTENT),
    }
    assert codes in ({None}, {"AccessDeniedException"}), codes
    return codes == {None}


def test_outside_the_organization_by_invitation(owner, consumer, other):
    hub = hub_of(owner)
    ram = consumer.client("ram")
    assert not may_read(consumer, hub)
    share = share_of(owner, hub, consumer.id, tags=[{"key": "team", "value": "one"}])
    assert (share["status"], share["owningAccountId"], share["allowExternalPrincipals"]) == ("ACTIVE", owner.id, True)
    assert not may_read(consumer, hub)
    waiting = owner.client("ram").get_resource_share_associations(associationType="PRINCIPAL")["resourceShareAssociations"]
    assert [(one["associatedEntity"], one["status"], one["external"]) for one in waiting] == [(consumer.id, "ASSOCIATING", True)]

    [invitation] = ram.get_resource_share_invitations()["resourceShareInvitations"]
    assert (invitation["status"], invitation["senderAccountId"], invitation["receiverAccountId"]) == ("PENDING", owner.id, consumer.id)
    name = {"resourceShareInvitationArn": invitation["resourceShareInvitationArn"]}
    assert [one["arn"] for one in ram.list_pending_invitation_resources(**name)["resources"]] == [hub]
    with refused("ResourceShareInvitationArnNotFoundException", status=400):
        other.client("ram").accept_resource_share_invitation(**name)
    answered = ram.accept_resource_share_invitation(**name)["resourceShareInvitation"]
    assert answered["status"] == "ACCEPTED"
    assert may_read(consumer, hub)
    assert not may_read(other, hub)

    [seen] = ram.get_resource_shares(resourceOwner="OTHER-ACCOUNTS")["resourceShares"]
    assert (seen["resourceShareArn"], seen["owningAccountId"]) == (share["resourceShareArn"], owner.id)
    [resource] = ram.list_resources(resourceOwner="OTHER-ACCOUNTS")["resources"]
    assert (resource["arn"], resource["type"], resource["status"]) == (hub, "sagemaker:Hub", "AVAILABLE")
    [described] = consumer.client("sagemaker").list_hub_contents(HubName=hub, HubContentType="ModelReference")["HubContentSummaries"]
    assert described["HubContentName"] == IRIS
    assert described["HubContentArn"].startswith(f"arn:aws:sagemaker:{REGION}:{owner.id}:hub-content/models/")

    owner.client("ram").delete_resource_share(resourceShareArn=share["resourceShareArn"])
    assert not may_read(consumer, hub)
    assert ram.list_resources(resourceOwner="OTHER-ACCOUNTS")["resources"] == []


def test_a_rejected_invitation_lets_nobody_in(owner, consumer):
    hub = hub_of(owner)
    share_of(owner, hub, consumer.id)
    ram = consumer.client("ram")
    [invitation] = ram.get_resource_share_invitations()["resourceShareInvitations"]
    name = {"resourceShareInvitationArn": invitation["resourceShareInvitationArn"]}
    assert ram.reject_resource_share_invitation(**name)["resourceShareInvitation"]["status"] == "REJECTED"
    assert not may_read(consumer, hub)
    with refused("ResourceShareInvitationAlreadyRejectedException"):
        ram.accept_resource_share_invitation(**name)


def test_a_consumers_own_policies_decide_too(owner, consumer):
    hub = hub_of(owner)
    share_of(owner, hub, consumer.id)
    accept(consumer)
    contents = hub.replace(":hub/", ":hub-content/") + "/*"
    reader = consumer.new_user("reader", allow(["sagemaker:DescribeHub*", "sagemaker:List*"], [hub, contents]))
    nobody = consumer.new_user("nobody")
    assert may_read(reader, hub)
    with refused("AccessDeniedException", "no identity-based policy"):
        nobody.client("sagemaker").describe_hub(HubName=hub)


def test_a_share_allows_what_its_permission_says(owner, consumer):
    """To read by default; to deploy and to write by AWS's other permissions; to download by one of the owner's own."""
    hub = hub_of(owner)
    share = share_of(owner, hub, consumer.id)["resourceShareArn"]
    accept(consumer)
    ram, sm = owner.client("ram"), consumer.client("sagemaker")
    role = consumer.new_role()
    described = sm.describe_hub_content(HubName=hub, **CONTENT)
    document = json.loads(described["HubContentDocument"])
    content = described["HubContentArn"]
    source = {
        "S3Uri": document["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None",
        "HubAccessConfig": {"HubContentArn": content},
    }
    container = {"Image": document["HostingEcrUri"], "ModelDataSource": {"S3DataSource": source}}

    def deploy(name):
        return code(sm.create_model, ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)

    def urls():
        return code(sm.create_hub_content_presigned_urls, HubName=hub, **CONTENT)

    def write(name):
        return code(
            sm.create_hub_content_reference, HubName=hub, SageMakerPublicHubContentArn=f"{PUBLIC}/{TINY}", HubContentName=name
        )

    def use(permission):
        ram.associate_resource_share_permission(resourceShareArn=share, permissionArn=permission, replace=True)

    refusal = "AccessDeniedException"
    assert (deploy("a"), urls(), write("a")) == (refusal, refusal, refusal)
    use(USE)
    assert (deploy("b"), urls(), write("b")) == (None, refusal, refusal)
    use(FULL)
    assert (deploy("c"), urls(), write("c")) == (None, refusal, None)
    names = {one["HubContentName"] for one in owner.client("sagemaker").list_hub_contents(HubName="models", HubContentType="ModelReference")["HubContentSummaries"]}
    assert names == {IRIS, "c"}
    template = {"Effect": "Allow", "Action": ["sagemaker:DescribeHubContent", "sagemaker:CreateHubContentPresignedUrls"]}
    made = ram.create_permission(name="downloads", resourceType="sagemaker:Hub", policyTemplate=json.dumps(template))["permission"]
    assert (made["permissionType"], made["version"], made["defaultVersion"]) == ("CUSTOMER_MANAGED", "1", True)
    use(made["arn"])
    assert (deploy("d"), urls(), write("d")) == (refusal, None, refusal)
    page = sm.create_hub_content_presigned_urls(HubName=hub, **CONTENT)["AuthorizedUrlConfigs"]
    got = requests.get(page[0]["Url"], timeout=30, proxies=NO_PROXIES)
    assert got.status_code == 200 and got.content
    # Nobody but its owner deletes a hub, whatever the permission.
    for call in (sm.delete_hub, sm.update_hub):
        assert code(call, HubName=hub) == refusal
    with refused("OperationNotPermittedException"):
        ram.delete_permission(permissionArn=made["arn"])


def test_inside_the_organization(server, owner, other):
    admin, member = server.admin(), server.new_account("member")
    organizations = admin.client("organizations")
    organization = organizations.describe_organization()["Organization"]["Arn"]
    hubs = {name: hub_of(owner, name) for name in ("account", "unit", "all")}
    ram = owner.client("ram")
    with refused("AccessDeniedException"):
        ram.enable_sharing_with_aws_organization()
    with refused("OperationNotPermittedException", "not enabled"):
        share_of(owner, hubs["all"], organization)
    assert admin.client("ram").enable_sharing_with_aws_organization() ["returnValue"] is True

    share_of(owner, hubs["account"], member.id, allowExternalPrincipals=False)
    assert may_read(member, hubs["account"])
    assert member.client("ram").get_resource_share_invitations()["resourceShareInvitations"] == []
    with refused("OperationNotPermittedException", "outside of your organization"):
        share_of(owner, hubs["account"], other.id, allowExternalPrincipals=False)

    share_of(owner, hubs["all"], organization)
    assert may_read(member, hubs["all"])
    assert not may_read(other, hubs["all"])

    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="shared-with")["OrganizationalUnit"]
    share_of(owner, hubs["unit"], unit["Arn"])
    assert not may_read(member, hubs["unit"])
    organizations.move_account(AccountId=member.id, SourceParentId=root, DestinationParentId=unit["Id"])
    assert may_read(member, hubs["unit"])
    organizations.move_account(AccountId=member.id, SourceParentId=unit["Id"], DestinationParentId=root)
    assert not may_read(member, hubs["unit"])

    organizations.disable_aws_service_access(ServicePrincipal="ram.amazonaws.com")
    assert not may_read(member, hubs["account"]) and not may_read(member, hubs["all"])


def test_an_account_outside_the_organization(server, consumer):
    with refused("AWSOrganizationsNotInUseException"):
        consumer.client("organizations").describe_organization()
    accounts = server.admin().client("organizations").get_paginator("list_accounts").paginate().build_full_result()["Accounts"]
    assert consumer.id not in {one["Id"] for one in accounts}


def test_a_hub_that_is_deleted_while_shared(owner, consumer):
    sm = owner.client("sagemaker")
    hub = sm.create_hub(HubName="short", HubDescription="d")["HubArn"]
    share_of(owner, hub, consumer.id)
    accept(consumer)
    theirs = consumer.client("sagemaker")
    assert theirs.describe_hub(HubName=hub)["HubArn"] == hub
    sm.delete_hub(HubName="short")
    assert code(theirs.describe_hub, HubName=hub) == "AccessDeniedException"
    [resource] = owner.client("ram").list_resources(resourceOwner="SELF")["resources"]
    assert resource["status"] == "UNAVAILABLE"
    sm.create_hub(HubName="short", HubDescription="another")
    assert code(theirs.describe_hub, HubName=hub) == "AccessDeniedException"


def test_what_cannot_be_shared(owner, consumer):
    hub, theirs = hub_of(owner), hub_of(consumer)
    content = f"{hub.replace(':hub/', ':hub-content/')}/ModelReference/{IRIS}"
    for resource, wanted in (
        (theirs, "OperationNotPermittedException"),
        (content, "MalformedArnException"),
        (f"arn:aws:sagemaker:{REGION}:{owner.id}:hub/none", "UnknownResourceException"),
        (f"arn:aws:sagemaker:eu-west-1:{owner.id}:hub/models", "InvalidParameterException"),
        ("models", "MalformedArnException"),
    ):
        with refused(wanted, status=400):
            share_of(owner, resource, consumer.id)
    for principal, wanted in (
        ("1234", "InvalidParameterException"), (owner.id, "InvalidParameterException"),
        ("999999999999", "UnknownResourceException"), ("sagemaker.amazonaws.com", "InvalidParameterException"),
        (f"arn:aws:iam::{consumer.id}:role/*", "InvalidParameterException"),
        (f"arn:aws:iam::{consumer.id}:user/x?y", "InvalidParameterException"),
        (f"arn:aws:iam::{consumer.id}:user/", "InvalidParameterException"),
    ):
        with refused(wanted, status=400):
            share_of(owner, hub, principal)
    assert owner.client("sagemaker").describe_hub(HubName=hub)["HubArn"] == hub, "a refused share costs the owner nothing"
    share = share_of(owner, hub, consumer.id)["resourceShareArn"]
    with refused("AccessDeniedException", status=403):
        consumer.client("ram").delete_resource_share(resourceShareArn=share)


def test_the_blogs_commands(server, owner, consumer):
    """What the blog on private hubs tells both sides to type, as it stands there."""
    hub = hub_of(owner, "my-hub")

    def aws(who, *arguments):
        environment = {
            **clean_environment(), "PATH": os.environ["PATH"], "AWS_PAGER": "", "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": who.key, "AWS_SECRET_ACCESS_KEY": who.secret,
        }
        done = subprocess.run([str(AWS), *arguments], capture_output=True, text=True, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    made = aws(
        owner, "ram", "create-resource-share", "--name", "test-share", "--resource-arns", hub, "--principals", consumer.id,
        "--region", REGION,
    )["resourceShare"]
    assert (made["name"], made["status"]) == ("test-share", "ACTIVE")
    [invitation] = aws(consumer, "ram", "get-resource-share-invitations", "--region", REGION)["resourceShareInvitations"]
    accepted = aws(
        consumer, "ram", "accept-resource-share-invitation", "--resource-share-invitation-arn",
        invitation["resourceShareInvitationArn"], "--region", REGION,
    )["resourceShareInvitation"]
    assert accepted["status"] == "ACCEPTED"
    described = aws(consumer, "sagemaker", "describe-hub", "--hub-name", hub, "--region", REGION)
    assert described["HubName"] == "my-hub"


def test_a_share_survives_a_kill(own_server):
    server = own_server.start()
    owner, consumer = server.new_account("owner"), standalone(server, "consumer")
    hub = hub_of(owner)
    share = share_of(owner, hub, consumer.id)["resourceShareArn"]
    server.kill()
    server.start()
    accept(consumer)
    server.kill()
    server.start()
    assert may_read(consumer, hub)
    owner.client("ram").delete_resource_share(resourceShareArn=share)
    server.kill()
    server.start()
    assert not may_read(consumer, hub)


def test_both_accounts_have_the_record(server, owner, consumer):
    """Each account has a record of its own; the owner's says nothing of what is the consumer's."""
    hub = hub_of(owner)
    share = share_of(owner, hub, consumer.id)["resourceShareArn"]
    owner.client("ram").associate_resource_share_permission(resourceShareArn=share, permissionArn=USE, replace=True)
    accept(consumer)
    sm = consumer.client("sagemaker")
    sm.describe_hub(HubName=hub)
    described = sm.describe_hub_content(HubName=hub, **CONTENT)
    document = json.loads(described["HubContentDocument"])
    content = described["HubContentArn"]
    source = {
        "S3Uri": document["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None",
        "HubAccessConfig": {"HubContentArn": content},
    }
    container = {"Image": document["HostingEcrUri"], "ModelDataSource": {"S3DataSource": source}}
    sm.create_model(ModelName="mine-alone", ExecutionRoleArn=consumer.new_role(), PrimaryContainer=container)
    consumer.client("ram").disassociate_resource_share(resourceShareArn=share, principals=[consumer.id])
    assert code(sm.describe_hub, HubName=hub) == "AccessDeniedException"

    def records(account, event):
        found = server.records("--account", account.id, "--event", event)
        found = [one for one in found if one["userIdentity"]["accountId"] == consumer.id and "errorCode" not in one]
        assert all(one["recipientAccountId"] == account.id for one in found)
        return found

    for account in (owner, consumer):
        [record] = records(account, "DescribeHub")
        assert record["requestParameters"]["hubName"] == hub
        [record] = records(account, "AcceptResourceShareInvitation")
        assert ":resource-share-invitation/" in record["requestParameters"]["resourceShareInvitationArn"]
        [record] = records(account, "DisassociateResourceShare")
        assert record["requestParameters"] == {"resourceShareArn": share, "principals": [consumer.id]}
        [record] = records(account, "CreateModel")
        assert record["stoaPhase"] == "complete"
    assert "mine-alone" in json.dumps(record), "its own record is whole"
    [record] = records(owner, "CreateModel")
    assert "mine-alone" not in json.dumps(record) and not record["requestParameters"]
    targets = record["additionalEventData"]["stoaDecision"]["targets"]
    assert {target["resource"].split(":")[4] for target in targets} == {owner.id}
    assert {target["effect"] for target in targets} == {"allow"}
    # What was refused is its caller's alone.
    assert not [one for one in server.records("--account", owner.id, "--event", "DescribeHub") if "errorCode" in one]
    assert [one for one in server.records("--account", consumer.id, "--event", "DescribeHub") if "errorCode" in one]


def test_the_owner_of_a_key_sees_who_uses_it(server, owner, consumer):
    """In another account's bucket, by S3 in that account's name; found as docs/operators/kms.md says."""
    kms = owner.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    policy["Statement"].append({
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{consumer.id}:root"}, "Action": "kms:*", "Resource": "*",
    })
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    s3 = consumer.client("s3")
    bucket = f"theirs-{consumer.id}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="secret-name", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)

    def used(record):
        decided = (record.get("additionalEventData") or {}).get("stoaDecision", {}).get("targets", [])
        return any(one["resource"] == key and one["action"].startswith("kms:") for one in decided)

    for account in (owner, consumer):
        [record] = [one for one in server.records("--account", account.id, "--event", "PutObject") if used(one)]
        assert record["recipientAccountId"] == account.id
        # The key's owner sees what KMS was asked, with its encryption context as in AWS, and not what S3 was.
        assert record["requestParameters"] == ({"bucketName": bucket, "key": "secret-name"} if account is consumer else None)
        actions = {one["action"] for one in record["additionalEventData"]["stoaDecision"]["targets"]}
        assert actions == ({"s3:PutObject", "kms:GenerateDataKey"} if account is consumer else {"kms:GenerateDataKey"})
    assert [one["eventName"] for one in server.records("--since", "1d") if used(one)][-1] == "PutObject"


def test_what_a_closed_account_shared_is_shut(server, consumer):
    owner = server.new_account("closing")
    hub = hub_of(owner)
    share_of(owner, hub, consumer.id, permissionArns=[FULL])
    accept(consumer)
    sm = consumer.client("sagemaker")
    reference = {"HubName": hub, "SageMakerPublicHubContentArn": f"{PUBLIC}/{TINY}"}
    assert may_read(consumer, hub)
    server.admin().client("organizations").close_account(AccountId=owner.id)
    assert not may_read(consumer, hub)
    assert code(sm.create_hub_content_reference, HubContentName="late", **reference) == "AccessDeniedException"
    server.command("account", "delete", owner.id)
    assert not may_read(consumer, hub)
