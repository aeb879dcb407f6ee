//! History as its readers see it: rows, trails, keys.

use super::customers::CustomerRow;
use super::fixture::*;
use super::keys::FoundKey;
use super::lists::PostingPosition;
use super::lists::{AuctionFilter, InquiryFilter, PostingsOf, SettlementFilter};
use super::rows::{AuctionState, InquiryState};
use super::trail::{AuditFilter, Bounds, Position};
use super::visibility::{AuctionFacts, Facts, InquiryFacts};
use super::{History, HistoryError, follow, trail};
use crate::flipped::Flipped;
use domain::actor::{Actor, Role};
use domain::event::agent::{AgentStatusSet, Will, WillReason};
use domain::event::auction::{BidPlaced, Standing};
use domain::ids::*;
use domain::log::{LogName, Seq};
use domain::sealed::Sealed;
use domain::terms::AuctionFormat;
use domain::time::{Span, Timestamp};
use std::sync::Arc;
use store::backend::EventStore;
use store::chain::ChainError;
use store::recorded::{KeyMark, Recorded};

/// History of `logs`, of each log the first so many events.
fn folded(logs: &Logs, upto: impl Fn(&LogName) -> usize) -> History {
    let history = History::open_in_memory().unwrap();
    for (log, events) in &logs.recorded {
        for chunk in events[..upto(log).min(events.len())].chunks(3) {
            history.project(log, chunk).unwrap();
        }
    }
    history
}

fn places(events: &[Arc<Recorded>]) -> Vec<Position> {
    events.iter().map(|event| Position::of(event)).collect()
}

/// Every id that a trail can be asked for, and two that nobody knows.
fn ids() -> Vec<Subject> {
    let ids = "prv off lnk cus inq auc bid agt res ses chn msg rec stl acc que".split(' ');
    let numbers = [1u128, 2].map(|number| ProviderId(number).to_string()[4..].to_owned());
    ids.flat_map(|prefix| numbers.clone().map(|body| format!("{prefix}_{body}").parse().unwrap())).collect()
}

fn all(history: &History, logs: &Logs, subject: Option<Subject>, reverse: bool) -> Vec<Position> {
    places(
        &history
            .trail(&logs.store, subject, &AuditFilter::default(), None, reverse, Bounds::events(1_000))
            .unwrap()
            .events,
    )
}

/// One row for the first acceptance and one for each profile; the others say nothing of the customer.
#[test]
fn a_customer_is_one_since_its_first_acceptance_and_has_the_profile_it_gave_last() {
    let community = LogName::community();
    let mut logs = Logs::default();
    logs.add(&community, 5, published(OFFER, PROVIDER));
    let given = |text: &str| Some(Sealed { ciphertext: text.into(), subject: CUSTOMER.into() });
    for (at, profile) in [(10, None), (20, given("one")), (30, None), (40, given("two")), (50, None)] {
        let mut e = accepted(InquiryId(at), OFFER, PROVIDER);
        e.profile = profile;
        logs.add(&community, at as i64, e);
    }
    let history = folded(&logs, |_| usize::MAX);
    let customer = |until| history.customer(&logs.store, CUSTOMER, until).unwrap();
    let row = |profile: Option<&str>| Some(CustomerRow { since: Timestamp(10), profile: profile.and_then(given) });
    assert_eq!(customer(Some(0)), None);
    assert_eq!(customer(Some(1)), row(None));
    assert_eq!(customer(Some(2)), row(Some("one")));
    assert_eq!(customer(Some(3)), row(Some("one")));
    assert_eq!(customer(Some(4)), row(Some("two")));
    assert_eq!(customer(None), row(Some("two")));
    assert_eq!(history.customer(&logs.store, CustomerId(2), None).unwrap(), None);
    let rows: Result<i64, _> =
        history.read("counting", |db| db.query_row("SELECT count(*) FROM customer", (), |row| row.get(0)));
    assert_eq!(rows.unwrap(), 3);
}

#[test]
fn rows_say_what_happened() {
    let logs = life();
    let history = folded(&logs, |_| usize::MAX);
    let inquiry = history.inquiry(INQUIRY).unwrap().unwrap();
    assert_eq!((inquiry.state, inquiry.closed_at), (InquiryState::Completed, Some(Timestamp(99))));
    assert_eq!((inquiry.provider, inquiry.call_server.clone()), (PROVIDER, main_log()));
    let auction = history.auction(AUCTION).unwrap().unwrap();
    assert_eq!(
        (auction.state, auction.winner, auction.clearing_price),
        (AuctionState::Awarded, Some(ANN), Some(eur("7.00")))
    );
    let facts: &dyn Facts = &history;
    assert_eq!(facts.auction(AUCTION), Some(AuctionFacts { format: AuctionFormat::Open, open: false }));
    assert_eq!(facts.inquiry(INQUIRY), Some(InquiryFacts { provider: PROVIDER, customer: CUSTOMER }));
    assert_eq!((facts.provider_of(OFFER), facts.provider_of(OfferId(9))), (Some(PROVIDER), None));

    let topic = |text: &str| Some(text.parse().unwrap());
    let filter = InquiryFilter {
        topic: topic("cards"),
        queue: Some(QUEUE),
        agent: Some(ANN),
        states: vec![InquiryState::Queued, InquiryState::Completed],
        ..InquiryFilter::default()
    };
    assert_eq!(history.inquiries(&filter, None, 10).unwrap(), [inquiry]);
    assert_eq!(history.inquiries(&filter, Some(INQUIRY), 10).unwrap(), []);
    for none in [
        InquiryFilter { topic: topic("cards/lost/abroad"), ..filter.clone() },
        InquiryFilter { agent: Some(BEN), ..filter.clone() },
        InquiryFilter { states: vec![InquiryState::Queued], ..filter.clone() },
        InquiryFilter { to: Some(Timestamp(10)), ..filter.clone() },
        InquiryFilter { provider: Some(OTHER_PROVIDER), ..InquiryFilter::default() },
    ] {
        assert_eq!(history.inquiries(&none, None, 10).unwrap(), [], "{none:?}");
    }
    let topics = vec!["cards".parse().unwrap(), "cards/lost".parse().unwrap()];
    assert_eq!(history.auctions(&AuctionFilter { topics, ..AuctionFilter::default() }, None, 10).unwrap(), [auction]);

    let filter = SettlementFilter { party: Some(PROVIDER.into()), ..SettlementFilter::default() };
    let settlement = history.settlements(&filter, None, 10).unwrap().remove(0);
    assert_eq!((settlement.id, settlement.payer), (SETTLEMENT, ANN.into()));
}

#[test]
fn postings_stand_in_the_order_of_the_books() {
    let logs = life();
    let history = folded(&logs, |_| usize::MAX);
    let all = |history: &History| {
        let of = |path: &str| history.postings(&PostingsOf::Account(path.into()), None, 10).unwrap();
        let mut books = ["assets:bank", "liabilities:agent:ann:wallet", "liabilities:escrow"].map(of).concat();
        books.sort_by_key(PostingPosition::of);
        books
    };
    let books = all(&history);
    let amounts: Vec<String> = books.iter().map(|row| format!("{} {}", row.account, row.amount)).collect();
    assert_eq!(
        amounts,
        [
            "assets:bank 100.00 EUR",
            "liabilities:agent:ann:wallet -100.00 EUR",
            "liabilities:agent:ann:wallet 7.00 EUR",
            "liabilities:escrow -7.00 EUR"
        ]
    );
    assert_eq!(history.postings(&PostingsOf::Settlement(SETTLEMENT), None, 10).unwrap(), books[2..]);
    let wallet = PostingsOf::Account("liabilities:agent:ann:wallet".into());
    assert_eq!(history.postings(&wallet, None, 10).unwrap(), books[1..3]);
    let after = PostingPosition::of(&books[0]);
    assert_eq!(history.postings(&wallet, Some(&after), 1).unwrap(), books[1..2]);
    assert_eq!(history.postings(&wallet, Some(&PostingPosition::of(&books[1])), 2).unwrap(), books[2..3]);
    let again = all(&folded(&logs, |_| usize::MAX));
    assert_eq!(again, books, "the same logs give the same postings, ids included");
    assert_eq!(books.iter().map(|row| row.id).collect::<std::collections::HashSet<_>>().len(), 4);
}

#[test]
fn a_trail_is_never_behind() {
    let logs = life();
    let whole = folded(&logs, |_| usize::MAX);
    let main = logs.recorded[&main_log()].len();
    for id in ids().into_iter().map(Some).chain([None]) {
        let expected = all(&whole, &logs, id, false);
        assert!(expected.is_sorted());
        for folded_main in 0..=main {
            let folded_community = folded_main % 4;
            let history = folded(&logs, |log| if log.is_reserved() { folded_community } else { folded_main });
            assert_eq!(all(&history, &logs, id, false), expected, "{id:?} with {folded_main} folded");
            let mut reversed = all(&history, &logs, id, true);
            reversed.reverse();
            assert_eq!(reversed, expected, "{id:?} with {folded_main} folded, reversed");
        }
    }
}

#[test]
fn a_trail_holds_what_concerns_its_subject() {
    let logs = life();
    let history = folded(&logs, |_| usize::MAX);
    let count = |id: Subject| all(&history, &logs, Some(id), false).len();
    let main = logs.recorded[&main_log()].len();
    let everything = all(&history, &logs, None, false);
    assert_eq!(everything.len(), main + 3);
    // All but the other offer, the agents' own events and the wallet.
    assert_eq!(count(OFFER.into()), main + 3 - 1 - 4);
    assert_eq!(count(PROVIDER.into()), count(OFFER.into()));
    assert_eq!(count(LINK.into()), count(OFFER.into()));
    assert_eq!(count(OTHER_PROVIDER.into()), 1);
    assert_eq!(count(INQUIRY.into()), count(OFFER.into()) - 1);
    for (id, home) in [
        (Subject::from(BidId(1)), Subject::from(AUCTION)),
        (ChannelId(1).into(), INQUIRY.into()),
        (MessageId(1).into(), INQUIRY.into()),
        (RecordId(1).into(), INQUIRY.into()),
    ] {
        assert_eq!(all(&history, &logs, Some(id), false), all(&history, &logs, Some(home), false), "{id}");
        assert_eq!(history.home_of(&logs.store, id).unwrap(), Some(home));
        assert_eq!(history.inquiry_of(&logs.store, id).unwrap(), Some(INQUIRY));
    }
    assert!(count(AUCTION.into()) < count(INQUIRY.into()));
    assert_eq!(count(ReservationId(1).into()), 2);
    assert_eq!(count(BidId(9).into()), 0);
    assert_eq!(history.inquiry_of(&logs.store, SETTLEMENT.into()).unwrap(), Some(INQUIRY));
    assert_eq!(history.inquiry_of(&logs.store, ANN.into()).unwrap(), None);
    for (id, log) in
        [(Subject::from(INQUIRY), main_log()), (OFFER.into(), LogName::community()), (ANN.into(), main_log())]
    {
        assert_eq!(history.log_of(&logs.store, id).unwrap(), Some(log), "{id}");
    }
    let dossier = history.events_of(&logs.store, INQUIRY.into()).unwrap();
    assert_eq!(dossier.len(), count(INQUIRY.into()));
    assert!(dossier[0].log.is_reserved() && dossier[1..].iter().map(|event| event.seq).is_sorted());
}

#[test]
fn a_bid_is_found_by_the_millisecond_of_its_id() {
    let mut logs = Logs::default();
    let id = |millis: i64, number: u128| BidId((millis as u128) << 80 | number);
    let (main, east) = (main_log(), log("east"));
    for (log, number) in [(&main, 1), (&east, 2)] {
        logs.add(log, 1, registered(InquiryId(number), OFFER, PROVIDER));
        logs.add(log, 1, opened(AuctionId(number), InquiryId(number), AuctionFormat::Open));
    }
    let mut bids = Vec::new();
    // The first and the last microsecond, more of one millisecond than one read takes, and the log's last event.
    for (number, at) in [5_000, 5_001].into_iter().chain([5_500; 80]).chain([5_999, 6_000, 8_999]).enumerate() {
        let (log, market) = if number == 1 { (&east, 2) } else { (&main, 1) };
        let placed = BidPlaced {
            bid: id(at / 1_000, number as u128),
            auction: AuctionId(market),
            inquiry: InquiryId(market),
            ..bid(0, ANN, "6.00", Standing::Leads)
        };
        bids.push((placed.bid, placed.auction));
        logs.add(log, at, placed);
    }
    for upto in [0, usize::MAX] {
        let history = folded(&logs, |_| upto);
        let home = |bid: BidId| history.home_of(&logs.store, bid.into()).unwrap();
        for (bid, auction) in &bids {
            assert_eq!(home(*bid), Some((*auction).into()), "{bid}");
        }
        for nobodys in [id(4, 0), id(5, 9_999), id(6, 0), id(7, 1), id(9, 84), id(0, 3), BidId(u128::MAX)] {
            assert_eq!(home(nobodys), None, "{nobodys}");
        }
    }
}

#[test]
fn a_posting_is_found_by_its_id_and_leads_to_its_settlement_or_account() {
    let logs = life();
    let whole = folded(&logs, |_| usize::MAX);
    let of = |of: PostingsOf| whole.postings(&of, None, 100).unwrap();
    let (settled, bank) = (of(PostingsOf::Settlement(SETTLEMENT)), of(PostingsOf::Account("assets:bank".into())));
    assert!(!settled.is_empty() && !bank.is_empty());
    for up_to in [0, 7, usize::MAX] {
        let history = folded(&logs, |_| up_to);
        for row in settled.iter().chain(&bank) {
            assert_eq!(history.posting(&logs.store, row.id).unwrap().as_ref(), Some(row), "{up_to} folded");
            let home = if row.settlement.is_some() { Subject::from(SETTLEMENT) } else { AccountId(1).into() };
            let id = Subject::from(row.id);
            assert_eq!(all(&history, &logs, Some(id), false), all(&history, &logs, Some(home), false), "{id}");
            let inquiry = row.settlement.map(|_| INQUIRY);
            assert_eq!(history.inquiry_of(&logs.store, id).unwrap(), inquiry);
        }
        let nobodys = domain::ids::PostingId(1);
        assert_eq!(history.posting(&logs.store, nobodys).unwrap(), None);
        assert_eq!(all(&history, &logs, Some(nobodys.into()), false), []);
    }
}

#[test]
fn pages_make_up_the_trail() {
    let logs = life();
    let history = folded(&logs, |log| if log.is_reserved() { 1 } else { 9 });
    for (subject, reverse) in [(None, false), (None, true), (Some(OFFER.into()), false), (Some(OFFER.into()), true)] {
        for limit in 1..5 {
            let mut pages = Vec::new();
            loop {
                let filter = AuditFilter::default();
                let page = history
                    .trail(&logs.store, subject, &filter, pages.last(), reverse, Bounds::events(limit))
                    .unwrap()
                    .events;
                if page.is_empty() {
                    break;
                }
                pages.extend(places(&page));
            }
            assert_eq!(pages, all(&history, &logs, subject, reverse), "{subject:?} {reverse} {limit}");
        }
    }
}

#[test]
fn a_customer_has_inquired_where_an_inquiry_of_its_was_registered() {
    let mut logs = life();
    let history = folded(&logs, |log| if *log == main_log() { 0 } else { usize::MAX });
    assert!(!history.has_inquired(CUSTOMER, &main_log()).unwrap(), "not folded in yet");
    logs = life();
    let history = folded(&logs, |_| usize::MAX);
    assert!(history.has_inquired(CUSTOMER, &main_log()).unwrap());
    assert!(!history.has_inquired(CUSTOMER, &"bank".parse().unwrap()).unwrap());
    assert!(!history.has_inquired(CustomerId(CUSTOMER.0 + 1), &main_log()).unwrap());
    let sql = "EXPLAIN QUERY PLAN SELECT EXISTS(SELECT 1 FROM inquiry WHERE customer = 'a' AND +call_server = 'b')";
    let plan = |db: &rusqlite::Connection| db.prepare(sql)?.query_map((), |row| row.get(3))?.collect();
    let plan: Vec<String> = history.read("test", plan).unwrap();
    assert!(plan.iter().any(|step| step.contains("inquiry_by_customer")), "{plan:?}");
}

#[test]
fn filters_are_half_open_and_exact() {
    let logs = life();
    let history = folded(&logs, |_| 5);
    let count = |filter: AuditFilter| {
        history.trail(&logs.store, None, &filter, None, false, Bounds::events(100)).unwrap().events.len()
    };
    let none = AuditFilter::default;
    assert_eq!(count(AuditFilter { types: vec!["auction.bid_placed.v1".into()], ..none() }), 2);
    assert_eq!(count(AuditFilter { roles: vec![Role::Agent], ..none() }), 1);
    assert_eq!(count(AuditFilter { actor: Some(BEN.to_string()), ..none() }), 1);
    assert_eq!(count(AuditFilter { log: Some(LogName::community()), ..none() }), 3);
    assert_eq!(count(AuditFilter { from: Some(Timestamp(10)), to: Some(Timestamp(12)), ..none() }), 4);
    assert_eq!(count(AuditFilter { log: Some(main_log()), from_seq: Some(2), to_seq: Some(5), ..none() }), 3);
    assert_eq!(count(AuditFilter { correlation: Some(store::recorded::CommandId(11)), ..none() }), 1);
}

#[test]
fn a_key_is_kept_for_a_day_of_event_time() {
    let mut logs = Logs::default();
    let day = Span::days(1).0;
    let will = AgentStatusSet { agent: ANN, note: None, reason: WillReason::Asked, will: Will::Break };
    let key = |hash| Some(KeyMark { hash, fingerprint: u64::MAX, events: 2 });
    logs.add_by(&main_log(), 100, will.clone(), Actor::Agent(ANN), key(u128::MAX));
    logs.add_by(&main_log(), 200, will.clone(), Actor::Agent(ANN), key(2));
    for folded_events in 0..=2 {
        let history = folded(&logs, |_| folded_events);
        let find = |hash, now| history.find_key(&logs.store, &main_log(), hash, 0..=Seq::MAX, Timestamp(now)).unwrap();
        let found = FoundKey { log: main_log(), seq: 0, time: Timestamp(100), fingerprint: u64::MAX, events: 2 };
        assert_eq!(find(u128::MAX, 100 + day - 1), Some(found));
        assert_eq!(find(u128::MAX, 100 + day), None);
        assert_eq!(find(3, 100), None);
        assert_eq!(history.find_key(&logs.store, &LogName::community(), 2, 0..=9, Timestamp(0)).unwrap(), None);
    }
    // Later events cut it off, and the same key may come again.
    logs.add_by(&main_log(), 150 + day, will.clone(), Actor::Agent(ANN), key(u128::MAX));
    let history = History::open_in_memory().unwrap();
    for event in &logs.recorded[&main_log()] {
        history.project(&main_log(), std::slice::from_ref(event)).unwrap();
    }
    let find = |within| {
        let now = Timestamp(150 + day);
        history.find_key(&logs.store, &main_log(), u128::MAX, within, now).unwrap().map(|key| key.seq)
    };
    assert_eq!([find(0..=Seq::MAX), find(2..=2), find(0..=1)], [Some(2), Some(2), None]);
    let segments = |history: &History| -> Vec<i64> {
        let sql = "SELECT first FROM key_segment ORDER BY first";
        let rows = |db: &rusqlite::Connection| db.prepare(sql)?.query_map((), |row| row.get(0))?.collect();
        history.read("test", rows).unwrap()
    };
    assert_eq!(segments(&history), [1, 2], "the key of the second event is a moment younger than a day");
    assert_eq!(history.verify(&logs.store).unwrap(), None);
    let none = logs.add(&main_log(), 200 + day, will);
    history.project(&main_log(), &[none]).unwrap();
    assert_eq!(segments(&history), [2]);
    assert_eq!(history.verify(&logs.store).unwrap(), None, "what is cut off may be there or not");
}

#[test]
fn only_what_follows_is_folded() {
    let logs = life();
    let main = &logs.recorded[&main_log()];
    let history = folded(&logs, |_| 4);
    let seq = |history: &History| history.checkpoint(&main_log()).unwrap().head.seq;
    for wrong in [&main[3..6], &main[5..6], &main[0..1]] {
        assert!(matches!(history.project(&main_log(), wrong), Err(HistoryError::Overtaken { at: Some(3), .. })));
    }
    history.project(&main_log(), &main[4..6]).unwrap();
    assert_eq!(seq(&history), 5);
    assert!(history.wait_for(&main_log(), 5, std::time::Duration::ZERO));
    assert!(!history.wait_for(&main_log(), 6, std::time::Duration::from_millis(1)));
}

#[test]
fn another_log_in_its_place_is_a_fork() {
    let mut logs = life();
    let history = folded(&logs, |_| usize::MAX);
    let (main, last) = (main_log(), logs.recorded[&main_log()].len() as Seq - 1);
    let store = logs.store.clone();
    let slice = || follow::slice(&history, &store, &main, 100, None);
    assert_eq!(slice().unwrap(), 0);
    logs.store.drop_tail(&main, 1);
    assert!(matches!(slice(), Err(HistoryError::Fork { known, found: None, .. }) if known.seq == last));
    let will = AgentStatusSet { agent: BEN, note: None, reason: WillReason::Asked, will: Will::Break };
    logs.add(&main, 200, will.clone());
    assert!(matches!(slice(), Err(HistoryError::Fork { found: Some(_), .. })));
    // And where the caller brings what is chained to another event.
    let after = logs.add(&main, 201, will);
    assert!(matches!(history.project(&main, &[after]), Err(HistoryError::Fork { .. })));
    history.rebuild(&logs.store, |_, _, _| ()).unwrap();
    assert_eq!(slice().unwrap(), 0);
    assert_eq!(history.verify(&logs.store).unwrap(), None);
}

#[test]
fn an_event_without_its_row_is_named_and_nothing_of_it_stays() {
    let mut logs = life();
    let main = main_log();
    let bad = logs.add(&main, 100, super::fixture::bid(5, ANN, "1.00", Standing::Leads));
    let bad_seq = logs.add(&main, 101, of_nobody(outbid(5, BEN))).seq;
    let history = folded(&logs, |log| if *log == main { 4 } else { 3 });
    let error = follow::slice(&history, &logs.store, &main, 1_000, None).unwrap_err();
    assert!(
        matches!(error, HistoryError::Apply { seq, subject: Some(Subject::AuctionId(AUCTION)), .. } if seq == bad_seq)
    );
    assert_eq!(history.checkpoint(&main).unwrap().head, bad.raw.head(), "what stands before it is folded");
    assert!(matches!(follow::slice(&history, &logs.store, &main, 1_000, None), Err(HistoryError::Apply { .. })));
    assert_eq!(logs.store.head(&main).unwrap().unwrap().seq, bad_seq);
}

#[test]
fn a_trail_that_reads_little_at_a_time_misses_nothing() {
    let logs = life();
    for folds in [0, usize::MAX] {
        let history = folded(&logs, |_| folds);
        let filters = [AuditFilter::default(), AuditFilter { roles: vec![Role::Agent], ..AuditFilter::default() }];
        for (filter, reverse) in filters.iter().flat_map(|filter| [(filter, false), (filter, true)]) {
            for subject in [None, Some(AUCTION.into()), Some(PROVIDER.into())] {
                let read = |after: Option<&Position>, bounds| {
                    history.trail(&logs.store, subject, filter, after, reverse, bounds).unwrap()
                };
                let whole = places(&read(None, Bounds::events(1_000)).events);
                let (mut found, mut after) = (Vec::new(), None);
                loop {
                    let part = read(after.as_ref(), Bounds { events: 3, read: 1 });
                    found.extend(places(&part.events));
                    let next = part.stopped.or_else(|| part.events.last().map(|event| Position::of(event)));
                    if next.is_none() {
                        break;
                    }
                    assert_ne!(next, after, "each call comes further");
                    after = next;
                }
                assert_eq!(found, whole, "{subject:?} {reverse} {filter:?}");
            }
        }
    }
}

#[test]
fn a_byte_that_was_changed_is_told_and_nothing_behind_it() {
    let logs = life();
    let main = main_log();
    let of_main = AuditFilter { log: Some(main.clone()), ..AuditFilter::default() };
    let count = logs.recorded[&main].len();
    for seq in 0..count as u64 {
        let store = Flipped { inner: logs.store.clone(), log: main.clone(), seq };
        let history = folded(&logs, |_| 0);
        for reverse in [false, true] {
            // A page that holds it, one that begins with it, and pages that do not reach it.
            let whole = history.trail(&store, None, &of_main, None, reverse, Bounds::events(100));
            assert!(is_broken_at(&whole, seq), "{seq} {reverse}: {whole:?}");
            let from = AuditFilter { from_seq: Some(seq), ..of_main.clone() };
            let first = history.trail(&store, None, &from, None, false, Bounds::events(1));
            assert!(is_broken_at(&first, seq), "{seq}: {first:?}");
            let rest = AuditFilter { from_seq: Some(seq + 1), ..of_main.clone() };
            let rest = history.trail(&store, None, &rest, None, reverse, Bounds::events(100)).unwrap();
            assert_eq!(rest.events.len(), count - 1 - seq as usize);
        }
    }
    // Of what the index names, those whose neighbours it names too.
    let history = folded(&logs, |_| usize::MAX);
    let seqs: Vec<u64> = {
        let trail = history.trail(&logs.store, Some(INQUIRY.into()), &of_main, None, false, Bounds::events(100));
        trail.unwrap().events.iter().map(|event| event.seq).collect()
    };
    let second = seqs.windows(2).find(|pair| pair[0] + 1 == pair[1]).unwrap()[1];
    let store = Flipped { inner: logs.store.clone(), log: main.clone(), seq: second };
    for reverse in [false, true] {
        let trail = history.trail(&store, Some(INQUIRY.into()), &of_main, None, reverse, Bounds::events(100));
        assert!(is_broken_at(&trail, second), "{trail:?}");
    }
}

fn is_broken_at(trail: &Result<trail::Trail, HistoryError>, at: u64) -> bool {
    matches!(trail, Err(HistoryError::Chain { source: ChainError::Broken { seq }, .. }) if *seq == at)
}
