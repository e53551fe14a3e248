// SPDX-License-Identifier: MIT
// s3db.js (a document database that keeps its records in S3) against the server: a connection
// string, as its users write it. S3MEM_VERIFIES=1: the server checks signatures.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { MemoryClient, S3db } from 's3db.js';
import { backupSteps } from './backup.mjs';

const endpoint = new URL(process.env.AWS_ENDPOINT_URL);
const key = process.env.AWS_ACCESS_KEY_ID;
const secret = process.env.AWS_SECRET_ACCESS_KEY;
const bucket = `s3db-${process.pid}-${Date.now().toString(36)}`;
const s3 = new S3Client({ forcePathStyle: true });

let passed = 0;
let failed = 0;

async function step(name, work) {
  try {
    await work();
    passed++;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}: ${error.stack}`);
  }
}

// Its default HTTP client, as the registry has it now, fails on every reply with status 204 (that of
// DELETE, from any S3) and on "Expect". So most steps take the plain one of the AWS SDK instead.
const PLAIN = { clientOptions: { httpClientOptions: { useReckerHandler: false } } };

async function connect(prefix, secretKey = secret, options = PLAIN, name = bucket) {
  const login = `${encodeURIComponent(key)}:${encodeURIComponent(secretKey)}`;
  const db = new S3db({
    connectionString: `${endpoint.protocol}//${login}@${endpoint.host}/${name}/${prefix}`,
    logLevel: 'silent',
    executorPool: false,
    ...options,
  });
  await db.connect();
  return db;
}

async function storedKeys(prefix) {
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  return (Contents ?? []).map((object) => object.Key);
}

await s3.send(new CreateBucketCommand({ Bucket: bucket })); // s3db.js never creates it

const attributes = {
  name: 'string|required', email: 'string', age: 'number', active: 'boolean',
  tags: 'array|items:string', city: 'string|optional', note: 'string|optional',
};
const record = (id, more) => ({
  id, name: `Näme ${id} 世界`, email: `${id}@example.com`, age: 42, active: true, tags: ['x', 'y|z'],
  city: 'a', ...more,
});

let db;
let users;

await step('connect and define a resource', async () => {
  db = await connect('app');
  users = await db.createResource({
    name: 'users', attributes, behavior: 'user-managed',
    partitions: { byCity: { fields: { city: 'string' } } }, asyncPartitions: false,
  });
  assert.ok((await storedKeys('app/')).includes('app/s3db.json'));
});

await step('insert and get', async () => {
  for (const id of ['u1', 'u 2', 'ü+3']) {
    await users.insert(record(id));
    const back = await users.get(id);
    for (const [name, value] of Object.entries(record(id))) assert.deepEqual(back[name], value, name);
  }
  assert.ok((await storedKeys('app/')).includes('app/resource=users/data/id=ü+3'));
});

await step('a record larger than metadata allows goes to the body', async () => {
  await users.insert(record('large', { note: 'n'.repeat(5000) }));
  assert.equal((await users.get('large')).note.length, 5000);
});

await step('update, exists, list, count', async () => {
  await users.update('u1', { ...record('u1'), age: 43 });
  assert.equal((await users.get('u1')).age, 43);
  assert.equal(await users.exists('u1'), true);
  assert.equal(await users.exists('nobody'), false);
  assert.deepEqual((await users.listIds()).sort(), ['large', 'u 2', 'u1', 'ü+3'].sort());
  assert.equal(await users.count(), 4);
  assert.equal((await users.list()).length, 4);
});

await step('partitions', async () => {
  await users.insert(record('u5', { city: 'b' }));
  const ids = await users.listIds({ partition: 'byCity', partitionValues: { city: 'b' } });
  assert.deepEqual(ids, ['u5']);
});

await step('binary content', async () => {
  const buffer = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await users.setContent({ id: 'u1', buffer, contentType: 'image/png' });
  const { buffer: back, contentType } = await users.content('u1');
  assert.ok(buffer.equals(back));
  assert.equal(contentType, 'image/png');
});

await step('many at once, and pages', async () => {
  const many = Array.from({ length: 40 }, (_, i) => record(`m${String(i).padStart(3, '0')}`));
  await users.insertMany(many);
  assert.equal(await users.count(), 45);
  const page = await users.page({ offset: 0, size: 30 });
  assert.equal(page.items.length, 30);
});

await step('another connection finds the resource and its records', async () => {
  const again = await connect('app');
  const same = await again.getResource('users');
  assert.equal((await same.get('u5')).city, 'b');
  await again.disconnect();
});

await step('the default HTTP client: get, insert, update, list, count', async () => {
  const own = await connect('app', secret, {});
  const people = await own.getResource('users');
  assert.equal((await people.get('u5')).city, 'b');
  await people.insert(record('u6'));
  await people.update('u6', { ...record('u6'), age: 1 });
  assert.equal((await people.get('u6')).age, 1);
  assert.equal(await people.count(), 46);
  assert.equal((await people.list({ limit: 10 })).length, 10);
  await users.delete('u6');
  await own.disconnect();
});

await step('a missing record is an error', async () => {
  await assert.rejects(users.get('nobody'), /NoSuchKey|does not exist|not found/i);
});

await step('delete, delete many', async () => {
  await users.delete('u1');
  assert.equal(await users.exists('u1'), false);
  await users.deleteMany(['u 2', 'ü+3', 'u5']);
  assert.equal(await users.count(), 41);
  await users.deleteMany(await users.listIds());
  assert.deepEqual(await users.list(), []);
  assert.deepEqual((await storedKeys('app/resource=users/')), []);
});

// ---- MemoryClient's file, in both directions ----------------------------------------------------

const run = promisify(execFile);
const ctl = (...args) => run(process.env.S3MEMCTL, [
  '--endpoint', endpoint.origin,
  ...(process.env.SSL_CERT_FILE ? ['--cacert', process.env.SSL_CERT_FILE] : []), ...args,
]);

const RECORDS = [
  record('m1'), record('m 2', { note: 'é世|'.repeat(20), age: -0.5, active: false, tags: [] }),
  record('m3', { note: 'n'.repeat(5000), tags: ['a', 'b|c', 'd\\e'] }),
];

async function inMemory(name) {
  const client = new MemoryClient({ bucket: name, keyPrefix: 'app', logLevel: 'silent' });
  const own = new S3db({ client, logLevel: 'silent', executorPool: false });
  return { client, own };
}

async function fill(database) {
  const resource = await database.createResource({ name: 'people', attributes, behavior: 'body-overflow' });
  for (const r of RECORDS) await resource.insert(r);
}

async function assertFilled(database) {
  const resource = await database.getResource('people');
  assert.deepEqual((await resource.listIds()).sort(), RECORDS.map((r) => r.id).sort());
  for (const wanted of RECORDS) {
    const back = await resource.get(wanted.id);
    for (const [name, value] of Object.entries(wanted)) assert.deepEqual(back[name], value, `${wanted.id} ${name}`);
  }
}

const folder = await mkdtemp(join(tmpdir(), 's3db-files-'));

if (process.env.S3MEMCTL) {
  await step('what MemoryClient saved to disk is loaded', async () => {
    const { client, own } = await inMemory('saved');
    await own.connect();
    await fill(own);
    await client.storage.saveToDisk(join(folder, 'saved.json'));
    const before = JSON.parse(JSON.stringify(client.snapshot().objects));
    await own.disconnect();
    await ctl('load', join(folder, 'saved.json'), '--bucket', bucket);
    const remote = await connect('app');
    await assertFilled(remote);
    await remote.disconnect();
    // And saved again it is the same, object by object.
    await ctl('save', join(folder, 'again.json'), '--bucket', bucket);
    const { objects } = JSON.parse(await readFile(join(folder, 'again.json'), 'utf8'));
    assert.deepEqual(objects, before);
  });

  await step('what the server saved MemoryClient loads from disk', async () => {
    const remote = await connect('app');
    await (await remote.getResource('people')).insert(record('m4'));
    RECORDS.push(record('m4'));
    await remote.disconnect();
    await ctl('save', join(folder, 'served.json'), '--bucket', bucket);
    const { client, own } = await inMemory('served');
    await client.storage.loadFromDisk(join(folder, 'served.json'));
    await own.connect();
    await assertFilled(own);
    await own.disconnect();
  });
}
await rm(folder, { recursive: true });

if (process.env.S3MEM_VERIFIES === '1')
  await step('a wrong secret key is refused', async () => {
    await assert.rejects(connect('app', 'wrong'), /403|SignatureDoesNotMatch|denied|forbidden|permission/i);
  });

await backupSteps({
  step,
  bucket,
  connect: (prefix, name) => connect(prefix, secret, PLAIN, name),
  createBucket: (name) => s3.send(new CreateBucketCommand({ Bucket: name })),
});

await db?.disconnect();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
