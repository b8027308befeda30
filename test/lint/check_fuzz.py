#!/usr/bin/python3
"""Fails where a fuzz target is no part of the campaign, has no kept input or no dictionary that libFuzzer can read.
Usage: check_fuzz.py SOURCE_DIR
"""
import pathlib
import re
import subprocess
import sys

ENTRY = re.compile(r'"(?:[^"\\\x00-\x1f]|\\x[0-9a-f]{2}|\\["\\])+"')


def bad_lines(dictionary):
    lines = dictionary.read_text().splitlines()
    return [n for n, line in enumerate(lines, 1) if line and line[0] != "#" and not ENTRY.fullmatch(line)]


def main():
    root = pathlib.Path(sys.argv[1])
    fuzz = root / "test/fuzz"
    run = subprocess.run([fuzz / "campaign", "--list"], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"campaign --list: exit {run.returncode}\n{run.stdout}{run.stderr}")
    listed = run.stdout.split()
    sources = sorted(p.stem for stage in ("core", "modules") for p in (root / stage).rglob("*_fuzz.cc"))
    found = []
    for name in sources:
        if not any(target.endswith(f"_{name}") for target in listed):
            found.append(f"{name}: no part of test/fuzz/campaign")
        if not any((fuzz / "corpus" / name).glob("*")):
            found.append(f"{name}: no kept input in test/fuzz/corpus/{name}")
        dictionary = fuzz / "dictionaries" / f"{name}.dict"
        if not dictionary.exists():
            found.append(f"{name}: no dictionary")
        else:
            found += [f"{dictionary.name}:{n}: not a dictionary entry" for n in bad_lines(dictionary)]
    for folder, suffix in (("corpus", ""), ("dictionaries", ".dict")):
        found += [f"{folder}/{p.name}: of no fuzz target" for p in (fuzz / folder).iterdir()
                  if p.name.removesuffix(suffix) not in sources]
    print("\n".join(found) if found else f"{len(sources)} fuzz targets are in order")
    sys.exit(1 if found or not sources else 0)


main()
