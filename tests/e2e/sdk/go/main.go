// SPDX-License-Identifier: MIT

// AWS SDK for Go v2 against S3: the client's defaults; endpoint, region and credentials come from
// the environment (AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ...). S3MEM_VHOST_URL: the
// same server by a name whose sub-domains resolve; S3MEM_VERIFIES=1: it checks signatures.
package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const mib = 1 << 20

var oddKeys = []string{
	"with space.txt", "plus+plus", "percent%20literal", "100%", "ünïcödé/日本語/😀.txt", "a//b",
	"/leading", "trailing/", "q?x=1&y=2#frag", `quotes'"<>&amp;`, "semi;colon:eq=at@$,", "~*()!",
	`back\slash`, "dot/../segment",
}

var (
	ctx    = context.Background()
	cfg    = must(config.LoadDefaultConfig(ctx))
	client = s3.NewFromConfig(cfg)
	bucket = aws.String(fmt.Sprintf("sdk-go-%d-%d", os.Getpid(), time.Now().UnixMilli()))
	str    = aws.String
	big    = make([]byte, 12*mib)
)

func put(key string, body io.Reader) *s3.PutObjectOutput {
	return must(client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: body}))
}

func get(key string) []byte {
	return read(must(client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key})).Body)
}

func head(key string) (*s3.HeadObjectOutput, error) {
	return client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: &key})
}

func etag(data []byte) string { return fmt.Sprintf(`"%x"`, md5.Sum(data)) }

func listKeys(prefix string) (keys []string) {
	pages := s3.NewListObjectsV2Paginator(client,
		&s3.ListObjectsV2Input{Bucket: bucket, Prefix: &prefix, MaxKeys: aws.Int32(7)})
	for pages.HasMorePages() {
		for _, object := range must(pages.NextPage(ctx)).Contents {
			keys = append(keys, *object.Key)
		}
	}
	return keys
}

func prefixed(prefix string, keys []string) (out []string) {
	for _, key := range keys {
		out = append(out, prefix+key)
	}
	slices.Sort(out)
	return out
}

func identifiers(keys []string) (out []types.ObjectIdentifier) {
	for _, key := range keys {
		out = append(out, types.ObjectIdentifier{Key: str(key)})
	}
	return out
}

func main() {
	rand.Read(big)
	step("create, head, locate and list buckets", buckets)
	step("put, head, get and delete a small object", smallObject)
	step("an object of no bytes", noBytes)
	step("12 MiB in one request", largeObject)
	if strings.HasPrefix(os.Getenv("AWS_ENDPOINT_URL"), "https:") {
		// Over plain HTTP the SDK itself refuses a body that it can't read twice.
		step("an unseekable stream (aws-chunked with a trailer)", unseekable)
	}
	step("a stream of unknown length (transfermanager), and its parallel download", unknownLength)
	step("multipart by hand: create, parts, lists, copy of a part, complete", multipart)
	step("multipart: abort, and the errors of complete", multipartErrors)
	step("checksums: every algorithm, stored and checked", checksums)
	step("ranges", ranges)
	step("conditional requests", conditional)
	step("errors become the types of the SDK", typedErrors)
	step("user metadata beyond ASCII", metadata)
	step("odd keys", oddKeyNames)
	step("list: pages, delimiter, start-after, max-keys", listing)
	step("copy: metadata kept and replaced", copies)
	step("tags of objects and buckets", tags)
	step("presigned URLs", presigned)
	step("versions", versions)
	step("waiters", waiters)
	if os.Getenv("S3MEM_VHOST_URL") != "" {
		step("virtual-host style", virtualHost)
	}
	if os.Getenv("S3MEMCTL") != "" { // only s3memd has faults to inject
		faults()
	}
	step("empty and delete the bucket", cleanUp)
	finish()
}

func buckets() {
	must(client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}))
	must(client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket}))
	where := must(client.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: bucket}))
	same(where.LocationConstraint, types.BucketLocationConstraint(""), "location")
	list := must(client.ListBuckets(ctx, &s3.ListBucketsInput{}))
	check(slices.ContainsFunc(list.Buckets, func(b types.Bucket) bool {
		return *b.Name == *bucket && !b.CreationDate.IsZero()
	}), "the new bucket is listed")
}

func smallObject() {
	stored := must(client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: str("small"), Body: strings.NewReader("hello"),
		ContentType: str("text/plain"), CacheControl: str("max-age=5"),
		ContentDisposition: str(`attachment; filename="x.txt"`), ContentLanguage: str("de"),
		Metadata: map[string]string{"Author": "me", "empty": ""},
	}))
	same(*stored.ETag, etag([]byte("hello")), "ETag")
	same(aws.ToString(stored.ChecksumCRC32), "NhCmhg==", "CRC32")
	meta := must(head("small"))
	same(*meta.ContentLength, int64(5), "length")
	same(*meta.ContentType, "text/plain", "content type")
	same(meta.Metadata, map[string]string{"author": "me", "empty": ""}, "metadata")
	check(time.Since(*meta.LastModified).Abs() < time.Minute, "Last-Modified is now")
	reply := must(client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: str("small")}))
	same(string(read(reply.Body)), "hello", "body")
	same(*reply.CacheControl, "max-age=5", "Cache-Control")
	same(*reply.ContentDisposition, `attachment; filename="x.txt"`, "Content-Disposition")
	same(*reply.ContentLanguage, "de", "Content-Language")
	for range 2 {
		must(client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: str("small")}))
	}
	_, err := head("small")
	refused(0, err, "NotFound", 404)
}

func noBytes() {
	put("empty", strings.NewReader(""))
	put("empty/no-body", nil)
	same(len(get("empty")), 0, "length")
	same(len(get("empty/no-body")), 0, "length")
}

func largeObject() {
	same(*put("big", bytes.NewReader(big)).ETag, etag(big), "ETag")
	sameBytes(get("big"), big, "big")
}

func unseekable() {
	stored := must(client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: str("streamed"),
		Body: io.MultiReader(bytes.NewReader(big)), ContentLength: aws.Int64(12 * mib),
		ContentEncoding: str("br")}))
	same(*stored.ETag, etag(big), "ETag")
	sameBytes(get("streamed"), big, "streamed")
	same(aws.ToString(must(head("streamed")).ContentEncoding), "br", "Content-Encoding")
}

// Above 16 MiB transfermanager uploads in parts.
func unknownLength() {
	manager := transfermanager.New(client)
	for key, size := range map[string]int{"up/small": mib, "up/large": 20 * mib} {
		data := bytes.Repeat(big, 2)[:size]
		source, sink := io.Pipe()
		go func() {
			_, err := sink.Write(data)
			sink.CloseWithError(err)
		}()
		done := must(manager.UploadObject(ctx, &transfermanager.UploadObjectInput{
			Bucket: bucket, Key: &key, Body: source, Metadata: map[string]string{"from": "pipe"},
		}))
		check(done.ETag != nil, "an ETag")
		sameBytes(get(key), data, key)
		same(must(head(key)).Metadata, map[string]string{"from": "pipe"}, "metadata")
		back := must(manager.GetObject(ctx, &transfermanager.GetObjectInput{Bucket: bucket, Key: &key}))
		sameBytes(must(io.ReadAll(back.Body)), data, "parallel download of "+key)
	}
}

func multipart() {
	key := str("multi part")
	upload := must(client.CreateMultipartUpload(ctx,
		&s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, ContentType: str("a/b")}))
	part := func(number int32, data []byte) types.CompletedPart {
		done := must(client.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key,
			UploadId: upload.UploadId, PartNumber: &number, Body: bytes.NewReader(data)}))
		return types.CompletedPart{PartNumber: &number, ETag: done.ETag}
	}
	parts := []types.CompletedPart{part(1, big[:5*mib])}
	copied := must(client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: bucket, Key: key,
		UploadId: upload.UploadId, PartNumber: aws.Int32(2), CopySource: str(*bucket + "/big"),
		CopySourceRange: str(fmt.Sprintf("bytes=0-%d", 5*mib-1))}))
	parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(2), ETag: copied.CopyPartResult.ETag},
		part(7, []byte("tail")))

	var sizes []int64
	pages := s3.NewListPartsPaginator(client, &s3.ListPartsInput{Bucket: bucket, Key: key,
		UploadId: upload.UploadId, MaxParts: aws.Int32(2)})
	for pages.HasMorePages() {
		for _, p := range must(pages.NextPage(ctx)).Parts {
			sizes = append(sizes, int64(*p.PartNumber), *p.Size)
		}
	}
	same(sizes, []int64{1, 5 * mib, 2, 5 * mib, 7, 4}, "numbers and sizes of the parts")
	uploads := must(client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket}))
	check(slices.ContainsFunc(uploads.Uploads, func(u types.MultipartUpload) bool {
		return *u.UploadId == *upload.UploadId && *u.Key == *key
	}), "the upload is listed")
	done := must(client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket,
		Key: key, UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}))
	check(strings.HasSuffix(*done.ETag, `-3"`), "the ETag ends in -3")
	sameBytes(get(*key), slices.Concat(big[:5*mib], big[:5*mib], []byte("tail")), *key)
	second := must(client.GetObject(ctx,
		&s3.GetObjectInput{Bucket: bucket, Key: key, PartNumber: aws.Int32(2)}))
	sameBytes(read(second.Body), big[:5*mib], "part 2")
	same(aws.ToInt32(second.PartsCount), int32(3), "parts count")
	same(*second.ContentType, "a/b", "content type")
}

func multipartErrors() {
	key := str("aborted")
	upload := must(client.CreateMultipartUpload(ctx,
		&s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})).UploadId
	var parts []types.CompletedPart
	for number := int32(1); number <= 2; number++ {
		done := must(client.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key,
			UploadId: upload, PartNumber: &number, Body: strings.NewReader("x")}))
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(number), ETag: done.ETag})
	}
	complete := func(parts ...types.CompletedPart) (*s3.CompleteMultipartUploadOutput, error) {
		return client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket,
			Key: key, UploadId: upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	}
	out, err := complete(parts...)
	refused(out, err, "EntityTooSmall", 400)
	out, err = complete(parts[1], parts[0])
	refused(out, err, "InvalidPartOrder", 400)
	out, err = complete(types.CompletedPart{PartNumber: aws.Int32(3), ETag: parts[0].ETag})
	refused(out, err, "InvalidPart", 400)
	must(client.AbortMultipartUpload(ctx,
		&s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: upload}))
	_, err = client.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: upload})
	refused(0, err, "NoSuchUpload", 404)
}

func checksums() {
	for _, algorithm := range types.ChecksumAlgorithm("").Values() {
		switch algorithm {
		case types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmSha1,
			types.ChecksumAlgorithmSha256, types.ChecksumAlgorithmCrc64nvme:
		default: // known to the model, but this SDK does not compute it
			continue
		}
		key := str("sum/" + string(algorithm))
		must(client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key,
			Body: strings.NewReader("hello"), ChecksumAlgorithm: algorithm}))
		reply := must(client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key,
			ChecksumMode: types.ChecksumModeEnabled}))
		same(string(read(reply.Body)), "hello", "body")
		got := map[types.ChecksumAlgorithm]*string{
			types.ChecksumAlgorithmCrc32: reply.ChecksumCRC32, types.ChecksumAlgorithmCrc32c: reply.ChecksumCRC32C,
			types.ChecksumAlgorithmSha1: reply.ChecksumSHA1, types.ChecksumAlgorithmSha256: reply.ChecksumSHA256,
			types.ChecksumAlgorithmCrc64nvme: reply.ChecksumCRC64NVME,
		}
		want := map[types.ChecksumAlgorithm]string{
			types.ChecksumAlgorithmCrc32: "NhCmhg==", types.ChecksumAlgorithmCrc32c: "mnG7TA==",
			types.ChecksumAlgorithmSha1:      "qvTGHdzF6KLavt4PO0gs2a6pQ00=",
			types.ChecksumAlgorithmSha256:    "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
			types.ChecksumAlgorithmCrc64nvme: "M3eFcAZSQlc=",
		}
		same(aws.ToString(got[algorithm]), want[algorithm], string(algorithm))
	}
	out, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: str("sum/bad"),
		Body: strings.NewReader("hello"), ChecksumCRC32: str("AAAAAA==")})
	refused(out, err, "BadDigest", 400)
	attributes := must(client.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: bucket,
		Key: str("sum/SHA256"), ObjectAttributes: []types.ObjectAttributes{
			types.ObjectAttributesChecksum, types.ObjectAttributesObjectSize, types.ObjectAttributesEtag}}))
	same(*attributes.ObjectSize, int64(5), "ObjectSize")
	same(*attributes.Checksum.ChecksumSHA256, "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", "SHA256")
}

func ranges() {
	put("range", strings.NewReader("0123456789"))
	part := func(spec string) (*s3.GetObjectOutput, error) {
		return client.GetObject(ctx,
			&s3.GetObjectInput{Bucket: bucket, Key: str("range"), Range: &spec})
	}
	for spec, want := range map[string]string{"bytes=2-4": "234", "bytes=7-": "789", "bytes=-2": "89",
		"bytes=8-99": "89"} {
		same(string(read(must(part(spec)).Body)), want, spec)
	}
	same(*must(part("bytes=2-4")).ContentRange, "bytes 2-4/10", "Content-Range")
	out, err := part("bytes=10-")
	refused(out, err, "InvalidRange", 416)
}

func conditional() {
	key := str("conditional")
	try := func(ifMatch, ifNoneMatch *string) (*s3.PutObjectOutput, error) {
		return client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key,
			Body: strings.NewReader("1"), IfMatch: ifMatch, IfNoneMatch: ifNoneMatch})
	}
	first := must(try(nil, str("*")))
	out, err := try(nil, str("*"))
	refused(out, err, "PreconditionFailed", 412)
	out, err = try(str(`"0"`), nil)
	refused(out, err, "PreconditionFailed", 412)
	must(try(first.ETag, nil))
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, IfMatch: str(`"0"`)})
	refused(0, err, "PreconditionFailed", 412)
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, IfNoneMatch: first.ETag})
	refused(0, err, "NotModified", 304)
}

func typedErrors() {
	_, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: str("absent")})
	refused(0, err, "NoSuchKey", 404)
	var noKey *types.NoSuchKey
	check(errors.As(err, &noKey), "a *types.NoSuchKey")
	var ids interface {
		ServiceRequestID() string
		ServiceHostID() string
	}
	check(errors.As(err, &ids) && ids.ServiceRequestID() != "" && ids.ServiceHostID() != "", "request ids")
	absent := str(*bucket + "-absent")
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: absent, Key: str("x")})
	refused(0, err, "NoSuchBucket", 404)
	_, err = client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: absent})
	refused(0, err, "NotFound", 404)
	_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
	refused(0, err, "BucketNotEmpty", 409)
	if os.Getenv("S3MEM_VERIFIES") == "1" {
		wrong := func(id string) error {
			thief := s3.NewFromConfig(cfg, func(o *s3.Options) {
				o.Credentials = credentials.NewStaticCredentialsProvider(id, "wrong", "")
			})
			_, err := thief.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
			return err
		}
		refused(0, wrong(os.Getenv("AWS_ACCESS_KEY_ID")), "SignatureDoesNotMatch", 403)
		refused(0, wrong("NOBODY"), "InvalidAccessKeyId", 403)
	}
}

// net/http sends the UTF-8 as it is. S3 takes it for Latin-1 and gives it back in RFC 2047 form (the
// user guide's page on object metadata shows it), so that one more step leads back to the text.
func metadata() {
	want := map[string]string{"name": "Grüße, 世界", "plain": "a=b; c"}
	must(client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: str("metadata"), Metadata: want}))
	got := must(head("metadata")).Metadata
	for name, value := range got {
		var bytes []byte
		for _, char := range must(new(mime.WordDecoder).DecodeHeader(value)) {
			bytes = append(bytes, byte(char))
		}
		got[name] = string(bytes)
	}
	same(got, want, "metadata")
}

func oddKeyNames() {
	for _, key := range oddKeys {
		data := "content of " + key
		put("odd/"+key, strings.NewReader(data))
		same(string(get("odd/"+key)), data, key)
		must(client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: str("odd-copy/" + key),
			CopySource: str(*bucket + "/" + url.QueryEscape("odd/"+key))}))
		same(string(get("odd-copy/"+key)), data, "copy of "+key)
	}
	same(listKeys("odd/"), prefixed("odd/", oddKeys), "odd keys")
	for _, key := range oddKeys {
		must(client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: str("odd/" + key)}))
	}
	same(len(listKeys("odd/")), 0, "keys left by DeleteObject")
	gone := must(client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket,
		Delete: &types.Delete{Objects: identifiers(prefixed("odd-copy/", oddKeys))}}))
	same(len(gone.Deleted), len(oddKeys), "deleted")
	same(len(gone.Errors), 0, "errors of DeleteObjects")
	same(len(listKeys("odd-copy/")), 0, "keys left by DeleteObjects")
}

func listing() {
	var keys []string
	for i := range 25 {
		keys = append(keys, fmt.Sprintf("%c/%d", 'a'+i%5, 10+i))
		put("list/"+keys[i], strings.NewReader("x"))
	}
	same(listKeys("list/"), prefixed("list/", keys), "all pages")
	folders := must(client.ListObjectsV2(ctx,
		&s3.ListObjectsV2Input{Bucket: bucket, Prefix: str("list/"), Delimiter: str("/")}))
	var names []string
	for _, folder := range folders.CommonPrefixes {
		names = append(names, *folder.Prefix)
	}
	same(names, []string{"list/a/", "list/b/", "list/c/", "list/d/", "list/e/"}, "common prefixes")
	same(*folders.KeyCount, int32(5), "KeyCount")
	page := must(client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket,
		Prefix: str("list/"), StartAfter: str("list/d/28"), MaxKeys: aws.Int32(2)}))
	same([]string{*page.Contents[0].Key, *page.Contents[1].Key}, []string{"list/d/33", "list/e/14"}, "page")
	check(*page.IsTruncated, "truncated")
}

func copies() {
	must(client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: str("from"),
		Body: strings.NewReader("data"), Metadata: map[string]string{"a": "1"}}))
	source := str(*bucket + "/from")
	done := must(client.CopyObject(ctx,
		&s3.CopyObjectInput{Bucket: bucket, Key: str("to"), CopySource: source}))
	same(*done.CopyObjectResult.ETag, etag([]byte("data")), "ETag")
	same(must(head("to")).Metadata, map[string]string{"a": "1"}, "metadata")
	must(client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: str("to"), CopySource: source,
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"b": "2"}}))
	same(must(head("to")).Metadata, map[string]string{"b": "2"}, "metadata")
	_, err := client.CopyObject(ctx,
		&s3.CopyObjectInput{Bucket: bucket, Key: str("from"), CopySource: source})
	refused(0, err, "InvalidRequest", 400)
}

func tags() {
	set := []types.Tag{{Key: str("team"), Value: str("a b+c")}, {Key: str("ünï"), Value: str("")}}
	key := str("tagged")
	must(client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Tagging: str("one=1&two=a%20b")}))
	same(aws.ToInt32(must(client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})).TagCount),
		int32(2), "tag count")
	must(client.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: bucket, Key: key,
		Tagging: &types.Tagging{TagSet: set}}))
	same(must(client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: key})).TagSet,
		set, "object tags")
	must(client.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: bucket,
		Tagging: &types.Tagging{TagSet: set}}))
	same(must(client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: bucket})).TagSet,
		set, "bucket tags")
	must(client.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: bucket}))
	_, err := client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: bucket})
	refused(0, err, "NoSuchTagSet", 404)
}

func fetch(method, url string, header http.Header, body io.Reader) (int, string) {
	request := must(http.NewRequest(method, url, body))
	for name, values := range header {
		if name != "Host" && name != "Content-Length" { // net/http sets these itself
			request.Header[name] = values
		}
	}
	reply := must(http.DefaultClient.Do(request))
	return reply.StatusCode, string(read(reply.Body))
}

func presigned() {
	signer := s3.NewPresignClient(client)
	key := str("pre signed/ü+.txt")
	up := must(signer.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key,
		ContentType: str("text/plain"), ContentLength: aws.Int64(6)}))
	status, text := fetch(up.Method, up.URL, up.SignedHeader, strings.NewReader("by url"))
	same(status, 200, text)
	down := must(signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key}))
	status, text = fetch(down.Method, down.URL, down.SignedHeader, nil)
	same(status, 200, text)
	same(text, "by url", "body")
	form := must(signer.PresignPostObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: str("posted")}))
	check(form.Values["policy"] != "", "a policy for a browser form")
	if os.Getenv("S3MEM_VERIFIES") == "1" {
		status, text = fetch("DELETE", up.URL, up.SignedHeader, nil)
		same(status, 403, text)
	}
}

func versions() {
	versioned := str(*bucket + "-v")
	key := str("v")
	must(client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: versioned}))
	must(client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: versioned,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}))
	same(must(client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: versioned})).Status,
		types.BucketVersioningStatusEnabled, "versioning")
	store := func(text string) *string {
		return must(client.PutObject(ctx, &s3.PutObjectInput{Bucket: versioned, Key: key,
			Body: strings.NewReader(text)})).VersionId
	}
	load := func(version *string) string {
		return string(read(must(client.GetObject(ctx,
			&s3.GetObjectInput{Bucket: versioned, Key: key, VersionId: version})).Body))
	}
	one, two := store("one"), store("two")
	same(load(one), "one", "first version")
	marker := must(client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: versioned, Key: key}))
	check(aws.ToBool(marker.DeleteMarker), "a delete marker")
	_, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: versioned, Key: key})
	refused(0, err, "NoSuchKey", 404)
	_, err = client.GetObject(ctx,
		&s3.GetObjectInput{Bucket: versioned, Key: key, VersionId: marker.VersionId})
	refused(0, err, "MethodNotAllowed", 405)
	list := must(client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: versioned}))
	same([]string{*list.Versions[0].VersionId, *list.Versions[1].VersionId}, []string{*two, *one}, "versions")
	same(*list.DeleteMarkers[0].VersionId, *marker.VersionId, "delete marker")
	must(client.DeleteObject(ctx,
		&s3.DeleteObjectInput{Bucket: versioned, Key: key, VersionId: marker.VersionId}))
	same(load(nil), "two", "current version")
	must(client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: versioned,
		Delete: &types.Delete{Quiet: aws.Bool(true), Objects: []types.ObjectIdentifier{
			{Key: key, VersionId: one}, {Key: key, VersionId: two}}}}))
	must(client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: versioned}))
}

func waiters() {
	check(s3.NewObjectExistsWaiter(client).Wait(ctx,
		&s3.HeadObjectInput{Bucket: bucket, Key: str("big")}, 20*time.Second) == nil, "the object exists")
	check(s3.NewBucketNotExistsWaiter(client).Wait(ctx,
		&s3.HeadBucketInput{Bucket: str(*bucket + "-absent")}, 20*time.Second) == nil, "no such bucket")
}

func virtualHost() {
	named := s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint = str(os.Getenv("S3MEM_VHOST_URL")) })
	own, key := str(*bucket+"-host"), str("odd/ü +%")
	must(named.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: own}))
	must(named.PutObject(ctx, &s3.PutObjectInput{Bucket: own, Key: key, Body: strings.NewReader("by name")}))
	reply := must(named.GetObject(ctx, &s3.GetObjectInput{Bucket: own, Key: key}))
	same(string(read(reply.Body)), "by name", "body")
	signed := must(s3.NewPresignClient(named).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: own, Key: key}))
	check(strings.HasPrefix(signed.URL, "http://"+*own+"."), "the bucket in the host name: "+signed.URL)
	status, text := fetch("GET", signed.URL, nil, nil)
	same([]any{status, text}, []any{200, "by name"}, "presigned")
	must(named.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: own, Key: key}))
	must(named.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: own}))
}

func cleanUp() {
	for keys := listKeys(""); len(keys) > 0; keys = listKeys("") {
		must(client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket,
			Delete: &types.Delete{Objects: identifiers(keys[:min(1000, len(keys))])}}))
	}
	must(client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}))
	_, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket})
	refused(0, err, "NotFound", 404)
}
