# SPDX-License-Identifier: MIT
"""Memory that a client takes: by announcing, by connecting, by documents. Who sends nothing
takes (almost) nothing; what is sent counts; what has left is given back."""

import json
import os
import socket
import time

import pytest

from conftest import Wire
from harness import (
    MIB,
    SLOW,
    client,
    eventually,
    has,
    http_request,
    refused,
    serving,
    unique,
)

HOST = "Host: 127.0.0.1\r\n"
GIB = 1024 * MIB
# What a sanitizer keeps of freed memory is its own affair.
SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ
once = {"retries": {"max_attempts": 1, "mode": "standard"}}


def put(bucket, length, key="k", more=""):
    return f"PUT /{bucket}/{key} HTTP/1.1\r\n{HOST}Content-Length: {length}\r\n{more}\r\n"


def announced(server, bucket, count, length, sent=b""):
    """Connections that have announced so much and sent so little."""
    wires = [Wire(server) for _ in range(count)]
    for n, w in enumerate(wires):
        w.send(put(bucket, length, f"slow-{n}").encode() + sent)
    return wires


# ---- announced bodies ---------------------------------------------------------------------------


def test_announced_bodies_block_nobody():
    """Ten clients announce 1,000 MiB each of a limit of 1 GiB: everybody else still writes."""
    with serving("--max-memory", "1GiB") as server:
        s3 = client(server, config=once)
        bucket = unique("w")
        s3.create_bucket(Bucket=bucket)
        wires = announced(server, bucket, 10, 1000 * MIB, b"x")
        for n in range(20):
            s3.put_object(Bucket=bucket, Key=f"{n}", Body=b"y" * (4 * MIB))
        for w in wires:
            w.socket.close()


def test_announced_parts_block_nobody():
    with serving("--max-memory", "64MiB") as server:
        s3 = client(server, config=once)
        bucket = unique("w")
        s3.create_bucket(Bucket=bucket)
        upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
        wires = [Wire(server) for _ in range(10)]
        for n, w in enumerate(wires, 1):
            w.send(put(bucket, 60 * MIB, f"m?partNumber={n}&uploadId={upload}") + "x")
        chunked = Wire(server)
        chunked.send(
            f"PUT /{bucket}/c HTTP/1.1\r\n{HOST}Content-Length: {60 * MIB}\r\n"
            "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n"
            f"x-amz-decoded-content-length: {60 * MIB - 1000}\r\n\r\n"
        )
        s3.put_object(Bucket=bucket, Key="other", Body=b"y" * (32 * MIB))
        for w in [*wires, chunked]:
            w.socket.close()


def test_announced_memory_is_not_touched():
    """5 GiB announced and one byte sent: a few pages, not a huge one."""
    with serving() as server:
        bucket = unique("w")
        client(server).create_bucket(Bucket=bucket)
        first = announced(server, bucket, 5, 5 * GIB, b"x")
        time.sleep(0.2)
        before, count = server.rss(), 50
        wires = announced(server, bucket, count, 5 * GIB, b"x")
        time.sleep(0.2 + 0.02 * SLOW)
        grown = (server.rss() - before) / count
        # A sanitizer's shadow of the stack and of what was allocated is resident, too.
        assert grown < (MIB if SANITIZED else 100 * 1024), f"{grown:.0f} bytes a connection"
        for w in first + wires:
            w.socket.close()


def test_length_that_can_never_fit():
    """Refused by name when it is announced, before the client is asked to go on."""
    with serving("--max-memory", "16MiB") as server:
        s3 = client(server, config=once)
        bucket = unique("w")
        s3.create_bucket(Bucket=bucket)
        upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
        for target in ("k", f"m?partNumber=1&uploadId={upload}"):
            with Wire(server) as w:
                w.send(put(bucket, 17 * MIB, target, "Expect: 100-continue\r\n"))
                assert w.fill().startswith(b"HTTP/1.1 503 ")
                assert b"<Code>SlowDown</Code>" in w.rest


def test_memory_runs_out_in_mid_body():
    """503 SlowDown, at once; and what the body had taken is there for others, though its client
    still holds the connection."""
    with serving("--max-memory", "64MiB") as server:
        s3 = client(server, config=once)
        bucket = unique("w")
        s3.create_bucket(Bucket=bucket)
        with Wire(server) as slow:
            slow.send(put(bucket, 60 * MIB).encode() + b"x" * (30 * MIB))
            s3.put_object(Bucket=bucket, Key="other", Body=b"y" * (24 * MIB))
            slow.send(b"x" * (16 * MIB))

            def fits():
                try:
                    s3.put_object(Bucket=bucket, Key="third", Body=b"z" * (30 * MIB))
                    return True
                except s3.exceptions.ClientError:
                    return False

            eventually(fits, 15)
            slow.send(b"x" * (14 * MIB))
            reply = slow.reply()
            assert reply.status == 503 and b"<Code>SlowDown</Code>" in reply.body
        has(s3.head_object(Bucket=bucket, Key="other"), ContentLength=24 * MIB)
        has(s3.head_object(Bucket=bucket, Key="third"), ContentLength=30 * MIB)


# ---- documents ----------------------------------------------------------------------------------


def stats(server):
    reply = http_request(server, "GET", "/_s3mem/stats")
    return json.loads(reply.body)["memory"]


def fill_with(server, head, sent, count):
    """Requests that each send a part of their document and wait."""
    wires = [Wire(server) for _ in range(count)]
    for w in wires:
        w.send(head)
        w.send(sent)
    return wires


MD5 = f"Content-MD5: {'A' * 22}==\r\n"
FORM = "Content-Type: multipart/form-data; boundary=X\r\n"
FIELD = '--X\r\nContent-Disposition: form-data; name="{}"\r\n\r\n'
BLANKS = b" " * 500_000
ELEMENTS = b"<a>" + b"<a></a>\n" * 70_000  # of XML no blanks are kept
# Requests whose documents are kept: what they start with, what follows, and the length of that.
DOCUMENTS = {
    "DeleteObjects": ("POST /{}?delete HTTP/1.1\r\n" + MD5, "", ELEMENTS, 500_000),
    "PutBucketTagging": ("PUT /{}?tagging HTTP/1.1\r\n" + MD5, "", ELEMENTS, 60_000),
    "PostObject": ("POST /{} HTTP/1.1\r\n" + FORM, FIELD.format("a"), BLANKS, 60_000),
    "faults": ("PUT /_s3mem/faults HTTP/1.1\r\n", "", BLANKS, 60_000),
}


@pytest.mark.parametrize("which", DOCUMENTS)
def test_documents_under_way_are_bounded(which):
    """A quarter of --max-memory holds what has come of all documents; then SlowDown by name. What
    is only announced takes none of it, and who leaves gives it back."""
    with serving("--max-memory", "2MiB") as server:
        bucket = unique("w")
        client(server).create_bucket(Bucket=bucket)
        line, start, text, length = DOCUMENTS[which]
        head = line.format(bucket) + HOST + f"Content-Length: {length + len(start)}\r\n\r\n" + start
        idle = fill_with(server, head, b"", 50)
        time.sleep(0.1)
        quiet = stats(server)["requests"]
        assert quiet < 128 * 1024, quiet
        wires = fill_with(server, head, text[:16_000], 100)
        eventually(lambda: 384 * 1024 < stats(server)["requests"] <= 512 * 1024)
        with Wire(server) as w:
            w.send(head)
            w.send(text[:length])
            reply = w.reply()
            assert reply.status == 503 and b"SlowDown" in reply.body
        assert stats(server)["requests"] <= 512 * 1024
        for w in wires + idle:
            w.socket.close()
        eventually(lambda: stats(server)["requests"] == 0)
        client(server).put_bucket_tagging(
            Bucket=bucket, Tagging={"TagSet": [{"Key": "k", "Value": "v" * 200}]}
        )


def test_document_beyond_all_room():
    """One that could not even fit alone is refused before it is sent."""
    with serving("--max-memory", "2MiB") as server:
        bucket = unique("w")
        client(server).create_bucket(Bucket=bucket)
        with Wire(server) as w:
            w.send(
                f"POST /{bucket}?delete HTTP/1.1\r\n{HOST}Content-Length: 600000\r\n"
                "Expect: 100-continue\r\n\r\n"
            )
            assert w.fill().startswith(b"HTTP/1.1 503 ")
            assert b"<Code>SlowDown</Code>" in w.rest


def test_full_store_takes_the_document_that_empties_it():
    with serving("--max-memory", "8MiB") as server:
        s3 = client(server, config=once)
        bucket = unique("w")
        s3.create_bucket(Bucket=bucket)
        with refused("SlowDown", 503):
            for n in range(10_000):
                s3.put_object(Bucket=bucket, Key=f"{n:05}", Body=b"x" * 60_000)
        keys = [{"Key": f"{i:05}"} for i in range(n)]
        assert s3.delete_objects(Bucket=bucket, Delete={"Objects": keys}).get("Errors", []) == []
        eventually(lambda: stats(server)["total"] < 8 * MIB // 4)


def test_file_names_in_fields_are_counted():
    """20 KB of ${filename} become 2 MB of fields: those are held while the file comes."""
    with serving("--max-memory", "16MiB") as server:
        bucket = unique("w")
        client(server).create_bucket(Bucket=bucket)
        start = (
            FIELD.format("key")
            + "k\r\n"
            + FIELD.format("x-ignore-this")
            + "${filename}" * 1500
            + "\r\n"
            + FIELD.format('file"; filename="' + "n" * 800)
        )
        head = (
            f"POST /{bucket} HTTP/1.1\r\n{HOST}{FORM}"
            f"Content-Length: {len(start) + 10_000}\r\n\r\n{start}"
        )
        wires = fill_with(server, head, b"x", 20)
        eventually(lambda: 2 * MIB < stats(server)["requests"] <= 4 * MIB)
        with Wire(server) as w:
            w.send(head)
            w.send(b"x" * 10_000)
            reply = w.reply()
            assert reply.status == 503 and b"<Code>SlowDown</Code>" in reply.body
        for w in wires:
            w.socket.close()
        eventually(lambda: stats(server)["requests"] == 0)


# ---- what has left ------------------------------------------------------------------------------


def test_connections_that_left_leave_no_memory():
    """2,000 clients, idle, served and in mid-body, and what they had is the kernel's again."""
    request = f"GET /_s3mem/health HTTP/1.1\r\n{HOST}\r\n"
    with serving("--journal", "0") as server:
        s3 = client(server)
        bucket = unique("w")
        s3.create_bucket(Bucket=bucket)
        upload = put(bucket, 100_000) + "x" * 20_000
        for sent in ["", request, upload]:
            before = server.rss()
            wires = [Wire(server) for _ in range(2000)]
            for w in wires:
                w.send(sent)
            time.sleep(0.5)
            during = server.rss()
            for w in wires:
                w.socket.close()
            if not SANITIZED:
                assert during - before > 12 * MIB
                eventually(lambda: server.rss() < before + 6 * MIB, 15)


def test_objects_that_are_gone_leave_no_memory():
    with serving("--journal", "0") as server:
        s3 = client(server)
        before = server.rss()
        for size, count in [(100_000, 500), (700_000, 70), (3_000_000, 20), (3_000, 10_000)]:
            bucket = unique("w")
            s3.create_bucket(Bucket=bucket)
            with Wire(server) as w:
                for n in range(count):
                    w.send(put(bucket, size, f"k{n}").encode() + b"x" * size)
                    assert w.reply("PUT").status == 200
            during = server.rss()
            assert http_request(server, "POST", "/_s3mem/clear").status == 200
            if not SANITIZED:
                assert during - before > 25 * MIB
                eventually(lambda: server.rss() < before + 8 * MIB, 15)


# ---- whatever stays -----------------------------------------------------------------------------

LIMIT = 8 * MIB


def request(method, target, body=b"", more=""):
    head = f"{method} {target} HTTP/1.1\r\n{HOST}{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def metadata(n):
    return "".join(f"x-amz-meta-{i}: {'v' * 180}\r\n" for i in range(10)) + f"x-amz-meta-n: {n}\r\n"




# What a client can leave in the server: bucket, number, id of an upload -> one request.
KEY = "k" * 900
STAYS = {
    "objects": lambda b, n, u: request("PUT", f"/{b}/{KEY}{n}", b"x"),
    "objects of 3 KiB": lambda b, n, u: request("PUT", f"/{b}/{n}", b"x" * 3000),
    "objects of 50 KiB": lambda b, n, u: request("PUT", f"/{b}/{n}", b"x" * 50_000),
    "objects of 1.5 MiB": lambda b, n, u: request("PUT", f"/{b}/{n}", b"x" * 1_500_000),
    "metadata": lambda b, n, u: request("PUT", f"/{b}/{n}", b"", metadata(n)),
    "tags": lambda b, n, u: request(
        "PUT", f"/{b}/{n}", b"", f"x-amz-tagging: a={'v' * 250}\r\n"
    ),
    "copies": lambda b, n, u: request(
        "PUT", f"/{b}/{KEY}{n}", b"", f"x-amz-copy-source: /{b}/source\r\n"
    ),
    "versions": lambda b, n, u: request("PUT", f"/{b}/{KEY}", b"x"),
    "delete markers": lambda b, n, u: request("DELETE", f"/{b}/{KEY}"),
    "uploads": lambda b, n, u: request("POST", f"/{b}/{KEY}{n}?uploads", b"", metadata(n)),
    "parts": lambda b, n, u: request(
        "PUT", f"/{b}/m?partNumber={n % 10_000 + 1}&uploadId={u}", b"x" * 4000
    ),
    "forms": lambda b, n, u: request(
        "POST",
        f"/{b}",
        (
            FIELD.format("key") + f"{KEY}{n}\r\n"
            + FIELD.format('file"; filename="f') + "x\r\n--X--"
        ).encode(),
        FORM,
    ),
    "buckets": lambda b, n, u: request("PUT", f"/{b[:20]}-{n}"),
    "snapshots": lambda b, n, u: request(
        "POST", "/_s3mem/snapshots", json.dumps({"name": f"{'s' * 100}{n}"}).encode()
    ),
    "branches": lambda b, n, u: request(
        "POST", "/_s3mem/branches", json.dumps({"name": f"{'s' * 100}{n}"}).encode()
    ),
}


def pipelined(w, requests):
    """Statuses of requests that are sent without waiting for each other's replies."""
    w.send(b"".join(requests))
    return [w.reply("PUT").status for _ in requests]


@pytest.mark.parametrize("what", STAYS)
def test_whatever_stays_is_counted(what):
    """Each of them is refused at the limit, and the process is no larger than that by much."""
    options = ["--max-memory", LIMIT, "--journal", "0"]
    with serving(*options) as server, Wire(server, 60) as w:
        bucket = unique("w")
        s3 = client(server)
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="source", Body=b"x")
        upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
        if what in ("versions", "delete markers"):
            s3.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        before, n, statuses = server.rss(), 0, []
        while 503 not in statuses and n < 100_000:
            statuses = pipelined(w, [STAYS[what](bucket, n + i, upload) for i in range(20)])
            n += 20
            assert set(statuses) <= {200, 201, 204, 503}, statuses
        assert 503 in statuses
        if not SANITIZED:
            assert server.rss() - before < 1.2 * LIMIT + 2 * MIB


# ---- replies ------------------------------------------------------------------------------------


def test_replies_that_nobody_takes():
    """Listings of five megabytes, each asked for by a client that does not read: together a quarter of the
    limit, then SlowDown. When the clients have left, all of it comes back."""
    with serving("--max-memory", "64MiB") as server:
        s3 = client(server, config=once)
        bucket = unique("w")
        s3.create_bucket(Bucket=bucket)
        with Wire(server, 60) as w:
            for n in range(0, 1000, 20):
                keys = [f"{'%01' * 1000}{i:04}" for i in range(n, n + 20)]
                assert set(pipelined(w, [put(bucket, 0, key).encode() for key in keys])) == {200}
        readers, statuses = [], []
        for _ in range(8):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(20 * SLOW)
            s.connect(("127.0.0.1", server.port))
            s.sendall(f"GET /{bucket}?list-type=2 HTTP/1.1\r\n{HOST}\r\n".encode())
            statuses.append(int(s.recv(12).split()[1]))
            readers.append(s)
        assert statuses[0] == 200 and statuses[-1] == 503, statuses
        held = json.loads(http_request(server, "GET", "/_s3mem/stats").body)["memory"]
        assert MIB < held["requests"] <= 16 * MIB, held
        for s in readers:
            s.close()
        eventually(lambda: json.loads(http_request(server, "GET", "/_s3mem/stats").body)["memory"]["requests"] == 0)
        found = http_request(server, "GET", f"/{bucket}?list-type=2")
        assert found.status == 200 and found.body.count(b"<Key>") == 1000
