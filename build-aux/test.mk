# SPDX-License-Identifier: MIT
# test.mk - unit tests (tests/unit/ROOM_*.c, one program each, cmocka), then the suites.

UNIT_SRC := $(patsubst $(SRC)/%,%,$(wildcard $(SRC)/tests/unit/*_test.c))
UNIT_BIN = $(UNIT_SRC:%.c=$(BUILD)/%)

# What several tests share (fixtures): an archive, so that each takes what it needs.
UNIT_HELP_SRC := $(filter-out $(UNIT_SRC),$(patsubst $(SRC)/%,%,$(wildcard $(SRC)/tests/unit/*.c)))
UNIT_HELP = $(BUILD)/tests/unit/libhelp.a

$(UNIT_HELP): $(UNIT_HELP_SRC:%.c=$(BUILD)/%.o)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/tests/unit/%_test: $(BUILD)/tests/unit/%_test.o $(UNIT_HELP) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(CMOCKA_LIBS) $(LIB_LIBS) -lm -o $@

.PHONY: unit check-unit
unit: $(UNIT_BIN)
check-unit: $(UNIT_BIN)
	@set -e; for t in $(UNIT_BIN); do echo "== $${t#$(BUILD)/}"; $$t; done

-include $(UNIT_SRC:%.c=$(BUILD)/%.d) $(UNIT_HELP_SRC:%.c=$(BUILD)/%.d)
