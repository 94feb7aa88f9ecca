#!/bin/sh
# Installs what the tests need (cmocka) with the package manager at hand; does nothing where it is there already.
set -u
CC=${CC:-cc}

have_cmocka() {
    printf '#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <setjmp.h>\n#include <cmocka.h>\n' |
        $CC -E $(pkg-config --cflags cmocka 2>/dev/null) -xc - >/dev/null 2>&1
}

if have_cmocka; then
    echo "deps: cmocka is here"
    exit 0
fi

root=
if [ "$(id -u)" != 0 ]; then
    root=$(command -v sudo || command -v doas || true)
    [ -n "$root" ] || echo "deps: not root, and no sudo: trying as I am"
fi

if command -v apt-get >/dev/null; then
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    $root apt-get install -y -q libcmocka-dev || { $root apt-get update -q && $root apt-get install -y -q libcmocka-dev; }
elif command -v dnf >/dev/null; then
    $root dnf install -y libcmocka-devel
elif command -v apk >/dev/null; then
    $root apk add cmocka-dev
elif command -v pacman >/dev/null; then
    $root pacman -S --noconfirm cmocka
elif command -v brew >/dev/null; then
    brew install cmocka pkg-config
else
    echo "deps: no package manager that I know; install cmocka (libcmocka-dev) by hand"
    exit 1
fi

have_cmocka || { echo "deps: cmocka is still not found by $CC"; exit 1; }
echo "deps: done"
