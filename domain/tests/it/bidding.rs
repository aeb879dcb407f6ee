//! Placing and withdrawing bids: every guard in its order, on its boundary; prices and holds while the
//! auction is open.

use crate::support::market::names;
use crate::support::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::Event;
use domain::event::auction::{AuctionEvent, BidPlaced, Standing};
use domain::ids::{AgentId, AuctionId, BidId};
use domain::money::Money;
use domain::refusal::Refusal;
use domain::terms::AuctionFormat::{self, *};
use domain::terms::Direction::{self, *};
use domain::terms::OfferTerms;
use domain::time::Span;

const DIRECTIONS: [Direction; 2] = [Forward, Reverse];
const FORMATS: [AuctionFormat; 4] = [SealedFirstPrice, SealedSecondPrice, Open, Proxy];

fn too_low(minimum: &str) -> Answer {
    Err(Refusal::BidTooLow { minimum: eur(minimum) })
}
fn too_high(maximum: &str) -> Answer {
    Err(Refusal::BidTooHigh { maximum: eur(maximum) })
}
fn no_funds(available: &str) -> Answer {
    Err(Refusal::InsufficientFunds { available: eur(available) })
}
fn placed(events: &[Event]) -> &BidPlaced {
    match &events[0] {
        Event::Auction(AuctionEvent::BidPlaced(placed)) => placed,
        other => panic!("a bid was placed first, not {other:?}"),
    }
}

// The guards, in their order.

#[test]
fn only_agents_bid() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open));
    let bid = Command::PlaceBid { auction: market.auction(), amount: eur("1.00") };
    for actor in [
        Actor::Anonymous,
        Actor::System,
        Actor::Operator("ops".into()),
        Actor::Customer(CUSTOMER),
        Actor::Provider(PROVIDER),
    ] {
        assert_eq!(market.asks(actor, bid.clone()), Err(Refusal::Forbidden));
    }
}

#[test]
fn an_unknown_auction_is_not_found_and_an_agent_from_elsewhere_finds_none() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open));
    let missing = Err(Refusal::NotFound { field: "auctionId" });
    assert_eq!(market.bids_in(AuctionId(7), ANN, "1.00"), missing);
    assert_eq!(market.bids(DAN, "1.00"), missing);
}

#[test]
fn a_bid_at_the_closing_instant_is_late() {
    for direction in DIRECTIONS {
        for format in FORMATS {
            let mut market = Market::with(&[ANN]);
            market.auctions(auction(direction, format));
            let closes_at = market.open_auction().closes_at;
            assert_eq!(closes_at, second(60));
            for late in [closes_at, closes_at + MICROSECOND] {
                market.jumps_to(late);
                assert_eq!(market.bids(ANN, "1.00"), Err(Refusal::AuctionClosed));
            }
            market.jumps_to(before(closes_at));
            assert!(market.bids(ANN, "1.00").is_ok());
        }
    }
}

#[test]
fn a_closed_auction_takes_no_bid_while_its_inquiry_lives() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Open));
    market.bid(ANN, "1.00");
    market.closes();
    assert_eq!(market.bids(BEN, "2.00"), Err(Refusal::AuctionClosed), "awarded");
    market.declines(ANN).unwrap();
    assert_eq!(market.bids(BEN, "2.00"), Err(Refusal::AuctionClosed), "unsold");
}

#[test]
fn closed_comes_before_the_wrong_currency_and_that_before_who_may_bid() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open));
    market.rests(ANN);
    let dollars = Money::parse("1.00", "USD".parse().unwrap()).unwrap();
    let bid = Command::PlaceBid { auction: market.auction(), amount: dollars };
    assert_eq!(market.agent(ANN, bid.clone()), Err(Refusal::BidCurrency { currency: euro() }));
    market.jumps_to(second(60));
    assert_eq!(market.agent(ANN, bid), Err(Refusal::AuctionClosed));
}

#[test]
fn an_amount_is_more_than_zero() {
    let mut market = Market::with(&[ANN]);
    market.auctions(reverse(Open));
    for amount in ["0.00", "-0.01"] {
        assert_eq!(market.bids(ANN, amount), Err(Refusal::invalid(&["amount", "amount"], "more than zero")));
    }
    assert!(market.bids(ANN, "0.01").is_ok());
}

#[test]
fn who_may_bid_in_the_order_of_the_reasons() {
    let mut market = Market::empty();
    market.register(ANN, &[], 1, Some(PROVIDER));
    market.auctions(forward(Open).starting_at("5.00"));
    // Everything is wrong with her: affiliated, offline, unskilled, poor, and too low.
    assert_eq!(market.bids(ANN, "1.00"), Err(Refusal::AgentNotIndependent));
    // An independent agent with the rest of it wrong.
    market.register(BEN, &[], 1, None);
    assert_eq!(market.bids(BEN, "1.00"), Err(Refusal::AgentNotAvailable));
    market.available(BEN);
    assert_eq!(market.bids(BEN, "1.00"), Err(Refusal::AgentLacksSkill));
    learn(&mut market, BEN, "help", 1);
    assert_eq!(market.bids(BEN, "1.00"), too_low("5.00"));
    assert_eq!(market.bids(BEN, "5.00"), no_funds("0.00"));
    market.credit(BEN, "5.00");
    assert!(market.bids(BEN, "5.00").is_ok());
}

fn learn(market: &mut Market, agent: AgentId, name: &str, level: u8) {
    let skills = Some(vec![skill(name, level)]);
    update(market, agent, |command| {
        if let Command::UpdateAgent { skills: slot, .. } = command {
            *slot = skills;
        }
    });
}
fn update(market: &mut Market, agent: AgentId, change: impl FnOnce(&mut Command)) {
    let mut command = Command::UpdateAgent {
        agent,
        display_name: None,
        location: None,
        skills: None,
        capacity: None,
        affiliated_with: Patch::Keep,
        credit_limit: None,
    };
    change(&mut command);
    market.operator(command).unwrap();
}

#[test]
fn an_affiliated_agent_bids_where_the_offer_does_not_mind() {
    let mut market = Market::with(&[]);
    market.register(ANN, &[skill("help", 1)], 1, Some(PROVIDER));
    market.available(ANN);
    let terms = terms::terms(reverse(Open));
    market.inquires(OfferTerms { independent_agents_only: false, ..terms.clone() }, &["help"]);
    assert!(market.bids(ANN, "9.00").is_ok());
    market.inquires(terms, &["help"]);
    assert_eq!(market.bids(ANN, "9.00"), Err(Refusal::AgentNotIndependent));
}

#[test]
fn a_level_below_the_desired_one_lacks_the_skill() {
    let mut market = Market::with(&[]);
    let terms = OfferTerms { required_skills: vec![skill("cards", 5)], ..terms::terms(reverse(Open)) };
    market.inquires(terms, &["help"]);
    for (level, answer) in [(4, Err(Refusal::AgentLacksSkill)), (5, Ok(())), (6, Ok(()))] {
        let agent = AgentId(100 + u128::from(level));
        market.register(agent, &[skill("help", 1), skill("cards", level)], 1, None);
        market.available(agent);
        let amount = format!("{}.00", 50 - level);
        assert_eq!(market.bids(agent, &amount).map(|_| ()), answer, "level {level}");
    }
}

#[test]
fn a_pending_reservation_fills_the_capacity_and_wrap_up_makes_unavailable() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open));
    market.bid(ANN, "1.00");
    market.closes();
    let first = market.inquiry;
    market.auctions(forward(Open));
    assert_eq!(market.bids(ANN, "1.00"), Err(Refusal::AgentAtCapacity));
    let second = std::mem::replace(&mut market.inquiry, first);
    market.accepts(ANN).unwrap();
    let session = market.session();
    market.inquiry = second;
    assert_eq!(market.bids(ANN, "1.00"), Err(Refusal::AgentAtCapacity));
    market.agent(ANN, Command::EndSession { session }).unwrap();
    assert_eq!(market.bids(ANN, "1.00"), Err(Refusal::AgentNotAvailable));
    market.agent(ANN, Command::CompleteWrapUp { session, information: None }).unwrap();
    assert!(market.bids(ANN, "1.00").is_ok());
}

#[test]
fn the_first_bid_is_at_least_the_starting_price_else_the_public_reserve_else_the_smallest_amount() {
    for format in FORMATS {
        for (rules, refused, minimum) in [
            (forward(format), "0.00", None),
            (forward(format).reserve("5.00"), "4.99", Some("5.00")),
            (forward(format).reserve("5.00").hidden(), "0.00", None),
            (forward(format).starting_at("3.00").reserve("5.00"), "2.99", Some("3.00")),
            (forward(format).starting_at("6.00").reserve("5.00"), "5.99", Some("6.00")),
        ] {
            let mut market = Market::with(&[ANN]);
            market.auctions(rules);
            match minimum {
                Some(minimum) => assert_eq!(market.bids(ANN, refused), too_low(minimum)),
                None => assert!(matches!(market.bids(ANN, refused), Err(Refusal::Invalid { .. }))),
            }
            assert!(market.bids(ANN, minimum.unwrap_or("0.01")).is_ok());
        }
    }
}

#[test]
fn the_first_reverse_bid_is_at_most_the_starting_price_else_the_public_ceiling() {
    for format in FORMATS {
        for (rules, maximum) in [(reverse(format), "100.00"), (reverse(format).starting_at("80.00"), "80.00")] {
            let mut market = Market::with(&[ANN]);
            market.auctions(rules);
            let refused = eur(maximum).plus(eur("0.01")).unwrap().amount().to_string();
            assert_eq!(market.bids(ANN, &refused), too_high(maximum));
            assert!(market.bids(ANN, maximum).is_ok());
        }
        let mut market = Market::with(&[ANN]);
        market.auctions(reverse(format).hidden());
        assert!(market.bids(ANN, "500.00").is_ok(), "a hidden ceiling tells nobody that a bid is beyond it");
    }
}

#[test]
fn a_sealed_bid_says_nothing_about_the_others() {
    for format in [SealedFirstPrice, SealedSecondPrice] {
        let mut market = Market::with(&[ANN, BEN]);
        market.auctions(forward(format).starting_at("2.00"));
        market.bid(ANN, "9.00");
        assert_eq!(market.bids(BEN, "1.99"), too_low("2.00"));
        let events = market.bids(BEN, "2.00").unwrap();
        assert_eq!(names(&events), ["auction.bid_placed"]);
        assert_eq!((placed(&events).price, placed(&events).standing), (None, Standing::Sealed));
    }
}

#[test]
fn an_open_bid_beats_the_best_by_the_increment_at_the_best() {
    let rules = |direction| auction(direction, Open).step("0", "0.05").step("10", "0.50");
    for (rules, first, worse, next, bound) in [
        (rules(Forward), "9.99", "10.03", "10.04", too_low("10.04")),
        (rules(Forward), "10.00", "10.49", "10.50", too_low("10.50")),
        (rules(Reverse), "10.00", "9.51", "9.50", too_high("9.50")),
        (rules(Reverse), "9.99", "9.95", "9.94", too_high("9.94")),
    ] {
        let mut market = Market::with(&[ANN, BEN]);
        market.auctions(rules);
        market.bid(ANN, first);
        assert_eq!(market.bids(BEN, worse), bound);
        assert_eq!(market.bids(ANN, worse), bound, "the leader too beats its own bid by the increment");
        let events = market.bids(BEN, next).unwrap();
        assert_eq!(names(&events), ["auction.bid_placed", "auction.bid_outbid"]);
        assert_eq!(placed(&events).standing, Standing::Leads);
        assert_eq!(market.price(), Some(eur(next)));
    }
}

#[test]
fn below_one_increment_a_reverse_price_cannot_be_beaten() {
    for format in [Open, Proxy] {
        let mut market = Market::with(&[ANN, BEN]);
        market.auctions(reverse(format).starting_at("0.04").step("0", "0.05"));
        market.bid(ANN, "0.04");
        assert_eq!(market.price(), Some(eur("0.04")));
        assert_eq!(market.bids(BEN, "0.01"), too_high("0.00"), "it is not a whole increment better");
        assert_eq!(market.bids(BEN, "0.04"), too_high("0.00"));
    }
}

#[test]
fn funds_that_are_exactly_enough_are_enough() {
    for format in FORMATS {
        let mut market = Market::empty();
        market.hire(ANN, "5.00", 1);
        market.auctions(forward(format));
        assert_eq!(market.bids(ANN, "5.01"), no_funds("5.00"));
        assert!(market.bids(ANN, "5.00").is_ok());
        assert_eq!(market.held(ANN), eur("5.00"));
    }
}

#[test]
fn a_credit_limit_can_be_bid_too() {
    let mut market = Market::empty();
    market.hire(ANN, "5.00", 1);
    update(&mut market, ANN, |command| {
        if let Command::UpdateAgent { credit_limit, .. } = command {
            *credit_limit = Some(eur("2.00"));
        }
    });
    market.auctions(forward(Open));
    assert_eq!(market.bids(ANN, "7.01"), no_funds("7.00"));
    assert!(market.bids(ANN, "7.00").is_ok());
}

#[test]
fn what_is_held_elsewhere_is_not_free_and_what_is_held_here_is() {
    let mut market = Market::empty();
    market.hire(ANN, "10.00", 2);
    market.auctions(forward(Open));
    market.bid(ANN, "6.00");
    market.auctions(forward(Open));
    assert_eq!(market.bids(ANN, "4.01"), no_funds("4.00"));
    market.bid(ANN, "3.00");
    assert_eq!(market.bids(ANN, "4.01"), no_funds("4.00"), "its own hold here counts as free");
    market.bid(ANN, "4.00");
    assert_eq!(market.held(ANN), eur("10.00"));
}

#[test]
fn a_reverse_bid_needs_no_money() {
    for format in FORMATS {
        let mut market = Market::empty();
        market.hire(ANN, "0", 1);
        market.auctions(reverse(format));
        assert!(market.bids(ANN, "50.00").is_ok());
        assert_eq!(market.held(ANN), eur("0.00"));
    }
}

#[test]
fn a_thousand_bidders_and_no_more() {
    let mut market = Market::empty();
    market.audited = false;
    market.auctions(reverse(SealedFirstPrice));
    for number in 1..=1_001 {
        market.register(AgentId(number), &[skill("help", 1)], 1, None);
        market.available(AgentId(number));
        let answer = market.bids(AgentId(number), "9.00");
        match number {
            1_001 => assert!(matches!(answer, Err(Refusal::LimitReached { .. }))),
            _ => assert!(answer.is_ok()),
        }
    }
    assert!(market.bids(AgentId(1), "8.00").is_ok(), "who bids already is no further bidder");
}

#[test]
fn bids_of_one_bidder_are_bounded() {
    for (format, most) in [(SealedFirstPrice, domain::auction::SEALED_BIDS_MAX), (Proxy, domain::auction::BIDS_MAX)] {
        let mut market = Market::with(&[ANN, BEN]);
        market.audited = false;
        market.auctions(reverse(format));
        for _ in 0..most {
            market.bid(ANN, "9.00");
        }
        assert!(matches!(market.bids(ANN, "9.00"), Err(Refusal::LimitReached { .. })), "{format:?}");
        assert!(market.bids(BEN, "8.00").is_ok(), "others are not shut out");
    }
}

#[test]
fn in_a_full_auction_everybody_has_its_first_bids_left() {
    use domain::auction::{AUCTION_BIDS_MAX, BIDS_MAX, FIRST_BIDS};
    let mut market = Market::empty();
    market.audited = false;
    market.auctions(reverse(Proxy).reserve("999"));
    let full = AUCTION_BIDS_MAX / BIDS_MAX;
    for number in 100..100 + u128::from(full) {
        market.register(AgentId(number), &[skill("help", 1)], 1, None);
        market.available(AgentId(number));
        // A leader may name any amount, and a worse one changes nothing.
        let first = format!("{}.00", 300 - 2 * number);
        for _ in 0..BIDS_MAX {
            market.bid(AgentId(number), &first);
        }
    }
    market.register(ANN, &[skill("help", 1)], 1, None);
    market.available(ANN);
    for _ in 0..FIRST_BIDS {
        market.bid(ANN, "1.00");
    }
    assert!(matches!(market.bids(ANN, "1.00"), Err(Refusal::LimitReached { .. })));
}

// What a bid does.

#[test]
fn one_hold_per_agent_and_auction_follows_the_latest_sealed_bid() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(SealedFirstPrice));
    let first = market.bid(ANN, "9.00");
    let events = market.bids(ANN, "4.00").unwrap();
    assert_eq!(placed(&events).supersedes, Some(first));
    assert_eq!(placed(&events).bidder, 1);
    assert_eq!(market.held(ANN), eur("4.00"));
}

#[test]
fn outbid_releases_the_hold() {
    for format in [Open, Proxy] {
        let mut market = Market::with(&[ANN, BEN]);
        market.auctions(forward(format));
        market.bid(ANN, "5.00");
        market.bid(BEN, "6.00");
        assert_eq!((market.held(ANN), market.held(BEN)), (eur("0.00"), eur("6.00")));
    }
}

#[test]
fn bidders_are_numbered_in_order_and_keep_their_number() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Open));
    let numbers: Vec<u32> = [(ANN, "1.00"), (BEN, "2.00"), (ANN, "3.00")]
        .map(|(agent, amount)| placed(&market.bids(agent, amount).unwrap()).bidder)
        .to_vec();
    assert_eq!(numbers, [1, 2, 1]);
}

#[test]
fn a_proxy_bid_is_a_maximum_and_the_price_follows_the_second() {
    let mut market = Market::with(&[ANN, BEN, CAT]);
    market.auctions(forward(Proxy).starting_at("1.00").step("0", "0.25"));
    market.bid(ANN, "9.00");
    assert_eq!(market.price(), Some(eur("1.00")), "alone: the opening price");
    assert_eq!(market.bids(BEN, "1.24"), too_low("1.25"));
    let events = market.bids(BEN, "5.00").unwrap();
    assert_eq!(placed(&events).standing, Standing::OutbidAtOnce);
    assert_eq!(placed(&events).hold, None);
    assert_eq!(market.price(), Some(eur("5.25")));
    assert_eq!(market.bids(CAT, "5.49"), too_low("5.50"));
    // At the leader's maximum the earlier bid leads, at that maximum.
    market.bid(CAT, "9.00");
    assert_eq!(market.price(), Some(eur("9.00")));
    assert_eq!(market.held(ANN), eur("9.00"));
    market.bid(BEN, "9.25");
    assert_eq!(market.price(), Some(eur("9.25")));
    assert_eq!((market.held(ANN), market.held(BEN), market.held(CAT)), (eur("0.00"), eur("9.25"), eur("0.00")));
}

#[test]
fn a_proxy_leader_raises_itself_at_will_and_a_lower_amount_is_recorded_without_effect() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Proxy).step("0", "0.25"));
    let first = market.bid(ANN, "5.00");
    market.bid(BEN, "4.90");
    assert_eq!(market.price(), Some(eur("5.00")), "no more than its maximum");
    for amount in ["0.01", "4.99", "5.00"] {
        let events = market.bids(ANN, amount).unwrap();
        assert_eq!((placed(&events).standing, placed(&events).supersedes), (Standing::NoEffect, None), "{amount}");
        assert_eq!((market.price(), market.held(ANN)), (Some(eur("5.00")), eur("5.00")));
    }
    let events = market.bids(ANN, "5.01").unwrap();
    assert_eq!((placed(&events).standing, placed(&events).supersedes), (Standing::Leads, Some(first)));
    assert_eq!(market.price(), Some(eur("5.01")));
    market.bid(ANN, "8.00");
    assert_eq!(market.price(), Some(eur("5.15")), "at most second + increment");
    assert_eq!(market.held(ANN), eur("8.00"));
}

#[test]
fn a_reverse_proxy_mirrors() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(reverse(Proxy).reserve("20.00").step("0", "0.25"));
    market.bid(ANN, "8.00");
    assert_eq!(market.price(), Some(eur("20.00")));
    assert_eq!(market.bids(BEN, "19.76"), too_high("19.75"));
    market.bid(BEN, "10.00");
    assert_eq!(market.price(), Some(eur("9.75")));
    market.bid(BEN, "8.00");
    assert_eq!(market.price(), Some(eur("8.00")), "a tie goes to the earlier");
    assert_eq!(placed(&market.bids(ANN, "7.00").unwrap()).standing, Standing::Leads);
    assert_eq!(market.price(), Some(eur("7.75")));
}

#[test]
fn alone_a_proxy_maximum_that_meets_the_reserve_pays_it() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Proxy).starting_at("1.00").reserve("5.00").hidden());
    market.bid(ANN, "4.99");
    assert_eq!(market.price(), Some(eur("1.00")));
    market.bid(ANN, "5.00");
    assert_eq!(market.price(), Some(eur("5.00")));
    market.bid(ANN, "9.00");
    assert_eq!(market.price(), Some(eur("5.00")));
}

#[test]
fn alone_beyond_a_hidden_ceiling_a_proxy_minimum_stays_its_bidders_own() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(reverse(Proxy).reserve("20.00").hidden());
    market.bid(ANN, "25.00");
    assert_eq!(market.price(), None);
    market.bid(BEN, "30.00");
    assert_eq!(market.price(), Some(eur("29.99")));
    market.bid(ANN, "19.00");
    assert_eq!(market.price(), Some(eur("20.00")));
}

// Closing early and late.

#[test]
fn a_bid_at_buy_now_closes_the_auction_at_that_price() {
    for format in [Open, Proxy] {
        for amount in ["6.00", "6.01", "50.00"] {
            let mut market = Market::with(&[ANN, BEN]);
            market.auctions(forward(format).buy_now("6.00"));
            market.bid(BEN, "5.99");
            assert!(market.pending().is_none(), "just under it the auction goes on");
            market.bid(ANN, amount);
            assert_eq!(market.asked(), Some((ANN, eur("6.00"))));
            assert_eq!((market.held(ANN), market.held(BEN)), (eur("6.00"), eur("0.00")));
        }
        let mut market = Market::with(&[ANN]);
        market.auctions(reverse(format).buy_now("40.00"));
        market.bid(ANN, "40.01");
        assert!(market.pending().is_none());
        market.bid(ANN, "39.00");
        assert_eq!(market.asked(), Some((ANN, eur("40.00"))));
    }
}

#[test]
fn buy_now_is_a_bid_even_where_the_increment_leads_beyond_it() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Open).buy_now("6.00").step("0", "1.00"));
    market.bid(ANN, "5.50");
    assert_eq!(market.bids(BEN, "5.99"), too_low("6.00"));
    market.bid(BEN, "6.00");
    assert_eq!(market.asked(), Some((BEN, eur("6.00"))));
}

#[test]
fn an_accepted_bid_leaves_time_to_answer_up_to_the_hard_close_and_never_beyond() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Open).soft_close(10, 75));
    market.until(second(50));
    assert_eq!(
        names(&market.bids(ANN, "1.00").unwrap()),
        ["auction.bid_placed"],
        "ten seconds are left: none are added"
    );
    market.until(second(50) + MICROSECOND);
    let events = market.bids(BEN, "2.00").unwrap();
    assert_eq!(names(&events), ["auction.bid_placed", "auction.bid_outbid", "auction.extended"]);
    assert_eq!(market.open_auction().closes_at, second(60) + MICROSECOND);
    market.until(second(60));
    market.bid(ANN, "3.00");
    assert_eq!(market.open_auction().closes_at, second(70));
    market.until(second(69));
    market.bid(BEN, "4.00");
    assert_eq!(market.open_auction().closes_at, second(75), "not 79");
    market.until(before(second(75)));
    assert_eq!(names(&market.bids(ANN, "5.00").unwrap()), ["auction.bid_placed", "auction.bid_outbid"]);
    market.until(second(75));
    assert_eq!(market.asked(), Some((ANN, eur("5.00"))));
}

#[test]
fn a_refused_bid_and_one_without_effect_extend_nothing() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Proxy).soft_close(10, 120));
    market.bid(ANN, "5.00");
    market.until(second(59));
    assert!(market.bids(BEN, "0.01").is_err());
    assert_eq!(names(&market.bids(ANN, "4.00").unwrap()), ["auction.bid_placed"]);
    assert_eq!(market.open_auction().closes_at, second(60));
    assert_eq!(
        names(&market.bids(BEN, "4.00").unwrap()),
        ["auction.bid_placed", "auction.extended"],
        "outbid at once is accepted"
    );
}

// Withdrawing.

#[test]
fn a_sealed_bid_is_withdrawn_until_closing_and_frees_its_hold() {
    for format in [SealedFirstPrice, SealedSecondPrice] {
        let mut market = Market::with(&[ANN, BEN]);
        market.auctions(forward(format));
        let bid = market.bid(ANN, "9.00");
        market.jumps_to(second(60));
        assert_eq!(market.withdraws_bid(ANN, bid), Err(Refusal::AuctionClosed));
        market.jumps_to(before(second(60)));
        let stranger = Err(Refusal::NotFound { field: "bidId" });
        assert_eq!(market.withdraws_bid(BEN, bid), stranger);
        assert_eq!(market.withdraws_bid(ANN, BidId(7)), stranger);
        assert_eq!(names(&market.withdraws_bid(ANN, bid).unwrap()), ["auction.bid_withdrawn"]);
        assert_eq!(market.held(ANN), eur("0.00"));
        assert_eq!(market.withdraws_bid(ANN, bid), Err(Refusal::BidNotWithdrawable), "twice");
    }
}

#[test]
fn who_withdrew_may_bid_again_and_the_withdrawn_bid_never_wins() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(SealedFirstPrice));
    let first = market.bid(ANN, "9.00");
    market.withdraws_bid(ANN, first).unwrap();
    let events = market.bids(ANN, "3.00").unwrap();
    assert_eq!((placed(&events).supersedes, placed(&events).bidder), (None, 1));
    market.bid(BEN, "4.00");
    market.closes();
    assert_eq!(market.asked(), Some((BEN, eur("4.00"))));
}

#[test]
fn a_superseded_bid_and_bids_of_public_auctions_are_not_withdrawn() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(SealedFirstPrice));
    let old = market.bid(ANN, "9.00");
    market.bid(ANN, "8.00");
    assert_eq!(market.withdraws_bid(ANN, old), Err(Refusal::BidNotWithdrawable));
    for format in [Open, Proxy] {
        market.auctions(forward(format));
        let leading = market.bid(ANN, "5.00");
        assert_eq!(market.withdraws_bid(ANN, leading), Err(Refusal::BidNotWithdrawable));
        market.bid(BEN, "6.00");
        assert_eq!(market.withdraws_bid(ANN, leading), Err(Refusal::BidNotWithdrawable));
    }
}

#[test]
fn a_bid_needs_whole_minor_units_of_its_currency() {
    assert!(Money::parse("1.005", euro()).is_err());
    let yen = "JPY".parse().unwrap();
    let mut market = Market::with(&[]);
    market.hire(ANN, "0", 1);
    market.auctions(domain::terms::AuctionRules {
        currency: yen,
        reserve: Some(d("500")),
        open_for: Span::seconds(5),
        ..reverse(Open)
    });
    let amount = Money::parse("450", yen).unwrap();
    market.agent(ANN, Command::PlaceBid { auction: market.auction(), amount }).unwrap();
    let next = Money::parse("450", yen).unwrap();
    let maximum = Money::parse("449", yen).unwrap();
    assert_eq!(
        market.agent(ANN, Command::PlaceBid { auction: market.auction(), amount: next }),
        Err(Refusal::BidTooHigh { maximum })
    );
}
