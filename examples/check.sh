#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check.sh PREFIX PYTHON BUILD - builds and runs the examples against an installed tree.
set -eu
prefix=$1 python=$2 build=$3
here=$(cd "$(dirname "$0")" && pwd)
out=$prefix/examples
mkdir -p "$out"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib

echo '== examples/c, shared'
${CC:-cc} -std=c89 -Wall -Wextra -Werror -pedantic-errors -x c -fsyntax-only - <<<"#include \"$prefix/include/s3mem.h\""
# shellcheck disable=SC2046
${CC:-cc} -Wall -Wextra -Werror "$here/c/fixture.c" $(pkg-config --cflags --libs s3mem) -o "$out/shared"
"$out/shared"
echo '== examples/c, static'
# shellcheck disable=SC2046
${CC:-cc} -Wall -Wextra -Werror "$here/c/fixture.c" $(pkg-config --cflags s3mem) "$prefix/lib/libs3mem.a" \
    $(pkg-config --static --libs-only-l s3mem | sed 's/-ls3mem//') -o "$out/static"
LD_LIBRARY_PATH='' "$out/static"

echo '== exported names'
names=$(nm -D --defined-only "$prefix/lib/libs3mem.so" | awk '$2 != "A" { print $3 }'
        nm --defined-only --extern-only "$prefix/lib/libs3mem.a" | awk 'NF == 3 { print $3 }')
test -n "$names"
if grep -v '^s3mem_' <<<"$names"; then
    echo 'exported, but not s3mem_*' >&2
    exit 1
fi

echo '== examples/python'
S3MEM_LIBRARY=$prefix/lib/libs3mem.so PYTHONDONTWRITEBYTECODE=1 \
    "$python" -m pytest -q -p no:cacheprovider "$here/python"

echo '== examples/node'
if command -v node >/dev/null; then
    S3MEMD=$build/s3memd node --test "$here/node/"
else
    echo 'SKIPPED: node is not installed'
fi
