# SPDX-License-Identifier: MIT
# fuzz.mk - the targets tests/fuzz/fuzz_NAME.c with their seeds in tests/fuzz/corpus/NAME/.
#
#   make check-fuzz              replay the seeds with the configured compiler (and sanitizer)
#   make fuzz FUZZ_SECONDS=60    libFuzzer with ASan and UBSan, each target that long; needs clang
#   make fuzz FUZZ_TARGETS=xml   only some of them
#
# What libFuzzer finds stays in $(BUILD)/fuzz/NAME/: log, new inputs in corpus/, crashes.

FUZZ_TARGETS := $(patsubst $(SRC)/tests/fuzz/fuzz_%.c,%,$(wildcard $(SRC)/tests/fuzz/fuzz_*.c))
FUZZ_SECONDS := 60
FUZZ_CC := clang
FUZZ_OPTIONS := -timeout=60 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1

# ---- replay --------------------------------------------------------------------------------------

REPLAY_BIN = $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/fuzz_%)

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay_main.o $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(TEST_LDFLAGS) $^ $(LIB_LIBS) -lm -o $@

.PHONY: check-fuzz
check-fuzz: $(REPLAY_BIN)
	@set -e; for t in $(FUZZ_TARGETS); do \
	    echo "== fuzz/$$t"; \
	    $(BUILD)/tests/fuzz/fuzz_$$t $$(ls -d $(SRC)/tests/fuzz/corpus/$$t 2>/dev/null); \
	done

# ---- libFuzzer -------------------------------------------------------------------------------------

FUZZ_BUILD = $(BUILD)/fuzz
FUZZ_CFLAGS = -std=gnu11 -O1 -g -fno-omit-frame-pointer -pthread -fno-sanitize-recover=undefined \
              $(LIB_CFLAGS)
FUZZ_LIB = $(FUZZ_BUILD)/libs3mem-fuzz.a
FUZZ_LIB_OBJ = $(LIB_SRC:%.c=$(FUZZ_BUILD)/%.o)

$(FUZZ_BUILD)/src/%.o: $(SRC)/src/%.c $(BUILD)/config.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(FUZZ_CC) $(ALL_CPPFLAGS) $(FUZZ_CFLAGS) \
	    -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c $< -o $@

$(FUZZ_BUILD)/src/admin/openapi.o: $(BUILD)/gen/admin/openapi.inc
$(FUZZ_BUILD)/src/disk/database.o: $(BUILD)/gen/disk/schema.inc
$(FUZZ_BUILD)/src/disk/check.o: $(DISK_SQL:%=$(BUILD)/gen/disk/%.inc)

$(FUZZ_LIB): $(FUZZ_LIB_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(FUZZ_BUILD)/fuzz_%: $(SRC)/tests/fuzz/fuzz_%.c $(FUZZ_LIB)
	$(call say,LD,$@)
	$(Q)$(FUZZ_CC) $(ALL_CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined \
	    $^ $(LIB_LIBS) -lm -o $@

# One target a core at a time.
.PHONY: fuzz
fuzz: $(FUZZ_TARGETS:%=$(FUZZ_BUILD)/fuzz_%)
	@printf '%s\n' $(FUZZ_TARGETS) | xargs -P $$(nproc) -I{} $(SRC)/build-aux/fuzz-one.sh \
	    {} $(FUZZ_BUILD) $(SRC)/tests/fuzz/corpus/{} $(FUZZ_SECONDS) $(FUZZ_OPTIONS)

-include $(FUZZ_LIB_OBJ:.o=.d) $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/fuzz_%.d)
