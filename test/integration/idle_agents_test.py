"""What 2,000 connected idle agents cost the bus: under 150 MB of resident memory, each with its own identity and lane
and an envelope in the log. The figures are printed."""
import os
import resource
import ssl
import unittest

import certificates
import harness
import link_client as link
from bus_case import BusTest

AGENTS = int(os.environ.get("AMOSKYS_IDLE_AGENTS", "2000"))
LIMIT_KB_EACH = 75  # 150 MB / 2,000


class IdleAgents(BusTest):
    def memory_kb(self):
        with open(f"/proc/{self.bus.pid}/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        return {name: int(lines[name].split()[0]) for name in ("VmRSS", "RssAnon")}

    def make_agents(self):
        """Certificates for all; one key for the TLS of all, one signing key each is not needed by who sends one envelope."""
        pki = self.state / "pki"
        authority, key = certificates.Authority(pki), certificates.new_key()
        (self.folder / "agents.key").write_bytes(certificates.private_pem(key))
        trust = "agents:\n"
        identities = []
        for i in range(AGENTS):
            name = f"idle-{i}"
            signing = link.other_key()
            (pki / "agents" / f"{name}.pub").write_bytes(certificates.public_pem(signing))
            trust += f"  {name}: agents/{name}.pub\n"
            (self.folder / f"{name}.crt").write_bytes(authority.issue(name, key))
            identities.append((name, signing))
        (pki / "trust.yaml").write_text(trust)
        return identities

    def connect(self, name, signing):
        """(session, lane), an envelope acknowledged"""
        identity = link.Identity.__new__(link.Identity)
        identity.name, identity.key, identity.key_id = name, signing, link.key_id(signing)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.state / "pki/ca.crt")
        context.load_cert_chain(self.folder / f"{name}.crt", self.folder / "agents.key")
        context.set_alpn_protocols(["amoskys/1"])
        session = link.Session(self.addresses["listen"], identity, context)
        self.addCleanup(session.close)
        lane = link.Lane(identity)
        self.assertTrue(hasattr(session.hello(lane), "window"))
        self.assert_accepted(session, lane, lane.next())
        return session, lane

    def test_idle_agents_cost_what_they_must(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertGreater(hard, AGENTS + 100, "this test needs more open files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.assertEqual(self.stop(self.bus), 0)
        identities = self.make_agents()
        self.bus, self.addresses = self.start_bus()
        before = self.memory_kb()
        sessions = [self.connect(*identity) for identity in identities]
        self.assertEqual(self.metric("amoskys_bus_unanswered_envelopes"), 0)
        harness.wait_until(lambda: self.metric("amoskys_bus_sessions") == AGENTS, "all are counted")

        def grown():
            return {name: value - before[name] for name, value in self.memory_kb().items()}
        # Buffers are given back by a tick each second. A sanitizer's memory says nothing.
        if not os.environ.get("AMOSKYS_SANITIZE"):
            harness.wait_until(lambda: max(grown().values()) < LIMIT_KB_EACH * AGENTS, f"{AGENTS} idle agents fit: {grown()} KB")
        for name, value in grown().items():
            print(f"{name}: {before[name]} KB, and {value} KB with {AGENTS} idle agents: {value / AGENTS:.1f} KB each", flush=True)
        # Whoever of them wakes up is served.
        session, lane = sessions[AGENTS // 2]
        self.assert_accepted(session, lane, lane.next())


if __name__ == "__main__":
    unittest.main()
