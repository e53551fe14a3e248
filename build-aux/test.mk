# SPDX-License-Identifier: MIT
# test.mk - unit tests (tests/unit/ROOM_*.c, one program each, cmocka), the end-to-end and wire
# tests (pytest with real clients, in a virtual environment of their own), and all of it under the
# sanitizers. fuzz.mk and sdk.mk add check-fuzz and check-sdk.
#
#   make check-e2e PYTEST_ARGS="-k test_copy -x"     one test
#   make check-e2e S3MEM_URL=http://127.0.0.1:4566   against a server already running

# Installed since configure looked for it? `make deps check` may follow `make deps run`.
ifneq ($(HAVE_CMOCKA),yes)
CMOCKA_LIBS = $(shell pkg-config --libs cmocka 2>/dev/null || echo -lcmocka)
endif

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
	$(Q)$(CC) $(TEST_LDFLAGS) $^ $(CMOCKA_LIBS) $(LIB_LIBS) -lm -o $@

# Files that tests read: under TEST_DATA.
$(BUILD)/tests/unit/%.o: ALL_CPPFLAGS += -DTEST_DATA='"$(abspath $(SRC))/tests/data"'
# cmocka 2 would have assert_in_range by names that 1.1 does not know.
$(BUILD)/tests/unit/%.o: ALL_CFLAGS += -Wno-deprecated-declarations

# Kept: a change of the library links the tests again, it does not compile them.
.SECONDARY: $(UNIT_SRC:%.c=$(BUILD)/%.o)

.PHONY: unit check-unit
unit: $(UNIT_BIN)
check-unit: $(UNIT_BIN)
	@$(SANITIZER_ENV) $(SRC)/build-aux/unit.sh $(UNIT_BIN)

-include $(UNIT_SRC:%.c=$(BUILD)/%.d) $(UNIT_HELP_SRC:%.c=$(BUILD)/%.d)

# ---- end to end, and raw bytes -----------------------------------------------------------------

PYTHON ?= python3
VENV ?= $(BUILD)/venv
VENV_READY = $(VENV)/.ready
# More than the two cores that CI has: each of the tests waits about half of its time.
PYTEST_JOBS ?= 4
PYTEST_ARGS ?=
# How much slower than a plain build on a calm machine this one may be: scales the tests' time limits.
PYTEST_SLOW := $(if $(filter address thread,$(SANITIZER)),30,10)

$(VENV_READY): $(SRC)/tests/e2e/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: venv check-e2e check-wire
venv: $(VENV_READY)

# The folders that import real clients of other languages have runners of their own (sdk.mk).
pytest = cd $(SRC)/tests && S3MEMD=$(abspath $(BUILD)/s3memd) S3MEM_SLOW=$(PYTEST_SLOW) \
	    $(if $(S3MEM_URL),S3MEM_URL=$(S3MEM_URL)) PYTHONDONTWRITEBYTECODE=1 $(SANITIZER_ENV) \
	    $(abspath $(VENV))/bin/python -m pytest --quiet -n $(PYTEST_JOBS) \
	    --timeout $$(( 120 * $(PYTEST_SLOW) )) --ignore e2e/sdk $(1) $(PYTEST_ARGS)

check-e2e: all $(VENV_READY)
	$(Q)$(call pytest,e2e)
check-wire: all $(VENV_READY)
	$(Q)$(call pytest,wire)

# Requests near the valid ones: counts by kind of source; NEAR_ARGS="--write" or "--list unknown".
.PHONY: near
near: all $(VENV_READY)
	$(Q)S3MEMD=$(abspath $(BUILD)/s3memd) PYTHONDONTWRITEBYTECODE=1 $(abspath $(VENV))/bin/python $(SRC)/tests/e2e/near.py $(NEAR_ARGS)

# ---- everything --------------------------------------------------------------------------------

# What a machine with the packages of `make deps-check` can run. One suite after the other, even
# under -j: each uses every core, and some measure time.
CHECK_SUITES := unit e2e wire lib fuzz

.PHONY: check
check: all
	+@passed=0; failed=0; report=; \
	for suite in $(CHECK_SUITES); do \
	    start=$$SECONDS; \
	    if $(MAKE) --no-print-directory check-$$suite; then \
	        verdict=passed; passed=$$((passed + 1)); \
	    else \
	        verdict=FAILED; failed=$$((failed + 1)); \
	    fi; \
	    report+=$$(printf '  %-6s %-6s %4d s' $$suite $$verdict $$((SECONDS - start)))$$'\n'; \
	done; \
	printf '\nmake check, by suite:\n%s%d passed, %d failed\n' "$$report" $$passed $$failed; \
	echo 'Ten other clients (Go, Java, Rust, JavaScript ...) are tested by: make deps-sdk check-sdk'; \
	test $$failed -eq 0

# ---- sanitizers --------------------------------------------------------------------------------

# Build folders of their own beside this one; the virtual environment is shared.
SANITIZED_CHECK = $(MAKE) --no-print-directory VENV=$(abspath $(VENV)) \
    CONFIGURE_ARGS='$(CONFIGURE_ARGS) --with-sanitizer=$(2)' BUILD=$(BUILD)/$(1) \
    check-unit check-e2e check-wire

SANITIZER_ENV_address := ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 \
    UBSAN_OPTIONS=print_stacktrace=1
SANITIZER_ENV_thread := TSAN_OPTIONS=suppressions=$(abspath $(SRC)/tests/tsan.supp)
SANITIZER_ENV = $(SANITIZER_ENV_$(SANITIZER))

.PHONY: asan tsan
asan:
	+$(call SANITIZED_CHECK,asan,address)
tsan:
	+$(call SANITIZED_CHECK,tsan,thread)

# ---- other distributions ------------------------------------------------------------------------

# In a bare root of DISTRO (trixie, sid ...), as root: what is committed is built and its unit tests
# run; DISTRO_GOALS="deps check" runs the others, too. The root stays in $(BUILD)/distro.
DISTRO ?= trixie
DISTRO_GOALS ?= deps check-unit

.PHONY: check-distro
check-distro:
	$(SRC)/build-aux/distro.sh $(DISTRO) $(BUILD)/distro $(DISTRO_GOALS)
