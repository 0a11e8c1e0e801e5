//! Tables and properties of reading decimals and of division.

use proptest::prelude::*;

use super::*;

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = table
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""));
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|row| !row.is_empty())
}

fn quantity_word(text: &str) -> String {
    match quantity_from_json(text) {
        Ok(quantity) => quantity.to_string(),
        Err(QuantityError::Negative) => "negative".to_owned(),
        Err(QuantityError::TooLarge) => "too_large".to_owned(),
    }
}

#[test]
fn json_numbers_round_half_even_at_six_places() {
    let table = "
        0                         0.000000
        -0                        0.000000
        -0.0e5                    0.000000
        3                         3.000000
        12800                     12800.000000
        1.5                       1.500000
        0.000001                  0.000001
        0.0000005                 0.000000      // half, to the even 0
        0.0000015                 0.000002
        0.0000025                 0.000002
        0.00000250000000000001    0.000003
        0.00000249999999999999    0.000002
        0.00000095                0.000001
        1E3                       1000.000000
        1e+3                      1000.000000
        1.25e1                    12.500000
        12345678901234567890e-10  1234567890.123457
        1e-400                    0.000000
        1E-999999999999999999999  0.000000
        5e-7                      0.000000
        5.1e-7                    0.000001
        9e-8                      0.000000
        0e999999999999            0.000000
        0.000e1e                  0.000000      // not JSON, yet no panic
        1e400                     too_large
        1e999999999999            too_large
        1e99999999999999999999    too_large
        999999999999              999999999999.000000
        999999999999.999999       999999999999.999999
        999999999999.9999994      999999999999.999999
        999999999999.9999995      too_large     // reaches 10^12 by rounding
        1000000000000             too_large
        1e12                      too_large
        1e11                      100000000000.000000
        -1                        negative
        -1e-9                     0.000000
        -0.0000005                0.000000
        -0.0000006                negative
        -1e999                    negative
    ";
    for row in rows(table) {
        assert_eq!(quantity_word(row[0]), row[1], "{}", row[0]);
    }
}

#[test]
fn long_digits_and_their_exponent_cancel() {
    let zeros = "0".repeat(100_000);
    assert_eq!(quantity_word(&format!("1{zeros}e-100000")), "1.000000");
    assert_eq!(quantity_word(&format!("0.{zeros}25e100001")), "2.500000");
    assert_eq!(quantity_word(&format!("0.0000005{zeros}1")), "0.000001");
}

#[test]
fn plain_decimals_keep_their_places() {
    let table = "
        0              2   0
        12.50          2   1250
        12.5           6   12500000
        007            0   7
        0.000000000001 12  1
        12.500         2   places
        1.0            0   places
        999999999999   12  999999999999000000000000
        1000000000000  0   large
        +1             2   plain
        -1             2   plain
        1e3            2   plain
        .5             2   plain
        5.             2   plain
        1.2.3          2   plain
        1,000          2   plain
        1_000          2   plain
        ٣              2   plain
    ";
    for row in rows(table) {
        let got = match scaled_from_plain(row[0], row[1].parse().unwrap()) {
            Ok(value) => value.to_string(),
            Err(PlainError::NotPlain) => "plain".to_owned(),
            Err(PlainError::TooManyPlaces { .. }) => "places".to_owned(),
            Err(PlainError::TooLarge) => "large".to_owned(),
        };
        assert_eq!(got, row[2], "{}", row[0]);
    }
    assert_eq!(scaled_from_plain("", 2), Err(PlainError::NotPlain));
    assert_eq!(scaled_from_plain(" 1", 2), Err(PlainError::NotPlain));
    assert_eq!(plain_from_scaled(1250, 2), "12.5");
    assert_eq!(plain_from_scaled(3_000_000_000_000, 12), "3");
}

#[test]
fn each_rounding_goes_its_way() {
    let table = "
        dividend up down half_up half_even   // divided by 10
        0        0  0    0       0
        1        1  0    0       0
        4        1  0    0       0
        5        1  0    1       0
        6        1  0    1       1
        10       1  1    1       1
        15       2  1    2       2
        25       3  2    3       2
    ";
    for row in rows(table).skip(1) {
        let by = |rounding| divide(row[0].parse().unwrap(), 10, rounding).to_string();
        let got = [
            Rounding::Up,
            Rounding::Down,
            Rounding::HalfUp,
            Rounding::HalfEven,
        ]
        .map(by);
        assert_eq!(got.as_slice(), &row[1..5], "{}", row[0]);
    }
    let signed = [-25, -15, -6, -5, 5, 15].map(|dividend| divide_half_even(dividend, 10));
    assert_eq!(signed, [-2, -2, -1, 0, 0, 2]);
    assert_eq!(divide(i128::MAX, i128::MAX, Rounding::HalfUp), 1);
}

/// The number written out in full, then rounded digit by digit.
fn naive(text: &str) -> String {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().unwrap();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let point = 100 + whole.len() as i64 + exponent;
    let written = format!("{}{whole}{fraction}{}", "0".repeat(100), "0".repeat(100));
    let (kept, rest) = written.split_at((point + 6) as usize);
    let kept = kept.trim_start_matches('0');
    if kept.len() > 30 {
        return if negative { "negative" } else { "too_large" }.to_owned();
    }
    let kept: u128 = kept.parse().unwrap_or(0);
    let half = format!("5{}", "0".repeat(rest.len() - 1));
    let up = rest > half.as_str() || (rest == half && kept % 2 == 1);
    match kept + u128::from(up) {
        0 => "0.000000".to_owned(),
        _ if negative => "negative".to_owned(),
        micros if micros >= 1_000_000_000_000_000_000 => "too_large".to_owned(),
        micros => Quantity::new(micros as i64).to_string(),
    }
}

proptest! {
    #[test]
    fn agrees_with_the_number_written_out(
        text in "-?(0|[1-9][0-9]{0,15})(\\.[0-9]{1,12}|\\.[05]{1,9})?([eE][+-]?[0-3]?[0-9])?"
    ) {
        prop_assert_eq!(quantity_word(&text), naive(&text), "{}", text);
    }

    #[test]
    fn never_panics(text in "[-+.eE0-9]{0,40}|.{0,8}") {
        prop_assert!(quantity_word(&text).len() < 40);
    }
}
