"""What a log may hold that nobody planned for: metrics that nobody knows, metrics that change their type, clocks that jump."""
import csv
import json
import unittest

import harness

START_S = 1_764_821_310


class InputTest(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        self.ok("pki", "init")
        _, self.addresses = self.start_bus()

    def load(self, records):
        rows = self.folder / "rows.ndjson"
        rows.write_text("".join(json.dumps(record) + "\n" for record in records))
        self.ok("agent", "replay", rows, "--bus", self.addresses["listen"])

    def run_etl(self, *args):
        """Summary, rows by window start in seconds from START_S, what was said."""
        out = self.folder / "features"
        code, told, said = self.run_cli("etl", "--out", out, "-o", "json", *args)
        self.assertEqual(code, 0, said)
        with open(out / "canonical_telemetry_full.csv", newline="") as file:
            rows = [row for row in csv.DictReader(file)]
        return json.loads(told), rows, said

    @staticmethod
    def sample(seconds, metric, value, kind="GAUGE", device="edge"):
        return {"device": device, "time": START_S + seconds, "metric": metric, "value": value, "type": kind}

    def test_a_metric_that_nobody_knows_gets_its_features_whatever_its_name(self):
        names = ["flux.capacitor/charge", 'quo"ted, name', "émission ☢", "device_id", "window_start", "x" * 200, "hour"]
        self.load(self.sample(i * 10, name, i + k) for i in range(40) for k, name in enumerate(names))
        summary, rows, _ = self.run_etl()
        self.assertEqual(summary["metrics"], len(names))
        self.assertGreater(len(rows), 8)
        for k, name in enumerate(names):
            # Samples at 10 s: a window of 60 s holds six, its mean is that of its first and last.
            for row in rows[2:4]:
                self.assertEqual(float(row[f"{name}_max"]) - float(row[f"{name}_min"]), 5, name)
                self.assertEqual(float(row[f"{name}_mean"]), (float(row[f"{name}_max"]) + float(row[f"{name}_min"])) / 2, name)
        metadata = json.loads((self.folder / "features/feature_metadata.json").read_text())
        columns = [column["name"] for column in metadata["columns"]]
        self.assertEqual(len(columns), len(set(columns)))

    def test_a_metric_that_changes_its_type_is_two_metrics_and_texts_are_counted(self):
        first = [self.sample(i * 10, "load", i % 7) for i in range(60)]
        then = [self.sample(i * 10, "load", 1000 + 50 * i, "COUNTER") for i in range(60, 120)]
        last = [self.sample(i * 10, "load", "not measured", "TEXT") for i in range(120, 180)]
        self.load(first + then + last)
        summary, rows, _ = self.run_etl()
        self.assertEqual(summary["metrics"], 2)
        self.assertEqual(summary["samples"]["texts"], 60)
        self.assertEqual(summary["samples"]["counter_starts"], 1)
        for row in rows:
            # Never both but in a window across the change, and the rate is that of the counter alone.
            if row["load_count"] == "6":
                self.assertEqual(row.get("load_rate_count", ""), "")
            if row["load_rate_mean"]:
                self.assertEqual(float(row["load_rate_mean"]), 5)
        self.assertGreater(sum(1 for row in rows if row["load_rate_mean"]), 15)
        self.assertGreater(sum(1 for row in rows if row["load_mean"]), 15)

    def test_a_clock_that_jumps_ahead_and_back_leaves_out_what_it_stamped_and_says_so(self):
        # Right for ten minutes, a day ahead for one, right again: what comes again is a day late.
        steady = [self.sample(i * 10, "load", 1, device="steady") for i in range(240)]
        right = [self.sample(i * 10, "load", 1) for i in range(60)]
        ahead = [self.sample(86_400 + i * 10, "load", 100) for i in range(60, 67)]
        again = [self.sample(i * 10, "load", 1) for i in range(67, 240)]
        self.load(steady + right + ahead + again)
        summary, rows, said = self.run_etl()
        self.assertEqual(summary["samples"]["late"], len(again))
        self.assertIn(f"{len(again)} samples came later than the lateness allows", said)
        # The other device is not touched by it, and no window mixes both clocks.
        other = [row for row in rows if row["device_id"] == "steady"]
        self.assertGreater(len(other), 70)
        for row in rows:
            self.assertIn(float(row["load_max"]), (1, 100))
            self.assertEqual(row["load_max"], row["load_min"])
        # Enough lateness takes everything.
        summary, rows, said = self.run_etl("--lateness", "2d")
        self.assertEqual(summary["samples"]["late"], 0)
        # Without the window in the hole, and with one more at the end, which the sample of the next day completes.
        self.assertEqual(sum(1 for row in rows if row["device_id"] == "edge" and row["load_max"] == "1"),
                         sum(1 for row in rows if row["device_id"] == "steady"))

    def test_a_clock_in_the_future_is_counted_and_gives_no_rows(self):
        self.load([self.sample(i * 10, "load", 1) for i in range(60)] +
                  [self.sample(20 * 365 * 86_400 + i * 10, "load", 5) for i in range(30)])
        summary, rows, said = self.run_etl()
        self.assertEqual(summary["samples"]["ahead_of_reception"], 30)
        self.assertIn("30 samples have no time, or one an hour after their reception", said)
        self.assertTrue(all(row["load_max"] == "1" for row in rows))


if __name__ == "__main__":
    unittest.main()
