#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench.py - the numbers this project holds, measured in one run on one machine.

Each row is a ratio: s3memd against *bare* (libmicrohttpd alone answering the same bytes), against MD5
alone, or against itself at another size; moto's server and s3rver stand beside it where they are
installed (build/bench-venv, build/bench-node; `make bench` installs them). Server and client get a
core each; the measurements that are compared are taken in turn, many short rounds over several
instances of each server, and the median counts.

Servers are compared by requests a second of *their CPU time*. That is the rate of a core that does
nothing else, whatever else this machine is doing, and a fast server does not look slower for want of
a faster client. The rate by the clock, which every client of the run saw, stands beside it.
Prints a table and writes build/bench.json; nothing in it that was not measured.
"""
import argparse
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from bench_disk import DiskRows
from bench_events import EventRows

HERE = pathlib.Path(__file__).resolve().parent
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SERVER_CPU, CLIENT_CPU = "0", "1"
OTHERS_MAX = 0.05  # of the machine, for numbers that are published


def pinned(cpu, argv):
    return ["taskset", "-c", cpu, *map(str, argv)] if shutil.which("taskset") else list(map(str, argv))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server process with a port; stops only itself."""

    def __init__(self, argv, port=None, ready=None, env=None, stdin=None):
        self.started = time.monotonic()
        self.proc = subprocess.Popen(pinned(SERVER_CPU, argv), stdout=subprocess.PIPE, stdin=stdin,
                                     stderr=subprocess.DEVNULL, text=True, env=env,
                                     start_new_session=True)
        self.port = port
        if ready:
            for line in self.proc.stdout:
                found = re.search(ready, line)
                if found:
                    self.port = int(found.group(1))
                    break
            if not self.port:
                raise SystemExit(f"{argv[0]} did not start")
        else:
            self.wait_port()

    def wait_port(self):
        for _ in range(600):
            try:
                self.request("GET", "/")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"nothing answers on port {self.port}")

    def request(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        c.request(method, path, body=body, headers=headers or {})
        r = c.getresponse()
        data = r.read()
        c.close()
        return r, data

    def cpu_s(self):
        """CPU time of all threads so far."""
        tasks = pathlib.Path(f"/proc/{self.proc.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def memory_mib(self):
        """Resident, and of that what no other process could share: pages that were written to."""
        rollup = pathlib.Path(f"/proc/{self.proc.pid}/smaps_rollup").read_text()
        return [int(re.search(rf"^{name}:\s+(\d+)", rollup, re.M).group(1)) / 1024
                for name in ("Rss", "Private_Dirty")]

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.proc.pid, signal.SIGTERM)
        try:
            self.proc.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.proc.pid, signal.SIGKILL)


class Bench(DiskRows, EventRows):
    client_cpu = CLIENT_CPU

    def __init__(self, args):
        self.build = pathlib.Path(args.build).resolve()
        self.quick = args.quick
        self.instances = 2 if args.quick else 4
        self.rounds = 3 if args.quick else 5
        self.seconds = 0.3 if args.quick else 0.5
        self.objects = 100_000 if args.quick else 1_000_000
        self.rows = []
        self.beside = {}
        self.publish = args.publish

    # ---- servers ------------------------------------------------------------------------------
    @contextlib.contextmanager
    def s3memd(self, *options):
        s = Server([self.build / "s3memd", "--listen", "127.0.0.1:0", "--threads", "1", "--bucket",
                    "bench", *options], ready=r"ready on http://127\.0\.0\.1:(\d+)")
        try:
            yield s
        finally:
            s.stop()

    @contextlib.contextmanager
    def bare(self, size, headers):
        flat = [x for pair in headers for x in pair]
        s = Server([self.build / "tests/bench/bare", size, 1, *flat], ready=r"port (\d+)",
                   stdin=subprocess.PIPE)
        try:
            yield s
        finally:
            s.stop()

    def load(self, server, **options):
        argv = [self.build / "tests/bench/load", "--port", server.port]
        for name, value in options.items():
            argv += [f"--{name.replace('_', '-')}", value]
        if "requests" not in options and "seconds" not in options:
            argv += ["--seconds", self.seconds]
        before = server.cpu_s()
        out = subprocess.run(pinned(CLIENT_CPU, argv), capture_output=True, text=True, check=True)
        result = json.loads(out.stdout)
        if result["errors"]:
            raise SystemExit(f"load {options}: {result['errors']} errors")
        result["cpu_rps"] = result["requests"] / (server.cpu_s() - before)
        return result

    def versus(self, measures, got):
        """Takes each measurement in turn, several rounds; got collects them by name."""
        for _ in range(self.rounds):
            for name, take in measures.items():
                got.setdefault(name, []).append(take())

    @staticmethod
    def median(runs, key):
        return statistics.median(run[key] for run in runs)

    def row(self, what, value, unit, must, holds, **detail):
        self.rows.append({"what": what, "value": round(value, 4), "unit": unit, "must": must,
                          "holds": bool(holds), **detail})
        mark = "ok  " if holds else "MISS"
        extra = "  ".join(f"{k} {v:,.0f}" if isinstance(v, (int, float)) else f"{k} {v}"
                          for k, v in detail.items())
        print(f"{mark} {what:<44} {value:>9.3f} {unit:<8} must {must:<22} {extra}", flush=True)

    # ---- rows ---------------------------------------------------------------------------------
    @staticmethod
    def reply_headers(response):
        skip = {"content-length", "connection", "transfer-encoding"}
        return [(k, v) for k, v in response.getheaders() if k.lower() not in skip]

    def small(self, method, must_plain, must_signed):
        got = {}
        for _ in range(self.instances):
            self.small_instance(method, got)
        for name, kind, base, must in (("unsigned", "plain", "bare", must_plain),
                                       ("SigV4 verified", "signed", "bare_signed", must_signed)):
            ours, bare = self.median(got[kind], "cpu_rps"), self.median(got[base], "cpu_rps")
            self.row(f"{method} 1 KiB, {name}", ours / bare, "of bare", f">= {must}",
                     ours / bare >= must, a_second=ours, bare=bare,
                     by_the_clock=self.median(got[kind], "rps"),
                     bare_by_the_clock=self.median(got[base], "rps"))

    def small_instance(self, method, got):
        size = 1024
        signed = {"access_key": KEY, "secret_key": SECRET}
        with self.s3memd() as plain, self.s3memd("--access-key", KEY, "--secret-key", SECRET) as auth:
            fill = {"method": "PUT", "path": "/bench/key-%u", "keys": 1000, "size": size,
                    "requests": 1000, "connections": 4}
            self.load(plain, **fill)
            self.load(auth, **fill, **signed)
            body = b"a" * size if method == "PUT" else None
            response, _ = plain.request(method, "/bench/key-1", body=body)
            with self.bare(size if method == "GET" else 0, self.reply_headers(response)) as bare:
                run = {"method": method, "path": "/bench/key-%u", "keys": 1000, "connections": 16}
                if method == "PUT":
                    run["size"] = size
                self.versus({
                    "bare": lambda: self.load(bare, **run),
                    "plain": lambda: self.load(plain, **run),
                    "bare_signed": lambda: self.load(bare, **run, **signed),
                    "signed": lambda: self.load(auth, **run, **signed),
                }, got)

    def large_get(self):
        size, got = 64 << 20, {}
        for _ in range(self.instances):
            with self.s3memd() as s:
                self.load(s, method="PUT", path="/bench/big", size=size, requests=1)
                response, _ = s.request("HEAD", "/bench/big")
                with self.bare(size, self.reply_headers(response)) as bare:
                    run = {"path": "/bench/big", "requests": 16}
                    self.versus({"bare": lambda: self.load(bare, **run),
                                 "s3memd": lambda: self.load(s, **run)}, got)
        ours, bare = self.median(got["s3memd"], "cpu_rps"), self.median(got["bare"], "cpu_rps")
        self.row("GET 64 MiB", ours / bare, "of bare", ">= 0.90", ours / bare >= 0.90,
                 MiB_s=ours * 64, bare=bare * 64,
                 by_the_clock=self.median(got["s3memd"], "rps") * 64,
                 bare_by_the_clock=self.median(got["bare"], "rps") * 64)

    def large_put(self):
        size, got = 64 << 20, {}
        md5 = [self.build / "tests/bench/store_bench", "md5", size]

        def md5_rate():
            out = subprocess.run(pinned(SERVER_CPU, md5), capture_output=True, text=True, check=True)
            return json.loads(out.stdout)

        for _ in range(self.instances):
            with self.s3memd() as s:
                run = {"method": "PUT", "path": "/bench/big", "size": size, "requests": 6}
                self.versus({"md5": md5_rate, "put": lambda: self.load(s, **run)}, got)
        ours, alone = self.median(got["put"], "cpu_rps") * 64, self.median(got["md5"], "MiB_s")
        self.row("PUT 64 MiB, one connection", ours / alone, "of MD5", ">= 0.75",
                 ours / alone >= 0.75, MiB_s=ours, md5=alone,
                 by_the_clock=self.median(got["put"], "rps") * 64)

    def listing(self):
        def fill(server, keys, path, **more):
            self.load(server, method="PUT", path=path, keys=keys, requests=keys, connections=8, **more)

        with self.s3memd() as big, self.s3memd() as small:
            fill(big, self.objects, "/bench/key-%u")
            fill(small, 1000, "/bench/key-%u")
            page = {"path": "/bench?list-type=2&max-keys=1000"}
            self.compare_sizes(f"LIST 1000 keys of {self.objects:,} vs of 1,000", big, small, page)
            moto = self.moto_listing(page)
            if moto:
                ours = self.load(big, **page)["rps"]
                self.row(f"LIST 1000 keys of {self.objects:,} vs moto's 1,000", ours / moto, "x",
                         ">= 20", ours / moto >= 20, lists_a_second=ours, moto=f"{moto:.1f}")
        with self.s3memd() as big, self.s3memd() as small:
            for server, keys in ((big, self.objects), (small, 1000)):
                for p in range(10):
                    fill(server, keys // 10, f"/bench/p{p}/key-%u")
            page = {"path": "/bench?list-type=2&delimiter=/"}
            self.compare_sizes(f"LIST 10 prefixes over {self.objects:,} vs 1,000", big, small, page)

    def compare_sizes(self, what, big, small, page):
        got = {}
        self.versus({"big": lambda: self.load(big, **page),
                     "small": lambda: self.load(small, **page)}, got)
        at_big, at_small = self.median(got["big"], "cpu_rps"), self.median(got["small"], "cpu_rps")
        self.row(what, at_small / at_big, "x time", "<= 2", at_small / at_big <= 2,
                 lists_a_second=at_big, small=at_small)

    # ---- the servers that people use instead ----------------------------------------------------
    @contextlib.contextmanager
    def moto(self):
        """None where it is not installed."""
        program = self.build / "bench-venv/bin/moto_server"
        if not program.exists():
            print(f"---- moto is not installed in {program.parents[1]}: left out")
            yield None
            return
        port = free_port()
        with self.rival([program, "-H", "127.0.0.1", "-p", port], port) as server:
            server.request("PUT", "/bench")
            yield server

    @contextlib.contextmanager
    def s3rver(self):
        """None where it is not installed."""
        program = self.build / "bench-node/node_modules/s3rver/bin/s3rver.js"
        if not program.exists() or not shutil.which("node"):
            print(f"---- s3rver is not installed in {program.parents[2]}: left out")
            yield None
            return
        port = free_port()
        with tempfile.TemporaryDirectory() as data, self.rival(
                ["node", program, "-d", data, "-a", "127.0.0.1", "-p", port, "-s",
                 "--configure-bucket", "bench"], port) as server:
            yield server

    @contextlib.contextmanager
    def rival(self, argv, port):
        s = Server(argv, port=port)
        try:
            yield s
        finally:
            s.stop()

    def moto_listing(self, page):
        with self.moto() as server:
            if not server:
                return None
            self.load(server, method="PUT", path="/bench/key-%u", keys=1000, requests=1000)
            runs = [self.load(server, **page, requests=20) for _ in range(self.rounds)]
            return self.median(runs, "rps")

    def rivals(self):
        """PUT and GET of 1 KiB by the clock, every server asked in the same way: one core, 4
        connections, requests signed with the one pair of keys that s3rver knows."""
        self.beside = {}
        for name in ("s3memd", "moto", "s3rver"):
            with getattr(self, name)() as server:
                if not server:
                    continue
                run = {"path": "/bench/key-%u", "keys": 100, "connections": 4, "seconds": 2,
                       "access_key": "S3RVER", "secret_key": "S3RVER"}
                put = [self.load(server, method="PUT", size=1024, **run) for _ in range(3)]
                get = [self.load(server, **run) for _ in range(3)]
            self.beside[name] = {"PUT": self.median(put, "rps"), "GET": self.median(get, "rps")}
        for name, rps in self.beside.items():
            print(f"---- {name:<8} PUT 1 KiB {rps['PUT']:>10,.0f}/s   GET 1 KiB {rps['GET']:>10,.0f}/s")

    def store(self):
        """Snapshots and memory, measured inside the process by store_bench."""
        got = {}
        middle = self.objects // 10
        for n in (1000, middle, self.objects):
            out = subprocess.run(pinned(SERVER_CPU, [self.build / "tests/bench/store_bench", "state", n]),
                                 capture_output=True, text=True, check=True)
            got[n] = json.loads(out.stdout)
        small, big = got[1000], got[self.objects]
        # Below 20 microseconds a ratio measures the clock, the caches and whether the reaper slept
        # and had to be woken: the time alone counts.
        for what in ("snapshot", "restore", "fork", "drop"):
            us, us_small = big[f"{what}_us"], small[f"{what}_us"]
            ratio = us / max(us_small, 0.001)
            self.row(f"{what} at {self.objects:,} objects", us / 1000, "ms",
                     "< 1, and <= 2 x at 1,000 or < 20 us", us < 1000 and (ratio <= 2 or us < 20),
                     us=f"{us:.2f}", us_at_1000=f"{us_small:.2f}",
                     **{f"us_at_{middle}": f"{got[middle][f'{what}_us']:.2f}"})
        self.row(f"memory an object at {self.objects:,}", big["overhead_bytes"], "bytes", "<= 100",
                 big["overhead_bytes"] <= 100)

    def files(self):
        """Saving and loading, inside the process by store_bench: rates of a second of CPU time. No
        mark is set; they are to be seen beside each other."""
        n = self.objects // 10
        out = subprocess.run(pinned(SERVER_CPU, [self.build / "tests/bench/store_bench", "files", n]),
                             capture_output=True, text=True, check=True)
        got = json.loads(out.stdout)
        for name, file in (("json", "MemoryClient's JSON file"), ("document", "snapshot document")):
            for what in ("save", "load"):
                self.row(f"{what} {n:,} objects, {file}", got[f"{name}_{what}_objects_s"], "a second",
                         "-", True, MB_s=got[f"{name}_{what}_MB_s"])

    def start(self):
        def first_answer():
            begun = time.monotonic()
            with self.s3memd() as s:
                s.request("GET", "/_s3mem/health")
                return (time.monotonic() - begun) * 1000

        ms = statistics.median(first_answer() for _ in range(9))
        self.row("start to first answer", ms, "ms", "< 20", ms < 20)
        ms = statistics.median(self.start_library() for _ in range(21))
        self.row("libs3mem: start to first answer", ms, "ms", "< 5", ms < 5)
        with self.s3memd() as s:
            s.request("GET", "/_s3mem/health")
            rss, private = s.memory_mib()
        # 2.6 MiB of it are libraries of libxml2's and libarchive's: ICU, libstdc++, compressors.
        self.row("idle memory", rss, "MiB RSS", "< 11, private < 3", rss < 11 and private < 3,
                 private_MiB=f"{private:.1f}")
        stripped = self.build / "s3memd.stripped"
        subprocess.run(["strip", "-o", stripped, self.build / "s3memd"], check=True)
        size = stripped.stat().st_size / (1 << 20)
        self.row("stripped binary", size, "MiB", "< 1", size < 1)

    def start_library(self):
        """Milliseconds, in this process."""
        lib = ctypes.CDLL(str(self.build / "libs3mem.so"))
        lib.s3mem_start.restype = ctypes.c_void_p
        begun = time.monotonic()
        server = ctypes.c_void_p(lib.s3mem_start(None, None, 0))
        with socket.create_connection(("127.0.0.1", lib.s3mem_port(server))) as s:
            s.sendall(b"GET /_s3mem/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert s.recv(4096).startswith(b"HTTP/1.1 200")
        took = (time.monotonic() - begun) * 1000
        lib.s3mem_stop(server)
        return took

    def write_table(self):
        """The table of doc/bench.md, between its markers: only ever what this run measured."""
        lines = [f"One run of `make bench` on {os.cpu_count()} cores ({cpu_name()}), server and client "
                 "pinned to a core each, the server with one I/O thread. *Bare* is a libmicrohttpd "
                 "program that answers the same bytes with the same headers; rates are those of a "
                 "second of the server's CPU time, and by the clock what the client saw. Rows that "
                 "miss their mark are bold.", "",
                 "| what | measured | must reach | |", "| --- | --- | --- | --- |"]
        for r in self.rows:
            detail = ", ".join(f"{k.replace('_', ' ')} {v:,.0f}" if isinstance(v, (int, float))
                               else f"{k.replace('_', ' ')} {v}"
                               for k, v in r.items()
                               if k not in ("what", "value", "unit", "must", "holds"))
            value = f"{r['value']:.3g} {r['unit']}"
            if not r["holds"]:
                value = f"**{value}**"
            lines.append(f"| {r['what']} | {value} | {r['must']} | {detail} |")
        lines += ["", "Beside the servers that people use instead, by the clock: one core each, 4 "
                  "connections, signed requests.", "",
                  "| requests a second, 1 KiB | PUT | GET |", "| --- | --- | --- |"]
        lines += [f"| {name} | {rps['PUT']:,.0f} | {rps['GET']:,.0f} |"
                  for name, rps in self.beside.items()]
        page = HERE.parents[1] / "doc/bench.md"
        text = page.read_text()
        table = "<!-- bench -->\n" + "\n".join(lines) + "\n<!-- /bench -->"
        page.write_text(re.sub(r"<!-- bench -->.*?<!-- /bench -->", lambda _: table, text,
                                 flags=re.S))

    def run(self, only):
        steps = {
            "get": lambda: self.small("GET", 0.85, 0.65),
            "put": lambda: self.small("PUT", 0.65, 0.50),
            "large": lambda: (self.large_get(), self.large_put()),
            "list": self.listing, "events": self.events, "store": self.store, "files": self.files,
            "persist": self.persist, "waits": self.waits, "database": self.database, "s3db": self.s3db, "start": self.start,
            "beside": self.rivals,
        }
        others = Others()
        for name, step in steps.items():
            if not only or name in only:
                step()
        busy = others.share()
        out = self.build / "bench.json"
        out.write_text(json.dumps({"rows": self.rows, "beside": self.beside, "cpu": cpu_name(),
                                   "quick": self.quick, "others": round(busy, 3)}, indent=1) + "\n")
        missed = [r["what"] for r in self.rows if not r["holds"]]
        print(f"{len(self.rows) - len(missed)} of {len(self.rows)} rows hold; written to {out}; other "
              f"programs took {busy:.0%} of the machine meanwhile")
        if not self.publish:
            return 1 if missed else 0
        if self.quick or only or busy > OTHERS_MAX or not self.beside.keys() >= {"moto", "s3rver"}:
            print("doc/bench.md is written only by a full run, with moto and s3rver, on a calm machine")
            return 1
        self.write_table()
        return 0


class Others:
    """What programs that are not ours take of the machine, from here on."""

    def __init__(self):
        self.began, self.before = time.monotonic(), self.busy_s() - self.ours_s()

    @staticmethod
    def busy_s():
        """Time in user and kernel mode and stolen by the hypervisor; interrupts are not counted to
        a program, so they are left out on both sides."""
        user, nice, system, _, _, _, _, steal = map(
            int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
        return (user + nice + system + steal) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def ours_s():
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(u.ru_utime + u.ru_stime for u in usage)

    def share(self):
        others = self.busy_s() - self.ours_s() - self.before
        return max(0.0, others / (time.monotonic() - self.began) / os.cpu_count())


def cpu_name():
    found = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else "unknown"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--publish", action="store_true", help="write the table into doc/bench.md")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, 100,000 objects")
    parser.add_argument("only", nargs="*", help="steps, all if none: get put large list events store files persist waits database s3db start beside")
    arguments = parser.parse_args()
    # So that servers are stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    sys.exit(Bench(arguments).run(arguments.only))
