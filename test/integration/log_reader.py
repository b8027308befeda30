"""What a log holds, read by Debian's python3-lmdb and protobuf: a second opinion that shares no code with the product."""
import hashlib
import struct
import unittest

import link_client as link

try:
    import lmdb
except ImportError:
    lmdb = None

HEADER = struct.Struct("<4sBBHIIQQ16s32s16s")  # core/wal/record.h
UNIVERSAL, LEGACY, GAP, AUDIT = 1, 2, 3, 4


class Record:
    def __init__(self, raw):
        (magic, version, self.kind, self.flags, size, _, self.offset, self.received_ns, self.source, self.digest,
         check) = HEADER.unpack_from(raw)
        self.stored = raw[HEADER.size:]
        if magic != b"AWR1" or version != 1 or size != len(self.stored):
            raise AssertionError(f"record {self.offset}: damaged header")
        if hashlib.sha256(raw[:80]).digest()[:16] != check:
            raise AssertionError(f"record {self.offset}: the header's check does not fit")

    def envelope(self):
        """The parsed envelope; its digest is checked on the way."""
        canonical = b"".join(part for number, part in link.fields(self.stored) if number != 8)
        if hashlib.sha256(canonical).digest() != self.digest:
            raise AssertionError(f"record {self.offset}: the digest does not fit")
        return link.universal().FromString(self.stored)


def records(folder):
    """The records of the log in `folder`, which no process may be writing, in their order."""
    if lmdb is None:
        raise unittest.SkipTest("python3-lmdb is not installed")
    for file in sorted(folder.glob("????????.mdb")):
        environment = lmdb.open(str(file), subdir=False, readonly=True, lock=False, max_dbs=16)
        try:
            log = environment.open_db(b"log", create=False, integerkey=True)
            with environment.begin(db=log) as transaction:
                for _, raw in transaction.cursor():
                    yield Record(raw)
        finally:
            environment.close()


def lanes(folder):
    """{(agent_id, lane): {(epoch, sequence): digest}} of the log; fails where a sequence stands twice or one is left out,
    and where the log's own numbers are not gapless."""
    found, offset = {}, 0
    for record in records(folder):
        assert offset in (0, record.offset - 1), f"record {record.offset} follows {offset}"
        offset = record.offset
        if record.kind not in (UNIVERSAL, GAP):
            continue
        envelope = record.envelope()
        lane = found.setdefault((envelope.agent_id, envelope.lane), {})
        first = envelope.gap.first_sequence if record.kind == GAP else envelope.sequence
        for sequence in range(first, envelope.sequence + 1):
            key = (envelope.epoch, sequence)
            assert key not in lane, f"{envelope.agent_id}/{envelope.lane}: {key} stands twice"
            assert sequence == 1 or (envelope.epoch, sequence - 1) in lane, f"{envelope.agent_id}/{envelope.lane}: nothing before {key}"
            lane[key] = record.digest
    return found


def digest_of(stored):
    return hashlib.sha256(b"".join(part for number, part in link.fields(stored) if number != 8)).digest()
