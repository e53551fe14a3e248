# SPDX-License-Identifier: MIT
"""--enforce-limits, --metadata-limit, --max-object-size, --max-memory."""

import os

import pytest

from harness import (
    MIB,
    client,
    eventually,
    has,
    http_request,
    is_error,
    keys_of,
    refused,
    serving,
    unique,
)

pytestmark = pytest.mark.options

once = {"retries": {"max_attempts": 1, "mode": "standard"}}


@pytest.fixture
def limited(limits_server):
    s3 = client(limits_server)
    name = unique("limits")
    s3.create_bucket(Bucket=name)
    return s3, name


def test_metadata_message(limited):
    """The error names the size and the limit, as the specification's example does."""
    s3, bucket = limited
    with refused(
        "MetadataTooLarge",
        400,
        "Metadata size (3000 bytes) exceeds limit of 2048 bytes",
        MaxSizeAllowed="2048",
        Size="3000",
    ):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "v" * 2999})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "v" * 2047})


def test_object_size(limits_server, limited):
    s3, bucket = limited
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * MIB)
    with refused(
        "EntityTooLarge", 400, MaxSizeAllowed=str(MIB), ProposedSize=str(MIB + 1)
    ) as caught:
        s3.put_object(Bucket=bucket, Key="too-large", Body=b"x" * (MIB + 1))
    message = caught.value.response["Error"]["Message"]
    assert str(MIB + 1) in message and str(MIB) in message
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    with refused("EntityTooLarge", 400):
        s3.upload_part(
            Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x" * (MIB + 1)
        )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]


def test_object_size_of_chunked_upload(limits_server, limited):
    """The decoded length counts, and it is refused before the body is read."""
    s3, bucket = limited
    reply = http_request(
        limits_server,
        "PUT",
        f"/{bucket}/k",
        {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-decoded-content-length": str(2 * MIB),
        },
        b"0\r\n\r\n",
    )
    is_error(reply, "EntityTooLarge", 400)


def test_own_metadata_limit():
    with serving("--enforce-limits", "--metadata-limit", "100") as server:
        s3 = client(server)
        bucket = unique()
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "v" * 99})
        with refused(
            "MetadataTooLarge", 400, "Metadata size (101 bytes) exceeds limit of 100 bytes"
        ):
            s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "v" * 100})


def test_max_memory():
    """Beyond --max-memory a write answers SlowDown, nothing is lost, deleting makes room, and the
    log says why."""
    with serving("--max-memory", "64MiB") as server:
        s3 = client(server, config=once)
        bucket = unique()
        s3.create_bucket(Bucket=bucket)
        body = os.urandom(8 * MIB)
        stored = []
        with refused("SlowDown", 503) as caught:
            for n in range(20):
                s3.put_object(Bucket=bucket, Key=f"{n}", Body=body)
                stored.append(f"{n}")
        assert caught.value.response["Error"]["Message"]
        assert 4 <= len(stored) <= 8, stored
        assert sorted(keys_of(s3.list_objects_v2(Bucket=bucket))) == sorted(stored)
        for key in stored:
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
        with refused("SlowDown", 503):
            upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
            for n in range(1, 20):
                s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=n, Body=body)
        s3.abort_multipart_upload(Bucket=bucket, Key="m", UploadId=upload)
        for key in stored[:3]:
            s3.delete_object(Bucket=bucket, Key=key)

        def fits():
            try:
                s3.put_object(Bucket=bucket, Key="again", Body=body)
                return True
            except s3.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "SlowDown"
                return False

        eventually(fits)  # the memory of what was deleted is given back in the background
        assert "memory" in server.stderr()
        has(s3.head_object(Bucket=bucket, Key="again"), ContentLength=8 * MIB)


def test_max_memory_counts_bucket_tags():
    """Settings of buckets are memory, too; tags that did not fit are not taken for none."""
    with serving("--max-memory", "1MiB") as server:
        s3 = client(server, config=once)

        def tags(value):
            return {"TagSet": [{"Key": f"k{i}", "Value": value * 256} for i in range(50)]}

        buckets = []
        with refused("SlowDown", 503):
            for _ in range(100):
                name = unique()
                s3.create_bucket(Bucket=name)
                buckets.append(name)
                s3.put_bucket_tagging(Bucket=name, Tagging=tags("a"))
        assert 20 < len(buckets) < 100, len(buckets)
        with refused("SlowDown", 503):
            s3.put_bucket_tagging(Bucket=buckets[0], Tagging=tags("b"))
        assert s3.get_bucket_tagging(Bucket=buckets[0])["TagSet"] == tags("a")["TagSet"]
        for name in buckets[1:4]:
            s3.delete_bucket_tagging(Bucket=name)
        s3.put_bucket_tagging(Bucket=buckets[0], Tagging=tags("b"))


def test_max_memory_refuses_before_the_body():
    """A Content-Length that can never fit is answered without asking for the body."""
    with serving("--max-memory", "16MiB") as server:
        bucket = unique()
        client(server).create_bucket(Bucket=bucket)
        from harness import connect

        with connect(server) as raw:
            raw.sendall(
                f"PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: {10**12}\r\n"
                "Expect: 100-continue\r\n\r\n".encode()
            )
            head = raw.recv(65536)
        assert b" 100 " not in head.split(b"\r\n")[0]
        assert head.startswith((b"HTTP/1.1 503", b"HTTP/1.1 400")), head


def test_single_put_of_more_than_five_gib(server, bucket):
    """AWS: 5 GiB is the most for a single PUT; S3 refuses by the header."""
    from harness import connect

    with connect(server) as raw:
        raw.sendall(
            f"PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: {5 * 1024**3 + 1}\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        head = raw.recv(65536)
    assert head.startswith(b"HTTP/1.1 "), head
    assert b"EntityTooLarge" in head or b" 100 " in head.split(b"\r\n")[0]
