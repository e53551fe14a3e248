# SPDX-License-Identifier: MIT
"""s3memctl: whose keys and which branch, and what it says when something is wrong."""

import http.server
import os
import pty
import socket
import ssl
import subprocess
import threading

import pytest

from admin import admin, ok
from conftest import ALICE
from ctl import CTL, ENV, ctl, ctl_json, needs_ctl
from harness import ROOT, SLOW, Server, eventually, http_request, serving

pytestmark = needs_ctl


def keys(access_key, secret_key="s"):
    return {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}


# ---- the branch ---------------------------------------------------------------------------------


def test_the_branch_is_the_one_of_s3(tmp_path):
    """Header, key, main: what S3 does with the same keys (ARCHITECTURE.md)."""
    with serving("--bucket", "data") as server:
        ctl(server, "branch", "worker-1")
        ctl(server, "branch", "other")
        worker = keys("worker-1")
        assert ctl(server, "snapshot", "a", env=worker) == "snapshot a of branch worker-1\n"
        assert ctl_json(server, "snapshots")["snapshots"][0]["from"] == "worker-1"
        assert ctl(server, "restore", "a", env=worker) == "branch worker-1 is a again\n"
        assert ctl(server, "restore", "a", "--branch", "other", env=worker) == (
            "branch other is a again\n")
        http_request(server, "PUT", "/data/k", headers={"x-s3mem-branch": "worker-1"}, body=b"x")
        assert ctl(server, "clear", env=worker).startswith("branch worker-1: 1 objects")
        # A key that names no branch works on main, as in S3.
        assert ctl(server, "clear", env=keys("worker-2")).startswith("branch main: 0 objects")
        profile = tmp_path / "credentials"
        profile.write_text("[default]\naws_access_key_id = nobody\naws_secret_access_key=x\n"
                           "[w]\naws_access_key_id: worker-1\nAWS_SECRET_ACCESS_KEY = x\n",
                           encoding="utf-8")
        files = {"AWS_SHARED_CREDENTIALS_FILE": str(profile)}
        assert "branch worker-1" in ctl(server, "snapshot", "--profile", "w", env=files)
        assert "branch worker-1" in ctl(server, "snapshot", env={**files, "AWS_PROFILE": "w"})
        assert "branch main" in ctl(server, "snapshot", env=files)
        # The environment's keys before a profile that only a variable names, as botocore has it.
        assert "branch main" in ctl(server, "snapshot",
                                    env={**files, "AWS_PROFILE": "w", **keys("nobody")})


def test_keys_of_a_profile(auth_server, tmp_path):
    home = tmp_path / ".aws"
    home.mkdir()
    (home / "credentials").write_text(
        f"# a comment\n[other]\naws_access_key_id = x\n\n[alice]\n"
        f"aws_access_key_id = {ALICE['accessKey']}\ns3 =\n  aws_secret_access_key = nested\n",
        encoding="utf-8")
    (home / "config").write_text(
        f"[default]\nregion = eu-west-1\n[profile alice]\n"
        f"aws_secret_access_key = {ALICE['secretKey']}\n", encoding="utf-8")
    env = {"HOME": str(tmp_path)}
    ctl(auth_server, "branches", "--profile", "alice", env=env)
    ctl(auth_server, "branches", env={**env, "AWS_PROFILE": "alice"})
    ctl(auth_server, "branches", "--profile", "none", env=env, status=2)
    assert "no profile 'none'" in ctl.stderr
    # Unsigned: said, and which profile was looked for; not with --quiet.
    for args, env_more, word in ((["--profile", "other"], {}, "'other'"), ([], {}, "'default'"),
                                 ([], {"AWS_PROFILE": "other"}, "'other'")):
        ctl(auth_server, "branches", *args, env={**env, **env_more}, status=1)
        assert "not signed" in ctl.stderr and word in ctl.stderr
    ctl(auth_server, "branches", "--quiet", env=env, status=1)
    assert "not signed" not in ctl.stderr and "AccessDenied" in ctl.stderr
    # Refused for another reason, it was signed.
    ctl(auth_server, "branches", env=keys("nobody"), status=1)
    assert "not signed" not in ctl.stderr


# ---- what is wrong ------------------------------------------------------------------------------


@pytest.fixture
def web_server():
    """A server that is no s3memd: answers as handler says."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            body = self.server.body
            self.send_response(self.server.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("status, body", [
    (200, b"<html>hello</html>"), (404, b"<html>nginx</html>"), (200, b'{"status":"up"}'),
    (403, b"<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"),
    (200, b"")])
def test_a_server_that_is_no_s3memd(web_server, status, body):
    web_server.status, web_server.body = status, body
    told = f"{web_server.url} answers, but is no s3memd"
    commands = [["snapshots"], ["version"], ["clear"], ["wait", "--timeout", "0"]]
    for command in commands if not body.startswith(b"{") else commands[1::2]:
        ctl(web_server, *command, status=1)
        assert told in ctl.stderr, command


def test_nobody_there():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:%d" % probe.getsockname()[1]
        for command in ("snapshots", "version"):
            ctl(None, command, "--endpoint", url, status=3)
            assert f"no server listens at {url}" in ctl.stderr and "s3memctl start" in ctl.stderr
    ctl(None, "snapshots", env={"AWS_ENDPOINT_URL": "http://nowhere.invalid:1"}, status=3)
    assert "no such host" in ctl.stderr and "AWS_ENDPOINT_URL" in ctl.stderr
    for url in ("ftp://127.0.0.1:1", "127.0.0.1:x", "http://127.0.0.1:99999"):
        ctl(None, "snapshots", "--endpoint", url, status=2)
        assert "--endpoint" in ctl.stderr, url


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    for name, host in (("good", "IP:127.0.0.1"), ("elsewhere", "DNS:example.com")):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=test", "-addext", f"subjectAltName={host}",
                        "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")],
                       check=True, capture_output=True)
    (folder / "junk.pem").write_text("junk", encoding="utf-8")
    return folder


def test_tls_failures_are_told(certificates):
    good, elsewhere = certificates / "good.pem", certificates / "elsewhere.pem"
    with serving("--tls-cert", good, "--tls-key", certificates / "good.key") as server:
        ctl(server, "snapshots", "--cacert", good)
        ctl(server, "snapshots", "--insecure")
        for more in ([], ["--cacert", elsewhere]):
            ctl(server, "snapshots", *more, status=3)
            assert "not trusted" in ctl.stderr and "--cacert FILE" in ctl.stderr
            assert "--insecure" in ctl.stderr
        ctl(server, "snapshots", "--cacert", certificates / "junk.pem", status=2)
        assert "--cacert" in ctl.stderr and "junk.pem" in ctl.stderr
        plain = server.url.replace("https://", "http://")
        for command in ("snapshots", "version"):
            ctl(None, command, "--endpoint", plain, status=3)
            assert f"speaks TLS, not plain HTTP: the endpoint is {server.url}" in ctl.stderr
    with serving("--tls-cert", elsewhere, "--tls-key", certificates / "elsewhere.key") as server:
        ctl(server, "snapshots", "--cacert", elsewhere, status=3)
        assert "127.0.0.1" in ctl.stderr and "not trusted" in ctl.stderr
    with serving() as server:
        secure = server.url.replace("http://", "https://")
        ctl(None, "snapshots", "--endpoint", secure, status=3)
        assert f"speaks plain HTTP, no TLS: the endpoint is {server.url}" in ctl.stderr


def test_a_refusal_names_the_option():
    with serving("--bucket", "data") as server:
        ctl(server, "clear", "--bucket", "none", status=1)
        assert "(NoSuchBucket: --bucket)" in ctl.stderr
        ctl(server, "snapshot", "--branch", "none", status=1)
        assert "(NoSuchBranch: --branch)" in ctl.stderr
        ctl(server, "restore", "none", status=1)
        assert "(NoSuchSnapshot: name)" in ctl.stderr


# ---- clear, requests --id, wait --bucket --------------------------------------------------------


def clear_on_terminal(server, reply, *args):
    """Runs clear with a terminal; returns what it showed and its status."""
    master, slave = pty.openpty()
    process = subprocess.Popen([CTL, "clear", *args], stdin=slave, stdout=slave, stderr=slave,
                               env={**ENV, "S3MEMCTL_ENDPOINT": server.url})
    os.close(slave)
    os.write(master, reply)
    got = b""
    try:
        while more := os.read(master, 65536):
            got += more
    except OSError:  # EIO: the other end is closed
        pass
    os.close(master)
    return got.decode(), process.wait(20 * SLOW)


def test_clear_asks_on_a_terminal():
    with serving("--bucket", "data") as server:
        def objects():
            return ok(admin(server, "GET", "branches"))["branches"][0]["objects"]

        http_request(server, "PUT", "/data/k", body=b"x")
        for reply in (b"n\n", b"\n", b"\x04"):
            shown, status = clear_on_terminal(server, reply)
            assert "[y/N]" in shown and "branch main" in shown and status == 1
            assert objects() == 1
        shown, status = clear_on_terminal(server, b"y\n")
        assert status == 0 and "1 objects" in shown and objects() == 0
        for args in (["--yes"], ["--bucket", "data"]):
            http_request(server, "PUT", "/data", body=b"")
            http_request(server, "PUT", "/data/k", body=b"x")
            shown, status = clear_on_terminal(server, b"", *args)
            assert "[y/N]" not in shown and status == 0 and objects() == 0
        ctl(server, "clear")  # no terminal: no question


def test_requests_by_their_id():
    with serving("--bucket", "data") as server:
        ids = [http_request(server, "GET", f"/data/{i}").headers["x-amz-request-id"]
               for i in range(3)]
        found = ctl_json(server, "requests", "--id", ids[1])
        assert found["key"] == "1" and found["requestId"] == ids[1]
        assert ids[2] in ctl(server, "requests", "--id", ids[2])
        ctl(server, "requests", "--id", "none", status=1)
        assert "'none'" in ctl.stderr and "--journal" in ctl.stderr
        assert [r["key"] for r in ok(admin(server, "GET", "requests", requestId=ids[0]))["requests"]
                ] == ["0"]


def test_wait_for_a_bucket():
    with serving() as server:
        ctl(server, "wait", "--bucket", "late", "--timeout", "0", status=1)
        assert "has no such bucket" in ctl.stderr
        with subprocess.Popen([CTL, "wait", "--bucket", "late", "--endpoint", server.url],
                              env=ENV) as waiting:
            eventually(lambda: waiting.poll() is None)
            http_request(server, "PUT", "/late")
            assert waiting.wait(30 * SLOW) == 0
        ctl(server, "branch", "dev")
        http_request(server, "DELETE", "/late")
        ctl(server, "wait", "--bucket", "late", "--branch", "dev")
        ctl(server, "wait", "--bucket", "late", "--timeout", "0", status=1)
