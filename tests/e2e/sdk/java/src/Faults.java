// SPDX-License-Identifier: MIT

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import software.amazon.awssdk.core.exception.RetryableException;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.ChecksumMode;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * What this SDK makes of faults that the server injects, with its retries as they are by default.
 * The server's journal says how often a call was tried and how each attempt ended.
 */
final class Faults {
    private interface Call {
        byte[] on(S3Client by, String key) throws IOException;
    }

    /** A way to use the SDK, and its operation in the journal. */
    private enum Use {
        PUT("PutObject", Faults::put),
        /** The SDK reads the body. */
        BYTES("GetObject", (by, key) -> by.getObjectAsBytes(r -> r.bucket(bucket).key(key)).asByteArray()),
        /** The caller reads the body. */
        STREAM("GetObject", (by, key) -> read(by, key, null)),
        CHECKED_BYTES("GetObject", (by, key) -> by.getObjectAsBytes(r -> r.bucket(bucket).key(key)
            .checksumMode(ChecksumMode.ENABLED)).asByteArray()),
        CHECKED_STREAM("GetObject", (by, key) -> read(by, key, ChecksumMode.ENABLED));

        final String operation;
        final Call call;

        Use(String operation, Call call) {
            this.operation = operation;
            this.call = call;
        }
    }

    private static final List<Use> PLAIN = List.of(Use.PUT, Use.BYTES, Use.STREAM);

    private record Seen(String key, byte[] read, Exception error, Duration took) {
    }

    private static final S3Client s3 = S3Client.create();
    private static final byte[] data = new byte[128 << 10];
    private static String bucket;
    private static int keys;

    private static byte[] put(S3Client by, String key) {
        by.putObject(r -> r.bucket(bucket).key(key), RequestBody.fromBytes(data));
        return data;
    }

    private static byte[] read(S3Client by, String key, ChecksumMode mode) throws IOException {
        try (var body = by.getObject(r -> r.bucket(bucket).key(key).checksumMode(mode))) {
            return body.readAllBytes();
        }
    }

    private static String s3memctl(String... args) throws Exception {
        List<String> command = new ArrayList<>(List.of(System.getenv("S3MEMCTL")));
        command.addAll(Arrays.asList(args));
        String cert = System.getenv("SSL_CERT_FILE");
        if (cert != null)
            command.addAll(List.of("--cacert", cert));
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String said = new String(process.getInputStream().readAllBytes());
        Check.same(process.waitFor(), 0, String.join(" ", args));
        return said;
    }

    /**
     * How each attempt ended, in order: its status, or "cut" if its reply did not arrive as a whole.
     * The journal's JSON is read without a parser: each request has its status before "aborted", and
     * quotes within its texts are escaped.
     */
    private static String attempts(Use use, String key, int count) throws Exception {
        String json = s3memctl("requests", "--json", "--bucket", bucket, "--operation", use.operation,
            "--key", key, "--count", Integer.toString(count), "--wait", "60s");
        List<String> ends = new ArrayList<>();
        String[] requests = json.split("\"status\":");
        for (int i = 1; i < requests.length; i++)
            ends.add(requests[i].contains("\"aborted\":true") ? "cut" : requests[i].substring(0, 3));
        Collections.reverse(ends);
        return String.join(" ", ends);
    }

    /** One call on an object of its own under one rule. */
    private static Seen under(S3Client by, Use use, String rule, String tried) throws Exception {
        String key = "k" + keys++;
        if (use != Use.PUT)
            put(by, key);
        List<String> add = new ArrayList<>(List.of("fault", "add", "--bucket", bucket, "--operation",
            use.operation));
        add.addAll(List.of(rule.split(" ")));
        String id = s3memctl(add.toArray(new String[0])).strip().replace("rule ", "");
        byte[] read = null;
        Exception error = null;
        long began = System.nanoTime();
        try {
            read = use.call.on(by, key);
        } catch (SdkException | IOException e) {
            error = e;
        }
        Duration took = Duration.ofNanos(System.nanoTime() - began);
        s3memctl("fault", "remove", id);
        Check.same(attempts(use, key, tried.split(" ").length), tried,
            "attempts of " + use + " under " + rule + " (" + error + ")");
        return new Seen(key, read, error, took);
    }

    /** A call that succeeds after so long, and the right bytes, read now and stored. */
    private static Duration succeeds(S3Client by, Use use, String rule, String tried) throws Exception {
        Seen seen = under(by, use, rule, tried);
        if (seen.error != null)
            throw seen.error;
        Check.same(seen.read, data, use + " under " + rule);
        Check.same(read(s3, seen.key, ChecksumMode.ENABLED), data, seen.key);
        return seen.took;
    }

    private static Seen fails(Use use, String rule, String tried, Class<? extends Exception> type)
            throws Exception {
        Seen seen = under(s3, use, rule, tried);
        Check.check(type.isInstance(seen.error), use + " under " + rule + ": " + seen.error + " is a " + type);
        return seen;
    }

    private static Seen refused(Use use, String rule, String tried, String code) throws Exception {
        Seen seen = fails(use, rule, tried, S3Exception.class);
        S3Exception error = (S3Exception) seen.error;
        Check.same(error.awsErrorDetails().errorCode() + " " + error.statusCode(), code, rule);
        Check.same(error.numAttempts(), tried.split(" ").length, "attempts that the SDK counts");
        return seen;
    }

    /** Four attempts: this SDK's default is still its "legacy" mode. */
    private static void errors() throws Exception {
        for (Use use : PLAIN) {
            succeeds(s3, use, "--error InternalError --times 2", "500 500 200");
            refused(use, "--error InternalError", "500 500 500 500", "InternalError 500");
        }
    }

    /** Retry-After is obeyed: its own delay would be a second at most. */
    private static void slowDown() throws Exception {
        for (Use use : PLAIN) {
            Duration took = succeeds(s3, use, "--error SlowDown --retry-after 3 --times 1", "503 200");
            Check.check(took.toSeconds() >= 3, "Retry-After is obeyed: " + took);
        }
    }

    private static void refusal() throws Exception {
        for (Use use : PLAIN)
            refused(use, "--error AccessDenied --times 1", "403", "AccessDenied 403");
    }

    /** 30 s on the socket is the default; a timeout is one of each attempt. */
    private static void latency() throws Exception {
        Duration limit = Duration.ofSeconds(3);
        try (S3Client socket = S3Client.builder()
                 .httpClientBuilder(Apache5HttpClient.builder().socketTimeout(limit)).build();
             S3Client attempt = S3Client.builder()
                 .overrideConfiguration(o -> o.apiCallAttemptTimeout(limit)).build()) {
            for (S3Client by : List.of(socket, attempt))
                for (Use use : PLAIN) {
                    Duration took = succeeds(by, use, "--latency 10m --times 1", "cut 200");
                    Check.check(took.compareTo(limit) >= 0, "the timeout passed: " + took);
                }
        }
    }

    /** "The target server failed to respond" is retried, whether or not the request was carried out. */
    private static void cutEarly() throws Exception {
        for (String cut : List.of("--cut request", "--cut before"))
            for (Use use : PLAIN) {
                succeeds(s3, use, cut + " --times 1", "cut 200");
                String key = fails(use, cut, "cut cut cut cut", SdkClientException.class).key;
                if (use == Use.PUT && cut.endsWith("before"))
                    Check.same(read(s3, key, null), data, "it was carried out");
                else if (use == Use.PUT)
                    Check.refused(() -> read(s3, key, null), NoSuchKeyException.class, "NoSuchKey", 404);
            }
    }

    /**
     * Where the SDK reads the body it tries again; where the caller does, getObject has returned by
     * then. The reply to putObject has no body to be cut in: its head does not arrive.
     */
    private static void cutDuring() throws Exception {
        succeeds(s3, Use.BYTES, "--cut during --times 1", "cut 200");
        fails(Use.BYTES, "--cut during", "cut cut cut cut", RetryableException.class);
        fails(Use.STREAM, "--cut during --times 1", "cut", IOException.class);
        succeeds(s3, Use.PUT, "--cut during --times 1", "cut 200");
    }

    /** The connection is not used again; the call that would have does not notice. */
    private static void cutAfter() throws Exception {
        for (Use use : PLAIN)
            succeeds(s3, use, "--cut after --times 1", "200");
    }

    /**
     * As it is, the SDK asks for the body's MD5 behind the body ("x-amz-te: append-md5", which s3memd
     * does not do and which is not in S3's model), and does not notice when it gets none. It checks
     * the checksum if the call asks for it; then nothing is retried.
     */
    private static void spoiled() throws Exception {
        for (String what : List.of("--truncate 1000", "--truncate 0", "--corrupt middle", "--corrupt 0")) {
            String rule = what + " --times 1";
            for (Use use : List.of(Use.BYTES, Use.STREAM)) {
                Seen seen = under(s3, use, rule, "200");
                Check.same(seen.error, null, use + " under " + rule);
                Check.check(!Arrays.equals(seen.read, data), "other bytes, unnoticed");
            }
            for (Use use : List.of(Use.CHECKED_BYTES, Use.CHECKED_STREAM)) {
                Exception error = fails(use, rule, "200", SdkClientException.class).error;
                Check.check(error.getMessage().contains("Data read has a different checksum than expected"),
                    error.toString());
            }
        }
    }

    private static void bandwidth() throws Exception {
        for (Use use : PLAIN) {
            Duration took = succeeds(s3, use, "--bandwidth 128KiB --times 1", "200");
            Check.check(took.toMillis() >= 500, "it took its time: " + took);
        }
    }

    private static void cleanUp() {
        for (int i = 0; i < keys; i++) {
            String key = "k" + i;
            s3.deleteObject(r -> r.bucket(bucket).key(key));
        }
        s3.deleteBucket(r -> r.bucket(bucket));
    }

    static void run(String name) {
        bucket = name;
        new Random().nextBytes(data);
        s3.createBucket(r -> r.bucket(bucket));
        Check.step("fault: 500 twice, and for good", Faults::errors);
        Check.step("fault: 503 SlowDown with Retry-After", Faults::slowDown);
        Check.step("fault: a refusal is not retried", Faults::refusal);
        Check.step("fault: latency beyond the timeout", Faults::latency);
        Check.step("fault: cut in place of the request, before the reply", Faults::cutEarly);
        Check.step("fault: cut during the reply", Faults::cutDuring);
        Check.step("fault: cut after the reply", Faults::cutAfter);
        Check.step("fault: a truncated and a corrupted body", Faults::spoiled);
        Check.step("fault: little bandwidth", Faults::bandwidth);
        Check.step("fault: remove what the faults were about", Faults::cleanUp);
    }

    private Faults() {
    }
}
