# SPDX-License-Identifier: MIT
"""GET events: server-sent events of what S3 clients do."""

import contextlib
import http.client
import json
import pathlib
import selectors
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
        assert ok(admin(server, "GET", "stats"))["events"].items() >= {"subscribers": 1, "lost": 0}.items()
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
        assert ok(admin(server, "GET", "stats"))["events"].items() >= {"subscribers": 1, "lost": lost}.items()
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


# ---- what followers cost those who only send requests ----------------------------------------------

class Herd:
    """So many followers on raw sockets, which read and drop when told to."""

    def __init__(self, server, count, query=""):
        self.sockets = []
        for i in range(count):
            s = socket.create_connection(("127.0.0.1", server.port), timeout=20 * SLOW)
            target = "/_s3mem/events" + query.replace("%d", str(i))
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            self.sockets.append(s)
        for s in self.sockets:
            assert b"200 OK" in s.recv(4096)

    def __enter__(self):
        self.ends = threading.Event()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        return self

    def read(self):
        with selectors.EpollSelector() as chosen:
            for s in self.sockets:
                s.setblocking(False)
                chosen.register(s, selectors.EVENT_READ)
            while not self.ends.is_set():
                for key, _ in chosen.select(0.05):
                    with contextlib.suppress(BlockingIOError):
                        key.fileobj.recv(1 << 18)

    def __exit__(self, *_):
        self.ends.set()
        self.reader.join()
        for s in self.sockets:
            s.close()


def cpu_of_requests(server, count):
    """CPU seconds of the server for so many GETs, asked in bursts on one connection."""
    def spent():
        tasks = pathlib.Path(f"/proc/{server.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    request = b"GET /bench/key HTTP/1.1\r\nHost: localhost\r\n\r\n"
    before = spent()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60 * SLOW) as s:
        for _ in range(count // 50):
            s.sendall(request * 50)
            answers = b""
            while answers.count(b"HTTP/1.1 200 OK") < 50 or not answers.endswith(b"the body"):
                answers += s.recv(1 << 16)
    return spent() - before


@pytest.mark.options
@pytest.mark.parametrize("count,query,most", [
    (300, "?bucket=nothing", 1.6),       # one filter for all
    (300, "?bucket=nothing-%d", 1.6),    # each its own
    (300, "?key=%d-*-nothing", 2.5),     # each its own, and each key is looked at
    (300, "", 2.5),                      # everything: they fall behind
])
def test_followers_do_not_slow_requests_down(count, query, most):
    """Were each of three hundred woken for each event, a request would cost twenty times as much."""
    with serving("--threads", "1", "--bucket", "bench", "--connection-limit", "600") as server:
        client(server).put_object(Bucket="bench", Key="key", Body=b"the body")
        cpu_of_requests(server, 500)
        alone = min(cpu_of_requests(server, 4000) for _ in range(3))
        with Herd(server, count, query):
            beside = min(cpu_of_requests(server, 4000) for _ in range(3))
        assert beside < most * alone, f"{beside:.3f} s beside followers, {alone:.3f} s without"


@pytest.mark.options
def test_many_who_wait_for_requests_slow_nobody_down():
    with serving("--threads", "1", "--bucket", "bench", "--connection-limit", "600") as server:
        client(server).put_object(Bucket="bench", Key="key", Body=b"the body")
        cpu_of_requests(server, 500)
        alone = min(cpu_of_requests(server, 4000) for _ in range(3))
        waiting = []
        for i in range(300):
            s = socket.create_connection(("127.0.0.1", server.port), timeout=60 * SLOW)
            s.sendall(f"GET /_s3mem/requests?wait=9m&bucket=b{i % 3} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                      .encode())
            waiting.append(s)
        beside = min(cpu_of_requests(server, 4000) for _ in range(3))
        assert beside < 1.6 * alone, f"{beside:.3f} s beside waiters, {alone:.3f} s without"
        # They are still there, and hear of what they wait for.
        http_request(server, "GET", "/b1/k")
        for i, s in enumerate(waiting):
            if i % 3 == 1:
                told = b""
                while b'"bucket":"b1"' not in told:
                    told += (more := s.recv(1 << 16))
                    assert more, told
            s.close()


def test_events_to_one_follower_come_in_order_and_whole(own):
    """Batches lose nothing as long as the reader keeps up."""
    name = unique()
    client(own).create_bucket(Bucket=name)
    with Follower(own, bucket=name, type="headBucket") as f:
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(f.take(200)))
        reader.start()
        for _ in range(200):
            http_request(own, "HEAD", f"/{name}")
        reader.join(60 * SLOW)
        numbers = [e[0] for e in seen]
        assert len(numbers) == 200 and numbers == sorted(set(numbers))
