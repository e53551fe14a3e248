#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check-install.sh BUILD - `make install` into a folder that configure knew nothing of: programs are
# stripped and run, units and s3mem.pc name that folder, /usr means /etc, uninstall leaves nothing.
set -eu
make=(make --no-print-directory -C "$(dirname "$0")/.." "BUILD=$(cd "$1" && pwd)" CONFIGURE_ARGS=)
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
prefix=$top/own

fail() { echo "check-install: $*" >&2; exit 1; }
has() { grep -qF -- "$2" "$1" || fail "$1 does not say: $2"; }

"${make[@]}" install "prefix=$prefix" >"$top/log"
grep -q "LD_LIBRARY_PATH=$prefix/lib" "$top/log" || fail "no word about finding libs3mem"
for program in "$prefix"/bin/*; do
    "$program" --version >/dev/null
    [ -z "$(nm "$program" 2>/dev/null)" ] || fail "$program has symbols"
done
[ -e "$prefix/share/doc/s3memd/doc/operations.md" ] || fail "README links pages that are not there"
[ -z "$(nm "$prefix"/lib/libs3mem.so.?.*.* 2>/dev/null)" ] || fail "libs3mem.so has symbols"
has "$prefix/lib/systemd/system/s3memd.service" "ExecStart=$prefix/bin/s3memd"
has "$prefix/lib/systemd/system/s3memd.service" "EnvironmentFile=-$prefix/etc/default/s3memd"
has "$prefix/share/systemd/user/s3memd.service" "ExecStart=$prefix/bin/s3memd"
[ "$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --variable=libdir s3mem)" = "$prefix/lib" ] ||
    fail "s3mem.pc names another folder"
"${make[@]}" uninstall "prefix=$prefix" >"$top/log"
left=$(find "$prefix" -type f -o -type l)
[ -z "$left" ] || fail "uninstall leaves: $left"

"${make[@]}" install prefix=/usr "DESTDIR=$top/packaged" >"$top/log"
has "$top/packaged/usr/lib/systemd/system/s3memd.service" 'EnvironmentFile=-/etc/default/s3memd'
[ -e "$top/packaged/usr/share/zsh/vendor-completions/_s3memctl" ] || fail "zsh: no vendor completion"
if grep -q ldconfig "$top/log"; then fail "a hint at ldconfig for a package"; fi
echo 'check-install: well'
