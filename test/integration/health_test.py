"""`amoskys health`: a bus that serves, one that cannot take envelopes, none at all; over the protocol and over HTTP."""
import json
import unittest

import harness


class Health(harness.AmoskysTest):
    def ask(self, expected_code, *args):
        code, out, err = self.run_cli("health", "-o", "json", *args)
        self.assertEqual(code, expected_code, err)
        told = json.loads(out)
        self.assertEqual(told["schema"], "amoskys.health/1")
        return told, err

    def both(self, expected_code, addresses):
        """Over the protocol and over HTTP."""
        return (self.ask(expected_code, "--bus", addresses["listen"]),
                self.ask(expected_code, "--http", addresses["http"]))

    def test_a_bus_that_serves_is_healthy(self):
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        (told, _), (page, _) = self.both(0, addresses)
        self.assertEqual((told["status"], page["status"]), ("healthy", "healthy"))
        self.assertEqual(set(told["components"]), {"log", "admission", "sessions"})
        self.assertEqual(told["components"]["admission"], {"status": "healthy", "message": "envelopes are taken"})
        self.assertEqual((told["reason"], page["reason"]), (None, None))
        self.assertTrue(told["version"].startswith("amoskys "))
        self.assertEqual(told["counts"]["log_records"], "0")
        self.assertEqual(self.ok("health", "--bus", addresses["listen"], "--quiet"), "")

    def test_a_bus_that_takes_nothing_is_degraded_and_says_why(self):
        self.ok("pki", "init")
        _, addresses = self.start_bus("--overload", "on")
        harness.wait_until(lambda: self.run_cli("health", "--http", addresses["http"])[0] == 10, "it is overloaded")
        for told, err in self.both(10, addresses):
            self.assertEqual(told["status"], "degraded")
            self.assertIn("overload is switched on", told["reason"])
            self.assertEqual(json.loads(err.splitlines()[-1])["code"], "bus_degraded")

    def test_no_bus_is_down(self):
        self.ok("pki", "init")
        nobody = f"127.0.0.1:{harness.free_tcp_port()}"
        for told, err in self.both(69, {"listen": nobody, "http": nobody}):
            self.assertEqual(told["status"], "down")
            self.assertIn("refused", told["reason"].lower())
            self.assertEqual(json.loads(err.splitlines()[-1])["exit"], 69)

    def test_bad_addresses_and_missing_keys_are_said(self):
        self.assertIn("allowed: HOST:PORT", self.fails(64, "health", "--bus", "127.0.0.1:99999"))
        self.assertIn("pki init", self.fails(78, "health"))


if __name__ == "__main__":
    unittest.main()
