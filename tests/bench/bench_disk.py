# SPDX-License-Identifier: MIT
"""bench_disk.py - the rows of bench.py that need a disk: writes that are kept in a database, and
backups of s3db records beside s3db.js.

Writes are compared by the clock, not by CPU time: waiting for the disk is what is measured. The
folder is below the build folder, because a temporary folder is often in memory.
"""
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
CONNECTIONS = 32


class DiskRows:
    """A part of Bench (bench.py), which has the servers, the load and the table."""

    def persist(self):
        """PUT of 1 KiB without a database, with one that follows, and with one that is waited for."""
        got = {}
        run = {"method": "PUT", "path": "/bench/key-%u", "keys": 10_000, "size": 1024,
               "connections": CONNECTIONS, "seconds": 4 * self.seconds}
        for _ in range(self.instances):
            with tempfile.TemporaryDirectory(dir=self.build) as folder, \
                    self.s3memd() as none, \
                    self.s3memd(*self.kept(folder, "relaxed")) as relaxed, \
                    self.s3memd(*self.kept(folder, "always")) as always:
                self.versus({"none": lambda: self.load(none, **run),
                             "relaxed": lambda: self.put_and_settle(relaxed, run),
                             "always": lambda: self.put_and_settle(always, run)}, got)
        none = self.median(got["none"], "rps")
        for name, must in (("relaxed", 0.5), ("always", 0.2)):
            ours = self.median(got[name], "rps")
            self.row(f"PUT 1 KiB, kept on disk, {name}", ours / none, "of memory", f">= {must}",
                     ours / none >= must, a_second=ours, in_memory=none)

    def waits(self):
        """PUT of one byte that waits for the disk, beside one of 192 MiB: the worst of them by the
        clock, beside the worst of writing and syncing 4 MiB there before and after."""
        took, probes = [], []
        with tempfile.TemporaryDirectory(dir=self.build) as folder, \
                self.s3memd(*self.kept(folder, "always")) as server:
            for round_ in range(self.rounds):
                probes += self.write_and_sync(f"{folder}/probe", 4 << 20, 8)
                took += self.small_beside_large(server, f"/bench/big-{round_}", 192)
                probes += self.write_and_sync(f"{folder}/probe", 4 << 20, 8)
        ratio = max(took) / max(probes)
        self.row("PUT 1 B beside 192 MiB, always, worst", ratio, "of 4 MiB synced", "<= 3",
                 ratio <= 3, of=len(took), ms=self.spread(took), sync_ms=self.spread(probes))

    @staticmethod
    def small_beside_large(server, path, mib):
        """Seconds that each PUT of one byte takes while that of so many MiB is under way."""
        big = threading.Thread(target=server.request,
                               args=("PUT", path, os.urandom(1 << 20) * mib))
        took = []
        big.start()
        while big.is_alive():
            began = time.monotonic()
            response, data = server.request("PUT", f"/bench/small-{len(took) % 50}", b"x")
            took.append(time.monotonic() - began)
            assert response.status == 200, data
        big.join()
        return took

    @staticmethod
    def write_and_sync(path, size, times):
        """Seconds that each takes."""
        data, took = os.urandom(size), []
        for _ in range(times):
            began = time.monotonic()
            with open(path, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            took.append(time.monotonic() - began)
        return took

    @staticmethod
    def spread(seconds):
        """The least, the median and the worst, in ms."""
        return "/".join(f"{1e3 * x:.1f}"
                        for x in (min(seconds), statistics.median(seconds), max(seconds)))

    @staticmethod
    def kept(folder, durability):
        return ["--persist", f"{folder}/{durability}.db", "--auto-persist", "--durability", durability]

    def put_and_settle(self, server, run):
        """What was answered before it is on disk is written before the next is measured: its work
        must not be counted to another server, and a backlog must not look like speed."""
        result = self.load(server, **run)
        began = time.monotonic()
        self.settle(server)
        seconds = result["requests"] / result["rps"] + time.monotonic() - began
        return {"rps": result["requests"] / seconds}

    @staticmethod
    def settle(server):
        """Waits until all is written."""
        while True:
            response, data = server.request("GET", "/_s3mem/stats")
            assert response.status == 200, data
            state = json.loads(data)["persistence"]
            if state["changes"] == state["written"]:
                return
            time.sleep(0.01)

    def database(self):
        """A whole store into a new database, as one change, and a start with it: by the clock until
        all is written, and until the server is ready."""
        count = self.objects
        with tempfile.TemporaryDirectory(dir=self.build) as folder:
            kept = ["--persist", f"{folder}/store.db", "--auto-persist"]
            with self.s3memd() as source:
                self.load(source, method="PUT", path="/bench/key-%u", keys=count, requests=count,
                          connections=8, size=100)
                self.admin(source, "snapshots", name="all")
                _, document = source.request("GET", "/_s3mem/snapshots/all")
            with self.s3memd(*kept) as server:
                server.request("PUT", "/_s3mem/snapshots/all", document)
                began = time.monotonic()
                self.settle(server)
                save = time.monotonic() - began
            began = time.monotonic()
            with self.s3memd(*kept):
                load = time.monotonic() - began
            mb = pathlib.Path(f"{folder}/store.db").stat().st_size / 1e6
        for what, seconds in (("save", save), ("load", load)):
            self.row(f"{what} {count:,} objects, SQLite database", count / seconds, "a second",
                     "-" if what == "save" else ">= 200,000", what == "save" or load < 5,
                     seconds=f"{seconds:.2f}", MB_s=mb / seconds)

    def s3db(self):
        """Export and import of s3db records, beside what s3db.js does in its own process. By CPU time
        of the whole process on both sides."""
        module = self.build / "bench-s3db/node_modules/s3db.js/dist/s3db.es.js"
        if not module.exists():
            print(f"---- s3db.js is not installed in {self.build}/bench-s3db: left out")
            return
        count = self.objects // 10
        with tempfile.TemporaryDirectory(dir=self.build) as folder, \
                self.s3memd("--state-dir", folder) as server:
            theirs = json.loads(subprocess.run(
                ["node", HERE / "s3db_rate.mjs", str(count), folder, module],
                capture_output=True, text=True, check=True).stdout)
            self.admin(server, "load", path="store.json", bucket="people")
            ours = {}
            for what, request in (("export", {"path": "backup", "bucket": "people"}),
                                  ("import", {"path": "backup", "bucket": "again"})):
                before = server.cpu_s()
                self.admin(server, what, **request)
                ours[what] = server.cpu_s() - before
        for what, seconds in ours.items():
            rate, beside = count / seconds, count / theirs[f"{what}_s"]
            self.row(f"{what} {count:,} s3db records", rate / beside, "of s3db.js", "-", True,
                     a_second=rate, s3db_js=beside)

    @staticmethod
    def admin(server, what, **request):
        response, data = server.request("POST", f"/_s3mem/{what}", json.dumps(request),
                                        {"Content-Type": "application/json"})
        assert response.status in (200, 201), data
        return json.loads(data)
