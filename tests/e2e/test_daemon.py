# SPDX-License-Identifier: MIT
"""The daemon: options, environment, file, readiness, listeners, signals, seeds, TLS, logs."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time

import pytest
import requests

from harness import (
    PATIENCE,
    ROOT,
    S3MEMD,
    SLOW,
    Server,
    client,
    connect,
    eventually,
    has,
    http_request,
    in_flight,
    keys_of,
    refuses_connections,
    run_daemon,
    serving,
    unique,
)
from test_backup import PEOPLE, exported_people, put_people

pytestmark = pytest.mark.options


# ---- command line -------------------------------------------------------------------------------


@pytest.mark.parametrize("document", ["README.md", "man/s3memd.8", "man/s3memd.conf.5"])
def test_every_option_is_documented(document):
    """What --help names stands in README and in the manual pages."""
    text = (ROOT / document).read_text(encoding="utf-8")
    text = re.sub(r"\\f[BIR]", "", text.replace("\\-", "-"))
    helped = run_daemon("--help").stdout
    options = set(re.findall(r"--(?:\[no-\])?([a-z][a-z-]+)", helped)) - {"help", "version", "port"}
    assert len(options) > 30
    if document.endswith(".5"):
        options -= {"config", "check"}
        missing = [o for o in options if not re.search(rf"^{o} = ", text, re.M)]
    else:
        missing = [o for o in options if not re.search(rf"--(\[no-\])?{o}\b", text)]
    assert not missing


def test_help_and_version():
    done = run_daemon("--help")
    assert done.returncode == 0 and done.stderr == ""
    for option in (
        "--listen",
        "--bucket",
        "--auto-bucket",
        "--seed",
        "--init-dir",
        "--region",
        "--domain",
        "--access-key",
        "--secret-key",
        "--credentials",
        "--enforce-limits",
        "--metadata-limit",
        "--max-object-size",
        "--max-memory",
        "--tls-cert",
        "--tls-key",
        "--threads",
        "--verbose",
        "--log-format",
        "--insecure",
        "--config",
    ):
        assert option.lstrip("-") in done.stdout, option
    done = run_daemon("--version")
    assert done.returncode == 0
    assert re.search(r"s3memd \d+\.\d+\.\d+", done.stdout)


def loaded_libraries(server):
    with open(f"/proc/{server.pid}/maps", encoding="utf-8") as maps:
        return {line.split()[-1] for line in maps if ".so" in line}


def test_every_library_is_there_at_start():
    """What an image lacks it must say before Ready, not with the first XML body or backup."""
    with serving("--bucket", "demo") as server:
        before = loaded_libraries(server)
        client(server).put_bucket_tagging(Bucket="demo", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
        put_people(server, bucket="shop")  # by a tar
        assert len(exported_people(server, "shop")) == len(PEOPLE)
        assert loaded_libraries(server) == before


@pytest.mark.parametrize(
    "arguments,named",
    [
        (["--nonsense"], "nonsense"),
        (["--max-memory"], "max-memory"),
        (["--max-memory", "lots"], "lots"),
        (["--max-memory", "-1"], "-1"),
        (["--threads", "x"], "threads"),
        (["--threads", "100000"], "threads"),
        (["--log-format", "xml"], "xml"),
        (["--listen", "nonsense"], "nonsense"),
        (["--listen", "127.0.0.1:99999"], "99999"),
        (["--access-key", "only"], "secret-key"),
        (["--tls-cert", "only.pem"], "tls-key"),
        (["--bucket", "Bad_Name"], "Bad_Name"),
        (["--config", "/nonexistent/file"], "/nonexistent/file"),
        (["--seed", "/nonexistent/dir"], "/nonexistent/dir"),
        (["--credentials", "/nonexistent/file"], "/nonexistent/file"),
        (["stray-argument"], "stray-argument"),
    ],
)
def test_wrong_options(arguments, named):
    """An unknown or malformed option says what was wrong and exits 2 (a file that cannot be read
    may count as either)."""
    listen = [] if "--listen" in arguments else ["--listen", "127.0.0.1:0"]
    done = run_daemon(*listen, *arguments)
    assert done.returncode == 2 or (done.returncode == 1 and "nonexistent" in named), done
    assert named in done.stderr
    assert "Ready." not in done.stdout


@pytest.mark.parametrize("short,long", [("-h", "--help"), ("-V", "--version")])
def test_short_options(short, long):
    done = run_daemon(short)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run_daemon(long).stdout


@pytest.mark.parametrize(
    "arguments", [["--port", "0"], ["--port=0"], ["--listen", "0"], ["--listen", ":0"]]
)
def test_bare_port(arguments):
    """A port without an address is localhost's."""
    with serving(*arguments, listen=None) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", server.url)
        assert http_request(server, "GET", "/").status == 200


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
@pytest.mark.parametrize("listen", ["localhost:0", ":0"])
def test_localhost_means_both(listen):
    """Node resolves localhost to ::1, others to 127.0.0.1. There is one ready line all the same."""
    with serving(listen=listen) as server:
        assert server.stdout == [f"s3memd ready on http://127.0.0.1:{server.port}", "Ready."]
        for host in ("127.0.0.1", "[::1]"):
            url = f"http://{host}:{server.port}/_s3mem/health"
            assert requests.get(url, timeout=PATIENCE).status_code == 200


NAMESPACE = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c"]


def may_unshare():
    done = subprocess.run([*NAMESPACE, "ip link set lo up"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.skipif(not may_unshare(), reason="no network namespaces here")
@pytest.mark.parametrize("options", ["", "--listen localhost:4566"])
@pytest.mark.parametrize("ipv6", [False, True])
def test_default_address(options, ipv6):
    """With and without IPv6, in a network of its own where port 4566 is free."""
    switch = f"echo {0 if ipv6 else 1} >/proc/sys/net/ipv6/conf/lo/disable_ipv6"
    look = f"grep -c :11D6 /proc/net/tcp6; kill -TERM $pid; wait $pid"
    done = subprocess.run(
        [*NAMESPACE, f"{switch} && ip link set lo up && {{ {S3MEMD} {options} >&3 & pid=$!; sleep 1; {look}; }} 3>&1"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    assert lines[:2] == ["s3memd ready on http://127.0.0.1:4566", "Ready."]
    assert lines[2] == ("1" if ipv6 else "0")


def test_unknown_variable_is_told():
    env = {"S3MEMD_MAX_MEMROY": "hush", "S3MEMD_SERVICE_HOST": "10.0.0.1"}
    with serving(env=env) as server:
        text = server.stderr()
    assert "unknown environment variable S3MEMD_MAX_MEMROY; did you mean S3MEMD_MAX_MEMORY?" in text
    assert "hush" not in text and "SERVICE" not in text


def test_busy_port():
    """A busy port says which and exits 1."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = run_daemon("--listen", f"127.0.0.1:{port}")
    assert done.returncode == 1, done
    assert str(port) in done.stderr


def test_not_beyond_loopback_without_credentials():
    """Listening beyond loopback without credentials is refused unless --insecure says so."""
    done = run_daemon("--listen", "0.0.0.0:0")
    assert done.returncode in (1, 2)
    assert "--insecure" in done.stderr
    with serving("--insecure", listen="0.0.0.0:0") as server:
        assert server.port
    with serving("--access-key", "a", "--secret-key", "b", listen="0.0.0.0:0"):
        pass


# ---- settings -----------------------------------------------------------------------------------


def buckets(server):
    return [b["Name"] for b in client(server).list_buckets().get("Buckets", [])]


def test_environment():
    env = {"S3MEMD_BUCKET": "from-env", "S3MEMD_LISTEN": "127.0.0.1:0", "S3MEMD_REGION": "eu-west-1"}
    with serving(listen=None, env=env) as server:
        assert buckets(server) == ["from-env"]
        reply = http_request(server, "HEAD", "/from-env")
        assert reply.headers["x-amz-bucket-region"] == "eu-west-1"


def test_wrong_environment():
    done = run_daemon("--listen", "127.0.0.1:0", env={"S3MEMD_THREADS": "many"})
    assert done.returncode == 2
    assert "S3MEMD_THREADS" in done.stderr


def test_config_file(tmp_path):
    """File, then environment, then options: the later wins."""
    path = tmp_path / "s3memd.conf"
    path.write_text(
        "# a comment\n\nlisten = 127.0.0.1:0\nbucket = one\nbucket = two\nregion = us-west-2\n"
        "auto-bucket = yes\n",
        encoding="utf-8",
    )
    with serving("--config", path, listen=None) as server:
        assert buckets(server) == ["one", "two"]
        assert http_request(server, "HEAD", "/one").headers["x-amz-bucket-region"] == "us-west-2"
        assert http_request(server, "PUT", "/made-by-use/k", body=b"x").status == 200
    with serving(
        "--config", path, "--bucket", "flag", listen=None, env={"S3MEMD_REGION": "eu-west-3"}
    ) as server:
        assert buckets(server) == ["flag"]
        assert http_request(server, "HEAD", "/flag").headers["x-amz-bucket-region"] == "eu-west-3"


@pytest.mark.parametrize("text", ["nonsense = 1\n", "threads = x\n", "no equals sign\n"])
def test_wrong_config_file(tmp_path, text):
    path = tmp_path / "s3memd.conf"
    path.write_text("# first line\n" + text, encoding="utf-8")
    done = run_daemon("--config", path, "--listen", "127.0.0.1:0")
    assert done.returncode == 2
    assert "s3memd.conf" in done.stderr and "2" in done.stderr


def test_buckets_at_start():
    with serving("--bucket", "one", "--bucket", "two") as server:
        assert buckets(server) == ["one", "two"]


def test_bucket_in_its_region():
    with serving("--bucket", "one", "--region", "eu-central-1") as server:
        s3 = client(server, region="eu-central-1")
        assert s3.get_bucket_location(Bucket="one")["LocationConstraint"] == "eu-central-1"


def test_domain():
    with serving("--bucket", "bucket", "--domain", "s3.example.test") as server:
        http_request(server, "PUT", "/bucket/k", body=b"x")
        host = {"Host": f"bucket.s3.example.test:{server.port}"}
        assert http_request(server, "GET", "/k", host).body == b"x"
        host = {"Host": f"s3.example.test:{server.port}"}
        assert http_request(server, "GET", "/bucket/k", host).body == b"x"


# ---- listeners and readiness --------------------------------------------------------------------


def test_ready_lines():
    """One line `s3memd ready on http://…` and then `Ready.`, and nothing else on stdout."""
    with serving() as server:
        assert len(server.stdout) == 2, server.stdout
        assert re.fullmatch(r"s3memd ready on http://127\.0\.0\.1:\d+", server.stdout[0])
        assert server.stdout[1] == "Ready."
        assert server.port != 0


def test_several_listeners(tmp_path):
    path = tmp_path / "s3.sock"
    with serving("--listen", "127.0.0.1:0", "--listen", f"unix:{path}") as server:
        assert len([u for u in server.urls if u.startswith("http://127.0.0.1:")]) == 2
        assert len({u for u in server.urls}) == len(server.urls)
        for url in server.urls:
            if url.startswith("http://127"):
                assert requests.get(url, timeout=PATIENCE).status_code == 200
        assert unix_get(path, "/").startswith(b"HTTP/1.1 200")
    assert not path.exists(), "the socket is removed at the end"


def unix_get(path, target):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10 * SLOW)
        s.connect(str(path))
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    return data


def test_unix_socket_only(tmp_path):
    path = tmp_path / "s3.sock"
    with serving(listen=f"unix:{path}") as server:
        assert server.stdout[-1] == "Ready."
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert unix_get(path, "/_localstack/health").startswith(b"HTTP/1.1 200")


def test_stale_unix_socket(tmp_path):
    """What a killed server left behind does not stop the next; a live one does."""
    path = tmp_path / "s3.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    with serving(listen=f"unix:{path}"):
        done = run_daemon("--listen", f"unix:{path}")
        assert done.returncode == 1
        assert str(path) in done.stderr
        assert unix_get(path, "/").startswith(b"HTTP/1.1 200")


def test_ipv6():
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with serving(listen="[::1]:0") as server:
        assert server.url.startswith("http://[::1]:")
        assert requests.get(server.url, timeout=PATIENCE).status_code == 200


def test_notify_socket(tmp_path):
    """systemd: READY=1 to $NOTIFY_SOCKET once it is ready."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(10 * SLOW)
        with serving(env={"NOTIFY_SOCKET": str(path)}):
            assert b"READY=1" in notify.recv(4096)
        assert b"STOPPING=1" in notify.recv(4096)


def test_socket_activation():
    """systemd: LISTEN_FDS hands over listening sockets from descriptor 3 on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        script = (
            "import os, sys\n"
            "fd = int(sys.argv[1])\n"
            "if fd == 3: os.set_inheritable(3, True)\n"
            "else: os.dup2(fd, 3, inheritable=True)\n"
            "os.environ['LISTEN_FDS'] = '1'\n"
            "os.environ['LISTEN_PID'] = str(os.getpid())\n"
            "os.execv(sys.argv[2], sys.argv[2:])\n"
        )
        process = subprocess.Popen(
            ["python3", "-c", script, str(listener.fileno()), S3MEMD],
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if not k.startswith("S3MEMD_")},
        )
        try:
            first = process.stdout.readline().decode()
            assert f":{port}" in first, first
            assert process.stdout.readline() == b"Ready.\n"
            assert requests.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE).status_code == 200
        finally:
            process.terminate()
            assert process.wait(20 * SLOW) == 0
            process.stdout.close()
            process.stderr.close()


# ---- signals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_stops(which):
    server = Server()
    server.signal(which)
    assert server.wait() == 0
    server.stop()


def test_finishes_requests_in_flight():
    """SIGTERM lets the upload in progress finish; new connections are refused."""
    server = Server("--bucket", "bucket")
    with connect(server) as raw:
        raw.sendall(b"PUT /bucket/k HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
        eventually(lambda: in_flight(server) == 1)
        server.signal()
        eventually(lambda: refuses_connections(server))
        assert server.alive()
        raw.sendall(b"world")
        assert raw.recv(4096).startswith(b"HTTP/1.1 200")
    assert server.wait() == 0
    server.stop()


def test_stops_despite_idle_connections():
    """Keep-alive connections that wait for nothing do not hold it up."""
    server = Server()
    with connect(server) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(65536)
        server.signal()
        assert server.wait() == 0
        assert "cut off" not in server.stderr()
    server.stop()


def test_second_signal_leaves_at_once():
    server = Server("--bucket", "bucket")
    with connect(server) as raw:
        raw.sendall(b"PUT /bucket/k HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
        eventually(lambda: in_flight(server) == 1)
        server.signal()
        eventually(lambda: refuses_connections(server))
        assert server.alive(), "it waits for the request in flight"
        server.signal()
        assert server.wait() == 128 + signal.SIGTERM
        assert "cut off" not in server.stderr()
    server.stderr_file.close()


def test_gives_up_after_ten_seconds():
    """A client that never finishes holds the end up for 10 seconds at most."""
    server = Server("--bucket", "bucket")
    with connect(server, timeout=30) as raw:
        raw.sendall(b"PUT /bucket/k HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
        eventually(lambda: in_flight(server) == 1)
        started = time.monotonic()
        server.signal()
        assert server.wait() == 0
        assert time.monotonic() - started >= 9.9
        assert "1 request cut off: not finished after 10 s" in server.stderr()
    server.stop()


def test_requests_held_by_faults_at_the_end():
    """Those that are let go in time are answered; the others do not keep the server."""
    server = Server("--bucket", "bucket")
    rules = [{"operation": "ListObjects", "latency": "1s"}, {"operation": "GetObject", "latency": "10m"}]
    reply = http_request(server, "PUT", "/_s3mem/faults", body=json.dumps(rules).encode())
    assert reply.status == 200
    with contextlib.ExitStack() as opened:
        short, long = (opened.enter_context(connect(server, timeout=30)) for _ in range(2))
        short.sendall(b"GET /bucket HTTP/1.1\r\nHost: x\r\n\r\n")
        long.sendall(b"GET /bucket/k HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: in_flight(server) == 2)
        server.signal()
        assert short.recv(4096).startswith(b"HTTP/1.1 200")
        assert long.recv(4096) == b""
        assert server.wait() == 0
        assert "1 request cut off: not finished after 10 s" in server.stderr()
    server.stop()


def test_sighup_and_sigpipe_do_not_kill():
    with serving() as server:
        server.signal(signal.SIGPIPE)
        time.sleep(0.1)
        assert http_request(server, "GET", "/").status == 200


# ---- seeds --------------------------------------------------------------------------------------


def test_seed(tmp_path):
    """--seed DIR: DIR/BUCKET/KEY…"""
    (tmp_path / "first" / "dir").mkdir(parents=True)
    (tmp_path / "second").mkdir()
    (tmp_path / "first" / "a.txt").write_bytes(b"A")
    (tmp_path / "first" / "dir" / "b c.bin").write_bytes(b"B" * 100_000)
    (tmp_path / "first" / "\u00e9.json").write_bytes(b"{}")
    with serving("--seed", tmp_path) as server:
        s3 = client(server)
        assert buckets(server) == ["first", "second"]
        assert keys_of(s3.list_objects_v2(Bucket="first")) == ["a.txt", "dir/b c.bin", "\u00e9.json"]
        got = s3.get_object(Bucket="first", Key="dir/b c.bin", ChecksumMode="ENABLED")
        assert got["Body"].read() == b"B" * 100_000
        has(got, ChecksumCRC64NVME=...)
        assert keys_of(s3.list_objects_v2(Bucket="second")) == []
        for key, kind in (("a.txt", "text/plain"), ("\u00e9.json", "application/json"),
                          ("dir/b c.bin", "binary/octet-stream")):
            has(s3.head_object(Bucket="first", Key=key), ContentType=kind)


def test_seed_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    seed = tmp_path / "seed"
    (seed / "bucket").mkdir(parents=True)
    (seed / "bucket" / "plain").write_bytes(b"x")
    (seed / "bucket" / "link").symlink_to(outside / "secret")
    (seed / "bucket" / "dirlink").symlink_to(outside)
    with serving("--seed", seed) as server:
        assert keys_of(client(server).list_objects_v2(Bucket="bucket")) == ["plain"]


def test_seed_with_bad_bucket_name(tmp_path):
    (tmp_path / "Bad_Bucket").mkdir()
    (tmp_path / "Bad_Bucket" / "k").write_bytes(b"x")
    done = run_daemon("--listen", "127.0.0.1:0", "--seed", tmp_path)
    assert done.returncode in (1, 2)
    assert "Bad_Bucket" in done.stderr


# ---- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", str(key), "-out", str(cert),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key


def test_tls(certificate):
    cert, key = certificate
    with serving("--tls-cert", cert, "--tls-key", key, "--bucket", "bucket") as server:
        assert server.url.startswith("https://127.0.0.1:")
        s3 = client(server, verify=str(cert))
        body = os.urandom(3_000_000)
        s3.put_object(Bucket="bucket", Key="k", Body=body)
        assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == body
        import io

        s3.put_object(Bucket="bucket", Key="s", Body=io.BytesIO(body))
        assert s3.get_object(Bucket="bucket", Key="s")["Body"].read() == body
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "k"})
        assert requests.get(url, verify=str(cert), timeout=PATIENCE).content == body
        upload = s3.create_multipart_upload(Bucket="bucket", Key="m")["UploadId"]
        part = s3.upload_part(Bucket="bucket", Key="m", UploadId=upload, PartNumber=1, Body=b"x")
        done = s3.complete_multipart_upload(
            Bucket="bucket",
            Key="m",
            UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
        )
        assert done["Location"].startswith("https://")


def test_tls_wrong_files(certificate, tmp_path):
    cert, key = certificate
    junk = tmp_path / "junk.pem"
    junk.write_text("junk", encoding="utf-8")
    for arguments in (
        ["--tls-cert", junk, "--tls-key", key],
        ["--tls-cert", cert, "--tls-key", junk],
        ["--tls-cert", "/nonexistent.pem", "--tls-key", key],
    ):
        done = run_daemon("--listen", "127.0.0.1:0", *arguments)
        assert done.returncode in (1, 2), done
        assert "tls" in done.stderr.lower() or ".pem" in done.stderr, done.stderr


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory):
    ca = tmp_path_factory.mktemp("ca") / "ca.pem"
    domains = ("--domain", "s3.test", "--domain", "localhost")
    with serving("--tls-self-signed", "--tls-ca-file", ca, "--bucket", "bucket", *domains,
                 "--access-key", "a-key", "--secret-key", "a-secret", listen="localhost:0") as server:  # fmt: skip
        server.ca = ca
        yield server


def test_self_signed(self_signed):
    ca = str(self_signed.ca)
    assert self_signed.url == f"https://127.0.0.1:{self_signed.port}"
    s3 = client(self_signed, key="a-key", secret="a-secret", verify=ca)
    s3.put_object(Bucket="bucket", Key="k", Body=b"x" * 100_000)
    assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"x" * 100_000
    # Without a signature, and the same as in the file.
    shown = requests.get(self_signed.url + "/_s3mem/ca.pem", verify=ca, timeout=PATIENCE)
    assert shown.text == self_signed.ca.read_text(encoding="ascii")
    assert shown.headers["content-type"] == "application/x-pem-file"
    assert "PRIVATE" not in shown.text


@pytest.mark.parametrize(
    "name,good",
    [
        ("localhost", True), ("127.0.0.1", True), ("::1", True), ("s3.test", True),
        ("bucket.s3.test", True), ("bucket.s3.localhost", True),
        ("elsewhere.test", False), ("a.b.s3.test", False), ("127.0.0.2", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_self_signed_names(self_signed, name, good, version):
    context = ssl.create_default_context(cafile=str(self_signed.ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.minimum_version = context.maximum_version = version
    with connect(self_signed) as raw:
        if good:
            with context.wrap_socket(raw, server_hostname=name) as secure:
                secure.sendall(b"GET /_s3mem/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert secure.recv(100).startswith(b"HTTP/1.1 200")
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                context.wrap_socket(raw, server_hostname=name)


def test_self_signed_is_made_anew(self_signed):
    with serving("--tls-self-signed") as server:
        reply = requests.get(server.url + "/_s3mem/ca.pem", verify=False, timeout=PATIENCE)
        assert reply.text != self_signed.ca.read_text(encoding="ascii")
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(server.url + "/health", verify=str(self_signed.ca), timeout=PATIENCE)
        server.signal(signal.SIGHUP)
        assert requests.get(server.url + "/_s3mem/ca.pem", verify=False, timeout=PATIENCE).text == reply.text


def test_no_authority():
    with serving() as server:
        assert http_request(server, "GET", "/_s3mem/ca.pem").status == 404


@pytest.mark.parametrize("size", [0, 100_000])
def test_plain_http_on_the_tls_port(self_signed, size):
    """It says what is wrong, and no TLS client is kept by it."""
    with connect(self_signed) as raw:
        head = f"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
        raw.sendall(head + b"x" * min(size, 10_000))
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"speaks HTTPS" in body and f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"


@pytest.mark.parametrize(
    "options,said",
    [
        (("--tls-self-signed", "--tls-cert", "x", "--tls-key", "y"), "takes the place"),
        (("--tls-ca-file", "x"), "--tls-self-signed"),
        (("--tls-self-signed", "--tls-ca-file", "/nonexistent/ca.pem"), "/nonexistent/ca.pem"),
    ],
)
def test_wrong_self_signed(options, said):
    done = run_daemon("--port", "0", *options)
    assert done.returncode in (1, 2) and said in done.stderr


# ---- logs ---------------------------------------------------------------------------------------


def test_access_log_text():
    """One access line a request: id, operation, status, S3 code, bytes, milliseconds."""
    with serving("--verbose", "--bucket", "bucket") as server:
        http_request(server, "PUT", "/bucket/k", body=b"hello")
        reply = http_request(server, "GET", "/bucket/missing")
        request_id = reply.headers["x-amz-request-id"]

        def logged():
            return [line for line in server.stderr().split("\n") if request_id in line]

        [line] = eventually(logged)
        assert "GetObject" in line and "404" in line and "NoSuchKey" in line
        eventually(
            lambda: any(
                "PutObject" in line and "200" in line for line in server.stderr().split("\n")
            )
        )


def test_access_log_json():
    with serving("--verbose", "--log-format", "json", "--bucket", "bucket") as server:
        nasty = '/bucket/%22%0a{"fake":1}%ff'
        http_request(server, "GET", nasty)
        reply = http_request(server, "GET", "/bucket/missing")
        request_id = reply.headers["x-amz-request-id"]
        eventually(lambda: request_id in server.stderr())
        lines = [json.loads(line) for line in server.stderr().strip().split("\n")]
    [entry] = [line for line in lines if request_id in line.values()]
    assert "GetObject" in entry.values()
    assert 404 in entry.values() and "NoSuchKey" in entry.values()


def test_quiet_by_default():
    with serving("--bucket", "bucket") as server:
        http_request(server, "GET", "/bucket/missing")
        time.sleep(0.1)
        assert "missing" not in server.stderr()


def test_no_log_injection():
    """A key with line breaks cannot forge lines of the log."""
    with serving("--verbose", "--bucket", "bucket") as server:
        http_request(server, "GET", "/bucket/a%0aFORGED%0d%1b[31m")
        eventually(lambda: "GetObject" in server.stderr())
        text = server.stderr()
    assert not any(line.startswith("FORGED") for line in text.split("\n"))
    assert "\x1b" not in text


# ---- resources ----------------------------------------------------------------------------------


def test_idle_timeout():
    with serving("--idle-timeout", "1") as server:
        with connect(server) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert raw.recv(65536)
            assert raw.recv(65536) == b""


def test_threads():
    with serving("--threads", "1", "--bucket", "bucket") as server:
        results = []

        def work(n):
            results.append(http_request(server, "PUT", f"/bucket/{n}", body=b"x" * 1000).status)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert results == [200] * 20


def test_connection_limit():
    """Beyond the limit connections wait their turn; the ones there are served."""
    with serving("--connection-limit", "16", "--idle-timeout", "2") as server:
        held = [connect(server) for _ in range(16)]
        late = connect(server)
        late.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for s in held:
            s.close()
        late.settimeout(15 * SLOW)
        assert late.recv(65536).startswith(b"HTTP/1.1 200")
        late.close()
        unique()
