"""Who may not talk to whom: each peer that TLS has to refuse is refused for its own reason, on both sides.

The certificates are made here with Debian's python3-cryptography, the handshakes by OpenSSL: both know nothing of the
product. sslscan and testssl.sh look at the bus from outside; what they find is pinned in expected/.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import unittest

import certificates
import harness
import link_client as link
from bus_case import REFUSED, BusTest
from certificates import Authority, new_key, private_pem, rsa_key, write_private

EXPECTED = pathlib.Path(__file__).resolve().parent / "expected"
HISTORY = "device_id,ts_ns,level\nedge,1764821300000000000,1\n"


class Clients(BusTest):
    """The bus refuses the client."""

    def setUp(self):
        super().setUp()
        self.own = Authority(self.state / "pki")
        self.key = certificates.read_key(self.state / "pki/agents/good.key")

    def context_of(self, certificate, key=None):
        file = write_private(self.folder / "client.pem", certificate, private_pem(key or self.key))
        context = link.tls_context(self.identities["good"], certificate=False)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # OpenSSL of today refuses to show a weak one unless told
        context.load_cert_chain(file)
        return context

    def good(self, authority=None, key=None, **changes):
        """A context with a certificate of agent `good`, but for the changes."""
        return self.context_of((authority or self.own).issue("good", key or self.key, **changes), key)

    def assert_no_session(self, context, label):
        """With TLS 1.3 a client may learn from its first read that it was refused."""
        before = self.counters()
        with self.assertRaises((OSError, link.Closed)):
            self.session("good", context).hello()
        self.assert_counted(before, REFUSED, label)

    def test_each_bad_certificate_is_refused_for_its_own_reason_while_another_agent_publishes(self):
        witness, lane = self.lane_session("second")
        namesake = Authority.new(self.own.certificate.subject)
        middle = Authority.new("middle of another", parent=Authority.new("root of another"))
        nobody = link.tls_context(self.identities["good"], certificate=False)
        cases = [
            ("no certificate", nobody, "no_client_certificate"),
            ("another CA", self.good(Authority.new()), "unknown_ca"),
            ("another CA's intermediate", self.good(middle), "unknown_ca"),
            ("a CA of the same name", self.good(namesake), "unknown_ca"),
            ("the same, key not named", self.good(namesake, identify_issuer=False), "unknown_ca"),
            ("expired", self.good(days=(-3, -1)), "certificate_expired"),
            ("not yet valid", self.good(days=(1, 3)), "certificate_not_yet_valid"),
            ("a server's", self.good(server=True), "wrong_purpose"),
            ("RSA of 1024 bits", self.good(key=rsa_key(1024)), "weak_certificate"),
            ("signed with SHA-1", self.context_of(self.sha1_certificate()), "weak_certificate"),
        ]
        for what, context, label in cases:
            with self.subTest(what):
                self.assert_no_session(context, label)
                self.assert_accepted(witness, lane, lane.next())
        before = self.counters()
        error = self.session("good", self.context_of(self.own.issue(("good", "second"), self.key))).hello()
        self.assertIn("does not have exactly one CN", error.reason)
        self.assert_counted(before, REFUSED, "no_common_name")
        with self.subTest("revoked"):
            before = self.counters()
            error = self.session("revoked").hello()
            self.assertIn("agent 'revoked' is revoked", error.reason)
            self.assert_counted(before, REFUSED, "revoked")
        self.assert_accepted(witness, lane, lane.next())
        self.assert_still_serves()
        self.assertEqual(self.stop_and_verify()["envelopes"], len(cases) + 2)

    def sha1_certificate(self):
        """Made by the openssl command: python3-cryptography does not sign with SHA-1."""
        request, extensions = self.folder / "sha1.csr", self.folder / "sha1.ext"
        key = write_private(self.folder / "sha1.key", private_pem(self.key))
        extensions.write_text("extendedKeyUsage=clientAuth\n")
        pki = self.state / "pki"
        subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=good", "-out", request], check=True,
                       capture_output=True)
        done = subprocess.run(["openssl", "x509", "-req", "-sha1", "-in", request, "-CA", pki / "ca.crt", "-CAkey", pki / "ca.key",
                               "-set_serial", "7", "-days", "1", "-extfile", extensions], check=True, capture_output=True)
        return done.stdout

    def openssl(self, *args):
        """A client that offers only what it is told."""
        host, _, port = self.addresses["listen"].rpartition(":")
        pki = self.state / "pki"
        done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", "-CAfile", pki / "ca.crt", "-cert",
                               pki / "agents/good.crt", "-key", pki / "agents/good.key", "-alpn", "amoskys/1", *args],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=harness.PATIENCE_S)
        return done.stdout.decode() + done.stderr.decode()

    def test_old_versions_and_weak_suites_groups_and_signatures_are_refused_for_their_own_reasons(self):
        witness, lane = self.lane_session("second")
        cases = [(["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"], "protocol_version"),
                 (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "protocol_version"),
                 (["-tls1_2"], "protocol_version"),
                 (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], "protocol_version"),
                 (["-tls1_2", "-cipher", "AES128-SHA@SECLEVEL=0"], "protocol_version"),
                 (["-tls1_2", "-cipher", "NULL-SHA:eNULL@SECLEVEL=0"], "protocol_version"),
                 (["-ciphersuites", "TLS_AES_128_CCM_SHA256", "-tls1_3"], "no_shared_cipher"),
                 (["-ciphersuites", "TLS_AES_128_CCM_8_SHA256", "-tls1_3"], "no_shared_cipher"),
                 (["-groups", "ffdhe2048", "-tls1_3"], "no_shared_group"),
                 (["-groups", "X448", "-tls1_3"], "no_shared_group"),
                 (["-sigalgs", "RSA-PSS+SHA256", "-tls1_3"], "no_shared_signature"),
                 (["-sigalgs", "ECDSA+SHA512", "-tls1_3"], "no_shared_signature"),
                 (["-alpn", "h2", "-tls1_3"], "alpn"),
                 (["-alpn", "amoskys/2", "-tls1_3"], "alpn")]
        for args, label in cases:
            with self.subTest(" ".join(args)):
                before = self.counters()
                self.openssl(*args)
                self.assert_counted(before, REFUSED, label)
                self.assert_accepted(witness, lane, lane.next())
        # The same client, unchanged, is let in: it is not the client that cannot.
        before = self.counters()
        self.assertIn("Verify return code: 0 (ok)", self.openssl("-tls1_3"))
        self.assertEqual(self.grown(before), {})
        no_protocol = link.tls_context(self.identities["good"])
        no_protocol.set_alpn_protocols([])
        self.assert_no_session(no_protocol, "alpn")
        self.assert_accepted(witness, lane, lane.next())
        self.assertEqual(self.stop_and_verify()["envelopes"], len(cases) + 1)


class Servers(harness.AmoskysTest):
    """An agent refuses the bus, says why, and keeps what it collected for the right one."""

    def setUp(self):
        if link.MISSING:
            self.skipTest(link.MISSING)
        super().setUp()
        self.ok("pki", "init")
        self.own = Authority(self.state / "pki")
        self.history = self.folder / "history.csv"
        self.history.write_text(HISTORY)

    @contextlib.contextmanager
    def server(self, certificate, key, version=ssl.TLSVersion.TLSv1_3, protocols=("amoskys/1",)):
        """A TLS server that shakes hands with everyone; gives 'HOST:PORT' and what it read."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(write_private(self.folder / "server.pem", certificate, private_pem(key)))
        context.load_verify_locations(self.state / "pki/ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        if protocols:
            context.set_alpn_protocols(list(protocols))
        listener = socket.create_server(("127.0.0.1", 0))
        read = []

        def serve():
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                raw.settimeout(harness.PATIENCE_S)
                with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as stream:
                    read.append(stream.recv(65536))
                raw.close()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", read
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()

    def test_each_bad_server_is_refused_with_its_reason_and_nothing_is_told_to_it(self):
        namesake = Authority.new(self.own.certificate.subject)

        def of(authority, key=None, **changes):
            key = key or new_key()
            return authority.issue("bus", key, **{"server": True, **changes}), key

        cases = [
            ("another CA", of(Authority.new()), {}, "the certificate is not of the same CA"),
            ("a CA of the same name", of(namesake), {}, "the certificate is not of the same CA"),
            ("the same, key not named", of(namesake, identify_issuer=False), {}, "the certificate is not of the same CA"),
            ("expired", of(self.own, days=(-3, -1)), {}, "the certificate has expired"),
            ("not yet valid", of(self.own, days=(1, 3)), {}, "the certificate is not yet valid"),
            ("an agent's", of(self.own, server=False), {}, "the certificate is not for this purpose"),
            ("another address", of(self.own, names=("127.0.0.2",)), {}, "the certificate does not bear this name"),
            ("a name, no address", of(self.own, names=("localhost",)), {}, "the certificate does not bear this name"),
            ("no name at all", of(self.own, names=()), {}, "the certificate does not bear this name"),
            ("a weak key", of(self.own, rsa_key(2047)), {}, "the certificate or its chain is too weak"),
            ("TLS 1.2", of(self.own), {"version": ssl.TLSVersion.TLSv1_2}, "it does not speak TLS 1.3"),
            ("another protocol", of(self.own), {"protocols": ("h2",)}, "it does not speak amoskys/1"),
            ("no protocol", of(self.own), {"protocols": ()}, "it does not speak amoskys/1"),
        ]
        for what, (certificate, key), server, reason in cases:
            with self.subTest(what), self.server(certificate, key, **server) as (address, read):
                err = self.fails(69, "agent", "replay", self.history, "--bus", address, "--ack-timeout", "0.5s")
                self.assertIn(reason, err)
                self.assertEqual([data for data in read if data], [], "the agent told a stranger something")
        # The right bus gets all that was kept.
        bus, addresses = self.start_bus()
        self.ok("agent", "replay", self.history, "--bus", addresses["listen"])
        events = self.ok_ndjson("inspect", "events")
        self.assertEqual([e["value"] for e in events if e.get("metric") == "level"], [1] * (len(cases) + 1))
        self.assertEqual(self.stop(bus), 0)
        self.ok("inspect", "verify")

    def test_rsa_chains_with_an_intermediate_are_accepted_on_both_sides(self):
        pki = self.state / "pki"
        root = Authority.new("RSA root", rsa_key())
        middle = Authority.new("RSA middle", rsa_key(), parent=root)
        agent = next(f.stem for f in (pki / "agents").glob("*.crt"))
        (pki / "ca.crt").write_bytes(root.pem)
        for at, name, server in ((pki / "bus", "bus", True), (pki / "agents" / agent, agent, False)):
            key = rsa_key(2048)
            at.with_suffix(".crt").write_bytes(middle.issue(name, key, server=server))
            write_private(at.with_suffix(".key"), private_pem(key))
        bus, addresses = self.start_bus()
        self.ok("agent", "replay", self.history, "--bus", addresses["listen"])
        self.assertEqual(self.ok_json("inspect", "summary")["events"], 1)
        self.assertEqual(self.stop(bus), 0)
        self.ok("inspect", "verify")


class Scans(harness.AmoskysTest):
    """What others' scanners find: changes of the TLS library or of its settings show up here."""

    def setUp(self):
        super().setUp()
        self.ok("pki", "init")
        _, addresses = self.start_bus()
        self.address = addresses["listen"]

    def scanner(self, name):
        if shutil.which(name) is None:
            self.skipTest(f"{name} is not installed")
        return name

    def check(self, name, found):
        expected = (EXPECTED / name).read_text()
        if os.environ.get("AMOSKYS_UPDATE_EXPECTED"):
            (EXPECTED / name).write_text(found)
        self.assertEqual(found, expected, f"not what {EXPECTED / name} says (AMOSKYS_UPDATE_EXPECTED=1 rewrites it)")

    def test_sslscan_finds_what_is_pinned(self):
        done = subprocess.run([self.scanner("sslscan"), "--no-colour", self.address], capture_output=True,
                              timeout=harness.PATIENCE_S)
        text = done.stdout.decode()
        # Of the machine, of this run, or of sslscan's own build.
        text = re.sub(r"(?m)^(Version:|OpenSSL|Testing SSL|Connected to|Rebuild with|Not valid|Altnames:).*\n", "", text)
        text = re.sub(r"amoskys CA [0-9a-f]+", "amoskys CA ...", text)
        self.check("sslscan.txt", re.sub(r"\n{2,}", "\n\n", text).strip() + "\n")

    def test_testssl_finds_what_is_pinned(self):
        file = self.folder / "testssl.json"
        subprocess.run([self.scanner("testssl"), "--quiet", "--color", "0", "--warnings", "off", "--ip", "one",
                        "--openssl-timeout", "10", "--jsonfile", file, "-p", "-s", "-f", "-P", "-S", "-U", self.address],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=5 * harness.PATIENCE_S,
                       env=dict(os.environ, TERM="dumb"))
        found = json.loads(file.read_text())
        # The certificate's particulars are of this run; its algorithms are not.
        varying = re.compile(r"cert(?!_keySize|_signatureAlgorithm|_keyUsage|_extKeyUsage)|service|scanTime|clientAuth|engine|"
                             r"DNS_CAArecord|optimal_proto|pre_128|cipher_order_$|TLS_timestamp|OCSP|intermediate|issuer|"
                             r"sessionresumption_ID|HTTP")
        lines = [f"{row['id']}  {row['severity']}  {row['finding']}" for row in found if not varying.match(row["id"])]
        self.check("testssl.txt", "\n".join(lines) + "\n")


if __name__ == "__main__":
    unittest.main()
