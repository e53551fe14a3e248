# SPDX-License-Identifier: MIT
# s3memd: hand-written GNU make. `make` in a fresh checkout runs autoconf and configure itself.
#
#   make deps      install the Debian packages and test toolchains (sudo when not root)
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

# Targets that need no configured build folder.
UNCONFIGURED := deps deps-packages deps-sdk clean distclean format lint help dist
ifneq ($(filter-out $(UNCONFIGURED),$(or $(MAKECMDGOALS),all)),)
-include $(BUILD)/config.mk
endif

# ---- configure ---------------------------------------------------------------------------------

$(SRC)/configure: $(SRC)/configure.ac $(SRC)/VERSION
	cd $(SRC) && autoreconf --install --force

$(BUILD)/config.mk: $(SRC)/configure $(SRC)/config.mk.in
	@mkdir -p $(BUILD)
	cd $(BUILD) && $(abspath $(SRC))/configure --quiet $(CONFIGURE_ARGS)

# build.mk first: the others use its LIB and flags.
include $(SRC)/build-aux/build.mk
include $(sort $(filter-out %/build.mk,$(wildcard $(SRC)/build-aux/*.mk)))
