#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""toolchain.py FOLDER: what Debian 12 has too old, from the registry of each language itself.

Go:   Debian has 1.19, the SDK wants 1.24. The Go project publishes its toolchains as a module,
      which any go command can fetch and verify.
Node: Debian has 18, the SDK wants 20. The npm registry has the official program as a package.
npm:  Debian has 9, which cannot read a lock file with an override by another package.

Each goes below FOLDER, with a link in FOLDER/bin; run.py looks there first. Does nothing for what
is new enough already.
"""

import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

from run import GO, NODE, NPM, Skip

GO_VERSION = "1.24.9"
NODE_VERSION = "22"
NPM_VERSION = "10"
GO_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
NODE_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


def link(folder, program, name=None):
    link_path = folder / "bin" / (name or program.name)
    link_path.parent.mkdir(parents=True, exist_ok=True)
    link_path.unlink(missing_ok=True)
    link_path.symlink_to(program)


def fetch_go(folder, old_go):
    module = f"golang.org/toolchain@v0.0.1-go{GO_VERSION}.linux-{GO_MACHINES[platform.machine()]}"
    said = subprocess.run([old_go, "mod", "download", "-json", module], check=True, cwd=folder,
                          stdout=subprocess.PIPE, env={**os.environ, "GOFLAGS": ""}).stdout
    # The module cache is read-only and knows no executables.
    root = folder / f"go{GO_VERSION}"
    shutil.copytree(json.loads(said)["Dir"], root, dirs_exist_ok=True)
    for path in [root, *root.rglob("*")]:
        programs = path.is_dir() or {"bin", "tool"} & set(path.relative_to(root).parts)
        path.chmod(0o755 if programs else 0o644)
    link(folder, root / "bin/go")


def npm_install(npm, folder, package):
    subprocess.run([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, package],
                   check=True)


def fetch_node(folder, npm):
    package = f"node-linux-{NODE_MACHINES[platform.machine()]}"
    npm_install(npm, folder, f"{package}@{NODE_VERSION}")
    link(folder, folder / "node_modules" / package / "bin/node")


def fetch_npm(folder, npm):
    npm_install(npm, folder, f"npm@{NPM_VERSION}")
    link(folder, folder / "node_modules/npm/bin/npm-cli.js", "npm")


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for tool, helper, fetch in ((GO, GO, fetch_go), (NODE, NPM, fetch_node), (NPM, NPM, fetch_npm)):
        try:
            tool.need()
        except Skip as why:
            print(f"{why}: fetching another", flush=True)
            if not helper.path():
                sys.exit(f"{helper.name} not found: install the packages first")
            fetch(folder, helper.path())


if __name__ == "__main__":
    main()
