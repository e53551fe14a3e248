# SPDX-License-Identifier: MIT
"""The ten checksum algorithms: in headers, in trailers, computed by the server; composite and
full-object checksums of multipart uploads; what comes back and when."""

import base64
import hashlib
import os
import struct

import pytest
from awscrt import checksums as crt

from harness import (
    PART,
    client,
    etag_of,
    has,
    header_of,
    http_request,
    is_error,
    keys_of,
    multipart_etag,
    refused,
    status_of,
)


def _crt(function, size):
    return lambda data: function(data).to_bytes(size, "big")


def _xxh(make):
    def digest(data):
        h = make()
        h.update(data)
        return h.finalize()

    return digest


# Independent of the server: awscrt and hashlib. XXHASH digests are sent big-endian (awscrt's
# finalize gives them so).
DIGEST = {
    "CRC32": _crt(crt.crc32, 4),
    "CRC32C": _crt(crt.crc32c, 4),
    "CRC64NVME": _crt(crt.crc64nvme, 8),
    "SHA1": lambda d: hashlib.sha1(d).digest(),
    "SHA256": lambda d: hashlib.sha256(d).digest(),
    "SHA512": lambda d: hashlib.sha512(d).digest(),
    "MD5": lambda d: hashlib.md5(d).digest(),
    "XXHASH64": _xxh(crt.XXHash.new_xxhash64),
    "XXHASH3": _xxh(crt.XXHash.new_xxhash3_64),
    "XXHASH128": _xxh(crt.XXHash.new_xxhash3_128),
}
ALGORITHMS = list(DIGEST)
FULL_OBJECT = ["CRC32", "CRC32C", "CRC64NVME"]
COMPOSITE = [a for a in ALGORITHMS if a != "CRC64NVME"]
RECORDED = ["CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"]


def b64(data):
    return base64.b64encode(data).decode()


def checksum(algorithm, data):
    return b64(DIGEST[algorithm](data))


def member(algorithm):
    return f"Checksum{algorithm}"


def header(algorithm):
    return f"x-amz-checksum-{algorithm.lower()}"


def composite(algorithm, *parts):
    digests = b"".join(DIGEST[algorithm](p) for p in parts)
    return f"{b64(DIGEST[algorithm](digests))}-{len(parts)}"


@pytest.fixture
def plain(server):
    """A client that adds no checksum of its own."""
    return client(
        server,
        config={
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        },
    )


@pytest.mark.parametrize(
    "algorithm,expected",
    [
        ("CRC32", "lVk/nw=="),
        ("CRC32C", "Fz3epA=="),
        ("SHA1", "jbXkHAsXUrubtL3dqDQ4w+7WXc0="),
        ("SHA256", "1YQo81vx2VFUl0q5ccWISq8AkSBQQ0WO80S82TmfdIQ="),
        ("CRC64NVME", "1f2xscCCZCU="),
    ],
)
def test_known_values(s3, bucket, algorithm, expected):
    """aws-recorded: test_s3_get_object_checksum. The tests' own digests are checked here too."""
    assert checksum(algorithm, b"test-checksum") == expected
    put = s3.put_object(
        Bucket=bucket, Key="k", Body=b"test-checksum", ChecksumAlgorithm=algorithm
    )
    has(put, **{member(algorithm): expected}, ChecksumType="FULL_OBJECT")
    for call in (s3.get_object, s3.head_object):
        reply = call(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        has(reply, **{member(algorithm): expected}, ChecksumType="FULL_OBJECT")
    attributes = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["Checksum"]
    )
    assert attributes["Checksum"] == {member(algorithm): expected, "ChecksumType": "FULL_OBJECT"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 1, 63, 64, 1000, 70_000, 300_001])
def test_in_header(server, s3, bucket, algorithm, size):
    """A checksum in the header is verified, kept and returned under x-amz-checksum-mode."""
    body = os.urandom(size)
    value = checksum(algorithm, body)
    reply = http_request(server, "PUT", f"/{bucket}/k", {header(algorithm): value}, body)
    assert reply.status == 200, reply
    assert reply.headers[header(algorithm)] == value
    assert reply.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    got = http_request(server, "GET", f"/{bucket}/k", {"x-amz-checksum-mode": "ENABLED"})
    assert got.body == body
    assert got.headers[header(algorithm)] == value
    quiet = http_request(server, "GET", f"/{bucket}/k")
    assert not [n for n in quiet.headers if n.startswith("x-amz-checksum")]
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    has(listed, ChecksumAlgorithm=[algorithm], ChecksumType="FULL_OBJECT")


@pytest.mark.parametrize("algorithm", [a for a in ALGORITHMS if a != "MD5"])
def test_of_boto3(s3, bucket, algorithm):
    """boto3 computes it (header, or trailer for a stream) and checks what it gets back."""
    import io

    body = os.urandom(100_000)
    s3.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm=algorithm)
    s3.put_object(Bucket=bucket, Key="s", Body=io.BytesIO(body), ChecksumAlgorithm=algorithm)
    for key in ("k", "s"):
        got = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        assert got["Body"].read() == body
        has(got, **{member(algorithm): checksum(algorithm, body)})


def trailer_body(body, name, value, chunk=65536):
    """STREAMING-UNSIGNED-PAYLOAD-TRAILER framing."""
    out = b""
    for at in range(0, len(body), chunk):
        piece = body[at : at + chunk]
        out += f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    return out + f"0\r\n{name}:{value}\r\n\r\n".encode()


def put_with_trailer(server, target, body, name, value, **headers):
    framed = trailer_body(body, name, value)
    return http_request(
        server,
        "PUT",
        target,
        {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-decoded-content-length": str(len(body)),
            "x-amz-trailer": name,
            "Content-Encoding": "aws-chunked",
            **headers,
        },
        framed,
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_in_trailer(server, s3, bucket, algorithm):
    """AWS: "Signature calculations … with trailing headers"."""
    body = os.urandom(200_000)
    value = checksum(algorithm, body)
    reply = put_with_trailer(server, f"/{bucket}/k", body, header(algorithm), value)
    assert reply.status == 200, reply
    assert reply.headers[header(algorithm)] == value
    got = http_request(server, "GET", f"/{bucket}/k", {"x-amz-checksum-mode": "ENABLED"})
    assert got.body == body
    assert got.headers[header(algorithm)] == value
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_wrong_trailer(server, s3, bucket, algorithm):
    body = b"something"
    wrong = checksum(algorithm, b"something else")
    reply = put_with_trailer(server, f"/{bucket}/k", body, header(algorithm), wrong)
    is_error(
        reply,
        "BadDigest",
        400,
        f"The {algorithm} you specified did not match the calculated checksum.",
    )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_trailer_promised_but_missing(server, s3, bucket):
    """AWS: the trailer named by x-amz-trailer must come."""
    framed = b"4\r\ndata\r\n0\r\n\r\n"
    reply = http_request(
        server,
        "PUT",
        f"/{bucket}/k",
        {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-decoded-content-length": "4",
            "x-amz-trailer": "x-amz-checksum-crc32",
        },
        framed,
    )
    assert reply.status == 400, reply
    assert reply.code in ("MalformedTrailerError", "InvalidRequest", "IncompleteBody"), reply
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


@pytest.mark.parametrize("encoding", ["aws-chunked,gzip", "gzip,aws-chunked", "aws-chunked, gzip"])
def test_content_encoding_keeps_the_rest(server, bucket, encoding):
    """AWS: S3 stores the object without the aws-chunked value."""
    body = b"data"
    value = checksum("CRC32", body)
    put_with_trailer(
        server, f"/{bucket}/k", body, header("CRC32"), value, **{"Content-Encoding": encoding}
    )
    got = http_request(server, "GET", f"/{bucket}/k")
    assert (got.body, got.headers.get("content-encoding")) == (b"data", "gzip")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_wrong_value(server, s3, bucket, algorithm):
    """aws-recorded: test_put_object_checksum"""
    wrong = checksum(algorithm, b"other")
    reply = http_request(server, "PUT", f"/{bucket}/k", {header(algorithm): wrong}, b"test data..")
    is_error(
        reply,
        "BadDigest",
        400,
        f"The {algorithm} you specified did not match the calculated checksum.",
    )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("value", ["test", "****", "", "AA=="])
def test_invalid_value(server, s3, bucket, algorithm, value):
    """aws-recorded: test_put_object_checksum: not base64, or not of the algorithm's length"""
    reply = http_request(server, "PUT", f"/{bucket}/k", {header(algorithm): value}, b"test data..")
    is_error(
        reply, "InvalidRequest", 400, f"Value for {header(algorithm)} header is invalid."
    )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_two_checksums(server, bucket):
    """aws-recorded: test_s3_checksum_no_algorithm"""
    body = b"test data.."
    headers = {header(a): checksum(a, body) for a in ("CRC32", "SHA256")}
    is_error(
        http_request(server, "PUT", f"/{bucket}/k", headers, body),
        "InvalidRequest",
        400,
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    )


# OpenStack Swift's test/s3api runs against Amazon, too; it says what recorded replies do not.
SWIFT = "Swift's tests against Amazon, test/s3api/test_input_errors.py"


def test_algorithm_without_value(server, s3, bucket):
    """AWS API PutObject, x-amz-sdk-checksum-algorithm: "there must be a corresponding
    x-amz-checksum-algorithm or x-amz-trailer header sent"; SWIFT, test_good_md5_good_sha_*.
    x-amz-checksum-algorithm, which is no header of PutObject, chooses nothing (aws-recorded:
    test_s3_checksum_no_automatic_sdk_calculation)."""
    body = b"test data.."
    target = f"/{bucket}/k"
    sha256 = {"x-amz-checksum-sha256": "2l26x0trnT0r2AvakoFk2MB7eKVKzYESLMxSAKAzoik="}
    announced = {"x-amz-sdk-checksum-algorithm": "SHA256"}
    is_error(
        http_request(server, "PUT", target, announced, body),
        "InvalidRequest",
        400,
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
        "x-amz-trailer headers were found.",
    )
    is_error(
        http_request(server, "PUT", target, {"x-amz-sdk-checksum-algorithm": "CRC32", **sha256}, body),
        "InvalidRequest",
        400,
        "Value for x-amz-sdk-checksum-algorithm header is invalid.",
    )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []
    reply = http_request(server, "PUT", target, {**announced, **sha256}, body)
    assert (reply.status, reply.headers["x-amz-checksum-sha256"]) == (200, *sha256.values())
    reply = http_request(server, "PUT", target, {"x-amz-checksum-algorithm": "SHA256"}, body)
    assert (reply.status, reply.headers["x-amz-checksum-crc64nvme"]) == (200, "qUVrWYOrIAM=")


def test_unknown_checksum_header(server, s3, bucket):
    """SWIFT, test_no_md5_good_sha_unsupported_crc_header"""
    is_error(
        http_request(server, "PUT", f"/{bucket}/k", {"x-amz-checksum-crc33": "AAAA"}, b"x"),
        "InvalidRequest",
        400,
        "The algorithm type you specified in x-amz-checksum- header is invalid.",
    )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


MALFORMED_TRAILER = (
    "The request contained trailing data that was not well-formed or did not conform to our "
    "published schema."
)
CRC32_OF_DATA = checksum("CRC32", b"data")


@pytest.mark.parametrize(
    "names,trailers,code,message",
    [
        ("x-amz-checksum-crc32,", [CRC32_OF_DATA], None, None),
        ("x-amz-checksum-crc32,,", [CRC32_OF_DATA], None, None),
        (
            ",x-amz-checksum-crc32",
            [CRC32_OF_DATA],
            "InvalidRequest",
            "The value specified in the x-amz-trailer header is not supported",
        ),
        ("x-amz-checksum-crc32", ["AAAAAA==", CRC32_OF_DATA], None, None),
        (
            "x-amz-checksum-crc32",
            [CRC32_OF_DATA, "AAAAAA=="],
            "BadDigest",
            "The CRC32 you specified did not match the calculated checksum.",
        ),
        ("x-amz-checksum-crc32c", [CRC32_OF_DATA], "MalformedTrailerError", MALFORMED_TRAILER),
        ("x-amz-checksum-crc32", [], "MalformedTrailerError", MALFORMED_TRAILER),
        (
            "x-amz-checksum-crc32",
            [CRC32_OF_DATA + "\r\nbonus: trailer"],
            "MalformedTrailerError",
            MALFORMED_TRAILER,
        ),
    ],
)
def test_trailers(server, s3, bucket, names, trailers, code, message):
    """SWIFT, test_strm_unsgnd_pyld_trl_*"""
    sent = "".join(f"x-amz-checksum-crc32: {value}\r\n" for value in trailers)
    framed = b"4\r\ndata\r\n0\r\n" + sent.encode() + b"\r\n"
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "4",
        "x-amz-trailer": names,
    }
    reply = http_request(server, "PUT", f"/{bucket}/k", headers, framed)
    if not code:
        assert (reply.status, reply.headers["x-amz-checksum-crc32"]) == (200, CRC32_OF_DATA)
        return
    is_error(reply, code, 400, message)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_trailer_of_a_plain_body(server, bucket):
    """SWIFT, test_no_md5_good_sha_crc_in_trailer_*: no trailer can come; a header is one already"""
    headers = {"x-amz-trailer": "x-amz-checksum-crc32"}
    reply = http_request(server, "PUT", f"/{bucket}/k", headers, b"data")
    is_error(reply, "MalformedTrailerError", 400, MALFORMED_TRAILER)
    for name in ("CRC32", "CRC32C"):
        reply = http_request(
            server, "PUT", f"/{bucket}/k", {**headers, header(name): checksum(name, b"data")}, b"data"
        )
        is_error(reply, "InvalidRequest", 400, "Expecting a single x-amz-checksum- header")


@pytest.mark.parametrize(
    "framed,expected,provided",
    [(b"4\r\ndata\r\n0\r\n\r\n", "2", "4"), (b"1\r\nd\r\n0\r\n3\r\nata\r\n0\r\n\r\n", "4", "1")],
)
def test_chunks_of_another_length(server, s3, bucket, framed, expected, provided):
    """SWIFT, test_strm_unsgnd_pyld_trl_too_many_bytes, _zero_chunk_mid_stream"""
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": expected,
    }
    is_error(
        http_request(server, "PUT", f"/{bucket}/k", headers, framed),
        "IncompleteBody",
        400,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
        NumberBytesExpected=expected,
        NumberBytesProvided=provided,
    )
    headers["x-amz-decoded-content-length"] = "not an int"
    reply = http_request(server, "PUT", f"/{bucket}/k", headers, framed)
    is_error(reply, "MissingContentLength", 411)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_content_encoding_of_a_plain_body(server, bucket):
    """SWIFT, test_no_md5_good_sha_chunk_encoding_declared_ok, _custom_encoding_ok"""
    http_request(server, "PUT", f"/{bucket}/k", {"Content-Encoding": "aws-chunked"}, b"data")
    got = http_request(server, "GET", f"/{bucket}/k")
    assert (got.body, got.headers["content-encoding"]) == (b"data", "aws-chunked")
    value = checksum("CRC32", b"data")
    put_with_trailer(
        server, f"/{bucket}/k", b"data", header("CRC32"), value, **{"Content-Encoding": "a, aws-chunked,b"}
    )
    assert http_request(server, "GET", f"/{bucket}/k").headers["content-encoding"] == "a, b"


def test_default(plain, bucket):
    """aws-recorded: test_s3_checksum_no_automatic_sdk_calculation: CRC64NVME when none is named"""
    put = plain.put_object(Bucket=bucket, Key="k", Body=b"test data..")
    has(put, ChecksumCRC64NVME="qUVrWYOrIAM=", ChecksumType="FULL_OBJECT")
    has(
        plain.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED"),
        ChecksumCRC64NVME="qUVrWYOrIAM=",
    )
    copy = plain.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    has(copy["CopyObjectResult"], ChecksumCRC64NVME="qUVrWYOrIAM=")


def test_mode_is_case_insensitive_or_refused(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = http_request(server, "HEAD", f"/{bucket}/k", {"x-amz-checksum-mode": "enabled"})
    assert "x-amz-checksum-crc32" in reply.headers or reply.status == 400


# ---- multipart ----------------------------------------------------------------------------------


def create(s3, bucket, **options):
    return s3.create_multipart_upload(Bucket=bucket, Key="k", **options)


def put_part(server, bucket, upload, number, body, headers):
    return http_request(
        server, "PUT", f"/{bucket}/k?partNumber={number}&uploadId={upload}", headers, body
    )


def send_parts(server, bucket, upload, algorithm, bodies):
    parts = []
    for number, body in enumerate(bodies, 1):
        value = checksum(algorithm, body)
        reply = put_part(server, bucket, upload, number, body, {header(algorithm): value})
        assert reply.status == 200, reply
        assert reply.headers[header(algorithm)] == value
        parts.append(
            {"PartNumber": number, "ETag": reply.headers["etag"], member(algorithm): value}
        )
    return parts


def complete(s3, bucket, upload, parts, **options):
    return s3.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts}, **options
    )


@pytest.fixture(scope="module")
def bodies():
    """The recorded parts: 5 MiB + 1 of "a" twice, then ten."""
    return [b"a" * (PART + 1), b"a" * (PART + 1), b"a" * 10]


RECORDED_COMPOSITE = {
    "CRC32": "5FRUiw==-3",
    "CRC32C": "XF5+4A==-3",
    "SHA1": "AyE60nyQoBgJcwsyPHWu7aJuxBs=-3",
    "SHA256": "9o++y6AejqboiJ7MZCx0fahK2Vu5YC/qnNhhYsCLciI=-3",
}
RECORDED_FULL = {"CRC32": "qSEQSA==", "CRC32C": "eTdAQA==", "CRC64NVME": "ZMNX55lZurA="}


@pytest.mark.parametrize("algorithm", COMPOSITE)
def test_composite(server, plain, bucket, bodies, algorithm):
    """aws-recorded: test_complete_multipart_parts_checksum_composite"""
    created = create(
        plain, bucket, ChecksumAlgorithm=algorithm, ChecksumType="COMPOSITE"
    )
    has(created, ChecksumAlgorithm=algorithm, ChecksumType="COMPOSITE")
    upload = created["UploadId"]
    parts = send_parts(server, bucket, upload, algorithm, bodies)
    listed = plain.list_parts(Bucket=bucket, Key="k", UploadId=upload)
    has(listed, ChecksumAlgorithm=algorithm, ChecksumType="COMPOSITE")
    assert [p[member(algorithm)] for p in listed["Parts"]] == [
        p[member(algorithm)] for p in parts
    ]

    wrong = [dict(p) for p in parts]
    wrong[1][member(algorithm)] = parts[2][member(algorithm)]
    with refused("InvalidPart", 400, PartNumber="2", UploadId=upload):
        complete(plain, bucket, upload, wrong)
    bare = [{k: p[k] for k in ("PartNumber", "ETag")} for p in parts]
    with refused(
        "InvalidRequest",
        400,
        f"The upload was created using a {algorithm.lower()} checksum. The complete request must "
        "include the checksum for each part. It was missing for part 1 in the request.",
    ):
        complete(plain, bucket, upload, bare)

    expected = composite(algorithm, *bodies)
    if algorithm in RECORDED_COMPOSITE:
        assert expected == RECORDED_COMPOSITE[algorithm]
    done = complete(plain, bucket, upload, parts)
    has(done, **{member(algorithm): expected}, ChecksumType="COMPOSITE")
    has(done, ETag=multipart_etag(*bodies))
    for call in (plain.get_object, plain.head_object):
        reply = call(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        has(reply, **{member(algorithm): expected}, ChecksumType="COMPOSITE")

    attributes = plain.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectParts", "ETag"]
    )
    value = expected.rsplit("-", 1)[0]
    has(attributes["Checksum"], **{member(algorithm): value}, ChecksumType="COMPOSITE")
    found = attributes["ObjectParts"]
    has(found, TotalPartsCount=3, PartNumberMarker=0, NextPartNumberMarker=3, IsTruncated=False)
    assert [(p["PartNumber"], p["Size"], p[member(algorithm)]) for p in found["Parts"]] == [
        (n, len(b), checksum(algorithm, b)) for n, b in enumerate(bodies, 1)
    ]

    part = plain.get_object(Bucket=bucket, Key="k", PartNumber=3, ChecksumMode="ENABLED")
    assert status_of(part) == 206
    has(
        part,
        **{member(algorithm): checksum(algorithm, bodies[2])},
        ChecksumType="COMPOSITE",
        PartsCount=3,
        ContentRange="bytes 10485762-10485771/10485772",
    )
    copy = plain.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    whole = b"".join(bodies)
    has(
        copy["CopyObjectResult"],
        **{member(algorithm): checksum(algorithm, whole)},
        ChecksumType="FULL_OBJECT",
        ETag=etag_of(whole),
    )


@pytest.mark.parametrize("algorithm", FULL_OBJECT)
def test_full_object(server, plain, bucket, bodies, algorithm):
    """aws-recorded: test_complete_multipart_parts_checksum_full_object"""
    created = create(
        plain, bucket, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT"
    )
    has(created, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    upload = created["UploadId"]
    parts = send_parts(server, bucket, upload, algorithm, bodies)
    wrong = [dict(p) for p in parts]
    wrong[2][member(algorithm)] = parts[0][member(algorithm)]
    with refused("InvalidPart", 400, PartNumber="3", UploadId=upload):
        complete(plain, bucket, upload, wrong)
    expected = checksum(algorithm, b"".join(bodies))
    assert expected == RECORDED_FULL[algorithm]
    with refused(
        "BadDigest",
        400,
        f"The {algorithm.lower()} you specified did not match the calculated checksum.",
    ):
        complete(
            plain, bucket, upload, parts, **{member(algorithm): checksum(algorithm, b"other")}
        )
    bare = [{k: p[k] for k in ("PartNumber", "ETag")} for p in parts]
    done = complete(
        plain, bucket, upload, bare, **{member(algorithm): expected}, ChecksumType="FULL_OBJECT"
    )
    has(done, **{member(algorithm): expected}, ChecksumType="FULL_OBJECT")
    for call in (plain.get_object, plain.head_object):
        reply = call(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        has(reply, **{member(algorithm): expected}, ChecksumType="FULL_OBJECT")
    attributes = plain.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectParts"]
    )
    has(attributes["Checksum"], **{member(algorithm): expected}, ChecksumType="FULL_OBJECT")
    assert attributes["ObjectParts"] == {"TotalPartsCount": 3}
    part = plain.get_object(Bucket=bucket, Key="k", PartNumber=3, ChecksumMode="ENABLED")
    has(part, **{member(algorithm): None}, PartsCount=3)
    copy = plain.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    has(copy["CopyObjectResult"], **{member(algorithm): expected}, ChecksumType="FULL_OBJECT")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_type_by_default(plain, bucket, algorithm):
    """aws-recorded: test_multipart_checksum_type_default_for_checksum"""
    created = create(plain, bucket, ChecksumAlgorithm=algorithm)
    expected = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    has(created, ChecksumAlgorithm=algorithm, ChecksumType=expected)
    [listed] = plain.list_multipart_uploads(Bucket=bucket)["Uploads"]
    has(listed, ChecksumAlgorithm=algorithm, ChecksumType=expected)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
def test_type_compatibility(plain, bucket, algorithm, kind):
    """aws-recorded: test_multipart_checksum_type_compatibility. AWS user guide, "Checking object
    integrity": only CRCs can be full-object, CRC64NVME only so."""
    allowed = algorithm in (FULL_OBJECT if kind == "FULL_OBJECT" else COMPOSITE)
    options = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
    if allowed:
        has(create(plain, bucket, **options), **options)
        return
    with refused(
        "InvalidRequest",
        400,
        f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum "
        "algorithm.",
    ):
        create(plain, bucket, **options)


def test_type_without_algorithm(plain, bucket):
    """aws-recorded: test_multipart_parts_checksum_exceptions_composite, _full_object"""
    for kind in ("COMPOSITE", "FULL_OBJECT"):
        with refused(
            "InvalidRequest",
            400,
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm "
            "header.",
        ):
            create(plain, bucket, ChecksumType=kind)


def test_unknown_algorithm(plain, bucket):
    """aws-recorded: test_multipart_parts_checksum_exceptions_composite (recorded when S3 knew five
    algorithms; the list in the message has grown since)"""
    with refused("InvalidRequest", 400) as caught:
        create(plain, bucket, ChecksumAlgorithm="ROT13")
    message = caught.value.response["Error"]["Message"]
    assert message.startswith(
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types:"
    )
    assert all(algorithm in message for algorithm in RECORDED)


def test_part_of_another_algorithm(server, plain, bucket):
    """aws-recorded: test_multipart_parts_checksum_exceptions_composite, _full_object"""
    for algorithm, options in (
        ("SHA256", {"ChecksumType": "COMPOSITE"}),
        ("CRC32C", {"ChecksumType": "FULL_OBJECT"}),
    ):
        upload = create(plain, bucket, ChecksumAlgorithm=algorithm, **options)["UploadId"]
        reply = put_part(
            server, bucket, upload, 1, b"abc", {header("CRC32"): checksum("CRC32", b"abc")}
        )
        is_error(
            reply,
            "InvalidRequest",
            400,
            f"Checksum Type mismatch occurred, expected checksum Type: {algorithm.lower()}, "
            "actual checksum Type: crc32",
        )


def test_composite_refusals(server, plain, bucket):
    """aws-recorded: test_multipart_parts_checksum_exceptions_composite"""
    created = create(plain, bucket, ChecksumAlgorithm="CRC32", ChecksumType="COMPOSITE")
    upload = created["UploadId"]
    reply = put_part(server, bucket, upload, 1, b"abc", {header("CRC32"): "NSRBwg=="})
    assert reply.headers["x-amz-checksum-crc32"] == "NSRBwg=="
    etag = reply.headers["etag"]
    with refused(
        "BadDigest", 400, "The sha256 you specified for part 1 did not match what we received."
    ):
        complete(
            plain,
            bucket,
            upload,
            [{"PartNumber": 1, "ETag": etag, "ChecksumSHA256": checksum("SHA256", b"abc")}],
        )
    with refused(
        "InvalidRequest",
        400,
        "The upload was created using the COMPOSITE checksum mode. The complete request must use "
        "the same checksum mode.",
    ):
        complete(
            plain,
            bucket,
            upload,
            [{"PartNumber": 1, "ETag": etag, "ChecksumCRC32": "NSRBwg=="}],
            ChecksumType="FULL_OBJECT",
        )


def test_full_object_refusals(server, plain, bucket):
    """aws-recorded: test_multipart_parts_checksum_exceptions_full_object"""
    created = create(plain, bucket, ChecksumAlgorithm="CRC32C", ChecksumType="FULL_OBJECT")
    upload = created["UploadId"]
    reply = put_part(server, bucket, upload, 1, b"abc", {})
    assert reply.headers["x-amz-checksum-crc32c"] == "Nks/tw=="
    parts = [{"PartNumber": 1, "ETag": reply.headers["etag"]}]
    with refused(
        "InvalidRequest",
        400,
        "The upload was created using the FULL_OBJECT checksum mode. The complete request must "
        "use the same checksum mode.",
    ):
        complete(plain, bucket, upload, parts, ChecksumType="COMPOSITE")
    with refused(
        "BadDigest", 400, "The crc32c you specified did not match the calculated checksum."
    ):
        complete(plain, bucket, upload, parts, ChecksumCRC32C=checksum("CRC32C", b"other"))
    done = complete(
        plain, bucket, upload, parts, ChecksumCRC32C="Nks/tw==", ChecksumType="FULL_OBJECT"
    )
    has(done, ChecksumCRC32C="Nks/tw==", ETag='"af5da9f45af7a300e3aded972f8ff687-1"')


def test_upload_without_algorithm(server, plain, bucket):
    """aws-recorded: test_complete_multipart_parts_checksum_default"""
    created = create(plain, bucket)
    has(created, ChecksumAlgorithm=None, ChecksumType=None)
    upload = created["UploadId"]
    value = checksum("CRC32C", b"aaa")
    assert value == "45fn2Q=="
    reply = put_part(server, bucket, upload, 1, b"aaa", {header("CRC32C"): value})
    assert reply.headers[header("CRC32C")] == value
    etag = reply.headers["etag"]
    listed = plain.list_parts(Bucket=bucket, Key="k", UploadId=upload)
    has(listed, ChecksumAlgorithm=None)
    has(listed["Parts"][0], ChecksumCRC32C=None)
    for named in (value, checksum("CRC32C", b"other")):
        with refused("InvalidPart", 400, PartNumber="1", UploadId=upload):
            complete(
                plain, bucket, upload, [{"PartNumber": 1, "ETag": etag, "ChecksumCRC32C": named}]
            )
    for kind in ("FULL_OBJECT", "COMPOSITE"):
        with refused(
            "InvalidRequest",
            400,
            "The upload was created using the null checksum mode. The complete request must use "
            "the same checksum mode.",
        ):
            complete(
                plain, bucket, upload, [{"PartNumber": 1, "ETag": etag}], ChecksumType=kind
            )
    parts = [{"PartNumber": 1, "ETag": etag}]
    with refused("BadDigest", 400):
        complete(plain, bucket, upload, parts, ChecksumCRC64NVME=checksum("CRC64NVME", b"other"))
    # Swift's tests, which run against Amazon too: test_good_md5_good_sha_bad_crc_header_mpu
    done = complete(plain, bucket, upload, parts, ChecksumCRC32=checksum("CRC32", b"other"))
    has(done, ChecksumCRC64NVME="Rnr2/5P7Gsk=", ChecksumType="FULL_OBJECT")
    has(done, ETag='"e2c3da976e66ec9e7dc128fbc782fc91-1"')


def test_default_of_many_parts(server, plain, bucket, bodies):
    """Without an algorithm the object's CRC64NVME is combined from its parts'."""
    upload = create(plain, bucket)["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        reply = put_part(server, bucket, upload, number, body, {})
        parts.append({"PartNumber": number, "ETag": reply.headers["etag"]})
    done = complete(plain, bucket, upload, parts)
    has(done, ChecksumCRC64NVME=RECORDED_FULL["CRC64NVME"], ChecksumType="FULL_OBJECT")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_part_refusals(server, plain, bucket, algorithm):
    """aws-recorded: test_multipart_upload_part_checksum_exception"""
    upload = create(plain, bucket)["UploadId"]
    is_error(
        put_part(server, bucket, upload, 1, b"abc", {header(algorithm): "test"}),
        "InvalidRequest",
        400,
        f"Value for {header(algorithm)} header is invalid.",
    )
    wrong = checksum(algorithm, b"other")
    is_error(
        put_part(server, bucket, upload, 1, b"abc", {header(algorithm): wrong}),
        "BadDigest",
        400,
        f"The {algorithm} you specified did not match the calculated checksum.",
    )
    has(plain.list_parts(Bucket=bucket, Key="k", UploadId=upload), Parts=None)


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
def test_part_copy(plain, bucket, kind):
    """aws-recorded: test_multipart_upload_part_copy_checksum"""
    plain.put_object(Bucket=bucket, Key="source", Body=b"this is a part")
    upload = create(plain, bucket, ChecksumAlgorithm="CRC32C", ChecksumType=kind)["UploadId"]
    copied = plain.upload_part_copy(
        Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, CopySource=f"{bucket}/source"
    )["CopyPartResult"]
    has(copied, ChecksumCRC32C="iqJrOQ==", ETag='"11df95d595559285eb2b042124e74f09"')
    part = {"PartNumber": 1, "ETag": copied["ETag"], "ChecksumCRC32C": "iqJrOQ=="}
    done = complete(plain, bucket, upload, [part])
    expected = "F9bAnw==-1" if kind == "COMPOSITE" else "iqJrOQ=="
    has(done, ChecksumCRC32C=expected, ChecksumType=kind)


@pytest.mark.parametrize("kind,whole", [("COMPOSITE", "sZB91Q==-1"), ("FULL_OBJECT", "fwuu0Q==")])
def test_checksum_by_part(server, plain, bucket, kind, whole):
    """aws-recorded: test_get_object_part_checksum"""
    upload = create(plain, bucket, ChecksumAlgorithm="CRC32C", ChecksumType=kind)["UploadId"]
    parts = send_parts(server, bucket, upload, "CRC32C", [b"test content 123"])
    has(complete(plain, bucket, upload, parts), ChecksumCRC32C=whole, ChecksumType=kind)
    for call in (plain.head_object, plain.get_object):
        reply = call(Bucket=bucket, Key="k", PartNumber=1, ChecksumMode="ENABLED")
        has(reply, ChecksumCRC32C="fwuu0Q==", ChecksumType=kind, PartsCount=1)
        has(reply, ContentRange="bytes 0-15/16")


def test_boto3_default_multipart(s3, bucket):
    """What the transfer manager does by default: CRC32, composite."""
    upload = create(s3, bucket, ChecksumAlgorithm="CRC32")["UploadId"]
    body = os.urandom(100)
    reply = s3.upload_part(
        Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=body, ChecksumAlgorithm="CRC32"
    )
    part = {"PartNumber": 1, "ETag": reply["ETag"], "ChecksumCRC32": reply["ChecksumCRC32"]}
    has(complete(s3, bucket, upload, [part]), ChecksumCRC32=composite("CRC32", body))


# ---- copies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [a for a in ALGORITHMS if a != "MD5"])
def test_copy_keeps_or_changes(s3, bucket, algorithm):
    """aws-recorded: test_s3_copy_object_with_checksum, test_s3_copy_object_with_default_checksum"""
    body = b'{"key": "value"}'
    s3.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm=algorithm)
    expected = {member(algorithm): checksum(algorithm, body), "ChecksumType": "FULL_OBJECT"}
    kept = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    has(kept["CopyObjectResult"], **expected)
    s3.put_object(Bucket=bucket, Key="plain", Body=body)
    changed = s3.copy_object(
        Bucket=bucket, Key="changed", CopySource=f"{bucket}/plain", ChecksumAlgorithm=algorithm
    )
    has(changed["CopyObjectResult"], **expected)
    attributes = s3.get_object_attributes(
        Bucket=bucket, Key="changed", ObjectAttributes=["Checksum"]
    )
    assert attributes["Checksum"] == expected


def test_digest_of_documents(server, s3, bucket):
    """Small documents are checked as bodies are."""
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    for algorithm in ALGORITHMS:
        wrong = {header(algorithm): checksum(algorithm, b"other")}
        is_error(
            http_request(server, "PUT", f"/{bucket}?versioning", wrong, body), "BadDigest", 400
        )
        right = {header(algorithm): checksum(algorithm, body)}
        assert http_request(server, "PUT", f"/{bucket}?versioning", right, body).status == 200


def test_struct_of_xxhash():
    """awscrt gives XXHASH digests in network order: the published XXH64 of nothing."""
    assert DIGEST["XXHASH64"](b"") == struct.pack(">Q", 0xEF46DB3751D8E999)
    assert DIGEST["XXHASH3"](b"") == struct.pack(">Q", 0x2D06800538D394C2)


def test_checksum_header_of_range(s3, bucket):
    """aws-recorded: test_get_object_range (get-0-8-checksum): none with a partial reply"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="k", Range="bytes=0-8", ChecksumMode="ENABLED")
    assert header_of(got, "x-amz-checksum-crc32") is None
    assert header_of(got, "x-amz-checksum-type") is None
