//! Relaxation: what is asked of agents becomes less in rings, after so much waiting.

use crate::support::market::names;
use crate::support::*;
use domain::command::Command;
use domain::decide::apply;
use domain::event::Event;
use domain::event::inquiry::{InquiryEvent, InquiryRelaxed};
use domain::ids::AgentId;
use domain::refusal::Refusal;
use domain::state::State;
use domain::terms::{Allocation, AuctionFormat, Direction, OfferTerms, RelaxationRing, RoutingPolicy};
use domain::time::{Span, Timestamp};

fn ring(after: i64, lower_levels: u32, any_topic: bool) -> RelaxationRing {
    RelaxationRing { after: seconds(after), any_topic, lower_levels }
}
/// Asks for German at level 5 and for its topic; with rings after 20 and 60 seconds.
fn terms_of(allocation: Allocation) -> OfferTerms {
    OfferTerms {
        allocation,
        max_wait: Span::minutes(10),
        relaxation: vec![ring(20, 2, false), ring(60, 4, true)],
        required_skills: vec![skill("german", 5)],
        ..terms::terms(forward(AuctionFormat::Open))
    }
}
fn routed() -> OfferTerms {
    let (direction, policy) = (Direction::Reverse, RoutingPolicy::LongestIdle);
    terms_of(Allocation::Routed { direction, policy, price: None })
}
fn entered(events: &[Event]) -> Vec<InquiryRelaxed> {
    let one = |event: &Event| match event {
        Event::Inquiry(InquiryEvent::Relaxed(e)) => Some(e.clone()),
        _ => None,
    };
    events.iter().filter_map(one).collect()
}
fn rings(events: &[Event]) -> Vec<u32> {
    entered(events).iter().map(|e| e.ring).collect()
}
fn desired(market: &Market) -> Vec<(String, u8)> {
    let mut all: Vec<_> =
        market.row().desired_skills.iter().map(|skill| (skill.name.to_string(), skill.level)).collect();
    all.sort();
    all
}
fn asked(market: &Market) -> Option<AgentId> {
    market.pending().map(|(_, row)| row.agent)
}
/// Speaks German at a level, and knows a topic.
fn speaks(market: &mut Market, agent: AgentId, level: u8, topic: Option<&str>) {
    let german = skill("german", level);
    let skills: Vec<_> = topic.map(|name| skill(name, 1)).into_iter().chain([german]).collect();
    market.register(agent, &skills, 1, None);
    market.available(agent);
}

#[test]
fn each_ring_asks_for_less_at_its_instant_and_not_before() {
    let mut market = Market::empty();
    market.inquires(routed(), &["help"]);
    assert_eq!(desired(&market), [("german".to_owned(), 5), ("help".to_owned(), 1)]);
    assert!(rings(&market.pass(Span(seconds(20).0 - 1))).is_empty(), "a microsecond early");
    let events = market.pass(Span(1));
    assert_eq!(rings(&events), [1]);
    assert_eq!(names(&events), ["inquiry.relaxed", "inquiry.selection_made"], "looked for anew, and nobody found");
    assert_eq!(desired(&market), [("german".to_owned(), 3), ("help".to_owned(), 1)], "1 at least");
    assert!(rings(&market.pass(Span(seconds(40).0 - 1))).is_empty());
    assert_eq!(rings(&market.pass(Span(1))), [2]);
    assert_eq!(desired(&market), [("german".to_owned(), 1)], "whatever its topic");
    assert!(rings(&market.pass(seconds(300))).is_empty(), "there is no third");
}

#[test]
fn who_is_skilled_enough_for_the_ring_is_asked_in_the_same_decision() {
    let mut market = Market::empty();
    speaks(&mut market, ANN, 2, Some("cards"));
    speaks(&mut market, BEN, 3, Some("help"));
    market.inquires(routed(), &["help"]);
    assert_eq!(asked(&market), None);
    market.pass(seconds(20));
    assert_eq!(asked(&market), Some(BEN), "its German will do now");
    // It lets it lapse: what it waited counts, so the next ring comes 40 seconds of waiting later.
    market.lapses();
    assert_eq!(asked(&market), None);
    assert_eq!(market.row().relaxes_at(), Some(market.now + seconds(40)));
    market.pass(Span(seconds(40).0 - 1));
    assert_eq!(asked(&market), None);
    market.pass(Span(1));
    assert_eq!(asked(&market), Some(ANN));
}

#[test]
fn who_comes_free_later_is_measured_by_the_ring() {
    let mut market = Market::empty();
    market.inquires(routed(), &["help"]);
    market.pass(seconds(19));
    speaks(&mut market, ANN, 3, Some("help"));
    assert_eq!(asked(&market), None);
    market.rests(ANN);
    market.pass(seconds(1));
    assert_eq!(asked(&market), None);
    market.available(ANN);
    assert_eq!(asked(&market), Some(ANN));
}

#[test]
fn a_claim_and_a_round_need_what_the_ring_asks() {
    let claimed = Allocation::Claim { direction: Direction::Reverse, price: None };
    let mut market = Market::empty();
    speaks(&mut market, ANN, 1, None);
    market.inquires(terms_of(claimed), &["help"]);
    market.pass(seconds(59));
    assert_eq!(market.claims(ANN), Err(Refusal::AgentLacksSkill));
    market.pass(seconds(1));
    assert!(market.claims(ANN).is_ok());

    // Unsold, it waits for somebody who could bid; the ring opens the next round for who is there already.
    let mut market = Market::empty();
    speaks(&mut market, ANN, 1, None);
    market.inquires(terms_of(Allocation::Auction(forward(AuctionFormat::Open).rounds(3))), &["help"]);
    market.closes();
    let began = market.now;
    let events = market.until(began + seconds(60));
    assert_eq!(rings(&events), [1, 2]);
    assert!(names(&events).ends_with(&["inquiry.relaxed", "auction.opened"]), "{:?}", names(&events));
    assert_eq!(market.open_auction().desired_skills.len(), 1);
}

#[test]
fn neither_the_time_away_nor_that_before_the_offers_hours_is_waiting() {
    let mut market = Market::empty();
    market.inquires(routed(), &["help"]);
    market.pass(seconds(15));
    market.withdraws().unwrap();
    assert!(rings(&market.pass(seconds(600))).is_empty());
    market.resumes().unwrap();
    assert!(rings(&market.pass(Span(seconds(5).0 - 1))).is_empty());
    assert_eq!(rings(&market.pass(Span(1))), [1], "five of twenty seconds were left");

    let mut market = Market::empty();
    // It opens a minute later.
    let hours = Some(crate::hours::daily("UTC", 8 * 60 + 1, 8 * 60));
    market.inquires(OfferTerms { hours, ..routed() }, &["help"]);
    let opens = market.row().begins_at.unwrap();
    assert!(rings(&market.until(Timestamp(opens.0 + seconds(20).0 - 1))).is_empty());
    assert_eq!(rings(&market.pass(Span(1))), [1]);
}

#[test]
fn a_merge_asks_for_the_targets_skills_as_the_ring_lowers_them() {
    let mut market = Market::empty();
    let open = |market: &mut Market, name: &str, level: u8| {
        let required_skills = vec![skill("law", level)];
        let declare = Command::DeclareQueue { priority_credit: Span::ZERO, topic: topic(name), required_skills };
        market.operator(declare).unwrap();
        market.state.queue_topics[&topic(name)]
    };
    let (from, into) = (open(&mut market, "help", 4), open(&mut market, "money", 9));
    market.inquires(routed(), &["help"]);
    market.pass(seconds(20));
    assert_eq!(market.row().desired_skills.iter().find(|one| one.name == topic("law")).unwrap().level, 2);
    market.operator(Command::MergeQueues { from: vec![from], into }).unwrap();
    assert_eq!(market.row().desired_skills.iter().find(|one| one.name == topic("law")).unwrap().level, 7);
    market.pass(seconds(40));
    assert_eq!(desired(&market), [("german".to_owned(), 1), ("law".to_owned(), 5)]);
}

/// The platform was down over both: who is there is asked for what is right by now, and each choice is recomputed.
#[test]
fn both_rings_are_entered_in_order_when_the_platform_comes_late_and_every_choice_is_recomputed() {
    let mut market = Market::empty();
    speaks(&mut market, ANN, 1, None);
    market.inquires(routed(), &["help"]);
    let at = Timestamp(market.now.0 + seconds(300).0);
    assert_eq!(rings(&market.wakes_at(at)), [1, 2]);
    assert_eq!(asked(&market), Some(ANN));
    let mut state = State::default();
    let mut choices = 0;
    for (at, event) in &market.log {
        if let Event::Inquiry(InquiryEvent::SelectionMade(e)) = event {
            assert_eq!(domain::routing::why(&state, e.inquiry, *at).as_ref(), Some(&e.why));
            choices += 1;
        }
        apply(&mut state, event, *at);
    }
    assert_eq!(choices, 3, "at first, and at each ring");
}

#[test]
fn rings_have_an_order_and_bounds() {
    let check = |relaxation: Vec<RelaxationRing>| {
        let offer = OfferTerms { accepts_questions: true, relaxation, ..routed() };
        domain::check::terms(&offer).map_err(|refusal| refusal.field().unwrap())
    };
    let of = |allocation, relaxation| {
        let offer = OfferTerms { relaxation, ..terms_of(allocation) };
        domain::check::terms(&offer).map_err(|refusal| refusal.field().unwrap())
    };
    let rounds = |count| Allocation::Auction(forward(AuctionFormat::Open).rounds(count));
    assert_eq!(of(rounds(1), vec![ring(9, 1, false)]), Err(vec!["relaxation".to_owned()]), "nobody is asked after it");
    assert_eq!(of(rounds(2), vec![ring(9, 1, false)]), Ok(()));
    assert_eq!(of(rounds(1), vec![]), Ok(()));
    let at = |entry: &str, member: Option<&str>| -> Result<(), Vec<String>> {
        Err(["relaxation", entry].into_iter().chain(member).map(str::to_owned).collect())
    };
    let five: Vec<_> = (1..=5).map(|number| ring(number, number as u32, false)).collect();
    assert_eq!(check(five.clone()), Ok(()));
    assert_eq!(check([five, vec![ring(9, 9, false)]].concat()), Err(vec!["relaxation".to_owned()]));
    assert_eq!(check(vec![ring(0, 1, false)]), at("0", Some("after")));
    assert_eq!(check(vec![ring(9, 1, false), ring(9, 2, false)]), at("1", Some("after")));
    assert_eq!(check(vec![ring(599, 1, false)]), Ok(()));
    assert_eq!(check(vec![ring(600, 1, false)]), at("0", Some("after")), "maxWait is over then");
    assert_eq!(check(vec![ring(9, 9, false)]), Ok(()));
    assert_eq!(check(vec![ring(9, 10, false)]), at("0", Some("lowerLevels")));
    assert_eq!(check(vec![ring(9, 0, false)]), at("0", None), "it asks for the same");
    assert_eq!(check(vec![ring(9, 2, false), ring(10, 1, true)]), at("1", None), "it asks for more");
    assert_eq!(check(vec![ring(9, 0, true), ring(10, 1, false)]), at("1", None));
    assert_eq!(check(vec![ring(9, 0, true), ring(10, 1, true)]), Ok(()));
}
