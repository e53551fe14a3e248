# SPDX-License-Identifier: MIT
"""rclone against S3: provider Other, endpoint and credentials in the environment, no more."""

import os
import pathlib
import tempfile
import time
from urllib.request import urlopen

from steps import (ACCESS_KEY, ENDPOINT, MIB, REGION, SECRET_KEY, VERIFIES, VHOST_URL, check, finish,
                   run, same, step)

folder = tempfile.TemporaryDirectory()
home = pathlib.Path(folder.name)
bucket = f"rclone-{os.getpid()}-{int(time.time())}"
there = f"mem:{bucket}"

NAMES = ["small.txt", "empty", "with space", "plus+plus", "percent%20", "100%", "ünï/日本語/😀",
         "a&b=c;d", "quote'\"<>", "~*()!", "q?x=1#frag", "dir/sub/file"]


def rclone(*args, status=0, says="", **settings):
    config = {"type": "s3", "provider": "Other", "endpoint": ENDPOINT, "region": REGION,
              "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, **settings}
    # A retry of rclone's own (a second, then more) only delays the report of a failure.
    environment = {**os.environ, "RCLONE_CONFIG": "", "RCLONE_RETRIES": "1",
                   **{f"RCLONE_CONFIG_MEM_{name.upper()}": value for name, value in config.items()}}
    return run("rclone", *args, status=status, says=says, env=environment)


def lines(*args):
    return sorted(rclone(*args).splitlines())


def write(name, data):
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


for name in NAMES:
    write(f"tree/{name}", b"" if name == "empty" else name.encode())
# Above 200 MiB rclone uploads in parts of 5 MiB; sparse, so that it costs no disk.
with open(write("tree/big", b"head"), "r+b") as sparse:
    sparse.truncate(201 * MIB)


@step
def _():
    """mkdir, lsd"""
    rclone("mkdir", there)
    check(any(line.endswith(" " + bucket) for line in lines("lsd", "mem:")), "the bucket is listed")
    rclone("ls", there + "-absent", status=3)


@step
def _():
    """copy up (201 MiB in parts among them), check, copy again"""
    rclone("copy", f"{home}/tree", there)
    rclone("check", f"{home}/tree", there)
    rclone("check", "--download", "--exclude", "/big", f"{home}/tree", there)
    same(lines("lsf", "-R", "--files-only", there), sorted(NAMES + ["big"]))
    again = rclone("copy", "-v", "--stats-log-level", "NOTICE", f"{home}/tree", there)
    check("Copied (" not in again, again)


@step
def _():
    """lsf, lsl, cat, size, md5sum"""
    same(lines("lsf", there), sorted([n for n in NAMES if "/" not in n] + ["big", "dir/", "ünï/"]))
    check(any("     9 " in line and "small.txt" in line for line in lines("lsl", there)), "sizes")
    same(rclone("cat", f"{there}/with space"), "with space")
    same(rclone("cat", "--offset", "2", "--count", "3", f"{there}/small.txt"), "all")
    check("bjects: 13" in rclone("size", there), "the number of objects")
    same(rclone("md5sum", f"{there}/small.txt"), "85892669184e1d2cbe29ceccc563adda  small.txt\n")


@step
def _():
    """modification times survive"""
    stamp = 1_234_567_890.123456789
    os.utime(write("tree/small.txt", b"changed"), (stamp, stamp))
    rclone("copy", f"{home}/tree", there)
    check("2009-02-13 23:31:30.123456" in rclone("lsl", there, "--include", "small.txt"), "the time")
    rclone("touch", "-t", "2001-02-03T04:05:06", f"{there}/small.txt")
    check("2001-02-03 04:05:06" in rclone("lsl", there, "--include", "small.txt"), "the new time")


@step
def _():
    """server-side copy and move, the large object too"""
    rclone("copyto", f"{there}/plus+plus", f"{there}/copies/plus+ é")
    same(rclone("cat", f"{there}/copies/plus+ é"), "plus+plus")
    rclone("moveto", f"{there}/copies/plus+ é", f"{there}/copies/moved")
    same(lines("lsf", there + "/copies"), ["moved"])
    rclone("copyto", f"{there}/big", f"{there}/copies/big")
    check("210763776" in rclone("lsl", there + "/copies"), "the size of the copy")


@step
def _():
    """sync down, sync up with deletions"""
    rclone("sync", "--exclude", "/copies/**", there, f"{home}/back")
    rclone("check", f"{home}/tree", f"{home}/back")
    for name in ("with space", "dir/sub/file"):
        os.unlink(home / "tree" / name)
    rclone("sync", f"{home}/tree", there)
    rclone("check", f"{home}/tree", there)


@step
def _():
    """a stream of unknown length (rcat), a public link"""
    source = write("stream", os.urandom(MIB))
    with open(source, encoding="latin-1") as stream:
        environment = {**os.environ, "RCLONE_CONFIG": ""}
        run("rclone", "rcat", f":s3,provider=Other,endpoint='{ENDPOINT}',access_key_id={ACCESS_KEY},"
            f"secret_access_key={SECRET_KEY}:{bucket}/stream", stdin=stream, env=environment)
    rclone("check", "--download", f"{home}", there, "--include", "/stream")
    with urlopen(rclone("link", f"{there}/stream").strip()) as reply:
        same(reply.read(), source.read_bytes())


if VERIFIES:
    @step
    def _():
        """a wrong secret key is refused"""
        rclone("lsd", "mem:", secret_access_key="wrong", status=1, says="SignatureDoesNotMatch")


if VHOST_URL:
    @step
    def _():
        """virtual-host style"""
        named = {"endpoint": VHOST_URL, "force_path_style": "false"}
        rclone("mkdir", there + "-host", **named)
        rclone("copyto", f"{home}/tree/plus+plus", f"{there}-host/odd é+", **named)
        same(rclone("cat", f"{there}-host/odd é+", **named), "plus+plus")
        rclone("purge", there + "-host", **named)


@step
def _():
    """purge"""
    rclone("purge", there)
    rclone("lsf", there, status=3)


folder.cleanup()
finish()
