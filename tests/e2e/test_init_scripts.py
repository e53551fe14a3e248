# SPDX-License-Identifier: MIT
"""Init scripts: LocalStack's stages, folders and order, what its scripts find in their
environment, and what becomes of those that fail, hang or cannot be run.

Source: LocalStack's documentation, "Initialization Hooks", and its source, runtime/init.py
(InitScriptManager) and services/internal.py (InitScriptsResource, InitScriptsStageResource).
"""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

import harness
from harness import (
    PATIENCE,
    S3MEMD,
    SLOW,
    Server,
    client,
    eventually,
    http_request,
    run_daemon,
    serving,
)

pytestmark = pytest.mark.options

STAGES = ("boot", "start", "ready", "shutdown")
# With the test's aws and boto3, as a user who has them would have them.
TOOLS = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
BARE = "/usr/bin:/bin"


def script(path, text, mode=0o755):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@contextlib.contextmanager
def running(folder, *args, **options):
    """A server with the folder's scripts, whose temporary files lie beside it."""
    tmp = folder / "tmp"
    tmp.mkdir(exist_ok=True)
    init = folder / "init"
    init.mkdir(exist_ok=True)
    env = {"TMPDIR": str(tmp), "PATH": TOOLS} | options.pop("env", {})
    with serving("--init-dir", init, *args, env=env, **options) as server:
        yield server
    assert list(tmp.iterdir()) == []


def scripts_of(server, stage=None):
    path = "/_localstack/init" + (f"/{stage}" if stage else "")
    found = http_request(server, "GET", path).json["scripts"]
    return [(s["stage"], s["name"], s["state"]) for s in found]


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def not_run(server, name):
    """Why a script was not run, as the log says it: once."""
    found = [line for line in server.stderr().splitlines() if f" {name} is not run: " in line]
    assert len(found) == 1, (name, server.stderr())
    return found[0].split(" is not run: ")[1]


# ---- stages and order ---------------------------------------------------------------------------


def test_stages(tmp_path):
    """Each stage at its time: boot and start before anything listens, ready before the ready
    line, shutdown while the server still answers."""
    out = tmp_path / "out"
    probe = (
        "#!/bin/sh\n"
        "answer=$(python3 -c 'import os, urllib.request as u\n"
        "try: print(u.urlopen(os.environ[\"AWS_ENDPOINT_URL\"] + \"/_localstack/health\").status)\n"
        "except u.HTTPError as e: print(e.code)\n"
        "except OSError: print(\"nobody\")')\n"
    )
    for stage in STAGES:
        script(tmp_path / "init" / f"{stage}.d" / "probe.sh", f"{probe}echo {stage} $answer >> {out}\n")
    with running(tmp_path, "--shutdown-timeout", "1h") as server:
        assert lines(out) == ["boot nobody", "start nobody", "ready 503"]
        assert scripts_of(server) == [
            (stage.upper(), "probe.sh", "UNKNOWN" if stage == "shutdown" else "SUCCESSFUL")
            for stage in STAGES
        ]
        completed = http_request(server, "GET", "/_localstack/init").json["completed"]
        assert completed == {"BOOT": True, "START": True, "READY": True, "SHUTDOWN": False}
        for stage in STAGES:
            reply = http_request(server, "GET", f"/_localstack/init/{stage}").json
            assert reply["completed"] is (stage != "shutdown")
            assert [s["stage"] for s in reply["scripts"]] == [stage.upper()]
    assert lines(out)[3:] == ["shutdown 200"]


def test_state_while_they_run(tmp_path):
    """UNKNOWN, RUNNING and what it ends with; S3 answers meanwhile, health does not."""
    gate, url_file = tmp_path / "gate", tmp_path / "url"
    ready = tmp_path / "init" / "ready.d"
    script(ready / "1.sh", "true\n")
    script(
        ready / "2.sh",
        f'echo "$AWS_ENDPOINT_URL" > {url_file}.tmp; mv {url_file}.tmp {url_file}\n'
        f"for _ in $(seq 6000); do [ -e {gate} ] && exit; sleep 0.1; done\n",
    )
    script(ready / "3.sh", "true\n")
    server = Server("--init-dir", tmp_path / "init", "--bucket", "there", wait=False)
    try:
        eventually(url_file.exists, 20)
        url = url_file.read_text(encoding="utf-8").strip()
        for path in ("/_localstack/health", "/_s3mem/health", "/minio/health/ready"):
            assert requests.get(url + path, timeout=PATIENCE).status_code == 503, path
        stage = requests.get(url + "/_localstack/init/ready", timeout=PATIENCE).json()
        assert stage["completed"] is False
        assert [s["state"] for s in stage["scripts"]] == ["SUCCESSFUL", "RUNNING", "UNKNOWN"]
        assert requests.get(url + "/there", timeout=PATIENCE).status_code == 200
        assert server.stdout == []
    finally:
        gate.touch()
        server.wait_ready()
        assert [s[2] for s in scripts_of(server, "ready")] == ["SUCCESSFUL"] * 3
        server.stop()


def test_order_and_folders(tmp_path):
    """The scripts of a folder by name, then its folders by name, each in the same way; the names
    are those of the files alone."""
    out = tmp_path / "out"
    ready = tmp_path / "init" / "ready.d"
    order = ["Z.sh", "a.sh", "b.sh", "A/1.sh", "A/z/1.sh", "B/2.sh", "B/C/D/0.sh", "a/0.sh"]
    for name in reversed(order):
        script(ready / name, f"echo {name} >> {out}\n")
    with running(tmp_path) as server:
        assert lines(out) == order
        assert [name for _, name, _ in scripts_of(server)] == [n.rsplit("/")[-1] for n in order]


def test_boot_makes_scripts(tmp_path):
    """What a boot script puts into the other folders is run."""
    out = tmp_path / "out"
    ready = tmp_path / "init" / "ready.d"
    script(
        tmp_path / "init" / "boot.d" / "make.sh",
        f"mkdir -p {ready} && echo 'echo made >> {out}' > {ready}/made.sh\n",
    )
    with running(tmp_path) as server:
        assert lines(out) == ["made"]
        assert ("READY", "made.sh", "SUCCESSFUL") in scripts_of(server)


def test_boot_makes_a_seed(tmp_path):
    """Boot and start come before the server reads anything."""
    seed = tmp_path / "seed"
    script(tmp_path / "init" / "boot.d" / "seed.sh", f"mkdir -p {seed}/seeded && echo x > {seed}/seeded/k\n")
    with running(tmp_path, "--seed", seed) as server:
        assert client(server).get_object(Bucket="seeded", Key="k")["Body"].read() == b"x\n"


# ---- what runs them -----------------------------------------------------------------------------


def test_kinds(tmp_path):
    """.sh and .py need not be executable; #! names the interpreter; other executables run."""
    out = tmp_path / "out"
    ready = tmp_path / "init" / "ready.d"
    script(ready / "1.sh", f"echo sh $0 >> {out}\n", mode=0o644)
    script(ready / "2.sh", f"#! /bin/bash -e\n[[ -n $BASH_VERSION ]]\necho bash >> {out}\n", mode=0o644)
    script(ready / "3.sh", f"#!/usr/bin/env bash\n[[ -n $BASH_VERSION ]]\necho env >> {out}\n")
    script(ready / "4.py", f"import sys\nopen({str(out)!r}, 'a').write('py ' + sys.argv[0] + chr(10))\n", mode=0o644)
    # LocalStack runs it, whatever its first line says.
    script(ready / "5.py", f"#!/nonexistent/python\nopen({str(out)!r}, 'a').write('py' + chr(10))\n")
    script(ready / "6-program", f"#!/bin/sh\necho program >> {out}\n")
    (ready / "7-elf").symlink_to("/bin/true")
    (ready / "8.sh").symlink_to(script(tmp_path / "elsewhere", f"echo link >> {out}\n", mode=0o600))
    with running(tmp_path) as server:
        assert lines(out) == [f"sh {ready}/1.sh", "bash", "env", f"py {ready}/4.py", "py", "program", "link"]
        assert [state for _, _, state in scripts_of(server)] == ["SUCCESSFUL"] * 8


def test_not_run(tmp_path):
    """What is passed over is named in the log, once, with the reason; LocalStack does not list it
    either."""
    init = tmp_path / "init"
    ready = init / "ready.d"
    script(ready / "main.tf", "resource {}\n", mode=0o644)
    script(ready / "executable.tf", "resource {}\n")
    script(ready / "README", "read me\n", mode=0o644)
    script(ready / ".hidden.sh", "touch /nonexistent/x\n")
    script(ready / "folder" / "data.json", "{}", mode=0o644)
    (ready / "dangling.sh").symlink_to(tmp_path / "nowhere")
    (ready / "loop.sh").symlink_to(ready / "loop.sh")
    (ready / "linked").symlink_to(ready / "folder")
    (ready / "upwards").symlink_to(init)
    os.mkfifo(ready / "fifo.sh")
    script(init / "wrong.sh", "true\n")
    script(init / "ready" / "wrong.sh", "true\n")
    script(ready / "last.sh", "true\n")
    with running(tmp_path) as server:
        assert scripts_of(server) == [("READY", "last.sh", "SUCCESSFUL")]
        kinds = "it is neither .sh, .py"
        for name, why in {
            "ready.d/main.tf": f"{kinds} nor executable",
            "ready.d/executable.tf": f"{kinds}, #! nor a program",
            "ready.d/README": f"{kinds} nor executable",
            "ready.d/folder/data.json": f"{kinds} nor executable",
            "ready.d/dangling.sh": "it is a link to nothing",
            "ready.d/loop.sh": os.strerror(40),
            "ready.d/linked": "links to folders are not followed",
            "ready.d/upwards": "links to folders are not followed",
            "ready.d/fifo.sh": "it is no file",
            "wrong.sh": "it is in none of boot.d, start.d, ready.d and shutdown.d",
            "ready": "it is in none of boot.d, start.d, ready.d and shutdown.d",
        }.items():
            assert not_run(server, name) == why
        assert f"{ready}/.hidden.sh is hidden" in server.stderr()


def test_bounds(tmp_path):
    """1024 scripts a stage, 32 folders deep; what is beyond is named."""
    ready = tmp_path / "init" / "ready.d"
    for i in range(1026):
        script(ready / f"{i:04}.sh", "#!/bin/true\n")
    deep = ready.joinpath(*["d"] * 33)
    script(deep / "deep.sh", "true\n")
    script(tmp_path / "init" / "start.d" / Path(*["d"] * 32) / "deep.sh", "true\n")
    with running(tmp_path, env={"PATH": BARE}) as server:
        found = scripts_of(server)
        assert found[0] == ("START", "deep.sh", "SUCCESSFUL")
        assert found[1:] == [("READY", f"{i:04}.sh", "SUCCESSFUL") for i in range(1024)]
        for beyond in ("1024", "1025"):
            assert not_run(server, f"ready.d/{beyond}.sh") == "a stage has 1024 at most"
        assert f"init scripts in {deep.relative_to(tmp_path / 'init')} are not run: more than 32" in server.stderr()


@pytest.mark.parametrize(
    "name, text, why",
    [
        ("a.sh", "#!/nonexistent/shell\n", "there is no interpreter /nonexistent/shell"),
        ("a.sh", "#!\n", "there is no interpreter "),
        ("a.sh", "#!/bin\n", "there is no interpreter /bin"),
        ("a.sh", "#!/bin/sh\r\ntrue\r\n", "its first line ends in CR LF, which no interpreter's name does"),
        ("a.sh", "#!/" + 300 * "x" + "\n", "its first line is too long"),
        ("a", "#!/nonexistent/shell\n", "there is no interpreter /nonexistent/shell"),
        ("a.py", "import this\n", "there is no python3 on PATH"),
    ],
)
def test_without_interpreter(tmp_path, name, text, why):
    """In LocalStack such a script is an error among the others, which run all the same."""
    ready = tmp_path / "init" / "ready.d"
    script(ready / name, text)
    script(ready / "last.sh", "true\n")
    with running(tmp_path, env={"PATH": str(tmp_path / "empty")}) as server:
        assert not_run(server, f"ready.d/{name}") == why
        assert scripts_of(server) == [("READY", name, "ERROR"), ("READY", "last.sh", "SUCCESSFUL")]


def test_failing(tmp_path):
    """Logged with its status, an ERROR, and no reason to stop."""
    out = tmp_path / "out"
    ready = tmp_path / "init" / "ready.d"
    script(ready / "1.sh", "exit 3\n")
    script(ready / "2.py", "raise SystemExit('no')\n")
    script(ready / "3.sh", "kill -9 $$\n")
    script(ready / "4.sh", f"echo ran > {out}\n")
    with running(tmp_path) as server:
        assert scripts_of(server) == [
            ("READY", "1.sh", "ERROR"),
            ("READY", "2.py", "ERROR"),
            ("READY", "3.sh", "ERROR"),
            ("READY", "4.sh", "SUCCESSFUL"),
        ]
        log = server.stderr()
        assert "init script ready.d/1.sh: exit status 3" in log
        assert "init script ready.d/2.py: exit status 1" in log and "\nno\n" in log
        assert "init script ready.d/3.sh: ended by signal 9" in log
    assert lines(out) == ["ran"]


def test_names(tmp_path):
    """Blanks, quotes, newlines and bytes that are no UTF-8."""
    out = tmp_path / "out"
    ready = tmp_path / "init" / "ready.d"
    names = [" a.sh", "-e.sh", "b\nc.sh", "d'\"$(e).sh", "\udcff.sh"]
    for name in names:
        script(ready / name, f"echo ran >> {out}\n", mode=0o644)
    script(ready / "x\ny" / "new\nline.py", f"open({str(out)!r}, 'a').write('py' + chr(10))\n", mode=0o644)
    script(ready / "x\ny" / "tf\n.tf", "")
    with running(tmp_path) as server:
        assert lines(out) == ["ran"] * 5 + ["py"]
        shown = [name for _, name, _ in scripts_of(server)]
        assert shown == [*names[:4], "\ufffd.sh", "new\nline.py"]
        assert "init script ready.d/b\\x0ac.sh\n" in server.stderr()
        assert not_run(server, "ready.d/x\\x0ay/tf\\x0a.tf")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_as_user(tmp_path, monkeypatch):
    unreadable(tmp_path, monkeypatch, [])


@pytest.mark.skipif(os.geteuid() != 0, reason="setpriv needs root")
def test_unreadable_as_root(tmp_path, monkeypatch):
    """As root, without the privilege to read everything."""
    unreadable(tmp_path, monkeypatch, ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"])


def unreadable(tmp_path, monkeypatch, wrapper):
    """Folders and files that may not be read are named in the log; the rest runs."""
    out = tmp_path / "out"
    ready = tmp_path / "init" / "ready.d"
    script(ready / "1.sh", f"echo one >> {out}\n", mode=0o000)
    script(ready / "2.sh", f"echo two >> {out}\n")
    script(ready / "closed" / "3.sh", "true\n")
    (ready / "closed").chmod(0o000)
    script(tmp_path / "init" / "shutdown.d" / "4.sh", "true\n")
    (tmp_path / "init" / "shutdown.d").chmod(0o000)
    try:
        wrapped = script(tmp_path / "s3memd", f'#!/bin/sh\nexec {" ".join(wrapper)} {S3MEMD} "$@"\n')
        monkeypatch.setattr(harness, "S3MEMD", str(wrapped))
        server = Server("--init-dir", tmp_path / "init")
        try:
            denied = os.strerror(13)
            assert not_run(server, "ready.d/1.sh") == denied
            for folder in ("ready.d/closed", "shutdown.d"):
                assert server.stderr().count(f"init scripts in {folder} are not run: {denied}\n") == 1
            assert lines(out) == ["two"]
            assert scripts_of(server) == [("READY", "1.sh", "ERROR"), ("READY", "2.sh", "SUCCESSFUL")]
        finally:
            server.stop()
    finally:
        (ready / "closed").chmod(0o755)
        (tmp_path / "init" / "shutdown.d").chmod(0o755)


def test_no_such_folder(tmp_path):
    """DIR itself has to be there; the stages need not."""
    for wrong in (tmp_path / "nowhere", script(tmp_path / "file", "")):
        done = run_daemon("--listen", "127.0.0.1:0", "--init-dir", wrong)
        assert done.returncode == 1 and f"--init-dir: {wrong}: " in done.stderr
    with running(tmp_path) as server:
        assert scripts_of(server) == []
        assert "has none of boot.d, start.d, ready.d and shutdown.d" in server.stderr()


# ---- environment --------------------------------------------------------------------------------


def environment(tmp_path, *args, stage="ready", **options):
    """What a script of the stage finds, and the server's URL."""
    out = tmp_path / f"env-{stage}"
    script(
        tmp_path / "init" / f"{stage}.d" / "env.py",
        f"import json, os\njson.dump(dict(os.environ), open({str(out)!r}, 'w'))\n",
    )
    with running(tmp_path, *args, **options) as server:
        url = server.url
    return json.loads(out.read_text(encoding="utf-8")), url


def test_environment(tmp_path):
    strange = {
        "AWS_PROFILE": "nobody",
        "AWS_DEFAULT_PROFILE": "nobody",
        "AWS_SESSION_TOKEN": "stale",
        "AWS_ENDPOINT_URL_S3": "https://example.com",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_CA_BUNDLE": "/ca-of-mine",
        "NOTIFY_SOCKET": "",
        "LISTEN_PID": "1",
        "OTHER": "kept",
        "NO_PROXY": "a.test",
    }
    env, url = environment(tmp_path, "--region", "eu-west-1", env=strange)
    host, port = url.removeprefix("http://").split(":")
    expected = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "DEFAULT_REGION": "eu-west-1",
        "LOCALSTACK_HOST": f"{host}:{port}",
        "LOCALSTACK_HOSTNAME": host,
        "EDGE_PORT": port,
        "USE_SSL": "false",
        "NO_PROXY": f"a.test,{host}",
        "OTHER": "kept",
        "AWS_CA_BUNDLE": "/ca-of-mine",
    }
    assert {name: env.get(name) for name in expected} == expected
    assert not {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "NOTIFY_SOCKET", "LISTEN_PID",
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"} & set(env)  # fmt: skip


def test_credentials(tmp_path):
    """Those of the key that may administer; before the server has read the file, of the options."""
    keys = tmp_path / "keys.json"
    keys.write_text(
        json.dumps(
            [
                {"accessKey": "first", "secretKey": "1-secret"},
                {"accessKey": "chief", "secretKey": "2-secret", "sessionToken": "3", "admin": True},
            ]
        )
    )
    keys.chmod(0o600)
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    for stage, expected in (("ready", ("chief", "2-secret", "3")), ("boot", ("test", "test", None))):
        env, _ = environment(tmp_path, "--credentials", keys, stage=stage)
        assert tuple(env.get(n) for n in names) == expected
    both = ("--access-key", "mine", "--secret-key", "my-secret")
    for stage in ("start", "shutdown"):
        env, _ = environment(tmp_path, *both, "--shutdown-timeout", "1h", stage=stage)
        assert tuple(env.get(n) for n in names) == ("mine", "my-secret", None)


@pytest.mark.parametrize(
    "listen, url",
    [
        ("127.0.0.1:{}", "http://127.0.0.1:{}"),
        ("localhost:{}", "http://127.0.0.1:{}"),
        ("{}", "http://127.0.0.1:{}"),
        (":{}", "http://127.0.0.1:{}"),
        ("[::1]:{}", "http://[::1]:{}"),
        ("127.0.0.1:0", "http://s3memd-has-no-port.invalid"),
    ],
)
def test_address_before_it_listens(tmp_path, listen, url, free_port):
    """A helper that a start script leaves behind may wait for it. It is never Amazon's."""
    env, _ = environment(tmp_path, stage="start", listen=listen.format(free_port))
    assert env["AWS_ENDPOINT_URL"] == url.format(free_port)


@pytest.mark.parametrize("stage", ["start", "ready"])
@pytest.mark.parametrize("listen, url", [("0.0.0.0:{}", "http://127.0.0.1:{}"), ("[::]:{}", "http://[::1]:{}")])
def test_address_of_everywhere(tmp_path, listen, url, stage, free_port):
    """Listening everywhere is not an address to connect to."""
    env, _ = environment(tmp_path, "--insecure", stage=stage, listen=listen.format(free_port))
    assert env["AWS_ENDPOINT_URL"] == url.format(free_port)
    assert env["EDGE_PORT"] == str(free_port)


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_no_tcp_port(tmp_path):
    out = tmp_path / "out"
    script(tmp_path / "init" / "ready.d" / "a.sh", f'echo "$AWS_ENDPOINT_URL" > {out}\n')
    server = Server("--init-dir", tmp_path / "init", listen=f"unix:{tmp_path}/socket")
    server.stop()
    assert lines(out) == ["http://s3memd-has-no-port.invalid"]


def test_inherits_no_files(tmp_path):
    """What the server was given by its parent, such as systemd's sockets, is not for a process
    that a boot script leaves behind."""
    out = tmp_path / "out"
    script(
        tmp_path / "init" / "boot.d" / "1.sh",
        f"sleep 1000 &\nreadlink /proc/$!/fd/* > {out}.tmp; kill $!; mv {out}.tmp {out}\n",
    )
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            [S3MEMD, "--listen", "127.0.0.1:0", "--init-dir", tmp_path / "init"],
            pass_fds=[writing],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        inherited = os.readlink(f"/proc/self/fd/{writing}")
        assert os.readlink(f"/proc/{process.pid}/fd/{writing}") == inherited
        try:
            eventually(out.exists, 20)
        finally:
            process.terminate()
            process.wait()
        assert "/dev/null" in lines(out) and inherited not in lines(out)
    finally:
        os.close(reading)
        os.close(writing)


# ---- awslocal -----------------------------------------------------------------------------------


AWSLOCAL = (
    "set -e\n"
    "awslocal s3 mb s3://made\n"
    "echo body | awslocal s3 cp - s3://made/k\n"
    "awslocal s3 cp s3://made/k -\n"
    "awslocal s3api head-object --bucket made --key k --query ContentLength\n"
)


@pytest.mark.parametrize("tls", [False, True])
def test_awslocal(tmp_path, tls):
    """Where there is aws and no awslocal. Under --tls-self-signed it trusts the certificate."""
    script(tmp_path / "init" / "ready.d" / "a.sh", AWSLOCAL + "command -v awslocal\nstat -c %a ${0%/*} $(dirname $(command -v awslocal))\n")
    script(tmp_path / "init" / "shutdown.d" / "b.sh", f"awslocal s3 ls s3://made > {tmp_path}/listed\n")
    args = ["--tls-self-signed"] if tls else []
    with running(tmp_path, "--shutdown-timeout", "1h", *args) as server:
        log = server.stderr()
        assert "\nbody\n5\n" in log and "InsecureRequestWarning" not in log, log
        assert scripts_of_tls(server)[0] == ("READY", "a.sh", "SUCCESSFUL")
        assert f"\n{tmp_path}/tmp/s3memd-init-" in log
        assert "\n700\n" in log
        [folder] = (tmp_path / "tmp").iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {p.name for p in folder.iterdir()} == ({"awslocal", "ca.pem"} if tls else {"awslocal"})
    assert lines(tmp_path / "listed")[0].endswith(" 5 k")


def scripts_of_tls(server):
    found = requests.get(server.url + "/_localstack/init", verify=False, timeout=PATIENCE).json()
    return [(s["stage"], s["name"], s["state"]) for s in found["scripts"]]


def test_awslocal_with_a_certificate_of_ones_own(tmp_path):
    """As LocalStack's: nobody said whom to trust, so it asks nobody."""
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=elsewhere",
            "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    script(tmp_path / "init" / "ready.d" / "a.sh", AWSLOCAL)
    with running(tmp_path, "--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem") as server:
        assert scripts_of_tls(server) == [("READY", "a.sh", "SUCCESSFUL")], server.stderr()


def test_awslocal_with_credentials(tmp_path):
    script(tmp_path / "init" / "ready.d" / "a.sh", AWSLOCAL)
    with running(tmp_path, "--access-key", "a-key", "--secret-key", "a-secret") as server:
        assert scripts_of(server) == [("READY", "a.sh", "SUCCESSFUL")], server.stderr()
        assert client(server, "a-key", "a-secret").get_object(Bucket="made", Key="k")["Body"].read() == b"body\n"


def test_boto3(tmp_path):
    """Without a word about where the server is, and past a proxy."""
    script(
        tmp_path / "init" / "ready.d" / "a.py",
        "import boto3\nboto3.client('s3').create_bucket(Bucket='from-python')\n",
    )
    proxy = {"HTTPS_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1", "NO_PROXY": "a.test"}
    for args in ([], ["--tls-self-signed"]):
        with running(tmp_path, *args, env=proxy) as server:
            assert scripts_of_tls(server) == [("READY", "a.py", "SUCCESSFUL")], server.stderr()


def test_awslocal_of_ones_own(tmp_path):
    """One that is there is used; where there is no aws, there is no awslocal."""
    mine = script(tmp_path / "bin" / "awslocal", "#!/bin/sh\necho mine\n")
    script(tmp_path / "init" / "ready.d" / "a.sh", "awslocal\n")
    with running(tmp_path, env={"PATH": f"{mine.parent}:{TOOLS}"}) as server:
        assert "\nmine\n" in server.stderr()
        assert list((tmp_path / "tmp").iterdir()) == []
    with running(tmp_path, env={"PATH": BARE}) as server:
        assert scripts_of(server) == [("READY", "a.sh", "ERROR")]
        assert list((tmp_path / "tmp").iterdir()) == []


def test_no_room_for_awslocal(tmp_path):
    script(tmp_path / "init" / "ready.d" / "a.sh", "true\n")
    with running(tmp_path, env={"TMPDIR": str(tmp_path / "nowhere")}) as server:
        assert scripts_of(server) == [("READY", "a.sh", "SUCCESSFUL")]
        assert "there is no awslocal for them, and none can be made" in server.stderr()


# ---- ends ---------------------------------------------------------------------------------------


def test_signal_while_starting(tmp_path):
    """The script that runs is ended, the rest of the stage is spared, shutdown.d runs."""
    begun, out = tmp_path / "begun", tmp_path / "out"
    ready = tmp_path / "init" / "ready.d"
    script(ready / "1.sh", f"touch {begun}\nexec sleep 600\n")
    script(ready / "2.sh", f"echo two >> {out}\n")
    script(tmp_path / "init" / "shutdown.d" / "3.sh", f"echo three >> {out}\n")
    server = Server("--init-dir", tmp_path / "init", "--shutdown-timeout", "1h", wait=False)
    eventually(begun.exists, 20)
    server.signal()
    server.wait()
    assert "init script ready.d/1.sh: ended by signal 15" in server.stderr()
    assert not_run(server, "ready.d/2.sh") == "the server is to stop"
    assert server.stdout == [] and lines(out) == ["three"]
    server.stop()


@pytest.mark.parametrize("stage", ["boot", "start"])
def test_signal_before_it_listens(tmp_path, stage):
    begun, out = tmp_path / "begun", tmp_path / "out"
    script(tmp_path / "init" / f"{stage}.d" / "1.sh", f"touch {begun}\nexec sleep 600\n")
    script(tmp_path / "init" / "shutdown.d" / "2.sh", f"touch {out}\n")
    server = Server("--init-dir", tmp_path / "init", wait=False)
    eventually(begun.exists, 20)
    server.signal(signal.SIGINT)
    server.wait()
    assert server.stdout == [] and not out.exists()
    server.stop()


def test_hangs_at_the_end(tmp_path):
    """All scripts of shutdown.d have the time that is given, one that will not go two seconds more;
    then the server ends as ever."""
    pid_file = tmp_path / "pid"
    shutdown = tmp_path / "init" / "shutdown.d"
    script(shutdown / "1.sh", "true\n")
    script(shutdown / "2.sh", f"trap '' TERM\necho $$ > {pid_file}\nfor _ in $(seq 600); do sleep 1; done\n")
    script(shutdown / "3.sh", "true\n")
    persist = ("--persist", tmp_path / "state.db", "--auto-persist")
    server = Server("--init-dir", tmp_path / "init", "--shutdown-timeout", f"{int(SLOW * 500)}ms", *persist)
    client(server).create_bucket(Bucket="kept")
    begun = time.monotonic()
    server.signal()
    eventually(pid_file.exists, 20)
    # It serves meanwhile: the scripts need it.
    assert http_request(server, "GET", "/_localstack/health").status == 200
    assert [s[2] for s in scripts_of(server, "shutdown")] == ["SUCCESSFUL", "RUNNING", "UNKNOWN"]
    server.wait()
    took = time.monotonic() - begun
    assert SLOW * 0.5 + 2 <= took < 2 * SLOW, took
    assert "init script shutdown.d/2.sh: ended by signal 9" in server.stderr()
    assert not_run(server, "shutdown.d/3.sh") == "the time is up"
    assert not Path(f"/proc/{int(pid_file.read_text())}").exists()
    server.stop()
    with serving("--persist", tmp_path / "state.db") as again:
        client(again).head_bucket(Bucket="kept")


@pytest.mark.parametrize("stage", ["ready", "shutdown"])
def test_second_signal(tmp_path, stage):
    """It ends script and server at once, and leaves nothing behind."""
    pid_file, tmp = tmp_path / "pid", tmp_path / "tmp"
    tmp.mkdir()
    script(
        tmp_path / "init" / f"{stage}.d" / "1.sh",
        f"trap '' TERM\necho $$ > {pid_file}.tmp; mv {pid_file}.tmp {pid_file}\nfor _ in $(seq 6000); do sleep 0.1; done\n",
    )
    env = {"TMPDIR": str(tmp), "PATH": TOOLS}
    server = Server("--init-dir", tmp_path / "init", "--shutdown-timeout", "1h", wait=stage == "shutdown", env=env)
    if stage == "shutdown":
        server.signal()
    eventually(pid_file.exists, 20)
    assert [p.name for folder in tmp.iterdir() for p in folder.iterdir()] == ["awslocal"]
    begun = time.monotonic()
    if stage == "ready":
        server.signal(signal.SIGINT)  # if both are pending, it comes first
    server.signal()
    assert server.wait() == 128 + signal.SIGTERM
    assert time.monotonic() - begun < 2 + 0.1 * SLOW
    pid = int(pid_file.read_text())
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert list(tmp.iterdir()) == []
    server.exit_status = 128 + signal.SIGTERM
    server.stop()


def test_ignored_sigchld(tmp_path):
    """A parent that ignores SIGCHLD takes no script's status away."""
    script(tmp_path / "init" / "ready.d" / "1.sh", "exit 3\n")
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        server = Server("--init-dir", tmp_path / "init", wait=False)
    finally:
        signal.signal(signal.SIGCHLD, before)
    server.wait_ready()
    assert scripts_of(server) == [("READY", "1.sh", "ERROR")]
    server.stop()


def test_what_scripts_leave_is_buried(tmp_path):
    """As process 1 of a container, which inherits all; here by PR_SET_CHILD_SUBREAPER."""
    out = tmp_path / "out"
    script(tmp_path / "init/ready.d/leave.sh", f"sleep 0.2 & sleep 1 & echo $! > {out}")
    inherit = "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", inherit, S3MEMD, "--listen", "127.0.0.1:0", "--init-dir", tmp_path / "init"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        try:
            assert b"ready" in run.stdout.readline()
            left = Path(f"/proc/{run.pid}/task/{run.pid}/children")
            assert lines(out)[0] in left.read_text().split()
            eventually(lambda: not left.read_text())
        finally:
            run.terminate()
