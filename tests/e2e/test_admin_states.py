# SPDX-License-Identifier: MIT
"""Snapshots, branches, clear and the clock, by HTTP, and what S3 clients see of them."""

import collections
import concurrent.futures
import datetime
import http.client
import re
import socket
import threading

import pytest
import requests

from admin import admin, admin_refused, ok
from conftest import ALICE
from harness import (
    PART,
    PATIENCE,
    SLOW,
    client,
    eventually,
    http_request,
    is_error,
    keys_of,
    refused,
    serving,
    unique,
)
from sign import Signer

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def own(request):
    """A server for one test alone: what is tested here is the whole store."""
    marker = request.node.get_closest_marker("options")
    with serving(*(marker.args if marker else ())) as server:
        yield server


def put(s3, bucket, **objects):
    for key, body in objects.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)


def keys(s3, bucket):
    return keys_of(s3.list_objects_v2(Bucket=bucket))


def body_of(s3, bucket, key, **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


# ---- snapshots ----------------------------------------------------------------------------------


def test_snapshot_and_restore(own):
    s3 = client(own)
    s3.create_bucket(Bucket="data")
    put(s3, "data", a=b"1", b=b"2")
    taken = admin(own, "POST", "snapshots", {"name": "clean"})
    info = ok(taken, 201)
    assert taken.headers["location"] == "/_s3mem/snapshots/clean"
    assert TIME.fullmatch(info.pop("created"))
    assert info == {"name": "clean", "from": "main", "buckets": 1, "objects": 2, "bytes": 2,
                    "versions": 0, "versionBytes": 0, "uploads": 0}

    s3.delete_object(Bucket="data", Key="a")
    put(s3, "data", b=b"changed", c=b"3")
    s3.create_bucket(Bucket="another")
    assert ok(admin(own, "POST", "snapshots/clean/restore")) == {
        "snapshot": "clean", "branch": "main"}
    assert keys(s3, "data") == ["a", "b"]
    assert body_of(s3, "data", "b") == b"2"
    with refused("404"):
        s3.head_bucket(Bucket="another")
    # It can be restored again, and goes when it is dropped.
    put(s3, "data", a=b"other")
    ok(admin(own, "POST", "snapshots/clean/restore"))
    assert body_of(s3, "data", "a") == b"1"
    ok(admin(own, "DELETE", "snapshots/clean"), 204)
    admin_refused(admin(own, "POST", "snapshots/clean/restore"), 404, "NoSuchSnapshot", "name")


def test_everything_is_in_a_snapshot(own):
    """Versions, delete markers, uploads in progress, tags, bucket settings."""
    s3 = client(own)
    s3.create_bucket(Bucket="all")
    s3.put_bucket_versioning(Bucket="all", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket="all", Tagging={"TagSet": [{"Key": "team", "Value": "x"}]})
    first = s3.put_object(Bucket="all", Key="k", Body=b"first", Tagging="a=1")["VersionId"]
    second = s3.put_object(Bucket="all", Key="k", Body=b"second")["VersionId"]
    marker = s3.delete_object(Bucket="all", Key="gone")["VersionId"]
    upload = s3.create_multipart_upload(Bucket="all", Key="big")["UploadId"]
    part = s3.upload_part(Bucket="all", Key="big", UploadId=upload, PartNumber=1, Body=b"p" * PART)
    info = ok(admin(own, "POST", "snapshots"), 201)
    assert (info["objects"], info["versions"], info["uploads"]) == (1, 2, 1)

    s3.put_bucket_versioning(Bucket="all", VersioningConfiguration={"Status": "Suspended"})
    s3.delete_bucket_tagging(Bucket="all")
    s3.delete_object(Bucket="all", Key="k", VersionId=first)
    s3.delete_object(Bucket="all", Key="gone", VersionId=marker)
    s3.abort_multipart_upload(Bucket="all", Key="big", UploadId=upload)
    ok(admin(own, "POST", f"snapshots/{info['name']}/restore"))

    assert s3.get_bucket_versioning(Bucket="all")["Status"] == "Enabled"
    assert s3.get_bucket_tagging(Bucket="all")["TagSet"] == [{"Key": "team", "Value": "x"}]
    listing = s3.list_object_versions(Bucket="all")
    assert [v["VersionId"] for v in listing["Versions"]] == [second, first]
    assert [m["VersionId"] for m in listing["DeleteMarkers"]] == [marker]
    tags = s3.get_object_tagging(Bucket="all", Key="k", VersionId=first)["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}]
    s3.complete_multipart_upload(
        Bucket="all", Key="big", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert body_of(s3, "all", "big") == b"p" * PART


def test_made_up_names_and_listing(own):
    names = [ok(admin(own, "POST", "snapshots", body), 201)["name"] for body in (None, {}, None)]
    assert names == ["snapshot-1", "snapshot-2", "snapshot-3"]
    ok(admin(own, "POST", "snapshots", {"name": "snapshot-4"}), 201)
    assert ok(admin(own, "POST", "snapshots"), 201)["name"] == "snapshot-5"
    listed = ok(admin(own, "GET", "snapshots"))["snapshots"]
    assert [s["name"] for s in listed] == [f"snapshot-{i}" for i in range(1, 6)]
    assert admin(own, "HEAD", "snapshots").status == 200


def test_one_bucket_restored_alone(own):
    s3 = client(own)
    for bucket in ("one", "two"):
        s3.create_bucket(Bucket=bucket)
        put(s3, bucket, k=b"old")
    ok(admin(own, "POST", "snapshots", {"name": "s"}), 201)
    for bucket in ("one", "two"):
        put(s3, bucket, k=b"new")
    s3.create_bucket(Bucket="three")
    assert ok(admin(own, "POST", "snapshots/s/restore", bucket="one")) == {
        "snapshot": "s", "branch": "main", "bucket": "one"}
    assert body_of(s3, "one", "k") == b"old"
    assert body_of(s3, "two", "k") == b"new"
    # A bucket that was made since goes; one that went since comes back.
    ok(admin(own, "POST", "snapshots/s/restore", bucket="three"))
    with refused("404"):
        s3.head_bucket(Bucket="three")
    s3.delete_object(Bucket="two", Key="k")
    s3.delete_bucket(Bucket="two")
    ok(admin(own, "POST", "snapshots/s/restore", bucket="two"))
    assert body_of(s3, "two", "k") == b"old"
    admin_refused(admin(own, "POST", "snapshots/s/restore", bucket="four"), 404, "NoSuchBucket",
                  "bucket")


def test_requests_in_flight_finish_on_the_state_they_began_with(own):
    """A download that has begun gets the old bytes to their end, a listing its old pages."""
    s3 = client(own)
    s3.create_bucket(Bucket="flight")
    old = bytes(range(256)) * (64 * 4096)  # 64 MiB: more than any buffer on the way
    s3.put_object(Bucket="flight", Key="large", Body=old)
    ok(admin(own, "POST", "snapshots", {"name": "with"}), 201)
    reply = requests.get(f"{own.url}/flight/large", stream=True, timeout=PATIENCE)
    got = reply.raw.read(1024 * 1024)
    ok(admin(own, "POST", "clear"))
    ok(admin(own, "DELETE", "snapshots/with"), 204)
    assert http_request(own, "GET", "/flight/large").status == 404
    got += reply.raw.read()
    assert got == old


def begun_put(server, target, length, headers=""):
    """A PUT whose body has not come but for its first byte; returns what ends it."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.settimeout(60 * SLOW)
    connection.sendall(
        f"PUT {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\nx"
        .encode()
    )
    eventually(lambda: ok(admin(server, "GET", "stats"))["requests"]["active"] > 0)

    def finish():
        with connection:
            connection.sendall(b"x" * (length - 1))
            return connection.recv(65536).split(b"\r\n")[0].split(b" ")[1]

    return finish


@pytest.mark.parametrize("scope", [{}, {"bucket": "bkt"}])
def test_a_restore_is_not_written_by_what_began_before_it(own, scope):
    """An upload that a test left running succeeds on the state that it began with; the next test
    does not find it in its fixture."""
    s3 = client(own)
    s3.create_bucket(Bucket="bkt")
    upload = s3.create_multipart_upload(Bucket="bkt", Key="parts")["UploadId"]
    ok(admin(own, "POST", "snapshots", {"name": "fixture"}), 201)
    s3.put_object(Bucket="bkt", Key="changed", Body=b"x")
    finish = begun_put(own, "/bkt/left-running", 1000)
    ok(admin(own, "POST", "snapshots/fixture/restore", **scope))
    assert finish() == b"200"
    assert keys(s3, "bkt") == []
    finish = begun_put(own, f"/bkt/parts?partNumber=1&uploadId={upload}", 1000)
    ok(admin(own, "POST", "snapshots/fixture/restore", **scope))
    assert finish() == b"200"
    assert "Parts" not in s3.list_parts(Bucket="bkt", Key="parts", UploadId=upload)
    # A bucket that is not in the state that is restored.
    s3.create_bucket(Bucket="later")
    finish = begun_put(own, "/later/k", 1000)
    ok(admin(own, "POST", "snapshots/fixture/restore"))
    assert finish() == b"200"
    assert http_request(own, "HEAD", "/later").status == 404


def test_restoring_a_bucket_stops_no_upload_to_another(own):
    s3 = client(own)
    s3.create_bucket(Bucket="bkt")
    s3.create_bucket(Bucket="other")
    ok(admin(own, "POST", "snapshots", {"name": "fixture"}), 201)
    finish = begun_put(own, "/other/k", 1000)
    ok(admin(own, "POST", "snapshots/fixture/restore", bucket="bkt"))
    ok(admin(own, "POST", "snapshots/fixture/restore", bucket="bkt"))
    assert finish() == b"200"
    assert keys(s3, "other") == ["k"]


# ---- branches -----------------------------------------------------------------------------------


def test_branches_are_worlds_of_their_own(own):
    s3 = client(own)
    s3.create_bucket(Bucket="shared")
    put(s3, "shared", k=b"main")
    info = ok(admin(own, "POST", "branches", {"name": "dev"}), 201)
    assert (info["name"], info["from"], info["objects"]) == ("dev", "main", 1)

    by_header = {"x-s3mem-branch": "dev"}
    http_request(own, "PUT", "/shared/k", headers=by_header, body=b"dev")
    assert http_request(own, "GET", "/shared/k", headers=by_header).body == b"dev"
    assert http_request(own, "GET", "/shared/k").body == b"main"
    # The same bucket name in both, made independently.
    assert http_request(own, "PUT", "/fresh", headers=by_header).status == 200
    s3.create_bucket(Bucket="fresh")
    names = [b["name"] for b in ok(admin(own, "GET", "branches"))["branches"]]
    assert names == ["dev", "main"]
    ok(admin(own, "DELETE", "branches/dev"), 204)
    is_error(http_request(own, "GET", "/shared/k", headers=by_header), "NoSuchBranch", 400,
             Branch="dev")


def test_fork_from_snapshot_branch_and_by_any_name(own):
    s3 = client(own)
    s3.create_bucket(Bucket="bkt")
    put(s3, "bkt", k=b"old")
    ok(admin(own, "POST", "snapshots", {"name": "fixture"}), 201)
    put(s3, "bkt", k=b"new")
    for name, source in (("f1", {"from": "fixture"}), ("f2", {"snapshot": "fixture"}),
                         ("f3", {"from": "f1"}), ("f4", {"branch": "f2"})):
        ok(admin(own, "POST", "branches", {"name": name, **source}), 201)
        assert body_of(client(own, key=name), "bkt", "k") == b"old", name
    ok(admin(own, "POST", "branches", {"name": "f5"}), 201)
    assert body_of(client(own, key="f5"), "bkt", "k") == b"new"


def test_snapshots_of_branches(own):
    ok(admin(own, "POST", "branches", {"name": "dev"}), 201)
    dev = client(own, key="dev")
    dev.create_bucket(Bucket="bkt")
    put(dev, "bkt", k=b"1")
    assert ok(admin(own, "POST", "snapshots", {"name": "s"}, branch="dev"), 201)["from"] == "dev"
    put(dev, "bkt", k=b"2")
    ok(admin(own, "POST", "snapshots/s/restore", branch="dev"))
    assert body_of(dev, "bkt", "k") == b"1"
    # To another branch, too.
    ok(admin(own, "POST", "snapshots/s/restore"))
    assert body_of(client(own), "bkt", "k") == b"1"


def test_presigned_urls_and_forms_choose_by_access_key(own):
    ok(admin(own, "POST", "branches", {"name": "worker-3"}), 201)
    s3 = client(own, key="worker-3")
    s3.create_bucket(Bucket="mine")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "mine", "Key": "k"})
    assert requests.put(url, data=b"presigned", timeout=PATIENCE).status_code == 200
    form = s3.generate_presigned_post("mine", "form")
    reply = requests.post(form["url"], data=form["fields"], files={"file": b"by form"}, timeout=PATIENCE)
    assert reply.status_code == 204, reply.text
    assert keys(s3, "mine") == ["form", "k"]
    with refused("NoSuchBucket"):
        client(own).list_objects_v2(Bucket="mine")


@pytest.mark.options("--branch-per-key", "--bucket", "fixture")
def test_branch_per_key(own):
    workers = [client(own, key=f"worker-{i}") for i in range(4)]
    for i, s3 in enumerate(workers):
        put(s3, "fixture", **{f"key-{i}": b"x"})
    for i, s3 in enumerate(workers):
        assert keys(s3, "fixture") == [f"key-{i}"]
    assert keys(client(own, key=None), "fixture") == []  # unsigned: main
    forks = {b["name"]: b["from"] for b in ok(admin(own, "GET", "branches"))["branches"]}
    assert forks == {"main": None, **{f"worker-{i}": "main" for i in range(4)}}


@pytest.mark.options("--branch-per-key=golden", "--bucket", "fixture")
def test_branch_per_key_of_a_snapshot(own):
    with refused("NoSuchBranch", 400, message=re.compile("golden")):
        client(own, key="early").list_objects_v2(Bucket="fixture")
    put_as_main = http_request(own, "PUT", "/fixture/seed", body=b"golden")
    assert put_as_main.status == 200
    ok(admin(own, "POST", "snapshots", {"name": "golden"}), 201)
    http_request(own, "PUT", "/fixture/later", body=b"not in it")
    assert keys(client(own, key="late"), "fixture") == ["seed"]


@pytest.mark.options("--branch-per-key", "--branch-limit", "3", "--bucket", "fixture")
def test_invented_keys_end_at_the_limit(own):
    """Beyond --branch-limit keys that were never seen are refused, reads as well; all others go on."""
    for i in range(3):
        put(client(own, key=f"worker-{i}"), "fixture", k=b"x")
    for i in range(50):
        with refused("TooManyBranches", 503, message=re.compile("--branch-limit")):
            client(own, key=f"invented-{i}", config={"retries": {"max_attempts": 0}}).get_object(
                Bucket="fixture", Key="k")
    assert admin_refused(admin(own, "POST", "branches", {"name": "mine"}), 503, "TooManyBranches")
    assert len(ok(admin(own, "GET", "branches"))["branches"]) == 4
    put(client(own, key="worker-1"), "fixture", more=b"x")
    assert http_request(own, "PUT", "/fixture/main", body=b"x").status == 200
    ok(admin(own, "DELETE", "branches/worker-0"), 204)
    put(client(own, key="invented"), "fixture", k=b"x")


@pytest.mark.options("--branch-per-key", "--branch-limit", "0", "--max-memory", "1MiB", "--bucket",
                     "fixture")
def test_branches_count_for_max_memory(own):
    connection = http.client.HTTPConnection(own.url.removeprefix("http://"), timeout=PATIENCE)
    answers = collections.Counter()
    for i in range(8000):
        scope = f"invented{i}/20260101/us-east-1/s3/aws4_request"
        connection.request("HEAD", "/fixture/k", headers={
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, "
                             f"Signature={'0' * 64}", "x-amz-date": "20260101T000000Z"})
        reply = connection.getresponse()
        reply.read()
        answers[reply.status] += 1
    assert set(answers) == {404, 503} and answers[404] > 1000, answers
    # But for the nodes of the maps: they are never refused, so that a full store can delete.
    assert ok(admin(own, "GET", "stats"))["memory"]["total"] < 1024 * 1024 + 8 * 1024


@pytest.mark.options("--branch-per-key", "--bucket", "bkt")
def test_a_key_seen_at_once_by_many_requests_is_forked_once(own):
    s3 = client(own, key="together", config={"max_pool_connections": 16})
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda i: put(s3, "bkt", **{f"k{i:03}": b"x"}), range(64)))
    assert len(keys(s3, "bkt")) == 64


def test_deleting_a_branch_frees_what_only_it_held(own):
    s3 = client(own)
    s3.create_bucket(Bucket="bkt")
    ok(admin(own, "POST", "branches", {"name": "heavy"}), 201)
    heavy = client(own, key="heavy")
    for i in range(4):
        heavy.put_object(Bucket="bkt", Key=str(i), Body=b"x" * 8 * 1024 * 1024)

    def data():
        return ok(admin(own, "GET", "stats"))["memory"]["data"]

    assert data() >= 32 * 1024 * 1024
    ok(admin(own, "DELETE", "branches/heavy"), 204)
    eventually(lambda: data() == 0)


# ---- clear --------------------------------------------------------------------------------------


def test_clear(own):
    s3 = client(own)
    for bucket in ("one", "two"):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "t", "Value": bucket}]})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for key in ("logs/1", "logs/2", "data/1"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"old")
            s3.put_object(Bucket=bucket, Key=key, Body=b"new")
        s3.delete_object(Bucket=bucket, Key="logs/2")
        s3.create_multipart_upload(Bucket=bucket, Key="logs/upload")
    ok(admin(own, "POST", "branches", {"name": "copy"}), 201)

    gone = ok(admin(own, "POST", "clear", bucket="one", prefix="logs/"))
    assert gone == {"branch": "main", "bucket": "one", "prefix": "logs/", "objects": 1,
                    "versions": 4, "uploads": 1}
    assert keys(s3, "one") == ["data/1"]
    assert len(s3.list_object_versions(Bucket="one")["Versions"]) == 2
    gone = ok(admin(own, "POST", "clear", bucket="one"))
    assert (gone["objects"], gone["versions"], gone["uploads"]) == (1, 1, 0)
    assert "Versions" not in s3.list_object_versions(Bucket="one")
    assert s3.get_bucket_tagging(Bucket="one")["TagSet"] == [{"Key": "t", "Value": "one"}]
    assert s3.get_bucket_versioning(Bucket="one")["Status"] == "Enabled"
    gone = ok(admin(own, "POST", "clear"))
    assert (gone["branch"], gone["objects"]) == ("main", 2)
    assert s3.list_buckets()["Buckets"] == []
    # The branch that shared all of it still has it.
    assert len(keys(client(own, key="copy"), "two")) == 2


def test_clearing_a_large_prefix_lets_others_work(own):
    s3 = client(own)
    s3.create_bucket(Bucket="bkt")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: http_request(own, "PUT", f"/bkt/p/{i:05}", body=b"x"), range(5000)))
    put(s3, "bkt", keep=b"x")
    gone = ok(admin(own, "POST", "clear", bucket="bkt", prefix="p/"))
    assert gone["objects"] == 5000
    assert keys(s3, "bkt") == ["keep"]


# ---- the clock ----------------------------------------------------------------------------------


@pytest.fixture
def clock(own):
    yield lambda **change: ok(admin(own, "PUT", "clock", change))
    ok(admin(own, "DELETE", "clock"))


def test_freeze_and_advance(own, clock):
    s3 = client(own)
    s3.create_bucket(Bucket="bkt")
    state = clock(freeze="2030-02-03T04:05:06Z")
    assert (state["now"], state["frozen"]) == ("2030-02-03T04:05:06.000Z", True)
    put(s3, "bkt", k=b"1")
    stamp = datetime.datetime(2030, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
    head = http_request(own, "HEAD", "/bkt/k")
    assert head.headers["date"] == head.headers["last-modified"] == "Sun, 03 Feb 2030 04:05:06 GMT"
    clock(advance="1h")
    put(s3, "bkt", k2=b"2")
    listed = {o["Key"]: o["LastModified"] for o in s3.list_objects_v2(Bucket="bkt")["Contents"]}
    assert listed == {"k": stamp, "k2": stamp + datetime.timedelta(hours=1)}
    assert clock(freeze=False)["frozen"] is False


def test_offset_moves_presigned_expiry(own, clock):
    s3 = client(own)
    s3.create_bucket(Bucket="bkt")
    put(s3, "bkt", k=b"1")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bkt", "Key": "k"}, ExpiresIn=3600)
    assert requests.get(url, timeout=PATIENCE).status_code == 200
    assert clock(offset="2h")["offsetMs"] == 7200000
    reply = requests.get(url, timeout=PATIENCE)
    assert reply.status_code == 403 and "Request has expired" in reply.text
    clock(advance="-2h")
    assert requests.get(url, timeout=PATIENCE).status_code == 200


def test_versions_stay_in_order_when_time_goes_back(own, clock):
    s3 = client(own)
    s3.create_bucket(Bucket="bkt")
    s3.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
    clock(freeze="2030-01-01T00:00:00Z")
    ids = [s3.put_object(Bucket="bkt", Key="k", Body=b"1")["VersionId"]]
    clock(freeze="2020-01-01T00:00:00Z")
    ids.append(s3.put_object(Bucket="bkt", Key="k", Body=b"2")["VersionId"])
    versions = s3.list_object_versions(Bucket="bkt")["Versions"]
    assert [v["VersionId"] for v in versions] == ids[::-1]
    assert body_of(s3, "bkt", "k") == b"2"


@pytest.mark.parametrize(
    "change, field",
    [
        ({"freeze": 5}, "freeze"),
        ({"freeze": "yesterday"}, "freeze"),
        ({"freeze": "9999-12-31T00:00:00Z"}, "freeze"),
        ({"offset": "5"}, "offset"),
        ({"offset": True}, "offset"),
        ({"advance": "1 week"}, "advance"),
        ({"advance": "99999999d"}, "advance"),
        ({"speed": 2}, "speed"),
        ({}, None),
    ],
)
def test_clock_refuses(server, change, field):
    before = ok(admin(server, "GET", "clock"))
    admin_refused(admin(server, "PUT", "clock", change), 400, "InvalidArgument", field)
    after = ok(admin(server, "GET", "clock"))
    assert (after["frozen"], after["offsetMs"]) == (before["frozen"], before["offsetMs"])


# ---- bad input ----------------------------------------------------------------------------------

LONG = "n" * 129


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "\u00e9", LONG, "a\n"])
def test_names_are_checked(server, name):
    for path in ("snapshots", "branches"):
        admin_refused(admin(server, "POST", path, {"name": name}), 400, "InvalidName", "name")


@pytest.mark.parametrize(
    "method, path, status, code, field",
    [
        ("GET", "snapshots?x=1", 400, "InvalidArgument", "x"),
        ("POST", "clear?bucket=a&bucket=b", 400, "InvalidArgument", "bucket"),
        ("POST", "clear?prefix=a", 400, "InvalidArgument", "prefix"),
        ("POST", "clear?stats=off", 400, "InvalidArgument", "stats"),
        ("POST", "clear?bucket=missing-bucket", 404, "NoSuchBucket", "bucket"),
        ("POST", "clear?bucket=missing-bucket&prefix=x", 404, "NoSuchBucket", "bucket"),
        ("POST", "clear?branch=none", 404, "NoSuchBranch", "branch"),
        ("POST", "clear?branch=no%20name", 400, "InvalidName", "branch"),
        ("POST", "clear?branch=%zz", 400, "InvalidArgument", None),
        ("POST", "snapshots?branch=none", 404, "NoSuchBranch", "branch"),
        ("POST", "snapshots/none/restore", 404, "NoSuchSnapshot", "name"),
        ("POST", "snapshots/none/restore?bucket=b", 404, "NoSuchSnapshot", "name"),
        ("POST", f"snapshots/{LONG}/restore", 400, "InvalidName", "name"),
        ("DELETE", "snapshots/none", 404, "NoSuchSnapshot", "name"),
        ("DELETE", "snapshots/%FF", 400, "InvalidName", "name"),
        ("DELETE", "snapshots/%00", 400, "InvalidName", None),
        ("DELETE", "snapshots/%2", 400, "InvalidName", None),
        ("DELETE", "branches/none", 404, "NoSuchBranch", "name"),
        ("DELETE", "branches/main", 409, "BranchInUse", "name"),
        ("PATCH", "snapshots", 405, "MethodNotAllowed", None),
        ("POST", "snapshots/a/b/restore", 404, "NotFound", None),
    ],
)
def test_refusals(server, method, path, status, code, field):
    admin_refused(admin(server, method, path), status, code, field)


@pytest.mark.parametrize(
    "path, body, code, field",
    [
        ("snapshots", {"name": 5}, "InvalidArgument", "name"),
        ("snapshots", {"title": "x"}, "InvalidArgument", "title"),
        ("snapshots", [], "InvalidArgument", None),
        ("branches", {}, "InvalidArgument", "name"),
        ("branches", {"name": "x", "from": 1}, "InvalidArgument", "from"),
        ("branches", {"name": "x", "from": "a", "snapshot": "b"}, "InvalidArgument", "from"),
    ],
)
def test_bodies_are_checked(server, path, body, code, field):
    admin_refused(admin(server, "POST", path, body), 400, code, field)


def test_missing_sources(server):
    for body, code, field in (
        ({"name": "x", "from": "none"}, "NoSuchBranch", "from"),
        ({"name": "x", "branch": "none"}, "NoSuchBranch", "branch"),
        ({"name": "x", "snapshot": "none"}, "NoSuchSnapshot", "snapshot"),
    ):
        admin_refused(admin(server, "POST", "branches", body), 404, code, field)


def test_names_that_are_taken(own):
    ok(admin(own, "POST", "snapshots", {"name": "s"}), 201)
    admin_refused(admin(own, "POST", "snapshots", {"name": "s"}), 409, "SnapshotAlreadyExists",
                  "name")
    ok(admin(own, "POST", "branches", {"name": "b"}), 201)
    admin_refused(admin(own, "POST", "branches", {"name": "b"}), 409, "BranchAlreadyExists", "name")
    admin_refused(admin(own, "POST", "branches", {"name": "main"}), 409, "BranchAlreadyExists",
                  "name")


def test_no_json(server):
    for body in (b"{", b"name", b'{"name":"a","name":"b"}', b"\xff", b'{"name":"\\u0000"}'):
        reply = http_request(server, "POST", "/_s3mem/snapshots", body=body)
        error = admin_refused(reply, 400, "MalformedJSON")
        assert error["line"] == 1 and error["column"] >= 0
    reply = http_request(server, "POST", "/_s3mem/snapshots", body=b"[" + b" " * 70000 + b"]")
    admin_refused(reply, 413, "EntityTooLarge")


def test_restores_and_drops_at_once(own):
    """Whatever the order, each answers clearly and the store is one of the two states."""
    s3 = client(own)
    s3.create_bucket(Bucket="bkt")
    states = {}
    for name in ("x", "y"):
        ok(admin(own, "POST", "clear", bucket="bkt"))
        for i in range(50):
            http_request(own, "PUT", f"/bkt/{name}{i:02}", body=b"1")
        states[name] = keys(s3, "bkt")
        ok(admin(own, "POST", "snapshots", {"name": name}), 201)
    statuses, stop = set(), threading.Event()

    def restore(name):
        while not stop.is_set():
            statuses.add(admin(own, "POST", f"snapshots/{name}/restore").status)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(restore, name) for name in ("x", "y", "x", "y")]
        for _ in range(50):
            assert keys(s3, "bkt") in list(states.values())
        ok(admin(own, "DELETE", "snapshots/x"), 204)
        eventually(lambda: 404 in statuses)
        stop.set()
        for job in jobs:
            job.result()
    assert statuses == {200, 404}
    assert keys(s3, "bkt") in list(states.values())


# ---- who may ------------------------------------------------------------------------------------


def test_with_credentials_admin_calls_are_signed(auth_server):
    for method, path in (("GET", "snapshots"), ("POST", "clear?bucket=none-such"),
                         ("GET", "clock"), ("GET", "branches"), ("GET", "stats")):
        admin_refused(admin(auth_server, method, path), 403, "AccessDenied")
    assert admin(auth_server, "GET", "health").status == 200
    assert admin(auth_server, "GET", "openapi.json").status == 200
    signer = Signer(ALICE, f"127.0.0.1:{auth_server.port}")
    target = "/_s3mem/snapshots"
    reply = http_request(auth_server, "GET", target, headers=signer.headers("GET", target))
    assert isinstance(ok(reply)["snapshots"], list)
    reply = http_request(auth_server, "GET", signer.presign("GET", target))
    assert isinstance(ok(reply)["snapshots"], list)
    # What was signed is what is carried out.
    body = b'{"name":"by-alice"}'
    headers = signer.headers("POST", target, body=body)
    altered = http_request(auth_server, "POST", target, headers=headers, body=body.upper())
    admin_refused(altered, 400, "XAmzContentSHA256Mismatch")
    assert http_request(auth_server, "POST", target, headers=headers, body=body).status == 201


def test_a_clock_that_was_moved_can_be_moved_back(credentials_path):
    """Though whoever signs by the real time is out of time for S3 then."""
    with serving("--credentials", credentials_path) as server:
        signer = Signer(ALICE, f"127.0.0.1:{server.port}")

        def signed(method, target, body=b""):
            return http_request(server, method, target, body=body,
                                headers=signer.headers(method, target, body=body))

        clock = "/_s3mem/clock"
        for change in (b'{"offset":"2h"}', b'{"freeze":"2020-01-01T00:00:00Z"}'):
            ok(signed("PUT", clock, change))
            assert signed("GET", "/").code == "RequestTimeTooSkewed"
            assert signed("GET", "/_s3mem/stats").status == 200
            assert http_request(server, "GET", signer.presign("GET", clock)).status == 200
            thief = Signer({**ALICE, "secretKey": "not hers"}, signer.host)
            reply = http_request(server, "DELETE", clock, headers=thief.headers("DELETE", clock))
            admin_refused(reply, 403, "SignatureDoesNotMatch")
            admin_refused(admin(server, "DELETE", "clock"), 403, "AccessDenied")
            ok(signed("DELETE", clock))
        assert signed("GET", "/").status == 200


def test_pages_of_other_sites_are_refused(server):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"},
                    {"Host": "evil.example", "User-Agent": "Mozilla/5.0"}):
        for method, path in (("POST", "clear"), ("GET", "stats"), ("GET", "snapshots")):
            admin_refused(admin(server, method, path, headers=headers), 403, "ForeignOrigin")
    assert admin(server, "GET", "snapshots", headers={"Host": "s3memd-container"}).status == 200


def test_a_bucket_of_any_name_is_no_branch(server):
    """An access key that is no branch's name is served by main."""
    bucket = unique()
    client(server, key="no/branch name").create_bucket(Bucket=bucket)
    assert http_request(server, "HEAD", f"/{bucket}").status == 200
