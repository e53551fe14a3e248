// SPDX-License-Identifier: MIT
// AWS SDK for JavaScript v3 against S3: the client's defaults, only endpoint, region and
// credentials come from the environment (AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ...).
// S3MEM_VHOST_URL: the same server by a name whose sub-domains resolve; S3MEM_VERIFIES=1: the
// server checks signatures.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import * as s3 from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { faults } from './faults.mjs';

const MiB = 1024 * 1024;
const run = `${process.pid}-${Date.now().toString(36)}`;
const Bucket = `sdk-js-${run}`;
const client = new s3.S3Client({});
const send = (Command, input = {}) => client.send(new Command({ Bucket, ...input }));
const bytesOf = async (reply) => Buffer.from(await reply.Body.transformToByteArray());
const textOf = (reply) => reply.Body.transformToString();
const md5 = (data) => createHash('md5').update(data).digest('hex');

const ODD_KEYS = [
  'with space.txt', 'plus+plus', 'percent%20literal', '100%', 'ünïcödé/日本語/😀.txt', 'a//b',
  '/leading', 'trailing/', 'q?x=1&y=2#frag', `quotes'"<>&amp;`, 'semi;colon:eq=at@$,', '~*()!',
  'back\\slash', 'dot/../segment',
];

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

// The error of a call that must fail, checked for its typed name and status.
async function refused(promise, name, status) {
  const error = await promise.then(() => assert.fail(`${name} expected, but it succeeded`),
    (e) => e);
  assert.equal(error.name, name, error.stack);
  assert.equal(error.$metadata?.httpStatusCode, status);
  return error;
}

async function listKeys(input) {
  const keys = [];
  for await (const page of s3.paginateListObjectsV2({ client, pageSize: 7 }, { Bucket, ...input }))
    keys.push(...(page.Contents ?? []).map((object) => object.Key));
  return keys;
}

// A stream that does not know its own length, as a pipe or a compressor would give.
function* pieces(data, size = 100_000) {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

await step('create, head, locate and list buckets', async () => {
  await send(s3.CreateBucketCommand);
  await send(s3.HeadBucketCommand);
  const { LocationConstraint } = await send(s3.GetBucketLocationCommand);
  assert.ok([undefined, null, '', 'us-east-1'].includes(LocationConstraint), LocationConstraint);
  const { Buckets } = await client.send(new s3.ListBucketsCommand({}));
  assert.ok(Buckets.some((bucket) => bucket.Name === Bucket && bucket.CreationDate instanceof Date));
});

await step('put, head, get and delete a small object', async () => {
  const put = await send(s3.PutObjectCommand, {
    Key: 'small', Body: 'hello', ContentType: 'text/plain', CacheControl: 'max-age=5',
    ContentDisposition: 'attachment; filename="x.txt"', ContentLanguage: 'de',
    Metadata: { Author: 'me', empty: '' },
  });
  assert.equal(put.ETag, `"${md5('hello')}"`);
  assert.equal(put.ChecksumCRC32, 'NhCmhg==');
  const head = await send(s3.HeadObjectCommand, { Key: 'small' });
  assert.equal(head.ContentLength, 5);
  assert.equal(head.ContentType, 'text/plain');
  assert.deepEqual(head.Metadata, { author: 'me', empty: '' });
  assert.ok(Math.abs(head.LastModified - Date.now()) < 60_000);
  const get = await send(s3.GetObjectCommand, { Key: 'small' });
  assert.equal(await textOf(get), 'hello');
  assert.equal(get.CacheControl, 'max-age=5');
  assert.equal(get.ContentDisposition, 'attachment; filename="x.txt"');
  assert.equal(get.ContentLanguage, 'de');
  assert.equal(get.ETag, put.ETag);
  await send(s3.DeleteObjectCommand, { Key: 'small' });
  await send(s3.DeleteObjectCommand, { Key: 'small' });
  await refused(send(s3.HeadObjectCommand, { Key: 'small' }), 'NotFound', 404);
});

await step('an object of no bytes', async () => {
  await send(s3.PutObjectCommand, { Key: 'empty', Body: '' });
  await send(s3.PutObjectCommand, { Key: 'empty/no-body' });
  for (const Key of ['empty', 'empty/no-body']) {
    const get = await send(s3.GetObjectCommand, { Key });
    assert.equal(get.ContentLength, 0);
    assert.equal((await bytesOf(get)).length, 0);
  }
});

const big = randomBytes(12 * MiB);

await step('12 MiB in one request', async () => {
  const put = await send(s3.PutObjectCommand, { Key: 'big', Body: big });
  assert.equal(put.ETag, `"${md5(big)}"`);
  assert.ok(big.equals(await bytesOf(await send(s3.GetObjectCommand, { Key: 'big' }))));
});

await step('a stream of known length (aws-chunked with a trailer)', async () => {
  const put = await send(s3.PutObjectCommand, {
    Key: 'streamed', Body: Readable.from(pieces(big)), ContentLength: big.length,
  });
  assert.equal(put.ETag, `"${md5(big)}"`);
  const get = await send(s3.GetObjectCommand, { Key: 'streamed' });
  assert.equal(get.ContentEncoding, undefined, 'aws-chunked must not be stored');
  assert.ok(big.equals(await bytesOf(get)));
});

await step('a stream of unknown length (lib-storage)', async () => {
  for (const [Key, size, parts] of [['up/small', MiB, 0], ['up/large', 12 * MiB, 3]]) {
    const data = big.subarray(0, size);
    const upload = new Upload({
      client, params: { Bucket, Key, Body: Readable.from(pieces(data)), Metadata: { from: 'pipe' } },
    });
    const done = await upload.done();
    assert.match(done.ETag, parts ? /^"[0-9a-f]{32}-3"$/ : /^"[0-9a-f]{32}"$/);
    const get = await send(s3.GetObjectCommand, { Key });
    assert.ok(data.equals(await bytesOf(get)));
    assert.equal(get.Metadata.from, 'pipe');
  }
});

await step('multipart by hand: create, parts, lists, copy of a part, complete', async () => {
  const Key = 'multi part';
  const { UploadId } = await send(s3.CreateMultipartUploadCommand, { Key, ContentType: 'a/b' });
  const first = await send(s3.UploadPartCommand,
    { Key, UploadId, PartNumber: 1, Body: big.subarray(0, 5 * MiB) });
  const copied = await send(s3.UploadPartCopyCommand, {
    Key, UploadId, PartNumber: 2, CopySource: `${Bucket}/big`,
    CopySourceRange: `bytes=0-${5 * MiB - 1}`,
  });
  const last = await send(s3.UploadPartCommand, { Key, UploadId, PartNumber: 7, Body: 'tail' });
  const { Parts } = await send(s3.ListPartsCommand, { Key, UploadId });
  assert.deepEqual(Parts.map((part) => [part.PartNumber, part.Size]),
    [[1, 5 * MiB], [2, 5 * MiB], [7, 4]]);
  const { Uploads } = await send(s3.ListMultipartUploadsCommand);
  assert.ok(Uploads.some((upload) => upload.UploadId === UploadId && upload.Key === Key));
  const done = await send(s3.CompleteMultipartUploadCommand, {
    Key, UploadId, MultipartUpload: { Parts: [
      { PartNumber: 1, ETag: first.ETag },
      { PartNumber: 2, ETag: copied.CopyPartResult.ETag },
      { PartNumber: 7, ETag: last.ETag },
    ] },
  });
  assert.match(done.ETag, /^"[0-9a-f]{32}-3"$/);
  const get = await send(s3.GetObjectCommand, { Key });
  assert.equal(get.ContentType, 'a/b');
  assert.ok(Buffer.concat([big.subarray(0, 5 * MiB), big.subarray(0, 5 * MiB), Buffer.from('tail')])
    .equals(await bytesOf(get)));
  const part = await send(s3.GetObjectCommand, { Key, PartNumber: 2 });
  assert.equal(part.PartsCount, 3);
  assert.ok(big.subarray(0, 5 * MiB).equals(await bytesOf(part)));
});

await step('multipart: abort, and the errors of complete', async () => {
  const Key = 'aborted';
  const { UploadId } = await send(s3.CreateMultipartUploadCommand, { Key });
  const one = await send(s3.UploadPartCommand, { Key, UploadId, PartNumber: 1, Body: 'x' });
  const two = await send(s3.UploadPartCommand, { Key, UploadId, PartNumber: 2, Body: 'y' });
  const complete = (Parts) => send(s3.CompleteMultipartUploadCommand,
    { Key, UploadId, MultipartUpload: { Parts } });
  const [a, b] = [{ PartNumber: 1, ETag: one.ETag }, { PartNumber: 2, ETag: two.ETag }];
  await refused(complete([a, b]), 'EntityTooSmall', 400);
  await refused(complete([b, a]), 'InvalidPartOrder', 400);
  await refused(complete([{ PartNumber: 3, ETag: one.ETag }]), 'InvalidPart', 400);
  await send(s3.AbortMultipartUploadCommand, { Key, UploadId });
  await refused(send(s3.ListPartsCommand, { Key, UploadId }), 'NoSuchUpload', 404);
});

await step('checksums: every algorithm, stored and checked', async () => {
  const expected = {
    CRC32: 'NhCmhg==', CRC32C: 'mnG7TA==', CRC64NVME: 'M3eFcAZSQlc=',
    SHA1: 'qvTGHdzF6KLavt4PO0gs2a6pQ00=', SHA256: 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=',
  };
  for (const [ChecksumAlgorithm, value] of Object.entries(expected)) {
    const Key = `sum/${ChecksumAlgorithm}`;
    const put = await send(s3.PutObjectCommand, { Key, Body: 'hello', ChecksumAlgorithm });
    assert.equal(put[`Checksum${ChecksumAlgorithm}`], value, ChecksumAlgorithm);
    const head = await send(s3.HeadObjectCommand, { Key, ChecksumMode: 'ENABLED' });
    assert.equal(head[`Checksum${ChecksumAlgorithm}`], value, ChecksumAlgorithm);
    assert.equal(await textOf(await send(s3.GetObjectCommand, { Key, ChecksumMode: 'ENABLED' })),
      'hello');
    const { Checksum, ObjectSize } = await send(s3.GetObjectAttributesCommand,
      { Key, ObjectAttributes: ['Checksum', 'ObjectSize'] });
    assert.equal(Checksum[`Checksum${ChecksumAlgorithm}`], value);
    assert.equal(ObjectSize, 5);
  }
  await refused(send(s3.PutObjectCommand, { Key: 'sum/bad', Body: 'hello', ChecksumCRC32: 'AAAAAA==' }),
    'BadDigest', 400);
  await refused(send(s3.HeadObjectCommand, { Key: 'sum/bad' }), 'NotFound', 404);
});

await step('ranges', async () => {
  const Key = 'range';
  await send(s3.PutObjectCommand, { Key, Body: '0123456789' });
  const get = (Range) => send(s3.GetObjectCommand, { Key, Range });
  const middle = await get('bytes=2-4');
  assert.equal(middle.ContentRange, 'bytes 2-4/10');
  assert.equal(await textOf(middle), '234');
  assert.equal(await textOf(await get('bytes=7-')), '789');
  assert.equal(await textOf(await get('bytes=-2')), '89');
  assert.equal(await textOf(await get('bytes=8-99')), '89');
  await refused(get('bytes=10-'), 'InvalidRange', 416);
});

await step('conditional requests', async () => {
  const Key = 'conditional';
  const { ETag } = await send(s3.PutObjectCommand, { Key, Body: '1', IfNoneMatch: '*' });
  await refused(send(s3.PutObjectCommand, { Key, Body: '2', IfNoneMatch: '*' }),
    'PreconditionFailed', 412);
  await refused(send(s3.PutObjectCommand, { Key, Body: '2', IfMatch: '"0"' }),
    'PreconditionFailed', 412);
  await send(s3.PutObjectCommand, { Key, Body: '1', IfMatch: ETag });
  await refused(send(s3.GetObjectCommand, { Key, IfMatch: '"0"' }), 'PreconditionFailed', 412);
  const unchanged = await send(s3.GetObjectCommand, { Key, IfNoneMatch: ETag }).catch((e) => e);
  assert.equal(unchanged.$metadata.httpStatusCode, 304);
});

await step('errors become the exceptions of the SDK', async () => {
  const nokey = await refused(send(s3.GetObjectCommand, { Key: 'absent' }), 'NoSuchKey', 404);
  assert.ok(nokey instanceof s3.NoSuchKey);
  assert.ok(nokey.$metadata.requestId && nokey.$metadata.extendedRequestId, 'request ids');
  const elsewhere = { Bucket: `${Bucket}-absent`, Key: 'x' };
  assert.ok(await refused(send(s3.GetObjectCommand, elsewhere), 'NoSuchBucket', 404)
    instanceof s3.S3ServiceException);
  await refused(send(s3.HeadBucketCommand, elsewhere), 'NotFound', 404);
  await refused(send(s3.DeleteBucketCommand), 'BucketNotEmpty', 409);
  if (process.env.S3MEM_VERIFIES === '1') {
    const { accessKeyId } = await client.config.credentials();
    const wrong = new s3.S3Client({ credentials: { accessKeyId, secretAccessKey: 'wrong' } });
    await refused(wrong.send(new s3.PutObjectCommand({ Bucket, Key: 'x', Body: 'x' })),
      'SignatureDoesNotMatch', 403);
    const stranger = new s3.S3Client({ credentials: { accessKeyId: 'NOBODY', secretAccessKey: 'x' } });
    await refused(stranger.send(new s3.ListObjectsV2Command({ Bucket })), 'InvalidAccessKeyId', 403);
  }
});

await step('odd keys', async () => {
  for (const Key of ODD_KEYS) {
    const data = `content of ${Key}`;
    await send(s3.PutObjectCommand, { Key: `odd/${Key}`, Body: data });
    assert.equal(await textOf(await send(s3.GetObjectCommand, { Key: `odd/${Key}` })), data, Key);
    await send(s3.CopyObjectCommand, {
      Key: `odd-copy/${Key}`, CopySource: `${Bucket}/${encodeURIComponent(`odd/${Key}`)}`,
    });
    assert.equal(await textOf(await send(s3.GetObjectCommand, { Key: `odd-copy/${Key}` })), data, Key);
  }
  assert.deepEqual(await listKeys({ Prefix: 'odd/' }), ODD_KEYS.map((key) => `odd/${key}`)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  for (const key of ODD_KEYS) await send(s3.DeleteObjectCommand, { Key: `odd/${key}` });
  assert.deepEqual(await listKeys({ Prefix: 'odd/' }), []);
  const { Deleted, Errors } = await send(s3.DeleteObjectsCommand,
    { Delete: { Objects: ODD_KEYS.map((key) => ({ Key: `odd-copy/${key}` })) } });
  assert.equal(Errors, undefined);
  assert.deepEqual(new Set(Deleted.map(({ Key }) => Key)),
    new Set(ODD_KEYS.map((key) => `odd-copy/${key}`)));
  assert.deepEqual(await listKeys({ Prefix: 'odd-copy/' }), []);
});

await step('list: pages, delimiter, start-after, max-keys', async () => {
  const keys = Array.from({ length: 25 }, (_, i) => `list/${String.fromCharCode(97 + i % 5)}/${10 + i}`);
  await Promise.all(keys.map((Key) => send(s3.PutObjectCommand, { Key, Body: 'x' })));
  assert.deepEqual(await listKeys({ Prefix: 'list/' }), [...keys].sort());
  const folders = await send(s3.ListObjectsV2Command, { Prefix: 'list/', Delimiter: '/' });
  assert.deepEqual(folders.CommonPrefixes.map(({ Prefix }) => Prefix),
    ['list/a/', 'list/b/', 'list/c/', 'list/d/', 'list/e/']);
  assert.equal(folders.Contents, undefined);
  assert.equal(folders.KeyCount, 5);
  const page = await send(s3.ListObjectsV2Command,
    { Prefix: 'list/', StartAfter: 'list/d/28', MaxKeys: 2 });
  assert.deepEqual(page.Contents.map(({ Key }) => Key), ['list/d/33', 'list/e/14']);
  assert.equal(page.IsTruncated, true);
  assert.equal(page.Contents[0].Size, 1);
  assert.equal(page.Contents[0].StorageClass, 'STANDARD');
  const v1 = await send(s3.ListObjectsCommand, { Prefix: 'list/', Delimiter: '/', MaxKeys: 2 });
  assert.equal(v1.NextMarker, 'list/b/');
});

await step('copy: metadata kept and replaced', async () => {
  await send(s3.PutObjectCommand,
    { Key: 'from', Body: 'data', ContentType: 'text/css', Metadata: { a: '1' } });
  const CopySource = `/${Bucket}/from`;
  const copy = await send(s3.CopyObjectCommand, { Key: 'to', CopySource });
  assert.equal(copy.CopyObjectResult.ETag, `"${md5('data')}"`);
  assert.deepEqual((await send(s3.HeadObjectCommand, { Key: 'to' })).Metadata, { a: '1' });
  await send(s3.CopyObjectCommand, {
    Key: 'to', CopySource, MetadataDirective: 'REPLACE', ContentType: 'x/y', Metadata: { b: '2' },
  });
  const head = await send(s3.HeadObjectCommand, { Key: 'to' });
  assert.deepEqual([head.Metadata, head.ContentType], [{ b: '2' }, 'x/y']);
  await refused(send(s3.CopyObjectCommand, { Key: 'from', CopySource }), 'InvalidRequest', 400);
  await refused(send(s3.CopyObjectCommand, { Key: 'to', CopySource: `${Bucket}/absent` }),
    'NoSuchKey', 404);
});

await step('tags of objects and buckets', async () => {
  const TagSet = [{ Key: 'team', Value: 'a b+c' }, { Key: 'ünï', Value: '' }];
  await send(s3.PutObjectCommand, { Key: 'tagged', Body: 'x', Tagging: 'one=1&two=a%20b' });
  assert.equal((await send(s3.GetObjectCommand, { Key: 'tagged' })).TagCount, 2);
  await send(s3.PutObjectTaggingCommand, { Key: 'tagged', Tagging: { TagSet } });
  assert.deepEqual((await send(s3.GetObjectTaggingCommand, { Key: 'tagged' })).TagSet, TagSet);
  await send(s3.DeleteObjectTaggingCommand, { Key: 'tagged' });
  assert.deepEqual((await send(s3.GetObjectTaggingCommand, { Key: 'tagged' })).TagSet, []);
  await send(s3.PutBucketTaggingCommand, { Tagging: { TagSet } });
  assert.deepEqual((await send(s3.GetBucketTaggingCommand)).TagSet, TagSet);
  await send(s3.DeleteBucketTaggingCommand);
  await refused(send(s3.GetBucketTaggingCommand), 'NoSuchTagSet', 404);
});

await step('presigned URLs', async () => {
  const Key = 'pre signed/ü+.txt';
  const put = await getSignedUrl(client, new s3.PutObjectCommand(
    { Bucket, Key, ContentType: 'text/plain', Metadata: { by: 'url' } }), { expiresIn: 3600 });
  const stored = await fetch(put, { method: 'PUT', body: 'by url', headers: { 'content-type': 'text/plain' } });
  assert.equal(stored.status, 200, await stored.text());
  const get = await getSignedUrl(client, new s3.GetObjectCommand(
    { Bucket, Key, ResponseContentType: 'x/y' }), { expiresIn: 3600 });
  const reply = await fetch(get);
  assert.equal(await reply.text(), 'by url');
  assert.equal(reply.headers.get('content-type'), 'x/y');
  assert.equal(reply.headers.get('x-amz-meta-by'), 'url');
  if (process.env.S3MEM_VERIFIES === '1') {
    const forged = await fetch(get.replace(/X-Amz-Signature=./, 'X-Amz-Signature=g'));
    assert.equal(forged.status, 403);
    assert.equal((await fetch(put, { method: 'DELETE' })).status, 403);
  }
});

await step('versions', async () => {
  const versioned = `${Bucket}-v`;
  const at = { Bucket: versioned, Key: 'v' };
  await send(s3.CreateBucketCommand, { Bucket: versioned });
  await send(s3.PutObjectCommand, { ...at, Body: 'null version' });
  await send(s3.PutBucketVersioningCommand,
    { Bucket: versioned, VersioningConfiguration: { Status: 'Enabled' } });
  assert.equal((await send(s3.GetBucketVersioningCommand, at)).Status, 'Enabled');
  const one = await send(s3.PutObjectCommand, { ...at, Body: 'one' });
  const two = await send(s3.PutObjectCommand, { ...at, Body: 'two' });
  assert.notEqual(one.VersionId, two.VersionId);
  assert.equal(await textOf(await send(s3.GetObjectCommand, { ...at, VersionId: one.VersionId })), 'one');
  assert.equal(await textOf(await send(s3.GetObjectCommand, { ...at, VersionId: 'null' })), 'null version');
  const marker = await send(s3.DeleteObjectCommand, at);
  assert.equal(marker.DeleteMarker, true);
  await refused(send(s3.GetObjectCommand, at), 'NoSuchKey', 404);
  await refused(send(s3.GetObjectCommand, { ...at, VersionId: marker.VersionId }), 'MethodNotAllowed', 405);
  const list = await send(s3.ListObjectVersionsCommand, { Bucket: versioned });
  assert.deepEqual(list.Versions.map(({ VersionId }) => VersionId), [two.VersionId, one.VersionId, 'null']);
  assert.deepEqual(list.DeleteMarkers.map(({ VersionId, IsLatest }) => [VersionId, IsLatest]),
    [[marker.VersionId, true]]);
  await send(s3.DeleteObjectCommand, { ...at, VersionId: marker.VersionId });
  assert.equal(await textOf(await send(s3.GetObjectCommand, at)), 'two');
  await send(s3.CopyObjectCommand,
    { ...at, Key: 'back', CopySource: `${versioned}/v?versionId=${one.VersionId}` });
  assert.equal(await textOf(await send(s3.GetObjectCommand, { ...at, Key: 'back' })), 'one');
  const all = await send(s3.ListObjectVersionsCommand, { Bucket: versioned });
  await send(s3.DeleteObjectsCommand, { Bucket: versioned, Delete: { Quiet: true,
    Objects: all.Versions.map(({ Key, VersionId }) => ({ Key, VersionId })) } });
  await send(s3.DeleteBucketCommand, { Bucket: versioned });
});

await step('waiters', async () => {
  await s3.waitUntilObjectExists({ client, maxWaitTime: 20 }, { Bucket, Key: 'big' });
  await s3.waitUntilBucketNotExists({ client, maxWaitTime: 20 }, { Bucket: `${Bucket}-absent` });
});

if (process.env.S3MEM_VHOST_URL)
  await step('virtual-host style', async () => {
    const vhost = new s3.S3Client({ endpoint: process.env.S3MEM_VHOST_URL });
    const at = { Bucket: `${Bucket}-host`, Key: 'odd/ü +%' };
    await vhost.send(new s3.CreateBucketCommand(at));
    await vhost.send(new s3.PutObjectCommand({ ...at, Body: 'by host name' }));
    assert.equal(await textOf(await vhost.send(new s3.GetObjectCommand(at))), 'by host name');
    assert.equal(await textOf(await send(s3.GetObjectCommand, at)), 'by host name');
    const url = await getSignedUrl(vhost, new s3.GetObjectCommand(at));
    assert.match(new URL(url).host, /^sdk-js-/);
    assert.equal(await (await fetch(url)).text(), 'by host name');
    await vhost.send(new s3.DeleteObjectCommand(at));
    await vhost.send(new s3.DeleteBucketCommand(at));
  });

// Only s3memd has faults to inject.
if (process.env.S3MEMCTL) await faults(step, `${Bucket}-faults`);

await step('empty and delete the bucket', async () => {
  for (let keys; (keys = await listKeys({})).length;)
    await send(s3.DeleteObjectsCommand,
      { Delete: { Objects: keys.slice(0, 1000).map((Key) => ({ Key })), Quiet: true } });
  await send(s3.DeleteBucketCommand);
  await refused(send(s3.HeadBucketCommand), 'NotFound', 404);
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
