"""kill -9 of the bus and of the agents while they publish at full speed: every acknowledged envelope is there once.

50 kills by default, 1,000 with AMOSKYS_SOAK.
"""
import json
import os
import random
import signal
import subprocess
import time
import unittest

import harness

KILLS = 1000 if os.environ.get("AMOSKYS_SOAK") else int(os.environ.get("AMOSKYS_KILLS", "50"))
ROWS = 40_000


class Kills(harness.AmoskysTest):
    def test_kills_of_bus_and_agents_lose_and_repeat_nothing(self):
        self.ok("pki", "init")
        seed = int(os.environ.get("AMOSKYS_SEED", str(random.randrange(1 << 30))))
        print(f"seed {seed}, {KILLS} kills")
        chance = random.Random(seed)
        listen = f"127.0.0.1:{harness.free_tcp_port()}"
        files = [self.history(lane) for lane in ("a", "b")]
        bus, _ = self.start_bus(listen=listen)
        # Two lanes at full speed: replay reads the whole file again at each start, so every row may come several
        # times, but each envelope of a lane once.
        states = [self.folder / f"agent-{lane}" for lane in ("a", "b")]
        self.ok("pki", "issue", "agent", "second")
        ids = [self.local_identity(), "second"]
        for state in states:
            state.mkdir()
            (state / "pki").symlink_to(self.state / "pki")
        agents = [self.publish(listen, state, file, name) for state, file, name in zip(states, files, ids)]
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.02, 0.15))  # the moment of the kill is what is tried
            victim = chance.choice(["bus", "a", "b"])
            if victim == "bus":
                self.stop(bus, signal.SIGKILL)
                bus, _ = self.start_bus(listen=listen)
            else:
                i = "ab".index(victim)
                self.stop(agents[i], signal.SIGKILL)
                agents[i] = self.publish(listen, states[i], files[i], ids[i])
        for agent in agents:
            self.stop(agent)
        # What is left in the spools is drained by a last short run.
        rows = self.folder / "last.csv"
        rows.write_text("device_id,ts_ns,last\nend,1764821300000000000,1\n")
        for state, name in zip(states, ids):
            self.ok("agent", "replay", rows, "--bus", listen, "--id", name, state=state, timeout_s=300)
        self.stop(bus)
        verification = json.loads(self.ok("inspect", "verify", "-o", "json", timeout_s=300))
        self.assertEqual(verification["findings"], [])
        self.assertGreater(verification["records"], KILLS)

    def local_identity(self):
        return next(p.stem for p in (self.state / "pki/agents").glob("*.crt") if p.stem != "second")

    def history(self, name):
        file = self.folder / f"{name}.csv"
        with file.open("w") as out:
            out.write("device_id,ts_ns," + ",".join(f"m{i}" for i in range(20)) + "\n")
            for i in range(ROWS):
                out.write(f"{name}-{i % 50},{1764821300000000000 + i * 1_000_000_000}," + ",".join(str(i + k) for k in range(20)) + "\n")
        return file

    def publish(self, listen, state, file, name):
        return self.start("agent", "replay", str(file), "--bus", listen, "--id", name, state=state, name="replay")


if __name__ == "__main__":
    unittest.main()
