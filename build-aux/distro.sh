#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# distro.sh DISTRO FOLDER GOAL... - makes the goals of what is committed
# here, in a bare root of Debian's DISTRO (bookworm, trixie, sid). Needs root and debootstrap. The root
# is kept in FOLDER; MIRROR names another mirror than this system's, CONFIGURE_ARGS is passed on.
set -euo pipefail
distro=$1 folder=$2
shift 2
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$folder"
root=$(cd "$folder" && pwd)/$distro

mirror() {
    local found
    found=$(sed -nE 's/^(URIs:|deb) +(https?:\/\/[^ ]*debian\/?)( .*)?$/\2/p' /etc/apt/sources.list \
        /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
    printf '%s\n' "${MIRROR:-${found:-http://deb.debian.org/debian}}"
}

# In the root, with its own mounts, which go with the shell.
inside() {
    unshare --mount bash -ec 'mount --bind /proc "$0/proc"; mount --rbind /dev "$0/dev"
        cp /etc/resolv.conf "$0/etc/resolv.conf"
        exec chroot "$0" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive CONFIGURE_ARGS="$CONFIGURE_ARGS" "$@"' "$root" "$@"
}
export CONFIGURE_ARGS=${CONFIGURE_ARGS:-}

[ "$(id -u)" = 0 ] || { echo "distro.sh: needs root, for chroot" >&2; exit 2; }
if [ ! -e "$root/.made" ]; then
    command -v debootstrap >/dev/null || { echo "distro.sh: needs debootstrap" >&2; exit 2; }
    rm -rf "$root"
    debootstrap --variant=minbase "$distro" "$root" "$(mirror)" >"$root.log" 2>&1 ||
        { tail -n 20 "$root.log" >&2; exit 1; }
    inside apt-get install --yes --no-install-recommends make >"$root.log" 2>&1 ||
        { tail -n 20 "$root.log" >&2; exit 1; }
    touch "$root/.made"
fi
rm -rf "$root/src"
mkdir -p "$root/src"
git -C "$here" archive HEAD | tar -x -C "$root/src"
inside make -C /src "$@"
