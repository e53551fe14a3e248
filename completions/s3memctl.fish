# SPDX-License-Identifier: MIT
# fish completion of s3memctl: the words come from the program's own table of commands.
function __s3memctl_command
    for word in (commandline -opc)[2..]
        if not string match -q -- '-*' $word; and contains -- $word (s3memctl --words)
            echo $word
            return
        end
    end
    return 1
end

function __s3memctl_names --argument-names what
    s3memctl $what --json 2>/dev/null | string match -rga '"name": *"([^"]*)"'
end

function __s3memctl_buckets
    s3memctl ls --json 2>/dev/null | string match -rga '"bucket": *"([^"]*)"'
end

complete -c s3memctl -f
complete -c s3memctl -l bucket -x -a '(__s3memctl_buckets)'
complete -c s3memctl -l branch -x -a '(__s3memctl_names branches)'
complete -c s3memctl -l cacert -r -F
complete -c s3memctl -n 'contains -- (__s3memctl_command) ls cat rm put' -a '(__s3memctl_buckets)'
complete -c s3memctl -n 'not __s3memctl_command' -a '(s3memctl --words)'
complete -c s3memctl -n 'not __s3memctl_command' -a '(s3memctl --words version | string match -- "-*")'
complete -c s3memctl -n '__s3memctl_command' -a '(s3memctl --words (__s3memctl_command) | string match -- "-*")'
complete -c s3memctl -n 'contains -- (__s3memctl_command) restore drop download' -a '(__s3memctl_names snapshots)'
complete -c s3memctl -n 'contains -- (__s3memctl_command) branch' -a '(__s3memctl_names branches)'
complete -c s3memctl -n 'contains -- (__s3memctl_command) fault' -a 'add list clear remove set'
complete -c s3memctl -n 'contains -- (__s3memctl_command) clock' -a 'show freeze unfreeze offset advance reset'
complete -c s3memctl -n 'contains -- (__s3memctl_command) put upload save load export import' -F
