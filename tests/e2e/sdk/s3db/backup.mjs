// SPDX-License-Identifier: MIT
// Backups of what s3db.js itself wrote, and files written by hand, through s3memctl: after an import
// into an empty bucket its own client must find everything again.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBackupPlugin } from 's3db.js';

const folder = mkdtempSync(join(tmpdir(), 's3db-backup-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

function s3memctl(...args) {
  const trust = process.env.NODE_EXTRA_CA_CERTS ? ['--cacert', process.env.NODE_EXTRA_CA_CERTS] : [];
  return execFileSync(process.env.S3MEMCTL, ['--endpoint', process.env.AWS_ENDPOINT_URL, ...trust, ...args],
    { encoding: 'utf8' });
}

const PEOPLE = {
  name: 'people',
  attributes: {
    id: 'string|optional', name: 'string|required', age: 'number', rate: 'number', active: 'boolean',
    tags: 'array|items:string', scores: 'array|items:number', city: 'string|optional', note: 'string|optional',
    profile: { bio: 'string|optional', level: 'number|optional' }, token: 'secret|optional',
  },
  partitions: { byCity: { fields: { city: 'string' } } },
  timestamps: true,
  asyncPartitions: false,
};
const BEHAVIORS = ['user-managed', 'body-overflow', 'body-only'];

const person = (i) => ({
  id: `p${i}`, name: `Näme ${i} 世界`, age: 20 + i, rate: i + 0.25, active: i % 2 === 0, tags: ['x', `y|${i}`],
  scores: [1, 2.5, -i], city: ['Rome', 'Oslo', 'Köln'][i % 3], note: 'n'.repeat(i === 4 ? 4000 : 3),
  profile: { bio: `bio ${i}`, level: i }, token: `s3cr3t ${i}`,
});

// What a record says, without what the client adds of the object it lies in: of that an update stores some
// (metadata.updatedAt), under a name that cannot be told from a field's.
const plain = (record) => Object.fromEntries(
  Object.entries(record).filter(([name]) => !/^[_$]|^metadata(_|$)/.test(name)).sort());

async function everything(db, name) {
  const resource = await db.getResource(name);
  const ids = (await resource.listIds()).sort();
  const records = [];
  for (const id of ids) records.push(plain(await resource.get(id)));
  const cities = {};
  for (const city of ['Rome', 'Oslo', 'Köln', 'Lima'])
    cities[city] = (await resource.listIds({ partition: 'byCity', partitionValues: { city } })).sort();
  return { ids, records, cities, count: await resource.count(), list: (await resource.list()).map(plain).length };
}

export async function backupSteps({ step, connect, createBucket, bucket }) {
  const source = `${bucket}-source`;
  const before = {};
  let db;

  await step('backup: records of three behaviors', async () => {
    await createBucket(source);
    db = await connect('app', source);
    for (const behavior of BEHAVIORS) {
      const resource = await db.createResource({ ...PEOPLE, name: behavior, behavior });
      for (let i = 0; i < 6; i++) await resource.insert(person(i));
      await resource.update('p1', { ...person(1), city: 'Oslo', age: 99 });
      await resource.delete('p5');
      before[behavior] = await everything(db, behavior);
      assert.equal(before[behavior].count, 5);
    }
  });

  await step('backup: export, import into an empty bucket: all is equal through the client', async () => {
    const path = join(folder, 'exact');
    s3memctl('export', path, '--bucket', source);
    const target = `${bucket}-exact`;
    s3memctl('import', path, '--bucket', target);
    const again = await connect('app', target);
    for (const behavior of BEHAVIORS) assert.deepEqual(await everything(again, behavior), before[behavior], behavior);
    await again.disconnect();
  });

  await step('backup: lines say what the client reads', async () => {
    const path = join(folder, 'plain');
    s3memctl('export', path, '--bucket', source, '--no-compress');
    for (const behavior of BEHAVIORS) {
      const lines = readFileSync(join(path, `${behavior}.jsonl`), 'utf8').trimEnd().split('\n').map((l) => JSON.parse(l));
      assert.deepEqual(lines.map((l) => l.id), before[behavior].ids);
      for (const [i, line] of lines.entries())
        for (const name of ['name', 'age', 'rate', 'active', 'tags', 'scores', 'city', 'note', 'profile', 'createdAt'])
          assert.deepEqual(line[name], before[behavior].records[i][name], `${behavior} ${line.id} ${name}`);
    }
  });

  await step('backup: edited lines, encoded anew, are read by the client', async () => {
    const path = join(folder, 'plain');
    for (const behavior of BEHAVIORS) {
      const file = join(path, `${behavior}.jsonl`);
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"Oslo"', '"Lima"'));
    }
    const target = `${bucket}-edited`;
    assert.match(s3memctl('import', path, '--bucket', target), /encoded anew/);
    const again = await connect('app', target);
    for (const behavior of BEHAVIORS) {
      const expected = JSON.parse(JSON.stringify(before[behavior]).replaceAll('"Oslo"', '"Lima"'));
      expected.cities = { ...before[behavior].cities, Lima: before[behavior].cities.Oslo, Oslo: [] };
      assert.deepEqual(await everything(again, behavior), expected, behavior);
    }
    await again.disconnect();
  });

  await step('backup: lines written by hand', async () => {
    const path = join(folder, 'hand');
    const target = `${bucket}-hand`;
    mkdirSync(path);
    writeFileSync(join(path, 's3db.json'), JSON.stringify({
      version: '1.0',
      resources: { users: { schema: {
        attributes: { name: 'string|required', email: 'string', age: 'number|optional' },
        partitions: { byEmail: { fields: { email: 'string' } } }, behavior: 'body-overflow', timestamps: false,
      } } },
    }));
    writeFileSync(join(path, 'users.jsonl'),
      '{"id":"u1","name":"Alice","email":"a@b.com","age":42}\n{"id":"u2","name":"Bob","email":"b@b.com"}\n');
    s3memctl('import', path, '--bucket', target, '--atomic');
    const again = await connect('', target);
    const users = await again.getResource('users');
    assert.deepEqual(plain(await users.get('u1')), { age: 42, email: 'a@b.com', id: 'u1', name: 'Alice' });
    assert.deepEqual(await users.listIds({ partition: 'byEmail', partitionValues: { email: 'b@b.com' } }), ['u2']);
    await users.insert({ id: 'u3', name: 'Carol', email: 'c@b.com', age: 1 });
    assert.equal(await users.count(), 3);
    // The same definition is the same version: what was imported and what it writes are one.
    const same = await again.createResource({
      name: 'users', attributes: { name: 'string|required', email: 'string', age: 'number|optional' },
      partitions: { byEmail: { fields: { email: 'string' } } }, behavior: 'body-overflow', timestamps: false,
    });
    assert.equal((await same.get('u2')).name, 'Bob');
    assert.equal(same.version, 'v1');
    await again.disconnect();
  });

  await step('backup: secrets, opened and closed by the passphrase', async () => {
    const path = join(folder, 'secrets');
    writeFileSync(join(folder, 'passphrase'), 'secret\n'); // s3db.js's own default
    s3memctl('export', path, '--bucket', source, '--no-compress', '--resources', 'user-managed',
      '--passphrase-file', join(folder, 'passphrase'));
    const file = join(path, 'user-managed.jsonl');
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n').map((l) => JSON.parse(l));
    assert.deepEqual(lines.map((l) => l.token), [0, 1, 2, 3, 4].map((i) => `s3cr3t ${i}`));
    writeFileSync(file, readFileSync(file, 'utf8').replace('s3cr3t 0', 'another'));
    const target = `${bucket}-secrets`;
    s3memctl('import', path, '--bucket', target, '--passphrase-file', join(folder, 'passphrase'));
    const again = await connect('app', target);
    assert.equal((await (await again.getResource('user-managed')).get('p0')).token, 'another');
    await again.disconnect();
  });

  await step('backup: BackupPlugin.restore takes the archive', async () => {
    const path = join(folder, 'archive');
    const target = `${bucket}-restored`;
    s3memctl('export', path, '--bucket', source, '--archive', '--resources', 'user-managed');
    const id = readdirSync(path).find((name) => name.endsWith('.backup')).replace('.backup', '');
    const { 'x-s3memd': { record } } = JSON.parse(readFileSync(join(path, `${id}.manifest.json`), 'utf8'));
    await createBucket(target);
    const again = await connect('app', target);
    const BackupPlugin = await loadBackupPlugin();
    const plugin = new BackupPlugin({ driver: 'filesystem', config: { path }, tempDir: join(folder, 'temporary') });
    await again.usePlugin(plugin);
    assert.equal(record.size, readFileSync(join(path, `${id}.backup`)).length);
    await (await again.getResource('plg_backup_metadata')).insert(
      { ...record, driverInfo: { path: join(path, `${id}.backup`) } });
    const { restored } = await plugin.restore(id);
    assert.deepEqual(restored.map((r) => [r.name, r.recordsRestored ?? r.imported ?? r.count]), [['user-managed', 5]]);
    const after = await everything(again, 'user-managed');
    assert.deepEqual(after.ids, before['user-managed'].ids);
    assert.deepEqual(after.cities, before['user-managed'].cities);
    for (const [i, record] of after.records.entries())
      for (const name of ['name', 'age', 'rate', 'active', 'tags', 'scores', 'city', 'note', 'profile'])
        assert.deepEqual(record[name], before['user-managed'].records[i][name], `${record.id} ${name}`);
    await again.disconnect();
  });

  await db?.disconnect();
}
