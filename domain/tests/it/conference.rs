//! Who else is in a session: invitations, joining, taking over, leaving, SIDE channels, and the end that comes by
//! itself.

use crate::support::market::{names, second_agent, statuses};
use crate::support::*;
use domain::command::{AgentChoice, ChannelReport, Command};
use domain::event::Event;
use domain::event::agent::Will;
use domain::event::reservation::{Answer as Answered, Purpose, ReservationEvent};
use domain::event::session::{Author, SessionEvent};
use domain::ids::{AgentId, ChannelId, ReservationId, SessionId};
use domain::refusal::Refusal;
use domain::routing::COOL_OFF;
use domain::session::{IDLE_FOR, LASTS_MAX};
use domain::state::InquiryState;
use domain::terms::AuctionFormat::*;
use domain::terms::{ChannelKind, OfferTerms};
use domain::time::Span;

/// Ann talks with the customer; Ben, Cat and Dan are free, and Cat is the best in `law`.
fn talking() -> (Market, SessionId) {
    talking_on(Some(seconds(60)))
}
fn talking_on(wrap_up: Option<Span>) -> (Market, SessionId) {
    let mut market = Market::with(&[ANN]);
    for (agent, law) in [(BEN, 2), (CAT, 3), (DAN, 2)] {
        market.register(agent, &[skill("law", law)], 3, None);
        market.available(agent);
    }
    market.inquires(OfferTerms { wrap_up, ..terms::terms(forward(Open)) }, &["help"]);
    market.bid(ANN, "1.00");
    market.closes();
    market.accepts(ANN).unwrap();
    let session = market.session();
    (market, session)
}
fn named(session: SessionId, agent: AgentId) -> Command {
    Command::InviteAgent { session, agent: AgentChoice::Named(agent) }
}
fn skilled(session: SessionId) -> Command {
    Command::InviteAgent { session, agent: AgentChoice::Skilled(vec![skill("law", 2)]) }
}
fn hands_over(session: SessionId, to: AgentId) -> Command {
    Command::TransferSession { session, to: AgentChoice::Named(to), note: Some(sealed("a note")) }
}
fn asked(events: &[Event]) -> Vec<AgentId> {
    let opened = |event: &Event| match event {
        Event::Reservation(ReservationEvent::Opened(e)) => Some(e.agent),
        _ => None,
    };
    events.iter().filter_map(opened).collect()
}
fn answers(events: &[Event]) -> Vec<(AgentId, AgentId, Answered, Option<AgentId>)> {
    let answered = |event: &Event| match event {
        Event::Reservation(ReservationEvent::InvitationAnswered(e)) => Some((e.agent, e.invited, e.answer, e.next)),
        _ => None,
    };
    events.iter().filter_map(answered).collect()
}
fn not_now<T>(answer: Result<T, Refusal>) -> bool {
    matches!(answer, Err(Refusal::NotAllowedNow { .. }))
}

#[test]
fn three_agents_one_session_and_the_status_of_each() {
    let (mut market, session) = talking();
    let load = |market: &Market, agent| market.who(agent).load();
    assert!(!market.who(ANN).is_free() && market.who(CAT).is_free());

    let events = market.agent(ANN, named(session, CAT)).unwrap();
    assert_eq!(names(&events), ["reservation.opened"]);
    assert_eq!(market.row().state, InquiryState::Engaged, "the conversation goes on");
    assert_eq!(load(&market, CAT), 1);
    let events = market.accepts(CAT).unwrap();
    assert_eq!(names(&events), ["reservation.accepted", "session.agent_joined", "reservation.invitation_answered"]);
    assert_eq!(answers(&events), [(ANN, CAT, Answered::Accepted, None)]);
    // Capacity 3 and one session: it is the conference that makes it unavailable.
    assert!(!market.who(CAT).is_free() && load(&market, CAT) == 1);
    assert_eq!(market.who(ANN).conferences, 0, "what the first agent may still take is for its capacity to say");

    let joined = market.who(CAT).worked_at;
    market.pass(seconds(7));
    market.agent(CAT, Command::LeaveSession { session }).unwrap();
    assert!(market.who(CAT).is_free());
    assert_eq!(market.who(CAT).worked_at - joined, seconds(7), "it has not been idle meanwhile");
    assert!(!market.who(ANN).is_free(), "the session goes on");
    assert_eq!(market.agent(CAT, Command::LeaveSession { session }), Err(Refusal::NotFound { field: "sessionId" }));

    market.customer(Command::EndSession { session }).unwrap();
    market.agent(ANN, Command::CompleteWrapUp { session, information: None }).unwrap();
    assert!([ANN, BEN, CAT].iter().all(|agent| market.who(*agent).is_free()));
}

#[test]
fn who_asks_for_something_else_meanwhile_has_it_when_it_leaves() {
    let (mut market, session) = talking();
    market.agent(ANN, named(session, CAT)).unwrap();
    market.accepts(CAT).unwrap();
    market.rests(CAT);
    market.agent(CAT, Command::LeaveSession { session }).unwrap();
    assert_eq!((market.who(CAT).will, market.who(CAT).load()), (Will::Break, 0));
}

#[test]
fn the_first_agent_alone_invites_and_only_who_can_come() {
    let (mut market, session) = talking();
    let missing = Err(Refusal::NotFound { field: "sessionId" });
    assert_eq!(market.agent(BEN, named(session, CAT)), missing);
    assert_eq!(market.agent(ANN, named(SessionId(9), CAT)), missing);
    assert_eq!(market.customer(named(session, CAT)), Err(Refusal::Forbidden));
    assert_eq!(market.agent(ANN, named(session, AgentId(9))), Err(Refusal::NotFound { field: "agentId" }));
    assert!(not_now(market.agent(ANN, named(session, ANN))));
    let none = Command::InviteAgent { session, agent: AgentChoice::Skilled(vec![]) };
    assert!(matches!(market.agent(ANN, none), Err(Refusal::Invalid { .. })));
    market.rests(BEN);
    assert_eq!(market.agent(ANN, named(session, BEN)), Err(Refusal::AgentNotAvailable));
    market.register(AgentId(7), &[], 1, Some(PROVIDER));
    market.available(AgentId(7));
    assert_eq!(market.agent(ANN, named(session, AgentId(7))), Err(Refusal::AgentNotIndependent));

    market.agent(ANN, named(session, CAT)).unwrap();
    assert!(not_now(market.agent(ANN, named(session, CAT))), "asked already");
    market.accepts(CAT).unwrap();
    assert!(not_now(market.agent(ANN, named(session, CAT))), "there already");
    assert!(not_now(market.agent(CAT, named(session, DAN))), "a third agent invites nobody");
    assert!(not_now(market.agent(CAT, Command::EndSession { session })));
    assert!(not_now(market.agent(CAT, Command::SaveNotes { session, notes: sealed("mine") })));
    assert!(not_now(market.agent(ANN, Command::LeaveSession { session })));
    market.agent(ANN, Command::EndSession { session }).unwrap();
    assert_eq!(market.agent(ANN, named(session, DAN)), Err(Refusal::SessionClosed));
}

#[test]
fn a_session_holds_eight_agents_and_no_ninth() {
    let (mut market, session) = talking();
    for number in 10..17 {
        let agent = AgentId(number);
        market.register(agent, &[], 1, None);
        market.available(agent);
        market.agent(ANN, named(session, agent)).unwrap();
        if number % 2 == 0 {
            market.accepts(agent).unwrap();
        }
    }
    assert!(matches!(market.agent(ANN, named(session, CAT)), Err(Refusal::LimitReached { .. })));
    market.agent(ANN, hands_over(session, AgentId(10))).unwrap();
    market.accepts(AgentId(10)).unwrap();
}

#[test]
fn by_skills_the_best_is_asked_then_the_next_until_nobody_is_left() {
    let (mut market, session) = talking();
    let events = market.agent(ANN, skilled(session)).unwrap();
    let Event::Reservation(ReservationEvent::Opened(opened)) = &events[0] else { panic!("{events:?}") };
    assert_eq!((opened.agent, opened.purpose, opened.price), (CAT, Purpose::Invited, None));
    let why = opened.invitation.as_ref().unwrap().why.as_ref().unwrap();
    let ranked: Vec<_> = why.ranked.iter().map(|one| (one.subject, one.score.clone().unwrap())).collect();
    assert_eq!(ranked, [(CAT.into(), "3".into()), (BEN.into(), "2".into()), (DAN.into(), "2".into())]);

    let events = market.until(opened.deadline);
    let lapse = ["reservation.lapsed", "agent.status_set", "reservation.invitation_answered", "reservation.opened"];
    assert_eq!(names(&events), lapse);
    assert_eq!(statuses(&events), [(CAT, Will::Break)]);
    assert_eq!((second_agent(&events), asked(&events)), (Some(BEN), vec![BEN]));
    assert_eq!(answers(&events), [(ANN, CAT, Answered::Lapsed, Some(BEN))]);
    let events = market.declines(BEN).unwrap();
    assert_eq!((second_agent(&events), asked(&events)), (Some(DAN), vec![DAN]));
    assert_eq!(market.who(BEN).will, Will::Available, "who declines has no break");
    let events = market.declines(DAN).unwrap();
    assert_eq!(answers(&events), [(ANN, DAN, Answered::Declined, None)]);
    assert_eq!(names(&events), ["reservation.declined", "reservation.invitation_answered"]);
    assert_eq!(market.row().state, InquiryState::Engaged);
    assert_eq!(market.agent(ANN, skilled(session)), Err(Refusal::AgentNotAvailable), "all have been asked");
}

#[test]
fn who_let_an_invitation_lapse_is_asked_by_the_next_one_and_who_declined_after_a_while() {
    let (mut market, session) = talking();
    market.agent(ANN, skilled(session)).unwrap();
    market.lapses_of(CAT);
    assert_eq!(asked(&market.declines(BEN).unwrap()), [DAN]);
    market.available(CAT);
    let events = market.declines(DAN).unwrap();
    assert_eq!(asked(&events), [], "Cat is back, and had her chance of this one");
    let events = market.agent(ANN, skilled(session)).unwrap();
    assert_eq!(asked(&events), [CAT]);
    market.lapses_of(CAT);
    assert!(matches!(market.agent(ANN, skilled(session)), Err(Refusal::AgentNotAvailable)), "Ben and Dan cool off");
    market.pass(COOL_OFF);
    assert_eq!(asked(&market.agent(ANN, skilled(session)).unwrap()), [BEN]);
}

#[test]
fn a_named_agent_that_does_not_come_is_the_end_of_it() {
    let (mut market, session) = talking();
    market.agent(ANN, named(session, CAT)).unwrap();
    let events = market.declines(CAT).unwrap();
    assert_eq!((asked(&events), second_agent(&events)), (vec![], None));
    assert!(market.agent(ANN, named(session, CAT)).is_ok(), "who is named may be asked again");
}

#[test]
fn a_platform_that_was_down_blames_nobody_and_asks_anew() {
    let (mut market, session) = talking();
    market.agent(ANN, skilled(session)).unwrap();
    let events = market.wakes_at(market.now + seconds(60));
    assert_eq!(names(&events), ["reservation.rescinded", "reservation.invitation_answered", "reservation.opened"]);
    assert_eq!((asked(&events), statuses(&events)), (vec![CAT], vec![]));
}

#[test]
fn an_invitation_is_taken_back_by_who_made_it_until_it_is_answered() {
    let (mut market, session) = talking();
    market.agent(ANN, named(session, CAT)).unwrap();
    let reservation = market.latest_of(CAT);
    let take_back = Command::RescindReservation { reservation };
    let missing = Err(Refusal::NotFound { field: "reservationId" });
    assert_eq!(market.agent(CAT, take_back.clone()), missing);
    assert_eq!(market.agent(ANN, Command::RescindReservation { reservation: ReservationId(9) }), missing);
    assert_eq!(names(&market.agent(ANN, take_back.clone()).unwrap()), ["reservation.rescinded"]);
    assert_eq!(market.agent(ANN, take_back), Err(Refusal::ReservationRescinded));
    assert_eq!(market.accepts(CAT), Err(Refusal::ReservationRescinded));
    assert!(market.who(CAT).is_free());
    // The award that opened the session is no invitation.
    let award = Command::RescindReservation { reservation: market.latest_of(ANN) };
    assert_eq!(market.agent(ANN, award), missing);
}

#[test]
fn the_end_of_the_session_ends_what_is_asked_into_it() {
    for wrap_up in [None, Some(seconds(60))] {
        let (mut market, session) = talking_on(wrap_up);
        market.agent(ANN, named(session, BEN)).unwrap();
        market.accepts(BEN).unwrap();
        market.agent(ANN, named(session, CAT)).unwrap();
        let events = market.customer(Command::EndSession { session }).unwrap();
        assert_eq!(names(&events)[..3], ["reservation.rescinded", "session.agent_left", "session.ended"]);
        assert!(market.who(BEN).is_free() && market.who(CAT).is_free());
        assert_eq!(
            market.accepts(CAT),
            Err(if wrap_up.is_some() {
                Refusal::ReservationRescinded
            } else {
                Refusal::NotFound { field: "reservationId" }
            })
        );
    }
}

#[test]
fn who_takes_over_leads_and_who_led_wraps_up_and_no_money_moves() {
    let (mut market, session) = talking();
    let balance = market.balance(domain::event::wallet::Party::Agent(ANN));
    market.agent(ANN, hands_over(session, CAT)).unwrap();
    assert!(not_now(market.agent(ANN, hands_over(session, BEN))), "one is asked at a time");
    let events = market.accepts(CAT).unwrap();
    let taken =
        ["reservation.accepted", "session.agent_joined", "session.agent_left", "reservation.invitation_answered"];
    assert_eq!(names(&events), taken);
    let (ann, cat) = (market.who(ANN).clone(), market.who(CAT).clone());
    assert_eq!((ann.sessions, ann.wrap_ups, ann.conferences), (0, 1, 0));
    assert_eq!((cat.sessions, cat.wrap_ups, cat.conferences), (1, 0, 0));
    assert!(cat.is_free() && !ann.is_free(), "capacity 3, and alone with the customer");
    let channel = market.state.sessions.get(session).unwrap().channel;
    let say = Command::SendMessage { session, channel, text: sealed("hello") };
    assert_eq!(market.agent(ANN, say.clone()), Err(Refusal::NotFound { field: "sessionId" }));
    assert!(market.agent(CAT, say).is_ok());
    assert_eq!(market.agent(ANN, Command::EndSession { session }), Err(Refusal::NotFound { field: "sessionId" }));
    // Who handed over writes and wraps up by itself.
    assert!(market.agent(ANN, Command::SaveNotes { session, notes: sealed("before") }).is_ok());
    assert!(market.agent(ANN, Command::ExtendWrapUp { session, by: seconds(10) }).is_ok());
    let done = market.agent(ANN, Command::CompleteWrapUp { session, information: Some(sealed("mine")) }).unwrap();
    assert_eq!(names(&done), ["session.wrap_up_completed"]);
    assert!(market.who(ANN).is_free());
    market.customer(Command::EndSession { session }).unwrap();
    let done = market.agent(CAT, Command::CompleteWrapUp { session, information: None }).unwrap();
    assert_eq!(names(&done), ["session.wrap_up_completed", "settlement.pending", "inquiry.completed"]);
    assert_eq!(market.balance(domain::event::wallet::Party::Agent(ANN)), balance, "a transfer moves no money");
}

#[test]
fn who_handed_over_wraps_up_until_its_deadline_and_beyond_the_session() {
    let (mut market, session) = talking();
    market.agent(ANN, hands_over(session, CAT)).unwrap();
    market.accepts(CAT).unwrap();
    let deadline = market.now + seconds(60);
    market.agent(CAT, Command::EndSession { session }).unwrap();
    market.agent(CAT, Command::CompleteWrapUp { session, information: None }).unwrap();
    assert!(market.until(before(deadline)).is_empty() && !market.who(ANN).is_free());
    assert_eq!(names(&market.until(deadline)), ["session.wrap_up_completed"]);
    assert!(market.who(ANN).is_free());
    assert_eq!(market.state.closed_sessions.len(), 1, "for a day Cat may still write");
}

#[test]
fn who_is_in_it_may_take_it_over_and_where_nobody_does_it_stays_as_it_is() {
    let (mut market, session) = talking_on(None);
    market.agent(ANN, named(session, CAT)).unwrap();
    market.accepts(CAT).unwrap();
    market.agent(ANN, hands_over(session, CAT)).unwrap();
    market.declines(CAT).unwrap();
    let row = market.state.sessions.get(session).unwrap();
    assert_eq!(row.agents().collect::<Vec<_>>(), [ANN, CAT]);
    market.agent(ANN, hands_over(session, CAT)).unwrap();
    market.accepts(CAT).unwrap();
    let row = market.state.sessions.get(session).unwrap();
    assert_eq!(row.agents().collect::<Vec<_>>(), [CAT]);
    assert!(market.who(ANN).is_free(), "without wrap-up it is free at once");
    assert_eq!((market.who(CAT).sessions, market.who(CAT).conferences), (1, 0));
}

#[test]
fn who_leaves_is_no_longer_asked_to_take_over() {
    let (mut market, session) = talking();
    market.agent(ANN, named(session, CAT)).unwrap();
    market.accepts(CAT).unwrap();
    market.agent(ANN, hands_over(session, CAT)).unwrap();
    let events = market.agent(CAT, Command::LeaveSession { session }).unwrap();
    assert_eq!(names(&events), ["reservation.rescinded", "session.agent_left"]);
    assert!(market.who(CAT).is_free());
}

fn side_of(events: &[Event]) -> ChannelId {
    match &events[0] {
        Event::Session(SessionEvent::ChannelOpened(e)) => e.channel,
        other => panic!("a channel was opened, not {other:?}"),
    }
}

#[test]
fn two_agents_talk_on_a_channel_of_the_other_kind_and_nobody_else_is_on_it() {
    let (mut market, session) = talking();
    for agent in [BEN, CAT] {
        market.agent(ANN, named(session, agent)).unwrap();
        market.accepts(agent).unwrap();
    }
    let open = |agent, kind| Command::OpenSideChannel { session, agent, kind };
    assert_eq!(market.agent(ANN, open(DAN, None)), Err(Refusal::NotAParticipant));
    assert!(matches!(market.agent(ANN, open(ANN, None)), Err(Refusal::Invalid { .. })));
    assert_eq!(market.agent(DAN, open(ANN, None)), Err(Refusal::NotFound { field: "sessionId" }));
    let events = market.agent(ANN, open(CAT, None)).unwrap();
    let Event::Session(SessionEvent::ChannelOpened(opened)) = &events[0] else { panic!("{events:?}") };
    assert_eq!((opened.kind, opened.by, opened.agent), (ChannelKind::Telephone, ANN, CAT), "MAIN is MESSAGE");
    assert!(not_now(market.agent(CAT, open(ANN, None))), "one of a kind between two");
    let channel = side_of(&market.agent(CAT, open(ANN, Some(ChannelKind::Message))).unwrap());
    let say = Command::SendMessage { session, channel, text: sealed("between us") };
    let events = market.agent(ANN, say.clone()).unwrap();
    let Event::Session(SessionEvent::MessageSent(sent)) = &events[0] else { panic!("{events:?}") };
    assert!(sent.side && sent.agent == Some(ANN));
    let nowhere = Err(Refusal::NotFound { field: "channelId" });
    assert_eq!(market.customer(say.clone()), nowhere);
    assert_eq!(market.agent(BEN, say.clone()), nowhere);
    let close = Command::CloseChannel { session, channel };
    assert_eq!(market.agent(BEN, close.clone()), nowhere);
    assert!(market.agent(CAT, close.clone()).is_ok());
    assert_eq!(market.agent(CAT, close), nowhere);
    assert_eq!(market.agent(ANN, say), nowhere);
    let main = market.state.sessions.get(session).unwrap().channel;
    assert!(not_now(market.agent(ANN, Command::CloseChannel { session, channel: main })));
    // Who leaves takes its channels along.
    market.agent(CAT, Command::LeaveSession { session }).unwrap();
    assert!(market.state.sessions.get(session).unwrap().sides.is_empty());
}

/// The same on the telephone.
fn telephoning() -> (Market, SessionId, ChannelId) {
    let mut market = Market::with(&[ANN]);
    let mut acceptance = market.acceptance(terms::terms(forward(Open)), &["help"]);
    acceptance.channel = ChannelKind::Telephone;
    market.registers_this(acceptance).unwrap();
    market.bid(ANN, "1.00");
    market.closes();
    market.accepts(ANN).unwrap();
    let session = market.session();
    let channel = market.state.sessions.get(session).unwrap().channel;
    (market, session, channel)
}

/// On the telephone agents write to each other, unless they would rather talk.
#[test]
fn beside_a_telephone_channel_agents_write_to_each_other() {
    let (mut market, session, _) = telephoning();
    market.register(BEN, &[], 1, None);
    market.available(BEN);
    market.agent(ANN, named(session, BEN)).unwrap();
    market.accepts(BEN).unwrap();
    let events = market.agent(ANN, Command::OpenSideChannel { session, agent: BEN, kind: None }).unwrap();
    let Event::Session(SessionEvent::ChannelOpened(opened)) = &events[0] else { panic!("{events:?}") };
    assert_eq!((opened.kind, opened.by, opened.agent), (ChannelKind::Message, ANN, BEN));
    let say = Command::SendMessage { session, channel: opened.channel, text: sealed("between us") };
    let events = market.agent(BEN, say).unwrap();
    assert!(matches!(&events[0], Event::Session(SessionEvent::MessageSent(sent)) if sent.side));
}

#[test]
fn who_dials_says_when_the_customer_is_there_and_when_the_call_is_over() {
    let (mut market, session, channel) = telephoning();
    let report = |report| Command::ReportChannel { session, channel, report };
    assert_eq!(names(&market.agent(ANN, report(ChannelReport::Connected)).unwrap()), ["session.channel_connected"]);
    // A conversation on the telephone is never idle.
    assert!(market.pass(Span::minutes(60)).is_empty());
    assert_eq!(names(&market.agent(ANN, report(ChannelReport::Ended)).unwrap())[0], "session.ended");
    assert_eq!(market.agent(ANN, report(ChannelReport::Ended)), Err(Refusal::SessionClosed));
    let (mut market, session) = talking();
    let channel = market.state.sessions.get(session).unwrap().channel;
    let dials = Command::ReportChannel { session, channel, report: ChannelReport::Connected };
    assert!(not_now(market.agent(ANN, dials)), "nobody dials a MESSAGE channel");
}

#[test]
fn a_call_that_nobody_answers_ends_as_an_idle_session_does() {
    let (mut market, _, _) = telephoning();
    let end = market.now + IDLE_FOR;
    assert!(market.until(before(end)).is_empty());
    assert_eq!(names(&market.until(end))[0], "session.ended");
}

#[test]
fn a_session_in_which_nobody_says_anything_ends_and_each_message_begins_anew() {
    let (mut market, session) = talking();
    let channel = market.state.sessions.get(session).unwrap().channel;
    market.pass(IDLE_FOR - seconds(1));
    market.customer(Command::SendMessage { session, channel, text: sealed("still there?") }).unwrap();
    let end = market.now + IDLE_FOR;
    market.agent(ANN, Command::SaveNotes { session, notes: sealed("no answer") }).unwrap();
    assert!(market.until(before(end)).is_empty());
    let events = market.until(end);
    let Event::Session(SessionEvent::Ended(ended)) = &events[0] else { panic!("{events:?}") };
    assert_eq!(ended.by, Author::System);
    assert_eq!(market.row().state, InquiryState::WrapUp);
}

#[test]
fn no_session_goes_on_for_longer_than_eight_hours() {
    let (mut market, session) = talking();
    let channel = market.state.sessions.get(session).unwrap().channel;
    let end = market.now + LASTS_MAX;
    while market.now < before(end) {
        let next = (market.now + (IDLE_FOR - seconds(1))).min(before(end));
        assert!(market.until(next).is_empty());
        market.customer(Command::SendMessage { session, channel, text: sealed("and another thing") }).unwrap();
    }
    assert_eq!(names(&market.until(end)), ["session.ended"]);
}

#[test]
fn a_session_that_would_have_ended_while_the_platform_was_down_goes_on() {
    let (mut market, _) = talking();
    let events = market.wakes_at(market.now + LASTS_MAX);
    assert_eq!(names(&events), ["session.kept"], "both, with one event");
    let end = market.now + IDLE_FOR;
    assert!(market.until(before(end)).is_empty());
    assert_eq!(names(&market.until(end))[0], "session.ended");
}
