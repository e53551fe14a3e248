// SPDX-License-Identifier: MIT

//! AWS SDK for Rust against S3: the client's defaults; endpoint, region and credentials come from
//! the environment (AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ...). S3MEM_VHOST_URL: the
//! same server by a name whose sub-domains resolve; S3MEM_VERIFIES=1: it checks signatures.

mod check;
mod faults;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{
    BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload,
    CompletedPart, Delete, MetadataDirective, ObjectAttributes, ObjectIdentifier, Tag, Tagging,
    VersioningConfiguration,
};
use aws_sdk_s3::Client;
use check::{check, refused, same, same_bytes, Checks, Outcome};

const MIB: usize = 1 << 20;

const ODD_KEYS: [&str; 14] = [
    "with space.txt",
    "plus+plus",
    "percent%20literal",
    "100%",
    "ünïcödé/日本語/😀.txt",
    "a//b",
    "/leading",
    "trailing/",
    "q?x=1&y=2#frag",
    "quotes'\"<>&amp;",
    "semi;colon:eq=at@$,",
    "~*()!",
    "back\\slash",
    "dot/../segment",
];

struct Suite {
    client: Client,
    bucket: String,
    big: Vec<u8>,
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Bytes that no two positions share by accident; quality does not matter.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut data = Vec::with_capacity(len + 8);
    while data.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.extend(state.to_le_bytes());
    }
    data.truncate(len);
    data
}

fn text(data: &'static str) -> ByteStream {
    ByteStream::from_static(data.as_bytes())
}

fn prefixed(prefix: &str, keys: &[&str]) -> Vec<String> {
    let mut keys: Vec<String> = keys.iter().map(|key| format!("{prefix}{key}")).collect();
    keys.sort();
    keys
}

fn deletion(keys: &[String]) -> Delete {
    let objects = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    Delete::builder().set_objects(Some(objects.collect())).build().unwrap()
}

/// A body that yields pieces and does not know how many.
struct Pieces(Vec<bytes::Bytes>);

impl http_body::Body for Pieces {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.pop().map(|piece| Ok(http_body::Frame::data(piece))))
    }
}

impl Suite {
    async fn put(&self, key: &str, data: &[u8]) -> Outcome<String> {
        let body = ByteStream::from(data.to_vec());
        let done = self.client.put_object().bucket(&self.bucket).key(key).body(body).send().await?;
        Ok(done.e_tag.unwrap_or_default())
    }

    async fn get(&self, key: &str) -> Outcome<Vec<u8>> {
        let reply = self.client.get_object().bucket(&self.bucket).key(key).send().await?;
        Ok(reply.body.collect().await?.to_vec())
    }

    async fn head(&self, key: &str) -> Outcome<HeadObjectOutput> {
        Ok(self.client.head_object().bucket(&self.bucket).key(key).send().await?)
    }

    async fn keys(&self, prefix: &str) -> Outcome<Vec<String>> {
        let mut keys = Vec::new();
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).max_keys(7);
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            keys.extend(page?.contents.unwrap_or_default().into_iter().filter_map(|o| o.key));
        }
        Ok(keys)
    }

    async fn buckets(&self) -> Outcome<()> {
        self.client.create_bucket().bucket(&self.bucket).send().await?;
        self.client.head_bucket().bucket(&self.bucket).send().await?;
        let place = self.client.get_bucket_location().bucket(&self.bucket).send().await?;
        let place = place.location_constraint.map(|l| l.as_str().to_owned()).unwrap_or_default();
        check(place.is_empty() || place == "us-east-1", &format!("location {place}"))?;
        let list = self.client.list_buckets().send().await?;
        check(list.buckets().iter().any(|b| b.name() == Some(&self.bucket)), "bucket is listed")
    }

    async fn small_object(&self) -> Outcome<()> {
        let put = self.client.put_object().bucket(&self.bucket).key("small").body(text("hello"));
        let stored = put
            .content_type("text/plain")
            .cache_control("max-age=5")
            .content_disposition("attachment; filename=\"x.txt\"")
            .metadata("Author", "me")
            .metadata("empty", "")
            .send()
            .await?;
        same(stored.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""), "ETag")?;
        same(stored.checksum_crc32(), Some("NhCmhg=="), "CRC32")?;
        let head = self.head("small").await?;
        same(head.content_length(), Some(5), "length")?;
        same(head.content_type(), Some("text/plain"), "content type")?;
        same(head.cache_control(), Some("max-age=5"), "Cache-Control")?;
        same(head.content_disposition(), Some("attachment; filename=\"x.txt\""), "disposition")?;
        let wanted = [("author", "me"), ("empty", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        same(head.metadata(), Some(&HashMap::from(wanted)), "metadata")?;
        same_bytes(&self.get("small").await?, b"hello", "body")?;
        for _ in 0..2 {
            self.client.delete_object().bucket(&self.bucket).key("small").send().await?;
        }
        let gone = self.client.head_object().bucket(&self.bucket).key("small").send().await;
        check(refused(gone, "NotFound", 404)?.is_not_found(), "a HeadObjectError::NotFound")
    }

    async fn no_bytes(&self) -> Outcome<()> {
        self.put("empty", b"").await?;
        self.client.put_object().bucket(&self.bucket).key("empty/none").send().await?;
        same_bytes(&self.get("empty").await?, b"", "empty")?;
        same_bytes(&self.get("empty/none").await?, b"", "empty/none")
    }

    async fn large_object(&self) -> Outcome<()> {
        self.put("big", &self.big).await?;
        same_bytes(&self.get("big").await?, &self.big, "big")?;
        let path = std::env::temp_dir().join(&self.bucket);
        tokio::fs::write(&path, &self.big).await?;
        let body = ByteStream::from_path(&path).await?;
        let put = self.client.put_object().bucket(&self.bucket).key("file").body(body);
        let sent = put.content_encoding("br").send().await;
        tokio::fs::remove_file(&path).await?;
        sent?;
        same_bytes(&self.get("file").await?, &self.big, "file")?;
        same(self.head("file").await?.content_encoding(), Some("br"), "Content-Encoding")
    }

    /// The SDK has no uploader that splits; it sends a stream in one request once it knows the
    /// length.
    async fn stream(&self) -> Outcome<()> {
        let pieces = self.big.chunks(100_000).rev().map(bytes::Bytes::copy_from_slice).collect();
        let body = ByteStream::new(SdkBody::from_body_1_x(Pieces(pieces)));
        let put = self.client.put_object().bucket(&self.bucket).key("streamed").body(body);
        put.content_length(self.big.len() as i64).send().await?;
        same_bytes(&self.get("streamed").await?, &self.big, "streamed")
    }

    async fn part(&self, key: &str, id: &str, number: i32, data: &[u8]) -> Outcome<CompletedPart> {
        let upload = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(id);
        let body = ByteStream::from(data.to_vec());
        let done = upload.part_number(number).body(body).send().await?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(done.e_tag)
            .set_checksum_crc32(done.checksum_crc32)
            .build())
    }

    async fn multipart(&self) -> Outcome<()> {
        let (client, bucket, key) = (&self.client, &self.bucket, "multi part");
        let create = client.create_multipart_upload().bucket(bucket).key(key);
        let create = create.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let id = create.content_type("a/b").send().await?.upload_id.unwrap_or_default();
        let first = self.part(key, &id, 1, &self.big[..5 * MIB]).await?;
        let copy = client.upload_part_copy().bucket(bucket).key(key).upload_id(&id).part_number(2);
        let copy = copy
            .copy_source(format!("{bucket}/big"))
            .copy_source_range(format!("bytes=0-{}", 5 * MIB - 1))
            .send()
            .await?;
        let copied = copy.copy_part_result.unwrap();
        let second = CompletedPart::builder()
            .part_number(2)
            .set_e_tag(copied.e_tag)
            .set_checksum_crc32(copied.checksum_crc32)
            .build();
        let last = self.part(key, &id, 7, b"tail").await?;

        let list = client.list_parts().bucket(bucket).key(key).upload_id(&id).max_parts(2);
        let mut parts = Vec::new();
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            parts.extend(page?.parts.unwrap_or_default());
        }
        let sizes: Vec<_> = parts.iter().map(|p| (p.part_number, p.size)).collect();
        let five = Some(5 * MIB as i64);
        let wanted = vec![(Some(1), five), (Some(2), five), (Some(7), Some(4))];
        same(sizes, wanted, "numbers and sizes of the parts")?;
        let uploads = client.list_multipart_uploads().bucket(bucket).send().await?;
        check(uploads.uploads().iter().any(|u| u.upload_id() == Some(&id)), "upload is listed")?;

        let all = CompletedMultipartUpload::builder().set_parts(Some(vec![first, second, last]));
        let done = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(&id);
        let done = done.multipart_upload(all.build()).send().await?;
        check(done.e_tag().is_some_and(|tag| tag.ends_with("-3\"")), "the ETag ends in -3")?;
        let sum = done.checksum_crc32().unwrap_or_default();
        check(sum.ends_with("-3"), &format!("composite CRC32 {sum}"))?;
        let wanted = [&self.big[..5 * MIB], &self.big[..5 * MIB], b"tail"].concat();
        same_bytes(&self.get(key).await?, &wanted, key)?;
        let part = client.get_object().bucket(bucket).key(key).part_number(2).send().await?;
        same(part.parts_count(), Some(3), "parts count")?;
        same(part.content_type(), Some("a/b"), "content type")?;
        same_bytes(&part.body.collect().await?.to_vec(), &self.big[..5 * MIB], "part 2")
    }

    async fn multipart_errors(&self) -> Outcome<()> {
        let (client, bucket, key) = (&self.client, &self.bucket, "aborted");
        let create = client.create_multipart_upload().bucket(bucket).key(key);
        let create = create.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let id = create.send().await?.upload_id.unwrap_or_default();
        let one = self.part(key, &id, 1, b"x").await?;
        let two = self.part(key, &id, 2, b"y").await?;
        let mut three = one.clone();
        three.part_number = Some(3);
        for (parts, code) in [
            (vec![one.clone(), two.clone()], "EntityTooSmall"),
            (vec![two, one], "InvalidPartOrder"),
            (vec![three], "InvalidPart"),
        ] {
            let all = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
            let call = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(&id);
            refused(call.multipart_upload(all).send().await, code, 400)?;
        }
        client.abort_multipart_upload().bucket(bucket).key(key).upload_id(&id).send().await?;
        let list = client.list_parts().bucket(bucket).key(key).upload_id(&id).send().await;
        refused(list, "NoSuchUpload", 404)?;
        Ok(())
    }

    async fn checksums(&self) -> Outcome<()> {
        for (algorithm, sum) in [
            (ChecksumAlgorithm::Crc32, "NhCmhg=="),
            (ChecksumAlgorithm::Crc32C, "mnG7TA=="),
            (ChecksumAlgorithm::Crc64Nvme, "M3eFcAZSQlc="),
            (ChecksumAlgorithm::Sha1, "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
            (ChecksumAlgorithm::Sha256, "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        ] {
            let key = format!("sum/{algorithm}");
            let put = self.client.put_object().bucket(&self.bucket).key(&key).body(text("hello"));
            put.checksum_algorithm(algorithm.clone()).send().await?;
            let get = self.client.get_object().bucket(&self.bucket).key(&key);
            let reply = get.checksum_mode(ChecksumMode::Enabled).send().await?;
            let value = match algorithm {
                ChecksumAlgorithm::Crc32 => reply.checksum_crc32(),
                ChecksumAlgorithm::Crc32C => reply.checksum_crc32_c(),
                ChecksumAlgorithm::Crc64Nvme => reply.checksum_crc64_nvme(),
                ChecksumAlgorithm::Sha1 => reply.checksum_sha1(),
                _ => reply.checksum_sha256(),
            };
            same(value, Some(sum), &key)?;
            same_bytes(&reply.body.collect().await?.to_vec(), b"hello", &key)?;
        }
        let put = self.client.put_object().bucket(&self.bucket).key("sum/bad").body(text("hello"));
        refused(put.checksum_crc32("AAAAAA==").send().await, "BadDigest", 400)?;
        let about = self.client.get_object_attributes().bucket(&self.bucket).key("sum/SHA256");
        let about = about.object_attributes(ObjectAttributes::Checksum);
        let about = about.object_attributes(ObjectAttributes::ObjectSize).send().await?;
        same(about.object_size(), Some(5), "ObjectSize")?;
        let sum = about.checksum.and_then(|c| c.checksum_sha256).unwrap_or_default();
        same(sum.as_str(), "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", "SHA256")
    }

    async fn ranges(&self) -> Outcome<()> {
        self.put("range", b"0123456789").await?;
        let get = || self.client.get_object().bucket(&self.bucket).key("range");
        for (range, wanted) in
            [("bytes=2-4", "234"), ("bytes=7-", "789"), ("bytes=-2", "89"), ("bytes=8-99", "89")]
        {
            let reply = get().range(range).send().await?;
            same_bytes(&reply.body.collect().await?.to_vec(), wanted.as_bytes(), range)?;
        }
        let reply = get().range("bytes=2-4").send().await?;
        same(reply.content_range(), Some("bytes 2-4/10"), "Content-Range")?;
        refused(get().range("bytes=10-").send().await, "InvalidRange", 416)?;
        Ok(())
    }

    async fn conditional(&self) -> Outcome<()> {
        let put = || {
            let put = self.client.put_object().bucket(&self.bucket).key("conditional");
            put.body(text("1"))
        };
        let tag = put().if_none_match("*").send().await?.e_tag.unwrap_or_default();
        refused(put().if_none_match("*").send().await, "PreconditionFailed", 412)?;
        refused(put().if_match("\"0\"").send().await, "PreconditionFailed", 412)?;
        put().if_match(&tag).send().await?;
        let get = || self.client.get_object().bucket(&self.bucket).key("conditional");
        refused(get().if_match("\"0\"").send().await, "PreconditionFailed", 412)?;
        let unchanged = get().if_none_match(&tag).send().await.unwrap_err();
        same(unchanged.raw_response().map(|r| r.status().as_u16()), Some(304), "status")
    }

    async fn typed_errors(&self) -> Outcome<()> {
        let (client, absent) = (&self.client, format!("{}-absent", self.bucket));
        let get = client.get_object().bucket(&self.bucket).key("absent").send().await;
        let error = refused(get, "NoSuchKey", 404)?;
        check(error.is_no_such_key(), "a GetObjectError::NoSuchKey")?;
        check(error.meta().extra("aws_request_id").is_some(), "request id")?;
        check(error.meta().extra("s3_extended_request_id").is_some(), "extended request id")?;
        refused(client.get_object().bucket(&absent).key("x").send().await, "NoSuchBucket", 404)?;
        refused(client.head_bucket().bucket(&absent).send().await, "NotFound", 404)?;
        refused(client.delete_bucket().bucket(&self.bucket).send().await, "BucketNotEmpty", 409)?;
        if env("S3MEM_VERIFIES") != "1" {
            return Ok(());
        }
        let own = env("AWS_ACCESS_KEY_ID");
        for (id, code) in
            [(own.as_str(), "SignatureDoesNotMatch"), ("NOBODY", "InvalidAccessKeyId")]
        {
            let keys = Credentials::new(id, "wrong", None, None, "suite");
            let thief = client.config().to_builder().credentials_provider(keys).build();
            let list = Client::from_conf(thief).list_objects_v2().bucket(&self.bucket).send().await;
            refused(list, code, 403)?;
        }
        Ok(())
    }

    async fn odd_keys(&self) -> Outcome<()> {
        for key in ODD_KEYS {
            let (from, to) = (format!("odd/{key}"), format!("odd-copy/{key}"));
            self.put(&from, key.as_bytes()).await?;
            same_bytes(&self.get(&from).await?, key.as_bytes(), &from)?;
            let source = format!("{}/{}", self.bucket, percent_encode(&from));
            let copy = self.client.copy_object().bucket(&self.bucket).key(&to);
            copy.copy_source(source).send().await?;
            same_bytes(&self.get(&to).await?, key.as_bytes(), &to)?;
        }
        same(self.keys("odd/").await?, prefixed("odd/", &ODD_KEYS), "odd keys")?;
        for key in prefixed("odd/", &ODD_KEYS) {
            self.client.delete_object().bucket(&self.bucket).key(key).send().await?;
        }
        same(self.keys("odd/").await?, vec![], "keys left by DeleteObject")?;
        let copies = prefixed("odd-copy/", &ODD_KEYS);
        let gone = self.client.delete_objects().bucket(&self.bucket).delete(deletion(&copies));
        let gone = gone.send().await?;
        same(gone.errors().len(), 0, "errors of DeleteObjects")?;
        let mut deleted: Vec<_> = gone.deleted().iter().filter_map(|d| d.key.clone()).collect();
        deleted.sort();
        same(deleted, copies, "deleted")?;
        same(self.keys("odd-copy/").await?, vec![], "keys left by DeleteObjects")
    }

    async fn listing(&self) -> Outcome<()> {
        let mut wanted = Vec::new();
        for i in 0..25_u8 {
            let key = format!("list/{}/{}", (b'a' + i % 5) as char, 10 + i);
            self.put(&key, b"x").await?;
            wanted.push(key);
        }
        wanted.sort();
        same(self.keys("list/").await?, wanted, "all pages")?;
        let list = || self.client.list_objects_v2().bucket(&self.bucket).prefix("list/");
        let folders = list().delimiter("/").send().await?;
        let names: Vec<_> = folders.common_prefixes().iter().filter_map(|p| p.prefix()).collect();
        let five = vec!["list/a/", "list/b/", "list/c/", "list/d/", "list/e/"];
        same(names, five, "common prefixes")?;
        same(folders.key_count(), Some(5), "KeyCount")?;
        let page = list().start_after("list/d/28").max_keys(2).send().await?;
        let names: Vec<_> = page.contents().iter().filter_map(|o| o.key()).collect();
        same(names, vec!["list/d/33", "list/e/14"], "page")?;
        same(page.is_truncated(), Some(true), "truncated")
    }

    async fn copies(&self) -> Outcome<()> {
        let put = self.client.put_object().bucket(&self.bucket).key("from").body(text("data"));
        put.metadata("a", "1").send().await?;
        let copy = |key: &str| {
            let copy = self.client.copy_object().bucket(&self.bucket).key(key);
            copy.copy_source(format!("/{}/from", self.bucket))
        };
        copy("to").send().await?;
        let one = HashMap::from([("a".to_owned(), "1".to_owned())]);
        same(self.head("to").await?.metadata(), Some(&one), "metadata")?;
        let replace = copy("to").metadata_directive(MetadataDirective::Replace);
        replace.metadata("b", "2").send().await?;
        let two = HashMap::from([("b".to_owned(), "2".to_owned())]);
        same(self.head("to").await?.metadata(), Some(&two), "metadata")?;
        refused(copy("from").send().await, "InvalidRequest", 400)?;
        Ok(())
    }

    async fn tags(&self) -> Outcome<()> {
        let (client, bucket, key) = (&self.client, &self.bucket, "tagged");
        let put = client.put_object().bucket(bucket).key(key).body(text("x"));
        put.tagging("one=1&two=a%20b").send().await?;
        same(client.get_object().bucket(bucket).key(key).send().await?.tag_count(), Some(2), "count")?;
        let tag = |key, value| Tag::builder().key(key).value(value).build().unwrap();
        let set = vec![tag("team", "a b+c"), tag("ünï", "")];
        let tagging = Tagging::builder().set_tag_set(Some(set.clone())).build()?;
        client.put_object_tagging().bucket(bucket).key(key).tagging(tagging.clone()).send().await?;
        let got = client.get_object_tagging().bucket(bucket).key(key).send().await?;
        same(got.tag_set(), set.as_slice(), "object tags")?;
        client.put_bucket_tagging().bucket(bucket).tagging(tagging).send().await?;
        let got = client.get_bucket_tagging().bucket(bucket).send().await?;
        same(got.tag_set(), set.as_slice(), "bucket tags")?;
        client.delete_bucket_tagging().bucket(bucket).send().await?;
        refused(client.get_bucket_tagging().bucket(bucket).send().await, "NoSuchTagSet", 404)?;
        Ok(())
    }

    /// Used through curl: an HTTP client of another make, as presigned URLs are.
    async fn presigned(&self) -> Outcome<()> {
        let key = "pre signed/ü+.txt";
        let hour = PresigningConfig::expires_in(Duration::from_secs(3600))?;
        let put = self.client.put_object().bucket(&self.bucket).key(key).content_type("text/plain");
        let put = put.presigned(hour.clone()).await?;
        let (code, body) = curl("PUT", put.uri(), put.headers(), Some("by url"))?;
        same(code.as_str(), "200", &body)?;
        let get = self.client.get_object().bucket(&self.bucket).key(key).presigned(hour).await?;
        let (code, body) = curl("GET", get.uri(), get.headers(), None)?;
        same((code.as_str(), body.as_str()), ("200", "by url"), "download")?;
        if env("S3MEM_VERIFIES") == "1" {
            let (code, body) = curl("DELETE", get.uri(), get.headers(), None)?;
            same(code.as_str(), "403", &body)?;
        }
        Ok(())
    }

    async fn versions(&self) -> Outcome<()> {
        let (client, own) = (&self.client, format!("{}-v", self.bucket));
        client.create_bucket().bucket(&own).send().await?;
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        client.put_bucket_versioning().bucket(&own).versioning_configuration(on).send().await?;
        let state = client.get_bucket_versioning().bucket(&own).send().await?;
        same(state.status(), Some(&BucketVersioningStatus::Enabled), "versioning")?;
        let put = |data| client.put_object().bucket(&own).key("v").body(text(data)).send();
        let one = put("one").await?.version_id.unwrap_or_default();
        let two = put("two").await?.version_id.unwrap_or_default();
        let get = || client.get_object().bucket(&own).key("v");
        let old = get().version_id(&one).send().await?;
        same_bytes(&old.body.collect().await?.to_vec(), b"one", "first version")?;
        let marker = client.delete_object().bucket(&own).key("v").send().await?;
        same(marker.delete_marker(), Some(true), "delete marker")?;
        let marker = marker.version_id.unwrap_or_default();
        check(refused(get().send().await, "NoSuchKey", 404)?.is_no_such_key(), "NoSuchKey")?;
        refused(get().version_id(&marker).send().await, "MethodNotAllowed", 405)?;
        let list = client.list_object_versions().bucket(&own).send().await?;
        let ids: Vec<_> = list.versions().iter().filter_map(|v| v.version_id()).collect();
        same(ids, vec![two.as_str(), one.as_str()], "versions")?;
        same(list.delete_markers()[0].version_id(), Some(marker.as_str()), "delete marker")?;
        client.delete_object().bucket(&own).key("v").version_id(&marker).send().await?;
        let back = get().send().await?;
        same_bytes(&back.body.collect().await?.to_vec(), b"two", "current version")?;
        for id in [&one, &two] {
            client.delete_object().bucket(&own).key("v").version_id(id).send().await?;
        }
        client.delete_bucket().bucket(&own).send().await?;
        Ok(())
    }

    async fn virtual_host(&self) -> Outcome<()> {
        let named = self.client.config().to_builder().endpoint_url(env("S3MEM_VHOST_URL")).build();
        let (client, own, key) =
            (Client::from_conf(named), format!("{}-host", self.bucket), "odd/ü +%");
        client.create_bucket().bucket(&own).send().await?;
        client.put_object().bucket(&own).key(key).body(text("by name")).send().await?;
        let reply = client.get_object().bucket(&own).key(key).send().await?;
        same_bytes(&reply.body.collect().await?.to_vec(), b"by name", "body")?;
        let hour = PresigningConfig::expires_in(Duration::from_secs(3600))?;
        let url = client.get_object().bucket(&own).key(key).presigned(hour).await?;
        check(url.uri().contains(&format!("://{own}.")), &format!("the bucket in {}", url.uri()))?;
        let (code, body) = curl("GET", url.uri(), std::iter::empty(), None)?;
        same((code.as_str(), body.as_str()), ("200", "by name"), "presigned")?;
        client.delete_object().bucket(&own).key(key).send().await?;
        client.delete_bucket().bucket(&own).send().await?;
        Ok(())
    }

    async fn clean_up(&self) -> Outcome<()> {
        loop {
            let mut keys = self.keys("").await?;
            if keys.is_empty() {
                break;
            }
            keys.truncate(1000);
            let call = self.client.delete_objects().bucket(&self.bucket).delete(deletion(&keys));
            call.send().await?;
        }
        self.client.delete_bucket().bucket(&self.bucket).send().await?;
        refused(self.client.head_bucket().bucket(&self.bucket).send().await, "NotFound", 404)?;
        Ok(())
    }
}

/// As copy sources want it: everything but the unreserved characters and slashes.
fn percent_encode(key: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    key.bytes().map(|b| if keep(b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}

fn curl<'a>(
    method: &str,
    url: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    body: Option<&str>,
) -> Outcome<(String, String)> {
    let mut command = std::process::Command::new("curl");
    command.args(["-s", "--path-as-is", "-X", method, "-w", "\n%{http_code}", url]);
    for (name, value) in headers {
        command.arg("-H").arg(format!("{name}: {value}"));
    }
    if let Some(body) = body {
        command.args(["--data-binary", body]);
    }
    let text = String::from_utf8(command.output()?.stdout)?;
    let (body, code) = text.rsplit_once('\n').ok_or("curl printed nothing")?;
    Ok((code.to_owned(), body.to_owned()))
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let config = aws_config::load_from_env().await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let s = Suite {
        client: Client::new(&config),
        bucket: format!("sdk-rust-{}-{now}", std::process::id()),
        big: noise(12 * MIB),
    };
    let mut checks = Checks::default();
    checks.step("create, head, locate and list buckets", s.buckets()).await;
    checks.step("put, head, get and delete a small object", s.small_object()).await;
    checks.step("an object of no bytes", s.no_bytes()).await;
    checks.step("12 MiB in one request, from memory and from a file", s.large_object()).await;
    checks.step("a stream (aws-chunked with a trailer)", s.stream()).await;
    checks.step("multipart: create, parts, lists, copy of a part, complete", s.multipart()).await;
    checks.step("multipart: abort, and the errors of complete", s.multipart_errors()).await;
    checks.step("checksums: every algorithm, stored and checked", s.checksums()).await;
    checks.step("ranges", s.ranges()).await;
    checks.step("conditional requests", s.conditional()).await;
    checks.step("errors become the types of the SDK", s.typed_errors()).await;
    checks.step("odd keys", s.odd_keys()).await;
    checks.step("list: pages, delimiter, start-after, max-keys", s.listing()).await;
    checks.step("copy: metadata kept and replaced", s.copies()).await;
    checks.step("tags of objects and buckets", s.tags()).await;
    checks.step("presigned URLs", s.presigned()).await;
    checks.step("versions", s.versions()).await;
    if !env("S3MEM_VHOST_URL").is_empty() {
        checks.step("virtual-host style", s.virtual_host()).await;
    }
    if !env("S3MEMCTL").is_empty() {
        // Only s3memd has faults to inject.
        faults::faults(&mut checks, &s.client, format!("{}-faults", s.bucket)).await.unwrap();
    }
    checks.step("empty and delete the bucket", s.clean_up()).await;
    checks.finish()
}
