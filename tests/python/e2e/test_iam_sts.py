"""IAM and STS by boto3: users, keys, roles, policies, sessions, simulation."""

import json

import pytest

from support import allow, deny, policy, refused, statement, trust


@pytest.fixture
def iam(account):
    return account.client("iam")


def names(entries, key):
    return [entry[key] for entry in entries]


def test_users_and_their_keys(iam, account):
    made = iam.create_user(UserName="ana", Path="/team/", Tags=[{"Key": "k", "Value": "v"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:user/team/ana"
    assert made["UserId"].startswith("AIDA")
    with refused("EntityAlreadyExists", status=409):
        iam.create_user(UserName="ana")
    assert iam.get_user(UserName="ana")["User"]["Tags"] == [{"Key": "k", "Value": "v"}]
    iam.tag_user(UserName="ana", Tags=[{"Key": "k", "Value": "w"}])
    assert iam.get_user(UserName="ana")["User"]["Tags"] == [{"Key": "k", "Value": "w"}]
    assert names(iam.list_users(PathPrefix="/team/")["Users"], "UserName") == ["ana"]
    assert iam.list_users(PathPrefix="/other/")["Users"] == []
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    assert key["Status"] == "Active"
    listed = iam.list_access_keys(UserName="ana")["AccessKeyMetadata"]
    assert names(listed, "AccessKeyId") == [key["AccessKeyId"]]
    assert "SecretAccessKey" not in listed[0]
    user = type(account)(account.server, account.id, key["AccessKeyId"], key["SecretAccessKey"])
    assert user.client("sts").get_caller_identity()["Arn"] == made["Arn"]
    assert iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["UserName"] == "ana"
    iam.update_access_key(UserName="ana", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with refused("InvalidClientTokenId", status=403):
        user.client("sts").get_caller_identity()
    iam.update_access_key(UserName="ana", AccessKeyId=key["AccessKeyId"], Status="Active")
    assert user.client("sts").get_caller_identity()["Arn"] == made["Arn"]
    with refused("DeleteConflict", status=409):
        iam.delete_user(UserName="ana")
    iam.delete_access_key(UserName="ana", AccessKeyId=key["AccessKeyId"])
    with refused("InvalidClientTokenId"):
        user.client("sts").get_caller_identity()
    iam.delete_user(UserName="ana")
    for call in (iam.get_user, iam.delete_user, iam.create_access_key):
        with refused("NoSuchEntity", "ana", status=404):
            call(UserName="ana")


def test_inline_and_attached_policies_of_a_user(iam, account):
    user = account.new_user("bo")
    document = json.dumps(allow("iam:ListUsers"))
    iam.put_user_policy(UserName="bo", PolicyName="inline", PolicyDocument=document)
    got = iam.get_user_policy(UserName="bo", PolicyName="inline")["PolicyDocument"]
    assert got == json.loads(document), "boto3 decodes the URL-encoded document"
    assert iam.list_user_policies(UserName="bo")["PolicyNames"] == ["inline"]
    assert user.client("iam").list_users()["Users"]
    iam.delete_user_policy(UserName="bo", PolicyName="inline")
    with refused("AccessDenied"):
        user.client("iam").list_users()
    with refused("NoSuchEntity"):
        iam.get_user_policy(UserName="bo", PolicyName="inline")
    arn = iam.create_policy(PolicyName="managed", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="bo", PolicyArn=arn)
    assert user.client("iam").list_users()["Users"]
    assert names(iam.list_attached_user_policies(UserName="bo")["AttachedPolicies"], "PolicyArn") == [arn]
    iam.detach_user_policy(UserName="bo", PolicyArn=arn)
    with refused("AccessDenied"):
        user.client("iam").list_users()
    with refused("NoSuchEntity"):
        iam.detach_user_policy(UserName="bo", PolicyArn=arn)
    with refused("MalformedPolicyDocument"):
        iam.put_user_policy(UserName="bo", PolicyName="bad", PolicyDocument='{"Version": "2012-10-17"}')
    with refused("MalformedPolicyDocument"):
        iam.put_user_policy(UserName="bo", PolicyName="bad", PolicyDocument="{")


def test_roles(iam, account):
    made = iam.create_role(
        RoleName="r", Path="/p/", Description="d", MaxSessionDuration=7200,
        AssumeRolePolicyDocument=json.dumps(trust(account.id)), Tags=[{"Key": "k", "Value": "v"}],
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:role/p/r"
    with refused("EntityAlreadyExists"):
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust(account.id)))
    got = iam.get_role(RoleName="r")["Role"]
    assert got["AssumeRolePolicyDocument"] == trust(account.id)
    assert got["MaxSessionDuration"] == 7200
    assert "r" in names(iam.list_roles(PathPrefix="/p/")["Roles"], "RoleName")
    iam.update_role(RoleName="r", Description="new", MaxSessionDuration=3600)
    assert iam.get_role(RoleName="r")["Role"]["Description"] == "new"
    iam.tag_role(RoleName="r", Tags=[{"Key": "x", "Value": "y"}])
    iam.untag_role(RoleName="r", TagKeys=["k"])
    assert iam.list_role_tags(RoleName="r")["Tags"] == [{"Key": "x", "Value": "y"}]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(allow("s3:*")))
    assert iam.list_role_policies(RoleName="r")["PolicyNames"] == ["p"]
    assert iam.get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"] == allow("s3:*")
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    attached = iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert names(attached, "PolicyName") == ["AdministratorAccess"]
    with refused("DeleteConflict"):
        iam.delete_role(RoleName="r")
    iam.detach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.delete_role_policy(RoleName="r", PolicyName="p")
    other = {"Version": "2012-10-17", "Statement": trust(account.id)["Statement"][:1]}
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=json.dumps(other))
    assert iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"] == other
    iam.delete_role(RoleName="r")
    for call in (iam.get_role, iam.delete_role):
        with refused("NoSuchEntity", "r"):
            call(RoleName="r")


def test_managed_policies_and_their_versions(iam, account):
    made = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(allow("s3:GetObject")))["Policy"]
    arn = made["Arn"]
    assert arn == f"arn:aws:iam::{account.id}:policy/p"
    assert made["DefaultVersionId"] == "v1"
    with refused("EntityAlreadyExists"):
        iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(allow("s3:GetObject")))
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(allow("s3:*")), SetAsDefault=False)
    assert second["PolicyVersion"]["VersionId"] == "v2"
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"] == allow("s3:*")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    assert {one["VersionId"] for one in iam.list_policy_versions(PolicyArn=arn)["Versions"]} == {"v1", "v2"}
    with refused("DeleteConflict"):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    assert names(iam.list_policies(Scope="Local")["Policies"], "Arn") == [arn]
    iam.delete_policy(PolicyArn=arn)
    with refused("NoSuchEntity"):
        iam.get_policy(PolicyArn=arn)
    with refused("MalformedPolicyDocument"):
        iam.create_policy(PolicyName="bad", PolicyDocument=json.dumps({"Statement": [{"Effect": "Perhaps"}]}))


def test_iam_lists_page(iam):
    for number in range(5):
        iam.create_user(UserName=f"u{number}")
    first = iam.list_users(MaxItems=2)
    assert first["IsTruncated"] is True
    second = iam.list_users(MaxItems=2, Marker=first["Marker"])
    assert names(first["Users"] + second["Users"], "UserName") == ["u0", "u1", "u2", "u3"]
    everybody = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2}).build_full_result()
    assert names(everybody["Users"], "UserName") == [f"u{number}" for number in range(5)]
    with refused("ValidationError", "Marker"):
        iam.list_users(Marker="made-up")


def test_assume_role(account):
    role = account.new_role("worker")
    caller = account.new_user("caller", allow("sts:AssumeRole", role))
    session = caller.assume(role, "job-1")
    identity = session.client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{account.id}:assumed-role/worker/job-1"
    assert identity["UserId"].endswith(":job-1")
    assert session.client("iam").list_users()["Users"]
    stranger = account.new_user("stranger")
    with refused("AccessDenied", "stranger", "sts:AssumeRole", role, status=403):
        stranger.assume(role)
    with refused("AccessDenied"):
        caller.assume(role + "-nobody")
    with refused("ValidationError", "durationSeconds"):
        caller.client("sts", parameter_validation=False).assume_role(
            RoleArn=role, RoleSessionName="x", DurationSeconds=60
        )
    with refused("ValidationError", "MaxSessionDuration"):
        caller.assume(role, DurationSeconds=43_200)


def test_a_trust_policy_decides_too(account):
    iam = account.client("iam")
    only_sagemaker = {"Version": "2012-10-17", "Statement": trust(account.id)["Statement"][1:]}
    role = iam.create_role(RoleName="svc", AssumeRolePolicyDocument=json.dumps(only_sagemaker))["Role"]["Arn"]
    caller = account.new_user("caller", allow("*"))
    with refused("AccessDenied", "sts:AssumeRole"):
        caller.assume(role)


def test_a_session_policy_narrows(account):
    role = account.new_role("wide")
    caller = account.new_user("caller", allow("sts:*"))
    narrow = caller.assume(role, Policy=json.dumps(allow("iam:ListUsers")))
    assert narrow.client("iam").list_users()["Users"]
    with refused("AccessDenied", "session policy"):
        narrow.client("iam").list_roles()


def test_session_tags_reach_conditions(account):
    guarded = allow("iam:ListUsers", Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}})
    iam = account.client("iam")
    tagging = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account.id}:root"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    role = iam.create_role(
        RoleName="tagged", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [tagging]})
    )["Role"]["Arn"]
    iam.put_role_policy(RoleName="tagged", PolicyName="p", PolicyDocument=json.dumps(guarded))
    caller = account.new_user("caller", allow("sts:*"))
    red = caller.assume(role, Tags=[{"Key": "team", "Value": "red"}])
    assert red.client("iam").list_users()["Users"]
    blue = caller.assume(role, Tags=[{"Key": "team", "Value": "blue"}])
    with refused("AccessDenied", "no identity-based policy allows"):
        blue.client("iam").list_users()


def test_sessions_of_users(account):
    user = account.new_user("ana", allow("iam:ListUsers"))
    keys = user.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    session = type(account)(account.server, account.id, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    assert session.client("sts").get_caller_identity()["Arn"].endswith(":user/ana")
    info = account.client("sts").get_access_key_info(AccessKeyId=user.key)
    assert info["Account"] == account.id


def test_simulate_principal_policy(account):
    iam = account.client("iam")
    user = account.new_user("ana", policy(statement("Allow", "s3:*"), statement("Deny", "s3:DeleteObject")))
    arn = user.client("sts").get_caller_identity()["Arn"]
    results = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["s3:GetObject", "s3:DeleteObject", "iam:ListUsers"]
    )["EvaluationResults"]
    assert {one["EvalActionName"]: one["EvalDecision"] for one in results} == {
        "s3:GetObject": "allowed", "s3:DeleteObject": "explicitDeny", "iam:ListUsers": "implicitDeny"
    }
    with refused("NoSuchEntity"):
        iam.simulate_principal_policy(PolicySourceArn=arn + "x", ActionNames=["s3:GetObject"])


def test_account_alias(iam, account):
    assert iam.list_account_aliases()["AccountAliases"] == []
    iam.create_account_alias(AccountAlias=f"alias-{account.id}")
    assert iam.list_account_aliases()["AccountAliases"] == [f"alias-{account.id}"]


def test_the_root_of_a_member_account(account):
    identity = account.client("sts").get_caller_identity()
    assert identity == {**identity, "Account": account.id, "Arn": f"arn:aws:iam::{account.id}:root", "UserId": account.id}
    # GetCallerIdentity needs no permission.
    nobody = account.new_user("nobody", deny("*"))
    assert nobody.client("sts").get_caller_identity()["Account"] == account.id
