# SPDX-License-Identifier: MIT
"""minio-py against S3: the client's defaults; only endpoint and credentials are given."""

import io
import os
import tempfile
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from minio import Minio
from minio.commonconfig import CopySource, ComposeSource, Tags
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import ENABLED, VersioningConfig

from steps import (ACCESS_KEY, ENDPOINT, MIB, ODD_KEYS, SECRET_KEY, VERIFIES, check, finish, raises,
                   same, step)


def connect(access_key=ACCESS_KEY, secret_key=SECRET_KEY):
    url = urlsplit(ENDPOINT)
    return Minio(url.netloc, access_key=access_key, secret_key=secret_key,
                 secure=url.scheme == "https")


client = connect()
bucket = f"minio-py-{os.getpid()}-{int(time.time())}"
big = os.urandom(12 * MIB)


def put(key, data, **options):
    return client.put_object(bucket, key, io.BytesIO(data), len(data), **options)


def get(key, **options):
    reply = client.get_object(bucket, key, **options)
    try:
        return reply.read()
    finally:
        reply.close()
        reply.release_conn()


def keys(prefix, **options):
    return [item.object_name for item in client.list_objects(bucket, prefix, **options)]


def refused(code, call, *args, **options):
    same(raises(S3Error, call, *args, **options).code, code)


@step
def _():
    """make, find and list buckets"""
    client.make_bucket(bucket)
    check(client.bucket_exists(bucket), "the bucket exists")
    check(not client.bucket_exists(bucket + "-absent"), "the other does not")
    check(bucket in [each.name for each in client.list_buckets()], "the bucket is listed")


@step
def _():
    """put, stat, get and remove a small object"""
    put("small", b"hello", content_type="text/plain", metadata={"Author": "me", "x-amz-meta-b": "2"})
    stat = client.stat_object(bucket, "small")
    same((stat.size, stat.etag, stat.content_type), (5, "5d41402abc4b2a76b9719d911017c592", "text/plain"))
    same((stat.metadata["x-amz-meta-author"], stat.metadata["x-amz-meta-b"]), ("me", "2"))
    check(abs(stat.last_modified.timestamp() - time.time()) < 600, "modified now")
    same(get("small"), b"hello")
    client.remove_object(bucket, "small")
    refused("NoSuchKey", client.stat_object, bucket, "small")


@step
def _():
    """an object of no bytes, and 12 MiB"""
    put("empty", b"")
    same(get("empty"), b"")
    put("big", big)
    check(get("big") == big, "the bytes stored are those read")
    check(get("big", offset=100, length=50) == big[100:150], "the range")


@step
def _():
    """a stream of unknown length"""
    result = client.put_object(bucket, "up", io.BytesIO(big), -1, part_size=5 * MIB)
    check(result.etag.endswith("-3"), f"three parts: {result.etag}")
    check(get("up") == big, "the bytes stored are those read")


@step
def _():
    """files"""
    with tempfile.TemporaryDirectory() as folder:
        up, down = os.path.join(folder, "up"), os.path.join(folder, "down")
        with open(up, "wb") as file:
            file.write(big)
        client.fput_object(bucket, "file", up)
        client.fget_object(bucket, "file", down)
        with open(down, "rb") as file:
            check(file.read() == big, "the file comes back")


@step
def _():
    """copy, and compose an object of others (copies of parts)"""
    client.copy_object(bucket, "copy", CopySource(bucket, "big"))
    check(get("copy") == big, "the copy")
    client.compose_object(bucket, "composed", [ComposeSource(bucket, "big"), ComposeSource(bucket, "up")])
    check(get("composed") == big + big, "the composed object")


@step
def _():
    """errors"""
    refused("NoSuchKey", client.get_object, bucket, "absent")
    refused("NoSuchBucket", client.get_object, bucket + "-absent", "x")
    refused("BucketNotEmpty", client.remove_bucket, bucket)
    if VERIFIES:
        refused("SignatureDoesNotMatch", connect(secret_key="wrong").list_buckets)
        refused("InvalidAccessKeyId", connect(access_key="NOBODY").list_buckets)


@step
def _():
    """odd keys"""
    for key in ODD_KEYS:
        put("odd/" + key, key.encode())
        same(get("odd/" + key), key.encode(), key)
        client.copy_object(bucket, "odd-copy/" + key, CopySource(bucket, "odd/" + key))
        same(get("odd-copy/" + key), key.encode(), key)
    wanted = sorted(("odd/" + key for key in ODD_KEYS), key=str.encode)
    same(keys("odd/", recursive=True), wanted)
    for key in wanted:
        client.remove_object(bucket, key)
    doomed = [DeleteObject(key) for key in keys("odd-copy/", recursive=True)]
    same([str(error) for error in client.remove_objects(bucket, doomed)], [])
    same(keys("odd", recursive=True), [])


@step
def _():
    """list: folders, start-after, both versions of the operation"""
    wanted = sorted(f"list/{'abcde'[i % 5]}/{10 + i}" for i in range(25))
    for key in wanted:
        put(key, b"x")
    same(keys("list/", recursive=True), wanted)
    same(keys("list/"), ["list/a/", "list/b/", "list/c/", "list/d/", "list/e/"])
    same(keys("list/", recursive=True, start_after="list/e/19"), ["list/e/24", "list/e/29", "list/e/34"])
    same(keys("list/", recursive=True, use_api_v1=True), wanted)


@step
def _():
    """tags of objects and buckets"""
    tags = Tags.new_object_tags()
    tags["team"] = "a b+c"
    client.set_object_tags(bucket, "big", tags)
    same(client.get_object_tags(bucket, "big"), tags)
    client.delete_object_tags(bucket, "big")
    same(client.get_object_tags(bucket, "big"), None)
    tags = Tags.new_bucket_tags()
    tags["one"] = "1"
    client.set_bucket_tags(bucket, tags)
    same(client.get_bucket_tags(bucket), tags)
    client.delete_bucket_tags(bucket)
    same(client.get_bucket_tags(bucket), None)


@step
def _():
    """presigned URLs and a browser form"""
    key = "pre signed/ü+.txt"
    url = client.presigned_put_object(bucket, key, expires=timedelta(hours=1))
    with urlopen(Request(url, data=b"by url", method="PUT")) as reply:
        same(reply.status, 200)
    with urlopen(client.presigned_get_object(bucket, key)) as reply:
        same(reply.read(), b"by url")
    policy = PostPolicy(bucket, datetime.now(timezone.utc) + timedelta(hours=1))
    policy.add_equals_condition("key", "posted")
    policy.add_content_length_range_condition(1, 1024)
    fields = {"key": "posted", **client.presigned_post_policy(policy)}
    body = "".join(f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                   for name, value in fields.items())
    body += '--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nby form\r\n--x--\r\n'
    request = Request(f"{ENDPOINT}/{bucket}", data=body.encode(), method="POST",
                      headers={"Content-Type": "multipart/form-data; boundary=x"})
    with urlopen(request) as reply:
        same(reply.status, 204)
    same(get("posted"), b"by form")


@step
def _():
    """versions"""
    own = bucket + "-v"
    client.make_bucket(own)
    client.set_bucket_versioning(own, VersioningConfig(ENABLED))
    same(client.get_bucket_versioning(own).status, ENABLED)
    one = client.put_object(own, "v", io.BytesIO(b"one"), 3).version_id
    client.put_object(own, "v", io.BytesIO(b"two"), 3)
    same(client.get_object(own, "v", version_id=one).read(), b"one")
    client.remove_object(own, "v")
    refused("NoSuchKey", client.get_object, own, "v")
    found = list(client.list_objects(own, include_version=True))
    same([item.is_delete_marker for item in found], [False, False, True])  # markers come last
    same(found[1].version_id, one)
    for item in found:
        client.remove_object(own, item.object_name, version_id=item.version_id)
    client.remove_bucket(own)


@step
def _():
    """empty and remove the bucket"""
    doomed = [DeleteObject(key) for key in keys("", recursive=True)]
    same([str(error) for error in client.remove_objects(bucket, doomed)], [])
    client.remove_bucket(bucket)
    check(not client.bucket_exists(bucket), "the bucket is gone")


finish()
