"""Hubs and hub contents by boto3: every operation, what it gives back and how it refuses."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from botocore.exceptions import ClientError

from support import DIGITS, GATED, IRIS, NO_PROXIES, PUBLIC_HUB, REGION, SAMPLES, SENTIMENT, TINY, public_model, refused

PUBLIC_ARN = f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model"


@pytest.fixture
def sm(account):
    return account.client("sagemaker")


@pytest.fixture
def hub(sm):
    sm.create_hub(HubName="h", HubDescription="d")
    return "h"


def refer(sm, hub, name, **more):
    return sm.create_hub_content_reference(HubName=hub, SageMakerPublicHubContentArn=f"{PUBLIC_ARN}/{name}", **more)


def contents(sm, hub, kind="ModelReference", **more):
    return sm.list_hub_contents(HubName=hub, HubContentType=kind, **more)["HubContentSummaries"]


def test_a_hub_from_birth_to_death(sm, account):
    made = sm.create_hub(
        HubName="Team-1", HubDescription="first", HubDisplayName="Team one", HubSearchKeywords=["a", "b"],
        Tags=[{"Key": "team", "Value": "one"}],
    )
    arn = account.arn("hub/Team-1")
    assert made["HubArn"] == arn
    for name in ("Team-1", arn):
        described = sm.describe_hub(HubName=name)
        assert (described["HubName"], described["HubArn"], described["HubStatus"]) == ("Team-1", arn, "InService")
    assert described["HubSearchKeywords"] == ["a", "b"]
    assert sm.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "one"}]
    assert sm.update_hub(HubName=arn, HubDescription="second")["HubArn"] == arn
    changed = sm.describe_hub(HubName="Team-1")
    assert changed["HubDescription"] == "second"
    assert changed["HubDisplayName"] == "Team one", "what an update does not name stays"
    assert changed["LastModifiedTime"] >= described["LastModifiedTime"]
    sm.delete_hub(HubName="Team-1")
    for call in (sm.describe_hub, sm.delete_hub, sm.update_hub):
        with refused("ResourceNotFound", "Team-1"):
            call(HubName="Team-1")


def test_a_name_is_taken_once(sm, hub):
    with refused("ResourceInUse", "h", status=400):
        sm.create_hub(HubName="h", HubDescription="again")


def test_two_at_once_and_one_wins(sm):
    def create(number):
        try:
            return sm.create_hub(HubName="race", HubDescription=str(number))["HubArn"]
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(8)))
    assert answers.count("ResourceInUse") == 7, answers
    winner = next(number for number, answer in enumerate(answers) if answer.startswith("arn:"))
    assert sm.describe_hub(HubName="race")["HubDescription"] == str(winner)


def test_list_hubs_filters_sorts_and_pages(sm):
    names = [f"hub-{letter}" for letter in "cabde"]
    for name in names:
        sm.create_hub(HubName=name, HubDescription="d")

    def listed(**more):
        return [one["HubName"] for one in sm.list_hubs(**more)["HubSummaries"]]

    assert set(names) <= set(listed())
    assert listed(NameContains="hub-", SortBy="HubName", SortOrder="Ascending") == sorted(names)
    assert listed(NameContains="hub-", SortBy="HubName", SortOrder="Descending") == sorted(names, reverse=True)
    assert listed(NameContains="hub-", SortBy="CreationTime", SortOrder="Ascending") == names
    assert listed(NameContains="b-b") == ["hub-b"]
    assert listed(NameContains="nobody") == []
    pages, token = [], None
    while True:
        more = {"NextToken": token} if token else {}
        page = sm.list_hubs(NameContains="hub-", SortBy="HubName", SortOrder="Ascending", MaxResults=2, **more)
        pages.append([one["HubName"] for one in page["HubSummaries"]])
        if "NextToken" not in page:
            break
        token = page["NextToken"]
    assert pages == [["hub-a", "hub-b"], ["hub-c", "hub-d"], ["hub-e"]]
    middle = sm.describe_hub(HubName="hub-b")["CreationTime"]
    assert set(listed(NameContains="hub-", CreationTimeAfter=middle)) <= {"hub-d", "hub-e", "hub-b"}


def test_the_public_hub_is_there_for_everybody(sm):
    described = sm.describe_hub(HubName=PUBLIC_HUB)
    assert described["HubArn"] == f"arn:aws:sagemaker:{REGION}:aws:hub/{PUBLIC_HUB}"
    found = {one["HubContentName"]: one for one in contents(sm, PUBLIC_HUB, "Model", MaxResults=100)}
    assert {IRIS, DIGITS, SENTIMENT, TINY, GATED} <= found.keys()
    assert found[IRIS]["HubContentVersion"] == "1.1.0", "one entry for each content, of its latest version"
    assert found[IRIS]["HubContentSearchKeywords"]
    versions = sm.list_hub_content_versions(HubName=PUBLIC_HUB, HubContentType="Model", HubContentName=IRIS)
    assert "NextToken" not in versions
    assert {one["HubContentVersion"] for one in versions["HubContentSummaries"]} == {"1.0.0", "1.1.0"}


def test_nobody_writes_to_the_public_hub(sm):
    with pytest.raises(ClientError) as caught:
        sm.delete_hub(HubName=f"arn:aws:sagemaker:{REGION}:aws:hub/{PUBLIC_HUB}")
    assert caught.value.response["Error"]["Code"] in ("AccessDeniedException", "ValidationException")
    with pytest.raises(ClientError):
        sm.delete_hub_content(HubName=PUBLIC_HUB, HubContentType="Model", HubContentName=IRIS, HubContentVersion="1.0.0")
    assert public_model(sm, IRIS)["HubContentVersion"] == "1.1.0"


def test_hub_content_documents_hold_what_the_sdk_needs(sm):
    for name in (IRIS, DIGITS, SENTIMENT, TINY, GATED):
        described = public_model(sm, name)
        document = described["document"]
        assert described["HubContentStatus"] == "Available"
        assert described["HubContentMarkdown"], "the model card"
        assert described["HubContentType"] == "Model"
        for key in ("DefaultInferenceInstanceType", "HostingEcrUri", "HostingArtifactUri", "DefaultPayloads", "Url"):
            assert document[key], (name, key)
        assert document["ModelTypes"] == ["OPEN_WEIGHTS"]
        assert document["TrainingSupported"] is False
        assert document["IncrementalTrainingSupported"] is False
        specification = document["SageMakerSdkPredictorSpecifications"]
        assert set(specification) == {
            "DefaultContentType", "SupportedContentTypes", "DefaultAcceptType", "SupportedAcceptTypes"
        }
        assert bool(document.get("HostingEulaUri")) is (name == GATED)


def test_references_from_birth_to_death(sm, account, hub):
    made = refer(sm, hub, IRIS, Tags=[{"Key": "k", "Value": "v"}])
    assert made["HubArn"] == account.arn("hub/h")
    assert made["HubContentArn"].startswith(account.arn(f"hub-content/h/ModelReference/{IRIS}"))
    refer(sm, hub, TINY, HubContentName="our-stories", MinVersion="1.0.0")
    assert {one["HubContentName"] for one in contents(sm, hub)} == {IRIS, "our-stories"}
    assert contents(sm, hub, "Model") == []
    described = sm.describe_hub_content(HubName=hub, HubContentType="ModelReference", HubContentName="our-stories")
    assert described["SageMakerPublicHubContentArn"].startswith(f"{PUBLIC_ARN}/{TINY}")
    assert described["ReferenceMinVersion"] == "1.0.0"
    assert described["HubArn"] == account.arn("hub/h")
    assert described["HubName"] == "h"
    assert json.loads(described["HubContentDocument"])["HostingArtifactUri"].startswith("s3://")
    versions = sm.list_hub_content_versions(HubName=hub, HubContentType="ModelReference", HubContentName=IRIS)
    assert {one["HubContentVersion"] for one in versions["HubContentSummaries"]} == {"1.0.0", "1.1.0"}
    sm.update_hub_content_reference(
        HubName=hub, HubContentType="ModelReference", HubContentName=IRIS, MinVersion="1.1.0"
    )
    versions = sm.list_hub_content_versions(HubName=hub, HubContentType="ModelReference", HubContentName=IRIS)
    assert [one["HubContentVersion"] for one in versions["HubContentSummaries"]] == ["1.1.0"]
    with refused("ResourceNotFound"):
        sm.describe_hub_content(
            HubName=hub, HubContentType="ModelReference", HubContentName=IRIS, HubContentVersion="1.0.0"
        )
    with refused("ResourceInUse"):
        sm.delete_hub(HubName=hub)
    for name in (IRIS, "our-stories"):
        sm.delete_hub_content_reference(HubName=hub, HubContentType="ModelReference", HubContentName=name)
    with refused("ResourceNotFound"):
        sm.delete_hub_content_reference(HubName=hub, HubContentType="ModelReference", HubContentName=IRIS)
    sm.delete_hub(HubName=hub)


def test_references_are_refused_where_they_cannot_be(sm, hub):
    refer(sm, hub, IRIS)
    with refused("ResourceInUse", IRIS):
        refer(sm, hub, IRIS)
    with refused("ResourceNotFound"):
        refer(sm, hub, "no-such-model")
    with refused("ResourceNotFound"):
        refer(sm, "no-such-hub", IRIS)
    with pytest.raises(ClientError):
        refer(sm, hub, SENTIMENT, MinVersion="9.9.9")
    assert [one["HubContentName"] for one in contents(sm, hub)] == [IRIS]


def test_contents_page_and_filter(sm, hub):
    for number in range(5):
        refer(sm, hub, IRIS, HubContentName=f"m-{number}")
    seen, token = [], None
    while True:
        page = sm.list_hub_contents(
            HubName=hub, HubContentType="ModelReference", MaxResults=2, SortBy="HubContentName", SortOrder="Ascending",
            **({"NextToken": token} if token else {}),
        )
        assert len(page["HubContentSummaries"]) <= 2
        seen += [one["HubContentName"] for one in page["HubContentSummaries"]]
        token = page.get("NextToken")
        if token is None:
            break
        assert token, "an empty token makes the SDK loop for ever"
    assert seen == [f"m-{number}" for number in range(5)]
    assert [one["HubContentName"] for one in contents(sm, hub, NameContains="-3")] == ["m-3"]
    with refused("ResourceNotFound"):
        contents(sm, "no-such-hub")


def test_import_update_and_delete_content(sm, account, hub):
    document = public_model(sm, IRIS)["HubContentDocument"]

    def put(**more):
        return sm.import_hub_content(
            HubName=hub, HubContentName="own", HubContentType="Model", DocumentSchemaVersion="2.3.0",
            HubContentDocument=document, **more,
        )

    made = put(HubContentVersion="1.0.0", HubContentDescription="ours", HubContentMarkdown="# card")
    assert made["HubContentArn"] == account.arn("hub-content/h/Model/own/1.0.0")
    with refused("ResourceInUse"):
        put(HubContentVersion="1.0.0")
    put(HubContentVersion="1.1.0")
    assert [one["HubContentVersion"] for one in contents(sm, hub, "Model")] == ["1.1.0"]
    described = sm.describe_hub_content(
        HubName=hub, HubContentType="Model", HubContentName="own", HubContentVersion="1.0.0"
    )
    assert described["HubContentDescription"] == "ours"
    assert json.loads(described["HubContentDocument"]) == json.loads(document)
    sm.update_hub_content(
        HubName=hub, HubContentType="Model", HubContentName="own", HubContentVersion="1.0.0",
        HubContentDescription="changed", SupportStatus="Deprecated",
    )
    described = sm.describe_hub_content(
        HubName=hub, HubContentType="Model", HubContentName="own", HubContentVersion="1.0.0"
    )
    assert (described["HubContentDescription"], described["SupportStatus"]) == ("changed", "Deprecated")
    for version in ("1.0.0", "1.1.0"):
        sm.delete_hub_content(HubName=hub, HubContentType="Model", HubContentName="own", HubContentVersion=version)
    with refused("ResourceNotFound"):
        sm.describe_hub_content(HubName=hub, HubContentType="Model", HubContentName="own")
    with pytest.raises(ClientError) as caught:
        sm.import_hub_content(
            HubName=hub, HubContentName="bad", HubContentType="Model", DocumentSchemaVersion="2.3.0",
            HubContentDocument="{not json",
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def presigned(sm, hub, name, kind="ModelReference", **more):
    entries, token = [], None
    while True:
        page = sm.create_hub_content_presigned_urls(
            HubName=hub, HubContentType=kind, HubContentName=name, **more, **({"NextToken": token} if token else {})
        )
        entries += page["AuthorizedUrlConfigs"]
        token = page.get("NextToken")
        if token is None:
            return entries


def test_presigned_urls_give_every_byte(sm, hub):
    refer(sm, hub, TINY)
    entries = presigned(sm, hub, TINY, HubContentVersion="1.0.0", MaxResults=1)
    folder = SAMPLES / TINY / "1.0.0" / "artifact"
    wanted = {f"/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {entry["LocalPath"] for entry in entries} == wanted.keys()
    for entry in entries:
        got = requests.get(entry["Url"], timeout=30, proxies=NO_PROXIES)
        assert got.status_code == 200, got.text
        assert hashlib.sha256(got.content).digest() == hashlib.sha256(wanted[entry["LocalPath"]]).digest()
        changed = entry["Url"].replace("config.json", "model.onnx").replace("X-Amz-Expires=", "X-Amz-Expires=1")
        assert requests.get(changed, timeout=30, proxies=NO_PROXIES).status_code == 403, "an altered URL opens nothing"


def test_presigned_urls_of_a_gated_model_need_consent(sm, hub):
    refer(sm, hub, GATED)
    for config in ({}, {"AccessConfig": {"AcceptEula": False}}):
        with refused("AccessDeniedException", "EULA"):
            presigned(sm, hub, GATED, **config)
    entries = presigned(sm, hub, GATED, AccessConfig={"AcceptEula": True})
    assert {entry["LocalPath"] for entry in entries} == {"/config.json", "/model.onnx", "/tokenizer.json"}


def test_more_than_a_hundred_urls_a_page_is_refused(sm, hub):
    refer(sm, hub, TINY)
    with refused("ValidationException", "maxResults", "less than or equal to 100"):
        presigned(sm, hub, TINY, MaxResults=101)


def test_regions_are_apart(server, account):
    here = account.client("sagemaker")
    here.create_hub(HubName="here", HubDescription="d")
    with pytest.raises(ClientError):
        account.client("sagemaker", region="eu-central-1").describe_hub(HubName="here")
