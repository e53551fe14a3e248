# SPDX-License-Identifier: MIT
# sdk.mk - the programs in tests/e2e/sdk: real clients, with the defaults their users have.
#
#   make deps-sdk    their toolchains
#   make check-sdk   build them (kept in SDK_BUILD) and run them, and README's rows of these clients as
#                    they are printed; SDK_ARGS="go java --mode open"
#
# run.py uses the toolchains on PATH that are new enough and says loudly which are not; with CI=true
# or S3MEM_REQUIRE_SDKS=1 a missing one is a failure. What a bare Debian 12 gives:
#
#   Java 17, Maven, Python, s3cmd, rclone    its packages are new enough
#   Rust   its rustc is 1.63; the packages that its web browsers are built with (rustc-web,
#          cargo-web) follow Rust closely enough for the current aws-sdk-s3
#   Go     its 1.19 fetches a newer one of itself, a module of the Go project (toolchain.py)
#   Node   its 18 is too old for AWS's SDK; npm fetches a newer one, and one of itself, packages
#          (toolchain.py)
#
# libnss-myhostname makes names below .localhost resolve, which virtual-host style needs.

SDK_BUILD ?= $(abspath build/sdk)
SDK_ARGS ?=
SDK_RUN = S3MEM_SDK_BUILD=$(SDK_BUILD) PYTHONDONTWRITEBYTECODE=1 python3 $(SRC)/tests/e2e/sdk

.PHONY: check-sdk
check-sdk: all venv
	$(Q)S3MEMD=$(abspath $(BUILD)/s3memd) $(SDK_RUN)/run.py $(SDK_ARGS)
	$(Q)export S3MEM_SDK_BUILD=$(SDK_BUILD); $(call pytest,e2e/test_readme.py -k test_client)

# deps.mk says what has to be there before.
deps-sdk:
	packages=$$($(SDK_RUN)/run.py --packages); if test -n "$$packages"; then \
	    $(DEPS_APT) install --yes --no-install-recommends $$packages; fi
	$(SDK_RUN)/toolchain.py $(SDK_BUILD)/toolchain
