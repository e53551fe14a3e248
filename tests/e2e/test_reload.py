# SPDX-License-Identifier: MIT
"""SIGHUP reads credentials and certificate again and ends nothing; which TLS is spoken; who may open the sockets and
the files of secrets."""

import json
import os
import pty
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time

import pytest

from conftest import ALICE, BOB, as_user
from harness import S3MEMD, client, connect, eventually, http_request, run_daemon, serving
from sign import Signer
from test_daemon import unix_get

pytestmark = pytest.mark.options


def write(path, *entries):
    path.write_text(json.dumps(entries))
    path.chmod(0o600)
    return path


def reload(server, told):
    """Sends SIGHUP and waits for what the log says then."""
    before = server.stderr().count(told)
    os.kill(server.pid, signal.SIGHUP)
    eventually(lambda: server.stderr().count(told) > before)


def status(server, user, target="/"):
    headers = Signer(user, f"127.0.0.1:{server.port}").headers("GET", target)
    return http_request(server, "GET", target, headers).status


# ---- credentials --------------------------------------------------------------------------------


def test_credentials_are_read_again(tmp_path):
    path = write(tmp_path / "c.json", ALICE)
    with serving("--credentials", path, "--bucket", "kept") as server:
        as_user(server, ALICE).put_object(Bucket="kept", Key="k", Body=b"v")
        assert status(server, BOB) == 403
        write(path, {**ALICE, "secretKey": "changed"}, {**BOB, "admin": True})
        reload(server, "reloaded: 2 access keys")
        changed = {**ALICE, "secretKey": "changed"}
        assert [status(server, user) for user in (ALICE, changed, BOB)] == [403, 200, 200]
        assert [status(server, user, "/_s3mem/stats") for user in (changed, BOB)] == [403, 200]
        assert as_user(server, changed).get_object(Bucket="kept", Key="k")["Body"].read() == b"v"
        write(path, BOB)
        reload(server, "reloaded: 1 access keys")
        assert [status(server, user) for user in (changed, BOB)] == [403, 200]


@pytest.mark.parametrize("text", ["", "[]", "{", '[{"accessKey":"a"}]', '[{"accessKey":"a","secretKey":"s","admin":1}]', None])
def test_broken_credentials_keep_the_old(tmp_path, text):
    path = write(tmp_path / "c.json", ALICE)
    with serving("--credentials", path) as server:
        path.unlink() if text is None else path.write_text(text)
        reload(server, "the credentials stay as they were")
        assert str(path) in server.stderr()
        assert status(server, ALICE) == 200


def test_a_request_under_way_is_judged_by_the_keys_it_began_with(tmp_path):
    """Its chunks are signed with a key that is gone when they come."""
    from sign import SIGNED_CHUNKS

    path = write(tmp_path / "c.json", ALICE)
    with serving("--credentials", path, "--bucket", "bkt") as server:
        signer = Signer(ALICE, f"127.0.0.1:{server.port}")
        data = [b"a" * 65536, b"b" * 65536]
        extra = {"x-amz-decoded-content-length": "131072", "content-encoding": "aws-chunked"}
        headers = signer.headers("PUT", "/bkt/k", headers=extra, payload=SIGNED_CHUNKS)
        body = signer.chunks(data)
        headers["content-length"] = str(len(body))
        head = "PUT /bkt/k HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
        with connect(server) as s:
            s.sendall(head.encode() + body[:70000])
            write(path, BOB)
            time.sleep(0.1)
            reload(server, "reloaded")
            assert status(server, ALICE) == 403
            s.sendall(body[70000:])
            assert s.recv(65536).startswith(b"HTTP/1.1 200")


def test_reload_under_load(tmp_path):
    """Requests of a key that stays are never refused, whatever goes on beside them."""
    path = write(tmp_path / "c.json", ALICE, BOB)
    with serving("--credentials", path, "--bucket", "bkt") as server:
        stop, statuses = threading.Event(), set()

        def ask():
            while not stop.is_set():
                statuses.add(status(server, ALICE))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for n in range(60):
            write(path, ALICE, *([BOB] if n % 2 else []))
            os.kill(server.pid, signal.SIGHUP)
            time.sleep(0.01)
        stop.set()
        for thread in threads:
            thread.join()
        assert statuses == {200}


def test_without_anything_to_read():
    with serving("--bucket", "bkt") as server:
        client(server).put_object(Bucket="bkt", Key="k", Body=b"v")
        for _ in range(3):
            os.kill(server.pid, signal.SIGHUP)
        time.sleep(0.2)
        assert client(server).get_object(Bucket="bkt", Key="k")["Body"].read() == b"v"


def test_a_closed_terminal(tmp_path):
    """Who closes the terminal that the server was started in sends it SIGHUP."""
    path = tmp_path / "s3.sock"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(S3MEMD, [S3MEMD, "--listen", f"unix:{path}", "--bucket", "bkt"])
    try:
        text = b""
        while b"Ready." not in text:
            text += os.read(terminal, 4096)
        os.close(terminal)
        time.sleep(0.3)
        assert unix_get(path, "/bkt").startswith(b"HTTP/1.1 200")
        os.kill(pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


# ---- TLS ----------------------------------------------------------------------------------------


def certify(folder, name):
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


def shown(server):
    """The certificate that a new connection is shown."""
    return ssl.get_server_certificate(("127.0.0.1", server.port))


def open_tls(server, low, high):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = low, high
    return context.wrap_socket(connect(server))


def test_certificate_is_read_again(tmp_path):
    cert, key = certify(tmp_path, "one")
    one = cert.read_text()
    with serving("--tls-cert", cert, "--tls-key", key, "--bucket", "bkt") as server:
        assert shown(server).strip() == one.strip()
        held = open_tls(server, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        next_cert, next_key = certify(tmp_path, "two")
        # The certificate of one with the key of the other: refused.
        cert.write_text(next_cert.read_text())
        reload(server, "the TLS certificate stays as it was")
        assert shown(server).strip() == one.strip()
        key.write_text(next_key.read_text())
        reload(server, f"reloaded: {cert}")
        assert shown(server).strip() == next_cert.read_text().strip()
        cert.write_text("no certificate")
        reload(server, "the TLS certificate stays as it was")
        cert.unlink()
        reload(server, "No such file")
        assert shown(server).strip() == next_cert.read_text().strip()
        # What was open goes on.
        held.sendall(b"GET /bkt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert held.recv(4096).startswith(b"HTTP/1.1 200")
        held.close()


def test_certificates_change_under_load(tmp_path):
    pairs = [certify(tmp_path, name) for name in ("one", "two")]
    cert, key = tmp_path / "c.pem", tmp_path / "c.key"

    def put(pair):
        cert.write_bytes(pair[0].read_bytes())
        key.write_bytes(pair[1].read_bytes())

    put(pairs[0])
    key.chmod(0o600)
    with serving("--tls-cert", cert, "--tls-key", key) as server:
        stop, seen, failed = threading.Event(), set(), []

        def look():
            while not stop.is_set():
                try:
                    seen.add(shown(server).strip())
                except OSError as error:
                    failed.append(error)

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for n in range(20):
            put(pairs[n % 2])
            os.kill(server.pid, signal.SIGHUP)
            time.sleep(0.02)
        stop.set()
        for thread in threads:
            thread.join()
        assert not failed and seen <= {pair[0].read_text().strip() for pair in pairs}


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_tls_is_refused(tmp_path, version):
    """RFC 8996: TLS 1.0 and 1.1 must not be used."""
    cert, key = certify(tmp_path, "one")
    with serving("--tls-cert", cert, "--tls-key", key) as server:
        old = getattr(ssl.TLSVersion, version)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            open_tls(server, old, old)
        for good in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with open_tls(server, good, good) as s:
                assert s.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[good.name]


# ---- who may open it ----------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("mode", [None, "0660", "0666", "600"])
def test_mode_of_the_unix_socket(tmp_path, umask, mode):
    path = tmp_path / "s3.sock"
    before = os.umask(umask)
    try:
        options = ["--socket-mode", mode] if mode else []
        with serving(*options, listen=f"unix:{path}"):
            assert stat.S_IMODE(path.stat().st_mode) == int(mode or "600", 8)
            assert unix_get(path, "/").startswith(b"HTTP/1.1 200")
    finally:
        os.umask(before)


def test_mode_of_a_stale_unix_socket(tmp_path):
    """The file of a server that died is replaced, its mode, too."""
    path = tmp_path / "s3.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    path.chmod(0o777)
    with serving(listen=f"unix:{path}"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", ["", "rw", "0", "0888", "1777", "07777", "-1", "0x1ff"])
def test_bad_socket_modes(mode):
    ended = run_daemon("--listen", "127.0.0.1:0", f"--socket-mode={mode}")
    assert ended.returncode == 2 and "--socket-mode" in ended.stderr, ended


def test_secrets_that_everybody_reads_are_told(tmp_path):
    path = write(tmp_path / "c.json", ALICE)
    cert, key = certify(tmp_path, "one")
    config = tmp_path / "s3memd.conf"
    config.write_text(f"access-key = k\nsecret-key = s\ncredentials = {path}\ntls-cert = {cert}\ntls-key = {key}\n")

    def told(*modes):
        for file, mode in zip((path, key, config), modes, strict=True):
            file.chmod(mode)
        with serving("--config", config) as server:
            return [line for line in server.stderr().splitlines() if "every user of this machine" in line]

    assert told(0o600, 0o600, 0o600) == []
    assert told(0o640, 0o660, 0o640) == [], "a group is for who made it"
    lines = told(0o644, 0o604, 0o666)
    assert len(lines) == 3
    for file, mode, verb in ((path, "0644", "read"), (key, "0604", "read"), (config, "0666", "change")):
        assert any(str(file) in line and mode in line and f"may {verb} it" in line for line in lines), lines
    config.write_text(f"credentials = {path}\n")
    assert len(told(0o600, 0o600, 0o644)) == 0, "no secret in it"


def test_environment_names_the_mode(tmp_path):
    path = tmp_path / "s3.sock"
    with serving(listen=None, env={"S3MEMD_LISTEN": f"unix:{path}", "S3MEMD_SOCKET_MODE": "0660"}):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
