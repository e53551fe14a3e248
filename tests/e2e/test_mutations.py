# SPDX-License-Identifier: MIT
"""Every part of a signed request, altered: always refused with a code of authentication, never carried out, never an error of
the server's own. Each table begins with the request as it was signed, which is taken."""

import base64
import json
import time
import urllib.parse

import pytest

from conftest import ALICE, BOB, CAROL
from harness import http_request, keys_of
from sign import SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, Signer, sha256, v2_headers, v2_query
from test_post_form import post, signed, stamp

pytestmark = pytest.mark.options

# Of Amazon's error list: what authentication answers.
CODES = {
    "AccessDenied", "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError", "InvalidAccessKeyId", "InvalidArgument",
    "InvalidToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "XAmzContentSHA256Mismatch", "InvalidRequest", "NotImplemented",
    "InvalidPolicyDocument", "IncompleteBody", "MalformedTrailerError", "InvalidURI", "NoSuchBucket", "MethodNotAllowed", "BadDigest",
    "InvalidChunkSizeError",
}  # fmt: skip


def flipped(text, at):
    """Another character of the same sort at that place."""
    old = text[at]
    new = "0" if old in "123456789" else "1" if old == "0" else "b" if old == "a" else "B" if old == "A" else "a" if old.islower() else "A" if old.isupper() else "x"
    return text[:at] + new + text[at + 1 :]


def spoiled(text):
    """Forms of a value that are not the value."""
    places = sorted({0, len(text) // 2, len(text) - 1})
    return [*(flipped(text, at) for at in places), text[:-1], text[1:], text + text[-1], "", "0", text * 30]


def refused(reply, what):
    assert reply.status in (400, 403, 404, 405, 501), (what, reply)
    if reply.body:
        assert reply.code in CODES, (what, reply)


@pytest.fixture
def signer(auth_server):
    return Signer(ALICE, f"127.0.0.1:{auth_server.port}")


@pytest.fixture
def untouched(alice, alices_bucket):
    """A bucket with one object that stays as it is, whatever the test sends."""
    alice.put_object(Bucket=alices_bucket, Key="k", Body=b"kept")
    yield alices_bucket
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == ["k"]
    assert alice.get_object(Bucket=alices_bucket, Key="k")["Body"].read() == b"kept"


# ---- Signature Version 4 ------------------------------------------------------------------------


def header_mutations(signer, good):
    """(what, headers) for each part of the Authorization header and each header that it covers."""
    authorization = good["authorization"]
    for part in (signer.signature, signer.access_key, signer.date[:8], signer.region, "s3", "aws4_request", "host;"):
        for wrong in spoiled(part):
            if wrong == part:
                continue
            yield part, {**good, "authorization": authorization.replace(part, wrong, 1)}
    scope = f"{signer.access_key}/{signer.scope}"
    for wrong in ("", "/", "////", scope + "/", "/" + scope, scope.replace("/", "//", 1), scope.replace("/", "%2F"), scope.upper(),
                  f"{BOB['accessKey']}/{signer.scope}", "x" * 5000, "/" * 5000):
        yield "credential", {**good, "authorization": authorization.replace(scope, wrong, 1)}
    for wrong in ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512 ", "aws4-hmac-sha256 ", "AWS4-HMAC-SHA256\t", "AWS ", "Bearer ", "AWS4-ECDSA-P256-SHA256 "):
        yield "algorithm", {**good, "authorization": authorization.replace("AWS4-HMAC-SHA256 ", wrong, 1)}
    for name in ("Credential", "SignedHeaders", "Signature"):
        for wrong in ("", name + "=x, " + name, name.lower()):
            yield name, {**good, "authorization": authorization.replace(name, wrong, 1)}
    names = authorization.split("SignedHeaders=")[1].split(",")[0]
    for wrong in ("", ";", "host", names + ";x-not-there", names + ";host", ";".join(reversed(names.split(";"))), names.upper(), names + ";", ";" + names, ";" * 3000):
        yield "signed headers", {**good, "authorization": authorization.replace(f"SignedHeaders={names}", f"SignedHeaders={wrong}", 1)}
    for name, value in good.items():
        if name in ("authorization", "content-length"):
            continue
        for wrong in (flipped(value, 0), flipped(value, len(value) - 1), value + "0", "0"):
            yield name, {**good, name: wrong}
        yield name, {n: v for n, v in good.items() if n != name} | ({"host": "x"} if name == "host" else {})


def test_header(auth_server, signer, untouched, alice):
    target, body = f"/{untouched}/new", b"body"
    extra = {"x-amz-meta-a": "one", "content-type": "text/plain"}
    good = signer.headers("PUT", target, body, headers=extra)
    count = 0
    for what, headers in header_mutations(signer, good):
        refused(http_request(auth_server, "PUT", target, headers, body), (what, headers))
        count += 1
    assert count > 100
    for method, at, data in (
        ("POST", target, body), ("DELETE", target, None), ("PUT", target + "x", body), ("PUT", target + "?tagging", body),
        ("PUT", target + "?x", body), ("PUT", target + "%20", body), ("PUT", f"/{untouched}//new", body),
        ("PUT", f"/{untouched}/./new", body), ("PUT", f"/other/new", body), ("PUT", target, b"Body"), ("PUT", target, b""),
        ("PUT", target, b"body."),
    ):  # fmt: skip
        refused(http_request(auth_server, method, at, good, data), (method, at, data))
    assert http_request(auth_server, "PUT", target, good, body).status == 200
    alice.delete_object(Bucket=untouched, Key="new")


def test_presigned(auth_server, signer, untouched):
    target = signer.presign("GET", f"/{untouched}/k?response-content-type=a/b&versionId=null", headers={"x-amz-meta-a": "1"})
    sent = {"x-amz-meta-a": "1"}
    assert http_request(auth_server, "GET", target, sent).body == b"kept"
    path, _, query = target.partition("?")
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    count = 0
    for n, (name, value) in enumerate(pairs):
        others = [wrong for wrong in spoiled(value) if wrong != value]
        for wrong in [*([*pairs[:n], (name, w), *pairs[n + 1 :]] for w in others), [*pairs[:n], *pairs[n + 1 :]],
                      [*pairs[:n], (name.lower() if name != name.lower() else name.upper(), value), *pairs[n + 1 :]],
                      [*pairs, (name, value)] if name != "X-Amz-Signature" else [*pairs[:n], (name, ""), (name, value)]]:  # fmt: skip
            altered = f"{path}?{urllib.parse.urlencode(wrong, quote_via=urllib.parse.quote)}"
            refused(http_request(auth_server, "GET", altered, sent), (name, altered))
            count += 1
    assert count > 80
    for method, at, headers in (
        ("GET", target.replace("/k?", "/l?"), sent), ("GET", target + "&acl", sent), ("GET", target + "&x-amz-meta-b=1", sent),
        ("PUT", target, sent), ("DELETE", target, sent), ("GET", target, {}), ("GET", target, {"x-amz-meta-a": "2"}),
        ("GET", target, {**sent, "x-amz-acl": "private"}), ("GET", target, {**sent, "authorization": "AWS4-HMAC-SHA256 x"}),
    ):  # fmt: skip
        refused(http_request(auth_server, method, at, headers), (method, at, headers))
    # HEAD is another method than the GET that was signed.
    assert http_request(auth_server, "HEAD", target, sent).status == 403


@pytest.mark.parametrize("expires", ["-1", "-9223372036854775808", "9223372036854775807", "9223372036854775808", "18446744073709551616",
                                     "604801", "1e3", "0x10", "+60", " 60", "60 ", "6 0", "", "0", "60.0", "９", "1" * 400])
def test_expiry(auth_server, signer, untouched, expires):
    """The signature is right; the time is none, too long, or over."""
    reply = http_request(auth_server, "GET", signer.presign("GET", f"/{untouched}/k", expires=expires))
    refused(reply, expires)
    assert reply.code in ("AuthorizationQueryParametersError", "AccessDenied"), reply


@pytest.mark.parametrize("date", ["00010101T000000Z", "19700101T000000Z", "16770921T001243Z", "22620411T234716Z", "22620412T000000Z", "99991231T235959Z",
                                  "20300101T000000Z", "20260230T000000Z", "20261301T000000Z", "20260101T240000Z", "20260101T006000Z", "-0010101T000000Z",
                                  "2026010100000000", "20260101T000000z", "20260101T000000", "20260101"])
def test_dates_far_away(auth_server, untouched, date):
    """Signed rightly with a date that overflows, lies far away or is none."""
    signer = Signer(ALICE, f"127.0.0.1:{auth_server.port}", date=date)
    for expires in (1, 604800):
        reply = http_request(auth_server, "GET", signer.presign("GET", f"/{untouched}/k", expires=expires))
        refused(reply, date)
    refused(http_request(auth_server, "GET", f"/{untouched}/k", signer.headers("GET", f"/{untouched}/k")), date)


def test_chunks(auth_server, signer, untouched, alice):
    target = f"/{untouched}/new"
    data = [b"a" * 8192, b"b" * 8192, b"c" * 100]
    extra = {"x-amz-decoded-content-length": str(sum(map(len, data))), "content-encoding": "aws-chunked"}
    good = signer.headers("PUT", target, headers=extra, payload=SIGNED_CHUNKS)
    body = signer.chunks(data)
    marks = [at for at in range(len(body)) if body.startswith(b"chunk-signature=", at)]
    assert len(marks) == 4

    def at(place, new):
        return body[:place] + new + body[place + len(new) :]

    lines = [body.rfind(b"\r\n", 0, mark) + 2 if body.rfind(b"\r\n", 0, mark) >= 0 else 0 for mark in marks]
    wrongs = [at(mark + 16 + n, b"0" if body[mark + 16 + n : mark + 17 + n] != b"0" else b"1") for mark in marks for n in (0, 31, 63)]
    wrongs += [at(body.index(c), b"x") for c in (b"aaa", b"bbb", b"ccc")]
    first, second, third, last = lines
    wrongs += [
        body[second:third] + body[first:second] + body[third:],  # swapped
        body[first:second] + body[third:],  # one left out
        body[first:second] * 2 + body[third:],  # one twice
        body[:last],  # cut
        body[:-20],
        body[last:],  # the last one only
        body.replace(b"chunk-signature", b"chunk-signaturf"),
        body.replace(b";chunk-signature=", b";a=", 1),
        body.replace(b"2000;", b"1fff;", 1),
        body.replace(b"2000;", b"2001;", 1),
        body.replace(b"2000;", b"ffffffffffffffff;", 1),
        body.replace(b"2000;", b"-2000;", 1),
        body[:first] + b"0" * 3000 + body[first:],
        body + body[last:],
    ]
    for n, wrong in enumerate(wrongs):
        assert wrong != body
        refused(http_request(auth_server, "PUT", target, good, wrong), ("chunk", n))
    for what, headers in header_mutations(signer, good):
        if what in (signer.signature, "signed headers", "x-amz-decoded-content-length", "content-encoding"):
            refused(http_request(auth_server, "PUT", target, headers, body), (what, headers))
    assert http_request(auth_server, "PUT", target, good, body).status == 200
    alice.delete_object(Bucket=untouched, Key="new")


def test_trailers(auth_server, signer, untouched, alice):
    import zlib

    target, data = f"/{untouched}/new", b"t" * 9000
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    extra = {"x-amz-decoded-content-length": str(len(data)), "x-amz-trailer": "x-amz-checksum-crc32", "content-encoding": "aws-chunked"}
    good = signer.headers("PUT", target, headers=extra, payload=SIGNED_CHUNKS_TRAILER)
    body = signer.chunks([data], trailers=[("x-amz-checksum-crc32", crc)])
    signature = body.index(b"x-amz-trailer-signature:") + len(b"x-amz-trailer-signature:")
    wrongs = [body[: signature + n] + (b"0" if body[signature + n : signature + n + 1] != b"0" else b"1") + body[signature + n + 1 :] for n in (0, 31, 63)]
    wrongs += [
        body.replace(crc.encode(), flipped(crc, 0).encode()),
        body.replace(b"x-amz-checksum-crc32:", b"x-amz-checksum-crc32c:"),
        body.replace(b"x-amz-checksum-crc32:", b"x-amz-meta-a:b\r\nx-amz-checksum-crc32:"),
        body.replace(f"x-amz-checksum-crc32:{crc}\r\n".encode(), b""),
        body[: signature - len(b"x-amz-trailer-signature:")] + b"\r\n",
        body[: signature + 10],
        body.replace(b"x-amz-trailer-signature:", b"x-amz-trailer-signature:0"),
    ]
    for n, wrong in enumerate(wrongs):
        reply = http_request(auth_server, "PUT", target, good, wrong)
        refused(reply, ("trailer", n))
    assert http_request(auth_server, "PUT", target, good, body).status == 200
    alice.delete_object(Bucket=untouched, Key="new")


# ---- Signature Version 2 ------------------------------------------------------------------------


def test_version_2_header(auth_server, untouched, alice):
    target = f"/{untouched}/new"
    good = v2_headers(ALICE, "PUT", target, content_type="text/plain", headers={"x-amz-meta-a": "one", "Content-MD5": base64.b64encode(b"0" * 16).decode()})
    good = v2_headers(ALICE, "PUT", target, content_type="text/plain", headers={"x-amz-meta-a": "one"})
    key, _, signature = good["Authorization"][4:].partition(":")
    sent = []
    for wrong in spoiled(signature):
        sent.append({**good, "Authorization": f"AWS {key}:{wrong}"})
    for wrong in (*spoiled(key), BOB["accessKey"], CAROL["accessKey"]):
        sent.append({**good, "Authorization": f"AWS {wrong}:{signature}"})
    for wrong in ("AWS", "AWS ", "AWS :", f"AWS {key}", f"AWS {key} {signature}", f"AWS  {key}:{signature}", f"aws {key}:{signature}", f"AWS\t{key}:{signature}",
                  f"AWS {key}:{signature} x", "AWS " + ":" * 5000, f"AWS {key}::{signature}"):
        sent.append({**good, "Authorization": wrong})
    for name in ("Date", "Content-Type", "x-amz-meta-a"):
        value = good[name]
        sent += [{**good, name: wrong} for wrong in (flipped(value, len(value) // 2), value + "0", "0", value * 20)]
        sent.append({n: v for n, v in good.items() if n != name})
    sent += [{**good, "x-amz-acl": "private"}, {**good, "x-amz-date": good["Date"]}, {**good, "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="},
             {**good, "X-Amz-Meta-A2": ""}, {**good, "x-amz-security-token": "t"}, {**good, "x-amz-copy-source": f"/{untouched}/k"}]  # fmt: skip
    for headers in sent:
        if headers == good:
            continue
        refused(http_request(auth_server, "PUT", target, headers, b"body"), headers)
    for method, at in (("POST", target), ("DELETE", target), ("GET", target), ("PUT", target + "x"), ("PUT", f"/{untouched}"), ("PUT", target + "?acl"),
                       ("PUT", target + "?tagging"), ("PUT", target + "?versionId=null"), ("PUT", target + "?uploadId=x&partNumber=1"),
                       ("PUT", f"/{untouched}/k")):  # fmt: skip
        refused(http_request(auth_server, method, at, good, b"body"), (method, at))
    assert http_request(auth_server, "PUT", target, good, b"body").status == 200
    alice.delete_object(Bucket=untouched, Key="new")


def test_version_2_query(auth_server, untouched):
    at = f"/{untouched}/k"
    expires = int(time.time()) + 300
    good = dict(urllib.parse.parse_qsl(v2_query(ALICE, "GET", at, expires)))
    assert http_request(auth_server, "GET", f"{at}?{urllib.parse.urlencode(good)}").body == b"kept"
    sent = []
    for name, value in good.items():
        sent += [{**good, name: wrong} for wrong in spoiled(value) if wrong != value]
        sent += [{n: v for n, v in good.items() if n != name}, {(name.lower() if n == name else n): v for n, v in good.items()}]
    for wrong in (expires + 1, expires - 1, -1, 2**63, 2**63 - 1, 2**64, 2**64 - 1, "1e10", "0x7fffffff", f" {expires}", f"{expires} ", f"+{expires}", "", "0"):
        sent.append({**good, "Expires": wrong})
    sent += [{**good, "AWSAccessKeyId": BOB["accessKey"]}, {**good, "acl": ""}, {**good, "tagging": ""}, {**good, "versionId": "null"},
             {**good, "response-content-type": "a/b"}, {**good, "x-amz-acl": "private"}, {**good, "x-amz-security-token": "t"},
             {**good, "attributes": ""}, {**good, "retention": ""}, {**good, "content-type": "a/b"}, {**good, "X-Amz-Algorithm": "AWS4-HMAC-SHA256"}]  # fmt: skip
    for query in sent:
        refused(http_request(auth_server, "GET", f"{at}?{urllib.parse.urlencode(query)}"), query)
    query = urllib.parse.urlencode(good)
    for method, target, headers in (("PUT", at, {}), ("DELETE", at, {}), ("GET", at + "l", {}), ("GET", f"/{untouched}", {}), ("GET", at, {"x-amz-acl": "private"}),
                                    ("GET", at, {"content-type": "a/b"}), ("GET", at, {"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}),
                                    ("GET", at, {"x-amz-date": "Thu, 01 Jan 2026 00:00:00 GMT"})):  # fmt: skip
        refused(http_request(auth_server, method, f"{target}?{query}", headers, b"" if method == "PUT" else None), (method, target, headers))
    assert http_request(auth_server, "HEAD", f"{at}?{query}").status == 403
    for seconds in (0, 1, int(time.time()) - 1):
        refused(http_request(auth_server, "GET", f"{at}?{v2_query(ALICE, 'GET', at, seconds)}"), seconds)


# ---- POST policies ------------------------------------------------------------------------------


def v2_form(policy, key):
    import hashlib
    import hmac

    encoded = base64.b64encode(json.dumps(policy).encode()).decode()
    digest = hmac.new(ALICE["secretKey"].encode(), encoded.encode(), hashlib.sha1).digest()
    return {"key": key, "AWSAccessKeyId": ALICE["accessKey"], "policy": encoded, "signature": base64.b64encode(digest).decode()}


@pytest.mark.parametrize("version", [2, 4])
def test_form(auth_server, untouched, alice, version):
    conditions = [{"bucket": untouched}, {"key": "new"}, {"x-amz-meta-a": "1"}]
    if version == 4:
        good = signed(auth_server, conditions, key="new", **{"x-amz-meta-a": "1"})
    else:
        good = {**v2_form({"expiration": stamp(300), "conditions": conditions}, "new"), "x-amz-meta-a": "1"}
    sent = []
    for name, value in good.items():
        if name != "key":
            sent += [{**good, name: wrong} for wrong in spoiled(value) if wrong != value]
            sent += [{**good, name: flipped(value, at)} for at in range(0, len(value), 1 + len(value) // 30)]
        sent.append({n: v for n, v in good.items() if n != name})
    for wrong in ("", "k", "new2", "New"):
        sent.append({**good, "key": wrong})
    wider = json.loads(base64.b64decode(good["policy"]))
    wider["conditions"].append(["starts-with", "$acl", ""])
    sent += [{**good, "policy": base64.b64encode(json.dumps(wider).encode()).decode()}, {**good, "x-amz-meta-b": "1"}, {**good, "acl": "private"},
             {**good, "x-amz-security-token": "t"}, {**good, "success_action_status": "201"}]  # fmt: skip
    count = 0
    for fields in sent:
        if fields == good:
            continue
        refused(post(auth_server, untouched, fields), fields)
        count += 1
    assert count > 50
    assert post(auth_server, untouched, good).status == 204
    alice.delete_object(Bucket=untouched, Key="new")


def test_hash_of_another_body(auth_server, signer, untouched):
    """The signature covers the hash, the hash the body."""
    target = f"/{untouched}/new"
    for declared in (sha256(b"other"), sha256(b""), "0" * 64):
        headers = signer.headers("PUT", target, payload=declared)
        refused(http_request(auth_server, "PUT", target, headers, b"body"), declared)
