# SPDX-License-Identifier: MIT
"""s3memctl doctor: each check, well and ill."""

import http.server
import json
import socket
import threading

import pytest

from conftest import ALICE, BOB
from ctl import ctl, needs_ctl, run_ctl
from harness import serving

pytestmark = needs_ctl


def doctor(server, *args, status=0, **env):
    """What it finds, by check: a list of (finding, message) each."""
    done = run_ctl(server, "doctor", "--json", *args, env=env)
    assert done.returncode == status, (done.stdout, done.stderr)
    checks = {}
    for line in json.loads(done.stdout):
        checks.setdefault(line["check"], []).append((line["finding"], line["message"]))
    return checks


def well(server, **more):
    return {"S3MEMCTL_ENDPOINT": "", "AWS_ENDPOINT_URL_S3": server.url, "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
            **{name: "" for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")}, **more}


@pytest.fixture(scope="module")
def store():
    with serving() as server:
        yield server


def test_all_is_well(store):
    found = doctor(store, **well(store))
    assert {f for lines in found.values() for f, _ in lines} == {"ok"}, found
    assert set(found) == {"endpoint", "proxy", "server", "region", "clock", "credentials", "branch",
                          "host", "names"}
    text = ctl(store, "doctor", env=well(store))
    assert f"ok    endpoint     {store.url} (AWS_ENDPOINT_URL_S3)\n" in text
    assert len(text.splitlines()) == 9


@pytest.mark.parametrize("env, check, word", [
    ({"AWS_ENDPOINT_URL_S3": "", "S3MEMCTL_ENDPOINT": "URL"}, "endpoint", "export AWS_ENDPOINT_URL_S3=http"),
    ({"AWS_ENDPOINT_URL_S3": "", "AWS_ENDPOINT_URL": "URL"}, "endpoint", "every service"),
    ({"AWS_ENDPOINT_URL_S3": "http://x", "S3MEMCTL_ENDPOINT": "URL"}, "endpoint", "AWS_ENDPOINT_URL_S3 is http://x"),
    ({"AWS_REGION": ""}, "region", "JavaScript and Java"),
    ({"AWS_REGION": "eu-west-1"}, "region", "the server is in us-east-1"),
    ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"}, "region", "read AWS_REGION"),
    ({"AWS_ACCESS_KEY_ID": ""}, "credentials", "AWS_ACCESS_KEY_ID=test"),
    ({"HTTP_PROXY": "http://proxy:1"}, "proxy", "NO_PROXY=127.0.0.1"),
    ({"all_proxy": "http://proxy:1", "NO_PROXY": "localhost,7.0.0.1"}, "proxy", "all_proxy"),
])
def test_warnings(store, env, check, word):
    env = {name: store.url if value == "URL" else value for name, value in env.items()}
    found = doctor(store, **well(store, **env))
    assert any(finding == "warn" and word in message for finding, message in found[check]), found[check]
    assert all(finding == "ok" for name, lines in found.items() if name != check for finding, _ in lines)


@pytest.mark.parametrize("spared", ["127.0.0.1", "x, 127.0.0.1", "*"])
def test_a_proxy_that_spares_the_host(store, spared):
    found = doctor(store, **well(store, http_proxy="http://proxy:1", NO_PROXY=spared))
    assert found["proxy"] == [("ok", "http_proxy is set, and NO_PROXY spares 127.0.0.1")]


def test_branch(store):
    ctl(store, "branch", "worker-1")
    assert "main serves" in doctor(store, **well(store))["branch"][0][1]
    assert "worker-1 serves" in doctor(store, **well(store, AWS_ACCESS_KEY_ID="worker-1"))["branch"][0][1]
    found = doctor(store, "--branch", "none", status=1, **well(store))
    assert found["branch"] == [("fail", "there is no branch none")]


def test_clock(store):
    ctl(store, "clock", "advance", "1h")
    found = doctor(store, **well(store))
    assert ("warn", "the server's clock is moved: s3memctl clock reset") in found["clock"]
    ctl(store, "clock", "freeze")
    assert "frozen" in doctor(store, **well(store))["clock"][0][1]
    ctl(store, "clock", "reset")
    assert doctor(store, **well(store))["clock"] == [("ok", "as here")]


def test_credentials(auth_server):
    alice = {"AWS_ACCESS_KEY_ID": ALICE["accessKey"], "AWS_SECRET_ACCESS_KEY": ALICE["secretKey"]}
    assert "which the server knows" in doctor(auth_server, **well(auth_server, **alice))["credentials"][0][1]
    for env, word in (({"AWS_ACCESS_KEY_ID": ""}, "none here"), ({}, "InvalidAccessKeyId"),
                      ({**alice, "AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch")):
        finding, message = doctor(auth_server, status=1, **well(auth_server, **env))["credentials"][0]
        assert finding == "fail" and word in message
    bob = {"AWS_ACCESS_KEY_ID": BOB["accessKey"], "AWS_SECRET_ACCESS_KEY": BOB["secretKey"]}
    found = doctor(auth_server, **well(auth_server, **bob))["credentials"]
    assert found[0][0] == "warn" and "may not administer" in found[0][1]


def test_region_of_the_server():
    with serving("--region", "eu-central-1") as server:
        assert doctor(server, **well(server, AWS_REGION="eu-central-1"))["region"] == [
            ("ok", "eu-central-1")]


def test_host_and_names(store):
    url = store.url.replace("127.0.0.1", "localhost")
    found = doctor(store, **well(store, AWS_ENDPOINT_URL_S3=url))
    assert found["host"] == [("ok", "browsers may use it under the name localhost")]
    try:
        socket.getaddrinfo("bucket.localhost", None)
        assert found["names"][0][0] == "ok"
    except OSError:
        assert found["names"][0][0] == "warn" and "path style" in found["names"][0][1]


def test_no_s3memd_is_a_failure():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{other.server_port}"
        found = doctor(None, "--endpoint", url, status=1)
        assert found["server"] == [("fail", f"{url} is no s3memd")]
        other.shutdown()
    found = doctor(None, "--endpoint", url, status=1)
    assert found["server"] == [("fail", f"{url} does not answer")]


def test_a_skewed_clock_is_a_failure():
    """A server whose Date is of 2001, otherwise like s3memd."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = b'{"status":"ready","version":"0","region":"us-east-1","authentication":false}'
            self.send_response_only(200)
            self.send_header("Date", "Mon, 01 Jan 2001 00:00:00 GMT")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        found = doctor(None, "--endpoint", f"http://127.0.0.1:{other.server_port}", status=1)
        assert found["clock"][0][0] == "fail" and "apart" in found["clock"][0][1]
        assert found["server"][0][0] == "warn" and "s3memd 0" in found["server"][0][1]
        other.shutdown()
