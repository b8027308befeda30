"""`dash`: what it refuses, who may ask, that the API says what the command line says, the stream, hostile clients."""
import http.client
import json
import os
import pathlib
import socket
import ssl
import time
import unittest
import urllib.parse

import harness
from nouns_test import shape

GOLDEN = harness.SOURCE / "modules/tools/dash/test/golden"
HOSTILE = "<img src=x onerror=alert(1)>"


class Dash(harness.AmoskysTest):
    def start_dash(self, *args, state=None, listen="127.0.0.1:0"):
        ready = self.folder / f"dash-ready-{len(self.processes)}.json"
        process = self.start("dash", "--listen", listen, "--ready-file", ready, *args, state=state)

        def served():
            self.assertIsNone(process.poll(), pathlib.Path(process.log_path).read_text())
            return ready.exists() and ready.stat().st_size > 0
        harness.wait_until(served, "the page is served")
        self.address = json.loads(ready.read_text())["listen"]
        return process

    def ask(self, method, path, body=None, headers=None, context=None, host=None):
        """(status, headers, body) of one request over its own connection."""
        name, port = self.address.rsplit(":", 1)
        kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
        connection = kind(name, int(port), timeout=harness.PATIENCE_S, **({"context": context} if context else {}))
        try:
            connection.putrequest(method, path, skip_host=host is not None, skip_accept_encoding=True)
            if host is not None:
                connection.putheader("Host", host)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            for key, value in (headers or {}).items():
                connection.putheader(key, value)
            connection.endheaders(body.encode() if body is not None else None)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def api(self, path, expected=200, **kwargs):
        status, headers, body = self.ask("GET", f"/api/v1/{path}", **kwargs)
        self.assertEqual(status, expected, f"{path}: {body}")
        if expected != 200:
            self.assertEqual(headers["Content-Type"], "application/problem+json")
        return json.loads(body)

    def make_log(self, rows=60):
        """A log with two devices, one of them with a hostile name."""
        csv = self.folder / "rows.csv"
        lines = ["device_id,ts_ns,cpu_pct,mem_kb"]
        for i in range(rows):
            for device in ("router-1", f'"{HOSTILE}"'):
                lines.append(f"{device},{1_730_000_000_000_000_000 + i * 10_000_000_000},{20 + i % 7},{1000 + i}")
        csv.write_text("\n".join(lines) + "\n")
        bus, addresses = self.start_bus()
        self.ok("agent", "replay", csv, "--bus", addresses["listen"])
        return bus

    def test_another_address_wants_tls_and_somebody_to_let_in(self):
        self.ok("pki", "init", "--agent", "edge-1")
        told = self.fails(78, "dash", "--listen", "0.0.0.0:0")
        self.assertIn("dash.tls", told)
        told = self.fails(78, "dash", "--listen", "0.0.0.0:0", "--tls")
        self.assertIn("dash.client_ca", told)
        self.assertIn("amoskys dash token", told)
        told = self.fails(78, "dash", "--client-ca", self.state / "pki/ca.crt")
        self.assertIn("dash.tls", told)
        self.fails(78, "dash", "--clients", "alice=owner")
        self.fails(78, "dash", "--open-role", "root")
        (self.state / "dash-tokens").write_text("alice owner 00\n")
        (self.state / "dash-tokens").chmod(0o600)
        self.assertIn("dash-tokens:1", self.fails(78, "dash"))
        (self.state / "dash-tokens").chmod(0o644)
        self.fails(77, "dash")

    def test_the_api_says_what_the_command_line_says(self):
        self.ok("pki", "init", "--agent", "edge-1")
        bus = self.make_log()
        self.assertEqual(self.stop(bus), 0)
        self.start_dash("--look-back", "3650d")
        self.assertEqual(self.api("summary"), self.ok_json("inspect", "summary"))
        self.assertEqual(self.api("gaps")["gaps"], self.ok_json("inspect", "gaps"))
        self.assertEqual(self.api("models")["models"], self.ok_json("score", "models"))
        words = ["--since", "2020-01-01", "--tz", "UTC"]
        self.assertEqual(self.api("timeline?since=2020-01-01&tz=UTC"), self.ok_json("inspect", "timeline", *words))
        newest = self.api("stats")["log"]["newest_offset"]
        self.assertEqual(self.api(f"proofs/{newest}"), self.ok_json("inspect", "prove", newest))

        rows, cursor = [], ""
        while True:
            page = self.api(f"events?limit=7&kind=metric&cursor={cursor}")
            rows += page["events"]
            if page["next"] is None:
                break
            cursor = page["next"]
        told = self.ok_ndjson("inspect", "events", "--kind", "metric")
        for row in rows:
            self.assertTrue(row.pop("what"))
        for row in told:
            row.pop("schema")
        self.assertEqual(len(rows), 240)
        self.assertEqual(list(reversed(rows)), told)

        checked = self.api(f"envelopes/{rows[0]['offset']}")
        self.assertEqual(checked["signature"]["status"], "ok")
        self.assertTrue(checked["inclusion"]["holds"])
        self.assertIn("cpu_pct", checked["envelope"]["text"])
        self.assertEqual(self.api("envelopes/999999", expected=404)["code"], "no_record")

        devices = harness.wait_until(lambda: (lambda told: told["total"] == 2 and told)(self.api("devices")), "devices are known")
        names = [row["device"] for row in devices["devices"]]
        self.assertIn("router-1", names)
        hostile = next(name for name in names if name != "router-1")
        one = self.api("devices/" + urllib.parse.quote(hostile, safe=""))
        self.assertEqual({value["metric"] for value in one["values"]}, {"cpu_pct", "mem_kb"})
        series = self.api("metrics?device=router-1&metric=cpu_pct&since=1730000000&until=1730000600&step=10s&aggregation=last")
        self.assertTrue(series["complete"])
        self.assertEqual(series["series"][0]["values"], [20 + i % 7 for i in range(60)])
        counts = self.api("metrics?device=router-1&metric=cpu_pct&since=1729999900&until=1730000600&step=100s&aggregation=count")
        self.assertEqual(counts["series"][0]["values"], [0, 10, 10, 10, 10, 10, 10])

        kept = GOLDEN / "api.json"
        asked = ["health", "session", "stats", "devices?limit=1", "devices/router-1", "events?kind=metric&limit=1", f"envelopes/{newest}", "threats",
                 "metrics?device=router-1&metric=cpu_pct&since=1730000000&until=1730000600&step=10s"]
        told = json.dumps({path.replace(f"envelopes/{newest}", "envelopes/N"): shape(self.api(path)) for path in asked}, indent=1) + "\n"
        if "AMOSKYS_UPDATE_GOLDEN" in os.environ:
            kept.write_text(told)
        self.assertEqual(told, kept.read_text())

        status, headers, _ = self.ask("GET", "/api/v1/openapi.json")
        again = self.ask("GET", "/api/v1/openapi.json", headers={"If-None-Match": headers["ETag"]})
        self.assertEqual((status, again[0], again[2]), (200, 304, b""))
        self.assertEqual(self.api("openapi.json"), json.loads((GOLDEN / "openapi.json").read_text()))

    def test_hostile_requests_are_refused_and_the_server_goes_on(self):
        self.ok("pki", "init", "--agent", "edge-1")
        process = self.start_dash()
        for host, expected in (("localhost", 200), ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("", 421)):
            self.assertEqual(self.ask("GET", "/api/v1/session", host=host)[0], expected, host)
        for path in ("/../../etc/passwd", "/%2e%2e/etc/passwd", "/a%0d%0aInjected:1", "//etc/passwd"):
            status, headers, _ = self.ask("GET", path)
            self.assertEqual(status, 400, path)
            self.assertNotIn("Injected", headers)
        self.assertEqual(self.ask("GET", "/nothing")[0], 404)
        status, headers, _ = self.ask("DELETE", "/api/v1/events", body="", headers={"Content-Type": "application/json"})
        self.assertEqual((status, headers["Allow"]), (405, "GET"))
        login = {"body": "{}", "headers": {"Content-Type": "application/json"}}
        self.assertEqual(self.ask("POST", "/api/v1/login", body="{}", headers={"Content-Type": "text/plain"})[0], 415)
        crossed = {"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}
        self.assertEqual(self.ask("POST", "/api/v1/login", body="{}", headers=crossed)[0], 403)
        self.assertEqual(self.ask("POST", "/api/v1/login", **login)[0], 400)
        self.assertEqual(self.ask("GET", "/api/v1/session", headers={"X": "a" * 20_000})[0], 431)
        self.assertEqual(self.ask("POST", "/api/v1/login", body="a" * 70_000, headers=login["headers"])[0], 413)
        name, port = self.address.rsplit(":", 1)
        for bytes_ in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"):
            with socket.create_connection((name, int(port)), timeout=harness.PATIENCE_S) as raw:
                raw.sendall(bytes_)
                self.assertTrue(raw.recv(4096).startswith(b"HTTP/1.1 400 "))
        _, headers, body = self.ask("GET", "/")
        self.assertEqual(headers["Content-Encoding"], "gzip")
        for key, part in (("Content-Security-Policy", "require-trusted-types-for 'script'"), ("X-Content-Type-Options", "nosniff"),
                          ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer")):
            self.assertIn(part, headers[key])
        self.assertEqual(self.ask("GET", "/", headers={"Accept-Encoding": "identity"})[0], 406)
        self.assertIsNone(process.poll())
        self.assertEqual(self.stop(process), 0)

    def test_slow_and_many_connections_cost_the_server_nothing_lasting(self):
        self.ok("pki", "init", "--agent", "edge-1")
        self.start_dash("--max-connections", "20")
        name, port = self.address.rsplit(":", 1)
        held = [socket.create_connection((name, int(port)), timeout=harness.PATIENCE_S) for _ in range(20)]
        for each in held:
            each.sendall(b"GET / HTTP/1.1\r\nHost: local")
        with socket.create_connection((name, int(port)), timeout=harness.PATIENCE_S) as one_more:
            self.assertEqual(one_more.recv(1), b"", "the 21st is closed at once")
        for each in held:  # 15 s after they began
            self.assertEqual(each.recv(1), b"", "a request that does not end is closed")
            each.close()
        self.assertEqual(self.ask("GET", "/api/v1/session")[0], 200)

    def test_the_rate_of_an_address_is_limited(self):
        self.ok("pki", "init", "--agent", "edge-1")
        self.start_dash("--rate-limit", "1")
        statuses = [self.ask("GET", "/api/v1/session")[0] for _ in range(50)]
        self.assertEqual(statuses[0], 200)
        self.assertIn(429, statuses)

    def test_tokens_open_what_their_role_may(self):
        self.ok("pki", "init", "--agent", "edge-1")
        made = self.ok_json("dash", "token", "alice", "--role", "analyst")
        self.assertNotIn(made["token"], (self.state / "dash-tokens").read_text())
        self.assertEqual((self.state / "dash-tokens").stat().st_mode & 0o777, 0o600)
        self.start_dash()
        self.assertEqual(self.api("session")["role"], "nobody")
        self.assertEqual(self.api("health")["status"], "degraded")
        self.assertEqual(self.api("stats", expected=401)["code"], "not_signed_in")
        self.assertEqual(self.api("stream", expected=401)["code"], "not_signed_in")
        bearer = {"Authorization": f"Bearer {made['token']}"}
        self.assertEqual(self.api("session", headers=bearer)["role"], "analyst")
        self.assertIsNone(self.api("stats", headers=bearer)["log"])
        self.api("stats", expected=401, headers={"Authorization": "Bearer " + "0" * 64})
        status, headers, _ = self.ask("POST", "/api/v1/login", body=json.dumps({"token": made["token"]}),
                                      headers={"Content-Type": "application/json"})
        self.assertEqual(status, 204)
        cookie = {"Cookie": headers["Set-Cookie"].split(";")[0]}
        self.assertEqual(self.api("session", headers=cookie)["name"], "alice")
        self.ok("dash", "token", "alice", "--role", "viewer")  # the former token is no longer one
        harness.wait_until(lambda: self.api("session", headers=cookie)["role"] == "nobody", "the session ends with its token")

    def test_over_tls_a_client_certificate_says_who_it_is(self):
        self.ok("pki", "init", "--agent", "edge-1")
        self.ok("pki", "issue", "agent", "alice")
        pki = self.state / "pki"
        self.start_dash("--tls", "--client-ca", pki / "ca.crt", "--clients", "alice=admin")

        def context(name=None, ca=pki / "ca.crt"):
            made = ssl.create_default_context(cafile=str(ca))
            if name:
                made.load_cert_chain(str(pki / f"agents/{name}.crt"), str(pki / f"agents/{name}.key"))
            return made
        self.assertEqual(self.api("session", context=context())["role"], "nobody")
        self.assertEqual(self.api("session", context=context("alice"))["role"], "admin")
        self.assertEqual(self.api("session", context=context("edge-1"))["role"], "nobody")
        self.api("stats", expected=401, context=context("edge-1"))
        self.api("stats", context=context("alice"))
        foreign = self.folder / "foreign"
        self.ok("pki", "init", "--agent", "alice", state=foreign)
        stranger = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        stranger.load_cert_chain(str(foreign / "pki/agents/alice.crt"), str(foreign / "pki/agents/alice.key"))
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.BadStatusLine)):
            self.ask("GET", "/api/v1/session", context=stranger)
        old = context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises(ssl.SSLError):
            self.ask("GET", "/api/v1/session", context=old)

    def open_stream(self, headers=None):
        name, port = self.address.rsplit(":", 1)
        raw = socket.create_connection((name, int(port)), timeout=harness.PATIENCE_S)
        self.addCleanup(raw.close)
        extra = "".join(f"{key}: {value}\r\n" for key, value in (headers or {}).items())
        raw.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n".encode())
        lines = raw.makefile("r", encoding="utf-8", newline="\n")
        self.addCleanup(lines.close)
        self.assertEqual(lines.readline(), "HTTP/1.1 200 OK\r\n")
        while lines.readline() != "\r\n":
            pass
        return lines

    def read_stream(self, lines, kind):
        """The messages up to the first one of this kind, each a dict of its fields."""
        messages, now, deadline = [], {}, time.monotonic() + harness.PATIENCE_S
        while not messages or messages[-1].get("event") != kind:
            self.assertLess(time.monotonic(), deadline, f"no message {kind}, but {[each['event'] for each in messages]}")
            line = lines.readline()
            self.assertTrue(line, f"the stream ended before a message {kind}")
            if line != "\n" and not line.startswith(":"):
                key, value = line.rstrip("\n").split(": ", 1)
                now[key] = value
            elif now:
                messages.append(now)
                now = {}
        return messages

    def test_the_stream_tells_what_comes_and_resumes(self):
        self.ok("pki", "init", "--agent", "edge-1")
        bus, addresses = self.start_bus()
        self.start_dash()
        lines = self.open_stream()
        overview = self.read_stream(lines, "overview")[-1]
        self.assertIsNone(json.loads(overview["data"])["trouble"])
        self.ok("agent", "proc", "--once", "--bus", addresses["listen"])
        events = self.read_stream(lines, "events")[-1]
        self.assertTrue(json.loads(events["data"])[0]["what"])
        boot, newest = events["id"].rsplit("-", 1)
        resumed = self.read_stream(self.open_stream({"Last-Event-ID": f"{boot}-{int(newest) - 1}"}), "events")
        self.assertEqual(resumed[-1]["id"], events["id"])
        self.assertNotIn("gap", [message["event"] for message in resumed])
        # A position of another process's stream: what was missed is not known, and that is said.
        self.read_stream(self.open_stream({"Last-Event-ID": "00000000-1"}), "gap")
        self.assertEqual(self.stop(bus), 0)
        self.assertEqual(self.api("health")["status"], "healthy", "a stopped bus leaves a log that can be read")


if __name__ == "__main__":
    unittest.main()
