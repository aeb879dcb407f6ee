//! Who wins an auction and what it costs: at closing, at a bought-now bid, and again for the second agent
//! when the winner lapses or declines.

use crate::agent::{Applicant, eligible, suits};
use crate::auction;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::auction::*;
use crate::event::reservation::{Purpose, ReservationOpened};
use crate::event::wallet::Party;
use crate::ids::{AgentId, AuctionId, BidId, ReservationId};
use crate::inquiry;
use crate::location;
use crate::money::Money;
use crate::pricing;
use crate::refusal::Refusal;
use crate::state::{Agent, Auction, BidPhase, CountingBid, Inquiry, State};
use crate::terms::{Allocation, Direction};
use crate::wallet;
use crate::why::{Excluded, ExclusionReason, RANKED_MAX, Ranked, Why};
use rust_decimal::Decimal;

/// One agent's bid that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub agent: AgentId,
    pub amount: Decimal,
    pub bid: BidId,
    /// Order of recording: the tie rule.
    pub number: u32,
    /// Already held of the agent's wallet.
    pub hold: Decimal,
    pub phase: BidPhase,
}

/// The bids that count and have not been forfeited or withdrawn, in order of recording.
pub fn standing_bids(state: &State, id: AuctionId, auction: &Auction) -> Vec<Candidate> {
    let mut found = Vec::with_capacity(auction.bidding.bidders as usize);
    // By bidder: there are a thousand at most, and many more bids.
    let mut next = auction.bidding.last_bidder;
    while let Some(agent) = next {
        let bidder = state.bidders.get((id, agent)).expect("who bids is a bidder");
        next = bidder.before;
        let Some(CountingBid { id: bid, number, amount, phase }) = bidder.bid else { continue };
        if matches!(phase, BidPhase::Live | BidPhase::Lost(_) | BidPhase::Won) {
            found.push(Candidate { agent, amount, bid, number, hold: bidder.hold, phase });
        }
    }
    found.sort_by_key(|candidate| candidate.number);
    found
}

/// Whether an agent may have an inquiry now, as a selection asks.
pub(crate) fn fits(applicant: Applicant<'_>, inquiry: &Inquiry) -> Result<(), ExclusionReason> {
    suits(applicant, inquiry.demand()).map_err(|refusal| reason_of(&refusal))
}

pub(crate) fn reason_of(refusal: &Refusal) -> ExclusionReason {
    match refusal {
        Refusal::AgentNotIndependent | Refusal::AgentStartedIt => ExclusionReason::NotIndependent,
        Refusal::AgentBlocked => ExclusionReason::Blocked,
        // Whom it keeps away from is the agent's own: the record says no more than that it does not come.
        Refusal::AgentKeepsAway => ExclusionReason::NotAvailable,
        Refusal::AgentLacksSkill => ExclusionReason::LacksSkill,
        Refusal::AgentAtCapacity => ExclusionReason::AtCapacity,
        _ => ExclusionReason::NotAvailable,
    }
}

/// Groups what was left out by its reason, with short agent numbers.
pub(crate) fn exclude(excluded: &mut Vec<Excluded>, reason: ExclusionReason, number: u32) {
    match excluded.iter_mut().find(|group| group.reason == reason) {
        Some(group) => group.agents.push(number),
        None => excluded.push(Excluded { agents: vec![number], reason, subjects: vec![] }),
    }
}

/// A reservation of the inquiry that ends in the same decision: the state still counts it.
#[derive(Clone, Copy)]
pub enum Ending {
    Nothing,
    /// Its agent had its chance.
    Refused(AgentId),
    /// Without blame: its agent is free for the inquiry again.
    Rescinded(AgentId),
}

impl Ending {
    fn agent(self) -> Option<AgentId> {
        match self {
            Ending::Nothing => None,
            Ending::Refused(agent) | Ending::Rescinded(agent) => Some(agent),
        }
    }
}

/// Ranks the candidates and awards to the first that meets the reserve, is free, and has the money; adds
/// a reservation for it. Nobody: the auction is unsold and the inquiry is back in its place, or in its
/// next round where an eligible agent is free and could bid. Losers are told why, once. Who was barred since it bid
/// may win all the same.
///
/// Adds every event; returns the agent asked now.
pub fn decide_award(
    state: &State,
    id: AuctionId,
    auction: &Auction,
    mut candidates: Vec<Candidate>,
    bought: bool,
    ending: Ending,
    ctx: &Ctx,
    events: &mut Vec<Event>,
) -> Option<AgentId> {
    let rules = &auction.rules;
    let direction = rules.direction;
    let inquiry_id = auction.inquiry;
    let inquiry = state.inquiries.get(inquiry_id).expect("an auction has its inquiry");
    let first_time = auction.awarded.is_none();
    let avoided = location::avoided(state, ending.agent());
    let is_rescinded = |agent| matches!(ending, Ending::Rescinded(rescinded) if rescinded == agent);
    candidates.sort_by(|a, b| pricing::by_rank(direction, a.amount, b.amount).then(a.number.cmp(&b.number)));
    let money = |amount| Money::new(amount, rules.currency).expect("prices keep the exponent");

    let mut excluded = Vec::new();
    let mut winner = None;
    let mut forfeited: Vec<BidId> = Vec::new();
    let mut out_of_funds: Vec<BidId> = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        if !pricing::meets_reserve(rules, candidate.amount) {
            break;
        }
        let mut agent = state.agents.get(candidate.agent).expect("who bids is registered").clone();
        agent.reserved -= u32::from(is_rescinded(candidate.agent));
        let fit = eligible(candidate.agent, &agent, inquiry).map_err(|refusal| reason_of(&refusal));
        let fit = fit.and(match avoided.contains(&&*agent.location) {
            true => Err(ExclusionReason::LocationAvoided),
            false => Ok(()),
        });
        if let Err(reason) = fit {
            exclude(&mut excluded, reason, agent.number);
            events.push(forfeit(id, auction, candidate, LossReason::NotFree));
            forfeited.push(candidate.bid);
            continue;
        }
        let amounts: Vec<Decimal> = candidates[at..].iter().take(2).map(|other| other.amount).collect();
        let price = pricing::clearing_price(rules, &amounts);
        if !can_pay(state, auction, candidate, money(price)) {
            exclude(&mut excluded, ExclusionReason::NoFunds, agent.number);
            match direction {
                Direction::Forward => {
                    events.push(forfeit(id, auction, candidate, LossReason::NoFunds));
                    forfeited.push(candidate.bid);
                }
                Direction::Reverse => out_of_funds.push(candidate.bid),
            }
            continue;
        }
        winner = Some((candidate, price));
        break;
    }

    let left: Vec<&Candidate> = candidates.iter().filter(|candidate| !forfeited.contains(&candidate.bid)).collect();
    let ranked = left.iter().take(RANKED_MAX).map(|candidate| Ranked {
        amount: Some(money(candidate.amount)),
        bid: Some(candidate.bid),
        score: None,
        subject: candidate.agent.into(),
        tie_key: candidate.number.to_string(),
    });
    let why = Why {
        chosen: winner.map(|(candidate, _)| candidate.agent.into()),
        excluded,
        ranked: ranked.collect(),
        rule: if bought { "buy_now/1" } else { "award/1" }.to_owned(),
    };
    if let Some((candidate, price)) = winner {
        if direction == Direction::Reverse {
            // The price is held of the provider's account from now on, so it has one.
            wallet::open_if_absent(state, Party::Provider(inquiry.provider), rules.currency, None, ctx, events);
        }
        let awarded = AuctionAwarded {
            agent: candidate.agent,
            auction: id,
            bid: candidate.bid,
            hold: money(price),
            inquiry: inquiry_id,
            price: money(price),
            why: why.clone(),
        };
        events.push(awarded.into());
    }
    for candidate in &left {
        // Whose reservation was rescinded had won: where it does not win again, it loses only now.
        let told = first_time || is_rescinded(candidate.agent);
        if told && winner.is_none_or(|(won, _)| won.bid != candidate.bid) {
            let reason = match winner {
                _ if out_of_funds.contains(&candidate.bid) => LossReason::NoFunds,
                _ if !pricing::meets_reserve(rules, candidate.amount) => LossReason::ReserveNotMet,
                _ if bought => LossReason::BoughtNow,
                Some((won, _)) if won.amount == candidate.amount => LossReason::TieLater,
                _ => LossReason::Outbid,
            };
            let lost = BidLost { agent: candidate.agent, auction: id, bid: candidate.bid, inquiry: inquiry_id, reason };
            events.push(lost.into());
        }
    }
    match winner {
        Some((candidate, price)) => {
            let reservation = ReservationOpened {
                agent: candidate.agent,
                attempt: inquiry.reservations.len() as u32 + 1,
                auction: Some(id),
                bid: Some(candidate.bid),
                deadline: ctx.now + inquiry.terms.consent_window,
                inquiry: inquiry_id,
                invitation: None,
                payer: None,
                price: Some(money(price)),
                purpose: Purpose::Awarded,
                reservation: ReservationId(ctx.ids.next()),
            };
            events.push(reservation.into());
            Some(candidate.agent)
        }
        None => {
            events.push(AuctionUnsold { auction: id, inquiry: inquiry_id, why }.into());
            let rounds = inquiry.auctions.len() as u32;
            let refused = auction::refused_by(state, inquiry);
            let could_win = |agent, row: &Agent| {
                !refused.contains(&agent)
                    && eligible(agent, row, inquiry).is_ok()
                    && !row.is_barred()
                    && !avoided.contains(&&*row.location)
            };
            let free = || state.agents.any_keyed(could_win);
            if let Allocation::Auction(rules) = &inquiry.terms.allocation
                && rounds < rules.rounds
                && free()
            {
                events.push(auction::open(inquiry_id, rules.clone(), rounds + 1, ctx));
            } else {
                events.push(inquiry::requeue(inquiry, inquiry_id, ctx));
            }
            None
        }
    }
}

/// What is held for the old winner is free again in this decision: the agent's own hold (FORWARD), the
/// provider's (REVERSE).
fn can_pay(state: &State, auction: &Auction, candidate: &Candidate, price: Money) -> bool {
    match auction.rules.direction {
        Direction::Forward => has(state, Party::Agent(candidate.agent), candidate.hold, price),
        Direction::Reverse => provider_can_pay(state, auction, price),
    }
}

pub fn provider_can_pay(state: &State, auction: &Auction, price: Money) -> bool {
    has(state, Party::Provider(auction.provider), auction.provider_hold, price)
}

fn has(state: &State, payer: Party, held: Decimal, price: Money) -> bool {
    wallet::available(state, payer, price.currency()).is_none_or(|free| free + held >= price.amount())
}

fn forfeit(id: AuctionId, auction: &Auction, candidate: &Candidate, reason: LossReason) -> Event {
    BidForfeited { agent: candidate.agent, auction: id, bid: candidate.bid, inquiry: auction.inquiry, reason }.into()
}
