// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// failure is what the checks below throw and step catches.
type failure string

var passed, failed int

func step(name string, work func()) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
			passed++
			fmt.Printf("ok    %s\n", name)
		case failure:
			failed++
			fmt.Printf("FAIL  %s: %s\n", name, string(cause))
		default:
			panic(cause)
		}
	}()
	work()
}

func finish() {
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func fail(format string, args ...any) {
	// The line of the program, not of this file: the first frame outside of it.
	at := "?"
	for skip := 1; skip < 6; skip++ {
		if _, file, line, ok := runtime.Caller(skip); ok && file[len(file)-8:] != "check.go" {
			at = fmt.Sprintf("%s:%d", file[max(0, len(file)-7):], line)
			break
		}
	}
	panic(failure(at + ": " + fmt.Sprintf(format, args...)))
}

// must passes a call's result on, or fails the step.
func must[T any](value T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return value
}

func check(ok bool, what string) {
	if !ok {
		fail("not true: %s", what)
	}
}

func same(got, want any, what string) {
	if !reflect.DeepEqual(got, want) {
		fail("%s: got %s, want %s", what, show(got), show(want))
	}
}

// show is the value as JSON, which follows pointers; long ones are cut.
func show(value any) string {
	text := must(json.Marshal(value))
	if len(text) > 500 {
		return fmt.Sprintf("%s... (%d bytes)", text[:500], len(text))
	}
	return string(text)
}

func sameBytes(got, want []byte, what string) {
	if !bytes.Equal(got, want) {
		fail("%s: %d bytes with MD5 %x differ from the %d bytes with MD5 %x that were stored",
			what, len(got), md5.Sum(got), len(want), md5.Sum(want))
	}
}

// refused checks the code and the status of a call that must fail.
func refused[T any](_ T, err error, code string, status int) {
	if err == nil {
		fail("%s expected, but it succeeded", code)
	}
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		fail("%s expected: %v", code, err)
	}
	var reply *smithyhttp.ResponseError
	check(errors.As(err, &reply), "an HTTP response error")
	same(reply.HTTPStatusCode(), status, "status of "+code)
}

func read(body io.ReadCloser) []byte {
	defer body.Close()
	return must(io.ReadAll(body))
}
