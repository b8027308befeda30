"""How it behaves at the edges: what is stopped, output that cannot be written, too little data, options that exclude
each other, what a table says, and what a collector needs to be allowed."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

import harness

NOBODY = 65534
START_NS = 1764821300000000000


class Manners(harness.AmoskysTest):
    def rows(self, name, count, apart_s=1, value=lambda i: i):
        file = self.folder / name
        lines = [f"edge-1,{START_NS + i * apart_s * 10**9},{value(i)}" for i in range(count)]
        file.write_text("device_id,ts_ns,level\n" + "".join(line + "\n" for line in lines))
        return file

    def log_of(self, *replay):
        """A log with what `agent replay` was given; the bus has ended."""
        self.ok("pki", "init")
        bus, addresses = self.start_bus()
        self.ok("agent", "replay", *replay, "--bus", addresses["listen"])
        self.assertEqual(self.stop(bus), 0)

    def wait_for_log(self, process, text):
        harness.wait_until(lambda: text in pathlib.Path(process.log_path).read_text(errors="replace"), text)

    def test_services_end_in_order_with_0_and_interrupted_work_by_the_signal(self):
        self.ok("pki", "init")
        for how in (signal.SIGTERM, signal.SIGINT):
            bus, addresses = self.start_bus()
            self.ok("agent", "replay", self.rows("a.csv", 3), "--bus", addresses["listen"])
            agent = self.start("agent", "example", "--interval", "1s", "--bus", addresses["listen"], name="agent")
            self.wait_for_log(agent, "bus_connected")
            self.assertEqual(self.stop(agent, how), 0)
            work = self.start("agent", "replay", self.rows("slow.csv", 2, apart_s=3600), "--pace", "recorded", "--bus",
                              addresses["listen"], name="replay")
            self.wait_for_log(work, "bus_connected")
            self.assertEqual(self.stop(work, how), 128 + how)
            follower = self.start("inspect", "events", "--follow", name="follower")
            self.wait_for_log(follower, "level=0")
            self.assertIn(self.stop(follower, how), (-how, 128 + how))  # a shell shows both as 128 + the signal
            self.assertEqual(self.stop(bus, how), 0)
        self.assertIn("130/143 interrupted by SIGINT/SIGTERM; bus, agents and up end in order and with 0", self.ok("--help"))

    def test_output_that_cannot_be_written_is_an_error(self):
        self.log_of(self.rows("a.csv", 3))
        for words in (["--help"], ["--version"], ["--list"], ["version"], ["modules"], ["man"], ["bus", "--help"],
                      ["inspect", "top", "--count", "1"], ["inspect", "top", "--count", "1", "-o", "ndjson"],
                      ["inspect", "events"], ["inspect", "events", "--full"], ["inspect", "events", "--follow", "--limit", "1"],
                      ["inspect", "summary"], ["config", "defaults"]):
            with self.subTest(words=words), open("/dev/full", "wb") as full:
                command = [harness.AMOSKYS, *words] if words == ["--list"] else self.command(*words)
                done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=harness.clean_environment(),
                                      timeout=harness.PATIENCE_S)
                self.assertEqual(done.returncode, 74, done.stderr)
                self.assertIn("cannot write the output: No space left on device", done.stderr)

    def test_a_reader_of_rates_that_goes_away_ends_them(self):
        self.log_of(self.rows("a.csv", 3))
        for form in ("table", "ndjson"):
            process = subprocess.Popen(self.command("inspect", "top", "--every", "100ms", "-o", form), stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=harness.clean_environment())
            self.processes.append(process)
            self.assertTrue(process.stdout.readline())
            process.stdout.close()
            self.assertEqual(process.wait(timeout=harness.PATIENCE_S), 0, process.stderr.read())
            process.stderr.close()
            self.processes.remove(process)

    def test_an_argument_that_a_subcommand_does_not_take(self):
        out = self.ok("modules", "--help")
        self.assertNotIn("words", out)
        self.assertIn("Usage: amoskys [GLOBAL] modules\n", out)
        self.assertIn("unexpected argument 'x'", self.fails(64, "modules", "x"))

    def test_a_capture_file_and_an_interface_exclude_each_other(self):
        trace = self.folder / "empty.pcap"
        trace.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000065000000"))
        for words in (["-r", trace, "-i", "lo"], ["--interfaces", "lo", "--read", trace]):
            self.assertIn("--read and --interfaces: one of the two, not both",
                          self.fails(64, "agent", "flow", *words, "--once", "--stdout"))
        config = self.folder / "flow.yaml"
        config.write_text("agent: {flow: {interfaces: [nosuch0]}}\n")
        self.assertEqual(self.ok_ndjson("--config", config, "agent", "flow", "-r", trace, "--once", "--stdout"), [])

    def test_top_of_a_bus_and_of_its_log_show_the_same_alerts(self):
        self.ok("pki", "init")
        bus, addresses = self.start_bus()
        history = self.rows("hot.csv", 8, value=lambda i: 20 if i % 2 else 1)
        self.ok("agent", "replay", history, "--thresholds", "hot: level > 5/10", "--bus", addresses["listen"])
        of_log = self.ok_json("inspect", "top", "--count", "1")["alerts"]
        self.assertEqual(len(of_log), 4, of_log)
        self.assertTrue(all("hot" in alert["text"] and alert["severity"] == "CRITICAL" for alert in of_log), of_log)
        refused = self.ok_json("inspect", "top", "--count", "1", "--bus", addresses["listen"])
        self.assertIn("may not subscribe", refused["alerts_note"])
        self.assertEqual((refused["alerts"], refused["health"]), ([], "ok"))
        self.assertIn("alerts unknown", self.ok("inspect", "top", "--count", "1", "--bus", addresses["listen"]))
        trust = self.folder / "state/pki/trust.yaml"
        trust.write_text(re.sub(r"(?m)^  (\S+): (\S+)$", r"  \1: {public_key_path: \2, permissions: [publish, subscribe]}",
                                trust.read_text()))
        bus.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: self.ok_json("inspect", "top", "--count", "1", "--bus", addresses["listen"])["alerts"],
                           "the agent may subscribe")
        of_bus = self.ok_json("inspect", "top", "--count", "1", "--bus", addresses["listen"])
        self.assertEqual(of_bus["alerts"], of_log)
        self.assertEqual((of_bus["alerts_note"], of_bus["health"]), (None, "ok"))
        self.assertIn("4 alerts", self.ok("inspect", "top", "--count", "2", "--every", "100ms", "--bus", addresses["listen"]))
        self.assertEqual(self.stop(bus), 0)

    def test_recorded_times_of_another_unit(self):
        file = self.folder / "seconds.csv"
        file.write_text("device_id,ts_ns,level\nedge-1,1764821300,1\n")
        err = self.fails(65, "agent", "replay", file, "--stdout")
        self.assertIn(f"{file}:2:8: time \"1764821300\" would be 1970-01-01T00:00:01.764821300Z, before the year 2000", err)
        self.assertIn("hint: as s it is 2025-12-04T04:08:20.000000000Z: --time-unit s", err)
        event, = self.ok_ndjson("agent", "replay", file, "--time-unit", "s", "--stdout")
        self.assertEqual(event["time"], "2025-12-04T04:08:20.000000000Z")

    def test_empty_input_is_named_as_such(self):
        empty = self.folder / "empty.db"
        empty.touch()
        self.assertIn(f"{empty} is empty, which is no SQLite database", self.fails(65, "inspect", "import", empty))
        self.assertIn("no row with a value", self.fails(65, "agent", "replay", self.rows("head.csv", 0), "--stdout"))

    def test_an_error_of_the_configuration_names_its_file_once(self):
        large = self.folder / "large.yaml"
        large.write_text("#" * (1 << 20) + "\n")
        wrong = self.folder / "wrong.yaml"
        wrong.write_text("bus: {lisen: 1}\n")
        for file in (self.folder / "missing.yaml", self.folder, large, wrong):
            code, _, err = self.run_cli("config", "validate", file)
            self.assertNotEqual(code, 0)
            self.assertEqual(err.count(str(file)), 1, err)

    def test_too_few_windows_say_how_many_and_what_helps(self):
        self.log_of(self.rows("short.csv", 40))
        features = self.folder / "features"
        helps = "amoskys etl --window, --step"
        self.ok("etl", "--out", features, "--window", "60s", "--step", "60s")
        err = self.fails(65, "score", "train", "--features", features, "--model", "iforest")
        self.assertRegex(err, r"has 0 windows; training needs at least 2, and 100 for a threshold at quantile 0.99")
        self.assertIn(helps, err)
        self.ok("etl", "--out", features, "--window", "10s", "--step", "5s")
        code, _, err = self.run_cli("score", "train", "--features", features, "--model", "iforest")
        self.assertEqual(code, 0, err)
        self.assertRegex(err, r"score: trained on \d windows; a threshold at quantile 0.99 wants 100: ")
        self.assertIn(helps, err)
        table = features / "canonical_telemetry_full.csv"
        nothing = self.folder / "nothing.csv"
        nothing.write_text(table.read_text().splitlines()[0] + "\n")
        code, out, err = self.run_cli("score", "run", "--features", nothing, "-o", "json")
        self.assertEqual((code, out), (0, "[]\n"), err)
        self.assertIn("has no windows to score", err)

    def test_a_table_of_events_says_what_happened(self):
        self.log_of(self.rows("a.csv", 2))
        lines = self.ok("inspect", "events", "--kind", "metric").splitlines()
        self.assertEqual(lines[0].split(), ["TIME", "DEVICE", "SOURCE", "KIND", "SEVERITY", "WHAT"])
        self.assertRegex(lines[1], r"^2025-12-04T04:08:20\.000000000Z +edge-1 +replay +metric +INFO +level=0$")
        process = self.ok("agent", "proc", "--once", "--stdout").splitlines()
        own = [line for line in process if re.search(r" process +INFO +SNAPSHOT \S+ pid \d+", line)]
        self.assertTrue(own, process[:3])
        self.assertEqual(self.ok_ndjson("inspect", "events", "--limit", "1", "--fields", "what"),
                         [{"schema": "amoskys.event/1", "what": "level=0"}])
        self.assertNotIn("what", self.ok("inspect", "events", "-o", "csv").splitlines()[0].split(","))
        self.assertNotIn("what", self.ok_ndjson("inspect", "events", "--limit", "1")[0])

    def test_the_readme_names_every_capability_that_a_collector_asks_for(self):
        readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
        asked = {privilege.split(":")[0] for module in self.ok_json("modules") for privilege in module["privileges"]}
        self.assertIn("CAP_NET_RAW", asked)
        for capability in asked:
            self.assertIn(f"`{capability}`", readme)
        unit = next(line for line in readme.splitlines() if "AmbientCapabilities=" in line)
        self.assertEqual(set(re.findall(r"CAP_\w+", unit)), asked)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv")
    def test_flow_captures_as_a_plain_user_with_the_capability_of_the_readme(self):
        self.folder.chmod(0o755)
        binary = self.folder / "amoskys"
        shutil.copy(harness.AMOSKYS, binary)
        binary.chmod(0o755)

        def capture(*capabilities):
            sets = [f"--{name}={value}" for name in ("inh-caps", "ambient-caps") for value in capabilities]
            return subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *sets, str(binary),
                                   "--state-dir", str(self.folder / "state"), "agent", "flow", "-i", "lo", "--once",
                                   "--duration", "200ms", "--stdout", "-o", "ndjson"], capture_output=True, text=True,
                                  env=harness.clean_environment(), timeout=harness.PATIENCE_S)
        allowed = capture("+net_raw")
        self.assertEqual(allowed.returncode, 0, allowed.stderr)
        refused = capture()
        self.assertEqual(refused.returncode, 77, refused.stderr)
        self.assertIn("setcap cap_net_raw+ep", refused.stderr)


if __name__ == "__main__":
    unittest.main()
