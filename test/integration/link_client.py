"""A client of the bus written from the .proto files alone: frames over TLS 1.3, envelopes signed in the strict form.

Nothing of the product is linked in: what it accepts or refuses here, any other implementation sees too.
"""
import hashlib
import importlib
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import harness

try:
    import google.protobuf  # noqa: F401
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    MISSING = None if shutil.which("protoc") else "protoc is not installed"
except ImportError as error:
    MISSING = str(error)

OK, RETRY, INVALID, QUOTA_EXCEEDED, SECURITY_VIOLATION = 0, 1, 2, 4, 6  # of UniversalAck
VARINT, FIXED64, BYTES, START_GROUP, END_GROUP, FIXED32 = 0, 1, 2, 3, 4, 5
MAX_ENVELOPE_BYTES = 131072
ENVELOPE_TAG = b"amoskys envelope v1\0"
_modules = {}


def proto(name):
    """The generated module of proto/NAME.proto."""
    if not _modules:
        if MISSING:
            raise unittest.SkipTest(MISSING)
        names = ["messaging_schema", "universal_telemetry", "bus"]
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["protoc", "-I", str(harness.SOURCE), f"--python_out={folder}"]
                           + [f"proto/{n}.proto" for n in names], cwd=harness.SOURCE, check=True)
            sys.path.insert(0, folder)
            try:
                for n in names:
                    _modules[n] = importlib.import_module(f"proto.{n}_pb2")
            finally:
                sys.path.remove(folder)
    return _modules[name]


def universal(**fields):
    return proto("universal_telemetry").UniversalEnvelope(**fields)


# ---- bytes of the wire

def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number, wire_type):
    return varint(number << 3 | wire_type)


def field(number, value):
    """One field, a varint for a number and length-delimited for bytes."""
    if isinstance(value, int):
        return tag(number, VARINT) + varint(value)
    return tag(number, BYTES) + varint(len(value)) + value


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """[(number, bytes of the whole field)] of a well-formed message."""
    out, at = [], 0
    while at < len(data):
        begin = at
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == VARINT:
            _, at = read_varint(data, at)
        elif kind == BYTES:
            size, at = read_varint(data, at)
            at += size
        else:
            at += {FIXED64: 8, FIXED32: 4}[kind]
        out.append((key >> 3, data[begin:at]))
    return out


# ---- identities and envelopes

def key_id(key):
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


class Identity:
    """What `pki issue agent NAME` made: certificate, TLS key, signing key."""

    def __init__(self, pki, name):
        self.name = name
        self.ca = pki / "ca.crt"
        self.certificate = pki / "agents" / f"{name}.crt"
        self.tls_key = pki / "agents" / f"{name}.key"
        pem = (pki / "agents" / f"{name}.ed25519").read_bytes()
        self.key = serialization.load_pem_private_key(pem, None)
        self.key_id = key_id(self.key)

    def sign(self, canonical, algorithm="Ed25519-SHA256"):
        if algorithm == "Ed25519":
            return self.key.sign(canonical)
        return self.key.sign(ENVELOPE_TAG + hashlib.sha256(canonical).digest())


def other_key():
    return Ed25519PrivateKey.generate()


def device_telemetry(value=1.0, device="edge-1", padding=0):
    schema = proto("universal_telemetry")
    record = schema.DeviceTelemetry(device_id=device, device_type="ENDPOINT", timestamp_ns=time.time_ns())
    event = record.events.add(event_type="METRIC")
    event.metric_data.metric_name = "cpu"
    event.metric_data.metric_type = "GAUGE"
    event.metric_data.numeric_value = value
    if padding:
        record.events.add(event_type="LOG").log_data.message = "x" * padding
    return record


class Lane:
    """Makes the envelopes of one lane; `sent()` moves its head on."""

    def __init__(self, identity, name="test", epoch=None, algorithm="Ed25519-SHA256"):
        self.identity, self.name, self.algorithm = identity, name, algorithm
        self.epoch = epoch or time.time_ns() // 1_000_000
        self.sequence, self.head = 0, b""

    def unsigned(self, value=1.0, padding=0, **changes):
        """The next envelope as a message without signature."""
        envelope = universal(version="1.0", ts_ns=time.time_ns(), idempotency_key=f"key-{self.sequence + 1}",
                             prev_sig=self.head, signing_algorithm=self.algorithm, priority="NORMAL",
                             sequence=self.sequence + 1, epoch=self.epoch, key_id=self.identity.key_id, lane=self.name,
                             agent_id=self.identity.name)
        if not any(name in changes for name in ("flow", "process", "device_telemetry", "telemetry_batch", "gap")):
            envelope.device_telemetry.CopyFrom(device_telemetry(value, padding=padding))
        for name, content in changes.items():
            if content is None:
                envelope.ClearField(name)
            elif hasattr(content, "DESCRIPTOR"):
                getattr(envelope, name).CopyFrom(content)
            else:
                setattr(envelope, name, content)
        return envelope

    def sign(self, envelope, algorithm=None):
        canonical = envelope.SerializeToString(deterministic=True)
        envelope.sig = self.identity.sign(canonical, algorithm or self.algorithm)
        return envelope.SerializeToString(deterministic=True)

    def next(self, **changes):
        return self.sign(self.unsigned(**changes))

    def sized(self, size_bytes):
        """The next envelope with exactly so many bytes."""
        room = size_bytes - len(self.next(padding=100_000)) + 100_000
        stored = self.next(padding=room)
        assert len(stored) == size_bytes, (len(stored), size_bytes)
        return stored

    def sign_fields(self, parts):
        """Signs any top-level parts, in the order given; the part (8, None) is where the signature goes."""
        canonical = b"".join(part for _, part in parts if part is not None)
        signature = field(8, self.identity.sign(canonical, self.algorithm))
        return b"".join(signature if part is None else part for _, part in parts)

    def parts(self, **changes):
        """The next envelope's fields, for breaking; see sign_fields()."""
        out = fields(self.unsigned(**changes).SerializeToString(deterministic=True))
        at = next(i for i, (number, _) in enumerate(out) if number > 8)
        return out[:at] + [(8, None)] + out[at:]

    def sent(self, stored):
        self.sequence += 1
        self.head = universal().FromString(stored).sig
        return stored


# ---- the session

class Closed(Exception):
    """The bus has closed the connection."""


def tls_context(identity, certificate=True, minimum=None, maximum=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = minimum or ssl.TLSVersion.TLSv1_3
    context.maximum_version = maximum or ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(identity.ca)
    if certificate:
        context.load_cert_chain(identity.certificate, identity.tls_key)
    context.set_alpn_protocols(["amoskys/1"])
    return context


def tcp(address):
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=harness.PATIENCE_S)


class Session:
    def __init__(self, address, identity, context=None):
        self.identity = identity
        raw = tcp(address)
        try:
            self.socket = (context or tls_context(identity)).wrap_socket(raw, server_hostname="localhost")
        except OSError:
            raw.close()
            raise
        self.buffer, self.last_id, self.welcome = b"", 0, None
        self.allowed_bytes = self.spent_bytes = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, frame):
        self.send_body(frame.SerializeToString(deterministic=True))

    def send_body(self, body):
        self.socket.sendall(struct.pack(">I", len(body)) + body)

    def receive(self):
        """The next frame; Closed where there is none."""
        while len(self.buffer) < 4 or len(self.buffer) < 4 + struct.unpack_from(">I", self.buffer)[0]:
            try:
                data = self.socket.recv(65536)
            except (ssl.SSLError, ConnectionError) as error:
                raise Closed(str(error)) from error
            if not data:
                raise Closed("end of stream")
            self.buffer += data
        end = 4 + struct.unpack_from(">I", self.buffer)[0]
        frame = proto("bus").Frame.FromString(self.buffer[4:end])
        self.buffer = self.buffer[end:]
        if frame.WhichOneof("body") == "credit":
            self.allowed_bytes = frame.credit.bytes_limit
        return frame

    def receive_until(self, body):
        """The next frame's body of that kind; credit and receipts come whenever the bus likes."""
        while (frame := self.receive()).WhichOneof("body") != body:
            pass
        return getattr(frame, body)

    def hello(self, lane=None, agent_id=None, **changes):
        """Sends HELLO; returns WELCOME or ERROR."""
        frame = proto("bus").Frame()
        frame.hello.protocol_versions.append(1)
        frame.hello.agent_id = self.identity.name if agent_id is None else agent_id
        frame.hello.client_version = "test"
        if lane is not None:
            frame.hello.lane = lane.name
            frame.hello.epoch = lane.epoch
        for name, value in changes.items():
            setattr(frame.hello, name, value)
        self.send(frame)
        answer = self.receive()
        if answer.WhichOneof("body") == "welcome":
            self.welcome = answer.welcome
            self.allowed_bytes = answer.welcome.window.bytes_limit
            return answer.welcome
        return answer.error

    def request(self, frame):
        """Sends the frame with the next id; returns the answer's frame."""
        self.last_id += 1
        frame.request_id = self.last_id
        self.send(frame)
        while True:
            answer = self.receive()
            ack = answer.ack
            if answer.request_id == self.last_id or (answer.WhichOneof("body") == "ack"
                                                     and ack.first_request_id <= self.last_id <= ack.last_request_id):
                return answer
            if answer.WhichOneof("body") == "error":
                raise Closed(answer.error.reason)

    def wait_for_credit(self, size):
        """Where the bus shares its budget among many, credit comes to who asks for it."""
        size = min(size, 131072)
        if self.spent_bytes + size > self.allowed_bytes:
            self.say_waiting(1, size)
            while self.spent_bytes + size > self.allowed_bytes:
                if (answer := self.receive()).WhichOneof("body") == "error":
                    raise Closed(answer.error.reason)
            self.say_waiting(0, 0)
        self.spent_bytes += size

    def say_waiting(self, envelopes, size):
        frame = proto("bus").Frame()
        frame.credit.waiting_envelopes, frame.credit.waiting_bytes = envelopes, size
        self.send(frame)

    def publish(self, envelope, legacy=False):
        """Publishes stored bytes; returns the ACK."""
        self.wait_for_credit(len(envelope))
        frame = proto("bus").Frame()
        body = frame.publish_legacy if legacy else frame.publish
        body.SetInParent()
        body.envelope = envelope
        return self.request(frame).ack


# ---- metrics

def scrape(http_address):
    """{'name{labels}': value} of the bus's page."""
    with urllib.request.urlopen(f"http://{http_address}/metrics", timeout=harness.PATIENCE_S) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)
            if name and not name.startswith("#")}
