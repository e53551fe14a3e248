/* SPDX-License-Identifier: MIT */
/* certificate.c - X.509 over OpenSSL. Source: RFC 5280; CA/Browser Forum, Baseline Requirements
 * (days of validity). */
#include "base/certificate.h"
#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define VALID_DAYS  397
#define DAY_S       86400L
#define SERIAL_BITS 127
#define PEM_MAX     KiB(256)

static void pkey_drop(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void x509_drop(X509 **cert)
{
    X509_free(*cert);
}

#define OWN(type, drop) __attribute__((cleanup(drop))) type *

/* ---- names ------------------------------------------------------------------------- */

static void add_name(struct buf *out, struct str name)
{
    char text[INET_ADDRSTRLEN] = "";
    struct in_addr address;

    if (name.len < sizeof(text))
        str_put(text, name);
    if (text[0] && inet_pton(AF_INET, text, &address) == 1)
        buf_addf(out, ",IP:%s", text);
    else
        buf_addf(out, ",DNS:%.*s,DNS:*.%.*s,DNS:*.s3.%.*s", (int)name.len, name.ptr,
                 (int)name.len, name.ptr, (int)name.len, name.ptr);
}

static void add_names(struct buf *out, const struct str *names, size_t count)
{
    buf_add(out, STR("IP:127.0.0.1,IP:::1"));
    add_name(out, STR("localhost"));
    for (size_t i = 0; i < count; i++) {
        if (!str_eq_nocase(names[i], STR("localhost")))
            add_name(out, names[i]);
    }
    buf_add_char(out, '\0');
}

/* ---- certificates ------------------------------------------------------------------ */

static bool set_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    bool ok = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));

    BN_free(number);
    return ok;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool ok;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ok = extension && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

/* Everything but extensions and signature; issuer NULL: its own. */
static X509 *cert_begin(EVP_PKEY *key, const char *name, X509 *issuer)
{
    X509 *cert = X509_new();
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;
    /* By the real clock: TLS libraries know no other. */
    time_t now = (time_t)(clock_real_ns() / NS_PER_S);

    if (cert && X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
        X509_time_adj_ex(X509_getm_notBefore(cert), -1, 0, &now) &&
        X509_time_adj_ex(X509_getm_notAfter(cert), VALID_DAYS - 1, 0, &now) &&
        X509_set_pubkey(cert, key) &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                   -1, 0) &&
        X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject))
        return cert;
    X509_free(cert);
    return NULL;
}

static X509 *make_ca(EVP_PKEY *key)
{
    X509 *ca = cert_begin(key, "s3memd, made at its start", NULL);

    if (ca && add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(ca, ca, NID_key_usage, "critical,keyCertSign") &&
        add_extension(ca, ca, NID_subject_key_identifier, "hash") &&
        X509_sign(ca, key, EVP_sha256()))
        return ca;
    X509_free(ca);
    return NULL;
}

static X509 *make_leaf(EVP_PKEY *key, const char *names, X509 *ca, EVP_PKEY *ca_key)
{
    X509 *cert = cert_begin(key, "s3memd", ca);

    if (cert && add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(cert, ca, NID_key_usage, "critical,digitalSignature") &&
        add_extension(cert, ca, NID_ext_key_usage, "serverAuth") &&
        add_extension(cert, ca, NID_subject_key_identifier, "hash") &&
        add_extension(cert, ca, NID_authority_key_identifier, "keyid:always") &&
        add_extension(cert, ca, NID_subject_alt_name, names) &&
        X509_sign(cert, ca_key, EVP_sha256()))
        return cert;
    X509_free(cert);
    return NULL;
}

/* ---- PEM --------------------------------------------------------------------------- */

/* One of the two; NUL-terminated. */
static bool to_pem(struct buf *out, X509 *cert, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    bool ok =
        bio && (cert ? PEM_write_bio_X509(bio, cert)
                     : PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));

    if (ok) {
        long len = BIO_get_mem_data(bio, &text);

        buf_add(out, str_of(text, (size_t)len));
        buf_add_char(out, '\0');
        if (key)
            mem_wipe(text, (size_t)len);
    }
    BIO_free(bio);
    return ok && buf_ok(out);
}

bool certificate_make(struct certificate *out, const struct str *names, size_t count)
{
    AUTO_BUF(alternative, PEM_MAX);
    OWN(EVP_PKEY, pkey_drop) ca_key = EVP_EC_gen("P-256");
    OWN(EVP_PKEY, pkey_drop) key = EVP_EC_gen("P-256");
    OWN(X509, x509_drop) ca = ca_key ? make_ca(ca_key) : NULL;
    OWN(X509, x509_drop) cert = NULL;

    buf_init(&out->ca, PEM_MAX);
    buf_init(&out->cert, PEM_MAX);
    buf_init(&out->key, PEM_MAX);
    add_names(&alternative, names, count);
    if (ca && key && buf_ok(&alternative))
        cert = make_leaf(key, alternative.ptr, ca, ca_key);
    return cert && to_pem(&out->ca, ca, NULL) && to_pem(&out->cert, cert, NULL) &&
           to_pem(&out->key, NULL, key);
}

void certificate_release(struct certificate *c)
{
    if (c->key.ptr)
        mem_wipe(c->key.ptr, c->key.len);
    buf_release(&c->ca);
    buf_release(&c->cert);
    buf_release(&c->key);
}
