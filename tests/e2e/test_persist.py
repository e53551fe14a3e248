# SPDX-License-Identifier: MIT
"""--persist FILE.db: what a server holds is there after a restart. Rows of the file are read with
Python's own sqlite3."""

import hashlib
import sqlite3

import pytest

from admin import admin, admin_refused, ok
from harness import ATTACHED, client, eventually, has, multipart, run_daemon, serving, upload_parts

pytestmark = [
    pytest.mark.options,
    pytest.mark.skipif(bool(ATTACHED), reason="needs servers with their own options"),
]

MIB = 1 << 20


def persistent(path, *args, **options):
    return serving("--persist", path, "--auto-persist", *args, **options)


def pattern(size, seed=b""):
    """Bytes that differ everywhere, the same for the same seed."""
    block = hashlib.shake_256(seed).digest(min(size, 65536))
    return (block * (size // len(block) + 1))[:size] if size else b""


def persistence(server):
    return ok(admin(server, "GET", "stats"))["persistence"]


def document(server, branch="main"):
    """The state of a branch as bytes: equal states are equal bytes."""
    ok(admin(server, "POST", "snapshots", {"name": "as-bytes"}, branch=branch), 201)
    reply = admin(server, "GET", "snapshots/as-bytes")
    assert reply.status == 200
    ok(admin(server, "DELETE", "snapshots/as-bytes"), 204)
    return reply.body


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


SIZES = [0, 1, 4096, 4097, 600_000, 3 * MIB]


def test_bodies_of_all_sizes_survive(path):
    with persistent(path) as server:
        s3 = client(server)
        s3.create_bucket(Bucket="box")
        for size in SIZES:
            s3.put_object(
                Bucket="box",
                Key=f"size-{size}",
                Body=pattern(size, b"%d" % size),
                ContentType="text/x-odd",
                Metadata={"size": str(size)},
                Tagging="a=1&b=2",
            )
        multipart(s3, "box", "parts", [pattern(5 * MIB, b"p1"), pattern(17, b"p2")])
        before = document(server)
        parts_etag = s3.head_object(Bucket="box", Key="parts")["ETag"]
    with persistent(path) as server:
        s3 = client(server)
        assert document(server) == before
        for size in SIZES:
            reply = s3.get_object(Bucket="box", Key=f"size-{size}")
            assert reply["Body"].read() == pattern(size, b"%d" % size)
            has(reply, ContentType="text/x-odd", Metadata={"size": str(size)}, TagCount=2)
        reply = s3.get_object(Bucket="box", Key="parts")
        assert reply["Body"].read() == pattern(5 * MIB, b"p1") + pattern(17, b"p2")
        assert reply["ETag"] == parts_etag and parts_etag.endswith('-2"')


def test_it_is_loaded_and_never_written_without_auto_persist(path):
    with persistent(path) as server:
        client(server).create_bucket(Bucket="kept")
    before = path.read_bytes()
    with serving("--persist", path) as server:
        s3 = client(server)
        s3.head_bucket(Bucket="kept")
        s3.create_bucket(Bucket="forgotten")
        has(persistence(server), autoPersist=False, state="ok", file=str(path), changes=0)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "args, message",
    [
        (["--auto-persist"], "--auto-persist needs --persist"),
        (["--persist", "x.db", "--durability", "always"], "needs --auto-persist"),
        (["--persist", "x.tar"], "'x.tar' is not"),
    ],
)
def test_settings_that_make_no_sense_are_refused(args, message):
    result = run_daemon("--listen", "127.0.0.1:0", *args)
    assert result.returncode == 2 and message in result.stderr
