# SPDX-License-Identifier: MIT
"""s3memctl against a real server: what it does, what it prints, how it ends."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

from admin import admin, ok
from conftest import ALICE
from ctl import CTL, ENV, ctl, ctl_json, needs_ctl, run_ctl
from harness import (PATIENCE, ROOT, SLOW, Server, client, eventually, http_request,
                     in_flight, keys_of, serving)

pytestmark = needs_ctl


@pytest.fixture(scope="module")
def store():
    with serving("--bucket", "data") as server:
        http_request(server, "PUT", "/data/a/1", body=b"one")
        http_request(server, "PUT", "/data/b", body=b"two")
        yield server


def keys_listed(server, *args):
    return [e["key"] for e in ctl_json(server, "ls", "data", "--recursive", *args)]


def rows(table):
    """A printed table: its rows by the titles of its columns."""
    lines = table.rstrip("\n").split("\n")
    titles = lines[0].split()
    return [dict(zip(titles, re.split(r"  +", line.strip()))) for line in lines[1:]]


def test_snapshots_and_branches(store):
    assert ctl(store, "snapshot", "clean") == "snapshot clean of branch main\n"
    assert ctl(store, "snapshot").startswith("snapshot snapshot-")
    listed = rows(ctl(store, "snapshots"))
    assert [r["NAME"] for r in listed] == ["clean", "snapshot-1"]
    assert listed[0]["OBJECTS"] == "2" and listed[0]["FROM"] == "main"
    assert ctl(store, "branch", "dev", "clean") == "branch dev\n"
    assert ctl(store, "branch", "other", "--quiet") == ""
    http_request(store, "DELETE", "/data/b", headers={"x-s3mem-branch": "dev"})
    assert keys_listed(store, "--branch", "dev") == ["a/1"]
    assert ctl(store, "restore", "clean", "--branch", "dev") == "branch dev is clean again\n"
    assert keys_listed(store, "--branch=dev") == ["a/1", "b"]
    assert [b["name"] for b in ctl_json(store, "branches")["branches"]] == ["dev", "main", "other"]
    ctl(store, "branch", "-d", "dev")
    ctl(store, "branch", "--delete", "other")
    ctl(store, "drop", "snapshot-1")
    assert [r["NAME"] for r in rows(ctl(store, "branches"))] == ["main"]


def test_files_of_snapshots(store, tmp_path):
    ctl(store, "snapshot", "travels")
    file = tmp_path / "travels.s3mem.gz"
    assert ctl(store, "download", "travels", file) == f"{file}\n"
    assert file.read_bytes()[:2] == b"\x1f\x8b"
    ctl(store, "download", "travels", file, status=1)
    assert "--force" in ctl.stderr
    ctl(store, "download", "travels", file, "--force")
    plain = ctl(store, "download", "travels", "-", stdin=b"")
    assert plain.startswith(b"s3mem snapshot 1\n")
    with serving() as other:
        assert ctl(other, "upload", file) == "snapshot travels\n"
        ctl(other, "upload", file, status=1)
        assert "replace" in ctl.stderr
        ctl(other, "upload", file, "--replace")
        assert ctl(other, "upload", "-", "piped", stdin=plain) == b"snapshot piped\n"
        ctl(other, "restore", "piped")
        assert keys_of(client(other).list_objects_v2(Bucket="data")) == ["a/1", "b"]
        half = tmp_path / "half"
        half.write_bytes(plain[:-5])
        ctl(other, "upload", half, status=1)
        assert "truncated" in ctl.stderr and "InvalidDocument" in ctl.stderr
    ctl(store, "download", "none", tmp_path / "none", status=1)
    assert [p.name for p in tmp_path.iterdir() if "none" in p.name] == []
    ctl(store, "upload", tmp_path / "missing", status=1)
    ctl(store, "drop", "travels")


def test_looking(store):
    buckets = rows(ctl(store, "ls"))
    assert [(r["BUCKET"], r["OBJECTS"]) for r in buckets] == [("data", "2")]
    assert keys_listed(store) == ["a/1", "b"]
    ctl(store, "ls", "none", status=1)
    http_request(store, "GET", "/data/b")
    text = ctl(store, "stats")
    assert "Branch main" in text and "GetObject" in text and "resident" in text
    assert ctl_json(store, "stats", "--bucket", "data")["branches"][0]["buckets"][0]["totalSize"] == 6


def test_requests(store):
    ctl(store, "requests", "--clear")
    http_request(store, "GET", "/data/b")
    http_request(store, "GET", "/data/none")
    listed = rows(ctl(store, "requests", "--operation", "GetObject"))
    assert [(r["KEY"], r["STATUS"]) for r in listed] == [("none", "404"), ("b", "200")]
    assert [r["KEY"] for r in rows(ctl(store, "requests", "--status", "4xx"))] == ["none"]
    assert ctl_json(store, "requests", "--key", "n*")["requests"][0]["code"] == "NoSuchKey"
    ctl(store, "requests", "--wait", "200ms", "--count", "3", "--key", "b", status=1)
    assert "only 1 matched" in ctl.stderr
    ctl(store, "requests", "--wait", "5s", "--key", "b")


def followed_by(store, count):
    """Waits until so many follow the events. What is sent to them tells who left."""
    def counted():
        http_request(store, "GET", "/")
        return ok(admin(store, "GET", "stats"))["events"]["subscribers"] == count

    eventually(counted)


def test_events(store):
    followed_by(store, 0)
    process = subprocess.Popen([CTL, "events", "--type", "putObject,deleteObject", "--count", "2",
                                "--endpoint", store.url], stdout=subprocess.PIPE, env=ENV)
    followed_by(store, 1)
    http_request(store, "PUT", "/data/evented", body=b"x")
    eventually(lambda: in_flight(store) == 0)  # its event comes when it is over, not when it is answered
    http_request(store, "GET", "/data/evented")
    http_request(store, "DELETE", "/data/evented")
    out, _ = process.communicate(timeout=20 * SLOW)
    lines = out.decode().splitlines()
    assert process.returncode == 0 and len(lines) == 2, lines
    assert "putObject" in lines[0] and "data/evented" in lines[0]
    assert "deleteObject" in lines[1]


def test_events_are_interrupted(store):
    followed_by(store, 0)
    process = subprocess.Popen([CTL, "events", "--endpoint", store.url, "--json"],
                               stdout=subprocess.PIPE, env=ENV)
    followed_by(store, 1)
    http_request(store, "GET", "/data/b")
    assert json.loads(process.stdout.readline())["type"] == "command.request"
    process.send_signal(signal.SIGINT)
    assert process.wait(20 * SLOW) == 0


def test_faults(store):
    assert re.fullmatch(r"rule \d+\n", ctl(
        store, "fault", "add", "--operation", "GetObject,HeadObject", "--key", "b", "--error",
        "SlowDown", "--retry-after", "3", "--times", "1", "--latency", "1ms..5ms"))
    reply = http_request(store, "GET", "/data/b")
    assert reply.status == 503 and reply.headers["retry-after"] == "3"
    listed = rows(ctl(store, "fault"))
    assert (listed[0]["MATCHED"], listed[0]["FIRED"]) == ("1", "1")
    rule = json.loads(listed[0]["RULE"])
    assert rule["operation"] == ["GetObject", "HeadObject"]
    assert rule["latency"] == {"min": "1ms", "max": "5ms"}
    ctl(store, "fault", "remove", listed[0]["ID"])
    rules = json.dumps([{"bandwidth": 1000, "probability": 0.5, "corrupt": True}]).encode()
    ctl(store, "fault", "set", "-", stdin=rules)
    assert len(ctl_json(store, "fault", "list")["rules"]) == 1
    ctl(store, "fault", "clear")
    assert ctl_json(store, "fault")["rules"] == []
    ctl(store, "fault", "add", "--error", "Nonsense", status=1)
    assert "error" in ctl.stderr
    ctl(store, "fault", "add", "--times", "often", "--error", "SlowDown", status=1)
    ctl(store, "fault", "mend", status=2)


def test_texts_that_are_not_utf_8_are_refused(store):
    """In JSON they would be missing: a rule for one key would be one for all."""
    before = ctl_json(store, "snapshots")
    for args in (["fault", "add", "--key", "\udcff", "--error", "SlowDown"],
                 ["fault", "add", "--operation", "GetObject\udcff", "--error", "SlowDown"],
                 ["fault", "add", "--branch", "\udcff", "--error", "SlowDown"],
                 ["snapshot", "\udcff"], ["branch", "b", "\udcff"], ["clock", "freeze", "\udcff"]):
        ctl(store, *args, status=2)
    assert not ctl_json(store, "fault", "list")["rules"]
    assert ctl_json(store, "snapshots") == before
    ctl(store, "fault", "set", "/nowhere/x", status=1)


def test_clock(store):
    assert ctl(store, "clock", "freeze", "2030-01-01T00:00:00Z") == (
        "2030-01-01T00:00:00.000Z (frozen)\n")
    assert ctl(store, "clock", "advance", "1h").startswith("2030-01-01T01:00:00.000Z")
    assert ctl(store, "clock", "advance", "-30m").startswith("2030-01-01T00:30:00.000Z")
    ctl(store, "clock", "unfreeze")
    assert ctl_json(store, "clock", "offset", "-2h")["offsetMs"] == -7200000
    ctl(store, "clock", "reset")
    assert ctl_json(store, "clock")["offsetMs"] == 0
    ctl(store, "clock", "freeze", "yesterday", status=1)
    ctl(store, "clock", "advance", status=2)


def test_clear(store):
    ctl(store, "snapshot", "full")
    assert ctl(store, "clear", "--bucket", "data", "--prefix", "a/") == (
        "branch main: 1 objects, 0 versions, 0 uploads are gone\n")
    assert ctl_json(store, "clear", "--stats")["objects"] == 1
    ctl(store, "restore", "full")
    ctl(store, "clear", "--prefix", "a", status=1)
    assert "prefix" in ctl.stderr


def test_signed(auth_server):
    keys = {"AWS_ACCESS_KEY_ID": ALICE["accessKey"], "AWS_SECRET_ACCESS_KEY": ALICE["secretKey"]}
    ctl(auth_server, "snapshots", status=1)
    assert "AccessDenied" in ctl.stderr
    ctl(auth_server, "snapshot", "by+alice@ctl", env=keys)
    ctl(auth_server, "restore", "by+alice@ctl", "--branch", "main", env=keys)
    ctl(auth_server, "download", "by+alice@ctl", "-", env=keys, stdin=b"")
    ctl(auth_server, "requests", "--key", "a b/&=?*", "--code", "x y", env=keys)
    ctl(auth_server, "drop", "by+alice@ctl", "--access-key", ALICE["accessKey"], "--secret-key",
        ALICE["secretKey"])
    ctl(auth_server, "snapshots", env={**keys, "AWS_SECRET_ACCESS_KEY": "wrong"}, status=1)
    assert "SignatureDoesNotMatch" in ctl.stderr


def test_where_the_server_is(tmp_path):
    path = tmp_path / "socket"
    with serving("--listen", f"unix:{path}", listen=None) as server:
        ctl(None, "branches", "--endpoint", f"http+unix:{path}")
        assert server.alive()
    with serving() as server:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "S3MEMCTL_ENDPOINT"):
            env = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", name: server.url}
            ctl(None, "branches", env=env)
        ctl(None, "branches", "--endpoint", server.url + "/", env={"AWS_ENDPOINT_URL": "http://x"})
        assert ctl_json(server, "version")["server"] == ctl_json(server, "version")["client"]
    ctl(server, "branches", status=3)
    ctl(server, "version", status=3)
    ctl(server, "wait", "--timeout", "0", status=1)


def test_wait(tmp_path):
    """Readiness comes with the init scripts' end."""
    scripts = tmp_path / "ready.d"
    scripts.mkdir()
    script = scripts / "slow.sh"
    gate, begun = tmp_path / "gate", tmp_path / "begun"
    script.write_text(f"#!/bin/sh\ntouch {begun}\nwhile [ ! -e {gate} ]; do sleep 0.05; done\n")
    script.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % probe.getsockname()[1]
    server = Server("--init-dir", tmp_path, listen=address, wait=False)
    waiting = subprocess.Popen([CTL, "wait", "--timeout", "600", "--endpoint", f"http://{address}"],
                               env=ENV)
    eventually(begun.exists)
    time.sleep(0.3)
    assert waiting.poll() is None
    gate.touch()
    assert waiting.wait(PATIENCE) == 0
    server.wait_ready().stop()


@pytest.mark.parametrize(
    "args, word",
    [
        (["nonsense"], "nonsense"),
        (["snapshots", "extra"], "extra"),
        (["restore"], "SNAPSHOT"),
        (["snapshots", "--nonsense"], "--nonsense"),
        (["snapshots", "--json=yes"], "no value"),
        (["snapshots", "--endpoint"], "needs a value"),
        (["snapshots", "--access-key", "x"], "need each other"),
        (["branch", "-d", "a", "b"], "one name"),
        (["upload", "-"], "needs a name"),
    ],
)
def test_usage(args, word):
    ctl(None, *args, status=2)
    assert word in ctl.stderr


def test_help():
    text = ctl(None, "--help")
    for command in ctl(None, "--words").split():
        assert f"  {command} " in text
        assert ctl(None, command, "--help").startswith(f"Usage: s3memctl {command}")
    assert ctl(None, "--version").startswith("s3memctl ")


def test_manual_names_everything():
    page = (ROOT / "man" / "s3memctl.1").read_text(encoding="utf-8").replace("\\-", "-")
    for command in ctl(None, "--words").split():
        assert re.search(rf"^\.(B|BR|TP|SS)? ?.*\b{command}\b", page, re.M), command
        for option in ctl(None, "--words", command).split():
            assert option in page, (command, option)


# ---- what reaches a terminal ----------------------------------------------------------------------

# An escape sequence in C0 and in C1, DEL, line ends that are none, a turn of the direction.
HOSTILE = "k\x1b[2J\x9b31m\x7f\x85\u2028\u2029\u202e\u2066\u200f\u061c\u20ac"
UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def on_terminal(server, *args):
    """Runs it with a terminal for its output; returns what the terminal got."""
    master, slave = pty.openpty()
    process = subprocess.Popen([CTL, *map(str, args)], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                               env={**ENV, "S3MEMCTL_ENDPOINT": server.url})
    os.close(slave)
    got = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while more := os.read(master, 65536):
            got += more
    os.close(master)
    process.wait(60 * SLOW)
    return got.decode()


@pytest.fixture(scope="module")
def hostile():
    with serving("--bucket", "data", "--bucket", "deep", "--verbose") as server:
        reply = http_request(server, "PUT", "/data/" + urllib.parse.quote(HOSTILE), body=b"x",
                             headers={"x-amz-meta-a": "b"})
        assert reply.status == 200
        # What is shown is shorter than the key.
        assert http_request(server, "PUT", "/deep/" + urllib.parse.quote(HOSTILE + "/x"), body=b"x").status == 200
        assert http_request(server, "GET", "/data/" + urllib.parse.quote(HOSTILE, safe="k\u20ac")).status
        yield server


@pytest.mark.options
@pytest.mark.parametrize("command", [
    ["ls", "data"], ["ls", f"deep/{HOSTILE}/"], ["requests"], ["events", "--count", "3"], ["stats"], ["requests", "--code", HOSTILE],
    ["restore", HOSTILE], ["drop", HOSTILE], ["fault", "add", "--error", HOSTILE]])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_nothing_drives_the_terminal(hostile, command, form):
    if command[0] == "events":
        writer = threading.Timer(0.5, lambda: [http_request(
            hostile, "PUT", "/data/" + urllib.parse.quote(HOSTILE), body=b"x") for _ in range(3)])
        writer.start()
    shown = on_terminal(hostile, *command, *form)
    assert shown and not UNSHOWN.search(shown), repr(shown)


@pytest.mark.options
def test_programs_get_what_is_there(hostile):
    """Escapes say the same to a parser, and a pipe gets a key as it is."""
    assert keys_listed(hostile) == [HOSTILE]
    assert ctl(hostile, "ls", "data").endswith(" " + HOSTILE + "\n")
    assert ctl_json(hostile, "requests", "--operation", "PutObject")["requests"][-1]["key"] == HOSTILE
    assert not UNSHOWN.search(run_ctl(hostile, "requests", "--json").stdout.decode())


@pytest.mark.options
@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_drives_no_terminal_and_tells_no_secret(form):
    secret = "5ec" + "ret"
    with serving("--bucket", "data", "--verbose", "--log-format", form) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20 * SLOW) as s:
            raw = "GET /data/" + HOSTILE.replace("\x85", "").replace("\x1b", "").replace("\x7f", "")
            s.sendall(raw.encode() + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            s.recv(4096)
        for target in [f"/data/k%3FX-Amz-Signature%3D{secret}", f"/data/k&Signature={secret}",
                       f"/data/k?a?X-Amz-Signatur%e={secret}", f"/data/k?%2553ignature={secret}"]:
            http_request(server, "GET", target)
        http_request(server, "PUT", "/data/copy",
                     headers={"x-amz-copy-source": f"/data/k?X-Amz-Security-Token={secret}&x=1"})
        journal = json.dumps(ok(admin(server, "GET", "requests")))
        log = server.stderr()
    assert "data/k" in log and secret not in log
    assert "***" in journal and secret not in journal
    assert not UNSHOWN.search(log), repr(log)
