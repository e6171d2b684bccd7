"""The rest of IAM by boto3: groups, passwords, profiles, service-linked roles, reports, last accessed, simulation."""

import csv
import json

import pytest

from support import allow, deny, policy, refused, statement, trust

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
NOTEBOOKS = "AWSServiceRoleForAmazonSageMakerNotebooks"


@pytest.fixture
def iam(account):
    return account.client("iam")


def names(entries, key):
    return [entry[key] for entry in entries]


def test_groups_give_rights_at_once(iam, account):
    user = account.new_user("ana")
    made = iam.create_group(GroupName="scientists", Path="/ml/")["Group"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:group/ml/scientists"
    iam.add_user_to_group(GroupName="scientists", UserName="ana")
    with refused("AccessDenied"):
        user.client("iam").list_users()
    iam.put_group_policy(GroupName="scientists", PolicyName="p", PolicyDocument=json.dumps(allow("iam:ListUsers")))
    assert user.client("iam").list_users()["Users"]
    assert iam.get_group_policy(GroupName="scientists", PolicyName="p")["PolicyDocument"] == allow("iam:ListUsers")
    iam.delete_group_policy(GroupName="scientists", PolicyName="p")
    with refused("AccessDenied"):
        user.client("iam").list_users()
    iam.attach_group_policy(GroupName="scientists", PolicyArn=ADMINISTRATOR)
    assert user.client("iam").list_users()["Users"]
    iam.put_group_policy(GroupName="scientists", PolicyName="no", PolicyDocument=json.dumps(deny("iam:ListUsers")))
    with refused("AccessDenied", "explicit deny in an identity-based policy"):
        user.client("iam").list_users()
    entities = iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=ADMINISTRATOR, EntityFilter="Group")
    assert names(entities.build_full_result()["PolicyGroups"], "GroupName") == ["scientists"]
    iam.update_group(GroupName="scientists", NewGroupName="people", NewPath="/")
    groups = iam.get_paginator("list_groups_for_user").paginate(UserName="ana").build_full_result()["Groups"]
    assert names(groups, "Arn") == [f"arn:aws:iam::{account.id}:group/people"]
    with refused("DeleteConflict", "must remove users from group first", status=409):
        iam.delete_group(GroupName="people")
    with refused("NoSuchEntity", "scientists", status=404):
        iam.get_group(GroupName="scientists")
    iam.remove_user_from_group(GroupName="people", UserName="ana")
    iam.delete_group_policy(GroupName="people", PolicyName="no")
    iam.detach_group_policy(GroupName="people", PolicyArn=ADMINISTRATOR)
    iam.delete_group(GroupName="people")


def test_members_are_paged(iam):
    iam.create_group(GroupName="g")
    for number in range(5):
        iam.create_user(UserName=f"u{number}")
        iam.add_user_to_group(GroupName="g", UserName=f"u{number}")
    pages = list(iam.get_paginator("get_group").paginate(GroupName="g", PaginationConfig={"PageSize": 2}))
    assert [names(page["Users"], "UserName") for page in pages] == [["u0", "u1"], ["u2", "u3"], ["u4"]]


def test_a_renamed_user_goes_on_with_its_key(iam, account):
    user = account.new_user("ana", allow("iam:GetUser"))
    before = iam.get_user(UserName="ana")["User"]
    iam.update_user(UserName="ana", NewUserName="bea", NewPath="/team/")
    iam.get_waiter("user_exists").wait(UserName="bea")
    after = iam.get_user(UserName="bea")["User"]
    assert after["UserId"] == before["UserId"] and after["Path"] == "/team/"
    assert user.client("sts").get_caller_identity()["Arn"] == after["Arn"]
    assert user.client("iam").get_user()["User"]["UserName"] == "bea"
    with refused("NoSuchEntity"):
        iam.get_user(UserName="ana")
    iam.create_user(UserName="ana")
    with refused("EntityAlreadyExists", status=409):
        iam.update_user(UserName="ana", NewUserName="BEA")


def test_a_rename_survives_kill_9(own_server):
    own_server.start()
    account = own_server.new_account("renames")
    iam = account.client("iam")
    user = account.new_user("ana", allow("iam:GetUser"))
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="ana")
    iam.update_user(UserName="ana", NewUserName="bea")
    iam.update_group(GroupName="g", NewGroupName="h")
    own_server.kill()
    own_server.start()
    assert user.client("iam").get_user()["User"]["UserName"] == "bea"
    assert names(account.client("iam").get_group(GroupName="h")["Users"], "UserName") == ["bea"]


def test_passwords(iam, account):
    user = account.new_user("ana", allow("iam:ChangePassword"))
    with refused("NoSuchEntity", "Password Policy"):
        iam.get_account_password_policy()
    iam.update_account_password_policy(MinimumPasswordLength=12, RequireNumbers=True, PasswordReusePrevention=1)
    assert iam.get_account_password_policy()["PasswordPolicy"]["ExpirePasswords"] is False
    with refused("PasswordPolicyViolation", status=400):
        iam.create_login_profile(UserName="ana", Password="short1")
    profile = iam.create_login_profile(UserName="ana", Password="long enough 1", PasswordResetRequired=True)
    assert profile["LoginProfile"]["PasswordResetRequired"] is True
    with refused("EntityAlreadyExists"):
        iam.create_login_profile(UserName="ana", Password="long enough 1")
    with refused("AccessDenied", "old password"):
        user.client("iam").change_password(OldPassword="wrong", NewPassword="long enough 2")
    with refused("PasswordPolicyViolation"):
        user.client("iam").change_password(OldPassword="long enough 1", NewPassword="long enough 1")
    user.client("iam").change_password(OldPassword="long enough 1", NewPassword="long enough 2")
    assert iam.get_login_profile(UserName="ana")["LoginProfile"]["PasswordResetRequired"] is False
    iam.update_login_profile(UserName="ana", Password="long enough 3")
    iam.delete_login_profile(UserName="ana")
    with refused("NoSuchEntity"):
        iam.get_login_profile(UserName="ana")
    iam.delete_account_password_policy()
    journal = json.dumps(account.server.records())
    assert "CreateLoginProfile" in journal and "ChangePassword" in journal
    assert "long enough" not in journal, "a password is in the audit journal"
    assert "long enough" not in account.server.log.read_text(errors="replace")
    for file in account.server.data_dir.rglob("*"):
        if file.is_file():
            assert b"long enough" not in file.read_bytes(), file


def test_boundaries_and_tags(iam, account):
    user = account.new_user("ana", allow("iam:*"))
    boundary = iam.create_policy(PolicyName="b", PolicyDocument=json.dumps(allow("iam:GetUser")))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName="ana", PermissionsBoundary=boundary)
    assert user.client("iam").get_user()["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    with refused("AccessDenied", "no permissions boundary allows"):
        user.client("iam").list_users()
    with refused("DeleteConflict"):
        iam.delete_policy(PolicyArn=boundary)
    iam.delete_user_permissions_boundary(UserName="ana")
    assert user.client("iam").list_users()["Users"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust(account.id)))
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=boundary)
    assert iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    iam.delete_role_permissions_boundary(RoleName="r")
    assert iam.update_role_description(RoleName="r", Description="new")["Role"]["Description"] == "new"
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    iam.tag_policy(PolicyArn=boundary, Tags=tags)
    iam.untag_policy(PolicyArn=boundary, TagKeys=["a"])
    assert iam.list_policy_tags(PolicyArn=boundary)["Tags"] == tags[1:]
    iam.tag_user(UserName="ana", Tags=tags)
    iam.untag_user(UserName="ana", TagKeys=["b"])
    assert iam.list_user_tags(UserName="ana")["Tags"] == tags[:1]


def test_instance_profiles(iam, account):
    service = policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}})
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(service))
    iam.create_instance_profile(InstanceProfileName="p", Tags=[{"Key": "k", "Value": "v"}])
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="p")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    with refused("LimitExceeded", "InstanceSessionsPerInstanceProfile"):
        iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    got = account.session().resource("iam", endpoint_url=account.server.url).InstanceProfile("p")
    assert names(got.roles_attribute, "RoleName") == ["r"]
    assert names(iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"], "InstanceProfileName") == ["p"]
    with refused("DeleteConflict"):
        iam.delete_role(RoleName="r")
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="r")
    iam.delete_role(RoleName="r")
    assert iam.list_instance_profile_tags(InstanceProfileName="p")["Tags"] == [{"Key": "k", "Value": "v"}]
    iam.delete_instance_profile(InstanceProfileName="p")
    with refused("NoSuchEntity"):
        iam.get_instance_profile(InstanceProfileName="p")


def test_service_linked_roles(iam, account):
    role = iam.create_service_linked_role(AWSServiceName="sagemaker.amazonaws.com")["Role"]
    assert role["Arn"] == f"arn:aws:iam::{account.id}:role/aws-service-role/sagemaker.amazonaws.com/{NOTEBOOKS}"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    with refused("InvalidInput", "has been taken in this account"):
        iam.create_service_linked_role(AWSServiceName="sagemaker.amazonaws.com")
    with refused("UnmodifiableEntity", "protected role"):
        iam.attach_role_policy(RoleName=NOTEBOOKS, PolicyArn=ADMINISTRATOR)
    with refused("UnmodifiableEntity"):
        iam.delete_role(RoleName=NOTEBOOKS)
    task = iam.delete_service_linked_role(RoleName=NOTEBOOKS)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    with refused("NoSuchEntity"):
        iam.get_role(RoleName=NOTEBOOKS)


def test_the_account_tells_of_itself(iam, account):
    account.new_user("ana", allow("iam:*"))
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="ana")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(allow("s3:*")))["Policy"]["Arn"]
    iam.attach_group_policy(GroupName="g", PolicyArn=arn)
    iam.create_account_alias(AccountAlias="stoa-tests")
    iam.delete_account_alias(AccountAlias="stoa-tests")
    assert iam.list_account_aliases()["AccountAliases"] == []
    with refused("NoSuchEntity"):
        iam.delete_account_alias(AccountAlias="stoa-tests")
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["Users"], summary["Groups"], summary["Policies"]) == (1, 1, 1)
    assert summary["Roles"] == len(iam.list_roles()["Roles"])
    paginator = iam.get_paginator("get_account_authorization_details")
    details = paginator.paginate(PaginationConfig={"PageSize": 1}).build_full_result()
    (user,) = details["UserDetailList"]
    assert user["GroupList"] == ["g"] and user["UserPolicyList"][0]["PolicyDocument"] == allow("iam:*")
    (group,) = details["GroupDetailList"]
    assert names(group["AttachedManagedPolicies"], "PolicyArn") == [arn]
    local = [one for one in details["Policies"] if one["Arn"] == arn]
    assert local[0]["PolicyVersionList"][0]["Document"] == allow("s3:*")
    assert ADMINISTRATOR in names(details["Policies"], "Arn")
    with refused("ReportNotPresent", status=410):
        iam.get_credential_report()
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    report = iam.get_credential_report()
    assert report["ReportFormat"] == "text/csv"
    rows = list(csv.DictReader(report["Content"].decode().splitlines()))
    assert names(rows, "user") == ["<root_account>", "ana"]
    assert rows[1]["access_key_1_active"] == "true" and rows[1]["password_enabled"] == "false"
    assert rows[0]["access_key_1_last_used_service"] == "iam"


def test_last_accessed(iam, account):
    user = account.new_user("ana", allow(["iam:ListUsers", "s3:*"]))
    arn = iam.get_user(UserName="ana")["User"]["Arn"]
    with refused("AccessDenied"):
        user.client("iam").list_roles()
    user.client("iam").list_users()
    job = iam.generate_service_last_accessed_details(Arn=arn, Granularity="ACTION_LEVEL")["JobId"]
    found = iam.get_service_last_accessed_details(JobId=job)
    assert found["JobStatus"] == "COMPLETED"
    services = {one["ServiceNamespace"]: one for one in found["ServicesLastAccessed"]}
    assert set(services) == {"iam", "s3"}
    assert "LastAuthenticated" not in services["s3"]
    assert services["iam"]["LastAuthenticatedEntity"] == arn
    (tracked,) = services["iam"]["TrackedActionsLastAccessed"]
    assert tracked["ActionName"] == "ListUsers" and tracked["LastAccessedTime"]
    unused = {one["ActionName"] for one in services["s3"]["TrackedActionsLastAccessed"]}
    assert "GetObject" in unused
    entities = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="iam")
    assert entities["EntityDetailsList"][0]["EntityInfo"]["Arn"] == arn
    granting = iam.list_policies_granting_service_access(Arn=arn, ServiceNamespaces=["s3", "kms"])
    granting = {one["ServiceNamespace"]: one["Policies"] for one in granting["PoliciesGrantingServiceAccess"]}
    assert len(granting["s3"]) == 1 and granting["s3"][0]["PolicyType"] == "INLINE" and granting["kms"] == []
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust(account.id)))["Role"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(allow("iam:ListUsers")))
    assert iam.get_role(RoleName="r")["Role"]["RoleLastUsed"] == {}
    iam.put_user_policy(UserName="ana", PolicyName="assume", PolicyDocument=json.dumps(allow("sts:AssumeRole")))
    user.assume(role["Arn"]).client("iam").list_users()
    assert iam.get_role(RoleName="r")["Role"]["RoleLastUsed"]["LastUsedDate"]


def test_simulation(iam, account):
    account.new_user("ana", allow("s3:GetObject"))
    arn = iam.get_user(UserName="ana")["User"]["Arn"]
    iam.create_group(GroupName="g")
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=json.dumps(deny("s3:PutObject")))
    iam.add_user_to_group(GroupName="g", UserName="ana")
    actions = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]
    paginator = iam.get_paginator("simulate_principal_policy")
    results = paginator.paginate(
        PolicySourceArn=arn, ActionNames=actions, PolicyInputList=[json.dumps(allow("s3:ListBucket"))],
        PaginationConfig={"PageSize": 1},
    ).build_full_result()["EvaluationResults"]
    assert names(results, "EvalDecision") == ["allowed", "explicitDeny", "allowed"]
    assert results[1]["MatchedStatements"][0]["SourcePolicyType"] == "group"
    assert results[2]["MatchedStatements"][0]["SourcePolicyId"] == "PolicyInputList.1"
    conditional = policy(
        statement("Allow", "s3:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    )
    ask = dict(PolicyInputList=[json.dumps(conditional)], ActionNames=["s3:GetObject"])
    (without,) = iam.simulate_custom_policy(**ask)["EvaluationResults"]
    assert without["EvalDecision"] == "implicitDeny" and without["MissingContextValues"] == ["aws:SourceIp"]
    entry = {"ContextKeyName": "aws:SourceIp", "ContextKeyType": "ip", "ContextKeyValues": ["10.0.0.1"]}
    (with_it,) = iam.simulate_custom_policy(**ask, ContextEntries=[entry])["EvaluationResults"]
    assert with_it["EvalDecision"] == "allowed"
    (bound,) = iam.simulate_custom_policy(
        PolicyInputList=[json.dumps(allow("s3:*"))], ActionNames=["s3:GetObject"],
        PermissionsBoundaryPolicyInputList=[json.dumps(allow("iam:*"))],
    )["EvaluationResults"]
    assert bound["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    keys = iam.get_context_keys_for_custom_policy(PolicyInputList=[json.dumps(conditional)])["ContextKeyNames"]
    assert keys == ["aws:SourceIp"]
    assert iam.get_context_keys_for_principal_policy(PolicySourceArn=arn)["ContextKeyNames"] == []
    with refused("InvalidInput"):
        iam.simulate_custom_policy(PolicyInputList=["{"], ActionNames=["s3:GetObject"])


def test_sizes_names_and_places(iam):
    iam.create_group(GroupName="g")
    with refused("EntityAlreadyExists"):
        iam.create_group(GroupName="G")
    with refused("ValidationError"):
        iam.create_group(GroupName="no spaces")
    with refused("ValidationError"):
        iam.create_group(GroupName="h", Path="no-slashes")
    with refused("MalformedPolicyDocument", "line 2"):
        iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument='{\n"Version" "2012-10-17"}')
    with refused("MalformedPolicyDocument", "$.Statement[0].Effect"):
        bad = policy(statement("Sometimes", "s3:*"))
        iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=json.dumps(bad))
    long = policy(*[statement("Allow", "s3:GetObject", f"arn:aws:s3:::{'x' * 100}{n}") for n in range(60)])
    with refused("LimitExceeded", "PolicySize: 6144", status=409):
        iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(long))
    with refused("LimitExceeded", "5120"):
        iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=json.dumps(long))
