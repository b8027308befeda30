"""Certificates, keys and the trust map change while the bus serves; files alone are enough, a signal is not needed.

What is taken is whole and good; what is not leaves the last good state, says so and is counted.
"""
import os
import ssl
import unittest

import certificates
import harness
import link_client as link
from bus_case import TRUST_MAP, BusTest

RELOADS = "amoskys_bus_reloads_total"
EXPIRY = "amoskys_bus_certificate_expiry_timestamp_seconds"


class Reload(BusTest):
    BUS_OPTIONS = ("--watch-interval", "200ms")

    def setUp(self):
        super().setUp()
        self.pki = self.state / "pki"
        self.ca = certificates.Authority(self.pki)

    def reloads(self, result):
        return self.metric(f'{RELOADS}{{result="{result}"}}')

    def after_reload(self, change, result="ok"):
        before = self.reloads(result)
        change()
        harness.wait_until(lambda: self.reloads(result) > before, f"a reload is counted as {result}")

    def replace(self, name, content):
        """As careful people do it: written beside, renamed over."""
        fresh = self.pki / f"{name}.new"
        fresh.touch(0o600)
        fresh.write_bytes(content)
        os.rename(fresh, self.pki / name)

    def shown_certificate(self, context=None):
        session = self.session(context=context)
        with session:
            return session.socket.getpeercert(True)

    def test_a_new_certificate_is_shown_to_who_comes_and_old_sessions_stay(self):
        session, lane = self.lane_session()
        first, expiry = self.shown_certificate(), self.metric(EXPIRY)
        self.after_reload(lambda: self.ok("pki", "renew", "bus", "--lifetime", "9000h"))
        second = self.shown_certificate()
        self.assertNotEqual(first, second)
        self.assertGreater(self.metric(EXPIRY), expiry)
        self.assert_accepted(session, lane, lane.next())

    def test_files_that_are_not_good_leave_the_last_good_state(self):
        good = {name: (self.pki / name).read_bytes() for name in ("bus.crt", "bus.key", "ca.crt", "trust.yaml")}
        bus_key = certificates.read_key(self.pki / "bus.key")
        session, lane = self.lane_session()
        context = link.tls_context(self.identities["good"])  # the CA file changes below
        shown = self.shown_certificate(context)
        other = self.folder / "other"
        self.ok("pki", "init", state=other)
        bad = {
            "no certificate at all": {"bus.crt": b"nothing\n"},
            "an expired certificate": {"bus.crt": self.ca.issue("bus", bus_key, (-3, -1), server=True)},
            "one that is not yet valid": {"bus.crt": self.ca.issue("bus", bus_key, (1, 3), server=True)},
            "one for clients": {"bus.crt": self.ca.issue("bus", bus_key)},
            "one for another key": {"bus.crt": self.ca.issue("bus", certificates.new_key(), server=True)},
            "one of another CA": {"bus.crt": (other / "pki/bus.crt").read_bytes(), "bus.key": (other / "pki/bus.key").read_bytes()},
            "another CA": {"ca.crt": (other / "pki/ca.crt").read_bytes()},
            "a trust map that is none": {"trust.yaml": b"agents: [good]\n"},
        }
        for what, files in bad.items():
            with self.subTest(what):
                def change():
                    for name, content in files.items():
                        self.replace(name, content)
                self.after_reload(change, "failed")
                self.assertEqual(self.shown_certificate(context), shown)
                self.assert_accepted(session, lane, lane.next())

                def repair():
                    for name in files:
                        self.replace(name, good[name])
                self.after_reload(repair)
        self.assertGreaterEqual(self.log_lines("the former state stays"), len(bad))
        self.assert_still_serves()

    def test_a_revoked_agents_live_session_ends_and_the_change_is_on_record(self):
        session, lane = self.lane_session("good")
        other, other_lane = self.lane_session("second")
        self.assert_accepted(session, lane, lane.next())
        changed = TRUST_MAP.replace("good: agents/good.pub", "good: {public_key_path: agents/good.pub, revoked: true}")
        changed = changed.replace("  second: agents/second.pub", "  second: {public_key_path: agents/second.pub, rate_limit: 900}")
        changed = "\n".join(line for line in changed.splitlines() if "mute" not in line) + "\n"
        (self.pki / "trust.yaml").write_text(changed)
        self.assertEqual(session.receive_until("error").reason, "agent 'good' was revoked")
        with self.assertRaises(link.Closed):
            session.receive()
        self.assertEqual(self.session("good").hello(lane).reason, "agent 'good' is revoked")
        self.assert_accepted(other, other_lane, other_lane.next())
        harness.wait_until(lambda: self.metric("amoskys_bus_trust_changes_total") == 3, "all three changes are on record")
        self.stop_and_verify()
        records = {a["object_id"]: a for a in self.audits("trust")}
        self.assertEqual({name: a["action_performed"] for name, a in records.items()},
                         {"good": "revoked", "second": "changed", "mute": "removed"})
        self.assertIn("revoked; keys", records["good"]["after_value"])
        self.assertIn("; rate 900", records["second"]["after_value"])

    def test_no_session_is_resumed_so_every_connection_is_checked_whole(self):
        context = link.tls_context(self.identities["good"])
        first = self.session("good", context)
        first.hello()
        self.assertFalse(first.socket.session.has_ticket)
        raw = link.tcp(self.addresses["listen"])
        with context.wrap_socket(raw, server_hostname="localhost", session=first.socket.session) as again:
            self.assertFalse(again.session_reused)
        # What a ticket of the bus would be: none comes, also after data has been read.
        with self.assertRaises((ssl.SSLError, TimeoutError)):
            first.socket.settimeout(0.2)
            first.socket.recv(1)
        self.assertFalse(first.socket.session.has_ticket)


if __name__ == "__main__":
    unittest.main()
