"""The nine calls of the earlier service as frames: publish, publish legacy, batch, register, update, deregister,
health, status, metrics. Each answers truthfully, and what it changed is there after a restart of the bus.
"""
import json
import time
import unittest

import bus_case
import link_client as link
from link_client import INVALID, OK, QUOTA_EXCEEDED, SECURITY_VIOLATION


class Calls(bus_case.BusTest):
    def call(self, session, name, request=None):
        """Sends the body `name`; returns (name of the answer's body, its message)."""
        frame = link.proto("bus").Frame()
        body = getattr(frame, name)
        body.SetInParent()
        if request is not None:
            body.CopyFrom(request)
        answer = session.request(frame)
        kind = answer.WhichOneof("body")
        return kind, getattr(answer, kind)

    def registration(self, device, **fields):
        schema = link.proto("universal_telemetry")
        return schema.DeviceRegistration(device_id=device, supported_protocols=["SNMP"],
                                         metadata=schema.DeviceMetadata(model=fields.get("model", "m1")))

    def accepted(self, session, name, request):
        kind, answer = self.call(session, name, request)
        self.assertIn(kind, ("registration_answer", "deregistration_answer"))
        return answer.accepted, answer.rejection_reason if kind == "registration_answer" else answer.reason

    def restart(self):
        self.assertEqual(self.stop(self.bus), 0)
        self.bus, self.addresses = self.start_bus()

    def called(self, agent="good"):
        session = self.session(agent)
        session.hello()
        return session

    def device_count(self):
        _, status = self.call(self.called(), "status_request",
                              link.proto("universal_telemetry").StatusRequest(include_device_count=True))
        return status.connected_devices

    def test_devices_are_registered_updated_and_deregistered_and_the_bus_remembers(self):
        session, second = self.called(), self.called("second")
        deregistration = link.proto("universal_telemetry").DeviceDeregistration(device_id="edge-1", reason="gone")
        self.assertEqual(self.accepted(session, "update_device", self.registration("edge-1")),
                         (False, "device 'edge-1' is not registered"))
        self.assertEqual(self.accepted(session, "deregister_device", deregistration), (False, "device 'edge-1' is not registered"))
        kind, answer = self.call(session, "register_device", self.registration("edge-1"))
        self.assertEqual((kind, answer.accepted, answer.device_id, answer.assigned_agent_id),
                         ("registration_answer", True, "edge-1", "good"))
        self.assertEqual(list(answer.allowed_protocols), ["SNMP"])
        self.assertEqual(self.accepted(session, "register_device", self.registration("edge-2")), (True, ""))
        others = (False, "device 'edge-1' was registered by another agent")
        for name, request in (("register_device", self.registration("edge-1")), ("update_device", self.registration("edge-1")),
                              ("deregister_device", deregistration)):
            self.assertEqual(self.accepted(second, name, request), others)
        accepted, reason = self.accepted(session, "register_device", self.registration(""))
        self.assertEqual((accepted, reason.startswith("device_id of 0 bytes")), (False, True), reason)
        kind, error = self.call(self.called("plain"), "register_device", self.registration("edge-9"))
        self.assertEqual((kind, error.code), ("error", link.proto("bus").ErrorFrame.PERMISSION_DENIED))
        self.assertEqual(self.device_count(), 2)

        self.restart()
        self.assertEqual(self.device_count(), 2)
        session, second = self.called(), self.called("second")
        self.assertEqual(self.accepted(second, "update_device", self.registration("edge-1")), others)
        self.assertEqual(self.accepted(session, "update_device", self.registration("edge-1", model="m2")), (True, ""))
        self.assertEqual(self.accepted(session, "deregister_device", deregistration), (True, ""))
        self.assertEqual(self.device_count(), 1)

        self.restart()
        self.assertEqual(self.device_count(), 1)
        self.assertEqual(self.accepted(self.called(), "update_device", self.registration("edge-1")),
                         (False, "device 'edge-1' is not registered"))
        self.stop_and_verify()

    def test_health_status_and_metrics_tell_what_is(self):
        session, lane = self.lane_session()
        batch = link.proto("universal_telemetry").TelemetryBatch(device_id="edge-1")
        for pid in (1, 2, 3):
            batch.processes.add(pid=pid, start_ts_ns=time.time_ns())
        batch.flows.add(src_ip="192.0.2.1", dst_ip="192.0.2.2", start_time=time.time_ns())
        batch.telemetry_records.add().CopyFrom(link.device_telemetry())
        self.assert_accepted(session, lane, lane.next(telemetry_batch=batch), events=5)
        self.assert_accepted(session, lane, lane.next())

        kind, health = self.call(session, "health_request")
        self.assertEqual((kind, health.overall_status), ("health_answer", "HEALTHY"))
        self.assertEqual({name: c.status for name, c in health.component_health.items()},
                         {"log": "HEALTHY", "admission": "HEALTHY", "sessions": "HEALTHY"})
        self.assertEqual(health.component_health["log"].message, "2 records")
        self.assertEqual(health.component_health["sessions"].message, "1 of 4096")
        schema = link.proto("universal_telemetry")
        _, health = self.call(session, "health_request", schema.HealthRequest(components=["log"]))
        self.assertEqual(list(health.component_health), ["log"])
        kind, error = self.call(session, "health_request", schema.HealthRequest(components=["coffee"]))
        self.assertEqual((kind, error.code), ("error", link.proto("bus").ErrorFrame.NOT_FOUND))
        self.assertIn("'coffee'", error.reason)

        other = self.called("second")
        _, status = self.call(session, "status_request", schema.StatusRequest(include_metrics=True, include_device_count=True))
        self.assertTrue(status.service_version.startswith("amoskys "), status)
        self.assertEqual((status.total_events_processed, status.connected_devices), (6, 0))
        told = dict(status.service_metrics)
        self.assertEqual({k: told[k] for k in ("sessions", "agents", "lanes", "log_records", "log_newest")},
                         {"sessions": "2", "agents": "2", "lanes": "1", "log_records": "2", "log_newest": "2"})
        other.close()

        kind, metrics = self.call(session, "metrics_request",
                                  schema.MetricsRequest(metric_names=["amoskys_bus_accepted_events_total"]))
        self.assertEqual(kind, "metrics_answer")
        self.assertEqual([(m.metric_name, [p.value for p in m.data_points]) for m in metrics.metrics],
                         [("amoskys_bus_accepted_events_total", [6.0])])
        _, everything = self.call(session, "metrics_request")
        self.assertGreater(len(everything.metrics), 20)
        _, past = self.call(session, "metrics_request", schema.MetricsRequest(end_time_ns=1))
        self.assertEqual(len(past.metrics), 0)

        self.restart()
        session = self.called()
        _, health = self.call(session, "health_request")
        self.assertEqual((health.overall_status, health.component_health["log"].message), ("HEALTHY", "2 records"))
        welcome = self.session().hello(lane)
        self.assertEqual((welcome.committed_epoch, welcome.committed_sequence, welcome.head_sig),
                         (lane.epoch, 2, lane.head))
        events = self.ok_ndjson("inspect", "events")
        self.assertEqual(sorted(e["kind"] for e in events), ["flow", "metric", "metric", "process", "process", "process"])

    def test_an_envelope_without_sequence_needs_the_permission_and_is_stored_once(self):
        session = self.called("plain")
        lane = link.Lane(self.identities["plain"], name="")
        plain = {"sequence": None, "epoch": None, "lane": None, "prev_sig": None}
        stored = lane.next(**plain)
        for accepted in (1, 0):
            ack = session.publish(stored).ack
            self.assertEqual((ack.status, ack.events_accepted), (OK, accepted), ack)
        self.assert_refused(session, lane.next(value=3.0, **plain), INVALID, "idempotency_key was used for other content",
                            "key_reused")
        for _ in range(2):  # without a key there is no duplicate check
            ack = session.publish(lane.next(idempotency_key=None, **plain)).ack
            self.assertEqual((ack.status, ack.events_accepted), (OK, 1), ack)
        refused = self.called("good")
        self.assert_refused(refused, link.Lane(self.identities["good"]).next(**plain), SECURITY_VIOLATION,
                            "agent 'good' may not publish without sequence (trust map)", "unsequenced_denied")
        self.restart()
        ack = self.called("plain").publish(stored).ack
        self.assertEqual((ack.status, ack.events_accepted), (OK, 0), ack)
        self.assertEqual(self.stop_and_verify()["envelopes"], 3)


class LegacyEnvelopes(bus_case.BusTest):
    def legacy(self, agent="classic", key="k1", src_ip="192.0.2.7", sign_with=None, **fields):
        schema = link.proto("messaging_schema")
        envelope = schema.Envelope(version="v1", ts_ns=time.time_ns(), idempotency_key=key,
                                   flow=schema.FlowEvent(src_ip=src_ip, dst_ip="192.0.2.8", protocol="TCP", bytes_sent=5))
        envelope.sig = (sign_with or self.identities[agent].key).sign(envelope.SerializeToString(deterministic=True))
        for name, value in fields.items():
            setattr(envelope, name, value)
        return envelope.SerializeToString(deterministic=True)

    def test_a_legacy_envelope_is_taken_from_who_may_send_it_and_is_whole_in_the_log(self):
        session = self.session("classic")
        session.hello()
        stored = self.legacy()
        for accepted in (1, 0):
            ack = session.publish(stored, legacy=True).ack
            self.assertEqual((ack.status, ack.events_accepted), (OK, accepted), ack)
        bad = [
            (self.legacy(), INVALID, "idempotency_key was used for other content", "key_reused"),
            (self.legacy(key="k2", sig=bytes(64)), SECURITY_VIOLATION, "bad signature", "bad_signature"),
            (self.legacy(key="k3", sig=b""), SECURITY_VIOLATION, "bad signature", "bad_signature"),
            (self.legacy(key="k4", sign_with=self.identities["good"].key), SECURITY_VIOLATION, "bad signature", "bad_signature"),
            (b"", INVALID, "empty envelope", "empty"),
            (b"\xff" * 20, INVALID, "non-canonical envelope (field ", "not_canonical"),
            (stored + link.field(1, b"v2"), INVALID, "non-canonical envelope (field 1)", "not_canonical"),
            (self.legacy(key="k" * 257), INVALID, "non-canonical envelope (field 3)", "not_canonical"),
            (link.field(1, b"v1"), INVALID, "missing payload", "payload_missing"),
            (self.legacy(key="k5", ts_ns=time.time_ns() + 25 * 3600 * 10**9), INVALID, "ahead of the bus", "clock_ahead"),
        ]
        for content, status, reason, label in bad:
            with self.subTest(label):
                self.assert_refused(session, content, status, reason, label, legacy=True)
        refused = self.session("good")
        refused.hello()
        self.assert_refused(refused, self.legacy("good"), SECURITY_VIOLATION, "may not publish without sequence",
                            "unsequenced_denied", legacy=True)
        events = self.ok_ndjson("inspect", "events", "--device", "192.0.2.7")
        self.assertEqual([(e["kind"], e["device"]) for e in events], [("flow", "192.0.2.7")])
        self.assertEqual(self.stop_and_verify()["envelopes"], 1)

    def test_legacy_records_keep_their_place_in_the_tree_when_the_bus_rebuilds_a_segment(self):
        session = self.session("classic")
        session.hello()
        for i in range(5):
            self.assertEqual(session.publish(self.legacy(key=f"k{i}"), legacy=True).ack.status, OK)
        self.assertEqual(self.stop(self.bus), 0)
        root = self.ok_json("inspect", "verify")["root"]
        with open(self.state / "wal" / "00000001.mdb", "r+b") as segment:
            segment.write(bytes(8192))  # both meta pages
        self.bus, self.addresses = self.start_bus()
        self.assertEqual(self.stop(self.bus), 0)
        _, out, _ = self.run_cli("inspect", "verify", "-o", "json")
        told = json.loads(out)
        self.assertEqual((told["records"], told["signatures_ok"], told["root_matches"], told["root"]), (5, 5, True, root))
        self.assertEqual({finding["what"] for finding in told["findings"]}, {"damage"})

    def test_a_key_that_is_no_longer_good_signs_no_legacy_envelope(self):
        for validity in ("status: revoked", "not_after: 2020-01-01T00:00:00Z", "not_before: 2100-01-01T00:00:00Z"):
            self.trust("  classic: {public_keys: [{path: agents/classic.pub, " + validity + "}], algorithm: Ed25519,\n"
                       "            permissions: [publish, publish_unsequenced]}\n")
            session = self.session("classic")
            session.hello()
            with self.subTest(validity):
                self.assert_refused(session, self.legacy(key=validity), SECURITY_VIOLATION, "bad signature", "bad_signature",
                                    legacy=True)

    def test_legacy_flows_count_against_the_agents_rate(self):
        self.trust("  classic: {public_key_path: agents/classic.pub, algorithm: Ed25519, rate_limit: 1,\n"
                   "            permissions: [publish, publish_unsequenced]}\n")
        session = self.session("classic")
        session.hello()
        answers = [session.publish(self.legacy(key=f"k{i}"), legacy=True).ack for i in range(30)]
        self.assertEqual({a.status for a in answers}, {OK, QUOTA_EXCEEDED})
        refused = next(a for a in answers if a.status == QUOTA_EXCEEDED)
        self.assertEqual(refused.reason, "rate limit of 1 events/s used up")
        self.assertGreater(refused.backoff_hint_ms, 0)

    def test_an_agent_sends_legacy_flows_of_its_own_devices_only(self):
        self.trust("  classic: {public_key_path: agents/classic.pub, algorithm: Ed25519, devices: ['192.0.2.*'],\n"
                   "            permissions: [publish, publish_unsequenced]}\n")
        session = self.session("classic")
        session.hello()
        self.assertEqual(session.publish(self.legacy(), legacy=True).ack.status, OK)
        self.assert_refused(session, self.legacy(key="k2", src_ip="198.51.100.1"), SECURITY_VIOLATION,
                            "device '198.51.100.1' is not one of agent 'classic' (trust map)", "device_denied", legacy=True)


if __name__ == "__main__":
    unittest.main()
