// SPDX-License-Identifier: MIT
// Once for all workers: the fixture, as a snapshot. Each worker then has a branch of its own.

const endpoint = process.env.AWS_ENDPOINT_URL ?? "http://127.0.0.1:4566";

export async function admin(method, path, body) {
  const reply = await fetch(`${endpoint}/_s3mem/${path}`, {
    method,
    body: body && JSON.stringify(body),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${method} ${path}: ${text}`);
  return text ? JSON.parse(text) : undefined;
}

export default async function setup() {
  await fetch(`${endpoint}/shop`, { method: "PUT" });
  for (let i = 0; i < 100; i++) {
    const key = `orders/${String(i).padStart(3, "0")}`;
    await fetch(`${endpoint}/shop/${key}`, { method: "PUT", body: "open" });
  }
  await admin("POST", "snapshots", { name: "orders" });
  return () => admin("DELETE", "snapshots/orders");
}
