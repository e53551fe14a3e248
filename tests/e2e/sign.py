# SPDX-License-Identifier: MIT
"""Signatures made step by step, so that a test can get any one of them wrong. Written from AWS's
documents ("Create a signed AWS API request", "Signature calculations … transferring payload in
multiple chunks", "… with trailers"), and from nothing in the server."""

import base64
import datetime
import hashlib
import hmac
import urllib.parse

EMPTY = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def amz_date(offset_s=0):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset_s)
    return now.strftime("%Y%m%dT%H%M%SZ")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def hmac_sha256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Signer:
    """SigV4 for one user. Every part of the scope can be set wrong."""

    def __init__(self, user, host, region="us-east-1", service="s3", date=None, offset_s=0):
        self.access_key, self.secret = user["accessKey"], user["secretKey"]
        self.token = user.get("sessionToken")
        self.host = host
        self.date = date or amz_date(offset_s)
        self.region, self.service = region, service
        self.scope = f"{self.date[:8]}/{region}/{service}/aws4_request"

    def key(self):
        key = f"AWS4{self.secret}".encode()
        for part in (self.date[:8], self.region, self.service, "aws4_request"):
            key = hmac_sha256(key, part)
        return key

    def hex(self, text):
        return hmac.new(self.key(), text.encode(), hashlib.sha256).hexdigest()

    def canonical(self, method, target, headers, signed, payload):
        """target as sent: S3 signs the path once-encoded, as it is."""
        path, _, query = target.partition("?")
        pairs = []
        for piece in query.split("&") if query else []:
            name, _, value = piece.partition("=")
            pairs.append((recode(name), recode(value)))
        pairs.sort()
        lines = [
            method,
            path,
            "&".join(f"{n}={v}" for n, v in pairs),
            *[f"{n}:{' '.join(headers[n].split())}" for n in signed],
            "",
            ";".join(signed),
            payload,
        ]
        return "\n".join(lines)

    def string_to_sign(self, canonical):
        return "\n".join(["AWS4-HMAC-SHA256", self.date, self.scope, sha256(canonical.encode())])

    def headers(self, method, target, body=b"", headers=None, payload=None, signed=None):
        """The headers of a signed request. signed: which of them to sign; all by default."""
        headers = {k.lower(): v for k, v in (headers or {}).items()}
        headers.setdefault("host", self.host)
        headers.setdefault("x-amz-date", self.date)
        if payload is None:
            payload = sha256(body)
        if payload:
            headers.setdefault("x-amz-content-sha256", payload)
        if self.token:
            headers.setdefault("x-amz-security-token", self.token)
        signed = sorted(signed if signed is not None else headers)
        canonical = self.canonical(method, target, headers, signed, payload)
        self.signature = self.hex(self.string_to_sign(canonical))
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope}, "
            f"SignedHeaders={';'.join(signed)}, Signature={self.signature}"
        )
        return headers

    def presign(self, method, target, expires=300, headers=None, payload=UNSIGNED, **overrides):
        """The target with a signature in its query."""
        headers = {"host": self.host, **{k.lower(): v for k, v in (headers or {}).items()}}
        signed = sorted(headers)
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key}/{self.scope}",
            "X-Amz-Date": self.date,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": ";".join(signed),
        }
        if self.token:
            query["X-Amz-Security-Token"] = self.token
        query.update({k.replace("_", "-"): v for k, v in overrides.items()})
        encoded = urllib.parse.urlencode(
            {k: v for k, v in query.items() if v is not None}, quote_via=urllib.parse.quote
        )
        target += ("&" if "?" in target else "?") + encoded
        canonical = self.canonical(method, target, headers, signed, payload)
        return f"{target}&X-Amz-Signature={self.hex(self.string_to_sign(canonical))}"

    # -- aws-chunked

    def chunk_signature(self, previous, data):
        text = ["AWS4-HMAC-SHA256-PAYLOAD", self.date, self.scope, previous, EMPTY, sha256(data)]
        return self.hex("\n".join(text))

    def trailer_signature(self, previous, trailers):
        text = "".join(f"{n}:{v}\n" for n, v in sorted(trailers))
        lines = ["AWS4-HMAC-SHA256-TRAILER", self.date, self.scope, previous, sha256(text.encode())]
        return self.hex("\n".join(lines))

    def chunks(self, chunks, trailers=None, spoil=None):
        """Framing of signed chunks after headers() gave the seed signature. spoil: index of the
        chunk whose signature to get wrong (the last, empty one counts), or "trailer"."""
        out, previous = b"", self.signature
        for index, data in enumerate([*chunks, b""]):
            previous = self.chunk_signature(previous, data)
            shown = "0" * 64 if spoil == index else previous
            out += f"{len(data):x};chunk-signature={shown}\r\n".encode() + data
            if data:
                out += b"\r\n"
        if trailers is None:
            return out + b"\r\n"
        for name, value in trailers:
            out += f"{name}:{value}\r\n".encode()
        signature = self.trailer_signature(previous, trailers)
        shown = "0" * 64 if spoil == "trailer" else signature
        return out + f"x-amz-trailer-signature:{shown}\r\n\r\n".encode()


def recode(text):
    return urllib.parse.quote(urllib.parse.unquote(text), safe="-_.~")


def v2_headers(user, method, resource, date=None, content_type="", headers=None):
    """SigV2: resource is the canonicalized one ("/bucket/key?acl")."""
    from email.utils import formatdate

    date = date or formatdate(usegmt=True)
    amz = {k.lower(): v for k, v in (headers or {}).items() if k.lower().startswith("x-amz-")}
    lines = [method, (headers or {}).get("Content-MD5", ""), content_type, date]
    text = "\n".join(lines) + "\n" + "".join(f"{k}:{amz[k]}\n" for k in sorted(amz)) + resource
    digest = hmac.new(user["secretKey"].encode(), text.encode(), hashlib.sha1).digest()
    out = {"Date": date, **(headers or {})}
    if content_type:
        out["Content-Type"] = content_type
    signature = base64.b64encode(digest).decode()
    out["Authorization"] = f"AWS {user['accessKey']}:{signature}"
    return out


def v2_query(user, method, resource, expires):
    text = f"{method}\n\n\n{expires}\n{resource}"
    digest = hmac.new(user["secretKey"].encode(), text.encode(), hashlib.sha1).digest()
    return urllib.parse.urlencode(
        {
            "AWSAccessKeyId": user["accessKey"],
            "Expires": expires,
            "Signature": base64.b64encode(digest).decode(),
        }
    )
