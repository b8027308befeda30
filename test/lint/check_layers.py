#!/usr/bin/python3
"""Reads every #include line and fails where one goes sideways, up, or past a third-party fence.

The tables below are the ones of core/README.md. Usage: check_layers.py SOURCE_DIR
"""
import pathlib
import re
import sys

# A folder may include itself and the folders named here.
ALLOWED = {
    "base": set(),
    "log": {"base"},
    "metrics": {"base"},
    "json": {"base"},
    "sqlite": {"base"},
    "config": {"base", "log", "metrics", "json"},
    "table": {"base", "log", "metrics", "json"},
    "sandbox": {"base"},
    "crypto": {"base", "log", "metrics", "json", "config"},
    "wire": {"base", "log", "metrics", "json", "config", "crypto"},
    "wal": {"base", "log", "metrics", "json", "config", "crypto"},
    "io": {"base", "log", "metrics", "json", "config", "crypto"},
    "link": {"base", "log", "metrics", "json", "config", "crypto", "wire", "wal", "io"},
    "model": {"base", "json", "wire"},
    "module": {"base", "log", "metrics", "json", "config", "crypto", "wire", "wal", "io", "link", "model", "sandbox"},
    "app": {"base", "log", "metrics", "json", "config", "crypto", "wire", "wal", "io", "link", "sandbox", "module"},
}

# header prefix -> places (path prefixes) that may include it
FENCES = {
    "lmdb.h": ["core/wal/"],
    "openssl/": ["core/crypto/", "core/io/tls_"],
    "sodium": ["core/crypto/"],
    "net-snmp/": [],
    "pcap": ["modules/collectors/flow/"],
    "nlohmann/": ["core/json/", "core/config/"],
    "yaml-cpp/": ["core/config/", "modules/collectors/snmp/"],
    "boost/asio/ssl": ["core/io/", "core/link/"],
    "zstd.h": ["core/base/fast_zstd", "core/base/zstd_stream", "core/link/"],
    "snappy": ["core/table/"],
    "seccomp.h": ["core/sandbox/"],
    "linux/landlock.h": ["core/sandbox/"],
}
SANS_IO = ["core/wire/", "core/sqlite/", "core/wal/record", "core/wal/merkle"]  # no Asio, no clock of their own

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def owner(path):
    parts = path.split("/")
    if parts[0] == "core" and len(parts) > 2:
        return parts[1]
    return None


def complaints(path, line_no, header, is_test):
    folder = owner(path)
    target = owner(header)
    if folder and target and target != folder and target not in ALLOWED.get(folder, set()):
        yield f"{path}:{line_no}: core/{folder} must not include {header}"
    if folder and header.startswith("modules/"):
        yield f"{path}:{line_no}: core must not include {header}"
    if path.startswith("modules/"):
        mine = "/".join(path.split("/")[:3])
        if header.startswith("modules/") and not header.startswith(mine + "/"):
            yield f"{path}:{line_no}: a module must not include another: {header}"
        if header.startswith("core/app/"):
            yield f"{path}:{line_no}: modules must not include {header}"
    if is_test:
        return
    for prefix, places in FENCES.items():
        if header.startswith(prefix) and not any(path.startswith(p) for p in places):
            yield f"{path}:{line_no}: {header} may only be included in {', '.join(places)}"
    if header.startswith("boost/asio") and any(path.startswith(p) for p in SANS_IO):
        yield f"{path}:{line_no}: sans-io code must not include {header}"


def main():
    root = pathlib.Path(sys.argv[1])
    found = []
    files = 0
    for folder in ("core", "modules", "test", "bench"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in (".h", ".cc"):
                continue
            files += 1
            path = file.relative_to(root).as_posix()
            is_test = "/test/" in path or path.startswith(("test/", "bench/"))
            for number, line in enumerate(file.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if match:
                    found += complaints(path, number, match.group(1), is_test)
    print("\n".join(found) if found else f"{files} files keep the directions")
    if files == 0:
        sys.exit("no files found: wrong folder?")
    sys.exit(1 if found else 0)


main()
