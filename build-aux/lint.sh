#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lint.sh - rules of this tree that no compiler checks: who may include whom, functions that are
# banned, licence lines, leftover markers, line length. Prints what breaks a rule; exits 1 if any.
set -u
export LC_ALL=C.UTF-8 # columns are characters
cd "$(dirname "$0")/.." || exit 2
bad=0
complain() { [ -z "$2" ] && return; printf '%s\n%s\n\n' "lint: $1" "$2" >&2; bad=1; }

sources() { find src include tests -name '*.[ch]' -not -path '*/node_modules/*' -not -path '*/target/*' | sort; }

# Include directions (ARCHITECTURE.md, "Rooms"): room → the rooms it may include.
allowed() {
    case $1 in
    base) echo base ;;
    app | store | config | s3db) echo "$1 base" ;;
    auth | http) echo "$1 app base" ;;
    s3) echo s3 auth store app base ;;
    admin) echo admin store disk app base ;;
    disk) echo disk store s3db app base ;;
    ctl) echo ctl auth disk app base ;;
    server) echo server http s3 auth admin store disk s3db config app base ;;
    daemon) echo daemon server http s3 auth admin store disk s3db config app base ;;
    esac
}
# A room's doors: ROOM/ROOM.h, and one a product where a room has several.
is_door() {
    case $1 in
    disk/backup/backup.h | disk/backup/container.h | s3mem.h) return 0 ;;
    esac
    [ "$1" = "${1%%/*}/${1%%/*}.h" ]
}
for dir in src/*/; do
    room=$(basename "$dir")
    ok=" $(allowed "$room") "
    # What is within the room, and tables and texts, are its own business.
    others=$(grep -rnE '^#include "' "$dir" --include='*.[ch]' | grep -vE "#include \"($room/|[^\"]*\.(inc|def)\")")
    wrong=$(while IFS= read -r line; do
        target=${line#*#include \"} target=${target%%\"*}
        [[ $target == s3mem.h && $room == server ]] && continue
        [[ $ok == *" ${target%%/*} "* ]] && is_door "$target" || echo "$line"
    done < <(grep . <<<"$others"))
    complain "$room may include these rooms, through their doors: $ok" "$wrong"
done

# One library, one room.
only() { # header pattern, rooms
    complain "$1 belongs to: $2" "$(grep -nE "#include <$1" $(sources | grep '^src/') | grep -vE "^src/($2)/")"
}
only 'microhttpd' http
only 'gnutls' http
only 'libxml' s3
only 'jansson' 'admin|disk|s3db|server|auth|ctl'
only 'curl' ctl
only 'openssl' base
only 'xxhash' base
only 'sqlite3' disk
only 'archive' disk
only 'zlib' 'base|disk'

code=$(sources)
complain "banned function" "$(grep -nE '\b(strcpy|strcat|sprintf|vsprintf|atoi|atol|strtok|gmtime|localtime|gets)[[:space:]]*\(' $code |
    grep -vE '^[^:]+:[0-9]+:[[:space:]]*(/?\*|//)')"
complain "malloc and free outside base (use mem.h)" \
    "$(grep -nE '(^|[^_[:alnum:]])(malloc|calloc|realloc|free|strdup|strndup)[[:space:]]*\(' $(sources | grep -E '^src/' | grep -v '^src/base/') |
        grep -vE '^[^:]+:[0-9]+:[[:space:]]*(/?\*|//)')"
complain "memcpy of a struct str, which may have no pointer (use str_put)" \
    "$(grep -nE 'memcpy\([^;]*[.>]ptr, [a-z>.-]+[.>]len\)' $(sources | grep -E '^src/') | grep -vE 'str\.h|piece')"
complain "no SPDX line" "$(for f in $code; do head -3 "$f" | grep -q 'SPDX-License-Identifier: MIT' || echo "$f"; done)"
complain "marker left behind" "$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' $code)"
complain "line over 100 columns" "$(awk 'length($0) > 100 && FILENAME !~ /\.def$/ {print FILENAME ":" FNR ": " length($0)}' $(sources | grep -E '^(src|include)/'))"
complain "function over 120 lines" "$(sources | grep '^src/' | xargs awk '
    FNR == 1 { start = 0 }
    /^[A-Za-z_].*\)[ \t]*$/ || /^[ \t]+.*\)$/ { sig = $0 }
    /^\{/ { start = FNR; name = sig }
    /^\}/ { if (start && FNR - start > 120) print FILENAME ": " name " " FNR - start; start = 0 }')"
complain "file over 1000 lines" "$(wc -l $(sources | grep -E '^(src|include)/') | awk '$2 != "total" && $1 > 1000')"
complain "doc/operations.md is behind ops.def: run 'make matrix'" \
    "$(build-aux/matrix.sh --check || echo doc/operations.md)"

[ "$bad" = 0 ] && echo "lint: clean"
exit "$bad"
