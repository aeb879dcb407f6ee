//! How large an amount may be: what terms and bids may name, and that nothing which follows from it by the
//! rules of an auction leaves the currency.

use crate::support::*;
use domain::actor::Actor;
use domain::check;
use domain::command::Command;
use domain::currency::Currency;
use domain::event::wallet::Party;
use domain::money::Money;
use domain::pricing;
use domain::refusal::Refusal;
use domain::terms::AuctionFormat::*;
use domain::terms::{AuctionRules, Direction, IncrementStep};
use proptest::prelude::*;
use rust_decimal::Decimal;

const LARGEST: &str = "999999999999999999.99";
const TOO_LARGE: &str = "1000000000000000000.00";

fn field(answer: Result<(), Refusal>) -> String {
    match answer {
        Err(Refusal::Invalid { field, .. }) => field.last().unwrap().to_string(),
        other => panic!("not refused as invalid: {other:?}"),
    }
}

#[test]
fn terms_name_amounts_of_at_most_eighteen_digits() {
    let plain = forward(Open);
    let with = |amount: &str| {
        [
            ("reserve", plain.clone().reserve(amount)),
            ("startingPrice", plain.clone().starting_at(amount)),
            ("buyNow", plain.clone().buy_now(amount)),
            ("by", plain.clone().step("0", amount)),
            ("from", plain.clone().step(amount, "1.00")),
        ]
    };
    for (name, rules) in with(LARGEST) {
        assert_eq!(check::terms(&terms::terms(rules)), Ok(()), "{name}");
    }
    for (name, rules) in with(TOO_LARGE) {
        assert_eq!(field(check::terms(&terms::terms(rules))), name);
    }
}

#[test]
fn bids_credits_and_limits_too() {
    let money = |amount: &str| Money::new(d(amount), euro()).unwrap();
    let mut market = Market::with(&[ANN]);
    market.auctions(AuctionRules { reserve_hidden: true, ..reverse(Open) });
    let auction = market.auction();
    let command = |amount| Command::PlaceBid { auction, amount: money(amount) };
    assert_eq!(field(market.agent(ANN, command(TOO_LARGE)).map(|_| ())), "amount");
    assert!(market.agent(ANN, command(LARGEST)).is_ok());

    let credit =
        |amount| Command::CreditWallet { owner: Party::Agent(ANN), amount: money(amount), reference: "cash".into() };
    // As large as a number can be: nothing is added up before it is looked at.
    for amount in [TOO_LARGE, "792281625142643375935439503.35"] {
        assert_eq!(field(market.asks(Actor::Finance("till".into()), credit(amount)).map(|_| ())), "amount");
    }
    let limit = |amount| Command::UpdateAgent {
        agent: ANN,
        display_name: None,
        location: None,
        skills: None,
        capacity: None,
        affiliated_with: Patch::Keep,
        credit_limit: Some(money(amount)),
    };
    assert_eq!(field(market.operator(limit(TOO_LARGE)).map(|_| ())), "amount");
    assert!(market.operator(limit(LARGEST)).is_ok());
}

#[test]
fn a_bid_under_the_largest_price_and_step_is_refused_with_its_bound() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(AuctionRules { starting_price: Some(d("0.01")), ..reverse(Open) }.step("0", LARGEST));
    let limits = Command::UpdateAgent {
        agent: ANN,
        display_name: None,
        location: None,
        skills: None,
        capacity: None,
        affiliated_with: Patch::Keep,
        credit_limit: Some(eur(LARGEST)),
    };
    market.operator(limits).unwrap();
    market.auctions(forward(Open).step("0", LARGEST));
    market.bid(ANN, LARGEST);
    let minimum = Money::new(d("1999999999999999999.98"), euro()).unwrap();
    assert_eq!(market.bids(BEN, LARGEST), Err(Refusal::BidTooLow { minimum }));
}

/// Amounts at every bound, and any that a decimal can hold.
fn amounts() -> impl Strategy<Value = Decimal> {
    let whole = |digits: u32| Decimal::from_i128_with_scale(10i128.pow(digits) - 1, 0);
    prop_oneof![
        4 => (1i64..100_000, 0u32..=4).prop_map(|(n, scale)| Decimal::new(n, scale)),
        2 => (1i128..10i128.pow(18), 0u32..=4).prop_map(|(n, scale)| Decimal::from_i128_with_scale(n, scale)),
        2 => proptest::sample::select(vec![whole(17), whole(18), whole(18) + Decimal::ONE, whole(19), whole(28)]),
        // As large as an amount can be at its decimals: the least more of it leaves the currency.
        2 => (0u32..=4).prop_map(|scale| Decimal::from_parts(u32::MAX, u32::MAX, u32::MAX, false, scale)),
        1 => (any::<u32>(), any::<u32>(), any::<u32>(), any::<bool>(), 0u32..=28)
            .prop_map(|(lo, mid, hi, negative, scale)| Decimal::from_parts(lo, mid, hi, negative, scale)),
    ]
}

fn kinds() -> impl Strategy<Value = AuctionRules> {
    let direction = proptest::sample::select(vec![Direction::Forward, Direction::Reverse]);
    let format = proptest::sample::select(vec![SealedFirstPrice, SealedSecondPrice, Open, Proxy]);
    let currency = proptest::sample::select(vec!["EUR", "JPY", "KWD", "CLF"]);
    (direction, format, currency).prop_map(|(direction, format, currency)| AuctionRules {
        currency: currency.parse().unwrap(),
        ..auction(direction, format)
    })
}

fn rules() -> impl Strategy<Value = AuctionRules> {
    let some = || proptest::option::weighted(0.3, amounts());
    let step = (amounts(), amounts()).prop_map(|(from, by)| IncrementStep { by, from });
    let increment = proptest::collection::vec(step, 0..3);
    (kinds(), some(), some(), some(), any::<bool>(), increment).prop_map(
        |(kind, reserve, starting_price, buy_now, hidden, mut increment)| {
            increment.sort_by_key(|step| step.from);
            let reserve = reserve.or((kind.direction == Direction::Reverse).then_some(Decimal::ONE_HUNDRED));
            AuctionRules {
                buy_now: buy_now.filter(|_| !kind.format.is_sealed()),
                increment,
                reserve,
                reserve_hidden: hidden && reserve.is_some(),
                starting_price,
                ..kind
            }
        },
    )
}

/// A bid that stands may be any positive amount of at most 18 digits, at the currency's decimals.
fn bid(cents: u128, currency: Currency) -> Decimal {
    let whole = 10u128.pow(18 + currency.exponent());
    Decimal::from_i128_with_scale((cents % (whole - 1) + 1) as i128, currency.exponent())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_terms_are_accepted_every_price_stays_in_its_currency(
        rules in rules(),
        a in any::<u128>(), b in any::<u128>(), large in any::<bool>(),
    ) {
        if check::terms(&terms::terms(rules.clone())).is_err() {
            return Ok(());
        }
        let largest = bid(10u128.pow(18 + rules.currency.exponent()) - 2, rules.currency);
        let (a, b) = (if large { largest } else { bid(a, rules.currency) }, bid(b, rules.currency));
        let (best, second) = if pricing::beats(rules.direction, b, a) { (b, a) } else { (a, b) };
        let mut prices: Vec<Decimal> = [None, Some(best), Some(second)]
            .into_iter()
            .filter_map(|price| pricing::next_bound(&rules, price))
            .collect();
        prices.extend(pricing::proxy_price(&rules, best, None));
        prices.extend(pricing::proxy_price(&rules, best, Some(second)));
        if pricing::meets_reserve(&rules, best) {
            prices.push(pricing::clearing_price(&rules, &[best]));
            prices.push(pricing::clearing_price(&rules, &[best, second]));
        }
        for price in prices {
            let money = Money::new(price, rules.currency);
            prop_assert!(money.is_ok_and(|money| !money.is_negative()), "{price} of {rules:?}");
        }
    }
}
