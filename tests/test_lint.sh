#!/bin/sh
# Does the linter find what it is for? Each row breaks a copy of the header in one way and expects one sentence.
#
#     tests/test_lint.sh build/lint
set -u
lint=$PWD/$1
work=build/lint-cases
rm -rf $work
mkdir -p $work/tests
n=0 failed=0

# case TEXT SED-SCRIPT: the finding, and what to do to the header
expect() {
    n=$((n + 1))
    cp tests/run.c tests/test_*.c $work/tests/
    sed "$2" abstractllm.h >$work/abstractllm.h
    if cmp -s abstractllm.h $work/abstractllm.h; then echo "lint: case \"$1\" changes nothing" && failed=$((failed + 1)) && return; fi
    if ! "$lint" $work | grep -q -- "$1"; then echo "lint: \"$1\" is not found" && failed=$((failed + 1)); fi
}

below_mem='/MARK: >>mem/,/typedef struct allm__host/'
expect 'room mem is missing' '/MARK: >>mem/d'
expect 'unknown room "meme"' 's/MARK: >>mem /MARK: >>meme /'
expect 'room err stands after mem' 's/>>err  T/>>tmp  T/; s/>>mem  M/>>err  M/; s/>>tmp  T/>>mem  T/'
expect 'does not begin with what it owns' '/MARK: >>str/,+1s/Owns:/Has:/'
expect 'table of contents: "string", expected str' 's/^ \*   str  / *   string  /'
expect 'white space at the end' '/MARK: >>mem/s/$/ /'
expect 'a tab' "/MARK: >>mem/s/\$/$(printf '\t')/"
expect 'at most 120' '/MARK: >>mem/s/$/...................................................................................................................../'
expect 'not ASCII' '/MARK: >>mem/s/$/ \xc3\xbc/'
expect 'allm__odd: expected allm__mem_' "$below_mem s/^typedef struct allm__host/static int allm__odd(int x) { return x; }\n&/"
expect 'odd: expected allm__mem_' "$below_mem s/^typedef struct allm__host/static const int odd[2] = {1, 2};\n&/"
expect 'a forward declaration' "$below_mem s/^typedef struct allm__host/static int allm__mem_odd(int x);\n&/"
expect 'only room api defines public functions' "$below_mem s/^typedef struct allm__host/int allm_odd(int x) { return x; }\n&/"
expect 'allm_odd is not declared in room decl' "$below_mem s/^typedef struct allm__host/int allm_odd(int x) { return x; }\n&/"
expect 'allm_version is not defined' 's/^\(ABSTRACTLLM_API \)*const char \*allm_version(void) *{/const char *allm_other(void) {/; s/^\(ABSTRACTLLM_API const char \*allm_version\)(void);/\1(void) ;/'
expect 'a variable that is not const' "$below_mem s/^typedef struct allm__host/static int allm__mem_odd;\n&/"
expect 'a static variable that is not const' "$below_mem s/^typedef struct allm__host/static int allm__mem_odd(void) { static int n; return n++; }\n&/"
expect 'abort: the library does not call it' 's/^    return status;/    abort();\n&/'
expect 'allm__mem_odd is never used' "$below_mem s/^typedef struct allm__host/static int allm__mem_odd(int n) { return n ? allm__mem_odd(n - 1) : 0; }\n&/"
expect 'ALLM__ODD is never used' "$below_mem s/^typedef struct allm__host/#define ALLM__ODD 1\n&/"
expect 'macro odd: expected ALLM__' "$below_mem s/^typedef struct allm__host/#define odd 1\n&/"
expect 'macro ALLM__ODD speaks of allm__str_of' "$below_mem s/^typedef struct allm__host/#define ALLM__ODD(x) allm__str_of(x)\n&/"
expect 'ABSTRACTLLM_NO_ODD is not in the manual' "$below_mem s/^typedef struct allm__host/#ifdef ABSTRACTLLM_NO_ODD\n#endif\n&/"

if [ $failed = 0 ]; then echo "lint: all $n kinds of findings are found"; fi
rm -rf $work
[ $failed = 0 ]
