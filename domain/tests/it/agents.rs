//! Agents: registered once, what they want, what they can.

use crate::support::market::{names, statuses};
use crate::support::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::agent::Will;
use domain::refusal::Refusal;
use domain::terms::AuctionFormat::*;

fn register(capacity: u32, skills: Vec<Skill>) -> Command {
    Command::RegisterAgent {
        agent: ANN,
        display_name: sealed("Ann"),
        location: "Graz".to_owned(),
        skills,
        capacity,
        affiliated_with: None,
        credit_limit: None,
    }
}

#[test]
fn an_agent_is_registered_once_with_a_short_number() {
    let mut market = Market::with(&[BEN]);
    market.operator(register(1, vec![])).unwrap();
    assert_eq!(market.who(ANN).number, 2);
    assert_eq!(market.operator(register(1, vec![])), Err(Refusal::NameTaken));
}

#[test]
fn capacity_and_levels_have_bounds_and_each_skill_stands_once() {
    for (capacity, valid) in [(0, false), (1, true), (100, true), (101, false)] {
        assert_eq!(Market::empty().operator(register(capacity, vec![])).is_ok(), valid, "{capacity}");
    }
    for (level, valid) in [(0, false), (1, true), (10, true), (11, false)] {
        assert_eq!(Market::empty().operator(register(1, vec![skill("help", level)])).is_ok(), valid, "{level}");
    }
    assert!(Market::empty().operator(register(1, vec![skill("help", 1), skill("help", 2)])).is_err());
}

#[test]
fn an_agent_sets_its_own_status_and_an_operator_anyones() {
    let mut market = Market::with(&[ANN, BEN]);
    let rest = Command::SetAgentStatus { agent: ANN, will: Will::Break, note: None };
    let missing = Err(Refusal::NotFound { field: "agentId" });
    assert_eq!(market.agent(BEN, rest.clone()), missing);
    assert_eq!(market.agent(DAN, Command::SetAgentStatus { agent: DAN, will: Will::Break, note: None }), missing);
    assert_eq!(market.asks(Actor::Customer(CUSTOMER), rest.clone()), Err(Refusal::Forbidden));
    assert_eq!(statuses(&market.agent(ANN, rest.clone()).unwrap()), [(ANN, Will::Break)]);
    assert_eq!(statuses(&market.agent(ANN, rest).unwrap()), [(ANN, Will::Break)], "it is so already, and has a place");
    let back = Command::SetAgentStatus { agent: ANN, will: Will::Available, note: Some(sealed("back")) };
    assert_eq!(statuses(&market.operator(back).unwrap()), [(ANN, Will::Available)]);
}

#[test]
fn an_update_changes_what_it_names_and_nothing_else() {
    let mut market = Market::with(&[ANN]);
    let nothing = Command::UpdateAgent {
        agent: ANN,
        display_name: None,
        location: None,
        skills: None,
        capacity: None,
        affiliated_with: Patch::Keep,
        credit_limit: None,
    };
    assert_eq!(market.operator(nothing.clone()), Err(Refusal::nothing_to_change()));
    let Command::UpdateAgent { agent, display_name, location, skills, affiliated_with, credit_limit, .. } = nothing
    else {
        panic!()
    };
    let wider = Command::UpdateAgent {
        agent,
        display_name,
        location,
        skills,
        capacity: Some(3),
        affiliated_with,
        credit_limit,
    };
    assert_eq!(names(&market.operator(wider).unwrap()), ["agent.updated"]);
    assert_eq!((market.who(ANN).capacity, market.who(ANN).skills.len()), (3, 1));
}

/// Ann is the provider's own, so its independent offers are not for her.
#[test]
fn an_affiliation_stays_unless_it_is_named_and_ends_where_it_is_named_as_nothing() {
    let mut market = Market::empty();
    market.register(ANN, &[skill("help", 1)], 1, Some(PROVIDER));
    market.credit(ANN, "10.00");
    market.available(ANN);
    let update = |capacity, affiliated_with| Command::UpdateAgent {
        agent: ANN,
        display_name: None,
        location: None,
        skills: None,
        capacity,
        affiliated_with,
        credit_limit: None,
    };
    market.auctions(forward(Open));
    market.operator(update(Some(2), Patch::Keep)).unwrap();
    assert_eq!(market.who(ANN).affiliated_with, Some(PROVIDER));
    assert_eq!(market.bids(ANN, "1.00"), Err(Refusal::AgentNotIndependent));
    assert_eq!(names(&market.operator(update(None, Patch::Clear)).unwrap()), ["agent.updated"]);
    assert_eq!(market.who(ANN).affiliated_with, None);
    assert!(market.bids(ANN, "1.00").is_ok());
    market.operator(update(None, Patch::Set(PROVIDER))).unwrap();
    assert_eq!(market.who(ANN).affiliated_with, Some(PROVIDER));
    assert!(market.folded() == market.state, "the log says so too");
}

#[test]
fn an_agent_reads_its_own_notices_and_again_is_recorded_again() {
    let mut market = Market::with(&[ANN, BEN]);
    let read = |through| Command::ReadNotices { agent: ANN, through };
    for through in [7, 7, 3] {
        let events = market.agent(ANN, read(Some(through))).unwrap();
        assert_eq!(names(&events), ["agent.notices_read"], "{through}");
    }
    assert_eq!(market.agent(ANN, read(None)), Err(Refusal::NotFound { field: "noticeId" }));
    assert_eq!(market.agent(BEN, read(Some(7))), Err(Refusal::NotFound { field: "agentId" }));
    assert_eq!(market.operator(read(Some(7))), Err(Refusal::Forbidden));
}
