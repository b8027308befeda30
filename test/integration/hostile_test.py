"""Peers that are slow or hostile: each is bounded, counted by its own reason, and delays no other agent.

An agent in a thread of its own publishes one envelope after another; what its acknowledgements take while a peer
misbehaves is compared with what they took before.
"""
import collections
import contextlib
import os
import signal
import socket
import ssl
import statistics
import struct
import threading
import time
import unittest

import harness
import link_client as link
from bus_case import BusTest
from link_client import OK

GATE_PER_ADDRESS, GATE = 32, 128


class Publisher(threading.Thread):
    """One envelope at a time until stopped; `times_s` has what each acknowledgement took."""

    def __init__(self, session, lane):
        super().__init__()
        self.session, self.lane, self.times_s, self.error = session, lane, [], None
        self.stopping = threading.Event()

    def run(self):
        try:
            while not self.stopping.wait(0.005):
                stored = self.lane.next()
                began = time.monotonic()
                ack = self.session.publish(stored)
                if ack.ack.status != OK:
                    raise AssertionError(ack)
                self.lane.sent(stored)
                self.times_s.append(time.monotonic() - began)
        except Exception as error:  # told by the test's thread
            self.error = error


class Hostile(BusTest):
    BUS_OPTIONS = ("--handshake-timeout", "1s", "--first-frame-timeout", "1s", "--frame-timeout", "1s", "--idle-timeout", "6s",
                   "--ping-after", "2s", "--stalled-write-timeout", "1s", "--max-sessions-per-agent", "4",
                   "--max-unauthenticated", str(GATE), "--max-unauthenticated-per-address", str(GATE_PER_ADDRESS))

    @contextlib.contextmanager
    def another_agent_is_not_delayed(self):
        session, lane = self.lane_session("second", name="beside")
        publisher = Publisher(session, lane)
        publisher.start()
        try:
            harness.wait_until(lambda: len(publisher.times_s) >= 50 or publisher.error, "50 acknowledgements")
            before = statistics.median(publisher.times_s)
            first = len(publisher.times_s)
            yield
            harness.wait_until(lambda: len(publisher.times_s) >= first + 20 or publisher.error, "20 more")
        finally:
            publisher.stopping.set()
            publisher.join()
        self.assertIsNone(publisher.error)
        during = publisher.times_s[first:]
        told = f"median {before * 1e3:.1f} ms before, {statistics.median(during) * 1e3:.1f} ms during, " \
               f"at most {max(during) * 1e3:.1f} ms, {len(during)} acknowledgements"
        print(told, flush=True)
        self.assertLess(statistics.median(during), 5 * before + 0.05, told)
        self.assertLess(max(during), 3, told)
        session.close()

    def connect(self, source):
        host, _, port = self.addresses["listen"].rpartition(":")
        raw = socket.create_connection((host, int(port)), timeout=harness.PATIENCE_S, source_address=(source, 0))
        self.addCleanup(raw.close)
        return raw

    def test_ten_thousand_connections_from_one_address_and_from_many(self):
        open_ones = collections.deque()
        with self.another_agent_is_not_delayed():
            for i in range(10_000):
                # Half of them from one address, half from sixty.
                open_ones.append(self.connect("127.0.1.1" if i % 2 else f"127.0.2.{1 + i // 2 % 60}"))
                if len(open_ones) > 2_000:
                    open_ones.popleft().close()
                if i % 1000 == 500:  # an agent that comes meanwhile is served
                    session, lane = self.lane_session("good", name=f"meanwhile-{i}")
                    self.assert_accepted(session, lane, lane.next())
                    session.close()
        refused = sum(self.refused(reason) for reason in ("too_many_handshakes", "too_many_unauthenticated", "crowded_out"))
        self.assertGreater(refused, 5_000)
        self.assertLessEqual(self.metric("amoskys_bus_unauthenticated_connections"), GATE)
        while open_ones:
            open_ones.popleft().close()
        harness.wait_until(lambda: self.metric("amoskys_bus_unauthenticated_connections") == 0, "all of them are gone")
        self.assert_still_serves()

    def test_one_byte_at_a_time_before_the_handshake_and_after_it(self):
        with self.another_agent_is_not_delayed():
            hellos = [self.connect("127.0.1.1") for _ in range(GATE_PER_ADDRESS)]
            slow, lane = self.lane_session("good")
            frame = struct.pack(">I", 1000) + bytes(996)
            for i in range(12):  # 12 bytes in over a second
                for raw in hellos:
                    with contextlib.suppress(OSError):
                        raw.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00"[i:i + 1])
                with contextlib.suppress(OSError):
                    slow.socket.send(frame[i:i + 1])
                time.sleep(0.1)
            harness.wait_until(lambda: self.refused("timeout") >= GATE_PER_ADDRESS, "handshakes end")
            harness.wait_until(lambda: self.refused("frame_timeout") == 1, "the frame ends")
        answer = slow.receive()
        self.assertEqual(answer.error.reason, "a frame has not come whole within 1s")
        self.assert_still_serves()

    def test_a_peer_that_reads_nothing_is_cut_off(self):
        with self.another_agent_is_not_delayed():
            session, lane = self.lane_session("good")
            frame = link.proto("bus").Frame()
            frame.ping.sent_time_ns = 1
            body = frame.SerializeToString()
            pings = (struct.pack(">I", len(body)) + body) * 5_000
            session.socket.settimeout(5)
            with self.assertRaises(OSError):
                while True:
                    session.socket.sendall(pings)
            harness.wait_until(lambda: self.refused("stalled_write") == 1, "the session is ended")
        self.assert_still_serves()

    def test_a_peer_that_went_silent_is_asked_and_then_left(self):
        session, lane = self.lane_session("good")
        self.assertEqual(session.receive().WhichOneof("body"), "ping")
        harness.wait_until(lambda: self.refused("idle_timeout") == 1, "the session is ended")
        frames = []
        with self.assertRaises(link.Closed):
            while True:
                frames.append(session.receive())
        self.assertEqual(frames[-1].error.reason, "nothing heard for 6s")

    def test_garbage_huge_frames_and_broken_records(self):
        def garbage(i):
            raw = self.connect("127.0.1.1")
            raw.send(os.urandom(300))
            raw.close()

        def huge(i):
            session = self.session("good")
            session.socket.sendall(b"\xff\xff\xff\xff" + bytes(100))
            self.assertIn("Frame too large", session.receive().error.reason)
            session.close()

        def broken(i):
            """A TLS record that does not decrypt, after a good handshake."""
            context = link.tls_context(self.identities["good"])
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            raw = self.connect("127.0.0.1")
            while True:
                try:
                    tls.do_handshake()
                    raw.sendall(outgoing.read())
                    break
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))
            tls.write(b"hello")
            record = bytearray(outgoing.read())
            record[-1] ^= 1
            raw.sendall(record)
            while raw.recv(65536):
                pass

        with self.another_agent_is_not_delayed():
            for i in range(60):
                (garbage, huge, broken)[i % 3](i)
        self.assertGreaterEqual(self.refused("not_tls"), 20)
        self.assertEqual(self.refused("frame_too_large"), 20)
        self.assert_still_serves()

    def test_one_agent_has_so_many_sessions_and_no_more(self):
        held = [self.lane_session("good", name=f"lane-{i}") for i in range(4)]
        error = self.session("good").hello(link.Lane(self.identities["good"], name="lane-4"))
        self.assertEqual(error.reason, "agent 'good' has 4 sessions already, which is the limit")
        self.assertEqual(self.refused("too_many_sessions_of_agent"), 1)
        self.assert_still_serves()
        held[0][0].close()
        harness.wait_until(lambda: self.metric("amoskys_bus_sessions") <= 3, "one of them has gone")
        self.lane_session("good", name="lane-4")


class Descriptors(BusTest):
    BUS_OPTIONS = ("--handshake-timeout", "30s")

    def command(self, *args, **kwargs):
        limit = ["prlimit", "--nofile=420:420"] if args[0] == "bus" else []
        return limit + super().command(*args, **kwargs)

    def test_connections_leave_the_log_the_descriptors_that_it_needs(self):
        self.assertEqual(self.log_lines("few_descriptors"), 1)
        session, lane = self.lane_session("good")
        raws = []
        for i in range(500):
            raws.append(socket.create_connection(self.addresses["listen"].rsplit(":", 1), timeout=harness.PATIENCE_S,
                                                 source_address=(f"127.0.3.{1 + i // 60}", 0)))
            self.addCleanup(raws[-1].close)
        harness.wait_until(lambda: self.refused("too_many_sessions") >= 500 - 228, "the others are refused")
        self.assertEqual(self.metric("amoskys_bus_accept_pauses_total"), 0)
        for _ in range(5):
            self.assert_accepted(session, lane, lane.next())
        self.bus.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: self.metric('amoskys_bus_reloads_total{result="ok"}') == 1, "files are still read")
        for raw in raws:
            raw.close()
        self.assert_still_serves()
        self.stop_and_verify()


if __name__ == "__main__":
    unittest.main()
