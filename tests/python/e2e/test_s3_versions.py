"""S3 versions by boto3: ids, markers, suspension, listings, policies of versions, and `kill -9` between writes."""

import json
import threading

import pytest
from botocore.exceptions import ClientError

from support import REGION, allow, refused

LOCATION = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}


def versioned(s3, name):
    s3.create_bucket(Bucket=name, **LOCATION)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def s3(account):
    return account.client("s3")


@pytest.fixture
def bucket(s3, account):
    return versioned(s3, f"v-{account.id}")


def put(s3, bucket, key, body, **more):
    return s3.put_object(Bucket=bucket, Key=key, Body=body, **more)["VersionId"]


def read(s3, bucket, key, **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def listed(s3, bucket, **more):
    """Versions and markers of all pages as (key, id, latest, marker), each kind in the order it came in."""
    found = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, **more):
        found += [(one["Key"], one["VersionId"], one["IsLatest"], False) for one in page.get("Versions", [])]
        found += [(one["Key"], one["VersionId"], one["IsLatest"], True) for one in page.get("DeleteMarkers", [])]
    return found


def empty(s3, bucket):
    for key, version, _, _ in listed(s3, bucket):
        s3.delete_object(Bucket=bucket, Key=key, VersionId=version)


def test_the_status_of_a_bucket(s3, account):
    name = f"status-{account.id}"
    s3.create_bucket(Bucket=name, **LOCATION)
    assert "Status" not in s3.get_bucket_versioning(Bucket=name)
    assert "VersionId" not in s3.put_object(Bucket=name, Key="k", Body=b"plain")
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
        assert s3.get_bucket_versioning(Bucket=name)["Status"] == status
    with refused("NotImplemented", "MfaDelete"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"})
    assert read(s3, name, "k", VersionId="null") == b"plain"


def test_a_key_keeps_its_past(s3, bucket):
    ids = [put(s3, bucket, "k", body) for body in (b"one", b"two", b"three")]
    assert len(set(ids)) == 3
    assert [read(s3, bucket, "k", VersionId=one) for one in ids] == [b"one", b"two", b"three"]
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == ids[2]
    head = s3.head_object(Bucket=bucket, Key="k", VersionId=ids[0])
    assert (head["ContentLength"], head["VersionId"]) == (3, ids[0])
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", VersionId=ids[1], ObjectAttributes=["ObjectSize"])
    assert (attributes["ObjectSize"], attributes["VersionId"]) == (3, ids[1])
    deleted = s3.delete_object(Bucket=bucket, Key="k")
    assert deleted["DeleteMarker"] is True
    marker = deleted["VersionId"]
    with refused("NoSuchKey", status=404) as refusal:
        s3.get_object(Bucket=bucket, Key="k")
    assert refusal.error["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    with refused("MethodNotAllowed", status=405):
        s3.get_object(Bucket=bucket, Key="k", VersionId=marker)
    with refused("405"):
        s3.head_object(Bucket=bucket, Key="k", VersionId=marker)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])] == []
    assert [one[1:] for one in listed(s3, bucket)] == [
        (ids[2], False, False), (ids[1], False, False), (ids[0], False, False), (marker, True, True)]
    undone = s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    assert (undone["DeleteMarker"], undone["VersionId"]) == (True, marker)
    assert read(s3, bucket, "k") == b"three"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[2])
    assert read(s3, bucket, "k") == b"two"
    with refused("NoSuchVersion", status=404):
        s3.get_object(Bucket=bucket, Key="k", VersionId=ids[2])
    with refused("InvalidArgument", "version id"):
        s3.get_object(Bucket=bucket, Key="k", VersionId="made-up")
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[2])


def test_suspended(s3, bucket):
    kept = put(s3, bucket, "k", b"kept")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert [put(s3, bucket, "k", body) for body in (b"a", b"b")] == ["null", "null"]
    assert read(s3, bucket, "k", VersionId="null") == b"b"
    deleted = s3.delete_object(Bucket=bucket, Key="k")
    assert (deleted["DeleteMarker"], deleted["VersionId"]) == (True, "null")
    assert listed(s3, bucket) == [("k", kept, False, False), ("k", "null", True, True)]


def test_listings_page_by_key_and_version(s3, bucket):
    for key in ("a", "dir/1", "dir/2", "z ü"):
        for body in (b"1", b"2", b"3"):
            put(s3, bucket, key, body)
    s3.delete_object(Bucket=bucket, Key="dir/2")
    whole = listed(s3, bucket)
    assert len(whole) == 13
    for size in (1, 2, 5):
        assert sorted(listed(s3, bucket, PaginationConfig={"PageSize": size})) == sorted(whole), size
    assert {key for key, *_ in listed(s3, bucket, Prefix="dir/")} == {"dir/1", "dir/2"}
    rolled = s3.list_object_versions(Bucket=bucket, Delimiter="/")
    assert [one["Prefix"] for one in rolled["CommonPrefixes"]] == ["dir/"]
    assert {one["Key"] for one in rolled["Versions"]} == {"a", "z ü"}
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=2)
    assert (page["IsTruncated"], page["NextKeyMarker"]) == (True, "a")
    rest = s3.list_object_versions(
        Bucket=bucket, KeyMarker="a", VersionIdMarker=page["NextVersionIdMarker"], Prefix="a")
    assert [one["VersionId"] for one in rest["Versions"]] == [whole[2][1]]
    with refused("InvalidArgument"):
        s3.list_object_versions(Bucket=bucket, VersionIdMarker=whole[0][1])


def test_tags_copies_and_many_deletions(s3, bucket):
    first, second = put(s3, bucket, "k", b"first", Tagging="n=1"), put(s3, bucket, "k", b"second")
    tags = s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=first)
    assert (tags["TagSet"], tags["VersionId"]) == ([{"Key": "n", "Value": "1"}], first)
    new = {"TagSet": [{"Key": "n", "Value": "2"}]}
    assert s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=first, Tagging=new)["VersionId"] == first
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    s3.delete_object_tagging(Bucket=bucket, Key="k", VersionId=first)
    assert s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=first)["TagSet"] == []
    back = s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": first})
    assert back["CopySourceVersionId"] == first and back["VersionId"] not in (first, second)
    assert read(s3, bucket, "k") == b"first"
    objects = [{"Key": "k", "VersionId": second}, {"Key": "k"}, {"Key": "none"}]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Deleted"]
    assert [one.get("DeleteMarker", False) for one in done] == [False, True, True]
    assert done[0]["VersionId"] == second
    with refused("BucketNotEmpty", status=409):
        s3.delete_bucket(Bucket=bucket)
    empty(s3, bucket)
    s3.delete_bucket(Bucket=bucket)


def test_conditions_and_uploads(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")
    with refused("PreconditionFailed", status=412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfNoneMatch="*")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"4")
    done = s3.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert read(s3, bucket, "k", VersionId=done["VersionId"]) == b"4"
    assert len(listed(s3, bucket)) == 4


def test_the_rights_of_versions(s3, account, bucket):
    first, second = put(s3, bucket, "k", b"first"), put(s3, bucket, "k", b"second")
    arn = f"arn:aws:s3:::{bucket}"
    reader = account.new_user("reader", allow("s3:GetObject", f"{arn}/*")).client("s3")
    assert read(reader, bucket, "k") == b"second"
    with refused("AccessDenied", "s3:GetObjectVersion"):
        read(reader, bucket, "k", VersionId=second)
    with refused("AccessDenied", "s3:ListBucketVersions"):
        reader.list_object_versions(Bucket=bucket)
    one = {"StringEquals": {"s3:VersionId": first}}
    narrow = account.new_user("narrow", allow(["s3:GetObjectVersion", "s3:DeleteObject"], f"{arn}/*", Condition=one))
    assert read(narrow.client("s3"), bucket, "k", VersionId=first) == b"first"
    with refused("AccessDenied"):
        read(narrow.client("s3"), bucket, "k", VersionId=second)
    with refused("AccessDenied", "s3:DeleteObjectVersion"):
        narrow.client("s3").delete_object(Bucket=bucket, Key="k", VersionId=first)


def test_nothing_acknowledged_is_lost(own_server):
    """The server dies while versions are written; each that was acknowledged is there after."""
    own_server.start()
    account = own_server.new_account()
    s3, name = account.client("s3"), f"v-{account.id}"
    versioned(s3, name)
    written, lock = {}, threading.Lock()

    def write(worker):
        client = account.client("s3")
        try:
            for number in range(10_000):
                key, body = f"k{number % 3}", f"{worker} {number}".encode()
                version = put(client, name, key, body)
                with lock:
                    written[version] = (key, body)
                if number % 7 == 6:
                    marker = client.delete_object(Bucket=name, Key=key)["VersionId"]
                    with lock:
                        written[marker] = (key, None)
        except (ClientError, Exception):
            return

    for _ in range(3):
        before = len(written)
        workers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for worker in workers:
            worker.start()
        while len(written) < before + 60 and any(worker.is_alive() for worker in workers):
            pass
        own_server.kill()
        for worker in workers:
            worker.join()
        own_server.start()
    s3 = account.client("s3")
    found = {version: (key, marker) for key, version, _, marker in listed(s3, name)}
    for version, (key, body) in written.items():
        assert found[version] == (key, body is None)
        if body is not None:
            assert read(s3, name, key, VersionId=version) == body
    latest = [(key, marker) for key, _, is_latest, marker in listed(s3, name) if is_latest]
    assert sorted(key for key, _ in latest) == ["k0", "k1", "k2"]
    current = {one["Key"] for one in s3.list_objects_v2(Bucket=name).get("Contents", [])}
    assert current == {key for key, marker in latest if not marker}
