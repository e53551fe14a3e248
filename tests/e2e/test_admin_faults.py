# SPDX-License-Identifier: MIT
"""Injected failures, and what real clients make of them."""

import concurrent.futures
import contextlib
import http.client
import time

import botocore.exceptions
import pytest

from admin import admin, admin_refused, ok
from harness import (PATIENCE, client, connect, eventually, http_request, in_flight, is_error,
                     keys_of, refused, serving)

BODY = bytes(range(256)) * 400  # 100 KiB


@pytest.fixture(scope="module")
def faulty():
    """A server of this module's own: its faults must hit nobody else."""
    with serving("--bucket", "bkt") as server:
        http_request(server, "PUT", "/bkt/k", body=BODY)
        yield server


@pytest.fixture(autouse=True)
def no_faults_left(faulty):
    yield
    ok(admin(faulty, "DELETE", "faults"), 204)


def rules(server, *list_of_rules, **more):
    return ok(admin(server, "PUT", "faults", {"rules": list(list_of_rules), **more}))["rules"]


def fired(server):
    return [(r["matched"], r["fired"]) for r in ok(admin(server, "GET", "faults"))["rules"]]


def s3_of(server, attempts=1, mode="standard", **config):
    config.setdefault("read_timeout", PATIENCE)
    return client(server, config={"retries": {"total_max_attempts": attempts, "mode": mode},
                                  **config})


# ---- errors -------------------------------------------------------------------------------------


def test_an_error_is_answered_and_nothing_done(faulty):
    s3 = s3_of(faulty)
    rules(faulty, {"operation": "PutObject", "error": "InternalError"})
    with refused("InternalError", 500):
        s3.put_object(Bucket="bkt", Key="never", Body=b"x")
    ok(admin(faulty, "DELETE", "faults"), 204)
    assert "never" not in keys_of(s3.list_objects_v2(Bucket="bkt"))


def test_errors_are_s3_error_documents(faulty):
    rules(faulty, {"operation": "GetObject", "error": "SlowDown", "retryAfter": 7},
          {"operation": "HeadObject", "error": "NoSuchKey"})
    reply = is_error(http_request(faulty, "GET", "/bkt/k"), "SlowDown", 503)
    assert reply.headers["retry-after"] == "7"
    head = http_request(faulty, "HEAD", "/bkt/k")
    assert head.status == 404 and head.body == b""
    # Not the other operations.
    assert http_request(faulty, "GET", "/bkt").status == 200


@pytest.mark.parametrize("mode", ["standard", "adaptive", "legacy"])
def test_sdk_retries_slow_down(faulty, mode):
    """Two refusals, then success: three attempts in the journal."""
    ok(admin(faulty, "DELETE", "requests"), 204)
    rules(faulty, {"operation": "PutObject", "error": "SlowDown", "times": 2})
    s3_of(faulty, attempts=5, mode=mode).put_object(Bucket="bkt", Key=f"retried-{mode}", Body=b"x")
    seen = ok(admin(faulty, "GET", "requests", operation="PutObject"))["requests"]
    assert [(r["status"], r["code"]) for r in seen] == [
        (200, None), (503, "SlowDown"), (503, "SlowDown")]
    assert fired(faulty) == [(3, 2)]


def test_after_times_and_order(faulty):
    rules(faulty, {"operation": "GetObject", "after": 1, "times": 2, "error": "InternalError"},
          {"operation": ["GetObject", "HeadObject"], "after": 3, "error": "SlowDown"})
    statuses = [http_request(faulty, "GET", "/bkt/k").status for _ in range(5)]
    # The second rule counts only what the first one let pass: requests 1, 4 and 5.
    assert statuses == [200, 500, 500, 200, 200]
    assert http_request(faulty, "GET", "/bkt/k").status == 503
    assert fired(faulty) == [(6, 2), (4, 1)]


def test_matching(faulty):
    ok(admin(faulty, "POST", "branches", {"name": "other"}), 201)
    cases = [
        ({"bucket": "bkt"}, [503, 503, 503], "bucket"),
        ({"key": "k"}, [503, 200, 503], "key"),
        ({"key": "*a*/?.txt"}, [200, 503, 200], "pattern"),
        ({"branch": "other"}, [200, 200, 503], "branch"),
        ({"operation": "getobject"}, [503, 503, 503], "any case"),
        ({"bucket": "elsewhere"}, [200, 200, 200], "other bucket"),
    ]
    http_request(faulty, "PUT", "/bkt/data/1.txt", body=b"x")
    for match, expected, what in cases:
        rules(faulty, {**match, "error": "SlowDown"})
        got = [http_request(faulty, "GET", target, headers=headers).status for target, headers in (
            ("/bkt/k", {}), ("/bkt/data/1.txt", {}), ("/bkt/k", {"x-s3mem-branch": "other"}))]
        assert got == expected, what
        ok(admin(faulty, "DELETE", "faults"), 204)
    ok(admin(faulty, "DELETE", "branches/other"), 204)


def test_probability_is_repeatable(faulty):
    def statuses(seed):
        rules(faulty, {"operation": "GetObject", "probability": 0.3, "error": "SlowDown"},
              seed=seed)
        return [http_request(faulty, "GET", "/bkt/k").status for _ in range(60)]

    first = statuses(7)
    assert statuses(7) == first
    assert statuses(8) != first
    assert 5 < first.count(503) < 35
    rules(faulty, {"probability": 0, "error": "SlowDown"})
    assert http_request(faulty, "GET", "/bkt/k").status == 200


# ---- time ---------------------------------------------------------------------------------------


def timed(call):
    start = time.monotonic()
    result = call()
    return result, time.monotonic() - start


def test_latency(faulty):
    rules(faulty, {"operation": "GetObject", "latency": "200ms"},
          {"operation": "HeadObject", "latency": {"min": 50, "max": "100ms"}})
    reply, seconds = timed(lambda: http_request(faulty, "GET", "/bkt/k"))
    assert reply.body == BODY and seconds >= 0.2
    _, seconds = timed(lambda: http_request(faulty, "HEAD", "/bkt/k"))
    assert seconds >= 0.05


def test_latency_holds_no_thread(faulty):
    """Many more wait than there are threads; others are served meanwhile."""
    rules(faulty, {"operation": "GetObject", "latency": "10m"})
    with contextlib.ExitStack() as opened:
        for _ in range(64):
            waiting = opened.enter_context(connect(faulty))
            waiting.sendall(b"GET /bkt/k HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: in_flight(faulty) == 64)
        assert http_request(faulty, "HEAD", "/bkt/k").status == 200
        assert in_flight(faulty) == 64
    eventually(lambda: in_flight(faulty) == 0)


def test_a_late_error(faulty):
    rules(faulty, {"operation": "PutObject", "latency": "100ms", "error": "InternalError"})
    reply, seconds = timed(lambda: http_request(faulty, "PUT", "/bkt/late", body=b"x"))
    assert reply.code == "InternalError" and seconds >= 0.1
    assert http_request(faulty, "GET", "/bkt/late").status == 404


def test_read_timeout_and_retry(faulty):
    rules(faulty, {"operation": "GetObject", "latency": "10m", "times": 1})
    s3 = s3_of(faulty, attempts=2, read_timeout=3)
    assert s3.get_object(Bucket="bkt", Key="k")["Body"].read() == BODY
    assert fired(faulty) == [(2, 1)]


def test_bandwidth(faulty):
    rules(faulty, {"operation": ["GetObject", "PutObject"], "bandwidth": "256KiB"})
    reply, seconds = timed(lambda: http_request(faulty, "GET", "/bkt/k"))
    assert reply.body == BODY and seconds >= 0.25
    reply, seconds = timed(lambda: http_request(faulty, "PUT", "/bkt/slow", body=BODY))
    assert reply.status == 200 and seconds >= 0.25
    ok(admin(faulty, "DELETE", "faults"), 204)
    assert http_request(faulty, "GET", "/bkt/slow").body == BODY


def test_the_largest_latency_and_bandwidth(faulty):
    rules(faulty, {"operation": "GetObject", "latency": "365d", "times": 1},
          {"operation": "GetObject", "bandwidth": "1TiB"})
    with connect(faulty) as waiting:
        waiting.sendall(b"GET /bkt/k HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: fired(faulty) == [(1, 1), (0, 0)])
        assert http_request(faulty, "GET", "/bkt/k").body == BODY
        eventually(lambda: in_flight(faulty) == 1)  # the other one may still be on its way out
    eventually(lambda: in_flight(faulty) == 0)


def test_rules_that_go_leave_what_they_struck_as_it_is(faulty):
    """A request that is held keeps its fault: the latency, and the error behind it."""
    for take_away in (lambda id: ok(admin(faulty, "DELETE", f"faults/{id}"), 204),
                      lambda id: ok(admin(faulty, "DELETE", "faults"), 204), lambda id: rules(faulty)):
        rule, = rules(faulty, {"operation": "GetObject", "latency": "1s", "error": "SlowDown"})
        with concurrent.futures.ThreadPoolExecutor() as pool:
            held = pool.submit(timed, lambda: http_request(faulty, "GET", "/bkt/k"))
            eventually(lambda: fired(faulty) == [(1, 1)])
            take_away(rule["id"])
            assert http_request(faulty, "GET", "/bkt/k").status == 200
            reply, seconds = held.result()
        assert reply.code == "SlowDown" and seconds >= 1


# ---- connections and bodies ---------------------------------------------------------------------


def cut_put(server, key):
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        http_request(server, "PUT", f"/bkt/{key}", body=b"x")


def test_cut_in_place_of_the_request(faulty):
    rules(faulty, {"operation": "PutObject", "cut": "request"})
    cut_put(faulty, "cut-request")
    assert http_request(faulty, "GET", "/bkt/cut-request").status == 404


def test_cut_before_the_reply(faulty):
    rules(faulty, {"operation": "PutObject", "cut": "before"})
    cut_put(faulty, "cut-before")
    assert http_request(faulty, "GET", "/bkt/cut-before").status == 200


def test_a_reply_that_was_lost_is_asked_for_again(faulty):
    """The upload was carried out; its reply was not seen; the SDK puts it once more."""
    s3 = s3_of(faulty, attempts=3)
    s3.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
    rules(faulty, {"operation": "PutObject", "cut": "before", "times": 1})
    s3.put_object(Bucket="bkt", Key="twice", Body=b"x")
    versions = s3.list_object_versions(Bucket="bkt", Prefix="twice")["Versions"]
    assert len(versions) == 2
    s3.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Suspended"})


def test_cut_in_the_middle_of_the_body(faulty):
    rules(faulty, {"operation": "GetObject", "cut": "during", "times": 1})
    with pytest.raises(http.client.IncompleteRead) as caught:
        http_request(faulty, "GET", "/bkt/k")
    assert caught.value.partial == BODY[: len(BODY) // 2]
    rules(faulty, {"operation": "GetObject", "cut": "during"})
    with pytest.raises(botocore.exceptions.ResponseStreamingError):
        s3_of(faulty).get_object(Bucket="bkt", Key="k")["Body"].read()


def test_cut_after_the_reply(faulty):
    """The reply promises to go on; the pool finds the connection dead, at once or on its use."""
    rules(faulty, {"operation": "GetObject", "cut": "after"})
    s3 = s3_of(faulty, attempts=3)
    for _ in range(5):
        assert s3.get_object(Bucket="bkt", Key="k")["Body"].read() == BODY


def test_truncated_body(faulty):
    """A whole HTTP message with too few bytes: only the checksum tells."""
    rules(faulty, {"operation": "GetObject", "truncate": 1000})
    reply = http_request(faulty, "GET", "/bkt/k")
    assert reply.body == BODY[:1000] and reply.headers["content-length"] == "1000"
    with pytest.raises(botocore.exceptions.FlexibleChecksumError):
        s3_of(faulty).get_object(Bucket="bkt", Key="k")["Body"].read()
    rules(faulty, {"operation": "GetObject", "truncate": 0})
    assert http_request(faulty, "GET", "/bkt/k").body == b""


@pytest.mark.parametrize("corrupt, at", [(True, len(BODY) // 2), (0, 0), (77, 77),
                                         (len(BODY) - 1, len(BODY) - 1)])
def test_corrupted_body(faulty, corrupt, at):
    rules(faulty, {"operation": "GetObject", "corrupt": corrupt})
    body = http_request(faulty, "GET", "/bkt/k").body
    assert [i for i in range(len(BODY)) if body[i] != BODY[i]] == [at]
    with pytest.raises(botocore.exceptions.FlexibleChecksumError):
        s3_of(faulty).get_object(Bucket="bkt", Key="k")["Body"].read()
    # The object itself is as it was.
    ok(admin(faulty, "DELETE", "faults"), 204)
    assert http_request(faulty, "GET", "/bkt/k").body == BODY


def test_listings_can_be_spoiled_too(faulty):
    rules(faulty, {"operation": "ListObjectsV2", "truncate": 100})
    assert len(http_request(faulty, "GET", "/bkt?list-type=2").body) == 100


# ---- the rules ----------------------------------------------------------------------------------


def test_adding_and_removing(faulty):
    first = ok(admin(faulty, "POST", "faults", {"error": "SlowDown", "operation": "GetObject"}), 201)
    second = ok(admin(faulty, "POST", "faults", {"latency": 5}), 201)
    assert (first["matched"], first["fired"]) == (0, 0) and second["id"] > first["id"]
    listed = ok(admin(faulty, "GET", "faults"))
    assert [r["id"] for r in listed["rules"]] == [first["id"], second["id"]]
    ok(admin(faulty, "DELETE", f"faults/{first['id']}"), 204)
    assert [r["id"] for r in ok(admin(faulty, "GET", "faults"))["rules"]] == [second["id"]]
    admin_refused(admin(faulty, "DELETE", "faults/999999"), 404, "NoSuchRule", "id")
    admin_refused(admin(faulty, "DELETE", "faults/x"), 400, "InvalidArgument", "id")
    # A list alone is rules, too.
    assert len(ok(admin(faulty, "PUT", "faults", [{"error": "SlowDown"}]))["rules"]) == 1


def test_adding_while_others_remove(faulty):
    """A rule that is gone again at once is answered like any other."""
    deadline = time.monotonic() + 1.5

    def add():
        while time.monotonic() < deadline:
            ok(admin(faulty, "POST", "faults", {"error": "SlowDown"}), 201)

    def remove():
        while time.monotonic() < deadline:
            ok(admin(faulty, "DELETE", "faults"), 204)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for job in [pool.submit(work) for work in [add, remove] * 4]:
            job.result()


@pytest.mark.parametrize(
    "rule, field",
    [
        ({}, "error"),
        ({"operation": "GetObject"}, "error"),
        ({"operation": "GetObjects", "error": "SlowDown"}, "operation"),
        ({"operation": [5], "error": "SlowDown"}, "operation"),
        ({"operation": [], "error": "SlowDown"}, "operation"),
        ({"operation": ["GetObject"] * 201, "error": "SlowDown"}, "operation"),
        ({"error": "NoSuchError"}, "error"),
        ({"error": 503}, "error"),
        ({"retryAfter": 5}, "retryAfter"),
        ({"error": "SlowDown", "retryAfter": -1}, "retryAfter"),
        ({"latency": "soon"}, "latency"),
        ({"latency": -5}, "latency"),
        ({"latency": "366d"}, "latency"),
        ({"latency": {"min": 5, "max": "9223372036s"}}, "latency.max"),
        ({"latency": {"min": 5}}, "latency.max"),
        ({"latency": {"min": 5, "max": 2}}, "latency.max"),
        ({"latency": {"min": 5, "mean": 2}}, "latency.mean"),
        ({"bandwidth": 0}, "bandwidth"),
        ({"bandwidth": "fast"}, "bandwidth"),
        ({"bandwidth": 2**63 - 1}, "bandwidth"),
        ({"bandwidth": "1025GiB"}, "bandwidth"),
        ({"cut": "now"}, "cut"),
        ({"truncate": -1}, "truncate"),
        ({"corrupt": "yes"}, "corrupt"),
        ({"error": "SlowDown", "probability": 2}, "probability"),
        ({"error": "SlowDown", "after": 1.5}, "after"),
        ({"error": "SlowDown", "times": "2"}, "times"),
        ({"error": "SlowDown", "keys": "a"}, "keys"),
        ({"error": "SlowDown", "key": "*" * 2050}, "key"),
    ],
)
def test_bad_rules(faulty, rule, field):
    kept = rules(faulty, {"operation": "PutBucketTagging", "error": "SlowDown"})
    admin_refused(admin(faulty, "POST", "faults", rule), 400, "InvalidArgument", field)
    reply = admin(faulty, "PUT", "faults", {"rules": [{"error": "SlowDown"}, rule]})
    admin_refused(reply, 400, "InvalidArgument", f"rules[1].{field}")
    assert ok(admin(faulty, "GET", "faults"))["rules"] == kept


def test_bad_lists(faulty):
    for body, field in (({}, "rules"), ({"rules": {}}, "rules"), ({"rules": [], "x": 1}, "x"),
                        ({"rules": [], "seed": "a"}, "seed"), ({"rules": [None]}, "rules[0]"),
                        ({"rules": [{"error": "SlowDown"}, "SlowDown"]}, "rules[1]")):
        admin_refused(admin(faulty, "PUT", "faults", body), 400, "InvalidArgument", field)


def test_rules_change_under_load(faulty):
    """Nobody crashes, and when they are gone all is well."""
    deadline = time.monotonic() + 1.5

    def ask():
        while time.monotonic() < deadline:
            try:
                http_request(faulty, "GET", "/bkt/k")
            except (http.client.HTTPException, OSError):
                pass

    def look():
        while time.monotonic() < deadline:
            assert len(ok(admin(faulty, "GET", "faults"))["rules"]) <= 7

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        asking = [pool.submit(ask) for _ in range(8)] + [pool.submit(look) for _ in range(2)]
        kinds = [{"error": "SlowDown"}, {"latency": "5ms"}, {"cut": "during"}, {"corrupt": True},
                 {"truncate": 10}, {"cut": "before"}, {"bandwidth": "10MiB"}]
        turn = 0
        while time.monotonic() < deadline:
            rules(faulty, *({**k, "probability": 0.5} for k in kinds[turn % 7:]))
            turn += 1
        for job in asking:
            job.result()
    ok(admin(faulty, "DELETE", "faults"), 204)
    assert http_request(faulty, "GET", "/bkt/k").body == BODY
