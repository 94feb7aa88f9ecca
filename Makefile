# abstractllm.h. Two commands do everything on a fresh machine:
#
#   make run          build the command line, let the shipped model tell a story
#   make deps test    get cmocka by the system's package manager, run all tests
#
# Nothing but deps needs more than a C compiler, make and libc. What is built goes to build/.

CC     ?= cc
CFLAGS ?= -O2 -g1
WARN    = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Werror=implicit-function-declaration
COMPILE = $(CC) -std=c11 -I. $(CFLAGS) $(WARN)
LIBS    = -lm -pthread
CMOCKA  = $(shell pkg-config --cflags --libs cmocka 2>/dev/null || echo -lcmocka)
PREFIX ?= /usr/local

MODEL  ?= examples/story.gguf
PROMPT ?= Once upon a time
GOLDEN ?= $(or $(ALLM_GOLDEN),../shared/golden)
ROOMS  ?=
THREADED = mem io thr tmpl model lora kv fwd eval gen sess prov job talk api

HEADER   = abstractllm.h
CURL     = $(shell printf '\043include <curl/curl.h>\n' | $(CC) -E -xc - >/dev/null 2>&1 && echo yes)
EXAMPLES = $(patsubst examples/%.c,build/examples/%,$(filter-out $(if $(CURL),,examples/transport_curl.c),\
             $(wildcard examples/*.c))) $(if $(shell command -v $(CXX)),build/examples/cplusplus)
TESTS    = $(wildcard tests/*.c tests/*.h)

.PHONY: all run chat examples deps test asan ubsan tsan golden lint matrix fuzz coverage bench size room install clean

all: build/allm examples

build/allm: tools/allm.c $(HEADER)
	@mkdir -p build
	$(COMPILE) -o $@ tools/allm.c $(LIBS)

# MODEL=file, PROMPT="text"
run: build/allm
	@printf '%s' "$(PROMPT)"
	@build/allm run -m "$(MODEL)" -p "$(PROMPT)"

chat: build/allm
	@build/allm chat -m "$(MODEL)"

examples: $(EXAMPLES)

build/examples/transport_curl: LIBS += -lcurl

# The implementation is compiled once, for it takes a minute or two. Of the examples, only those that want it with other
# macros have one of their own, and hello, which is compiled as it says.
build/examples/allm.o: $(HEADER)
	@mkdir -p build/examples
	@printf '\043define ABSTRACTLLM_HTTP\n\043define ABSTRACTLLM_IMPLEMENTATION\n\043include "abstractllm.h"\n' > build/examples/allm.c
	$(COMPILE) -c -o $@ build/examples/allm.c

build/examples/cplusplus: examples/cplusplus.cpp build/examples/allm.o
	$(CXX) -std=c++11 -I. $(CFLAGS) -Wall -Wextra -Wpedantic -Wconversion -Wshadow -o $@ $^ $(LIBS)

build/examples/hello build/examples/custom_allocator: build/examples/%: examples/%.c $(HEADER)
	@mkdir -p build/examples
	$(COMPILE) -o $@ $< $(LIBS)

build/examples/%: examples/%.c build/examples/allm.o
	@sed -e '/^.define ABSTRACTLLM_[A-Z]*$$/s/.*//' $< > build/examples/$*.c
	$(COMPILE) -o $@ build/examples/$*.c build/examples/allm.o $(LIBS)

# ---- tests: ROOMS="str io" runs only these; the group cli drives build/allm; tsan runs those where threads meet

deps:
	@tools/deps.sh

build/tests: $(TESTS) $(HEADER)
	@mkdir -p build
	@echo 'int main(void) { return 0; }' | $(CC) -xc - -o build/probe $(CMOCKA) 2>/dev/null || \
		{ echo 'cmocka is not here; "make deps" gets it'; exit 1; }
	$(COMPILE) -Wno-unused-function -o $@ tests/run.c $(CMOCKA) $(LIBS)

test: $(if $(filter cli,$(or $(ROOMS),cli)),build/allm) build/tests
	@ALLM_GOLDEN=$(GOLDEN) build/tests $(ROOMS)

asan ubsan tsan: CFLAGS = -O1 -g1 -fno-omit-frame-pointer
asan:  CHECK = -fsanitize=address
ubsan: CHECK = -fsanitize=undefined -fno-sanitize-recover=undefined -DTEST_SANITIZED=1
tsan:  CHECK = -fsanitize=thread
tsan:  ROOMS = $(THREADED)
asan ubsan tsan:
	@mkdir -p build
	$(COMPILE) $(CHECK) -Wno-unused-function -o build/tests-$@ tests/run.c $(CMOCKA) $(LIBS)
	@ALLM_GOLDEN=$(GOLDEN) build/tests-$@ $(ROOMS)

# Every kind of golden folder found under GOLDEN, as a table.
golden: build/allm build/tests
	@tools/golden.sh "$(GOLDEN)"

build/lint: tools/lint.c
	@mkdir -p build
	$(COMPILE) -o $@ tools/lint.c

lint: build/lint
	@tests/test_lint.sh build/lint
	@build/lint && echo 'lint: nothing found'

# Every parser with bytes that nobody wrote, SECONDS each.
SECONDS ?= 60
build/fuzz: tools/fuzz.c $(HEADER)
	@mkdir -p build
	$(CC) -std=c11 -I. -O1 -g -DABSTRACTLLM_NO_SIMD -fsanitize=address,undefined -fno-sanitize-recover=undefined \
		-Wall -Wextra -Wno-unused-function -o $@ tools/fuzz.c -lm -pthread

fuzz: build/fuzz
	@for target in $$(build/fuzz list); do build/fuzz $$target -n 1000000000 -t $(SECONDS) || exit 1; done

matrix:
	@tools/matrix.sh

# Lines that no test reaches, by room, and build/coverage.txt with all of them.
coverage:
	@mkdir -p build/coverage
	$(CC) -std=c11 -I. -O0 -g -w --coverage -o build/coverage/tests tests/run.c $(CMOCKA) $(LIBS)
	@rm -f build/coverage/*.gcda
	@ALLM_GOLDEN=$(GOLDEN) build/coverage/tests > build/coverage/log
	@gcov -r build/coverage/*.gcda > build/coverage/gcov.log && mv $(HEADER).gcov build/coverage.txt && rm -f *.gcov
	@awk -F: '/MARK: >>/ { line = $$0; sub(/.*>>/, "", line); sub(/ .*/, "", line); room = line; rooms[++n] = room } \
		$$1 ~ /[0-9#]/ { lines[room]++; all++ } \
		$$1 ~ /#/ { missed[room]++; bad++ } \
		END { for (i = 1; i <= n; i++) if (lines[rooms[i]]) \
		          printf "%-8s %5d lines, %4d not reached\n", rooms[i], lines[rooms[i]], missed[rooms[i]]; \
		      printf "%.1f %% of %d lines reached\n", 100 * (all - bad) / all, all }' build/coverage.txt

# ---- figures

bench: build/allm
	@build/allm bench -m "$(MODEL)"

# make build/bench_spec and the like: tools/bench_*.c, each of which says what it measures.
build/bench_%: tools/bench_%.c $(HEADER)
	@mkdir -p build
	$(COMPILE) -Wno-unused-function -o $@ $< $(LIBS)

# Size of the implementation alone, by feature set.
size:
	@mkdir -p build
	@for set in "" -DABSTRACTLLM_NO_AVX512 -DABSTRACTLLM_NO_SIMD "-DABSTRACTLLM_NO_SIMD -DABSTRACTLLM_NO_JINJA" \
		"-DABSTRACTLLM_NO_SIMD -DABSTRACTLLM_NO_JINJA -DABSTRACTLLM_NO_GRAMMAR" \
		"-DABSTRACTLLM_NO_SIMD -DABSTRACTLLM_NO_JINJA -DABSTRACTLLM_NO_GRAMMAR -DABSTRACTLLM_NO_IQ \
-DABSTRACTLLM_NO_SAFETENSORS -DABSTRACTLLM_NO_REMOTE -DABSTRACTLLM_NO_VISION"; do \
		for level in -O2 -Os; do \
			echo '#include "$(HEADER)"' | $(CC) -std=c11 -w $$level -I. -xc -DABSTRACTLLM_IMPLEMENTATION $$set -c -o build/size.o - && \
			size build/size.o | awk -v what="$$level $$set" 'NR == 2 { printf "%8d bytes of code and tables  %s\n", $$1 + $$2, what }'; \
		done; \
	done

# ---- the rest

# R=tok prints one room
room:
	@awk -v room='>>$(R)' '/MARK: >>/ { on = 0; for (i = 1; i <= NF; i++) on = on || $$i == room } on' $(HEADER)

install: build/allm
	install -d "$(DESTDIR)$(PREFIX)/include" "$(DESTDIR)$(PREFIX)/bin"
	install -m 644 $(HEADER) "$(DESTDIR)$(PREFIX)/include/"
	install -m 755 build/allm "$(DESTDIR)$(PREFIX)/bin/"

clean:
	rm -rf build
