# SPDX-License-Identifier: MIT
# fish completion of s3memd: the options come from its own help.
function __s3memd_options
    s3memd --help 2>/dev/null | string replace -rf '^  (?:-., )?(--[a-z0-9-]+=?).*' '$1'
    for name in (s3memd --help 2>/dev/null | string replace -rf '^  --\[no-\]([a-z0-9-]+).*' '$1')
        echo --$name
        echo --no-$name
    end
end

complete -c s3memd -a '(__s3memd_options)'
