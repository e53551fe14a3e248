# SPDX-License-Identifier: MIT
"""MemoryClient's JSON file: saved and loaded, by stream and in a folder of the server's; jobs;
paths that lead out; files that are not good. Sources: s3db.js 19.5.10, MemoryStorage.snapshot()
and restore(); files that s3db.js 12, 18 and 19 wrote (fixtures/memory-client-v*.json). The real
package reads and writes such files in sdk/s3db."""

import base64
import hashlib
import json
import os
import re
import threading
from pathlib import Path

import pytest

from admin import admin, admin_refused, ok
from harness import MIB, PART, TURN_MS, client, eventually, http_request, keys_of, multipart, run_daemon, serving

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("memory-client-v*.json"))


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    with serving("--state-dir", folder) as server:
        server.folder = folder
        yield server


def load(server, document, **query):
    """PUT load of a document: text, bytes, or what JSON can say."""
    if not isinstance(document, (bytes, str)):
        document = json.dumps(document)
    if isinstance(document, str):
        document = document.encode()
    query = "?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else ""
    return http_request(server, "PUT", "/_s3mem/load" + query, body=document)


def saved(server, bucket):
    reply = admin(server, "GET", "save", bucket=bucket)
    assert reply.status == 200, reply
    return reply.body.decode()


def as_javascript(document):
    """JSON.stringify(document, null, 2) with the keys in our order."""
    objects = dict(sorted(document["objects"].items(), key=lambda item: item[0].encode()))
    return json.dumps({**document, "objects": objects}, indent=2, ensure_ascii=False)


def without_time(text):
    return re.sub(r'^(\{\n  "timestamp": ")[^"]*', r"\1", text)


def test_fixtures_are_there():
    assert [f.stem[-2:] for f in FIXTURES] == ["12", "18", "19"]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_what_memory_client_wrote(disk, path):
    document = json.loads(path.read_text(encoding="utf-8"))
    bucket = "from-" + path.stem.rsplit("-", 1)[1]
    loaded = ok(load(disk, document, bucket=bucket))
    assert loaded == {"branch": "main", "bucket": bucket, "created": True,
                      "objects": document["objectCount"], "etagsKept": 0, "etagsReplaced": 0,
                      "bytes": sum(o["size"] for o in document["objects"].values())}
    s3 = client(disk)
    for key, wanted in document["objects"].items():
        got = s3.get_object(Bucket=bucket, Key=key)
        assert got["Body"].read() == base64.b64decode(wanted["body"])
        assert got["ETag"] == f'"{wanted["etag"]}"'
        assert got["ContentType"] == wanted["contentType"]
        assert got["Metadata"] == {k.lower(): v for k, v in wanted["metadata"].items()}
        assert got["LastModified"].isoformat()[:19] == wanted["lastModified"][:19]
    # And back: what we write is, byte for byte, what saveToDisk would.
    for entry in document["objects"].values():
        entry["metadata"] = {k.lower(): v for k, v in entry["metadata"].items()}
    document["bucket"] = bucket
    assert without_time(saved(disk, bucket)) == without_time(as_javascript(document))


def test_by_path(disk):
    document = FIXTURES[-1].read_text(encoding="utf-8")
    (disk.folder / "in.json").write_text(document, encoding="utf-8")
    loaded = ok(admin(disk, "POST", "load", {"path": "in.json", "bucket": "by-path"}))
    assert loaded["objects"] == 52
    done = ok(admin(disk, "POST", "save", {"path": str(disk.folder / "out.json"),
                                           "bucket": "by-path"}))
    assert done == {"path": str(disk.folder / "out.json"), "bucket": "by-path", "objects": 52,
                    "bytes": loaded["bytes"], "notSaved": {}}
    written = (disk.folder / "out.json").read_text(encoding="utf-8")
    assert without_time(written) == without_time(saved(disk, "by-path"))
    assert [p.name for p in disk.folder.iterdir() if p.name.startswith(".")] == []


def test_all_that_the_file_can_hold(disk):
    s3 = client(disk)
    s3.create_bucket(Bucket="all")
    body = os.urandom(300_001)
    s3.put_object(Bucket="all", Key='a "quoted" \\ key é 世 \x7f', Body=body, ContentType="a/b",
                  ContentEncoding="gzip", Metadata={"_v": "v1", "x": 'u:"é"'.encode().hex()})
    s3.put_object(Bucket="all", Key="empty", Body=b"")
    etag = multipart(s3, "all", "parts", [b"p" * PART, b"q" * 7])["ETag"]
    reply = admin(disk, "GET", "save", bucket="all")
    assert json.loads(reply.headers["x-s3mem-not-saved"])["parts"] == 1
    document = json.loads(reply.body)
    assert list(document["objects"]) == sorted(document["objects"], key=str.encode)
    entry = document["objects"]['a "quoted" \\ key é 世 \x7f']
    assert list(entry) == ["body", "metadata", "contentType", "etag", "lastModified", "size",
                           "contentEncoding", "contentLength"]
    assert base64.b64decode(entry["body"]) == body
    assert entry["etag"] == hashlib.md5(body).hexdigest()
    loaded = ok(load(disk, reply.body, bucket="all-again"))
    assert loaded["etagsKept"] == 1
    for key in document["objects"]:
        ours, theirs = (s3.get_object(Bucket=b, Key=key) for b in ("all", "all-again"))
        assert ours["Body"].read() == theirs["Body"].read()
        for field in ("ETag", "ContentType", "ContentEncoding", "Metadata", "LastModified"):
            assert ours.get(field) == theirs.get(field), (key, field)
    assert s3.head_object(Bucket="all-again", Key="parts")["ETag"] == etag


def test_what_is_not_saved_is_told(disk):
    s3 = client(disk)
    s3.create_bucket(Bucket="rich")
    s3.put_bucket_versioning(Bucket="rich", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket="rich", Key="k", Body=body, Tagging="a=b", CacheControl="no-store",
                      ChecksumAlgorithm="SHA256")
    s3.put_object(Bucket="rich", Key="gone", Body=b"3")
    s3.delete_object(Bucket="rich", Key="gone")
    s3.create_multipart_upload(Bucket="rich", Key="upload")
    lost = {"versions": 3, "uploads": 1, "tags": 1, "checksums": 1, "headers": 1,
            "bucketSettings": 1}
    done = ok(admin(disk, "POST", "save", {"path": "rich.json", "bucket": "rich"}))
    assert done["notSaved"] == lost
    assert json.loads(admin(disk, "GET", "save", bucket="rich").headers["x-s3mem-not-saved"]) == lost
    (disk.folder / "strict.json").write_text("as it was")
    for reply in (admin(disk, "POST", "save", {"path": "strict.json", "bucket": "rich",
                                               "strict": True}),
                  admin(disk, "GET", "save", bucket="rich", strict="true")):
        assert admin_refused(reply, 409, "NotRepresentable")["notSaved"] == lost
    assert (disk.folder / "strict.json").read_text() == "as it was"


def test_load_replaces_or_merges(disk):
    s3 = client(disk)
    one, two = ({"bucket": "merged", "objects": {key: {"body": base64.b64encode(body).decode()}}}
                for key, body in (("one", b"1"), ("two", b"2")))
    assert ok(load(disk, one))["created"] is True
    s3.put_bucket_tagging(Bucket="merged", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    assert ok(load(disk, two))["created"] is False
    assert keys_of(s3.list_objects_v2(Bucket="merged")) == ["two"]
    # What the bucket is set to stays.
    assert s3.get_bucket_tagging(Bucket="merged")["TagSet"] == [{"Key": "k", "Value": "v"}]
    ok(load(disk, one, clear="false"))
    assert keys_of(s3.list_objects_v2(Bucket="merged")) == ["one", "two"]
    s3.put_object(Bucket="merged", Key="one", Body=b"newer")
    assert s3.get_object(Bucket="merged", Key="one")["Body"].read() == b"newer"
    (disk.folder / "one.json").write_text(json.dumps(one))
    ok(admin(disk, "POST", "load", {"path": "one.json", "clear": False}))
    assert s3.get_object(Bucket="merged", Key="one")["Body"].read() == b"1"
    ok(admin(disk, "POST", "load", {"path": "one.json"}))
    assert keys_of(s3.list_objects_v2(Bucket="merged")) == ["one"]
    assert "x-amz-meta" not in str(s3.head_object(Bucket="merged", Key="one"))


def test_a_restore_during_a_merge(disk):
    """What was merged is seen by nobody then, and the answer says so, whichever way the file came."""
    document = json.dumps({"bucket": "late", "objects": {f"k{i}": {"body": ""} for i in range(60000)}})
    (disk.folder / "late.json").write_text(document)
    ok(admin(disk, "POST", "branches", {"name": "late"}), 201)
    ok(admin(disk, "POST", "snapshots", {"name": "late"}), 201)
    for way in (lambda: load(disk, document, branch="late", clear="false"),
                lambda: admin(disk, "POST", "load", {"path": "late.json", "branch": "late", "clear": False})):
        statuses = []
        while 409 not in statuses and len(statuses) < 20:
            replies = []
            loader = threading.Thread(target=lambda: replies.append(way()))
            loader.start()
            while loader.is_alive():
                ok(admin(disk, "POST", "snapshots/late/restore", branch="late"))
            loader.join()
            statuses.append(replies[0].status)
            if replies[0].status == 409:
                admin_refused(replies[0], 409, "Conflict")
        assert set(statuses) <= {200, 409} and 409 in statuses, statuses


def test_loads_hold_no_io_thread():
    """Neither many small objects, nor large ones that take the place of others, nor much metadata."""
    files = [{f"k{i}": {"body": ""} for i in range(30000)},
             {f"k{i}": {"body": base64.b64encode(bytes(3 * MIB)).decode()} for i in range(8)},
             {f"k{i}": {"body": "", "metadata": {f"n{j}": "" for j in range(8000)}} for i in range(4)}]
    with serving() as server:
        for objects in files:
            for clear in ("true", "true", "false"):
                ok(load(server, {"bucket": "data", "objects": objects}, clear=clear))
        turns = ok(admin(server, "GET", "stats"))["turns"]
        assert turns["longestCpuMs"] <= TURN_MS, turns


def test_branches_and_snapshots(disk):
    ok(load(disk, {"bucket": "then", "objects": {"k": {"body": "MQ=="}}}))
    ok(admin(disk, "POST", "snapshots", {"name": "before"}), 201)
    ok(admin(disk, "POST", "branches", {"name": "side"}), 201)
    ok(load(disk, {"bucket": "then", "objects": {"k": {"body": "Mg=="}}}))
    ok(load(disk, {"bucket": "then", "objects": {}}, branch="side"))
    ok(admin(disk, "POST", "load", {"path": "none.json", "branch": "side"}), 404)

    def body(**query):
        objects = json.loads(admin(disk, "GET", "save", bucket="then", **query).body)["objects"]
        return objects["k"]["body"] if objects else None

    assert (body(), body(snapshot="before"), body(branch="side")) == ("Mg==", "MQ==", None)
    ok(admin(disk, "POST", "save", {"path": "then.json", "bucket": "then", "snapshot": "before"}))
    assert '"body": "MQ=="' in (disk.folder / "then.json").read_text()
    assert saved(disk, "then").count("\n") > 5
    empty = admin(disk, "GET", "save", bucket="then", branch="side").body.decode()
    assert empty.endswith('"objectCount": 0,\n  "objects": {}\n}')


def test_one_bucket_needs_no_name(tmp_path):
    with serving("--state-dir", tmp_path) as server:
        admin_refused(admin(server, "GET", "save"), 404, "NoSuchBucket", "bucket")
        ok(load(server, {"bucket": "only", "objects": {}}))
        assert json.loads(admin(server, "GET", "save").body)["bucket"] == "only"
        client(server).create_bucket(Bucket="second")
        admin_refused(admin(server, "GET", "save"), 400, "InvalidArgument", "bucket")
        admin_refused(admin(server, "POST", "save", {"path": "x"}), 400, "InvalidArgument", "bucket")
        assert list(tmp_path.iterdir()) == []


# ---- bad input ----------------------------------------------------------------------------------

GOOD = '{"body":"eA==","metadata":{"a":"b"},"etag":"9dd4e461268c8034f5c8564e155c67a6","size":1}'
BAD = {
    "empty": ("", "empty"),
    "not JSON": ("hello", "not JSON"),
    "truncated": ('{"objects":{"k":' + GOOD, "ends too early"),
    "an array": ("[]", "must be an object"),
    "no objects": ('{"bucket":"x"}', "no 'objects'"),
    "objects is a list": ('{"objects":[]}', "objects must be an object"),
    "an object is a text": ('{"objects":{"k":"x"}}', "'k' must be an object"),
    "no body": ('{"objects":{"k":{"metadata":{}}}}', "object 'k': it has no body"),
    "body is a number": ('{"objects":{"k":{"body":1}}}', "object 'k': body must be a text"),
    "bad base64": ('{"objects":{"k":{"body":"eA=*"}}}', "object 'k': body: not base64 (at byte 3"),
    "half base64": ('{"objects":{"k":{"body":"eHh"}}}', "ends too early"),
    "size lies": ('{"objects":{"k":{"body":"eA==","size":2}}}', "size is 2, but its body has 1"),
    "size is a text": ('{"objects":{"k":{"body":"eA==","size":"1"}}}', "size must be a number"),
    "metadata number": ('{"objects":{"k":{"body":"","metadata":{"a":1}}}}', "'a' must be a text"),
    "metadata name": ('{"objects":{"k":{"body":"","metadata":{"a b":"1"}}}}', "'a b' cannot be"),
    "metadata twice": ('{"objects":{"k":{"body":"","metadata":{"a":"1","A":"2"}}}}',
                       "'a' occurs twice"),
    "no time": ('{"objects":{"k":{"body":"","lastModified":"now"}}}', "'now' is no time"),
    "key twice": ('{"objects":{"k":%s,"k":%s}}' % (GOOD, GOOD), "'k' occurs twice"),
    "member twice": ('{"objects":{"k":{"body":"","body":""}}}', "'body' occurs twice"),
    "empty key": ('{"objects":{"":{"body":""}}}', "a key has 1 to 1024 bytes"),
    "long key": ('{"objects":{"%s":{"body":""}}}' % ("k" * 1025), "this one 1025"),
    "half a pair": ('{"objects":{"\\ud800":{"body":""}}}', "surrogate"),
    "no UTF-8": (b'{"objects":{"\xff":{"body":""}}}', "not UTF-8"),
    "deep": ('{"x":' + "[" * 1000 + "]" * 1000 + ',"objects":{}}', "nested too deeply"),
    "very deep": ('{"x":' + "[" * 100_000 + ',"objects":{}}', "nested too deeply"),
    "behind the end": ('{"objects":{}}}', "behind the end"),
    "control character": ('{"objects":{"a\nb":{"body":""}}}', "control character"),
    "bad bucket": ('{"bucket":"No Bucket","objects":{}}', "cannot be the name of a bucket"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_change_nothing(disk, name):
    document, message = BAD[name]
    ok(load(disk, '{"objects":{"k":%s}}' % GOOD, bucket="stays"))
    before = without_time(saved(disk, "stays"))
    query = {} if name == "bad bucket" else {"bucket": "stays"}
    error = admin_refused(load(disk, document, **query), 400, "InvalidFile")
    assert message in error["message"], error
    assert re.match(r"line \d+, column \d+: ", error["message"]), error
    if isinstance(document, str):
        (disk.folder / "bad.json").write_text(document)
        error_of_file = admin_refused(admin(disk, "POST", "load", {"path": "bad.json", **query}),
                                      400, "InvalidFile")
        assert error_of_file["message"] == error["message"]
    assert without_time(saved(disk, "stays")) == before


def test_position(disk):
    text = as_javascript(json.loads(FIXTURES[0].read_text(encoding="utf-8")))
    lines = text.split("\n")
    wrong = next(i for i, line in enumerate(lines) if i > 500 and '"metadata"' in line)
    lines[wrong] = lines[wrong].replace(":", "=")
    error = admin_refused(load(disk, "\n".join(lines), bucket="stays"), 400, "InvalidFile")
    assert error["message"].startswith(f"line {wrong + 1}, column 17: object '"), error
    assert error["message"].endswith("not JSON: ':' is missing"), error


def test_no_bucket_named(disk):
    error = admin_refused(load(disk, '{"objects":{}}'), 400, "InvalidFile")
    assert "names no bucket" in error["message"]
    admin_refused(load(disk, "{}", bucket="No"), 400, "InvalidArgument", "bucket")


def test_long_lines_take_no_memory(disk):
    """A line of 64 MiB that nobody asked for, and as long a body that ends badly."""
    before = ok(admin(disk, "GET", "stats"))["memory"]
    junk = b'{"unknown":"' + b"x" * (64 * MIB) + b'","objects":{}}'
    ok(load(disk, junk, bucket="stays"))
    bad = b'{"objects":{"k":{"body":"' + b"eHh4" * (16 * MIB) + b'*"}}}'
    admin_refused(load(disk, bad, bucket="stays"), 400, "InvalidFile")
    eventually(lambda: ok(admin(disk, "GET", "stats"))["memory"]["total"] < before["total"] + MIB)


def test_memory_limit(tmp_path):
    with serving("--max-memory", "16MiB", "--state-dir", tmp_path) as server:
        ok(load(server, '{"objects":{"k":%s}}' % GOOD, bucket="stays"))
        big = json.dumps({"objects": {"k": {"body": "eHh4" * (8 * MIB)}}})
        admin_refused(load(server, big, bucket="stays"), 503, "SlowDown")
        (tmp_path / "big.json").write_text(big)
        admin_refused(admin(server, "POST", "load", {"path": "big.json", "bucket": "stays"}), 503,
                      "SlowDown")
        assert '"eA=="' in saved(server, "stays")


# ---- paths and jobs -----------------------------------------------------------------------------


def test_without_state_dir(server):
    for endpoint in ("save", "load"):
        error = admin_refused(admin(server, "POST", endpoint, {"path": "x.json"}), 403,
                              "StateDirOff", "path")
        assert "--state-dir" in error["message"]


def test_paths_that_lead_out(disk, tmp_path):
    ok(load(disk, '{"objects":{}}', bucket="stays"))
    (disk.folder / "out").symlink_to(tmp_path)
    for path in ("../x.json", "/etc/passwd", str(tmp_path / "x.json"), "out/x.json", "a/../../x"):
        admin_refused(admin(disk, "POST", "save", {"path": path, "bucket": "stays"}), 403,
                      "PathOutside", "path")
    for path, status, code in (("nowhere/x", 404, "NoSuchPath"), (".", 400, "InvalidPath"),
                               ("x" * 300, 400, "InvalidPath")):
        admin_refused(admin(disk, "POST", "save", {"path": path, "bucket": "stays"}), status, code,
                      "path")
    admin_refused(admin(disk, "POST", "save", {"bucket": "stays"}), 400, "InvalidArgument", "path")
    (disk.folder / "folder").mkdir()
    admin_refused(admin(disk, "POST", "load", {"path": "folder"}), 409, "NotAFile", "path")
    admin_refused(admin(disk, "POST", "save", {"path": "folder", "bucket": "stays"}), 409,
                  "NotAFile", "path")
    os.mkfifo(disk.folder / "fifo")
    admin_refused(admin(disk, "POST", "load", {"path": "fifo"}), 409, "NotAFile", "path")
    assert list(tmp_path.iterdir()) == []


def test_asynchronous(disk):
    ok(load(disk, FIXTURES[0].read_text(encoding="utf-8"), bucket="slowly"))
    reply = admin(disk, "POST", "save", {"path": "slowly.json", "bucket": "slowly", "async": True})
    number = ok(reply, 202)["id"]
    assert reply.headers["location"] == f"/_s3mem/jobs/{number}"

    def ended():
        job = ok(admin(disk, "GET", f"jobs/{number}"))
        return job["state"] == "done" and job

    job = eventually(ended)
    assert (job["kind"], job["items"], job["itemsTotal"]) == ("save", 52, 52)
    assert job["result"]["path"] == "slowly.json" and job["bytes"] == job["bytesTotal"]
    assert number in [j["id"] for j in ok(admin(disk, "GET", "jobs"))["jobs"]]
    ok(admin(disk, "DELETE", f"jobs/{number}"), 204)
    admin_refused(admin(disk, "GET", f"jobs/{number}"), 404, "NoSuchJob", "id")


def test_bad_directory():
    done = run_daemon("--state-dir", "/nowhere/at/all")
    assert done.returncode == 2 and "/nowhere/at/all" in done.stderr


def test_what_was_loaded_is_in_the_database(tmp_path):
    """What a load brings is followed like every other change."""
    document = FIXTURES[-1].read_text(encoding="utf-8")
    args = ("--persist", tmp_path / "state.db", "--auto-persist", "--durability", "always")
    with serving(*args) as server:
        ok(load(server, document, bucket="kept"))
        ok(load(server, '{"objects":{"k":%s}}' % GOOD, bucket="kept"))
        ok(load(server, document, bucket="kept", clear="false"))
        client(server).delete_object(Bucket="kept", Key="k")
        wanted = without_time(saved(server, "kept"))
    with serving(*args) as server:
        assert without_time(saved(server, "kept")) == wanted
        assert wanted.count('"body"') == 52


def test_a_cancelled_job_leaves_nothing(disk):
    """However far it was: done, or cancelled without a trace."""
    s3 = client(disk)
    s3.create_bucket(Bucket="large")
    for n in range(4):
        s3.put_object(Bucket="large", Key=f"k{n}", Body=bytes(16 * MIB))
    (disk.folder / "large.json").write_text("as it was")
    number = ok(admin(disk, "POST", "save", {"path": "large.json", "bucket": "large",
                                             "async": True}), 202)["id"]
    assert admin(disk, "DELETE", f"jobs/{number}").status in (202, 204)

    def ended():
        reply = admin(disk, "GET", f"jobs/{number}")
        return reply.status == 404 or reply.json["state"] in ("done", "cancelled") and reply.json

    job = eventually(ended)
    if job is not True and job["state"] == "cancelled":
        assert job["error"]["code"] == "Cancelled"
        assert (disk.folder / "large.json").read_text() == "as it was"
    else:
        assert json.loads((disk.folder / "large.json").read_text())["objectCount"] == 4
    assert [p.name for p in disk.folder.iterdir() if p.name.startswith(".")] == []
