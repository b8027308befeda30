#!/bin/bash
# What packaging/setup installs on a machine that has nothing, in each mode: check_setup.sh SOURCE_DIR
set -euo pipefail
shims=$(mktemp -d)
trap 'rm -rf "$shims"' EXIT
printf '#!/bin/sh\n' > "$shims/dpkg-query" # no package is there
chmod 755 "$shims/dpkg-query"
failed=0
wants() { # mode or nothing, "--", package...
    local mode=() said
    while [ "$1" != -- ]; do
        mode+=("$1")
        shift
    done
    shift
    said=$(PATH="$shims:$PATH" "$source_dir/packaging/setup" --dry-run "${mode[@]}")
    for package; do
        if [[ " $said " != *" $package "* ]]; then
            echo "packaging/setup ${mode[*]} does not install $package: $said" >&2
            failed=1
        fi
    done
}
source_dir=$1
# What CMake looks for when it configures the tree, whatever is built afterwards.
tools=(g++ lld cmake ninja-build protobuf-compiler python3 catch2 libprotobuf-dev)
wants -- "${tools[@]}"
wants --run -- "${tools[@]}" snmpd
wants --test -- "${tools[@]}" snmpd snmpsim tshark sqlite3 python3-pandas
[ "$failed" -eq 0 ] && echo "setup: each mode installs what the build wants"
