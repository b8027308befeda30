"""Help, manual pages and completion of every command: examples that can be typed, pages that mandoc and three shells take."""
import itertools
import os
import re
import shlex
import shutil
import subprocess
import unittest

import harness

# In an example: it wants what a fresh state directory has not, changes keys, writes outside, or goes on.
NEEDS_MORE = ("--follow", "--bus", "/etc/", "/usr/", "/var/", "/tmp/", "&&", " > ", "rotate", "revoke", "renew", "issue", "init",
              "trust", "backup", "restore", "legacy", "flowagent", "compact", "prune", " top", " tail", "import", "receipt", "proof", "--since", "prove", "quality", "validate", "--tz")


class HelpCase(harness.AmoskysTest):
    def page(self, words):
        return self.ok(*words, "--help")

    def listed(self, text, headline):
        section = re.search(rf"^{headline}:\n((?:  .*\n)+)", text, re.MULTILINE)
        return re.findall(r"^  ([a-z][a-z-]*) ", section[1], re.MULTILINE) if section else []

    def commands(self):
        """Every command that has a page, by its words."""
        out = []
        for name in self.listed(self.ok("--help"), "Subcommands"):
            self.walk((name,), out)
        self.assertGreater(len(out), 45)
        return sorted(set(out))

    def walk(self, words, out):
        text = self.page(words)
        out.append(words)
        # The page of a verb lists its neighbours too: only a group's own is followed.
        if len(words) == 1 or " VERB " in text.splitlines()[0]:
            for name in {name for headline in ("Verbs", "Collectors") for name in self.listed(text, headline)}:
                self.walk((*words, name), out)

    def examples(self, text):
        section = re.search(r"^Examples:\n((?:  .*\n)+)", text, re.MULTILINE)
        return [line.strip() for line in section[1].splitlines()] if section else []


class ExamplesTest(HelpCase):
    def parts(self, line):
        """The commands of a line of a shell, without where their output goes."""
        words = shlex.split(line)
        for last, group in itertools.groupby(words, lambda word: word in ("|", "&&")):
            if not last:
                yield list(itertools.takewhile(lambda word: word != ">", group))

    def check_command(self, words, where):
        """The words are a command, and each option is one of its page, a value from a list is in that list."""
        words = [re.split("=", word)[0] if word.startswith("--") else word for word in words]
        plain = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
        for length in (3, 2, 1):
            code, text, _ = self.run_cli(*plain[:length], "--help")
            if code == 0:
                break
        self.assertEqual(code, 0, where)
        for at, word in enumerate(words):
            if not word.startswith("-"):
                continue
            option = re.search(rf"(?:^|[ ,]){re.escape(word)}(?:,| ([^ \n]+)|$)", text, re.MULTILINE)
            self.assertIsNotNone(option, f"{where}: {word}")
            choices = re.search(rf"^  .*{re.escape(word)} ([a-z0-9A-Z-]+(?:\|[a-zA-Z0-9-]+)+)", text, re.MULTILINE)
            if choices:
                self.assertIn(words[at + 1], choices[1].split("|"), where)

    def test_every_page_has_examples_and_each_is_a_command(self):
        number = 0
        for words in self.commands():
            with self.subTest(" ".join(words)):
                examples = self.examples(self.page(words))
                self.assertTrue(examples, "a page without an example")
                for line in examples:
                    number += 1
                    for typed in self.parts(line):
                        if typed[0] == "amoskys":
                            self.check_command(typed[1:], line)
        print(f"{number} examples on {len(self.commands())} pages")

    def test_examples_that_need_nothing_but_a_log_are_run(self):
        """Those of tools, in order, on a state directory with a bus and an agent's records."""
        self.ok("pki", "init", "--agent", "web-2")
        bus, addresses = self.start_bus()
        self.ok("agent", "proc", "--once", "--bus", addresses["listen"])
        environment = harness.clean_environment() | {"AMOSKYS_AGENT__BUS": addresses["listen"], "AMOSKYS_AGENT__ID": "web-2"}
        self.assertEqual(self.stop(bus), 0)
        place = self.folder / "place"
        place.mkdir()
        ran = 0
        for words in self.commands():
            if words[0] not in ("config", "inspect", "etl", "pki", "modules", "version", "man"):
                continue
            for line in self.examples(self.page(words)):
                if any(word in line for word in NEEDS_MORE):
                    continue
                typed = shlex.split(line.split(" | ")[0])[1:]
                done = subprocess.run(self.command(*typed), capture_output=True, text=True, cwd=place, env=environment,
                                      timeout=harness.PATIENCE_S)
                self.assertIn(done.returncode, (0, 10), f"{line}\n{done.stderr}")
                ran += 1
        self.assertGreater(ran, 8)
        print(f"{ran} examples run")


class ManualTest(HelpCase):
    def test_all_pages_are_written_into_a_folder(self):
        folder = self.folder / "man1"
        self.ok("man", f"{folder}/")
        pages = {file.name for file in folder.iterdir()}
        self.assertEqual(pages, {"amoskys.1"} | {"amoskys-" + "-".join(words) + ".1" for words in self.commands()})
        for words in self.commands():
            self.assertEqual((folder / ("amoskys-" + "-".join(words) + ".1")).read_text(), self.ok("man", *words))
        if shutil.which("mandoc") is None:
            self.skipTest("mandoc is not installed")
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *folder.iterdir()], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stdout[:2000])
        shown = subprocess.run(["mandoc", "-T", "utf8", folder / "amoskys-agent-snmp.1"], capture_output=True, text=True).stdout
        shown = re.sub(".\b", "", shown)
        for part in ("NAME", "SYNOPSIS", "EXAMPLES", "--target"):
            self.assertIn(part, shown)
        print(f"mandoc: {len(pages)} pages, nothing to say")


class CompletionTest(HelpCase):
    def tools(self):
        folder = self.folder / "bin"
        if not folder.exists():
            folder.mkdir()
            (folder / "amoskys").symlink_to(harness.AMOSKYS)
        return {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "TERM": "dumb"}

    def test_zsh_takes_the_script_and_completes(self):
        if shutil.which("zsh") is None:
            self.skipTest("zsh is not installed")
        script = self.folder / "_amoskys"
        script.write_text(self.ok("completion", "zsh"))
        done = subprocess.run(["zsh", "-n", script], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        # In place of what only the line editor has: shows what would be offered.
        program = f"""
            compdef() {{ defined=$1; }}
            _files() {{ print :files; }}
            compadd() {{ shift; print -l -- "$@"; }}
            source {script}
            [[ $defined == _amoskys ]] || exit 1
            words=(amoskys inspect ver); CURRENT=3; _amoskys
            words=(amoskys --config ""); CURRENT=3; _amoskys
            words=(amoskys bus ""); CURRENT=3; _amoskys
            exit 0  # it offers nothing, which is no failure
        """
        done = subprocess.run(["zsh", "-f", "-c", program], capture_output=True, text=True, env=self.tools())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.split()[:2], ["verify", ":files"])
        # As zsh loads it by itself: the file is the function.
        program = f"""
            fpath=({self.folder} $fpath); autoload -U _amoskys
            compadd() {{ shift; print -l -- "$@"; }}
            words=(amoskys inspect ver); CURRENT=3; _amoskys; _amoskys
        """
        done = subprocess.run(["zsh", "-f", "-c", program], capture_output=True, text=True, env=self.tools())
        self.assertEqual(done.stdout.split(), ["verify", "verify"], done.stderr)

    def test_fish_takes_the_script_and_completes(self):
        if shutil.which("fish") is None:
            self.skipTest("fish is not installed")
        script = self.folder / "amoskys.fish"
        script.write_text(self.ok("completion", "fish"))
        environment = self.tools()
        done = subprocess.run(["fish", "--no-execute", script], capture_output=True, text=True, env=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C 'amoskys inspect ver'"],
                              capture_output=True, text=True, env=environment, timeout=harness.PATIENCE_S)
        self.assertEqual(done.stdout.split(), ["verify"], done.stderr)


class ReferenceTest(HelpCase):
    def test_metrics_are_listed_with_what_they_say(self):
        rows = self.ok_ndjson("config", "metrics")
        names = [row["metric"] for row in rows]
        self.assertGreater(len(names), 120)
        self.assertEqual(len(names), len(set(names)))
        for row in rows:
            self.assertTrue(row["help"], row)
            self.assertEqual(row["metric"].endswith("_total"), row["kind"] == "counter", row)

    def test_every_metric_of_a_running_bus_and_agent_is_in_the_list(self):
        known = {row["metric"]: row for row in self.ok_ndjson("config", "metrics")}
        self.ok("pki", "init", "--agent", "edge-1")
        bus, addresses = self.start_bus()
        http = f"127.0.0.1:{harness.free_tcp_port()}"
        agent = self.start("agent", "proc", "--interval", "1s", "--bus", addresses["listen"], "--http-listen", http)
        for address in (addresses["http"], http):
            text = harness.wait_until(lambda a=address: self.scrape(a), "the page is there")
            for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
                self.assertEqual(known[name]["kind"], kind)
            for name, said in re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE):
                self.assertEqual(known[name]["help"], said)
        self.assertEqual(self.stop(agent), 0)
        self.assertEqual(self.stop(bus), 0)

    def scrape(self, address):
        done = subprocess.run(["curl", "-s", "--max-time", "5", f"http://{address}/metrics"], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""


if __name__ == "__main__":
    unittest.main()
