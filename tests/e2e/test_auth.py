# SPDX-License-Identifier: MIT
"""Authentication on: SigV4 in headers, signed chunks and trailers, SigV2, and who may do what.
The open server, which accepts any signature, is tested where it must still look."""

import base64
import binascii
import hashlib
import re

import pytest

from conftest import ALICE, BOB, CAROL, as_user
from harness import (
    ACCESS_KEY,
    SECRET_KEY,
    client,
    has,
    http_request,
    is_error,
    keys_of,
    refused,
    serving,
    unique,
)
from sign import (
    SIGNED_CHUNKS,
    SIGNED_CHUNKS_TRAILER,
    UNSIGNED,
    UNSIGNED_CHUNKS_TRAILER,
    Signer,
    amz_date,
    sha256,
    v2_headers,
)

pytestmark = pytest.mark.options

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "key and signing method."
)


def signer(server, user=ALICE, **options):
    return Signer(user, f"127.0.0.1:{server.port}", **options)


def send(server, method, target, body=b"", user=ALICE, change=None, signing=None, **options):
    """A request signed by hand; change(headers) may spoil it afterwards."""
    headers = signer(server, user, **(signing or {})).headers(method, target, body, **options)
    if change:
        change(headers)
    wire = body if body or method in ("PUT", "POST") else None
    return http_request(server, method, target, headers, wire)


@pytest.fixture
def stored(alice, alices_bucket):
    alice.put_object(Bucket=alices_bucket, Key="k", Body=b"secret data")
    return f"/{alices_bucket}/k"


# ---- SigV4 in headers ---------------------------------------------------------------------------


def test_boto3_signs(alice, alices_bucket):
    """Everything a client does by default, verified."""
    body = bytes(range(256)) * 1000
    for key in ("plain", "with space", "a//b/../c", "\u00e9+%&=?#", "~tilde(paren)'!*"):
        alice.put_object(Bucket=alices_bucket, Key=key, Body=body, Metadata={"m": "a  b"})
        assert alice.get_object(Bucket=alices_bucket, Key=key)["Body"].read() == body
        assert key in keys_of(alice.list_objects_v2(Bucket=alices_bucket, Prefix=key[:3]))
    upload = alice.create_multipart_upload(Bucket=alices_bucket, Key="m")["UploadId"]
    part = alice.upload_part(
        Bucket=alices_bucket, Key="m", UploadId=upload, PartNumber=1, Body=body
    )
    alice.complete_multipart_upload(
        Bucket=alices_bucket,
        Key="m",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    alice.delete_objects(Bucket=alices_bucket, Delete={"Objects": [{"Key": "m"}]})


@pytest.mark.parametrize("payload", [None, UNSIGNED])
def test_by_hand(auth_server, alice, alices_bucket, payload):
    reply = send(auth_server, "PUT", f"/{alices_bucket}/k", b"body", payload=payload)
    assert reply.status == 200, reply
    assert alice.get_object(Bucket=alices_bucket, Key="k")["Body"].read() == b"body"


@pytest.mark.parametrize("length", ["0", "5"])
def test_signed_expectation(auth_server, alices_bucket, length):
    """The Java SDK signs Expect, and expects a 100 for empty objects, too: what is signed is what was
    sent, in whatever case."""
    body = b"hello"[: int(length)]
    for value in ("100-continue", "100-Continue"):
        headers = {"expect": value, "content-length": length}
        target = f"/{alices_bucket}/k"
        headers = signer(auth_server).headers("PUT", target, body, headers)
        reply = http_request(auth_server, "PUT", target, headers, body)
        assert reply.status == 200, reply


def test_query_is_signed(auth_server, stored):
    bucket = stored.split("/")[1]
    for query in ("?prefix=a%20b&delimiter=%2F", "?list-type=2&prefix=%C3%A9", "?versions", "?a=b=c"):
        reply = send(auth_server, "GET", f"/{bucket}{query}")
        assert reply.status == 200, (query, reply)


def test_wrong_signature(auth_server, stored):
    """aws-recorded: test_presigned_url_signature_authentication: the fields that help"""
    mine = signer(auth_server)
    headers = mine.headers("GET", stored)
    right = mine.signature
    headers["authorization"] = headers["authorization"].replace(right, "0" * 64)
    reply = http_request(auth_server, "GET", stored, headers)
    is_error(
        reply,
        "SignatureDoesNotMatch",
        403,
        MISMATCH,
        AWSAccessKeyId=ALICE["accessKey"],
        SignatureProvided="0" * 64,
        StringToSign=...,
        StringToSignBytes=...,
        CanonicalRequest=...,
        CanonicalRequestBytes=...,
    )
    signed = sorted(set(headers) - {"authorization"})
    canonical = mine.canonical("GET", stored, headers, signed, sha256(b""))
    assert reply.error["CanonicalRequest"] == canonical
    assert reply.error["StringToSign"] == mine.string_to_sign(canonical)
    for name, text in (
        ("StringToSignBytes", mine.string_to_sign(canonical)),
        ("CanonicalRequestBytes", canonical),
    ):
        assert reply.error[name] == binascii.hexlify(text.encode(), " ").decode()


def spoil_header(name, value):
    def change(headers):
        headers[name] = value

    return change


def test_changed_after_signing(auth_server, stored):
    is_error(
        send(auth_server, "GET", stored, change=spoil_header("range", "bytes=0-1"), headers={"range": "bytes=0-3"}),
        "SignatureDoesNotMatch",
        403,
    )
    headers = signer(auth_server).headers("GET", stored)
    is_error(
        http_request(auth_server, "DELETE", stored, headers), "SignatureDoesNotMatch", 403
    )
    is_error(
        http_request(auth_server, "GET", stored + "?versionId=null", headers),
        "SignatureDoesNotMatch",
        403,
    )


def test_wrong_secret(auth_server, alices_bucket):
    wrong = as_user(auth_server, {**ALICE, "secretKey": "not the secret"})
    with refused("SignatureDoesNotMatch", 403, MISMATCH):
        wrong.list_objects_v2(Bucket=alices_bucket)


def test_unknown_access_key(auth_server, alices_bucket):
    """AWS error list: InvalidAccessKeyId"""
    stranger = as_user(auth_server, {"accessKey": "AKIAUNKNOWN000000000", "secretKey": "x"})
    with refused(
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
        AWSAccessKeyId="AKIAUNKNOWN000000000",
    ):
        stranger.list_objects_v2(Bucket=alices_bucket)


@pytest.mark.parametrize("offset_s", [-16 * 60, 16 * 60])
def test_skewed_clock(auth_server, stored, offset_s):
    """AWS: a request more than 15 minutes off is RequestTimeTooSkewed."""
    reply = send(auth_server, "GET", stored, signing={"offset_s": offset_s})
    is_error(
        reply,
        "RequestTimeTooSkewed",
        403,
        "The difference between the request time and the current time is too large.",
        RequestTime=...,
        ServerTime=...,
        MaxAllowedSkewMilliseconds="900000",
    )


@pytest.mark.parametrize("offset_s", [-14 * 60, 14 * 60])
def test_allowed_skew(auth_server, stored, offset_s):
    assert send(auth_server, "GET", stored, signing={"offset_s": offset_s}).status == 200


def test_wrong_region(auth_server, stored):
    """aws-recorded: test_create_bucket_aws_global"""
    is_error(
        send(auth_server, "GET", stored, signing={"region": "aws-global"}),
        "AuthorizationHeaderMalformed",
        400,
        "The authorization header is malformed; the region 'aws-global' is wrong; expecting "
        "'us-east-1'",
        Region="us-east-1",
    )


def test_wrong_service(auth_server, stored):
    is_error(
        send(auth_server, "GET", stored, signing={"service": "ec2"}),
        "AuthorizationHeaderMalformed",
        400,
        re.compile(r"service"),
    )


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=a/nodate/us-east-1/s3/aws4_request, SignedHeaders=host, "
        "Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_wrong, SignedHeaders=host, "
        "Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
        "Signature=" + "0" * 64,
    ],
)
def test_malformed_authorization(auth_server, stored, authorization):
    """AWS error list: AuthorizationHeaderMalformed"""
    reply = http_request(
        auth_server,
        "GET",
        stored,
        {
            "Authorization": authorization,
            "x-amz-date": amz_date(),
            "x-amz-content-sha256": sha256(b""),
        },
    )
    is_error(reply, "AuthorizationHeaderMalformed", 400)


@pytest.mark.parametrize("authorization", ["AWS4-HMAC-SHA256", "nonsense"])
def test_authorization_of_one_word(auth_server, stored, authorization):
    """Observed of S3: "Authorization header is invalid -- one and only one ' ' (space) required"."""
    reply = http_request(auth_server, "GET", stored, {"Authorization": authorization})
    is_error(
        reply,
        "InvalidArgument",
        400,
        "Authorization header is invalid -- one and only one ' ' (space) required.",
        ArgumentName="Authorization",
        ArgumentValue=authorization,
    )


@pytest.mark.parametrize("authorization", ["Basic dXNlcjpwYXNz", "Bearer x"])
def test_unsupported_authorization(auth_server, stored, authorization):
    """Observed of S3: InvalidArgument, "Unsupported Authorization Type"."""
    reply = http_request(auth_server, "GET", stored, {"Authorization": authorization})
    is_error(reply, "InvalidArgument", 400, "Unsupported Authorization Type")


def test_sigv4a(auth_server, stored):
    """SigV4A (asymmetric) is not implemented, and says so."""
    reply = http_request(
        auth_server,
        "GET",
        stored,
        {
            "Authorization": "AWS4-ECDSA-P256-SHA256 Credential=a/20260101/s3/aws4_request, "
            "SignedHeaders=host;x-amz-date;x-amz-region-set, Signature=00",
            "x-amz-date": amz_date(),
            "x-amz-region-set": "*",
        },
    )
    is_error(reply, "NotImplemented", 501)


def without(*names):
    def change(headers):
        for name in names:
            headers.pop(name)

    return change


def test_no_date(auth_server, stored):
    """AWS error list: AccessDenied, "AWS authentication requires a valid Date or x-amz-date
    header"."""
    reply = send(auth_server, "GET", stored, change=without("x-amz-date"))
    is_error(
        reply,
        "AccessDenied",
        403,
        "AWS authentication requires a valid Date or x-amz-date header",
    )


def test_no_payload_hash(auth_server, stored):
    """AWS error list: "Missing required header for this request: x-amz-content-sha256"."""
    reply = send(auth_server, "GET", stored, change=without("x-amz-content-sha256"))
    is_error(
        reply,
        "InvalidRequest",
        400,
        "Missing required header for this request: x-amz-content-sha256",
    )


def test_bad_payload_hash(auth_server, stored):
    """AWS error list: "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, … or a valid sha256
    value."."""
    reply = send(auth_server, "GET", stored, payload="not-a-hash")
    is_error(reply, "InvalidArgument", 400, re.compile("x-amz-content-sha256 must be"))


def test_payload_hash_mismatch(auth_server, alice, alices_bucket):
    """AWS error list: XAmzContentSHA256Mismatch"""
    target = f"/{alices_bucket}/k"
    claimed = sha256(b"other")
    reply = send(auth_server, "PUT", target, b"body", payload=claimed)
    is_error(
        reply,
        "XAmzContentSHA256Mismatch",
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ClientComputedContentSHA256=claimed,
        S3ComputedContentSHA256=sha256(b"body"),
    )
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


@pytest.mark.parametrize("name", ["x-amz-meta-secret", "x-amz-acl", "content-md5"])
def test_header_not_signed(auth_server, alice, alices_bucket, name):
    """AWS: host and every x-amz-* header that is sent must be signed.
    aws-recorded: test_s3_put_presigned_url_same_header_and_qs_parameter (HeadersNotSigned)"""
    value = base64.b64encode(hashlib.md5(b"body").digest()).decode() if "md5" in name else "private"
    target = f"/{alices_bucket}/k"
    reply = send(auth_server, "PUT", target, b"body", change=spoil_header(name, value))
    if name == "content-md5":
        assert reply.status == 200, "Content-MD5 need not be signed"
        return
    is_error(
        reply,
        "AccessDenied",
        403,
        "There were headers present in the request which were not signed",
        HeadersNotSigned=name,
    )
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


def test_host_not_signed(auth_server, stored):
    reply = send(auth_server, "GET", stored, signed=["x-amz-date", "x-amz-content-sha256"])
    assert reply.status in (400, 403) and reply.code in (
        "AccessDenied",
        "SignatureDoesNotMatch",
        "AuthorizationHeaderMalformed",
    ), reply


def test_two_authorizations(auth_server, stored):
    """AWS error list: InvalidArgument, "Only one auth mechanism allowed"."""
    target = signer(auth_server).presign("GET", stored)
    headers = signer(auth_server).headers("GET", target)
    is_error(
        http_request(auth_server, "GET", target, headers),
        "InvalidArgument",
        400,
        re.compile("^Only one auth mechanism allowed"),
    )


def test_duplicate_authorization_header(auth_server, stored):
    headers = signer(auth_server).headers("GET", stored)
    pairs = [*headers.items(), ("Authorization", headers["authorization"])]
    reply = http_request(auth_server, "GET", stored, pairs)
    assert reply.status in (400, 403), reply


def test_date_header_instead(auth_server, stored):
    """AWS: Date may be used when there is no x-amz-date."""
    from email.utils import formatdate

    mine = signer(auth_server)
    headers = {
        "host": mine.host,
        "date": formatdate(usegmt=True),
        "x-amz-content-sha256": sha256(b""),
    }
    import email.utils

    stamp = email.utils.parsedate_to_datetime(headers["date"])
    mine.date = stamp.strftime("%Y%m%dT%H%M%SZ")
    mine.scope = f"{mine.date[:8]}/us-east-1/s3/aws4_request"
    signed = sorted(headers)
    canonical = mine.canonical("GET", stored, headers, signed, sha256(b""))
    signature = mine.hex(mine.string_to_sign(canonical))
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={mine.access_key}/{mine.scope}, "
        f"SignedHeaders={';'.join(signed)}, Signature={signature}"
    )
    assert http_request(auth_server, "GET", stored, headers).status == 200


# ---- chunks -------------------------------------------------------------------------------------


BODY = b"a" * 65536 + b"b" * 1024


def send_chunks(server, target, chunks, trailers=None, spoil=None, length=None, change=None):
    mine = signer(server)
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(sum(map(len, chunks)) if length is None else length),
    }
    if trailers is not None:
        headers["x-amz-trailer"] = ",".join(n for n, _ in trailers)
    mode = SIGNED_CHUNKS if trailers is None else SIGNED_CHUNKS_TRAILER
    headers = mine.headers("PUT", target, headers=headers, payload=mode)
    framed = mine.chunks(chunks, trailers, spoil)
    if change:
        framed = change(framed)
    return http_request(server, "PUT", target, headers, framed)


@pytest.mark.parametrize(
    "chunks", [[], [b"x"], [BODY[:65536], BODY[65536:]], [b"a" * 8192] * 20, [b"x" * 100_001]]
)
def test_signed_chunks(auth_server, alice, alices_bucket, chunks):
    """AWS: "Signature calculations for the Authorization header: transferring payload in multiple
    chunks"; the sizes 65536 and 1024 are its example's."""
    reply = send_chunks(auth_server, f"/{alices_bucket}/k", chunks)
    assert reply.status == 200, reply
    got = alice.get_object(Bucket=alices_bucket, Key="k")
    assert got["Body"].read() == b"".join(chunks)
    has(got, ContentEncoding=None)


@pytest.mark.parametrize("spoil", [0, 1, 2])
def test_wrong_chunk_signature(auth_server, alice, alices_bucket, spoil):
    reply = send_chunks(
        auth_server, f"/{alices_bucket}/k", [BODY[:65536], BODY[65536:]], spoil=spoil
    )
    # Swift's tests against Amazon, test_strm_sgnd_pyld_bad_signatures: the request's is told, too.
    is_error(
        reply,
        "SignatureDoesNotMatch",
        403,
        StringToSignBytes=...,
        CanonicalRequestBytes=...,
    )
    assert reply.error["StringToSign"].startswith("AWS4-HMAC-SHA256-PAYLOAD\n")
    assert reply.error["CanonicalRequest"].startswith(f"PUT\n/{alices_bucket}/k\n")
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


def test_changed_chunk_data(auth_server, alice, alices_bucket):
    reply = send_chunks(
        auth_server,
        f"/{alices_bucket}/k",
        [b"important"],
        change=lambda framed: framed.replace(b"important", b"different"),
    )
    is_error(reply, "SignatureDoesNotMatch", 403)
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


def crc32_of(data):
    return base64.b64encode(binascii.crc32(data).to_bytes(4, "big")).decode()


def test_signed_trailer(auth_server, alice, alices_bucket):
    """AWS: "Signature calculations for trailing headers"."""
    trailers = [("x-amz-checksum-crc32", crc32_of(BODY))]
    reply = send_chunks(
        auth_server, f"/{alices_bucket}/k", [BODY[:65536], BODY[65536:]], trailers
    )
    assert reply.status == 200, reply
    assert reply.headers["x-amz-checksum-crc32"] == crc32_of(BODY)
    assert alice.get_object(Bucket=alices_bucket, Key="k")["Body"].read() == BODY


def test_wrong_trailer_signature(auth_server, alice, alices_bucket):
    trailers = [("x-amz-checksum-crc32", crc32_of(b"x"))]
    reply = send_chunks(auth_server, f"/{alices_bucket}/k", [b"x"], trailers, spoil="trailer")
    is_error(reply, "SignatureDoesNotMatch", 403)
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


def test_wrong_trailing_checksum(auth_server, alice, alices_bucket):
    trailers = [("x-amz-checksum-crc32", crc32_of(b"other"))]
    reply = send_chunks(auth_server, f"/{alices_bucket}/k", [b"x"], trailers)
    is_error(reply, "BadDigest", 400)
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


@pytest.mark.parametrize(
    "old,new,code,status",
    [
        (rb";chunk-signature=\w+", rb";chunk-signature=invalid", "SignatureDoesNotMatch", 403),
        (rb";chunk-signature=\w+", rb";chunk-signature=", "IncompleteBody", 400),
        (rb";chunk-signature=\w+", rb"", "IncompleteBody", 400),
        (rb"(;chunk-signature=\w+)", rb";extra=param\1", "IncompleteBody", 400),
        (rb"(;chunk-signature=\w+)", rb"\1;extra=param", "IncompleteBody", 400),
        (rb";chunk-signature=(\w+)", rb" ; chunk-signature = \1 ", None, 200),
    ],
)
def test_odd_chunk_headers(auth_server, alices_bucket, old, new, code, status):
    """Swift's tests, which run against Amazon too: test/s3api, test_strm_sgnd_pyld_*; an extension
    before the signature is refused there as well, by another code."""
    reply = send_chunks(
        auth_server, f"/{alices_bucket}/k", [b"x"], change=lambda framed: re.sub(old, new, framed)
    )
    assert (reply.status, reply.code) == (status, code), reply


def test_small_chunks(auth_server, alices_bucket):
    """Swift's tests against Amazon, test_strm_sgnd_pyld_too_small_chunks"""
    reply = send_chunks(auth_server, f"/{alices_bucket}/k", [b"x" * 1024, b"y" * 4096])
    is_error(
        reply,
        "InvalidChunkSizeError",
        403,
        "Only the last chunk is allowed to have a size less than 8192 bytes",
        Chunk="2",
        BadChunkSize="1024",
    )


def test_missing_trailer_signature(auth_server, alice, alices_bucket):
    trailers = [("x-amz-checksum-crc32", crc32_of(b"x"))]

    def drop(framed):
        return re.sub(rb"x-amz-trailer-signature:.*\r\n", b"", framed)

    reply = send_chunks(auth_server, f"/{alices_bucket}/k", [b"x"], trailers, change=drop)
    assert reply.status in (400, 403) and reply.code in (
        "SignatureDoesNotMatch",
        "MalformedTrailerError",
        "AccessDenied",
        "IncompleteBody",
    ), reply
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


def test_no_decoded_length(auth_server, alices_bucket):
    """AWS error list: MissingContentLength"""
    mine = signer(auth_server)
    target = f"/{alices_bucket}/k"
    headers = mine.headers("PUT", target, payload=SIGNED_CHUNKS)
    reply = http_request(auth_server, "PUT", target, headers, mine.chunks([b"x"]))
    is_error(reply, "MissingContentLength", 411)


@pytest.mark.parametrize("length", [0, 8, 10])
def test_wrong_decoded_length(auth_server, alice, alices_bucket, length):
    """AWS error list: IncompleteBody"""
    reply = send_chunks(auth_server, f"/{alices_bucket}/k", [b"nine byte"], length=length)
    assert reply.status == 400 and reply.code in ("IncompleteBody", "InvalidRequest"), reply
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


def test_unsigned_chunks_with_trailer(auth_server, alice, alices_bucket):
    target = f"/{alices_bucket}/k"
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "5",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    headers = signer(auth_server).headers(
        "PUT", target, headers=headers, payload=UNSIGNED_CHUNKS_TRAILER
    )
    body = f"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{crc32_of(b'hello')}\r\n\r\n".encode()
    assert http_request(auth_server, "PUT", target, headers, body).status == 200
    assert alice.get_object(Bucket=alices_bucket, Key="k")["Body"].read() == b"hello"


# ---- SigV2 --------------------------------------------------------------------------------------


def test_sigv2(auth_server, stored):
    """AWS: "Signing and authenticating REST requests (signature version 2)"."""
    reply = http_request(auth_server, "GET", stored, v2_headers(ALICE, "GET", stored))
    assert (reply.status, reply.body) == (200, b"secret data")
    bucket = "/" + stored.split("/")[1]
    headers = v2_headers(ALICE, "GET", f"{bucket}/?versioning")
    assert http_request(auth_server, "GET", f"{bucket}/?versioning", headers).status == 200


def test_payload_hash_of_sigv2(auth_server, alice, alices_bucket):
    """Swift's tests, which run against Amazon too (test/s3api/test_input_errors.py, TestV2Auth*): only
    SigV4's header needs x-amz-content-sha256; elsewhere a value that is none fits no body, and of a
    GET it is not looked at."""
    alice.put_object(Bucket=alices_bucket, Key="k", Body=b"x")
    v2 = as_user(auth_server, ALICE, config={"signature_version": "s3"})

    def add_header(request, **_):
        del request.headers["x-amz-content-sha256"]
        request.headers["x-amz-content-sha256"] = "invalid"

    v2.meta.events.register("before-sign.s3", add_header)
    assert v2.get_object(Bucket=alices_bucket, Key="k")["Body"].read() == b"x"
    with refused("XAmzContentSHA256Mismatch", 400, ClientComputedContentSHA256="invalid"):
        v2.put_object(Bucket=alices_bucket, Key="k", Body=b"other")
    assert alice.get_object(Bucket=alices_bucket, Key="k")["Body"].read() == b"x"


def test_sigv2_put(auth_server, alice, alices_bucket):
    target = f"/{alices_bucket}/v2"
    headers = v2_headers(
        ALICE, "PUT", target, content_type="text/plain", headers={"x-amz-meta-a": "b"}
    )
    assert http_request(auth_server, "PUT", target, headers, b"by v2").status == 200
    has(
        alice.head_object(Bucket=alices_bucket, Key="v2"),
        Metadata={"a": "b"},
        ContentType="text/plain",
    )


def test_sigv2_wrong(auth_server, stored):
    headers = v2_headers({**ALICE, "secretKey": "wrong"}, "GET", stored)
    is_error(
        http_request(auth_server, "GET", stored, headers),
        "SignatureDoesNotMatch",
        403,
        MISMATCH,
        AWSAccessKeyId=ALICE["accessKey"],
        StringToSign=...,
        SignatureProvided=...,
    )
    headers = v2_headers({"accessKey": "AKIANOBODY", "secretKey": "x"}, "GET", stored)
    is_error(http_request(auth_server, "GET", stored, headers), "InvalidAccessKeyId", 403)
    for bad in ("AWS", "AWS ", "AWS nocolon", "AWS :sig", "AWS key:"):
        reply = http_request(auth_server, "GET", stored, {**headers, "Authorization": bad})
        assert reply.status in (400, 403), (bad, reply)


def test_sigv2_skewed(auth_server, stored):
    headers = v2_headers(ALICE, "GET", stored, date="Mon, 01 Jan 2024 00:00:00 GMT")
    is_error(http_request(auth_server, "GET", stored, headers), "RequestTimeTooSkewed", 403)


def test_boto_sigv2(auth_server, alices_bucket, alice):
    """botocore still speaks it: signature_version "s3"."""
    old = as_user(auth_server, ALICE, config={"signature_version": "s3"})
    old.put_object(Bucket=alices_bucket, Key="old way", Body=b"x")
    assert old.get_object(Bucket=alices_bucket, Key="old way")["Body"].read() == b"x"
    assert keys_of(old.list_objects_v2(Bucket=alices_bucket)) == ["old way"]


# ---- session tokens -----------------------------------------------------------------------------


def test_session_token(auth_server, carol):
    name = unique("carol")
    carol.create_bucket(Bucket=name)
    carol.put_object(Bucket=name, Key="k", Body=b"x")
    wrong = as_user(auth_server, {**CAROL, "sessionToken": "another"})
    with refused(
        "InvalidToken",
        400,
        "The provided token is malformed or otherwise invalid.",
    ):
        wrong.list_objects_v2(Bucket=name)
    missing = as_user(auth_server, {**CAROL, "sessionToken": None})
    with pytest.raises(missing.exceptions.ClientError) as caught:
        missing.list_objects_v2(Bucket=name)
    assert caught.value.response["Error"]["Code"] in ("InvalidToken", "InvalidAccessKeyId")


def test_token_where_none_is_known(auth_server, alices_bucket):
    """Session tokens are accepted: an account without a fixed token takes any."""
    with_token = as_user(auth_server, {**ALICE, "sessionToken": "whatever"})
    assert keys_of(with_token.list_objects_v2(Bucket=alices_bucket)) == []


# ---- who may do what ----------------------------------------------------------------------------


def everything(s3, bucket):
    """Calls of every kind on somebody's bucket."""
    at = {"Bucket": bucket, "Key": "k"}
    return [
        lambda: s3.get_object(**at),
        lambda: s3.put_object(**at, Body=b"stolen"),
        lambda: s3.delete_object(**at),
        lambda: s3.list_objects_v2(Bucket=bucket),
        lambda: s3.list_objects(Bucket=bucket),
        lambda: s3.list_object_versions(Bucket=bucket),
        lambda: s3.list_multipart_uploads(Bucket=bucket),
        lambda: s3.create_multipart_upload(**at),
        lambda: s3.get_object_tagging(**at),
        lambda: s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
        ),
        lambda: s3.get_bucket_versioning(Bucket=bucket),
        lambda: s3.get_bucket_location(Bucket=bucket),
        lambda: s3.get_bucket_tagging(Bucket=bucket),
        lambda: s3.get_object_attributes(**at, ObjectAttributes=["ETag"]),
        lambda: s3.copy_object(**at, CopySource=f"{bucket}/k", MetadataDirective="REPLACE"),
        lambda: s3.rename_object(Bucket=bucket, Key="moved", RenameSource=f"{bucket}/k"),
        lambda: s3.delete_bucket(Bucket=bucket),
    ]


@pytest.mark.parametrize("who", ["bob", "anonymous"])
def test_private_by_default(request, who, alice, alices_bucket):
    """Only the bucket's owner may; others and the anonymous get AccessDenied."""
    other = request.getfixturevalue(who)
    alice.put_object(Bucket=alices_bucket, Key="k", Body=b"mine")
    for call in everything(other, alices_bucket):
        with refused("AccessDenied", 403, "Access Denied"):
            call()
    with refused("403", 403):
        other.head_object(Bucket=alices_bucket, Key="k")
    with refused("403", 403):
        other.head_bucket(Bucket=alices_bucket)
    assert alice.get_object(Bucket=alices_bucket, Key="k")["Body"].read() == b"mine"


def test_delete_objects_of_others(bob, alice, alices_bucket):
    alice.put_object(Bucket=alices_bucket, Key="k", Body=b"mine")
    try:
        reply = bob.delete_objects(Bucket=alices_bucket, Delete={"Objects": [{"Key": "k"}]})
        assert [e["Code"] for e in reply["Errors"]] == ["AccessDenied"]
    except bob.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == ["k"]


def test_anonymous_cannot_create_or_list_buckets(anonymous):
    with refused("AccessDenied", 403):
        anonymous.create_bucket(Bucket=unique())
    with refused("AccessDenied", 403):
        anonymous.list_buckets()


def test_copy_from_others(bob, alice, alices_bucket):
    """A copy needs both: reading the source and writing the destination."""
    alice.put_object(Bucket=alices_bucket, Key="k", Body=b"mine")
    bobs = unique("bob")
    bob.create_bucket(Bucket=bobs)
    with refused("AccessDenied", 403):
        bob.copy_object(Bucket=bobs, Key="loot", CopySource=f"{alices_bucket}/k")
    upload = bob.create_multipart_upload(Bucket=bobs, Key="loot")["UploadId"]
    with refused("AccessDenied", 403):
        bob.upload_part_copy(
            Bucket=bobs,
            Key="loot",
            UploadId=upload,
            PartNumber=1,
            CopySource=f"{alices_bucket}/k",
        )


def test_bucket_names_are_global(alice, bob, alices_bucket):
    """aws-recorded: BucketAlreadyExists is what others get"""
    with refused("BucketAlreadyExists", 409, BucketName=alices_bucket):
        bob.create_bucket(Bucket=alices_bucket)
    alice.create_bucket(Bucket=alices_bucket)  # us-east-1 lets the owner


def test_each_lists_her_own(alice, bob, alices_bucket):
    bobs = unique("bob")
    bob.create_bucket(Bucket=bobs)
    reply = alice.list_buckets()
    names = [b["Name"] for b in reply["Buckets"]]
    assert alices_bucket in names and bobs not in names
    assert reply["Owner"]["ID"] == ALICE["canonicalId"]
    assert bob.list_buckets()["Owner"]["ID"] == BOB["canonicalId"]


def test_owners_in_listings(alice, alices_bucket):
    alice.put_object(Bucket=alices_bucket, Key="k", Body=b"x")
    listed = alice.list_objects(Bucket=alices_bucket)["Contents"][0]
    assert listed["Owner"]["ID"] == ALICE["canonicalId"]
    versions = alice.list_object_versions(Bucket=alices_bucket)["Versions"]
    assert versions[0]["Owner"]["ID"] == ALICE["canonicalId"]
    upload = alice.create_multipart_upload(Bucket=alices_bucket, Key="m")["UploadId"]
    parts = alice.list_parts(Bucket=alices_bucket, Key="m", UploadId=upload)
    assert parts["Owner"]["ID"] == parts["Initiator"]["ID"] == ALICE["canonicalId"]


def test_expected_owner(alice, alices_bucket):
    alice.list_objects_v2(Bucket=alices_bucket, ExpectedBucketOwner=ALICE["accountId"])
    with refused("AccessDenied", 403):
        alice.list_objects_v2(Bucket=alices_bucket, ExpectedBucketOwner=BOB["accountId"])


def test_missing_bucket_of_a_known_user(alice):
    with refused("NoSuchBucket", 404):
        alice.list_objects_v2(Bucket=unique())


def test_health_needs_no_signature(auth_server):
    """Tools that wait for readiness cannot sign; what changes the server must."""
    assert http_request(auth_server, "GET", "/_localstack/health").status == 200
    assert http_request(auth_server, "GET", "/_s3mem/health").status == 200
    reply = http_request(auth_server, "POST", "/_localstack/state/reset", body=b"")
    assert reply.status == 403, reply


# ---- single key, and the open server ------------------------------------------------------------


def test_access_key_options():
    """--access-key and --secret-key, also from the environment."""
    env = {"S3MEMD_SECRET_KEY": SECRET_KEY}
    with serving("--access-key", ACCESS_KEY, env=env) as server:
        s3 = client(server)
        name = unique()
        s3.create_bucket(Bucket=name)
        with refused("InvalidAccessKeyId", 403):
            client(server, key="AKIAOTHER").list_objects_v2(Bucket=name)
        with refused("SignatureDoesNotMatch", 403):
            client(server, secret="wrong").list_objects_v2(Bucket=name)
        with refused("AccessDenied", 403):
            client(server, key=None).list_objects_v2(Bucket=name)


def test_secret_is_never_logged():
    with serving("--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--verbose") as server:
        s3 = client(server, config={"signature_version": "s3v4"})
        name = unique()
        s3.create_bucket(Bucket=name)
        url = s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "k"})
        http_request(server, "GET", url[len(server.url) :])
        log = server.stderr()
    assert name in log
    assert SECRET_KEY not in log
    signature = re.search("X-Amz-Signature=([0-9a-f]+)", url).group(1)
    assert signature not in log


def test_open_server_accepts_any_signature(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    headers = Signer(BOB, "elsewhere.example", region="mars-1").headers("GET", f"/{bucket}/k")
    headers["host"] = "elsewhere.example"
    assert http_request(server, "GET", f"/{bucket}/k", headers).status == 200


def test_open_server_decodes_signed_chunks(server, s3, bucket):
    """Without credentials chunk signatures are not verified, but the framing is decoded and the
    payload hash checked."""
    reply = send_chunks(server, f"/{bucket}/k", [b"a" * 8192, b"world"], spoil=0)
    assert reply.status == 200, reply
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"a" * 8192 + b"world"
    reply = send(server, "PUT", f"/{bucket}/k2", b"body", payload=sha256(b"other"))
    is_error(reply, "XAmzContentSHA256Mismatch", 400)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]
