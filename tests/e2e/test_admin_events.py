# SPDX-License-Identifier: MIT
"""GET events: server-sent events of what S3 clients do."""

import http.client
import json
import socket
import threading
import urllib.parse

import pytest

from admin import admin, admin_refused, ok
from harness import SLOW, Server, client, eventually, http_request, refused, serving, unique


@pytest.fixture(scope="module")
def own():
    with serving() as server:
        yield server


class Follower:
    """Reads events as a browser's EventSource does (WHATWG HTML, "Server-sent events")."""

    def __init__(self, server, last_event_id=None, **query):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20 * SLOW)
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        target = "/_s3mem/events" + ("?" + urllib.parse.urlencode(query) if query else "")
        self.connection.request("GET", target, headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        assert self.response.getheader("Content-Type") == "text/event-stream"
        assert self.response.getheader("Cache-Control") == "no-cache"
        self.retry = None
        self.last_id = None
        self.next_block()
        assert self.retry == 1000

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def next_block(self):
        """Fields up to the next blank line."""
        fields = {}
        while True:
            line = self.response.readline().decode("utf-8")
            assert line.endswith("\n"), f"the stream ended: {line!r}"
            line = line.rstrip("\n")
            if not line:
                return fields
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "retry":
                self.retry = int(value)
            elif name:
                assert name in ("id", "event", "data") and name not in fields, line
                fields[name] = value

    def next(self):
        """(id, type, data)"""
        fields = self.next_block()
        self.last_id = int(fields["id"])
        return self.last_id, fields["event"], json.loads(fields["data"])

    def take(self, count):
        return [self.next() for _ in range(count)]


def test_the_life_of_a_request(own):
    s3 = client(own)
    name = unique()
    with Follower(own, bucket=name) as f:
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="a ä", Body=b"12345")
        events = f.take(6)
    assert [e[1] for e in events] == [
        "command.request", "command.response", "createBucket",
        "command.request", "command.response", "putObject"]
    ids = [e[0] for e in events]
    assert ids == list(range(ids[0], ids[0] + 6))
    begun, ended, done = (e[2] for e in events[3:])
    request = ok(admin(own, "GET", "requests", bucket=name, limit=1))["requests"][0]
    for field in ["id", "requestId", "time", "operation", "bucket", "key", "branch", "method",
                  "target", "remote"]:
        assert begun[field] == ended[field] == request[field], field
    assert begun["key"] == "a ä" and "status" not in begun
    for field in ["status", "code", "bytesIn", "bytesOut", "durationMs", "aborted"]:
        assert ended[field] == request[field], field
    assert done == {k: ended[k] for k in ["operation", "bucket", "key", "branch", "requestId", "time",
                                          "bytesIn", "bytesOut", "durationMs"]}


def test_listings_have_memoryclients_name(own):
    s3 = client(own)
    name = unique()
    s3.create_bucket(Bucket=name)
    with Follower(own, bucket=name, type="listObjects") as f, \
         Follower(own, bucket=name, type="ListObjectsV2") as newer:
        s3.list_objects(Bucket=name)
        s3.list_objects_v2(Bucket=name)
        assert [(e[1], e[2]["operation"]) for e in f.take(2)] == [
            ("listObjects", "ListObjects"), ("listObjects", "ListObjectsV2")]
        assert newer.next()[2]["operation"] == "ListObjectsV2"


def test_unknown_names_are_refused(own):
    for query, field in [({"type": "putObjct"}, "type"), ({"type": "putObject,lost"}, "type"),
                         ({"operation": "putObjct"}, "operation"), ({"lastEventId": "x"}, "lastEventId")]:
        admin_refused(admin(own, "GET", "events", **query), 400, "InvalidArgument", field)


def test_failures_have_no_event_of_their_own(own):
    s3 = client(own)
    name = unique()
    s3.create_bucket(Bucket=name)
    with Follower(own, bucket=name) as f:
        with refused("NoSuchKey"):
            s3.get_object(Bucket=name, Key="none")
        s3.delete_object(Bucket=name, Key="none")
        events = f.take(5)
    assert [e[1] for e in events] == ["command.request", "command.response",
                                     "command.request", "command.response", "deleteObject"]
    assert (events[1][2]["status"], events[1][2]["code"]) == (404, "NoSuchKey")


def test_filters(own):
    s3 = client(own)
    name = unique()
    s3.create_bucket(Bucket=name)
    with Follower(own, bucket=name, type="putObject,deleteObjects", key="in/*") as keyed, \
         Follower(own, bucket=name, operation="deleteobject", type="command.response") as ended, \
         Follower(own, branch="nobody's") as nothing:
        s3.put_object(Bucket=name, Key="out/1", Body=b"")
        s3.put_object(Bucket=name, Key="in/1", Body=b"")
        s3.delete_object(Bucket=name, Key="in/1")
        s3.put_object(Bucket=name, Key="in/2", Body=b"")
        assert [e[2]["key"] for e in keyed.take(2)] == ["in/1", "in/2"]
        assert [e[2]["operation"] for e in ended.take(1)] == ["DeleteObject"]
        nothing.response.fp.raw._sock.settimeout(0.3)
        with pytest.raises((TimeoutError, socket.timeout)):
            nothing.next()


def test_resumes(own):
    s3 = client(own)
    name = unique()
    with Follower(own, bucket=name) as f:
        s3.create_bucket(Bucket=name)
        f.take(2)
        seen = f.last_id
    s3.head_bucket(Bucket=name)
    with Follower(own, last_event_id=seen, bucket=name) as f:
        assert [e[1] for e in f.take(4)] == ["createBucket", "command.request", "command.response",
                                            "headBucket"]
    with Follower(own, bucket=name, lastEventId=seen) as f:
        assert f.next()[0] == seen + 1
    admin_refused(admin(own, "GET", "events", lastEventId="x"), 400, "InvalidArgument", "lastEventId")
    admin_refused(admin(own, "GET", "events", headers={"Last-Event-ID": "x"}), 400,
                  "InvalidArgument", "Last-Event-ID")


@pytest.mark.options
def test_a_slow_reader_is_told_what_it_lost():
    with serving("--journal", "20") as server, Follower(server) as slow:
        assert ok(admin(server, "GET", "stats"))["events"] == {"subscribers": 1, "lost": 0}
        # A socket that nobody reads from, until all buffers between are full many times over.
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        target = "/" + "x" * 3 + "?" + "y" * 6000
        for _ in range(3000):
            connection.request("GET", target)
            connection.getresponse().read()
        connection.close()
        expected, lost = 1, 0
        while expected <= 6000:
            number, kind, data = slow.next()
            if kind == "lost":
                expected += data["lost"]
                lost += data["lost"]
                assert number == expected - 1
            else:
                assert number == expected
                expected += 1
        assert lost > 0
        assert ok(admin(server, "GET", "stats"))["events"] == {"subscribers": 1, "lost": lost}
        slow.connection.close()
        slow.response.close()

        def left():
            http_request(server, "GET", "/")  # what is sent to the reader tells that it left
            return ok(admin(server, "GET", "stats"))["events"]["subscribers"] == 0

        eventually(left)


def test_many_followers_under_load(own):
    """Each sees every event of its bucket, in order."""
    s3 = client(own)
    name = unique()
    s3.create_bucket(Bucket=name)
    followers = [Follower(own, bucket=name, type="putObject") for _ in range(10)]
    seen = [[] for _ in followers]

    def follow(f, into):
        into.extend(e[2]["key"] for e in f.take(200))

    readers = [threading.Thread(target=follow, args=pair) for pair in zip(followers, seen)]
    for r in readers:
        r.start()
    for i in range(200):
        s3.put_object(Bucket=name, Key=f"{i:03}", Body=b"x")
    for r in readers:
        r.join(60 * SLOW)
    for keys in seen:
        assert keys == [f"{i:03}" for i in range(200)]
    for f in followers:
        f.connection.close()


def test_head(own):
    reply = http_request(own, "HEAD", "/_s3mem/events")
    assert reply.status == 200 and reply.headers["content-type"] == "text/event-stream"
    assert reply.body == b""


def test_secrets_are_masked(own):
    name = unique()
    with Follower(own, bucket=name) as f:
        http_request(own, "GET", f"/{name}/k?X-Amz-Signature=5ecret&X-Amz-Security-Token=5ecret",
                     headers={"Authorization": "AWS key:5ecret"})
        for _, _, data in f.take(2):
            assert "5ecret" not in json.dumps(data)
            assert data["target"].endswith("?X-Amz-Signature=***&X-Amz-Security-Token=***")


@pytest.mark.options
def test_a_server_that_stops_ends_its_streams():
    server = Server()
    f = Follower(server)
    server.stop()
    assert f.response.readline() == b""
    f.connection.close()
