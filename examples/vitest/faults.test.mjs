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

test("Retry-After goes with SlowDown, and the SDK waits for it", async () => {
  await put();
  await fault({ operation: "PutObject", error: "SlowDown", retryAfter: 1, times: 1 });
  const begun = performance.now();
  expect((await put()).$metadata.attempts).toBe(2);
  expect(performance.now() - begun).toBeGreaterThan(900);
});

test("an error that trying again cannot mend is told at once", async () => {
  await put();
  await fault({ operation: "GetObject", error: "AccessDenied" });
  const refused = await get().catch((error) => error);
  expect([refused.name, refused.$metadata.attempts]).toEqual(["AccessDenied", 1]);
});

test("a request that was cut off is sent again, and one whose reply was lost, too", async () => {
  await put();
  await fault({ operation: "PutObject", cut: "request", times: 1 });
  expect((await put()).$metadata.attempts).toBe(2);
  await fault({ operation: "PutObject", cut: "before", times: 1 });
  expect((await put()).$metadata.attempts).toBe(2);
});

test("a connection cut after the reply is of no consequence", async () => {
  await put();
  await fault({ operation: "GetObject", cut: "after" });
  for (let i = 0; i < 3; i++) expect(await (await get()).Body.transformToString()).toBe("open");
});

test("latency and narrow bandwidth take their time", async () => {
  await put();
  await fault({ operation: "GetObject", latency: "300ms", bandwidth: 20 }); // "open": 0.2 s
  const begun = performance.now();
  const reply = await get();
  expect(reply.$metadata.attempts).toBe(1);
  expect(await reply.Body.transformToString()).toBe("open");
  expect(performance.now() - begun).toBeGreaterThan(290);
});

test("a truncated body is noticed", async () => {
  await put();
  await fault({ operation: "GetObject", truncate: 2 });
  await expect(get().then((reply) => reply.Body.transformToString())).rejects.toThrow(/checksum/i);
});

test("a body cut in its middle is noticed", async () => {
  await put();
  await fault({ operation: "GetObject", cut: "during" });
  await expect(get().then((reply) => reply.Body.transformToString())).rejects.toThrow();
});
