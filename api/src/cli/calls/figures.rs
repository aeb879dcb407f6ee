//! What came of calls, in figures: recorded and replayed ones are counted by the same lines.

use super::presence::{Interval, by_hour, hour_of};
use domain::time::{Span, Timestamp};
use domain::topic::Topic;
use serde::Serialize;

/// How long a caller may wait to count as answered in time.
const IN_TIME: Span = Span::seconds(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    HungUp,
    /// Waited longer than the offer lets anybody wait.
    Expired,
    /// As recorded: the agent was busy.
    Refused,
}

/// One caller who wanted an agent.
pub(super) struct Caller {
    pub(super) topic: Topic,
    pub(super) wanted_at: Timestamp,
    pub(super) fate: Fate,
    pub(super) waited: Span,
    /// Nobody was there at once.
    pub(super) queued: bool,
    pub(super) service: Span,
}

/// Waits in seconds: of the answered, those who queued; a percentile is the least wait that so many did not exceed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) calls: usize,
    pub(super) answered: usize,
    pub(super) answered_at_once: usize,
    pub(super) hung_up: usize,
    pub(super) expired: usize,
    pub(super) refused: usize,
    pub(super) answered_within_20_s: usize,
    /// Of all calls.
    pub(super) service_level: Option<f64>,
    /// Hung up or expired, of all calls.
    pub(super) abandonment: Option<f64>,
    pub(super) wait: Spread,
    pub(super) patience_of_abandoners: Spread,
    pub(super) service_s: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) mean: Option<f64>,
    pub(super) median: Option<i64>,
    pub(super) p90: Option<i64>,
    pub(super) p99: Option<i64>,
}

/// Seconds that agents were there, and that they were in conversations.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Work {
    pub(super) present_s: i64,
    pub(super) busy_s: i64,
    pub(super) occupancy: Option<f64>,
}

pub(super) fn figures<'a>(callers: impl Iterator<Item = &'a Caller>) -> Figures {
    let mut told = Figures::default();
    let (mut waits, mut patience) = (Vec::new(), Vec::new());
    for caller in callers {
        told.calls += 1;
        let seconds = seconds(caller.waited);
        match caller.fate {
            Fate::Answered => {
                told.answered += 1;
                told.answered_within_20_s += usize::from(caller.waited <= IN_TIME);
                told.service_s += self::seconds(caller.service);
                match caller.queued {
                    true => waits.push(seconds),
                    false => told.answered_at_once += 1,
                }
            }
            Fate::HungUp => {
                told.hung_up += 1;
                patience.push(seconds);
            }
            Fate::Expired => told.expired += 1,
            Fate::Refused => told.refused += 1,
        }
    }
    told.service_level = share(told.answered_within_20_s as i64, told.calls as i64);
    told.abandonment = share((told.hung_up + told.expired) as i64, told.calls as i64);
    told.wait = spread(waits);
    told.patience_of_abandoners = spread(patience);
    told
}

fn spread(mut waits: Vec<i64>) -> Spread {
    waits.sort_unstable();
    let at = |percent: usize| {
        let rank = (waits.len() * percent).div_ceil(100);
        waits.get(rank.saturating_sub(1)).copied()
    };
    let mean = (!waits.is_empty()).then(|| {
        let (sum, count) = (waits.iter().sum::<i64>(), waits.len() as i64);
        ((sum * 10 + count / 2) / count) as f64 / 10.0
    });
    Spread { mean, median: at(50), p90: at(90), p99: at(99) }
}

/// To four digits; `None` of nothing.
pub(super) fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| ((part * 10_000 + whole / 2) / whole) as f64 / 10_000.0)
}

pub(super) fn seconds(span: Span) -> i64 {
    span.0 / 1_000_000
}

pub(super) fn at_hour(caller: &Caller) -> usize {
    hour_of(caller.wanted_at)
}

/// Of all agents, each with when it was there and when it was in conversations: all together, and by hour of day.
pub(super) fn work(agents: &[(Vec<Interval>, Vec<Interval>)]) -> (Work, [Work; 24]) {
    let mut hours: [Work; 24] = Default::default();
    for (present, busy) in agents {
        for (hour, span) in by_hour(present).into_iter().enumerate() {
            hours[hour].present_s += seconds(span);
        }
        for (hour, span) in by_hour(busy).into_iter().enumerate() {
            hours[hour].busy_s += seconds(span);
        }
    }
    let mut all = Work::default();
    for hour in &mut hours {
        hour.occupancy = share(hour.busy_s, hour.present_s);
        all.present_s += hour.present_s;
        all.busy_s += hour.busy_s;
    }
    all.occupancy = share(all.busy_s, all.present_s);
    (all, hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(fate: Fate, waited: i64, queued: bool) -> Caller {
        let topic = "bank/ps".parse().unwrap();
        let (wanted_at, waited) = (Timestamp(0), Span::seconds(waited));
        Caller { topic, wanted_at, fate, waited, queued, service: Span::seconds(60) }
    }

    #[test]
    fn twenty_seconds_are_in_time_and_one_more_is_not() {
        let callers = [
            caller(Fate::Answered, 0, false),
            caller(Fate::Answered, 20, true),
            caller(Fate::Answered, 21, true),
            caller(Fate::HungUp, 5, true),
            caller(Fate::Expired, 3_600, true),
        ];
        let told = figures(callers.iter());
        assert_eq!((told.calls, told.answered, told.answered_at_once, told.answered_within_20_s), (5, 3, 1, 2));
        assert_eq!((told.service_level, told.abandonment, told.service_s), (Some(0.4), Some(0.4), 180));
        assert_eq!(told.wait, Spread { mean: Some(20.5), median: Some(20), p90: Some(21), p99: Some(21) });
        assert_eq!(told.patience_of_abandoners.median, Some(5));
        let nobody = figures([].iter());
        assert_eq!((nobody.service_level, nobody.wait.mean), (None, None));
    }

    #[test]
    fn a_percentile_is_the_least_wait_that_so_many_did_not_exceed() {
        let of = |count: i64| spread((1..=count).rev().collect());
        assert_eq!((of(100).median, of(100).p90, of(100).p99), (Some(50), Some(90), Some(99)));
        assert_eq!((of(101).median, of(101).p90, of(101).p99), (Some(51), Some(91), Some(100)));
        assert_eq!((of(1).median, of(1).p99), (Some(1), Some(1)));
    }
}
