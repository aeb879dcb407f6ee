//! Routed offers: whom the platform selects, by which policy, and what comes of a lapse, a refusal and a wait.

use crate::support::market::{names, second_agent, statuses};
use crate::support::*;
use domain::auction::ROUNDS_PAUSE;
use domain::command::Command;
use domain::event::Event;
use domain::event::agent::Will;
use domain::event::inquiry::InquiryEvent;
use domain::event::wallet::Party;
use domain::ids::AgentId;
use domain::refusal::Refusal;
use domain::routing::{COOL_OFF, SELECTIONS_AT_ONCE};
use domain::state::InquiryState;
use domain::terms::RoutingPolicy::*;
use domain::terms::{Allocation, AuctionFormat, Direction, OfferTerms, RoutingPolicy};
use domain::time::Timestamp;
use domain::why::{ExclusionReason, Why};

fn offer(policy: RoutingPolicy, direction: Direction, price: Option<&str>) -> OfferTerms {
    let plain = terms::terms(forward(AuctionFormat::Open));
    OfferTerms { allocation: Allocation::Routed { direction, policy, price: price.map(eur) }, ..plain }
}
fn by(policy: RoutingPolicy) -> OfferTerms {
    offer(policy, Direction::Reverse, None)
}

/// Who is asked about the latest inquiry.
fn asked(market: &Market) -> Option<AgentId> {
    market.pending().map(|(_, row)| row.agent)
}

/// The choices of some events.
fn choices(events: &[Event]) -> Vec<Why> {
    let made = |event: &Event| match event {
        Event::Inquiry(InquiryEvent::SelectionMade(e)) => Some(e.why.clone()),
        _ => None,
    };
    events.iter().filter_map(made).collect()
}

/// Why each was left out, by number.
fn excluded(why: &Why) -> Vec<(ExclusionReason, Vec<u32>)> {
    why.excluded.iter().map(|group| (group.reason, group.agents.clone())).collect()
}

/// Ann came a second before Ben, Ben before Cat.
fn three() -> Market {
    let mut market = Market::empty();
    for agent in [ANN, BEN, CAT] {
        market.hire(agent, "100.00", 1);
        market.pass(seconds(1));
    }
    market
}

#[test]
fn who_is_chosen_has_until_the_deadline_and_consents() {
    let mut market = three();
    let events = market.registers(by(LongestIdle), &["help"]).unwrap();
    let last = &names(&events)[events.len() - 2..];
    assert_eq!(last, ["inquiry.selection_made", "reservation.opened"]);
    let why = &choices(&events)[0];
    assert_eq!((why.rule.as_str(), why.chosen), ("longest_idle/1", Some(ANN.into())));
    let ranking: Vec<_> = why.ranked.iter().map(|one| (one.subject, one.score.as_deref().unwrap())).collect();
    assert_eq!(ranking, [(ANN.into(), "3.000000"), (BEN.into(), "2.000000"), (CAT.into(), "1.000000")]);
    assert_eq!(why.ranked[0].tie_key, "load 0, idle 3.000000, agent 1");
    assert_eq!((market.row().state, market.pending().unwrap().1.deadline), (InquiryState::Reserved, second(3 + 20)));
    let done = market.accepts(ANN).unwrap();
    assert_eq!(names(&done), ["reservation.accepted", "session.opened", "queue.retired"]);
}

#[test]
fn the_longest_idle_is_who_worked_or_came_longest_ago() {
    let mut market = three();
    market.inquires(by(LongestIdle), &["help"]);
    market.accepts(ANN).unwrap();
    market.pass(seconds(5));
    let session = market.session();
    market.agent(ANN, Command::EndSession { session }).unwrap();
    market.agent(ANN, Command::CompleteWrapUp { session, information: None }).unwrap();
    // Ben went home for a moment: he is idle since he is back.
    market.rests(BEN);
    market.pass(seconds(1));
    market.available(BEN);
    market.inquires(by(LongestIdle), &["help"]);
    assert_eq!(asked(&market), Some(CAT));
    market.inquires(by(LongestIdle), &["help"]);
    assert_eq!(asked(&market), Some(ANN));
    market.inquires(by(LongestIdle), &["help"]);
    assert_eq!(asked(&market), Some(BEN));
}

#[test]
fn less_loaded_comes_before_longer_idle() {
    let mut market = Market::empty();
    market.hire(ANN, "0", 3);
    market.pass(seconds(60));
    market.hire(BEN, "0", 1);
    market.inquires(by(LongestIdle), &["help"]);
    assert_eq!(asked(&market), Some(ANN));
    market.inquires(by(LongestIdle), &["help"]);
    assert_eq!(asked(&market), Some(BEN), "Ann has somebody before her already");
    market.inquires(by(LongestIdle), &["help"]);
    assert_eq!(asked(&market), Some(ANN), "up to her capacity");
}

#[test]
fn the_best_skilled_by_topic_path_and_level() {
    let mut market = Market::empty();
    market.register(ANN, &[skill("help", 1), skill("cards", 9)], 1, None);
    market.register(BEN, &[skill("help", 4)], 1, None);
    market.register(CAT, &[skill("help", 2), skill("help/cards", 6)], 1, None);
    market.register(DAN, &[skill("cards", 10)], 1, None);
    for agent in [ANN, BEN, CAT, DAN] {
        market.available(agent);
    }
    let events = market.registers(by(BestSkilled), &["help/cards"]).unwrap();
    let why = &choices(&events)[0];
    let ranking: Vec<_> = why.ranked.iter().map(|one| (one.subject, one.score.as_deref().unwrap())).collect();
    assert_eq!(ranking, [(CAT.into(), "6"), (BEN.into(), "4"), (ANN.into(), "1")]);
    assert_eq!(excluded(why), [(ExclusionReason::LacksSkill, vec![4])]);
}

#[test]
fn round_robin_goes_round() {
    let mut market = three();
    let mut turns = vec![];
    for _ in 0..7 {
        market.inquires(by(RoundRobin), &["help"]);
        turns.push(asked(&market).unwrap());
        market.withdraws().unwrap();
    }
    assert_eq!(turns, [ANN, BEN, CAT, ANN, BEN, CAT, ANN]);
}

#[test]
fn the_best_standing_value_becomes_the_price() {
    for (direction, best, price) in [(Direction::Forward, BEN, "4.00"), (Direction::Reverse, ANN, "3.00")] {
        let mut market = three();
        let bound = if direction == Direction::Forward { "2.00" } else { "9.00" };
        market.values(ANN, "help", direction, Some("3.00"), None).unwrap();
        market.values(BEN, "help", direction, Some("4.00"), None).unwrap();
        let events = market.registers(offer(BestValue, direction, Some(bound)), &["help/cards"]).unwrap();
        assert_eq!(asked(&market), Some(best));
        assert_eq!(market.pending().unwrap().1.price, Some(eur(price)));
        assert_eq!(excluded(&choices(&events)[0]), [(ExclusionReason::TopicMismatch, vec![3])], "Cat names none");
        let payer = if direction == Direction::Forward { Party::Agent(BEN) } else { Party::Provider(PROVIDER) };
        assert_eq!(market.held_of(payer), eur(price), "held until the agent answers");
        market.accepts(best).unwrap();
        assert_eq!(market.held_of(payer), eur("0.00"));
        let paid = market.balance(payer);
        let had = if direction == Direction::Forward { eur("100.00") } else { eur("0.00") };
        assert_eq!(paid, had.minus(eur(price)).unwrap());
    }
}

#[test]
fn a_value_counts_for_its_topic_until_it_ends_and_within_the_bound() {
    let worth = |market: &mut Market| {
        let events = market.registers(offer(BestValue, Direction::Reverse, Some("5.00")), &["help/cards"]).unwrap();
        let chosen = choices(&events)[0].chosen.is_some();
        market.withdraws().unwrap();
        chosen
    };
    let mut market = Market::with(&[ANN]);
    for (value, fits) in [("4.99", true), ("5.00", true), ("5.01", false)] {
        market.values(ANN, "help", Direction::Reverse, Some(value), None).unwrap();
        assert_eq!(worth(&mut market), fits, "{value} of at most 5.00");
    }
    market.values(ANN, "help/cards", Direction::Reverse, Some("1.00"), None).unwrap();
    assert!(worth(&mut market), "the nearer topic counts");
    market.values(ANN, "help/cards", Direction::Reverse, None, None).unwrap();
    assert!(!worth(&mut market), "taken back");
    market.values(ANN, "help", Direction::Forward, Some("5.00"), None).unwrap();
    assert!(!worth(&mut market), "the other direction is another value");
    for (after, fits) in [(before(second(10)), true), (second(10), false), (second(10) + MICROSECOND, false)] {
        let mut market = Market::with(&[ANN]);
        market.values(ANN, "help", Direction::Reverse, Some("5.00"), Some(second(10))).unwrap();
        market.until(after);
        assert_eq!(worth(&mut market), fits, "{after:?}");
    }
}

#[test]
fn where_a_value_ends_the_one_for_the_topic_above_counts_at_once() {
    let mut market = Market::with(&[ANN]);
    let reverse = Direction::Reverse;
    market.values(ANN, "help", reverse, Some("5.00"), Some(second(20))).unwrap();
    market.values(ANN, "help/cards", reverse, Some("9.00"), Some(second(10))).unwrap();
    market.registers(offer(BestValue, reverse, Some("5.00")), &["help/cards"]).unwrap();
    assert_eq!(asked(&market), None, "nine is too much");
    assert!(market.until(before(second(10))).is_empty());
    let events = market.until(second(10));
    assert_eq!(names(&events)[..2], ["agent.standing_value_set", "inquiry.selection_made"]);
    assert_eq!(market.pending().unwrap().1.price, Some(eur("5.00")));
    market.withdraws().unwrap();
    let events = market.until(second(20));
    assert_eq!(names(&events), ["agent.standing_value_set"], "its own end stands");
    assert!(market.until(second(60)).is_empty());
}

#[test]
fn values_that_end_together_end_once_and_a_replaced_one_not_at_all() {
    let mut market = Market::with(&[ANN]);
    let mut until =
        |topic, value, until| market.values(ANN, topic, Direction::Forward, value, until).map(drop).unwrap();
    for topic in ["help", "help/cards", "help/loans", "help/travel"] {
        until(topic, Some("1.00"), Some(second(10)));
    }
    until("help/loans", Some("1.00"), Some(second(30)));
    until("help/travel", None, None);
    let events = market.until(second(10));
    assert_eq!(names(&events), ["agent.standing_value_set"; 2]);
    assert!(market.until(before(second(30))).is_empty());
    assert_eq!(names(&market.until(second(30))), ["agent.standing_value_set"]);
}

#[test]
fn what_a_standing_value_must_be() {
    let mut market = Market::with(&[ANN]);
    let forward = Direction::Forward;
    let field = |refused: Result<Vec<Event>, Refusal>| refused.unwrap_err().field().unwrap();
    assert_eq!(field(market.values(ANN, "help", forward, Some("0.00"), None)), ["value", "amount"]);
    assert_eq!(field(market.values(ANN, "help", forward, Some("1.00"), Some(market.now))), ["validUntil"]);
    let soon = market.now + MICROSECOND;
    market.values(ANN, "help", forward, Some("1.00"), Some(soon)).unwrap();
    let set = |agent| Command::SetStandingValue {
        agent,
        topic: topic("help"),
        direction: forward,
        value: None,
        valid_until: None,
    };
    let missing = Err(Refusal::NotFound { field: "agentId" });
    assert_eq!(market.agent(ANN, set(BEN)), missing, "nobody else's");
    assert_eq!(market.operator(set(BEN)), missing, "nobody's");
    market.operator(set(ANN)).unwrap();
    for number in 0..50 {
        market.values(ANN, &format!("t{number}"), forward, Some("1.00"), None).unwrap();
    }
    let full = market.values(ANN, "more", forward, Some("1.00"), None).unwrap_err();
    assert!(matches!(full, Refusal::LimitReached { .. }));
    market.values(ANN, "t7", forward, Some("2.00"), None).unwrap();
}

#[test]
fn a_lapse_sets_to_break_and_asks_the_second_agent_at_once() {
    let mut market = three();
    market.inquires(by(LongestIdle), &["help"]);
    let events = market.lapses();
    assert_eq!(
        names(&events),
        ["reservation.lapsed", "agent.status_set", "inquiry.selection_made", "reservation.opened"]
    );
    assert_eq!((second_agent(&events), statuses(&events)), (Some(BEN), vec![(ANN, Will::Break)]));
    assert_eq!(excluded(&choices(&events)[0]), [(ExclusionReason::AlreadyAsked, vec![1])]);
    assert_eq!(market.pending().unwrap().1.attempt, 2);
    market.lapses();
    let last = market.lapses();
    assert_eq!(second_agent(&last), None, "nobody is left");
    assert!(names(&last).ends_with(&["inquiry.selection_made", "inquiry.requeued"]));
    assert_eq!(market.row().state, InquiryState::Queued);
    // Who is back from its break may have it after all.
    let back = market.available(CAT);
    assert_eq!(names(&back), ["agent.status_set", "inquiry.selection_made", "reservation.opened"]);
    assert_eq!((asked(&market), market.followed.len()), (Some(CAT), 2), "nobody asked for that");
}

#[test]
fn who_declines_is_passed_over_until_it_has_cooled_off() {
    let mut market = Market::with(&[ANN]);
    market.inquires(by(LongestIdle), &["help"]);
    let events = market.declines(ANN).unwrap();
    assert_eq!(names(&events), ["reservation.declined", "inquiry.selection_made", "inquiry.requeued"]);
    assert_eq!(statuses(&events), [], "no break");
    assert_eq!(excluded(&choices(&events)[0]), [(ExclusionReason::DeclinedCoolOff, vec![1])]);
    let cooled = market.now + COOL_OFF;
    assert!(market.available(ANN).len() == 1, "saying so again changes nothing");
    assert!(market.until(before(cooled)).is_empty());
    assert_eq!(asked(&market), None);
    assert_eq!(names(&market.until(cooled)), ["inquiry.selection_made", "reservation.opened"]);
    assert_eq!(asked(&market), Some(ANN));
}

#[test]
fn a_refusal_of_one_inquiry_is_none_of_another() {
    let mut market = Market::with(&[ANN]);
    market.inquires(by(LongestIdle), &["help"]);
    let first = market.inquiry;
    market.inquires(by(LongestIdle), &["help"]);
    assert_eq!(asked(&market), None, "she is asked about the first");
    let declined = market.declines(ANN).unwrap();
    assert!(names(&declined).ends_with(&["inquiry.selection_made", "reservation.opened"]));
    assert_eq!(asked(&market), Some(ANN), "and now about the second");
    assert_eq!(market.state.inquiries.get(first).unwrap().state, InquiryState::Queued);
}

#[test]
fn who_becomes_free_is_given_what_waits_the_longest_of_what_it_could_have() {
    let mut market = Market::empty();
    market.inquires(by(LongestIdle), &["cards"]);
    market.pass(seconds(1));
    let first = market.inquires(by(LongestIdle), &["help"]);
    market.pass(seconds(1));
    let second = market.inquires(by(RoundRobin), &["help"]);
    market.hire(ANN, "0", 1);
    let of = |market: &Market, inquiry| market.state.inquiries.get(inquiry).unwrap().state;
    assert_eq!((of(&market, first), of(&market, second)), (InquiryState::Reserved, InquiryState::Queued));
    // Its place was kept: declined by Ann, and first again for Ben.
    market.declines(ANN).unwrap();
    assert_eq!((of(&market, first), of(&market, second)), (InquiryState::Queued, InquiryState::Reserved));
    market.hire(BEN, "0", 1);
    assert_eq!(of(&market, first), InquiryState::Reserved);
}

#[test]
fn a_capacity_is_filled_at_once_and_not_beyond() {
    let mut market = Market::empty();
    for _ in 0..5 {
        market.inquires(by(LongestIdle), &["help"]);
    }
    market.hire(ANN, "0", 3);
    assert_eq!(market.who(ANN).load(), 3);
    market.hire(BEN, "0", 1);
    assert_eq!((market.who(ANN).load(), market.who(BEN).load()), (3, 1));
}

#[test]
fn more_than_one_decision_may_give_is_put_off_for_a_moment() {
    let mut market = Market::empty();
    market.audited = false;
    for _ in 0..SELECTIONS_AT_ONCE + 1 {
        market.inquires(by(LongestIdle), &["help"]);
    }
    market.register(ANN, &[skill("help", 1)], 100, None);
    market.available(ANN);
    market.register(BEN, &[skill("help", 1)], 100, None);
    let events = market.available(BEN);
    assert_eq!(market.who(ANN).load() + market.who(BEN).load(), SELECTIONS_AT_ONCE as u32 + 1, "{events:?}");
    // One agent alone, with more before it than one decision gives.
    let mut market = Market::empty();
    market.audited = false;
    for _ in 0..SELECTIONS_AT_ONCE + 5 {
        market.inquires(by(LongestIdle), &["help"]);
    }
    market.register(ANN, &[skill("help", 1)], 100, None);
    market.register(BEN, &[skill("help", 1)], 100, None);
    market.until(market.now + ROUNDS_PAUSE);
    market.available(ANN);
    assert_eq!(market.who(ANN).load(), 100);
    market.available(BEN);
    assert_eq!(market.who(BEN).load(), 5);
}

#[test]
fn money_that_is_not_there_excludes_and_money_that_comes_wakes() {
    // FORWARD: the agent pays.
    for (has, enough) in [("4.99", false), ("5.00", true), ("5.01", true)] {
        let mut market = Market::empty();
        market.hire(ANN, has, 1);
        let events = market.registers(offer(LongestIdle, Direction::Forward, Some("5.00")), &["help"]).unwrap();
        assert_eq!(asked(&market).is_some(), enough, "{has}");
        if !enough {
            assert_eq!(excluded(&choices(&events)[0]), [(ExclusionReason::NoFunds, vec![1])]);
            market.credit(ANN, "0.01");
            assert_eq!(asked(&market), Some(ANN), "she has the money now");
        }
    }
    // REVERSE: the provider pays, one at a time here.
    let mut market = Market::with(&[ANN, BEN]);
    market.limits(PROVIDER, "9.99");
    let first = market.inquires(offer(LongestIdle, Direction::Reverse, Some("5.00")), &["help"]);
    let second = market.inquires(offer(LongestIdle, Direction::Reverse, Some("5.00")), &["help"]);
    let state = |market: &Market, id| market.state.inquiries.get(id).unwrap().state;
    assert_eq!((state(&market, first), state(&market, second)), (InquiryState::Reserved, InquiryState::Queued));
    assert_eq!(market.held_of(Party::Provider(PROVIDER)), eur("5.00"));
    market.limits(PROVIDER, "10.00");
    assert_eq!(state(&market, second), InquiryState::Reserved, "and then both");
    assert_eq!(market.held_of(Party::Provider(PROVIDER)), eur("10.00"));
}

#[test]
fn what_is_held_is_free_again_when_the_reservation_comes_to_nothing() {
    let mut market = Market::with(&[ANN]);
    market.inquires(offer(LongestIdle, Direction::Forward, Some("5.00")), &["help"]);
    assert_eq!(market.held(ANN), eur("5.00"));
    market.lapses();
    assert_eq!(market.held(ANN), eur("0.00"));
    market.available(ANN);
    assert_eq!(market.held(ANN), eur("5.00"));
    market.withdraws().unwrap();
    assert_eq!((market.held(ANN), market.balance(Party::Agent(ANN))), (eur("0.00"), eur("100.00")));
}

#[test]
fn a_platform_that_was_down_blames_nobody_and_selects_anew() {
    let mut market = Market::with(&[ANN]);
    market.inquires(offer(LongestIdle, Direction::Forward, Some("100.00")), &["help"]);
    let events = market.wakes_at(second(60));
    assert_eq!(names(&events), ["reservation.rescinded", "inquiry.selection_made", "reservation.opened"]);
    assert_eq!((asked(&market), market.who(ANN).will), (Some(ANN), Will::Available));
    assert_eq!(market.held(ANN), eur("100.00"), "what the first held is free for the second");
}

#[test]
fn an_affiliated_agent_is_no_choice() {
    let mut market = Market::empty();
    market.register(ANN, &[skill("help", 1)], 1, Some(PROVIDER));
    market.available(ANN);
    let events = market.registers(by(LongestIdle), &["help"]).unwrap();
    assert_eq!(excluded(&choices(&events)[0]), [(ExclusionReason::NotIndependent, vec![1])]);
    let anybody = OfferTerms { independent_agents_only: false, ..by(LongestIdle) };
    market.inquires(anybody, &["help"]);
    assert_eq!(asked(&market), Some(ANN));
}

#[test]
fn nobody_is_asked_once_the_wait_is_over() {
    for (at, given) in [(before(second(3_600)), true), (second(3_600), false)] {
        let mut market = Market::empty();
        market.inquires(by(LongestIdle), &["help"]);
        market.register(ANN, &[skill("help", 1)], 1, None);
        let at: Timestamp = at;
        market.jumps_to(at);
        assert_eq!(market.available(ANN).len() > 1, given, "{at:?}");
    }
}

#[test]
fn in_a_proxy_auction_a_standing_value_is_the_maximum() {
    let mut market = three();
    market.values(ANN, "help", Direction::Forward, Some("3.00"), None).unwrap();
    market.values(BEN, "help", Direction::Forward, Some("8.00"), None).unwrap();
    market.values(CAT, "help", Direction::Reverse, Some("9.00"), None).unwrap();
    market.auctions(forward(AuctionFormat::Open));
    assert_eq!(market.open_auction().bidding.bids, 0, "in PROXY alone");
    market.auctions(forward(AuctionFormat::Proxy).step("0", "0.50"));
    assert_eq!(names(&market.followed), ["auction.bid_placed", "auction.bid_placed", "auction.bid_outbid"]);
    assert_eq!((market.price(), market.held(ANN), market.held(BEN)), (Some(eur("3.50")), eur("0.00"), eur("8.00")));
    market.bid(CAT, "6.00");
    market.closes();
    assert_eq!(market.asked(), Some((BEN, eur("6.50"))));
    market.rests(CAT);
    // Who could not bid does not.
    market.auctions(forward(AuctionFormat::Proxy));
    assert_eq!(market.open_auction().bidding.bidders, 1, "Ben is asked already, and Cat named another direction");
}

/// With its first limit in a currency an agent has money that it had not, and an account for it.
#[test]
fn a_first_credit_limit_is_money_too() {
    let mut market = Market::empty();
    market.hire(ANN, "0", 1);
    let forward = Allocation::Routed {
        direction: Direction::Forward,
        policy: RoutingPolicy::LongestIdle,
        price: Some(eur("3.00")),
    };
    market.inquires(
        OfferTerms { allocation: forward, ..terms::terms(super::support::forward(AuctionFormat::Open)) },
        &["help"],
    );
    assert_eq!(market.row().state, InquiryState::Queued);
    let limit = Command::UpdateAgent {
        agent: ANN,
        display_name: None,
        location: None,
        skills: None,
        capacity: None,
        affiliated_with: domain::patch::Patch::Keep,
        credit_limit: Some(eur("3.00")),
    };
    market.operator(limit).unwrap();
    assert_eq!(market.row().state, InquiryState::Reserved);
}
