"""Flows from capture files and interfaces, against tshark and tcpreplay; what goes wrong and how it is said."""
import collections
import ipaddress
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import time
import unittest

import harness

TRACES = harness.SHARED_DATA / "pcap/zeek/traces"
ADMIN = os.geteuid() == 0 and shutil.which("ip") is not None


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(source, destination, protocol, payload):
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, protocol, 0,
                         ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed)
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def udp(source, destination, source_port, destination_port, payload):
    return ipv4(source, destination, 17, struct.pack(">HHHH", source_port, destination_port, 8 + len(payload), 0) + payload)


def tcp(source, destination, source_port, destination_port, flags, sequence, ack, payload=b""):
    segment = struct.pack(">HHIIBBHHH", source_port, destination_port, sequence, ack, 0x50, flags, 1000, 0, 0) + payload
    pseudo = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed + struct.pack(">BBH", 0, 6, len(segment))
    segment = segment[:16] + struct.pack(">H", checksum(pseudo + segment)) + segment[18:]
    return ipv4(source, destination, 6, segment)


def pcap(packets):
    """Of raw IP packets, a millisecond apart."""
    out = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
    for number, packet in enumerate(packets):
        out += struct.pack("<IIII", 1_600_000_000, 1000 * number, len(packet), len(packet)) + packet
    return out


def dns_query(name):
    return struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(x)]) + x for x in name) + b"\0\0\1\0\1"


SMALL = pcap([udp("192.0.2.1", "192.0.2.53", 4000, 53, dns_query([b"example", b"org"])),
              tcp("192.0.2.1", "192.0.2.9", 4001, 80, 2, 100, 0),
              tcp("192.0.2.9", "192.0.2.1", 80, 4001, 18, 500, 101),
              tcp("192.0.2.1", "192.0.2.9", 4001, 80, 24, 101, 501, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")])


class Flow(harness.AmoskysTest):
    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def flows(self, *args, **kwargs):
        return self.ok_ndjson("agent", "flow", *args, "--once", "--stdout", **kwargs)

    def test_a_file_gives_its_flows(self):
        flows = self.flows("-r", self.write("small.pcap", SMALL))
        self.assertEqual(len(flows), 2)
        dns, http = sorted(flows, key=lambda flow: flow["dst_port"])
        self.assertEqual((dns["service"], dns["dns_names"], dns["conn_state"]), ("dns", ["example.org"], "S0"))
        self.assertEqual((http["service"], http["host"], http["http_method"]), ("http", "a.example", "GET"))
        self.assertEqual((http["conn_state"], http["history"], http["end_reason"]), ("S1", "ShD", "end"))
        self.assertEqual(http["kind"], "flow")
        self.assertEqual(http["source"], "flow")
        self.assertTrue(http["community_id"].startswith("1:"))
        self.assertEqual(http["time"], "2020-09-13T12:26:40.001000000Z")

    def test_stdin_gives_the_same_as_the_file(self):
        path = self.write("small.pcap", SMALL)
        done = subprocess.run(self.command("agent", "flow", "-r", "-", "--once", "--stdout", "-o", "ndjson"), input=SMALL,
                              capture_output=True, env=harness.clean_environment(), timeout=harness.PATIENCE_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()], self.flows("-r", path))

    def test_flows_reach_the_log_through_the_bus(self):
        path = self.write("small.pcap", SMALL)
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        self.ok("agent", "flow", "-r", path, "--once", "--bus", addresses["listen"])
        stored = self.ok_ndjson("inspect", "events", "--kind", "flow")
        for event in stored:
            event.pop("offset")
        printed = self.flows("-r", path)
        for event in printed + stored:
            event.pop("device")
        key = lambda event: event["dst_port"]
        self.assertEqual(sorted(stored, key=key), sorted(printed, key=key))
        self.ok("inspect", "verify")

    def test_bad_input_is_one_clear_error(self):
        cases = [
            (64, [], "name an interface with -i or a capture file with -r"),
            (64, ["-r", "-", "-r", "-"], "only once"),
            (64, ["-r", self.write("ok.pcap", SMALL), "--filter", "port port"], "agent.flow.filter: 'port port'"),
            (66, ["-r", self.folder / "absent.pcap"], "absent.pcap"),
            (65, ["-r", self.write("text", b"no capture file at all")], "neither a pcap nor a pcapng"),
            (65, ["-r", self.write("empty", b"")], "is empty"),
            (65, ["-r", self.write("link", SMALL[:20] + struct.pack("<I", 4711) + SMALL[24:])], "link type 4711"),
        ]
        for code, args, text in cases:
            with self.subTest(args=args):
                err = self.fails(code, "agent", "flow", *args, "--once", "--stdout")
                self.assertIn(text, err)
                self.assertEqual(len([line for line in err.splitlines() if line.startswith("amoskys:")]), 1, err)

    def test_a_file_cut_short_gives_the_flows_before_the_cut(self):
        code, out, err = self.run_cli("agent", "flow", "-r", self.write("cut.pcap", SMALL[:-5]), "--once", "--stdout", "-o", "ndjson")
        self.assertEqual(code, 3, err)
        self.assertEqual(len(out.splitlines()), 2)
        self.assertIn("ends inside of a packet", err)

    def test_nothing_in_a_packet_breaks_the_output(self):
        nasty = b"a\x1b[2J\n\r\x00\xff\xfe\"\xc3\x28"
        packets = [udp("192.0.2.1", "192.0.2.53", 4000, 53, dns_query([nasty])),
                   tcp("192.0.2.1", "192.0.2.9", 4001, 80, 2, 100, 0),
                   tcp("192.0.2.9", "192.0.2.1", 80, 4001, 18, 500, 101),
                   tcp("192.0.2.1", "192.0.2.9", 4001, 80, 24, 101, 501,
                       b"GET / HTTP/1.1\r\nHost: " + nasty.replace(b"\n", b"") + b"x" * 20000 + b"\r\nUser-Agent: \xff\x1b]0;x\x07\r\n\r\n")]
        path = self.write("nasty.pcap", pcap(packets))
        for form in ("ndjson", "json", "csv", "table", "yaml"):
            out = self.ok("agent", "flow", "-r", path, "--once", "--stdout", "-o", form)
            self.assertFalse([c for c in out if ord(c) < 32 and c != "\n" and not (form == "csv" and c == "\r")], form)
        flows = self.flows("-r", path)
        self.assertLessEqual(max(len(flow.get("host", "")) for flow in flows), 256)
        self.assertIn("\\x1b", [flow for flow in flows if flow["dst_port"] == 53][0]["dns_names"][0])

    @unittest.skipUnless(TRACES.exists() and shutil.which("tshark"), "no traces or no tshark")
    def test_packets_and_ip_bytes_equal_tshark(self):
        # Traces without tunnels, fragments and ports that are used again: tshark counts by 5-tuple.
        for trace in ("ssh/ssh.pcap", "ftp/ipv4.pcap", "ftp/ipv6.pcap", "q-in-q.pcap", "mixed-vlan-mpls.pcap", "mpls-in-vlan.pcap",
                      "pppoe.pcap", "dhcp/dhcp.pcap", "radiotap.pcap", "pcapng-multi-interface.pcapng", "wikipedia.pcap",
                      "tcp-http-with-padding.pcap", "ssh/ssh.server-side-half-duplex.pcap"):
            with self.subTest(trace=trace):
                self.assertEqual(self.ours(TRACES / trace), self.tshark(TRACES / trace))

    def ours(self, path):
        counts = collections.Counter()
        for flow in self.flows("-r", path, "--checksums", "ignore"):
            if flow["protocol"] not in ("TCP", "UDP"):
                continue
            there = (flow["protocol"], flow["src_ip"], flow["src_port"], flow["dst_ip"], flow["dst_port"])
            back = (there[0], there[3], there[4], there[1], there[2])
            for key, way in ((there, "sent"), (back, "recv")):
                counts[key, "packets"] += flow[f"packets_{way}"]
                counts[key, "bytes"] += flow[f"ip_bytes_{way}"]
        return {key: count for key, count in counts.items() if count}

    def tshark(self, path):
        names = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "ip.len",
                 "ipv6.plen")
        out = subprocess.run(["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=l", "-E", "separator=/t"]
                             + [part for name in names for part in ("-e", name)], capture_output=True, text=True, check=True).stdout
        counts = collections.Counter()
        for line in out.splitlines():
            row = dict(zip(names, (line.split("\t") + [""] * 10)[:10]))
            protocol = "tcp" if row["tcp.srcport"] else "udp" if row["udp.srcport"] else None
            if protocol is None:
                continue
            source, destination = (row["ip.src"], row["ip.dst"]) if row["ip.src"] else (row["ipv6.src"], row["ipv6.dst"])
            key = (protocol.upper(), str(ipaddress.ip_address(source)), int(row[protocol + ".srcport"]),
                   str(ipaddress.ip_address(destination)), int(row[protocol + ".dstport"]))
            counts[key, "packets"] += 1
            counts[key, "bytes"] += int(row["ip.len"]) if row["ip.len"] else int(row["ipv6.plen"]) + 40
        return dict(counts)


@unittest.skipUnless(ADMIN, "needs root and ip(8)")
class Live(harness.AmoskysTest):
    """In a network namespace of its own."""

    def setUp(self):
        super().setUp()
        self.space = f"amoskys-flow-{os.getpid()}"
        made = subprocess.run(["ip", "netns", "add", self.space], capture_output=True)
        if made.returncode != 0:
            self.skipTest("no network namespaces: " + made.stderr.decode())
        self.addCleanup(subprocess.run, ["ip", "netns", "del", self.space], check=True)
        entered = subprocess.run(["ip", "netns", "exec", self.space, "true"], capture_output=True)
        if entered.returncode != 0:  # in a chroot, for one
            self.skipTest("notice: network namespaces cannot be entered here: " + entered.stderr.decode())
        for line in ("link add va type veth peer name vb", "link set va mtu 9000", "link set vb mtu 9000", "link set va up", "link set vb up"):
            self.inside(["ip", *line.split()])

    def inside(self, command, **kwargs):
        return subprocess.run(["ip", "netns", "exec", self.space, *map(str, command)], check=True, capture_output=True, **kwargs)

    def start_inside(self, *args):
        log = open(self.folder / "flow.log", "wb")
        out = open(self.folder / "flow.ndjson", "wb")
        process = subprocess.Popen(["ip", "netns", "exec", self.space, *self.command(*args)], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=log, env=harness.clean_environment())
        process.log_path = log.name
        log.close()
        out.close()
        self.processes.append(process)
        return process

    def capturing(self, process):
        """Its packet socket is open and no thread that reads it has a capability."""
        if process.poll() is not None:
            raise AssertionError(pathlib.Path(process.log_path).read_text())
        sockets = self.inside(["cat", "/proc/net/packet"]).stdout.decode().splitlines()
        return len(sockets) > 1

    def capabilities_of_capture_thread(self, process):
        for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == "flow":
                for line in (task / "status").read_text().splitlines():
                    if line.startswith("CapEff:"):
                        return int(line.split()[1], 16)
        return None

    @unittest.skipUnless(TRACES.exists() and shutil.which("tcpreplay"), "no traces or no tcpreplay")
    def test_live_flows_equal_the_offline_reading(self):
        trace = TRACES / "ssh/ssh.pcap"
        process = self.start_inside("agent", "flow", "-i", "vb", "--checksums", "verify", "--stdout", "-o", "ndjson", "--filter",
                                    "not ip6 or tcp", "--attempt-timeout", "1h", "--close-delay", "1h")
        harness.wait_until(lambda: self.capturing(process), "the capture is open")
        harness.wait_until(lambda: self.capabilities_of_capture_thread(process) == 0, "the capture thread has no capability")
        self.inside(["tcpreplay", "-i", "va", "--pps", "2000", trace])
        time.sleep(0.5)  # the kernel hands a part-filled block over after its timeout of 100 ms
        self.stop(process)
        live = [json.loads(line) for line in (self.folder / "flow.ndjson").read_text().splitlines()]
        offline = self.ok_ndjson("agent", "flow", "-r", trace, "--once", "--stdout", "--attempt-timeout", "1h", "--close-delay", "1h")
        fields = ("src_ip", "src_port", "dst_ip", "dst_port", "protocol", "packets_sent", "packets_recv", "ip_bytes_sent",
                  "ip_bytes_recv", "payload_bytes_sent", "payload_bytes_recv", "conn_state", "history", "service", "community_id")
        ports = {flow["src_port"] for flow in offline}
        as_rows = lambda flows: sorted([str(flow.get(name)) for name in fields] for flow in flows if flow["src_port"] in ports)
        self.assertEqual(as_rows(live), as_rows(offline))
        self.assertTrue(all(flow["interface"] == "vb" for flow in live))

    @unittest.skipUnless(TRACES.exists() and shutil.which("tcpreplay"), "no traces or no tcpreplay")
    def test_packets_that_the_kernel_drops_are_reported(self):
        process = self.start_inside("agent", "flow", "-i", "vb", "--buffer", "1MiB", "--stdout", "-o", "ndjson")
        harness.wait_until(lambda: self.capturing(process), "the capture is open")
        harness.wait_until(lambda: self.capabilities_of_capture_thread(process) == 0, "the capture has its ring")
        process.send_signal(signal.SIGSTOP)
        self.inside(["tcpreplay", "-i", "va", "--topspeed", "--loop", "5", TRACES / "ssh/ssh.pcap"])
        process.send_signal(signal.SIGCONT)
        harness.wait_until(lambda: "packets_dropped" in pathlib.Path(process.log_path).read_text(), "the drops are reported")
        self.stop(process)
        flows = [json.loads(line) for line in (self.folder / "flow.ndjson").read_text().splitlines()]
        counted = sum(flow["packets_sent"] + flow["packets_recv"] for flow in flows)
        finished = [line for line in pathlib.Path(process.log_path).read_text().splitlines() if "capture ended" in line][0]
        dropped = int(finished.split("dropped=")[1].split()[0])
        self.assertGreater(dropped, 0)
        # Nothing vanishes: what was replayed was counted or is reported as dropped.
        self.assertGreaterEqual(counted + dropped, 5 * 1797)

    def test_a_missing_interface_and_a_missing_capability_are_said(self):
        code, out, err = self.run_cli("agent", "flow", "-i", "nosuch0", "--once", "--stdout")
        self.assertEqual((code, out), (66, ""), err)
        self.assertIn("nosuch0", err)
        if shutil.which("setpriv") is None:
            return
        os.chmod(self.folder, 0o755)
        done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "--bounding-set", "-all",
                               harness.AMOSKYS, "agent", "flow", "-i", "lo", "--once", "--stdout"], capture_output=True, text=True,
                              env=dict(harness.clean_environment(), HOME=str(self.folder)))
        if "ermission denied" in done.stderr and "flow" not in done.stderr:
            self.skipTest("the executable is not reachable for other users")
        self.assertEqual(done.returncode, 77, done.stderr)
        self.assertIn("CAP_NET_RAW", done.stderr)


if __name__ == "__main__":
    unittest.main()
