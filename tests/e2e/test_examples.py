# SPDX-License-Identifier: MIT
"""The example of README: workers of pytest-xdist, each on its own branch of one fixture."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from admin import admin, ok
from harness import ROOT, SLOW, client, eventually, serving

pytestmark = pytest.mark.options

EXAMPLE = ROOT / "examples/pytest-xdist"


def command(server, folder, workers):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "AWS_"))}
    return {"args": [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", str(workers), str(folder)],
            "env": {**environment, "AWS_ENDPOINT_URL_S3": server.url, "PYTHONDONTWRITEBYTECODE": "1"}}  # fmt: skip


def passes(server, folder, tests, workers=2):
    done = subprocess.run(**command(server, folder, workers), capture_output=True, text=True, check=False, timeout=110 * SLOW)
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(rf"\b{tests} passed", done.stdout), done.stdout


def branches(server):
    return [b["name"] for b in ok(admin(server, "GET", "branches"))["branches"]]


def test_sixteen_workers_of_pytest():
    with serving("--bucket", "shop") as server:
        passes(server, EXAMPLE, 160, workers=16)
        # Each worker was served by a branch of its own, and took it away again.
        assert branches(server) == ["main"]
        journal = ok(admin(server, "GET", "requests", limit=1000))["requests"]
        assert len({r["branch"] for r in journal}) >= 8


@pytest.fixture
def folder(tmp_path):
    """A copy of the example with four tests."""
    copy = shutil.copytree(EXAMPLE, tmp_path / "example")
    tests = copy / "test_orders.py"
    tests.write_text(tests.read_text().replace("range(160)", "range(4)"))
    return copy


def test_a_changed_fixture(folder):
    tests = folder / "test_orders.py"
    with serving("--bucket", "shop") as server:
        passes(server, folder, 4)
        passes(server, folder, 4)  # the fixture of the run before
        before = ok(admin(server, "GET", "snapshots"))["snapshots"]
        conftest = folder / "conftest.py"
        conftest.write_text(conftest.read_text().replace('b"open"', 'b"changed"'))
        tests.write_text(tests.read_text() + """

def test_the_change(s3):
    assert s3.get_object(Bucket="shop", Key="orders/007")["Body"].read() == b"changed"
""")
        passes(server, folder, 5)
        after = ok(admin(server, "GET", "snapshots"))["snapshots"]
        assert len(before) == len(after) == 1 and before[0]["name"] != after[0]["name"]


def test_a_killed_run(folder):
    conftest = folder / "conftest.py"
    whole = conftest.read_text()
    with serving("--bucket", "shop") as server:
        # Killed while it builds, and killed among its tests.
        for slow in ('    for i in range(100):', "    yield client(branch)"):
            conftest.write_text(whole.replace(slow, f"    time.sleep(100)\n{slow}"))
            run = subprocess.Popen(**command(server, folder, 2), start_new_session=True, stdout=subprocess.DEVNULL)
            try:
                eventually(lambda: any("building-" in b or "worker-" in b for b in branches(server)), 60)
            finally:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
        for stale in branches(server):
            if stale.startswith("worker-"):
                client(server, key=stale).put_object(Bucket="shop", Key="orders/stale", Body=b"x")
        assert len(branches(server)) > 1
        conftest.write_text(whole)
        passes(server, folder, 4)
        assert branches(server) == ["main"]
