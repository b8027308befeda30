"""Everything at once: agents and publishers through cut and slow links, full disks, stalls, clock jumps, kill -9 of all.

At the end `inspect verify` is clean, and a reader of the log that shares no code with the product (log_reader.py) finds
each envelope that was acknowledged once. test/chaos runs it alone and longer; the seed is printed, and AMOSKYS_SEED
repeats the choices. Needs root: it lives in namespaces of its own (mounts, network), so that nothing of it is seen outside.
"""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

import harness
import link_client as link
import log_reader
from publisher import Publisher

SECONDS = float(os.environ.get("AMOSKYS_CHAOS_S") or (600 if os.environ.get("AMOSKYS_SOAK") else 45))
BUS, EDGE = "10.201.0.1", "10.201.0.2"
FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
INSIDE = "AMOSKYS_CHAOS_INSIDE"
ROWS = 20_000


def sh(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


@unittest.skipIf(os.environ.get(INSIDE) is None, "not in namespaces of its own (root is needed)")
class Chaos(harness.AmoskysTest):
    def setUp(self):
        if link.MISSING or log_reader.lmdb is None:
            self.skipTest(link.MISSING or "python3-lmdb is not installed")
        super().setUp()
        self.seed = int(os.environ.get("AMOSKYS_SEED") or random.randrange(1 << 30))
        print(f"seed {self.seed}, {SECONDS:.0f} s", flush=True)
        self.random = random.Random(self.seed)
        self.count = {}
        self.lay_link()
        self.state.mkdir()
        self.disk(self.state, f"{100 + 3 * int(SECONDS)}m")
        self.listen = f"{BUS}:50051"
        self.ok("pki", "init", "--san", BUS)
        self.edges = {name: self.folder / f"edge-{name}" for name in ("replay", "proc")}
        for name, folder in self.edges.items():
            folder.mkdir()
            self.disk(folder, "24m")
            self.ok("pki", "issue", "agent", name)
            (folder / "pki").symlink_to(self.state / "pki")
        for name in ("py-a", "py-b"):
            self.ok("pki", "issue", "agent", name)
        self.history = self.folder / "history.csv"
        with self.history.open("w") as out:
            out.write("device_id,ts_ns,row\n")
            out.writelines(f"edge-{i % 50},{1764821300000000000 + i * 10**9},{i}\n" for i in range(ROWS))
        self.clock = self.folder / "clock"
        self.clock.write_text("+0")
        dynamic = "INTERP" in sh("readelf", "-lW", harness.AMOSKYS)
        # libfaketime has a race of its own, which TSan would report.
        self.jumping = dynamic and FAKETIME.exists() and os.environ.get("AMOSKYS_SANITIZE") != "thread"
        if not self.jumping:
            print("notice: the bus's own clock jumps only where the executable is dynamic (test/run --all) and faketime is "
                  "installed; agents' clocks jump here", flush=True)

    def lay_link(self):
        """The agents live behind a link of their own."""
        sh("ip", "link", "set", "lo", "up")
        edge = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.processes.append(edge)
        harness.wait_until(lambda: os.readlink(f"/proc/{edge.pid}/ns/net") != os.readlink("/proc/self/ns/net"), "the edge's network")
        sh("ip", "link", "add", "to_edge", "type", "veth", "peer", "name", "to_bus", "netns", edge.pid)
        self.edge = ["nsenter", f"--net=/proc/{edge.pid}/ns/net"]
        for prefix, device, address in (([], "to_edge", BUS), (self.edge, "to_bus", EDGE)):
            sh(*prefix, "ip", "address", "add", f"{address}/24", "dev", device)
            sh(*prefix, "ip", "link", "set", device, "up")
        sh(*self.edge, "ip", "link", "set", "lo", "up")

    def disk(self, folder, size):
        sh("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
        self.addCleanup(sh, "umount", "--lazy", folder)

    # ---- who takes part

    def start_bus_again(self):
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        # Monotonic time begins anywhere after a boot: nothing on the disk may depend on it.
        shifted = ["unshare", "--time", "--monotonic", str(self.random.randint(0, 10**6)), "--fork", "--kill-child"]
        environment = harness.clean_environment()
        if self.jumping:
            environment |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "ASAN_OPTIONS": "verify_asan_link_order=0"}
        log = open(self.folder / "bus.log", "ab")
        command = self.command("bus", "--listen", self.listen, "--http-listen", "127.0.0.1:0", "--ready-file", ready,
                               "--wal-min-free", "8MiB", "--wal-segment-max", "16MiB", "--checkpoint-every", "1s",
                               "--receipt-interval", "1s", "--stalled-write-timeout", "2s", "--drain-timeout", "2s")
        self.bus = subprocess.Popen([*shifted, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.bus.log_path = log.name
        log.close()
        self.processes.append(self.bus)

        def served():
            self.assertIsNone(self.bus.poll(), "the bus did not start:\n" + self.tail(self.bus))
            return ready.exists()
        harness.wait_until(served, "the bus serves")

    def bus_pid(self):
        """`unshare --fork` stays as its parent."""
        return int(pathlib.Path(f"/proc/{self.bus.pid}/task/{self.bus.pid}/children").read_text().split()[0])

    def stop_bus(self, how):
        os.kill(self.bus_pid(), how)
        code = self.bus.wait(timeout=harness.PATIENCE_S)
        self.processes.remove(self.bus)
        self.no_sanitizer_report(self.bus)
        return code

    def tail(self, process):
        return "\n".join(pathlib.Path(process.log_path).read_text(errors="replace").splitlines()[-30:])

    def agent(self, name, *args):
        """On the far side of the link; a shell of nsenter is not left between: it execs."""
        log = open(self.folder / f"{name}.log", "ab")
        # min-free must fit the small disk.
        command = self.command("agent", name, *args, "--id", name, "--bus", self.listen, "--spool-max-bytes", "16MiB",
                               "--spool-min-free", "4MiB", "--ack-timeout", "3600s", state=self.edges[name])
        process = subprocess.Popen([*self.edge, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env=harness.clean_environment())
        process.log_path = log.name
        log.close()
        self.processes.append(process)
        return process

    def start_agent(self, name):
        arguments = {"replay": [self.history, "--send-rate", 4000], "proc": ["--interval", "0.2s"]}[name]
        self.agents[name] = self.agent(name, *arguments)

    def stop(self, process, how=signal.SIGTERM):
        """`unshare --fork` does not end by SIGTERM; killed, it takes its child along."""
        return super().stop(process, signal.SIGKILL if process is getattr(self, "bus", None) else how)

    def agent_ended_orderly(self, name):
        """replay ends by itself when the bus has all; nothing else ends an agent, not even a full disk."""
        process = self.agents[name]
        if process.poll() is None:
            return
        self.processes.remove(process)
        self.no_sanitizer_report(process)
        self.assertEqual((name, process.returncode), ("replay", 0), self.tail(process))
        self.start_agent(name)

    # ---- what happens to them

    def hold(self, low, high):
        time.sleep(self.random.uniform(low, high))  # how long the trouble lasts is what is tried

    def kill_bus(self):
        self.stop_bus(signal.SIGKILL)
        self.start_bus_again()

    def end_bus(self):
        self.assertEqual(self.stop_bus(signal.SIGTERM), 0, self.tail(self.bus))
        self.start_bus_again()

    def stall_bus(self):
        pid = self.bus_pid()
        os.kill(pid, signal.SIGSTOP)
        self.hold(0.2, 2)
        os.kill(pid, signal.SIGCONT)

    def kill_agent(self):
        name = self.random.choice(sorted(self.agents))
        self.stop(self.agents[name], signal.SIGKILL)
        self.start_agent(name)

    def cut_link(self):
        sh("ip", "link", "set", "to_edge", "down")
        self.hold(0.2, 3)
        sh("ip", "link", "set", "to_edge", "up")

    def slow_link(self):
        """A small bucket with a short queue both slows down and loses packets."""
        for prefix, device in (([], "to_edge"), (self.edge, "to_bus")):
            sh(*prefix, "tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", self.random.choice(("256kbit", "4mbit")),
               "burst", "10kb", "latency", self.random.choice(("5ms", "300ms")))
        self.hold(1, 4)
        for prefix, device in (([], "to_edge"), (self.edge, "to_bus")):
            sh(*prefix, "tc", "qdisc", "del", "dev", device, "root")

    def fill(self, folder):
        """Until not a byte more fits."""
        with (folder / "filler").open("wb", buffering=0) as out:
            try:
                while True:
                    out.write(bytes(1 << 20))
            except OSError:
                pass

    def full_bus_disk(self):
        self.fill(self.state)
        self.hold(0.3, 2)
        if self.random.random() < 0.5:
            self.kill_bus()  # it must start on a full disk
            self.hold(0.1, 0.5)
        (self.state / "filler").unlink()

    def full_agent_disk(self):
        folder = self.edges["replay"]
        self.fill(folder)
        self.hold(0.3, 2)
        (folder / "filler").unlink()

    def clock_jump(self):
        # 22 hours back: with the publishers' own shifts envelopes stay within the day ahead that a bus allows.
        self.clock.write_text(self.random.choice(("+0", "+120", "+7200", "-60", "-79200")))
        self.hold(0.2, 2)
        self.clock.write_text("+0")

    def test_nothing_acknowledged_is_missing_and_nothing_is_there_twice(self):
        try:
            self.run_chaos()
        except BaseException:
            for name in ("bus", "replay", "proc"):
                print(f"---- {name}.log\n" + "".join(open(self.folder / f"{name}.log", errors="replace").readlines()[-25:]), flush=True)
            raise

    def run_chaos(self):
        self.start_bus_again()
        self.agents = {}
        for name in sorted(self.edges):
            self.start_agent(name)
        publishers = [Publisher(self.listen, link.Identity(self.state / "pki", name), self.random.random())
                      for name in ("py-a", "py-b")]
        for publisher in publishers:
            publisher.start()
            self.addCleanup(publisher.join)
            self.addCleanup(publisher.done.set)
        troubles = [self.kill_bus, self.kill_bus, self.end_bus, self.stall_bus, self.kill_agent, self.kill_agent, self.kill_agent,
                    self.cut_link, self.slow_link, self.full_bus_disk, self.full_agent_disk]
        if self.jumping:
            troubles.append(self.clock_jump)
        self.random.shuffle(troubles)
        deadline, number = time.monotonic() + SECONDS, 0
        while time.monotonic() < deadline or number < len(troubles):
            trouble = troubles[number] if number < len(troubles) else self.random.choice(troubles)
            number += 1
            trouble()
            self.count[trouble.__name__] = self.count.get(trouble.__name__, 0) + 1
            for name in sorted(self.agents):
                self.agent_ended_orderly(name)
            for publisher in publishers:
                self.assertIsNone(publisher.error, publisher.error)
            self.hold(0.1, 0.6)
        self.finish(publishers)

    def finish(self, publishers):
        """All is well again: everybody gets rid of what is left."""
        for publisher in publishers:
            before = len(publisher.acknowledged)
            harness.wait_until(lambda p=publisher, b=before: p.error or len(p.acknowledged) > b, "the publishers go on", 120)
            publisher.done.set()
            publisher.join()
            self.assertIsNone(publisher.error, publisher.error)
        self.agent_ended_orderly("replay")
        replay = self.agents["replay"]
        harness.wait_until(lambda: replay.poll() is not None, "replay ends by itself", 180)
        self.assertEqual(self.stop(replay), 0, self.tail(replay))
        self.stop(self.agents["proc"])
        last = self.agent("proc", "--once")
        harness.wait_until(lambda: last.poll() is not None, "proc's spool is empty", 180)
        self.assertEqual(self.stop(last), 0, self.tail(last))
        self.assertEqual(self.stop_bus(signal.SIGTERM), 0, self.tail(self.bus))
        verification = self.ok_json("inspect", "verify", timeout_s=300)
        self.assertEqual(verification["findings"], [])

        lanes = log_reader.lanes(self.state / "wal")
        for publisher in publishers:
            publisher.check_stored(lanes)
            self.assertGreater(len(publisher.acknowledged), SECONDS)
            self.assertGreater(publisher.refused_clock, 0)
        rows = set()
        for event in self.ok_ndjson("inspect", "events", "--metric", "row", "--limit", "0", timeout_s=300):
            rows.add(event["value"])
        self.assertEqual(rows, set(range(ROWS)))
        self.assertIn(("proc", "proc"), lanes)
        told = {f"{agent}/{lane}": len(stored) for (agent, lane), stored in sorted(lanes.items())}
        print(f"envelopes {told}, sessions {[p.sessions for p in publishers]}, troubles {dict(sorted(self.count.items()))}", flush=True)


if __name__ == "__main__":
    if os.environ.get(INSIDE) is None and os.geteuid() == 0 and shutil.which("unshare"):
        unshare = ["unshare", "--mount", "--net", "--propagation", "private"]
        if subprocess.run([*unshare, "true"], capture_output=True).returncode == 0:
            os.environ[INSIDE] = "1"
            os.execvp("unshare", [*unshare, sys.executable, "-B", *sys.argv])
    unittest.main()
