#!/bin/bash
# What is promised of the executable: static-pie, no interpreter, no needed libraries, one crypto library, just the
# libraries that `version` lists, small, quick, and at home in an empty chroot. Usage: check_binary.sh CHECK AMOSKYS
set -euo pipefail
check=$1
binary=$2
max_stripped_bytes=$((12 * 1000 * 1000))
max_version_ms=20

fail() { echo "$*" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $check in
static)
    readelf -lW "$binary" | grep -q INTERP && fail "has an interpreter (INTERP)"
    readelf -dW "$binary" | grep -q NEEDED && fail "needs shared libraries (NEEDED)"
    readelf -hW "$binary" | grep -q 'Type:.*DYN' || fail "is not position independent"
    echo "static-pie, no INTERP, no NEEDED"
    ;;
crypto)
    defined=$(nm "$binary" | grep -c ' [Tt] AES_set_encrypt_key$') || true
    [ "$defined" -eq 1 ] || fail "AES_set_encrypt_key is defined $defined times: more or less than one crypto library"
    grep -qa 'OpenSSL 3\.' "$binary" && fail "carries text of OpenSSL 3"
    echo "one crypto library"
    ;;
libraries)
    # A symbol that only this library brings: what `version` lists is linked, and what is linked is listed.
    declare -A mark=([boringssl]='SSL_CTX_new$' [libpcap]='pcap_compile$' [net-snmp]='snmp_pdu_create$'
        [boost]='_ZN.*5boost4asio' [boost-program-options]='_ZN.*5boost15program_options' [protobuf]='_ZN.*6google8protobuf'
        [libsodium]='sodium_init$' [lmdb]='mdb_env_open$' [zstd]='ZSTD_decompress' [yaml-cpp]='_ZN.*4YAML'
        [fmt]='_ZN.*3fmt' [nlohmann-json]='_ZN.*8nlohmann'
        [zlib]='inflateInit2_$' [snappy]='_ZN.*6snappy' [seccomp]='seccomp_load$' [c-ares]='ares_init$'
        [glibc]='__libc_start_main' [libstdc++]='_ZSt9terminatev$')
    nm "$binary" | awk '{print $NF}' > "$work/symbols"
    listed=$("$binary" version -o json | sed -n '/"libraries"/,$s/^ *"name": "\([^"]*\)".*/\1/p')
    [ -n "$listed" ] || fail "version lists no libraries"
    for name in $listed; do
        [ -n "${mark[$name]-}" ] || fail "version lists $name: give this check a symbol of it"
    done
    for name in "${!mark[@]}"; do
        linked=no said=no
        grep -qE "^${mark[$name]}" "$work/symbols" && linked=yes
        grep -qxF "$name" <<< "$listed" && said=yes
        [ "$linked" = "$said" ] || fail "$name: in the executable: $linked, in what version lists: $said"
    done
    echo "version lists what is linked: ${listed//$'\n'/ }"
    ;;
size)
    strip -o "$work/amoskys" "$binary"
    size=$(stat -c %s "$work/amoskys")
    [ "$size" -le "$max_stripped_bytes" ] || fail "stripped: $size bytes, more than $max_stripped_bytes"
    echo "stripped: $size bytes"
    ;;
startup)
    best=1000000
    for _ in $(seq 20); do
        begin=$(date +%s%N)
        "$binary" version > /dev/null
        took=$((($(date +%s%N) - begin) / 1000))
        [ "$took" -lt "$best" ] && best=$took
    done
    [ "$best" -le $((max_version_ms * 1000)) ] || fail "version takes $best us at best"
    echo "version: $best us (best of 20)"
    ;;
chroot)
    [ "$(id -u)" -eq 0 ] || { echo "chroot needs root"; exit 77; }
    cp "$binary" "$work/amoskys"
    env -i "$(command -v chroot)" "$work" /amoskys version -o json > "$work/version.json"
    grep -q '"schema":"amoskys.version/1"' "$work/version.json" || grep -q 'amoskys.version/1' "$work/version.json" ||
        fail "no version in an empty chroot"
    env -i "$(command -v chroot)" "$work" /amoskys --state-dir /state pki init > /dev/null
    [ -s "$work/state/pki/ca.crt" ] || fail "pki init made no certificate in an empty chroot"
    echo "works under env -i in an empty chroot"
    ;;
*)
    fail "unknown check: $check"
    ;;
esac
