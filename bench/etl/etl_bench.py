#!/usr/bin/env python3
"""etl against pandas: the log of gen.py's telemetry (108,000 rows x 29 metrics) to 35,950 windows of features.

Ours is read from a log that `agent replay` and the bus wrote; pandas (shared/data/etl/etl_pandas.py) from the CSV. CPU seconds of
each stage, medians of rounds that alternate; peak memory of the whole command.
"""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

AMOSKYS, BENCH = os.environ["AMOSKYS"], os.environ["AMOSKYS_BENCH_ETL"]
SHARED = pathlib.Path(os.environ["AMOSKYS_SHARED_DATA"]) / "etl"
ROUNDS = 3
# Of the executable every AMOSKYS_ variable is a setting.
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("AMOSKYS")}


def make_log(folder):
    csv, state, ready = folder / "telemetry.csv", folder / "state", folder / "ready"
    subprocess.run(["/usr/bin/python3", SHARED / "gen.py", csv], check=True, capture_output=True)
    run = [AMOSKYS, "--state-dir", state]
    subprocess.run([*run, "pki", "init"], check=True, capture_output=True, env=CLEAN)
    bus = subprocess.Popen([*run, "bus", "--listen", "127.0.0.1:0", "--ready-file", ready], env=CLEAN,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not ready.exists():
            if time.monotonic() > deadline:
                raise SystemExit("bench etl: no bus")
            time.sleep(0.05)
        address = json.loads(ready.read_text())["listen"]
        subprocess.run([*run, "agent", "replay", csv, "--bus", address], check=True, capture_output=True, env=CLEAN)
    finally:
        bus.terminate()
        bus.wait()
    return csv, state


def command(state, out):
    """CPU seconds of the whole command, and the largest RssAnon that was seen of it, in MB."""
    process = subprocess.Popen([AMOSKYS, "--state-dir", state, "etl", "--align", "first", "--out", out, "--quiet"],
                               env=CLEAN, stdout=subprocess.DEVNULL)
    peak = 0
    while True:
        try:
            text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, int(re.search(r"RssAnon:\s+(\d+)", text).group(1)))
        except (OSError, AttributeError):
            pass
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                raise SystemExit(f"bench etl: etl ended with {process.returncode}")
            return usage.ru_utime + usage.ru_stime, peak / 1024
        time.sleep(0.01)


def main():
    rows, notes = [], []
    with tempfile.TemporaryDirectory(dir=os.environ.get("AMOSKYS_BENCH_DIR", "/var/tmp")) as name:
        folder = pathlib.Path(name)
        csv, state = make_log(folder)
        ours, whole, theirs = [], [], []
        for _ in range(ROUNDS):
            ours.append(json.loads(subprocess.run([BENCH, state / "wal"], check=True, capture_output=True,
                                                  env=CLEAN | {"AMOSKYS_BENCH_DIR": name}).stdout))
            whole.append(command(state, folder / "features"))
            theirs.append(json.loads(subprocess.run(["/usr/bin/python3", SHARED / "etl_pandas.py", csv, folder / "pandas",
                                                     "--nocsv"], check=True, capture_output=True).stdout))
        mine = lambda key: statistics.median(one[key] for one in ours)
        peer = lambda *keys: statistics.median(sum(one["cpu_s"][key] for key in keys) for one in theirs)
        features = mine("windows_s")
        rows.append(("window features, all extractors", "CPU s", features, peer("window features"), "pandas, 594 columns"))
        rows.append(("the same", "CPU s", features, 0.25, "wanted at most"))
        rows.append(("read: log to canonical rows", "CPU s", mine("read_s"), peer("load csv", "normalise+impute"),
                     "pandas, from CSV"))
        rows.append(("split and baselines", "CPU s", mine("fit_s"), None, ""))
        total = statistics.median(one["read_s"] + one["fit_s"] + one["windows_s"] for one in ours)
        rows.append(("log to rows", "CPU s", total, peer("load csv", "normalise+impute", "window features"),
                     "pandas, from CSV"))
        rows.append(("the same", "CPU s", total, 1.8, "wanted at most"))
        cpu = statistics.median(one for one, _ in whole)
        rows.append(("the command: 6 tables, reports, pictures", "CPU s", cpu, None, ""))
        rows.append(("the same", "CPU s", cpu, 4.0, "wanted at most"))
        rows.append(("its peak anonymous memory", "MB", max(peak for _, peak in whole),
                     statistics.median(one["peak_rss_mb"] for one in theirs), "pandas, resident"))
        rows.append(("the same", "MB", max(peak for _, peak in whole), 150.0, "wanted at most"))
        notes.append(f"{ours[0]['rows']} windows x {ours[0]['columns']} columns of {ours[0]['samples']} samples; "
                     f"pandas: {theirs[0]['windows']} x {theirs[0]['columns']}")
    if "--json" in sys.argv[1:]:
        print(json.dumps({"schema": "amoskys.bench/1", "rows": [
            {"name": n, "unit": u, "ours": o, "peer": p, "peer_name": w, "ratio": o / p if p else None}
            for n, u, o, p, w in rows]}))
        return
    print("| measure | unit | ours | peer | ratio | peer is |\n|---|---|---:|---:|---:|---|")
    for n, u, o, p, w in rows:
        print(f"| {n} | {u} | {o:.3f} | {'-' if p is None else f'{p:.3f}'} | {f'{o / p:.2f}' if p else '-'} | {w} |")
    for note in notes:
        print(note)


main()
