#!/bin/sh
# Installs amoskys from this folder; any POSIX shell, busybox's among them. May be run again.
#
#   ./install.sh [--prefix DIR] [--root DIR] [--uninstall]
#     --prefix DIR   where bin/ and share/ go (default /usr/local)
#     --root DIR     install below this folder, for an image; makes no user
#     --uninstall    removes what it installed; settings, keys and log stay
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd -P)
prefix=/usr/local root='' action=install

die() {
    echo "install.sh: $1" >&2
    exit "${2:-1}"
}
while [ $# -gt 0 ]; do
    case $1 in
        --prefix | --root)
            [ $# -ge 2 ] || die "$1 wants a folder" 64
            case $2 in /*) ;; *) die "$1 $2: an absolute path is wanted" 64 ;; esac
            if [ "$1" = --prefix ]; then prefix=$2; else root=$2; fi
            shift
            ;;
        --uninstall) action=uninstall ;;
        -h | --help)
            sed -n '2,7s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        *) die "unknown option $1 (see --help)" 64 ;;
    esac
    shift
done
units=$root/etc/systemd/system
case $prefix$root in
    *[!A-Za-z0-9/._+-]*) die "--prefix and --root: letters, digits and /._+- may be in them" 64 ;;
esac
share=$root$prefix/share

# The files of this folder and where each goes.
targets() {
    echo "bin/amoskys $root$prefix/bin/amoskys 755"
    for file in "$here"/man1/*.gz; do
        echo "man1/${file##*/} $share/man/man1/${file##*/} 644"
    done
    echo "completion/bash $share/bash-completion/completions/amoskys 644"
    echo "completion/zsh $share/zsh/site-functions/_amoskys 644"
    echo "completion/fish $share/fish/vendor_completions.d/amoskys.fish 644"
    if [ -d "$root/run/systemd/system" ] || [ -d "$root/etc/systemd" ]; then
        for file in "$here"/systemd/*.service "$here"/systemd/*.timer; do
            echo "systemd/${file##*/} $units/${file##*/} 644"
        done
    fi
}

if [ "$action" = uninstall ]; then
    targets | while read -r _ target _; do
        rm -f "$target"
    done
    echo "removed; $root/etc/amoskys and the state directory stay"
    exit 0
fi

(cd "$here" && sha256sum -c SHA256SUMS > /dev/null) || die "a file is not as it was packed: get the archive again" 65
"$here/bin/amoskys" version > /dev/null || die "bin/amoskys does not run here: is it for this machine ($(uname -m))?"
targets | while read -r from target mode; do
    mkdir -p "${target%/*}"
    # Beside it first: the executable may be running.
    cp "$here/$from" "$target.new"
    case $target in
        *.service) sed "s#/usr/bin/amoskys#$prefix/bin/amoskys#" "$here/$from" > "$target.new" ;;
    esac
    chmod "$mode" "$target.new"
    mv "$target.new" "$target"
done
mkdir -p "$root/etc/amoskys"
[ -e "$root/etc/amoskys/amoskys.yaml" ] || cp "$here/etc/amoskys.yaml" "$root/etc/amoskys/amoskys.yaml"

if [ -z "$root" ] && [ "$(id -u)" = 0 ] && ! grep -q '^amoskys:' /etc/passwd; then
    if command -v systemd-sysusers > /dev/null; then
        systemd-sysusers "$here/systemd/sysusers.conf"
    elif command -v useradd > /dev/null; then
        useradd --system --home-dir /var/lib/amoskys --no-create-home --shell /usr/sbin/nologin amoskys
    else # busybox
        adduser -S -D -H -h /var/lib/amoskys -s /sbin/nologin amoskys
    fi
fi
echo "installed $root$prefix/bin/amoskys ($("$here/bin/amoskys" version | head -n 1))"
if [ -d "$units" ]; then
    echo "next: systemctl daemon-reload; systemctl enable --now amoskys-bus amoskys-agent-proc"
else
    echo "next: amoskys up"
fi
