// SPDX-License-Identifier: MIT

//! Steps and checks: one line per step, and the count at the end.

use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::process::ExitCode;

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Default)]
pub struct Checks {
    passed: u32,
    failed: u32,
}

impl Checks {
    pub async fn step(&mut self, name: &str, work: impl Future<Output = Outcome<()>>) {
        match work.await {
            Ok(()) => {
                self.passed += 1;
                println!("ok    {name}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAIL  {name}: {}", DisplayErrorContext(error.as_ref()));
            }
        }
    }

    pub fn finish(self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        ExitCode::from(u8::from(self.failed > 0))
    }
}

pub fn check(ok: bool, what: &str) -> Outcome<()> {
    if ok {
        Ok(())
    } else {
        Err(format!("not true: {what}").into())
    }
}

pub fn same<T: PartialEq + Debug>(got: T, wanted: T, what: &str) -> Outcome<()> {
    if got == wanted {
        Ok(())
    } else {
        Err(format!("{what}: got {got:?}, want {wanted:?}").into())
    }
}

pub fn same_bytes(got: &[u8], wanted: &[u8], what: &str) -> Outcome<()> {
    let (here, there) = (got.len(), wanted.len());
    check(got == wanted, &format!("{what}: the {here} bytes read are the {there} stored"))
}

/// The error of a call that must fail with this code and status.
pub fn refused<T, E>(reply: Result<T, SdkError<E>>, code: &str, status: u16) -> Outcome<E>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let Err(error) = reply else {
        return Err(format!("{code} expected, but it succeeded").into());
    };
    same(error.raw_response().map(|r| r.status().as_u16()), Some(status), code)?;
    match error {
        SdkError::ServiceError(context) => {
            let error = context.into_err();
            same(error.code(), Some(code), "error code")?;
            Ok(error)
        }
        other => Err(other.into()),
    }
}
