//! What a receiver has answered, as far as it may be told.
//!
//! Owns how much of an answer is read, the wait that it asks for, and what of a request no answer
//! may give away. Leaves what an answer means to the job.
//!
//! Invariant: an answer that repeats a secret of its request, as many error pages do with the path,
//! is told without its text.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Response, Url};
use standardwebhooks::HEADER_WEBHOOK_SIGNATURE;

use super::Answer;

/// So much of an answer is read, so that the connection can be used again …
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// … and so much of it is kept to be shown.
const EXCERPT_BYTES: usize = 200;
/// A part of a path and a value of a query that are as long may be a secret on their own.
const PART_BYTES_MIN: usize = 8;

/// Reads an answer to a request of `seconds`, whose `hidden` texts it must not give away.
pub(super) async fn read(mut response: Response, hidden: &[String], seconds: i64) -> Answer {
    let code = response.status().as_u16();
    let retry_after = retry_after(response.headers(), seconds);
    let body = body(&mut response).await;
    Answer::Status {
        code,
        retry_after,
        excerpt: excerpt(&body, hidden),
    }
}

/// What an answer must not give away: the path, the query, the user and the password of the
/// address, longer parts of the first two, all as they stand there and decoded; what logs in; the
/// signatures.
pub(super) fn hidden(address: &Url, headers: &HeaderMap) -> Vec<String> {
    let (user, password) = (address.username(), address.password().unwrap_or_default());
    let path = Some(address.path()).filter(|path| path.len() > 1);
    let path = path.unwrap_or_default();
    let query = address.query().unwrap_or_default();
    // An answer may have another separator, as `\/` in JSON and `&amp;` in HTML.
    let values = query
        .split('&')
        .map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    let parts = path.split('/').chain(values);
    let parts = parts.filter(|part| part.len() >= PART_BYTES_MIN);
    let mut hidden = Vec::new();
    for text in [path, query, user, password].into_iter().chain(parts) {
        hidden.push(text.to_owned());
        hidden.push(decoded(text));
    }
    if !(user.is_empty() && password.is_empty()) {
        let login = format!("{}:{}", decoded(user), decoded(password));
        hidden.push(STANDARD.encode(login));
    }
    let signatures = headers.get(HEADER_WEBHOOK_SIGNATURE);
    let signatures = signatures.and_then(|value| value.to_str().ok());
    for signature in signatures.unwrap_or_default().split(' ') {
        if let Some((_, signature)) = signature.split_once(',') {
            hidden.push(signature.to_owned());
        }
    }
    // Every answer holds an empty text.
    hidden.retain(|text| !text.is_empty());
    hidden
}

/// A text with `A` for each `%41` in it.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2);
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads the body as far as it may be; the status stands, whatever becomes of the body. One that
/// breaks off counts as empty, since it may break off within a secret.
async fn body(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = ANSWER_BYTES_MAX - body.len();
                body.extend_from_slice(&chunk[..room.min(chunk.len())]);
            }
            Ok(None) => break,
            Err(_) => return Vec::new(),
        }
    }
    body
}

/// The beginning of a body in one line; nothing of one that holds a hidden text anywhere.
fn excerpt(body: &[u8], hidden: &[String]) -> String {
    let whole = String::from_utf8_lossy(body);
    if hidden.iter().any(|text| whole.contains(text.as_str())) {
        return String::new();
    }
    let kept = &body[..body.len().min(EXCERPT_BYTES)];
    let text = String::from_utf8_lossy(kept);
    text.replace(char::is_control, " ").trim().to_owned()
}

/// The wait of `retry-after`: seconds, or a date, which is counted from the answer's own `date`, or
/// from `seconds`, our time, when it has none.
fn retry_after(headers: &HeaderMap, seconds: i64) -> Option<Duration> {
    let wanted = text_of(headers, RETRY_AFTER)?.trim();
    if let Ok(wait) = wanted.parse() {
        return Some(Duration::from_secs(wait));
    }
    let until = second_of(wanted)?;
    let sent = text_of(headers, DATE).and_then(second_of);
    let wait = until.checked_sub(sent.unwrap_or(seconds))?;
    u64::try_from(wait).ok().map(Duration::from_secs)
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn second_of(date: &str) -> Option<i64> {
    let at = rfc2822::parse(date).ok()?;
    Some(at.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn an_answer_that_repeats_a_secret_is_told_without_its_text() {
        let address = Url::parse(
            "https://me%40x:hunter%32@h/hooks/T0KEN%2B99/k3y-k3y-k3y?a=b&key=qu%65ry-s3cret",
        )
        .unwrap();
        let mut headers = HeaderMap::new();
        let signatures = HeaderValue::from_static("v1,c2lnbmVk v1,b3RoZXI=");
        headers.insert(HEADER_WEBHOOK_SIGNATURE, signatures);
        let hidden = hidden(&address, &headers);
        for leak in [
            "Cannot POST /hooks/T0KEN%2B99/k3y-k3y-k3y",
            "no route for /hooks/T0KEN+99/k3y-k3y-k3y",
            r"no hook \/hooks\/x\/k3y-k3y-k3y",
            "T0KEN+99",
            "T0KEN%2B99",
            "a=b&key=qu%65ry-s3cret",
            "?a=b&amp;key=query-s3cret",
            "me%40x",
            "hello me@x",
            "wrong password hunter2",
            "hunter%32",
            "Basic bWVAeDpodW50ZXIy",
            "bad signature v1,c2lnbmVk",
            "b3RoZXI=",
        ] {
            assert_eq!(excerpt(leak.as_bytes(), &hidden), "", "{leak}");
            // Also where it is cut off, and where it is not shown at all.
            for before in [190, 5_000] {
                let body = format!("{}{leak}", "-".repeat(before));
                assert_eq!(excerpt(body.as_bytes(), &hidden), "", "{before} {leak}");
            }
        }
        for harmless in ["no such hook", "key is missing", "v1, /hooks or a"] {
            assert_eq!(excerpt(harmless.as_bytes(), &hidden), harmless);
        }
    }

    #[test]
    fn an_address_without_secrets_hides_nothing() {
        for address in ["https://h", "https://h/", "https://h/?"] {
            let address = Url::parse(address).unwrap();
            let hidden = hidden(&address, &HeaderMap::new());
            assert!(hidden.is_empty(), "{address}: {hidden:?}");
        }
        assert_eq!(excerpt(b" /\n\x07try\nlater\n", &[]), "/  try later");
        assert_eq!(excerpt(&[b'x'; 201], &[]).len(), 200);
    }

    #[test]
    fn percent_signs_are_decoded_where_they_can_be() {
        for (text, wanted) in [
            ("", ""),
            ("a", "a"),
            ("%41b%2Fc%", "Ab/c%"),
            ("%zz%4", "%zz%4"),
            ("%C3%A4", "ä"),
            ("%ä", "%ä"),
            ("%FF", "\u{FFFD}"),
        ] {
            assert_eq!(decoded(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_wait_is_read_as_seconds_or_as_a_date() {
        // Wed, 21 Oct 2015 07:28:10 GMT.
        let ours = 1_445_412_490;
        for (wanted, date, wait) in [
            ("120", None, Some(120)),
            (" 0 ", None, Some(0)),
            ("soon", None, None),
            ("-5", None, None),
            (
                "Wed, 21 Oct 2015 07:28:30 GMT",
                Some("Wed, 21 Oct 2015 07:28:00 GMT"),
                Some(30),
            ),
            (
                "Wed, 21 Oct 2015 07:28:00 GMT",
                Some("Wed, 21 Oct 2015 07:28:30 GMT"),
                None,
            ),
            ("Wed, 21 Oct 2015 07:28:30 GMT", None, Some(20)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some("today"), Some(20)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(wanted));
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            let found = retry_after(&headers, ours).map(|wait| wait.as_secs());
            assert_eq!(found, wait, "{wanted:?} at {date:?}");
        }
    }
}
