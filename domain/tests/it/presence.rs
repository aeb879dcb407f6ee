//! Presence: who has a feed is bound by it, and goes offline when no node has reported it for 60 s; whoever never
//! had one is not, and a platform that was down blames nobody.

use crate::support::market::{forfeits, names, statuses};
use crate::support::*;
use domain::actor::Actor;
use domain::check::PRESENCE_MAX;
use domain::command::Command;
use domain::event::Event;
use domain::event::agent::{AgentEvent, Will, WillReason};
use domain::event::auction::LossReason;
use domain::ids::{AgentId, CallServerId};
use domain::refusal::Refusal;
use domain::terms::AuctionFormat::*;
use domain::time::Span;

fn reasons(events: &[Event]) -> Vec<WillReason> {
    let set = |event: &Event| match event {
        Event::Agent(AgentEvent::StatusSet(e)) => Some(e.reason),
        _ => None,
    };
    events.iter().filter_map(set).collect()
}

#[test]
fn who_is_in_no_report_for_sixty_seconds_goes_offline_and_not_before() {
    let mut market = Market::with(&[ANN, BEN]);
    market.reports(&[ANN]);
    assert_eq!(market.until(before(second(60))), []);
    let events = market.until(second(60));
    assert_eq!(statuses(&events), [(ANN, Will::Offline)], "Ben never had a feed");
    assert_eq!(reasons(&events), [WillReason::Absent]);
    assert_eq!(market.pass(Span::days(2)), [], "who is offline cannot go, and who comes over HTTP alone stays");
    assert_eq!(market.who(BEN).will, Will::Available);
}

#[test]
fn a_report_in_time_counts_from_itself() {
    let mut market = Market::with(&[ANN]);
    market.reports(&[ANN]);
    market.until(before(second(60)));
    market.reports(&[ANN]);
    assert_eq!(market.until(before(before(second(120)))), []);
    assert_eq!(statuses(&market.until(before(second(120)))), [(ANN, Will::Offline)]);
}

#[test]
fn another_nodes_report_keeps_an_agent_too_and_one_without_it_does_not() {
    let mut market = Market::with(&[ANN, BEN]);
    market.reports(&[ANN, BEN]);
    market.until(second(30));
    let other = Command::ReportPresence { agents: vec![BEN], node: "n2".to_owned() };
    market.asks(Actor::System, other).unwrap();
    assert_eq!(statuses(&market.until(second(60))), [(ANN, Will::Offline)]);
    assert_eq!(statuses(&market.until(second(90))), [(BEN, Will::Offline)]);
}

#[test]
fn who_asks_for_available_again_is_bound_by_the_feeds_it_has_from_then_on() {
    let mut market = Market::with(&[ANN]);
    market.reports(&[ANN]);
    market.until(before(second(60)));
    market.available(ANN);
    assert_eq!(market.pass(Span::days(1)), [], "it has had no feed since");
    market.reports(&[ANN]);
    assert_eq!(statuses(&market.pass(seconds(60))), [(ANN, Will::Offline)]);
    // An operator asks for it, and the feed is back only afterwards.
    market.operator(Command::SetAgentStatus { agent: ANN, will: Will::Available, note: None }).unwrap();
    assert_eq!(market.pass(Span::days(1)), []);
}

#[test]
fn only_who_asked_for_available_is_bound() {
    for will in [Will::Break, Will::Offline] {
        let mut market = Market::with(&[ANN]);
        market.reports(&[ANN]);
        market.will(ANN, will);
        assert_eq!(market.pass(seconds(60)), [], "it was bound, and is not any more");
        market.reports(&[ANN]);
        assert_eq!(market.pass(Span::days(1)), []);
        assert_eq!(market.who(ANN).will, will);
        market.reports(&[ANN]);
        market.available(ANN);
        assert_eq!(market.pass(Span::days(1)), [], "the report came before it asked");
    }
}

/// Ann leads with 9.00, Ben follows with 8.00; from second 60 on Ann is asked, until second 80.
fn ann_is_asked_and_was_seen_at(seen: i64) -> Market {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Open));
    market.bid(BEN, "8.00");
    market.bid(ANN, "9.00");
    market.until(second(seen));
    market.reports(&[ANN]);
    market.closes();
    market
}

#[test]
fn who_is_asked_may_still_answer_and_has_no_break_to_take() {
    let mut market = ann_is_asked_and_was_seen_at(15);
    assert_eq!(statuses(&market.until(second(75))), [(ANN, Will::Offline)]);
    assert!(market.pending().is_some(), "it takes effect after its work");
    let lapsed = market.lapses();
    assert_eq!((names(&lapsed)[0], statuses(&lapsed)), ("reservation.lapsed", vec![]), "it is offline already");

    let mut market = ann_is_asked_and_was_seen_at(15);
    market.until(second(75));
    market.accepts(ANN).unwrap();
    market.customer(Command::EndSession { session: market.session() }).unwrap();
    assert!(!market.who(ANN).is_free());
}

#[test]
fn a_session_goes_on_without_the_feed() {
    let mut market = ann_is_asked_and_was_seen_at(40);
    market.accepts(ANN).unwrap();
    let session = market.session();
    assert_eq!(statuses(&market.until(second(100))), [(ANN, Will::Offline)]);
    assert_eq!(market.session(), session);
    assert_eq!(market.who(ANN).sessions, 1);
    assert!(market.agent(ANN, Command::EndSession { session }).is_ok());
}

/// The reservation is the older matter: its break stands, and a break is not bound.
#[test]
fn a_lapse_at_the_same_instant_comes_first() {
    let mut market = ann_is_asked_and_was_seen_at(20);
    let events = market.until(second(80));
    assert_eq!((statuses(&events), reasons(&events)), (vec![(ANN, Will::Break)], vec![WillReason::Lapsed]));
    assert_eq!(statuses(&market.pass(seconds(10))), []);
}

#[test]
fn the_bid_of_who_has_gone_is_passed_over() {
    let mut market = Market::with(&[ANN, BEN]);
    market.reports(&[ANN]);
    market.until(second(30));
    market.auctions(forward(Open));
    market.bid(BEN, "8.00");
    market.bid(ANN, "9.00");
    market.until(second(60));
    let events = market.closes();
    assert_eq!(market.asked().unwrap().0, BEN);
    assert_eq!(forfeits(&events), [(ANN, LossReason::NotFree)]);
}

#[test]
fn where_the_platform_was_down_all_whose_time_ran_out_get_it_anew_at_once() {
    let mut market = Market::with(&[ANN, BEN, CAT]);
    market.reports(&[ANN]);
    market.until(second(1));
    market.reports(&[BEN]);
    market.until(second(30));
    market.reports(&[CAT]);
    let events = market.wakes_at(second(70));
    let [Event::Agent(AgentEvent::PresenceReported(excused))] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&excused.agents[..], &excused.node), (&[ANN, BEN][..], &None), "nobody has looked");
    assert_eq!(statuses(&market.until(second(90))), [(CAT, Will::Offline)]);
    assert_eq!(market.until(before(second(130))), []);
    assert_eq!(statuses(&market.until(second(130))), [(ANN, Will::Offline), (BEN, Will::Offline)]);
}

#[test]
fn a_report_names_agents_of_this_log_in_order_and_each_once() {
    let mut market = Market::with(&[ANN, BEN]);
    let events = market.reports(&[BEN, DAN, ANN, BEN]);
    let [Event::Agent(AgentEvent::PresenceReported(report))] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&report.agents[..], report.node.as_deref()), (&[ANN, BEN][..], Some("n1")));
    assert_eq!(events[0].subjects().iter().count(), 0, "this log is no call server yet");
    assert_eq!(market.reports(&[DAN]), [], "nobody of this log");
    assert_eq!(market.reports(&[]), []);
}

/// The trail of the call server has it, the agents' trails do not: they would hold little else.
#[test]
fn a_report_concerns_the_call_server_alone() {
    let mut market = Market::with(&[ANN]);
    let source = domain::event::community::SourcePosition {
        hash: "00".to_owned(),
        log: domain::log::LogName::community(),
        seq: 1,
    };
    let call_server = CallServerId(7);
    let start = Command::StartCallServer { call_server, name: "bank".parse().unwrap(), locations: vec![], source };
    market.asks(Actor::System, start).unwrap();
    let events = market.reports(&[ANN]);
    assert_eq!(events[0].subjects().iter().collect::<Vec<_>>(), [call_server.into()]);
}

#[test]
fn reports_are_the_platforms_own_and_bounded() {
    let mut market = Market::with(&[ANN]);
    let report = |agents, node: &str| Command::ReportPresence { agents, node: node.to_owned() };
    assert_eq!(market.operator(report(vec![ANN], "n1")), Err(Refusal::Forbidden));
    assert_eq!(market.agent(ANN, report(vec![ANN], "n1")), Err(Refusal::Forbidden));
    let many = |count: usize| (0..count as u128).map(AgentId).collect::<Vec<_>>();
    assert!(market.asks(Actor::System, report(many(PRESENCE_MAX), "n1")).is_ok());
    assert!(market.asks(Actor::System, report(many(PRESENCE_MAX + 1), "n1")).is_err());
    assert!(market.asks(Actor::System, report(vec![ANN], " ")).is_err());
}
