// SPDX-License-Identifier: MIT

//! What this SDK makes of faults that the server injects, with its retries as they are by default.
//! The server's journal says how often a call was tried and how each attempt ended.

use std::cell::Cell;
use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use aws_sdk_s3::Client;

use crate::check::{check, same, same_bytes, Checks, Outcome};
use crate::{env, noise};

const BOTH: [&str; 2] = ["PutObject", "GetObject"];

pub struct Faults {
    client: Client,
    bucket: String,
    data: Vec<u8>,
    keys: Cell<u32>,
}

/// What came of one call under one rule.
struct Seen {
    key: String,
    reply: Outcome<()>,
    took: Duration,
}

fn s3memctl(args: &[&str]) -> Outcome<String> {
    let mut command = Command::new(env("S3MEMCTL"));
    command.args(args);
    if !env("SSL_CERT_FILE").is_empty() {
        command.args(["--cacert", &env("SSL_CERT_FILE")]);
    }
    let output = command.output()?;
    check(output.status.success(), &String::from_utf8_lossy(&output.stderr))?;
    Ok(String::from_utf8(output.stdout)?)
}

impl Faults {
    async fn put(&self, by: &Client, key: &str) -> Outcome<()> {
        let body = ByteStream::from(self.data.clone());
        by.put_object().bucket(&self.bucket).key(key).body(body).send().await?;
        Ok(())
    }

    async fn get(&self, by: &Client, key: &str) -> Outcome<()> {
        let reply = by.get_object().bucket(&self.bucket).key(key).send().await?;
        same_bytes(&reply.body.collect().await?.to_vec(), &self.data, key)
    }

    /// How each attempt ended, in order: its status, or "cut" if its reply did not arrive as a
    /// whole. The journal's JSON is read without a parser: each request has its status before
    /// `aborted`, and quotes within its texts are escaped.
    fn attempts(&self, operation: &str, key: &str, count: usize) -> Outcome<String> {
        let count = count.to_string();
        let args = ["requests", "--json", "--bucket", &self.bucket, "--operation", operation];
        let more = ["--key", key, "--count", &count, "--wait", "60s"];
        let json = s3memctl(&[&args[..], &more[..]].concat())?;
        let mut ends = Vec::new();
        for request in json.split("\"status\":").skip(1) {
            let cut = request.contains("\"aborted\":true");
            ends.push(if cut { "cut" } else { &request[..3] });
        }
        ends.reverse();
        Ok(ends.join(" "))
    }

    /// One call on an object of its own under one rule.
    async fn under(&self, by: &Client, operation: &str, rule: &str, tried: &str) -> Outcome<Seen> {
        let key = format!("k{}", self.keys.replace(self.keys.get() + 1));
        if operation == "GetObject" {
            self.put(by, &key).await?;
        }
        let add = ["fault", "add", "--bucket", &self.bucket, "--operation", operation];
        let words: Vec<&str> = add.into_iter().chain(rule.split(' ')).collect();
        let added = s3memctl(&words)?;
        let began = Instant::now();
        let reply = match operation {
            "GetObject" => self.get(by, &key).await,
            _ => self.put(by, &key).await,
        };
        let took = began.elapsed();
        s3memctl(&["fault", "remove", added.trim().trim_start_matches("rule ")])?;
        let seen = self.attempts(operation, &key, tried.split(' ').count())?;
        let what = format!("attempts of {operation} under {rule} ({})", kind(&reply));
        same(seen.as_str(), tried, &what)?;
        Ok(Seen { key, reply, took })
    }

    /// A call that succeeds, and the right bytes afterwards.
    async fn succeeds(
        &self,
        by: &Client,
        operation: &str,
        rule: &str,
        tried: &str,
    ) -> Outcome<Duration> {
        let seen = self.under(by, operation, rule, tried).await?;
        seen.reply?;
        self.get(&self.client, &seen.key).await?;
        Ok(seen.took)
    }

    /// Three attempts, where nothing else is said.
    async fn errors(&self) -> Outcome<()> {
        for operation in BOTH {
            let twice = "--error InternalError --times 2";
            self.succeeds(&self.client, operation, twice, "500 500 200").await?;
            let always = "--error InternalError";
            let seen = self.under(&self.client, operation, always, "500 500 500").await?;
            same(kind(&seen.reply).as_str(), "InternalError 500", always)?;
        }
        Ok(())
    }

    /// Retry-After is not looked at, only x-amz-retry-after: the delay is that of the SDK, 1 s at
    /// most.
    async fn slow_down(&self) -> Outcome<()> {
        let rule = "--error SlowDown --retry-after 30 --times 1";
        for operation in BOTH {
            let took = self.succeeds(&self.client, operation, rule, "503 200").await?;
            check(took < Duration::from_secs(30), "Retry-After is ignored")?;
        }
        Ok(())
    }

    async fn refusal(&self) -> Outcome<()> {
        let rule = "--error AccessDenied --times 1";
        for operation in BOTH {
            let seen = self.under(&self.client, operation, rule, "403").await?;
            same(kind(&seen.reply).as_str(), "AccessDenied 403", rule)?;
        }
        Ok(())
    }

    /// There is no timeout but that of connecting by default.
    async fn latency(&self) -> Outcome<()> {
        let limit = Duration::from_secs(3);
        for timeouts in [
            TimeoutConfig::builder().operation_attempt_timeout(limit),
            TimeoutConfig::builder().read_timeout(limit),
        ] {
            let config = self.client.config().to_builder().timeout_config(timeouts.build());
            let by = Client::from_conf(config.build());
            for operation in BOTH {
                let rule = "--latency 10m --times 1";
                let took = self.succeeds(&by, operation, rule, "cut 200").await?;
                check(took >= limit, "the timeout passed")?;
            }
        }
        Ok(())
    }

    /// A connection that ends before its reply is a transient error, whether or not the request
    /// was carried out.
    async fn cut_early(&self) -> Outcome<()> {
        for (cut, stored) in [("--cut request", "NoSuchKey 404"), ("--cut before", "ok")] {
            for operation in BOTH {
                let once = format!("{cut} --times 1");
                self.succeeds(&self.client, operation, &once, "cut 200").await?;
                let seen = self.under(&self.client, operation, cut, "cut cut cut").await?;
                same(kind(&seen.reply).as_str(), "DispatchFailure", cut)?;
                if operation == "PutObject" {
                    let found = self.get(&self.client, &seen.key).await;
                    same(kind(&found).as_str(), stored, cut)?;
                }
            }
        }
        Ok(())
    }

    /// GetObject has returned by then: who reads the body gets the error, and nothing is retried.
    /// The reply to PutObject has no body to be cut in: its head does not arrive.
    async fn cut_during(&self) -> Outcome<()> {
        let rule = "--cut during --times 1";
        let seen = self.under(&self.client, "GetObject", rule, "cut").await?;
        same(kind(&seen.reply).as_str(), "ByteStreamError", rule)?;
        self.succeeds(&self.client, "PutObject", rule, "cut 200").await?;
        Ok(())
    }

    /// The connection is not used again; the call that would have does not notice.
    async fn cut_after(&self) -> Outcome<()> {
        for operation in BOTH {
            self.succeeds(&self.client, operation, "--cut after --times 1", "200").await?;
        }
        Ok(())
    }

    /// The checksum of the reply is checked at the end of the body; nothing is retried.
    async fn spoiled(&self) -> Outcome<()> {
        for what in ["--truncate 1000", "--truncate 0", "--corrupt middle", "--corrupt 0"] {
            let rule = format!("{what} --times 1");
            let seen = self.under(&self.client, "GetObject", &rule, "200").await?;
            same(kind(&seen.reply).as_str(), "ByteStreamError", what)?;
            let text = DisplayErrorContext(seen.reply.unwrap_err().as_ref()).to_string();
            check(text.contains("body checksum mismatch"), &text)?;
        }
        Ok(())
    }

    /// Its protection against stalled streams does not mind what is merely slow.
    async fn bandwidth(&self) -> Outcome<()> {
        let rule = "--bandwidth 128KiB --times 1";
        for operation in BOTH {
            let took = self.succeeds(&self.client, operation, rule, "200").await?;
            check(took >= Duration::from_millis(500), "it took its time")?;
        }
        Ok(())
    }

    async fn clean_up(&self) -> Outcome<()> {
        for number in 0..self.keys.get() {
            let key = format!("k{number}");
            self.client.delete_object().bucket(&self.bucket).key(key).send().await?;
        }
        self.client.delete_bucket().bucket(&self.bucket).send().await?;
        Ok(())
    }
}

/// "ok", code and status, or the type of the error.
fn kind(reply: &Outcome<()>) -> String {
    let Err(error) = reply else {
        return "ok".to_owned();
    };
    if error.is::<ByteStreamError>() {
        return "ByteStreamError".to_owned();
    }
    let error = error.as_ref();
    sdk_kind::<PutObjectError>(error)
        .or_else(|| sdk_kind::<GetObjectError>(error))
        .unwrap_or_else(|| DisplayErrorContext(error).to_string())
}

fn sdk_kind<E: ProvideErrorMetadata + Error + 'static>(
    error: &(dyn Error + 'static),
) -> Option<String> {
    match error.downcast_ref::<SdkError<E>>()? {
        SdkError::ServiceError(context) => {
            let code = context.err().code().unwrap_or_default();
            Some(format!("{code} {}", context.raw().status()))
        }
        SdkError::DispatchFailure(_) => Some("DispatchFailure".to_owned()),
        other => Some(DisplayErrorContext(other).to_string()),
    }
}

pub async fn faults(checks: &mut Checks, client: &Client, bucket: String) -> Outcome<()> {
    client.create_bucket().bucket(&bucket).send().await?;
    let data = noise(128 << 10);
    let f = Faults { client: client.clone(), bucket, data, keys: Cell::new(0) };
    checks.step("fault: 500 twice, and for good", f.errors()).await;
    checks.step("fault: 503 SlowDown with Retry-After", f.slow_down()).await;
    checks.step("fault: a refusal is not retried", f.refusal()).await;
    checks.step("fault: latency beyond the timeout", f.latency()).await;
    checks.step("fault: cut in place of the request, before the reply", f.cut_early()).await;
    checks.step("fault: cut during the reply", f.cut_during()).await;
    checks.step("fault: cut after the reply", f.cut_after()).await;
    checks.step("fault: a truncated and a corrupted body", f.spoiled()).await;
    checks.step("fault: little bandwidth", f.bandwidth()).await;
    checks.step("fault: remove what the faults were about", f.clean_up()).await;
    Ok(())
}
