"""The AWS CLI as it is, in the environment that `stoa env` prints."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import GATED, IRIS_ROW, REGION, deploy_public, endpoint_gone, endpoint_status

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture(scope="module", params=["front-door", "endpoint-url"])
def aws(server, request):
    environment = server.environment("--way", request.param)
    environment["PATH"] = os.environ["PATH"]
    environment["AWS_PAGER"] = ""

    def run(*arguments, fails=False):
        done = subprocess.run(
            [str(AWS), *arguments], capture_output=True, text=True, env=environment, timeout=120
        )
        assert (done.returncode != 0) is fails, f"aws {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        if fails:
            return done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    return run


def test_what_stoa_env_prints(server):
    door, direct = server.environment(), server.environment("--way", "endpoint-url")
    for environment in (door, direct):
        assert Path(environment["AWS_SHARED_CREDENTIALS_FILE"]) == server.data_dir / "credentials"
        assert environment["AWS_DEFAULT_REGION"] == REGION
        assert Path(environment["SAGEMAKER_USER_CONFIG_OVERRIDE"]).is_file()
    assert door["HTTPS_PROXY"] == server.url
    assert Path(door["AWS_CA_BUNDLE"]) == server.data_dir / "ca.pem"
    assert "AWS_ENDPOINT_URL" not in door
    assert direct["AWS_ENDPOINT_URL"] == server.url
    assert "HTTPS_PROXY" not in direct
    assert (server.data_dir / "credentials").stat().st_mode & 0o777 == 0o600


def test_identity(aws):
    identity = aws("sts", "get-caller-identity")
    assert ":assumed-role/StoaAdmin/" in identity["Arn"]


def test_hubs(aws):
    aws("sagemaker", "create-hub", "--hub-name", "by-cli", "--hub-description", "d")
    listed = aws("sagemaker", "list-hubs", "--name-contains", "by-cli")
    assert [hub["HubName"] for hub in listed["HubSummaries"]] == ["by-cli"]
    message = aws("sagemaker", "create-hub", "--hub-name", "by-cli", "--hub-description", "d", fails=True)
    assert "(ResourceInUse)" in message
    aws("sagemaker", "delete-hub", "--hub-name", "by-cli")


def test_s3_copies_both_ways(aws, tmp_path):
    bucket = f"cli-{aws('sts', 'get-caller-identity')['Account']}"
    aws("s3", "mb", f"s3://{bucket}")
    source = tmp_path / "up"
    (source / "deep").mkdir(parents=True)
    big = os.urandom(9 * 1024 * 1024)
    (source / "big.bin").write_bytes(big)
    (source / "deep" / "small.txt").write_text("small")
    aws("s3", "cp", str(source), f"s3://{bucket}/data", "--recursive")
    assert "deep/small.txt" in aws("s3", "ls", f"s3://{bucket}", "--recursive")
    aws("s3", "cp", f"s3://{bucket}/data/big.bin", str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == big
    aws("s3", "sync", f"s3://{bucket}/data", str(tmp_path / "down"))
    assert (tmp_path / "down" / "deep" / "small.txt").read_text() == "small"
    aws("s3", "rb", f"s3://{bucket}", "--force")


def test_iam_and_its_query_protocol(aws):
    names = [role["RoleName"] for role in aws("iam", "list-roles")["Roles"]]
    assert "StoaAdmin" in names
    assert "(NoSuchEntity)" in aws("iam", "get-role", "--role-name", "nobody", fails=True)


def test_invoke(aws, server, tmp_path):
    admin = server.admin()
    iam = admin.client("iam")
    if "CliExec" not in [role["RoleName"] for role in iam.list_roles()["Roles"]]:
        admin.new_role("CliExec")
    sm = admin.client("sagemaker")
    if not sm.list_models(NameContains="cli")["Models"]:
        deploy_public(admin, f"arn:aws:iam::{admin.id}:role/CliExec", "cli")
    else:
        sm.create_endpoint(EndpointName="cli", EndpointConfigName="cli")
    assert endpoint_status(sm, "cli")["EndpointStatus"] == "InService"
    answer = tmp_path / "answer.json"
    (tmp_path / "body.json").write_text(json.dumps({"instances": [IRIS_ROW]}))
    aws(
        "sagemaker-runtime", "invoke-endpoint", "--endpoint-name", "cli", "--content-type", "application/json",
        "--body", f"fileb://{tmp_path / 'body.json'}", str(answer),
    )
    assert json.loads(answer.read_text())["predictions"][0]["label"] == "setosa"
    aws("sagemaker", "delete-endpoint", "--endpoint-name", "cli")
    endpoint_gone(sm, "cli")


def test_errors_read_as_aws_ones(aws):
    message = aws("sagemaker", "describe-endpoint", "--endpoint-name", "nobody", fails=True)
    assert "An error occurred (ValidationException) when calling the DescribeEndpoint operation: Could not find endpoint" in message
    message = aws(
        "sagemaker", "create-hub-content-presigned-urls", "--hub-name", "SageMakerPublicHub",
        "--hub-content-type", "Model", "--hub-content-name", GATED, fails=True,
    )
    assert "EULA" in message
