# SPDX-License-Identifier: MIT
"""Keys: any bytes up to 1,024, never normalised, listed in byte order, encoded when asked to."""

import urllib.parse

import pytest

from harness import http_request, is_error, key_path, keys_of, refused, status_of

ODD = [
    "file%2Fname",
    "test@key/",
    "test%123",
    "test%percent",
    "test key/",
    "test key//",
    "test%123/",
    "a/%F0%9F%98%80/",
    "test+key",
    "a//b",
    "//",
    "a/../b",
    "a/./b",
    "..",
    ".",
    "/leading",
    "trailing/",
    "#hash",
    "?question",
    "a&b=c;d",
    "semi;colon,comma",
    "\u00e9t\u00e9",
    "\u0939\u093f\u0928\u094d\u0926\u0940",
    "\U0001f600",
    "e\u0301",
    "quote\"and'apostrophe",
    "<angle>&amp;",
    "back\\slash",
    "tilde~star*",
    "(paren)[bracket]{brace}|pipe^caret`tick",
    "uploads",
    "_s3mem/health",
    "$dollar!:=",
]


@pytest.mark.parametrize("key", ODD)
def test_odd_key(s3, bucket, key):
    """aws-recorded: test_put_get_object_special_character, test_put_and_get_object_with_utf8_key,
    test_put_and_get_object_with_hash_prefix"""
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == [key]
    assert keys_of(s3.list_objects(Bucket=bucket, Prefix=key)) == [key]
    assert s3.list_object_versions(Bucket=bucket)["Versions"][0]["Key"] == key
    s3.copy_object(
        Bucket=bucket, Key=f"copy-{key}", CopySource={"Bucket": bucket, "Key": key}
    )
    assert s3.get_object(Bucket=bucket, Key=f"copy-{key}")["Body"].read() == key.encode()
    assert status_of(s3.delete_object(Bucket=bucket, Key=key)) == 204
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == [f"copy-{key}"]


@pytest.mark.parametrize("key", ["a/", "t/", "u/"])
def test_single_character_and_slash(s3, bucket, key):
    """aws-recorded: test_put_get_object_single_character_trailing_slash"""
    s3.put_object(Bucket=bucket, Key=key, Body=b"test")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"test"


def test_byte_order(s3, bucket):
    """aws-recorded: test_object_with_slashes_in_key, test_url_encoded_key. UTF-8 byte order: a
    supplementary character sorts after every character of the basic plane."""
    keys = ["bar", "/foo", "/bar/foo/", "B", "a", "a/", "a-", "\uffee", "\U0001f600", "\u00e9", "~"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == sorted(keys, key=str.encode)


def test_name_and_prefix_live_together(s3, bucket):
    """FEATURES: on file-backed servers "a" and "a/b" exclude each other; in S3 they do not."""
    for key in ("a", "a/", "a/b", "a/b/c"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in ("a", "a/", "a/b", "a/b/c"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()


def test_plus_and_percent_in_path(server, s3, bucket):
    """In a path + is a plus; only %20 is a space. %2F is a slash of the key."""
    s3.put_object(Bucket=bucket, Key="a+b", Body=b"plus")
    s3.put_object(Bucket=bucket, Key="a b", Body=b"space")
    s3.put_object(Bucket=bucket, Key="c/d", Body=b"slash")
    assert http_request(server, "GET", f"/{bucket}/a+b").body == b"plus"
    assert http_request(server, "GET", f"/{bucket}/a%2Bb").body == b"plus"
    assert http_request(server, "GET", f"/{bucket}/a%20b").body == b"space"
    assert http_request(server, "GET", f"/{bucket}/c%2Fd").body == b"slash"
    assert http_request(server, "GET", f"/{bucket}/c%2fd").body == b"slash"


def test_raw_utf8_in_path(server, s3, bucket):
    """Clients that do not encode: raw UTF-8 bytes in the target are the key's bytes."""
    s3.put_object(Bucket=bucket, Key="\u00e9", Body=b"e")
    from harness import connect

    with connect(server) as raw:
        raw.sendall(f"GET /{bucket}/\u00e9 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while chunk := raw.recv(65536):
            data += chunk
    assert data.startswith(b"HTTP/1.1 200") and data.endswith(b"\r\n\r\ne")


def test_longest_key(s3, bucket):
    """AWS user guide, "Naming Amazon S3 objects": at most 1,024 bytes of UTF-8."""
    for key in ("k" * 1024, "\u00e9" * 512):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"
    for key in ("k" * 1025, "\u00e9" * 512 + "k"):
        size = str(len(key.encode()))
        fields = {"MaxSizeAllowed": "1024", "Size": size}
        with refused("KeyTooLongError", 400, "Your key is too long", **fields):
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        with refused("KeyTooLongError", 400):
            s3.get_object(Bucket=bucket, Key=key)
        with refused("KeyTooLongError", 400):
            s3.create_multipart_upload(Bucket=bucket, Key=key)
        with refused("KeyTooLongError", 400):
            s3.copy_object(Bucket=bucket, Key=key, CopySource=f"{bucket}/{'k' * 1024}")


def test_invalid_utf8(server, s3, bucket):
    """A key is UTF-8: overlong forms, surrogates and stray bytes are InvalidURI."""
    for bad in ("%FF", "a%C3", "%C0%AF", "%ED%A0%80", "%F4%90%80%80"):
        reply = http_request(server, "PUT", f"/{bucket}/{bad}", body=b"x")
        is_error(reply, "InvalidURI", 400, "Couldn't parse the specified URI.")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


# ---- encoding-type ------------------------------------------------------------------------------


def test_encoding_url(server, s3, bucket):
    """aws-recorded: test_list_objects_v2_continuation_token_safe_chars (date%3D2026…): with
    encoding-type=url keys, prefixes, markers and delimiters are encoded; / is not."""
    for key in ("date=2026-01-01/", "a b+c/\u00e9", "x%y"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    reply = http_request(
        server, "GET", f"/{bucket}?list-type=2&encoding-type=url&start-after=A%3D"
    )
    root = reply.xml
    assert root.findtext("EncodingType") == "url"
    assert root.findtext("StartAfter") == "A%3D"
    keys = [e.text for e in root.findall("Contents/Key")]
    assert keys[0] in ("a+b%2Bc/%C3%A9", "a%20b%2Bc/%C3%A9")
    assert keys[1:] == ["date%3D2026-01-01/", "x%25y"]
    reply = http_request(
        server, "GET", f"/{bucket}?encoding-type=url&delimiter=%3D&prefix=date&marker=b%20"
    )
    root = reply.xml
    assert root.findtext("CommonPrefixes/Prefix") == "date%3D"
    assert root.findtext("Delimiter") == "%3D"
    assert root.findtext("Marker") in ("b+", "b%20")


def test_no_encoding(server, s3, bucket):
    """aws-recorded: test_list_objects_v2_with_prefix (no-encoding)"""
    s3.put_object(Bucket=bucket, Key="date=1 &<\u00e9", Body=b"x")
    root = http_request(server, "GET", f"/{bucket}?list-type=2").xml
    assert root.find("EncodingType") is None
    assert root.findtext("Contents/Key") == "date=1 &<\u00e9"


def test_control_characters_in_listing(server, s3, bucket):
    """XML 1.0 cannot hold most control characters. With encoding-type=url any key can be listed;
    without it the document must still be well-formed."""
    key = "ctl\x01\x1f\x7f"
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == [key]
    root = http_request(server, "GET", f"/{bucket}?encoding-type=url").xml
    assert urllib.parse.unquote_plus(root.findtext("Contents/Key")) == key
    reply = http_request(server, "GET", f"/{bucket}")
    assert reply.status == 200 and b"\x01" not in reply.body
    newline = "line\nbreak\rreturn\ttab"
    s3.put_object(Bucket=bucket, Key=newline, Body=b"y")
    assert newline in keys_of(s3.list_objects_v2(Bucket=bucket))
    assert s3.get_object(Bucket=bucket, Key=newline)["Body"].read() == b"y"


@pytest.mark.parametrize("query", ["list-type=2", "", "versions", "uploads"])
@pytest.mark.parametrize("value", ["value", ""])
def test_invalid_encoding_type(server, bucket, query, value):
    """aws-recorded: test_list_ops_encoding_type_validation"""
    reply = http_request(server, "GET", f"/{bucket}?{query}&encoding-type={value}".replace("?&", "?"))
    is_error(
        reply,
        "InvalidArgument",
        400,
        "Invalid Encoding Method specified in Request",
        ArgumentName="encoding-type",
        ArgumentValue=value or None,
    )


def test_key_path_helper_agrees_with_boto3(server, s3, bucket):
    """The tests' own quoting and the SDK's name the same object."""
    for key in ODD:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert http_request(server, "GET", key_path(bucket, key)).body == key.encode()
