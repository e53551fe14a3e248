# SPDX-License-Identifier: MIT
"""Chromium and Firefox without a window, and a web server whose pages tell what they have seen.

A page calls report(name, value); Web.reported waits for it. Names of hosts are mapped on the
command line, so that a page of http://evil.example is as foreign as one of the internet.
"""

import contextlib
import ctypes
import http.server
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading

import pytest

from harness import PATIENCE, SLOW

CHROMIUM = shutil.which("chromium")
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--host-resolver-rules=" + ",".join(
        f"MAP {name} 127.0.0.1" for name in ("evil.example", "app.example", "s3memd")),
]


# Names are asked for anew each time; nothing is asked of the internet.
PREFERENCES = {
    "network.dnsCacheExpiration": 0,
    "network.dnsCacheExpirationGracePeriod": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "services.settings.server": "",
}


def need(browser, name):
    """Skips where there is none, unless S3MEM_REQUIRE_BROWSERS=1 says that it has to be there."""
    if not browser:
        assert os.environ.get("S3MEM_REQUIRE_BROWSERS") != "1", f"{name} is not installed"
        pytest.skip(f"{name} is not installed")


# How a page tells what it saw: to its own server, whatever its origin is.
SCRIPT = """<script>
async function report(name, value) {
  await fetch('%s/report', {method: 'POST', mode: 'no-cors', body: JSON.stringify([name, value])});
}
async function tries(url, options) {
  try {
    const r = await fetch(url, {cache: 'no-store', ...options});
    return [r.type == 'opaque' ? 'opaque' : r.status, await r.text()];
  } catch (e) { return ['failed', String(e)]; }
}
function loads(element, attributes) {
  return new Promise(done => {
    const e = document.createElement(element);
    for (const [k, v] of Object.entries(attributes)) e[k] = v;
    e.onload = () => done('loaded'); e.onerror = () => done('error');
    document.body.appendChild(e);
  });
}
</script><body>"""


class Web:
    """Pages by path. address may lie in a network namespace that the caller has entered."""

    def __init__(self, pages, address="127.0.0.1", port=0, report_to=None):
        self.pages = pages
        self.reports = {}
        self.asked = []
        self.told = threading.Condition()
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                web.note(("GET", self.path))
                page = web.pages.get(self.path)
                self.answer(200 if page is not None else 404, web.page(page))

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/report":
                    name, value = json.loads(body)
                    with web.told:
                        web.reports[name] = value
                        web.told.notify_all()
                self.answer(200, b"")

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "text/html")
                self.send_header("X-Web", "1")
                self.send_header("Connection", "close")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.port = self.server.server_port
        self.report_to = report_to or f"http://{address}:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self, page):
        return ((SCRIPT % self.report_to) + page).encode() if page is not None else b""

    def note(self, what):
        with self.told:
            self.asked.append(what)
            self.told.notify_all()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def wait(self, true):
        with self.told:
            assert self.told.wait_for(true, PATIENCE), (self.reports, self.asked)

    def reported(self, name):
        self.wait(lambda: name in self.reports)
        return self.reports[name]


@contextlib.contextmanager
def serving_pages(pages, **options):
    web = Web(pages, **options)
    try:
        yield web
    finally:
        web.close()


def chromium_command(profile):
    # It does not end at the end of its page while something else is to come.
    return [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0"]


def firefox_command(profile):
    with open(f"{profile}/user.js", "w", encoding="ascii") as f:
        for name, value in PREFERENCES.items():
            f.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
    return [FIREFOX, "--headless", "--no-remote", "--profile", profile]


@contextlib.contextmanager
def browsing(url, prefix=(), command=chromium_command):
    """Shows url until the block ends. prefix: a command that runs it elsewhere."""
    profile = tempfile.mkdtemp(prefix="s3mem-browser-")
    process = subprocess.Popen(
        [*prefix, *command(profile), url],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, env={**os.environ, "HOME": profile},
    )
    try:
        yield process
    finally:
        # Its helpers are of its session, and no one else is.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10 * SLOW)
        shutil.rmtree(profile, ignore_errors=True)


# ---- a network of its own -----------------------------------------------------------------------


def ip(*args):
    return subprocess.run(["ip", *args], capture_output=True, text=True, check=False, timeout=PATIENCE)


class Network:
    """A network namespace with two hosts' addresses, HERE and THERE, and a name server at HERE."""

    HERE, THERE, LATER = "10.99.0.1", "10.99.0.2", "10.99.0.3"

    def __init__(self):
        self.name = f"s3mem-{os.getpid()}"
        made = ip("netns", "add", self.name) if os.geteuid() == 0 and shutil.which("ip") else None
        if not made or made.returncode:
            pytest.skip("no network namespace can be made: " + (made.stderr if made else "not root"))
        self.folder = f"/etc/netns/{self.name}"
        os.makedirs(self.folder, exist_ok=True)
        with open(f"{self.folder}/resolv.conf", "w", encoding="ascii") as f:
            f.write(f"nameserver {self.HERE}\n")
        self.enter = ["ip", "netns", "exec", self.name]
        steps = [["link", "set", "lo", "up"], ["link", "add", "v0", "type", "veth", "peer", "name", "v1"],
                 ["addr", "add", f"{self.HERE}/24", "dev", "v0"],
                 ["addr", "add", f"{self.THERE}/24", "dev", "v0"],
                 ["link", "set", "v0", "up"], ["link", "set", "v1", "up"]]
        for step in steps:
            done = ip("-n", self.name, *step)
            if done.returncode:
                self.close()
                pytest.skip(f"ip {' '.join(step)}: {done.stderr}")

    def close(self):
        ip("netns", "del", self.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def forget_names(self):
        """Chromium remembers an address for a minute whatever its TTL, but not across a change of
        the network."""
        assert ip("-n", self.name, "addr", "add", f"{self.LATER}/24", "dev", "v0").returncode == 0

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread makes in the block are the namespace's."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as home, \
                open(f"/var/run/netns/{self.name}", "rb") as there:
            assert libc.setns(there.fileno(), 0x40000000) == 0, ctypes.get_errno()  # CLONE_NEWNET
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), 0x40000000) == 0, ctypes.get_errno()


class NameServer:
    """Answers every name with `address`, for no time at all."""

    def __init__(self, bind, address):
        self.address = address
        self.answered = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((bind, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                query, client = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(query), client)

    def answer(self, query):
        end = query.index(b"\0", 12) + 5
        kind = struct.unpack("!H", query[end - 4:end - 2])[0]
        address = self.address if kind == 1 else None
        head = query[:2] + struct.pack("!HHHHH", 0x8580, 1, 1 if address else 0, 0, 0)
        answer = head + query[12:end]
        if address:
            answer += struct.pack("!HHHIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(address)
            self.answered.append(address)
        return answer

    def close(self):
        self.socket.close()
