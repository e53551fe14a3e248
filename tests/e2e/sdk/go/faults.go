// SPDX-License-Identifier: MIT

// What this SDK makes of faults that the server injects, with its retries as they are by default.
// The server's journal says how often a call was tried and how each attempt ended.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

var (
	faulty     = str(*bucket + "-faults")
	faultyData = make([]byte, 128<<10)
	faultyKeys int
)

// faultyClient is one with a pool of its own: how many idle connections there are makes a
// difference below.
func faultyClient() *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.HTTPClient = awshttp.NewBuildableClient() })
}

func s3memctl(out any, args ...string) {
	args = append(args, "--json")
	if cert := os.Getenv("SSL_CERT_FILE"); cert != "" {
		args = append(args, "--cacert", cert)
	}
	text, err := exec.Command(os.Getenv("S3MEMCTL"), args...).Output()
	if err != nil {
		fail("s3memctl %s: %v", strings.Join(args, " "), err)
	}
	if out != nil {
		must(0, json.Unmarshal(text, out))
	}
}

func faultyPut(by *s3.Client, key string) error {
	_, err := by.PutObject(ctx,
		&s3.PutObjectInput{Bucket: faulty, Key: &key, Body: bytes.NewReader(faultyData)})
	return err
}

func faultyGet(by *s3.Client, key string) error {
	reply, err := by.GetObject(ctx, &s3.GetObjectInput{Bucket: faulty, Key: &key})
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(reply.Body)
	if err == nil {
		sameBytes(data, faultyData, key)
	}
	return err
}

// attempts says how each attempt ended, in order: its status, or "cut" if its reply did not arrive
// as a whole.
func attempts(operation, key string, count int) string {
	var journal struct {
		Requests []struct {
			Status  int
			Aborted bool
		}
	}
	s3memctl(&journal, "requests", "--bucket", *faulty, "--key", key, "--operation", operation,
		"--count", strconv.Itoa(count), "--wait", "60s")
	var ends []string
	for _, request := range journal.Requests {
		if request.Aborted {
			ends = append(ends, "cut")
		} else {
			ends = append(ends, strconv.Itoa(request.Status))
		}
	}
	slices.Reverse(ends)
	return strings.Join(ends, " ")
}

// under makes one call on an object of its own under one rule.
func under(by *s3.Client, operation, rule, tried string) (key string, err error, took time.Duration) {
	faultyKeys++
	key = fmt.Sprintf("k%d", faultyKeys)
	call := faultyPut
	if operation == "GetObject" {
		must(0, faultyPut(by, key))
		call = faultyGet
	}
	var added struct{ ID int }
	s3memctl(&added, append([]string{"fault", "add", "--bucket", *faulty, "--operation", operation},
		strings.Fields(rule)...)...)
	began := time.Now()
	err = call(by, key)
	took = time.Since(began)
	s3memctl(nil, "fault", "remove", strconv.Itoa(added.ID))
	same(attempts(operation, key, len(strings.Fields(tried))), tried,
		fmt.Sprintf("attempts of %s under %s (%v)", operation, rule, err))
	return key, err, took
}

func succeeds(by *s3.Client, operation, rule, tried string) time.Duration {
	key, err, took := under(by, operation, rule, tried)
	must(0, err)
	must(0, faultyGet(by, key))
	return took
}

func isMaxAttempts(err error) {
	var gaveUp *retry.MaxAttemptsError
	check(errors.As(err, &gaveUp) && gaveUp.Attempt == 3, fmt.Sprintf("given up after 3: %v", err))
}

// forBoth gives each operation a client, so that there is at most one idle connection.
func forBoth(work func(by *s3.Client, operation string)) {
	for _, operation := range []string{"PutObject", "GetObject"} {
		work(faultyClient(), operation)
	}
}

// Three attempts, where nothing else is said.
func faultErrors() {
	forBoth(func(by *s3.Client, operation string) {
		succeeds(by, operation, "--error InternalError --times 2", "500 500 200")
		_, err, _ := under(by, operation, "--error InternalError", "500 500 500")
		refused(0, err, "InternalError", 500)
		isMaxAttempts(err)
	})
}

// Retry-After is not looked at, only x-amz-retry-after: the delay is that of the SDK, 2 s at most.
func faultSlowDown() {
	forBoth(func(by *s3.Client, operation string) {
		took := succeeds(by, operation, "--error SlowDown --retry-after 30 --times 1", "503 200")
		check(took < 30*time.Second, "Retry-After is ignored")
	})
}

func faultRefusal() {
	forBoth(func(by *s3.Client, operation string) {
		_, err, _ := under(by, operation, "--error AccessDenied --times 1", "403")
		refused(0, err, "AccessDenied", 403)
	})
}

// There is no timeout by default. That of the HTTP client is one of each attempt.
func faultLatency() {
	by := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(3 * time.Second)
	})
	forBoth(func(_ *s3.Client, operation string) {
		took := succeeds(by, operation, "--latency 10m --times 1", "cut 200")
		check(took >= 3*time.Second, "the timeout passed")
	})
}

// A request that could not be sent, or was not answered, is tried again, whether or not it was
// carried out.
func faultCutEarly() {
	for _, cut := range []string{"request", "before"} {
		forBoth(func(by *s3.Client, operation string) {
			succeeds(by, operation, "--times 1 --cut "+cut, "cut 200")
			tried := "cut cut cut"
			if operation == "GetObject" {
				// net/http tries a GET again by itself if it was sent on a connection that had been
				// used before, as here for the PUT. The SDK counts the two as one.
				tried = "cut cut cut cut"
			}
			key, err, _ := under(by, operation, "--cut "+cut, tried)
			isMaxAttempts(err)
			var unsent *smithyhttp.RequestSendError
			check(errors.As(err, &unsent), fmt.Sprintf("a RequestSendError: %v", err))
			if operation == "GetObject" {
				return
			}
			if stored := faultyGet(by, key); cut == "before" {
				must(0, stored)
			} else {
				refused(0, stored, "NoSuchKey", 404)
			}
		})
	}
}

// GetObject has returned by then: who reads the body gets the error, and nothing is retried. The
// reply to PutObject has no body to be cut in: its head does not arrive.
func faultCutDuring() {
	_, err, _ := under(faultyClient(), "GetObject", "--cut during --times 1", "cut")
	check(errors.Is(err, io.ErrUnexpectedEOF), fmt.Sprintf("unexpected EOF: %v", err))
	succeeds(faultyClient(), "PutObject", "--cut during --times 1", "cut 200")
}

// The connection is not used again; the call that would have does not notice.
func faultCutAfter() {
	forBoth(func(by *s3.Client, operation string) {
		succeeds(by, operation, "--cut after --times 1", "200")
	})
}

// The checksum of the reply is checked at the end of the body; nothing is retried.
func faultSpoiled() {
	for _, rule := range []string{"--truncate 1000", "--truncate 0", "--corrupt middle", "--corrupt 0"} {
		_, err, _ := under(faultyClient(), "GetObject", rule+" --times 1", "200")
		check(err != nil && strings.HasPrefix(err.Error(), "checksum did not match: algorithm CRC32"),
			fmt.Sprintf("%s: a checksum error: %v", rule, err))
	}
}

func faultBandwidth() {
	forBoth(func(by *s3.Client, operation string) {
		took := succeeds(by, operation, "--bandwidth 128KiB --times 1", "200")
		check(took >= time.Second/2, "it took its time")
	})
}

func faultCleanUp() {
	for i := range faultyKeys {
		must(client.DeleteObject(ctx,
			&s3.DeleteObjectInput{Bucket: faulty, Key: str(fmt.Sprintf("k%d", i+1))}))
	}
	must(client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: faulty}))
}

func faults() {
	rand.Read(faultyData)
	must(client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: faulty}))
	step("fault: 500 twice, and for good", faultErrors)
	step("fault: 503 SlowDown with Retry-After", faultSlowDown)
	step("fault: a refusal is not retried", faultRefusal)
	step("fault: latency beyond the timeout", faultLatency)
	step("fault: cut in place of the request, before the reply", faultCutEarly)
	step("fault: cut during the reply", faultCutDuring)
	step("fault: cut after the reply", faultCutAfter)
	step("fault: a truncated and a corrupted body", faultSpoiled)
	step("fault: little bandwidth", faultBandwidth)
	step("fault: remove what the faults were about", faultCleanUp)
}
