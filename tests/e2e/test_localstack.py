# SPDX-License-Identifier: MIT
"""The endpoints of LocalStack and MinIO that tools wait on, and their safety."""

import re

import pytest

from harness import ROOT, client, http_request, keys_of, refused, serving, unique


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


# LocalStack's source: services/internal.py, utils/diagnose.py, runtime/init.py.


def test_config(server):
    config = http_request(server, "GET", "/_localstack/config").json
    assert config["GATEWAY_LISTEN"][0]["port"] == server.port
    assert config["LOCALSTACK_HOST"] == {"host": "127.0.0.1", "port": server.port}
    assert (config["DEFAULT_REGION"], config["PERSISTENCE"]) == ("us-east-1", False)
    # Nothing is set from there.
    assert http_request(server, "POST", "/_localstack/config", body=b"{}").status == 405


def test_diagnose(server):
    found = http_request(server, "GET", "/_localstack/diagnose").json
    assert set(found) == {
        "version", "info", "services", "config", "docker-inspect", "docker-dependent-image-hashes",
        "file-tree", "important-endpoints", "logs", "usage",
    }  # fmt: skip
    assert found["version"]["host"]["kernel"].startswith("Linux version ")
    assert found["services"] == {"s3": "running"}
    info = http_request(server, "GET", "/_localstack/info").json
    assert found["version"]["localstack-version"]["build-version"] == info["version"]
    assert set(found["info"]) == set(info)
    assert found["config"] == http_request(server, "GET", "/_localstack/config").json


def test_plugins(server):
    plugins = http_request(server, "GET", "/_localstack/plugins").json
    [provider] = plugins["localstack.aws.provider"]
    assert provider == {"name": "s3:default", "is_initialized": True, "is_loaded": True}
    assert [p["name"] for p in plugins["localstack.init.runner"]] == ["py", "sh"]


def test_reset_of_another_service(server, bucket):
    reply = http_request(server, "POST", "/_localstack/state/sqs/reset", body=b"")
    assert reply.status == 404 and reply.json["error"]["code"] == "NotFound"
    assert http_request(server, "GET", "/_localstack/state/s3/reset").status == 405
    client(server).head_bucket(Bucket=bucket)


def test_index(server):
    """Every endpoint of the table, and nothing else."""
    index = http_request(server, "GET", "/_s3mem/").json
    table = (ROOT / "src/admin/admin.def").read_text(encoding="utf-8")
    rows = re.findall(r'^ROUTE\((\w+),\s+"([^"]*)".*?(\S+)\)$', table, re.M)
    assert [(e["method"], e["path"], e["open"]) for e in index["endpoints"]] == [
        (method, path.replace("*", "{name}"), flags == "OPEN") for method, path, flags in rows
    ]
    [metrics] = [e for e in index["endpoints"] if e["path"] == "/_s3mem/requests" and e["method"] == "GET"]
    assert "wait" in metrics["query"]
    assert http_request(server, "GET", index["description"]).status == 200


# ---- /health, as wait-on, Kubernetes and Compose ask for it ---------------------------------------

PROBES = ["/health", "/healthz"]


@pytest.mark.options
@pytest.mark.parametrize("path", PROBES)
@pytest.mark.parametrize("options", [(), ("--auto-bucket",), ("--access-key", "a", "--secret-key", "b")])
def test_probe(path, options):
    with serving(*options) as server:
        assert http_request(server, "GET", path).json["status"] == "ready"
        assert http_request(server, "HEAD", path).status == 200


@pytest.mark.parametrize("path", PROBES)
def test_probe_gives_way_to_a_bucket(server, s3, path):
    """Who addresses a bucket of that name gets S3's answer, and a bucket's in any case."""
    name = path.strip("/")
    with refused("404", 404):
        s3.head_bucket(Bucket=name)
    with refused("NoSuchBucket", 404):
        client(server, key=None).list_objects_v2(Bucket=name)
    assert http_request(server, "GET", path + "?list-type=2").code == "NoSuchBucket"
    assert http_request(server, "GET", path + "/").code == "NoSuchBucket"
    assert http_request(server, "DELETE", path).code == "NoSuchBucket"
    assert http_request(server, "GET", path + "y").code == "NoSuchBucket"
    s3.create_bucket(Bucket=name)
    try:
        assert http_request(server, "GET", path).xml.tag == "ListBucketResult"
    finally:
        s3.delete_bucket(Bucket=name)
    assert http_request(server, "GET", path).json["status"] == "ready"


@pytest.mark.parametrize("path", PROBES)
def test_probe_is_no_key(server, bucket, path):
    """BUCKET.localhost/health is an object."""
    host = {"Host": f"{bucket}.localhost:{server.port}"}
    assert http_request(server, "GET", path, headers=host).code == "NoSuchKey"
    assert http_request(server, "PUT", path, headers=host, body=b"x").status == 200
    assert http_request(server, "GET", path, headers=host).body == b"x"


@pytest.mark.parametrize("path", [*PROBES, "/_s3mem/", "/_localstack/config", "/_localstack/diagnose"])
def test_pages_from_elsewhere_get_nothing(server, path):
    headers = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    reply = http_request(server, "GET", path, headers=headers)
    assert reply.status == 403 and reply.json["error"]["code"] == "ForeignOrigin"
    reply = http_request(server, "POST", "/_localstack/state/s3/reset", headers=headers, body=b"")
    assert reply.status == 403


@pytest.mark.options
@pytest.mark.parametrize(
    "path,body",
    [("/_localstack/state/reset", b""), ("/_localstack/state/s3/reset", b""), ("/_localstack/health", b'{"action":"restart"}')],
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
