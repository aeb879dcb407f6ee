//! Lists of inquiries and auctions. What is open stands in memory; everything stands in history once that
//! has caught up with the views. A list that asks for open states alone is read from memory; any other from
//! history, and each entry is then shown, and held against the states asked for, as it is now.

use super::auction::{Auction, AuctionConnection};
use super::connection::Pager;
use super::enums::{AuctionState, InquiryState};
use super::filters::{AuctionFilter, InquiryFilter, inquiry_fits};
use super::fresh;
use super::inquiry::{Inquiry, InquiryConnection};
use super::rights::{Sight, market_of};
use crate::app::{App, blocking};
use crate::graphql::scalars::Cursor;
use async_graphql::Error;
use domain::actor::Actor;
use domain::agent::{Applicant, Demand, suits};
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::event::wallet::Party;
use domain::ids::{AgentId, AuctionId, InquiryId, ProviderId};
use domain::log::LogName;
use domain::money::Money;
use domain::pricing;
use domain::strike;
use projections::history::lists;
use projections::live::DossierHandle;
use projections::live::agent::{AgentRow, AgentStatus};
use projections::live::auction::AuctionRow;
use projections::live::inquiry::InquiryRow;
use projections::live::session::Who;
use std::sync::Arc;
use store::recorded::Recorded;

/// Rows that one request reads at most. A page that is cut short by it says that more follow.
const ROWS_MAX: usize = 2_048;

/// How far a viewer's lists reach, so that nobody else's rows are read.
enum Reach {
    All,
    CallServer(LogName),
    Provider(ProviderId),
    Customer(domain::ids::CustomerId),
    Nothing,
}

fn reach(app: &App, viewer: &Actor) -> Reach {
    match viewer {
        Actor::Operator(_) => Reach::All,
        Actor::Agent(_) => market_of(app, viewer).map_or(Reach::Nothing, Reach::CallServer),
        Actor::Provider(id) => Reach::Provider(*id),
        Actor::Customer(id) => Reach::Customer(*id),
        // Finance meets inquiries at settlements.
        Actor::Finance(_) | Actor::Anonymous | Actor::System => Reach::Nothing,
    }
}

/// Narrows one member of a filter; `false` where it asks for something else.
fn narrow<T: PartialEq>(asked: &mut Option<T>, own: T) -> bool {
    match asked {
        Some(asked) => *asked == own,
        None => {
            *asked = Some(own);
            true
        }
    }
}

pub(crate) async fn inquiries(
    app: &Arc<App>,
    viewer: &Actor,
    filter: InquiryFilter,
    first: i32,
    after: Option<Cursor>,
) -> Result<InquiryConnection, Error> {
    let pager = Pager::<u128>::new(app, viewer, "inquiries", &filter, first, after)?;
    let nothing = InquiryConnection::page(&pager, (Vec::new(), false));
    let Some(mut wanted) = filter.read() else { return Ok(nothing) };
    let reached = match reach(app, viewer) {
        Reach::All => true,
        Reach::CallServer(log) => narrow(&mut wanted.call_server, log),
        Reach::Provider(id) => narrow(&mut wanted.provider, id),
        Reach::Customer(id) => narrow(&mut wanted.customer, id),
        Reach::Nothing => false,
    };
    // Whom an inquiry was before is no secret of the agent's own, and one of everybody else's among agents
    // and customers.
    let asks_for_another = match viewer {
        Actor::Agent(own) => wanted.agent.is_some_and(|agent| agent != *own),
        Actor::Customer(_) => wanted.agent.is_some(),
        _ => false,
    };
    // Who sees no customer may not look for one either: an agent learns of customers one by one.
    let asks_for_customer = matches!(viewer, Actor::Agent(_)) && wanted.customer.is_some();
    if !reached || asks_for_another || asks_for_customer {
        return Ok(nothing);
    }
    let states = filter.states.as_deref().unwrap_or_default();
    if !states.is_empty() && states.iter().all(|state| is_open(*state)) {
        let log = wanted.call_server.clone();
        let next =
            |after: Option<&u128>, limit| app.live.inquiries(log.as_ref(), after.map(|id| InquiryId(*id)), limit);
        let take = |row: InquiryRow| {
            if !filter.takes_state(&row) || !inquiry_fits(&wanted, &row) {
                return None;
            }
            let handle = app.live.dossier(row.id)?;
            if wanted.agent.is_some_and(|agent| !took_part(&handle, agent)) {
                return None;
            }
            Inquiry::show(Sight::over(app, viewer, handle)?)
        };
        return Ok(InquiryConnection::page(&pager, pager.sift(next, |row| row.id.0, take)));
    }
    fresh::caught_up(app).await?;
    let (mut found, mut at, mut left) = (Vec::new(), pager.after.map(InquiryId), ROWS_MAX);
    loop {
        let (asked, limit, house) = (wanted.clone(), pager.limit(), app.clone());
        let rows = blocking(move || house.history.inquiries(&asked, at, limit)).await?;
        let ended = rows.len() < limit;
        left = left.saturating_sub(rows.len());
        for row in rows {
            at = Some(row.id);
            let Some(inquiry) = Inquiry::load(app, viewer, row.id).await? else { continue };
            if filter.takes_state(&inquiry.row) {
                found.push((row.id.0, inquiry));
            }
        }
        if ended || found.len() > pager.first || left == 0 {
            // A page that the bound cut short goes on where the reading stopped.
            let stopped = at.filter(|_| !ended && found.len() <= pager.first);
            let (page, more) = pager.cut(found);
            let mut connection = InquiryConnection::page(&pager, (page, more || stopped.is_some()));
            if let Some(at) = stopped {
                connection.page_info.end_cursor = Some(pager.cursor(&at.0));
            }
            return Ok(connection);
        }
    }
}

fn is_open(state: InquiryState) -> bool {
    match state {
        InquiryState::Queued
        | InquiryState::InAuction
        | InquiryState::Reserved
        | InquiryState::Engaged
        | InquiryState::WrapUp => true,
        InquiryState::Completed | InquiryState::Withdrawn | InquiryState::Expired => false,
    }
}

/// Was asked to assist, or did.
fn took_part(handle: &DossierHandle, agent: AgentId) -> bool {
    handle.read(|dossier| {
        let asked = dossier.reservations().iter().any(|reservation| reservation.agent == agent);
        let joined = dossier
            .session()
            .is_some_and(|session| session.participants().iter().any(|one| one.who == Who::Agent(agent)));
        asked || joined
    })
}

pub(crate) async fn auctions(
    app: &Arc<App>,
    viewer: &Actor,
    filter: AuctionFilter,
    first: i32,
    after: Option<Cursor>,
) -> Result<AuctionConnection, Error> {
    let pager = Pager::<u128>::new(app, viewer, "auctions", &filter, first, after)?;
    let nothing = AuctionConnection::page(&pager, (Vec::new(), false));
    let Some(mut wanted) = filter.read() else { return Ok(nothing) };
    let reached = match reach(app, viewer) {
        Reach::All => true,
        Reach::CallServer(log) => narrow(&mut wanted.call_server, log),
        Reach::Provider(id) => narrow(&mut wanted.provider, id),
        Reach::Customer(_) | Reach::Nothing => false,
    };
    let states = filter.states.as_deref().unwrap_or_default();
    let takes = |state: AuctionState| states.is_empty() || states.contains(&state);
    // Nobody can bid in what is closed, and only an agent can bid.
    let impossible = filter.eligible_only && (!takes(AuctionState::Open) || !matches!(viewer, Actor::Agent(_)));
    if !reached || impossible {
        return Ok(nothing);
    }
    if filter.eligible_only || states == [AuctionState::Open] {
        let log = wanted.call_server.clone();
        let next = |after: Option<&u128>, limit| app.live.auctions(log.as_ref(), after.map(|id| AuctionId(*id)), limit);
        let take = |row: AuctionRow| {
            let handle = app.live.dossier(row.inquiry)?;
            let inquiry = handle.read(|dossier| dossier.inquiry().cloned())?;
            if !auction_fits(&wanted, &inquiry) || (filter.eligible_only && !could_bid(app, viewer, &inquiry, &row)) {
                return None;
            }
            let auction = Auction::within(&Sight::over(app, viewer, handle)?, row.id)?;
            // It may have closed since the list was read.
            (AuctionState::from(auction.row.state) == AuctionState::Open).then_some(auction)
        };
        return Ok(AuctionConnection::page(&pager, pager.sift(next, |row| row.id.0, take)));
    }
    fresh::caught_up(app).await?;
    let (mut found, mut at, mut left) = (Vec::new(), pager.after.map(AuctionId), ROWS_MAX);
    loop {
        let (asked, limit, house) = (wanted.clone(), pager.limit(), app.clone());
        let rows = blocking(move || house.history.auctions(&asked, at, limit)).await?;
        let ended = rows.len() < limit;
        left = left.saturating_sub(rows.len());
        for row in rows {
            at = Some(row.id);
            let sight = Sight::of(app, viewer, row.inquiry).await?;
            let auction = sight.and_then(|sight| Auction::within(&sight, row.id));
            let auction = auction.filter(|auction| takes(auction.row.state.into()));
            found.extend(auction.map(|auction| (row.id.0, auction)));
        }
        if ended || found.len() > pager.first || left == 0 {
            // A page that the bound cut short goes on where the reading stopped.
            let stopped = at.filter(|_| !ended && found.len() <= pager.first);
            let (page, more) = pager.cut(found);
            let mut connection = AuctionConnection::page(&pager, (page, more || stopped.is_some()));
            if let Some(at) = stopped {
                connection.page_info.end_cursor = Some(pager.cursor(&at.0));
            }
            return Ok(connection);
        }
    }
}

fn auction_fits(filter: &lists::AuctionFilter, inquiry: &InquiryRow) -> bool {
    let fits = |wanted: &domain::topic::Topic| inquiry.topics.iter().any(|topic| wanted.contains(topic));
    filter.call_server.as_ref().is_none_or(|log| *log == inquiry.log)
        && filter.provider.is_none_or(|provider| provider == inquiry.provider)
        && (filter.topics.is_empty() || filter.topics.iter().any(fits))
}

/// As the decision on its next bid would have it.
fn could_bid(app: &App, viewer: &Actor, inquiry: &InquiryRow, auction: &AuctionRow) -> bool {
    let Actor::Agent(id) = viewer else { return false };
    let Some(agent) = app.live.agent(*id) else { return false };
    let applicant = Applicant {
        available: agent.status == AgentStatus::Available,
        load: agent.load,
        capacity: agent.capacity,
        ..once_free(&agent)
    };
    agent.barred_until.is_none() && suits(applicant, demand(inquiry)).is_ok() && has_funds(app, *id, auction)
}

/// Whether an agent could bid in an auction that opens once it is free and has the money: skills and independence alone,
/// which do not change from moment to moment, and that no bar lasts as long as the auction.
pub(crate) async fn could_ever_bid(app: &Arc<App>, id: AgentId, opening: &Recorded) -> Result<bool, Error> {
    let inquiry = projections::inquiry_of(&opening.subjects);
    let (Some(agent), Some(inquiry)) = (app.live.agent(id), inquiry) else { return Ok(false) };
    if is_barred_throughout(&agent, opening) {
        return Ok(false);
    }
    let Some(handle) = app.dossier(inquiry).await? else { return Ok(false) };
    let row = handle.read(|dossier| dossier.inquiry().cloned());
    Ok(row.is_some_and(|row| suits_once_free(&agent, &row)))
}

/// Whether the agent was barred when this auction opened, and is until it has closed.
pub(crate) fn is_barred_throughout(agent: &AgentRow, opening: &Recorded) -> bool {
    let Event::Auction(AuctionEvent::Opened(e)) = &opening.event else { return false };
    let closes_at = e.hard_closes_at.unwrap_or(e.closes_at);
    agent.barred_until.is_some_and(|until| until - strike::BARRED_FOR <= opening.time && closes_at <= until)
}

/// Skills and independence of one that is open.
pub(crate) fn suits_once_free(agent: &AgentRow, inquiry: &InquiryRow) -> bool {
    suits(once_free(agent), demand(inquiry)).is_ok()
}

fn once_free(agent: &AgentRow) -> Applicant<'_> {
    Applicant {
        agent: agent.id,
        affiliated_with: agent.affiliated_with,
        available: true,
        skills: &agent.skills,
        load: 0,
        capacity: 1,
        blocked_by: &agent.blocked_by,
        blocks: &agent.blocks,
    }
}

fn demand(inquiry: &InquiryRow) -> Demand<'_> {
    Demand {
        provider: inquiry.provider,
        customer: inquiry.customer,
        independent_agents_only: inquiry.terms.independent_agents_only,
        unpaid: inquiry.started_by.filter(|_| inquiry.terms.allocation.is_paid_by_provider()),
        desired_skills: &inquiry.desired_skills,
        // For some moments; what is decided knows it.
        ends_soon: false,
    }
}

/// Whether the least next bid is free in its wallet, what is held for this auction already included.
fn has_funds(app: &App, id: AgentId, auction: &AuctionRow) -> bool {
    let rules = &auction.rules;
    let Some(least) = pricing::next_bound(rules, auction.price.map(Money::amount)) else { return true };
    let wallets = app.live.accounts(Some(&auction.log), Some(Party::Agent(id)), None, usize::MAX);
    let wallet = wallets.into_iter().find(|row| row.currency == rules.currency);
    let free = match &wallet {
        // None yet, and no limit that would open one.
        None => Some(Money::zero(rules.currency)),
        Some(row) => match row.available() {
            Ok(free) => free,
            Err(_) => return false,
        },
    };
    let held = wallet.and_then(|row| app.live.hold(row.id, auction.id)).map(|hold| hold.amount.amount());
    let free = free.map(|free| free.amount() + held.unwrap_or_default());
    pricing::affords(rules.direction, free, least)
}
