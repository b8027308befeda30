"""etl over real logs: gen.py's telemetry against what pandas made of it, read back from Parquet by DuckDB; processes and flows
beside metrics; rows that are followed."""
import importlib.util
import json
import signal
import subprocess
import unittest

import etl_case
import harness
import parquet

SHARED = harness.SHARED_DATA / "etl"
# What the pandas script takes from the whole series of a device, the future included; ours comes from a baseline.
RELATIVE = ("_z_dev", "_entropy", "_jump3s", "_burst")


def missing_peer():
    """What the comparison lacks here; "" where it can be made."""
    if not (SHARED / "gen.py").exists() or not (SHARED / "check_sums.npy").exists():
        return f"no gen.py and check_sums.npy in {SHARED}"
    return "" if importlib.util.find_spec("pandas") else "python3-pandas is not installed"


@unittest.skipIf(missing_peer(), missing_peer())
@unittest.skipIf(parquet.MISSING, parquet.MISSING)
class GoldenTest(harness.AmoskysTest):
    """50 devices, 29 metrics, 6 hours, 35,950 windows."""

    def table(self, folder, *columns):
        """These columns of the Parquet file as DuckDB reads it."""
        import pandas
        again = self.folder / "again.csv"
        parquet.to_csv(folder / "canonical_telemetry_full.parquet", again, *columns)
        return pandas.read_csv(again, float_precision="round_trip")

    def compare(self, table, columns, golden, sums):
        """Of all columns: the first 200 windows cell by cell, and the sum over all windows."""
        import numpy as np
        undefined = 0
        # Added up row by row, as the anchor did.
        totals = np.nan_to_num(np.ascontiguousarray(table[columns].to_numpy())).sum(0)
        for column, total in zip(columns, totals):
            ours, theirs = table[column].to_numpy(), golden[column].to_numpy()
            first = ours[:200]
            if column.startswith("corr_"):
                # pandas writes 0 where a metric does not vary.
                undefined += int(np.isnan(ours).sum())
                self.assertTrue((theirs[np.isnan(first)] == 0).all(), column)
                first = np.nan_to_num(first)
            far = ~(np.abs(first - theirs) <= 1e-9 * np.abs(theirs) + 1e-12)
            self.assertFalse(far.any(), f"{column}: {first[far][:3]} instead of {theirs[far][:3]}")
            self.assertLessEqual(abs(total - sums[column]), 1e-9 * abs(sums[column]) + 1e-12, f"sum of {column}")
        return undefined

    def test_every_window_local_feature_equals_pandas(self):
        import numpy as np
        import pandas
        telemetry = self.folder / "telemetry.csv"
        subprocess.run(["/usr/bin/python3", SHARED / "gen.py", telemetry], check=True, capture_output=True)
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        self.ok("agent", "replay", telemetry, "--bus", addresses["listen"])
        golden = pandas.read_csv(SHARED / "raw_first200.csv")
        names = [name for name in golden.columns if name not in ("device_id", "window_start_ns")]
        sums = dict(zip(names, np.load(SHARED / "check_sums.npy")))
        self.assertEqual(len(names), 594)
        features = self.folder / "features"
        common = ("--out", features, "--align", "first", "--fill", "device-median", "--format", "parquet",
                  "-o", "json")

        # Baselines of the training part: what is local to the window is pandas'.
        summary = json.loads(self.ok("etl", *common))
        self.assertEqual(summary["rows"], 35950)
        self.assertEqual(summary["samples"]["used"] + summary["samples"]["filled"], 108000 * 29)
        table = self.table(features, "device_id", *names)
        self.assertEqual(len(table), 35950)
        self.assertTrue((table["device_id"][:200] == golden["device_id"]).all())
        local = [name for name in names if not name.endswith(RELATIVE)]
        self.assertEqual(len(local), 594 - 29 * len(RELATIVE))
        undefined = self.compare(table, local, golden, sums)
        relative = [name for name in names if name.endswith(RELATIVE)]
        differ = sum(1 for name in relative if abs(table[name].sum() - sums[name]) > 1e-6 * abs(sums[name]))
        self.assertGreater(differ, len(relative) / 2)
        del table

        # Baselines of everything, as pandas has them: then the others are pandas', too.
        self.ok("etl", *common, "--validation", "0")
        self.compare(self.table(features, *relative), relative, golden, sums)
        print(f"{len(local)} local and {len(relative)} relative columns of 35,950 windows equal pandas; "
              f"{undefined} correlations with what does not vary are missing instead of 0")


class RunTest(etl_case.EtlTest):
    def test_increments_of_other_settings_are_refused_and_change_nothing(self):
        self.load(60)
        out = self.folder / "increments"
        self.ok("etl", "--incremental", "--out", out, "--lateness", "0s")
        before = (out / "manifest.json").read_bytes()
        err = self.fails(65, "etl", "--incremental", "--out", out, "--lateness", "0s", "--window", "5m")
        self.assertIn("other settings", err)
        (out / "manifest.json").write_text("{}")
        self.assertIn("manifest", self.fails(65, "etl", "--incremental", "--out", out, "--lateness", "0s"))
        (out / "manifest.json").write_bytes(before)
        self.assertEqual(self.ok_json("etl", "--incremental", "--out", out, "--lateness", "0s")["rows"], 0)

    def test_follow_prints_the_numbers_of_a_batch_as_windows_close(self):
        self.load(200)
        features = self.folder / "features"
        self.ok("etl", "--out", features, "--digits", "17")
        out = self.folder / "rows.ndjson"
        with open(out, "wb") as stdout:
            process = subprocess.Popen(self.command("etl", "--follow", "--out", features, "--lateness", "0s"), stdout=stdout,
                                       env=harness.clean_environment())
        self.addCleanup(process.kill)
        harness.wait_until(lambda: out.read_bytes().count(b"\n") > 150, "rows of the log")
        before = out.read_bytes().count(b"\n")
        self.load(60)
        harness.wait_until(lambda: out.read_bytes().count(b"\n") > before + 40, "rows of what came later")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=harness.PATIENCE_S), -signal.SIGTERM)
        # The same baselines over the whole log.
        again = self.folder / "again"
        self.ok("etl", "--out", again, "--digits", "17", "--baseline", features / "feature_metadata.json")
        batch = self.table(again / "canonical_telemetry_full.csv")
        followed = set()
        for line in out.read_text().splitlines():
            row = json.loads(line)
            key = row["device_id"], row["window_start"]
            self.assertNotIn(key, followed)
            followed.add(key)
            expected = {n: float(v) for n, v in batch[key].items() if n not in ("device_id", "window_start", "window_end")}
            self.assertEqual(row["features"], expected, key)
        self.assertGreater(len(followed), 190)

    def test_processes_and_metrics_of_this_host_share_its_windows(self):
        for _ in range(2):
            self.ok("agent", "proc", "--once", "--bus", self.addresses["listen"])
        features = self.folder / "features"
        self.ok("etl", "--out", features, "--window", "1h", "--step", "1h", "--partial", "keep")
        rows = list(self.table(features / "canonical_telemetry_full.csv").values())
        row = rows[-1]
        self.assertGreater(float(row["proc_count"]), 3)
        self.assertGreater(float(row["proc_threads_total"]), 3)
        self.assertGreater(float(row["proc_entropy"]), 0)
        self.assertGreater(float(row["memory_percent_mean"]), 0)
        self.assertIn("laLoad1_mean", row)

    def test_flows_of_a_capture_are_windows_of_the_host(self):
        captures = sorted(harness.SHARED_DATA.glob("pcap/**/*.pcap"))
        if not captures:
            self.skipTest("no recorded traffic")
        flows = 0
        for capture in captures[:3]:
            self.ok("agent", "flow", "-r", capture, "--once", "--bus", self.addresses["listen"])
        flows = len(self.ok_ndjson("inspect", "events", "--kind", "flow"))
        features = self.folder / "features"
        self.ok("etl", "--out", features, "--window", "1m", "--step", "1m", "--partial", "keep")
        rows = self.table(features / "canonical_telemetry_full.csv").values()
        late = json.loads((features / "pipeline_summary.json").read_text())["samples"]["late"]
        self.assertEqual(sum(float(row.get("flow_count", 0)) for row in rows) + late, flows)


if __name__ == "__main__":
    unittest.main()
