// SPDX-License-Identifier: MIT

// minio-go against S3: the client's defaults; only endpoint and credentials are given.
package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
	"github.com/minio/minio-go/v7/pkg/tags"
)

const part = 5 << 20

var (
	ctx      = context.Background()
	endpoint = must(url.Parse(os.Getenv("AWS_ENDPOINT_URL")))
	client   = connect(false)
	bucket   = fmt.Sprintf("minio-go-%d-%d", os.Getpid(), time.Now().Unix())
	big      = make([]byte, 2*part+part/2)
	failures int
)

func connect(trailers bool) *minio.Client {
	return must(minio.New(endpoint.Host, &minio.Options{
		Creds: credentials.NewStaticV4(os.Getenv("AWS_ACCESS_KEY_ID"),
			os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
		Secure: endpoint.Scheme == "https", TrailingHeaders: trailers}))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func same(got, want any, what string) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Errorf("%s: got %.200v, want %.200v", what, got, want))
	}
}

func refused(err error, code string, status int) {
	reply := minio.ToErrorResponse(err)
	same([]any{reply.Code, reply.StatusCode}, []any{code, status}, fmt.Sprint(err))
}

// try runs one step; whatever it throws is a line of the report.
func try(name string, work func()) (failed bool) {
	defer func() {
		if cause := recover(); cause != nil {
			fmt.Printf("FAIL  %s: %v\n", name, cause)
			failed = true
		}
	}()
	work()
	fmt.Printf("ok    %s\n", name)
	return false
}

func put(c *minio.Client, key string, data []byte, options minio.PutObjectOptions) minio.UploadInfo {
	return must(c.PutObject(ctx, bucket, key, bytes.NewReader(data), int64(len(data)), options))
}

func get(key string, options minio.GetObjectOptions) []byte {
	object := must(client.GetObject(ctx, bucket, key, options))
	defer object.Close()
	return must(io.ReadAll(object))
}

func keys(options minio.ListObjectsOptions) (found []string) {
	for object := range client.ListObjects(ctx, bucket, options) {
		if object.Err != nil {
			panic(object.Err)
		}
		found = append(found, object.Key)
	}
	return found
}

func md5Of(data []byte) string {
	sum := md5.Sum(data)
	return hex.EncodeToString(sum[:])
}

func buckets() {
	if err := client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}); err != nil {
		panic(err)
	}
	same(must(client.BucketExists(ctx, bucket)), true, "it exists")
	same(must(client.BucketExists(ctx, bucket+"-absent")), false, "the other exists")
}

func objects() {
	options := minio.PutObjectOptions{ContentType: "text/plain", UserMetadata: map[string]string{"Owner": "a"},
		UserTags: map[string]string{"k": "v"}}
	for _, key := range []string{"a//b", "with space", "plus+percent%20", "ünïcödé/日本語/😀.txt", "q?x=1&y=2#frag"} {
		same(put(client, key, []byte("hello"), options).ETag, md5Of([]byte("hello")), "ETag")
		same(get(key, minio.GetObjectOptions{}), []byte("hello"), key)
		stat := must(client.StatObject(ctx, bucket, key, minio.StatObjectOptions{}))
		same([]any{stat.Size, stat.ContentType, stat.UserMetadata["Owner"], stat.UserTagCount},
			[]any{int64(5), "text/plain", "a", 1}, "stat")
	}
	var ranged minio.GetObjectOptions
	ranged.SetRange(1, 3)
	same(get("a//b", ranged), []byte("ell"), "range")
	same(must(client.GetObjectTagging(ctx, bucket, "a//b", minio.GetObjectTaggingOptions{})).ToMap(),
		map[string]string{"k": "v"}, "tags")
	_, err := client.StatObject(ctx, bucket, "absent", minio.StatObjectOptions{})
	refused(err, "NoSuchKey", 404)
}

// multipart puts in parts, of a size that is known and of one that is not.
func multipart(c *minio.Client, options minio.PutObjectOptions) {
	options.PartSize = part
	for _, size := range []int64{int64(len(big)), -1} {
		info := must(c.PutObject(ctx, bucket, "big", io.MultiReader(bytes.NewReader(big)), size, options))
		stat := must(c.StatObject(ctx, bucket, "big", minio.StatObjectOptions{}))
		same([]any{info.ETag, info.Size, info.ETag[32:]}, []any{stat.ETag, stat.Size, "-3"}, "the upload")
		same(md5Of(get("big", minio.GetObjectOptions{})), md5Of(big), "MD5 of the bytes")
	}
}

func plainMultipart() {
	for _, options := range []minio.PutObjectOptions{{}, {SendContentMd5: true}, {DisableContentSha256: true},
		{NumThreads: 3, ConcurrentStreamParts: true}} {
		multipart(client, options)
	}
}

func checksummedMultipart() {
	for _, sum := range []minio.ChecksumType{minio.ChecksumNone, minio.ChecksumCRC32C, minio.ChecksumSHA256,
		minio.ChecksumFullObjectCRC32, minio.ChecksumFullObjectCRC32C, minio.ChecksumCRC64NVME} {
		multipart(connect(true), minio.PutObjectOptions{Checksum: sum})
	}
}

// core lists for each part what its upload answered.
func core() {
	core := minio.Core{Client: client}
	id := must(core.NewMultipartUpload(ctx, bucket, "core", minio.PutObjectOptions{}))
	var listed []minio.CompletePart
	for number, data := range [][]byte{big[:part], big[:7]} {
		done := must(core.PutObjectPart(ctx, bucket, "core", id, number+1, bytes.NewReader(data),
			int64(len(data)), minio.PutObjectPartOptions{}))
		same(len(done.ChecksumCRC64NVME), 12, "length of a CRC64NVME")
		listed = append(listed, minio.CompletePart{PartNumber: done.PartNumber, ETag: done.ETag,
			ChecksumCRC64NVME: done.ChecksumCRC64NVME})
	}
	same(len(must(core.ListObjectParts(ctx, bucket, "core", id, 0, 10)).ObjectParts), 2, "parts")
	wrong := append([]minio.CompletePart{}, listed...)
	wrong[1].ChecksumCRC64NVME = listed[0].ChecksumCRC64NVME
	_, err := core.CompleteMultipartUpload(ctx, bucket, "core", id, wrong, minio.PutObjectOptions{})
	refused(err, "InvalidPart", 400)
	must(core.CompleteMultipartUpload(ctx, bucket, "core", id, listed, minio.PutObjectOptions{}))
	same(len(get("core", minio.GetObjectOptions{})), part+7, "size")
}

func copies() {
	put(client, "src", big, minio.PutObjectOptions{})
	src := minio.CopySrcOptions{Bucket: bucket, Object: "src"}
	must(client.CopyObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "copy"}, src))
	same(md5Of(get("copy", minio.GetObjectOptions{})), md5Of(big), "MD5 of the copy")
	must(client.ComposeObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "both"}, src, src))
	same(len(get("both", minio.GetObjectOptions{})), 2*len(big), "size of both")
}

func keysOfEncryption() {
	encryptions := []encrypt.ServerSide{must(encrypt.NewSSEKMS("alias/test", nil))}
	if endpoint.Scheme == "https" { // the client sends its own key over nothing else
		encryptions = append(encryptions, must(encrypt.NewSSEC(big[:32])))
	}
	for _, encryption := range encryptions {
		options := minio.PutObjectOptions{ServerSideEncryption: encryption}
		info := put(client, "small", []byte("hello"), options)
		same(info.ETag != md5Of([]byte("hello")), true, "the ETag is no MD5")
		options.PartSize = part
		put(client, "encrypted", big, options)
		var read minio.GetObjectOptions
		if encryption.Type() == encrypt.SSEC {
			read.ServerSideEncryption = encryption
		}
		same(md5Of(get("encrypted", read)), md5Of(big), "MD5 of the bytes")
	}
}

func conditions() {
	var options minio.PutObjectOptions
	options.SetMatchETagExcept("*")
	put(client, "once", []byte("1"), options)
	_, err := client.PutObject(ctx, bucket, "once", bytes.NewReader([]byte("2")), 1, options)
	refused(err, "PreconditionFailed", 412)
	same(get("once", minio.GetObjectOptions{}), []byte("1"), "the first")
}

func listings() {
	for _, key := range []string{"l/1", "l/2/3", "l/2/4"} {
		put(client, key, nil, minio.PutObjectOptions{})
	}
	same(keys(minio.ListObjectsOptions{Prefix: "l/"}), []string{"l/1", "l/2/"}, "a level")
	same(keys(minio.ListObjectsOptions{Prefix: "l/", Recursive: true, MaxKeys: 1}),
		[]string{"l/1", "l/2/3", "l/2/4"}, "all")
	set := must(tags.NewTags(map[string]string{"team": "s3"}, false))
	if err := client.SetBucketTagging(ctx, bucket, set); err != nil {
		panic(err)
	}
	same(must(client.GetBucketTagging(ctx, bucket)).ToMap(), set.ToMap(), "tags of the bucket")
}

func presigned() {
	target := must(client.PresignedPutObject(ctx, bucket, "signed", time.Minute))
	request := must(http.NewRequest("PUT", target.String(), bytes.NewReader([]byte("signed"))))
	same(must(http.DefaultClient.Do(request)).StatusCode, 200, "PUT")
	target = must(client.PresignedGetObject(ctx, bucket, "signed", time.Minute, nil))
	reply := must(http.Get(target.String()))
	same(must(io.ReadAll(reply.Body)), []byte("signed"), "GET")
}

func removal() {
	for failure := range client.RemoveObjects(ctx, bucket, client.ListObjects(ctx, bucket,
		minio.ListObjectsOptions{Recursive: true}), minio.RemoveObjectsOptions{}) {
		panic(failure.Err)
	}
	if err := client.RemoveBucket(ctx, bucket); err != nil {
		panic(err)
	}
}

func main() {
	must(rand.Read(big))
	steps := []struct {
		name string
		work func()
	}{
		{"make and find buckets", buckets}, {"objects, metadata, ranges, odd keys", objects},
		{"uploads in parts, without checksums", plainMultipart},
		{"uploads in parts, with checksums in trailers", checksummedMultipart},
		{"uploads part by part, what the server answered given back", core},
		{"copies and compositions", copies}, {"encryption", keysOfEncryption},
		{"conditional writes", conditions}, {"listings and tags", listings},
		{"presigned URLs", presigned}, {"remove everything", removal},
	}
	for _, step := range steps {
		if try(step.name, step.work) {
			failures++
		}
	}
	fmt.Printf("%d passed, %d failed\n", len(steps)-failures, failures)
	if failures > 0 {
		os.Exit(1)
	}
}
