use super::*;
use crate::graphql::testing::{House, market};
use domain::actor::Actor;
use domain::event::Event;
use domain::event::agent::{AgentStatusSet, Will, WillReason};
use domain::event::community::SourcePosition;
use domain::ids::{AgentId, CustomerId};
use projections::live::Dossier;
use serde_json::json;
use store::memory::{Fault, MemoryStore};
use store::raw::GENESIS;
use store::recorded::{CommandId, Facts};

const SOMEBODY: Actor = Actor::Customer(CustomerId(7));

/// Appends events of nobody's concern: the time of each, and the position of `community` that it came of.
fn record(store: &MemoryStore, log: &str, events: &[(i64, Option<Seq>)]) {
    let log: LogName = log.parse().unwrap();
    let mut previous = GENESIS;
    let mut batch = Vec::new();
    for (seq, (time, source)) in (0..).zip(events) {
        let event: Event =
            AgentStatusSet { agent: AgentId(7), note: None, reason: WillReason::Asked, will: Will::Break }.into();
        let facts = Facts {
            actor: Actor::System,
            key: None,
            correlation: CommandId(1),
            causation: None,
            source: source.map(|seq| SourcePosition { hash: String::new(), log: LogName::community(), seq }),
            trace: None,
            time: Timestamp(*time),
            salt: [0; 16],
        };
        let sealed = Recorded::seal(&log, seq, &previous, event, facts);
        previous = sealed.raw.hash;
        batch.push(sealed.raw);
    }
    store.append(&log, None, &batch).unwrap();
}

fn known(store: &MemoryStore) -> Heads {
    let logs = store.logs().unwrap().into_iter();
    logs.filter_map(|log| Some((log.clone(), store.head(&log).unwrap()?))).collect()
}

/// Where each log is read to: `community`, `bank`, `main`.
fn resolved(store: &MemoryStore, at: i64, fixed: Option<(&str, Seq)>) -> [Option<Seq>; 3] {
    let fixed = fixed.map(|(log, seq)| (log.parse::<LogName>().unwrap(), seq));
    let fixed = fixed.as_ref().map(|(log, seq)| (log, event_at(store, log, *seq).unwrap().raw.head()));
    let heads = heads_at(&known(store), store, Timestamp(at), fixed).unwrap();
    ["community", "bank", "main"].map(|log| heads.get(&log.parse().unwrap()).map(|head| head.seq))
}

#[test]
fn a_time_is_the_last_event_at_or_before_it_in_each_log() {
    let store = MemoryStore::new();
    record(&store, "community", &[(10, None), (20, None), (20, None), (30, None)]);
    record(&store, "main", &[(15, None), (25, None), (25, None), (25, None), (40, None)]);
    for (at, community, main) in [
        (9, None, None),
        (10, Some(0), None),
        (15, Some(0), Some(0)),
        (19, Some(0), Some(0)),
        (20, Some(2), Some(0)),
        (24, Some(2), Some(0)),
        (25, Some(2), Some(3)),
        (39, Some(3), Some(3)),
        (40, Some(3), Some(4)),
        (99, Some(3), Some(4)),
    ] {
        assert_eq!(resolved(&store, at, None), [community, None, main], "{at}");
    }
    // A position is its own, whatever else has its instant.
    assert_eq!(resolved(&store, 25, Some(("main", 2))), [Some(2), None, Some(2)]);
}

#[test]
fn no_log_shows_what_came_of_another_that_does_not_show_it() {
    // A turned clock gives everything one instant; only what follows from what is left.
    let store = MemoryStore::new();
    record(&store, "community", &[(10, None); 6]);
    record(&store, "bank", &[(10, None), (10, Some(1)), (10, None), (10, Some(4)), (10, None)]);
    record(&store, "main", &[(10, Some(0)), (10, Some(2)), (10, Some(3)), (10, None), (10, Some(5))]);
    for (community, bank, main) in [(0, 0, 0), (1, 2, 0), (2, 2, 1), (3, 2, 3), (4, 4, 3), (5, 4, 4)] {
        let cut = resolved(&store, 10, Some(("community", community)));
        assert_eq!(cut, [Some(community), Some(bank), Some(main)], "community at {community}");
    }
    // A call server whose first event came of what is not there yet has not begun.
    let late = MemoryStore::new();
    record(&late, "community", &[(10, None), (10, None)]);
    record(&late, "main", &[(10, Some(1)), (10, None)]);
    assert_eq!(resolved(&late, 10, Some(("community", 0))), [Some(0), None, None]);

    // A clock that went back: `community` is at least where the call server had it from.
    let skewed = MemoryStore::new();
    record(&skewed, "community", &[(10, None), (50, None), (60, None)]);
    record(&skewed, "main", &[(20, None), (40, Some(1)), (45, None)]);
    assert_eq!(resolved(&skewed, 40, None), [Some(1), None, Some(1)]);
    assert_eq!(resolved(&skewed, 45, Some(("main", 2))), [Some(1), None, Some(2)]);
    assert_eq!(resolved(&skewed, 20, Some(("main", 0))), [Some(0), None, Some(0)]);
}

fn empty(seq: Seq) -> Arc<Rows> {
    let heads = [(LogName::community(), Head { seq, hash: [0; 32] })].into();
    Arc::new(Rows { live: Live::new(), heads })
}

#[test]
fn a_few_folds_are_kept_for_as_long_as_they_are_asked_for() {
    let (pasts, morning) = (Pasts::default(), Instant::now());
    let after = |millis| morning + Duration::from_millis(millis);
    let all: Vec<Arc<Rows>> = (0..KEPT_MAX as u64 + 1).map(empty).collect();
    for (at, rows) in (0..).zip(&all) {
        assert_eq!(pasts.keep(rows.clone(), after(at)), at == 0);
        // The first is asked for again and again.
        assert!(pasts.find(&all[0].heads, after(at)).is_some_and(|found| Arc::ptr_eq(&found, &all[0])));
    }
    let kept = |now| all.iter().map(|rows| pasts.find(&rows.heads, now).is_some()).collect::<Vec<_>>();
    assert_eq!(kept(after(10)), [true, false, true, true, true]);
    // Another history at the same position is another past.
    let mut forked = all[0].heads.clone();
    forked.insert(LogName::community(), Head { seq: 0, hash: [1; 32] });
    assert!(pasts.find(&forked, after(10)).is_none());

    assert!(pasts.sweep(after(9) + KEPT_FOR));
    pasts.find(&all[0].heads, after(9) + KEPT_FOR);
    assert!(pasts.sweep(after(10) + KEPT_FOR));
    assert_eq!(kept(after(10) + KEPT_FOR), [true, false, false, false, false]);
    pasts.forget();
    assert!(!pasts.sweep(after(10) + KEPT_FOR));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_point_is_folded_once_and_whoever_waits_too_long_is_told() {
    let house = House::start();
    market(&house, "OPEN").await;
    let app = &house.app;
    let main: LogName = "main".parse().unwrap();
    let seq = app.live.head(&main).unwrap().seq;
    let point = |seq| Point::Seq { log: main.clone(), seq };
    let folds: Vec<Past> = futures_util::future::join_all((0..5).map(|_| as_of(app, &SOMEBODY, point(seq))))
        .await
        .into_iter()
        .map(|past| past.unwrap().unwrap())
        .collect();
    assert!(folds.iter().all(|past| Arc::ptr_eq(&past.rows, &folds[0].rows)));
    // A later time with nothing new is the same past.
    let now = as_of(app, &SOMEBODY, Point::At { at: app.clock.now(), log: None }).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&now.rows, &folds[0].rows));

    // Another's fold is at work.
    let mut others = app.pasts.line().enter(&Actor::System, Heads::new()).unwrap();
    assert_eq!(app.pasts.line().next(), Some(Heads::new()));
    let at = event_at(&*app.store, &main, seq - 1).unwrap();
    let known = app.live.heads().into_iter().collect();
    let heads = heads_at(&known, &*app.store, at.time, Some((&main, at.raw.head()))).unwrap();
    let deadline = || Instant::now() + Duration::from_millis(30);
    let late = rows(app, &SOMEBODY, heads.clone(), deadline()).await.unwrap_err();
    assert_eq!(late.extensions.unwrap().get("code"), Some(&"UNAVAILABLE".into()));
    // What is kept needs no turn.
    assert!(rows(app, &SOMEBODY, folds[0].rows.heads.clone(), deadline()).await.is_ok());
    // A request's worth may wait, and no more.
    let places: Vec<_> = (0..3).map(|seq| app.pasts.line().enter(&SOMEBODY, empty(seq).heads.clone())).collect();
    let refused = as_of(app, &SOMEBODY, point(seq - 1)).await.unwrap_err().extensions.unwrap();
    assert_eq!(refused.get("code"), Some(&"RATE_LIMITED".into()));
    assert_eq!(refused.get("retryAfterMs"), Some(&1_000.into()));
    drop(places);
    app.pasts.line().end(Err(unreadable()));
    assert!(others.try_recv().is_ok());
    assert!(as_of(app, &SOMEBODY, point(seq - 1)).await.unwrap().is_some());
}

/// What has left memory is folded from its events, and reads as if it had stayed.
#[tokio::test(flavor = "multi_thread")]
async fn a_dossier_reads_the_same_from_its_events() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    house.close(&market).await;
    let (app, inquiry) = (&house.app, market.inquiry.parse::<InquiryId>().unwrap());
    let main: LogName = "main".parse().unwrap();
    let mut seen = 0;
    for seq in 0..=app.live.head(&main).unwrap().seq {
        let past = Arc::new(as_of(app, &SOMEBODY, Point::Seq { log: main.clone(), seq }).await.unwrap().unwrap());
        let rows = Rows { live: Live::new(), heads: past.rows.heads.clone() };
        let forgetful = Past { point: past.point.clone(), seq: past.seq, at: past.at, rows: Arc::new(rows) };
        let read = |handle: Option<DossierHandle>| handle.map(|handle| handle.read(Dossier::clone));
        let (kept, folded) = (past.dossier(app, inquiry).await, Arc::new(forgetful).dossier(app, inquiry).await);
        let (kept, folded) = (read(kept.unwrap()), read(folded.unwrap()));
        seen += usize::from(kept.is_some());
        assert_eq!(kept, folded, "as of {seq}");
    }
    assert!(seen > 3, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fork_has_lost_is_no_past_either() {
    let house = House::start();
    let market = market(&house, "OPEN").await;
    let (app, main) = (&house.app, "main".parse::<LogName>().unwrap());
    let bid = |amount: &str| json!({ "auctionId": market.auction, "amount": { "amount": amount, "currency": "EUR" } });
    house.tell(&market.agents[0], "placeBid", bid("7"), "bid { id }").await;
    let seq = app.live.head(&main).unwrap().seq;
    let point = |seq| Point::Seq { log: main.clone(), seq };
    assert!(as_of(app, &SOMEBODY, point(seq)).await.unwrap().is_some());

    house.store.inject(&main, [Fault::DropTail(1)]);
    let mut input = bid("9");
    input["idempotencyKey"] = "a".repeat(16).into();
    let document = "mutation($input: PlaceBidInput!) { placeBid(input: $input) { bid { id } } }";
    let refused = house.run(&market.agents[1], document, json!({ "input": input })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{refused}");
    for _ in 0..200 {
        if app.live.head(&main).is_some_and(|head| head.seq + 1 == seq) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(app.pasts.kept().is_empty());
    assert!(as_of(app, &SOMEBODY, point(seq)).await.unwrap().is_none());
    assert!(as_of(app, &SOMEBODY, point(seq - 1)).await.unwrap().is_some());
}
