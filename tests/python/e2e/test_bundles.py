"""Bundles: models carried from one site to another where no network goes, by the commands alone."""

import json
import os
import subprocess
import tarfile

from conftest import new_server
from support import GATED, IRIS, PUBLIC_HUB, TINY, clean_environment, wait_for


def offline(server, *arguments, check=True):
    """A command without any server or data folder."""
    done = subprocess.run(
        [server.binary, *map(str, arguments)], capture_output=True, text=True, timeout=120, env=clean_environment(), cwd="/"
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def listed(server):
    entries = json.loads(server.command("catalog", "list", "--json").stdout)
    return {(entry["id"], entry["version"]): entry["files"] for entry in entries}


def test_a_signed_bundle_moves_a_catalog(request, server, tmp_path):
    key, bundle = tmp_path / "key.pem", tmp_path / "models.stoa"
    public = offline(server, "catalog", "keygen", "--out", key).stdout.strip()
    assert public.startswith("ed25519:") and oct(key.stat().st_mode)[-3:] == "600"
    done = json.loads(server.command(
        "catalog", "export", "--out", bundle, "--model", TINY, "--model", f"{IRIS}@1.1.0", "--model", GATED, "--sign", key
    ).stdout)
    assert done["signed_by"] == public and done["bytes"] == bundle.stat().st_size
    # Any tar lists it; OpenSSL checks the signature.
    with tarfile.open(bundle) as archive:
        names = archive.getnames()
        manifest = archive.extractfile("stoa-bundle.json").read()
        signature = json.loads(archive.extractfile("stoa-bundle.sig").read())
    assert names[:2] == ["stoa-bundle.json", "stoa-bundle.sig"]
    from base64 import b64decode

    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    load_pem_public_key((tmp_path / "key.pem.pub").read_bytes()).verify(b64decode(signature["signature"]), manifest)
    # Verified where no server is.
    report = json.loads(offline(server, "catalog", "verify", bundle, "--trust", f"{key}.pub").stdout)
    assert report["signer"] == {"key": public, "trusted": True} and len(report["models"]) == 3
    assert "only digests" in offline(server, "catalog", "verify", bundle).stderr
    other = new_server(request, arguments=["--no-sample-catalog"]).start()
    try:
        stranger = tmp_path / "stranger.pem"
        offline(other, "catalog", "keygen", "--out", stranger)
        refusal = other.command("catalog", "import", bundle, "--trust", f"{stranger}.pub", check=False)
        assert refusal.returncode != 0 and "not among the trusted keys" in refusal.stderr
        assert listed(other) == {}
        done = json.loads(other.command("catalog", "import", bundle, "--trust", public).stdout)
        assert len(done["imported"]) == 3 and done["signer"]["trusted"]
        there = listed(server)
        assert listed(other) == {name: there[name] for name in listed(other)}
        # What came is the public hub's like anything else.
        account = other.new_account("user")
        hub = account.client("sagemaker").list_hub_contents(HubName=PUBLIC_HUB, HubContentType="Model")
        assert {one["HubContentName"] for one in hub["HubContentSummaries"]} == {TINY, IRIS, GATED}
        again = json.loads(other.command("catalog", "import", bundle, "--trust", f"{key}.pub").stdout)
        assert again["imported"] == [] and again["blobs_stored"] == 0
        records = [record["requestParameters"] for record in other.records("--event", "ImportBundle")]
        assert {"command": "ImportBundle", "path": str(bundle), "trusted": [public]} in records
    finally:
        assert other.stop() == 0


def test_keygen_makes_both_files_or_none(tmp_path, server):
    key, public = tmp_path / "key.pem", tmp_path / "key.pem.pub"
    public.write_text("of another key")
    refusal = offline(server, "catalog", "keygen", "--out", key, check=False)
    assert refusal.returncode != 0 and str(public) in refusal.stderr
    assert not key.exists() and public.read_text() == "of another key"
    public.unlink()
    offline(server, "catalog", "keygen", "--out", key)
    assert oct(key.stat().st_mode)[-3:] == "600" and public.exists()
    before = key.read_text(), public.read_text()
    assert offline(server, "catalog", "keygen", "--out", key, check=False).returncode != 0
    assert (key.read_text(), public.read_text()) == before


def test_a_damaged_bundle_names_the_file_and_shows_nothing(request, server, tmp_path):
    bundle = tmp_path / "models.stoa"
    server.command("catalog", "export", "--out", bundle, "--model", TINY)
    with tarfile.open(bundle) as archive:
        blob = max((one for one in archive.getmembers() if one.name.startswith("blobs/")), key=lambda one: one.size)
    damaged = bytearray(bundle.read_bytes())
    damaged[blob.offset_data + blob.size // 2] ^= 1
    bundle.write_bytes(damaged)
    refusal = offline(server, "catalog", "verify", bundle, check=False)
    assert refusal.returncode != 0 and f"model.onnx of {TINY}" in refusal.stderr
    other = new_server(request, arguments=["--no-sample-catalog"]).start()
    try:
        refusal = other.command("catalog", "import", bundle, check=False)
        assert refusal.returncode != 0 and blob.name in refusal.stderr and f"model.onnx of {TINY}" in refusal.stderr
        assert listed(other) == {}
    finally:
        assert other.stop() == 0


def test_an_import_that_is_killed_goes_on(request, server, tmp_path):
    """`kill -9` again and again in the middle of an import: each start goes on, and in the end all of it is there."""
    from test_presigned import model_folder

    for number in range(8):
        names = {f"{name}.bin": f"{number}-{name}" * 2000 for name in range(40)}
        server.command("catalog", "import", model_folder(tmp_path, f"acme-tabular-many{number}", names))
    bundle = tmp_path / "many.stoa"
    wanted = [f"acme-tabular-many{number}" for number in range(8)]
    server.command("catalog", "export", "--out", bundle, *[word for model in wanted for word in ("--model", model)])
    other = new_server(request, arguments=["--no-sample-catalog"]).start()
    seen = 0
    for _ in range(20):
        importing = subprocess.Popen(
            [other.binary, "catalog", "import", str(bundle), "--data-dir", str(other.data_dir)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment(),
        )
        blobs = other.data_dir / "blobs"
        count = lambda: sum(len(files) for _, _, files in os.walk(blobs))
        target = count() + 30
        wait_for("blobs are written or the import ends", lambda: count() >= target or importing.poll() is not None, pause=0.001)
        other.kill()
        importing.wait()
        other.start()
        there = listed(other)
        # Every model that shows has all its files, and none that was there is gone.
        assert all(len(files) == 40 for files in there.values()) and len(there) >= seen
        # Each file is the blob that it is said to be, byte for byte.
        verified = json.loads(other.command("blobs", "verify", "--fix-nothing", "--json").stdout)
        assert verified["blobs"] >= 40 * len(there) and verified["findings"] == [], verified
        seen = len(there)
        if seen == len(wanted):
            break
    done = json.loads(other.command("catalog", "import", bundle).stdout)
    assert sorted(listed(other)) == [(model, "1.0.0") for model in wanted], done
    assert other.stop() == 0


SAFETENSORS = b'{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'


def test_a_repository_of_hugging_face_is_imported_from_disk(server, account, tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "README.md").write_text(
        "---\nlicense: mit\nlanguage: en\npipeline_tag: text-classification\ntags: [small]\n---\n# Small\n\nA small one.\n"
    )
    (folder / "config.json").write_text(json.dumps({"architectures": ["BertForSequenceClassification"], "model_type": "bert"}))
    (folder / "model.safetensors").write_bytes(len(SAFETENSORS).to_bytes(8, "little") + SAFETENSORS + bytes(16))
    model = "huggingface-textclassification-small"
    refusal = server.command("catalog", "import-hf", folder, "--id", model, check=False)
    assert refusal.returncode != 0 and "provider" in refusal.stderr
    done = server.command("catalog", "import-hf", folder, "--id", model, "--repository", "acme/small")
    assert json.loads(done.stdout)["imported"] == [{"id": model, "version": "1.0.0"}]
    assert "ONNX" in done.stderr
    described = account.client("sagemaker").describe_hub_content(
        HubName=PUBLIC_HUB, HubContentType="Model", HubContentName=model
    )
    document = json.loads(described["HubContentDocument"])
    assert document["HuggingFace"]["ParameterCount"] == 4
    assert document["License"] == "mit" and document["Task"] == "Text Classification"
    assert "@language:en" in described["HubContentSearchKeywords"]
