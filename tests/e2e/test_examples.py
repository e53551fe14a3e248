# SPDX-License-Identifier: MIT
"""The example of README: 16 workers of pytest-xdist, each on its own branch of one fixture."""

import os
import re
import subprocess
import sys

from admin import admin, ok
from harness import ROOT, SLOW, serving


def test_sixteen_workers_of_pytest():
    with serving("--bucket", "shop") as server:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "16",
             str(ROOT / "examples/pytest-xdist")],
            capture_output=True, text=True, check=False, timeout=110 * SLOW,
            env={**environment, "AWS_ENDPOINT_URL": server.url, "PYTHONDONTWRITEBYTECODE": "1"})
        assert done.returncode == 0, done.stdout[-4000:]
        assert re.search(r"\b160 passed", done.stdout), done.stdout
        # Each worker was served by a branch of its own, and took it away again.
        seen = ok(admin(server, "GET", "stats"))
        assert [b["name"] for b in seen["branches"]] == ["fixture", "main"]
        journal = ok(admin(server, "GET", "requests", limit=1000))["requests"]
        assert len({r["branch"] for r in journal}) >= 8
