"""S3 by boto3: buckets, objects, listings, ranges, multipart, presigned URLs, checksums, both addressing styles."""

import base64
import hashlib
import io
import os
import time
import zlib

import pytest
import requests
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from support import NO_PROXIES, REGION, refused, wait_for

LOCATION = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}


@pytest.fixture
def s3(account):
    return account.client("s3", s3={"addressing_style": "path"}, signature_version="s3v4")


@pytest.fixture
def bucket(s3, account):
    name = f"b-{account.id}"
    s3.create_bucket(Bucket=name, **LOCATION)
    return name


def put(s3, bucket, **objects):
    for key, body in objects.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)


def test_buckets(s3, account, server):
    name = f"first-{account.id}"
    s3.create_bucket(Bucket=name, **LOCATION)
    assert s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert name in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == REGION
    with refused("BucketAlreadyOwnedByYou", status=409):
        s3.create_bucket(Bucket=name, **LOCATION)
    other = server.new_account("other")
    with refused("BucketAlreadyExists", status=409):
        other.client("s3").create_bucket(Bucket=name, **LOCATION)
    with refused("InvalidBucketName"):
        s3.create_bucket(Bucket="No_Such_Name", **LOCATION)
    put(s3, name, k=b"v")
    with refused("BucketNotEmpty", status=409):
        s3.delete_bucket(Bucket=name)
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    with refused("404"):
        s3.head_bucket(Bucket=name)
    with refused("NoSuchBucket", status=404):
        s3.list_objects_v2(Bucket=name)


@pytest.mark.parametrize("size", [0, 1, 5_000, 3_000_000])
def test_what_goes_in_comes_out(s3, bucket, size):
    body = os.urandom(size)
    made = s3.put_object(Bucket=bucket, Key="a/b c+d.bin", Body=body, ContentType="x/y", Metadata={"who": "me"})
    assert made["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="a/b c+d.bin")
    assert got["Body"].read() == body
    assert (got["ETag"], got["ContentType"], got["Metadata"]) == (made["ETag"], "x/y", {"who": "me"})
    head = s3.head_object(Bucket=bucket, Key="a/b c+d.bin")
    assert (head["ContentLength"], head["ETag"]) == (size, made["ETag"])
    s3.delete_object(Bucket=bucket, Key="a/b c+d.bin")
    s3.delete_object(Bucket=bucket, Key="a/b c+d.bin")
    with refused("NoSuchKey", status=404):
        s3.get_object(Bucket=bucket, Key="a/b c+d.bin")
    with refused("404"):
        s3.head_object(Bucket=bucket, Key="a/b c+d.bin")


def test_the_last_write_wins(s3, bucket):
    put(s3, bucket, k=b"one")
    put(s3, bucket, k=b"two, longer")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"two, longer"


def test_ranges_and_preconditions(s3, bucket):
    body = bytes(range(256)) * 1024
    etag = s3.put_object(Bucket=bucket, Key="k", Body=body)["ETag"]

    def ranged(text):
        got = s3.get_object(Bucket=bucket, Key="k", Range=text)
        return got["ResponseMetadata"]["HTTPStatusCode"], got["ContentRange"], got["Body"].read()

    total = len(body)
    assert ranged("bytes=0-9") == (206, f"bytes 0-9/{total}", body[:10])
    assert ranged("bytes=100000-") == (206, f"bytes 100000-{total - 1}/{total}", body[100000:])
    assert ranged("bytes=-5") == (206, f"bytes {total - 5}-{total - 1}/{total}", body[-5:])
    assert ranged(f"bytes=5-{total * 2}") == (206, f"bytes 5-{total - 1}/{total}", body[5:])
    with refused("InvalidRange", status=416):
        ranged(f"bytes={total}-")
    with refused("304"):
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag)
    with refused("PreconditionFailed", status=412):
        s3.get_object(Bucket=bucket, Key="k", IfMatch='"0"')
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)["ContentLength"] == total


def test_list_objects_with_delimiter_and_pages(s3, bucket):
    keys = ["a/1", "a/2", "a/b/3", "c", "d/4", "ä ö+&.txt"]
    put(s3, bucket, **dict.fromkeys(keys, b"x"))
    listed = s3.list_objects_v2(Bucket=bucket)
    assert [one["Key"] for one in listed["Contents"]] == sorted(keys, key=str.encode)
    assert listed["KeyCount"] == 6
    assert listed["IsTruncated"] is False
    top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [one["Key"] for one in top["Contents"]] == ["c", "ä ö+&.txt"]
    assert [one["Prefix"] for one in top["CommonPrefixes"]] == ["a/", "d/"]
    inner = s3.list_objects_v2(Bucket=bucket, Prefix="a/", Delimiter="/")
    assert [one["Key"] for one in inner["Contents"]] == ["a/1", "a/2"]
    assert [one["Prefix"] for one in inner["CommonPrefixes"]] == ["a/b/"]
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
    assert len(pages) == 3
    assert [one["Key"] for page in pages for one in page["Contents"]] == sorted(keys, key=str.encode)
    mixed = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}))
    found = [entry.get("Prefix") or entry.get("Key") for page in mixed for entry in page.get("CommonPrefixes", []) + page.get("Contents", [])]
    assert found == ["a/", "c", "d/", "ä ö+&.txt"]
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, StartAfter="a/b/3")["Contents"]][:1] == ["c"]
    assert s3.list_objects_v2(Bucket=bucket, Prefix="nothing").get("Contents") is None
    assert [one["Key"] for one in s3.list_objects(Bucket=bucket, Prefix="a/")["Contents"]] == ["a/1", "a/2", "a/b/3"]


def test_delete_many(s3, bucket):
    put(s3, bucket, a=b"1", b=b"2", c=b"3")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}, {"Key": "never"}]})
    assert {one["Key"] for one in answer["Deleted"]} == {"a", "b", "never"}
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["c"]


def test_copy(s3, bucket, account):
    body = os.urandom(100_000)
    s3.put_object(Bucket=bucket, Key="from", Body=body, Metadata={"a": "b"}, ContentType="x/y")
    other = f"o-{account.id}"
    s3.create_bucket(Bucket=other, **LOCATION)
    answer = s3.copy_object(Bucket=other, Key="to", CopySource={"Bucket": bucket, "Key": "from"})
    assert answer["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=other, Key="to")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (body, {"a": "b"}, "x/y")
    with refused("NoSuchKey"):
        s3.copy_object(Bucket=other, Key="to", CopySource={"Bucket": bucket, "Key": "nothing"})


def test_multipart_by_upload_file(s3, bucket, tmp_path):
    content = os.urandom(20 * 1024 * 1024)
    source = tmp_path / "big"
    source.write_bytes(content)
    parts = TransferConfig(multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024, max_concurrency=4)
    s3.upload_file(str(source), bucket, "big", Config=parts)
    head = s3.head_object(Bucket=bucket, Key="big")
    assert head["ContentLength"] == len(content)
    assert head["ETag"].strip('"').endswith("-4")
    target = tmp_path / "back"
    s3.download_file(bucket, "big", str(target), Config=parts)
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(content).digest()
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_multipart_by_hand(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    first, second = os.urandom(5 * 1024 * 1024), b"the end"
    # Out of order, and the first part twice: the later one counts.
    tags = {2: s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=2, Body=second)["ETag"]}
    s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x" * len(first))
    tags[1] = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=first)["ETag"]
    listed = s3.list_parts(Bucket=bucket, Key="m", UploadId=upload)["Parts"]
    assert [(one["PartNumber"], one["ETag"]) for one in listed] == [(1, tags[1]), (2, tags[2])]
    assert [one["UploadId"] for one in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="m")

    def complete(parts):
        entries = [{"PartNumber": number, "ETag": tag} for number, tag in parts]
        return s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": entries})

    with refused("InvalidPart"):
        complete([(1, '"0123"'), (2, tags[2])])
    with refused("InvalidPartOrder"):
        complete([(2, tags[2]), (1, tags[1])])
    complete([(1, tags[1]), (2, tags[2])])
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == first + second
    with refused("NoSuchUpload"):
        s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"")


def test_abort_multipart(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(Bucket=bucket, Key="m", UploadId=upload)
    with refused("NoSuchUpload"):
        s3.list_parts(Bucket=bucket, Key="m", UploadId=upload)
    assert s3.list_objects_v2(Bucket=bucket).get("Contents") is None


def test_presigned_get_and_put(s3, bucket):
    put(s3, bucket, **{"a b/c": b"secret"})
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/c"}, ExpiresIn=60)
    assert "X-Amz-Signature" in url
    got = requests.get(url, timeout=30, proxies=NO_PROXIES)
    assert (got.status_code, got.content) == (200, b"secret")
    part = requests.get(url, headers={"Range": "bytes=1-2"}, timeout=30, proxies=NO_PROXIES)
    assert (part.status_code, part.content) == (206, b"ec")
    assert requests.put(url, data=b"no", timeout=30, proxies=NO_PROXIES).status_code == 403
    other = requests.get(url.replace("a%20b/c", "a%20b/d"), timeout=30, proxies=NO_PROXIES)
    assert (other.status_code, "SignatureDoesNotMatch" in other.text) == (403, True)
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "new"}, ExpiresIn=60)
    assert requests.put(url, data=b"given", timeout=30, proxies=NO_PROXIES).status_code == 200
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"given"


def test_presigned_url_after_its_end(s3, bucket):
    put(s3, bucket, k=b"v")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=1)
    made = time.monotonic()

    def get():
        return requests.get(url, timeout=30, proxies=NO_PROXIES)

    wait_for("the URL has expired", lambda: get().status_code != 200, deadline=10, pause=0.2)
    assert time.monotonic() - made > 0.1
    for answer in (get(), get()):
        assert answer.status_code == 403
        assert "<Code>AccessDenied</Code>" in answer.text
        assert "Request has expired" in answer.text


def test_what_boto3_presigns_by_default(account, s3, bucket):
    """Against a custom endpoint boto3 still makes URLs of Signature Version 2, unless it is told otherwise."""
    put(s3, bucket, k=b"v")
    url = account.client("s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    assert requests.get(url, timeout=30, proxies=NO_PROXIES).content == b"v"
    old = account.client("s3", signature_version="s3").generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60
    )
    assert "AWSAccessKeyId=" in old
    assert requests.get(old, timeout=30, proxies=NO_PROXIES).content == b"v"
    other = requests.get(old.replace(f"{bucket}/k", f"{bucket}/other"), timeout=30, proxies=NO_PROXIES)
    assert (other.status_code, "SignatureDoesNotMatch" in other.text) == (403, True)
    assert requests.put(old, data=b"no", timeout=30, proxies=NO_PROXIES).status_code == 403


def test_no_credentials_at_all(server, bucket):
    answer = requests.get(f"{server.url}/{bucket}/k", timeout=30, proxies=NO_PROXIES)
    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code>" in answer.text


def test_checksums(s3, bucket):
    body = b"check me" * 1000
    crc32 = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    made = s3.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm="CRC32")
    assert made["ChecksumCRC32"] == crc32
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["ChecksumCRC32"] == crc32
    assert got["Body"].read() == body
    sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert s3.put_object(Bucket=bucket, Key="s", Body=body, ChecksumSHA256=sha256)["ChecksumSHA256"] == sha256
    for wrong in ({"ChecksumCRC32": "AAAAAA=="}, {"ContentMD5": base64.b64encode(bytes(16)).decode()}):
        with refused("BadDigest", status=400):
            s3.put_object(Bucket=bucket, Key="bad", Body=body, **wrong)
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="bad")


def test_a_body_that_is_not_the_signed_one(account, bucket, server):
    """The payload is signed: a man in the middle cannot change it."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("PUT", f"{server.url}/{bucket}/k", data=b"what was signed")
    S3SigV4Auth(Credentials(account.key, account.secret), "s3", REGION).add_auth(request)
    answer = requests.put(request.url, data=b"what was brought", headers=dict(request.headers), timeout=30, proxies=NO_PROXIES)
    assert answer.status_code == 400
    assert "XAmzContentSHA256Mismatch" in answer.text


def test_expected_bucket_owner(s3, bucket, account):
    put(s3, bucket, k=b"v")
    assert s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner=account.id)["ContentLength"] == 1
    for call in (
        lambda: s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner="111122223333"),
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"w", ExpectedBucketOwner="111122223333"),
    ):
        with refused("AccessDenied", status=403):
            call()
    with refused("403"):
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner="111122223333")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"


def test_virtual_host_style_through_the_front_door(server, account):
    """`https://BUCKET.s3.REGION.amazonaws.com` through the proxy: TLS, chunked and trailing checksums included."""
    from botocore.config import Config

    config = Config(
        proxies={"https": server.url}, s3={"addressing_style": "virtual"}, retries={"total_max_attempts": 1}
    )
    s3 = account.session().client("s3", config=config, verify=str(server.data_dir / "ca.pem"))
    bucket = f"virtual-{account.id}"
    s3.create_bucket(Bucket=bucket, **LOCATION)
    body = os.urandom(200_000)
    s3.put_object(Bucket=bucket, Key="x/y", Body=body)
    s3.upload_fileobj(io.BytesIO(body), bucket, "z")
    assert s3.get_object(Bucket=bucket, Key="x/y")["Body"].read() == body
    assert s3.get_object(Bucket=bucket, Key="z")["Body"].read() == body
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["x/y", "z"]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "z"}, ExpiresIn=60)
    assert url.startswith(f"https://{bucket}.s3")
    got = requests.get(url, timeout=30, proxies={"https": server.url}, verify=str(server.data_dir / "ca.pem"))
    assert got.content == body


def test_virtual_host_style_by_host_header(server, s3, account, bucket):
    """`BUCKET.localhost`, sent to the address itself, since not every resolver knows names below localhost."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    put(s3, bucket, **{"a/k": b"v"})
    port = server.url.rsplit(":", 1)[1]
    request = AWSRequest("GET", f"http://{bucket}.localhost:{port}/a/k", headers={"Host": f"{bucket}.localhost:{port}"})
    S3SigV4Auth(Credentials(account.key, account.secret), "s3", REGION).add_auth(request)
    got = requests.get(f"{server.url}/a/k", headers=dict(request.headers), timeout=30, proxies=NO_PROXIES)
    assert (got.status_code, got.content) == (200, b"v"), got.text


def test_another_account_sees_nothing(s3, bucket, server):
    put(s3, bucket, k=b"v")
    other = server.new_account("other").client("s3")
    for call in (
        lambda: other.get_object(Bucket=bucket, Key="k"),
        lambda: other.put_object(Bucket=bucket, Key="k", Body=b"w"),
        lambda: other.list_objects_v2(Bucket=bucket),
        lambda: other.delete_object(Bucket=bucket, Key="k"),
        lambda: other.delete_bucket(Bucket=bucket),
    ):
        with refused("AccessDenied", status=403):
            call()
    assert bucket not in [one["Name"] for one in other.list_buckets()["Buckets"]]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"


def test_the_jumpstart_buckets_are_the_same_in_every_region(account):
    import json

    manifests = []
    for region in ("us-west-2", "eu-central-1"):
        s3 = account.client("s3")
        answer = s3.get_object(Bucket=f"jumpstart-cache-prod-{region}", Key="models_manifest.json")
        assert answer["ETag"]
        manifests.append({(one["model_id"], one["version"]) for one in json.loads(answer["Body"].read())})
    assert manifests[0] == manifests[1]
    assert manifests[0]
    with pytest.raises(ClientError):
        account.client("s3").put_object(Bucket="jumpstart-cache-prod-us-west-2", Key="models_manifest.json", Body=b"[]")
