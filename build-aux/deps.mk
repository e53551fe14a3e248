# SPDX-License-Identifier: MIT
# deps.mk - Debian packages, by apt-get, with sudo for whoever is not root.
#
#   make deps GOAL     what GOAL needs: to build, or for a goal of tests also to test
#   make deps-build    compiler, autoconf, libraries
#   make deps-check    the same, and what the unit, end-to-end and wire tests run with
#   make deps-sdk      the same, and the toolchains of ten other clients (sdk.mk)
#   make deps-ci       the same, and clang with its tools, for lint, sanitizers and fuzzers,
#                      and browsers with a network of their own, which tests pass over where there are none,
#                      and debootstrap for check-distro

DEPS_CTL_PACKAGES := $(if $(findstring without-ctl,$(CONFIGURE_ARGS)),,libcurl4-openssl-dev)
DEPS_BUILD_PACKAGES := gcc libc6-dev make autoconf automake pkg-config \
                       libmicrohttpd-dev libgnutls28-dev libxml2-dev libssl-dev zlib1g-dev libjansson-dev \
                       libxxhash-dev libsqlite3-dev libarchive-dev $(DEPS_CTL_PACKAGES)
# git: tests ask which files are the project's. zsh, fish: their completions are tried.
DEPS_CHECK_PACKAGES := libcmocka-dev python3 python3-venv curl openssl ca-certificates git zsh fish
DEPS_CI_PACKAGES := clang clang-tidy clang-format llvm libclang-rt-dev \
                    chromium firefox-esr iproute2 debootstrap

DEPS_SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
DEPS_APT := $(DEPS_SUDO) env DEBIAN_FRONTEND=noninteractive apt-get

# $(1): packages. Nothing is asked of the network when all of them are there.
define apt_install
@command -v apt-get >/dev/null || { echo 'make deps is for Debian; elsewhere install what these' \
    'packages hold: $(1)' >&2; exit 1; }
@dpkg --status $(1) >/dev/null 2>&1 || \
    { $(DEPS_APT) update && $(DEPS_APT) install --yes --no-install-recommends $(1); }
endef

.PHONY: deps deps-build deps-check deps-sdk deps-ci
deps: deps-build

deps-build:
	$(call apt_install,$(DEPS_BUILD_PACKAGES))

deps-check: deps-build
	$(call apt_install,$(DEPS_CHECK_PACKAGES))

deps-sdk: deps-check

deps-ci: deps-sdk
	$(call apt_install,$(DEPS_CI_PACKAGES))
