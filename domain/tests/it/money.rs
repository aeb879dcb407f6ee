//! Money: what comes in, what is held, escrowed, pending, payable; who pays whom.

use crate::support::market::names;
use crate::support::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::Event;
use domain::event::settlement::{Leg, SettlementEvent};
use domain::event::wallet::Party;
use domain::ids::AgentId;
use domain::refusal::Refusal;
use domain::terms::AuctionFormat::*;
use domain::terms::{AuctionRules, OfferTerms};
use domain::time::Span;

fn credit(owner: Party, amount: &str, reference: &str) -> Command {
    Command::CreditWallet { owner, amount: eur(amount), reference: reference.to_owned() }
}

#[test]
fn finance_credits_a_known_owner_with_more_than_nothing() {
    let mut market = Market::with(&[ANN]);
    let till = Actor::Finance("till".into());
    assert_eq!(market.operator(credit(Party::Agent(ANN), "1.00", "cash")), Err(Refusal::Forbidden));
    assert_eq!(
        market.asks(till.clone(), credit(Party::Agent(AgentId(9)), "0.00", "")),
        Err(Refusal::NotFound { field: "owner" })
    );
    for amount in ["0.00", "-0.01"] {
        assert!(
            matches!(market.asks(till.clone(), credit(Party::Agent(ANN), amount, "")), Err(Refusal::Invalid { field, .. }) if field[0] == "amount")
        );
    }
    assert!(
        matches!(market.asks(till.clone(), credit(Party::Agent(ANN), "1.00", " ")), Err(Refusal::Invalid { field, .. }) if field == ["reference"])
    );
    assert!(market.asks(till, credit(Party::Agent(ANN), "0.01", "cash")).is_ok());
    assert_eq!(market.balance(Party::Agent(ANN)), eur("100.01"));
}

#[test]
fn a_balance_has_at_most_eighteen_digits() {
    let mut market = Market::empty();
    market.register(ANN, &[], 1, None);
    market.credit(ANN, "999999999999999999.98");
    let till = Actor::Finance("till".into());
    assert!(market.asks(till.clone(), credit(Party::Agent(ANN), "0.02", "cash")).is_err());
    assert!(market.asks(till, credit(Party::Agent(ANN), "0.01", "cash")).is_ok());
}

#[test]
fn the_first_credit_opens_the_account_and_the_next_does_not() {
    let mut market = Market::empty();
    market.register(ANN, &[], 1, None);
    let till = Actor::Finance("till".into());
    let first = market.asks(till.clone(), credit(Party::Agent(ANN), "1.00", "cash")).unwrap();
    assert_eq!(names(&first), ["wallet.opened", "wallet.credited"]);
    assert_eq!(names(&market.asks(till, credit(Party::Agent(ANN), "1.00", "cash")).unwrap()), ["wallet.credited"]);
}

/// The legs of settlement events, by event and account, debit positive.
fn legs(events: &[Event]) -> Vec<(String, String)> {
    let legs: Vec<Leg> = events
        .iter()
        .flat_map(|event| match event {
            Event::Settlement(SettlementEvent::Escrowed(e)) => e.legs.clone(),
            Event::Settlement(SettlementEvent::Pending(e)) => e.legs.clone(),
            Event::Settlement(SettlementEvent::Payable(e)) => e.legs.clone(),
            _ => vec![],
        })
        .collect();
    legs.into_iter().map(|leg| (leg.account, leg.amount.amount().to_string())).collect()
}

/// Ann wins at 9.00 and serves; the legs at consent, at completion and two days later.
fn served(rules: AuctionRules, wrap_up: bool) -> (Market, [Vec<(String, String)>; 3]) {
    let mut market = Market::with(&[ANN]);
    let terms = terms::terms(rules);
    market.inquires(OfferTerms { wrap_up: terms.wrap_up.filter(|_| wrap_up), ..terms }, &["help"]);
    market.bid(ANN, "9.00");
    market.closes();
    let escrowed = legs(&market.accepts(ANN).unwrap());
    let session = market.session();
    let mut done = market.customer(Command::EndSession { session }).unwrap();
    if wrap_up {
        assert!(legs(&done).is_empty());
        done = market.agent(ANN, Command::CompleteWrapUp { session, information: None }).unwrap();
    }
    let completed_at = market.now;
    assert!(market.until(before(completed_at + Span::days(2))).is_empty(), "the return window");
    let payable = market.until(completed_at + Span::days(2));
    (market, [escrowed, legs(&done), legs(&payable)])
}

#[test]
fn forward_the_agents_money_goes_to_escrow_pending_and_payable_to_the_provider() {
    for wrap_up in [true, false] {
        let (market, stages) = served(forward(Open), wrap_up);
        let escrow = format!("liabilities:escrow:{}", market.inquiry);
        let leg = |account: &str, amount: &str| (account.to_owned(), amount.to_owned());
        let provider = |state: &str| format!("liabilities:provider:{PROVIDER}:{state}");
        assert_eq!(
            stages,
            [
                vec![leg(&format!("liabilities:agent:{ANN}:wallet"), "9.00"), leg(&escrow, "-9.00")],
                vec![leg(&escrow, "9.00"), leg(&provider("pending"), "-9.00")],
                vec![leg(&provider("pending"), "9.00"), leg(&provider("payable"), "-9.00")],
            ]
        );
        assert_eq!((market.balance(Party::Agent(ANN)), market.held(ANN)), (eur("91.00"), eur("0.00")));
        assert!(market.state.settlements.is_empty() && market.state.timers.is_empty());
    }
}

#[test]
fn reverse_the_providers_money_goes_to_the_agent() {
    let (market, stages) = served(reverse(Open), true);
    let escrow = format!("liabilities:escrow:{}", market.inquiry);
    let leg = |account: String, amount: &str| (account, amount.to_owned());
    assert_eq!(
        stages[0],
        [leg(format!("liabilities:provider:{PROVIDER}:wallet"), "9.00"), leg(escrow.clone(), "-9.00")]
    );
    assert_eq!(stages[1], [leg(escrow, "9.00"), leg(format!("liabilities:agent:{ANN}:pending"), "-9.00")]);
    let provider = Party::Provider(PROVIDER);
    assert_eq!((market.balance(provider), market.held_of(provider)), (eur("-9.00"), eur("0.00")), "on account");
    assert_eq!(market.balance(Party::Agent(ANN)), eur("100.00"));
}

#[test]
fn a_bid_is_a_hold_and_never_a_posting() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(SealedSecondPrice));
    let bid = market.bid(ANN, "9.00");
    assert_eq!((market.balance(Party::Agent(ANN)), market.held(ANN)), (eur("100.00"), eur("9.00")));
    market.withdraws_bid(ANN, bid).unwrap();
    market.bid(ANN, "5.00");
    market.closes();
    assert_eq!((market.balance(Party::Agent(ANN)), market.held(ANN)), (eur("100.00"), eur("0.01")), "the price");
    market.declines(ANN).unwrap();
    assert_eq!(market.held(ANN), eur("0.00"));
    assert!(market.state.settlements.is_empty());
}

#[test]
fn a_credit_limit_is_zero_or_more() {
    let mut market = Market::with(&[ANN]);
    let limit = |amount| Command::UpdateAgent {
        agent: ANN,
        display_name: None,
        location: None,
        skills: None,
        capacity: None,
        affiliated_with: Patch::Keep,
        credit_limit: Some(eur(amount)),
    };
    assert!(matches!(market.operator(limit("-0.01")), Err(Refusal::Invalid { .. })));
    assert_eq!(names(&market.operator(limit("0.00")).unwrap()), ["wallet.credit_limit_set"]);
}

#[test]
fn limits_taken_over_twice_are_granted_once() {
    let mut market = Market::empty();
    let source =
        domain::event::community::SourcePosition { hash: "00".to_owned(), log: "community".parse().unwrap(), seq: 4 };
    let grant = |limit| Command::GrantCreditLimits {
        provider: PROVIDER,
        limits: vec![eur(limit)],
        lifted: vec![],
        source: source.clone(),
    };
    assert_eq!(names(&market.asks(Actor::System, grant("5.00")).unwrap()), ["call_server.credit_limit_granted"]);
    assert_eq!(market.asks(Actor::System, grant("9.00")), Ok(vec![]));
    let other = domain::event::community::SourcePosition { hash: "01".to_owned(), ..source.clone() };
    let forked =
        Command::GrantCreditLimits { provider: PROVIDER, limits: vec![], lifted: vec![euro()], source: other.clone() };
    assert_eq!(market.asks(Actor::System, forked), Err(Refusal::SourceForked));
    let forked = Command::StartCallServer {
        call_server: domain::ids::CallServerId(1),
        name: "bank".parse().unwrap(),
        locations: vec![],
        source: other,
    };
    assert_eq!(market.asks(Actor::System, forked), Err(Refusal::SourceForked));
}
