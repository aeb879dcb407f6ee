//! Sessions: who talks, who ends it, wrap-up and what it saves.

use crate::support::market::names;
use crate::support::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::ids::{ChannelId, CustomerId, SessionId};
use domain::refusal::Refusal;
use domain::session;
use domain::state::InquiryState;
use domain::terms::AuctionFormat::*;
use domain::terms::OfferTerms;
use domain::time::Span;

/// Ann talks with the customer.
fn talking(wrap_up: Option<Span>) -> (Market, SessionId) {
    let mut market = Market::with(&[ANN, BEN]);
    market.inquires(OfferTerms { wrap_up, ..terms::terms(forward(Open)) }, &["help"]);
    market.bid(ANN, "1.00");
    market.closes();
    market.accepts(ANN).unwrap();
    let session = market.session();
    (market, session)
}

#[test]
fn who_takes_part_talks_and_to_others_there_is_no_session() {
    let (mut market, session) = talking(None);
    let channel = market.state.sessions.get(session).unwrap().channel;
    let say = Command::SendMessage { session, channel, text: sealed("hello") };
    assert_eq!(names(&market.customer(say.clone()).unwrap()), ["session.message_sent"]);
    assert!(market.agent(ANN, say.clone()).is_ok());
    let missing = Err(Refusal::NotFound { field: "sessionId" });
    assert_eq!(market.agent(BEN, say.clone()), missing);
    assert_eq!(market.asks(Actor::Customer(CustomerId(9)), say.clone()), missing);
    assert_eq!(market.operator(say.clone()), Err(Refusal::Forbidden));
    let elsewhere = Command::SendMessage { session, channel: ChannelId(9), text: sealed("hello") };
    assert_eq!(market.agent(ANN, elsewhere), Err(Refusal::NotFound { field: "channelId" }));
}

#[test]
fn after_its_end_nobody_talks_and_nobody_ends_it_again() {
    let (mut market, session) = talking(Some(seconds(60)));
    let channel = market.state.sessions.get(session).unwrap().channel;
    assert_eq!(names(&market.customer(Command::EndSession { session }).unwrap()), ["session.ended"]);
    assert_eq!(
        market.customer(Command::SendMessage { session, channel, text: sealed("still there?") }),
        Err(Refusal::SessionClosed)
    );
    assert_eq!(market.agent(ANN, Command::EndSession { session }), Err(Refusal::SessionClosed));
}

#[test]
fn without_wrap_up_the_end_completes_the_inquiry_and_the_agent_is_free() {
    let (mut market, session) = talking(None);
    let events = market.agent(ANN, Command::EndSession { session }).unwrap();
    assert_eq!(names(&events), ["session.ended", "settlement.pending", "inquiry.completed"]);
    assert!(market.who(ANN).is_free());
}

#[test]
fn for_a_day_after_the_end_notes_can_be_saved_and_without_wrap_up_the_record_once() {
    let (mut market, session) = talking(None);
    market.agent(ANN, Command::EndSession { session }).unwrap();
    let ended = market.now;
    let notes = Command::SaveNotes { session, notes: sealed("later") };
    let complete = Command::CompleteWrapUp { session, information: Some(sealed("record")) };
    market.until(before(ended + Span::days(1)));
    assert_eq!(names(&market.agent(ANN, notes.clone()).unwrap()), ["session.notes_saved"]);
    assert_eq!(market.agent(BEN, notes.clone()), Err(Refusal::NotFound { field: "sessionId" }));
    assert_eq!(names(&market.agent(ANN, complete.clone()).unwrap()), ["session.wrap_up_completed"]);
    assert_eq!(market.agent(ANN, complete), Err(Refusal::SessionClosed));
    market.until(ended + Span::days(1));
    assert_eq!(market.agent(ANN, notes.clone()), Err(Refusal::SessionClosed));
    // Whatever happens next, the session is forgotten.
    market.hire(domain::ids::AgentId(99), "1.00", 1);
    assert!(market.state.sessions.is_empty() && market.state.closed_sessions.is_empty());
}

#[test]
fn wrap_up_is_completed_by_the_agent_or_by_its_deadline() {
    for in_time in [true, false] {
        let (mut market, session) = talking(Some(seconds(60)));
        let complete = Command::CompleteWrapUp { session, information: Some(sealed("record")) };
        assert!(
            matches!(market.agent(ANN, complete.clone()), Err(Refusal::NotAllowedNow { .. })),
            "the session is open"
        );
        market.agent(ANN, Command::EndSession { session }).unwrap();
        assert_eq!(market.row().state, InquiryState::WrapUp);
        assert!(!market.who(ANN).is_free());
        let ended = market.now;
        assert!(market.until(before(ended + seconds(60))).is_empty());
        let events = if in_time { market.agent(ANN, complete).unwrap() } else { market.until(ended + seconds(60)) };
        assert_eq!(names(&events), ["session.wrap_up_completed", "settlement.pending", "inquiry.completed"]);
        assert!(market.who(ANN).is_free());
    }
}

#[test]
fn a_wrap_up_goes_on_for_half_an_hour_after_its_original_end_and_no_microsecond_more() {
    let most = session::WRAP_UP_EXTENDED_MAX;
    assert_eq!(most, Span::minutes(30));
    for steps in [vec![most], vec![MICROSECOND, most - MICROSECOND], vec![seconds(600); 3]] {
        let (mut market, session) = talking(Some(seconds(60)));
        let extend = |by: Span| Command::ExtendWrapUp { session, by };
        assert!(matches!(market.agent(ANN, extend(seconds(1))), Err(Refusal::NotAllowedNow { .. })));
        market.agent(ANN, Command::EndSession { session }).unwrap();
        let original = market.now + seconds(60);
        for by in [Span(0), Span(-1)] {
            assert!(matches!(market.agent(ANN, extend(by)), Err(Refusal::Invalid { .. })), "{by:?}");
        }
        for beyond in [Span(most.0 + 1), Span::minutes(60), Span(i64::MAX)] {
            assert!(matches!(market.agent(ANN, extend(beyond)), Err(Refusal::LimitReached { .. })), "{beyond:?}");
        }
        for by in steps {
            // The bound counts from the original end, whenever it is asked and however often.
            market.pass(seconds(30));
            market.agent(ANN, extend(by)).unwrap();
        }
        assert!(matches!(market.agent(ANN, extend(MICROSECOND)), Err(Refusal::LimitReached { .. })));
        assert!(market.until(before(original + most)).is_empty());
        assert!(!market.until(original + most).is_empty());
    }
}

#[test]
fn notes_are_the_agents_in_session_and_wrap_up() {
    let (mut market, session) = talking(Some(seconds(60)));
    let save = Command::SaveNotes { session, notes: sealed("notes") };
    assert!(market.agent(ANN, save.clone()).is_ok());
    assert_eq!(market.agent(BEN, save.clone()), Err(Refusal::NotFound { field: "sessionId" }));
    assert_eq!(market.customer(save.clone()), Err(Refusal::Forbidden));
    market.agent(ANN, Command::EndSession { session }).unwrap();
    assert!(market.agent(ANN, save).is_ok());
}

#[test]
fn who_has_an_inquiry_says_what_it_is_about() {
    let (mut market, session) = talking(None);
    let inquiry = market.state.sessions.get(session).unwrap().inquiry;
    let queues = market.state.inquiries.get(inquiry).unwrap().queues.clone();
    let says = |topics: &[&str]| Command::ConfirmTopics {
        inquiry,
        topics: topics.iter().map(|text| topic(text)).collect(),
        known_topics: vec![topic("cards"), topic("loans")],
    };
    let nobody =
        Command::ConfirmTopics { inquiry: domain::ids::InquiryId(9_999), topics: vec![], known_topics: vec![] };
    assert_eq!(market.agent(ANN, nobody), Err(Refusal::NotFound { field: "inquiryId" }));
    // Each guard before the next: another agent, nothing, one twice, something made up.
    assert_eq!(market.agent(BEN, says(&[])).unwrap_err().code(), "NOT_ALLOWED_NOW");
    assert_eq!(market.agent(ANN, says(&[])), Err(Refusal::invalid(&["topics"], "at least one")));
    let twice = market.agent(ANN, says(&["ludwig", "cards", "loans", "cards"])).unwrap_err();
    assert_eq!((twice.code(), twice.field().unwrap()), ("INVALID", vec!["topics".to_owned(), "3".to_owned()]));
    let made_up = market.agent(ANN, says(&["cards", "ludwig"])).unwrap_err();
    assert_eq!(made_up.field().unwrap(), ["topics", "1"]);
    assert_eq!(market.customer(says(&["cards"])), Err(Refusal::Forbidden));

    let events = market.agent(ANN, says(&["loans", "cards"])).unwrap();
    assert_eq!(names(&events), ["inquiry.topics_confirmed"]);
    assert_eq!(market.state.inquiries.get(inquiry).unwrap().queues, queues, "it moves no queue");
    assert!(market.agent(ANN, says(&["loans"])).is_ok(), "and may say so again");
}
