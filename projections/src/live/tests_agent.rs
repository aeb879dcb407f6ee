//! The shown status on its boundaries, and notices.

use super::agent::{AgentStatus, StatusReason};
use super::notice::{NOTICES_MAX, NoticeKind, UNREAD_MAX};
use super::testing::*;
use domain::event::Event;
use domain::event::agent::{AgentNoticesRead, AgentPresenceReported, AgentUpdated, Will, WillReason};
use domain::event::auction::{AuctionEvent, AuctionOpened};
use domain::event::reservation::{
    RescindReason, ReservationDeclined, ReservationEvent, ReservationOpened, ReservationRescinded,
};
use domain::ids::{AgentId, AuctionId, InquiryId, NoticeId, ReservationId};
use domain::log::Seq;
use domain::terms::{AuctionFormat, Direction};
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
        affiliation_ended: false,
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
fn an_affiliation_ends_where_an_update_says_so_alone() {
    let mut desk = Desk::new();
    let updated = |affiliated_with, affiliation_ended| -> Event {
        AgentUpdated {
            affiliated_with,
            affiliation_ended,
            agent: ANN,
            capacity: None,
            display_name: None,
            location: None,
            skills: None,
        }
        .into()
    };
    let affiliated = |desk: &Desk| desk.live.agent(ANN).unwrap().affiliated_with;
    for (at, event, shown) in [
        (1, updated(Some(PROVIDER), false), Some(PROVIDER)),
        (2, updated(None, false), Some(PROVIDER)),
        (3, updated(None, true), None),
    ] {
        desk.at(at, [event]);
        assert_eq!(affiliated(&desk), shown, "{at}");
    }
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
fn who_was_not_there_for_too_long_is_told_and_shown_so() {
    let mut desk = Desk::new();
    let report = AgentPresenceReported { agents: vec![ANN], call_server: None, node: Some("n1".to_owned()) };
    desk.at(1, [wants(ANN, Will::Available, WillReason::Asked)]);
    let before = desk.live.agent(ANN);
    desk.at(2, [report.into()]);
    assert_eq!(desk.live.agent(ANN), before, "being seen changes nothing");
    desk.at(3, [registered(1, 1, &[1]), session(1, ANN)]);
    desk.at(62, [wants(ANN, Will::Offline, WillReason::Absent)]);
    assert_eq!(shown(&desk, ANN), (AgentStatus::Unavailable, Some(StatusReason::Engaged), at(3)));
    desk.at(70, [ended(1, ANN, None), completed(1)]);
    assert_eq!(shown(&desk, ANN), (AgentStatus::Offline, Some(StatusReason::Absent), at(70)));
    let kinds: Vec<_> = desk.live.notices(ANN).iter().map(|notice| notice.kind).collect();
    assert_eq!(kinds, [NoticeKind::StatusSet]);
}

#[test]
fn a_status_that_is_so_already_is_since_it_was_and_nobody_is_told() {
    let mut desk = Desk::new();
    desk.at(1, [wants(ANN, Will::Break, WillReason::Operator)]);
    desk.at(2, [wants(ANN, Will::Break, WillReason::Operator), wants(ANN, Will::Break, WillReason::Asked)]);
    assert_eq!(shown(&desk, ANN), (AgentStatus::Break, Some(StatusReason::Asked), at(1)));
    assert_eq!(desk.live.notices(ANN).len(), 1);
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

/// A reservation of inquiry 1, which an auction was awarded for.
fn won(auction: u128, reservation: u128, agent: AgentId, attempt: u32) -> Event {
    let Event::Reservation(ReservationEvent::Opened(opened)) = reserved(1, reservation, agent, attempt, 900) else {
        panic!("a reservation opens");
    };
    ReservationOpened { auction: Some(AuctionId(auction)), ..opened }.into()
}

fn declined(reservation: u128, agent: AgentId, second: Option<AgentId>) -> Event {
    let reservation = ReservationId(reservation);
    ReservationDeclined { agent, inquiry: InquiryId(1), reason: None, reservation, second_agent: second }.into()
}

fn rescinded(reservation: u128, agent: AgentId) -> Event {
    let reason = RescindReason::PlatformLate;
    ReservationRescinded { agent, inquiry: InquiryId(1), reason, reservation: ReservationId(reservation) }.into()
}

/// The reservations that an agent was told of as the second one.
fn told_second(desk: &Desk, agent: AgentId) -> Vec<u128> {
    let notices = desk.live.notices(agent);
    let second = notices.iter().filter(|notice| notice.kind == NoticeKind::SecondAgentSelected);
    second.map(|notice| notice.reservation.unwrap().0).collect()
}

/// Inquiry 1 is auctioned; Ann has won its first round.
fn ann_has_won() -> Desk {
    let mut desk = Desk::new();
    let rules = rules(Direction::Forward, AuctionFormat::Open);
    desk.at(1, [registered(1, 1, &[1]), opened(1, rules), won(1, 1, ANN, 1)]);
    desk
}

#[test]
fn who_wins_a_later_round_first_is_nobodys_second() {
    let mut desk = ann_has_won();
    let Event::Auction(AuctionEvent::Opened(first)) = opened(1, rules(Direction::Forward, AuctionFormat::Open)) else {
        panic!("an auction opens");
    };
    let next = AuctionOpened { auction: AuctionId(2), round: 2, ..first };
    desk.at(2, [declined(1, ANN, None), next.into(), won(2, 2, BEN, 2)]);
    assert_eq!(told_second(&desk, BEN), []);
    // In that round somebody may be second.
    desk.at(3, [declined(2, BEN, Some(ANN)), won(2, 3, ANN, 3)]);
    assert_eq!((told_second(&desk, ANN), told_second(&desk, BEN)), (vec![3], vec![]));
}

#[test]
fn who_is_asked_again_because_the_platform_was_late_is_nobodys_second() {
    let mut desk = ann_has_won();
    desk.at(2, [rescinded(1, ANN), won(1, 2, ANN, 2)]);
    assert_eq!(told_second(&desk, ANN), []);
    // Nor is who is asked in her stead without a fault of hers.
    desk.at(3, [rescinded(2, ANN), won(1, 3, BEN, 3)]);
    assert_eq!(told_second(&desk, BEN), []);
}

#[test]
fn a_second_agent_that_is_asked_again_is_told_again() {
    let mut desk = ann_has_won();
    desk.at(2, [declined(1, ANN, Some(BEN)), won(1, 2, BEN, 2)]);
    desk.at(3, [rescinded(2, BEN), won(1, 3, BEN, 3)]);
    assert_eq!(told_second(&desk, BEN), [2, 3]);
}

/// So many times set to another will by an operator; the positions that told it.
fn told(desk: &mut Desk, from: i64, times: usize) -> Vec<Seq> {
    let will = |at: i64| if at % 2 == 0 { Will::Break } else { Will::Offline };
    let events = (0..times as i64).map(|n| wants(ANN, will(from + n), WillReason::Operator));
    let batch = desk.pen.at(from, events);
    desk.live.apply(&batch).unwrap();
    batch.iter().map(|event| event.seq).collect()
}

#[test]
fn what_is_unread_is_kept_however_much_is_told_after_it_and_what_is_read_makes_room() {
    let mut desk = Desk::new();
    let read = |through| AgentNoticesRead { agent: ANN, through };
    let seqs = told(&mut desk, 2, NOTICES_MAX + 50);
    let (older, newest) = desk.live.all_notices(ANN, None, 1_000);
    assert_eq!((older.as_slice(), newest.len()), (&seqs[..50], NOTICES_MAX));
    assert_eq!(desk.live.all_notices(ANN, Some(seqs[40]), 5).0, seqs[41..46]);
    assert_eq!(desk.live.unread_notices(ANN), 150);

    // Half of the old ones, then all of them and one of the newest.
    desk.at(1_000, [read(seqs[24]).into()]);
    assert_eq!(desk.live.all_notices(ANN, None, 1_000).0, seqs[25..50]);
    assert_eq!(desk.live.unread_notices(ANN), 125);
    desk.at(1_001, [read(seqs[50]).into()]);
    let (older, newest) = desk.live.all_notices(ANN, None, 1_000);
    assert_eq!((older, newest[0].read_at, newest[1].read_at), (vec![], Some(at(1_001)), None));
    assert_eq!(desk.live.unread_notices(ANN), 99);
    // Again, and less: the first time counts.
    desk.at(1_002, [read(seqs[50]).into(), read(seqs[3]).into()]);
    assert_eq!(desk.live.notices(ANN)[0].read_at, Some(at(1_001)));
    desk.at(1_003, [read(seqs[149]).into()]);
    assert_eq!(desk.live.unread_notices(ANN), 0);
    // What is read makes room for good.
    told(&mut desk, 2_000, 60);
    let (older, newest) = desk.live.all_notices(ANN, None, 1_000);
    assert_eq!((older.len(), newest.iter().filter(|row| row.read_at.is_some()).count()), (0, 40));
}

#[test]
fn an_unread_notice_is_found_by_its_id_and_the_number_of_them_is_bounded() {
    let mut desk = Desk::new();
    let first = desk.pen.at(2, [wants(ANN, Will::Break, WillReason::Operator)]);
    desk.live.apply(&first).unwrap();
    let id = NoticeId(first[0].id.0);
    let seqs = told(&mut desk, 3, NOTICES_MAX + UNREAD_MAX - 1);
    assert_eq!(desk.live.notice_position(ANN, id), Some(first[0].seq));
    assert_eq!(desk.live.unread_notices(ANN), NOTICES_MAX + UNREAD_MAX);
    assert_eq!(desk.live.notice_position(BEN, id), None, "of another");
    told(&mut desk, 3 + seqs.len() as i64, 1);
    assert_eq!(desk.live.notice_position(ANN, id), None);
    assert_eq!(desk.live.unread_notices(ANN), NOTICES_MAX + UNREAD_MAX);
}
