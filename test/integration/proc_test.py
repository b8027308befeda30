"""Processes of this host against ps and psutil, their life cycle against what was started, and harmless acts of attackers."""
import ctypes
import grp
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

import harness

try:
    import psutil
except ImportError:
    psutil = None

ROOT = os.geteuid() == 0


def connector_allowed():
    """Whether the kernel tells us of processes: the answer to a request to listen."""
    import struct
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 11) as s:
            s.bind((0, 1))
            body = struct.pack("=IIIIHHI", 1, 1, 0, 0, 4, 0, 1)
            s.send(struct.pack("=IHHII", 16 + len(body), 3, 0, 0, 0) + body)
            s.settimeout(1)
            return bool(s.recv(4096))
    except OSError:
        return False


class Base(harness.ChildrenTest):
    def once(self, *args, **kwargs):
        return self.ok_ndjson("agent", "proc", "--once", "--stdout", *args, **kwargs)

    def stream(self, *args):
        """A running agent; returns (process, path of its output)."""
        path = self.folder / f"out-{len(self.processes)}.ndjson"
        with open(path, "wb") as out:
            log = open(self.folder / f"proc-{len(self.processes)}.log", "wb")
            process = subprocess.Popen(self.command("agent", "proc", "--stdout", "-o", "ndjson", *args),
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=harness.clean_environment())
            process.log_path = log.name
            log.close()
        self.processes.append(process)
        harness.wait_until(lambda: path.stat().st_size > 0, "the first scan")
        return process, path

    @staticmethod
    def events(path):
        return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]

    def processes_of(self, *args):
        return {event["pid"]: event for event in self.once(*args) if event["kind"] == "process"}


class Fields(Base):
    @unittest.skipIf(psutil is None, "python3-psutil is not installed")
    def test_every_field_equals_psutil(self):
        """Exact: ids, names, paths, start, nice, terminal, descriptors, addresses, hash. Within 10 % and 2 MiB: memory."""
        listening = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listening.getsockname())
        self.addCleanup(listening.close)
        self.addCleanup(client.close)
        sleeper = self.child("sleep", "60", cwd="/usr")
        steady = {sleeper.pid} | {self.child("sleep", str(60 + n)).pid for n in range(4)}
        harness.wait_until(lambda: all(psutil.Process(pid).status() == psutil.STATUS_SLEEPING for pid in steady),
                           "children that sleep")
        compared = set()
        ours = self.processes_of("--set", "agent.proc.read_fields=exe,cmdline,cgroup,cwd,root,io,fds,loginuid,namespaces,"
                                 "sockets,hash,environ,pss")
        for process in psutil.process_iter():
            event = ours.get(process.pid)
            if event is None:
                continue
            try:
                with process.oneshot():
                    exact = {"ppid": process.ppid(), "name": process.name()[:15], "uid": process.uids().real,
                             "euid": process.uids().effective, "suid": process.uids().saved, "gid": process.gids().real,
                             "egid": process.gids().effective, "sgid": process.gids().saved, "nice": process.nice()}
                    user = process.username()
                    created, cmdline = process.create_time(), process.cmdline()
                    memory, threads = process.memory_info(), process.num_threads()
                    sid, pgid = os.getsid(process.pid), os.getpgid(process.pid)
                    terminal = process.terminal()
                    program = bool(cmdline)
                    exe, cwd = (process.exe(), process.cwd()) if program and ROOT else (None, None)
            except (psutil.Error, OSError):
                continue
            if round((created - psutil.boot_time()) * os.sysconf("SC_CLK_TCK")) != event["start_ticks"]:
                continue  # another process has the pid now
            with self.subTest(pid=process.pid, name=exact["name"]):
                if event["name"] != exact["name"] or event.get("args", []) != cmdline and all(
                        a.isprintable() for a in cmdline):
                    continue  # it became another program meanwhile, or rewrote its title
                if event["ppid"] != exact["ppid"] and not psutil.pid_exists(event["ppid"]):
                    continue  # its parent ended meanwhile
                for field, value in exact.items():
                    self.assertEqual(event[field], value, field)
                if not user.isdigit():
                    self.assertEqual(event["user"], user)
                self.assertEqual((event["sid"], event["pgid"]), (sid, pgid))
                self.assertEqual(event.get("tty") and "/dev/" + event["tty"], terminal)
                self.assertAlmostEqual(int(event["start_ts_ns"]) / 1e9, created, delta=1.1)  # it knows whole seconds of boot
                self.assertLessEqual(abs(event["threads"] - threads), 2)
                if process.pid in steady:  # others may have grown in between
                    self.assertEqual(event["vms_bytes"], memory.vms)
                    self.assertLessEqual(abs(event["rss_bytes"] - memory.rss), 0.1 * memory.rss + (2 << 20))
                if exe is not None:
                    self.assertEqual(event["exe"].removesuffix(" (deleted)"), exe.removesuffix(" (deleted)"))
                    self.assertEqual(event["cwd"], cwd)
                compared.add(process.pid)
        self.assertLessEqual(steady, compared, "these did nothing in between")

        event = ours[sleeper.pid]
        peer = psutil.Process(sleeper.pid)
        self.assertEqual(event["cwd"], "/usr")
        self.assertEqual(event["root"], "/")
        self.assertEqual(event["group"], grp.getgrgid(os.getgid()).gr_name)
        self.assertEqual(event["fds"], peer.num_fds())
        self.assertEqual(event["exe"], os.path.realpath(shutil.which("sleep")))
        stat = os.stat(event["exe"])
        self.assertEqual((event["exe_inode"], event["exe_device"], event["exe_size_bytes"]),
                         (stat.st_ino, stat.st_dev, stat.st_size))
        self.assertEqual(int(event["exe_mtime_ns"]), stat.st_mtime_ns)
        digest = subprocess.run(["sha256sum", event["exe"]], capture_output=True, text=True, check=True).stdout.split()[0]
        self.assertEqual(event["exe_sha256"], digest)
        status = dict(line.split(":\t", 1) for line in
                      pathlib.Path(f"/proc/{sleeper.pid}/status").read_text().splitlines() if ":\t" in line)
        for field, name in (("cap_effective", "CapEff"), ("cap_permitted", "CapPrm"), ("cap_bounding", "CapBnd")):
            self.assertEqual(int(event[field]), int(status[name], 16))
        self.assertEqual(event["seccomp"], int(status["Seccomp"]))
        self.assertEqual(sorted(event["namespaces"]),
                         sorted({os.readlink(f"/proc/{sleeper.pid}/ns/{n}") for n in
                                 ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")}))
        self.assertAlmostEqual(event["pss_bytes"], peer.memory_full_info().pss, delta=512 << 10)
        self.assertEqual(event["swap_bytes"], peer.memory_full_info().swap)
        self.assertTrue(event["ancestors"][0].startswith(f"{os.getpid()} "))
        self.assertEqual(event["parent_exe"], os.readlink("/proc/self/exe"))

        own = ours[os.getpid()]
        address = "tcp 127.0.0.1:%d" % listening.getsockname()[1]
        self.assertIn(address, own["listening"])
        self.assertIn(address, own["peers"])
        self.assertEqual(own["sockets"], sum(os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
                                             for fd in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{fd}")))

    @unittest.skipIf(psutil is None, "python3-psutil is not installed")
    def test_the_cpu_share_is_that_of_the_work_done(self):
        spinner = self.child(sys.executable, "-c", "while True: pass")
        harness.wait_until(lambda: psutil.Process(spinner.pid).cpu_times().user > 0.2, "the child works")
        before, began = psutil.Process(spinner.pid).cpu_times().user, time.monotonic()
        event = self.processes_of("--set", "agent.proc.first_sample=2s")[spinner.pid]
        took = time.monotonic() - began
        expected = 100 * (psutil.Process(spinner.pid).cpu_times().user - before) / took
        self.assertAlmostEqual(event["cpu_percent"], expected, delta=45)  # other work on this machine
        self.assertAlmostEqual(event["cpu_percent_host"], event["cpu_percent"] / os.cpu_count(), delta=0.01)

    def test_nothing_that_a_process_contains_breaks_a_line(self):
        evil = "x\x1b[2J\r\n\t\x07\x7f"
        self.child("sleep", "60")  # one that is plain
        hostile = self.child(sys.executable, "-c",
                             "import time,sys\nopen('/proc/self/comm','wb').write(b'a\\x1b[2J\\n\\xff')\ntime.sleep(60)",
                             evil, "\udcff\udcfe", "y" * 100_000)
        harness.wait_until(lambda: b"\x1b" in pathlib.Path(f"/proc/{hostile.pid}/comm").read_bytes(), "the child renamed itself")
        out = self.ok("agent", "proc", "--once", "--stdout", "-o", "ndjson")
        for character in out:
            self.assertTrue(character == "\n" or ord(character) >= 0x20, repr(character))
        event = {e["pid"]: e for e in map(json.loads, out.splitlines()) if e["kind"] == "process"}[hostile.pid]
        self.assertEqual(event["name"], "a\\x1b[2J\\x0a\\xff")
        self.assertIn("args:truncated", event["missing"])
        self.assertIn("\\xff\\xfe", event["args"])


class LifeCycle(Base):
    COUNT = int(os.environ.get("AMOSKYS_PROC_COUNT", "5000"))

    def spawn_many(self, count):
        """Short-lived children of one shell; returns nothing: their parent's pid names them."""
        script = f"i=0; while [ $i -lt {count} ]; do /bin/true arg-$i; i=$((i+1)); done; exit 0"
        shell = self.child("/bin/dash", "-c", script)
        self.assertEqual(shell.wait(timeout=harness.PATIENCE_S), 0)
        return shell.pid

    @unittest.skipUnless(ROOT and connector_allowed(), "the kernel tells only root of processes, in the initial namespaces")
    def test_every_exec_and_exit_is_there_or_counted_lost(self):
        agent, path = self.stream("--interval", "2s", "--http-listen", "127.0.0.1:0")
        shell = self.spawn_many(self.COUNT)
        killed = self.child("sleep", "60")
        time_to_see = lambda: any(e.get("pid") == killed.pid and e.get("change") == "EXEC" for e in self.events(path))
        harness.wait_until(time_to_see, "the last child is seen")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        harness.wait_until(lambda: any(e.get("pid") == killed.pid and e.get("change") == "EXIT" for e in self.events(path)),
                           "its end is seen")
        self.stop(agent)
        events = [e for e in self.events(path) if e["kind"] == "process"]
        starts = [e for e in events if e["change"] == "START" and e["ppid"] == shell]
        pids = {(e["pid"], e["start_ticks"]) for e in starts}
        of_them = lambda change: [e for e in events if e["change"] == change and (e["pid"], e.get("start_ticks")) in pids]
        execs, exits = of_them("EXEC"), of_them("EXIT")
        log = pathlib.Path(agent.log_path).read_text()
        lost = "life_cycle_lost" in log
        late = sum("cmdline:late" in e.get("missing", []) for e in execs)
        print(f"\n{self.COUNT} children: {len(starts)} starts, {len(execs)} execs, {len(exits)} exits, "
              f"{late} too late for their arguments ({100 * late / max(1, len(execs)):.1f} %), lost: {lost}", file=sys.stderr)
        if not lost:
            self.assertEqual((len(starts), len(execs), len(exits)), (self.COUNT,) * 3)
        self.assertTrue(all(e["exit_code"] == 0 for e in exits))
        self.assertTrue(all(0 <= int(e["duration_ns"]) < 10e9 for e in exits))
        known = [e for e in execs if e.get("args")]
        self.assertTrue(all(e["args"][0] == "/bin/true" and e["args"][1].startswith("arg-") for e in known))
        end = [e for e in events if e["change"] == "EXIT" and e["pid"] == killed.pid]
        self.assertEqual([e["exit_code"] for e in end], [-signal.SIGKILL])
        self.assertEqual(end[0]["observed_by"], "CONNECTOR")

    def test_polling_sees_what_lives_long_enough(self):
        agent, path = self.stream("--interval", "200ms", "--life-cycle", "poll")
        child = self.child("sleep", "60")
        harness.wait_until(lambda: any(e.get("pid") == child.pid and e.get("change") == "START" for e in self.events(path)),
                           "the start is seen")
        child.kill()
        child.wait()
        seen = harness.wait_until(lambda: [e for e in self.events(path) if e.get("pid") == child.pid and e.get("change") == "EXIT"],
                                  "the end is seen")
        self.assertIn("exit_code:polled", seen[0]["missing"])
        self.assertEqual(seen[0]["observed_by"], "POLL")
        self.stop(agent)

    @unittest.skipUnless(ROOT and shutil.which("unshare"), "needs root and unshare")
    def test_where_the_kernel_does_not_tell_it_polls_or_says_what_it_needs(self):
        for apart, text in ((["--net"], b"no process events here"),
                            (["--pid", "--fork", "--kill-child", "--mount-proc"], b"initial pid namespace")):
            with self.subTest(apart=apart):
                done = subprocess.run(["unshare", *apart, *self.command("agent", "proc", "--stdout", "--life-cycle", "connector")],
                                      capture_output=True, env=harness.clean_environment(), timeout=harness.PATIENCE_S)
                self.assertEqual(done.returncode, 69, done.stderr)
                self.assertIn(text, done.stderr)
                self.assertEqual(done.stdout, b"")
        with open(self.folder / "out", "wb") as out, open(self.folder / "log", "wb") as log:
            agent = subprocess.Popen(["unshare", "--net", *self.command("agent", "proc", "--stdout", "-o", "ndjson", "--interval", "200ms")],
                                     stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=harness.clean_environment())
        agent.log_path = self.folder / "log"
        self.processes.append(agent)
        child = self.child("sleep", "60")
        harness.wait_until(lambda: any(e.get("pid") == child.pid for e in self.events(self.folder / "out")), "it polls")
        self.stop(agent)
        self.assertIn("proc.life_cycle_polled", (self.folder / "log").read_text())

    @unittest.skipUnless(ROOT and shutil.which("setpriv"), "needs root and setpriv")
    def test_an_ordinary_user_gets_what_he_may_see_and_the_listed_capabilities_give_the_rest(self):
        os.chmod(self.folder, 0o777)
        child = self.child("sleep", "60")
        fields = ("exe", "cwd", "io_read_bytes", "namespaces", "sockets")
        for capabilities in ("-all", "-all,+sys_ptrace,+dac_read_search"):
            done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", f"--inh-caps={capabilities}",
                                   f"--ambient-caps={capabilities}",
                                   *self.command("agent", "proc", "--once", "--stdout", "-o", "ndjson", state=self.folder / capabilities)],
                                  capture_output=True, env=harness.clean_environment(), timeout=harness.PATIENCE_S)
            self.assertEqual(done.returncode, 0, done.stderr)
            event = {e["pid"]: e for e in map(json.loads, done.stdout.splitlines()) if e["kind"] == "process"}[child.pid]
            self.assertEqual(event["uid"], 0)
            self.assertEqual(event["cmdline"], "sleep 60")
            missing = {m for m in event.get("missing", []) if m.endswith(":EACCES")}
            if capabilities == "-all":
                self.assertLessEqual({f"{f}:EACCES" for f in fields}, missing)
                self.assertFalse([f for f in fields if event.get(f)])
            else:
                self.assertEqual(missing, set())
                self.assertTrue(event["exe"] and event["cwd"] and event["exe_sha256"])


if __name__ == "__main__":
    unittest.main()
