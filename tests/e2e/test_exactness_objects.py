# SPDX-License-Identifier: MIT
"""What Amazon answers to requests on objects beside the usual ones: presigned conditions, copy sources,
conditions of deletes. Each test names where the answer was recorded or measured."""

import urllib.parse

import pytest

from conftest import ALICE
from harness import etag_of, has, http_request, is_error, keys_of, refused
from sign import Signer

NOT_IMPLEMENTED = "A header you provided implies functionality that is not implemented"


# ---- conditions in the query of a presigned URL -------------------------------------------------


def put_presigned(server, path, condition, body):
    signer = Signer(ALICE, urllib.parse.urlsplit(server.url).netloc)
    return http_request(server, "PUT", signer.presign("PUT", f"{path}?{condition}"), body=body)


@pytest.mark.parametrize("name", ["If-None-Match", "if-none-match"])
def test_presigned_if_none_match(auth_server, alice, alices_bucket, name):
    """LocalStack pull request 12624, test_pre_signed_url_if_none_match (validated against Amazon)"""
    path = f"/{alices_bucket}/temp.txt"
    assert put_presigned(auth_server, path, f"{name}=%2A", b"first").status == 200
    is_error(put_presigned(auth_server, path, f"{name}=%2A", b"second"), "PreconditionFailed", 412,
             Condition="If-None-Match")
    is_error(put_presigned(auth_server, path, f"{name}=%22x%22", b"second"), "NotImplemented", 501,
             Header="If-None-Match")
    assert alice.get_object(Bucket=alices_bucket, Key="temp.txt")["Body"].read() == b"first"


def test_presigned_if_match(auth_server, alice, alices_bucket):
    """LocalStack pull request 12624, test_pre_signed_url_if_match"""
    path = f"/{alices_bucket}/temp.txt"
    etag = urllib.parse.quote(etag_of(b"first"))
    is_error(put_presigned(auth_server, path, f"If-Match={etag}", b"first"), "NoSuchKey", 404)
    alice.put_object(Bucket=alices_bucket, Key="temp.txt", Body=b"first")
    assert put_presigned(auth_server, path, f"If-Match={etag}", b"second").status == 200
    is_error(put_presigned(auth_server, path, f"If-Match={etag}", b"third"), "PreconditionFailed",
             412, Condition="If-Match")
    assert alice.get_object(Bucket=alices_bucket, Key="temp.txt")["Body"].read() == b"second"


def test_conditions_of_other_presigned_requests(auth_server, alice, alices_bucket):
    """The query is read alike for every operation; Content-MD5 is not (aws-sdk-js issue 151)."""
    signer = Signer(ALICE, urllib.parse.urlsplit(auth_server.url).netloc)
    path = f"/{alices_bucket}/k"

    def ask(method, query):
        return http_request(auth_server, method, signer.presign(method, f"{path}?{query}"),
                            body=b"data" if method == "PUT" else None)

    assert ask("PUT", "Content-MD5=AAAAAAAAAAAAAAAAAAAAAA%3D%3D").status == 200
    etag = urllib.parse.quote(etag_of(b"data"))
    assert ask("GET", f"If-None-Match={etag}").status == 304
    assert ask("GET", "If-Match=other").status == 412
    assert ask("DELETE", "If-Match=other").status == 412
    assert ask("DELETE", f"If-Match={etag}").status == 204
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


def test_unsigned_query_conditions_are_no_headers(server, bucket):
    """Without a signature in the query a condition there is a parameter that nobody knows."""
    for _ in range(2):
        assert http_request(server, "PUT", f"/{bucket}/k?If-None-Match=%2A", body=b"x").status == 200


# ---- copies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["http://{host}/{bucket}/s%C3%BCd", "https://s3.amazonaws.com/{bucket}/süd",
                                  "http%3A//{host}/{bucket}/s%C3%BCd"])
def test_a_copy_source_with_its_host(server, s3, bucket, form):
    """LocalStack's test_response_structure, which runs against Amazon, names the source so."""
    s3.put_object(Bucket=bucket, Key="süd", Body=b"data")
    host = urllib.parse.urlsplit(server.url).netloc
    source = {"x-amz-copy-source": form.format(host=host, bucket=bucket).encode()}
    reply = http_request(server, "PUT", f"/{bucket}/copy", source)
    assert reply.status == 200, reply
    assert reply.xml.findtext("ETag") == etag_of(b"data")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="mp")["UploadId"]
    reply = http_request(server, "PUT", f"/{bucket}/mp?partNumber=1&uploadId={upload}", source)
    assert reply.xml.findtext("ETag") == etag_of(b"data")


def test_a_version_named_with_its_host(server, s3, versioned):
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"old")["VersionId"]
    s3.put_object(Bucket=versioned, Key="k", Body=b"new")
    source = {"x-amz-copy-source": f"{server.url}/{versioned}/k?versionId={version}"}
    assert http_request(server, "PUT", f"/{versioned}/copy", source).status == 200
    assert s3.get_object(Bucket=versioned, Key="copy")["Body"].read() == b"old"


@pytest.mark.parametrize("source", ["http://", "http://host", "http://host/", "https://host/bucket",
                                    "http://host/bucket/"])
def test_hosts_without_an_object(server, bucket, source):
    reply = http_request(server, "PUT", f"/{bucket}/copy", {"x-amz-copy-source": source})
    is_error(reply, "InvalidArgument", 400, "Invalid copy source object key",
             ArgumentName="x-amz-copy-source")


def test_metadata_that_is_not_taken(server, s3, bucket):
    """MetadataTooLarge judges what was sent, COPY or not. Source: AWS API CopyObject says that the
    limit is of the request; no recording."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"data", Metadata={"own": "1"})
    for directive in ({}, {"MetadataDirective": "COPY"}, {"MetadataDirective": "REPLACE"}):
        for size, fits in ((2045, True), (2046, False)):
            copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/k",
                    "Metadata": {"big": "x" * size}, **directive}
            if fits:
                s3.copy_object(**copy)
            else:
                with refused("MetadataTooLarge", 400, Size="2049", MaxSizeAllowed="2048"):
                    s3.copy_object(**copy)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k", Metadata={"other": "2"})
    assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"own": "1"}


def test_encrypted_onto_itself(s3, bucket):
    """aws-recorded: test_s3_copy_object_in_place_with_encryption"""
    itself = {"Bucket": bucket, "Key": "k", "CopySource": f"{bucket}/k"}
    illegal = "This copy request is illegal because it is trying to copy an object to itself"
    s3.put_object(Bucket=bucket, Key="k", Body=b"test", ServerSideEncryption="aws:kms", BucketKeyEnabled=True)
    copy = s3.copy_object(**itself, ServerSideEncryption="aws:kms")
    assert copy["CopyObjectResult"]["ETag"] != etag_of(b"test")
    copy = s3.copy_object(**itself)
    has(copy, ServerSideEncryption="AES256", SSEKMSKeyId=None)
    has(copy["CopyObjectResult"], ETag='"098f6bcd4621d373cade4e832627b4f6"', ChecksumCRC32="2H9+DA==")
    has(s3.head_object(Bucket=bucket, Key="k"), ServerSideEncryption="AES256", ETag=etag_of(b"test"))
    s3.copy_object(**itself, ServerSideEncryption="AES256")
    with refused("InvalidRequest", 400) as caught:
        s3.copy_object(**itself)
    assert caught.value.response["Error"]["Message"].startswith(illegal)


# ---- conditions of deletes ----------------------------------------------------------------------


def test_delete_conditions_of_directory_buckets(server, s3, bucket):
    """aws-recorded: TestS3DeletePrecondition. The time is named first, whatever else there is, and
    what the values are does not matter."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    size, time = "x-amz-if-match-size", "x-amz-if-match-last-modified-time"
    for headers, named in (({size: "4"}, size), ({time: "Tue, 01 Jan 2030 00:00:00 GMT"}, time),
                           ({"If-Match": etag_of(b"data"), size: "4", time: "x"}, time),
                           ({size: "-1"}, size)):
        for target in (f"/{bucket}/k", f"/{bucket}/none", f"/{bucket}/k?versionId=null"):
            is_error(http_request(server, "DELETE", target, headers), "NotImplemented", 501,
                     NOT_IMPLEMENTED, Header=named)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"


def test_abort_condition_of_directory_buckets(server, s3, bucket):
    """AWS API AbortMultipartUpload: "This functionality is only supported for directory buckets"; the
    answer is that of DeleteObject's conditions, which Amazon recorded."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    header = {"x-amz-if-match-initiated-time": "Tue, 01 Jan 2030 00:00:00 GMT"}
    for target in (f"/{bucket}/k?uploadId={upload}", f"/{bucket}/k?uploadId=none"):
        is_error(http_request(server, "DELETE", target, header), "NotImplemented", 501, NOT_IMPLEMENTED,
                 Header="x-amz-if-match-initiated-time")
    assert len(s3.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1


def test_conditional_deletes_of_what_is_not_there(s3, bucket, versioned):
    """LocalStack issue 13894 (us-east-1) and ministack issue 1475 (eu-west-1), both measured: 404 for any
    If-Match on a key without a current object, "*" and delete markers too, where AWS's guide says 412."""
    etag = s3.put_object(Bucket=versioned, Key="k", Body=b"data")["ETag"]
    s3.delete_object(Bucket=versioned, Key="k")
    for at in ({"Bucket": bucket, "Key": "k"}, {"Bucket": versioned, "Key": "k"},
               {"Bucket": versioned, "Key": "never"}):
        for condition in ("*", etag, '"other"'):
            with refused("NoSuchKey", 404, Key=at["Key"]):
                s3.delete_object(**at, IfMatch=condition)
    listed = s3.list_object_versions(Bucket=versioned)
    assert len(listed["DeleteMarkers"]) == 1 and len(listed["Versions"]) == 1
