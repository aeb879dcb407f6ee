//! An inquiry's states, its auctions' bids, and its place in the queues.

use super::auction::{AuctionState, BidState};
use super::inquiry::InquiryState;
use super::queue::Named;
use super::testing::*;
use domain::event::auction::{AuctionExtended, AuctionUnsold, BidWithdrawn, LossReason, Standing};
use domain::event::inquiry::{
    InquiryBegan, InquiryExpired, InquiryMoved, InquiryRequeued, InquiryResumed, InquiryWithdrawn,
};
use domain::event::queue::{QueueMerged, QueueOpened, QueueOrigin, QueueRetired};
use domain::event::wallet::Party;
use domain::ids::{AuctionId, BidId, InquiryId, QueueId, ReservationId};
use domain::terms::{AuctionFormat, Direction};
use domain::time::Span;

fn state(desk: &Desk) -> InquiryState {
    desk.live.inquiry(InquiryId(1)).unwrap().state
}
fn in_auction(format: AuctionFormat) -> Desk {
    let mut desk = Desk::new();
    desk.at(2, [registered(1, 1, &[1]), opened(1, rules(Direction::Forward, format))]);
    desk
}
fn states(desk: &Desk) -> Vec<BidState> {
    let dossier = desk.live.dossier(InquiryId(1)).unwrap();
    dossier.read(|dossier| dossier.auctions()[0].bids().iter().map(|bid| bid.state).collect())
}

#[test]
fn an_inquiry_from_registration_to_completion() {
    let mut desk = Desk::new();
    desk.at(2, [registered(1, 1, &[1])]);
    let row = desk.live.inquiry(InquiryId(1)).unwrap();
    assert_eq!((row.state, row.expires_at), (InquiryState::Queued, Some(at(2) + terms().max_wait)));
    desk.at(3, [opened(1, rules(Direction::Forward, AuctionFormat::Open))]);
    let row = desk.live.inquiry(InquiryId(1)).unwrap();
    assert_eq!((row.state, row.expires_at), (InquiryState::InAuction, None));
    let unsold = AuctionUnsold { auction: AuctionId(1), inquiry: InquiryId(1), why: why("award/1") };
    let requeued = InquiryRequeued { expires_at: at(500), inquiry: InquiryId(1) };
    desk.at(60, [unsold.into(), requeued.into()]);
    let row = desk.live.inquiry(InquiryId(1)).unwrap();
    assert_eq!((row.state, row.expires_at), (InquiryState::Queued, Some(at(500))));
    assert_eq!(desk.live.auction(AuctionId(1)).unwrap().state, AuctionState::Unsold);
    desk.at(61, [reserved(1, 1, ANN, 1, 81)]);
    assert_eq!(state(&desk), InquiryState::Reserved);
    assert_eq!(desk.live.reservation(ReservationId(1)).unwrap().deadline, at(81));
    desk.at(62, [consented(1, 1, ANN), session(1, ANN)]);
    assert_eq!(state(&desk), InquiryState::Engaged);
    desk.at(63, [ended(1, ANN, Some(100))]);
    assert_eq!(state(&desk), InquiryState::WrapUp);
    assert_eq!(desk.live.inquiries(None, None, 10).len(), 1);
    desk.at(64, [wrapped_up(1, ANN), completed(1)]);
    let row = desk.live.inquiry(InquiryId(1)).unwrap();
    assert_eq!((row.state, row.ended_at), (InquiryState::Completed, Some(at(64))));
    assert_eq!(row.seq, desk.live.heads()[0].1.seq);
    assert!(desk.live.inquiries(None, None, 10).is_empty());
}

#[test]
fn bids_are_outbid_superseded_awarded_forfeited_and_lost() {
    let mut desk = in_auction(AuctionFormat::Proxy);
    desk.at(3, [bid(1, 1, ANN, "10", Standing::Leads, None, None)]);
    desk.at(4, [bid(1, 2, BEN, "9", Standing::OutbidAtOnce, None, None)]);
    desk.at(5, [bid(1, 3, BEN, "12", Standing::Leads, None, Some(2)), outbid(1, 1, ANN)]);
    desk.at(6, [bid(1, 4, BEN, "11", Standing::NoEffect, None, None)]);
    assert_eq!(states(&desk), [BidState::Outbid, BidState::Superseded, BidState::Active, BidState::Outbid]);
    let row = desk.live.auction(AuctionId(1)).unwrap();
    assert_eq!((row.bid_count, row.leading, row.price), (4, Some(BidId(3)), Some(eur("11"))));
    let effective = desk.live.dossier(InquiryId(1)).unwrap();
    let effective = effective.read(|dossier| dossier.auctions()[0].effective_bid(BEN).unwrap().id);
    assert_eq!(effective, BidId(3));

    desk.at(59, [wallet(1, Party::Agent(ANN), None), wallet(2, Party::Agent(BEN), None)]);
    desk.at(60, [awarded(1, 3, BEN, "11"), reserved(1, 1, BEN, 1, 80)]);
    let row = desk.live.auction(AuctionId(1)).unwrap();
    assert_eq!(
        (row.state, row.winner, row.clearing_price, row.leading),
        (AuctionState::Awarded, Some(BEN), Some(eur("11")), None)
    );
    assert_eq!(states(&desk)[2], BidState::Won);
    desk.at(80, [lapsed(1, 1, BEN, None), forfeited(1, 3, BEN, LossReason::Lapsed)]);
    let row = desk.live.auction(AuctionId(1)).unwrap();
    assert_eq!((row.state, row.winner, row.clearing_price), (AuctionState::Awarded, None, None));
    desk.at(80, [awarded(1, 1, ANN, "10")]);
    assert_eq!(states(&desk), [BidState::Won, BidState::Superseded, BidState::Forfeited, BidState::Outbid]);
    assert_eq!(desk.live.auction(AuctionId(1)).unwrap().closed_at, Some(at(60)));
    desk.at(81, [lost(1, 1, ANN, LossReason::InquiryGone)]);
    assert_eq!(desk.live.bid(BidId(1)).unwrap().loss_reason, Some(LossReason::InquiryGone));
    assert_eq!(desk.live.bid(BidId(1)).unwrap().placed_seq + 1, desk.live.bid(BidId(2)).unwrap().placed_seq);
}

#[test]
fn what_a_leader_names_below_its_maximum_supersedes_nothing_and_is_never_the_bid_that_counts() {
    let mut desk = in_auction(AuctionFormat::Proxy);
    desk.at(3, [bid(1, 1, ANN, "10", Standing::Leads, None, None)]);
    desk.at(4, [bid(1, 2, ANN, "10", Standing::NoEffect, None, None)]);
    assert_eq!(states(&desk), [BidState::Active, BidState::Outbid]);
    let row = desk.live.auction(AuctionId(1)).unwrap();
    assert_eq!((row.leading, row.bid_count), (Some(BidId(1)), 2));
    // Only a higher one takes the place of the first.
    desk.at(5, [bid(1, 3, ANN, "12", Standing::Leads, None, Some(1))]);
    assert_eq!(states(&desk), [BidState::Superseded, BidState::Outbid, BidState::Active]);
}

#[test]
fn a_sealed_auction_has_no_price_before_the_award() {
    let mut desk = in_auction(AuctionFormat::SealedSecondPrice);
    desk.at(3, [bid(1, 1, ANN, "10", Standing::Sealed, None, None), bid(1, 2, BEN, "8", Standing::Sealed, None, None)]);
    let withdrawn = BidWithdrawn { agent: BEN, auction: AuctionId(1), bid: BidId(2), inquiry: InquiryId(1) };
    desk.at(4, [withdrawn.into()]);
    let extended = AuctionExtended {
        auction: AuctionId(1),
        bid: None,
        closes_at: at(90),
        hard_closes_at: None,
        inquiry: InquiryId(1),
    };
    desk.at(5, [extended.into()]);
    let row = desk.live.auction(AuctionId(1)).unwrap();
    assert_eq!((row.price, row.leading, row.bid_count, row.closes_at), (None, None, 2, at(90)));
    assert_eq!(states(&desk), [BidState::Active, BidState::Withdrawn]);
    let dossier = desk.live.dossier(InquiryId(1)).unwrap();
    assert!(dossier.read(|dossier| dossier.auctions()[0].effective_bid(BEN).is_none()));
}

#[test]
fn places_in_queues_by_acceptance_and_the_smallest_position_counts() {
    let mut desk = Desk::new();
    desk.at(1, [queue(2, "cards/lost")]);
    // Inquiry 3 was accepted first and registered last.
    desk.at(9, [registered(1, 5, &[1]), registered(2, 6, &[1, 2]), registered(3, 4, &[1])]);
    let positions = |desk: &Desk| [1, 2, 3].map(|id| desk.live.position(InquiryId(id)));
    assert_eq!(positions(&desk), [Some(2), Some(1), Some(1)]);
    let log = desk.live.heads()[0].0.clone();
    assert_eq!(desk.live.waiting(&log), 3);
    let first = desk.live.queue_inquiries(QueueId(1), None, 2);
    assert_eq!(first.iter().map(|row| row.id.0).collect::<Vec<_>>(), [3, 1]);
    let rest = desk.live.queue_inquiries(QueueId(1), Some((first[1].stands_at, first[1].id)), 2);
    assert_eq!(rest.iter().map(|row| row.id.0).collect::<Vec<_>>(), [2]);
    // A reservation keeps the place, the session leaves it.
    desk.at(10, [reserved(3, 3, ANN, 1, 30)]);
    assert_eq!(positions(&desk), [Some(2), Some(1), Some(1)]);
    desk.at(11, [consented(3, 3, ANN), session(3, ANN), InquiryExpired { freed: None, inquiry: InquiryId(2) }.into()]);
    assert_eq!(positions(&desk), [Some(1), None, None]);
    let row = desk.live.queue(QueueId(1)).unwrap();
    assert_eq!((row.depth, row.oldest_at), (1, Some(at(5))));

    let cards = "cards".parse().unwrap();
    let list =
        |desk: &Desk| desk.live.queues(None, Some(&cards), None, 10).iter().map(|row| row.id.0).collect::<Vec<_>>();
    assert_eq!(list(&desk), [1, 2]);
    desk.at(12, [QueueRetired { last: None, queue: QueueId(2) }.into()]);
    assert_eq!(list(&desk), [1]);
    assert_eq!(desk.live.queue(QueueId(2)).unwrap().retired_at, Some(at(12)));
}

#[test]
fn a_priority_moves_the_place_and_neither_the_age_nor_the_measured_wait() {
    let mut desk = Desk::new();
    desk.at(9, [registered(1, 5, &[1]), ahead(registered(2, 6, &[1]), 2), registered(3, 7, &[1])]);
    let positions = |desk: &Desk| [1, 2, 3].map(|id| desk.live.position(InquiryId(id)));
    assert_eq!(positions(&desk), [Some(2), Some(1), Some(3)]);
    let rows = desk.live.queue_inquiries(QueueId(1), None, 5);
    assert_eq!(rows.iter().map(|row| row.id.0).collect::<Vec<_>>(), [2, 1, 3]);
    assert_eq!((rows[0].stands_at, rows[0].accepted_at), (at(2), at(6)));
    assert_eq!(desk.live.queue(QueueId(1)).unwrap().oldest_at, Some(at(5)));
    let rest = desk.live.queue_inquiries(QueueId(1), Some((rows[0].stands_at, rows[0].id)), 5);
    assert_eq!(rest.len(), 2);
    // Away and back: at the same place.
    let inquiry = InquiryId(2);
    let kept = InquiryWithdrawn { freed: None, inquiry, place_kept_until: Some(at(60)), reason: None };
    desk.at(10, [kept.into()]);
    assert_eq!(positions(&desk), [Some(1), None, Some(2)]);
    desk.at(11, [InquiryResumed { expires_at: at(70), inquiry }.into()]);
    assert_eq!(positions(&desk), [Some(2), Some(1), Some(3)]);
}

/// Nobody waits with them, wherever they are moved; from their beginning on they stand where they stood.
#[test]
fn who_came_before_its_offers_hours_counts_in_no_place_until_they_begin() {
    let mut desk = Desk::new();
    desk.at(1, [queue(2, "cards/lost")]);
    desk.at(9, [early(registered(1, 4, &[1]), 60), early(registered(2, 5, &[2]), 60), registered(3, 6, &[1, 2])]);
    let log = desk.live.heads()[0].0.clone();
    let seen = |desk: &Desk| ([1, 2, 3].map(|id| desk.live.position(InquiryId(id))), desk.live.waiting(&log));
    assert_eq!(seen(&desk), ([None, None, Some(1)], 1));
    let listed = |desk: &Desk, queue| desk.live.queue_inquiries(QueueId(queue), None, 9).len();
    assert_eq!((listed(&desk, 1), listed(&desk, 2)), (2, 2), "they stand in their queues");

    let moved = |inquiry, already| {
        let (from, into) = (QueueId(2), QueueId(1));
        InquiryMoved { already, away: false, desired_skills: vec![], from, inquiry: InquiryId(inquiry), into }.into()
    };
    desk.at(10, [QueueMerged { into: QueueId(1), queue: QueueId(2) }.into(), moved(2, false), moved(3, true)]);
    assert_eq!(seen(&desk), ([None, None, Some(1)], 1));
    assert_eq!(listed(&desk, 1), 3);
    let begins = |inquiry| InquiryBegan { expires_at: at(90), inquiry: InquiryId(inquiry) }.into();
    desk.at(60, [begins(2)]);
    assert_eq!(seen(&desk), ([None, Some(1), Some(2)], 2));
    let gone = InquiryWithdrawn { freed: None, inquiry: InquiryId(1), place_kept_until: None, reason: None };
    desk.at(61, [gone.into()]);
    assert_eq!(seen(&desk), ([None, Some(1), Some(2)], 2));
}

/// Not in the queue that is no more.
#[test]
fn what_a_moved_one_waited_is_known_where_it_was_answered() {
    let mut desk = Desk::new();
    desk.at(1, [queue(2, "cards/lost")]);
    let mut all: Vec<_> = (2..=6).map(|id| registered(id, 9, &[2])).collect();
    all.extend([registered(1, 1, &[1]), registered(7, 9, &[1])]);
    desk.at(9, all);
    let moved = |inquiry| {
        let (from, into) = (QueueId(2), QueueId(1));
        let inquiry = InquiryId(inquiry);
        InquiryMoved { already: false, away: false, desired_skills: vec![], from, inquiry, into }.into()
    };
    let merged = QueueMerged { into: QueueId(1), queue: QueueId(2) }.into();
    desk.at(10, [merged].into_iter().chain((2..=6).map(moved)));
    assert_eq!(desk.live.estimated_wait(InquiryId(7)), None);
    for (at, id) in (2..=6).enumerate() {
        desk.at(69 + at as i64, [reserved(id, id, ANN, 1, 300), consented(id, id, ANN), session(id, ANN)]);
    }
    // The first of the five came behind one more, and waited a minute for two places.
    let (least, most) = desk.live.estimated_wait(InquiryId(7)).unwrap();
    assert!(least >= Span::seconds(2 * 60 / 6) && most <= Span::seconds(2 * 64 / 2), "{least:?} {most:?}");
}

#[test]
fn who_stood_where_it_was_moved_came_there_with_its_registration() {
    let mut desk = Desk::new();
    desk.at(1, [queue(2, "cards/lost")]);
    desk.at(2, [registered(1, 1, &[1, 2]), registered(2, 1, &[2])]);
    let seq = desk.live.inquiry(InquiryId(1)).unwrap().registered_seq;
    let moved = |inquiry, already| {
        let (from, into) = (QueueId(2), QueueId(1));
        InquiryMoved { already, away: false, desired_skills: vec![], from, inquiry: InquiryId(inquiry), into }.into()
    };
    desk.at(3, [QueueMerged { into: QueueId(1), queue: QueueId(2) }.into(), moved(1, true), moved(2, false)]);
    let stood = |inquiry, queue, seq| desk.live.inquiry(InquiryId(inquiry)).unwrap().stood_in(QueueId(queue), seq);
    let moved_at = [1, 2].map(|inquiry| desk.live.inquiry(InquiryId(inquiry)).unwrap().moves[0].seq);
    assert!(stood(1, 1, seq) && stood(1, 2, seq) && stood(1, 1, moved_at[0]));
    assert!(!stood(2, 1, moved_at[1] - 1) && stood(2, 1, moved_at[1]), "it came by the merge");
    assert!(stood(2, 2, moved_at[1]) && !stood(2, 2, moved_at[1] + 1));
}

#[test]
fn pages_go_by_id_across_call_servers() {
    let mut desk = Desk::new();
    let mut second = Pen::new("second");
    let batch = second.at(0, [queue(9, "loans"), agent(domain::ids::AgentId(9), 1), registered(4, 1, &[9])]);
    desk.live.apply(&batch).unwrap();
    desk.at(1, [registered(3, 1, &[1]), registered(5, 1, &[1])]);
    let ids = |after: Option<u128>, limit| {
        let rows = desk.live.inquiries(None, after.map(InquiryId), limit);
        rows.into_iter().map(|row| row.id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 2), [3, 4]);
    assert_eq!(ids(Some(4), 2), [5]);
    assert_eq!(desk.live.agents(Some(&"second".parse().unwrap()), None, 10).len(), 1);
    assert_eq!(desk.live.agents(None, Some(ANN), 10).len(), 2);
}

#[test]
fn what_operators_made_of_a_name_that_strangers_gave() {
    let mut desk = Desk::new();
    let asked = |id: u128, topic: &str| {
        let opened = QueueOpened {
            born_from: None,
            origin: QueueOrigin::Question,
            priority_credit: domain::time::Span::ZERO,
            queue: QueueId(id),
            required_skills: vec![],
            topic: topic.parse().unwrap(),
        };
        domain::event::Event::from(opened)
    };
    let named = |desk: &Desk, topic: &str| desk.live.named(&topic.parse().unwrap());
    let retired = |id, last| QueueRetired { last, queue: QueueId(id) }.into();
    let merged = |id, into| QueueMerged { into: QueueId(into), queue: QueueId(id) }.into();
    let called = |topic: &str| Named::Otherwise(topic.parse().unwrap());

    // That it became empty says nothing about its name.
    desk.at(1, [asked(10, "tills"), retired(10, Some(InquiryId(1)))]);
    assert_eq!(named(&desk, "tills"), Named::Freely);
    // Merged it is called what it was merged into, in the end. What somebody published keeps its name.
    desk.at(2, [asked(11, "tills"), asked(12, "checkouts"), queue(13, "plastic"), merged(11, 12), merged(12, 1)]);
    desk.at(3, [merged(13, 1)]);
    assert_eq!((named(&desk, "tills"), named(&desk, "checkouts")), (called("cards"), called("cards")));
    assert_eq!((named(&desk, "plastic"), named(&desk, "cards")), (Named::Freely, Named::Freely));
    // Retired with that one, nothing is called so, until somebody publishes it.
    desk.at(4, [retired(1, None)]);
    for topic in ["tills", "checkouts", "cards"] {
        assert_eq!(named(&desk, topic), Named::NoMore, "{topic}");
    }
    desk.at(5, [asked(14, "tills")]);
    assert_eq!(named(&desk, "tills"), Named::NoMore);
    desk.at(6, [queue(15, "checkouts")]);
    assert_eq!((named(&desk, "checkouts"), named(&desk, "tills")), (Named::Freely, Named::NoMore));
}
