"""Acknowledged means on disk, and what is loaded from outside arrives whole or not at all.

The order on the disk is read from a trace of the bus's system calls; recorded metrics come from small files made here.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

import harness
import link_client as link

START_NS = 1_764_821_300_000_000_000


class Call:
    """One system call of the trace: `begin` and `end` are line numbers, for what overlaps between threads."""

    def __init__(self, begin, pid, name, text):
        self.begin = self.end = begin
        self.pid, self.name, self.text = pid, name, text

    @property
    def result(self):
        found = re.search(r"\) += (-?\d+)", self.text)
        return int(found.group(1)) if found else None

    @property
    def descriptor(self):
        """(number, what it is) of a call whose first argument is a descriptor."""
        found = re.match(r"(\d+)<(.*?)>[,)]", self.text)
        return (int(found.group(1)), found.group(2)) if found else (None, "")


def read_trace(path):
    calls, open_calls = [], {}
    for number, line in enumerate(path.read_text(errors="replace").splitlines()):
        pid, _, rest = line.partition(" ")
        rest = rest.strip()
        if found := re.match(r"<\.\.\. (\w+) resumed>(.*)", rest):
            call = open_calls.pop(pid, None)
            if call is not None:
                call.end, call.text = number, call.text + found.group(2)
        elif found := re.match(r"(\w+)\((.*)", rest):
            call = Call(number, pid, found.group(1), found.group(2))
            calls.append(call)
            if call.text.endswith("<unfinished ...>"):
                call.text = call.text[:-len("<unfinished ...>")].rstrip()
                open_calls[pid] = call
    return calls


class AcknowledgedIsOnDisk(harness.AmoskysTest):
    PUBLISHES = 40

    def setUp(self):
        if link.MISSING:
            self.skipTest(link.MISSING)
        if shutil.which("strace") is None or subprocess.run(["strace", "-f", "-o", "/dev/null", "true"],
                                                            capture_output=True).returncode != 0:
            self.skipTest("strace is not installed or not permitted here")
        super().setUp()

    def start_traced_bus(self, trace):
        """Returns (strace's process, the bus's pid, addresses)."""
        ready = self.folder / "ready.json"
        calls = "openat,fdatasync,fsync,pwrite64,pwritev,recvfrom,recvmsg,read,readv,sendto,sendmsg,write,writev"
        bus = self.command("bus", "--listen", "127.0.0.1:0", "--http-listen", "", "--ready-file", ready,
                           "--receipt-interval", "1h")
        # LeakSanitizer is a tracer itself: under another one it fails the process at its end.
        environment = harness.traced_environment()
        log = open(self.folder / "traced.log", "wb")
        process = subprocess.Popen(["strace", "-f", "-yy", "-s", "0", "-e", f"trace={calls}", "-o", str(trace), *bus],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        log.close()
        self.processes.append(process)
        harness.wait_until(lambda: ready.exists() or process.poll() is not None, "the traced bus serves")
        self.assertIsNone(process.poll(), (self.folder / "traced.log").read_text())
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return process, int(children[0]), json.loads(ready.read_text())

    def test_every_ack_is_written_after_the_sync_and_the_meta_page_of_its_commit(self):
        self.ok("pki", "init")
        self.ok("pki", "issue", "agent", "good")
        trace = self.folder / "trace"
        process, bus, addresses = self.start_traced_bus(trace)
        identity = link.Identity(self.state / "pki", "good")
        lane = link.Lane(identity)
        with link.Session(addresses["listen"], identity) as session:
            session.hello(lane)
            peer = "{}:{}".format(*session.socket.getsockname())
            for i in range(self.PUBLISHES):
                stored = lane.next(value=float(i), padding=5000 * (i % 7))
                ack = session.publish(stored)
                self.assertEqual(ack.ack.status, link.OK)
                self.assertEqual(ack.committed_sequence, i + 1)
                lane.sent(stored)
        os.kill(bus, signal.SIGTERM)
        self.assertEqual(process.wait(timeout=harness.PATIENCE_S), 0)
        self.processes.remove(process)
        calls = read_trace(trace)
        synchronous = {c.result for c in calls if c.name == "openat" and "O_DSYNC" in c.text and ".mdb" in c.text}
        self.assertTrue(synchronous, "the meta pages are not written through O_DSYNC")
        events = sorted(self.events(calls, peer, synchronous))
        self.check_order(events)
        self.check_that_it_can_fail(events)
        self.ok("inspect", "verify")

    def check_that_it_can_fail(self, events):
        """The same trace of a bus that leaves a step out, or answers before it, does not pass."""
        for step in ("page", "sync", "meta"):
            with self.assertRaises(AssertionError):
                self.check_order([event for event in events if event[1] != step])
            with self.assertRaises(AssertionError):
                self.check_order(self.answered_before(events, step))

    def answered_before(self, events, step):
        """The middle ACK stands before the last such step that led to it."""
        events = list(events)
        sends = [at for at, event in enumerate(events) if event[1] == "sent"]
        answer = events.pop(sends[len(sends) // 2])
        before = max(at for at, event in enumerate(events) if event[1] == step and event < answer)
        events.insert(before, answer)
        return events

    def check_order(self, events):
        """One envelope at a time is on its way, so between its arrival and the next bytes to the peer lies its commit."""
        acks = 0
        received = written = synced = committed = None
        for event in events:
            _, what = event
            if what == "received":
                received, written, synced, committed = event, None, None, None
            elif what == "page":
                written, synced = event, None
            elif what == "sync":
                synced = event
            elif what == "meta":
                committed = event if synced else None
            elif what == "sent" and received:
                self.assertTrue(written, f"nothing was written before the ACK at line {event[0]}")
                self.assertTrue(synced, f"no sync of the pages before the ACK at line {event[0]}")
                self.assertTrue(committed and committed > synced, f"no meta page after the sync before the ACK at {event[0]}")
                received = None
                acks += 1
        self.assertEqual(acks, self.PUBLISHES)

    def events(self, calls, peer, synchronous):
        """[(line, what)] from WELCOME on: a write to the peer counts from its begin, all else from its end."""
        greeted = 0
        for call in calls:
            number, target = call.descriptor
            on_socket = target.startswith("TCP") and peer in target
            if on_socket and call.name in ("sendto", "sendmsg", "write", "writev"):
                greeted += 1  # 1 the handshake's flight, 2 WELCOME
                if greeted > 2:
                    yield call.begin, "sent"
            elif on_socket and greeted >= 2 and (call.result or 0) > 0:
                yield call.end, "received"
            elif ".mdb" not in target or greeted < 2:
                continue
            elif call.name in ("fdatasync", "fsync") and call.result == 0:
                yield call.end, "sync"
            elif number in synchronous and call.name.startswith(("pwrite", "write")):
                yield call.end, "meta"
            elif call.name.startswith(("pwrite", "write")):
                yield call.end, "page"


class Replay(harness.AmoskysTest):
    ROWS, METRICS = 5000, 29

    def value(self, row, metric):
        return (row * 31 + metric * 7) % 1000 / 8

    def write_csv(self, name, rows, spoil=None):
        """spoil(row, cells) changes a row's cells."""
        lines = ["device_id,ts_ns," + ",".join(f"m{i}" for i in range(self.METRICS))]
        for row in range(rows):
            cells = [f"edge-{row % 10}", str(START_NS + row * 10**9), *(str(self.value(row, i)) for i in range(self.METRICS))]
            if spoil:
                spoil(row, cells)
            lines.append(",".join(cells))
        file = self.folder / name
        file.write_text("\n".join(lines) + "\n")
        return file

    def test_a_wide_file_reaches_the_log_completely(self):
        self.ok("pki", "init")
        bus, addresses = self.start_bus()
        file = self.write_csv("history.csv", self.ROWS)
        code, _, err = self.run_cli("agent", "replay", file, "--bus", addresses["listen"])
        self.assertEqual(code, 0, err)
        self.assertIn(f"rows={self.ROWS} records={self.ROWS} values={self.ROWS * self.METRICS} skipped=0", err)
        self.assertRegex(err, r"records_per_s=[1-9][0-9]*")
        summary = self.ok_json("inspect", "summary")
        self.assertEqual(summary["events"], self.ROWS * self.METRICS)
        self.assertEqual((summary["devices"], summary["metrics"], summary["lost_events"]), (10, self.METRICS, 0))
        stored = self.ok_ndjson("inspect", "events", "--device", "edge-3", "--metric", "m17")
        self.assertEqual([e["value"] for e in stored], [self.value(row, 17) for row in range(3, self.ROWS, 10)])
        self.assertEqual(self.stop(bus), 0)
        self.ok("inspect", "verify")

    def test_a_bad_file_is_one_error_with_its_place_and_nothing_of_it_is_published(self):
        def cell(row, at, text):
            def spoil(number, cells):
                if number == row:
                    cells[at:at + 1] = text
            return spoil
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        good = self.write_csv("good.csv", 100)
        cases = [("few.csv", cell(2998, 30, []), "3000", "30 cells where the header has 31"),
                 ("many.csv", cell(2998, 30, ["1", "2"]), "3000", "32 cells where the header has 31"),
                 ("nan.csv", cell(4000, 5, ["NaN"]), "4002", 'value "NaN" is not finite'),
                 ("inf.csv", cell(4999, 2, ["-inf"]), "5001", 'value "-inf" is not finite'),
                 ("huge.csv", cell(10, 2, ["1e999"]), "12", 'value "1e999" does not fit'),
                 ("text.csv", cell(1234, 7, ["warm"]), "1236", 'value "warm" is not a number'),
                 ("time.csv", cell(77, 1, ["yesterday"]), "79", 'time "yesterday"'),
                 ("device.csv", cell(5, 0, [""]), "7", "device is empty")]
        for name, spoil, line, reason in cases:
            with self.subTest(name):
                file = self.write_csv(name, self.ROWS, spoil)
                err = self.fails(65, "agent", "replay", good, file, "--bus", addresses["listen"])
                errors = [text for text in err.splitlines() if text.startswith("amoskys:")]
                self.assertEqual(len(errors), 1, err)
                self.assertRegex(errors[0], rf"{re.escape(str(file))}:{line}:\d+: ")
                self.assertIn(reason, errors[0])
        self.ok("agent", "replay", good, "--bus", addresses["listen"])
        self.assertEqual(self.ok_json("inspect", "summary")["events"], 100 * self.METRICS)


if __name__ == "__main__":
    unittest.main()
