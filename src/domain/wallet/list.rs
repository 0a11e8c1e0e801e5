//! Wallets one after the other.
//!
//! Owns where in memory they lie: in chunks, so that a long list grows without moving what is in
//! it, and takes over many at once.
//!
//! Invariant: all chunks but the last one are full.

use std::ops::{Index, IndexMut};

use super::Wallet;

/// Wallets of a chunk; also how many are best handed over at once.
pub const CHUNK: usize = 8 << 10;

/// The wallets of a shard, in the order in which they were opened.
#[derive(Clone, Debug, Default)]
pub struct WalletList {
    chunks: Vec<Vec<Wallet>>,
}

impl WalletList {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self.chunks.split_last() {
            Some((last, full)) => full.len() * CHUNK + last.len(),
            None => 0,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Wallet> {
        self.starting_at(0)
    }

    /// Those from `place` on.
    pub fn starting_at(&self, place: usize) -> impl Iterator<Item = &Wallet> {
        (place..self.count()).map(|place| &self[place as u32])
    }

    pub(in crate::domain) fn push(&mut self, wallet: Wallet) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(wallet),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(wallet);
                self.chunks.push(chunk);
            }
        }
    }

    pub(in crate::domain) fn append(&mut self, mut wallets: Vec<Wallet>) {
        let is_full = self.chunks.last().is_none_or(|last| last.len() == CHUNK);
        if is_full && (1..=CHUNK).contains(&wallets.len()) {
            wallets.reserve_exact(CHUNK - wallets.len());
            return self.chunks.push(wallets);
        }
        for wallet in wallets {
            self.push(wallet);
        }
    }
}

impl Index<u32> for WalletList {
    type Output = Wallet;

    #[inline]
    fn index(&self, place: u32) -> &Wallet {
        &self.chunks[place as usize / CHUNK][place as usize % CHUNK]
    }
}

impl IndexMut<u32> for WalletList {
    #[inline]
    fn index_mut(&mut self, place: u32) -> &mut Wallet {
        &mut self.chunks[place as usize / CHUNK][place as usize % CHUNK]
    }
}
