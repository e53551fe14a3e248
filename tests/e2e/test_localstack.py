# SPDX-License-Identifier: MIT
"""The endpoints of LocalStack and MinIO that tools wait on, and their safety."""

import pytest

from harness import client, http_request, keys_of, serving, unique


def test_health(server):
    """LocalStack documentation, "Internal endpoints"."""
    for method in ("GET", "HEAD"):
        reply = http_request(server, method, "/_localstack/health")
        assert reply.status == 200
        assert reply.headers["content-type"].startswith("application/json")
    reply = http_request(server, "GET", "/_localstack/health")
    assert reply.json["services"]["s3"] in ("running", "available")
    assert {"edition", "version"} <= set(reply.json)


def test_info(server):
    info = http_request(server, "GET", "/_localstack/info").json
    assert {"version", "edition", "uptime", "server_time_utc", "system"} <= set(info)
    assert info["uptime"] >= 0


def test_init(server):
    state = http_request(server, "GET", "/_localstack/init").json
    assert state["completed"]["READY"] is True and state["completed"]["SHUTDOWN"] is False
    assert isinstance(state["scripts"], list)
    for stage, done in (("boot", True), ("start", True), ("ready", True), ("shutdown", False)):
        reply = http_request(server, "GET", f"/_localstack/init/{stage}")
        assert reply.status == 200 and reply.json["completed"] is done, stage
    assert http_request(server, "GET", "/_localstack/init/nonsense").status == 404


def test_minio_health(server):
    for path in ("/minio/health/live", "/minio/health/ready"):
        for method in ("GET", "HEAD"):
            assert http_request(server, method, path).status == 200


def test_own_health(server):
    reply = http_request(server, "GET", "/_s3mem/health")
    assert reply.status == 200 and isinstance(reply.json, dict)


def test_unknown_admin_paths(server):
    """No S3 error documents, no buckets of that name: JSON with a fitting status."""
    for method, path in (
        ("GET", "/_s3mem/nonsense"),
        ("GET", "/_localstack/nonsense"),
        ("PUT", "/_s3mem/health"),
        ("DELETE", "/_localstack/health"),
        ("GET", "/_localstack/state/reset"),
    ):
        reply = http_request(server, method, path, body=b"" if method == "PUT" else None)
        assert reply.status in (404, 405), (method, path, reply)
        assert {"code", "message"} <= set(reply.json["error"]), reply


@pytest.mark.options
@pytest.mark.parametrize(
    "path,body", [("/_localstack/state/reset", b""), ("/_localstack/health", b'{"action":"restart"}')]
)
def test_reset(path, body):
    """Everything is gone, uploads in progress too; the server goes on."""
    with serving("--bucket", "at-start") as server:
        s3 = client(server)
        name = unique()
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="k", Body=b"x" * 100_000)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        s3.create_multipart_upload(Bucket=name, Key="m")
        reply = http_request(server, "POST", path, body=body)
        assert reply.status == 200
        assert name not in [b["Name"] for b in s3.list_buckets().get("Buckets", [])]
        s3.create_bucket(Bucket=name)
        assert keys_of(s3.list_objects_v2(Bucket=name)) == []
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=name)
        assert "Status" not in s3.get_bucket_versioning(Bucket=name)


CROSS_SITE = [
    {"Origin": "http://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-origin", "Host": "evil.example"},
]


@pytest.mark.options
@pytest.mark.parametrize("headers", CROSS_SITE)
def test_refuses_browsers_of_other_sites(headers):
    """What a web page of another site could send is refused, and by DNS rebinding too."""
    with serving("--bucket", "bucket") as server:
        if "Host" not in headers:
            headers = {**headers, "Host": f"127.0.0.1:{server.port}"}
        reply = http_request(server, "POST", "/_localstack/state/reset", headers, b"")
        assert reply.status == 403, reply
        assert http_request(server, "HEAD", "/bucket").status == 200


@pytest.mark.options
def test_allows_programs_and_own_pages():
    with serving() as server:
        here = f"127.0.0.1:{server.port}"
        for headers in (
            {"Host": "s3.container.internal:4566"},
            {"Host": here, "Origin": f"http://{here}"},
            {"Host": here, "Sec-Fetch-Site": "same-origin"},
        ):
            assert (
                http_request(server, "POST", "/_localstack/state/reset", headers, b"").status == 200
            ), headers
