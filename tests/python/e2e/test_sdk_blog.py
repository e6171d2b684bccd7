"""The scripts of AWS's post on private hubs (seed 000), run as files by the SageMaker Python SDK v2: the administrator's
and the user's part as printed, each in a process of its own with nothing but what `stoa env` says and its credentials.

The models that the post names come into the public hub as an operator brings them; what they are inside is the samples'.
Where the post leaves a line out, the SDK's own documentation has it. The names in `<...>` are what the post says to fill in.
"""

import json
import shutil
import subprocess
import sys

import pytest

from support import (
    GATED, IRIS, PUBLIC_HUB, REGION, SAMPLES, TINY, allow, endpoint_gone, endpoint_status, policy, refused, statement,
)

PHI = "huggingface-llm-phi-2"
LLAMA = "meta-textgeneration-llama-2-7b"
# As the samples are: framework, task of each.
SAMPLE_IDS = {
    "jax-imageclassification-digits", "jax-sentenceembedding-support", "jax-textclassification-sentiment", IRIS, GATED, TINY,
}
EVERYTHING = SAMPLE_IDS | {PHI, LLAMA}

ADMIN = '''
import boto3
from sagemaker import Session
from sagemaker.jumpstart.hub.hub import Hub

HUB_NAME="CompanyHub"
HUB_DISPLAY_NAME="Allowlisted Models"
HUB_DESCRIPTION="These are allowlisted models taken from the JumpStart Public Hub."
REGION="<your_region_name>" # for example, "us-west-2"

sm_client = boto3.client('sagemaker')
session = Session(sagemaker_client=sm_client)

hub = Hub(hub_name=HUB_NAME, sagemaker_session=session)
try:
    hub.create(
        description=HUB_DESCRIPTION,
        display_name=HUB_DISPLAY_NAME
    )
    print(f"Successfully created Hub with name {HUB_NAME} in {REGION}")
except Exception as e:
    if "ResourceInUse" in str(e):
        print(f"A hub with the name {HUB_NAME} already exists in your account.")
    else:
        raise e

hub.describe()

filter_value = "<filter>"
response = hub.list_sagemaker_public_hub_models(filter=filter_value)
models = response["hub_content_summaries"]
while response["next_token"]:
    response = hub.list_sagemaker_public_hub_models(filter=filter_value,
                                                    next_token=response["next_token"])
    models.extend(response["hub_content_summaries"])

print(models)

for model in models:
    print(f"Adding {model.get('hub_content_name')} to Hub")
    hub.create_model_reference(model_arn=model.get("hub_content_arn"),
                               model_name=model.get("hub_content_name"))
'''

LIST = '''
response = hub.list_models()
models = response["hub_content_summaries"]
while response["next_token"]:
    response = hub.list_models(next_token=response["next_token"])
    models.extend(response["hub_content_summaries"])

for model in models:
    print(model.get('HubContentArn'))
'''

CLEAN_UP = '''
import boto3
from sagemaker import Session
from sagemaker.jumpstart.hub.hub import Hub
HUB_NAME="CompanyHub"
session = Session(sagemaker_client=boto3.client('sagemaker'))
hub = Hub(hub_name=HUB_NAME, sagemaker_session=session)
''' + LIST + '''
hub.delete_model_reference("huggingface-llm-phi-2")

response = hub.list_models()
models = response["hub_content_summaries"]
for model in models:
    hub.delete_model_reference(model_name=model.get('HubContentName'))

hub.delete()
'''

USER = '''
import boto3
from sagemaker import Session
from sagemaker.jumpstart.hub.hub import Hub
from sagemaker.jumpstart.model import JumpStartModel
from sagemaker.jumpstart.estimator import JumpStartEstimator

HUB_NAME="CompanyHub"
REGION="<your_region_name>" # for example, "us-west-2"
sm_client = boto3.client('sagemaker')
sm_runtime_client = boto3.client('sagemaker-runtime')
session = Session(sagemaker_client=sm_client,
                  sagemaker_runtime_client=sm_runtime_client)
hub = Hub(hub_name=HUB_NAME, sagemaker_session=session)
''' + LIST + '''
model_name = "huggingface-llm-phi-2"
response = hub.describe_model(model_name=model_name)
print(response)

model_id, version = "huggingface-llm-phi-2", "1.0.0"
model = JumpStartModel(model_id, version, hub_name=HUB_NAME,
                       region=REGION, sagemaker_session=session)
predictor = model.deploy(accept_eula=False)

example_payloads = model.retrieve_all_examples()

for payload in example_payloads:
    response = predictor.predict(payload.body)
    print("\\nInput\\n", payload.body, "\\n\\nOutput\\n",
          response[0]["generated_text"], "\\n\\n===============")

predictor.delete_model()
predictor.delete_endpoint()
'''

FILTERS = '''
import json
from sagemaker import Session
from sagemaker.jumpstart.hub.hub import Hub
from sagemaker.jumpstart.filters import And, Constant, Identity, Not, Or, BooleanValues

hub = Hub(hub_name="CompanyHub", sagemaker_session=Session())
forms = {
    "nothing": None,
    **{text: text for text in json.loads(TEXTS)},
    "And": And("framework == stoa", "task == textgeneration"),
    "nested": And(Or("framework == meta", "framework == huggingface"), Not("task == llm")),
    "Not": Not("framework == jax"),
    "Or of three": Or("framework == meta", Identity("framework == sklearn"), "model_id ends with digits"),
    "true": Constant(BooleanValues.TRUE),
    "false": Constant(BooleanValues.FALSE),
}
found = {}
for name, form in forms.items():
    response = hub.list_sagemaker_public_hub_models(**({} if form is None else {"filter": form}))
    assert response["next_token"] is None
    found[name] = sorted(model["hub_content_name"] for model in response["hub_content_summaries"])
print(json.dumps(found))
'''


def frameworks(*names):
    return {name for name in EVERYTHING if name.split("-")[0] in names}


TEXTS = {
    "framework == meta": {LLAMA},
    "framework === meta": {LLAMA},
    "framework is meta": {LLAMA},
    "framework equals meta": {LLAMA},
    "framework != jax": EVERYTHING - frameworks("jax"),
    "framework !== jax": EVERYTHING - frameworks("jax"),
    "framework is not jax": EVERYTHING - frameworks("jax"),
    "framework not equals jax": EVERYTHING - frameworks("jax"),
    "framework in [meta, sklearn]": frameworks("meta", "sklearn"),
    "framework not in [jax, stoa]": EVERYTHING - frameworks("jax", "stoa"),
    "task == textgeneration": {LLAMA, TINY, GATED},
    "task in [llm, tabularclassification]": {PHI, IRIS},
    "model_id includes textgeneration": {LLAMA, TINY, GATED},
    "model_id contains llama": {LLAMA},
    "model_id not includes text": EVERYTHING - {LLAMA, TINY, GATED, "jax-textclassification-sentiment"},
    "model_id not contains text": EVERYTHING - {LLAMA, TINY, GATED, "jax-textclassification-sentiment"},
    "model_id begins with jax": frameworks("jax"),
    "model_id starts with jax": frameworks("jax"),
    "model_id ends with tiny": {TINY},
    "search_keywords includes @task:text-generation": {PHI, LLAMA, TINY, GATED},
    "version == 1.1.0": {IRIS},
    # Only specs know these.
    "gated_bucket is true": {GATED, LLAMA},
    "training_supported == false": EVERYTHING,
    "default_inference_instance_type in [ml.m5.large, ml.c5.xlarge]": None,
    "no_such_field == anything": set(),
    "model_type == proprietary": set(),
}
EXPECTED = {
    "nothing": EVERYTHING,
    "And": {TINY, GATED},
    "nested": {LLAMA},
    "Not": EVERYTHING - frameworks("jax"),
    "Or of three": {LLAMA, IRIS, "jax-imageclassification-digits"},
    "true": EVERYTHING,
    "false": set(),
    **TEXTS,
}


class Site:
    """A server with the post's models in its public hub; scripts run in the environment that `stoa env` prints."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.admin = server.admin()

    def put(self, sample, model):
        folder = self.folder / model / "1.0.0"
        shutil.copytree(SAMPLES / sample / "1.0.0", folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest.update(id=model, framework=model.split("-")[0], provider=model.split("-")[0].title())
        (folder / "manifest.json").write_text(json.dumps(manifest))
        self.server.command("catalog", "import", folder)

    def run(self, script, who=None, **filled):
        """The script's output; by default with the credentials of `stoa env`."""
        for name, value in {"your_region_name": REGION, **filled}.items():
            script = script.replace(f"<{name}>", value)
        path = self.folder / "script.py"
        path.write_text(script)
        environment = self.server.environment()
        # The front door only: what the SDK does without a word about endpoints.
        environment = {name: value for name, value in environment.items() if not name.startswith("AWS_ENDPOINT_URL")}
        environment.update(SAGEMAKER_SUPPRESS_V2_WARNING="1", PYTHONWARNINGS="ignore")
        if who is not None:
            for name in [name for name in environment if name.startswith(("AWS_PROFILE", "AWS_SHARED", "AWS_CONFIG"))]:
                del environment[name]
            environment.update(
                AWS_ACCESS_KEY_ID=who.key, AWS_SECRET_ACCESS_KEY=who.secret, AWS_SESSION_TOKEN=who.token or ""
            )
        done = subprocess.run(
            [sys.executable, str(path)], capture_output=True, text=True, timeout=240, env=environment, cwd=self.folder
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def site(server, tmp_path_factory):
    made = Site(server, tmp_path_factory.mktemp("blog"))
    made.put(TINY, PHI)
    made.put(GATED, LLAMA)
    return made


@pytest.fixture(scope="module")
def data_scientist(site):
    """Who may work, but not with public content: the post's policy."""
    closed = policy(
        {
            "Action": "s3:*", "Effect": "Deny",
            "Resource": [f"arn:aws:s3:::jumpstart-cache-prod-{REGION}", f"arn:aws:s3:::jumpstart-cache-prod-{REGION}/*"],
            "Condition": {"StringNotLike": {"s3:prefix": ["*.ipynb", "*/eula.txt"]}},
        },
        statement("Deny", "sagemaker:*", [
            f"arn:aws:sagemaker:{REGION}:aws:hub/{PUBLIC_HUB}", f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/*/*",
        ]),
    )
    role = site.admin.new_role("DataScientist", allow("*"), closed)
    return site.admin.assume(role, "ana")


def test_every_documented_filter(site):
    out = site.run(FILTERS.replace("TEXTS", repr(json.dumps(list(TEXTS))), 1))
    found = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    for name, wanted in EXPECTED.items():
        if wanted is not None:
            assert set(found[name]) == wanted, name
    assert set(found["default_inference_instance_type in [ml.m5.large, ml.c5.xlarge]"]) <= EVERYTHING


def test_the_administrators_part(site):
    out = site.run(ADMIN, filter="framework == meta")
    assert f"Successfully created Hub with name CompanyHub in {REGION}" in out
    assert f"Adding {LLAMA} to Hub" in out and PHI not in out
    # Again, for the model that the users' part deploys.
    out = site.run(ADMIN, filter="framework == huggingface")
    assert "A hub with the name CompanyHub already exists in your account." in out
    assert f"Adding {PHI} to Hub" in out


def test_the_users_part(site, data_scientist):
    out = site.run(USER, who=data_scientist)
    account = site.admin.id
    for name in (PHI, LLAMA):
        assert f"arn:aws:sagemaker:{REGION}:{account}:hub-content/CompanyHub/ModelReference/{name}/1.0.0" in out
    assert out.count("===============") >= 1 and "Output" in out
    listed = site.admin.client("sagemaker").list_models()["Models"]
    assert not [one for one in listed if "phi" in one["ModelName"]], "the script deletes what it made"


def test_what_the_user_may_not(site, data_scientist):
    sm = data_scientist.client("sagemaker")
    with refused("AccessDeniedException", "explicit deny"):
        sm.describe_hub(HubName=PUBLIC_HUB)
    with refused("AccessDenied", status=403):
        data_scientist.client("s3").get_object(Bucket=f"jumpstart-cache-prod-{REGION}", Key="models_manifest.json")
    # The model that wants consent, deployed without it and with it.
    part = USER[USER.index("import boto3"):USER.index("response = hub.list_models()")]
    deploy = f'''
model = JumpStartModel("{LLAMA}", "*", hub_name=HUB_NAME, region=REGION, sagemaker_session=session)
try:
    model.deploy(accept_eula=False, wait=False)
except Exception as e:
    print("refused:", e)
print("deployed:", model.deploy(accept_eula=True, wait=False).endpoint_name)
'''
    out = site.run(part + deploy, who=data_scientist)
    assert "refused:" in out and "EULA" in out
    (name,) = [line.split()[1] for line in out.splitlines() if line.startswith("deployed:")]
    described = endpoint_status(sm, name)
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    sm.delete_endpoint(EndpointName=name)
    endpoint_gone(sm, name)


def test_the_administrators_end(site):
    out = site.run(CLEAN_UP)
    assert f"ModelReference/{PHI}/1.0.0" in out
    with refused("ResourceNotFound"):
        site.admin.client("sagemaker").describe_hub(HubName="CompanyHub")
