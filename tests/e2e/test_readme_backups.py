# SPDX-License-Identifier: MIT
"""The stories of README's section about s3db.js, word for word."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from admin import admin, ok
from harness import ROOT, S3MEMD, SLOW, client, serving
from test_backup import PEOPLE, exported_people, objects, put_people


def stories():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Records of s3db.js\n(.*?)^## ", text, re.M | re.S).group(1)
    return re.findall(r"^(\w+)(?:[^\n]+\n)+\n```sh\n(.*?)```", section, re.M | re.S)


@pytest.fixture
def servers():
    with serving() as mine, serving() as other:
        for server in (mine, other):
            put_people(server, bucket="shop")
        yield mine, other


def run(commands, servers, folder):
    mine, other = servers
    path = f"{Path(S3MEMD).parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=folder, text=True,
                          capture_output=True, check=False, timeout=100 * SLOW, stdin=subprocess.DEVNULL,
                          env={"PATH": path, "AWS_ENDPOINT_URL": mine.url, "STAGING": other.url})
    assert done.returncode == 0, done
    return done.stdout


def test_the_stories_are_there():
    assert [name for name, _ in stories()] == ["Share", "Load", "Isolate", "Export"]


def test_share(servers, tmp_path):
    (tmp_path / "fixtures").mkdir()
    before = objects(servers[0], "shop")
    run(dict(stories())["Share"], servers, tmp_path)
    assert objects(servers[0], "shop") == before
    assert (tmp_path / "fixtures/shop/users.jsonl").read_bytes().count(b"\n") == 3


def test_load(servers, tmp_path):
    run(dict(stories())["Load"], servers, tmp_path)
    assert exported_people(servers[0], "copy") == PEOPLE


def test_isolate(servers, tmp_path):
    share, isolate = dict(stories())["Share"], dict(stories())["Isolate"]
    (tmp_path / "fixtures").mkdir()
    run(share, servers, tmp_path)
    loading, restoring = isolate.split("s3memctl restore")
    run(loading, servers, tmp_path)
    client(servers[0]).delete_object(Bucket="shop", Key="resource=users/data/id=u1")
    run("s3memctl restore" + restoring, servers, tmp_path)
    assert exported_people(servers[0], "shop") == PEOPLE
    assert [s["name"] for s in ok(admin(servers[0], "GET", "snapshots"))["snapshots"]] == ["loaded"]


def test_export(servers, tmp_path):
    said = run(dict(stories())["Export"], servers, tmp_path)
    assert re.search(r"Rome\W+2\b", said) and re.search(r"Oslo\W+1\b", said), said
