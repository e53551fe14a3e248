# SPDX-License-Identifier: MIT
"""s3memctl start, stop, status, logs: a server in the background, without systemd."""

import json
import os
import re
import signal
import subprocess

import pytest

from ctl import CTL, needs_ctl
from harness import S3MEMD, SLOW, eventually

pytestmark = needs_ctl


@pytest.fixture
def run(tmp_path):
    """Runs s3memctl with a folder of its own; what it started is stopped in the end."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3MEM"))}
    env |= {"XDG_STATE_HOME": str(tmp_path), "S3MEMD": S3MEMD, "HOME": str(tmp_path)}
    names = set()

    def call(*args, status=0):
        if "--name" in args:
            names.add(args[args.index("--name") + 1])
        done = subprocess.run([CTL, *args], capture_output=True, text=True, timeout=60 * SLOW,
                              check=False, env=env)
        assert done.returncode == status, (args, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    yield call
    for name in {"s3memd", *names}:
        subprocess.run([CTL, "stop", "--name", name], env=env, check=False, capture_output=True)


ANY_PORT = ("--", "--listen", "127.0.0.1:0")


def test_start_status_logs_stop(run, tmp_path):
    assert run("status", status=3) == "s3memd does not run\n"
    told = run("start", *ANY_PORT, "--bucket", "from-start")
    url = re.match(r"s3memd ready on (http://127\.0\.0\.1:\d+) \(process (\d+), ", told)[1]
    # The server outlives the command, and its standard output is no pipe of the command's.
    assert url in run("status") and "version" in run("status")
    assert json.loads(run("status", "--json")) | {"log": "", "version": "", "pid": 0} == {
        "name": "s3memd", "running": True, "url": url, "log": "", "version": "", "pid": 0}
    assert "from-start" in run("ls", "--endpoint", url)
    assert run("logs", "--lines", "1").strip() == "Ready."
    assert f"s3memd ready on {url}\n" in run("logs")
    assert "runs already" in run("start", *ANY_PORT, status=1)
    assert run("stop") == "s3memd stopped\n"
    assert run("stop") == "s3memctl: s3memd does not run\n"
    run("status", status=3)
    assert sorted(p.name for p in (tmp_path / "s3memd").iterdir()) == ["s3memd.log"]


def test_a_port_of_somebody_else_is_a_failure(run):
    url = run("start", "--quiet", *ANY_PORT).strip()
    port = url.rsplit(":", 1)[1]
    told = run("start", "--name", "second", "--", "--listen", f"127.0.0.1:{port}", status=1)
    assert port in told and "in use" in told
    run("status", "--name", "second", status=3)
    assert url in run("status")


def test_options_that_do_not_fit_are_told(run):
    assert "--nonsense" in run("start", "--", "--nonsense", status=1)
    assert "name of a file" in run("start", "--name", "../x", status=2)
    assert "unknown option --bucket" in run("start", "--bucket", "b", status=2)


def test_several_by_name_and_a_killed_one(run):
    first = run("start", "--name", "one", "--quiet", *ANY_PORT).strip()
    second = run("start", "--name", "two", "--quiet", *ANY_PORT).strip()
    assert first != second
    os.kill(json.loads(run("status", "--name", "one", "--json"))["pid"], signal.SIGKILL)
    eventually(lambda: "does not run" in run("status", "--name", "one", status=3))
    run("start", "--name", "one", *ANY_PORT)
    assert second in run("status", "--name", "two")


def test_logs_follow_until_the_end(run, tmp_path):
    run("start", *ANY_PORT, "--access-log")
    with subprocess.Popen([CTL, "logs", "--follow"], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "XDG_STATE_HOME": str(tmp_path)}) as follower:
        run("stop")
        assert "Ready." in follower.communicate(timeout=30 * SLOW)[0]
        assert follower.returncode == 0
    assert "start makes it" in run("logs", "--name", "never", status=1)
