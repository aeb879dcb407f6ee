//! SIGKILL at any moment under load, and a new start: every acknowledged write is there exactly once, no
//! other half is there, `verify` is clean. What got no answer is resumed with its key and is then there
//! exactly once too.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::{Client, House, Scratch, Town, cents, command, key, run, text};

const ROUNDS: u64 = 8;
const BIDDERS: usize = 3;
/// What one caller sends in one round at most: all of it is sent again.
const SENT_MAX: usize = 400;

/// One caller: a mutation, over and over, each time with a key of its own.
struct Load<'a> {
    mutation: &'static str,
    token: String,
    wanted: &'static str,
    /// Where the payload names what the command made or moved.
    made: &'static str,
    /// The refusals that this load may meet; every other one is a fault.
    refusals: &'static [&'static str],
    input: Box<dyn Fn(u64, usize) -> Value + Sync + 'a>,
}

/// What a caller sent, and what it was told, if it was told anything.
struct Sent {
    key: String,
    input: Value,
    answer: Option<Value>,
}

/// What a key stands for in the end: id, log, position.
type Outcome = (Value, Value, Value);

impl Load<'_> {
    /// Sends until the server is gone.
    fn run(&self, mut client: Client, round: u64, going: &AtomicBool) -> Vec<Sent> {
        let mut sent = Vec::new();
        while going.load(Ordering::Relaxed) && sent.len() < SENT_MAX {
            let (key, input) = (key(), (self.input)(round, sent.len()));
            let (document, variables) = command(self.mutation, input.clone(), &key, self.wanted);
            let answer = client.send(&document, variables);
            let gone = answer.is_err();
            let answer = answer.ok().filter(|answer| answer.get("errors").is_none());
            sent.push(Sent { key, input, answer: answer.map(|answer| answer["data"][self.mutation].clone()) });
            if gone {
                break;
            }
        }
        sent
    }

    fn outcome(&self, payload: &Value) -> Outcome {
        let made = payload.pointer(self.made).unwrap_or_else(|| panic!("no {} in {payload}", self.made));
        (made.clone(), payload["log"].clone(), payload["seq"].clone())
    }

    /// Sends all of it again with the same keys; what each key came to, by key, and how many were
    /// acknowledged and unanswered.
    fn resume(&self, mut client: Client, sent: Vec<Sent>) -> (BTreeMap<String, Outcome>, usize, usize) {
        let (mut known, mut acknowledged, mut unanswered) = (BTreeMap::new(), 0, 0);
        for one in sent {
            let refused = one.answer.as_ref().is_some_and(|answer| answer["userErrors"] != json!([]));
            let nothing_to_do = one.answer.as_ref().is_some_and(|answer| answer["seq"].is_null());
            if nothing_to_do && !refused {
                // It stood so already: nothing was recorded, no key either.
                continue;
            }
            let again = client.give_keyed(self.mutation, one.input, &one.key, self.wanted);
            let errors = again["userErrors"].as_array().unwrap();
            for error in errors {
                let code = error["code"].as_str().unwrap();
                assert!(self.refusals.contains(&code), "{} answers {again} when it is resumed", self.mutation);
            }
            match &one.answer {
                Some(answer) if !refused => {
                    acknowledged += 1;
                    assert_eq!(again["replayed"], true, "an acknowledged command is known: {answer} {again}");
                    assert_eq!(self.outcome(&again), self.outcome(answer), "{} replays to the same", self.mutation);
                }
                // A refusal appends nothing and is decided anew.
                Some(_) => {}
                None => unanswered += 1,
            }
            if errors.is_empty() && !again["seq"].is_null() {
                known.insert(one.key, self.outcome(&again));
            }
        }
        (known, acknowledged, unanswered)
    }
}

#[test]
fn what_was_acknowledged_survives_sigkill_exactly_once() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    let house = House::open(&data);
    // The last two do not bid: one has money put into its wallet, one changes its status.
    let mut town = Town::found(&house, BIDDERS + 2);
    let offer = town.publish(
        json!({"direction": "FORWARD", "format": "PROXY", "currency": "EUR", "openFor": "PT12H"}),
        json!({"maxWait": "P2D"}),
    );
    let first: Vec<Value> = (0..4).map(|_| town.accept(&house, &offer)["inquiry"].clone()).collect();
    let auctions: Vec<String> = first.iter().map(|inquiry| text(&inquiry["auction"]["id"])).collect();
    let ((saver, _), (walker, walker_client)) = (&town.agents[BIDDERS], &town.agents[BIDDERS + 1]);

    let mut loads: Vec<Load> = (0..BIDDERS)
        .map(|number| Load {
            mutation: "placeBid",
            token: town.agents[number].1.token.clone(),
            wanted: "bid { id }",
            made: "/bid/id",
            // Money tight enough that bids, refusals and replays mix.
            refusals: &["BID_TOO_LOW", "INSUFFICIENT_FUNDS"],
            input: Box::new({
                let auctions = &auctions;
                move |round, count| {
                    let cents = 100 * (round as usize + 1) + 7 * count + number;
                    let amount = format!("{}.{:02}", cents / 100, cents % 100);
                    json!({"auctionId": auctions[count % auctions.len()], "amount": {"amount": amount, "currency": "EUR"}})
                }
            }),
        })
        .collect();
    for _ in 0..2 {
        loads.push(Load {
            mutation: "acceptOffer",
            token: String::new(),
            wanted: "inquiry { id }",
            made: "/inquiry/id",
            refusals: &[],
            input: Box::new(
                |_, count| json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "customer": {"displayName": format!("Customer {count}")}}),
            ),
        });
    }
    let credit = |round: u64, count: usize| 1 + 100 * round as i64 + count as i64;
    loads.push(Load {
        mutation: "creditWallet",
        token: town.finance.token.clone(),
        wanted: "account { id }",
        made: "/account/id",
        refusals: &[],
        input: Box::new(move |round, count| {
            let cents = credit(round, count);
            json!({"owner": saver, "amount": {"amount": format!("{}.{:02}", cents / 100, cents % 100), "currency": "EUR"}, "reference": format!("{round}-{count}")})
        }),
    });
    loads.push(Load {
        mutation: "setAgentStatus",
        token: walker_client.token.clone(),
        wanted: "agent { id }",
        made: "/agent/id",
        refusals: &[],
        input: Box::new(|_, count| json!({"status": if count % 2 == 0 { "BREAK" } else { "AVAILABLE" }})),
    });

    let mut house = Some(house);
    let mut known: Vec<BTreeMap<String, Outcome>> = loads.iter().map(|_| BTreeMap::new()).collect();
    let mut credited = 0;
    let mut counted: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for round in 0..ROUNDS {
        let running = house.take().expect("a house stands between rounds");
        let going = AtomicBool::new(true);
        let told: Vec<Vec<Sent>> = std::thread::scope(|scope| {
            let mut callers = Vec::new();
            for load in &loads {
                let (client, going) = (running.client(&load.token), &going);
                callers.push(scope.spawn(move || load.run(client, round, going)));
            }
            // Each round dies at another moment; what is killed is the process, in the middle of its work.
            std::thread::sleep(Duration::from_millis(60 + 37 * round));
            running.kill();
            going.store(false, Ordering::Relaxed);
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });

        let running = House::open(&data);
        for (load, sent) in loads.iter().zip(&told).filter(|(load, _)| load.mutation == "creditWallet") {
            assert!(load.refusals.is_empty());
            credited += (0..sent.len()).map(|count| credit(round, count)).sum::<i64>();
        }
        let resumed: Vec<_> = std::thread::scope(|scope| {
            let mut callers = Vec::new();
            for (load, sent) in loads.iter().zip(told) {
                let client = running.client(&load.token);
                callers.push(scope.spawn(move || load.resume(client, sent)));
            }
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        for ((load, known), (keys, acknowledged, unanswered)) in loads.iter().zip(&mut known).zip(resumed) {
            known.extend(keys);
            let count = counted.entry(load.mutation).or_default();
            *count = (count.0 + acknowledged, count.1 + unanswered);
        }
        house = Some(running);
    }
    println!("acknowledged and unanswered in {ROUNDS} kills: {counted:?}");
    for (mutation, (acknowledged, _)) in &counted {
        assert!(*acknowledged > 20, "the load of {mutation} was real: {counted:?}");
    }
    // Which command is caught in the middle is chance; that some are is the point.
    assert!(counted.values().any(|(_, unanswered)| *unanswered > 0), "no kill hit a command: {counted:?}");

    let running = house.expect("the last house stands");
    let mut operator = town.operator.at(&running);
    let all = |mutation: &str| -> Vec<&Outcome> {
        loads
            .iter()
            .zip(&known)
            .filter(|(load, _)| load.mutation == mutation)
            .flat_map(|(_, known)| known.values())
            .collect()
    };
    // Each key stands in the log once: what there is, is what the keys came to, and nothing else.
    let made = |mutation: &str| -> BTreeSet<String> {
        let ids: Vec<String> = all(mutation).iter().map(|(id, ..)| text(id)).collect();
        let set: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(set.len(), ids.len(), "{mutation}: two keys, one id");
        set
    };
    let seqs = |mutation: &str| -> BTreeSet<u64> {
        let found: Vec<u64> = all(mutation).iter().map(|(.., seq)| text(seq).parse().unwrap()).collect();
        let set: BTreeSet<u64> = found.iter().copied().collect();
        assert_eq!(set.len(), found.len(), "{mutation}: two keys, one position");
        set
    };
    const TRAIL: &str = "query($id: ID, $types: [String!], $after: Cursor) { auditTrail(subject: $id, filter: {types: $types}, first: 100, after: $after) { edges { node { seq log data } } pageInfo { hasNextPage endCursor } } }";

    let mut bids = BTreeSet::new();
    for auction in &auctions {
        let placed = operator.pages("auditTrail", TRAIL, json!({"id": auction, "types": ["auction.bid_placed.v1"]}));
        let counted = operator.ask("query($id: ID!) { auction(id: $id) { bidCount } }", json!({"id": auction}));
        assert_eq!(counted["auction"]["bidCount"], placed.len());
        bids.extend(placed.iter().map(|entry| text(&entry["data"]["bid"])));
    }
    assert_eq!(bids, made("placeBid"));

    const INQUIRIES: &str = "query($after: Cursor) { inquiries(first: 100, after: $after) { edges { node { id state auction { id } } } pageInfo { hasNextPage endCursor } } }";
    let inquiries = operator.pages("inquiries", INQUIRIES, json!({}));
    assert!(inquiries.iter().all(|inquiry| inquiry["state"] == "IN_AUCTION" && !inquiry["auction"].is_null()));
    let mut ids: Vec<String> = inquiries.iter().map(|inquiry| text(&inquiry["id"])).collect();
    let mut expected: Vec<String> = made("acceptOffer").into_iter().collect();
    expected.extend(first.iter().map(|inquiry| text(&inquiry["id"])));
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected, "one inquiry for each key, and no other");
    let accepted = operator.pages("auditTrail", TRAIL, json!({"id": offer.0, "types": ["offer.accepted.v1"]}));
    assert_eq!(accepted.len(), expected.len(), "one acceptance for each inquiry");

    let money = operator.ask(
        "query($id: ID!) { accounts(ownerId: $id, first: 5) { edges { node { balance { amount } } } } }",
        json!({"id": saver}),
    );
    let balance = cents(&money["accounts"]["edges"][0]["node"]["balance"]["amount"]);
    assert_eq!(balance, 100_000 + credited, "exactly what was put in");
    // One more of each than the load: the town's founding.
    for (mutation, kind, agent) in
        [("creditWallet", "wallet.credited.v1", saver), ("setAgentStatus", "agent.status_set.v1", walker)]
    {
        let trail = operator.pages("auditTrail", TRAIL, json!({"id": agent, "types": [kind]}));
        let recorded: BTreeSet<u64> = trail.iter().skip(1).map(|entry| text(&entry["seq"]).parse().unwrap()).collect();
        assert_eq!(recorded, seqs(mutation), "{mutation}");
    }

    assert_eq!(running.stop(), 0);
    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}
