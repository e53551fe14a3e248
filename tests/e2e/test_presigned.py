# SPDX-License-Identifier: MIT
"""Presigned URLs, SigV4 and SigV2, verified and on the open server."""

import re
import time
import urllib.parse

import pytest
import requests

from conftest import ALICE, as_user
from harness import PATIENCE, client, has, http_request, is_error, keys_of
from sign import Signer, amz_date, v2_query

pytestmark = pytest.mark.options

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "key and signing method."
)


def target_of(url):
    parts = urllib.parse.urlsplit(url)
    return f"{parts.path}?{parts.query}"


@pytest.fixture(params=["s3v4", "s3"])
def presigner(request, auth_server):
    return as_user(auth_server, ALICE, config={"signature_version": request.param})


@pytest.fixture
def stored(alice, alices_bucket):
    alice.put_object(Bucket=alices_bucket, Key="my key", Body=b"something")
    return {"Bucket": alices_bucket, "Key": "my key"}


def test_get(presigner, stored):
    url = presigner.generate_presigned_url("get_object", Params=stored)
    reply = requests.get(url, timeout=PATIENCE)
    assert (reply.status_code, reply.content) == (200, b"something")
    assert requests.get(url, headers={"Range": "bytes=0-1"}, timeout=PATIENCE).content == b"so"
    url = presigner.generate_presigned_url("head_object", Params=stored)
    assert requests.head(url, timeout=PATIENCE).status_code == 200


def test_put(presigner, alice, stored):
    """aws-recorded: TestS3PresignedUrl::test_put_object"""
    at = {**stored, "Key": "up/load"}
    url = presigner.generate_presigned_url("put_object", Params=at)
    reply = requests.put(url, data=b"something", timeout=PATIENCE)
    assert reply.status_code == 200, reply.text
    got = alice.get_object(**at)
    assert got["Body"].read() == b"something"
    has(got, ChecksumCRC64NVME="1BGd19PD4OU=")


def test_other_operations(presigner, alice, stored):
    bucket = {"Bucket": stored["Bucket"]}
    for name, params in (
        ("list_objects_v2", bucket),
        ("list_object_versions", bucket),
        ("get_bucket_versioning", bucket),
        ("get_object_tagging", stored),
        ("list_multipart_uploads", bucket),
        ("get_bucket_location", bucket),
    ):
        url = presigner.generate_presigned_url(name, Params=dict(params))
        assert requests.get(url, timeout=PATIENCE).status_code == 200, name
    url = presigner.generate_presigned_url("delete_object", Params=stored)
    assert requests.delete(url, timeout=PATIENCE).status_code == 204
    assert keys_of(alice.list_objects_v2(**bucket)) == []


def test_part_upload(presigner, alice, stored):
    at = {**stored, "Key": "parts"}
    upload = alice.create_multipart_upload(**at)["UploadId"]
    url = presigner.generate_presigned_url(
        "upload_part", Params={**at, "UploadId": upload, "PartNumber": 1}
    )
    reply = requests.put(url, data=b"part", timeout=PATIENCE)
    assert reply.status_code == 200, reply.text
    alice.complete_multipart_upload(
        **at,
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": reply.headers["ETag"]}]},
    )


def test_response_overrides(presigner, stored):
    url = presigner.generate_presigned_url(
        "get_object",
        Params={
            **stored,
            "ResponseContentType": "text/plain",
            "ResponseContentDisposition": 'attachment; filename="a b.txt"',
        },
    )
    reply = requests.get(url, timeout=PATIENCE)
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "text/plain"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="a b.txt"'


def test_wrong_method_or_key(auth_server, presigner, stored):
    """aws-recorded: test_presigned_url_signature_authentication"""
    target = target_of(presigner.generate_presigned_url("get_object", Params=stored))
    fields = {"AWSAccessKeyId": ALICE["accessKey"], "SignatureProvided": ..., "StringToSign": ...}
    fields["StringToSignBytes"] = ...
    if "X-Amz-Algorithm" in target:
        fields["CanonicalRequest"] = fields["CanonicalRequestBytes"] = ...
    is_error(
        http_request(auth_server, "PUT", target, body=b"x"),
        "SignatureDoesNotMatch",
        403,
        MISMATCH,
        **fields,
    )
    is_error(
        http_request(auth_server, "GET", target.replace("my%20key", "other")),
        "SignatureDoesNotMatch",
        403,
        **fields,
    )


@pytest.fixture
def pass_minutes(auth_server):
    """Moves the server's clock: how long a test takes to get somewhere says nothing then."""
    signer = Signer(ALICE, f"127.0.0.1:{auth_server.port}")

    def move(body, method="PUT"):
        headers = signer.headers(method, "/_s3mem/clock", body)
        reply = http_request(auth_server, method, "/_s3mem/clock", headers=headers, body=body)
        assert reply.status == 200, reply

    yield lambda minutes: move(b'{"advance": "%dm"}' % minutes)
    move(b"", "DELETE")


def test_expired(auth_server, presigner, stored, pass_minutes):
    """aws-recorded: test_s3_presigned_url_expired"""
    target = target_of(
        presigner.generate_presigned_url("get_object", Params=stored, ExpiresIn=300)
    )
    assert http_request(auth_server, "GET", target).status == 200
    pass_minutes(6)
    reply = http_request(auth_server, "GET", target)
    is_error(reply, "AccessDenied", 403, "Request has expired", Expires=..., ServerTime=...)
    for name in ("Expires", "ServerTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", reply.error[name])
    assert reply.error.get("X-Amz-Expires") == ("300" if "X-Amz-Expires" in target else None)


def test_expired_on_open_server(server, s3, bucket):
    """Without credentials the signature is not looked at, the expiry is."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    past, target = Signer(ALICE, "x", offset_s=-3600), f"/{bucket}/k"
    for expired in (
        past.presign("GET", target, expires=60),
        f"{target}?{v2_query(ALICE, 'GET', target, int(time.time()) - 60)}",
    ):
        is_error(http_request(server, "GET", expired), "AccessDenied", 403, "Request has expired")
    for version in ("s3v4", "s3"):
        signer = client(server, config={"signature_version": version})
        url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
        assert requests.get(url, timeout=PATIENCE).content == b"x"


# ---- SigV4's parameters -------------------------------------------------------------------------


@pytest.fixture
def signer(auth_server):
    return Signer(ALICE, f"127.0.0.1:{auth_server.port}")


@pytest.fixture
def target(stored):
    return f"/{stored['Bucket']}/my%20key"


@pytest.mark.parametrize("missing", ["X-Amz-Signature", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Credential"])
def test_missing_parameter(auth_server, signer, target, missing):
    """aws-recorded: test_s3_put_presigned_url_missing_sig_param[s3v4]"""
    signed = signer.presign("GET", target)
    query = signed.split("?", 1)[1].split("&")
    spoiled = target + "?" + "&".join(p for p in query if not p.startswith(missing + "="))
    is_error(
        http_request(auth_server, "GET", spoiled),
        "AuthorizationQueryParametersError",
        400,
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
        "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    )


@pytest.mark.parametrize(
    "expires,message",
    [
        ("604801", "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"),
        ("-1", "X-Amz-Expires must be non-negative"),
        ("abc", "X-Amz-Expires should be a number"),
        ("1.5", "X-Amz-Expires should be a number"),
        ("", "X-Amz-Expires should be a number"),
    ],
)
def test_bad_expires(auth_server, signer, target, expires, message):
    """AWS: 1 second to 604800 (seven days); messages as S3's documented errors give them."""
    reply = http_request(auth_server, "GET", signer.presign("GET", target, expires=expires))
    assert (reply.status, reply.code) == (400, "AuthorizationQueryParametersError"), reply
    if expires:
        assert reply.error["Message"] == message


def test_longest_expiry(auth_server, signer, target):
    assert http_request(auth_server, "GET", signer.presign("GET", target, expires=604800)).status == 200


@pytest.mark.parametrize(
    "credential",
    [
        "AKIA",
        "AKIA/20260101/us-east-1/s3",
        "AKIA%2F20260101%2Fus-east-1%2Fs3%2Faws4_request",
    ],
)
def test_malformed_credential(auth_server, signer, target, credential):
    """aws-recorded: test_presigned_double_encoded_credentials"""
    reply = http_request(
        auth_server, "GET", signer.presign("GET", target, X_Amz_Credential=credential)
    )
    is_error(
        reply,
        "AuthorizationQueryParametersError",
        400,
        'Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting '
        '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    )


def test_bad_algorithm_and_date(auth_server, signer, target):
    for change in (
        {"X_Amz_Algorithm": "AWS4-HMAC-SHA1"},
        {"X_Amz_Date": "2026-01-01"},
        {"X_Amz_Date": ""},
    ):
        reply = http_request(auth_server, "GET", signer.presign("GET", target, **change))
        is_error(reply, "AuthorizationQueryParametersError", 400)


def test_from_the_future(auth_server, stored, target):
    """AWS: a presigned URL is not valid yet when its date lies more than 15 minutes ahead."""
    early = Signer(ALICE, f"127.0.0.1:{auth_server.port}", date=amz_date(3600))
    reply = http_request(auth_server, "GET", early.presign("GET", target))
    assert reply.status == 403 and reply.code in ("AccessDenied", "RequestTimeTooSkewed"), reply


def test_wrong_region(auth_server, target):
    mars = Signer(ALICE, f"127.0.0.1:{auth_server.port}", region="mars-1")
    is_error(
        http_request(auth_server, "GET", mars.presign("GET", target)),
        "AuthorizationQueryParametersError",
        400,
        "Error parsing the X-Amz-Credential parameter; the region 'mars-1' is wrong; expecting "
        "'us-east-1'",
        Region="us-east-1",
    )


def test_unknown_key(auth_server, target):
    nobody = Signer(
        {"accessKey": "AKIANOBODY", "secretKey": "x"}, f"127.0.0.1:{auth_server.port}"
    )
    is_error(
        http_request(auth_server, "GET", nobody.presign("GET", target)),
        "InvalidAccessKeyId",
        403,
        AWSAccessKeyId="AKIANOBODY",
    )


@pytest.fixture
def alice_v4(auth_server):
    """boto3 presigns with SigV2 by default."""
    return as_user(auth_server, ALICE, config={"signature_version": "s3v4"})


def test_signed_headers_must_come(auth_server, alice_v4, alice, stored):
    """aws-recorded: test_s3_put_presigned_url_with_different_headers[s3v4]"""
    at = {**stored, "Key": "typed"}
    url = alice_v4.generate_presigned_url("put_object", Params={**at, "ContentType": "text/plain"})
    target = target_of(url)
    right = {"Content-Type": "text/plain"}
    assert http_request(auth_server, "PUT", target, right, b"x").status == 200
    for wrong in ({"Content-Type": "application/json"}, {}):
        reply = http_request(auth_server, "PUT", target, wrong, b"x")
        is_error(reply, "SignatureDoesNotMatch", 403, MISMATCH, CanonicalRequest=...)
    has(alice.head_object(**at), ContentType="text/plain")


def test_unsigned_headers(auth_server, alice_v4, alice, stored):
    """aws-recorded: test_put_url_metadata_with_sig_s3v4: an x-amz-* header that is not signed"""
    at = {**stored, "Key": "meta"}
    url = alice_v4.generate_presigned_url("put_object", Params={**at, "Metadata": {"foo": "bar"}})
    target = target_of(url)
    is_error(http_request(auth_server, "PUT", target, {}, b"x"), "SignatureDoesNotMatch", 403)
    good = {"x-amz-meta-foo": "bar"}
    assert http_request(auth_server, "PUT", target, good, b"x").status == 200
    has(alice.head_object(**at), Metadata={"foo": "bar"})
    reply = http_request(auth_server, "PUT", target, {**good, "x-amz-meta-wrong": "w"}, b"x")
    is_error(
        reply,
        "AccessDenied",
        403,
        "There were headers present in the request which were not signed",
        HeadersNotSigned=...,
    )
    assert "x-amz-meta-wrong" in reply.error["HeadersNotSigned"]


def test_amz_parameters_in_query(auth_server, alice, stored, signer):
    """aws-recorded: test_presigned_url_v4_x_amz_in_qs: signed x-amz-* query parameters count as
    headers."""
    target = f"/{stored['Bucket']}/qs?x-amz-meta-foo=bar&x-amz-storage-class=STANDARD_IA"
    reply = http_request(auth_server, "PUT", signer.presign("PUT", target), body=b"123456")
    assert reply.status == 200, reply
    head = alice.head_object(Bucket=stored["Bucket"], Key="qs", ChecksumMode="ENABLED")
    has(head, Metadata={"foo": "bar"}, StorageClass="STANDARD_IA", ChecksumCRC64NVME="CVmbZh4IWzA=")


def test_checksum_parameters_in_query(auth_server, alice, stored):
    """SDKs that presign a PUT put x-amz-sdk-checksum-algorithm, x-amz-checksum-crc32 of an empty
    body and x-id into the query; whoever uploads cannot know. S3 accepts the upload."""
    signer = Signer(ALICE, f"127.0.0.1:{auth_server.port}")
    target = (
        f"/{stored['Bucket']}/js?x-amz-checksum-crc32=AAAAAA%3D%3D"
        "&x-amz-sdk-checksum-algorithm=CRC32&x-id=PutObject"
    )
    reply = http_request(auth_server, "PUT", signer.presign("PUT", target), body=b"data")
    assert reply.status == 200, reply
    assert alice.get_object(Bucket=stored["Bucket"], Key="js")["Body"].read() == b"data"


def test_session_token(auth_server, carol):
    from harness import unique

    name = unique("carol")
    carol.create_bucket(Bucket=name)
    carol.put_object(Bucket=name, Key="k", Body=b"x")
    url = carol.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "k"})
    assert "X-Amz-Security-Token" in url or "x-amz-security-token" in url
    assert requests.get(url, timeout=PATIENCE).content == b"x"
    spoiled = url.replace("carols-token", "another")
    assert requests.get(spoiled, timeout=PATIENCE).status_code in (400, 403)


# ---- SigV2's parameters -------------------------------------------------------------------------


def test_v2_by_hand(auth_server, stored, target):
    query = v2_query(ALICE, "GET", target, int(time.time()) + 3600)
    assert http_request(auth_server, "GET", f"{target}?{query}").body == b"something"
    query = v2_query(ALICE, "GET", target, int(time.time()) - 60)
    reply = http_request(auth_server, "GET", f"{target}?{query}")
    is_error(reply, "AccessDenied", 403, "Request has expired", Expires=..., ServerTime=...)
    wrong = v2_query({**ALICE, "secretKey": "wrong"}, "GET", target, int(time.time()) + 3600)
    is_error(
        http_request(auth_server, "GET", f"{target}?{wrong}"),
        "SignatureDoesNotMatch",
        403,
        StringToSign=...,
        StringToSignBytes=...,
    )


@pytest.mark.parametrize("missing", ["Signature", "Expires", "AWSAccessKeyId"])
def test_v2_missing_parameter(auth_server, target, missing):
    """aws-recorded: test_s3_put_presigned_url_missing_sig_param[s3]"""
    query = v2_query(ALICE, "GET", target, int(time.time()) + 3600)
    rest = "&".join(p for p in query.split("&") if not p.startswith(missing + "="))
    is_error(
        http_request(auth_server, "GET", f"{target}?{rest}"),
        "AccessDenied",
        403,
        "Query-string authentication requires the Signature, Expires and AWSAccessKeyId "
        "parameters",
    )


def test_v2_bad_expires(auth_server, target):
    query = v2_query(ALICE, "GET", target, "soon")
    reply = http_request(auth_server, "GET", f"{target}?{query}")
    assert reply.status in (400, 403) and reply.code == "AccessDenied", reply


def test_v2_headers_in_query(auth_server, alice, stored):
    """aws-recorded: test_put_url_metadata_with_sig_s3: under SigV2 botocore puts x-amz-* into the
    query, and another header breaks the signature."""
    old = as_user(auth_server, ALICE, config={"signature_version": "s3"})
    at = {**stored, "Key": "v2meta"}
    target = target_of(
        old.generate_presigned_url("put_object", Params={**at, "Metadata": {"foo": "bar"}})
    )
    reply = http_request(auth_server, "PUT", target, {}, b"x")
    assert reply.status == 200, reply
    has(alice.head_object(**at), Metadata={"foo": "bar"})
    reply = http_request(auth_server, "PUT", target, {"x-amz-meta-wrong": "w"}, b"x")
    is_error(reply, "SignatureDoesNotMatch", 403)
