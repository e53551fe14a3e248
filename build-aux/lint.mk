# SPDX-License-Identifier: MIT
# lint.mk - rules about the text of the sources.

FORMATTED := $(shell find $(SRC)/src $(SRC)/include $(SRC)/tests/unit $(SRC)/tests/fuzz $(SRC)/tests/bench -name '*.[ch]' 2>/dev/null)

.PHONY: lint format check-format tidy matrix
lint:
	$(SRC)/build-aux/lint.sh

matrix:
	$(SRC)/build-aux/matrix.sh

format:
	@clang-format -i $(FORMATTED)

check-format:
	@clang-format --dry-run --Werror $(FORMATTED)

# clang-tidy with the checks of .clang-tidy, one process a core; any finding is an error.
tidy: $(BUILD)/config.mk $(DISK_SQL:%=$(BUILD)/gen/disk/sqlite/%.inc) $(BUILD)/gen/admin/openapi.inc
	printf '%s\n' $(LIB_SRC:%=$(SRC)/%) $(CTL_SRC:%=$(SRC)/%) $(SRC)/src/daemon/main.c | xargs -P $$(nproc) -I{} \
	    clang-tidy --quiet --warnings-as-errors='*' {} -- $(ALL_CPPFLAGS) -std=gnu11 $(LIB_CFLAGS)
