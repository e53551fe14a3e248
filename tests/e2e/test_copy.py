# SPDX-License-Identifier: MIT
"""CopyObject: sources, directives, self-copies, versions, storage classes."""

import datetime

import pytest

from harness import (
    PART,
    client,
    etag_of,
    has,
    header_of,
    http_request,
    is_error,
    keys_of,
    multipart,
    refused,
    unique,
)

ILLEGAL = (
    "This copy request is illegal because it is trying to copy an object to itself without "
    "changing the object's metadata, storage class, website redirect location or encryption "
    "attributes."
)
BODY = b'{"key": "value"}'
ETAG = '"88bac95f31528d13a072c05f2a1cf371"'


@pytest.fixture
def source(s3, bucket):
    s3.put_object(
        Bucket=bucket,
        Key="source",
        Body=BODY,
        ContentType="application/json",
        ContentLanguage="en-US",
        Metadata={"key": "value"},
    )
    return f"{bucket}/source"


def test_copy(s3, bucket, source):
    """aws-recorded: test_s3_copy_content_type_and_metadata, test_s3_copy_md5"""
    reply = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    has(reply, ServerSideEncryption="AES256", VersionId=None, CopySourceVersionId=None)
    has(reply["CopyObjectResult"], ETag=ETAG, ChecksumCRC32="MzVIGw==", ChecksumType="FULL_OBJECT")
    assert reply["CopyObjectResult"]["LastModified"]
    again = s3.copy_object(Bucket=bucket, Key="copy2", CopySource=f"{bucket}/copy")
    has(again["CopyObjectResult"], ETag=ETAG)
    for key in ("copy", "copy2"):
        got = s3.get_object(Bucket=bucket, Key=key)
        has(
            got,
            ContentType="application/json",
            ContentLanguage="en-US",
            Metadata={"key": "value"},
            ETag=ETAG,
        )
        assert got["Body"].read() == BODY


def test_to_another_bucket(s3, bucket, source):
    other = unique()
    s3.create_bucket(Bucket=other)
    s3.copy_object(Bucket=other, Key="copy", CopySource=source)
    s3.delete_object(Bucket=bucket, Key="source")
    assert s3.get_object(Bucket=other, Key="copy")["Body"].read() == BODY


def test_metadata_replace(s3, bucket, source):
    """aws-recorded: test_s3_copy_metadata_replace"""
    s3.copy_object(
        Bucket=bucket,
        Key="copy",
        CopySource=source,
        Metadata={"another-key": "value"},
        ContentType="image/jpg",
        MetadataDirective="REPLACE",
    )
    has(
        s3.head_object(Bucket=bucket, Key="copy"),
        ContentType="image/jpg",
        ContentLanguage=None,
        Metadata={"another-key": "value"},
    )


def test_metadata_copy(s3, bucket, source):
    """aws-recorded: test_s3_copy_metadata_directive_copy: what comes along is ignored"""
    s3.copy_object(
        Bucket=bucket,
        Key="copy",
        CopySource=source,
        Metadata={"another-key": "value"},
        ContentType="image/jpg",
        ContentLanguage="de",
        MetadataDirective="COPY",
    )
    has(
        s3.head_object(Bucket=bucket, Key="copy"),
        ContentType="application/json",
        ContentLanguage="en-US",
        Metadata={"key": "value"},
    )


@pytest.mark.parametrize("name", ["x-amz-metadata-directive", "x-amz-tagging-directive"])
def test_bad_directive(server, s3, bucket, source, name):
    """AWS error list: InvalidArgument ("Unknown metadata directive.")"""
    reply = http_request(
        server,
        "PUT",
        f"/{bucket}/copy",
        {"x-amz-copy-source": source, name: "MOVE"},
        b"",
    )
    is_error(reply, "InvalidArgument", 400, ArgumentName=name, ArgumentValue="MOVE")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["source"]


# ---- onto itself --------------------------------------------------------------------------------


def test_onto_itself(s3, bucket, source):
    """aws-recorded: test_s3_copy_object_in_place_metadata_directive"""
    copy = {"Bucket": bucket, "Key": "source", "CopySource": source}
    with refused("InvalidRequest", 400, ILLEGAL):
        s3.copy_object(**copy, Metadata={"key": "value"})
    s3.copy_object(**copy, Metadata={"key2": "value2"}, MetadataDirective="REPLACE")
    head = s3.head_object(Bucket=bucket, Key="source")
    has(head, Metadata={"key2": "value2"}, ContentType="binary/octet-stream", ETag=ETAG)
    s3.copy_object(**copy, Metadata={}, MetadataDirective="REPLACE")
    has(s3.head_object(Bucket=bucket, Key="source"), Metadata={})


@pytest.mark.parametrize(
    "change",
    [
        {"StorageClass": "STANDARD"},
        {"StorageClass": "STANDARD_IA"},
        {"WebsiteRedirectLocation": "/test"},
        {"ServerSideEncryption": "AES256"},
        {"ChecksumAlgorithm": "SHA256", "StorageClass": "STANDARD"},
    ],
)
def test_onto_itself_with_a_change(s3, bucket, source, change):
    """aws-recorded: test_s3_copy_object_in_place (storage class, checksum),
    test_s3_copy_object_in_place_storage_class, test_s3_copy_object_in_place_with_encryption"""
    s3.copy_object(Bucket=bucket, Key="source", CopySource=source, **change)
    got = s3.get_object(Bucket=bucket, Key="source", ChecksumMode="ENABLED")
    assert got["Body"].read() == BODY
    has(got, Metadata={"key": "value"}, ContentType="application/json")
    if change.get("StorageClass", "STANDARD") != "STANDARD" or "WebsiteRedirectLocation" in change:
        has(got, **change)
    if "ChecksumAlgorithm" in change:
        has(got, ChecksumSHA256="lyTB4g5uPk1/V+0l+dTvsAblCFkNUoyQ2ll/andcE+U=")


def test_onto_itself_in_a_versioned_bucket(s3, versioned):
    """aws-recorded: test_s3_copy_object_in_place_versioned"""
    version = s3.put_object(Bucket=versioned, Key="k", Body=BODY)["VersionId"]
    copy = {"Bucket": versioned, "Key": "k"}
    with refused("InvalidRequest", 400, ILLEGAL):
        s3.copy_object(**copy, CopySource=f"{versioned}/k")
    done = s3.copy_object(**copy, CopySource=f"{versioned}/k", MetadataDirective="REPLACE")
    has(done, CopySourceVersionId=version, VersionId=...)
    assert done["VersionId"] != version
    # An older version copied onto its key restores it.
    back = s3.copy_object(
        **copy, CopySource={"Bucket": versioned, "Key": "k", "VersionId": version}
    )
    has(back, CopySourceVersionId=version)
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Suspended"})
    done = s3.copy_object(**copy, CopySource=f"{versioned}/k", MetadataDirective="REPLACE")
    has(done, CopySourceVersionId=back["VersionId"], VersionId="null")
    has(s3.head_object(Bucket=versioned, Key="k"), VersionId="null")


def test_onto_itself_suspended_only(s3, bucket):
    """aws-recorded: test_s3_copy_object_in_place_suspended_only"""
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    copy = {
        "Bucket": bucket,
        "Key": "k",
        "CopySource": f"{bucket}/k",
        "MetadataDirective": "REPLACE",
    }
    has(s3.copy_object(**copy), VersionId=None, CopySourceVersionId=None)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    for _ in range(2):
        has(s3.copy_object(**copy), VersionId="null")
        has(s3.head_object(Bucket=bucket, Key="k"), VersionId="null")


# ---- sources ------------------------------------------------------------------------------------


def test_missing_source(s3, versioned):
    """aws-recorded: test_s3_copy_object_src_not_exists"""
    copy = {"Bucket": versioned, "Key": "copy"}
    with refused("NoSuchBucket", 404, BucketName="random-source-bucket-xyz"):
        s3.copy_object(**copy, CopySource="random-source-bucket-xyz/random-key")
    with refused("NoSuchKey", 404, Key="random-src-key"):
        s3.copy_object(**copy, CopySource=f"{versioned}/random-src-key")
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"")["VersionId"]
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    with refused("NoSuchKey", 404, Key="k"):
        s3.copy_object(**copy, CopySource=f"{versioned}/k")
    with refused(
        "InvalidRequest",
        400,
        "The source of a copy request may not specifically refer to a delete marker by version id.",
    ):
        s3.copy_object(
            **copy, CopySource={"Bucket": versioned, "Key": "k", "VersionId": marker}
        )
    done = s3.copy_object(
        **copy, CopySource={"Bucket": versioned, "Key": "k", "VersionId": version}
    )
    has(done, CopySourceVersionId=version)
    with refused("InvalidArgument", 400, "Invalid version id specified"):
        s3.copy_object(
            **copy, CopySource={"Bucket": versioned, "Key": "k", "VersionId": "not-an-id"}
        )
    with refused("NoSuchVersion", 404):
        s3.copy_object(
            **copy, CopySource={"Bucket": versioned, "Key": "other", "VersionId": version}
        )


@pytest.mark.parametrize("text", ["no-slash", "/no-slash", "bucket/", "/"])
def test_malformed_source(server, bucket, text):
    """aws-recorded: test_s3_copy_object_wrong_format"""
    reply = http_request(server, "PUT", f"/{bucket}/copy", {"x-amz-copy-source": text}, b"")
    is_error(
        reply,
        "InvalidArgument",
        400,
        "Invalid copy source object key",
        ArgumentName="x-amz-copy-source",
        ArgumentValue="x-amz-copy-source",
    )


@pytest.mark.parametrize("key", ["a b", "a+b", "a%2Bb", "\u00e9/\u2014", "what?versionId=x", "a&b=c"])
def test_source_encoding(server, s3, bucket, key):
    """AWS API CopyObject: the source is URL-encoded; with or without a leading slash.
    aws-recorded: test_copy_object_special_character"""
    import urllib.parse

    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for number, slash in enumerate(("", "/")):
        text = f"{slash}{bucket}/{urllib.parse.quote(key)}"
        reply = http_request(
            server, "PUT", f"/{bucket}/copy{number}", {"x-amz-copy-source": text}, b""
        )
        assert reply.status == 200 and reply.xml.tag == "CopyObjectResult", reply
        assert s3.get_object(Bucket=bucket, Key=f"copy{number}")["Body"].read() == key.encode()


def test_copy_with_body(server, s3, bucket, source):
    """A copy takes no body; what is sent must not become the object."""
    reply = http_request(
        server, "PUT", f"/{bucket}/copy", {"x-amz-copy-source": source}, b"not the object"
    )
    if reply.status == 200:
        assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == BODY
    else:
        assert reply.status == 400
        assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["source"]


def test_from_multipart(s3, bucket):
    """aws-recorded: test_multipart_copy_object_etag: the copy is one object, its ETag an MD5"""
    done = multipart(s3, bucket, "test.file", [b"test content 123"])
    has(done, ETag='"b972025bc34adf8d76d6d51e93c035cc-1"')
    source = f"{bucket}/test.file"
    copy = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)["CopyObjectResult"]
    has(copy, ETag='"eee506dd7ada7ded524c77e359a0e7c6"', ChecksumCRC64NVME="BsLNlKumA5I=")
    s3.copy_object(
        Bucket=bucket, Key="test.file", CopySource=source, MetadataDirective="REPLACE"
    )
    head = s3.head_object(Bucket=bucket, Key="test.file", ChecksumMode="ENABLED")
    has(head, ETag='"eee506dd7ada7ded524c77e359a0e7c6"', ChecksumCRC64NVME="BsLNlKumA5I=")


def test_large_copy(s3, bucket):
    parts = [b"a" * PART, b"b" * PART, b"c"]
    multipart(s3, bucket, "source", parts)
    copy = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/source")
    whole = b"".join(parts)
    has(copy["CopyObjectResult"], ETag=etag_of(whole))
    s3.delete_object(Bucket=bucket, Key="source")
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == whole


def test_managed_copy(s3, bucket):
    """boto3's own copy(): HeadObject, then CopyObject or UploadPartCopy."""
    from boto3.s3.transfer import TransferConfig

    body = bytes(range(256)) * (12 * 1024 * 4)  # 12 MiB
    s3.put_object(Bucket=bucket, Key="source", Body=body)
    s3.copy({"Bucket": bucket, "Key": "source"}, bucket, "plain")
    s3.copy(
        {"Bucket": bucket, "Key": "source"},
        bucket,
        "parts",
        Config=TransferConfig(multipart_threshold=PART, multipart_chunksize=PART),
    )
    for key in ("plain", "parts"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body


# ---- what is carried over -----------------------------------------------------------------------


def test_storage_class(s3, bucket):
    """aws-recorded: test_s3_copy_object_storage_class: it is not copied"""
    s3.put_object(Bucket=bucket, Key="source", Body=b"test", StorageClass="STANDARD_IA")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/source")
    has(s3.head_object(Bucket=bucket, Key="copy"), StorageClass=None)
    s3.copy_object(
        Bucket=bucket, Key="copy", CopySource=f"{bucket}/source", StorageClass="ONEZONE_IA"
    )
    has(s3.head_object(Bucket=bucket, Key="copy"), StorageClass="ONEZONE_IA")
    with refused("InvalidStorageClass", 400, StorageClassRequested="OUTPOSTS"):
        s3.copy_object(
            Bucket=bucket, Key="copy", CopySource=f"{bucket}/source", StorageClass="OUTPOSTS"
        )


def test_archived_source(s3, bucket):
    """AWS error list: InvalidObjectState"""
    s3.put_object(Bucket=bucket, Key="source", Body=b"test", StorageClass="GLACIER")
    with refused("InvalidObjectState", 403):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/source")


def test_website_redirect_is_not_copied(s3, bucket):
    """AWS API CopyObject: x-amz-website-redirect-location is not copied."""
    s3.put_object(Bucket=bucket, Key="source", Body=b"x", WebsiteRedirectLocation="/there")
    has(s3.head_object(Bucket=bucket, Key="source"), WebsiteRedirectLocation="/there")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/source")
    has(s3.head_object(Bucket=bucket, Key="copy"), WebsiteRedirectLocation=None)


def test_expires_and_headers_replace(s3, bucket, source):
    when = datetime.datetime(2031, 5, 6, tzinfo=datetime.timezone.utc)
    s3.copy_object(
        Bucket=bucket,
        Key="copy",
        CopySource=source,
        MetadataDirective="REPLACE",
        Expires=when,
        CacheControl="max-age=1",
        ContentEncoding="br",
    )
    head = s3.head_object(Bucket=bucket, Key="copy")
    has(head, CacheControl="max-age=1", ContentEncoding="br", ContentLanguage=None)
    assert header_of(head, "expires") == "Tue, 06 May 2031 00:00:00 GMT"


KEY = "key1=value1"


@pytest.mark.parametrize("directive", ["COPY", "REPLACE", None])
def test_tagging_directive(s3, bucket, directive):
    """aws-recorded: test_s3_copy_tagging_directive"""
    s3.put_object(Bucket=bucket, Key="source", Body=b"test", Tagging=KEY)
    options = {"TaggingDirective": directive} if directive else {}

    def tags_of_copy(**tagging):
        s3.copy_object(
            Bucket=bucket, Key="copy", CopySource=f"{bucket}/source", **options, **tagging
        )
        return s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"]

    kept = [{"Key": "key1", "Value": "value1"}]
    replaced = [{"Key": "key2", "Value": "value2"}]
    assert tags_of_copy(Tagging="key2=value2") == (replaced if directive == "REPLACE" else kept)
    assert tags_of_copy(Tagging="") == ([] if directive == "REPLACE" else kept)


@pytest.mark.parametrize("directive", ["COPY", "REPLACE", None])
def test_tagging_directive_versioned(s3, versioned, directive):
    """aws-recorded: test_s3_copy_tagging_directive_versioned"""
    first = s3.put_object(Bucket=versioned, Key="k", Body=b"test", Tagging=KEY)["VersionId"]
    s3.put_object(Bucket=versioned, Key="k", Body=b"test-v2", Tagging="key1=value1-v2")
    options = {"TaggingDirective": directive} if directive else {}
    for version, value in ((None, "value1-v2"), (first, "value1")):
        source = {"Bucket": versioned, "Key": "k"}
        if version:
            source["VersionId"] = version
        done = s3.copy_object(
            Bucket=versioned, Key="copy", CopySource=source, Tagging="key2=value2", **options
        )
        tags = s3.get_object_tagging(Bucket=versioned, Key="copy")
        has(tags, VersionId=done["VersionId"])
        kept = [{"Key": "key1", "Value": value}]
        replaced = [{"Key": "key2", "Value": "value2"}]
        assert tags["TagSet"] == (replaced if directive == "REPLACE" else kept)


def test_checksum_of_copy_by_plain_client(server, bucket, s3):
    """aws-recorded: test_s3_checksum_no_automatic_sdk_calculation (copy-obj-default-checksum)"""
    plain = client(server, config={"request_checksum_calculation": "when_required"})
    plain.put_object(Bucket=bucket, Key="k", Body=b"test data..")
    copy = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    has(copy["CopyObjectResult"], ChecksumCRC64NVME="qUVrWYOrIAM=")
