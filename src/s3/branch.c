/* SPDX-License-Identifier: MIT */
/* branch.c - which branch serves a request: the one that x-s3mem-branch names, else the one
 * named like the request's access key id, else main. So parallel test workers are isolated by
 * nothing more than AWS_ACCESS_KEY_ID=worker-3. */
#include "s3/branch.h"
#include "s3/service.h"

/* Takes b. */
static void use_branch(struct s3_call *c, struct branch *b)
{
    branch_unref(c->branch);
    c->branch = b;
    c->traffic.branch = branch_name(b);
}

/* --branch-per-key: the key is seen for the first time. The one that comes first forks; who
 * comes meanwhile finds it done. */
static enum s3_err fork_for(struct s3_call *c, struct str key)
{
    struct store *store = c->options->store;
    struct str from = c->options->branch_per_key;
    enum named result = store_fork_for_key(store, key, from);

    if (result == NAMED_MISSING)
        return s3_fail_message(c, S3_NO_SUCH_BRANCH,
                               "There is no snapshot or branch '%.*s' to fork a branch for the "
                               "access key from.",
                               (int)from.len, from.ptr);
    if (result == NAMED_TOO_MANY)
        return s3_fail(c, S3_TOO_MANY_BRANCHES, "--branch-limit");
    if (result == NAMED_NO_MEMORY)
        return s3_fail(c, S3_SLOW_DOWN, "memory for a branch");
    return S3_OK;
}

enum s3_err s3_choose_branch_of_key(struct s3_call *c, struct str key)
{
    struct branch *b;

    if (s3_header(c, BRANCH_HEADER).ptr)
        return S3_OK;
    b = store_branch(c->options->store, key);
    if (!b && c->options->branch_per_key.ptr && !c->guest && store_name_ok(key)) {
        if (fork_for(c, key))
            return c->err;
        b = store_branch(c->options->store, key);
        if (!b) /* main is no place for what was meant for it */
            return s3_fail(c, S3_NO_SUCH_BRANCH, "deleted as soon as it was forked");
    }
    if (b)
        use_branch(c, b);
    return S3_OK;
}

enum s3_err s3_choose_branch(struct s3_call *c)
{
    struct str name = s3_header(c, BRANCH_HEADER);
    struct branch *b;

    if (!name.ptr)
        return c->auth.access_key[0] ? s3_choose_branch_of_key(c, str_c(c->auth.access_key))
                                     : S3_OK;
    b = store_name_ok(name) ? store_branch(c->options->store, name) : NULL;
    if (!b) {
        s3_error_field(c, "Branch", name);
        return s3_fail(c, S3_NO_SUCH_BRANCH, "x-s3mem-branch");
    }
    use_branch(c, b);
    return S3_OK;
}
