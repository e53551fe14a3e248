# SPDX-License-Identifier: MIT
"""Request lines, targets and headers that no SDK sends. Sources: RFC 9112 and the AWS error list."""

import pytest

from conftest import by_library
from harness import keys_of

HOST = "Host: 127.0.0.1\r\n"


def get(target, extra="", version="HTTP/1.1", method="GET"):
    return f"{method} {target} {version}\r\n{HOST}{extra}\r\n"


def refused(reply):
    """A refusal: a 4xx or 5xx, or the connection closed without a word."""
    return reply is None or 400 <= reply.status < 600


@pytest.mark.parametrize(
    "line",
    [
        b"GARBAGE\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTX/1.1\r\nHost: x\r\n\r\n",
        b"GET  / HTTP/1.1 extra words\r\nHost: x\r\n\r\n",
        b" GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon in this header\r\n\r\n",
        b"GET / HTTP/1.1\r\n: empty name\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : space before colon\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client hello
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_malformed_request(wire, line):
    reply = wire(line, close=True)
    # What is merely odd (a header line without a colon) may be served; a crash or a hang may not.
    assert refused(reply) or reply.status == 200


def test_no_host(wire):
    """RFC 9112 section 3.2: an HTTP/1.1 request without Host gets 400."""
    reply = wire("GET / HTTP/1.1\r\n\r\n")
    assert reply is None or reply.status == 400


def test_http_1_0(wire, s3, bucket):
    """HTTP/1.0 needs no Host, and the connection closes after the reply."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    w = wire()
    w.send(f"GET /{bucket}/k HTTP/1.0\r\n\r\n")
    reply = w.reply()
    assert (reply.status, reply.body) == (200, b"old")
    assert w.closed()


def test_absolute_form(wire, s3, bucket):
    """RFC 9112 section 3.2.2: servers accept the absolute form."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = wire(get(f"http://127.0.0.1/{bucket}/k", "Connection: close\r\n"))
    assert reply.status in (200, 400, 404)


@pytest.mark.parametrize("target", ["*", "bucket/key", "", "?prefix=x", "//", "/./", "/../etc/passwd"])
def test_odd_targets(wire, target):
    reply = wire(get(target, "Connection: close\r\n"), close=True)
    assert reply is None or reply.status in (200, 301, 400, 403, 404, 405, 501), reply


@pytest.mark.parametrize("bad", ["%", "%4", "%zz", "%G0", "a%2", "%%41"])
def test_bad_percent_encoding_in_key(wire, s3, bucket, bad):
    """AWS error list: InvalidURI"""
    reply = wire(f"PUT /{bucket}/{bad} HTTP/1.1\r\n{HOST}Content-Length: 1\r\n\r\nx")
    assert (reply.status, reply.code) == (400, "InvalidURI"), reply
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


@pytest.mark.parametrize("bad", ["prefix=%", "prefix=%zz", "%zz=1", "prefix=%FF"])
def test_bad_percent_encoding_in_query(wire, bucket, bad):
    reply = wire(get(f"/{bucket}?{bad}", "Connection: close\r\n"))
    assert reply.status in (200, 400), reply
    if reply.status == 400:
        assert reply.code in ("InvalidURI", "InvalidArgument")


def test_nul_in_key(wire, s3, bucket):
    """%00 is a byte of UTF-8, but no XML document can hold it: refused or stored exactly, never
    cut."""
    reply = wire(f"PUT /{bucket}/a%00b HTTP/1.1\r\n{HOST}Content-Length: 1\r\n\r\nx")
    assert reply.status in (200, 400), reply
    assert "a" not in keys_of(s3.list_objects_v2(Bucket=bucket))
    missing = wire(get(f"/{bucket}/a"))
    assert missing.code == "NoSuchKey"
    if reply.status == 200:
        assert wire(get(f"/{bucket}/a%00b")).body == b"x"


def test_raw_nul_in_target(wire, s3, bucket):
    """It would cut the key short."""
    target = b" /" + bucket.encode() + b"/a\x00b"
    for line in [b"PUT" + target, b"PUT" + target + b"?tagging", b"PUT" + target + b"?x\x00y"]:
        reply = wire(line + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
        assert by_library(reply) or (reply.status, reply.code) == (400, "BadRequest"), line
    query = b"PUT /" + bucket.encode() + b"/a?versionId=\x00null HTTP/1.1\r\nHost: x\r\n"
    reply = wire(query + b"Content-Length: 1\r\n\r\nx")
    assert by_library(reply) or reply.status == 400
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_nul_in_header(wire, s3, bucket):
    head = f"PUT /{bucket}/k HTTP/1.1\r\n{HOST}Content-Length: 1\r\nx-amz-meta-a: b\x00c\r\n\r\nx"
    reply = wire(head)
    if reply is not None and reply.status == 200:
        assert s3.head_object(Bucket=bucket, Key="k")["Metadata"]["a"] != "b"


def test_sub_resource_spellings(wire, s3, bucket):
    """?acl, ?acl= and ?a%63l are one sub-resource; ?ACL is none of S3's and no other operation
    either."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    for query in ("acl", "acl=", "a%63l", "&acl", "acl&acl", "x=1&acl&y=2"):
        reply = wire(get(f"/{bucket}/k?{query}"))
        assert (reply.status, reply.code) == (501, "NotImplemented"), (query, reply)
        reply = wire(f"DELETE /{bucket}?policy&{query} HTTP/1.1\r\n{HOST}\r\n")
        assert reply.status in (400, 405, 501), (query, reply)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]


@pytest.mark.parametrize(
    "query", ["uploadId=a&uploadId=b&partNumber=1", "partNumber=1&partNumber=2&uploadId=x"]
)
def test_repeated_parameters(wire, s3, bucket, query):
    reply = wire(f"PUT /{bucket}/k?{query} HTTP/1.1\r\n{HOST}Content-Length: 1\r\n\r\nx")
    assert reply.status in (400, 404), reply
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


# ---- over-long things ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [9_000, 70_000, 1_000_000])
def test_long_target(wire, bucket, size):
    """AWS error list: KeyTooLongError, or the HTTP layer's 414 and 431; never a hang."""
    reply = wire(get(f"/{bucket}/{'k' * size}", "Connection: close\r\n"))
    assert reply is None or reply.status in (400, 413, 414, 431), reply


@pytest.mark.parametrize("size", [9_000, 70_000, 1_000_000])
def test_long_header(wire, size):
    """AWS error list: RequestHeaderSectionTooLarge"""
    reply = wire(get("/", f"x-long: {'h' * size}\r\nConnection: close\r\n"))
    assert reply is None or reply.status in (200, 400, 413, 431), reply
    if size > 9_000:
        assert reply is None or reply.status != 200


@pytest.mark.parametrize("query", range(0, 24_000, 1_500))
@pytest.mark.parametrize("headers", [100, 4_000, 7_900])
def test_large_heads_are_answered(wire, s3, bucket, query, headers):
    """Whatever a head's size, there is an answer: the object with all its metadata, or that the head is too large."""
    s3.put_object(Bucket=bucket, Key="k" * 900, Metadata={f"m{n}": "v" * 40 for n in range(40)})
    extra = "".join(f"x-h-{n}: {'h' * 90}\r\n" for n in range(headers // 100))
    for method in ("GET", "PUT"):
        length = "Content-Length: 0\r\n" if method == "PUT" else ""
        target = f"/{bucket}/{'%6b' * 900}?x-id={'q' * query}"
        reply = wire(f"{method} {target} HTTP/1.1\r\n{HOST}{extra}{length}Connection: close\r\n\r\n")
        assert reply is not None and reply.status in (200, 400, 414, 431), reply
        # AWS's documentation of sigv4 query authentication: session tokens of 4 KiB are usual at most
        assert reply.status == 200 or query + headers > 11_000, reply


@pytest.mark.parametrize("headers, code", [(100, 200), (5_000, 500), (7_900, 400)])
def test_reply_head_that_does_not_fit(wire, bucket, headers, code):
    """A form can give an object longer headers than those of a request may be; whoever leaves no room for them is told so."""
    part = '--B\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
    body = part.format("key", "", "k") + part.format("Content-Disposition", "", "d" * 19_000)
    body += part.format("file", '; filename="f"', "hello") + "--B--\r\n"
    reply = wire(
        f"POST /{bucket} HTTP/1.1\r\n{HOST}Content-Type: multipart/form-data; boundary=B\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    )
    assert reply.status == 204, reply
    extra = "".join(f"x-h-{n}: {'h' * 90}\r\n" for n in range(headers // 100))
    reply = wire(get(f"/{bucket}/k", extra + "Connection: close\r\n"))
    assert reply is not None and reply.status == code, reply


def test_many_headers(wire):
    extra = "".join(f"x-h-{n}: v\r\n" for n in range(20_000))
    reply = wire(get("/", extra + "Connection: close\r\n"))
    assert reply is None or reply.status in (400, 413, 431), reply


def test_long_query(wire, bucket):
    reply = wire(get(f"/{bucket}?{'a=b&' * 20_000}", "Connection: close\r\n"))
    assert reply is None or reply.status in (200, 400, 414, 431), reply


def test_long_prefix(wire, bucket):
    """A prefix longer than any key finds nothing."""
    reply = wire(get(f"/{bucket}?prefix={'p' * 3000}", "Connection: close\r\n"))
    assert reply.status in (200, 400), reply


def test_continuation_lines(wire, s3, bucket):
    """Obsolete line folding (RFC 9112 section 5.2): refused or joined by spaces."""
    reply = wire(
        f"PUT /{bucket}/k HTTP/1.1\r\n{HOST}Content-Length: 1\r\nx-amz-meta-a: one\r\n two\r\n\r\nx"
    )
    if reply is not None and reply.status == 200:
        assert s3.head_object(Bucket=bucket, Key="k")["Metadata"]["a"].split() == ["one", "two"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_leading_blank_line(wire, newline):
    """RFC 9112 section 2.2: one empty line before the request line is skipped."""
    reply = wire(newline + get("/"))
    assert by_library(reply) or reply.status == 200


# ---- HEAD ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target,status", [("/no-such-bucket-w", 404), ("/no-such-bucket-w/k", 404), ("/Bad_Name", 400)]
)
def test_head_errors_have_no_body(wire, target, status):
    """RFC 9110: a HEAD reply has no body, whatever Content-Length says."""
    w = wire()
    w.send(get(target, method="HEAD") + get("/", "Connection: close\r\n"))
    head = w.reply("HEAD")
    assert head.status in (status, 404) and head.headers["x-amz-request-id"]
    following = w.reply()
    assert following.status == 200 and following.body.startswith(b"<?xml")


def test_head_of_object(wire, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"12345")
    w = wire()
    w.send(get(f"/{bucket}/k", method="HEAD") + get(f"/{bucket}/k"))
    assert w.reply("HEAD").headers["content-length"] == "5"
    assert w.reply().body == b"12345"


@pytest.mark.parametrize("target", ["requests?limit=300", "events"])
def test_head_of_what_is_made_in_pieces(wire, target):
    """RFC 9110, 9.3.2: the header fields are GET's; a length that is not known is not announced."""
    for _ in range(300):
        assert wire(get("/no-such-bucket-w/k")).status == 404
    w = wire()
    w.send(get("/_s3mem/" + target, method="HEAD"))
    head = w.reply("HEAD")
    assert head.status == 200 and head.headers["connection"] == "close"
    assert "content-length" not in head.headers
    assert w.reply() is None


def test_not_modified_then_next(wire, s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"12345")["ETag"]
    w = wire()
    w.send(get(f"/{bucket}/k", f"If-None-Match: {etag}\r\n") + get(f"/{bucket}/k"))
    assert w.reply().status == 304
    assert w.reply().body == b"12345"
