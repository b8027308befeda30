#!/usr/bin/env python3
"""Verifies the golden vectors with nothing of ours but the .proto files.

For each vector of manifest.json: the file's SHA-256; that Python's protobuf parses it and writes the
same bytes again; for an envelope the strict form's canonical bytes, their digest and the signature;
for a frame its length prefix and, for a receipt or a head, its signature. Exit 0 = all hold, 1 = one does
not, 77 = protoc, python3-protobuf or python3-cryptography is not there.
"""
import hashlib
import importlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

GOLDEN = pathlib.Path(__file__).resolve().parent
ROOT = GOLDEN.parent.parent

try:
    import google.protobuf  # noqa: F401
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError as error:
    print(f"notice: skipped, {error}")
    sys.exit(77)


class Failed(Exception):
    pass


def expect(ok, what):
    if not ok:
        raise Failed(what)


def messages():
    """Generates the modules and returns a function from full name to class."""
    protoc = shutil.which("protoc")
    if protoc is None:
        print("notice: skipped, no protoc")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        names = ["messaging_schema", "universal_telemetry", "bus"]
        subprocess.run([protoc, "-I", str(ROOT), f"--python_out={folder}"]
                       + [f"proto/{name}.proto" for name in names], cwd=ROOT, check=True)
        sys.path.insert(0, folder)
        modules = [importlib.import_module(f"proto.{name}_pb2") for name in names]

    def find(full_name):
        for module in modules:
            for message in module.DESCRIPTOR.message_types_by_name.values():
                if message.full_name == full_name:
                    return getattr(module, message.name)
        raise Failed(f"no message {full_name}")
    return find


def rewritten(message):
    return message.SerializeToString(deterministic=True)


def verify(public_key, signature, body, what):
    try:
        public_key.verify(signature, body)
    except InvalidSignature:
        raise Failed(f"{what}: bad signature") from None


def tagged(tag, body):
    return tag.encode() + b"\0" + hashlib.sha256(body).digest()


def check_envelope(row, message, data, manifest, key):
    if "canonical_sha256" not in row:
        return
    field_8 = b"\x42\x40" + message.sig
    expect(len(message.sig) == 64 and data.count(field_8) == 1, "field 8 is not there once")
    canonical = data.replace(field_8, b"")
    message.ClearField("sig")
    expect(rewritten(message) == canonical, "canonical bytes are not the message without sig")
    expect(len(canonical) == row["canonical_bytes"], "length of the canonical bytes")
    expect(hashlib.sha256(canonical).hexdigest() == row["canonical_sha256"], "canonical digest")
    expect(field_8[2:].hex() == row["signature"], "signature of the manifest")
    expect(message.signing_algorithm == row["algorithm"], "algorithm")
    expect(message.key_id == manifest["key_id"], "key_id")
    expect(message.sequence == row["sequence"], "sequence")
    body = (canonical if row["algorithm"] == "Ed25519"
            else tagged(manifest["envelope_tag"], canonical))
    verify(key, field_8[2:], body, "envelope")


def check_legacy(row, message, key):
    signature = bytes.fromhex(row["signature"])
    expect(message.sig in (b"", signature), "signature of the manifest")
    for field in ("sig", "prev_sig", "payload"):
        message.ClearField(field)
    verify(key, signature, rewritten(message), "legacy envelope")


def check_receipt(receipt, manifest):
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(manifest["log_public_key"]))
    signature = receipt.sig
    receipt.ClearField("sig")
    verify(key, signature, tagged(manifest["receipt_tag"], rewritten(receipt)), "receipt")


def check_head(head, manifest, key):
    signature = head.sig
    head.ClearField("sig")
    expect(head.key_id == manifest["key_id"], "key_id of the head")
    verify(key, signature, tagged(manifest["head_tag"], rewritten(head)), "head")


def check_vector(row, manifest, find, key):
    data = (GOLDEN / row["file"]).read_bytes()
    expect(len(data) == row["bytes"], "length")
    expect(hashlib.sha256(data).hexdigest() == row["sha256"], "SHA-256")
    frame = row["message"] == "amoskys.bus.Frame"
    if frame:
        expect(int.from_bytes(data[:4], "big") == len(data) - 4, "length prefix")
        data = data[4:]
    message = find(row["message"])()
    message.ParseFromString(data)
    expect(rewritten(message) == data, "Python's protobuf writes other bytes")
    if row["message"] == "messaging.UniversalEnvelope":
        check_envelope(row, message, data, manifest, key)
    elif row["message"] == "messaging.Envelope":
        check_legacy(row, message, key)
    elif frame:
        expect(message.WhichOneof("body") == row["file"][len("frame_"):-len(".bin")], "body")
        if message.HasField("receipt"):
            check_receipt(message.receipt, manifest)
        if message.HasField("head"):
            check_head(message.head, manifest, key)


def main():
    manifest = json.loads((GOLDEN / "manifest.json").read_text())
    public = bytes.fromhex(manifest["public_key"])
    expect(hashlib.sha256(public).hexdigest()[:16] == manifest["key_id"], "key_id")
    key = Ed25519PublicKey.from_public_bytes(public)
    find = messages()
    listed = {row["file"] for row in manifest["vectors"]}
    present = {path.name for path in GOLDEN.glob("*.bin")}
    failed = 0
    if listed != present:
        print(f"FAILED files and manifest differ: {sorted(listed ^ present)}")
        failed += 1
    for row in manifest["vectors"]:
        try:
            check_vector(row, manifest, find, key)
        except (Failed, OSError) as error:
            print(f"FAILED {row['file']}: {error}")
            failed += 1
    print(f"{len(manifest['vectors'])} vectors, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
