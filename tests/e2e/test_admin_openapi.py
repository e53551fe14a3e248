# SPDX-License-Identifier: MIT
"""The OpenAPI description is what the server does: the same endpoints as admin.def, and each path
that it names is called and answers as it says."""

import json
import re

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from admin import admin
from harness import ROOT, http_request, serving


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    with serving("--bucket", "demo", "--state-dir", tmp_path_factory.mktemp("state")) as server:
        http_request(server, "PUT", "/demo/k", body=b"x")
        http_request(server, "PUT", "/demo/resource=users/id=u1", body=b'{"name":"A"}')
        server.description = admin(server, "GET", "openapi.json").json
        yield server


def as_json_schema(value):
    """OpenAPI 3.0 says "nullable" where JSON Schema has a type null."""
    if isinstance(value, dict):
        value = {k: as_json_schema(v) for k, v in value.items()}
        if value.pop("nullable", False):
            return {"anyOf": [value, {"type": "null"}]}
    elif isinstance(value, list):
        value = [as_json_schema(v) for v in value]
    return value


def resolve(description, node):
    while "$ref" in node:
        target = description
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def validate(description, schema, value):
    whole = as_json_schema(description)
    registry = Registry().with_resource(
        "urn:description", Resource(contents=whole, specification=DRAFT202012))
    reference = json.loads(json.dumps(as_json_schema(schema)).replace(
        '"#/components', '"urn:description#/components'))
    Draft202012Validator(reference, registry=registry).validate(value)


def test_the_same_endpoints_as_the_table(described):
    table = (ROOT / "src/admin/admin.def").read_text(encoding="utf-8")
    rows = {(method.lower(), path) for method, path in
            re.findall(r'^ROUTE\((\w+),\s+"(/_s3mem/[^"]*)"', table, re.M)}
    named = {(method, re.sub(r"\{\w+\}", "*", path))
             for path, item in described.description["paths"].items() for method in item}
    assert named == rows


def test_the_same_query_parameters_as_the_table(described):
    table = (ROOT / "src/admin/admin.def").read_text(encoding="utf-8")
    rows = re.findall(r'^ROUTE\((\w+),\s+"(/_s3mem/[^"]*)",\s*\w+,\s*\w+,\s*"([^"]*)"', table, re.M)
    for path, item in described.description["paths"].items():
        for method, operation in item.items():
            query = next(q for m, p, q in rows
                         if m.lower() == method and p == re.sub(r"\{\w+\}", "*", path))
            if query == "*":
                continue
            parameters = [resolve(described.description, p)
                          for p in operation.get("parameters", [])]
            named = {p["name"] for p in parameters if p["in"] == "query"}
            assert named == set(query.split()), (method, path)


# In an order in which each finds what it needs: operation, path, body, status.
CALLS = [
    ("takeSnapshot", "snapshots", {"name": "s"}, 201),
    ("listSnapshots", "snapshots", None, 200),
    ("downloadSnapshot", "snapshots/s", None, 200),
    ("restoreSnapshot", "snapshots/s/restore", None, 200),
    ("forkBranch", "branches", {"name": "b", "from": "s"}, 201),
    ("listBranches", "branches", None, 200),
    ("getBranch", "branches/b", None, 200),
    ("deleteBranch", "branches/b", None, 204),
    ("clear", "clear?bucket=demo&prefix=none", None, 200),
    ("getStats", "stats?keys=true", None, 200),
    ("listObjects", "objects?bucket=demo&delimiter=/&versions=true", None, 200),
    ("getMetrics", "metrics", None, 200),
    ("listRequests", "requests?limit=5", None, 200),
    ("clearRequests", "requests", None, 204),
    ("setFaults", "faults", {"rules": [{"operation": "PutObject", "error": "SlowDown"}]}, 200),
    ("addFault", "faults", {"operation": "GetObject", "latency": {"min": 1, "max": "2ms"}}, 201),
    ("listFaults", "faults", None, 200),
    ("removeFault", "faults/1", None, 204),
    ("clearFaults", "faults", None, 204),
    ("setClock", "clock", {"advance": "1h"}, 200),
    ("getClock", "clock", None, 200),
    ("resetClock", "clock", None, 200),
    ("dropSnapshot", "snapshots/s", None, 204),
    ("saveMemoryFile", "save", {"path": "demo.json"}, 200),
    ("downloadMemoryFile", "save?strict=false", None, 200),
    ("loadMemoryFile", "load", {"path": "demo.json", "bucket": "other", "clear": True}, 200),
    ("uploadMemoryFile", "load?clear=false",
     {"bucket": "demo", "objects": {"k": {"body": "eA==", "metadata": {"a": "1"}}}}, 200),
    ("listJobs", "jobs", None, 200),
    ("getJob", "jobs/2", None, 200),
    ("endJob", "jobs/2", None, 204),
    ("exportBackup", "export", {"path": "backup", "bucket": "demo"}, 200),
    ("importBackup", "import", {"path": "backup", "bucket": "copy", "atomic": True}, 200),
    ("downloadBackup", "export?bucket=demo&format=tar.gz", None, 200),
    ("getIndex", "", None, 200),
    ("getCa", "ca.pem", None, 404),
    ("getHealth", "health", None, 200),
    ("getOpenapi", "openapi.json", None, 200),
]
# A stream without an end, and a body that is no JSON, have tests of their own.
ELSEWHERE = {"followEvents", "uploadSnapshot", "uploadBackup"}


def test_each_path_answers_as_described(described):
    operations = {operation["operationId"]: (method, operation)
                  for item in described.description["paths"].values()
                  for method, operation in item.items()}
    assert set(operations) == {name for name, *_ in CALLS} | ELSEWHERE
    for name, path, body, status in CALLS:
        method, operation = operations[name]
        if body is not None:
            content = operation["requestBody"]["content"]["application/json"]
            validate(described.description, content["schema"], body)
        reply = admin(described, method.upper(), path, body)
        assert reply.status == status, (name, reply)
        content = resolve(described.description,
                          operation["responses"][str(status)]).get("content", {})
        if status == 204:
            assert not content and reply.body == b"", name
            continue
        kind = reply.headers["content-type"].split(";")[0]
        assert kind in content, (name, kind)
        if kind == "application/json":
            validate(described.description, content[kind]["schema"], reply.json)


def test_examples_are_valid(described):
    for item in described.description["paths"].values():
        for operation in item.values():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content and "example" in content:
                validate(described.description, content["schema"], content["example"])


@pytest.mark.parametrize("method, path", [("GET", "snapshots/none"), ("POST", "clear?x=1"),
                                          ("DELETE", "branches/main"), ("PUT", "clock")])
def test_errors_are_as_described(described, method, path):
    reply = admin(described, method, path)
    assert reply.status >= 400
    validate(described.description, {"$ref": "#/components/schemas/Error"}, reply.json)
