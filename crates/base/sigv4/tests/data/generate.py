"""Makes botocore.jsonl: requests signed by botocore's own signers, for cargo test to verify.

Run with a Python that has botocore; seeded, so that a run changes nothing but what botocore changed:
    python tests/data/generate.py > tests/data/botocore.jsonl
The key is AWS's documented example key; it opens nothing.
"""

import datetime
import hashlib
import json
import random
from unittest import mock
from urllib.parse import quote, urlsplit

import botocore
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
RNG = random.Random(4)
WORDS = ["hub", "model", "a b", "über", "日本", "x+y", "100%", "~tilde", "a.b_c-d", "😀", "k=v", "semi;colon", "q?r", "(p)"]


def word():
    return "".join(RNG.choice(WORDS) for _ in range(RNG.randint(1, 3)))


def path(s3):
    segments = [word() for _ in range(RNG.randint(0, 4))]
    extra = RNG.choice(["", "", "//double", "/./dot", "/up/../down", "/trailing/", "/raw!$'()*,:@"])
    return "/" + "/".join(quote(segment, safe="~") for segment in segments) + extra


def query():
    pairs = []
    for _ in range(RNG.choice([0, 0, 1, 2, 5])):
        pairs.append(quote(word(), safe="~") + RNG.choice(["=", "=" + quote(word(), safe="~"), ""]))
    # The presigner reads and writes the query again and keeps one value per name.
    return "&".join(dict((pair.split("=")[0], pair) for pair in pairs).values())


def headers(s3):
    found = {}
    for name, value in [
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", "SageMaker.DescribeHub"),
        ("X-Custom", "  two   spaces  and\ttab "),
        ("X-Amz-Meta-Note", "a,b;c"),
        ("User-Agent", "Boto3/1.0 md/x"),
        ("Accept", "*/*"),
    ]:
        if RNG.random() < 0.4:
            found[name] = value
    return found


SIGNERS = {
    "header": (auth.SigV4Auth, False),
    "query": (auth.SigV4QueryAuth, False),
    "s3-header": (auth.S3SigV4Auth, True),
    "s3-query": (auth.S3SigV4QueryAuth, True),
}


def sign(kind, region, service, method, url, head, body, token, now):
    signer, s3 = SIGNERS[kind]
    credentials = Credentials(KEY, SECRET, token)
    request = AWSRequest(method=method, url=url, headers=head, data=body)
    request.context["client_config"] = None
    if s3 and kind == "s3-header":
        request.context["payload_signing_enabled"] = RNG.random() < 0.5
        request.context["has_streaming_input"] = False
    with mock.patch.object(auth, "get_current_datetime", lambda: now):
        made = signer(credentials, service, region, expires=RNG.choice([1, 60, 604800])) if "query" in kind \
            else signer(credentials, service, region)
        made.add_auth(request)
    parts = urlsplit(request.url)
    names = list(dict.fromkeys(name for name, _ in request.headers.items()))
    sent = [[name, value] for name in names for value in request.headers.get_all(name)]
    if not any(name.lower() == "host" for name, _ in sent):
        sent.append(["Host", parts.netloc])
    return {
        "kind": kind, "service": service, "region": region, "method": method,
        "path": parts.path, "query": parts.query, "headers": sent,
        "body": body.hex() if "query" not in kind else "",
        "access_key_id": KEY, "secret": SECRET, "token": token, "now": now.strftime("%Y%m%dT%H%M%SZ"),
    }


def main():
    cases = 320
    for index in range(cases):
        kind = list(SIGNERS)[index % 4]
        s3 = SIGNERS[kind][1]
        service = "s3" if s3 else RNG.choice(["sagemaker", "sts", "iam"])
        region = RNG.choice(["us-east-1", "us-west-2", "eu-central-1"])
        method = RNG.choice(["GET", "PUT", "DELETE", "HEAD"]) if s3 else RNG.choice(["GET", "POST"])
        text = query()
        url = "https://" + RNG.choice(["example.amazonaws.com", "127.0.0.1:4566", "b.s3.us-west-2.amazonaws.com"])
        url += path(s3) + ("?" + text if text else "")
        body = b"" if "query" in kind or method in ("GET", "HEAD") else RNG.randbytes(RNG.randint(0, 200))
        token = RNG.choice([None, "IQoJb3JpZ2luX2VjE+/token==" + str(index)])
        now = datetime.datetime(2026, RNG.randint(1, 12), RNG.randint(1, 28), RNG.randint(0, 23), 5, 6,
                                tzinfo=datetime.timezone.utc)
        print(json.dumps(sign(kind, region, service, method, url, headers(s3), body, token, now), ensure_ascii=False))


main()
