# SPDX-License-Identifier: MIT
"""What the end-to-end and wire tests share: a server under test, clients, and ways to say what a
reply must be.

A Server is a process of its own on a free port. It is stopped by SIGTERM to its own pid; then it
must have exited with 0 and written no sanitizer report. S3MEM_URL names a running server instead:
it is used as it is and never stopped.
"""

import base64
import contextlib
import hashlib
import http.client
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ET
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parents[2]
S3MEMD = os.environ.get("S3MEMD", str(ROOT / "build" / "s3memd"))
ATTACHED = os.environ.get("S3MEM_URL")
# How much slower than a calm machine with a plain build this one may be. Only limits grow with it:
# what is expected, and how long a test waits before it goes on, never do.
SLOW = float(os.environ.get("S3MEM_SLOW", "10"))
PATIENCE = 10 * SLOW  # seconds for what takes milliseconds
# CPU time that one turn of an I/O thread may take; under a sanitizer the same work takes many times it.
TURN_MS = 5 if SLOW <= 10 else 100

MIB = 1024 * 1024
PART = 5 * MIB  # smallest part but the last

SANITIZER = re.compile(
    r"ERROR: AddressSanitizer|ERROR: LeakSanitizer|WARNING: ThreadSanitizer|runtime error:"
    r"|UndefinedBehaviorSanitizer"
)
READY = re.compile(r"s3memd ready on (\S+)")

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

_names = itertools.count()


def unique(prefix="b"):
    """A bucket name nobody else uses, so that tests can share a server."""
    return f"{prefix}-{os.getpid()}-{next(_names)}-{os.urandom(3).hex()}"


# ---- the server under test ----------------------------------------------------------------------


class Server:
    def __init__(self, *args, env=None, listen="127.0.0.1:0", wait=True, cwd=None):
        self.args = [S3MEMD]
        if listen:
            self.args += ["--listen", listen]
        self.args += [str(a) for a in args]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("S3MEMD_")}
        environment.pop("NOTIFY_SOCKET", None)
        environment.update(env or {})
        self.stderr_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            self.args,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.stderr_file,
            env=environment,
            cwd=cwd,
        )
        self.stdout = []
        self.urls = []
        self.ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.stopped = self.killed = False
        self.exit_status = 0  # what it must end with, if it is not killed
        if wait:
            self.wait_ready()

    def _read(self):
        for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip("\n")
            self.stdout.append(text)
            match = READY.search(text)
            if match:
                self.urls.append(match.group(1))
            if text == "Ready.":
                self.ready.set()
        self.ready.set()  # the end of the output wakes whoever waits, too

    def wait_ready(self, seconds=20):
        if not self.ready.wait(seconds * SLOW) or "Ready." not in self.stdout:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"not ready: {self.args}\n{self.stdout}\n{self.stderr()}")
        return self

    @property
    def url(self):
        return self.urls[0]

    @property
    def port(self):
        return urllib.parse.urlsplit(self.url).port

    @property
    def pid(self):
        return self.process.pid

    def stderr(self):
        self.stderr_file.seek(0)
        return self.stderr_file.read().decode(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def rss(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def signal(self, which=signal.SIGTERM):
        self.process.send_signal(which)

    def wait(self, seconds=20):
        code = self.process.wait(seconds * SLOW)
        self._reader.join(PATIENCE)
        self.stopped = True
        return code

    def kill(self):
        """Ends it as a power cut would: at once, whatever it does."""
        self.process.kill()
        self.wait()
        self.killed = True

    def stop(self):
        """Ends it and demands a clean end, unless it was killed."""
        if not self.stopped:
            self.signal()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        text = self.stderr()
        self.stderr_file.close()
        assert not SANITIZER.search(text), text[-20000:]
        expected = -signal.SIGKILL if self.killed else self.exit_status
        assert self.process.returncode == expected, f"exit {self.process.returncode}\n{text[-4000:]}"


class Attached:
    """A server that someone else runs."""

    def __init__(self, url):
        self.url = url
        self.urls = [url]
        self.port = urllib.parse.urlsplit(url).port or 80

    def alive(self):
        return True

    def stop(self):
        pass


@contextlib.contextmanager
def serving(*args, **options):
    server = Server(*args, **options)
    try:
        yield server
    finally:
        server.stop()


def run_daemon(*args, env=None, timeout=20):
    """Runs s3memd to its end: for options that only print, and for those it must refuse."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("S3MEMD_")}
    environment.update(env or {})
    return subprocess.run(
        [S3MEMD, *map(str, args)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        timeout=timeout * SLOW,
        check=False,
    )


# ---- clients ------------------------------------------------------------------------------------


def client(server, key=ACCESS_KEY, secret=SECRET_KEY, region="us-east-1", **options):
    """boto3 as a user would make it: only the endpoint is ours. key None: unsigned."""
    from botocore import UNSIGNED

    config = options.pop("config", {})
    if key is None:
        config["signature_version"] = UNSIGNED
        key = secret = "unused"
    return boto3.client(
        "s3",
        endpoint_url=options.pop("endpoint_url", None) or server.url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name=region,
        config=Config(**config),
        **options,
    )


class Reply:
    """What came back over HTTP."""

    def __init__(self, status, headers, body):
        self.status = status
        self.pairs = [(k.lower(), v) for k, v in headers]
        self.headers = dict(self.pairs)
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def xml(self):
        return strip_namespaces(ET.fromstring(self.body))

    @property
    def error(self):
        """The error document as a dict; {} when the body is none."""
        if not self.body.lstrip().startswith(b"<"):
            return {}
        root = self.xml
        if root.tag != "Error":
            return {}
        return {child.tag: child.text for child in root}

    @property
    def code(self):
        return self.error.get("Code")

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.error or self.body[:300]!r} {self.pairs}>"


def strip_namespaces(root):
    for element in root.iter():
        element.tag = element.tag.split("}", 1)[-1]
    return root


def http_request(server, method, target, headers=None, body=None, timeout=30):
    """One request with exactly this target: nothing is normalised or added but Host and, for a
    body, Content-Length."""
    parts = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout * SLOW)
    try:
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
        names = {k.lower() for k, _ in pairs}
        connection.putrequest(
            method, target, skip_host="host" in names, skip_accept_encoding=True
        )
        for name, value in pairs:
            connection.putheader(name, value)
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return Reply(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def key_path(bucket, key):
    return f"/{bucket}/{urllib.parse.quote(key, safe='/')}"


# ---- saying what must come back -----------------------------------------------------------------


@contextlib.contextmanager
def refused(code, status=None, message=None, **fields):
    """The SDK call inside must fail with S3's error code, status, message and extra fields.
    A field of ... only has to be there; message may be a compiled pattern."""
    with pytest.raises(ClientError) as caught:
        yield caught
    response = caught.value.response
    error = response["Error"]
    assert error["Code"] == code, error
    if status is not None:
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status, response
    check_fields(error, message, fields)


def is_error(reply, code, status, message=None, **fields):
    """The same for a raw reply. Error documents carry the ids of their headers."""
    assert (reply.status, reply.code) == (status, code), reply
    check_fields(reply.error, message, fields)
    assert reply.error.get("RequestId"), reply
    assert reply.error["RequestId"] == reply.headers["x-amz-request-id"], reply
    assert reply.error.get("HostId"), reply
    return reply


def check_fields(error, message, fields):
    if isinstance(message, re.Pattern):
        assert message.search(error["Message"]), error
    elif message is not None:
        assert error["Message"] == message, error
    for name, value in fields.items():
        name = name.replace("__", "-")
        assert name in error, (name, error)
        if value is not ...:
            assert error[name] == value, (name, error)


def has(response, **facts):
    """Every fact is in the reply; a fact of None says that the field must not be there."""
    for name, value in facts.items():
        if value is None:
            assert name not in response, (name, response[name])
        elif value is ...:
            assert name in response, (name, response)
        else:
            assert response.get(name) == value, (name, response.get(name), value)
    return response


def status_of(response):
    return response["ResponseMetadata"]["HTTPStatusCode"]


def header_of(response, name):
    return response["ResponseMetadata"]["HTTPHeaders"].get(name)


def md5_hex(data):
    return hashlib.md5(data).hexdigest()


def digest_of(data):
    """The header that DeleteObjects and PutBucketTagging need."""
    return {"Content-MD5": base64.b64encode(hashlib.md5(data).digest()).decode()}


def etag_of(data):
    return f'"{md5_hex(data)}"'


def multipart_etag(*parts):
    digest = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts))
    return f'"{digest.hexdigest()}-{len(parts)}"'


def keys_of(listing):
    return [o["Key"] for o in listing.get("Contents", [])]


def prefixes_of(listing):
    return [p["Prefix"] for p in listing.get("CommonPrefixes", [])]


def upload_parts(s3, bucket, key, upload_id, parts, first=1, step=1, **options):
    """Uploads parts; returns what CompleteMultipartUpload wants."""
    done = []
    for number, body in zip(itertools.count(first, step), parts):
        reply = s3.upload_part(
            Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body, **options
        )
        done.append({"PartNumber": number, "ETag": reply["ETag"]})
    return done


def multipart(s3, bucket, key, parts, **options):
    """A whole multipart upload; returns the reply of its completion."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]
    done = upload_parts(s3, bucket, key, upload, parts)
    return s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}
    )


def eventually(check, seconds=10):
    """Waits until check() is true."""
    end = time.monotonic() + seconds * SLOW
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def in_flight(server):
    """How many S3 requests the server has begun and not ended."""
    return http_request(server, "GET", "/_s3mem/stats").json["requests"]["active"]


def refuses_connections(server):
    """Whether it listens no more."""
    try:
        connect(server).close()
        return False
    except OSError:
        return True


def connect(server, timeout=10):
    parts = urllib.parse.urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=timeout * SLOW)
