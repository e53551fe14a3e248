# SPDX-License-Identifier: MIT
"""State files of every version that ever landed (tests/data/state, see state_files.py) open in this
one, with all that is in them; what is migrated, what is kept meanwhile, what is refused."""

import contextlib
import gzip
import json
import re
import sqlite3
import struct
import subprocess
import time

import pytest

import state_files
from admin import admin, admin_refused, ok
from harness import ATTACHED, S3MEMD, SLOW, client, eventually, http_request, run_daemon, serving
from state_files import FOLDER, PEOPLE, facts_of, snapshot_facts

pytestmark = [
    pytest.mark.options,
    pytest.mark.skipif(bool(ATTACHED), reason="needs servers with their own options"),
]

NAMES = sorted(f.name.removeprefix("database-").removesuffix(".db.gz") for f in FOLDER.glob("database-*"))
OLD = [name for name in NAMES if name.startswith("1")]
OURS = 2  # the format's version


def unpacked(kind, name, ending):
    return gzip.decompress((FOLDER / f"{kind}-{name}.{ending}.gz").read_bytes())


def facts(name):
    return json.loads(unpacked("state", name, "json"))


@pytest.fixture
def database(tmp_path):
    """Puts a fixture into a folder of its own."""
    def put(name):
        path = tmp_path / "state.db"
        path.write_bytes(unpacked("database", name, "db"))
        return path
    return put


def version_of(path, how="mode=ro"):
    with contextlib.closing(sqlite3.connect(f"file:{path}?{how}", uri=True)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def names_in(folder):
    return sorted(p.name for p in folder.iterdir())


def written(server):
    p = ok(admin(server, "GET", "stats"))["persistence"]
    return p["written"] == p["changes"] > 0


def test_fixtures_have_some_of_everything():
    """Else the tests below would show little."""
    assert {name[0] for name in NAMES} == {str(v) for v in range(1, OURS + 1)}
    for name in NAMES:
        f = facts(name)
        assert sorted(f["branches"]) == ["deep", "feature", "main"]
        assert sorted(f["snapshots"]) == ["early", "late"]
        main, feature = f["branches"]["main"], f["branches"]["feature"]
        assert main["data"]["tags"] == [{"Key": "team", "Value": "b\u00fccher"}]
        keys = {o["key"]: o for o in main["data"]["objects"]}
        assert keys["large"]["size"] == 700_000 and keys["shrunk"]["size"] == 8 and keys["parts"]["parts"] == 2
        assert keys["d\u00e9j\u00e0/vu"]["Metadata"] == {"a": "1", "b": "two"} and keys["last"]["tags"]
        versions = [o for o in main["versions"]["objects"] if o["key"] == "k"]
        assert len(versions) == 5 and sum(o["size"] is None for o in versions) == 1
        assert feature["versions"]["versioning"] == "Suspended"
        assert [p[0] for p in feature["data"]["uploads"][0]["parts"]] == [2, 7]
        assert [o["key"] for o in main["gone"]["objects"]] == ["new"]


@pytest.mark.parametrize("name", NAMES)
def test_a_database_of_any_version_is_read_and_left_as_it_was(database, name):
    path = database(name)
    before = path.read_bytes()
    with serving("--persist", path) as server:
        assert facts_of(server) == facts(name)
    assert path.read_bytes() == before
    assert names_in(path.parent) == ["state.db"]


@pytest.mark.parametrize("name", NAMES)
def test_a_database_of_any_version_is_migrated_and_goes_on(database, name):
    path = database(name)
    expected = facts(name)
    for _ in range(2):
        with serving("--persist", path, "--auto-persist") as server:
            assert facts_of(server) == expected
        assert version_of(path) == OURS
    with serving("--persist", path, "--auto-persist") as server:
        s3 = client(server)
        s3.put_object(Bucket="data", Key="large", Body=b"not any more")
        s3.put_object(Bucket="versions", Key="k", Body=b"one more")
    with serving("--persist", path) as server:
        after = facts_of(server)
    main = expected["branches"]["main"]
    assert {k: v for k, v in after["branches"].items() if k != "main"} == {
        k: v for k, v in expected["branches"].items() if k != "main"}
    assert after["snapshots"] == expected["snapshots"]
    now = {(o["key"], o["version"]): o for o in after["branches"]["main"]["versions"]["objects"]}
    assert len(now) == len(main["versions"]["objects"]) + 1
    for o in main["versions"]["objects"]:
        assert now[o["key"], o["version"]] == {**o, "latest": o["latest"] and o["key"] != "k"}
    assert names_in(path.parent) == ["state.db"]


# ---- FILE.N -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OLD)
def test_the_old_file_stays_until_something_was_written(database, name):
    path = database(name)
    old = path.with_name("state.db.1")
    path.chmod(0o640)
    with serving("--persist", path, "--auto-persist") as server:
        assert version_of(old, "immutable=1") == 1 and old.stat().st_mode & 0o777 == 0o640
        assert "state.db.1 until it is written to" in server.stderr()
    assert names_in(path.parent) == ["state.db", "state.db.1"]
    with serving("--persist", old.rename(path.with_name("again.db"))) as server:
        assert facts_of(server) == facts(name)
    path.with_name("again.db").rename(old)
    # Neither a start nor what is only read writes.
    with serving("--persist", path, "--auto-persist") as server:
        client(server).get_object(Bucket="data", Key="last")["Body"].read()
        assert old.exists()
        client(server).put_object(Bucket="data", Key="first-write", Body=b"x")
        eventually(lambda: not old.exists())
    assert names_in(path.parent) == ["state.db"]


def test_a_journal_that_was_left_behind_is_part_of_what_is_kept(database):
    """As a server of the old version leaves it that was killed."""
    path = database("1a")
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("UPDATE branch SET created_ns = 7 * 1000000000 WHERE name = 'deep'")
    db.commit()
    files = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    db.close()
    for name, data in files.items():
        path.with_name(name).write_bytes(data)
    assert len(files["state.db-wal"]) > 0
    with serving("--persist", path, "--auto-persist"):
        pass
    with contextlib.closing(sqlite3.connect(f"file:{path}.1?immutable=1", uri=True)) as old:
        assert old.execute("SELECT created_ns FROM branch WHERE name = 'deep'").fetchone() == (7 * 10**9,)


def test_a_start_that_is_killed_at_any_moment_is_begun_anew(database):
    path = database("1b")
    delay, seen = 0.001, []
    while version_of(path) != OURS:
        process = subprocess.Popen(
            [S3MEMD, "--listen", "127.0.0.1:0", "--persist", path, "--auto-persist"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        assert delay < 20 * SLOW
        delay *= 1.15
        seen.append(names_in(path.parent))
    assert not any(".1" in name for name in seen[0])
    assert version_of(path.with_name("state.db.1"), "immutable=1") == 1
    with serving("--persist", path) as server:
        assert facts_of(server) == facts("1b")
    with serving("--persist", path, "--auto-persist") as server:
        client(server).put_object(Bucket="data", Key="first-write", Body=b"x")
    assert names_in(path.parent) == ["state.db"]


def test_what_a_cut_start_left_is_replaced(database):
    path = database("1c")
    path.with_name("state.db.1.tmp").write_bytes(b"half a copy")
    path.with_name("state.db.1").write_bytes(unpacked("database", "1a", "db"))
    with serving("--persist", path, "--auto-persist"):
        pass
    assert names_in(path.parent) == ["state.db", "state.db.1"]
    with serving("--persist", path.with_name("state.db.1").rename(path.with_name("old.db"))) as server:
        assert facts_of(server) == facts("1c")


def test_another_file_in_the_way_is_left_alone(database):
    path = database("1c")
    before = path.read_bytes()
    path.with_name("state.db.1").write_bytes(b"mine")
    result = run_daemon("--listen", "127.0.0.1:0", "--persist", path, "--auto-persist")
    assert result.returncode == 1 and "another file stands there" in result.stderr, result
    assert path.read_bytes() == before and path.with_name("state.db.1").read_bytes() == b"mine"
    # Nor is a file of that name removed that is none of ours.
    path.write_bytes(unpacked("database", "2b", "db"))
    with serving("--persist", path, "--auto-persist") as server:
        client(server).put_object(Bucket="data", Key="first-write", Body=b"x")
    assert path.with_name("state.db.1").read_bytes() == b"mine"


# ---- files of newer servers ---------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--auto-persist"]])
def test_a_database_of_a_newer_server_is_told_by_both_numbers_and_not_touched(database, options):
    path = database("2b")
    data = bytearray(path.read_bytes())
    data[60:64] = struct.pack(">I", 17)
    path.write_bytes(data)
    result = run_daemon("--listen", "127.0.0.1:0", "--persist", path, *options)
    assert result.returncode == 1
    assert re.search(r"written by a newer s3memd \(version 17 .*knows 2\)", result.stderr), result
    assert path.read_bytes() == data
    assert "state.db.2" not in names_in(path.parent) and "state.db.17" not in names_in(path.parent)


# ---- documents ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_document_of_any_version_becomes_a_snapshot(name):
    with serving() as server:
        reply = http_request(server, "PUT", "/_s3mem/snapshots/loaded", body=unpacked("document", name, "s3mem"))
        ok(reply, 201)
        expected = {k: v for k, v in facts(name)["snapshots"]["late"].items() if k != "from"}
        assert snapshot_facts(server, "loaded") == expected
        # The first ones had numbers that told what else there had been.
        if name != "1a":
            assert admin(server, "GET", "snapshots/loaded").body == unpacked("document", name, "s3mem")


def test_a_document_of_a_newer_server_is_told_by_both_numbers():
    data = unpacked("document", "2b", "s3mem").replace(b"s3mem snapshot 1\n", b"s3mem snapshot 30\n", 1)
    with serving() as server:
        reply = http_request(server, "PUT", "/_s3mem/snapshots/newer", body=data)
        error = admin_refused(reply, 400, "InvalidDocument")
        assert "of version 30, written by a newer s3memd: this s3memd reads version 1" in error["message"]
        assert ok(admin(server, "GET", "snapshots"))["snapshots"] == []


# ---- other programs' formats --------------------------------------------------------------------

OTHERS = sorted(f.stem.removeprefix("memory-") for f in FOLDER.glob("memory-*"))


def people(server, bucket="people"):
    tar = admin(server, "GET", "export", bucket=bucket).body
    return [json.loads(line) for line in state_files.file_of(tar, "users.jsonl").splitlines()]


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("options", [[], ["--auto-persist"]])
def test_a_memory_file_of_any_version(name, options, tmp_path):
    path = tmp_path / "memory.json"
    path.write_bytes((FOLDER / f"memory-{name}.json").read_bytes())
    before = json.loads(path.read_text(encoding="utf-8"))
    with serving("--persist", path, *options) as server:
        assert people(server) == PEOPLE
    assert json.loads(path.read_text(encoding="utf-8")) == before


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("kind", ["backup", "archive"])
def test_a_backup_of_any_version(name, kind, tmp_path):
    data = (FOLDER / f"{kind}-{name}.tar.gz").read_bytes()
    with serving("--state-dir", tmp_path) as server:
        result = ok(http_request(server, "PUT", "/_s3mem/import?bucket=people", body=data))
        assert result["errorCount"] == 0 and people(server) == PEOPLE
        state_files.unpack(data, tmp_path / "folder")
        ok(admin(server, "POST", "import", {"path": "folder", "bucket": "again"}), 200)
        assert people(server, "again") == PEOPLE
