# SPDX-License-Identifier: MIT
"""PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects and RenameObject on an unversioned
bucket; ranges; response headers."""

import base64
import datetime
import email.utils
import gzip
import io
import os
import time

import pytest

from harness import (
    MIB,
    client,
    etag_of,
    has,
    header_of,
    http_request,
    is_error,
    key_path,
    keys_of,
    md5_hex,
    multipart,
    refused,
    status_of,
)

DIGITS = b"0123456789"


# ---- put and get --------------------------------------------------------------------------------


def test_put_get_delete(s3, bucket):
    """aws-recorded: test_delete_object, test_object_tagging_crud"""
    put = s3.put_object(Bucket=bucket, Key="test-delete", Body=b"test-delete")
    has(put, ETag='"a9a43d6b467d3dc6514412c3a4987415"', ServerSideEncryption="AES256")
    has(put, ChecksumCRC32="1jy6qw==", ChecksumType="FULL_OBJECT", VersionId=None)
    got = s3.get_object(Bucket=bucket, Key="test-delete")
    has(
        got,
        AcceptRanges="bytes",
        ContentLength=11,
        ContentType="binary/octet-stream",
        ETag='"a9a43d6b467d3dc6514412c3a4987415"',
        Metadata={},
        ServerSideEncryption="AES256",
        ChecksumCRC32="1jy6qw==",
        ChecksumType="FULL_OBJECT",
        VersionId=None,
        StorageClass=None,
        TagCount=None,
    )
    assert got["Body"].read() == b"test-delete"
    gone = s3.delete_object(Bucket=bucket, Key="test-delete")
    assert status_of(gone) == 204
    has(gone, DeleteMarker=None, VersionId=None)
    with refused("NoSuchKey", 404, "The specified key does not exist.", Key="test-delete"):
        s3.get_object(Bucket=bucket, Key="test-delete")


def test_reply_headers(s3, bucket):
    """aws-recorded: test_put_and_get_object_with_content_language_disposition"""
    put = s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"abc123",
        ContentLanguage="de",
        ContentDisposition='attachment; filename="foo.jpg"',
        CacheControl="no-cache",
    )
    headers = put["ResponseMetadata"]["HTTPHeaders"]
    has(headers, **{"content-length": "0", "etag": '"e99a18c428cb38d5f260853678922e03"'})
    has(headers, **{"x-amz-checksum-crc32": "zwK7XA==", "x-amz-server-side-encryption": "AES256"})
    for name in ("date", "server", "x-amz-id-2", "x-amz-request-id"):
        assert headers[name], name
    assert "content-type" not in headers
    got = s3.get_object(Bucket=bucket, Key="k")
    headers = got["ResponseMetadata"]["HTTPHeaders"]
    has(
        headers,
        **{
            "accept-ranges": "bytes",
            "cache-control": "no-cache",
            "content-disposition": 'attachment; filename="foo.jpg"',
            "content-language": "de",
            "content-length": "6",
            "content-type": "binary/octet-stream",
            "x-amz-checksum-type": "FULL_OBJECT",
        },
    )


def test_date_formats(server, s3, bucket):
    """RFC 9110 dates in headers, ISO 8601 with milliseconds in XML, as S3 sends them."""
    before = int(time.time())
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = http_request(server, "GET", f"/{bucket}/k")
    for name in ("date", "last-modified"):
        text = reply.headers[name]
        parsed = email.utils.parsedate_to_datetime(text)
        assert text == email.utils.format_datetime(parsed, usegmt=True)
        assert before - 2 <= parsed.timestamp() <= time.time() + 2
    text = http_request(server, "GET", f"/{bucket}").xml.findtext("Contents/LastModified")
    datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    assert len(text) == len("2026-01-01T00:00:00.000Z")


def test_request_ids_differ(server, bucket):
    """Every reply carries its ids, errors too, and no two are the same."""
    replies = [http_request(server, "GET", f"/{bucket}/{n}") for n in range(3)]
    replies.append(http_request(server, "GET", f"/{bucket}"))
    ids = {r.headers["x-amz-request-id"] for r in replies}
    assert len(ids) == len(replies)
    assert all(r.headers["x-amz-id-2"] and r.headers["server"] for r in replies)


def test_missing_key(s3, bucket):
    """aws-recorded: test_range_key_not_exists, test_head_object_fields"""
    with refused("NoSuchKey", 404, "The specified key does not exist.", Key="my-key"):
        s3.get_object(Bucket=bucket, Key="my-key", Range="bytes=1024-4096")
    with refused("404", 404, "Not Found"):
        s3.head_object(Bucket=bucket, Key="my-key")


def test_head(s3, bucket):
    """aws-recorded: test_head_object_fields"""
    s3.put_object(Bucket=bucket, Key="my-key", Body=b"abcdefgh")
    head = s3.head_object(Bucket=bucket, Key="my-key")
    has(
        head,
        AcceptRanges="bytes",
        ContentLength=8,
        ContentType="binary/octet-stream",
        ETag='"e8dc4081b13434b45189a720b77b6818"',
        Metadata={},
        ServerSideEncryption="AES256",
        ChecksumCRC32=None,
    )
    age = datetime.datetime.now(datetime.timezone.utc) - head["LastModified"]
    assert abs(age.total_seconds()) < 600


@pytest.mark.parametrize("size", [0, 1, 15, 16, 255, 4096, 65535, 65536, 65537, MIB + 1, 3 * MIB])
def test_sizes(s3, bucket, size):
    """Every way a body may be kept: none, inline, one segment, many."""
    body = os.urandom(size)
    has(s3.put_object(Bucket=bucket, Key="k", Body=body), ETag=etag_of(body))
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["ContentLength"] == size
    assert got["Body"].read() == body


def test_big_file_and_overwrite(s3, bucket):
    """aws-recorded: test_upload_big_file"""
    first, second = b"a" * 10_000_000, b"b" * 10_000_000
    has(s3.put_object(Bucket=bucket, Key="k", Body=first), ETag=etag_of(first))
    has(s3.put_object(Bucket=bucket, Key="k", Body=second), ETag=etag_of(second))
    has(s3.head_object(Bucket=bucket, Key="k"), ContentLength=10_000_000, ETag=etag_of(second))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == second


def test_streamed_upload_of_unknown_digest(s3, bucket):
    """A file object: boto3 sends aws-chunked with a trailing checksum when it can."""
    body = os.urandom(300_000)
    s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(body))
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body
    has(got, ContentEncoding=None, ContentLength=300_000)


def test_upload_and_download_file(s3, bucket, tmp_path):
    """The transfer manager: multipart above 8 MiB, ranged concurrent downloads."""
    source = tmp_path / "source"
    source.write_bytes(os.urandom(20 * MIB + 7))
    s3.upload_file(str(source), bucket, "dir/file")
    target = tmp_path / "target"
    s3.download_file(bucket, "dir/file", str(target))
    assert target.read_bytes() == source.read_bytes()
    assert s3.head_object(Bucket=bucket, Key="dir/file")["ETag"].endswith('-3"')


def test_small_multipart_by_transfer_manager(s3, bucket):
    """aws-recorded: test_upload_file_multipart"""
    from boto3.s3.transfer import TransferConfig

    body = os.urandom(6144)
    config = TransferConfig(multipart_threshold=1024, multipart_chunksize=8192)
    s3.upload_fileobj(io.BytesIO(body), bucket, "k", Config=config)
    got = s3.get_object(Bucket=bucket, Key="k")
    has(got, ChecksumType="COMPOSITE", ContentLength=6144)
    assert got["ChecksumCRC32"].endswith("-1")
    assert got["ETag"].endswith('-1"')


def test_gzip_is_kept_as_it_is(s3, bucket):
    """aws-recorded: test_s3_upload_download_gzip"""
    data = gzip.compress(b"1234567890 test")
    s3.put_object(Bucket=bucket, Key="k", Body=data, ContentEncoding="gzip")
    got = s3.get_object(Bucket=bucket, Key="k")
    has(got, ContentEncoding="gzip", ContentLength=len(data))
    assert got["Body"].read() == data


def test_xml_body_is_data(s3, bucket):
    """aws-recorded: test_upload_file_with_xml_preamble"""
    body = b'<?xml version="1.0" encoding="UTF-8"?><test/>'
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_key_case(s3, bucket):
    """aws-recorded: test_s3_uppercase_key_names"""
    s3.put_object(Bucket=bucket, Key="CamelCaseKey", Body=b"something")
    assert s3.get_object(Bucket=bucket, Key="CamelCaseKey")["Body"].read() == b"something"
    with refused("NoSuchKey", 404, Key="camelcasekey"):
        s3.get_object(Bucket=bucket, Key="camelcasekey")


def test_anonymous_on_open_server(server, bucket):
    """Without credentials on the server no signature is needed. Without a checksum of the
    client's, the server computes CRC64NVME.
    aws-recorded: test_get_object_with_anon_credentials, TestS3PresignedUrl::test_put_object"""
    unsigned = client(server, key=None, config={"request_checksum_calculation": "when_required"})
    unsigned.put_object(Bucket=bucket, Key="k", Body=b"something")
    got = unsigned.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"something"
    has(got, ChecksumCRC64NVME="1BGd19PD4OU=", ChecksumType="FULL_OBJECT")


@pytest.mark.parametrize(
    "md5",
    ["__invalid__", "000", "not base64 encoded checksum", "MTIz", "dGVzdC1zdHJpbmc="],
)
def test_invalid_content_md5(s3, bucket, md5):
    """aws-recorded: test_s3_invalid_content_md5"""
    with refused(
        "InvalidDigest", 400, "The Content-MD5 you specified was invalid.", Content__MD5=md5
    ):
        s3.put_object(Bucket=bucket, Key="k", Body=b"something", ContentMD5=md5)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    with refused("InvalidDigest", 400, Content__MD5=md5):
        s3.upload_part(
            Bucket=bucket,
            Key="k",
            UploadId=upload,
            PartNumber=1,
            Body=b"something",
            ContentMD5=md5,
        )
    with refused("404"):
        s3.head_object(Bucket=bucket, Key="k")


def test_content_md5(s3, bucket):
    """aws-recorded: test_s3_invalid_content_md5 (ExpectedDigest: hex for PutObject, base64 for
    UploadPart)"""
    wrong = base64.b64encode(bytes.fromhex("09891eb590524e35fc73372cddc5d596")).decode()
    message = "The Content-MD5 you specified did not match what we received."
    calculated = "Q3uTDbhLgHnC3YBKcZNrXw=="
    with refused(
        "BadDigest",
        400,
        message,
        CalculatedDigest=calculated,
        ExpectedDigest="09891eb590524e35fc73372cddc5d596",
    ):
        s3.put_object(Bucket=bucket, Key="k", Body=b"something", ContentMD5=wrong)
    with refused("404"):
        s3.head_object(Bucket=bucket, Key="k")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": 1}
    with refused(
        "BadDigest", 400, message, CalculatedDigest=calculated, ExpectedDigest=wrong
    ):
        s3.upload_part(**part, Body=b"something", ContentMD5=wrong)
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)
    has(
        s3.put_object(Bucket=bucket, Key="k", Body=b"something", ContentMD5=calculated),
        ETag='"437b930db84b8079c2dd804a71936b5f"',
    )
    s3.upload_part(**part, Body=b"something", ContentMD5=calculated)


# ---- ranges -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec,first,last",
    [
        ("0-8", 0, 8),
        ("1-1", 1, 1),
        ("1-", 1, 9),
        ("-2", 8, 9),
        ("-9", 1, 9),
        ("-15", 0, 9),
        ("0-100", 0, 9),
        ("0-0", 0, 0),
        ("9-", 9, 9),
        ("5-18446744073709551615", 5, 9),
    ],
)
def test_range(s3, bucket, spec, first, last):
    """aws-recorded: test_get_object_range. The checksum comes only with the whole object."""
    s3.put_object(Bucket=bucket, Key="k", Body=DIGITS)
    got = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={spec}")
    whole = (first, last) == (0, 9)
    has(
        got,
        ContentRange=f"bytes {first}-{last}/10",
        ContentLength=last - first + 1,
        AcceptRanges="bytes",
        ETag='"781e5e245d69b566979b86e28d23f2c7"',
        ChecksumCRC32="poTHxg==" if whole else None,
    )
    assert status_of(got) == 206
    assert got["Body"].read() == DIGITS[first : last + 1]
    head = s3.head_object(Bucket=bucket, Key="k", Range=f"bytes={spec}")
    assert status_of(head) == 206
    has(head, ContentRange=f"bytes {first}-{last}/10", ContentLength=last - first + 1)


@pytest.mark.parametrize(
    "header",
    ["bytes=1-0", "bytes=-1-", "bytes=0--1", "bytes=0-1,3-4,7-9", "0-8", "bytes=-", "bytes=a-b"],
)
def test_range_ignored(s3, bucket, header):
    """aws-recorded: test_get_object_range: what S3 does not understand gives the whole object, and
    so do several ranges."""
    s3.put_object(Bucket=bucket, Key="k", Body=DIGITS)
    got = s3.get_object(Bucket=bucket, Key="k", Range=header)
    assert status_of(got) == 200
    has(got, ContentRange=None, ContentLength=10, ChecksumCRC32="poTHxg==")
    assert got["Body"].read() == DIGITS


@pytest.mark.parametrize("spec", ["-0", "100-200", "10-", "10-10"])
def test_range_unsatisfiable(s3, bucket, spec):
    """aws-recorded: test_get_object_range, test_invalid_range_error"""
    s3.put_object(Bucket=bucket, Key="k", Body=DIGITS)
    with refused(
        "InvalidRange",
        416,
        "The requested range is not satisfiable",
        ActualObjectSize="10",
        RangeRequested=f"bytes={spec}",
    ):
        s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={spec}")
    with refused("416", 416):
        s3.head_object(Bucket=bucket, Key="k", Range=f"bytes={spec}")
    s3.put_object(Bucket=bucket, Key="k", Body=b"still here")


def test_range_of_empty_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    with refused("InvalidRange", 416, ActualObjectSize="0"):
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=0-0")


def test_ranges_across_segments(s3, bucket):
    """Ranges that begin and end in different segments of a multipart body."""
    parts = [os.urandom(5 * MIB), os.urandom(5 * MIB + 3), os.urandom(11)]
    multipart(s3, bucket, "k", parts)
    whole = b"".join(parts)
    edge = len(parts[0])
    for first, last in ((edge - 3, edge + 2), (edge, edge), (0, len(whole) - 1), (edge - 1, 2 * edge + 5)):
        got = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={first}-{last}")
        assert got["Body"].read() == whole[first : last + 1]


# ---- response overrides -------------------------------------------------------------------------


def test_response_overrides(s3, bucket):
    """aws-recorded: test_s3_get_object_header_overrides"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"something")
    overrides = {
        "ResponseCacheControl": "max-age=74",
        "ResponseContentDisposition": 'attachment; filename="foo.jpg"',
        "ResponseContentEncoding": "identity",
        "ResponseContentLanguage": "de-DE",
        "ResponseContentType": "image/jpeg",
        "ResponseExpires": datetime.datetime(2015, 10, 21, 7, 28),
    }
    got = s3.get_object(Bucket=bucket, Key="k", **overrides)
    expected = {
        "CacheControl": "max-age=74",
        "ContentDisposition": 'attachment; filename="foo.jpg"',
        "ContentEncoding": "identity",
        "ContentLanguage": "de-DE",
        "ContentType": "image/jpeg",
        "ExpiresString": "Wed, 21 Oct 2015 07:28:00 GMT",
    }
    has(got, **expected)
    has(s3.head_object(Bucket=bucket, Key="k", **overrides), **expected)
    has(s3.get_object(Bucket=bucket, Key="k"), ContentType="binary/octet-stream", CacheControl=None)


def test_response_override_not_latin1(server, s3, bucket):
    """aws-recorded: test_get_response_overrides_unicode_metadata_with_sig_s3"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = http_request(
        server,
        "GET",
        f"/{bucket}/k?response-cache-control=non-ascii-%25E2%2580%2594_%E2%80%94_%C3%A9_",
    )
    is_error(
        reply,
        "InvalidArgument",
        400,
        "Header value cannot be represented using ISO-8859-1.",
        ArgumentName="response-cache-control",
        ArgumentValue="non-ascii-%E2%80%94_\u2014_\u00e9_",
    )


def test_response_override_no_header_injection(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = http_request(
        server, "GET", f"/{bucket}/k?response-content-type=a%0d%0aX-Injected:%20yes"
    )
    assert "x-injected" not in reply.headers
    assert reply.status == 400 or "\r" not in reply.headers.get("content-type", "")


# ---- delete -------------------------------------------------------------------------------------


def test_delete_nothing(s3, bucket):
    """aws-recorded: test_delete_object"""
    assert status_of(s3.delete_object(Bucket=bucket, Key="nope")) == 204
    with refused(
        "InvalidArgument",
        400,
        "Invalid version id specified",
        ArgumentName="versionId",
        ArgumentValue="HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD",
    ):
        s3.delete_object(Bucket=bucket, Key="nope", VersionId="HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD")


def named(*keys):
    return {"Objects": [{"Key": k} for k in keys]}


def test_delete_objects(s3, bucket):
    """aws-recorded: test_delete_objects, test_delete_non_existing_keys"""
    s3.put_object(Bucket=bucket, Key="test-delete", Body=b"test-delete")
    bad = {"Key": "test-delete", "VersionId": "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"}
    reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": [bad]})
    assert reply["Errors"] == [
        {
            **bad,
            "Code": "NoSuchVersion",
            "Message": "The specified version does not exist.",
        }
    ]
    has(reply, Deleted=None)
    reply = s3.delete_objects(Bucket=bucket, Delete=named("a-wrong-key", "c-wrong-key", "test-delete"))
    has(reply, Errors=None)
    assert sorted(d["Key"] for d in reply["Deleted"]) == ["a-wrong-key", "c-wrong-key", "test-delete"]
    assert all(set(d) == {"Key"} for d in reply["Deleted"])
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_delete_objects_quiet(s3, bucket):
    """aws-recorded: test_delete_non_existing_keys_quiet"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = s3.delete_objects(Bucket=bucket, Delete={**named("k", "nope"), "Quiet": True})
    has(reply, Deleted=None, Errors=None)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []
    bad = {"Objects": [{"Key": "k", "VersionId": "x"}], "Quiet": True}
    assert s3.delete_objects(Bucket=bucket, Delete=bad)["Errors"][0]["Key"] == "k"


def test_delete_objects_thousand(s3, bucket):
    """AWS API DeleteObjects: up to 1,000 keys; more is MalformedXML."""
    for n in range(3):
        s3.put_object(Bucket=bucket, Key=f"{n}", Body=b"x")
    reply = s3.delete_objects(Bucket=bucket, Delete=named(*[f"{n}" for n in range(1000)]))
    assert len(reply["Deleted"]) == 1000
    s3.put_object(Bucket=bucket, Key="0", Body=b"x")
    with refused("MalformedXML", 400):
        s3.delete_objects(Bucket=bucket, Delete=named(*[f"{n}" for n in range(1001)]))
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["0"]


def test_delete_objects_same_key_twice(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = s3.delete_objects(Bucket=bucket, Delete=named("k", "k"))
    has(reply, Errors=None)
    assert {d["Key"] for d in reply["Deleted"]} == {"k"}


def test_delete_objects_odd_keys(s3, bucket):
    """aws-recorded: test_delete_objects_encoding"""
    odd = ["a%2Fb", "a/%F0%9F%98%80", "&<>'\"", "tab\tkey", "\u00e9\u2014\U0001f600", "a b+c"]
    for key in odd:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    reply = s3.delete_objects(Bucket=bucket, Delete=named(*odd))
    assert sorted(d["Key"] for d in reply["Deleted"]) == sorted(odd)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Delete></Delete>",
        b"<Delete><Object></Object></Delete>",
        b"<Delete><Object><Key></Key></Object></Delete>",
        b"<Other><Object><Key>k</Key></Object></Other>",
        b"<Delete><Object><Key>k</Key>",
    ],
)
def test_delete_objects_malformed(server, s3, bucket, body):
    """AWS error list: MalformedXML (MissingRequestBodyError without a body)"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    md5 = base64.b64encode(bytes.fromhex(md5_hex(body))).decode()
    reply = http_request(server, "POST", f"/{bucket}?delete", {"Content-MD5": md5}, body)
    expected = {"MalformedXML"} if body else {"MalformedXML", "MissingRequestBodyError"}
    assert reply.status == 400 and reply.code in expected, reply
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]


def test_delete_objects_needs_a_digest(server, s3, bucket):
    """AWS API DeleteObjects: Content-MD5 (or a checksum) is required, and checked."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    reply = http_request(server, "POST", f"/{bucket}?delete", body=body)
    is_error(
        reply,
        "InvalidRequest",
        400,
        "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
    )
    wrong = base64.b64encode(bytes(16)).decode()
    reply = http_request(server, "POST", f"/{bucket}?delete", {"Content-MD5": wrong}, body)
    is_error(reply, "BadDigest", 400)
    reply = http_request(
        server, "POST", f"/{bucket}?delete", {"x-amz-checksum-crc32": "AAAAAA=="}, body
    )
    is_error(reply, "BadDigest", 400)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]


def test_delete_objects_with_namespace_or_without(server, s3, bucket):
    """aws-recorded: test_s3_batch_delete_public_objects_using_requests"""
    for namespace in (b"", b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'):
        for n in (1, 2):
            s3.put_object(Bucket=bucket, Key=f"key-{n}", Body=b"x")
        body = (
            b'<?xml version="1.0" encoding="UTF-8"?><Delete'
            + namespace
            + b"><Object><Key>key-1</Key></Object><Object><Key>key-2</Key></Object></Delete>"
        )
        md5 = base64.b64encode(bytes.fromhex(md5_hex(body))).decode()
        reply = http_request(server, "POST", f"/{bucket}?delete", {"Content-MD5": md5}, body)
        assert reply.status == 200, reply
        assert reply.xml.tag == "DeleteResult"
        assert [e.text for e in reply.xml.findall("Deleted/Key")] == ["key-1", "key-2"]


# ---- rename -------------------------------------------------------------------------------------


def test_rename(s3, bucket):
    """AWS API RenameObject"""
    s3.put_object(Bucket=bucket, Key="old name", Body=b"data", Metadata={"m": "1"})
    before = s3.head_object(Bucket=bucket, Key="old name")
    reply = s3.rename_object(Bucket=bucket, Key="new/name", RenameSource=f"{bucket}/old%20name")
    assert status_of(reply) == 200
    got = s3.get_object(Bucket=bucket, Key="new/name")
    assert got["Body"].read() == b"data"
    has(got, Metadata={"m": "1"}, ETag=before["ETag"])
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="old name")


def test_rename_missing_source(s3, bucket):
    with refused("NoSuchKey", 404):
        s3.rename_object(Bucket=bucket, Key="new", RenameSource=f"{bucket}/nope")


def test_rename_conditions(s3, bucket):
    """AWS API RenameObject: If-None-Match etc. for the destination, x-amz-rename-source-if-* for
    the source."""
    old = s3.put_object(Bucket=bucket, Key="old", Body=b"old")["ETag"]
    new = s3.put_object(Bucket=bucket, Key="new", Body=b"new")["ETag"]
    rename = {"Bucket": bucket, "Key": "new", "RenameSource": f"{bucket}/old"}
    with refused("PreconditionFailed", 412):
        s3.rename_object(**rename, DestinationIfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        s3.rename_object(**rename, DestinationIfMatch=old)
    with refused("PreconditionFailed", 412):
        s3.rename_object(**rename, SourceIfMatch=new)
    with refused("PreconditionFailed", 412):
        s3.rename_object(**rename, SourceIfNoneMatch=old)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["new", "old"]
    s3.rename_object(**rename, SourceIfMatch=old, DestinationIfMatch=new)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["new"]
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"old"


def test_rename_is_idempotent(s3, bucket):
    """AWS API RenameObject: a repeated client token answers as before; with other parameters it is
    IdempotencyParameterMismatch."""
    s3.put_object(Bucket=bucket, Key="old", Body=b"data")
    rename = {"Bucket": bucket, "Key": "new", "RenameSource": f"{bucket}/old"}
    token = "7a1c8ab8-0c4b-4b5c-9f0e-0123456789ab"
    for _ in range(2):
        assert status_of(s3.rename_object(**rename, ClientToken=token)) == 200
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"data"
    with refused("IdempotencyParameterMismatch", 400):
        s3.rename_object(
            Bucket=bucket, Key="third", RenameSource=f"{bucket}/new", ClientToken=token
        )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["new"]


def test_rename_source_forms(s3, bucket):
    """AWS CLI's example names the key alone, SDKs bucket and key; another bucket is no source."""
    s3.put_object(Bucket=bucket, Key="a key", Body=b"data")
    s3.rename_object(Bucket=bucket, Key="b", RenameSource="a%20key")
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == b"data"
    for source in ("other-bucket-name/b", ""):
        with pytest.raises(s3.exceptions.ClientError) as caught:
            s3.rename_object(Bucket=bucket, Key="c", RenameSource=source)
        code = caught.value.response["Error"]["Code"]
        assert code in ("NoSuchKey", "InvalidArgument"), code
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["b"]


# ---- storage classes, encryption headers --------------------------------------------------------


@pytest.mark.parametrize(
    "storage_class",
    ["STANDARD", "STANDARD_IA", "GLACIER_IR", "ONEZONE_IA", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY"],
)
def test_storage_class(s3, bucket, storage_class):
    """aws-recorded: test_put_object_storage_class"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"body-test", StorageClass=storage_class)
    shown = None if storage_class == "STANDARD" else storage_class
    got = s3.get_object(Bucket=bucket, Key="k")
    has(got, StorageClass=shown)
    has(s3.head_object(Bucket=bucket, Key="k"), StorageClass=shown)
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    has(listed, StorageClass=storage_class)


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_archived_storage_class(s3, bucket, storage_class):
    """aws-recorded: test_put_object_storage_class[GLACIER-False], [DEEP_ARCHIVE-False]"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"body-test", StorageClass=storage_class)
    with refused(
        "InvalidObjectState",
        403,
        "The operation is not valid for the object's storage class",
        StorageClass=storage_class,
    ):
        s3.get_object(Bucket=bucket, Key="k")
    has(s3.head_object(Bucket=bucket, Key="k"), StorageClass=storage_class, ContentLength=9)


def test_invalid_storage_class(s3, bucket):
    """aws-recorded: test_put_object_storage_class_outposts"""
    message = "The storage class you specified is not valid"
    with refused("InvalidStorageClass", 400, message, StorageClassRequested="OUTPOSTS"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="OUTPOSTS")
    with refused("InvalidStorageClass", 400, message, StorageClassRequested="OUTPOSTS"):
        s3.create_multipart_upload(Bucket=bucket, Key="k", StorageClass="OUTPOSTS")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


KMS_KEY = "arn:aws:kms:us-east-1:000000000000:key/134f2428-cec1-4b25-a1ae-9048164dba47"


def test_kms_headers(s3, bucket):
    """Storage classes and SSE headers are remembered and returned.
    aws-recorded: test_s3_multipart_upload_sse"""
    sse = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KMS_KEY, "BucketKeyEnabled": True}
    has(s3.put_object(Bucket=bucket, Key="k", Body=b"test-sse", **sse), **sse)
    got = s3.get_object(Bucket=bucket, Key="k")
    has(got, **sse)
    assert got["Body"].read() == b"test-sse"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", **sse)
    has(upload, **sse)
    part = s3.upload_part(
        Bucket=bucket, Key="m", UploadId=upload["UploadId"], PartNumber=1, Body=b"test-sse"
    )
    has(part, **sse)
    done = s3.complete_multipart_upload(
        Bucket=bucket,
        Key="m",
        UploadId=upload["UploadId"],
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    has(done, **sse)
    has(s3.head_object(Bucket=bucket, Key="m"), **sse)


def test_invalid_sse_algorithm(s3, bucket):
    """AWS error list: InvalidEncryptionAlgorithmError"""
    with refused("InvalidArgument", 400, ArgumentName="x-amz-server-side-encryption"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="ROT13")


CUSTOMER_KEY = "k" * 32
SSEC = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": CUSTOMER_KEY}  # boto3 adds the MD5
SSEC_SHOWN = {
    "SSECustomerAlgorithm": "AES256",
    "SSECustomerKeyMD5": base64.b64encode(bytes.fromhex(md5_hex(CUSTOMER_KEY.encode()))).decode(),
}


def test_customer_key_headers(s3, bucket):
    """aws-recorded: test_put_object_default_checksum_with_sse_c, test_object_retrieval_sse_c: the
    algorithm and the key's MD5 come back, the key never."""
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"test data..", **SSEC)
    has(put, **SSEC_SHOWN, ServerSideEncryption=None)
    got = s3.get_object(Bucket=bucket, Key="k", **SSEC)
    has(got, **SSEC_SHOWN, ServerSideEncryption=None)
    assert got["Body"].read() == b"test data.."


def test_customer_key_is_demanded(s3, bucket):
    """aws-recorded: test_object_retrieval_sse_c"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **SSEC)
    with refused(
        "InvalidRequest",
        400,
        "The object was stored using a form of Server Side Encryption. The correct parameters "
        "must be provided to retrieve the object.",
    ):
        s3.get_object(Bucket=bucket, Key="k")
    with refused("AccessDenied", 403):
        s3.get_object(
            Bucket=bucket, Key="k", SSECustomerAlgorithm="AES256", SSECustomerKey="o" * 32
        )


def test_unknown_query_parameters(server, s3, bucket):
    """x-id is what SDKs add; S3 ignores query parameters that name nothing it knows."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for query in ("x-id=GetObject", "x-amz-foo=1"):
        reply = http_request(server, "GET", f"{key_path(bucket, 'k')}?{query}")
        assert (reply.status, reply.body) == (200, b"x"), query


def test_header_of_unversioned(s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert header_of(put, "x-amz-version-id") is None
