"""Configuration: precedence, errors with their place, the kept copy of the defaults."""
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


if __name__ == "__main__":
    unittest.main()
