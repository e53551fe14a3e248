# SPDX-License-Identifier: MIT
"""Requests near the valid ones, by tests/data/near.tsv: each is answered as its line says, in S3's form, on a connection that is
kept, and nothing has changed after a refusal or a read. near.py makes the requests; HACKING.md tells how to add an operation."""

import contextlib

import pytest

from harness import MIB, serving
from near import UNKNOWN, VALID, World, answer_of, built_operations, cells, read_table, variants

pytestmark = pytest.mark.options

TABLE = read_table()
KINDS = {"recorded", "measured", "thread", "suite", "docs", "model", "ours", UNKNOWN}


@pytest.fixture(scope="module")
def world():
    with serving() as server, contextlib.closing(World(server)) as made:
        yield made


def test_each_built_operation_has_its_cells():
    """Those of the generator, and no others: `near.py --write` brings the table up to date."""
    assert sorted(VALID) == built_operations()
    now = {name: str(request) for name, request in cells().items()}
    then = {name: cell.request for name, cell in TABLE.items()}
    assert now == then
    assert {cell.kind for cell in TABLE.values()} <= KINDS
    assert all(cell.source == UNKNOWN or cell.source.partition(": ")[2] for cell in TABLE.values())


def as_expected(answer, expected):
    """An expectation without a message, or without the argument's name, leaves it open."""
    return expected in (answer, answer.partition(" [")[0], answer.partition(": ")[0])


def well_formed(reply, request):
    """An answer of S3's: its ids, no failure of the server's own, an error document where it is an error."""
    assert reply.status < 500 or reply.status == 501, reply
    assert reply.headers["x-amz-request-id"] and reply.headers["x-amz-id-2"], reply
    if request.method == "HEAD":
        assert not reply.body, reply
    elif reply.status >= 400:
        assert reply.code and reply.error["RequestId"] == reply.headers["x-amz-request-id"], reply
        assert reply.headers["content-type"] == "application/xml", reply
    elif reply.headers.get("content-type") == "application/xml" and reply.body:
        assert reply.xml.tag, reply
    assert len(reply.body) < MIB


def check_cell(world, cell, request, made):
    """made: the picture before the request."""
    reply, kept = world.send(request)
    answer = answer_of(reply, kept, world.names)
    assert as_expected(answer, cell.answer), f"{answer}, not {cell.answer}  ({cell.source})"
    if not kept:  # what HTTP itself cannot read
        assert request.headers.get("Content-Length", "0") in ("", "-1"), reply
        return
    well_formed(reply, request)
    changed = world.picture() != made
    assert not changed or (reply.status < 300 and request.method in ("PUT", "POST", "DELETE")), "it has changed something"
    if changed:
        world.restore()


@pytest.mark.parametrize("operation", built_operations())
def test_near(world, operation):
    assert TABLE[operation, "valid"].answer == str(VALID[operation].status)
    failures, made = [], world.picture()
    for variant, request in variants(operation):
        try:
            check_cell(world, TABLE[operation, variant], request, made)
        except AssertionError as error:
            failures.append(f"{operation} {variant}\n  {request}\n  {str(error).splitlines()[0]}")
            world.restore()
    assert not failures, "\n".join(failures)
