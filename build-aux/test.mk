# SPDX-License-Identifier: MIT
# test.mk - unit tests (tests/unit/ROOM_*.c, one program each, cmocka), then the suites.

UNIT_SRC := $(patsubst $(SRC)/%,%,$(wildcard $(SRC)/tests/unit/*_test.c))
UNIT_BIN = $(UNIT_SRC:%.c=$(BUILD)/%)

$(BUILD)/tests/unit/%_test: $(BUILD)/tests/unit/%_test.o $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(CMOCKA_LIBS) $(LIB_LIBS) -lm -o $@

.PHONY: unit check-unit
unit: $(UNIT_BIN)
check-unit: $(UNIT_BIN)
	@set -e; for t in $(UNIT_BIN); do echo "== $${t#$(BUILD)/}"; $$t; done

-include $(UNIT_SRC:%.c=$(BUILD)/%.d)
