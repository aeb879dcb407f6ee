//! What is asked of `community`: providers and their offers, call servers, and customers who accept.

use crate::deeds::{Deed, operator, sealed};
use crate::dice::Dice;
use crate::house::log;
use crate::known::Known;
use crate::menu::{self, grid, topic};
use domain::actor::Actor;
use domain::command::{Acceptance, Command, Content, OfferChange};
use domain::event::community::{Classified, CreditLimit, Curve, CustomerKey, Location, TopicScore};
use domain::event::inquiry::InformationOutcome;
use domain::event::wallet::Party;
use domain::ids::{AgentId, CustomerId, ProviderId};
use domain::log::LogName;
use domain::patch::Patch;
use domain::terms::{Initiator, OfferTerms};
use domain::time::Span;
use rust_decimal::Decimal;

pub fn accept_offer(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let offer = dice.recent(&known.offers)?;
    let link = if dice.percent(60) { dice.pick(&offer.terms.links).map(|link| link.id) } else { None };
    let question = link.is_none() && (offer.terms.accepts_questions || dice.percent(15)) || dice.percent(10);
    let mut customer = CustomerId(dice.between(1, 9) as u128);
    // Where somebody is erased somebody else comes, mostly.
    while known.erased.contains(&customer) && dice.percent(90) {
        customer.0 += 10;
    }
    let topics = match dice.throw(6) {
        0 => vec![topic(dice.one(&["cards", "loans/home", "travel"]))],
        1 => vec![topic("cards/lost"), topic("loans")],
        _ => vec![],
    };
    let channel = dice.one(&offer.terms.channels);
    let acceptance = Acceptance {
        offer: offer.id,
        offer_revision: if dice.percent(20) { Some(offer.revision) } else { None },
        link,
        known_topics: topics.clone(),
        topics,
        question: question.then(|| sealed(customer)),
        classified: (question && dice.percent(70)).then(|| classified(dice)),
        content: if dice.percent(20) {
            let origin = dice.one(&["https://bank.example", "https://community.example", "https://else.example"]);
            Some(Content { origin: origin.to_owned(), page: sealed(customer), direct: dice.percent(30) })
        } else {
            None
        },
        channel,
        initiator: if dice.percent(97) { Initiator::Customer } else { Initiator::ContactCenter },
        language: dice.one(&[None, Some("en".to_owned()), Some("de".to_owned())]),
        customer,
        information: match dice.throw(10) {
            0 => InformationOutcome::Unavailable,
            1..=5 => InformationOutcome::New,
            _ => InformationOutcome::Found,
        },
        last_agents: last_agents(dice),
        proven_by: dice.one(&[None, None, None, Some("print 0".to_owned()), Some("print 1".to_owned())]),
        profile: dice.percent(30).then(|| sealed(customer)),
        terms_version: None,
        waiting: vec![(log("main"), dice.between(0, 5) as u64), (log("east"), dice.between(0, 5) as u64)],
        community_origins: vec!["https://community.example".to_owned()],
    };
    if dice.percent(6) {
        // The contact centre turns to somebody.
        let topics = vec![topic(dice.one(&["cards", "loans"]))];
        let start = Acceptance {
            link: None,
            content: None,
            classified: None,
            known_topics: topics.clone(),
            topics,
            ..acceptance
        };
        let start = Acceptance { initiator: Initiator::ContactCenter, ..start };
        let agent = AgentId(dice.one(&[1, 2, 3, 21]));
        let actor = if dice.percent(30) { operator() } else { Actor::Agent(agent) };
        return Some((LogName::community(), actor, Command::StartInquiry(Box::new(start))));
    }
    let actor = if dice.percent(50) { Actor::Anonymous } else { Actor::Customer(customer) };
    Some((LogName::community(), actor, Command::AcceptOffer(Box::new(acceptance))))
}

/// An offer that a crowd accepts at once, each about as much as can be: more stands in those queues than one decision
/// moves. `None`: it is published first.
pub fn crowd(dice: &mut Dice, known: &Known, customer: Option<CustomerId>) -> Option<Deed> {
    let Some(customer) = customer else {
        let terms = OfferTerms { max_wait: Span::minutes(60), hours: None, ..menu::terms(dice) };
        let terms = OfferTerms { max_open: None, daily_budget: None, relaxation: vec![], ..terms };
        let provider = *known.providers.last()?;
        return Some((
            LogName::community(),
            Actor::Provider(provider),
            Command::PublishOffer { provider, terms, links: vec![] },
        ));
    };
    let offer = known.offers.last()?;
    let topics: Vec<_> = (0..50).map(|number| topic(&format!("many/{number}"))).collect();
    let acceptance = Acceptance {
        offer: offer.id,
        offer_revision: None,
        link: None,
        known_topics: topics.clone(),
        topics,
        question: offer.terms.accepts_questions.then(|| sealed(customer)),
        classified: None,
        content: None,
        channel: offer.terms.channels[0],
        initiator: Initiator::Customer,
        language: None,
        customer,
        information: InformationOutcome::New,
        last_agents: vec![],
        proven_by: None,
        profile: None,
        terms_version: None,
        waiting: vec![],
        community_origins: vec![],
    };
    Some((LogName::community(), Actor::Customer(customer), Command::AcceptOffer(Box::new(acceptance))))
}

/// Whom the edge might find: somebody of each call server, or nobody, or who is registered nowhere.
fn last_agents(dice: &mut Dice) -> Vec<(LogName, AgentId)> {
    let all = [(log("main"), [1, 2, 3, 99]), (log("east"), [21, 22, 1, 99])];
    let found = all.into_iter().filter_map(|(log, agents)| Some((dice.percent(70).then_some(log)?, agents)));
    let found: Vec<_> = found.collect();
    found.into_iter().map(|(log, agents)| (log, AgentId(dice.one(&agents)))).collect()
}

/// What a classifier might find, published or not.
fn classified(dice: &mut Dice) -> Classified {
    let chosen = topic(dice.one(&["cards/lost", "loans", "travel", "microwave", "general"]));
    let scores = vec![TopicScore { score: dice.between(0, 10_000) as u32, topic: chosen.clone() }];
    Classified { chosen, model: "none+0".to_owned(), rule: "model/1".to_owned(), scores }
}

/// Somebody who has an inquiry, mostly an open one; sometimes for the second time.
pub fn erase_customer(dice: &mut Dice, known: &Known, log: &LogName) -> Option<Deed> {
    let (_, customer) = dice.recent(&known.markets.get(log)?.inquiries)?;
    let reason = dice.percent(50).then(|| sealed(customer));
    Some((LogName::community(), operator(), Command::EraseCustomer { customer, reason }))
}

/// By a provider whose offer the customer has accepted.
pub fn block_customer(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let (provider, customer, inquiry) = dice.recent(&known.accepted)?;
    let actor = if dice.percent(80) { Actor::Provider(provider) } else { operator() };
    let command = Command::BlockCustomer { owner: Party::Provider(provider), customer, inquiry };
    Some((LogName::community(), actor, command))
}
pub fn unblock_customer(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let (provider, customer) = dice.pick(&known.blocked)?;
    let actor = if dice.percent(80) { Actor::Provider(provider) } else { operator() };
    let command = Command::UnblockCustomer { owner: Party::Provider(provider), customer };
    Some((LogName::community(), actor, command))
}

pub fn revise_offer(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let offer = dice.pick(&known.offers)?;
    let terms = menu::terms(dice);
    // Rings fit their own wait.
    let waits = dice.percent(50);
    let change = OfferChange {
        allocation: dice.percent(50).then_some(terms.allocation),
        consent_window: dice.percent(50).then_some(terms.consent_window),
        max_wait: waits.then_some(terms.max_wait),
        relaxation: waits.then_some(terms.relaxation),
        priority: dice.percent(30).then_some(terms.priority),
        prefer_last_agent_for: waits.then_some(terms.prefer_last_agent_for),
        wrap_up: match dice.throw(3) {
            0 => terms.wrap_up.map_or(Patch::Keep, Patch::Set),
            1 => Patch::Clear,
            _ => Patch::Keep,
        },
        links: if dice.percent(30) { Some(menu::links(dice)) } else { None },
        max_open: match dice.throw(5) {
            0 => Patch::Set(dice.between(1, 4) as u32),
            1 => Patch::Clear,
            _ => Patch::Keep,
        },
        daily_budget: if dice.percent(60) { Patch::Clear } else { terms.daily_budget.map_or(Patch::Keep, Patch::Set) },
        ..OfferChange::default()
    };
    let expected_revision = if dice.percent(90) { offer.revision } else { offer.revision + 1 };
    let command = Command::ReviseOffer { offer: offer.id, expected_revision, change };
    Some((LogName::community(), Actor::Provider(offer.provider), command))
}
/// Mostly for a short while.
pub fn pause_offer(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let offer = dice.pick(&known.offers)?;
    Some((LogName::community(), Actor::Provider(offer.provider), Command::PauseOffer { offer: offer.id }))
}
pub fn resume_offer(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let offer = dice.pick(&known.paused)?;
    let provider = known.offers.iter().find(|one| one.id == offer)?.provider;
    Some((LogName::community(), Actor::Provider(provider), Command::ResumeOffer { offer }))
}
pub fn retire_offer(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    // Not the last two, or the day would be over.
    let (keep, offers) = (2, &known.offers);
    let offer = if offers.len() > keep && dice.percent(30) { offers.first()?.clone() } else { return None };
    Some((LogName::community(), Actor::Provider(offer.provider), Command::RetireOffer { offer: offer.id }))
}
pub fn update_provider(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let provider = dice.pick(&known.providers)?;
    let command = Command::UpdateProvider {
        provider,
        name: dice.percent(30).then(|| "Bank & Co".to_owned()),
        homepage: dice.one(&[Patch::Keep, Patch::Clear]),
        origins: dice.percent(30).then(|| vec!["https://bank.example".to_owned()]),
        // Mostly back at once.
        suspended: if dice.percent(40) { Some(dice.percent(15)) } else { None },
        credit_limits: None,
        customer_keys: dice.percent(20).then(|| keys(dice)),
    };
    Some((LogName::community(), operator(), command))
}
pub fn limit_provider(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let provider = dice.pick(&known.providers)?;
    let limits = limits(dice);
    let command = Command::UpdateProvider {
        provider,
        name: None,
        homepage: Patch::Keep,
        origins: None,
        suspended: None,
        credit_limits: Some(limits),
        customer_keys: None,
    };
    Some((LogName::community(), operator(), command))
}
pub fn limits(dice: &mut Dice) -> Vec<CreditLimit> {
    let mut limits: Vec<CreditLimit> = vec![];
    for _ in 0..1 + dice.throw(3) {
        let call_server = log(dice.one(&["main", "east"]));
        let limit = grid(dice.between(0, 80), menu::currency(dice));
        let same = |one: &CreditLimit| one.call_server == call_server && one.limit.currency() == limit.currency();
        if !limits.iter().any(same) {
            limits.push(CreditLimit { call_server, limit });
        }
    }
    limits
}
pub fn register_provider(dice: &mut Dice, _: &Known, _: &LogName) -> Option<Deed> {
    Some((LogName::community(), operator(), provider(dice, false)))
}
pub fn provider(dice: &mut Dice, limited: bool) -> Command {
    Command::RegisterProvider {
        name: "Bank".to_owned(),
        homepage: Some("https://bank.example/".to_owned()),
        origins: vec!["https://bank.example".to_owned()],
        credit_limits: if limited { limits(dice) } else { vec![] },
        customer_keys: keys(dice),
    }
}
fn keys(dice: &mut Dice) -> Vec<CustomerKey> {
    let drawn: Vec<usize> = (0..2).filter(|_| dice.percent(70)).collect();
    // So a name is given to another key now and then.
    let names = if drawn.len() == 2 { ["2026", "2025"] } else { ["2025", "2026"] };
    let key = |at: usize| CustomerKey {
        curve: Curve::Ed25519,
        kid: names[at].to_owned(),
        thumbprint: format!("print {at}"),
        x: "eA".to_owned(),
        y: None,
    };
    drawn.into_iter().map(key).collect()
}
pub fn publish_offer(dice: &mut Dice, known: &Known, _: &LogName) -> Option<Deed> {
    let provider = dice.pick(&known.providers)?;
    Some(publish(dice, provider))
}
pub fn publish(dice: &mut Dice, provider: ProviderId) -> Deed {
    let (terms, links) = (menu::terms(dice), menu::links(dice));
    (LogName::community(), Actor::Provider(provider), Command::PublishOffer { provider, terms, links })
}
pub fn update_call_server(dice: &mut Dice, _: &Known, log: &LogName) -> Option<Deed> {
    let command = Command::UpdateCallServer {
        name: log.clone(),
        default: dice.percent(30).then_some(true),
        topics: None,
        languages: dice.percent(40).then(|| vec![dice.one(&["en", "de"]).to_owned()]),
        locations: dice.percent(60).then(|| vec![location(dice)]),
    };
    Some((LogName::community(), operator(), command))
}
pub fn location(dice: &mut Dice) -> Location {
    // Linz has no limits.
    let name = dice.one(&["Graz", "Graz", "Linz"]).to_owned();
    if name == "Linz" {
        return Location { name, ..Location::default() };
    }
    let limit = dice.percent(70).then(|| Decimal::from(dice.between(8, 14)));
    let session_limit = dice.percent(50).then(|| dice.between(2, 6) as u32);
    Location { limit, name, session_limit, traffic_unit: limit.map(|_| "Mbit/s".to_owned()) }
}
/// Both stand already, and the house's own names cannot be taken.
pub fn open_call_server(dice: &mut Dice, _: &Known, log: &LogName) -> Option<Deed> {
    let name = if dice.percent(50) { log.clone() } else { LogName::community() };
    let command = Command::OpenCallServer { name, topics: vec![], languages: vec![], locations: vec![] };
    Some((LogName::community(), operator(), command))
}
