# SPDX-License-Identifier: MIT
"""With credentials: who may use the admin endpoints, and what they show to who may not."""

import json
import re
from pathlib import Path

import pytest

from admin import admin_refused
from conftest import ALICE, BOB, CAROL, as_user
from harness import ROOT, http_request, keys_of, run_daemon, serving, unique
from sign import Signer, v2_headers, v2_query

pytestmark = pytest.mark.options

# Every endpoint, from the table that they are made of.
ROUTE = re.compile(r'^ROUTE\((\w+),\s*"([^"]+)",\s*\w+,\s*\w+,\s*"[^"]*",\s*([^)]*)\)', re.M)
ROUTES = ROUTE.findall((ROOT / "src/admin/admin.def").read_text())
CLOSED = [(method, path) for method, path, flags in ROUTES if "OPEN" not in flags]
OPEN = [(method, path) for method, path, flags in ROUTES if "OPEN" in flags]


def file_of(tmp_path, *entries):
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps(entries))
    path.chmod(0o600)
    return path


def signed(server, user, method, target, body=b""):
    headers = Signer(user, f"127.0.0.1:{server.port}").headers(method, target, body=body)
    return http_request(server, method, target, headers=headers, body=body)


def may_not(reply):
    admin_refused(reply, 403, "AccessDenied")
    assert '"admin": true' in reply.json["error"]["message"], reply.text


def test_the_table_was_read():
    assert len(CLOSED) > 30 and ("POST", "/_s3mem/clear") in CLOSED
    # What is open: is it there, and what could one ask. No names, no numbers of anybody's.
    assert {path for _, path in OPEN} == {
        "/_s3mem/", "/_s3mem/ca.pem", "/_s3mem/health", "/health", "/healthz", "/_localstack/plugins", "/_s3mem/openapi.json", "/_localstack/health", "/_localstack/info",
        "/_localstack/init", "/_localstack/init/*", "/minio/health/live", "/minio/health/ready"}


def test_other_keys_get_403_everywhere(auth_server, alice, alices_bucket):
    """Alice stands first in the file and nobody is marked: she administers, Bob and Carol do not."""
    alice.put_object(Bucket=alices_bucket, Key="k", Body=b"hers")
    for method, path in CLOSED:
        target = path.replace("*", "x")
        may_not(signed(auth_server, BOB, method, target))
        may_not(signed(auth_server, CAROL, method, target))
        may_not(http_request(auth_server, method, Signer(BOB, f"127.0.0.1:{auth_server.port}").presign(method, target)))
        admin_refused(http_request(auth_server, method, target), 403, "AccessDenied")
    assert signed(auth_server, BOB, "HEAD", "/_s3mem/stats").status == 403
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == ["k"]
    assert signed(auth_server, ALICE, "GET", "/_s3mem/stats").status == 200


def test_nobody_marked_is_told_once(credentials_path):
    with serving("--credentials", credentials_path) as server:
        for _ in range(3):
            signed(server, ALICE, "GET", "/_s3mem/stats")
        told = [line for line in server.stderr().splitlines() if '"admin": true' in line]
        assert len(told) == 1 and ALICE["accessKey"] in told[0]


def test_marked_ones_administer(tmp_path):
    marked = {**BOB, "admin": True}
    with serving("--credentials", file_of(tmp_path, {**ALICE, "admin": False}, marked, {**CAROL, "admin": True})) as server:
        for user in (BOB, CAROL):
            assert signed(server, user, "GET", "/_s3mem/stats").status == 200
        may_not(signed(server, ALICE, "POST", "/_s3mem/clear"))
        assert '"admin"' not in server.stderr()
        # What --bucket makes belongs to the first who administers.
    with serving("--bucket", "made", "--credentials", file_of(tmp_path, ALICE, marked)) as server:
        assert [b["Name"] for b in as_user(server, BOB).list_buckets()["Buckets"]] == ["made"]


def test_access_key_comes_first(tmp_path):
    """--access-key stands before the file's entries: it administers while none of them is marked."""
    options = ["--access-key", CAROL["accessKey"], "--secret-key", CAROL["secretKey"]]
    carol = {k: v for k, v in CAROL.items() if k != "sessionToken"}
    with serving(*options, "--credentials", file_of(tmp_path, ALICE, BOB)) as server:
        assert signed(server, carol, "GET", "/_s3mem/stats").status == 200
        may_not(signed(server, ALICE, "GET", "/_s3mem/stats"))
    with serving(*options, "--credentials", file_of(tmp_path, ALICE, {**BOB, "admin": True})) as server:
        assert signed(server, BOB, "GET", "/_s3mem/stats").status == 200
        may_not(signed(server, carol, "GET", "/_s3mem/stats"))
        may_not(signed(server, ALICE, "GET", "/_s3mem/stats"))
    with serving(*options) as server:
        assert signed(server, carol, "GET", "/_s3mem/stats").status == 200


@pytest.mark.parametrize("value", ["yes", 1, None, [], {}])
def test_admin_is_a_truth_value(tmp_path, value):
    path = file_of(tmp_path, ALICE, {**BOB, "admin": value})
    ended = run_daemon("--credentials", path)
    assert ended.returncode == 2
    assert str(path) in ended.stderr and "entry 2" in ended.stderr and '"admin"' in ended.stderr


def test_signature_version_2_does_not_administer(auth_server, alice, alices_bucket):
    """It does not cover the query: who sees POST clear?bucket=b could send POST clear."""
    alice.put_object(Bucket=alices_bucket, Key="k", Body=b"hers")
    for method, target in (("GET", "/_s3mem/stats"), ("POST", "/_s3mem/clear?bucket=none")):
        path = target.partition("?")[0]
        reply = http_request(auth_server, method, target, headers=v2_headers(ALICE, method, path))
        admin_refused(reply, 403, "AccessDenied")
        assert "Version 4" in reply.json["error"]["message"]
        query = v2_query(ALICE, method, path, 2_000_000_000)
        reply = http_request(auth_server, method, target + ("&" if "?" in target else "?") + query)
        admin_refused(reply, 403, "AccessDenied")
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == ["k"]


def test_what_is_open_shows_nothing(auth_server, alice):
    bucket = unique("secretly")
    alice.create_bucket(Bucket=bucket)
    for method, path in OPEN:
        reply = http_request(auth_server, method, path.replace("*", "ready"))
        # There is an authority only with --tls-self-signed.
        assert reply.status == (404 if path.endswith("/ca.pem") else 200), (path, reply)
        for secret in (bucket, ALICE["accessKey"], ALICE["secretKey"], "alice"):
            assert secret not in reply.text, path


def test_help_tells():
    assert '"admin": true' in run_daemon("--help").stdout.replace("\n", " ").replace("  ", "")
    for page in ("s3memd.8", "s3memd.conf.5", "s3memd-admin.7", "s3memctl.1"):
        assert "admin" in Path(ROOT / "man" / page).read_text(), page
