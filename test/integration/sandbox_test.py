"""What serving processes give up before they serve: seen in /proc of the real executable, and tried from inside."""
import json
import os
import pathlib
import pwd
import shutil
import signal
import tempfile
import unittest

import harness

INSTRUMENTED = bool(os.environ.get("AMOSKYS_SANITIZE")) or bool(os.environ.get("AMOSKYS_COVERAGE"))


def threads_of(process):
    """The fields of the status of each thread, as the kernel has them."""
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        yield dict(line.split(":\t", 1) for line in lines if ":\t" in line)


class Sandbox(harness.AmoskysTest):
    def security(self, address, expected=(0, 10)):
        code, out, err = self.run_cli("health", "--http", address, "--security", "-o", "json")
        self.assertIn(code, expected, err)
        told = json.loads(out)
        self.assertEqual(told.pop("schema"), "amoskys.security/1")
        return told

    def weakest(self, process):
        """Capabilities that any thread has, and whether all have no_new_privs and a filter."""
        fields = list(threads_of(process))
        self.assertGreater(len(fields), 1)
        capabilities = 0
        for thread in fields:
            capabilities |= int(thread["CapEff"], 16)
        return (capabilities, all(t["NoNewPrivs"] == "1" for t in fields), all(t["Seccomp"] == "2" for t in fields))

    def test_a_bus_has_nothing_left_in_any_thread_and_says_so(self):
        self.ok("pki", "init")
        bus, addresses = self.start_bus()
        told = self.security(addresses["http"])
        capabilities, no_new_privileges, filtered = self.weakest(bus)
        self.assertEqual(capabilities, 0)
        self.assertTrue(no_new_privileges)
        self.assertEqual((told["capabilities"], told["no_new_privileges"], told["seccomp"]), ([], True, filtered))
        self.assertEqual(told["user"], pwd.getpwuid(os.geteuid()).pw_name)
        if not INSTRUMENTED:  # what is not there must have been named
            self.assertEqual(filtered, not any("seccomp" in each for each in told["missing"]))
            self.assertEqual(told["landlock_abi"] > 0, not any("landlock" in each for each in told["missing"]))

    def test_switched_off_it_is_reported_as_missing(self):
        self.ok("pki", "init")
        bus, addresses = self.start_bus("--set", "sandbox.mode=off")
        self.assertFalse(self.security(addresses["http"], expected=(10,))["no_new_privileges"])
        self.assertFalse(self.weakest(bus)[2])
        self.assertIn("--http", self.fails(64, "health", "--security"))

    @unittest.skipIf(INSTRUMENTED, "no layers of files and system calls in an instrumented build")
    def test_a_reload_cannot_make_a_bus_read_elsewhere(self):
        """The key folder moved out of its reach while it runs: the old state stays, and the reason is said."""
        self.ok("pki", "init")
        config = self.folder / "configuration" / "amoskys.yaml"
        config.parent.mkdir()
        config.write_text("bus: {}\n")
        bus, addresses = self.start_bus("--config", config)
        if self.security(addresses["http"])["landlock_abi"] == 0:
            self.skipTest("this kernel has no Landlock")
        # Not below self.folder: the file of --ready-file is there.
        outside = pathlib.Path(tempfile.mkdtemp(prefix="amoskys-it-"))
        self.addCleanup(shutil.rmtree, outside)
        elsewhere = outside / "pki"
        shutil.copytree(self.state / "pki", elsewhere)
        config.write_text(f"bus: {{pki_dir: {elsewhere}}}\n")
        bus.send_signal(signal.SIGHUP)
        log = pathlib.Path(bus.log_path)
        harness.wait_until(lambda: "reload_failed" in log.read_text(), "the reload is refused")
        self.assertIn("ermission denied", log.read_text())
        self.assertEqual(self.run_cli("health", "--http", addresses["http"])[0], 0)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody else")
    def test_root_becomes_the_user_of_the_configuration(self):
        nobody = pwd.getpwnam("nobody")
        os.chmod(self.folder, 0o711)
        self.ok("pki", "init")
        for path in [self.state, *self.state.rglob("*")]:
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        ready = self.folder / "drop"
        ready.mkdir()
        os.chown(ready, nobody.pw_uid, nobody.pw_gid)
        bus = self.start("bus", "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--ready-file", ready / "bus.json",
                         "--set", "sandbox.user=nobody")
        harness.wait_until(lambda: (ready / "bus.json").exists() or bus.poll() is not None, "the bus serves")
        self.assertIsNone(bus.poll(), pathlib.Path(bus.log_path).read_text())
        self.assertEqual({t["Uid"].split()[0] for t in threads_of(bus)}, {str(nobody.pw_uid)})
        told = self.security(json.loads((ready / "bus.json").read_text())["http"])
        self.assertEqual((told["user"], told["capabilities"]), ("nobody", []))
        self.assertIn("no user", self.fails(78, "bus", "--set", "sandbox.user=no-such-user"))

    def test_an_agent_that_watches_processes_keeps_what_that_needs(self):
        """Landlock would hide other processes' programs; it is left out and that is said."""
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        http = f"127.0.0.1:{harness.free_tcp_port()}"
        agent = self.start("agent", "proc", "--bus", addresses["listen"], "--http-listen", http)
        harness.wait_until(lambda: self.run_cli("health", "--http", http)[0] != 69, "the agent serves")
        told = self.security(http)
        self.assertTrue(any("landlock" in each for each in told["waived"]))
        named = next(m for m in self.ok_json("modules") if m["name"] == "proc")["privileges"]
        self.assertLessEqual(set(told["capabilities"]), {privilege.split(":")[0] for privilege in named})
        self.assertTrue(self.weakest(agent)[1])


if __name__ == "__main__":
    unittest.main()
