# SPDX-License-Identifier: MIT
"""s3memd --check FILE: what a state file holds, or what is wrong with it; nothing is written."""

import gzip
import sqlite3

import pytest

import state_files
from harness import ATTACHED, client, run_daemon, serving
from state_files import FOLDER
from test_state_files import NAMES, OTHERS, facts, names_in, unpacked

pytestmark = [
    pytest.mark.options,
    pytest.mark.skipif(bool(ATTACHED), reason="needs the program"),
]


def everything(folder):
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir() if p.is_file()}


def check(path, status=0):
    """Its report, or what it complains of; folder and file stay as they are."""
    before = everything(path.parent) if path.exists() else None
    result = run_daemon("--check", path)
    assert result.returncode == status, result
    if before is not None:
        assert everything(path.parent) == before
    assert (result.stdout == "") == (status != 0) and (result.stderr == "") == (status == 0), result
    return result.stdout or result.stderr


def counted(kind, name, buckets):
    """The line that tells of these buckets."""
    found = [o for b in buckets.values() for o in b["objects"]]
    current = [o for o in found if o["latest"] and o["size"] is not None]
    others = [o for o in found if o not in current]
    uploads = sum(len(b["uploads"]) for b in buckets.values())

    def count(n, what):
        return f"{n} {what}{'' if n == 1 else 's'}"
    return (f"  {kind} {name}: {count(len(buckets), 'bucket')}, {count(len(current), 'object')} of "
            f"{sum(o['size'] for o in current)} bytes, {count(len(others), 'other version')} of "
            f"{sum(o['size'] or 0 for o in others)} bytes, {count(uploads, 'upload')}")


def without_from(state):
    return {k: v for k, v in state.items() if k != "from"}


@pytest.mark.parametrize("name", NAMES)
def test_a_database(name, tmp_path):
    path = tmp_path / "state.db"
    path.write_bytes(unpacked("database", name, "db"))
    lines = check(path).splitlines()
    assert lines[0] == f"{path}: a database, version {name[0]} of its format"
    f = facts(name)
    assert lines[1:] == [counted(kind, n, without_from(state)) for kind, named in
                         (("branch", f["branches"]), ("snapshot", f["snapshots"]))
                         for n, state in sorted(named.items())]


def test_a_database_with_the_journal_of_a_crash(tmp_path):
    path = tmp_path / "state.db"
    with serving("--persist", path, "--auto-persist", "--durability", "always") as server:
        client(server).create_bucket(Bucket="box")
        client(server).put_object(Bucket="box", Key="k", Body=b"12345")
        server.kill()
    (tmp_path / "state.db-shm").unlink()
    assert "1 bucket, 1 object of 5 bytes" in check(path)
    assert names_in(tmp_path) == ["state.db", "state.db-wal"]


def test_a_database_that_is_in_use(tmp_path):
    path = tmp_path / "state.db"
    with serving("--persist", path, "--auto-persist", "--durability", "always") as server:
        client(server).create_bucket(Bucket="box")
        result = run_daemon("--check", path)
        assert result.returncode == 0 and "1 bucket, 0 objects" in result.stdout, result
        client(server).put_object(Bucket="box", Key="k", Body=b"12345")
    assert "1 bucket, 1 object of 5 bytes" in check(path)


@pytest.mark.parametrize("sql, complaint", [
    ("UPDATE object SET md5 = X'00' WHERE id = 3", "table object, row 3: what stands in column md5"),
    ("DELETE FROM extent WHERE position = 0", "table extent, row "),
    ("CREATE TABLE t (x)", "has a table t that is not s3memd's"),
    ("UPDATE branch SET node = 4711", "table branch, row "),
    ("PRAGMA user_version = 9", "version 9 of its format; this one knows 2"),
    ("PRAGMA application_id = 9", "is a database of something else"),
])
def test_a_database_that_is_not_good(sql, complaint, tmp_path):
    path = tmp_path / "state.db"
    path.write_bytes(unpacked("database", "2b", "db"))
    db = sqlite3.connect(path)
    db.executescript(sql)
    db.close()
    assert complaint in check(path, 3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_document(name, packed, tmp_path):
    path = tmp_path / "whatever it is called"
    data = unpacked("document", name, "s3mem")
    path.write_bytes(gzip.compress(data) if packed else data)
    assert check(path).splitlines() == [
        f"{path}: a snapshot document, version 1 of its format",
        counted("snapshot", "document", without_from(facts(name)["snapshots"]["late"]))]


@pytest.mark.parametrize("change, complaint", [
    (lambda d: d[:-1], "truncated: it ends at byte "),
    (lambda d: d[:2000] + b"?" + d[2001:], "altered: its SHA-256"),
    (lambda d: d.replace(b"snapshot 1", b"snapshot 8", 1), "version 8, written by a newer s3memd"),
    (lambda d: b"", "truncated: it ends at byte 0"),
])
def test_a_document_that_is_not_good(change, complaint, tmp_path):
    path = tmp_path / "x.s3mem"
    path.write_bytes(change(unpacked("document", "2b", "s3mem")))
    assert complaint in check(path, 3)


@pytest.mark.parametrize("name", OTHERS)
def test_a_memory_file(name, tmp_path):
    path = tmp_path / "memory.json"
    path.write_bytes((FOLDER / f"memory-{name}.json").read_bytes())
    first, second = check(path).splitlines()
    assert first.endswith("a JSON file of MemoryClient's") and second.startswith("  bucket people: 3 objects of ")
    path.write_text(path.read_text(encoding="utf-8").replace('"body": "', '"body": "?', 1), encoding="utf-8")
    assert "line " in check(path, 3)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("kind", ["backup", "archive"])
def test_a_backup(name, kind, tmp_path):
    path = tmp_path / "x.tar.gz"
    path.write_bytes((FOLDER / f"{kind}-{name}.tar.gz").read_bytes())
    assert "  1 resource, 2 records\n" in check(path)
    folder = tmp_path / "folder"
    state_files.unpack(path.read_bytes(), folder)
    assert "  1 resource, 2 records\n" in check(folder)
    path.write_bytes(path.read_bytes()[:-200])
    assert str(path) in check(path, 3)
    if kind == "backup":
        lines = folder / "users.jsonl.gz"
        lines.write_bytes(gzip.compress(gzip.decompress(lines.read_bytes()) + b"{not JSON\n"))
        assert "users.jsonl.gz, line 3: " in check(folder, 3)
    else:
        archive = next(folder.glob("*.backup"))
        assert "  1 resource, 2 records\n" in check(archive)
        archive.write_bytes(archive.read_bytes()[:-30])
        assert str(archive) in check(archive, 3)


def test_what_is_nothing_of_ours(tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear reader")
    assert "is no database, snapshot document" in check(letter, 3)
    (tmp_path / "x.db").write_text("no database at all" * 100)
    assert "not a database" in check(tmp_path / "x.db", 3)
    (tmp_path / "empty.db").write_bytes(b"")
    assert "is empty" in check(tmp_path / "empty.db", 3)
    assert "No such file" in check(tmp_path / "missing.db", 1)
    assert "neither a file nor a folder" in run_daemon("--check", "/dev/null").stderr


@pytest.mark.parametrize("args", [["--check"], ["--check="], ["--bucket", "b", "--check", "x.db"],
                                  ["--check=x.db", "--verbose"], ["--check", "a", "b"]])
def test_it_goes_alone(args):
    result = run_daemon(*args)
    assert result.returncode == 2 and "--check needs a FILE, and goes with no other option" in result.stderr
