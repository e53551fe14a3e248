# SPDX-License-Identifier: MIT
"""GetObjectAttributes."""

import pytest

from harness import PART, has, http_request, is_error, multipart, refused

ALL = ["StorageClass", "ETag", "ObjectSize", "ObjectParts", "Checksum"]


def attributes(s3, bucket, names, key="k", **options):
    reply = s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=names, **options)
    reply.pop("ResponseMetadata")
    assert reply.pop("LastModified")
    return reply


def test_plain_object(s3, bucket):
    """aws-recorded: test_get_object_attributes: the ETag comes without quotes"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"attrs..")
    reply = attributes(s3, bucket, ALL)
    assert reply.pop("Checksum")["ChecksumType"] == "FULL_OBJECT"
    etag = s3.head_object(Bucket=bucket, Key="k")["ETag"].strip('"')
    assert reply == {"ETag": etag, "ObjectSize": 7, "StorageClass": "STANDARD"}


@pytest.mark.parametrize("name", ["StorageClass", "ETag", "ObjectSize"])
def test_one_attribute(s3, bucket, name):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="STANDARD_IA")
    assert set(attributes(s3, bucket, [name])) == {name}


def test_multipart_object(s3, bucket):
    """aws-recorded: test_get_object_attributes: without part checksums only their number"""
    multipart(s3, bucket, "k", [b"upload-part-1" * 5])
    reply = attributes(s3, bucket, ["StorageClass", "ETag", "ObjectSize", "ObjectParts"])
    assert reply == {
        "ETag": "e747540af6911dbc890f8d3e0b48549b-1",
        "ObjectParts": {"TotalPartsCount": 1},
        "ObjectSize": 65,
        "StorageClass": "STANDARD",
    }
    reply = attributes(s3, bucket, ["Checksum"])
    assert reply["Checksum"] == {"ChecksumCRC64NVME": "CTXktO4pIQs=", "ChecksumType": "FULL_OBJECT"}


def test_pages_of_parts(s3, bucket):
    """aws-recorded: test_list_parts_via_object_attrs_pagination"""
    body = b"a" * (PART + 1)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")
    parts = []
    for number in (1, 2):
        part = s3.upload_part(
            Bucket=bucket,
            Key="k",
            UploadId=upload["UploadId"],
            PartNumber=number,
            Body=body,
            ChecksumAlgorithm="SHA256",
        )
        parts.append(
            {"PartNumber": number, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}
        )
    done = s3.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=upload["UploadId"], MultipartUpload={"Parts": parts}
    )
    has(done, ChecksumSHA256="2Wjxbc3N6c1y3Eqve6x8X+xPy4qXhB1vAMgge0qeZJM=-2")
    sha256 = "DjU70AB1bON8k0n0fVHv2PJQVWcA/jWsITp6ti20Tbs="
    listed = [
        {"PartNumber": n, "Size": PART + 1, "ChecksumSHA256": sha256} for n in (1, 2)
    ]

    def page(**options):
        return attributes(s3, bucket, ["ObjectParts"], **options)["ObjectParts"]

    whole = page()
    has(whole, TotalPartsCount=2, MaxParts=1000, PartNumberMarker=0, NextPartNumberMarker=2)
    has(whole, IsTruncated=False, Parts=listed)
    first = page(MaxParts=1)
    has(first, IsTruncated=True, MaxParts=1, NextPartNumberMarker=1, Parts=listed[:1])
    second = page(MaxParts=1, PartNumberMarker=1)
    has(second, IsTruncated=False, NextPartNumberMarker=2, PartNumberMarker=1, Parts=listed[1:])
    beyond = page(MaxParts=1, PartNumberMarker=10)
    has(beyond, Parts=None, NextPartNumberMarker=0, PartNumberMarker=10, TotalPartsCount=2)


def test_versions(s3, versioned):
    """aws-recorded: test_get_object_attributes_versioned"""
    first = s3.put_object(Bucket=versioned, Key="k", Body=b"attrs..")["VersionId"]
    second = s3.put_object(Bucket=versioned, Key="k", Body=b"version 2")["VersionId"]
    has(attributes(s3, versioned, ["ObjectSize"]), VersionId=second, ObjectSize=9)
    has(attributes(s3, versioned, ["ObjectSize"], VersionId=first), VersionId=first, ObjectSize=7)
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    with refused("NoSuchKey", 404, Key="k"):
        attributes(s3, versioned, ["ETag"])
    with refused("MethodNotAllowed", 405):
        attributes(s3, versioned, ["ETag"], VersionId=marker)


def test_spaces_in_the_header(server, s3, bucket):
    """aws-recorded: test_get_object_attributes_with_space"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", ChecksumAlgorithm="SHA256")
    for text in ("StorageClass, ETag, ObjectSize, Checksum", "StorageClass,ETag,ObjectSize,Checksum"):
        reply = http_request(
            server, "GET", f"/{bucket}/k?attributes", {"x-amz-object-attributes": text}
        )
        root = reply.xml
        assert root.tag == "GetObjectAttributesResponse"
        assert {c.tag for c in root} == {"Checksum", "ETag", "ObjectSize", "StorageClass"}
        assert root.findtext("ObjectSize") == "9"


def test_missing_or_wrong_header(server, s3, bucket):
    """AWS error list: InvalidArgument"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for headers in ({}, {"x-amz-object-attributes": ""}, {"x-amz-object-attributes": "Nonsense"}):
        reply = http_request(server, "GET", f"/{bucket}/k?attributes", headers)
        assert reply.status == 400, reply
        assert reply.code in ("InvalidRequest", "InvalidArgument"), reply


def test_missing_key(s3, bucket):
    with refused("NoSuchKey", 404, Key="nope"):
        attributes(s3, bucket, ["ETag"], key="nope")


def test_wrong_customer_algorithm(server, s3, bucket):
    """aws-recorded: test_object_retrieval_sse_c (get-obj-attrs-sse-c-wrong-algo)"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = http_request(
        server,
        "GET",
        f"/{bucket}/k?attributes",
        {
            "x-amz-object-attributes": "ETag",
            "x-amz-server-side-encryption-customer-algorithm": "KMS",
        },
    )
    is_error(
        reply,
        "InvalidEncryptionAlgorithmError",
        400,
        "The Encryption request you specified is not valid. Supported value: AES256.",
        ArgumentName="x-amz-server-side-encryption",
        ArgumentValue="KMS",
    )
