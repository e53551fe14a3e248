# SPDX-License-Identifier: MIT
"""What a server begins with: --seed with files beside objects that describe them, and --seed-config."""

import json

import pytest

from botocore.exceptions import ClientError

from conftest import ALICE, as_user
from harness import ATTACHED, client, has, http_request, keys_of, run_daemon, serving
from sign import Signer
from test_reload import reload

pytestmark = [
    pytest.mark.options,
    pytest.mark.skipif(bool(ATTACHED), reason="needs servers with their own options"),
]

DESCRIPTION = {
    "contentType": "text/x-special", "contentEncoding": "identity", "contentLanguage": "de",
    "contentDisposition": 'attachment; filename="x"', "cacheControl": "max-age=5",
    "expires": "Wed, 21 Oct 2037 07:28:00 GMT",
    "metadata": {"owner": "me", "town": "K\u00f6ln"}, "tags": {"a": "1", "b c": "\u00fc"},
}


def has_description(s3, bucket, key):
    has(s3.head_object(Bucket=bucket, Key=key), ContentType="text/x-special", ContentEncoding="identity",
        ContentLanguage="de", ContentDisposition='attachment; filename="x"', CacheControl="max-age=5",
        ExpiresString="Wed, 21 Oct 2037 07:28:00 GMT",
        Metadata={"owner": "me", "town": "=?UTF-8?Q?K=C3=B6ln?="}, TagCount=2)
    tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "\u00fc"}]


def put_seed(folder, **files):
    (folder / "box" / "dir").mkdir(parents=True)
    for name, text in files.items():
        (folder / "box" / "dir" / name.replace("_", ".")).write_text(
            text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return folder


# ---- KEY.s3meta.json ----------------------------------------------------------------------------


def test_a_file_beside_an_object_describes_it(tmp_path):
    put_seed(tmp_path, a_txt="A", b_txt="B", a_txt_s3meta_json=DESCRIPTION)
    with serving("--seed", tmp_path) as server:
        s3 = client(server)
        assert keys_of(s3.list_objects_v2(Bucket="box")) == ["dir/a.txt", "dir/b.txt"]
        assert s3.get_object(Bucket="box", Key="dir/a.txt")["Body"].read() == b"A"
        has_description(s3, "box", "dir/a.txt")
        has(s3.head_object(Bucket="box", Key="dir/b.txt"), ContentType="text/plain", Metadata={})


def test_what_it_does_not_say_stays(tmp_path):
    put_seed(tmp_path, a_txt="A", a_txt_s3meta_json={"metadata": {"x": "y"}})
    with serving("--seed", tmp_path) as server:
        has(client(server).head_object(Bucket="box", Key="dir/a.txt"), ContentType="text/plain",
            Metadata={"x": "y"})


@pytest.mark.parametrize("description, complaint", [
    ("{", "line 1: "),
    ([], "$: it is not an object"),
    ({"contenttype": "x"}, "$.contenttype: there is no such member"),
    ({"contentType": 1}, "$.contentType: it is not a text"),
    ({"contentType": "a\nb"}, "$.contentType: it has characters that no header may"),
    ({"metadata": []}, "$.metadata: it is not an object"),
    ({"metadata": {"A": "x"}}, "$.metadata.A: names of metadata are in lower case"),
    ({"metadata": {"a b": "x"}}, "$.metadata.a b: no header can be called so"),
    ({"metadata": {"a": "x\ry"}}, "$.metadata.a: it has control characters"),
    ({"metadata": {"a": None}}, "$.metadata.a: it is not a text"),
    ({"tags": {"aws:x": "y"}}, "$.tags.aws:x: the key of a tag does not begin with aws:, which is Amazon's own"),
    ({"tags": {"x": "y" * 257}}, "$.tags.x: the value of a tag has at most 256 characters"),
    ({"tags": {"": "y"}}, "$.tags.: the key of a tag is not empty"),
    ({"tags": {str(i): "" for i in range(11)}}, "$.tags: more than 10 tags"),
])
def test_what_is_wrong_is_told_with_its_place(tmp_path, description, complaint):
    put_seed(tmp_path, a_txt="A", a_txt_s3meta_json=description)
    done = run_daemon("--listen", "127.0.0.1:0", "--seed", tmp_path)
    assert done.returncode == 2 and f"box/dir/a.txt.s3meta.json: {complaint}" in done.stderr, done
    config = tmp_path / "c.json"
    if isinstance(description, dict):
        config.write_text(json.dumps({"buckets": {"box": {"objects": [{"key": "k"}, {"key": "l", **description}]}}}))
        done = run_daemon("--listen", "127.0.0.1:0", "--seed-config", config)
        assert done.returncode == 2 and "$.buckets.box.objects[1]" + complaint[1:] in done.stderr, done


def test_a_description_of_nothing_is_refused(tmp_path):
    put_seed(tmp_path, b_txt="B", a_txt_s3meta_json=DESCRIPTION)
    done = run_daemon("--listen", "127.0.0.1:0", "--seed", tmp_path)
    assert done.returncode == 1 and "there is no file 'a.txt' that it could be about" in done.stderr, done


# ---- --seed-config ------------------------------------------------------------------------------

OWNER = "ab" * 32


def test_buckets_with_their_settings(tmp_path):
    config = tmp_path / "seed.json"
    config.write_text(json.dumps({"buckets": {
        "far": {"region": "eu-west-1", "tags": {"team": "t\u00f6p"}, "owner": {
            "canonicalId": OWNER, "displayName": "alice", "accountId": "111122223333"}},
        "versions": {"versioning": "Enabled", "objects": [
            {"key": "k", "body": "one"}, {"key": "k", "body": "two"}, {"key": "empty"}]},
        "paused": {"versioning": "Suspended"},
        "plain": {"objects": [{"key": "d\u00e9j\u00e0/vu.json", "body": "{\u20ac}"},
                              {"key": "binary", "bodyBase64": "AP8A"},
                              {"key": "special", "body": "s", **DESCRIPTION}]},
    }}), encoding="utf-8")
    with serving("--seed-config", config, "--bucket", "other", "--bucket", "plain") as server:
        s3 = client(server)
        assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["far", "other", "paused", "plain", "versions"]
        assert s3.get_bucket_location(Bucket="far")["LocationConstraint"] == "eu-west-1"
        assert s3.get_bucket_tagging(Bucket="far")["TagSet"] == [{"Key": "team", "Value": "t\u00f6p"}]
        s3.head_bucket(Bucket="far", ExpectedBucketOwner="111122223333")
        with pytest.raises(s3.exceptions.ClientError, match="403"):
            s3.head_bucket(Bucket="far", ExpectedBucketOwner="111122223334")
        assert s3.get_bucket_versioning(Bucket="versions")["Status"] == "Enabled"
        assert s3.get_bucket_versioning(Bucket="paused")["Status"] == "Suspended"
        versions = s3.list_object_versions(Bucket="versions", Prefix="k")["Versions"]
        assert [s3.get_object(Bucket="versions", Key="k", VersionId=v["VersionId"])["Body"].read()
                for v in versions] == [b"two", b"one"]
        assert s3.get_object(Bucket="versions", Key="empty")["Body"].read() == b""
        got = s3.get_object(Bucket="plain", Key="d\u00e9j\u00e0/vu.json", ChecksumMode="ENABLED")
        assert got["Body"].read() == "{\u20ac}".encode()
        has(got, ContentType="application/json", ChecksumCRC64NVME=...)
        assert s3.get_object(Bucket="plain", Key="binary")["Body"].read() == b"\0\xff\0"
        has_description(s3, "plain", "special")


def test_it_fills_a_new_file_only_and_goes_before_seeds(tmp_path):
    config = tmp_path / "seed.json"
    config.write_text('{"buckets": {"box": {"versioning": "Enabled", "objects": [{"key": "dir/a.txt", "body": "1"}]}}}')
    put_seed(tmp_path / "seed", a_txt="2")
    options = ("--persist", tmp_path / "state.db", "--auto-persist", "--seed-config", config, "--seed",
               tmp_path / "seed")
    with serving(*options) as server:
        s3 = client(server)
        assert len(s3.list_object_versions(Bucket="box")["Versions"]) == 2
        s3.delete_object(Bucket="box", Key="dir/a.txt")
    with serving(*options) as server:
        assert keys_of(client(server).list_objects_v2(Bucket="box")) == []


@pytest.mark.parametrize("document, complaint", [
    ('{"buckets": }', "line 1: "),
    ('{"buckets": {"a-b": {}, "a-b": {}}}', "line 1: duplicate"),
    ([], "$: it is not an object"),
    ({"user": []}, "$.user: there is no such member"),
    ({"users": []}, "$.users: no credentials in it"),
    ({"users": "alice"}, "$.users: not an object"),
    ({"users": [{"accessKey": "a", "secretKey": "s"}, 7]}, "$.users[1]: not an object"),
    ({"users": [{"accessKey": "a"}]}, '$.users[0]: "secretKey" is missing'),
    ({"users": [{"accessKey": "a", "secretKey": "s", "admin": 1}]}, '$.users[0]: "admin" is not true or false'),
    ({"users": [{"accessKey": "a", "secretKey": "s", "canonicalId": "x"}]}, "$.users[0]: a canonical user id has 64"),
    ({"users": [{"accessKey": "a", "secretKey": "s", "role": "x"}]}, '$.users[0]: unknown field "role"'),
    ({"buckets": {"box": {"owner": "nobody"}}}, "$.buckets.box.owner: there is no such access key"),
    ({"users": {"accessKey": "a", "secretKey": "s"}, "buckets": {"box": {"owner": "b"}}}, "owner: there is no such access key"),
    ({"buckets": []}, "$.buckets: it is not an object"),
    ({"buckets": {"B_": {}}}, "$.buckets.B_: The specified bucket is not valid"),
    ({"buckets": {"box": 7}}, "$.buckets.box: it is not an object"),
    ({"buckets": {"box": {"lifecycle": []}}}, "$.buckets.box.lifecycle: there is no such member"),
    ({"buckets": {"box": {"region": "no region"}}}, "$.buckets.box.region: it is not the name of a region"),
    ({"buckets": {"box": {"versioning": True}}}, "$.buckets.box.versioning: it is not a text"),
    ({"buckets": {"box": {"versioning": "on"}}}, '$.buckets.box.versioning: it is neither "Enabled" nor'),
    ({"buckets": {"box": {"owner": {}}}}, "$.buckets.box.owner.canonicalId: it is missing"),
    ({"buckets": {"box": {"owner": {"canonicalId": "a\nb"}}}}, "$.buckets.box.owner.canonicalId: it is not one"),
    ({"buckets": {"box": {"tags": {str(i): "" for i in range(51)}}}}, "$.buckets.box.tags: more than 50 tags"),
    ({"buckets": {"box": {"objects": {}}}}, "$.buckets.box.objects: it is not an array"),
    ({"buckets": {"box": {"objects": [{}]}}}, "$.buckets.box.objects[0].key: it is missing"),
    ({"buckets": {"box": {"objects": [{"key": "k" * 1025}]}}}, "$.buckets.box.objects[0].key: it is longer"),
    ({"buckets": {"box": {"objects": [{"key": "k", "body": 1}]}}}, "$.buckets.box.objects[0].body: it is not a"),
    ({"buckets": {"box": {"objects": [{"key": "k", "bodyBase64": "?"}]}}}, "objects[0].bodyBase64: it is no"),
    ({"buckets": {"box": {"objects": [{"key": "k", "body": "", "bodyBase64": ""}]}}}, "there is a body already"),
])
def test_a_config_that_is_not_good(tmp_path, document, complaint):
    config = tmp_path / "seed.json"
    config.write_text(document if isinstance(document, str) else json.dumps(document))
    done = run_daemon("--listen", "127.0.0.1:0", "--seed-config", config)
    assert done.returncode == 2 and f"--seed-config {config}: " in done.stderr, done
    assert complaint in done.stderr, done


@pytest.mark.parametrize("option", ["--seed-config", "--credentials"])
@pytest.mark.parametrize("users", ['[{"accessKey": "a", "secretKey": "hush-hush', '[{"accessKey": "a", "secretKey" "hush-hush"}]',
                                   '[{"accessKey": "a", "secretKey": "x" "hush-hush"}]', '[{"accessKey": "a", "secretKey": hush-hush}]'])
def test_a_broken_file_shows_no_secret(tmp_path, option, users):
    keys = tmp_path / "keys.json"
    keys.write_text('{"users": ' + users + "}" if option == "--seed-config" else users)
    keys.chmod(0o600)
    done = run_daemon("--listen", "127.0.0.1:0", option, keys)
    assert done.returncode == 2 and f"{option} {keys}: line 1: " in done.stderr and "(column " in done.stderr
    assert "hush" not in done.stderr


@pytest.mark.parametrize("document", [{"buckets": {"a\x1b[31m": {}}}, {"users": {"accessKey": "a", "secretKey": "s", "\x1b[31m": 1}}])
def test_a_complaint_drives_no_terminal(tmp_path, document):
    config = tmp_path / "seed.json"
    config.write_text(json.dumps(document))
    done = run_daemon("--listen", "127.0.0.1:0", "--seed-config", config)
    assert done.returncode == 2 and "\x1b" not in done.stderr and "\\x1b[31m" in done.stderr


def write_secret(path, document):
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path


CAROL = {"accessKey": "carol", "secretKey": "of-the-seed", "accountId": "111122223333", "displayName": "Carol"}


def test_users(tmp_path):
    """They are known beside those of --access-key and --credentials, own buckets and administer as those do."""
    seed = write_secret(tmp_path / "seed.json", {
        "users": [CAROL, {"accessKey": "root", "secretKey": "r", "admin": True}],
        "buckets": {"hers": {"owner": "carol", "objects": [{"key": "k", "body": "x"}]}, "alices": {"owner": ALICE["accessKey"]}, "rest": {}}})
    keys = write_secret(tmp_path / "keys.json", ALICE)
    with serving("--seed-config", seed, "--credentials", keys, "--access-key", "one", "--secret-key", "1") as server:
        def buckets(user):
            return [b["Name"] for b in as_user(server, user).list_buckets()["Buckets"]]

        one, root = {"accessKey": "one", "secretKey": "1"}, {"accessKey": "root", "secretKey": "r"}
        assert buckets(CAROL) == ["hers"] and buckets(ALICE) == ["alices"] and buckets(one) == [] and buckets(root) == ["rest"]
        listed = as_user(server, CAROL).list_objects_v2(Bucket="hers", FetchOwner=True)["Contents"][0]["Owner"]
        assert listed["ID"] == as_user(server, CAROL).list_buckets()["Owner"]["ID"]
        as_user(server, CAROL).head_bucket(Bucket="hers", ExpectedBucketOwner="111122223333")
        with pytest.raises(ClientError, match="403"):
            as_user(server, ALICE).head_bucket(Bucket="hers")
        assert http_request(server, "GET", "/hers/k").status == 403
        signed = [http_request(server, "GET", "/_s3mem/stats", Signer(u, f"127.0.0.1:{server.port}").headers("GET", "/_s3mem/stats")).status
                  for u in (root, CAROL, one)]
        assert signed == [200, 403, 403] and "holds secrets" not in server.stderr()


def test_users_alone_turn_authentication_on(tmp_path):
    seed = write_secret(tmp_path / "seed.json", {"users": CAROL})
    seed.chmod(0o644)
    with serving("--seed-config", seed, "--listen", "0.0.0.0:0") as server:
        assert http_request(server, "GET", "/").status == 403
        as_user(server, CAROL).create_bucket(Bucket="mine")
        assert f"--seed-config {seed} holds secrets, and every user" in server.stderr()
        assert "the first one administers: carol" in server.stderr()


def test_users_are_read_again(tmp_path):
    """Buckets are not."""
    seed = write_secret(tmp_path / "seed.json", {"users": [CAROL], "buckets": {"box": {}}})
    with serving("--seed-config", seed, "--persist", tmp_path / "state.db", "--auto-persist") as server:
        as_user(server, CAROL).delete_bucket(Bucket="box")
        write_secret(seed, {"users": [{**CAROL, "secretKey": "new"}, ALICE], "buckets": {"box": {}, "more": {}}})
        reload(server, "reloaded: 2 access keys")
        assert as_user(server, ALICE).list_buckets()["Buckets"] == []
        for broken in ({"users": []}, {"users": [{}]}, {"buckets": {}}):
            write_secret(seed, broken)
            reload(server, "the credentials stay as they were")
        assert as_user(server, {**CAROL, "secretKey": "new"}).list_buckets()["Buckets"] == []
    # A state that is there already is not filled again, but its users are known.
    write_secret(seed, {"users": [CAROL], "buckets": {"box": {}}})
    with serving("--seed-config", seed, "--persist", tmp_path / "state.db", "--auto-persist") as server:
        assert as_user(server, CAROL).list_buckets()["Buckets"] == []
        assert http_request(server, "GET", "/").status == 403


@pytest.mark.parametrize("others, place", [
    (["--access-key", "carol", "--secret-key", "s"], "--access-key"),
    (["--credentials", "FOLDER/keys.json"], "--credentials FOLDER/keys.json: entry 2"),
    ([], "--seed-config FOLDER/seed.json: $.users[0]"),
])
def test_a_key_that_is_given_twice_is_told_with_both_places(tmp_path, others, place):
    write_secret(tmp_path / "seed.json", {"users": [*([CAROL] if not others else []), CAROL]})
    write_secret(tmp_path / "keys.json", [ALICE, CAROL])
    options = [text.replace("FOLDER", str(tmp_path)) for text in ("--seed-config", "FOLDER/seed.json", *others)]
    done = run_daemon("--listen", "127.0.0.1:0", *options)
    told = f"--seed-config FOLDER/seed.json: $.users[{0 if others else 1}]: the access key carol is given twice; before: {place}\n"
    told = told.replace("FOLDER", str(tmp_path))
    assert done.returncode == 2 and told in done.stderr, done


def test_a_config_that_is_not_there_or_too_large_for_memory(tmp_path):
    done = run_daemon("--listen", "127.0.0.1:0", "--seed-config", tmp_path / "none.json")
    assert done.returncode == 1 and "none.json: No such file" in done.stderr, done
    config = tmp_path / "seed.json"
    config.write_text(json.dumps({"buckets": {"box": {"objects": [{"key": "k", "body": "x" * 3_000_000}]}}}))
    done = run_daemon("--listen", "127.0.0.1:0", "--seed-config", config, "--max-memory", "2MiB")
    assert done.returncode == 2 and "objects[0]: does not fit into memory" in done.stderr, done
