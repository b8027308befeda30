"""Nothing that a device sends breaks the output: control characters, no UTF-8, megabytes, rubbish."""
import csv
import io
import json
import socket
import threading
import unittest

import harness

MEGABYTE = bytes(range(256)) * 4096
TEXTS = {
    "1.3.6.1.2.1.1.1.0": b"\x1b[2J\x1b[31mred\x07\r\nsecond line\x00tail",
    "1.3.6.1.2.1.1.4.0": b"caf\xe9 \xff\xfe \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80",
    "1.3.6.1.2.1.1.5.0": b'quote " backslash \\ comma , {"a":1}\xe2\x80\xa8\xe2\x80\xae',
    "1.3.6.1.2.1.1.6.0": MEGABYTE,
}


def ber(tag, content):
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def items(data):
    """(tag, content, whole) of each BER item."""
    at = 0
    while at < len(data):
        tag, size, head = data[at], data[at + 1], 2
        if size & 0x80:
            head = 2 + (size & 0x7F)
            size = int.from_bytes(data[at + 2:at + head], "big")
        yield tag, data[at + head:at + head + size], data[at:at + head + size]
        at += head + size


def oid_text(content):
    arcs, arc = [], 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    return ".".join(map(str, [arcs[0] // 40, arcs[0] % 40, *arcs[1:]]))


def answer(message, largest):
    (_, body, _), = items(message)
    (_, _, version), (_, _, community), (_, pdu, _) = items(body)
    (_, _, request_id), _, _, (_, varbinds, _) = items(pdu)
    out = b""
    for _, pair, _ in items(varbinds):
        (_, name, whole), _ = items(pair)
        text = TEXTS.get(oid_text(name))
        out += ber(0x30, whole + (ber(4, text[:largest]) if text is not None else ber(0x81, b"")))
    zero = ber(2, b"\x00")
    return ber(0x30, version + community + ber(0xA2, request_id + zero + zero + ber(0x30, out)))


class Hostile(harness.AmoskysTest):
    def serve_udp(self):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind(("127.0.0.1", 0))

        def run():
            while True:
                try:
                    message, peer = server.recvfrom(65536)
                    for rubbish in (b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x00" * 60000, message[:-1], message):
                        server.sendto(rubbish, peer)
                    if message[4] != 3:  # not the discovery of version 3
                        server.sendto(answer(message, 50_000), peer)
                except OSError:
                    return
        threading.Thread(target=run, daemon=True).start()
        return f"udp:127.0.0.1:{server.getsockname()[1]}"

    def serve_tcp(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)

        def run():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    buffer = b""
                    while True:
                        try:
                            chunk = connection.recv(65536)
                        except OSError:
                            break
                        if not chunk:
                            break
                        buffer += chunk
                        size = 2 + buffer[1] if buffer[1] < 0x80 else 4 + int.from_bytes(buffer[2:4], "big")
                        if len(buffer) >= size:
                            message, buffer = buffer[:size], buffer[size:]
                            connection.sendall(answer(message, len(MEGABYTE)))
        threading.Thread(target=run, daemon=True).start()
        return f"tcp:127.0.0.1:{server.getsockname()[1]}"

    def check(self, target, largest):
        args = ("agent", "snmp", "--target", target, "--profile", "minimal", "--once", "--stdout", "--timeout", "2s")
        for form in ("ndjson", "table", "yaml", "json"):
            code, out, err = self.run_cli(*args, "-o", form)
            self.assertEqual(code, 0, err)
            for text in (out, err):
                wrong = {c for c in text if (c < " " and c not in "\n") or "\x7f" <= c < "\xa0"}
                self.assertFalse(wrong, (form, wrong))
        rows = list(csv.reader(io.StringIO(self.ok(*args, "-o", "csv"), newline="")))
        self.assertEqual({len(row) for row in rows}, {len(rows[0])})
        events = [json.loads(line) for line in self.ok(*args, "-o", "ndjson").split("\n") if line]
        events = {e["metric"]: e for e in events if e["kind"] == "metric"}
        self.assertEqual(set(events), {"sysDescr", "sysContact", "sysName", "sysLocation"})
        self.assertTrue(all(isinstance(e["value"], str) for e in events.values()))
        self.assertLess(len(events["sysLocation"]["value"]), 40_000)
        self.assertEqual(events["sysLocation"]["labels"]["truncated_bytes"], str(largest))
        self.assertIn("\ufffd", events["sysContact"]["value"])
        self.assertTrue(events["sysContact"]["value"].startswith("caf"))

    def test_texts_over_udp_between_datagrams_that_are_no_answers(self):
        self.check(self.serve_udp(), 50_000)

    def test_texts_of_a_megabyte_over_tcp(self):
        self.check(self.serve_tcp(), len(MEGABYTE))

    def test_a_stream_that_is_not_snmp_is_named_so(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)

        def run():
            try:
                connection, _ = server.accept()
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                connection.recv(1)
                connection.recv(65536)
            except OSError:
                pass
        threading.Thread(target=run, daemon=True).start()
        err = self.fails(69, "agent", "snmp", "--target", f"tcp:127.0.0.1:{server.getsockname()[1]}", "--once", "--stdout")
        self.assertIn("not SNMP", err)

    def test_the_events_survive_the_way_to_the_log(self):
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        self.ok("agent", "snmp", "--target", self.serve_tcp(), "--profile", "minimal", "--once", "--bus", addresses["listen"])
        self.ok("inspect", "verify")
        metrics = {e["metric"] for e in self.ok_ndjson("inspect", "events", "--kind", "metric")}
        self.assertEqual(metrics, {"sysDescr", "sysContact", "sysName", "sysLocation"})


if __name__ == "__main__":
    unittest.main()
