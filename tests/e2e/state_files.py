# SPDX-License-Identifier: MIT
"""Files of states as each version wrote them (tests/data/state), and what the server that wrote
one answered of it.

A change of a format adds files, written by the last server that knew the former one:

    S3MEMD=/there/build/s3memd python3 tests/e2e/state_files.py NAME [--others]

makes database-NAME.db.gz, document-NAME.s3mem.gz and state-NAME.json.gz, of the same moment; and
with --others MemoryClient's JSON and backups. NAME begins with the number of the database's
format. So far:

    1a  the first server that had --auto-persist
    1b  a base may be younger than the node that has it
    1c  with the trigger of version 2
    2a  version 2, as it landed
    2b  version 2, checked before it is used"""

import gzip
import hashlib
import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path

from admin import admin, ok
from harness import ROOT, client, http_request, serving

FOLDER = ROOT / "tests" / "data" / "state"


def client_of(server, branch):
    s3 = client(server)
    s3.meta.events.register(
        "before-sign.s3",
        lambda request, **_: request.headers.add_header("x-s3mem-branch", branch))
    return s3


# ---- what is in it ------------------------------------------------------------------------------


def pattern(size, seed):
    """Bytes that tell a part from another, and that gzip makes small."""
    return (hashlib.sha256(seed).digest() * (size // 32 + 1))[:size]


def fill(server):
    """Some of everything: bodies in rows and in segments, tags, versions, markers, uploads, a
    bucket that came, went and came again, branches of branches, snapshots."""
    s3 = client(server)
    s3.create_bucket(Bucket="data")
    s3.put_bucket_tagging(Bucket="data", Tagging={"TagSet": [{"Key": "team", "Value": "b\u00fccher"}]})
    s3.put_object(Bucket="data", Key="empty", Body=b"")
    s3.put_object(Bucket="data", Key="d\u00e9j\u00e0/vu", Body=pattern(3000, b"small"), ContentType="text/x-odd",
                  ContentLanguage="fr", CacheControl="no-store", Metadata={"a": "1", "b": "two"},
                  Tagging="x=1&y=2", ChecksumAlgorithm="SHA256")
    s3.put_object(Bucket="data", Key="large", Body=pattern(700_000, b"large"))
    s3.put_object(Bucket="data", Key="shrunk", Body=pattern(300_000, b"was large"))
    s3.put_object(Bucket="data", Key="shrunk", Body=b"is small")
    s3.copy_object(Bucket="data", Key="copy", CopySource="data/large")
    whole = s3.create_multipart_upload(Bucket="data", Key="parts", Metadata={"in": "parts"})["UploadId"]
    etags = [s3.upload_part(Bucket="data", Key="parts", UploadId=whole, PartNumber=n,
                            Body=pattern(10_000 * n, b"%d" % n))["ETag"] for n in (1, 2)]
    s3.complete_multipart_upload(
        Bucket="data", Key="parts", UploadId=whole,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etags[n - 1]} for n in (1, 2)]})
    s3.create_bucket(Bucket="versions")
    s3.put_object(Bucket="versions", Key="k", Body=b"null version")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for i in range(3):
        s3.put_object(Bucket="versions", Key="k", Body=b"version %d" % i, Metadata={"i": str(i)})
    s3.delete_object(Bucket="versions", Key="k")
    s3.put_object(Bucket="versions", Key="z", Body=b"current")
    ok(admin(server, "POST", "snapshots", {"name": "early"}), 201)
    s3.create_bucket(Bucket="gone")
    s3.put_object(Bucket="gone", Key="old", Body=b"old")
    s3.delete_object(Bucket="gone", Key="old")
    s3.delete_bucket(Bucket="gone")
    s3.create_bucket(Bucket="gone")
    s3.put_object(Bucket="gone", Key="new", Body=b"new")
    ok(admin(server, "POST", "branches", {"name": "feature", "from": "main"}), 201)
    feature = client_of(server, "feature")
    feature.put_object(Bucket="data", Key="of-feature", Body=pattern(40_000, b"feature"))
    feature.delete_object(Bucket="data", Key="large")
    feature.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Suspended"})
    feature.put_object(Bucket="versions", Key="k", Body=b"a new null version")
    open_upload = feature.create_multipart_upload(Bucket="data", Key="unfinished", ContentType="text/y",
                                                  Tagging="of=upload")["UploadId"]
    for n in (2, 7):
        feature.upload_part(Bucket="data", Key="unfinished", UploadId=open_upload, PartNumber=n,
                            Body=pattern(5000 * n, b"open %d" % n))
    ok(admin(server, "POST", "snapshots", {"name": "late"}, branch="feature"), 201)
    ok(admin(server, "POST", "branches", {"name": "deep", "from": "late"}), 201)
    client_of(server, "deep").delete_object(Bucket="data", Key="of-feature")
    s3.put_object(Bucket="data", Key="last", Body=b"last of main", Tagging="t=last")


# ---- what a server answers of it ----------------------------------------------------------------


def object_facts(s3, bucket, v):
    which = {"Bucket": bucket, "Key": v["Key"], "VersionId": v["VersionId"]}
    reply = s3.get_object(ChecksumMode="ENABLED", **which)
    facts = {k: reply[k] for k in ("ContentType", "ContentLanguage", "CacheControl", "Metadata", "ETag",
                                   "ChecksumSHA256", "ChecksumCRC32", "ChecksumType") if k in reply}
    facts["sha256"] = hashlib.sha256(reply["Body"].read()).hexdigest()
    facts["parts"] = s3.head_object(PartNumber=1, **which).get("PartsCount", 0)
    facts["tags"] = s3.get_object_tagging(**which)["TagSet"]
    return facts


def bucket_facts(s3, bucket):
    page = s3.list_object_versions(Bucket=bucket)
    assert not page["IsTruncated"]
    objects = []
    for v in page.get("Versions", []) + page.get("DeleteMarkers", []):
        entry = {"key": v["Key"], "version": v["VersionId"], "latest": v["IsLatest"],
                 "modified": v["LastModified"].isoformat(), "size": v.get("Size")}
        if "Size" in v:
            entry.update(object_facts(s3, bucket, v))
        objects.append(entry)
    uploads = []
    for u in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        parts = s3.list_parts(Bucket=bucket, Key=u["Key"], UploadId=u["UploadId"])["Parts"]
        uploads.append({"key": u["Key"], "id": u["UploadId"], "begun": u["Initiated"].isoformat(),
                        "parts": [[p["PartNumber"], p["Size"], p["ETag"], p["LastModified"].isoformat()]
                                  for p in parts]})
    try:
        tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    except s3.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchTagSet"
        tags = []
    return {"objects": objects, "uploads": uploads, "tags": tags,
            "versioning": s3.get_bucket_versioning(Bucket=bucket).get("Status", ""),
            "location": s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] or ""}


def branch_facts(server, branch):
    s3 = client_of(server, branch)
    return {b["Name"]: {"created": b["CreationDate"].isoformat(), **bucket_facts(s3, b["Name"])}
            for b in s3.list_buckets()["Buckets"]}


def snapshot_facts(server, name):
    ok(admin(server, "POST", "branches", {"name": "look-" + name, "from": name}), 201)
    facts = branch_facts(server, "look-" + name)
    ok(admin(server, "DELETE", "branches/look-" + name), 204)
    return facts


def facts_of(server):
    """All of it. The state is the same afterwards, but for a branch that came and went."""
    branches = ok(admin(server, "GET", "branches"))["branches"]
    snapshots = ok(admin(server, "GET", "snapshots"))["snapshots"]
    return {
        "branches": {b["name"]: {"from": b.get("from"), **branch_facts(server, b["name"])}
                     for b in branches},
        "snapshots": {s["name"]: {"from": s.get("from"), **snapshot_facts(server, s["name"])}
                      for s in snapshots},
    }


# ---- formats of other programs ------------------------------------------------------------------

PEOPLE = [{"id": "u1", "name": "Alice", "age": 42, "city": "Rome"},
          {"id": "u2", "name": "B\u00f6b", "age": 7, "city": "Oslo"}]
USERS = {"attributes": {"id": "string|optional", "name": "string|required", "age": "number|optional",
                        "city": "string|optional"},
         "behavior": "user-managed", "timestamps": False}


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def file_of(tar, name):
    with tarfile.open(fileobj=io.BytesIO(tar)) as t:
        files = {m.name: t.extractfile(m).read() for m in t.getmembers()}
    return gzip.decompress(files[name + ".gz"]) if name + ".gz" in files else files[name]


def unpack(tar, folder):
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(tar)) as t:
        for m in t.getmembers():
            (folder / m.name).write_bytes(t.extractfile(m).read())


def put_people(server):
    """Bucket people: a database of s3db.js, and an object beside it."""
    manifest = {"version": "1.0", "resources": {"users": {"schema": USERS}}}
    lines = "".join(json.dumps(p, ensure_ascii=False) + "\n" for p in PEOPLE)
    tar = tar_of({"s3db.json": json.dumps(manifest).encode(), "users.jsonl": lines.encode()})
    reply = http_request(server, "PUT", "/_s3mem/import?bucket=people", body=tar)
    assert ok(reply)["recordsImported"] == len(PEOPLE)


def write_others(name):
    """memory-NAME.json of MemoryClient; backup-NAME.tar.gz, and archive-NAME.tar.gz of BackupPlugin."""
    with serving() as server:
        put_people(server)
        (FOLDER / f"memory-{name}.json").write_bytes(admin(server, "GET", "save", bucket="people").body)
        for what, query in (("backup", {}), ("archive", {"format": "archive"})):
            tar = admin(server, "GET", "export", bucket="people", **query)
            assert tar.status == 200, tar
            (FOLDER / f"{what}-{name}.tar.gz").write_bytes(
                tar.body if tar.body[:2] == b"\x1f\x8b" else gzip.compress(tar.body, mtime=0))


def write_states(name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        with serving("--persist", path, "--auto-persist", "--min-part-size", "0") as server:
            fill(server)
        with serving("--persist", path) as server:
            facts = facts_of(server)
            document = admin(server, "GET", "snapshots/late").body
        (FOLDER / f"database-{name}.db.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    (FOLDER / f"document-{name}.s3mem.gz").write_bytes(gzip.compress(document, mtime=0))
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True)
    (FOLDER / f"state-{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    write_states(sys.argv[1])
    if "--others" in sys.argv:
        write_others(sys.argv[1])
