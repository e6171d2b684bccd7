"""Private hubs with the SageMaker Python SDK v3, as far as v3 itself goes: its Hub class cannot create or refer (its
session lacks the methods), so that part is done with its resource classes and boto3, and listing, searching, describing
and deploying with its own.

v3 and v2 cannot be in one environment: the scripts run with the interpreter that `STOA_PYTHON_V3` names, by default
`target/venv-v3` (made by `cargo xtask test` from `tests/python/requirements-v3.txt`).
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from support import GATED, IRIS, REGION, ROOT, TINY, endpoint_gone, endpoint_status, refused

NAMED = os.environ.get("STOA_PYTHON_V3")
PYTHON = Path(NAMED or Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "venv-v3" / "bin" / "python")
# Named and not there is a failure: only who runs this file by hand may lack the environment.
pytestmark = pytest.mark.skipif(
    NAMED is None and not PYTHON.exists(), reason=f"{PYTHON} is not there: `cargo xtask test` makes it"
)

START = '''
import json, warnings, logging
warnings.filterwarnings("ignore")
import boto3
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.jumpstart.hub.hub import Hub
session = Session()
client = boto3.client("sagemaker")
hub = Hub(hub_name="CompanyHub", sagemaker_session=session)
def say(value):
    print("SAID " + json.dumps(value, default=str))
'''


@pytest.fixture(scope="module")
def site(server, tmp_path_factory):
    class Site:
        admin = server.admin()

        def run(self, script):
            """What the script says. In the environment of `stoa env`, through the front door only."""
            path = tmp_path_factory.mktemp("v3") / "script.py"
            path.write_text(START + script)
            environment = {
                name: value for name, value in server.environment().items() if not name.startswith("AWS_ENDPOINT_URL")
            }
            done = subprocess.run(
                [str(PYTHON), str(path)], capture_output=True, text=True, timeout=240, env=environment, cwd=path.parent
            )
            assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
            said = [line for line in done.stdout.splitlines() if line.startswith("SAID ")]
            return [json.loads(line.removeprefix("SAID ")) for line in said]

    made = Site()
    made.client = made.admin.client("sagemaker")
    return made


def test_a_hub_by_the_resource_classes(site):
    """`sagemaker.core.resources.Hub`: create, get, get_all."""
    said = site.run('''
from sagemaker.core.resources import Hub as HubResource
made = HubResource.create(hub_name="CompanyHub", hub_description="d", hub_display_name="Allowlisted Models")
say([made.hub_name, made.hub_status, made.hub_arn])
say(sorted(one.hub_name for one in HubResource.get_all()))
say(HubResource.get(hub_name="CompanyHub").hub_display_name)
''')
    arn = site.admin.arn("hub/CompanyHub")
    assert said == [["CompanyHub", "InService", arn], ["CompanyHub", "SageMakerPublicHub"], "Allowlisted Models"]


def test_list_and_search_the_public_models_and_refer_to_them(site):
    said = site.run('''
from sagemaker.core.jumpstart.search import search_public_hub_models
say(sorted(one["hub_content_name"] for one in hub.list_sagemaker_public_hub_models(filter="framework == stoa")["hub_content_summaries"]))
for query in ("@task:text-generation", "@framework:jax AND NOT @task:image-classification", "@provider:nobody"):
    say(sorted(one.hub_content_name for one in search_public_hub_models(query, sagemaker_session=session)))
response = hub.list_sagemaker_public_hub_models()
models = response["hub_content_summaries"]
while response["next_token"]:
    response = hub.list_sagemaker_public_hub_models(next_token=response["next_token"])
    models.extend(response["hub_content_summaries"])
for model in models:
    if model["hub_content_name"].startswith(("stoa", "sklearn")):
        client.create_hub_content_reference(HubName="CompanyHub", SageMakerPublicHubContentArn=model["hub_content_arn"])
say(sorted(one["HubContentName"] for one in hub.list_models()["hub_content_summaries"]))
''')
    assert said[0] == sorted([TINY, GATED])
    assert said[1] == sorted([TINY, GATED])
    assert said[2] == ["jax-sentenceembedding-support", "jax-textclassification-sentiment"]
    assert said[3] == []
    assert said[4] == sorted([IRIS, TINY, GATED])


def test_describe_a_model(site):
    (said,) = site.run(f'''
model = hub.describe_model("{IRIS}")
say([model.hub_content_name, model.hub_content_version, model.hub_content_type, model.hub_content_document.default_inference_instance_type])
''')
    assert said == [IRIS, "1.1.0", "ModelReference", "ml.m5.large"]


BUILD = '''
from sagemaker.core.jumpstart.configs import JumpStartConfig
from sagemaker.serve.model_builder import ModelBuilder
def build(model_id, version=None, accept_eula=False):
    config = JumpStartConfig(model_id=model_id, model_version=version, hub_name="CompanyHub", accept_eula=accept_eula)
    builder = ModelBuilder.from_jumpstart_config(config, sagemaker_session=session)
    builder.build()
    return builder
'''


def test_build_deploy_and_invoke_from_the_hub(site):
    (said,) = site.run(BUILD + f'''
builder = build("{TINY}", "1.0.0")
endpoint = builder.deploy(endpoint_name="v3-tiny", wait=False)
say([builder.built_model.model_name, endpoint.endpoint_name])
''')
    model, endpoint = said
    described = endpoint_status(site.client, endpoint)
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    source = site.client.describe_model(ModelName=model)["PrimaryContainer"]["ModelDataSource"]["S3DataSource"]
    wanted = site.admin.arn(f"hub-content/CompanyHub/ModelReference/{TINY}/1.0.0")
    assert source["HubAccessConfig"]["HubContentArn"] == wanted
    (answer,) = site.run(f'''
from sagemaker.core.resources import Endpoint
endpoint = Endpoint.get(endpoint_name="{endpoint}")
body = json.dumps({{"inputs": "the ship ", "parameters": {{"max_new_tokens": 8, "do_sample": False}}}})
response = endpoint.invoke(body=body, content_type="application/json", accept="application/json")
say(json.loads(response.body.read()))
''')
    assert answer[0]["generated_text"].strip()
    site.client.delete_endpoint(EndpointName=endpoint)
    endpoint_gone(site.client, endpoint)


def test_a_gated_model_wants_consent(site):
    said = site.run(BUILD + f'''
for consent in (False, True):
    try:
        build("{GATED}", accept_eula=consent)
        say("built")
    except Exception as error:
        say(str(error))
''')
    assert "EULA" in said[0] and said[1] == "built"


def test_a_model_that_is_not_in_the_hub(site):
    (said,) = site.run(BUILD + '''
try:
    build("jax-textclassification-sentiment")
    say("built")
except Exception as error:
    say(str(error))
''')
    assert "jax-textclassification-sentiment" in said


def test_clean_up(site):
    said = site.run('''
from sagemaker.core.resources import Hub as HubResource
resource = HubResource.get(hub_name="CompanyHub")
try:
    resource.delete()
except Exception as error:
    say(error.response["Error"]["Code"])
for model in hub.list_models()["hub_content_summaries"]:
    client.delete_hub_content_reference(
        HubName="CompanyHub", HubContentType="ModelReference", HubContentName=model["HubContentName"]
    )
resource.delete()
''')
    assert said == ["ResourceInUse"]
    with refused("ResourceNotFound"):
        site.client.describe_hub(HubName="CompanyHub")
