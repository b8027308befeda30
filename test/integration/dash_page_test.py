"""The page in Chromium against a real bus and real agents: no error, no CSP violation, live, evidence that verifies.

AMOSKYS_SCREENSHOTS=FOLDER also leaves pictures of every view at three widths in both themes.
"""
import json
import os
import shutil
import subprocess
import time
import unittest

import harness

NPM_INSTALL = harness.SOURCE / "packaging" / "npm_install"
HOSTILE = "<img src=x onerror=window.hostile=1>"


class Page(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        found = subprocess.run([NPM_INSTALL, "browser", "--where"], capture_output=True, text=True)
        self.chromium = shutil.which("chromium")
        if found.returncode != 0 or self.chromium is None or shutil.which("node") is None:
            self.skipTest("no Chromium, Node.js or playwright-core: packaging/setup --test installs them")
        self.modules = found.stdout.strip()

    def rows(self):
        """An hour of two devices up to now, one of them with a name and a metric that want to be markup."""
        now = time.time_ns()
        lines = [f'device_id,ts_ns,cpu_pct,mem_kb,"{HOSTILE}"']
        for i in range(360):
            at = now - (359 - i) * 10_000_000_000
            for device in ("router-1", f'"{HOSTILE}"'):
                cpu = 95 if 200 <= i < 206 else 20 + (i * 7) % 13
                lines.append(f"{device},{at},{cpu},{100_000 + (i * 311) % 1700},{i % 5}")
        return "\n".join(lines) + "\n"

    def test_the_page_is_live_whole_and_safe(self):
        self.ok("pki", "init", "--agent", "edge-1")
        _, bus = self.start_bus()
        csv = self.folder / "rows.csv"
        csv.write_text(self.rows())
        self.ok("agent", "replay", csv, "--bus", bus["listen"])
        features = self.folder / "features"
        self.ok("etl", "--out", features)
        self.ok("score", "train", "--features", features, "--model", "iforest")
        self.ok("score", "run", "--features", features, "--out", self.state / "scores.ndjson")
        self.start("agent", "proc", "--bus", bus["listen"], "--set", "agent.proc.interval=1s")
        ready = self.folder / "dash-ready.json"
        self.start("dash", "--listen", "127.0.0.1:0", "--rate-limit", "1000", "--ready-file", ready)
        harness.wait_until(ready.exists, "the page is served")
        url = json.loads(ready.read_text())["url"]
        harness.wait_until(lambda: self.ok_ndjson("inspect", "events", "--kind", "process", "--limit", "1"), "a process is in the log")

        pictures = os.environ.get("AMOSKYS_SCREENSHOTS")
        environment = harness.clean_environment()
        environment.update(CHROMIUM=self.chromium, HOME=str(self.folder), AMOSKYS_TEST_PATIENCE=str(harness.PATIENCE_S))
        run = subprocess.run(["node", str(harness.SOURCE / "test/integration/dash_page.mjs"), self.modules, url, HOSTILE,
                              *([pictures] if pictures else [])], capture_output=True, text=True, env=environment, timeout=600)
        self.assertEqual(run.returncode, 0, run.stderr)
        told = json.loads(run.stdout)
        for what in ("errors", "foreign", "axe", "wide"):
            self.assertEqual(told[what], [], "\n".join([what, *told[what]]))
        views = told["views"]
        self.assertIn(HOSTILE, views["devices"])
        self.assertIn(HOSTILE, views["devices-hostile"])
        self.assertIn("router-1", views["timeline"])
        self.assertIn("cpu_pct", views["devices-router-1"])
        self.assertIn("Reporting", views["pipeline"])
        self.assertIn("iforest", views["pipeline"])
        self.assertIn("usually", views["threats"], "an unusual window says why")
        self.assertIn("Signature verified", views["envelope-NEWEST"])
        self.assertIn("Inclusion verified", views["envelope-NEWEST"])
        self.assertIn(f"--device='{HOSTILE}'", views["devices-hostile"], "a command line is safe to copy")
        for view, text in views.items():
            self.assertIn("amoskys ", text, f"{view} names no command line")
        self.assertEqual(told["first_focus"], "Skip to the content")
        self.assertRegex(told["reading"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
        self.assertLess(told["asset_bytes"], 150_000)
        print(f"first paint {told['first_paint_ms']} ms, assets {told['asset_bytes']} bytes compressed")


if __name__ == "__main__":
    unittest.main()
