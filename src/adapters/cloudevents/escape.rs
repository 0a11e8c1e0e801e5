//! The escapes of JSON strings.
//!
//! Owns what each stands for. Leaves finding them, and whether they are valid, to `scan`.

/// Four hexadecimal digits at `at`.
pub(super) fn hex4(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits.iter().try_fold(0, |sum, digit| {
        Some(sum * 16 + char::from(*digit).to_digit(16)?)
    })
}

/// Appends the text of a scanned string's content to `out`, its escapes resolved.
/// A lone surrogate becomes U+FFFD; the scanner has told of it.
pub(super) fn unescape(content: &str, out: &mut String) {
    let mut rest = content;
    while let Some(backslash) = rest.find('\\') {
        out.push_str(&rest[..backslash]);
        let bytes = rest.as_bytes();
        let mut length = 2;
        match bytes[backslash + 1] {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let first = hex4(bytes, backslash + 2).unwrap_or(0);
                length = 6;
                let second = bytes[backslash + 6..]
                    .starts_with(b"\\u")
                    .then(|| hex4(bytes, backslash + 8))
                    .flatten();
                let code = match (first, second) {
                    (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) => {
                        length = 12;
                        0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00)
                    }
                    _ => first,
                };
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            plain => out.push(char::from(plain)),
        }
        rest = &rest[backslash + length..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescapes_as_a_json_library_does() {
        for content in [
            r"plain",
            r"a\nb",
            r"\u0041\u00e9",
            r"\ud83d\ude00!",
            r#"\"\\\/\b\f\r\t"#,
        ] {
            let mut text = String::new();
            unescape(content, &mut text);
            let expected: String =
                serde_json::from_str(&format!("\"{content}\"")).expect("a JSON string");
            assert_eq!(text, expected);
        }
    }
}
