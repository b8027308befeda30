#!/usr/bin/python3
"""Holds that each threat of packaging/SECURITY.md has a mitigation and tests that are there: check_security.py SOURCE_DIR"""
import pathlib
import re
import sys

ROW = re.compile(r"^\| ([A-Z]\d+) (.*)$")
TEST = re.compile(r'`([^`]+)`(?: "([^"]+)")?')
KINDS = "STRIDE"


def has_test(file, name):
    text = file.read_text()
    if file.suffix == ".py":
        return f"def {name}(" in text
    return f'TEST_CASE("{name}' in re.sub(r'"\s*\n\s*"', "", text)


def main():
    root = pathlib.Path(sys.argv[1])
    found, ids, tests = [], [], 0
    for line in (root / "packaging" / "SECURITY.md").read_text().splitlines():
        row = ROW.match(line)
        if not row:
            continue
        ids.append(row[1])
        cells = [cell.strip() for cell in row[2].strip().strip("|").split(" | ")]
        if len(cells) != 3 or not all(cells):
            found.append(f"{row[1]}: threat, mitigation and test are wanted")
            continue
        named = TEST.findall(cells[2])
        if not named or TEST.sub("", cells[2]).strip("; "):
            found.append(f"{row[1]}: tests are `FILE` or `FILE` \"NAME\", with ; between them: {cells[2]}")
        for path, name in named:
            tests += 1
            file = root / path
            if not file.is_file():
                found.append(f"{row[1]}: {path} is not there")
            elif name and not has_test(file, name):
                found.append(f"{row[1]}: {path} has no test \"{name}\"")
    missing = [kind for kind in KINDS if not any(each.startswith(kind) for each in ids)]
    if missing or len(ids) != len(set(ids)):
        found.append(f"kinds without a threat: {missing}; numbers: {ids}")
    print("\n".join(found) if found else f"{len(ids)} threats, {tests} tests, all there")
    sys.exit(1 if found else 0)


main()
