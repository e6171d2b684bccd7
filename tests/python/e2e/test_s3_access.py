"""Bucket policies, the public access block, tags of buckets and objects, reads by part: over the wire, by boto3."""

import json

import pytest

from support import REGION, allow, deny, policy, refused, statement

LOCATION = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}


def client(account):
    return account.client("s3", s3={"addressing_style": "path"}, signature_version="s3v4")


@pytest.fixture
def s3(account):
    return client(account)


@pytest.fixture
def bucket(s3, account):
    name = f"b-{account.id}"
    s3.create_bucket(Bucket=name, **LOCATION)
    return name


def arn(bucket, key=None):
    return f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")


def put_policy(s3, bucket, *statements):
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(*statements)))


def for_principal(effect, principal, actions, resources, **more):
    return {**statement(effect, actions, resources, **more), "Principal": principal}


def test_a_bucket_policy_grants_in_its_own_account(account, s3, bucket):
    user = account.new_user("ana")
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    with refused("AccessDenied", "s3:GetObject", status=403):
        client(user).get_object(Bucket=bucket, Key="k")
    put_policy(s3, bucket, for_principal("Allow", {"AWS": f"arn:aws:iam::{account.id}:user/ana"}, "s3:GetObject", arn(bucket, "*")))
    assert client(user).get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"
    with refused("AccessDenied", status=403):
        client(user).put_object(Bucket=bucket, Key="k", Body=b"w")
    s3.delete_bucket_policy(Bucket=bucket)
    with refused("AccessDenied", status=403):
        client(user).get_object(Bucket=bucket, Key="k")
    with refused("NoSuchBucketPolicy", status=404):
        s3.get_bucket_policy(Bucket=bucket)


def test_across_accounts_both_sides_must_allow(account, server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    other = server.new_account("other")
    without, having = other.new_user("without"), other.new_user("having", allow("s3:GetObject", arn(bucket, "*")))
    with refused("AccessDenied", "no resource-based policy allows", status=403):
        client(having).get_object(Bucket=bucket, Key="k")
    put_policy(s3, bucket, for_principal("Allow", {"AWS": f"arn:aws:iam::{other.id}:root"}, "s3:GetObject", arn(bucket, "*")))
    assert client(having).get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"
    with refused("AccessDenied", "no identity-based policy allows", status=403):
        client(without).get_object(Bucket=bucket, Key="k")


def test_a_deny_of_the_bucket_reaches_administrators_but_never_locks_the_root_user_out(account, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    admin = account.new_user("admin", allow("*"))
    put_policy(s3, bucket, for_principal("Deny", "*", "s3:*", [arn(bucket), arn(bucket, "*")]))
    with refused("AccessDenied", "explicit deny in a resource-based policy", status=403):
        client(admin).get_object(Bucket=bucket, Key="k")
    with refused("AccessDenied", "explicit deny in a resource-based policy", status=403):
        client(admin).delete_bucket_policy(Bucket=bucket)
    root = client(account)
    assert json.loads(root.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Effect"] == "Deny"
    root.delete_bucket_policy(Bucket=bucket)
    assert client(admin).get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"


def test_a_policy_that_is_none_is_refused_with_its_place(account, s3, bucket):
    cases = [
        ("{", "line 1"),
        (json.dumps(policy(statement("Allow", "s3:GetObject", arn(bucket, "*")))), "Principal"),
        (json.dumps(policy(for_principal("Allow", "*", "s3:GetObject", arn("another-bucket", "*")))), "invalid resource"),
        (json.dumps(policy(for_principal("Allow", "*", "iam:PassRole", arn(bucket)))), "invalid action"),
    ]
    for text, words in cases:
        with refused("MalformedPolicy", words, status=400):
            s3.put_bucket_policy(Bucket=bucket, Policy=text)


def test_the_public_access_block(account, server, s3, bucket):
    everyone = for_principal("Allow", "*", "s3:GetObject", arn(bucket, "*"))
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values()) and len(block) == 4
    with refused("AccessDenied", "BlockPublicPolicy", status=403):
        put_policy(s3, bucket, everyone)
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicPolicy": False, "RestrictPublicBuckets": True}
    )
    put_policy(s3, bucket, everyone)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    other = server.new_account("other").new_user("bob", allow("s3:*"))
    with refused("AccessDenied", "RestrictPublicBuckets", status=403):
        client(other).get_object(Bucket=bucket, Key="k")
    s3.delete_public_access_block(Bucket=bucket)
    assert client(other).get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"
    with refused("NoSuchPublicAccessBlockConfiguration", status=404):
        s3.get_public_access_block(Bucket=bucket)
    put_policy(s3, bucket, for_principal("Allow", "*", "s3:GetObject", arn(bucket, "*"),
                                         Condition={"StringEquals": {"aws:PrincipalAccount": account.id}}))
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False


def test_policies_survive_a_restart(own_server):
    own_server.start()
    account = own_server.new_account()
    s3 = client(account)
    s3.create_bucket(Bucket="kept", **LOCATION)
    put_policy(s3, "kept", for_principal("Deny", "*", "s3:PutObject", arn("kept", "*")))
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [{"Key": "team", "Value": "ml"}]})
    own_server.kill()
    own_server.start()
    s3 = client(account)
    with refused("AccessDenied", "resource-based policy", status=403):
        s3.put_object(Bucket="kept", Key="k", Body=b"v")
    assert s3.get_bucket_tagging(Bucket="kept")["TagSet"] == [{"Key": "team", "Value": "ml"}]


def test_what_may_not_be_read_may_not_be_copied(account, s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="secret", Body=b"v", Tagging="class=secret")["VersionId"]
    s3.put_object(Bucket=bucket, Key="open", Body=b"v", Tagging="class=open")
    closed = {"StringEquals": {"s3:ExistingObjectTag/class": "secret"}}
    user = account.new_user(
        "ida",
        allow("s3:*", "*"),
        deny(["s3:GetObject", "s3:GetObjectVersion"], arn(bucket, "*"), Condition=closed),
        deny("s3:*", "*", Condition={"StringNotEquals": {"aws:ResourceAccount": account.id}}),
    )
    mine = client(user)
    for source in ({"Bucket": bucket, "Key": "secret"}, {"Bucket": bucket, "Key": "secret", "VersionId": version}):
        with refused("AccessDenied", "s3:GetObject", status=403):
            mine.copy_object(Bucket=bucket, Key="mine", CopySource=source, TaggingDirective="REPLACE")
        upload = mine.create_multipart_upload(Bucket=bucket, Key="mine")["UploadId"]
        with refused("AccessDenied", "s3:GetObject", status=403):
            mine.upload_part_copy(Bucket=bucket, Key="mine", UploadId=upload, PartNumber=1, CopySource=source)
    mine.copy_object(Bucket=bucket, Key="mine", CopySource={"Bucket": bucket, "Key": "open"})
    assert mine.get_object_tagging(Bucket=bucket, Key="mine")["TagSet"] == [{"Key": "class", "Value": "open"}]


def test_object_tags_decide(account, s3, bucket):
    s3.put_object(Bucket=bucket, Key="open", Body=b"v", Tagging="class=open&team=ml%20ops")
    s3.put_object(Bucket=bucket, Key="secret", Body=b"v", Tagging="class=secret")
    tags = {one["Key"]: one["Value"] for one in s3.get_object_tagging(Bucket=bucket, Key="open")["TagSet"]}
    assert tags == {"class": "open", "team": "ml ops"}
    assert s3.get_object(Bucket=bucket, Key="open")["TagCount"] == 2
    user = account.new_user(
        "ana",
        allow("s3:GetObject", arn(bucket, "*"), Condition={"StringEquals": {"s3:ExistingObjectTag/class": "open"}}),
        allow(["s3:PutObject", "s3:PutObjectTagging"], arn(bucket, "*"),
              Condition={"StringEquals": {"s3:RequestObjectTag/class": "open"}}),
    )
    mine = client(user)
    assert mine.get_object(Bucket=bucket, Key="open")["Body"].read() == b"v"
    with refused("AccessDenied", "s3:GetObject", status=403):
        mine.get_object(Bucket=bucket, Key="secret")
    mine.put_object(Bucket=bucket, Key="new", Body=b"v", Tagging="class=open")
    with refused("AccessDenied", "s3:PutObject", status=403):
        mine.put_object(Bucket=bucket, Key="new", Body=b"v", Tagging="class=secret")
    with refused("AccessDenied", "s3:PutObjectTagging", status=403):
        mine.put_object_tagging(Bucket=bucket, Key="new", Tagging={"TagSet": [{"Key": "class", "Value": "secret"}]})
    mine.put_object_tagging(Bucket=bucket, Key="secret", Tagging={"TagSet": [{"Key": "class", "Value": "open"}]})
    assert mine.get_object(Bucket=bucket, Key="secret")["Body"].read() == b"v"
    s3.delete_object_tagging(Bucket=bucket, Key="open")
    assert s3.get_object_tagging(Bucket=bucket, Key="open")["TagSet"] == []
    with refused("AccessDenied", status=403):
        mine.get_object(Bucket=bucket, Key="open")


def test_tags_go_with_copies_and_uploads(account, s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"v", Tagging="k=1")
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    assert s3.get_object_tagging(Bucket=bucket, Key="b")["TagSet"] == [{"Key": "k", "Value": "1"}]
    s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "a"}, TaggingDirective="REPLACE", Tagging="k=2")
    assert s3.get_object_tagging(Bucket=bucket, Key="c")["TagSet"] == [{"Key": "k", "Value": "2"}]
    copier = account.new_user("copier", allow(["s3:GetObject", "s3:PutObject"], arn(bucket, "*")))
    with refused("AccessDenied", "s3:GetObjectTagging", status=403):
        client(copier).copy_object(Bucket=bucket, Key="d", CopySource={"Bucket": bucket, "Key": "a"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", Tagging="k=3")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x")
    s3.complete_multipart_upload(
        Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    )
    assert s3.get_object_tagging(Bucket=bucket, Key="m")["TagSet"] == [{"Key": "k", "Value": "3"}]


def test_tags_that_s3_does_not_take(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    with refused("BadRequest", status=400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"v", Tagging="&".join(f"k{n}=v" for n in range(11)))
    with refused("InvalidTag", status=400):
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "aws:x", "Value": "v"}]})
    with refused("NoSuchKey", status=404):
        s3.put_object_tagging(Bucket=bucket, Key="none", Tagging={"TagSet": []})
    with refused("NoSuchTagSet", status=404):
        s3.get_bucket_tagging(Bucket=bucket)


def test_bucket_tags_decide(account, s3, bucket):
    user = account.new_user("ana", allow("s3:ListBucket", Condition={"StringEquals": {"aws:ResourceTag/team": "ml"}}))
    with refused("AccessDenied", status=403):
        client(user).list_objects_v2(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "ml"}]})
    client(user).list_objects_v2(Bucket=bucket)
    s3.delete_bucket_tagging(Bucket=bucket)
    with refused("AccessDenied", status=403):
        client(user).list_objects_v2(Bucket=bucket)


def test_reads_by_part_and_attributes(s3, bucket):
    big, small = b"a" * (5 << 20), b"tail"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, body in enumerate([big, small], 1):
        done = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        parts.append({"ETag": done["ETag"], "PartNumber": number, "ChecksumSHA256": done["ChecksumSHA256"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": parts})
    second = s3.get_object(Bucket=bucket, Key="m", PartNumber=2)
    assert second["Body"].read() == small
    assert second["ContentRange"] == f"bytes {5 << 20}-{(5 << 20) + 3}/{(5 << 20) + 4}" and second["PartsCount"] == 2
    assert s3.head_object(Bucket=bucket, Key="m", PartNumber=1)["ContentLength"] == 5 << 20
    with refused("InvalidPartNumber", status=416):
        s3.get_object(Bucket=bucket, Key="m", PartNumber=3)
    told = s3.get_object_attributes(
        Bucket=bucket, Key="m", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "ObjectSize", "StorageClass"]
    )
    assert told["ObjectSize"] == (5 << 20) + 4 and told["StorageClass"] == "STANDARD"
    assert told["ETag"].strip('"') == s3.head_object(Bucket=bucket, Key="m")["ETag"].strip('"')
    assert told["ObjectParts"]["TotalPartsCount"] == 2
    assert [one["Size"] for one in told["ObjectParts"]["Parts"]] == [5 << 20, 4]
    only = s3.get_object_attributes(Bucket=bucket, Key="m", ObjectAttributes=["ObjectSize"])
    assert "ETag" not in only and "ObjectParts" not in only


def test_there_are_no_acls(account, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    for told in (s3.get_bucket_acl(Bucket=bucket), s3.get_object_acl(Bucket=bucket, Key="k")):
        assert told["Owner"]["ID"] == account.id
        assert [grant["Permission"] for grant in told["Grants"]] == ["FULL_CONTROL"]
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    denied = account.new_user("ana", allow("s3:*"), deny("s3:GetBucketAcl"))
    with refused("AccessDenied", status=403):
        client(denied).get_bucket_acl(Bucket=bucket)
