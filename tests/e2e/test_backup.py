# SPDX-License-Identifier: MIT
"""s3db.js records out of buckets as JSONL, and back: exact, edited, written by hand, broken."""

import base64
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import threading
import urllib.parse
from pathlib import Path

import pytest

from admin import admin, admin_refused, ok
from ctl import CTL, need_ctl
from harness import ROOT, S3MEMD, client, eventually, http_request, serving, unique

USERS = {
    "attributes": {"id": "string|optional", "name": "string|required", "age": "number|optional",
                   "city": "string|optional"},
    "partitions": {"byCity": {"fields": {"city": "string"}}},
    "behavior": "user-managed",
    "timestamps": False,
}
PEOPLE = [
    {"id": "u1", "name": "Alice", "age": 42, "city": "Rome"},
    {"id": "u2", "name": "Bob", "age": 7, "city": "Oslo"},
    {"id": "u3", "name": "Eve", "city": "Rome"},
]


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def server(state):
    with serving("--state-dir", state) as s:
        yield s


# ---- help ---------------------------------------------------------------------------------------


def lines_of(records):
    return b"".join(json.dumps(r, ensure_ascii=False).encode() + b"\n" for r in records)


def write_backup(folder, resources, manifest=None, **files):
    """A backup as somebody would write it by hand: {name: (schema, bytes of the JSONL)}."""
    folder.mkdir(exist_ok=True)
    listed = {}
    for name, (schema, lines) in resources.items():
        listed[name] = {"schema": schema} if schema else {}
        if lines is not None:
            (folder / f"{name}.jsonl").write_bytes(lines)
    if manifest is None:
        manifest = {"version": "1.0", "bucket": "unused", "resources": listed}
    (folder / "s3db.json").write_text(
        manifest if isinstance(manifest, str) else json.dumps(manifest), encoding="utf-8")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def tar_of(files, gz=False):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz" if gz else "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def files_of(tar):
    with tarfile.open(fileobj=io.BytesIO(tar)) as t:
        return {m.name: t.extractfile(m).read() for m in t.getmembers()}


def text_of(files, name):
    return gzip.decompress(files[name + ".gz"]) if name + ".gz" in files else files[name]


def put_tar(server, data, headers=None, **query):
    return http_request(server, "PUT", "/_s3mem/import?" + urllib.parse.urlencode(query), body=data,
                        headers=headers)


def get_tar(server, bucket, **query):
    reply = admin(server, "GET", "export", bucket=bucket, **query)
    assert reply.status == 200, reply
    return reply.body


def objects(server, bucket):
    """Everything that a client can see of each object."""
    s3 = client(server)
    found = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            o = s3.get_object(Bucket=bucket, Key=entry["Key"])
            found[entry["Key"]] = (o["Body"].read(), o["ETag"], o["Metadata"], o["ContentType"],
                                   o.get("ContentEncoding"), o["LastModified"])
    return found


def put_people(server, people=PEOPLE, schema=None, bucket=None, **options):
    """A bucket with these users in it, by an import of lines."""
    bucket = bucket or unique("people")
    manifest = {"version": "1.0", "resources": {"users": {"schema": schema or USERS}}}
    tar = tar_of({"s3db.json": json.dumps(manifest).encode(), "users.jsonl": lines_of(people)})
    result = ok(put_tar(server, tar, bucket=bucket, **options))
    assert (result["recordsImported"], result["errors"]) == (len(people), []), result
    return bucket


def exported_people(server, bucket, **query):
    return [json.loads(line) for line in
            text_of(files_of(get_tar(server, bucket, **query)), "users.jsonl").splitlines()]


def run_ctl(server, *args, status=0, env=None, **options):
    need_ctl()
    done = subprocess.run([CTL, "--endpoint", server.url, *map(str, args)], check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                          env={"PATH": "/usr/bin:/bin", **(env or {})}, **options)
    assert done.returncode == status, done
    return done


# ---- vectors: what real versions of s3db.js stored ----------------------------------------------

VECTORS = sorted((ROOT / "tests/data/s3db").glob("vec*.json"))


def load_vector(server, path):
    """As a sidecar: in-process clients may have stored more metadata than HTTP lets pass."""
    vector = json.loads(path.read_text(encoding="utf-8"))
    lines = lines_of(
        {"key": key.removeprefix("pre/fix/"), "size": o["size"], "etag": o["etag"], "lastModified": o["lastModified"],
         "metadata": {name.lower(): value for name, value in o["metadata"].items()},
         "contentType": o["contentType"], "body": o["body"]}
        for key, o in vector["snapshot"]["objects"].items() if "core/locks/" not in key)
    manifest = {"version": "1.0", "resources": {}, "x-s3memd": {
        "sidecar": {"file": "objects.ndjson", "sha256": hashlib.sha256(lines).hexdigest()}}}
    bucket = unique("vector")
    result = ok(put_tar(server, tar_of({"s3db.json": json.dumps(manifest).encode(),
                                        "objects.ndjson": lines}), bucket=bucket,
                        prefix="pre/fix"))
    assert result["errors"] == result["warnings"] == [], result
    return bucket, vector


@pytest.mark.parametrize("path", VECTORS, ids=lambda p: p.stem)
@pytest.mark.parametrize("form", ["tar", "tar.gz"])
def test_vectors_come_back_as_they_were(server, path, form):
    bucket, vector = load_vector(server, path)
    before = objects(server, bucket)
    assert before
    tar = get_tar(server, bucket, format=form)
    manifest = json.loads(files_of(tar)["s3db.json"])
    assert manifest["keyPrefix"] == "pre/fix/" and manifest["totalRecords"] > 0
    records = {json.loads(line)["id"] for name in manifest["resources"]
               for line in text_of(files_of(tar), name + ".jsonl").splitlines()}
    assert {key.split("/", 1)[1] for key in vector["expected"]} <= records
    with serving() as empty:
        result = ok(put_tar(empty, tar, bucket=bucket))
        assert result["errors"] == [] and result["reencoded"] == [], result
        assert result["recordsImported"] == manifest["totalRecords"]
        after = objects(empty, bucket)
    assert after.keys() == before.keys()
    for key, value in after.items():
        assert value == before[key], key


# ---- export -------------------------------------------------------------------------------------


def test_manifest(server):
    bucket = put_people(server)
    for compress, end in (("true", ".gz"), ("false", "")):
        files = files_of(get_tar(server, bucket, compress=compress))
        assert set(files) == {"s3db.json", "users.jsonl" + end, "objects.ndjson" + end}
        manifest = json.loads(files["s3db.json"])
        assert list(manifest)[:8] == ["version", "timestamp", "bucket", "keyPrefix", "compressed",
                                      "resources", "totalRecords", "totalSize"]
        assert (manifest["version"], manifest["bucket"], manifest["keyPrefix"]) == ("1.0", bucket, "")
        assert manifest["compressed"] is (compress == "true")
        users = manifest["resources"]["users"]
        assert list(users["schema"]["attributes"]) == list(USERS["attributes"])
        assert users["schema"]["partitions"] == USERS["partitions"]
        assert users["stats"] == {"recordCount": 3, "fileSize": len(files["users.jsonl" + end])}
        assert manifest["totalRecords"] == 3
        assert manifest["totalSize"] == users["stats"]["fileSize"]
        text = text_of(files, "users.jsonl")
        mine = manifest["x-s3memd"]
        assert mine["resources"]["users"]["sha256"] == hashlib.sha256(text).hexdigest()
        assert mine["sidecar"]["sha256"] == hashlib.sha256(text_of(files, "objects.ndjson")).hexdigest()
        assert [json.loads(line) for line in text.splitlines()] == PEOPLE
        assert text.endswith(b"\n")
        if compress == "true":
            # Same records, same bytes: neither a time nor a name in gzip's header.
            assert files["users.jsonl.gz"][4:8] == b"\0\0\0\0"


def test_resources_filter(server):
    bucket = put_people(server)
    manifest = {"version": "1.0", "resources": {"orders": {"schema": {"attributes": {"sum": "number"}}}}}
    ok(put_tar(server, tar_of({"s3db.json": json.dumps(manifest).encode(),
                               "orders.jsonl": b'{"id":"o1","sum":3}\n'}), bucket=bucket))
    everything = files_of(get_tar(server, bucket))
    assert {"users.jsonl.gz", "orders.jsonl.gz"} <= set(everything)
    chosen = files_of(get_tar(server, bucket, resources="orders"))
    assert set(chosen) == {"s3db.json", "orders.jsonl.gz", "objects.ndjson.gz"}
    keys = [json.loads(line)["key"] for line in text_of(chosen, "objects.ndjson").splitlines()]
    assert keys == ["s3db.json", "resource=orders/data/id=o1"]
    error = admin_refused(admin(server, "GET", "export", bucket=bucket, resources="nothing"),
                          404, "NoSuchDatabase")
    assert "'nothing'" in error["message"]
    # Of a backup of all, only one.
    target = unique("filtered")
    result = ok(put_tar(server, tar_of(everything), bucket=target, resources="users"))
    assert (result["resourcesImported"], result["recordsImported"]) == (1, 3)
    assert not any("orders" in key for key in objects(server, target))
    descriptor = json.loads(objects(server, target)["s3db.json"][0])
    assert list(descriptor["resources"]) == ["users"]


def test_several_databases_need_a_prefix(server):
    bucket = put_people(server, prefix="app")
    put_people(server, PEOPLE[:1], bucket=bucket, prefix="deep/er")
    error = admin_refused(admin(server, "GET", "export", bucket=bucket), 409, "SeveralDatabases",
                          field="prefix")
    assert "'app/'" in error["message"] and "'deep/er/'" in error["message"]
    assert exported_people(server, bucket, prefix="app") == PEOPLE
    assert exported_people(server, bucket, prefix="deep/er/") == PEOPLE[:1]
    admin_refused(admin(server, "GET", "export", bucket=bucket, prefix="../a"), 400, "InvalidBackup")


def test_raw_objects(server):
    s3, bucket = client(server), unique("raw")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="resource=users/id=u1", Body=b'{"age":42,"city":"Rome"}',
                  Metadata={"name": "Alice", "email": "a@example.com"})
    tar = get_tar(server, bucket, compress="false")
    assert exported_people(server, bucket) == [
        {"id": "u1", "name": "Alice", "email": "a@example.com", "age": 42, "city": "Rome"}]
    target = unique("raw")
    assert ok(put_tar(server, tar, bucket=target))["recordsImported"] == 1
    assert objects(server, target) == objects(server, bucket)


def test_what_there_is_not(server):
    admin_refused(admin(server, "GET", "export", bucket="no-such"), 404, "NoSuchBucket")
    bucket = unique("empty")
    client(server).create_bucket(Bucket=bucket)
    admin_refused(admin(server, "GET", "export", bucket=bucket), 404, "NoSuchDatabase")
    admin_refused(admin(server, "GET", "export"), 400, "InvalidArgument", field="bucket")
    admin_refused(admin(server, "GET", "export", bucket=bucket, format="zip"), 400,
                  "InvalidArgument", field="format")
    admin_refused(admin(server, "GET", "export", bucket=bucket, branch="none"), 404,
                  "NoSuchBranch", field="branch")


def test_export_is_of_one_instant(server):
    """What is written while a client is slow to take the stream is not in it."""
    bucket = put_people(server, [{"id": f"u{i:04}", "name": "n" * 500} for i in range(3000)])
    path = f"/_s3mem/export?bucket={bucket}&compress=false"
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", path)
    reply = connection.getresponse()
    head = reply.read(1000)
    client(server).put_object(Bucket=bucket, Key="resource=users/data/id=u9999", Body=b"")
    records = text_of(files_of(head + reply.read()), "users.jsonl").splitlines()
    assert len(records) == 3000


# ---- large objects, odd metadata, binary content ------------------------------------------------


def test_exact_objects(server):
    bucket = put_people(server)
    s3 = client(server)
    body = bytes(range(256)) * 8000  # 2 MB: several lines of the sidecar
    s3.put_object(Bucket=bucket, Key="resource=users/data/id=big", Body=body, ContentType="image/png",
                  ContentEncoding="identity", CacheControl="no-cache", Tagging="a=b",
                  ChecksumAlgorithm="SHA256", Metadata={"_v": "v1", "1": "Big"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="resource=users/data/id=parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="resource=users/data/id=parts", UploadId=upload,
                          PartNumber=3, Body=b"abc")
    s3.complete_multipart_upload(
        Bucket=bucket, Key="resource=users/data/id=parts", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 3, "ETag": part["ETag"]}]})
    s3.put_object(Bucket=bucket, Key="resource=users/data/id=kms", Body=b"secret", ServerSideEncryption="aws:kms")
    tar, target = get_tar(server, bucket), unique("exact")
    result = ok(put_tar(server, tar, bucket=target))
    assert result["errors"] == [] and result["recordsImported"] == 6
    assert objects(server, target) == objects(server, bucket)
    for key in ("resource=users/data/id=big", "resource=users/data/id=parts", "resource=users/data/id=kms"):
        heads = [s3.head_object(Bucket=b, Key=key, ChecksumMode="ENABLED") for b in (bucket, target)]
        for head in heads:
            del head["ResponseMetadata"]
        assert heads[0] == heads[1]
    assert s3.get_object_tagging(Bucket=target, Key="resource=users/data/id=big")["TagSet"] == [
        {"Key": "a", "Value": "b"}]


def test_binary_content_survives_an_edit(server):
    bucket = put_people(server)
    s3 = client(server)
    old = s3.head_object(Bucket=bucket, Key="resource=users/data/id=u1")["Metadata"]
    s3.put_object(Bucket=bucket, Key="resource=users/data/id=u1", Body=b"\x89PNG\xff", Metadata=old,
                  ContentType="image/png")
    files = files_of(get_tar(server, bucket, compress="false"))
    manifest = json.loads(files["s3db.json"])
    assert manifest["x-s3memd"]["resources"]["users"]["opaqueBodies"] == 1
    files["users.jsonl"] = files["users.jsonl"].replace(b"Alice", b"Alicia")
    target = unique("edited")
    assert ok(put_tar(server, tar_of(files), bucket=target))["errors"] == []
    after = s3.get_object(Bucket=target, Key="resource=users/data/id=u1")
    assert after["Body"].read() == b"\x89PNG\xff" and after["ContentType"] == "image/png"
    assert exported_people(server, target)[0]["name"] == "Alicia"


# ---- import -------------------------------------------------------------------------------------


def test_edited_lines(server):
    bucket = put_people(server)
    files = files_of(get_tar(server, bucket, compress="false"))
    files["users.jsonl"] = files["users.jsonl"].replace(b"Rome", b"Lima").replace(b"42", b"43")
    result = ok(put_tar(server, tar_of(files), bucket=unique("edited")))
    assert [r["resource"] for r in result["reencoded"]] == ["users"], result
    assert exported_people(server, result["bucket"])[0] == {**PEOPLE[0], "age": 43, "city": "Lima"}
    keys = objects(server, result["bucket"])
    assert "resource=users/partition=byCity/city=Lima/id=u1" in keys
    assert not any("Rome" in key for key in keys)
    # Over what is there: the references of before go.
    assert ok(put_tar(server, tar_of(files), bucket=bucket))["errors"] == []
    assert objects(server, bucket).keys() == keys.keys()


def test_written_by_hand(server, tmp_path):
    folder = write_backup(tmp_path / "hand", {"users": (USERS, lines_of(PEOPLE))})
    target = unique("hand")
    said = run_ctl(server, "import", folder, "--bucket", target).stdout.decode()
    assert f"3 records of 1 resources, in bucket {target}" in said
    assert exported_people(server, target) == PEOPLE
    descriptor = json.loads(objects(server, target)["s3db.json"][0])
    version = descriptor["resources"]["users"]["versions"]["v1"]
    assert version["attributes"] == USERS["attributes"]
    keys = set(objects(server, target))
    assert keys == {"s3db.json", "resource=users/data/id=u1", "resource=users/data/id=u2",
                    "resource=users/data/id=u3", "resource=users/partition=byCity/city=Oslo/id=u2",
                    "resource=users/partition=byCity/city=Rome/id=u1",
                    "resource=users/partition=byCity/city=Rome/id=u3"}
    # Without a schema the bucket's own descriptor tells.
    more = write_backup(tmp_path / "more", {"users": (None, b'{"id":"u4","name":"Dan"}\n')})
    run_ctl(server, "import", more, "--bucket", target)
    assert exported_people(server, target)[3] == {"id": "u4", "name": "Dan"}
    # In a bucket that has none, nothing does.
    done = run_ctl(server, "import", more, "--bucket", unique("none"), status=1)
    assert b"there is no schema" in done.stderr


def test_raw(server, tmp_path):
    target = unique("raw")
    folder = write_backup(tmp_path / "b", {"users": (None, b'{"id":"u1","n":42,"t":["a","b"]}\n')})
    run_ctl(server, "import", folder, "--bucket", target, "--raw")
    (key, value), = objects(server, target).items()
    assert key == "resource=users/id=u1" and value[2] == {"n": "42", "t": "a,b"}


def test_another_definition_is_not_overwritten(server):
    bucket = put_people(server)
    before = objects(server, bucket)
    other = {"attributes": {"name": "string"}}
    manifest = {"version": "1.0", "resources": {"users": {"schema": other}}}
    tar = tar_of({"s3db.json": json.dumps(manifest).encode(), "users.jsonl": b'{"id":"x","name":"X"}\n'})
    result = ok(put_tar(server, tar, bucket=bucket))
    assert result["errorCount"] == 1 and "another definition" in result["errors"][0]["error"]
    assert objects(server, bucket) == before
    assert ok(put_tar(server, tar, bucket=bucket, clear="true"))["errors"] == []
    assert exported_people(server, bucket) == [{"id": "x", "name": "X"}]
    assert not any("u1" in key for key in objects(server, bucket))


def test_clear_leaves_what_is_not_of_s3db(server):
    bucket = put_people(server)
    client(server).put_object(Bucket=bucket, Key="photos/cat.jpg", Body=b"meow")
    put_people(server, PEOPLE[1:2], bucket=bucket, clear="true")
    assert set(objects(server, bucket)) == {
        "photos/cat.jpg", "s3db.json", "resource=users/data/id=u2",
        "resource=users/partition=byCity/city=Oslo/id=u2"}


BAD = b'{"id":"u1","name":"A"}\n{"id":"u2",\n\n{"name":"no id"}\n[1]\n{"id":"u1","name":"B"}\n' \
      b'{"id":"u5","name":"E","age":"many"}\n{"id":"u1","name":"A"}\n{"id":"u6","name":"F"}\n'


def test_errors_by_line(server):
    manifest = {"version": "1.0", "resources": {"users": {"schema": USERS}}}
    tar = tar_of({"s3db.json": json.dumps(manifest).encode(), "users.jsonl": BAD})
    bucket = unique("bad")
    result = ok(put_tar(server, tar, bucket=bucket))
    assert result["recordsImported"] == 2 and result["errorCount"] == 5, result
    assert [(e["resource"], e["file"], e["line"]) for e in result["errors"]] == [
        ("users", "users.jsonl", n) for n in (2, 4, 5, 6, 7)]
    assert [p["id"] for p in exported_people(server, bucket)] == ["u1", "u6"]
    # Atomic: nothing at all, and what was there stays.
    before = objects(server, bucket)
    error = admin_refused(put_tar(server, tar, bucket=bucket, atomic="true", clear="true"), 400,
                          "BackupRejected")
    assert error["result"]["errorCount"] == 5 and error["result"]["recordsImported"] == 0
    assert objects(server, bucket) == before
    admin_refused(put_tar(server, tar, bucket="never-there", atomic="true"), 400, "BackupRejected")
    assert http_request(server, "HEAD", "/never-there").status == 404
    assert [b["name"] for b in ok(admin(server, "GET", "branches"))["branches"]] == ["main"]
    assert ok(admin(server, "GET", "snapshots"))["snapshots"] == []


def test_errors_are_bounded(server):
    manifest = {"version": "1.0", "resources": {"users": {"schema": USERS}}}
    tar = tar_of({"s3db.json": json.dumps(manifest).encode(), "users.jsonl": b"{\n" * 5000})
    result = ok(put_tar(server, tar, bucket=unique("bad")))
    assert result["errorCount"] == 5000 and len(result["errors"]) == 100


def test_atomic(server):
    bucket = put_people(server, atomic="true")
    assert exported_people(server, bucket) == PEOPLE
    put_people(server, PEOPLE[:1], bucket=bucket, atomic="true", clear="true")
    assert exported_people(server, bucket) == PEOPLE[:1]
    assert [b["name"] for b in ok(admin(server, "GET", "branches"))["branches"]] == ["main"]
    assert ok(admin(server, "GET", "snapshots"))["snapshots"] == []


def test_branches(server):
    bucket = put_people(server)
    ok(admin(server, "POST", "branches", {"name": "other"}), 201)
    put_people(server, [{"id": "u9", "name": "Nine"}], bucket=bucket, branch="other", atomic="true")
    assert len(exported_people(server, bucket, branch="other")) == 4
    assert exported_people(server, bucket) == PEOPLE
    ok(admin(server, "DELETE", "branches/other"), 204)


# ---- older and broken forms ---------------------------------------------------------------------


def import_lines(server, lines, schema=USERS, bucket=None, **query):
    manifest = {"version": "1.0", "resources": {"users": {"schema": schema}}}
    return put_tar(server, tar_of({"s3db.json": json.dumps(manifest).encode(), "users.jsonl": lines}),
                   bucket=bucket or unique("old"), **query)


def test_lines_of_13_to_18(server):
    """Internal members, and a record once more for each of its partitions."""
    line = {**PEOPLE[0], "_contentLength": 0, "_lastModified": "2025-11-01T00:00:00.000Z", "_v": 1,
            "_hasContent": False, "_mimeType": None, "_etag": "x", "_definitionHash": "y",
            "_originalVersion": "v1", "_versionMapped": True}
    result = ok(import_lines(server, lines_of([line, line, line])))
    assert (result["recordsImported"], result["errors"]) == (1, [])
    assert exported_people(server, result["bucket"]) == PEOPLE[:1]


def test_lines_of_12(server):
    """Metadata under their short names, and lines of partition references."""
    lines = lines_of([{"1": "Alice", "2": "G", "3": "Rome", "_v": "v1", "id": "u1"},
                      {"_v": "v1", "id": "u1"}, {"_v": "v1", "id": "u1"}])
    result = ok(import_lines(server, lines))
    assert (result["recordsImported"], result["errors"]) == (1, []), result
    assert exported_people(server, result["bucket"]) == PEOPLE[:1]


def archive_of(contents):
    return gzip.compress(json.dumps({
        "version": "1.0", "created": "2025-11-01T00:00:00.000Z",
        "files": [{"name": n, "size": len(c), "content": c} for n, c in contents]}).encode())


def test_archive(server, tmp_path):
    bucket = put_people(server)
    files = files_of(get_tar(server, bucket, format="archive"))
    backup, manifest = sorted(files)
    assert backup.startswith("full-") and backup.endswith(".backup")
    assert manifest == backup.removesuffix(".backup") + ".manifest.json"
    said = json.loads(files[manifest])
    assert said["resources"] == ["users"] and said["compression"] == "gzip" and not said["encrypted"]
    record = said["x-s3memd"]["record"]
    assert record["id"] == backup.removesuffix(".backup") and record["size"] == len(files[backup])
    assert record["status"] == "completed" and record["resources"] == ["users"]
    (file,) = json.loads(gzip.decompress(files[backup]))["files"]
    content = json.loads(file["content"])
    assert file["name"] == "users.json" and file["size"] == len(file["content"].encode())
    assert content["resourceName"] == "users" and content["records"] == PEOPLE
    assert content["definition"]["name"] == "users"
    assert content["definition"]["attributes"] == USERS["attributes"]
    # Back: as a stream, within a tar, as a file.
    for data in (files[backup], tar_of(files)):
        result = ok(put_tar(server, data, bucket=unique("archive")))
        assert (result["recordsImported"], result["errors"]) == (3, []), result
        assert exported_people(server, result["bucket"]) == PEOPLE
    path = tmp_path / backup
    path.write_bytes(files[backup])
    target = unique("archive")
    run_ctl(server, "import", path, "--bucket", target)
    assert exported_people(server, target) == PEOPLE


def test_archives_that_are_none(server):
    destroyed = archive_of([("users.jsonl.gz", "\x1f\ufffd\x08\0\0 what was gzip once")])
    error = admin_refused(put_tar(server, destroyed, bucket=unique()), 400, "InvalidBackup")
    assert "users.jsonl.gz" in error["message"] and "destroyed" in error["message"]
    error = admin_refused(put_tar(server, gzip.compress(b'{"a":1}'), bucket=unique()), 400,
                          "InvalidBackup")
    assert "files" in error["message"]
    cut = archive_of([("users.json", json.dumps({"resourceName": "users", "records": PEOPLE}))])
    admin_refused(put_tar(server, cut[:-20], bucket=unique()), 400, "InvalidBackup")
    escaped = archive_of([("users.json", json.dumps(
        {"resourceName": "users", "definition": USERS,
         "records": [{"id": "u\u00e9\U0001f600\"\\", "name": "x\n\u2028"}]}))])
    result = ok(put_tar(server, escaped, bucket=unique("escaped")))
    assert exported_people(server, result["bucket"]) == [
        {"id": "u\u00e9\U0001f600\"\\", "name": "x\n\u2028"}]


@pytest.mark.parametrize("manifest, part", [
    ("{", "s3db.json"),
    ("[]", "object"),
    ('{"version":"1.0"}', "'resources' is missing"),
    ('{"resources":[]}', "'resources' is missing"),
    ('{"resources":{"users":7}}', "resources.users"),
    ('{"resources":{"a/b":{}}}', "resources.a/b"),
    ('{"version":"1","resources":{"users":{"versions":{"v1":{}}}}}', "descriptor of a bucket"),
])
def test_bad_manifests(server, manifest, part):
    tar = tar_of({"s3db.json": manifest.encode(), "users.jsonl": lines_of(PEOPLE)})
    bucket = unique("bad")
    error = admin_refused(put_tar(server, tar, bucket=bucket), 400, "InvalidBackup")
    assert part in error["message"], error
    assert http_request(server, "HEAD", "/" + bucket).status == 404


def test_a_manifest_that_lies(server):
    bucket = put_people(server)
    files = files_of(get_tar(server, bucket))
    manifest = json.loads(files["s3db.json"])
    manifest["resources"]["users"]["stats"]["recordCount"] = 7
    manifest["resources"]["ghosts"] = {"schema": USERS}
    manifest["x-s3memd"]["resources"]["users"]["sha256"] = "0" * 64
    files["s3db.json"] = json.dumps(manifest).encode()
    result = ok(put_tar(server, tar_of(files), bucket=unique("lied")))
    assert result["recordsImported"] == 3
    assert any("7 records" in w for w in result["warnings"]), result
    assert result["errors"] == [{"resource": "ghosts", "file": "ghosts.jsonl",
                                 "error": "ghosts.jsonl and ghosts.jsonl.gz are missing"}]


def test_a_sidecar_that_was_changed(server):
    bucket = put_people(server)
    files = files_of(get_tar(server, bucket, compress="false"))
    files["objects.ndjson"] = files["objects.ndjson"].replace(b"Alice", b"Mallory")
    result = ok(put_tar(server, tar_of(files), bucket=unique("changed")))
    assert "objects.ndjson" in result["warnings"][0] and result["errors"] == []
    assert exported_people(server, result["bucket"]) == PEOPLE
    del files["objects.ndjson"]
    result = ok(put_tar(server, tar_of(files), bucket=unique("gone")))
    assert exported_people(server, result["bucket"]) == PEOPLE


@pytest.mark.parametrize("encryption", [{}, {"ServerSideEncryption": "aws:kms"}])
def test_a_sidecar_that_was_changed_with_its_digest(server, encryption):
    """The ETag gives the bytes away, or the checksum where the ETag is no MD5."""
    s3, bucket = client(server), put_people(server)
    s3.put_object(Bucket=bucket, Key="resource=users/data/id=x", Body=b"the right bytes", **encryption)
    files = files_of(get_tar(server, bucket, compress="false"))
    right, wrong = (base64.b64encode(b"the %b bytes" % w) for w in (b"right", b"wrong"))
    assert right in files["objects.ndjson"]
    files["objects.ndjson"] = files["objects.ndjson"].replace(right, wrong)
    manifest = json.loads(files["s3db.json"])
    manifest["x-s3memd"]["sidecar"]["sha256"] = hashlib.sha256(files["objects.ndjson"]).hexdigest()
    files["s3db.json"] = json.dumps(manifest).encode()
    result = ok(put_tar(server, tar_of(files), bucket=unique("changed")))
    assert [e["error"] for e in result["errors"]] == [
        "its bytes do not have the ETag or the checksum that it names"], result


def test_damaged_files(server):
    manifest = {"version": "1.0", "resources": {"users": {"schema": USERS}}}
    text = json.dumps(manifest).encode()
    lines = gzip.compress(lines_of([{"id": f"u{i}", "name": hashlib.md5(b"%d" % i).hexdigest()}
                                    for i in range(2000)]))
    for data, part in ((lines[:-200], "truncated"), (lines[:600] + b"\0" * 20 + lines[620:], "damaged")):
        result = ok(put_tar(server, tar_of({"s3db.json": text, "users.jsonl.gz": data}),
                            bucket=unique("cut")))
        (error,) = [e for e in result["errors"] if "gzip" in e["error"]]
        assert part in error["error"] and error["file"] == "users.jsonl.gz"
    both = tar_of({"s3db.json": text, "users.jsonl": b"", "users.jsonl.gz": lines})
    result = ok(put_tar(server, both, bucket=unique("both")))
    assert "which one" in result["errors"][0]["error"]
    whole = tar_of({"s3db.json": text, "users.jsonl.gz": lines})
    admin_refused(put_tar(server, whole[:1200], bucket=unique()), 400, "InvalidBackup")
    admin_refused(put_tar(server, b"no tar" * 1000, bucket=unique()), 400, "InvalidBackup")
    admin_refused(put_tar(server, b"", bucket=unique()), 400, "InvalidBackup")


DEEP = b'{"a":' * 100_000


@pytest.mark.parametrize("name, data", [
    ("s3db.json", DEEP), ("s3db.json", b"[" * 100_000),
    ("s3db.json", b'{"version":"1.0","bucket":"b","resources":{"people":{"schema":' + DEEP),
    ("people.jsonl", DEEP + b"\n"), ("people.jsonl", b"[" * 100_000 + b"\n"),
    ("people.jsonl", b'{"id":"u1","name":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"),
])
def test_depth_is_bounded(server, tmp_path, name, data):
    """A parser that calls itself for each bracket would leave its thread's stack."""
    folder = write_backup(tmp_path / "b", {"people": (USERS, lines_of(PEOPLE))})
    files = {p.name: p.read_bytes() for p in folder.iterdir()} | {name: data}
    reply = put_tar(server, tar_of(files), bucket=unique("deep"))
    assert reply.status == 400 or (name == "people.jsonl" and reply.status == 200
                                   and json.loads(reply.body)["errors"]), reply
    assert http_request(server, "GET", "/_s3mem/health").status == 200


def test_bombs(server):
    manifest = json.dumps({"version": "1.0", "resources": {"users": {"schema": USERS}}}).encode()
    line = gzip.compress(b'{"id":"u1","name":"' + b"x" * (80 << 20) + b'"}\n{"id":"u2","name":"B"}\n')
    result = ok(put_tar(server, tar_of({"s3db.json": manifest, "users.jsonl.gz": line}),
                        bucket=unique("long")))
    assert result["errorCount"] == 1 and (
        "longer than" in result["errors"][0]["error"] or "expands" in result["errors"][0]["error"])
    bomb = gzip.compress(b"\n" * (200 << 20))
    result = ok(put_tar(server, tar_of({"s3db.json": manifest, "users.jsonl.gz": bomb}),
                        bucket=unique("bomb")))
    assert "expands" in result["errors"][0]["error"]
    tar = gzip.compress(tar_of({"s3db.json": manifest, "users.jsonl": b"\0" * (200 << 20)}))
    error = admin_refused(put_tar(server, tar, bucket=unique("bomb")), 400, "InvalidBackup")
    assert "expands" in error["message"]


def peak(server):
    with open(f"/proc/{server.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM"))


def empties(count, what):
    return "[" + ",".join([what] * count) + "]"


@pytest.mark.parametrize("where", ["manifest", "line", "record of raw", "definition", "long line"])
@pytest.mark.parametrize("what", ["[]", "{}", '{"a":1}'])
def test_memory_of_an_import_is_counted(where, what):
    """Three bytes of JSON can become two hundred in memory."""
    many = empties(700000, what)
    manifest = {"version": "1.0", "resources": {"users": {"schema": USERS}}}
    head = json.dumps(manifest)
    if where == "manifest":
        tar = tar_of({"s3db.json": f'{head[:-1]},"x":{many}}}'.encode(), "users.jsonl": b""})
    elif where == "definition":
        tar = archive_of([("users.json", f'{{"resourceName":"users","definition":{{"x":{many}}},"records":[]}}')])
    elif where == "long line":
        tar = tar_of({"s3db.json": head.encode(), "users.jsonl": b'{"id":"u","name":"' + b"x" * (30 << 20) + b'"}\n'})
    else:
        tar = tar_of({"s3db.json": head.encode(), "users.jsonl": f'{{"id":"u1","x":{many}}}\n'.encode()})
    query = {"raw": "true"} if where == "record of raw" else {}
    with serving("--max-memory", "24MiB") as server:
        before = peak(server)
        error = admin_refused(put_tar(server, tar, bucket="bbb", **query), 503, "SlowDown")
        assert "memory" in error["message"]
        assert peak(server) < before + (60 << 20) * (4 if re.search("/[at]san/", S3MEMD) else 1)
        eventually(lambda: ok(admin(server, "GET", "stats"))["memory"]["requests"] == 0)
        good = tar_of({"s3db.json": head.encode(), "users.jsonl": lines_of(PEOPLE)})
        assert ok(put_tar(server, good, bucket="bbb"))["recordsImported"] == 3


def test_bombs_that_hide(server, tmp_path):
    """In a file that is passed over; behind a second gzip; in the holes of a sparse file."""
    manifest = json.dumps({"version": "1.0", "resources": {}}).encode()
    tar = gzip.compress(tar_of({"zeros.bin": bytes(300 << 20), "s3db.json": manifest}), 1)
    error = admin_refused(put_tar(server, tar, bucket=unique("bomb")), 400, "InvalidBackup")
    assert "expands" in error["message"]
    twice = gzip.compress(gzip.compress(tar_of({"s3db.json": manifest, "users.jsonl": bytes(64 << 20)}), 9), 9)
    admin_refused(put_tar(server, twice, bucket=unique("bomb")), 400, "InvalidBackup")
    with open(tmp_path / "users.jsonl", "wb") as f:
        f.seek(4 << 30)
        f.write(b"x")
    for form in ("gnu", "posix"):
        subprocess.run(["tar", "-S", f"--format={form}", "-cf", tmp_path / "sparse.tar", "-C", tmp_path,
                        "users.jsonl"], check=True)
        tar = (tmp_path / "sparse.tar").read_bytes()
        assert len(tar) < 1 << 20
        error = admin_refused(put_tar(server, tar, bucket=unique("bomb")), 400, "InvalidBackup")
        assert "expands" in error["message"]


def files_of_process(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


@pytest.mark.parametrize("form", ["tar", "archive"])
def test_thousands_of_files(server, form):
    """They wait in one temporary file, and what is told of each is bounded."""
    count, before, most = 9000, files_of_process(server), 0
    if form == "tar":
        names = [f"r{i}" for i in range(count)]
        body = tar_of({"s3db.json": json.dumps({"version": "1.0", "resources": {
            n: {"schema": USERS} for n in names}}).encode(),
            **{f"{n}.jsonl": b'{"id":"1","name":"x"}\n' for n in names}})
    else:
        body = json.dumps({"files": [{"name": f"r{i}.json", "content": json.dumps(
            {"resourceName": f"r{i}", "definition": USERS, "records": [{"id": "1", "name": "x"}]})}
            for i in range(count)] + [{"name": "x.json", "content": "{}"}] * 200}).encode()
    over = threading.Event()

    def watch():
        nonlocal most
        while not over.wait(0.002):
            most = max(most, files_of_process(server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        result = ok(put_tar(server, body, bucket=unique("many")))
    finally:
        over.set()
        watcher.join()
    assert (result["recordsImported"], result["reencodedCount"]) == (count, count)
    assert len(result["reencoded"]) == 100
    assert result["warningCount"] == (0 if form == "tar" else 200)
    assert len(result["warnings"]) == min(100, result["warningCount"])
    assert most <= before + 20, (before, most)
    assert files_of_process(server) <= before + 2


def cpu_seconds(server):
    with open(f"/proc/{server.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def objects_of_resources(count):
    """Each object of the sidecar is looked up among the resources."""
    lines = b"".join(json.dumps({"key": f"resource=r{i // 5}/data/id={i}", "size": 0, "body": "",
                                 "etag": hashlib.md5(b"").hexdigest(), "metadata": {"name": "x"}}).encode()
                     + b"\n" for i in range(5 * count))
    extension = {"sidecar": {"file": "objects.ndjson", "sha256": hashlib.sha256(lines).hexdigest()},
                 "resources": {}}
    manifest = {"version": "1.0", "resources": {f"r{i}": {"schema": USERS} for i in range(count)},
                "x-s3memd": extension}
    return "import?bucket=linear", tar_of({"s3db.json": json.dumps(manifest).encode(), "objects.ndjson": lines,
                                           **{f"r{i}.jsonl": b"" for i in range(count)}})


def members_of_a_record(count):
    schema = {"attributes": {"name": "string"}, "behavior": "user-managed"}
    record = {"id": "1", **{f"m{i}": "x" for i in range(8 * count)}}
    return "import?bucket=linear", tar_of(
        {"s3db.json": json.dumps({"version": "1.0", "resources": {"u": {"schema": schema}}}).encode(),
         "u.jsonl": json.dumps(record).encode()})


def names_of_metadata(count):
    file = {"bucket": "linear", "objects": {f"k{k}": {"body": "", "metadata": {
        f"n{i}": "" for i in range(2 * count)}} for k in range(6)}}
    return "load", json.dumps(file).encode()


@pytest.mark.parametrize("make", [objects_of_resources, members_of_a_record, names_of_metadata])
def test_time_is_linear(make):
    """Four times as much costs about four times the time, not sixteen times. CPU time, which other
    programs on the machine do not change."""
    with serving() as s:
        spent = []
        for count in (2400, 9600):
            path, body = make(count)
            begun = cpu_seconds(s)
            ok(http_request(s, "PUT", "/_s3mem/" + path, body=body))
            spent.append(cpu_seconds(s) - begun)
        assert spent[1] <= 7 * spent[0] + 0.1, spent


def test_a_restore_during_an_import(server):
    """What it has put is seen by nobody then, and it says so."""
    lines = b"".join(b'{"id":"%d","name":"x"}\n' % i for i in range(60000))
    tar = tar_of({"s3db.json": json.dumps({"version": "1.0", "resources": {"u": {"schema": USERS}}}).encode(),
                  "u.jsonl": lines})
    branch = unique("w")
    ok(admin(server, "POST", "branches", {"name": branch}), 201)
    ok(admin(server, "POST", "snapshots", {"name": branch}), 201)
    for _ in range(20):
        replies = []
        importer = threading.Thread(target=lambda: replies.append(put_tar(server, tar, bucket="late", branch=branch)))
        importer.start()
        eventually(lambda: replies or any(j["kind"] == "import" and j["state"] == "running" and j["items"] > 0
                                          for j in ok(admin(server, "GET", "jobs"))["jobs"]))
        ok(admin(server, "POST", f"snapshots/{branch}/restore", branch=branch))
        importer.join()
        assert replies[0].status in (200, 409)  # it may have been done a moment before
        if replies[0].status == 409:
            error = admin_refused(replies[0], 409, "Conflict")
            assert "restored" in error["message"]
            return
    raise AssertionError("never in its midst")


@pytest.mark.parametrize("name, kind, part", [
    ("../users.jsonl", tarfile.REGTYPE, "leads out"),
    ("/etc/users.jsonl", tarfile.REGTYPE, "leads out"),
    ("a/../../users.jsonl", tarfile.REGTYPE, "leads out"),
    ("users.jsonl", tarfile.SYMTYPE, "link"),
    ("users.jsonl", tarfile.LNKTYPE, "link"),
    ("users.jsonl", tarfile.CHRTYPE, "device"),
])
def test_tars_that_lead_elsewhere(server, name, kind, part):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    error = admin_refused(put_tar(server, out.getvalue(), bucket=unique()), 400, "InvalidBackup")
    assert part in error["message"]


# ---- on the server's disk -----------------------------------------------------------------------


def test_paths(server, state):
    bucket = put_people(server)
    for path, check in (("folder", Path.is_dir), ("b.tar", Path.is_file), ("b.tar.gz", Path.is_file)):
        result = ok(admin(server, "POST", "export", {"path": path, "bucket": bucket}))
        assert result["totalRecords"] == 3 and result["path"] == path and check(state / path)
        target = unique("path")
        assert ok(admin(server, "POST", "import", {"path": path, "bucket": target}))["errors"] == []
        assert objects(server, target) == objects(server, bucket)
        # Nothing is overwritten unless it is asked for.
        assert admin(server, "POST", "export", {"path": path, "bucket": bucket}).status >= 400
        ok(admin(server, "POST", "export", {"path": path, "bucket": bucket, "replace": True}))
    assert sorted(p.name for p in (state / "folder").iterdir()) == [
        "objects.ndjson.gz", "s3db.json", "users.jsonl.gz"]
    ok(admin(server, "POST", "export", {"path": "archive", "bucket": bucket, "format": "archive"}))
    assert len(list((state / "archive").glob("full-*.backup"))) == 1
    assert not [p for p in state.iterdir() if p.name not in
                ("folder", "b.tar", "b.tar.gz", "archive")]


def test_paths_stay_inside(server, state):
    bucket = put_people(server)
    (state / "precious").mkdir()
    (state / "precious" / "thesis.tex").write_text("x")
    (state / "link").symlink_to("/etc")
    for path, status in (("../out", 403), ("/etc/out", 403), ("link/x", 403), ("no/such/x", 404)):
        reply = admin(server, "POST", "export", {"path": path, "bucket": bucket})
        assert reply.status == status, reply
        assert admin(server, "POST", "import", {"path": path, "bucket": bucket}).status == status
    error = admin(server, "POST", "export",
                  {"path": "precious", "bucket": bucket, "replace": True}).json["error"]
    assert "thesis.tex" in error["message"]
    assert (state / "precious" / "thesis.tex").exists()
    assert admin(server, "POST", "import", {"path": "link", "bucket": bucket}).status >= 400
    assert admin(server, "POST", "import", {"path": "missing", "bucket": bucket}).status == 404
    admin_refused(admin(server, "POST", "export", {"bucket": bucket}), 400, "InvalidArgument", "path")
    for body in ({"path": "x", "bucket": bucket, "resources": "users"},
                 {"path": "x", "bucket": bucket, "resources": []},
                 {"path": "x", "bucket": bucket, "compress": "no"},
                 {"path": "x", "bucket": bucket, "other": 1}):
        assert admin(server, "POST", "export", body).status == 400
    with serving() as without:
        admin_refused(admin(without, "POST", "export", {"path": "x", "bucket": "b"}), 403,
                      "StateDirOff", "path")


def test_cancelled_export_leaves_nothing(server, state):
    bucket = put_people(server, [{"id": f"u{i:05}", "name": "n" * 200} for i in range(20000)])
    before = set(state.iterdir())
    job = ok(admin(server, "POST", "export", {"path": "cancelled", "bucket": bucket, "async": True}),
             202)["id"]
    reply = admin(server, "DELETE", f"jobs/{job}")
    assert reply.status < 500, reply
    ended = eventually(lambda: (j := ok(admin(server, "GET", f"jobs/{job}")))["state"] not in
                       ("waiting", "running") and j, 60)
    left = set(state.iterdir()) - before
    # It may have been done before it was cancelled; then it is whole.
    assert not left if ended["state"] == "cancelled" else (state / "cancelled/s3db.json").exists()


def test_a_client_that_leaves(server):
    bucket = put_people(server, [{"id": f"u{i:05}", "name": "n" * 2000} for i in range(5000)])
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", f"/_s3mem/export?bucket={bucket}&compress=false")
    connection.getresponse().read(10)
    connection.close()
    eventually(lambda: all(j["state"] != "running" for j in ok(admin(server, "GET", "jobs"))["jobs"]), 60)
    assert len(exported_people(server, bucket)) == 5000


# ---- s3memctl -----------------------------------------------------------------------------------


def test_ctl(server, state, tmp_path):
    bucket = put_people(server)
    for name in ("dir", "b.tar", "b.tar.gz"):
        run_ctl(server, "export", tmp_path / name, "--bucket", bucket)
        target = unique("ctl")
        run_ctl(server, "import", tmp_path / name, "--bucket", target)
        assert objects(server, target) == objects(server, bucket)
        assert b"is there already" in run_ctl(server, "export", tmp_path / name, "--bucket", bucket,
                                              status=1).stderr
        run_ctl(server, "export", tmp_path / name, "--bucket", bucket, "--force")
    said = run_ctl(server, "export", tmp_path / "plain", "--bucket", bucket, "--no-compress", "--json",
                   "--resources", "users").stdout
    assert json.loads(said)["totalRecords"] == 3
    assert (tmp_path / "plain/users.jsonl").read_bytes() == lines_of(PEOPLE).replace(b": ", b":").replace(b", ", b",")
    run_ctl(server, "export", tmp_path / "arch", "--bucket", bucket, "--archive")
    assert len(list((tmp_path / "arch").glob("*.backup"))) == 1
    run_ctl(server, "import", tmp_path / "arch", "--bucket", unique("ctl"))
    run_ctl(server, "export", "ctl-folder", "--bucket", bucket, "--server")
    assert (state / "ctl-folder/s3db.json").exists()
    run_ctl(server, "import", "ctl-folder", "--bucket", unique("ctl"), "--server", "--atomic", "--clear")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["arch", "b.tar", "b.tar.gz", "dir", "plain"]


def test_ctl_errors(server, tmp_path):
    run_ctl(server, "export", tmp_path / "x", status=2)
    assert not run_ctl(server, "export", tmp_path / "x", "--bucket", "no-such", status=1).stdout
    assert list(tmp_path.iterdir()) == []
    folder = write_backup(tmp_path / "bad", {"users": (USERS, BAD)})
    done = run_ctl(server, "import", folder, "--bucket", unique("bad"), status=1)
    assert b"users.jsonl:2: " in done.stderr and b"2 records of 1 resources" in done.stdout
    done = run_ctl(server, "import", folder, "--bucket", unique("bad"), "--atomic", status=1)
    assert b"users.jsonl:7: " in done.stderr and b"nothing was imported" in done.stderr
    run_ctl(server, "import", tmp_path / "missing", status=1)
    (tmp_path / "empty").write_bytes(b"")
    run_ctl(server, "import", folder, "--passphrase-file", tmp_path / "empty", status=2)


# ---- other programs read the files --------------------------------------------------------------


@pytest.mark.parametrize("compress", ["true", "false"])
def test_duckdb(server, tmp_path, compress):
    import duckdb

    bucket = put_people(server)
    options = [] if compress == "true" else ["--no-compress"]
    run_ctl(server, "export", tmp_path / "b", "--bucket", bucket, *options)
    file = tmp_path / "b" / ("users.jsonl" + (".gz" if compress == "true" else ""))
    rows = duckdb.sql(f"select city, count(*), max(age) from '{file}' group by city order by city")
    assert rows.fetchall() == [("Oslo", 1, 7), ("Rome", 2, 42)]


# ---- secrets ------------------------------------------------------------------------------------

SECRETS = {"attributes": {"name": "string", "token": "secret"}}


def test_secrets(server):
    bucket = unique("secret")
    with_it = {"x-s3mem-passphrase": "open sesame"}
    manifest = {"version": "1.0", "resources": {"users": {"schema": SECRETS}}}
    tar = tar_of({"s3db.json": json.dumps(manifest).encode(),
                  "users.jsonl": b'{"id":"u1","name":"A","token":"s3cr3t"}\n'})
    result = ok(put_tar(server, tar, bucket=unique("secret")))
    assert result["errorCount"] == 1 and "token" in result["errors"][0]["error"]
    assert ok(put_tar(server, tar, bucket=bucket, headers=with_it))["errors"] == []
    (stored,) = exported_people(server, bucket)
    assert "s3cr3t" not in str(stored) and len(stored["token"]) > 40
    manifest = json.loads(files_of(get_tar(server, bucket))["s3db.json"])
    assert manifest["x-s3memd"]["resources"]["users"]["secrets"] == ["token"]
    reply = admin(server, "GET", "export", headers=with_it, bucket=bucket)
    (clear,) = text_of(files_of(reply.body), "users.jsonl").splitlines()
    assert json.loads(clear) == {"id": "u1", "name": "A", "token": "s3cr3t"}
    assert admin(server, "GET", "export", headers={"x-s3mem-passphrase": ""}, bucket=bucket).status == 400
