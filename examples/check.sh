#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check.sh PREFIX PYTHON BUILD SDK_BUILD - builds and runs the examples against an installed tree.
# Node comes from PATH, or from what `make deps-sdk` unpacked below SDK_BUILD.
set -eu
prefix=$1 python=$2 build=$3
PATH=$4/toolchain/bin:$PATH
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

if ! node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' 2>/dev/null; then
    echo 'SKIPPED examples/node, examples/vitest: no Node 20 or newer; make deps-sdk installs it'
    [ "${S3MEM_REQUIRE_SDKS:-}" != 1 ] || exit 1
    exit 0
fi
echo '== examples/node'
S3MEMD=$build/s3memd node --test "$here"/node/*.test.mjs

echo '== examples/vitest: 8 workers'
mkdir -p "$build/vitest"
cp "$here"/vitest/* "$here/vitest/.npmrc" "$build/vitest/"
cd "$build/vitest"
npm ci --ignore-scripts --silent
"$build/s3memd" --listen 127.0.0.1:0 --branch-per-key=orders >server.log &
server=$!
trap 'kill $server' EXIT
until grep -q '^Ready' server.log; do
    kill -0 $server
    sleep 0.05
done
AWS_ENDPOINT_URL=$(sed -n 's/^s3memd ready on //p' server.log) npx vitest run
