# SPDX-License-Identifier: MIT
"""Fixtures: servers by their options, clients, and a bucket for each test."""

import json

import pytest

from harness import ATTACHED, Attached, Server, client, unique


def pytest_collection_modifyitems(items):
    """Tests that start servers with their own options say little about an attached one."""
    if not ATTACHED:
        return
    skip = pytest.mark.skip(reason="S3MEM_URL attaches to a running server")
    for item in items:
        if item.get_closest_marker("options"):
            item.add_marker(skip)


def own_server(*args, **options):
    """Body of a fixture that runs a server with these options."""
    if ATTACHED:
        pytest.skip("needs a server with its own options")
    server = Server(*args, **options)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def server():
    """Open: no credentials, every default."""
    if ATTACHED:
        yield Attached(ATTACHED)
        return
    running = Server()
    yield running
    running.stop()


# Two accounts that do not trust each other, and one whose token is fixed.
ALICE = {
    "accessKey": "AKIAALICE00000000001",
    "secretKey": "alice/secret+key/0123456789",
    "canonicalId": "a1" * 32,
    "displayName": "alice",
    "accountId": "111111111111",
    "email": "alice@example.com",
}
BOB = {
    "accessKey": "AKIABOB0000000000001",
    "secretKey": "bob/secret+key/0123456789",
    "canonicalId": "b0" * 32,
    "displayName": "bob",
    "accountId": "222222222222",
}
CAROL = {
    "accessKey": "ASIACAROL00000000001",
    "secretKey": "carol/secret+key/0123456789",
    "sessionToken": "carols-token",
}


@pytest.fixture(scope="session")
def credentials_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("credentials") / "credentials.json"
    path.write_text(json.dumps([ALICE, BOB, CAROL]), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def auth_server(credentials_path):
    """Authentication on: the three accounts above, private by default."""
    yield from own_server("--credentials", credentials_path)


@pytest.fixture(scope="session")
def limits_server():
    yield from own_server("--enforce-limits", "--max-object-size", "1MiB")


@pytest.fixture(scope="session")
def auto_bucket_server():
    yield from own_server("--auto-bucket")


@pytest.fixture
def s3(server):
    return client(server)


def as_user(running, user, **options):
    return client(
        running,
        user["accessKey"],
        user["secretKey"],
        aws_session_token=user.get("sessionToken"),
        **options,
    )


@pytest.fixture
def alice(auth_server):
    return as_user(auth_server, ALICE)


@pytest.fixture
def bob(auth_server):
    return as_user(auth_server, BOB)


@pytest.fixture
def carol(auth_server):
    return as_user(auth_server, CAROL)


@pytest.fixture
def anonymous(auth_server):
    return client(auth_server, key=None)


@pytest.fixture
def bucket(s3):
    name = unique()
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3):
    name = unique("v")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def alices_bucket(alice):
    name = unique("alice")
    alice.create_bucket(Bucket=name)
    return name
