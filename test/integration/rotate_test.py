"""Keys change while all of it runs: signing keys, CA, trust map, closed lanes; nothing is lost and the log stays clean."""
import signal
import time
import unittest

import bus_case
import harness
import link_client as link
from link_client import OK, SECURITY_VIOLATION


class RotateTest(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        self.ok("pki", "init", "--agent", "edge-1")
        self.bus, self.addresses = self.start_bus()

    def signed_by(self):
        """[(sequence, key_id)] of the lane, in the order of the log."""
        told = self.ok("inspect", "events", "--full", "--limit", "100000")
        out, sequence, key = [], None, None
        for line in told.splitlines():
            name, _, value = line.strip().partition(": ")
            if name == "sequence":
                sequence = int(value)
            elif name == "key_id":
                key = value.strip('"')
            elif (name, value) == ("lane", '"proc"'):  # a busy machine makes alarms, in a lane of their own
                out.append((sequence, key))
        return out

    def status(self):
        return {key["key_id"]: key["status"] for key in self.ok_json("pki", "trust", "show", "edge-1")[0]["keys"]}

    def rotate(self, agent, signals):
        """Rotates the agent's key; returns its id once an envelope with it is in the log."""
        self.ok("pki", "rotate", "agent", "edge-1", "--overlap", "1h")
        fresh = next(key for key, status in self.status().items() if status == "active")
        if signals:
            self.bus.send_signal(signal.SIGHUP)
            agent.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: any(key == fresh for _, key in self.signed_by()), "an envelope is signed with the new key")
        return fresh

    def test_a_signing_key_is_rotated_while_the_agent_publishes(self):
        old = next(iter(self.status()))
        agent = self.start("agent", "proc", "--interval", "150ms", "--set", "agent.proc.processes=false", "--batch-max-age", "20ms",
                           "--bus", self.addresses["listen"])
        harness.wait_until(lambda: len(self.signed_by()) > 3, "the agent publishes")
        second = self.rotate(agent, signals=True)
        self.assertEqual(self.status(), {old: "retiring", second: "active"})
        self.ok("pki", "rotate", "agent", "edge-1", "--finish")
        self.assertEqual(self.status(), {old: "expired", second: "active"})
        # Without a signal both see the files.
        third = self.rotate(agent, signals=False)
        self.assertEqual(self.stop(agent), 0)
        self.assertEqual(self.stop(self.bus), 0)
        lane = self.signed_by()
        self.assertEqual([sequence for sequence, _ in lane], list(range(1, len(lane) + 1)))
        keys = [key for _, key in lane]
        self.assertEqual(keys, sorted(keys, key=[old, second, third].index), "each key goes on where the former ended")
        self.assertEqual(self.ok_json("inspect", "verify")["findings"], [])
        changes = [event["action_performed"] for event in self.audits("trust")]
        self.assertEqual(set(changes), {"changed"})

    def audits(self, category):
        rows = self.ok_ndjson("inspect", "events", "--kind", "audit", "--limit", "100000")
        return [row["audit"] for row in rows if row["audit"]["audit_category"] == category]

    def said(self, word):
        with open(self.bus.log_path) as log:
            return log.read().count(word)

    def test_the_ca_is_rotated_under_a_running_bus(self):
        self.ok("pki", "rotate", "ca")
        once = ("agent", "proc", "--once", "--bus", self.addresses["listen"])
        self.ok(*once)
        renewed = {row["name"] for row in self.ok_json("pki", "renew")}
        self.assertEqual(renewed, {"bus", "edge-1"})
        err = self.fails(1, "pki", "needs-renewal")
        self.assertIn("no certificate needs renewal", err)
        self.ok("pki", "rotate", "ca", "--finish")
        reloads = self.said("configuration, certificates and trust map")
        self.bus.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: self.said("configuration, certificates and trust map") > reloads,
                           "the bus has read the new certificates")
        self.ok(*once)
        self.assertEqual([row["name"] for row in self.ok_json("pki", "list")], ["ca", "bus", "edge-1"])

    def test_a_broken_trust_map_keeps_the_former_one(self):
        trust = self.state / "pki" / "trust.yaml"
        good = trust.read_text()
        trust.write_text("agents: [")
        harness.wait_until(lambda: self.said("reload_failed"), "the bus says that it cannot read it")
        self.ok("agent", "proc", "--once", "--bus", self.addresses["listen"])
        trust.write_text(good)
        harness.wait_until(lambda: self.said("files_reloaded"), "the repaired one is read")


class ClosedLaneTest(bus_case.BusTest):
    def test_a_lane_closed_by_resets_opens_again_when_somebody_accepts_it(self):
        def begin_epoch():
            lane = link.Lane(self.identities["good"], epoch=time.time_ns() // 1_000_000)
            session = self.session()
            session.hello(lane)
            answer = session.publish(lane.next()).ack
            session.close()
            time.sleep(0.002)  # an epoch is a millisecond
            return answer
        self.assertEqual([begin_epoch().status for _ in range(4)], [OK] * 4)
        refused = begin_epoch()
        self.assertEqual(refused.status, SECURITY_VIOLATION)
        self.assertIn("pki trust accept-reset", refused.reason)
        self.fails(66, "pki", "trust", "accept-reset", "nobody/test")
        self.fails(64, "pki", "trust", "accept-reset", "good")
        self.assertEqual(begin_epoch().status, SECURITY_VIOLATION)
        self.ok("pki", "trust", "accept-reset", "good/test")
        self.bus.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: self.log_lines("reset_accepted"), "the lane is open")
        self.assertEqual(begin_epoch().status, OK)
        self.assertEqual(self.stop(self.bus), 0)
        rows = self.ok_ndjson("inspect", "events", "--kind", "audit", "--limit", "1000")
        self.assertEqual([row["audit"]["object_id"] for row in rows if row["audit"]["action_performed"] == "reset_accepted"], ["good/test"])
        self.assertEqual(self.ok_json("inspect", "verify")["findings"], [])
        # Honoured once, also by a bus that starts again.
        self.bus, self.addresses = self.start_bus()
        self.assertEqual(self.log_lines("reset_accepted"), 0)


if __name__ == "__main__":
    unittest.main()
