# SPDX-License-Identifier: MIT
"""README as it is printed: each fenced block and each row of its table of clients runs against a server; of the text only
the port is another. What cannot run here stands in NOT_HERE with the reason."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from admin import admin, ok
from conftest import as_user
from ctl import need_ctl
from harness import ROOT, S3MEMD, SLOW, client, http_request, keys_of, run_daemon, serving
from test_backup import PEOPLE, exported_people, objects, put_people

pytestmark = pytest.mark.options

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [(language, text) for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)]
SDKS = Path(os.environ.get("S3MEM_SDK_BUILD", ROOT / "build/sdk"))
# make check-sdk says where they are; then they have to be there.
NEED_SDKS = "S3MEM_SDK_BUILD" in os.environ and os.environ.get("S3MEM_REQUIRE_SDKS") == "1"

NOT_HERE = {
    "make deps run": "installs packages; .ci/run runs it",
    "make install prefix=$HOME/.local": "needs a systemd of the user's; build-aux/check-install.sh installs",
    "npx wait-on": "fetches a package; what it asks for is asked in test_what_wait_on_waits_for",
}


def block_of(beginning):
    """The one block that begins so."""
    found = [text for _, text in BLOCKS if text.startswith(beginning)]
    assert len(found) == 1, (beginning, found)
    return found[0]


EXPORTS = dict(re.findall(r"(AWS_\w+)=(\S+)", block_of("export AWS_").splitlines()[0]))


def with_port(text, server):
    return re.sub(r"\b4566\b", str(server.port), text)


def environment(server, folder, **more):
    """That of somebody who typed README's exports, in a home of his own, with all programs on the PATH."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3MEM", "RCLONE_", "XDG_"))}
    path = f"{Path(S3MEMD).parent}:{Path(sys.executable).parent}:{kept['PATH']}"
    return {**kept, "PATH": path, "HOME": str(folder), "RCLONE_CONFIG": "", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
            **{k: with_port(v, server) for k, v in EXPORTS.items()}, **more}  # fmt: skip


def run(text, server, folder, language="sh", check=True, **more):
    """Standard output of a block."""
    command = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}[language]
    if "s3memctl" in text:
        need_ctl()
    done = subprocess.run([*command, with_port(text, server)], cwd=folder, env=environment(server, folder, **more), text=True,
                          capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=100 * SLOW)
    assert not check or done.returncode == 0, (text, done.stdout[-4000:], done.stderr[-4000:])
    return done.stdout


# ---- blocks -------------------------------------------------------------------------------------
# Each function is a block's: it prepares what the text around it says is there, and looks at what came of it.

HANDLED = {}


def block(beginning):
    def register(function):
        HANDLED[beginning] = function
        return function

    return register


def test_every_block_runs_or_says_why_not():
    known = [*HANDLED, *NOT_HERE]
    for language, text in BLOCKS:
        assert sum(text.startswith(beginning) for beginning in known) == 1, f"nothing runs this block of {language}:\n{text}"
    for beginning in known:
        block_of(beginning)


@pytest.mark.parametrize("beginning", HANDLED)
def test_block(beginning, tmp_path):
    HANDLED[beginning](block_of(beginning), tmp_path)


@block("export AWS_")
def first_steps(text, folder):
    with serving() as server:
        assert re.search(r" 6 greeting$", run(text, server, folder), re.M)
        assert client(server).get_object(Bucket="demo", Key="greeting")["Body"].read() == b"hello\n"


@contextlib.contextmanager
def started(text, folder):
    """A block that starts a server in the background: its URL, and what runs further commands there."""
    with serving() as other:  # whose port stands for README's, so that no command reaches another server
        def then(command, check=True, **more):
            state = {"S3MEMD_LISTEN": "127.0.0.1:0", "XDG_STATE_HOME": str(folder), "S3MEMD": S3MEMD}
            return run(command, other, folder, check=check, **state, **more)

        try:
            yield re.search(r"s3memd ready on (\S+)", then(text))[1], then
        finally:
            then("s3memctl stop", check=False)


@block("s3memctl start")
def in_the_background(text, folder):
    with started(text, folder) as (url, then):
        assert "test" in then(f"s3memctl ls --endpoint {url}; s3memctl status")
        assert "Ready." in then("s3memctl logs")


FILES = {"a.txt": b"text", "dir/b c.json": b"{}", "dir/\u00e9.bin": bytes(range(256)) * 300}


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def plain_files(text, folder, looks):
    """The "real" bucket is one of another server."""
    for name, data in FILES.items():
        path = folder / "fixtures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with serving("--bucket", "demo") as server, serving("--bucket", "real-bucket") as real:
        client(real).put_object(Bucket="real-bucket", Key="x/real", Body=b"thing", Metadata={"k": "v"}, ContentType="text/x")
        settings = folder / "aws.conf"
        settings.write_text(f"[default]\nendpoint_url = {real.url}\n", encoding="utf-8")
        remote = {"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true", "ENDPOINT": real.url}
        run(text, server, folder, AWS_CONFIG_FILE=str(settings), **{f"RCLONE_CONFIG_REAL_{k}": v for k, v in remote.items()})
        s3 = client(server)
        assert keys_of(s3.list_objects_v2(Bucket="demo")) == [f"fixtures/{n}" for n in FILES] + ["real/x/real"]
        assert tree(folder / "copy") == FILES
        assert s3.get_object(Bucket="demo", Key="real/x/real")["Body"].read() == b"thing"
        looks(s3.head_object(Bucket="demo", Key="real/x/real"))
        assert keys_of(client(real).list_objects_v2(Bucket="real-bucket")) == ["x/real"]


@block("aws s3 sync")
def files_by_aws(text, folder):
    plain_files(text, folder, lambda head: None)


@block("export RCLONE_")
def files_by_rclone(text, folder):
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed")

    def keeps_metadata(head):
        assert head["Metadata"].get("k") == "v" and head["ContentType"] == "text/x"

    plain_files(text, folder, keeps_metadata)


@block("cat > seed.json")
def seeded_users(text, folder):
    with started(text, folder) as (url, then):
        bob = {"AWS_ACCESS_KEY_ID": "bob", "AWS_SECRET_ACCESS_KEY": "builder", "AWS_ENDPOINT_URL_S3": url}
        assert then("aws s3 cp s3://demo/hello.txt -", **bob) == "hello"
        assert then("aws s3 ls", **{**bob, "AWS_SECRET_ACCESS_KEY": "x"}, check=False) == ""


@block("s3memctl snapshot clean")
def snapshots(text, folder):
    with serving("--bucket", "demo") as server:
        for key in ("logs/1", "kept"):
            client(server).put_object(Bucket="demo", Key=key, Body=b"x")
        # What is made here cannot be brought back under its own name.
        before, upload = text.split("s3memctl upload")
        run(before, server, folder)
        assert ok(admin(server, "DELETE", "snapshots/clean"), 204) is None
        run("s3memctl upload" + upload, server, folder)
        assert keys_of(client(server).list_objects_v2(Bucket="demo")) == ["kept"]
        assert [s["name"] for s in ok(admin(server, "GET", "snapshots"))["snapshots"]] == ["fixture"]


@block("s3memctl save users.json")
def memory_files(text, folder):
    with serving() as server:
        put_people(server, bucket="s3db")
        before = objects(server, "s3db")
        run(text, server, folder)
        assert objects(server, "s3db") == before and json.loads((folder / "users.json").read_text())


@block("s3memctl branch worker-3")
def branches(text, folder):
    with serving("--bucket", "demo") as server:
        client(server).put_object(Bucket="demo", Key="seen", Body=b"x")
        ok(admin(server, "POST", "snapshots", {"name": "clean"}), 201)
        client(server).delete_object(Bucket="demo", Key="seen")
        assert "seen" in run(text, server, folder)


@block("s3memctl requests")
def what_happened(text, folder):
    with serving("--bucket", "demo") as server:
        for key in "abc":
            client(server).put_object(Bucket="demo", Key=key, Body=b"x")
        for line in text.splitlines():
            # Events go on until they are interrupted.
            said = run(f"timeout 2 {line}" if "events" in line else line, server, folder, check="events" not in line)
            assert "PutObject" in said or "events" in line


@block("s3memctl fault add")
def faults(text, folder):
    with serving("--bucket", "demo") as server:
        adding, clearing = text.split("s3memctl fault clear")
        run(adding, server, folder)
        assert len(ok(admin(server, "GET", "faults"))["rules"]) == 2
        run("s3memctl fault clear" + clearing, server, folder)
        assert ok(admin(server, "GET", "faults"))["rules"] == []


@block("s3memctl clock freeze")
def clock(text, folder):
    with serving() as server:
        assert "2030-01-01T01:00:00" in run(text, server, folder)


@block("s3memd --persist")
def state_on_disk(text, folder):
    lines = text.splitlines()
    for i, line in enumerate(lines):
        words = line.split("#")[0].split()
        assert words[0] == "s3memd"
        with serving(*words[1:], cwd=folder) as server:
            s3 = client(server)
            # state.db has what the line before wrote; fixture.db is a copy of it, and of what is only read nothing is kept.
            assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [[], ["kept-0"], ["kept-0", "kept-1"], []][i]
            s3.create_bucket(Bucket=f"kept-{i}")
        if i == 1:
            shutil.copy(folder / "state.db", folder / "fixture.db")
    with serving("--persist", "fixture.db", cwd=folder) as server:
        assert [b["Name"] for b in client(server).list_buckets()["Buckets"]] == ["kept-0", "kept-1"]
    assert (folder / "users.json").exists()


def two_servers(text, folder, check):
    (folder / "fixtures").mkdir()
    with serving() as mine, serving() as other:
        for server in (mine, other):
            put_people(server, bucket="shop")
        check(mine, lambda part=text: run(part, mine, folder, STAGING=other.url))


@block("s3memctl export fixtures/shop")
def share(text, folder):
    def check(mine, play):
        before = objects(mine, "shop")
        play()
        assert objects(mine, "shop") == before
        assert (folder / "fixtures/shop/users.jsonl").read_bytes().count(b"\n") == len(PEOPLE)

    two_servers(text, folder, check)


@block("s3memctl import --from")
def production(text, folder):
    """Production is another server, with credentials: where the profile says."""
    keys = folder / "keys.json"
    keys.write_text('{"accessKey": "prod", "secretKey": "secret"}')
    keys.chmod(0o600)
    with serving() as mine, serving("--credentials", keys) as other:
        s3 = client(other, "prod", "secret")
        s3.create_bucket(Bucket="shop-production")
        s3.put_object(Bucket="shop-production", Key="plain", Body=b"x", Metadata={"k": "v"}, Tagging="t=1")
        (folder / ".aws").mkdir()
        (folder / ".aws/config").write_text(f"[profile prod]\naws_access_key_id = prod\naws_secret_access_key = secret\n"
                                            f"endpoint_url = {other.url}\n")
        assert "would copy plain" in run(text, mine, folder)
        head = client(mine).head_object(Bucket="shop", Key="plain")
        assert (head["Metadata"], head["TagCount"]) == ({"k": "v"}, 1)


@block('s3memctl --endpoint "$STAGING"')
def load(text, folder):
    def check(mine, play):
        play()
        assert exported_people(mine, "copy") == PEOPLE

    two_servers(text, folder, check)


@block("s3memctl import fixtures/shop")
def isolate(text, folder):
    def check(mine, play):
        play(block_of("s3memctl export fixtures/shop"))
        loading, restoring = text.split("s3memctl restore")
        play(loading)
        client(mine).delete_object(Bucket="shop", Key="resource=users/data/id=u1")
        play("s3memctl restore" + restoring)
        assert exported_people(mine, "shop") == PEOPLE
        assert [s["name"] for s in ok(admin(mine, "GET", "snapshots"))["snapshots"]] == ["loaded"]

    two_servers(text, folder, check)


@block("s3memctl export out")
def analyse(text, folder):
    def check(mine, play):
        said = play()
        assert re.search(r"Rome\W+2\b", said) and re.search(r"Oslo\W+1\b", said), said

    two_servers(text, folder, check)


@block("import boto3")
def in_process(text, folder):
    library = Path(S3MEMD).parent / "libs3mem.so"
    if not library.exists():
        pytest.skip("there is no libs3mem under a sanitizer")
    with serving() as unused:
        run(text, unused, folder, "python", PYTHONPATH=str(ROOT / "examples/python"), LD_LIBRARY_PATH=str(library.parent))


@block('[{ "accessKey": "alice"')
def credentials(text, folder):
    alice, bob = json.loads(text)
    (folder / "keys.json").write_text(text)
    (folder / "keys.json").chmod(0o600)
    with serving("--credentials", folder / "keys.json") as server:
        as_user(server, alice).create_bucket(Bucket="hers")
        assert [b["Name"] for b in as_user(server, alice).list_buckets()["Buckets"]] == ["hers"]
        assert as_user(server, bob).list_buckets()["Buckets"] == []
        signed = "s3memctl --access-key {accessKey} --secret-key {secretKey} stats"
        assert run(signed.format(**alice), server, folder)
        assert not run(signed.format(**bob), server, folder, check=False)


def test_what_wait_on_waits_for():
    path = re.search(r"^npx wait-on http-get://127\.0\.0\.1:4566(/\S+)$", README, re.M)[1]
    with serving() as server:
        assert http_request(server, "GET", path).status == 200


# ---- clients ------------------------------------------------------------------------------------

ROWS = dict(re.findall(r"^\| ([^|]+?) \| `(.+?)`[^|]*\|$", README.split("## Clients")[1].split("\n## ")[0], re.M))


def node(folder, program):
    return ["node", "--input-type=module", "-e", program], SDKS / folder


def client_command(name, text, folder):
    """What lists buckets by the client of a row, and where to run it. Two lines around the row, as a program has them."""
    if name in ("AWS CLI", "s3cmd", "rclone"):
        return ["bash", "-euc", text], folder
    if name == "Python, boto3":
        return [sys.executable, "-c", f"import boto3\ns3 = {text}\ns3.list_buckets()"], folder
    if name == "minio-py":
        program = f"from minio import Minio\nmc = {text}\nmc.list_buckets()"
        return [str(SDKS / "minio-py/venv/bin/python"), "-c", program], folder
    if name == "JavaScript v3":
        return node("js", f"""import {{ S3Client, ListBucketsCommand }} from "@aws-sdk/client-s3";
            await ({text}).send(new ListBucketsCommand({{}}));""")
    if name == "minio-js":
        return node("minio-js", f"""import * as Minio from "minio"; await ({text}).listBuckets();""")
    if name == "s3db.js":
        return node("s3db", f"""import {{ S3db }} from "s3db.js"; const db = {text}; await db.connect(); process.exit(0);""")
    if name == "Java v2":
        (folder / "Row.java").write_text(f"""import java.net.URI; import software.amazon.awssdk.services.s3.S3Client;
            public class Row {{ public static void main(String[] a) {{ {text}.listBuckets(); }} }}""")
        return ["java", "-cp", f"{SDKS}/java/lib/*", "Row.java"], folder
    if name == "Go v2":
        for file in ("go.mod", "go.sum"):
            shutil.copy(ROOT / "tests/e2e/sdk/go" / file, folder)
        (folder / "main.go").write_text(f"""package main
            import ("context"; "github.com/aws/aws-sdk-go-v2/aws"; "github.com/aws/aws-sdk-go-v2/config"
                    "github.com/aws/aws-sdk-go-v2/service/s3")
            func main() {{
                cfg, err := config.LoadDefaultConfig(context.TODO())
                if err == nil {{ _, err = {text}.ListBuckets(context.TODO(), &s3.ListBucketsInput{{}}) }}
                if err != nil {{ panic(err) }}
            }}""")
        return ["go", "run", "-mod=mod", "."], folder
    if name == "minio-go":
        for file in ("go.mod", "go.sum"):
            shutil.copy(ROOT / "tests/e2e/sdk/minio-go" / file, folder)
        (folder / "main.go").write_text(f"""package main
            import ("context"; "github.com/minio/minio-go/v7"; "github.com/minio/minio-go/v7/pkg/credentials")
            func main() {{
                c, err := {text}
                if err == nil {{ _, err = c.ListBuckets(context.TODO()) }}
                if err != nil {{ panic(err) }}
            }}""")
        return ["go", "run", "-mod=mod", "."], folder
    if name == "Rust":
        for file in ("Cargo.toml", "Cargo.lock"):
            shutil.copy(ROOT / "tests/e2e/sdk/rust" / file, folder)
        (folder / "src").mkdir()
        (folder / "src/main.rs").write_text(f"""#[tokio::main] async fn main() {{
                let conf = aws_config::load_from_env().await;
                let conf = {text}.build();
                aws_sdk_s3::Client::from_conf(conf).list_buckets().send().await.unwrap();
            }}""")
        return ["cargo", "run", "--quiet", "--locked"], folder
    raise AssertionError(f"nothing runs the row of {name}")


# What is there when a client can run: a program, a folder of `make check-sdk`.
NEEDS = {"AWS CLI": [], "Python, boto3": [], "s3cmd": ["s3cmd"], "rclone": ["rclone"], "JavaScript v3": ["node", "js/node_modules"],
         "minio-js": ["node", "minio-js/node_modules"], "s3db.js": ["node", "s3db/node_modules"], "minio-py": ["minio-py/venv"],
         "Java v2": ["java", "java/lib"], "Go v2": ["go", "go"],
         "minio-go": ["go", "minio-go"], "Rust": ["cargo", "rust"]}  # fmt: skip


def test_every_client_has_a_row():
    assert set(ROWS) == set(NEEDS)


@pytest.mark.parametrize("name", ROWS)
def test_client(name, tmp_path):
    tools = f"{SDKS}/toolchain/bin:{os.environ['PATH']}"
    missing = [n for n in NEEDS[name] if not ((SDKS / n).exists() or "/" not in n and shutil.which(n, path=tools))]
    if missing and not NEED_SDKS:
        pytest.skip(f"not there: {missing}")
    assert not missing
    with serving("--auto-bucket") as server:
        command, cwd = client_command(name, with_port(ROWS[name], server), tmp_path)
        home = Path.home()  # where the toolchains of Go and Rust keep what they fetched
        env = environment(server, tmp_path, GOPATH=str(home / "go"), GOCACHE=str(home / ".cache/go-build"),
                          CARGO_HOME=str(home / ".cargo"), RUSTUP_HOME=str(home / ".rustup"), CARGO_TARGET_DIR=str(SDKS / "rust"))
        env["PATH"] = f"{SDKS}/toolchain/bin:{env['PATH']}"
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=1000,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
        seen = ok(admin(server, "GET", "requests"))["requests"]
        assert seen and all(r["status"] < 400 or name == "s3db.js" for r in seen), seen


# ---- what it says of itself ---------------------------------------------------------------------


def test_what_is_missing():
    """Each sub-resource that answers 501 is named first, and nothing that is there."""
    table = (ROOT / "src/s3/ops.def").read_text()
    rows = [re.findall(r'"([^"]*)"|(NULL)|(\w+)', line) for line in re.findall(r"^OP\((.*)\)$", table, re.M)]
    missing = set()
    for row in rows:
        words = [a or (None if null else b) for a, null, b in row]
        if "op_not_implemented" in words:
            missing.add((words[3] or words[4]).split("&")[0])
    section = README.split("## What is missing")[1].split("\n## ")[0]
    named = set(re.findall(r"`([a-zA-Z-]+)`", section)) - {"public-read"}
    assert named == missing


def test_pages_that_it_links_are_there():
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target
    headings = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^## (.+)$", README, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def test_its_options_are_known():
    known = run_daemon("--help").stdout
    for line in re.findall(r"^s3memd .*", README, re.M):
        for option in re.findall(r"--([a-z-]+)", line.split("#")[0]):
            assert re.search(rf"--(\[no-\])?{option}\b", known), option
