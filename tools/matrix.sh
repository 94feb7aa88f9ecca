#!/bin/sh
# The compile matrix: every language, compiler, configuration macro and target that the manual promises.
#
#     tools/matrix.sh [TEXT]        only rows whose name holds TEXT
#
# A row prints ok, FAILED (with the first lines of what was said) or skipped with the reason. Exit 1 if one failed.
set -u
cd "$(dirname "$0")/.." || exit 2
out=build/matrix
mkdir -p $out
only=${1:-}
passed=0 failed=0 skipped=0

warn="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Werror=implicit-function-declaration"
strict="$warn -Wmissing-prototypes -Wstrict-prototypes -Werror"
# A feature that is left out leaves helpers without a user; that is no fault of theirs.
partial="$strict -Wno-unused-function -Wno-unused-const-variable -Wno-unused-parameter"

have() { command -v "$1" >/dev/null 2>&1; }

have_test_cmocka() { echo '#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>' | "$@" -E -xc - >/dev/null 2>&1; }

seconds() { # what a row took, if that is worth a word
    took=$(($(date +%s) - start))
    [ $took -lt 10 ] || echo ", $took s"
}

# row NAME COMMAND...: runs it
row() {
    name=$1 start=$(date +%s)
    shift
    case $name in *"$only"*) ;; *) return ;; esac
    if "$@" >$out/log 2>&1; then
        echo "ok      $name$(seconds)"
        passed=$((passed + 1))
    else
        echo "FAILED  $name$(seconds)"
        { grep -E "error:|undefined|not found|asks for|ERROR  |LINE  |FAILED  |passed," $out/log || cat $out/log; } | sed -n '1,12s/^/            /p'
        failed=$((failed + 1))
    fi
}

skip() { # NAME REASON
    case $1 in *"$only"*) ;; *) return ;; esac
    echo "skipped $1: $2"
    skipped=$((skipped + 1))
}

# ---- sources

echo '#include "abstractllm.h"
typedef int not_empty;' >$out/decl.c
cp $out/decl.c $out/decl.cc
echo '#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"' >$out/impl.c
echo '#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <time.h>
#include <unistd.h>
#include <pthread.h>
#include <sys/types.h>
#include <sys/stat.h>
#include <fcntl.h>
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"' >$out/impl_late.c
echo '#include "abstractllm.h"
int main(void) { return allm_version()[0] == 0; }' >$out/user.c
echo '#include "abstractllm.h"
int main() { allm_llm *llm = 0; allm_destroy(llm); return allm_version()[0] == 0; }' >$out/user.cc
echo '#define ABSTRACTLLM_STATIC
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
int main(void);
int one(void);
int one(void) { return allm_version()[0] == 0; }' >$out/static_a.c
echo '#define ABSTRACTLLM_STATIC
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
int one(void);
int main(void) { return one() + (allm_version()[0] == 0); }' >$out/static_b.c
echo '#include <windows.h>
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"' >$out/impl_windows.c
cp abstractllm.h $out/renamed.h
echo '#define ABSTRACTLLM_SELF "renamed.h"
#define ABSTRACTLLM_IMPLEMENTATION
#include "renamed.h"' >$out/self.c

# ---- declarations

for cc in gcc clang; do
    for std in c99 c11 c17; do
        if have $cc; then row "declarations $cc $std" $cc -std=$std $strict -I. -fsyntax-only $out/decl.c
        else skip "declarations $cc $std" "no $cc"; fi
    done
done
for cxx in g++ clang++; do
    for std in c++11 c++17; do
        if have $cxx; then
            row "declarations $cxx $std" $cxx -std=$std -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I. \
                -fsyntax-only $out/decl.cc
        else skip "declarations $cxx $std" "no $cxx"; fi
    done
done

# ---- the implementation: warnings that need the optimiser once a compiler, the rest by the front end alone

for cc in gcc clang; do
    if ! have $cc; then
        skip "implementation $cc" "no $cc"
        continue
    fi
    stack=
    [ $cc = clang ] || stack=-Wstack-usage=32768
    row "implementation $cc c11 -O2${stack:+, stack frames of at most 32 KB}" $cc -std=c11 -O2 $strict $stack -I. -c -o $out/impl-$cc.o $out/impl.c
    for std in c99 c17 gnu11; do
        row "implementation $cc $std" $cc -std=$std $strict -I. -fsyntax-only $out/impl.c
    done
    row "libc headers first $cc c11" $cc -std=c11 $strict -I. -fsyntax-only $out/impl_late.c
    row "libc headers first $cc c99" $cc -std=c99 $strict -I. -fsyntax-only $out/impl_late.c
    row "command line $cc" $cc -std=c11 $warn -Werror -I. -fsyntax-only tools/allm.c
    if have_test_cmocka $cc; then
        row "tests $cc" $cc -std=c11 $warn -Werror -Wno-unused-function -I. -fsyntax-only tests/run.c
    else skip "tests $cc" "no cmocka"; fi
done
if have gcc; then
    row "implementation gcc c11 -Os" gcc -std=c11 -Os $strict -I. -c -o $out/impl-os.o $out/impl.c
    row "unsigned char" gcc -std=c11 -funsigned-char $strict -I. -fsyntax-only $out/impl.c
fi

# ---- every configuration macro

for macro in NO_THREADS NO_MMAP NO_STDIO NO_SIMD NO_AVX512 NO_SAFETENSORS NO_JINJA NO_IQ NO_GRAMMAR NO_VISION NO_REMOTE HTTP \
    DEBUG MAX_THREADS=1; do
    row "macro ABSTRACTLLM_$macro" cc -std=c11 $partial -DABSTRACTLLM_$macro -I. -fsyntax-only $out/impl.c
done
row "macros NO_* together" cc -std=c11 $partial -DABSTRACTLLM_NO_THREADS -DABSTRACTLLM_NO_MMAP -DABSTRACTLLM_NO_STDIO \
    -DABSTRACTLLM_NO_SIMD -DABSTRACTLLM_NO_JINJA -DABSTRACTLLM_NO_GRAMMAR -DABSTRACTLLM_NO_REMOTE -DABSTRACTLLM_NO_SAFETENSORS \
    -DABSTRACTLLM_NO_VISION -DABSTRACTLLM_NO_IQ -I. -fsyntax-only $out/impl.c
row "macro ABSTRACTLLM_ASSERT" cc -std=c11 $strict -include assert.h '-DABSTRACTLLM_ASSERT(x)=assert(x)' -I. -fsyntax-only $out/impl.c
row "macro ABSTRACTLLM_STATIC" cc -std=c11 $partial -DABSTRACTLLM_STATIC -I. -fsyntax-only $out/impl.c
row "macro ABSTRACTLLM_SELF" cc -std=c11 $strict -I$out -fsyntax-only $out/self.c

# ---- no known system: C alone, one thread

nowhere="-U__unix__ -U__unix -Uunix -U__linux__ -U__linux -Ulinux -U__gnu_linux__"
for cc in gcc clang; do
    if have $cc; then
        row "neither POSIX nor Windows, $cc" $cc -std=c11 $nowhere $strict -Wno-unused-function -I. -fsyntax-only $out/impl.c
        row "neither POSIX nor Windows, $cc, NO_*" $cc -std=c99 $nowhere $partial -DABSTRACTLLM_NO_SIMD \
            -DABSTRACTLLM_NO_STDIO -I. -fsyntax-only $out/impl.c
    else skip "neither POSIX nor Windows, $cc" "no $cc"; fi
done

# ---- linking

row "two translation units" sh -c "cc -std=c11 -w -I. -c -o $out/a.o $out/impl.c && cc -std=c11 -w -I. -c -o $out/b.o $out/user.c &&
    cc -o $out/two $out/a.o $out/b.o -lm -pthread && $out/two"
if have g++; then
    row "C++ caller" sh -c "g++ -std=c++11 -I. -c -o $out/bb.o $out/user.cc && g++ -o $out/twocc $out/a.o $out/bb.o -lm -pthread && $out/twocc"
else skip "C++ caller" "no g++"; fi
row "two static copies" sh -c "cc -std=c11 -w -I. -o $out/static $out/static_a.c $out/static_b.c -lm -pthread && $out/static"

# ---- what the object asks for and gives

undefined() { nm -u "$1" | awk '{ print $NF }' | sed 's/@.*//'; }

asks_for_none() { # OBJECT NAME...: none of these is asked for
    object=$1
    shift
    for symbol; do
        if undefined "$object" | grep -qx -e "$symbol" -e "__${symbol}_chk"; then echo "asks for $symbol" && return 1; fi
    done
}

only_public() { # every global name is allm_, none allm__
    ! nm -g --defined-only "$1" | awk '{ print $NF }' | grep -v '^allm_[a-z]'
}

# object STEM FLAGS...: the implementation as an object of its own, warnings aside
object() {
    stem=$1
    shift
    cc -std=c11 -w -O1 "$@" -I. -c -o $out/$stem.o $out/impl.c
}

asks_for_no_file() {
    object nostdio -DABSTRACTLLM_NO_STDIO && asks_for_none $out/nostdio.o open open64 fopen fopen64 read fread mmap mmap64
}
asks_for_no_thread() { object nothreads -DABSTRACTLLM_NO_THREADS && ! nm -u $out/nothreads.o | grep pthread; }
asks_for_no_manners() {
    object plain && asks_for_none $out/plain.o abort exit _exit printf fprintf vprintf vfprintf puts fputs putchar putc \
        perror __assert_fail strtod strtof atof setlocale signal raise sigaction stdout stderr
}

row "nm: no abort, exit, printf, puts, perror, assert, strtod, setlocale" asks_for_no_manners
row "nm: global names are the public ones" only_public $out/plain.o
row "nm: NO_STDIO asks for no file" asks_for_no_file
row "nm: NO_THREADS asks for no pthread" asks_for_no_thread
if [ -f build/allm ] && have ldd; then
    row "ldd: libc and libm only" sh -c "! ldd build/allm | grep -v -E 'linux-vdso|linux-gate|ld-linux|/ld-musl|libc\.|libm\.|libpthread\.'"
else skip "ldd: libc and libm only" "no build/allm"; fi

# ---- other targets

if echo 'int main(void) { return 0; }' | gcc -m32 -xc - -o $out/m32 2>/dev/null; then
    row "32 bit" gcc -m32 -std=c11 $strict -I. -fsyntax-only $out/impl.c
else skip "32 bit" "no 32-bit libc (gcc-multilib)"; fi
if have x86_64-w64-mingw32-gcc; then
    row "Windows" x86_64-w64-mingw32-gcc -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror -I. -fsyntax-only $out/impl_windows.c
    row "Windows, command line" x86_64-w64-mingw32-gcc -std=c11 -w -I. -fsyntax-only tools/allm.c
else skip "Windows" "no x86_64-w64-mingw32-gcc"; fi
if have musl-gcc; then row "musl, static" musl-gcc -std=c11 -w -static -I. -o $out/musl $out/static_a.c $out/static_b.c
else skip "musl, static" "no musl-gcc"; fi

# The same tests without what can be left out; fewer of a kind, for the scalar kernels are slow.
if have_test_cmocka cc; then
    row "tests without DEBUG, with NO_THREADS NO_MMAP NO_SIMD" sh -c "cc -std=c11 -O1 -w -DTEST_RELEASE -DTEST_SANITIZED=1 \
        -DABSTRACTLLM_NO_THREADS -DABSTRACTLLM_NO_MMAP -DABSTRACTLLM_NO_SIMD -I. -o $out/tests-small tests/run.c -lcmocka -lm -pthread && $out/tests-small"
else skip "tests without DEBUG, with NO_THREADS NO_MMAP NO_SIMD" "no cmocka"; fi

arm=aarch64-linux-gnu
if have $arm-gcc; then
    row "implementation $arm c11 -O2" $arm-gcc -std=c11 -O2 $strict -I. -c -o $out/impl-arm.o $out/impl.c
    qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static || true)
    cmocka="-Ibuild/aarch64/usr/include -Lbuild/aarch64/usr/lib/$arm"
    if [ -z "$qemu" ]; then skip "tests under qemu, $arm" "no qemu-aarch64"
    elif [ ! -f build/aarch64/usr/include/cmocka.h ]; then skip "tests under qemu, $arm" "no cmocka for it (tools/deps.sh aarch64)"
    else
        # the rooms that have code of their own for it, or may depend on the sign of char and the order of memory; a real
        # model takes an emulator minutes
        rooms="plat mem thr num data quant wsrc isa pack kern kv fwd samp"
        row "tests under qemu, $arm: $rooms" sh -c "$arm-gcc -std=c11 -O2 -w -DTEST_SANITIZED=1 -I. $cmocka -o $out/tests-arm tests/run.c -lcmocka -lm -pthread &&
            ALLM_TEST_MODELS= $qemu -L /usr/$arm -E LD_LIBRARY_PATH=build/aarch64/usr/lib/$arm $out/tests-arm $rooms"
    fi
else skip "$arm" "no $arm-gcc"; fi

echo "matrix: $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
