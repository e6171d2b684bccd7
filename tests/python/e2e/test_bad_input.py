"""What a server meets that nobody meant well: each has its right error, and the server stays up."""

import datetime
import json
import shutil
import socket
import subprocess
import time

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from support import NO_PROXIES, PUBLIC_HUB, REGION, Account, clean_environment, refused


def signed(account, service, body, headers=None, method="POST", path="/", now=None):
    """A request signed by botocore, sent as it is: what botocore itself would refuse to send."""
    request = AWSRequest(method, account.server.url + path, data=body, headers=headers or {})
    signer = SigV4Auth(Credentials(account.key, account.secret, account.token), service, REGION)
    if now is None:
        signer.add_auth(request)
    else:
        import botocore.auth

        real = botocore.auth.get_current_datetime
        botocore.auth.get_current_datetime = lambda *_, **__: now.replace(tzinfo=None)
        try:
            signer.add_auth(request)
        finally:
            botocore.auth.get_current_datetime = real
    return requests.request(
        method, request.url, data=body, headers=dict(request.headers), timeout=60, proxies=NO_PROXIES
    )


def target(account, operation, body, **more):
    headers = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    return signed(account, "sagemaker", body, headers, **more)


def error_of(answer):
    """Type and message of an awsJson error, with the request id that every answer has."""
    assert answer.headers.get("x-amzn-RequestId"), answer.headers
    body = answer.json()
    return body["__type"].rsplit("#")[-1], body.get("message") or body.get("Message")


def stranger(account, key=None, secret=None, token=None):
    return Account(account.server, account.id, key or account.key, secret or account.secret, token)


@pytest.fixture(autouse=True)
def still_up(server):
    yield
    assert server.running()
    assert requests.get(f"{server.url}/health", timeout=10, proxies=NO_PROXIES).status_code == 200


# ---- credentials --------------------------------------------------------------------------------------------------


def test_a_wrong_secret(account):
    wrong = stranger(account, secret="x" * 40)
    with refused("InvalidSignatureException", "does not match", status=400):
        wrong.client("sagemaker").list_hubs()
    with refused("SignatureDoesNotMatch", "does not match", status=403):
        wrong.client("sts").get_caller_identity()
    with refused("SignatureDoesNotMatch", status=403):
        wrong.client("s3").list_buckets()
    with refused("InvalidSignatureException", status=403):
        wrong.client("sagemaker-runtime").invoke_endpoint(EndpointName="e", Body=b"")


def test_an_unknown_key(account):
    unknown = stranger(account, key="AKIA" + "7" * 16)
    with refused("UnrecognizedClientException", "security token included in the request is invalid", status=400):
        unknown.client("sagemaker").list_hubs()
    with refused("InvalidClientTokenId", status=403):
        unknown.client("sts").get_caller_identity()
    with refused("InvalidAccessKeyId", status=403):
        unknown.client("s3").list_buckets()


def test_a_session_token_that_is_not_the_keys(account):
    role = account.new_role("r")
    session = account.new_user("u", {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}).assume(role)
    assert session.client("sts").get_caller_identity()
    for token in (session.token[:-8] + "AAAAAAAA", "nonsense", None):
        broken = stranger(account, session.key, session.secret, token)
        with refused("InvalidClientTokenId", status=403):
            broken.client("sts").get_caller_identity()
        with refused("UnrecognizedClientException"):
            broken.client("sagemaker").list_hubs()
    # A long-term key with somebody's token.
    with refused("UnrecognizedClientException"):
        stranger(account, token=session.token).client("sagemaker").list_hubs()


def test_no_signature_at_all(server):
    answer = requests.post(
        server.url, data="{}", timeout=10, proxies=NO_PROXIES,
        headers={"X-Amz-Target": "SageMaker.ListHubs", "Content-Type": "application/x-amz-json-1.1"},
    )
    assert error_of(answer)[0] == "MissingAuthenticationTokenException"
    answer = requests.post(
        server.url, data="Action=GetCallerIdentity&Version=2011-06-15", timeout=10, proxies=NO_PROXIES,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 403
    assert "<Code>MissingAuthenticationToken</Code>" in answer.text


@pytest.mark.parametrize("minutes", [-16, 16, -60 * 24 * 365])
def test_a_request_signed_long_ago_or_ahead(account, minutes):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    kind, message = error_of(target(account, "ListHubs", {}, now=now))
    assert kind == "InvalidSignatureException"
    assert ("expired" if minutes < 0 else "not yet current") in message


def test_a_clock_that_is_ten_minutes_off_is_fine(account):
    for minutes in (-10, 10):
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
        assert target(account, "ListHubs", {}, now=now).status_code == 200


def test_the_wrong_region_and_service_in_the_scope(account):
    with refused("InvalidSignatureException", "valid region"):
        account.client("sagemaker", region="mars-north-1").list_hubs()
    headers = {"X-Amz-Target": "SageMaker.ListHubs", "Content-Type": "application/x-amz-json-1.1"}
    kind, message = error_of(signed(account, "s4", "{}", headers))
    assert kind == "InvalidSignatureException", message


@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b",
        "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-west-2/sagemaker/aws4_request, SignedHeaders=, Signature=",
        "AWS4-HMAC-SHA256 " + "x" * 7000,
        "Basic dXNlcjpwYXNz",
        "\x7f",
    ],
)
def test_a_broken_authorization_header(server, header):
    answer = requests.post(
        server.url, data="{}", timeout=10, proxies=NO_PROXIES,
        headers={
            "X-Amz-Target": "SageMaker.ListHubs", "Content-Type": "application/x-amz-json-1.1",
            "Authorization": header, "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
        },
    )
    assert answer.status_code in (400, 403), answer.text
    if answer.content:
        assert error_of(answer)[0] in (
            "IncompleteSignatureException", "MissingAuthenticationTokenException", "UnrecognizedClientException",
            "InvalidSignatureException",
        )


# ---- bodies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b'{"HubName": "h", "HubDescr', b"", b"[]", b'"text"', b"\xff\xfe", b'{"HubName": 7}', b'{"HubName": {"a": []}}',
     b'{"HubName": "h"} trailing', b"null"],
)
def test_bodies_that_are_no_input(account, body):
    kind, message = error_of(target(account, "DescribeHub", body))
    assert kind in ("SerializationException", "ValidationException"), message


@pytest.mark.parametrize("nest", [b"[", b'{"HubName":', b'[{"a":'])
def test_two_megabytes_of_nesting(account, nest):
    began = time.monotonic()
    answer = target(account, "CreateHub", nest * (2 * 1024 * 1024 // len(nest)))
    assert error_of(answer)[0] in ("SerializationException", "RequestEntityTooLargeException")
    assert time.monotonic() - began < 20


def test_a_body_beyond_the_limit(account, server):
    """Announced as 10 GB: refused by its head, not read."""
    answer = b""
    host = server.url.removeprefix("http://")
    with socket.create_connection(host.split(":"), timeout=20) as raw:
        raw.sendall(
            f"POST / HTTP/1.1\r\nHost: {host}\r\nX-Amz-Target: SageMaker.ListHubs\r\n"
            "Content-Type: application/x-amz-json-1.1\r\nContent-Length: 10000000000\r\n\r\n".encode()
        )
        answer = raw.recv(4096)
    assert answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400", b"HTTP/1.1 403")), answer


def test_unknown_members_are_ignored_and_nulls_dropped(account):
    body = {"HubName": "h", "HubDescription": "d", "NeverHeardOf": {"a": [1, None]}, "HubDisplayName": None, "Tags": None}
    assert target(account, "CreateHub", body).status_code == 200
    assert "HubDisplayName" not in account.client("sagemaker").describe_hub(HubName="h")


@pytest.mark.parametrize("name", ["a/b", "../../etc/passwd", "a b", "-a", "a" * 64, "ä", "", "a\u0000b", "%2e%2e"])
def test_names_that_are_none(account, name):
    kind, message = error_of(target(account, "CreateHub", {"HubName": name, "HubDescription": "d"}))
    assert kind == "ValidationException"
    assert "at 'hubName' failed to satisfy constraint: Member must" in message
    assert error_of(target(account, "DescribeHub", {"HubName": name}))[0] in ("ValidationException", "ResourceNotFound")
    hubs = account.client("sagemaker").list_hubs()["HubSummaries"]
    assert [hub["HubName"] for hub in hubs] == [PUBLIC_HUB], "no hub of this account came of it"


def test_every_constraint_at_once_in_aws_words(account):
    body = {
        "HubName": "a/b", "HubDescription": "d" * 1024, "Tags": [{"Key": "", "Value": "v"}, {"Key": "k", "Value": "\u0001" * 300}],
    }
    kind, message = error_of(target(account, "CreateHub", body))
    assert kind == "ValidationException"
    assert "validation errors detected: " in message
    number = int(message.split(" ", 1)[0])
    assert message.count("failed to satisfy constraint") == number >= 4
    assert "Value 'a/b' at 'hubName' failed to satisfy constraint: Member must satisfy regular expression pattern: " in message
    assert "at 'hubDescription' failed to satisfy constraint: Member must have length less than or equal to 1023" in message
    assert "at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1" in message
    assert "at 'tags.2.member.value' failed to satisfy constraint: Member must have length less than or equal to 256" in message
    kind, message = error_of(target(account, "CreateHub", {}))
    assert message.startswith("2 validation errors detected: ")
    assert "Value null at 'hubName' failed to satisfy constraint: Member must not be null" in message
    assert "Value null at 'hubDescription' failed to satisfy constraint: Member must not be null" in message


def test_enums_and_ranges(account):
    sm = account.client("sagemaker", parameter_validation=False)
    with refused("ValidationException", "1 validation error detected: Value '0' at 'maxResults'", "greater than or equal to 1"):
        sm.list_hubs(MaxResults=0)
    with refused("ValidationException", "Value '101' at 'maxResults'", "less than or equal to 100"):
        sm.list_models(MaxResults=101)
    with refused("ValidationException", "Value 'Size' at 'sortBy'", "Member must satisfy enum value set: ["):
        sm.list_hubs(SortBy="Size")


def test_page_tokens_are_ours_and_bound(account, server):
    sm = account.client("sagemaker")
    for number in range(4):
        sm.create_hub(HubName=f"h{number}", HubDescription="d")
    token = sm.list_hubs(NameContains="h", MaxResults=2)["NextToken"]
    assert len(sm.list_hubs(NameContains="h", MaxResults=2, NextToken=token)["HubSummaries"]) == 2
    altered = token[:-1] + ("A" if token[-1] != "A" else "B")
    for bad in (altered, "nonsense", token[: len(token) // 2], ""):
        with refused("ValidationException"):
            sm.list_hubs(NameContains="h", MaxResults=2, NextToken=bad or " ")
    with refused("ValidationException"):
        sm.list_models(NextToken=token)
    with refused("ValidationException"):
        sm.list_hubs(NameContains="other", NextToken=token)
    with refused("ValidationException"):
        server.new_account("other").client("sagemaker").list_hubs(NameContains="h", MaxResults=2, NextToken=token)


# ---- operations and services --------------------------------------------------------------------------------------


def test_unknown_operations(account):
    kind, message = error_of(target(account, "NoSuch", {}))
    assert (kind, "NoSuch" in message) == ("UnknownOperationException", True)
    answer = signed(
        account, "sts", "Action=NoSuch&Version=2011-06-15", {"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code in (400, 404)
    assert "<Code>InvalidAction</Code>" in answer.text
    assert signed(account, "sagemaker", "", method="POST", path="/endpoints/e/nothing").status_code in (400, 404)


def test_a_modelled_operation_that_is_not_implemented_is_named(account):
    sm = account.client("sagemaker", parameter_validation=False)
    with refused("UnknownOperationException", "CreateTrainingJob", "not implemented"):
        sm.create_training_job(TrainingJobName="t")
    with refused("InvalidAction", "ListServerCertificates", "not implemented"):
        account.client("iam").list_server_certificates()


def test_a_service_that_is_not_served(account):
    with refused("UnknownOperationException", "DynamoDB", "not served") as error:
        account.client("dynamodb").list_tables()
    assert error.error["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)


def test_cbor_errors_parse_in_boto3(account):
    """CloudWatch speaks Smithy RPC v2 CBOR in this boto3; nothing of it is implemented yet."""
    with refused("UnknownOperationException", "ListMetrics", "not implemented"):
        account.client("cloudwatch").list_metrics()
    wrong = stranger(account, secret="x" * 40)
    with refused("InvalidSignatureException"):
        wrong.client("cloudwatch").list_metrics()


def test_query_protocol_bodies(account):
    def form(body):
        return signed(account, "iam", body, {"Content-Type": "application/x-www-form-urlencoded"})

    assert "<Code>ValidationError</Code>" in form("Action=GetRole&Version=2010-05-08").text
    assert form("%%%&&&===").status_code in (400, 404)
    assert form("Action=CreateUser&Version=2010-05-08&UserName=" + "a" * 100_000).status_code == 400
    assert form("Action=ListUsers&Version=2010-05-08&MaxItems=many").status_code == 400
    injected = form("Action=GetUser&Version=2010-05-08&UserName=a<b>&c")
    assert injected.status_code in (400, 404)
    assert "<b>" not in injected.text, "what the caller says is escaped"


# ---- sockets ------------------------------------------------------------------------------------------------------


def raw(server, payload, wait=5.0, close=False):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        connection.sendall(payload)
        if close:
            return b""
        try:
            return connection.recv(65536)
        except (TimeoutError, ConnectionResetError):
            return b""


def test_malformed_http(server):
    for payload in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ):
        answer = raw(server, payload, wait=1.0)
        assert not answer.startswith(b"HTTP/1.1 2"), payload[:60]


def test_half_open_and_slow_clients_cost_only_themselves(server, account):
    host, port = server.url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), timeout=5) for _ in range(64)]
    for number, connection in enumerate(idle):
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf" if number % 2 else b"POST / HT")
    began = time.monotonic()
    for _ in range(10):
        account.client("sts").get_caller_identity()
    assert time.monotonic() - began < 10
    for connection in idle:
        connection.close()


def test_the_front_door_opens_only_to_aws(server):
    for host in ("example.com:443", "169.254.169.254:80", "localhost:22", "evil-amazonaws.com:443", "sts.us-west-2.amazonaws.com.evil.org:443"):
        answer = raw(server, f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 400", b"HTTP/1.1 502", b"HTTP/1.1 405")), (host, answer)
    answer = raw(server, b"CONNECT sts.us-west-2.amazonaws.com:443 HTTP/1.1\r\nHost: sts.us-west-2.amazonaws.com:443\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


def test_tls_of_the_front_door(server, account):
    import ssl

    host, port = server.url.removeprefix("http://").split(":")

    def handshake(name, context):
        connection = socket.create_connection((host, int(port)), timeout=10)
        connection.sendall(f"CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        with context.wrap_socket(connection, server_hostname=name) as tls:
            return tls.version(), tls.cipher()[0]

    context = ssl.create_default_context(cafile=str(server.data_dir / "ca.pem"))
    for name in ("sts.us-west-2.amazonaws.com", "sagemaker.us-west-2.amazonaws.com", "bucket.s3.us-west-2.amazonaws.com"):
        assert handshake(name, context)[0] == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    version, cipher = handshake("iam.amazonaws.com", context)
    assert version == "TLSv1.2"
    assert cipher.startswith("ECDHE-"), "forward secret"
    with pytest.raises((ssl.SSLError, ConnectionError, OSError)):
        handshake("iam.amazonaws.com", ssl.create_default_context())


def test_an_http2_client_gets_the_same(account):
    if not shutil.which("curl"):
        pytest.skip("curl is the HTTP/2 client here, and it is not installed")
    request = AWSRequest("POST", account.server.url + "/", data="{}", headers={
        "X-Amz-Target": "SageMaker.ListHubs", "Content-Type": "application/x-amz-json-1.1"})
    SigV4Auth(Credentials(account.key, account.secret), "sagemaker", REGION).add_auth(request)
    headers = [part for name, value in request.headers.items() for part in ("-H", f"{name}: {value}")]
    done = subprocess.run(
        ["curl", "-sS", "--http2-prior-knowledge", "-d", "{}", "-w", "\n%{http_version} %{http_code}", *headers, request.url],
        capture_output=True, text=True, timeout=30, env=clean_environment(),
    )
    body, version = done.stdout.rsplit("\n", 1)
    assert version == "2 200", (done.stdout, done.stderr)
    assert [hub["HubName"] for hub in json.loads(body)["HubSummaries"]] == [PUBLIC_HUB]


def test_metrics_and_health(server, account):
    account.client("sts").get_caller_identity()
    text = requests.get(f"{server.url}/metrics", timeout=10, proxies=NO_PROXIES).text
    assert "GetCallerIdentity" in text
    assert account.secret not in text


def test_boto3_retries_are_its_own_business(account):
    """The default retry mode meets no surprise: a refusal is not repeated."""
    session = account.session()
    client = session.client("sagemaker", endpoint_url=account.server.url, config=Config(proxies=NO_PROXIES))
    with refused("ResourceNotFound") as error:
        client.describe_hub(HubName="nobody")
    assert error.error["ResponseMetadata"]["RetryAttempts"] == 0
