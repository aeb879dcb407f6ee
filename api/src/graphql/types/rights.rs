//! Who may see what: the read half of the table of rights, in one place. Loading asks here whether an
//! object is there for its viewer; fields ask here what of it is shown. Guards on fields would be bypassed
//! through interfaces, so there are none.
//!
//! | | sees | of it hidden |
//! |---|---|---|
//! | anonymous | published offers that can be accepted now, and providers' public fields | |
//! | customer | its own record, inquiries, sessions (MAIN) | reservations, auctions, bids, notes, queues |
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
//! Not here: what a role may do (the decisions), and events (the history's visibility).

use crate::app::App;
use async_graphql::Error;
use domain::actor::Actor;
use domain::event::wallet::Party;
use domain::ids::{AgentId, ProviderId, Subject};
use domain::log::LogName;
use projections::live::auction::{AuctionRow, AuctionState, BidRow, BidState};
use projections::live::community::{OfferRow, OfferState};
use projections::live::inquiry::InquiryState;
use projections::live::reservation::ReservationState;
use projections::live::session::Who;
use projections::live::{Dossier, DossierHandle};
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
    /// An agent that consented.
    Engaged,
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
        let joined = |session: &projections::live::session::Session| {
            session.participants().iter().any(|participant| participant.who == Who::Agent(id))
        };
        if dossier.session().is_some_and(joined) {
            return Part::Engaged;
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
        matches!(self, Part::Engaged | Part::Asked | Part::Passed | Part::Onlooker)
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
        matches!(self, Part::Operator | Part::Provider | Part::Customer | Part::Engaged)
    }
    /// Texts of the MAIN channel.
    pub(crate) fn sees_messages(self) -> bool {
        matches!(self, Part::Customer | Part::Engaged)
    }
    /// The contract gives notes to "agents and operators alone", although they are sealed.
    pub(crate) fn sees_notes(self) -> bool {
        matches!(self, Part::Operator | Part::Engaged)
    }
    /// Another agent's reservation is nobody's business among agents; customers see sessions alone.
    pub(crate) fn sees_reservation_of(self, viewer: &Actor, agent: AgentId) -> bool {
        matches!(self, Part::Operator | Part::Provider) || *viewer == Actor::Agent(agent)
    }
    /// The names of the agents that talk with the customer.
    pub(crate) fn sees_agent_names(self) -> bool {
        matches!(self, Part::Provider | Part::Customer)
    }
    pub(crate) fn customer(self, state: InquiryState) -> CustomerSight {
        match self {
            Part::Customer | Part::Engaged => CustomerSight::Full,
            Part::Provider | Part::Asked => CustomerSight::Masked,
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
    pub(crate) viewer: Actor,
    pub(crate) part: Part,
    pub(crate) handle: DossierHandle,
    /// Where the log stood before anything of it was read: a feed from here on misses nothing.
    pub(crate) at: Option<Head>,
}

impl Sight {
    /// Of the inquiry that an id belongs to. `None`: absent, or nothing to the viewer.
    pub(crate) async fn of(app: &Arc<App>, viewer: &Actor, id: impl Into<Subject>) -> Result<Option<Sight>, Error> {
        if *viewer == Actor::Anonymous {
            return Ok(None);
        }
        let handle = app.dossier_of(id.into()).await?;
        Ok(handle.and_then(|handle| Sight::over(app, viewer, handle)))
    }

    pub(crate) fn over(app: &App, viewer: &Actor, handle: DossierHandle) -> Option<Sight> {
        let market = market_of(app, viewer);
        let log = handle.read(|dossier| dossier.inquiry().map(|row| row.log.clone()))?;
        let at = app.live.head(&log);
        let part = handle.read(|dossier| Part::of(viewer, market.as_ref(), dossier))?;
        Some(Sight { viewer: viewer.clone(), part, handle, at })
    }
}

/// The call server of an agent; none for everybody else.
pub(crate) fn market_of(app: &App, viewer: &Actor) -> Option<LogName> {
    match viewer {
        Actor::Agent(id) => app.live.agent(*id).map(|row| row.log),
        Actor::Operator(_)
        | Actor::Provider(_)
        | Actor::Finance(_)
        | Actor::Customer(_)
        | Actor::Anonymous
        | Actor::System => None,
    }
}

/// An offer by id or in lists; an inquiry shows the one that it accepted whatever became of it. What cannot be
/// accepted is as if not published: a suspended provider's until it is reinstated, and one that has run out.
pub(crate) fn sees_offer(app: &App, viewer: &Actor, row: &OfferRow) -> bool {
    match viewer {
        Actor::Operator(_) => true,
        Actor::Provider(id) => *id == row.provider,
        Actor::Agent(_) | Actor::Finance(_) | Actor::Customer(_) | Actor::Anonymous => {
            let ended = row.terms.valid_until.is_some_and(|until| until <= app.clock.now());
            row.state == OfferState::Published && !ended && !app.live.is_suspended(row.provider)
        }
        Actor::System => false,
    }
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

/// Until closing nobody learns what was bid, or that anybody did.
pub(crate) fn is_sealed_now(auction: &AuctionRow) -> bool {
    auction.rules.format.is_sealed() && auction.state == AuctionState::Open
}

pub(crate) fn sees_bid(viewer: &Actor, auction: &AuctionRow, bidder: AgentId) -> bool {
    !is_sealed_now(auction) || *viewer == Actor::Agent(bidder)
}
