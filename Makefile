# SPDX-License-Identifier: Apache-2.0
# ddprof_kmod: the whole build. `make help` lists the targets. Sources are found by folder, so a new file
# needs no line here: collector/lib is libddprof, collector/core the collector's own library (with the kernel's
# context-free kmod/core), collector/<command>/ a command, tests/unit/test_*.c a test program each.

VERSION := 0.1.0
PREFIX  ?= /usr/local
BUILD   ?= build
CC      ?= gcc
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
PKGS    := libnl-3.0 libnl-genl-3.0 libelf liblz4 libcurl libprotobuf-c libxxhash zlib libzstd
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))
CPPFLAGS_ALL = -D_GNU_SOURCE -DDDPROF_VERSION='"$(VERSION)"' -I. -Icollector/lib/include -Icollector -I$(BUILD)/gen $(PKG_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL   = -std=gnu11 -O2 -g -fno-omit-frame-pointer -fPIC -pthread $(WARN) $(CFLAGS)
SAN          := -fsanitize=address,undefined -fno-sanitize-recover=all

LIB_SRC   := $(wildcard collector/lib/*.c)
CORE_SRC  := $(wildcard collector/core/*.c kmod/core/*.c)
UNIT_SRC  := $(wildcard tests/unit/test_*.c)
UNIT_SUP  := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c))
COMMANDS  := ddprof ddprofctl

obj = $(patsubst %.c,$(BUILD)/$(1)/%.o,$(2))

.PHONY: all
all: userspace

.PHONY: userspace
userspace: $(BUILD)/libddprof.a $(BUILD)/libddprof.so $(COMMANDS:%=$(BUILD)/%)	## build library and commands

# pprof's message format, for the reader
$(BUILD)/gen/profile.pb-c.c: collector/lib/profile.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=$(<D) --c_out=$(@D) $(<F)
$(BUILD)/gen/profile.pb-c.h: $(BUILD)/gen/profile.pb-c.c ;

# two variants of every object: opt (what is installed) and san (what the tests run)
$(BUILD)/opt/%.o: %.c | $(BUILD)/gen/profile.pb-c.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -c $< -o $@
$(BUILD)/san/%.o: %.c | $(BUILD)/gen/profile.pb-c.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -O1 $(SAN) -MMD -c $< -o $@
$(BUILD)/opt/gen.o $(BUILD)/san/gen.o: $(BUILD)/gen/profile.pb-c.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(if $(findstring /san/,$@),$(SAN)) -c $< -o $@

$(BUILD)/libddprof.a: $(call obj,opt,$(LIB_SRC)) $(BUILD)/opt/gen.o
	rm -f $@ && ar rcs $@ $^
$(BUILD)/libddprof.so: $(call obj,opt,$(LIB_SRC)) $(BUILD)/opt/gen.o collector/lib/libddprof.map
	$(CC) -shared -Wl,-soname,libddprof.so.0 -Wl,--version-script=collector/lib/libddprof.map -Wl,-z,defs -Wl,--as-needed \
		-o $@ $(filter %.o,$^) $(LDFLAGS) $(PKG_LIBS) -pthread
$(BUILD)/opt/core.a: $(call obj,opt,$(CORE_SRC))
	rm -f $@ && ar rcs $@ $^
$(BUILD)/san/all.a: $(call obj,san,$(LIB_SRC) $(CORE_SRC) $(UNIT_SUP)) $(BUILD)/san/gen.o
	rm -f $@ && ar rcs $@ $^

define command_rule
$(BUILD)/$(1): $$(call obj,opt,$$(wildcard collector/$(1)/*.c)) $(BUILD)/opt/core.a $(BUILD)/libddprof.a
	$$(CC) -o $$@ $$^ $$(LDFLAGS) $$(PKG_LIBS) -pthread
endef
$(foreach c,$(COMMANDS),$(eval $(call command_rule,$(c))))

# unit tests, one program a file
$(BUILD)/unit/%: $(BUILD)/san/tests/unit/%.o $(BUILD)/san/all.a
	@mkdir -p $(@D)
	$(CC) $(SAN) -o $@ $^ $(LDFLAGS) $(PKG_LIBS) -lcmocka -pthread
.PHONY: unit
unit: $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)	## build the host unit tests (ASan + UBSan)
.SECONDARY:

.PHONY: clean
clean:	## remove everything that was built
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
