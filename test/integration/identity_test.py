"""Two hosts with one identity (a copied state directory): the bus and both agents say so, and nothing is lost."""
import json
import shutil
import unittest
import urllib.request

import harness
import link_client as link

METRIC = "amoskys_bus_identity_conflicts"


class IdentityTest(harness.AmoskysTest):
    def setUp(self):
        if link.MISSING:
            self.skipTest(link.MISSING)
        super().setUp()
        self.ok("pki", "init", "--agent", "edge-1")
        self.bus, self.addresses = self.start_bus()

    def agent(self, state):
        return self.start("agent", "proc", "--interval", "100ms", "--set", "agent.proc.processes=false", "--batch-max-age", "20ms",
                          "--bus", self.addresses["listen"], state=state, name=state.name)

    def host(self, name):
        """A state directory with a copy of the identity, as a cloned box has it."""
        state = self.folder / name
        shutil.copytree(self.state / "pki", state / "pki")
        return state

    def text(self, process):
        with open(process.log_path) as log:
            return log.read()

    def readyz(self):
        with urllib.request.urlopen(f"http://{self.addresses['http']}/readyz", timeout=harness.PATIENCE_S) as answer:
            return answer.read().decode().strip()

    def test_two_hosts_with_one_identity_are_told_apart_and_named(self):
        one, two = self.agent(self.host("one")), self.agent(self.host("two"))
        # A busy machine makes alarms: they have a lane of their own, which may be contested as well.
        harness.wait_until(lambda: "lane 'proc'" in self.readyz(), "the bus notices the conflict")
        told = self.readyz()
        harness.wait_until(lambda: link.scrape(self.addresses["http"]).get(METRIC) >= 1, "the metric tells it")
        self.assertTrue(told.startswith("degraded: agent 'edge-1', lane 'proc': 127.0.0.1:"), told)
        self.assertEqual(told.count("127.0.0.1:"), 2, told)
        self.assertIn("use one identity", told)
        for how in ("--http", self.addresses["http"]), ("--bus", self.addresses["listen"]):
            code, out, _ = self.run_cli("health", "-o", "json", *how)
            self.assertEqual(code, 10, out)
            self.assertIn("use one identity", json.loads(out)["reason"])
        self.assertIn("identity_conflict", self.text(self.bus))
        for process in one, two:
            harness.wait_until(lambda p=process: "identity_shared" in self.text(p), "the agent says what to do")
            self.assertIn("amoskys pki issue agent", self.text(process))
        conflict = [row["audit"] for row in self.ok_ndjson("inspect", "events", "--kind", "audit", "--limit", "0")
                    if (row["audit"]["action_performed"], row["audit"]["object_id"]) == ("conflict", "edge-1/proc")]
        self.assertEqual(len(conflict), 1)
        self.assertEqual(conflict[0]["audit_category"], "identity")
        self.assertTrue(conflict[0]["before_value"].startswith("127.0.0.1:"))
        self.assertTrue(conflict[0]["after_value"].startswith("127.0.0.1:"))
        for process in one, two, self.bus:
            self.stop(process)
        self.assertEqual(self.ok_json("inspect", "verify")["findings"], [])

    def test_one_host_that_restarts_is_no_conflict(self):
        host = self.host("one")
        for start in range(4):
            agent = self.agent(host)
            harness.wait_until(lambda n=start: self.text(self.bus).count("session_opened") > n, "it connects")
            self.stop(agent)
        self.assertEqual(link.scrape(self.addresses["http"]).get(METRIC), 0)
        self.assertEqual(self.readyz(), "ok")
        self.assertNotIn("identity_conflict", self.text(self.bus))


if __name__ == "__main__":
    unittest.main()
