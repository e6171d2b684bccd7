"""The hub brokers the artifacts: who may use a content needs no right on the bucket it lies in, and no right on a bucket
stands in for one on the content.
"""

import json

import pytest
import requests
from botocore.exceptions import ClientError

from support import (
    GATED, IRIS, NO_PROXIES, PUBLIC_HUB, REGION, TINY, allow, create_endpoint, deny, endpoint_gone, endpoint_status,
    invoke_json, policy, public_model, refused, statement,
)

PUBLIC = f"arn:aws:sagemaker:{REGION}:aws"
OPEN_BUCKET, GATED_BUCKET = f"jumpstart-cache-prod-{REGION}", f"jumpstart-private-cache-prod-{REGION}"
GREEDY = {"inputs": "the ship ", "parameters": {"max_new_tokens": 8, "do_sample": False}}


@pytest.fixture
def hub(account):
    sm = account.client("sagemaker")
    sm.create_hub(HubName="h", HubDescription="d")
    for name in (IRIS, TINY, GATED):
        sm.create_hub_content_reference(
            HubName="h", SageMakerPublicHubContentArn=f"{PUBLIC}:hub-content/{PUBLIC_HUB}/Model/{name}"
        )
    return sm


def rights(account, *contents, actions=("sagemaker:DescribeHubContent", "sagemaker:DeployHubModel")):
    """On these contents, and on what is deployed of them. No bucket, no public hub, nothing of S3 at all."""
    own = [account.arn(f"{kind}/*") for kind in ("model", "endpoint", "endpoint-config")]
    return policy(
        statement("Allow", list(actions), [account.arn("hub/h"), *(account.arn(f"hub-content/h/ModelReference/{name}") for name in contents)]),
        statement("Allow", ["sagemaker:*Model", "sagemaker:*Endpoint", "sagemaker:*EndpointConfig"], own),
        statement("Allow", "iam:PassRole", f"arn:aws:iam::{account.id}:role/Exec"),
    )


def through(account, sm, name, consent=None):
    """The container that the SageMaker SDK makes of a reference."""
    described = sm.describe_hub_content(HubName="h", HubContentType="ModelReference", HubContentName=name)
    container = direct(json.loads(described["HubContentDocument"]), consent)
    access = {"HubContentArn": described["HubContentArn"]}
    container["ModelDataSource"]["S3DataSource"]["HubAccessConfig"] = access
    return container


def direct(document, consent=None):
    source = {"S3Uri": document["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None"}
    if consent is not None:
        source["ModelAccessConfig"] = {"AcceptEula": consent}
    return {"Image": document["HostingEcrUri"], "ModelDataSource": {"S3DataSource": source}}


def test_rights_on_a_content_and_none_on_any_bucket(account, hub):
    # The execution role may nothing at all: the hub vouches for the data.
    role = account.new_role("Exec", allow("logs:PutLogEvents"))
    ana = account.new_user("ana", rights(account, GATED))
    sm, s3 = ana.client("sagemaker"), ana.client("s3")
    uri = public_model(hub, GATED)["document"]["HostingArtifactUri"]
    with refused("AccessDenied", status=403):
        s3.list_objects_v2(Bucket=GATED_BUCKET, Prefix=uri.split("/", 3)[3])
    with refused("ValidationException", "EULA", "AcceptEula"):
        sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=through(account, sm, GATED))
    sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=through(account, sm, GATED, True))
    create_endpoint(sm, "m")
    described = endpoint_status(hub, "m")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    assert invoke_json(account.client("sagemaker-runtime"), "m", GREEDY)[0]["generated_text"].strip()
    # Another content of the same hub is not hers.
    document = json.loads(hub.describe_hub_content(
        HubName="h", HubContentType="ModelReference", HubContentName=TINY)["HubContentDocument"])
    container = direct(document)
    tiny = account.arn(f"hub-content/h/ModelReference/{TINY}")
    container["ModelDataSource"]["S3DataSource"]["HubAccessConfig"] = {"HubContentArn": f"{tiny}/1.0.0"}
    with refused("AccessDeniedException", "sagemaker:DeployHubModel", tiny):
        sm.create_model(ModelName="n", ExecutionRoleArn=role, PrimaryContainer=container)
    # Nor is the model's place by itself, which belongs to the public hub.
    with refused("AccessDeniedException", "sagemaker:DeployHubModel", f"{PUBLIC}:hub/{PUBLIC_HUB}"):
        sm.create_model(ModelName="n", ExecutionRoleArn=role, PrimaryContainer=direct(document))
    hub.delete_endpoint(EndpointName="m")
    endpoint_gone(hub, "m")


def test_rights_on_the_bucket_do_not_stand_in_for_the_content(account, hub):
    role = account.new_role("Exec")
    closed = deny("sagemaker:*", [f"{PUBLIC}:hub/{PUBLIC_HUB}", f"{PUBLIC}:hub-content/{PUBLIC_HUB}/*/*"])
    ana = account.new_user("ana", allow("*"), closed)
    sm = ana.client("sagemaker")
    document = public_model(hub, TINY)["document"]
    place = document["HostingArtifactUri"]
    bucket, key = place.removeprefix("s3://").split("/", 1)
    assert ana.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"], "S3 itself is open to her"
    for uri in (place, place.rsplit("/", 2)[0] + "/", f"s3://{bucket}/"):
        container = direct({**document, "HostingArtifactUri": uri})
        with refused("AccessDeniedException", "sagemaker:DeployHubModel", PUBLIC_HUB, "explicit deny"):
            sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=container)
    sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=through(account, sm, TINY))


def test_the_cache_buckets_by_s3(account, hub):
    """Refused to those whom policy denies, open to those whom it allows; gated content opens by no plain request."""
    gated = public_model(hub, GATED)["document"]["HostingArtifactUri"].split("/", 3)[3] + "config.json"
    opened = public_model(hub, TINY)["document"]["HostingArtifactUri"].split("/", 3)[3] + "config.json"
    nobody, denied = account.new_user("nobody"), account.new_user(
        "denied", allow("s3:*"), deny("s3:*", [f"arn:aws:s3:::{OPEN_BUCKET}", f"arn:aws:s3:::{OPEN_BUCKET}/*"])
    )
    for who in (nobody, denied):
        s3 = who.client("s3")
        for key in ("models_manifest.json", opened):
            with refused("AccessDenied", status=403):
                s3.get_object(Bucket=OPEN_BUCKET, Key=key)
        with refused("AccessDenied", status=403):
            s3.list_objects_v2(Bucket=OPEN_BUCKET)
    assert json.loads(account.client("s3").get_object(Bucket=OPEN_BUCKET, Key=opened)["Body"].read())
    with refused("AccessDenied", "CreateHubContentPresignedUrls", "AcceptEula", status=403):
        account.client("s3").get_object(Bucket=GATED_BUCKET, Key=gated)


def test_direct_gated_access_is_decided(account, hub):
    role = account.new_role("Exec")
    guard = deny("sagemaker:CreateModel", Condition={"Bool": {"sagemaker:DirectGatedModelAccess": "true"}})
    sm = account.new_user("ana", allow("*"), guard).client("sagemaker")
    document = public_model(hub, GATED)["document"]
    with refused("AccessDeniedException", "sagemaker:CreateModel", "explicit deny"):
        sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=direct(document, True))
    sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=through(account, sm, GATED, True))
    sm.create_model(ModelName="n", ExecutionRoleArn=role, PrimaryContainer=direct(public_model(hub, TINY)["document"]))


def test_presigned_urls_need_the_content_only(account, hub):
    actions = ["sagemaker:CreateHubContentPresignedUrls"]
    sm = account.new_user("ana", rights(account, TINY, actions=actions)).client("sagemaker")
    named = {"HubName": "h", "HubContentType": "ModelReference"}
    urls = sm.create_hub_content_presigned_urls(**named, HubContentName=TINY)["AuthorizedUrlConfigs"]
    for entry in urls:
        assert requests.get(entry["Url"], timeout=30, proxies=NO_PROXIES).status_code == 200
    with refused("AccessDeniedException", account.arn(f"hub-content/h/ModelReference/{IRIS}")):
        sm.create_hub_content_presigned_urls(**named, HubContentName=IRIS)
    with refused("AccessDeniedException", PUBLIC_HUB):
        sm.create_hub_content_presigned_urls(HubName=PUBLIC_HUB, HubContentType="Model", HubContentName=TINY)


def test_a_reference_that_is_gone_vouches_for_nothing(account, hub):
    role = account.new_role("Exec", allow("logs:PutLogEvents"))
    sm = account.new_user("ana", rights(account, IRIS)).client("sagemaker")
    container = through(account, sm, IRIS)
    hub.delete_hub_content_reference(HubName="h", HubContentType="ModelReference", HubContentName=IRIS)
    with refused("ResourceNotFound", IRIS):
        sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=container)
    with pytest.raises(ClientError):
        sm.describe_hub_content(HubName="h", HubContentType="ModelReference", HubContentName=IRIS)
