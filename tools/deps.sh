#!/bin/sh
# Installs what the tests need (cmocka) with the package manager at hand; does nothing where it is there already.
#
#     tools/deps.sh             for this machine
#     tools/deps.sh aarch64     unpacks it for the emulated tests of tools/matrix.sh under build/ (Debian)
set -u
cd "$(dirname "$0")/.." || exit 1
CC=${CC:-cc}

has_cmocka() { # COMPILER FLAGS...
    printf '#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <setjmp.h>\n#include <cmocka.h>\n' |
        "$@" -E -xc - >/dev/null 2>&1
}

root=
if [ "$(id -u)" != 0 ]; then root=$(command -v sudo || command -v doas || true); fi
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND

if [ "${1:-}" = aarch64 ]; then
    to=$PWD/build/aarch64
    [ -f "$to/usr/include/cmocka.h" ] && echo "deps: cmocka for aarch64 is here" && exit 0
    command -v dpkg >/dev/null || { echo "deps: only for systems with dpkg"; exit 1; }
    mkdir -p "$to/packages" && cd "$to/packages" || exit 1
    dpkg --print-foreign-architectures | grep -qx arm64 || { $root dpkg --add-architecture arm64 && $root apt-get update -q; }
    apt-get download -q libcmocka-dev:arm64 libcmocka0:arm64 || exit 1
    for package in *.deb; do dpkg -x "$package" "$to" || exit 1; done
    echo "deps: done"
    exit 0
fi

# The flags of pkg-config, if any, are words of their own.
# shellcheck disable=SC2046
if has_cmocka "$CC" $(pkg-config --cflags cmocka 2>/dev/null); then
    echo "deps: cmocka is here"
    exit 0
fi

if command -v apt-get >/dev/null; then
    $root apt-get install -y -q libcmocka-dev || { $root apt-get update -q && $root apt-get install -y -q libcmocka-dev; }
elif command -v dnf >/dev/null; then $root dnf install -y libcmocka-devel
elif command -v apk >/dev/null; then $root apk add cmocka-dev
elif command -v pacman >/dev/null; then $root pacman -S --noconfirm cmocka
elif command -v brew >/dev/null; then brew install cmocka pkg-config
else
    echo "deps: no package manager that this script knows; install cmocka (libcmocka-dev) by hand"
    exit 1
fi

# shellcheck disable=SC2046
has_cmocka "$CC" $(pkg-config --cflags cmocka 2>/dev/null) || { echo "deps: $CC still finds no cmocka.h"; exit 1; }
echo "deps: done"
