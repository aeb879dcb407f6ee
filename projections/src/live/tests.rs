//! The fold as a whole: order, repeats, gaps, batching, and what leaves memory.

use super::testing::*;
use super::*;
use domain::event::agent::{Will, WillReason};
use domain::event::auction::{LossReason, Standing};
use domain::event::inquiry::{InformationAnswered, InformationOutcome, InformationRequested, InquiryWithdrawn};
use domain::event::session::{Author, MessageSent, NotesSaved};
use domain::event::settlement::{Leg, SettlementPayable, SettlementPending};
use domain::event::wallet::Party;
use domain::ids::{AuctionId, BidId, ChannelId, InquiryId, MessageId, ReservationId, SessionId, SettlementId, Subject};
use domain::terms::{AuctionFormat, Direction};
use store::snapshot::Snapshots;

/// An auction whose winner lapses, the second agent's session, and the money, in `community` and `main`.
fn story() -> (Vec<Arc<Recorded>>, Vec<Arc<Recorded>>) {
    let mut community = Pen::new("community");
    let acceptance = community.at(1, [call_server(1, "main"), published(), accepted(1)]);
    let mut pen = Pen::new("main");
    let mut log = pen.at(0, [queue(1, "cards"), agent(ANN, 1), agent(BEN, 1)]);
    log.extend(pen.at(0, [wallet(1, Party::Agent(ANN), Some("50")), wallet(2, Party::Agent(BEN), Some("50"))]));
    log.extend(
        pen.at(1, [wants(ANN, Will::Available, WillReason::Asked), wants(BEN, Will::Available, WillReason::Asked)]),
    );
    log.extend(
        pen.at(
            2,
            [
                registered(1, 1, &[1]),
                opened(1, rules(Direction::Forward, AuctionFormat::Open)),
                InformationRequested { customer: CUSTOMER, inquiry: InquiryId(1) }.into(),
                InformationAnswered {
                    last_agent: None,
                    preferred_for: None,
                    customer: CUSTOMER,
                    inquiry: InquiryId(1),
                    outcome: InformationOutcome::New,
                    profile: None,
                }
                .into(),
                bid(1, 1, ANN, "10", Standing::Leads, Some("10"), None),
                bid(1, 2, BEN, "12", Standing::Leads, Some("12"), None),
                outbid(1, 1, ANN),
            ],
        ),
    );
    log.extend(pen.at(60, [awarded(1, 2, BEN, "12"), reserved(1, 1, BEN, 1, 80)]));
    log.extend(pen.at(
        80,
        [
            lapsed(1, 1, BEN, Some(ANN)),
            wants(BEN, Will::Break, WillReason::Lapsed),
            forfeited(1, 2, BEN, LossReason::Lapsed),
            awarded(1, 1, ANN, "10"),
            reserved(1, 2, ANN, 2, 100),
        ],
    ));
    log.extend(
        pen.at(
            90,
            [
                consented(1, 2, ANN),
                session(1, ANN),
                escrowed(1, 1, Party::Agent(ANN), Party::Provider(PROVIDER), "10"),
                MessageSent {
                    agent: Some(ANN),
                    author: Author::Agent,
                    channel: ChannelId(1),
                    inquiry: InquiryId(1),
                    message: MessageId(1),
                    session: SessionId(1),
                    side: false,
                    text: sealed(CUSTOMER),
                }
                .into(),
            ],
        ),
    );
    let leg = |amount: &str| Leg { account: "a".into(), amount: eur(amount), rule: "settle/1".into() };
    log.extend(
        pen.at(
            120,
            [
                ended(1, ANN, Some(180)),
                SettlementPending {
                    agent: ANN,
                    fee: None,
                    inquiry: InquiryId(1),
                    legs: vec![leg("10"), leg("-10")],
                    payable_at: at(1_000),
                    payee: Party::Provider(PROVIDER),
                    settlement: SettlementId(1),
                }
                .into(),
            ],
        ),
    );
    log.extend(pen.at(150, [wrapped_up(1, ANN), completed(1)]));
    (acceptance, log)
}

/// Everything that two views show is the same.
pub(super) fn assert_same(one: &Live, other: &Live) {
    assert_eq!(read(&one.community).view, read(&other.community).view);
    assert_eq!(one.heads(), other.heads());
    let (one, other) = (read(&one.markets), read(&other.markets));
    assert!(one.keys().eq(other.keys()));
    for (one, other) in one.values().zip(other.values()) {
        assert_eq!(*read(one), *read(other));
    }
}

#[test]
fn batches_repeats_and_the_order_of_logs_make_no_difference() {
    let (community, main) = story();
    let whole = Live::new();
    whole.apply(&community).unwrap();
    whole.apply(&main).unwrap();
    for size in 1..main.len() {
        let live = Live::new();
        for batch in main.chunks(size) {
            live.apply(batch).unwrap();
            // Once more, with everything before it.
            live.apply(&main[..=batch.last().unwrap().seq as usize]).unwrap();
        }
        for event in &community {
            live.apply(std::slice::from_ref(event)).unwrap();
        }
        assert_same(&whole, &live);
    }
}

/// A memory store that holds these logs.
fn stored(logs: [&[Arc<Recorded>]; 2]) -> store::memory::MemoryStore {
    let store = store::memory::MemoryStore::new();
    for events in logs {
        let raw: Vec<_> = events.iter().map(|event| event.raw.clone()).collect();
        store.append(&events[0].log, None, &raw).unwrap();
    }
    store
}

#[test]
fn the_views_of_a_past_position_are_what_the_logs_gave_up_to_there() {
    let (community, main) = story();
    let store = stored([&community, &main]);
    for community_to in 0..=community.len() {
        for main_to in 0..=main.len() {
            let then = Live::new();
            then.apply(&community[..community_to]).unwrap();
            then.apply(&main[..main_to]).unwrap();
            let ends = [&community[..community_to], &main[..main_to]];
            let heads = ends.iter().filter_map(|log| log.last()).map(|last| (last.log.clone(), last.seq)).collect();
            assert_same(&Live::as_of(&Snapshots::none(), &store, &heads).unwrap(), &then);
        }
    }
    let beyond = [(main[0].log.clone(), main.len() as Seq)].into();
    assert!(matches!(Live::as_of(&Snapshots::none(), &store, &beyond), Err(RefoldError::Ended { .. })));
}

#[test]
fn a_dossier_folded_alone_is_the_live_one() {
    let (community, main) = story();
    let live = Live::new();
    live.apply(&community).unwrap();
    live.apply(&main).unwrap();
    let mut own = community.iter().chain(&main).filter(|event| dossier::inquiry_of(event) == Some(InquiryId(1)));
    let mut dossier = Dossier::from_first(own.next().unwrap()).unwrap();
    for event in own {
        dossier.apply(event).unwrap();
        dossier.apply(event).unwrap();
    }
    let handle = live.dossier(InquiryId(1)).unwrap();
    assert!(handle.read(|live| *live == dossier));
    let rules: Vec<_> = dossier.decisions().iter().map(|decision| decision.why.rule.as_str()).collect();
    assert_eq!(rules, ["call-server/1", "given/1", "award/1", "award/1"]);
    let other = Pen::new("main").write(registered(2, 1, &[1]));
    assert_eq!(dossier.apply(&other).unwrap_err().misfit, Misfit::OtherInquiry);
}

#[test]
fn every_id_of_a_dossier_leads_to_it() {
    let (community, main) = story();
    let live = Live::new();
    live.apply(&community).unwrap();
    live.apply(&main).unwrap();
    let ids = live.dossier(InquiryId(1)).unwrap().read(|dossier| dossier.ids().collect::<Vec<_>>());
    assert_eq!(ids.len(), 10);
    for id in ids {
        let place = live.place(id).unwrap();
        assert_eq!((place.log.as_str(), place.inquiry), ("main", Some(InquiryId(1))), "{id}");
    }
    assert_eq!(live.place(ANN).unwrap().inquiry, None);
    assert_eq!(live.place(BidId(99)), None);
}

#[test]
fn a_gap_stops_the_view_for_good_and_says_where() {
    let live = Live::new();
    let mut pen = Pen::new("main");
    let batch = pen.at(0, [queue(1, "cards"), agent(ANN, 1), agent(BEN, 1)]);
    live.apply(&batch[..1]).unwrap();
    let error = live.apply(&batch[2..]).unwrap_err();
    assert_eq!((error.log.as_str(), error.seq, error.misfit), ("main", 2, Misfit::Gap { expected: 1 }));
    assert_eq!(error.subject, Subject::AgentId(BEN));
    assert_eq!(error.to_string(), format!("log main position 2, {BEN}: the view cannot take this event"));
    assert_eq!(live.failures(), std::slice::from_ref(&error));
    // Even what would fit now: nobody knows what is missing elsewhere.
    assert_eq!(live.apply(&batch[1..]).unwrap_err(), error);
    assert_eq!(live.head(&batch[0].log), Some(batch[0].raw.head()));
}

#[test]
fn an_event_that_does_not_fit_stops_the_view_after_what_came_before() {
    let live = Live::new();
    let mut pen = Pen::new("main");
    let batch = pen.at(0, [queue(1, "cards"), outbid(7, 7, ANN), agent(BEN, 1)]);
    let error = live.apply(&batch).unwrap_err();
    assert_eq!((error.seq, error.misfit), (1, Misfit::Unknown(InquiryId(7).into())));
    assert_eq!(live.head(&batch[0].log).unwrap().seq, 0);
    assert_eq!(live.agent(BEN), None);
}

#[test]
fn another_event_at_the_views_position_is_a_fork() {
    let live = Live::new();
    live.apply(&[Pen::new("main").write(queue(1, "cards"))]).unwrap();
    let error = live.apply(&[Pen::new("main").write(queue(2, "cards"))]).unwrap_err();
    assert_eq!(error.misfit, Misfit::Fork);
}

#[test]
fn events_in_the_wrong_log() {
    for (log, event) in [("main", published()), ("community", agent(ANN, 1)), ("treasury", agent(ANN, 1))] {
        let error = Live::new().apply(&[Pen::new(log).write(event)]).unwrap_err();
        assert_eq!(error.misfit, Misfit::WrongLog, "{log}");
    }
}

#[test]
fn waiting_for_a_position() {
    let live = Arc::new(Live::new());
    let mut pen = Pen::new("main");
    let log: LogName = "main".parse().unwrap();
    assert!(!live.wait_for(&log, 0, Duration::ZERO));
    let waits = {
        let (live, log) = (live.clone(), log.clone());
        std::thread::spawn(move || live.wait_for(&log, 1, Duration::from_secs(60)))
    };
    live.apply(&[pen.write(queue(1, "cards"))]).unwrap();
    live.apply(&[pen.write(agent(ANN, 1))]).unwrap();
    assert!(waits.join().unwrap());
    assert!(live.wait_for(&log, 1, Duration::ZERO));
    assert!(!live.wait_for(&log, 2, Duration::ZERO));
}

fn withdrawn(inquiry: u128) -> Event {
    InquiryWithdrawn { freed: None, inquiry: InquiryId(inquiry), place_kept_until: None, reason: None }.into()
}

#[test]
fn the_last_closed_stay_and_the_rest_leaves_with_its_ids() {
    let mut desk = Desk::new();
    let count = CLOSED_MAX as u128 + 1;
    for id in 1..=count {
        let auction = opened(id, rules(Direction::Forward, AuctionFormat::Open));
        desk.at(id as i64, [registered(id, id as i64, &[1]), auction, reserved(id, id, ANN, 1, 9_000)]);
    }
    assert_eq!(desk.live.inquiries(None, None, 5_000).len(), count as usize);
    for id in 1..=count {
        let rescinded = domain::event::reservation::ReservationRescinded {
            agent: ANN,
            inquiry: InquiryId(id),
            reason: domain::event::reservation::RescindReason::InquiryGone,
            reservation: ReservationId(id),
        };
        let cancelled = domain::event::auction::AuctionCancelled { auction: AuctionId(id), inquiry: InquiryId(id) };
        // The command goes on after the event that closes the inquiry.
        desk.at(5_000, [withdrawn(id), cancelled.into(), rescinded.into()]);
    }
    let live = &desk.live;
    assert!(live.inquiries(None, None, 5_000).is_empty());
    assert!(live.auctions(None, None, 5_000).is_empty());
    assert_eq!(
        (live.inquiry(InquiryId(1)), live.auction(AuctionId(1)), live.place(ReservationId(1))),
        (None, None, None)
    );
    assert_eq!(live.inquiry(InquiryId(2)).unwrap().state, inquiry::InquiryState::Withdrawn);
    assert_eq!(live.reservation(ReservationId(2)).unwrap().state, reservation::ReservationState::Rescinded);
    assert_eq!(live.notices(ANN).len(), notice::NOTICES_MAX);
    assert_eq!(live.queue(domain::ids::QueueId(1)).unwrap().depth, 0);

    // What may follow the closing follows; what may not is an error.
    let payable = SettlementPayable {
        agent: ANN,
        inquiry: InquiryId(1),
        legs: vec![],
        payee: Party::Agent(ANN),
        settlement: SettlementId(1),
    };
    let notes = NotesSaved { agent: ANN, inquiry: InquiryId(1), notes: sealed(CUSTOMER), session: SessionId(1) };
    desk.at(6_000, [payable.into(), notes.into()]);
    // The acceptance of what has closed and gone stays away, wherever `community` is read so late.
    let mut community = Pen::new("community");
    let log = community.at(0, [call_server(1, "main"), accepted(1), accepted(3), accepted(2_000)]);
    desk.live.apply(&log).unwrap();
    assert!(desk.live.dossier(InquiryId(1)).is_none());
    assert!(desk.live.dossier(InquiryId(3)).unwrap().read(|dossier| dossier.acceptance().is_some()));
    let batch = desk.pen.at(7_000, [outbid(1, 1, ANN)]);
    assert_eq!(desk.live.apply(&batch).unwrap_err().misfit, Misfit::Unknown(InquiryId(1).into()));
}

#[test]
fn community_keeps_every_revision_and_the_customers_first_time() {
    use domain::event::community::{CallServerUpdated, OfferRetired, OfferRevised};
    let live = Live::new();
    let mut pen = Pen::new("community");
    let revised = OfferRevised {
        offer: OFFER,
        revision: 2,
        terms: {
            let mut t = terms();
            t.title = "New".into();
            t
        },
    };
    let default = CallServerUpdated {
        call_server: domain::ids::CallServerId(2),
        default: Some(true),
        languages: None,
        locations: None,
        name: "second".parse().unwrap(),
        topics: None,
    };
    live.apply(&pen.at(1, [call_server(1, "main"), call_server(2, "second"), published(), accepted(1)])).unwrap();
    assert!(live.call_server(&"main".parse().unwrap()).unwrap().is_default);
    let again = Event::from(revised.clone());
    live.apply(&pen.at(8, [revised.into()])).unwrap();
    let seq = live.offer(OFFER).unwrap().seq;
    live.apply(&pen.at(9, [again, default.into(), accepted(2), OfferRetired { offer: OFFER }.into()])).unwrap();
    let offer = live.offer(OFFER).unwrap();
    assert!(offer.seq > seq, "what leaves it as it is stands in it, too, and is no revision");
    assert_eq!((offer.revision, offer.state, &*offer.terms.title), (2, community::OfferState::Retired, "New"));
    assert_eq!(live.offer_terms(OFFER, 1).unwrap().title, "Cards");
    assert_eq!((live.offer_terms(OFFER, 0), live.offer_terms(OFFER, 3)), (None, None));
    assert_eq!(live.offers(Some(PROVIDER), None, 10), live.offers(None, None, 10));
    assert!(live.offers(Some(PROVIDER), Some(OFFER), 10).is_empty());
    let (main, second) = ("main".parse().unwrap(), "second".parse().unwrap());
    assert!(live.has_met(PROVIDER, &main), "for good: the offer is retired");
    assert!(!live.has_met(PROVIDER, &second) && !live.has_met(domain::ids::ProviderId(PROVIDER.0 + 1), &main));
    let defaults: Vec<_> = live.call_servers().into_iter().map(|row| (row.id.0, row.is_default)).collect();
    assert_eq!(defaults, [(1, false), (2, true)]);
}

#[test]
fn a_provider_is_suspended_and_reinstated_and_its_homepage_stays_until_it_is_removed() {
    use domain::event::community::{ProviderRegistered, ProviderUpdated};
    let live = Live::new();
    let mut pen = Pen::new("community");
    let registered = ProviderRegistered {
        credit_limits: vec![],
        customer_keys: vec![],
        homepage: Some("https://bank.example".into()),
        name: "Bank".into(),
        origins: vec![],
        provider: PROVIDER,
    };
    let updated = |suspended, homepage_removed| -> Event {
        ProviderUpdated {
            credit_limits: None,
            customer_keys: None,
            homepage: None,
            homepage_removed,
            limits_lifted: vec![],
            name: None,
            origins: None,
            provider: PROVIDER,
            suspended,
        }
        .into()
    };
    let seen = || (live.is_suspended(PROVIDER), live.provider(PROVIDER).unwrap().homepage.is_some());
    live.apply(&pen.at(1, [registered.into()])).unwrap();
    assert_eq!(seen(), (false, true));
    live.apply(&pen.at(2, [updated(Some(true), false)])).unwrap();
    assert_eq!(seen(), (true, true));
    live.apply(&pen.at(3, [updated(None, true)])).unwrap();
    assert_eq!(seen(), (true, false));
    live.apply(&pen.at(4, [updated(Some(false), false)])).unwrap();
    assert_eq!(seen(), (false, false));
}
