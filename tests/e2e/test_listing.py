# SPDX-License-Identifier: MIT
"""ListObjects, ListObjectsV2, ListObjectVersions, ListMultipartUploads: prefixes, delimiters,
markers, tokens, page sizes."""

import http.client
import urllib.parse

import pytest

from harness import (
    has,
    http_request,
    is_error,
    keys_of,
    prefixes_of,
    refused,
    unique,
)

DATA = b"hello world"


def fill(s3, bucket, *keys, body=DATA):
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=body)


@pytest.fixture
def folder(s3, bucket):
    fill(
        s3,
        bucket,
        "folder/aSubfolder/subFile1",
        "folder/aSubfolder/subFile2",
        "folder/file1",
        "folder/file2",
    )
    return bucket


# ---- ListObjects --------------------------------------------------------------------------------


def test_v1_fields(s3, bucket):
    """aws-recorded: test_list_objects_with_prefix[], test_delete_bucket_with_content"""
    fill(s3, bucket, "test/foo/bar/123")
    reply = s3.list_objects(Bucket=bucket, Prefix="test/", Delimiter="", MaxKeys=1)
    has(
        reply,
        IsTruncated=False,
        Marker="",
        MaxKeys=1,
        Name=bucket,
        Prefix="test/",
        EncodingType="url",
        Delimiter=None,
        NextMarker=None,
    )
    [entry] = reply["Contents"]
    has(
        entry,
        Key="test/foo/bar/123",
        Size=len(DATA),
        StorageClass="STANDARD",
        ChecksumAlgorithm=["CRC32"],
        ChecksumType="FULL_OBJECT",
        ETag=s3.head_object(Bucket=bucket, Key="test/foo/bar/123")["ETag"],
        LastModified=...,
    )
    assert entry["Owner"]["ID"]


def test_v1_delimiter(server, s3, bucket):
    """aws-recorded: test_list_objects_with_prefix[/], [%2F]"""
    fill(s3, bucket, "test/foo/bar/123")
    reply = s3.list_objects(Bucket=bucket, Prefix="test/", Delimiter="/", MaxKeys=1)
    has(reply, Contents=None, Delimiter="/", IsTruncated=False)
    assert prefixes_of(reply) == ["test/foo/"]
    # %2F as such is a delimiter of three characters that no key has.
    reply = s3.list_objects(Bucket=bucket, Prefix="test/", Delimiter="%2F")
    assert keys_of(reply) == ["test/foo/bar/123"]
    root = http_request(server, "GET", f"/{bucket}?prefix=test&delimiter=%2F").xml
    assert root.findtext("CommonPrefixes/Prefix") == "test/"
    assert root.findtext("Delimiter") == "/"
    assert root.findtext("Prefix") == "test"
    assert root.findtext("Marker") in (None, "")


def test_v1_next_marker(s3, bucket):
    """aws-recorded: test_list_objects_next_marker: NextMarker comes only with a delimiter"""
    fill(s3, bucket, "k1", "k2", "k3")
    first = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=1)
    has(first, IsTruncated=True, NextMarker="k1")
    assert keys_of(first) == ["k1"]
    second = s3.list_objects(Bucket=bucket, Marker="k1", MaxKeys=1)
    has(second, IsTruncated=True, Marker="k1", NextMarker=None)
    assert keys_of(second) == ["k2"]
    again = s3.list_objects(Bucket=bucket, Marker="", MaxKeys=1)
    has(again, IsTruncated=True, Marker="")
    assert keys_of(again) == ["k1"]
    assert keys_of(s3.list_objects(Bucket=bucket, Marker="k3")) == []


def test_v1_empty(s3, bucket):
    """aws-recorded: test_s3_list_objects_empty_marker"""
    reply = s3.list_objects(Bucket=bucket, Marker="")
    has(reply, Contents=None, IsTruncated=False, Marker="", MaxKeys=1000, Prefix="")


def test_v1_marker_and_common_prefixes(s3, folder):
    """aws-recorded: test_list_objects_marker_common_prefixes"""
    query = {"Bucket": folder, "Prefix": "folder/", "Delimiter": "/", "MaxKeys": 1}
    start = s3.list_objects(**query)
    has(start, Contents=None, IsTruncated=True, NextMarker="folder/aSubfolder/")
    assert prefixes_of(start) == ["folder/aSubfolder/"]
    following = s3.list_objects(**query, Marker="folder/aSubfolder/")
    has(following, IsTruncated=True, NextMarker="folder/file1", CommonPrefixes=None)
    assert keys_of(following) == ["folder/file1"]
    end = s3.list_objects(**query, Marker="folder/file1")
    has(end, IsTruncated=False, NextMarker=None)
    assert keys_of(end) == ["folder/file2"]
    manual = s3.list_objects(**query, Marker="folder/aSubfolder/subFile1")
    assert keys_of(manual) == ["folder/file1"]
    has(manual, CommonPrefixes=None, NextMarker="folder/file1")


def test_more_than_thousand(server, s3, bucket):
    """aws-recorded: test_s3_put_more_than_1000_items"""
    raw = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc)
    for n in range(1010):
        raw.request("PUT", f"/{bucket}/test-key-{n}", f"test-{n}".encode())
        assert raw.getresponse().read() == b""
    raw.close()
    first = s3.list_objects(Bucket=bucket, Delimiter="/")
    has(first, IsTruncated=True, MaxKeys=1000, NextMarker="test-key-99")
    assert len(keys_of(first)) == 1000
    rest = s3.list_objects(Bucket=bucket, Marker="test-key-99")
    assert keys_of(rest) == [f"test-key-{n}" for n in range(990, 1000)]
    has(rest, IsTruncated=False)
    # A larger page than 1,000 is cut to 1,000.
    big = s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)
    has(big, KeyCount=1000, IsTruncated=True)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    assert len([k for page in pages for k in keys_of(page)]) == 1010
    assert s3.get_object(Bucket=bucket, Key="test-key-1009")["Body"].read() == b"test-1009"


# ---- ListObjectsV2 ------------------------------------------------------------------------------


def test_v2_prefix(server, s3, bucket):
    """aws-recorded: test_list_objects_v2_with_prefix"""
    fill(s3, bucket, "test/foo/bar/123", "test/foo/bar/456", "test/bar/foo/123")
    everything = ["test/bar/foo/123", "test/foo/bar/123", "test/foo/bar/456"]
    reply = s3.list_objects_v2(Bucket=bucket, Prefix="test/")
    has(
        reply,
        IsTruncated=False,
        KeyCount=3,
        MaxKeys=1000,
        Name=bucket,
        Prefix="test/",
        EncodingType="url",
        NextContinuationToken=None,
        ContinuationToken=None,
        StartAfter=None,
        Delimiter=None,
    )
    assert keys_of(reply) == everything
    assert "Owner" not in reply["Contents"][0]
    for prefix in ("test/foo", "test/foo/bar"):
        assert keys_of(s3.list_objects_v2(Bucket=bucket, Prefix=prefix)) == everything[1:]
    owned = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)
    assert owned["Contents"][0]["Owner"]["ID"]
    root = http_request(server, "GET", f"/{bucket}?list-type=2&prefix=test/foo").xml
    assert root.tag == "ListBucketResult"
    assert (root.findtext("KeyCount"), root.findtext("IsTruncated")) == ("2", "false")
    assert root.findtext("Contents/ETag").startswith('"')


def test_v2_prefix_and_delimiter(s3, bucket):
    """aws-recorded: test_list_objects_v2_with_prefix_and_delimiter"""
    fill(s3, bucket, "test/foo/bar/123", "test/foo/bar/456", "test/bar/foo/123")
    query = {"Bucket": bucket, "Delimiter": "/"}
    reply = s3.list_objects_v2(**query, Prefix="test/")
    has(reply, KeyCount=2, Contents=None, IsTruncated=False)
    assert prefixes_of(reply) == ["test/bar/", "test/foo/"]
    reply = s3.list_objects_v2(**query, Prefix="test/", MaxKeys=1)
    has(reply, KeyCount=1, IsTruncated=True, NextContinuationToken=...)
    assert prefixes_of(reply) == ["test/bar/"]
    reply = s3.list_objects_v2(
        **query, Prefix="test/", MaxKeys=1, ContinuationToken=reply["NextContinuationToken"]
    )
    has(reply, IsTruncated=False)
    assert prefixes_of(reply) == ["test/foo/"]
    assert prefixes_of(s3.list_objects_v2(**query, Prefix="test/foo")) == ["test/foo/"]
    assert prefixes_of(s3.list_objects_v2(**query, Prefix="test/foo/bar")) == ["test/foo/bar/"]


def test_v2_tokens_and_start_after(s3, bucket):
    """aws-recorded: test_list_objects_v2_continuation_start_after"""
    fill(s3, bucket, *[f"test_{n}" for n in range(12)])
    order = ["test_0", "test_1", "test_10", "test_11", *[f"test_{n}" for n in range(2, 10)]]
    first = s3.list_objects_v2(Bucket=bucket, MaxKeys=5)
    has(first, KeyCount=5, MaxKeys=5, IsTruncated=True)
    assert keys_of(first) == order[:5]
    token = first["NextContinuationToken"]
    rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=token)
    has(rest, KeyCount=7, IsTruncated=False, ContinuationToken=token, NextContinuationToken=None)
    assert keys_of(rest) == order[5:]
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="test_7", MaxKeys=2)
    has(after, StartAfter="test_7", KeyCount=2, IsTruncated=False)
    assert keys_of(after) == ["test_8", "test_9"]
    both = s3.list_objects_v2(Bucket=bucket, StartAfter="test_7", ContinuationToken=token)
    has(both, StartAfter=None, ContinuationToken=token)
    assert keys_of(both) == order[5:]


@pytest.mark.parametrize("token", ["", "test_3", "%%%", "AAAA", "\u00e9"])
def test_v2_bad_token(s3, bucket, token):
    """aws-recorded: test_list_objects_v2_continuation_start_after (exc-continuation-token)"""
    fill(s3, bucket, "k")
    with refused(
        "InvalidArgument",
        400,
        "The continuation token provided is incorrect",
        ArgumentName="continuation-token",
    ):
        s3.list_objects_v2(Bucket=bucket, ContinuationToken=token)


def test_v2_common_prefixes_by_pages(s3, folder):
    """aws-recorded: test_list_objects_v2_continuation_common_prefixes"""
    query = {"Bucket": folder, "Prefix": "folder/", "Delimiter": "/", "MaxKeys": 1}
    start = s3.list_objects_v2(**query)
    assert prefixes_of(start) == ["folder/aSubfolder/"]
    following = s3.list_objects_v2(**query, ContinuationToken=start["NextContinuationToken"])
    has(following, CommonPrefixes=None, KeyCount=1, IsTruncated=True)
    assert keys_of(following) == ["folder/file1"]
    end = s3.list_objects_v2(**query, ContinuationToken=following["NextContinuationToken"])
    has(end, IsTruncated=False, NextContinuationToken=None)
    assert keys_of(end) == ["folder/file2"]


def test_v2_token_for_odd_keys(s3, bucket):
    """aws-recorded: test_list_objects_v2_continuation_token_safe_chars"""
    keys = [
        "a/%F0%9F%98%80/",
        "date=2026-01-01/",
        "date=2026-02-01/",
        "date=2026-03-01/",
        "date=2026-05-01/",
        "file%2Fname",
        "test key/",
        "test key//",
        "test%123",
        "test%123/",
        "test%percent",
        "test@key/",
    ]
    fill(s3, bucket, *keys, body=b"")
    first = s3.list_objects_v2(Bucket=bucket, MaxKeys=5)
    assert keys_of(first) == keys[:5]
    token = first["NextContinuationToken"]
    assert keys_of(s3.list_objects_v2(Bucket=bucket, ContinuationToken=token)) == keys[5:]
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="date=2026-02-01/", MaxKeys=2)
    assert keys_of(after) == keys[3:5]
    encoded = s3.list_objects_v2(Bucket=bucket, StartAfter="date%3D2026-02-01/", MaxKeys=2)
    assert keys_of(encoded) == keys[1:3]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_agree_with_the_whole(s3, bucket, size):
    """Whatever the page size, prefix and delimiter: the pages together are the whole, each item
    once, in order, and no page is larger than asked."""
    keys = sorted(
        ["a", "a/", "a/1", "a/2/x", "a/2/y", "a0", "b//c", "b/c", "c", "d/e/f", "d/e/g", "d/h"],
        key=str.encode,
    )
    fill(s3, bucket, *keys, body=b"")
    for prefix in ("", "a", "a/", "b/", "d/e", "zzz"):
        for delimiter in ("", "/", "e/", "2/x"):
            query = {"Bucket": bucket, "Prefix": prefix, "Delimiter": delimiter}
            items = []
            for key in keys:
                if not key.startswith(prefix):
                    continue
                at = key.find(delimiter, len(prefix)) if delimiter else -1
                item = key if at < 0 else key[: at + len(delimiter)]
                if item not in items:
                    items.append(item)
            found = []
            for page in s3.get_paginator("list_objects_v2").paginate(
                **query, PaginationConfig={"PageSize": size}
            ):
                here = keys_of(page) + prefixes_of(page)
                assert len(here) == page["KeyCount"] <= size
                found += sorted(here, key=str.encode)
            assert found == items, (prefix, delimiter)
            pages = s3.get_paginator("list_objects").paginate(
                **query, PaginationConfig={"PageSize": size}
            )
            found = [k for page in pages for k in sorted(keys_of(page) + prefixes_of(page))]
            assert found == items, (prefix, delimiter)


def test_max_keys_zero(s3, bucket):
    """Observed of S3: a page of nothing, never truncated."""
    fill(s3, bucket, "k")
    has(s3.list_objects_v2(Bucket=bucket, MaxKeys=0), KeyCount=0, MaxKeys=0, IsTruncated=False)
    has(s3.list_objects(Bucket=bucket, MaxKeys=0), Contents=None, MaxKeys=0, IsTruncated=False)
    has(s3.list_object_versions(Bucket=bucket, MaxKeys=0), Versions=None, IsTruncated=False)


@pytest.mark.parametrize("query", ["list-type=2&max-keys", "max-keys", "versions&max-keys", "uploads&max-uploads"])
@pytest.mark.parametrize("value", ["-1.5", "x", "1.5", "99999999999", "2147483648"])
def test_bad_page_size(server, bucket, query, value):
    """AWS error list: InvalidArgument. botocore model: the sizes are integers."""
    reply = http_request(server, "GET", f"/{bucket}?{query}={value}")
    is_error(
        reply,
        "InvalidArgument",
        400,
        ArgumentName=query.split("&")[-1],
        ArgumentValue=value,
    )


def test_empty_max_keys(server, s3, bucket):
    """aws-recorded: test_list_parts_empty_part_number_marker: an empty number is its default."""
    fill(s3, bucket, "k")
    root = http_request(server, "GET", f"/{bucket}?max-keys=").xml
    assert root.findtext("MaxKeys") == "1000"
    assert root.findtext("Contents/Key") == "k"


def test_listing_of_mixed_checksums(s3, bucket):
    """ChecksumAlgorithm in a listing names what each object has."""
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", ChecksumAlgorithm="SHA256")
    s3.put_object(Bucket=bucket, Key="b", Body=b"x", ChecksumAlgorithm="CRC64NVME")
    algorithms = [o["ChecksumAlgorithm"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert algorithms == [["SHA256"], ["CRC64NVME"]]


# ---- ListObjectVersions -------------------------------------------------------------------------


def version_ids(reply):
    return [v["VersionId"] for v in reply.get("Versions", [])]


def marker_ids(reply):
    return [m["VersionId"] for m in reply.get("DeleteMarkers", [])]


def test_versions_of_unversioned(s3, bucket):
    """aws-recorded: test_list_object_versions_order_unversioned"""
    empty = s3.list_object_versions(Bucket=bucket)
    has(
        empty,
        Versions=None,
        DeleteMarkers=None,
        KeyMarker="",
        VersionIdMarker="",
        IsTruncated=False,
        MaxKeys=1000,
        Name=bucket,
        Prefix="",
        EncodingType="url",
    )
    fill(s3, bucket, "a-test-object-1", "c-test-object-3", "b-test-object-2")
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [v["Key"] for v in listed] == ["a-test-object-1", "b-test-object-2", "c-test-object-3"]
    for version in listed:
        has(version, VersionId="null", IsLatest=True, StorageClass="STANDARD", Size=len(DATA))
        has(version, ChecksumAlgorithm=["CRC32"], ChecksumType="FULL_OBJECT", ETag=...)
        assert version["Owner"]["ID"]


@pytest.fixture
def history(s3, versioned):
    """Nine changes of three keys; returns the bucket and the version ids in order of making."""
    ids = []
    for n in range(3):
        ids.append(s3.put_object(Bucket=versioned, Key=f"test_{n}", Body=b"version 0")["VersionId"])
    ids.append(s3.put_object(Bucket=versioned, Key="test_2", Body=b"version 1")["VersionId"])
    for n in range(3):
        ids.append(s3.delete_object(Bucket=versioned, Key=f"test_{n}")["VersionId"])
    for n in range(2):
        ids.append(s3.put_object(Bucket=versioned, Key=f"test_{n}", Body=b"version 2")["VersionId"])
    return versioned, [None, *ids]


def test_version_markers(s3, history):
    """aws-recorded: test_list_objects_versions_markers"""
    bucket, v = history
    whole = s3.list_object_versions(Bucket=bucket)
    assert version_ids(whole) == [v[8], v[1], v[9], v[2], v[4], v[3]]
    assert marker_ids(whole) == [v[5], v[6], v[7]]
    assert [e["IsLatest"] for e in whole["Versions"]] == [True, False, True, False, False, False]
    assert [e["IsLatest"] for e in whole["DeleteMarkers"]] == [False, False, True]
    assert whole["DeleteMarkers"][0]["Owner"]["ID"]

    five = s3.list_object_versions(Bucket=bucket, MaxKeys=5)
    has(five, IsTruncated=True, NextKeyMarker="test_1", NextVersionIdMarker=v[6])
    assert version_ids(five) == [v[8], v[1], v[9]]
    assert marker_ids(five) == [v[5], v[6]]

    key_only = s3.list_object_versions(Bucket=bucket, MaxKeys=1, KeyMarker="test_1")
    has(key_only, IsTruncated=True, NextKeyMarker="test_2", NextVersionIdMarker=v[7], Versions=None)
    assert marker_ids(key_only) == [v[7]]

    last = s3.list_object_versions(Bucket=bucket, MaxKeys=1, KeyMarker="test_2")
    has(last, IsTruncated=False, Versions=None, DeleteMarkers=None, KeyMarker="test_2")

    both = s3.list_object_versions(
        Bucket=bucket, MaxKeys=1, KeyMarker="test_1", VersionIdMarker=v[6]
    )
    has(both, IsTruncated=True, NextKeyMarker="test_1", NextVersionIdMarker=v[2])
    has(both, VersionIdMarker=v[6], KeyMarker="test_1")
    assert version_ids(both) == [v[2]]

    end = s3.list_object_versions(
        Bucket=bucket, MaxKeys=1, KeyMarker="test_2", VersionIdMarker=v[4]
    )
    has(end, IsTruncated=False, NextKeyMarker=None, NextVersionIdMarker=None)
    assert version_ids(end) == [v[3]]

    empty = s3.list_object_versions(Bucket=bucket, MaxKeys=1, KeyMarker="")
    has(empty, NextKeyMarker="test_0", NextVersionIdMarker=v[8])


def test_version_marker_without_key_marker(s3, history):
    """aws-recorded: test_list_objects_versions_markers"""
    bucket, v = history
    with refused(
        "InvalidArgument",
        400,
        "A version-id marker cannot be specified without a key marker.",
        ArgumentName="version-id-marker",
        ArgumentValue=v[6],
    ):
        s3.list_object_versions(Bucket=bucket, MaxKeys=1, VersionIdMarker=v[6])


def test_version_pages_of_common_prefixes(s3, versioned):
    """aws-recorded: test_list_object_versions_pagination_common_prefixes"""
    fill(
        s3,
        versioned,
        "folder/aSubfolder/subFile1",
        "folder/aSubfolder/subFile2",
        "folder/file1",
        "folder/file2",
    )
    query = {"Bucket": versioned, "Prefix": "folder/", "Delimiter": "/", "MaxKeys": 1}
    start = s3.list_object_versions(**query)
    has(start, IsTruncated=True, NextKeyMarker="folder/aSubfolder/", NextVersionIdMarker=None)
    assert prefixes_of(start) == ["folder/aSubfolder/"]
    following = s3.list_object_versions(**query, KeyMarker=start["NextKeyMarker"])
    has(following, IsTruncated=True, NextKeyMarker="folder/file1", CommonPrefixes=None)
    assert following["NextVersionIdMarker"] == version_ids(following)[0]
    end = s3.list_object_versions(**query, KeyMarker="folder/file1")
    has(end, IsTruncated=False)
    assert [e["Key"] for e in end["Versions"]] == ["folder/file2"]
    manual = s3.list_object_versions(**query, KeyMarker="folder/aSubfolder/subFile1")
    has(manual, CommonPrefixes=None)
    assert [e["Key"] for e in manual["Versions"]] == ["folder/file1"]


def test_version_prefixes(server, s3, versioned):
    """aws-recorded: test_list_objects_versions_with_prefix"""
    for body in (b"content key1-v1", b"content key1-v2"):
        fill(s3, versioned, "dir/test", body=body)
    for body in (b"content key2-v1", b"content key2-v2"):
        fill(s3, versioned, "dir/subdir/test2", body=body)

    def listed(prefix):
        reply = s3.list_object_versions(Bucket=versioned, Delimiter="/", Prefix=prefix)
        has(reply, Delimiter="/", Prefix=prefix, IsTruncated=False)
        return [e["Key"] for e in reply.get("Versions", [])], prefixes_of(reply)

    assert listed("dir/") == (["dir/test"] * 2, ["dir/subdir/"])
    assert listed("dir/s") == ([], ["dir/subdir/"])
    assert listed("dir/test") == (["dir/test"] * 2, [])
    assert listed("dir/subdir") == ([], ["dir/subdir/"])
    assert listed("dir/subdir/") == (["dir/subdir/test2"] * 2, [])
    assert listed("dir/subdir/test2") == (["dir/subdir/test2"] * 2, [])
    root = http_request(server, "GET", f"/{versioned}?versions&prefix=dir/subdir&delimiter=/").xml
    assert root.tag == "ListVersionsResult"
    assert root.findtext("CommonPrefixes/Prefix") == "dir/subdir/"
    assert root.find("KeyMarker") is not None and root.find("VersionIdMarker") is not None


def test_version_pages_of_one_key(s3, versioned):
    """aws-recorded: test_list_objects_versions_with_prefix_only_and_pagination"""
    fill(s3, versioned, *["prefixed_key"] * 5, body=b"")
    whole = s3.list_object_versions(Bucket=versioned, Prefix="prefix")
    ids = version_ids(whole)
    assert len(ids) == 5
    page = s3.list_object_versions(Bucket=versioned, Prefix="prefix", MaxKeys=3)
    has(page, IsTruncated=True, NextKeyMarker="prefixed_key", NextVersionIdMarker=ids[2])
    only = s3.list_object_versions(
        Bucket=versioned, Prefix="prefix", KeyMarker="prefixed_key", MaxKeys=4
    )
    has(only, IsTruncated=False, Versions=None)
    query = {
        "Bucket": versioned,
        "Prefix": "prefix",
        "KeyMarker": "prefixed_key",
        "VersionIdMarker": ids[2],
        "MaxKeys": 5,
    }
    rest = s3.list_object_versions(**query)
    assert version_ids(rest) == ids[3:]
    # The marker may be a version that is gone meanwhile.
    for gone in ids[:3]:
        s3.delete_object(Bucket=versioned, Key="prefixed_key", VersionId=gone)
    rest = s3.list_object_versions(**query)
    assert version_ids(rest) == ids[3:]
    assert [e["IsLatest"] for e in rest["Versions"]] == [True, False]


def test_version_pages_agree_with_the_whole(s3, history):
    bucket, _ = history

    def flat(pages):
        return [
            (e["Key"], e["VersionId"])
            for page in pages
            for e in sorted(
                page.get("Versions", []) + page.get("DeleteMarkers", []),
                key=lambda e: (e["Key"], -order.index(e["VersionId"])),
            )
        ]

    order = history[1]
    whole = flat([s3.list_object_versions(Bucket=bucket)])
    for size in (1, 2, 4):
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": size}
        )
        assert flat(pages) == whole


# ---- ListMultipartUploads -----------------------------------------------------------------------


def start_upload(s3, bucket, key):
    return s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]


def upload_ids(reply):
    return [u["UploadId"] for u in reply.get("Uploads", [])]


def test_uploads_markers(s3, bucket):
    """aws-recorded: test_list_multiparts_next_marker"""
    empty = s3.list_multipart_uploads(Bucket=bucket)
    has(
        empty,
        Bucket=bucket,
        Uploads=None,
        IsTruncated=False,
        KeyMarker="",
        UploadIdMarker="",
        NextKeyMarker="",
        NextUploadIdMarker="",
        MaxUploads=1000,
    )
    key3 = start_upload(s3, bucket, "key-3")
    key2 = start_upload(s3, bucket, "key-2")
    key1 = [start_upload(s3, bucket, "key-1") for _ in range(3)]

    whole = s3.list_multipart_uploads(Bucket=bucket)
    assert upload_ids(whole) == [*key1, key2, key3], "by key, then in order of initiation"
    has(whole, NextKeyMarker="key-3", NextUploadIdMarker=key3, IsTruncated=False)
    for upload in whole["Uploads"]:
        has(upload, StorageClass="STANDARD", Initiated=..., Initiator=..., Owner=...)

    one = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1)
    has(one, IsTruncated=True, NextKeyMarker="key-1", NextUploadIdMarker=key1[0], MaxUploads=1)
    assert upload_ids(one) == key1[:1]

    key_only = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1, KeyMarker="key-1")
    assert upload_ids(key_only) == [key2]
    has(key_only, IsTruncated=True, NextKeyMarker="key-2", NextUploadIdMarker=key2)

    last = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1, KeyMarker="key-3")
    has(last, Uploads=None, IsTruncated=False, NextKeyMarker="", NextUploadIdMarker="")

    # An upload id marker without a key marker is ignored.
    id_only = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1, UploadIdMarker=key1[1])
    assert upload_ids(id_only) == key1[:1]
    has(id_only, UploadIdMarker="")

    both = s3.list_multipart_uploads(
        Bucket=bucket, MaxUploads=1, KeyMarker="key-1", UploadIdMarker=key1[0]
    )
    assert upload_ids(both) == [key1[1]]
    both = s3.list_multipart_uploads(
        Bucket=bucket, MaxUploads=1, KeyMarker="key-1", UploadIdMarker=key1[2]
    )
    assert upload_ids(both) == [key2]
    end = s3.list_multipart_uploads(
        Bucket=bucket, MaxUploads=1, KeyMarker="key-2", UploadIdMarker=key2
    )
    assert upload_ids(end) == [key3]
    has(end, IsTruncated=False)

    with refused(
        "InvalidArgument",
        400,
        "Invalid uploadId marker",
        ArgumentName="upload-id-marker",
        ArgumentValue=key2,
    ):
        s3.list_multipart_uploads(
            Bucket=bucket, MaxUploads=1, KeyMarker="key-1", UploadIdMarker=key2
        )
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 2}
    )
    assert [u for page in pages for u in upload_ids(page)] == [*key1, key2, key3]


def test_uploads_prefix_and_delimiter(server, s3, bucket):
    """aws-recorded: test_list_multiparts_with_prefix_and_delimiter"""
    for key in ("test/foo/bar/123", "test/foo/bar/456", "test/bar/foo/123"):
        start_upload(s3, bucket, key)
    query = {"Bucket": bucket, "Delimiter": "/", "EncodingType": "url"}
    reply = s3.list_multipart_uploads(**query, Prefix="test/")
    has(reply, Uploads=None, Delimiter="/", Prefix="test/", EncodingType="url")
    has(reply, NextKeyMarker="", NextUploadIdMarker="")
    assert prefixes_of(reply) == ["test/bar/", "test/foo/"]
    assert prefixes_of(s3.list_multipart_uploads(**query, Prefix="test/foo/")) == ["test/foo/bar/"]
    root = http_request(server, "GET", f"/{bucket}?uploads&prefix=test/foo").xml
    assert root.tag == "ListMultipartUploadsResult"
    assert [e.text for e in root.findall("Upload/Key")] == ["test/foo/bar/123", "test/foo/bar/456"]
    assert root.findtext("NextKeyMarker") == "test/foo/bar/456"


def test_uploads_marker_and_common_prefixes(s3, bucket):
    """aws-recorded: test_list_multipart_uploads_marker_common_prefixes"""
    for key in (
        "folder/aSubfolder/subFile1",
        "folder/aSubfolder/subFile2",
        "folder/file1",
        "folder/file2",
    ):
        start_upload(s3, bucket, key)
    query = {"Bucket": bucket, "Prefix": "folder/", "Delimiter": "/", "MaxUploads": 1}
    start = s3.list_multipart_uploads(**query)
    has(start, IsTruncated=True, Uploads=None)
    assert prefixes_of(start) == ["folder/aSubfolder/"]
    for marker in ("folder/aSubfolder/", "folder/aSubfolder/subFile1"):
        reply = s3.list_multipart_uploads(**query, KeyMarker=marker)
        assert [u["Key"] for u in reply["Uploads"]] == ["folder/file1"]
        has(reply, IsTruncated=True, CommonPrefixes=None, NextKeyMarker="folder/file1")
        assert reply["NextUploadIdMarker"] == upload_ids(reply)[0]


def test_unknown_bucket_markers(s3):
    with refused("NoSuchBucket", 404):
        s3.list_multipart_uploads(Bucket=unique())
