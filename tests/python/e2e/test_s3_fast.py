"""Large reads, which the server sends from the file: the bytes, the headers, the connection afterwards, and what happens
to objects and clients meanwhile. Plain HTTP and TLS must not differ."""

import hashlib
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import requests

from support import NO_PROXIES, REGION, wait_for

LOCATION = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
MIB = 1 << 20
SIZE = 9 * MIB + 12_345
OWN = {"x-amz-request-id", "x-stoa-decision-id", "date"}


@pytest.fixture
def s3(account):
    return account.client("s3", s3={"addressing_style": "path"}, signature_version="s3v4")


@pytest.fixture
def bucket(s3, account):
    name = f"b-{account.id}"
    s3.create_bucket(Bucket=name, **LOCATION)
    return name


@pytest.fixture(scope="module")
def content():
    return os.urandom(SIZE)


@pytest.fixture
def url(s3, bucket, content):
    s3.put_object(
        Bucket=bucket, Key="model", Body=content, ContentType="application/x-model", CacheControl="max-age=60",
        Metadata={"a": "b"}, Tagging="x=y",
    )
    return presigned(s3, bucket, "model")


def presigned(s3, bucket, key, **parameters):
    return s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key, **parameters})


def connection_to(server):
    at = urlsplit(server.url)
    return HTTPConnection(at.hostname, at.port, timeout=60)


def target(url):
    at = urlsplit(url)
    return f"{at.path}?{at.query}"


def get(connection, url, method="GET", **headers):
    connection.request(method, target(url), headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer, answer.read()


def test_one_connection_serves_files_and_everything_else(server, url, s3, bucket, content):
    s3.put_object(Bucket=bucket, Key="small", Body=b"0123456789")
    small = presigned(s3, bucket, "small")
    head = s3.generate_presigned_url("head_object", Params={"Bucket": bucket, "Key": "model"})
    etag = f'"{hashlib.md5(content).hexdigest()}"'
    connection = connection_to(server)
    connection.connect()
    used = connection.sock
    for _ in range(3):
        answer, body = get(connection, url)
        assert (answer.status, answer.getheader("content-length")) == (200, str(SIZE))
        assert body == content
        assert answer.getheader("etag") == etag and answer.getheader("accept-ranges") == "bytes"
        assert answer.getheader("content-type") == "application/x-model" and answer.getheader("x-amz-meta-a") == "b"
        assert answer.getheader("x-amz-tagging-count") == "1" and answer.getheader("cache-control") == "max-age=60"
        assert get(connection, small)[1] == b"0123456789"
        answer, body = get(connection, url, if_none_match=etag)
        assert (answer.status, body, answer.getheader("etag")) == (304, b"", etag)
        answer, body = get(connection, url, if_match='"other"')
        assert answer.status == 412 and b"<Code>PreconditionFailed</Code>" in body
        answer, body = get(connection, url, range=f"bytes={SIZE}-")
        assert answer.status == 416 and b"<Code>InvalidRange</Code>" in body
        answer, body = get(connection, head, method="HEAD")
        assert (answer.status, answer.getheader("content-length"), body) == (200, str(SIZE), b"")
    assert connection.sock is used, "the connection was kept"


@pytest.mark.parametrize(
    "wanted, start, end",
    [
        ("bytes=0-", 0, SIZE),
        (f"bytes=1-{SIZE - 2}", 1, SIZE - 1),
        (f"bytes={2 * MIB}-{4 * MIB - 1}", 2 * MIB, 4 * MIB),
        (f"bytes={MIB + 7}-{MIB + 7 + 65_536}", MIB + 7, MIB + 7 + 65_537),
        (f"bytes={MIB + 7}-{MIB + 7 + 65_535}", MIB + 7, MIB + 7 + 65_536),
        ("bytes=-3000000", SIZE - 3_000_000, SIZE),
        (f"bytes=5000000-{SIZE + 10}", 5_000_000, SIZE),
    ],
)
def test_ranges(server, url, content, wanted, start, end):
    answer, body = get(connection_to(server), url, range=wanted)
    assert (answer.status, answer.getheader("content-range")) == (206, f"bytes {start}-{end - 1}/{SIZE}")
    assert body == content[start:end]


def test_tls_answers_with_the_same_headers(server, url, s3, bucket, account):
    secure_url = server.url.replace("http://", "https://")
    secure = account.client("s3", url=secure_url, s3={"addressing_style": "path"}, signature_version="s3v4")
    overrides = dict(
        ResponseContentType="text/plain", ResponseCacheControl="no-store", ResponseContentDisposition="inline",
        ResponseContentEncoding="br", ResponseContentLanguage="de", ResponseExpires="Thu, 01 Dec 2039 16:00:00 GMT",
    )
    cases = [({}, {}), (overrides, {}), ({}, {"range": "bytes=100-5000000"}), ({"PartNumber": 1}, {})]
    cases += [({}, {"if-none-match": "*"}), ({"ChecksumMode": "ENABLED"}, {"x-amz-checksum-mode": "ENABLED"}), ({}, {"if-match": "*"})]
    session = requests.Session()
    session.trust_env = False
    for parameters, headers in cases:
        # Not transparently decoded: `br` is only a header here.
        asked = {**headers, "accept-encoding": "identity"}
        answers = []
        for client in (s3, secure):
            link = presigned(client, bucket, "model", **parameters)
            answer = session.get(link, headers=asked, verify=str(server.data_dir / "ca.pem"), stream=True)
            told = {name.lower(): value for name, value in answer.headers.items() if name.lower() not in OWN}
            answers.append((answer.status_code, told, hashlib.sha256(answer.raw.read(decode_content=False)).digest()))
        assert answers[0] == answers[1], (parameters, headers)
        assert answers[0][0] in (200, 206, 304)


def test_many_at_once(server, s3, bucket):
    bodies = {f"k{number}": os.urandom(3 * MIB + number * 997) for number in range(8)}
    for key, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    links = {key: presigned(s3, bucket, key) for key in bodies}

    def read(number):
        connection = connection_to(server)
        for turn in range(4):
            key = f"k{(number + turn) % 8}"
            answer, body = get(connection, links[key])
            assert answer.status == 200 and body == bodies[key], key
        return True

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(read, range(16)))


def test_an_object_replaced_or_deleted_meanwhile_arrives_as_it_was(server, s3, bucket):
    # More than all socket buffers hold, so that most of it is still to be sent.
    body = os.urandom(64 * MIB)
    for change in ("overwrite", "delete"):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
        connection = connection_to(server)
        connection.request("GET", target(presigned(s3, bucket, "k")))
        answer = connection.getresponse()
        first = answer.read(MIB)
        if change == "overwrite":
            s3.put_object(Bucket=bucket, Key="k", Body=b"new")
            assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"
        else:
            s3.delete_object(Bucket=bucket, Key="k")
        assert hashlib.sha256(first + answer.read()).digest() == hashlib.sha256(body).digest(), change


def test_clients_that_go_away_leave_nothing_open(server, s3, bucket, content):
    s3.put_object(Bucket=bucket, Key="k", Body=os.urandom(32 * MIB))
    link, at = presigned(s3, bucket, "k"), urlsplit(server.url)

    def open_blobs():
        folder = f"/proc/{server.process.pid}/fd"
        links = [os.readlink(f"{folder}/{name}") for name in os.listdir(folder) if os.path.islink(f"{folder}/{name}")]
        return [link for link in links if "/blobs/" in link]

    for _ in range(10):
        stream = socket.create_connection((at.hostname, at.port))
        stream.sendall(f"GET {target(link)} HTTP/1.1\r\nhost: {at.netloc}\r\n\r\n".encode())
        assert stream.recv(100_000).startswith(b"HTTP/1.1 200")
        stream.close()
    wait_for("no blob is open any more", lambda: not open_blobs())
    assert requests.get(link, proxies=NO_PROXIES).status_code == 200


def test_pipelined_requests(server, url, content):
    at = urlsplit(server.url)
    stream = socket.create_connection((at.hostname, at.port))
    request = f"GET {target(url)} HTTP/1.1\r\nhost: {at.netloc}\r\n\r\n".encode()
    writer = threading.Thread(target=stream.sendall, args=(request * 3,))
    writer.start()
    reader = stream.makefile("rb")
    for _ in range(3):
        assert reader.readline().startswith(b"HTTP/1.1 200")
        while reader.readline() != b"\r\n":
            pass
        assert reader.read(SIZE) == content
    writer.join()


def test_every_read_is_recorded_and_denied_ones_send_nothing(server, account, s3, bucket, url):
    user = account.new_user("nobody")
    client = user.client("s3", s3={"addressing_style": "path"}, signature_version="s3v4")
    answer, body = get(connection_to(server), presigned(client, bucket, "model"))
    assert answer.status == 403 and b"<Code>AccessDenied</Code>" in body
    forged = url[:-1] + ("0" if url[-1] != "0" else "1")
    answer, body = get(connection_to(server), forged)
    assert answer.status == 403 and b"<Code>SignatureDoesNotMatch</Code>" in body
    assert get(connection_to(server), url)[0].status == 200
    records = server.records("--event", "GetObject", "--account", account.id)
    told = [record.get("errorCode") for record in records]
    assert sorted(map(str, told)) == ["AccessDenied", "None"]
    # Whoever forged it is nobody's account.
    assert server.records("--event", "GetObject", "--error", "SignatureDoesNotMatch")
