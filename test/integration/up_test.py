"""`up` with nothing prepared: keys, bus, collectors, features and scores in one process."""
import json
import pathlib
import unittest
import urllib.request

import harness


class Up(harness.AmoskysTest):
    def test_up_needs_nothing_and_leaves_a_log_that_verifies(self):
        ready = self.folder / "ready.json"
        process = self.start("up", "--every", "2s", "--ready-file", ready, "--set", "bus.listen=127.0.0.1:0",
                             "--set", "bus.http.listen=127.0.0.1:0", "--set", "agent.proc.interval=1s",
                             "--set", "dash.listen=127.0.0.1:0")

        def served():
            self.assertIsNone(process.poll(), pathlib.Path(process.log_path).read_text())
            return ready.exists()
        harness.wait_until(served, "up is ready")
        addresses = json.loads(ready.read_text())

        def stored():
            code, out, _ = self.run_cli("inspect", "events", "--kind", "process", "--limit", "1", "-o", "ndjson")
            return code == 0 and out
        harness.wait_until(stored, "a process is in the log")
        harness.wait_until((self.state / "features" / "feature_metadata.json").exists, "features are there")
        text = urllib.request.urlopen(f"http://{addresses['http']}/metrics", timeout=10).read().decode()
        self.assertIn("amoskys_agent_events_total", text)
        self.assertIn("amoskys_bus_", text)
        page = addresses["page"]
        self.assertIn(f"up.page open it in a browser url={page}", pathlib.Path(process.log_path).read_text())
        wanted = urllib.request.Request(page, headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(wanted, timeout=10) as answer:
            self.assertEqual(answer.headers["Content-Encoding"], "gzip")
        stats = json.loads(urllib.request.urlopen(page + "api/v1/stats", timeout=10).read())
        self.assertGreater(stats["log"]["records"], 0)
        self.assertEqual(self.stop(process), 0)
        self.ok("inspect", "verify")


    def test_the_page_can_be_left_out(self):
        ready = self.folder / "ready.json"
        process = self.start("up", "--no-page", "--ready-file", ready, "--set", "bus.listen=127.0.0.1:0",
                             "--set", "bus.http.listen=127.0.0.1:0")
        harness.wait_until(ready.exists, "up is ready")
        self.assertNotIn("page", json.loads(ready.read_text()))
        self.assertEqual(self.stop(process), 0)


if __name__ == "__main__":
    unittest.main()
