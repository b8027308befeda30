"""Configuration: precedence, errors with their place, the kept copy of the defaults."""
import re
import unittest

import harness


class Configuration(harness.AmoskysTest):
    def write(self, text):
        file = self.folder / "amoskys.yaml"
        file.write_text(text)
        return file

    def test_the_kept_file_in_conf_equals_the_built_in_defaults(self):
        self.assertEqual((harness.SOURCE / "conf/amoskys.yaml").read_text(), self.ok("config", "defaults"),
                         "write it again: amoskys config defaults > conf/amoskys.yaml")

    def test_the_defaults_are_a_valid_configuration(self):
        file = self.folder / "made.yaml"
        self.ok("config", "init", file)
        self.ok("config", "validate", file)
        before = file.read_text()
        self.fails(73, "config", "init", file)
        self.assertEqual(file.read_text(), before)

    def test_all_errors_come_at_once_with_line_and_column_and_the_nearest_key(self):
        file = self.write("bus:\n  listne: 127.0.0.1:1\nagent:\n  snmp:\n    interval: 5ms\n")
        err = self.fails(78, "config", "validate", file)
        self.assertIn(f"{file}:2:3: ", err)
        self.assertIn("listen", err)
        self.assertIn(f"{file}:5:5: ", err)
        self.assertIn("agent.snmp.interval", err)

    def test_addresses_collectors_and_targets_are_checked_where_they_stand(self):
        file = self.write("bus:\n  listen: 127.0.0.1:99999\nagent:\n  collectors: [proc, snpm]\n  bus: [localhost, '[::1']\n"
                          "  snmp:\n    target: ['udp:']\n")
        err = self.fails(78, "config", "validate", file)
        for text in (f"{file}:2:3: bus.listen: ", f"{file}:4:3: agent.collectors: 'snpm' is no collector", "did you mean snmp?",
                     f"{file}:5:3: agent.bus: ", f"{file}:7:5: agent.snmp.target: "):
            self.assertIn(text, err)
        self.assertEqual(len(err.splitlines()), 4)

    def test_files_that_are_named_and_not_there_are_found(self):
        file = self.write("bus:\n  pki_dir: /nonexistent/pki\n")
        self.assertIn(f"{file}:2:3: bus.pki_dir: /nonexistent/pki is not there", self.fails(78, "config", "validate", file))
        self.assertIn("is not there", self.fails(78, "--config", file, "config", "validate"))

    def test_dump_writes_the_embedded_files_and_overwrites_nothing(self):
        out = self.folder / "dump"
        rows = self.ok_ndjson("config", "dump", out)
        self.assertEqual(rows[0]["schema"], "amoskys.data_file/1")
        conf = harness.SOURCE / "conf"
        kept = {str(file.relative_to(conf)): file.read_text() for file in conf.rglob("*") if file.suffix in (".yaml", ".yml")}
        self.assertEqual({str(file.relative_to(out)): file.read_text() for file in out.rglob("*") if file.is_file()}, kept)
        self.ok("config", "dump", out)
        (out / "amoskys.yaml").write_text("log: {}\n")
        (out / "snmp" / "default.yaml").unlink()
        self.assertIn("amoskys.yaml is there with another content", self.fails(73, "config", "dump", out))
        self.assertFalse((out / "snmp" / "default.yaml").exists())
        self.fails(64, "config", "dump")

    def test_duplicate_keys_aliases_and_depth_are_refused(self):
        for text in ("log:\n  level: info\n  level: debug\n", "log: &a\n  level: info\n",
                     "a: " + "{b: " * 40 + "1" + "}" * 40 + "\n", "log: [\n", "x" * (1 << 20) + ": 1\n"):
            self.fails(78, "config", "validate", self.write(text))

    def test_precedence_is_file_environment_set(self):
        file = self.write("log:\n  level: warning\n")

        def level(*args, **env):
            out = self.ok("--config", file, *args, "config", "show", "--effective", "--origin", environment=env)
            return next(line.strip() for line in out.splitlines() if line.strip().startswith("level:"))
        self.assertIn("warning", level())
        self.assertIn("error", level(AMOSKYS_LOG__LEVEL="error"))
        self.assertIn("debug", level("--set", "log.level=debug", AMOSKYS_LOG__LEVEL="error"))

    def test_the_earlier_environment_names_still_work(self):
        out = self.ok("config", "show", environment={"LOGLEVEL": "ERROR", "IS_SEND_RATE": "250"})
        self.assertIn("log.level: ", out)
        self.assertIn("agent.send_rate: 250", out)
        out = self.ok("config", "show", environment={"IS_MAX_ENV_BYTES": "131072", "IS_RETRY_MAX": "6", "IS_RETRY_TIMEOUT": "1.0"})
        for line in ("agent.max_envelope_bytes: 128KiB", "agent.retry_max: 6", "agent.retry_timeout: 1s"):
            self.assertIn(line, out.splitlines())

    def test_every_earlier_environment_name_sets_a_key(self):
        table = (harness.SOURCE / "core/config/earlier_names.cc").read_text()
        names = re.findall(r'^    \{"([A-Z0-9_]+)", "([a-z_.]+)"', table, re.MULTILINE)
        self.assertGreater(len(names), 20)
        known = {row["key"] for row in self.ok_json("config", "show", "--effective")}
        self.assertEqual([(name, key) for name, key in names if key not in known], [])


if __name__ == "__main__":
    unittest.main()
