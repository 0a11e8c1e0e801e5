//! Making things on one thread while another takes them.
//!
//! Owns how many wait. Leaves what they are to the caller.

use std::sync::mpsc::sync_channel;
use std::thread;

/// Things that are made and not yet taken.
const WAITING: usize = 2;

/// Hands over what `made` gives, which runs on a thread of its own.
///
/// # Errors
///
/// The first one that it gives, or that `take` does; then both have ended.
pub(super) fn ahead<T: Send, F: Send, E: From<F>>(
    made: impl Iterator<Item = Result<T, F>> + Send,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    thread::scope(|scope| {
        let (sender, waiting) = sync_channel(WAITING);
        scope.spawn(move || {
            for one in made {
                let is_last = one.is_err();
                if sender.send(one).is_err() || is_last {
                    return;
                }
            }
        });
        for one in waiting {
            take(one?)?;
        }
        Ok(())
    })
}
