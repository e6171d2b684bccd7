"""The gate of a hub: formats, pickles, sizes, licences, signed statements, tampered bytes, and provenance."""

import hashlib
import json
import pickle
import sqlite3
import tarfile
from io import BytesIO

import pytest
import requests

from support import IRIS, NO_PROXIES, REGION, TINY, allow, refused, wait_for
from test_insight import stoa
from test_presigned import own_document

PUBLIC_ARN = f"arn:aws:sagemaker:{REGION}:aws:hub-content/SageMakerPublicHub/Model"
HEADER = json.dumps({"t": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
SAFETENSORS = len(HEADER).to_bytes(8, "little") + HEADER + bytes(4)


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("exit 1",)


def tar_of(**files):
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(content)
            archive.addfile(info, BytesIO(content))
    return out.getvalue()


class Site:
    def __init__(self, account, name):
        self.account, self.sm, self.s3, self.api = account, account.client("sagemaker"), account.client("s3"), stoa(account)
        self.bucket = f"models-{account.id}-{name}"
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.sm.create_hub(HubName="h", HubDescription="d")

    def policy(self, **policy):
        return self.api.put_hub_admission_policy(HubName="h", Policy=policy)

    def put(self, name, document=None, markdown=None, wait=True, **files):
        for path, content in files.items():
            self.s3.put_object(Bucket=self.bucket, Key=f"{name}/{path.replace('__', '.')}", Body=content)
        own = {**json.loads(own_document(f"s3://{self.bucket}/{name}/")), **(document or {})}
        more = {"HubContentMarkdown": markdown} if markdown else {}
        self.sm.import_hub_content(
            HubName="h", HubContentName=name, HubContentType="Model", DocumentSchemaVersion="2.3.0",
            HubContentDocument=json.dumps(own), **more,
        )
        return self.judged(name) if wait else None

    def describe(self, name):
        return self.sm.describe_hub_content(HubName="h", HubContentType="Model", HubContentName=name)

    def judged(self, name, unlike=("Importing",)):
        def probe():
            found = self.describe(name)
            return found if found["HubContentStatus"] not in unlike else None

        return wait_for(f"the judgement of {name}", probe)

    def presign(self, name, kind="Model"):
        urls = self.sm.create_hub_content_presigned_urls(HubName="h", HubContentType=kind, HubContentName=name)
        return urls["AuthorizedUrlConfigs"]


@pytest.fixture
def site(account, request):
    return Site(account, hashlib.sha256(request.node.name.encode()).hexdigest()[:8])


def test_the_policy_by_api_and_command(server, account, site):
    assert "Policy" not in site.api.describe_hub_admission_policy(HubName="h")
    policy = {"AllowedFormats": ["Safetensors", "JSON"], "UnsafePickle": "Refuse", "MaxFileBytes": 1000}
    assert site.policy(**policy)["Policy"] == policy
    assert site.api.describe_hub_admission_policy(HubName="h")["Policy"] == policy
    reader = account.new_user("reader", allow(["sagemaker:*", "stoa:Describe*"]))
    assert stoa(reader).describe_hub_admission_policy(HubName="h")["Policy"] == policy
    with refused("AccessDeniedException", "stoa:PutHubAdmissionPolicy"):
        stoa(reader).put_hub_admission_policy(HubName="h", Policy={})
    with refused("ResourceNotFoundException", "nobody"):
        site.api.describe_hub_admission_policy(HubName="nobody")
    arn = account.arn("hub/h")
    shown = json.loads(server.command("hub", "admission", "--hub", arn).stdout)
    assert shown == {"HubArn": arn, "Policy": policy}
    refusal = server.command("hub", "admission", "--hub", arn, "--policy", "/dev/null", check=False)
    assert refusal.returncode != 0
    assert "Policy" not in site.policy()


def test_formats_sizes_licences_and_fields(site):
    assert site.put("before", model__bin=pickle.dumps(Evil()), wait=False) is None
    assert site.describe("before")["HubContentStatus"] == "Available", "without a policy, as AWS"
    site.policy(
        AllowedFormats=["Safetensors", "JSON", "Tar"], MaxFileBytes=4000, AllowedLicences=["apache-2.0"],
        RequiredDocumentFields=["Url"], RequiredCardFields=["license"],
    )
    good = {"document": {"Url": "https://example.com"}, "markdown": "---\nlicense: Apache-2.0\n---\n# A card\n"}
    found = site.put("good", model__safetensors=SAFETENSORS, config__json=b"{}", **good)
    assert (found["HubContentStatus"], "FailureReason" in found) == ("Available", False)
    # By content, not by name.
    found = site.put("named", model__safetensors=pickle.dumps({"a": 1}), **good)
    assert found["HubContentStatus"] == "ImportFailed"
    assert "model.safetensors: the format Pickle is not allowed" in found["FailureReason"]
    found = site.put("within", model__tar__gz=tar_of(model__bin=pickle.dumps([1])), **good)
    assert "model.tar.gz: the format Pickle of a file in it" in found["FailureReason"]
    found = site.put("large", config__json=json.dumps(["x" * 4000]).encode(), **good)
    assert "at most 4000" in found["FailureReason"]
    found = site.put("bare", model__safetensors=SAFETENSORS)
    assert all(word in found["FailureReason"] for word in ("licence", "lacks Url", "lacks license"))
    with refused("ValidationException", "not available", "ImportFailed"):
        site.presign("bare")
    with refused("ValidationException", "no file"):
        site.put("empty")
    # Public models are held to it too.
    with refused("ValidationException", "admission policy"):
        site.sm.create_hub_content_reference(HubName="h", SageMakerPublicHubContentArn=f"{PUBLIC_ARN}/{TINY}")


def test_pickles_are_refused_held_or_marked(site):
    evil = tar_of(model__pkl=pickle.dumps(Evil()))
    site.policy(UnsafePickle="Refuse")
    found = site.put("refused", model__tar__gz=evil)
    assert found["HubContentStatus"] == "ImportFailed"
    assert "model.tar.gz" in found["FailureReason"] and "system" in found["FailureReason"]
    assert site.put("plain", data__pkl=pickle.dumps({"a": [1, 2.5, b"x"]}))["HubContentStatus"] == "Available"
    site.policy(UnsafePickle="Quarantine")
    found = site.put("held", model__tar__gz=evil)
    assert found["HubContentStatus"] == "PendingImport" and "quarantine" in found["FailureReason"]
    with refused("ValidationException", "PendingImport"):
        site.presign("held")
    # Judged again when the policy changes.
    site.policy(UnsafePickle="Quarantine", AllowedImports=["posix.system", "nt.system", "os.system"])
    found = site.judged("held", unlike=("PendingImport", "Importing"))
    assert found["HubContentStatus"] == "Available" and "FailureReason" not in found
    site.policy(UnsafePickle="Mark")
    found = site.put("marked", model__tar__gz=evil)
    assert (found["HubContentStatus"], found["SupportStatus"]) == ("Available", "Restricted")
    shown = json.loads(found["HubContentDocument"])["StoaProvenance"]
    assert any("system" in finding for finding in shown["Findings"])


def sign_key(account):
    kms = account.client("kms")
    return kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]


def test_provenance_is_signed_and_shown(server, account, site):
    key = sign_key(account)
    site.policy(SigningKeyId=key)
    found = site.put("signed", model__safetensors=SAFETENSORS)
    assert found["HubContentStatus"] == "Available"
    digest = hashlib.sha256(SAFETENSORS).hexdigest()
    shown = json.loads(found["HubContentDocument"])["StoaProvenance"]
    assert shown["Files"] == {"model.safetensors": digest} and shown["SigningKeyArn"] == key
    told = site.api.describe_model_provenance(HubName="h", HubContentType="Model", HubContentName="signed")
    assert told["SignatureValid"] is True and told["SigningKeyArn"] == key
    assert told["Source"] == f"s3://{site.bucket}/signed/" and told["ImportedBy"].endswith(":root")
    [file] = told["Files"]
    assert (file["Path"], file["Sha256"], file["Format"]) == ("model.safetensors", digest, "Safetensors")
    text = server.command("model", "provenance", account.arn("hub/h") + "/Model/signed").stdout
    assert "genuine" in text and digest in text
    [url] = site.presign("signed")
    assert requests.get(url["Url"], timeout=30, proxies=NO_PROXIES).content == SAFETENSORS
    # The files are others now: nothing is served under the old statement.
    site.s3.put_object(Bucket=site.bucket, Key="signed/model.safetensors", Body=SAFETENSORS + b"x")
    with refused("ValidationException", "not what was imported", "model.safetensors"):
        site.presign("signed")
    # Who may not use the key imports nothing.
    user = account.new_user("alice", allow(["sagemaker:*", "s3:*"]))
    with refused("AccessDeniedException", "kms:Sign"):
        user.client("sagemaker").import_hub_content(
            HubName="h", HubContentName="other", HubContentType="Model", DocumentSchemaVersion="2.3.0",
            HubContentDocument=own_document(f"s3://{site.bucket}/signed/"),
        )


def test_tampered_bytes_are_never_served(own_server):
    server = own_server.start()
    account = server.new_account("tampered")
    site = Site(account, "tamper")
    site.policy(SigningKeyId=sign_key(account))
    site.put("a", model__safetensors=SAFETENSORS)
    site.put("b", config__json=b'{"b": 1}')
    site.sm.create_hub_content_reference(HubName="h", SageMakerPublicHubContentArn=f"{PUBLIC_ARN}/{IRIS}")
    [url] = site.presign("a")
    assert requests.get(url["Url"], timeout=30, proxies=NO_PROXIES).content == SAFETENSORS
    assert site.presign(IRIS, "ModelReference")

    def alter(digest):
        [blob] = [path for path in server.data_dir.rglob("*") if path.is_file() and digest in str(path).replace("/", "")]
        blob.chmod(0o600)
        blob.write_bytes(bytes([blob.read_bytes()[0] ^ 1]) + blob.read_bytes()[1:])

    alter(hashlib.sha256(SAFETENSORS).hexdigest())
    with refused("ValidationException", "not what was imported", "model.safetensors"):
        site.presign("a")
    assert requests.get(url["Url"], timeout=30, proxies=NO_PROXIES).status_code == 403, "a URL of before"
    [file, *_] = site.api.describe_model_provenance(
        HubName="h", HubContentType="ModelReference", HubContentName=IRIS
    )["Files"]
    alter(file["Sha256"])
    with refused("ValidationException", "not what was imported", file["Path"]):
        site.presign(IRIS, "ModelReference")
    role = account.new_role()
    source = {
        "S3Uri": f"s3://jumpstart-cache-prod-{REGION}/{IRIS}/artifacts/inference-prepack/v1.1.0/",
        "S3DataType": "S3Prefix", "CompressionType": "None",
        "HubAccessConfig": {"HubContentArn": account.arn(f"hub-content/h/ModelReference/{IRIS}/1.1.0")},
    }
    with refused("ValidationException", "not what was imported"):
        site.sm.create_model(
            ModelName="m", ExecutionRoleArn=role,
            PrimaryContainer={"Image": "stoa/inference:1", "ModelDataSource": {"S3DataSource": source}},
        )
    # The statement in the store, which a new signature would be needed for.
    assert server.stop() == 0
    with sqlite3.connect(server.data_dir / "stoa.db") as connection:
        altered = connection.execute(
            "update document set body = replace(body, ':root', ':other') "
            "where kind = 'sagemaker:hub-content-provenance' and id like '%/b/%'"
        )
    assert altered.rowcount == 1
    server.start()
    with refused("ValidationException", "no genuine signature"):
        account.client("sagemaker").create_hub_content_presigned_urls(
            HubName="h", HubContentType="Model", HubContentName="b"
        )
    shown = stoa(account).describe_model_provenance(HubName="h", HubContentType="Model", HubContentName="b")
    assert shown["SignatureValid"] is False
