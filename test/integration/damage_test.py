"""A damaged log never keeps the bus from starting: what is lost is named, and what cannot be opened says why."""
import os
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.request

import harness
import link_client as link

ENVELOPES = 200  # of 100 KB: two segments of 16 MiB


class DamagedLog(harness.AmoskysTest):
    def setUp(self):
        if link.MISSING:
            self.skipTest(link.MISSING)
        super().setUp()
        self.ok("pki", "init")
        self.ok("pki", "issue", "agent", "good")
        self.identity = link.Identity(self.state / "pki", "good")
        self.lane = link.Lane(self.identity)
        self.segments = None

    def serve(self):
        return self.start_bus("--wal-segment-max", "16MiB")

    def publish(self, address, count=1):
        with link.Session(address, self.identity) as session:
            welcome = session.hello(self.lane)
            self.assertEqual(welcome.committed_sequence, self.lane.sequence)
            for _ in range(count):
                stored = self.lane.next(padding=100_000)
                self.assertEqual(session.publish(stored).ack.status, link.OK)
                self.lane.sent(stored)

    def fill(self):
        bus, addresses = self.serve()
        self.publish(addresses["listen"], ENVELOPES)
        self.assertEqual(self.stop(bus), 0)
        self.segments = sorted((self.state / "wal").glob("*.mdb"))
        self.assertEqual(len(self.segments), 2)

    def page(self, addresses, path):
        try:
            with urllib.request.urlopen(f"http://{addresses['http']}{path}", timeout=harness.PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def gaps(self):
        return [row for row in self.ok_json("inspect", "gaps") if row["kind"] == "damage"]

    def check_named_and_served(self):
        """The bus starts, says degraded, names what is lost, and the lane goes on; returns the damaged ranges."""
        bus, addresses = self.serve()
        self.lane.sequence = self.committed(addresses["listen"])
        status, text = self.page(addresses, "/readyz")
        self.assertEqual(status, 200)
        self.assertIn("degraded: ", text)
        self.assertIn("inspect gaps", text)
        self.assertEqual(self.page(addresses, "/livez"), (200, "ok\n"))
        rows = self.gaps()
        self.assertTrue(rows)
        self.assertTrue(all(row["file"] and row["reason"] for row in rows), rows)
        self.assertEqual(self.stop(bus), 0)
        bus, addresses = self.serve()  # and again, the same
        self.assertIn("degraded: ", self.page(addresses, "/readyz")[1])
        self.assertEqual(self.stop(bus), 0)
        return rows

    def committed(self, address):
        with link.Session(address, self.identity) as session:
            welcome = session.hello(self.lane)
            self.lane.head = welcome.head_sig
            return welcome.committed_sequence

    def test_a_sound_log_is_not_degraded(self):
        self.fill()
        bus, addresses = self.serve()
        self.assertEqual(self.page(addresses, "/readyz"), (200, "ok\n"))
        self.assertEqual(self.gaps(), [])

    def test_a_newest_segment_cut_short(self):
        self.fill()
        os.truncate(self.segments[1], self.segments[1].stat().st_size // 2)
        rows = self.check_named_and_served()
        self.assertTrue(any(row["first"] is not None and row["first"] > 1 for row in rows), rows)

    def test_a_sealed_segment_cut_short(self):
        self.fill()
        os.truncate(self.segments[0], self.segments[0].stat().st_size // 2)
        rows = self.check_named_and_served()
        lost = [row for row in rows if row["last"] is not None]
        self.assertTrue(lost, rows)
        self.assertTrue(all(1 <= row["first"] <= row["last"] <= ENVELOPES for row in lost), rows)
        self.assertEqual(self.lane.sequence, ENVELOPES)  # the newest segment is whole: nothing is sent again

    def test_garbage_instead_of_a_segment(self):
        self.fill()
        self.segments[0].write_bytes(os.urandom(1 << 20))
        rows = self.check_named_and_served()
        self.assertTrue(any(row["first"] == 1 for row in rows), rows)
        self.assertTrue(list((self.state / "wal").glob("*.damaged*")))

    def test_a_flipped_bit_in_a_record_is_found_by_verify_and_the_bus_serves(self):
        self.fill()
        data = bytearray(self.segments[0].read_bytes())
        at = data.find(b"x" * 50_000) + 20_000
        data[at] ^= 1
        self.segments[0].write_bytes(data)
        code, out, _ = self.run_cli("inspect", "verify", "-o", "json")
        self.assertEqual(code, 10)
        self.assertIn('"digest"', out)
        bus, addresses = self.serve()
        self.publish(addresses["listen"])

    def test_a_flipped_bit_in_a_record_s_header_is_a_named_loss(self):
        self.fill()
        data = bytearray(self.segments[0].read_bytes())
        at = data.find(b"AWR1", data.find(b"AWR1", len(data) // 2) + 1)
        data[at + 50] ^= 1
        self.segments[0].write_bytes(data)
        lost = self.gaps()
        self.assertEqual(len(lost), 1, lost)
        self.assertEqual(lost[0]["first"], lost[0]["last"])
        bus, addresses = self.serve()
        self.publish(addresses["listen"])

    def test_a_segment_of_a_newer_version_is_refused_and_left_as_it_is(self):
        self.fill()
        data = bytearray(self.segments[1].read_bytes())
        at = data.find(b"format\x01\x00\x00\x00")
        self.assertGreater(at, 0)
        while at > 0:
            data[at + 6] = 2
            at = data.find(b"format\x01\x00\x00\x00", at)
        self.segments[1].write_bytes(data)
        err = self.fails(65, "bus", "--listen", "127.0.0.1:0", "--http-listen", "")
        self.assertIn(self.segments[1].name, err)
        self.assertIn("segment format 2; this program reads 1", err)
        self.assertEqual(self.segments[1].read_bytes(), bytes(data))
        self.assertFalse(list((self.state / "wal").glob("*.damaged*")))

    def test_a_second_bus_is_told_who_has_the_log(self):
        bus, _ = self.serve()
        err = self.fails(69, "bus", "--listen", "127.0.0.1:0", "--http-listen", "")
        self.assertIn("wal_locked", err)
        self.assertIn(str(bus.pid), err)
        self.assertIsNone(bus.poll())

    def test_a_read_only_disk_is_said_to_be_that(self):
        self.fill()
        if shutil.which("unshare") is None:
            self.skipTest("unshare is not installed")
        script = ('mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99; shift; exec "$@"')
        done = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", str(self.state / "wal"),
                               *self.command("bus", "--listen", "127.0.0.1:0", "--http-listen", "")],
                              capture_output=True, env=harness.clean_environment(), timeout=harness.PATIENCE_S)
        err = done.stderr.decode()
        if done.returncode == 99 or "unshare" in err:
            self.skipTest("mounting is not permitted here: " + err.strip())
        self.assertIn(done.returncode, (73, 74, 77), err)
        self.assertIn("Read-only file system", err)
        self.assertIn(str(self.state / "wal"), err)
        self.assertEqual(pathlib.Path(self.segments[1]).stat().st_size, self.segments[1].stat().st_size)


if __name__ == "__main__":
    import unittest
    unittest.main()
