// SPDX-License-Identifier: MIT
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";

import { s3 } from "./s3.mjs";

/** Tests that would trample on each other in one bucket; every file runs them. */
export function orders(file) {
  for (let turn = 0; turn < 10; turn++) {
    test(`${file}: turn ${turn} sees the fixture and nothing else`, async () => {
      const list = new ListObjectsV2Command({ Bucket: "shop" });
      expect((await s3.send(list)).KeyCount).toBe(100);
      const Body = `${file} ${turn}`;
      await s3.send(new PutObjectCommand({ Bucket: "shop", Key: "orders/001", Body }));
      await s3.send(new PutObjectCommand({ Bucket: "shop", Key: `orders/${Body}`, Body }));
      expect((await s3.send(list)).KeyCount).toBe(101);
      const got = await s3.send(new GetObjectCommand({ Bucket: "shop", Key: "orders/001" }));
      expect(await got.Body.transformToString()).toBe(Body);
    });
  }
}
