"""The units in packaging/systemd: what systemd-analyze says of them, and whether the executable can live under them."""
import functools
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import time
import unittest

import harness

UNITS = harness.SOURCE / "packaging" / "systemd"
BOUNDS = {"amoskys-bus": 1.5, "amoskys-agent-flow": 2.0, "amoskys-agent-proc": 2.5, "amoskys-agent-snmp": 1.5}
OTHERS = 1.0
# Refused on purpose, and the executable goes on without: the unit's Nice= has done it.
REFUSED = {"amoskys-agent-proc": {"setpriority"}}


@functools.cache
def group(name):
    """The system calls of a group of systemd's, such as @system-service."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    words = [line.split("#")[0].strip() for line in text.splitlines()[1:]]
    return frozenset().union(*(group(word) if word.startswith("@") else {word} for word in words if word))


def settings(unit, name):
    return re.findall(rf"^{name}=(.*)$", (UNITS / f"{unit}.service").read_text(), re.MULTILINE)


def allowed_calls(unit):
    allowed = set()
    for line in settings(unit, "SystemCallFilter"):
        words = line.removeprefix("~").split()
        named = set().union(*(group(word) if word.startswith("@") else {word} for word in words))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


@unittest.skipIf(shutil.which("systemd-analyze") is None, "systemd-analyze is not installed")
class UnitsTest(harness.AmoskysTest):
    def unit_files(self):
        files = sorted([*UNITS.glob("*.service"), *UNITS.glob("*.timer")])
        self.assertGreater(len(files), 8)
        return files

    def test_verify_has_nothing_to_say(self):
        copies = []
        for file in self.unit_files():
            copy = self.folder / file.name
            copy.write_text(file.read_text().replace("/usr/bin/amoskys", harness.AMOSKYS))
            copies.append(str(copy))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *copies], capture_output=True, text=True)
        ours = [line for line in done.stderr.splitlines() if "amoskys" in line]
        self.assertEqual(ours, [])
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_verify_would_have_seen_a_mistake(self):
        wrong = self.folder / "amoskys-wrong.service"
        wrong.write_text("[Service]\nExecStart=/bin/true\nProtectHoem=yes\n")
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(wrong)], capture_output=True, text=True)
        self.assertIn("ProtectHoem", done.stderr)

    def test_exposure_is_within_its_bound(self):
        for file in self.unit_files():
            if file.suffix != ".service":
                continue
            with self.subTest(file.name):
                done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", str(file)],
                                      capture_output=True, text=True)
                told = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout + done.stderr)
                self.assertIsNotNone(told, done.stderr)
                print(f"exposure {file.stem} {told[1]}")
                self.assertLessEqual(float(told[1]), BOUNDS.get(file.stem, OTHERS))

    def test_every_credential_drop_in_names_files_that_the_executable_reads(self):
        for name, files in (("amoskys-bus", {"ca.crt", "bus.crt", "bus.key", "log.key", "log.pub", "trust.yaml"}),
                            ("amoskys-agent", {"ca.crt", "agent.crt", "agent.key", "agent.ed25519"})):
            text = (UNITS / "credentials" / f"{name}.conf").read_text()
            self.assertEqual(set(re.findall(r"^LoadCredential=([^:]+):", text, re.MULTILINE)), files)
            self.assertIn("__PKI_DIR=%d", text)

    def test_commands_of_the_units_are_understood(self):
        """Each ExecStart with a state directory of our own; services until they are ready."""
        state = str(self.state)
        for unit in ("amoskys-keys", "amoskys-renew"):
            for line in settings(unit, "ExecStart"):
                words = line.replace("/var/lib/amoskys", state).split()[1:]
                done = subprocess.run([harness.AMOSKYS, *words], capture_output=True, text=True, timeout=harness.PATIENCE_S,
                                      env=harness.clean_environment())
                self.assertEqual(done.returncode, 0, f"{words}: {done.stderr}")
        condition = settings("amoskys-renew", "ExecCondition")[0].replace("/var/lib/amoskys", state).split()[1:]
        done = subprocess.run([harness.AMOSKYS, *condition], capture_output=True, env=harness.clean_environment())
        self.assertEqual(done.returncode, 1)  # fresh certificates: nothing is due, the unit is skipped

        bus, addresses = self.start_bus()
        self.ok("agent", "proc", "--once", "--bus", addresses["listen"])
        self.assertEqual(self.stop(bus), 0)
        etl = settings("amoskys-etl", "ExecStart")[0].replace("/var/lib/amoskys", state).split()[1:]
        done = subprocess.run([harness.AMOSKYS, *etl], capture_output=True, text=True, env=harness.clean_environment(),
                              timeout=harness.PATIENCE_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        score = settings("amoskys-score", "ExecStart")[0]
        help_text = self.ok("score", "run", "--help")
        for flag in re.findall(r" (--[a-z-]+)", score.split(" score run")[1]):
            self.assertIn(flag, help_text)

    def test_the_backup_unit_makes_one_and_keeps_thirty_days(self):
        self.ok("pki", "init", "--agent", "edge-1")
        bus, addresses = self.start_bus()
        self.ok("agent", "example", "--once", "--bus", addresses["listen"])
        backups = self.state / "backups"
        backups.mkdir()
        for name, days in (("old", 32), ("kept", 29)):
            (backups / f"{name}.tar.zst").touch()
            then = time.time() - days * 86400
            harness.os.utime(backups / f"{name}.tar.zst", (then, then))
        for setting in ("ExecStart", "ExecStartPost"):
            [line] = settings("amoskys-backup", setting)
            words = shlex.split(line.replace("%%", "%").replace("/usr/bin/amoskys", harness.AMOSKYS)
                                .replace("/var/lib/amoskys", str(self.state)))
            done = subprocess.run(words, capture_output=True, text=True, env=harness.clean_environment(),
                                  timeout=harness.PATIENCE_S)
            self.assertEqual(done.returncode, 0, done.stderr)
        names = {file.name for file in backups.iterdir()}
        self.assertNotIn("old.tar.zst", names)
        [made] = names - {"kept.tar.zst"}
        self.ok("inspect", "restore", backups / made, "--dry-run")
        self.assertEqual(self.stop(bus), 0)

    def test_an_agent_does_not_see_what_is_the_buss_alone(self):
        """What InaccessiblePaths= names is what the bus makes; an agent works where it is not there."""
        self.ok("pki", "init", "--agent", "edge-1")
        bus, addresses = self.start_bus()
        for unit in ("amoskys-agent-proc", "amoskys-agent-flow", "amoskys-agent-snmp"):
            hidden = [path.removeprefix("-/var/lib/amoskys/") for line in settings(unit, "InaccessiblePaths") for path in line.split()]
            self.assertEqual(sorted(hidden), ["checkpoints", "pki/bus.key", "pki/ca.key", "pki/log.key", "wal"])
            self.assertEqual(settings(unit, "ProtectSystem"), ["strict"])
            self.assertEqual(settings(unit, "StateDirectory"), ["amoskys/spool"])  # all that it may write
        for path in hidden:
            self.assertTrue((self.state / path).exists(), path)
        seen = self.folder / "seen"
        shutil.copytree(self.state / "pki", seen / "pki", ignore=shutil.ignore_patterns("bus.key", "ca.key", "log.key"))
        self.ok("agent", "example", "--once", "--bus", addresses["listen"], state=seen)
        self.assertEqual(self.stop(bus), 0)
        self.assertEqual(sorted(path.name for path in seen.iterdir()), ["pki", "spool"])


@unittest.skipIf(shutil.which("systemd-analyze") is None, "systemd-analyze is not installed")
@unittest.skipIf(harness.os.environ.get("AMOSKYS_SANITIZE"), "a sanitizer makes calls of its own")
@unittest.skipUnless(harness.may_trace(), "strace cannot trace here")
class SystemCallsTest(harness.AmoskysTest):
    """Every system call and socket family of the executable at work is in the list of its unit."""

    def start_traced(self, name, *args):
        trace = self.folder / f"{name}.trace"
        log = open(self.folder / f"{name}.log", "wb")
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-s", "0", "-o", str(trace), *self.command(*args)],
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=harness.clean_environment())
        log.close()
        self.addCleanup(lambda: tracer.poll() is None and (tracer.kill(), tracer.wait()))
        harness.wait_until(lambda: self.traced_pid(tracer) or tracer.poll() is not None, f"{name} starts")
        return tracer, self.traced_pid(tracer), trace

    def traced_pid(self, tracer):
        """strace has children of its own at first, to try things."""
        children = pathlib.Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children")
        for pid in children.read_text().split() if tracer.poll() is None else []:
            try:
                if harness.os.readlink(f"/proc/{pid}/exe") == harness.os.path.realpath(harness.AMOSKYS):
                    return int(pid)
            except FileNotFoundError:
                pass
        return None

    def end(self, tracer, pid):
        self.assertIsNotNone(pid, "it ended by itself")
        harness.os.kill(pid, signal.SIGTERM)
        self.assertEqual(tracer.wait(timeout=harness.PATIENCE_S), 0)

    def check(self, unit, trace):
        text = trace.read_text(errors="replace")
        made = set(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE))
        self.assertGreater(len(made), 30)
        self.assertEqual(sorted(made - allowed_calls(unit) - {"execve"} - REFUSED.get(unit, set())), [])
        families = set(re.findall(r"\bsocket\((AF_\w+)", text))
        self.assertEqual(sorted(families - set(settings(unit, "RestrictAddressFamilies")[0].split())), [])
        print(f"{unit}: {len(made)} system calls, {' '.join(sorted(families)) or 'no socket'}: all allowed")

    def test_bus_and_agents(self):
        self.ok("pki", "init", "--agent", "edge-1")
        ready = self.folder / "ready.json"
        bus = self.start_traced("bus", "bus", "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--ready-file", ready,
                                "--log-format", "json")
        addresses = harness.json.loads(harness.wait_until(lambda: ready.exists() and ready.read_text(), "the bus serves"))
        agents = {"proc": ["--interval", "1s"], "flow": ["--interfaces", "lo"],
                  "snmp": ["--target", f"udp:127.0.0.1:{harness.free_udp_port()}", "--timeout", "100ms", "--community", "public"]}
        running = {}
        for name, words in agents.items():
            running[name] = self.start_traced(name, "agent", name, "--bus", addresses["listen"], *words)
        harness.wait_until(lambda: {"proc", "snmp"} <= {lane["lane"] for lane in self.ok_json("inspect", "summary")["lanes"]},
                           "both agents' records are in the log", 3 * harness.PATIENCE_S)
        self.assertIsNotNone(bus[1], "the bus ended by itself")
        harness.os.kill(bus[1], signal.SIGHUP)
        subprocess.run(["curl", "-s", f"http://{addresses['http']}/metrics"], capture_output=True, timeout=harness.PATIENCE_S)
        harness.wait_until(lambda: '"reloaded"' in (self.folder / "bus.log").read_text(), "the reload is done")
        for name, (tracer, pid, trace) in running.items():
            if name == "flow" and tracer.poll() is not None:
                print("flow may not capture here: its system calls are not looked at")
                continue
            self.end(tracer, pid)
            self.check(f"amoskys-agent-{name}", trace)
        self.end(*bus[:2])
        self.check("amoskys-bus", bus[2])

    def test_etl(self):
        self.ok("pki", "init", "--agent", "edge-1")
        bus, addresses = self.start_bus()
        self.ok("agent", "proc", "--once", "--bus", addresses["listen"])
        self.assertEqual(self.stop(bus), 0)
        tracer, _, trace = self.start_traced("etl", "etl", "--incremental", "--out", self.folder / "features")
        self.assertEqual(tracer.wait(timeout=harness.PATIENCE_S), 0)
        self.check("amoskys-etl", trace)


if __name__ == "__main__":
    unittest.main()
