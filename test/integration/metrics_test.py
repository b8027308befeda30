"""The metrics pages, as Prometheus reads them."""
import shutil
import subprocess
import unittest
import urllib.request

import harness
import link_client as link

PROMISED = {  # demanded by name: what operators watch
    "amoskys_bus_received_envelopes_total", "amoskys_bus_rejected_envelopes_total", "amoskys_bus_publish_ack_seconds_bucket",
    "amoskys_bus_commit_seconds_bucket", "amoskys_bus_commit_records_bucket", "amoskys_bus_credit_bytes",
    "amoskys_bus_log_bytes", "amoskys_bus_disk_free_bytes", "amoskys_bus_log_oldest_record_seconds", "amoskys_bus_log_readers",
    "amoskys_bus_log_segments", "amoskys_bus_log_held_records", "amoskys_bus_subscribers", "amoskys_bus_cursors",
    "amoskys_bus_agent_lag_envelopes", "amoskys_bus_delivered_records_total", "amoskys_bus_delivered_bytes_total",
    "amoskys_bus_pruned_records_total",
}


class Metrics(harness.AmoskysTest):
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

    def test_the_same_page_in_openmetrics_ends_as_it_must(self):
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        text = self.page(addresses, "application/openmetrics-text; version=1.0.0").decode()
        self.assertTrue(text.endswith("# EOF\n"))


if __name__ == "__main__":
    unittest.main()
