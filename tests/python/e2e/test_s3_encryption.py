"""Encryption at rest through boto3: who may read what, what is on the disk, and what becomes of bytes tampered with."""

import base64
import hashlib
import io
import json
import tarfile
import urllib.request

import pytest
from botocore.exceptions import ClientError

from conftest import new_server
from support import (
    IRIS,
    IRIS_ROW,
    REGION,
    SAMPLES,
    allow,
    create_endpoint,
    endpoint_status,
    invoke_json,
    policy,
    public_model,
    refused,
    statement,
)

MIB = 1 << 20
MARK = b"these words must not be on the disk"
KMS = "aws:kms"


def content(size=300_000):
    return (MARK + bytes(range(256)) * (size // 256 + 1))[:size]


@pytest.fixture
def s3(account):
    return account.client("s3")


@pytest.fixture
def bucket(account, s3):
    name = f"enc-{account.id}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


@pytest.fixture
def key(account):
    return account.client("kms").create_key()["KeyMetadata"]


def sse(algorithm, key=None, **more):
    default = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key} if key else {})}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, **more}]}


def read(s3, bucket, key, **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def blobs(server):
    return [path for path in (server.data_dir / "blobs").rglob("*") if path.is_file()]


def on_disk(server, words=MARK):
    return any(words in path.read_bytes() for path in blobs(server))


def shown(answer):
    names = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
    return {name: answer[name] for name in names if name in answer}


def test_nothing_is_claimed_that_did_not_happen(s3, bucket):
    with refused("ServerSideEncryptionConfigurationNotFoundError"):
        s3.get_bucket_encryption(Bucket=bucket)
    assert shown(s3.put_object(Bucket=bucket, Key="k", Body=b"x")) == {}
    for answer in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert shown(answer) == {}
    copy = s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k")
    assert shown(copy) == {}


def test_sse_s3_looks_like_any_object_and_is_sealed(server, s3, bucket):
    body = content()
    put = s3.put_object(Bucket=bucket, Key="k", Body=body, ServerSideEncryption="AES256", ChecksumAlgorithm="SHA256")
    assert shown(put) == {"ServerSideEncryption": "AES256"}
    assert put["ETag"].strip('"') == hashlib.md5(body).hexdigest()
    assert put["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert not on_disk(server)
    assert read(s3, bucket, "k") == body
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head["ContentLength"] == len(body) and shown(head) == {"ServerSideEncryption": "AES256"}
    assert head["ChecksumSHA256"] == put["ChecksumSHA256"]
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == len(body)
    for first, last in [(0, 0), (65535, 65536), (65536, 131071), (299_999, 299_999), (100, 250_000)]:
        part = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={first}-{last}")
        assert part["ContentRange"] == f"bytes {first}-{last}/{len(body)}"
        assert part["Body"].read() == body[first : last + 1]
    assert read(s3, bucket, "k", Range="bytes=-7") == body[-7:]
    for size in (0, 1, 65536):
        s3.put_object(Bucket=bucket, Key="size", Body=body[:size], ServerSideEncryption="AES256")
        assert read(s3, bucket, "size") == body[:size]
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        assert answer.read() == body and answer.headers["x-amz-server-side-encryption"] == "AES256"


def test_default_encryption_of_a_bucket(s3, bucket, key):
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=sse("AES256"))
    got = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert got == sse("AES256", BucketKeyEnabled=False)
    assert shown(s3.put_object(Bucket=bucket, Key="a", Body=MARK)) == {"ServerSideEncryption": "AES256"}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=sse(KMS, key["Arn"], BucketKeyEnabled=True))
    got = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert got == sse(KMS, key["Arn"], BucketKeyEnabled=True)
    sealed = {"ServerSideEncryption": KMS, "SSEKMSKeyId": key["Arn"], "BucketKeyEnabled": True}
    put = s3.put_object(Bucket=bucket, Key="b", Body=MARK)
    assert shown(put) == sealed
    assert put["ETag"].strip('"') != hashlib.md5(MARK).hexdigest()
    assert shown(s3.get_object(Bucket=bucket, Key="b")) == sealed
    assert shown(s3.get_object(Bucket=bucket, Key="a")) == {"ServerSideEncryption": "AES256"}
    s3.delete_bucket_encryption(Bucket=bucket)
    assert shown(s3.put_object(Bucket=bucket, Key="c", Body=b"x")) == {}
    assert read(s3, bucket, "b") == MARK


def test_what_is_refused(s3, bucket, key):
    with refused("NotImplemented", "aws:kms:dsse"):
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=sse("aws:kms:dsse"))
    with refused("NotImplemented", "aws:kms:dsse"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms:dsse")
    with refused("MalformedXML"):
        unblocked = sse("AES256", BlockedEncryptionTypes={"EncryptionType": ["NONE"]})
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=unblocked)
    with refused("InvalidArgument", "KMSMasterKeyID is not applicable"):
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=sse("AES256", key["Arn"]))
    with refused("InvalidArgument", "x-amz-server-side-encryption : aws:kms"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="AES256", SSEKMSKeyId=key["Arn"])
    with refused("KMS.NotFoundException", status=400):
        missing = "00000000-0000-4000-8000-000000000000"
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId=missing)
    own = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", **own)
    assert "SSE-C" in str(error.value) and error.value.response["Error"]["Code"] == "AccessDenied"
    with refused("NoSuchKey"):
        read(s3, bucket, "k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("InvalidRequest", "not applicable to this object"):
        read(s3, bucket, "k", **own)


def test_reading_needs_the_key_too(account, s3, bucket, key):
    s3.put_object(Bucket=bucket, Key="k", Body=content(), ServerSideEncryption=KMS, SSEKMSKeyId=key["Arn"])
    reader = account.new_user("reader", allow("s3:*"))
    mine = reader.client("s3")
    with refused("AccessDenied", "kms:Decrypt", key["Arn"], status=403):
        read(mine, bucket, "k")
    with refused("AccessDenied", "kms:Decrypt"):
        read(mine, bucket, "k", Range="bytes=0-0")
    assert mine.head_object(Bucket=bucket, Key="k")["ContentLength"] == 300_000
    with pytest.raises(ClientError) as error:
        mine.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    with refused("AccessDenied", "kms:GenerateDataKey"):
        mine.put_object(Bucket=bucket, Key="n", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId=key["Arn"])
    with refused("AccessDenied", "kms:Decrypt"):
        mine.copy_object(Bucket=bucket, Key="n", CopySource=f"{bucket}/k")
    with refused("AccessDenied", "kms:GenerateDataKey"):
        mine.create_multipart_upload(Bucket=bucket, Key="n", ServerSideEncryption=KMS, SSEKMSKeyId=key["Arn"])

    # Through S3 only, and for this object only, by the encryption context.
    conditions = {
        "StringEquals": {
            "kms:ViaService": f"s3.{REGION}.amazonaws.com",
            "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}/k",
        }
    }
    keys = statement("Allow", "kms:Decrypt", key["Arn"], Condition=conditions)
    via = account.new_user("via", policy(statement("Allow", "s3:*"), keys))
    assert read(via.client("s3"), bucket, "k") == content()
    s3.put_object(Bucket=bucket, Key="other", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId=key["Arn"])
    with refused("AccessDenied", "kms:Decrypt"):
        read(via.client("s3"), bucket, "other")
    # A grant is as good as a policy.
    arn = reader.client("sts").get_caller_identity()["Arn"]
    account.client("kms").create_grant(KeyId=key["KeyId"], GranteePrincipal=arn, Operations=["Decrypt"])
    assert read(mine, bucket, "k") == content()


def test_a_reader_of_another_account_needs_bucket_and_key(server, account, s3, bucket, key):
    guest = server.new_account("guest-of-keys")
    user = guest.new_user("ana", allow("s3:GetObject"))
    arn = user.client("sts").get_caller_identity()["Arn"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"shared", ServerSideEncryption=KMS, SSEKMSKeyId=key["Arn"])
    share = statement("Allow", "s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal={"AWS": arn})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(share)))
    with refused("AccessDenied", "kms:Decrypt"):
        read(user.client("s3"), bucket, "k")
    # As in AWS: a grant needs no policy of the grantee's account beside it.
    account.client("kms").create_grant(KeyId=key["KeyId"], GranteePrincipal=arn, Operations=["Decrypt"])
    assert read(user.client("s3"), bucket, "k") == b"shared"


def test_a_disabled_key_opens_nothing_until_it_is_enabled(account, s3, bucket, key):
    kms = account.client("kms")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId=key["KeyId"])
    kms.disable_key(KeyId=key["KeyId"])
    with refused("KMS.DisabledException", "is disabled", status=400):
        read(s3, bucket, "k")
    with refused("KMS.DisabledException"):
        s3.put_object(Bucket=bucket, Key="n", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId=key["KeyId"])
    kms.enable_key(KeyId=key["KeyId"])
    assert read(s3, bucket, "k") == b"x"
    kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    with refused("KMS.KMSInvalidStateException", "pending deletion"):
        read(s3, bucket, "k")


def test_the_accounts_own_key_and_contexts(account, s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS)
    managed = account.client("kms").describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert put["SSEKMSKeyId"] == managed["Arn"] and managed["KeyManager"] == "AWS"
    # Everyone in the account may use it, through S3.
    reader = account.new_user("reader", allow("s3:GetObject"))
    assert read(reader.client("s3"), bucket, "k") == b"x"
    context = base64.b64encode(json.dumps({"team": "red"}).encode()).decode()
    s3.put_object(Bucket=bucket, Key="c", Body=b"y", ServerSideEncryption=KMS, SSEKMSEncryptionContext=context)
    assert read(s3, bucket, "c") == b"y"
    with refused("InvalidArgument", "x-amz-server-side-encryption-context"):
        s3.put_object(Bucket=bucket, Key="c", Body=b"y", ServerSideEncryption=KMS, SSEKMSEncryptionContext="e")


@pytest.mark.parametrize("algorithm", ["AES256", KMS])
def test_multipart(server, s3, bucket, key, algorithm):
    more = {"ServerSideEncryption": algorithm, **({"SSEKMSKeyId": key["Arn"]} if algorithm == KMS else {})}
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big", **more)
    assert shown(upload) == more
    name = {"Bucket": bucket, "Key": "big", "UploadId": upload["UploadId"]}
    bodies = [content(5 * MIB), content(6 * MIB + 17), content(1000)]
    s3.put_object(Bucket=bucket, Key="source", Body=bodies[1], **more)
    parts = []
    for number, body in enumerate(bodies, 1):
        if number == 2:
            put = s3.upload_part_copy(**name, PartNumber=number, CopySource=f"{bucket}/source")
            etag = put["CopyPartResult"]["ETag"]
        else:
            put = s3.upload_part(**name, PartNumber=number, Body=body)
            etag = put["ETag"]
        assert shown(put) == more
        parts.append({"PartNumber": number, "ETag": etag})
    assert [part["Size"] for part in s3.list_parts(**name)["Parts"]] == [len(body) for body in bodies]
    done = s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
    assert shown(done) == more and done["ETag"].endswith('-3"')
    assert not on_disk(server)
    whole = b"".join(bodies)
    assert read(s3, bucket, "big") == whole
    border = 5 * MIB
    assert read(s3, bucket, "big", Range=f"bytes={border - 3}-{border + 3}") == whole[border - 3 : border + 4]
    second = s3.get_object(Bucket=bucket, Key="big", PartNumber=2)
    assert second["Body"].read() == bodies[1] and second["PartsCount"] == 3


def test_the_transfer_manager_uses_the_buckets_default(server, account, s3, bucket, key, tmp_path):
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=sse(KMS, key["Arn"]))
    source = tmp_path / "model.bin"
    source.write_bytes(content(20 * MIB))
    s3.upload_file(str(source), bucket, "model.bin")
    assert s3.head_object(Bucket=bucket, Key="model.bin")["SSEKMSKeyId"] == key["Arn"]
    s3.download_file(bucket, "model.bin", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    assert not on_disk(server)


def test_copies_between_all_kinds(s3, bucket, key):
    kinds = {
        "plain": {},
        "own": {"ServerSideEncryption": "AES256"},
        "kms": {"ServerSideEncryption": KMS, "SSEKMSKeyId": key["Arn"]},
    }
    # Of what is stored in the clear on purpose, other tests must not find the mark.
    body = content(200_000)[len(MARK) :]
    for name, more in kinds.items():
        s3.put_object(Bucket=bucket, Key=name, Body=body, Metadata={"a": "b"}, **more)
    for source in kinds:
        for target, more in kinds.items():
            copy = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/{source}", **more)
            assert shown(copy) == more, (source, target)
            got = s3.get_object(Bucket=bucket, Key="copy")
            assert shown(got) == more and got["Metadata"] == {"a": "b"}
            assert got["Body"].read() == body
    # Encrypting an object in place is a change that a copy onto itself may make.
    s3.copy_object(Bucket=bucket, Key="plain", CopySource=f"{bucket}/plain", ServerSideEncryption="AES256")
    assert shown(s3.head_object(Bucket=bucket, Key="plain")) == kinds["own"]
    assert read(s3, bucket, "plain") == body


def test_a_policy_can_demand_encryption(account, s3, bucket, key):
    """The classic bucket policy that denies uploads without, or with another key."""
    resource = f"arn:aws:s3:::{bucket}/*"
    deny = lambda condition: statement("Deny", "s3:PutObject", resource, Principal="*", Condition=condition)  # noqa: E731
    wrong = deny({"StringNotEquals": {"s3:x-amz-server-side-encryption": KMS}})
    other = deny({"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key["Arn"]}})
    none = deny({"Null": {"s3:x-amz-server-side-encryption": "true"}})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(wrong, other, none)))
    user = account.new_user("writer", allow(["s3:*", "kms:*"])).client("s3")
    for more in ({}, {"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": KMS, "SSEKMSKeyId": "alias/aws/s3"}):
        with refused("AccessDenied", "explicit deny"):
            user.put_object(Bucket=bucket, Key="k", Body=b"x", **more)
    user.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId=key["Arn"])


def test_tampered_blobs_are_errors_and_never_bytes(server, s3, bucket):
    body = content(400_000)
    before = set(blobs(server))
    s3.put_object(Bucket=bucket, Key="k", Body=body, ServerSideEncryption="AES256")
    (blob,) = set(blobs(server)) - before
    good = blob.read_bytes()
    head, frame = 48, 65536 + 16
    cases = {
        "first": good[:100] + bytes([good[100] ^ 1]) + good[101:],
        "middle": good[: head + 3 * frame + 7] + b"\0\0\0" + good[head + 3 * frame + 10 :],
        "swapped": good[:head] + good[head + frame : head + 2 * frame] + good[head : head + frame] + good[head + 2 * frame :],
        "cut": good[: head + 2 * frame],
        "cleared": body,
    }
    blob.chmod(0o600)
    for name, bad in cases.items():
        blob.write_bytes(bad)
        got = b""
        try:
            for piece in s3.get_object(Bucket=bucket, Key="k")["Body"].iter_chunks(10_000):
                got += piece
            failed = False
        except Exception as error:  # noqa: BLE001: whatever the client makes of it
            failed = True
            if isinstance(error, ClientError):
                assert error.response["Error"]["Code"] == "InternalError", name
        assert failed, f"{name}: it was read as if nothing had happened"
        assert got == body[: len(got)], f"{name}: wrong bytes came"
    blob.write_bytes(good)
    assert read(s3, bucket, "k") == body


def archive():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for path in (SAMPLES / IRIS / "1.0.0" / "artifact").iterdir():
            made.add(path, arcname=path.name)
    return packed.getvalue()


@pytest.mark.parametrize("kind", ["archive", "files"])
def test_endpoints_serve_sealed_models_if_their_role_may_open_them(server, account, s3, bucket, key, kind):
    more = {"ServerSideEncryption": KMS, "SSEKMSKeyId": key["Arn"]}
    weights = (SAMPLES / IRIS / "1.0.0" / "artifact" / "model.onnx").read_bytes()
    s3.put_object(Bucket=bucket, Key="m/model.tar.gz", Body=archive(), **more)
    for path in (SAMPLES / IRIS / "1.0.0" / "artifact").iterdir():
        s3.put_object(Bucket=bucket, Key=f"f/{path.name}", Body=path.read_bytes(), **more)
    sm = account.client("sagemaker")
    container = {"Image": public_model(sm, IRIS)["document"]["HostingEcrUri"]}
    if kind == "archive":
        container["ModelDataUrl"] = f"s3://{bucket}/m/model.tar.gz"
    else:
        source = {"S3Uri": f"s3://{bucket}/f/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        container["ModelDataSource"] = {"S3DataSource": source}
    without = account.new_role("Without", allow("s3:*"))
    sm.create_model(ModelName="closed", ExecutionRoleArn=without, PrimaryContainer=container)
    create_endpoint(sm, "closed")
    failed = endpoint_status(sm, "closed")
    assert failed["EndpointStatus"] == "Failed" and "kms:Decrypt" in failed["FailureReason"], failed
    conditions = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    keys = statement("Allow", "kms:Decrypt", key["Arn"], Condition=conditions)
    role = account.new_role("With", policy(statement("Allow", "s3:*"), keys))
    sm.create_model(ModelName="open", ExecutionRoleArn=role, PrimaryContainer=container)
    create_endpoint(sm, "open")
    served = endpoint_status(sm, "open")
    assert served["EndpointStatus"] == "InService", served.get("FailureReason")
    answer = invoke_json(account.client("sagemaker-runtime"), "open", {"instances": [IRIS_ROW]})
    assert answer["predictions"][0]["label"]
    assert list((server.data_dir / "opened").iterdir()) == []
    # The public hub's own copy of the sample is in the clear under its digest; nothing else is.
    clear = [path.name for path in blobs(server) if path.read_bytes() == weights]
    assert clear in ([], [hashlib.sha256(weights).hexdigest()])
    with refused("ValidationException", "KmsKeyId"):
        variants = [{"VariantName": "a", "ModelName": "open", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}]
        sm.create_endpoint_config(EndpointConfigName="v", ProductionVariants=variants, KmsKeyId=key["Arn"])


def test_a_replaced_master_key_opens_what_the_old_one_sealed(own_server):
    server = own_server.start()
    account = server.new_account("rotating")
    s3, kms = account.clients("s3", "kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket="rotating", CreateBucketConfiguration={"LocationConstraint": REGION})
    body = content(6 * MIB)
    s3.put_object(Bucket="rotating", Key="own", Body=body, ServerSideEncryption="AES256")
    s3.put_object(Bucket="rotating", Key="kms", Body=body, ServerSideEncryption=KMS, SSEKMSKeyId=key)
    upload = s3.create_multipart_upload(Bucket="rotating", Key="big", ServerSideEncryption="AES256")["UploadId"]
    part = s3.upload_part(Bucket="rotating", Key="big", UploadId=upload, PartNumber=1, Body=body)["ETag"]
    old = (server.data_dir / "master.key").read_bytes()
    server.stop()
    server.command("keys", "rotate-master")
    assert (server.data_dir / "master.key").read_bytes() != old
    server.start()
    s3 = account.client("s3", url=server.url)
    assert read(s3, "rotating", "own") == body
    assert read(s3, "rotating", "kms") == body
    name = {"Bucket": "rotating", "Key": "big", "UploadId": upload}
    more = s3.upload_part(**name, PartNumber=2, Body=b"more")["ETag"]
    parts = [{"PartNumber": 1, "ETag": part}, {"PartNumber": 2, "ETag": more}]
    s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
    assert read(s3, "rotating", "big") == body + b"more"
    # Sealed objects outlive kill -9 as others do.
    s3.put_object(Bucket="rotating", Key="last", Body=body, ServerSideEncryption="AES256")
    server.kill()
    server.start()
    assert read(account.client("s3", url=server.url), "rotating", "last") == body
    assert not on_disk(server)


def test_a_servers_default_encrypts_buckets_that_say_nothing(request, tmp_path):
    settings = tmp_path / "stoa.toml"
    settings.write_text('[s3]\ndefault_encryption = "AES256"\n')
    server = new_server(request, arguments=("--config", str(settings))).start()
    try:
        s3 = server.new_account("sealed").client("s3")
        s3.create_bucket(Bucket="sealed", CreateBucketConfiguration={"LocationConstraint": REGION})
        got = s3.get_bucket_encryption(Bucket="sealed")["ServerSideEncryptionConfiguration"]
        assert got == sse("AES256", BucketKeyEnabled=False)
        assert shown(s3.put_object(Bucket="sealed", Key="k", Body=MARK)) == {"ServerSideEncryption": "AES256"}
        assert not on_disk(server)
        assert read(s3, "sealed", "k") == MARK
    finally:
        server.stop()
