# SPDX-License-Identifier: MIT
"""What Amazon answers to requests beside the usual ones. Each test names the public thread in which the
answer was measured."""

import pytest

from harness import http_request, is_error

NEW = b'<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">%b</CreateBucketConfiguration>'
COPY = {"x-amz-copy-source": "/none/src"}


@pytest.fixture
def stored(server, bucket):
    """An object, by its path."""
    path = f"/{bucket}/app.css"
    assert http_request(server, "PUT", path, body=b"precious").status == 200
    return path


@pytest.mark.parametrize("query", ["1475278069", "v", "download", "v=", "1628838452,0.5186,0.1988",
                                   "_=1&debug", "v=1475278069"])
def test_reads_ignore_what_they_do_not_know(server, bucket, stored, query):
    """s3proxy issue 189: pages add such parameters against caches."""
    assert http_request(server, "GET", f"{stored}?{query}").body == b"precious"
    assert http_request(server, "HEAD", f"{stored}?{query}").status == 200
    assert http_request(server, "GET", f"/{bucket}?{query}").status == 200
    # A write that names a sub-resource of tomorrow must not overwrite the object.
    if query in ("v", "download"):
        is_error(http_request(server, "PUT", f"{stored}?{query}", body=b"x"), "NotImplemented", 501)
        is_error(http_request(server, "DELETE", f"{stored}?{query}"), "NotImplemented", 501)
        assert http_request(server, "GET", stored).body == b"precious"


def test_the_last_bytes_of_nothing(server, bucket):
    """S3Mock issue 2789, object_store issue 846: 200 and nothing; a blank makes a range malformed."""
    http_request(server, "PUT", f"/{bucket}/empty", body=b"")
    for last in (1, 13, 524288):
        reply = http_request(server, "GET", f"/{bucket}/empty", {"Range": f"bytes=-{last}"})
        assert (reply.status, reply.body) == (200, b"")
    for wrong in ("bytes=0-", "bytes=-0"):
        reply = http_request(server, "GET", f"/{bucket}/empty", {"Range": wrong})
        is_error(reply, "InvalidRange", 416)
    http_request(server, "PUT", f"/{bucket}/full", body=b"full")
    reply = http_request(server, "GET", f"/{bucket}/full", {"Range": "bytes= -1"})
    assert (reply.status, reply.body) == (200, b"full")


@pytest.mark.parametrize("headers", [{}, COPY])
def test_half_a_part_overwrites_nothing(server, stored, headers):
    """versitygw issues 1226 and 1237"""
    is_error(http_request(server, "PUT", f"{stored}?partNumber=1", headers, b"" if headers else b"part"),
             "InvalidArgument", 400, "This operation does not accept partNumber without uploadId",
             ArgumentName="partNumber", ArgumentValue="1")
    assert http_request(server, "GET", stored).body == b"precious"


def upload_of(server, path):
    return http_request(server, "POST", f"{path}?uploads").xml.findtext("{*}UploadId")


def test_requests_that_take_no_body(server, bucket, stored):
    """versitygw issue 1242"""
    message = "The request included a body. Requests of this type must not include a non-empty body."
    source = {"x-amz-copy-source": stored}
    part = f"/{bucket}/part?partNumber=1&uploadId={upload_of(server, f'/{bucket}/part')}"
    for method, target, headers in (("PUT", f"/{bucket}/copy", source), ("PUT", part, source),
                                    ("POST", f"/{bucket}/other?uploads", {})):
        is_error(http_request(server, method, target, headers, b"body"), "InvalidRequest", 400, message)
        chunked = {**headers, "Transfer-Encoding": "chunked"}
        is_error(http_request(server, method, target, chunked, b"4\r\nbody\r\n0\r\n\r\n"),
                 "InvalidRequest", 400, message)
    assert http_request(server, "HEAD", f"/{bucket}/copy").status == 404


def test_a_copy_source_where_nothing_is_copied(server, bucket, stored):
    """versitygw issue 1612 and pull request 1642"""
    upload = upload_of(server, f"/{bucket}/mp")
    for method, target, body in (("GET", stored, None), ("GET", f"/{bucket}", None),
                                 ("POST", f"/{bucket}/mp?uploadId={upload}", b"x"),
                                 ("POST", f"/{bucket}/mp?uploads", b""), ("DELETE", stored, None)):
        is_error(http_request(server, method, target, COPY, body), "InvalidArgument", 400)
    assert http_request(server, "HEAD", stored, COPY).status == 400
    assert http_request(server, "GET", stored).body == b"precious"


@pytest.mark.parametrize("location", [b"<LocationConstraint></LocationConstraint>", b"<LocationConstraint/>"])
def test_an_empty_location(server, location):
    """versitygw issue 1644"""
    is_error(http_request(server, "PUT", "/of-no-place", body=NEW % location),
             "InvalidLocationConstraint", 400)


@pytest.mark.parametrize("tags", ["=", "=value", "a=1&="])
def test_a_tag_without_a_key(server, bucket, tags):
    """versitygw issue 1215 says so of "="; the two others: no source."""
    header = {"x-amz-tagging": tags}
    is_error(http_request(server, "PUT", f"/{bucket}/k", header, b"x"), "InvalidArgument", 400)
    is_error(http_request(server, "POST", f"/{bucket}/k?uploads", header), "InvalidArgument", 400)
    assert http_request(server, "PUT", f"/{bucket}/k", {"x-amz-tagging": "a=1&&b=2"}, b"x").status == 200


@pytest.mark.parametrize("checksum", ["NhCmhg==", "AAAAAA=="])
@pytest.mark.parametrize("signed", [False, True])
def test_a_trailer_that_was_not_announced(server, bucket, checksum, signed):
    """versitygw issue 1691, Arsenal issue 2596; the signatures are not looked at without credentials."""
    sign = b";chunk-signature=" + b"0" * 64 if signed else b""
    end = b"x-amz-trailer-signature:" + b"0" * 64 + b"\r\n" if signed else b""
    body = (b"5" + sign + b"\r\nhello\r\n0" + sign + b"\r\nx-amz-checksum-crc32:" +
            checksum.encode() + b"\r\n" + end + b"\r\n")
    kind = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" if signed
            else "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    headers = {"x-amz-content-sha256": kind, "Content-Encoding": "aws-chunked",
               "x-amz-decoded-content-length": "5"}
    is_error(http_request(server, "PUT", f"/{bucket}/k", headers, body), "MalformedTrailerError", 400)
    assert http_request(server, "HEAD", f"/{bucket}/k").status == 404


BETWEEN = "Argument %s must be an integer between 0 and 2147483647"


@pytest.mark.parametrize("query, name, message", [
    ("list-type=2&max-keys=-1", "maxKeys", BETWEEN % "maxKeys"),
    ("max-keys=-1", "maxKeys", BETWEEN % "maxKeys"),
    ("versions&max-keys=-1", "max-keys", "max-keys cannot be negative"),
    ("uploads&max-uploads=-1", "max-uploads", BETWEEN % "max-uploads"),
])
def test_negative_numbers(server, bucket, query, name, message):
    """backlot issue 192 (measured), versitygw issues 1383 and 1809"""
    is_error(http_request(server, "GET", f"/{bucket}?{query}"), "InvalidArgument", 400, message,
             ArgumentName=name, ArgumentValue="-1")


@pytest.mark.parametrize("name", ["max-parts", "part-number-marker"])
def test_negative_numbers_of_parts(server, bucket, name):
    """versitygw issue 1809"""
    upload = upload_of(server, f"/{bucket}/mp")
    is_error(http_request(server, "GET", f"/{bucket}/mp?uploadId={upload}&{name}=-2"),
             "InvalidArgument", 400, BETWEEN % name, ArgumentName=name, ArgumentValue="-2")


@pytest.mark.parametrize("method, target, allowed, kind", [
    ("POST", "/", {"GET"}, "SERVICE"),
    ("PUT", "/{bucket}/k?uploadId=abc", {"DELETE", "POST", "GET"}, "UPLOAD"),
    ("POST", "/{bucket}/k", {"PUT", "GET", "HEAD", "DELETE"}, "OBJECT"),
])
def test_what_is_allowed_instead(server, bucket, method, target, allowed, kind):
    """versitygw issues 1236, 1487, 1810"""
    reply = http_request(server, method, target.format(bucket=bucket), body=b"")
    is_error(reply, "MethodNotAllowed", 405, Method=method, ResourceType=kind)
    assert set(reply.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("asked, code, status, message, method", [
    ("put", "BadRequest", 400, "Invalid Access-Control-Request-Method: put", None),
    ("TRACE", "BadRequest", 400, "Invalid Access-Control-Request-Method: TRACE", None),
    ("PATCH", "AccessForbidden", 403, None, "PATCH"),
    ("", "AccessForbidden", 403, None, "OPTIONS"),
])
def test_preflights_for_a_method(server, bucket, asked, code, status, message, method):
    """backlot/routers/s3.py (measured): methods are compared with their case; none asks for OPTIONS."""
    headers = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": asked}
    reply = http_request(server, "OPTIONS", f"/{bucket}", headers)
    is_error(reply, code, status, message, **({"Method": method} if method else {}))


def test_a_page_size_beyond_the_largest(server, bucket, stored):
    """backlot/routers/s3.py (measured): MaxKeys is repeated as it was asked for."""
    for query in ("", "list-type=2&", "versions&"):
        reply = http_request(server, "GET", f"/{bucket}?{query}max-keys=1001")
        assert reply.xml.findtext("{*}MaxKeys") == "1001"
