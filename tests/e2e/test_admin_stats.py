# SPDX-License-Identifier: MIT
"""GET stats and GET metrics."""

import http.client
import json
import re
import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families

from admin import admin, admin_refused, ok
from harness import MIB, PART, SLOW, TURN_MS, client, eventually, http_request, refused, serving


@pytest.fixture
def own():
    """What is counted here is the whole store."""
    with serving() as server:
        yield server


def stats(server, **query):
    return ok(admin(server, "GET", "stats", **query))


def test_an_empty_server(own):
    answer = stats(own)
    assert answer["branches"][0].pop("created") <= answer["started"]
    assert answer["branches"] == [{
        "name": "main", "from": None, "bucketCount": 0, "objectCount": 0, "totalSize": 0,
        "totalSizeFormatted": "0 Bytes", "versionCount": 0, "versionSize": 0, "uploadCount": 0,
        "buckets": []}]
    assert answer["snapshots"] == [] and answer["evictions"] == 0
    assert answer["requests"] == {
        "total": 0, "active": 0, "errors": 0, "bytesIn": 0, "bytesOut": 0, "operations": {},
        "latencyMs": {"mean": 0, "p50": 0, "p90": 0, "p99": 0, "max": 0}}
    assert answer["journal"].items() >= {"capacity": 1000, "size": 0, "limit": 64 * MIB}.items()
    memory = answer["memory"]
    assert memory["data"] == memory["shared"] == memory["limit"] == 0
    assert memory["total"] == sum(
        memory[kind] for kind in ["trees", "records", "bodies", "requests"]
    )
    assert memory["total"] == memory["data"] + memory["overhead"]
    assert 0.3 * own.rss() < memory["resident"] < 3 * own.rss()


def test_what_is_stored(own):
    s3 = client(own)
    s3.create_bucket(Bucket="plain")
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="plain", Key="b", Body=b"x" * 1536)
    s3.put_object(Bucket="plain", Key="a/ä", Body=b"")
    s3.put_object(Bucket="versioned", Key="k", Body=b"old")
    s3.put_object(Bucket="versioned", Key="k", Body=b"newer")
    s3.create_multipart_upload(Bucket="plain", Key="u")

    answer = stats(own, keys="true")
    branch = answer["branches"][0]
    plain, versioned = branch["buckets"]
    assert plain.pop("created") >= answer["started"]
    assert plain == {
        "bucket": "plain", "region": "us-east-1", "versioning": None, "objectCount": 2,
        "totalSize": 1536, "totalSizeFormatted": "1.5 KB", "versionCount": 0, "versionSize": 0,
        "uploadCount": 1, "keys": ["a/ä", "b"]}
    assert versioned["versioning"] == "Enabled" and versioned["keys"] == ["k"]
    assert (versioned["objectCount"], versioned["totalSize"]) == (1, 5)
    assert (versioned["versionCount"], versioned["versionSize"]) == (1, 3)
    assert (branch["bucketCount"], branch["objectCount"], branch["totalSize"]) == (2, 3, 1541)
    assert (branch["versionCount"], branch["versionSize"], branch["uploadCount"]) == (1, 3, 1)
    assert "keys" not in stats(own)["branches"][0]["buckets"][0]
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Suspended"})
    narrowed = stats(own, bucket="versioned")["branches"][0]
    assert [b["versioning"] for b in narrowed["buckets"]] == ["Suspended"]
    assert narrowed["bucketCount"] == 2


def test_branches_snapshots_and_what_they_share(own):
    s3 = client(own)
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="k", Body=b"x" * MIB)
    assert admin(own, "POST", "snapshots", {"name": "then"}).status == 201
    assert admin(own, "POST", "branches", {"name": "b1", "from": "then"}).status == 201
    s3.copy_object(Bucket="data", Key="copy", CopySource="data/k")
    answer = stats(own)
    assert answer["memory"]["data"] == MIB
    assert answer["memory"]["shared"] == 3 * MIB  # main has it twice, snapshot and branch once
    assert [(b["name"], b["from"], b["objectCount"]) for b in answer["branches"]] == [
        ("b1", "then", 1), ("main", None, 2)]
    assert [(s["name"], s["from"], s["objects"]) for s in answer["snapshots"]] == [("then", "main", 1)]

    s3.delete_object(Bucket="data", Key="k")
    s3.delete_object(Bucket="data", Key="copy")
    memory = stats(own)["memory"]
    assert (memory["data"], memory["shared"]) == (MIB, MIB)
    assert [b["name"] for b in stats(own, branch="b1")["branches"]] == ["b1"]
    admin_refused(admin(own, "GET", "stats", branch="b2"), 404, "NoSuchBranch", "branch")
    admin_refused(admin(own, "GET", "stats", bucket="none"), 404, "NoSuchBucket", "bucket")
    admin_refused(admin(own, "GET", "stats", keys="yes"), 400, "InvalidArgument", "keys")


def test_parts_in_progress_are_data(own):
    s3 = client(own)
    s3.create_bucket(Bucket="data")
    upload = s3.create_multipart_upload(Bucket="data", Key="k")["UploadId"]
    s3.upload_part(Bucket="data", Key="k", UploadId=upload, PartNumber=1, Body=b"x" * PART)
    memory = stats(own)["memory"]
    assert (memory["data"], memory["shared"]) == (PART, 0)


def test_requests_by_operation(own):
    s3 = client(own)
    s3.create_bucket(Bucket="data")
    for _ in range(10):
        s3.put_object(Bucket="data", Key="k", Body=b"12345")
        assert s3.get_object(Bucket="data", Key="k")["Body"].read() == b"12345"
    for _ in range(3):
        with refused("NoSuchKey"):
            s3.get_object(Bucket="data", Key="none")
    requests = stats(own)["requests"]
    get, put = requests["operations"]["GetObject"], requests["operations"]["PutObject"]
    assert set(requests["operations"]) == {"CreateBucket", "PutObject", "GetObject"}
    assert (get["count"], get["errors"], get["statuses"]) == (13, 3, {"200": 10, "404": 3})
    assert (put["count"], put["errors"], put["statuses"]) == (10, 0, {"200": 10})
    assert put["bytesIn"] >= 50 and put["bytesOut"] == 0 and get["bytesOut"] > 50
    assert requests["total"] == 24 and requests["errors"] == 3 and requests["active"] == 0
    for name in ["bytesIn", "bytesOut"]:
        assert requests[name] == sum(o[name] for o in requests["operations"].values())
    for latency in [requests["latencyMs"], get["latencyMs"], put["latencyMs"]]:
        assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
        assert 0 < latency["mean"] <= latency["max"]


def test_reset(own):
    s3 = client(own)
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="k", Body=b"1")
    admin_refused(admin(own, "POST", "clear", stats="zero"), 400, "InvalidArgument", "stats")
    assert stats(own)["requests"]["total"] == 2
    ok(admin(own, "POST", "clear", bucket="data", stats="reset"))
    answer = stats(own)
    assert answer["requests"]["total"] == 0 and answer["requests"]["operations"] == {}
    s3.list_buckets()
    assert stats(own)["requests"]["total"] == 1


# ---- metrics ------------------------------------------------------------------------------------


def families(server):
    """Parsed as Prometheus does, and by the rules of the format that its parser leaves out."""
    reply = admin(server, "GET", "metrics")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert reply.text.endswith("\n") and "\r" not in reply.text
    found = {}
    for family in text_string_to_metric_families(reply.text):
        assert family.documentation and family.type in ("gauge", "counter", "summary"), family
        assert family.name not in found, f"{family.name} stands in two places"
        found[family.name] = family
        labels = [(s.name, tuple(sorted(s.labels.items()))) for s in family.samples]
        assert len(labels) == len(set(labels)), f"{family.name} has a sample twice"
    types = [line.split()[2] for line in reply.text.splitlines() if line.startswith("# TYPE ")]
    assert len(types) == len(set(types)) == len(found)
    # The samples of a metric stand together, behind its head.
    current = None
    for line in reply.text.splitlines():
        if line.startswith("#"):
            current = line.split()[2]
        else:
            assert line.startswith(current), line
    return found


def value(family, sample=None, **labels):
    found = [s.value for s in family.samples
             if s.labels == labels and (sample is None or s.name == sample)]
    assert len(found) == 1, (family, labels)
    return found[0]


def test_metrics(own):
    s3 = client(own)
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="k", Body=b"12345")
    with refused("NoSuchKey"):
        s3.get_object(Bucket="data", Key="none")
    strange = "u=1@x~y+z.-_"
    assert admin(own, "POST", "branches", {"name": strange}).status == 201
    assert admin(own, "POST", "snapshots", {"name": "then"}).status == 201

    found = families(own)
    answer = stats(own)
    assert value(found["s3mem_info"], version=answer["version"]) == 1
    assert value(found["s3mem_uptime_seconds"]) > 0
    assert value(found["s3mem_longest_turn_seconds"]) >= 0 and value(found["s3mem_long_turns"]) >= 0
    requests = found["s3mem_requests"]
    assert value(requests, operation="PutObject", status="200") == 1
    assert value(requests, operation="GetObject", status="404") == 1
    assert len(requests.samples) == 3
    put = answer["requests"]["operations"]["PutObject"]
    moved = found["s3mem_request_bytes"]
    assert value(moved, operation="PutObject", direction="in") == put["bytesIn"]
    assert value(moved, operation="PutObject", direction="out") == 0
    took = found["s3mem_request_duration_seconds"]
    assert took.type == "summary"
    p50 = value(took, operation="PutObject", quantile="0.5")
    assert p50 == pytest.approx(put["latencyMs"]["p50"] / 1000, abs=1e-6)
    count = "s3mem_request_duration_seconds_count"
    assert value(took, count, operation="PutObject") == 1
    total = "s3mem_request_duration_seconds_sum"
    assert value(took, total, operation="PutObject") == pytest.approx(p50, rel=0.05)
    for branch in ["main", strange]:
        assert value(found["s3mem_objects"], branch=branch, bucket="data") == 1
        assert value(found["s3mem_object_bytes"], branch=branch, bucket="data") == 5
        assert value(found["s3mem_versions"], branch=branch, bucket="data") == 0
        assert value(found["s3mem_uploads"], branch=branch, bucket="data") == 0
    for kind in ["total", "trees", "records", "bodies", "requests", "data", "overhead", "shared", "limit"]:
        assert value(found["s3mem_memory_bytes"], kind=kind) == answer["memory"][kind]
    assert value(found["s3mem_memory_bytes"], kind="shared") == 10
    assert value(found["s3mem_branches"]) == 2 and value(found["s3mem_snapshots"]) == 1
    assert value(found["s3mem_requests_active"]) == 0
    assert value(found["s3mem_event_subscribers"]) == 0
    assert value(found["s3mem_events_lost"]) == 0
    assert value(found["s3mem_reaping_items"]) >= 0
    assert value(found["process_resident_memory_bytes"]) > 1e6


def test_metrics_of_an_empty_server(own):
    found = families(own)
    assert found["s3mem_requests"].samples == [] and found["s3mem_objects"].samples == []


@pytest.mark.options
def test_the_limit_is_told():
    with serving("--max-memory", "64MiB") as server:
        assert stats(server)["memory"]["limit"] == 64 * MIB


def test_head_and_methods(own):
    for path in ["stats", "metrics"]:
        reply = http_request(own, "HEAD", f"/_s3mem/{path}")
        assert reply.status == 200 and reply.body == b""
        reply = admin(own, "POST", path)
        admin_refused(reply, 405, "MethodNotAllowed")
        assert reply.headers["allow"] == "GET, HEAD"
    admin_refused(admin(own, "GET", "metrics", branch="main"), 400, "InvalidArgument", "branch")


def test_the_longest_turn_names_its_request(own):
    """A stretch of work on an I/O thread: none of more than a millisecond is no fault, but if there was
    one, its request is named, without its secrets."""
    s3 = client(own)
    s3.create_bucket(Bucket="data")
    for i in range(300):
        s3.put_object(Bucket="data", Key=f"k{i}", Body=b"x" * 100_000)
    turns = stats(own)["turns"]
    assert turns["longestCpuMs"] < 1000
    longest = turns["longest"]
    assert (longest is None) == (turns["longestCpuMs"] == 0)
    if longest:
        assert longest["target"].startswith("/") and longest["wallMs"] >= turns["longestCpuMs"]
    ok(admin(own, "POST", "clear", stats="reset"))
    again = stats(own)["turns"]
    assert again["overBudget"] <= turns["overBudget"]


# ---- lists of any length: no turn of an I/O thread over 5 ms ----------------------------------------

MANY = 9000


def pipelined(server, method, targets, body=lambda i: b""):
    """Sends so many requests on one connection, in bursts; all must succeed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60 * SLOW) as s:
        for start in range(0, len(targets), 100):
            burst = targets[start:start + 100]
            for i, target in enumerate(burst, start):
                data = body(i)
                s.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n"
                          "\r\n".encode() + data)
            got = b""
            while got.count(b"HTTP/1.1 ") < len(burst):
                more = s.recv(1 << 16)
                assert more, got[-500:]
                got += more
            assert got.count(b"HTTP/1.1 20") == len(burst), got[:500]


@pytest.fixture(scope="module")
def crowded():
    """As many states, buckets, keys, requests and rules as people hardly have."""
    with serving("--journal", "20000", "--threads", "1") as server:
        pipelined(server, "POST", ["/_s3mem/snapshots"] * MANY,
                  lambda i: json.dumps({"name": f"snap-{i:05}"}).encode())
        pipelined(server, "POST", ["/_s3mem/branches"] * MANY,
                  lambda i: json.dumps({"name": f"branch-{i:05}", "from": "snap-00000"}).encode())
        pipelined(server, "PUT", [f"/bucket-{i:05}" for i in range(2000)])
        pipelined(server, "PUT", [f"/bucket-00000/key-{i:05}" for i in range(MANY)])
        ok(admin(server, "PUT", "faults", {"rules": [
            {"key": f"k{i}", "error": "SlowDown", "bucket": "none"} for i in range(900)]}))
        yield server


@pytest.mark.options
@pytest.mark.parametrize("path,query,count", [
    ("snapshots", {}, lambda a: len(a["snapshots"]) - MANY),
    ("branches", {}, lambda a: len(a["branches"]) - MANY - 1),
    ("stats", {}, lambda a: len(a["branches"]) - MANY - 1 + len(a["snapshots"]) - MANY),
    ("stats", {"keys": "true", "branch": "main"}, lambda a: len(a["branches"][0]["buckets"][0]["keys"]) - MANY),
    ("stats", {"bucket": "bucket-01999"}, lambda a: len(a["branches"]) - 1),
    ("requests", {"limit": 10000}, lambda a: len(a["requests"]) - 10000),
    ("requests", {"limit": 10000, "key": "*9*9*"}, lambda a: len(a["requests"]) - a["matched"]),
    ("faults", {}, lambda a: len(a["rules"]) - 900),
    ("metrics", {}, None)])
def test_long_lists_come_in_short_turns(crowded, path, query, count):
    """Recorded by the server itself: CPU time of the longest turn of an I/O thread."""
    ok(admin(crowded, "POST", "clear", branch="branch-00001", stats="reset"))
    if count:
        assert count(ok(admin(crowded, "GET", path, **query))) == 0
    else:
        lines = admin(crowded, "GET", path, **query).text.split("\n")
        assert sum(line.startswith("s3mem_objects{") for line in lines) == 2000
    turns = stats(crowded, bucket="bucket-00000")["turns"]
    assert turns["longestCpuMs"] <= TURN_MS, turns


@pytest.mark.options
def test_lists_stay_whole_while_they_change(crowded):
    """Entries that are there all the time are each in the list once, whatever comes and goes."""
    answer = http.client.HTTPConnection("127.0.0.1", crowded.port, timeout=60 * SLOW)
    answer.request("GET", "/_s3mem/snapshots")
    reply = answer.getresponse()
    text = reply.read(1000)
    pipelined(crowded, "DELETE", [f"/_s3mem/snapshots/snap-{i:05}" for i in range(5000, 5100)])
    pipelined(crowded, "POST", ["/_s3mem/snapshots"] * 100,
              lambda i: json.dumps({"name": f"snap-{i + 5000:05}"}).encode())
    names = [s["name"] for s in json.loads(text + reply.read())["snapshots"]]
    answer.close()
    assert names == sorted(set(names))
    assert {f"snap-{i:05}" for i in range(MANY) if not 5000 <= i < 5100} <= set(names)


@pytest.mark.options
@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize("how", ["clear", "DeleteObjects"])
def test_large_objects_go_in_short_turns(how, versioned):
    """Freeing 4 MiB takes a hundred microseconds, and more in a virtual machine."""
    size, count = 4 * MIB - 4096, 150
    with serving("--threads", "1") as server:
        s3 = client(server)
        s3.create_bucket(Bucket="large")
        if versioned:
            s3.put_bucket_versioning(Bucket="large", VersioningConfiguration={"Status": "Enabled"})
        keys = [f"k{i:03}" for i in range(count // (3 if versioned else 1))]
        ids = [{"Key": key, **({"VersionId": v} if (v := s3.put_object(Bucket="large", Key=key, Body=bytes(size))
                                                   .get("VersionId")) else {})}
               for key in keys for _ in range(3 if versioned else 1)]
        assert len(ids) == count
        s3.create_bucket(Bucket="empty")
        ok(admin(server, "POST", "clear", bucket="empty", stats="reset"))
        if how == "clear":
            gone = ok(admin(server, "POST", "clear", bucket="large", prefix="k"))
            assert gone["objects"] + gone["versions"] == count
        else:
            assert len(s3.delete_objects(Bucket="large", Delete={"Objects": ids})["Deleted"]) == count
        answer = stats(server)
        assert answer["turns"]["longestCpuMs"] <= TURN_MS, answer["turns"]
        eventually(lambda: stats(server)["memory"]["data"] == 0)


@pytest.mark.options
def test_a_name_is_made_up_although_many_are_taken():
    with serving("--threads", "1") as server:
        pipelined(server, "POST", ["/_s3mem/snapshots"] * 3000,
                  lambda i: json.dumps({"name": f"snapshot-{i + 1}"}).encode())
        made = admin(server, "POST", "snapshots")
        assert made.status == 201 and re.fullmatch(r"snapshot-\d+", ok(made, 201)["name"])
        turns = stats(server)["turns"]
        assert turns["longest"] is None or "snapshots" not in turns["longest"]["target"] or \
            turns["longestCpuMs"] < 100


@pytest.mark.options
def test_many_headers_of_a_request_cost_little():
    """Names are put together in n log n; quadratic, one entry took tens of milliseconds."""
    with serving("--threads", "1") as server:
        head = "".join(f"h{i}:\r\n" for i in range(1000))
        with socket.create_connection(("127.0.0.1", server.port), timeout=20 * SLOW) as s:
            s.sendall(f"GET /b/k HTTP/1.1\r\nHost: localhost\r\nA: 1\r\nb: 2\r\na: 3\r\n{head}\r\n".encode())
            assert s.recv(65536).startswith(b"HTTP/1.1 4")
        ok(admin(server, "POST", "clear", stats="reset"))
        found = ok(admin(server, "GET", "requests"))["requests"]
        if found:  # else the head was refused before it was a request
            assert found[0]["headers"]["a"] == "1, 3" and len(found[0]["headers"]) >= 1003
        assert stats(server)["turns"]["longestCpuMs"] <= TURN_MS
