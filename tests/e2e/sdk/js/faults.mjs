// SPDX-License-Identifier: MIT
// What this SDK makes of faults that the server injects, with its retries as they are by default. The
// server's journal says how often a call was tried and how each attempt ended.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import * as s3 from '@aws-sdk/client-s3';

const body = randomBytes(128 * 1024);
const run = promisify(execFile);
const trust = process.env.SSL_CERT_FILE ? ['--cacert', process.env.SSL_CERT_FILE] : [];

async function s3memctl(...args) {
  const { stdout } = await run(process.env.S3MEMCTL, [...args, '--json', ...trust]);
  return stdout && JSON.parse(stdout);
}

export async function faults(step, Bucket) {
  const client = new s3.S3Client({});
  let calls = 0;

  const put = (Key, by = client) => by.send(new s3.PutObjectCommand({ Bucket, Key, Body: body }));

  async function get(Key, by = client) {
    const { Body } = await by.send(new s3.GetObjectCommand({ Bucket, Key }));
    assert.ok(body.equals(Buffer.from(await Body.transformToByteArray())), 'the bytes that were stored');
  }

  // How each attempt ended, in order: its status, or "cut" if its reply did not arrive as a whole.
  async function attempts(operation, Key, count) {
    const { requests } = await s3memctl('requests', '--bucket', Bucket, '--key', Key,
      '--operation', operation, '--count', String(count), '--wait', '60s');
    return requests.reverse().map(({ status, aborted }) => (aborted ? 'cut' : String(status))).join(' ');
  }

  // One call on an object of its own under one rule; its error, or undefined.
  async function under(operation, rule, { tried, seconds = 0, by }) {
    const Key = `k${++calls}`;
    if (operation === 'GetObject') await put(Key);
    const { id } = await s3memctl('fault', 'add', '--bucket', Bucket, '--operation', operation,
      ...rule.split(' '));
    const began = performance.now();
    const error = await (operation === 'GetObject' ? get : put)(Key, by)
      .then(() => undefined, (e) => e);
    const took = (performance.now() - began) / 1000;
    await s3memctl('fault', 'remove', String(id));
    assert.equal(await attempts(operation, Key, tried.split(' ').length), tried, error?.stack);
    assert.ok(took >= seconds, `took ${took} s, at least ${seconds} expected`);
    return { error, Key };
  }

  async function succeeds(operation, rule, how) {
    const { error, Key } = await under(operation, rule, how);
    assert.equal(error, undefined);
    await get(Key);
  }

  async function fails(operation, rule, how, { name, status, message }) {
    const { error, Key } = await under(operation, rule, how);
    assert.equal(error?.name, name, error?.stack);
    assert.equal(error.$metadata?.httpStatusCode, status);
    if (message) assert.match(error.message, message);
    return { error, Key };
  }

  async function both(work) {
    for (const operation of ['PutObject', 'GetObject']) await work(operation);
  }

  await client.send(new s3.CreateBucketCommand({ Bucket }));

  // Three attempts, where nothing else is said.
  await step('fault: 500 twice, and for good', () => both(async (operation) => {
    await succeeds(operation, '--error InternalError --times 2', { tried: '500 500 200' });
    const { error } = await fails(operation, '--error InternalError', { tried: '500 500 500' },
      { name: 'InternalError', status: 500 });
    assert.ok(error instanceof s3.S3ServiceException);
    assert.equal(error.$metadata.attempts, 3);
  }));

  // Retry-After is obeyed: its own delay would be a fraction of a second.
  await step('fault: 503 SlowDown with Retry-After', () => both((operation) =>
    succeeds(operation, '--error SlowDown --retry-after 3 --times 1', { tried: '503 200', seconds: 3 })));

  await step('fault: a refusal is not retried', () => both(async (operation) => {
    const { error } = await fails(operation, '--error AccessDenied --times 1', { tried: '403' },
      { name: 'AccessDenied', status: 403 });
    assert.equal(error.$metadata.attempts, 1);
  }));

  // There is no timeout by default, and requestTimeout alone only warns.
  await step('fault: latency beyond the timeout', () => both(async (operation) => {
    const strict = { requestTimeout: 3000, throwOnRequestTimeout: true };
    for (const requestHandler of [strict, { socketTimeout: 3000 }])
      await succeeds(operation, '--latency 10m --times 1',
        { tried: 'cut 200', by: new s3.S3Client({ requestHandler }) });
    const warnings = [];
    const logger = { warn: (text) => warnings.push(text) };
    const patient = new s3.S3Client({ requestHandler: { requestTimeout: 500, logger } });
    await succeeds(operation, '--latency 2s --times 1', { tried: '200', seconds: 2, by: patient });
    assert.match(warnings.join(), /exceeded the configured 500 ms requestTimeout/);
  }));

  // What the SDK calls a TimeoutError is a broken connection, too. It is retried, whether or not the
  // request was carried out.
  await step('fault: cut in place of the request, before the reply', () => both(async (operation) => {
    for (const cut of ['request', 'before']) {
      await succeeds(operation, `--cut ${cut} --times 1`, { tried: 'cut 200' });
      const { error, Key } = await fails(operation, `--cut ${cut}`, { tried: 'cut cut cut' },
        { name: 'TimeoutError' });
      assert.match(error.code, /^(ECONNRESET|EPIPE)$/);
      if (operation === 'GetObject') continue;
      if (cut === 'before') await get(Key);
      else await assert.rejects(get(Key), { name: 'NoSuchKey' });
    }
  }));

  // GetObject has returned by then: who reads the stream gets the error, and nothing is retried.
  await step('fault: cut during the reply', async () => {
    const { error } = await fails('GetObject', '--cut during --times 1', { tried: 'cut' }, { name: 'Error' });
    assert.equal(error.code, 'ECONNRESET');
    // The reply to PutObject has no body to be cut in: its head does not arrive.
    await succeeds('PutObject', '--cut during --times 1', { tried: 'cut 200' });
  });

  // The connection is not used again; the call that would have does not notice.
  await step('fault: cut after the reply', () => both((operation) =>
    succeeds(operation, '--cut after --times 1', { tried: '200' })));

  // The checksum of the reply is checked at the end of the stream; nothing is retried.
  await step('fault: a truncated and a corrupted body', async () => {
    for (const rule of ['--truncate 1000', '--truncate 0', '--corrupt middle', '--corrupt 0'])
      await fails('GetObject', `${rule} --times 1`, { tried: '200' },
        { name: 'Error', message: /^Checksum mismatch: .* in response header "x-amz-checksum-crc32"/ });
  });

  await step('fault: little bandwidth', () => both((operation) =>
    succeeds(operation, '--bandwidth 128KiB --times 1', { tried: '200', seconds: 0.5 })));

  await step('fault: remove what the faults were about', async () => {
    for (let i = 1; i <= calls; i++)
      await client.send(new s3.DeleteObjectCommand({ Bucket, Key: `k${i}` }));
    await client.send(new s3.DeleteBucketCommand({ Bucket }));
  });
}
