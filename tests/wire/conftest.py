# SPDX-License-Identifier: MIT
"""The wire tests use the end-to-end tests' servers, and speak to them in raw bytes."""

import ctypes
import importlib.util
import socket
from pathlib import Path

import pytest

from harness import ATTACHED, SLOW, Reply, connect, unique

# The fixtures of tests/e2e, under a name of their own: both files are called conftest.
_spec = importlib.util.spec_from_file_location(
    "e2e_conftest", Path(__file__).parents[1] / "e2e" / "conftest.py"
)
_e2e = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_e2e)
globals().update({k: v for k, v in vars(_e2e).items() if not k.startswith("_")})


def refuses_itself():
    """libmicrohttpd from 1.0 on refuses by itself much of what 0.9.75 hands on: with a page of its own, or
    by closing."""
    library = ctypes.CDLL("libmicrohttpd.so.12")
    library.MHD_get_version.restype = ctypes.c_char_p
    return not library.MHD_get_version().startswith(b"0.")


STRICT_LIBRARY = refuses_itself()


def by_library(reply):
    """The library's own refusal."""
    return STRICT_LIBRARY and (reply is None or (reply.status >= 400 and b"<html>" in reply.body))


class Wire:
    """One connection."""

    def __init__(self, server, timeout=15):
        self.socket = connect(server, timeout)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def close_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def fill(self):
        """More bytes; b"" at the end."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.rest += data
        return data

    def reply(self, method="GET"):
        """The next reply; None when the server closed instead."""
        while True:
            while b"\r\n\r\n" not in self.rest:
                if not self.fill():
                    return None
            head, self.rest = self.rest.split(b"\r\n\r\n", 1)
            lines = head.decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            pairs = [line.split(":", 1) for line in lines[1:]]
            headers = [(k, v.strip()) for k, v in pairs]
            if status != 100:
                break
        length = {k.lower(): v for k, v in headers}.get("content-length")
        if method == "HEAD" or status in (204, 304):
            length = 0
        if length is None:
            while self.fill():
                pass
            body, self.rest = self.rest, b""
        else:
            while len(self.rest) < int(length):
                if not self.fill():
                    break
            body, self.rest = self.rest[: int(length)], self.rest[int(length) :]
        return Reply(status, headers, body)

    def closed(self, seconds=5):
        """Whether the server closes it (after whatever it still sends)."""
        self.socket.settimeout(seconds * SLOW)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


@pytest.fixture
def wire(server):
    """Opens connections; wire(bytes) sends them and returns the reply."""
    opened = []

    def open_(data=None, method="GET", close=False):
        w = Wire(server)
        opened.append(w)
        if data is None:
            return w
        w.send(data)
        if close:
            w.close_sending()
        return w.reply(method)

    yield open_
    for w in opened:
        w.socket.close()


@pytest.fixture(autouse=True)
def unharmed(request):
    """Whatever a test sends: the server lives on and serves the next client at once."""
    yield
    if "server" not in request.fixturenames:
        return
    server = request.getfixturevalue("server")
    assert server.alive(), server.stderr()[-4000:] if not ATTACHED else ""
    with Wire(server) as w:
        w.send("GET /_localstack/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert w.reply().status == 200


@pytest.fixture
def bucket_name():
    return unique("w")
