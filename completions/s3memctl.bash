# SPDX-License-Identifier: MIT
# bash completion of s3memctl: the words come from the program's own table of commands.
_s3memctl() {
    local word=${COMP_WORDS[COMP_CWORD]} command= i
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} != -* ]] && s3memctl --words | grep -qx -- "${COMP_WORDS[i]}"; then
            command=${COMP_WORDS[i]}
            break
        fi
    done
    if [[ -z $command && $word != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(s3memctl --words)" -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(s3memctl --words "${command:-version}")" -- "$word")
    else
        case $command in
        restore | drop | download)
            mapfile -t COMPREPLY < <(compgen -W "$(s3memctl snapshots --json 2>/dev/null |
                grep -o '"name": *"[^"]*"' | cut -d'"' -f4)" -- "$word") ;;
        branch)
            mapfile -t COMPREPLY < <(compgen -W "$(s3memctl branches --json 2>/dev/null |
                grep -o '"name": *"[^"]*"' | cut -d'"' -f4)" -- "$word") ;;
        fault) mapfile -t COMPREPLY < <(compgen -W "add list clear remove set" -- "$word") ;;
        clock) mapfile -t COMPREPLY < <(compgen -W "show freeze unfreeze offset advance reset" -- "$word") ;;
        upload | save | load | export | import) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
        esac
    fi
}
complete -F _s3memctl s3memctl
