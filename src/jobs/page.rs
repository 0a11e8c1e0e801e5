//! What all pages have: one self-contained HTML document.
//!
//! Owns its frame, and how decimals look on it. Leaves words, numbers and looks to each page.
//!
//! Invariant: nothing on a page comes from elsewhere, and nothing needs a script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The document.
pub(super) fn document(title: &str, style: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(style)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

/// A decimal without the zeros that say nothing.
pub(super) fn short(decimal: &str) -> &str {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.'),
        false => decimal,
    }
}

/// A decimal for people: `12,345.5`.
pub(super) fn grouped(decimal: &str) -> String {
    let decimal = short(decimal);
    let (sign, digits) = match decimal.strip_prefix('-') {
        Some(digits) => ("\u{2212}", digits),
        None => ("", decimal),
    };
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    let mut text = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if !places.is_empty() {
        text.push('.');
        text.push_str(places);
    }
    text
}

/// A decimal for a first look: cut to two places.
pub(super) fn rough(decimal: &str) -> String {
    let end = decimal.find('.').map_or(decimal.len(), |point| point + 3);
    grouped(decimal.get(..end).unwrap_or(decimal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_lose_zeros_and_no_digit() {
        for (decimal, shown) in [
            ("0.000000", "0"),
            ("100.000000", "100"),
            ("1000", "1,000"),
            ("-1234567.500000", "\u{2212}1,234,567.5"),
            ("999.000001", "999.000001"),
        ] {
            assert_eq!(grouped(decimal), shown, "{decimal}");
        }
        assert_eq!(
            ["3", "0.5", "12345.678900"].map(rough),
            ["3", "0.5", "12,345.67"]
        );
    }
}
