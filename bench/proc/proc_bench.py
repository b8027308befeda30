#!/usr/bin/env python3
"""agent proc against psutil: CPU per process and scan, memory with 2,000 processes, and what a storm of short programs costs.

Ours is the whole agent: read, compared, signed and spooled (no bus); its CPU is that of all its threads, of
/proc/PID/task/*/schedstat. psutil runs in a process of its own, on the same processes, its fields nearest to our standard set.
"""
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

AMOSKYS = os.environ["AMOSKYS"]
STORM = os.environ["AMOSKYS_BENCH_STORM"]
STORM_RATE = 2000
PROCESSES = int(os.environ.get("AMOSKYS_BENCH_PROCESSES", "2000"))
EXECS = int(os.environ.get("AMOSKYS_BENCH_EXECS", "20000"))
ROUNDS = 3
SCANS = 20
# Of the executable every AMOSKYS_ variable is a setting.
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("AMOSKYS")}
PEER = r"""
import json, resource, sys, time
import psutil
FIELDS = ["pid", "ppid", "name", "exe", "cmdline", "cwd", "username", "uids", "gids", "status", "nice", "num_threads",
          "create_time", "cpu_times", "cpu_percent", "memory_info", "io_counters", "num_fds", "terminal"]
for line in sys.stdin:
    before = time.process_time()
    count = sum(1 for p in psutil.process_iter() if p.as_dict(FIELDS))
    print(json.dumps([count, time.process_time() - before]), flush=True)
"""


def cpu_ns(pid, only=""):
    """Of all threads, or of those of a name; an agent's threads live as long as it."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
               if not only or (task / "comm").read_text().strip() == only)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.rows, self.notes = [], []

    def start(self, args, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(args, env=CLEAN, **kwargs)
        self.processes.append(process)
        return process

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.kill()
            process.wait()

    def agent(self, name, *args):
        state = self.folder / f"state-{name}"
        subprocess.run([AMOSKYS, "--state-dir", str(state), "pki", "init"], check=True, capture_output=True, env=CLEAN)
        http = free_port()
        with open(self.folder / f"{name}.log", "wb") as log:
            process = self.start([AMOSKYS, "--state-dir", str(state), "agent", "proc", "--bus", f"127.0.0.1:{free_port()}",
                                  "--http-listen", f"127.0.0.1:{http}", *args], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise SystemExit("bench proc: the agent ended:\n" + (self.folder / f"{name}.log").read_text()[-2000:])
            try:
                if self.counters(http).get("amoskys_proc_scan_seconds_count", 0) >= 1:
                    return process, http
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit("bench proc: no scan")

    @staticmethod
    def counters(http):
        text = urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics", timeout=10).read().decode()
        return {key: float(value) for key, _, value in (line.rpartition(" ") for line in text.splitlines()
                                                        if line.startswith("amoskys_proc_"))}

    def scans(self, process, http, count):
        """CPU in microseconds per process and scan over so many scans: of the reading thread, of the agent."""
        before, cpu, reading = self.counters(http), cpu_ns(process.pid), cpu_ns(process.pid, "proc")
        while True:
            time.sleep(0.1)
            now, used, read = self.counters(http), cpu_ns(process.pid) - cpu, cpu_ns(process.pid, "proc") - reading
            if now["amoskys_proc_scan_seconds_count"] - before["amoskys_proc_scan_seconds_count"] >= count:
                events = sum(now[k] - before.get(k, 0) for k in now if "events_total" in k and "METRIC" not in k)
                return read / 1000 / events, used / 1000 / events

    def cost(self):
        sleeper = shutil.which("sleep")
        for _ in range(PROCESSES):
            self.start([sleeper, "1000"], stdout=subprocess.DEVNULL)
        time.sleep(2)
        peer = None
        try:
            import psutil
            peer = self.start([sys.executable, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.notes.append(f"psutil {psutil.__version__} on Python {sys.version.split()[0]}")
        except ImportError:
            self.notes.append("python3-psutil is not installed: left out")
        process, http = self.agent("cost", "--interval", "500ms")
        complete, complete_http = self.agent("complete", "--interval", "2s", "--details-interval", "0s", "--life-cycle", "poll")
        ours, all_fields, theirs = [], [], []
        for _ in range(ROUNDS):
            ours.append(self.scans(process, http, SCANS))
            all_fields.append(self.scans(complete, complete_http, 3))
            if peer is not None:
                peer.stdin.write("\n")
                peer.stdin.flush()
                count, seconds = json.loads(peer.stdout.readline())
                theirs.append(seconds * 1e6 / count)
        read, whole = (statistics.median(column) for column in zip(*ours))
        complete_read = statistics.median(row[0] for row in all_fields)
        psutil_us = statistics.median(theirs) if theirs else None
        self.rows.append(("proc, reading: CPU per process and scan", "us", read, 25.0, "wanted at most"))
        self.rows.append(("the same", "us", read, psutil_us, "psutil"))
        self.rows.append(("signed and spooled", "us", whole, psutil_us, "psutil, in memory"))
        self.rows.append(("all fields in every scan, reading", "us", complete_read, psutil_us, "psutil"))
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        memory = int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024
        self.rows.append((f"resident memory with {PROCESSES} processes", "MB", memory, 24.0, "wanted at most"))
        anonymous = int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) / 1024
        self.notes.append(f"of the resident memory {anonymous:.1f} MB are not of the executable's file")
        for one in (process, complete):
            one.terminate()
            one.wait()

    def storm(self):
        """Programs that end at once, at the rate that is wanted and a little more, and what is lost or late of them."""
        process, http = self.agent("storm", "--interval", "30s")
        before, cpu, began = self.counters(http), cpu_ns(process.pid), time.monotonic()
        if not before.get("amoskys_proc_life_cycle_active"):
            self.notes.append("the kernel gives no process events here: no storm")
            return
        generators = [self.start([STORM, str(EXECS // 2), str(STORM_RATE // 2), "/bin/true"], stdout=subprocess.DEVNULL)
                      for _ in range(2)]
        if any(generator.wait() for generator in generators):
            raise SystemExit("bench proc: the storm failed")
        took = time.monotonic() - began
        time.sleep(1)
        after, used = self.counters(http), cpu_ns(process.pid) - cpu
        grown = lambda name: sum(after[k] - before.get(k, 0) for k in after if k.startswith(name))
        execs = grown('amoskys_proc_events_total{kind="EXEC"')
        events = execs + grown('amoskys_proc_events_total{kind="START"') + grown('amoskys_proc_events_total{kind="EXIT"')
        late = grown('amoskys_proc_life_cycle_late_total{what="cmdline"')
        self.rows.append(("execs a second", "1/s", execs / took, 1800.0, "wanted"))
        self.rows.append(("messages lost", "1", grown('amoskys_proc_life_cycle_lost_total{kind="lost"'), 0.0, "wanted"))
        self.rows.append(("too late for the arguments", "%", 100 * late / execs, 29.0, "a plain C reader, 29 to 53"))
        self.rows.append(("CPU per event", "us", used / 1000 / events, None, ""))
        process.terminate()
        process.wait()

    def print(self, as_json):
        if as_json:
            print(json.dumps({"schema": "amoskys.bench/1", "rows": [
                {"name": n, "unit": u, "ours": o, "peer": p, "peer_name": w, "ratio": o / p if p else None}
                for n, u, o, p, w in self.rows]}))
            return
        print("| measure | unit | ours | peer | ratio | peer is |\n|---|---|---:|---:|---:|---|")
        for name, unit, ours, peer, what in self.rows:
            ratio = f"{ours / peer:.2f}" if peer else "-"
            print(f"| {name} | {unit} | {ours:.1f} | {'-' if peer is None else f'{peer:.1f}'} | {ratio} | {what} |")
        for note in self.notes:
            print(note)


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("AMOSKYS_BENCH_DIR", "/var/tmp")) as folder:
        bench = Bench(pathlib.Path(folder))
        try:
            bench.storm()
            bench.cost()
        finally:
            bench.stop()
        bench.print("--json" in sys.argv[1:])


main()
