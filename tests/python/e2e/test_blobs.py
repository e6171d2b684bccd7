"""Blobs that must not be taken for others: a copied data folder in an object store, a scrub that only looks, parts of an
upload that were exchanged on the disk."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import new_server
from support import REGION, clean_environment, refused

LOCATION = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
PART = 5 << 20


@pytest.fixture
def backed(request, own_server):
    """A server without sample models whose blobs are in a bucket of another Stoa; what nothing names goes at once."""
    other = new_server(request)
    other.arguments = ["--no-sample-catalog"]
    other.start()
    try:
        owner = other.new_account("owner")
        owner.client("s3").create_bucket(Bucket="blobs-of-another", **LOCATION)
        own_server.config = own_server.home / "stoa.toml"
        url = f"s3://blobs-of-another/first?endpoint={other.url}&region={REGION}"
        own_server.config.write_text(f'blobs = "{url}"\nblobs_grace_seconds = 0\n')
        own_server.arguments = ["--no-sample-catalog", "--config", str(own_server.config)]
        own_server.keys = {"AWS_ACCESS_KEY_ID": owner.key, "AWS_SECRET_ACCESS_KEY": owner.secret}
        own_server.owner = owner
        yield own_server
        if own_server.process is not None:
            own_server.stop()
    finally:
        other.stop()
        shutil.rmtree(other.home, ignore_errors=True)


def offline(server, *arguments):
    """A command on the data folder, with the keys of the object store."""
    command = [server.binary, *map(str, arguments), "--data-dir", str(server.data_dir)]
    environment = {**clean_environment(), **server.keys}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


def stored(server):
    listed = server.owner.client("s3").list_objects_v2(Bucket="blobs-of-another", Prefix="first/blobs/")
    return {one["Key"].rpartition("/")[2] for one in listed.get("Contents", [])}


def test_a_copied_data_folder_harms_nothing(backed):
    world = backed.start(environment=backed.keys)
    account = world.new_account("copied")
    s3, bucket = account.client("s3"), f"b-{account.id}"
    s3.create_bucket(Bucket=bucket, **LOCATION)
    s3.put_object(Bucket=bucket, Key="before", Body=b"before the copy")
    world.stop()
    first, copy = world.home / "renamed", world.home / "copy"
    shutil.copytree(world.data_dir, copy)
    # The same folder under another name is the same.
    world.data_dir.rename(first)
    world.data_dir = first
    world.start(environment=world.keys)
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key="after", Body=b"after the copy, which does not know of it")
    there = stored(world)
    world.stop()

    world.data_dir = copy
    with pytest.raises(AssertionError, match="is a copy of it, or was moved to another disk"):
        world.start(environment=world.keys)
    told = offline(world, "blobs", "verify", "--config", world.config)
    assert told.returncode != 0 and "is a copy of it" in told.stderr
    assert stored(world) == there

    # Whoever takes the place over while the first one runs is believed, and the first removes nothing any more.
    world.data_dir = first
    world.start(environment=world.keys)
    s3 = account.client("s3")
    assert s3.get_object(Bucket=bucket, Key="after")["Body"].read().startswith(b"after")
    s3.delete_object(Bucket=bucket, Key="before")
    world.data_dir = copy
    done = offline(world, "blobs", "take-over", "--config", world.config)
    assert (done.returncode, done.stdout) == (0, "the blobs are this data folder's\n"), done.stderr
    world.data_dir = first
    told = world.command("blobs", "collect", check=False)
    assert told.returncode != 0 and "another data folder has taken these blobs" in told.stderr
    assert stored(world) == there
    world.stop()
    with pytest.raises(AssertionError, match=f"the data folder .*{copy}"):
        world.start(environment=world.keys)
    world.data_dir = copy
    world.start(environment=world.keys)
    assert account.client("s3").get_object(Bucket=bucket, Key="before")["Body"].read() == b"before the copy"


def test_a_backup_of_before_the_move_takes_the_place_over(backed):
    world = backed.start(environment=backed.keys)
    world.stop()
    backup = world.home / "backup"
    shutil.copytree(world.data_dir, backup)
    world.config.write_text(world.config.read_text().replace("/first?", "/second?"))
    world.start(environment=world.keys)
    world.stop()
    world.data_dir = backup
    with pytest.raises(AssertionError, match="take-over"):
        world.start(environment=world.keys)
    done = offline(world, "blobs", "take-over", "--config", world.config)
    assert done.returncode == 0, done.stderr
    world.start(environment=world.keys)
    assert [one["stoaPhase"] for one in world.records("--event", "TakeOverBlobs")] == ["complete"]


def test_a_scrub_writes_nothing_down(backed):
    world = backed.start(environment=backed.keys)
    world.stop()
    # Nothing is stored yet, so any place has all of it; without its configuration it would look in the data folder.
    told = offline(world, "blobs", "verify")
    assert told.returncode != 0 and "s3://blobs-of-another/first: say where with --config" in told.stderr, told.stderr
    found = offline(world, "blobs", "verify", "--json", "--config", world.config)
    assert found.returncode == 0 and json.loads(found.stdout)["findings"] == []
    second = world.home / "second.toml"
    second.write_text(world.config.read_text().replace("/first?", "/second?"))
    found = offline(world, "blobs", "verify", "--json", "--config", second)
    assert found.returncode == 0 and "nothing is changed" in found.stderr
    keys = [one["Key"] for one in world.owner.client("s3").list_objects_v2(Bucket="blobs-of-another")["Contents"]]
    assert keys == ["first/owner"], "the other place is still nobody's"
    world.start(environment=world.keys)
    assert "blobs are in another place" not in world.log.read_text().split("stopping")[-1]


@pytest.mark.parametrize("sealed", [True, False])
def test_parts_that_were_exchanged_on_the_disk_make_no_object(server, sealed):
    account = server.new_account("parts")
    s3, bucket = account.client("s3"), f"parts-{account.id}"
    s3.create_bucket(Bucket=bucket, **LOCATION)
    name, etags, files = {"Bucket": bucket, "Key": "k"}, [], []
    bodies = [os.urandom(PART) for _ in range(3)]
    more = {"ServerSideEncryption": "AES256"} if sealed else {}
    upload = s3.create_multipart_upload(**name, **more)["UploadId"]
    of_now = lambda: {path for path in (server.data_dir / "blobs").rglob("*") if path.is_file()}  # noqa: E731
    for number, body in enumerate(bodies):
        before = of_now()
        etags.append(s3.upload_part(**name, UploadId=upload, PartNumber=number + 1, Body=body)["ETag"])
        (file,) = of_now() - before
        files.append(file)

    def exchange(one, two):
        assert one.stat().st_size == two.stat().st_size
        aside = one.with_suffix(".aside")
        one.rename(aside)
        two.rename(one)
        aside.rename(two)

    parts = {"Parts": [{"PartNumber": number + 1, "ETag": tag} for number, tag in enumerate(etags)]}
    exchange(files[0], files[1])
    with refused("InternalError", status=500):
        s3.complete_multipart_upload(**name, UploadId=upload, MultipartUpload=parts)
    with refused("NoSuchKey"):
        s3.get_object(**name)
    exchange(files[0], files[1])
    s3.complete_multipart_upload(**name, UploadId=upload, MultipartUpload=parts)
    assert s3.get_object(**name)["Body"].read() == b"".join(bodies)
