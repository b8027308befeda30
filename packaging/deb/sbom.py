#!/usr/bin/python3
"""The bill of materials (CycloneDX 1.5, JSON) from `amoskys version -o json` on stdin: sbom.py VERSION

The executable says itself what is linked into it, and "guard: libraries" compares that with its symbols.
"""
import datetime
import json
import os
import sys
import uuid


def component(library):
    # Several licences apply to different files of one library: SPDX joins them with AND.
    names = library["license"].split(",")
    listed = {"OLDAP-2.8", "BSD-3-Clause", "BSL-1.0", "ISC", "MIT", "OpenSSL", "LGPL-2.1-or-later", "GPL-3.0-with-GCC-exception",
              "blessing", "Apache-2.0", "Net-SNMP"}
    licenses = [{"license": {"id": name} if name in listed else {"name": name}} for name in names]
    return {"type": "library", "bom-ref": f"{library['name']}@{library['version']}", "name": library["name"],
            "version": library["version"], "licenses": licenses}


def main():
    told = json.load(sys.stdin)
    time = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    libraries = [component(each) for each in told["libraries"]]
    reference = f"amoskys@{sys.argv[1]}"
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(told, sort_keys=True))
    print(json.dumps({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": f"urn:uuid:{serial}", "version": 1,
        "metadata": {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                     "component": {"type": "application", "bom-ref": reference, "name": "amoskys", "version": sys.argv[1],
                                   "licenses": [{"license": {"id": "Apache-2.0"}}],
                                   "properties": [{"name": "amoskys:commit", "value": told["commit"]},
                                                  {"name": "amoskys:compiler", "value": told["compiler"]}]}},
        "components": libraries,
        "dependencies": [{"ref": reference, "dependsOn": [each["bom-ref"] for each in libraries]}],
    }, indent=2))


main()
