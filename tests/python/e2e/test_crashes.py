"""`kill -9` at the worst moments: what was acknowledged is there, what was not leaves nothing behind."""

import hashlib
import os
import re
import socket
import threading

import pytest
import requests
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from support import (
    NO_PROXIES,
    REGION,
    create_endpoint,
    deploy_public,
    endpoint_status,
    iris_label,
    refused,
    wait_for,
)


@pytest.fixture
def world(own_server):
    """A running server of the test's own, with an account and an execution role."""
    own_server.start()
    own_server.account = own_server.new_account("crash")
    own_server.role = own_server.account.new_role()
    return own_server


def again(server, **more):
    """Starts the server again after a crash."""
    assert not server.running()
    return server.start(**more)


def containers(server):
    """Processes of containers: those that were started from this server's data folder."""
    mark = str(server.data_dir / "run").encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    if mark in file.read():
                        found.append(int(entry))
            except OSError:
                continue
    return found


def gone(server):
    """The server ended by itself (a failpoint)."""
    server.process.wait(60)
    assert server.process.returncode != 0
    assert "failpoint" in server.log_tail()


# ---- CreateEndpoint -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point",
    ["endpoint-create-after-commit", "container-before-start", "container-after-start", "endpoint-status-before-commit"],
)
def test_kill_in_the_middle_of_create_endpoint(world, point):
    sm = deploy_public(world.account, world.role, "warm")
    assert endpoint_status(sm, "warm")["EndpointStatus"] == "InService"
    sm.delete_endpoint(EndpointName="warm")
    wait_for("the endpoint is gone", lambda: not sm.list_endpoints()["Endpoints"])
    world.stop()
    again(world, environment={"STOA_FAILPOINTS": f"{point}=abort"})
    sm = world.account.client("sagemaker")
    try:
        sm.create_endpoint(EndpointName="e", EndpointConfigName="warm")
    except (BotoCoreError, ClientError) as error:
        assert not isinstance(error, ClientError), error
    gone(world)
    wait_for("no container outlives its server", lambda: not containers(world))
    again(world)
    sm = world.account.client("sagemaker")
    described = endpoint_status(sm, "e")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    assert iris_label(world.account.client("sagemaker-runtime"), "e") == "setosa"
    assert len([one for one in sm.list_endpoints()["Endpoints"]]) == 1


def test_kill_before_the_commit_leaves_nothing(world):
    deploy_public(world.account, world.role, "warm")
    world.stop()
    again(world, environment={"STOA_FAILPOINTS": "endpoint-create-before-commit=abort"})
    with pytest.raises(BotoCoreError):
        world.account.client("sagemaker").create_endpoint(EndpointName="e", EndpointConfigName="warm")
    gone(world)
    again(world)
    sm = world.account.client("sagemaker")
    with refused("ValidationException", "Could not find"):
        sm.describe_endpoint(EndpointName="e")
    # The journal says that this call began, and that nobody knows its end.
    records = [one for one in world.records("--event", "CreateEndpoint") if "\"e\"" in str(one.get("requestParameters")).replace("'", '"')]
    assert len(records) == 1, records
    assert "responseElements" not in records[0] or not records[0]["responseElements"]


def test_kill_at_random_moments(world):
    """Five rounds: kill while endpoints come and go; each acknowledged one is in service after the restart."""
    sm = deploy_public(world.account, world.role, "base")
    assert endpoint_status(sm, "base")["EndpointStatus"] == "InService"
    acknowledged = ["base"]
    for number in range(5):
        timer = threading.Timer(0.004 * 4**number, world.kill)
        name = f"e{number}"
        timer.start()
        try:
            create_endpoint(sm, name, model="base")
            acknowledged.append(name)
        except (BotoCoreError, ClientError) as error:
            assert not isinstance(error, ClientError), error
        timer.join()
        world.process.wait(30)
        wait_for("no container outlives its server", lambda: not containers(world))
        again(world)
        sm = world.account.client("sagemaker")
        for endpoint in acknowledged:
            described = endpoint_status(sm, endpoint)
            assert described["EndpointStatus"] == "InService", described.get("FailureReason")
        if number < 4:
            for endpoint in acknowledged[1:]:
                sm.delete_endpoint(EndpointName=endpoint)
            acknowledged = ["base"]
    assert iris_label(world.account.client("sagemaker-runtime"), "base") == "setosa"


def test_endpoints_come_back_after_a_crash_and_after_a_stop(world):
    sm = deploy_public(world.account, world.role, "e")
    assert endpoint_status(sm, "e")["EndpointStatus"] == "InService"
    for end in (world.kill, world.stop):
        end()
        wait_for("no container outlives its server", lambda: not containers(world))
        again(world)
        assert world.account.client("sagemaker").describe_endpoint(EndpointName="e")["EndpointStatus"] == "InService"
        runtime = world.account.client("sagemaker-runtime")

        def answers():
            try:
                return iris_label(runtime, "e") == "setosa"
            except ClientError as error:
                assert error.response["Error"]["Code"] == "ModelNotReadyException", error
                return False

        wait_for("the endpoint answers again", answers)


def test_a_container_that_dies_is_started_again(world):
    import signal

    sm = deploy_public(world.account, world.role, "e")
    assert endpoint_status(sm, "e")["EndpointStatus"] == "InService"
    runtime = world.account.client("sagemaker-runtime")
    before = containers(world)
    assert before, "the container is a process of its own"
    for process in before:
        os.kill(process, signal.SIGKILL)

    def answers():
        try:
            return iris_label(runtime, "e") == "setosa" and not set(containers(world)) & set(before)
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("ModelNotReadyException", "ModelError"), error
            return False

    wait_for("the endpoint answers again", answers)


# ---- PutObject ----------------------------------------------------------------------------------------------------


class UnsignedPayload(S3SigV4Auth):
    """Signs the head only, since the body is never sent to its end."""

    def payload(self, request):
        return "UNSIGNED-PAYLOAD"


def files_of(server):
    """The files that hold object bytes, finished (`blobs`) or on their way (`tmp`)."""
    folders = [server.data_dir / "blobs", server.data_dir / "tmp"]
    assert all(folder.is_dir() for folder in folders), "the layout of the data folder has changed: so must this test"
    return {path for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_kill_in_the_middle_of_a_hundred_megabytes(world):
    account = world.account
    s3 = account.client("s3")
    bucket = f"b-{account.id}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    kept = os.urandom(3_000_000)
    s3.put_object(Bucket=bucket, Key="kept", Body=kept)
    s3.put_object(Bucket=bucket, Key="old", Body=b"before")
    blobs = files_of(world)
    size = 100_000_000
    piece = os.urandom(1_000_000)
    for key in ("big", "old"):
        request = AWSRequest("PUT", f"{world.url}/{bucket}/{key}")
        UnsignedPayload(Credentials(account.key, account.secret), "s3", REGION).add_auth(request)
        host, port = world.url.removeprefix("http://").split(":")
        head = f"PUT /{bucket}/{key} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {size}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items()) + "\r\n"
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(head.encode())
            for _ in range(60):
                connection.sendall(piece)
            # Most of it has arrived on the disk, the end never comes.
            wait_for("the server writes", lambda: sum(
                path.stat().st_size for path in files_of(world) - blobs) > 40_000_000)
            world.kill()
        again(world)
        s3 = account.client("s3")
        left = files_of(world) - blobs
        assert not left, f"a half blob is left: {left}"
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="big")
    assert s3.get_object(Bucket=bucket, Key="old")["Body"].read() == b"before"
    got = s3.get_object(Bucket=bucket, Key="kept")["Body"].read()
    assert hashlib.sha256(got).digest() == hashlib.sha256(kept).digest()
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept", "old"]


# ---- everything acknowledged --------------------------------------------------------------------------------------


def test_every_acknowledged_call_is_kept_and_audited(world):
    """Eight clients create hubs until the server is killed: each hub that was acknowledged is there, each call that was
    answered is in the journal, refused ones too."""
    # An account of its own for each client: AWS allows one a hundred hubs.
    accounts = [world.new_account(f"client-{number}") for number in range(8)]
    lock = threading.Lock()
    answered = {}

    def worker(number, url, round_number):
        sm = accounts[number].client("sagemaker", url=url)
        for count in range(45):
            name = f"r{round_number}n{count}"
            try:
                request_id = sm.create_hub(HubName=name, HubDescription="d")["ResponseMetadata"]["RequestId"]
                with lock:
                    answered[request_id] = (number, name)
                if count % 5 == 0:
                    sm.create_hub(HubName=name, HubDescription="again")
            except ClientError as error:
                with lock:
                    answered[error.response["ResponseMetadata"]["RequestId"]] = error.response["Error"]["Code"]
            except BotoCoreError:
                return

    for round_number in range(2):
        threads = [threading.Thread(target=worker, args=(number, world.url, round_number)) for number in range(8)]
        for thread in threads:
            thread.start()
        goal = len(answered) + 150
        wait_for("enough calls were answered", lambda goal=goal: len(answered) >= goal)
        world.kill()
        for thread in threads:
            thread.join()
        again(world)
    lost = []
    for number, account in enumerate(accounts):
        there = {hub["HubName"] for page in iterate_hubs(account.client("sagemaker")) for hub in page}
        lost += [answer for answer in answered.values() if answer[0] == number and answer[1] not in there]
    assert not lost, f"acknowledged and lost: {lost[:5]}"
    refusals = {answer for answer in answered.values() if isinstance(answer, str)}
    assert refusals == {"ResourceInUse"}, refusals
    records = world.records("--event", "CreateHub")
    by_id = {record["requestID"]: record for record in records}
    assert answered.keys() <= by_id.keys(), "answered and not in the journal"
    for request_id, answer in answered.items():
        assert by_id[request_id].get("errorCode") == (answer if isinstance(answer, str) else None), by_id[request_id]
    assert len({record["eventID"] for record in records}) == len(records), "no record twice"


def iterate_hubs(sm):
    token = None
    while True:
        page = sm.list_hubs(MaxResults=100, **({"NextToken": token} if token else {}))
        yield page["HubSummaries"]
        token = page.get("NextToken")
        if token is None:
            return


def test_a_data_folder_has_one_server(world):
    import subprocess

    second = subprocess.run(
        [world.binary, "serve", "--data-dir", str(world.data_dir), "--listen", "127.0.0.1:0"],
        capture_output=True, text=True, timeout=60,
    )
    assert second.returncode != 0
    assert re.search(r"already|in use|locked|another", second.stderr), second.stderr
    assert world.account.client("sts").get_caller_identity()


def test_an_orderly_stop_finishes_what_is_under_way(world):
    """SIGTERM while a client reads a long answer: it gets all of it."""
    account = world.account
    s3 = account.client("s3")
    bucket = f"b-{account.id}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    body = os.urandom(30_000_000)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    url = account.client("s3", signature_version="s3v4").generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k"}
    )
    with requests.get(url, stream=True, timeout=30, proxies=NO_PROXIES) as answer:
        start = next(answer.iter_content(100_000))
        world.process.terminate()
        rest = b"".join(answer.iter_content(1_000_000))
    assert hashlib.sha256(start + rest).digest() == hashlib.sha256(body).digest()
    assert world.process.wait(30) == 0
