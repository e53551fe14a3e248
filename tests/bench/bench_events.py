# SPDX-License-Identifier: MIT
"""bench_events.py - what followers of events cost those who only send requests."""

import contextlib
import multiprocessing
import os
import resource
import selectors
import socket
import time

FOLLOWERS = 1000


def follow(port, target, count, ready, done, cpu):
    """Reads what the server sends to so many followers, and drops it."""
    os.sched_setaffinity(0, {int(cpu)})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100), hard))
    room = bytearray(1 << 18)
    chosen = selectors.EpollSelector()
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", port), timeout=30)
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = s.recv(4096)
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise SystemExit(head.decode(errors="replace"))
        s.setblocking(False)
        chosen.register(s, selectors.EVENT_READ)
    ready.set()
    received = 0
    while not done.is_set():
        for key, _ in chosen.select(0.1):
            with contextlib.suppress(BlockingIOError):
                received += key.fileobj.recv_into(room)
    print(f"     {count} followers of {target} got {received / 1e6:,.1f} MB", flush=True)


class EventRows:
    """Rows of Bench: followers that match nothing, or everything."""

    @contextlib.contextmanager
    def followers(self, server, count, target):
        ready, done = multiprocessing.Event(), multiprocessing.Event()
        reader = multiprocessing.Process(target=follow, daemon=True,
                                         args=(server.port, target, count, ready, done, self.client_cpu))
        reader.start()
        if not ready.wait(60):
            raise SystemExit(f"{count} followers of {target} do not get through")
        try:
            yield
        finally:
            done.set()
            reader.join(30)

    def events(self):
        kinds = {"none": (0, None),
                 f"{FOLLOWERS:,} that match nothing": (FOLLOWERS, "/_s3mem/events?bucket=nothing"),
                 "10 that match all": (10, "/_s3mem/events"),
                 f"{FOLLOWERS:,} that match all": (FOLLOWERS, "/_s3mem/events")}
        must = dict(zip(kinds, (1, 0.9, 0.8, 0.5)))
        got = {}
        run = {"method": "GET", "path": "/bench/key-%u", "keys": 1000, "connections": 16}
        with self.s3memd() as s:
            self.load(s, **{**run, "method": "PUT", "size": 1024, "requests": 1000})
            for _ in range(self.rounds):
                for kind, (count, target) in kinds.items():
                    with self.followers(s, count, target) if count else contextlib.nullcontext():
                        time.sleep(0.1)
                        got.setdefault(kind, []).append(self.load(s, **run))
        normal = self.median(got["none"], "cpu_rps")
        for kind in list(kinds)[1:]:
            ours = self.median(got[kind], "cpu_rps")
            self.row(f"GET 1 KiB beside {kind}", ours / normal, "of normal", f">= {must[kind]}",
                     ours / normal >= must[kind], a_second=ours, normal=normal,
                     by_the_clock=self.median(got[kind], "rps"),
                     normal_by_the_clock=self.median(got["none"], "rps"))
