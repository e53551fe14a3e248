# SPDX-License-Identifier: MIT
"""Multipart uploads: create, parts, copies of parts, complete, abort, list."""

import os
import threading

import pytest

from harness import (
    MIB,
    PART,
    etag_of,
    has,
    http_request,
    is_error,
    keys_of,
    multipart,
    multipart_etag,
    refused,
    status_of,
    upload_parts,
)

NO_SUCH_UPLOAD = (
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
    "been aborted or completed."
)
INVALID_PART = (
    "One or more of the specified parts could not be found.  The part may not have been "
    "uploaded, or the specified entity tag may not match the part's entity tag."
)


def create(s3, bucket, key="k", **options):
    return s3.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]


def complete(s3, bucket, upload, parts, key="k", **options):
    return s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **options
    )


def put_part(s3, bucket, upload, number, body, key="k", **options):
    return s3.upload_part(
        Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body, **options
    )


# ---- the whole way ------------------------------------------------------------------------------


def test_life_of_an_upload(s3, bucket):
    """aws-recorded: test_multipart_and_list_parts"""
    key, body = "test-list-parts", b"upload-part-1" * 5
    created = s3.create_multipart_upload(Bucket=bucket, Key=key)
    has(created, Bucket=bucket, Key=key, ServerSideEncryption="AES256", UploadId=...)
    upload = created["UploadId"]
    at = {"Bucket": bucket, "Key": key, "UploadId": upload}
    listed = s3.list_parts(**at)
    has(
        listed,
        Bucket=bucket,
        Key=key,
        UploadId=upload,
        IsTruncated=False,
        MaxParts=1000,
        PartNumberMarker=0,
        NextPartNumberMarker=0,
        Parts=None,
        StorageClass="STANDARD",
        ChecksumAlgorithm=None,
    )
    assert listed["Initiator"]["ID"] and listed["Owner"]["ID"]
    uploads = s3.list_multipart_uploads(Bucket=bucket)
    has(uploads, NextKeyMarker=key, NextUploadIdMarker=upload, IsTruncated=False)
    assert [u["UploadId"] for u in uploads["Uploads"]] == [upload]

    part = s3.upload_part(**at, PartNumber=1, Body=body)
    has(part, ETag='"3237c18681adb6a9d843c733ce249480"', ChecksumCRC32="axEe0A==")
    listed = s3.list_parts(**at)
    has(listed, NextPartNumberMarker=1)
    [only] = listed["Parts"]
    has(only, PartNumber=1, Size=65, ETag=part["ETag"], LastModified=..., ChecksumCRC32=None)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []

    done = s3.complete_multipart_upload(
        **at, MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    )
    has(
        done,
        Bucket=bucket,
        Key=key,
        ETag='"e747540af6911dbc890f8d3e0b48549b-1"',
        ChecksumCRC64NVME="CTXktO4pIQs=",
        ChecksumType="FULL_OBJECT",
        ServerSideEncryption="AES256",
    )
    assert done["Location"].endswith(f"/{key}")
    with refused("NoSuchUpload", 404, NO_SUCH_UPLOAD, UploadId=upload):
        s3.list_parts(**at)
    uploads = s3.list_multipart_uploads(Bucket=bucket)
    has(uploads, Uploads=None, NextKeyMarker="", NextUploadIdMarker="")
    head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    has(head, ChecksumCRC64NVME="CTXktO4pIQs=", ContentLength=65, ETag=done["ETag"])
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body


def test_three_parts(s3, bucket):
    parts = [os.urandom(PART), os.urandom(PART + 1), os.urandom(100)]
    done = multipart(s3, bucket, "k", parts)
    has(done, ETag=multipart_etag(*parts))
    got = s3.get_object(Bucket=bucket, Key="k")
    has(got, ContentLength=sum(map(len, parts)), ETag=multipart_etag(*parts))
    assert got["Body"].read() == b"".join(parts)
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    has(listed, Size=sum(map(len, parts)), ETag=multipart_etag(*parts))


def test_upload_carries_what_create_said(s3, bucket):
    """Headers and metadata come from CreateMultipartUpload."""
    import datetime

    upload = create(
        s3,
        bucket,
        ContentType="text/plain",
        ContentEncoding="gzip",
        ContentDisposition="inline",
        ContentLanguage="de",
        CacheControl="no-store",
        Expires=datetime.datetime(2030, 1, 1),
        Metadata={"a": "b"},
        StorageClass="STANDARD_IA",
        Tagging="t=1&u=2",
        WebsiteRedirectLocation="/elsewhere",
    )
    uploads = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    has(uploads[0], StorageClass="STANDARD_IA")
    part = put_part(s3, bucket, upload, 1, b"x")
    complete(s3, bucket, upload, [{"PartNumber": 1, "ETag": part["ETag"]}])
    has(
        s3.head_object(Bucket=bucket, Key="k"),
        ContentType="text/plain",
        ContentEncoding="gzip",
        ContentDisposition="inline",
        ContentLanguage="de",
        CacheControl="no-store",
        ExpiresString="Tue, 01 Jan 2030 00:00:00 GMT",
        Metadata={"a": "b"},
        StorageClass="STANDARD_IA",
        WebsiteRedirectLocation="/elsewhere",
    )
    tags = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert tags == [{"Key": "t", "Value": "1"}, {"Key": "u", "Value": "2"}]


def test_overwrites_a_key(s3, bucket):
    """aws-recorded: test_multipart_overwrite_key"""
    s3.put_object(Bucket=bucket, Key="test.file", Body=b"test content 123")
    done = multipart(s3, bucket, "test.file", [b"test content 123"])
    has(done, ETag='"b972025bc34adf8d76d6d51e93c035cc-1"', ChecksumCRC64NVME="BsLNlKumA5I=")
    assert s3.get_object(Bucket=bucket, Key="test.file")["Body"].read() == b"test content 123"


def test_unicode_location(s3, bucket):
    """aws-recorded: test_multipart_with_unicode_character_location"""
    key = "test-unicode_\u2014_file"
    created = s3.create_multipart_upload(Bucket=bucket, Key=key)
    has(created, Key=key)
    part = put_part(s3, bucket, created["UploadId"], 1, b"x", key=key)
    done = complete(
        s3, bucket, created["UploadId"], [{"PartNumber": 1, "ETag": part["ETag"]}], key=key
    )
    has(done, Key=key)
    assert done["Location"].endswith("/test-unicode_%E2%80%94_file")


# ---- parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["-1", "0", "10001", "x", ""])
def test_bad_part_number(server, s3, bucket, number):
    """aws-recorded: test_complete_multipart_parts_order"""
    upload = create(s3, bucket)
    reply = http_request(
        server, "PUT", f"/{bucket}/k?partNumber={number}&uploadId={upload}", body=b"x"
    )
    is_error(
        reply,
        "InvalidArgument",
        400,
        "Part number must be an integer between 1 and 10000, inclusive",
        ArgumentName="partNumber",
        ArgumentValue=number or None,
    )


def test_part_without_upload_id(server, s3, bucket):
    """A PUT with partNumber alone is no PutObject."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    for query in ("partNumber=1", "uploadId=x"):
        reply = http_request(server, "PUT", f"/{bucket}/k?{query}", body=b"lost")
        assert reply.status in (400, 404, 405, 501), reply
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"


def test_ten_thousand_parts(s3, bucket):
    """The number 10,000 itself is allowed, gaps too.
    aws-recorded: test_complete_multipart_parts_order (with-step-2)"""
    upload = create(s3, bucket)
    big = os.urandom(PART)
    parts = upload_parts(s3, bucket, "k", upload, [big], first=2)
    parts += upload_parts(s3, bucket, "k", upload, [b"end"], first=10000)
    done = complete(s3, bucket, upload, parts)
    has(done, ETag=multipart_etag(big, b"end"))


def test_order(s3, bucket):
    """aws-recorded: test_complete_multipart_parts_order"""
    upload = create(s3, bucket)
    bodies = [b"a" * PART, b"b" * PART, b"c"]
    parts = upload_parts(s3, bucket, "k", upload, bodies)
    with refused(
        "InvalidPartOrder",
        400,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
        UploadId=upload,
    ):
        complete(s3, bucket, upload, parts[::-1])
    with refused("InvalidPartOrder", 400):
        complete(s3, bucket, upload, [parts[0], parts[0]])
    has(complete(s3, bucket, upload, parts), ETag=multipart_etag(*bodies))


def test_reupload_of_a_part(s3, bucket):
    """AWS API UploadPart: the same number again replaces the part."""
    upload = create(s3, bucket)
    old = put_part(s3, bucket, upload, 1, b"old")["ETag"]
    new = put_part(s3, bucket, upload, 1, b"newer")["ETag"]
    [listed] = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]
    has(listed, ETag=new, Size=5)
    with refused("InvalidPart", 400):
        complete(s3, bucket, upload, [{"PartNumber": 1, "ETag": old}])
    complete(s3, bucket, upload, [{"PartNumber": 1, "ETag": new}])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"newer"


def test_only_named_parts_count(s3, bucket):
    upload = create(s3, bucket)
    parts = upload_parts(s3, bucket, "k", upload, [b"1", b"2", b"3"])
    complete(s3, bucket, upload, parts[1:2])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"


def test_etag_without_quotes(server, s3, bucket):
    """ETags in the document may come bare, quoted, or as &quot;."""
    for form in ("{0}", '"{0}"', "&quot;{0}&quot;", "&#34;{0}&#34;"):
        upload = create(s3, bucket)
        etag = put_part(s3, bucket, upload, 1, form.encode())["ETag"].strip('"')
        body = (
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
            f"<ETag>{form.format(etag)}</ETag></Part></CompleteMultipartUpload>"
        )
        reply = http_request(
            server, "POST", f"/{bucket}/k?uploadId={upload}", body=body.encode()
        )
        assert reply.status == 200, reply
        assert reply.xml.tag == "CompleteMultipartUploadResult"
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == form.encode()


# ---- refusals of complete -----------------------------------------------------------------------


def test_too_small(s3, bucket):
    """aws-recorded: test_multipart_complete_multipart_too_small"""
    upload = create(s3, bucket)
    parts = upload_parts(s3, bucket, "k", upload, [b"test", b"test"])
    with refused("InvalidRequest", 400, "You must specify at least one part"):
        s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    with refused(
        "EntityTooSmall",
        400,
        "Your proposed upload is smaller than the minimum allowed size",
        ETag=parts[0]["ETag"].strip('"'),
        MinSizeAllowed="5242880",
        PartNumber="1",
        ProposedSize="4",
    ):
        complete(s3, bucket, upload, parts)
    complete(s3, bucket, upload, parts[1:])


def test_one_byte_too_small(s3, bucket):
    upload = create(s3, bucket)
    parts = upload_parts(s3, bucket, "k", upload, [b"x" * (PART - 1), b"y"])
    with refused("EntityTooSmall", 400, ProposedSize=str(PART - 1)):
        complete(s3, bucket, upload, parts)


def test_wrong_part(s3, bucket):
    """aws-recorded: test_multipart_complete_multipart_wrong_part"""
    upload = create(s3, bucket)
    etag = put_part(s3, bucket, upload, 1, b"test")["ETag"]
    with refused(
        "InvalidPart",
        400,
        INVALID_PART,
        PartNumber="2",
        ETag=etag.strip('"'),
        UploadId=upload,
    ):
        complete(s3, bucket, upload, [{"PartNumber": 2, "ETag": etag}])
    other = "d41d8cd98f00b204e9800998ecf8427e"
    with refused("InvalidPart", 400, INVALID_PART, PartNumber="1", ETag=other):
        complete(s3, bucket, upload, [{"PartNumber": 1, "ETag": other}])
    assert s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"<CompleteMultipartUpload>",
        b"<Wrong><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part></Wrong>",
        b"<CompleteMultipartUpload><Part><ETag>e</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part>"
        b"</CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>one</PartNumber><ETag>e</ETag></Part>"
        b"</CompleteMultipartUpload>",
    ],
)
def test_malformed_complete(server, s3, bucket, body):
    """AWS error list: MalformedXML"""
    upload = create(s3, bucket)
    put_part(s3, bucket, upload, 1, b"x")
    reply = http_request(server, "POST", f"/{bucket}/k?uploadId={upload}", body=body)
    is_error(reply, "MalformedXML", 400)
    assert s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]


def test_object_size(s3, bucket):
    """aws-recorded: test_multipart_size_validation"""
    upload = create(s3, bucket)
    part = put_part(s3, bucket, upload, 1, b"data")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    with refused(
        "InvalidRequest",
        400,
        "The provided 'x-amz-mp-object-size' header value 5 does not match what was computed: 4",
    ):
        complete(s3, bucket, upload, parts, MpuObjectSize=5)
    complete(s3, bucket, upload, parts, MpuObjectSize=4)


def test_unknown_upload(s3, bucket):
    """aws-recorded: test_multipart_no_such_upload"""
    fields = {"UploadId": "fakeid"}
    with refused("NoSuchUpload", 404, NO_SUCH_UPLOAD, **fields):
        put_part(s3, bucket, "fakeid", 1, b"x")
    with refused("NoSuchUpload", 404, NO_SUCH_UPLOAD, **fields):
        complete(s3, bucket, "fakeid", [{"PartNumber": 1, "ETag": "e"}])
    with refused("NoSuchUpload", 404, NO_SUCH_UPLOAD, **fields):
        s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId="fakeid")
    with refused("NoSuchUpload", 404, NO_SUCH_UPLOAD, **fields):
        s3.list_parts(Bucket=bucket, Key="k", UploadId="fakeid")
    s3.put_object(Bucket=bucket, Key="source", Body=b"x")
    with refused("NoSuchUpload", 404, NO_SUCH_UPLOAD, **fields):
        s3.upload_part_copy(
            Bucket=bucket, Key="k", UploadId="fakeid", PartNumber=1, CopySource=f"{bucket}/source"
        )


def test_upload_of_another_key(s3, bucket):
    """aws-recorded: test_multipart_key_validation"""
    upload = create(s3, bucket)
    part = put_part(s3, bucket, upload, 1, b"x")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    with refused("NoSuchUpload", 404, UploadId=upload):
        put_part(s3, bucket, upload, 1, b"x", key="wrong-key")
    with refused("NoSuchUpload", 404, UploadId=upload):
        complete(s3, bucket, upload, parts, key="wrong-key")
    with refused("NoSuchUpload", 404, UploadId=upload):
        s3.list_parts(Bucket=bucket, Key="wrong-key", UploadId=upload)
    with refused("NoSuchUpload", 404, UploadId=upload):
        s3.abort_multipart_upload(Bucket=bucket, Key="wrong-key", UploadId=upload)
    complete(s3, bucket, upload, parts)


def test_complete_is_idempotent(s3, bucket):
    """AWS API CompleteMultipartUpload: clients retry it; the same request answers the same."""
    upload = create(s3, bucket)
    part = put_part(s3, bucket, upload, 1, b"x")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    first = complete(s3, bucket, upload, parts)
    again = complete(s3, bucket, upload, parts)
    assert again["ETag"] == first["ETag"]
    # Swift's tests against Amazon, test_if_none_match_star_mpu: other parts are another request.
    with refused("NoSuchUpload", 404):
        complete(s3, bucket, upload, [{"PartNumber": 1, "ETag": etag_of(b"y")}])
    s3.delete_object(Bucket=bucket, Key="k")
    with refused("NoSuchUpload", 404):
        complete(s3, bucket, upload, parts)


def test_abort(s3, bucket):
    upload = create(s3, bucket)
    part = put_part(s3, bucket, upload, 1, b"x")
    reply = s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    assert status_of(reply) == 204
    with refused("NoSuchUpload", 404):
        complete(s3, bucket, upload, [{"PartNumber": 1, "ETag": part["ETag"]}])
    with refused("NoSuchUpload", 404):
        put_part(s3, bucket, upload, 2, b"x")
    with refused("NoSuchUpload", 404):
        s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_two_uploads_of_one_key(s3, bucket):
    """Uploads do not disturb each other; the last to complete wins."""
    first, second = create(s3, bucket), create(s3, bucket)
    assert first != second
    one = put_part(s3, bucket, first, 1, b"first")
    two = put_part(s3, bucket, second, 1, b"second")
    complete(s3, bucket, second, [{"PartNumber": 1, "ETag": two["ETag"]}])
    complete(s3, bucket, first, [{"PartNumber": 1, "ETag": one["ETag"]}])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"


def test_parts_in_parallel(s3, bucket):
    upload = create(s3, bucket)
    bodies = [os.urandom(PART + n) for n in range(4)]
    etags = [None] * 4

    def send(n):
        etags[n] = put_part(s3, bucket, upload, n + 1, bodies[n])["ETag"]

    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert etags == [etag_of(b) for b in bodies]
    complete(s3, bucket, upload, [{"PartNumber": n + 1, "ETag": e} for n, e in enumerate(etags)])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(bodies)


# ---- ListParts ----------------------------------------------------------------------------------


def test_list_parts_pages(s3, bucket):
    """aws-recorded: test_list_parts_pagination"""
    upload = create(s3, bucket)
    at = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    has(s3.list_parts(**at), Parts=None, NextPartNumberMarker=0)
    upload_parts(s3, bucket, "k", upload, [b"data", b"data"])
    whole = s3.list_parts(**at)
    has(whole, IsTruncated=False, MaxParts=1000, NextPartNumberMarker=2, PartNumberMarker=0)
    for part in whole["Parts"]:
        has(part, ETag='"8d777f385d3dfec8815d20f7496026dc"', Size=4)
    first = s3.list_parts(**at, MaxParts=1)
    has(first, IsTruncated=True, MaxParts=1, NextPartNumberMarker=1)
    second = s3.list_parts(**at, MaxParts=1, PartNumberMarker=1)
    has(second, IsTruncated=False, NextPartNumberMarker=2, PartNumberMarker=1)
    assert [p["PartNumber"] for p in second["Parts"]] == [2]
    beyond = s3.list_parts(**at, MaxParts=1, PartNumberMarker=10)
    has(beyond, Parts=None, IsTruncated=False, NextPartNumberMarker=0, PartNumberMarker=10)
    pages = s3.get_paginator("list_parts").paginate(**at, PaginationConfig={"PageSize": 1})
    assert [p["PartNumber"] for page in pages for p in page.get("Parts", [])] == [1, 2]


def test_list_parts_empty_parameters(server, s3, bucket):
    """aws-recorded: test_list_parts_empty_part_number_marker"""
    upload = create(s3, bucket)
    put_part(s3, bucket, upload, 1, b"data")
    for query in ("part-number-marker=", "max-parts="):
        root = http_request(server, "GET", f"/{bucket}/k?uploadId={upload}&{query}").xml
        assert root.tag == "ListPartsResult"
        assert root.findtext("MaxParts") == "1000"
        assert root.findtext("PartNumberMarker") == "0"
        assert root.findtext("Part/PartNumber") == "1"


@pytest.mark.parametrize("name", ["part-number-marker", "max-parts"])
@pytest.mark.parametrize("value", ["-1", "x", "2147483648"])
def test_list_parts_bad_numbers(server, s3, bucket, name, value):
    upload = create(s3, bucket)
    reply = http_request(server, "GET", f"/{bucket}/k?uploadId={upload}&{name}={value}")
    is_error(reply, "InvalidArgument", 400, ArgumentName=name, ArgumentValue=value)


# ---- partNumber on GET and HEAD -----------------------------------------------------------------


def test_get_by_part(s3, bucket):
    """aws-recorded: test_get_object_part"""
    first, second = b"a" * (PART + 16), b"test content 123"
    done = multipart(s3, bucket, "test.file", [first, second])
    total = len(first) + len(second)
    at = {"Bucket": bucket, "Key": "test.file"}
    facts = {
        "ContentLength": 16,
        "ContentRange": f"bytes {len(first)}-{total - 1}/{total}",
        "PartsCount": 2,
        "ETag": done["ETag"],
    }
    head = s3.head_object(**at, PartNumber=2)
    assert status_of(head) == 206
    has(head, **facts)
    got = s3.get_object(**at, PartNumber=2)
    assert status_of(got) == 206
    has(got, **facts, ChecksumCRC64NVME=None)
    assert got["Body"].read() == second
    got = s3.get_object(**at, PartNumber=1)
    has(got, ContentRange=f"bytes 0-{len(first) - 1}/{total}", ContentLength=len(first))
    with refused(
        "InvalidPartNumber",
        416,
        "The requested partnumber is not satisfiable",
        ActualPartCount="2",
        PartNumberRequested="10",
    ):
        s3.get_object(**at, PartNumber=10)
    with refused("416", 416):
        s3.head_object(**at, PartNumber=10)
    with refused(
        "InvalidRequest",
        400,
        "Cannot specify both Range header and partNumber query parameter",
    ):
        s3.get_object(**at, PartNumber=1, Range="bytes=0-1")


def test_get_by_part_with_gaps(s3, bucket):
    """Swift's tests, which run against Amazon too (test/s3api/test_mpu.py, parts_list_with_gaps):
    partNumber counts the parts of the object; it is not the number of the upload."""
    upload = create(s3, bucket)
    bodies = {2: b"a" * PART, 1000: b"last"}
    parts = [
        {"PartNumber": n, "ETag": put_part(s3, bucket, upload, n, body)["ETag"]}
        for n, body in bodies.items()
    ]
    complete(s3, bucket, upload, parts)
    at = {"Bucket": bucket, "Key": "k"}
    has(s3.head_object(**at, PartNumber=1), ContentLength=PART, PartsCount=2)
    assert s3.get_object(**at, PartNumber=2)["Body"].read() == b"last"
    for number in (3, 1000):
        with refused("InvalidPartNumber", 416, ActualPartCount="2"):
            s3.get_object(**at, PartNumber=number)


def test_get_by_part_of_a_plain_object(s3, bucket):
    """aws-recorded: test_get_object_part"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"test-123")
    got = s3.get_object(Bucket=bucket, Key="k", PartNumber=1)
    assert status_of(got) == 206
    has(got, ContentRange="bytes 0-7/8", PartsCount=None, ChecksumCRC32="MAPXAg==")
    with refused("InvalidPartNumber", 416, ActualPartCount="1", PartNumberRequested="2"):
        s3.get_object(Bucket=bucket, Key="k", PartNumber=2)


@pytest.mark.parametrize("number", ["0", "-1", "10001", "x"])
def test_get_by_bad_part(server, s3, bucket, number):
    s3.put_object(Bucket=bucket, Key="k", Body=b"test-123")
    reply = http_request(server, "GET", f"/{bucket}/k?partNumber={number}")
    is_error(reply, "InvalidArgument", 400, ArgumentName="partNumber", ArgumentValue=number)


# ---- UploadPartCopy -----------------------------------------------------------------------------


@pytest.fixture
def digits(s3, bucket):
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    return {
        "Bucket": bucket,
        "Key": "k",
        "UploadId": create(s3, bucket),
        "CopySource": f"{bucket}/source",
    }


def test_part_copy_ranges(s3, bucket, digits):
    """aws-recorded: test_upload_part_copy_range"""
    wanted = {
        1: ("bytes=0-8", '"22975d8a5ed1b91445f6c55ac121505b"'),
        2: ("bytes=1-1", '"c4ca4238a0b923820dcc509a6f75849b"'),
        3: ("bytes=0-0", '"cfcd208495d565ef66e7dff9f98764da"'),
    }
    for number, (span, etag) in wanted.items():
        reply = s3.upload_part_copy(**digits, PartNumber=number, CopySourceRange=span)
        has(reply["CopyPartResult"], ETag=etag, LastModified=...)
        has(reply, ServerSideEncryption="AES256")
    parts = s3.list_parts(Bucket=bucket, Key="k", UploadId=digits["UploadId"])["Parts"]
    assert [(p["PartNumber"], p["Size"]) for p in parts] == [(1, 9), (2, 1), (3, 1)]


@pytest.mark.parametrize(
    "span",
    [
        "0-8",
        "bytes=1-0",
        "bytes=-1-",
        "bytes=0--1",
        "bytes=0-1,3-4,7-9",
        "bytes=-",
        "bytes=-0",
        "bytes=1-",
        "bytes=-2",
        "bytes=-15",
    ],
)
def test_part_copy_bad_range(s3, digits, span):
    """aws-recorded: test_upload_part_copy_range"""
    with refused(
        "InvalidArgument",
        400,
        "The x-amz-copy-source-range value must be of the form bytes=first-last where first and "
        "last are the zero-based offsets of the first and last bytes to copy",
        ArgumentName="x-amz-copy-source-range",
        ArgumentValue=span,
    ):
        s3.upload_part_copy(**digits, PartNumber=1, CopySourceRange=span)


def test_part_copy_range_outside(s3, digits):
    """aws-recorded: test_upload_part_copy_range"""
    with refused(
        "InvalidArgument",
        400,
        "Range specified is not valid for source object of size: 10",
        ArgumentName="x-amz-copy-source-range",
        ArgumentValue="bytes=0-100",
    ):
        s3.upload_part_copy(**digits, PartNumber=1, CopySourceRange="bytes=0-100")
    with refused(
        "InvalidRequest", 400, "The specified copy range is invalid for the source object size"
    ):
        s3.upload_part_copy(**digits, PartNumber=1, CopySourceRange="bytes=100-200")


def test_part_copy_whole(s3, bucket, digits):
    """aws-recorded: test_upload_part_copy_no_copy_source_range"""
    reply = s3.upload_part_copy(**digits, PartNumber=1)
    has(reply["CopyPartResult"], ETag='"781e5e245d69b566979b86e28d23f2c7"')
    etag = reply["CopyPartResult"]["ETag"]
    complete(s3, bucket, digits["UploadId"], [{"PartNumber": 1, "ETag": etag}])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"0123456789"


def test_part_copy_of_large_objects(s3, bucket):
    """Ranges of a multipart source, joined anew."""
    parts = [os.urandom(PART), os.urandom(PART), os.urandom(MIB)]
    multipart(s3, bucket, "source", parts)
    whole = b"".join(parts)
    upload = create(s3, bucket)
    edges = [0, PART + 5, len(whole)]
    done = []
    for number, (first, last) in enumerate(zip(edges, edges[1:]), 1):
        reply = s3.upload_part_copy(
            Bucket=bucket,
            Key="k",
            UploadId=upload,
            PartNumber=number,
            CopySource=f"{bucket}/source",
            CopySourceRange=f"bytes={first}-{last - 1}",
        )
        assert reply["CopyPartResult"]["ETag"] == etag_of(whole[first:last])
        done.append({"PartNumber": number, "ETag": reply["CopyPartResult"]["ETag"]})
    complete(s3, bucket, upload, done)
    s3.delete_object(Bucket=bucket, Key="source")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == whole


def test_part_copy_missing_source(s3, bucket, digits):
    digits["CopySource"] = f"{bucket}/nope"
    with refused("NoSuchKey", 404):
        s3.upload_part_copy(**digits, PartNumber=1)
    digits["CopySource"] = "no-such-bucket-here/nope"
    with refused("NoSuchBucket", 404):
        s3.upload_part_copy(**digits, PartNumber=1)


def test_part_copy_of_a_version(s3, versioned):
    first = s3.put_object(Bucket=versioned, Key="source", Body=b"first")["VersionId"]
    s3.put_object(Bucket=versioned, Key="source", Body=b"second")
    upload = create(s3, versioned)
    reply = s3.upload_part_copy(
        Bucket=versioned,
        Key="k",
        UploadId=upload,
        PartNumber=1,
        CopySource={"Bucket": versioned, "Key": "source", "VersionId": first},
    )
    has(reply, CopySourceVersionId=first)
    assert reply["CopyPartResult"]["ETag"] == etag_of(b"first")
