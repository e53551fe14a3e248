# SPDX-License-Identifier: MIT
"""Conditional requests: reads with RFC 9110's precedence; Put, Complete, Copy and Delete."""

import datetime
import time

import pytest

from harness import (
    etag_of,
    has,
    http_request,
    is_error,
    keys_of,
    refused,
    status_of,
    upload_parts,
)

FAILED = "At least one of the pre-conditions you specified did not hold"
CONFLICT = "The conditional request cannot succeed due to a conflicting operation against this resource."
WRONG = '"d41d8cd98f00b204e9800998ecf8427f"'


def at(offset_s, base=None):
    base = base or datetime.datetime.now(datetime.timezone.utc)
    return base + datetime.timedelta(seconds=offset_s)


@pytest.fixture
def data(s3, bucket):
    """An object "data" whose Last-Modified lies in the past by more than a second."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    return s3.head_object(Bucket=bucket, Key="k")


ETAG = '"8d777f385d3dfec8815d20f7496026dc"'


# ---- reads --------------------------------------------------------------------------------------


def test_get_conditions(s3, bucket, data):
    """aws-recorded: test_s3_get_object_preconditions[get_object], test_precondition_failed_error,
    test_s3_get_object_headers"""
    modified = data["LastModified"]

    def get(**conditions):
        return s3.get_object(Bucket=bucket, Key="k", **conditions)

    with refused("PreconditionFailed", 412, FAILED, Condition="If-Match"):
        get(IfMatch=WRONG)
    with refused("PreconditionFailed", 412, FAILED, Condition="If-Unmodified-Since"):
        get(IfUnmodifiedSince=at(-10, modified))
    with refused("304", 304, "Not Modified") as caught:
        get(IfNoneMatch=ETAG)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["etag"] == ETAG and "last-modified" in headers
    with refused("304", 304):
        get(IfModifiedSince=at(0, modified))
    with refused("304", 304):
        get(IfNoneMatch=ETAG.strip('"'))
    assert get(IfModifiedSince=at(86400))["ContentLength"] == 4, "a date in the future is ignored"
    assert get(IfUnmodifiedSince=at(0, modified))["ContentLength"] == 4
    assert get(IfMatch=ETAG)["Body"].read() == b"data"
    assert get(IfMatch="*")["ContentLength"] == 4
    assert get(IfMatch=f"{WRONG}, {ETAG}")["ContentLength"] == 4
    assert get(IfNoneMatch=WRONG)["ContentLength"] == 4
    with refused("304", 304):
        get(IfNoneMatch="*")
    assert get(IfModifiedSince=at(-10, modified))["ContentLength"] == 4


def test_head_conditions(s3, bucket, data):
    """aws-recorded: test_s3_get_object_preconditions[head_object]"""
    modified = data["LastModified"]

    def head(**conditions):
        return s3.head_object(Bucket=bucket, Key="k", **conditions)

    with refused("412", 412, "Precondition Failed"):
        head(IfMatch=WRONG)
    with refused("412", 412):
        head(IfUnmodifiedSince=at(-10, modified))
    with refused("304", 304, "Not Modified"):
        head(IfNoneMatch=ETAG)
    with refused("304", 304):
        head(IfModifiedSince=at(0, modified))
    assert head(IfModifiedSince=at(86400))["ContentLength"] == 4
    assert head(IfUnmodifiedSince=at(0, modified))["ContentLength"] == 4
    assert head(IfMatch=ETAG)["ContentLength"] == 4


def test_precedence(s3, bucket, data):
    """RFC 9110 section 13.2.2, and AWS API GetObject: If-Match beats If-Unmodified-Since,
    If-None-Match beats If-Modified-Since."""
    modified = data["LastModified"]
    got = s3.get_object(
        Bucket=bucket, Key="k", IfMatch=ETAG, IfUnmodifiedSince=at(-10, modified)
    )
    assert status_of(got) == 200
    got = s3.get_object(
        Bucket=bucket, Key="k", IfNoneMatch=WRONG, IfModifiedSince=at(0, modified)
    )
    assert status_of(got) == 200
    with refused("304", 304):
        s3.get_object(
            Bucket=bucket, Key="k", IfNoneMatch=ETAG, IfModifiedSince=at(-10, modified)
        )
    with refused("PreconditionFailed", 412, Condition="If-Match"):
        s3.get_object(
            Bucket=bucket, Key="k", IfMatch=WRONG, IfUnmodifiedSince=at(0, modified)
        )
    with refused("PreconditionFailed", 412):
        s3.get_object(Bucket=bucket, Key="k", IfMatch=WRONG, IfNoneMatch=ETAG)
    with refused("304", 304):
        s3.get_object(Bucket=bucket, Key="k", IfMatch=ETAG, IfNoneMatch=ETAG)


@pytest.mark.parametrize("date", ["not a date", "0", "2020-01-01", ""])
def test_bad_dates_are_ignored(server, s3, bucket, data, date):
    """RFC 9110: a recipient ignores a date that is not valid."""
    for name in ("If-Modified-Since", "If-Unmodified-Since"):
        reply = http_request(server, "GET", f"/{bucket}/k", {name: date})
        assert reply.status == 200, (name, reply)


def test_obsolete_dates(server, bucket, data):
    """RFC 9110 section 5.6.7: a recipient accepts all three formats."""
    for text in (
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ):
        reply = http_request(server, "GET", f"/{bucket}/k", {"If-Unmodified-Since": text})
        is_error(reply, "PreconditionFailed", 412, Condition="If-Unmodified-Since")


def test_condition_on_missing_key(s3, bucket):
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="nope", IfMatch="*")


def test_not_modified_has_no_body(server, bucket, data):
    reply = http_request(server, "GET", f"/{bucket}/k", {"If-None-Match": ETAG})
    assert (reply.status, reply.body) == (304, b"")


def test_condition_before_range(s3, bucket, data):
    """RFC 9110: conditions come before Range."""
    with refused("304", 304):
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=ETAG, Range="bytes=0-1")
    with refused("PreconditionFailed", 412):
        s3.get_object(Bucket=bucket, Key="k", IfMatch=WRONG, Range="bytes=100-200")


# ---- PutObject ----------------------------------------------------------------------------------


def test_put_if_none_match(s3, bucket):
    """aws-recorded: test_put_object_if_none_match"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"", IfNoneMatch="*")
    with refused("PreconditionFailed", 412, FAILED, Condition="If-None-Match"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", IfNoneMatch="*")
    has(s3.head_object(Bucket=bucket, Key="k"), ContentLength=0)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"", IfNoneMatch="*")


def not_implemented(header):
    return refused(
        "NotImplemented",
        501,
        "A header you provided implies functionality that is not implemented",
        Header=header,
        additionalMessage=f"We don't accept the provided value of {header} header for this API",
    )


@pytest.fixture
def impatient(server):
    """501 is an answer, not a reason to try again."""
    from harness import client

    return client(server, config={"retries": {"max_attempts": 1, "mode": "standard"}})


def test_put_if_none_match_value(impatient, bucket):
    """aws-recorded: test_put_object_if_none_match_validation"""
    impatient.put_object(Bucket=bucket, Key="k", Body=b"")
    with not_implemented("If-None-Match"):
        impatient.put_object(Bucket=bucket, Key="k", Body=b"x", IfNoneMatch=ETAG)


def test_put_if_none_match_versioned(s3, versioned):
    """aws-recorded: test_put_object_if_none_match_versioned_bucket"""
    s3.put_object(Bucket=versioned, Key="k", Body=b"", IfNoneMatch="*")
    with refused("PreconditionFailed", 412, Condition="If-None-Match"):
        s3.put_object(Bucket=versioned, Key="k", Body=b"", IfNoneMatch="*")
    s3.delete_object(Bucket=versioned, Key="k")
    s3.put_object(Bucket=versioned, Key="k", Body=b"", IfNoneMatch="*")
    assert len(s3.list_object_versions(Bucket=versioned)["Versions"]) == 2


def test_put_if_match(s3, bucket):
    """aws-recorded: test_put_object_if_match"""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"test")["ETag"]
    with refused("PreconditionFailed", 412, FAILED, Condition="If-Match"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"", IfMatch=WRONG)
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"", IfMatch=etag)["ETag"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"", IfMatch=etag.strip('"'))
    s3.delete_object(Bucket=bucket, Key="k")
    with refused("NoSuchKey", 404, Key="k"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"", IfMatch=etag)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_put_if_match_values(impatient, bucket):
    """aws-recorded: test_put_object_if_match_validation"""
    with not_implemented("If-Match"):
        impatient.put_object(Bucket=bucket, Key="k", Body=b"", IfMatch="*")
    for value in ("abcdef", "2"):
        with refused("NoSuchKey", 404, Key="k"):
            impatient.put_object(Bucket=bucket, Key="k", Body=b"", IfMatch=value)


def test_put_if_match_versioned(s3, versioned):
    """aws-recorded: test_put_object_if_match_versioned_bucket"""
    put = {"Bucket": versioned, "Key": "k"}
    etag = s3.put_object(**put, Body=b"test")["ETag"]
    with refused("PreconditionFailed", 412, Condition="If-Match"):
        s3.put_object(**put, Body=b"x", IfMatch=WRONG)
    s3.delete_object(**put)
    with refused("NoSuchKey", 404, Key="k"):
        s3.put_object(**put, Body=b"x", IfMatch=etag)
    etag = s3.put_object(**put, Body=b"test-after-del")["ETag"]
    s3.put_object(**put, Body=b"test-if-match", IfMatch=etag)
    listed = s3.list_object_versions(Bucket=versioned)
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (3, 1)


def test_put_both(impatient, bucket):
    """aws-recorded: test_put_object_if_match_and_if_none_match_validation"""
    with refused(
        "NotImplemented",
        501,
        Header="If-Match,If-None-Match",
        additionalMessage="Multiple conditional request headers present in the request",
    ):
        impatient.put_object(Bucket=bucket, Key="k", Body=b"", IfMatch=ETAG, IfNoneMatch="*")


# ---- CompleteMultipartUpload --------------------------------------------------------------------


class Upload:
    def __init__(self, s3, bucket):
        self.s3, self.at = s3, {"Bucket": bucket, "Key": "k"}
        self.id = s3.create_multipart_upload(**self.at)["UploadId"]
        self.parts = upload_parts(s3, bucket, "k", self.id, [b"test"])

    def complete(self, **conditions):
        return self.s3.complete_multipart_upload(
            **self.at, UploadId=self.id, MultipartUpload={"Parts": self.parts}, **conditions
        )


def test_complete_if_none_match_with_delete(s3, bucket):
    """aws-recorded: test_multipart_if_none_match_with_delete"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    upload = Upload(s3, bucket)
    with refused("PreconditionFailed", 412, FAILED, Condition="If-None-Match"):
        upload.complete(IfNoneMatch="*")
    s3.delete_object(Bucket=bucket, Key="k")
    with refused(
        "ConditionalRequestConflict", 409, CONFLICT, Condition="If-None-Match", Key="k"
    ):
        upload.complete(IfNoneMatch="*")
    has(Upload(s3, bucket).complete(IfNoneMatch="*"), ETag='"60cd54a928cbbcbb6e7b5595bab46a9e-1"')


def test_complete_if_none_match_with_put(s3, bucket):
    """aws-recorded: test_multipart_if_none_match_with_put"""
    upload = Upload(s3, bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    with refused("PreconditionFailed", 412, FAILED, Condition="If-None-Match"):
        upload.complete(IfNoneMatch="*")
    has(s3.head_object(Bucket=bucket, Key="k"), ContentLength=0)


def test_complete_if_match(s3, bucket):
    """aws-recorded: test_multipart_if_match_etag: the ETag is the object's, -1 and all"""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"test")["ETag"]
    done = Upload(s3, bucket).complete(IfMatch=etag)
    with refused("PreconditionFailed", 412, Condition="If-Match"):
        Upload(s3, bucket).complete(IfMatch=etag)
    Upload(s3, bucket).complete(IfMatch=done["ETag"])


@pytest.mark.parametrize("body", [b"put-during", b"test"])
def test_complete_if_match_with_put(s3, bucket, body):
    """aws-recorded: test_multipart_if_match_with_put, test_multipart_if_match_with_put_identical"""
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"test")["ETag"]
    upload = Upload(s3, bucket)
    time.sleep(1.1)  # S3 compares at its own resolution; a second is the coarsest
    during = s3.put_object(Bucket=bucket, Key="k", Body=body)["ETag"]
    if during != first:
        with refused("PreconditionFailed", 412, Condition="If-Match"):
            upload.complete(IfMatch=first)
    with refused("ConditionalRequestConflict", 409, CONFLICT, Condition="If-Match", Key="k"):
        upload.complete(IfMatch=during)
    Upload(s3, bucket).complete(IfMatch=during)


def test_complete_if_match_with_delete(s3, bucket):
    """aws-recorded: test_multipart_if_match_with_delete"""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"test")["ETag"]
    upload = Upload(s3, bucket)
    s3.delete_object(Bucket=bucket, Key="k")
    with refused("NoSuchKey", 404, Key="k"):
        upload.complete(IfMatch=etag)
    time.sleep(1.1)
    s3.put_object(Bucket=bucket, Key="k", Body=b"test")
    with refused("ConditionalRequestConflict", 409, CONFLICT, Condition="If-Match", Key="k"):
        upload.complete(IfMatch=etag)


# ---- CopyObject, destination --------------------------------------------------------------------


def test_copy_if_none_match(s3, bucket):
    """aws-recorded: test_copy_object_if_none_match, test_copy_object_if_none_match_in_place"""
    s3.put_object(Bucket=bucket, Key="source", Body=b"test")
    copy = {"Bucket": bucket, "Key": "k", "CopySource": f"{bucket}/source"}
    s3.copy_object(**copy, IfNoneMatch="*")
    with refused("PreconditionFailed", 412, FAILED, Condition="If-None-Match"):
        s3.copy_object(**copy, IfNoneMatch="*")
    with refused("PreconditionFailed", 412, Condition="If-None-Match"):
        s3.copy_object(
            Bucket=bucket,
            Key="source",
            CopySource=f"{bucket}/source",
            MetadataDirective="REPLACE",
            IfNoneMatch="*",
        )
    s3.delete_object(Bucket=bucket, Key="k")
    s3.copy_object(**copy, IfNoneMatch="*")


def test_copy_if_match(s3, bucket):
    """aws-recorded: test_copy_object_if_match, test_copy_object_if_match_in_place"""
    s3.put_object(Bucket=bucket, Key="source", Body=b"test")
    copy = {"Bucket": bucket, "Key": "k", "CopySource": f"{bucket}/source"}
    with refused("NoSuchKey", 404):
        s3.copy_object(**copy, IfMatch=etag_of(b"old"))
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    with refused("PreconditionFailed", 412, FAILED, Condition="If-Match"):
        s3.copy_object(**copy, IfMatch=WRONG)
    s3.copy_object(**copy, IfMatch=etag_of(b"old"))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"test"
    s3.copy_object(
        Bucket=bucket,
        Key="source",
        CopySource=f"{bucket}/source",
        MetadataDirective="REPLACE",
        IfMatch=etag_of(b"test"),
    )


# ---- copy source --------------------------------------------------------------------------------


def source_conditions(call, modified):
    """aws-recorded: test_s3_copy_object_preconditions and TestS3Multipart::
    test_upload_part_copy_with_…: the same conditions for both operations."""
    with refused(
        "PreconditionFailed", 412, FAILED, Condition="x-amz-copy-source-If-Match"
    ):
        call(CopySourceIfMatch=WRONG)
    with refused(
        "PreconditionFailed", 412, FAILED, Condition="x-amz-copy-source-If-Unmodified-Since"
    ):
        call(CopySourceIfUnmodifiedSince=at(-10, modified))
    with refused(
        "PreconditionFailed", 412, FAILED, Condition="x-amz-copy-source-If-None-Match"
    ):
        call(CopySourceIfNoneMatch=ETAG)
    with refused("PreconditionFailed", 412, Condition="x-amz-copy-source-If-None-Match"):
        call(CopySourceIfNoneMatch=ETAG.strip('"'))
    with refused(
        "PreconditionFailed", 412, FAILED, Condition="x-amz-copy-source-If-Modified-Since"
    ):
        call(CopySourceIfModifiedSince=at(0, modified))
    with refused(
        "PreconditionFailed", 412, Condition="x-amz-copy-source-If-Unmodified-Since"
    ):
        call(CopySourceIfNoneMatch=WRONG, CopySourceIfUnmodifiedSince=at(-10, modified))
    call(CopySourceIfMatch=ETAG)
    call(CopySourceIfNoneMatch=WRONG)
    call(CopySourceIfModifiedSince=at(-10, modified))
    call(CopySourceIfModifiedSince=at(86400))  # a date in the future is ignored
    call(CopySourceIfUnmodifiedSince=at(10, modified))
    # AWS API CopyObject: with if-match true, if-unmodified-since is not looked at.
    call(CopySourceIfMatch=ETAG, CopySourceIfUnmodifiedSince=at(-10, modified))


def test_copy_source_conditions(s3, bucket, data):
    source_conditions(
        lambda **conditions: s3.copy_object(
            Bucket=bucket, Key="copy", CopySource=f"{bucket}/k", **conditions
        ),
        data["LastModified"],
    )


def test_part_copy_source_conditions(s3, bucket, data):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    source_conditions(
        lambda **conditions: s3.upload_part_copy(
            Bucket=bucket,
            Key="m",
            UploadId=upload,
            PartNumber=1,
            CopySource=f"{bucket}/k",
            **conditions,
        ),
        data["LastModified"],
    )


def test_copy_source_conditions_of_a_version(s3, versioned):
    """aws-recorded: test_s3_copy_object_if_source_modified_since_versioned,
    test_s3_copy_object_if_source_unmodified_since_versioned"""
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"data")["VersionId"]
    modified = s3.head_object(Bucket=versioned, Key="k")["LastModified"]
    source = {"Bucket": versioned, "Key": "k", "VersionId": version}
    copy = {"Bucket": versioned, "Key": "copy", "CopySource": source}
    done = s3.copy_object(**copy, CopySourceIfModifiedSince=at(-10, modified))
    has(done, CopySourceVersionId=version, VersionId=...)
    with refused("PreconditionFailed", 412, Condition="x-amz-copy-source-If-Modified-Since"):
        s3.copy_object(**copy, CopySourceIfModifiedSince=modified)
    has(s3.copy_object(**copy, CopySourceIfUnmodifiedSince=modified), CopySourceVersionId=version)
    with refused("PreconditionFailed", 412, Condition="x-amz-copy-source-If-Unmodified-Since"):
        s3.copy_object(**copy, CopySourceIfUnmodifiedSince=at(-10, modified))


# ---- delete -------------------------------------------------------------------------------------


def test_delete_if_match(s3, bucket):
    """aws-recorded: test_delete_object_if_match_non_express. AWS user guide, "How to perform
    conditional deletes": 412 on another ETag, 404 when there is nothing, * means "exists"."""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"data")["ETag"]
    with refused("PreconditionFailed", 412, FAILED, Condition="If-Match"):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=WRONG)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]
    assert status_of(s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)) == 204
    with refused("NoSuchKey", 404):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    assert status_of(s3.delete_object(Bucket=bucket, Key="k", IfMatch="*")) == 204
    with refused("NoSuchKey", 404):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch="*")


def test_delete_if_match_versioned(s3, versioned):
    etag = s3.put_object(Bucket=versioned, Key="k", Body=b"data")["ETag"]
    with refused("PreconditionFailed", 412):
        s3.delete_object(Bucket=versioned, Key="k", IfMatch=WRONG)
    has(s3.delete_object(Bucket=versioned, Key="k", IfMatch=etag), DeleteMarker=True)
    assert len(s3.list_object_versions(Bucket=versioned)["DeleteMarkers"]) == 1


def test_delete_objects_conditions(s3, bucket):
    """AWS API DeleteObjects: ETag, LastModifiedTime and Size of each ObjectIdentifier."""
    for key in ("etag", "size", "time", "wrong-etag", "wrong-size", "wrong-time"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"data")
    modified = s3.head_object(Bucket=bucket, Key="time")["LastModified"]
    reply = s3.delete_objects(
        Bucket=bucket,
        Delete={
            "Objects": [
                {"Key": "etag", "ETag": ETAG},
                {"Key": "size", "Size": 4},
                {"Key": "time", "LastModifiedTime": modified},
                {"Key": "wrong-etag", "ETag": WRONG},
                {"Key": "wrong-size", "Size": 5},
                {"Key": "wrong-time", "LastModifiedTime": at(-10, modified)},
                {"Key": "missing", "ETag": ETAG},
            ]
        },
    )
    assert sorted(d["Key"] for d in reply["Deleted"]) == ["etag", "size", "time"]
    errors = {e["Key"]: e["Code"] for e in reply["Errors"]}
    assert errors.pop("missing") in ("NoSuchKey", "PreconditionFailed")
    assert errors == dict.fromkeys(("wrong-etag", "wrong-size", "wrong-time"), "PreconditionFailed")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["wrong-etag", "wrong-size", "wrong-time"]
