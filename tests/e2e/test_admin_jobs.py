# SPDX-License-Identifier: MIT
"""Long work: clients that stand still, leave, or send what is broken keep nobody waiting."""

import io
import json
import os
import socket
import tarfile
import time

import pytest

from admin import admin, admin_refused, ok
from harness import PATIENCE, client, eventually, http_request, serving, unique

TRANSFERS = 64  # clients that may be sent or send a file at a time


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving("--state-dir", tmp_path_factory.mktemp("state"), "--bucket", "demo") as s:
        client(s).put_object(Bucket="demo", Key="a", Body=b"x")
        yield s


def connect(server, head, receive_buffer=None):
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(PATIENCE)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(head.encode())
    return connection


def begin_import(server, sent=b"", length=10_000_000):
    connection = connect(server, "PUT /_s3mem/import?bucket=slow HTTP/1.1\r\nHost: localhost\r\n"
                                 f"Content-Length: {length}\r\n\r\n")
    connection.sendall(sent)
    return connection


def fill_database(server, count):
    """A database of s3db.js with so many MiB in it; how many bytes an export has at least."""
    s3 = client(server)
    s3.put_object(Bucket="s3db", Key="s3db.json", Body=json.dumps(
        {"version": "1", "s3dbVersion": "12.0.0", "resources": {"r": {"currentVersion": "v1", "versions": {
            "v1": {"attributes": {"t": "string"}, "behavior": "body-overflow", "hash": "x"}}}}}).encode())
    for i in range(count):
        s3.put_object(Bucket="s3db", Key=f"resource=r/data/id={i}", Body=os.urandom(1 << 20))
    return count << 20


def running(server):
    return [j for j in ok(admin(server, "GET", "jobs"))["jobs"] if j["state"] in ("running", "waiting")]


def save_works(server):
    begun = time.monotonic()
    ok(admin(server, "POST", "save", {"path": "j.json", "bucket": "demo"}))
    assert time.monotonic() - begun < PATIENCE / 2


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


# ---- what is broken is answered -----------------------------------------------------------------


@pytest.mark.parametrize("body", [
    tar_of({"../x.jsonl": b"abc"}) + os.urandom(2 << 20),
    os.urandom(2 << 20),
    b'{"a":1}' + b" " * (2 << 20) + b"x",
    tar_of({"s3db.json": b"{"}) + bytes(2 << 20),
], ids=["leads-out", "noise", "no-archive", "no-manifest"])
def test_broken_uploads_are_answered(server, body):
    """Beyond what the pipe holds: the call waits for room that nobody makes any more."""
    admin_refused(http_request(server, "PUT", "/_s3mem/import?bucket=shop", body=body), 400, "InvalidBackup")
    eventually(lambda: not running(server))


# ---- clients that stand still -------------------------------------------------------------------


def test_importers_that_stand_still(server):
    connections = [begin_import(server, b"\0") for _ in range(TRANSFERS)]
    eventually(lambda: len(running(server)) == TRANSFERS)
    save_works(server)
    ok(admin(server, "POST", "load", {"path": "j.json", "bucket": unique()}))
    refused = http_request(server, "PUT", "/_s3mem/import?bucket=shop", body=b"x")
    admin_refused(refused, 503, "TooManyTransfers")
    assert refused.headers["retry-after"] == "1"
    admin_refused(admin(server, "GET", "export", bucket="demo"), 503, "TooManyTransfers")
    for connection in connections:
        connection.close()
    eventually(lambda: not running(server))
    admin_refused(admin(server, "GET", "export", bucket="demo"), 404, "NoSuchDatabase")


def test_exporters_that_do_not_read(server):
    bucket = unique("shop")
    lines = b"".join(json.dumps({"id": str(i), "t": os.urandom(500).hex()}).encode() + b"\n"
                     for i in range(8000))
    manifest = {"version": "1.0", "resources": {"users": {"schema": {"attributes": {"t": "string"}}}}}
    tar = tar_of({"s3db.json": json.dumps(manifest).encode(), "users.jsonl": lines})
    ok(http_request(server, "PUT", f"/_s3mem/import?bucket={bucket}", body=tar))
    connections = [connect(server, f"GET /_s3mem/export?bucket={bucket}&compress=false HTTP/1.1\r\n"
                                   "Host: localhost\r\n\r\n", receive_buffer=4096) for _ in range(8)]
    eventually(lambda: len(running(server)) == 8)
    save_works(server)
    assert len(running(server)) == 8
    assert admin(server, "GET", "export", bucket=bucket).status == 200
    for connection in connections:
        connection.close()
    eventually(lambda: not running(server))


def test_stalled_clients_are_cut(tmp_path):
    """Importers by the body timeout, exporters by the idle timeout."""
    with serving("--state-dir", tmp_path, "--body-timeout", "1s", "--idle-timeout", "3s", "--bucket", "demo",
                 "--bucket", "s3db") as s:
        fill_database(s, 20)
        importer = begin_import(s, b"\0")
        exporter = connect(s, "GET /_s3mem/export?bucket=s3db&compress=false HTTP/1.1\r\nHost: localhost\r\n\r\n",
                           receive_buffer=4096)
        eventually(lambda: len(running(s)) == 2)
        eventually(lambda: not running(s), 20)
        assert importer.recv(100)[9:12] == b"400"
        states = {j["kind"]: j["state"] for j in ok(admin(s, "GET", "jobs"))["jobs"]}
        assert states == {"import": "cancelled", "export": "cancelled"}
        exporter.close()


def test_the_end_of_the_server_ends_them():
    with serving("--bucket", "demo") as s:
        connections = [begin_import(s, os.urandom(400_000) if i % 2 else b"\0") for i in range(20)]
        eventually(lambda: len(ok(admin(s, "GET", "jobs"))["jobs"]) == 20)
        begun = time.monotonic()
        s.signal()
        s.wait()
        assert time.monotonic() - begun < 2 * PATIENCE
        for connection in connections:
            connection.close()


def test_half_an_export_does_not_look_whole():
    """The server is told to stop while the client reads: it gets all of the tar, or an error."""
    with serving("--bucket", "s3db") as s:
        bodies = fill_database(s, 30)
        connection = connect(s, "GET /_s3mem/export?bucket=s3db&compress=false HTTP/1.1\r\n"
                                "Host: localhost\r\n\r\n", receive_buffer=65536)
        got = connection.recv(1000)
        s.signal()
        time.sleep(0.2)
        while True:
            try:
                piece = connection.recv(1 << 16)
            except ConnectionError:
                piece = b""
            if not piece:
                break
            got += piece
        head, _, chunked = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        if chunked.endswith(b"0\r\n\r\n"):
            assert len(chunked) > bodies
        s.wait()
