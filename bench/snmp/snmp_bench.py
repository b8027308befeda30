#!/usr/bin/env python3
"""agent snmp against Debian's prometheus-snmp-exporter and net-snmp's snmpbulkwalk: the same columns of the same snmpd.

Ours is the whole agent: read, typed, rates, signed and spooled (no bus). CPU is that of the processes, from
/proc/PID/stat and wait4. Printed: devices per CPU-second, varbinds per CPU-second, and the long run of 2,000 devices.
"""
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

AMOSKYS = os.environ["AMOSKYS"]
DEVICES = int(os.environ.get("AMOSKYS_BENCH_DEVICES", "400"))
ROUNDS = 3
LONG_DEVICES = int(os.environ.get("AMOSKYS_BENCH_LONG_DEVICES", "2000"))
# Of the executable every AMOSKYS_ variable is a setting.
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("AMOSKYS")}
COLUMNS = [("ifDescr", "2.2.1.2", "text"), ("ifType", "2.2.1.3", "g"), ("ifSpeed", "2.2.1.5", "g"), ("ifOperStatus", "2.2.1.8", "g"),
           ("ifInOctets", "2.2.1.10", "c"), ("ifInErrors", "2.2.1.14", "c"), ("ifOutOctets", "2.2.1.16", "c"),
           ("ifOutErrors", "2.2.1.20", "c"), ("ifName", "31.1.1.1.1", "text"), ("ifHCInOctets", "31.1.1.1.6", "c"),
           ("ifHCInUcastPkts", "31.1.1.1.7", "c"), ("ifHCOutOctets", "31.1.1.1.10", "c"), ("ifHCOutUcastPkts", "31.1.1.1.11", "c"),
           ("ifHighSpeed", "31.1.1.1.15", "g")]
SCALARS = [("sysUpTime", "1.3.6.1.2.1.1.3.0", "g")]
SCALARS += [(name, f"1.3.6.1.4.1.2021.4.{n}.0", "g") for name, n in (
    ("memTotalSwap", 3), ("memAvailSwap", 4), ("memTotalReal", 5), ("memAvailReal", 6), ("memBuffer", 14), ("memCached", 15))]
SCALARS += [(name, f"1.3.6.1.4.1.2021.11.{n}.0", "c") for name, n in (
    ("ssCpuRawUser", 50), ("ssCpuRawNice", 51), ("ssCpuRawSystem", 52), ("ssCpuRawIdle", 53), ("ssCpuRawWait", 54),
    ("ssCpuRawInterrupt", 56), ("ssCpuRawSoftIRQ", 61), ("ssCpuRawSteal", 64))]
# 29 metrics of a host with one column of its interfaces: what the earlier system read per device.
SYSTEM = [(n, f"1.3.6.1.2.1.1.{i}.0", "text") for n, i in (("sysDescr", 1), ("sysContact", 4), ("sysName", 5), ("sysLocation", 6))]
LOADS = [(f"laLoad{n}", f"1.3.6.1.4.1.2021.10.1.3.{i}", "number") for n, i in ((1, 1), (5, 2), (15, 3))]


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def profile(name, scalars, columns):
    lines = [f"profile: {name}", "scalars:"]
    kinds = {"g": 'type: gauge, unit: "1"', "c": 'type: counter, unit: "1"', "text": "type: text",
             "number": 'type: gauge, unit: "1", read: number'}
    lines += [f"  - {{metric: {n}, oid: {oid}, {kinds[k]}}}" for n, oid, k in scalars]
    if columns:
        lines += ["tables:", "  - table: ifTable"]
        if any(n == "ifDescr" for n, _, _ in columns):
            lines.append("    labels: [ifDescr]")
        lines.append("    columns:")
        lines += [f"      - {{metric: {n}, oid: 1.3.6.1.2.1.{oid}, {kinds[k]}}}" for n, oid, k in columns]
    return "\n".join(lines) + "\n"


def exporter_config():
    def metric(n, oid, kind, indexed):
        kind = {"g": "gauge", "c": "counter", "text": "DisplayString"}[kind]
        lines = [f"  - name: {n}", f"    oid: {oid}", f"    type: {kind}", f"    help: {n}"]
        if indexed:
            lines += ["    indexes:", "    - labelname: ifIndex", "      type: gauge"]
            if n != "ifDescr":
                lines += ["    lookups:", "    - labels: [ifIndex]", "      labelname: ifDescr",
                          "      oid: 1.3.6.1.2.1.2.2.1.2", "      type: DisplayString"]
        return lines
    lines = ["bench:", "  walk:"] + [f"  - 1.3.6.1.2.1.{oid}" for _, oid, _ in COLUMNS]
    lines += ["  get:"] + [f"  - {oid}" for _, oid, _ in SCALARS] + ["  metrics:"]
    for n, oid, k in SCALARS:
        lines += metric(n, oid.removesuffix(".0"), k, False)
    for n, oid, k in COLUMNS:
        lines += metric(n, f"1.3.6.1.2.1.{oid}", k, True)
    return "\n".join(lines + ["  max_repetitions: 25", "  version: 2", "  auth:", "    community: public"]) + "\n"


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.rows, self.notes = [], []

    def start(self, args, name, env=None):
        log = open(self.folder / f"{name}.log", "wb")
        process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(CLEAN, **(env or {})))
        log.close()
        self.processes.append(process)
        return process

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def start_snmpd(self):
        self.port = free_port(socket.SOCK_DGRAM)
        (self.folder / "snmpd.conf").write_text("view all included .1\nrocommunity public default -V all\n")
        self.start(["/usr/sbin/snmpd", "-C", "-c", str(self.folder / "snmpd.conf"), "-f", "-Lo", "-r", "-I", "-smux",
                    f"udp:127.0.0.1:{self.port}"], "snmpd", {"SNMP_PERSISTENT_DIR": str(self.folder)})
        for _ in range(100):
            if subprocess.run(["snmpget", "-v2c", "-c", "public", "-t", "0.2", "-r", "0", f"127.0.0.1:{self.port}",
                               "1.3.6.1.2.1.1.3.0"], capture_output=True).returncode == 0:
                return
        raise SystemExit("bench snmp: snmpd does not answer")

    def agent(self, name, devices, profile_name, interval):
        state = self.folder / f"state-{name}"
        subprocess.run([AMOSKYS, "--state-dir", str(state), "pki", "init"], check=True, capture_output=True, env=CLEAN)
        (self.folder / f"{name}.csv").write_text("target\n" + "".join(
            f"d{i}=udp:127.0.0.1:{self.port}\n" for i in range(devices)))
        http = free_port(socket.SOCK_STREAM)
        process = self.start([AMOSKYS, "--state-dir", str(state), "agent", "snmp", "--targets-file", str(self.folder / f"{name}.csv"),
                              "--profile", profile_name, "--profile-dir", str(self.folder / "profiles"), "--interval", interval,
                              "--bus", f"127.0.0.1:{free_port(socket.SOCK_STREAM)}", "--http-listen", f"127.0.0.1:{http}"],
                             f"amoskys-{name}")
        return process, http

    def counters(self, http):
        text = urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics", timeout=10).read().decode()
        out = {}
        for line in text.splitlines():
            if line.startswith("amoskys_snmp_"):
                key, _, value = line.rpartition(" ")
                out[key] = float(value)
        return {"polls": out.get('amoskys_snmp_polls_total{result="ok"}', 0), "varbinds": out.get("amoskys_snmp_varbinds_total", 0),
                "metrics": out.get("amoskys_snmp_metrics_total", 0),
                "bad": sum(v for k, v in out.items() if k.startswith("amoskys_snmp_polls_total") and '"ok"' not in k)}

    def wait_polls(self, process, http, polls, timeout_s):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise SystemExit("bench snmp: the agent ended:\n" + (self.folder / "amoskys-short.log").read_text()[-2000:])
            try:
                now = self.counters(http)
            except OSError:
                now = {"polls": 0}
            if now["polls"] >= polls:
                return now
            time.sleep(0.2)
        raise SystemExit(f"bench snmp: only {now} of {polls} polls")

    def ours(self):
        process, http = self.agent("short", DEVICES, "bench", "5s")
        first = self.wait_polls(process, http, DEVICES, 60)
        cpu, results = cpu_s(process.pid), []
        for _ in range(ROUNDS):
            before, cpu = self.counters(http), cpu_s(process.pid)
            after = self.wait_polls(process, http, before["polls"] + DEVICES, 60)
            used = cpu_s(process.pid) - cpu
            results.append(((after["polls"] - before["polls"]) / used, (after["varbinds"] - before["varbinds"]) / used))
        process.terminate()
        process.wait()
        per_device = (after["varbinds"] - first["varbinds"]) / (after["polls"] - first["polls"])
        self.notes.append(f"{per_device:.0f} varbinds a device; ours with typing, signing and spool; not ok: {after['bad']:.0f}")
        results.sort()
        return results[len(results) // 2], per_device

    def exporter(self):
        program = shutil.which("prometheus-snmp-exporter")
        if program is None:
            self.notes.append("prometheus-snmp-exporter is not installed: left out")
            return None
        config = self.folder / "snmp.yml"
        config.write_text(exporter_config())
        port = free_port(socket.SOCK_STREAM)
        process = self.start([program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"], "exporter",
                             {"GOMAXPROCS": "1"})
        url = f"http://127.0.0.1:{port}/snmp?target=127.0.0.1:{self.port}&module=bench"
        for _ in range(100):
            try:
                page = urllib.request.urlopen(url, timeout=10).read().decode()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("bench snmp: the exporter ended:\n" + (self.folder / "exporter.log").read_text()[-2000:])
                time.sleep(0.1)
        missing = [n for n, _, _ in COLUMNS + SCALARS if n not in page]
        if missing:
            raise SystemExit(f"bench snmp: the exporter lacks {missing}")
        results = []
        for _ in range(ROUNDS):
            cpu = cpu_s(process.pid)
            for _ in range(DEVICES):
                urllib.request.urlopen(url, timeout=10).read()
            results.append(DEVICES / (cpu_s(process.pid) - cpu))
        memory = rss_mb(process.pid)
        process.terminate()
        process.wait()
        return sorted(results)[len(results) // 2], memory

    def bulkwalk(self):
        roots = ["1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1", "1.3.6.1.4.1.2021.4", "1.3.6.1.4.1.2021.11"]
        results = []
        for _ in range(ROUNDS):
            varbinds, before = 0, resource.getrusage(resource.RUSAGE_CHILDREN)
            for _ in range(10):
                for root in roots:
                    done = subprocess.run(["snmpbulkwalk", "-v2c", "-c", "public", "-Cr25", "-On", f"127.0.0.1:{self.port}", root],
                                          capture_output=True, env=dict(os.environ, MIBS=""))
                    varbinds += done.stdout.count(b"\n")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            results.append((10 / used, varbinds / used))
        return sorted(results)[len(results) // 2]

    def long_run(self):
        process, http = self.agent("long", LONG_DEVICES, "bench29", "60s")
        self.wait_polls(process, http, LONG_DEVICES, 90)
        before, cpu, begun = self.counters(http), cpu_s(process.pid), time.monotonic()
        time.sleep(60)
        after, used, took = self.counters(http), cpu_s(process.pid) - cpu, time.monotonic() - begun
        memory = rss_mb(process.pid)
        process.terminate()
        process.wait()
        polls = after["polls"] - before["polls"]
        self.notes.append(f"long run: {polls:.0f} polls in {took:.0f} s, {(after['metrics'] - before['metrics']) / polls:.1f} metrics "
                          f"each, not ok {after['bad']:.0f}")
        return 100 * used / took, memory

    def run(self):
        folder = self.folder / "profiles"
        folder.mkdir()
        (folder / "bench.yaml").write_text(profile("bench", SCALARS, COLUMNS))
        (folder / "bench29.yaml").write_text(profile("bench29", SYSTEM + LOADS + SCALARS, COLUMNS[4:5]))
        self.start_snmpd()
        (devices, varbinds), per_device = self.ours()
        exporter = self.exporter()
        if exporter:
            self.rows.append(("devices per CPU-second", "devices/s", devices, exporter[0], "prometheus-snmp-exporter"))
            self.rows.append(("varbinds per CPU-second", "varbinds/s", varbinds, exporter[0] * per_device, "the same"))
        walk = self.bulkwalk()
        self.rows.append(("varbinds per CPU-second", "varbinds/s", varbinds, walk[1], "snmpbulkwalk, whole tables"))
        if LONG_DEVICES:
            share, memory = self.long_run()
            self.rows.append((f"{LONG_DEVICES} devices a minute", "% of a core", share, 10, "wanted at most"))
            self.rows.append(("its resident memory", "MB", memory, 48, "wanted at most"))


def show(bench, as_json):
    if as_json:
        print(json.dumps({"schema": "amoskys.bench/1", "rows": [
            {"name": n, "unit": u, "ours": o, "peer": p, "peer_name": w, "ratio": o / p} for n, u, o, p, w in bench.rows]}))
        return
    print(f"| {'measure':<28} | {'unit':<12} | {'ours':>10} | {'peer':>10} | ratio | peer is |")
    print(f"|{'-' * 30}|{'-' * 14}|{'-' * 11}:|{'-' * 11}:|------:|---------|")
    for name, unit, ours, peer, what in bench.rows:
        print(f"| {name:<28} | {unit:<12} | {ours:>10.1f} | {peer:>10.1f} | {ours / peer:>5.2f} | {what} |")
    for note in bench.notes:
        print(note)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="snmp-", dir=os.environ.get("AMOSKYS_BENCH_DIR", "/var/tmp")))
    bench = Bench(folder)
    try:
        bench.run()
        show(bench, "--json" in sys.argv)
    finally:
        bench.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
