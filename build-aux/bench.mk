# SPDX-License-Identifier: MIT
# bench.mk - `make bench` measures what README.md and ARCHITECTURE.md claim; moto and s3rver are
# installed into the build folder to stand beside us.
#
#   make bench BENCH_ARGS="--quick get"   a part, with fewer rounds
#   make bench BENCH_ARGS=--publish       and write the table into doc/bench.md

BENCH_BIN = $(addprefix $(BUILD)/tests/bench/,load bare store_bench)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LIB_LIBS) -lm -o $@

$(BUILD)/bench-venv/bin/moto_server:
	-python3 -m venv $(BUILD)/bench-venv && \
	    $(BUILD)/bench-venv/bin/pip install --quiet 'moto[server,s3]==5.2.1'

$(BUILD)/bench-node/node_modules/s3rver/package.json:
	@mkdir -p $(BUILD)/bench-node
	-cd $(BUILD)/bench-node && npm install --silent --no-save s3rver@3.7.1

# The same s3db.js as the end-to-end tests'.
$(BUILD)/bench-s3db/node_modules/s3db.js/package.json: $(SRC)/tests/e2e/sdk/s3db/package-lock.json
	@mkdir -p $(BUILD)/bench-s3db
	cp $(SRC)/tests/e2e/sdk/s3db/package.json $< $(BUILD)/bench-s3db
	-cd $(BUILD)/bench-s3db && npm ci --silent && touch node_modules/s3db.js/package.json

.PHONY: bench bench-bin
bench-bin: all $(BENCH_BIN)
bench: bench-bin $(BUILD)/bench-venv/bin/moto_server $(BUILD)/bench-node/node_modules/s3rver/package.json \
    $(BUILD)/bench-s3db/node_modules/s3db.js/package.json
	python3 $(SRC)/tests/bench/bench.py --build $(BUILD) $(BENCH_ARGS)

-include $(BENCH_BIN:%=%.d)
