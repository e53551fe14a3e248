# SPDX-License-Identifier: MIT
"""One server for the session, one fixture, and each test from it: pytest and boto3."""

import os
import time

import boto3
import pytest

from s3mem import S3Mem, S3MemError


@pytest.fixture(scope="session")
def server():
    with S3Mem("--bucket=demo", library=os.environ.get("S3MEM_LIBRARY")) as s:
        client(s).put_object(Bucket="demo", Key="fixture", Body=b"golden")
        s.snapshot("clean")
        yield s


@pytest.fixture
def s3(server):
    yield client(server)
    server.restore("clean")


def client(server, branch="test"):
    return boto3.client("s3", endpoint_url=server.url, region_name="us-east-1",
                        aws_access_key_id=branch, aws_secret_access_key="any")


@pytest.mark.parametrize("turn", range(3))
def test_each_starts_from_the_fixture(s3, turn):
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="demo")["Contents"]] == ["fixture"]
    s3.delete_object(Bucket="demo", Key="fixture")
    s3.put_object(Bucket="demo", Key=f"mine-{turn}", Body=b"x")


def test_branches(server):
    server.fork("worker-7", "clean")
    client(server, "worker-7").put_object(Bucket="demo", Key="only there", Body=b"x")
    assert client(server).list_objects_v2(Bucket="demo")["KeyCount"] == 1
    assert client(server, "worker-7").list_objects_v2(Bucket="demo")["KeyCount"] == 2
    server.delete_branch("worker-7")


def test_a_fixture_in_a_file(server, tmp_path):
    server.save("clean", tmp_path / "fixture.s3mem.gz")
    with S3Mem(library=os.environ.get("S3MEM_LIBRARY")) as other:
        other.load("loaded", tmp_path / "fixture.s3mem.gz")
        other.restore("loaded")
        body = client(other).get_object(Bucket="demo", Key="fixture")["Body"].read()
        assert body == b"golden"
        assert other.stats()["branches"][0]["objectCount"] == 1


def test_errors(server):
    with pytest.raises(S3MemError, match="MISSING"):
        server.restore("never taken")
    with pytest.raises(S3MemError, match="EXISTS"):
        server.snapshot("clean")
    with pytest.raises(S3MemError, match="--max-memory"):
        S3Mem("--max-memory=plenty", library=os.environ.get("S3MEM_LIBRARY"))


def test_starts_in_milliseconds():
    took = []
    for _ in range(20):
        begun = time.perf_counter()
        with S3Mem(library=os.environ.get("S3MEM_LIBRARY")):
            took.append(time.perf_counter() - begun)
    print(f"start: {sorted(took)[10] * 1000:.2f} ms")
    assert sorted(took)[10] < 1
