// SPDX-License-Identifier: MIT
// s3db_rate.mjs - what s3db.js does in its own process with its MemoryClient, for bench_disk.py to put
// beside s3memd's export and import: N records written out as gzipped JSONL by its own reads, and such a
// file read and inserted. (Version 19 has no exportBackup any more; this is what users write instead.)
// Usage: node s3db_rate.mjs N FOLDER MODULE. Leaves FOLDER/store.json, MemoryClient's file of the records.
// Prints {"export_s", "import_s", "records"}; CPU time of the process.
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { createGunzip, createGzip } from 'node:zlib';

const [count, folder, module] = [Number(process.argv[2]), process.argv[3], process.argv[4]];
const { MemoryClient, S3db } = await import(pathToFileURL(module).href);

const SCHEMA = {
  name: 'people',
  attributes: { id: 'string|optional', name: 'string|required', city: 'string|required', age: 'number',
    active: 'boolean', tags: 'array|items:string' },
  partitions: { byCity: { fields: { city: 'string' } } },
  asyncPartitions: false,
  timestamps: true,
  behavior: 'body-overflow',
};

const person = (i) => ({ id: `p${i}`, name: `Person ${i}`, city: `City ${i % 100}`, age: i % 90, active: i % 2 === 0,
  tags: ['x', `t${i % 7}`] });

async function database(name) {
  const client = new MemoryClient({ bucket: name, keyPrefix: 'app', logLevel: 'silent', maxMemoryMB: 16384 });
  const db = new S3db({ client, logLevel: 'silent', executorPool: false });
  await db.connect();
  return { client, db, people: await db.createResource(SCHEMA) };
}

const seconds = (since) => { const u = process.cpuUsage(since); return (u.user + u.system) / 1e6; };

const source = await database('source');
for (let i = 0; i < count; i++) await source.people.insert(person(i));
await source.client.storage.saveToDisk(join(folder, 'store.json'));

let start = process.cpuUsage();
const gzip = createGzip();
const file = gzip.pipe(createWriteStream(join(folder, 'people.jsonl.gz')));
for (const id of await source.people.listIds({ limit: count })) {
  if (!gzip.write(JSON.stringify(await source.people.get(id)) + '\n')) await once(gzip, 'drain');
}
gzip.end();
await once(file, 'finish');
const exported = seconds(start);

const target = await database('target');
start = process.cpuUsage();
let records = 0;
for await (const line of createInterface({ input: createReadStream(join(folder, 'people.jsonl.gz')).pipe(createGunzip()) })) {
  const record = JSON.parse(line);
  await target.people.insert(Object.fromEntries(Object.keys(SCHEMA.attributes).map((name) => [name, record[name]])));
  records++;
}
const imported = seconds(start);
if (records !== count) throw new Error(`${records} records of ${count} were exported`);
console.log(JSON.stringify({ export_s: exported, import_s: imported, records }));
process.exit(0);
