# SPDX-License-Identifier: MIT
"""Parallel tests on one server: every worker of pytest-xdist has a branch of its own, chosen by
nothing more than the access key, and every test starts from the fixture.

    s3memd --bucket shop &
    pytest -n 16
"""

import json
import os
import time
import urllib.error
import urllib.request

import boto3
import pytest

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")


def admin(method, path, body=None):
    data = json.dumps(body).encode() if body else b""
    request = urllib.request.Request(f"{ENDPOINT}/_s3mem/{path}", data=data, method=method)
    with urllib.request.urlopen(request) as reply:
        return reply.read()


def client(key):
    return boto3.client("s3", endpoint_url=ENDPOINT, region_name="us-east-1",
                        aws_access_key_id=key, aws_secret_access_key="any")


@pytest.fixture(scope="session", autouse=True)
def branch():
    """The first worker to come builds the fixture; each forks it, in no time at all."""
    try:
        admin("POST", "branches", {"name": "fixture"})
        s3 = client("fixture")
        for i in range(100):
            s3.put_object(Bucket="shop", Key=f"orders/{i:03}", Body=b"open")
        admin("POST", "snapshots?branch=fixture", {"name": "fixture"})
    except urllib.error.HTTPError as taken:
        assert taken.code == 409  # another worker builds it: wait until it is there
    name = f"worker-{WORKER}"
    give_up = time.monotonic() + 600
    while True:
        try:
            admin("POST", "branches", {"name": name, "snapshot": "fixture"})
            break
        except urllib.error.HTTPError as missing:
            assert missing.code == 404 and time.monotonic() < give_up
            time.sleep(0.05)
    yield name
    admin("DELETE", f"branches/{name}")


@pytest.fixture
def s3(branch):
    yield client(branch)
    admin("POST", f"snapshots/fixture/restore?branch={branch}")
