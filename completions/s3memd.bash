# SPDX-License-Identifier: MIT
# bash completion of s3memd: the options come from its own help.
_s3memd() {
    local word=${COMP_WORDS[COMP_CWORD]}
    # "--name=value" arrives as three words.
    if [[ $word == = || ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "${word#=}")
        compopt -o filenames 2>/dev/null
    else
        mapfile -t COMPREPLY < <(compgen -W "$(s3memd --help 2>/dev/null |
            sed -nE -e 's/^  (-., )?(--[a-z0-9-]+=).*/\2/p' -e 's/^  (-., )?(--[a-z0-9-]+)([[ ].*)?$/\2/p' \
                -e 's/^  --\[no-\]([a-z0-9-]+).*/--\1\n--no-\1/p')" -- "$word")
        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    fi
    return 0
}
complete -F _s3memd s3memd
