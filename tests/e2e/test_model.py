# SPDX-License-Identifier: MIT
"""Random histories of a bucket through a real client, beside a model of a few lines: what is
current, what its versions are, what a listing cut into pages shows, and what snapshots bring back.
The rules are those of AWS's "Working with objects in a versioning-enabled (-suspended) bucket" and
of ListObjectsV2, ListObjects and ListObjectVersions."""

import copy
import random

import pytest
from botocore.exceptions import ClientError

from admin import admin
from harness import client, serving, unique

STEPS = 250
KEYS = ["a", "a/", "a/b", "a/b/c", "a//", "ab", "b", "b/a", "b/a/x", "c d", "\u00e9", "\u00e9/z", "z" * 40]
DELIMITERS = ["", "/", "b", "//", "/a"]


class Model:
    """Versions of each key, newest first: (version id, body; None for a delete marker)."""

    def __init__(self):
        self.status = None
        self.keys = {}

    def add(self, key, version, body):
        versions = self.keys.setdefault(key, [])
        if self.status != "Enabled":
            versions[:] = [v for v in versions if v[0] != "null"]
        versions.insert(0, (version, body))

    def remove(self, key, version):
        left = [v for v in self.keys.get(key, []) if v[0] != version]
        self.keys.pop(key, None)
        if left:
            self.keys[key] = left

    def current(self):
        """Key and body, in the order of listings."""
        return [
            (key, versions[0][1])
            for key, versions in sorted(self.keys.items(), key=lambda item: item[0].encode())
            if versions[0][1] is not None
        ]

    def listed(self, prefix, delimiter):
        """Keys and common prefixes in one order, as pages count them."""
        out = []
        for key, _ in self.current():
            item = group(key, prefix, delimiter)
            if item and item not in out:
                out.append(item)
        return out

    def versions_listed(self, prefix, delimiter):
        out = []
        for key, versions in sorted(self.keys.items(), key=lambda item: item[0].encode()):
            item = group(key, prefix, delimiter)
            if item and item[0] == "prefix":
                out += [item] if item not in out else []
            elif item:
                out += [("version" if v[1] is not None else "marker", key, v[0]) for v in versions]
        return out


def group(key, prefix, delimiter):
    if not key.startswith(prefix):
        return None
    end = key.find(delimiter, len(prefix)) if delimiter else -1
    return ("key", key) if end < 0 else ("prefix", key[: end + len(delimiter)])


class History:
    def __init__(self, server, seed):
        self.r = random.Random(seed)
        self.server, self.s3 = server, client(server)
        self.bucket = unique()
        self.s3.create_bucket(Bucket=self.bucket)
        self.model, self.snapshots = Model(), {}

    def key(self):
        return self.r.choice(KEYS)

    def known(self):
        """A version that exists, as (key, version id, body); None when there is none."""
        found = [(k, *v) for k, versions in self.model.keys.items() for v in versions]
        return self.r.choice(found) if found else None

    def put(self):
        key, body = self.key(), self.r.randbytes(self.r.randrange(20))
        reply = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        if self.model.status == "Suspended":  # see s3_reply_write_result
            assert "VersionId" not in reply
            reply["VersionId"] = "null"
        self.added(key, reply.get("VersionId"), body)

    def added(self, key, version, body):
        """Deletes and copies tell the version, also null in a suspended bucket."""
        assert (version is None) == (self.model.status is None)
        assert (version == "null") == (self.model.status == "Suspended")
        self.model.add(key, version or "null", body)

    def copy(self):
        found = self.known()
        if not found:
            return
        source, version, body = found
        key = self.key()
        where = {"Bucket": self.bucket, "Key": source, "VersionId": version}
        if body is None:
            with pytest.raises(ClientError) as caught:
                self.s3.copy_object(Bucket=self.bucket, Key=key, CopySource=where)
            assert caught.value.response["Error"]["Code"] == "InvalidRequest"
            return
        if key == source:
            return  # that has rules of its own
        reply = self.s3.copy_object(Bucket=self.bucket, Key=key, CopySource=where)
        assert reply.get("CopySourceVersionId", "null") == version
        self.added(key, reply.get("VersionId"), body)

    def delete(self):
        key = self.key()
        reply = self.s3.delete_object(Bucket=self.bucket, Key=key)
        if self.model.status is None:
            assert "VersionId" not in reply and "DeleteMarker" not in reply
            self.model.remove(key, "null")
        else:
            assert reply["DeleteMarker"]
            self.added(key, reply["VersionId"], None)

    def delete_version(self):
        found = self.known()
        if found:
            key, version, body = found
            reply = self.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version)
            assert reply.get("VersionId") == (version if self.model.status else None)
            assert reply.get("DeleteMarker", False) == (body is None)
            self.model.remove(key, version)

    def delete_many(self):
        chosen = {self.key() for _ in range(self.r.randrange(1, 4))}
        reply = self.s3.delete_objects(
            Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in sorted(chosen)]}
        )
        assert {d["Key"] for d in reply["Deleted"]} == chosen
        for deleted in reply["Deleted"]:
            if self.model.status is None:
                self.model.remove(deleted["Key"], "null")
            else:
                self.added(deleted["Key"], deleted["DeleteMarkerVersionId"], None)

    def version(self):
        self.model.status = self.r.choice(["Enabled", "Enabled", "Suspended"])
        self.s3.put_bucket_versioning(
            Bucket=self.bucket, VersioningConfiguration={"Status": self.model.status}
        )

    def snapshot(self):
        name = f"{self.bucket}-{self.r.randrange(3)}"
        if name in self.snapshots:
            assert admin(self.server, "DELETE", f"snapshots/{name}").status == 204
        assert admin(self.server, "POST", "snapshots", {"name": name}).status == 201
        self.snapshots[name] = copy.deepcopy(self.model)

    def restore(self):
        if self.snapshots:
            name = self.r.choice(sorted(self.snapshots))
            restored = admin(self.server, "POST", f"snapshots/{name}/restore", bucket=self.bucket)
            assert restored.status == 200, restored
            self.model = copy.deepcopy(self.snapshots[name])

    def read(self):
        found = self.known()
        if found and found[2] is not None:
            got = self.s3.get_object(Bucket=self.bucket, Key=found[0], VersionId=found[1])
            assert got["Body"].read() == found[2]
        key = self.key()
        body = dict(self.model.current()).get(key)
        if body is None:
            with pytest.raises(ClientError) as caught:
                self.s3.get_object(Bucket=self.bucket, Key=key)
            assert caught.value.response["Error"]["Code"] == "NoSuchKey"
        else:
            assert self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() == body

    def query(self):
        key = self.key()
        query = {"Prefix": key[: self.r.randrange(len(key) + 1)] if self.r.random() < 0.5 else ""}
        delimiter = self.r.choice(DELIMITERS)
        return {**query, "Delimiter": delimiter} if delimiter else query

    def pages(self, operation, query, follow):
        """All items of all pages; each page but the last is full."""
        size, items = self.r.choice([1, 2, 3, 7, 1000]), []
        query = {**query, "Bucket": self.bucket, "MaxKeys": size}
        while True:
            page = operation(**query)
            items.append(
                [("key", o["Key"]) for o in page.get("Contents", [])]
                + [("version", o["Key"], o["VersionId"]) for o in page.get("Versions", [])]
                + [("marker", o["Key"], o["VersionId"]) for o in page.get("DeleteMarkers", [])]
                + [("prefix", p["Prefix"]) for p in page.get("CommonPrefixes", [])]
            )
            if not page["IsTruncated"]:
                return size, items
            assert len(items[-1]) == size
            query = {**query, **follow(page)}
            query = {name: value for name, value in query.items() if value is not None}

    def compare(self, wanted, size, items):
        """Page by page, in whatever order the kinds stand within one."""
        cut = [wanted[at : at + size] for at in range(0, len(wanted), size)] or [[]]
        assert [sorted(page) for page in items] == [sorted(page) for page in cut]

    def list(self):
        query = self.query()
        wanted = self.model.listed(query["Prefix"], query.get("Delimiter"))
        self.compare(wanted, *self.pages(
            self.s3.list_objects_v2, query,
            lambda page: {"ContinuationToken": page["NextContinuationToken"]},
        ))  # fmt: skip
        self.compare(wanted, *self.pages(
            self.s3.list_objects, query,
            lambda page: {"Marker": page.get("NextMarker") or page["Contents"][-1]["Key"]},
        ))  # fmt: skip

    def list_versions(self):
        query = self.query()
        wanted = self.model.versions_listed(query["Prefix"], query.get("Delimiter"))
        self.compare(wanted, *self.pages(
            self.s3.list_object_versions, query,
            lambda page: {
                name: page.get("Next" + name) for name in ("KeyMarker", "VersionIdMarker")
            },
        ))  # fmt: skip


WEIGHTS = {
    "put": 8, "copy": 3, "delete": 3, "delete_version": 3, "delete_many": 1, "version": 1,
    "snapshot": 1, "restore": 1, "read": 2, "list": 3, "list_versions": 3,
}  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_history(server, seed):
    history = History(server, seed)
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    for _ in range(STEPS):
        getattr(history, history.r.choices(names, weights)[0])()
    history.list()
    history.list_versions()
