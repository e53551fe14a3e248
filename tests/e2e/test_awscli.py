# SPDX-License-Identifier: MIT
"""The AWS command line, unmodified: s3 cp, sync, mv, rm, ls, presign, and s3api."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from awscli.clidriver import create_clidriver

from harness import ACCESS_KEY, MIB, PATIENCE, SECRET_KEY, SLOW, keys_of, unique

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture
def environment(server, tmp_path, monkeypatch):
    """What a user sets: endpoint, keys, region."""
    # awscli finds its own data by AWS_DATA_PATH, which importing it sets.
    for name in [n for n in os.environ if n.startswith("AWS_") and n != "AWS_DATA_PATH"]:
        monkeypatch.delenv(name)
    settings = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_PAGER": "",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def aws(environment, capfdbinary):
    """Runs a command of the CLI inside this process, since starting it takes a second each time;
    returns its standard output."""

    def run(*arguments, fails=None):
        capfdbinary.readouterr()
        code = create_clidriver().main([str(a) for a in arguments])
        sys.stdout.flush()
        done = capfdbinary.readouterr()
        text = done.err.decode()
        if fails is not None:
            assert code != 0 and fails in text, (code, text)
            return text
        assert code == 0, text
        return done.out

    return run


def test_command_itself(environment, s3, bucket):
    """The program as a shell runs it, with standard input and output."""

    def run(*arguments, **options):
        return subprocess.run(
            [sys.executable, str(AWS), *arguments],
            check=True,
            capture_output=True,
            timeout=100 * SLOW,
            **options,
        ).stdout

    run("s3", "cp", "-", f"s3://{bucket}/from-stdin", input=b"streamed")
    assert s3.get_object(Bucket=bucket, Key="from-stdin")["Body"].read() == b"streamed"
    assert run("s3", "cp", f"s3://{bucket}/from-stdin", "-") == b"streamed"


def test_cp_ls_rm(aws, s3, bucket, tmp_path):
    source = tmp_path / "a file.txt"
    source.write_bytes(b"hello")
    aws("s3", "cp", source, f"s3://{bucket}/dir/", "--content-type", "text/x-test")
    assert s3.head_object(Bucket=bucket, Key="dir/a file.txt")["ContentType"] == "text/x-test"
    listing = aws("s3", "ls", f"s3://{bucket}/", "--recursive").decode()
    assert "dir/a file.txt" in listing and " 5 " in listing
    assert "PRE dir/" in aws("s3", "ls", f"s3://{bucket}").decode()
    target = tmp_path / "back"
    aws("s3", "cp", f"s3://{bucket}/dir/a file.txt", target)
    assert target.read_bytes() == b"hello"
    aws("s3", "cp", f"s3://{bucket}/dir/a file.txt", f"s3://{bucket}/copy")
    aws("s3", "rm", f"s3://{bucket}/", "--recursive")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_cp_large(aws, s3, bucket, tmp_path):
    """Multipart up and ranged down."""
    source = tmp_path / "large"
    source.write_bytes(os.urandom(20 * MIB + 11))
    aws("s3", "cp", source, f"s3://{bucket}/large")
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
    aws("s3", "cp", f"s3://{bucket}/large", f"s3://{bucket}/copy")
    target = tmp_path / "back"
    aws("s3", "cp", f"s3://{bucket}/copy", target)
    assert target.read_bytes() == source.read_bytes()


def test_sync_and_mv(aws, s3, bucket, tmp_path):
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for name in ("one", "two", "sub/three", "sub/with space+plus%"):
        (folder / name).write_text(name, encoding="utf-8")
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))  # sync compares by the second
    aws("s3", "sync", folder, f"s3://{bucket}/synced")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == [
        "synced/one",
        "synced/sub/three",
        "synced/sub/with space+plus%",
        "synced/two",
    ]
    assert b"upload" not in aws("s3", "sync", folder, f"s3://{bucket}/synced"), "nothing to do"
    (folder / "two").unlink()
    aws("s3", "sync", folder, f"s3://{bucket}/synced", "--delete")
    assert "synced/two" not in keys_of(s3.list_objects_v2(Bucket=bucket))
    back = tmp_path / "back"
    aws("s3", "sync", f"s3://{bucket}/synced", back)
    assert (back / "sub" / "with space+plus%").read_text(encoding="utf-8") == "sub/with space+plus%"
    aws("s3", "mv", f"s3://{bucket}/synced", f"s3://{bucket}/moved", "--recursive")
    assert all(k.startswith("moved/") for k in keys_of(s3.list_objects_v2(Bucket=bucket)))


def test_mb_rb(aws, s3):
    name = unique("cli")
    aws("s3", "mb", f"s3://{name}")
    assert name in aws("s3", "ls").decode()
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    aws("s3", "rb", f"s3://{name}", fails="BucketNotEmpty")
    aws("s3", "rb", f"s3://{name}", "--force")
    aws("s3", "ls", f"s3://{name}", fails="NoSuchBucket")


def test_presign(aws, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"presigned")
    url = aws("s3", "presign", f"s3://{bucket}/k", "--expires-in", "60").decode().strip()
    assert requests.get(url, timeout=PATIENCE).content == b"presigned"


def test_s3api(aws, bucket, tmp_path):
    def api(*arguments, **options):
        out = aws("s3api", *arguments, **options)
        return json.loads(out) if out and not options.get("fails") else out

    body = tmp_path / "body"
    body.write_bytes(b"0123456789")
    api(
        "put-bucket-versioning",
        "--bucket", bucket,
        "--versioning-configuration", "Status=Enabled",
    )  # fmt: skip
    assert api("get-bucket-versioning", "--bucket", bucket) == {"Status": "Enabled"}
    at = ["--bucket", bucket, "--key", "k"]
    put = api(
        "put-object", *at, "--body", body, "--metadata", "a=1,b=2", "--tagging", "x=y",
        "--checksum-algorithm", "SHA256",
    )  # fmt: skip
    assert put["ChecksumSHA256"] and put["VersionId"]
    head = api("head-object", *at, "--checksum-mode", "ENABLED")
    assert head["Metadata"] == {"a": "1", "b": "2"} and head["ChecksumSHA256"]
    target = tmp_path / "range"
    api("get-object", *at, "--range", "bytes=2-4", target)
    assert target.read_bytes() == b"234"
    assert api("get-object-tagging", *at)["TagSet"] == [{"Key": "x", "Value": "y"}]
    attributes = api("get-object-attributes", *at, "--object-attributes", "ETag", "ObjectSize")
    assert attributes["ObjectSize"] == 10
    copied = api(
        "copy-object", "--bucket", bucket, "--key", "copy", "--copy-source", f"{bucket}/k"
    )
    assert copied["CopyObjectResult"]["ETag"] == put["ETag"]
    gone = api("delete-object", *at)
    assert gone["DeleteMarker"] is True
    versions = api("list-object-versions", "--bucket", bucket, "--prefix", "k")
    assert len(versions["Versions"]) == len(versions["DeleteMarkers"]) == 1
    assert api("list-objects-v2", "--bucket", bucket)["Contents"][0]["Key"] == "copy"
    api("get-object", *at, tmp_path / "none", fails="NoSuchKey")
    deleted = api(
        "delete-objects", "--bucket", bucket, "--delete", "Objects=[{Key=copy},{Key=other}]"
    )
    assert {d["Key"] for d in deleted["Deleted"]} == {"copy", "other"}
    upload = api("create-multipart-upload", *at)["UploadId"]
    part = api(
        "upload-part", *at, "--upload-id", upload, "--part-number", "1", "--body", body
    )
    assert len(api("list-parts", *at, "--upload-id", upload)["Parts"]) == 1
    done = api(
        "complete-multipart-upload", *at, "--upload-id", upload, "--multipart-upload",
        json.dumps({"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}),
    )  # fmt: skip
    assert done["ETag"].endswith('-1"')
