"""The earlier system's log is taken over whole, whatever form SQLite gave the file, or not at all.

Python's sqlite3 makes the databases and says what is in them; Debian's python3-lmdb reads what the product stored.
"""
import hashlib
import json
import pathlib
import shutil
import sqlite3
import unittest

import harness
import link_client as link
import log_reader

LEGACY = harness.SHARED_DATA / "legacy" / "flowagent.db"
START_NS = 1_764_821_300_000_000_000
TABLE = ("CREATE TABLE wal (id INTEGER PRIMARY KEY AUTOINCREMENT, idem TEXT NOT NULL, ts_ns INTEGER NOT NULL,"
         " bytes BLOB NOT NULL, checksum BLOB NOT NULL)")


def envelope(number, padding=0):
    time_ns = START_NS + number
    flow = link.field(1, b"localhost") + link.field(2, b"eventbus") + link.field(9, time_ns)
    return (link.field(1, b"1") + link.field(2, time_ns) + link.field(3, f"key-{number}".encode()) + link.field(4, flow)
            + link.field(5, bytes(range(64))) + (link.field(7, bytes(padding)) if padding else b""))


class ImportTest(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        self.file = self.folder / "earlier" / "flowagent.db"
        self.file.parent.mkdir()

    def database(self, page_bytes=4096, journal="delete", auto_vacuum=0):
        database = sqlite3.connect(self.file, isolation_level=None)
        self.addCleanup(database.close)
        database.execute(f"PRAGMA page_size={page_bytes}")
        database.execute(f"PRAGMA auto_vacuum={auto_vacuum}")
        database.execute(f"PRAGMA journal_mode={journal}")
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.execute(TABLE)
        return database

    def add(self, database, numbers, padding=lambda number: 0):
        database.execute("BEGIN")
        for number in numbers:
            stored = envelope(number, padding(number))
            database.execute("INSERT INTO wal (idem, ts_ns, bytes, checksum) VALUES (?, ?, ?, ?)",
                             (f"key-{number}", START_NS + number, stored, hashlib.blake2b(stored, digest_size=32).digest()))
        database.execute("COMMIT")

    def copied(self):
        """The file and its -wal or -journal as they are now, in a folder of their own."""
        folder = self.folder / f"taken-{len(list(self.folder.glob('taken-*')))}"
        folder.mkdir()
        for suffix in ("", "-wal", "-journal"):
            file = pathlib.Path(f"{self.file}{suffix}")
            if file.exists():
                shutil.copy(file, folder)
        return folder / self.file.name

    def rows(self, database):
        return [row[0] for row in database.execute("SELECT bytes FROM wal ORDER BY id")]

    def assert_imports(self, file, rows):
        """Every row, in order, byte for byte, into a new log; nothing is changed or made beside the file."""
        before = listing(file.parent)
        state = self.folder / f"state-{len(list(self.folder.glob('state-*')))}"
        told = self.ok_json("inspect", "import", file, state=state)
        self.assertEqual((told["rows"], told["imported"]), (len(rows), len(rows)), told)
        self.assertEqual([record.stored for record in log_reader.records(state / "wal")], rows)
        self.assertEqual(listing(file.parent), before)


def listing(folder):
    return {p.name: (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest()) for p in folder.iterdir()}


class Whole(ImportTest):
    def check_import(self, database, rows):
        before = listing(database.parent)
        told = self.ok_json("inspect", "import", database)
        self.assertEqual((told["rows"], told["imported"], told["checksums_ok"], told["events"]), (rows,) * 4, told)
        self.assertEqual(told["checksum_algorithms"]["BLAKE2b-256"], rows)
        events = self.ok_ndjson("inspect", "events")
        self.assertEqual(len(events), rows)
        self.assertEqual({e["kind"] for e in events}, {"flow"})
        self.assertEqual(len({e["time"] for e in events}), rows)
        again = self.ok_json("inspect", "import", database)
        self.assertEqual((again["imported"], again["duplicates"]), (0, rows), again)
        self.assertEqual(self.ok_json("inspect", "summary")["envelopes"], rows)
        self.ok("inspect", "verify")
        self.assertEqual(listing(database.parent), before)

    def test_the_earlier_systems_log_is_taken_over_whole(self):
        if not LEGACY.exists():
            self.skipTest("notice: the earlier system's log is not there")
        self.check_import(LEGACY, 1426)

    def test_a_database_beside_which_files_could_be_made_stays_alone(self):
        self.add(self.database(), range(1, 21))
        self.check_import(self.file, 20)

    def test_a_database_with_one_bad_row_changes_nothing(self):
        database = self.database()
        self.add(database, range(1, 21))
        database.execute("UPDATE wal SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'ff' AS BLOB) WHERE id = 13")
        err = self.fails(65, "inspect", "import", self.file)
        self.assertEqual(len([line for line in err.splitlines() if line.startswith("amoskys:")]), 1, err)
        self.assertIn(self.file.name, err)
        self.assertIn("13", err)
        code, out, _ = self.run_cli("inspect", "summary", "-o", "json")
        self.assertTrue(code == 66 or json.loads(out)["envelopes"] == 0, out)


    def test_the_file_is_read_in_place_as_after_an_import(self):
        self.add(self.database(), range(1, 3001))
        before = listing(self.file.parent)
        events = self.ok("inspect", "events", "--log", self.file, "-o", "ndjson")
        self.assertEqual(len(events.splitlines()), 3000)
        timeline = self.ok("inspect", "timeline", "--log", self.file, "--tz", "UTC", "-o", "json")
        self.assertEqual(listing(self.file.parent), before)
        self.assertFalse(self.state.exists())
        self.ok("inspect", "import", self.file)
        self.assertEqual(self.ok("inspect", "events", "-o", "ndjson"), events)
        self.assertEqual(self.ok("inspect", "timeline", "--tz", "UTC", "-o", "json"), timeline)


class Forms(ImportTest):
    def test_every_page_size_with_overflow_and_deleted_rows(self):
        for power in range(9, 17):
            page_bytes = 1 << power
            with self.subTest(page_bytes=page_bytes):
                database = self.database(page_bytes, auto_vacuum=power % 3)
                self.assertEqual(database.execute("PRAGMA page_size").fetchone(), (page_bytes,))
                # Sizes around those at which a row leaves its page, fills one more, fills many.
                self.add(database, range(1, 301), lambda n: (n * 7919) % (3 * page_bytes) if n % 3 else page_bytes - n)
                database.execute("DELETE FROM wal WHERE id % 4 = 1 OR id BETWEEN 100 AND 150")
                self.add(database, range(301, 341))
                self.assert_imports(self.file, self.rows(database))
                database.close()
                self.file.unlink()

    def test_many_rows(self):
        database = self.database(512)
        self.add(database, range(1, 20001))
        self.assert_imports(self.file, self.rows(database))

    def test_what_a_wal_file_holds_before_and_after_a_checkpoint(self):
        for page_bytes in (512, 4096, 65536):
            with self.subTest(page_bytes=page_bytes):
                database = self.database(page_bytes, journal="wal")
                self.add(database, range(1, 101), lambda n: 40 * n)
                self.assert_imports(self.copied(), self.rows(database))
                database.execute("PRAGMA wal_checkpoint(FULL)")
                self.assert_imports(self.copied(), self.rows(database))
                self.add(database, range(101, 106))  # overwrites the begin of the -wal file
                database.execute("DELETE FROM wal WHERE id = 7")
                self.assert_imports(self.copied(), self.rows(database))
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self.assert_imports(self.copied(), self.rows(database))
                database.close()
                self.file.unlink()

    def test_a_transaction_in_a_wal_file_that_was_not_committed_is_left_out(self):
        database = self.database(512, journal="wal")
        self.add(database, range(1, 51))
        rows = self.rows(database)
        size = pathlib.Path(f"{self.file}-wal").stat().st_size
        database.execute("PRAGMA cache_size=5")
        database.execute("BEGIN")
        database.execute("UPDATE wal SET bytes = zeroblob(900)")
        taken = self.copied()
        self.assertGreater(pathlib.Path(f"{taken}-wal").stat().st_size, size)
        database.execute("ROLLBACK")
        self.assert_imports(taken, rows)

    def test_a_transaction_with_a_journal_that_did_not_end_is_refused(self):
        database = self.database(512)
        self.add(database, range(1, 51))
        database.execute("PRAGMA cache_size=5")
        database.execute("BEGIN")
        database.execute("UPDATE wal SET bytes = zeroblob(900)")
        taken = self.copied()
        self.assertTrue(pathlib.Path(f"{taken}-journal").exists())
        before = listing(taken.parent)
        err = self.fails(65, "inspect", "import", taken)
        self.assertIn("a transaction that did not end", err)
        self.assertEqual(listing(taken.parent), before)
        database.execute("ROLLBACK")
        self.assert_imports(self.file, self.rows(database))

    def test_a_table_that_grew_a_column_is_taken_over(self):
        database = self.database()
        self.add(database, range(1, 6))
        database.execute("ALTER TABLE wal ADD COLUMN sent INTEGER NOT NULL DEFAULT 0")
        self.add(database, range(6, 9))
        self.assert_imports(self.file, self.rows(database))

    def test_text_in_utf16_is_refused(self):
        database = sqlite3.connect(self.file)
        self.addCleanup(database.close)
        database.execute("PRAGMA encoding='UTF-16le'")
        database.execute(TABLE)
        self.assertIn("not in UTF-8", self.fails(65, "inspect", "import", self.file))


if __name__ == "__main__":
    unittest.main()
