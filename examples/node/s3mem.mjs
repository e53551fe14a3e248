// SPDX-License-Identifier: MIT
// s3memd for Node's tests: a child process on a free port, and its admin endpoints.
// Copy this file into your tests.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export async function start(options = [], program = process.env.S3MEMD ?? "s3memd") {
  const child = spawn(program, ["--listen", "127.0.0.1:0", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await readyUrl(child);

  async function admin(method, path, body) {
    const reply = await fetch(`${url}/_s3mem/${path}`, {
      method,
      body: body && JSON.stringify(body),
    });
    const text = await reply.text();
    const answer = text ? JSON.parse(text) : undefined;
    if (!reply.ok) throw new Error(`${method} ${path}: ${answer.error.message}`);
    return answer;
  }

  const name = encodeURIComponent;
  return {
    url,
    snapshot: (snapshot, branch = "main") =>
      admin("POST", `snapshots?branch=${name(branch)}`, { name: snapshot }),
    restore: (snapshot, branch = "main") =>
      admin("POST", `snapshots/${name(snapshot)}/restore?branch=${name(branch)}`),
    fork: (branch, from = "main") => admin("POST", "branches", { name: branch, from }),
    clear: (branch = "main") => admin("POST", `clear?branch=${name(branch)}`),
    stats: () => admin("GET", "stats"),
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", resolve);
        child.kill();
      }),
  };
}

function readyUrl(child) {
  return new Promise((resolve, reject) => {
    let url;
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`s3memd ended with ${code}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      url ??= /^s3memd ready on (\S+)/.exec(line)?.[1];
      if (line === "Ready.") resolve(url);
    });
  });
}
