//! Payouts, given, when, then: what is payable leaves, comes back, or pays what is owed.

use crate::support::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::Event;
use domain::event::wallet::{Party, ReturnReason, WalletEvent};
use domain::ids::PayoutId;
use domain::payout::PAYOUTS_MAX;
use domain::refusal::Refusal;
use domain::terms::{AuctionFormat, AuctionRules};
use domain::time::Span;
use proptest::prelude::*;

const SHOP: Party = Party::Provider(PROVIDER);

fn finance(market: &mut Market, command: Command) -> Result<Vec<Event>, Refusal> {
    market.asks(Actor::Finance("till".into()), command)
}
fn pay(market: &mut Market, owner: Party, amount: &str) -> Result<Vec<Event>, Refusal> {
    finance(market, Command::PayOut { owner, amount: eur(amount) })
}
fn net(market: &mut Market, owner: Party) -> Result<Vec<Event>, Refusal> {
    finance(market, Command::NetPayable { owner, currency: euro() })
}
fn send_back(market: &mut Market, payout: PayoutId) -> Result<Vec<Event>, Refusal> {
    let reason = "AC04".parse().unwrap();
    finance(market, Command::ReturnPayout { owner: SHOP, currency: euro(), payout, reason })
}
fn payout(events: &[Event]) -> PayoutId {
    let [Event::Wallet(WalletEvent::PaidOut(e))] = events else { panic!("{events:?}") };
    e.payout
}
fn payable(market: &Market, owner: Party) -> String {
    market.state.accounts.get((owner, euro())).unwrap().payable.to_string()
}

/// Ann wins at this price, serves, and two days pass.
fn matured(market: &mut Market, rules: AuctionRules, price: &str) {
    market.inquires(terms::terms(rules), &["help"]);
    market.bid(ANN, price);
    market.closes();
    market.accepts(ANN).unwrap();
    let session = market.session();
    market.customer(Command::EndSession { session }).unwrap();
    market.agent(ANN, Command::CompleteWrapUp { session, information: None }).unwrap();
    market.pass(Span::days(2));
}

/// The shop has 9.00 payable.
fn earned() -> Market {
    let mut market = Market::with(&[ANN]);
    matured(&mut market, forward(AuctionFormat::Open), "9.00");
    market
}

#[test]
fn what_matures_is_payable_and_no_part_of_the_balance() {
    let market = earned();
    assert_eq!(payable(&market, SHOP), "9.00");
    assert_eq!(market.balance(SHOP), eur("0.00"));
}

#[test]
fn no_more_leaves_than_is_payable_and_what_leaves_is_on_its_way() {
    let mut market = earned();
    assert_eq!(pay(&mut market, SHOP, "9.01"), Err(Refusal::NotPayable { payable: eur("9.00") }));
    assert!(matches!(pay(&mut market, SHOP, "0.00"), Err(Refusal::Invalid { .. })));
    assert!(matches!(pay(&mut market, SHOP, "-1.00"), Err(Refusal::Invalid { .. })));
    let events = pay(&mut market, SHOP, "4.00").unwrap();
    let [Event::Wallet(WalletEvent::PaidOut(e))] = &events[..] else { panic!("{events:?}") };
    let legs: Vec<_> = e.legs.iter().map(|leg| (leg.account.as_str(), leg.amount, leg.rule.as_str())).collect();
    let path = format!("liabilities:provider:{PROVIDER}:payable");
    let transit = "liabilities:payout-in-transit";
    assert_eq!(legs, [(path.as_str(), eur("4.00"), "payout/1"), (transit, eur("-4.00"), "payout/1")]);
    assert_eq!(payable(&market, SHOP), "5.00");
    assert_eq!(pay(&mut market, SHOP, "5.01"), Err(Refusal::NotPayable { payable: eur("5.00") }));
    pay(&mut market, SHOP, "5.00").unwrap();
    assert_eq!(payable(&market, SHOP), "0.00");
}

#[test]
fn what_comes_back_is_payable_once_more_and_once_only() {
    let mut market = earned();
    let first = payout(&pay(&mut market, SHOP, "4.00").unwrap());
    let second = payout(&pay(&mut market, SHOP, "3.00").unwrap());
    send_back(&mut market, first).unwrap();
    assert_eq!(payable(&market, SHOP), "6.00");
    assert_eq!(send_back(&mut market, first), Err(Refusal::NotFound { field: "payoutId" }));
    let row = market.state.accounts.get((SHOP, euro())).unwrap();
    assert_eq!(row.payouts[..], [(second, eur("3.00"))], "the other one is on its way");
}

#[test]
fn who_owes_is_paid_what_it_does_not_owe_or_pays_with_it() {
    let mut market = earned();
    assert!(matches!(net(&mut market, SHOP), Err(Refusal::NotAllowedNow { .. })), "it owes nothing");
    // The shop pays on account: 5.00 for what Ann does for it.
    matured(&mut market, reverse(AuctionFormat::SealedFirstPrice), "5.00");
    assert_eq!((market.balance(SHOP), payable(&market, SHOP).as_str()), (eur("-5.00"), "9.00"));
    assert_eq!(pay(&mut market, SHOP, "4.01"), Err(Refusal::NotPayable { payable: eur("4.00") }));
    pay(&mut market, SHOP, "3.00").unwrap();
    net(&mut market, SHOP).unwrap();
    assert_eq!((market.balance(SHOP), payable(&market, SHOP).as_str()), (eur("0.00"), "1.00"));
    // What is payable goes as far as it goes.
    matured(&mut market, reverse(AuctionFormat::SealedFirstPrice), "5.00");
    net(&mut market, SHOP).unwrap();
    assert_eq!((market.balance(SHOP), payable(&market, SHOP).as_str()), (eur("-4.00"), "0.00"));
    assert!(matches!(net(&mut market, SHOP), Err(Refusal::NotAllowedNow { .. })), "nothing is payable");
    assert_eq!(pay(&mut market, SHOP, "0.01"), Err(Refusal::NotPayable { payable: eur("0.00") }));
    // Ann has earned twice what the shop paid her.
    assert_eq!(payable(&market, Party::Agent(ANN)), "10.00");
}

#[test]
fn finance_alone_pays_out_and_from_accounts_that_there_are() {
    let mut market = earned();
    for other in [Actor::Agent(ANN), Actor::Provider(PROVIDER), Actor::Anonymous, Actor::System] {
        let command = Command::PayOut { owner: SHOP, amount: eur("1.00") };
        assert_eq!(market.asks(other.clone(), command), Err(Refusal::Forbidden));
        let command = Command::NetPayable { owner: SHOP, currency: euro() };
        assert_eq!(market.asks(other, command), Err(Refusal::Forbidden));
    }
    let unknown = Err(Refusal::NotFound { field: "accountId" });
    assert_eq!(pay(&mut market, Party::Agent(BEN), "1.00"), unknown);
    let yen = domain::money::Money::parse("1", "JPY".parse().unwrap()).unwrap();
    assert_eq!(finance(&mut market, Command::PayOut { owner: SHOP, amount: yen }), unknown);
    assert_eq!(send_back(&mut market, PayoutId(7)), Err(Refusal::NotFound { field: "payoutId" }));
}

#[test]
fn a_thousand_are_on_their_way_at_most() {
    let mut market = Market::with(&[ANN]);
    matured(&mut market, forward(AuctionFormat::Open), "20.00");
    market.audited = false;
    for _ in 0..PAYOUTS_MAX {
        pay(&mut market, SHOP, "0.01").unwrap();
    }
    assert!(matches!(pay(&mut market, SHOP, "0.01"), Err(Refusal::LimitReached { .. })));
}

#[test]
fn a_reason_is_four_capitals_or_digits() {
    for good in ["AC04", "AM09", "MD07", "0000"] {
        assert_eq!(good.parse::<ReturnReason>().unwrap().as_str(), good);
    }
    for bad in ["", "AC4", "ac04", "AC04 ", "AC-4", "ÄC4"] {
        assert!(bad.parse::<ReturnReason>().is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// In any order, after each step: payable, on its way and owed are what the auditor counted, and nothing is below zero.
    #[test]
    fn payouts_in_any_order_lose_and_double_nothing(deeds in proptest::collection::vec((0u8..4, 0i64..600), 1..40)) {
        let mut market = earned();
        let mut sent = vec![];
        for (deed, number) in deeds {
            match deed {
                0 => {
                    let amount = domain::money::Money::of_units(number.into(), euro());
                    if let Ok(events) = finance(&mut market, Command::PayOut { owner: SHOP, amount }) {
                        sent.push(payout(&events));
                    }
                }
                1 if !sent.is_empty() => {
                    let _ = send_back(&mut market, sent[number as usize % sent.len()]);
                }
                2 => {
                    let _ = net(&mut market, SHOP);
                }
                _ => matured(&mut market, reverse(AuctionFormat::SealedFirstPrice), "2.50"),
            }
        }
        prop_assert!(market.folded() == market.state);
    }
}
