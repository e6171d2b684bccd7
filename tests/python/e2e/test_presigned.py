"""CreateHubContentPresignedUrls by boto3: thousands of files, imported content, and URLs that a hub's setting revokes."""

import json

import pytest
import requests

from support import GATED, IRIS, NO_PROXIES, PUBLIC_HUB, REGION, SAMPLES, allow, refused

KIND = {"HubContentType": "Model"}


def get(url):
    return requests.get(url, timeout=30, proxies=NO_PROXIES)


def model_folder(root, model, files):
    """A model folder with these files as its artifact."""
    folder = root / model / "1.0.0"
    (folder / "artifact").mkdir(parents=True)
    manifest = json.loads((SAMPLES / IRIS / "1.0.0" / "manifest.json").read_text())
    manifest.update(id=model, version="1.0.0", framework=model.split("-")[0])
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "README.md").write_text("# A card\n")
    for name, content in files.items():
        (folder / "artifact" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "artifact" / name).write_text(content)
    return folder


def own_document(place):
    """The least that a model's document holds, with its files at this place."""
    return json.dumps({
        "HostingArtifactUri": place, "HostingEcrUri": "stoa/inference:1", "DefaultInferenceInstanceType": "ml.m5.large",
        "SageMakerSdkPredictorSpecifications": {
            "DefaultContentType": "application/json", "SupportedContentTypes": ["application/json"],
            "DefaultAcceptType": "application/json", "SupportedAcceptTypes": ["application/json"],
        },
    })


def import_own(sagemaker, name, place):
    sagemaker.import_hub_content(
        HubName="h", HubContentName=name, DocumentSchemaVersion="2.3.0", HubContentDocument=own_document(place), **KIND
    )


@pytest.fixture
def sagemaker(account):
    client = account.client("sagemaker")
    client.create_hub(HubName="h", HubDescription="d")
    return client


def test_three_thousand_files(server, sagemaker, tmp_path):
    names = {f"shard-{number:04}.bin": f"{number % 10}" for number in range(3000)}
    server.command("catalog", "import", model_folder(tmp_path, "acme-tabular-shards", names))
    source = f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model/acme-tabular-shards"
    sagemaker.create_hub_content_reference(HubName="h", SageMakerPublicHubContentArn=source)
    pages = list(sagemaker.get_paginator("create_hub_content_presigned_urls").paginate(
        HubName="h", HubContentType="ModelReference", HubContentName="acme-tabular-shards",
        PaginationConfig={"PageSize": 100},
    ))
    found = [one for page in pages for one in page["AuthorizedUrlConfigs"]]
    assert len(pages) == 30
    assert [one["LocalPath"] for one in found] == [f"/{name}" for name in sorted(names)]
    for number in (0, 1234, 2999):
        assert get(found[number]["Url"]).text == f"{number % 10}"


def test_imported_content_opens_by_the_callers_own_rights(account, sagemaker):
    s3 = account.client("s3")
    bucket = f"own-{account.id}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("m/config.json", "m/sub/weights.bin", "elsewhere"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    import_own(sagemaker, "own", f"s3://{bucket}/m/")
    asked = {"HubName": "h", "HubContentName": "own", **KIND}
    page = sagemaker.create_hub_content_presigned_urls(**asked, MaxResults=1)
    first, = page["AuthorizedUrlConfigs"]
    assert (first["LocalPath"], get(first["Url"]).text) == ("/config.json", "m/config.json")
    page = sagemaker.create_hub_content_presigned_urls(**asked, MaxResults=1, NextToken=page["NextToken"])
    assert [one["LocalPath"] for one in page["AuthorizedUrlConfigs"]] == ["/sub/weights.bin"]
    assert "NextToken" not in page
    # A right on the hub is none on the bucket: what the importer may name, the hub does not vouch for.
    hub_only = account.new_user("hubonly", allow("sagemaker:*"))
    with refused("AccessDeniedException", "s3:ListBucket"):
        hub_only.client("sagemaker").create_hub_content_presigned_urls(**asked)
    # Nor does an imported model open the gated bucket, which wants a consent that only the model's own way asks for.
    import_own(sagemaker, "sly", f"s3://jumpstart-private-cache-prod-{REGION}/{GATED}/artifacts/inference-prepack/v1.0.0/")
    with refused("AccessDenied", "gated"):
        sagemaker.create_hub_content_presigned_urls(HubName="h", HubContentName="sly", **KIND)
    with refused("ValidationException", "ExpectedS3Url", f"s3://{bucket}/m/"):
        sagemaker.create_hub_content_presigned_urls(**asked, AccessConfig={"ExpectedS3Url": f"s3://{bucket}/other"})
    sagemaker.create_hub_content_presigned_urls(**asked, AccessConfig={"ExpectedS3Url": f"s3://{bucket}/m/"})
    for key in ("m//etc/passwd", "m/a\\b", "m/c\td"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        with refused("ValidationException", "LocalPath"):
            sagemaker.create_hub_content_presigned_urls(**asked)
        s3.delete_object(Bucket=bucket, Key=key)


def test_urls_end_with_the_right_or_the_content_where_the_hub_says_so(server, account, sagemaker):
    source = f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model/{IRIS}"
    sagemaker.create_hub_content_reference(HubName="h", SageMakerPublicHubContentArn=source)
    user = account.new_user("reader", allow("sagemaker:*"))
    asked = {"HubName": "h", "HubContentType": "ModelReference", "HubContentName": IRIS}

    def url():
        return user.client("sagemaker").create_hub_content_presigned_urls(**asked)["AuthorizedUrlConfigs"][0]["Url"]

    iam = account.client("iam")
    by_default = url()
    server.command("hub", "settings", "--hub", account.arn("hub/h"), "--revoke-urls", "on")
    revocable = url()
    assert len(revocable) <= 2048
    assert get(by_default).status_code == get(revocable).status_code == 200
    tampered = revocable.replace("stoa-grant.", "stoa-grant.0")
    assert get(tampered).status_code == 403
    iam.delete_user_policy(UserName="reader", PolicyName="p0")
    assert get(by_default).status_code == 200, "as AWS: what was signed holds until it expires"
    answer = get(revocable)
    assert answer.status_code == 403 and "revoked" in answer.text
    iam.put_user_policy(UserName="reader", PolicyName="p0", PolicyDocument=json.dumps(allow("sagemaker:*")))
    assert get(revocable).status_code == 200
    server.kill()
    server.start()
    revocable = revocable.replace(by_default.split("/jumpstart")[0], server.url)
    again = user.client("sagemaker").create_hub_content_presigned_urls(**asked)["AuthorizedUrlConfigs"][0]["Url"]
    assert get(again).status_code == 200
    account.client("sagemaker").delete_hub_content_reference(**asked)
    answer = get(again)
    assert answer.status_code == 403 and "does not exist" in answer.text
