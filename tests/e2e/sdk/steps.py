# SPDX-License-Identifier: MIT
"""What the Python programs here share: steps, checks, running a command, and the environment."""

import os
import subprocess
import sys
import traceback

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
ACCESS_KEY = os.environ["AWS_ACCESS_KEY_ID"]
SECRET_KEY = os.environ["AWS_SECRET_ACCESS_KEY"]
REGION = os.environ["AWS_REGION"]
VHOST_URL = os.environ.get("S3MEM_VHOST_URL", "")
VERIFIES = os.environ.get("S3MEM_VERIFIES") == "1"
MIB = 1 << 20

ODD_KEYS = [
    "with space.txt", "plus+plus", "percent%20literal", "100%", "ünïcödé/日本語/😀.txt", "a//b",
    "q?x=1&y=2#frag", "quotes'\"<>&amp;", "semi;colon:eq=at@$,", "~*()!", "back\\slash",
]

_count = {"passed": 0, "failed": 0}


def step(work):
    """Runs the function it decorates at once; its docstring is the step's name."""
    try:
        work()
    except Exception as error:  # every failure is a line of the report, and the next step runs
        _count["failed"] += 1
        line = traceback.extract_tb(error.__traceback__)[1].lineno
        print(f"FAIL  {work.__doc__}: line {line}: {type(error).__name__}: {error}")
    else:
        _count["passed"] += 1
        print(f"ok    {work.__doc__}")
    sys.stdout.flush()


def finish():
    print(f"{_count['passed']} passed, {_count['failed']} failed")
    sys.exit(1 if _count["failed"] else 0)


def same(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r:.500}, want {want!r:.500}")


def check(ok, what):
    if not ok:
        raise AssertionError(f"not true: {what}")


def raises(kind, call, *args, **kwargs):
    """The exception of this kind that the call must raise."""
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} expected, but it succeeded")


def run(*command, status=0, says="", **kwargs):
    """The standard output of a command that must end with this status and say this on stderr."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, **kwargs)
    if done.returncode != status or says not in done.stderr:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}, not {status}:\n"
                             f"{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stdout
