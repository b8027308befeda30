"""More than the bus can take: overload, an agent's quota, a disk that fills. Nothing acknowledged is lost, what is
refused is told when to come again, and the bus goes on by itself once it can."""
import contextlib
import os
import pathlib
import subprocess
import time
import unittest

import harness
import link_client as link
from bus_case import BusTest
from link_client import OK, QUOTA_EXCEEDED, RETRY

OVERLOAD = 3
MIB = 1 << 20


class Overload(BusTest):
    def setUp(self):
        self.config = None
        super().setUp()

    def command(self, *args, **kwargs):
        if args[0] == "bus":
            self.config = self.folder / "amoskys.yaml"
            self.config.write_text("bus:\n  overload: auto\n")
            args = ("--config", self.config) + args
        return super().command(*args, **kwargs)

    def test_overload_is_switched_by_the_configuration_file_alone_and_recorded(self):
        session, lane = self.lane_session()
        self.assert_accepted(session, lane, lane.next())
        self.config.write_text("bus:\n  overload: on\n")
        harness.wait_until(lambda: self.ready()[0] == 503, "the file is read again")
        self.assertEqual(self.ready(), (503, "overload is switched on\n"))
        self.assertEqual(self.metric("amoskys_bus_overloaded"), 1)
        ack = session.publish(lane.next()).ack
        self.assertEqual((ack.status, ack.reason), (OVERLOAD, "overload is switched on"))
        self.assertGreater(ack.backoff_hint_ms, 0)
        self.assertEqual(self.metric('amoskys_bus_answered_envelopes_total{status="overload"}'), 1)

        self.config.write_text("bus:\n  overlord: off\n")
        harness.wait_until(lambda: self.log_lines("reload_failed"), "the bad file is told")
        self.assertEqual(self.ready()[0], 503)

        self.config.write_text("bus:\n  overload: off\n")
        harness.wait_until(lambda: self.ready()[0] == 200, "the file is read again")
        self.assert_accepted(session, lane, lane.next())
        self.stop_and_verify()
        self.assertEqual([(a["before_value"], a["after_value"]) for a in self.audits("overload")], [("off", "on"), ("on", "off")])

    def test_an_agent_over_its_rate_is_told_when_to_come_again_and_others_are_not_held(self):
        self.trust("  good: {public_key_path: agents/good.pub, rate_limit: 4}\n  second: agents/second.pub\n")
        session, lane = self.lane_session()
        for _ in range(39):  # the burst: 10 s worth
            self.assert_accepted(session, lane, lane.next())
        ack = None
        for _ in range(20):  # some trickle in meanwhile
            stored = lane.next()
            ack = session.publish(stored).ack
            if ack.status != OK:
                break
            lane.sent(stored)
        self.assertEqual((ack.status, ack.reason), (QUOTA_EXCEEDED, "rate limit of 4 events/s used up"))
        self.assertGreater(ack.backoff_hint_ms, 0)
        self.assertLessEqual(ack.backoff_hint_ms, 1000)
        self.assert_still_serves()
        time.sleep(ack.backoff_hint_ms / 1000)
        self.assert_accepted(session, lane, lane.next())
        self.assertEqual(self.metric('amoskys_bus_rejected_envelopes_total{reason="quota"}'), 1)


@unittest.skipUnless(os.geteuid() == 0, "mounting a small file system needs root")
class FullDisk(BusTest):
    BUS_OPTIONS = ("--wal-min-free", "24MiB", "--wal-segment-max", "16MiB")

    def setUp(self):
        self.mounted = None
        super().setUp()

    def ok(self, *args, **kwargs):
        if args[:2] == ("pki", "init") and not self.mounted:
            self.state.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(self.state)], check=True)
            self.mounted = self.state
            self.addCleanup(subprocess.run, ["umount", "-l", str(self.state)], check=True)
        return super().ok(*args, **kwargs)

    def fill(self, leave_bytes):
        """A file that leaves so much."""
        status = os.statvfs(self.state)
        wanted = status.f_bavail * status.f_frsize - leave_bytes
        filler = self.state / "filler"
        size = filler.stat().st_size if filler.exists() else 0
        with open(filler, "ab") as file:
            os.posix_fallocate(file.fileno(), size, max(wanted, 4096))
        return filler

    def test_the_watermark_answers_retry_before_the_disk_is_full_and_all_goes_on_by_itself(self):
        session, lane = self.lane_session()
        for _ in range(20):
            self.assert_accepted(session, lane, lane.next(padding=10_000), events=2)
        for leave_bytes in (20 * MIB, 0):  # below the watermark; not a byte left
            filler = self.fill(leave_bytes)
            harness.wait_until(lambda: self.ready()[0] == 503, "the watermark is noticed")
            self.assertIn("disk almost full", self.ready()[1])
            ack = session.publish(lane.next()).ack
            self.assertEqual(ack.status, RETRY)
            self.assertIn("disk almost full", ack.reason)
            self.assertGreaterEqual(ack.backoff_hint_ms, 1000)
            # Reads go on, and so do sessions.
            self.assertEqual(self.ok_json("inspect", "summary")["envelopes"], lane.sequence)
            other, other_lane = self.lane_session("second")
            self.assertEqual(other.publish(other_lane.next()).ack.status, RETRY)
            other.close()
            filler.unlink()
            harness.wait_until(lambda: self.ready()[0] == 200, "the bus goes on")
            self.assert_accepted(session, lane, lane.next())
        self.assertGreaterEqual(self.metric('amoskys_bus_rejected_envelopes_total{reason="disk_full"}'), 4)
        self.stop_and_verify()
        self.assertEqual([(a["before_value"], a["after_value"]) for a in self.audits("overload")], [("off", "on"), ("on", "off")] * 2)

    def test_a_bus_that_fills_its_disk_itself_stops_at_the_watermark_and_starts_again(self):
        session, lane = self.lane_session()
        ack = None
        for _ in range(2_000):
            stored = lane.next(padding=100_000)
            ack = session.publish(stored).ack
            if ack.status != OK:
                break
            lane.sent(stored)
        self.assertEqual(ack.status, RETRY)
        status = os.statvfs(self.state)
        self.assertGreater(status.f_bavail * status.f_frsize, 8 * MIB)
        self.stop_and_verify()
        self.bus, self.addresses = self.start_bus(*self.BUS_OPTIONS)
        self.assertEqual(self.ok_json("inspect", "summary")["envelopes"], lane.sequence)
        session = self.session()
        welcome = session.hello(lane)
        self.assertEqual(welcome.committed_sequence, lane.sequence)


if __name__ == "__main__":
    unittest.main()
