"""The administrator's and the data scientist's day with the unmodified SageMaker Python SDK v2, through the front door.

The SDK is given HTTPS_PROXY and AWS_CA_BUNDLE and no endpoint at all, as `stoa env` says it. The tests of this file
build on each other, in this order, as a notebook does.
"""

import json
import logging
import sys
import warnings

import pytest

from support import DIGITS, GATED, IRIS, PUBLIC_HUB, REGION, SENTIMENT, TINY, endpoint_gone, endpoint_status, refused

HUB = "CompanyHub"
DISPLAY = "Allowlisted Models"


@pytest.fixture(scope="module")
def world(server):
    """The SDK in the environment of `stoa env`, without its endpoint settings: the front door only."""
    environment = server.environment()
    patch = pytest.MonkeyPatch()
    for name in ("HTTPS_PROXY", "AWS_CA_BUNDLE"):
        assert environment.get(name), f"`stoa env` does not set {name}"
    for name, value in environment.items():
        if name.startswith(("AWS_", "SAGEMAKER_", "REQUESTS_")) or name.lower() in ("https_proxy", "no_proxy"):
            patch.setenv(name, value)
    for name in [name for name in environment if name.startswith("AWS_ENDPOINT_URL")]:
        patch.delenv(name)
    patch.setenv("AWS_DEFAULT_REGION", REGION)
    patch.setenv("SAGEMAKER_SUPPRESS_V2_WARNING", "1")
    # The SDK makes clients while it is imported; another file may have imported it without these credentials.
    for name in [name for name in sys.modules if name.split(".")[0] in ("sagemaker", "sagemaker_core")]:
        del sys.modules[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import boto3
        from sagemaker import Session
        from sagemaker.jumpstart.hub.hub import Hub
        from sagemaker.jumpstart.model import JumpStartModel
    logging.getLogger("sagemaker").setLevel(logging.ERROR)
    boto = boto3.Session()
    client = boto.client("sagemaker")

    class World:
        pass

    made = World()
    made.boto, made.client, made.JumpStartModel, made.Hub = boto, client, JumpStartModel, Hub
    made.session = Session(boto_session=boto, sagemaker_client=client)
    made.hub = Hub(hub_name=HUB, sagemaker_session=made.session)
    made.account = boto.client("sts", endpoint_url=f"https://sts.{REGION}.amazonaws.com").get_caller_identity()["Account"]
    made.models = {}
    yield made
    patch.undo()


def wait_in_service(world, predictor):
    described = endpoint_status(world.client, predictor.endpoint_name)
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")


def test_the_default_identity_is_a_role_session(world):
    arn = world.session.get_caller_identity_arn()
    # The SDK turns the assumed role's ARN into the role's by IAM GetRole.
    assert arn == f"arn:aws:iam::{world.account}:role/StoaAdmin"
    assert world.session.account_id() == world.account


def test_create_and_describe_the_hub(world):
    answer = world.hub.create(description="Models taken from the public hub.", display_name=DISPLAY)
    assert answer["HubArn"] == f"arn:aws:sagemaker:{REGION}:{world.account}:hub/{HUB}"
    described = world.hub.describe()
    assert described["HubName"] == HUB
    assert described["HubStatus"] == "InService"
    assert described["HubDisplayName"] == DISPLAY
    assert described["HubDescription"] == "Models taken from the public hub."
    assert described["CreationTime"] <= described["LastModifiedTime"]


def test_a_second_create_is_resource_in_use(world):
    with refused("ResourceInUse", HUB):
        world.hub.create(description="again", display_name="again")
    assert world.hub.describe()["HubDisplayName"] == DISPLAY


def test_list_the_public_models_with_and_without_filter(world):
    everything = world.hub.list_sagemaker_public_hub_models()
    assert everything["next_token"] is None
    world.models = {model["hub_content_name"]: model for model in everything["hub_content_summaries"]}
    assert {IRIS, DIGITS, SENTIMENT, TINY, GATED} <= world.models.keys()
    arn = world.models[IRIS]["hub_content_arn"]
    assert arn.startswith(f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model/{IRIS}")

    def names(text):
        found = world.hub.list_sagemaker_public_hub_models(filter=text)["hub_content_summaries"]
        return {model["hub_content_name"] for model in found}

    assert names("framework == stoa") == {TINY, GATED}
    assert names("task == tabularclassification") == {IRIS}
    assert names("framework in [sklearn, stoa]") == {IRIS, TINY, GATED}
    assert names("model_id includes digits") == {DIGITS}
    assert names("framework == nobody") == set()
    # A key that no manifest has: the SDK reads every spec.
    assert IRIS in names("training_supported == False")


def test_reference_models(world):
    for name in (IRIS, TINY, GATED):
        answer = world.hub.create_model_reference(model_arn=world.models[name]["hub_content_arn"], model_name=name)
        assert answer["HubContentArn"].startswith(f"arn:aws:sagemaker:{REGION}:{world.account}:hub-content/{HUB}/ModelReference/{name}")
    listed = world.hub.list_models()
    assert listed["next_token"] is None
    assert {summary["HubContentName"] for summary in listed["hub_content_summaries"]} == {IRIS, TINY, GATED}
    assert {summary["HubContentType"] for summary in listed["hub_content_summaries"]} == {"ModelReference"}
    with refused("ResourceInUse"):
        world.hub.create_model_reference(model_arn=world.models[IRIS]["hub_content_arn"], model_name=IRIS)
    with refused("ResourceNotFound"):
        arn = world.models[IRIS]["hub_content_arn"].replace("-iris", "-nothing")
        world.hub.create_model_reference(model_arn=arn, model_name="nothing")


def test_describe_a_model(world):
    model = world.hub.describe_model(IRIS)
    assert model.hub_content_name == IRIS
    assert model.hub_content_version == "1.1.0", "the newest of two"
    assert model.hub_content_type == "ModelReference"
    assert model.hub_content_document.default_inference_instance_type.startswith("ml.")
    assert world.hub.describe_model(IRIS, model_version="1.0.0").hub_content_version == "1.0.0"


def test_deploy_with_the_sdks_own_wait_and_predict(world):
    model = world.JumpStartModel(IRIS, "*", hub_name=HUB, region=REGION, sagemaker_session=world.session)
    assert model.model_version == "1.1.0"
    predictor = model.deploy(accept_eula=False)
    examples = model.retrieve_all_examples()
    assert examples
    for payload in examples:
        answer = predictor.predict(payload.body)
        for one in answer["predictions"]:
            assert one["label"] in ("setosa", "versicolor", "virginica")
            assert 1 / 3 < one["score"] <= 1
    predictor.delete_model()
    predictor.delete_endpoint()
    endpoint_gone(world.client, predictor.endpoint_name)
    assert not world.client.list_models(NameContains=IRIS)["Models"]
    assert not world.client.list_endpoint_configs()["EndpointConfigs"]


def test_by_hub_arn_and_exact_version_through_boto3_too(world):
    arn = f"arn:aws:sagemaker:{REGION}:{world.account}:hub/{HUB}"
    model = world.JumpStartModel(TINY, "1.0.0", hub_name=arn, region=REGION, sagemaker_session=world.session)
    predictor = model.deploy(accept_eula=False, wait=False)
    wait_in_service(world, predictor)
    answer = predictor.predict({"inputs": "the ship ", "parameters": {"max_new_tokens": 12, "do_sample": False}})
    assert isinstance(answer, list)
    assert answer[0]["generated_text"].strip()
    again = world.boto.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=predictor.endpoint_name,
        ContentType="application/json",
        Body=json.dumps({"inputs": "the ship ", "parameters": {"max_new_tokens": 12, "do_sample": False}}),
    )
    assert json.loads(again["Body"].read()) == answer, "greedy generation is deterministic"
    described = world.client.describe_model(ModelName=model.name)
    source = described["PrimaryContainer"]["ModelDataSource"]["S3DataSource"]
    assert source["HubAccessConfig"]["HubContentArn"].endswith(f"hub-content/{HUB}/ModelReference/{TINY}/1.0.0")
    tags = {tag["Key"]: tag["Value"] for tag in world.client.list_tags(ResourceArn=described["ModelArn"])["Tags"]}
    assert tags["sagemaker-sdk:jumpstart-model-id"] == TINY
    predictor.delete_model()
    predictor.delete_endpoint()
    endpoint_gone(world.client, predictor.endpoint_name)


def test_a_version_that_is_not_there(world):
    with pytest.raises(Exception, match=f"Cannot get details for {IRIS}"):
        world.JumpStartModel(IRIS, "9.9.9", hub_name=HUB, region=REGION, sagemaker_session=world.session)


def test_a_model_that_is_not_in_the_hub(world):
    with pytest.raises(Exception) as caught:
        world.JumpStartModel(SENTIMENT, "*", hub_name=HUB, region=REGION, sagemaker_session=world.session)
    assert SENTIMENT in str(caught.value)


@pytest.mark.parametrize("consent", [False, None])
def test_a_gated_model_is_refused_without_consent(world, consent):
    model = world.JumpStartModel(GATED, "*", hub_name=HUB, region=REGION, sagemaker_session=world.session)
    with refused("ValidationException", "EULA"):
        model.deploy(accept_eula=consent, wait=False)
    assert not world.client.list_models(NameContains="gated")["Models"]


def test_a_gated_model_is_deployed_with_consent(world):
    model = world.JumpStartModel(GATED, "*", hub_name=HUB, region=REGION, sagemaker_session=world.session)
    predictor = model.deploy(accept_eula=True, wait=False)
    wait_in_service(world, predictor)
    for payload in model.retrieve_all_examples():
        assert predictor.predict(payload.body)[0]["generated_text"]
    predictor.delete_model()
    predictor.delete_endpoint()
    endpoint_gone(world.client, predictor.endpoint_name)


def test_the_public_hub_without_a_hub_name(world):
    model = world.JumpStartModel(SENTIMENT, region=REGION, sagemaker_session=world.session)
    predictor = model.deploy(wait=False)
    wait_in_service(world, predictor)
    answers = [predictor.predict(payload.body) for payload in model.retrieve_all_examples()]
    assert answers
    for answer in answers:
        assert all({"label", "score"} <= one.keys() for one in answer), answer
    predictor.delete_model()
    predictor.delete_endpoint()
    endpoint_gone(world.client, predictor.endpoint_name)


def test_clean_up(world):
    # As on AWS a hub with content is in use.
    with refused("ResourceInUse"):
        world.hub.delete()
    for name in (IRIS, TINY, GATED):
        world.hub.delete_model_reference(model_name=name)
    assert world.hub.list_models()["hub_content_summaries"] == []
    world.hub.delete()
    with refused("ResourceNotFound", HUB):
        world.hub.describe()
