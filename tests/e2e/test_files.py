# SPDX-License-Identifier: MIT
"""README's commands for plain files, as they stand there. The "real" bucket is one of another server."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import PATIENCE, ROOT, client, keys_of, serving

FILES = {"a.txt": b"text", "dir/b c.json": b"{}", "dir/\u00e9.bin": bytes(range(256)) * 300}


def blocks():
    """The two shell blocks of the section."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Plain files in and out")[1]
    return re.findall(r"```sh\n(.*?)```", section.split("\n## ")[0], re.S)


def shell(script, folder, server, real):
    settings = folder / "aws.conf"
    settings.write_text(f"[default]\nendpoint_url = {real.url}\n", encoding="utf-8")
    remote = {"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true", "ENDPOINT": real.url}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "RCLONE_"))}
    done = subprocess.run(
        ["bash", "-euxc", script.replace("http://127.0.0.1:4566", server.url)],
        cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False,
        env={**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}", "HOME": str(folder),
             "AWS_ENDPOINT_URL_S3": server.url, "AWS_CONFIG_FILE": str(settings), "RCLONE_CONFIG": "",
             "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "LC_ALL": "C.UTF-8",
             "AWS_DEFAULT_REGION": "us-east-1",
             **{f"RCLONE_CONFIG_REAL_{k}": v for k, v in remote.items()}})
    assert done.returncode == 0, done.stderr[-4000:]


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.options
@pytest.mark.parametrize("block, program", [(0, "aws"), (1, "rclone")])
def test_readme(tmp_path, block, program):
    if program == "rclone" and not shutil.which(program):
        pytest.skip("rclone is not installed")
    for name, data in FILES.items():
        path = tmp_path / "fixtures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with serving("--bucket", "demo") as server, serving("--bucket", "real-bucket") as real:
        client(real).put_object(Bucket="real-bucket", Key="x/real", Body=b"thing", Metadata={"k": "v"},
                                ContentType="text/x")
        shell(blocks()[block], tmp_path, server, real)
        s3 = client(server)
        assert keys_of(s3.list_objects_v2(Bucket="demo")) == [f"fixtures/{n}" for n in FILES] + ["real/x/real"]
        assert tree(tmp_path / "copy") == FILES
        assert s3.get_object(Bucket="demo", Key="real/x/real")["Body"].read() == b"thing"
        if program == "rclone":
            head = s3.head_object(Bucket="demo", Key="real/x/real")
            assert head["Metadata"].get("k") == "v" and head["ContentType"] == "text/x"
        assert keys_of(client(real).list_objects_v2(Bucket="real-bucket")) == ["x/real"]
