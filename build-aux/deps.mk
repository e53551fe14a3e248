# SPDX-License-Identifier: MIT
# deps.mk - `make deps` on a bare Debian 12: packages by apt-get, then (sdk.mk) the toolchains of
# the SDK tests.

DEPS_BUILD_PACKAGES := gcc libc6-dev make autoconf automake pkg-config git ca-certificates \
                       libmicrohttpd-dev libxml2-dev libssl-dev zlib1g-dev libjansson-dev \
                       libxxhash-dev libsqlite3-dev libcurl4-openssl-dev libarchive-dev
# The tests in C and Python; clang for the second compiler, fuzzing, tidy and format.
DEPS_CHECK_PACKAGES := libcmocka-dev python3 python3-venv curl openssl zsh \
                       clang clang-tidy clang-format llvm libclang-rt-dev

# sudo when not root.
DEPS_SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
DEPS_APT := $(DEPS_SUDO) env DEBIAN_FRONTEND=noninteractive apt-get

.PHONY: deps deps-packages deps-sdk
deps: deps-packages deps-sdk

deps-packages:
	@command -v apt-get >/dev/null || { echo 'make deps is for Debian; elsewhere install:' \
	    '$(DEPS_BUILD_PACKAGES) $(DEPS_CHECK_PACKAGES)' >&2; exit 1; }
	$(DEPS_APT) update
	$(DEPS_APT) install --yes --no-install-recommends \
	    $(DEPS_BUILD_PACKAGES) $(DEPS_CHECK_PACKAGES)

deps-sdk: deps-packages
