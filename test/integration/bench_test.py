"""`amoskys bench` against a real bus: what it says was acknowledged is in the log, and the log verifies."""
import unittest

import harness


class Bench(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        self.ok("pki", "init")
        self.bus, self.addresses = self.start_bus()

    def bench(self, *args):
        return self.ok_json("bench", "--bus", self.addresses["listen"], *args)

    def test_what_was_acknowledged_is_in_the_log(self):
        done = self.bench("--duration", "1s", "--publishers", "2", "--batch", "20")
        self.assertGreater(done["envelopes"], 0)
        self.assertEqual(done["unacknowledged"], 0)
        self.assertEqual(done["records"], 20 * done["envelopes"])
        self.assertEqual(done["connects"], 2)
        self.assertLessEqual(done["latency_ms"]["p50"], done["latency_ms"]["max"])
        again = self.bench("--duration", "0.5s", "--batch", "1")  # goes on in the same lane
        self.assertEqual(self.stop(self.bus), 0)
        stored = self.ok_json("inspect", "summary")
        self.assertEqual(stored["records_by_kind"]["universal"], done["envelopes"] + again["envelopes"])
        self.ok("inspect", "verify")

    def test_a_rate_is_kept(self):
        done = self.bench("--duration", "2s", "--batch", "1", "--rate", "100")
        self.assertLessEqual(done["envelopes"], 220)
        self.assertGreaterEqual(done["envelopes"], 100)  # a slow machine may fall behind, by less than half

    def test_what_cannot_be_done_is_said(self):
        self.assertIn("an envelope holds", self.fails(64, "bench", "--bus", self.addresses["listen"], "--batch", "1000"))
        self.assertEqual(self.stop(self.bus), 0)
        self.fails(69, "bench", "--bus", self.addresses["listen"], "--duration", "1s")


if __name__ == "__main__":
    unittest.main()
