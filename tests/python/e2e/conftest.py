"""Fixtures: one server for each test file, one account for each test. A red run keeps its log and data folder.

`STOA_BINARY` names the binary; by default the dev build of this checkout.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

from support import ROOT, Server  # noqa: E402

# Nothing of the developer's own AWS set-up may reach a client under test.
for name in [name for name in os.environ if name.startswith("AWS_") or name.upper().endswith("_PROXY")]:
    del os.environ[name]
os.environ.update(
    AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/nonexistent", AWS_SHARED_CREDENTIALS_FILE="/nonexistent"
)


def binary():
    default = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "stoa"
    found = Path(os.environ.get("STOA_BINARY", default))
    if not found.is_file():
        pytest.exit(f"{found} is not there: `cargo build -p stoa`, or set STOA_BINARY", returncode=2)
    return found


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Marks the module as failed, so that its server's folder is kept, and says where it is."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    item.module.__dict__["_failed"] = True
    for server in item.module.__dict__.get("_servers", []):
        report.sections.append((f"stoa: {server.home}", server.log_tail()))


def keep_or_remove(request, server):
    failed = request.node.getparent(pytest.Module).module.__dict__.get("_failed", False)
    if not failed:
        shutil.rmtree(server.home, ignore_errors=True)


def new_server(request, **settings):
    # A short path: the containers' sockets lie below it, and such a path has 107 bytes at most.
    server = Server(binary(), tempfile.mkdtemp(prefix="stoa-", dir="/tmp"), **settings)
    request.node.getparent(pytest.Module).module.__dict__.setdefault("_servers", []).append(server)
    return server


@pytest.fixture(scope="module")
def server(request):
    """The file's server. It must still be up when the file is through, and end when it is asked to."""
    started = new_server(request).start()
    yield started
    alive = started.running()
    ended = started.stop()
    keep_or_remove(request, started)
    assert alive, f"the server died: {started.log_tail()}"
    assert ended == 0, f"the server ended with {ended}: {started.log_tail()}"


@pytest.fixture
def own_server(request):
    """A server that this test alone has, not started yet."""
    made = new_server(request)
    yield made
    if made.process is not None and made.running():
        made.stop()
    keep_or_remove(request, made)


@pytest.fixture
def account(server, request):
    """An account that only this test uses."""
    return server.new_account(request.node.name[:40].replace("[", "-").replace("]", ""))
