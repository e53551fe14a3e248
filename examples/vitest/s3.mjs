// SPDX-License-Identifier: MIT
// The worker's client: its access key is the name of its branch, forked when it is first seen.
// The server runs with --branch-per-key=orders.

import { S3Client } from "@aws-sdk/client-s3";
import { afterEach } from "vitest";

import { admin } from "./fixture.mjs";

export const branch = `vitest-${process.env.VITEST_POOL_ID}`;

export const s3 = new S3Client({
  endpoint: process.env.AWS_ENDPOINT_URL ?? "http://127.0.0.1:4566",
  region: "us-east-1",
  forcePathStyle: true,
  credentials: { accessKeyId: branch, secretAccessKey: "any" },
});

afterEach(() => admin("POST", `snapshots/orders/restore?branch=${branch}`));
