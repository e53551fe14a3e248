# SPDX-License-Identifier: MIT
"""What web pages may do, by the headers that browsers send: hosts, origins, CORS, sandboxed
objects. test_guard_browser.py asks a real browser. Sources: Fetch standard, W3C Fetch Metadata."""

import shutil
import subprocess

import pytest

from harness import (
    PATIENCE,
    client,
    connect,
    http_request,
    is_error,
    keys_of,
    run_daemon,
    serving,
    unique,
)

pytestmark = pytest.mark.options

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0.0.0 Safari/537.36",
    "Accept-Language": "en-US,en;q=0.9",
}
EVIL = {**BROWSER, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
HOME = {**BROWSER, "Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
OPENS = {
    **BROWSER,
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Referer": "https://evil.example/",
}
IMAGE = {**OPENS, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
BOUNDARY = "----WebKitFormBoundaryABC"


def form(fields, file=b"x", name="f"):
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'
        for k, v in fields.items()
    ]
    head = "".join(parts) + (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    )
    return head.encode() + file + f"\r\n--{BOUNDARY}--\r\n".encode()


FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
TEXT = {"Content-Type": "text/plain"}
DELETE_ALL = b"<Delete><Object><Key>precious</Key></Object></Delete>"

# What a page can make a browser send without asking first, and some of what it cannot.
S3_ATTACKS = [
    ("POST", "/{b}", FORM, form({"key": "evil.html", "Content-Type": "text/html"})),
    ("POST", "/{b}?delete", TEXT, DELETE_ALL),
    ("POST", "/{b}?delete=&x-id=DeleteObjects", TEXT, DELETE_ALL),
    ("POST", "/{b}/k?uploads", TEXT, b""),
    ("PUT", "/{b}/k", TEXT, b"x"),
    ("PUT", "/new-{b}", {}, b""),
    ("DELETE", "/{b}/precious", {}, None),
    ("DELETE", "/{b}", {}, None),
    ("GET", "/", {}, None),
    ("GET", "/{b}", {}, None),
    ("GET", "/{b}?list-type=2&x-id=ListObjectsV2", {}, None),
    ("HEAD", "/{b}", {}, None),
    ("GET", "/{b}?versions", {}, None),
    ("GET", "/{b}/precious?tagging", {}, None),
    ("GET", "/{b}/precious?attributes", {"x-amz-object-attributes": "ETag"}, None),
]
# Not even one object, unless it is opened.
OBJECT_READS = [
    ("GET", "/{b}/precious", {}, None),
    ("HEAD", "/{b}/precious", {}, None),
    ("GET", "/{b}/precious?x-id=GetObject&response-content-type=text%2Fhtml", {}, None),
    ("GET", "/{b}/precious", {"Connection": "Upgrade", "Upgrade": "websocket",
                              "Sec-WebSocket-Version": "13"}, None),
]
ADMIN_ATTACKS = [
    ("POST", "/_s3mem/clear", TEXT, b""),
    ("POST", "/_s3mem/snapshots", TEXT, b'{"name":"x"}'),
    ("PUT", "/_s3mem/faults", TEXT, b'{"rules":[]}'),
    ("POST", "/_s3mem/branches", TEXT, b'{"name":"b"}'),
    ("DELETE", "/_s3mem/requests", {}, None),
    ("PUT", "/_s3mem/clock", TEXT, b'{"offset":"2h"}'),
    ("GET", "/_s3mem/health", {}, None),
    ("GET", "/_s3mem/stats?keys=true", {}, None),
    ("GET", "/_s3mem/events", {"Accept": "text/event-stream"}, None),
    ("GET", "/_s3mem/requests?wait=10s&count=1000", {}, None),
    ("GET", "/_s3mem/export?bucket={b}", {}, None),
    ("GET", "/_s3mem/openapi.json", {}, None),
    ("GET", "/_localstack/health", {}, None),
    ("POST", "/_localstack/health", TEXT, b'{"action":"restart"}'),
    ("POST", "/_localstack/state/reset", TEXT, b""),
    ("GET", "/_localstack/init", {}, None),
    ("GET", "/minio/health/live", {}, None),
    ("HEAD", "/minio/health/ready", {}, None),
]


@pytest.fixture
def filled(s3, bucket):
    s3.put_object(Bucket=bucket, Key="precious", Body=b"data")
    yield bucket
    assert s3.get_object(Bucket=bucket, Key="precious")["Body"].read() == b"data"
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["precious"]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def attack(server, bucket, what, browser):
    method, target, headers, body = what
    return http_request(
        server, method, target.format(b=bucket), {**browser, **headers}, body, timeout=10
    )


def refuses(reply, what, option):
    assert reply.status == 403, (what, reply)
    if what[0] == "HEAD":
        return
    if what[1].startswith(("/_", "/minio")):
        assert reply.json["error"]["code"] == "ForeignOrigin", reply
        assert option in reply.json["error"]["message"], reply
    else:
        is_error(reply, "AccessDenied", 403)
        assert option in reply.error["Message"], reply
    assert "access-control-allow-origin" not in reply.headers, reply


# ---- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "browser,option",
    [
        (EVIL, "--cors-allow-origin=https://evil.example"),
        ({"Origin": "https://evil.example"}, "--cors-allow-origin=https://evil.example"),
        ({**BROWSER, "Origin": "null"}, "--cors-allow-origin=null"),
        ({**BROWSER, "Sec-Fetch-Site": "cross-site"}, "--cors-allow-origin"),
        ({**BROWSER, "Referer": "http://evil.example/"}, "--cors-allow-origin=http://evil.example"),
        ({**BROWSER, "Host": "evil.example:4566"}, "--allow-host=evil.example"),
        ({**BROWSER, "Host": "evil.example:4566", "Sec-Fetch-Site": "same-origin"},
         "--allow-host=evil.example"),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, "--allow-host=evil.example"),
    ],
    ids=["page", "bare origin", "null", "site", "referer", "rebound", "rebound, https", "rebound fetch"],
)
def test_pages_from_elsewhere(server, filled, browser, option):
    for what in S3_ATTACKS + OBJECT_READS + ADMIN_ATTACKS:
        refuses(attack(server, filled, what, browser), what, option)


def test_a_signature_that_nobody_verified_exempts_from_nothing(server, filled, s3):
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, "
              "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64, "x-amz-date": "20260101T000000Z"}
    url = s3.generate_presigned_url("get_object", Params={"Bucket": filled, "Key": "precious"})
    target = url[len(server.url):]
    for what in (("DELETE", "/{b}/precious", signed, None), ("GET", target, {}, None)):
        refuses(attack(server, filled, what, EVIL), what, "--cors-allow-origin")


def test_a_browser_that_says_nothing_may_read_one_object(server, filled):
    for what in S3_ATTACKS + ADMIN_ATTACKS:
        refuses(attack(server, filled, what, BROWSER), what, "--cors-allow-origin=*")
    reply = http_request(server, "GET", f"/{filled}/precious", BROWSER)
    assert (reply.status, reply.body) == (200, b"data")
    assert http_request(server, "HEAD", f"/{filled}/precious", BROWSER).status == 200


def test_a_link_is_opened_and_nothing_else(server, filled):
    """From a page elsewhere: sandboxed, so that nobody can read it from there."""
    reply = http_request(server, "GET", f"/{filled}/precious", OPENS)
    assert (reply.status, reply.body) == (200, b"data")
    assert reply.headers["content-security-policy"] == "sandbox"
    assert reply.headers["x-content-type-options"] == "nosniff"
    for what in S3_ATTACKS + ADMIN_ATTACKS:
        refuses(attack(server, filled, what, OPENS), what, "--cors-allow-origin=https://evil.example")
    frame = {**OPENS, "Sec-Fetch-Dest": "iframe"}
    assert http_request(server, "GET", f"/{filled}/precious", frame).status == 403


def test_looking_changes_nothing():
    """--auto-bucket and --branch-per-key make something at the first look."""
    with serving("--auto-bucket", "--branch-per-key") as server:
        for headers in (OPENS, BROWSER):
            url = client(server, key="worker-7").generate_presigned_url(
                "get_object", Params={"Bucket": "made-by-a-page", "Key": "k"}
            )
            for target in ("/made-by-a-page/k", url[len(server.url):]):
                is_error(http_request(server, "GET", target, headers), "NoSuchBucket", 404)
        branches = http_request(server, "GET", "/_s3mem/branches").json
        assert "worker-7" not in str(branches)
        assert client(server).list_buckets().get("Buckets", []) == []
        assert http_request(server, "GET", "/made-by-a-page/k", HOME).code == "NoSuchKey"


# ---- served -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"User-Agent": "Boto3/1.44.5", "Host": "evil.example"},
        {"User-Agent": "PostmanRuntime/7.43", "Postman-Token": "x", "Accept": "*/*"},
        {"User-Agent": "node", "Accept-Language": "*", "Sec-Fetch-Mode": "cors"},
        {"User-Agent": "Deno/2.1", "Accept-Language": "*"},
        {"User-Agent": "curl/8", "Referer": "https://evil.example/"},
        {"User-Agent": "App/1 CFNetwork/1490 Darwin/23", "Accept-Language": "en-GB"},
        # Tools that send requests of their own under a browser's name.
        {"User-Agent": BROWSER["User-Agent"], "Accept": "*/*"},
        # Electron's main process; a person at the address bar.
        {**BROWSER, "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "no-cors"},
        HOME,
        {**BROWSER, "Origin": "http://127.0.0.1:8080"},
        {**BROWSER, "Origin": "https://app.localhost"},
        {**BROWSER, "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_programs_and_pages_at_home(server, headers):
    name = unique()
    assert http_request(server, "PUT", f"/{name}", headers, b"").status == 200
    assert http_request(server, "PUT", f"/{name}/k", headers, b"x").status == 200
    assert http_request(server, "GET", f"/{name}/k", headers).body == b"x"
    assert http_request(server, "GET", f"/{name}?list-type=2", headers).status == 200
    assert http_request(server, "GET", "/_s3mem/stats", headers).status == 200
    assert http_request(server, "DELETE", f"/{name}/k", headers).status == 204


def test_node(server, bucket):
    """Its fetch sends Sec-Fetch-Mode."""
    if not shutil.which("node"):
        pytest.skip("no node")
    script = """const u = process.argv[1];
        const put = await fetch(u, {method: 'PUT', body: 'x'});
        const list = await fetch(u.replace(/[/]k$/, '?list-type=2'));
        const gone = await fetch(u, {method: 'DELETE'});
        console.log(put.status, list.status, gone.status);"""
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script, f"{server.url}/{bucket}/k"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )
    assert done.stdout.split() == ["200", "200", "204"], done


def test_an_image_beside_localhost(server, filled):
    """http://localhost:3000 and 127.0.0.1 are two sites; the Referer tells."""
    image = {**IMAGE, "Referer": "http://localhost:3000/"}
    assert http_request(server, "GET", f"/{filled}/precious", image).body == b"data"
    assert http_request(server, "GET", f"/{filled}", image).status == 403
    assert http_request(server, "DELETE", f"/{filled}/precious", image).status == 403


def test_hosts():
    """A browser's Host; an absolute target's authority is the one that counts."""
    with serving("--bucket", "bucket", "--allow-host", "s3.example.com", "--domain", "s3.corp.example",
                 "--domain", "localhost") as server:
        client(server).put_object(Bucket="bucket", Key="k", Body=b"x")
        for host in ("s3memd:4566", "192.0.2.7", "[::1]:4566", "s3.example.com", "a.s3.example.com:80",
                     "s3.test", "host.docker.internal:4566", "x.local", "S3.corp.example"):
            reply = http_request(server, "GET", "/bucket/k", {**BROWSER, "Host": host})
            assert (reply.status, reply.body) == (200, b"x"), host
        for host in ("bucket.s3.corp.example", "bucket.localhost:4566"):
            reply = http_request(server, "GET", "/k", {**BROWSER, "Host": host})
            assert (reply.status, reply.body) == (200, b"x"), host
        for host in ("example.com", "evil.example", "xs3.example.com", "127.0.0.1.evil.example", "ai."):
            for target in ("/bucket/k", "/_s3mem/health", f"http://{host}/bucket/k"):
                reply = http_request(server, "GET", target, {**BROWSER, "Host": host})
                assert reply.status == 403 and f"--allow-host={host}" in reply.text, reply
        reply = http_request(server, "GET", "http://evil.example/bucket/k", {**BROWSER, "Host": "localhost"})
        assert reply.status == 403, reply


# ---- CORS ---------------------------------------------------------------------------------------

ASKS = {"Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type,x-amz-date,x-amz-meta-a"}


def readable(reply, origin):
    assert reply.headers["access-control-allow-origin"] == origin, reply
    assert "ETag" in reply.headers["access-control-expose-headers"]
    assert reply.headers["access-control-expose-headers"].startswith("*,")
    assert "Origin" in reply.headers["vary"]
    assert [k for k, _ in reply.pairs].count("access-control-allow-origin") == 1
    return reply


def test_cors():
    app = "https://app.example.com:8443"
    with serving("--cors-allow-origin", app, "--bucket", "bucket") as server:
        for origin in (app, "http://localhost:3000", "http://127.0.0.1:1", "http://[::1]:3000"):
            page = {**BROWSER, "Origin": origin}
            for target in ("/", "/bucket", "/no-such-bucket", "/bucket/k", "/bucket/k?uploads=",
                           "/bucket?list-type=2", "/bucket/k?partNumber=1&uploadId=x",
                           "/bucket/k?X-Amz-Signature=x", "/_s3mem/clear"):
                reply = readable(http_request(server, "OPTIONS", target, {**page, **ASKS}), origin)
                assert reply.status == 200, (target, reply)
                assert reply.headers["access-control-allow-headers"] == ASKS["Access-Control-Request-Headers"]
                assert "DELETE" in reply.headers["access-control-allow-methods"]
            put = {**page, "x-amz-meta-a": "b"}
            assert readable(http_request(server, "PUT", "/bucket/k", put, b"x"), origin).status == 200
            assert readable(http_request(server, "GET", "/bucket/k", page), origin).body == b"x"
            is_error(readable(http_request(server, "GET", "/bucket/none", page), origin), "NoSuchKey", 404)
            is_error(readable(http_request(server, "POST", "/bucket/k", page, b""), origin),
                     "MethodNotAllowed", 405)
            posted = http_request(server, "POST", "/bucket", {**page, **FORM}, form({"key": "f"}))
            assert readable(posted, origin).status == 204
            assert readable(http_request(server, "GET", "/_s3mem/stats", page), origin).status == 200
        for origin in ("https://app.example.com", "http://app.example.com:8443", "null"):
            reply = http_request(server, "OPTIONS", "/bucket/k", {**BROWSER, **ASKS, "Origin": origin})
            is_error(reply, "AccessForbidden", 403)
            assert "access-control-allow-origin" not in reply.headers


def test_every_origin():
    """--cors-allow-origin='*' is the owner's own risk; the host is asked for all the same."""
    with serving("--cors-allow-origin", "*", "--bucket", "bucket") as server:
        for page in (EVIL, {**BROWSER, "Origin": "null"}):
            readable(http_request(server, "PUT", "/bucket/k", page, b"x"), page["Origin"])
        assert http_request(server, "GET", "/bucket/k", IMAGE).body == b"x"
        rebound = {**BROWSER, "Host": "evil.example"}
        assert http_request(server, "GET", "/bucket/k", rebound).status == 403


# ---- credentials --------------------------------------------------------------------------------


def test_what_was_signed_is_no_pages(auth_server, alice, alices_bucket):
    alice.put_object(Bucket=alices_bucket, Key="k", Body=b"x")
    get = alice.generate_presigned_url("get_object", Params={"Bucket": alices_bucket, "Key": "k"})
    target = get[len(auth_server.url):]
    for page in (EVIL, IMAGE, {**BROWSER, "Origin": "null"}):
        assert http_request(auth_server, "GET", target, page).body == b"x"
        forged = target[:-3] + ("aaa" if target[-3:] != "aaa" else "bbb")
        assert http_request(auth_server, "GET", forged, page).status == 403
    for what in S3_ATTACKS + OBJECT_READS + ADMIN_ATTACKS:
        assert attack(auth_server, alices_bucket, what, EVIL).status == 403, what


def test_forms_are_judged_by_their_policy(auth_server, alice, alices_bucket):
    post = alice.generate_presigned_post(alices_bucket, "from-elsewhere")
    target = f"/{alices_bucket}"
    reply = http_request(auth_server, "POST", target, {**EVIL, **FORM}, form(post["fields"]))
    assert reply.status == 204, reply
    forged = {**post["fields"], "signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}
    reply = http_request(auth_server, "POST", target, {**EVIL, **FORM}, form(forged))
    is_error(reply, "SignatureDoesNotMatch", 403)
    reply = http_request(auth_server, "POST", target, {**EVIL, **FORM}, form({"key": "anonymous"}))
    is_error(reply, "AccessDenied", 403)
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == ["from-elsewhere"]


def test_presigned_upload_out_of_a_page(auth_server, alice, alices_bucket):
    """The browser asks first, by OPTIONS, for what the URL was signed for."""
    put = alice.generate_presigned_url("put_object", Params={"Bucket": alices_bucket, "Key": "up"})
    target = put[len(auth_server.url):]
    asked = readable(http_request(auth_server, "OPTIONS", target, {**HOME, **ASKS}), HOME["Origin"])
    assert asked.status == 200
    reply = http_request(auth_server, "PUT", target, {**HOME, "Content-Type": ""}, b"x")
    assert readable(reply, HOME["Origin"]).status == 200, reply
    is_error(readable(http_request(auth_server, "GET", f"/{alices_bucket}/up", HOME), HOME["Origin"]),
             "AccessDenied", 403)


# ---- objects as pages ---------------------------------------------------------------------------


def test_objects_opened_as_pages():
    top = {**BROWSER, "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    override = "?response-content-type=text%2Fhtml&response-content-disposition=inline"
    for option, safe in (((), True), (("--allow-page-scripts",), False)):
        with serving("--bucket", "bucket", *option) as server:
            s3 = client(server)
            for kind in ("text/html", "image/svg+xml", "text/xml", "application/pdf+xml", "text/plain", ""):
                s3.put_object(Bucket="bucket", Key="k", Body=b"<script>1</script>", ContentType=kind)
                for target in ("/bucket/k", "/bucket/none", "/bucket/k" + override, "/bucket"):
                    for page in (top, {**top, "Sec-Fetch-Dest": "iframe"}, {**top, "Sec-Fetch-Dest": "object"}):
                        reply = http_request(server, "GET", target, page)
                        assert reply.headers.get("content-security-policy") == ("sandbox" if safe else None)
                        assert reply.headers.get("x-content-type-options") == ("nosniff" if safe else None)
                # Scripts, images and programs get what Amazon sends.
                for page in ({**HOME, "Sec-Fetch-Dest": "script"}, {**HOME, "Sec-Fetch-Dest": "image"}, {}):
                    reply = http_request(server, "GET", "/bucket/k", page)
                    assert not {"content-security-policy", "x-content-type-options"} & set(reply.headers)
            s3.put_object(Bucket="bucket", Key="pdf", Body=b"%PDF", ContentType="application/pdf")
            assert "content-security-policy" not in http_request(server, "GET", "/bucket/pdf", top).headers
            stats = http_request(server, "GET", "/_s3mem/stats", top)
            assert stats.headers.get("content-security-policy") == ("sandbox" if safe else None)


# ---- options and the log ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args,why",
    [
        (["--cors-allow-origin", "app.example.com"], "starts with its scheme"),
        (["--cors-allow-origin", "https://app.example.com/"], "no '/' behind the host"),
        (["--cors-allow-origin", "https://*.example.com"], "no blanks, patterns"),
        (["--cors-allow-origin", "https://app.example.com:443"], "leave out the port"),
        (["--cors-allow-origin", "https://"], "no host name"),
        (["--allow-host", "http://s3.example.com"], "not a host name without a port"),
        (["--allow-host", "s3.example.com:4566"], "not a host name without a port"),
        (["--allow-host", "*"], "not a host name without a port"),
    ],
)
def test_malformed_options(args, why):
    done = run_daemon("--listen", "127.0.0.1:0", *args)
    assert done.returncode == 2, done
    assert args[0] in done.stderr and why in done.stderr, done.stderr


def test_the_log_says_why():
    """Once a second at most: a page could send any number."""
    with serving("--bucket", "bucket") as server:
        for _ in range(50):
            http_request(server, "DELETE", "/bucket", EVIL)
        told = server.stderr().count("--cors-allow-origin=https://evil.example")
        assert 1 <= told < 25, server.stderr()


def test_a_refused_upload_is_not_asked_for(server, filled):
    """The page is refused before its browser sends the body."""
    with connect(server) as s:
        lines = [f"PUT /{filled}/big HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Origin: https://evil.example",
                 "Content-Length: 1000000000", "Expect: 100-continue", "", ""]
        s.sendall("\r\n".join(lines).encode())
        assert s.recv(65536).startswith(b"HTTP/1.1 403 ")
