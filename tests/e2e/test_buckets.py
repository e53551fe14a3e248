# SPDX-License-Identifier: MIT
"""ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation, and the ways to address
a bucket."""

import datetime

import pytest

from harness import (
    client,
    has,
    header_of,
    http_request,
    is_error,
    keys_of,
    refused,
    status_of,
    unique,
)


def region_client(server, region):
    return client(server, region=region)


def in_region(region):
    return {"LocationConstraint": region}


# ---- create and head ----------------------------------------------------------------------------


def test_create_and_head(s3):
    """aws-recorded: test_create_bucket_head_bucket"""
    name = unique()
    reply = s3.create_bucket(Bucket=name)
    has(reply, Location=f"/{name}", BucketArn=f"arn:aws:s3:::{name}")
    head = s3.head_bucket(Bucket=name)
    has(head, BucketRegion="us-east-1", AccessPointAlias=False)
    has(head, BucketArn=f"arn:aws:s3:::{name}")
    assert header_of(head, "content-type") == "application/xml"
    assert header_of(head, "x-amz-bucket-region") == "us-east-1"
    assert header_of(head, "x-amz-request-id") and header_of(head, "x-amz-id-2")


def test_head_missing(s3):
    """aws-recorded: test_create_bucket_head_bucket"""
    with refused("404", 404, "Not Found"):
        s3.head_bucket(Bucket=unique())


def test_create_twice_in_us_east_1(s3, bucket):
    """AWS API CreateBucket: us-east-1 answers 200 to the owner who creates again.
    aws-recorded: test_create_bucket_with_tags_us_east_1_idempotency"""
    s3.put_object(Bucket=bucket, Key="kept", Body=b"x")
    assert status_of(s3.create_bucket(Bucket=bucket)) == 200
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == ["kept"]


@pytest.mark.parametrize("region", ["us-west-1", "us-east-2"])
def test_create_existing_elsewhere(server, s3, region):
    """aws-recorded: test_create_bucket_with_existing_name"""
    name = unique()
    elsewhere = region_client(server, region)
    elsewhere.create_bucket(Bucket=name, CreateBucketConfiguration=in_region(region))
    with refused("BucketAlreadyOwnedByYou", 409, BucketName=name):
        elsewhere.create_bucket(Bucket=name, CreateBucketConfiguration=in_region(region))


@pytest.mark.parametrize(
    "name",
    [
        "Upper-Case",
        "under_score",
        "ab",
        "a" * 64,
        "-starts-with-hyphen",
        "ends-with-hyphen-",
        ".starts-with-dot",
        "ends-with-dot.",
        "two..dots",
        "192.168.5.4",
        "xn--prefix",
        "sthree-prefix",
        "amzn-s3-demo-bucket",
        "suffix-s3alias",
        "suffix--ol-s3",
        "suffix.mrap",
        "suffix--x-s3",
        "suffix--table-s3",
    ],
)
def test_bucket_name_rules(server, name):
    """AWS user guide, "General purpose bucket naming rules";
    aws-recorded: test_s3_uppercase_bucket_name"""
    reply = http_request(server, "PUT", f"/{name}", body=b"")
    is_error(
        reply, "InvalidBucketName", 400, "The specified bucket is not valid.", BucketName=name
    )


@pytest.mark.parametrize("name", ["abc", "0starts-with-digit", "a.b-c.d", "1.2.3.4.5", "9" * 63])
def test_good_bucket_names(s3, name):
    name = name if len(name) == 63 else f"{name}{unique('x')}"[-63:].lstrip("-.")
    s3.create_bucket(Bucket=name)
    assert status_of(s3.head_bucket(Bucket=name)) == 200
    s3.delete_bucket(Bucket=name)


# ---- location -----------------------------------------------------------------------------------


def test_location(server, s3):
    """aws-recorded: test_different_location_constraint"""
    name = unique()
    s3.create_bucket(Bucket=name)
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None

    name = unique()
    ohio = region_client(server, "us-east-2")
    ohio.create_bucket(Bucket=name, CreateBucketConfiguration=in_region("us-east-2"))
    assert ohio.get_bucket_location(Bucket=name)["LocationConstraint"] == "us-east-2"
    has(ohio.head_bucket(Bucket=name), BucketRegion="us-east-2")


def test_location_eu(server):
    """aws-recorded: test_create_bucket_with_eu_location_constraint"""
    name = unique()
    ireland = region_client(server, "eu-west-1")
    ireland.create_bucket(Bucket=name, CreateBucketConfiguration=in_region("EU"))
    assert ireland.get_bucket_location(Bucket=name)["LocationConstraint"] == "EU"


def test_location_missing_bucket(s3):
    """aws-recorded: test_different_location_constraint"""
    name = unique()
    with refused(
        "NoSuchBucket", 404, "The specified bucket does not exist", BucketName=name
    ):
        s3.get_bucket_location(Bucket=name)


@pytest.mark.parametrize("constraint", ["us-east-1", "foo", "aws-global"])
def test_invalid_location(s3, constraint):
    """aws-recorded: test_create_bucket_with_invalid_location_constraint,
    test_bucket_constraint_aws_global[us-east-1]"""
    with refused(
        "InvalidLocationConstraint",
        400,
        "The specified location-constraint is not valid",
        LocationConstraint=constraint,
    ):
        s3.create_bucket(Bucket=unique(), CreateBucketConfiguration=in_region(constraint))


@pytest.mark.parametrize(
    "region,constraint",
    [
        ("us-east-2", "us-west-1"),
        ("us-west-1", "us-east-1"),
        ("eu-west-1", "bar"),
        ("us-west-1", "aws-global"),
        ("eu-west-2", "EU"),
    ],
)
def test_illegal_location(server, region, constraint):
    """aws-recorded: test_different_location_constraint,
    test_create_bucket_with_invalid_location_constraint[eu-west-1-bar],
    test_create_bucket_with_eu_location_constraint_raises"""
    with refused(
        "IllegalLocationConstraintException",
        400,
        f"The {constraint} location constraint is incompatible for the region specific endpoint "
        "this request was sent to.",
    ):
        region_client(server, region).create_bucket(
            Bucket=unique(), CreateBucketConfiguration=in_region(constraint)
        )


def test_unspecified_location(server):
    """aws-recorded: test_different_location_constraint"""
    with refused(
        "IllegalLocationConstraintException",
        400,
        "The unspecified location constraint is incompatible for the region specific endpoint "
        "this request was sent to.",
    ):
        region_client(server, "us-east-2").create_bucket(Bucket=unique())


def test_create_with_malformed_xml(server):
    """AWS error list: MalformedXML"""
    name = unique()
    for body in (b"<CreateBucketConfiguration>", b"not xml", b"<Other/>"):
        is_error(http_request(server, "PUT", f"/{name}", body=body), "MalformedXML", 400)
    is_error(http_request(server, "GET", f"/{name}"), "NoSuchBucket", 404, BucketName=name)


# ---- delete -------------------------------------------------------------------------------------


def test_delete(s3, bucket):
    assert status_of(s3.delete_bucket(Bucket=bucket)) == 204
    with refused("404", 404):
        s3.head_bucket(Bucket=bucket)


def test_delete_missing(s3):
    """aws-recorded: test_delete_bucket_no_such_bucket"""
    name = unique()
    with refused("NoSuchBucket", 404, BucketName=name):
        s3.delete_bucket(Bucket=name)


def test_delete_not_empty(s3, bucket):
    """aws-recorded: test_delete_bucket_with_objects"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused(
        "BucketNotEmpty", 409, "The bucket you tried to delete is not empty", BucketName=bucket
    ):
        s3.delete_bucket(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k")
    assert status_of(s3.delete_bucket(Bucket=bucket)) == 204


def test_delete_with_versions(s3, versioned):
    """aws-recorded: test_delete_versioned_bucket_with_objects"""
    message = (
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
    )
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"x")["VersionId"]
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    with refused("BucketNotEmpty", 409, message, BucketName=versioned):
        s3.delete_bucket(Bucket=versioned)
    has(s3.delete_object(Bucket=versioned, Key="k", VersionId=version), VersionId=version)
    with refused("BucketNotEmpty", 409, message):
        s3.delete_bucket(Bucket=versioned)
    reply = s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    has(reply, DeleteMarker=True, VersionId=marker)
    assert status_of(s3.delete_bucket(Bucket=versioned)) == 204


def test_delete_with_upload_in_progress(s3, bucket):
    """Observed of S3: uploads in progress do not keep a bucket."""
    s3.create_multipart_upload(Bucket=bucket, Key="k")
    assert status_of(s3.delete_bucket(Bucket=bucket)) == 204


def test_missing_bucket_everywhere(s3):
    """aws-recorded: test_get_object_no_such_bucket, test_bucket_does_not_exist,
    test_bucket_tagging_exc, test_bucket_versioning_crud"""
    name = unique()
    at = {"Bucket": name, "Key": "k"}
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    calls = [
        lambda: s3.get_object(**at),
        lambda: s3.put_object(**at, Body=b"x"),
        lambda: s3.delete_object(**at),
        lambda: s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k"}]}),
        lambda: s3.list_objects(Bucket=name),
        lambda: s3.list_objects_v2(Bucket=name),
        lambda: s3.list_object_versions(Bucket=name),
        lambda: s3.list_multipart_uploads(Bucket=name),
        lambda: s3.list_parts(**at, UploadId="id"),
        lambda: s3.create_multipart_upload(**at),
        lambda: s3.upload_part(**at, UploadId="id", PartNumber=1, Body=b"x"),
        lambda: s3.abort_multipart_upload(**at, UploadId="id"),
        lambda: s3.get_bucket_versioning(Bucket=name),
        lambda: s3.put_bucket_versioning(
            Bucket=name, VersioningConfiguration={"Status": "Enabled"}
        ),
        lambda: s3.get_bucket_tagging(Bucket=name),
        lambda: s3.put_bucket_tagging(Bucket=name, Tagging=tags),
        lambda: s3.delete_bucket_tagging(Bucket=name),
        lambda: s3.get_object_tagging(**at),
        lambda: s3.put_object_tagging(**at, Tagging=tags),
        lambda: s3.delete_object_tagging(**at),
        lambda: s3.get_object_attributes(**at, ObjectAttributes=["ETag"]),
        lambda: s3.rename_object(**at, RenameSource=f"{name}/other"),
    ]
    for call in calls:
        with refused(
            "NoSuchBucket", 404, "The specified bucket does not exist", BucketName=name
        ):
            call()


# ---- list ---------------------------------------------------------------------------------------


def test_list_buckets(s3):
    """aws-recorded: test_list_buckets_by_prefix_with_case_sensitivity"""
    prefix = unique("list")
    for n in range(3):
        s3.create_bucket(Bucket=f"{prefix}-{n}")
    reply = s3.list_buckets(Prefix=prefix)
    assert [b["Name"] for b in reply["Buckets"]] == [f"{prefix}-{n}" for n in range(3)]
    has(reply, Prefix=prefix)
    assert reply["Owner"]["ID"]
    for found in reply["Buckets"]:
        assert found["BucketRegion"] == "us-east-1"
        assert found["BucketArn"] == f"arn:aws:s3:::{found['Name']}"
        age = datetime.datetime.now(datetime.timezone.utc) - found["CreationDate"]
        assert abs(age.total_seconds()) < 600

    empty = s3.list_buckets(Prefix=prefix.upper())
    has(empty, Buckets=[], Prefix=prefix.upper())


def test_list_buckets_pages(s3):
    """aws-recorded: test_list_buckets_with_max_buckets, test_list_buckets_with_continuation_token,
    test_list_buckets_when_continuation_token_is_empty"""
    prefix = unique("page")
    names = [f"{prefix}-{n}" for n in range(5)]
    for name in names:
        s3.create_bucket(Bucket=name)
    first = s3.list_buckets(Prefix=prefix, MaxBuckets=2)
    assert [b["Name"] for b in first["Buckets"]] == names[:2]
    second = s3.list_buckets(
        Prefix=prefix, MaxBuckets=2, ContinuationToken=first["ContinuationToken"]
    )
    assert [b["Name"] for b in second["Buckets"]] == names[2:4]
    last = s3.list_buckets(
        Prefix=prefix, MaxBuckets=2, ContinuationToken=second["ContinuationToken"]
    )
    assert [b["Name"] for b in last["Buckets"]] == names[4:]
    has(last, ContinuationToken=None)
    again = s3.list_buckets(Prefix=prefix, MaxBuckets=1, ContinuationToken="")
    assert [b["Name"] for b in again["Buckets"]] == names[:1]

    pages = s3.get_paginator("list_buckets").paginate(
        Prefix=prefix, PaginationConfig={"PageSize": 2}
    )
    assert [b["Name"] for page in pages for b in page["Buckets"]] == names


def test_list_buckets_whole(server, s3, bucket):
    """Without parameters every bucket comes at once, and no token."""
    reply = s3.list_buckets()
    assert bucket in [b["Name"] for b in reply["Buckets"]]
    has(reply, ContinuationToken=None)
    raw = http_request(server, "GET", "/")
    assert raw.status == 200 and raw.xml.tag == "ListAllMyBucketsResult"
    assert b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' in raw.body
    assert raw.headers["content-type"] == "application/xml"


def test_list_buckets_by_region(server, s3):
    """aws-recorded: test_list_buckets_by_bucket_region"""
    prefix = unique("region")
    s3.create_bucket(Bucket=f"{prefix}-virginia")
    region_client(server, "eu-west-1").create_bucket(
        Bucket=f"{prefix}-ireland", CreateBucketConfiguration=in_region("eu-west-1")
    )
    reply = s3.list_buckets(Prefix=prefix, BucketRegion="eu-west-1")
    assert [b["Name"] for b in reply["Buckets"]] == [f"{prefix}-ireland"]
    assert reply["Buckets"][0]["BucketRegion"] == "eu-west-1"
    has(s3.list_buckets(Prefix=prefix, BucketRegion="ap-south-1"), Buckets=[])


def test_list_buckets_bad_region(s3):
    """aws-recorded: test_list_buckets_region_validation"""
    with refused(
        "InvalidArgument",
        400,
        "Argument value eu-east-1 is not a valid AWS Region",
        ArgumentName="bucket-region",
    ):
        s3.list_buckets(BucketRegion="eu-east-1")


@pytest.mark.parametrize("value", ["0", "10001", "-1", "x"])
def test_list_buckets_bad_max(server, value):
    """botocore model: MaxBuckets min 1, max 10000"""
    is_error(
        http_request(server, "GET", f"/?max-buckets={value}"),
        "InvalidArgument",
        400,
        ArgumentName="max-buckets",
    )


# ---- addressing ---------------------------------------------------------------------------------


def test_virtual_host(server, s3, bucket):
    """AWS user guide, "Virtual hosting of general purpose buckets";
    aws-recorded: test_bucket_name_with_dots, test_get_object_content_length_with_virtual_host;
    LocalStack's documentation of S3, "Path-Style and Virtual Hosted-Style Requests": with the
    region, and as a special case without ".s3"."""
    dotted = f"{bucket}.with.dots"
    s3.create_bucket(Bucket=dotted)
    for name in (bucket, dotted):
        s3.put_object(Bucket=name, Key="my-content", Body=b"something")
        for host in (
            f"{name}.localhost:{server.port}",
            f"{name}.localhost",
            f"{name}.s3.localhost.localstack.cloud:{server.port}",
            f"{name}.s3.eu-west-1.localhost.localstack.cloud:{server.port}",
            f"{name}.localhost.localstack.cloud:{server.port}",
            f"{name}.LOCALHOST:{server.port}",
        ):
            got = http_request(server, "GET", "/my-content", {"Host": host})
            assert (got.status, got.body) == (200, b"something"), host
            listing = http_request(server, "GET", "/", {"Host": host})
            assert listing.xml.findtext("Name") == name
            assert listing.xml.findtext("Contents/Key") == "my-content"
    for host in ("s3.localhost.localstack.cloud", "s3.eu-west-1.localhost.localstack.cloud"):
        got = http_request(server, "GET", f"/{bucket}/my-content", {"Host": host})
        assert (got.status, got.body) == (200, b"something"), host
    missing = http_request(server, "GET", "/", {"Host": f"no-such-bucket-x.localhost:{server.port}"})
    is_error(missing, "NoSuchBucket", 404, BucketName="no-such-bucket-x")


def test_virtual_host_of_boto3(server, bucket, monkeypatch):
    """boto3 itself, told to put the bucket into the host name."""
    import socket

    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **kw: resolve(
            "127.0.0.1" if str(host).endswith("localhost") else host, *rest, **kw
        ),
    )
    virtual = client(
        server,
        endpoint_url=f"http://localhost:{server.port}",
        config={"s3": {"addressing_style": "virtual"}},
    )
    virtual.put_object(Bucket=bucket, Key="a/b c", Body=b"virtual")
    assert virtual.get_object(Bucket=bucket, Key="a/b c")["Body"].read() == b"virtual"
    assert keys_of(virtual.list_objects_v2(Bucket=bucket)) == ["a/b c"]
    name = unique()
    virtual.create_bucket(Bucket=name)
    virtual.delete_bucket(Bucket=name)


def test_path_style_slash(server, s3, bucket):
    """/bucket and /bucket/ are the bucket; a key starts after the slash."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for target in (f"/{bucket}", f"/{bucket}/"):
        assert http_request(server, "GET", target).xml.findtext("Contents/Key") == "k"


@pytest.mark.parametrize("account", ["000000000000", "111111111111"])
def test_expected_bucket_owner(s3, bucket, account):
    """AWS user guide, "Verifying bucket ownership with bucket owner condition": AccessDenied unless
    the id is the owner's. The open server's buckets belong to account 000000000000."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    if account == "000000000000":
        s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner=account)
        s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner=account)
        return
    for call in (
        lambda: s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner=account),
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"y", ExpectedBucketOwner=account),
        lambda: s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner=account),
        lambda: s3.delete_bucket(Bucket=bucket, ExpectedBucketOwner=account),
        lambda: s3.copy_object(
            Bucket=bucket,
            Key="copy",
            CopySource=f"{bucket}/k",
            ExpectedSourceBucketOwner=account,
        ),
    ):
        with refused("AccessDenied", 403, "Access Denied"):
            call()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


@pytest.mark.parametrize("account", ["0000", "0000000000020", "abcd", "aa000000000$"])
def test_invalid_expected_owner(s3, bucket, account):
    """aws-recorded: test_get_bucket_policy_invalid_account_id"""
    with refused(
        "InvalidBucketOwnerAWSAccountID",
        400,
        "The value of the expected bucket owner parameter must be an AWS Account ID... "
        f"[{account}]",
    ):
        s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner=account)


@pytest.mark.options
def test_auto_bucket(auto_bucket_server):
    """--auto-bucket creates a missing bucket on first use."""
    s3 = client(auto_bucket_server)
    name = unique()
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"x"
    other = unique()
    assert keys_of(s3.list_objects_v2(Bucket=other)) == []
    bad = http_request(auto_bucket_server, "PUT", "/Bad_Name/k", body=b"x")
    is_error(bad, "InvalidBucketName", 400, BucketName="Bad_Name")


def test_options_is_refused_without_cors(server, s3, bucket):
    """aws-recorded: test_cors_http_options_no_config"""
    reply = http_request(
        server,
        "OPTIONS",
        f"/{bucket}/k",
        {"Origin": "http://example.com", "Access-Control-Request-Method": "PUT"},
    )
    is_error(
        reply,
        "AccessForbidden",
        403,
        "CORSResponse: CORS is not enabled for this bucket.",
        Method="PUT",
        ResourceType="BUCKET",
    )
    is_error(
        http_request(server, "OPTIONS", f"/{bucket}/k"),
        "BadRequest",
        400,
        "Insufficient information. Origin request header needed.",
    )
