# SPDX-License-Identifier: MIT
"""Faults found by reading the finished server as an adversary would. Each of these was wrong once.
"""

import pytest
from conftest import ALICE, BOB, as_user
from harness import http_request, is_error, refused, serving, unique


def form(boundary="BOUNDARY", **fields):
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        f"data\r\n--{boundary}--\r\n"
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return headers, "".join(parts).encode()


@pytest.fixture(scope="module")
def auto_auth_server(credentials_path):
    with serving("--auto-bucket", "--credentials", credentials_path) as server:
        yield server


# ---- --auto-bucket with credentials --------------------------------------------------------------


def test_auto_bucket_belongs_to_its_first_user(auto_auth_server):
    """A bucket made on first use was the first credential's: its user was then refused."""
    alice, bob = as_user(auto_auth_server, ALICE), as_user(auto_auth_server, BOB)
    name = unique()
    bob.put_object(Bucket=name, Key="k", Body=b"bob's")
    assert name in [b["Name"] for b in bob.list_buckets()["Buckets"]]
    with refused("AccessDenied", 403):
        alice.get_object(Bucket=name, Key="k")


def test_anonymous_makes_no_bucket(auto_auth_server):
    """A form without a signature made the bucket before it was refused."""
    alice = as_user(auto_auth_server, ALICE)
    name = unique()
    headers, body = form(key="k")
    reply = http_request(auto_auth_server, "POST", f"/{name}", headers, body)
    is_error(reply, "AccessDenied", 403)
    reply = http_request(auto_auth_server, "GET", f"/{name}")
    is_error(reply, "AccessDenied", 403)
    assert name not in [b["Name"] for b in alice.list_buckets()["Buckets"]]


def test_signed_form_makes_its_bucket(auto_auth_server):
    """A form's signer is known by its fields only: the bucket is made then, and is theirs."""
    bob = as_user(auto_auth_server, BOB)
    name = unique()
    headers, body = form(**bob.generate_presigned_post(name, "k")["fields"])
    reply = http_request(auto_auth_server, "POST", f"/{name}", headers, body)
    assert reply.status == 204, reply
    assert bob.get_object(Bucket=name, Key="k")["Body"].read() == b"data"


# ---- anonymous callers ---------------------------------------------------------------------------


def test_anonymous_hears_of_missing_buckets(auth_server, anonymous, alices_bucket):
    """S3 looks for the bucket before it asks who may use it."""
    with refused("NoSuchBucket", 404):
        anonymous.get_object(Bucket=unique(), Key="k")
    with refused("404", 404):
        anonymous.head_bucket(Bucket=unique())
    with refused("403", 403):
        anonymous.head_bucket(Bucket=alices_bucket)
    headers, body = form(key="k")
    reply = http_request(auth_server, "POST", f"/{unique()}", headers, body)
    is_error(reply, "NoSuchBucket", 404)


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", ["AWS4-HMAC-SHA256 bogus", "AWS bogus"])
def test_forgiven_signature_leaves_no_trace(server, bucket, authorization):
    """Without credentials a malformed signature is accepted; its complaint stood in the Message of
    the request's later error."""
    reply = http_request(server, "GET", f"/{bucket}/none", {"Authorization": authorization})
    is_error(reply, "NoSuchKey", 404, "The specified key does not exist.", Key="none")
    assert "ArgumentName" not in reply.error, reply


def test_complete_after_put_and_delete(s3, bucket):
    """A key that came and went since the upload began: the conflict was called OperationAborted.
    Source: aws-recorded test_multipart_if_none_match_with_delete"""
    at = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**at)["UploadId"]
    etag = s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    s3.put_object(**at, Body=b"")
    s3.delete_object(**at)
    with refused("ConditionalRequestConflict", 409, Condition="If-None-Match", Key="k"):
        s3.complete_multipart_upload(
            **at,
            UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]},
            IfNoneMatch="*",
        )


def test_delete_objects_bypass(s3, bucket):
    """aws-recorded: test_delete_object_with_no_locking (delete-objects-bypass-no-lock)"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    with refused(
        "InvalidArgument",
        400,
        "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.",
        ArgumentName="x-amz-bypass-governance-retention",
    ):
        s3.delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": "k"}]}, BypassGovernanceRetention=True
        )
    s3.head_object(Bucket=bucket, Key="k")


# ---- addressing ----------------------------------------------------------------------------------


def test_host_names_have_no_case(server, bucket):
    reply = http_request(server, "GET", "/none", {"Host": f"{bucket.upper()}.LocalHost"})
    is_error(reply, "NoSuchKey", 404, Key="none")


def test_acl_that_is_none(server, bucket):
    """aws-recorded: test_s3_object_acl_exceptions; a canned ACL that exists is refused otherwise."""
    for value, code in (("fake-acl", "InvalidArgument"), ("public-read", "AccessControlListNotSupported")):
        reply = http_request(server, "PUT", f"/{bucket}/k", {"x-amz-acl": value}, b"x")
        is_error(reply, code, 400)
