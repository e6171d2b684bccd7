"""Every operation of S3 that the compatibility page says is not served answers so by name, and the page leaves none out."""

import re

import pytest
import requests
from botocore.exceptions import ClientError

from support import NO_PROXIES, REGION, ROOT

# Sent to another host, and signed for another service.
ELSEWHERE = {"WriteGetObjectResponse", "ListDirectoryBuckets"}
# Their documents are read before anything else.
DOCUMENTS = {"PutObjectLegalHold", "PutObjectRetention"}


def told():
    """What the page says is served, and what is not."""
    page = (ROOT / "docs" / "compatibility.md").read_text()
    section = page.split("(`s3`, 2006-03-01)")[1].split("\n## ")[0]
    served = re.findall(r"^\| (\w+) \| `s3:", section, re.M) + re.findall(r"^- (\w+) is an older name", section, re.M)
    missing = section.split("answered with `NotImplemented`: ")[1].split(".\n")[0]
    return set(served), set(missing.replace(".", "").strip().split(", "))


def filled(shape):
    """The least that botocore sends for a shape."""
    if shape.type_name == "structure":
        wanted = shape.required_members
        return {member: filled(shape.members[member]) for member in wanted}
    if shape.type_name == "list":
        return [filled(shape.member)]
    values = {"integer": 1, "long": 1, "boolean": True, "timestamp": "2030-01-01T00:00:00Z", "blob": b"x", "map": {}}
    if shape.type_name in values:
        return values[shape.type_name]
    return shape.enum[0] if getattr(shape, "enum", None) else "x"


def test_the_page_against_botocores_model(account):
    served, missing = told()
    client = account.client("s3", s3={"addressing_style": "path"}, parameter_validation=False)
    model = client.meta.service_model
    assert served | missing >= set(model.operation_names)
    assert not served & missing
    bucket = f"none-{account.id}"
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    wrong = {}
    for name in sorted(missing & set(model.operation_names) - ELSEWHERE):
        shape = model.operation_model(name).input_shape
        request = filled(shape) if shape else {}
        request.update({member: value for member, value in (("Bucket", bucket), ("Key", "k")) if shape and member in shape.members})
        try:
            client._make_api_call(name, request)
            wrong[name] = "answered"
        except ClientError as error:
            answer = error.response
            told_so = (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"])
            if told_so != (("MalformedXML", 400) if name in DOCUMENTS else ("NotImplemented", 501)):
                wrong[name] = answer["Error"]
    assert not wrong, "\n".join(f"{name}: {told}" for name, told in wrong.items())
    # None of them became the plain operation on the bucket or the object.
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert requests.get(f"{account.server.url}/health", timeout=10, proxies=NO_PROXIES).status_code == 200
    with pytest.raises(ClientError, match="GetBucketWebsite is not implemented by Stoa"):
        client.get_bucket_website(Bucket=bucket)
