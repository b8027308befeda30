"""Rules over a bus's log: matches, alerts with evidence that can be proved, states, exit codes, what bad rules do."""
import json
import pathlib
import time
import unittest

import harness
import link_client as link

RULE = """title: Strange tool
id: 11111111-2222-3333-4444-555555555555
name: strange_tool
level: critical
tags: [attack.execution, attack.t1059]
logsource: {product: linux, category: process_creation}
detection:
  selection: {Image|endswith: /strange}
  condition: selection
"""
BAD = "title: Bad\nlogsource: {product: linux}\ndetection:\n  s: {A: x}\n  condition: s and\n"
OLD = "title: Old\nlogsource: {product: linux}\ndetection:\n  s: {A: x}\n  condition: s | count() > 3\n"


class Rules(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        self.ok("pki", "init", "--agent", "edge-1")
        self.lane = link.Lane(link.Identity(self.state / "pki", "edge-1"))

    def publish(self, *changes):
        """Each into the log as an envelope of its own."""
        bus, addresses = self.start_bus()
        with link.Session(addresses["listen"], self.lane.identity) as session:
            session.hello(self.lane)
            for each in changes:
                stored = self.lane.next(**each)
                session.publish(stored)
                self.lane.sent(stored)
        self.assertEqual(self.stop(bus), 0)

    def process(self, exe, cmdline=""):
        event = link.proto("messaging_schema").ProcessEvent(exe=exe, cmdline=cmdline or exe, kind="EXEC", pid=7,
                                                            event_time_ns=time.time_ns())
        return {"process": event}

    def flow(self, source, target, port):
        now = time.time_ns()
        event = link.proto("messaging_schema").FlowEvent(src_ip=source, dst_ip=target, dst_port=port, protocol="TCP",
                                                         conn_state="SF", start_time=now, end_time=now)
        return {"flow": event}

    def rule_file(self, text=RULE, name="strange.yml"):
        folder = self.folder / "rules"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        return folder

    def test_a_match_is_an_alert_once_with_evidence_that_can_be_proved(self):
        self.ok("score", "rules", "add", self.rule_file())
        self.publish(self.process("/opt/usual"), self.process("/opt/strange"))
        alert, = self.ok_ndjson("score", "rules", "run")
        self.assertEqual((alert["title"], alert["level"], alert["state"], alert["count"], alert["techniques"]),
                         ("Strange tool", "critical", "open", 1, ["T1059"]))
        self.assertEqual(alert["devices"], ["edge-1"])
        proof = self.ok_json("inspect", "prove", alert["evidence"][0])
        self.assertTrue(proof)
        self.assertEqual(self.ok_ndjson("score", "rules", "run"), [])
        self.publish(self.process("/opt/strange"))
        again, = self.ok_ndjson("score", "rules", "run")
        self.assertEqual((again["id"], again["count"]), (alert["id"], 2))
        self.assertEqual(len(self.ok_ndjson("score", "alerts", "list")), 1)

    def test_an_alert_is_acknowledged_labelled_and_resolved(self):
        self.publish(self.process("/opt/strange"))
        code, out, err = self.run_cli("score", "rules", "run", "--rules", self.rule_file(), "--fail-on", "critical",
                                      "-o", "ndjson")
        self.assertEqual(code, 10, err)
        name = json.loads(out)["id"]
        self.ok("score", "rules", "run", "--rules", self.rule_file(), "--fail-on", "critical")
        self.assertEqual(self.run_cli("score", "alerts", "list", "--fail-on", "high")[0], 10)
        changed, = self.ok_ndjson("score", "alerts", "ack", name, "--note", "looking")
        self.assertEqual((changed["state"], changed["note"]), ("acknowledged", "looking"))
        self.ok("score", "alerts", "list", "--fail-on", "high")
        self.ok("score", "alerts", "label", name, "suspicious")
        self.assertEqual(self.ok_ndjson("score", "alerts", "devices")[0]["device"], "edge-1")
        self.ok("score", "alerts", "resolve", name)
        shown = self.ok_json("score", "alerts", "show", name)
        self.assertEqual((shown["state"], shown["label"], shown["note"]), ("resolved", "suspicious", "looking"))
        self.assertEqual(self.ok_ndjson("score", "alerts", "list", "--state", "open"), [])
        self.assertEqual(self.ok_ndjson("score", "alerts", "devices"), [])
        self.assertIn("no alert 'A-000099'", self.fails(66, "score", "alerts", "ack", name, "A-000099"))
        self.fails(64, "score", "alerts", "show", "nonsense")
        self.fails(64, "score", "alerts", "label", name, "funny")

    def test_a_pattern_goes_on_over_two_runs(self):
        self.publish(self.process("/usr/bin/tar", "tar czf /tmp/a.tgz /srv"))
        self.assertEqual(self.ok_ndjson("score", "rules", "run"), [])
        upload = self.flow("10.0.0.4", "192.0.2.1", 443)
        upload["flow"].bytes_sent = 200 << 20
        self.publish(upload)
        alerts = {each["title"]: each for each in self.ok_ndjson("score", "rules", "run")}
        self.assertEqual(set(alerts), {"Large encrypted upload", "Data leave the network"})
        pattern = alerts["Data leave the network"]
        self.assertEqual((pattern["pattern"], len(pattern["evidence"])), ("data_exfiltration", 2))
        self.assertLess(*pattern["evidence"])

    def test_following_raises_what_comes_and_lets_people_acknowledge(self):
        self.publish(self.process("/opt/strange"))
        follower = self.start("score", "rules", "run", "--own", "--rules", self.rule_file(), "--follow", name="follow")

        def rows():
            lines = pathlib.Path(follower.log_path).read_text().splitlines()
            return [json.loads(line) for line in lines if line.startswith('{"schema":"amoskys.alert/1"')]
        harness.wait_until(lambda: len(rows()) == 1, "the first alert is printed")
        self.ok("score", "alerts", "ack", rows()[0]["id"])
        self.publish(self.process("/opt/strange"))
        harness.wait_until(lambda: len(rows()) == 2, "the next match is printed")
        self.assertEqual((rows()[1]["count"], rows()[1]["state"]), (2, "acknowledged"))
        self.stop(follower)

    def test_rules_that_cannot_be_used_are_named_with_the_reason(self):
        folder = self.rule_file()
        self.rule_file(BAD, "bad.yml")
        self.rule_file(OLD, "old.yml")
        code, out, err = self.run_cli("score", "rules", "lint", folder, "-o", "ndjson")
        self.assertEqual(code, 10, err)
        reasons = {row["title"]: (row["state"], row["reason"]) for row in map(json.loads, out.splitlines())}
        self.assertEqual({title: state for title, (state, _) in reasons.items()},
                         {"Bad": "invalid", "Old": "unsupported"})
        self.assertIn("bad.yml:5:14: condition: it ends where a selection is wanted", reasons["Bad"][1])
        self.assertIn("write a correlation rule", reasons["Old"][1])
        code, out, err = self.run_cli("score", "rules", "add", folder, "-o", "ndjson")
        self.assertEqual(code, 3, err)
        kept = sorted(p.name for p in (self.state / "rules").iterdir())
        self.assertEqual(kept, ["old.yml", "strange.yml"])
        self.ok("score", "rules", "lint", self.state / "rules" / "strange.yml")
        self.fails(66, "score", "rules", "lint", self.folder / "nothing")

    def test_rules_are_listed_explained_and_tried(self):
        carried = self.ok_ndjson("score", "rules", "list")
        self.assertGreater(len(carried), 25)
        self.assertEqual({row["state"] for row in carried}, {"ready"})
        listed = self.ok_ndjson("score", "rules", "list", "--own", self.rule_file())
        self.assertEqual([row["name"] for row in listed], ["strange_tool"])
        told = self.ok_json("score", "rules", "explain", "lateral_movement")
        self.assertEqual((told["min_devices"], told["pattern"]), (2, "lateral_movement"))
        self.assertIn("each of these, in this order:", told["condition"])
        told = self.ok_json("score", "rules", "explain", "strange_tool", "--rules", self.rule_file())
        self.assertEqual(told["condition"], ["Image ends with '/strange'"])
        self.assertIn("did you mean", self.fails(64, "score", "rules", "explain", "lateral_movment"))
        self.fails(66, "score", "rules", "test", self.rule_file())
        self.publish(self.process("/opt/strange"), self.process("/opt/strange"), self.process("/bin/ls"))
        found = self.ok_ndjson("score", "rules", "test", self.rule_file())
        self.assertEqual([row["title"] for row in found], ["Strange tool"] * 2)
        self.assertEqual(len(self.ok_ndjson("score", "rules", "test", self.rule_file(), "--limit", "1")), 1)
        self.assertFalse((self.state / "alerts").exists())

    def test_help_names_both_and_their_verbs(self):
        self.assertIn("rules", self.ok("score", "--help"))
        self.assertIn("explain", self.ok("score", "rules", "--help"))
        self.assertIn("--fail-on", self.ok("score", "rules", "run", "--help"))
        self.assertIn("resolve", self.ok("completion", "words", "--", "score", "alerts", ""))
        self.assertIn("alerts", self.ok("completion", "words", "--", "score", ""))
        self.assertIn("verb of score rules 'lst'", self.fails(64, "score", "rules", "lst"))
        self.assertNotIn("rules", [line.split()[0] for line in self.ok("--help").splitlines() if line.startswith("  ")])
        self.fails(64, "rules", "list")

    def test_damaged_alerts_are_refused_and_left_alone(self):
        self.publish(self.process("/opt/strange"))
        path = self.state / "alerts" / "alerts.json"
        path.parent.mkdir()
        path.write_text("{")
        self.assertIn("alerts.json", self.fails(65, "score", "rules", "run"))
        self.fails(65, "score", "alerts", "list")
        self.assertEqual(path.read_text(), "{")


if __name__ == "__main__":
    unittest.main()
