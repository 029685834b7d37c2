# SPDX-License-Identifier: Apache-2.0
# ddprof_kmod: the whole build. `make help` lists the targets. Sources are found by folder, so a new file
# needs no line here: collector/lib is libddprof, or with the prefixes of EXPORT_SRC libddprof-export; PARTS name the folders of the collector, which are one library with
# the kernel's context-free kmod/core; collector/<command>/ is a command, tests/unit/test_*.c a test program each, a file
# with main() in tests/vm/guest or tests/bench a program that VMs run, tests/fuzz/fuzz_*.c a fuzz target each with
# its corpus in tests/fuzz/corpus, tests/vm/<name>/Kbuild a test-only module. The version is stated
# in dkms.conf and nowhere else.

VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
# the number of the libraries' interface, in their sonames and symbol versions; docs/library.md says when it goes up
ABI     := 1
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
BUILD   ?= build
KDIR    ?= /lib/modules/$(shell uname -r)/build
ifeq ($(origin CC),default)
CC      := gcc
endif
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
LIB_PKGS := liblz4 libprotobuf-c zlib libzstd
EXPORT_PKGS := libcurl libprotobuf-c
PKGS    := libnl-3.0 libnl-genl-3.0 libelf libdw libxxhash inih libmicrohttpd jansson $(sort $(LIB_PKGS) $(EXPORT_PKGS))
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS)) -liberty -lm
LIB_LIBS   = $(shell pkg-config --libs $(LIB_PKGS)) -lm -pthread
EXPORT_LIBS = $(shell pkg-config --libs $(EXPORT_PKGS)) -pthread
CPPFLAGS_ALL = -D_GNU_SOURCE -DDDPROF_VERSION='"$(VERSION)"' -I. -Icollector/lib/include -Icollector -I$(BUILD)/gen $(PKG_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL   = -std=gnu11 -O2 -g -fno-omit-frame-pointer -fPIC -pthread $(WARN) $(CFLAGS)
SAN          := -fsanitize=address,undefined -fno-sanitize-recover=all

EXPORT_SRC := $(wildcard $(patsubst %,collector/lib/%*.c,export sender spool))
LIB_SRC   := $(filter-out $(EXPORT_SRC),$(wildcard collector/lib/*.c))
PROTO     := $(wildcard collector/lib/*.proto)
EXPORT_PROTO := collector/lib/otlp.proto
LIBRARIES := libddprof-export libddprof
LIB_A      = $(LIBRARIES:%=$(BUILD)/%.a)
PARTS     := base link core service symbols unwind report metrics
CORE_SRC  := $(wildcard $(PARTS:%=collector/%/*.c) kmod/core/*.c)
UNIT_SRC  := $(wildcard tests/unit/test_*.c)
UNIT_SUP  := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c)) $(filter-out %/main.c,$(wildcard collector/ddprof/*.c collector/ddprofctl/*.c))
GUEST_SRC := $(wildcard tests/vm/guest/*.c tests/bench/kernel_*.c)
GUEST_MAIN := $(if $(GUEST_SRC),$(shell grep -lw '^int main' $(GUEST_SRC)))
VM_KMOD   := $(patsubst tests/vm/%/Kbuild,%,$(wildcard tests/vm/*/Kbuild))
KMOD_SRC  := $(wildcard kmod/* kmod/core/* kmod/probes/* uapi/*.h) dkms.conf
COMMANDS  := ddprof ddprofctl
TEXTS     := man bash zsh config
CTL_TEXTS := man bash zsh
ALL_TEXTS  = $(TEXTS:%=$(BUILD)/text/%) $(CTL_TEXTS:%=$(BUILD)/text/ctl-%)
DKMS_SRC   = $(DESTDIR)/usr/src/ddprof_kmod-$(VERSION)

# V=1 shows the commands
Q := $(if $(filter 1,$(V)),,@)
say = @$(if $(filter 1,$(V)),:,printf '  %-7s %s\n' '$(1)' '$(2)')
obj = $(patsubst %.c,$(BUILD)/$(1)/%.o,$(2))
gen = $(patsubst collector/lib/%.proto,$(BUILD)/$(1)/gen/%.o,$(2))

.PHONY: all
all: userspace module	## build library, commands, and the module where its headers are (default)

.PHONY: help
help:	## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {sub(/:.*/, "", $$1); printf "  %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST)) \
		| sed 's/\t//g'
	@echo "Variables: BUILD CC CFLAGS CPPFLAGS LDFLAGS PREFIX LIBDIR DESTDIR KDIR (kernel headers) V=1 (show commands)"

.PHONY: deps
deps:	## install the distribution packages that are missing (Debian, Ubuntu)
	$(Q)scripts/deps

.PHONY: userspace
userspace: $(LIBRARIES:%=$(BUILD)/%.a) $(LIBRARIES:%=$(BUILD)/%.so) $(COMMANDS:%=$(BUILD)/%) $(ALL_TEXTS)	## build libraries and commands

# message formats; pprof's under the library's prefix, as another part of a program may have it, too
$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h: collector/lib/%.proto Makefile
	@mkdir -p $(@D)
	$(call say,PROTOC,$@)
	$(Q)protoc-c --proto_path=$(<D) --c_out=$(@D) $(<F)
	$(Q)sed -i 's/perftools__profiles__/ddp__pb__/g' $(@D)/$*.pb-c.c $(@D)/$*.pb-c.h

# the flame graph's page, which the assembler puts into page.o
$(BUILD)/gen/flamegraph.head: $(addprefix collector/report/flamegraph.,html css js) scripts/page
	@mkdir -p $(@D)
	$(call say,PAGE,$@)
	$(Q)scripts/page collector/report/flamegraph $(basename $@)
$(BUILD)/opt/collector/report/page.o $(BUILD)/san/collector/report/page.o: $(BUILD)/gen/flamegraph.head

# two variants of every object: opt (what is installed) and san (what the tests run)
$(BUILD)/opt/%.o: %.c | $(PROTO:collector/lib/%.proto=$(BUILD)/gen/%.pb-c.h)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@
$(BUILD)/san/%.o: %.c | $(PROTO:collector/lib/%.proto=$(BUILD)/gen/%.pb-c.h)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -O1 $(SAN) -MMD -MP -c $< -o $@
define gen_rule
$(call gen,$(1),$(PROTO)): $(BUILD)/$(1)/gen/%.o: $(BUILD)/gen/%.pb-c.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$$(CC) $$(CPPFLAGS_ALL) $$(CFLAGS_ALL) -fvisibility=hidden $(2) -c $$< -o $$@
endef
$(eval $(call gen_rule,opt,))
$(eval $(call gen_rule,san,$(SAN)))

LIB_OBJ    = $(call obj,opt,$(LIB_SRC)) $(call gen,opt,$(filter-out $(EXPORT_PROTO),$(PROTO)))
EXPORT_OBJ = $(call obj,opt,$(EXPORT_SRC)) $(call gen,opt,$(EXPORT_PROTO))
$(BUILD)/libddprof.a: $(LIB_OBJ)
$(BUILD)/libddprof-export.a: $(EXPORT_OBJ)
$(LIB_A):
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^
$(BUILD)/libddprof.so: $(LIB_OBJ) collector/lib/libddprof.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(@F).$(ABI) -Wl,--version-script=$(filter %.map,$^) -o $@ $(filter %.o,$^) \
		$(LDFLAGS) $(LIB_LIBS)
# what libddprof.so shows comes from there; of what it hides, such as how memory is asked for, this has its own copy
$(BUILD)/libddprof-export.so: $(EXPORT_OBJ) collector/lib/libddprof-export.map $(BUILD)/libddprof.so $(BUILD)/libddprof.a
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(@F).$(ABI) -Wl,--version-script=$(filter %.map,$^) -o $@ $(filter %.o,$^) \
		$(LDFLAGS) $(BUILD)/libddprof.so $(BUILD)/libddprof.a -Wl,--as-needed $(EXPORT_LIBS)
$(BUILD)/opt/core.a: $(call obj,opt,$(CORE_SRC))
	$(Q)rm -f $@ && ar rcs $@ $^
$(BUILD)/san/all.a: $(call obj,san,$(LIB_SRC) $(EXPORT_SRC) $(CORE_SRC) $(UNIT_SUP)) $(call gen,san,$(PROTO))
	$(Q)rm -f $@ && ar rcs $@ $^

define command_rule
$(BUILD)/$(1): $$(call obj,opt,$$(wildcard collector/$(1)/*.c)) $(BUILD)/opt/core.a $(LIB_A)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) -o $$@ $$^ $$(LDFLAGS) $$(PKG_LIBS) -pthread
endef
$(foreach c,$(COMMANDS),$(eval $(call command_rule,$(c))))

# what is said of the commands' options, from their tables: manual pages, completions, sample file
$(TEXTS:%=$(BUILD)/text/%): $(BUILD)/text/%: $(BUILD)/ddprof
$(CTL_TEXTS:%=$(BUILD)/text/ctl-%): $(BUILD)/text/ctl-%: $(BUILD)/ddprofctl
$(ALL_TEXTS):
	@mkdir -p $(@D)
	$(call say,TEXT,$@)
	$(Q)env -i $< --print $(patsubst ctl-%,%,$(@F)) > $@.part && mv $@.part $@

# the module: never built inside kmod/, so that different kernels do not meet there
.PHONY: module
module:	## build the module for the running kernel, where its headers are
	$(Q)if [ -e $(KDIR)/Makefile ]; then $(MAKE) $(BUILD)/module/ddprof_kmod.ko; else \
		echo "  no kernel headers at $(KDIR): leaving the module out (vm-module builds one for the VM)"; fi
$(BUILD)/module/ddprof_kmod.ko: $(KMOD_SRC)
	$(call say,KBUILD,$@)
	$(Q)scripts/build-module --kernel $(KDIR) --out $(@D)

.PHONY: vm-module
vm-module: $(BUILD)/vm/ddprof_kmod.ko $(foreach m,$(VM_KMOD),$(BUILD)/vm/$(m).ko)	## build the module, and those for tests only, for the VM
$(BUILD)/vm/ddprof_kmod.ko: $(KMOD_SRC) scripts/build-module
	$(call say,KBUILD,$@)
	$(Q)scripts/build-module --out $(@D)

# test-only modules may include the module's headers, so they see the same tree; one make after the other
define vm_kmod_rule
$(BUILD)/vm/$(1).ko: $$(wildcard tests/vm/$(1)/*) $(BUILD)/vm/ddprof_kmod.ko
	$$(call say,KBUILD,$$@)
	$$(Q)scripts/build-module --source tests/vm/$(1) --out $$(@D)
endef
$(foreach m,$(VM_KMOD),$(eval $(call vm_kmod_rule,$(m))))

# programs that guests run: frame pointers and no inlining, for tests that count on their stacks; unwind_* do without
# frame pointers, as distributions build
.PHONY: vm-programs
vm-programs: $(foreach p,$(GUEST_MAIN),$(BUILD)/vm/$(basename $(notdir $(p))))	## build the programs that VM suites run
$(BUILD)/guest/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -fno-inline -fno-optimize-sibling-calls -MMD -MP -c $< -o $@
$(BUILD)/guest/tests/vm/guest/unwind_%.o: CFLAGS_ALL += -fomit-frame-pointer
$(BUILD)/guest/support.a: $(call obj,guest,$(filter-out $(GUEST_MAIN),$(GUEST_SRC)))
	$(Q)rm -f $@ && ar rcs $@ $^

define guest_rule
$(BUILD)/vm/$(basename $(notdir $(1))): $(call obj,guest,$(1)) $(BUILD)/guest/support.a $(BUILD)/opt/core.a \
		$(LIB_A)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) -o $$@ $$^ $$(LDFLAGS) -Wl,--as-needed $$(PKG_LIBS) -pthread
endef
$(foreach p,$(GUEST_MAIN),$(eval $(call guest_rule,$(p))))

# unit tests, one program a file
$(BUILD)/unit/%: $(BUILD)/san/tests/unit/%.o $(BUILD)/san/all.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN) -o $@ $^ $(LDFLAGS) $(PKG_LIBS) -lcmocka $(TEST_LIBS) -pthread
$(BUILD)/unit/test_exporter_tls $(BUILD)/valgrind/test_exporter_tls: TEST_LIBS = -lssl -lcrypto
.PHONY: unit
unit: $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)	## build the host unit tests (ASan + UBSan)
.SECONDARY:

# what tests/chaos kills
$(BUILD)/chaos/%: $(BUILD)/san/tests/chaos/%.o $(BUILD)/san/all.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN) -o $@ $^ $(LDFLAGS) $(PKG_LIBS) -pthread
KILLS ?= 200
.PHONY: chaos
chaos: deps	## outages, damage and kill -9 at KILLS (200) random moments: no stored profile is lost
	$(Q)$(MAKE) $(BUILD)/chaos/produce $(BUILD)/unit/test_sender_target
	$(Q)CHAOS_SEEDS=500 $(BUILD)/unit/test_sender_target
	$(Q)python3 -B tests/chaos/chaos.py --long --kills $(KILLS) $(BUILD)/chaos/produce

# the library's unit tests once more, of the opt variant
VALGRIND_SRC := $(if $(UNIT_SRC),$(shell grep -lE 'ddp_(profile|pprof|compressor|record|strings|exporter|sender)_' $(UNIT_SRC)))
$(BUILD)/opt/all.a: $(call obj,opt,$(LIB_SRC) $(EXPORT_SRC) $(CORE_SRC) $(UNIT_SUP)) $(call gen,opt,$(PROTO))
	$(Q)rm -f $@ && ar rcs $@ $^
$(BUILD)/valgrind/%: $(BUILD)/opt/tests/unit/%.o $(BUILD)/opt/all.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -o $@ $^ $(LDFLAGS) $(PKG_LIBS) -lcmocka $(TEST_LIBS) -pthread
.PHONY: check-valgrind
check-valgrind: $(VALGRIND_SRC:tests/unit/%.c=$(BUILD)/valgrind/%)	## the library's unit tests under valgrind
	$(Q)scripts/deps fuzz
	$(Q)tests/valgrind.sh $(BUILD)/valgrind/logs $^

.PHONY: check
check: deps	## run every test: host, KUnit in user-mode Linux, VM, DKMS
	$(Q)MAKE='$(MAKE)' tests/run --build $(BUILD)

.PHONY: demo
demo: deps	## profile a real workload in a VM; leaves build/demo/profile.pprof and .html
	$(Q)$(MAKE) userspace vm-module
	$(Q)scripts/demo --build $(BUILD)

.PHONY: bench-kernel
bench-kernel: deps	## cost of a sample against perf record, in a VM
	$(Q)$(MAKE) userspace vm-module vm-programs $(BUILD)/bench/coverage
	$(Q)BUILD=$(BUILD) tests/bench/kernel.sh

# what the unwinder is measured with; also linked with elfutils' libdw, which it is compared with
$(BUILD)/bench/%: $(BUILD)/opt/tests/bench/%.o \
		$(call obj,opt,$(addprefix tests/bench/unwind_,process.c libdw.c agree.c)) \
		$(BUILD)/opt/core.a $(LIB_A)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -o $@ $^ $(LDFLAGS) $(PKG_LIBS) -pthread

# what the library is measured with, and a day of it; linked as its peers are: all but the C library is in the program
$(BUILD)/bench/lib_%: $(BUILD)/opt/tests/bench/lib_%.o $(BUILD)/opt/tests/bench/lib_work.o $(BUILD)/libddprof.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -o $@ $^ $(LDFLAGS) -Wl,--as-needed,-Bstatic $(filter-out -lm -pthread,$(LIB_LIBS)) -Wl,-Bdynamic -lm

# what others make of our pprof files, and we of theirs; and whether they take what we send
$(BUILD)/conformance/%: $(BUILD)/opt/tests/conformance/%.o $(BUILD)/opt/core.a $(LIB_A)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -o $@ $^ $(LDFLAGS) -Wl,--as-needed $(PKG_LIBS) -pthread
.PHONY: conformance
conformance: deps	## pprof files of Go's tools and ours read by each other, and uploads to real receivers (where there is Go)
	$(Q)$(MAKE) $(BUILD)/conformance/profiles $(BUILD)/conformance/send $(BUILD)/conformance/located
	$(Q)BUILD=$(BUILD) tests/conformance/pprof.sh
	$(Q)BUILD=$(BUILD) python3 tests/conformance/receivers.py

.PHONY: bench-lib
bench-lib: deps	## the library beside the Rust crate libdd-profiling (where there is cargo), and compressions
	$(Q)$(MAKE) $(addprefix $(BUILD)/bench/lib_,bench check codecs)
	$(Q)BUILD=$(BUILD) tests/bench/lib.sh

.PHONY: bench-day
bench-day: $(BUILD)/bench/lib_day	## a day of profiles, one a minute: memory stays where it was
	$(Q)$<

.PHONY: bench-coverage
bench-coverage: deps	## how many user stacks reach their root: programs without frame pointers, in a VM
	$(Q)$(MAKE) userspace vm-module $(BUILD)/bench/coverage
	$(Q)BUILD=$(BUILD) tests/bench/coverage.sh

.PHONY: bench-service
bench-service: deps	## the service beside perf record under a mixed load, MINUTES each (10), in a VM
	$(Q)scripts/deps service
	$(Q)$(MAKE) userspace vm-module
	$(Q)MAKE='$(MAKE)' BUILD=$(BUILD) tests/bench/service.sh

.PHONY: bench-unwind
bench-unwind: deps	## unwind tables of this machine's programs: size, cost, agreement with elfutils
	$(Q)$(MAKE) $(BUILD)/bench/unwind
	$(Q)BUILD=$(BUILD) tests/bench/unwind.sh

.PHONY: check-unwind
check-unwind: deps	## running programs stopped at random: the same stacks as elfutils and gdb see?
	$(Q)$(MAKE) $(BUILD)/bench/unwind_truth
	$(Q)BUILD=$(BUILD) tests/bench/unwind_truth.sh

.PHONY: check-service
check-service: deps	## the service on a Debian system with systemd, in a VM: installed, used, hurt, upgraded, removed
	$(Q)scripts/deps service
	$(Q)MAKE='$(MAKE)' tests/run --build $(BUILD) service

.PHONY: check-kernels
check-kernels: deps	## profile a VM with every Debian release's kernel, 5.10 to today's
	$(Q)$(MAKE) userspace vm-programs
	$(Q)scripts/check-kernels --build $(BUILD)

.PHONY: check-debug
check-debug: deps	## the VM tests of the module on a kernel with KASAN, lockdep and kmemleak (builds it once)
	$(Q)scripts/debug-kernel
	$(Q)DDPROF_KERNEL=$$(scripts/debug-kernel | sed -n 's/^KERNEL_BUILD=//p') \
		tests/run --build $(BUILD)/debug --jobs 1 'vm/life' 'vm/nmi' 'vm/netlink' 'vm/tables'

# fuzz targets: everything once more, by clang with libFuzzer's instrumentation; `scripts/fuzz` says how
FUZZ_S ?= 60
$(BUILD)/fuzz_%: $(BUILD)/san/tests/fuzz/fuzz_%.o $(BUILD)/san/all.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN) -fsanitize=fuzzer -o $@ $^ $(LDFLAGS) $(PKG_LIBS) -pthread
.PHONY: fuzz
fuzz:	## fuzz what reads hostile bytes, FUZZ_S seconds a target (tests/fuzz/fuzz_*.c)
	$(Q)scripts/deps build test fuzz
	$(Q)MAKE='$(MAKE)' scripts/fuzz --build $(BUILD) --seconds $(FUZZ_S)

.PHONY: lint
lint: deps	## checkpatch, sparse, shellcheck
	$(Q)scripts/lint --build $(BUILD)

.PHONY: install-source
install-source:	## install only the module's source, for DKMS
	$(Q)scripts/build-module --copy-only $(DKMS_SRC)

comma := ,
# pkg_config_file NAME,DESCRIPTION,REQUIRES,PRIVATE LIBRARIES
define pkg_config_file
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))' \
		'includedir=$${prefix}/include' '' 'Name: $(1)' 'Description: $(2)' 'Version: $(VERSION)' \
		'Requires: $(3)' 'Libs: -L$${libdir} -l$(1:lib%=%)' 'Libs.private: $(4)' \
		'Cflags: -I$${includedir}' > $(DESTDIR)$(LIBDIR)/pkgconfig/$(1).pc
endef
.PHONY: install-lib
install-lib: $(foreach l,$(LIBRARIES),$(BUILD)/$(l).a $(BUILD)/$(l).so)	## install only the libraries and their headers; no root where PREFIX needs none
	$(call say,INSTALL,$(LIBRARIES:%=$(DESTDIR)$(LIBDIR)/%.so.$(VERSION)))
	$(Q)install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include/ddprof
	$(Q)install -m 644 collector/lib/include/ddprof/*.h $(DESTDIR)$(PREFIX)/include/ddprof/
	$(Q)set -e; for l in $(LIBRARIES); do \
		rm -f $(DESTDIR)$(LIBDIR)/$$l.so*; \
		install -m 644 $(BUILD)/$$l.a $(DESTDIR)$(LIBDIR)/; \
		install -m 755 $(BUILD)/$$l.so $(DESTDIR)$(LIBDIR)/$$l.so.$(VERSION); \
		ln -sf $$l.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$$l.so.$(ABI); \
		ln -sf $$l.so.$(ABI) $(DESTDIR)$(LIBDIR)/$$l.so; \
	done
	$(call pkg_config_file,libddprof,builds$(comma) reads$(comma) merges and encodes pprof profiles,,$(LIB_LIBS))
	$(call pkg_config_file,libddprof-export,sends profiles to their receivers,libddprof,$(EXPORT_LIBS))
	$(Q)[ -n "$(DESTDIR)" ] || ldconfig 2>/dev/null || :

# Folders that systemd reads: units and what goes with them. The configuration is where it is for everybody
SYSTEMD_DIR = $(DESTDIR)$(PREFIX)/lib
HELPER_DIR  = $(PREFIX)/lib/ddprof
SERVICE_FILES = $(SYSTEMD_DIR)/systemd/system/ddprof.service $(SYSTEMD_DIR)/sysusers.d/ddprof.conf \
	$(SYSTEMD_DIR)/modules-load.d/ddprof.conf $(DESTDIR)$(HELPER_DIR)/ddprof-module
# what only a running system has to be told, and not a folder that a package is made of
LIVE := $(if $(DESTDIR),,$(wildcard /run/systemd/system))

.PHONY: install-service
install-service:	## install only the systemd service: unit, user, module to load
	$(call say,INSTALL,$(SERVICE_FILES))
	$(Q)install -d $(dir $(SERVICE_FILES))
	$(Q)sed 's|@BINDIR@|$(PREFIX)/bin|; s|@LIBEXECDIR@|$(HELPER_DIR)|' packaging/ddprof.service.in \
		> $(SYSTEMD_DIR)/systemd/system/ddprof.service
	$(Q)install -m 644 packaging/ddprof.sysusers $(SYSTEMD_DIR)/sysusers.d/ddprof.conf
	$(Q)install -m 644 packaging/ddprof.modules-load $(SYSTEMD_DIR)/modules-load.d/ddprof.conf
	$(Q)install -m 755 packaging/ddprof-module $(DESTDIR)$(HELPER_DIR)/
	$(Q)[ -z "$(LIVE)" ] || { systemd-sysusers && systemctl daemon-reload; }

# The user goes, too: nothing of it is left that another user of the same number could get. So do folders that are empty now
.PHONY: uninstall-service
uninstall-service:	## remove what install-service put there, and what the service left
	$(Q)[ -z "$(LIVE)" ] || systemctl disable --now ddprof.service || :
	$(call say,RM,$(SERVICE_FILES))
	$(Q)rm -f $(SERVICE_FILES)
	$(Q)rmdir $(DESTDIR)$(HELPER_DIR) $(addprefix $(SYSTEMD_DIR)/,systemd/system systemd sysusers.d modules-load.d) \
		2>/dev/null || :
	$(Q)if [ -n "$(LIVE)" ]; then \
		rm -rf /var/lib/ddprof /var/cache/ddprof /run/ddprof; \
		systemctl daemon-reload; \
		! modprobe -r ddprof_kmod 2>/dev/null || :; \
		! getent passwd ddprof >/dev/null || userdel ddprof; \
	fi

# A configuration that is there stays: it is its owner's
MAN_PAGE = $(DESTDIR)$(PREFIX)/share/man/man8/ddprof
BASH_COMPLETION = $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ddprof
ZSH_COMPLETION = $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_ddprof
CONFIG_FILE = $(DESTDIR)/etc/ddprof/ddprof.conf
SAMPLE_FILE = $(DESTDIR)$(PREFIX)/share/doc/ddprof/ddprof.conf
TEXT_FILES = $(MAN_PAGE).8 $(BASH_COMPLETION) $(ZSH_COMPLETION) \
	$(MAN_PAGE)ctl.8 $(BASH_COMPLETION)ctl $(ZSH_COMPLETION)ctl $(SAMPLE_FILE)

.PHONY: install-text
install-text: $(ALL_TEXTS)	## install only manual pages, completions and configuration file
	$(call say,INSTALL,$(TEXT_FILES))
	$(Q)install -D -m 644 $(BUILD)/text/man $(MAN_PAGE).8
	$(Q)install -D -m 644 $(BUILD)/text/bash $(BASH_COMPLETION)
	$(Q)install -D -m 644 $(BUILD)/text/zsh $(ZSH_COMPLETION)
	$(Q)install -D -m 644 $(BUILD)/text/ctl-man $(MAN_PAGE)ctl.8
	$(Q)install -D -m 644 $(BUILD)/text/ctl-bash $(BASH_COMPLETION)ctl
	$(Q)install -D -m 644 $(BUILD)/text/ctl-zsh $(ZSH_COMPLETION)ctl
	$(Q)install -D -m 644 $(BUILD)/text/config $(SAMPLE_FILE)
	$(Q)[ -e $(CONFIG_FILE) ] || install -D -m 644 $(BUILD)/text/config $(CONFIG_FILE)

.PHONY: uninstall-text
uninstall-text:	## remove what install-text put there; a configuration file that was changed stays
	$(call say,RM,$(TEXT_FILES))
	$(Q)if [ -e $(CONFIG_FILE) ] && cmp -s $(SAMPLE_FILE) $(CONFIG_FILE); then rm $(CONFIG_FILE); fi
	$(Q)rm -f $(TEXT_FILES)
	$(Q)rmdir $(dir $(TEXT_FILES) $(CONFIG_FILE)) 2>/dev/null || :
	$(Q)rmdir $(addprefix $(DESTDIR)$(PREFIX)/share/,bash-completion zsh doc) 2>/dev/null || :

.PHONY: install
install: userspace install-lib install-source install-service install-text	## install commands, library, service and the module's source (DESTDIR, PREFIX)
	$(call say,INSTALL,$(COMMANDS:%=$(DESTDIR)$(PREFIX)/bin/%))
	$(Q)install -d $(DESTDIR)$(PREFIX)/bin
	$(Q)install -m 755 $(COMMANDS:%=$(BUILD)/%) $(DESTDIR)$(PREFIX)/bin/

# one a line; DKMS says "ddprof_kmod/0.1.0, KERNEL, ARCH: installed" or "ddprof_kmod/0.1.0: added"
dkms_versions = dkms status ddprof_kmod | sed -n 's|^ddprof_kmod/\([^,: ]*\).*|\1|p' | sort -u

.PHONY: dkms-install
dkms-install: install	## install, then build the module for this kernel with DKMS, instead of other versions
	$(Q)for v in $$($(dkms_versions) | grep -vxF '$(VERSION)'); do \
		dkms remove ddprof_kmod/$$v --all && rm -rf /usr/src/ddprof_kmod-$$v || exit; done
	dkms install ddprof_kmod/$(VERSION) --force

.PHONY: uninstall-lib
uninstall-lib:	## remove what install-lib put there
	$(call say,RM,$(LIBRARIES:%=$(DESTDIR)$(LIBDIR)/%.*))
	$(Q)rm -f $(foreach l,$(LIBRARIES),$(DESTDIR)$(LIBDIR)/$(l).* $(DESTDIR)$(LIBDIR)/pkgconfig/$(l).pc)
	$(Q)rm -rf $(DESTDIR)$(PREFIX)/include/ddprof
	$(Q)rmdir $(DESTDIR)$(LIBDIR)/pkgconfig 2>/dev/null || :
	$(Q)[ -n "$(DESTDIR)" ] || ldconfig 2>/dev/null || :

.PHONY: uninstall
uninstall: uninstall-service uninstall-lib uninstall-text	## remove what install and dkms-install put there
	$(Q)if [ -z "$(DESTDIR)" ] && command -v dkms >/dev/null; then \
		for v in $$($(dkms_versions)); do dkms remove ddprof_kmod/$$v --all; rm -rf /usr/src/ddprof_kmod-$$v; done; fi
	$(call say,RM,$(COMMANDS:%=$(DESTDIR)$(PREFIX)/bin/%) $(DKMS_SRC))
	$(Q)rm -f $(COMMANDS:%=$(DESTDIR)$(PREFIX)/bin/%)
	$(Q)rm -rf $(DKMS_SRC)

.PHONY: clean
clean:	## remove everything that was built
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -type f -name '*.d' -not -path '*/tree/*' 2>/dev/null)
