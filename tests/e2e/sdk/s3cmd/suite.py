# SPDX-License-Identifier: MIT
"""s3cmd against S3: a configuration file with nothing but the endpoint and the credentials."""

import hashlib
import os
import pathlib
import tempfile
import time
from urllib.parse import urlsplit
from urllib.request import urlopen

from steps import (ACCESS_KEY, ENDPOINT, MIB, SECRET_KEY, VERIFIES, VHOST_URL, check, finish, run,
                   same, step)

folder = tempfile.TemporaryDirectory()
home = pathlib.Path(folder.name)
bucket = f"s3cmd-{os.getpid()}-{int(time.time())}"
s3 = f"s3://{bucket}"
big = os.urandom(20 * MIB)


def configure(name, url, host_bucket, secret=SECRET_KEY):
    path = home / name
    path.write_text(f"""[default]
access_key = {ACCESS_KEY}
secret_key = {secret}
host_base = {urlsplit(url).netloc}
host_bucket = {host_bucket}
use_https = {urlsplit(url).scheme == "https"}
signurl_use_https = {urlsplit(url).scheme == "https"}
""")
    return path


config = configure("config", ENDPOINT, urlsplit(ENDPOINT).netloc)


def s3cmd(*args, using=config, status=0, says=""):
    return run("s3cmd", "--no-progress", "-c", str(using), *args, status=status, says=says)


def listed(*args):
    return [line.split(None, 3)[-1] for line in s3cmd("ls", *args).splitlines()]


def write(name, data):
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


@step
def _():
    """mb, ls"""
    s3cmd("mb", s3)
    check(s3 in s3cmd("ls"), "the bucket is listed")
    s3cmd("ls", s3 + "-absent", status=12)


@step
def _():
    """put, info, get, del; small, empty and odd names"""
    for name in ("small.txt", "empty", "with space", "plus+plus", "percent%20", "ünï/日本語", "a&b=c;d"):
        data = b"" if name == "empty" else name.encode()
        source = write("up/" + name, data)
        s3cmd("put", source, f"{s3}/odd/{name}", "--add-header", "x-amz-meta-by: s3cmd")
        s3cmd("get", "--force", f"{s3}/odd/{name}", str(home / "back"))
        same((home / "back").read_bytes(), data, name)
        info = s3cmd("info", f"{s3}/odd/{name}")
        check(hashlib.md5(data).hexdigest() in info, f"MD5 in {info}")
        check("s3cmd" in info, f"the metadata in {info}")
    same(len(listed("-r", f"{s3}/odd/")), 7, "objects")
    s3cmd("del", f"{s3}/odd/with space")
    s3cmd("get", f"{s3}/odd/with space", str(home / "none"), status=64)


@step
def _():
    """put of 20 MiB in parts, from a file and from standard input; multipart lists"""
    path = write("big", big)
    s3cmd("put", path, f"{s3}/big")
    s3cmd("get", "--force", f"{s3}/big", str(home / "back"))
    check((home / "back").read_bytes() == big, "the bytes stored are those read")
    with open(path, encoding="latin-1") as stream:
        run("s3cmd", "-c", str(config), "put", "-", f"{s3}/piped", stdin=stream)
    s3cmd("get", "--force", f"{s3}/piped", str(home / "back"))
    check((home / "back").read_bytes() == big, "the bytes piped are those read")
    s3cmd("multipart", s3)


@step
def _():
    """cp, mv, modify"""
    s3cmd("cp", f"{s3}/big", f"{s3}/copied of big")
    s3cmd("mv", f"{s3}/copied of big", f"{s3}/moved+1")
    s3cmd("modify", "--add-header", "content-type: x/y", f"{s3}/moved+1")
    check("x/y" in s3cmd("info", f"{s3}/moved+1"), "the new content type")
    s3cmd("get", "--force", f"{s3}/moved+1", str(home / "back"))
    check((home / "back").read_bytes() == big, "the bytes moved are those read")


@step
def _():
    """sync up, sync down, sync again does nothing, sync deletes"""
    tree = {f"sync/{name}": name.encode() for name in ("a", "d/b", "d/e/c é", "d/plus+")}
    for name, data in tree.items():
        write(name, data)
    s3cmd("sync", f"{home}/sync/", f"{s3}/tree/")
    same(sorted(listed("-r", f"{s3}/tree/")), sorted(f"{s3}/tree/{n[5:]}" for n in tree), "uploaded")
    same(s3cmd("sync", f"{home}/sync/", f"{s3}/tree/").count("upload:"), 0, "uploads of a second sync")
    s3cmd("sync", f"{s3}/tree/", f"{home}/down/")
    for name, data in tree.items():
        same((home / "down" / name[5:]).read_bytes(), data, name)
    os.unlink(home / "sync/a")
    s3cmd("sync", "--delete-removed", f"{home}/sync/", f"{s3}/tree/")
    check(f"{s3}/tree/a" not in listed("-r", f"{s3}/tree/"), "the removed file is gone")


@step
def _():
    """du, la, signurl"""
    check(s3cmd("du", f"{s3}/big").split()[0] == str(len(big)), "the size")
    check(f"{s3}/big" in s3cmd("la", "-r"), "everything is listed")
    with urlopen(s3cmd("signurl", f"{s3}/big", "+60").strip()) as reply:
        check(reply.read() == big, "the signed URL")


if VERIFIES:
    @step
    def _():
        """a wrong secret key is refused"""
        wrong = configure("wrong", ENDPOINT, urlsplit(ENDPOINT).netloc, "wrong")
        s3cmd("ls", using=wrong, status=77, says="SignatureDoesNotMatch")


if VHOST_URL:
    @step
    def _():
        """virtual-host style (the tool's default)"""
        named = configure("named", VHOST_URL, "%(bucket)s." + urlsplit(VHOST_URL).netloc)
        path = write("file", b"by name")
        s3cmd("mb", s3 + "-host", using=named)
        s3cmd("put", path, f"{s3}-host/odd é+", using=named)
        s3cmd("get", "--force", f"{s3}-host/odd é+", str(home / "back"), using=named)
        same((home / "back").read_bytes(), b"by name")
        s3cmd("rb", "--recursive", s3 + "-host", using=named)


@step
def _():
    """del --recursive, rb"""
    s3cmd("rb", s3, status=13)
    s3cmd("del", "--recursive", "--force", s3)
    same(listed("-r", s3), [])
    s3cmd("rb", s3)


folder.cleanup()
finish()
