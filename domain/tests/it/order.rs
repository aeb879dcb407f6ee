//! The order of queues: first come, first served, or a credit of time for each step of a priority.

use crate::support::market::names;
use crate::support::*;
use domain::command::{Command, OfferChange};
use domain::event::Event;
use domain::event::inquiry::InquiryEvent;
use domain::event::queue::QueueEvent;
use domain::ids::{InquiryId, QueueId};
use domain::queue::PRIORITY_CREDIT_MAX;
use domain::refusal::Refusal;
use domain::terms::{Allocation, AuctionFormat, Direction, OfferTerms, RoutingPolicy};
use domain::time::{Span, Timestamp};
use proptest::prelude::*;

fn routed(priority: u32) -> OfferTerms {
    let allocation =
        Allocation::Routed { direction: Direction::Reverse, policy: RoutingPolicy::LongestIdle, price: None };
    OfferTerms {
        allocation,
        max_wait: Span::days(1),
        priority,
        wrap_up: None,
        ..terms::terms(forward(AuctionFormat::Open))
    }
}
fn declares(market: &mut Market, name: &str, priority_credit: Span) -> Answer {
    market.operator(Command::DeclareQueue { priority_credit, topic: topic(name), required_skills: vec![] })
}
fn open(market: &mut Market, name: &str, priority_credit: Span) -> QueueId {
    let opened = |event: &Event| match event {
        Event::Queue(QueueEvent::Opened(e)) => Some(e.queue),
        _ => None,
    };
    declares(market, name, priority_credit).unwrap().iter().find_map(opened).unwrap()
}
fn stands_at(market: &Market) -> Timestamp {
    market.row().stands_at
}
/// Who is asked about, in the order in which one agent answers everything.
fn served(market: &mut Market, agent: domain::ids::AgentId) -> Vec<InquiryId> {
    let mut order = vec![];
    while let Some(reservation) =
        market.state.agents.get(agent).filter(|row| row.reserved > 0).map(|_| market.latest_of(agent))
    {
        market.inquiry = market.state.reservations.get(reservation).unwrap().inquiry;
        order.push(market.inquiry);
        market.accepts(agent).unwrap();
        let session = market.session();
        market.agent(agent, Command::EndSession { session }).unwrap();
    }
    order
}

#[test]
fn without_a_credit_a_priority_changes_nothing() {
    let mut market = Market::empty();
    let events = market.registers(routed(10), &["help"]).unwrap();
    assert_eq!(stands_at(&market), market.row().accepted_at);
    let recorded = events.iter().find_map(|event| match event {
        Event::Inquiry(InquiryEvent::Registered(e)) => Some(e.stands_at),
        _ => None,
    });
    assert_eq!(recorded, Some(None), "nothing is said that is not so");
}

#[test]
fn each_step_is_worth_the_credit_of_the_queue_and_of_several_queues_the_most_counts() {
    let mut market = Market::empty();
    open(&mut market, "help", Span::minutes(2));
    open(&mut market, "help/cards", Span::seconds(90));
    open(&mut market, "loans", Span::minutes(5));
    for (priority, topics, credit) in [
        (0, vec!["help"], Span::ZERO),
        (1, vec!["help"], Span::minutes(2)),
        (10, vec!["help"], Span::minutes(20)),
        (1, vec!["help/cards"], Span::minutes(2)),
        (2, vec!["help/cards", "loans"], Span::minutes(10)),
        (3, vec!["cars"], Span::ZERO),
        (3, vec!["cars", "loans/home"], Span::minutes(15)),
    ] {
        market.inquires(routed(priority), &topics);
        assert_eq!(stands_at(&market), market.now - credit, "{priority} {topics:?}");
    }
}

#[test]
fn a_priority_is_put_ahead_by_its_credit_and_no_further() {
    for (later, first) in [(119, true), (120, false), (121, false)] {
        let mut market = Market::empty();
        open(&mut market, "help", Span::minutes(2));
        let plain = market.inquires(routed(0), &["help"]);
        market.pass(Span::seconds(later));
        let preferred = market.inquires(routed(1), &["help"]);
        market.hire(ANN, "0", 1);
        // At one instant the id says who is first: it was accepted earlier.
        let order = if first { [preferred, plain] } else { [plain, preferred] };
        assert_eq!(served(&mut market, ANN), order, "{later} s later");
    }
}

#[test]
fn rounds_follow_the_same_order() {
    let rules = || forward(AuctionFormat::Open).rounds(3);
    for (priority, first) in [(1, 2), (0, 1)] {
        let mut market = Market::empty();
        open(&mut market, "help", Span::minutes(2));
        for given in [0, priority] {
            market.inquires(OfferTerms { priority: given, ..terms::terms(rules()) }, &["help"]);
            market.pass(Span::seconds(60));
        }
        market.register(ANN, &[skill("help", 1)], 1, None);
        let events = market.available(ANN);
        let opened = events.iter().find_map(|event| match event {
            Event::Auction(domain::event::auction::AuctionEvent::Opened(e)) => Some(e.inquiry.0),
            _ => None,
        });
        assert_eq!(opened, Some(first));
    }
}

#[test]
fn a_kept_place_and_a_merge_leave_it_where_it_stands() {
    let mut market = Market::empty();
    let cards = open(&mut market, "help/cards", Span::minutes(2));
    let plain = market.inquires(routed(0), &["help/cards"]);
    market.pass(Span::seconds(60));
    let preferred = market.inquires(routed(1), &["help/cards"]);
    let place = stands_at(&market);
    market.withdraws().unwrap();
    market.pass(Span::minutes(5));
    // Into a queue that gives nothing: who came under the old rule keeps what it has.
    let into = open(&mut market, "money", Span::ZERO);
    market.operator(Command::MergeQueues { from: vec![cards], into }).unwrap();
    market.inquiry = preferred;
    market.resumes().unwrap();
    assert_eq!(stands_at(&market), place);
    let late = market.inquires(routed(10), &["help/cards"]);
    assert_eq!(stands_at(&market), market.now, "under the new rule");
    market.hire(ANN, "0", 1);
    assert_eq!(served(&mut market, ANN), [preferred, plain, late]);
}

#[test]
fn a_merge_moves_the_first_in_the_order_first() {
    let mut market = Market::empty();
    let cards = open(&mut market, "help/cards", Span::minutes(2));
    let [plain, preferred] = [0, 1].map(|priority| market.inquires(routed(priority), &["help/cards"]));
    let into = open(&mut market, "money", Span::ZERO);
    let events = market.operator(Command::MergeQueues { from: vec![cards], into }).unwrap();
    let moved = events.iter().filter_map(|event| match event {
        Event::Inquiry(InquiryEvent::Moved(e)) => Some(e.inquiry),
        _ => None,
    });
    assert_eq!(moved.collect::<Vec<_>>(), [preferred, plain]);
}

#[test]
fn who_is_back_in_the_queue_is_back_at_its_place() {
    let mut market = Market::with(&[ANN]);
    open(&mut market, "help", Span::minutes(2));
    let preferred = market.inquires(routed(1), &["help"]);
    market.pass(Span::seconds(5));
    let plain = market.inquires(routed(0), &["help"]);
    market.inquiry = preferred;
    let place = stands_at(&market);
    // Asked, and let go by: it waits again, still ahead of who came later.
    assert!(names(&market.lapses()).contains(&"inquiry.requeued"));
    assert_eq!(stands_at(&market), place);
    market.hire(BEN, "0", 1);
    assert_eq!(served(&mut market, BEN), [preferred, plain]);
}

#[test]
fn steps_and_credits_have_bounds() {
    let mut market = Market::empty();
    let field = |answer: Answer| answer.err().and_then(|refusal| refusal.field());
    assert!(declares(&mut market, "a", PRIORITY_CREDIT_MAX).is_ok());
    let beyond = Span(PRIORITY_CREDIT_MAX.0 + 1);
    assert_eq!(field(declares(&mut market, "b", beyond)), Some(vec!["priorityCredit".to_owned()]));
    assert!(domain::check::terms(&OfferTerms { accepts_questions: true, ..routed(10) }).is_ok());
    let refused = domain::check::terms(&OfferTerms { accepts_questions: true, ..routed(11) });
    assert!(matches!(refused, Err(Refusal::Invalid { .. })));
    assert_ne!(OfferChange { priority: Some(0), ..OfferChange::default() }, OfferChange::default());
}

proptest! {
    /// One agent answers all that waits, strictly by (acceptance − priority × credit, id), whatever else happens to them.
    #[test]
    fn the_order_is_total_and_is_the_order_of_service(
        came in proptest::collection::vec((0u32..=10, 0usize..3, 0i64..240), 1..25),
        credits in proptest::array::uniform2(0i64..120),
    ) {
        let mut market = Market::empty();
        market.audited = false;
        open(&mut market, "help", Span::seconds(credits[0]));
        open(&mut market, "help/cards", Span::seconds(credits[1]));
        let mut expected = vec![];
        for (priority, number, gap) in &came {
            market.pass(Span::seconds(*gap));
            let inquiry = market.inquires(routed(*priority), &[["help", "help/cards", "help/loans"][*number]]);
            let credit = if *number == 1 { credits[0].max(credits[1]) } else { credits[0] };
            expected.push((market.now.0 - credit * 1_000_000 * i64::from(*priority), inquiry));
        }
        expected.sort();
        market.hire(ANN, "0", 1);
        prop_assert_eq!(served(&mut market, ANN), expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
    }
}
