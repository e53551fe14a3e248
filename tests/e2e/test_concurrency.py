# SPDX-License-Identifier: MIT
"""Many clients at once: what S3 promises about them must hold."""

import base64
import concurrent.futures
import hashlib
import os
import threading

import pytest

from conftest import own_server
from harness import (
    MIB,
    client,
    etag_of,
    http_request,
    keys_of,
    status_of,
    unique,
    upload_parts,
)

WORKERS = 8


def together(count, work):
    """Runs work(0..count-1) at the same time; returns the results in order."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, range(count)))


def code_of(call):
    """200, or the error's code."""
    try:
        return status_of(call())
    except Exception as error:  # noqa: BLE001 - what is no ClientError has no response and raises
        return error.response["Error"]["Code"]


def test_last_writer_wins_whole(s3, server, bucket):
    """Readers see one body or another, never a mixture; the ETag fits the body."""
    bodies = [bytes([n]) * (200_000 + n) for n in range(4)]
    etags = {etag_of(b): b for b in bodies}
    s3.put_object(Bucket=bucket, Key="k", Body=bodies[0])
    stop = threading.Event()
    torn = []

    def read():
        mine = client(server)
        while not stop.is_set():
            got = mine.get_object(Bucket=bucket, Key="k")
            if got["Body"].read() != etags[got["ETag"]]:
                torn.append(got["ETag"])

    readers = [threading.Thread(target=read) for _ in range(3)]
    for t in readers:
        t.start()
    together(60, lambda n: s3.put_object(Bucket=bucket, Key="k", Body=bodies[n % 4]))
    stop.set()
    for t in readers:
        t.join()
    assert not torn


def test_one_creates(s3, bucket):
    """If-None-Match: *: of many writers exactly one creates."""
    for round_ in range(5):
        results = together(
            16,
            lambda n, r=round_: code_of(
                lambda: s3.put_object(Bucket=bucket, Key=f"k{r}", Body=b"%d" % n, IfNoneMatch="*")
            ),
        )
        assert results.count(200) == 1, results
        assert set(results) <= {200, "PreconditionFailed", "ConditionalRequestConflict"}


def test_compare_and_swap(server, s3, bucket):
    """If-Match counts: no increment is lost."""
    s3.put_object(Bucket=bucket, Key="counter", Body=b"0")

    def increment(_):
        mine = client(server)
        while True:
            got = mine.get_object(Bucket=bucket, Key="counter")
            value = int(got["Body"].read())
            body = str(value + 1).encode()
            if 200 == code_of(
                lambda g=got, b=body: mine.put_object(
                    Bucket=bucket, Key="counter", Body=b, IfMatch=g["ETag"]
                )
            ):
                return

    together(40, increment)
    assert s3.get_object(Bucket=bucket, Key="counter")["Body"].read() == b"40"


def test_one_bucket(server):
    """CreateBucket outside us-east-1: one wins, the others own it already."""
    name = unique()
    west = client(server, region="us-west-2")
    results = together(
        12,
        lambda n: code_of(
            lambda: west.create_bucket(
                Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
            )
        ),
    )
    assert sorted(map(str, results)) == ["200"] + ["BucketAlreadyOwnedByYou"] * 11


def test_bucket_emptiness(s3):
    """DeleteBucket against PutObject: never an object in no bucket, never a lost object."""
    for _ in range(10):
        name = unique()
        s3.create_bucket(Bucket=name)
        calls = [
            lambda: s3.delete_bucket(Bucket=name),
            lambda: s3.put_object(Bucket=name, Key="k", Body=b"x"),
        ]
        deleted, put = together(2, lambda n: code_of(calls[n]))
        if put == 200:
            assert deleted == "BucketNotEmpty"
            assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"x"
        else:
            assert (deleted, put) == (204, "NoSuchBucket")


def test_complete_once(s3, bucket):
    """Many completions of one upload: all succeed alike or find it gone; one object."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = upload_parts(s3, bucket, "k", upload, [b"data"])
    results = together(
        8,
        lambda n: code_of(
            lambda: s3.complete_multipart_upload(
                Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts}
            )
        ),
    )
    assert 200 in results and set(results) <= {200, "NoSuchUpload"}, results
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"


def test_complete_against_abort(s3, bucket):
    for n in range(10):
        key = f"k{n}"
        upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        parts = upload_parts(s3, bucket, key, upload, [b"data"])
        calls = [
            lambda k=key, u=upload, p=parts: s3.complete_multipart_upload(
                Bucket=bucket, Key=k, UploadId=u, MultipartUpload={"Parts": p}
            ),
            lambda k=key, u=upload: s3.abort_multipart_upload(Bucket=bucket, Key=k, UploadId=u),
        ]
        completed, aborted = together(2, lambda i: code_of(calls[i]))
        there = key in keys_of(s3.list_objects_v2(Bucket=bucket))
        assert there == (completed == 200)
        # Abort after Complete answers NoSuchUpload; before it, Complete does.
        assert (completed, aborted) in ((200, "NoSuchUpload"), ("NoSuchUpload", 204))


def test_versions_all_kept(s3, versioned):
    """Concurrent writes to a versioned key: each is a version."""
    results = together(
        60, lambda n: s3.put_object(Bucket=versioned, Key="k", Body=b"%d" % n)["VersionId"]
    )
    assert len(set(results)) == 60
    listed = s3.list_object_versions(Bucket=versioned)["Versions"]
    assert {v["VersionId"] for v in listed} == set(results)
    assert [v["IsLatest"] for v in listed] == [True] + [False] * 59
    bodies = {
        s3.get_object(Bucket=versioned, Key="k", VersionId=v["VersionId"])["Body"].read()
        for v in listed
    }
    assert bodies == {b"%d" % n for n in range(60)}


def test_listing_while_writing(server, s3, bucket):
    """A listing is a consistent view: what was there throughout is there once, in order."""
    stable = [f"stable/{n:03}" for n in range(50)]
    for key in stable:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    stop = threading.Event()

    def churn(n):
        mine = client(server)
        i = 0
        while not stop.is_set():
            key = f"stable/{i % 50:03}-{n}"
            mine.put_object(Bucket=bucket, Key=key, Body=b"y")
            mine.delete_object(Bucket=bucket, Key=key)
            i += 1

    writers = [threading.Thread(target=churn, args=(n,)) for n in range(3)]
    for t in writers:
        t.start()
    try:
        for size in (1000, 7):
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, PaginationConfig={"PageSize": size}
            )
            seen = [k for page in pages for k in keys_of(page)]
            assert seen == sorted(seen) and len(seen) == len(set(seen))
            assert [k for k in seen if k in stable] == stable
    finally:
        stop.set()
        for t in writers:
            t.join()


def test_delete_while_reading(server, s3, bucket):
    """A GET in progress outlives the DELETE of its object."""
    body = os.urandom(16 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    got = s3.get_object(Bucket=bucket, Key="k")
    first = got["Body"].read(MIB)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    assert first + got["Body"].read() == body


def test_tagging_against_overwrite(s3, bucket):
    """Tags land on one object or the other, never bring an old body back."""
    for n in range(10):
        s3.put_object(Bucket=bucket, Key="k", Body=b"old")
        calls = [
            lambda: s3.put_object_tagging(
                Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
            ),
            lambda n=n: s3.put_object(Bucket=bucket, Key="k", Body=b"new %d" % n),
        ]
        assert together(2, lambda i: code_of(calls[i])) == [200, 200]
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new %d" % n


def test_many_connections_mixed(server, s3, bucket):
    """A few hundred raw requests of every kind at once all get their own answer."""

    def work(n):
        key, body = f"key-{n}", b"%d" % n * 100
        assert http_request(server, "PUT", f"/{bucket}/{key}", body=body).status == 200
        assert http_request(server, "GET", f"/{bucket}/{key}").body == body
        assert http_request(server, "HEAD", f"/{bucket}/{key}").headers["content-length"] == str(
            len(body)
        )
        assert http_request(server, "GET", f"/{bucket}/missing-{n}").error["Key"] == f"missing-{n}"

    together(200, work)
    assert len(keys_of(s3.list_objects_v2(Bucket=bucket))) == 200


@pytest.fixture
def one_thread():
    yield from own_server("--threads", "1")


def test_copying_does_not_stall_others(one_thread):
    """A source without the digest that is asked for is read in turns: with one I/O thread others
    are served meanwhile."""
    mine, other = client(one_thread), client(one_thread)
    mine.create_bucket(Bucket="big")
    body = bytes(range(256)) * (MIB // 256) * 160
    mine.put_object(Bucket="big", Key="big", Body=body)
    mine.put_object(Bucket="big", Key="small", Body=b"x")
    upload = mine.create_multipart_upload(Bucket="big", Key="parts", ChecksumAlgorithm="SHA512")
    copies = [
        lambda: mine.copy_object(
            Bucket="big", Key="copy", CopySource="big/big", ChecksumAlgorithm="SHA512"
        )["CopyObjectResult"],
        lambda: mine.upload_part_copy(
            Bucket="big",
            Key="parts",
            UploadId=upload["UploadId"],
            PartNumber=1,
            CopySource="big/big",
        )["CopyPartResult"],
    ]
    expected = base64.b64encode(hashlib.sha512(body).digest()).decode()
    for copy in copies:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            copying = pool.submit(copy)
            served = 0
            while not copying.done():
                other.head_object(Bucket="big", Key="small")
                served += 1
            assert copying.result()["ChecksumSHA512"] == expected
            assert copying.result()["ETag"] == etag_of(body)
        # One may be answered before the copy begins, and one after it.
        assert served > 5
