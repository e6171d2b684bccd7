"""What hubs refuse, and that each refusal has AWS's code and says what to do."""

import json

import pytest

from support import IRIS, PUBLIC_HUB, REGION, TINY, contents_of, public_model, refused

PUBLIC_ARN = f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model"


@pytest.fixture
def sm(account):
    client = account.client("sagemaker")
    client.create_hub(HubName="h", HubDescription="d")
    return client


def put(sm, document, name="own", kind="Model", **more):
    text = document if isinstance(document, str) else json.dumps(document)
    arguments = {"HubName": "h", "DocumentSchemaVersion": "2.3.0", **more}
    return sm.import_hub_content(HubContentName=name, HubContentType=kind, HubContentDocument=text, **arguments)


def refer(sm, name=IRIS, hub="h", arn=None, **more):
    return sm.create_hub_content_reference(
        HubName=hub, SageMakerPublicHubContentArn=arn or f"{PUBLIC_ARN}/{name}", **more
    )


@pytest.mark.parametrize("text", ["{not json", "", "[]", '"text"', '{"a": 1', "{'single': 1}", "\x00"])
def test_a_document_that_is_no_json_object(sm, text):
    with refused("ValidationException", "HubContentDocument", "JSON" if text not in ("[]", '"text"') else "object", status=400):
        put(sm, text)
    assert contents_of(sm, "h") == []


@pytest.mark.parametrize("key", [
    "DefaultInferenceInstanceType", "HostingEcrUri", "SageMakerSdkPredictorSpecifications",
    *(f"SageMakerSdkPredictorSpecifications.{name}" for name in (
        "DefaultContentType", "SupportedContentTypes", "DefaultAcceptType", "SupportedAcceptTypes"
    )),
])
def test_a_document_without_a_key_that_the_sdk_needs(sm, key):
    document = public_model(sm, IRIS)["document"]
    put(sm, document, name="whole")
    # Families of instance types name an image too.
    document.pop("HostingInstanceTypeVariants")
    *path, last = key.split(".")
    del (document[path[0]] if path else document)[last]
    with refused("ValidationException", "HubContentDocument", key, "missing"):
        put(sm, document)
    assert [one["HubContentName"] for one in contents_of(sm, "h")] == ["whole"]


def test_documents_that_say_the_wrong_thing(sm):
    document = public_model(sm, IRIS)["document"]
    for change, word in (
        ({"ModelTypes": ["open_weights"]}, "OPEN_WEIGHTS"),
        ({"ModelTypes": "OPEN_WEIGHTS"}, "OPEN_WEIGHTS"),
        ({"ModelTypes": ["PROPRIETARY"], "HostingInstanceTypeVariants": {}}, "HostingModelPackageArn"),
        ({"TrainingSupported": True}, "TrainingArtifactUri"),
    ):
        with refused("ValidationException", word):
            put(sm, {**document, **change})
    with refused("ValidationException", "NotebookLocation"):
        put(sm, {}, kind="Notebook")
    with refused("ValidationException", "CreateHubContentReference"):
        put(sm, document, kind="ModelReference")
    # Only the SDK's own kinds have a form.
    for kind in ("DataSet", "JsonDoc"):
        put(sm, {}, kind=kind)


def test_a_document_of_327680_characters_and_one_more(sm):
    document = public_model(sm, IRIS)["document"]

    def of_length(length):
        document["Filler"] = ""
        document["Filler"] = "ü" * (length - len(json.dumps(document, ensure_ascii=False)))
        return json.dumps(document, ensure_ascii=False)

    with refused("ValidationException", "327680"):
        put(sm, of_length(327_681))
    put(sm, of_length(327_680))
    (listed,) = contents_of(sm, "h")
    kept = sm.describe_hub_content(HubName="h", HubContentType="Model", HubContentName="own")["HubContentDocument"]
    assert (listed["HubContentVersion"], len(kept)) == ("1.0.0", 327_680)


@pytest.mark.parametrize("version", ["1.0", "1", "1.0.0.0", "1.0.x", "one", "1.0.10000", "01.0.0", "1.0.0-rc1", "*"])
def test_versions_that_are_none(account, sm, version):
    document = public_model(sm, IRIS)["document"]
    refer(sm)
    # boto3 itself refuses what is shorter than five characters: the server must too.
    sm = account.client("sagemaker", parameter_validation=False)
    named = {"HubName": "h", "HubContentType": "ModelReference", "HubContentName": IRIS}
    for call in (
        lambda: put(sm, document, HubContentVersion=version),
        lambda: put(sm, document, DocumentSchemaVersion=version),
        lambda: refer(sm, TINY, MinVersion=version),
        lambda: sm.describe_hub_content(**named, HubContentVersion=version),
        lambda: sm.list_hub_content_versions(**named, MinVersion=version),
        lambda: sm.list_hub_contents(HubName="h", HubContentType="Model", MaxSchemaVersion=version),
        lambda: sm.update_hub_content_reference(**named, MinVersion=version),
    ):
        with refused("ValidationException", status=400) as refusal:
            call()
        assert "ersion" in refusal.message


def test_hubs_of_other_regions_and_accounts_and_hubs_that_are_not_there(server, account, sm):
    refer(sm)
    elsewhere = account.arn("hub/h", region="eu-central-1")
    other = server.new_account("not-shared")
    other.client("sagemaker").create_hub(HubName="h", HubDescription="d")
    theirs = other.arn("hub/h")
    content = {"HubContentType": "ModelReference", "HubContentName": IRIS}
    calls = [
        lambda hub: sm.describe_hub(HubName=hub),
        lambda hub: sm.update_hub(HubName=hub, HubDescription="x"),
        lambda hub: sm.delete_hub(HubName=hub),
        lambda hub: sm.list_hub_contents(HubName=hub, HubContentType="ModelReference"),
        lambda hub: sm.describe_hub_content(HubName=hub, **content),
        lambda hub: sm.list_hub_content_versions(HubName=hub, **content),
        lambda hub: sm.create_hub_content_presigned_urls(HubName=hub, **content),
        lambda hub: refer(sm, TINY, hub=hub),
        lambda hub: sm.delete_hub_content_reference(HubName=hub, **content),
    ]
    for call in calls:
        with refused("ValidationException", "eu-central-1", "send it to the hub's region", status=400):
            call(elsewhere)
        for missing in ("nobody", account.arn("hub/nobody")):
            with refused("ResourceNotFound", "nobody", "ListHubs", status=400):
                call(missing)
        with refused("AccessDeniedException", "not authorized", theirs, status=400):
            call(theirs)
        for nothing in ("a/b", "-h", "arn:aws:sagemaker:us-west-2:1:hub/h", account.arn("hub-content/h")):
            with refused("ValidationException", status=400):
                call(nothing)
    assert sm.describe_hub(HubName="h")["HubDescription"] == "d"


def test_sources_of_references_that_are_none(account, sm):
    refer(sm)
    own = account.arn(f"hub-content/h/ModelReference/{IRIS}")
    for arn in (own, f"{own}/1.1.0"):
        with refused("ValidationException"):
            refer(sm, arn=arn, HubContentName="again")
    disguised = f"arn:aws:sagemaker:{REGION}:aws:hub-content/Other/Model/{IRIS}"
    with refused("ValidationException", "not a model of the public hub", f"{PUBLIC_ARN}/NAME"):
        refer(sm, arn=disguised, HubContentName="again")
    elsewhere = f"{PUBLIC_ARN}/{TINY}".replace(REGION, "eu-central-1")
    with refused("ValidationException", "another region"):
        refer(sm, arn=elsewhere)
    with refused("ResourceNotFound", "no-such-model", "ListHubContents"):
        refer(sm, "no-such-model")
    with refused("ValidationException"):
        refer(sm, arn="not an arn")
    assert [one["HubContentName"] for one in contents_of(sm, "h", "ModelReference")] == [IRIS]


def test_the_same_reference_twice_and_an_alias_that_collides(sm):
    refer(sm)
    refer(sm, TINY, HubContentName="ours")
    for arguments in ({"name": IRIS}, {"name": TINY, "HubContentName": IRIS}, {"name": IRIS, "HubContentName": "ours"}):
        with refused("ResourceInUse", "already exists in hub h", status=400):
            refer(sm, **arguments)
    # Nothing of the first ones changed.
    ours = sm.describe_hub_content(HubName="h", HubContentType="ModelReference", HubContentName="ours")
    assert ours["SageMakerPublicHubContentArn"] == f"{PUBLIC_ARN}/{TINY}"
    # One source under two names is what AWS allows.
    refer(sm, HubContentName="second-name")
    assert len(contents_of(sm, "h", "ModelReference")) == 3


def test_a_min_version_above_all_versions(sm):
    with refused("ValidationException", "MinVersion 9.9.9", "1.1.0", status=400):
        refer(sm, MinVersion="9.9.9")
    assert contents_of(sm, "h", "ModelReference") == []
    refer(sm, MinVersion="1.1.0")
    with refused("ValidationException", "MinVersion 1.1.1", "1.1.0"):
        sm.update_hub_content_reference(
            HubName="h", HubContentType="ModelReference", HubContentName=IRIS, MinVersion="1.1.1"
        )
    described = sm.describe_hub_content(HubName="h", HubContentType="ModelReference", HubContentName=IRIS)
    assert described["ReferenceMinVersion"] == "1.1.0"


def test_tokens_that_are_empty_altered_or_somebody_elses(server, account, sm):
    for number in range(3):
        refer(sm, HubContentName=f"m{number}")
    listing = {"HubName": "h", "HubContentType": "ModelReference", "MaxResults": 1}
    token = sm.list_hub_contents(**listing)["NextToken"]
    assert sm.list_hub_contents(**listing, NextToken=token)["HubContentSummaries"][0]["HubContentName"] == "m1"
    middle = len(token) // 2
    altered = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1:]
    for bad in ("", " ", altered, token[:-1], token + "A", token.swapcase(), "bm9uc2Vuc2U", "\u00fc", "x" * 8192):
        with refused("ValidationException", "NextToken", status=400):
            sm.list_hub_contents(**listing, NextToken=bad)
    with refused("ValidationException", "extToken"):
        sm.list_hub_contents(**listing, NextToken="x" * 8193)
    # Of another request: filter, type, operation, account.
    urls = sm.create_hub_content_presigned_urls(
        HubName="h", HubContentType="ModelReference", HubContentName="m0", MaxResults=1
    )["NextToken"]
    for call in (
        lambda: sm.list_hub_contents(**listing, NameContains="m", NextToken=token),
        lambda: sm.list_hub_contents(HubName="h", HubContentType="Model", MaxResults=1, NextToken=token),
        lambda: sm.list_hub_contents(**listing, SortOrder="Descending", NextToken=token),
        lambda: sm.list_hubs(NextToken=token),
        lambda: sm.list_hub_contents(**listing, NextToken=urls),
        lambda: sm.create_hub_content_presigned_urls(
            HubName="h", HubContentType="ModelReference", HubContentName="m0", MaxResults=1, NextToken=token
        ),
        lambda: sm.create_hub_content_presigned_urls(
            HubName="h", HubContentType="ModelReference", HubContentName="m1", MaxResults=1, NextToken=urls
        ),
    ):
        with refused("ValidationException", "made for another request"):
            call()
    other = server.new_account("tokens-other").client("sagemaker")
    other.create_hub(HubName="h", HubDescription="d")
    with refused("ValidationException", "made for another request"):
        other.list_hub_contents(**listing, NextToken=token)


def test_pages_and_sorts_that_are_none(account, sm):
    unchecked = account.client("sagemaker", parameter_validation=False)
    for most in (0, -1, 101):
        with refused("ValidationException", "maxResults"):
            unchecked.list_hub_contents(HubName="h", HubContentType="Model", MaxResults=most)
    for wrong in ({"SortBy": "Size"}, {"SortOrder": "Up"}):
        with refused("ValidationException"):
            sm.list_hub_contents(HubName="h", HubContentType="Model", **wrong)
    with refused("ValidationException"):
        sm.list_hub_contents(HubName="h", HubContentType="Weights")


def test_a_fifty_first_hub(server):
    sm = server.new_account("many-hubs").client("sagemaker")
    for number in range(50):
        sm.create_hub(HubName=f"h{number}", HubDescription="d")
    with refused("ResourceLimitExceeded", "50 hubs", status=400):
        sm.create_hub(HubName="one-more", HubDescription="d")
    sm.delete_hub(HubName="h7")
    sm.create_hub(HubName="one-more", HubDescription="d")
