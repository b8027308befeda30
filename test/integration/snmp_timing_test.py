"""Dead devices beside live ones: the live ones' cycle goes on in time."""
import json
import os
import selectors
import socket
import subprocess
import time
import unittest

import harness

INTERVAL_S = 5
LIVE, DEAD_V2C, DEAD_V3 = 50, 1000, 100


class Dead(harness.AmoskysTest):
    def test_eleven_hundred_dead_devices_delay_fifty_live_ones_by_less_than_a_second(self):
        live = self.start_snmpd("view all included .1\nrocommunity public 127.0.0.1 -V all\n")
        # Takes everything that is sent to any loopback address at its port, and never answers.
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(silent.close)
        silent.bind(("0.0.0.0", 0))
        port = silent.getsockname()[1]
        targets = [{"target": f"dead{i}=udp:127.9.{i // 250}.{i % 250 + 1}:{port}"} for i in range(DEAD_V2C)]
        targets += [{"target": f"dead3-{i}=udp:127.8.0.{i + 1}:{port}", "version": "3", "user": "u", "auth_password": "authpass1",
                     "priv_password": "privpass1"} for i in range(DEAD_V3)]
        step = len(targets) // LIVE
        for i in range(LIVE):
            targets.insert(i * (step + 1), {"target": f"live{i}={live}"})
        file = self.folder / "targets.json"
        file.write_text(json.dumps({"targets": targets}))
        command = self.command("agent", "snmp", "--targets-file", file, "--interval", f"{INTERVAL_S}s", "--profile", "minimal",
                               "--stdout", "-o", "ndjson")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   env=harness.clean_environment())
        self.processes.append(process)
        seen = self.read_status(process, cycles=4)
        self.assertEqual(len(seen), LIVE)
        worst = 0.0
        for times in seen.values():
            for n, at in enumerate(times[1:], 1):
                worst = max(worst, abs(at - times[0] - n * INTERVAL_S))
        print(f"worst lateness of {LIVE} live devices over {min(map(len, seen.values()))} cycles: {worst * 1000:.0f} ms")
        self.assertLess(worst, 1.0)
        process.stdout.close()

    def read_status(self, process, cycles):
        """device -> times at which its record came, until every live device was read so often."""
        seen, rest = {}, b""
        deadline = time.monotonic() + INTERVAL_S * cycles + harness.PATIENCE_S
        selector = selectors.DefaultSelector()
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(1):
                continue
            chunk = os.read(process.stdout.fileno(), 65536)
            self.assertTrue(chunk, "the agent ended")
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if event["kind"] == "status" and event["device"].startswith("live"):
                    self.assertEqual(event["status"]["status"], "online", event)
                    seen.setdefault(event["device"], []).append(time.monotonic())
            if len(seen) == LIVE and all(len(times) >= cycles for times in seen.values()):
                return seen
        self.fail(f"only {sorted((d, len(t)) for d, t in seen.items())[:5]} ...")


if __name__ == "__main__":
    unittest.main()
