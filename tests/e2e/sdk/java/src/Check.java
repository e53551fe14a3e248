// SPDX-License-Identifier: MIT

import java.util.Arrays;
import java.util.Objects;
import software.amazon.awssdk.services.s3.model.S3Exception;

/** Steps and checks: one line per step, and the count at the end. */
final class Check {
    interface Work {
        void run() throws Exception;
    }

    private static int passed;
    private static int failed;

    static void step(String name, Work work) {
        try {
            work.run();
            passed++;
            System.out.println("ok    " + name);
        } catch (Exception | AssertionError e) {
            failed++;
            StackTraceElement at = Arrays.stream(e.getStackTrace())
                .filter(frame -> frame.getClassName().matches("(Suite|Faults).*")).findFirst().orElse(null);
            String text = e.toString();
            System.out.println("FAIL  " + name + ": " + at + ": "
                + text.substring(0, Math.min(1000, text.length())));
        }
    }

    static void finish() {
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    static void same(Object got, Object want, String what) {
        if (!Objects.deepEquals(got, want))
            throw new AssertionError(what + ": got " + got + ", want " + want);
    }

    static void same(byte[] got, byte[] want, String what) {
        if (!Arrays.equals(got, want))
            throw new AssertionError(what + ": the " + got.length + " bytes read are not the "
                + want.length + " stored");
    }

    static void check(boolean ok, String what) {
        if (!ok)
            throw new AssertionError("not true: " + what);
    }

    /** The exception of a call that must fail, of this class and with this error code and status. */
    static <E extends S3Exception> E refused(Work work, Class<E> type, String code, int status)
            throws Exception {
        try {
            work.run();
        } catch (S3Exception e) {
            same(e.statusCode(), status, "status of " + e);
            if (code != null)
                same(e.awsErrorDetails().errorCode(), code, "error code");
            check(type.isInstance(e), e.getClass() + " is a " + type);
            return type.cast(e);
        }
        throw new AssertionError(code + " expected, but it succeeded");
    }

    private Check() {
    }
}
