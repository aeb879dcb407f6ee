//! What a selection must come to, told once more and naively: who could have an inquiry, and who of them is first.

use domain::event::agent::Will;
use domain::event::wallet::Party;
use domain::ids::{AgentId, InquiryId};
use domain::state::{Agent, Inquiry, InquiryState, ReservationPhase, State};
use domain::terms::{Allocation, Direction, RoutingPolicy};
use domain::time::{Span, Timestamp};
use rust_decimal::Decimal;

/// `cards` covers `cards/lost`.
fn covers(whole: &str, part: &str) -> bool {
    format!("{part}/").starts_with(&format!("{whole}/"))
}

fn price(state: &State, id: AgentId, agent: &Agent, inquiry: &Inquiry, now: Timestamp) -> Option<Option<Decimal>> {
    let Allocation::Routed { direction, policy, price } = &inquiry.terms.allocation else { return None };
    let asked = match (policy, price) {
        (RoutingPolicy::BestValue, Some(bound)) => {
            let mut best: Option<(usize, Decimal)> = None;
            for value in agent.values.iter() {
                let fits = inquiry.topics.iter().any(|topic| covers(value.topic.as_str(), topic.as_str()));
                let counts = value.valid_until.is_none_or(|until| now < until);
                if value.direction == *direction && value.value.currency() == bound.currency() && fits && counts {
                    let (depth, amount) = (value.topic.as_str().split('/').count(), value.value.amount());
                    let better = best.is_none_or(|(known, other)| {
                        depth > known
                            || depth == known
                                && if *direction == Direction::Forward { amount > other } else { amount < other }
                    });
                    if better {
                        best = Some((depth, amount));
                    }
                }
            }
            let (_, amount) = best?;
            let within = match direction {
                Direction::Forward => amount >= bound.amount(),
                Direction::Reverse => amount <= bound.amount(),
            };
            within.then_some(Some(amount))?
        }
        (_, price) => price.map(|price| price.amount()),
    };
    if let (Some(amount), Some(bound)) = (asked, price) {
        let payer = match direction {
            Direction::Forward => Party::Agent(id),
            Direction::Reverse => Party::Provider(inquiry.provider),
        };
        let free = match (state.accounts.get((payer, bound.currency())), payer) {
            (Some(account), _) => account.credit_limit.map(|limit| account.balance + limit - account.held),
            (None, Party::Agent(_)) => Some(Decimal::ZERO),
            (None, Party::Provider(_)) => None,
        };
        if free.is_some_and(|free| free < amount) {
            return None;
        }
    }
    Some(asked)
}

/// Counted anew from its agents.
pub fn is_avoided(state: &State, location: &str) -> bool {
    let mut sessions = 0;
    state.agents.any_keyed(|_, agent| {
        sessions += if *agent.location == *location { agent.reserved + agent.sessions } else { 0 };
        false
    });
    let traffic = state.sites.get(location).and_then(|site| site.report).map(|report| report.traffic);
    state.scalars.locations.iter().any(|known| {
        known.name == location
            && (known.session_limit.is_some_and(|limit| sessions >= limit)
                || known.limit.is_some_and(|limit| traffic.is_some_and(|traffic| traffic >= limit)))
    })
}

fn could(state: &State, id: AgentId, agent: &Agent, inquiry: &Inquiry, now: Timestamp) -> bool {
    let free = agent.will == Will::Available
        && agent.wrap_ups == 0
        && agent.conferences == 0
        && agent.reserved + agent.sessions < agent.capacity;
    let independent = !inquiry.terms.independent_agents_only || agent.affiliated_with != Some(inquiry.provider);
    let begun = inquiry.begins_at.is_none();
    let paid_for_its_own = inquiry.unpaid == Some(id);
    let skilled = inquiry.desired_skills.iter().all(|want| {
        agent.skills.iter().any(|has| has.level >= want.level && covers(has.name.as_str(), want.name.as_str()))
    });
    let refused = inquiry.reservations.iter().enumerate().any(|(at, reservation)| {
        let row = state.reservations.get(*reservation).unwrap();
        let lapsed = row.phase == ReservationPhase::Lapsed && at >= inquiry.chain_from as usize;
        let cools = row.phase == ReservationPhase::Declined && now < row.ended_at.unwrap() + Span::minutes(5);
        row.agent == id && (lapsed || cools)
    });
    free && begun
        && !is_avoided(state, &agent.location)
        && independent
        && !paid_for_its_own
        && !agent.blocked_by.contains(&inquiry.provider)
        && !agent.blocks.contains(&inquiry.customer)
        // Its customer is erased, and more of it was to end first.
        && state.erased.get(inquiry.customer).is_none_or(|row| row.goes_on.is_none())
        && skilled
        && !refused
        && price(state, id, agent, inquiry, now).is_some()
}

/// Whom an inquiry prefers, and whether it waits for that one: it would have it, had it nothing else to do.
fn preferred(state: &State, inquiry: &Inquiry, now: Timestamp) -> Option<(AgentId, bool)> {
    let id = inquiry.preferred?.agent;
    let agent = state.agents.get(id).unwrap();
    let busy = agent.wrap_ups > 0 || agent.conferences > 0 || agent.reserved + agent.sessions >= agent.capacity;
    let idle = Agent { wrap_ups: 0, conferences: 0, reserved: 0, sessions: 0, ..agent.clone() };
    // Where it sits, and whose money it is, is asked when it is free.
    let anywhere = Agent { location: "nowhere".into(), ..idle };
    let free = Inquiry { terms: std::sync::Arc::new(without_price(inquiry)), ..inquiry.clone() };
    Some((id, busy && could(state, id, &anywhere, &free, now)))
}

fn without_price(inquiry: &Inquiry) -> domain::terms::OfferTerms {
    let allocation =
        Allocation::Routed { direction: Direction::Reverse, policy: RoutingPolicy::LongestIdle, price: None };
    domain::terms::OfferTerms { allocation, ..(*inquiry.terms).clone() }
}

/// Who must be chosen for an inquiry now, or nobody.
pub fn best(state: &State, id: InquiryId, now: Timestamp) -> Option<AgentId> {
    let inquiry = state.inquiries.get(id).unwrap();
    let Allocation::Routed { direction, policy, .. } = &inquiry.terms.allocation else { panic!("not routed") };
    let mut best: Option<(AgentId, Vec<Decimal>)> = None;
    let preferred = preferred(state, inquiry, now);
    if preferred.is_some_and(|(_, held)| held) {
        return None;
    }
    for id in &state.roster {
        let agent = state.agents.get(*id).unwrap();
        if !could(state, *id, agent, inquiry, now) {
            continue;
        }
        let first = Decimal::from(u8::from(preferred.is_none_or(|(agent, _)| agent != *id)));
        let by_policy = match policy {
            RoutingPolicy::LongestIdle => Decimal::ZERO,
            RoutingPolicy::RoundRobin => Decimal::from(agent.selected),
            RoutingPolicy::BestSkilled => {
                let level = |want: &domain::topic::Skill| {
                    let of = agent.skills.iter().filter(|has| covers(has.name.as_str(), want.name.as_str()));
                    of.map(|has| i64::from(has.level)).max().unwrap_or(0)
                };
                -Decimal::from(inquiry.desired_skills.iter().map(level).sum::<i64>())
            }
            RoutingPolicy::BestValue => {
                let amount = price(state, *id, agent, inquiry, now).flatten().unwrap();
                if *direction == Direction::Forward { -amount } else { amount }
            }
        };
        let load = Decimal::from(agent.reserved + agent.sessions);
        let rank = vec![first, by_policy, load, Decimal::from(agent.worked_at.0), Decimal::from(agent.number)];
        if best.as_ref().is_none_or(|(_, other)| rank < *other) {
            best = Some((*id, rank));
        }
    }
    best.map(|(agent, _)| agent)
}

/// No routed inquiry waits while somebody could have it, unless that one's turn is put off for a moment.
pub fn nobody_waits_for_whom_it_could_have(state: &State, now: Timestamp) {
    state.inquiries.any_keyed(|id, row| {
        let routed = matches!(row.terms.allocation, Allocation::Routed { .. });
        let over = row.waiting_since.is_none_or(|since| now - since >= row.wait_left);
        // Whose refusal is just long enough ago is selected for next.
        let due = row.selects_at.is_some_and(|at| at <= now);
        if routed && row.state == InquiryState::Queued && !over && !due {
            let put_off = state.agents.any_keyed(|_, agent| agent.rounds_at.is_some());
            assert!(put_off || best(state, id, now).is_none(), "{id} waits for an agent that could have it");
        }
        false
    });
}
