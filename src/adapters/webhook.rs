//! Webhooks: a body signed and posted, once.
//!
//! Owns addresses, secrets, signatures (Standard Webhooks), and, in `answer`, what is told of an
//! answer. Leaves trying again to the job, and where addresses and secrets are kept to the command
//! line.
//!
//! Invariant: no text that leaves here holds a secret or an address, which may hold a password or
//! be a secret itself. Redirects are not followed, so that nothing is sent to another place.

mod answer;

use std::error::Error;
use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Url, redirect};
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook,
};

/// What a secret begins with, by the standard; it may be left out.
const SECRET_PREFIX: &str = "whsec_";
/// The length of a key, by the standard.
const KEY_BYTES: RangeInclusive<usize> = 24..=64;
/// How long connecting may take, within the time of the whole request.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// So much is told of why no answer came.
const SILENCE_CHARS_MAX: usize = 300;

/// What an address must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no address of a webhook; write e.g. https://example.com/hooks/purser")]
pub struct AddressFault;

/// What is wrong with a secret; never shows any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    #[error("the secret is empty; make one with `echo whsec_$(openssl rand -base64 24)`")]
    Empty,
    #[error(
        "the secret is not base64 behind `whsec_`; make one with \
         `echo whsec_$(openssl rand -base64 24)`"
    )]
    NotBase64,
    #[error(
        "the secret is a key of {bytes} bytes, the standard wants 24 to 64; make one with \
         `echo whsec_$(openssl rand -base64 24)`"
    )]
    Length { bytes: usize },
}

/// The HTTP client can't be made.
#[derive(Debug, thiserror::Error)]
#[error("make the HTTP client")]
pub struct ClientFault(#[source] reqwest::Error);

/// What signs: one key, or while keys are exchanged the new and the old one.
///
/// Holds secrets, and therefore cannot be printed.
pub struct Secret {
    keys: Vec<Webhook>,
}

/// Where to post, and how long one request may take in all.
///
/// Holds secrets, and therefore cannot be printed.
pub struct Target {
    pub address: Url,
    /// Without one nothing is signed.
    pub secret: Option<Secret>,
    pub timeout: Duration,
}

/// What to post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The same whenever this is posted again, so that the receiver can tell a copy.
    pub id: String,
    /// The time of this attempt in seconds since the epoch; receivers refuse old ones.
    pub seconds: i64,
    /// JSON.
    pub body: Bytes,
}

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Status {
        code: u16,
        /// How long the receiver wants to be left alone.
        retry_after: Option<Duration>,
        /// The beginning of the answer, in one line; empty when the answer repeats what the
        /// address holds or what signs.
        excerpt: String,
    },
    /// No status came, because of what is told.
    Silence(String),
    /// It could not be sent, nor ever will.
    Unsendable(&'static str),
}

/// Posts; clones share their connections.
#[derive(Clone)]
pub struct Poster {
    client: Client,
}

/// Reads an address: `http` or `https`, with a host. Plain `http` is for receivers on the same
/// machine or network; nothing but the signature protects it.
///
/// # Errors
///
/// [`AddressFault`], which does not show the address.
pub fn address(text: &str) -> Result<Url, AddressFault> {
    let url = Url::parse(text.trim()).map_err(|_| AddressFault)?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    is_web.then_some(url).ok_or(AddressFault)
}

impl Secret {
    /// Reads one secret, or several with white space between; the first is the newest.
    ///
    /// # Errors
    ///
    /// [`SecretFault`] says what the first that is no good is.
    pub fn read(text: &str) -> Result<Self, SecretFault> {
        let keys: Vec<Webhook> = text
            .split_whitespace()
            .map(read_key)
            .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(SecretFault::Empty);
        }
        Ok(Self { keys })
    }
}

fn read_key(text: &str) -> Result<Webhook, SecretFault> {
    let text = text.strip_prefix(SECRET_PREFIX).unwrap_or(text);
    let key = STANDARD.decode(text).map_err(|_| SecretFault::NotBase64)?;
    let bytes = key.len();
    if !KEY_BYTES.contains(&bytes) {
        return Err(SecretFault::Length { bytes });
    }
    Webhook::from_bytes(key).map_err(|_| SecretFault::NotBase64)
}

impl Poster {
    /// A client of its own connections.
    ///
    /// # Errors
    ///
    /// [`ClientFault`] when the machine's certificates are of no use.
    pub fn new() -> Result<Self, ClientFault> {
        let client = Client::builder()
            .user_agent(concat!("purser/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_WAIT)
            .build()
            .map_err(ClientFault)?;
        Ok(Self { client })
    }

    /// Posts once, and says what came of it within the target's time.
    pub async fn post(&self, target: &Target, notice: &Notice) -> Answer {
        let headers = match headers(target.secret.as_ref(), notice) {
            Ok(headers) => headers,
            Err(why) => return Answer::Unsendable(why),
        };
        let hidden = answer::hidden(&target.address, &headers);
        let request = self
            .client
            .post(target.address.clone())
            .timeout(target.timeout)
            .headers(headers)
            .body(notice.body.clone());
        match request.send().await {
            Ok(response) => answer::read(response, &hidden, notice.seconds).await,
            Err(error) if error.is_connect() && error.is_timeout() => {
                let wait = CONNECT_WAIT.min(target.timeout);
                Answer::Silence(format!("not connected within {wait:?}"))
            }
            Err(error) if error.is_timeout() => {
                Answer::Silence(format!("no answer within {:?}", target.timeout))
            }
            Err(error) => Answer::Silence(told(&error.without_url())),
        }
    }
}

fn headers(secret: Option<&Secret>, notice: &Notice) -> Result<HeaderMap, &'static str> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let id = HeaderValue::from_str(&notice.id).map_err(|_| "its id can't stand in a header")?;
    headers.insert(HEADER_WEBHOOK_ID, id);
    headers.insert(HEADER_WEBHOOK_TIMESTAMP, HeaderValue::from(notice.seconds));
    if let Some(secret) = secret {
        let signatures: Vec<String> = secret
            .keys
            .iter()
            .map(|key| key.sign(&notice.id, notice.seconds, &notice.body))
            .collect::<Result<_, _>>()
            .map_err(|_| "its body is not UTF-8")?;
        let signatures = HeaderValue::from_str(&signatures.join(" "));
        let signatures = signatures.map_err(|_| "its signature can't stand in a header")?;
        headers.insert(HEADER_WEBHOOK_SIGNATURE, signatures);
    }
    Ok(headers)
}

/// An error and its causes on one line.
fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(fault) = cause {
        text = format!("{text}: {fault}");
        cause = fault.source();
    }
    let text = text.replace(char::is_control, " ");
    text.chars().take(SILENCE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_signature_is_that_of_the_standard() {
        let notice = Notice {
            id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk".to_owned(),
            seconds: 1_649_367_553,
            body: Bytes::from_static(br#"{"email":"test@example.com","username":"test_user"}"#),
        };
        let secret = Secret::read(SECRET).unwrap();
        let made = headers(Some(&secret), &notice).unwrap();
        let signature = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
        assert_eq!(made[HEADER_WEBHOOK_SIGNATURE], signature);
        assert_eq!(made[HEADER_WEBHOOK_TIMESTAMP], "1649367553");
        let both = Secret::read(&format!(" {OTHER}\n{SECRET}\n")).unwrap();
        let made = headers(Some(&both), &notice).unwrap();
        let signatures = made[HEADER_WEBHOOK_SIGNATURE].to_str().unwrap();
        assert!(signatures.starts_with("v1,") && signatures.ends_with(signature));
        assert_eq!(signatures.split(' ').count(), 2);
        let unsigned = headers(None, &notice).unwrap();
        assert_eq!(unsigned[HEADER_WEBHOOK_ID], notice.id);
        assert!(!unsigned.contains_key(HEADER_WEBHOOK_SIGNATURE));
    }

    #[test]
    fn what_can_not_be_sent_is_told() {
        let secret = Secret::read(SECRET).unwrap();
        let notice = |id: &str, body: &'static [u8]| Notice {
            id: id.to_owned(),
            seconds: 0,
            body: Bytes::from_static(body),
        };
        assert!(headers(Some(&secret), &notice("a", b"\xff")).is_err());
        assert!(headers(Some(&secret), &notice("a\nb", b"{}")).is_err());
        assert!(headers(None, &notice("a", b"\xff")).is_ok());
    }

    #[test]
    fn a_secret_that_protects_nothing_is_refused() {
        for (text, fault) in [
            ("", SecretFault::Empty),
            (" \n", SecretFault::Empty),
            ("whsec_", SecretFault::Length { bytes: 0 }),
            ("whsec_c2hvcnQ=", SecretFault::Length { bytes: 5 }),
            ("whsec_not base64", SecretFault::NotBase64),
            ("correct-horse", SecretFault::NotBase64),
        ] {
            let found = Secret::read(text).err();
            assert_eq!(found, Some(fault), "{text:?}");
        }
    }

    #[test]
    fn an_address_is_of_the_web() {
        for good in [
            "https://a.example/x?y=z",
            "http://127.0.0.1:8080",
            " https://u:p@h/ ",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a.example/x",
            "ftp://a.example",
            "https://",
            "mailto:a@b",
            "nats://h",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
