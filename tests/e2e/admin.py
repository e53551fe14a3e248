# SPDX-License-Identifier: MIT
"""Calling the admin endpoints, and saying what they must answer."""

import json
import urllib.parse

from harness import http_request


def admin(server, method, path, body=None, headers=None, **query):
    """One request to /_s3mem/PATH; body: anything that JSON can say. Query values are text."""
    target = "/_s3mem/" + path
    if query:
        target += "?" + urllib.parse.urlencode(query)
    data = None if body is None else json.dumps(body).encode()
    return http_request(server, method, target, headers=headers, body=data)


def ok(reply, status=200):
    """The JSON of a reply that must have this status (None for 204)."""
    assert reply.status == status, reply
    return None if status == 204 else reply.json


def admin_refused(reply, status, code, field=None):
    """The reply must be this admin error, naming this field."""
    assert reply.status == status, reply
    error = reply.json["error"]
    assert error["code"] == code and error["message"], error
    assert error.get("field") == field, error
    assert reply.headers["content-type"] == "application/json"
    return error
