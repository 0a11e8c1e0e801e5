//! Who holds a wallet, and which shard owns it.
//!
//! Owns what a customer's name may be and how customers spread over shards.
//!
//! Invariant: a valid name is one token of a NATS subject.

/// Longest customer name, in bytes.
const CUSTOMER_BYTES_MAX: usize = 128;

/// Bytes that any name may have: most names have no others, and bytes are read faster than
/// characters.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        plain[byte] = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        byte += 1;
    }
    plain
};

/// Whether `subject` can name a customer: 1–128 bytes, without Unicode white space, control
/// characters, `.`, `*` and `>`.
pub fn is_customer(subject: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '.' | '*' | '>');
    (1..=CUSTOMER_BYTES_MAX).contains(&subject.len())
        && (subject.bytes().all(|byte| PLAIN[usize::from(byte)]) || !subject.contains(forbidden))
}

/// The part of all wallets that one engine owns: those whose hash falls on `index` of `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    pub index: u32,
    pub count: u32,
}

impl Shard {
    /// The only shard of a ledger that is not split.
    pub const WHOLE: Shard = Shard { index: 0, count: 1 };

    /// Whether this shard owns the wallet of `customer`: FNV-1a of 32 bits modulo the number of
    /// shards, which is what NATS computes for `{{partition(N,1)}}`.
    pub fn owns(self, customer: &str) -> bool {
        self.count == 1 || fnv1a_32(customer.as_bytes()) % self.count == self.index
    }
}

fn fnv1a_32(bytes: &[u8]) -> u32 {
    const OFFSET_BASIS: u32 = 0x811C_9DC5;
    const PRIME: u32 = 0x0100_0193;
    bytes.iter().fold(OFFSET_BASIS, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_token_of_a_subject() {
        let longest = "x".repeat(128);
        for good in [
            "acme",
            "Ünïcödé",
            "a",
            "a-b_c:d/e",
            "客户",
            longest.as_str(),
        ] {
            assert!(is_customer(good), "{good}");
        }
        let too_long = "x".repeat(129);
        for bad in [
            "",
            "a b",
            "a.b",
            "a*",
            ">",
            "a\u{a0}b",
            "a\u{0}",
            "a\u{85}",
            too_long.as_str(),
        ] {
            assert!(!is_customer(bad), "{bad:?}");
        }
    }

    #[test]
    fn hashes_as_fnv_1a_does() {
        // Test vectors of the FNV reference code.
        for (text, hash) in [
            ("", 0x811C_9DC5),
            ("a", 0xE40C_292C),
            ("foobar", 0xBF9C_F968),
        ] {
            assert_eq!(fnv1a_32(text.as_bytes()), hash);
        }
        let owners = (0..4).filter(|index| {
            Shard {
                index: *index,
                count: 4,
            }
            .owns("acme")
        });
        assert_eq!(owners.count(), 1);
    }
}
