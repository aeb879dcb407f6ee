//! Queues: declared, born, fitting, retired.

use crate::support::market::names;
use crate::support::*;
use domain::command::Command;
use domain::event::Event;
use domain::event::queue::{QueueEvent, QueueOpened, QueueOrigin};
use domain::ids::{LinkId, QueueId, Subject};
use domain::refusal::Refusal;
use domain::terms::AuctionFormat::*;

fn born(events: &[Event]) -> Vec<QueueOpened> {
    let opened = |event: &Event| match event {
        Event::Queue(QueueEvent::Opened(e)) => Some(e.clone()),
        _ => None,
    };
    events.iter().filter_map(opened).collect()
}
fn declare(market: &mut Market, name: &str) -> Answer {
    market.operator(Command::DeclareQueue { topic: topic(name), required_skills: vec![] })
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
    let events = market.withdraws().unwrap();
    let Some(Event::Queue(QueueEvent::Retired(retired))) = events.last() else { panic!("{events:?}") };
    assert_eq!((retired.queue, retired.last), (queues[1].queue, Some(market.inquiry)));
    assert!(market.state.queue_topics.contains_key(&topic("cards")));
}

#[test]
fn a_generated_queue_retires_with_the_last_that_leaves_it_not_before() {
    let mut market = Market::with(&[ANN]);
    let first = market.auctions(forward(Open));
    market.auctions(forward(Open));
    market.withdraws().unwrap();
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
    market.withdraws().unwrap();
    assert!(market.operator(Command::RetireQueue { queue }).is_ok());
    assert_eq!(market.operator(Command::RetireQueue { queue }), Err(Refusal::NotFound { field: "queueId" }));
    assert_eq!(
        market.operator(Command::RetireQueue { queue: QueueId(9) }),
        Err(Refusal::NotFound { field: "queueId" })
    );
}
