"""What an auditor asks, over the command line and over the API: explain, who-can, access-matrix, replay, lint.

The API is called by a boto3 client made from `docs/api` (`AWS_DATA_PATH`), so that folder is tested too.
"""

import csv
import io
import json
import subprocess
import sys

import botocore.session
import pytest
from botocore.config import Config

from support import (
    GATED, IRIS, NO_PROXIES, PUBLIC_HUB, REGION, ROOT, allow, clean_environment, deny, policy, refused, statement, trust,
)

POLICIES = ROOT / "tests" / "fixtures" / "policies"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def stoa(account):
    """A client of Stoa's own service, as boto3 makes it from the model in `docs/api`."""
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(ROOT / "docs" / "api"))
    return session.create_client(
        "stoa", region_name=REGION, endpoint_url=account.server.url,
        aws_access_key_id=account.key, aws_secret_access_key=account.secret, aws_session_token=account.token,
        config=Config(retries={"total_max_attempts": 1}, proxies=NO_PROXIES),
    )


def denied_call(call, *words):
    """Makes a call that is refused; its request id, which is also its decision's id."""
    with refused("AccessDeniedException", *words) as refusal:
        call()
    metadata = refusal.error["ResponseMetadata"]
    assert metadata["HTTPHeaders"]["x-stoa-decision-id"] == metadata["RequestId"]
    return metadata["RequestId"]


def request_id(answer):
    return answer["ResponseMetadata"]["RequestId"]


def write(folder, document, name="candidate.json"):
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


# ---- explain ------------------------------------------------------------------------------------------------------


def test_a_denied_call_is_explained_with_what_failed_and_what_would_allow_it(server, account):
    conditioned = allow("sagemaker:CreateHub", Condition={"StringEquals": {"aws:RequestTag/team": "ml"}})
    ana = account.new_user("ana", conditioned)
    hub = account.arn("hub/secret-hub")
    request = denied_call(
        lambda: ana.client("sagemaker").create_hub(HubName="secret-hub", HubDescription="d"), "sagemaker:CreateHub"
    )
    explained = stoa(account).explain_decision(RequestId=request)
    assert explained["Decision"] == explained["DecisionNow"] == "Denied"
    assert explained["Changed"] is False
    call = explained["Call"]
    assert call["PrincipalArn"] == f"arn:aws:iam::{account.id}:user/ana"
    assert (call["EventName"], call["ErrorCode"]) == ("CreateHub", "AccessDenied")
    (target,) = explained["Targets"]
    assert (target["Action"], target["Resource"]) == ("sagemaker:CreateHub", hub)
    assert (target["Recorded"]["Decision"], target["Recorded"]["Slot"]) == ("ImplicitDeny", "identity")
    seen = {entry["Key"]: entry["Values"] for entry in target["Context"]}
    assert seen["aws:username"] == ["ana"]
    assert "aws:requesttag/team" not in seen
    (slot,) = [slot for slot in target["Slots"] if slot["Slot"] == "identity"]
    (considered,) = slot["Statements"]
    assert (considered["PolicyName"], considered["StatementIndex"], considered["Matches"]) == ("p0", 0, False)
    (failed,) = considered["Failed"]
    assert (failed["Element"], failed["Operator"], failed["Key"]) == ("Condition", "StringEquals", "aws:RequestTag/team")
    assert (failed["Wanted"], failed["Absent"]) == (["ml"], True)
    changes = [suggestion["Change"] for suggestion in target["Suggestions"]]
    assert any("aws:RequestTag/team" in change and "`ml`" in change for change in changes)
    added = [json.loads(one["Statement"]) for one in target["Suggestions"] if one["Change"].startswith("Add an Allow")]
    assert {"Effect": "Allow", "Action": "sagemaker:CreateHub", "Resource": hub} in added

    text = server.command("explain", request).stdout
    for word in ("Denied: sagemaker.amazonaws.com CreateHub", "user/ana", hub, "policy p0, statement 0",
                 "StringEquals aws:RequestTag/team: wants ml; the request has no such key", "aws:username = ana",
                 "to allow it"):
        assert word in text, f"`{word}` is not in:\n{text}"
    as_json = json.loads(server.command("explain", request, "--json", "--since", "1h").stdout)
    assert as_json["Targets"] == [target]

    # The suggestion holds: with the tag, the call is allowed (AddTags is what a tagged call needs besides).
    account.client("iam").put_user_policy(
        UserName="ana", PolicyName="tags", PolicyDocument=json.dumps(allow("sagemaker:AddTags"))
    )
    made = ana.client("sagemaker").create_hub(
        HubName="secret-hub", HubDescription="d", Tags=[{"Key": "team", "Value": "ml"}]
    )
    explained = stoa(account).explain_decision(RequestId=request_id(made))
    assert explained["Decision"] == "Allowed"
    actions = [target["Action"] for target in explained["Targets"]]
    assert actions == ["sagemaker:CreateHub", "sagemaker:AddTags"]
    now = explained["Targets"][0]["Now"]
    assert (now["Decision"], now["Matched"]["PolicyName"]) == ("Allow", "p0")


def test_policies_that_have_changed_since_are_said_to_have(server, account):
    bo = account.new_user("bo")
    request = denied_call(lambda: bo.client("sagemaker").list_hubs())
    iam = account.client("iam")
    iam.put_user_policy(UserName="bo", PolicyName="later", PolicyDocument=json.dumps(allow("sagemaker:ListHubs")))
    explained = stoa(account).explain_decision(RequestId=request)
    assert (explained["Decision"], explained["DecisionNow"], explained["Changed"]) == ("Denied", "Allowed", True)
    assert explained["Targets"][0]["Now"]["Matched"]["PolicyName"] == "later"
    assert "POLICIES HAVE CHANGED SINCE" in server.command("explain", request).stdout
    iam.delete_user_policy(UserName="bo", PolicyName="later")
    iam.delete_access_key(UserName="bo", AccessKeyId=bo.key)
    iam.delete_user(UserName="bo")
    explained = stoa(account).explain_decision(RequestId=request)
    assert "not there any more" in explained["Targets"][0]["Note"]
    assert "DecisionNow" not in explained


def test_an_explicit_deny_names_its_statement_and_slot(server, account):
    no = policy({**statement("Deny", "sagemaker:DeleteHub"), "Sid": "KeepHubs"})
    cy = account.new_user("cy", allow("*"), no)
    request = denied_call(lambda: cy.client("sagemaker").delete_hub(HubName="h"))
    (target,) = stoa(account).explain_decision(RequestId=request)["Targets"]
    assert target["Recorded"]["Decision"] == "ExplicitDeny"
    assert target["Recorded"]["Matched"] == {"PolicyName": "p1", "StatementId": "KeepHubs", "StatementIndex": 0}
    assert target["Now"]["Matched"]["StatementId"] == "KeepHubs"
    assert "KeepHubs" in server.command("explain", request).stdout


def test_explain_shows_an_account_its_own_calls_only(server, account):
    with refused("ResourceNotFoundException", UNKNOWN, account.id):
        stoa(account).explain_decision(RequestId=UNKNOWN)
    other = server.new_account("other")
    foreign = denied_call(lambda: other.new_user("u").client("sagemaker").list_hubs())
    with refused("ResourceNotFoundException", foreign):
        stoa(account).explain_decision(RequestId=foreign)
    admin = server.admin()
    assert stoa(admin).explain_decision(RequestId=foreign)["Call"]["AccountId"] == other.id


def test_an_owner_is_shown_the_call_and_not_the_callers_policies(server, account):
    other = server.new_account("caller")
    s3 = account.client("s3")
    bucket = f"owned-{account.id}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    statement = {
        "Sid": "LetThemRead", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{other.id}:root"},
        "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    secret = {"Sid": "AcquisitionOfAcme", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    user = other.new_user("jo", {"Version": "2012-10-17", "Statement": [secret]})
    request = request_id(user.client("s3").get_object(Bucket=bucket, Key="k"))
    explained = stoa(account).explain_decision(RequestId=request)
    assert explained["Call"]["AccountId"] == other.id
    assert "AcquisitionOfAcme" not in json.dumps(explained, default=str)
    assert "of another account" in explained["Targets"][0]["Note"]
    assert "AcquisitionOfAcme" in json.dumps(stoa(other).explain_decision(RequestId=request), default=str)
    [record] = server.records("--account", account.id, "--request-id", request)
    assert record["recipientAccountId"] == account.id
    assert "AcquisitionOfAcme" not in json.dumps(record) and not record["userIdentity"].get("accessKeyId")
    [record] = server.records("--account", other.id, "--request-id", request)
    assert record["userIdentity"]["accessKeyId"] == user.key
    done = server.command("explain", UNKNOWN, check=False)
    assert done.returncode == 1
    assert UNKNOWN in done.stderr


def test_calls_without_a_decision_say_why(server, account):
    answer = account.client("sts").get_caller_identity()
    explained = stoa(account).explain_decision(RequestId=request_id(answer))
    assert explained["Targets"] == []
    assert "needs no permission" in explained["Notes"][0]


# ---- who can ------------------------------------------------------------------------------------------------------


def by_name(answer):
    return {one["PrincipalArn"].rsplit("/", 1)[-1].rsplit(":", 1)[-1]: one for one in answer["Principals"]}


def test_who_can_lists_principals_with_reasons_and_conditions(server, account):
    account.new_user("reader", allow("sagemaker:Describe*"))
    account.new_user("office", allow("sagemaker:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    account.new_user("nobody")
    account.new_user("barred", allow("*"), deny("sagemaker:DescribeHub"))
    account.new_role("Runner", allow("sagemaker:DescribeHub"))
    hub = account.arn("hub/h")
    found = by_name(stoa(account).list_principals_with_access(Action="sagemaker:DescribeHub", Resource=hub))
    assert found["root"]["Access"] == "Allowed"
    assert found["reader"]["Access"] == "Allowed"
    assert found["reader"]["Matched"] == {"PolicyName": "p0", "StatementIndex": 0}
    assert found["Runner"]["PrincipalType"] == "Role"
    office = found["office"]
    assert office["Access"] == "Conditional"
    (condition,) = office["Conditions"]
    assert (condition["Key"], condition["Operator"], condition["Values"]) == ("aws:sourceip", "IpAddress", ["10.0.0.0/8"])
    assert not {"nobody", "barred"} & set(found)
    # A key that is given is known.
    for address, access in (("10.1.2.3", "Allowed"), ("192.0.2.1", None)):
        context = [{"Key": "aws:SourceIp", "Values": [address]}]
        one = by_name(stoa(account).list_principals_with_access(
            Action="sagemaker:DescribeHub", Resource=hub, Context=context
        )).get("office")
        assert (one and one["Access"]) == access
    everyone = by_name(stoa(account).list_principals_with_access(
        Action="sagemaker:DescribeHub", Resource=hub, IncludeDenied=True
    ))
    assert everyone["nobody"]["Access"] == "Denied"
    assert everyone["barred"]["Reason"] == "with an explicit deny in an identity-based policy"
    assert everyone["barred"]["Matched"]["PolicyName"] == "p1"

    text = server.command("who-can", "sagemaker:DescribeHub", hub, "--account", account.id).stdout
    allowed, conditional = text.split("allowed under conditions")
    assert "user/reader" in allowed
    assert "user/office" in conditional
    assert "if aws:sourceip IpAddress 10.0.0.0/8" in conditional
    assert "user/nobody" not in text
    text = server.command("who-can", "sagemaker:DescribeHub", hub, "--denied", "--key", "aws:SourceIp=192.0.2.1").stdout
    assert "user/office" in text.split("not allowed")[1]
    listed = json.loads(server.command("who-can", "sagemaker:DescribeHub", hub, "--json").stdout)
    assert {one["PrincipalArn"] for one in listed["Principals"]} >= {one["PrincipalArn"] for one in found.values()}


def test_who_can_pages_and_keeps_to_the_callers_account(server, account):
    for number in range(5):
        account.new_user(f"u{number}", allow("*"))
    client, names, token = stoa(account), [], {}
    while True:
        page = client.list_principals_with_access(
            Action="sagemaker:ListHubs", Resource="*", MaxResults=2, **token
        )
        names += [one["PrincipalArn"] for one in page["Principals"]]
        assert len(page["Principals"]) <= 2
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert len(names) == len(set(names))
    assert {f"arn:aws:iam::{account.id}:user/u{number}" for number in range(5)} <= set(names)
    assert all(f"::{account.id}:" in name for name in names)
    with refused("ValidationException", "NextToken"):
        client.list_principals_with_access(Action="sagemaker:CreateHub", Resource="*", NextToken=page.get("NextToken", "x"))
    other = server.new_account("other")
    with refused("AccessDeniedException", other.id, "management account"):
        client.list_principals_with_access(Action="sagemaker:ListHubs", Resource="*", AccountIds=[other.id])
    everyone = stoa(server.admin()).list_principals_with_access(Action="sagemaker:ListHubs", Resource="*", MaxResults=1000)
    accounts = {one["AccountId"] for one in everyone["Principals"] if "AccountId" in one}
    assert {account.id, other.id} <= accounts


def test_who_can_assume_a_role_names_services_and_other_accounts(account):
    role = account.new_role("Shared")
    account.client("iam").update_assume_role_policy(RoleName="Shared", PolicyDocument=json.dumps({
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"},
            {"Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "sts:AssumeRole"},
        ],
    }))
    found = {one["PrincipalArn"]: one for one in stoa(account).list_principals_with_access(
        Action="sts:AssumeRole", Resource=role
    )["Principals"]}
    assert found["sagemaker.amazonaws.com"]["PrincipalType"] == "Service"
    assert found["sagemaker.amazonaws.com"]["Slot"] == "trust"
    outside = found["arn:aws:iam::999999999999:root"]
    assert (outside["PrincipalType"], outside["Access"]) == ("Account", "Conditional")
    assert "its own account" in outside["Reason"]


# ---- access matrix --------------------------------------------------------------------------------------------------


def test_the_access_matrix_shows_who_may_use_which_model(server, account):
    sagemaker = account.client("sagemaker")
    sagemaker.create_hub(HubName="team", HubDescription="d")
    for model in (IRIS, GATED):
        sagemaker.create_hub_content_reference(
            HubName="team", SageMakerPublicHubContentArn=f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model/{model}",
        )
    hub, content = account.arn("hub/team"), account.arn(f"hub-content/team/ModelReference/{IRIS}")
    account.new_user("viewer", allow("sagemaker:DescribeHubContent"))
    account.new_user("one", allow(["sagemaker:DescribeHubContent", "sagemaker:DeployHubModel"], [hub, content]))
    account.new_user("none")
    matrix = stoa(account).get_access_matrix(HubName="team")
    assert matrix["HubArn"] == hub
    assert [content["ContentName"] for content in matrix["Contents"]] == sorted([IRIS, GATED])
    rows = {
        (one["PrincipalArn"].rsplit("/")[-1], row["ContentName"]):
            (row["See"], row["Download"], row["Deploy"], row["Train"])
        for one in matrix["Principals"] for row in one["Contents"]
    }
    no, yes = "Denied", "Allowed"
    assert rows[("viewer", IRIS)] == rows[("viewer", GATED)] == (yes, no, no, no)
    assert rows[("one", IRIS)] == (yes, no, yes, no)
    assert ("one", GATED) not in rows
    assert not any(name == "none" for name, _ in rows)
    assert rows[(f"arn:aws:iam::{account.id}:root", IRIS)] == (yes, yes, yes, yes)
    # The hub's own operations agree.
    client = account.new_user("watcher", allow("sagemaker:DescribeHubContent")).client("sagemaker")
    client.describe_hub_content(HubName="team", HubContentType="ModelReference", HubContentName=IRIS)
    denied_call(lambda: client.create_hub_content_presigned_urls(
        HubName="team", HubContentType="ModelReference", HubContentName=IRIS
    ))

    text = server.command("access-matrix", "--hub", hub).stdout
    line = next(line for line in text.splitlines() if "user/one" in line)
    assert line.split() == [f"arn:aws:iam::{account.id}:user/one", "yes", "-", "yes", "-", IRIS]
    line = next(line for line in text.splitlines() if "user/viewer" in line)
    assert line.endswith("all 2")
    table = list(csv.DictReader(io.StringIO(server.command("access-matrix", "--hub", hub, "--csv").stdout)))
    (row,) = [row for row in table if row["principal"].endswith("user/one")]
    assert (row["model"], row["see"], row["download"], row["deploy"]) == (IRIS, "allowed", "denied", "allowed")
    listed = json.loads(server.command("access-matrix", "--hub", hub, "--account", account.id, "--json").stdout)
    assert {one["PrincipalArn"] for one in listed["Principals"]} == {one["PrincipalArn"] for one in
                                                                     stoa(account).get_access_matrix(HubName="team")["Principals"]}
    with refused("ResourceNotFoundException", "no-such"):
        stoa(account).get_access_matrix(HubName="no-such")
    other = server.new_account("other")
    with refused("AccessDeniedException", account.id):
        stoa(other).get_access_matrix(HubName=hub)


# ---- replay ---------------------------------------------------------------------------------------------------------


def replay(account, document, slot, **more):
    return stoa(account).replay_policy(
        PolicyDocument=document if isinstance(document, str) else json.dumps(document), Slot=slot, StartTime=0, **more
    )


def changes(answer, key="Changes"):
    return {
        (change["PrincipalArn"].rsplit("/", 1)[-1], change["Action"], change["To"]): change for change in answer[key]
    }


def test_a_draft_says_what_it_would_have_changed(server, account, tmp_path):
    dora = account.new_user("dora", allow(["sagemaker:ListHubs", "sagemaker:ListModels"]))
    client = dora.client("sagemaker")
    for _ in range(3):
        client.list_hubs()
    client.list_models()
    request = denied_call(client.list_endpoints)

    answer = replay(account, deny("sagemaker:ListHubs"), "scp")
    change = changes(answer)[("dora", "sagemaker:ListHubs", "Denied")]
    assert (change["From"], change["Count"], change["Slot"]) == ("Allowed", 3, "scp")
    assert len(change["ExampleRequestIds"]) == 3
    assert (answer["NewlyDenied"], answer["NewlyAllowed"], answer["Drifted"]) == (3, 0, 0)
    assert answer["CallsReplayed"] == answer["Unchanged"] + 3

    dora_arn = f"arn:aws:iam::{account.id}:user/dora"
    answer = replay(account, allow("sagemaker:*"), "identity", Targets=[dora_arn])
    change = changes(answer)[("dora", "sagemaker:ListEndpoints", "Allowed")]
    assert change["ExampleRequestIds"] == [request]
    assert answer["NewlyDenied"] == 0
    # In the place of the policy that allows, a narrower one takes away.
    answer = replay(account, allow("sagemaker:ListModels"), "identity", Targets=[dora_arn], ReplacedPolicyName="p0")
    assert set(changes(answer)) == {("dora", "sagemaker:ListHubs", "Denied")}
    for slot in ("boundary", "session"):
        answer = replay(account, allow("sagemaker:ListModels"), slot, Targets=[dora_arn])
        assert set(changes(answer)) == {("dora", "sagemaker:ListHubs", "Denied")}
        assert answer["Changes"][0]["Slot"] == slot
    everything = {**statement("Allow", "sagemaker:ListModels"), "Principal": "*"}
    answer = replay(account, policy(everything), "endpoint", Targets=["*"])
    assert ("dora", "sagemaker:ListHubs", "Denied") in changes(answer)
    assert replay(account, policy(everything), "endpoint")["CallsInScope"] == 0, "no call came through an endpoint"

    candidate = write(tmp_path, deny("sagemaker:ListHubs"))
    text = server.command(
        "policy", "replay", "--candidate", candidate, "--slot", "scp", "--target", account.id, "--since", "1d"
    ).stdout
    line = next(line for line in text.splitlines() if "user/dora" in line)
    assert line.split()[:4] == ["3", "denied", dora_arn, "sagemaker:ListHubs"]
    as_json = json.loads(server.command(
        "policy", "replay", "--candidate", candidate, "--slot", "scp", "--target", "ou-none", "--json"
    ).stdout)
    assert (as_json["CallsInScope"], as_json["Changes"]) == (0, [])


def test_drift_is_told_apart_from_the_candidates_doing(account):
    eve = account.new_user("eve", allow(["sagemaker:ListHubs", "sagemaker:ListModels"]))
    eve.client("sagemaker").list_hubs()
    eve.client("sagemaker").list_models()
    account.client("iam").put_user_policy(
        UserName="eve", PolicyName="p0", PolicyDocument=json.dumps(allow("sagemaker:ListModels"))
    )
    answer = replay(account, deny("sagemaker:ListModels"), "identity", Targets=[f"arn:aws:iam::{account.id}:user/eve"])
    assert set(changes(answer)) == {("eve", "sagemaker:ListModels", "Denied")}
    assert set(changes(answer, "Drift")) == {("eve", "sagemaker:ListHubs", "Denied")}
    assert answer["Drifted"] == 1


def test_sessions_of_a_role_count_together_and_keep_their_keys(account):
    role = account.new_role("Worker", allow("sagemaker:List*"))
    caller = account.new_user("caller", allow("sts:AssumeRole"))
    for name in ("one", "two"):
        caller.assume(role, session=name).client("sagemaker").list_hubs()
    only_one = deny("sagemaker:ListHubs", Condition={"StringLike": {"aws:userid": "*:one"}})
    answer = replay(account, only_one, "identity", Targets=[role])
    (change,) = answer["Changes"]
    assert (change["PrincipalArn"], change["Count"]) == (role, 1)


def test_what_cannot_be_replayed_is_refused_with_the_place(server, account, tmp_path):
    broken = {"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps", "Action": "*", "Resource": "*"}]}
    with refused("MalformedPolicyDocumentException", "$.Statement[0]") as refusal:
        replay(account, broken, "scp")
    assert refusal.error["Path"].startswith("$.Statement[0]")
    with refused("MalformedPolicyDocumentException", "line 1"):
        replay(account, "{", "scp")
    with refused("ValidationException", "Targets"):
        replay(account, policy({**statement("Allow", "s3:*"), "Principal": "*"}), "resource")
    done = server.command("policy", "replay", "--candidate", write(tmp_path, "{"), "--slot", "scp", check=False)
    assert done.returncode == 1
    assert "line 1" in done.stderr


# ---- lint -----------------------------------------------------------------------------------------------------------


TRAPS = [
    ("1 ANDed Null tests", "deny-tests-anded", ["guardrails/LockDownStudioDomain"], None),
    ("2 a namespace that never equals", "namespace-never-equal", ["guardrails/cloudwatch-metrics-sns-permissions"], None),
    ("3 Allows with Null that OR", "allow-null-ors", ["guardrails/EncryptDomainStorage", "guardrails/EncryptDomainSharingS3Bucket"], None),
    ("4 ForAnyValue over an absent key", "for-any-value-absent", ["guardrails/LimitInstanceTypesforNotebooks"], None),
    ("5 deny-only endpoint policy", "deny-only", ["endpoint/s3-deny-amazon-linux-repositories"], "endpoint"),
    ("6 SourceIp through an endpoint", "source-ip-absent", ["guardrails/EnableSageMakerStudioAccess-SourceIp"], None),
    ("6 username of a role session", "username-absent", ["guardrails/AmazonSageMakerPresignedUrlPolicy-username"], None),
    ("7 older key names", "legacy-key", ["guardrails/EncryptDomainStorage"], None),
]


def lint(server, *arguments, check=True):
    done = server.command("policy", "lint", "--json", *arguments, data_dir=False, check=check)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("code, files, slot", [trap[1:] for trap in TRAPS], ids=[trap[0] for trap in TRAPS])
def test_every_trap_of_the_seeds_is_found(server, account, code, files, slot):
    paths = [POLICIES / f"{name}.json" for name in files]
    found = lint(server, *paths, *(["--slot", slot] if slot else []))
    assert code in {finding["code"] for finding in found}, found
    if len(paths) == 1:
        more = {"Slot": slot} if slot else {}
        findings = stoa(account).lint_policy(PolicyDocument=paths[0].read_text(), **more)["Findings"]
        assert code in {finding["Code"] for finding in findings}


def test_lint_by_command_says_where_and_what_to_do(server, tmp_path):
    path = write(tmp_path, allow(["sagemaker:CreateModle", "s3:GetObject"]))
    done = server.command("policy", "lint", path, data_dir=False)
    for word in ("unknown-action", str(path), "$.Statement[0].Action[0]", "sagemaker:CreateModle", "help:"):
        assert word in done.stdout
    assert server.command("policy", "lint", "--strict", path, data_dir=False, check=False).returncode == 1
    broken = write(tmp_path, "{", "broken.json")
    assert server.command("policy", "lint", broken, data_dir=False, check=False).returncode == 1
    fine = write(tmp_path, allow("s3:GetObject", "arn:aws:s3:::b/*"), "fine.json")
    assert server.command("policy", "lint", "--strict", fine, data_dir=False).returncode == 0


def warnings_of(answer):
    return answer["ResponseMetadata"]["HTTPHeaders"].get("x-stoa-warning", "")


def test_lint_on_save_warns_and_never_blocks(server, account):
    iam = account.client("iam")
    iam.create_user(UserName="u")
    typo, fine = json.dumps(allow("sagemaker:CreateModle")), json.dumps(allow("sagemaker:CreateModel"))
    trusting = json.dumps(trust(account.id))
    strange = json.dumps({**trust(account.id), "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": account.id}, "Action": "sts:AssumeRole",
         "Condition": {"StringEquals": {"sagemaker:InstanceTypes": "ml.m5.large"}}},
    ]})
    saved = iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=typo)
    assert "unknown-action" in warnings_of(saved)
    assert iam.get_user_policy(UserName="u", PolicyName="p")["PolicyDocument"] == json.loads(typo), "saved all the same"
    assert warnings_of(iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=fine)) == ""
    made = iam.create_policy(PolicyName="m", PolicyDocument=typo)
    assert "unknown-action" in warnings_of(made)
    version = iam.create_policy_version(PolicyArn=made["Policy"]["Arn"], PolicyDocument=typo)
    assert "unknown-action" in warnings_of(version)
    role = iam.create_role(RoleName="R", AssumeRolePolicyDocument=strange)
    assert "sagemaker:InstanceTypes" in warnings_of(role)
    assert warnings_of(iam.update_assume_role_policy(RoleName="R", PolicyDocument=trusting)) == ""
    assert "sagemaker:InstanceTypes" in warnings_of(iam.update_assume_role_policy(RoleName="R", PolicyDocument=strange))
    assert "unknown-action" in warnings_of(iam.put_role_policy(RoleName="R", PolicyName="p", PolicyDocument=typo))
    iam.update_assume_role_policy(RoleName="R", PolicyDocument=trusting)
    session = account.new_user("caller", allow("sts:AssumeRole")).client("sts").assume_role(
        RoleArn=role["Role"]["Arn"], RoleSessionName="session", Policy=typo
    )
    assert "unknown-action" in warnings_of(session)
    (record,) = server.records("--request-id", request_id(saved))
    assert "unknown-action" in record["additionalEventData"]["stoaWarnings"][0]


# ---- the service itself ---------------------------------------------------------------------------------------------


def test_its_actions_are_decided_and_audited_like_any_other(server, account):
    frank = account.new_user("frank", allow("stoa:LintPolicy"))
    client = stoa(frank)
    lint = client.lint_policy(PolicyDocument=json.dumps(allow("*")))
    for call, action in (
        (lambda: client.explain_decision(RequestId=UNKNOWN), "stoa:ExplainDecision"),
        (lambda: client.list_principals_with_access(Action="s3:GetObject", Resource="*"), "stoa:ListPrincipalsWithAccess"),
        (lambda: client.get_access_matrix(HubName="h"), "stoa:GetAccessMatrix"),
        (lambda: replay(frank, allow("*"), "scp"), "stoa:ReplayPolicy"),
    ):
        denied_call(call, f"not authorized to perform: {action} on resource: *")
    (record,) = server.records("--request-id", request_id(lint))
    assert (record["eventSource"], record["eventName"], record["readOnly"]) == ("stoa.amazonaws.com", "LintPolicy", True)
    # What the local administrator asks is in the journal too.
    server.command("who-can", "s3:GetObject", "*")
    assert server.records("--source", "stoa.local", "--event", "ListPrincipalsWithAccess")


def test_the_published_model_is_what_the_facts_give():
    script = ROOT / "tools" / "facts" / "botocore_model.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, env=clean_environment())
    assert done.returncode == 0, done.stderr
