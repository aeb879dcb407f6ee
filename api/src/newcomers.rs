//! How many acceptances come from one address: each of them makes an inquiry, a question in the vault and mostly a customer,
//! and costs whoever sends it nothing. With a customer's token too: the first acceptance gives one to anybody.
//!
//! Promises: of any minute, and of any hour, no more than so many are recorded from one address; a /64 of IPv6 is one,
//! and a /48, which is what one customer of a network is given at most (RFC 6177), is eight.
//! What was refused or failed before anything was sealed for it, or was recorded before under its key, does not count.
//! This machine itself is not bounded: behind a proxy that the house was not told of, everybody would be it.
//!
//! Not here: what a request costs (`rate`), and whose address it is (`proxy`). After a start everybody begins anew.

use crate::connected::Holder;
use crate::proxy::Client;
use crate::rate::TooMuch;
use domain::time::{Span, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Of one address, by default: an office, or a whole village behind one.
pub const PER_MINUTE: usize = 30;
pub const PER_HOUR: usize = 300;
/// Addresses that a /48 of IPv6 counts as: a site has 65,536 networks of /64 to call from.
const OF_A_SITE: usize = 8;
const MINUTE: Span = Span::minutes(1);
const HOUR: Span = Span::minutes(60);
/// Addresses that came to rest are looked for once so many more are remembered.
const SWEEP: usize = 1_024;

/// Shared by all transports.
pub struct Newcomers {
    /// Absent: any number.
    most: Option<(usize, usize)>,
    /// When each was recorded, the earliest first, of the last hour.
    met: Mutex<Met>,
}

#[derive(Default)]
struct Met {
    by_address: HashMap<Bucket, VecDeque<Timestamp>>,
    sweep_at: usize,
}

/// A range of addresses, and as how many it counts.
type Bucket = (Holder, usize);

/// The narrower first.
fn buckets(address: IpAddr) -> impl Iterator<Item = Bucket> {
    let site = match address.to_canonical() {
        IpAddr::V6(v6) => Some((Holder::Address(IpAddr::V6((v6.to_bits() >> 80 << 80).into())), OF_A_SITE)),
        IpAddr::V4(_) => None,
    };
    std::iter::once((Holder::address(address), 1)).chain(site)
}

/// Of one request: who is asked, and from where it comes.
#[derive(Clone)]
pub struct Door {
    pub newcomers: Arc<Newcomers>,
    pub client: Client,
}

/// A place that was taken before it is known what comes of it. Dropped, it is free again, unless it is kept.
#[must_use]
pub struct Entry {
    at: Timestamp,
    door: Door,
    kept: bool,
}

impl Newcomers {
    pub fn any() -> Newcomers {
        Newcomers { most: None, met: Mutex::default() }
    }
    pub fn at_most(per_minute: usize, per_hour: usize) -> Newcomers {
        Newcomers { most: Some((per_minute, per_hour)), met: Mutex::default() }
    }
}

impl Door {
    /// Refused where the address has had as many as it may, with when it has room again.
    pub fn enter(&self, now: Timestamp) -> Result<Option<Entry>, TooMuch> {
        let Some((per_minute, per_hour)) = self.newcomers.most.filter(|_| !self.client.is_own_machine) else {
            return Ok(None);
        };
        let mut met = self.newcomers.met.lock().expect("nothing panics under this lock");
        if met.by_address.len() >= met.sweep_at {
            met.by_address.retain(|_, times| times.back().is_some_and(|last| now < *last + HOUR));
            met.sweep_at = met.by_address.len() + SWEEP;
        }
        let mut free_at = None;
        for bucket in buckets(self.client.address) {
            let count = bucket.1;
            let times = met.by_address.entry(bucket).or_default();
            while times.front().is_some_and(|first| *first + HOUR <= now) {
                times.pop_front();
            }
            // The one that must have left its window before there is room for one more.
            let room_at = |most: usize, window: Span| {
                let blocking = times.len().checked_sub(most * count).and_then(|at| times.get(at));
                blocking.map(|first| *first + window).filter(|room_at| now < *room_at)
            };
            free_at = free_at.max(room_at(per_minute, MINUTE)).max(room_at(per_hour, HOUR));
        }
        if let Some(free_at) = free_at {
            let wait = u64::try_from((free_at - now).0).unwrap_or(0);
            return Err(TooMuch { retry_after: Duration::from_micros(wait) });
        }
        for bucket in buckets(self.client.address) {
            met.by_address.entry(bucket).or_default().push_back(now);
        }
        Ok(Some(Entry { at: now, door: self.clone(), kept: false }))
    }
}

impl Entry {
    /// It may be recorded: from here on it stays taken, also where nobody waits for the answer any more.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// Nothing new was recorded.
    pub fn give_back(mut self) {
        self.kept = false;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let Ok(mut met) = self.door.newcomers.met.lock() else { return };
        for bucket in buckets(self.door.client.address) {
            let Some(times) = met.by_address.get_mut(&bucket) else { continue };
            if let Some(at) = times.iter().rposition(|time| *time == self.at) {
                times.remove(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(newcomers: &Arc<Newcomers>, peer: &str) -> Door {
        Door { newcomers: newcomers.clone(), client: Client::direct(peer.parse().unwrap()) }
    }
    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }
    fn enters(door: &Door, now: Timestamp) -> bool {
        match door.enter(now) {
            Ok(entry) => {
                entry.into_iter().for_each(|mut entry| entry.keep());
                true
            }
            Err(_) => false,
        }
    }
    fn waits(door: &Door, now: Timestamp) -> Duration {
        door.enter(now).err().unwrap().retry_after
    }

    #[test]
    fn so_many_of_any_minute_and_of_any_hour() {
        let newcomers = Arc::new(Newcomers::at_most(2, 3));
        let ann = door(&newcomers, "192.0.2.1");
        assert!(enters(&ann, at(0)) && enters(&ann, at(30)));
        assert_eq!(waits(&ann, at(59)), Duration::from_secs(1));
        assert!(!enters(&ann, Timestamp(at(60).0 - 1)));
        assert!(enters(&ann, at(60)), "the first is a minute old");
        // Three of the hour.
        assert_eq!(waits(&ann, at(120)), Duration::from_secs(3_480));
        assert!(!enters(&ann, Timestamp(at(3_600).0 - 1)) && enters(&ann, at(3_600)));
        assert!(!enters(&ann, at(3_629)) && enters(&ann, at(3_630)));
    }

    #[test]
    fn each_address_has_its_own_and_a_network_of_ipv6_is_one() {
        let newcomers = Arc::new(Newcomers::at_most(1, 9));
        assert!(enters(&door(&newcomers, "192.0.2.1"), at(0)) && enters(&door(&newcomers, "192.0.2.2"), at(0)));
        assert!(enters(&door(&newcomers, "2001:db8:0:1::1"), at(0)));
        assert!(!enters(&door(&newcomers, "2001:db8:0:1:ffff::2"), at(0)), "the same /64");
        assert!(enters(&door(&newcomers, "2001:db8:0:2::1"), at(0)));
        assert!(!enters(&door(&newcomers, "::ffff:192.0.2.1"), at(0)), "IPv4 within IPv6");
        for _ in 0..9 {
            assert!(enters(&door(&newcomers, "127.0.0.1"), at(0)) && enters(&door(&newcomers, "::1"), at(0)));
        }
        let proxied = Client { address: "127.0.0.1".parse().unwrap(), is_own_machine: false };
        let proxied = Door { newcomers: newcomers.clone(), client: proxied };
        assert!(enters(&proxied, at(0)) && !enters(&proxied, at(0)), "whom a proxy on loopback does not tell apart");
        let any = Arc::new(Newcomers::any());
        assert!((0..99).all(|_| enters(&door(&any, "192.0.2.1"), at(0))));
    }

    #[test]
    fn a_site_of_ipv6_is_as_eight_addresses_however_many_networks_it_has() {
        let newcomers = Arc::new(Newcomers::at_most(2, 9));
        let of = |network: u32| door(&newcomers, &format!("2001:db8:7:{network:x}::1"));
        for second in 0..2 {
            assert!((0..OF_A_SITE as u32).all(|network| enters(&of(network), at(second))));
        }
        assert_eq!(waits(&of(99), at(2)), Duration::from_secs(58));
        assert!(enters(&door(&newcomers, "2001:db8:8::1"), at(2)), "another /48");
        // What came to nothing is free again for both.
        drop(of(99).enter(at(60)).unwrap());
        assert!((0..OF_A_SITE as u32).all(|network| enters(&of(100 + network), at(60))));
        assert!(!enters(&of(200), at(60)));
    }

    #[test]
    fn what_was_not_recorded_is_not_counted_and_who_came_to_rest_is_forgotten() {
        let newcomers = Arc::new(Newcomers::at_most(1, 9));
        let ann = door(&newcomers, "192.0.2.1");
        let mut replayed = ann.enter(at(0)).unwrap().unwrap();
        replayed.keep();
        assert!(!enters(&ann, at(0)), "it may be recorded");
        replayed.give_back();
        // What failed, or went away, on its way.
        drop(ann.enter(at(0)).unwrap());
        assert!(enters(&ann, at(0)) && !enters(&ann, at(0)));
        for number in 0..3_000u32 {
            let peer = IpAddr::V4((0x0a00_0000 + number).into());
            let hours = i64::from(number / 1_000);
            assert!(enters(&Door { newcomers: newcomers.clone(), client: Client::direct(peer) }, at(hours * 3_601)));
        }
        assert!(newcomers.met.lock().unwrap().by_address.len() <= 2 * SWEEP);
    }
}
