//! The bell that wakes the projector: by writers that have more events, and by readers that wait for them.
//!
//! It promises that a ring is never lost, that many are one, and that a writer wakes nobody who is awake or
//! gathering. Whoever waits ends the gathering for as long as it waits.

use super::lock;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Default)]
pub(super) struct Bell {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Default)]
struct State {
    /// There are new events, or somebody began to wait.
    woken: bool,
    stop: bool,
    asleep: bool,
    /// How many wait for what the logs have.
    waiting: usize,
}

impl Bell {
    /// There are new events.
    pub(super) fn ring(&self) {
        let mut state = lock(&self.state);
        state.woken = true;
        if state.asleep {
            self.rung.notify_all();
        }
    }

    pub(super) fn stop(&self) {
        lock(&self.state).stop = true;
        self.rung.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        lock(&self.state).stop
    }

    /// Somebody waits for what the logs have, until the guard goes.
    pub(super) fn hurry(&self) -> Hurry<'_> {
        let mut state = lock(&self.state);
        state.waiting += 1;
        state.woken = true;
        self.rung.notify_all();
        Hurry(self)
    }

    /// Waits until it rings, but no longer than `pause`. `false`: it is time to end.
    pub(super) fn sleep(&self, pause: Duration) -> bool {
        let mut state = lock(&self.state);
        state.asleep = true;
        let idle = |state: &mut State| !state.woken && !state.stop;
        let mut state = self.rung.wait_timeout_while(state, pause, idle).unwrap_or_else(PoisonError::into_inner).0;
        state.asleep = false;
        !state.stop
    }

    /// Lets events gather until `end`, unless somebody waits for them. What rang so far is served by what
    /// follows. `false`: it is time to end.
    pub(super) fn gather(&self, end: Instant) -> bool {
        let nobody = |state: &mut State| state.waiting == 0 && !state.stop;
        let left = end.saturating_duration_since(Instant::now());
        let state = lock(&self.state);
        let mut state = self.rung.wait_timeout_while(state, left, nobody).unwrap_or_else(PoisonError::into_inner).0;
        state.woken = false;
        !state.stop
    }
}

pub(super) struct Hurry<'a>(&'a Bell);

impl Drop for Hurry<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn whoever_waits_ends_the_gathering_and_keeps_it_ended() {
        let bell = Arc::new(Bell::default());
        let begun = Instant::now();
        let gathering = std::thread::spawn({
            let bell = bell.clone();
            move || bell.gather(begun + LONG)
        });
        let hurry = bell.hurry();
        assert!(gathering.join().unwrap());
        assert!(bell.gather(begun + LONG), "it still waits");
        assert!(begun.elapsed() < LONG);
        drop(hurry);
        let short = Instant::now() + Duration::from_millis(5);
        assert!(bell.gather(short));
        assert!(Instant::now() >= short, "nobody waits any more");
    }

    #[test]
    fn a_ring_before_the_sleep_is_not_lost() {
        let bell = Bell::default();
        bell.ring();
        assert!(bell.sleep(LONG));
        assert!(bell.gather(Instant::now()));
        assert!(!lock(&bell.state).woken);
        bell.stop();
        assert!(!bell.sleep(LONG));
        assert!(!bell.gather(Instant::now() + LONG));
    }
}
