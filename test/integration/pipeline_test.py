"""From this host's processes and a real snmpd to the log, features and scores."""
import json
import pathlib
import shutil
import signal
import subprocess
import unittest

import harness

FULL_VIEW = "rocommunity public 127.0.0.1\nview all included .1\nsysLocation here\nsysContact me@example.invalid\n"
RESTRICTED_VIEW = ("view systemonly included .1.3.6.1.2.1.1\nview systemonly included .1.3.6.1.2.1.25.1\n"
                   "rocommunity public 127.0.0.1 -V systemonly\nsysLocation here\nsysContact me@example.invalid\n")


class Pipeline(harness.AmoskysTest):
    def test_the_commands_of_the_cli_page_work_as_written(self):
        target = self.start_snmpd(FULL_VIEW)
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        bus = addresses["listen"]
        self.ok("agent", "snmp", "--target", target, "--community", "public", "--once", "--bus", bus)
        self.ok("agent", "proc", "--once", "--bus", bus)
        summary = self.ok_json("inspect", "summary")
        self.assertEqual(summary["schema"], "amoskys.summary/1")
        events = self.ok_ndjson("inspect", "events", "--metric", "ifInOctets", "--limit", "5")
        self.assertTrue(events)
        for event in events:
            self.assertEqual(event["type"], "COUNTER")
            self.assertEqual(event["unit"], "bytes")
            self.assertIsInstance(event["value"], (int, float))
            self.assertTrue(event["index"])
        self.ok("inspect", "verify")
        self.ok("inspect", "timeline", "--tz", "America/Chicago", "--limit", "1403")

    def test_stdout_prints_events_without_keys_and_without_a_bus(self):
        target = self.start_snmpd(FULL_VIEW)
        events = self.ok_ndjson("agent", "snmp", "--target", target, "--community", "public", "--once", "--stdout")
        names = {event.get("metric") for event in events}
        self.assertTrue({"sysDescr", "sysUpTime", "ifHCInOctets", "hrStorageUsed", "laLoad1"} <= names, names)
        self.assertFalse(self.state.exists())
        processes = self.ok_ndjson("agent", "proc", "--once", "--stdout")
        self.assertTrue(any(event["kind"] == "process" for event in processes))

    def test_a_dead_port_exits_69_with_one_clear_line(self):
        port = harness.free_udp_port()
        err = self.fails(69, "agent", "snmp", "--target", f"udp:127.0.0.1:{port}", "--timeout", "200ms", "--retries", "1",
                         "--once", "--stdout")
        lines = [line for line in err.splitlines() if line.startswith("amoskys:")]
        self.assertEqual(len(lines), 1, err)
        self.assertIn(f"127.0.0.1:{port}", lines[0])

    def test_a_restricted_view_stores_the_five_values_and_says_what_is_missing(self):
        target = self.start_snmpd(RESTRICTED_VIEW)
        code, out, err = self.run_cli("agent", "snmp", "--target", target, "--once", "--stdout", "-o", "ndjson")
        self.assertEqual(code, 0, err)
        metrics = {event["metric"] for event in map(json.loads, out.splitlines()) if event["kind"] == "metric"}
        self.assertTrue({"sysDescr", "sysUpTime", "sysContact", "sysName", "sysLocation"} <= metrics, metrics)
        self.assertNotIn("ifInOctets", metrics)
        self.assertIn("missing", err)

    def test_nothing_is_lost_between_snmpwalk_and_the_log(self):
        if shutil.which("snmpbulkwalk") is None:
            self.skipTest("snmpbulkwalk is not installed")
        target = self.start_snmpd(FULL_VIEW)
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        columns = {"ifDescr": "1.3.6.1.2.1.2.2.1.2", "ifInOctets": "1.3.6.1.2.1.2.2.1.10",
                   "ifHCOutOctets": "1.3.6.1.2.1.31.1.1.1.10", "hrStorageSize": "1.3.6.1.2.1.25.2.3.1.5",
                   "hrStorageDescr": "1.3.6.1.2.1.25.2.3.1.3", "ifOperStatus": "1.3.6.1.2.1.2.2.1.8",
                   "sysDescr": "1.3.6.1.2.1.1.1", "sysName": "1.3.6.1.2.1.1.5"}
        before = {name: self.walk(target, oid) for name, oid in columns.items()}
        self.ok("agent", "snmp", "--target", target, "--once", "--bus", addresses["listen"])
        after = {name: self.walk(target, oid) for name, oid in columns.items()}
        stored = {}
        for event in self.ok_ndjson("inspect", "events", "--kind", "metric"):
            stored[(event["metric"], event.get("index") or "0")] = event
        for name in columns:
            rows = before[name].keys() & after[name].keys()
            self.assertTrue(rows, name)
            for row in rows:
                event = stored[(name, row)]
                low, high = before[name][row], after[name][row]
                value = event["value"]
                if isinstance(low, int):
                    number = int(value) if not isinstance(value, str) else None
                    if number is None:  # an enumeration by name: the raw number stands beside it
                        continue
                    self.assertLessEqual(low, number, (name, row))
                    self.assertLessEqual(number, high, (name, row))
                else:
                    self.assertEqual(str(value), low, (name, row))

    def walk(self, target, oid):
        """index -> value, numbers as int, text as text."""
        done = subprocess.run(["snmpbulkwalk", "-v2c", "-c", "public", "-OnUeq", target, oid], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        values = {}
        for line in done.stdout.splitlines():
            name, _, value = line.partition(" ")
            index = name[len(oid) + 2:]
            values[index] = int(value) if value.lstrip("-").isdigit() else value.strip('"')
        return values

    def test_features_and_scores_come_out_of_the_log(self):
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        rows = ["device_id,ts_ns,cpu,memory"]
        for i in range(600):
            cpu = 20 + (i % 7) + (500 if i == 500 else 0)
            rows.append(f"edge-{i % 2},{1764821300000000000 + i * 5_000_000_000},{cpu},{100 + i % 11}")
        csv = self.folder / "history.csv"
        csv.write_text("\n".join(rows) + "\n")
        self.ok("agent", "replay", csv, "--bus", addresses["listen"])
        features = self.folder / "features"
        self.ok("etl", "--out", features)
        self.assertTrue((features / "feature_metadata.json").exists())
        self.ok("score", "train", "--features", features, "--model", "iforest", "--seed", "0")
        scores = self.ok_ndjson("score", "run", "--features", features)
        self.assertTrue(scores)
        worst = max(scores, key=lambda row: row["score"])
        names = [feature["feature"] for feature in worst["features"]]
        self.assertEqual(len(names), 3)
        self.assertTrue(any(name.startswith("cpu") for name in names), names)

    def test_an_agent_without_a_bus_keeps_its_envelopes_and_sends_them_later(self):
        self.ok("pki", "init")
        port = harness.free_tcp_port()
        err = self.fails(69, "agent", "proc", "--once", "--bus", f"127.0.0.1:{port}", "--ack-timeout", "1s")
        self.assertIn("spool", err)
        self.start_bus(listen=f"127.0.0.1:{port}")
        self.ok("agent", "proc", "--once", "--bus", f"127.0.0.1:{port}")
        summary = self.ok_json("inspect", "summary")
        self.assertGreaterEqual(summary["envelopes"], 2)
        self.ok("inspect", "verify")

    def test_work_with_an_end_that_is_stopped_exits_by_the_signal_and_a_service_exits_0(self):
        self.ok("pki", "init")
        nobody = f"127.0.0.1:{harness.free_tcp_port()}"
        for how, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            once = self.start("agent", "proc", "--once", "--bus", nobody)
            harness.wait_until(lambda: "bus_lost" in pathlib.Path(once.log_path).read_text(), "it looks for the bus")
            harness.wait_until(lambda: list((self.state / "spool").glob("proc/*.mdb")), "it spools")
            self.assertEqual(self.stop(once, how), code, pathlib.Path(once.log_path).read_text())
        service = self.start("agent", "proc", "--interval", "1s", "--bus", nobody)
        harness.wait_until(lambda: "bus_lost" in pathlib.Path(service.log_path).read_text(), "it looks for the bus")
        self.assertEqual(self.stop(service), 0)


if __name__ == "__main__":
    unittest.main()
