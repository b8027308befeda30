"""The agent's side of custody with the real executable: receipts, signed heads, quarantine, several buses."""
import json
import os
import pathlib
import random
import shutil
import signal
import time
import unittest

import harness


class Agent(harness.AmoskysTest):
    def rows(self, name, count=200):
        file = self.folder / f"{name}.csv"
        with file.open("w") as out:
            out.write("device_id,ts_ns,value\n")
            for i in range(count):
                out.write(f"{name}-{i},{1764821300000000000 + i * 1_000_000_000},{i}\n")
        return file

    def replay(self, name, bus, *args, count=200, **kwargs):
        return self.ok("agent", "replay", self.rows(name, count), "--bus", bus, *args, **kwargs)

    def restart_bus(self, process, listen, *args, state=None):
        self.stop(process)
        return self.start_bus(*args, listen=listen, state=state)[0]

    def devices(self, state=None):
        return {event["device"] for event in self.ok_ndjson("inspect", "events", state=state)}

    def test_a_receipt_finds_the_cut_tail_and_the_agent_sends_again_what_the_bus_lost(self):
        self.ok("pki", "init")
        listen = f"127.0.0.1:{harness.free_tcp_port()}"
        bus, _ = self.start_bus(listen=listen)
        self.replay("first", listen)
        self.stop(bus)
        older = self.folder / "older"
        shutil.copytree(self.state / "wal", older)
        bus, _ = self.start_bus(listen=listen)
        self.replay("second", listen)
        self.stop(bus)

        receipts = self.ok_json("inspect", "receipts")
        self.assertEqual(len(receipts), 2)
        self.assertEqual({r["schema"] for r in receipts}, {"amoskys.receipt/1"})
        self.assertEqual({r["signature"] for r in receipts}, {"ok"})
        kept = self.folder / "receipts.json"
        kept.write_text(json.dumps(receipts))
        whole = self.ok_json("inspect", "verify", "--receipt", kept)
        self.assertIn("the receipt of ", whole["statement"])

        # The tail goes, and with it what the bus itself kept outside of the log.
        shutil.rmtree(self.state / "wal")
        shutil.rmtree(self.state / "checkpoints", ignore_errors=True)
        shutil.copytree(older, self.state / "wal")
        self.ok("inspect", "verify")
        for voucher in (kept, self.state / "spool"):
            code, out, err = self.run_cli("inspect", "verify", "--receipt", voucher, "-o", "json")
            self.assertEqual(code, 10, err)
            self.assertIn("truncated", [finding["what"] for finding in json.loads(out)["findings"]])

        bus, _ = self.start_bus(listen=listen)
        self.assertNotIn("second-0", self.devices())
        rows = self.rows("third")
        code, _, err = self.run_cli("agent", "replay", rows, "--bus", listen)
        self.assertEqual(code, 0, err)
        self.assertIn("rolled back", err)
        self.assertTrue({"first-0", "second-0", "second-199", "third-0"} <= self.devices())
        self.ok("inspect", "verify")
        resets = [gap["reason"] for gap in self.ok_json("inspect", "gaps") if gap["kind"] == "reset"]
        self.assertTrue(any("the agent says: the bus was rolled back" in reason for reason in resets), resets)

    def test_another_log_key_is_refused_until_it_is_named(self):
        self.ok("pki", "init")
        listen = f"127.0.0.1:{harness.free_tcp_port()}"
        bus, _ = self.start_bus(listen=listen)
        self.replay("first", listen)
        self.stop(bus)
        other = self.folder / "other"
        self.ok("pki", "init", state=other)
        for name in ("log.key", "log.pub"):
            shutil.copy2(other / "pki" / name, self.state / "pki" / name)
        self.start_bus(listen=listen)
        err = self.fails(69, "agent", "replay", self.rows("second"), "--bus", listen, "--ack-timeout", "2s")
        self.assertIn("another log, or another bus", err)
        self.replay("third", listen, "--log-keys", self.state / "pki/log.pub")
        self.assertTrue({"second-0", "third-0"} <= self.devices())

    def test_signed_heads_are_kept_also_when_idle_and_silence_shows(self):
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        agent = self.start("agent", "proc", "--interval", "1h", "--head-interval", "1s", "--bus", addresses["listen"])

        def heads():
            return {head["lane"]: head for head in self.ok_json("inspect", "heads")}
        first = harness.wait_until(lambda: heads().get("proc"), "a head of the lane is kept")
        self.assertEqual(first["signature"], "ok")
        again = harness.wait_until(lambda: heads()["proc"]["received"] != first["received"] and heads()["proc"],
                                   "an idle agent sends another head")
        harness.wait_until(lambda: heads()["proc"]["last_sequence"] > 0, "the head follows the lane")
        self.assertFalse(again["silent"])
        self.stop(agent)
        silent = harness.wait_until(lambda: heads()["proc"]["silent"] and heads()["proc"], "silence shows")
        self.assertEqual(silent["ahead"], 0)
        self.ok("inspect", "verify")

    def test_a_refused_envelope_is_quarantined_and_the_lane_moves_on(self):
        self.ok("pki", "init")
        listen = f"127.0.0.1:{harness.free_tcp_port()}"
        bus, _ = self.start_bus("--max-envelope-bytes", "4096", listen=listen)
        self.replay("large", listen, count=400)
        quarantined = self.ok_json("inspect", "quarantine")
        self.assertTrue(quarantined)
        self.assertIn("Envelope too large", quarantined[0]["reason"])
        self.assertEqual(quarantined[0]["schema"], "amoskys.quarantined/1")
        markers = [gap for gap in self.ok_json("inspect", "gaps") if gap["kind"] == "marker"]
        self.assertEqual(len(markers), len(quarantined))
        self.assertEqual(sum(m["events"] for m in markers), sum(q["events"] for q in quarantined))
        self.replay("small", listen, count=5)
        self.assertIn("small-4", self.devices())
        self.stop(bus)
        self.ok("inspect", "verify")

    def second_bus_state(self):
        """A state directory for another bus: the same CA and trust map, a log key of its own."""
        second = self.folder / "second"
        shutil.copytree(self.state, second)
        self.ok("pki", "init", state=self.folder / "third")
        for name in ("log.key", "log.pub"):
            shutil.copy2(self.folder / "third/pki" / name, second / "pki" / name)
        return second

    def test_an_agent_goes_to_the_next_bus_and_comes_back_to_the_first(self):
        self.ok("pki", "init")
        second = self.second_bus_state()
        first_listen = f"127.0.0.1:{harness.free_tcp_port()}"
        _, addresses = self.start_bus(state=second)
        agent = self.start("agent", "proc", "--interval", "1h", "--head-interval", "1s", "--bus-return", "200ms",
                           "--bus", f"{first_listen},{addresses['listen']}")

        def committed(state):
            heads = self.ok_json("inspect", "heads", state=state)
            return heads and heads[0]["committed"]
        harness.wait_until(lambda: committed(second), "the second bus takes the lane")
        self.start_bus(listen=first_listen)
        harness.wait_until(lambda: (self.state / "wal").exists() and self.ok_json("inspect", "heads"),
                           "the agent comes back")
        self.assertIn("the preferred bus is back", pathlib.Path(agent.log_path).read_text())

    def test_with_two_buses_and_kills_what_was_acknowledged_is_in_one_of_them(self):
        seed = int(os.environ.get("AMOSKYS_SEED", str(random.randrange(1 << 30))))
        print(f"seed {seed}")
        chance = random.Random(seed)
        self.ok("pki", "init")
        states = [self.state, self.second_bus_state()]
        agent_state = self.folder / "agent"
        agent_state.mkdir()
        (agent_state / "pki").symlink_to(self.state / "pki")
        listens = [f"127.0.0.1:{harness.free_tcp_port()}" for _ in states]
        buses = [self.start_bus(listen=listen, state=state)[0] for listen, state in zip(listens, states)]
        expected = set()
        for round_number in range(12):
            name = f"r{round_number}"
            agent = self.start("agent", "replay", self.rows(name, 3000), "--bus", ",".join(listens), "--bus-return",
                               "100ms", "--batch-max-bytes", "2KiB", "--ack-timeout", "60s", state=agent_state)
            for _ in range(2):
                time.sleep(chance.uniform(0.01, 0.3))  # the moment of the kill is what is tried
                victim = chance.randrange(2)
                self.stop(buses[victim], signal.SIGKILL)
                if chance.random() < 0.3:
                    self.stop(agent, signal.SIGKILL)
                    break
                time.sleep(chance.uniform(0.01, 0.2))
                buses[victim] = self.start_bus(listen=listens[victim], state=states[victim])[0]
            for i, bus in enumerate(buses):
                if bus.poll() is not None:
                    buses[i] = self.start_bus(listen=listens[i], state=states[i])[0]
            if agent in self.processes:
                self.assertEqual(agent.wait(timeout=harness.PATIENCE_S), 0, pathlib.Path(agent.log_path).read_text())
                expected |= {f"{name}-{i}" for i in range(3000)}
        # What a killed agent left in its spool goes with the next run.
        self.replay("end", ",".join(listens), count=3, state=agent_state)
        expected |= {f"end-{i}" for i in range(3)}
        for bus in buses:
            self.stop(bus)
        stored = set()
        for state in states:
            verification = self.ok_json("inspect", "verify", state=state)
            self.assertEqual(verification["findings"], [])
            stored |= self.devices(state=state)
            markers = [gap for gap in self.ok_json("inspect", "gaps", state=state) if gap["kind"] == "marker"]
            self.assertEqual(markers, [])
        self.assertEqual(expected - stored, set())


if __name__ == "__main__":
    unittest.main()
