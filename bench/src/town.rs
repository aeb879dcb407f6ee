//! A town over HTTP: a call server, a provider, agents with money, auctions to bid in, founded as anybody would.
//!
//! Promises: every bid of its scripts is accepted, because a connection has auctions of its own, the amounts rise, the
//! agents can pay, and no bound on bids is reached.
//!
//! Not here: a market that makes sense. Nobody wins anything.

use crate::Failure;
use crate::ask::{Caller, at_once, key, text};
use crate::load::{Script, find, post};
use crate::program::House;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Of every call server that is measured.
pub(crate) const CALL_SERVER: &str = "main";
pub(crate) const TOPIC: &str = "cards";
/// Recorded bids of one bidder in one auction at most, as the rules have it.
const BIDS_OF_ONE: usize = 1_000;
/// Bids of an auction begin at 1000.00 and rise by a cent, so that each has as many digits as the others.
const FIRST_CENTS: usize = 100_000;

pub(crate) struct Agent {
    pub(crate) token: String,
}

pub(crate) struct Town {
    address: SocketAddr,
    pub(crate) operator: Caller,
    finance: Caller,
    provider: Caller,
    provider_id: String,
}

impl Town {
    /// The call server may be there already.
    pub(crate) fn found(house: &House) -> Result<Town, Failure> {
        let mut operator = house.caller("operator", None)?;
        let known = operator.ask("{ callServers { name } }", &json!({}))?;
        let is_open =
            known["callServers"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == CALL_SERVER));
        if !is_open {
            operator.give("openCallServer", json!({"name": CALL_SERVER, "topics": [TOPIC]}), "seq")?;
        }
        let registered = operator.give("registerProvider", json!({"name": "Example Bank"}), "provider { id }")?;
        let provider_id = text(&registered["provider"]["id"])?;
        let provider = house.caller("provider", Some(&provider_id))?;
        let finance = house.caller("finance", None)?;
        Ok(Town { address: house.program.address, operator, finance, provider, provider_id })
    }

    /// Agents with a billion each, available. `skills` of each beside the town's own.
    pub(crate) fn hire(&self, house: &House, skills: &[Vec<String>]) -> Result<Vec<Agent>, Failure> {
        at_once(skills, |skills| {
            let mut operator = Caller::new(self.address, &self.operator.token);
            let named = |name: &String| json!({"name": name});
            let skills: Vec<Value> = [TOPIC.to_owned()].iter().chain(skills).map(named).collect();
            let input =
                json!({"displayName": "Agent", "callServer": CALL_SERVER, "location": "home", "skills": skills});
            let id = text(&operator.give("registerAgent", input, "agent { id }")?["agent"]["id"])?;
            let money = json!({"amount": "1000000000.00", "currency": "EUR"});
            let mut finance = Caller::new(self.address, &self.finance.token);
            finance.give("creditWallet", json!({"owner": id, "amount": money, "reference": "bench"}), "seq")?;
            let token = house.token("agent", Some(&id))?;
            Caller::new(self.address, &token).give("setAgentStatus", json!({"status": "AVAILABLE"}), "seq")?;
            Ok(Agent { token })
        })
    }

    /// Publishes an offer whose acceptances are auctioned; offer and link.
    pub(crate) fn publish(&mut self, required_skills: &[String]) -> Result<(String, String), Failure> {
        let skills: Vec<Value> = required_skills.iter().map(|name| json!({"name": name})).collect();
        let auction = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "P7D"});
        let input = json!({
            "providerId": self.provider_id, "title": "Help with cards", "channels": ["MESSAGE"], "maxWait": "P30D",
            "links": [{"label": "I lost my card", "topic": TOPIC}], "requiredSkills": skills,
            "allocation": {"auction": auction},
        });
        let offer = self.provider.give("publishOffer", input, "offer { id links { id } }")?["offer"].take();
        Ok((text(&offer["id"])?, text(&offer["links"][0]["id"])?))
    }

    /// Opens so many auctions: each a customer who accepts the offer.
    pub(crate) fn auctions(&self, offer: &(String, String), count: usize) -> Result<Vec<String>, Failure> {
        at_once(&vec![(); count], |()| {
            let accepted = Caller::new(self.address, "").give("acceptOffer", acceptance(offer), "inquiry { id }")?;
            let document = "query($id: ID!) { inquiry(id: $id) { auction { id } } }";
            let mut operator = Caller::new(self.address, &self.operator.token);
            text(&operator.ask(document, &json!({"id": accepted["inquiry"]["id"]}))?["inquiry"]["auction"]["id"])
        })
    }

    /// The bids that the views show of these auctions.
    pub(crate) fn bids(&mut self, auctions: &[String]) -> Result<u64, Failure> {
        let mut bids = 0;
        for ids in auctions.chunks(50) {
            let document = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Auction { bidCount } } }";
            let answer = self.operator.ask(document, &json!({ "ids": ids }))?;
            bids += answer["nodes"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|node| node["bidCount"].as_u64())
                .sum::<u64>();
        }
        Ok(bids)
    }
}

pub(crate) fn acceptance(offer: &(String, String)) -> Value {
    json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "customer": {"displayName": "Carla Customer"}})
}

/// A request with its two places that change from one sending to the next.
struct Prepared {
    bytes: Vec<u8>,
    amount: usize,
    key: usize,
}

impl Prepared {
    fn bid(address: SocketAddr, agent: &Agent, auction: &str) -> Prepared {
        const DOCUMENT: &str = "mutation($input: PlaceBidInput!) { placeBid(input: $input) { \
                                bid { id state amount { amount } } seq userErrors { code message } } }";
        let (amount, key) = ("1000.00", key());
        let money = json!({"amount": amount, "currency": "EUR"});
        let input = json!({"auctionId": auction, "amount": money, "idempotencyKey": key});
        let body = json!({"query": DOCUMENT, "variables": {"input": input}}).to_string();
        let bytes = post(address, Some(&agent.token), &body);
        let place = |value: &str| find(&bytes, format!("\"{value}\"").as_bytes()).map(|at| at + 1);
        let places = place(amount).zip(place(&key));
        let (amount, key) = places.expect("the request was written with both");
        Prepared { bytes, amount, key }
    }

    fn set(&mut self, cents: usize, key: u64) {
        put(&mut self.bytes[self.amount..self.amount + 4], cents / 100);
        put(&mut self.bytes[self.amount + 5..self.amount + 7], cents % 100);
        // The first half names the run, the second counts.
        put(&mut self.bytes[self.key + 16..self.key + 32], key as usize);
    }
}

/// Decimal digits, with leading zeros. A hexadecimal key may be made of decimal digits alone.
fn put(place: &mut [u8], mut value: usize) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// One connection's bids: round its own auctions, its agents in turn, so that each bid outbids another agent's.
pub(crate) struct Bidder {
    /// `auctions` × `agents`, by agent first.
    prepared: Vec<Prepared>,
    auctions: usize,
    agents: usize,
    sent: usize,
    first_key: u64,
}

impl Bidder {
    /// `number`: of this bidder among all of this run; no other may have it.
    pub(crate) fn new(address: SocketAddr, agents: &[Agent], auctions: &[String], number: usize) -> Bidder {
        let prepared =
            agents.iter().flat_map(|agent| auctions.iter().map(move |auction| Prepared::bid(address, agent, auction)));
        let first_key = number as u64 * 1_000_000_000;
        Bidder { prepared: prepared.collect(), auctions: auctions.len(), agents: agents.len(), sent: 0, first_key }
    }

    /// Auctions that one connection needs to send this many bids.
    pub(crate) fn auctions_for(bids: usize, agents: usize) -> usize {
        bids.div_ceil(agents * BIDS_OF_ONE) + 1
    }
}

impl Script for Bidder {
    fn next(&mut self) -> Option<&[u8]> {
        let (auction, turn) = (self.sent % self.auctions, self.sent / self.auctions);
        if turn >= self.agents * BIDS_OF_ONE {
            return None;
        }
        let prepared = &mut self.prepared[turn % self.agents * self.auctions + auction];
        prepared.set(FIRST_CENTS + turn, self.first_key + self.sent as u64);
        self.sent += 1;
        Some(&prepared.bytes)
    }

    fn accepts(&mut self, status: u16, body: &[u8]) -> bool {
        status == 200 && find(body, b"\"userErrors\":[]").is_some() && find(body, b"\"bid\":{\"id\":\"bid_").is_some()
    }
}
