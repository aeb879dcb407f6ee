//! The simulation: a seed makes a market day on a turned clock, with two nodes, failing stores, crashes,
//! lost answers and lagging readers; an auditor who shares no code with `domain` looks at what was stored.
//!
//! ```text
//! dice, menu             chance, what is offered
//! deeds, trade           what people ask of a call server, and of `community`
//! house, wire            two nodes on one store, and their way to it
//! keeper                 snapshots, which some starts begin with
//! day, evening           the hours of a day, and how it ends
//! handover               the process manager between the logs
//! readers, watchers      who follows the log, who watches a feed
//! hooks                  webhooks: who plans, who sends, who receives
//! glances                what a view shows of the queues in the middle of a day
//! known                  what people have heard
//! evidence, audit        the stored JSON and the answers alone: chain, money, auctions, agents, deadlines
//! again, views           decided again from what was recorded; every view against a fold from zero
//! killed                 a day's orders again, of a node that is killed at every append
//! run                    many seeds on all cores; how to replay the one that failed
//! apart                  the auditor names nothing of the house
//! mutants                tampered days, each of which the auditor must refuse; mutants/*: of some laws
//! ```
//!
//! `CALLMARKET_SEEDS=FROM..TO` or `CALLMARKET_SEED=n` choose the days. Deliberately not here: HTTP, threads,
//! the mailbox and its patience, a store that goes back; those have tests of their own.
#![allow(unreachable_pub)] // What is public is so to the simulation, which is one program.

mod again;
mod apart;
mod audit;
mod day;
mod deeds;
mod dice;
mod evening;
mod evidence;
mod glances;
mod handover;
mod hooks;
mod house;
mod keeper;
mod killed;
mod known;
mod menu;
mod mutants;
mod readers;
mod run;
mod trade;
mod views;
mod watchers;
mod wire;

/// Every event type, every mutation and the answers that matter came up.
const MUST_COME_UP: &[&str] = &[
    "a clock too far behind to start",
    "absent",
    "absent: excused",
    "answer: none, the node crashed",
    "answer: nothing, a repeat",
    "answer: replayed",
    "answer: unavailable",
    "as of",
    "crash",
    "deadline",
    "feed: read the log again",
    "feed: went on elsewhere",
    "feed: stood elsewhere",
    "from a snapshot",
    "from a snapshot: long past",
    "merge: already there",
    "merge: away",
    "merge: moved by a timer",
    "merge: several queues",
    "put ahead",
    "refused: AGENT_AT_CAPACITY",
    "refused: AGENT_BARRED",
    "refused: AGENT_LACKS_SKILL",
    "refused: AGENT_NOT_AVAILABLE",
    "refused: AGENT_NOT_INDEPENDENT",
    "refused: AUCTION_CLOSED",
    "refused: BID_CURRENCY",
    "refused: BID_NOT_WITHDRAWABLE",
    "refused: BID_TOO_HIGH",
    "refused: BID_TOO_LOW",
    "refused: IDEMPOTENCY_KEY_REUSED",
    "refused: INQUIRY_TAKEN",
    "refused: INSUFFICIENT_FUNDS",
    "refused: LIMIT_REACHED",
    "refused: OFFER_PAUSED",
    "refused: OTHER_ALLOCATION",
    "refused: RESERVATION_LAPSED",
    "refused: RESERVATION_RESCINDED",
    "refused: SESSION_CLOSED",
    "refused: a provider that cannot pay",
    "refused: who is blocked",
    "refused: who keeps away",
    "refused: who started it",
    "selection: after a cool-off",
    "selection: best_skilled/1",
    "selection: best_value/1",
    "selection: claim/1",
    "selection: left out ALREADY_ASKED",
    "selection: left out AT_CAPACITY",
    "selection: left out BLOCKED",
    "selection: left out DECLINED_COOL_OFF",
    "selection: left out HELD_FOR_PREFERRED",
    "selection: left out LACKS_SKILL",
    "selection: left out LOCATION_AVOIDED",
    "selection: left out NOT_AVAILABLE",
    "selection: left out NOT_INDEPENDENT",
    "selection: left out NO_FUNDS",
    "selection: left out TOPIC_MISMATCH",
    "selection: longest_idle/1",
    "selection: nobody",
    "selection: preferred_agent/1",
    "selection: round_robin/1",
    "standing value: bid at an opening",
    "standing value: taken back",
];

/// Of these a hundred days may lack one.
const SELDOM: &[&str] = &[
    "done: closeChannel",
    "done: netPayable",
    "inquiry.place_kept.v1",
    "inquiry.put_off.v1",
    "merge: moved by a timer",
    "queue.merge_put_off.v1",
    "refused: AGENT_BARRED",
    "refused: a provider that cannot pay",
    "refused: who keeps away",
    "refused: who started it",
    "selection: after a cool-off",
    "session.channel_closed.v1",
    "session.kept.v1",
    "wallet.payable_netted.v1",
];

/// No decision releases a settlement yet, and no day has the five hundred waiting inquiries that put rounds off.
const MADE_BY_NOTHING_HERE: &[&str] = &["settlement.released.v1", "agent.rounds_put_off.v1", "agent.rounds_resumed.v1"];

#[test]
fn whole_days() {
    let seeds = run::seeds();
    let started = std::time::Instant::now();
    let tally = run::play_all(seeds.clone()).unwrap_or_else(|failure| panic!("{failure}"));
    let (days, took) = (seeds.end - seeds.start, started.elapsed());
    println!("{days} days in {took:.1?}: {:.1} a second", days as f64 / took.as_secs_f64());
    for (what, count) in &tally.0 {
        println!("{count:>9} {what}");
    }
    let listed = money_mutations();
    let moved = tally.0.keys().filter_map(|what| what.strip_prefix(run::MOVES_MONEY)).filter(|name| !name.is_empty());
    let unlisted: Vec<&str> = moved.filter(|name| !listed.iter().any(|one| one == name)).collect();
    assert!(unlisted.is_empty(), "these moved money, and MONEY_MUTATIONS does not list them: {unlisted:?}");
    if days >= 100 {
        let mutations = domain::command::rights::ALL.iter().map(|(name, _)| format!("done: {name}"));
        let types = store::stored::TYPES.iter().filter(|name| !MADE_BY_NOTHING_HERE.contains(name));
        let all = MUST_COME_UP.iter().chain(types).map(|name| (*name).to_owned()).chain(mutations);
        let all = all.filter(|what| days >= 1_000 || !SELDOM.contains(&what.as_str()));
        let missing: Vec<String> = all.filter(|what| tally.0.get(what).is_none_or(|count| *count == 0)).collect();
        assert!(missing.is_empty(), "{days} days, and these never came up: {missing:?}");
    }
}

/// `api` lets an operation have one of these at most, so the list must be whole.
fn money_mutations() -> Vec<String> {
    let guard = tests::root().join("api/src/guard/root.rs");
    let text = std::fs::read_to_string(&guard).expect("the guard's rules for root fields");
    let (_, list) = text.split_once("MONEY_MUTATIONS: [").expect("the guard's list");
    let (list, _) = list.split_once("];").expect("the list's end");
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_same_seed_is_the_same_day() {
    for seed in [3, 4, 5] {
        let days = [day::live_through(seed, false), day::live_through(seed, false)];
        let [first, second] = days.map(|day| (day.digest(), format!("{:?}", evidence::of(&day).told)));
        assert!(first == second, "seed {seed} is two days");
    }
}
