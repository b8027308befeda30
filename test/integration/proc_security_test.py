"""Harmless acts of the kind that attackers do, done for real: each must give its observation, with the process and technique.

Needs root for most of them: other users' processes, packet sockets, cgroups.
"""
import ctypes
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import unittest

import harness

ROOT = os.geteuid() == 0
NOBODY = 65534
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
PLAIN = shutil.which("sleep")


@unittest.skipUnless(ROOT, "needs root")
class Security(harness.ChildrenTest):
    LIFE_CYCLE = "auto"

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        self.path = self.folder / "out.ndjson"
        log = open(self.folder / "proc.log", "wb")
        with open(self.path, "wb") as out:
            agent = subprocess.Popen(
                self.command("agent", "proc", "--stdout", "-o", "ndjson", "--interval", "300ms", "--details-interval", "300ms",
                             "--life-cycle", self.LIFE_CYCLE, "--set", "agent.proc.host_metrics=false"),
                stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=harness.clean_environment())
        agent.log_path = log.name
        log.close()
        self.processes.append(agent)
        self.agent = agent
        harness.wait_until(lambda: self.path.stat().st_size > 0 or self.ended(), "the first scan")

    def ended(self):
        if self.agent.poll() is not None:
            raise AssertionError(f"the agent ended: {pathlib.Path(self.agent.log_path).read_text()}")

    def copy(self, name, folder=None, program=PLAIN):
        target = pathlib.Path(folder or self.folder) / name
        shutil.copy(program, target)
        self.addCleanup(lambda: target.unlink(missing_ok=True))
        return target

    def observations(self):
        out = []
        for line in self.path.read_text().splitlines():
            if '"security"' in line and line.endswith("}"):
                event = json.loads(line)
                if event["kind"] == "security":
                    out.append(event)
        return out

    def expect(self, rule, technique, pid):
        """The one observation of the rule about the process."""
        found = harness.wait_until(
            lambda: [e for e in self.observations() if e["security"]["event_action"] == rule
                     and e["attributes"]["pid"] == str(pid)], f"{rule} of {pid}", min(20, harness.PATIENCE_S))
        self.assertEqual(len(found), 1)
        event = found[0]
        self.assertEqual(event["security"]["mitre_techniques"], [technique])
        self.assertTrue(event["attributes"]["evidence"])
        self.assertEqual(event["security"]["event_category"], "PROCESS")
        return event

    def expect_any(self, rule, technique, act):
        """Of programs that end at once: until one of them was caught alive."""
        deadline = time.monotonic() + min(20, harness.PATIENCE_S)
        while time.monotonic() < deadline:
            act()
            for event in self.observations():
                if event["security"]["event_action"] == rule:
                    self.assertEqual(event["security"]["mitre_techniques"], [technique])
                    return event
        self.fail(f"no {rule}")

    def test_program_in_shared_memory(self):
        program = self.copy(f"amoskys-test-{os.getpid()}", "/dev/shm")
        event = self.expect("exe_in_shared_memory", "T1059.004", self.child(program, "60").pid)
        self.assertEqual(event["attributes"]["exe"], str(program))
        self.assertEqual(event["severity"], "ERROR")

    def test_program_in_a_temporary_folder(self):
        program = self.copy(f"amoskys-test-{os.getpid()}", "/tmp")
        self.expect("exe_in_temporary_folder", "T1059", self.child(program, "60").pid)

    def test_deleted_program(self):
        program = self.copy("passing")
        child = self.child(program, "60")
        program.unlink()
        event = self.expect("exe_deleted", "T1070.004", child.pid)
        self.assertTrue(event["attributes"]["exe"].endswith("passing (deleted)"))

    def test_upgraded_program_is_none_of_them(self):
        program = self.copy("upgraded")
        child = self.child(program, "60")
        program.unlink()
        self.copy("upgraded")
        state = harness.wait_until(
            lambda: [e for e in map(json.loads, self.path.read_text().splitlines()[:-1]) if e.get("pid") == child.pid
                     and e.get("exe_state") == "REPLACED"], "the new file is seen")
        self.assertTrue(state)
        self.assertFalse([e for e in self.observations() if e["attributes"]["pid"] == str(child.pid)
                          and e["security"]["event_action"] == "exe_deleted"])

    def test_program_without_a_file(self):
        code = ("import os; fd = os.memfd_create('unseen', 0); os.write(fd, open(%r, 'rb').read());"
                "os.execve(fd, ['unseen', '60'], {})" % PLAIN)
        event = self.expect("exe_in_memory", "T1620", self.child(sys.executable, "-c", code).pid)
        self.assertEqual(event["severity"], "CRITICAL")
        self.assertTrue(event["attributes"]["exe"].startswith("/memfd:unseen"))

    def test_preloaded_library(self):
        library = next(pathlib.Path("/lib").glob("*-linux-gnu/libm.so.6"))
        child = self.child(PLAIN, "60", env={"LD_PRELOAD": str(library)})
        event = self.expect("library_preload", "T1574.006", child.pid)
        self.assertEqual(event["attributes"]["evidence"], f"LD_PRELOAD={library}")

    def test_shell_on_a_socket(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            near = socket.create_connection(server.getsockname())
            far = server.accept()[0]
            self.addCleanup(far.close)
            with near:
                child = self.child("/bin/sh", stdin=near, stdout=near)
            event = self.expect("shell_on_socket", "T1059.004", child.pid)
        self.assertEqual(event["security"]["source_ip"], "127.0.0.1")
        self.assertEqual(event["severity"], "CRITICAL")

    def test_shell_of_a_server(self):
        server = self.copy("nginx", program="/bin/dash")
        child = self.child(server, "-c", "/bin/sh -c 'sleep 60; true'; true")
        pid = harness.wait_until(
            lambda: pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split(), "its shell")[0]
        event = self.expect("shell_from_server", "T1505.003", int(pid))
        self.assertEqual(event["attributes"]["parent_exe"], str(server))

    def test_interactive_shell_without_a_terminal(self):
        child = self.child("/bin/bash", "--norc", "-i", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(child.stdin.close)
        self.expect("shell_without_terminal", "T1059.004", child.pid)

    def test_setuid_program(self):
        program = self.copy("raise")
        os.chmod(program, 0o4755)
        # As another user first, so that it has something to gain.
        code = f"import os,time; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); time.sleep(1.5); os.execv({str(program)!r}, ['raise', '60'])"
        child = self.child(sys.executable, "-c", code)
        event = self.expect("privilege_gained", "T1548.001", child.pid)
        self.assertEqual(event["attributes"]["evidence"], f"user {NOBODY} before")

    def test_setuid_bit(self):
        file = self.copy("file")
        event = self.expect_any("setuid_bit_set", "T1548.001",
                                lambda: subprocess.run(["chmod", "u+s", str(file)], check=True))
        self.assertIn("u+s", event["attributes"]["cmdline"])

    def test_debugger(self):
        child = self.child(PLAIN, "60")
        tracer = self.child(sys.executable, "-c",
                            f"import ctypes,os,time; ctypes.CDLL(None).ptrace({PTRACE_ATTACH}, {child.pid}, 0, 0); "
                            f"os.waitpid({child.pid}, 0); time.sleep(60)")
        event = self.expect("traced", "T1055.008", child.pid)
        self.assertTrue(event["attributes"]["evidence"].startswith(f"by {tracer.pid} "))

    def test_name_of_a_kernel_thread(self):
        child = self.child("[kworker/0:1]", "60", executable=PLAIN)
        self.expect("kernel_thread_name", "T1036.004", child.pid)

    def test_random_name(self):
        self.expect("random_name", "T1036", self.child(self.copy("k3j9x2m7q4zp"), "60").pid)

    def test_miner(self):
        self.expect("coin_miner", "T1496", self.child(self.copy("xmrig"), "60").pid)

    def test_packet_socket(self):
        child = self.child(sys.executable, "-c", "import socket,time; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); time.sleep(60)")
        self.expect("raw_socket", "T1040", child.pid)

    @unittest.skipUnless(shutil.which("setpriv"), "setpriv is not installed")
    def test_capability_without_root(self):
        child = self.child("setpriv", "--reuid", str(NOBODY), "--clear-groups", "--inh-caps=+sys_admin", "--ambient-caps=+sys_admin",
                           PLAIN, "60")
        event = self.expect("capabilities_without_root", "T1548", child.pid)
        self.assertEqual(event["attributes"]["evidence"], f"effective {1 << 21}")

    @unittest.skipUnless(shutil.which("insmod"), "kmod is not installed")
    def test_kernel_module(self):
        self.expect_any("kernel_module_load", "T1547.006",
                        lambda: subprocess.run(["insmod", "/nonexistent.ko"], capture_output=True))

    @unittest.skipUnless(shutil.which("nsenter"), "nsenter is not installed")
    def test_namespaces_of_the_host(self):
        self.expect_any("host_namespaces_entered", "T1611",
                        lambda: subprocess.run(["nsenter", "-t", "1", "--uts", "true"], capture_output=True))

    def test_container(self):
        identity = "%064x" % os.getpid()
        for base in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
            folder = pathlib.Path(base) / "docker" / identity
            made_parent = not folder.parent.exists()
            try:
                folder.mkdir(parents=True)
                break
            except OSError:
                continue
        else:
            self.skipTest("no cgroup can be made here")
        self.addCleanup(lambda: made_parent and folder.parent.rmdir())
        self.addCleanup(folder.rmdir)
        code = f"import os; open({str(folder / 'cgroup.procs')!r}, 'w').write(str(os.getpid())); os.execv({str(self.copy('nc'))!r}, ['nc', '60'])"
        child = self.child(sys.executable, "-c", code)
        event = self.expect("tool_in_container", "T1105", child.pid)
        self.assertEqual(event["attributes"]["container_id"], identity)
        self.expect("container_on_host_mounts", "T1611", child.pid)
        child.kill()
        child.wait()
        time.sleep(0.1)  # until the kernel has taken it out of its group


class Polled(Security):
    """The same by scans alone; what ends at once is not seen."""
    LIFE_CYCLE = "poll"
    test_setuid_bit = test_kernel_module = test_namespaces_of_the_host = None


class Allowed(harness.AmoskysTest):
    def test_what_the_configuration_allows_is_not_reported(self):
        program = pathlib.Path("/dev/shm") / f"amoskys-allowed-{os.getpid()}"
        shutil.copy(PLAIN, program)
        self.addCleanup(program.unlink)
        child = subprocess.Popen([program, "60"], stdin=subprocess.DEVNULL)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        harness.wait_until(lambda: os.readlink(f"/proc/{child.pid}/exe") == str(program), "it runs")

        def seen(*args):
            return {e["security"]["event_action"] for e in self.ok_ndjson("agent", "proc", "--once", "--stdout", *args)
                    if e["kind"] == "security" and e["attributes"]["pid"] == str(child.pid)}
        self.assertEqual(seen(), {"exe_in_shared_memory"})
        self.assertEqual(seen("--allow", f"exe_in_shared_memory {program}"), set())
        self.assertEqual(seen("--set", "agent.proc.security=false"), set())

    def test_a_wrong_entry_is_one_clear_error(self):
        err = self.fails(78, "agent", "proc", "--once", "--stdout", "--allow", "exe_in_shred_memory /x")
        self.assertIn("exe_in_shred_memory /x", err)
        self.assertIn("did you mean exe_in_shared_memory?", err)


if __name__ == "__main__":
    unittest.main()
