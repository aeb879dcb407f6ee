//! Where agents sit: at or above a limit nobody there is selected or awarded anything, and whoever could be again is.

use crate::support::market::{forfeits, names};
use crate::support::*;
use domain::command::{AgentChoice, Command};
use domain::event::Event;
use domain::event::agent::AgentEvent;
use domain::event::auction::LossReason;
use domain::event::community::{CallServerEvent, Location};
use domain::event::inquiry::InquiryEvent;
use domain::ids::{AgentId, InquiryId};
use domain::location::VALID_FOR_MAX;
use domain::refusal::Refusal;
use domain::state::InquiryState;
use domain::terms::AuctionFormat::*;
use domain::terms::RoutingPolicy::LongestIdle;
use domain::terms::{Allocation, Direction, OfferTerms};
use domain::time::Span;
use domain::why::{ExclusionReason, Why};

fn place(name: &str, limit: Option<&str>, session_limit: Option<u32>) -> Location {
    Location { limit: limit.map(d), name: name.to_owned(), session_limit, traffic_unit: Some("Mbit/s".to_owned()) }
}
fn routed() -> OfferTerms {
    let plain = terms::terms(forward(Open));
    OfferTerms {
        allocation: Allocation::Routed { direction: Direction::Reverse, policy: LongestIdle, price: None },
        ..plain
    }
}
/// Ann and Ben sit in Graz, Cat in Linz; all are free, Ann the longest.
fn town(graz: Location) -> Market {
    let mut market = Market::empty();
    market.starts(vec![graz, place("Linz", None, None)]);
    for agent in [ANN, BEN, CAT] {
        market.hire(agent, "100.00", 2);
        market.pass(seconds(1));
    }
    market.sits(CAT, "Linz");
    market
}
fn asked(market: &Market) -> Option<AgentId> {
    market.pending().map(|(_, row)| row.agent)
}
fn why_of(events: &[Event]) -> Why {
    let made = |event: &Event| match event {
        Event::Inquiry(InquiryEvent::SelectionMade(e)) => Some(e.why.clone()),
        _ => None,
    };
    events.iter().find_map(made).expect("a choice was made")
}

#[test]
fn at_or_above_its_limit_nobody_there_is_selected() {
    for (traffic, avoided) in [("79.9", false), ("80", true), ("80.0", true), ("80.1", true)] {
        let mut market = town(place("Graz", Some("80"), None));
        market.traffic("Graz", traffic, 60).unwrap();
        let events = market.registers(routed(), &["help"]).unwrap();
        assert_eq!(asked(&market), Some(if avoided { CAT } else { ANN }), "{traffic}");
        let excluded: Vec<_> =
            why_of(&events).excluded.iter().map(|group| (group.reason, group.agents.clone())).collect();
        let expected = if avoided { vec![(ExclusionReason::LocationAvoided, vec![1, 2])] } else { vec![] };
        assert_eq!(excluded, expected, "{traffic}");
    }
}

#[test]
fn a_limit_without_a_report_and_a_report_without_a_limit_avoid_nobody() {
    let mut market = town(place("Graz", Some("0"), None));
    market.inquires(routed(), &["help"]);
    assert_eq!(asked(&market), Some(ANN), "nothing is known");
    let mut market = town(place("Graz", None, None));
    market.traffic("Graz", "999999", 60).unwrap();
    market.inquires(routed(), &["help"]);
    assert_eq!(asked(&market), Some(ANN), "nothing is too much");
}

#[test]
fn a_report_counts_until_its_time_is_over_and_then_what_waits_is_given_out() {
    let mut market = town(place("Graz", Some("80"), None));
    market.rests(CAT);
    market.traffic("Graz", "100", 10).unwrap();
    market.inquires(routed(), &["help"]);
    assert_eq!((asked(&market), market.row().state), (None, InquiryState::Queued));
    let until = market.now + seconds(10);
    assert!(market.until(before(until)).is_empty());
    let events = market.until(until);
    assert_eq!(names(&events), ["call_server.traffic_expired", "inquiry.selection_made", "reservation.opened"]);
    assert_eq!(asked(&market), Some(ANN));
}

#[test]
fn what_is_too_old_at_an_instant_counts_for_nothing_that_falls_due_at_it() {
    let mut market = town(place("Graz", Some("80"), None));
    market.auctions(forward(Open));
    market.bid(ANN, "5.00");
    let closing = market.open_auction().closes_at;
    market.traffic("Graz", "100", 0).unwrap_err();
    let left = closing - market.now;
    market.traffic_for("Graz", "100", left).unwrap();
    market.closes();
    assert_eq!(asked(&market), Some(ANN));
}

#[test]
fn a_later_report_takes_the_place_of_the_one_before() {
    let mut market = town(place("Graz", Some("80"), None));
    market.rests(CAT);
    market.traffic("Graz", "100", 10).unwrap();
    market.traffic("Graz", "90", 30).unwrap();
    market.inquires(routed(), &["help"]);
    assert!(market.pass(seconds(20)).is_empty(), "the first one's end is no end any more");
    assert_eq!(asked(&market), None);
    let events = market.traffic("Graz", "79", 30).unwrap();
    assert_eq!(names(&events), ["call_server.traffic_reported", "inquiry.selection_made", "reservation.opened"]);
    assert_eq!(market.followed.len(), 2, "nobody is named for what follows");
}

#[test]
fn sessions_and_pending_reservations_count_and_what_ends_makes_room() {
    let mut market = town(place("Graz", None, Some(2)));
    market.rests(CAT);
    market.inquires(routed(), &["help"]);
    assert_eq!(asked(&market), Some(ANN));
    market.accepts(ANN).unwrap();
    let first = market.session();
    market.inquires(routed(), &["help"]);
    assert_eq!(asked(&market), Some(BEN), "one session is under two");
    let events = market.registers(routed(), &["help"]).unwrap();
    assert_eq!(asked(&market), None, "a session and a reservation are two");
    let excluded: Vec<_> = why_of(&events).excluded.iter().map(|group| (group.reason, group.agents.clone())).collect();
    let expected = [(ExclusionReason::LocationAvoided, vec![1, 2]), (ExclusionReason::NotAvailable, vec![3])];
    assert_eq!(excluded, expected);
    // Ann wraps up, so what she makes room for is Ben's.
    let events = market.agent(ANN, Command::EndSession { session: first }).unwrap();
    assert_eq!(asked(&market), Some(BEN));
    assert_eq!(names(&events)[0], "session.ended");
}

#[test]
fn a_reservation_that_ends_is_not_counted_against_whoever_is_asked_next() {
    let mut market = town(place("Graz", None, Some(1)));
    market.rests(CAT);
    market.inquires(routed(), &["help"]);
    assert_eq!(asked(&market), Some(ANN));
    market.declines(ANN).unwrap();
    assert_eq!(asked(&market), Some(BEN), "Ann's place is free in the same decision");
    market.lapses();
    assert_eq!(asked(&market), None, "both have had their chance");
    // The same of awards.
    let mut market = town(place("Graz", None, Some(1)));
    market.auctions(forward(Open));
    market.bid(BEN, "5.00");
    market.bid(ANN, "6.00");
    market.closes();
    assert_eq!(asked(&market), Some(ANN));
    market.lapses();
    assert_eq!(asked(&market), Some(BEN));
}

#[test]
fn a_higher_limit_or_another_place_makes_room() {
    let mut market = town(place("Graz", Some("80"), Some(9)));
    market.rests(CAT);
    market.traffic("Graz", "90", 600).unwrap();
    market.inquires(routed(), &["help"]);
    assert_eq!(asked(&market), None);
    market.starts(vec![place("Graz", Some("90"), Some(9))]);
    assert_eq!(asked(&market), None, "it is reached");
    market.starts(vec![place("Graz", Some("90.01"), Some(9))]);
    assert_eq!(asked(&market), Some(ANN));
    market.inquires(routed(), &["help"]);
    market.starts(vec![]);
    market.inquires(routed(), &["help"]);
    assert!(asked(&market).is_some(), "who sits where nothing is said is never avoided");

    let mut market = town(place("Graz", None, Some(0)));
    market.rests(CAT);
    market.inquires(routed(), &["help"]);
    assert_eq!(asked(&market), None, "closed");
    market.sits(BEN, "Linz");
    assert_eq!(asked(&market), Some(BEN));
}

#[test]
fn who_moves_takes_its_sessions_along() {
    let mut market = town(place("Graz", None, Some(1)));
    market.rests(CAT);
    market.inquires(routed(), &["help"]);
    market.accepts(ANN).unwrap();
    market.inquires(routed(), &["help"]);
    assert_eq!(asked(&market), None);
    market.sits(ANN, "Linz");
    assert_eq!(asked(&market), Some(BEN), "with her session she has left");
    assert_eq!((market.state.sites["Graz"].load, market.state.sites["Linz"].load), (1, 1));
}

#[test]
fn an_auction_passes_over_who_sits_there_without_penalty() {
    let mut market = town(place("Graz", Some("80"), None));
    market.auctions(forward(Open));
    market.bid(CAT, "4.00");
    market.bid(ANN, "5.00");
    market.traffic("Graz", "80", 600).unwrap();
    // Much may change until the closing: a bid is taken all the same.
    market.bid(BEN, "6.00");
    let events = market.closes();
    assert_eq!(market.asked(), Some((CAT, eur("4.00"))));
    assert_eq!(forfeits(&events), [(BEN, LossReason::NotFree), (ANN, LossReason::NotFree)]);
    assert_eq!((market.held(ANN), market.held(BEN)), (eur("0.00"), eur("0.00")));
    assert!(market.who(ANN).is_free() && market.who(BEN).is_free());
}

#[test]
fn a_bid_that_would_win_at_once_is_refused_there() {
    let mut market = town(place("Graz", Some("80"), None));
    market.auctions(forward(Open).buy_now("8.00"));
    market.traffic("Graz", "80", 60).unwrap();
    assert_eq!(market.bids(ANN, "8.00"), Err(Refusal::LocationAvoided));
    market.bid(ANN, "7.99");
    market.pass(seconds(1));
    market.traffic("Graz", "79", 60).unwrap();
    market.bid(BEN, "8.00");
    assert_eq!(asked(&market), Some(BEN));
}

#[test]
fn no_round_opens_for_who_could_not_win_it_and_one_does_when_it_could() {
    let mut market = town(place("Graz", Some("80"), None));
    market.rests(CAT);
    market.traffic("Graz", "80", 600).unwrap();
    market.auctions(forward(Open).rounds(2));
    let events = market.closes();
    assert_eq!(names(&events), ["auction.unsold", "inquiry.requeued"]);
    let events = market.traffic("Graz", "10", 600).unwrap();
    assert_eq!(names(&events), ["call_server.traffic_reported", "auction.opened"]);
}

#[test]
fn a_claim_and_an_invitation_by_name_are_somebodys_choice() {
    let mut market = town(place("Graz", Some("80"), Some(0)));
    market.traffic("Graz", "80", 600).unwrap();
    let plain = terms::terms(forward(Open));
    let claim = Allocation::Claim { direction: Direction::Reverse, price: None };
    market.inquires(OfferTerms { allocation: claim, ..plain }, &["help"]);
    market.claims(ANN).unwrap();
    let session = market.session();
    let skilled = AgentChoice::Skilled(vec![skill("help", 1)]);
    market.agent(ANN, Command::InviteAgent { session, agent: skilled }).unwrap();
    let asked = market.state.reservations.get(market.latest_of(CAT)).unwrap();
    assert_eq!(asked.agent, CAT, "the platform selects elsewhere");
    let named = AgentChoice::Named(BEN);
    market.agent(ANN, Command::InviteAgent { session, agent: named }).unwrap();
}

#[test]
fn what_a_report_and_a_limit_must_be() {
    let mut market = town(place("Graz", Some("80"), None));
    let field = |answer: Answer| answer.unwrap_err().field().unwrap().join(".");
    assert_eq!(field(market.traffic("Paris", "1", 60)), "location");
    assert_eq!(field(market.traffic("Graz", "-0.1", 60)), "traffic");
    assert_eq!(field(market.traffic("Graz", "1000000000000000000", 60)), "traffic");
    for (span, fits) in
        [(Span::ZERO, false), (MICROSECOND, true), (VALID_FOR_MAX, true), (Span(VALID_FOR_MAX.0 + 1), false)]
    {
        assert_eq!(market.traffic_for("Graz", "0", span).is_ok(), fits, "{span:?}");
    }
    let report = Command::ReportLocationTraffic { location: "Graz".into(), traffic: d("1"), valid_for: seconds(1) };
    assert_eq!(market.agent(ANN, report), Err(Refusal::Forbidden));

    let mut community = Market::empty();
    let mut open = |locations: Vec<Location>| {
        let command =
            Command::OpenCallServer { name: "bank".parse().unwrap(), topics: vec![], languages: vec![], locations };
        field(community.operator(command))
    };
    assert_eq!(open(vec![place("Graz", Some("-1"), None)]), "locations.0.limit");
    assert_eq!(open(vec![place("Graz", None, None), place("Graz", None, None)]), "locations.1.name");
    let blank = Location { traffic_unit: Some(" ".into()), ..place("Linz", None, None) };
    assert_eq!(open(vec![place("Graz", None, None), blank]), "locations.1.trafficUnit");
}

#[test]
fn a_platform_that_was_down_counts_no_report_that_is_over() {
    let mut market = town(place("Graz", Some("80"), None));
    market.rests(CAT);
    market.traffic("Graz", "80", 10).unwrap();
    market.inquires(routed(), &["help"]);
    let late = market.now + seconds(600);
    let events = market.wakes_at(late);
    let expired = |event: &Event| matches!(event, Event::CallServer(CallServerEvent::TrafficExpired(_)));
    assert!(events.iter().any(expired));
    assert_eq!(asked(&market), Some(ANN));
}

/// In each round that a relieved location sets going there are bids by themselves: together they fit one decision.
#[test]
fn what_a_relieved_location_sets_going_fits_one_decision_and_the_rest_follows() {
    let mut market = Market::empty();
    market.audited = false;
    market.starts(vec![place("Graz", Some("10"), None)]);
    let agents: Vec<AgentId> = (0..40).map(|number| AgentId(1_000 + number)).collect();
    for agent in &agents {
        market.hire(*agent, "0", 50);
        market.values(*agent, "help", Direction::Reverse, Some("5.00"), None).unwrap();
        market.sits(*agent, "Graz");
    }
    market.traffic("Graz", "10", 3_600).unwrap();
    let terms = terms::terms(terms::reverse(Proxy).rounds(3));
    let waiting: Vec<_> = (0..30).map(|_| market.inquires(terms.clone(), &["help"])).collect();
    market.pass(seconds(61));
    let queued = |market: &Market| {
        let is_queued = |id: &&InquiryId| market.state.inquiries.get(**id).unwrap().state == InquiryState::Queued;
        waiting.iter().filter(is_queued).count()
    };
    assert_eq!(queued(&market), 30, "nobody is awarded anything there");
    market.traffic("Graz", "1", 3_600).unwrap();
    let at_once = domain::standing::BIDS_AT_OPENING / agents.len();
    assert_eq!(queued(&market), 30 - at_once);
    assert!(market.followed.len() <= 4 * domain::standing::BIDS_AT_OPENING, "{}", market.followed.len());
    let put_off = market.followed.iter().filter_map(|event| match event {
        Event::Agent(AgentEvent::RoundsPutOff(e)) => Some(e.agents().collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(put_off.collect::<Vec<_>>(), [agents], "all that were freed, in one event");
    market.pass(domain::auction::ROUNDS_PAUSE);
    assert_eq!(queued(&market), 0, "each agent goes on with what it may");
    assert!(market.folded() == market.state);
}
