#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# matrix.sh - the table of doc/operations.md, generated from src/s3/ops.def between its two markers.
#   matrix.sh          rewrites doc/operations.md
#   matrix.sh --check  exits 1 when it is not what ops.def says
set -eu
cd "$(dirname "$0")/.."
page=doc/operations.md
table() {
    echo '| operation | method | scope | sub-resource or header | state |'
    echo '| --- | --- | --- | --- | --- |'
    grep -E '^OP\(' src/s3/ops.def | sed -E 's/^OP\(//; s/\)$//' | awk -F', *' '{
        gsub(/"/, "", $2); sub(/SCOPE_/, "", $3)
        how = $4 == "NULL" ? "" : $4; if ($5 != "NULL") how = how (how == "" ? "" : ", ") $5
        gsub(/"/, "", how)
        print "| " $1 " | " $2 " | " tolower($3) " | " (how == "" ? "" : "`" how "`") " | " ($7 == "op_not_implemented" ? "501 NotImplemented" : "yes") " |"
    }' | sort
}
out=$(awk -v table="$(table)" '
    /<!-- matrix -->/ { print; print table; skip = 1; next }
    /<!-- \/matrix -->/ { skip = 0 }
    !skip' "$page")
if [ "${1:-}" = --check ]; then
    [ "$out" = "$(cat "$page")" ]
else
    printf '%s\n' "$out" > "$page"
fi
