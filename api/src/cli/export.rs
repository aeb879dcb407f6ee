//! `callmarket export customer`: what the house holds of a customer, in clear, as one JSON document.
//!
//! Promises: the same bytes from the same logs and vault, whoever asks and how often, beside a running server or
//! without one; members stand in order of their names, lists in order of time. Of an erased customer it says so, and what
//! was sealed is null.
//!
//! What agents write to each other about the customer is about it, too: messages of SIDE channels and notes to whom takes
//! over, each with its author's id. Not here: what is others' own: bids, money, names, why an agent declined (sealed with
//! the agent's key), whom an agent keeps away from (ADR 42).

use super::{Failure, Found, Misuse, Place, journal};
use crate::graphql::scalars::DateTime;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use clap::{Args, Subcommand};
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::event::community::{OfferAccepted, OfferEvent, ProviderEvent};
use domain::event::customer::CustomerEvent;
use domain::event::inquiry::InquiryEvent;
use domain::event::reservation::{ReservationEvent, ReservationOpened};
use domain::event::session::SessionEvent;
use domain::ids::{CustomerId, ProviderId};
use domain::sealed::Sealed;
use domain::time::Timestamp;
use domain::why::Why;
use projections::history::History;
use serde_json::{Value, json};
use std::sync::Arc;
use store::recorded::Recorded;
use store::sqlite::SqliteStore;
use store::vault::{Vault, VaultError};

#[derive(Subcommand)]
pub(crate) enum Export {
    /// Everything that the house holds of a customer, in clear, as one JSON document
    Customer(Customer),
    /// The books, as hledger and ledger, beancount or a spreadsheet read them
    Journal(journal::Journal),
}

#[derive(Args)]
pub(crate) struct Customer {
    #[command(flatten)]
    place: Place,
    /// Whose data: cus_…
    #[arg(long)]
    customer: String,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

impl Export {
    pub(crate) fn run(self) -> Result<Found, Failure> {
        match self {
            Export::Customer(customer) => customer.run(),
            Export::Journal(journal) => journal.run(),
        }
    }
}

impl Customer {
    fn run(self) -> Result<Found, Failure> {
        let id: CustomerId =
            self.customer.parse().map_err(|_| Misuse(format!("--customer {}: not a cus_… id", self.customer)))?;
        let folder = self.place.beside()?;
        let store = SqliteStore::open(&folder)?;
        // What it has not folded, or where there is none, is read from the logs.
        let history = match folder.history().exists() {
            true => History::open_read_only(&folder.history())?,
            false => History::open_in_memory()?,
        };
        let vault = Vault::open(&folder)?;
        let about = history.events_of(&store, id.into())?;
        let accepted: Vec<&Arc<Recorded>> = about.iter().filter(|event| acceptance(event).is_some()).collect();
        let Some(first) = accepted.first() else {
            return Err(format!("{id}: this house knows no such customer").into());
        };
        let erased_at = about.iter().find(|event| matches!(event.event, Event::Customer(CustomerEvent::Erased(_))));
        let erased_at = erased_at.map(|event| event.time);
        if let Some(at) = erased_at {
            eprintln!("callmarket: {id} was erased at {}", DateTime(at));
        }
        // The key may be there still, if the house ended before it was deleted.
        let vault = Some(&vault).filter(|_| erased_at.is_none());
        let mut profile = Value::Null;
        let mut inquiries = Vec::new();
        for event in &accepted {
            let Some(e) = acceptance(event) else { continue };
            let events = history.events_of(&store, e.inquiry.into())?;
            if e.profile.is_some() {
                profile = object(vault, e.profile.as_ref())?;
            }
            inquiries.push(inquiry(vault, event.time, e, &events)?);
        }
        let document = json!({
            "blocks": blocks(&about), "customer": id.to_string(), "erasedAt": erased_at.map(shown), "inquiries": inquiries, "profile": profile,
            "since": shown(first.time),
        });
        println!("{}", if self.json { document.to_string() } else { format!("{document:#}") });
        Ok(Found::Nothing)
    }
}

fn acceptance(event: &Recorded) -> Option<&OfferAccepted> {
    match &event.event {
        Event::Offer(OfferEvent::Accepted(e)) => Some(e),
        _ => None,
    }
}

fn shown(at: Timestamp) -> Value {
    DateTime(at).to_string().into()
}

/// What was sealed, as the JSON that it is, or as text; null where its key is gone.
fn opened(vault: Option<&Vault>, sealed: Option<&Sealed>) -> Result<Value, VaultError> {
    let (Some(vault), Some(sealed)) = (vault, sealed) else { return Ok(Value::Null) };
    let name = sealed.subject.to_string();
    let Some(key) = vault.existing(&name)? else { return Ok(Value::Null) };
    let bytes = BASE64.decode(&*sealed.ciphertext).ok().and_then(|bytes| key.open(name.as_bytes(), &bytes).ok());
    let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else { return Ok(Value::Null) };
    Ok(text.into())
}

/// Which providers have taken no inquiries of the customer's, and since when or until when.
fn blocks(about: &[Arc<Recorded>]) -> Vec<Value> {
    let block = |event: &Arc<Recorded>| match &event.event {
        Event::Provider(ProviderEvent::CustomerBlocked(e)) => Some((e.provider, true, event.time)),
        Event::Provider(ProviderEvent::CustomerUnblocked(e)) => Some((e.provider, false, event.time)),
        _ => None,
    };
    let shown = |(provider, blocked, at): (ProviderId, bool, Timestamp)| json!({ "at": shown(at), "blocked": blocked, "provider": provider.to_string() });
    about.iter().filter_map(block).map(shown).collect()
}

/// What whoever asked another agent in wrote to it.
fn hand_over(vault: Option<&Vault>, at: Timestamp, asking: &ReservationOpened) -> Result<Option<Value>, VaultError> {
    let Some(asked) = &asking.invitation else { return Ok(None) };
    let Some(note) = &asked.note else { return Ok(None) };
    Ok(Some(json!({
        "agent": asked.by.to_string(), "at": shown(at), "purpose": asking.purpose, "text": opened(vault, Some(note))?,
        "to": asking.agent.to_string(),
    })))
}

/// One sealed JSON object.
fn object(vault: Option<&Vault>, sealed: Option<&Sealed>) -> Result<Value, VaultError> {
    let text = opened(vault, sealed)?;
    Ok(text.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null))
}

fn inquiry(
    vault: Option<&Vault>,
    at: Timestamp,
    e: &OfferAccepted,
    events: &[Arc<Recorded>],
) -> Result<Value, VaultError> {
    let content = match &e.content {
        None => Value::Null,
        Some(content) => json!({
            "origin": content.origin, "page": object(vault, Some(&content.page))?, "placement": content.placement,
        }),
    };
    let question = object(vault, e.question.as_ref())?;
    let consent = match (&e.terms.terms, &e.terms_version) {
        (Some(terms), Some(version)) => json!({ "at": shown(at), "url": terms.url, "version": version }),
        _ => Value::Null,
    };
    let mut decisions = vec![decision("CALL_SERVER", at, &e.why)];
    if let Some(classified) = &e.classified {
        let (model, rule) = (&classified.model, &classified.rule);
        let chosen = classified.chosen.to_string();
        decisions.push(json!({ "at": shown(at), "chosen": chosen, "kind": "TOPICS", "model": model, "rule": rule }));
    }
    let (mut messages, mut notes, mut records, mut withdrawals) = (vec![], vec![], vec![], vec![]);
    let mut hand_overs = vec![];
    let mut happened = Vec::new();
    for event in events {
        let at = event.time;
        match &event.event {
            Event::Inquiry(InquiryEvent::SelectionMade(made)) => decisions.push(decision("SELECTION", at, &made.why)),
            Event::Auction(AuctionEvent::Awarded(made)) => decisions.push(decision("AWARD", at, &made.why)),
            Event::Session(SessionEvent::MessageSent(said)) => messages.push(json!({
                "agent": said.agent.map(|agent| agent.to_string()), "at": shown(at), "author": said.author,
                "channel": if said.side { "SIDE" } else { "MAIN" }, "text": opened(vault, Some(&said.text))?,
            })),
            Event::Reservation(ReservationEvent::Opened(asked)) => hand_overs.extend(hand_over(vault, at, asked)?),
            Event::Session(SessionEvent::NotesSaved(saved)) => notes.push(json!({
                "agent": saved.agent.to_string(), "at": shown(at), "text": opened(vault, Some(&saved.notes))?,
            })),
            Event::Session(SessionEvent::WrapUpCompleted(saved)) if saved.information.is_some() => {
                records.push(json!({
                    "agent": saved.agent.to_string(), "at": shown(at),
                    "saved": object(vault, saved.information.as_ref())?,
                }));
            }
            Event::Inquiry(InquiryEvent::Withdrawn(gone)) => {
                withdrawals.push(json!({ "at": shown(at), "reason": opened(vault, gone.reason.as_ref())? }));
            }
            Event::Inquiry(
                InquiryEvent::Registered(_)
                | InquiryEvent::InformationRequested(_)
                | InquiryEvent::InformationAnswered(_)
                | InquiryEvent::Began(_)
                | InquiryEvent::PutOff(_)
                | InquiryEvent::Requeued(_)
                | InquiryEvent::Resumed(_)
                | InquiryEvent::PlaceKept(_)
                | InquiryEvent::PlaceLost(_)
                | InquiryEvent::Expired(_)
                | InquiryEvent::Completed(_)
                | InquiryEvent::TopicsConfirmed(_)
                | InquiryEvent::Moved(_)
                | InquiryEvent::Relaxed(_)
                | InquiryEvent::PreferenceEnded(_),
            )
            | Event::Auction(_)
            | Event::Session(
                SessionEvent::Opened(_)
                | SessionEvent::WrapUpCompleted(_)
                | SessionEvent::Ended(_)
                | SessionEvent::WrapUpExtended(_)
                | SessionEvent::AgentJoined(_)
                | SessionEvent::AgentLeft(_)
                | SessionEvent::ChannelOpened(_)
                | SessionEvent::ChannelConnected(_)
                | SessionEvent::ChannelClosed(_)
                | SessionEvent::Kept(_),
            )
            | Event::Provider(_)
            | Event::Offer(_)
            | Event::CallServer(_)
            | Event::Customer(_)
            | Event::Queue(_)
            | Event::Agent(_)
            | Event::Wallet(_)
            | Event::Reservation(_)
            | Event::Settlement(_)
            | Event::Webhook(_)
            | Event::Journal(_) => {}
        }
        if is_of_its_way(&event.event) {
            happened.push(json!({ "at": shown(at), "type": event.type_name }));
        }
    }
    Ok(json!({
        "acceptedAt": shown(at), "callServer": e.call_server.as_str(), "channel": e.channel, "consent": consent,
        "content": content, "decisions": decisions, "events": happened, "handOvers": hand_overs, "id": e.inquiry.to_string(),
        "initiator": e.initiator, "language": e.language, "lastAgent": e.last_agent.map(|agent| agent.to_string()),
        "link": e.link.map(|link| link.to_string()), "messages": messages, "notes": notes,
        "offer": { "id": e.offer.to_string(), "provider": e.provider.to_string(), "revision": e.revision, "title": e.terms.title },
        "profile": object(vault, e.profile.as_ref())?, "provenBy": e.proven_by, "question": question["question"],
        "records": records, "startedBy": e.started_by.map(|agent| agent.to_string()), "topics": e.topics, "withdrawals": withdrawals,
    }))
}

fn decision(kind: &str, at: Timestamp, why: &Why) -> Value {
    let chosen = why.chosen.map(|subject| subject.to_string());
    json!({ "at": shown(at), "chosen": chosen, "kind": kind, "rule": why.rule })
}

/// What became of the inquiry, as against what others did about it.
fn is_of_its_way(event: &Event) -> bool {
    match event {
        Event::Inquiry(event) => !matches!(event, InquiryEvent::SelectionMade(_) | InquiryEvent::TopicsConfirmed(_)),
        Event::Reservation(event) => matches!(event, ReservationEvent::Accepted(_)),
        Event::Session(event) => matches!(event, SessionEvent::Opened(_) | SessionEvent::Ended(_)),
        _ => false,
    }
}
