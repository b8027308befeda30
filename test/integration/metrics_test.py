"""The bus's pages: promtool accepts the metrics, every one of the table is there, health says what is."""
import shutil
import subprocess
import unittest
import urllib.request

import harness
from bus_case import BusTest

# What the earlier system's metrics are called now (modules/ingestion/bus/README.md).
SUCCESSORS = (
    "amoskys_bus_received_envelopes_total",
    'amoskys_bus_answered_envelopes_total{status="invalid"}',
    'amoskys_bus_answered_envelopes_total{status="retry"}',
    "amoskys_bus_publish_ack_seconds_count",
    "amoskys_bus_unanswered_envelopes",
)


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


if __name__ == "__main__":
    unittest.main()
