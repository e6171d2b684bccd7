"""The main job, end to end, with the unmodified SageMaker Python SDK v2 and boto3, through Stoa's front door.

Run by `cargo xtask demo`, which starts Stoa and sets the environment that `stoa env` prints. Every step says what it
proves and how long it took. Nothing here knows anything of Stoa but the names of the sample models.
"""

import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

HUB = "CompanyHub"
ROLE = "DataScientist"
ALLOWED = [("stoa-textgeneration-tiny", "generates text"), ("sklearn-tabularclassification-iris", "classifies irises")]
GATED = "stoa-textgeneration-gated"
NOT_IN_HUB = "jax-textclassification-sentiment"


class Steps:
    """Prints steps with their times, and a progress line under long ones."""

    def __init__(self):
        self.number = 0
        self.started = time.monotonic()

    def part(self, title):
        print(f"\n\033[1m{title}\033[0m" if sys.stdout.isatty() else f"\n{title}", flush=True)

    def step(self, what, proves):
        return Step(self, what, proves)


class Step:
    def __init__(self, steps, what, proves):
        self.steps, self.what, self.proves = steps, what, proves
        self.lines = []

    def __enter__(self):
        self.steps.number += 1
        self.began = time.monotonic()
        self.done = threading.Event()
        self.ticker = threading.Thread(target=self.tick, daemon=True)
        self.ticker.start()
        return self

    def tick(self):
        while not self.done.wait(2.0):
            if sys.stdout.isatty():
                print(f"\r      … {self.what}: {time.monotonic() - self.began:.0f} s", end="", flush=True)

    def show(self, line):
        self.lines.append(line)

    def __exit__(self, kind, error, trace):
        self.done.set()
        self.ticker.join()
        took = time.monotonic() - self.began
        mark = "FAILED" if kind else "ok"
        clear = "\r\033[K" if sys.stdout.isatty() else ""
        print(f"{clear}  {self.steps.number:2}. {self.what}  [{mark}, {took:.2f} s]")
        print(f"      proves: {self.proves}")
        for line in self.lines:
            print(f"      {line}")
        sys.stdout.flush()
        return False


def expect_refusal(step, call, *words):
    """The call must fail, and its message must hold the words."""
    try:
        call()
    except Exception as error:  # the SDK wraps errors in many types
        texts = []
        while error is not None:
            texts.append(str(error))
            error = error.__cause__ or error.__context__
        text = " | ".join(texts)
        if not all(word.lower() in text.lower() for word in words):
            raise SystemExit(f"refused, but not for the expected reason {words}: {text}")
        chosen = next((t for t in texts if words[0].lower() in t.lower()), texts[0])
        step.show(f"refused: {chosen.splitlines()[0][:400]}")
        return
    raise SystemExit("this call should have been refused")


def short(value, length=160):
    text = value if isinstance(value, str) else json.dumps(value)
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def policies(region, account):
    """What an admin attaches to the data scientists' role: this hub and nothing else of models."""
    hub = f"arn:aws:sagemaker:{region}:{account}"
    own = [f"{hub}:{kind}/*" for kind in ("model", "endpoint", "endpoint-config")]
    allow = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "SeeAndDeployCompanyHub",
                "Effect": "Allow",
                "Action": [
                    "sagemaker:DescribeHub",
                    "sagemaker:ListHubContents",
                    "sagemaker:ListHubContentVersions",
                    "sagemaker:DescribeHubContent",
                    "sagemaker:DeployHubModel",
                    "sagemaker:CreateHubContentPresignedUrls",
                ],
                "Resource": [f"{hub}:hub/{HUB}", f"{hub}:hub-content/{HUB}/*"],
            },
            {
                "Sid": "OwnEndpoints",
                "Effect": "Allow",
                "Action": ["sagemaker:*Model", "sagemaker:*Endpoint", "sagemaker:*EndpointConfig", "sagemaker:*Tags"],
                "Resource": own,
            },
            {
                "Sid": "ActAsThisRole",
                "Effect": "Allow",
                "Action": ["iam:GetRole", "iam:PassRole"],
                "Resource": f"arn:aws:iam::{account}:role/{ROLE}",
            },
        ],
    }
    deny = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "NoPublicHub",
                "Effect": "Deny",
                "Action": "sagemaker:*",
                "Resource": [
                    f"arn:aws:sagemaker:{region}:aws:hub/SageMakerPublicHub",
                    f"arn:aws:sagemaker:{region}:aws:hub-content/SageMakerPublicHub/*/*",
                ],
            },
            {
                "Sid": "NoDirectModelBuckets",
                "Effect": "Deny",
                "Action": "s3:*",
                "NotResource": [f"arn:aws:s3:::jumpstart-cache-prod-{region}/*eula*"],
            },
        ],
    }
    return allow, deny


def audit_table(stoa, data_dir, since):
    """The journal of this demo as a table, denied calls included."""
    command = [stoa, "audit", "query", "--data-dir", data_dir, "--since", since, "--json"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = []
    for line in lines:
        record = json.loads(line)
        who = record["userIdentity"].get("arn", "-").split(":")[-1]
        result = record.get("errorCode", "ok")
        rows.append((record["eventTime"][11:19], who, record["eventSource"].split(".")[0], record["eventName"], result))
    return rows


def main():
    steps = Steps()
    region = os.environ["AWS_DEFAULT_REGION"]
    stoa, data_dir = os.environ["STOA_BINARY"], os.environ["STOA_DATA_DIR"]
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    steps.part("0. Clients")
    with steps.step("import boto3 and the SageMaker Python SDK v2", "the clients are the published ones, unmodified") as step:
        import boto3
        import requests
        import sagemaker
        from sagemaker import Session
        from sagemaker.jumpstart.hub.hub import Hub
        from sagemaker.jumpstart.model import JumpStartModel

        step.show(f"sagemaker {sagemaker.__version__}, boto3 {boto3.__version__}, region {region}")

    steps.part("1. Platform admin")
    admin = boto3.Session()
    iam, sm = admin.client("iam"), admin.client("sagemaker")
    with steps.step("GetCallerIdentity", "SigV4 through the front door, to the SDK's fixed host sts.<region>.amazonaws.com") as step:
        identity = admin.client("sts", endpoint_url=f"https://sts.{region}.amazonaws.com").get_caller_identity()
        account = identity["Account"]
        step.show(identity["Arn"])

    hub = Hub(hub_name=HUB, sagemaker_session=Session(boto_session=admin, sagemaker_client=sm))
    with steps.step(f"create private hub {HUB}", "hubs are real resources of this account") as step:
        hub.create(description="These are allowlisted models taken from the public hub.", display_name="Allowlisted Models")
        described = hub.describe()
        step.show(f"{described['HubArn']}  {described['HubStatus']}")
    with steps.step("list the public hub's models, filter 'framework == stoa'", "the SDK reads manifests and specs from the cache bucket") as step:
        everything = hub.list_sagemaker_public_hub_models()["hub_content_summaries"]
        filtered = hub.list_sagemaker_public_hub_models(filter="framework == stoa")["hub_content_summaries"]
        assert 0 < len(filtered) < len(everything), (len(filtered), len(everything))
        step.show(f"{len(everything)} models, {len(filtered)} match: {', '.join(m['hub_content_name'] for m in filtered)}")
    with steps.step("reference two models and the gated one", "references point at public content; no artifact is copied") as step:
        by_name = {model["hub_content_name"]: model for model in everything}
        for name in [name for name, _ in ALLOWED] + [GATED]:
            hub.create_model_reference(model_arn=by_name[name]["hub_content_arn"], model_name=name)
        step.show(", ".join(model["HubContentName"] for model in hub.list_models()["hub_content_summaries"]))
    with steps.step(f"role {ROLE} with the policies that deny the public hub and allow only this one", "IAM decides who sees what") as step:
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"},
                {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"},
            ],
        }
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust))
        allow, deny = policies(region, account)
        iam.put_role_policy(RoleName=ROLE, PolicyName="OnlyCompanyHub", PolicyDocument=json.dumps(allow))
        arn = iam.create_policy(PolicyName="DenyPublicHub", PolicyDocument=json.dumps(deny))["Policy"]["Arn"]
        iam.attach_role_policy(RoleName=ROLE, PolicyArn=arn)
        step.show("OnlyCompanyHub (inline), DenyPublicHub (attached)")

    steps.part("2. Data scientist")
    with steps.step(f"assume role {ROLE}", "trust policies and temporary credentials") as step:
        keys = admin.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/{ROLE}", RoleSessionName="alice"
        )["Credentials"]
        alice = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=region)
        step.show(alice.client("sts").get_caller_identity()["Arn"])
    alice_sm = alice.client("sagemaker")
    session = Session(boto_session=alice, sagemaker_client=alice_sm)
    with steps.step("list and describe the hub's models", "a data scientist sees what was approved") as step:
        hers = Hub(hub_name=HUB, sagemaker_session=session)
        for summary in hers.list_models()["hub_content_summaries"]:
            model = hers.describe_model(summary["HubContentName"])
            step.show(f"{model.hub_content_name} {model.hub_content_version} ({model.hub_content_document.default_inference_instance_type})")
    predictors = []
    for name, what in ALLOWED:
        with steps.step(f"JumpStartModel('{name}', hub_name='{HUB}').deploy()", f"an approved model that {what}, behind an endpoint") as step:
            model = JumpStartModel(name, "*", hub_name=HUB, region=region, sagemaker_session=session)
            # wait=False: the SDK's own wait sleeps 30 s before it first looks; the endpoint is there long before.
            predictor = model.deploy(accept_eula=False, wait=False)
            began = time.monotonic()
            while True:
                status = alice_sm.describe_endpoint(EndpointName=predictor.endpoint_name)
                if status["EndpointStatus"] != "Creating":
                    break
                time.sleep(0.05)
            assert status["EndpointStatus"] == "InService", status.get("FailureReason")
            step.show(f"{predictor.endpoint_name}: InService {time.monotonic() - began:.2f} s after CreateEndpoint answered")
            predictors.append((name, model, predictor))
        with steps.step("predict every example payload, by SDK and by boto3 invoke_endpoint", "the real model answers") as step:
            for payload in model.retrieve_all_examples():
                answer = predictor.predict(payload.body)
                step.show(f"{short(payload.body, 90)} -> {short(answer, 150)}")
                body = payload.body if isinstance(payload.body, str) else json.dumps(payload.body)
                raw = alice.client("sagemaker-runtime").invoke_endpoint(
                    EndpointName=predictor.endpoint_name, ContentType=payload.content_type, Body=body.encode()
                )
                again = json.loads(raw["Body"].read())
                assert type(again) is type(answer) and again, again

    steps.part("3. What is not approved")
    with steps.step(f"deploy {NOT_IN_HUB}, which is not in the hub", "what is not in the hub does not exist there") as step:
        expect_refusal(
            step, lambda: JumpStartModel(NOT_IN_HUB, "*", hub_name=HUB, region=region, sagemaker_session=session), NOT_IN_HUB, "not"
        )
    with steps.step("describe it in the public hub instead", "the policy denies the public hub, and the message says so") as step:
        expect_refusal(
            step,
            lambda: alice_sm.describe_hub_content(
                HubName="SageMakerPublicHub", HubContentType="Model", HubContentName=NOT_IN_HUB
            ),
            "explicit deny", "identity-based policy",
        )
    with steps.step("read its files from the cache bucket", "direct S3 access is decided by the same engine") as step:
        expect_refusal(
            step,
            lambda: alice.client("s3").get_object(Bucket=f"jumpstart-cache-prod-{region}", Key="models_manifest.json"),
            "AccessDenied",
        )
    with steps.step(f"deploy {GATED} without accepting its EULA", "a licence is a gate, checked by the server") as step:
        gated = JumpStartModel(GATED, "*", hub_name=HUB, region=region, sagemaker_session=session)
        expect_refusal(step, lambda: gated.deploy(accept_eula=False, wait=False), "eula")

    steps.part("4. Files")
    with steps.step("download a model's files by CreateHubContentPresignedUrls", "every byte is the approved one") as step:
        name = ALLOWED[0][0]
        listed = json.loads(
            subprocess.run([stoa, "catalog", "list", "--data-dir", data_dir, "--json"], check=True, capture_output=True, text=True).stdout
        )
        version = hers.describe_model(name).hub_content_version
        digests = next(m["files"] for m in listed if m["id"] == name and m["version"] == version)
        urls, token = [], None
        while True:
            more = {"NextToken": token} if token else {}
            page = alice_sm.create_hub_content_presigned_urls(
                HubName=HUB, HubContentType="ModelReference", HubContentName=name, HubContentVersion=version, **more
            )
            urls += page["AuthorizedUrlConfigs"]
            token = page.get("NextToken")
            if not token:
                break
        assert len(urls) == len(digests), (urls, digests)
        for entry in urls:
            content = requests.get(entry["Url"], timeout=60, verify=os.environ["AWS_CA_BUNDLE"]).content
            digest = hashlib.sha256(content).hexdigest()
            assert digests[entry["LocalPath"].lstrip("/")] == digest, entry["LocalPath"]
            step.show(f"{entry['LocalPath']}: {len(content)} bytes, SHA-256 {digest[:16]}… as in the catalog")

    steps.part("5. Audit trail, then clean-up")
    with steps.step("delete endpoints, configurations and models", "nothing is left running") as step:
        for _, _, predictor in predictors:
            predictor.delete_model()
            predictor.delete_endpoint()
        while alice_sm_endpoints := [e for e in sm.list_endpoints()["Endpoints"] if e["EndpointStatus"] == "Deleting"]:
            step.show(f"{len(alice_sm_endpoints)} being deleted") if not step.lines else None
            time.sleep(0.1)
        assert not sm.list_endpoints()["Endpoints"]
    with steps.step("delete references, hub, role and policy", "the admin's own clean-up") as step:
        for name in [name for name, _ in ALLOWED] + [GATED]:
            hub.delete_model_reference(model_name=name)
        hub.delete()
        iam.detach_role_policy(RoleName=ROLE, PolicyArn=arn)
        iam.delete_policy(PolicyArn=arn)
        iam.delete_role_policy(RoleName=ROLE, PolicyName="OnlyCompanyHub")
        iam.delete_role(RoleName=ROLE)
    with steps.step("read the audit journal", "every call is in it, the refused ones too") as step:
        rows = audit_table(stoa, data_dir, since)
        denied = [row for row in rows if row[4] in ("AccessDenied", "AccessDeniedException")]
        assert denied and any(row[3] == "DescribeHubContent" for row in denied), "refused calls are missing"
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        for row in rows:
            step.show("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        step.show(f"{len(rows)} calls, {len(denied)} of them denied by policy")

    print(f"\nAll {steps.number} steps passed in {time.monotonic() - steps.started:.1f} s.")


if __name__ == "__main__":
    main()
