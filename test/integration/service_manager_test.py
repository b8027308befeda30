"""What systemd sees of bus, agents and up: READY, RELOADING, STOPPING and the watchdog, keys from a credential folder."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import unittest

import harness


class ServiceManagerTest(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        path = self.folder / "notify"
        self.socket.bind(str(path))
        self.socket.settimeout(harness.PATIENCE_S)
        self.environment = {"NOTIFY_SOCKET": str(path)}
        self.ok("pki", "init", "--agent", "edge-1")

    def told(self):
        return self.socket.recv(4096).decode()

    def next_that_is_not(self, what):
        while True:
            told = self.told()
            if told != what:
                return told

    def start_told_bus(self, **environment):
        return self.start("bus", "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
                          environment=self.environment | environment)

    def test_bus_says_ready_reloading_and_stopping(self):
        bus = self.start_told_bus()
        self.assertEqual(self.told(), "READY=1")
        bus.send_signal(signal.SIGHUP)
        self.assertEqual([self.told(), self.told()], ["RELOADING=1", "READY=1"])
        self.assertEqual(self.stop(bus), 0)
        self.assertEqual(self.told(), "STOPPING=1")

    def test_agent_says_the_same_and_is_ready_without_a_bus(self):
        agent = self.start("agent", "example", "--bus", f"127.0.0.1:{harness.free_tcp_port()}",
                           environment=self.environment)
        self.assertEqual(self.told(), "READY=1")
        agent.send_signal(signal.SIGHUP)
        self.assertEqual([self.told(), self.told()], ["RELOADING=1", "READY=1"])
        self.assertEqual(self.stop(agent), 0)
        self.assertEqual(self.told(), "STOPPING=1")

    def test_up_says_ready_and_stopping(self):
        up = self.start("up", "--set", "bus.listen=127.0.0.1:0", "--set", "bus.http.listen=127.0.0.1:0",
                        environment=self.environment)
        self.assertEqual(self.told(), "READY=1")
        self.assertEqual(self.stop(up), 0)
        self.assertEqual(self.told(), "STOPPING=1")

    def test_watchdog_is_fed_at_half_its_time_and_not_for_another_process(self):
        bus = self.start_told_bus(WATCHDOG_USEC="200000")
        self.assertEqual(self.next_that_is_not("WATCHDOG=1"), "READY=1")
        for _ in range(5):
            self.assertEqual(self.told(), "WATCHDOG=1")
        self.assertEqual(self.stop(bus), 0)
        self.assertEqual(self.next_that_is_not("WATCHDOG=1"), "STOPPING=1")

        bus = self.start_told_bus(WATCHDOG_USEC="200000", WATCHDOG_PID="1")
        self.assertEqual(self.told(), "READY=1")
        time.sleep(0.5)  # two and a half of its times
        self.assertEqual(self.stop(bus), 0)
        self.assertEqual(self.told(), "STOPPING=1")

    def test_watchdog_starves_with_the_loop(self):
        bus = self.start_told_bus(WATCHDOG_USEC="200000")
        while self.told() != "WATCHDOG=1":
            pass
        bus.send_signal(signal.SIGSTOP)
        try:
            self.socket.settimeout(1)
            with self.assertRaises(socket.timeout):
                for _ in range(1000):  # what was sent before it stopped
                    self.told()
        finally:
            bus.send_signal(signal.SIGCONT)
        self.socket.settimeout(harness.PATIENCE_S)
        self.assertEqual(self.told(), "WATCHDOG=1")

    def test_a_bus_that_cannot_start_says_why_also_with_a_file_of_settings_and_a_watchdog(self):
        settings = self.folder / "amoskys.yaml"
        settings.write_text(f"bus:\n  pki_dir: {self.folder}/none\n")
        for environment in ({}, self.environment | {"WATCHDOG_USEC": "200000"}):
            said = self.fails(66, "--config", settings, "bus", "--listen", "127.0.0.1:0", environment=environment)
            self.assertIn("none/log.key: No such file", said)

    def test_keys_come_from_a_credential_folder(self):
        """As LoadCredential= lays them: a flat folder of files that only their reader may read, nothing written there."""
        pki = self.state / "pki"
        credentials = self.folder / "credentials"
        credentials.mkdir()
        self.ok("pki", "trust", "export", self.folder / "shown", "--inline")
        for file in (*(pki / name for name in ("ca.crt", "bus.crt", "bus.key", "log.key", "log.pub")),
                     self.folder / "shown" / "trust.yaml"):
            shutil.copy(file, credentials / file.name)
            (credentials / file.name).chmod(0o400)
        credentials.chmod(0o500)
        state = self.folder / "bus-state"
        bus, addresses = self.start_bus("--pki-dir", credentials, state=state)
        self.ok("agent", "example", "--once", "--bus", addresses["listen"])
        self.assertEqual(self.stop(bus), 0)
        self.assertEqual(self.ok_json("inspect", "summary", state=state)["records"], 1)
        self.assertFalse((state / "pki").exists())

        agent = self.folder / "agent-credentials"
        agent.mkdir()
        for name, source in (("ca.crt", "ca.crt"), ("agent.crt", "agents/edge-1.crt"), ("agent.key", "agents/edge-1.key"),
                             ("agent.ed25519", "agents/edge-1.ed25519")):
            shutil.copy(pki / source, agent / name)
            (agent / name).chmod(0o400)
        agent.chmod(0o500)
        bus, addresses = self.start_bus()
        self.ok("agent", "example", "--once", "--bus", addresses["listen"], "--id", "edge-1", "--pki-dir", agent,
                state=self.folder / "agent-state")
        self.assertEqual(self.stop(bus), 0)
        self.assertEqual(self.ok_json("inspect", "summary")["lanes"][0]["agent"], "edge-1")

    @unittest.skipUnless(os.geteuid() == 0, "only root can lay down files that are another user's to read")
    def test_keys_that_root_lays_down_for_a_group_are_read_and_those_for_all_are_not(self):
        """As systemd does with an ACL, and Kubernetes with fsGroup: root's, 0440."""
        user = 12345
        self.folder.chmod(0o755)
        executable = self.folder / "amoskys"
        shutil.copy(harness.AMOSKYS, executable)
        keys = self.folder / "secret"
        keys.mkdir(mode=0o755)
        self.ok("pki", "trust", "export", self.folder / "shown", "--inline")
        for file in (*(self.state / "pki" / name for name in ("ca.crt", "bus.crt", "bus.key", "log.key", "log.pub")),
                     self.folder / "shown" / "trust.yaml"):
            shutil.copy(file, keys / file.name)
            os.chown(keys / file.name, 0, user)
            (keys / file.name).chmod(0o440)
        state = self.folder / "state-of-user"
        state.mkdir()
        os.chown(state, user, user)

        def bus_of_user():
            return subprocess.Popen([executable, "--state-dir", state, "bus", "--listen", "127.0.0.1:0", "--http-listen",
                                     "127.0.0.1:0", "--pki-dir", keys], user=user, group=user, extra_groups=[],
                                    stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                    env=harness.clean_environment() | {"NOTIFY_SOCKET": self.environment["NOTIFY_SOCKET"]})
        pathlib.Path(self.environment["NOTIFY_SOCKET"]).chmod(0o666)
        bus = bus_of_user()
        self.addCleanup(lambda: bus.poll() is None and bus.kill())
        self.assertEqual(self.told(), "READY=1")
        bus.terminate()
        _, said = bus.communicate(timeout=harness.PATIENCE_S)
        self.assertEqual(bus.returncode, 0, said)
        (keys / "bus.key").chmod(0o444)
        bus = bus_of_user()
        _, said = bus.communicate(timeout=harness.PATIENCE_S)
        self.assertEqual(bus.returncode, 77, said)
        self.assertIn(b"bus.key has mode 0444", said)


if __name__ == "__main__":
    unittest.main()
