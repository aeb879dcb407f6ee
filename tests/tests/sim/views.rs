//! In the evening every view says the same: both nodes' live views, the reader that lagged, and a fold from
//! zero; accounts as the auditor counted them; and, where a day keeps it, history what the live views say of
//! everything that is closed. And the past is what it was: the live view of a node that crashed on the way is the
//! view as of the positions that it had come to.

use crate::audit::Accounts;
use crate::day::Day;
use crate::house::{VIEWED, lock, log};
use crate::readers::Logs;
use domain::event::Event;
use domain::event::inquiry::InquiryEvent;
use domain::event::wallet::Party;
use domain::ids::*;
use domain::log::{LogName, Seq};
use projections::history::History;
use projections::history::lists::PostingsOf;
use projections::live::inquiry::DecisionRow;
use projections::live::{Dossier, Live};
use std::collections::{BTreeMap, BTreeSet};
use store::recorded::Recorded;
use store::snapshot::Snapshots;

const ALL: usize = usize::MAX >> 1;

pub fn check(day: &Day, logs: &Logs, accounts: &Accounts) {
    let zero = Live::new();
    let mut subjects: BTreeSet<Subject> = BTreeSet::new();
    for events in VIEWED.iter().filter_map(|name| logs.get(name)) {
        zero.apply(events).expect("the log fits the live view");
        subjects.extend(events.iter().flat_map(|event| event.subjects.iter().copied()));
    }
    for (name, live) in
        [("node 0", &*day.house.live(0)), ("node 1", &*day.house.live(1)), ("reader", &day.readers.live)]
    {
        same(name, live, &zero, &subjects);
    }
    if let Some(then) = &*lock(&day.house.fallen) {
        let heads: BTreeMap<LogName, Seq> = then.heads().into_iter().map(|(log, head)| (log, head.seq)).collect();
        // A reader of `community` may have been behind what a call server had taken over: nobody looks back there.
        if taken_over(logs, &heads) <= heads.get(&LogName::community()).copied() {
            let past = Live::as_of(&Snapshots::none(), &day.house.store, &heads).expect("the log holds its past");
            same("the past", &past, then, &subjects);
        }
    }
    money(&zero, accounts);
    logs.values().flatten().for_each(|event| why(&zero, event));
    if let Some(history) = &day.readers.history {
        check_history(day, history, &zero, &subjects);
    }
}

/// The last event of `community` that a call server had registered an inquiry from, up to these positions.
fn taken_over(logs: &Logs, heads: &BTreeMap<LogName, Seq>) -> Option<Seq> {
    let until = |name| heads.get(&log(name)).map_or(0, |seq| *seq as usize + 1);
    let events = logs.iter().flat_map(|(name, events)| &events[..until(name)]);
    let sources = events.filter_map(|event| match &event.event {
        Event::Inquiry(InquiryEvent::Registered(e)) => Some(e.source.seq),
        _ => None,
    });
    sources.max()
}

/// Compares by what anybody can ask.
pub fn same(name: &str, live: &Live, zero: &Live, subjects: &BTreeSet<Subject>) {
    macro_rules! agree {
        ($($ask:tt)+) => {
            assert_eq!(live.$($ask)+, zero.$($ask)+, "live views: {name} differs in {}", stringify!($($ask)+))
        };
    }
    assert!(live.failures().is_empty(), "live views: {name} has stopped: {:?}", live.failures());
    agree!(heads());
    agree!(call_servers());
    agree!(offers(None, None, ALL));
    agree!(inquiries(None, None, ALL));
    agree!(auctions(None, None, ALL));
    agree!(queues(None, None, None, ALL));
    agree!(agents(None, None, ALL));
    agree!(accounts(None, None, None, ALL));
    agree!(books(|_, books| books.clone()));
    for log_name in VIEWED {
        agree!(waiting(&log(log_name)));
        agree!(agents_available(&log(log_name)));
        agree!(location_load(&log(log_name), "Graz"));
    }
    for subject in subjects {
        agree!(place(*subject));
        match *subject {
            Subject::InquiryId(id) => {
                let copy = |view: &Live| view.dossier(id).map(|handle| handle.read(Dossier::clone));
                assert!(
                    copy(live) == copy(zero),
                    "live views: {name} has another dossier of {id}: {:?} {:?}",
                    copy(live),
                    copy(zero)
                );
                agree!(position(id));
            }
            Subject::AgentId(id) => {
                agree!(all_notices(id, None, ALL));
                agree!(unread_notices(id));
                agree!(agent_pending(id));
                agree!(agent_sessions(id));
            }
            Subject::AccountId(id) => agree!(holds(id, None, ALL)),
            Subject::QueueId(id) => {
                agree!(queue(id));
                agree!(queue_inquiries(id, None, ALL));
            }
            Subject::ProviderId(id) => agree!(provider(id)),
            Subject::OfferId(id) => {
                for revision in 1..4 {
                    agree!(offer_terms(id, revision));
                }
            }
            _ => {}
        }
    }
}

/// What was chosen without an auction stands with its inquiry, for the reasons that the log has.
fn why(live: &Live, event: &Recorded) {
    if let Event::Inquiry(InquiryEvent::SelectionMade(e)) = &event.event {
        let dossier = live.dossier(e.inquiry).expect("a day's inquiries stay in memory");
        let same = |row: &DecisionRow| row.log == event.log && row.seq == event.seq && *row.why == e.why;
        let told = dossier.read(|dossier| dossier.decisions().iter().filter(|row| same(row)).count());
        assert_eq!(told, 1, "live views: {} {} was decided, and is told so often", event.log, event.seq);
    }
}

/// Balances and holds of the live view are the auditor's.
fn money(live: &Live, accounts: &Accounts) {
    let rows = live.accounts(None, None, None, ALL);
    assert_eq!(rows.len(), accounts.len(), "holds = live bids: as many accounts");
    for row in rows {
        let owner = match row.owner {
            Party::Agent(id) => id.to_string(),
            Party::Provider(id) => id.to_string(),
        };
        let key = (row.log.to_string(), owner, row.currency.code().to_owned());
        let thousandths = |money: domain::money::Money| {
            let mut amount = money.amount();
            amount.rescale(3);
            amount.mantissa()
        };
        let found = (thousandths(row.balance), thousandths(row.held));
        assert_eq!(accounts.get(&key), Some(&found), "holds = live bids: the live view's {key:?}");
    }
}

/// Rows of what is over are what the live views say, member by member where both have it.
fn check_history(day: &Day, history: &History, live: &Live, subjects: &BTreeSet<Subject>) {
    let different = history.verify(&day.house.store).expect("history can be read");
    assert_eq!(different, None, "history: is not what the logs make");
    let inquiries = subjects.iter().filter_map(|one| if let Subject::InquiryId(id) = one { Some(*id) } else { None });
    for id in inquiries {
        let dossier = live.dossier(id).expect("a day's inquiries stay in memory").read(Dossier::clone);
        let Some(inquiry) = dossier.inquiry() else { continue };
        let row = history.inquiry(id).expect("history can be read").expect("history has every inquiry");
        let live_says = (inquiry.offer, inquiry.revision, inquiry.provider, inquiry.customer, inquiry.accepted_at);
        assert_eq!((row.offer, row.revision, row.provider, row.customer, row.accepted_at), live_says, "history: {id}");
        words("inquiry", &row.state, &inquiry.state);
        assert!(row.closed_at.is_some(), "history: {id} is closed");
        for auction in dossier.auctions() {
            let (said, id) = (auction.row(), auction.row().id);
            let row = history.auction(id).expect("history can be read").expect("history has every auction");
            let live_says =
                (said.inquiry, said.round, said.closes_at, said.closed_at, said.winner, said.clearing_price);
            let found = (row.inquiry, row.round, row.closes_at, row.closed_at, row.winner, row.clearing_price);
            assert_eq!(found, live_says, "history: {id}");
            words("auction", &row.state, &said.state);
            // Every bid has a place in the log that its id leads to; two of them tell, and cost as much as they do.
            let bids = auction.bids();
            for said in bids.first().into_iter().chain(bids.last()) {
                let home = history.home_of(&day.house.store, said.id.into()).expect("the log can be read");
                assert_eq!(home, Some(id.into()), "history: the auction of {}", said.id);
            }
        }
        if let Some(settlement) = dossier.settlement() {
            let said = settlement.row();
            let row = history.settlement(said.id).expect("history can be read").expect("history has every settlement");
            let live_says = (said.bid, said.price, said.payer.subject(), said.payee.subject(), said.at, said.direction);
            assert_eq!(
                (row.bid, row.price, row.payer, row.payee, row.at, row.direction),
                live_says,
                "history: {}",
                said.id
            );
            words("settlement", &row.state, &said.state);
            let postings = history.postings(&PostingsOf::Settlement(said.id), None, 1_000);
            let found: Vec<_> =
                postings.expect("history can be read").into_iter().map(|one| (one.id, one.amount)).collect();
            let live_says: Vec<_> = settlement.postings().iter().map(|one| (one.id, one.amount)).collect();
            assert_eq!(found, live_says, "history: postings of {}", said.id);
        }
    }
}

/// Both have a closed set of words of their own; spelled alike they mean alike.
fn words(what: &str, row: &impl std::fmt::Debug, live: &impl std::fmt::Debug) {
    assert_eq!(format!("{row:?}"), format!("{live:?}"), "history: the state of {what}");
}
