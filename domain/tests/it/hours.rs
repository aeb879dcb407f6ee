//! Business hours: when an offer opens, on the boundary and in its own zone; what waits for it, and what does not.

use crate::support::market::names;
use crate::support::*;
use domain::event::Event;
use domain::event::community::OfferAccepted;
use domain::event::inquiry::InquiryEvent;
use domain::event::reservation::ReservationEvent;
use domain::hours::{BusinessHours, Minute, Weekday, WeeklyHours};
use domain::refusal::Refusal;
use domain::state::InquiryState;
use domain::terms::{Allocation, AuctionFormat, Direction, Initiator, OfferTerms, RoutingPolicy};
use domain::time::{Span, Timestamp};
use proptest::prelude::*;

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// Each day.
pub fn daily(zone: &str, from: Minute, to: Minute) -> BusinessHours {
    on(zone, &WEEK, from, to)
}
fn on(zone: &str, days: &[Weekday], from: Minute, to: Minute) -> BusinessHours {
    let weekly = vec![WeeklyHours { days: days.to_vec(), from, to }];
    BusinessHours { closed_on: vec![], weekly, zone: zone.to_owned() }
}
fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}
fn clock(hour: Minute, minute: Minute) -> Minute {
    hour * 60 + minute
}
fn opens(hours: &BusinessHours, now: &str) -> Option<String> {
    let at = hours.next_opening(at(now))?;
    Some(jiff::Timestamp::from_microsecond(at.0).unwrap().to_string())
}
fn opens_at(hours: &BusinessHours, now: &str, opening: &str) {
    assert_eq!(opens(hours, now).as_deref(), Some(opening), "{hours:?} at {now}");
}
fn is_open(hours: &BusinessHours, now: &str) {
    assert_eq!(opens(hours, now), None, "{hours:?} at {now}");
}

#[test]
fn a_window_begins_with_its_first_instant_and_ends_before_its_last() {
    // 2027-01-15 is a Friday, and Vienna an hour ahead.
    let office = on("Europe/Vienna", &WEEK[..5], clock(9, 0), clock(17, 30));
    opens_at(&office, "2027-01-15T07:59:59.999999Z", "2027-01-15T08:00:00Z");
    is_open(&office, "2027-01-15T08:00:00Z");
    is_open(&office, "2027-01-15T16:29:59.999999Z");
    opens_at(&office, "2027-01-15T16:30:00Z", "2027-01-18T08:00:00Z");
    opens_at(&office, "2027-01-17T12:00:00Z", "2027-01-18T08:00:00Z");
}

#[test]
fn to_the_same_or_an_earlier_time_is_past_midnight() {
    let late = on("UTC", &[Weekday::Friday], clock(22, 0), clock(2, 0));
    opens_at(&late, "2027-01-15T21:59:59Z", "2027-01-15T22:00:00Z");
    is_open(&late, "2027-01-16T01:59:59Z");
    opens_at(&late, "2027-01-16T02:00:00Z", "2027-01-22T22:00:00Z");
    let round = on("UTC", &[Weekday::Friday], clock(9, 0), clock(9, 0));
    is_open(&round, "2027-01-16T08:59:59Z");
    opens_at(&round, "2027-01-16T09:00:00Z", "2027-01-22T09:00:00Z");
    let always = daily("Asia/Tokyo", 0, clock(24, 0));
    for hour in 0..48 {
        assert_eq!(always.next_opening(MORNING + Span::minutes(hour * 60)), None);
    }
}

#[test]
fn closed_days_do_not_open() {
    let closed_on = vec!["2027-01-18".parse().unwrap(), "2027-01-19".parse().unwrap()];
    let office = BusinessHours { closed_on, ..on("UTC", &WEEK[..5], clock(9, 0), clock(17, 0)) };
    opens_at(&office, "2027-01-15T17:00:00Z", "2027-01-20T09:00:00Z");
    // What opened the evening before goes on.
    let night =
        BusinessHours { closed_on: vec!["2027-01-16".parse().unwrap()], ..daily("UTC", clock(22, 0), clock(4, 0)) };
    is_open(&night, "2027-01-16T03:00:00Z");
    opens_at(&night, "2027-01-16T04:00:00Z", "2027-01-17T22:00:00Z");
    // As many Mondays closed as can be named: it opens on the next.
    let mondays: Vec<_> = (0..domain::check::LIST_MAX as i64)
        .map(|week| "2027-01-18".parse::<jiff::civil::Date>().unwrap() + jiff::Span::new().weeks(week))
        .collect();
    let rarely = BusinessHours { closed_on: mondays, ..on("UTC", &WEEK[..1], 0, clock(1, 0)) };
    rarely.check().unwrap();
    opens_at(&rarely, "2027-01-15T00:00:00Z", "2028-01-03T00:00:00Z");
}

#[test]
fn clocks_that_are_put_forward_and_back() {
    let early = daily("Europe/Vienna", clock(2, 30), clock(4, 0));
    // On 28 March there is no half past two: an hour of the clock later.
    opens_at(&early, "2027-03-27T23:00:00Z", "2027-03-28T01:30:00Z");
    // On 31 October there are two: the first.
    opens_at(&early, "2027-10-30T22:00:00Z", "2027-10-31T00:30:00Z");
    // Closed from a time that is not there: nothing of it is left.
    let gap = daily("Europe/Vienna", clock(2, 0), clock(3, 0));
    opens_at(&gap, "2027-03-28T00:30:00Z", "2027-03-29T00:00:00Z");
}

#[test]
fn what_publishing_refuses() {
    let refused = |hours: BusinessHours| match hours.check() {
        Err(refusal) => refusal.field().unwrap().join("."),
        Ok(()) => panic!("taken: {hours:?}"),
    };
    let good = || on("Europe/Vienna", &WEEK[..1], 0, clock(24, 0));
    good().check().unwrap();
    for zone in ["Mitteleuropa", "Etc/Unknown", ""] {
        assert_eq!(refused(BusinessHours { zone: zone.to_owned(), ..good() }), "hours.zone", "{zone}");
    }
    assert_eq!(refused(BusinessHours { weekly: vec![], ..good() }), "hours.weekly");
    assert_eq!(refused(on("UTC", &[], 0, 60)), "hours.weekly.0.days");
    assert_eq!(refused(on("UTC", &[Weekday::Monday, Weekday::Monday], 0, 60)), "hours.weekly.0.days");
    assert_eq!(refused(on("UTC", &WEEK, clock(24, 0), 60)), "hours.weekly.0.from");
    on("UTC", &WEEK, clock(23, 59), 0).check().unwrap();
    assert_eq!(refused(on("UTC", &WEEK, 0, clock(24, 1))), "hours.weekly.0.to");
    let many = vec!["2027-01-18".parse().unwrap(); domain::check::LIST_MAX + 1];
    assert_eq!(refused(BusinessHours { closed_on: many, ..good() }), "hours.closedOn");
    let closed =
        |days: &[&str]| BusinessHours { closed_on: days.iter().map(|day| day.parse().unwrap()).collect(), ..good() };
    closed(&["0001-01-01", "9999-12-31", "2026-12-25"]).check().unwrap();
    assert_eq!(refused(closed(&["2026-12-25", "2026-12-26", "2026-12-25"])), "hours.closedOn.2", "twice");
    assert_eq!(refused(closed(&["2026-12-25", "0000-12-25"])), "hours.closedOn.1");
    assert_eq!(refused(closed(&["-009999-01-01"])), "hours.closedOn.0");
}

proptest! {
    /// It is closed until the opening, and open then.
    #[test]
    fn an_opening_is_the_next_one(
        zone in prop::sample::select(vec!["UTC", "Europe/Vienna", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        weekly in prop::collection::vec((prop::sample::subsequence(WEEK.to_vec(), 1..=7), 0u16..1440, 0u16..=1440), 1..4),
        minutes in 0i64..(3 * 366 * 1440),
    ) {
        let weekly = weekly.into_iter().map(|(days, from, to)| WeeklyHours { days, from, to }).collect();
        let hours = BusinessHours { closed_on: vec![], weekly, zone: zone.to_owned() };
        hours.check().unwrap();
        let now = MORNING + Span::minutes(minutes);
        if let Some(opening) = hours.next_opening(now) {
            prop_assert!(opening > now);
            prop_assert_eq!(hours.next_opening(opening), None);
            prop_assert_eq!(hours.next_opening(Timestamp(opening.0 - 1)), Some(opening));
            let between = Timestamp(now.0 + (opening.0 - now.0) / 2);
            prop_assert_eq!(hours.next_opening(between), Some(opening));
        }
    }
}

/// Opens an hour after the morning.
pub(crate) fn from_nine(allocation: Allocation) -> OfferTerms {
    let plain = terms::terms(forward(AuctionFormat::Open));
    OfferTerms { allocation, hours: Some(daily("UTC", clock(9, 0), clock(17, 0))), ..plain }
}
fn routed() -> Allocation {
    Allocation::Routed { direction: Direction::Reverse, policy: RoutingPolicy::LongestIdle, price: None }
}

#[test]
fn nobody_is_asked_before_the_hours_begin_and_then_the_first_who_is_free() {
    let mut market = Market::with(&[ANN]);
    let nine = MORNING + Span::minutes(60);
    market.inquires(from_nine(routed()), &["help"]);
    assert_eq!((market.row().state, market.row().begins_at), (InquiryState::Queued, Some(nine)));
    // Who comes to work before finds nothing to do.
    market.hire(BEN, "0", 1);
    assert_eq!(market.row().reservation(), None);
    assert_eq!(names(&market.until(Timestamp(nine.0 - 1))), [""; 0]);
    let events = market.until(nine);
    assert_eq!(names(&events), ["inquiry.began", "inquiry.selection_made", "reservation.opened"]);
    let Event::Inquiry(InquiryEvent::Began(began)) = &events[0] else { panic!() };
    assert_eq!(began.expires_at, nine + market.row().terms.max_wait, "its wait begins with the hours");
    assert!(matches!(&events[2], Event::Reservation(ReservationEvent::Opened(e)) if e.agent == ANN));
    assert_eq!(market.row().begins_at, None);
    // Within the hours everything begins at once.
    market.inquires(from_nine(routed()), &["help"]);
    assert_eq!((market.row().state, market.row().begins_at), (InquiryState::Reserved, None));
}

#[test]
fn who_was_down_for_as_long_as_it_was_open_puts_it_off_to_the_next_opening() {
    let mut market = Market::with(&[ANN]);
    let nine = MORNING + Span::minutes(60);
    market.inquires(from_nine(routed()), &["help"]);
    // To the microsecond at which it closes.
    let (closes, again) = (nine + Span::minutes(8 * 60), nine + Span::days(1));
    let events = market.wakes_at(closes);
    assert_eq!(names(&events), ["inquiry.put_off"]);
    assert_eq!((market.row().state, market.row().begins_at), (InquiryState::Queued, Some(again)));
    // It has not waited meanwhile. A moment before closing it would have begun.
    let events = market.until(again);
    assert_eq!(names(&events), ["inquiry.began", "inquiry.selection_made", "reservation.opened"]);
    let Event::Inquiry(InquiryEvent::Began(began)) = &events[0] else { panic!() };
    assert_eq!(began.expires_at, again + market.row().terms.max_wait);
}

#[test]
fn its_auction_opens_with_the_hours() {
    let mut market = Market::with(&[ANN]);
    market.inquires(from_nine(Allocation::Auction(forward(AuctionFormat::Open))), &["help"]);
    assert_eq!(market.row().auction(), None);
    let events = market.until(MORNING + Span::minutes(60));
    assert_eq!(names(&events), ["inquiry.began", "auction.opened"]);
    market.bids(ANN, "5.00").unwrap();
}

#[test]
fn it_cannot_be_claimed_before() {
    let mut market = Market::with(&[ANN]);
    market.inquires(from_nine(Allocation::Claim { direction: Direction::Reverse, price: None }), &["help"]);
    let early = Refusal::NotAllowedNow { message: "The offer's hours have not begun." };
    assert_eq!(market.claims(ANN), Err(early));
    market.until(MORNING + Span::minutes(60));
    market.claims(ANN).unwrap();
}

#[test]
fn it_can_be_withdrawn_before_and_nothing_begins() {
    let mut market = Market::with(&[ANN]);
    market.inquires(from_nine(routed()), &["help"]);
    market.withdraws().unwrap();
    assert_eq!(names(&market.until(MORNING + Span::minutes(90))), [""; 0]);
    assert!(market.state.timers.is_empty());
}

/// Closing ends nothing: what has begun waits as long as its offer says.
#[test]
fn what_has_begun_goes_on_after_closing() {
    let mut market = Market::empty();
    market.until(MORNING + Span::minutes(60));
    let office = daily("UTC", clock(9, 0), clock(9, 30));
    market.inquires(OfferTerms { hours: Some(office), ..from_nine(routed()) }, &["help"]);
    market.until(MORNING + Span::minutes(100));
    market.hire(ANN, "0", 1);
    assert_eq!(market.row().state, InquiryState::Reserved);
}

#[test]
fn the_contact_centre_turns_to_a_customer_at_any_time() {
    let mut market = Market::with(&[ANN]);
    let acceptance = market.acceptance(from_nine(routed()), &["help"]);
    market.registers_this(OfferAccepted { initiator: Initiator::ContactCenter, ..acceptance }).unwrap();
    assert_eq!(market.row().begins_at, None);
}

/// The platform was down when the hours began: it begins when the platform is back.
#[test]
fn late_it_begins_late() {
    let mut market = Market::with(&[ANN]);
    market.inquires(from_nine(routed()), &["help"]);
    let back = MORNING + Span::minutes(75);
    let events = market.wakes_at(back);
    assert_eq!(names(&events), ["inquiry.began", "inquiry.selection_made", "reservation.opened"]);
    let Event::Inquiry(InquiryEvent::Began(began)) = &events[0] else { panic!() };
    assert_eq!(began.expires_at, back + Span::minutes(60));
}
