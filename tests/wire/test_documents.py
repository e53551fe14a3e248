# SPDX-License-Identifier: MIT
"""XML bodies: entities, nesting, size, encodings. Each must get S3's error and change nothing."""

import base64
import hashlib

import pytest

import hostile
from harness import MIB, http_request, is_error, keys_of

VERSIONING = "<VersioningConfiguration>{0}<Status>Enabled</Status></VersioningConfiguration>"


def put_versioning(server, bucket, body):
    body = body if isinstance(body, bytes) else body.encode()
    return http_request(server, "PUT", f"/{bucket}?versioning", body=body)


def unchanged(s3, bucket):
    return "Status" not in s3.get_bucket_versioning(Bucket=bucket)


def delete_objects(server, bucket, body):
    body = body if isinstance(body, bytes) else body.encode()
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    return http_request(server, "POST", f"/{bucket}?delete", {"Content-MD5": md5}, body)


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE x [<!ENTITY e "Enabled">]><VersioningConfiguration><Status>&e;</Status>'
        "</VersioningConfiguration>",
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><VersioningConfiguration>'
        "<Status>&e;</Status></VersioningConfiguration>",
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><VersioningConfiguration>'
        "<Status>&e;</Status></VersioningConfiguration>",
        "<VersioningConfiguration><Status>&undefined;</Status></VersioningConfiguration>",
    ],
)
def test_entities(server, s3, bucket, body):
    reply = put_versioning(server, bucket, body)
    assert (reply.status, reply.code) == (400, "MalformedXML"), reply
    assert b"root:" not in reply.body
    assert unchanged(s3, bucket)


def test_billion_laughs(server, s3, bucket):
    entities = '<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
    )
    body = f"<!DOCTYPE x [{entities}]>" + VERSIONING.format("&a9;")
    is_error(put_versioning(server, bucket, body), "MalformedXML", 400)
    assert unchanged(s3, bucket)


def test_external_entity_in_a_tag(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    body = (
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><Tagging><TagSet><Tag><Key>k</Key>'
        b"<Value>&e;</Value></Tag></TagSet></Tagging>"
    )
    is_error(http_request(server, "PUT", f"/{bucket}/k?tagging", body=body), "MalformedXML", 400)
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


@pytest.mark.parametrize("depth", [100, 10_000, 60_000])
def test_deep_nesting(server, s3, bucket, depth):
    body = VERSIONING.format("<a>" * depth + "</a>" * depth)
    reply = put_versioning(server, bucket, body)
    assert reply.status == 400, reply
    assert unchanged(s3, bucket)


def test_unclosed_nesting(server, s3, bucket):
    is_error(put_versioning(server, bucket, "<a>" * 20_000), "MalformedXML", 400)
    assert unchanged(s3, bucket)


def test_huge(server, s3, bucket):
    """Far beyond what 10,000 parts need: MaxMessageLengthExceeded or EntityTooLarge."""
    body = VERSIONING.format(f"<!-- {'x' * 16_000_000} -->")
    reply = put_versioning(server, bucket, body)
    assert reply.status == 400, reply
    assert reply.code in ("MaxMessageLengthExceeded", "EntityTooLarge", "MalformedXML"), reply
    assert unchanged(s3, bucket)


def test_huge_attribute_and_name(server, s3, bucket):
    for body in (
        f'<VersioningConfiguration a="{"x" * 500_000}"/>',
        f"<{'x' * 500_000}/>",
        "<VersioningConfiguration" + "".join(f' a{n}="1"' for n in range(30_000)) + "/>",
    ):
        reply = put_versioning(server, bucket, body)
        assert reply.status == 400, reply
    assert unchanged(s3, bucket)


@pytest.mark.parametrize(
    "body",
    [
        b"\x00",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
        b"<VersioningConfiguration><Status>\xff\xff</Status></VersioningConfiguration>",
        b"<VersioningConfiguration><Status>Ena\x00bled</Status></VersioningConfiguration>",
        b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>trailing",
        b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration><again/>",
        b"{}",
        b"   ",
        b"<?xml version='1.0' encoding='nonsense'?><VersioningConfiguration><Status>Enabled</Status>"
        b"</VersioningConfiguration>",
    ],
)
def test_junk(server, s3, bucket, body):
    reply = put_versioning(server, bucket, body)
    assert reply.status == 400, reply
    assert reply.code in ("MalformedXML", "MissingRequestBodyError"), reply
    assert unchanged(s3, bucket)


@pytest.mark.parametrize(
    "body",
    [
        '<?xml version="1.0" encoding="UTF-8"?>\n' + VERSIONING.format(""),
        "\ufeff" + VERSIONING.format(""),
        VERSIONING.format("<!-- a comment -->"),
        VERSIONING.format("<?pi x?>"),
        "<VersioningConfiguration>\n\t<Status><![CDATA[Enabled]]></Status>\n"
        "</VersioningConfiguration>",
        "<s:VersioningConfiguration xmlns:s='http://s3.amazonaws.com/doc/2006-03-01/'>"
        "<s:Status>Enabled</s:Status></s:VersioningConfiguration>",
        "<VersioningConfiguration><Status>&#69;nabled</Status></VersioningConfiguration>",
    ],
)
def test_good_documents(server, s3, bucket, body):
    """What well-formed XML allows."""
    assert put_versioning(server, bucket, body).status == 200
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_utf16(server, s3, bucket):
    """XML parsers must read UTF-16; S3's documents are UTF-8. Read rightly or refused."""
    reply = put_versioning(server, bucket, VERSIONING.format("").encode("utf-16"))
    if reply.status == 200:
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    else:
        assert reply.code == "MalformedXML" and unchanged(s3, bucket)


def test_delete_with_entities_in_keys(server, s3, bucket):
    for key in ("a&b", "<k>", "\u00e9"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    body = (
        "<Delete><Object><Key>a&amp;b</Key></Object><Object><Key>&lt;k&gt;</Key></Object>"
        "<Object><Key>&#xe9;</Key></Object></Delete>"
    )
    assert delete_objects(server, bucket, body).status == 200
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_delete_of_many_keys_in_a_large_document(server, s3, bucket):
    """A thousand keys of 1,024 bytes make the largest good document: more than 1 MiB."""
    keys = [f"{n:04}" + "k" * 1020 for n in range(1000)]
    s3.put_object(Bucket=bucket, Key=keys[7], Body=b"x")
    body = "<Delete>" + "".join(f"<Object><Key>{k}</Key></Object>" for k in keys) + "</Delete>"
    reply = delete_objects(server, bucket, body)
    assert reply.status == 200, reply
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_complete_with_ten_thousand_parts(server, s3, bucket):
    """The largest good CompleteMultipartUpload document is read; its parts do not exist."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = "".join(
        f"<Part><PartNumber>{n}</PartNumber><ETag>\"{'0' * 32}\"</ETag>"
        f"<ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>"
        for n in range(1, 10_001)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    reply = http_request(server, "POST", f"/{bucket}/k?uploadId={upload}", body=body)
    assert (reply.status, reply.code) == (400, "InvalidPart"), reply


def test_error_documents_escape(server, bucket):
    """Whatever comes back inside an error document is escaped."""
    reply = http_request(server, "GET", f"/{bucket}/%3Cscript%3E%26%22%01")
    assert reply.status in (400, 404)
    assert b"<script>" not in reply.body
    if b"\x01" not in reply.body and b"&#x1;" not in reply.body:
        assert reply.error["Key"].startswith('<script>&"')


def test_error_document_shape(server, bucket):
    """aws-recorded: every error: Code, Message, then its fields, then RequestId and HostId"""
    reply = http_request(server, "GET", f"/{bucket}/missing")
    assert reply.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    assert reply.headers["content-type"] == "application/xml"
    assert [child.tag for child in reply.xml] == ["Code", "Message", "Key", "RequestId", "HostId"]
    assert b"xmlns" not in reply.body


# ---- limits: what a document may cost ------------------------------------------------------------


@pytest.mark.parametrize("name", hostile.DOCUMENTS)
def test_hostile_documents(server, s3, bucket, name):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for target, size in (
        (f"/{bucket}?delete", 3 * MIB),
        (f"/{bucket}/k?uploadId={upload}", 3 * MIB),
        (f"/{bucket}?versioning", 60000),
        (f"/{bucket}?tagging", 60000),
        (f"/{bucket}/k?tagging", 60000),
        (f"/{bucket}-new", 60000),
    ):
        body = hostile.DOCUMENTS[name](size)
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        method = "POST" if "delete" in target or "uploadId" in target else "PUT"
        reply = http_request(server, method, target, {"Content-MD5": md5}, body)
        assert (reply.status, reply.code) == (400, "MalformedXML"), (target, reply)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]


@pytest.mark.parametrize("target, limit", [("/{}?delete", 8 * MIB), ("/{}/k?uploadId={}", 8 * MIB)] + [
    ("/{}?versioning", 65536), ("/{}?tagging", 65536), ("/{}/k?tagging", 65536), ("/{}-new", 65536)
])  # fmt: skip
def test_limit_of_a_document(wire, s3, bucket, target, limit):
    """The limit follows the operation, and is told before a body is asked for."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    target = target.format(bucket, upload)
    method = "POST" if "delete" in target or "uploadId" in target else "PUT"
    for length, code, fields in (
        (limit, "100", {}),
        (limit + 1, "MaxMessageLengthExceeded", {"MaxMessageLengthBytes": str(limit)}),
    ):
        w = wire()
        w.send(
            f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
            f"Content-MD5: {'A' * 22}==\r\nExpect: 100-continue\r\n\r\n"
        )
        if code == "100":
            assert w.fill().startswith(b"HTTP/1.1 100")
        else:
            is_error(w.reply(), code, 400, **fields)


@pytest.mark.parametrize(
    "method, target, code, status",
    [
        ("POST", "/{}/k?uploadId=x", "NoSuchUpload", 404),
        ("POST", "/{}/other?uploadId={}", "NoSuchUpload", 404),
        ("POST", "/{}-no/k?uploadId=x", "NoSuchBucket", 404),
        ("POST", "/{}-no?delete", "NoSuchBucket", 404),
        ("PUT", "/{}/k?tagging", "NoSuchKey", 404),
        ("PUT", "/{}-no?tagging", "NoSuchBucket", 404),
        ("PUT", "/{}-no?versioning", "NoSuchBucket", 404),
    ],
)
def test_looked_up_before_it_is_read(wire, s3, bucket, method, target, code, status):
    """Nobody's document is read for what is not there; the client is not asked for it."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    target = target.format(bucket, upload)
    w = wire()
    w.send(
        f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        f"Content-MD5: {'A' * 22}==\r\nExpect: 100-continue\r\n\r\n"
    )
    is_error(w.reply(), code, status)


def test_a_document_in_small_pieces(wire, s3, bucket):
    body = VERSIONING.format("<!-- in pieces -->").encode()
    w = wire()
    w.send(
        f"PUT /{bucket}?versioning HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    for byte in body:
        w.send(bytes([byte]))
    assert w.reply().status == 200
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
