# SPDX-License-Identifier: MIT
"""What the shells complete, for s3memctl and s3memd."""

import os
import re
import shutil
import subprocess

import pytest

from ctl import CTL, ENV, need_ctl
from harness import ROOT, S3MEMD, SLOW, serving

PATH = ":".join((os.path.dirname(CTL), os.path.dirname(S3MEMD), os.environ["PATH"]))
FOLDER = ROOT / "completions"


@pytest.fixture(params=["bash", "zsh", "fish"])
def complete(request, tmp_path):
    """Completes the last word, by the functions that the shell itself would call."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed: make deps-check installs it")

    def run(*words, server=None):
        program = words[0]
        if program == "s3memctl":
            need_ctl()
        quoted = " ".join(f"'{w}'" for w in words)
        if request.param == "bash":
            script = (f". {FOLDER}/{program}.bash; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
                      f'_{program}; printf "%s\\n" "${{COMPREPLY[@]}}"')
        elif request.param == "fish":
            script = f"source {FOLDER}/{program}.fish; complete -C '{' '.join(words)}'"
        else:  # compadd tells what may be added; the shell keeps what fits
            script = ("compadd() { while [[ $1 == -* && $1 != -- ]]; do [[ $1 == -S ]] && shift; shift; done; "
                      "shift; print -rl -- $@ }; _files() { print -rl -- *(N) }; compset() { : }; "
                      f"words=({quoted}); CURRENT={len(words)}; . {FOLDER}/_{program}")
        done = subprocess.run([request.param, *{"zsh": ["-f"], "fish": ["--no-config"]}.get(request.param, []), "-c", script],
                              capture_output=True, text=True, check=False, timeout=30 * SLOW, cwd=FOLDER,
                              env={**ENV, "HOME": str(tmp_path), "PATH": PATH, "S3MEMCTL_ENDPOINT": server.url if server else ""})
        assert done.stderr == "", done.stderr
        return [w for w in done.stdout.split() if w.startswith(words[-1])]

    return run


def test_commands_and_options_of_s3memctl(complete):
    assert complete("s3memctl", "sn") == ["snapshot", "snapshots"]
    assert complete("s3memctl", "clear", "--pre") == ["--prefix"]
    assert complete("s3memctl", "--json", "fault", "cl") == ["clear"]
    assert complete("s3memctl", "clock", "un") == ["unfreeze"]


def test_buckets_branches_and_snapshots(complete):
    need_ctl()
    with serving("--bucket", "photos", "--bucket", "papers", "--bucket", "other") as server:
        subprocess.run([CTL, "snapshot", "clean"], check=True, capture_output=True,
                       env={**ENV, "S3MEMCTL_ENDPOINT": server.url})
        for words in (["ls"], ["cat"], ["rm"], ["put", "x"], ["clear", "--bucket"], ["wait", "--bucket"]):
            assert sorted(complete("s3memctl", *words, "p", server=server)) == ["papers", "photos"], words
        assert complete("s3memctl", "ls", "--branch", "m", server=server) == ["main"]
        assert complete("s3memctl", "restore", "c", server=server) == ["clean"]
    assert complete("s3memctl", "ls", "p", server=server) == []


def test_options_of_s3memd(complete):
    assert complete("s3memd", "--tls-ce") == ["--tls-cert="]
    assert complete("s3memd", "--no-acc") == ["--no-access-log"]
    assert complete("s3memd", "--branch-per") == ["--branch-per-key"]
    assert complete("s3memd", "--vers") == ["--version"]
    help_text = subprocess.run([S3MEMD, "--help"], capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"^  (?:-., )?--(?:\[no-\])?([a-z0-9-]+)", help_text, re.M))
    offered = complete("s3memd", "--")
    assert len(offered) == len(set(offered)) and len(named) > 30
    assert {w.strip("-=").removeprefix("no-") for w in offered} == named


def test_files_of_s3memd(complete, request):
    """bash makes three words of it."""
    if "bash" not in request.node.name:
        pytest.skip("compset works only inside of zsh's completion")
    assert complete("s3memd", "--config", "=", "s3memd.b") == ["s3memd.bash"]
    assert "s3memd.bash" in complete("s3memd", "--config", "=", "")


@pytest.mark.parametrize("program", ["s3memctl", "s3memd"])
def test_they_parse(program, tmp_path):
    for shell, file in (("bash", f"{program}.bash"), ("zsh", f"_{program}"), ("fish", f"{program}.fish")):
        if shutil.which(shell):
            # fish makes folders in its home.
            subprocess.run([shell, "-n", str(FOLDER / file)], check=True, env={**ENV, "HOME": str(tmp_path)})
