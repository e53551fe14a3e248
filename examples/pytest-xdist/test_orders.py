# SPDX-License-Identifier: MIT
"""Tests that would trample on each other in one bucket."""

import pytest


def keys(s3):
    return [o["Key"] for o in s3.list_objects_v2(Bucket="shop")["Contents"]]


@pytest.mark.parametrize("number", range(160))
def test_each_sees_the_fixture_and_nothing_else(s3, number):
    assert keys(s3) == [f"orders/{i:03}" for i in range(100)]
    s3.put_object(Bucket="shop", Key=f"orders/mine-{number}", Body=b"x")
    s3.delete_object(Bucket="shop", Key="orders/000")
    s3.put_object(Bucket="shop", Key="orders/001", Body=f"{number}".encode())
    assert s3.get_object(Bucket="shop", Key="orders/001")["Body"].read() == f"{number}".encode()
    assert len(keys(s3)) == 100
