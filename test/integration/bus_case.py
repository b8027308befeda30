"""A bus whose refusals are checked against its metrics page; the base of the tests that speak its protocol."""
import signal
import urllib.error
import urllib.request

import harness
import link_client as link
from link_client import INVALID, OK

REJECTED = "amoskys_bus_rejected_envelopes_total"
REFUSED = "amoskys_bus_refused_connections_total"
AGENTS = ("good", "second", "mute", "stranger", "revoked", "plain", "classic")
TRUST_MAP = """agents:
  good: agents/good.pub
  second: agents/second.pub
  mute: {public_key_path: agents/mute.pub, permissions: [register]}
  revoked: {public_key_path: agents/revoked.pub, revoked: true}
  plain: {public_key_path: agents/plain.pub, permissions: [publish, publish_unsequenced]}
  classic: {public_key_path: agents/classic.pub, permissions: [publish, publish_unsequenced], algorithm: Ed25519}
"""


class BusTest(harness.AmoskysTest):
    """A bus with AGENTS and TRUST_MAP; each refusal is checked against the metrics page."""
    BUS_OPTIONS = ("--handshake-timeout", "1s", "--first-frame-timeout", "1s")

    def setUp(self):
        if link.MISSING:
            self.skipTest(link.MISSING)
        super().setUp()
        self.ok("pki", "init")
        self.identities = {}
        for name in AGENTS:
            self.ok("pki", "issue", "agent", name)
            self.identities[name] = link.Identity(self.state / "pki", name)
        (self.state / "pki" / "trust.yaml").write_text(TRUST_MAP)
        self.bus, self.addresses = self.start_bus(*self.BUS_OPTIONS)

    def trust(self, lines):
        """The running bus trusts nobody but these (lines of the trust map)."""
        (self.state / "pki" / "trust.yaml").write_text("agents:\n" + lines)
        reloads = self.log_lines("certificates and trust map")
        self.bus.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: self.log_lines("certificates and trust map") > reloads, "the trust map is read again")

    def log_lines(self, word):
        with open(self.bus.log_path) as log:
            return sum(word in line for line in log)

    def session(self, agent="good", context=None):
        session = link.Session(self.addresses["listen"], self.identities[agent], context)
        self.addCleanup(session.close)
        return session

    def lane_session(self, agent="good", **lane):
        """(session that has had its WELCOME, lane)"""
        session = self.session(agent)
        lane = link.Lane(self.identities[agent], **lane)
        welcome = session.hello(lane)
        self.assertTrue(hasattr(welcome, "window"), welcome)
        return session, lane

    def counters(self):
        return {name: value for name, value in link.scrape(self.addresses["http"]).items()
                if name.startswith((REJECTED, REFUSED))}

    def grown(self, before):
        """The refusals counted since: {'name{reason="x"}': by}."""
        return {name: value - before.get(name, 0) for name, value in self.counters().items() if value != before.get(name, 0)}

    def assert_counted(self, before, metric, label):
        """Exactly this refusal was counted, once."""
        harness.wait_until(lambda: self.grown(before), f"{metric} {label} is counted")
        self.assertEqual(self.grown(before), {f'{metric}{{reason="{label}"}}': 1.0})

    def assert_refused(self, session, stored, status, reason, label, legacy=False):
        before = self.counters()
        ack = session.publish(stored, legacy)
        self.assertEqual((ack.ack.status, ack.ack.events_accepted), (status, 0), ack)
        self.assertIn(reason, ack.ack.reason)
        if status == INVALID:
            self.assertEqual(list(ack.ack.validation_errors), [ack.ack.reason])
        self.assert_counted(before, REJECTED, label)
        return ack

    def assert_accepted(self, session, lane, stored, events=1):
        ack = session.publish(stored)
        self.assertEqual((ack.ack.status, ack.ack.reason), (OK, ""), ack)
        self.assertEqual(ack.ack.events_accepted, events)
        lane.sent(stored)
        self.assertEqual((ack.committed_epoch, ack.committed_sequence), (lane.epoch, lane.sequence))

    def assert_still_serves(self, agent="second"):
        session, lane = self.lane_session(agent, name="after")
        self.assert_accepted(session, lane, lane.next())
        session.close()

    def metric(self, name):
        """The value of `name{labels}`; 0 where it is not shown."""
        return link.scrape(self.addresses["http"]).get(name, 0)

    def refused(self, reason):
        return self.metric(f'{REFUSED}{{reason="{reason}"}}')

    def ready(self):
        """(status, text) of /readyz"""
        try:
            with urllib.request.urlopen(f"http://{self.addresses['http']}/readyz", timeout=harness.PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def audits(self, category):
        """The audit records of that category, in order."""
        events = self.ok_ndjson("inspect", "events", "--kind", "audit", "--limit", "0")
        return [e["audit"] for e in events if e["audit"]["audit_category"] == category]

    def stop_and_verify(self):
        """The bus ends orderly, and nothing but what it acknowledged is in the log."""
        self.assertEqual(self.stop(self.bus), 0)
        self.ok("inspect", "verify")
        return self.ok_json("inspect", "summary")
