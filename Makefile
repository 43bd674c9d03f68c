# SPDX-License-Identifier: GPL-2.0-or-later
# Builds NeTracker. `make help` lists the targets. All output goes to build/.

VERSION := 0.1.0
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
CLANG ?= clang
LLVM_STRIP ?= llvm-strip
BPFTOOL ?= bpftool
CFLAGS ?= -O2 -g

BUILD := build
# Folder of the BPF objects. A cross-built program embeds those of this machine: it can replay and explain, but cannot
# load them.
BPF_BUILD := $(BUILD)
# Warnings are errors with CI=true or WERROR=1. Otherwise the warnings of another compiler would break a user's build.
WERROR ?= $(if $(filter true,$(CI)),1)
WARNINGS := -Wall -Wextra -Wshadow $(if $(filter 1,$(WERROR)),-Werror)
# With SLP vectorization, gcc loads two words at once that were stored separately just before. The load waits for both
# stores, which costs 3 % of a replay.
STANDARD := -std=gnu11 -I. -isystem $(BPF_BUILD) -D_GNU_SOURCE -DNETRACKER_VERSION='"$(VERSION)"' $(WARNINGS) -fno-tree-slp-vectorize
LIBRARIES := -lbpf -lelf -lz -lzstd -llzma -lbz2 -llz4 -lpcap -lmd -lmnl -lcap-ng -ljansson -lsodium -lpcre2-8 -lsqlite3

# Hardening of the program. Options that the compiler does not support are omitted; clang on arm64 lacks the last one.
# -fcf-protection is not used: Linux does not enforce it on indirect jumps in user space, and it costs 2 % of a replay.
# _FORTIFY_SOURCE requires optimisation; a packager's own level takes precedence.
supported = $(shell $(CC) -O2 -Werror $(1) -include stdlib.h -x c -c /dev/null -o /dev/null 2>/dev/null && echo '$(1)')
OPTIMIZED := $(filter-out -O0,$(lastword $(filter -O%,$(CFLAGS))))
ifneq ($(OPTIMIZED),)
ifeq ($(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),)
FORTIFY := $(or $(call supported,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif
endif
HARDENING := -fPIE -fstack-protector-strong $(FORTIFY) $(call supported,-fstack-clash-protection)
HARDENED_LINK := -pie -Wl,-z,relro,-z,now

SANITIZERS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

# The BPF object needs libbpf's headers and the kernel's UAPI headers, of any kernel version.
MACHINE := $(shell uname -m)
BPF_MACHINE := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(MACHINE)))
MULTIARCH := $(shell $(CC) -print-multiarch)
BPF_FLAGS := -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_MACHINE) -g -O2 -Wall $(filter -Werror,$(WARNINGS)) -I. \
	-idirafter /usr/include/$(MULTIARCH)

SOURCES := $(filter-out src/main.c,$(wildcard src/*/*.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
SANITIZED_OBJECTS := $(SOURCES:%.c=$(BUILD)/sanitized/%.o)
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
ALLOC_PROGRAM := $(BUILD)/tests/netracker_alloc
SMALL_MACHINE := $(BUILD)/tests/small_machine.so
ALLOC_WRAPPED := malloc calloc realloc aligned_alloc strdup tsearch fopen fopencookie
KERNEL_REPLAY := $(BUILD)/tests/replay/kernel_replay
HISTORY_LINES := $(BUILD)/tests/replay/history_lines
KERNEL_REPLAY_BPF := $(BUILD)/tests/replay/capture_clock.bpf.o

ifeq ($(V),1)
say = @:
quiet =
else
say = @printf '  %-6s %s\n' $(1) $(2)
quiet = @
endif
# make -s prints only errors.
ifneq ($(findstring s,$(firstword -$(MAKEFLAGS))),)
say = @:
endif

.PHONY: all unit unit-tests bench test install uninstall clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/netracker

help:
	@echo 'make                   build $(BUILD)/netracker'
	@echo 'make install           install program, man page, completion, schema and service in $$(DESTDIR)$$(PREFIX); PREFIX is $(PREFIX)'
	@echo 'make uninstall         remove the installed files'
	@echo 'make clean             remove $(BUILD)'
	@echo
	@echo 'make test              run all tests; TESTS="join sink": those with such names; V=1: show their output'
	@echo 'make unit              build the test programs in $(BUILD)/tests'
	@echo 'make golden            rewrite the expected output of the golden tests'
	@echo 'make fuzz              fuzz with libFuzzer; T=60: seconds per target; TARGETS="parser reader": only these'
	@echo 'make test-cross        run the unit and replay tests with other compilers and machines; TARGETS="clang s390x": only these'
	@echo 'make test-kernels      run the live tests on kernels of Debian in QEMU; KERNELS="6.1 6.12": only these'
	@echo 'make test-servers      compare the records of real servers with their logs and a counting relay (root)'
	@echo 'make test-fleet        twenty trackers to one ClickHouse server (root; CLICKHOUSE_SERVER, CHDB_PYTHON); ship to Kafka, which Maven fetches'
	@echo 'make test-ecli         run the eunomia-bpf package with ecli-rs, which is built first unless it is installed'
	@echo 'make test-bcc-kprobes  run the BCC version'"'"'s kprobes; KERNEL=DIR: a kernel of tests/kernels/get-kernels'
	@echo 'make coverage          measure the line coverage of the unit and replay tests; LIVE=1 (root): also of the live tests'
	@echo 'make check-static      run static analysis: headers alone, gcc -fanalyzer, clang-tidy, scan-build'
	@echo 'make bench             build the benchmarks in $(BUILD)/bench; docs/testing.md describes them'
	@echo
	@echo 'make eunomia           build the eunomia-bpf package, $(BUILD)/eunomia/package.json'
	@echo 'make option-docs       write the options of src/cli/option_table.c into the man page and bash completion'
	@echo 'make format            format all C by .clang-format (clang-format 14); make format-check: name files that differ'
	@echo
	@echo 'V=1                    show whole commands'
	@echo 'WERROR=1               turn warnings into errors, as CI=true does'

$(BUILD)/netracker: $(BUILD)/src/main.o $(BUILD)/libnetracker.a
	$(call say,LINK,$@)
	$(quiet)$(CC) $(CFLAGS) $(HARDENED_LINK) $(LDFLAGS) $^ $(LIBRARIES) -o $@

# Prints the parts of the man page and of bash completion that come from the option table.
.PHONY: option-docs

$(BUILD)/option_docs: scripts/option_docs.c $(BUILD)/libnetracker.a
	$(call say,CC,$<)
	$(quiet)$(CC) $(STANDARD) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(filter %.c %.a,$^) $(LDFLAGS) $(LIBRARIES) -o $@

option-docs: $(BUILD)/option_docs
	$(quiet)scripts/update-option-docs

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CC) $(STANDARD) $(HARDENING) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libnetracker.a: $(OBJECTS)
	$(call say,AR,$@)
	$(quiet)rm -f $@
	$(quiet)$(AR) rcs $@ $^

$(BPF_BUILD)/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$<)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CLANG) $(BPF_FLAGS) -MMD -MP -c $< -o $@
	$(quiet)$(LLVM_STRIP) -g $@

# scan-build takes the memory of a skeleton for leaked on the error path: it does not see that libbpf frees it.
UNANALYZED := /__create_skeleton(struct .*)$$/,/^{/ s/^{$$/{\n\x23ifdef __clang_analyzer__\n\treturn obj ? -1 : -2;\n\x23endif/

# libbpf's skeleton: a header with the object's bytes, and a handle for each of its maps, programs and variables.
$(BPF_BUILD)/%.skel.h: $(BPF_BUILD)/%.bpf.o
	$(call say,SKEL,$@)
	$(quiet)$(BPFTOOL) gen skeleton $< name $*_bpf | sed '$(UNANALYZED)' > $@

# The objects whose sources include a skeleton, in each kind of build.
LOADERS := src/kernel/loader.o
ATTACHERS := src/attach/attach.o
$(foreach kind,$(BUILD) $(BUILD)/sanitized $(BUILD)/fuzz,$(LOADERS:%=$(kind)/%)): $(BPF_BUILD)/netracker.skel.h
$(foreach kind,$(BUILD) $(BUILD)/sanitized $(BUILD)/fuzz,$(ATTACHERS:%=$(kind)/%)): $(BPF_BUILD)/attach.skel.h

$(BUILD)/sanitized/%.o: %.c
	$(call say,CC-SAN,$<)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CC) $(STANDARD) $(SANITIZERS) -MMD -MP -c $< -o $@

$(BUILD)/sanitized/libnetracker.a: $(SANITIZED_OBJECTS)
	$(call say,AR,$@)
	$(quiet)rm -f $@
	$(quiet)$(AR) rcs $@ $^

$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/sanitized/libnetracker.a
	$(call say,TEST,$<)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CC) $(STANDARD) $(SANITIZERS) -MMD -MP $< $(BUILD)/sanitized/libnetracker.a $(LIBRARIES) -o $@

$(BUILD)/sanitized/netracker: $(BUILD)/sanitized/src/main.o $(BUILD)/sanitized/libnetracker.a
	$(call say,LINK,$@)
	$(quiet)$(CC) $(SANITIZERS) $(filter %.o,$^) $(filter %.a,$^) $(LIBRARIES) -o $@

# The program with allocations that tests can make fail.
$(ALLOC_PROGRAM): tests/alloc/alloc_fault.c $(BUILD)/sanitized/src/main.o $(BUILD)/sanitized/libnetracker.a
	$(call say,LINK,$@)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CC) $(STANDARD) $(SANITIZERS) -MMD -MP $(ALLOC_WRAPPED:%=-Wl,--wrap=%) $(filter %.c %.o %.a,$^) $(LIBRARIES) -o $@

# Makes the tables small: a library that tests preload.
$(SMALL_MACHINE): tests/live/small_machine.c
	$(call say,LINK,$@)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CC) $(STANDARD) -shared -fPIC -MMD -MP $< -o $@

unit-tests: $(UNIT_TESTS)

unit: unit-tests $(BUILD)/option_docs $(KERNEL_REPLAY) $(HISTORY_LINES) $(BUILD)/sanitized/netracker $(ALLOC_PROGRAM) $(SMALL_MACHINE)

# A program that runs captures through the kernel side, with the capture's clock.
$(KERNEL_REPLAY_BPF): tests/replay/capture_clock.bpf.c
	$(call say,BPF,$<)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CLANG) $(BPF_FLAGS) -MMD -MP -c $< -o $@
	$(quiet)$(LLVM_STRIP) -g $@

$(BUILD)/tests/replay/capture_clock.skel.h: $(KERNEL_REPLAY_BPF)
	$(call say,SKEL,$@)
	$(quiet)$(BPFTOOL) gen skeleton $< name netracker_bpf > $@

$(BUILD)/tests/replay/loader.o: src/kernel/loader.c $(BUILD)/tests/replay/capture_clock.skel.h
	$(call say,CC,$<)
	$(quiet)$(CC) $(STANDARD) $(CFLAGS) -isystem $(BUILD)/tests/replay -include linux/types.h -include tests/replay/capture_clock.h \
		-DNETRACKER_SKELETON='"capture_clock.skel.h"' -MMD -MP -c $< -o $@

$(KERNEL_REPLAY): tests/replay/kernel_replay.c $(BUILD)/tests/replay/loader.o $(BUILD)/libnetracker.a
	$(call say,TEST,$<)
	$(quiet)$(CC) $(STANDARD) $(CFLAGS) -isystem $(BUILD)/tests/replay -MMD -MP $(filter %.c %.o %.a,$^) $(LIBRARIES) -o $@

# Prints the records of a history, which tests compare with those that were written.
$(HISTORY_LINES): tests/replay/history_lines.c $(BUILD)/sanitized/libnetracker.a
	$(call say,TEST,$<)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CC) $(STANDARD) $(SANITIZERS) -MMD -MP $(filter %.c %.a,$^) $(LIBRARIES) -o $@

$(BUILD)/bench/%: bench/%.c $(BUILD)/libnetracker.a
	$(call say,BENCH,$<)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CC) $(STANDARD) $(CFLAGS) -MMD -MP $^ $(LIBRARIES) -o $@

bench: all $(patsubst %.c,$(BUILD)/%,$(wildcard bench/*.c))

# The package of the eunomia-bpf version is made without ecc. If ecc is installed, it makes the package too, and both
# must be equal. For that the programs are compiled as by ecc, without -mcpu.
ECC ?= ecc
EUNOMIA := $(BUILD)/eunomia

.PHONY: eunomia test-ecli test-bcc-kprobes

eunomia: $(EUNOMIA)/package.json
	$(quiet)if command -v $(ECC) >/dev/null; then \
		mkdir -p $(EUNOMIA)/ecc && $(ECC) -o $(EUNOMIA)/ecc eunomia/netracker.bpf.c eunomia/event.h && \
		eunomia/make-package --compare $(EUNOMIA)/package.json $(EUNOMIA)/ecc/package.json; fi

$(EUNOMIA)/netracker.bpf.o: eunomia/netracker.bpf.c Makefile
	$(call say,BPF,$<)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CLANG) $(filter-out -mcpu=%,$(BPF_FLAGS)) -MMD -MP -c $< -o $@
	$(quiet)$(LLVM_STRIP) -g $@

$(EUNOMIA)/package.json: $(EUNOMIA)/netracker.bpf.o eunomia/make-package eunomia/event.h
	$(call say,PACK,$@)
	$(quiet)eunomia/make-package $< eunomia/netracker.bpf.c eunomia/event.h > $@

# Builds ecli-rs from Rust's package registry, which takes minutes.
BUILT_ECLI := $(BUILD)/ecli/bin/ecli-rs

$(BUILT_ECLI):
	$(call say,CARGO,$@)
	$(quiet)command -v cargo >/dev/null || { echo 'cargo: not found; install Rust, or name an ecli: make test-ecli ECLI=...' >&2; exit 1; }
	$(quiet)cargo install --quiet --root $(BUILD)/ecli ecli-rs

test-ecli: eunomia
	$(quiet)PATH="$$PATH:$$HOME/.cargo/bin"; ecli=$(ECLI); \
		[ -n "$$ecli" ] || ecli=$$(command -v ecli-rs || command -v ecli) || \
		{ $(MAKE) $(BUILT_ECLI) && ecli=$(abspath $(BUILT_ECLI)); } || exit 1; \
		ECLI=$$ecli /usr/bin/python3 tests/frontends/ecli.py

test-bcc-kprobes:
	$(quiet)tests/frontends/in-vm $(KERNEL) test_bcc_kprobes.py

test: all unit eunomia
	$(quiet)V=$(V) tests/run $(TESTS)

# Rewrites the expected output of the golden tests. Check it with git diff before committing.
.PHONY: golden

golden: all
	$(quiet)/usr/bin/python3 tests/replay/golden.py --regenerate

# Fuzzing needs all sources built with clang's sanitizers and libFuzzer's counters, and one program for each target.
.PHONY: fuzz fuzz-targets

T ?= 60
FUZZ := $(BUILD)/fuzz
FUZZERS := $(patsubst tests/fuzz/%.c,$(FUZZ)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_OBJECTS := $(SOURCES:%.c=$(FUZZ)/%.o)
FUZZ_FLAGS := -O1 -g -Werror=implicit-function-declaration -fno-omit-frame-pointer -fno-sanitize-recover=all

$(FUZZ)/%.o: %.c
	$(call say,CC-FUZZ,$<)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CLANG) $(STANDARD) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c $< -o $@

$(FUZZ)/libnetracker.a: $(FUZZ_OBJECTS)
	$(call say,AR,$@)
	$(quiet)rm -f $@
	$(quiet)$(AR) rcs $@ $^

$(FUZZERS): $(FUZZ)/%: $(FUZZ)/tests/fuzz/%.o $(FUZZ)/libnetracker.a
	$(call say,LINK,$@)
	$(quiet)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined $^ $(LIBRARIES) -o $@

$(FUZZ)/make_corpus: tests/fuzz/make_corpus.c $(BUILD)/libnetracker.a
	$(call say,CC,$<)
	$(quiet)mkdir -p $(@D)
	$(quiet)$(CC) $(STANDARD) $(CFLAGS) -MMD -MP $(filter %.c %.a,$^) $(LIBRARIES) -o $@

fuzz-targets: all $(FUZZERS) $(FUZZ)/make_corpus

fuzz: fuzz-targets
	$(quiet)tests/fuzz/run $(T) $(TARGETS)

# Not part of `make test`: it installs a dozen servers.
.PHONY: test-servers

test-servers: all
	$(quiet)scripts/install-packages --servers
	$(quiet)/usr/bin/python3 tests/servers/test_servers.py

# Not part of `make test`: it takes minutes, servers that no package of the tests installs, and Kafka from Maven.
.PHONY: test-fleet

test-fleet: all
	$(quiet)status=0; for test in tests/fleet/test_*.py; do V=$(V) /usr/bin/python3 $$test || status=1; done; exit $$status

# Not part of `make test`: it downloads kernels and takes minutes.
.PHONY: test-kernels

test-kernels: all
	$(quiet)V=$(V) tests/kernels/test_kernels.py $(KERNELS)

# Each header must compile alone; those of core/ after the types and the frame access that their includer provides.
# PART_HEADERS are parts of other headers, or need macros or functions of their includer.
.PHONY: check-headers

PART_HEADERS := core/single_table.h \
	$(patsubst %,src/zeek/zeek_%.h,connection history stream step)
CORE_PRELUDE := -include linux/types.h -include core/buffer.h
LONE_HEADERS = $(filter-out $(PART_HEADERS),$(wildcard core/*.h src/*/*.h))

check-headers:
	$(quiet)failed=0; for header in $(LONE_HEADERS); do \
		case $$header in core/*) prelude='$(CORE_PRELUDE)' ;; *) prelude= ;; esac; \
		$(CC) $(STANDARD) -Werror $$prelude -include $$header -fsyntax-only -x c /dev/null || failed=1; done; \
		exit $$failed

# Static analysis of all sources except the tests: gcc's analyzer, clang-tidy (.clang-tidy) and scan-build. Each run
# analyses all files.
.PHONY: check-static check-analyzer check-tidy check-scan analyzed-objects FORCE

# gcc 12 reports memory in a list of sys/queue.h as leaked, so its leak check is off. scan-build finds leaks, as does
# the address sanitizer in the tests.
ANALYZER ?= gcc
ANALYZER_FLAGS := -O2 -fanalyzer -Wno-analyzer-malloc-leak -Werror
CLANG_TIDY ?= clang-tidy
SCAN_BUILD ?= scan-build
SKELETONS = $(BPF_BUILD)/netracker.skel.h $(BPF_BUILD)/attach.skel.h
STATIC_SOURCES = src/main.c $(SOURCES) $(wildcard bench/*.c)

check-static: check-headers check-analyzer check-tidy check-scan

check-analyzer: $(STATIC_SOURCES:%=%.analyzed)

%.c.analyzed: %.c FORCE | $(SKELETONS)
	$(call say,GCC,$<)
	$(quiet)$(ANALYZER) $(STANDARD) $(ANALYZER_FLAGS) -c $< -o /dev/null

check-tidy: $(patsubst %,%.tidied,$(STATIC_SOURCES) $(wildcard bpf/*.bpf.c eunomia/*.bpf.c))

%.c.tidied: %.c FORCE | $(SKELETONS)
	$(call say,TIDY,$<)
	$(quiet)$(CLANG_TIDY) --quiet $< -- $(STANDARD) 2>/dev/null

%.bpf.c.tidied: %.bpf.c FORCE
	$(call say,TIDY,$<)
	$(quiet)$(CLANG_TIDY) --quiet $< -- $(BPF_FLAGS) 2>/dev/null

check-scan:
	$(quiet)rm -rf $(BUILD)/scan
	$(quiet)$(SCAN_BUILD) --status-bugs -o $(BUILD)/scan/reports $(MAKE) BUILD=$(BUILD)/scan analyzed-objects

analyzed-objects: $(STATIC_SOURCES:%.c=$(BUILD)/%.o)

# Line coverage is measured in a copy of the tree that is built without optimisation: the tests expect their programs in
# build/, and the traces beside the tree. Two tests are excluded: clang builds the programs of test_fuzz.py, and gcov's own
# allocations would fail in test_replay_allocation.py.
.PHONY: coverage

COVERAGE := $(BUILD)/coverage
COVERAGE_FLAGS := -O0 -g --coverage
COVERAGE_TESTS := build/tests/unit \
	$(filter-out %/test_fuzz.py %/test_replay_allocation.py,$(wildcard tests/replay/test_*.py)) \
	$(if $(LIVE),tests/live)
coverage:
	$(quiet)rm -rf $(COVERAGE)
	$(quiet)mkdir -p $(COVERAGE)/tree
	$(quiet)ln -s $(abspath ../shared) $(COVERAGE)/shared
	$(quiet)cp -a $(filter-out $(BUILD),$(wildcard *)) $(COVERAGE)/tree
	$(quiet)$(MAKE) -C $(COVERAGE)/tree BUILD=build CFLAGS='$(COVERAGE_FLAGS)' SANITIZERS='$(COVERAGE_FLAGS)' HARDENING= all unit
	$(quiet)cd $(COVERAGE)/tree && tests/run $(COVERAGE_TESTS) || echo 'coverage: a test failed' >&2
	$(quiet)cd $(COVERAGE)/tree && gcovr --root . --filter src/ --filter core/ --json-summary ../summary.json build
	$(quiet)scripts/coverage-summary $(COVERAGE)/summary.json

# Versions of clang-format differ in some lines, so the tree follows one of them.
.PHONY: format format-check

CLANG_FORMAT ?= $(or $(shell command -v clang-format-14),clang-format)
FORMATTED = $(shell find bcc bench bpf core eunomia scripts src tests -name '*.[ch]')

format:
	$(quiet)$(CLANG_FORMAT) -i $(FORMATTED)

format-check:
	$(quiet)different=0; for file in $(FORMATTED); do \
		$(CLANG_FORMAT) "$$file" | cmp -s - "$$file" || { echo "$$file: differs from .clang-format" >&2; different=1; }; done; \
		[ $$different = 0 ] || { echo 'make format rewrites them' >&2; exit 1; }

# Not part of `make test`: it downloads the libraries of other machines and takes minutes.
.PHONY: test-cross

test-cross: all
	$(quiet)V=$(V) tests/cross/test_cross.py $(TARGETS)

INSTALLED_PROGRAM = $(DESTDIR)$(PREFIX)/sbin/netracker
INSTALLED_PAGE = $(DESTDIR)$(PREFIX)/share/man/man8/netracker.8
INSTALLED_COMPLETION = $(DESTDIR)$(PREFIX)/share/bash-completion/completions/netracker
INSTALLED_SCHEMA = $(DESTDIR)$(PREFIX)/share/doc/netracker/record.schema.json
INSTALLED_SUMMARY_SCHEMA = $(DESTDIR)$(PREFIX)/share/doc/netracker/summary.schema.json
INSTALLED_UNIT = $(DESTDIR)$(PREFIX)/lib/systemd/system/netracker.service
INSTALLED_SHIP_UNIT = $(DESTDIR)$(PREFIX)/lib/systemd/system/netracker-ship.service
INSTALLED_SYSUSERS = $(DESTDIR)$(PREFIX)/lib/sysusers.d/netracker.conf
INSTALLED_DASHBOARD = $(DESTDIR)$(PREFIX)/share/netracker/netracker-dashboard.json
INSTALLED_RULES = $(DESTDIR)$(PREFIX)/share/netracker/netracker.rules.yml
# Configuration, which an administrator may have changed: an existing file stays as it is.
INSTALLED_LOGROTATE = $(DESTDIR)$(SYSCONFDIR)/logrotate.d/netracker

# Arguments: the file, and its place.
define install_data
	$(call say,INSTALL,'$(2)')
	$(quiet)install -D -m 644 $(1) '$(2)'
endef

define install_unit
	$(call say,INSTALL,'$(2)')
	$(quiet)sed 's|@PREFIX@|$(PREFIX)|; s|@SYSCONFDIR@|$(SYSCONFDIR)|' $(1) | install -D -m 644 /dev/stdin '$(2)'
endef

define remove_installed
	$(call say,REMOVE,'$(1)')
	$(quiet)rm -f '$(1)'
endef

install: all
	$(call say,INSTALL,'$(INSTALLED_PROGRAM)')
	$(quiet)install -D -m 755 $(BUILD)/netracker '$(INSTALLED_PROGRAM)'
	$(call install_data,man/netracker.8,$(INSTALLED_PAGE))
	$(call install_data,completion/netracker.bash,$(INSTALLED_COMPLETION))
	$(call install_data,docs/record.schema.json,$(INSTALLED_SCHEMA))
	$(call install_data,docs/summary.schema.json,$(INSTALLED_SUMMARY_SCHEMA))
	$(call install_unit,packaging/netracker.service.in,$(INSTALLED_UNIT))
	$(call install_unit,packaging/netracker-ship.service.in,$(INSTALLED_SHIP_UNIT))
	$(call install_data,packaging/netracker.sysusers,$(INSTALLED_SYSUSERS))
	$(call install_data,packaging/netracker-dashboard.json,$(INSTALLED_DASHBOARD))
	$(call install_data,packaging/netracker.rules.yml,$(INSTALLED_RULES))
	$(call say,INSTALL,'$(INSTALLED_LOGROTATE)')
	$(quiet)[ -e '$(INSTALLED_LOGROTATE)' ] || install -D -m 644 packaging/netracker.logrotate '$(INSTALLED_LOGROTATE)'

uninstall:
	$(call remove_installed,$(INSTALLED_PROGRAM))
	$(call remove_installed,$(INSTALLED_PAGE))
	$(call remove_installed,$(INSTALLED_COMPLETION))
	$(call remove_installed,$(INSTALLED_SCHEMA))
	$(call remove_installed,$(INSTALLED_SUMMARY_SCHEMA))
	$(call remove_installed,$(INSTALLED_UNIT))
	$(call remove_installed,$(INSTALLED_SHIP_UNIT))
	$(call remove_installed,$(INSTALLED_SYSUSERS))
	$(call remove_installed,$(INSTALLED_DASHBOARD))
	$(call remove_installed,$(INSTALLED_RULES))
	$(call say,REMOVE,'$(INSTALLED_LOGROTATE)')
	$(quiet)! cmp -s packaging/netracker.logrotate '$(INSTALLED_LOGROTATE)' || rm -f '$(INSTALLED_LOGROTATE)'

clean:
	$(quiet)rm -rf $(BUILD)

# The Makefile holds the flags and the version, so all objects depend on it.
$(OBJECTS) $(SANITIZED_OBJECTS) $(FUZZ_OBJECTS) $(BUILD)/src/main.o $(BUILD)/sanitized/src/main.o $(BPF_BUILD)/netracker.bpf.o $(BPF_BUILD)/attach.bpf.o $(KERNEL_REPLAY_BPF): Makefile

-include $(wildcard $(BUILD)/src/*.d $(BUILD)/src/*/*.d $(BUILD)/sanitized/src/*.d $(BUILD)/sanitized/src/*/*.d $(BUILD)/tests/unit/*.d $(BUILD)/*.d $(EUNOMIA)/*.d)
-include $(wildcard $(BUILD)/tests/*.d $(BUILD)/tests/replay/*.d $(FUZZ)/*.d $(FUZZ)/src/*/*.d $(FUZZ)/tests/fuzz/*.d)
