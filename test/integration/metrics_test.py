"""The bus's pages: promtool accepts the metrics, every one of the table is there, health says what is."""
import shutil
import subprocess
import unittest
import urllib.request

import harness
import link_client as link
from bus_case import BusTest

# What the earlier system's metrics are called now (modules/ingestion/bus/README.md).
SUCCESSORS = (
    "amoskys_bus_received_envelopes_total",
    'amoskys_bus_answered_envelopes_total{status="invalid"}',
    'amoskys_bus_answered_envelopes_total{status="retry"}',
    "amoskys_bus_publish_ack_seconds_count",
    "amoskys_bus_unanswered_envelopes",
)

PROMISED = {  # demanded by name: what operators watch
    "amoskys_bus_received_envelopes_total", "amoskys_bus_rejected_envelopes_total", "amoskys_bus_publish_ack_seconds_bucket",
    "amoskys_bus_commit_seconds_bucket", "amoskys_bus_commit_records_bucket", "amoskys_bus_credit_bytes",
    "amoskys_bus_log_bytes", "amoskys_bus_disk_free_bytes", "amoskys_bus_log_oldest_record_seconds", "amoskys_bus_log_readers",
    "amoskys_bus_log_segments", "amoskys_bus_log_held_records", "amoskys_bus_subscribers", "amoskys_bus_cursors",
    "amoskys_bus_agent_lag_envelopes", "amoskys_bus_delivered_records_total", "amoskys_bus_delivered_bytes_total",
    "amoskys_bus_pruned_records_total",
}


class Metrics(BusTest):
    def page(self, accept):
        request = urllib.request.Request(f"http://{self.addresses['http']}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=harness.PATIENCE_S) as answer:
            return answer.read().decode()

    def test_promtool_accepts_the_page_and_everything_of_the_table_is_on_it(self):
        session, lane = self.lane_session()
        self.assert_accepted(session, lane, lane.next())
        stored = lane.next()
        lane.sent(stored)
        self.assertNotEqual(session.publish(lane.next()).ack.status, 0)  # ahead
        page = self.page("text/plain")
        values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in page.splitlines() if not line.startswith("#")}
        for name in SUCCESSORS:
            self.assertIn(name, values)
        self.assertEqual(values["amoskys_bus_received_envelopes_total"], 2)
        self.assertEqual(values['amoskys_bus_answered_envelopes_total{status="ok"}'], 1)
        self.assertEqual(values['amoskys_bus_answered_envelopes_total{status="retry"}'], 1)
        self.assertEqual(values["amoskys_bus_publish_ack_seconds_count"], 1)
        if shutil.which("promtool") is None:
            self.skipTest("promtool (package prometheus) is not installed")
        done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        self.assertTrue(self.page("application/openmetrics-text").endswith("# EOF\n"))

    def test_health_pages_say_what_is(self):
        self.assertEqual(self.ready(), (200, "ok\n"))
        with urllib.request.urlopen(f"http://{self.addresses['http']}/livez", timeout=harness.PATIENCE_S) as answer:
            self.assertEqual((answer.status, answer.read()), (200, b"ok\n"))


class Watched(harness.AmoskysTest):
    def page(self, addresses, accept="text/plain"):
        request = urllib.request.Request(f"http://{addresses['http']}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=harness.PATIENCE_S) as answer:
            return answer.read()

    def test_the_bus_s_page_passes_promtool_and_has_what_operators_watch(self):
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        self.ok("agent", "proc", "--once", "--bus", addresses["listen"])
        agent = {"amoskys_bus_agent_lag_envelopes"}  # known once an agent has said HELLO

        def named():
            return {name.partition("{")[0] for name in link.scrape(addresses["http"])}
        harness.wait_until(lambda: agent <= named(), "an agent's lag is known")
        # A series with a reason begins with the first refusal.
        missing = PROMISED - named() - {"amoskys_bus_rejected_envelopes_total"}
        self.assertEqual(missing, set())
        if shutil.which("promtool") is None:
            self.skipTest("promtool is not installed (Debian: prometheus)")
        done = subprocess.run(["promtool", "check", "metrics"], input=self.page(addresses), capture_output=True,
                              timeout=harness.PATIENCE_S)
        self.assertEqual((done.returncode, done.stderr.decode(), done.stdout.decode()), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
