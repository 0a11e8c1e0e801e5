//! What is an event, and what is none.

use super::*;
use crate::domain::event::Value;

fn verdict(text: &[u8]) -> &'static str {
    match Decoder::default().read(text) {
        Reading::Event(_) => "event",
        Reading::Empty => "empty",
        Reading::Malformed => "malformed",
    }
}

/// A good event with one member replaced (or dropped, when `json` is empty).
fn with(member: &str, json: &str) -> String {
    let mut members = vec![
        ("specversion", "\"1.0\""),
        ("id", "\"1\""),
        ("source", "\"/s\""),
        ("type", "\"t\""),
        ("subject", "\"acme\""),
        ("time", "\"2026-11-22T10:33:00Z\""),
        ("data", "{}"),
    ];
    members.retain(|(name, _)| *name != member);
    if !json.is_empty() {
        members.push((member, json));
    }
    let members: Vec<_> = members
        .iter()
        .map(|(name, json)| format!("\"{name}\":{json}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn tells_good_events_from_malformed_ones() {
    let long = |length| format!("\"{}\"", "x".repeat(length));
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    for (member, json, expected) in [
        ("id", "", "malformed"),
        ("id", "7", "malformed"),
        ("id", "\"\"", "malformed"),
        ("id", &long(256), "event"),
        ("id", &long(257), "malformed"),
        ("source", "", "malformed"),
        ("source", &long(257), "malformed"),
        ("type", "null", "malformed"),
        ("subject", "", "malformed"),
        ("subject", "7", "event"),
        ("subject", "\"\"", "event"),
        ("specversion", "", "malformed"),
        ("specversion", "\"0.3\"", "malformed"),
        ("specversion", "1.0", "malformed"),
        ("time", "", "event"),
        ("time", "null", "malformed"),
        ("time", "\"2026-11-22T10:33:00\"", "malformed"),
        ("time", "\"2026-11-22t10:33:00z\"", "event"),
        ("time", "\"2026-11-22T10:33:60Z\"", "malformed"),
        ("time", r#""2026-11-22T10:33:00\u005a""#, "event"),
        ("data", "", "event"),
        ("data", "null", "malformed"),
        ("data", "[]", "malformed"),
        ("data", "{\"a\":1e400}", "event"),
        ("data", "{\"a\":NaN}", "malformed"),
        ("data", "{\"a\":\"\\ud800\"}", "malformed"),
        ("data", "{\"a\":\"\u{0}\"}", "malformed"),
        ("data", &nested(98), "event"),
        ("data", &nested(99), "malformed"),
        ("extension", "{\"any\":[1]}", "event"),
        ("extension", "\"\\udc00\"", "malformed"),
    ] {
        let text = with(member, json);
        assert_eq!(verdict(text.as_bytes()), expected, "{member} {json}");
    }
}

#[test]
fn blank_is_empty_and_the_rest_malformed() {
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b" \t\r", "empty"),
        (b"[]", "malformed"),
        (b"\n", "malformed"),
        (b"{", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"{}\0", "malformed"),
    ] {
        assert_eq!(verdict(bytes), expected, "{bytes:?}");
    }
    assert_eq!(verdict((with("id", "\"1\"") + "x").as_bytes()), "malformed");
    let large = with(
        "data",
        &format!("{{\"a\":\"{}\"}}", "x".repeat(EVENT_BYTES_MAX)),
    );
    assert_eq!(verdict(large.as_bytes()), "malformed");
}

#[test]
fn the_last_of_a_name_given_twice_holds() {
    let text = r#"{"id":7,"i\u0064":"é\n1","specversion":"1.0","source":"s","type":"t",
        "data":[],"subject":"a","data":{"n":1,"n":"\u0032","b":true,"o":{"n":3}}}"#;
    let mut decoder = Decoder::default();
    let Reading::Event(event) = decoder.read(text.as_bytes()) else {
        panic!("an event")
    };
    assert_eq!(event.id, "é\n1");
    assert_eq!(event.data, r#"{"n":1,"n":"\u0032","b":true,"o":{"n":3}}"#);
    assert_eq!(event.members.get("n"), Some(Value::Text("2")));
    assert_eq!(event.members.get("b"), Some(Value::Bool(true)));
    assert_eq!(event.members.get("o"), Some(Value::Nested));
    assert_eq!(event.members.get("absent"), None);
}

#[test]
fn no_bytes_make_it_panic() {
    let good = with(
        "data",
        r#"{"a":"\u00e9\ud83d\ude00","n":-1.5e+3,"x":[{"y":null}]}"#,
    );
    let mut decoder = Decoder::default();
    for at in 0..good.len() {
        for byte in [0, b'"', b'\\', b'{', b'}', b'[', b',', b'u', 0x80, 0xff] {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = byte;
            decoder.read(&bytes);
            decoder.read(&bytes[..at]);
        }
    }
}
