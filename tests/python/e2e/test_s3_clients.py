"""S3 as data scientists use it: the unmodified clients, by endpoint URL and through the front door's https.

boto3's transfer manager, `aws s3` and `aws s3api`, the SageMaker SDK, s3fs and
pyarrow. The last two live in an environment of their own, see `requirements-fs.txt`; `filesystems.py` is run there.
"""

import base64
import binascii
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import urllib.parse
import warnings
from pathlib import Path

import boto3
import pytest
import requests
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from support import NO_PROXIES, REGION, ROOT, clean_environment, refused

MIB = 1024 * 1024
LOCATION = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
PARTS = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4, use_threads=True)
SIZE = 11 * MIB + 17
ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]
WAYS = ["endpoint-url", "front-door"]


def by(account, way, **s3_settings):
    """A client by one of the two ways. The retries are boto3's own."""
    if way == "endpoint-url":
        return account.client("s3", s3={"addressing_style": "path", **s3_settings})
    config = Config(proxies={"https": account.server.url}, s3={"addressing_style": "virtual", **s3_settings})
    return account.session().client("s3", config=config, verify=str(account.server.data_dir / "ca.pem"))


@pytest.fixture(params=WAYS)
def s3(account, request):
    return by(account, request.param)


@pytest.fixture
def bucket(account):
    name = f"clients-{account.id}"
    by(account, "endpoint-url").create_bucket(Bucket=name, **LOCATION)
    return name


def random_file(path, size=SIZE):
    """A file of random bytes; its bytes."""
    content = os.urandom(size)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return content


def keys_of(client, bucket, prefix=""):
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [one["Key"] for page in pages for one in page.get("Contents", [])]


def tree_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class Progress:
    """What the transfer manager reports; called from its threads."""

    def __init__(self):
        self.bytes, self.lock = 0, threading.Lock()

    def __call__(self, count):
        with self.lock:
            self.bytes += count


# ---- checksums, computed here by other code ------------------------------------------------------------------------


def raw_checksum(algorithm, content):
    from awscrt import checksums

    return {
        "CRC32": lambda: (binascii.crc32(content) & 0xFFFFFFFF).to_bytes(4, "big"),
        "CRC32C": lambda: checksums.crc32c(content).to_bytes(4, "big"),
        "CRC64NVME": lambda: checksums.crc64nvme(content).to_bytes(8, "big"),
        "SHA1": lambda: hashlib.sha1(content).digest(),
        "SHA256": lambda: hashlib.sha256(content).digest(),
    }[algorithm]()


def whole_checksum(algorithm, content):
    return base64.b64encode(raw_checksum(algorithm, content)).decode()


def composite_checksum(algorithm, content, part=5 * MIB):
    raw = [raw_checksum(algorithm, content[at : at + part]) for at in range(0, len(content), part)]
    return f"{whole_checksum(algorithm, b''.join(raw))}-{len(raw)}"


# ---- boto3 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_upload_and_download_in_parts_with_every_checksum(s3, bucket, tmp_path, algorithm):
    content = random_file(tmp_path / "big")
    sent, received = Progress(), Progress()
    extra = {
        "ChecksumAlgorithm": algorithm, "ContentType": "application/x-tensors", "Metadata": {"step": "12"},
        "CacheControl": "no-store", "Tagging": "team=red&stage=dev",
    }
    s3.upload_file(str(tmp_path / "big"), bucket, "m/big", ExtraArgs=extra, Callback=sent, Config=PARTS)
    assert sent.bytes == SIZE
    head = s3.head_object(Bucket=bucket, Key="m/big", ChecksumMode="ENABLED")
    # S3 has CRC-64/NVME of the whole object only; the others are of the parts unless the client says otherwise.
    whole = algorithm == "CRC64NVME"
    wanted = whole_checksum(algorithm, content) if whole else composite_checksum(algorithm, content)
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (wanted, "FULL_OBJECT" if whole else "COMPOSITE")
    assert (head["ContentType"], head["Metadata"], head["CacheControl"]) == ("application/x-tensors", {"step": "12"}, "no-store")
    assert head["ContentLength"] == SIZE and head["ETag"].endswith('-3"')
    tags = s3.get_object_tagging(Bucket=bucket, Key="m/big")["TagSet"]
    assert {one["Key"]: one["Value"] for one in tags} == {"team": "red", "stage": "dev"}
    s3.download_file(bucket, "m/big", str(tmp_path / "back"), Callback=received, Config=PARTS)
    assert received.bytes == SIZE
    assert (tmp_path / "back").read_bytes() == content
    # One body with the same algorithm: boto3 checks what it reads.
    s3.put_object(Bucket=bucket, Key="m/small", Body=content[:70_000], ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="m/small", ChecksumMode="ENABLED")
    assert got["Body"].read() == content[:70_000]
    assert got[f"Checksum{algorithm}"] == whole_checksum(algorithm, content[:70_000])
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
def test_a_checksum_of_the_whole_that_the_client_knows(s3, bucket, tmp_path, algorithm):
    content = random_file(tmp_path / "big")
    known = {f"Checksum{algorithm}": whole_checksum(algorithm, content)}
    s3.upload_file(str(tmp_path / "big"), bucket, "k", ExtraArgs=known, Config=PARTS)
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (known[f"Checksum{algorithm}"], "FULL_OBJECT")
    wrong = {f"Checksum{algorithm}": whole_checksum(algorithm, content[1:])}
    with pytest.raises(boto3.exceptions.S3UploadFailedError, match=f"BadDigest.*The {algorithm} you specified did not match"):
        s3.upload_file(str(tmp_path / "big"), bucket, "wrong", ExtraArgs=wrong, Config=PARTS)
    with refused("404"):
        s3.head_object(Bucket=bucket, Key="wrong")


@pytest.mark.parametrize("size", [0, 1, 5 * MIB - 1, 5 * MIB, 10 * MIB + 1])
def test_streams_of_any_size(s3, bucket, size):
    content = os.urandom(size)
    sent = Progress()
    s3.upload_fileobj(io.BytesIO(content), bucket, "k", Callback=sent, Config=PARTS)
    assert sent.bytes == size
    back = io.BytesIO()
    s3.download_fileobj(bucket, "k", back, Config=PARTS)
    assert back.getvalue() == content


def test_a_stream_that_cannot_seek(s3, bucket):
    """A pipe has no size: the transfer manager reads parts of it into memory and sends them with trailers."""
    content = os.urandom(7 * MIB)
    reader, writer = os.pipe()

    def feed():
        with os.fdopen(writer, "wb") as out:
            out.write(content)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(reader, "rb") as source:
        s3.upload_fileobj(source, bucket, "piped", Config=PARTS)
    feeder.join()
    assert s3.get_object(Bucket=bucket, Key="piped")["Body"].read() == content


def test_managed_copies(account, s3, bucket):
    content = os.urandom(SIZE)
    s3.upload_fileobj(io.BytesIO(content), bucket, "from", ExtraArgs={"Metadata": {"a": "b"}, "Tagging": "x=y"}, Config=PARTS)
    other = f"copies-{account.id}"
    s3.create_bucket(Bucket=other, **LOCATION)
    done = Progress()
    s3.copy({"Bucket": bucket, "Key": "from"}, other, "to", Callback=done, Config=PARTS)
    assert done.bytes == SIZE
    got = s3.get_object(Bucket=other, Key="to")
    assert got["Body"].read() == content
    assert got["ETag"].endswith('-3"')
    whole = TransferConfig(multipart_threshold=SIZE + 1)
    replaced = {"MetadataDirective": "REPLACE", "Metadata": {"c": "d"}, "ContentType": "x/y"}
    s3.copy({"Bucket": bucket, "Key": "from"}, other, "one", ExtraArgs=replaced, Config=whole)
    head = s3.head_object(Bucket=other, Key="one")
    assert (head["Metadata"], head["ContentType"], head["ETag"]) == ({"c": "d"}, "x/y", f'"{hashlib.md5(content).hexdigest()}"')
    with refused("404"):
        s3.copy({"Bucket": bucket, "Key": "nothing"}, other, "k", Config=PARTS)


def test_resources_and_many_threads(account, bucket, tmp_path):
    """The object interface, and as many transfers at once as the manager makes."""
    resource = account.session().resource("s3", endpoint_url=account.server.url, config=Config(proxies=NO_PROXIES))
    contents = {f"d/{number:03}": os.urandom(1000 + number) for number in range(120)}
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda pair: resource.meta.client.upload_fileobj(io.BytesIO(pair[1]), bucket, pair[0]), contents.items()))
    found = {one.key: one.size for one in resource.Bucket(bucket).objects.filter(Prefix="d/").page_size(50)}
    assert found == {key: len(content) for key, content in contents.items()}
    with ThreadPoolExecutor(8) as pool:
        read = dict(pool.map(lambda key: (key, resource.Object(bucket, key).get()["Body"].read()), contents))
    assert read == contents
    assert len(resource.Bucket(bucket).objects.filter(Prefix="d/").delete()[0]["Deleted"]) == 120
    assert list(resource.Bucket(bucket).objects.all()) == []


def test_the_body_as_boto3_sends_it_over_https(account, bucket):
    """Over https botocore leaves the payload unsigned, in chunks with a trailing checksum; the object has neither."""
    client = by(account, "front-door")
    seen = {}
    client.meta.events.register("before-send.s3.PutObject", lambda request, **_: seen.update(request.headers))
    content = os.urandom(300_000)
    client.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(content), ContentEncoding="gzip")
    sent = {name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in seen.items()}
    assert sent["x-amz-content-sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert sent["x-amz-trailer"].startswith("x-amz-checksum-")
    got = client.get_object(Bucket=bucket, Key="k")
    # What described the transfer is no encoding of the object.
    assert (got["Body"].read(), got["ContentEncoding"]) == (content, "gzip")


# ---- the AWS CLI --------------------------------------------------------------------------------------------------


@pytest.fixture(params=WAYS)
def aws(account, request, tmp_path):
    """`aws` in a folder of its own, as this test's account."""
    environment = account.server.environment("--way", request.param)
    settings = tmp_path / "aws-config"
    # Small parts, so that middling files show what big ones do.
    settings.write_text("[default]\ns3 =\n  multipart_threshold = 6MB\n  multipart_chunksize = 5MB\n")
    environment.update(
        PATH=os.environ["PATH"], AWS_PAGER="", AWS_ACCESS_KEY_ID=account.key, AWS_SECRET_ACCESS_KEY=account.secret,
        AWS_CONFIG_FILE=str(settings), AWS_MAX_ATTEMPTS="1",
    )
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        environment.pop(name, None)
    program = Path(sys.executable).with_name("aws")

    def run(*arguments, status=0, stdin=None, raw=False):
        done = subprocess.run(
            [str(program), *map(str, arguments)], input=stdin, capture_output=True, env=environment, timeout=240, cwd=tmp_path
        )
        assert done.returncode == status, f"aws {arguments}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr.decode()}"
        if status:
            return done.stderr.decode()
        text = done.stdout if raw else done.stdout.decode()
        return json.loads(text) if not raw and text.startswith(("{", "[")) else text

    return run


def test_sync_both_ways(aws, account, bucket, tmp_path):
    s3 = by(account, "endpoint-url")
    here, there = tmp_path / "here", tmp_path / "there"
    random_file(here / "model" / "weights.bin", 6 * MIB + 5)
    for name in ("a.txt", "b c.txt", "ä+ö.txt", "deep/er/x.json", "logs/1.log", "logs/keep.txt", "empty"):
        random_file(here / name, 0 if name == "empty" else 100)
    up = ("s3", "sync", here, f"s3://{bucket}/p", "--exclude", "*.log", "--no-progress")
    assert len(aws(*up).splitlines()) == 7
    wanted = {name: body for name, body in tree_of(here).items() if not name.endswith(".log")}
    assert keys_of(s3, bucket) == sorted((f"p/{name}" for name in wanted), key=str.encode)
    assert s3.head_object(Bucket=bucket, Key="p/model/weights.bin")["ETag"].endswith('-2"')
    # Nothing to do the second time, in either direction.
    assert aws(*up) == ""
    aws("s3", "sync", f"s3://{bucket}/p", there)
    assert tree_of(there) == wanted
    assert aws("s3", "sync", f"s3://{bucket}/p", there) == ""
    # Only what changed goes up; what is gone here goes there, save what is left out of the comparison.
    (here / "a.txt").write_bytes(b"another length")
    (here / "b c.txt").unlink()
    s3.put_object(Bucket=bucket, Key="p/extra.log", Body=b"x")
    planned = aws(*up, "--delete", "--dryrun").splitlines()
    assert sorted(line.split()[1] for line in planned) == ["delete:", "upload:"]
    changed = aws(*up, "--delete").splitlines()
    assert sorted(line.split(":")[0] for line in changed) == ["delete", "upload"]
    assert "p/b c.txt" not in keys_of(s3, bucket) and "p/extra.log" in keys_of(s3, bucket)
    aws("s3", "sync", f"s3://{bucket}/p", there, "--delete", "--exclude", "*", "--include", "*.txt")
    assert (there / "a.txt").read_bytes() == b"another length" and not (there / "b c.txt").exists()
    # From one prefix to another, by the server.
    aws("s3", "sync", f"s3://{bucket}/p", f"s3://{bucket}/q", "--exclude", "*.log")
    assert {key[2:]: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys_of(s3, bucket, "q/")} == {
        name: body for name, body in tree_of(here).items() if not name.endswith(".log")
    }


def test_cp_by_pipe_mv_rm_and_rb(aws, account, bucket, tmp_path):
    s3 = by(account, "endpoint-url")
    content = os.urandom(12 * MIB)
    aws("s3", "cp", "-", f"s3://{bucket}/piped", stdin=content)
    assert aws("s3", "cp", f"s3://{bucket}/piped", "-", raw=True) == content
    aws("s3", "cp", f"s3://{bucket}/piped", "got")
    assert (tmp_path / "got").read_bytes() == content
    aws("s3", "mv", "got", f"s3://{bucket}/moved", "--storage-class", "STANDARD", "--metadata", "a=b")
    assert not (tmp_path / "got").exists()
    assert s3.head_object(Bucket=bucket, Key="moved")["Metadata"] == {"a": "b"}
    aws("s3", "mv", f"s3://{bucket}/moved", f"s3://{bucket}/dir/again")
    aws("s3", "mv", f"s3://{bucket}/dir/again", "home")
    assert (tmp_path / "home").read_bytes() == content
    assert keys_of(s3, bucket) == ["piped"]
    listed = aws("s3", "ls", f"s3://{bucket}", "--summarize", "--recursive")
    assert f"{len(content)} piped" in listed and "Total Objects: 1" in listed
    for target in ("-", "x"):
        assert "(404)" in aws("s3", "cp", f"s3://{bucket}/nothing", target, status=1)
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"many/{number}", Body=b"x")
    assert aws("s3", "rm", f"s3://{bucket}/many/", "--recursive", "--exclude", "*1").count("delete:") == 2
    assert keys_of(s3, bucket, "many/") == ["many/1"]
    assert "BucketNotEmpty" in aws("s3", "rb", f"s3://{bucket}", status=1)
    aws("s3", "rb", f"s3://{bucket}", "--force")
    assert bucket not in [one["Name"] for one in s3.list_buckets().get("Buckets", [])]
    aws("s3", "mb", f"s3://{bucket}")
    assert f" {bucket}\n" in aws("s3", "ls")


def test_presign_of_the_cli(aws, account, bucket, request):
    by(account, "endpoint-url").put_object(Bucket=bucket, Key="a b", Body=b"shared")
    url = aws("s3", "presign", f"s3://{bucket}/a b", "--expires-in", "60").strip()
    door = url.startswith(f"https://{bucket}.s3.")
    proxies = {"https": account.server.url} if door else NO_PROXIES
    got = requests.get(url, timeout=30, proxies=proxies, verify=str(account.server.data_dir / "ca.pem"))
    assert (got.status_code, got.content) == (200, b"shared"), got.text
    assert door or url.startswith(account.server.url)


def test_pages_of_the_cli(aws, account, bucket):
    s3 = by(account, "endpoint-url")
    names = [f"k{number:02}" for number in range(25)]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    everything = aws("s3api", "list-objects-v2", "--bucket", bucket, "--page-size", "7")
    assert [one["Key"] for one in everything["Contents"]] == names
    first = aws("s3api", "list-objects-v2", "--bucket", bucket, "--max-items", "10", "--page-size", "4")
    assert [one["Key"] for one in first["Contents"]] == names[:10]
    rest = aws("s3api", "list-objects-v2", "--bucket", bucket, "--starting-token", first["NextToken"])
    assert [one["Key"] for one in rest["Contents"]] == names[10:]
    old = aws("s3api", "list-objects", "--bucket", bucket, "--page-size", "7", "--query", "Contents[].Key")
    assert old == names
    uploads = [s3.create_multipart_upload(Bucket=bucket, Key=f"u{number}")["UploadId"] for number in range(5)]
    found = aws("s3api", "list-multipart-uploads", "--bucket", bucket, "--page-size", "2")
    assert [one["UploadId"] for one in found["Uploads"]] == uploads
    for number in range(1, 6):
        s3.upload_part(Bucket=bucket, Key="u0", UploadId=uploads[0], PartNumber=number, Body=b"x")
    parts = aws("s3api", "list-parts", "--bucket", bucket, "--key", "u0", "--upload-id", uploads[0], "--page-size", "2")
    assert [one["PartNumber"] for one in parts["Parts"]] == [1, 2, 3, 4, 5]


# ---- the SageMaker SDK --------------------------------------------------------------------------------------------


@pytest.fixture
def sdk(account, monkeypatch):
    """A session of the SDK in the environment of `stoa env`: the front door, and no endpoint settings at all."""
    environment = account.server.environment()
    for name in ("HTTPS_PROXY", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, environment[name])
    monkeypatch.setenv("SAGEMAKER_SUPPRESS_V2_WARNING", "1")
    monkeypatch.setenv("SAGEMAKER_USER_CONFIG_OVERRIDE", environment["SAGEMAKER_USER_CONFIG_OVERRIDE"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sagemaker import Session

        return Session(boto_session=account.session())


def test_the_sdks_uploader_and_downloader(sdk, account, tmp_path):
    from sagemaker.s3 import S3Downloader, S3Uploader

    bucket = sdk.default_bucket()
    assert bucket == f"sagemaker-{REGION}-{account.id}"
    here = tmp_path / "here"
    random_file(here / "train" / "part-0.csv", 9 * MIB)
    random_file(here / "train" / "deep" / "part-1.csv", 10)
    random_file(here / "readme.md", 20)
    folder = S3Uploader.upload(str(here), f"s3://{bucket}/data/v1", sagemaker_session=sdk)
    assert folder == f"s3://{bucket}/data/v1"
    listed = S3Downloader.list(folder, sagemaker_session=sdk)
    assert sorted(listed) == [f"{folder}/{name}" for name in ("readme.md", "train/deep/part-1.csv", "train/part-0.csv")]
    got = S3Downloader.download(folder, str(tmp_path / "there"), sagemaker_session=sdk)
    assert len(got) == 3
    assert tree_of(tmp_path / "there") == tree_of(here)
    one = S3Uploader.upload(str(here / "readme.md"), f"s3://{bucket}/docs", sagemaker_session=sdk)
    assert one == f"s3://{bucket}/docs/readme.md"
    text = S3Uploader.upload_string_as_file_body("grüße", f"s3://{bucket}/docs/hello.txt", sagemaker_session=sdk)
    assert S3Downloader.read_file(text, sagemaker_session=sdk) == "grüße"
    raw = S3Uploader.upload_bytes(bytes(range(256)), f"s3://{bucket}/docs/raw", sagemaker_session=sdk)
    assert S3Downloader.read_bytes(raw, sagemaker_session=sdk) == bytes(range(256))


def test_the_sessions_upload_data(sdk, account, tmp_path):
    content = random_file(tmp_path / "train.csv", 4000)
    sent = Progress()
    uri = sdk.upload_data(str(tmp_path / "train.csv"), key_prefix="job/in", callback=sent, extra_args={"Metadata": {"a": "b"}})
    assert uri == f"s3://sagemaker-{REGION}-{account.id}/job/in/train.csv"
    assert sent.bytes == len(content)
    got = by(account, "endpoint-url").get_object(Bucket=sdk.default_bucket(), Key="job/in/train.csv")
    assert (got["Body"].read(), got["Metadata"]) == (content, {"a": "b"})
    assert sdk.list_s3_files(sdk.default_bucket(), "job/in") == ["job/in/train.csv"]
    sdk.download_data(str(tmp_path / "back"), sdk.default_bucket(), key_prefix="job/in/train.csv")
    assert (tmp_path / "back" / "train.csv").read_bytes() == content


# ---- s3fs and pyarrow ---------------------------------------------------------------------------------------------


@pytest.fixture
def filesystems(account, bucket):
    """Runs one check of `filesystems.py` in the other environment; gives what it prints."""
    default = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "venv-fs" / "bin" / "python"
    python = Path(os.environ.get("STOA_FS_PYTHON", default))
    if "STOA_FS_PYTHON" not in os.environ and not python.exists():
        pytest.skip("no environment of tests/python/requirements-fs.txt: `cargo xtask test` makes it, or set STOA_FS_PYTHON")
    environment = {
        **clean_environment(), "AWS_ACCESS_KEY_ID": account.key, "AWS_SECRET_ACCESS_KEY": account.secret,
        "AWS_DEFAULT_REGION": REGION, "STOA_URL": account.server.url, "STOA_BUCKET": bucket,
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def run(check):
        command = [str(python), str(Path(__file__).with_name("filesystems.py")), check]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
        assert done.returncode == 0, f"{check}:\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.parametrize("way", ["pyarrow", "s3fs"])
def test_a_parquet_file_by_column_and_row_group(filesystems, account, bucket, way):
    found = filesystems(f"parquet-{way}")
    assert found["rows"] == 40_000 and found["groups"] == 8
    assert found["column"] == found["wanted_column"]
    assert found["group"] == found["wanted_group"]
    assert found["filtered"] == 10
    # The point of the format: a column of one row group is a small part of the file.
    assert found["size"] > 4 * MIB and found["read"] < found["size"] / 10


@pytest.mark.parametrize("way", ["pyarrow", "s3fs"])
def test_the_calls_of_a_file_system(filesystems, account, bucket, way):
    s3 = by(account, "endpoint-url")
    found = filesystems(f"files-{way}")
    assert found == {"ok": True}
    assert keys_of(s3, bucket) == ["left/behind.bin"]
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


@pytest.mark.parametrize("way", ["pyarrow", "s3fs"])
def test_a_partitioned_dataset(filesystems, account, bucket, way):
    found = filesystems(f"dataset-{way}")
    assert found == {"rows": 1000, "one_part": 250, "sum": sum(range(1000))}
    keys = keys_of(by(account, "endpoint-url"), bucket)
    assert {urllib.parse.unquote(key).split("/")[1] for key in keys if key.endswith(".parquet")} == {f"part={n}" for n in range(4)}
