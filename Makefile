# abstractllm.h: make run   builds the command line and runs the shipped model
#                make deps test   gets what the tests need, runs all of them
# Everything that is built goes to build/. No target needs more than a C compiler, make and libc, but for deps.

CC     ?= cc
CFLAGS ?= -O2 -g
WARN    = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Werror=implicit-function-declaration
STD     = -std=c11
LIBS    = -lm -pthread
CMOCKA  = $(shell pkg-config --cflags --libs cmocka 2>/dev/null || echo -lcmocka)
PREFIX ?= /usr/local
COMPILE = $(CC) $(STD) $(CFLAGS) $(WARN)

.PHONY: all test room clean

all: build/allm

build/tests: tests/run.c abstractllm.h $(wildcard tests/*.c tests/*.h)
	@mkdir -p build
	$(COMPILE) -Wno-unused-function -o $@ tests/run.c $(CMOCKA) $(LIBS)

# make test [ROOMS="str io"]
test: build/tests
	build/tests $(ROOMS)

# make room R=tok prints one room
room:
	@awk -v room='>>$(R)' '/MARK: >>/ { on = ($$3 == room) } on' abstractllm.h

clean:
	rm -rf build
