"""A log is backed up while a bus writes it, destroyed, restored, and everybody goes on without loss.

What the archive is, tar and zstd of Debian say; what the log holds, python3-lmdb says.
"""
import hashlib
import io
import json
import shutil
import signal
import subprocess
import tarfile
import unittest

import bus_case
import harness
import log_reader
import publisher

SEGMENTS = ("--set", "bus.wal.segment_max=16MiB")


class Drill(bus_case.BusTest):
    BUS_OPTIONS = SEGMENTS

    def destroy(self):
        shutil.rmtree(self.state / "wal")
        shutil.rmtree(self.state / "checkpoints")

    def test_backup_beside_the_bus_destroy_restore_verify_and_go_on(self):
        session, lane = self.lane_session()
        for _ in range(380):  # more than one segment
            self.assert_accepted(session, lane, lane.next(padding=50_000), events=2)
        self.assertGreater(len(list((self.state / "wal").glob("*.mdb"))), 1)
        other = publisher.Publisher(self.addresses["listen"], self.identities["second"], seed=1)
        self.addCleanup(other.done.set)
        other.start()
        harness.wait_until(lambda: len(other.acknowledged) > 20, "the other agent publishes")
        hot = self.ok_json("inspect", "backup", self.folder / "hot.tar.zst")
        self.assertTrue(hot["checkpoint"])
        self.assertGreaterEqual(hot["log_files"], 2)
        seen = len(other.acknowledged)
        harness.wait_until(lambda: len(other.acknowledged) > seen + 20, "it goes on")
        other.done.set()
        other.join(harness.PATIENCE_S)
        self.assertIsNone(other.error)
        last = self.ok_json("inspect", "backup", self.folder / "last.tar.zst")
        self.assertGreater(last["tree_size"], hot["tree_size"])
        self.stop(self.bus, signal.SIGKILL)
        session.close()
        before = log_reader.lanes(self.state / "wal")
        other.check_stored(before)

        self.destroy()
        self.assertEqual(self.run_cli("inspect", "summary")[0], 66)
        restored = self.ok_json("inspect", "restore", self.folder / "last.tar.zst")
        self.assertEqual((restored["tree_size"], restored["root"], restored["findings"]),
                         (last["tree_size"], last["root"], 0))
        self.assertEqual((restored["checkpoint"]["size"], restored["checkpoint"]["holds"]), (last["tree_size"], True))
        self.assertTrue(self.ok_json("inspect", "verify")["clean"])
        self.assertEqual(log_reader.lanes(self.state / "wal"), before)

        self.bus, self.addresses = self.start_bus(*self.BUS_OPTIONS)
        again = publisher.Publisher(self.addresses["listen"], self.identities["second"], seed=2)
        again.lane, again.acknowledged, again.window = other.lane, other.acknowledged, other.window
        self.addCleanup(again.done.set)
        known = len(again.acknowledged)
        again.start()
        harness.wait_until(lambda: again.error or len(again.acknowledged) > known + 20, "the other agent goes on")
        again.done.set()
        again.join(harness.PATIENCE_S)
        self.assertIsNone(again.error)
        session = self.session()
        welcome = session.hello(lane)
        self.assertEqual((welcome.committed_epoch, welcome.committed_sequence), (lane.epoch, lane.sequence))
        self.assert_accepted(session, lane, lane.next())
        session.close()
        self.assertEqual(self.stop(self.bus), 0)
        self.assertTrue(self.ok_json("inspect", "verify")["clean"])
        again.check_stored(log_reader.lanes(self.state / "wal"))

        # The one of before is a log too: the begin of what became of it.
        place = self.folder / "elsewhere" / "wal"
        self.ok("inspect", "restore", self.folder / "hot.tar.zst", "--log", place)
        self.assertTrue(self.ok_json("inspect", "verify", "--log", place)["clean"])
        for name, records in log_reader.lanes(place).items():
            self.assertLessEqual(records.items(), before[name].items())


class Agent(harness.AmoskysTest):
    def rows(self, name, first, count):
        file = self.folder / name
        file.write_text("device_id,ts_ns,cpu_pct\n" + "".join(
            f"edge-1,{1_730_000_000_000_000_000 + i * 10**9},{i % 97}\n" for i in range(first, first + count)))
        return file

    def test_an_agent_that_waited_while_the_log_was_lost_delivers_all(self):
        self.ok("pki", "init")
        bus, addresses = self.start_bus()
        self.ok("agent", "replay", self.rows("first.csv", 0, 500), "--bus", addresses["listen"])
        self.ok("inspect", "backup", self.folder / "backup.tar.zst")
        self.stop(bus, signal.SIGKILL)
        agent = self.start("agent", "replay", self.rows("second.csv", 500, 500), "--bus", addresses["listen"])
        shutil.rmtree(self.state / "wal")
        shutil.rmtree(self.state / "checkpoints", ignore_errors=True)
        self.ok("inspect", "restore", self.folder / "backup.tar.zst")
        bus, _ = self.start_bus(listen=addresses["listen"])
        self.assertEqual(agent.wait(timeout=harness.PATIENCE_S), 0)
        self.assertEqual(self.stop(bus), 0)
        self.assertTrue(self.ok_json("inspect", "verify")["clean"])
        times = {event["time"] for event in self.ok_ndjson("inspect", "events", "--metric", "cpu_pct")}
        self.assertEqual(len(times), 1000)
        self.assertEqual(self.ok_ndjson("inspect", "gaps"), [])


class Archive(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        file = self.folder / "rows.csv"
        file.write_text("device_id,ts_ns,cpu_pct\n" + "".join(f"edge-1,{1_730_000_000_000_000_000 + i},1\n" for i in range(50)))
        self.ok("pki", "init")
        bus, addresses = self.start_bus()
        self.ok("agent", "replay", file, "--bus", addresses["listen"])
        self.assertEqual(self.stop(bus), 0)

    def pipe(self, *args, given=b""):
        return subprocess.run(self.command(*args), input=given, capture_output=True, env=harness.clean_environment(),
                              timeout=harness.PATIENCE_S)

    def test_it_is_a_tar_that_others_read_and_goes_through_pipes(self):
        if shutil.which("zstd") is None:
            self.skipTest("zstd is not installed (packaging/setup --test)")
        made = self.pipe("inspect", "backup", "-")
        self.assertEqual((made.returncode, made.stderr), (0, b""))
        plain = subprocess.run(["zstd", "-d", "-c"], input=made.stdout, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
        names = list(files)
        self.assertEqual((names[:3], names[-1]), (["backup.json", "checkpoint", "wal/00000001.mdb"], "SHA256SUMS"))
        sums = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in names[:-1]]
        self.assertEqual(files["SHA256SUMS"].decode().splitlines(), sums)
        self.assertEqual(json.loads(files["backup.json"])["schema"], "amoskys.backup_manifest/1")
        self.assertIn(str(json.loads(files["backup.json"])["tree_size"]), files["checkpoint"].decode().splitlines())

        # Packed again by others, at another level.
        packed = subprocess.run(["zstd", "-19", "-c"], input=plain, capture_output=True, check=True).stdout
        restored = self.pipe("inspect", "restore", "-", "--log", self.folder / "copy", "-o", "json", given=packed)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        self.assertEqual([r.stored for r in log_reader.records(self.folder / "copy")],
                         [r.stored for r in log_reader.records(self.state / "wal")])

    def test_what_is_there_is_not_replaced_and_what_is_damaged_not_restored(self):
        archive = self.folder / "backup.tar.zst"
        self.ok("inspect", "backup", archive)
        self.assertIn("is there already", self.fails(73, "inspect", "backup", archive))
        self.assertIn("is not empty", self.fails(73, "inspect", "restore", archive))
        before = [r.stored for r in log_reader.records(self.state / "wal")]
        sound = archive.read_bytes()
        for cut in (b"", sound[:1000], sound[:-1]):
            archive.write_bytes(cut)
            self.assertIn("nothing was restored", self.fails(65, "inspect", "restore", archive, "--log", self.folder / "copy"))
        self.assertIn("no log at", self.fails(66, "inspect", "backup", self.folder / "b", "--log", self.folder / "none"))
        self.fails(66, "inspect", "restore", self.folder / "none", "--log", self.folder / "copy")
        self.assertFalse((self.folder / "copy").exists() or (self.folder / "copy.restoring").exists())
        self.assertEqual([r.stored for r in log_reader.records(self.state / "wal")], before)


if __name__ == "__main__":
    unittest.main()
