"""Search for hub contents, and the guardrail on training with them, by boto3."""

import datetime

import pytest

from support import IRIS, PUBLIC_HUB, REGION, TINY, allow, deny, public_model, refused, statement, policy

PUBLIC_ARN = f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model"


def refer(sm, hub, name, **more):
    sm.create_hub_content_reference(HubName=hub, SageMakerPublicHubContentArn=f"{PUBLIC_ARN}/{name}", **more)


@pytest.fixture
def sm(account):
    sm = account.client("sagemaker")
    for hub in ("one", "two"):
        sm.create_hub(HubName=hub, HubDescription="d")
        refer(sm, hub, IRIS)
    refer(sm, "one", TINY, Tags=[{"Key": "team", "Value": "words"}])
    return sm


def where(*filters, **more):
    given = []
    for name, operator, value in filters:
        given.append({"Name": name, **({"Operator": operator} if operator else {}), **({"Value": value} if value else {})})
    return {"Filters": given, **more}


def search(sm, expression=None, **more):
    if expression:
        more["SearchExpression"] = expression
    answer = sm.search(Resource="HubContent", MaxResults=100, **more)
    assert "NextToken" not in answer
    assert answer["TotalHits"] == {"Value": len(answer["Results"]), "Relation": "EqualTo"}
    return [record["HubContent"] for record in answer["Results"]]


def names(contents):
    return sorted({f"{content['HubName']}/{content['HubContentName']}" for content in contents})


def test_contents_are_found_by_their_properties(account, sm):
    assert names(search(sm)) == [f"one/{IRIS}", f"one/{TINY}", f"two/{IRIS}"]
    assert names(search(sm, where(("HubContentName", None, TINY)))) == [f"one/{TINY}"]
    assert names(search(sm, where(("HubContentName", "Contains", "iris"), ("HubName", "NotEquals", "two")))) == [f"one/{IRIS}"]
    assert names(search(sm, where(("HubName", "In", "two,three")))) == [f"two/{IRIS}"]
    either = where(("HubName", "Equals", "two"), ("Tags.team", "Exists", None), Operator="Or")
    assert names(search(sm, either)) == [f"one/{TINY}", f"two/{IRIS}"]
    both = {"SubExpressions": [either, where(("Tags.team", "Equals", "words"))]}
    found = search(sm, both)
    assert names(found) == [f"one/{TINY}"]
    # The record is what DescribeHubContent says, with the tags.
    described = sm.describe_hub_content(HubName="one", HubContentType="ModelReference", HubContentName=TINY)
    for member in ("HubContentArn", "HubContentVersion", "HubContentDocument", "HubContentMarkdown", "SageMakerPublicHubContentArn"):
        assert found[0][member] == described[member], member
    assert found[0]["Tags"] == [{"Key": "team", "Value": "words"}]
    hour = datetime.timedelta(hours=1)
    made = found[0]["CreationTime"].astimezone(datetime.timezone.utc)
    for operator, when, expected in (("GreaterThan", made - hour, 3), ("GreaterThan", made + hour, 0), ("LessThan", made + hour, 3)):
        value = when.strftime("%Y-%m-%dT%H:%M:%S")
        assert len(names(search(sm, where(("CreationTime", operator, value))))) == expected, (operator, value)


def test_pages_come_in_order(account, sm):
    pages = sm.get_paginator("search").paginate(
        Resource="HubContent", SortBy="HubContentName", SortOrder="Descending", PaginationConfig={"PageSize": 1}
    )
    found = [record["HubContent"] for page in pages for record in page["Results"]]
    assert len(found) == len(search(sm)) > 2
    order = [content["HubContentName"] for content in found]
    assert order == sorted(order, reverse=True)
    assert len({content["HubContentArn"] for content in found}) == len(found)


def test_who_finds_what(server, account, sm):
    assert search(server.new_account("other").client("sagemaker")) == [], "the contents of another account"
    with refused("AccessDeniedException", "sagemaker:Search"):
        account.new_user("nobody").client("sagemaker").search(Resource="HubContent")
    # A guardrail may want the condition that hides what is tagged otherwise.
    must = {"StringEquals": {"sagemaker:SearchVisibilityCondition/Tags.team": "pictures"}}
    ana = account.new_user("ana", allow("sagemaker:Search", Condition=must)).client("sagemaker")
    with refused("AccessDeniedException", "sagemaker:Search"):
        ana.search(Resource="HubContent")
    shown = search(ana, VisibilityConditions=[{"Key": "Tags.team", "Value": "pictures"}])
    assert names(shown) == [f"one/{IRIS}", f"two/{IRIS}"]


def test_what_is_not_there_is_refused_by_name(account, sm):
    with refused("UnknownOperationException", "Search of TrainingJob is not implemented"):
        sm.search(Resource="TrainingJob")
    with refused("ValidationException", "tags of other accounts"):
        tagged = where(("Tags.team", "Exists", None))
        sm.search(Resource="HubContent", CrossAccountFilterOption="CrossAccount", SearchExpression=tagged)
    with refused("ValidationException", "TrainingJobName"):
        sm.search(Resource="HubContent", SearchExpression=where(("TrainingJobName", "Equals", "x")))
    with refused("ValidationException", "GreaterThan is not supported for text"):
        sm.search(Resource="HubContent", SearchExpression=where(("HubContentName", "GreaterThan", "x")))
    with refused("ValidationException", "InputDataConfig"):
        nested = {"NestedPropertyName": "InputDataConfig", "Filters": where(("HubName", "Exists", None))["Filters"]}
        sm.search(Resource="HubContent", SearchExpression={"NestedFilters": [nested]})


def training(account, **more):
    return {
        "TrainingJobName": "t", "RoleArn": f"arn:aws:iam::{account.id}:role/Exec",
        "AlgorithmSpecification": {"TrainingInputMode": "File"}, "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60}, **more,
    }


def test_training_with_hub_content_is_decided(account, sm):
    """TrainHubModel on the hub and on the content, before the call says that there are no training jobs yet."""
    account.new_role("Exec")
    arn = account.arn(f"hub-content/one/ModelReference/{TINY}")
    place = public_model(sm, TINY)["document"]["HostingArtifactUri"]

    def job(**more):
        source = {"S3DataType": "S3Prefix", "S3Uri": place, **more}
        return training(account, InputDataConfig=[{"ChannelName": "model", "DataSource": {"S3DataSource": source}}])

    through = job(HubAccessConfig={"HubContentArn": f"{arn}/1.0.0"})
    base = policy(
        statement("Allow", "sagemaker:CreateTrainingJob"), statement("Allow", "iam:PassRole", f"arn:aws:iam::{account.id}:role/Exec")
    )
    hub = account.arn("hub/one")
    plain = account.new_user("plain", base).client("sagemaker")
    with refused("AccessDeniedException", "sagemaker:TrainHubModel", hub):
        plain.create_training_job(**through)
    with refused("UnknownOperationException", "not implemented"):
        plain.create_training_job(**training(account))
    trains = allow("sagemaker:TrainHubModel", [hub, arn])
    ana = account.new_user("ana", base, trains).client("sagemaker")
    with refused("UnknownOperationException", "CreateTrainingJob", "not implemented"):
        ana.create_training_job(**through)
    # The model's place by itself belongs to the public hub, and so does a base model.
    with refused("AccessDeniedException", "sagemaker:TrainHubModel", f"hub/{PUBLIC_HUB}"):
        ana.create_training_job(**job())
    serverless = {"BaseModelArn": f"{PUBLIC_ARN}/{TINY}/1.0.0", "JobType": "FineTuning"}
    with refused("AccessDeniedException", "sagemaker:TrainHubModel", f"hub/{PUBLIC_HUB}"):
        ana.create_training_job(**training(account, ServerlessJobConfig=serverless))
    guarded = account.new_user("guarded", base, trains, deny("sagemaker:TrainHubModel", arn)).client("sagemaker")
    with refused("AccessDeniedException", "sagemaker:TrainHubModel", arn, "explicit deny"):
        guarded.create_training_job(**through)
