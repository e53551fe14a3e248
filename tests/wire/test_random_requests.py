# SPDX-License-Identifier: MIT
"""Requests put together at random, half of them broken at random, several to a connection, from
clients that may leave at any byte: the server answers the next client, logs no error of its own and
ends as it should (under the sanitizers, too). S3MEM_RANDOM_SEED=N makes other requests,
S3MEM_RANDOM_COUNT=N more of them."""

import os
import random
import socket
import struct
import threading

import pytest

from harness import ATTACHED, client, http_request, serving

REQUESTS = int(os.environ.get("S3MEM_RANDOM_COUNT") or 4000)
CLIENTS = 4

METHODS = ["GET", "PUT", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"]
BUCKETS = ["bucket", "other", "x.y"]
KEYS = [
    "/k", "/a/b", "/%00", "/a%20b", "/..", "/%2e%2e/x", "/%F0%9F%98%80", "/" + "a" * 900,
    "/k?versionId=null", "/k?versionId=abc", "/k?uploadId=zz&partNumber=1", "/k?tagging",
    "/k?attributes", "/k?uploads", "/k?renameObject", "/k?acl", "?versions", "?delete", "?versioning",
    "?tagging", "?location", "?policy", "?uploads&max-uploads=1", "?list-type=2&prefix=a&delimiter=/",
    "?list-type=2&continuation-token=abc",
]  # fmt: skip
ADMIN = [
    "health", "stats", "stats?keys=true", "snapshots", "snapshots/a", "snapshots/a/restore",
    "branches", "branches/w", "faults", "clock", "requests", "requests?wait=10ms&count=1",
    "events?type=putObject", "metrics", "clear?bucket=bucket", "export?bucket=bucket",
    "import?bucket=bucket", "save?bucket=bucket", "load?bucket=bucket", "jobs", "jobs/1",
    "openapi.json",
]  # fmt: skip
HEADERS = [
    "x-amz-content-sha256: UNSIGNED-PAYLOAD",
    "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "Content-Encoding: aws-chunked", "x-amz-decoded-content-length: 5",
    "x-amz-trailer: x-amz-checksum-crc32", "x-amz-checksum-crc32: AAAAAA==",
    "x-amz-checksum-algorithm: SHA256", "x-amz-checksum-mode: ENABLED", "x-amz-meta-a: b",
    "x-amz-meta-\u00e9: \u00fc", "x-amz-copy-source: /bucket/k",
    "x-amz-copy-source: bucket/k?versionId=null", "x-amz-copy-source-range: bytes=0-1",
    "x-amz-rename-source: /bucket/k", "Range: bytes=0-0", "Range: bytes=-5", "Range: bytes=1-0,3-",
    "If-Match: *", "If-None-Match: *", "If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT",
    "x-amz-tagging: a=b&c=d", "x-s3mem-branch: w", "Expect: 100-continue", "Connection: close",
    "Transfer-Encoding: chunked", "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==",
    "Content-Type: application/xml", "Content-Type: multipart/form-data; boundary=xx",
    "x-amz-object-attributes: ETag,Checksum,ObjectParts", "x-amz-storage-class: GLACIER",
    "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=00",
    "Authorization: AWS a:b", "Accept-Encoding: gzip", "Content-Encoding: gzip",
]  # fmt: skip
BODIES = [
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
    b"5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\n\r\n",
    b"<Delete><Object><Key>k</Key></Object><Object><Key>a/b</Key><VersionId>null</VersionId></Object>"
    b"</Delete>",
    b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
    b"</CompleteMultipartUpload>",
    b'{"name":"a"}',
    b'{"name":"w","from":"main"}',
    b'{"operation":"GetObject","error":"SlowDown","times":1}',
    b'{"offset":"1h"}',
    b'--xx\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="file"\r\n\r\nhi\r\n--xx--\r\n',
    b"\x1f\x8b\x08\x00" + b"\0" * 20,
]


def compose(r):
    if r.random() < 0.35:
        method, target = r.choice(["GET", "POST", "PUT", "DELETE"]), "/_s3mem/" + r.choice(ADMIN)
    else:
        method, target = r.choice(METHODS), "/" + r.choice(BUCKETS) + r.choice(KEYS)
    body = r.choice(BODIES)
    headers = ["Host: 127.0.0.1", *r.sample(HEADERS, r.choice([0, 1, 2, 3, 5]))]
    if "Transfer-Encoding: chunked" not in headers or r.random() < 0.1:
        length = len(body) if r.random() < 0.95 else r.randrange(20)
        headers.append(f"Content-Length: {length}")
    r.shuffle(headers)
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *headers])
    return f"{head}\r\n\r\n".encode() + body


def damage(r, data):
    data = bytearray(data)
    for _ in range(r.choice([1, 1, 2, 5])):
        at, way = r.randrange(len(data)), r.random()
        if way < 0.4:
            data[at] = r.randrange(256)
        elif way < 0.6:
            del data[at : at + r.randrange(1, 6)]
        elif way < 0.8:
            data[at:at] = r.randbytes(r.randrange(1, 5))
        else:
            from_ = r.randrange(len(data))
            data[at:at] = data[from_ : from_ + r.randrange(1, 40)]
    return bytes(data)


def annoy(server, r, requests):
    while requests > 0:
        with socket.create_connection(("127.0.0.1", server.port), 30) as s:
            s.settimeout(0.05)
            try:
                for _ in range(r.choice([1, 1, 2, 4])):
                    data = compose(r)
                    s.sendall(damage(r, data) if r.random() < 0.5 else data)
                    requests -= 1
                    if r.random() < 0.8:
                        s.recv(65536)
            except (TimeoutError, ConnectionError):
                pass
            if r.random() < 0.3:  # a reset in place of an end
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.skipif(ATTACHED, reason="reads the server's log")
def test_random_requests(tmp_path):
    seed = os.environ.get("S3MEM_RANDOM_SEED") or "1"
    options = ["--bucket", "bucket", "--auto-bucket", "--body-timeout", "1", "--header-timeout", "1"]
    with serving(*options, "--state-dir", tmp_path) as server:
        clients = [
            threading.Thread(
                target=annoy, args=(server, random.Random(f"{seed} {n}"), REQUESTS // CLIENTS)
            )
            for n in range(CLIENTS)
        ]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        for rules in ("faults", "clock"):
            assert http_request(server, "DELETE", f"/_s3mem/{rules}").status < 300
        s3 = client(server)
        s3.create_bucket(Bucket="afterwards")
        s3.put_object(Bucket="afterwards", Key="k", Body=b"x")
        assert s3.get_object(Bucket="afterwards", Key="k")["Body"].read() == b"x"
        errors = [line for line in server.stderr().splitlines() if " error " in line]
        assert errors == [], errors[:20]
