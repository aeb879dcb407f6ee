//! The shown status on its boundaries, and notices.

use super::agent::{AgentStatus, StatusReason};
use super::notice::NoticeKind;
use super::testing::*;
use domain::event::agent::{AgentUpdated, Will, WillReason};
use domain::event::reservation::{RescindReason, ReservationRescinded};
use domain::ids::{AgentId, InquiryId, NoticeId, ReservationId};
use domain::time::Timestamp;

fn shown(desk: &Desk, agent: AgentId) -> (AgentStatus, Option<StatusReason>, Timestamp) {
    let row = desk.live.agent(agent).unwrap();
    (row.status, row.status_reason, row.status_since)
}

#[test]
fn the_status_follows_will_and_work() {
    let mut desk = Desk::new();
    assert_eq!(shown(&desk, ANN), (AgentStatus::Offline, None, at(0)));
    desk.at(1, [wants(ANN, Will::Available, WillReason::Asked), registered(1, 1, &[1])]);
    assert_eq!(shown(&desk, ANN), (AgentStatus::Available, Some(StatusReason::Asked), at(1)));
    assert_eq!(desk.live.agents_available(&desk.live.heads()[0].0), 1);
    desk.at(2, [reserved(1, 1, ANN, 1, 22)]);
    assert_eq!(shown(&desk, ANN), (AgentStatus::Unavailable, Some(StatusReason::Reserved), at(2)));
    // Consent: the agent was unavailable all along.
    desk.at(3, [consented(1, 1, ANN), session(1, ANN)]);
    assert_eq!(shown(&desk, ANN), (AgentStatus::Unavailable, Some(StatusReason::Engaged), at(2)));
    assert_eq!(desk.live.agent(ANN).unwrap().load, 1);
    assert_eq!(desk.live.location_load(&desk.live.heads()[0].0, "vienna"), 1);
    desk.at(4, [ended(1, ANN, Some(60))]);
    assert_eq!(shown(&desk, ANN), (AgentStatus::Unavailable, Some(StatusReason::WrapUp), at(2)));
    assert_eq!(desk.live.agent(ANN).unwrap().load, 0);
    desk.at(5, [wrapped_up(1, ANN), completed(1)]);
    assert_eq!(shown(&desk, ANN), (AgentStatus::Available, Some(StatusReason::Asked), at(5)));
}

#[test]
fn one_below_capacity_is_available_and_at_capacity_is_not() {
    let mut desk = Desk::new();
    let three = AgentId(3);
    desk.at(1, [agent(three, 2), wants(three, Will::Available, WillReason::Asked)]);
    desk.at(2, [registered(1, 1, &[1]), registered(2, 1, &[1]), reserved(1, 1, three, 1, 22)]);
    assert_eq!(shown(&desk, three).0, AgentStatus::Available);
    desk.at(3, [consented(1, 1, three), session(1, three), reserved(2, 2, three, 1, 30)]);
    assert_eq!(shown(&desk, three), (AgentStatus::Unavailable, Some(StatusReason::Reserved), at(3)));
    // More capacity frees, less binds again.
    let capacity = |capacity| AgentUpdated {
        affiliated_with: None,
        agent: three,
        capacity: Some(capacity),
        display_name: None,
        location: None,
        skills: None,
    };
    desk.at(4, [capacity(3).into()]);
    assert_eq!(shown(&desk, three).0, AgentStatus::Available);
    desk.at(5, [capacity(2).into()]);
    assert_eq!(shown(&desk, three).0, AgentStatus::Unavailable);
    // Wrap-up binds whatever the capacity.
    desk.at(6, [ended(1, three, Some(60))]);
    assert_eq!(shown(&desk, three), (AgentStatus::Unavailable, Some(StatusReason::WrapUp), at(5)));
}

#[test]
fn a_status_asked_for_while_busy_takes_effect_after() {
    let mut desk = Desk::new();
    desk.at(1, [wants(ANN, Will::Available, WillReason::Asked), registered(1, 1, &[1]), session(1, ANN)]);
    desk.at(2, [wants(ANN, Will::Break, WillReason::Asked)]);
    let row = desk.live.agent(ANN).unwrap();
    assert_eq!((row.will, row.status, row.status_since), (Will::Break, AgentStatus::Unavailable, at(1)));
    desk.at(3, [ended(1, ANN, None), completed(1)]);
    assert_eq!(shown(&desk, ANN), (AgentStatus::Break, Some(StatusReason::Asked), at(3)));
}

#[test]
fn a_lapse_is_told_with_the_second_agent_and_the_second_agent_too() {
    let mut desk = Desk::new();
    desk.at(1, [wants(ANN, Will::Available, WillReason::Asked), registered(1, 1, &[1]), reserved(1, 1, ANN, 1, 21)]);
    let lapse = [lapsed(1, 1, ANN, Some(BEN)), wants(ANN, Will::Break, WillReason::Lapsed), reserved(1, 2, BEN, 2, 41)];
    let batch = desk.pen.at(21, lapse);
    desk.live.apply(&batch).unwrap();
    assert_eq!(shown(&desk, ANN), (AgentStatus::Break, Some(StatusReason::Lapsed), at(21)));
    let notices = desk.live.notices(ANN);
    let kinds: Vec<_> = notices.iter().map(|notice| (notice.kind, notice.second_agent)).collect();
    assert_eq!(kinds, [(NoticeKind::ReservationLapsed, Some(BEN)), (NoticeKind::StatusSet, None)]);
    assert_eq!(notices[0].id, NoticeId(batch[0].id.0));
    let second = desk.live.notices(BEN);
    assert_eq!((second[0].kind, second[0].reservation), (NoticeKind::SecondAgentSelected, Some(ReservationId(2))));
    assert_eq!(second.len(), 1);

    let reason = RescindReason::PlatformLate;
    let rescinded = ReservationRescinded { agent: BEN, inquiry: InquiryId(1), reason, reservation: ReservationId(2) };
    desk.at(50, [rescinded.into()]);
    assert_eq!(desk.live.notices(BEN)[1].kind, NoticeKind::ReservationRescinded);
    assert_eq!(shown(&desk, BEN).0, AgentStatus::Offline);
}

#[test]
fn the_nearest_deadline_stands_first() {
    let mut desk = Desk::new();
    let three = AgentId(3);
    desk.at(1, [agent(three, 9), registered(1, 1, &[1]), registered(2, 1, &[1]), registered(3, 1, &[1])]);
    desk.at(2, [reserved(1, 1, three, 1, 30), reserved(2, 2, three, 1, 10), reserved(3, 3, three, 1, 20)]);
    let order: Vec<_> = desk.live.agent_pending(three).iter().map(|pending| pending.reservation.0).collect();
    assert_eq!(order, [2, 3, 1]);
}
