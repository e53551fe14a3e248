# SPDX-License-Identifier: MIT
"""Tags of buckets and objects."""

import pytest

from harness import digest_of, has, http_request, is_error, keys_of, refused, status_of, unique

MALFORMED = (
    "The XML you provided was not well-formed or did not validate against our published schema"
)


def tags(*pairs):
    return {"TagSet": [{"Key": k, "Value": v} for k, v in pairs]}


def pairs_of(reply):
    return [(t["Key"], t["Value"]) for t in reply["TagSet"]]


# ---- buckets ------------------------------------------------------------------------------------


def test_bucket_tags(s3, bucket):
    """aws-recorded: test_bucket_tagging_crud"""
    with refused("NoSuchTagSet", 404, "The TagSet does not exist", BucketName=bucket):
        s3.get_bucket_tagging(Bucket=bucket)
    reply = s3.put_bucket_tagging(Bucket=bucket, Tagging=tags(("tag1", "tag1"), ("tag2", "")))
    assert status_of(reply) == 204
    assert pairs_of(s3.get_bucket_tagging(Bucket=bucket)) == [("tag1", "tag1"), ("tag2", "")]
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tags(("tag3", "tag3")))
    assert pairs_of(s3.get_bucket_tagging(Bucket=bucket)) == [("tag3", "tag3")]
    assert status_of(s3.delete_bucket_tagging(Bucket=bucket)) == 204
    with refused("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tags(("a", "b")))
    assert status_of(s3.put_bucket_tagging(Bucket=bucket, Tagging=tags())) == 204
    with refused("NoSuchTagSet", 404, BucketName=bucket):
        s3.get_bucket_tagging(Bucket=bucket)


def test_missing_bucket(s3):
    """aws-recorded: test_bucket_tagging_exc"""
    name = unique()
    for call in (s3.get_bucket_tagging, s3.delete_bucket_tagging):
        with refused("NoSuchBucket", 404, BucketName=name):
            call(Bucket=name)
    with refused("NoSuchBucket", 404, BucketName=name):
        s3.put_bucket_tagging(Bucket=name, Tagging=tags())


def test_create_bucket_with_tags(s3):
    """aws-recorded: test_create_bucket_with_tags_us_east_1_idempotency"""
    name = unique()

    def create(**configuration):
        return s3.create_bucket(Bucket=name, CreateBucketConfiguration=configuration)

    tagged = {"Tags": [{"Key": "tag1", "Value": "value1"}]}
    has(create(**tagged), Location=f"/{name}")
    assert pairs_of(s3.get_bucket_tagging(Bucket=name)) == [("tag1", "value1")]
    with refused("BucketAlreadyOwnedByYou", 409, BucketName=name):
        create(Tags=[{"Key": "tag2", "Value": "value2"}])
    with refused("BucketAlreadyOwnedByYou", 409, BucketName=name):
        create(**tagged)
    create()
    create(Tags=[])
    assert pairs_of(s3.get_bucket_tagging(Bucket=name)) == [("tag1", "value1")]


def test_create_bucket_with_no_tags(s3):
    """aws-recorded: test_create_bucket_with_empty_tags"""
    name = unique()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": []})
    with refused("NoSuchTagSet", 404, BucketName=name):
        s3.get_bucket_tagging(Bucket=name)


def test_create_bucket_with_bad_tags(s3):
    """aws-recorded: test_create_bucket_with_tags_exc"""
    name = unique()

    def create(key, value):
        s3.create_bucket(
            Bucket=name, CreateBucketConfiguration={"Tags": [{"Key": key, "Value": value}]}
        )

    with refused(
        "InvalidTag",
        400,
        "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. "
        'Remove "aws:" from your tag keys and try again.',
    ):
        create("aws:test", "value")
    with refused(
        "InvalidTag",
        400,
        "The TagValue you have provided is invalid",
        TagKey="test",
        TagValue="value1,value2",
    ):
        create("test", "value1,value2")
    with refused("InvalidTag", 400, "The TagKey you have provided is invalid", TagKey="test,test2"):
        create("test,test2", "value1")
    with refused("404"):
        s3.head_bucket(Bucket=name)


# ---- objects ------------------------------------------------------------------------------------


@pytest.fixture
def put(s3, bucket):
    def put(key="k", **options):
        return s3.put_object(Bucket=bucket, Key=key, Body=b"test-tagging", **options)

    return put


def test_object_tags(s3, bucket, put):
    """aws-recorded: test_object_tagging_crud, test_delete_object_tagging"""
    put()
    at = {"Bucket": bucket, "Key": "k"}
    assert pairs_of(s3.get_object_tagging(**at)) == []
    reply = s3.put_object_tagging(**at, Tagging=tags(("tag1", "tag1"), ("tag2", "")))
    assert status_of(reply) == 200
    assert pairs_of(s3.get_object_tagging(**at)) == [("tag1", "tag1"), ("tag2", "")]
    s3.put_object_tagging(**at, Tagging=tags(("tag3", "tag3")))
    assert pairs_of(s3.get_object_tagging(**at)) == [("tag3", "tag3")]
    has(s3.get_object(**at), TagCount=1, ETag='"b635a7fc30aa9091e0d236bee77e6844"')
    has(s3.head_object(**at), TagCount=1)
    assert status_of(s3.delete_object_tagging(**at)) == 204
    assert pairs_of(s3.get_object_tagging(**at)) == []
    has(s3.get_object(**at), TagCount=None, ETag='"b635a7fc30aa9091e0d236bee77e6844"')


def test_tagging_keeps_the_object(s3, bucket, put):
    """Tagging changes neither Last-Modified nor the body."""
    put(Metadata={"m": "1"}, ContentType="text/plain")
    before = s3.head_object(Bucket=bucket, Key="k")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags(("a", "b")))
    after = s3.head_object(Bucket=bucket, Key="k")
    for name in ("LastModified", "ETag", "Metadata", "ContentType", "ContentLength"):
        assert before[name] == after[name]


def test_put_object_with_tags(s3, bucket, put):
    """aws-recorded: test_put_object_with_tags, test_put_object_tagging_empty_list"""
    put(Tagging="tag1=tag1&tag2=tag2&tag=")
    listed = pairs_of(s3.get_object_tagging(Bucket=bucket, Key="k"))
    assert sorted(listed) == [("tag", ""), ("tag1", "tag1"), ("tag2", "tag2")]
    put(Tagging="wrongquery&wrongagain")
    listed = pairs_of(s3.get_object_tagging(Bucket=bucket, Key="k"))
    assert sorted(listed) == [("wrongagain", ""), ("wrongquery", "")]
    put(Tagging="key1&&&key2")
    listed = pairs_of(s3.get_object_tagging(Bucket=bucket, Key="k"))
    assert sorted(listed) == [("key1", ""), ("key2", "")]
    put(Tagging="a%20key=%C3%A9+plus&b=%2B")
    listed = pairs_of(s3.get_object_tagging(Bucket=bucket, Key="k"))
    assert sorted(listed) == [("a key", "\u00e9 plus"), ("b", "+")]


@pytest.mark.parametrize("text", ["key1=val1&key1=val2", "key1=val1,key2=val2"])
def test_bad_tagging_header(s3, bucket, put, text):
    """aws-recorded: test_object_tagging_exc"""
    with refused(
        "InvalidArgument",
        400,
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
        "without tag name duplicates.",
        ArgumentName="x-amz-tagging",
        ArgumentValue=text,
    ):
        put(Tagging=text)
    with refused("InvalidArgument", 400, ArgumentName="x-amz-tagging"):
        s3.create_multipart_upload(Bucket=bucket, Key="k", Tagging=text)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == []


def test_missing_object(s3, bucket):
    """aws-recorded: test_object_tagging_exc (GET names the bucket in Key, the others do not)"""
    at = {"Bucket": bucket, "Key": "fake-key"}
    with refused("NoSuchKey", 404, Key=...):
        s3.get_object_tagging(**at)
    with refused("NoSuchKey", 404, Key="fake-key"):
        s3.delete_object_tagging(**at)
    with refused("NoSuchKey", 404, Key="fake-key"):
        s3.put_object_tagging(**at, Tagging=tags())


def test_tags_go_with_the_object(s3, bucket, put):
    """aws-recorded: test_object_tags_delete_or_overwrite_object"""
    put(Tagging="tag1=val1")
    put()
    assert pairs_of(s3.get_object_tagging(Bucket=bucket, Key="k")) == []
    put(Tagging="tag1=val1")
    s3.delete_object(Bucket=bucket, Key="k")
    put()
    assert pairs_of(s3.get_object_tagging(Bucket=bucket, Key="k")) == []


def test_versions(s3, versioned):
    """aws-recorded: test_object_tagging_versioned"""
    at = {"Bucket": versioned, "Key": "k"}
    first = s3.put_object(**at, Body=b"test-0")["VersionId"]
    second = s3.put_object(**at, Body=b"test-1")["VersionId"]
    s3.put_object_tagging(**at, VersionId=first, Tagging=tags(("test_tag", "tagv1")))
    reply = s3.put_object_tagging(**at, Tagging=tags(("tag3", "tag3")))
    has(reply, VersionId=second)
    current = s3.get_object_tagging(**at)
    has(current, VersionId=second, TagSet=[{"Key": "tag3", "Value": "tag3"}])
    previous = s3.get_object_tagging(**at, VersionId=first)
    has(previous, VersionId=first, TagSet=[{"Key": "test_tag", "Value": "tagv1"}])
    has(
        s3.put_object_tagging(**at, VersionId=first, Tagging=tags(("tag1", "tag1"))),
        VersionId=first,
    )
    has(s3.delete_object_tagging(**at), VersionId=second)
    has(s3.get_object_tagging(**at), TagSet=[], VersionId=second)
    has(s3.get_object_tagging(**at, VersionId=first), TagSet=[{"Key": "tag1", "Value": "tag1"}])

    marker = s3.delete_object(**at)["VersionId"]
    message = "The specified method is not allowed against this resource."
    for version in ({"VersionId": marker}, {}):
        for method, call in (
            ("PUT", lambda **kw: s3.put_object_tagging(**kw, Tagging=tags())),
            ("GET", s3.get_object_tagging),
            ("DELETE", s3.delete_object_tagging),
        ):
            with refused(
                "MethodNotAllowed", 405, message, Method=method, ResourceType="DeleteMarker"
            ):
                call(**at, **version)


# ---- validation ---------------------------------------------------------------------------------


@pytest.fixture(params=["bucket", "object"])
def tag_something(request, s3, bucket):
    """PutBucketTagging and PutObjectTagging check alike."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    if request.param == "bucket":
        return lambda tagging: s3.put_bucket_tagging(Bucket=bucket, Tagging=tagging)
    return lambda tagging: s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tagging)


def test_validation(tag_something, request):
    """aws-recorded: test_tagging_validation"""
    with refused(
        "InvalidTag", 400, "Cannot provide multiple Tags with the same key", TagKey="Key1"
    ):
        tag_something(tags(("Key1", "Val1"), ("Key1", "Val1")))
    with refused("InvalidTag", 400, "The TagKey you have provided is invalid", TagKey="Key1,Key2"):
        tag_something(tags(("Key1,Key2", "Val1")))
    with refused(
        "InvalidTag",
        400,
        "The TagValue you have provided is invalid",
        TagKey="Key1",
        TagValue="Val1,Val2",
    ):
        tag_something(tags(("Key1", "Val1,Val2")))
    of_bucket = "bucket" in request.node.callspec.id
    with refused(
        "InvalidTag",
        400,
        "System tags cannot be added/updated by requester"
        if of_bucket
        else "Your TagKey cannot be prefixed with aws:",
        TagKey="aws:prefixed",
    ):
        tag_something(tags(("aws:prefixed", "Val1")))


def test_lengths(tag_something):
    """AWS user guide: keys of 1 to 128, values of up to 256 characters (not bytes)."""
    tag_something(tags(("k" * 128, "v" * 256)))
    tag_something(tags(("\u00e9" * 128, "\u0905" * 256)))
    with refused("InvalidTag", 400, "The TagKey you have provided is invalid"):
        tag_something(tags(("k" * 129, "v")))
    with refused("InvalidTag", 400, "The TagValue you have provided is invalid"):
        tag_something(tags(("k", "v" * 257)))


@pytest.mark.parametrize("good", ["a b", "a+b", "a-b=c.d_e:f/g@h", "\u00fc"])
def test_good_characters(tag_something, good):
    """AWS user guide: letters, spaces, digits and + - = . _ : / @"""
    tag_something(tags((good, good)))


@pytest.mark.parametrize("bad", ["a!b", "a&b", "a#b", "a*b", "a<b"])
def test_bad_characters(tag_something, bad):
    with refused("InvalidTag", 400, "The TagKey you have provided is invalid", TagKey=bad):
        tag_something(tags((bad, "v")))


def test_how_many(s3, bucket, put):
    """AWS user guide: 10 tags of an object, 50 of a bucket."""
    put()
    ten = [(f"k{n}", "v") for n in range(10)]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags(*ten))
    with refused("BadRequest", 400, "Object tags cannot be greater than 10"):
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags(*ten, ("one-more", "v")))
    with refused("BadRequest", 400, "Object tags cannot be greater than 10"):
        put(Tagging="&".join(f"k{n}=v" for n in range(11)))
    fifty = [(f"k{n}", "v") for n in range(50)]
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tags(*fifty))
    with refused("BadRequest", 400, "Bucket tag count cannot be greater than 50"):
        s3.put_bucket_tagging(Bucket=bucket, Tagging=tags(*fifty, ("one-more", "v")))
    assert len(pairs_of(s3.get_object_tagging(Bucket=bucket, Key="k"))) == 10


@pytest.mark.parametrize(
    "body",
    [
        b"<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet>",
        b"<Tagging><Tags/></Tagging>",
        b"<Wrong/>",
        b"plain",
    ],
)
@pytest.mark.parametrize("target", ["?tagging", "/k?tagging"])
def test_malformed(server, s3, bucket, put, body, target):
    """aws-recorded: test_tagging_validation (none-key, none-value)"""
    put()
    reply = http_request(server, "PUT", f"/{bucket}{target}", digest_of(body), body)
    is_error(reply, "MalformedXML", 400, MALFORMED)
    assert pairs_of(s3.get_object_tagging(Bucket=bucket, Key="k")) == []
    with refused("NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)


@pytest.mark.parametrize("body", [b"<Tagging><TagSet/></Tagging>", b"<Tagging><TagSet></TagSet></Tagging>"])
def test_none_is_empty(server, s3, bucket, put, body):
    """aws-recorded: test_put_object_tagging_none_value, test_put_bucket_tagging_none_value"""
    put(Tagging="a=b")
    assert http_request(server, "PUT", f"/{bucket}/k?tagging", body=body).status == 200
    assert pairs_of(s3.get_object_tagging(Bucket=bucket, Key="k")) == []
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tags(("a", "b")))
    assert http_request(server, "PUT", f"/{bucket}?tagging", digest_of(body), body).status == 204
    with refused("NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)
