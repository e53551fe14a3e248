# SPDX-License-Identifier: MIT
"""libs3mem through ctypes: copy this file into your tests."""

import ctypes
import ctypes.util
import json

_RESULTS = ("OK", "EXISTS", "MISSING", "INVALID", "NO_MEMORY", "IO")


class S3MemError(Exception):
    pass


def _text(value):
    return None if value is None else str(value).encode()


class S3Mem:
    """with S3Mem("--bucket=demo") as s: boto3.client("s3", endpoint_url=s.url, ...)"""

    def __init__(self, *options, library=None):
        self._lib = ctypes.CDLL(library or ctypes.util.find_library("s3mem") or "libs3mem.so.0")
        self._lib.s3mem_start.restype = ctypes.c_void_p
        self._lib.s3mem_url.restype = ctypes.c_char_p
        self._lib.s3mem_stats.restype = ctypes.c_void_p
        array = (ctypes.c_char_p * (len(options) + 1))(*map(_text, options), None)
        error = ctypes.create_string_buffer(1024)
        self._server = self._lib.s3mem_start(array, error, len(error))
        if not self._server:
            raise S3MemError(error.value.decode())
        self.url = self._lib.s3mem_url(ctypes.c_void_p(self._server)).decode()

    def _call(self, name, *texts):
        function = getattr(self._lib, "s3mem_" + name)
        result = function(ctypes.c_void_p(self._server), *map(_text, texts))
        if result:
            raise S3MemError(f"{name}{texts}: {_RESULTS[result]}")

    def snapshot(self, name, branch=None):
        self._call("snapshot", branch, name)

    def restore(self, name, branch=None, bucket=None):
        self._call("restore", branch, name, bucket)

    def drop(self, name):
        self._call("drop", name)

    def fork(self, name, source=None):
        self._call("fork", name, source)

    def delete_branch(self, name):
        self._call("branch_delete", name)

    def create_bucket(self, bucket, branch=None):
        self._call("create_bucket", branch, bucket)

    def clear(self, branch=None, bucket=None):
        self._call("clear", branch, bucket)

    def save(self, snapshot, path):
        self._call("save", snapshot, path)

    def load(self, snapshot, path):
        self._call("load", snapshot, path)

    def stats(self):
        text = self._lib.s3mem_stats(ctypes.c_void_p(self._server))
        try:
            return json.loads(ctypes.string_at(text))
        finally:
            self._lib.s3mem_free(ctypes.c_void_p(text))

    def stop(self):
        if self._server:
            self._lib.s3mem_stop(ctypes.c_void_p(self._server))
            self._server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
