# SPDX-License-Identifier: MIT
"""The commands that the manual pages print, run as they are printed: one test an example."""

import os
import re
import shutil
import subprocess

import pytest

from admin import admin
from conftest import ALICE
from ctl import CTL, need_ctl
from harness import ROOT, SLOW, client, serving
from test_backup import put_people

pytestmark = pytest.mark.options

PROGRAMS = {"man/s3memd-admin.7": "curl", "man/s3memctl.1": "s3memctl"}


def examples(page, program):
    """The texts between .nf and .fi that begin with the program, or their lines behind a prompt, as a reader sees them."""
    text = (ROOT / page).read_text()
    for block in re.findall(r"^\.nf\n(.*?)^\.fi$", text, re.M | re.S):
        shown = re.sub(r"\\f[BIR]", "", block).replace("\\-", "-").replace("\\e", "\\").replace("\\(aq", "'").replace("\\&", "")
        lines = shown.splitlines()
        if lines[0].startswith("$ "):
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        command = "\n".join(line for line in lines if not line.startswith(("aws ", "AWS_")))
        # What starts a server in the background is tested where it is stopped, too.
        if command.startswith(program + " ") and not re.match(r"s3memctl (start|stop)\b", command):
            yield pytest.param(page, command, id=command.replace("\n", " ")[:60])


EVERY = [example for page, program in PROGRAMS.items() for example in examples(page, program)]


def test_examples_are_found():
    assert len(EVERY) > 40
    assert sum("--aws-sigv4" in example.values[1] for example in EVERY) == 1


@pytest.fixture
def folder(tmp_path):
    """Where the commands run: the files that they name are there."""
    (tmp_path / "fixtures").mkdir()
    with serving("--bucket", "demo", "--state-dir", tmp_path) as other:
        for name in ("demo", "shop", "s3db"):
            put_people(other, bucket=name)
        client(other).put_object(Bucket="demo", Key="logs/1", Body=b"x")
        url = f"http://127.0.0.1:{other.port}/_s3mem"
        assert admin(other, "POST", "snapshots", {"name": "clean"}).status == 201
        for file, query in (("shop.tar", "export?bucket=shop"), ("fixture.json", "save?bucket=demo"),
                            ("fixture.s3mem.gz", "snapshots/clean?gzip=true"), ("users.json", "save?bucket=s3db")):
            subprocess.run(["curl", "-sSf", "-o", str(tmp_path / file), f"{url}/{query}"], check=True, timeout=20 * SLOW)
        for file in ("fixtures/clean.s3mem.gz", "clean.s3mem.gz"):
            shutil.copy(tmp_path / "fixture.s3mem.gz", tmp_path / file)
        shutil.copy(tmp_path / "users.json", tmp_path / "fixtures/users.json")
        assert admin(other, "POST", "export", {"path": "fixtures/shop", "bucket": "shop"}).status in (200, 201, 202)
        yield tmp_path


def prepare(server, command, folder):
    """What an example makes must not be there, what it takes must be."""
    s3 = client(server)
    for name in ("demo", "shop", "s3db"):
        put_people(server, bucket=name)
    if "--from-profile" in command:
        s3.create_bucket(Bucket="shop-production")
        s3.put_object(Bucket="shop-production", Key="users/1", Body=b"x")
        (folder / ".aws").mkdir()
        (folder / ".aws/config").write_text(f"[profile prod]\nendpoint_url = {server.url}\n")
    for key in ("logs/1", "k", "l"):
        s3.put_object(Bucket="demo", Key=key, Body=b"x")
    if not re.search(r"snapshots -d|-T fixture|snapshot clean|upload", command):
        assert admin(server, "POST", "snapshots", {"name": "clean"}).status == 201
    for branch in ("worker-1", "worker-2", "worker-3", "dev"):
        if not re.search(rf'"name":"{branch}"|branch {branch} ', command):
            assert admin(server, "POST", "branches", {"name": branch}).status == 201
    if "export" in command and "-d" in command or command.startswith("s3memctl export"):
        shutil.rmtree(folder / "fixtures/shop", ignore_errors=True)
    if "download" in command or command.startswith("s3memctl save"):
        for file in ("fixtures/clean.s3mem.gz", "clean.s3mem.gz", "users.json", "fixtures/users.json"):
            (folder / file).unlink(missing_ok=True)


@pytest.mark.parametrize("page, command", EVERY)
def test_example(page, command, folder):
    if command.startswith("s3memctl"):
        need_ctl()
    signed = "--aws-sigv4" in command
    options = ["--access-key", ALICE["accessKey"], "--secret-key", ALICE["secretKey"]] if signed else ["--state-dir", folder]
    with serving(*options) as server:
        if not signed:
            prepare(server, command, folder)
        script = f"""
            set -e
            curl() {{ command curl -sS --fail-with-body "$@"; }}
            s3memctl() {{ "{CTL}" "$@"; }}
            S=http://127.0.0.1:{server.port}/_s3mem
            {command}
        """
        environment = {**os.environ, "S3MEMCTL_ENDPOINT": server.url, "AWS_ENDPOINT_URL": server.url,
                       "AWS_CONFIG_FILE": str(folder / ".aws/config"),
                       "AWS_ACCESS_KEY_ID": ALICE["accessKey"], "AWS_SECRET_ACCESS_KEY": ALICE["secretKey"]}  # fmt: skip
        follows = re.search(r"/events|^s3memctl (events|watch)", command)
        try:
            done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL, timeout=2 if follows else 20 * SLOW)
        except subprocess.TimeoutExpired:
            assert follows, command
            return
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert '{"error"' not in done.stdout, done.stdout


def test_every_page_refers_to_the_others():
    pages = {path.name for path in (ROOT / "man").iterdir()}
    assert len(pages) >= 4
    for page in pages:
        text = (ROOT / "man" / page).read_text().replace("\\-", "-")
        see_also = text.split(".SH SEE ALSO\n")[1].split(".SH")[0]
        assert {f"{n}.{s}" for n, s in re.findall(r"^\.BR (\S+) \((\d)\)", see_also, re.M)} == pages - {page}
