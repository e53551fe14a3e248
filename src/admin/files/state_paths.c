/* SPDX-License-Identifier: MIT */
/* state_paths.c - files that a request names: what is answered when it may not. */
#include "admin/files/jobs.h"

#include <errno.h>

bool admin_has_state_dir(struct admin_call *c)
{
    if (c->admin->options.state_dirs)
        return true;
    admin_field_error(c, 403, "StateDirOff", "path",
                      "files on the server's disk are off: start s3memd with --state-dir=DIR "
                      "to allow those below DIR");
    return false;
}

bool job_state_path(struct job *job, const struct admin *admin, struct str path,
                    struct state_path *out)
{
    static const struct {
        unsigned status;
        const char *code;
    } answers[] = {
        [STATE_OFF] = {403, "StateDirOff"},       [STATE_INVALID] = {400, "InvalidPath"},
        [STATE_OUTSIDE] = {403, "PathOutside"},   [STATE_MISSING] = {404, "NoSuchPath"},
        [STATE_FAILED] = {500, "PathUnreadable"},
    };
    AUTO_BUF(why, KiB(8));
    enum state_found found = state_dirs_find(admin->options.state_dirs, path, out, &why);

    if (found)
        job_fail_more(job, answers[found].status, answers[found].code,
                      json_pack("{s:s}", "field", "path"), "%.*s: %.*s", (int)path.len,
                      path.ptr, (int)why.len, why.ptr);
    return !found;
}

void job_fail_file(struct job *job, struct str path, int err)
{
    unsigned status = 500;
    const char *code = "DiskError", *message = strerror(err);

    if (err == ENOENT) {
        status = 404;
        code = "NoSuchPath";
    } else if (err == ELOOP) {
        status = 403;
        code = "PathOutside";
        message = "symbolic links are not followed";
    } else if (err == EISDIR || err == EINVAL) {
        status = 409;
        code = "NotAFile";
        message = err == EISDIR ? "it is a folder" : "it is not a regular file";
    } else if (err == ENOSPC || err == EDQUOT) {
        status = 507;
        code = "DiskFull";
    }
    job_fail_more(job, status, code, json_pack("{s:s}", "field", "path"), "%.*s: %s",
                  (int)path.len, path.ptr, message);
}
