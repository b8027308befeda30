"""A bus with a log that grows by request, and tables as they are compared: for the tests of etl."""
import csv
import random

import harness


class EtlTest(harness.AmoskysTest):
    START = 1764821310

    def setUp(self):
        super().setUp()
        self.ok("pki", "init")
        _, self.addresses = self.start_bus()
        self.random = random.Random(11)
        self.loaded = 0

    def load(self, instants):
        """So many instants more, 10 s apart, of three devices; one of them polls every 20 s."""
        lines = ["device_id,ts_ns,cpu_avg_pct,memory_used_pct,net_bytes_in"]
        for i in range(self.loaded, self.loaded + instants):
            for device in range(3):
                if device < 2 or i % 2 == 0:
                    values = ",".join(f"{self.random.uniform(1, 90):.4f}" for _ in range(3))
                    lines.append(f"edge-{device},{(self.START + i * 10) * 10**9},{values}")
        self.loaded += instants
        file = self.folder / f"load-{self.loaded}.csv"
        file.write_text("\n".join(lines) + "\n")
        self.ok("agent", "replay", file, "--bus", self.addresses["listen"])

    @staticmethod
    def cells(row):
        return {name: value for name, value in row.items() if value}

    def table(self, *files):
        """(device, window start) -> cells that are not empty; no row twice."""
        rows = {}
        for file in files:
            with open(file, newline="") as lines:
                for row in csv.DictReader(lines):
                    key = row["device_id"], row["window_start"]
                    self.assertNotIn(key, rows)
                    rows[key] = self.cells(row)
        return rows
