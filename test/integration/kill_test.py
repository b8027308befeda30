"""kill -9 of the bus and of the agents while they publish at full speed: every acknowledged envelope is there once.

200 kills by default, 1,000 with AMOSKYS_SOAK, AMOSKYS_KILLS says otherwise; without AMOSKYS_SOAK no more begin after
AMOSKYS_KILLS_S seconds. The second part kills at each step instead of at random: strace ends the process as it enters
the n-th call of a kind.
"""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time
import unittest

import harness
import link_client as link
import log_reader
from publisher import Publisher

SOAK = bool(os.environ.get("AMOSKYS_SOAK"))
KILLS = int(os.environ.get("AMOSKYS_KILLS") or (1000 if SOAK else 200))
SECONDS_MAX = float(os.environ.get("AMOSKYS_KILLS_S") or (3600 if SOAK else 240))
ROWS = 40_000


class Kills(harness.AmoskysTest):
    def setUp(self):
        if link.MISSING or log_reader.lmdb is None:
            self.skipTest(link.MISSING or "python3-lmdb is not installed")
        super().setUp()
        self.ok("pki", "init")
        self.listen = f"127.0.0.1:{harness.free_tcp_port()}"

    def identity(self, name):
        self.ok("pki", "issue", "agent", name)
        return link.Identity(self.state / "pki", name)

    def history(self, name, rows):
        file = self.folder / f"{name}.csv"
        with file.open("w") as out:
            out.write("device_id,ts_ns,row," + ",".join(f"m{i}" for i in range(19)) + "\n")
            for i in range(rows):
                out.write(f"{name}-{i % 50},{1764821300000000000 + i * 1_000_000_000},{i},"
                          + ",".join(str(i + k) for k in range(19)) + "\n")
        return file

    def edge(self, name):
        """A state directory of an agent's own, with the bus's keys."""
        self.ok("pki", "issue", "agent", name)
        state = self.folder / f"agent-{name}"
        state.mkdir()
        (state / "pki").symlink_to(self.state / "pki")
        return state

    def publish(self, name, state, file):
        return self.start("agent", "replay", file, "--bus", self.listen, "--id", name, state=state, name="replay")

    def drain(self, name, state):
        """What is left in the spool is sent by a last short run."""
        rows = self.folder / "last.csv"
        rows.write_text("device_id,ts_ns,last\nend,1764821300000000000,1\n")
        self.ok("agent", "replay", rows, "--bus", self.listen, "--id", name, state=state, timeout_s=300)

    def rows_of(self, name):
        events = self.ok_ndjson("inspect", "events", "--metric", "row", "--limit", "0", timeout_s=300)
        return {event["value"] for event in events if event["device"].startswith(f"{name}-")}

    def check_log(self, *publishers):
        verification = self.ok_json("inspect", "verify", timeout_s=600)
        self.assertEqual(verification["findings"], [])
        lanes = log_reader.lanes(self.state / "wal")
        for publisher in publishers:
            publisher.check_stored(lanes)
        return lanes

    def test_kills_of_bus_and_agents_lose_and_repeat_nothing(self):
        seed = int(os.environ.get("AMOSKYS_SEED") or random.randrange(1 << 30))
        print(f"seed {seed}, {KILLS} kills", flush=True)
        chance = random.Random(seed)
        # Two lanes at full speed: replay reads the whole file again at each start, so every row may come several
        # times, but each envelope of a lane once. A third lane remembers what was acknowledged to it.
        names = ["a", "b"]
        states = {name: self.edge(name) for name in names}
        files = {name: self.history(name, ROWS) for name in names}
        publisher = Publisher(self.listen, self.identity("py"), seed)
        bus, _ = self.start_bus(listen=self.listen)
        agents = {name: self.publish(name, states[name], files[name]) for name in names}
        publisher.start()
        self.addCleanup(publisher.done.set)
        begin, kills, victims = time.monotonic(), {"bus": 0, "a": 0, "b": 0}, []
        while sum(kills.values()) < KILLS and time.monotonic() - begin < SECONDS_MAX:
            time.sleep(chance.uniform(0.02, 0.15))  # the moment of the kill is what is tried
            if not victims:  # in random order, each as often as the others
                victims = chance.sample(sorted(kills), len(kills))
            victim = victims.pop()
            kills[victim] += 1
            if victim == "bus":
                self.stop(bus, signal.SIGKILL)
                bus, _ = self.start_bus(listen=self.listen)
            else:
                self.stop(agents[victim], signal.SIGKILL)
                agents[victim] = self.publish(victim, states[victim], files[victim])
            self.assertIsNone(publisher.error, publisher.error)
        self.assertGreaterEqual(min(kills.values()), min(KILLS, 10) // 5, kills)
        publisher.done.set()
        publisher.join()
        self.assertIsNone(publisher.error, publisher.error)
        for name in names:
            self.stop(agents[name])
            self.drain(name, states[name])
        self.assertEqual(self.stop(bus), 0)
        lanes = self.check_log(publisher)
        self.assertGreater(len(publisher.acknowledged), kills["bus"])
        told = {agent: len(stored) for (agent, _), stored in sorted(lanes.items())}
        print(f"kills {kills} in {time.monotonic() - begin:.0f} s; envelopes {told}, acknowledged to py "
              f"{len(publisher.acknowledged)} in {publisher.sessions} sessions", flush=True)


class KillsAtEachStep(Kills):
    """strace kills as a call is entered, so the call itself does not happen: what stands between two calls is tried."""
    # Pages, data sync, meta page (a pwrite64 to an O_DSYNC descriptor), what the peer is told; opening and greeting
    # before that.
    STEPS = [("pwrite64", number) for number in range(1, 13)] + [("fdatasync", number) for number in range(1, 7)] + [
        ("sendto,sendmsg", number) for number in range(1, 7)]
    test_kills_of_bus_and_agents_lose_and_repeat_nothing = None

    def setUp(self):
        if shutil.which("strace") is None or subprocess.run(["strace", "-f", "-o", "/dev/null", "true"],
                                                            capture_output=True).returncode != 0:
            self.skipTest("strace is not installed or not permitted here")
        super().setUp()

    def assert_killed(self, call, number, *args, state=None):
        """Starts the command, which is killed at the number-th such call of one of its threads."""
        log = open(self.folder / "killed.log", "ab")
        trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
        process = subprocess.Popen([*trace, *self.command(*args, state=state)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env=harness.clean_environment())
        log.close()
        try:
            code = process.wait(timeout=harness.PATIENCE_S)
        except subprocess.TimeoutExpired:
            code = "it goes on"
            for child in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
            process.wait()
        self.assertEqual(code, -signal.SIGKILL, f"not killed at {call} {number}")

    def test_the_bus_killed_at_each_step_of_append_commit_and_ack(self):
        publisher = Publisher(self.listen, self.identity("py"), 1)
        publisher.start()
        self.addCleanup(publisher.done.set)
        bus = ["bus", "--listen", self.listen, "--http-listen", "", "--checkpoint-every", "0.2s", "--receipt-interval", "0.2s"]
        for call, number in self.STEPS:
            self.assert_killed(call, number, *bus)
            self.assertIsNone(publisher.error, publisher.error)
        process, _ = self.start_bus(listen=self.listen)
        before = len(publisher.acknowledged)
        harness.wait_until(lambda: publisher.error or len(publisher.acknowledged) > before, "the publisher goes on")
        publisher.done.set()
        publisher.join()
        self.assertIsNone(publisher.error, publisher.error)
        self.assertEqual(self.stop(process), 0)
        self.check_log(publisher)

    def test_an_agent_killed_at_each_step_of_its_spool(self):
        rows = 3000
        state, file = self.edge("a"), self.history("a", rows)
        bus, _ = self.start_bus(listen=self.listen)
        replay = ["agent", "replay", file, "--bus", self.listen, "--id", "a", "--batch-max-bytes", "4096"]
        # Signed and stored, sent, acknowledged: the cursor and the trimming are commits of the spool as well.
        for call, number in self.STEPS:
            self.assert_killed(call, number, *replay, state=state)
        self.ok(*replay, state=state, timeout_s=300)
        self.assertEqual(self.stop(bus), 0)
        self.check_log()
        self.assertEqual(self.rows_of("a"), set(range(rows)))


if __name__ == "__main__":
    unittest.main()
