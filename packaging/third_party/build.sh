#!/usr/bin/env bash
# Builds the libraries that Debian does not offer in the form a static binary needs, once per
# combination of script, versions, patches, compilers and flags, and prints the install prefix.
#
# Environment: CC, CXX      compilers (default cc, c++); a cross compiler selects its architecture
#              CFLAGS       added last for C and C++ alike (sanitizer builds)
#              XDG_CACHE_HOME, JOBS
# stdout: the prefix path, nothing else. Everything said goes to stderr.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/amoskys/third_party
cc=${CC:-cc} cxx=${CXX:-c++}
extra=${CFLAGS:-}
unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS LIBS # configure would pick them up on its own

say() { printf 'third_party: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
# CC may be "ccache gcc": words, so unquoted on purpose.
# shellcheck disable=SC2086
identity() { $1 --version | head -n1; $1 -dumpmachine; }

flags="-O2 -fPIC -ffunction-sections -fdata-sections"
# Fortified calls bypass the sanitizers' own checks.
[[ $extra == *-fsanitize* ]] || flags+=" -fstack-protector-strong -D_FORTIFY_SOURCE=2"
flags+=${extra:+ $extra}

who=$(identity "$cc" && identity "$cxx") || die "no working compiler: CC='$cc' CXX='$cxx'"
target=${who##*$'\n'}
target=${target/-pc-linux-/-linux-} # clang's spelling
key=$({ printf '%s\n' "$who" "$flags"
        # Only what is built here: an entry of Debian's own packages changes nothing in the prefix.
        grep -Ev '^#|^[^ ]+ debian ' "$here/versions.txt"
        cat "$here/build.sh" "$here/boringssl/CMakeLists.txt" "$here"/patches/*.patch
      } | sha256sum)
prefix=$cache/prefix-${key:0:16}
if [[ -e $prefix/.complete ]]; then
    printf '%s\n' "$prefix"
    exit 0
fi

for tool in cmake ninja make patch flex bison flock xz dpkg-deb dpkg-architecture nm; do
    command -v "$tool" >/dev/null || die "'$tool' is not installed: run packaging/setup"
done
mkdir -p "$cache/dl"
exec 9>"$cache/lock"
flock -n 9 || { say "waiting for another build"; flock 9; }
if [[ -e $prefix/.complete ]]; then
    printf '%s\n' "$prefix"
    exit 0
fi

work=$(mktemp -d "$cache/work.XXXXXX")
log=$cache/build-${key:0:16}.log
finish() {
    local status=$?
    if ((status)); then
        rm -rf "$prefix"
        [[ ! -s $log ]] || { tail -n 30 "$log" >&2; say "failed; the whole log: $log"; }
    fi
    rm -rf "$work"
}
trap finish EXIT
rm -rf "$prefix"
mkdir -p "$prefix/include" "$prefix/lib"
: >"$log"

jobs=${JOBS:-$(nproc)}
deb_arch=$(dpkg-architecture -f -t"$target" -qDEB_HOST_ARCH 2>/dev/null) ||
    die "Debian has no architecture for the compiler's target '$target'"
multiarch=$(dpkg-architecture -f -t"$target" -qDEB_HOST_MULTIARCH 2>/dev/null)
processor=${target%%-*}
cross=()
[[ $deb_arch == "$(dpkg --print-architecture)" ]] || cross=(--host="$target")

field() { # NAME COLUMN -> that column of versions.txt
    awk -v name="$1" -v column="$2" '$1 == name { print $column }' "$here/versions.txt"
}

# --- fetching -----------------------------------------------------------------------------------
# The machine's own package sources, plus their source indexes, read into folders of our own: a
# plain system has no deb-src entries, and nothing of the system's is changed.
apt_options=()
prepare_apt() {
    ((${#apt_options[@]} == 0)) || return 0
    local parts=$work/apt/parts list n=0
    mkdir -p "$parts" "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    local List=/etc/apt/sources.list Parts=/etc/apt/sources.list.d
    eval "$(apt-config shell List Dir::Etc::sourcelist/f Parts Dir::Etc::sourceparts/d)"
    for list in "$List" "${Parts%/}"/*.list; do
        [[ -f $list ]] || continue
        n=$((n + 1))
        # "deb [options] uri suite ..." twice, the second time as deb-src.
        sed -nE 's/^[[:space:]]*deb(-src)?([[:space:]].*)$/deb\2\ndeb-src\2/p' "$list" |
            awk '!seen[$0]++' >"$parts/$n.list"
    done
    for list in "${Parts%/}"/*.sources; do
        [[ -f $list ]] || continue
        n=$((n + 1))
        sed -E 's/^[Tt]ypes:.*$/Types: deb deb-src/' "$list" >"$parts/$n.sources"
    done
    ((n > 0)) || die "apt has no package sources configured"
    apt_options=(-qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$parts"
        -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache"
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=3)
    say "reading the package indexes"
    # One unreachable source need not matter: what is really missing is named by the fetches below.
    apt-get "${apt_options[@]}" update >>"$log" 2>&1 || say "apt-get update reported errors: $log"
}

# fetch_source NAME: the orig tarball of a piece into dl/, its hash checked; sets $tarball.
fetch_source() {
    local name=$1 version sha source full
    version=$(field "$name" 2) sha=$(field "$name" 3) source=$(field "$name" 5)
    source=${source#src:}
    for tarball in "$cache/dl/${source}_$version".orig.tar.*; do
        if [[ $tarball != *.asc ]] && sha256sum --status -c <<<"$sha  $tarball" 2>/dev/null; then
            return 0
        fi
    done
    prepare_apt
    # The highest Debian revision of exactly this upstream version, whatever newer ones exist.
    full=$(apt-cache "${apt_options[@]}" showsrc --only-source "$source" 2>/dev/null |
        awk -v want="$version" '$1 == "Version:" {
            upstream = $2; sub(/^[0-9]+:/, "", upstream); sub(/-[^-]*$/, "", upstream)
            if (upstream == want) print $2 }' | sort -V | tail -n1)
    [[ -n $full ]] || die "the configured package sources do not have $source $version (any longer);" \
        "put ${source}_$version.orig.tar.* with SHA-256 $sha into $cache/dl, or raise the version" \
        "in $here/versions.txt"
    say "fetching $source $full"
    mkdir -p "$work/fetch"
    (cd "$work/fetch" && apt-get "${apt_options[@]}" source --download-only --tar-only \
        --only-source "$source=$full") >>"$log" 2>&1 || die "cannot fetch $source $full"
    for tarball in "$work/fetch/${source}_$version".orig.tar.*; do
        [[ $tarball != *.asc ]] || continue
        sha256sum --status -c <<<"$sha  $tarball" ||
            die "$(basename "$tarball") has another SHA-256 than $sha; it is not used"
        mv "$tarball" "$cache/dl/"
        tarball=$cache/dl/$(basename "$tarball")
        return 0
    done
    die "$source $full has no orig tarball of version $version"
}

# fetch_deb NAME: a binary package, not installed, into dl/; sets $deb. apt checks its hash.
fetch_deb() {
    local package version full
    package=$(field "$1" 5) version=$(field "$1" 2)
    package=${package#deb:}
    for deb in "$cache/dl/${package}_$version"-*_"$deb_arch".deb; do
        [[ ! -f $deb ]] || return 0
    done
    prepare_apt
    full=$(apt-cache "${apt_options[@]}" madison "$package:$deb_arch" 2>/dev/null |
        awk -v want="$version" '{ upstream = $3; sub(/-[^-]*$/, "", upstream)
                                  if (upstream == want) print $3 }' | sort -V | tail -n1)
    [[ -n $full ]] || die "the configured package sources do not have $package $version for" \
        "$deb_arch; put ${package}_$version-*_$deb_arch.deb into $cache/dl, or raise the version in" \
        "$here/versions.txt"
    say "fetching $package $full"
    mkdir -p "$work/fetch"
    (cd "$work/fetch" && apt-get "${apt_options[@]}" download "$package:$deb_arch=$full") \
        >>"$log" 2>&1 || die "cannot fetch $package $full"
    mv "$work/fetch/${package}_"*.deb "$cache/dl/"
    for deb in "$cache/dl/${package}_$version"-*_"$deb_arch".deb; do
        [[ ! -f $deb ]] || return 0
    done
    die "$package $full was not stored under the name expected"
}

unpack() { # NAME: fetch and unpack into $work/NAME
    fetch_source "$1"
    mkdir "$work/$1"
    tar -xf "$tarball" -C "$work/$1" --strip-components=1
}

# File names in the archives (assertions) do not depend on where they were built.
flags_for() { printf '%s -ffile-prefix-map=%s=/third_party/%s' "$flags" "$work/$1" "$1"; }

# --- the pieces ---------------------------------------------------------------------------------
build_boost() {
    local piece lib
    mkdir "$work/boost"
    for piece in boost boost-program-options; do
        fetch_deb "$piece"
        dpkg-deb -x "$deb" "$work/boost"
    done
    lib=$work/boost/usr/lib/$multiarch/libboost_program_options.a
    [[ -f $lib ]] || die "$(basename "$deb") has no static library"
    mv "$work/boost/usr/include/boost" "$prefix/include/"
    cp "$lib" "$prefix/lib/"
}

build_boringssl() {
    local compile=() c_words cxx_words
    read -ra c_words <<<"$cc"
    read -ra cxx_words <<<"$cxx"
    compile=(-DCMAKE_C_COMPILER="$(IFS=';'; printf '%s' "${c_words[*]}")"
        -DCMAKE_CXX_COMPILER="$(IFS=';'; printf '%s' "${cxx_words[*]}")")
    ((${#cross[@]} == 0)) ||
        compile+=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$processor")
    cmake -S "$here/boringssl" -B "$work/boringssl.build" -G Ninja "${compile[@]}" \
        -DBORINGSSL_ROOT="$work/boringssl/" -DCMAKE_BUILD_TYPE=None \
        -DCMAKE_C_FLAGS="$(flags_for boringssl)" -DCMAKE_CXX_FLAGS="$(flags_for boringssl)" \
        -DCMAKE_INSTALL_PREFIX="$prefix"
    ninja -C "$work/boringssl.build" -j"$jobs" install
}

build_libpcap() {
    cd "$work/libpcap"
    CC=$cc CFLAGS=$(flags_for libpcap) ./configure "${cross[@]}" \
        ${cross:+--with-pcap=linux} --disable-shared --disable-dbus --disable-usb \
        --disable-bluetooth --disable-rdma --disable-netmap --disable-remote --without-libnl \
        --without-dag --without-septel --without-snf --without-turbocap --without-dpdk
    make -j"$jobs" libpcap.a
    cp libpcap.a "$prefix/lib/"
    cp pcap.h pcap-bpf.h pcap-namedb.h "$prefix/include/"
    mkdir "$prefix/include/pcap"
    cp pcap/*.h "$prefix/include/pcap/"
}

build_net_snmp() {
    local patch summary
    cd "$work/net-snmp"
    for patch in "$here"/patches/net-snmp-*.patch; do
        patch -p1 --fuzz=0 <"$patch"
    done
    # Never --with-openssl=internal: its AES leaves the ciphertext buffer unwritten and reports
    # success, and its symbols collide with BoringSSL's.
    CC=$cc CFLAGS=$(flags_for net-snmp) ./configure "${cross[@]}" --prefix="$prefix" \
        CPPFLAGS="-I$prefix/include" OPENSSL_CFLAGS="-I$prefix/include" \
        OPENSSL_LIBS="-L$prefix/lib -lssl -ldecrepit -lcrypto -lstdc++ -lpthread" \
        --with-openssl="$prefix" --enable-blumenthal-aes --with-defaults \
        --enable-static --disable-shared --disable-agent --disable-applications --disable-manuals \
        --disable-scripts --disable-mibs --disable-embedded-perl --without-perl-modules \
        --disable-deprecated --disable-debugging --enable-ipv6 --without-pkcs --without-krb5 \
        --without-rpm --without-pcre --without-nl --without-libwrap --with-security-modules=usm \
        --with-transports="UDP UDPIPv6 TCP TCPIPv6" --with-out-transports="Unix Alias Callback" \
        --with-logfile=none --with-persistent-directory=/nonexistent --with-mibdirs=/nonexistent \
        --with-mibs="" | tee configure.summary
    summary=$(tr -s ' \n' ' ' <configure.summary)
    # A probe that fails drops an algorithm without failing configure.
    for want in "SHA224 SHA256 SHA384 SHA512" "AES192 AES192C AES256 AES256C"; do
        [[ $summary == *"$want"* ]] || { echo "net-snmp's configure did not find: $want"; return 1; }
    done
    # Only the agent uses this text; it holds the paths of this machine.
    sed -i 's/^#define NETSNMP_CONFIGURE_OPTIONS .*/#define NETSNMP_CONFIGURE_OPTIONS ""/' \
        include/net-snmp/net-snmp-config.h
    make -C snmplib -j"$jobs" libnetsnmp.la
    make installheaders
    # Included by the public headers whatever the transports, installed only with that transport.
    cp include/net-snmp/library/snmpCallbackDomain.h "$prefix/include/net-snmp/library/"
    cp snmplib/.libs/libnetsnmp.a "$prefix/lib/"
}

check_prefix() {
    local twice
    printf '#include <%s>\n' net-snmp/net-snmp-config.h net-snmp/net-snmp-includes.h pcap.h \
        openssl/ssl.h boost/version.hpp >headers.cpp
    # shellcheck disable=SC2086
    $cxx -I"$prefix/include" -fsyntax-only headers.cpp
    # Not grep -q: it would end nm by SIGPIPE, which pipefail counts as a failure.
    nm --undefined-only "$prefix/lib/libnetsnmp.a" 2>/dev/null | grep ' EVP_aes_256_cfb' ||
        { echo "libnetsnmp.a does not use BoringSSL's AES"; return 1; }
    # In a static link the first definition wins silently or the link fails, by luck of order.
    twice=$(nm -g --defined-only "$prefix"/lib/*.a 2>/dev/null |
        awk 'NF == 3 && $2 ~ /^[TDBRC]$/ { print $3 }' | sort | uniq -d)
    [[ -z $twice ]] || { echo "symbols defined twice: ${twice//$'\n'/ }"; return 1; }
}

# A function called with "|| die" runs with errexit off; a shell of its own keeps it on.
step() {
    local start=$SECONDS
    (set -e; cd "$work"; "$2") >>"$log" 2>&1 9>&- || exit 1
    say "$1: $((SECONDS - start)) s ($cc, $deb_arch)"
}

build_boost
unpack boringssl
unpack libpcap
unpack net-snmp
# Leaks of configure's own probes are no failed probes.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}
step BoringSSL build_boringssl
step libpcap build_libpcap
step net-snmp build_net_snmp
step "check of the prefix" check_prefix

find "$prefix/lib" -name '*.la' -delete
touch "$prefix/.complete"
rm -f "$log"
printf '%s\n' "$prefix"
