"""S3 and what no well-meaning client sends: each has AWS's code, its status and a message that says what was wrong.

Requests go over a plain connection, signed by botocore, byte for byte as written here. Each test ends with the server up
and the bucket holding what was put there and nothing else.
"""

import base64
import binascii
import datetime
import hashlib
import hmac
import http.client
import json
import os
import socket
import urllib.parse
import xml.etree.ElementTree as xml

import botocore.auth
import pytest
import requests
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support import NO_PROXIES, REGION, refused

LOCATION = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
KEPT = {"keep/this": b"kept", "keep/that": os.urandom(100_000)}
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
MIB = 1024 * 1024
MALFORMED = "not well-formed or did not validate"


def base64_of(raw):
    return base64.b64encode(raw).decode()


def crc32(content):
    return base64_of(binascii.crc32(content).to_bytes(4, "big"))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def refused(self, code, status, *words):
        """An error document with this code and status; its message holds the words."""
        assert self.status == status, (self.status, self.body)
        document = xml.fromstring(self.body)
        assert document.tag == "Error" and document.findtext("RequestId") == self.headers["x-amz-request-id"]
        message = document.findtext("Message")
        assert document.findtext("Code") == code, (document.findtext("Code"), message)
        for word in words:
            assert word.lower() in message.lower(), f"`{word}` is not in: {message}"
        return document

    def fine(self, status=200):
        assert self.status == status, (self.status, self.body)
        return self


class declared(S3SigV4Auth):
    """Signs for the body that is declared, whatever is sent."""

    def __init__(self, payload, *arguments):
        super().__init__(*arguments)
        self.declared = payload

    def payload(self, request):
        return self.declared


class World:
    """One account with one bucket, and the wire to it."""

    def __init__(self, account):
        self.account = account
        self.server = account.server
        self.bucket = f"bad-{account.id}"
        self.s3 = account.client("s3", s3={"addressing_style": "path"}, signature_version="s3v4")
        self.s3.create_bucket(Bucket=self.bucket, **LOCATION)
        # What is there beside what is kept.
        self.made = {}
        for key, body in KEPT.items():
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def credentials(self):
        return Credentials(self.account.key, self.account.secret, self.account.token)

    def path(self, key="", bucket=None):
        name = f"/{self.bucket if bucket is None else bucket}"
        return name if key == "" else f"{name}/{urllib.parse.quote(key, safe='/~')}"

    def sign(self, method, target, headers, payload, now=None, region=REGION):
        """The headers to send: those given, and the signature over them and the declared payload."""
        request = AWSRequest(method, self.server.url + target, headers=dict(headers))
        with at(now):
            declared(payload, self.credentials(), "s3", region).add_auth(request)
        return dict(request.headers.items())

    def send(self, method, target, body=b"", headers=(), payload=None, now=None, sent=None, after=(), region=REGION):
        """`payload`: what the signature says of the body. `sent`: other bytes than those that were signed. `after`:
        headers added, changed or (None) removed behind the signature."""
        digest = hashlib.sha256(body).hexdigest() if payload is None else payload
        signed = {**self.sign(method, target, headers, digest, now, region), **dict(after)}
        return self.raw(method, target, {name: value for name, value in signed.items() if value is not None}, body if sent is None else sent)

    def raw(self, method, target, headers, body=b""):
        connection = http.client.HTTPConnection(self.server.url.removeprefix("http://"), timeout=60)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            names = {name.lower() for name in headers}
            if "content-length" not in names and "transfer-encoding" not in names:
                headers = {**headers, "Content-Length": str(len(body))}
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            try:
                connection.send(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # It answered before it read everything.
            got = connection.getresponse()
            return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        finally:
            connection.close()

    def put(self, key, body, **more):
        return self.send("PUT", self.path(key), body, **more)

    def post(self, target, document):
        """An XML document, with the digest that S3 wants of one."""
        body = document if isinstance(document, bytes) else document.encode()
        return self.send("POST", target, body, {"Content-MD5": base64_of(hashlib.md5(body).digest())})

    def put_document(self, target, document):
        body = document if isinstance(document, bytes) else document.encode()
        return self.send("PUT", target, body, {"Content-MD5": base64_of(hashlib.md5(body).digest())})

    def presigned(self, method="GET", key="keep/this", expires=60, headers=(), now=None, bucket=None):
        request = AWSRequest(method, self.server.url + self.path(key, bucket), headers=dict(headers))
        with at(now):
            S3SigV4QueryAuth(self.credentials(), "s3", REGION, expires=expires).add_auth(request)
        return request.prepare().url.removeprefix(self.server.url)

    def follow(self, target, method="GET", headers=(), body=b""):
        return self.raw(method, target, dict(headers), body)

    def objects(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        # Not by boto3: urllib3 shortens paths with dots behind its signature.
        return {key: self.send("GET", self.path(key)).fine().body for key in keys}


class at:
    """botocore signs at this time."""

    def __init__(self, now):
        self.now = now

    def __enter__(self):
        self.real = botocore.auth.get_current_datetime
        if self.now is not None:
            botocore.auth.get_current_datetime = lambda *_, **__: self.now.replace(tzinfo=None)

    def __exit__(self, *_):
        botocore.auth.get_current_datetime = self.real


def later(**more):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**more)


@pytest.fixture
def world(server, account):
    made = World(account)
    yield made
    assert server.running()
    assert requests.get(f"{server.url}/health", timeout=10, proxies=NO_PROXIES).status_code == 200
    assert made.objects() == {**KEPT, **made.made}


# ---- digests and lengths ------------------------------------------------------------------------------------------

BODY = b"what is sent" * 500
WRONG = {
    "x-amz-checksum-crc32": (4, "CRC32"),
    "x-amz-checksum-crc32c": (4, "CRC32C"),
    "x-amz-checksum-crc64nvme": (8, "CRC64NVME"),
    "x-amz-checksum-sha1": (20, "SHA1"),
    "x-amz-checksum-sha256": (32, "SHA256"),
}


def test_a_wrong_md5(world):
    other = base64_of(hashlib.md5(b"other").digest())
    world.put("k", BODY, headers={"Content-MD5": other}).refused("BadDigest", 400, "Content-MD5 you specified did not match")
    for text in ("nonsense", "AAAA", base64_of(b"x" * 17), ""):
        world.put("k", BODY, headers={"Content-MD5": text}).refused("InvalidDigest", 400, "Content-MD5 you specified was invalid")


@pytest.mark.parametrize("header", WRONG)
def test_a_wrong_checksum(world, header):
    length, name = WRONG[header]
    world.put("k", BODY, headers={header: base64_of(bytes(length))}).refused("BadDigest", 400, f"The {name} you specified did not match")
    for text in ("nonsense!", base64_of(bytes(length + 1)), base64_of(bytes(length - 1))):
        world.put("k", BODY, headers={header: text}).refused("InvalidRequest", 400, f"Value for {header} header is invalid")
    upload = world.s3.create_multipart_upload(Bucket=world.bucket, Key="m", ChecksumAlgorithm=name)["UploadId"]
    target = f"{world.path('m')}?partNumber=1&uploadId={upload}"
    world.send("PUT", target, BODY, {header: base64_of(bytes(length))}).refused("BadDigest", 400, name)
    world.s3.abort_multipart_upload(Bucket=world.bucket, Key="m", UploadId=upload)


def test_two_checksums_and_one_nobody_knows(world):
    both = {"x-amz-checksum-crc32": crc32(BODY), "x-amz-checksum-sha256": base64_of(hashlib.sha256(BODY).digest())}
    world.put("k", BODY, headers=both).refused("InvalidRequest", 400, "Expecting a single x-amz-checksum- header")
    world.put("k", BODY, headers={"x-amz-sdk-checksum-algorithm": "CRC128"}).refused("InvalidRequest", 400, "Checksum algorithm provided is unsupported")


def test_a_body_that_is_not_the_signed_one(world):
    world.put("k", BODY, sent=BODY[::-1]).refused("XAmzContentSHA256Mismatch", 400, "'x-amz-content-sha256' header does not match")
    world.put("k", BODY, payload="nonsense").refused("InvalidArgument", 400, "x-amz-content-sha256 must be")
    world.put("k", BODY, after={"X-Amz-Content-SHA256": None}).refused("InvalidRequest", 400, "Missing required header for this request: x-amz-content-sha256")
    world.put("k", BODY, after={"X-Amz-Content-SHA256": hashlib.sha256(b"").hexdigest()}, sent=b"").refused("SignatureDoesNotMatch", 403, "does not match")


def test_fewer_bytes_than_declared(world):
    """The connection ends in the middle of the body: the object stays what it was."""
    headers = world.sign("PUT", world.path("keep/this"), {}, "UNSIGNED-PAYLOAD")
    head = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Content-Length": "5000"}.items())
    host, port = world.server.url.removeprefix("http://").split(":")
    for half in (True, False):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(f"PUT {world.path('keep/this')} HTTP/1.1\r\nHost: {host}:{port}\r\n{head}\r\n".encode() + b"x" * 4000)
            if half:
                connection.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
                assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer
    world.put("later", b"x").fine()
    world.made["later"] = b"x"


def test_no_length_at_all(world):
    headers = world.sign("PUT", world.path("k"), {}, "UNSIGNED-PAYLOAD")
    host, port = world.server.url.removeprefix("http://").split(":")
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"PUT {world.path('k')} HTTP/1.1\r\nHost: {host}:{port}\r\n{head}Connection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 411") and b"<Code>MissingContentLength</Code>" in answer, answer
    assert b"You must provide the Content-Length HTTP header." in answer


def test_who_waits_to_send_and_need_not(world):
    """Answered before it is told to continue, the AWS CLI misreads what comes next on the connection: there is nothing."""
    waits = {"Expect": "100-continue"}
    assert world.put("empty", b"", headers=waits).fine().headers["connection"] == "close"
    world.made["empty"] = b""
    refused_early = world.send("PUT", world.path("empty"), b"x", {**waits, "If-None-Match": "*"})
    refused_early.refused("PreconditionFailed", 412)
    assert refused_early.headers["connection"] == "close"
    assert "connection" not in world.put("empty", b"").fine().headers


def test_more_than_five_gibibytes_at_once(world):
    """Refused by its head; nobody has to send the bytes."""
    headers = world.sign("PUT", world.path("k"), {"Content-Length": str((5 << 30) + 1)}, "UNSIGNED-PAYLOAD")
    world.raw("PUT", world.path("k"), headers).refused("EntityTooLarge", 400, "exceeds the maximum allowed size")


# ---- aws-chunked --------------------------------------------------------------------------------------------------

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class Chunks:
    """A body in signed chunks, by AWS's description of them."""

    def __init__(self, world, key, length, trailer=None, **headers):
        self.world, self.target, self.trailer = world, world.path(key), trailer
        head = {"x-amz-decoded-content-length": str(length), "Content-Encoding": "aws-chunked", **headers}
        if trailer:
            head["x-amz-trailer"] = trailer[0]
        self.headers = world.sign("PUT", self.target, head, SIGNED + ("-TRAILER" if trailer else ""))
        authorization = self.headers["Authorization"]
        self.previous = authorization.rsplit("Signature=", 1)[1]
        self.time = self.headers["X-Amz-Date"]
        self.scope = authorization.split("Credential=")[1].split(",")[0].split("/", 1)[1]
        key = f"AWS4{world.account.secret}".encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        self.key = key

    def signature(self, kind, *hashes):
        text = "\n".join([f"AWS4-HMAC-SHA256-{kind}", self.time, self.scope, self.previous, *hashes])
        self.previous = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        return self.previous

    def chunk(self, data, signature=None, size=None):
        signature = signature or self.signature("PAYLOAD", hashlib.sha256(b"").hexdigest(), hashlib.sha256(data).hexdigest())
        length = len(data) if size is None else size
        return f"{length:x};chunk-signature={signature}\r\n".encode() + data + (b"\r\n" if data else b"")

    def end(self, value=None, signature=None):
        if not self.trailer:
            return b"\r\n"
        name, right = self.trailer
        line = f"{name}:{right if value is None else value}\n"
        signature = signature or self.signature("TRAILER", hashlib.sha256(line.encode()).hexdigest())
        return f"{line[:-1]}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()

    def send(self, *pieces):
        return self.world.raw("PUT", self.target, self.headers, b"".join(pieces))


FIRST, SECOND = b"a" * 8192, b"b" * 100


def chunks_of(world, key="k", length=len(FIRST) + len(SECOND), **more):
    return Chunks(world, key, length, **more)


def test_signed_chunks_as_they_should_be(world):
    """The writer of this file's chunks is right, so what the next tests break is what is refused."""
    one = chunks_of(world)
    one.send(one.chunk(FIRST), one.chunk(SECOND), one.chunk(b""), one.end()).fine()
    two = chunks_of(world, "t", trailer=("x-amz-checksum-crc32", crc32(FIRST + SECOND)))
    two.send(two.chunk(FIRST), two.chunk(SECOND), two.chunk(b""), two.end()).fine()
    world.made.update(k=FIRST + SECOND, t=FIRST + SECOND)
    assert "ContentEncoding" not in world.s3.head_object(Bucket=world.bucket, Key="k")


def test_chunks_with_a_wrong_signature(world):
    bad = "0" * 64
    one = chunks_of(world)
    one.send(one.chunk(FIRST), one.chunk(SECOND, signature=bad), one.chunk(b""), one.end()).refused("SignatureDoesNotMatch", 403, "for a chunk")
    one = chunks_of(world)
    one.send(one.chunk(FIRST), one.chunk(SECOND), one.chunk(b"", signature=bad), one.end()).refused("SignatureDoesNotMatch", 403)
    # The data was changed behind its signature; two chunks in the other order; one left out.
    one = chunks_of(world)
    pieces = [one.chunk(FIRST), one.chunk(SECOND), one.chunk(b""), one.end()]
    one.send(pieces[0].replace(b"aaa", b"aab"), *pieces[1:]).refused("SignatureDoesNotMatch", 403)
    one.send(pieces[1], pieces[0], *pieces[2:]).refused("SignatureDoesNotMatch", 403)
    one.send(pieces[0], *pieces[2:]).refused("SignatureDoesNotMatch", 403)
    one.send(pieces[0].replace(b";chunk-signature=", b";other="), *pieces[1:]).refused("InvalidRequest", 400, "aws-chunked")


def test_chunks_that_end_early(world):
    one = chunks_of(world)
    pieces = [one.chunk(FIRST), one.chunk(SECOND), one.chunk(b""), one.end()]
    for sent in (pieces[:1], pieces[:2], [pieces[0][:-500]], [pieces[0], pieces[1][:90]], []):
        one.send(*sent).refused("IncompleteBody", 400, "terminated unexpectedly")
    # All chunks are there, but fewer or more bytes than the head declares.
    for length in (len(FIRST), len(FIRST) + len(SECOND) + 1):
        one = chunks_of(world, length=length)
        one.send(one.chunk(FIRST), one.chunk(SECOND), one.chunk(b""), one.end()).refused("IncompleteBody", 400, "decoded length")


@pytest.mark.parametrize("size", ["zz", "", "-1", "1" * 20, "0x10", "10 "])
def test_chunk_sizes_that_are_none(world, size):
    one = chunks_of(world)
    line = f"{size};chunk-signature={'0' * 64}\r\n".encode()
    one.send(line + FIRST).refused("InvalidRequest", 400, "aws-chunked")


def unsigned(world, body, trailers, length, key="k", announced="x-amz-checksum-crc32", **more):
    headers = {"x-amz-decoded-content-length": str(length), "Content-Encoding": "aws-chunked", **more}
    if announced:
        headers["x-amz-trailer"] = announced
    sent = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n" + trailers + b"\r\n"
    return world.send("PUT", world.path(key), headers=headers, payload=TRAILER, sent=sent)


def test_trailers(world):
    right = f"x-amz-checksum-crc32:{crc32(BODY)}\r\n".encode()
    unsigned(world, BODY, right, len(BODY)).fine()
    world.made["k"] = BODY
    wrong = f"x-amz-checksum-crc32:{crc32(b'other')}\r\n".encode()
    unsigned(world, BODY, wrong, len(BODY)).refused("BadDigest", 400, "The CRC32 you specified did not match")
    for trailers in (b"", b"x-amz-checksum-crc32c:AAAAAA==\r\n", b"no colon\r\n", b"x-amz-checksum-crc32:\r\n", b"bad name:x\r\n", right + b"\xff:x\r\n"):
        unsigned(world, BODY, trailers, len(BODY)).refused("MalformedTrailerError", 400, "trailing data that was not well-formed")
    many = b"".join(f"x-amz-meta-{number}:x\r\n".encode() for number in range(100))
    unsigned(world, BODY, right + many, len(BODY)).refused("MalformedTrailerError", 400)
    unsigned(world, BODY, right, len(BODY) - 1).refused("IncompleteBody", 400)
    headers = {"Content-Encoding": "aws-chunked", "x-amz-trailer": "x-amz-checksum-crc32"}
    world.send("PUT", world.path("k"), headers=headers, payload=TRAILER, sent=b"0\r\n\r\n").refused("MissingContentLength", 411, "x-amz-decoded-content-length")


def test_a_signed_trailer_that_is_changed_or_missing(world):
    right = ("x-amz-checksum-crc32", crc32(FIRST + SECOND))
    one = chunks_of(world, trailer=right)
    body = [one.chunk(FIRST), one.chunk(SECOND), one.chunk(b"")]
    end = one.end()
    one.send(*body, end.replace(right[1].encode(), crc32(b"other").encode())).refused("SignatureDoesNotMatch", 403)
    one.send(*body, b"\r\n").refused("MalformedTrailerError", 400)
    one.send(*body, end.split(b"x-amz-trailer-signature")[0] + b"\r\n").refused("MalformedTrailerError", 400)
    one.send(*body).refused("IncompleteBody", 400)
    wrong = chunks_of(world, trailer=("x-amz-checksum-crc32", crc32(b"other")))
    wrong.send(wrong.chunk(FIRST), wrong.chunk(SECOND), wrong.chunk(b""), wrong.end()).refused("BadDigest", 400, "CRC32")


# ---- multipart uploads --------------------------------------------------------------------------------------------


class Upload:
    def __init__(self, world, key="m"):
        self.world, self.key = world, key
        self.id = world.s3.create_multipart_upload(Bucket=world.bucket, Key=key)["UploadId"]

    def part(self, number, body, upload=None):
        return self.world.send("PUT", f"{self.world.path(self.key)}?partNumber={number}&uploadId={upload or self.id}", body)

    def tag(self, number, body):
        return self.part(number, body).fine().headers["etag"]

    def complete(self, parts, upload=None, headers=()):
        entries = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>" for number, tag in parts)
        return self.document(f'<CompleteMultipartUpload xmlns="{NAMESPACE}">{entries}</CompleteMultipartUpload>', upload, headers)

    def document(self, document, upload=None, headers=()):
        target = f"{self.world.path(self.key)}?uploadId={upload or self.id}"
        return self.world.send("POST", target, document.encode(), headers)


def test_complete_with_parts_that_do_not_fit(world):
    upload = Upload(world)
    big, end = os.urandom(5 * MIB), b"the end"
    one, two = upload.tag(1, big), upload.tag(2, end)
    upload.complete([(2, two), (1, one)]).refused("InvalidPartOrder", 400, "not in ascending order")
    upload.complete([(1, one), (1, one)]).refused("InvalidPartOrder", 400, "not in ascending order")
    upload.complete([(1, one), (3, two)]).refused("InvalidPart", 400, "could not be found")
    upload.complete([(1, two), (2, one)]).refused("InvalidPart", 400, "entity tag may not match")
    upload.complete([(1, '"nonsense"'), (2, two)]).refused("InvalidPart", 400)
    upload.complete([(1, one)], upload="0" * 64).refused("NoSuchUpload", 404, "specified multipart upload does not exist")
    upload.complete([(0, one)]).refused("InvalidArgument", 400, "Part number must be an integer between 1 and 10000")
    upload.complete([(10_001, one)]).refused("InvalidArgument", 400, "Part number must be an integer between 1 and 10000")
    upload.complete([(1, one), (2, two)], headers={"x-amz-mp-object-size": "7"}).refused("InvalidRequest", 400, "x-amz-mp-object-size")
    # None of that ended the upload.
    upload.complete([(1, one), (2, two)]).fine()
    world.made["m"] = big + end


def test_a_part_that_is_too_small(world):
    upload = Upload(world)
    tags = [(number, upload.tag(number, body)) for number, body in enumerate([b"x" * (5 * MIB - 1), b"end"], 1)]
    document = upload.complete(tags).refused("EntityTooSmall", 400, "smaller than the minimum allowed")
    assert document is not None
    tags[0] = (1, upload.tag(1, b"x" * (5 * MIB)))
    upload.complete(tags).fine()
    world.made["m"] = b"x" * (5 * MIB) + b"end"


def test_ten_thousand_and_one_parts(world):
    upload = Upload(world)
    upload.part(10_001, b"x").refused("InvalidArgument", 400, "Part number must be an integer between 1 and 10000, inclusive")
    upload.part(0, b"x").refused("InvalidArgument", 400, "Part number must be an integer between 1 and 10000, inclusive")
    upload.part(-1, b"x").refused("InvalidArgument", 400, "Part number must be an integer between 1 and 10000, inclusive")
    for number in ("x", "99999999999999999999", "1.5"):
        upload.part(number, b"x").refused("InvalidArgument", 400, "partNumber")
    last = upload.tag(10_000, b"last")
    many = [(number, last) for number in range(1, 10_002)]
    upload.complete(many).refused("MalformedXML", 400, MALFORMED)
    upload.complete([(10_000, last)]).fine()
    world.made["m"] = b"last"


def test_documents_that_complete_nothing(world):
    upload = Upload(world)
    tag = upload.tag(1, b"x")
    for document in (
        "", "<", "nonsense", "<Other/>", "<CompleteMultipartUpload>", f"<CompleteMultipartUpload><Part><ETag>{tag}</ETag></Part></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
        f"<CompleteMultipartUpload><Part><PartNumber>one</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>",
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload><",
    ):
        upload.document(document).refused("MalformedXML", 400, MALFORMED)
    upload.complete([]).refused("MalformedXML", 400, MALFORMED)
    upload.part(1, b"x", upload="x/../y").refused("NoSuchUpload", 404)
    world.s3.abort_multipart_upload(Bucket=world.bucket, Key="m", UploadId=upload.id)
    upload.part(1, b"x").refused("NoSuchUpload", 404, "aborted or completed")
    upload.complete([(1, tag)]).refused("NoSuchUpload", 404)
    world.send("DELETE", f"{world.path('m')}?uploadId={upload.id}").refused("NoSuchUpload", 404)


def test_copies_of_what_is_not_there(world):
    source = f"/{world.bucket}/keep/that"
    for text, code, status, words in (
        (f"/{world.bucket}/none", "NoSuchKey", 404, "does not exist"),
        ("/never-made-bucket/none", "NoSuchBucket", 404, "bucket does not exist"),
        ("nonsense", "InvalidArgument", 400, "x-amz-copy-source"),
        (f"/{world.bucket}/", "InvalidArgument", 400, "sourcebucket/sourcekey"),
        (f"/{world.bucket}/%ff", "InvalidArgument", 400, "x-amz-copy-source"),
    ):
        world.send("PUT", world.path("c"), headers={"x-amz-copy-source": text}).refused(code, status, words)
    world.send("PUT", world.path("keep/that"), headers={"x-amz-copy-source": source}).refused("InvalidRequest", 400, "copy an object to itself")
    upload = Upload(world)
    target = f"{world.path('m')}?partNumber=1&uploadId={upload.id}"
    for text, code, status, words in (
        ("bytes=0-100000", "InvalidArgument", 400, "not valid for source object of size: 100000"),
        ("bytes=5-1", "InvalidArgument", 400, "bytes=first-last"),
        ("bytes=-5", "InvalidArgument", 400, "bytes=first-last"),
        ("nonsense", "InvalidArgument", 400, "bytes=first-last"),
    ):
        headers = {"x-amz-copy-source": source, "x-amz-copy-source-range": text}
        world.send("PUT", target, headers=headers).refused(code, status, words)
    upload.complete([(1, '"x"')]).refused("InvalidPart", 400)
    world.s3.abort_multipart_upload(Bucket=world.bucket, Key="m", UploadId=upload.id)


# ---- keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["k", "é", "漢", "😀"])
def test_keys_at_the_limit(world, letter):
    size = len(letter.encode())
    longest = letter * (1024 // size) + "x" * (1024 % size)
    assert len(longest.encode()) == 1024
    world.put(longest, b"v").fine()
    world.made[longest] = b"v"
    for call in (lambda: world.put(longest + "y", b"v"), lambda: world.send("GET", world.path(longest + "y"))):
        call().refused("KeyTooLongError", 400, "Your key is too long")
    world.send("POST", world.path(longest + "y") + "?uploads").refused("KeyTooLongError", 400, "Your key is too long")


def test_keys_that_look_like_paths(world):
    """A key is a name and never a path. Each is read back under its own name, and no file appears anywhere."""
    before = {str(path) for path in world.server.home.rglob("*") if path.is_file() and "audit" not in path.parts}
    keys = [
        "/", "//", "/etc/passwd", "a//b", "a/", "a", "a/../b", "a/b/../../c", "a/./b", ".", "./x", "...", "a/..b", "~", "~root/x",
        "C:\\windows\\x", "..\\..\\x", "a\\..\\b", "con", "a:b", "*", "?", "a?b#c", "%2e%2e%2f", "%00", "a%b", "a+b", "a b", " ", "'\"<>&",
        "a;b=c", "keep/this/", "ÿ", "e\u0301", "\u00e9", "\u200b", "\ufeffx", "a\u202eb",
    ]
    for number, key in enumerate(keys):
        world.put(key, b"%d" % number).fine()
        world.made[key] = b"%d" % number
    for number, key in enumerate(keys):
        assert world.send("GET", world.path(key)).fine().body == b"%d" % number, key
    after = {str(path) for path in world.server.home.rglob("*") if path.is_file() and "audit" not in path.parts}
    grown = {path for path in after - before if "/blobs/" not in path}
    assert not any(name in path for path in grown for name in ("passwd", "windows", "..", "con")), grown
    # By other clients' doors: many at once, and a copy.
    source = {"x-amz-copy-source": f"/{world.bucket}/a/../b"}
    world.send("PUT", world.path("copy/../x"), headers=source).fine()
    world.made["copy/../x"] = world.made["a/../b"]
    gone = world.s3.delete_objects(Bucket=world.bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert {one["Key"] for one in gone["Deleted"]} == set(keys) and "Errors" not in gone
    for key in keys:
        del world.made[key]


@pytest.mark.parametrize("key", ["..", "../x", "../../etc/passwd", "a/../../b", "a/b/../../../c", "a//../../x", "/../x"])
def test_keys_that_climb_out_of_their_bucket(world, key):
    """S3 takes `..` in a key only as often as there is something before it to climb out of."""
    words = "relative path"
    world.put(key, b"x").refused("InvalidURI", 400, words)
    world.send("POST", world.path(key) + "?uploads").refused("InvalidURI", 400, words)
    world.send("PUT", world.path(key), headers={"x-amz-copy-source": f"/{world.bucket}/keep/this"}).refused("InvalidURI", 400, words)


def test_keys_with_control_characters(world):
    """Any character goes into a key. Listings tell them in URL encoding, which boto3 asks for."""
    keys = ["a\nb", "a\rb", "a\tb", "a\x01b", "a\x1fb", "a\x7fb", "\x00", "a\x00b", "line\u2028sep"]
    for key in keys:
        world.put(key, key.encode()).fine()
        world.made[key] = key.encode()
    assert set(world.made) <= set(world.objects())
    for key in keys:
        if key.strip("\x00") in ("a\nb", "a\rb", "a\tb", "line\u2028sep"):
            # XML can say these, so DeleteObjects can.
            gone = world.s3.delete_objects(Bucket=world.bucket, Delete={"Objects": [{"Key": key}]})
            assert [one["Key"] for one in gone["Deleted"]] == [key]
        else:
            world.send("DELETE", world.path(key)).fine(204)
        del world.made[key]
    # A missing key's error is a document that parses, whatever the key.
    world.send("GET", world.path("none\x01\n<&>")).refused("NoSuchKey", 404, "does not exist")


def test_paths_that_are_no_utf_8(world):
    for raw in ("%ff", "a%c0%af", "%ed%a0%80", "x%80"):
        target = f"/{world.bucket}/{raw}"
        world.send("PUT", target, b"x").refused("InvalidURI", 400, "Couldn't parse the specified URI")
        world.send("GET", target).refused("InvalidURI", 400, "Couldn't parse the specified URI")


# ---- presigned URLs -----------------------------------------------------------------------------------------------


def test_a_presigned_url_and_what_was_done_to_it(world):
    url = world.presigned()
    assert world.follow(url).fine().body == KEPT["keep/this"]
    mismatch = ("SignatureDoesNotMatch", 403, "signature we calculated does not match")
    world.follow(url.replace("keep/this", "keep/that")).refused(*mismatch)
    world.follow(url + "&versionId=null").refused(*mismatch)
    world.follow(url + "&response-content-type=text/html").refused(*mismatch)
    world.follow(url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")).refused(*mismatch)
    world.follow(url, method="PUT", body=b"x").refused(*mismatch)
    world.follow(url, method="DELETE").refused(*mismatch)
    head = world.follow(url, method="HEAD")
    assert head.status == 403 and head.body == b""
    world.follow(url[:-1] + ("0" if url[-1] != "0" else "1")).refused(*mismatch)


def test_a_presigned_url_with_a_changed_header(world):
    signed = {"Content-Type": "text/plain", "x-amz-meta-team": "red"}
    url = world.presigned("PUT", "new", headers=signed)
    mismatch = ("SignatureDoesNotMatch", 403, "does not match")
    world.follow(url, "PUT", {**signed, "Content-Type": "text/html"}, b"x").refused(*mismatch)
    world.follow(url, "PUT", {**signed, "x-amz-meta-team": "blue"}, b"x").refused(*mismatch)
    world.follow(url, "PUT", {"Content-Type": "text/plain"}, b"x").refused(*mismatch)
    # A header of AWS's that was not signed changes what the call means.
    world.follow(url, "PUT", {**signed, "x-amz-storage-class": "GLACIER"}, b"x").refused("AccessDenied", 403, "headers present in the request which were not signed")
    world.follow(url, "PUT", signed, b"x").fine()
    world.made["new"] = b"x"
    assert world.s3.head_object(Bucket=world.bucket, Key="new")["Metadata"] == {"team": "red"}


def test_presigned_urls_out_of_their_time(world):
    expired = world.presigned(now=later(minutes=-10), expires=60)
    world.follow(expired).refused("AccessDenied", 403, "Request has expired")
    world.follow(world.presigned(now=later(days=-6), expires=604800)).fine()
    world.follow(world.presigned(now=later(hours=1))).refused("AccessDenied", 403, "Request is not yet valid")
    for seconds, words in ((604801, "less than a week"), (-1, "must be"), ("x", "should be a number")):
        world.follow(world.presigned(expires=seconds)).refused("AuthorizationQueryParametersError", 400, words)
    for name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"):
        target, query = world.presigned().split("?")
        rest = "&".join(pair for pair in query.split("&") if not pair.startswith(f"{name}="))
        answer = world.follow(f"{target}?{rest}")
        answer.refused("AuthorizationQueryParametersError", 400, name)


def test_a_url_for_another_bucket_region_or_account(world, server):
    other = f"other-{world.account.id}"
    world.s3.create_bucket(Bucket=other, **LOCATION)
    world.s3.put_object(Bucket=other, Key="keep/this", Body=b"other")
    url = world.presigned(bucket=other)
    assert world.follow(url).fine().body == b"other"
    world.follow(url.replace(other, world.bucket)).refused("SignatureDoesNotMatch", 403, "does not match")
    foreign = World(server.new_account("foreign"))
    target = foreign.presigned(bucket=world.bucket)
    foreign.follow(target).refused("AccessDenied", 403, "is not authorized to perform: s3:GetObject")
    wrong = world.presigned().replace(REGION, "mars-north-1")
    world.follow(wrong).refused("AuthorizationQueryParametersError", 400, "mars-north-1")
    unknown = world.presigned().replace(world.account.key, "AKIA" + "7" * 16)
    world.follow(unknown).refused("InvalidAccessKeyId", 403, "does not exist in our records")


def test_signatures_in_the_header(world):
    path = world.path("keep/this")
    world.send("GET", path, now=later(minutes=-20)).refused("RequestTimeTooSkewed", 403, "difference between the request time and the current time is too large")
    world.send("GET", path, now=later(minutes=20)).refused("RequestTimeTooSkewed", 403)
    world.send("GET", path, region="mars-north-1").refused("AuthorizationHeaderMalformed", 400, "the region 'mars-north-1' is wrong")
    world.send("GET", path, after={"Authorization": "AWS4-HMAC-SHA256 nonsense"}).refused("AuthorizationHeaderMalformed", 400)
    world.send("GET", path, after={"Authorization": "Bearer x"}).refused("InvalidArgument", 400, "Unsupported Authorization Type")
    world.send("GET", path, after={"Authorization": None}).refused("AccessDenied", 403, "Access Denied")
    world.send("GET", path, after={"x-amz-meta-more": "x"}).refused("AccessDenied", 403, "not signed")
    both = world.presigned()
    world.follow(both, headers=world.sign("GET", path, {}, hashlib.sha256(b"").hexdigest())).refused("InvalidArgument", 400, "Only one auth mechanism allowed")


# ---- reads --------------------------------------------------------------------------------------------------------


def test_ranges(world):
    path, size = world.path("keep/that"), len(KEPT["keep/that"])
    for text in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"):
        world.send("GET", path, headers={"Range": text}).refused("InvalidRange", 416, "requested range is not satisfiable")
    head = world.send("HEAD", path, headers={"Range": f"bytes={size}-"})
    assert (head.status, head.body) == (416, b"")
    # What is no range is no reason to refuse: HTTP says to ignore it.
    for text in ("bytes=5-1", "bytes=a-b", "lines=1-2", "bytes", "bytes=", "bytes=1-2,5-6"):
        answer = world.send("GET", path, headers={"Range": text}).fine()
        assert answer.body == KEPT["keep/that"], text
    empty = world.put("empty", b"").fine()
    assert empty.status == 200
    world.made["empty"] = b""
    world.send("GET", world.path("empty"), headers={"Range": "bytes=0-"}).refused("InvalidRange", 416)
    world.send("GET", path + "?partNumber=2").refused("InvalidPartNumber", 416, "not satisfiable")
    world.send("GET", path + "?partNumber=1", headers={"Range": "bytes=0-1"}).refused("InvalidRequest", 400, "both Range header and partNumber")


def test_conditional_writes(world):
    path = world.path("keep/this")
    tag = world.send("GET", path).headers["etag"]
    failed = ("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold")
    world.send("PUT", path, b"x", {"If-None-Match": "*"}).refused(*failed)
    world.send("PUT", path, b"x", {"If-Match": '"0123"'}).refused(*failed)
    world.send("PUT", world.path("none"), b"x", {"If-Match": tag}).refused("NoSuchKey", 404, "does not exist")
    world.send("PUT", path, b"x", {"If-None-Match": tag}).refused("NotImplemented", 501, "If-None-Match")
    world.send("DELETE", path, headers={"If-Match": '"0123"'}).refused(*failed)
    upload = Upload(world, "keep/this")
    part = upload.tag(1, b"x")
    upload.complete([(1, part)], headers={"If-None-Match": "*"}).refused(*failed)
    upload.complete([(1, part)], headers={"If-Match": '"0123"'}).refused(*failed)
    world.s3.abort_multipart_upload(Bucket=world.bucket, Key="keep/this", UploadId=upload.id)
    for headers in ({"If-Match": '"0123"'}, {"If-Unmodified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"}):
        world.send("GET", path, headers=headers).refused(*failed)
    for headers in ({"If-None-Match": tag}, {"If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"}):
        answer = world.send("GET", path, headers=headers)
        assert (answer.status, answer.body) == (304, b"") and answer.headers["etag"] == tag
    world.send("PUT", world.path("new"), b"1", {"If-None-Match": "*"}).fine()
    made = world.send("PUT", path, b"kept", {"If-Match": tag}).fine()
    assert made.headers["etag"] == tag
    world.made["new"] = b"1"


def test_listings(world):
    for query, words in (
        ("list-type=2&max-keys=-1", "maxKeys must be an integer between 0 and 2147483647"),
        ("list-type=2&max-keys=x", "max-keys"), ("max-keys=99999999999", "max-keys"),
        ("list-type=2&continuation-token=nonsense", "continuation token provided is incorrect"),
        ("list-type=2&continuation-token=%F0%9F", "continuation token provided is incorrect"),
        ("list-type=2&encoding-type=base64", "Invalid Encoding Method specified in Request"),
        ("list-type=2&prefix=a&prefix=b", "prefix was given more than once"),
        ("uploads&max-uploads=x", "max-uploads"),
    ):
        world.send("GET", f"{world.path()}?{query}").refused("InvalidArgument", 400, words)
    answer = world.send("GET", f"{world.path()}?list-type=2&max-keys=0").fine()
    assert b"<KeyCount>0</KeyCount>" in answer.body and b"<IsTruncated>false</IsTruncated>" in answer.body


# ---- documents ----------------------------------------------------------------------------------------------------

BROKEN = ["<", "nonsense", "\x00", "<a", "<Other/>", "<?xml version='1.0'?>", "<a><b></a></b>", "&lol;"]


def entity_bomb(root, inner):
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}<!ENTITY f SYSTEM "file:///etc/passwd">]><{root}>{inner}</{root}>'


@pytest.mark.parametrize("document", BROKEN)
def test_xml_that_is_none(world, document):
    world.post(f"{world.path()}?delete", document).refused("MalformedXML", 400, MALFORMED)
    for target in (f"{world.path()}?tagging", f"{world.path('keep/this')}?tagging", f"{world.path()}?publicAccessBlock"):
        world.put_document(target, document).refused("MalformedXML", 400, MALFORMED)
    world.put_document(world.path(bucket=f"more-{world.account.id}"), document).refused("MalformedXML", 400, MALFORMED)


def test_entities_are_not_expanded(world):
    for inner in ("&l8;", "&f;"):
        bomb = entity_bomb("Delete", f"<Object><Key>{inner}</Key></Object>")
        world.post(f"{world.path()}?delete", bomb).refused("MalformedXML", 400, MALFORMED)


def test_delete_documents(world):
    target = f"{world.path()}?delete"
    many = "".join(f"<Object><Key>k{number}</Key></Object>" for number in range(1001))
    world.post(target, f"<Delete>{many}</Delete>").refused("MalformedXML", 400, MALFORMED)
    world.post(target, "<Delete></Delete>").refused("MalformedXML", 400, MALFORMED)
    world.post(target, "<Delete><Object></Object></Delete>").refused("MalformedXML", 400, MALFORMED)
    body = b"<Delete><Object><Key>keep/this</Key></Object></Delete>"
    wrong = base64_of(hashlib.md5(b"other").digest())
    world.send("POST", target, body, {"Content-MD5": wrong}).refused("BadDigest", 400, "Content-MD5 you specified did not match")
    world.send("POST", target, body, {"x-amz-checksum-crc32": crc32(b"other")}).refused("BadDigest", 400, "The CRC32 you specified did not match")
    world.send("POST", target, body).refused("InvalidRequest", 400, "Missing required header for this request: Content-MD5")
    huge = "<Delete>" + " " * (21 * MIB) + "</Delete>"
    world.post(target, huge).refused("MaxMessageLengthExceeded", 400, "Your request was too big")
    # What is wrong with one key is an answer about that key alone.
    one, other = '<Object><Key>keep/this</Key><ETag>"0123"</ETag></Object>', "<Object><Key>none</Key></Object>"
    document = xml.fromstring(world.post(target, f"<Delete>{one}{other}</Delete>").fine().body)
    errors = document.findall(f"{{{NAMESPACE}}}Error")
    assert [error.findtext(f"{{{NAMESPACE}}}Code") for error in errors] == ["PreconditionFailed"]
    assert [done.findtext(f"{{{NAMESPACE}}}Key") for done in document.findall(f"{{{NAMESPACE}}}Deleted")] == ["none"]


def tags(*pairs):
    return "<Tagging><TagSet>" + "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in pairs) + "</TagSet></Tagging>"


def test_tagging_documents(world):
    for target, most in ((f"{world.path('keep/this')}?tagging", 10), (f"{world.path()}?tagging", 50)):
        world.put_document(target, tags(("a", "1"), ("a", "2"))).refused("InvalidTag", 400, "Cannot provide multiple Tags with the same key")
        world.put_document(target, tags(("", "1"))).refused("InvalidTag", 400, "TagKey")
        world.put_document(target, tags(("k" * 129, "1"))).refused("InvalidTag", 400, "TagKey")
        world.put_document(target, tags(("k", "v" * 257))).refused("InvalidTag", 400, "TagValue")
        world.put_document(target, tags(("k", "{"))).refused("InvalidTag", 400, "TagValue")
        world.put_document(target, tags(("aws:k", "v"))).refused("InvalidTag", 400, "System tags")
        world.put_document(target, tags(*((f"k{number}", "v") for number in range(most + 1)))).refused("BadRequest", 400, f"greater than {most}")
        world.put_document(target, "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>").refused("MalformedXML", 400, MALFORMED)
    world.put("t", b"x", headers={"x-amz-tagging": "a=1&a=2"}).refused("InvalidArgument", 400, "without tag name duplicates")
    world.put("t", b"x", headers={"x-amz-tagging": "&".join(f"k{n}=v" for n in range(11))}).refused("BadRequest", 400, "greater than 10")
    world.send("PUT", f"{world.path('none')}?tagging", tags(("a", "b")).encode()).refused("NoSuchKey", 404)
    assert world.s3.get_object_tagging(Bucket=world.bucket, Key="keep/this")["TagSet"] == []


def test_policies_that_are_none(world):
    target = f"{world.path()}?policy"
    allowed = {"Effect": "Allow", "Principal": {"AWS": world.account.id}, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{world.bucket}/*"}

    def document(**changed):
        statement = {name: value for name, value in {**allowed, **changed}.items() if value is not None}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    for text, words in (
        ("", ""), ("{", ""), ("[]", ""), ("nonsense", ""), ("{}", ""), (json.dumps({"Version": "1999-01-01", "Statement": []}), ""),
        (document(Effect="Perhaps"), "effect"), (document(Principal=None), "principal"), (document(Action=None), "actions"),
        (document(Resource=None), "resource"), (document(Action="iam:PassRole"), "Policy has invalid action"),
        (document(Resource="arn:aws:s3:::another/*"), "Policy has invalid resource"),
        (document(Condition={"Sometimes": {"aws:SourceIp": "x"}}), "Sometimes"),
        (document(Sid="x" * 21_000), "limited to 20480 bytes"),
    ):
        world.send("PUT", target, text.encode()).refused("MalformedPolicy", 400, words)
    world.send("GET", target).refused("NoSuchBucketPolicy", 404, "bucket policy does not exist")


# ---- buckets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Upper", "under_score", "-start", "end-", ".start", "end.", "two..dots", "192.168.0.1", "xn--x", "a-s3alias", "a%20b", "%2e%2e", "a--x-s3", "ümlaut"]
)
def test_names_that_are_no_buckets(world, name):
    target = "/" + urllib.parse.quote(name, safe="%")
    body = f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>".encode()
    world.send("PUT", target, body).refused("InvalidBucketName", 400, "The specified bucket is not valid")


def test_buckets_that_are_not_to_be_had(world, server):
    foreign = World(server.new_account("foreign"))
    body = f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>".encode()
    world.send("PUT", foreign.path(), body).refused("BucketAlreadyExists", 409, "requested bucket name is not available")
    world.send("PUT", world.path(), body).refused("BucketAlreadyOwnedByYou", 409, "already own it")
    for place, code, words in (
        ("eu-west-1", "IllegalLocationConstraintException", "eu-west-1"), ("nowhere", "IllegalLocationConstraintException", "nowhere"),
        ("", "IllegalLocationConstraintException", "unspecified location constraint"),
    ):
        text = f"<CreateBucketConfiguration><LocationConstraint>{place}</LocationConstraint></CreateBucketConfiguration>"
        world.send("PUT", f"/new-{world.account.id}", text.encode()).refused(code, 400, words)
    world.send("DELETE", world.path()).refused("BucketNotEmpty", 409, "not empty")
    world.send("DELETE", foreign.path()).refused("AccessDenied", 403, "is not authorized to perform: s3:DeleteBucket")
    for method, target in (("GET", "/never-made"), ("DELETE", "/never-made"), ("PUT", "/never-made/k"), ("GET", "/never-made/k")):
        world.send(method, target).refused("NoSuchBucket", 404, "The specified bucket does not exist")
    assert foreign.objects() == KEPT


# ---- the rest -----------------------------------------------------------------------------------------------------


def test_metadata(world):
    world.put("k", b"x", headers={"x-amz-meta-a": "v" * 2048}).refused("MetadataTooLarge", 400, "exceed the maximum allowed metadata size")
    world.put("k", b"x", headers={"x-amz-storage-class": "NONSENSE"}).refused("InvalidStorageClass", 400, "storage class you specified is not valid")
    world.put("k", b"x", headers={"x-amz-acl": "public-read"}).refused("AccessControlListNotSupported", 400, "does not allow ACLs")
    world.put("k", b"x", headers={"x-amz-server-side-encryption": "ROT13"}).refused("InvalidArgument", 400, "encryption method")
    for header in ("x-amz-object-lock-mode", "x-amz-website-redirect-location"):
        world.put("k", b"x", headers={header: "x"}).refused("NotImplemented", 501, header)


def test_methods_and_subresources_that_are_not_there(world):
    world.send("PATCH", world.path("keep/this")).refused("MethodNotAllowed", 405, "method is not allowed")
    world.send("POST", world.path("keep/this")).refused("MethodNotAllowed", 405, "method is not allowed")
    world.send("PUT", "/").refused("MethodNotAllowed", 405, "method is not allowed")
    world.send("GET", f"{world.path()}?website").refused("NotImplemented", 501, "GetBucketWebsite", "not implemented by Stoa")
    world.send("GET", f"{world.path('keep/this')}?torrent").refused("NotImplemented", 501, "GetObjectTorrent")
    world.send("GET", f"{world.path()}?analytics&id=x").refused("NotImplemented", 501, "GetBucketAnalyticsConfiguration")


def test_what_is_refused_is_in_the_journal(world):
    world.put("k", BODY, headers={"Content-MD5": base64_of(hashlib.md5(b"other").digest())}).refused("BadDigest", 400)
    world.send("GET", world.path("none")).refused("NoSuchKey", 404)
    records = [one for one in world.server.records("--source", "s3.amazonaws.com") if one["recipientAccountId"] == world.account.id]
    told = {(one["eventName"], one.get("errorCode")) for one in records}
    assert {("PutObject", "BadDigest"), ("GetObject", "NoSuchKey")} <= told
    with refused("NoSuchKey"):
        world.s3.get_object(Bucket=world.bucket, Key="none")
