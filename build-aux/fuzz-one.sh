#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# fuzz-one.sh TARGET BUILD CORPUS SECONDS [OPTION]... - one libFuzzer target, quiet unless it finds.
set -u
target=$1 build=$2 corpus=$3 seconds=$4
shift 4
out=$build/$target
mkdir -p "$out/corpus"
seeds=()
[ -d "$corpus" ] && seeds=("$corpus")
if ! "$build/fuzz_$target" "$@" -max_total_time="$seconds" -artifact_prefix="$out/" "$out/corpus" \
    "${seeds[@]}" >"$out/log" 2>&1; then
    tail -50 "$out/log"
    echo "fuzz/$target: failed; its input is in $out"
    exit 255 # xargs stops
fi
echo "fuzz/$target: $seconds s, $(sed -n 's/^stat::number_of_executed_units: *//p' "$out/log") runs"
