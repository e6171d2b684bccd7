"""What the gate of a hub looks into: ways past it that Python's own libraries make, disks that fail, and newer scanners."""

import bz2
import hashlib
import json
import lzma
import pickle
import sqlite3
import subprocess
import tarfile
import zipfile
from io import BytesIO

import numpy
import pytest

from support import wait_for
from test_admission import SAFETENSORS, Evil, Site, tar_of

EVIL = pickle.dumps(Evil())


@pytest.fixture
def site(account, request):
    return Site(account, hashlib.sha256(request.node.name.encode()).hexdigest()[:8])


def npy(array):
    out = BytesIO()
    numpy.save(out, array, allow_pickle=True)
    return out.getvalue()


def zip_of(method, **files):
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def sparse_tar(folder):
    """As GNU tar writes a file with holes, the pickle being behind one."""
    with open(folder / "model.bin", "wb") as file:
        file.write(EVIL)
        file.truncate(1 << 20)
    made = {}
    for form in ("gnu", "posix"):
        subprocess.run(["tar", f"--format={form}", "-S", "-cf", f"{form}.tar", "model.bin"], cwd=folder, check=True)
        made[form] = (folder / f"{form}.tar").read_bytes()
    return made


def pax_size_tar():
    """To `tarfile` the second size counts, and the model is what follows."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a")
        info.size, info.pax_headers = 512, {"size": "0"}
        archive.addfile(info, BytesIO(bytes(512)))
    return out.getvalue()


def test_what_is_not_looked_into_is_refused(site, tmp_path):
    structure = numpy.zeros(1, dtype=[("a", "O"), ("b", "<f4")])
    structure["a"][0] = Evil()
    sparse = sparse_tar(tmp_path)
    refused = {
        "bz2": (bz2.compress(EVIL), "bzip2"),
        "xz": (lzma.compress(EVIL), "xz"),
        "lzma": (lzma.compress(EVIL, lzma.FORMAT_ALONE), "lzma"),
        "xz-in-tar": (tar_of(model=lzma.compress(EVIL)), "xz"),
        "zip-bz2": (zip_of(zipfile.ZIP_BZIP2, model=EVIL), "bzip2"),
        "zip-lzma": (zip_of(zipfile.ZIP_LZMA, model=EVIL), "lzma"),
        "objects": (npy(numpy.array([Evil()], dtype=object)), "system"),
        "structure": (npy(structure), "system"),
        "sparse-gnu": (sparse["gnu"], "holes"),
        "sparse-pax": (sparse["posix"], "holes"),
        "pax-size": (pax_size_tar(), "unusual size"),
        "two-zips": (zip_of(zipfile.ZIP_STORED, a=b"x") + zip_of(zipfile.ZIP_STORED, b=EVIL), "not where its end says"),
        "underscore": (b"Vposix\np1_0\nVsystem\np11\n00g10\ng11\n\x93(Vid\ntR.", "posix.system"),
        "long-line": (b"V" + b"a" * (2 << 20) + b"\n0cposix\nsystem\n(Vid\ntR.", "posix.system"),
    }
    fine = {
        "arrays": npy(numpy.zeros((2, 3), dtype="<f4")),
        "archive": zip_of(zipfile.ZIP_DEFLATED, **{"a.npy": npy(numpy.arange(10)), "b.txt": b"x" * 5000}),
        "tar": tar_of(model__safetensors=SAFETENSORS, config__json=b"{}"),
    }
    site.policy(UnsafePickle="Refuse")
    for name, (content, _) in refused.items():
        site.put(name, model=content, wait=False)
    for name, content in fine.items():
        site.put(name, model=content, wait=False)
    for name, (_, word) in refused.items():
        found = site.judged(name)
        assert (found["HubContentStatus"], word in found["FailureReason"]) == ("ImportFailed", True), (name, found)
    for name in fine:
        assert site.judged(name)["HubContentStatus"] == "Available", name
    # Who goes by formats alone does not take what was not looked into either.
    site.policy(AllowedFormats=["Tar", "Zip", "NumPy", "Safetensors", "JSON"])
    found = site.put("by-format", model__tar=sparse["posix"])
    assert "the format Unknown of a file in it is not allowed" in found["FailureReason"]


def test_what_may_come_out_is_bounded_by_the_policy(site):
    bomb = tar_of(zeros=bytes(4 << 20))
    site.policy(UnsafePickle="Refuse", MaxTotalBytes=1 << 20)
    found = site.put("bomb", model__tar__gz=bomb)
    assert "expands to more than is looked into" in found["FailureReason"]
    # The same bytes where more may come out.
    site.policy(UnsafePickle="Refuse", MaxTotalBytes=64 << 20)
    assert site.put("again", model__tar__gz=bomb)["HubContentStatus"] == "Available"


def test_a_disk_that_fails_concludes_nothing(own_server):
    # Nothing is unpacked in the system's folder for temporary files.
    server = own_server.start({"TMPDIR": "/nonexistent"})
    site = Site(server.new_account("disk"), "disk")
    site.policy(UnsafePickle="Refuse")
    assert site.put("before", model__tar__gz=tar_of(a=b"x"))["HubContentStatus"] == "Available"
    spool = server.data_dir / "spool"
    assert list(spool.iterdir()) == []
    spool.rmdir()
    spool.write_text("in the way")
    site.put("held", model__tar__gz=tar_of(a=b"y"), wait=False)
    wait_for("the log says so", lambda: "an import could not be judged" in server.log.read_text())
    assert "File exists" in server.log.read_text() or "Not a directory" in server.log.read_text()
    assert site.describe("held")["HubContentStatus"] == "Importing"
    spool.unlink()
    # The policy put again wakes the judging, which would come by itself.
    site.policy(UnsafePickle="Refuse")
    assert site.judged("held")["HubContentStatus"] == "Available"


def test_what_an_older_scanner_let_in_is_judged_again(own_server):
    server = own_server.start()
    site = Site(server.new_account("older"), "older")
    site.put("ungoverned", model__pkl=EVIL, wait=False)
    site.policy(UnsafePickle="Quarantine")
    assert site.put("evil", model__tar__gz=tar_of(model=EVIL))["HubContentStatus"] == "PendingImport"
    assert site.put("good", model__tar__gz=tar_of(model=b"x"))["HubContentStatus"] == "Available"
    assert server.stop() == 0
    # As a scanner that found nothing in it would have left it.
    with sqlite3.connect(server.data_dir / "stoa.db") as connection:
        change = "update document set body = ?, status = coalesce(?, status) where kind = ? and id = ?"
        rows = connection.execute("select kind, id, body from document where kind in (?, ?)", (
            "sagemaker:hub-content", "sagemaker:blob-scan")).fetchall()
        for kind, key, body in rows:
            body = json.loads(body)
            if kind == "sagemaker:blob-scan":
                body = {"scanner": 1, "scan": {"format": "Tar"}}
                connection.execute(change, (json.dumps(body), None, kind, key))
            elif body.get("judged_by"):
                body["judged_by"] = body["judged_by"].split(":")[1]
                body.pop("failure_reason", None)
                connection.execute(change, (json.dumps(body), "Available", kind, key))
    server.start()
    site = again(server, site)
    found = site.judged("evil", unlike=("Available",))
    assert found["HubContentStatus"] == "PendingImport" and "system" in found["FailureReason"]
    assert site.describe("good")["HubContentStatus"] == "Available"
    assert site.describe("ungoverned")["HubContentStatus"] == "Available", "let in before there was a policy"


def again(server, site):
    """The site's clients at the new address."""
    site.sm, site.s3 = site.account.client("sagemaker"), site.account.client("s3")
    return site
