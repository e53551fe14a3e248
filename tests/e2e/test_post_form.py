# SPDX-License-Identifier: MIT
"""PostObject: browser uploads by form, with and without a policy."""

import base64
import datetime
import hashlib
import hmac
import json
import urllib.parse

import pytest
import requests

from conftest import ALICE, as_user
from harness import PATIENCE, client, has, http_request, is_error, keys_of, md5_hex
from sign import Signer

pytestmark = pytest.mark.options

BOUNDARY = "----boundary7MA4YWxkTrZu0gW"
FILE = b"abcdef"


def form(fields, file=FILE, filename="file.txt", content_type=None, after=(), file_name="file"):
    """A multipart/form-data body. file None: no file at all."""
    out = b""

    def part(name, value, extra=""):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n'
        return head.encode() + b"\r\n" + value + b"\r\n"

    for name, value in fields:
        out += part(name, value if isinstance(value, bytes) else value.encode())
    if file is not None:
        extra = f'; filename="{filename}"' if filename is not None else ""
        if content_type:
            extra += f"\r\nContent-Type: {content_type}"
        out += part(file_name, file, extra)
    for name, value in after:
        out += part(name, value.encode())
    return out + f"--{BOUNDARY}--\r\n".encode()


def post(server, bucket, fields, headers=None, **options):
    fields = fields.items() if isinstance(fields, dict) else fields
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return http_request(
        server, "POST", f"/{bucket}", {**kind, **(headers or {})}, form(fields, **options)
    )


def stamp(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def signed(server, conditions, user=ALICE, expires=300, policy=None, **fields):
    """Form fields with a V4-signed policy. policy: text instead of the JSON of conditions."""
    signer = Signer(user, f"127.0.0.1:{server.port}")
    credential = f"{signer.access_key}/{signer.scope}"
    if policy is None:
        policy = json.dumps(
            {
                "expiration": stamp(expires),
                "conditions": [
                    *conditions,
                    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
                    {"x-amz-credential": credential},
                    {"x-amz-date": signer.date},
                ],
            }
        )
    encoded = base64.b64encode(policy.encode()).decode()
    return {
        **fields,
        "policy": encoded,
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": credential,
        "x-amz-date": signer.date,
        "x-amz-signature": signer.hex(encoded),
    }


@pytest.fixture
def policy_post(auth_server, alices_bucket):
    """Posts to Alice's bucket under a policy; bucket and key conditions are added."""

    def send(conditions=(), fields=None, form_options=None, sign=None, change=None):
        fields = {"key": "k", **(fields or {})}
        everything = [{"bucket": alices_bucket}, ["starts-with", "$key", ""], *conditions]
        whole = signed(auth_server, everything, **(sign or {}), **fields)
        if change:
            change(whole)
        return post(auth_server, alices_bucket, whole, **(form_options or {}))

    return send


@pytest.fixture
def uploaded(alice, alices_bucket):
    """Reads back what a form stored."""

    def read(key="k"):
        return alice.get_object(Bucket=alices_bucket, Key=key)

    return read


# ---- without a policy, on the open server -------------------------------------------------------


def test_simple(server, s3, bucket):
    reply = post(server, bucket, {"key": "k", "Content-Type": "text/plain", "x-amz-meta-A": "1"})
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["etag"] == f'"{md5_hex(FILE)}"'
    assert reply.headers["location"].endswith(f"/{bucket}/k") or reply.headers[
        "location"
    ].endswith("/k")
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == FILE
    has(got, ContentType="text/plain", Metadata={"a": "1"})


def test_default_checksum(server, s3, bucket):
    """aws-recorded: test_post_object_default_checksum"""
    post(server, bucket, {"key": "k"}, file=b"abcdef")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    has(head, ChecksumCRC64NVME="Pact6XRTYyA=", ContentType="binary/octet-stream")


def test_filename(server, s3, bucket):
    """AWS: ${filename} is replaced by the name of the file, without its folders."""
    post(server, bucket, {"key": "user/${filename}"}, filename="photo.png")
    post(server, bucket, {"key": "w/${filename}"}, filename="C:\\\\My Documents\\\\photo.png")
    post(server, bucket, {"key": "u/${filename}"}, filename="/home/me/photo.png")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == [
        "u/photo.png",
        "user/photo.png",
        "w/photo.png",
    ]


def test_filename_in_every_field(server, s3, bucket):
    """AWS "HTML forms": ${filename} "is recognized by all form fields"; "If no file or file name is
    provided, the variable is replaced with an empty string"."""
    fields = {
        "key": "k",
        "x-amz-meta-name": "${filename}",
        "Content-Disposition": "attachment; filename=${filename}",
        "success_action_redirect": "http://localhost.test/${filename}",
    }
    reply = post(server, bucket, fields, filename="/home/me/photo.png")
    assert reply.headers["location"].startswith("http://localhost.test/photo.png?")
    has(
        s3.head_object(Bucket=bucket, Key="k"),
        Metadata={"name": "photo.png"},
        ContentDisposition="attachment; filename=photo.png",
    )
    post(server, bucket, {"key": "empty-${filename}"}, filename="")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["empty-", "k"]


def test_file_as_plain_field(server, s3, bucket):
    """aws-recorded: test_post_object_with_file_as_string: a file field without a filename; then
    ${filename} stays as it is."""
    post(server, bucket, {"key": "plain"}, filename=None, file=b"this is the content")
    post(server, bucket, {"key": "file-as-field-${filename}"}, filename=None, file=b"x")
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["file-as-field-${filename}", "plain"]
    assert s3.get_object(Bucket=bucket, Key="plain")["Body"].read() == b"this is the content"


def test_fields_after_the_file_are_ignored(server, s3, bucket):
    """AWS: "The file or content must be the last field in the form"."""
    reply = post(
        server,
        bucket,
        {"key": "k"},
        after=[("key", "other"), ("x-amz-meta-late", "1"), ("success_action_status", "201")],
    )
    assert reply.status == 204
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]
    has(s3.head_object(Bucket=bucket, Key="k"), Metadata={})


def test_missing_key(server, s3, bucket):
    """AWS error list: InvalidArgument, "Bucket POST must contain a field named 'key'." """
    is_error(
        post(server, bucket, {"x-amz-meta-a": "1"}),
        "InvalidArgument",
        400,
        "Bucket POST must contain a field named 'key'.  If it is specified, please check the order "
        "of the fields.",
        ArgumentName="key",
    )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_missing_file(server, s3, bucket):
    is_error(
        post(server, bucket, {"key": "k"}, file=None),
        "InvalidArgument",
        400,
        "POST requires exactly one file upload per request.",
        ArgumentName="file",
    )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


@pytest.mark.parametrize(
    "status,expected", [("200", 200), ("201", 201), ("204", 204), ("302", 204), ("x", 204)]
)
def test_success_action_status(server, bucket, status, expected):
    """AWS: 200, 201 or 204; anything else is 204."""
    reply = post(server, bucket, {"key": "a b/\u00e9", "success_action_status": status})
    assert reply.status == expected
    if expected == 201:
        root = reply.xml
        assert root.tag == "PostResponse"
        assert root.findtext("Bucket") == bucket
        assert root.findtext("Key") == "a b/\u00e9"
        assert root.findtext("ETag") == f'"{md5_hex(FILE)}"'
        assert urllib.parse.unquote(root.findtext("Location")).endswith("/a b/\u00e9")
        assert reply.headers["location"] == root.findtext("Location")
    else:
        assert reply.body == b""


def test_success_action_redirect(server, bucket):
    """AWS: 303 to the URL with bucket, key and etag added."""
    reply = post(
        server, bucket, {"key": "a b", "success_action_redirect": "http://localhost.test/ok?x=1"}
    )
    assert reply.status == 303
    parts = urllib.parse.urlsplit(reply.headers["location"])
    assert (parts.scheme, parts.netloc, parts.path) == ("http", "localhost.test", "/ok")
    query = urllib.parse.parse_qs(parts.query)
    assert query == {"x": ["1"], "bucket": [bucket], "key": ["a b"], "etag": [f'"{md5_hex(FILE)}"']}


@pytest.mark.parametrize(
    "url", ["nonsense", "javascript:alert(1)", "http://x/a b", "http://x/\r\nSet-Cookie: a=b"]
)
def test_redirect_to_no_url(server, bucket, url):
    """AWS: "If Amazon S3 cannot interpret the URL, it acts as if the field is not present"."""
    reply = post(server, bucket, {"key": "k", "success_action_redirect": url})
    assert reply.status == 204
    assert reply.headers["location"].endswith("/k")
    assert "set-cookie" not in reply.headers


def test_redirect_keeps_its_fragment(server, bucket):
    """RFC 3986, 3: the query stands before the fragment."""
    reply = post(server, bucket, {"key": "k", "success_action_redirect": "http://x.test/a#part"})
    parts = urllib.parse.urlsplit(reply.headers["location"])
    assert (parts.path, parts.fragment) == ("/a", "part")
    assert urllib.parse.parse_qs(parts.query)["key"] == ["k"]


@pytest.mark.parametrize("name", ["a b", "a: b", "a\r\nEvil", "\u00e9"])
def test_metadata_that_no_header_could_carry(server, s3, bucket, name):
    """A form field may have any name; a GET of such an object could not be answered. RFC 9110,
    5.6.2: names of headers."""
    # Line ends in a name are escaped by browsers (WHATWG HTML, multipart/form-data).
    field = "x-amz-meta-" + name.replace("\r\n", "%0D%0A")
    reply = post(server, bucket, {"key": "k", field: "v"})
    if "%" in field:
        assert reply.status == 204  # "%" is a character of names
        has(s3.head_object(Bucket=bucket, Key="k"), Metadata={"a%0d%0aevil": "v"})
        return
    is_error(reply, "InvalidArgument", 400, ArgumentName=field)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_wrong_content_type(server, s3, bucket):
    """aws-recorded: test_post_object_with_wrong_content_type"""
    for kind in ("text/html; charset=utf-8", "application/x-www-form-urlencoded"):
        reply = http_request(server, "POST", f"/{bucket}", {"Content-Type": kind}, b"key=k")
        is_error(
            reply,
            "PreconditionFailed",
            412,
            "At least one of the pre-conditions you specified did not hold",
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        f"--{BOUNDARY}\r\n".encode(),
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="key"\r\n\r\nk'.encode(),
        f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nk\r\n--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\nNo colon here\r\n\r\nk\r\n--{BOUNDARY}--\r\n".encode(),
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--{BOUNDARY}\r\n'
        'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\nnever ends'.encode(),
    ],
)
def test_malformed_form(server, s3, bucket, body):
    """AWS error list: MalformedPOSTRequest"""
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    reply = http_request(server, "POST", f"/{bucket}", kind, body)
    assert reply.status == 400, reply
    assert reply.code in ("MalformedPOSTRequest", "InvalidArgument", "IncompleteBody"), reply
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_no_boundary(server, bucket):
    reply = http_request(
        server, "POST", f"/{bucket}", {"Content-Type": "multipart/form-data"}, form([("key", "k")])
    )
    is_error(reply, "MalformedPOSTRequest", 400)


def test_too_many_bytes_before_the_file(server, s3, bucket):
    """AWS error list: MaxPostPreDataLengthExceededError: 20 KB"""
    is_error(
        post(server, bucket, {"key": "k", "x-ignore-this": "x" * 30_000}),
        "MaxPostPreDataLengthExceededError",
        400,
        "Your POST request fields preceding the upload file were too large.",
    )
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_file_with_boundary_lookalikes(server, s3, bucket):
    """Everything up to the real boundary is the file's."""
    file = (
        b"\r\n--" + BOUNDARY[:-1].encode() + b"\r\n--\r\n\r\n-" + BOUNDARY.encode() + b"\r\r\n"
    ) * 500
    post(server, bucket, {"key": "k"}, file=file)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == file


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_sizes(server, s3, bucket, size):
    file = bytes(i % 251 for i in range(size))
    assert post(server, bucket, {"key": "k"}, file=file).status == 204
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == file


@pytest.mark.parametrize(
    "xml,expected",
    [
        ("<Tagging><TagSet><Tag><Key>N</Key><Value>V</Value></Tag></TagSet></Tagging>", {"N": "V"}),
        (
            "<Tagging><TagSet><Tag><Key>N</Key><Value>V</Value></Tag><Tag><Key>N2</Key>"
            "<Value>V2</Value></Tag></TagSet></Tagging>",
            {"N": "V", "N2": "V2"},
        ),
    ],
)
def test_tagging(server, s3, bucket, xml, expected):
    """aws-recorded: test_post_object_with_tags"""
    assert post(server, bucket, {"key": "k", "tagging": xml}).status == 204
    tags = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert {t["Key"]: t["Value"] for t in tags} == expected


def test_tagging_not_xml(server, s3, bucket):
    """aws-recorded: test_post_object_with_tags[notxml]"""
    is_error(post(server, bucket, {"key": "k", "tagging": "not-xml"}), "MalformedXML", 400)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_headers_of_the_object(server, s3, bucket):
    """aws-recorded: test_post_object_with_metadata, test_post_object_with_storage_class"""
    post(
        server,
        bucket,
        {
            "key": "k",
            "Cache-Control": "max-age=5",
            "Content-Disposition": "inline",
            "Content-Encoding": "gzip",
            "Expires": "Wed, 21 Oct 2015 07:28:00 GMT",
            "x-amz-meta-test-1": "test-meta-1",
            "x-amz-meta-TEST-2": "test-meta-2",
            "x-amz-storage-class": "STANDARD_IA",
        },
    )
    has(
        s3.head_object(Bucket=bucket, Key="k"),
        CacheControl="max-age=5",
        ContentDisposition="inline",
        ContentEncoding="gzip",
        ExpiresString="Wed, 21 Oct 2015 07:28:00 GMT",
        Metadata={"test-1": "test-meta-1", "test-2": "test-meta-2"},
        StorageClass="STANDARD_IA",
    )
    is_error(
        post(server, bucket, {"key": "k2", "x-amz-storage-class": "FakeClass"}),
        "InvalidStorageClass",
        400,
        "The storage class you specified is not valid",
        StorageClassRequested="FakeClass",
    )


def test_missing_bucket(server):
    is_error(post(server, "no-such-bucket-form", {"key": "k"}), "NoSuchBucket", 404)


def test_versioned_bucket(server, s3, versioned):
    reply = post(server, versioned, {"key": "k"})
    [version] = s3.list_object_versions(Bucket=versioned)["Versions"]
    assert reply.headers["x-amz-version-id"] == version["VersionId"]


def test_policy_on_open_server_is_evaluated(server, s3, bucket):
    """Without credentials the signature is not verified, but a policy is a policy."""
    fields = signed(server, [{"bucket": bucket}, {"key": "other"}], key="k")
    is_error(post(server, bucket, fields), "AccessDenied", 403)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


# ---- with a policy ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_boto3_form(auth_server, alices_bucket, uploaded, version):
    """aws-recorded: test_presigned_post_with_different_user_credentials"""
    alice = as_user(auth_server, ALICE, config={"signature_version": version})
    presigned = alice.generate_presigned_post(alices_bucket, "my/key", ExpiresIn=3600)
    reply = requests.post(
        presigned["url"], data=presigned["fields"], files={"file": FILE}, timeout=PATIENCE
    )
    assert reply.status_code == 204, reply.text
    got = uploaded("my/key")
    assert got["Body"].read() == FILE
    has(got, ChecksumCRC64NVME="Pact6XRTYyA=")


def test_boto3_conditions(auth_server, alice, alices_bucket, uploaded):
    presigned = alice.generate_presigned_post(
        alices_bucket,
        "up/${filename}",
        Fields={"acl": "private", "Content-Type": "image/png", "success_action_status": "201"},
        Conditions=[
            {"acl": "private"},
            ["starts-with", "$Content-Type", "image/"],
            ["content-length-range", 1, 100],
            {"success_action_status": "201"},
        ],
    )
    reply = requests.post(
        presigned["url"],
        data=presigned["fields"],
        files={"file": ("photo.png", FILE)},
        timeout=PATIENCE,
    )
    assert reply.status_code == 201, reply.text
    has(uploaded("up/photo.png"), ContentType="image/png")


def test_anonymous_form(auth_server, alice, alices_bucket):
    """aws-recorded: test_post_request_missing_fields (exception-no-sig-related-fields)"""
    is_error(post(auth_server, alices_bucket, {"key": "k"}), "AccessDenied", 403, "Access Denied")
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


def test_another_users_form(auth_server, alices_bucket):
    from conftest import BOB

    fields = signed(auth_server, [{"bucket": alices_bucket}, {"key": "k"}], user=BOB, key="k")
    is_error(post(auth_server, alices_bucket, fields), "AccessDenied", 403)


def test_expired(policy_post):
    """aws-recorded: test_post_request_expires"""
    is_error(
        policy_post(sign={"expires": -5}),
        "AccessDenied",
        403,
        "Invalid according to Policy: Policy expired.",
    )


def test_changed_policy(policy_post):
    """aws-recorded: test_post_request_malformed_policy"""

    def change(fields):
        fields["policy"] += "A"

    reply = policy_post(change=change)
    is_error(
        reply,
        "SignatureDoesNotMatch",
        403,
        AWSAccessKeyId=ALICE["accessKey"],
        SignatureProvided=...,
        StringToSign=...,
        StringToSignBytes=...,
    )


@pytest.mark.parametrize(
    "missing,named",
    [
        ("x-amz-signature", "X-Amz-Signature"),
        ("x-amz-algorithm", "X-Amz-Algorithm"),
        ("x-amz-credential", "X-Amz-Credential"),
        ("x-amz-date", "X-Amz-Date"),
    ],
)
def test_missing_field(policy_post, missing, named):
    """aws-recorded: test_post_request_missing_signature[s3v4], test_post_request_missing_fields
    [s3v4]"""
    reply = policy_post(change=lambda fields: fields.pop(missing))
    is_error(
        reply,
        "InvalidArgument",
        400,
        f"Bucket POST must contain a field named '{named}'.  If it is specified, please check the "
        "order of the fields.",
        ArgumentName=named,
    )


def v2_fields(bucket, conditions=(), user=ALICE):
    policy = {
        "expiration": stamp(300),
        "conditions": [{"bucket": bucket}, ["starts-with", "$key", ""], *conditions],
    }
    encoded = base64.b64encode(json.dumps(policy).encode()).decode()
    digest = hmac.new(user["secretKey"].encode(), encoded.encode(), hashlib.sha1).digest()
    return {
        "key": "k",
        "AWSAccessKeyId": user["accessKey"],
        "policy": encoded,
        "signature": base64.b64encode(digest).decode(),
    }


@pytest.mark.parametrize("missing,named", [("signature", "Signature"), ("AWSAccessKeyId", "AWSAccessKeyId")])
def test_v2_missing_field(auth_server, alices_bucket, missing, named):
    """aws-recorded: test_post_request_missing_signature[s3], test_post_request_missing_fields[s3]"""
    fields = v2_fields(alices_bucket)
    assert post(auth_server, alices_bucket, fields).status == 204
    fields.pop(missing)
    is_error(
        post(auth_server, alices_bucket, fields),
        "InvalidArgument",
        400,
        f"Bucket POST must contain a field named '{named}'.  If it is specified, please check the "
        "order of the fields.",
        ArgumentName=named,
    )


def test_v2_wrong_signature(auth_server, alices_bucket):
    fields = {**v2_fields(alices_bucket), "signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}
    is_error(post(auth_server, alices_bucket, fields), "SignatureDoesNotMatch", 403)


def test_unknown_access_key(auth_server, alices_bucket):
    nobody = {"accessKey": "AKIANOBODY", "secretKey": "x"}
    fields = signed(auth_server, [{"bucket": alices_bucket}, {"key": "k"}], user=nobody, key="k")
    is_error(post(auth_server, alices_bucket, fields), "InvalidAccessKeyId", 403)


def failed(condition):
    return f"Invalid according to Policy: Policy Condition failed: {json.dumps(condition)}"


def test_size_range(policy_post, uploaded):
    """aws-recorded: test_post_object_policy_validation_size"""
    between = [["content-length-range", 5, 10]]
    is_error(
        policy_post(between, form_options={"file": b"a" * 12}),
        "EntityTooLarge",
        400,
        "Your proposed upload exceeds the maximum allowed size",
        MaxSizeAllowed="10",
        ProposedSize="12",
    )
    is_error(
        policy_post(between, form_options={"file": b"a"}),
        "EntityTooSmall",
        400,
        "Your proposed upload is smaller than the minimum allowed size",
        MinSizeAllowed="5",
        ProposedSize="1",
    )
    assert policy_post(between, form_options={"file": b"a" * 10}).status == 204
    has(uploaded(), ChecksumCRC64NVME="DBqAA21lxVU=", ContentLength=10)
    # Numbers may come as text; text that is no number fails.
    assert policy_post([["content-length-range", "5", "10"]]).status == 204
    is_error(
        policy_post([["content-length-range", "test", "10"]]),
        "AccessDenied",
        403,
        failed(["content-length-range", "test", "10"]),
    )


def test_eq(policy_post):
    """aws-recorded: test_post_object_policy_conditions_validation_eq"""
    url = "http://localhost.test/random"
    good = {"success_action_redirect": url}
    assert policy_post([["eq", "$success_action_redirect", url]], good).status == 303
    assert policy_post([good], good).status == 303
    is_error(
        policy_post(
            [["eq", "$success_action_redirect", url]],
            {"success_action_redirect": "http://wrong.location/test"},
        ),
        "AccessDenied",
        403,
        failed(["eq", "$success_action_redirect", url]),
    )
    is_error(
        policy_post([["eq", "success_action_redirect", url]], good),
        "AccessDenied",
        403,
        failed(["eq", "success_action_redirect", url]),
    )
    is_error(
        policy_post([["eq", "$success_action_redirect", url.replace("http", "HTTP")]], good),
        "AccessDenied",
        403,
        failed(["eq", "$success_action_redirect", url.replace("http", "HTTP")]),
    )
    is_error(
        policy_post([{"bucket": "a", "other": "b"}]),
        "InvalidPolicyDocument",
        400,
        "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one "
        "property specified.",
    )


def test_starts_with(policy_post, uploaded):
    """aws-recorded: test_post_object_policy_conditions_validation_starts_with"""
    condition = ["starts-with", "$success_action_redirect", "http://localhost"]
    for wrong in ("http://wrong.location/test", "HTTP://localhost.test/random"):
        is_error(
            policy_post([condition], {"success_action_redirect": wrong}),
            "AccessDenied",
            403,
            failed(condition),
        )
    good = {"success_action_redirect": "http://localhost.test/random"}
    assert policy_post([condition], good).status == 303
    assert uploaded()["Body"].read() == FILE
    anything = ["starts-with", "$success_action_redirect", ""]
    assert policy_post([anything], good, {"file": b"manual value to change ETag"}).status == 303
    has(uploaded(), ChecksumCRC64NVME="wSCEAfbAYnk=")


def test_content_type_list(policy_post):
    """AWS: "Content-Types values for a starts-with condition that include commas are interpreted
    as lists"."""
    condition = ["starts-with", "$Content-Type", "image/"]
    assert policy_post([condition], {"Content-Type": "image/png,image/gif"}).status == 204
    reply = policy_post([condition], {"Content-Type": "image/png,text/html"})
    is_error(reply, "AccessDenied", 403, failed(condition))


def test_extra_fields(policy_post):
    """AWS: every field but policy, file, the signature's and x-ignore-* must be in the policy."""
    reply = policy_post([], {"x-amz-meta-extra": "1"})
    is_error(
        reply,
        "AccessDenied",
        403,
        "Invalid according to Policy: Extra input fields: x-amz-meta-extra",
    )
    assert policy_post([], {"x-ignore-me": "1"}).status == 204
    assert policy_post([["starts-with", "$x-amz-meta-extra", ""]], {"x-amz-meta-extra": "1"}).status == 204


def test_conditions_name_fields_in_any_case(policy_post, uploaded):
    """aws-recorded: test_post_object_policy_conditions_validation_eq (metadata)"""
    reply = policy_post(
        [
            ["eq", "$X-Amz-Meta-Test-1", "test-meta-1"],
            {"x-amz-meta-test-2": "test-meta-2"},
            {"Content-Type": "text/plain"},
        ],
        {
            "x-amz-meta-test-1": "test-meta-1",
            "X-Amz-Meta-Test-2": "test-meta-2",
            "content-type": "text/plain",
        },
    )
    assert reply.status == 204, reply
    has(
        uploaded(),
        Metadata={"test-1": "test-meta-1", "test-2": "test-meta-2"},
        ContentType="text/plain",
    )


@pytest.mark.parametrize(
    "policy",
    [
        "not json",
        "[]",
        "{}",
        '{"conditions": []}',
        '{"expiration": "2099-01-01T00:00:00Z"}',
        '{"expiration": "soon", "conditions": []}',
        '{"expiration": "2099-01-01T00:00:00.000Z", "conditions": {}}',
        '{"expiration": "2099-01-01T00:00:00.000Z", "conditions": [["nonsense", "$key", ""]]}',
        '{"expiration": "2099-01-01T00:00:00.000Z", "conditions": [["eq", "$key"]]}',
        '{"expiration": "2099-01-01T00:00:00.000Z", "conditions": ["eq"]}',
        "[" * 5000,
    ],
)
def test_invalid_policy(auth_server, alice, alices_bucket, policy):
    """AWS error list: InvalidPolicyDocument"""
    fields = signed(auth_server, [], policy=policy, key="k")
    reply = post(auth_server, alices_bucket, fields)
    assert (reply.status, reply.code) == (400, "InvalidPolicyDocument"), reply
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


def test_policy_is_no_base64(policy_post):
    def change(fields):
        fields["policy"] = "%%%"

    reply = policy_post(change=change)
    assert reply.status in (400, 403), reply
    assert reply.code in ("InvalidPolicyDocument", "SignatureDoesNotMatch"), reply


def test_wrong_bucket(auth_server, alices_bucket, alice):
    fields = signed(auth_server, [{"bucket": "another"}, {"key": "k"}], key="k")
    is_error(
        post(auth_server, alices_bucket, fields),
        "AccessDenied",
        403,
        failed(["eq", "$bucket", "another"]),
    )
    assert keys_of(alice.list_objects_v2(Bucket=alices_bucket)) == []


def test_key_condition_sees_the_file_name(policy_post, auth_server, alices_bucket):
    """AWS "POST Policy": "All variables in the form are expanded before the POST policy is
    validated"."""
    fields = signed(
        auth_server,
        [{"bucket": alices_bucket}, ["starts-with", "$key", "up/"]],
        key="up/${filename}",
    )
    assert post(auth_server, alices_bucket, fields, filename="a.txt").status == 204
    fields = signed(
        auth_server,
        [{"bucket": alices_bucket}, ["eq", "$key", "up/a.txt"], {"x-amz-meta-n": "a.txt"}],
        **{"key": "up/${filename}", "x-amz-meta-n": "${filename}"},
    )
    assert post(auth_server, alices_bucket, fields, filename="a.txt").status == 204


def test_unicode(server, s3, bucket):
    """aws-recorded: test_post_object_with_unicode_metadata"""
    reply = post(
        server,
        bucket,
        {
            "key": "test_unicode\u2014_file.pdf",
            "x-amz-meta-nonascii": "\u00c4M\u00c4Z\u00d5\u00d1 S3",
            "success_action_status": "201",
        },
    )
    assert reply.xml.findtext("Key") == "test_unicode\u2014_file.pdf"
    assert reply.headers["location"].endswith("/test_unicode%E2%80%94_file.pdf")
    head = s3.head_object(Bucket=bucket, Key="test_unicode\u2014_file.pdf")
    assert head["Metadata"]["nonascii"] == "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?="


def test_browser_by_requests(server, s3, bucket):
    """What the requests library sends, on the bucket with a trailing slash."""
    reply = requests.post(
        f"{server.url}/{bucket}/",
        data={"key": "${filename}"},
        files={"file": ("n\u00e4me.txt", FILE)},
        timeout=PATIENCE,
    )
    assert reply.status_code == 204, reply.text
    assert len(keys_of(s3.list_objects_v2(Bucket=bucket))) == 1


def test_presigned_post_on_open_server(server, s3, bucket):
    presigned = client(server).generate_presigned_post(bucket, "k")
    reply = requests.post(
        presigned["url"], data=presigned["fields"], files={"file": FILE}, timeout=PATIENCE
    )
    assert reply.status_code == 204, reply.text
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["k"]
