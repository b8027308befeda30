#!/bin/bash
# Fails where clang-format would change a source file. Usage: check_format.sh SOURCE_DIR
set -euo pipefail
cd "$1"
formatter=$(command -v clang-format-14 || command -v clang-format) || {
    echo "clang-format is not installed: packaging/setup --test" >&2
    exit 1
}
mapfile -t files < <(find core modules test bench -name '*.h' -o -name '*.cc' | sort)
[ "${#files[@]}" -gt 0 ] || { echo "no files" >&2; exit 1; }
"$formatter" --dry-run -Werror "${files[@]}"
echo "${#files[@]} files are formatted"
