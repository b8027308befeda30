"""The command line as a user meets it: help, usage errors, exit codes, applets, formats."""
import json
import os
import subprocess
import unittest

import harness


class CommandLine(harness.AmoskysTest):
    def test_help_goes_to_stdout_and_names_every_subcommand(self):
        for words in (["--help"], ["help"], ["-h"]):
            out = self.ok(*words)
            for name in ("bus", "agent", "inspect", "etl", "score", "pki", "config", "version", "modules"):
                self.assertRegex(out, rf"(?m)^  {name} ")

    def test_every_module_and_verb_has_help(self):
        modules = self.ok_json("modules")
        self.assertGreater(len(modules), 5)
        for module in modules:
            if module["kind"] == "collector":
                self.assertIn("--once", self.ok("agent", module["name"], "--help"))
            elif module["kind"] in ("service", "tool"):
                words = ["score", module["name"]] if module["name"] in ("rules", "alerts") else [module["name"]]
                self.assertIn("Usage:", self.ok(*words, "--help"))

    def test_a_mistyped_subcommand_names_the_nearest_and_exits_64(self):
        err = self.fails(64, "inpsect", "events")
        self.assertIn("did you mean inspect?", err)
        self.assertIn("did you mean snmp?", self.fails(64, "agent", "snnp"))
        self.assertIn("did you mean events?", self.fails(64, "inspect", "event"))
        self.assertIn("did you mean --limit?", self.fails(64, "inspect", "events", "--limt", "3"))

    def test_an_error_in_json_mode_is_one_object_as_the_last_line_of_stderr(self):
        err = self.fails(64, "inspect", "event", "-o", "json")
        error = json.loads(err.splitlines()[-1])
        self.assertEqual(error["schema"], "amoskys.error/1")
        self.assertEqual(error["exit"], 64)
        self.assertTrue(error["message"])

    def test_global_options_are_taken_before_and_after_the_subcommand(self):
        before = self.ok("-o", "json", "modules")
        after = self.ok("modules", "-o", "json")
        self.assertEqual(before, after)
        self.assertEqual(self.ok("modules", "--json"), after)

    def test_argv0_selects_the_applet_and_links_are_made_once(self):
        links = self.folder / "bin"
        links.mkdir()
        self.ok("install-links", links)
        self.ok("install-links", links)
        listed = self.ok_lines("--list")
        self.assertEqual(sorted(os.listdir(links)), sorted(listed))
        for name in ("amoskys-bus", "amoskys-eventbus", "amoskys-snmp-agent", "amoskys-inspect"):
            self.assertIn(name, listed)
        done = subprocess.run([str(links / "amoskys-modules"), "-o", "ndjson"], capture_output=True, text=True,
                              env=harness.clean_environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"name":"bus"', done.stdout)
        (links / "amoskys-bus").unlink()
        (links / "amoskys-bus").write_text("mine")
        self.fails(73, "install-links", links)
        self.assertEqual((links / "amoskys-bus").read_text(), "mine")

    def ok_lines(self, *args):
        done = subprocess.run([harness.AMOSKYS, *args], capture_output=True, text=True, env=harness.clean_environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def test_formats_keep_their_shape_and_fields_select(self):
        rows = self.ok_json("modules", "--fields", "name,kind")
        self.assertEqual(list(rows[0]), ["schema", "name", "kind"])
        self.assertEqual(rows[0]["schema"], "amoskys.module/1")
        csv = self.ok("modules", "-o", "csv", "--fields", "name,kind")
        self.assertTrue(csv.startswith("name,kind\r\n"), csv[:40])
        self.assertIn("did you mean name?", self.fails(64, "modules", "--fields", "nmae"))

    def test_version_lists_every_library(self):
        version = self.ok_json("version")
        names = {library["name"] for library in version["libraries"]}
        self.assertTrue({"boringssl", "libpcap", "lmdb", "protobuf", "libsodium"} <= names, names)
        self.assertNotIn("net-snmp", names)  # a reference in the tests
        for library in version["libraries"]:
            self.assertTrue(library["version"] and library["license"], library)

    def completed(self, *words):
        """What bash offers after `amoskys WORDS`, the last one being typed."""
        script = self.ok("completion", "bash")
        line = " ".join(f"'{word}'" for word in (harness.AMOSKYS, *words))
        done = subprocess.run(["bash", "-c", script + f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _amoskys\n"
                               "printf '%s\\n' \"${COMPREPLY[@]}\""], capture_output=True, text=True, cwd=self.folder)
        self.assertEqual(done.stderr, "")
        return done.stdout.splitlines()

    def test_completion_knows_verbs_options_values_and_files(self):
        (self.folder / "rows.csv").touch()
        self.assertEqual(self.completed("insp"), ["inspect"])
        self.assertIn("health", self.completed(""))
        self.assertEqual(self.completed("inspect", "ev"), ["events"])
        self.assertEqual(self.completed("--state-dir", "S", "agent", "re"), ["replay"])
        self.assertEqual(self.completed("agent", "replay", "ro"), ["rows.csv"])
        self.assertEqual(self.completed("agent", "replay", "--pa"), ["--pace"])
        self.assertEqual(self.completed("agent", "replay", "--pace", "m"), ["max"])
        self.assertEqual(self.completed("agent", "run", "--collectors", "pr"), ["proc"])
        self.assertEqual(self.completed("inspect", "events", "-o", "nd"), ["ndjson"])
        self.assertEqual(self.completed("inspect", "events", "--output", "=", "nd"), ["ndjson"])
        self.assertEqual(self.completed("inspect", "events", "--lim"), ["--limit"])
        self.assertEqual(self.completed("pki", "trust", "acc"), ["accept-reset"])
        self.assertEqual(self.completed("pki", "rotate", ""), ["agent", "bus", "ca"])
        self.assertEqual(self.completed("completion", "f"), ["fish"])
        self.assertEqual(self.completed("man", "agent", "sn"), ["snmp"])
        self.assertEqual(self.completed("help", "inspect", "ver"), ["verify"])
        self.assertEqual(self.completed("nonsense", ""), [""])
        self.assertEqual(self.completed("--conf"), ["--config"])

    def test_completion_and_manual_pages_are_made_for_every_subcommand(self):
        subprocess.run(["bash", "-n"], input=self.ok("completion", "bash"), text=True, check=True)
        self.assertIn("complete -c amoskys", self.ok("completion", "fish"))
        for shell in ("bash", "zsh"):
            self.assertIn("completion words", self.ok("completion", shell))
        self.assertIn(".TH", self.ok("man"))
        self.assertIn("--target", self.ok("man", "agent", "snmp").replace("\\-", "-"))
        self.fails(64, "completion", "tcsh")

    def test_a_reader_that_goes_away_ends_the_command_quietly(self):
        done = subprocess.run(f"'{harness.AMOSKYS}' man | head -n 1; echo ${{PIPESTATUS[0]}}", shell=True,
                              executable="/bin/bash", capture_output=True, text=True, env=harness.clean_environment())
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.splitlines()[-1], "0")


if __name__ == "__main__":
    unittest.main()
