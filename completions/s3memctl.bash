# SPDX-License-Identifier: MIT
# bash completion of s3memctl: the words come from the program's own table of commands.
_s3memctl_names() { # list, field
    s3memctl "$1" --json 2>/dev/null | grep -o "\"$2\": *\"[^\"]*\"" | cut -d'"' -f4
}

_s3memctl() {
    local word=${COMP_WORDS[COMP_CWORD]} command= i
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} != -* ]] && s3memctl --words | grep -qx -- "${COMP_WORDS[i]}"; then
            command=${COMP_WORDS[i]}
            break
        fi
    done
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --bucket) mapfile -t COMPREPLY < <(compgen -W "$(_s3memctl_names ls bucket)" -- "$word"); return ;;
    --branch) mapfile -t COMPREPLY < <(compgen -W "$(_s3memctl_names branches name)" -- "$word"); return ;;
    --cacert | --passphrase-file) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    esac
    if [[ -z $command && $word != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(s3memctl --words)" -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(s3memctl --words "${command:-version}")" -- "$word")
    else
        case $command in
        restore | drop | download)
            mapfile -t COMPREPLY < <(compgen -W "$(_s3memctl_names snapshots name)" -- "$word") ;;
        branch)
            mapfile -t COMPREPLY < <(compgen -W "$(_s3memctl_names branches name)" -- "$word") ;;
        ls | cat | rm) mapfile -t COMPREPLY < <(compgen -W "$(_s3memctl_names ls bucket)" -- "$word") ;;
        fault) mapfile -t COMPREPLY < <(compgen -W "add list clear remove set" -- "$word") ;;
        clock) mapfile -t COMPREPLY < <(compgen -W "show freeze unfreeze offset advance reset" -- "$word") ;;
        put) mapfile -t COMPREPLY < <(compgen -f -W "$(_s3memctl_names ls bucket)" -- "$word") ;;
        upload | save | load | export | import) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
        esac
    fi
}
complete -F _s3memctl s3memctl
