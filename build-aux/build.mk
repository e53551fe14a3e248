# SPDX-License-Identifier: MIT
# build.mk - from sources to programs. Every room's *.c goes into one archive; the programs link it.

# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $(patsubst $(SRC)/%,%,$(2)))

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Wwrite-strings -Wno-sign-conversion
ifeq ($(WERROR),yes)
WARNINGS += -Werror
endif
ifeq ($(SANITIZER),address)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1 -g
else ifeq ($(SANITIZER),thread)
SANITIZE := -fsanitize=thread -fno-omit-frame-pointer -O1 -g
else ifeq ($(HARDENING),yes)
HARDEN_CFLAGS := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
HARDEN_LDFLAGS := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
endif

# For the programs; the tests, which are many, link the machine code in the same objects. gcc's
# linker plugin takes the other half of them if it is not told so: two minutes more for the tests.
ifeq ($(LTO),yes)
$(BUILD)/src/%.o: LTO_CFLAGS = -flto=auto -ffat-lto-objects
LTO_LDFLAGS = -flto=auto
TEST_LDFLAGS = $(ALL_LDFLAGS) -fno-lto
else
TEST_LDFLAGS = $(ALL_LDFLAGS)
endif

# gcc 12 knows level 3; a compiler that does not falls back with a warning of its own.
ALL_CPPFLAGS = -I$(SRC)/include -I$(SRC)/src -I$(BUILD)/gen -D_GNU_SOURCE \
               -DS3MEM_VERSION='"$(PACKAGE_VERSION)"' $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(LIB_CFLAGS) $(HARDEN_CFLAGS) -fvisibility=hidden \
             -fPIC -pthread $(CFLAGS) $(LTO_CFLAGS) $(SANITIZE)
ALL_LDFLAGS = $(HARDEN_LDFLAGS) -pthread $(LDFLAGS) $(SANITIZE)

# The sources of rooms, at every depth; with the path below $(SRC).
sources = $(sort $(patsubst $(SRC)/%,%,$(shell find $(SRC)/src/$(1) -name '*.c')))
LIB_SRC := $(filter-out src/daemon/main.c src/ctl/%,$(call sources,))
LIB_OBJ = $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB = $(BUILD)/libs3mem-internal.a
# s3memctl: what it needs of the rooms base and auth comes out of the archive.
CTL_SRC := $(call sources,ctl)
CTL_OBJ = $(CTL_SRC:%.c=$(BUILD)/%.o)
PROGRAMS = $(BUILD)/s3memd $(if $(filter no,$(WITH_CTL)),,$(BUILD)/s3memctl)

.PHONY: all
all: $(PROGRAMS)

$(BUILD)/%.o: $(SRC)/%.c $(BUILD)/config.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# Texts as bytes of a C array.
$(BUILD)/gen/%.inc: $(SRC)/src/%.json
	@mkdir -p $(@D)
	$(Q)od -An -v -tx1 $< | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g' > $@
$(BUILD)/gen/%.inc: $(SRC)/src/%.sql
	@mkdir -p $(@D)
	$(Q)od -An -v -tx1 $< | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g' > $@
DISK_SQL = schema columns invariants
$(BUILD)/src/admin/openapi.o: $(BUILD)/gen/admin/openapi.inc
$(BUILD)/src/disk/sqlite/database.o: $(BUILD)/gen/disk/sqlite/schema.inc
$(BUILD)/src/disk/sqlite/check.o: $(DISK_SQL:%=$(BUILD)/gen/disk/sqlite/%.inc)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/s3memd: $(BUILD)/src/daemon/main.o $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LTO_LDFLAGS) $^ $(LIB_LIBS) -o $@

$(CTL_OBJ): ALL_CFLAGS += $(CURL_CFLAGS)
$(BUILD)/s3memctl: $(CTL_OBJ) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LTO_LDFLAGS) $^ $(LIB_LIBS) $(CURL_LIBS) -o $@

-include $(LIB_OBJ:.o=.d) $(CTL_OBJ:.o=.d) $(BUILD)/src/daemon/main.d

.PHONY: run
run: all
	$(BUILD)/s3memd $(RUN_ARGS)
