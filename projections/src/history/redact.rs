//! What is hidden inside an event that a viewer may see. Hidden places become null and are named.
//!
//! By form, wherever it stands, so that an event to come is covered before anybody thinks of it: sealed
//! personal data, a hidden reserve, and an offer's limits. By event: what PROXY bidders would pay at most, a sealed bidder's
//! number, and rivals in the record of a choice.

use super::visibility::{Facts, Seen};
use domain::actor::Actor;
use domain::event::Event;
use domain::event::auction::{AuctionEvent, BidPlaced, Standing};
use domain::event::community::OfferEvent;
use domain::event::inquiry::InquiryEvent;
use domain::event::reservation::ReservationEvent;
use domain::ids::{AuctionId, Subject};
use domain::terms::AuctionFormat;
use domain::why::Why;
use serde_json::Value;
use store::recorded::Recorded;

pub(super) fn redact(viewer: &Actor, event: &Recorded, facts: &dyn Facts) -> Seen {
    let mut data: Value = serde_json::from_slice(&event.raw.data).expect("an event that was read is JSON");
    let mut redacted = Vec::new();
    let shows_reserve = matches!(viewer, Actor::Operator(_) | Actor::Provider(_));
    by_form(&mut data, &mut String::new(), shows_reserve, &mut redacted);
    for path in by_event(viewer, &event.event, facts) {
        hide(&mut data, path, &mut redacted);
    }
    if redacted.is_empty() { Seen::Full } else { Seen::Partial { data, redacted } }
}

/// Sealed personal data for everybody: whoever may read it gets it opened elsewhere. A hidden reserve for
/// all who do not know it already (a provider sees no other's events).
fn by_form(value: &mut Value, path: &mut String, shows_reserve: bool, redacted: &mut Vec<String>) {
    let length = path.len();
    let step = |path: &mut String, name: &str| {
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
    };
    match value {
        Value::Object(members)
            if members.len() == 2 && members.contains_key("ciphertext") && members.contains_key("subject") =>
        {
            redacted.push(path.clone());
            *value = Value::Null;
        }
        Value::Object(members) => {
            let hides_reserve = !shows_reserve && members.get("reserve_hidden") == Some(&Value::Bool(true));
            for (name, member) in members {
                step(path, name);
                let hidden = hides_reserve && name == "reserve" || !shows_reserve && is_of_limits(name);
                if hidden {
                    redacted.push(path.clone());
                    *member = Value::Null;
                } else {
                    by_form(member, path, shows_reserve, redacted);
                }
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                step(path, &at.to_string());
                by_form(item, path, shows_reserve, redacted);
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a provider bounds of its offer, and what became of it, is between it and the operators.
fn is_of_limits(member: &str) -> bool {
    matches!(member, "max_open" | "daily_budget" | "freed")
}

/// The places that this event hides from this viewer.
fn by_event(viewer: &Actor, event: &Event, facts: &dyn Facts) -> Vec<String> {
    match event {
        Event::Auction(AuctionEvent::BidPlaced(e)) => bid_placed(viewer, e, facts),
        Event::Auction(AuctionEvent::Awarded(e)) => {
            let proxy = may_be_proxy(e.auction, facts);
            let mut paths = why(viewer, &e.why, proxy);
            // The price is public; a hold beyond it would tell the winner's maximum.
            if proxy && e.hold != e.price && *viewer != Actor::Agent(e.agent) {
                paths.push("hold".to_owned());
            }
            paths
        }
        Event::Inquiry(InquiryEvent::SelectionMade(e)) => why(viewer, &e.why, false),
        Event::Auction(AuctionEvent::Unsold(e)) => why(viewer, &e.why, may_be_proxy(e.auction, facts)),
        Event::Auction(
            AuctionEvent::Opened(_)
            | AuctionEvent::BidOutbid(_)
            | AuctionEvent::BidWithdrawn(_)
            | AuctionEvent::Extended(_)
            | AuctionEvent::BidLost(_)
            | AuctionEvent::BidForfeited(_)
            | AuctionEvent::Cancelled(_),
        ) => Vec::new(),
        // The choice of a call server: no bids in it, and no agent is among its viewers.
        Event::Offer(
            OfferEvent::Accepted(_)
            | OfferEvent::Published(_)
            | OfferEvent::Revised(_)
            | OfferEvent::Paused(_)
            | OfferEvent::Resumed(_)
            | OfferEvent::Retired(_)
            | OfferEvent::PlaceFreed(_),
        ) => Vec::new(),
        Event::Reservation(ReservationEvent::Opened(e)) => match e.invitation.as_ref().and_then(|one| one.why.as_ref())
        {
            Some(chosen) => {
                let paths = why(viewer, chosen, false).into_iter();
                paths.map(|path| format!("invitation.{path}")).collect()
            }
            None => Vec::new(),
        },
        Event::Reservation(
            ReservationEvent::Viewed(_)
            | ReservationEvent::Accepted(_)
            | ReservationEvent::Declined(_)
            | ReservationEvent::Lapsed(_)
            | ReservationEvent::Rescinded(_)
            | ReservationEvent::InvitationAnswered(_),
        ) => Vec::new(),
        Event::Provider(_)
        | Event::CallServer(_)
        | Event::Customer(_)
        | Event::Queue(_)
        | Event::Inquiry(_)
        | Event::Agent(_)
        | Event::Wallet(_)
        | Event::Session(_)
        | Event::Settlement(_)
        | Event::Webhook(_)
        | Event::Journal(_) => Vec::new(),
    }
}

/// Sealed and open, or unknown.
pub(super) fn is_sealed_now(auction: AuctionId, facts: &dyn Facts) -> bool {
    facts.auction(auction).is_none_or(|auction| auction.open && auction.format.is_sealed())
}

fn may_be_proxy(auction: AuctionId, facts: &dyn Facts) -> bool {
    facts.auction(auction).is_none_or(|auction| auction.format == AuctionFormat::Proxy)
}

/// A maximum that led is its bidder's alone, also when it leads no more: what beat it is not recorded
/// as its amount, so it is still unknown.
fn bid_placed(viewer: &Actor, bid: &BidPlaced, facts: &dyn Facts) -> Vec<String> {
    // The number says how many have bid before: sealed until closing, for its own bidder too.
    if is_sealed_now(bid.auction, facts) {
        return vec!["bidder".to_owned()];
    }
    let hidden = match bid.standing {
        Standing::Leads | Standing::NoEffect => may_be_proxy(bid.auction, facts),
        Standing::Sealed | Standing::OutbidAtOnce => false,
    };
    if !hidden || *viewer == Actor::Agent(bid.agent) {
        return Vec::new();
    }
    let hold = bid.hold.map(|_| "hold".to_owned());
    [Some("amount".to_owned()), hold].into_iter().flatten().collect()
}

/// Rivals, for an agent: who they are and what they would have paid. Maxima of a PROXY auction, for
/// everybody but the bidder: any of them may have led.
fn why(viewer: &Actor, why: &Why, proxy: bool) -> Vec<String> {
    let own = |subject: Subject| matches!(viewer, Actor::Agent(id) if subject == Subject::from(*id));
    let is_agent = matches!(viewer, Actor::Agent(_));
    let mut paths = Vec::new();
    if is_agent && why.chosen.is_some_and(|chosen| !own(chosen)) {
        paths.push("why.chosen".to_owned());
    }
    for (at, excluded) in why.excluded.iter().enumerate().filter(|_| is_agent) {
        paths.push(format!("why.excluded.{at}.agents"));
        if !excluded.subjects.is_empty() {
            paths.push(format!("why.excluded.{at}.subjects"));
        }
    }
    for (at, ranked) in why.ranked.iter().enumerate().filter(|(_, ranked)| !own(ranked.subject)) {
        if is_agent {
            paths.push(format!("why.ranked.{at}"));
        } else if proxy {
            // The score may repeat the amount; the tie key is the order of recording.
            let present = [("amount", ranked.amount.is_some()), ("score", ranked.score.is_some())];
            paths.extend(present.iter().filter(|(_, there)| *there).map(|(name, _)| format!("why.ranked.{at}.{name}")));
        }
    }
    paths
}

/// Sets the place to null. It is there: the path was made from the event that the data was written from.
fn hide(data: &mut Value, path: String, redacted: &mut Vec<String>) {
    let pointer = format!("/{}", path.replace('.', "/"));
    *data.pointer_mut(&pointer).expect("the data is what the event was read from") = Value::Null;
    redacted.push(path);
}
