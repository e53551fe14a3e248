#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the programs beside this file and runs them against a server that it starts.

Each is a client of S3 as its users have it: the SDK's or tool's defaults, and no more said than
endpoint, region and credentials. There is a server in each of MODES, and each program meets each.

  S3MEMD              the server program (build/s3memd)
  S3MEM_SDK_BUILD     where builds are kept (build/sdk)
  S3MEM_REQUIRE_SDKS  1: a missing toolchain is a failure; so it is when CI is true
  S3MEM_URL           test the server at this URL instead (with AWS_ACCESS_KEY_ID and
                      AWS_SECRET_ACCESS_KEY; S3MEM_VERIFIES=1 if it checks signatures)

run.py --packages prints the Debian packages that would install what is missing.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BUILD = pathlib.Path(os.environ.get("S3MEM_SDK_BUILD", ROOT / "build/sdk")).resolve()
SERVER = os.environ.get("S3MEMD", str(ROOT / "build/s3memd"))
MODES = ["open", "signed", "tls"]
ACCESS_KEY, SECRET_KEY = "AKIAS3MEMDEXAMPLE", "s3memd/secret+key"
SUITE_SECONDS = 2400
# The programs spend most of their time asleep, between two attempts of an SDK. Two builds, as that
# of Rust takes longer than all others together.
RUNS_AT_ONCE = 6 * os.cpu_count()
BUILDS_AT_ONCE = 2


class Skip(Exception):
    """A toolchain is not there, or too old."""


class Broken(Exception):
    """A program did not build, or the server did not start."""


def tools_path():
    return f"{BUILD}/toolchain/bin:{os.environ['PATH']}"


@dataclasses.dataclass
class Tool:
    """A program that a suite needs: `version` prints a number that must be `least` or more."""
    name: str
    packages: str
    version: str = ""
    least: str = ""

    def path(self):
        # Toolchains that `make deps-sdk` unpacked come before those of the system.
        return shutil.which(self.name, path=tools_path())

    def need(self):
        path = self.path()
        if not path:
            raise Skip(f"{self.name} not found")
        if self.least:
            said = subprocess.run([path, *self.version.split()], capture_output=True, text=True,
                                  check=False)
            found = re.search(r"(\d+(?:\.\d+)*)", said.stdout + said.stderr)
            if not found or numbers(found[1]) < numbers(self.least):
                raise Skip(f"{path} is {found[1] if found else 'of an unknown version'}, "
                           f"{self.least} or newer is needed")
        return path


def numbers(version):
    return [int(part) for part in version.split(".")]


NODE = Tool("node", "nodejs", "--version", "20")
NPM = Tool("npm", "npm", "--version", "10")
GO = Tool("go", "golang-go", "env GOVERSION", "1.24")
JAVA = Tool("java", "openjdk-17-jdk-headless", "-version", "17")
JAVAC = Tool("javac", "openjdk-17-jdk-headless", "-version", "17")
MAVEN = Tool("mvn", "maven")
CARGO = Tool("cargo", "cargo-web rustc-web", "--version", "1.94.1")
CC = Tool("cc", "gcc libc6-dev")
CURL = Tool("curl", "curl")
PYTHON = Tool("python3", "python3 python3-venv", "--version", "3.9")
S3CMD = Tool("s3cmd", "s3cmd")
RCLONE = Tool("rclone", "rclone")


def build_step(command, cwd, **environment):
    """Runs one command of a build in the caller's environment, quietly unless it fails; after the
    programs that run already, as some of those measure time."""
    done = subprocess.run(["nice", *(str(word) for word in command)], cwd=cwd, text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, **environment})
    if done.returncode != 0:
        raise Broken(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-4000:]}")


def build_node(source, target):
    for path in (source / "package.json", source / "package-lock.json", source / ".npmrc",
                 *source.glob("*.mjs")):
        shutil.copy(path, target / path.name)
    # With the Node that will run it: packages for newer ones are left out where they are optional.
    build_step([NPM.need(), "ci", "--ignore-scripts", "--omit=peer"], target, PATH=tools_path())


def build_go(source, target):
    build_step([GO.need(), "build", "-o", target / "suite", "."], source)


def build_java(source, target):
    build_step([MAVEN.need(), "-q", "-B", "-f", source / "pom.xml", "dependency:copy-dependencies",
                f"-DoutputDirectory={target}/lib"], target)
    build_step([JAVAC.need(), "-Xlint:all,-path", "-Werror", "-encoding", "UTF-8",
                "-cp", f"{target}/lib/*", "-d", target / "classes",
                *sorted((source / "src").glob("*.java"))], target)


def build_rust(source, target):
    build_step([CARGO.need(), "build", "--locked", "--quiet"], source, CARGO_TARGET_DIR=str(target))


def build_python(source, target):
    build_step([PYTHON.need(), "-m", "venv", target / "venv"], target)
    build_step([target / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check",
                "-r", source / "requirements.txt"], target)


@dataclasses.dataclass
class Suite:
    name: str
    tools: list
    command: list  # {source} and {target} are filled in
    build: object = None

    @property
    def source(self):
        return HERE / self.name

    @property
    def target(self):
        return BUILD / self.name

    def prepare(self):
        """Builds it unless its sources and tools are those of the last build; says how long it took."""
        tools = [tool.need() for tool in self.tools]
        if not self.build:
            return None
        digest = hashlib.sha256(" ".join(tools).encode())
        for path in sorted(self.source.rglob("*")):
            if path.is_file() and not {"node_modules", "target", "__pycache__"} & set(path.parts):
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
        stamp = self.target / "built"
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return None
        began = time.monotonic()
        self.target.mkdir(parents=True, exist_ok=True)
        self.build(self.source, self.target)
        stamp.write_text(digest.hexdigest())
        return time.monotonic() - began

    def run(self, environment):
        """Its exit status, its output, and how long it took."""
        began = time.monotonic()
        command = [word.format(source=self.source, target=self.target) for word in self.command]
        command[0] = next((tool.path() for tool in self.tools if tool.name == command[0]), command[0])
        try:
            done = subprocess.run(command, env=environment, text=True, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                                  timeout=SUITE_SECONDS)
            status, output = done.returncode, done.stdout
        except subprocess.TimeoutExpired as slow:
            status, output = 1, f"{(slow.stdout or b'').decode()}\nkilled after {SUITE_SECONDS} s\n"
        return status, output, time.monotonic() - began


# The slowest first, so that none of them runs alone at the end.
SUITES = [
    Suite("rust", [CARGO, CC, CURL], ["{target}/debug/s3memd-e2e-rust"], build_rust),
    Suite("java", [JAVA, JAVAC, MAVEN],
          ["java", "-XX:TieredStopAtLevel=1", "-cp", "{target}/classes:{target}/lib/*", "Suite"], build_java),
    Suite("s3db", [NODE, NPM], ["node", "{target}/suite.mjs"], build_node),
    Suite("go", [GO], ["{target}/suite"], build_go),
    Suite("js", [NODE, NPM], ["node", "{target}/suite.mjs"], build_node),
    Suite("s3cmd", [S3CMD, PYTHON], ["python3", "{source}/suite.py"]),
    Suite("rclone", [RCLONE, PYTHON], ["python3", "{source}/suite.py"]),
    Suite("minio-go", [GO], ["{target}/suite"], build_go),
    Suite("minio-js", [NODE, NPM], ["node", "{target}/suite.mjs"], build_node),
    Suite("minio-py", [PYTHON], ["{target}/venv/bin/python", "{source}/suite.py"], build_python),
]


def names_resolve():
    try:
        return bool(socket.getaddrinfo("probe.localhost", 80))
    except OSError:
        return False


def clean_environment(folder):
    """The caller's environment without what would configure a client: only the caller says that."""
    dropped = re.compile(r"^(AWS|RCLONE|S3|NODE|JAVA|SSL|GO|CARGO|PYTHON)|_proxy$|_PROXY$|CA_BUNDLE$")
    kept = {name: value for name, value in os.environ.items() if not dropped.search(name)}
    return {**kept, "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true", "NODE_NO_WARNINGS": "1", "TMPDIR": str(folder), "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}


def trust(folder):
    """A self-signed certificate, and what makes each kind of client believe it."""
    key, cert, store = folder / "key.pem", folder / "cert.pem", folder / "trust.p12"
    build_step(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                "/CN=s3memd", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                "-addext", "basicConstraints=critical,CA:FALSE",
                "-keyout", key, "-out", cert], folder)
    environment = {"NODE_EXTRA_CA_CERTS": str(cert), "SSL_CERT_FILE": str(cert),
                   "RCLONE_CA_CERT": str(cert), "CURL_CA_BUNDLE": str(cert)}
    keytool = shutil.which("keytool")
    if keytool:
        build_step([keytool, "-importcert", "-noprompt", "-alias", "s3memd", "-file", cert,
                    "-keystore", store, "-storetype", "PKCS12", "-storepass", "changeit"], folder)
        environment["JAVA_TOOL_OPTIONS"] = (f"-Djavax.net.ssl.trustStore={store} "
                                            "-Djavax.net.ssl.trustStorePassword=changeit")
    return ["--tls-cert", str(cert), "--tls-key", str(key)], environment


class Server:
    """s3memd on a free port, for the length of a `with`."""

    def __init__(self, options, folder):
        self.log = open(folder / "server.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [SERVER, "--listen", "127.0.0.1:0", *options], text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self.log, env=clean_environment(folder))
        line = self.process.stdout.readline()
        ready = re.search(r"ready on (\S+)", line)
        if not ready:
            self.process.kill()
            raise Broken(f"{SERVER} printed {line!r} instead of its address:\n{self.said()}")
        self.url = ready[1]

    def said(self):
        self.process.wait()
        self.log.seek(0)
        return self.log.read()[-6000:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.stdout.read()
        self.process.wait(timeout=300)
        self.process.stdout.close()


@dataclasses.dataclass
class Report:
    """What there is to say, by whichever thread has something to say: each of it whole."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def add(self, mode, suite, status, output, seconds):
        """Counts a suite by its closing line; one that has none, or lies about it, failed."""
        last = re.findall(r"^(\d+) passed, (\d+) failed$", output, re.MULTILINE)
        passed, failed = map(int, last[-1]) if last else (0, 0)
        if not last or passed + failed == 0 or (status != 0) != (failed != 0):
            output += f"FAIL  {suite} ({mode}) ended with status {status}\n"
            failed += 1
        with self.lock:
            print(f"== {suite} ({mode}, {seconds:.1f} s)\n{output}", end="", flush=True)
            self.passed += passed
            self.failed += failed

    def built(self, suite, seconds):
        with self.lock:
            print(f"{suite}: built in {seconds:.0f} s", flush=True)

    def skip(self, what, why, strict):
        with self.lock:
            print(f"SKIPPED {what}: {why}; make deps-sdk installs it", flush=True)
            self.skipped += not strict
            self.failed += strict

    def broken(self, what, why):
        with self.lock:
            print(f"FAIL  {what}: {why}", flush=True)
            self.failed += 1


def run_suites(suites, environments, report, strict):
    """Builds each suite, and as soon as it is there runs it in each mode; environments by mode."""
    def run(mode, suite):
        report.add(mode, suite.name, *suite.run(environments[mode]))

    def build(suite):
        try:
            seconds = suite.prepare()
        except Skip as why:
            report.skip(suite.name, why, strict)
            return []
        except Broken as why:
            report.broken(suite.name, why)
            return []
        if seconds is not None:
            report.built(suite.name, seconds)
        return [runners.submit(run, mode, suite) for mode in environments]

    with (concurrent.futures.ThreadPoolExecutor(RUNS_AT_ONCE) as runners,
          concurrent.futures.ThreadPoolExecutor(BUILDS_AT_ONCE) as builders):
        for built in [builders.submit(build, suite) for suite in suites]:
            for done in built.result():
                done.result()


def serve_mode(mode, folder, with_names):
    """A server in this mode, and the environment of its clients."""
    # Room for what all suites ask side by side: they look for their own attempts in it.
    options, environment = ["--journal", "100000"], clean_environment(folder)
    if mode != "open":
        options += ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]
        environment["S3MEM_VERIFIES"] = "1"
    if mode == "tls":
        tls_options, tls_environment = trust(folder)
        options += tls_options
        environment.update(tls_environment)
    server = Server(options, folder)
    environment.update(S3MEMCTL=str(pathlib.Path(SERVER).with_name("s3memctl")),
                       AWS_ENDPOINT_URL=server.url, AWS_REGION="us-east-1",
                       AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY)
    if with_names and mode != "tls":
        port = server.url.rsplit(":", 1)[1]
        environment["S3MEM_VHOST_URL"] = f"http://localhost:{port}"
    return server, environment


def run_modes(modes, suites, folder, report, strict, with_names):
    """All suites against a server in each of these modes."""
    servers, environments = {}, {}
    with contextlib.ExitStack() as stack:
        for mode in modes:
            (folder / mode).mkdir()
            server, environments[mode] = serve_mode(mode, folder / mode, with_names)
            servers[mode] = stack.enter_context(server)
        run_suites(suites, environments, report, strict)
    for mode, server in servers.items():
        if server.process.returncode != 0:
            report.broken("server", f"{mode}: ended with {server.process.returncode}:\n{server.said()}")


def run_attached(url, suites, folder, report, strict):
    environment = clean_environment(folder)
    environment.update(AWS_ENDPOINT_URL=url, AWS_REGION=os.environ.get("AWS_REGION", "us-east-1"))
    for name, value in (("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                        ("S3MEM_VERIFIES", "0")):
        environment[name] = os.environ.get(name, value)
    run_suites(suites, {url: environment}, report, strict)


def missing_packages(suites):
    packages = [] if names_resolve() else ["libnss-myhostname"]
    for tool in {id(tool): tool for suite in suites for tool in suite.tools}.values():
        try:
            tool.need()
        except Skip:
            packages += tool.packages.split()
    if not shutil.which("openssl"):
        packages.append("openssl")
    return sorted(set(packages))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=" ".join(s.name for s in SUITES))
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--packages", action="store_true")
    args = parser.parse_args()
    unknown = set(args.suites) - {suite.name for suite in SUITES}
    if unknown:
        parser.error(f"no suite is called {', '.join(sorted(unknown))}")
    chosen = [suite for suite in SUITES if not args.suites or suite.name in args.suites]
    if args.packages:
        print(" ".join(missing_packages(chosen)))
        return 0

    strict = os.environ.get("CI") == "true" or os.environ.get("S3MEM_REQUIRE_SDKS") == "1"
    report = Report()
    with_names = names_resolve()
    if not with_names:
        report.skip("virtual-host style", "names below .localhost do not resolve", strict)
    with tempfile.TemporaryDirectory(prefix="s3memd-sdk-") as folder:
        try:
            if "S3MEM_URL" in os.environ:
                run_attached(os.environ["S3MEM_URL"], chosen, pathlib.Path(folder), report, strict)
            else:
                modes = list(dict.fromkeys(args.mode or MODES))
                run_modes(modes, chosen, pathlib.Path(folder), report, strict, with_names)
        except Broken as why:
            report.broken("server", why)
    print(f"{report.passed} passed, {report.failed} failed, {report.skipped} skipped")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
