#!/usr/bin/python3
"""The machine-readable copyright file (DEP-5) of the package: copyright.py SOURCE_DIR, `amoskys version -o json` on stdin."""
import json
import sys

HEAD = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: amoskys
Source: the repository that this package was built from
Comment:
 The executable is linked statically. In it, each under its own licence:
{libraries}

Files: *
Copyright: 2026 the authors of amoskys
License: Apache-2.0
 On Debian systems the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
"""


def main():
    told = json.load(sys.stdin)
    print(HEAD.format(libraries="\n".join(f"  {each['name']} {each['version']}: {each['license'].replace(',', ' and ')}"
                                          for each in told["libraries"])), end="")


main()
