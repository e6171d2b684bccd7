"""Organizations by boto3, as the administrator of the management account: accounts, units, guardrails.

One organization for the file: each test works below a unit or account of its own.
"""

import json

import pytest

from support import allow, deny, policy, refused, statement

SCP = "SERVICE_CONTROL_POLICY"
RCP = "RESOURCE_CONTROL_POLICY"
FULL = "p-FullAWSAccess"


class Organization:
    def __init__(self, server):
        self.server = server
        self.admin = server.admin()
        self.client = self.admin.client("organizations")
        self.root = self.client.list_roots()["Roots"][0]["Id"]

    def unit(self, name, parent=None):
        made = self.client.create_organizational_unit(ParentId=parent or self.root, Name=name)
        return made["OrganizationalUnit"]["Id"]

    def policy(self, name, document, kind=SCP):
        made = self.client.create_policy(Name=name, Description="", Type=kind, Content=json.dumps(document))
        return made["Policy"]["PolicySummary"]["Id"]

    def move(self, account, to):
        source = self.client.list_parents(ChildId=account)["Parents"][0]["Id"]
        self.client.move_account(AccountId=account, SourceParentId=source, DestinationParentId=to)

    def attached(self, target, kind=SCP):
        listed = self.client.list_policies_for_target(TargetId=target, Filter=kind)["Policies"]
        return [one["Id"] for one in listed]


@pytest.fixture(scope="module")
def organization(server):
    made = Organization(server)
    made.client.enable_policy_type(RootId=made.root, PolicyType=SCP)
    return made


def reason(refusal):
    return refusal.error.get("Reason")


def test_what_the_organization_is(organization, account):
    client = organization.client
    told = client.describe_organization()["Organization"]
    assert told["MasterAccountId"] == organization.admin.id and told["FeatureSet"] == "ALL"
    assert told["Arn"] == f"arn:aws:organizations::{organization.admin.id}:organization/{told['Id']}"
    assert account.client("organizations").describe_organization()["Organization"] == told
    root = client.list_roots()["Roots"][0]
    assert {"Type": SCP, "Status": "ENABLED"} in root["PolicyTypes"]
    pages = client.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 1})
    listed = {one["Id"]: one for page in pages for one in page["Accounts"]}
    assert listed[organization.admin.id]["JoinedMethod"] == "INVITED"
    assert listed[account.id]["Status"] == "ACTIVE" and listed[account.id]["JoinedMethod"] == "CREATED"
    assert client.describe_account(AccountId=account.id)["Account"] == listed[account.id]
    with refused("AlreadyInOrganizationException", status=400):
        client.create_organization()
    with refused("AccountNotFoundException"):
        client.describe_account(AccountId="000000000001")


def test_only_the_management_account_administers(organization, account):
    theirs = account.client("organizations")
    unit = organization.unit("not-theirs")
    calls = [
        lambda: theirs.list_accounts(),
        lambda: theirs.list_roots(),
        lambda: theirs.create_organizational_unit(ParentId=organization.root, Name="mine"),
        lambda: theirs.delete_organizational_unit(OrganizationalUnitId=unit),
        lambda: theirs.attach_policy(PolicyId=FULL, TargetId=account.id),
        lambda: theirs.detach_policy(PolicyId=FULL, TargetId=account.id),
        lambda: theirs.move_account(AccountId=account.id, SourceParentId=organization.root, DestinationParentId=unit),
        lambda: theirs.describe_account(AccountId=account.id),
    ]
    for call in calls:
        with refused("AccessDeniedException", status=400):
            call()
    limited = organization.admin.new_user("org-reader", allow(["organizations:List*", "organizations:Describe*"]))
    assert limited.client("organizations").list_roots()["Roots"]
    with refused("AccessDeniedException", "organizations:CreateOrganizationalUnit"):
        limited.client("organizations").create_organizational_unit(ParentId=organization.root, Name="x")
    only_scps = organization.admin.new_user(
        "scp-writer",
        allow("organizations:*", Condition={"StringEquals": {"organizations:PolicyType": SCP}}),
    ).client("organizations")
    content = json.dumps(deny("s3:*"))
    only_scps.create_policy(Name="by-key", Description="", Type=SCP, Content=content)
    rcp = json.dumps(policy({**statement("Deny", "s3:*"), "Principal": "*"}))
    with refused("AccessDeniedException"):
        only_scps.create_policy(Name="by-key", Description="", Type=RCP, Content=rcp)


def test_a_guardrail_on_a_unit(organization, account):
    client = organization.client
    sagemaker = account.client("sagemaker")
    unit = organization.unit("guarded")
    inner = organization.unit("inner", unit)
    no_hubs = organization.policy("no-hubs", deny("sagemaker:CreateHub"))
    client.attach_policy(PolicyId=no_hubs, TargetId=unit)
    sagemaker.create_hub(HubName="before", HubDescription="d")
    organization.move(account.id, inner)
    with refused("AccessDeniedException", "with an explicit deny in a service control policy"):
        sagemaker.create_hub(HubName="after", HubDescription="d")
    assert sagemaker.describe_hub(HubName="before")["HubName"] == "before"
    # The text changed is the text that counts, at once and everywhere.
    client.update_policy(PolicyId=no_hubs, Content=json.dumps(deny("sagemaker:DeleteHub")))
    sagemaker.create_hub(HubName="after", HubDescription="d")
    with refused("AccessDeniedException"):
        sagemaker.delete_hub(HubName="after")
    with refused("PolicyInUseException"):
        client.delete_policy(PolicyId=no_hubs)
    targets = client.list_targets_for_policy(PolicyId=no_hubs)["Targets"]
    assert [(one["TargetId"], one["Type"], one["Name"]) for one in targets] == [(unit, "ORGANIZATIONAL_UNIT", "guarded")]
    organization.move(account.id, organization.root)
    sagemaker.delete_hub(HubName="after")
    client.detach_policy(PolicyId=no_hubs, TargetId=unit)
    client.delete_policy(PolicyId=no_hubs)
    with refused("PolicyNotFoundException"):
        client.describe_policy(PolicyId=no_hubs)
    with refused("OrganizationalUnitNotEmptyException"):
        client.delete_organizational_unit(OrganizationalUnitId=unit)
    for one in (inner, unit):
        client.delete_organizational_unit(OrganizationalUnitId=one)


def test_each_level_must_allow(organization, account):
    client = organization.client
    assert organization.attached(account.id) == [FULL]
    with refused("ConstraintViolationException") as last:
        client.detach_policy(PolicyId=FULL, TargetId=account.id)
    assert reason(last) == "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
    s3 = organization.policy("s3-only", allow("s3:*"))
    client.attach_policy(PolicyId=s3, TargetId=account.id)
    sagemaker = account.client("sagemaker")
    sagemaker.list_hubs()
    client.detach_policy(PolicyId=FULL, TargetId=account.id)
    with refused("AccessDeniedException", "because no service control policy allows"):
        sagemaker.list_hubs()
    account.client("s3").list_buckets()
    with refused("DuplicatePolicyAttachmentException"):
        client.attach_policy(PolicyId=s3, TargetId=account.id)
    client.attach_policy(PolicyId=FULL, TargetId=account.id)
    sagemaker.list_hubs()


def test_policies_are_checked(organization):
    client = organization.client
    with refused("MalformedPolicyDocumentException", "$.Statement[0]"):
        organization.policy("bad", policy({**statement("Deny", "s3:*"), "Principal": "*"}))
    with refused("ConstraintViolationException") as long:
        organization.policy("long", deny("s3:" + "x" * 10240))
    assert reason(long) == "POLICY_CONTENT_LIMIT_EXCEEDED"
    with refused("PolicyTypeNotAvailableForOrganizationException", "TAG_POLICY"):
        organization.policy("tags", {"tags": {}}, "TAG_POLICY")
    with refused("InvalidInputException") as fixed:
        client.update_policy(PolicyId=FULL, Name="mine")
    assert reason(fixed) == "IMMUTABLE_POLICY"
    content = json.loads(client.describe_policy(PolicyId=FULL)["Policy"]["Content"])
    assert content == allow("*")
    rcp = policy({**statement("Deny", "s3:*"), "Principal": "*"})
    made = organization.policy("rcp", rcp, RCP)
    told = client.describe_policy(PolicyId=made)["Policy"]
    assert json.loads(told["Content"]) == rcp and told["PolicySummary"]["Type"] == RCP
    with refused("MalformedPolicyDocumentException", "$.Statement[0].Effect"):
        organization.policy("rcp-allow", policy({**statement("Allow", "s3:*"), "Principal": "*"}), RCP)
    with refused("PolicyTypeNotEnabledException"):
        client.attach_policy(PolicyId=made, TargetId=organization.root)
    client.enable_policy_type(RootId=organization.root, PolicyType=RCP)
    assert organization.attached(organization.root, RCP) == ["p-RCPFullAWSAccess"]
    client.attach_policy(PolicyId=made, TargetId=organization.root)
    with refused("InvalidInputException") as stays:
        client.detach_policy(PolicyId="p-RCPFullAWSAccess", TargetId=organization.root)
    assert reason(stays) == "NON_DETACHABLE_POLICY"
    client.disable_policy_type(RootId=organization.root, PolicyType=RCP)
    assert organization.attached(organization.root, RCP) == []
    client.delete_policy(PolicyId=made)


def test_a_resource_control_policy_binds_what_a_member_owns(organization, account):
    client = organization.client
    client.enable_policy_type(RootId=organization.root, PolicyType=RCP)
    s3 = account.client("s3")
    bucket = f"rcp-{account.id}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    rcp = policy({**statement("Deny", "s3:GetObject"), "Principal": "*"})
    made = organization.policy("no-reading", rcp, RCP)
    client.attach_policy(PolicyId=made, TargetId=account.id)
    with refused("AccessDenied", "resource control policy"):
        s3.get_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k2", Body=b"v")
    client.detach_policy(PolicyId=made, TargetId=account.id)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"
    client.disable_policy_type(RootId=organization.root, PolicyType=RCP)


def test_an_account_from_its_creation_to_its_end(organization):
    client = organization.client
    request = client.create_account(
        Email="models@example.com", AccountName="Models", RoleName="Visit", Tags=[{"Key": "team", "Value": "ml"}]
    )["CreateAccountStatus"]
    told = client.describe_create_account_status(CreateAccountRequestId=request["Id"])["CreateAccountStatus"]
    assert told["State"] == "SUCCEEDED" and told["AccountName"] == "Models"
    member = told["AccountId"]
    assert client.list_tags_for_resource(ResourceId=member)["Tags"] == [{"Key": "team", "Value": "ml"}]
    again = client.create_account(Email="models@example.com", AccountName="Other")["CreateAccountStatus"]
    assert (again["State"], again["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    visit = organization.admin.assume(f"arn:aws:iam::{member}:role/Visit")
    visit.client("sagemaker").create_hub(HubName="theirs", HubDescription="d")
    with refused("ConstraintViolationException"):
        client.remove_account_from_organization(AccountId=member)
    client.close_account(AccountId=member)
    assert client.describe_account(AccountId=member)["Account"]["Status"] == "SUSPENDED"
    with refused("UnrecognizedClientException"):
        visit.client("sagemaker").list_hubs()
    with refused("AccessDenied"):
        organization.admin.assume(f"arn:aws:iam::{member}:role/Visit")
    with refused("AccountAlreadyClosedException"):
        client.close_account(AccountId=member)
    organization.server.command("account", "delete", member)
    with refused("AccountNotFoundException"):
        client.describe_account(AccountId=member)
    assert member not in [one["Id"] for one in client.list_children(ParentId=organization.root, ChildType="ACCOUNT")["Children"]]


def test_delegated_administrators_and_the_resource_policy(organization, account):
    client = organization.client
    theirs = account.client("organizations")
    client.enable_aws_service_access(ServicePrincipal="ram.amazonaws.com")
    client.register_delegated_administrator(AccountId=account.id, ServicePrincipal="ram.amazonaws.com")
    assert theirs.list_accounts()["Accounts"]
    assert theirs.list_policies(Filter=SCP)["Policies"]
    with refused("AccessDeniedException"):
        theirs.create_policy(Name="theirs", Description="", Type=SCP, Content=json.dumps(deny("s3:*")))
    delegate = policy({
        "Sid": "Policies",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account.id}:root"},
        "Action": ["organizations:CreatePolicy", "organizations:DeletePolicy"],
        "Resource": "*",
    })
    put = client.put_resource_policy(Content=json.dumps(delegate))["ResourcePolicy"]
    assert client.describe_resource_policy()["ResourcePolicy"] == put
    made = theirs.create_policy(Name="theirs", Description="", Type=SCP, Content=json.dumps(deny("s3:*")))
    theirs.delete_policy(PolicyId=made["Policy"]["PolicySummary"]["Id"])
    client.delete_resource_policy()
    with refused("AccessDeniedException"):
        theirs.create_policy(Name="theirs", Description="", Type=SCP, Content=json.dumps(deny("s3:*")))
    client.deregister_delegated_administrator(AccountId=account.id, ServicePrincipal="ram.amazonaws.com")
    with refused("AccessDeniedException"):
        theirs.list_accounts()
    client.disable_aws_service_access(ServicePrincipal="ram.amazonaws.com")


def test_paginators(organization):
    client = organization.client
    parent = organization.unit("many")
    for number in range(23):
        organization.unit(f"unit-{number:02}", parent)
    pages = list(client.get_paginator("list_organizational_units_for_parent").paginate(ParentId=parent))
    assert [len(page["OrganizationalUnits"]) for page in pages] == [20, 3]
    assert len({one["Name"] for page in pages for one in page["OrganizationalUnits"]}) == 23
    small = client.get_paginator("list_children").paginate(
        ParentId=parent, ChildType="ORGANIZATIONAL_UNIT", PaginationConfig={"PageSize": 5}
    )
    assert sum(len(page["Children"]) for page in small) == 23
    with refused("InvalidInputException") as wrong:
        client.list_children(ParentId=parent, ChildType="ACCOUNT", NextToken="nothing")
    assert reason(wrong) == "INVALID_NEXT_TOKEN"


def test_a_guardrail_survives_kill_9(own_server):
    own_server.start()
    organization = Organization(own_server)
    organization.client.enable_policy_type(RootId=organization.root, PolicyType=SCP)
    account = own_server.new_account("member")
    unit = organization.unit("guarded")
    guardrail = organization.policy("no-hubs", deny("sagemaker:CreateHub"))
    organization.client.attach_policy(PolicyId=guardrail, TargetId=unit)
    organization.move(account.id, unit)
    own_server.kill()
    own_server.start()
    with refused("AccessDeniedException", "service control policy"):
        account.client("sagemaker").create_hub(HubName="h", HubDescription="d")
    again = Organization(own_server)
    assert again.root == organization.root
    again.client.detach_policy(PolicyId=guardrail, TargetId=unit)
    account.client("sagemaker").create_hub(HubName="h", HubDescription="d")


def test_policies_of_aws(account):
    iam = account.client("iam")
    pages = iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 40})
    listed = {one["PolicyName"]: one for page in pages for one in page["Policies"]}
    full = listed["AmazonSageMakerFullAccess"]
    assert full["Arn"] == "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess" and full["PolicyId"].startswith("ANPA")
    told = iam.get_policy(PolicyArn=full["Arn"])["Policy"]
    assert told["DefaultVersionId"] == full["DefaultVersionId"] and told["CreateDate"].year == 2017
    version = iam.get_policy_version(PolicyArn=full["Arn"], VersionId=told["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"]["Version"] == "2012-10-17" and version["IsDefaultVersion"]
    versions = iam.list_policy_versions(PolicyArn=full["Arn"])["Versions"]
    assert [one["VersionId"] for one in versions] == [told["DefaultVersionId"]]
    jobs = iam.list_policies(Scope="AWS", PathPrefix="/job-function/")["Policies"]
    assert "ViewOnlyAccess" in [one["PolicyName"] for one in jobs]
    reader = account.new_user("reader")
    with refused("AccessDeniedException"):
        reader.client("sagemaker").list_hubs()
    iam.attach_user_policy(UserName="reader", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    reader.client("sagemaker").list_hubs()
    with refused("AccessDeniedException"):
        reader.client("sagemaker").create_hub(HubName="h", HubDescription="d")
    attached = iam.list_policies(Scope="AWS", OnlyAttached=True)["Policies"]
    assert "ReadOnlyAccess" in [one["PolicyName"] for one in attached]
    with refused("PolicyNotAttachable"):
        iam.attach_user_policy(
            UserName="reader", PolicyArn="arn:aws:iam::aws:policy/aws-service-role/AmazonSageMakerNotebooksServiceRolePolicy"
        )
