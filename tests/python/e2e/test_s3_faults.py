"""Faults of disks and processes: a full disk, two hundred kills, rotten blobs, and what the collector and the scrub make
of them. What was acknowledged is whole, what was deleted is gone, nothing is leaked and nothing is missing."""

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import threading
import time
from urllib.parse import quote

import pytest
import requests
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import new_server
from support import (
    NO_PROXIES,
    REGION,
    clean_environment,
    deploy_public,
    endpoint_status,
    iris_label,
    refused,
    wait_for,
)

LOCATION = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
# AWS's least size of a part that is not the last.
PART = 5 << 20
ROUNDS = int(os.environ.get("STOA_FAULT_ROUNDS", "200"))


def prepare(server, grace=0):
    """No sample models, and blobs that nothing names go at once."""
    (server.home / "stoa.toml").write_text(f"blobs_grace_seconds = {grace}\n")
    server.arguments = ["--no-sample-catalog", "--config", str(server.home / "stoa.toml")]
    return server


@pytest.fixture
def world(own_server):
    prepare(own_server).start()
    own_server.account = own_server.new_account("faults")
    own_server.s3 = own_server.account.client("s3")
    own_server.bucket = f"b-{own_server.account.id}"
    own_server.s3.create_bucket(Bucket=own_server.bucket, **LOCATION)
    return own_server


def sha(body):
    return hashlib.sha256(body).hexdigest()


def blobs(server):
    """The digests of all blobs on the disk."""
    return {path.name for path in (server.data_dir / "blobs").rglob("*") if path.is_file()}


def temporary(server):
    return list((server.data_dir / "tmp").iterdir())


def usage(server):
    return json.loads(server.command("blobs", "usage", "--json").stdout)


def collect(server, *more, check=True):
    return json.loads(server.command("blobs", "collect", "--json", *more, check=check).stdout)


def verify(server, *more, expected=0):
    done = server.command("blobs", "verify", "--json", *more, check=False)
    assert done.returncode == expected, f"{done.returncode}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout)


# ---- the collector ------------------------------------------------------------------------------------------------


def test_what_has_no_name_any_more_is_collected(world):
    s3, bucket = world.s3, world.bucket
    names = {"Bucket": bucket}
    one, two, three = (os.urandom(70_000) for _ in range(3))
    s3.put_object(**names, Key="kept", Body=one)
    s3.put_object(**names, Key="same", Body=one)
    s3.put_object(**names, Key="overwritten", Body=two)
    s3.put_object(**names, Key="overwritten", Body=b"short")
    s3.put_object(**names, Key="deleted", Body=three)
    s3.copy_object(**names, Key="copy", CopySource=f"{bucket}/deleted")
    s3.delete_object(**names, Key="deleted")
    parts = [os.urandom(PART), os.urandom(1000)]
    upload = s3.create_multipart_upload(**names, Key="joined")["UploadId"]
    done = [s3.upload_part(**names, Key="joined", UploadId=upload, PartNumber=number + 1, Body=part)["ETag"]
            for number, part in enumerate(parts)]
    open_parts = {sha(part) for part in parts}
    collect(world)
    assert open_parts <= blobs(world), "parts of an upload that goes on stay"
    s3.complete_multipart_upload(**names, Key="joined", UploadId=upload, MultipartUpload={
        "Parts": [{"PartNumber": number + 1, "ETag": tag} for number, tag in enumerate(done)]})
    aborted = s3.create_multipart_upload(**names, Key="aborted")["UploadId"]
    s3.upload_part(**names, Key="aborted", UploadId=aborted, PartNumber=1, Body=b"of an aborted upload")
    s3.abort_multipart_upload(**names, Key="aborted", UploadId=aborted)

    before = blobs(world)
    dry = collect(world, "--dry-run")
    assert blobs(world) == before, "a dry run removes nothing"
    live = {sha(one), sha(b"short"), sha(three), sha(b"".join(parts))}
    gone = collect(world)
    assert blobs(world) == live
    assert gone["removed"] == dry["removed"] == len(before - live), (gone, dry)
    found = usage(world)
    assert found["unnamed"] == 0 and found["blobs"] == 4 and found["names"] == 5, found
    for key, body in {"kept": one, "same": one, "copy": three, "joined": b"".join(parts)}.items():
        assert s3.get_object(**names, Key=key)["Body"].read() == body
    assert "removed" in world.log_tail()
    assert verify(world)["blobs"] == 4
    # What is settled of an object does not change what it names.
    s3.put_object_tagging(**names, Key="copy", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    assert collect(world)["removed"] == 0
    for page in s3.list_objects_v2(**names)["Contents"]:
        s3.delete_object(**names, Key=page["Key"])
    collect(world)
    assert not blobs(world) and usage(world)["names"] == 0


def test_a_grace_keeps_what_lost_its_name(own_server):
    world = prepare(own_server, grace=3600).start()
    account = world.new_account("grace")
    s3, bucket = account.client("s3"), f"b-{account.id}"
    s3.create_bucket(Bucket=bucket, **LOCATION)
    s3.put_object(Bucket=bucket, Key="k", Body=b"bytes")
    s3.delete_object(Bucket=bucket, Key="k")
    told = collect(world)
    assert (told["removed"], told["waiting"]) == (0, 1), told
    assert blobs(world) == {sha(b"bytes")}


def test_models_keep_their_blobs(own_server):
    """The sample models' files outlive collections, and the scrub knows them by name."""
    (own_server.home / "stoa.toml").write_text("blobs_grace_seconds = 0\n")
    own_server.arguments = ["--config", str(own_server.home / "stoa.toml")]
    own_server.start()
    there = blobs(own_server)
    assert there and collect(own_server)["removed"] == 0 and blobs(own_server) == there
    victim = sorted(there)[0]
    (own_server.data_dir / "blobs" / victim[:2] / victim).unlink()
    found = verify(own_server, expected=1)["findings"]
    assert [one["digest"] for one in found] == [victim] and found[0]["trouble"] == "missing"
    assert found[0]["named_by"] and all(name.startswith("public model ") for name in found[0]["named_by"])


# ---- the scrub ----------------------------------------------------------------------------------------------------


def rot(server, digest):
    """Flips one bit of a blob."""
    path = server.data_dir / "blobs" / digest[:2] / digest
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(content))
    path.chmod(0o444)
    return path


@pytest.mark.parametrize("online", [True, False])
def test_the_scrub_names_what_is_damaged_and_whose_it_is(world, online):
    s3, bucket = world.s3, world.bucket
    bodies = {name: os.urandom(200_000) for name in ("whole", "rotten", "lost")}
    for name, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=f"data/{name}", Body=body)
    s3.put_object(Bucket=bucket, Key="data/rotten too", Body=bodies["rotten"])
    path = rot(world, sha(bodies["rotten"]))
    lost = sha(bodies["lost"])
    (world.data_dir / "blobs" / lost[:2] / lost).unlink()
    if not online:
        world.stop()

    found = {one["digest"]: one for one in verify(world, "--fix-nothing", expected=1)["findings"]}
    assert set(found) == {sha(bodies["rotten"]), lost}
    rotten = found[sha(bodies["rotten"])]
    assert rotten["trouble"] == "damaged" and not rotten["set_aside"]
    assert rotten["named_by"] == [f"s3://{bucket}/data/rotten", f"s3://{bucket}/data/rotten too"]
    assert found[lost]["trouble"] == "missing" and found[lost]["named_by"] == [f"s3://{bucket}/data/lost"]
    assert path.is_file(), "--fix-nothing fixes nothing"
    text = world.command("blobs", "verify", "--fix-nothing", "--mib-per-second", "50", check=False)
    assert text.returncode == 1 and f"named by s3://{bucket}/data/lost" in text.stdout, text

    put_aside = {one["digest"]: one for one in verify(world, expected=1)["findings"]}
    assert put_aside[sha(bodies["rotten"])]["set_aside"] and not path.exists()
    assert (world.data_dir / "damaged" / path.name).is_file()
    if not online:
        world.start()
        s3 = world.account.client("s3")
    # Damaged bytes are served to nobody; put again, they are whole.
    with refused("InternalError", status=500):
        s3.get_object(Bucket=bucket, Key="data/rotten")
    for name in ("rotten", "lost"):
        s3.put_object(Bucket=bucket, Key="again", Body=bodies[name])
        assert s3.get_object(Bucket=bucket, Key=f"data/{name}")["Body"].read() == bodies[name]
    assert verify(world)["findings"] == []


# ---- a full disk --------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(own_server):
    """A server whose whole data folder is on a file system of 128 MiB (the audit journal takes half of it)."""
    own_server.data_dir.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128m,mode=700", "stoa-small", str(own_server.data_dir)]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here (it takes root): {mounted.stderr.strip()}")
    try:
        yield prepare(own_server)
        own_server.stop()
    finally:
        subprocess.run(["umount", "--lazy", str(own_server.data_dir)], check=True)


class Raw:
    """Signed requests without a client library: no retries, no connection that a killed server leaves behind."""

    def __init__(self, server, account):
        self.server = server
        self.keys = Credentials(account.key, account.secret)

    def __call__(self, method, path, body=b"", headers=None, timeout=60):
        url = self.server.url + path
        request = AWSRequest(method, url, headers=headers or {})
        Unsigned(self.keys, "s3", REGION).add_auth(request)
        return requests.request(
            method, url, data=body, headers=dict(request.headers.items()), timeout=timeout, proxies=NO_PROXIES)


class Unsigned(S3SigV4Auth):
    def payload(self, request):
        return "UNSIGNED-PAYLOAD"


def test_a_full_disk_refuses_the_put_and_nothing_else(small_disk):
    world = small_disk.start()
    account = world.new_account("full")
    s3, bucket = account.client("s3"), f"b-{account.id}"
    s3.create_bucket(Bucket=bucket, **LOCATION)
    kept = os.urandom(3_000_000)
    s3.put_object(Bucket=bucket, Key="kept", Body=kept)
    s3.put_object(Bucket=bucket, Key="old", Body=b"before")
    there = blobs(world)
    free = os.statvfs(world.data_dir)
    size = free.f_bavail * free.f_frsize + 100_000
    assert size < 130 << 20, "the small disk is not the data folder's"
    body = os.urandom(size)
    for key in ("big", "old"):
        answer = Raw(world, account)("PUT", f"/{bucket}/{key}", body)
        assert answer.status_code == 507 and b"<Code>InternalError</Code>" in answer.content, answer.content
        assert b"no space left" in answer.content
        assert not temporary(world) and blobs(world) == there, "nothing half-written stays"
    # Parts fit, the whole beside them does not: the upload stays, to be completed once there is room.
    upload = s3.create_multipart_upload(Bucket=bucket, Key="joined")["UploadId"]
    part = os.urandom(size // 3)
    tags = [s3.upload_part(Bucket=bucket, Key="joined", UploadId=upload, PartNumber=number, Body=part[number:])["ETag"]
            for number in (1, 2)]
    parts = {"Parts": [{"PartNumber": number + 1, "ETag": tag} for number, tag in enumerate(tags)]}
    with refused("InternalError", "no space left", status=507):
        s3.complete_multipart_upload(Bucket=bucket, Key="joined", UploadId=upload, MultipartUpload=parts)
    assert not temporary(world) and len(s3.list_parts(Bucket=bucket, Key="joined", UploadId=upload)["Parts"]) == 2
    s3.abort_multipart_upload(Bucket=bucket, Key="joined", UploadId=upload)
    collect(world)
    assert blobs(world) == there

    assert world.running()
    s3.put_object(Bucket=bucket, Key="after", Body=b"there is room")
    assert s3.get_object(Bucket=bucket, Key="kept")["Body"].read() == kept
    assert s3.get_object(Bucket=bucket, Key="old")["Body"].read() == b"before"
    assert sorted(one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]) == ["after", "kept", "old"]
    assert verify(world)["findings"] == []


# ---- two hundred kills --------------------------------------------------------------------------------------------


class Client(threading.Thread):
    """Puts, copies, joins, aborts and deletes under keys that nobody else writes, and knows what must be there: for
    each key the digests that a reader may find, `None` for no object. More than one only where the server was killed
    before it answered."""

    KEYS = 6

    def __init__(self, number, seed):
        super().__init__()
        self.number = number
        self.dice = random.Random(f"{seed}/{number}")
        self.may_be = {f"c{number}/k{key}": {None} for key in range(self.KEYS)}
        self.touched = set()
        self.acknowledged = 0
        self.fault = None
        self.call = None
        self.bucket = None

    def begin(self, call, bucket):
        """A thread can be started once: each round runs in a fresh one."""
        self.call, self.bucket, self.touched = call, bucket, set()
        thread = threading.Thread(target=self.work)
        thread.start()
        return thread

    def work(self):
        try:
            while True:
                self.step()
        except requests.RequestException:
            return
        except BaseException as error:
            self.fault = error
            raise

    def body(self):
        # Some contents are put again and again, under many keys and by all clients.
        if self.dice.random() < 0.4:
            return random.Random(self.dice.randrange(5)).randbytes(40_000)
        return self.dice.randbytes(self.dice.choice([0, 300, 40_000, 70_000, 1_500_000]))

    def path(self, key, query=""):
        return f"/{self.bucket}/{quote(key)}{query}"

    def change(self, key, digest, *request, **more):
        """A call after which the key has this digest, if it is answered."""
        before = self.may_be[key]
        assert len(before) == 1, before
        self.touched.add(key)
        self.may_be[key] = before | {digest}
        answer = self.call(*request, **more)
        assert answer.status_code in (200, 204), f"{answer.status_code} {answer.text}"
        assert b"<Error>" not in answer.content, answer.text
        self.may_be[key] = {digest}
        self.acknowledged += 1

    def step(self):
        key = self.dice.choice(list(self.may_be))
        kind = self.dice.random()
        (now,) = self.may_be[key]
        if kind < 0.45:
            body = self.body()
            self.change(key, sha(body), "PUT", self.path(key), body)
        elif kind < 0.65:
            self.change(key, None, "DELETE", self.path(key))
        elif kind < 0.8:
            source = self.dice.choice(list(self.may_be))
            (digest,) = self.may_be[source]
            if digest is not None and source != key:
                header = {"x-amz-copy-source": quote(f"{self.bucket}/{source}")}
                self.change(key, digest, "PUT", self.path(key), headers=header)
        elif kind < 0.9 and now is not None:
            self.read(key)
        else:
            self.join_parts(key)

    def join_parts(self, key):
        started = self.call("POST", self.path(key, "?uploads="))
        upload = started.text.split("<UploadId>")[1].split("<")[0]
        bodies = [self.body()]
        if self.dice.random() < 0.3:
            bodies.insert(0, random.Random(self.dice.randrange(3)).randbytes(PART))
        tags = []
        for number, body in enumerate(bodies, 1):
            answer = self.call("PUT", self.path(key, f"?partNumber={number}&uploadId={upload}"), body)
            assert answer.status_code == 200, answer.text
            tags.append(answer.headers["ETag"])
        if self.dice.random() < 0.2:
            self.call("DELETE", self.path(key, f"?uploadId={upload}"))
            return
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>" for number, tag in enumerate(tags, 1))
        xml = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        self.change(key, sha(b"".join(bodies)), "POST", self.path(key, f"?uploadId={upload}"), xml)

    def read(self, key):
        """The object is one that may be there, whole; from now on nothing else may."""
        answer = self.call("GET", self.path(key))
        assert answer.status_code in (200, 404), f"{key}: {answer.status_code} {answer.text}"
        found = sha(answer.content) if answer.status_code == 200 else None
        assert found in self.may_be[key], f"{key} is {found}, and may be {self.may_be[key]}"
        self.may_be[key] = {found}

    def check(self, keys):
        for key in keys:
            self.read(key)


def test_two_hundred_kills_leak_nothing_and_lose_nothing(world):
    """Clients write while blobs are collected without a grace, until the server is killed: at a random moment, or by
    itself in the middle of a removal."""
    seed = os.environ.get("STOA_FAULT_SEED") or str(random.randrange(10**9))
    print(f"STOA_FAULT_SEED={seed}")
    dice = random.Random(seed)
    clients = [Client(number, seed) for number in range(3)]
    call = Raw(world, world.account)
    began = time.monotonic()
    for round_number in range(ROUNDS):
        threads = [client.begin(call, world.bucket) for client in clients]
        removing = subprocess_collect(world) if dice.random() < 0.6 else None
        # A moment is random, and how much is done by then too.
        timer = threading.Timer(dice.random() ** 2 * 0.4, world.kill)
        timer.start()
        while removing is not None and world.running():
            removing.wait()
            removing = subprocess_collect(world)
        if removing is not None:
            removing.wait()
        timer.join()
        for thread in threads:
            thread.join()
        for client in clients:
            assert client.fault is None, f"round {round_number}: {client.fault!r}"
        point = dice.choice([None] * 8 + ["blobs-collect-before-remove", "blobs-collect-after-remove"])
        if point:
            end_at_failpoint(world, point)
        world.start()
        all_keys = round_number % 20 == 19
        for client in clients:
            client.check(client.may_be if all_keys else sorted(client.touched))
    took = time.monotonic() - began
    acknowledged = sum(client.acknowledged for client in clients)
    print(f"{ROUNDS} kills, {acknowledged} acknowledged writes, {took:.0f} s")
    assert acknowledged > ROUNDS, "hardly anything was written"
    for client in clients:
        client.check(client.may_be)
    s3 = world.account.client("s3")
    for upload in s3.list_multipart_uploads(Bucket=world.bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=world.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    collect(world)
    live = {digest for client in clients for (digest,) in client.may_be.values() if digest is not None}
    assert blobs(world) == live, "leaked" if blobs(world) - live else "lost"
    assert verify(world)["findings"] == [] and not temporary(world)
    found = usage(world)
    assert found["unnamed"] == 0 and found["blobs"] == len(live), found
    assert "panicked" not in world.log.read_text(errors="replace")


def subprocess_collect(server):
    """A collection through the admin socket, which may well lose its server."""
    return subprocess.Popen(
        [server.binary, "blobs", "collect", "--data-dir", str(server.data_dir)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def end_at_failpoint(server, point):
    """A server that dies in its first collection, perhaps before it is ready; killed where there is nothing to collect."""
    try:
        server.start(environment={"STOA_FAILPOINTS": f"{point}=abort"})
        server.command("blobs", "collect", check=False)
        if server.running():
            server.kill()
    except AssertionError:
        assert not server.running() and "failpoint" in server.log_tail(), server.log_tail()
    server.process.wait(30)


# ---- blobs in an object store -------------------------------------------------------------------------------------


@pytest.fixture
def backed(request, own_server):
    """A server whose blobs are in a bucket of another Stoa, and that other."""
    other = prepare(new_server(request)).start()
    try:
        owner = other.new_account("owner")
        owner.client("s3").create_bucket(Bucket="blobs-of-another", **LOCATION)
        url = f"s3://blobs-of-another/first?endpoint={other.url}&region={REGION}"
        (own_server.home / "stoa.toml").write_text(f'blobs = "{url}"\nblobs_grace_seconds = 0\n')
        own_server.arguments = ["--config", str(own_server.home / "stoa.toml")]
        own_server.keys = {"AWS_ACCESS_KEY_ID": owner.key, "AWS_SECRET_ACCESS_KEY": owner.secret}
        own_server.other, own_server.owner = other, owner
        yield own_server
        if own_server.process is not None:
            own_server.stop()
    finally:
        other.stop()
        shutil.rmtree(other.home, ignore_errors=True)


def stored(world):
    """The keys of the bucket that the blobs are in, by folder."""
    found = {}
    pages = world.owner.client("s3").get_paginator("list_objects_v2").paginate(Bucket="blobs-of-another")
    for one in (one for page in pages for one in page.get("Contents", [])):
        folder, _, name = one["Key"].removeprefix("first/").rpartition("/")
        found.setdefault(folder, set()).add(name)
    return found


def test_a_server_whose_blobs_are_in_an_object_store(backed):
    world = backed.start(environment=backed.keys)
    account = world.new_account("remote")
    role = account.new_role()
    s3, bucket = account.client("s3"), f"b-{account.id}"
    s3.create_bucket(Bucket=bucket, **LOCATION)
    models = stored(world)["blobs"]
    assert models and not blobs(world), "no blob is in the data folder"
    big = os.urandom(20_000_000)
    s3.upload_fileobj(io.BytesIO(big), bucket, "big")
    s3.put_object(Bucket=bucket, Key="small", Body=b"small")
    s3.put_object(Bucket=bucket, Key="same", Body=b"small")
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == big
    ranged = s3.get_object(Bucket=bucket, Key="big", Range="bytes=9999990-10000009")["Body"].read()
    assert ranged == big[9_999_990:10_000_010]
    assert sha(big) in stored(world)["blobs"]
    # Containers are given local copies.
    sm = deploy_public(account, role, "iris")
    assert endpoint_status(sm, "iris")["EndpointStatus"] == "InService"
    assert iris_label(account.client("sagemaker-runtime"), "iris") == "setosa"

    world.kill()
    world.start(environment=world.keys)
    s3 = account.client("s3")
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == big
    s3.delete_object(Bucket=bucket, Key="big")
    # Dates at the store have whole seconds: what is a moment old may be younger than it looks.
    wait_for("only named blobs are left", lambda: collect(world) and stored(world)["blobs"] == models | {sha(b"small")})
    assert "removing" not in stored(world)
    assert verify(world)["findings"] == []
    victim = sha(b"small")
    world.owner.client("s3").put_object(Bucket="blobs-of-another", Key=f"first/blobs/{victim}", Body=b"other")
    (found,) = verify(world, expected=1)["findings"]
    assert found["trouble"] == "damaged" and found["set_aside"]
    assert found["named_by"] == [f"s3://{bucket}/same", f"s3://{bucket}/small"]
    assert victim in stored(world)["damaged"] and victim not in stored(world)["blobs"]
    s3.put_object(Bucket=bucket, Key="small", Body=b"small")
    assert s3.get_object(Bucket=bucket, Key="same")["Body"].read() == b"small"

    # A store that is gone is an error of the server's, and nothing of a put is acknowledged.
    world.other.kill()
    with refused("InternalError", status=500):
        s3.put_object(Bucket=bucket, Key="new", Body=b"nobody takes this")
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="new")
    assert world.running()


def test_blobs_are_not_lost_by_a_slip_in_the_configuration(backed):
    world = backed.start(environment=backed.keys)
    world.stop()
    config = world.home / "stoa.toml"
    text = config.read_text()
    for changed, words in (
        ("blobs_grace_seconds = 0\n", "copy them there first"),
        (text.replace("/first?", "/second?"), "copy them there first"),
        (text.replace("blobs-of-another", "no-such-bucket"), "cannot be used"),
        (text.replace("s3://", "gs://"), "does not begin with s3://"),
    ):
        config.write_text(changed)
        with pytest.raises(AssertionError, match=words):
            world.start(environment=world.keys)
    # Another Stoa must not have this one's prefix: its collector would know none of the names.
    config.write_text(text)
    second = world.home / "second"
    done = subprocess.run(
        [world.binary, "serve", "--data-dir", str(second), "--listen", "127.0.0.1:0", "--config", str(config)],
        capture_output=True, text=True, timeout=60, env={**clean_environment(), **world.keys})
    assert done.returncode != 0 and "blobs of another Stoa" in done.stderr, done.stderr
    world.start(environment=world.keys)
    assert verify(world)["findings"] == []
