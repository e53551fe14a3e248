# SPDX-License-Identifier: MIT
"""Snapshots as documents: fixtures travel from one server to another."""

import concurrent.futures
import contextlib
import gzip
import hashlib
import http.client
import os
import socket
import struct

import pytest
import requests

from admin import admin, admin_refused, ok
from harness import PART, PATIENCE, SLOW, TURN_MS, client, eventually, http_request, keys_of, refused, serving

MAGIC = b"s3mem snapshot 1\n"


@pytest.fixture(scope="module")
def source():
    """A server with a snapshot "fixture" of a bit of everything."""
    with serving("--bucket", "data", "--bucket", "old") as server:
        s3 = client(server)
        s3.put_object(Bucket="data", Key="plain", Body=b"x" * 10000, ContentType="text/x",
                      Metadata={"a": "b"}, Tagging="t=1")
        s3.put_bucket_tagging(Bucket="data", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
        s3.put_bucket_versioning(Bucket="old", VersioningConfiguration={"Status": "Enabled"})
        for body in (b"1", b"2", b"3"):
            s3.put_object(Bucket="old", Key="k", Body=body)
        s3.delete_object(Bucket="old", Key="k")
        upload = s3.create_multipart_upload(Bucket="data", Key="large")["UploadId"]
        etag = s3.upload_part(Bucket="data", Key="large", UploadId=upload, PartNumber=1,
                              Body=b"p" * PART)["ETag"]
        server.upload, server.etag = upload, etag
        ok(admin(server, "POST", "snapshots", {"name": "fixture"}), 201)
        yield server


def download(server, name="fixture", **query):
    reply = admin(server, "GET", f"snapshots/{name}", **query)
    assert reply.status == 200, reply
    return reply


def upload(server, name, document, headers=None, **query):
    query = "?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else ""
    return http_request(server, "PUT", f"/_s3mem/snapshots/{name}{query}", headers=headers,
                        body=document)


def test_a_fixture_travels(source):
    document = download(source)
    assert document.headers["content-type"] == "application/vnd.s3mem.snapshot"
    assert document.headers["content-disposition"] == 'attachment; filename="fixture.s3mem"'
    assert document.body.startswith(MAGIC)
    packed = download(source, gzip="true")
    assert packed.headers["content-type"] == "application/gzip"
    assert gzip.decompress(packed.body) == document.body
    theirs = client(source)
    with serving() as other:
        for name, body in (("plain", document.body), ("packed", packed.body)):
            info = ok(upload(other, name, body), 201)
            assert (info["buckets"], info["objects"], info["versions"], info["uploads"]) == (
                2, 1, 4, 1)
            # Equal states are equal bytes.
            assert download(other, name).body == document.body
            ok(admin(other, "POST", f"snapshots/{name}/restore"))
            s3 = client(other)
            head = s3.head_object(Bucket="data", Key="plain", ChecksumMode="ENABLED")
            wanted = theirs.head_object(Bucket="data", Key="plain", ChecksumMode="ENABLED")
            for field in ("ETag", "LastModified", "ContentType", "Metadata", "ChecksumCRC64NVME",
                          "ChecksumCRC32"):
                assert head.get(field) == wanted.get(field), field
            assert s3.get_object_tagging(Bucket="data", Key="plain")["TagSet"] == [
                {"Key": "t", "Value": "1"}]
            assert s3.list_object_versions(Bucket="old")["Versions"] == (
                theirs.list_object_versions(Bucket="old")["Versions"])
            done = s3.complete_multipart_upload(
                Bucket="data", Key="large", UploadId=source.upload,
                MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": source.etag}]})
            assert done["Key"] == "large"
            # What is written now is newer than what came.
            s3.put_object(Bucket="old", Key="k", Body=b"new")
            latest = s3.list_object_versions(Bucket="old", Prefix="k")["Versions"][0]
            assert latest["IsLatest"]
            assert s3.get_object(Bucket="old", Key="k")["Body"].read() == b"new"


def test_equal_states_with_other_pasts_are_equal_bytes():
    """Two servers that came to hold the same, in another order and with detours."""
    documents = []
    for detour in (False, True):
        with serving("--bucket=spare") as server:
            ok(admin(server, "PUT", "clock", {"freeze": "2030-01-01T00:00:00Z"}))
            s3 = client(server)
            s3.delete_bucket(Bucket="spare")
            keys = ["a", "m", "z"]
            for bucket in ("two", "one") if detour else ("one", "two"):
                s3.create_bucket(Bucket=bucket)
                for key in reversed(keys) if detour else keys:
                    if detour:
                        s3.put_object(Bucket=bucket, Key=key, Body=b"replaced")
                        s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
                        s3.delete_object(Bucket=bucket, Key="gone")
                    s3.put_object(Bucket=bucket, Key=key, Body=key.encode() * 20000, Tagging="t=1",
                                  Metadata={"one": "1", "two": "2"})
            s3.put_bucket_versioning(Bucket="two", VersioningConfiguration={"Status": "Suspended"})
            s3.delete_object(Bucket="two", Key="m")  # a marker that is the null version
            ok(admin(server, "POST", "snapshots", {"name": "s"}), 201)
            documents.append(download(server, "s").body)
            # And they are documents.
            ok(upload(server, "copy", documents[-1]), 201)
            assert download(server, "copy").body == documents[-1]
    assert documents[0] == documents[1]


def test_an_upload_that_was_overtaken_stays_so(source):
    """If-Match: a key that was written since the upload began conflicts."""
    s3 = client(source)
    begun = s3.create_multipart_upload(Bucket="data", Key="raced")["UploadId"]
    s3.put_object(Bucket="data", Key="raced", Body=b"x")
    s3.put_object(Bucket="data", Key="raced", Body=b"y")
    etag = s3.upload_part(Bucket="data", Key="raced", UploadId=begun, PartNumber=1, Body=b"p")["ETag"]
    match = s3.head_object(Bucket="data", Key="raced")["ETag"]
    ok(admin(source, "POST", "snapshots", {"name": "raced"}), 201)
    with serving() as other:
        ok(upload(other, "raced", download(source, "raced").body), 201)
        ok(admin(other, "POST", "snapshots/raced/restore"))
        for server in (source, other):
            with refused("ConditionalRequestConflict", 409):
                client(server).complete_multipart_upload(
                    Bucket="data", Key="raced", UploadId=begun, IfMatch=match,
                    MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    ok(admin(source, "DELETE", "snapshots/raced"), 204)


def test_many_objects_and_large_ones(source):
    """100 MB, in both directions, while others work."""
    with serving("--bucket", "big") as server:
        for i in range(10):
            http_request(server, "PUT", f"/big/large-{i}", body=os.urandom(10_000_000))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: http_request(server, "PUT", f"/big/small-{i:05}", body=b"s"),
                          range(3000)))
        ok(admin(server, "POST", "snapshots", {"name": "big"}), 201)
        document = download(server, "big").body
        assert len(document) > 100_000_000
        assert ok(upload(server, "again", document), 201)["objects"] == 3010
        # In chunks, without a length.
        chunks = (document[i : i + 100_000] for i in range(0, len(document), 100_000))
        reply = requests.put(f"{server.url}/_s3mem/snapshots/chunked", data=chunks,
                             timeout=PATIENCE)
        assert reply.status_code == 201, reply.text
        assert download(server, "chunked").body == document


def test_no_chunk_is_waited_for_in_vain(source):
    """A client in chunks that is quicker than the reader, now and then: it sends on each time."""
    with serving("--bucket", "big") as server:
        for i in range(6):
            http_request(server, "PUT", f"/big/{i}", body=os.urandom(5_000_000))
        ok(admin(server, "POST", "snapshots", {"name": "s"}), 201)
        document = download(server, "s").body
        for _ in range(100 if SLOW <= 10 else 20):
            chunks = (document[i : i + 100_000] for i in range(0, len(document), 100_000))
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE / 5)) as sending:
                sending.request("PUT", "/_s3mem/snapshots/again", chunks, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
                assert sending.getresponse().status == 201
            ok(admin(server, "DELETE", "snapshots/again"), 204)


def test_a_download_is_one_instant(source):
    """What changes meanwhile, and that the snapshot is dropped, does not matter."""
    with serving("--bucket", "live") as server:
        for i in range(20):
            http_request(server, "PUT", f"/live/{i:02}", body=os.urandom(1_000_000))
        ok(admin(server, "POST", "snapshots", {"name": "s"}), 201)
        whole = download(server, "s").body
        reply = requests.get(f"{server.url}/_s3mem/snapshots/s", stream=True, timeout=PATIENCE)
        pieces = reply.iter_content(65536)
        got = next(pieces)
        ok(admin(server, "POST", "clear"))
        ok(admin(server, "DELETE", "snapshots/s"), 204)
        got += b"".join(pieces)
        assert got == whole


def test_refused_whole(source):
    document = download(source).body
    packed = download(source, gzip="true").body
    altered = bytearray(document)
    altered[len(altered) // 2] ^= 1
    for body, why in (
        (document[:-1], "truncated"),
        (document[: len(document) // 2], "truncated"),
        (bytes(altered), "SHA-256"),
        (document + b"x", "follows"),
        (packed[:-1], "truncated"),
        (packed + b"x", "follows"),
        (b"", "truncated"),
        (b"PK\x03\x04 zip", "no snapshot document"),
        (MAGIC.replace(b"1", b"2"), "of version 2, written by a newer s3memd: this s3memd reads version 1"),
        (gzip.compress(MAGIC.replace(b"1", b"12")), "of version 12, written by a newer s3memd"),
    ):
        error = admin_refused(upload(source, "never", body), 400, "InvalidDocument")
        assert why in error["message"], (why, error)
    names = [s["name"] for s in ok(admin(source, "GET", "snapshots"))["snapshots"]]
    assert names == ["fixture"]


def test_names(source):
    document = download(source).body
    admin_refused(upload(source, "fixture", document), 409, "SnapshotAlreadyExists", "name")
    # Refused before it is sent: the connection needs no body.
    admin_refused(upload(source, "bad%20name", b"x"), 400, "InvalidName", "name")
    admin_refused(upload(source, "other", document, replace="maybe"), 400, "InvalidArgument",
                  "replace")
    ok(upload(source, "second", document), 201)
    ok(upload(source, "second", document, replace="true"), 201)
    ok(admin(source, "DELETE", "snapshots/second"), 204)
    admin_refused(admin(source, "GET", "snapshots/none"), 404, "NoSuchSnapshot", "name")
    admin_refused(admin(source, "GET", "snapshots/fixture", gzip="7"), 400, "InvalidArgument",
                  "gzip")
    head = admin(source, "HEAD", "snapshots/fixture")
    assert head.status == 200 and head.body == b""


def varint(n):
    out = b""
    while n >= 0x80:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])


def text(value):
    return varint(len(value)) + value


def sealed(body):
    return body + hashlib.sha256(body).digest()


def checksum(algorithm, digest=b""):
    return text(algorithm) + b"\x02" + digest


def crafted(*items):
    """A document with one bucket "fixture"; items: what it holds, and the counts at its end."""
    time = struct.pack("<q", 10**18)
    bucket = b"B" + text(b"fixture") + text(b"us-east-1") + text(b"aa\nbb\n000000000000")
    return sealed(MAGIC + bucket + time + b"\0\0" + b"".join(items))


def record_of(number, time=10**18, key=b"k"):
    return (b"R" + text(key) + b"\x03" + varint(number) + struct.pack("<q", time)
            + hashlib.md5(b"").digest() + text(b"") + b"\0" + b"\0\0" + text(b"") + b"\0\0")


@pytest.mark.parametrize("number", [0, 2**46 + 1, 2**48 - 1, 2**48, 2**64 - 1])
def test_numbers_that_end_the_counting(number):
    """The numbers that tell newer from older are a client's to choose in a document: those that
    would leave none for the next write are refused."""
    with serving("--bucket", "mine") as server:
        document = crafted(record_of(number), b"E\x01\x01\0\0")
        admin_refused(upload(server, "s", document), 400, "InvalidDocument")
        assert http_request(server, "PUT", "/mine/k", body=b"x").status == 200


@pytest.mark.parametrize("name, region", [
    (b"fix\0ture", b""), (b"fix\nture", b""), (b"mine", b"us\0\1"), (b"mine", b"eu\r\nx-a: b"), (b"mine", b"a.b"),
    (b"mine", "\u00e9".encode()),
])
def test_buckets_that_cannot_be(name, region):
    """A name or a region goes into headers, and is kept up to a NUL."""
    bucket = b"s3mem snapshot 1\nB" + text(name) + text(region) + text(b"o\no\n000000000000")
    document = sealed(bucket + struct.pack("<q", 10**18) + b"\0\0E\x01\0\0\0")
    with serving() as server:
        admin_refused(upload(server, "s", document), 400, "InvalidDocument")
        good = document.replace(text(name), text(b"fine")).replace(text(region), text(b""))[:-32]
        ok(upload(server, "s", sealed(good)), 201)


@pytest.mark.parametrize("time", [-(2**63), -1, 2**63 - 1])
def test_largest_number_and_times(time):
    with serving("--bucket", "mine") as server:
        ok(upload(server, "s", crafted(record_of(2**46, time), b"E\x01\x01\0\0")), 201)
        ok(admin(server, "POST", "snapshots/s/restore"))
        assert http_request(server, "HEAD", "/fixture/k").status == 200
        assert http_request(server, "GET", "/fixture?list-type=2").status == 200
        assert http_request(server, "PUT", "/fixture/k", body=b"x").status == 200
        assert http_request(server, "DELETE", "/fixture/k").status == 204


@pytest.mark.parametrize("kind, sums", [
    (b"\x02", (checksum(b"SHA256", bytes(32)), checksum(b"CRC32", bytes(4)))),
    (b"\x02", (checksum(b"SHA256", bytes(32)), checksum(b"SHA256", bytes(32)))),
    (b"\x02", (checksum(b""), checksum(b""))),
    (b"\x01", (checksum(b"CRC32", bytes(4)), checksum(b"SHA256", bytes(32)))),
])
def test_parts_that_do_not_sum_up(source, kind, sums):
    """An upload whose parts carry other checksums than it announces can still be ended."""
    with serving("--bucket", "mine", "--min-part-size", "0") as server:
        upload_id = source.upload  # of the key "large"
        time = struct.pack("<q", 10**18)
        begun = (b"U" + text(b"large") + text(upload_id.encode()) + time + text(b"CRC32") + kind
                 + text(b"o\no\n000000000000") + b"\0\0")
        parts = [b"P" + varint(i + 1) + time + hashlib.md5(b"").digest() + s + b"\0"
                 for i, s in enumerate(sums)]
        ok(upload(server, "s", crafted(begun, *parts, b"E\x01\0\x01\x02")), 201)
        ok(admin(server, "POST", "snapshots/s/restore"))
        etag = hashlib.md5(b"").hexdigest()

        def complete(more):
            listed = "".join(f"<Part><PartNumber>{i}</PartNumber><ETag>{etag}</ETag>{more}</Part>"
                             for i in (1, 2))
            return http_request(
                server, "POST", f"/fixture/large?uploadId={upload_id}",
                body=f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode())

        # A checksum that is none of the part's.
        assert complete("<ChecksumCRC32>AAAAAQ==</ChecksumCRC32>").code == "InvalidPart"
        reply = complete("")
        if kind == b"\x01":
            # COMPOSITE: every part's is asked for, and one has none. The upload can be given up.
            assert reply.code == "InvalidRequest", reply
            gone = http_request(server, "DELETE", f"/fixture/large?uploadId={upload_id}")
            assert gone.status == 204
        else:
            assert reply.status == 200 and b"Checksum" not in reply.body, reply
        assert http_request(server, "GET", "/fixture?uploads").status == 200


def test_memory_limit(source):
    """A document that does not fit is refused, and what it took is given back."""
    document = download(source).body
    with serving("--max-memory", "2MiB", "--bucket", "mine") as server:
        assert upload(server, "s", document).status == 503
        assert http_request(server, "PUT", "/mine/k", body=b"x" * 500_000).status == 200
        assert keys_of(client(server).list_objects_v2(Bucket="mine")) == ["k"]


def zeros(count, size):
    """A document of a bucket whose objects are full of zeros, as gzip packs it small."""
    def number(n):
        out = b""
        while n >= 0x80:
            out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
        return out + bytes([n])

    def text(t):
        return number(len(t)) + t
    time = struct.pack("<q", 10**18)
    parts = [MAGIC, b"B" + text(b"zeros") + text(b"us-east-1") + text(b"a\nb\n000000000000") + time + b"\0\0"]
    for i in range(count):
        parts.append(b"R" + text(b"k%06d" % i) + b"\3" + number(i + 1) + time + hashlib.md5(bytes(size)).digest()
                     + text(b"") + b"\0\0\0" + text(b"") + b"\0" + number(size) + bytes(size))
    parts.append(b"E" + number(1) + number(count) + b"\0\0")
    document = b"".join(parts)
    return document + hashlib.sha256(document).digest()


def longest_turn_ms(server):
    return ok(admin(server, "GET", "stats"))["turns"]["longestCpuMs"]


def refuse_and_take(packed):
    """The longest turn, in ms, of the server that refuses it and of the one that takes it."""
    with serving("--max-memory", "64MiB") as server:
        before = server.rss()
        admin_refused(upload(server, "s", packed), 503, "SlowDown")
        assert server.rss() < before + (110 << 20) * (1 if SLOW == 10 else 3)
        longest = longest_turn_ms(server)
        admin_refused(admin(server, "GET", "snapshots/s"), 404, "NoSuchSnapshot", "name")
    with serving() as server:
        info = ok(upload(server, "s", packed), 201)
        assert (info["name"], info["objects"], info["bytes"]) == ("s", 100, 100 << 20)
        again = download(server, gzip="true", name="s")
        assert hashlib.sha256(gzip.decompress(again.body)).digest() == hashlib.sha256(download(server, "s").body).digest()
        return max(longest, longest_turn_ms(server))


def test_gzip_that_expands():
    """1,000 times what is sent: counted as it grows and refused where it does not fit; compressed and
    expanded on no I/O thread for longer than others can wait. The least of some tries: others only add."""
    document = zeros(100, 1 << 20)
    packed = gzip.compress(document)
    assert len(packed) < len(document) / 900
    assert any(refuse_and_take(packed) <= TURN_MS for _ in range(4))


def test_uploads_that_stand_still(source):
    """They keep no memory but their pipe, and nobody from anything; those that leave are over."""
    connections = []
    for i in range(20):
        c = socket.create_connection(("127.0.0.1", source.port), timeout=PATIENCE)
        c.sendall(b"PUT /_s3mem/snapshots/still%d HTTP/1.1\r\nHost: localhost\r\n"
                  b"Content-Length: 5000000\r\n\r\n" % i + MAGIC)
        connections.append(c)

    def states():
        return [j["state"] for j in ok(admin(source, "GET", "jobs"))["jobs"] if j["kind"] == "upload"]
    eventually(lambda: states().count("running") == 20)
    ok(upload(source, "quick", download(source).body), 201)
    ok(admin(source, "DELETE", "snapshots/quick"), 204)
    for c in connections:
        c.close()
    eventually(lambda: "running" not in states())
