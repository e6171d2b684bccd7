"""The command line and the audit journal: accounts, catalog, policies, doctor, who did what and was refused."""

import json
import os
import shutil
import subprocess
import time

import pytest
from botocore.exceptions import ClientError

from support import (
    GATED,
    IRIS,
    REGION,
    ROOT,
    SAMPLES,
    TINY,
    Account,
    allow,
    contents_of,
    deploy_public,
    endpoint_status,
    iris_label,
    public_model,
    refused,
)

# ---- audit --------------------------------------------------------------------------------------------------------


def the_record(server, client_answer, **expected):
    request_id = client_answer["ResponseMetadata"]["RequestId"]
    found = server.records("--request-id", request_id)
    assert len(found) == 1, found
    for name, value in expected.items():
        assert found[0].get(name) == value, (name, found[0])
    return found[0]


def test_a_call_is_a_cloudtrail_record(server, account):
    sm = account.client("sagemaker")
    answer = sm.create_hub(HubName="h", HubDescription="d", Tags=[{"Key": "k", "Value": "v"}])
    record = the_record(
        server, answer, eventName="CreateHub", eventSource="sagemaker.amazonaws.com", awsRegion=REGION,
        sourceIPAddress="127.0.0.1", readOnly=False, eventType="AwsApiCall", recipientAccountId=account.id,
    )
    assert record["eventVersion"].startswith("1.")
    assert record["eventTime"].endswith("Z")
    assert record["userIdentity"]["type"] == "Root"
    assert record["userIdentity"]["accountId"] == account.id
    assert record["userIdentity"]["accessKeyId"] == account.key
    assert "Boto3" in record["userAgent"]
    assert {name.lower(): value for name, value in record["requestParameters"].items()}["hubname"] == "h"
    assert account.arn("hub/h") in json.dumps(record["responseElements"])
    the_record(server, sm.describe_hub(HubName="h"), eventName="DescribeHub", readOnly=True)


def test_role_sessions_are_named(server, account):
    role = account.new_role("r")
    session = account.new_user("u", allow("sts:*")).assume(role, "job-7")
    record = the_record(server, session.client("sagemaker").list_hubs(), eventName="ListHubs")
    identity = record["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["arn"] == f"arn:aws:sts::{account.id}:assumed-role/r/job-7"
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == role


def test_refused_and_failed_calls_are_recorded(server, account):
    user = account.new_user("ana")
    with refused("AccessDeniedException") as denied:
        user.client("sagemaker").create_hub(HubName="h", HubDescription="d")
    record = the_record(server, denied.error, eventName="CreateHub", errorCode="AccessDenied")
    assert "ana" in record["errorMessage"]
    assert "additionalEventData" in record, "what decided"
    with refused("ResourceNotFound") as failed:
        account.client("sagemaker").describe_hub(HubName="nobody")
    the_record(server, failed.error, eventName="DescribeHub", errorCode="ResourceNotFound")
    with refused("ValidationException") as invalid:
        account.client("sagemaker", parameter_validation=False).create_hub(HubName="a/b")
    the_record(server, invalid.error, eventName="CreateHub", errorCode="ValidationException")
    wrong = Account(server, account.id, account.key, "x" * 40)
    with refused("InvalidSignatureException") as unsigned:
        wrong.client("sagemaker").list_hubs()
    the_record(server, unsigned.error, eventName="ListHubs", errorCode="InvalidSignatureException")
    with refused("AccessDenied") as denied:
        user.client("s3").list_buckets()
    the_record(server, denied.error, eventSource="s3.amazonaws.com", errorCode="AccessDenied")


def test_query_filters(server, account):
    user = account.new_user("auditee", allow("sagemaker:ListHubs"))
    user.client("sagemaker").list_hubs()
    with refused("AccessDeniedException"):
        user.client("sagemaker").list_models()
    arn = f"arn:aws:iam::{account.id}:user/auditee"

    def found(*filters):
        return [record["eventName"] for record in server.records("--principal", arn, *filters)]

    assert found() == ["ListHubs", "ListModels"], "oldest first"
    assert found("--denied") == ["ListModels"]
    assert found("--error", "AccessDenied") == ["ListModels"]
    assert found("--event", "ListHubs") == ["ListHubs"]
    assert found("--source", "iam.amazonaws.com") == []
    assert found("--source", "sagemaker.amazonaws.com", "--limit", "1") == ["ListModels"]
    assert found("--since", "5m") == ["ListHubs", "ListModels"]
    assert found("--since", "2999-01-01T00:00:00Z") == []
    assert found("--until", "2001-01-01T00:00:00Z") == []
    assert found("--account", "111122223333") == []
    assert server.command("audit", "query", "--since", "yesterday", check=False).returncode != 0


def test_tail_is_a_table(server, account):
    account.client("sagemaker").list_hubs()
    text = server.command("audit", "tail", "--account", account.id).stdout
    assert "ListHubs" in text
    assert "sagemaker" in text


def test_nobody_writes_lines_into_the_table(server, account):
    forged = "a\n2026-11-26T00:00:00Z  root                              iam           DeleteTrail  ok\x1b[31m"
    with pytest.raises(ClientError):
        account.client("iam").get_user(UserName=forged)
    text = server.command("audit", "query", "--account", account.id).stdout
    assert "GetUser" in text and "DeleteTrail" in text
    assert "\x1b" not in text
    assert not [line for line in text.splitlines() if line.startswith("2026-11-26T00:00:00Z  root")], text


def test_tail_follows(server, account):
    sm = account.client("sagemaker")
    for _ in range(25):
        sm.list_hubs()
    command = [server.binary, "audit", "tail", "--follow", "--account", account.id, "--data-dir", str(server.data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tail:
        try:
            before = [tail.stdout.readline() for _ in range(20)]
            sm.list_models()
            # The next line is the new call, not one of those that came before the twenty.
            assert "ListModels" in tail.stdout.readline()
            assert all("ListHubs" in line for line in before)
        finally:
            tail.kill()


def test_no_secret_is_in_the_journal_or_the_log(server, account):
    iam = account.client("iam")
    iam.create_user(UserName="ana")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    role = account.new_role("r")
    session = Account(server, account.id, key["AccessKeyId"], key["SecretAccessKey"])
    iam.put_user_policy(UserName="ana", PolicyName="p", PolicyDocument=json.dumps(allow("sts:*")))
    temporary = session.assume(role)
    temporary.client("sagemaker").list_hubs()
    secrets = [account.secret, key["SecretAccessKey"], temporary.secret, temporary.token, server.admin().secret]
    files = [path for path in (server.data_dir / "audit").rglob("*") if path.is_file()] + [server.log]
    files += [path for path in server.data_dir.glob("stoa.db*")]
    assert len(files) >= 3
    for path in files:
        content = path.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, f"a secret is readable in {path}"
    assert temporary.key.encode() in b"".join(path.read_bytes() for path in files), "the key id is there"


def test_invocation_bodies_are_not_recorded(server, account):
    deploy_public(account, account.new_role(), "e")
    assert endpoint_status(account.client("sagemaker"), "e")["EndpointStatus"] == "InService"
    runtime = account.client("sagemaker-runtime")
    assert iris_label(runtime, "e") == "setosa"
    records = server.records("--account", account.id, "--event", "InvokeEndpoint")
    assert records
    assert "sepal_length" not in json.dumps(records)


# ---- accounts -----------------------------------------------------------------------------------------------------


def test_an_account_is_quick(server):
    times = []
    for _ in range(5):
        began = time.monotonic()
        server.new_account("quick")
        times.append(time.monotonic() - began)
    assert min(times) < 1.0, times


def test_an_account_goes_with_all_that_it_owns(server, account):
    role = account.new_role()
    user = account.new_user("u", allow("*"))
    sm = deploy_public(account, role, "e")
    assert endpoint_status(sm, "e")["EndpointStatus"] == "InService"
    sm.create_hub(HubName="h", HubDescription="d")
    s3 = account.client("s3")
    bucket = f"gone-{account.id}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="k", Body=b"v" * 100_000)
    server.command("account", "delete", account.id)
    for client in (account, user):
        with refused("InvalidClientTokenId"):
            client.client("sts").get_caller_identity()
    other = server.new_account("heir").client("s3")
    other.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert other.list_objects_v2(Bucket=bucket).get("Contents") is None
    again = server.command("account", "delete", account.id, check=False)
    assert again.returncode != 0
    assert account.id in again.stderr
    assert server.command("account", "delete", "12", check=False).returncode != 0
    assert server.command("account", "delete", server.admin().id, check=False).returncode != 0


def test_bad_account_names(server):
    for name in ("", "x" * 51):
        done = server.command("account", "create", "--name", name, check=False)
        assert done.returncode != 0
        assert "error:" in done.stderr


# ---- catalog ------------------------------------------------------------------------------------------------------


def test_catalog_list(server):
    listed = {(one["id"], one["version"]): one for one in json.loads(server.command("catalog", "list", "--json").stdout)}
    assert {(IRIS, "1.0.0"), (IRIS, "1.1.0"), (GATED, "1.0.0")} <= listed.keys()
    assert listed[(GATED, "1.0.0")]["gated"] is True
    assert listed[(IRIS, "1.1.0")]["gated"] is False
    assert listed[(IRIS, "1.1.0")]["task"] == "Tabular Classification"
    import hashlib

    wanted = hashlib.sha256((SAMPLES / TINY / "1.0.0" / "artifact" / "model.onnx").read_bytes()).hexdigest()
    assert listed[(TINY, "1.0.0")]["files"]["model.onnx"] == wanted
    assert GATED in server.command("catalog", "list").stdout


@pytest.fixture
def folder(tmp_path):
    """A user's own model folder: a sample under another name."""
    target = tmp_path / "acme-tabularclassification-flowers" / "2.0.0"
    shutil.copytree(SAMPLES / IRIS / "1.1.0", target)
    change(target, id="acme-tabularclassification-flowers", version="2.0.0", framework="acme")
    return target


def change(folder, **values):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest.update(values)
    path.write_text(json.dumps({key: value for key, value in manifest.items() if value is not None}))


def test_import_a_users_model_and_serve_it(server, account, folder):
    server.command("catalog", "import", folder)
    server.command("catalog", "import", folder)
    listed = [one["id"] for one in json.loads(server.command("catalog", "list", "--json").stdout)]
    assert listed.count("acme-tabularclassification-flowers") == 1, "the same again changes nothing"
    sm = deploy_public(account, account.new_role(), "flowers", "acme-tabularclassification-flowers")
    described = endpoint_status(sm, "flowers")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    assert iris_label(account.client("sagemaker-runtime"), "flowers") == "setosa"
    # The same version with other bytes is refused: what was approved stays what it was.
    (folder / "artifact" / "model.onnx").write_bytes((SAMPLES / IRIS / "1.0.0" / "artifact" / "model.onnx").read_bytes())
    done = server.command("catalog", "import", folder, check=False)
    assert done.returncode != 0
    assert "2.0.0" in done.stderr
    change(folder, version="2.1.0")
    server.command("catalog", "import", folder)
    assert public_model(account.client("sagemaker"), "acme-tabularclassification-flowers")["HubContentVersion"] == "2.1.0"


@pytest.mark.parametrize(
    ("break_it", "word"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json"),
        (lambda folder: change(folder, id=None), "id"),
        (lambda folder: change(folder, id="a/b"), "id"),
        (lambda folder: change(folder, version="one"), "version"),
        (lambda folder: change(folder, gated=True), "eula"),
        (lambda folder: change(folder, default_instance_type="ml.nobody"), "instance"),
        (lambda folder: shutil.rmtree(folder / "artifact"), "artifact"),
    ],
)
def test_bad_folders_are_refused_by_name(server, folder, break_it, word):
    before = server.command("catalog", "list", "--json").stdout
    break_it(folder)
    done = server.command("catalog", "import", folder, check=False)
    assert done.returncode != 0
    assert word in done.stderr.lower(), done.stderr
    assert server.command("catalog", "list", "--json").stdout == before


def test_a_folder_that_is_not_there_and_links_that_lead_out(server, folder, tmp_path):
    assert server.command("catalog", "import", tmp_path / "nobody", check=False).returncode != 0
    (folder / "artifact" / "leak").symlink_to("/etc/hostname")
    done = server.command("catalog", "import", folder, check=False)
    assert done.returncode != 0
    assert "leak" in done.stderr


# ---- the rest -----------------------------------------------------------------------------------------------------


def test_policy_test(server, tmp_path):
    cases = ROOT / "crates" / "base" / "policy" / "tests" / "data" / "policy_cases.jsonl"
    done = server.command("policy", "test", cases, data_dir=False, check=False)
    last = done.stdout.strip().splitlines()[-1]
    number = sum(1 for line in cases.read_text().splitlines() if line.strip())
    assert last == f"{number} passed, 0 failed", done.stdout[-2000:]
    assert done.returncode == 0
    # A case that expects the opposite is named, and the status says so.
    first = json.loads(cases.read_text().splitlines()[0])
    flipped = tmp_path / "cases.jsonl"
    first["expect"] = "implicit_deny" if first["expect"] == "allow" else "allow"
    flipped.write_text(json.dumps(first) + "\n")
    done = server.command("policy", "test", flipped, data_dir=False, check=False)
    assert done.returncode == 1
    assert done.stdout.strip().splitlines()[-1] == "0 passed, 1 failed"
    assert server.command("policy", "test", tmp_path / "nobody", data_dir=False, check=False).returncode != 0


def test_doctor(server):
    done = server.command("doctor", check=False)
    assert done.stdout.strip().splitlines()[-1].endswith("to look at")
    assert "data folder" in done.stdout
    assert server.url in done.stdout


def test_commands_without_a_server_say_so(own_server):
    for command in (["account", "create", "--name", "a"], ["catalog", "list"], ["env"], ["audit", "query"]):
        done = own_server.command(*command, check=False)
        assert done.returncode != 0
        assert "stoa" in done.stderr or "data-dir" in done.stderr, done.stderr


def test_no_sample_catalog_and_two_regions(own_server):
    own_server.arguments = ["--no-sample-catalog"]
    own_server.regions = ("eu-central-1", "us-east-1")
    own_server.start()
    assert json.loads(own_server.command("catalog", "list", "--json").stdout) == []
    account = own_server.new_account("a")
    for region in own_server.regions:
        sm = account.client("sagemaker", region=region)
        sm.create_hub(HubName="h", HubDescription=region)
        assert sm.describe_hub(HubName="h")["HubDescription"] == region
        assert contents_of(sm) == []
    with pytest.raises(ClientError):
        account.client("sagemaker", region="us-west-2").list_hubs()
    assert own_server.environment()["AWS_DEFAULT_REGION"] == "eu-central-1"


def test_work_on_the_data_folder_itself_is_recorded(own_server):
    own_server.start()
    own_server.stop()
    own_server.command("blobs", "verify", "--fix-nothing", "--json")
    assert own_server.records("--event", "VerifyBlobs") == [], "what changes nothing leaves no trail"
    own_server.command("blobs", "verify", "--json")
    [record] = own_server.records("--event", "VerifyBlobs")
    assert record["userIdentity"]["type"] == "LocalAdministrator"
    assert record["responseElements"]["findings"] == []
    assert record["stoaPhase"] == "complete"


def test_what_commands_say_when_they_cannot(own_server, tmp_path):
    own_server.start()
    said = lambda *arguments: own_server.command(*arguments, check=False).stderr  # noqa: E731
    assert "no-such-bundle" in said("catalog", "import", tmp_path / "no-such-bundle.stoa", "--trust", "ed25519:x")
    many = [argument for number in range(20000) for argument in ("--model", f"model-of-a-long-name-{number:08}")]
    assert "256 KiB: name fewer" in said("catalog", "export", "--out", tmp_path / "out.stoa", *many)
    long = tmp_path / "long.rules"
    long.write_text("gated and " * 8000)
    assert "rules are not longer" in said("hub", "rules", "set", "--hub", "h", "--file", long)
    # As long as rules may be, in letters of three bytes: it is the hub that is not there.
    long.write_text("task is " + "機" * 16000)
    assert "does not exist" in said("hub", "rules", "set", "--hub", "h", "--file", long)
    assert "there is no account 999999999999" in said("eula", "forbid", GATED, "--account", "999999999999")
    own_server.stop()
    assert "no server is running" in said("catalog", "list")


def test_a_reader_that_has_seen_enough_is_no_error(server):
    command = [server.binary, "catalog", "list", "--json", "--data-dir", str(server.data_dir)]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
