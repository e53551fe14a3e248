# SPDX-License-Identifier: MIT
"""User metadata and system headers of objects."""

import datetime
import email.header

import pytest

from harness import has, header_of, http_request, keys_of, refused


def put_raw(server, target, headers, body=b"x"):
    reply = http_request(server, "PUT", target, headers, body)
    assert reply.status == 200, reply
    return reply


def test_names_are_lower_cased(server, s3, bucket):
    """AWS user guide, "User-defined object metadata"."""
    put_raw(server, f"/{bucket}/k", {"X-Amz-Meta-CamelCase": "Value"})
    has(s3.head_object(Bucket=bucket, Key="k"), Metadata={"camelcase": "Value"})


def test_odd_names(s3, bucket):
    """aws-recorded: test_metadata_header_character_decoding"""
    s3.put_object(
        Bucket=bucket, Key="k", Body=b"foo", Metadata={"TEST_META_1": "foo", "__meta_2": "bar"}
    )
    has(
        s3.head_object(Bucket=bucket, Key="k"),
        Metadata={"test_meta_1": "foo", "__meta_2": "bar"},
    )


def test_repeated_header_is_joined(server, s3, bucket):
    """AWS user guide: values of one name are combined into a comma-separated list."""
    put_raw(server, f"/{bucket}/k", [("x-amz-meta-a", "1"), ("x-amz-meta-a", "2")])
    has(s3.head_object(Bucket=bucket, Key="k"), Metadata={"a": "1,2"})


def test_empty_value_and_spaces(server, s3, bucket):
    put_raw(server, f"/{bucket}/k", {"x-amz-meta-empty": "", "x-amz-meta-spaces": "  a  b  "})
    has(s3.head_object(Bucket=bucket, Key="k"), Metadata={"empty": "", "spaces": "a  b"})


def metadata_of_size(size):
    """Names and values that count size bytes together: the name without x-amz-meta-."""
    return {"a": "v" * (size - 1)}


def test_two_kibibytes(s3, bucket):
    """AWS user guide: user-defined metadata is limited to 2 KB, names and values together."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata=metadata_of_size(2048))
    has(s3.head_object(Bucket=bucket, Key="k"), Metadata=metadata_of_size(2048))
    for call in (s3.put_object, s3.create_multipart_upload):
        with refused(
            "MetadataTooLarge",
            400,
            "Your metadata headers exceed the maximum allowed metadata size",
            MaxSizeAllowed="2048",
            Size="2049",
        ):
            call(Bucket=bucket, Key="too-large", Metadata=metadata_of_size(2049))
    with refused("MetadataTooLarge", 400):
        s3.copy_object(
            Bucket=bucket,
            Key="too-large",
            CopySource=f"{bucket}/k",
            MetadataDirective="REPLACE",
            Metadata=metadata_of_size(2049),
        )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]


def decoded(text):
    parts = email.header.decode_header(text)
    return "".join(p.decode(c or "ascii") if isinstance(p, bytes) else p for p, c in parts)


def test_rfc2047(server, s3, bucket):
    """aws-recorded: test_user_metadata_rfc2047_encoded: encoded words are decoded when stored; what
    is not ASCII comes back as an encoded word, what is comes back plain."""
    sent = {
        "x-amz-meta-asciib64-encoded": "=?UTF-8?B?YWJj?=",
        "x-amz-meta-fake-encoded": "=?UTF-8?Q?actually-ascii?=",
        "x-amz-meta-non-ascii-2": "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?=",
        "x-amz-meta-non-ascii-binary": "=?UTF-8?B?AAECAw==?=",
        "x-amz-meta-safe-chars": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    }
    put_raw(server, f"/{bucket}/k", sent)
    got = http_request(server, "HEAD", f"/{bucket}/k").headers
    assert got["x-amz-meta-asciib64-encoded"] == "abc"
    assert got["x-amz-meta-fake-encoded"] == "actually-ascii"
    assert got["x-amz-meta-non-ascii-2"] == "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?="
    assert got["x-amz-meta-non-ascii-binary"] == "=?UTF-8?B?AAECAw==?="
    assert got["x-amz-meta-safe-chars"] == "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def test_rfc2047_bad_base64(server, bucket):
    """aws-recorded: test_user_metadata_rfc2047_bad_b64_encoded (bytes that are no UTF-8 become
    U+FFFD)"""
    put_raw(server, f"/{bucket}/k", {"x-amz-meta-bad-b64-encoded": "=?UTF-8?B?/2H/?="})
    got = http_request(server, "HEAD", f"/{bucket}/k").headers
    assert got["x-amz-meta-bad-b64-encoded"] == "=?UTF-8?B?77+9Ye+/vQ==?="


def test_raw_utf8(server, bucket):
    """AWS user guide, "User-defined object metadata": header bytes count as ISO-8859-1, so that raw
    UTF-8 comes back as an encoded word of it (its example: ÄMÄZÕÑ S3)."""
    value = "\u00c4M\u00c4Z\u00d5\u00d1 S3"
    put_raw(server, f"/{bucket}/k", {"x-amz-meta-nonascii": value.encode()})
    got = http_request(server, "HEAD", f"/{bucket}/k").headers["x-amz-meta-nonascii"]
    assert got.startswith("=?UTF-8?")
    assert decoded(got) == decoded("=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=")


def test_system_headers_with_unicode(server, s3, bucket):
    """aws-recorded: test_system_metadata_with_unicode: the bytes come back as they were sent"""
    value = 'attachment; filename="test_\u2014file%E2%80%94_\u00e9_2.pdf"'
    put_raw(server, f"/{bucket}/k", {"Content-Disposition": value.encode()})
    got = http_request(server, "GET", f"/{bucket}/k").headers["content-disposition"]
    assert got.encode("latin-1") == value.encode()


def test_system_headers(s3, bucket):
    """System headers are kept and returned."""
    when = datetime.datetime(2035, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    sent = {
        "ContentType": "text/html; charset=utf-8",
        "ContentEncoding": "gzip",
        "ContentDisposition": "inline",
        "ContentLanguage": "de, en",
        "CacheControl": "public, max-age=60",
        "WebsiteRedirectLocation": "https://example.com/",
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=when, **sent)
    for call in (s3.get_object, s3.head_object):
        reply = call(Bucket=bucket, Key="k")
        has(reply, **sent, ExpiresString="Tue, 02 Jan 2035 03:04:05 GMT")


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2015 07:28:00 GMT", "not a date", "0", "-1"])
def test_expires_is_text(server, bucket, text):
    """aws-recorded: test_s3_object_expires: past or future, it comes back as sent"""
    put_raw(server, f"/{bucket}/k", {"Expires": text})
    assert http_request(server, "GET", f"/{bucket}/k").headers["expires"] == text


def test_content_type_by_default(server, bucket):
    """aws-recorded: every GetObject; and boto3 sends none unless asked"""
    put_raw(server, f"/{bucket}/k", {})
    reply = http_request(server, "GET", f"/{bucket}/k")
    assert reply.headers["content-type"] == "binary/octet-stream"
    put_raw(server, f"/{bucket}/k", {"Content-Type": "application/x-www-form-urlencoded"})
    reply = http_request(server, "GET", f"/{bucket}/k")
    assert reply.headers["content-type"] == "application/x-www-form-urlencoded"


def test_unknown_headers_are_dropped(server, s3, bucket):
    put_raw(server, f"/{bucket}/k", {"X-Whatever": "1", "x-amz-metax": "2", "ETag": '"mine"'})
    reply = http_request(server, "GET", f"/{bucket}/k")
    assert "x-whatever" not in reply.headers and "x-amz-metax" not in reply.headers
    assert reply.headers["etag"] == '"9dd4e461268c8034f5c8564e155c67a6"'
    has(s3.head_object(Bucket=bucket, Key="k"), Metadata={})


def test_overwrite_drops_old_metadata(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "1"}, CacheControl="c")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"b": "2"})
    has(s3.head_object(Bucket=bucket, Key="k"), Metadata={"b": "2"}, CacheControl=None)


def test_website_redirect_rules(s3, bucket):
    """AWS API PutObject: it starts with / or http:// or https://."""
    with refused(
        "InvalidRedirectLocation",
        400,
        "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
    ):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", WebsiteRedirectLocation="elsewhere")


def test_metadata_by_multipart(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", Metadata={"Some-Key": "v"})
    part = s3.upload_part(
        Bucket=bucket, Key="k", UploadId=upload["UploadId"], PartNumber=1, Body=b"x"
    )
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="k",
        UploadId=upload["UploadId"],
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    head = s3.head_object(Bucket=bucket, Key="k")
    assert header_of(head, "x-amz-meta-some-key") == "v"


def test_acl_headers(server, s3, bucket):
    """ACLs are a later issue's: what would grant something is refused, never silently dropped."""
    put_raw(server, f"/{bucket}/k", {"x-amz-acl": "bucket-owner-full-control"})
    for name, value in (
        ("x-amz-acl", "nonsense"),
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'),
    ):
        reply = http_request(server, "PUT", f"/{bucket}/k2", {name: value}, b"x")
        assert reply.status in (400, 501), reply
        assert reply.code in (
            "AccessControlListNotSupported",
            "InvalidArgument",
            "NotImplemented",
        ), reply
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]
