// SPDX-License-Identifier: MIT

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.async.AsyncResponseTransformer;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.*;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;
import software.amazon.awssdk.transfer.s3.S3TransferManager;

/**
 * AWS SDK for Java v2 against S3: the clients' defaults (Apache for the blocking one, Netty for the
 * other); endpoint, region and credentials come from the environment (AWS_ENDPOINT_URL,
 * AWS_REGION, AWS_ACCESS_KEY_ID, ...). S3MEM_VHOST_URL: the same server by a name whose
 * sub-domains resolve; S3MEM_VERIFIES=1: it checks signatures.
 */
public final class Suite {
    private static final int MIB = 1 << 20;
    private static final List<String> ODD_KEYS = List.of(
        "with space.txt", "plus+plus", "percent%20literal", "100%", "ünïcödé/日本語/😀.txt", "a//b",
        "/leading", "trailing/", "q?x=1&y=2#frag", "quotes'\"<>&amp;", "semi;colon:eq=at@$,", "~*()!",
        "back\\slash", "dot/../segment");

    private static final String bucket =
        "sdk-java-" + ProcessHandle.current().pid() + "-" + System.currentTimeMillis();
    private static final S3Client s3 = S3Client.create();
    private static final S3AsyncClient async = S3AsyncClient.create();
    private static final byte[] big = new byte[12 * MIB];

    private static PutObjectResponse put(String key, RequestBody body) {
        return s3.putObject(r -> r.bucket(bucket).key(key), body);
    }

    private static byte[] get(String key) {
        return s3.getObjectAsBytes(r -> r.bucket(bucket).key(key)).asByteArray();
    }

    private static String getText(Consumer<GetObjectRequest.Builder> how) {
        return s3.getObjectAsBytes(how).asUtf8String();
    }

    private static HeadObjectResponse head(String key) {
        return s3.headObject(r -> r.bucket(bucket).key(key));
    }

    private static String etag(byte[] data) throws Exception {
        return '"' + HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(data)) + '"';
    }

    private static List<String> listKeys(String prefix) {
        return s3.listObjectsV2Paginator(r -> r.bucket(bucket).prefix(prefix).maxKeys(7)).contents()
            .stream().map(S3Object::key).toList();
    }

    /** In the order of their UTF-8 bytes, which is S3's. */
    private static List<String> prefixed(String prefix, List<String> keys) {
        return keys.stream().map(key -> prefix + key)
            .sorted((a, b) -> Arrays.compareUnsigned(a.getBytes(UTF_8), b.getBytes(UTF_8))).toList();
    }

    private static Delete deletion(List<String> keys) {
        return Delete.builder().objects(keys.stream()
            .map(key -> ObjectIdentifier.builder().key(key).build()).toList()).build();
    }

    public static void main(String[] args) {
        new Random().nextBytes(big);
        Check.step("create, head, locate and list buckets", Suite::buckets);
        Check.step("put, head, get and delete a small object", Suite::smallObject);
        Check.step("an object of no bytes", Suite::noBytes);
        Check.step("12 MiB in one request, from memory and from a stream", Suite::largeObject);
        Check.step("a stream of unknown length (asynchronous client)", Suite::unknownLength);
        Check.step("transfer manager: multipart upload of a file, download", Suite::transferManager);
        Check.step("multipart by hand: create, parts, lists, copy of a part, complete", Suite::multipart);
        Check.step("multipart: abort, and the errors of complete", Suite::multipartErrors);
        Check.step("checksums: every algorithm, stored and checked", Suite::checksums);
        Check.step("ranges", Suite::ranges);
        Check.step("conditional requests", Suite::conditional);
        Check.step("errors become the exceptions of the SDK", Suite::typedErrors);
        Check.step("odd keys", Suite::oddKeys);
        Check.step("list: pages, delimiter, start-after, max-keys", Suite::listing);
        Check.step("copy: metadata kept and replaced", Suite::copies);
        Check.step("tags of objects and buckets", Suite::tags);
        Check.step("presigned URLs", Suite::presigned);
        Check.step("versions", Suite::versions);
        Check.step("waiters", Suite::waiters);
        if (!env("S3MEM_VHOST_URL").isEmpty())
            Check.step("virtual-host style", Suite::virtualHost);
        if (!env("S3MEMCTL").isEmpty()) // only s3memd has faults to inject
            Faults.run(bucket + "-faults");
        Check.step("empty and delete the bucket", Suite::cleanUp);
        Check.finish();
    }

    private static String env(String name) {
        return System.getenv().getOrDefault(name, "");
    }

    private static void buckets() {
        s3.createBucket(r -> r.bucket(bucket));
        s3.headBucket(r -> r.bucket(bucket));
        String where = s3.getBucketLocation(r -> r.bucket(bucket)).locationConstraintAsString();
        Check.check(where == null || where.isEmpty() || where.equals("us-east-1"), "location " + where);
        Check.check(s3.listBuckets().buckets().stream()
            .anyMatch(b -> b.name().equals(bucket) && b.creationDate() != null), "the bucket is listed");
    }

    private static void smallObject() throws Exception {
        PutObjectResponse stored = s3.putObject(r -> r.bucket(bucket).key("small")
            .contentType("text/plain").cacheControl("max-age=5").contentLanguage("de")
            .contentDisposition("attachment; filename=\"x.txt\"")
            .metadata(Map.of("Author", "me", "empty", "")), RequestBody.fromString("hello"));
        Check.same(stored.eTag(), etag("hello".getBytes()), "ETag");
        Check.same(stored.checksumCRC32(), "NhCmhg==", "CRC32");
        HeadObjectResponse meta = head("small");
        Check.same(meta.contentLength(), 5L, "length");
        Check.same(meta.contentType(), "text/plain", "content type");
        Check.same(meta.metadata(), Map.of("author", "me", "empty", ""), "metadata");
        Check.check(Duration.between(meta.lastModified(), Instant.now()).abs().toMinutes() < 10, "now");
        try (var reply = s3.getObject(r -> r.bucket(bucket).key("small"))) {
            Check.same(new String(reply.readAllBytes()), "hello", "body");
            Check.same(reply.response().cacheControl(), "max-age=5", "Cache-Control");
            Check.same(reply.response().contentLanguage(), "de", "Content-Language");
            Check.same(reply.response().contentDisposition(), "attachment; filename=\"x.txt\"",
                "Content-Disposition");
        }
        s3.deleteObject(r -> r.bucket(bucket).key("small"));
        s3.deleteObject(r -> r.bucket(bucket).key("small"));
        Check.refused(() -> head("small"), NoSuchKeyException.class, null, 404);
    }

    private static void noBytes() {
        put("empty", RequestBody.empty());
        put("empty/string", RequestBody.fromString(""));
        async.putObject(r -> r.bucket(bucket).key("empty/async"), AsyncRequestBody.empty()).join();
        for (String key : List.of("empty", "empty/string", "empty/async"))
            Check.same(get(key).length, 0, key);
    }

    private static void largeObject() throws Exception {
        Check.same(put("big", RequestBody.fromBytes(big)).eTag(), etag(big), "ETag");
        Check.same(get("big"), big, "big");
        InputStream stream = new ByteArrayInputStream(big);
        s3.putObject(r -> r.bucket(bucket).key("streamed").contentEncoding("br"),
            RequestBody.fromInputStream(stream, big.length));
        Check.same(get("streamed"), big, "streamed");
        Check.same(head("streamed").contentEncoding(), "br", "Content-Encoding");
        async.putObject(r -> r.bucket(bucket).key("async"), AsyncRequestBody.fromBytes(big)).join();
        Check.same(async.getObject(r -> r.bucket(bucket).key("async"),
            AsyncResponseTransformer.toBytes()).join().asByteArray(), big, "async");
    }

    private static void unknownLength() {
        ExecutorService threads = Executors.newSingleThreadExecutor();
        try (S3AsyncClient parts = S3AsyncClient.builder().multipartEnabled(true).build()) {
            for (int size : new int[] {MIB, big.length}) {
                byte[] data = Arrays.copyOf(big, size);
                parts.putObject(r -> r.bucket(bucket).key("up/stream").metadata(Map.of("from", "pipe")),
                    AsyncRequestBody.fromInputStream(b -> b.inputStream(new ByteArrayInputStream(data))
                        .contentLength(null).executor(threads))).join();
                Check.same(get("up/stream"), data, "up/stream");
                Check.same(head("up/stream").metadata(), Map.of("from", "pipe"), "metadata");
            }
        } finally {
            threads.shutdown();
        }
    }

    private static void transferManager() throws Exception {
        Path file = Files.createTempFile("suite", ".bin");
        Path back = Files.createTempFile("suite", ".back");
        try (S3AsyncClient parts = S3AsyncClient.builder().multipartEnabled(true).build();
             S3TransferManager manager = S3TransferManager.builder().s3Client(parts).build()) {
            Files.write(file, big);
            String tag = manager.uploadFile(u -> u.source(file)
                .putObjectRequest(r -> r.bucket(bucket).key("managed"))).completionFuture().join()
                .response().eTag();
            Check.check(tag.endsWith("-2\""), "12 MiB in two parts of 8: " + tag);
            manager.downloadFile(d -> d.destination(back)
                .getObjectRequest(r -> r.bucket(bucket).key("managed"))).completionFuture().join();
            Check.same(Files.readAllBytes(back), big, "downloaded file");
            manager.copy(c -> c.copyObjectRequest(r -> r.sourceBucket(bucket).sourceKey("managed")
                .destinationBucket(bucket).destinationKey("managed copy"))).completionFuture().join();
            Check.same(get("managed copy"), big, "copy");
        } finally {
            Files.delete(file);
            Files.delete(back);
        }
    }

    private static CompletedPart part(String key, String id, int number, byte[] data) {
        UploadPartResponse done = s3.uploadPart(r -> r.bucket(bucket).key(key).uploadId(id)
            .partNumber(number), RequestBody.fromBytes(data));
        return CompletedPart.builder().partNumber(number).eTag(done.eTag()).build();
    }

    private static CompleteMultipartUploadResponse complete(String key, String id, CompletedPart... parts) {
        return s3.completeMultipartUpload(r -> r.bucket(bucket).key(key).uploadId(id)
            .multipartUpload(m -> m.parts(parts)));
    }

    private static void multipart() {
        String key = "multi part";
        String id = s3.createMultipartUpload(r -> r.bucket(bucket).key(key).contentType("a/b")).uploadId();
        byte[] five = Arrays.copyOf(big, 5 * MIB);
        CompletedPart first = part(key, id, 1, five);
        CopyPartResult copy = s3.uploadPartCopy(r -> r.sourceBucket(bucket).sourceKey("big")
            .copySourceRange("bytes=0-" + (5 * MIB - 1)).destinationBucket(bucket).destinationKey(key)
            .uploadId(id).partNumber(2)).copyPartResult();
        CompletedPart second = CompletedPart.builder().partNumber(2).eTag(copy.eTag()).build();
        CompletedPart last = part(key, id, 7, "tail".getBytes());
        List<Long> sizes = new ArrayList<>();
        s3.listPartsPaginator(r -> r.bucket(bucket).key(key).uploadId(id).maxParts(2)).parts()
            .forEach(p -> sizes.addAll(List.of((long) p.partNumber(), p.size())));
        Check.same(sizes, List.of(1L, 5L * MIB, 2L, 5L * MIB, 7L, 4L), "numbers and sizes of the parts");
        Check.check(s3.listMultipartUploads(r -> r.bucket(bucket)).uploads().stream()
            .anyMatch(u -> u.uploadId().equals(id) && u.key().equals(key)), "the upload is listed");
        Check.check(complete(key, id, first, second, last).eTag().endsWith("-3\""), "ETag ends in -3");
        byte[] want = Arrays.copyOf(five, 10 * MIB + 4);
        System.arraycopy(five, 0, want, 5 * MIB, 5 * MIB);
        System.arraycopy("tail".getBytes(), 0, want, 10 * MIB, 4);
        Check.same(get(key), want, key);
        var middle = s3.getObjectAsBytes(r -> r.bucket(bucket).key(key).partNumber(2));
        Check.same(middle.asByteArray(), five, "part 2");
        Check.same(middle.response().partsCount(), 3, "parts count");
    }

    private static void multipartErrors() throws Exception {
        String key = "aborted";
        String id = s3.createMultipartUpload(r -> r.bucket(bucket).key(key)).uploadId();
        CompletedPart one = part(key, id, 1, new byte[1]);
        CompletedPart two = part(key, id, 2, new byte[1]);
        Check.refused(() -> complete(key, id, one, two), S3Exception.class, "EntityTooSmall", 400);
        Check.refused(() -> complete(key, id, two, one), S3Exception.class, "InvalidPartOrder", 400);
        Check.refused(() -> complete(key, id, one.toBuilder().partNumber(3).build()),
            S3Exception.class, "InvalidPart", 400);
        s3.abortMultipartUpload(r -> r.bucket(bucket).key(key).uploadId(id));
        Check.refused(() -> s3.listParts(r -> r.bucket(bucket).key(key).uploadId(id)),
            NoSuchUploadException.class, "NoSuchUpload", 404);
    }

    private static void checksums() throws Exception {
        Map<ChecksumAlgorithm, String> sums = Map.of(
            ChecksumAlgorithm.CRC32, "NhCmhg==",
            ChecksumAlgorithm.CRC32_C, "mnG7TA==",
            ChecksumAlgorithm.CRC64_NVME, "M3eFcAZSQlc=",
            ChecksumAlgorithm.SHA1, "qvTGHdzF6KLavt4PO0gs2a6pQ00=",
            ChecksumAlgorithm.SHA256, "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
        for (var sum : sums.entrySet()) {
            String key = "sum/" + sum.getKey();
            // CRC64NVME needs the native CRT library to compute: its value is given instead.
            s3.putObject(r -> {
                r.bucket(bucket).key(key);
                if (sum.getKey() == ChecksumAlgorithm.CRC64_NVME)
                    r.checksumCRC64NVME(sum.getValue());
                else
                    r.checksumAlgorithm(sum.getKey());
            }, RequestBody.fromString("hello"));
            Checksum got = s3.getObjectAttributes(r -> r.bucket(bucket).key(key)
                .objectAttributes(ObjectAttributes.CHECKSUM)).checksum();
            String value = got.getValueForField("Checksum" + sum.getKey(), String.class).orElse(null);
            Check.same(value, sum.getValue(), key);
            Check.same(new String(get(key)), "hello", key);
        }
        Check.refused(() -> s3.putObject(r -> r.bucket(bucket).key("sum/bad").checksumCRC32("AAAAAA=="),
            RequestBody.fromString("hello")), S3Exception.class, "BadDigest", 400);
        Check.refused(() -> head("sum/bad"), NoSuchKeyException.class, null, 404);
    }

    private static void ranges() throws Exception {
        put("range", RequestBody.fromString("0123456789"));
        Map.of("bytes=2-4", "234", "bytes=7-", "789", "bytes=-2", "89", "bytes=8-99", "89").forEach(
            (range, want) -> Check.same(getText(r -> r.bucket(bucket).key("range").range(range)), want, range));
        Check.refused(() -> getText(r -> r.bucket(bucket).key("range").range("bytes=10-")),
            S3Exception.class, "InvalidRange", 416);
    }

    private static void conditional() throws Exception {
        String key = "conditional";
        RequestBody body = RequestBody.fromString("1");
        String tag = s3.putObject(r -> r.bucket(bucket).key(key).ifNoneMatch("*"), body).eTag();
        Check.refused(() -> s3.putObject(r -> r.bucket(bucket).key(key).ifNoneMatch("*"), body),
            S3Exception.class, "PreconditionFailed", 412);
        Check.refused(() -> s3.putObject(r -> r.bucket(bucket).key(key).ifMatch("\"0\""), body),
            S3Exception.class, "PreconditionFailed", 412);
        s3.putObject(r -> r.bucket(bucket).key(key).ifMatch(tag), body);
        Check.refused(() -> getText(r -> r.bucket(bucket).key(key).ifMatch("\"0\"")),
            S3Exception.class, "PreconditionFailed", 412);
        Check.refused(() -> getText(r -> r.bucket(bucket).key(key).ifNoneMatch(tag)),
            S3Exception.class, null, 304);
    }

    private static void typedErrors() throws Exception {
        NoSuchKeyException noKey = Check.refused(() -> get("absent"), NoSuchKeyException.class,
            "NoSuchKey", 404);
        Check.check(noKey.requestId() != null && noKey.extendedRequestId() != null, "request ids");
        String absent = bucket + "-absent";
        Check.refused(() -> getText(r -> r.bucket(absent).key("x")), NoSuchBucketException.class,
            "NoSuchBucket", 404);
        Check.refused(() -> s3.headBucket(r -> r.bucket(absent)), NoSuchBucketException.class, null, 404);
        Check.refused(() -> s3.deleteBucket(r -> r.bucket(bucket)), S3Exception.class,
            "BucketNotEmpty", 409);
        if (!env("S3MEM_VERIFIES").equals("1"))
            return;
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put(env("AWS_ACCESS_KEY_ID"), "SignatureDoesNotMatch");
        codes.put("NOBODY", "InvalidAccessKeyId");
        for (var code : codes.entrySet())
            try (S3Client thief = S3Client.builder().credentialsProvider(StaticCredentialsProvider.create(
                    AwsBasicCredentials.create(code.getKey(), "wrong"))).build()) {
                Check.refused(() -> thief.listObjectsV2(r -> r.bucket(bucket)), S3Exception.class,
                    code.getValue(), 403);
            }
    }

    private static void oddKeys() {
        for (String key : ODD_KEYS) {
            put("odd/" + key, RequestBody.fromString("content of " + key));
            Check.same(new String(get("odd/" + key), UTF_8), "content of " + key, key);
            s3.copyObject(r -> r.sourceBucket(bucket).sourceKey("odd/" + key)
                .destinationBucket(bucket).destinationKey("odd-copy/" + key));
            Check.same(new String(get("odd-copy/" + key), UTF_8), "content of " + key, "copy of " + key);
        }
        Check.same(listKeys("odd/"), prefixed("odd/", ODD_KEYS), "odd keys");
        ODD_KEYS.forEach(key -> s3.deleteObject(r -> r.bucket(bucket).key("odd/" + key)));
        Check.same(listKeys("odd/"), List.of(), "keys left by DeleteObject");
        DeleteObjectsResponse gone = s3.deleteObjects(r -> r.bucket(bucket)
            .delete(deletion(prefixed("odd-copy/", ODD_KEYS))));
        Check.same(gone.errors(), List.of(), "errors of DeleteObjects");
        Check.same(gone.deleted().stream().map(DeletedObject::key).collect(Collectors.toSet()),
            new TreeSet<>(prefixed("odd-copy/", ODD_KEYS)), "deleted");
        Check.same(listKeys("odd-copy/"), List.of(), "keys left by DeleteObjects");
    }

    private static void listing() {
        List<String> keys = IntStream.range(0, 25)
            .mapToObj(i -> (char) ('a' + i % 5) + "/" + (10 + i)).toList();
        keys.forEach(key -> put("list/" + key, RequestBody.fromString("x")));
        Check.same(listKeys("list/"), prefixed("list/", keys), "all pages");
        ListObjectsV2Response folders = s3.listObjectsV2(
            r -> r.bucket(bucket).prefix("list/").delimiter("/"));
        Check.same(folders.commonPrefixes().stream().map(CommonPrefix::prefix).toList(),
            List.of("list/a/", "list/b/", "list/c/", "list/d/", "list/e/"), "common prefixes");
        Check.same(folders.keyCount(), 5, "KeyCount");
        ListObjectsV2Response page = s3.listObjectsV2(
            r -> r.bucket(bucket).prefix("list/").startAfter("list/d/28").maxKeys(2));
        Check.same(page.contents().stream().map(S3Object::key).toList(),
            List.of("list/d/33", "list/e/14"), "page");
        Check.check(page.isTruncated(), "truncated");
    }

    private static void copies() throws Exception {
        s3.putObject(r -> r.bucket(bucket).key("from").metadata(Map.of("a", "1")),
            RequestBody.fromString("data"));
        CopyObjectResponse done = s3.copyObject(r -> r.sourceBucket(bucket).sourceKey("from")
            .destinationBucket(bucket).destinationKey("to"));
        Check.same(done.copyObjectResult().eTag(), etag("data".getBytes()), "ETag");
        Check.same(head("to").metadata(), Map.of("a", "1"), "metadata");
        s3.copyObject(r -> r.sourceBucket(bucket).sourceKey("from").destinationBucket(bucket)
            .destinationKey("to").metadataDirective(MetadataDirective.REPLACE).metadata(Map.of("b", "2")));
        Check.same(head("to").metadata(), Map.of("b", "2"), "metadata");
        Check.refused(() -> s3.copyObject(r -> r.sourceBucket(bucket).sourceKey("from")
            .destinationBucket(bucket).destinationKey("from")), S3Exception.class, "InvalidRequest", 400);
    }

    private static void tags() throws Exception {
        List<Tag> set = List.of(Tag.builder().key("team").value("a b+c").build(),
            Tag.builder().key("ünï").value("").build());
        s3.putObject(r -> r.bucket(bucket).key("tagged").tagging("one=1&two=a%20b"), RequestBody.fromString("x"));
        try (var reply = s3.getObject(r -> r.bucket(bucket).key("tagged"))) {
            Check.same(reply.response().tagCount(), 2, "tag count");
        }
        s3.putObjectTagging(r -> r.bucket(bucket).key("tagged").tagging(t -> t.tagSet(set)));
        Check.same(s3.getObjectTagging(r -> r.bucket(bucket).key("tagged")).tagSet(), set, "object tags");
        s3.putBucketTagging(r -> r.bucket(bucket).tagging(t -> t.tagSet(set)));
        Check.same(s3.getBucketTagging(r -> r.bucket(bucket)).tagSet(), set, "bucket tags");
        s3.deleteBucketTagging(r -> r.bucket(bucket));
        Check.refused(() -> s3.getBucketTagging(r -> r.bucket(bucket)), S3Exception.class,
            "NoSuchTagSet", 404);
    }

    private static HttpResponse<String> fetch(SdkHttpRequest signed, SdkHttpMethod method, String body)
            throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(signed.getUri()).method(method.name(),
            body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body));
        signed.headers().forEach((name, values) -> {
            if (!name.equalsIgnoreCase("host"))
                values.forEach(value -> request.header(name, value));
        });
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private static void presigned() throws Exception {
        String key = "pre signed/ü+.txt";
        // Unlike the clients, the presigner takes no endpoint from the environment.
        try (S3Presigner signer = S3Presigner.builder().endpointOverride(URI.create(env("AWS_ENDPOINT_URL")))
                .build()) {
            var up = signer.presignPutObject(p -> p.signatureDuration(Duration.ofHours(1))
                .putObjectRequest(r -> r.bucket(bucket).key(key).contentType("text/plain")
                    .metadata(Map.of("by", "url"))));
            var stored = fetch(up.httpRequest(), SdkHttpMethod.PUT, "by url");
            Check.same(stored.statusCode(), 200, stored.body());
            var down = signer.presignGetObject(p -> p.signatureDuration(Duration.ofHours(1))
                .getObjectRequest(r -> r.bucket(bucket).key(key).responseContentType("x/y")));
            var reply = fetch(down.httpRequest(), SdkHttpMethod.GET, null);
            Check.same(reply.body(), "by url", "body");
            Check.same(reply.headers().firstValue("content-type").orElse(null), "x/y", "content type");
            Check.same(reply.headers().firstValue("x-amz-meta-by").orElse(null), "url", "metadata");
            if (env("S3MEM_VERIFIES").equals("1"))
                Check.same(fetch(down.httpRequest(), SdkHttpMethod.DELETE, null).statusCode(), 403, "forged");
        }
    }

    private static void versions() throws Exception {
        String own = bucket + "-v";
        s3.createBucket(r -> r.bucket(own));
        s3.putBucketVersioning(r -> r.bucket(own)
            .versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED)));
        Check.same(s3.getBucketVersioning(r -> r.bucket(own)).status(), BucketVersioningStatus.ENABLED,
            "versioning");
        String one = s3.putObject(r -> r.bucket(own).key("v"), RequestBody.fromString("one")).versionId();
        String two = s3.putObject(r -> r.bucket(own).key("v"), RequestBody.fromString("two")).versionId();
        Check.same(getText(r -> r.bucket(own).key("v").versionId(one)), "one", "first version");
        DeleteObjectResponse marker = s3.deleteObject(r -> r.bucket(own).key("v"));
        Check.same(marker.deleteMarker(), true, "delete marker");
        Check.refused(() -> getText(r -> r.bucket(own).key("v")), NoSuchKeyException.class, "NoSuchKey", 404);
        Check.refused(() -> getText(r -> r.bucket(own).key("v").versionId(marker.versionId())),
            S3Exception.class, "MethodNotAllowed", 405);
        ListObjectVersionsResponse list = s3.listObjectVersions(r -> r.bucket(own));
        Check.same(list.versions().stream().map(ObjectVersion::versionId).toList(), List.of(two, one),
            "versions");
        Check.same(list.deleteMarkers().get(0).versionId(), marker.versionId(), "delete marker");
        s3.deleteObject(r -> r.bucket(own).key("v").versionId(marker.versionId()));
        Check.same(getText(r -> r.bucket(own).key("v")), "two", "current version");
        List<ObjectIdentifier> both = Stream.of(one, two)
            .map(id -> ObjectIdentifier.builder().key("v").versionId(id).build()).toList();
        s3.deleteObjects(r -> r.bucket(own).delete(d -> d.quiet(true).objects(both)));
        s3.deleteBucket(r -> r.bucket(own));
    }

    private static void waiters() {
        s3.waiter().waitUntilObjectExists(r -> r.bucket(bucket).key("big"));
        s3.waiter().waitUntilBucketNotExists(r -> r.bucket(bucket + "-absent"));
    }

    private static void virtualHost() throws Exception {
        URI endpoint = URI.create(env("S3MEM_VHOST_URL"));
        String own = bucket + "-host";
        String key = "odd/ü +%";
        try (S3Client named = S3Client.builder().endpointOverride(endpoint).build();
             S3Presigner signer = S3Presigner.builder().endpointOverride(endpoint).build()) {
            named.createBucket(r -> r.bucket(own));
            named.putObject(r -> r.bucket(own).key(key), RequestBody.fromString("by name"));
            Check.same(named.getObjectAsBytes(r -> r.bucket(own).key(key)).asUtf8String(), "by name", "body");
            var signed = signer.presignGetObject(p -> p.signatureDuration(Duration.ofHours(1))
                .getObjectRequest(r -> r.bucket(own).key(key)));
            Check.check(signed.url().getHost().startsWith(own + "."), "the bucket in " + signed.url());
            Check.same(fetch(signed.httpRequest(), SdkHttpMethod.GET, null).body(), "by name", "presigned");
            named.deleteObject(r -> r.bucket(own).key(key));
            named.deleteBucket(r -> r.bucket(own));
        }
    }

    private static void cleanUp() throws Exception {
        for (List<String> keys; !(keys = listKeys("")).isEmpty();) {
            List<String> some = keys.subList(0, Math.min(1000, keys.size()));
            s3.deleteObjects(r -> r.bucket(bucket).delete(deletion(some)));
        }
        s3.deleteBucket(r -> r.bucket(bucket));
        Check.refused(() -> s3.headBucket(r -> r.bucket(bucket)), NoSuchBucketException.class, null, 404);
    }

    private Suite() {
    }
}
