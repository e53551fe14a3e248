# SPDX-License-Identifier: MIT
"""s3memctl import --from: a bucket of another S3 comes in, with what its objects carry. The other S3 is a second s3memd, or
a few lines that answer as Amazon's error documents say."""

import hashlib
import http.server
import json
import os
import pty
import re
import signal
import subprocess
import threading
import time
import urllib.parse

import pytest

from admin import admin, ok
from conftest import ALICE, BOB, as_user
from ctl import CTL, ENV, ctl, ctl_json, needs_ctl, run_ctl
from harness import SLOW, client, eventually, http_request, keys_of, serving
from test_backup import PEOPLE, exported_people, put_people

pytestmark = needs_ctl

ALICE_KEYS = {"AWS_ACCESS_KEY_ID": ALICE["accessKey"], "AWS_SECRET_ACCESS_KEY": ALICE["secretKey"]}
AWKWARD = ["a b", "a+b", "a//b", "/lead", "dir/", "dir/x", "..", "a/../b", "./c", "\u00e9\u4e2d\U0001f600", "q?&=#%41%", "~*'()!", "x\ny",
           "&amp;<Key>", "k" * 1024]


def url_of(server, place):
    return f"{server.url}/{place}"


def all_of(s3, bucket, key):
    """Everything that clients see of an object but the times and ids of the request."""
    head = s3.head_object(Bucket=bucket, Key=key)
    got = {k: v for k, v in head.items() if k not in ("ResponseMetadata", "LastModified", "VersionId")}
    got["tags"] = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    got["body"] = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return got


def all_keys(s3, bucket):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [o["Key"] for page in pages for o in page.get("Contents", [])]


@pytest.fixture(scope="module")
def source():
    with serving("--bucket", "plain") as server:
        yield server


@pytest.fixture(scope="module")
def target():
    with serving() as server:
        yield server


def test_all_that_an_object_carries(source, target):
    s3 = client(source)
    s3.create_bucket(Bucket="rich")
    s3.put_object(Bucket="rich", Key="all", Body=b"body", ContentType="text/x-own", ContentEncoding="gzip",
                  CacheControl="max-age=5, public", ContentDisposition='attachment; filename="a b.txt"', ContentLanguage="de, en",
                  Expires=2000000000, StorageClass="STANDARD_IA", WebsiteRedirectLocation="/other",
                  Tagging="a=1&b%20c=%C3%BC%2B", Metadata={"plain": "x  y", "empty": "", "many-words": "a,b;c=d"})
    s3.put_object(Bucket="rich", Key="bare", Body=b"")
    # Metadata beyond ASCII: as an encoded word, and as bytes that are ISO-8859-1.
    for key, value in (("word", "=?UTF-8?B?S8O2bG4g8J+YgA==?="), ("latin", "K\u00f6ln")):
        http_request(source, "PUT", f"/rich/{key}", {"x-amz-meta-town": value}, b"x")
    for key in AWKWARD:
        http_request(source, "PUT", "/rich/" + urllib.parse.quote(key), {"x-amz-meta-key": "1"}, key.encode())
    said = ctl(target, "import", "--from", url_of(source, "rich"), "--bucket", "copy")
    assert re.fullmatch(rf"{len(AWKWARD) + 4} objects \(.*B\) copied from {source.url}/rich into bucket copy of branch main\n", said)
    mine = client(target)
    assert all_keys(mine, "copy") == all_keys(s3, "rich") and set(AWKWARD) < set(all_keys(s3, "rich"))
    for key in all_keys(s3, "rich"):
        assert all_of(mine, "copy", key) == all_of(s3, "rich", key), key
    assert mine.head_object(Bucket="copy", Key="all")["TagCount"] == 2


def test_metadata_as_bytes_of_utf8(target):
    """As other servers than Amazon's send it; there it is an encoded word ("Working with object metadata")."""
    with listing_server({"k": (b"x", {"X-Amz-Meta-Town": "K\u00f6ln".encode().decode("latin-1")})}) as url:
        ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "utf8")
    assert client(target).head_object(Bucket="utf8", Key="k")["Metadata"]["town"] == "=?UTF-8?Q?K=C3=B6ln?="


def test_pages_and_the_second_run(source, target):
    s3 = client(source)
    s3.create_bucket(Bucket="pages")
    for n in range(3000):
        http_request(source, "PUT", f"/pages/d{n % 7}/{n:05}", {"x-amz-meta-n": str(n)}, b"body %d" % n)
    begin = time.monotonic()
    said = ctl_json(target, "import", "--from", url_of(source, "pages"), "--bucket", "pages")
    took = time.monotonic() - begin
    assert (said["copied"], said["unchanged"], said["failed"]) == (3000, 0, 0) and took < 60 * SLOW
    mine = client(target)
    assert all_keys(mine, "pages") == all_keys(s3, "pages")
    assert mine.get_object(Bucket="pages", Key="d3/02999")["Body"].read() == b"body 2999"
    assert mine.head_object(Bucket="pages", Key="d3/02999")["Metadata"] == {"n": "2999"}
    # What changed meanwhile is copied, also where only metadata did (in a later second: lists tell no more), or was lost
    # here; what else is here stays.
    ctl(source, "clock", "advance", "2s")
    s3.put_object(Bucket="pages", Key="d3/02999", Body=b"body 2999", Metadata={"n": "new"})
    s3.put_object(Bucket="pages", Key="d3/02992", Body=b"longer body")
    s3.put_object(Bucket="pages", Key="new", Body=b"")
    ctl(source, "clock", "reset")
    mine.delete_object(Bucket="pages", Key="d0/00000")
    mine.put_object(Bucket="pages", Key="mine", Body=b"")
    planned = ctl(target, "import", "--from", url_of(source, "pages"), "--bucket", "pages", "--dry-run").splitlines()
    assert [line.split()[2] for line in planned[:-1]] == ["d0/00000", "d3/02992", "d3/02999", "new"]
    assert planned[-1].startswith("4 objects") and "would be copied" in planned[-1]
    assert ctl_json(target, "import", "--from", url_of(source, "pages"), "--bucket", "pages", "--dry-run")["copied"] == 4
    assert "new" not in all_keys(mine, "pages")
    said = ctl_json(target, "import", "--from", url_of(source, "pages"), "--bucket", "pages")
    assert (said["copied"], said["unchanged"], said["failed"]) == (4, 2997, 0)
    assert mine.head_object(Bucket="pages", Key="d3/02999")["Metadata"] == {"n": "new"}
    assert set(all_keys(mine, "pages")) == {*all_keys(s3, "pages"), "mine"}


def test_a_prefix(source, target):
    s3 = client(source)
    s3.create_bucket(Bucket="prefixed")
    for key in ("a/1", "a/2", "ab", "b c/1"):
        s3.put_object(Bucket="prefixed", Key=key, Body=b"x")
    for bucket, place, more, keys in (
            ("got-p1", "prefixed/a/", [], ["a/1", "a/2"]), ("got-p2", "prefixed", ["--prefix", "a"], ["a/1", "a/2", "ab"]),
            ("got-p3", "prefixed/b%20c", [], ["b c/1"]), ("got-p4", "prefixed/none", [], []), ("got-p5", "prefixed/", [], ["a/1", "a/2", "ab", "b c/1"])):
        ctl(target, "import", "--from", url_of(source, place), "--bucket", bucket, *more)
        assert all_keys(client(target), bucket) == keys


def test_large_objects_and_objects_of_parts(source, target):
    """ETags stay, which are of the parts."""
    s3 = client(source)
    s3.create_bucket(Bucket="large")
    body = os.urandom(21 << 20)
    s3.put_object(Bucket="large", Key="once", Body=body, Metadata={"k": "v"})
    upload = s3.create_multipart_upload(Bucket="large", Key="parts", ContentType="text/x", Metadata={"k": "v"}, Tagging="a=b")["UploadId"]
    cuts = [0, 9 << 20, 15 << 20, len(body)]
    parts = [{"PartNumber": 2 * i + 1, "ETag": s3.upload_part(Bucket="large", Key="parts", UploadId=upload, PartNumber=2 * i + 1,
                                                              Body=body[cuts[i]:cuts[i + 1]])["ETag"]} for i in range(3)]
    s3.complete_multipart_upload(Bucket="large", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    said = ctl_json(target, "import", "--from", url_of(source, "large"), "--bucket", "large")
    assert (said["copied"], said["bytes"]) == (2, 2 * len(body))
    mine = client(target)
    for key in ("once", "parts"):
        there, here = all_of(s3, "large", key), all_of(mine, "large", key)
        for checksum in [k for k in (*there, *here) if "hecksum" in k]:
            there.pop(checksum, None), here.pop(checksum, None)
        assert here == there and here["body"] == body, key
    assert mine.head_object(Bucket="large", Key="parts")["ETag"].endswith('-3"')
    assert mine.list_multipart_uploads(Bucket="large").get("Uploads") is None
    assert ctl_json(target, "import", "--from", url_of(source, "large"), "--bucket", "large")["unchanged"] == 2


def test_parts_that_are_too_small_here(target):
    with serving("--min-part-size", "1") as small:
        s3 = client(small)
        s3.create_bucket(Bucket="bkt")
        upload = s3.create_multipart_upload(Bucket="bkt", Key="k")["UploadId"]
        parts = [{"PartNumber": n, "ETag": s3.upload_part(Bucket="bkt", Key="k", UploadId=upload, PartNumber=n, Body=b"x")["ETag"]}
                 for n in (1, 2)]
        s3.complete_multipart_upload(Bucket="bkt", Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
        ctl(target, "import", "--from", url_of(small, "bkt"), "--bucket", "small")
        assert ctl_json(target, "import", "--from", url_of(small, "bkt"), "--bucket", "small")["unchanged"] == 1
    assert client(target).get_object(Bucket="small", Key="k")["Body"].read() == b"xx"
    assert client(target).list_multipart_uploads(Bucket="small").get("Uploads") is None


def test_records_of_s3db(source, target):
    put_people(source, bucket="shop")
    ctl(target, "import", "--from", url_of(source, "shop"), "--bucket", "shop")
    assert exported_people(target, "shop") == PEOPLE


def test_etags_that_are_no_md5(source, target):
    """Under aws:kms (API reference, "Object": ETag): another with each copy, which is no reason to copy again."""
    s3 = client(source)
    s3.create_bucket(Bucket="kms")
    for key in ("k", "l"):
        s3.put_object(Bucket="kms", Key=key, Body=b"x", ServerSideEncryption="aws:kms")
    s3.put_object(Bucket="kms", Key="plain", Body=b"x")
    time.sleep(1.1)  # LastModified has seconds
    run = ("import", "--from", url_of(source, "kms"), "--bucket", "kms")
    assert ctl_json(target, *run)["copied"] == 3
    s3.put_object(Bucket="kms", Key="l", Body=b"y", ServerSideEncryption="aws:kms")
    # What was written here since is not the source's, as its MD5 tells.
    client(target).put_object(Bucket="kms", Key="plain", Body=b"z")
    said = ctl_json(target, *run)
    assert (said["copied"], said["unchanged"], said["failed"]) == (2, 1, 0)
    assert [client(target).get_object(Bucket="kms", Key=key)["Body"].read() for key in ("k", "l", "plain")] == [b"x", b"y", b"x"]
    time.sleep(1.1)
    ctl(target, *run)
    assert "0 objects" in (said := ctl(target, *run)) and "3 are there already" in said


def test_into_a_branch(source):
    client(source).put_object(Bucket="plain", Key="k", Body=b"x")
    with serving() as server:
        ctl(server, "branch", "work")
        assert "of branch work" in ctl(server, "import", "--from", url_of(source, "plain"), "--bucket", "bkt", "--branch", "work")
        assert client(server).list_buckets()["Buckets"] == []
        assert [e["key"] for e in ctl_json(server, "ls", "bkt", "--branch", "work")] == ["k"]


# ---- keys, regions, endpoints -------------------------------------------------------------------


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    """A source with credentials, in another region."""
    path = tmp_path_factory.mktemp("far") / "keys.json"
    path.write_text(json.dumps([ALICE, BOB]))
    path.chmod(0o600)
    with serving("--credentials", path, "--region", "eu-central-1") as server:
        s3 = as_user(server, ALICE, region="eu-central-1")
        s3.create_bucket(Bucket="hers", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        s3.put_object(Bucket="hers", Key="a b", Body=b"x", Metadata={"m": "x  y"}, Tagging="t=1")
        yield server


def write_profiles(home, **profiles):
    (home / ".aws").mkdir(exist_ok=True)
    text = "".join(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in members.items()) for name, members in profiles.items())
    (home / ".aws/credentials").write_text(text)
    return {"HOME": str(home)}


def profile(user, **more):
    return {"aws_access_key_id": user["accessKey"], "aws_secret_access_key": user["secretKey"], **more}


def imported(server, *args, bucket, **more):
    ctl(server, "import", "--bucket", bucket, *args, **more)
    return all_keys(client(server), bucket)


def test_the_variables_are_of_the_source(far, target):
    """S3MEMCTL_ENDPOINT names the server. Its region the source tells."""
    assert imported(target, "--from", url_of(far, "hers"), bucket="got-k1", env=ALICE_KEYS) == ["a b"]
    assert client(target).head_object(Bucket="got-k1", Key="a b")["Metadata"] == {"m": "x  y"}
    env = {**ALICE_KEYS, "AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_S3": far.url}
    assert imported(target, "--from", "s3://hers", bucket="got-k2", env=env) == ["a b"]
    assert imported(target, "--from", "s3://hers/a", "--from-region", "eu-central-1", bucket="got-k3", env={**env, "AWS_REGION": "x"}) == ["a b"]


def test_the_variables_are_of_the_server(far, target, tmp_path):
    """As README exports them: then a profile is the source's."""
    env = {"S3MEMCTL_ENDPOINT": "", "AWS_ENDPOINT_URL_S3": target.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
           **write_profiles(tmp_path, default=profile(ALICE), prod=profile(ALICE, region="eu-central-1", endpoint_url=far.url))}
    assert imported(target, "--from", url_of(far, "hers"), bucket="profile-1", env=env) == ["a b"]
    assert imported(target, "--from", "s3://hers", "--from-profile", "prod", bucket="profile-2", env=env) == ["a b"]
    ctl(target, "import", "--from", "s3://hers", "--bucket", "profile-3", "--from-profile", "none", env=env, status=2)
    assert "there is no profile 'none'" in ctl.stderr


def test_a_server_with_credentials_of_its_own(far, tmp_path):
    """Two keys: of the source, and of the server."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"accessKey": "mine", "secretKey": "own"}))
    path.chmod(0o600)
    env = write_profiles(tmp_path, prod=profile(ALICE))
    with serving("--credentials", path, "--region", "eu-west-3") as server:
        ctl(server, "import", "--from", url_of(far, "hers"), "--bucket", "got", "--from-profile", "prod", "--access-key", "mine",
            "--secret-key", "own", env=env)
        mine = as_user(server, {"accessKey": "mine", "secretKey": "own"}, region="eu-west-3")
        assert mine.get_bucket_location(Bucket="got")["LocationConstraint"] == "eu-west-3"
        assert keys_of(mine.list_objects_v2(Bucket="got")) == ["a b"]
        ctl(server, "import", "--from", url_of(far, "hers"), "--bucket", "got", "--from-profile", "prod", env=env, status=1)
        assert "Access Denied" in ctl.stderr


def test_a_public_source(source, target):
    client(source).put_object(Bucket="plain", Key="k", Body=b"x")
    assert imported(target, "--from", url_of(source, "plain"), "--no-sign-request", bucket="public", env=ALICE_KEYS) == ["k"]
    signed = [r for r in ok(admin(source, "GET", "requests", bucket="plain", operation="ListObjectsV2"))["requests"] if r.get("accessKey")]
    assert not signed


def test_refusals_in_words(far, source, target):
    def refused(*args, status=1, bucket="never", **more):
        done = run_ctl(target, "import", *args, "--bucket", bucket, **more)
        assert done.returncode == status and done.stdout == b"", (done.stdout, done.stderr)
        return done.stderr.decode()

    assert f"there is no bucket 'none' at {source.url} (NoSuchBucket)" in refused("--from", url_of(source, "none"))
    assert "not signed: --from-profile names keys" in refused("--from", url_of(far, "hers"))
    bob = {"AWS_ACCESS_KEY_ID": BOB["accessKey"], "AWS_SECRET_ACCESS_KEY": BOB["secretKey"]}
    assert "signed with bob of AWS_ACCESS_KEY_ID" in refused("--from", url_of(far, "hers"), env=bob).replace(BOB["accessKey"], "bob")
    unknown = {"AWS_ACCESS_KEY_ID": "who", "AWS_SECRET_ACCESS_KEY": "x"}
    assert "(InvalidAccessKeyId); signed with who" in refused("--from", url_of(far, "hers"), env=unknown)
    assert "no server listens at http://127.0.0.1:1" in refused("--from", "http://127.0.0.1:1/bkt", status=3)
    assert "no such host" in refused("--from", "https://no.such.host.invalid/bkt", status=3)
    for args in (["--from", "bkt"], ["--from", "ftp://h/b"], ["--from", "s3://"], ["--from", "http://h"], ["--from", "http://h/b%2"],
                 ["--from", "https://bkt.s3.eu-west-1.amazonaws.com/k"], ["--from", "s3://b/p", "--prefix", "q"], ["DIR", "--from", "s3://b"],
                 ["--from", "s3://b", "--atomic"], ["--from", "s3://b", "--resources", "x"], ["DIR", "--dry-run"], [],
                 ["--from", "s3://b", "--no-sign-request", "--from-profile", "x"]):
        refused(*args, status=2)
    assert "there is a NUL in it" in refused("--from", "http://h/b/%00", status=2)
    for scheme in ("https", "s3"):
        said = refused("--from", f"{scheme}://key:hush@host/bkt", status=2)
        assert "--from-profile names them" in said and "hush" not in said
    assert run_ctl(target, "import", "--from", url_of(source, "plain")).returncode == 2
    # A bucket is not created for a source that cannot be read.
    assert "never" not in [b["Name"] for b in client(target).list_buckets()["Buckets"]]
    assert "bucket is not valid" in refused("--from", url_of(source, "plain"), bucket="No_Name")


def test_a_source_of_tls(target, tmp_path):
    """AWS_CA_BUNDLE is the source's, --cacert the server's."""
    with serving("--bucket", "bkt", "--tls-self-signed", "--tls-ca-file", tmp_path / "ca.pem") as server:
        url = f"https://localhost:{server.port}/bkt"
        put = ["curl", "-sSf", "--cacert", tmp_path / "ca.pem", "-X", "PUT", "--data-binary", "x", f"{url}/k"]
        subprocess.run(put, check=True, timeout=20 * SLOW)
        ctl(target, "import", "--from", url, "--bucket", "secure", status=3)
        assert "is not trusted" in ctl.stderr and "AWS_CA_BUNDLE names its authority" in ctl.stderr
        assert imported(target, "--from", url, bucket="secure", env={"AWS_CA_BUNDLE": str(tmp_path / "ca.pem")}) == ["k"]


def test_a_server_behind_a_unix_socket(source, tmp_path):
    client(source).put_object(Bucket="plain", Key="k", Body=b"x")
    with serving("--listen", "127.0.0.1:0", "--listen", f"unix:{tmp_path}/s3.sock") as server:
        ctl(None, "import", "--from", url_of(source, "plain"), "--bucket", "got", "--endpoint", f"http+unix:{tmp_path}/s3.sock")
        assert "k" in all_keys(client(server), "got")


# ---- sources that fail --------------------------------------------------------------------------


class listing_server:
    """An S3 of one page. objects: {key: (body, headers)}; before(handler): True, it has answered."""

    def __init__(self, objects, before=lambda handler: False):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body, headers=()):
                self.send_response(status)
                for name, value in dict(headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def error(self, status, code, message, headers=(), more=""):
                self.answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>".encode(), headers)

            def do_GET(self):
                path, _, query = self.path.partition("?")
                if before(self):
                    return
                if "list-type=2" in query:
                    items = "".join(f"<Contents><Key>{k}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;"
                                    f"{hashlib.md5(b).hexdigest()}&quot;</ETag><Size>{len(b)}</Size></Contents>" for k, (b, _) in objects.items())
                    self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>".encode())
                else:
                    body, headers = objects[path.split("/", 2)[2]]
                    self.answer(200, body, headers)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads, self.server.block_on_close = True, False

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()


THREE = {"a": (b"A", {}), "b": (b"B", {}), "c": (b"C", {})}


def test_sent_to_the_right_region(target):
    """301 PermanentRedirect with x-amz-bucket-region, as Amazon answers who asks the wrong region (API reference, "Error responses")."""
    asked = []

    def before(handler):
        region = handler.headers["Authorization"].split("Credential=")[1].split("/")[2]
        asked.append(region)
        if region == "ap-south-1":
            return False
        handler.error(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.",
                      {"x-amz-bucket-region": "ap-south-1"})
        return True

    with listing_server(THREE, before) as url:
        assert imported(target, "--from", f"{url}/bkt", bucket="redirected", env=ALICE_KEYS) == ["a", "b", "c"]
    assert asked == ["us-east-1"] + ["ap-south-1"] * 4


def test_redirected_for_ever(target):
    """To another region each time, or to none: it ends."""
    count = [0]

    def before(handler):
        count[0] += 1
        handler.error(301, "PermanentRedirect", "elsewhere", {"x-amz-bucket-region": f"eu-west-{count[0]}"})
        return True

    with listing_server(THREE, before) as url:
        ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "never", status=1)
    assert "elsewhere (PermanentRedirect)" in ctl.stderr and count[0] < 10


def test_one_object_fails_and_the_others_come(target):
    def before(handler):
        if not handler.path.startswith("/bkt/b"):
            return False
        handler.error(403, "InvalidObjectState", "The operation is not valid for the object's storage class")
        return True

    with listing_server(THREE, before) as url:
        done = run_ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "partly")
    assert done.returncode == 1 and done.stderr.decode().startswith("s3memctl: b: cannot read: it is archived")
    assert b"2 objects" in done.stdout and b"1 failed" in done.stdout
    assert all_keys(client(target), "partly") == ["a", "c"]


@pytest.mark.parametrize("how", ["503", "cut"])
def test_what_passes_is_tried_again(target, how):
    failed = set()

    def before(handler):
        if handler.path in failed or "list-type" in handler.path and how == "cut":
            return False
        failed.add(handler.path)
        if how == "503":
            handler.error(503, "SlowDown", "Please reduce your request rate.")
        else:
            handler.send_response(200)
            handler.send_header("Content-Length", "1")
            handler.end_headers()
            handler.close_connection = True
        return True

    with listing_server(THREE, before) as url:
        assert imported(target, "--from", f"{url}/bkt", bucket=f"again-{how}") == ["a", "b", "c"]
    assert len(failed) >= 3


def test_keys_that_are_refused_end_it(target):
    """Not one complaint an object."""
    many = {f"k{n}": (b"x", {}) for n in range(500)}

    def before(handler):
        if "list-type" in handler.path:
            return False
        handler.error(400, "ExpiredToken", "The provided token has expired.")
        return True

    with listing_server(many, before) as url:
        done = run_ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "expired", env=ALICE_KEYS)
    assert done.returncode == 1 and done.stderr.count(b"\n") < 20
    assert b"(ExpiredToken)" in done.stderr and b"the others would fail alike" in done.stderr


def test_a_server_that_is_full(source):
    s3 = client(source)
    s3.create_bucket(Bucket="heavy")
    for n in range(40):
        s3.put_object(Bucket="heavy", Key=f"{n:02}", Body=b"x" * (1 << 20))
    with serving("--max-memory", "20MiB") as server:
        done = run_ctl(server, "import", "--from", url_of(source, "heavy"), "--bucket", "heavy")
        assert done.returncode == 1 and b"(SlowDown)" in done.stderr
        assert 1 <= len(all_keys(client(server), "heavy")) < 40


@pytest.mark.parametrize("answer", [b"hello", b"<html><Contents></html>", b"",
                                    b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
                                    b"<ListBucketResult><Contents><Key>a</Key><Size>many</Size></Contents></ListBucketResult>"])
def test_what_is_no_s3(target, answer):
    def before(handler):
        handler.answer(200, answer)
        return True

    with listing_server(THREE, before) as url:
        ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "never", status=1)
    assert "answers, but not as S3 does" in ctl.stderr


# One element of many tags, or of many characters that end nothing. (Sanitizers go through all that a search was given.)
MANY = 400_000 if SLOW <= 10 else 20_000
STORMS = [b"<ListBucketResult>" + b"<Contents " * MANY, b"<ListBucketResult><Contents>" + b"</Contents " * MANY,
          b"<ListBucketResult><Contents><Key>" + b"&" * 10 * MANY + b"</Key></Contents></ListBucketResult>"]


@pytest.mark.parametrize("storm", STORMS, ids=["tags", "ends", "entities"])
def test_a_list_is_read_in_linear_time(target, storm):
    def before(handler):
        handler.answer(200, storm)
        return True

    with listing_server(THREE, before) as url:
        begin = time.monotonic()
        ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "never", status=1)
        assert time.monotonic() - begin < 10 * SLOW


def test_pages_in_a_circle(target):
    count = [0]

    def before(handler):
        count[0] += 1
        handler.answer(200, b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>%d</NextContinuationToken>"
                            b"</ListBucketResult>" % (count[0] % 5))
        return True

    with listing_server(THREE, before) as url:
        ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "never", status=1)
    assert count[0] < 50


def list_of(key, size, etag="e"):
    return (f"<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>{key}</Key><ETag>{etag}</ETag><Size>{size}</Size></Contents>"
            "</ListBucketResult>").encode()


@pytest.mark.parametrize("key", ["", "other"])
def test_keys_that_were_not_asked_for(target, key):
    def before(handler):
        handler.answer(200, list_of(key, 4) if "list-type" in handler.path else b"data")
        return True

    with listing_server(THREE, before) as url:
        ctl(target, "import", "--from", f"{url}/bkt/p", "--bucket", "not-asked", status=1)
    assert "answers, but not as S3 does" in ctl.stderr


def test_a_key_with_a_nul(target):
    """It is that object, and not the one of the characters before it."""
    asked = []

    def before(handler):
        asked.append(handler.path)
        handler.answer(200, list_of("a%00b", 4) if "list-type" in handler.path else b"data")
        return True

    with listing_server(THREE, before) as url:
        run_ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "nul")
    assert asked[1:] == ["/bkt/a%00b"] and "a" not in all_keys(client(target), "nul")


CUT = {"Content-Range": "bytes 0-3/20"}
PARTS = {"x-amz-mp-parts-count": "2", "ETag": '"e-2"'}


# status, headers, etag of the list; what is answered without partNumber: None, the same
@pytest.mark.parametrize("status, headers, etag", [
    (206, CUT, "e"), (204, {}, "e"), (206, {**PARTS, **CUT}, "e-2"), (206, {**CUT, "x-amz-mp-parts-count": "1"}, "e-1"),
    (206, PARTS, "e-2"), (206, {**CUT, "x-amz-mp-parts-count": "4294967296"}, "e-2"), (200, {"Connection": "close"}, "e")])
def test_a_body_that_is_not_whole(target, status, headers, etag):
    """An object of 20 bytes of which four come is not copied as one of four."""
    def before(handler):
        if "list-type" in handler.path:
            handler.answer(200, list_of("k", 20, etag))
            return True
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if status == 206:
            handler.send_header("Content-Length", "4")
        handler.end_headers()
        if status != 204:
            handler.wfile.write(b"data")
        handler.close_connection = status == 200
        return True

    with listing_server(THREE, before) as url:
        done = run_ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "cut")
    assert done.returncode == 1 and b"k: cannot read: " in done.stderr and b"not as S3 does" in done.stderr
    assert all_keys(client(target), "cut") == []
    assert client(target).list_multipart_uploads(Bucket="cut").get("Uploads") is None


def test_all_of_it_instead_of_a_part(target):
    """A server that knows no partNumber and counts parts all the same: its reply is no part."""
    with listing_server({"k": (b"data", PARTS)}, lambda h: "list-type" in h.path and not h.answer(200, list_of("k", 4, "e-2"))) as url:
        ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "all")
    assert client(target).get_object(Bucket="all", Key="k")["Body"].read() == b"data"


@pytest.mark.parametrize("headers", [{"x-amz-meta-a": "v" * 70_000}, {f"x-amz-meta-{n}": "v" * 65_000 for n in range(4)}])
def test_more_metadata_than_a_server_takes(target, headers):
    with listing_server({"a": (b"A", headers), "b": (b"B", {})}) as url:
        done = run_ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "meta")
    assert done.returncode == 1 and done.stderr.startswith(b"s3memctl: a: cannot ")
    assert all_keys(client(target), "meta") == ["b"]


@pytest.mark.parametrize("tags", [b"<Tag><Key>k</Key><Value>" + b"v" * 5000 + b"</Value></Tag>",
                                  b"<Tag><Key>k</Key><Value>" + b"v" * 3000 + b"</Value></Tag>" * 10])
def test_tags_that_are_none_of_s3(target, tags):
    """They are not left out, nor cut."""
    def before(handler):
        if "tagging" in handler.path:
            handler.answer(200, b"<Tagging><TagSet>" + tags + b"</TagSet></Tagging>")
        return "tagging" in handler.path

    with listing_server({"a": (b"A", {"x-amz-tagging-count": "1"})}, before) as url:
        ctl(target, "import", "--from", f"{url}/bkt", "--bucket", "tags", status=1)
    assert ctl.stderr.startswith("s3memctl: a: cannot ") and all_keys(client(target), "tags") == []


def test_progress_on_a_terminal(source):
    s3 = client(source)
    s3.create_bucket(Bucket="watched")
    for n in range(40):
        s3.put_object(Bucket="watched", Key=f"{n:02}", Body=b"x")
    with serving() as server:
        ctl(source, "fault", "add", "--operation", "GetObject", "--bucket", "watched", "--latency", "150ms")
        for more in ([], ["--quiet"]):
            ours, theirs = pty.openpty()
            command = [CTL, "import", "--from", url_of(source, "watched"), "--bucket", "watched", *more]
            subprocess.run(command, env={**ENV, "S3MEMCTL_ENDPOINT": server.url}, stdout=subprocess.DEVNULL, stderr=theirs, check=True,
                           timeout=60 * SLOW)
            os.close(theirs)
            shown = b""
            try:
                while piece := os.read(ours, 65536):
                    shown += piece
            except OSError:  # the terminal has ended
                pass
            os.close(ours)
            assert bool(re.search(rb"\r\d+ objects, \d+ B; 0 were there", shown)) == (not more), shown
        ctl(source, "fault", "clear")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_it_lists(target, number):
    """A source that does not go on holds nobody."""
    listed, over = threading.Event(), threading.Event()

    def before(handler):
        if "continuation-token" in handler.path:
            listed.set()
            over.wait(30 * SLOW)
            return True
        if "list-type" not in handler.path:
            return False
        handler.answer(200, b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
                            b"<Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>")
        return True

    with listing_server(THREE, before) as url:
        command = [CTL, "import", "--from", f"{url}/bkt", "--bucket", f"listing-{number}"]
        with subprocess.Popen(command, env={**ENV, "S3MEMCTL_ENDPOINT": target.url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            assert listed.wait(10 * SLOW)
            begin = time.monotonic()
            run.send_signal(number)
            err = run.communicate(timeout=15 * SLOW)[1]
            took = time.monotonic() - begin
            over.set()
            assert run.returncode == 1 and b"interrupted" in err and b"Callback" not in err and took < 15, (took, err)


def test_interrupted_and_continued(target):
    """What is done stays; an upload that was begun does not."""
    with serving("--bucket", "slow") as slow:
        s3 = client(slow)
        for n in range(200):
            s3.put_object(Bucket="slow", Key=f"{n:03}", Body=b"x" * 1000)
        upload = s3.create_multipart_upload(Bucket="slow", Key="000-parts")["UploadId"]
        parts = [{"PartNumber": n, "ETag": s3.upload_part(Bucket="slow", Key="000-parts", UploadId=upload, PartNumber=n,
                                                          Body=b"x" * (5 << 20))["ETag"]} for n in (1, 2)]
        s3.complete_multipart_upload(Bucket="slow", Key="000-parts", UploadId=upload, MultipartUpload={"Parts": parts})
        ctl(slow, "fault", "add", "--operation", "GetObject", "--after", "100", "--latency", "20s")
        command = [CTL, "import", "--from", url_of(slow, "slow"), "--bucket", "slow"]
        with subprocess.Popen(command, env={**ENV, "S3MEMCTL_ENDPOINT": target.url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            http_request(target, "PUT", "/slow")
            eventually(lambda: len(all_keys(client(target), "slow")) >= 80)
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=15 * SLOW)
        assert run.returncode == 1 and b"interrupted; the same command goes on" in err and b"copied from" in out
        done = len(all_keys(client(target), "slow"))
        assert client(target).list_multipart_uploads(Bucket="slow").get("Uploads") is None
        ctl(slow, "fault", "clear")
        said = ctl_json(target, "import", "--from", url_of(slow, "slow"), "--bucket", "slow")
        assert said["unchanged"] == done and said["copied"] == 201 - done
        assert all_keys(client(target), "slow") == all_keys(s3, "slow")
