// SPDX-License-Identifier: MIT
// How a client bears failures: rules that strike only the requests of this worker's branch.

import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterEach, expect, test } from "vitest";

import { admin } from "./fixture.mjs";
import { branch, s3 } from "./s3.mjs";

const added = [];
const fault = async (rule) => added.push(await admin("POST", "faults", { branch, ...rule }));
const get = () => s3.send(new GetObjectCommand({ Bucket: "shop", Key: "orders/007" }));
const put = () => s3.send(new PutObjectCommand({ Bucket: "shop", Key: "new", Body: "x" }));

afterEach(async () => {
  for (const rule of added.splice(0)) await admin("DELETE", `faults/${rule.id}`);
});

test("SlowDown twice, then success", async () => {
  await put(); // the branch is there
  await fault({ operation: "PutObject", error: "SlowDown", times: 2 });
  expect((await put()).$metadata.attempts).toBe(3);
});

test("a connection cut before the reply is tried again", async () => {
  await put();
  await fault({ operation: "GetObject", cut: "before", times: 1 });
  const reply = await get();
  expect(reply.$metadata.attempts).toBe(2);
  expect(await reply.Body.transformToString()).toBe("open");
});

test("a corrupted body is noticed", async () => {
  await put();
  await fault({ operation: "GetObject", corrupt: 1 });
  await expect(get().then((reply) => reply.Body.transformToString())).rejects.toThrow(/checksum/i);
});

test("a body cut in its middle is noticed", async () => {
  await put();
  await fault({ operation: "GetObject", cut: "during" });
  await expect(get().then((reply) => reply.Body.transformToString())).rejects.toThrow();
});
