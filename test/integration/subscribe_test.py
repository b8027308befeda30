"""Reading a bus's log: beside it on the same machine, and from elsewhere as an agent that may subscribe."""
import json
import pathlib
import signal
import time
import unittest

import harness


class Subscribers(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        self.ok("pki", "init")
        self.agent = next((self.state / "pki" / "agents").glob("*.crt")).stem
        self.bus, addresses = self.start_bus()
        self.address = addresses["listen"]

    def allow_subscribing(self):
        trust = self.state / "pki" / "trust.yaml"
        lines = trust.read_text().splitlines()
        for i, line in enumerate(lines):
            name, _, path = line.strip().partition(": ")
            if name.strip("'\"") == self.agent:
                lines[i] = f"  {name}: {{public_key_path: {path}, permissions: [publish, subscribe]}}"
        trust.write_text("\n".join(lines) + "\n")
        self.bus.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: "subscribe" in self.ok("inspect", "events", "--kind", "audit", "-o", "ndjson"),
                           "the change is on record")

    def collect(self):
        self.ok("agent", "proc", "--once", "--bus", self.address)

    def restart_bus(self):
        self.stop(self.bus, signal.SIGKILL)
        self.bus, addresses = self.start_bus(listen=self.address)
        self.assertEqual(addresses["listen"], self.address)

    def rows(self, process):
        text = pathlib.Path(process.log_path).read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith('{"schema":"amoskys.event/1"')]

    def newest(self):
        return self.ok_json("inspect", "summary")["records"]

    def wait_for_row(self, process, offset):
        def there():
            self.assertIsNone(process.poll(), pathlib.Path(process.log_path).read_text()[-2000:])
            return any(row["offset"] >= offset for row in self.rows(process))
        harness.wait_until(there, f"record {offset} is printed")

    def test_tail_prints_the_newest_and_then_what_comes(self):
        self.collect()
        tail = self.start("inspect", "tail", "--lines", "3", "-o", "ndjson", name="tail")
        harness.wait_until(lambda: len(self.rows(tail)) >= 3, "three rows are there at once")
        before = self.newest()
        self.collect()
        self.wait_for_row(tail, before + 1)
        offsets = [row["offset"] for row in self.rows(tail)]
        self.assertEqual(offsets, sorted(offsets))
        limited = self.ok("inspect", "events", "--follow", "--limit", "4")
        self.assertEqual(len(limited.splitlines()), 4)

    def test_a_subscriber_needs_the_permission_and_then_gets_the_same_rows_as_a_reader_beside_the_bus(self):
        self.collect()
        err = self.fails(77, "inspect", "events", "--bus", self.address, "-o", "ndjson")
        self.assertIn("may not subscribe", err)
        self.allow_subscribing()
        local = self.ok_ndjson("inspect", "events")
        remote = self.ok_ndjson("inspect", "events", "--bus", self.address)
        self.assertEqual(remote, local)
        metrics = self.ok_ndjson("inspect", "events", "--bus", self.address, "--kind", "metric", "--limit", "5")
        self.assertEqual([row["kind"] for row in metrics], ["metric"] * 5)
        self.assertEqual(self.ok_ndjson("inspect", "events", "--bus", self.address, "--device", "nobody-*"), [])
        self.fails(69, "inspect", "events", "--bus", f"127.0.0.1:{harness.free_tcp_port()}")

    def test_a_cursor_goes_on_where_the_last_reader_stopped_also_after_a_kill_of_the_bus(self):
        self.allow_subscribing()
        self.collect()
        self.collect()
        newest = self.newest()
        first = self.ok_ndjson("inspect", "events", "--bus", self.address, "--cursor", "siem", "--limit", "1", "--offset", "1")
        self.assertEqual([row["offset"] for row in first], [1])
        self.restart_bus()
        rest = self.ok_ndjson("inspect", "events", "--bus", self.address, "--cursor", "siem")
        self.assertEqual({row["offset"] for row in rest}, set(range(2, newest + 1)))
        self.assertEqual(self.ok_ndjson("inspect", "events", "--bus", self.address, "--cursor", "siem"), [])
        self.collect()
        again = self.ok_ndjson("inspect", "events", "--bus", self.address, "--cursor", "siem")
        self.assertEqual({row["offset"] for row in again}, set(range(newest + 1, self.newest() + 1)))

    def test_a_remote_tail_goes_on_over_a_killed_bus_without_a_gap_or_a_repetition(self):
        self.allow_subscribing()
        before = self.newest()
        tail = self.start("inspect", "tail", "--bus", self.address, "-o", "ndjson", name="tail")
        harness.wait_until(lambda: "an agent reads the log" in pathlib.Path(self.bus.log_path).read_text(), "it subscribes")
        self.collect()
        self.wait_for_row(tail, self.newest())
        self.restart_bus()
        self.collect()
        self.wait_for_row(tail, self.newest())
        local = self.ok_ndjson("inspect", "events")
        self.assertEqual(self.rows(tail), [row for row in local if row["offset"] > before])

    def test_top_shows_the_log_and_a_running_bus(self):
        self.collect()
        local = self.ok_json("inspect", "top", "--count", "1")
        self.assertEqual(local["schema"], "amoskys.top/1")
        self.assertEqual(local["agents"][0]["agent"], self.agent)
        self.assertEqual(local["health"], "ok")
        harness.wait_until(lambda: self.ok_json("inspect", "top", "--bus", self.address, "--count", "1")["records"] > 0,
                           "the bus's gauges are set")
        remote = self.ok_json("inspect", "top", "--bus", self.address, "--count", "1")
        self.assertEqual(remote["health"], "ok")
        self.assertEqual(remote["records"], local["records"])
        lines = self.ok("inspect", "top", "--count", "2", "--every", "100ms").splitlines()
        self.assertEqual(len(lines), 2)
        self.assertIn("events/s", lines[0])


if __name__ == "__main__":
    unittest.main()
