# SPDX-License-Identifier: MIT
"""--persist FILE.json: a bucket in MemoryClient's format is loaded at start and written after
changes and at exit; s3memctl save and load. What MemoryClient makes of such files: sdk/s3db."""

import json
import os

import pytest

from admin import admin, ok
from ctl import ctl, ctl_json, run_ctl
from harness import client, eventually, http_request, keys_of, run_daemon, serving


def persistent(path, *args):
    return serving("--persist", path, "--auto-persist", *args)


def objects_in(path):
    return json.loads(path.read_text(encoding="utf-8"))["objects"] if path.exists() else {}


def persistence(server):
    return ok(admin(server, "GET", "stats"))["persistence"]


def test_written_after_changes_and_loaded_again(tmp_path):
    path = tmp_path / "state.json"
    with persistent(path, "--bucket", "demo") as server:
        s3 = client(server)
        s3.put_object(Bucket="demo", Key="k", Body=b"1", Metadata={"a": "b"}, ContentType="x/y")
        eventually(lambda: "k" in objects_in(path))
        s3.put_object(Bucket="demo", Key="at-exit", Body=b"2")
    assert list(objects_in(path)) == ["at-exit", "k"]
    assert os.listdir(tmp_path) == ["state.json"]
    # The file names its bucket; without --auto-persist it is only read.
    before = path.read_bytes()
    with serving("--persist", path) as server:
        s3 = client(server)
        got = s3.get_object(Bucket="demo", Key="k")
        assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (b"1", {"a": "b"}, "x/y")
        s3.delete_object(Bucket="demo", Key="k")
        assert keys_of(s3.list_objects_v2(Bucket="demo")) == ["at-exit"]
    assert path.read_bytes() == before
    # --bucket says where it goes.
    with serving("--persist", path, "--bucket", "other") as server:
        assert [b["Name"] for b in client(server).list_buckets()["Buckets"]] == ["other"]
        assert keys_of(client(server).list_objects_v2(Bucket="other")) == ["at-exit", "k"]


def test_two_buckets_are_never_half_written(tmp_path):
    path = tmp_path / "state.json"
    with persistent(path, "--bucket", "one") as server:
        s3 = client(server)
        s3.put_object(Bucket="one", Key="k", Body=b"1")
        eventually(lambda: "k" in objects_in(path))
        s3.create_bucket(Bucket="two")
        s3.put_object(Bucket="one", Key="k2", Body=b"2")
        eventually(lambda: persistence(server)["state"] != "ok")
        assert "FILE.db" in persistence(server)["error"]
        assert list(objects_in(path)) == ["k"]
        s3.delete_bucket(Bucket="two")
        eventually(lambda: "k2" in objects_in(path), seconds=60)
        eventually(lambda: persistence(server)["state"] == "ok")
        assert "FILE.db" in server.stderr()


def test_a_folder_that_vanishes(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with persistent(folder / "state.json", "--bucket", "one") as server:
        eventually(lambda: (folder / "state.json").exists())
        (folder / "state.json").unlink()
        folder.rmdir()
        client(server).put_object(Bucket="one", Key="k", Body=b"1")
        eventually(lambda: persistence(server)["state"] != "ok")
        folder.mkdir()
        eventually(lambda: "k" in objects_in(folder / "state.json"), seconds=60)


@pytest.mark.parametrize("content, message", [("{", "ends too early"), ("", "empty"),
                                              ('{"objects":{}}', "names no bucket")])
def test_a_file_that_is_not_good(tmp_path, content, message):
    path = tmp_path / "state.json"
    path.write_text(content)
    done = run_daemon("--listen", "127.0.0.1:0", "--persist", path, "--auto-persist")
    assert done.returncode == 1 and message in done.stderr and str(path) in done.stderr
    assert path.read_text() == content


def test_settings_that_do_not_fit(tmp_path):
    path = tmp_path / "state.json"
    for args, message in (
            (("--bucket", "one", "--bucket", "two"), "one bucket"),
            (("--auto-persist", "--durability", "always"), "FILE.db"),
    ):
        done = run_daemon("--listen", "127.0.0.1:0", "--persist", path, *args)
        assert done.returncode == 2 and message in done.stderr, done.stderr
    done = run_daemon("--listen", "127.0.0.1:0", "--persist", path)
    assert done.returncode == 1 and "No such file" in done.stderr


def test_a_folder_that_is_taken_away_is_told_until_it_is_back(tmp_path):
    path = tmp_path / "folder" / "state.json"
    path.parent.mkdir()
    with persistent(path, "--bucket", "data") as server:
        eventually(path.exists)
        path.unlink()
        path.parent.rmdir()
        assert http_request(server, "PUT", "/data/k", body=b"body").status == 200
        stats = eventually(lambda: (s := persistence(server))["state"] == "behind" and s, seconds=30)
        assert "No such file" in stats["error"] and stats["changes"] > stats["written"]
        assert "No such file" in server.stderr()
        path.parent.mkdir()
        eventually(lambda: persistence(server)["state"] == "ok", seconds=30)
        assert list(objects_in(path)) == ["k"]


# ---- s3memctl -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    with serving("--bucket", "data", "--state-dir", folder) as server:
        server.folder = folder
        http_request(server, "PUT", "/data/k", body=b"body")
        yield server


def test_ctl_save_and_load(store, tmp_path):
    path = tmp_path / "f.json"
    assert ctl(store, "save", path) == f"{path}\n"
    assert list(objects_in(path)) == ["k"]
    ctl(store, "save", path, status=1)
    assert "--force" in ctl.stderr
    ctl(store, "save", path, "--force", "--bucket", "data")
    assert ctl(store, "save", "-", stdin=b"").count(b'"k"') == 1
    assert ctl(store, "load", path, "--bucket", "copy") == f"{path} loaded: 1 objects, 4 B, branch main\n"
    loaded = ctl_json(store, "load", path, "--bucket", "copy", "--merge")
    assert loaded["created"] is False and loaded["objects"] == 1
    assert client(store).get_object(Bucket="copy", Key="k")["Body"].read() == b"body"
    path.write_text("{")
    ctl(store, "load", path, "--bucket", "copy", status=1)
    assert "ends too early" in ctl.stderr
    ctl(store, "load", tmp_path / "none.json", status=1)
    ctl(store, "save", status=2)


def test_ctl_tells_what_is_not_saved(store, tmp_path):
    http_request(store, "PUT", "/tagged")
    http_request(store, "PUT", "/tagged/k", headers={"x-amz-tagging": "a=b"}, body=b"1")
    path = tmp_path / "f.json"
    done = run_ctl(store, "save", path, "--bucket", "tagged")
    assert done.returncode == 0 and "1 tags" in done.stderr.decode()
    assert list(objects_in(path)) == ["k"]
    ctl(store, "save", tmp_path / "g.json", "--bucket", "tagged", "--strict", status=1)
    assert "NotRepresentable" in ctl.stderr and not (tmp_path / "g.json").exists()
    http_request(store, "DELETE", "/tagged/k")
    http_request(store, "DELETE", "/tagged")


def test_ctl_on_the_server(store):
    assert ctl(store, "save", "s.json", "--server", "--bucket", "data") == (
        "s.json saved: 1 objects, 4 B, branch main\n")
    assert list(objects_in(store.folder / "s.json")) == ["k"]
    assert ctl_json(store, "load", "s.json", "--server", "--bucket", "again")["objects"] == 1
    ctl(store, "load", "../s.json", "--server", "--bucket", "again", status=1)
    assert "PathOutside" in ctl.stderr
    jobs = ctl_json(store, "jobs")["jobs"]
    assert [j["kind"] for j in jobs[-3:]] == ["save", "load", "load"]
    assert "load" in ctl(store, "jobs")
    last = jobs[-1]["id"]
    assert ctl_json(store, "jobs", last)["error"]["code"] == "PathOutside"
    ctl(store, "jobs", last, "--cancel")
    ctl(store, "jobs", last, status=1)
    ctl(store, "jobs", "--cancel", status=2)
