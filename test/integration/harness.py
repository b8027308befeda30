"""Starting the real executable and its counterparts for black-box tests.

Every process is ended by its own pid; every port is free or 0 and on loopback; every state directory is temporary.
The path of the executable comes in AMOSKYS (set by ctest).
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

AMOSKYS = os.environ["AMOSKYS"]
SHARED_DATA = pathlib.Path(os.environ.get("AMOSKYS_SHARED_DATA", "/nonexistent"))
# What is asked here is on loopback; a proxy of the surroundings is none of it.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost,::1"
SOURCE = pathlib.Path(__file__).resolve().parents[2]
# Sanitizer builds are slower; every wait is a limit, not a sleep.
PATIENCE_S = float(os.environ.get("AMOSKYS_TEST_PATIENCE", "60"))


def wait_until(condition, what, timeout_s=None):
    deadline = time.monotonic() + (timeout_s or PATIENCE_S)
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"did not happen in time: {what}")


def tool_works(*command):
    """Whether it is installed, and may do here what it is for."""
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def may_trace():
    return tool_works("strace", "-f", "-o", "/dev/null", "true")


def needs(*programs):
    missing = [each for each in programs if shutil.which(each) is None]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)} (packaging/setup --test)")


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_tcp_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def traced_environment():
    """For strace: LeakSanitizer cannot look at a process that is traced already."""
    return clean_environment() | {"ASAN_OPTIONS": "detect_leaks=0"}


def clean_environment():
    """The environment without what would change the configuration."""
    return {k: v for k, v in os.environ.items()
            if not k.startswith(("AMOSKYS", "BUS_", "IS_")) and k not in ("LOGLEVEL", "STATE_DIRECTORY")}


class AmoskysTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="amoskys-it-"))
        self.state = self.folder / "state"
        self.processes = []

    def tearDown(self):
        # Cleanups all run, the last one added first, also after one that failed.
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        for process in self.processes:
            self.addCleanup(self.stop, process)

    def command(self, *args, state=None):
        return [AMOSKYS, "--state-dir", str(state or self.state), *map(str, args)]

    def run_cli(self, *args, state=None, environment=None, stdin=None, timeout_s=None):
        """Runs to the end; returns (exit code, stdout, stderr)."""
        env = clean_environment()
        env.update(environment or {})
        done = subprocess.run(self.command(*args, state=state), capture_output=True, env=env,
                              input=b"" if stdin is None else stdin.encode(), timeout=timeout_s or PATIENCE_S)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def ok(self, *args, **kwargs):
        code, out, err = self.run_cli(*args, **kwargs)
        self.assertEqual(code, 0, f"{args}: exit {code}\n{err}\n{out}")
        return out

    def ok_json(self, *args, **kwargs):
        return json.loads(self.ok(*args, "-o", "json", **kwargs))

    def ok_ndjson(self, *args, **kwargs):
        return [json.loads(line) for line in self.ok(*args, "-o", "ndjson", **kwargs).splitlines()]

    def fails(self, expected_code, *args, **kwargs):
        """Must fail so, with nothing on stdout; returns stderr."""
        code, out, err = self.run_cli(*args, **kwargs)
        self.assertEqual(code, expected_code, f"{args}: exit {code}\n{err}\n{out}")
        self.assertEqual(out, "", f"{args}: data on stdout of a failed command")
        return err

    def start(self, *args, state=None, environment=None, name=None):
        env = clean_environment()
        env.update(environment or {})
        log = open(self.folder / f"{name or args[0]}-{len(self.processes)}.log", "wb")
        process = subprocess.Popen(self.command(*args, state=state), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        process.log_path = log.name
        log.close()
        self.processes.append(process)
        return process

    def stop(self, process, how=signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(how)
        try:
            code = process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        if process in self.processes:
            self.processes.remove(process)
        self.no_sanitizer_report(process)
        return code

    def no_sanitizer_report(self, process):
        """A report does not always show in the exit code: the process may have been killed after it."""
        if hasattr(process, "log_path"):
            text = pathlib.Path(process.log_path).read_text(errors="replace")
            for sign in ("Sanitizer:", "runtime error:"):
                self.assertNotIn(sign, text)

    def start_bus(self, *args, state=None, listen="127.0.0.1:0"):
        """Returns (process, addresses) once it serves."""
        ready = self.folder / f"ready-{time.monotonic_ns()}.json"
        process = self.start("bus", "--listen", listen, "--http-listen", "127.0.0.1:0", "--ready-file", ready, *args,
                             state=state, name="bus")

        def served():
            if process.poll() is not None:
                raise AssertionError(f"the bus ended with {process.returncode}:\n" + open(process.log_path).read())
            return ready.exists() and ready.stat().st_size > 0
        wait_until(served, "the bus serves")
        return process, json.loads(ready.read_text())

    def start_snmpd(self, config):
        """Debian's snmpd on a free port; returns 'udp:127.0.0.1:PORT'. Skips where it is not installed."""
        if shutil.which("snmpd") is None:
            self.skipTest("snmpd is not installed")
        port = free_udp_port()
        folder = self.folder / f"snmpd-{port}"
        folder.mkdir()
        (folder / "snmpd.conf").write_text(config)
        env = dict(os.environ, SNMP_PERSISTENT_DIR=str(folder))
        process = subprocess.Popen(["snmpd", "-f", "-Lf", str(folder / "log"), "-C", "-c", str(folder / "snmpd.conf"),
                                    f"udp:127.0.0.1:{port}"], env=env, stdin=subprocess.DEVNULL)
        self.processes.append(process)

        def answers():
            done = subprocess.run(["snmpget", "-v2c", "-c", "public", "-t", "0.2", "-r", "0", "-On", f"127.0.0.1:{port}",
                                   "1.3.6.1.2.1.1.3.0"], capture_output=True, env=env)
            return done.returncode == 0
        wait_until(answers, "snmpd answers")
        return f"udp:127.0.0.1:{port}"


class ChildrenTest(AmoskysTest):
    """With programs to be looked at, which are not amoskys."""

    def setUp(self):
        super().setUp()
        self.children = []

    def tearDown(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
        for child in self.children:  # after all have been killed: one may hold another by a debugger's rights
            child.wait(PATIENCE_S)
        super().tearDown()

    def child(self, *args, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(args, **kwargs)
        self.children.append(process)
        return process
