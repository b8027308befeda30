"""DuckDB as the reader of our Parquet files (packaging/parquet_readers)."""
import subprocess

import harness


def _readers():
    """The folder of Parquet readers, or None."""
    try:
        found = subprocess.run([harness.SOURCE / "packaging/npm_install", "parquet_readers", "--where"], capture_output=True, text=True)
        subprocess.run(["node", "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip() if found.returncode == 0 else None


FOLDER = _readers()
MISSING = None if FOLDER else "no readers of Parquet here (packaging/setup --test installs them)"


def to_csv(source, target, *columns):
    """Writes what DuckDB reads as CSV, all of it (times in ns) or these columns; doubles are as short as they read back."""
    subprocess.run(["node", harness.SOURCE / "test/integration/parquet_to_csv.mjs", FOLDER, source, target, *columns], check=True)
