# SPDX-License-Identifier: MIT
"""Bodies: lengths, Transfer-Encoding, Expect, pipelining, clients that leave."""

import os
import socket
import struct
import time

import pytest

from conftest import by_library
from harness import MIB, SLOW, client, eventually, has, keys_of, serving, unique

HOST = "Host: 127.0.0.1\r\n"


def put(bucket, headers, body="", key="k"):
    head = f"PUT /{bucket}/{key} HTTP/1.1\r\n{HOST}{headers}\r\n".encode()
    return head + (body if isinstance(body, bytes) else body.encode())


def nothing_stored(s3, bucket):
    return keys_of(s3.list_objects_v2(Bucket=bucket)) == []


# ---- length -------------------------------------------------------------------------------------


def test_no_length(wire, s3, bucket):
    """AWS error list: MissingContentLength, 411. (RFC 9112 reads no length as an empty body; S3
    does not.)"""
    reply = wire(put(bucket, "Connection: close\r\n"))
    assert (reply.status, reply.code) == (411, "MissingContentLength"), reply
    assert nothing_stored(s3, bucket)


@pytest.mark.parametrize(
    "length", ["-1", "abc", "1x", "0x10", "+1", "1,1", "99999999999999999999999", " ", "1.0", "18446744073709551615"]
)
def test_bad_length(wire, s3, bucket, length):
    reply = wire(put(bucket, f"Content-Length: {length}\r\nConnection: close\r\n", "x"), close=True)
    assert reply is None or reply.status in (400, 411, 413), reply
    assert nothing_stored(s3, bucket)


def test_two_lengths(wire, s3, bucket):
    """RFC 9112 section 6.3: differing lengths are an attack."""
    reply = wire(
        put(bucket, "Content-Length: 1\r\nContent-Length: 5\r\nConnection: close\r\n", "xyzzy"),
        close=True,
    )
    assert reply is None or reply.status == 400, reply
    assert nothing_stored(s3, bucket)


def test_length_and_chunked(wire, s3, bucket):
    """RFC 9112 section 6.1: both together are suspicious; never two requests in one."""
    smuggled = f"PUT /{bucket}/smuggled HTTP/1.1\r\n{HOST}Content-Length: 1\r\n\r\nx"
    w = wire()
    w.send(
        put(
            bucket,
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n",
            "0\r\n\r\n" + smuggled,
        )
    )
    w.reply()
    assert "smuggled" not in keys_of(s3.list_objects_v2(Bucket=bucket))


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "identity", "chunked, chunked", "x"])
def test_odd_transfer_encoding(wire, s3, bucket, coding):
    reply = wire(
        put(bucket, f"Transfer-Encoding: {coding}\r\nConnection: close\r\n", "1\r\nx\r\n0\r\n\r\n"),
        close=True,
    )
    assert reply is None or reply.status in (400, 411, 501), reply
    assert nothing_stored(s3, bucket)


@pytest.mark.parametrize("first,second", [("gzip", "chunked"), ("chunked", "gzip"), ("chunked",) * 2])
def test_two_transfer_encodings(wire, s3, bucket, first, second):
    """RFC 9110, 5.3: they are one list, which is none that is served. Stored as it came, the body
    would be one thing to us and another to a proxy before us."""
    codings = f"Transfer-Encoding: {first}\r\nTransfer-Encoding: {second}\r\n"
    head = f"Content-Encoding: aws-chunked\r\nx-amz-decoded-content-length: 1\r\n{codings}"
    reply = wire(put(bucket, head, "1\r\nx\r\n0\r\n\r\n"), close=True)
    assert by_library(reply) or (reply.status, reply.code) == (501, "NotImplemented"), reply
    assert nothing_stored(s3, bucket)


def test_chunked_with_decoded_length(wire, s3, bucket):
    """SDKs that stream send Transfer-Encoding: chunked around aws-chunked."""
    inner = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    outer = b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
    reply = wire(
        put(
            bucket,
            "Transfer-Encoding: chunked\r\nContent-Encoding: aws-chunked\r\n"
            "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n"
            "x-amz-decoded-content-length: 5\r\nx-amz-trailer: x-amz-checksum-crc32\r\n",
            outer,
        )
    )
    assert reply.status == 200, reply
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


def test_chunked_plain(wire, s3, bucket):
    """Transfer-Encoding: chunked without any length. Observed of S3: 501, Header
    Transfer-Encoding."""
    reply = wire(put(bucket, "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"))
    assert (reply.status, reply.code) == (501, "NotImplemented"), reply
    assert reply.error["Header"] == "Transfer-Encoding"
    assert nothing_stored(s3, bucket)


@pytest.mark.parametrize(
    "body", ["zz\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n", "-5\r\nhello\r\n", "ffffffffffffffffff\r\nx"]
)
def test_bad_http_chunks(wire, s3, bucket, body):
    headers = (
        "Transfer-Encoding: chunked\r\nx-amz-decoded-content-length: 5\r\nConnection: close\r\n"
        "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"
    )
    reply = wire(put(bucket, headers, body), close=True)
    assert reply is None or 400 <= reply.status < 500, reply
    assert nothing_stored(s3, bucket)


def test_body_longer_than_declared(wire, s3, bucket):
    """The rest is the next request, and no good one."""
    w = wire()
    w.send(put(bucket, "Content-Length: 5\r\n", "hello GARBAGE\r\n\r\n"))
    assert w.reply().status == 200
    following = w.reply()
    assert following is None or following.status in (400, 405, 501)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


def test_body_shorter_than_declared(wire, s3, bucket):
    """AWS error list: IncompleteBody, or no answer at all, since the client has left."""
    reply = wire(put(bucket, "Content-Length: 10\r\n", "hello"), close=True)
    assert reply is None or (reply.status, reply.code) == (400, "IncompleteBody"), reply
    time.sleep(0.1)
    assert nothing_stored(s3, bucket)


def test_body_on_get_and_delete(wire, s3, bucket):
    """A body where none belongs is read and dropped, so that the connection stays in step."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    w = wire()
    for method in ("GET", "HEAD", "DELETE"):
        w.send(f"{method} /{bucket}/k HTTP/1.1\r\n{HOST}Content-Length: 7\r\n\r\nGET / H")
        reply = w.reply(method)
        if reply.status == 400:
            return  # refused: then the connection may close
        assert reply.status in (200, 204), reply
    w.send(f"GET / HTTP/1.1\r\n{HOST}\r\n")
    assert w.reply().status == 200


# ---- aws-chunked --------------------------------------------------------------------------------


def chunked(wire, bucket, body, length=5, trailer=None, mode="STREAMING-UNSIGNED-PAYLOAD-TRAILER", close=False):
    body = body if isinstance(body, bytes) else body.encode()
    headers = (
        f"Content-Length: {len(body)}\r\nContent-Encoding: aws-chunked\r\n"
        f"x-amz-content-sha256: {mode}\r\nx-amz-decoded-content-length: {length}\r\n"
    )
    if trailer:
        headers += f"x-amz-trailer: {trailer}\r\n"
    return wire(put(bucket, headers, body), close=close)


CRC_HELLO = "x-amz-checksum-crc32:NhCmhg=="


@pytest.mark.parametrize(
    "body,trailer",
    [
        ("5\r\nhello\r\n0\r\n\r\n", None),
        ("5;ext=1;other\r\nhello\r\n0\r\n\r\n", None),
        ("00005\r\nhello\r\n0\r\n\r\n", None),
        (f"5\r\nhello\r\n0\r\n{CRC_HELLO}\r\n\r\n", "x-amz-checksum-crc32"),
        (f"5\r\nhello\r\n0\r\n{CRC_HELLO}\r\n\r\n", "X-Amz-Checksum-CRC32"),
        ("5\r\nhello\r\n0\r\nX-Amz-Checksum-Crc32: NhCmhg==\r\n\r\n", "x-amz-checksum-crc32"),
    ],
)
def test_good_framing(wire, s3, bucket, body, trailer):
    reply = chunked(wire, bucket, body, trailer=trailer)
    assert reply.status == 200, reply
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "0\r\n\r\n",
        "hello",
        "5\r\nhello\r\n",
        "5\r\nhello",
        "5\r\nhell",
        "5\r\nhelloXX0\r\n\r\n",
        "5\nhello\n0\n\n",
        "z\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "7fffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "6\r\nhello!\r\n0\r\n\r\n",
        "4\r\nhell\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\ntrailing garbage",
        "5" + ";x" * 20_000 + "\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_bad_framing(wire, s3, bucket, body):
    """Each kind of broken chunk: S3's error, nothing stored."""
    reply = chunked(wire, bucket, body, close=True)
    assert reply is not None, "an answer, not a hang-up"
    assert reply.status == 400, reply
    assert reply.code == "IncompleteBody", reply
    assert nothing_stored(s3, bucket)


@pytest.mark.parametrize(
    "trailer",
    [
        "x-amz-checksum-crc32",
        "x-amz-checksum-crc32:",
        "x-amz-checksum-crc32:NhCmhg==\r\nx-amz-checksum-crc32:AAAAAA==",
        ":value",
        "x-other:1",
        "x-amz-checksum-crc32:" + "A" * 100_000,
    ],
)
def test_bad_trailer(wire, s3, bucket, trailer):
    """AWS error list: MalformedTrailerError, InvalidRequest"""
    reply = chunked(
        wire, bucket, f"5\r\nhello\r\n0\r\n{trailer}\r\n\r\n", trailer="x-amz-checksum-crc32"
    )
    assert reply.status == 400, reply
    assert reply.code in ("MalformedTrailerError", "InvalidRequest", "BadDigest"), reply
    assert nothing_stored(s3, bucket)


def test_unannounced_trailer(wire, s3, bucket):
    """A trailer that x-amz-trailer did not name: ignored or refused, never taken wrongly."""
    reply = chunked(wire, bucket, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
    if reply.status == 200:
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"
    else:
        assert reply.status == 400 and nothing_stored(s3, bucket)


@pytest.mark.parametrize("length", ["-1", "x", "99999999999999999999999", "1.5"])
def test_bad_decoded_length(wire, s3, bucket, length):
    reply = chunked(wire, bucket, "5\r\nhello\r\n0\r\n\r\n", length=length)
    assert reply.status in (400, 411), reply
    assert nothing_stored(s3, bucket)


@pytest.mark.parametrize("mode", ["STREAMING-NONSENSE", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"])
def test_unknown_streaming_mode(wire, s3, bucket, mode):
    reply = chunked(wire, bucket, "5\r\nhello\r\n0\r\n\r\n", mode=mode)
    assert reply.status in (400, 501), reply
    assert nothing_stored(s3, bucket)


def test_framing_in_small_pieces(wire, s3, bucket):
    """Byte by byte: every state of the decoder survives a pause."""
    body = f"5;chunk-ext\r\nhello\r\n0\r\n{CRC_HELLO}\r\n\r\n".encode()
    w = wire()
    w.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    w.send(
        put(
            bucket,
            f"Content-Length: {len(body)}\r\nx-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER"
            "\r\nx-amz-decoded-content-length: 5\r\nx-amz-trailer: x-amz-checksum-crc32\r\n",
        )
    )
    for byte in body:
        w.send(bytes([byte]))
        time.sleep(0.002)
    assert w.reply().status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


MODES = ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
         "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"]


def framed(mode, *chunks, end=b"\r\n"):
    sign = b";chunk-signature=" + b"0" * 64 if "AWS4" in mode else b""
    return b"".join(b"%x%b\r\n%b\r\n" % (len(c), sign, c) for c in chunks) + b"0" + sign + b"\r\n" + end


@pytest.mark.parametrize("mode", MODES)
def test_many_chunks(wire, s3, bucket, mode):
    """Of 8 KiB, and a shorter one behind them."""
    data = os.urandom(10 * 8192 + 1)
    body = framed(mode, *(data[at:at + 8192] for at in range(0, len(data), 8192)))
    assert chunked(wire, bucket, body, length=len(data), mode=mode).status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sizes, chunk, bad", [((3, 2), "2", "3"), ((1000, 1000), "2", "1000"),
                                               ((8192, 8191, 1), "3", "8191"), ((1,) * 3000, "2", "1")])
def test_small_chunks(wire, s3, bucket, mode, sizes, chunk, bad):
    """aws-sdk-js-v3 issue 6859; versitygw issues 1683 (signed chunks, quotes S3) and 2085 (unsigned ones)"""
    body = framed(mode, *(b"x" * size for size in sizes))
    reply = chunked(wire, bucket, body, length=sum(sizes), mode=mode, close=True)
    assert (reply.status, reply.code) == (403, "InvalidChunkSizeError"), reply
    for element in (f"<Chunk>{chunk}</Chunk>", f"<BadChunkSize>{bad}</BadChunkSize>",
                    "<Message>Only the last chunk is allowed to have a size less than 8192 bytes</Message>"):
        assert element.encode() in reply.body, reply.body
    assert nothing_stored(s3, bucket)


@pytest.mark.parametrize("body", [
    "A\ndummy data\r\n0\r\n\r\n", "A\r\ndummy data0\r\n\r\n", "A\r\nXYZ\r\ndummy data\r\n0\r\n\r\n",
    "B\r\ndummy data\r\n0\r\n\r\n", "A\r\ndummy data\r\n0\r\n", "A\r\n", "A\r\nA\r\ndummy data\r\n0\r\n\r\n",
    "A\r\ndummy data\r\n0\r\nx-amz-checksum-crc64nvme:dPVWc2vU1+Q=\r\n", "invalid_chunk_size\r\ndummy data\r\n0\r\n\r\n",
    "A\r\ndummy data\r\nJ\r\nx-amz-checksum-crc64nvme:dPVWc2vU1+Q=\r\n\r\n", "fffffffffffffff\r\ndummy data\r\n0\r\n\r\n",
    "-A\r\ndummy data\r\n0\r\n\r\n", "A\r\ndummy data\r\n0\r\n\r\nmore\r\n", "A\r\ndummy data\n\r0\r\n\r\n", "",
])
def test_framing_ends_unexpectedly(wire, s3, bucket, body):
    """versitygw issues 1660, 1666, 1685; the first ten are that project's UnsignedStreamingPayloadTrailer_incomplete_body"""
    for mode in MODES:
        reply = chunked(wire, bucket, body, length=10, trailer="x-amz-checksum-crc64nvme", mode=mode, close=True)
        assert (reply.status, reply.code) == (400, "IncompleteBody"), (mode, reply)
        assert b"<Message>The request body terminated unexpectedly</Message>" in reply.body, (mode, reply.body)
    assert nothing_stored(s3, bucket)


@pytest.mark.parametrize("chunk, provided", [("4\r\nhell", "4"), ("6\r\nhello!", "6"), ("", "0")])
def test_framing_of_another_length(wire, s3, bucket, chunk, provided):
    """SWIFT (test_input_errors.py): the length is compared at the end, and both are told"""
    body = (chunk + "\r\n" if chunk else "") + "0\r\n\r\n"
    reply = chunked(wire, bucket, body, close=True)
    assert (reply.status, reply.code) == (400, "IncompleteBody"), reply
    assert f"<NumberBytesExpected>5</NumberBytesExpected><NumberBytesProvided>{provided}<".encode() in reply.body
    assert nothing_stored(s3, bucket)


@pytest.mark.parametrize("mode", [m for m in MODES if m.endswith("TRAILER")])
@pytest.mark.parametrize("trailer", ["", ":NhCmhg==\r\n", "invalid_trailer:NhCmhg==\r\n"])
def test_malformed_trailers(wire, s3, bucket, mode, trailer):
    """versitygw: UnsignedStreaminPayloadTrailer_malformed_trailer"""
    body = framed(mode, b"hello", end=f"{trailer}\r\n".encode())
    reply = chunked(wire, bucket, body, trailer="x-amz-checksum-crc32", mode=mode)
    assert (reply.status, reply.code) == (400, "MalformedTrailerError"), reply
    assert nothing_stored(s3, bucket)


# ---- Expect -------------------------------------------------------------------------------------


def test_expect_continue(wire, s3, bucket):
    w = wire()
    w.send(put(bucket, "Content-Length: 5\r\nExpect: 100-continue\r\n"))
    assert w.socket.recv(4096).startswith(b"HTTP/1.1 100 ")
    w.send("hello")
    assert w.reply().status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


@pytest.mark.parametrize(
    "target,headers,status,code",
    [
        ("/no-such-bucket-wire/k", "", 404, "NoSuchBucket"),
        ("/{bucket}/" + "k" * 1025, "", 400, "KeyTooLongError"),
        ("/{bucket}/k", "x-amz-storage-class: NONSENSE\r\n", 400, "InvalidStorageClass"),
        ("/{bucket}/k", "Content-MD5: nonsense\r\n", 400, "InvalidDigest"),
        ("/{bucket}/k?acl", "", 501, "NotImplemented"),
        ("/{bucket}/k?partNumber=1&uploadId=none", "", 404, "NoSuchUpload"),
    ],
)
def test_expect_refused_early(wire, bucket, target, headers, status, code):
    """DESIGN: refuse before the body, so that such a client is not asked for one."""
    w = wire()
    w.send(
        f"PUT {target.format(bucket=bucket)} HTTP/1.1\r\n{HOST}Content-Length: 1000000\r\n"
        f"Expect: 100-continue\r\n{headers}\r\n"
    )
    first = w.socket.recv(65536)
    assert not first.startswith(b"HTTP/1.1 100 "), first
    w.rest = first
    reply = w.reply()
    assert (reply.status, reply.code) == (status, code), reply


def test_refused_without_expect(wire, bucket):
    """Who sends the body anyway still reads the answer, and other connections are unharmed."""
    w = wire()
    body = b"x" * 300_000
    w.send(
        f"PUT /no-such-bucket-wire/k HTTP/1.1\r\n{HOST}Content-Length: {len(body)}\r\n\r\n".encode()
    )
    try:
        w.send(body)
    except (BrokenPipeError, ConnectionResetError):
        pass
    reply = w.reply()
    assert reply is not None and (reply.status, reply.code) == (404, "NoSuchBucket"), reply


def test_unknown_expectation(wire, bucket):
    """RFC 9110: 417, or ignored."""
    reply = wire(put(bucket, "Content-Length: 1\r\nExpect: something-else\r\n", "x"))
    assert reply.status in (200, 417)


def test_expect_without_a_body(wire, bucket):
    """RFC 9110, 10.1.1: there is nothing to be asked for, so no 100 is sent; what follows on the
    connection is answered, though it has come with the first request."""
    w = wire()
    empty = put(bucket, "Content-Length: 0\r\nExpect: 100-Continue\r\n")
    nothing = f"GET /{bucket}/k HTTP/1.1\r\n{HOST}Expect: 100-continue\r\n\r\n".encode()
    twice = nothing.replace(b"\r\n\r\n", b"\r\nExpect: other\r\n\r\n")
    w.send(empty + nothing + put(bucket, "Content-Length: 1\r\n", "x", "second") + twice + nothing)
    for _ in range(5):
        while b"\r\n\r\n" not in w.rest:
            assert w.fill()
        assert w.rest.startswith(b"HTTP/1.1 200"), w.rest
        assert w.reply().status == 200


# ---- connections --------------------------------------------------------------------------------


def test_keep_alive_after_errors(wire, s3, bucket):
    w = wire()
    for target, status in (
        (f"/{bucket}/missing", 404),
        ("/no-such-bucket-wire", 404),
        (f"/{bucket}?acl", 501),
        (f"/{bucket}?max-keys=x", 400),
        (f"/{bucket}", 200),
    ):
        w.send(f"GET {target} HTTP/1.1\r\n{HOST}\r\n")
        assert w.reply().status == status, target
    w.send(put(bucket, "Content-Length: 5\r\nx-amz-checksum-crc32: AAAAAA==\r\n", "hello"))
    assert w.reply().code == "BadDigest"
    w.send(put(bucket, "Content-Length: 5\r\n", "hello"))
    assert w.reply().status == 200


def test_pipelining(wire, s3, bucket):
    w = wire()
    count = 50
    w.send(
        b"".join(put(bucket, "Content-Length: 3\r\n", f"{n:03}", key=f"{n:03}") for n in range(count))
        + b"".join(
            f"GET /{bucket}/{n:03} HTTP/1.1\r\n{HOST}\r\n".encode() for n in range(count)
        )
    )
    assert [w.reply().status for _ in range(count)] == [200] * count
    assert [w.reply().body.decode() for _ in range(count)] == [f"{n:03}" for n in range(count)]


def test_connection_close(wire):
    w = wire()
    w.send(f"GET / HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
    reply = w.reply()
    assert reply.status == 200 and reply.headers.get("connection", "").lower() == "close"
    assert w.closed()


def test_slow_reader(wire, s3, bucket):
    """A client that reads slowly gets everything; the server is not held up meanwhile."""
    body = os.urandom(MIB // 4)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    w = wire()
    w.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    w.send(f"GET /{bucket}/k HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
    time.sleep(0.5)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]
    assert w.reply().body == body


# ---- clients that leave -------------------------------------------------------------------------


def reset(w):
    """Leaves with a reset instead of a farewell."""
    w.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    w.socket.close()


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize(
    "data",
    [
        "PUT /{bucket}/k HTTP/1.1\r\n",
        "PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
        "PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + "x" * 100_000,
        "PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n"
        "x-amz-decoded-content-length: 900000\r\n\r\n10000\r\n" + "x" * 60_000,
        "POST /{bucket}?delete HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n<Delete>",
        "POST /{bucket} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: "
        'form-data; name="key"\r\n\r\nk\r\n--b\r\nContent-Disposition: form-data; name="file"; '
        'filename="f"\r\n\r\n' + "x" * 50_000,
    ],
)
def test_leaves_in_the_middle(wire, s3, bucket, data, how):
    for _ in range(5):
        w = wire()
        w.send(data.replace("{bucket}", bucket))
        time.sleep(0.01)
        reset(w) if how == "reset" else w.socket.close()
    time.sleep(0.1)
    assert nothing_stored(s3, bucket)


def test_farewell_with_the_last_bytes():
    """A client whose end arrives together with its last bytes is let go at once, not at a timeout:
    otherwise each would hold its upload, its connection, and the end of the server."""
    from conftest import Wire

    never = ["--header-timeout", "1h", "--body-timeout", "1h", "--idle-timeout", "1h"]
    with serving("--bucket", "bucket", *never) as server:
        leavers = []
        for data in (put("bucket", "Content-Length: 10\r\n", "hello"), b"GET / HT") * 10:
            w = Wire(server)
            w.send(data)
            w.close_sending()
            leavers.append(w)
        assert all(w.closed(5) for w in leavers)
        for w in leavers:
            w.socket.close()


def test_leaves_while_downloading(wire, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=os.urandom(16 * MIB))
    for _ in range(10):
        w = wire()
        w.send(f"GET /{bucket}/k HTTP/1.1\r\n{HOST}\r\n")
        assert w.socket.recv(10_000)
        reset(w)
    assert len(s3.get_object(Bucket=bucket, Key="k")["Body"].read()) == 16 * MIB


def test_leavers_leave_no_memory():
    """Uploads cut short give their memory back: with 64 MiB allowed, forty cut at 8 MiB leave room
    for a whole one."""
    from conftest import Wire

    with serving("--max-memory", "64MiB") as server:
        s3 = client(server, config={"retries": {"max_attempts": 1, "mode": "standard"}})
        bucket = unique("w")
        s3.create_bucket(Bucket=bucket)
        part = b"x" * (2 * MIB)
        for _ in range(40):
            with Wire(server) as w:
                w.send(put(bucket, f"Content-Length: {8 * MIB}\r\n"))
                try:
                    w.send(part)
                except OSError:
                    pass
                reset(w)

        def fits():
            try:
                s3.put_object(Bucket=bucket, Key="whole", Body=b"y" * (32 * MIB))
                return True
            except s3.exceptions.ClientError:
                return False

        eventually(fits, 15)
        has(s3.head_object(Bucket=bucket, Key="whole"), ContentLength=32 * MIB)
        assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["whole"]


def test_half_closed_client(wire, s3, bucket):
    """A client that ends its sending side after the request still gets its reply."""
    reply = wire(put(bucket, "Content-Length: 5\r\n", "hello"), close=True)
    assert reply is not None and reply.status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


@pytest.mark.parametrize("headers, sent", [
    ("Content-Length: 10\r\n", "hello"),
    ("Transfer-Encoding: chunked\r\nx-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n"
     "x-amz-decoded-content-length: 10\r\n", "5\r\nhello"),
])
def test_half_closed_in_the_middle(wire, s3, bucket, headers, sent):
    """The rest cannot come any more: nothing is stored, the connection ends without a reply."""
    assert wire(put(bucket, headers, sent), close=True) is None
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


# ---- slow and stuck clients ---------------------------------------------------------------------


def test_slow_headers():
    """Slowloris: headers that drip are cut at --header-timeout."""
    from conftest import Wire

    with serving("--header-timeout", "1") as server, Wire(server) as w:
        started = time.monotonic()
        w.send(f"GET / HTTP/1.1\r\n{HOST}")
        with pytest.raises(OSError):
            while time.monotonic() - started < 10 * SLOW:
                w.send("x-drip: 1\r\n")
                time.sleep(0.2)
        assert time.monotonic() - started < 9 * SLOW


@pytest.mark.parametrize(
    "request_",
    [
        put("bucket", "Content-Length: 10\r\n", "hello"),
        put("bucket", "Transfer-Encoding: chunked\r\n", "a\r\nhello"),
        put("bucket", "Content-Length: 10\r\nx-amz-content-sha256: nonsense\r\n", "hello"),
        put("nobucket", "Content-Length: 10\r\n"),
    ],
    ids=["length", "chunked", "refused already", "no bucket"],
)
def test_slow_body(request_):
    """AWS error list: RequestTimeout, 400, "Your socket connection to the server was not read from
    or written to within the timeout period": who stops in the middle of an upload is told so, and
    the connection ends."""
    from conftest import Wire

    with serving("--body-timeout", "1", "--bucket", "bucket") as server, Wire(server) as w:
        started = time.monotonic()
        w.send(request_)
        reply = w.reply()
        assert time.monotonic() - started > 0.9
        assert (reply.status, reply.code) == (400, "RequestTimeout"), reply
        assert reply.headers["connection"] == "close"
        assert reply.headers["x-amz-request-id"]
        assert w.fill() == b""
        assert keys_of(client(server).list_objects_v2(Bucket="bucket")) == []


def test_body_in_time():
    """A body that takes longer than --body-timeout in all, and moves on, is none of those; nor is
    the silence between two requests."""
    from conftest import Wire

    with serving("--body-timeout", "4", "--bucket", "bucket") as server, Wire(server) as w:
        w.send(put("bucket", f"Content-Length: {4 * MIB}\r\n"))
        for _ in range(4):
            time.sleep(1.5)
            w.send(b"x" * MIB)
        assert w.reply().status == 200
        time.sleep(5)
        w.send(f"GET /bucket/k HTTP/1.1\r\n{HOST}\r\n")
        assert w.reply().status == 200


def test_a_thousand_stuck_clients():
    """A thousand clients stuck in their headers or bodies do not stop the next one."""
    import resource

    from conftest import Wire

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip("needs 4096 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    stuck = []
    try:
        never = ["--header-timeout", "1h", "--body-timeout", "1h", "--idle-timeout", "1h"]
        with serving("--bucket", "bucket", *never) as server:
            for n in range(1000):
                w = Wire(server)
                stuck.append(w)
                if n % 2:
                    w.send("GET / HTTP/1.1\r\nHo")
                else:
                    w.send(put("bucket", "Content-Length: 100\r\n", "hello"))
            for _ in range(20):
                with Wire(server) as w:
                    w.send(f"GET /bucket HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
                    assert w.reply().status == 200
            for w in stuck:
                w.socket.close()
            stuck.clear()
            assert keys_of(client(server).list_objects_v2(Bucket="bucket")) == []
    finally:
        for w in stuck:
            w.socket.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
