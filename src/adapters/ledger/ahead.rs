//! Making things on other threads while one takes them.
//!
//! Owns their order, and how many wait. Leaves what they are to the caller.

use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Things that are made and not yet taken.
const WAITING: usize = 2;

/// Hands over, in their order, what the `workers` make of what `given` gives; each runs on a
/// thread of its own.
///
/// # Errors
///
/// The first one that is given or made, or that `take` does; then all have ended.
pub(super) fn ahead<G, T: Send, F: Send, E: From<F>>(
    given: impl Iterator<Item = Result<G, F>> + Send,
    workers: impl IntoIterator<Item = impl FnMut(G) -> Result<T, F> + Send>,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let given = Mutex::new(given);
    thread::scope(|scope| {
        let (turns, in_turn) = sync_channel(WAITING);
        for mut work in workers {
            let (turns, given) = (turns.clone(), &given);
            scope.spawn(move || {
                loop {
                    let (result, made) = sync_channel(1);
                    // A poisoned one has panicked, and so will all that wait for its thread.
                    let Ok(mut next) = given.lock() else { return };
                    let Some(one) = next.next() else { return };
                    if turns.send(made).is_err() {
                        return;
                    }
                    drop(next);
                    let made = one.and_then(&mut work);
                    let is_last = made.is_err();
                    if result.send(made).is_err() || is_last {
                        return;
                    }
                }
            });
        }
        drop(turns);
        // One that nothing came of has panicked.
        for made in in_turn.iter().map_while(|turn| turn.recv().ok()) {
            take(made?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_comes_in_its_order_up_to_the_first_error() {
        let slow_at_first = |one: u64| {
            thread::sleep(std::time::Duration::from_millis(
                20_u64.saturating_sub(5 * one),
            ));
            if one == 50 { Err("fifty") } else { Ok(one * 2) }
        };
        for (count, end) in [(40, Ok(())), (60, Err("fifty"))] {
            let mut taken = Vec::new();
            let ended = ahead((0..count).map(Ok), [slow_at_first; 2], |one| {
                taken.push(one);
                Ok(())
            });
            assert_eq!(ended, end);
            assert_eq!(
                taken,
                (0..count.min(50)).map(|one| one * 2).collect::<Vec<_>>()
            );
        }
        let mut taken = 0;
        let ended = ahead((0..).map(Ok), [slow_at_first; 2], |one| {
            taken += 1;
            if one < 20 { Ok(()) } else { Err("enough") }
        });
        assert_eq!((ended, taken), (Err("enough"), 11));
    }
}
