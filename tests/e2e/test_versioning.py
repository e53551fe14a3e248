# SPDX-License-Identifier: MIT
"""Versioning: enabled, suspended, null versions, delete markers."""

import re

import pytest

from harness import has, header_of, http_request, is_error, keys_of, refused, status_of, unique


def set_versioning(s3, bucket, status):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def put(s3, bucket, body, key="k"):
    return s3.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId")


def read(s3, bucket, version=None, key="k"):
    which = {"VersionId": version} if version else {}
    return s3.get_object(Bucket=bucket, Key=key, **which)["Body"].read()


def history(s3, bucket):
    """(version id, latest) of versions, then of delete markers, newest first."""
    reply = s3.list_object_versions(Bucket=bucket)
    return (
        [(v["VersionId"], v["IsLatest"]) for v in reply.get("Versions", [])],
        [(m["VersionId"], m["IsLatest"]) for m in reply.get("DeleteMarkers", [])],
    )


# ---- the configuration --------------------------------------------------------------------------


def test_states(s3, bucket):
    """aws-recorded: test_bucket_versioning_crud"""
    has(s3.get_bucket_versioning(Bucket=bucket), Status=None)
    for status in ("Suspended", "Enabled", "Suspended", "Enabled"):
        set_versioning(s3, bucket, status)
        has(s3.get_bucket_versioning(Bucket=bucket), Status=status)


@pytest.mark.parametrize("status", ["enabled", "Disabled", ""])
def test_bad_status(s3, bucket, status):
    """aws-recorded: test_bucket_versioning_crud"""
    with refused(
        "MalformedXML",
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ):
        set_versioning(s3, bucket, status)
    has(s3.get_bucket_versioning(Bucket=bucket), Status=None)


def test_empty_configuration(s3, bucket):
    """aws-recorded: test_bucket_versioning_crud"""
    with refused(
        "IllegalVersioningConfigurationException", 400, "The Versioning element must be specified"
    ):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"<VersioningConfiguration><Status>Enabled</Status>",
        b"<Wrong><Status>Enabled</Status></Wrong>",
        b"<VersioningConfiguration><Status>Enabled</Status><Status>Suspended</Status>"
        b"</VersioningConfiguration>",
    ],
)
def test_malformed_configuration(server, s3, bucket, body):
    reply = http_request(server, "PUT", f"/{bucket}?versioning", body=body)
    expected = "MalformedXML" if body else "MissingRequestBodyError"
    is_error(reply, expected, 400)
    has(s3.get_bucket_versioning(Bucket=bucket), Status=None)


def test_missing_bucket(s3):
    """aws-recorded: test_bucket_versioning_crud"""
    name = unique()
    with refused("NoSuchBucket", 404, BucketName=name):
        set_versioning(s3, name, "Enabled")
    with refused("NoSuchBucket", 404, BucketName=name):
        s3.get_bucket_versioning(Bucket=name)


# ---- enabled ------------------------------------------------------------------------------------


def test_version_ids(s3, versioned):
    """aws-recorded: test_object_version_id_format: 32 characters that need no escaping"""
    ids = [put(s3, versioned, b"x") for _ in range(10)]
    assert len(set(ids)) == 10
    for version in ids:
        assert re.fullmatch(r"[A-Za-z0-9._-]{32}", version), version


def test_delete_versioned(s3, versioned):
    """aws-recorded: test_delete_object_versioned"""
    key = "test-delete"
    first = s3.put_object(Bucket=versioned, Key=key, Body=b"test-delete")
    version = first["VersionId"]
    gone = s3.delete_object(Bucket=versioned, Key=key)
    has(gone, DeleteMarker=True, VersionId=...)
    marker = gone["VersionId"]
    with refused("NoSuchKey", 404, Key=key) as caught:
        s3.get_object(Bucket=versioned, Key=key)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    has(headers, **{"x-amz-delete-marker": "true", "x-amz-version-id": marker})
    got = s3.get_object(Bucket=versioned, Key=key, VersionId=version)
    has(got, VersionId=version, ETag=first["ETag"], DeleteMarker=None)
    assert got["Body"].read() == b"test-delete"
    with refused(
        "MethodNotAllowed",
        405,
        "The specified method is not allowed against this resource.",
        Method="GET",
        ResourceType="DeleteMarker",
    ) as caught:
        s3.get_object(Bucket=versioned, Key=key, VersionId=marker)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    has(headers, **{"x-amz-delete-marker": "true", "x-amz-version-id": marker})
    assert headers.get("allow") == "DELETE"
    assert "last-modified" in headers
    second = s3.delete_object(Bucket=versioned, Key=key)["VersionId"]
    assert second != marker
    assert history(s3, versioned) == ([(version, False)], [(second, True), (marker, False)])
    has(
        s3.delete_object(Bucket=versioned, Key=key, VersionId=marker),
        DeleteMarker=True,
        VersionId=marker,
    )
    has(
        s3.delete_object(Bucket=versioned, Key=key, VersionId=version),
        DeleteMarker=None,
        VersionId=version,
    )
    with refused(
        "NoSuchVersion",
        404,
        "The specified version does not exist.",
        Key=key,
        VersionId=version,
    ):
        s3.get_object(Bucket=versioned, Key=key, VersionId=version)
    with refused(
        "InvalidArgument",
        400,
        "Invalid version id specified",
        ArgumentName="versionId",
        ArgumentValue="not-a-version",
    ):
        s3.delete_object(Bucket=versioned, Key=key, VersionId="not-a-version")
    has(s3.delete_object(Bucket=versioned, Key="wrong-key"), DeleteMarker=True, VersionId=...)


def test_head_of_marker(s3, versioned):
    """AWS API HeadObject: 404 for a current delete marker, 405 for one named by its id."""
    put(s3, versioned, b"x")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    with refused("404", 404) as caught:
        s3.head_object(Bucket=versioned, Key="k")
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    has(headers, **{"x-amz-delete-marker": "true", "x-amz-version-id": marker})
    with refused("405", 405) as caught:
        s3.head_object(Bucket=versioned, Key="k", VersionId=marker)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    has(headers, **{"x-amz-delete-marker": "true"})


def test_delete_marker_revives(s3, versioned):
    """AWS user guide, "Managing delete markers": removing the marker brings the object back."""
    version = put(s3, versioned, b"back")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    assert keys_of(s3.list_objects_v2(Bucket=versioned)) == []
    s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    assert read(s3, versioned) == b"back"
    assert keys_of(s3.list_objects_v2(Bucket=versioned)) == ["k"]
    assert history(s3, versioned) == ([(version, True)], [])


def test_delete_latest_promotes(s3, versioned):
    """aws-recorded: test_s3_delete_object_with_version_id. Removing the latest version makes the
    one before it current; a marker before it makes the key vanish."""
    first = put(s3, versioned, b"1")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    third = put(s3, versioned, b"3")
    fourth = put(s3, versioned, b"4")
    s3.delete_object(Bucket=versioned, Key="k", VersionId=fourth)
    assert read(s3, versioned) == b"3"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=third)
    with refused("NoSuchKey", 404):
        read(s3, versioned)
    assert history(s3, versioned) == ([(first, False)], [(marker, True)])


def test_delete_middle_version(s3, versioned):
    ids = [put(s3, versioned, str(n).encode()) for n in range(3)]
    s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[1])
    assert history(s3, versioned)[0] == [(ids[2], True), (ids[0], False)]
    assert read(s3, versioned) == b"2"
    assert read(s3, versioned, ids[0]) == b"0"


def test_missing_version(s3, versioned):
    """AWS error list: NoSuchVersion"""
    put(s3, versioned, b"x")
    other = put(s3, versioned, b"x", key="other")
    with refused("NoSuchVersion", 404, Key="k", VersionId=other):
        read(s3, versioned, other)
    with refused("404", 404):
        s3.head_object(Bucket=versioned, Key="k", VersionId=other)


def test_get_null_version_of_unversioned(s3, bucket):
    """aws-recorded: test_get_object_with_version_unversioned_bucket"""
    put(s3, bucket, b"test-version")
    with refused(
        "InvalidArgument", 400, "Invalid version id specified", ArgumentName="versionId"
    ):
        read(s3, bucket, "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD")
    got = s3.get_object(Bucket=bucket, Key="k", VersionId="null")
    assert got["Body"].read() == b"test-version"
    has(got, VersionId=None)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_empty_version_id(server, s3, versioned, method):
    """Observed of S3: "Version id cannot be the empty string"."""
    put(s3, versioned, b"x")
    reply = http_request(server, method, f"/{versioned}/k?versionId=")
    assert reply.status == 400
    if method != "HEAD":
        is_error(
            reply,
            "InvalidArgument",
            400,
            "Version id cannot be the empty string",
            ArgumentName="versionId",
        )
    assert read(s3, versioned) == b"x"


def test_bucket_history(s3, bucket):
    """aws-recorded: test_s3_put_object_versioned"""
    old = "non-version-bucket-key"
    put(s3, bucket, b"non-versioned-key", old)
    has(s3.get_object(Bucket=bucket, Key=old), VersionId=None)
    set_versioning(s3, bucket, "Enabled")
    has(s3.get_object(Bucket=bucket, Key=old), VersionId="null")
    first = put(s3, bucket, b"versioned-key", "versioned-bucket-key")
    second = put(s3, bucket, b"versioned-key-updated", "versioned-bucket-key")
    got = s3.get_object(Bucket=bucket, Key="versioned-bucket-key")
    has(got, VersionId=second)
    listed = history(s3, bucket)[0]
    assert listed == [("null", True), (second, True), (first, False)]
    set_versioning(s3, bucket, "Suspended")
    assert history(s3, bucket)[0] == listed
    has(s3.get_object(Bucket=bucket, Key="versioned-bucket-key"), VersionId=second)
    has(s3.put_object(Bucket=bucket, Key=old, Body=b"non-versioned-key-post"), VersionId=None)
    got = s3.get_object(Bucket=bucket, Key=old)
    has(got, VersionId="null")
    assert got["Body"].read() == b"non-versioned-key-post"


def test_null_version_is_kept_when_enabled(s3, bucket):
    """AWS user guide, "Adding objects to versioning-enabled buckets"."""
    put(s3, bucket, b"null")
    set_versioning(s3, bucket, "Enabled")
    version = put(s3, bucket, b"versioned")
    assert history(s3, bucket)[0] == [(version, True), ("null", False)]
    assert read(s3, bucket, "null") == b"null"
    has(s3.delete_object(Bucket=bucket, Key="k", VersionId="null"), VersionId="null")
    assert history(s3, bucket)[0] == [(version, True)]
    with refused("NoSuchVersion", 404, VersionId="null"):
        read(s3, bucket, "null")


# ---- suspended ----------------------------------------------------------------------------------


def test_put_on_suspended(s3, versioned):
    """aws-recorded: test_put_object_on_suspended_bucket"""
    ids = [put(s3, versioned, f"test-version-{n}".encode()) for n in range(3)]
    set_versioning(s3, versioned, "Suspended")
    before = [(ids[2], True), (ids[1], False), (ids[0], False)]
    assert history(s3, versioned)[0] == before
    for _ in range(2):  # the second replaces the null version
        reply = s3.put_object(Bucket=versioned, Key="k", Body=b"test-version-suspended")
        has(reply, VersionId=None)
        assert history(s3, versioned)[0] == [("null", True), *[(v, False) for v, _ in before]]
    has(s3.get_object(Bucket=versioned, Key="k"), VersionId="null", ContentLength=22)


def test_delete_on_suspended(s3, versioned):
    """aws-recorded: test_delete_object_on_suspended_bucket"""
    ids = [put(s3, versioned, f"test-version-{n}".encode()) for n in range(2)]
    set_versioning(s3, versioned, "Suspended")
    kept = [(ids[1], False), (ids[0], False)]
    has(s3.delete_object(Bucket=versioned, Key="k"), DeleteMarker=True, VersionId="null")
    assert history(s3, versioned) == (kept, [("null", True)])
    put(s3, versioned, b"replaces the null marker")
    assert history(s3, versioned) == ([("null", True), *kept], [])
    has(s3.delete_object(Bucket=versioned, Key="k"), DeleteMarker=True, VersionId="null")
    assert history(s3, versioned) == (kept, [("null", True)])
    has(
        s3.delete_object(Bucket=versioned, Key="k", VersionId="null"),
        DeleteMarker=True,
        VersionId="null",
    )
    assert history(s3, versioned)[0] == [(ids[1], True), (ids[0], False)]


def test_null_between_versions(s3, versioned):
    """A null version written while suspended takes its place in time; enabling again goes on."""
    first = put(s3, versioned, b"1")
    set_versioning(s3, versioned, "Suspended")
    put(s3, versioned, b"null")
    set_versioning(s3, versioned, "Enabled")
    third = put(s3, versioned, b"3")
    assert history(s3, versioned)[0] == [(third, True), ("null", False), (first, False)]
    set_versioning(s3, versioned, "Suspended")
    put(s3, versioned, b"null again")
    assert history(s3, versioned)[0] == [("null", True), (third, False), (first, False)]


# ---- DeleteObjects ------------------------------------------------------------------------------


def delete(s3, bucket, *objects):
    return s3.delete_objects(Bucket=bucket, Delete={"Objects": list(objects)})


def test_delete_objects_versioned(s3, versioned):
    """aws-recorded: test_delete_objects_versioned"""
    version = put(s3, versioned, b"x", "test-delete")
    reply = delete(
        s3, versioned, {"Key": "test-delete"}, {"Key": "wrongkey"}, {"Key": "wrongkey-x"}
    )
    by_key = {d["Key"]: d for d in reply["Deleted"]}
    assert set(by_key) == {"test-delete", "wrongkey", "wrongkey-x"}
    for deleted in by_key.values():
        has(deleted, DeleteMarker=True, DeleteMarkerVersionId=..., VersionId=None)
    marker = by_key["test-delete"]["DeleteMarkerVersionId"]
    reply = delete(s3, versioned, {"Key": "test-delete", "VersionId": marker})
    assert reply["Deleted"] == [
        {
            "Key": "test-delete",
            "DeleteMarker": True,
            "DeleteMarkerVersionId": marker,
            "VersionId": marker,
        }
    ]
    wrong = "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"
    reply = delete(
        s3,
        versioned,
        {"Key": "test-delete", "VersionId": wrong},
        {"Key": "wrong-key-2", "VersionId": wrong},
    )
    assert sorted((e["Key"], e["Code"], e["VersionId"]) for e in reply["Errors"]) == [
        ("test-delete", "NoSuchVersion", wrong),
        ("wrong-key-2", "NoSuchVersion", wrong),
    ]
    reply = delete(s3, versioned, {"Key": "test-delete", "VersionId": version})
    assert reply["Deleted"] == [{"Key": "test-delete", "VersionId": version}]


def test_delete_keys_in_versioned_bucket(s3, versioned):
    """aws-recorded: test_delete_keys_in_versioned_bucket"""
    ids = [put(s3, versioned, b, "key") for b in (b"something", b"something-v2")]
    marker = delete(s3, versioned, {"Key": "key"})["Deleted"][0]["DeleteMarkerVersionId"]
    reply = delete(s3, versioned, *[{"Key": "key", "VersionId": v} for v in ids])
    assert len(reply["Deleted"]) == 2
    assert history(s3, versioned) == ([], [(marker, True)])
    delete(s3, versioned, {"Key": "key", "VersionId": marker})
    assert history(s3, versioned) == ([], [])


# ---- other operations on versions ---------------------------------------------------------------


def test_multipart_makes_a_version(s3, versioned):
    upload = s3.create_multipart_upload(Bucket=versioned, Key="k")["UploadId"]
    part = s3.upload_part(
        Bucket=versioned, Key="k", UploadId=upload, PartNumber=1, Body=b"part"
    )
    done = s3.complete_multipart_upload(
        Bucket=versioned,
        Key="k",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert history(s3, versioned)[0] == [(done["VersionId"], True)]


def test_head_and_range_of_version(s3, versioned):
    first = put(s3, versioned, b"0123456789")
    put(s3, versioned, b"other")
    has(s3.head_object(Bucket=versioned, Key="k", VersionId=first), ContentLength=10)
    got = s3.get_object(Bucket=versioned, Key="k", VersionId=first, Range="bytes=2-3")
    assert (status_of(got), got["Body"].read()) == (206, b"23")
    assert header_of(got, "x-amz-version-id") == first


def test_get_unversioned_bucket_versions_stay_after_suspend(s3, versioned):
    version = put(s3, versioned, b"1")
    set_versioning(s3, versioned, "Suspended")
    assert read(s3, versioned, version) == b"1"
