//! What an event of `community` asks of a call server's writer: acceptances, call servers, credit limits, erasures. And
//! back: what the end of an inquiry asks of `community`, where its offer has limits. And what money that moves asks of
//! `treasury`.
//!
//! It promises: the same event asks the same of the same log, whoever reads it and however often; the order names its
//! source, so that the call server's state can refuse a repeat.
//!
//! Not here: reading `community`, how far one has come, and what an answer means (`api`).

use crate::chain::event_id;
use crate::raw::Hex;
use crate::recorded::{CommandId, Recorded};
use crate::writer::order::{Entropy, Order};
use domain::actor::Actor;
use domain::command::Command;
use domain::event::Event;
use domain::event::community::{CallServerEvent, CreditLimit, LiftedLimit, OfferEvent, ProviderEvent, SourcePosition};
use domain::event::customer::CustomerEvent;
use domain::event::inquiry::{Freed, InquiryEvent};
use domain::fees::FeeRule;
use domain::ids::{EventId, InquiryId};
use domain::log::LogName;

/// The order that an event of `community` makes for a call server; `None`: it asks nothing of it. Randomness is drawn
/// for an order alone.
pub fn order_for(source: &Recorded, log: &LogName, draw: impl FnOnce() -> Entropy) -> Option<Order> {
    Some(Order {
        command: command_for(source, log)?,
        actor: Actor::System,
        id: source.correlation,
        key: None,
        causation: Some(source.id),
        source: Some(position(source)),
        trace: source.trace.clone(),
        entropy: draw(),
    })
}

/// The order that an event of a call server makes for `community`; `None`: it asks nothing of it.
pub fn order_back(source: &Recorded, draw: impl FnOnce() -> Entropy) -> Option<Order> {
    let (inquiry, freed) = ended(&source.event)?;
    Some(Order {
        command: Command::FreePlace { inquiry, spent: freed.spent, source: position(source) },
        actor: Actor::System,
        // One command of `community` may end inquiries on several call servers: each end asks with an id of its own.
        id: CommandId(source.id.0),
        key: None,
        causation: Some(source.id),
        source: Some(position(source)),
        trace: source.trace.clone(),
        entropy: draw(),
    })
}

/// The order that an event of a call server makes for the books; `None`: it moves no money.
pub fn order_to_post(source: &Recorded, draw: impl FnOnce() -> Entropy) -> Option<Order> {
    let legs = source.event.legs()?.to_vec();
    let about = source.event.subjects().iter().next()?;
    Some(Order {
        command: Command::PostEntry { about, at: source.time, legs, source: position(source) },
        actor: Actor::System,
        // One command may move money several times: each is an entry with an id of its own.
        id: CommandId(source.id.0),
        key: None,
        causation: Some(source.id),
        source: Some(position(source)),
        trace: source.trace.clone(),
        entropy: draw(),
    })
}

/// The order that a fee rule makes for a call server. `source`: the event of `treasury` that set it.
pub fn order_to_take(rule: FeeRule, source: SourcePosition, entropy: Entropy) -> Order {
    let event = Hex::read(&source.hash).map(|hash| event_id(&hash));
    Order {
        command: Command::TakeFeeRule { rule, source: source.clone() },
        actor: Actor::System,
        id: event.map_or_else(|| entropy.command_id(), CommandId),
        key: None,
        causation: event.map(EventId),
        source: Some(source),
        trace: None,
        entropy,
    }
}

/// Whether an event ends an inquiry whose offer has limits.
pub fn frees_a_place(event: &Event) -> bool {
    ended(event).is_some()
}

fn ended(event: &Event) -> Option<(InquiryId, Freed)> {
    match event {
        Event::Inquiry(InquiryEvent::Withdrawn(e)) => Some((e.inquiry, e.freed?)),
        Event::Inquiry(InquiryEvent::PlaceLost(e)) => Some((e.inquiry, e.freed?)),
        Event::Inquiry(InquiryEvent::Expired(e)) => Some((e.inquiry, e.freed?)),
        Event::Inquiry(InquiryEvent::Completed(e)) => Some((e.inquiry, e.freed?)),
        Event::Inquiry(
            InquiryEvent::Registered(_)
            | InquiryEvent::InformationRequested(_)
            | InquiryEvent::InformationAnswered(_)
            | InquiryEvent::SelectionMade(_)
            | InquiryEvent::Requeued(_)
            | InquiryEvent::Began(_)
            | InquiryEvent::PutOff(_)
            | InquiryEvent::Relaxed(_)
            | InquiryEvent::PreferenceEnded(_)
            | InquiryEvent::Resumed(_)
            | InquiryEvent::PlaceKept(_)
            | InquiryEvent::Moved(_)
            | InquiryEvent::TopicsConfirmed(_),
        )
        | Event::Provider(_)
        | Event::Offer(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Auction(_)
        | Event::Agent(_)
        | Event::Wallet(_)
        | Event::Reservation(_)
        | Event::Session(_)
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => None,
    }
}

fn position(source: &Recorded) -> SourcePosition {
    SourcePosition { hash: Hex(&source.raw.hash).to_string(), log: source.log.clone(), seq: source.seq }
}

/// What an event of `community` asks of a call server; `None`: nothing.
fn command_for(source: &Recorded, log: &LogName) -> Option<Command> {
    let grant = |provider, limits: &[CreditLimit], lifted: &[LiftedLimit]| {
        let limits: Vec<_> = limits.iter().filter(|limit| limit.call_server == *log).map(|limit| limit.limit).collect();
        let lifted: Vec<_> =
            lifted.iter().filter(|limit| limit.call_server == *log).map(|limit| limit.currency).collect();
        let is_ours = !limits.is_empty() || !lifted.is_empty();
        is_ours.then(|| Command::GrantCreditLimits { provider, limits, lifted, source: position(source) })
    };
    match &source.event {
        Event::Offer(OfferEvent::Accepted(accepted)) => {
            (accepted.call_server == *log).then(|| Command::RegisterInquiry {
                acceptance: accepted.clone(),
                accepted_at: source.time,
                source: position(source),
            })
        }
        Event::CallServer(CallServerEvent::Opened(opened)) => (opened.name == *log).then(|| Command::StartCallServer {
            call_server: opened.call_server,
            name: opened.name.clone(),
            locations: opened.locations.clone(),
            source: position(source),
        }),
        Event::CallServer(CallServerEvent::Updated(updated)) if updated.name == *log => {
            updated.locations.as_ref().map(|locations| Command::StartCallServer {
                call_server: updated.call_server,
                name: updated.name.clone(),
                locations: locations.clone(),
                source: position(source),
            })
        }
        // Each call server knows itself whether anything of it is open there.
        Event::Customer(CustomerEvent::Erased(erased)) => {
            Some(Command::ForgetCustomer { customer: erased.customer, source: position(source) })
        }
        Event::Provider(ProviderEvent::Registered(registered)) => {
            grant(registered.provider, &registered.credit_limits, &[])
        }
        Event::Provider(ProviderEvent::Updated(updated)) => {
            grant(updated.provider, updated.credit_limits.as_deref().unwrap_or_default(), &updated.limits_lifted)
        }
        Event::Offer(
            OfferEvent::Published(_)
            | OfferEvent::Revised(_)
            | OfferEvent::Paused(_)
            | OfferEvent::Resumed(_)
            | OfferEvent::Retired(_)
            | OfferEvent::PlaceFreed(_),
        )
        | Event::CallServer(
            CallServerEvent::Updated(_)
            | CallServerEvent::Started(_)
            | CallServerEvent::CreditLimitGranted(_)
            | CallServerEvent::TrafficReported(_)
            | CallServerEvent::TrafficExpired(_),
        )
        // Nothing is accepted of whom a provider blocks, and so nothing comes here.
        | Event::Provider(ProviderEvent::CustomerBlocked(_) | ProviderEvent::CustomerUnblocked(_))
        | Event::Customer(CustomerEvent::Forgotten(_))
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Auction(_)
        | Event::Agent(_)
        | Event::Wallet(_)
        | Event::Reservation(_)
        | Event::Session(_)
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => None,
    }
}
