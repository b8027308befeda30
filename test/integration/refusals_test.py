"""What the bus refuses once TLS let the peer in (tls_test.py: what TLS refuses), each with its own reason and metric,
and that it keeps serving the others.

The client is Python's TLS and protobuf (link_client.py); an envelope that breaks one rule keeps all the others, so
its signature fits what is sent.
"""
import socket
import struct
import threading
import unittest

import harness
import link_client as link
from bus_case import REFUSED, BusTest
from link_client import BYTES, END_GROUP, FIXED64, INVALID, OK, RETRY, SECURITY_VIOLATION, START_GROUP, VARINT, field, tag


class Connections(BusTest):
    def assert_hello_refused(self, code, reason, label, agent="good", **hello):
        before = self.counters()
        session = self.session(agent)
        error = session.hello(**hello)
        self.assertEqual(error.code, getattr(link.proto("bus").ErrorFrame, code), error)
        self.assertIn(reason, error.reason)
        with self.assertRaises(link.Closed):
            session.receive()
        self.assert_counted(before, REFUSED, label)

    def test_each_bad_peer_is_refused_for_its_own_reason_and_others_are_served(self):
        self.assert_hello_refused("IDENTITY_REFUSED", "agent 'stranger' is not in the trust map", "unknown_agent", "stranger")
        self.assert_hello_refused("IDENTITY_REFUSED", "agent 'revoked' is revoked", "revoked", "revoked")
        self.assert_hello_refused("IDENTITY_REFUSED", "agent_id 'second' is not the certificate's CN 'good'",
                                  "agent_id_mismatch", agent_id="second")
        self.assert_hello_refused("PERMISSION_DENIED", "agent 'mute' may not publish (trust map)", "no_publish_permission",
                                  "mute", lane=link.Lane(self.identities["mute"]))
        self.assert_still_serves()
        self.assertEqual(self.stop_and_verify()["envelopes"], 1)

    def test_without_publish_permission_a_session_without_lane_cannot_publish_either(self):
        session = self.session("mute")
        session.hello()
        self.assert_refused(session, link.Lane(self.identities["mute"]).next(sequence=None), SECURITY_VIOLATION,
                            "agent 'mute' may not publish (trust map)", "no_publish_permission")

    def test_what_is_not_the_protocol_ends_the_connection_alone(self):
        witness, lane = self.lane_session("second")
        before = self.counters()
        with link.tcp(self.addresses["listen"]) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + bytes(range(256)) * 16)
            self.assert_counted(before, REFUSED, "not_tls")
        before = self.counters()
        with link.tcp(self.addresses["listen"]):
            self.assert_counted(before, REFUSED, "timeout")

        before = self.counters()
        silent = self.session()
        answer = silent.receive()
        self.assertEqual(answer.error.code, link.proto("bus").ErrorFrame.TIMEOUT)
        self.assertIn("no HELLO within 1s", answer.error.reason)
        self.assert_counted(before, REFUSED, "first_frame_timeout")

        for length, reason, label in ((0xFFFFFFFF, "Frame too large (4294967295 > 262144 bytes)", "frame_too_large"),
                                      (262145, "Frame too large (262145 > 262144 bytes)", "frame_too_large"),
                                      (0, "frame of length 0", "malformed_frame")):
            for greeted in (False, True):
                before = self.counters()
                session = self.session()
                if greeted:
                    session.hello()
                memory = self.bus_memory_kib()
                session.socket.sendall(struct.pack(">I", length) + b"x" * 100)
                error = session.receive().error
                self.assertIn(reason, error.reason)
                self.assertLess(self.bus_memory_kib() - memory, 8192)
                with self.assertRaises(link.Closed):
                    session.receive()
                self.assert_counted(before, REFUSED, label)
        before = self.counters()
        session = self.session()
        session.send_body(b"\xff" * 40)
        self.assertEqual(session.receive().error.code, link.proto("bus").ErrorFrame.MALFORMED_FRAME)
        self.assert_counted(before, REFUSED, "malformed_frame")

        self.assert_accepted(witness, lane, lane.next())
        self.assert_still_serves()
        self.stop_and_verify()

    def bus_memory_kib(self):
        with open(f"/proc/{self.bus.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class Envelopes(BusTest):
    def test_identity_signature_and_chain(self):
        session, lane = self.lane_session()
        violations = [
            (lane.next(agent_id="second"), "agent_id 'second' is not the certificate's CN 'good'", "agent_id_mismatch"),
            (self.flipped(lane.next()), "bad signature (sequence 1", "bad_signature"),
            (lane.sign_fields([(n, field(8, bytes(64)) if n == 8 else p) for n, p in lane.parts()]), "bad signature (sequence 1",
             "bad_signature"),
            (self.signed_by_another(lane), "bad signature (sequence 1", "bad_signature"),
            (lane.sign(lane.unsigned(signing_algorithm="Ed25519"), "Ed25519"),
             "signing_algorithm 'Ed25519' is not the one the trust map pins (Ed25519-SHA256)", "algorithm"),
            (lane.next(signing_algorithm=None), "signing_algorithm '' is not the one", "algorithm"),
            (lane.next(key_id="0123456789abcdef"), "unknown key 0123456789abcdef", "unknown_key"),
            (lane.next(key_id=self.identities["second"].key_id), "unknown key", "unknown_key"),
            (lane.next(sequence=None), "may not publish without sequence", "unsequenced_denied"),
        ]
        for stored, reason, label in violations:
            with self.subTest(label):
                self.assert_refused(session, stored, SECURITY_VIOLATION, reason, label)
        first = lane.next()
        self.assert_accepted(session, lane, first)
        self.assert_refused(session, lane.next(prev_sig=bytes(64)), SECURITY_VIOLATION, "chain broken", "chain_broken")
        self.assert_refused(session, lane.next(prev_sig=None), SECURITY_VIOLATION, "chain broken", "chain_broken")
        again = session.publish(first)
        self.assertEqual((again.ack.status, again.ack.events_accepted), (OK, 0), again)
        reused = link.Lane(self.identities["good"], epoch=lane.epoch).next(value=2.0)
        self.assert_refused(session, reused, SECURITY_VIOLATION, "sequence reused (sequence 1", "sequence_reused")
        ack = self.assert_refused(session, lane.next(sequence=5), RETRY, "waiting for sequence 2", "ahead")
        self.assertEqual(ack.expected_sequence, 2)
        self.assert_refused(session, lane.next(lane="other"), INVALID, "lane 'other' is not the lane of this session",
                            "lane_mismatch")
        future = lane.unsigned().ts_ns + 25 * 3600 * 10**9
        self.assert_refused(session, lane.next(ts_ns=future), INVALID, "ahead of the bus (86400 s are allowed)", "clock_ahead")
        self.assert_accepted(session, lane, lane.next())
        self.assert_still_serves()
        summary = self.stop_and_verify()
        self.assertEqual(summary["envelopes"], 3)

    def test_a_bit_flipped_anywhere_is_never_accepted(self):
        session, lane = self.lane_session()
        stored = lane.next()
        accepted = []
        for at in range(0, len(stored)):
            broken = bytearray(stored)
            broken[at] ^= 1 << at % 8
            ack = session.publish(bytes(broken)).ack
            if ack.status == OK:
                accepted.append(at)
            self.assertTrue(ack.reason)
        self.assertEqual(accepted, [])
        self.assert_accepted(session, lane, stored)

    def test_foreign_text_in_a_reason_is_short_and_printable(self):
        """A reason goes into protobuf text, the log and audit records: what a peer sent must not break those."""
        session, lane = self.lane_session()

        def with_text(number, text):
            return lane.sign_fields([(n, field(n, text) if n == number else p) for n, p in lane.parts()])

        cases = [(103, "lane_mismatch", INVALID), (104, "agent_id_mismatch", SECURITY_VIOLATION),
                 (102, "unknown_key", SECURITY_VIOLATION), (10, "algorithm", SECURITY_VIOLATION)]
        for number, label, status in cases:
            for text in (b"\xff\xfe\x00\x1b[2J", b"\xff" * 60_000, "\u00e4".encode() * 201, b"a" + "\u00e4".encode() * 201):
                with self.subTest(f"{label} {len(text)}"):
                    ack = self.assert_refused(session, with_text(number, text), status, "", label)
                    self.assertLess(len(ack.ack.reason), 1024)
                    self.assertTrue(ack.ack.reason.isprintable(), ack.ack.reason)
        self.assert_accepted(session, lane, lane.next())
        for agent_id in ("\u00e4" * 40, "x" + "\u00e4" * 40, "x" * 60_000):
            refused = self.session().hello(agent_id=agent_id)
            self.assertLess(len(refused.reason), 1024)
        harness.wait_until(lambda: link.scrape(self.addresses["http"])["amoskys_bus_audit_records_total"] >= 3, "audits")
        session.close()
        self.stop_and_verify()
        self.ok("inspect", "events", "-o", "ndjson", "--kind", "audit")

    def test_sizes(self):
        session, lane = self.lane_session()
        self.assert_refused(session, lane.sized(link.MAX_ENVELOPE_BYTES + 1), INVALID,
                            "Envelope too large (131073 > 131072 bytes)", "too_large")
        self.assert_accepted(session, lane, lane.sized(link.MAX_ENVELOPE_BYTES), events=2)
        self.assert_refused(session, b"", INVALID, "empty envelope", "empty")
        self.assert_still_serves()
        self.assertEqual(self.stop_and_verify()["envelopes"], 2)

    def test_every_form_but_the_strict_one(self):
        session, lane = self.lane_session()
        for name, broken, number in self.broken_forms(lane):
            with self.subTest(name):
                self.assert_refused(session, broken, INVALID, f"non-canonical envelope (field {number})", "not_canonical")
        for name, stored, reason, label in self.broken_payloads(lane):
            with self.subTest(name):
                self.assert_refused(session, stored, INVALID, reason, label)
        # What looks alike and is allowed: field 13 twice, unknown fields from 106 to 199, a key of 256 bytes.
        allowed = lane.parts(idempotency_key="k" * 256)
        at = next(i for i, (number, _) in enumerate(allowed) if number > 13)
        allowed[at:at] = [(13, field(13, b"one")), (13, field(13, b"two"))]
        self.assert_accepted(session, lane, lane.sign_fields(allowed + [(150, field(150, b"later")), (199, field(199, 7))]))
        self.assert_still_serves()
        self.assertEqual(self.stop_and_verify()["envelopes"], 2)

    def broken_forms(self, lane):
        """[(what, bytes, number of the field that is named)]: each keeps every rule but one."""
        def put(number, *extra):
            """The parts with others at their place in ascending order."""
            parts = lane.parts()
            at = next((i for i, (n, _) in enumerate(parts) if n > number), len(parts))
            return lane.sign_fields(parts[:at] + [(number, part) for part in extra] + parts[at:])

        def swap(number, part):
            return lane.sign_fields([(n, part if n == number else p) for n, p in lane.parts()])

        def signature(change):
            stored = lane.sign_fields(lane.parts())
            return b"".join(change(part) if n == 8 else part for n, part in link.fields(stored))

        parts = dict(lane.parts())
        order = lane.parts()
        order[1], order[2] = order[2], order[1]
        key, ts = parts[3], parts[2]
        yield "fields 2 and 3 out of order", lane.sign_fields(order), 2
        yield "the signature at the end", lane.sign_fields([p for p in lane.parts() if p[0] != 8] + [(8, None)]), 8
        for number in (1, 2, 3, 6, 10, 12, 100, 101, 102, 103, 104):
            yield f"field {number} repeated", put(number, parts[number]), number
        yield "field 13 repeated, not adjacent", put(17, field(13, b"a"), field(14, b"t"), field(13, b"b")), 13
        for number in (18, 50, 99):
            yield f"unknown field {number}", put(number, field(number, b"x")), number
        yield "unknown field 200", put(200, field(200, b"x")), 200
        yield "tag not minimal", swap(3, b"\x9a\x00" + key[1:]), 0
        yield "length not minimal", swap(3, key[:1] + bytes([key[1] | 128, 0]) + key[2:]), 3
        yield "number not minimal", swap(2, ts[:-1] + bytes([ts[-1] | 128, 0])), 2
        yield "number of 11 bytes", swap(100, tag(100, VARINT) + b"\x81" + b"\x80" * 9 + b"\x00"), 100
        yield "number above 64 bits", swap(100, tag(100, VARINT) + b"\xff" * 9 + b"\x7f"), 100
        yield "group in a known field", swap(3, tag(3, START_GROUP) + tag(3, END_GROUP)), 3
        yield "group in an unknown field", put(150, tag(150, START_GROUP) + tag(150, END_GROUP)), 150
        yield "field 0", lane.sign_fields([(0, b"\x02\x00")] + lane.parts()), 0
        yield "another wire type", swap(2, tag(2, FIXED64) + bytes(8)), 2
        yield "text as number", swap(3, field(3, 7)), 3
        for number in (2, 15, 16, 17, 100, 101):
            broken = field(number, 0)
            yield f"default value of field {number}", swap(number, broken) if number in parts else put(number, broken), number
        for number in (1, 3, 6, 9, 10, 11, 12, 14, 102, 103, 104):
            broken = field(number, b"")
            yield f"empty field {number}", swap(number, broken) if number in parts else put(number, broken), number
        yield "requires_acknowledgment 2", put(17, field(17, 2)), 17
        yield "retry_count 1", put(15, field(15, 1)), 15
        flow = link.proto("messaging_schema").FlowEvent(src_ip="192.0.2.1").SerializeToString()
        yield "two payloads", put(4, field(4, flow)), 6
        yield "two payloads, gap", put(105, field(105, field(1, 1))), 105
        yield "version 2.0", swap(1, field(1, b"2.0")), 1
        yield "no version", lane.sign_fields([p for p in lane.parts() if p[0] != 1]), 1
        yield "no signature", lane.sign_fields([p for p in lane.parts() if p[0] != 8]), 8
        yield "signature of 63 bytes", signature(lambda part: field(8, part[2:-1])), 8
        yield "signature of 65 bytes", signature(lambda part: field(8, part[2:] + b"x")), 8
        yield "signature twice", signature(lambda part: part + part), 8
        yield "signature with a longer length", signature(lambda part: part[:1] + b"\xc0\x00" + part[2:]), 8
        yield "prev_sig of 10 bytes", put(9, field(9, bytes(10))), 9
        yield "key of 257 bytes", swap(3, field(3, b"k" * 257)), 3
        stored = lane.sign_fields(lane.parts())
        yield "cut short", stored[:-1], 104
        yield "a byte behind the end", stored + b"\x00", 0

    def broken_payloads(self, lane):
        """[(what, bytes, reason, label)]"""
        def payload(content, number=6):
            return lane.sign_fields([(number, field(number, content)) if n == 6 else (n, p) for n, p in lane.parts()])

        no_payload = lane.sign_fields([p for p in lane.parts() if p[0] != 6])
        yield "no payload", no_payload, "missing payload (one of fields 4, 5, 6, 7, 105)", "payload_missing"
        empty = lane.sign_fields([(6, field(6, b"")) if n == 6 else (n, p) for n, p in lane.parts()])
        yield "empty payload", empty, "non-canonical envelope (field 6)", "not_canonical"
        good = link.device_telemetry().SerializeToString()
        for what, content in (("cut short", good[:-1]), ("a length beyond its end", good + tag(5, BYTES) + b"\x7f"),
                              ("an open group", good + tag(9, START_GROUP)), ("field 0", good + b"\x00\x00"),
                              ("an event that is garbage", good + field(5, b"\xff\xff\xff"))):
            yield what, payload(content), "malformed payload (", "malformed_payload"

    def flipped(self, stored):
        """One bit of the payload, where the form stays whole."""
        at = stored.index(b"edge-1") + 5
        return stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1:]

    def signed_by_another(self, lane):
        envelope = lane.unsigned()
        envelope.sig = self.identities["second"].sign(envelope.SerializeToString(deterministic=True))
        return envelope.SerializeToString(deterministic=True)

    def test_refusals_in_one_session_do_not_touch_a_session_at_work(self):
        """Four bad peers at once; the good one's envelopes are all there."""
        session, lane = self.lane_session("second", name="steady")
        stop = threading.Event()
        failures = []

        def trouble(kind):
            try:
                while not stop.is_set():
                    self.make_trouble(kind)
            except (OSError, link.Closed):
                pass  # the bus may cut us off at any step
            except AssertionError as error:
                failures.append(error)
        threads = [threading.Thread(target=trouble, args=(kind,)) for kind in range(4)]
        for thread in threads:
            thread.start()
        try:
            for i in range(200):
                self.assert_accepted(session, lane, lane.next(value=float(i)))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        session.close()
        self.assertEqual(self.stop_and_verify()["envelopes"], 200)

    def make_trouble(self, kind):
        address = self.addresses["listen"]
        if kind == 0:
            with link.tcp(address) as raw:
                raw.sendall(b"\x16\x03\x01\xff\xff" + b"\x00" * 100)
                raw.shutdown(socket.SHUT_WR)
                raw.recv(1000)
        elif kind == 1:
            with link.Session(address, self.identities["stranger"]) as session:
                session.hello()
        elif kind == 2:
            with link.Session(address, self.identities["good"]) as session:
                session.hello()
                session.socket.sendall(b"\xff" * 1000)
        else:
            lane = link.Lane(self.identities["good"], name="bad")
            with link.Session(address, self.identities["good"]) as session:
                session.hello(lane)
                for _ in range(20):
                    if session.publish(self.flipped(lane.next())).ack.status != SECURITY_VIOLATION:
                        raise AssertionError("a flipped bit was accepted")


if __name__ == "__main__":
    unittest.main()
