"""etl and disks that are full, fail or take nothing, and a log that grows while it is read: each time one clear outcome, and
under its final name every table is the old one or the new one, whole."""
import csv
import json
import os
import random
import resource
import shlex
import signal
import subprocess
import unittest

import harness

START_NS = 1_764_821_310_000_000_000
TABLES = [f"{name}.{form}" for name in ("canonical_telemetry_full", "train_features", "val_features") for form in ("csv", "parquet")]
NO_DISK = (73, 74)  # cannot create, input or output failed


class DiskTest(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        self.ok("pki", "init")
        self.bus, self.addresses = self.start_bus()
        self.random = random.Random(3)
        self.loaded = 0
        self.load(400)
        self.out = self.folder / "out"
        self.out.mkdir()

    def load(self, instants):
        lines = ["device_id,ts_ns," + ",".join(f"metric_{i}" for i in range(6))]
        for i in range(self.loaded, self.loaded + instants):
            for device in ("a", "b"):
                lines.append(f"{device},{START_NS + i * 10 * 10**9}," + ",".join(f"{self.random.uniform(0, 1e6):.6f}" for _ in range(6)))
        self.loaded += instants
        rows = self.folder / f"rows-{self.loaded}.csv"
        rows.write_text("\n".join(lines) + "\n")
        self.ok("agent", "replay", rows, "--bus", self.addresses["listen"])

    def tables(self, folder):
        return {name: (folder / name).read_bytes() for name in TABLES if (folder / name).exists()}

    def old_and_new(self):
        """What is in the folder, and what a run that finishes would put there."""
        self.ok("etl", "--out", self.out, "--step", "1m")
        self.ok("etl", "--out", self.folder / "expected")
        old, new = self.tables(self.out), self.tables(self.folder / "expected")
        self.assertEqual((sorted(old), sorted(new)), (sorted(TABLES), sorted(TABLES)))
        for name in TABLES:
            self.assertNotEqual(old[name], new[name])
        return old, new

    def assert_whole(self, old, new, code, told):
        """True where the run finished."""
        found = self.tables(self.out)
        if code == 0:
            self.assertEqual(found, new)
            return True
        self.assertIn(code, NO_DISK, told)
        self.assertEqual(told.count("\n"), 1, told)
        for name in TABLES:
            self.assertIn(found[name], (old[name], new[name]), name)
        for document in self.out.glob("*.json"):
            json.loads(document.read_text())
        for picture in self.out.glob("*.svg"):
            self.assertTrue(picture.read_text().endswith("</svg>\n"), picture)
        self.assertEqual([file.name for file in self.out.iterdir() if file.name.startswith(".")], [])
        return False

    def test_a_file_system_that_is_full_at_any_size_leaves_old_or_new_files_and_says_so(self):
        old, new = self.old_and_new()
        finished = []
        for kilobytes in (0, 1, 4, 16, 64, 128, 256, 512, 1024, 4096, 1 << 20):
            def limit():
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))
            done = subprocess.run(self.command("etl", "--out", self.out), capture_output=True, text=True, preexec_fn=limit,
                                  env=harness.clean_environment())
            finished.append(self.assert_whole(old, new, done.returncode, done.stderr))
            if done.returncode != 0:
                self.assertIn("File too large", done.stderr)
        self.assertEqual((finished[0], finished[-1]), (False, True), finished)

    def test_increments_on_a_full_disk_go_on_where_they_were_once_there_is_room(self):
        args = ["etl", "--incremental", "--out", self.out, "--lateness", "20s"]
        self.ok(*args)
        before = {file: file.read_bytes() for file in self.out.rglob("*") if file.is_file()}
        self.load(200)
        for kilobytes in (0, 4, 64):
            def limit():
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))
            done = subprocess.run(self.command(*args), capture_output=True, text=True, preexec_fn=limit,
                                  env=harness.clean_environment())
            self.assertIn(done.returncode, NO_DISK, done.stderr)
            for file, content in before.items():
                self.assertEqual(file.read_bytes(), content, file)
        self.assertGreater(self.ok_json(*args)["rows"], 0)
        rows = [line for part in self.out.rglob("part-*.csv") for line in part.read_text().splitlines()[1:]]
        clean = self.folder / "clean"
        self.ok(*args[:2], "--out", clean, *args[4:], "--baseline", self.out / "manifest.json")
        expected = [line for part in clean.rglob("part-*.csv") for line in part.read_text().splitlines()[1:]]
        self.assertEqual(sorted(rows), sorted(expected))

    def test_a_tmpfs_without_room_is_said_with_the_file(self):
        """A real file system, in a mount namespace of the command's own."""
        if not harness.tool_works("unshare", "-m", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(self.out)):
            self.skipTest("no mounts here; the case with a limit of the file size tries the same code")
        for size in ("64k", "512k"):
            command = " ".join(shlex.quote(part) for part in self.command("etl", "--out", self.out))
            script = (f"mount -t tmpfs -o size={size} tmpfs {shlex.quote(str(self.out))} && {{ {command}; code=$?; "
                      f"ls -A {shlex.quote(str(self.out))}; exit $code; }}")
            done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True,
                                  env=harness.clean_environment())
            self.assertIn(done.returncode, NO_DISK, done.stderr)
            self.assertIn("No space left on device", done.stderr)
            for name in done.stdout.split():
                self.assertNotIn(name, ("pipeline_summary.json", "feature_metadata.json"))

    def test_a_disk_that_fails_at_any_call_leaves_old_or_new_files_and_says_so(self):
        if not harness.may_trace():
            self.skipTest("strace is not installed or not permitted here")
        old, new = self.old_and_new()
        outcomes = {True: 0, False: 0}
        for call, numbers in (("write", (1, 2, 3, 5, 8, 13)), ("fsync", range(1, 14)), ("rename,renameat,renameat2", range(1, 13)),
                              ("pread64", (1, 2)), ("openat", (6, 9, 12, 15))):
            for number in numbers:
                trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error=EIO:when={number}"]
                done = subprocess.run([*trace, *self.command("etl", "--quiet", "--out", self.out)], capture_output=True, text=True,
                                      env=harness.traced_environment())
                # Its configuration or the log could not be opened: said with their own code; or, of a dynamic build, a
                # library could not be read (127).
                if done.returncode == 127 or call == "openat" and done.returncode not in (0, *NO_DISK):
                    continue
                outcomes[self.assert_whole(old, new, done.returncode, done.stderr)] += 1
        self.assertGreater(outcomes[False], 10, outcomes)

    def test_a_folder_that_takes_no_files_is_said_and_stays_as_it_is(self):
        self.ok("etl", "--out", self.out)
        before = self.tables(self.out)
        without_privileges = []
        if os.geteuid() == 0:  # root writes in any folder but by these capabilities
            without_privileges = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
            if not harness.tool_works(*without_privileges, "true"):
                self.skipTest("root here cannot give up its capabilities")
        self.out.chmod(0o555)
        for more in ([], ["--incremental"]):
            done = subprocess.run([*without_privileges, *self.command("etl", "--out", self.out, *more)], capture_output=True,
                                  text=True, env=harness.clean_environment())
            self.assertIn(done.returncode, (73, 77), done.stderr)
            self.assertIn(str(self.out), done.stderr)
            self.assertIn("Permission denied", done.stderr)
            self.assertEqual(self.tables(self.out), before)

    def test_a_batch_of_a_log_that_grows_is_a_batch_of_what_was_there(self):
        """While an agent publishes, each run has rows of a beginning of the log, and the numbers of the last run."""
        lines = ["device_id,ts_ns,metric_0"]
        for i in range(self.loaded, self.loaded + 30_000):
            lines.append(f"a,{START_NS + i * 10 * 10**9},{self.random.uniform(0, 100):.6f}")
        rows = self.folder / "long.csv"
        rows.write_text("\n".join(lines) + "\n")
        baseline = self.folder / "first"
        self.ok("etl", "--out", baseline)
        args = ("--baseline", baseline / "feature_metadata.json", "--format", "csv")
        agent = self.start("agent", "replay", rows, "--bus", self.addresses["listen"], "--batch-max-bytes", "4096")
        ends, tables, running = [], [], True
        while running:
            running = agent.poll() is None
            summary = self.ok_json("etl", "--out", self.out, *args)
            ends.append(summary["data_source"]["last_offset"])
            tables.append(self.read(self.out / "canonical_telemetry_full.csv"))
            self.assertEqual(len(tables[-1]), summary["rows"])
        self.assertEqual(agent.returncode, 0)
        self.assertEqual(ends, sorted(ends))
        for earlier in tables:
            for key, cells in earlier.items():
                self.assertEqual(tables[-1][key], cells, key)
        self.assertGreater(len(tables[-1]), 30_000 * 10 / 30 - 10)

    def read(self, path):
        with open(path, newline="") as file:
            rows = list(csv.reader(file))
        return {(row[0], row[1]): dict(cell for cell in zip(rows[0], row) if cell[1]) for row in rows[1:]}


if __name__ == "__main__":
    unittest.main()
