"""The tables of etl as others read them: CSV and Parquet (by DuckDB) hold the same numbers, every format is whole or absent
over kills, and what cannot be written is said."""
import csv
import json
import pathlib
import random
import signal
import time
import unittest

import harness
import parquet

class Tables(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        self.ok("pki", "init")
        bus, addresses = self.start_bus()
        chance = random.Random(5)
        lines = ["device_id,ts_ns,cpu_pct,mem_kb,net_bytes_in"]
        for i in range(360):
            for device in ("a", 'b,"x"'):
                name = '"' + device.replace('"', '""') + '"'
                mem = "" if chance.random() < 0.3 else f"{chance.uniform(1e3, 1e9):.17g}"
                lines.append(f"{name},{1_730_000_000_000_000_000 + i * 10_000_000_000},{chance.uniform(0, 100):.17g},"
                             f"{mem},{chance.randrange(10**12)}")
        rows = self.folder / "rows.csv"
        rows.write_text("\n".join(lines) + "\n")
        self.ok("agent", "replay", rows, "--bus", addresses["listen"])
        self.assertEqual(self.stop(bus), 0)

    def read(self, path):
        with open(path, newline="") as file:
            return list(csv.DictReader(file))

    def number(self, text):
        return float(text) if text else None

    def test_parquet_holds_the_numbers_of_the_csv_bit_for_bit(self):
        if parquet.MISSING:
            self.skipTest(parquet.MISSING)
        for compression in ("snappy", "zstd", "none"):
            out = self.folder / compression
            summary = self.ok_json("etl", "--out", out, "--digits", "17", "--compression", compression)
            for name, rows in (("canonical_telemetry_full", summary["rows"]), ("train_features", summary["train_samples"]),
                               ("val_features", summary["val_samples"])):
                again = self.folder / "again.csv"
                parquet.to_csv(out / f"{name}.parquet", again)
                ours, theirs = self.read(out / f"{name}.csv"), self.read(again)
                self.assertEqual(len(ours), rows)
                self.assertEqual(len(theirs), rows)
                self.assertEqual(list(ours[0]), list(theirs[0]))
                for mine, other in zip(ours, theirs):
                    self.assertEqual(mine["device_id"], other["device_id"])
                    for column in list(mine)[3:]:
                        self.assertEqual(self.number(mine[column]), self.number(other[column]), column)

    def test_increments_in_folders_by_date_and_device_are_a_table_with_these_columns(self):
        if parquet.MISSING:
            self.skipTest(parquet.MISSING)
        common = ("etl", "--incremental", "--lateness", "0s", "--digits", "17")
        out, plain, again = self.folder / "hive", self.folder / "plain", self.folder / "again.csv"
        told = self.ok_json(*common, "--out", out, "--format", "parquet", "--partition", "date,device")
        self.ok(*common, "--out", plain, "--format", "csv", "--baseline", out / "manifest.json")
        self.assertEqual({pathlib.PurePath(name).suffix for name in told["files"]}, {".parquet"})
        parquet.to_csv(out / "canonical_telemetry_full/*/*/*.parquet", again)
        theirs = self.read(again)
        self.assertEqual(len(theirs), told["rows"])
        ours = [row for part in plain.rglob("part-*.csv") for row in self.read(part)]
        self.assertEqual(len(ours), told["rows"])
        key = lambda row: (row["device_id"], float(row["cpu_pct_mean"]))
        for mine, other in zip(sorted(ours, key=key), sorted(theirs, key=key)):
            self.assertEqual(other["device"], other["device_id"])
            self.assertEqual(other["date"], mine["window_start"][:10])
            for column in list(mine)[3:]:
                self.assertEqual(self.number(mine[column]), self.number(other[column]), column)

    def test_a_kill_leaves_whole_tables_only(self):
        out = self.folder / "features"
        self.ok("etl", "--out", out)
        whole = {file.name: file.read_bytes() for file in out.glob("*.csv")}
        self.assertEqual(len(whole), 3)
        begun = time.monotonic()
        self.ok("etl", "--out", out)
        took = time.monotonic() - begun
        chance = random.Random(9)
        for _ in range(15):
            process = self.start("etl", "--out", out)
            time.sleep(chance.uniform(0, took))
            process.send_signal(signal.SIGKILL)
            process.wait()
            for name, content in whole.items():
                self.assertEqual((out / name).read_bytes(), content)
            for file in out.glob("*.parquet"):
                data = file.read_bytes()
                self.assertEqual((data[:4], data[-4:]), (b"PAR1", b"PAR1"))
        self.ok("etl", "--out", out)
        self.assertEqual([file.name for file in out.iterdir() if file.name.startswith(".")], [])

    def test_a_folder_that_cannot_be_written_is_said_and_nothing_changes(self):
        out = self.folder / "file"
        out.write_text("no folder")
        told = self.fails(73, "etl", "--out", out)
        self.assertIn(str(out), told)
        self.assertEqual(out.read_text(), "no folder")

    def test_quality_lists_every_feature_and_says_where_there_is_no_report(self):
        out = self.folder / "features"
        summary = self.ok_json("etl", "--out", out)
        rows = self.ok_json("etl", "quality", "--features", out)
        self.assertEqual(len(rows), summary["total_features"])
        report = json.loads((out / "quality_report.json").read_text())
        self.assertEqual(report["findings"], summary["quality"])
        self.assertIn("MISSING %", self.ok("etl", "quality", "--features", out))
        self.assertIn("quality_report.json", self.fails(66, "etl", "quality", "--features", self.folder / "none"))


if __name__ == "__main__":
    unittest.main()
