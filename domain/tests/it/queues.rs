//! Queues: declared, born, fitting, retired.

use crate::support::market::names;
use crate::support::*;
use domain::command::Command;
use domain::event::Event;
use domain::event::queue::{QueueEvent, QueueOpened, QueueOrigin};
use domain::ids::{LinkId, QueueId, Subject};
use domain::refusal::Refusal;
use domain::terms::AuctionFormat::*;
use domain::terms::{Allocation, Direction, OfferTerms};
use domain::time::Span;
use domain::topic::Skill;

fn born(events: &[Event]) -> Vec<QueueOpened> {
    let opened = |event: &Event| match event {
        Event::Queue(QueueEvent::Opened(e)) => Some(e.clone()),
        _ => None,
    };
    events.iter().filter_map(opened).collect()
}
fn declare(market: &mut Market, name: &str) -> Answer {
    market.operator(Command::DeclareQueue { priority_credit: Span::ZERO, topic: topic(name), required_skills: vec![] })
}
fn ask(market: &mut Market, topics: &[&str]) -> Vec<Event> {
    market.registers(terms::terms(forward(Open)), topics).unwrap()
}

#[test]
fn one_queue_is_open_per_topic() {
    let mut market = Market::empty();
    declare(&mut market, "cards").unwrap();
    assert!(matches!(declare(&mut market, "cards"), Err(Refusal::Invalid { .. })));
    assert!(declare(&mut market, "cards/lost").is_ok());
}

#[test]
fn an_inquiry_stands_in_every_queue_that_fits_and_one_of_its_own_topic_is_born() {
    let mut market = Market::empty();
    for name in ["cards", "cards/lost/abroad", "car", "loans"] {
        declare(&mut market, name).unwrap();
    }
    let queues = born(&ask(&mut market, &["cards/lost"]));
    assert_eq!(queues.len(), 1);
    assert_eq!((queues[0].topic.as_str(), queues[0].origin), ("cards/lost", QueueOrigin::Question));
    assert_eq!(queues[0].born_from, Some(Subject::from(market.inquiry)));
    let stands_in: Vec<String> =
        market.row().queues.iter().map(|id| market.state.queues.get(*id).unwrap().topic.to_string()).collect();
    assert_eq!(stands_in, ["cards", "cards/lost"], "not in the one beneath, nor in a namesake");
    // The next finds it.
    assert!(born(&ask(&mut market, &["cards/lost"])).is_empty());
}

#[test]
fn several_topics_stand_in_all_their_queues_and_each_counts_once() {
    let mut market = Market::empty();
    declare(&mut market, "cards").unwrap();
    assert_eq!(born(&ask(&mut market, &["cards/lost", "loans", "cards"])).len(), 2);
    assert_eq!(market.row().queues.len(), 3);
    let cards = market.state.queue_topics[&topic("cards")];
    assert_eq!(market.state.queues.get(cards).unwrap().depth, 1);
}

#[test]
fn a_link_bears_a_queue_that_stays_and_a_question_one_that_retires_when_empty() {
    let mut market = Market::empty();
    market.inquiry = domain::ids::InquiryId(50);
    let mut acceptance = market.acceptance(terms::terms(forward(Open)), &["cards", "loans"]);
    acceptance.link = Some(LinkId(1));
    let source =
        domain::event::community::SourcePosition { hash: "00".to_owned(), log: "community".parse().unwrap(), seq: 0 };
    let command = Command::RegisterInquiry { acceptance: Box::new(acceptance), accepted_at: MORNING, source };
    let queues = born(&market.asks(domain::actor::Actor::System, command).unwrap());
    let origins: Vec<_> = queues.iter().map(|queue| (queue.topic.as_str(), queue.origin, queue.born_from)).collect();
    let inquiry = Subject::from(market.inquiry);
    assert_eq!(
        origins,
        [("cards", QueueOrigin::Link, Some(Subject::from(LinkId(1)))), ("loans", QueueOrigin::Question, Some(inquiry))]
    );
    let events = market.ends().unwrap();
    let Some(Event::Queue(QueueEvent::Retired(retired))) = events.last() else { panic!("{events:?}") };
    assert_eq!((retired.queue, retired.last), (queues[1].queue, Some(market.inquiry)));
    assert!(market.state.queue_topics.contains_key(&topic("cards")));
}

#[test]
fn a_generated_queue_retires_with_the_last_that_leaves_it_not_before() {
    let mut market = Market::with(&[ANN]);
    let first = market.auctions(forward(Open));
    market.auctions(forward(Open));
    market.ends().unwrap();
    assert_eq!(market.state.queues.len(), 1);
    market.inquiry = first;
    market.bid(ANN, "1.00");
    market.closes();
    assert_eq!(names(&market.accepts(ANN).unwrap()).last(), Some(&"queue.retired"), "consent takes it out");
    // A new one of the same topic is born again.
    assert_eq!(born(&ask(&mut market, &["help"])).len(), 1);
}

#[test]
fn a_queue_is_retired_when_it_is_empty() {
    let mut market = Market::empty();
    declare(&mut market, "help").unwrap();
    let queue = market.state.queue_topics[&topic("help")];
    market.auctions(forward(Open));
    assert!(matches!(market.operator(Command::RetireQueue { queue }), Err(Refusal::NotAllowedNow { .. })));
    market.ends().unwrap();
    assert!(market.operator(Command::RetireQueue { queue }).is_ok());
    assert_eq!(market.operator(Command::RetireQueue { queue }), Err(Refusal::NotFound { field: "queueId" }));
    assert_eq!(
        market.operator(Command::RetireQueue { queue: QueueId(9) }),
        Err(Refusal::NotFound { field: "queueId" })
    );
}

fn open(market: &mut Market, name: &str, skills: &[Skill]) -> QueueId {
    let command =
        Command::DeclareQueue { priority_credit: Span::ZERO, topic: topic(name), required_skills: skills.to_vec() };
    born(&market.operator(command).unwrap())[0].queue
}
fn merges(market: &mut Market, from: &[QueueId], into: QueueId) -> Answer {
    market.operator(Command::MergeQueues { from: from.to_vec(), into })
}
/// Taken away by an operator, it keeps no place.
fn goes_for_good(market: &mut Market) -> Answer {
    market.operator(Command::WithdrawInquiry { inquiry: market.inquiry, reason: None })
}
fn stands(market: &Market, inquiry: domain::ids::InquiryId) -> Vec<QueueId> {
    market.state.inquiries.get(inquiry).unwrap().queues.to_vec()
}
fn depth(market: &Market, queue: QueueId) -> u32 {
    market.state.queues.get(queue).unwrap().depth
}
fn claimed() -> domain::terms::OfferTerms {
    let allocation = Allocation::Claim { direction: Direction::Reverse, price: None };
    domain::terms::OfferTerms { allocation, ..terms::terms(forward(Open)) }
}

#[test]
fn merged_queues_are_one_for_what_stands_in_them_and_for_what_comes() {
    let mut market = Market::empty();
    let [cards, loans, money] = ["cards", "loans", "money"].map(|name| open(&mut market, name, &[]));
    let one = market.inquires(claimed(), &["cards"]);
    let both = market.inquires(claimed(), &["cards", "loans"]);
    let there = market.inquires(claimed(), &["money", "loans"]);
    let events = merges(&mut market, &[cards, loans], money).unwrap();
    assert_eq!(
        names(&events),
        ["queue.merged", "queue.merged", "inquiry.moved", "inquiry.moved", "inquiry.moved", "inquiry.moved"]
    );
    for inquiry in [one, both, there] {
        assert_eq!(stands(&market, inquiry), [money], "once, however many it stood in");
    }
    assert_eq!((depth(&market, cards), depth(&market, loans), depth(&market, money)), (0, 0, 3));
    // What comes with a merged topic, or beneath it, goes there and opens nothing but its own.
    let events = ask(&mut market, &["cards"]);
    assert!(born(&events).is_empty());
    assert_eq!(stands(&market, market.inquiry), [money]);
    let events = ask(&mut market, &["loans/home", "money"]);
    assert_eq!(born(&events).len(), 1);
    assert_eq!(stands(&market, market.inquiry).iter().filter(|queue| **queue == money).count(), 1);

    // The last one is the end of a chain.
    let all = open(&mut market, "all", &[]);
    merges(&mut market, &[money], all).unwrap();
    ask(&mut market, &["cards"]);
    assert_eq!(stands(&market, market.inquiry), [all]);
    assert_eq!(depth(&market, money), 0);
}

/// Who is away keeps its place in what it was merged into.
#[test]
fn who_left_comes_back_to_where_its_queue_was_merged() {
    let mut market = Market::empty();
    let [cards, money] = ["cards", "money"].map(|name| open(&mut market, name, &[]));
    ask(&mut market, &["cards"]);
    let away = market.inquiry;
    market.withdraws().unwrap();
    let events = merges(&mut market, &[cards], money).unwrap();
    assert_eq!(names(&events), ["queue.merged", "inquiry.moved"]);
    assert_eq!((depth(&market, cards), depth(&market, money)), (0, 1));
    market.inquiry = away;
    market.resumes().unwrap();
    assert_eq!((stands(&market, away), depth(&market, money)), (vec![money], 1));
    // Gone for good it leaves nothing there.
    market.withdraws().unwrap();
    market.pass(domain::time::Span::minutes(15));
    assert_eq!((depth(&market, cards), depth(&market, money)), (0, 0));
}

#[test]
fn what_cannot_be_merged() {
    let mut market = Market::empty();
    let [cards, loans, money] = ["cards", "loans", "money"].map(|name| open(&mut market, name, &[]));
    let field = |answer: Answer| answer.unwrap_err().field().map(|path| path.join("."));
    let from = |at: &str| Some(format!("fromQueueIds{at}"));
    assert_eq!(field(merges(&mut market, &[], money)), from(""));
    assert_eq!(field(merges(&mut market, &[QueueId(9)], money)), from(""));
    assert_eq!(field(merges(&mut market, &[cards], QueueId(9))), Some("intoQueueId".to_owned()));
    assert_eq!(field(merges(&mut market, &[cards, money], money)), from(".1"));
    assert_eq!(field(merges(&mut market, &[cards, loans, cards], money)), from(".2"));
    let command = Command::MergeQueues { from: vec![cards], into: money };
    assert_eq!(market.customer(command), Err(Refusal::Forbidden));
    merges(&mut market, &[cards], money).unwrap();
    assert_eq!(field(merges(&mut market, &[cards], loans)), from(".0"), "it was merged");
    assert_eq!(field(merges(&mut market, &[money], cards)), Some("intoQueueId".to_owned()), "no circle");
    assert!(matches!(market.operator(Command::RetireQueue { queue: cards }), Err(Refusal::NotAllowedNow { .. })));
    let Err(Refusal::Invalid { message, .. }) = declare(&mut market, "cards") else { panic!() };
    assert!(message.contains("merged into that of money"), "{message}");
    // Once that is retired its topics are nobody's.
    market.operator(Command::RetireQueue { queue: money }).unwrap();
    declare(&mut market, "cards").unwrap();
    declare(&mut market, "money").unwrap();
}

#[test]
fn a_generated_queue_that_others_were_merged_into_stays() {
    let mut market = Market::empty();
    let cards = open(&mut market, "cards", &[]);
    let money = born(&ask(&mut market, &["money"]))[0].queue;
    merges(&mut market, &[cards], money).unwrap();
    goes_for_good(&mut market).unwrap();
    assert_eq!(depth(&market, money), 0);
    ask(&mut market, &["cards"]);
    assert_eq!(stands(&market, market.inquiry), [money]);
    // And one that was merged does not retire once more.
    let tax = born(&ask(&mut market, &["tax"]))[0].queue;
    merges(&mut market, &[tax], money).unwrap();
    assert_eq!(names(&goes_for_good(&mut market).unwrap()).last(), Some(&"inquiry.withdrawn"));
}

/// The target may ask for other skills: what waits is looked at again, what is under way goes on.
#[test]
fn who_could_have_it_now_is_asked_in_the_same_decision() {
    let routed = || {
        let policy = domain::terms::RoutingPolicy::LongestIdle;
        let allocation = Allocation::Routed { direction: Direction::Reverse, policy, price: None };
        domain::terms::OfferTerms { allocation, ..terms::terms(forward(Open)) }
    };
    let mut market = Market::with(&[ANN]);
    let hard = open(&mut market, "help/hard", &[skill("wizardry", 1)]);
    let easy = open(&mut market, "help", &[]);
    let waits = market.inquires(routed(), &["help/hard"]);
    assert!(market.pending().is_none(), "nobody is a wizard");
    merges(&mut market, &[hard], easy).unwrap();
    market.inquiry = waits;
    assert_eq!(market.pending().unwrap().1.agent, ANN);
    assert_eq!(stands(&market, waits), [easy]);

    // An auction goes on with what it began with, for whoever could bid.
    let mut market = Market::with(&[ANN]);
    let easy = open(&mut market, "help", &[]);
    let hard = open(&mut market, "hard", &[skill("wizardry", 1)]);
    let auctioned = market.auctions(forward(Open));
    let queued = market.inquires(claimed(), &["help"]);
    merges(&mut market, &[easy], hard).unwrap();
    market.inquiry = queued;
    assert_eq!(market.claims(ANN), Err(Refusal::AgentLacksSkill), "what waits is desired otherwise");
    market.inquiry = auctioned;
    market.bid(ANN, "1.00");
    market.closes();
    market.accepts(ANN).unwrap();
    assert_eq!(depth(&market, hard), 1);
}

#[test]
fn an_unsold_inquiry_has_its_next_round_where_it_was_merged_to() {
    let mut market = Market::with(&[ANN]);
    let hard = open(&mut market, "help/hard", &[skill("wizardry", 1)]);
    let easy = open(&mut market, "help", &[]);
    market.inquires(terms::terms(forward(Open).rounds(2)), &["help/hard"]);
    market.closes();
    assert_eq!(market.row().auctions.len(), 1, "unsold, and nobody is free for it");
    merges(&mut market, &[hard], easy).unwrap();
    assert_eq!(market.row().auctions.len(), 2);
    market.bid(ANN, "1.00");
}

/// More than one decision moves: the rest follows, in order, with commands in between, and none is forgotten or had twice.
#[test]
fn a_large_queue_follows_in_steps() {
    let most = domain::queue::MOVED_AT_ONCE;
    let mut market = Market::with(&[ANN]);
    market.audited = false;
    let [help, money, all] = ["help", "money", "all"].map(|name| open(&mut market, name, &[]));
    let inquiries: Vec<_> = (0..2 * most + 10).map(|_| market.inquires(claimed(), &["help"])).collect();
    let events = merges(&mut market, &[help], money).unwrap();
    assert_eq!(events.len(), 2 + most);
    assert_eq!(names(&events).last(), Some(&"queue.merge_put_off"));
    assert_eq!((depth(&market, help), depth(&market, money)), (most as u32 + 10, most as u32));
    assert_eq!(stands(&market, inquiries[most]), [help], "the first accepted came first");
    // In between one is served where it stands, one comes, and the target is merged itself.
    market.inquiry = inquiries[most];
    market.claims(ANN).unwrap();
    market.inquires(claimed(), &["help"]);
    assert_eq!(stands(&market, market.inquiry), [money]);
    merges(&mut market, &[money], all).unwrap();
    market.pass(Span::seconds(1));
    assert_eq!((depth(&market, help), depth(&market, money)), (0, 0));
    assert_eq!(depth(&market, all), 2 * most as u32 + 10, "all but the one that is served, and the new one");
    let elsewhere = inquiries.iter().filter(|id| **id != inquiries[most]).find(|id| stands(&market, **id) != [all]);
    assert_eq!(elsewhere, None);
    assert!(market.folded() == market.state);
}

/// An inquiry in many merged queues makes an event for each: they count, and not the inquiries.
#[test]
fn who_stands_in_many_merged_queues_moves_from_all_at_once_and_few_of_them_in_a_step() {
    let mut market = Market::with(&[ANN]);
    market.audited = false;
    let names: Vec<String> = (0..40).map(|number| format!("topic-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let from: Vec<QueueId> = names.iter().map(|name| open(&mut market, name, &[])).collect();
    let all = open(&mut market, "all", &[]);
    let inquiries: Vec<_> = (0..20).map(|_| market.inquires(claimed(), &names)).collect();
    let events = merges(&mut market, &from, all).unwrap();
    let moved = crate::support::market::names(&events).iter().filter(|name| **name == "inquiry.moved").count();
    assert_eq!(moved, domain::queue::MOVED_AT_ONCE / 40 * 40);
    market.pass(Span::seconds(2));
    assert!(inquiries.iter().all(|id| stands(&market, *id) == [all]));
    assert!(market.folded() == market.state);
}

/// What is said of an inquiry that moves may be long: a step ends where it is much, with one inquiry at least.
#[test]
fn inquiries_with_long_skills_move_in_shorter_steps() {
    let mut market = Market::with(&[ANN]);
    market.audited = false;
    let [help, money] = ["help", "money"].map(|name| open(&mut market, name, &[]));
    let long = |number: usize| skill(&format!("{0}/{0}/{0}-{number}", "x".repeat(25)), 1);
    let terms = OfferTerms { required_skills: (0..50).map(long).collect(), ..claimed() };
    let inquiries: Vec<_> = (0..200).map(|_| market.inquires(terms.clone(), &["help"])).collect();
    let events = merges(&mut market, &[help], money).unwrap();
    let moved = crate::support::market::names(&events).iter().filter(|name| **name == "inquiry.moved").count();
    assert!((50..150).contains(&moved), "{moved}");
    market.pass(Span::seconds(3));
    assert!(inquiries.iter().all(|id| stands(&market, *id) == [money]));
}

#[test]
fn a_queue_that_empties_by_itself_has_nothing_left_to_follow() {
    let most = domain::queue::MOVED_AT_ONCE;
    let mut market = Market::with(&[ANN]);
    market.audited = false;
    let [help, money] = ["help", "money"].map(|name| open(&mut market, name, &[]));
    for _ in 0..=most {
        market.inquires(claimed(), &["help"]);
    }
    merges(&mut market, &[help], money).unwrap();
    assert_eq!(depth(&market, help), 1);
    market.claims(ANN).unwrap();
    assert_eq!(depth(&market, help), 0);
    assert!(market.pass(Span::seconds(1)).is_empty());
}

/// What has moved may be gone before the rest follows: an empty queue is no end of a merge.
#[test]
fn a_queue_is_not_retired_while_others_are_moving_there() {
    let most = domain::queue::MOVED_AT_ONCE;
    let mut market = Market::with(&[ANN]);
    market.audited = false;
    let [help, money, all] = ["help", "money", "all"].map(|name| open(&mut market, name, &[]));
    for _ in 0..most {
        market.inquires(OfferTerms { max_wait: Span::minutes(1), ..claimed() }, &["help"]);
    }
    let last = market.inquires(claimed(), &["help"]);
    market.pass(Span(Span::minutes(1).0 - 1));
    merges(&mut market, &[help], money).unwrap();
    merges(&mut market, &[money], all).unwrap();
    assert_eq!((depth(&market, help), depth(&market, money), depth(&market, all)), (1, 0, most as u32));
    market.pass(Span(1));
    assert_eq!((depth(&market, help), depth(&market, all)), (1, 0), "they are expired");
    let retire = Command::RetireQueue { queue: all };
    assert!(matches!(market.operator(retire.clone()), Err(Refusal::NotAllowedNow { .. })));
    market.pass(Span::seconds(1));
    assert_eq!(stands(&market, last), [all]);
    market.inquiry = last;
    market.claims(ANN).unwrap();
    assert!(market.operator(retire).is_ok());
}

/// A place that is kept moves like the others: its customer comes back to the target, at the place of its acceptance.
#[test]
fn who_is_away_while_queues_are_merged_comes_back_to_the_target() {
    let moves = |events: &[Event]| -> Vec<bool> {
        let away = |event: &Event| match event {
            Event::Inquiry(domain::event::inquiry::InquiryEvent::Moved(e)) => Some(e.away),
            _ => None,
        };
        events.iter().filter_map(away).collect()
    };
    let mut market = Market::with(&[ANN]);
    let cards = open(&mut market, "help/cards", &[skill("wizardry", 1)]);
    let [loans, money] = ["help/loans", "help/money"].map(|name| open(&mut market, name, &[]));
    let left = market.inquires(claimed(), &["help/cards", "help/loans"]);
    market.pass(Span::seconds(1));
    let there = market.inquires(claimed(), &["help/money"]);
    market.inquiry = left;
    market.withdraws().unwrap();
    assert_eq!((depth(&market, cards), depth(&market, loans), depth(&market, money)), (1, 1, 1), "it is kept");
    assert_eq!(moves(&merges(&mut market, &[cards, loans], money).unwrap()), [true, true]);
    assert_eq!((depth(&market, cards), depth(&market, loans), depth(&market, money)), (0, 0, 2));
    assert!(matches!(market.operator(Command::RetireQueue { queue: money }), Err(Refusal::NotAllowedNow { .. })));
    assert!(market.pass(Span::seconds(5)).is_empty(), "nothing is left to move");

    market.resumes().unwrap();
    assert_eq!((stands(&market, left), depth(&market, money)), (vec![money], 2), "once");
    let accepted_at = |id| market.state.inquiries.get(id).unwrap().accepted_at;
    assert!(accepted_at(left) < accepted_at(there), "in front of who came later");
    market.claims(ANN).unwrap();
    assert_eq!(depth(&market, money), 1, "the target asks for no wizards, and it is had once");
    assert!(market.claims(ANN).is_err());
}

/// Nobody comes back: the target is empty, and may be retired. The merged queue is no obstacle to it.
#[test]
fn who_does_not_come_back_after_a_merge_leaves_the_target() {
    let mut market = Market::empty();
    let born = born(&ask(&mut market, &["tax"]))[0].queue;
    let money = open(&mut market, "money", &[]);
    market.withdraws().unwrap();
    merges(&mut market, &[born], money).unwrap();
    assert_eq!((depth(&market, born), depth(&market, money)), (0, 1));
    assert_eq!(names(&market.pass(domain::inquiry::PLACE_KEPT)), ["inquiry.place_lost"]);
    assert_eq!((depth(&market, born), depth(&market, money)), (0, 0));
    market.operator(Command::RetireQueue { queue: money }).unwrap();
    assert!(market.state.timers.is_empty());
    assert!(market.folded() == market.state);
}

/// More were away than one decision moves, and some of them came back in between: each moves once.
#[test]
fn who_comes_back_in_the_middle_of_a_merge_moves_too() {
    let most = domain::queue::MOVED_AT_ONCE;
    let mut market = Market::empty();
    market.audited = false;
    let [help, money] = ["help", "money"].map(|name| open(&mut market, name, &[]));
    let inquiries: Vec<_> = (0..most + 2).map(|_| market.inquires(claimed(), &["help"])).collect();
    for inquiry in &inquiries {
        market.inquiry = *inquiry;
        market.withdraws().unwrap();
    }
    merges(&mut market, &[help], money).unwrap();
    assert_eq!((depth(&market, help), depth(&market, money)), (2, most as u32));
    market.inquiry = inquiries[most];
    market.resumes().unwrap();
    assert_eq!(stands(&market, inquiries[most]), [help]);
    assert_eq!(names(&market.pass(Span::seconds(1))), ["inquiry.moved", "inquiry.moved"]);
    assert_eq!((depth(&market, help), depth(&market, money)), (0, most as u32 + 2));
    assert!(market.folded() == market.state);
}
