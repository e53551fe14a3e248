# SPDX-License-Identifier: MIT
"""Parallel tests on one server: every worker of pytest-xdist has a branch of its own, chosen by
nothing more than the access key, and every test starts from the fixture.

    s3memctl start -- --bucket shop
    pytest -n 16

The server may stay for the next run. A fixture that was changed is built anew, and what a killed run
left behind goes. One run at a time uses a server.
"""

import hashlib
import inspect
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3
import pytest

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}-{time.time_ns()}")


def admin(method, path, body=None, accept=()):
    """The status, and the JSON if there is any; of errors only those to accept."""
    data = json.dumps(body).encode() if body else b""
    request = urllib.request.Request(f"{ENDPOINT}/_s3mem/{path}", data=data, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.loads(reply.read() or b"null")
    except urllib.error.HTTPError as error:
        if error.code not in accept:
            raise
        return error.code, None


def client(key):
    return boto3.client("s3", endpoint_url=ENDPOINT, region_name="us-east-1",
                        aws_access_key_id=key, aws_secret_access_key="any")


def build(s3):
    for i in range(100):
        s3.put_object(Bucket="shop", Key=f"orders/{i:03}", Body=b"open")


# Named by what builds it: a changed fixture is another one.
FIXTURE = "fixture-" + hashlib.sha256(inspect.getsource(build).encode()).hexdigest()[:12]


def names(kind):
    return [item["name"] for item in admin("GET", kind)[1][kind]]


def drop_others(kind, prefix, kept):
    """What earlier runs left."""
    for name in names(kind):
        if name.startswith(prefix) and name != kept:
            admin("DELETE", f"{kind}/{urllib.parse.quote(name)}", accept=[404])


def build_once():
    """The first worker of this run to come builds the fixture on a branch for that."""
    building = f"building-{RUN}"
    if admin("POST", "branches", {"name": building}, accept=[409])[0] == 409:
        return
    if FIXTURE not in names("snapshots"):  # else another worker was ready just now
        drop_others("branches", "building-", building)
        drop_others("branches", "worker-", None)
        drop_others("snapshots", "fixture-", FIXTURE)
        build(client(building))
        admin("POST", f"snapshots?branch={building}", {"name": FIXTURE})
    admin("DELETE", f"branches/{building}")


@pytest.fixture(scope="session", autouse=True)
def branch():
    """Each worker forks the fixture, in no time at all."""
    name = f"worker-{WORKER}"
    admin("DELETE", f"branches/{name}", accept=[404])
    give_up = time.monotonic() + 600
    while admin("POST", "branches", {"name": name, "snapshot": FIXTURE}, accept=[404])[0] == 404:
        assert time.monotonic() < give_up
        build_once()
        time.sleep(0.05)
    yield name
    admin("DELETE", f"branches/{name}")


@pytest.fixture
def s3(branch):
    yield client(branch)
    admin("POST", f"snapshots/{FIXTURE}/restore?branch={branch}")
