# SPDX-License-Identifier: MIT
# s3memd: hand-written GNU make. `make` in a fresh checkout runs autoconf and configure itself.
#
#   make deps GOAL install the Debian packages that GOAL needs (sudo when not root), then make GOAL
#   make           configure and build into build/
#   make run       build and start the server on 127.0.0.1:4566 (RUN_ARGS="--bucket demo ...")
#   make check     build and run every test
#   make BUILD=dir another build folder; out-of-tree: mkdir b && cd b && ../configure && make
#
# The rest: asan tsan lint tidy format fuzz bench install uninstall dist clean distclean help

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash

SRC ?= $(patsubst %/,%,$(dir $(abspath $(firstword $(MAKEFILE_LIST)))))
BUILD ?= build
CONFIGURE_ARGS ?=

# `make deps run`: the packages first, and only then look for a compiler and libraries. A goal of
# tests needs more of them. What follows is built by as many jobs as there are cores.
DEPS_GOALS := $(filter deps deps-build deps-check deps-sdk deps-ci,$(MAKECMDGOALS))
AFTER_DEPS := $(filter-out $(DEPS_GOALS),$(MAKECMDGOALS))
ifneq ($(and $(DEPS_GOALS),$(AFTER_DEPS)),)
DEPS_OF_GOALS := $(if $(filter check% unit asan tsan bench%,$(AFTER_DEPS)),deps-check,deps-build)
.PHONY: $(DEPS_GOALS) $(AFTER_DEPS)
$(DEPS_GOALS):
	+@$(MAKE) --no-print-directory -f $(firstword $(MAKEFILE_LIST)) $(if $(filter deps,$@),$(DEPS_OF_GOALS),$@)
$(firstword $(AFTER_DEPS)): $(DEPS_GOALS)
	+@case " $$MAKEFLAGS" in *' -j'*) ;; *) jobs=-j$$(nproc) ;; esac; \
	$(MAKE) $$jobs --no-print-directory -f $(firstword $(MAKEFILE_LIST)) $(AFTER_DEPS)
$(wordlist 2,$(words $(AFTER_DEPS)),$(AFTER_DEPS)): $(firstword $(AFTER_DEPS))
	@:
else

# Targets that need no configured build folder.
UNCONFIGURED := deps deps-build deps-check deps-sdk deps-ci clean distclean format lint help check-distro
ifneq ($(filter-out $(UNCONFIGURED),$(or $(MAKECMDGOALS),all)),)
-include $(BUILD)/config.mk
endif

# ---- configure ---------------------------------------------------------------------------------

$(SRC)/configure: $(SRC)/configure.ac $(SRC)/VERSION
	cd $(SRC) && autoreconf --install --force

$(BUILD)/config.mk: $(SRC)/configure $(SRC)/config.mk.in
	@mkdir -p $(BUILD)
	cd $(BUILD) && if $(if $(CONFIGURE_ARGS),false,test -f config.status); then \
	    ./config.status --quiet --recheck && ./config.status --quiet; \
	else \
	    $(abspath $(SRC))/configure --quiet $(CONFIGURE_ARGS); \
	fi

# build.mk first: the others use its LIB and flags.
include $(SRC)/build-aux/build.mk
include $(sort $(filter-out %/build.mk,$(wildcard $(SRC)/build-aux/*.mk)))

.PHONY: help
help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' $(SRC)/Makefile

endif
