# SPDX-License-Identifier: MIT
"""s3memctl ls, cat, put, rm; and the endpoint that ls asks."""

import base64
import hashlib
import http.server
import os
import re
import subprocess
import sys
import threading
import urllib.parse

import pytest

from admin import admin, admin_refused, ok
from conftest import ALICE, as_user
from ctl import CTL, ENV, ctl, ctl_json, needs_ctl, run_ctl
from harness import SLOW, client, http_request, keys_of, serving

pytestmark = needs_ctl

UTC = {"TZ": "UTC"}
TIME = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture(scope="module")
def store():
    with serving("--bucket", "data") as server:
        for key, size in (("a/1", 3), ("a/b/2", 2048), ("a/b/3", 1), ("c", 1234), ("é & <x>?", 5)):
            client(server).put_object(Bucket="data", Key=key, Body=b"x" * size)
        yield server


def aws(server, *args):
    """What the AWS CLI prints."""
    program = os.path.join(os.path.dirname(sys.executable), "aws")
    done = subprocess.run([program, "s3", *args], capture_output=True, text=True, check=True,
                          timeout=120 * SLOW,
                          env={**ENV, **UTC, "AWS_ENDPOINT_URL": server.url, "AWS_REGION": "us-east-1",
                               "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"})
    return done.stdout


@pytest.mark.parametrize("place", ["data", "data/", "data/a", "data/a/", "data/a/b/", "data/none"])
@pytest.mark.parametrize("how", [[], ["--recursive"]])
def test_ls_prints_what_aws_s3_ls_prints(store, place, how):
    shown = ctl(store, "ls", place, *how, env=UTC)
    if place == "data/none":
        assert shown == ""
    else:
        assert shown == aws(store, "ls", f"s3://{place}", *how)
        assert shown == ctl(store, "ls", f"s3://{place}", *how, env=UTC)


def test_keys_with_a_nul():
    with serving("--bucket", "nul") as server:
        for key in ("a%00b", "c%00d/e"):
            http_request(server, "PUT", f"/nul/{key}", body=b"")
        assert re.fullmatch(" *PRE c\0d/\n.* 0 a\0b\n", ctl(server, "ls", "nul"))
        assert [e["key"] for e in ctl_json(server, "ls", "nul", "--recursive")] == ["a\0b", "c\0d/e"]
        assert "a?b" in ctl(server, "requests")


def test_ls_in_numbers(store):
    lines = ctl(store, "ls", "data").splitlines()
    assert lines[0] == " " * 27 + "PRE a/"
    assert re.fullmatch(TIME + r"       1234 c", lines[1])
    assert re.fullmatch(TIME + r"    2.0 KiB 2", ctl(store, "ls", "data/a/b/", "--human").split("\n")[0])
    http_request(store, "PUT", "/old")
    ctl(store, "clock", "freeze", "2026-11-29T21:25:21Z")
    http_request(store, "PUT", "/old/k", body=b"")
    ctl(store, "clock", "reset")
    assert ctl(store, "ls", "old", env=UTC) == "2026-11-29 21:25:21          0 k\n"
    assert ctl(store, "ls", "old", env={"TZ": "Asia/Tokyo"}) == "2026-11-30 06:25:21          0 k\n"
    ctl(store, "ls", "none", status=1)
    assert "(NoSuchBucket: bucket)" in ctl.stderr
    ctl(store, "ls", "/x", status=2)


def test_versions():
    with serving() as server:
        s3 = client(server)
        s3.create_bucket(Bucket="versioned")
        s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
        ids = [s3.put_object(Bucket="versioned", Key="k", Body=body)["VersionId"] for body in (b"one", b"two!")]
        ctl(server, "rm", "versioned/k")
        marker = s3.list_object_versions(Bucket="versioned")["DeleteMarkers"][0]["VersionId"]
        assert ctl(server, "ls", "versioned") == ""
        lines = ctl(server, "ls", "versioned", "--versions").splitlines()
        assert [re.fullmatch(TIME + r" +(\w+) (\S{32}) k", line).groups() for line in lines] == [
            ("deleted", marker), ("4", ids[1]), ("3", ids[0])]
        entries = ctl_json(server, "ls", "versioned", "--versions")
        assert [e["latest"] for e in entries] == [True, False, False]
        assert entries[0]["deleteMarker"] and "size" not in entries[0]
        assert ctl(server, "cat", "versioned/k", "--version-id", ids[0]) == "one"
        ctl(server, "rm", "versioned/k", "--version-id", marker)
        assert ctl(server, "cat", "versioned/k") == "two!"


def test_the_endpoint(store):
    listed = ok(admin(store, "GET", "objects", bucket="data", prefix="a/", delimiter="/"))
    assert (listed["branch"], listed["bucket"]) == ("main", "data")
    assert listed["entries"][1] == {"prefix": "a/b/"}
    there = client(store).head_object(Bucket="data", Key="a/1")
    one = listed["entries"][0]
    assert (one["key"], one["size"], one["etag"], one["versionId"]) == ("a/1", 3, there["ETag"], "null")
    admin_refused(admin(store, "GET", "objects"), 400, "InvalidArgument", "bucket")
    admin_refused(admin(store, "GET", "objects", bucket=""), 400, "InvalidArgument", "bucket")
    admin_refused(admin(store, "GET", "objects", bucket="none"), 404, "NoSuchBucket", "bucket")
    admin_refused(admin(store, "GET", "objects", bucket="x" * 2000), 404, "NoSuchBucket", "bucket")
    admin_refused(admin(store, "GET", "objects", bucket="data", branch="none"), 404, "NoSuchBranch", "branch")
    admin_refused(admin(store, "GET", "objects", bucket="data", versions="yes"), 400, "InvalidArgument",
                  "versions")
    assert ok(admin(store, "GET", "objects", bucket="data", prefix="x" * 3000))["entries"] == []


def test_put_and_cat(store, tmp_path):
    file = tmp_path / "some page.HTML"
    body = os.urandom(3_000_000)
    file.write_bytes(body)
    s3 = client(store)
    assert ctl(store, "put", file, "data/put/") == (
        "put data/put/some page.HTML in branch main as text/html\n")
    head = s3.head_object(Bucket="data", Key="put/some page.HTML")
    assert (head["ContentType"], head["ContentLength"]) == ("text/html", len(body))
    assert ctl(store, "cat", "s3://data/put/some page.HTML", stdin=b"") == body
    assert ctl(store, "put", "-", "data/put/é?&+%41#.json", "--quiet", stdin=b"{}") == b""
    assert s3.get_object(Bucket="data", Key="put/é?&+%41#.json")["ContentType"] == "application/json"
    assert ctl(store, "cat", "data/put/é?&+%41#.json") == "{}"
    ctl(store, "put", "-", "data/put/typed.json", "--content-type", "text/x-own", stdin=b"")
    head = s3.head_object(Bucket="data", Key="put/typed.json")
    assert (head["ContentType"], head["ContentLength"]) == ("text/x-own", 0)
    ctl(store, "put", file, "data")
    assert "some page.HTML" in keys_of(s3.list_objects_v2(Bucket="data"))
    ctl(store, "put", "-", "data/put/plain", stdin=b"x")
    assert s3.head_object(Bucket="data", Key="put/plain")["ContentType"] == "binary/octet-stream"
    # What is wrong, in the words of S3's error document.
    ctl(store, "cat", "data/put/none", status=1)
    assert "does not exist" in ctl.stderr and "(NoSuchKey)" in ctl.stderr
    for args in (["put", file, "none/k"], ["cat", "none/k"], ["rm", "none/k"]):
        ctl(store, *args, status=1)
        assert "(NoSuchBucket)" in ctl.stderr, args
    ctl(store, "put", tmp_path / "none", "data/k", status=1)
    for args in (["put", "-", "data"], ["put", file, ""], ["cat", "data"], ["cat", "data/"], ["rm", "data"],
                 ["rm", "data/x", "--prefix", "y"], ["rm", "data", "--prefix", "y", "--recursive"]):
        assert run_ctl(store, *args, stdin=b"").returncode == 2, args
    ctl(store, "rm", "data/put", "--recursive")
    ctl(store, "rm", "data/some page.HTML")


def test_rm(store):
    s3 = client(store)
    s3.create_bucket(Bucket="remove")

    def fill():
        for key in ("a", "a/1", "a/2", "ab/1", "é&"):
            s3.put_object(Bucket="remove", Key=key, Body=b"")

    def left():
        return keys_of(s3.list_objects_v2(Bucket="remove"))

    fill()
    assert ctl(store, "rm", "remove/a") == "branch main: remove/a removed\n"
    assert left() == ["a/1", "a/2", "ab/1", "é&"]
    assert ctl(store, "rm", "remove/a", "--recursive") == "branch main: 2 objects removed from remove\n"
    assert left() == ["ab/1", "é&"]
    fill()
    assert ctl(store, "rm", "remove", "--prefix", "a") == "branch main: 4 objects removed from remove\n"
    assert left() == ["é&"]
    assert ctl(store, "rm", "remove/", "--recursive", "--quiet") == ""
    assert left() == []


def test_rm_of_many_is_a_request_a_thousand():
    keys = [f"k/{n:04} & <>" for n in range(2500)] + ["k/\r\n\t", "k/\x01", "k/\0", "k/\0/x"]
    with serving("--bucket", "many") as server:
        for key in keys:
            http_request(server, "PUT", "/many/" + urllib.parse.quote(key), body=b"")
        ctl(server, "requests", "--clear")
        assert ctl(server, "rm", "many/k", "--recursive") == "branch main: 2504 objects removed from many\n"
        asked = [r["operation"] for r in ctl_json(server, "requests")["requests"]]
        # What XML cannot say goes by itself.
        assert sorted(asked) == ["DeleteObject"] * 3 + ["DeleteObjects"] * 3
        assert "Contents" not in client(server).list_objects_v2(Bucket="many")


def test_rm_tells_which_keys_are_left():
    """A server that keeps one, in the words of botocore's model: Errors with Key, Code and Message."""

    class Stubborn(http.server.BaseHTTPRequestHandler):
        def answer(self, body):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.answer(b'{"entries": [{"key": "a"}, {"key": "b&c"}, {"key": "d"}]}')

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert body.count(b"<Key>") == 3 and base64.b64decode(self.headers["Content-MD5"]) == hashlib.md5(body).digest()
            self.answer(b'<?xml version="1.0"?>\n<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Error><Key>b&amp;c'
                        b"</Key><Code>AccessDenied</Code><Message>Access &#x64;enied</Message></Error></DeleteResult>")

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stubborn) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run_ctl(None, "rm", "bkt/", "--recursive", "--endpoint", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert done.returncode == 1
    assert done.stdout == b"branch main: 2 objects removed from bkt\n"
    assert done.stderr == b"s3memctl: bkt/b&c: Access denied (AccessDenied)\n"


def test_signed_and_on_a_branch(auth_server):
    keys = {"AWS_ACCESS_KEY_ID": ALICE["accessKey"], "AWS_SECRET_ACCESS_KEY": ALICE["secretKey"]}
    key = "b/ é+&=?%20~*'()"
    s3 = as_user(auth_server, ALICE)
    s3.create_bucket(Bucket="signed-ctl")
    ctl(auth_server, "branch", "objects", env=keys)
    ctl(auth_server, "put", "-", f"signed-ctl/{key}", "--branch", "objects", env=keys, stdin=b"there")
    assert ctl(auth_server, "cat", f"signed-ctl/{key}", "--branch", "objects", env=keys) == "there"
    assert keys_of(s3.list_objects_v2(Bucket="signed-ctl")) == []
    ctl(auth_server, "cat", f"signed-ctl/{key}", "--branch", "objects", status=1)
    assert "not signed" in ctl.stderr
    assert [e["key"] for e in ctl_json(auth_server, "ls", "signed-ctl", "--recursive", "--branch",
                                       "objects", env=keys)] == [key]
    ctl(auth_server, "rm", f"signed-ctl/{key}", "--branch", "objects", env=keys)
    ctl(auth_server, "branch", "-d", "objects", env=keys)
    with serving("--bucket", "data") as server:
        ctl(server, "branch", "worker")
        worker = {"AWS_ACCESS_KEY_ID": "worker", "AWS_SECRET_ACCESS_KEY": "x"}
        told = ctl(server, "put", "-", "data/k", env=worker, stdin=b"x").decode()
        assert told == "put data/k in branch worker\n"
        assert ctl_json(server, "ls", "data", env=worker)[0]["key"] == "k"
        assert ctl_json(server, "ls", "data") == []
        # Without a branch of that name the header would be refused: it is not sent.
        ctl(server, "put", "-", "data/k", env={**worker, "AWS_ACCESS_KEY_ID": "none"}, stdin=b"x")
        assert ctl_json(server, "ls", "data")[0]["key"] == "k"


def test_put_from_a_pipe_is_whole(store):
    done = subprocess.run(["sh", "-c", f"head -c 5000000 /dev/zero | {CTL} put /dev/stdin data/piped"],
                          check=False, env={**ENV, "S3MEMCTL_ENDPOINT": store.url}, timeout=60 * SLOW)
    assert done.returncode == 0
    assert client(store).head_object(Bucket="data", Key="piped")["ContentLength"] == 5_000_000
