# SPDX-License-Identifier: MIT
"""The requests near the valid ones: each built operation of src/s3/ops.def, each time with one thing that is odd.

tests/data/near.tsv has a line for each: operation, variant, the request, what Amazon answers, and where that is written. A source
is "KIND: text"; where none was found it is "unknown", and the answer is ours, kept so that a change of it is seen. test_near.py
sends them all.

    python3 tests/e2e/near.py              counts by kind of source
    python3 tests/e2e/near.py --write      adds new cells as unknown, drops old ones, renews what unknown cells are answered
"""

import argparse
import collections
import contextlib
import http.client
import re
import sys
import urllib.parse
from dataclasses import dataclass, field, replace

import botocore.session

from harness import ROOT, SLOW, Reply, digest_of, md5_hex, serving, unique

TABLE = ROOT / "tests" / "data" / "near.tsv"
UNKNOWN = "unknown"
HEAD = """\
# What is answered to requests near the valid ones: operation, variant, request, answer, source, with tabs between them.
# {bucket}, {empty}, {new}, {upload} and {etag} stand for names of the run. Written by tests/e2e/near.py --write.
# Sources: recorded: a reply recorded from Amazon; measured: by a project that asked Amazon for it; thread: quoted in public; suite: a
# test of a suite that passes there; docs, model: what Amazon has written; ours: we differ on purpose; unknown: nobody was found to say.
"""

# ---- the operations and a valid request of each -------------------------------------------------


@dataclass
class Request:
    method: str
    path: str
    query: list = field(default_factory=list)  # texts "name" or "name=value", percent-encoded
    headers: dict = field(default_factory=dict)
    body: str = ""
    status: int = 200

    @property
    def target(self):
        return self.path + ("?" + "&".join(self.query) if self.query else "")

    def __str__(self):
        head = "".join(f" | {name}: {value}".rstrip() for name, value in self.headers.items())
        return f"{self.method} {self.target}{head}" + (f" | {self.body!r}" if self.body else "")


BUCKET, KEY, UPLOAD = "/{bucket}", "/{bucket}/k", "/{bucket}/mp"
TAGS = "<Tagging><TagSet><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>"
PARTS = '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"{etag}"</ETag></Part></CompleteMultipartUpload>'
DELETE = "<Delete><Object><Key>k</Key></Object></Delete>"
FORM = (
    '--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nposted\r\n'
    '--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nfile\r\n--x--\r\n'
)
COPY = {"x-amz-copy-source": KEY}
PREFLIGHT = {"Origin": "http://127.0.0.1", "Access-Control-Request-Method": "GET"}


# Each of them succeeds in a fresh bucket (class World).
VALID = {
    "AbortMultipartUpload": Request("DELETE", UPLOAD, ["uploadId={upload}"], status=204),
    "CompleteMultipartUpload": Request("POST", UPLOAD, ["uploadId={upload}"], body=PARTS),
    "CopyObject": Request("PUT", "/{bucket}/copy", headers=COPY),
    "CreateBucket": Request("PUT", "/{new}"),
    "CreateMultipartUpload": Request("POST", "/{bucket}/other", ["uploads"]),
    "DeleteBucket": Request("DELETE", "/{empty}", status=204),
    "DeleteBucketTagging": Request("DELETE", BUCKET, ["tagging"], status=204),
    "DeleteObject": Request("DELETE", KEY, status=204),
    "DeleteObjects": Request("POST", BUCKET, ["delete"], digest_of(DELETE.encode()), DELETE),
    "DeleteObjectTagging": Request("DELETE", KEY, ["tagging"], status=204),
    "GetBucketLocation": Request("GET", BUCKET, ["location"]),
    "GetBucketTagging": Request("GET", BUCKET, ["tagging"]),
    "GetBucketVersioning": Request("GET", BUCKET, ["versioning"]),
    "GetObject": Request("GET", KEY),
    "GetObjectAttributes": Request("GET", KEY, ["attributes"], {"x-amz-object-attributes": "ETag"}),
    "GetObjectTagging": Request("GET", KEY, ["tagging"]),
    "HeadBucket": Request("HEAD", BUCKET),
    "HeadObject": Request("HEAD", KEY),
    "ListBuckets": Request("GET", "/"),
    "ListMultipartUploads": Request("GET", BUCKET, ["uploads"]),
    "ListObjects": Request("GET", BUCKET),
    "ListObjectsV2": Request("GET", BUCKET, ["list-type=2"]),
    "ListObjectVersions": Request("GET", BUCKET, ["versions"]),
    "ListParts": Request("GET", UPLOAD, ["uploadId={upload}"]),
    "PostObject": Request("POST", BUCKET, headers={"Content-Type": "multipart/form-data; boundary=x"}, body=FORM, status=204),
    "PreflightBucket": Request("OPTIONS", BUCKET, headers=PREFLIGHT),
    "PreflightObject": Request("OPTIONS", KEY, headers=PREFLIGHT),
    "PreflightService": Request("OPTIONS", "/", headers=PREFLIGHT),
    "PutBucketTagging": Request("PUT", BUCKET, ["tagging"], digest_of(TAGS.encode()), TAGS, 204),
    "PutBucketVersioning": Request("PUT", BUCKET, ["versioning"],
                                   body="<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
    "PutObject": Request("PUT", "/{bucket}/put", body="body"),
    "PutObjectTagging": Request("PUT", KEY, ["tagging"], digest_of(TAGS.encode()), TAGS),
    "RenameObject": Request("PUT", "/{bucket}/renamed", ["renameObject"], {"x-amz-rename-source": KEY}),
    "UploadPart": Request("PUT", UPLOAD, ["partNumber=2", "uploadId={upload}"], body="part"),
    "UploadPartCopy": Request("PUT", UPLOAD, ["partNumber=2", "uploadId={upload}"], COPY),
}  # fmt: skip

# The values of parameters; all others are "k".
VALUES = {"delimiter": "/", "encoding-type": "url", "fetch-owner": "true", "bucket-region": "us-east-1", "uploadId": "{upload}",
          "versionId": "null", "version-id-marker": "null", "response-expires": "Thu,%2001%20Jan%202026%2000:00:00%20GMT"}  # fmt: skip
# Their bodies are what the operation stores or reads: none is odd by being there.
WITH_BODY = {name for name, request in VALID.items() if request.body} | {"CreateBucket"}
# Headers that belong to one operation, sent to the others.
HEADERS = {
    **digest_of(b"another body"),
    "If-Match": '"0"',
    "If-None-Match": "*",
    "Range": "bytes=0-0",
    "x-amz-acl": "private",
    "x-amz-checksum-crc32": "AAAAAA==",
    "x-amz-copy-source": KEY,
    "x-amz-copy-source-range": "bytes=0-0",
    "x-amz-meta-a": "1",
    "x-amz-metadata-directive": "REPLACE",
    "x-amz-mp-object-size": "1",
    "x-amz-object-attributes": "ETag",
    "x-amz-rename-source": KEY,
    "x-amz-server-side-encryption": "AES256",
    "x-amz-storage-class": "STANDARD_IA",
    "x-amz-tagging": "a=1",
}
# Parameters of one operation, sent to the others.
PARAMETERS = ["versionId=null", "partNumber=1", "acl"]
# What one form of the listing has and the other has not.
NEIGHBOURS = {"ListObjects": ["continuation-token=", "continuation-token=k", "list-type=", "list-type=1", "start-after=", "start-after=k"],
              "ListObjectsV2": ["encoding-type=URL", "list-type=", "list-type=1", "marker=", "marker=k"],
              "ListObjectVersions": ["key-marker=&version-id-marker=", "key-marker=k&version-id-marker="]}  # fmt: skip


def built_operations():
    """Names of the rows of ops.def that are built."""
    rows = re.findall(r"^OP\((\w+),(.*)\)$", (ROOT / "src" / "s3" / "ops.def").read_text(encoding="utf-8"), re.MULTILINE)
    return sorted(name for name, rest in rows if "op_not_implemented" not in rest)


def model_members(operation):
    """Query parameters and headers that the model gives the operation, as (name, is a number)."""
    model = botocore.session.get_session().get_service_model("s3")
    if operation not in model.operation_names:
        return [], []
    shape = model.operation_model(operation).input_shape
    members = shape.members.values() if shape else []
    by_place = collections.defaultdict(list)
    for member in members:
        place, name = member.serialization.get("location"), member.serialization.get("name")
        by_place[place].append((name + "a" if place == "headers" else name, member.type_name in ("integer", "long")))
    return by_place["querystring"], by_place["header"] + by_place["headers"]


# ---- the variants -------------------------------------------------------------------------------


def name_of(parameter):
    return parameter.partition("=")[0]


def with_parameter(request, text):
    """The request with the parameter in place of its own of that name, or behind the others."""
    query = [text if name_of(p) == name_of(text) else p for p in request.query]
    return replace(request, query=query if text in query else [*query, text])


def with_header(request, name, value):
    others = {n: v for n, v in request.headers.items() if n.lower() != name.lower()}
    return replace(request, headers={**others, name: value})


def with_body(request, body):
    digest = digest_of(body.encode()) if "Content-MD5" in request.headers else {}
    return replace(request, body=body, headers={**request.headers, **digest})


def odd_parameters(request, parameters):
    for name, number in parameters:
        value = "1" if number else VALUES.get(name, "k")
        texts = [name, f"{name}=", f"{name}=%20", f"{name}=%20{value}%20"] + ([f"{name}=-1"] if number else [])
        yield from texts
    yield from ("foo", "foo=bar", "x-foo", "x-foo=bar")
    known = {name for name, _ in parameters} | {name_of(p) for p in request.query}
    yield from (p for p in PARAMETERS if name_of(p) not in known)
    yield from (f"{p}=x" for p in request.query if "=" not in p)


def variants(operation):
    """(name, request) of each cell of the operation; the first is the valid request itself."""
    valid = VALID[operation]
    parameters, headers = model_members(operation)
    yield "valid", valid
    for text in (*odd_parameters(valid, parameters), *NEIGHBOURS.get(operation, ())):
        yield "?" + text, with_parameter(valid, text)
    own = {name.lower(): name for name in [*(name for name, _ in headers), *valid.headers]}
    for name in own.values():
        yield f"{name}:", with_header(valid, name, "")
    for name, number in headers:
        if number:
            yield f"{name}: -1", with_header(valid, name, "-1")
    for name, value in HEADERS.items():
        if name.lower() not in own:
            yield f"{name}: {value}", with_header(valid, name, value)
    if operation not in WITH_BODY:
        yield "body", replace(valid, body="body")
    elif operation not in ("PutObject", "UploadPart"):
        yield "no body", with_body(valid, "")
        yield "body", with_body(valid, "body")
    if "Content-MD5" in valid.headers:
        yield "no digest", replace(valid, headers={n: v for n, v in valid.headers.items() if n != "Content-MD5"})


def cells():
    """{(operation, variant): request} of all there are."""
    return {(operation, variant): request for operation in built_operations() for variant, request in variants(operation)}


# ---- the world they are sent to -----------------------------------------------------------------


class World:
    """Two buckets, with an object, tags and an upload of one part, and a connection that is kept. It is made once; snapshots show
    whether a request has changed it, and bring it back."""

    def __init__(self, server):
        parts = urllib.parse.urlsplit(server.url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30 * SLOW)
        self.names = {"bucket": unique("near"), "empty": unique("none"), "new": unique("new"), "etag": md5_hex(b"part")}
        self.ask(Request("PUT", BUCKET))
        self.ask(Request("PUT", "/{empty}"))
        self.ask(Request("PUT", KEY, headers={"x-amz-tagging": "a=1", "x-amz-meta-a": "1"}, body="precious"))
        self.ask(VALID["PutBucketTagging"])
        self.names["upload"] = self.ask(Request("POST", UPLOAD, ["uploads"])).xml.findtext("UploadId")
        self.ask(Request("PUT", UPLOAD, ["partNumber=1", "uploadId={upload}"], body="part"))
        self.ask(Request("POST", "/_s3mem/snapshots", body='{"name":"made"}'))

    def send(self, request):
        """The reply, and whether the connection was kept."""
        body = self.fill(request.body).encode()
        self.connection.putrequest(request.method, self.fill(request.target), skip_accept_encoding=True)
        for name, value in request.headers.items():
            self.connection.putheader(name, self.fill(value))
        if (body or request.method in ("PUT", "POST")) and "Content-Length" not in request.headers:
            self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders(body or None)
        response = self.connection.getresponse()
        reply = Reply(response.status, response.getheaders(), response.read())
        return reply, not response.will_close

    def fill(self, text):
        for name, value in self.names.items():
            text = text.replace("{%s}" % name, value)
        return text

    def ask(self, request):
        """The reply to a request that must succeed."""
        reply, _ = self.send(request)
        assert reply.status < 300, (request, reply)
        return reply

    def picture(self):
        """All that a request could have changed: the document of a snapshot."""
        self.ask(Request("POST", "/_s3mem/snapshots", body='{"name":"now"}'))
        document = self.ask(Request("GET", "/_s3mem/snapshots/now")).body
        self.ask(Request("DELETE", "/_s3mem/snapshots/now"))
        return document

    def restore(self):
        self.ask(Request("POST", "/_s3mem/snapshots/made/restore"))

    def close(self):
        self.connection.close()


def answer_of(reply, kept, names):
    """What the table says of a reply: "200", or "400 Code: message", without names that differ from run to run."""
    text = str(reply.status)
    if reply.error:
        text += f" {reply.code}: {reply.error.get('Message') or ''}"
        if reply.error.get("ArgumentName"):
            text += f" [{reply.error['ArgumentName']}]"
    for name, value in names.items():
        text = text.replace(value, "{%s}" % name)
    return " ".join(text.split()) + ("" if kept else " (closes)")


# ---- the table ----------------------------------------------------------------------------------


@dataclass
class Cell:
    operation: str
    variant: str
    request: str
    answer: str
    source: str

    @property
    def line(self):
        return "\t".join((self.operation, self.variant, self.request, self.answer, self.source))

    @property
    def kind(self):
        return self.source.partition(":")[0]


def read_table():
    table = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines() if TABLE.exists() else []:
        if not line.startswith("#"):
            cell = Cell(*line.split("\t"))
            table[cell.operation, cell.variant] = cell
    return table


def write_table(table):
    lines = [table[name].line for name in sorted(table)]
    TABLE.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def renew(table, server):
    """The table of today's cells: those with a source stay while their request does, the others' answers are asked for."""
    new = {}
    with contextlib.closing(World(server)) as world:
        for (operation, variant), request in cells().items():
            old = table.get((operation, variant))
            if old and old.source != UNKNOWN and old.request == str(request):
                new[operation, variant] = old
                continue
            world.restore()
            answer = answer_of(*world.send(request), world.names)
            new[operation, variant] = Cell(operation, variant, str(request), answer, UNKNOWN)
    return new


def counts(table):
    kinds = collections.Counter(cell.kind for cell in table.values())
    return [f"{count:5} {kind}" for kind, count in kinds.most_common()] + [f"{len(table):5} cells"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--write", action="store_true", help="bring the table up to date")
    arguments.add_argument("--list", metavar="KIND", help="print the cells whose source is of this kind")
    options = arguments.parse_args()
    table = read_table()
    if options.write:
        with serving() as server:
            table = renew(table, server)
        write_table(table)
    for name in sorted(table) if options.list else []:
        if table[name].kind == options.list:
            print(table[name].line)
    print("\n".join(counts(table)), file=sys.stderr if options.list else sys.stdout)


if __name__ == "__main__":
    main()
