"""Search with CrossAccount: the contents of hubs that other accounts share, as long as they do."""

import json

import pytest

from support import IRIS, PUBLIC_HUB, REGION, TINY, Account, allow, deny, refused

PUBLIC = f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model"
OTHERS = {"Resource": "HubContent", "CrossAccountFilterOption": "CrossAccount", "MaxResults": 100}


def hub_of(owner, name, *models):
    sm = owner.client("sagemaker")
    arn = sm.create_hub(HubName=name, HubDescription="d")["HubArn"]
    for model in models:
        tags = [{"Key": "team", "Value": "words"}]
        sm.create_hub_content_reference(HubName=name, SageMakerPublicHubContentArn=f"{PUBLIC}/{model}", Tags=tags)
    return arn


def found(account, **more):
    answer = account.client("sagemaker").search(**{**OTHERS, **more})
    assert answer["TotalHits"] == {"Value": len(answer["Results"]), "Relation": "EqualTo"}
    return [record["HubContent"] for record in answer["Results"]]


def names(contents):
    return sorted({f"{content['HubName']}/{content['HubContentName']}" for content in contents})


@pytest.fixture
def owner(server):
    return server.new_account("owner")


@pytest.fixture
def consumer(server):
    made = json.loads(server.command("account", "create", "--name", "consumer", "--standalone").stdout)
    return Account(server, made["account_id"], made["access_key_id"], made["secret_access_key"])


def share(owner, consumer, *arns):
    ram = owner.client("ram")
    made = ram.create_resource_share(name="models", resourceArns=list(arns), principals=[consumer.id])["resourceShare"]
    return made["resourceShareArn"]


def accept(consumer):
    ram = consumer.client("ram")
    for invitation in ram.get_resource_share_invitations()["resourceShareInvitations"]:
        ram.accept_resource_share_invitation(resourceShareInvitationArn=invitation["resourceShareInvitationArn"])


def test_what_is_shared_is_found_while_it_is_shared(owner, consumer):
    shared, _ = hub_of(owner, "shared", IRIS, TINY), hub_of(owner, "kept", IRIS)
    hub_of(consumer, "own", TINY)
    assert found(consumer) == []
    resource_share = share(owner, consumer, shared)
    assert found(consumer) == [], "not accepted yet"
    accept(consumer)
    contents = found(consumer)
    assert names(contents) == [f"shared/{IRIS}", f"shared/{TINY}"]
    # What DescribeHubContent says of it, and none of its owner's tags.
    described = consumer.client("sagemaker").describe_hub_content(
        HubName=shared, HubContentType="ModelReference", HubContentName=TINY
    )
    (tiny,) = [content for content in contents if content["HubContentName"] == TINY]
    for member in ("HubContentArn", "HubContentVersion", "HubContentDocument", "HubContentMarkdown"):
        assert tiny[member] == described[member], member
    assert "Tags" not in tiny and owner.id in tiny["HubArn"]
    # Filters, and pages of one.
    only = {"Filters": [{"Name": "HubContentName", "Value": IRIS}]}
    assert names(found(consumer, SearchExpression=only)) == [f"shared/{IRIS}"]
    elsewhere = {"Filters": [{"Name": "HubName", "Operator": "In", "Value": "own,kept"}]}
    assert found(consumer, SearchExpression=elsewhere) == []
    pages = consumer.client("sagemaker").get_paginator("search").paginate(
        **{**OTHERS, "MaxResults": 1}, SortBy="HubContentName", SortOrder="Ascending"
    )
    one_by_one = [record["HubContent"]["HubContentArn"] for page in pages for record in page["Results"]]
    assert one_by_one == sorted(one_by_one) and set(one_by_one) == {content["HubContentArn"] for content in contents}
    # The caller's own contents are another search.
    own = consumer.client("sagemaker").search(Resource="HubContent", CrossAccountFilterOption="SameAccount")
    assert names(record["HubContent"] for record in own["Results"]) == [f"own/{TINY}"]
    assert found(owner) == [], "what one shares is not shared with one"
    owner.client("ram").delete_resource_share(resourceShareArn=resource_share)
    assert found(consumer) == []


def test_the_caller_s_own_policies_count(server, owner, consumer):
    shared = hub_of(owner, "shared", IRIS, TINY)
    share(owner, consumer, shared)
    accept(consumer)
    ana = consumer.new_user("ana", allow("sagemaker:Search"))
    assert found(ana) == [], "she may not list the hub"
    bo = consumer.new_user("bo", allow(["sagemaker:Search", "sagemaker:ListHubContents"]))
    assert names(found(bo)) == [f"shared/{IRIS}", f"shared/{TINY}"]
    # Where the owner has lists filtered, only what she may describe is found and counted.
    server.command("hub", "settings", "--hub", shared, "--filter-lists", "on")
    assert found(bo) == []
    hidden = deny("sagemaker:DescribeHubContent", f"arn:aws:sagemaker:*:*:hub-content/*/{IRIS}")
    cyn = consumer.new_user("cyn", allow(["sagemaker:Search", "sagemaker:ListHubContents", "sagemaker:DescribeHubContent"]), hidden)
    assert names(found(cyn)) == [f"shared/{TINY}"]


def test_tags_of_others_cannot_be_asked_for(consumer):
    sm = consumer.client("sagemaker")
    with refused("ValidationException", "tags of other accounts"):
        sm.search(**OTHERS, SearchExpression={"Filters": [{"Name": "Tags.team", "Value": "words"}]})
    with refused("ValidationException", "tags of other accounts"):
        sm.search(**OTHERS, VisibilityConditions=[{"Key": "Tags.team", "Value": "words"}])
