# SPDX-License-Identifier: MIT
"""Running s3memctl; without it (--without-ctl) what runs it is skipped."""

import json
import os
import pathlib
import subprocess

import pytest

from harness import S3MEMD, SLOW

CTL = os.environ.get("S3MEMCTL", str(pathlib.Path(S3MEMD).with_name("s3memctl")))
HAS_CTL = os.path.exists(CTL)
NO_CTL = "this build has no s3memctl (--without-ctl)"
needs_ctl = pytest.mark.skipif(not HAS_CTL, reason=NO_CTL)
# No variable and no profile of whoever runs the tests.
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3MEM"))}
ENV["HOME"] = "/nonexistent"


def need_ctl():
    if not HAS_CTL:
        pytest.skip(NO_CTL)


def run_ctl(server, *args, env=None, stdin=None):
    need_ctl()
    endpoint = {"S3MEMCTL_ENDPOINT": server.url} if server else {}
    return subprocess.run([CTL, *map(str, args)], capture_output=True, timeout=60 * SLOW,
                          check=False, input=stdin, env={**ENV, **endpoint, **(env or {})})


def ctl(server, *args, env=None, status=0, stdin=None):
    """Runs it; returns what it printed on standard output."""
    done = run_ctl(server, *args, env=env, stdin=stdin)
    err = done.stderr.decode()
    assert done.returncode == status, (args, done.returncode, done.stdout, err)
    assert (status == 0) == (not err), err
    ctl.stderr = err
    return done.stdout if stdin is not None else done.stdout.decode()


def ctl_json(server, *args, **options):
    return json.loads(ctl(server, *args, "--json", **options))
