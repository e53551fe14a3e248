# SPDX-License-Identifier: MIT
"""What a signature covers: whoever holds a signed request must not get anything else by it. Headers of our own that steer
a request (x-s3mem-branch) are held to Amazon's rule for x-amz-* headers (aws-recorded: HeadersNotSigned)."""

import json

import pytest

from admin import admin_refused
from conftest import ALICE, BOB, as_user
from harness import http_request, is_error, serving, unique
from sign import UNSIGNED, Signer, v2_headers, v2_query
from test_post_form import form, post, signed

pytestmark = pytest.mark.options

NOT_SIGNED = "There were headers present in the request which were not signed"
BRANCH = {"x-s3mem-branch": "other"}
FAR = 2_000_000_000  # seconds since 1970


@pytest.fixture(scope="module")
def branches(credentials_path):
    """A server whose branch "other" holds another object under the same name."""
    with serving("--credentials", credentials_path) as server:
        alice = as_user(server, ALICE)
        alice.create_bucket(Bucket="bkt")
        alice.put_object(Bucket="bkt", Key="k", Body=b"main's")
        body = json.dumps({"name": "other"}).encode()
        headers = signer(server).headers("POST", "/_s3mem/branches", body=body)
        assert http_request(server, "POST", "/_s3mem/branches", headers, body).status == 201
        alice.put_object(Bucket="bkt", Key="k", Body=b"main's own")
        yield server


def signer(server, user=ALICE):
    return Signer(user, f"127.0.0.1:{server.port}")


def test_branch_header_signed(branches):
    headers = signer(branches).headers("GET", "/bkt/k", headers=BRANCH)
    assert http_request(branches, "GET", "/bkt/k", headers).body == b"main's"
    target = signer(branches).presign("GET", "/bkt/k", headers=BRANCH)
    assert http_request(branches, "GET", target, BRANCH).body == b"main's"
    # Left out, or another: it is part of what was signed.
    is_error(http_request(branches, "GET", target), "SignatureDoesNotMatch", 403)
    is_error(http_request(branches, "GET", target, {"x-s3mem-branch": "main"}), "SignatureDoesNotMatch", 403)


@pytest.mark.parametrize("name", ["x-s3mem-branch", "X-S3MEM-Branch", "x-s3mem-anything"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_branch_header_not_signed(branches, method, name):
    body = b"x" if method == "PUT" else None
    target = signer(branches).presign(method, "/bkt/k")
    extra = {name: "other"}
    is_error(http_request(branches, method, target, extra, body), "AccessDenied", 403, NOT_SIGNED, HeadersNotSigned=name.lower())
    headers = signer(branches).headers(method, "/bkt/k", body=body or b"")
    is_error(http_request(branches, method, "/bkt/k", {**headers, **extra}, body), "AccessDenied", 403, NOT_SIGNED)
    assert http_request(branches, "GET", signer(branches).presign("GET", "/bkt/k")).body == b"main's own"


def test_branch_header_under_version_2(branches):
    """SigV2 signs x-amz-* only: the header is refused, whichever way the request is signed."""
    headers = v2_headers(ALICE, "GET", "/bkt/k")
    assert http_request(branches, "GET", "/bkt/k", headers).status == 200
    is_error(http_request(branches, "GET", "/bkt/k", {**headers, **BRANCH}), "AccessDenied", 403,
             "AWS Signature Version 2 does not cover the header x-s3mem-branch; sign the request with version 4")
    target = "/bkt/k?" + v2_query(ALICE, "GET", "/bkt/k", FAR)
    assert http_request(branches, "GET", target).status == 200
    is_error(http_request(branches, "GET", target, BRANCH), "AccessDenied", 403)


def test_branch_header_beside_a_form(branches):
    """A POST policy covers fields, no header."""
    conditions = [{"bucket": "bkt"}, {"key": "form"}]
    fields = signed(branches, conditions, key="form")
    is_error(post(branches, "bkt", fields, headers=BRANCH), "AccessDenied", 403,
             "The policy of a form does not cover the header x-s3mem-branch")
    assert post(branches, "bkt", fields).status == 204
    # A form without a policy that its sender signed by the headers.
    body = form([("key", "by-header")])
    kind = {"content-type": "multipart/form-data; boundary=BoUnDaRy", **BRANCH}
    kind["content-type"] = f"multipart/form-data; boundary={body[2:body.index(bytes([13]))].decode()}"
    headers = signer(branches).headers("POST", "/bkt", body=body, headers=kind)
    assert http_request(branches, "POST", "/bkt", headers, body).status == 204
    read = signer(branches).headers("GET", "/bkt/by-header", headers=BRANCH)
    assert http_request(branches, "GET", "/bkt/by-header", read).status == 200


def test_passphrase_of_an_export(branches):
    target = "/_s3mem/export?bucket=bkt"
    headers = signer(branches).headers("GET", target)
    reply = http_request(branches, "GET", target, {**headers, "x-s3mem-passphrase": "p"})
    admin_refused(reply, 403, "AccessDenied")
    assert reply.json["error"]["message"] == NOT_SIGNED


@pytest.mark.parametrize("change", ["?branch=main", "&branch=main"])
def test_query_of_an_endpoint(branches, change):
    """The query that steers an endpoint is signed: whose URL names a branch reads no other."""
    target = "/_s3mem/stats" if change[0] == "?" else "/_s3mem/stats?branch=other"
    headers = signer(branches).headers("GET", target)
    assert http_request(branches, "GET", target, headers).status == 200
    admin_refused(http_request(branches, "GET", target + change, headers), 403, "SignatureDoesNotMatch")
    presigned = signer(branches).presign("GET", target)
    admin_refused(http_request(branches, "GET", presigned + "&keys=true", {}), 403, "SignatureDoesNotMatch")


def test_later_sub_resources_of_version_2(branches):
    """A URL for PUT key must not become one for PUT key?retention: SigV2's list of sub-resources ends before them."""
    query = v2_query(ALICE, "PUT", "/bkt/k", FAR)
    for name in ("retention", "legal-hold", "encryption", "renameObject"):
        reply = http_request(branches, "PUT", f"/bkt/k?{name}&{query}", {}, b"x")
        is_error(reply, "AccessDenied", 403,
                 f"AWS Signature Version 2 does not cover the query parameter {name}; sign the URL with version 4")
    for name in ("tagging", "acl", "uploadId=x&partNumber=1"):
        is_error(http_request(branches, "PUT", f"/bkt/k?{name}&{query}", {}, b"x"), "SignatureDoesNotMatch", 403)
    listing = v2_query(ALICE, "GET", "/bkt/", FAR)
    assert http_request(branches, "GET", f"/bkt/?list-type=2&{listing}").status == 200


def test_parameters_are_no_headers_of_a_signed_request(branches):
    """Only a presigned URL's x-amz-* parameters count as headers. SigV2's header covers none of them: one who comes between
    could add metadata to a request that is signed by its header."""
    alice = as_user(branches, ALICE)
    key = unique("k")
    headers = v2_headers(ALICE, "PUT", f"/bkt/{key}")
    target = f"/bkt/{key}?X-Amz-Signature=1&x-amz-meta-stolen=yes"
    assert http_request(branches, "PUT", target, headers, b"x").status == 200
    assert alice.head_object(Bucket="bkt", Key=key)["Metadata"] == {}


def test_presigned_headers_cannot_be_added(branches):
    """Every x-amz-* header; those that a signature need not cover change nothing of what is stored."""
    target = signer(branches).presign("PUT", "/bkt/new", payload=UNSIGNED)
    for name in ("x-amz-acl", "x-amz-meta-a", "x-amz-copy-source", "x-amz-tagging", "x-amz-storage-class",
                 "x-amz-website-redirect-location", "x-amz-server-side-encryption", "x-amz-object-lock-mode",
                 "x-amz-expected-bucket-owner", "x-amz-date", "x-amz-security-token", "x-amz-user-agent"):
        is_error(http_request(branches, "PUT", target, {name: "x"}, b"x"), "AccessDenied", 403, NOT_SIGNED, HeadersNotSigned=name)
    assert http_request(branches, "GET", signer(branches).presign("GET", "/bkt/new")).status == 404


def test_bob_is_not_alice(branches):
    """A header that Bob signs does not open Alice's bucket in another branch."""
    headers = signer(branches, BOB).headers("GET", "/bkt/k", headers=BRANCH)
    is_error(http_request(branches, "GET", "/bkt/k", headers), "AccessDenied", 403)


def test_host_of_an_absolute_target(branches):
    """The bucket is that of the target's host (RFC 9112, 3.2.2), so that is the host a signature must cover: a signature for
    one bucket's host is none for another's."""
    alice = as_user(branches, ALICE)
    names = [unique("abs"), unique("abs")]
    for name in names:
        alice.create_bucket(Bucket=name)
        alice.put_object(Bucket=name, Key="k", Body=name.encode())
    hosts = [f"{name}.localhost:{branches.port}" for name in names]
    for n, host in enumerate(hosts):
        signed_for = Signer(ALICE, host)
        headers = signed_for.headers("GET", "/k")
        assert http_request(branches, "GET", "/k", headers).text == names[n]
        # The same host once more in the target; then another one in the target, in Host, in both.
        assert http_request(branches, "GET", f"http://{host}/k", headers).text == names[n]
        other = hosts[1 - n]
        is_error(http_request(branches, "GET", f"http://{other}/k", headers), "SignatureDoesNotMatch", 403)
        assert http_request(branches, "GET", f"http://{host}/k", {**headers, "host": other}).text == names[n]
        is_error(http_request(branches, "GET", "/k", {**headers, "host": other}), "SignatureDoesNotMatch", 403)
        forwarded = {**headers, "x-forwarded-host": host}
        is_error(http_request(branches, "GET", f"http://{other}/k", forwarded), "SignatureDoesNotMatch", 403)
        presigned = signed_for.presign("GET", "/k")
        assert http_request(branches, "GET", f"http://{host}{presigned}", {"host": other}).text == names[n]
        is_error(http_request(branches, "GET", f"http://{other}{presigned}", {"host": host}), "SignatureDoesNotMatch", 403)
        query = v2_query(ALICE, "GET", f"/{names[n]}/k", FAR)
        assert http_request(branches, "GET", f"http://{host}/k?{query}", {"host": other}).text == names[n]
        is_error(http_request(branches, "GET", f"http://{other}/k?{query}", {"host": host}), "SignatureDoesNotMatch", 403)
