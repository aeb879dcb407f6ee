//! How much a caller may spend in a second: a bucket of cost per caller, or per address as long as the caller
//! has no name, so that nobody's flood is anybody else's delay.
//!
//! Promises: a bucket holds what flows in during [`BURST`] and fills evenly (GCRA, ITU-T I.371); what is refused
//! takes nothing; callers that came to rest are forgotten. The cost is that of `cost`; each request that was read
//! pays at least 1, also one that is refused for its form. Items of subscriptions wait until they are paid and take
//! three quarters of what flows in at most, so that who watches much can still ask.
//!
//! Not here: how many streams a caller may hold (`connected`), how many connections there are (`listen`).

use crate::connected::Holder;
use crate::cost::COST_MAX;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Of one caller, by default. A `placeBid` that asks for little costs some 10, so that allows some 10,000 of them
/// a second: meant to stop loops that ran wild, not a busy program. Not derived from what the house can do.
pub const COST_PER_SECOND: u32 = 100_000;
/// How long a rested caller can go on at once what it may do in this time.
const BURST: u32 = 5;
/// An item that has to wait looks again after this much at least: many of one caller may wait for the same cost.
const PAUSE: Duration = Duration::from_millis(20);
/// Buckets that are full again are looked for every so many requests.
const SWEEP: u32 = 4_096;

/// Shared by all transports.
pub struct RateLimit {
    /// Absent: no limit.
    buckets: Option<Buckets>,
    asked: AtomicU32,
}

struct Buckets {
    /// Of all that a holder does.
    all: DefaultKeyedRateLimiter<Holder>,
    /// Of what items may take of it.
    items: DefaultKeyedRateLimiter<Holder>,
}

/// Too much at once; when it would pass, and never where one request is more than a bucket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMuch {
    pub retry_after: Duration,
}

impl RateLimit {
    pub fn off() -> RateLimit {
        RateLimit { buckets: None, asked: AtomicU32::new(0) }
    }

    /// One request may cost as much as a request may at all, whatever flows in.
    pub fn per_second(cost: NonZeroU32) -> RateLimit {
        let most = u32::try_from(COST_MAX).ok().and_then(NonZeroU32::new).expect("a request's cost is a u32");
        let bucket = |cost: NonZeroU32| {
            let burst = cost.saturating_mul(NonZeroU32::new(BURST).expect("not zero"));
            RateLimiter::keyed(Quota::per_second(cost).allow_burst(burst.max(most)))
        };
        let share = NonZeroU32::new(cost.get() - cost.get() / 4).expect("less than all of it");
        RateLimit { buckets: Some(Buckets { all: bucket(cost), items: bucket(share) }), asked: AtomicU32::new(0) }
    }

    /// Takes `cost` from the holder's bucket, or nothing.
    pub fn take(&self, holder: &Holder, cost: u64) -> Result<(), TooMuch> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            buckets.all.retain_recent();
            buckets.items.retain_recent();
        }
        take(&buckets.all, holder, cost)
    }

    /// Comes back once the holder's bucket has given `cost` for an item. Dropping what is waited for takes nothing
    /// more.
    pub async fn item(&self, holder: &Holder, cost: u64) {
        let Some(buckets) = &self.buckets else { return };
        while let Err(later) = take(&buckets.items, holder, cost) {
            tokio::time::sleep(later.retry_after.max(PAUSE)).await;
        }
        self.wait(holder, cost).await;
    }

    /// Comes back once the holder's bucket has given `cost`.
    pub async fn wait(&self, holder: &Holder, cost: u64) {
        while let Err(later) = self.take(holder, cost) {
            tokio::time::sleep(later.retry_after.max(PAUSE)).await;
        }
    }

    /// Callers that are remembered now.
    pub fn holders(&self) -> usize {
        self.buckets.as_ref().map_or(0, |buckets| buckets.all.len())
    }
}

fn take(bucket: &DefaultKeyedRateLimiter<Holder>, holder: &Holder, cost: u64) -> Result<(), TooMuch> {
    let Some(cost) = NonZeroU32::new(u32::try_from(cost).unwrap_or(u32::MAX)) else { return Ok(()) };
    match bucket.check_key_n(holder, cost) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(until)) => Err(TooMuch { retry_after: until.wait_time_from(DefaultClock::default().now()) }),
        // A bucket holds the most that a request may cost.
        Err(_) => Err(TooMuch { retry_after: Duration::from_secs(BURST.into()) }),
    }
}

/// `--rate-limit`: a cost per second, or `off`.
impl std::str::FromStr for RateLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<RateLimit, Self::Err> {
        if text == "off" {
            return Ok(RateLimit::off());
        }
        text.parse().map(RateLimit::per_second).map_err(|_| "a whole cost per second from 1, or off")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::actor::Actor;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    fn holder(last: u8) -> Holder {
        Holder::address(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
    }

    #[test]
    fn a_bucket_is_its_callers_alone() {
        let limit = RateLimit::per_second(NonZeroU32::new(1).unwrap());
        assert_eq!(limit.take(&holder(1), COST_MAX), Ok(()));
        let refused = limit.take(&holder(1), 10).unwrap_err();
        assert!(refused.retry_after > Duration::from_secs(5) && refused.retry_after < Duration::from_secs(11));
        assert_eq!(limit.take(&holder(2), COST_MAX), Ok(()));
        assert_eq!(limit.take(&Holder::Caller(Actor::Anonymous), 1), Ok(()));
        assert_eq!(limit.holders(), 3);
    }

    #[test]
    fn a_whole_network_of_addresses_is_one_caller() {
        let limit = RateLimit::per_second(NonZeroU32::new(1).unwrap());
        let address = |last: u16| Holder::address(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last)));
        assert_eq!(limit.take(&address(1), COST_MAX), Ok(()));
        assert!(limit.take(&address(2), 10).is_err());
    }

    #[test]
    fn who_rests_is_forgotten() {
        let limit = RateLimit::per_second(NonZeroU32::new(u32::MAX).unwrap());
        for asked in 0..2 * SWEEP {
            let holder = Holder::address(IpAddr::V4(Ipv4Addr::from_bits(asked)));
            assert_eq!(limit.take(&holder, 1), Ok(()));
        }
        assert!(limit.holders() <= SWEEP as usize + 1, "{}", limit.holders());
    }

    #[tokio::test]
    async fn items_wait_for_their_share_and_leave_the_rest() {
        let limit = RateLimit::per_second(NonZeroU32::new(40_000).unwrap());
        let began = std::time::Instant::now();
        // What is there at once, and a third of a second of their share.
        for _ in 0..16 {
            limit.item(&holder(1), 10_000).await;
        }
        assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
        // Of 200,000 they had 160,000 and what flowed in: the rest is for requests.
        assert_eq!(limit.take(&holder(1), 40_000), Ok(()));
        // Items find nothing where requests have taken it all.
        let emptied = loop {
            let now = std::time::Instant::now();
            if limit.take(&holder(2), 1_000).is_err() {
                break now;
            }
        };
        limit.item(&holder(2), 4_000).await;
        assert!(emptied.elapsed() >= Duration::from_millis(70), "{:?}", emptied.elapsed());
    }

    #[test]
    fn no_limit_is_no_limit() {
        let limit: RateLimit = "off".parse().unwrap();
        assert_eq!(limit.take(&holder(1), u64::MAX), Ok(()));
        assert!("0".parse::<RateLimit>().is_err());
        assert!("-1".parse::<RateLimit>().is_err());
        assert_eq!(limit.holders(), 0);
    }
}
