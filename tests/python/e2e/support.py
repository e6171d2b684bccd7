"""What every end-to-end test stands on: a real Stoa process, accounts in it, clients of AWS's own making.

Nothing here knows how Stoa works inside: it starts the binary, speaks to its commands and its socket, and waits by
asking again until a deadline. A server that a test kills is started again on the same data folder.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import boto3
from botocore.config import Config

REGION = "us-west-2"
ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "catalog" / "sample"
IRIS = "sklearn-tabularclassification-iris"
DIGITS = "jax-imageclassification-digits"
SENTIMENT = "jax-textclassification-sentiment"
TINY = "stoa-textgeneration-tiny"
GATED = "stoa-textgeneration-gated"
PUBLIC_HUB = "SageMakerPublicHub"
# Of 2 cores that everything else shares too: generous, since a passing run never waits for it.
DEADLINE = 60.0


def wait_for(what, probe, deadline=DEADLINE, pause=0.02):
    """Asks until the answer is true, and gives it back."""
    began = time.monotonic()
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() - began > deadline:
            raise AssertionError(f"after {deadline:.0f} s still not: {what}")
        time.sleep(pause)


class Server:
    """One `stoa serve` over one data folder."""

    def __init__(self, binary, home, regions=(REGION,), arguments=()):
        self.binary = str(binary)
        self.home = Path(home)
        self.data_dir = self.home / "d"
        self.regions = regions
        self.arguments = list(arguments)
        self.log = self.home / "server.log"
        self.output = self.home / "server.out"
        self.process = None
        self.url = None

    def start(self, environment=None):
        """Starts the process and waits for its line; the log goes on where it was."""
        self.output.write_text("")
        command = [self.binary, "serve", "--data-dir", str(self.data_dir), "--listen", "127.0.0.1:0"]
        for region in self.regions:
            command += ["--region", region]
        with open(self.log, "ab") as log, open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                command + self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env={**clean_environment(), **(environment or {})},
            )
        self.url = wait_for("the server is ready", self._ready)
        return self

    def _ready(self):
        for line in self.output.read_text().splitlines():
            if line.startswith("stoa ready on "):
                return line.removeprefix("stoa ready on ").strip()
        if self.process.poll() is not None:
            raise AssertionError(f"stoa ended with {self.process.returncode} at its start:\n{self.log_tail()}")
        return None

    def log_tail(self, lines=40):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def kill(self):
        """`kill -9`."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Asks it to end, as an operator does; returns its exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("stoa did not end within 30 s of SIGTERM") from None

    def running(self):
        return self.process.poll() is None

    def command(self, *arguments, check=True, data_dir=True, timeout=120):
        """Runs a command of the binary; with `check`, it must succeed."""
        command = [self.binary, *map(str, arguments)]
        if data_dir:
            command += ["--data-dir", str(self.data_dir)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=clean_environment())
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def new_account(self, name="test"):
        made = json.loads(self.command("account", "create", "--name", name).stdout)
        return Account(self, made["account_id"], made["access_key_id"], made["secret_access_key"])

    def admin(self):
        """The management account through the credentials file: the role session that the default profile holds."""
        profile = boto3.Session(botocore_session=_session_of(self.data_dir / "credentials"))
        keys = profile.get_credentials().get_frozen_credentials()
        found = Account(self, None, keys.access_key, keys.secret_key, keys.token)
        found.id = found.client("sts").get_caller_identity()["Account"]
        return found

    def records(self, *filters):
        """Audit records as `stoa audit query --json` gives them."""
        return [json.loads(line) for line in self.command("audit", "query", "--json", *filters).stdout.split("\n") if line]

    def environment(self, *arguments):
        """The exports that `stoa env` prints, as a shell understands them."""
        printed = self.command("env", *arguments).stdout
        shell = subprocess.run(
            ["bash", "-c", 'set -a; eval "$1"; env -0', "bash", printed],
            capture_output=True, check=True, env={"PATH": os.environ["PATH"]},
        )
        pairs = [entry.split("=", 1) for entry in shell.stdout.decode().split("\0") if "=" in entry]
        ours = {name: value for name, value in pairs if name not in ("PATH", "PWD", "SHLVL", "_", "OLDPWD")}
        # What `stoa env` must set is judged by what is there; the rest of the caller's environment stays clean.
        return {**clean_environment(), **ours}

    def metric(self, name):
        """The sum of a metric's series in `/metrics`."""
        import requests

        text = requests.get(f"{self.url}/metrics", timeout=10, proxies=NO_PROXIES).text
        values = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(map(float, values)) if values else None


NO_PROXIES = {"http": "", "https": ""}


def _session_of(credentials_file):
    import botocore.session

    session = botocore.session.Session()
    session.set_config_variable("credentials_file", str(credentials_file))
    session.set_config_variable("region", REGION)
    return session


def clean_environment():
    """The caller's environment without anything of AWS or of proxies in it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("AWS_") and not name.upper().endswith("_PROXY") and name != "STOA_FAILPOINTS"
    }
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONDONTWRITEBYTECODE": "1"}


class Account:
    """An account with keys: of its root user, or of a user or session made in it."""

    def __init__(self, server, account_id, key, secret, token=None):
        self.server = server
        self.id = account_id
        self.key = key
        self.secret = secret
        self.token = token

    def session(self, region=REGION):
        return boto3.Session(self.key, self.secret, self.token, region_name=region)

    def client(self, service, region=REGION, url=None, **settings):
        """A client by endpoint URL. One attempt only: a retry would hide what the first answer was."""
        config = Config(
            retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=90, proxies=NO_PROXIES, **settings
        )
        return self.session(region).client(service, endpoint_url=url or self.server.url, config=config)

    def clients(self, *services):
        return [self.client(service) for service in services]

    def arn(self, resource, service="sagemaker", region=REGION):
        return f"arn:aws:{service}:{region}:{self.id}:{resource}"

    def new_user(self, name, *policies):
        """A user with these inline policies and a key of its own."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        for number, policy in enumerate(policies):
            iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return Account(self.server, self.id, made["AccessKeyId"], made["SecretAccessKey"])

    def new_role(self, name="Exec", *policies):
        """A role that SageMaker and this account may assume; with no policy given, an administrator's."""
        iam = self.client("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(self.id)))["Role"]["Arn"]
        for number, policy in enumerate(policies or [allow("*")]):
            iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))
        return arn

    def assume(self, role_arn, session="e2e", **more):
        """This principal as a session of a role."""
        keys = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=session, **more)["Credentials"]
        return Account(self.server, role_arn.split(":")[4], keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def statement(effect, actions, resources="*", **more):
    return {"Effect": effect, "Action": actions, "Resource": resources, **more}


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions, resources="*", **more):
    return policy(statement("Allow", actions, resources, **more))


def deny(actions, resources="*", **more):
    return policy(statement("Deny", actions, resources, **more))


def trust(account):
    principals = [{"AWS": f"arn:aws:iam::{account}:root"}, {"Service": "sagemaker.amazonaws.com"}]
    entries = [{"Effect": "Allow", "Principal": one, "Action": "sts:AssumeRole"} for one in principals]
    return {"Version": "2012-10-17", "Statement": entries}


@contextlib.contextmanager
def refused(code, *words, status=None):
    """The call must fail with this code, and its message must hold the words."""
    from botocore.exceptions import ClientError

    found = Refusal()
    try:
        yield found
    except ClientError as error:
        found.error = error.response
        found.message = error.response["Error"].get("Message", "")
        assert error.response["Error"]["Code"] == code, f"wanted {code}, got {error.response['Error']}"
        for word in words:
            assert word in found.message, f"`{word}` is not in: {found.message}"
        if status is not None:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        return
    raise AssertionError(f"this call should have been refused with {code}")


class Refusal:
    error = None
    message = None


def endpoint_status(client, name, unlike=("Creating", "Updating")):
    """The endpoint's description as soon as its status is none of these."""

    def probe():
        described = client.describe_endpoint(EndpointName=name)
        return described if described["EndpointStatus"] not in unlike else None

    return wait_for(f"endpoint {name} settles", probe)


def endpoint_gone(client, name):
    """Waits until the endpoint is not there any more."""
    from botocore.exceptions import ClientError

    def probe():
        try:
            assert client.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Deleting"
        except ClientError as error:
            assert "Could not find" in error.response["Error"]["Message"], error
            return True
        return False

    wait_for(f"endpoint {name} is gone", probe)


def public_model(client, model):
    """The public hub's document of a model."""
    described = client.describe_hub_content(HubName=PUBLIC_HUB, HubContentType="Model", HubContentName=model)
    return {**described, "document": json.loads(described["HubContentDocument"])}


def deploy_public(account, role, name, model=IRIS, instance_type="ml.m5.large", **more):
    """A model of the public hub behind an endpoint by plain boto3: model, configuration and endpoint share a name."""
    client = account.client("sagemaker")
    document = public_model(client, model)["document"]
    source = {"S3Uri": document["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": document["HostingEcrUri"], "ModelDataSource": {"S3DataSource": source}, "Environment": {}}
    client.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container, **more)
    create_endpoint(client, name, instance_type=instance_type)
    return client


def create_endpoint(client, name, model=None, instance_type="ml.m5.large"):
    variant = {
        "VariantName": "AllTraffic", "ModelName": model or name, "InitialInstanceCount": 1,
        "InstanceType": instance_type, "InitialVariantWeight": 1.0,
    }
    client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    client.create_endpoint(EndpointName=name, EndpointConfigName=name)


IRIS_ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def invoke_json(client, endpoint, body, **more):
    answer = client.invoke_endpoint(
        EndpointName=endpoint, ContentType="application/json", Body=json.dumps(body).encode(), **more
    )
    return json.loads(answer["Body"].read())


def iris_label(client, endpoint):
    """The label of a flower that every version of the sample classifies alike."""
    return invoke_json(client, endpoint, {"instances": [IRIS_ROW]})["predictions"][0]["label"]


def contents_of(client, hub=PUBLIC_HUB, kind="Model"):
    return client.list_hub_contents(HubName=hub, HubContentType=kind)["HubContentSummaries"]
