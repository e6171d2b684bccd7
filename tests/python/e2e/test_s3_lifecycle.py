"""Lifecycle rules, CORS, ownership controls and uploads by HTML form, by boto3 and as a browser sends them."""

import base64
import datetime

import pytest
import requests

from support import NO_PROXIES, REGION, allow, refused, wait_for

LOCATION = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)


@pytest.fixture
def s3(account):
    return account.client("s3", s3={"addressing_style": "path"}, signature_version="s3v4")


@pytest.fixture
def bucket(s3, account):
    name = f"l-{account.id}"
    s3.create_bucket(Bucket=name, **LOCATION)
    return name


def rules(*given):
    return {"Rules": [{"Status": "Enabled", **rule} for rule in given]}


def test_rules_come_back(s3, bucket):
    with refused("NoSuchLifecycleConfiguration", status=404):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    both = {"And": {"Prefix": "a/", "Tags": [{"Key": "x", "Value": "y"}], "ObjectSizeGreaterThan": 5}}
    given = rules(
        {"ID": "one", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7}},
        {"ID": "two", "Filter": both, "Expiration": {"Date": LONG_AGO}},
        {"ID": "three", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 3},
         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
    )
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=given)
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == given["Rules"]
    made = s3.put_object(Bucket=bucket, Key="logs/1", Body=b"x")
    assert 'rule-id="one"' in made["Expiration"] and made["Expiration"].startswith('expiry-date="')
    assert s3.head_object(Bucket=bucket, Key="logs/1")["Expiration"] == made["Expiration"]
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert "Expiration" not in s3.get_object(Bucket=bucket, Key="logs/1")


def test_rules_that_are_refused(s3, bucket):
    def put(*given):
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=rules(*given))

    with refused("NotImplemented", "Transition"):
        put({"Filter": {}, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]})
    with refused("InvalidArgument", "positive integer"):
        put({"Filter": {}, "Expiration": {"Days": 0}})
    with refused("InvalidRequest", "At least one action"):
        put({"Filter": {}})
    with refused("InvalidArgument", "unique"):
        put(*[{"ID": "same", "Filter": {}, "Expiration": {"Days": 1}}] * 2)
    with refused("InvalidArgument", "midnight"):
        put({"Filter": {}, "Expiration": {"Date": LONG_AGO + datetime.timedelta(hours=1)}})


def test_what_has_expired_goes_at_the_next_start(own_server):
    own_server.start()
    account = own_server.new_account()
    s3, name = account.client("s3"), f"e-{account.id}"
    s3.create_bucket(Bucket=name, **LOCATION)
    for key in ("old/1", "old/2", "kept"):
        s3.put_object(Bucket=name, Key=key, Body=b"x")
    s3.put_bucket_lifecycle_configuration(
        Bucket=name, LifecycleConfiguration=rules({"Filter": {"Prefix": "old/"}, "Expiration": {"Date": LONG_AGO}}))
    own_server.stop()
    own_server.start()
    s3 = account.client("s3")
    keys = lambda: [one["Key"] for one in s3.list_objects_v2(Bucket=name)["Contents"]]
    wait_for("the old ones have expired", lambda: keys() == ["kept"])


def test_other_origins(s3, bucket, server):
    with refused("NoSuchCORSConfiguration", status=404):
        s3.get_bucket_cors(Bucket=bucket)
    rule = {"AllowedOrigins": ["https://*.example"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 30}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule]
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "content-type"}
    url = f"{server.url}/{bucket}/k"
    answer = requests.options(url, headers=asks, timeout=10, proxies=NO_PROXIES)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "https://a.example")
    refusal = requests.options(url, headers={**asks, "Origin": "https://evil.test"}, timeout=10, proxies=NO_PROXIES)
    assert (refusal.status_code, "AccessForbidden" in refusal.text) == (403, True)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    signed = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    got = requests.get(signed, headers={"Origin": "https://a.example"}, timeout=10, proxies=NO_PROXIES)
    assert (got.content, got.headers["Access-Control-Expose-Headers"]) == (b"x", "ETag")
    s3.delete_bucket_cors(Bucket=bucket)
    got = requests.get(signed, headers={"Origin": "https://a.example"}, timeout=10, proxies=NO_PROXIES)
    assert "Access-Control-Allow-Origin" not in got.headers


def test_ownership(s3, bucket):
    def put(kind):
        s3.put_bucket_ownership_controls(
            Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": kind}]})

    put("BucketOwnerEnforced")
    with refused("NotImplemented", "ObjectWriter"):
        put("ObjectWriter")
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    with refused("OwnershipControlsNotFoundError", status=404):
        s3.get_bucket_ownership_controls(Bucket=bucket)
    put("BucketOwnerEnforced")
    found = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert found == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def send(post, body, **fields):
    return requests.post(
        post["url"], data={**post["fields"], **fields}, files={"file": ("photo.jpg", body)}, timeout=30,
        proxies=NO_PROXIES, allow_redirects=False)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_uploads_by_form(account, server, bucket, s3, version):
    signer = account.client("s3", s3={"addressing_style": "path"}, signature_version=version)
    post = signer.generate_presigned_post(
        bucket, "up/${filename}", Fields={"Content-Type": "image/jpeg", "success_action_status": "201"},
        Conditions=[{"Content-Type": "image/jpeg"}, {"success_action_status": "201"}, ["content-length-range", 1, 6_000_000]])
    body = b"\xff" * 5_000_000
    made = send(post, body)
    assert made.status_code == 201 and "<Key>up/photo.jpg</Key>" in made.text, made.text
    got = s3.get_object(Bucket=bucket, Key="up/photo.jpg")
    assert (got["Body"].read(), got["ContentType"]) == (body, "image/jpeg")
    assert "EntityTooLarge" in send(post, b"x" * 6_000_001).text
    assert "Extra input fields" in send(post, b"x", acl="private").text
    wider = base64.b64decode(post["fields"]["policy"]).replace(b"6000000", b"9000000")
    broken = {**post, "fields": {**post["fields"], "policy": base64.b64encode(wider).decode()}}
    assert "SignatureDoesNotMatch" in send(broken, b"x").text
    record = [one for one in server.records("--event", "PutObject") if one["recipientAccountId"] == account.id][-1:]
    assert record, "an upload by form is recorded"


def test_a_form_has_the_rights_of_its_maker(account, bucket, s3):
    writer = account.new_user("writer", allow("s3:PutObject", f"arn:aws:s3:::{bucket}/mine/*"))
    client = writer.client("s3", s3={"addressing_style": "path"}, signature_version="s3v4")
    url = "https://page.example/done"
    fields = {"success_action_redirect": url}
    good = client.generate_presigned_post(bucket, "mine/1", Fields=fields, Conditions=[fields])
    answer = send(good, b"mine")
    assert answer.status_code == 303 and answer.headers["Location"].startswith(f"{url}?bucket={bucket}")
    assert s3.get_object(Bucket=bucket, Key="mine/1")["Body"].read() == b"mine"
    other = client.generate_presigned_post(bucket, "other", Fields=None, Conditions=None)
    refusal = send(other, b"x")
    assert (refusal.status_code, "AccessDenied" in refusal.text) == (403, True)
    old = client.generate_presigned_post(bucket, "mine/2", ExpiresIn=-1)
    assert "Policy expired" in send(old, b"x").text
