//! Who holds something open, and how much of it: the seats of each caller, and gauges.
//!
//! Promises: what is counted in is counted out when its holder is dropped, however that comes about; a caller
//! without seats takes no memory.
//!
//! Not here: how many seats there are (`endpoint`, `listen`), and how often a caller may come back.

use domain::actor::Actor;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Whose seat it is: a caller's, or an address's as long as the caller has no name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    Caller(Actor),
    Address(IpAddr),
}

impl Holder {
    /// A host has a whole /64 of IPv6 to call from; it counts as one address.
    pub fn address(peer: IpAddr) -> Holder {
        Holder::Address(match peer.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
            v4 => v4,
        })
    }
}

/// How many each holder has of one thing.
#[derive(Debug, Default)]
pub struct Seats(Mutex<HashMap<Holder, usize>>);

impl Seats {
    /// A seat of this holder, if it has fewer than `most`.
    pub fn take(self: &Arc<Seats>, holder: Holder, most: usize) -> Option<Seat> {
        let mut taken = self.0.lock().expect("nothing panics under this lock");
        let so_far = taken.get(&holder).copied().unwrap_or(0);
        if so_far >= most {
            return None;
        }
        taken.insert(holder.clone(), so_far + 1);
        Some(Seat { seats: Arc::clone(self), holder })
    }

    /// By all holders together.
    pub fn taken(&self) -> usize {
        self.0.lock().expect("nothing panics under this lock").values().sum()
    }
}

/// Everything that is open at one endpoint.
#[derive(Debug, Default)]
pub struct Connected {
    /// Of sockets and SSE responses.
    pub seats: Arc<Seats>,
    /// Of subscriptions, on whichever of those.
    pub subscriptions: Arc<Seats>,
    /// WebSockets.
    pub sockets: Gauge,
    /// SSE responses.
    pub streams: Gauge,
    /// Operations on sockets.
    pub operations: Gauge,
}

/// Given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    holder: Holder,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.seats.0.lock().expect("nothing panics under this lock");
        if let Entry::Occupied(mut taken) = seats.entry(self.holder.clone()) {
            *taken.get_mut() -= 1;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}

/// How many of a thing there are now.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicUsize>);

impl Gauge {
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, until what comes back is dropped.
    pub fn one(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }
}

/// One of what a gauge counts.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_each_holder_for_itself_and_come_back() {
        let seats = Arc::new(Seats::default());
        let ann = Holder::Caller(Actor::Operator("ann".into()));
        let here = Holder::Address([127, 0, 0, 1].into());
        let held: Vec<Seat> = (0..3).map(|_| seats.take(ann.clone(), 3).unwrap()).collect();
        assert!(seats.take(ann.clone(), 3).is_none());
        let address = seats.take(here, 1);
        assert!(address.is_some());
        assert_eq!(seats.taken(), 4);
        drop(held);
        assert_eq!(seats.taken(), 1);
        assert!(seats.take(ann, 3).is_some());
        drop(address);
        assert!(seats.0.lock().unwrap().is_empty(), "nothing is kept of who has gone");
    }

    #[test]
    fn a_host_is_one_address() {
        let of = |text: &str| Holder::address(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }

    #[test]
    fn a_gauge_falls_with_what_it_counts() {
        let gauge = Gauge::default();
        let (one, two) = (gauge.one(), gauge.one());
        assert_eq!(gauge.now(), 2);
        drop((one, two));
        assert_eq!(gauge.now(), 0);
    }
}
