// SPDX-License-Identifier: MIT
// node --test: each test from one fixture, in a branch of its own. Any client will do; this one
// is fetch.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { start } from "./s3mem.mjs";

let server;

before(async () => {
  server = await start(["--bucket", "demo"]);
  await fetch(`${server.url}/demo/fixture`, { method: "PUT", body: "golden" });
  await server.snapshot("clean");
});
after(() => server.stop());

const on = (branch) => ({ headers: { "x-s3mem-branch": branch } });

for (const worker of ["worker-1", "worker-2"]) {
  test(`${worker} has a world of its own`, async () => {
    await server.fork(worker, "clean");
    const reply = await fetch(`${server.url}/demo/fixture`, on(worker));
    assert.equal(await reply.text(), "golden");
    await fetch(`${server.url}/demo/fixture`, { method: "DELETE", ...on(worker) });
    assert.equal((await fetch(`${server.url}/demo/fixture`, on(worker))).status, 404);
    await server.restore("clean", worker);
    assert.equal((await fetch(`${server.url}/demo/fixture`, on(worker))).status, 200);
  });
}

test("main is as it was", async () => {
  assert.equal((await fetch(`${server.url}/demo/fixture`)).status, 200);
  const stats = await server.stats();
  assert.equal(stats.branches.find((b) => b.name === "main").objectCount, 1);
});

test("what is refused says why", async () => {
  await assert.rejects(server.restore("never taken"), /no snapshot|name has/);
});
