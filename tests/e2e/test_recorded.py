# SPDX-License-Identifier: MIT
"""Exchanges recorded from Amazon, field by field: a reply has these fields and no others. What the
other files cite from the same source is not repeated here."""

import base64
import datetime
import gzip
import hashlib

import pytest

from harness import PART, multipart, refused, status_of, upload_parts

CRC = {"ChecksumCRC32": ..., "ChecksumType": "FULL_OBJECT"}
STORED = {**CRC, "ETag": ..., "ServerSideEncryption": "AES256"}
HEAD = {"AcceptRanges": "bytes", "ContentLength": ..., "ContentType": "binary/octet-stream", "ETag": ...,
        "LastModified": ..., "Metadata": {}}
FAILED = "At least one of the pre-conditions you specified did not hold"
ARGUMENT = "x-amz-server-side-encryption"
NO_KEY = ("The object was stored using a form of Server Side Encryption. The correct parameters must be "
          "provided to retrieve the object.")


def exactly(reply, status=200, **facts):
    """The reply has these fields, in any order, and no others; ... stands for any value."""
    got = {k: v for k, v in reply.items() if k != "ResponseMetadata"}
    assert status_of(reply) == status and sorted(got) == sorted(facts), (status_of(reply), got)
    for name, value in facts.items():
        assert value is ... or got[name] == value, (name, got[name], value)


def sse_c(key=b"k" * 32, prefix="SSECustomer"):
    return {f"{prefix}Algorithm": "AES256", f"{prefix}Key": key}


def key_md5(key=b"k" * 32):
    return base64.b64encode(hashlib.md5(key).digest()).decode()


# ---- UploadPartCopy under conditions ------------------------------------------------------------


@pytest.fixture
def part_copy(s3, bucket):
    """UploadPartCopy of a source that is there for conditions to look at."""
    source = s3.put_object(Bucket=bucket, Key="source_file.txt", Body=b"0123456789")
    s3.source_time = s3.head_object(Bucket=bucket, Key="source_file.txt")["LastModified"]
    s3.source_etag = source["ETag"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="destination_file.txt")["UploadId"]

    def copy(**conditions):
        return s3.upload_part_copy(
            Bucket=bucket, Key="destination_file.txt", UploadId=upload, PartNumber=1,
            CopySource=f"{bucket}/source_file.txt",
            **{f"CopySource{name}": value for name, value in conditions.items()})

    copy.upload = upload
    return copy


HOUR = datetime.timedelta(hours=1)


@pytest.mark.parametrize("conditions", [
    lambda s3: {"IfMatch": s3.source_etag},
    lambda s3: {"IfNoneMatch": '"0123456789abcdef0123456789abcdef"'},
    lambda s3: {"IfUnmodifiedSince": s3.source_time + HOUR},
    lambda s3: {"IfModifiedSince": s3.source_time - HOUR},
    # A date in the future is not a date that S3 looks at.
    lambda s3: {"IfModifiedSince": s3.source_time + 24 * HOUR},
    lambda s3: {"IfMatch": s3.source_etag, "IfUnmodifiedSince": s3.source_time - HOUR},
])
def test_upload_part_copy_goes_ahead(s3, bucket, part_copy, conditions):
    """aws-recorded: test_upload_part_copy_with_copy_source_if_*_success and
    test_upload_part_copy_with_copy_source_if_match_and_if_unmodified_since_match"""
    reply = part_copy(**conditions(s3))
    exactly(reply, CopyPartResult=..., ServerSideEncryption="AES256")
    assert sorted(reply["CopyPartResult"]) == ["ETag", "LastModified"]
    listed = s3.list_parts(Bucket=bucket, Key="destination_file.txt", UploadId=part_copy.upload)
    exactly(listed, Bucket=bucket, Initiator=..., IsTruncated=False, Key="destination_file.txt",
            MaxParts=1000, NextPartNumberMarker=1, Owner=..., PartNumberMarker=0, Parts=...,
            StorageClass="STANDARD", UploadId=part_copy.upload)
    [part] = listed["Parts"]
    assert sorted(part) == ["ETag", "LastModified", "PartNumber", "Size"] and part["Size"] == 10


@pytest.mark.parametrize("condition, conditions", [
    ("If-Match", lambda s3: {"IfMatch": '"0123456789abcdef0123456789abcdef"'}),
    ("If-None-Match", lambda s3: {"IfNoneMatch": s3.source_etag}),
    ("If-Unmodified-Since", lambda s3: {"IfUnmodifiedSince": s3.source_time - HOUR}),
    ("If-Modified-Since", lambda s3: {"IfModifiedSince": s3.source_time}),
    ("If-Unmodified-Since", lambda s3: {"IfNoneMatch": '"0123456789abcdef0123456789abcdef"',
                                        "IfUnmodifiedSince": s3.source_time - HOUR}),
])
def test_upload_part_copy_is_refused(s3, part_copy, condition, conditions):
    """aws-recorded: test_upload_part_copy_with_*_failed"""
    with refused("PreconditionFailed", 412, FAILED, Condition=f"x-amz-copy-source-{condition}"):
        part_copy(**conditions(s3))


# ---- copies onto versions -----------------------------------------------------------------------


def test_copy_if_none_match_versioned(s3, versioned):
    """aws-recorded: test_copy_object_if_none_match_versioned_bucket"""
    source = s3.put_object(Bucket=versioned, Key="source", Body=b"x")["VersionId"]
    copy = {"Bucket": versioned, "Key": "dest-object", "CopySource": f"{versioned}/source",
            "IfNoneMatch": "*"}
    copied = {"CopyObjectResult": ..., "CopySourceVersionId": source, "ServerSideEncryption": "AES256",
              "VersionId": ...}
    first = s3.copy_object(**copy)
    exactly(first, **copied)
    assert sorted(first["CopyObjectResult"]) == sorted([*CRC, "ETag", "LastModified"])
    with refused("PreconditionFailed", 412, FAILED, Condition="If-None-Match"):
        s3.copy_object(**copy)
    exactly(s3.delete_object(Bucket=versioned, Key="dest-object"), 204, DeleteMarker=True, VersionId=...)
    exactly(s3.copy_object(**copy), **copied)
    listed = s3.list_object_versions(Bucket=versioned, Prefix="dest")
    assert [(len(v["VersionId"]), v["IsLatest"]) for v in listed["Versions"]] == [(32, True), (32, False)]
    [marker] = listed["DeleteMarkers"]
    assert sorted(marker) == ["IsLatest", "Key", "LastModified", "Owner", "VersionId"]


def test_copy_if_match_versioned(s3, versioned):
    """aws-recorded: test_copy_object_if_match_versioned_bucket"""
    s3.put_object(Bucket=versioned, Key="source", Body=b"x")
    etag = s3.put_object(Bucket=versioned, Key="dest-object", Body=b"first")["ETag"]
    copy = {"Bucket": versioned, "Key": "dest-object", "CopySource": f"{versioned}/source"}
    with refused("PreconditionFailed", 412, FAILED, Condition="If-Match"):
        s3.copy_object(**copy, IfMatch='"0123456789abcdef0123456789abcdef"')
    s3.delete_object(Bucket=versioned, Key="dest-object")
    with refused("NoSuchKey", 404, Key="dest-object"):
        s3.copy_object(**copy, IfMatch=etag)
    etag = s3.put_object(Bucket=versioned, Key="dest-object", Body=b"second")["ETag"]
    exactly(s3.copy_object(**copy, IfMatch=etag), CopyObjectResult=..., CopySourceVersionId=...,
            ServerSideEncryption="AES256", VersionId=...)


@pytest.mark.parametrize("conditions, header, why", [
    ({"IfNoneMatch": "etag"}, "If-None-Match",
     "We don't accept the provided value of If-None-Match header for this API"),
    ({"IfMatch": "*"}, "If-Match", "We don't accept the provided value of If-Match header for this API"),
    ({"IfMatch": "*", "IfNoneMatch": "*"}, "If-Match,If-None-Match",
     "Multiple conditional request headers present in the request"),
])
def test_copy_conditions_that_do_not_exist(s3, bucket, conditions, header, why):
    """aws-recorded: test_copy_object_precondition_write_validation"""
    s3.put_object(Bucket=bucket, Key="source", Body=b"x")
    with refused("NotImplemented", 501, "A header you provided implies functionality that is not "
                 "implemented", Header=header, additionalMessage=why):
        s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/source", **conditions)


def test_get_after_delete_versioned(s3, versioned):
    """aws-recorded: test_get_object_after_deleted_in_versioned_bucket, test_get_bucket_versioning_order"""
    s3.put_object(Bucket=versioned, Key="my-key", Body=b"abcdefgh")
    exactly(s3.get_object(Bucket=versioned, Key="my-key"), **HEAD, **CRC, Body=..., VersionId=...,
            ServerSideEncryption="AES256")
    s3.delete_object(Bucket=versioned, Key="my-key")
    with refused("NoSuchKey", 404, "The specified key does not exist.", Key="my-key"):
        s3.get_object(Bucket=versioned, Key="my-key")
    exactly(s3.list_object_versions(Bucket=versioned, Prefix="other"), EncodingType="url",
            IsTruncated=False, KeyMarker="", MaxKeys=1000, Name=versioned, Prefix="other",
            VersionIdMarker="")


# ---- objects ------------------------------------------------------------------------------------


def test_head_with_tags(s3, bucket):
    """aws-recorded: test_head_object_with_tags"""
    obj = {"Bucket": bucket, "Key": "k"}
    for setting, count in (
        (lambda: s3.put_object(**obj, Body=b"x", Tagging="a=1&b=2&c=3"), 3),
        (lambda: s3.put_object_tagging(**obj, Tagging={"TagSet": [{"Key": "t", "Value": "1"}]}), 1),
        (lambda: s3.put_object(**obj, Body=b"x", Tagging="a=1&b=2&c=3"), 3),
        (lambda: s3.delete_object_tagging(**obj), None),
    ):
        setting()
        tags = {"TagCount": count} if count else {}
        exactly(s3.head_object(**obj), **HEAD, **tags, ServerSideEncryption="AES256")
        exactly(s3.get_object(**obj), **HEAD, **tags, **CRC, Body=..., ServerSideEncryption="AES256")


def test_ranges_carry_no_checksum(s3, bucket):
    """aws-recorded: test_range_header_body_length, test_etag_on_get_object_call"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 2048)
    for start in (0, 1024):
        reply = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={start}-{start + 1023}")
        exactly(reply, 206, **{**HEAD, "ContentLength": 1024}, Body=..., ServerSideEncryption="AES256",
                ContentRange=f"bytes {start}-{start + 1023}/2048")


def test_delete_in_a_missing_bucket(s3):
    """aws-recorded: test_delete_non_existing_keys_in_non_existing_bucket"""
    with refused("NoSuchBucket", 404, "The specified bucket does not exist",
                 BucketName="non-existent-bucket"):
        s3.delete_objects(Bucket="non-existent-bucket", Delete={"Objects": [{"Key": "dummy1"}]})


def test_multipart_by_an_empty_listing(s3, bucket):
    """aws-recorded: test_s3_batch_delete_objects, test_empty_bucket_fixture"""
    for n in range(3):
        s3.put_object(Bucket=bucket, Key=f"key{n}", Body=b"123")
    listed = s3.list_objects_v2(Bucket=bucket)
    exactly(listed, Contents=..., EncodingType="url", IsTruncated=False, KeyCount=3, MaxKeys=1000,
            Name=bucket, Prefix="")
    assert {tuple(sorted(o)) for o in listed["Contents"]} == {
        ("ChecksumAlgorithm", "ChecksumType", "ETag", "Key", "LastModified", "Size", "StorageClass")}
    keys = [{"Key": f"key{n}"} for n in range(3)]
    exactly(s3.delete_objects(Bucket=bucket, Delete={"Objects": keys}), Deleted=keys)
    exactly(s3.list_objects(Bucket=bucket), EncodingType="url", IsTruncated=False, Marker="",
            MaxKeys=1000, Name=bucket, Prefix="")
    exactly(s3.list_objects_v2(Bucket=bucket), EncodingType="url", IsTruncated=False, KeyCount=0,
            MaxKeys=1000, Name=bucket, Prefix="")


def test_checksum_with_content_encoding(s3, bucket):
    """aws-recorded: test_s3_checksum_with_content_encoding"""
    body = gzip.compress(b"hello" * 20)
    sha = base64.b64encode(hashlib.sha256(body).digest()).decode()
    checksum = {"ChecksumSHA256": sha, "ChecksumType": "FULL_OBJECT"}
    exactly(s3.put_object(Bucket=bucket, Key="k", Body=body, ContentEncoding="gzip",
                          ChecksumAlgorithm="SHA256"),
            **checksum, ETag=..., ServerSideEncryption="AES256")
    exactly(s3.get_object(Bucket=bucket, Key="k"), **HEAD, **checksum, Body=..., ContentEncoding="gzip",
            ServerSideEncryption="AES256")
    exactly(s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum"]),
            Checksum=checksum, LastModified=...)


def test_copy_in_place_with_a_redirect(s3, bucket):
    """aws-recorded: test_s3_copy_object_in_place_website_redirect_location"""
    redirect = {"WebsiteRedirectLocation": "/test/direct"}
    exactly(s3.put_object(Bucket=bucket, Key="k", Body=b"test", **redirect), **STORED)
    exactly(s3.head_object(Bucket=bucket, Key="k"), **HEAD, **redirect, ServerSideEncryption="AES256")
    copied = s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k", **redirect)
    exactly(copied, CopyObjectResult=..., ServerSideEncryption="AES256")
    exactly(s3.head_object(Bucket=bucket, Key="k"), **HEAD, **redirect, ServerSideEncryption="AES256")


def test_multipart_reply(s3, bucket):
    """aws-recorded: test_set_external_hostname, test_complete_multipart_parts_checksum_full_object_default"""
    full = {"ChecksumCRC64NVME": ..., "ChecksumType": "FULL_OBJECT"}
    created = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC64NVME")
    exactly(created, Bucket=bucket, ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT", Key="k",
            ServerSideEncryption="AES256", UploadId=...)
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=created["UploadId"], PartNumber=1, Body=b"abc",
                          ChecksumAlgorithm="CRC64NVME")
    exactly(part, ChecksumCRC64NVME=..., ETag=..., ServerSideEncryption="AES256")
    done = s3.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=created["UploadId"],
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    exactly(done, **{**full, "ChecksumCRC64NVME": part["ChecksumCRC64NVME"]}, Bucket=bucket, ETag=...,
            Key="k", Location=..., ServerSideEncryption="AES256")
    exactly(s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED"), **HEAD, **full,
            ServerSideEncryption="AES256")
    attributes = ["Checksum", "ETag", "ObjectParts"]
    exactly(s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=attributes),
            Checksum={"ChecksumCRC64NVME": part["ChecksumCRC64NVME"], "ChecksumType": "FULL_OBJECT"},
            ETag=done["ETag"].strip('"'), LastModified=..., ObjectParts={"TotalPartsCount": 1})
    # Without an algorithm the server computes one, as for a PUT.
    exactly(multipart(s3, bucket, "plain", [b"abc"]), **full, Bucket=bucket, ETag=..., Key="plain",
            Location=..., ServerSideEncryption="AES256")


def test_head_bucket_elsewhere(s3, bucket):
    """aws-recorded: test_region_header_exists_outside_us_east_1"""
    exactly(s3.head_bucket(Bucket=bucket), AccessPointAlias=False, BucketArn=f"arn:aws:s3:::{bucket}",
            BucketRegion="us-east-1")


# ---- keys of the customer -----------------------------------------------------------------------


@pytest.mark.parametrize("headers, code, message, value", [
    ({**sse_c(), "ServerSideEncryption": "AES256"}, "InvalidArgument",
     "Server Side Encryption with Customer provided key is incompatible with the encryption method "
     "specified", "AES256"),
    ({**sse_c(), "SSECustomerAlgorithm": "KMS"}, "InvalidEncryptionAlgorithmError",
     "The Encryption request you specified is not valid. Supported value: AES256.", "KMS"),
    ({"SSECustomerKey": b"k" * 32}, "InvalidArgument",
     "Requests specifying Server Side Encryption with Customer provided keys must provide a valid "
     "encryption algorithm.", None),
    ({"SSECustomerAlgorithm": "AES256"}, "InvalidArgument",
     "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate "
     "secret key.", None),
    (sse_c(b"short"), "InvalidArgument", "The secret key was invalid for the specified algorithm.", None),
    ({**sse_c(base64.b64encode(b"k" * 32).decode()), "SSECustomerKeyMD5": key_md5(b"other")}, "InvalidArgument",
     "The calculated MD5 hash of the key did not match the hash that was provided.", None),
])
def test_sse_c_validation(s3, bucket, headers, code, message, value):
    """aws-recorded: test_put_object_validation_sse_c"""
    named = {"ArgumentName": ARGUMENT, **({"ArgumentValue": value} if value else {})}
    with refused(code, 400, message, **named):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", **headers)


def test_copy_with_sse_c(s3, bucket):
    """aws-recorded: test_copy_object_with_sse_c"""
    exactly(s3.put_object(Bucket=bucket, Key="source", Body=b"x", **sse_c()), **CRC, ETag=...,
            SSECustomerAlgorithm="AES256", SSECustomerKeyMD5=key_md5())
    copy = {"Bucket": bucket, "CopySource": f"{bucket}/source"}
    exactly(s3.copy_object(**copy, Key="plain", **sse_c(prefix="CopySourceSSECustomer")),
            CopyObjectResult=..., ServerSideEncryption="AES256")
    exactly(s3.copy_object(**copy, Key="k", **sse_c(prefix="CopySourceSSECustomer"), **sse_c()),
            CopyObjectResult=..., SSECustomerAlgorithm="AES256", SSECustomerKeyMD5=key_md5())
    for refused_call in (lambda: s3.get_object(Bucket=bucket, Key="source"),
                         lambda: s3.copy_object(**copy, Key="k", **sse_c())):
        with refused("InvalidRequest", 400, NO_KEY):
            refused_call()
    wrong = "The Encryption request you specified is not valid. Supported value: AES256."
    for prefix in ("CopySourceSSECustomer", "SSECustomer"):
        keys = {**sse_c(prefix="CopySourceSSECustomer"), **sse_c(), f"{prefix}Algorithm": "KMS"}
        with refused("InvalidEncryptionAlgorithmError", 400, wrong, ArgumentName=ARGUMENT,
                     ArgumentValue="KMS"):
            s3.copy_object(**copy, Key="k", **keys)
    with refused("InvalidArgument", 400, ArgumentName=ARGUMENT, ArgumentValue="AES256"):
        s3.copy_object(**copy, Key="k", ServerSideEncryption="AES256",
                       **sse_c(prefix="CopySourceSSECustomer"), **sse_c())


def test_multipart_with_sse_c(s3, bucket):
    """aws-recorded: test_multipart_upload_sse_c, test_multipart_upload_sse_c_validation"""
    used = {"SSECustomerAlgorithm": "AES256", "SSECustomerKeyMD5": key_md5()}
    created = s3.create_multipart_upload(Bucket=bucket, Key="k", **sse_c())
    exactly(created, Bucket=bucket, Key="k", UploadId=..., **used)
    upload = {"Bucket": bucket, "Key": "k", "UploadId": created["UploadId"]}
    exactly(s3.upload_part(**upload, PartNumber=1, Body=b"x", **sse_c()), ChecksumCRC32=..., ETag=..., **used)
    needed = ("The multipart upload initiate requested encryption. Subsequent part requests must include "
              "the appropriate encryption parameters.")
    with refused("InvalidRequest", 400, needed):
        s3.upload_part(**upload, PartNumber=2, Body=b"x")
    with refused("InvalidRequest", 400,
                 "The provided encryption parameters did not match the ones used originally."):
        s3.upload_part(**upload, PartNumber=2, Body=b"x", **sse_c(b"o" * 32))
    plain = s3.create_multipart_upload(Bucket=bucket, Key="plain")["UploadId"]
    with refused("InvalidRequest", 400, needed):
        s3.upload_part(Bucket=bucket, Key="plain", UploadId=plain, PartNumber=1, Body=b"x", **sse_c())
    parts = upload_parts(s3, bucket, "k", created["UploadId"], [b"x" * PART, b"y"], **sse_c())
    # Amazon sends neither a checksum nor what encrypted it.
    exactly(s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}), Bucket=bucket,
            ETag=..., Key="k", Location=...)
    with refused("InvalidRequest", 400, NO_KEY):
        s3.get_object(Bucket=bucket, Key="k")
    exactly(s3.get_object(Bucket=bucket, Key="k", **sse_c()), **HEAD, Body=..., **used)


def test_sse_c_versions(s3, versioned):
    """aws-recorded: test_sse_c_with_versioning"""
    ids = []
    for n in (1, 2):
        put = s3.put_object(Bucket=versioned, Key="k", Body=b"version%d" % n, **sse_c(b"%d" % n * 32))
        exactly(put, **CRC, ETag=..., SSECustomerAlgorithm="AES256", VersionId=...,
                SSECustomerKeyMD5=key_md5(b"%d" % n * 32))
        ids.append(put["VersionId"])
    with refused("AccessDenied", 403, "Requests specifying Server Side Encryption with Customer provided "
                 "keys must provide the correct secret key."):
        s3.get_object(Bucket=versioned, Key="k", **sse_c(b"1" * 32))
    for n, version in enumerate(ids, 1):
        got = s3.get_object(Bucket=versioned, Key="k", VersionId=version, **sse_c(b"%d" % n * 32))
        exactly(got, **HEAD, **CRC, Body=..., SSECustomerAlgorithm="AES256",
                SSECustomerKeyMD5=key_md5(b"%d" % n * 32), VersionId=version)
        assert got["Body"].read() == b"version%d" % n


def test_get_of_archived_object(s3, bucket):
    """aws-recorded: test_s3_get_deep_archive_object_restore"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="DEEP_ARCHIVE")
    with refused("InvalidObjectState", 403, "The operation is not valid for the object's storage class",
                 StorageClass="DEEP_ARCHIVE"):
        s3.get_object(Bucket=bucket, Key="k")
