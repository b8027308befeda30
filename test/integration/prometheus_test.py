"""packaging/prometheus: rules, dashboard and examples, read by the real tools and asked of a real bus and agent."""
import json
import re
import shutil
import subprocess
import unittest
import urllib.error
import urllib.parse
import urllib.request

import harness
import yaml

FOLDER = harness.SOURCE / "packaging" / "prometheus"
FOREIGN = {"up"}  # Prometheus's own
WORDS = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def rules(file):
    return [rule for group in yaml.safe_load((FOLDER / file).read_text())["groups"] for rule in group["rules"]]


def dashboard():
    return json.loads((FOLDER / "dashboard.json").read_text())


def panel_expressions():
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]


def metrics_in(expression):
    """Names in it that look like metrics: all of ours are amoskys_..., amoskys:... or process_..."""
    bare = re.sub(r'"[^"]*"', "", expression)
    return {word for word in WORDS.findall(bare) if word.startswith(("amoskys", "process_")) or word in FOREIGN}


class RulesTest(harness.AmoskysTest):
    def run_tool(self, *words):
        done = subprocess.run(words, capture_output=True, text=True, cwd=FOLDER, timeout=harness.PATIENCE_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def known(self):
        names = set(FOREIGN) | {rule["record"] for rule in rules("records.yaml")}
        for metric in self.ok_ndjson("config", "metrics"):
            names.add(metric["metric"])
            if metric["kind"] == "histogram":
                names |= {metric["metric"] + end for end in ("_bucket", "_sum", "_count")}
        return names

    def test_every_metric_is_one_that_the_executable_has(self):
        known = self.known()
        expressions = [rule["expr"] for file in ("records.yaml", "alerts.yaml") for rule in rules(file)] + panel_expressions()
        self.assertGreater(len(expressions), 60)
        for expression in expressions:
            self.assertEqual(sorted(metrics_in(expression) - known), [], expression)

    def test_every_alert_has_a_test_that_fires_a_runbook_and_a_severity(self):
        tested = {each["alertname"] for test in yaml.safe_load((FOLDER / "alerts_test.yaml").read_text())["tests"]
                  for each in test["alert_rule_test"] if each["exp_alerts"]}
        alerts = rules("alerts.yaml")
        self.assertEqual({alert["alert"] for alert in alerts}, tested)
        self.assertGreater(len(alerts), 15)
        for alert in alerts:
            self.assertIn(alert["labels"]["severity"], ("warning", "critical", "none"))
            self.assertTrue((harness.SOURCE / alert["annotations"]["runbook"]).is_file(), alert["annotations"]["runbook"])

    @harness.needs("promtool")
    def test_promtool_reads_the_rules_and_their_tests_pass(self):
        self.run_tool("promtool", "check", "rules", "records.yaml", "alerts.yaml")
        self.run_tool("promtool", "test", "rules", "alerts_test.yaml")
        self.run_tool("promtool", "check", "config", "--syntax-only", "prometheus.yml")
        print(f"promtool: {len(rules('records.yaml'))} records, {len(rules('alerts.yaml'))} alerts, each tested")

    @harness.needs("promtool")
    def test_a_rule_test_that_must_fail_fails(self):
        """That the tests above can fail: with a threshold moved, promtool says so."""
        for name in ("records.yaml", "alerts.yaml", "alerts_test.yaml"):
            shutil.copy(FOLDER / name, self.folder / name)
        moved = self.folder / "alerts.yaml"
        text = moved.read_text()
        self.assertIn("amoskys_agent_stored_ratio < 0.9", text)
        moved.write_text(text.replace("amoskys_agent_stored_ratio < 0.9", "amoskys_agent_stored_ratio < 0.5"))
        done = subprocess.run(["promtool", "test", "rules", "alerts_test.yaml"], capture_output=True, text=True, cwd=self.folder)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("AmoskysStoredFarBelowCollected", done.stdout + done.stderr)

    @harness.needs("amtool")
    def test_amtool_reads_the_example(self):
        self.run_tool("amtool", "check-config", "alertmanager.yml")

    def test_dashboard_can_be_provisioned_from_a_file(self):
        board = dashboard()
        self.assertNotIn("__inputs", board)
        self.assertIsNone(board["id"])
        self.assertEqual(board["uid"], "amoskys-overview")
        ids = [panel["id"] for panel in board["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        variables = {each["name"]: each for each in board["templating"]["list"]}
        self.assertEqual(variables["datasource"]["type"], "datasource")
        for panel in board["panels"]:
            for each in [panel, *panel.get("targets", [])]:
                if panel["type"] != "row":
                    self.assertEqual(each["datasource"]["uid"], "${datasource}")
            if panel["type"] != "row":
                self.assertTrue(panel["description"] and panel["targets"], panel["title"])
        for name in re.findall(r"\$\{?(\w+)", " ".join(panel_expressions())):
            self.assertIn(name, variables)

    @harness.needs("promtool")
    def test_promtool_reads_every_expression_of_the_dashboard(self):
        expressions = [each.replace("$instance", ".*") for each in panel_expressions()]
        file = self.folder / "panels.yaml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": [
            {"record": f"panel:{n}", "expr": each} for n, each in enumerate(expressions)]}]}))
        self.run_tool("promtool", "check", "rules", str(file))
        print(f"promtool: {len(expressions)} expressions of the dashboard")


@harness.needs("prometheus")
class ScrapeTest(harness.AmoskysTest):
    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?" + urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(url, timeout=harness.PATIENCE_S) as answer:
                return json.load(answer)["data"]
        except (urllib.error.URLError, ConnectionError):
            return None

    def start_prometheus(self, bus, agent):
        config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(FOLDER / name) for name in config["rule_files"]]
        del config["alerting"]
        for job, target in zip(config["scrape_configs"], (bus, agent)):
            job["static_configs"][0]["targets"] = [target]
        file = self.folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        self.port = harness.free_tcp_port()
        log = open(self.folder / "prometheus.log", "wb")
        process = subprocess.Popen(["prometheus", f"--config.file={file}", f"--storage.tsdb.path={self.folder}/tsdb",
                                    f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.processes.append(process)

    def value(self, expression):
        answer = self.ask("query", query=expression)
        return float(answer["result"][0]["value"][1]) if answer and answer["result"] else None

    def test_prometheus_scrapes_a_bus_and_an_agent_and_evaluates_everything(self):
        self.ok("pki", "init", "--agent", "edge-1")
        bus, addresses = self.start_bus("--retention-max-bytes", "2GiB")
        agent_http = f"127.0.0.1:{harness.free_tcp_port()}"
        self.start("agent", "proc", "--interval", "1s", "--bus", addresses["listen"], "--http-listen", agent_http)
        self.start_prometheus(addresses["http"], agent_http)
        harness.wait_until(lambda: self.value("sum(up)") == 2, "both are scraped")
        harness.wait_until(lambda: self.value("amoskys:bus_events:rate5m") is not None, "records are made")
        self.assertEqual(self.value("amoskys_bus_log_limit_bytes"), 2 << 30)
        self.assertGreater(self.value('process_resident_memory_bytes{job="amoskys-bus"}'), 1e6)
        # Both certificates are of today and for a year.
        days = [float(each["value"][1]) / 86400 for each in self.ask("query", query="amoskys:certificate_left:seconds")["result"]]
        self.assertEqual(len(days), 2)
        self.assertTrue(all(360 < each < 366 for each in days), days)
        harness.wait_until(lambda: all(rule["health"] == "ok" for group in self.ask("rules")["groups"]
                                       for rule in group["rules"]), "every rule is evaluated")
        for expression in panel_expressions():
            self.assertIsNotNone(self.ask("query", query=expression.replace("$instance", ".*")), expression)
        firing = {each["labels"]["alertname"] for each in self.ask("alerts")["alerts"] if each["state"] == "firing"}
        self.assertEqual(firing, {"AmoskysWatching"})


if __name__ == "__main__":
    unittest.main()
