#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# unit.sh PROGRAM... - runs unit tests, as many at a time as there are cores. What each says is
# printed whole, when it has ended. All run, even if some fail; those are named at the end.
set -u
out=$(mktemp -d)
export out
trap 'rm -rf "$out"' EXIT

one() { # program
    local name status
    name=$(basename "$1")
    "$1" >"$out/$name" 2>&1
    status=$?
    exec 9<"$out"
    flock 9
    echo "== tests/unit/$name"
    cat "$out/$name"
    [ "$status" = 0 ] || echo "tests/unit/$name ended with $status" >>"$out/failed"
}
export -f one

printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'one {}' || echo 'unit.sh: xargs failed' >>"$out/failed"
if [ -e "$out/failed" ]; then
    printf '\nFAILED:\n'
    cat "$out/failed"
    exit 1
fi
