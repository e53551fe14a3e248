# SPDX-License-Identifier: MIT
"""The journal: GET and DELETE requests, as test authors use them."""

import concurrent.futures
import http.client
import json
import socket
import threading
import time
import urllib.parse

import pytest

from admin import admin, admin_refused, ok
from conftest import ALICE, CAROL, as_user
from harness import client, http_request, refused, serving, unique
from sign import Signer


@pytest.fixture(scope="module")
def own():
    """Its journal is ours alone; each test marks where it begins."""
    with serving() as server:
        yield server


@pytest.fixture
def since(own):
    """The id of the last request before this test."""
    return ok(admin(own, "GET", "requests", limit=0))["last"]


def requests_of(server, **query):
    return ok(admin(server, "GET", "requests", **query))["requests"]


def test_what_was_asked_is_there_at_once(own, since):
    s3 = client(own)
    name = unique()
    s3.create_bucket(Bucket=name)
    for i in range(20):
        key = f"k{i}"
        s3.put_object(Bucket=name, Key=key, Body=b"12345")
        newest = requests_of(own, since=since, limit=1)[0]
        assert (newest["operation"], newest["bucket"], newest["key"]) == ("PutObject", name, key)
    assert newest["status"] == 200 and newest["code"] is None and newest["aborted"] is False
    assert newest["bytesIn"] >= 5 and newest["bytesOut"] == 0 and newest["durationMs"] > 0
    assert newest["method"] == "PUT" and newest["target"] == f"/{name}/k19"
    assert newest["branch"] == "main" and newest["remote"].startswith("127.0.0.1:")
    assert newest["headers"]["host"] == f"127.0.0.1:{own.port}"
    assert "Boto3" in newest["headers"]["user-agent"]
    assert newest["id"] == since + 21


def test_reply_names_the_request(own):
    reply = http_request(own, "GET", f"/{unique()}/nothing")
    newest = requests_of(own, limit=1)[0]
    assert newest["requestId"] == reply.headers["x-amz-request-id"]
    assert (newest["status"], newest["code"]) == (404, "NoSuchBucket")
    assert newest["bytesOut"] == len(reply.body)


def test_filters(own, since):
    s3 = client(own)
    name = unique()
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="logs/2026/a", Body=b"")
    s3.put_object(Bucket=name, Key="data/ä ö", Body=b"")
    s3.get_object(Bucket=name, Key="logs/2026/a")
    with refused("NoSuchKey"):
        s3.get_object(Bucket=name, Key="none")

    def found(**query):
        answer = ok(admin(own, "GET", "requests", since=since, **query))
        assert answer["matched"] == len(answer["requests"]) and not answer["timedOut"]
        return [(r["operation"], r["key"]) for r in answer["requests"]]

    assert found(operation="putobject") == [("PutObject", "data/ä ö"), ("PutObject", "logs/2026/a")]
    assert found(operation="GetObject", status="4xx") == [("GetObject", "none")]
    assert found(key="logs/*/?") == [("GetObject", "logs/2026/a"), ("PutObject", "logs/2026/a")]
    assert found(key="data/ä*") == [("PutObject", "data/ä ö")]
    assert found(code="NoSuchKey") == [("GetObject", "none")]
    assert found(bucket=name, operation="CreateBucket,DeleteBucket") == [("CreateBucket", None)]
    assert found(bucket="another") == []
    assert len(found(status="200,404")) == 5
    answer = ok(admin(own, "GET", "requests", since=since, limit=2))
    assert answer["matched"] == 5 and len(answer["requests"]) == 2


def test_by_branch(own, since):
    assert admin(own, "POST", "branches", {"name": "u=1@x~y"}).status == 201
    s3 = client(own, key="u=1@x~y")
    name = unique()
    s3.create_bucket(Bucket=name)
    s3.head_bucket(Bucket=name)
    found = requests_of(own, since=since, branch="u=1@x~y")
    assert [r["operation"] for r in found] == ["HeadBucket", "CreateBucket"]
    assert {r["accessKey"] for r in found} == {"u=1@x~y"}
    assert requests_of(own, since=since, branch="main") == []


def test_since_a_time(own):
    now = ok(admin(own, "GET", "clock"))["now"]
    http_request(own, "GET", "/")
    found = requests_of(own, since=now)
    assert [r["operation"] for r in found] == ["ListBuckets"]
    assert requests_of(own, since="2999-01-01T00:00:00Z") == []


def test_wrong_questions(own):
    for query, field in [
        ({"status": "4x"}, "status"),
        ({"operation": "PutObject,PutObjct"}, "operation"),
        ({"since": "soon"}, "since"),
        ({"limit": "ten"}, "limit"),
        ({"wait": "5"}, "wait"),
        ({"wait": "11m"}, "wait"),
        ({"count": "2"}, "count"),
        ({"wait": "1s", "count": "1001"}, "count"),
        ({"colour": "red"}, "colour"),
        ({"key": "*" * 2050}, "key"),
    ]:
        admin_refused(admin(own, "GET", "requests", **query), 400, "InvalidArgument", field)
    reply = admin(own, "POST", "requests")
    admin_refused(reply, 405, "MethodNotAllowed")
    assert reply.headers["allow"] == "GET, HEAD, DELETE"


# ---- waiting ------------------------------------------------------------------------------------


def test_waits_until_it_happened(own, since):
    """What the journal is for: "the upload happened", without sleeping."""
    s3 = client(own)
    name = unique()
    s3.create_bucket(Bucket=name)

    def upload():
        for i in range(3):
            time.sleep(0.1)
            s3.put_object(Bucket=name, Key=f"k{i}", Body=b"x")

    worker = threading.Thread(target=upload)
    worker.start()
    answer = ok(admin(own, "GET", "requests", bucket=name, operation="PutObject", wait="10m", count="3"))
    worker.join()
    assert answer["matched"] == 3 and answer["timedOut"] is False
    assert [r["key"] for r in answer["requests"]] == ["k2", "k1", "k0"]
    # It is there already.
    assert ok(admin(own, "GET", "requests", bucket=name, key="k1", wait="10m"))["matched"] == 1


def test_waits_no_longer_than_told(own):
    started = time.monotonic()
    answer = ok(admin(own, "GET", "requests", bucket=unique(), wait="300ms"))
    assert answer["timedOut"] is True and answer["requests"] == [] and answer["matched"] == 0
    assert time.monotonic() - started > 0.29


def test_many_wait_and_nobody_is_held_up(own):
    s3 = client(own)
    names = [unique() for _ in range(30)]
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        waiting = [
            pool.submit(admin, own, "GET", "requests", bucket=name, operation="CreateBucket", wait="10m")
            for name in names
        ]
        for name in names:
            s3.create_bucket(Bucket=name)
        for name, reply in zip(names, waiting):
            assert [r["bucket"] for r in ok(reply.result())["requests"]] == [name]


def test_who_waits_may_leave(own):
    """A client that goes away while it waits; the next request must not wake what is gone."""
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", own.port)) as s:
            s.sendall(b"GET /_s3mem/requests?wait=30s&bucket=none HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(0.01)
        http_request(own, "GET", "/")
    assert own.alive()


def test_forgotten(own):
    http_request(own, "GET", "/")
    assert admin(own, "DELETE", "requests").status == 204
    answer = ok(admin(own, "GET", "requests"))
    assert answer["requests"] == [] and answer["matched"] == 0
    http_request(own, "GET", "/")
    assert len(requests_of(own)) == 1


def test_only_s3_requests(own, since):
    admin(own, "GET", "stats")
    http_request(own, "GET", "/_localstack/health")
    assert requests_of(own, since=since) == []


# ---- options ------------------------------------------------------------------------------------


@pytest.mark.options
def test_small_journal():
    with serving("--journal", "3") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for i in range(5):  # on one connection they end in this order, too
            connection.request("GET", f"/bucket/{i}")
            connection.getresponse().read()
        connection.close()
        assert [r["key"] for r in requests_of(server)] == ["4", "3", "2"]
        assert ok(admin(server, "GET", "stats"))["journal"].items() >= {"capacity": 3, "size": 3}.items()


@pytest.mark.options
def test_journal_off():
    with serving("--journal", "0") as server:
        http_request(server, "GET", "/")
        for method, path in [("GET", "requests"), ("DELETE", "requests"), ("GET", "events")]:
            admin_refused(admin(server, method, path), 409, "JournalOff")
        stats = ok(admin(server, "GET", "stats"))
        assert stats["requests"]["total"] == 1 and stats["journal"] == {
            "capacity": 0, "size": 0, "bytes": 0, "limit": 0,
        }


# ---- secrets ------------------------------------------------------------------------------------


def test_secrets_are_masked(own):
    """Signatures, tokens and customer keys of every way to send them; see also the unit test."""
    s3 = client(own, aws_session_token="TOKEN-0123456789", config={"signature_version": "s3v4"})
    name = unique()
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="v4", Body=b"x")
    url = s3.generate_presigned_url("get_object", {"Bucket": name, "Key": "v4"})
    v4 = urllib.parse.urlsplit(url)
    assert http_request(own, "GET", f"{v4.path}?{v4.query}").status == 200
    old = client(own, config={"signature_version": "s3"})
    old.head_object(Bucket=name, Key="v4")
    url = old.generate_presigned_url("get_object", {"Bucket": name, "Key": "v4"})
    v2 = urllib.parse.urlsplit(url)
    assert http_request(own, "GET", f"{v2.path}?{v2.query}").status == 200
    http_request(own, "GET", f"/{name}/v4", headers={
        "x-amz-server-side-encryption-customer-key": "CUSTOMER-KEY",
        "x-amz-copy-source-server-side-encryption-customer-key": "CUSTOMER-KEY",
        "Cookie": "session=CUSTOMER-KEY",
        "x-amz-mfa": "arn:aws:iam::123456789012:mfa/user CUSTOMER-KEY",
    })
    http_request(own, "GET", f"http://user:CUSTOMER-KEY@localhost/{name}/v4?authorization=CUSTOMER-KEY",
                 headers={"Host": "localhost",
                          "Referer": "http://user:CUSTOMER-KEY@localhost/?Signature=CUSTOMER-KEY"})

    found = requests_of(own, bucket=name, limit=1000)
    text = json.dumps(found)
    v4_query = dict(urllib.parse.parse_qsl(v4.query))
    v2_query = dict(urllib.parse.parse_qsl(v2.query))
    for secret in [
        "TOKEN-0123456789",
        "CUSTOMER-KEY",
        v4_query["X-Amz-Signature"],
        v2_query["Signature"],
        urllib.parse.quote(v2_query["Signature"], safe=""),
    ]:
        assert secret not in text
    signed = [r["headers"]["authorization"] for r in found if "authorization" in r["headers"]]
    assert any(a.startswith("AWS4-HMAC-SHA256 Credential=AKIA") for a in signed)
    assert all(a.endswith("Signature=***") or a == "***" for a in signed)
    assert "***" in signed  # SigV2
    assert any("X-Amz-Signature=***" in r["target"] for r in found)
    assert any("Signature=***&" in r["target"] or r["target"].endswith("Signature=***") for r in found)


# ---- credentials --------------------------------------------------------------------------------


def test_needs_a_signature(auth_server):
    for method, path in [("GET", "requests"), ("DELETE", "requests"), ("GET", "events"),
                         ("GET", "stats"), ("GET", "metrics")]:
        admin_refused(admin(auth_server, method, path), 403, "AccessDenied")
    signer = Signer(ALICE, f"127.0.0.1:{auth_server.port}")
    target = "/_s3mem/requests?limit=5"
    reply = http_request(auth_server, "GET", target, headers=signer.headers("GET", target))
    assert reply.status == 200, reply


def test_access_key_of_who_asked(auth_server):
    carol = as_user(auth_server, CAROL)
    carol.list_buckets()
    signer = Signer(ALICE, f"127.0.0.1:{auth_server.port}")
    target = "/_s3mem/requests?operation=ListBuckets&limit=1"
    reply = http_request(auth_server, "GET", target, headers=signer.headers("GET", target))
    newest = reply.json["requests"][0]
    assert newest["accessKey"] == CAROL["accessKey"]
    assert CAROL["sessionToken"] not in reply.text
