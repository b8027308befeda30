"""Every command of packaging/runbooks is run against a real bus; every message of the troubleshooting page is provoked."""
import os
import pathlib
import re
import shutil
import subprocess
import unittest
import urllib.request

import harness

FOLDER = harness.SOURCE / "packaging" / "runbooks"
UNITS = {file.name for file in (harness.SOURCE / "packaging" / "systemd").glob("amoskys-*.*")}
EXPECTED = re.compile(r" # exit (\d+)\b.*$")

# What only a running systemd could do: the unit must be one of ours and the verb a real one.
STAND_IN = """#!/bin/sh
verb=$1
[ "${0##*/}" = systemctl ] || verb=journal
for word; do
    case $word in
        amoskys-*) unit=$word ;;
    esac
done
case $unit in *.timer) ;; *) unit=$unit.service ;; esac
[ -e "$UNIT_FOLDER/$unit" ] || { echo "no unit $unit" >&2; exit 5; }
case $verb in
    status | start | stop | journal) exit 0 ;;
    reload) kill -HUP "$BUS_PID" ;;
    restart) exit 0 ;;
    *) echo "no verb $verb" >&2; exit 1 ;;
esac
"""


def commands(page):
    """(line, expected exit code) of each fenced sh block."""
    out = []
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            expected = EXPECTED.search(line)
            out.append((EXPECTED.sub("", line), int(expected[1]) if expected else 0))
    return out


def pages():
    return sorted(FOLDER.glob("*.md"))


class RunbooksTest(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        self.ok("pki", "init", "--agent", "edge-1")
        self.bus, self.addresses = self.start_bus()
        self.ok("agent", "proc", "--once", "--bus", self.addresses["listen"])
        harness.wait_until(lambda: "amoskys_bus_agent_head_age_seconds{" in self.metrics(), "the agent's head is on the page")
        tools = self.folder / "tools"
        tools.mkdir()
        for name in ("systemctl", "journalctl"):
            (tools / name).write_text(STAND_IN)
        (tools / "amoskys").write_text(f'#!/bin/sh\nexec "{harness.AMOSKYS}" --state-dir "{self.state}" "$@"\n')
        for tool in tools.iterdir():
            tool.chmod(0o755)
        self.environment = harness.clean_environment() | {
            "PATH": f"{tools}:{os.environ['PATH']}", "UNIT_FOLDER": str(harness.SOURCE / "packaging" / "systemd"),
            "BUS_PID": str(self.bus.pid), "AMOSKYS_AGENT__BUS": self.addresses["listen"], "AMOSKYS_AGENT__ID": "edge-1",
            "HOME": str(self.folder)}
        self.place = self.folder / "place"
        self.place.mkdir()

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.addresses['http']}/metrics", timeout=harness.PATIENCE_S) as answer:
            return answer.read().decode()

    def run_line(self, line):
        line = (line.replace("127.0.0.1:9000", self.addresses["http"]).replace("127.0.0.1:50051", self.addresses["listen"])
                .replace("/var/lib/amoskys", str(self.state)))
        if line.startswith("amoskys bench"):
            line += f" --bus {self.addresses['listen']}"
        return subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=self.place, env=self.environment,
                              timeout=harness.PATIENCE_S)

    def run_page(self, name):
        lines = commands(FOLDER / name)
        self.assertGreater(len(lines), 2)
        for line, expected in lines:
            done = self.run_line(line)
            self.assertEqual(done.returncode, expected, f"{name}: {line}\n{done.stdout}{done.stderr}")
        self.assertEqual(self.stop(self.bus), 0)
        print(f"{name}: {len(lines)} commands run")

    def test_every_page_with_commands_is_run(self):
        mine = {f"test_{page.stem.replace('-', '_')}" for page in pages() if commands(page)}
        self.assertEqual(sorted(name for name in mine if not hasattr(self, name)), [])
        index = (FOLDER / "README.md").read_text()
        for page in pages():
            if page.name != "README.md":
                self.assertIn(f"({page.name})", index)

    def test_every_page_that_is_linked_to_is_there(self):
        for page in pages():
            for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
                self.assertTrue((FOLDER / target).is_file(), f"{page.name}: {target}")


def add_page(page):
    def test(self):
        self.run_page(page.name)
    test.__doc__ = f"The commands of {page.name}, in their order."
    setattr(RunbooksTest, f"test_{page.stem.replace('-', '_')}", test)


for each in pages():
    if commands(each):
        add_page(each)


class MessagesTest(harness.AmoskysTest):
    """The first column of the table in troubleshooting.md, from the real executable."""

    def setUp(self):
        super().setUp()
        text = (FOLDER / "troubleshooting.md").read_text()
        self.told = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
        self.seen = set()

    def provoke(self, exit_code, message, *args, **kwargs):
        said = self.fails(exit_code, *args, **kwargs)
        self.assertIn(message, said)
        self.assertIn(message, self.told)
        self.seen.add(message)

    def test_each_message_is_said(self):
        self.ok("pki", "init", "--agent", "edge-1")
        bus, addresses = self.start_bus()
        listen = addresses["listen"]
        other, empty = self.folder / "other", self.folder / "empty"
        self.ok("pki", "init", "--agent", "edge-1", state=other)
        once = ["agent", "example", "--once", "--ack-timeout", "1s"]
        self.provoke(69, "is in use: wal_locked", "bus", "--listen", "127.0.0.1:0", "--http-listen", "")
        self.provoke(69, "another process has it", "bus", "--listen", listen, "--http-listen", "", state=other)
        self.provoke(69, "the certificate is not of the same CA", *once, "--bus", listen, state=other)
        self.provoke(78, "no agent identity in", *once, "--bus", listen, state=empty)
        self.provoke(69, "Connection refused", *once, "--bus", f"127.0.0.1:{harness.free_tcp_port()}")
        self.provoke(69, "cannot resolve", *once, "--bus", "a" * 64 + ".invalid:50051")  # too long to be asked of anyone
        self.provoke(66, "log.key: No such file", "bus", state=empty)
        self.provoke(66, "no log at", "inspect", "summary", state=empty)
        self.provoke(73, "has a CA already", "pki", "init")
        self.provoke(78, "unknown key", "--set", "bus.retension.max_age=7d", "bus")
        self.provoke(78, "is below the minimum", "--set", "agent.example.interval=1ms", "bus")
        self.provoke(78, "no device to poll is given", "agent", "snmp", "--once", "--bus", listen)
        self.ok("pki", "issue", "agent", "edge-2")
        self.provoke(78, "several agent identities in", *once, "--bus", listen)
        self.ok("pki", "revoke", "agent", "edge-2")
        bus.send_signal(harness.signal.SIGHUP)
        harness.wait_until(lambda: "trust_changed" in pathlib.Path(bus.log_path).read_text(), "the revocation is known")
        self.provoke(77, "is revoked", *once, "--bus", listen, "--id", "edge-2", "--ack-timeout", "30s")
        (other / "pki" / "bus.key").chmod(0o644)
        self.provoke(77, "only its owner may have access", "bus", "--listen", "127.0.0.1:0", "--http-listen", "", state=other)
        self.assertEqual(self.stop(bus), 0)
        self.assertEqual(sorted(self.told - self.seen), [])
        print(f"troubleshooting.md: {len(self.seen)} messages provoked")


if __name__ == "__main__":
    unittest.main()
