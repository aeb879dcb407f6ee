//! Webhooks: who plans and who sends, one step at a time, in the order of `api/src/webhooks.rs`, and who receives. What
//! is planned, due, told and made of an answer is the product's own code; the request is the receiver's answer.
//!
//! Both nodes plan. One sends, until it is down; then the other does, and what was on its way is sent again. Nodes
//! crash before a request, after it, and over the record of its answer.
//!
//! Deliberately not here: signatures, addresses and HTTP, which have tests of their own.

use crate::audit::webhooks::Sent;
use crate::day::Day;
use crate::deeds::{self, Deed, operator};
use crate::dice::Dice;
use crate::house::{House, LOGS, lock};
use crate::known::Known;
use domain::actor::Actor;
use domain::command::Command;
use domain::ids::{AgentId, AuctionId, InquiryId, OfferId, ProviderId, WebhookId};
use domain::log::LogName;
use domain::sealed::Sealed;
use domain::time::{Span, Timestamp};
use projections::history::visibility::{AuctionFacts, Facts, InquiryFacts};
use projections::live::Live;
use projections::live::auction::AuctionState;
use projections::webhooks::board::{DeliveryRow, WebhookRow};
use projections::webhooks::plan::Round;
use projections::webhooks::told::{self, Answered, Came, PUT_BACK};
use store::raw::Head;
use store::writer::order::{Answer, Entropy};

/// Sent, and not recorded yet.
pub struct Flight {
    node: usize,
    /// Of the node: with it the flight is lost.
    life: Option<u64>,
    webhook: WebhookRow,
    delivery: DeliveryRow,
    came: Came,
}

pub fn act(day: &mut Day) {
    let node = day.dice.throw(2);
    day.maybe_trap(node, 15);
    plan(day, node);
    day.disarm();
    if day.dice.percent(75) {
        send(day);
        day.disarm();
    }
}

/// Everything is planned and sent until nothing is due any more.
pub fn all_is_told(day: &mut Day) {
    for _ in 0..10_000 {
        assert!(plan(day, 0), "in the evening everything can be planned");
        send(day);
        let (_, board) = day.house.hooks(day.sender).expect("in the evening every node is up");
        let Some(due) = board.next_due() else { return };
        day.now = day.now.max(due.0);
        day.turn();
    }
    panic!("there is no end of what is to be told");
}

/// A node reads on in a log where another has written. `false`: it cannot.
fn read_on(day: &mut Day, node: usize, log: &LogName) -> bool {
    let length = day.house.length(log);
    let stands = |house: &House| house.with_writer(node, log, |writer| Head::next(writer.head()));
    if stands(&day.house).is_some_and(|stands| stands < length) {
        // A refusal appends nothing and confirms the head.
        let nobody = Command::WithdrawInquiry { inquiry: InquiryId(0), reason: None };
        let order = deeds::order(&mut day.dice, (log.clone(), operator(), nobody), None);
        day.house.give(node, log, vec![(order, day.house.now(node))]);
    }
    stands(&day.house).is_some_and(|stands| stands >= length)
}

/// One node claims what its views hold. Whether all of it is claimed.
fn plan(day: &mut Day, node: usize) -> bool {
    let house = day.house.clone();
    if !read_on(day, node, &LogName::effects()) {
        return false;
    }
    let Some((live, board)) = house.hooks(node) else { return false };
    let Some(round) = Round::now(&live, &board) else {
        house.set_planned(node, Default::default());
        return true;
    };
    let mut next = house.planned(node);
    for (log, head) in &round.heads {
        // Sometimes it forgets how far it was.
        let known = next.get(log).copied().filter(|_| !day.dice.percent(4));
        let began = || round.begin(&house.store, &board, log).expect("the store in memory can be read");
        let mut at = known.unwrap_or_else(began);
        while at <= head.seq {
            let page = round.page(&house.store, log, at, &Seen(&live), || Entropy(day.dice.bytes()));
            let (orders, count) = page.expect("the store in memory can be read");
            let entered = house.now(node);
            let orders: Vec<_> = orders.into_iter().map(|order| (order, entered)).collect();
            let answers = match orders.is_empty() {
                true => vec![],
                false => match house.give(node, &LogName::effects(), orders) {
                    Some(answers) => answers,
                    None => return false,
                },
            };
            for answer in answers {
                match answer {
                    Answer::Done(_) | Answer::Replayed { .. } => {}
                    Answer::Refused(refusal) => panic!("what is to be told was refused by `effects`: {refusal:?}"),
                    Answer::Unavailable(_) => {
                        house.set_planned(node, next);
                        return false;
                    }
                }
            }
            at += count;
            next.insert(log.clone(), at);
        }
        next.insert(log.clone(), at);
    }
    house.set_planned(node, next);
    true
}

/// What is due is sent, what was sent is recorded, now or later.
fn send(day: &mut Day) {
    if !day.house.is_up(day.sender) {
        day.sender = 1 - day.sender;
    }
    let node = day.sender;
    day.maybe_trap(node, 15);
    for name in LOGS {
        if !read_on(day, node, &crate::house::log(name)) {
            return;
        }
    }
    let house = day.house.clone();
    let Some((live, board)) = house.hooks(node) else { return };
    let now = house.now(node);
    let most = if day.evening { 64 } else { day.dice.one(&[1, 3, 64]) };
    for (webhook, delivery) in board.take_due(now, most) {
        if fails(day, node) {
            return;
        }
        let time = |at: Timestamp| at.0.to_string();
        let body = told::body(&house.store, &webhook, &delivery, &Seen(&live), time);
        let came = match body.expect("the store in memory can be read") {
            None => Came::Hidden,
            Some(body) => {
                let answer = answer(day, &webhook);
                let status = |answered: &Answered| (answered.status, answered.retry_after.map(|span| span.0));
                // Sometimes its answer is lost.
                let heard = answer.filter(|_| day.evening || !day.dice.percent(6));
                lock(&house.record).sent.push(Sent {
                    webhook: webhook.id.to_string(),
                    delivery: delivery.id.to_string(),
                    at: now.0,
                    effects: house.length(&LogName::effects()),
                    of: house.length(&delivery.log),
                    secrets: webhook.secrets(now).into_iter().map(|sealed| sealed.ciphertext.to_string()).collect(),
                    body,
                    answered: heard.as_ref().map(status),
                });
                heard.map_or(Came::Nothing, Came::Answered)
            }
        };
        day.flights.push(Flight { node, life: house.life(node), webhook, delivery, came });
        if fails(day, node) {
            return;
        }
    }
    let (later, now): (Vec<_>, Vec<_>) =
        std::mem::take(&mut day.flights).into_iter().partition(|_| !day.evening && day.dice.percent(25));
    day.flights = later;
    now.into_iter().for_each(|flight| record(day, flight));
}

fn fails(day: &mut Day, node: usize) -> bool {
    let fails = !day.evening && day.dice.percent(1);
    if fails {
        day.house.crash(node);
    }
    fails
}

fn record(day: &mut Day, flight: Flight) {
    let Flight { node, life, webhook, delivery, came } = flight;
    let house = day.house.clone();
    // Whoever sent it is no more.
    let Some((_, board)) = house.hooks(node).filter(|_| house.life(node) == life) else { return };
    let now = house.now(node);
    let (jitter, entropy) = (day.dice.word(), Entropy(day.dice.bytes()));
    let order = told::record(&webhook, &delivery, came, jitter, entropy);
    match house.give(node, &LogName::effects(), vec![(order, now)]).and_then(|mut answers| answers.pop()) {
        None => return,
        Some(Answer::Done(_) | Answer::Replayed { .. } | Answer::Refused(_)) => {}
        Some(Answer::Unavailable(_)) => board.put_back(delivery.id, now + PUT_BACK),
    }
    board.is_back(webhook.provider);
}

/// What a receiver answers, by its address. `None`: it answers nothing in time.
fn answer(day: &mut Day, webhook: &WebhookRow) -> Option<Answered> {
    let plain = |status| Some(Answered { status, retry_after: None });
    let dice = &mut day.dice;
    let temper = webhook.url.rsplit('/').next().unwrap_or_default();
    match temper {
        "down" => plain(503).filter(|_| dice.percent(50)),
        "gone" if dice.percent(25) => plain(410),
        "moody" if dice.percent(50) => match dice.throw(5) {
            0 => plain(500),
            1 => plain(302),
            2 => None,
            _ => Some(Answered { status: 429, retry_after: Some(Span::seconds(dice.between(0, 200_000))) }),
        },
        _ => plain(dice.one(&[200, 202, 204])),
    }
}

/// What a node's live view knows; a day's inquiries stay in memory.
struct Seen<'a>(&'a Live);

impl Facts for Seen<'_> {
    fn auction(&self, id: AuctionId) -> Option<AuctionFacts> {
        let row = self.0.auction(id)?;
        Some(AuctionFacts { format: row.rules.format, open: row.state == AuctionState::Open })
    }
    fn inquiry(&self, id: InquiryId) -> Option<InquiryFacts> {
        let row = self.0.inquiry(id)?;
        Some(InquiryFacts { provider: row.provider, customer: row.customer })
    }
    /// It only hides from agents.
    fn is_engaged(&self, _: InquiryId, _: AgentId) -> bool {
        false
    }
    fn provider_of(&self, offer: OfferId) -> Option<ProviderId> {
        self.0.offer(offer).map(|row| row.provider)
    }
}

/// Sealed anew, as every secret is.
fn secret(dice: &mut Dice, webhook: WebhookId) -> Sealed {
    Sealed { ciphertext: format!("{:016x}", dice.word()).into(), subject: webhook.into() }
}

fn created(dice: &mut Dice, provider: ProviderId, types: Vec<String>) -> Command {
    let webhook = fresh(dice);
    let url =
        format!("https://bank.example/{}", dice.one(&["fine", "fine", "moody", "moody", "moody", "gone", "down"]));
    Command::CreateWebhook { webhook, provider, url, types, secret: secret(dice, webhook) }
}

pub fn create(dice: &mut Dice, known: &Known) -> Option<Deed> {
    let provider = dice.pick(&known.providers)?;
    // Seldom all of them: they are most of a day.
    let count = if dice.percent(4) { 0 } else { 1 + dice.throw(4) };
    let types = (0..count).map(|_| dice.one(store::stored::TYPES).to_owned()).collect();
    let actor = if dice.percent(20) { operator() } else { Actor::Provider(provider) };
    Some((LogName::effects(), actor, created(dice, provider, types)))
}

/// Each request for a webhook makes one of its own.
pub fn another(dice: &mut Dice, command: &mut Command) {
    if let Command::CreateWebhook { webhook, .. } = command {
        *webhook = fresh(dice);
    }
}
fn fresh(dice: &mut Dice) -> WebhookId {
    WebhookId(u128::from(dice.word()) << 48 | u128::from(dice.word() >> 16))
}

/// Of nobody, who is told of nothing.
pub fn of_nothing(dice: &mut Dice) -> Command {
    created(dice, ProviderId(0), vec!["nothing".to_owned()])
}

pub fn create_webhook(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    create(dice, known)
}
pub fn rotate_secret(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let (webhook, provider) = dice.pick(&known.webhooks)?;
    let secret = secret(dice, webhook);
    Some((LogName::effects(), Actor::Provider(provider), Command::RotateWebhookSecret { webhook, secret }))
}
pub fn delete_webhook(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let (webhook, provider) = dice.pick(&known.webhooks)?;
    Some((LogName::effects(), Actor::Provider(provider), Command::DeleteWebhook { webhook }))
}
pub fn redeliver(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let (delivery, webhook) = dice.pick(&known.deliveries)?;
    let provider = known.webhooks.iter().find(|one| one.0 == webhook)?.1;
    Some((LogName::effects(), Actor::Provider(provider), Command::RedeliverWebhook { webhook, delivery }))
}
