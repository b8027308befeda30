#!/usr/bin/python3
"""Fails on what the tree must not hold: unfinished words, long files, folders without a README, test names that ctest
cuts, things at the root that do not belong there. Usage: check_tree.py SOURCE_DIR
"""
import pathlib
import re
import subprocess
import sys

TOP = {"CMakeLists.txt", "LICENSE", "README.md", "core", "modules", "proto", "conf", "packaging", "test", "bench"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|not (yet )?implemented")
CUT_NAME = re.compile(r'TEST_CASE\(\s*"[^"]*;')
CODE = {".cc", ".h", ".proto", ".cmake", ".sh", ".py"}
MAX_LINES = 700


def tracked(root):
    try:
        out = subprocess.run(["git", "-C", root, "ls-files"], capture_output=True, text=True, check=True).stdout
        return out.split("\n")[:-1]
    except (subprocess.CalledProcessError, FileNotFoundError):
        return [p.relative_to(root).as_posix() for p in pathlib.Path(root).rglob("*")
                if p.is_file() and not p.relative_to(root).parts[0].startswith(("build", ".git"))]


def main():
    root = pathlib.Path(sys.argv[1])
    found = []
    files = tracked(str(root))
    for path in files:
        top = path.split("/")[0]
        if top not in TOP and not top.startswith("."):
            found.append(f"{path}: not part of the fixed top level")
        file = root / path
        if file.suffix not in CODE or not file.exists() or path == "test/lint/check_tree.py":
            continue
        lines = file.read_text().splitlines()
        if len(lines) > MAX_LINES:
            found.append(f"{path}: {len(lines)} lines, more than {MAX_LINES}")
        found += [f"{path}:{n}: unfinished: {line.strip()}" for n, line in enumerate(lines, 1) if UNFINISHED.search(line)]
        found += [f"{path}: ctest cuts at its semicolon: {name}" for name in CUT_NAME.findall("\n".join(lines))]
    folders = {"/".join(p.split("/")[:2]) for p in files if p.startswith("core/") and p.count("/") >= 2}
    folders |= {"/".join(p.split("/")[:3]) for p in files if p.startswith("modules/") and p.count("/") >= 3}
    for folder in sorted(folders - {"core/cmake"}):
        if f"{folder}/README.md" not in files:
            found.append(f"{folder}: no README.md")
    print("\n".join(found) if found else f"{len(files)} files are in order")
    sys.exit(1 if found or not files else 0)


main()
