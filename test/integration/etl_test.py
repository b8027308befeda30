"""etl over a real log: what gen.py generates, loaded by agent replay, against what pandas made of it."""
import json
import pathlib
import subprocess
import unittest

import harness

SHARED = pathlib.Path(harness.os.environ.get("AMOSKYS_SHARED_DATA", "")) / "etl"
# What the pandas script takes from the whole series of a device, the future included; ours comes from a baseline.
RELATIVE = ("_z_dev", "_entropy", "_jump3s", "_burst")


def pandas_is_there():
    try:
        import pandas  # noqa: F401
        return (SHARED / "gen.py").exists() and (SHARED / "check_sums.npy").exists()
    except ImportError:
        return False


@unittest.skipUnless(pandas_is_there(), "no python3-pandas, or no shared data")
class GoldenTest(harness.AmoskysTest):
    """50 devices, 29 metrics, 6 hours, 35,950 windows."""

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
        csv = self.folder / "telemetry.csv"
        subprocess.run(["/usr/bin/python3", SHARED / "gen.py", csv], check=True, capture_output=True)
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        self.ok("agent", "replay", csv, "--bus", addresses["listen"])
        golden = pandas.read_csv(SHARED / "raw_first200.csv")
        names = [name for name in golden.columns if name not in ("device_id", "window_start_ns")]
        sums = dict(zip(names, np.load(SHARED / "check_sums.npy")))
        self.assertEqual(len(names), 594)
        features = self.folder / "features"
        common = ("--out", features, "--align", "first", "--fill", "device-median", "--digits", "17", "-o", "json")

        # Baselines of the training part: what is local to the window is pandas'.
        summary = json.loads(self.ok("etl", *common))
        self.assertEqual(summary["rows"], 35950)
        self.assertEqual(summary["samples"]["used"] + summary["samples"]["filled"], 108000 * 29)
        table = pandas.read_csv(features / "canonical_telemetry_full.csv", float_precision="round_trip")
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
        table = pandas.read_csv(features / "canonical_telemetry_full.csv", float_precision="round_trip",
                                usecols=relative)
        self.compare(table, relative, golden, sums)
        print(f"{len(local)} local and {len(relative)} relative columns of 35,950 windows equal pandas; "
              f"{undefined} correlations with what does not vary are missing instead of 0")


if __name__ == "__main__":
    unittest.main()
