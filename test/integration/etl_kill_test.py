"""kill -9 of `etl --incremental`, once and with --follow, while the log grows: the union of the parts is one clean run, and no
row is there twice.

12 kills of each by default, 100 with AMOSKYS_SOAK, AMOSKYS_KILLS says otherwise. The last case kills at each step of a
commit instead of at random: strace ends the process as it enters the n-th call of a kind.
"""
import json
import os
import random
import signal
import subprocess
import time
import unittest

import etl_case
import harness

KILLS = int(os.environ.get("AMOSKYS_KILLS") or (100 if os.environ.get("AMOSKYS_SOAK") else 12))


class Kills(etl_case.EtlTest):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("AMOSKYS_SEED") or random.randrange(1 << 30))
        print(f"seed {seed}, {KILLS} kills", flush=True)
        self.random = random.Random(seed)
        self.out = self.folder / "increments"
        self.load(300)

    def increment(self, *more, out=None):
        return ("etl", "--incremental", "--out", out or self.out, "--lateness", "20s", "--digits", "17", *more)

    def parts(self, folder):
        return sorted(folder.glob("canonical_telemetry_full/date=*/*"))

    def assert_one_clean_run(self):
        """After a last run, which finds everything that was left."""
        last = self.ok_json(*self.increment())
        self.assertEqual(self.ok_json(*self.increment())["rows"], 0)
        manifest = json.loads((self.out / "manifest.json").read_text())
        self.assertEqual([str(part.relative_to(self.out)) for part in self.parts(self.out)],
                         sorted(file["name"] for file in manifest["files"]))
        self.assertEqual(sorted(file.name for file in self.out.iterdir()),
                         sorted(["canonical_telemetry_full", "manifest.json", manifest["position"]["state"]]))
        self.assertEqual(manifest["run"], last["run"])
        union = self.table(*self.parts(self.out))
        clean = self.folder / "clean"
        self.ok(*self.increment("--baseline", self.out / "manifest.json", out=clean))
        self.assertEqual(union, self.table(*self.parts(clean)))
        return len(union), manifest["run"]

    def test_increments_killed_at_random(self):
        began = time.monotonic()
        self.ok(*self.increment(out=self.folder / "measured"))
        takes = time.monotonic() - began
        killed = runs = 0
        while killed < KILLS:
            began, runs = time.monotonic(), runs + 1
            process = subprocess.Popen(self.command(*self.increment()), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env=harness.clean_environment())
            try:
                process.wait(timeout=self.random.uniform(0, takes))
                # Where it goes on from a position it is done sooner; on a busy host it is late now and then.
                takes = 0.9 * takes + 0.1 * (time.monotonic() - began)
            except subprocess.TimeoutExpired:
                process.kill()
                killed += process.wait() == -signal.SIGKILL
            if runs % 2 == 0:
                self.load(12)
            self.assertLess(runs, 20 * KILLS)
        rows, increments = self.assert_one_clean_run()
        print(f"{killed} of {runs} runs killed before their end; {rows} rows in {increments} increments as in one clean run")

    def test_a_follower_killed_at_random(self):
        for _ in range(KILLS):
            process = subprocess.Popen(self.command(*self.increment("--follow", "--every", "0.1s")), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env=harness.clean_environment())
            self.load(8)
            time.sleep(self.random.uniform(0, 0.3))  # the moment of the kill is what is tried
            process.kill()
            self.assertEqual(process.wait(), -signal.SIGKILL)
        rows, increments = self.assert_one_clean_run()
        print(f"{KILLS} followers killed; {rows} rows in {increments} increments as in one clean run")

    @unittest.skipUnless(harness.may_trace(), "strace is not installed or not permitted here")
    def test_increments_killed_at_each_step_of_a_commit(self):
        killed = 0
        for call, numbers in (("rename,renameat,renameat2", range(1, 5)), ("fsync", range(1, 9)), ("unlink,unlinkat", range(1, 4)),
                              ("mkdir,mkdirat", range(1, 4))):
            for number in numbers:
                trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
                done = subprocess.run([*trace, *self.command(*self.increment())], stdin=subprocess.DEVNULL, capture_output=True,
                                      env=harness.traced_environment())
                self.assertIn(done.returncode, (0, -signal.SIGKILL), done.stderr)
                killed += done.returncode != 0
                self.load(12)
        self.assertGreater(killed, 8)
        rows, increments = self.assert_one_clean_run()
        print(f"killed at {killed} steps; {rows} rows in {increments} increments as in one clean run")


if __name__ == "__main__":
    unittest.main()
