//! Who may see what: the read half of the table of rights, in one place. Loading asks here whether an
//! object is there for its viewer; fields ask here what of it is shown. Guards on fields would be bypassed
//! through interfaces, so there are none.
//!
//! | | sees | of it hidden |
//! |---|---|---|
//! | anonymous | published offers that can be accepted now, and providers' public fields | |
//! | customer | its own record, inquiries, sessions (MAIN) | SIDE channels, reservations, auctions, bids, notes, queues |
//! | agent | queues, inquiries and auctions of its call server; its own bids, reservations, sessions, accounts, settlements | see [`Part`] |
//! | provider | its own offers, and their inquiries, auctions, reservations, sessions, settlements; its accounts | contact data, message texts, notes, agents' status |
//! | finance | accounts, settlements; inquiries that have a settlement, with their auctions | whatever a customer said |
//! | operator | everything | sealed bids before closing, sealed personal data; session notes are shown, as the contract says |
//!
//! An agent's display name is personal data of the agent: it sees its own name, and those it has a session
//! with see it there (customer, provider of the offer, itself). Everybody else, operators included, sees
//! the agent's number, `Agent 7`. What an agent does and wants is shown to itself and operators; the rest
//! see the least specific values (UNAVAILABLE since its registration, OFFLINE, load 0), since the fields
//! cannot be null.
//!
//! Of the past everything is shown as it was, under the rights of today: what a viewer is to an inquiry, whether a
//! customer is masked and whether a bid is sealed are asked of the present. Whoever lost a right does not get it back
//! by looking back, and whoever gained one may look back with it. What strangers see of an offer has to be on offer
//! at both times.
//!
//! Not here: what a role may do (the decisions), and events (the history's visibility).

use super::eyes::Eyes;
use super::fresh;
use crate::app::{App, blocking};
use async_graphql::Error;
use domain::actor::Actor;
use domain::event::wallet::Party;
use domain::ids::{AgentId, AuctionId, CustomerId, ProviderId, Subject};
use domain::log::LogName;
use domain::time::Timestamp;
use projections::history::rows;
use projections::live::account::{AccountRow, HeldFor, HoldRow, Secret};
use projections::live::auction::{AuctionRow, AuctionState, BidRow, BidState};
use projections::live::community::{OfferRow, OfferState};
use projections::live::inquiry::{InquiryRow, InquiryState};
use projections::live::reservation::{ReservationRow, ReservationState};
use projections::live::session::ChannelRow;
use projections::live::{Dossier, DossierHandle, Live};
use std::sync::Arc;
use store::raw::Head;

/// What a viewer is to one inquiry. Whoever is nothing to it does not see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Operator,
    /// The offer is its own.
    Provider,
    /// The inquiry has a settlement.
    Finance,
    /// The inquiry is its own.
    Customer,
    /// An agent that consented, and has not left before the end.
    Engaged,
    /// An agent that left the session, or handed it over and has wrapped up: of the customer it sees what it saw before,
    /// of the session what was of its time.
    Left,
    /// An agent with a reservation pending.
    Asked,
    /// An agent that lapsed, declined or lost: it sees the customer no more.
    Passed,
    /// Another agent of the call server.
    Onlooker,
}

impl Part {
    fn of(viewer: &Actor, market: Option<&LogName>, dossier: &Dossier) -> Option<Part> {
        let inquiry = dossier.inquiry()?;
        match viewer {
            Actor::Operator(_) => Some(Part::Operator),
            Actor::Provider(id) => (*id == inquiry.provider).then_some(Part::Provider),
            Actor::Finance(_) => dossier.settlement().map(|_| Part::Finance),
            Actor::Customer(id) => (*id == inquiry.customer).then_some(Part::Customer),
            Actor::Agent(id) => (market == Some(&inquiry.log)).then(|| Part::of_agent(*id, dossier)),
            Actor::Anonymous | Actor::System => None,
        }
    }

    fn of_agent(id: AgentId, dossier: &Dossier) -> Part {
        if let Some(session) = dossier.session().filter(|session| session.had(id)) {
            let wraps_up = session.row().handed_over.iter().any(|(agent, _)| *agent == id);
            return if session.left(id).is_some() && !wraps_up { Part::Left } else { Part::Engaged };
        }
        let states = || dossier.reservations().iter().filter(|one| one.agent == id).map(|one| one.state);
        if states().any(|state| state == ReservationState::Pending) {
            return Part::Asked;
        }
        // A round that is lost ends with the next one; a reservation that ended otherwise is for ever.
        let lost = |bid: &BidRow| matches!(bid.state, BidState::Lost | BidState::Forfeited);
        let last = dossier.auctions().last();
        let has_lost = last.and_then(|auction| auction.effective_bid(id)).is_some_and(lost);
        if has_lost || states().next().is_some() { Part::Passed } else { Part::Onlooker }
    }

    pub(crate) fn is_agent(self) -> bool {
        matches!(self, Part::Engaged | Part::Left | Part::Asked | Part::Passed | Part::Onlooker)
    }
    /// What the customer asked, and the content it is about.
    pub(crate) fn sees_question(self) -> bool {
        matches!(self, Part::Provider | Part::Customer | Part::Engaged)
    }
    /// Where the customer met the offer, without what the content says.
    pub(crate) fn sees_content(self) -> bool {
        self.sees_question() || self == Part::Operator
    }
    pub(crate) fn sees_auctions(self) -> bool {
        self != Part::Customer
    }
    pub(crate) fn sees_session(self) -> bool {
        matches!(self, Part::Operator | Part::Provider | Part::Customer | Part::Engaged | Part::Left)
    }
    /// Texts of the channels that it sees, of its time.
    pub(crate) fn sees_messages(self) -> bool {
        matches!(self, Part::Customer | Part::Engaged | Part::Left)
    }
    /// The contract gives notes to "agents and operators alone", although they are sealed.
    pub(crate) fn sees_notes(self) -> bool {
        matches!(self, Part::Operator | Part::Engaged)
    }
    /// Another agent's reservation is nobody's business among agents, but of who has invited it; customers see sessions
    /// alone.
    pub(crate) fn sees_reservation(self, viewer: &Actor, row: &ReservationRow) -> bool {
        let invites = || row.invited_by.is_some_and(|agent| *viewer == Actor::Agent(agent));
        matches!(self, Part::Operator | Part::Provider) || *viewer == Actor::Agent(row.agent) || invites()
    }
    /// MAIN is everybody's in the session; SIDE the two agents', and as far as they know of a session the provider's
    /// and operators'. The customer never learns of it.
    pub(crate) fn sees_channel(self, viewer: &Actor, row: &ChannelRow) -> bool {
        match (row.between, viewer) {
            (None, _) => true,
            (Some(between), Actor::Agent(agent)) => between.contains(agent),
            (Some(_), _) => matches!(self, Part::Operator | Part::Provider),
        }
    }
    /// The names of the agents that talk with the customer.
    pub(crate) fn sees_agent_names(self) -> bool {
        matches!(self, Part::Provider | Part::Customer)
    }
    pub(crate) fn customer(self, state: InquiryState) -> CustomerSight {
        match self {
            Part::Customer | Part::Engaged => CustomerSight::Full,
            Part::Provider | Part::Asked | Part::Left => CustomerSight::Masked,
            Part::Operator => CustomerSight::Sealed,
            Part::Onlooker => match state {
                InquiryState::Queued | InquiryState::InAuction => CustomerSight::Masked,
                InquiryState::Reserved
                | InquiryState::Engaged
                | InquiryState::WrapUp
                | InquiryState::Completed
                | InquiryState::Withdrawn
                | InquiryState::Expired => CustomerSight::None,
            },
            Part::Passed | Part::Finance => CustomerSight::None,
        }
    }
    /// Rivals' bids and scores in recorded choices, once the auction is closed.
    pub(crate) fn sees_rivals(self) -> bool {
        matches!(self, Part::Operator | Part::Provider | Part::Finance)
    }
}

/// What of a customer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CustomerSight {
    /// Everything.
    Full,
    /// The initial and the attributes that the offer names.
    Masked,
    /// That there is one.
    Sealed,
    /// Not even that.
    None,
}

/// A viewer before an inquiry, as it was when it was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub(crate) eyes: Eyes,
    /// By the present.
    pub(crate) part: Part,
    /// What is shown.
    pub(crate) handle: DossierHandle,
    /// Where the log stood before anything of it was read: a feed from here on misses nothing.
    pub(crate) at: Option<Head>,
    /// The same inquiry now, where another moment is shown. Never read it inside a reading of `handle`, nor the other
    /// way round, where they are one.
    now: Option<DossierHandle>,
}

impl Sight {
    /// Of the inquiry that an id belongs to. `None`: absent, or nothing to the viewer; also where the inquiry was not
    /// there yet.
    pub(crate) async fn of(
        app: &Arc<App>,
        eyes: impl Into<Eyes>,
        id: impl Into<Subject>,
    ) -> Result<Option<Sight>, Error> {
        let eyes = eyes.into();
        if eyes.viewer == Actor::Anonymous {
            return Ok(None);
        }
        let Some(now) = app.dossier_of(id.into()).await? else { return Ok(None) };
        let Some(past) = eyes.past.clone() else { return Ok(Sight::over(app, &eyes.viewer, now)) };
        let Some(part) = Sight::part(app, &eyes.viewer, &now) else { return Ok(None) };
        let Some(handle) = past.dossier(app, now.read(Dossier::id)).await? else { return Ok(None) };
        let log = handle.read(|dossier| dossier.inquiry().map(|row| row.log.clone()));
        Ok(log.map(|log| Sight { at: past.rows.live.head(&log), eyes, part, handle, now: Some(now) }))
    }

    /// Of the present, over a dossier that is at hand.
    pub(crate) fn over(app: &App, viewer: &Actor, handle: DossierHandle) -> Option<Sight> {
        let log = handle.read(|dossier| dossier.inquiry().map(|row| row.log.clone()))?;
        let at = app.live.head(&log);
        let part = Sight::part(app, viewer, &handle)?;
        Some(Sight { eyes: viewer.into(), part, handle, at, now: None })
    }

    fn part(app: &App, viewer: &Actor, now: &DossierHandle) -> Option<Part> {
        let market = market_of(app, viewer);
        now.read(|dossier| Part::of(viewer, market.as_ref(), dossier))
    }

    /// What of the customer is shown. `row`: the inquiry as it is shown.
    pub(crate) fn customer(&self, row: &InquiryRow) -> CustomerSight {
        let now = self.now.as_ref().and_then(|now| now.read(|dossier| dossier.inquiry().map(|now| now.state)));
        self.part.customer(now.unwrap_or(row.state))
    }

    /// What an agent saved of a session. Who left it has what it saved itself.
    pub(crate) fn sees_record_of(&self, agent: AgentId) -> bool {
        self.part.sees_session() && (self.part != Part::Left || self.eyes.viewer == Actor::Agent(agent))
    }

    /// Whether bids of an auction are their bidders' alone. `shown`: its row as it is shown.
    pub(crate) fn is_sealed_now(&self, shown: &AuctionRow) -> bool {
        match &self.now {
            None => is_sealed_now(shown),
            // One that the present does not know says nothing.
            Some(now) => now.read(|now| now.auction(shown.id).is_none_or(|auction| is_sealed_now(auction.row()))),
        }
    }

    pub(crate) fn sees_bid(&self, shown: &AuctionRow, bidder: AgentId) -> bool {
        !self.is_sealed_now(shown) || self.eyes.viewer == Actor::Agent(bidder)
    }

    /// The agent of a reservation by name: whoever talks with the customer.
    pub(crate) fn names_agent_of(&self, shown: &ReservationRow) -> bool {
        let now = self.now.as_ref().and_then(|now| now.read(|now| now.reservation(shown.id).map(|row| row.state)));
        self.part.sees_agent_names() && now.unwrap_or(shown.state) == ReservationState::Accepted
    }
}

/// The call server of an agent; none for everybody else.
pub(crate) fn market_of(app: &App, viewer: &Actor) -> Option<LogName> {
    match viewer {
        Actor::Agent(id) => app.live.market_of(*id),
        Actor::Operator(_)
        | Actor::Provider(_)
        | Actor::Finance(_)
        | Actor::Customer(_)
        | Actor::Anonymous
        | Actor::System => None,
    }
}

/// An offer by id or in lists; an inquiry shows the one that it accepted whatever became of it. What cannot be
/// accepted is as if not published: a suspended provider's until it is reinstated, and one that has run out. Of the
/// past strangers see what was on offer then and still is: what was taken back is not shown by looking back.
pub(crate) fn sees_offer(app: &App, eyes: &Eyes, row: &OfferRow) -> bool {
    match &eyes.viewer {
        Actor::Operator(_) => true,
        Actor::Provider(id) => *id == row.provider,
        Actor::Agent(_) | Actor::Finance(_) | Actor::Customer(_) | Actor::Anonymous => {
            let still = || app.live.offer(row.id).is_some_and(|now| on_offer(&app.live, &now, app.clock.now()));
            on_offer(eyes.live(app), row, eyes.instant(app)) && (eyes.past.is_none() || still())
        }
        Actor::System => false,
    }
}

fn on_offer(live: &Live, row: &OfferRow, at: Timestamp) -> bool {
    let ended = row.terms.valid_until.is_some_and(|until| until <= at);
    row.state != OfferState::Retired && !ended && !live.is_suspended(row.provider)
}

/// Public fields; other providers are nothing to a provider.
pub(crate) fn sees_provider(viewer: &Actor, id: ProviderId) -> bool {
    match viewer {
        Actor::Provider(own) => *own == id,
        Actor::Operator(_) | Actor::Agent(_) | Actor::Finance(_) | Actor::Customer(_) | Actor::Anonymous => true,
        Actor::System => false,
    }
}

/// `market`: the viewer's own call server, where it is an agent.
pub(crate) fn sees_call_server(viewer: &Actor, market: Option<&LogName>, name: &LogName) -> bool {
    match viewer {
        Actor::Operator(_) | Actor::Finance(_) | Actor::Provider(_) => true,
        Actor::Agent(_) => market == Some(name),
        Actor::Customer(_) | Actor::Anonymous | Actor::System => false,
    }
}

/// A log to look back in. A log of which a viewer sees nothing is as if there were none: the times of its events are
/// its own. Something to see is an inquiry of now or then, and for a provider its account.
///
/// Errors: those of reading history; UNAVAILABLE where a customer's first inquiry there does not come into it in time.
pub(crate) async fn sees_log(app: &Arc<App>, viewer: &Actor, log: &LogName) -> Result<bool, Error> {
    match viewer {
        Actor::Anonymous | Actor::System => Ok(false),
        _ if *log == LogName::community() => Ok(true),
        Actor::Operator(_) | Actor::Finance(_) => Ok(true),
        Actor::Agent(_) => Ok(market_of(app, viewer).as_ref() == Some(log)),
        Actor::Provider(id) => {
            let has_account = || !app.live.accounts(Some(log), Some(Party::Provider(*id)), None, 1).is_empty();
            Ok(app.live.has_met(*id, log) || has_account())
        }
        Actor::Customer(id) => {
            if has_inquired(app, *id, log).await? {
                return Ok(true);
            }
            // Its first one there may be of a moment ago.
            fresh::caught_up_with(app, log).await?;
            has_inquired(app, *id, log).await
        }
    }
}

async fn has_inquired(app: &Arc<App>, id: CustomerId, log: &LogName) -> Result<bool, Error> {
    let (house, log) = (app.clone(), log.clone());
    blocking(move || house.history.has_inquired(id, &log)).await
}

/// A queue, by its call server. Providers meet it at their inquiries alone.
pub(crate) fn sees_queue(viewer: &Actor, market: Option<&LogName>, log: &LogName) -> bool {
    match viewer {
        Actor::Operator(_) => true,
        Actor::Agent(_) => market == Some(log),
        Actor::Provider(_) | Actor::Finance(_) | Actor::Customer(_) | Actor::Anonymous | Actor::System => false,
    }
}

/// By id or in lists; others meet an agent where it has to do with what they see.
pub(crate) fn sees_agent(viewer: &Actor, id: AgentId) -> bool {
    *viewer == Actor::Agent(id) || matches!(viewer, Actor::Operator(_))
}

/// What an agent does and wants.
pub(crate) fn sees_status(viewer: &Actor, id: AgentId) -> bool {
    sees_agent(viewer, id)
}

/// Whether the viewer is the party, or that party itself asks.
pub(crate) fn is_party(viewer: &Actor, party: Party) -> bool {
    match party {
        Party::Agent(id) => *viewer == Actor::Agent(id),
        Party::Provider(id) => *viewer == Actor::Provider(id),
    }
}

/// Accounts and settlements.
pub(crate) fn sees_money_of(viewer: &Actor, party: Party) -> bool {
    is_party(viewer, party) || matches!(viewer, Actor::Operator(_) | Actor::Finance(_))
}

/// The reserve, where it is hidden: its provider's and operators' alone.
pub(crate) fn sees_hidden_reserve(viewer: &Actor, provider: ProviderId) -> bool {
    *viewer == Actor::Provider(provider) || matches!(viewer, Actor::Operator(_))
}

/// By what it vouches for its customers: its own, and operators', who register it.
pub(crate) fn sees_customer_keys(viewer: &Actor, provider: ProviderId) -> bool {
    *viewer == Actor::Provider(provider) || matches!(viewer, Actor::Operator(_))
}

/// Whom it keeps away from: its own, and operators'. Never whom it blocks.
pub(crate) fn sees_blocks_of(viewer: &Actor, party: Party) -> bool {
    is_party(viewer, party) || matches!(viewer, Actor::Operator(_))
}

/// Until closing nobody learns what was bid, or that anybody did.
pub(crate) fn is_sealed_now(auction: &AuctionRow) -> bool {
    auction.rules.format.is_sealed() && auction.state == AuctionState::Open
}

pub(crate) fn sees_bid(viewer: &Actor, auction: &AuctionRow, bidder: AgentId) -> bool {
    !is_sealed_now(auction) || *viewer == Actor::Agent(bidder)
}

/// What of an account is held, as far as the viewer sees it. What tells of a sealed bid is its owner's alone for as
/// long as that is sealed, what tells of a PROXY maximum for ever; of the past, too.
pub(crate) async fn seen_holds(app: &Arc<App>, eyes: &Eyes, account: &AccountRow) -> Result<Vec<HoldRow>, Error> {
    let mut all = eyes.live(app).holds(account.id, None, usize::MAX);
    all.sort_by_key(|hold| hold.held_for.number());
    if is_party(&eyes.viewer, account.owner) {
        return Ok(all);
    }
    let mut seen = Vec::with_capacity(all.len());
    for hold in all {
        let sees = match hold.secret {
            None => true,
            Some(Secret::Proxy) => false,
            Some(Secret::Sealed) => match hold.held_for {
                HeldFor::Auction(auction) => eyes.past.is_some() && has_closed(app, auction).await?,
                HeldFor::Reservation(_) => true,
            },
        };
        if sees {
            seen.push(hold);
        }
    }
    Ok(seen)
}

/// Whether an auction is known to be closed now.
async fn has_closed(app: &Arc<App>, id: AuctionId) -> Result<bool, Error> {
    if let Some(row) = app.live.auction(id) {
        return Ok(row.state != AuctionState::Open);
    }
    let house = app.clone();
    let row = blocking(move || house.history.auction(id)).await?;
    Ok(row.is_some_and(|row| row.state != rows::AuctionState::Open))
}
