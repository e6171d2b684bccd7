"""Licences as a governed act: recorded consents, an account's decisions, changed texts, and the auditor's report."""

import csv
import hashlib
import io
import json
import shutil

import pytest

from support import GATED, PUBLIC_HUB, REGION, SAMPLES, allow, refused
from test_insight import stoa

BUCKET = f"jumpstart-private-cache-prod-{REGION}"
PREFIX = f"{GATED}/artifacts/inference-prepack/v1.0.0/"
TEXT = hashlib.sha256((SAMPLES / GATED / "1.0.0" / "EULA.txt").read_bytes()).hexdigest()


def create(account, name, role, model=GATED, version="1.0.0", **access):
    source = {
        "S3Uri": f"s3://{BUCKET}/{model}/artifacts/inference-prepack/v{version}/", "S3DataType": "S3Prefix",
        "CompressionType": "None", **access,
    }
    container = {"Image": "stoa/inference:1", "ModelDataSource": {"S3DataSource": source}}
    return account.client("sagemaker").create_model(
        ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role
    )


def presign(account, **access):
    more = {"AccessConfig": access} if access else {}
    return account.client("sagemaker").create_hub_content_presigned_urls(
        HubName=PUBLIC_HUB, HubContentType="Model", HubContentName=GATED, **more
    )["AuthorizedUrlConfigs"]


ACCEPTED = {"ModelAccessConfig": {"AcceptEula": True}}


def test_consents_are_recorded_and_open_what_they_are_for(server, account):
    user = account.new_user("alice", allow(["sagemaker:*", "s3:*", "iam:PassRole"]))
    role = account.new_role()
    s3 = user.client("s3")
    with refused("AccessDenied", "EULA", "accepted"):
        s3.get_object(Bucket=BUCKET, Key=PREFIX + "config.json")
    with refused("ValidationException", "EULA", GATED, "AcceptEula"):
        create(user, "m", role)
    with refused("AccessDeniedException", "EULA"):
        presign(user)
    assert stoa(account).list_eula_acceptances()["Acceptances"] == []
    create(user, "m", role, **ACCEPTED)
    for _ in range(2):
        assert presign(user, AcceptEula=True)
    found = stoa(account).list_eula_acceptances(ModelName=GATED)["Acceptances"]
    assert sorted((one["How"], one["ModelVersion"], one["EulaDigest"]) for one in found) == [
        ("CreateHubContentPresignedUrls", "1.0.0", TEXT), ("CreateModel", "1.0.0", TEXT)
    ]
    assert all(one["PrincipalArn"] == user.client("sts").get_caller_identity()["Arn"] for one in found)
    # What was accepted may be read directly, by whom it was accepted.
    assert s3.get_object(Bucket=BUCKET, Key=PREFIX + "config.json")["Body"].read()
    other = account.new_user("bob", allow(["sagemaker:*", "s3:*"]))
    with refused("AccessDenied", "EULA"):
        other.client("s3").get_object(Bucket=BUCKET, Key=PREFIX + "config.json")
    # Page by page.
    first = stoa(account).list_eula_acceptances(MaxResults=1)
    second = stoa(account).list_eula_acceptances(MaxResults=1, NextToken=first["NextToken"])
    assert [*first["Acceptances"], *second["Acceptances"]] == found and "NextToken" not in second
    # The auditor's report.
    report = server.command("eula", "report", "--account", account.id, "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(report)))
    assert sorted(row["how"] for row in rows) == ["CreateHubContentPresignedUrls", "CreateModel"]
    assert rows[0]["eula_sha256"] == TEXT and rows[0]["account"] == account.id
    report = json.loads(server.command("eula", "report", "--account", account.id, "--json").stdout)
    assert len(report["acceptances"]) == 2 and report["decisions"] == []


def test_an_administrator_decides_for_an_account(server, account):
    role = account.new_role()
    user = account.new_user("alice", allow(["sagemaker:*", "s3:*", "iam:PassRole", "stoa:ListEulaAcceptances"]))
    with refused("AccessDeniedException", "stoa:PutEulaDecision"):
        stoa(user).put_eula_decision(ModelName=GATED, Decision="Accepted")
    api = stoa(account)
    with refused("ResourceNotFoundException", "nothing"):
        api.put_eula_decision(ModelName="nothing", Decision="Accepted")
    with refused("ValidationException", "digest"):
        api.put_eula_decision(ModelName=GATED, Decision="Accepted", EulaDigest="0" * 64)
    assert api.put_eula_decision(ModelName=GATED, Decision="Accepted")["EulaDigest"] == TEXT
    create(user, "m", role)
    assert presign(user)
    assert user.client("s3").get_object(Bucket=BUCKET, Key=PREFIX + "config.json")["Body"].read()
    [decision] = stoa(user).list_eula_acceptances()["Decisions"]
    assert (decision["Decision"], decision["EulaDigest"]) == ("Accepted", TEXT)
    assert stoa(user).list_eula_acceptances()["Acceptances"] == [], "nobody but the administrator accepted"
    # By the command, for an account; whatever a caller accepts then.
    server.command("eula", "forbid", GATED, "--account", account.id)
    assert "Forbidden" in server.command("eula", "list", "--account", account.id).stdout
    with refused("ValidationException", "forbade", GATED):
        create(user, "n", role, **ACCEPTED)
    with refused("AccessDeniedException", "forbade"):
        presign(user, AcceptEula=True)
    with refused("AccessDenied", "forbade"):
        user.client("s3").get_object(Bucket=BUCKET, Key=PREFIX + "config.json")
    server.command("eula", "clear", GATED, "--account", account.id)
    assert presign(user, AcceptEula=True)
    # Another account's business is not this one's.
    stranger = server.new_account("stranger")
    assert stoa(stranger).list_eula_acceptances()["Acceptances"] == []


def test_a_changed_text_asks_anew(server, account, tmp_path):
    role = account.new_role()
    model = "acme-textgeneration-licensed"

    def put(version, text):
        folder = tmp_path / version
        shutil.copytree(SAMPLES / GATED / "1.0.0", folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest.update(id=model, version=version, framework="acme")
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "EULA.txt").write_text(text)
        server.command("catalog", "import", folder)

    put("1.0.0", "the first terms")
    stoa(account).put_eula_decision(ModelName=model, Decision="Accepted")
    create(account, "one", role, model=model)
    put("1.1.0", "the second terms")
    create(account, "two", role, model=model)
    with refused("ValidationException", "not the one that was accepted"):
        create(account, "three", role, model=model, version="1.1.0")
    stoa(account).put_eula_decision(ModelName=model, Decision="Accepted")
    create(account, "three", role, model=model, version="1.1.0")
    create(account, "four", role, model=model)
