# SPDX-License-Identifier: MIT
"""What Amazon answers about checksums and encryption beside the usual: which of several faults is named,
what an upload takes back, ETags under keys. Each test names where the answer was recorded or measured."""

import base64
import hashlib

import pytest

from harness import (client, etag_of, has, http_request, is_error, keys_of, multipart_etag,
                     refused)

CRC32 = "x-amz-checksum-crc32"
CRC64 = "x-amz-checksum-crc64nvme"
SHA256 = "x-amz-checksum-sha256"
ABC = {CRC32: "NSRBwg==", "x-amz-checksum-crc32c": "Nks/tw==",
       SHA256: "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="}  # of b"abc"; the CRCs as recorded
SEVERAL = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
KEY = b"1234567890abcdef1234567890abcdef"


@pytest.fixture
def plain(server):
    """Adds no checksums by itself."""
    return client(server, config={"request_checksum_calculation": "when_required",
                                  "response_checksum_validation": "when_required"})


class Upload:
    """A multipart upload of the key k over raw HTTP."""

    def __init__(self, server, bucket, **headers):
        self.server, self.path = server, f"/{bucket}/k"
        named = {f"x-amz-{name.replace('_', '-')}": value for name, value in headers.items()}
        reply = self.created = http_request(server, "POST", f"{self.path}?uploads", named, b"")
        assert reply.status == 200, reply
        self.id = reply.xml.findtext("UploadId")

    def put(self, number, body, headers=None):
        return http_request(self.server, "PUT", f"{self.path}?partNumber={number}&uploadId={self.id}",
                            headers, body)

    def complete(self, *parts, **headers):
        """parts: (number, etag, "<ChecksumX>..." or nothing)"""
        listed = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{''.join(sums)}</Part>"
                         for number, etag, *sums in parts)
        named = {f"x-amz-{name.replace('_', '-')}": value for name, value in headers.items()}
        return http_request(self.server, "POST", f"{self.path}?uploadId={self.id}", named,
                            f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode())


# ---- one checksum, and which fault is named first -----------------------------------------------


@pytest.mark.parametrize("values", [("NSRBwg==", ABC[SHA256]), ("", ""), ("x", ABC[SHA256]), ("NSRBwg==", "x")])
def test_the_number_of_checksums_comes_first(server, s3, bucket, values):
    """versitygw issues 1186 and 1188: "even if they are empty" """
    both = dict(zip((CRC32, SHA256), values))
    is_error(http_request(server, "PUT", f"/{bucket}/k", both, b"abc"), "InvalidRequest", 400, SEVERAL)
    upload = Upload(server, bucket, checksum_algorithm="CRC32")
    is_error(upload.put(1, b"abc", both), "InvalidRequest", 400, SEVERAL)
    document = b"<Delete><Object><Key>k</Key></Object></Delete>"
    is_error(http_request(server, "POST", f"/{bucket}?delete", both, document), "InvalidRequest", 400, SEVERAL)
    # versitygw, CompleteMultipartUpload_multiple_final_checksums
    part = upload.put(1, b"abc", {CRC32: ABC[CRC32]}).headers["etag"]
    reply = upload.complete((1, part), checksum_crc32=values[0], checksum_sha256=values[1])
    is_error(reply, "InvalidRequest", 400, SEVERAL)
    form = (b"--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n" +
            b"".join(f"--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n".encode()
                     for name, value in both.items()) +
            b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc\r\n--b--\r\n")
    reply = http_request(server, "POST", f"/{bucket}", {"Content-Type": "multipart/form-data; boundary=b"}, form)
    is_error(reply, "InvalidRequest", 400, SEVERAL)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_algorithms_that_are_none(server, s3, bucket):
    """Recorded while there were five (test_multipart_parts_checksum_exceptions_composite), and four (Swift's
    tests): in the order of the alphabet. That the ten of today are, too, is inferred."""
    message = ("Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
               "[CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]")
    s3.put_object(Bucket=bucket, Key="src", Body=b"abc")
    for method, target, headers, body in (
            ("POST", f"/{bucket}/k?uploads", {"x-amz-checksum-algorithm": "crc16"}, b""),
            ("PUT", f"/{bucket}/k", {"x-amz-sdk-checksum-algorithm": "crc16", CRC32: ABC[CRC32]}, b"abc"),
            ("PUT", f"/{bucket}/k", {"x-amz-copy-source": f"{bucket}/src",
                                     "x-amz-checksum-algorithm": "crc16"}, None)):
        is_error(http_request(server, method, target, headers, body), "InvalidRequest", 400, message)


# ---- parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["SHA256", "CRC32", "CRC32C", "SHA1", "SHA512", "MD5", "XXHASH3"])
def test_composite_parts_bring_their_checksum(server, bucket, algorithm):
    """versitygw issue 1342 ("the correct error"), its UploadPart_no_checksum_with_composite_checksum_type"""
    upload = Upload(server, bucket, checksum_algorithm=algorithm, checksum_type="COMPOSITE")
    is_error(upload.put(1, b"abc"), "InvalidRequest", 400,
             f"Checksum Type mismatch occurred, expected checksum Type: {algorithm.lower()}, "
             "actual checksum Type: null")
    if CRC32.endswith(algorithm.lower()):  # in a trailer it comes, too
        body = b"3\r\nabc\r\n0\r\n" + CRC32.encode() + b":" + ABC[CRC32].encode() + b"\r\n\r\n"
        reply = upload.put(1, body, {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                                     "Content-Encoding": "aws-chunked", "x-amz-trailer": CRC32,
                                     "x-amz-decoded-content-length": "3"})
        assert reply.headers[CRC32] == ABC[CRC32]


@pytest.mark.parametrize("name", [CRC32, "x-amz-checksum-crc32c", CRC64])
def test_full_object_parts_are_computed(server, bucket, name):
    """aws-recorded: test_multipart_parts_checksum_exceptions_full_object, upload-part-no-checksum-ok"""
    upload = Upload(server, bucket, checksum_algorithm=name.rsplit("-", 1)[1], checksum_type="FULL_OBJECT")
    reply = upload.put(1, b"abc")
    assert reply.status == 200 and len(reply.headers[name]) in (8, 12)
    assert reply.headers[name] == ABC.get(name, reply.headers[name])


def test_an_upload_takes_back_what_it_gave(server, s3, bucket):
    """minio-go (PutObject, without TrailingHeaders) sends no checksums, keeps the x-amz-checksum-crc64nvme of
    UploadPart's reply and lists it in CompleteMultipartUpload."""
    upload = Upload(server, bucket)
    first = upload.put(1, b"a" * (5 << 20))
    last = upload.put(2, b"abc")
    listed = [(n, r.headers["etag"], f"<ChecksumCRC64NVME>{r.headers[CRC64]}</ChecksumCRC64NVME>")
              for n, r in ((1, first), (2, last))]
    other = f"<ChecksumCRC64NVME>{first.headers[CRC64]}</ChecksumCRC64NVME>"
    is_error(upload.complete(listed[0], (2, last.headers["etag"], other)), "InvalidPart", 400, PartNumber="2")
    # Another algorithm than its own is not taken back (aws-recorded:
    # test_complete_multipart_parts_checksum_default).
    crc32 = f"<ChecksumCRC32>{ABC[CRC32]}</ChecksumCRC32>"
    is_error(upload.complete(listed[0], (2, last.headers["etag"], crc32)), "InvalidPart", 400, PartNumber="2")
    reply = upload.complete(*listed)
    assert reply.status == 200, reply
    assert reply.xml.findtext("ChecksumType") == "FULL_OBJECT"
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == (5 << 20) + 3


@pytest.mark.parametrize("algorithm", [{}, {"checksum_algorithm": "CRC32"}])
def test_a_listed_part_has_one_checksum(server, bucket, algorithm):
    """Swift's tests, which run against Amazon (test_s3_mpu, test_mpu_complete_invalid_part_checksum), give the
    whole answer; versitygw's CompleteMultipartUpload_multiple_checksum_part has the right and the wrong one."""
    upload = Upload(server, bucket, **algorithm)
    etag = upload.put(1, b"abc", {CRC32: ABC[CRC32]} if algorithm else None).headers["etag"]
    right = f"<ChecksumCRC32>{ABC[CRC32]}</ChecksumCRC32>"
    wrong = "<ChecksumSHA1>Kq5sNclPz7QV2+lfQIuc6R7oRu0=</ChecksumSHA1>"
    for sums, value in (((right, wrong), f"CRC32:{ABC[CRC32]};SHA1:Kq5sNclPz7QV2+lfQIuc6R7oRu0=;"),
                        ((right, right), ...),
                        (("<ChecksumCRC32>invalid_checksum</ChecksumCRC32>",), "CRC32:invalid_checksum;"),
                        (("<ChecksumCRC32>AAAA</ChecksumCRC32>",), "CRC32:AAAA;"),
                        (("<ChecksumCRC32/>",), "CRC32:;")):
        is_error(upload.complete((1, etag, *sums)), "InvalidArgument", 400,
                 "Invalid Base64 or multiple checksums present in request",
                 ArgumentName="Checksum", ArgumentValue=value)


# ---- the whole ----------------------------------------------------------------------------------


def test_a_full_object_checksum_needs_its_type(server, bucket):
    """aws-recorded: test_multipart_parts_checksum_exceptions_full_object, complete-part-good-checksum-no-type"""
    upload = Upload(server, bucket, checksum_algorithm="CRC32C", checksum_type="FULL_OBJECT")
    etag = upload.put(1, b"abc").headers["etag"]
    is_error(upload.complete((1, etag), checksum_crc32c="Nks/tw=="), "BadDigest", 400,
             "The crc32c you specified did not match the calculated checksum.")
    reply = upload.complete((1, etag), checksum_crc32c="Nks/tw==", checksum_type="FULL_OBJECT")
    assert reply.xml.findtext("ChecksumCRC32C") == "Nks/tw=="


def test_the_usual_type_needs_no_name(server, bucket):
    """That of CRC64NVME is FULL_OBJECT, that of the others COMPOSITE (aws-recorded:
    test_multipart_checksum_type_default_for_checksum), with or without the number of parts (minio issue
    19670)."""
    upload = Upload(server, bucket, checksum_algorithm="CRC64NVME")
    part = upload.put(1, b"abc")
    reply = upload.complete((1, part.headers["etag"]), checksum_crc64nvme=part.headers[CRC64])
    assert reply.status == 200, reply
    digest = base64.b64encode(hashlib.sha256(hashlib.sha256(b"abc").digest()).digest()).decode()
    for suffix, status in (("-2", 400), ("-0", 400), ("", 200), ("-1", 200)):
        upload = Upload(server, bucket, checksum_algorithm="SHA256")
        etag = upload.put(1, b"abc", {SHA256: ABC[SHA256]}).headers["etag"]
        part = (1, etag, f"<ChecksumSHA256>{ABC[SHA256]}</ChecksumSHA256>")
        reply = upload.complete(part, checksum_sha256=digest + suffix)
        assert reply.status == status, (suffix, reply)


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
@pytest.mark.parametrize("value", ["invalid_crc32", "", "AAAA", "NSRBwg==-smth", "NSRBwg==-12a",
                                   "NSRBwg==-10-20", "NSRBwg==--3", "NSRBwg==-"])
def test_a_final_checksum_that_is_none(server, bucket, kind, value):
    """versitygw's CompleteMultipartUpload_invalid_final_checksums and _invalid_final_composite_checksum"""
    upload = Upload(server, bucket, checksum_algorithm="CRC32", checksum_type=kind)
    etag = upload.put(1, b"abc", {CRC32: ABC[CRC32]}).headers["etag"]
    reply = upload.complete((1, etag, f"<ChecksumCRC32>{ABC[CRC32]}</ChecksumCRC32>"), checksum_crc32=value)
    is_error(reply, "InvalidRequest", 400, "Value for x-amz-checksum-crc32 header is invalid.")


def test_checksum_types_in_any_case(server, bucket):
    """versitygw issue 1339; its CreateMultipartUpload_valid_algo_type and _invalid_checksum_type,
    CompleteMultipartUpload_invalid_checksum_type"""
    upload = Upload(server, bucket, checksum_algorithm="crC32", checksum_type="comPOSite")
    assert upload.created.headers["x-amz-checksum-type"] == "COMPOSITE"
    assert upload.created.headers["x-amz-checksum-algorithm"] == "CRC32"
    etag = upload.put(1, b"abc", {CRC32: ABC[CRC32]}).headers["etag"]
    part = (1, etag, f"<ChecksumCRC32>{ABC[CRC32]}</ChecksumCRC32>")
    invalid = "Value for x-amz-checksum-type header is invalid."
    for wrong in ("foo", ""):
        is_error(upload.complete(part, checksum_type=wrong), "InvalidRequest", 400, invalid)
        for algorithm in ({}, {"x-amz-checksum-algorithm": "CRC32"}):
            headers = {"x-amz-checksum-type": wrong, **algorithm}
            is_error(http_request(server, "POST", f"/{bucket}/k?uploads", headers, b""),
                     "InvalidRequest", 400, invalid)
    is_error(upload.complete(part, checksum_type="full_OBJECT"), "InvalidRequest", 400,
             "The upload was created using the COMPOSITE checksum mode. The complete request must use the same "
             "checksum mode.")
    assert upload.complete(part, checksum_type="composite").status == 200


@pytest.mark.parametrize("value, message", [
    ("-1", "Value for x-amz-mp-object-size header is less than zero: '-1'"),
    ("size", "Value for x-amz-mp-object-size header is invalid: 'size'"),
    ("", "Value for x-amz-mp-object-size header is invalid: ''"),
    ("5", "The provided 'x-amz-mp-object-size' header value 5 does not match what was computed: 3"),
])
def test_sizes_of_the_whole(server, bucket, value, message):
    """versitygw issue 1398 (measured) and its CompleteMultipartUpload_mpu_object_size; aws-recorded:
    test_multipart_size_validation"""
    upload = Upload(server, bucket)
    etag = upload.put(1, b"abc").headers["etag"]
    is_error(upload.complete((1, etag), mp_object_size=value), "InvalidRequest", 400, message)
    assert upload.complete((1, etag), mp_object_size="3").status == 200


# ---- keys ---------------------------------------------------------------------------------------


def customer(key=KEY, md5_of=None):
    """SSE-C headers as they go over the wire."""
    sse = "x-amz-server-side-encryption-customer-"
    digest = hashlib.md5(key if md5_of is None else md5_of).digest()
    return {f"{sse}algorithm": "AES256", f"{sse}key": base64.b64encode(key).decode(),
            f"{sse}key-MD5": base64.b64encode(digest).decode()}


WRONG_KEY = ("Requests specifying Server Side Encryption with Customer provided keys must provide the correct "
             "secret key.")
INVALID_KEY = "The secret key was invalid for the specified algorithm."
WRONG_DIGEST = "The calculated MD5 hash of the key did not match the hash that was provided."


@pytest.mark.parametrize("headers, status, message", [
    (customer(base64.b64encode(KEY)), 403, WRONG_KEY),  # what boto3 makes of a key in base64
    (customer(b"x" * 300), 403, WRONG_KEY),
    (customer(b"x" * 32), 403, WRONG_KEY),
    (customer(KEY[:10]), 400, INVALID_KEY),
    (customer(KEY, b"other"), 400, WRONG_DIGEST),
    (customer(KEY[:24], b"other"), 400, WRONG_DIGEST),
])
def test_reading_with_another_key(server, bucket, headers, status, message):
    """aws-recorded: test_object_retrieval_sse_c. Digests before lengths: aws-sdk-go issue 1726, aws-cli issue
    6906."""
    code = "AccessDenied" if status == 403 else "InvalidArgument"
    assert http_request(server, "PUT", f"/{bucket}/k", customer(), b"data").status == 200
    is_error(http_request(server, "GET", f"/{bucket}/k", headers), code, status, message)
    assert http_request(server, "HEAD", f"/{bucket}/k", headers).status == status
    attributes = {**headers, "x-amz-object-attributes": "ETag"}
    is_error(http_request(server, "GET", f"/{bucket}/k?attributes", attributes), code, status, message)
    source = {"x-amz-copy-source": f"{bucket}/k",
              **{k.replace("x-amz-", "x-amz-copy-source-"): v for k, v in headers.items()}}
    is_error(http_request(server, "PUT", f"/{bucket}/copy", source), code, status, message)
    if message != WRONG_KEY:  # a write takes any key of 32 bytes
        is_error(http_request(server, "PUT", f"/{bucket}/k", headers, b"data"), code, status, message)
    elif len(headers["x-amz-server-side-encryption-customer-key"]) != 44:
        is_error(http_request(server, "PUT", f"/{bucket}/k", headers, b"data"), "InvalidArgument", 400,
                 INVALID_KEY)


ENCRYPTIONS = [{"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "aws:kms:dsse"},
               {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": KEY}]


def reading(encryption):
    return {k: v for k, v in encryption.items() if k.startswith("SSECustomer")}


@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_etags_under_keys(server, s3, bucket, encryption):
    """AWS API Object, ETag: no MD5 of the data under SSE-C and SSE-KMS. aws-recorded: another one each time
    (test_object_retrieval_sse_c, test_sse_c_with_versioning), while checksums are of the data."""
    key, at = reading(encryption), {"Bucket": bucket, "Key": "k"}
    md5 = base64.b64encode(hashlib.md5(b"data").digest()).decode()
    puts = [s3.put_object(**at, Body=b"data", ContentMD5=md5, **encryption) for _ in range(2)]
    etag = puts[1]["ETag"]
    assert len({puts[0]["ETag"], etag, etag_of(b"data")}) == 3
    with refused("BadDigest", 400):
        s3.put_object(**at, Body=b"other", ContentMD5=md5, **encryption)
    assert s3.head_object(**at, **key)["ETag"] == etag
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"] == etag
    attributes = {"x-amz-object-attributes": "ETag", **(customer() if key else {})}
    reply = http_request(server, "GET", f"/{bucket}/k?attributes", attributes)
    assert reply.xml.findtext("ETag") == etag.strip('"')
    assert s3.get_object(**at, IfMatch=etag, **key)["Body"].read() == b"data"
    with refused("PreconditionFailed", 412):
        s3.get_object(**at, IfMatch=etag_of(b"data"), **key)
    s3.put_object_tagging(**at, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.head_object(**at, **key)["ETag"] == etag
    assert s3.put_object(**at, Body=b"new", IfMatch=etag, **encryption)["ETag"] != etag
    with refused("PreconditionFailed", 412):
        s3.delete_object(**at, IfMatch=etag)


@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_etags_of_copies(s3, bucket, encryption):
    """aws-recorded: test_s3_copy_object_in_place_with_encryption, test_copy_object_with_sse_c,
    test_copy_object_kms"""
    source = {f"CopySource{k}": v for k, v in reading(encryption).items()}
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"test", **encryption)["ETag"]
    s3.put_object(Bucket=bucket, Key="plain", Body=b"test")
    to_plain = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k", **source)
    has(to_plain["CopyObjectResult"], ETag='"098f6bcd4621d373cade4e832627b4f6"', ChecksumCRC32="2H9+DA==")
    for name, keys in (("k", source), ("plain", {})):
        copy = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/{name}", **keys, **encryption)
        assert copy["CopyObjectResult"]["ETag"] not in (etag, etag_of(b"test"))
        has(copy["CopyObjectResult"], ChecksumCRC32="2H9+DA==")


@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_etags_of_parts(s3, plain, bucket, encryption):
    """aws-recorded: test_multipart_upload_sse_c: parts with the same bytes have ETags of their own, and the
    object's is the MD5 of those, as without a key. test_s3_multipart_upload_sse: Complete tells no checksum
    that was not asked for, GetObject does under a key of KMS."""
    key, at, body = reading(encryption), {"Bucket": bucket, "Key": "k"}, b"a" * (5 << 20)
    upload = {**at, "UploadId": plain.create_multipart_upload(**at, **encryption)["UploadId"]}
    first = [plain.upload_part(**upload, PartNumber=n, Body=body, **key)["ETag"] for n in (1, 2)]
    s3.put_object(Bucket=bucket, Key="src", Body=b"test")
    source = f"{bucket}/src"
    first.append(plain.upload_part_copy(**upload, PartNumber=3, CopySource=source, **key)["CopyPartResult"]["ETag"])
    assert len({*first, etag_of(body), etag_of(b"test")}) == 5
    assert [p["ETag"] for p in plain.list_parts(**upload)["Parts"]] == first
    parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(first, 1)]
    with refused("InvalidPart", 400):
        plain.complete_multipart_upload(**upload, MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": etag_of(body)}, *parts[1:]]})
    for _ in range(2):  # the second time from the object
        done = plain.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        digest = hashlib.md5(b"".join(bytes.fromhex(etag.strip('"')) for etag in first)).hexdigest()
        has(done, ETag=f'"{digest}-3"', ChecksumCRC64NVME=None, ChecksumType=None)
    got = s3.head_object(**at, ChecksumMode="ENABLED", **key)
    assert got["ETag"] == done["ETag"] != multipart_etag(body, body, b"test")
    has(got, ChecksumCRC64NVME=None if key else ...)


def test_a_checksum_asked_for_is_told_under_a_key(s3, bucket):
    """The counterpart of test_s3_multipart_upload_sse: there is no recording that hides this one."""
    at = {"Bucket": bucket, "Key": "k"}
    upload = {**at, "UploadId": s3.create_multipart_upload(**at, ServerSideEncryption="aws:kms",
                                                           ChecksumAlgorithm="SHA256")["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"abc", ChecksumAlgorithm="SHA256")
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [
        {"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]})
    assert done["ChecksumSHA256"].endswith("-1")


def test_a_form_under_a_key(server, s3, bucket):
    """AWS, POST Object: "If you use SSE-C, the ETag value [...] is not the MD5 of the object"; KMS alike."""
    form = (b"--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n"
            b"--b\r\nContent-Disposition: form-data; name=\"x-amz-server-side-encryption\"\r\n\r\naws:kms\r\n"
            b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\ndata\r\n--b--\r\n")
    reply = http_request(server, "POST", f"/{bucket}", {"Content-Type": "multipart/form-data; boundary=b"}, form)
    assert reply.status == 204, reply
    assert reply.headers["etag"] == s3.head_object(Bucket=bucket, Key="k")["ETag"] != etag_of(b"data")
