//! Closings: who wins, at which price, what the others are told, and what a platform that was down does.

use crate::support::market::{forfeits, losses, names, second_agent};
use crate::support::*;
use domain::currency::Currency;
use domain::event::Event;
use domain::event::auction::{AuctionEvent, LossReason};
use domain::event::community::SourcePosition;
use domain::event::wallet::Party;
use domain::ids::AgentId;
use domain::money::Money;
use domain::terms::AuctionFormat::{self, *};
use domain::terms::AuctionRules;
use domain::why::ExclusionReason;

/// Ann, Ben and Cat bid in this order and the auction closes; everyone is asked in turn and declines.
fn asked_in_turn(rules: AuctionRules, amounts: [&str; 3]) -> Vec<(AgentId, String)> {
    let mut market = Market::with(&[ANN, BEN, CAT]);
    market.auctions(rules);
    for (agent, amount) in [ANN, BEN, CAT].into_iter().zip(amounts) {
        market.bid(agent, amount);
    }
    market.closes();
    let mut asked = vec![];
    while let Some((agent, price)) = market.asked() {
        asked.push((agent, price.amount().to_string()));
        market.declines(agent).unwrap();
    }
    asked
}
fn turns(turns: [(AgentId, &str); 3]) -> Vec<(AgentId, String)> {
    turns.map(|(agent, price)| (agent, price.to_owned())).to_vec()
}

#[test]
fn the_second_agent_pays_the_price_that_follows_without_the_first() {
    let bids = ["7.00", "8.00", "9.00"];
    let forward = |format: AuctionFormat| forward(format).step("0", "0.50");
    assert_eq!(asked_in_turn(forward(SealedFirstPrice), bids), turns([(CAT, "9.00"), (BEN, "8.00"), (ANN, "7.00")]));
    assert_eq!(asked_in_turn(forward(SealedSecondPrice), bids), turns([(CAT, "8.00"), (BEN, "7.00"), (ANN, "0.01")]));
    assert_eq!(asked_in_turn(forward(Open), bids), turns([(CAT, "9.00"), (BEN, "8.00"), (ANN, "7.00")]));
    assert_eq!(asked_in_turn(forward(Proxy), bids), turns([(CAT, "8.50"), (BEN, "7.50"), (ANN, "0.01")]));
}

#[test]
fn the_second_agent_in_reverse() {
    let bids = ["9.00", "8.00", "7.00"];
    let reverse = |format: AuctionFormat| reverse(format).reserve("20.00").step("0", "0.50");
    assert_eq!(asked_in_turn(reverse(SealedFirstPrice), bids), turns([(CAT, "7.00"), (BEN, "8.00"), (ANN, "9.00")]));
    assert_eq!(asked_in_turn(reverse(SealedSecondPrice), bids), turns([(CAT, "8.00"), (BEN, "9.00"), (ANN, "9.00")]));
    assert_eq!(asked_in_turn(reverse(Open), bids), turns([(CAT, "7.00"), (BEN, "8.00"), (ANN, "9.00")]));
    assert_eq!(asked_in_turn(reverse(Proxy), bids), turns([(CAT, "7.50"), (BEN, "8.50"), (ANN, "20.00")]));
}

#[test]
fn a_lapse_asks_the_same_second_agent_at_the_same_price() {
    for (format, price) in [(SealedFirstPrice, "8.00"), (SealedSecondPrice, "7.00"), (Open, "8.00"), (Proxy, "7.01")] {
        let mut market = Market::with(&[ANN, BEN, CAT]);
        market.auctions(forward(format));
        for (agent, amount) in [(ANN, "7.00"), (BEN, "8.00"), (CAT, "9.00")] {
            market.bid(agent, amount);
        }
        market.closes();
        assert_eq!(second_agent(&market.lapses()), Some(BEN));
        assert_eq!(market.asked(), Some((BEN, eur(price))));
        assert_eq!((market.held(CAT), market.held(BEN)), (eur("0.00"), eur(price)));
    }
}

#[test]
fn ties_go_to_the_earlier_recorded_bid_and_the_later_one_is_told_so() {
    for format in [SealedFirstPrice, SealedSecondPrice] {
        for rules in [forward(format), reverse(format)] {
            let mut market = Market::with(&[ANN, BEN, CAT]);
            market.auctions(rules);
            market.bid(BEN, "5.00");
            market.bid(ANN, "5.00");
            market.bid(CAT, "5.00");
            // Ben names the same again: recorded later, it stands behind.
            market.bid(BEN, "5.00");
            let events = market.closes();
            assert_eq!(market.asked(), Some((ANN, eur("5.00"))));
            assert_eq!(losses(&events), [(CAT, LossReason::TieLater), (BEN, LossReason::TieLater)]);
        }
    }
}

#[test]
fn losers_are_told_why_and_what_was_held_of_them_is_free() {
    let mut market = Market::with(&[ANN, BEN, CAT]);
    market.auctions(forward(SealedFirstPrice).reserve("5.00").hidden());
    market.bid(ANN, "4.99");
    market.bid(BEN, "5.00");
    market.bid(CAT, "9.00");
    let events = market.closes();
    assert_eq!(losses(&events), [(BEN, LossReason::Outbid), (ANN, LossReason::ReserveNotMet)]);
    assert_eq!([ANN, BEN, CAT].map(|agent| market.held(agent)), [eur("0.00"), eur("0.00"), eur("9.00")]);
}

#[test]
fn a_bid_at_the_reserve_meets_it_and_one_minor_unit_short_does_not() {
    for format in [SealedFirstPrice, SealedSecondPrice, Open, Proxy] {
        for (rules, meets, misses) in [
            (forward(format).reserve("5.00").hidden(), "5.00", "4.99"),
            (reverse(format).reserve("50.00").hidden(), "50.00", "50.01"),
        ] {
            let mut market = Market::with(&[ANN]);
            market.auctions(rules.clone());
            market.bid(ANN, misses);
            let events = market.closes();
            assert_eq!(losses(&events), [(ANN, LossReason::ReserveNotMet)]);
            assert_eq!(market.asked(), None);
            market.auctions(rules);
            market.bid(ANN, meets);
            market.closes();
            assert_eq!(market.asked(), Some((ANN, eur(meets))));
        }
    }
}

#[test]
fn second_price_with_one_valid_bid_pays_the_floor_or_its_own() {
    for (rules, bid, price) in [
        (forward(SealedSecondPrice).reserve("5.00"), "9.00", "5.00"),
        (forward(SealedSecondPrice).starting_at("2.00"), "9.00", "2.00"),
        (forward(SealedSecondPrice), "9.00", "0.01"),
        (reverse(SealedSecondPrice), "9.00", "9.00"),
    ] {
        let mut market = Market::with(&[ANN]);
        market.auctions(rules);
        market.bid(ANN, bid);
        market.closes();
        assert_eq!(market.asked(), Some((ANN, eur(price))));
        let held = if price == "9.00" { "0.00" } else { price };
        assert_eq!(market.held(ANN), eur(held), "the hold shrinks to the price");
    }
}

#[test]
fn a_second_bid_short_of_the_reserve_is_no_second_price() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(reverse(SealedSecondPrice).reserve("10.00").hidden());
    market.bid(ANN, "8.00");
    market.bid(BEN, "10.01");
    market.closes();
    assert_eq!(market.asked(), Some((ANN, eur("8.00"))));
}

#[test]
fn a_second_proxy_maximum_lifts_the_price_even_short_of_the_reserve() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Proxy).starting_at("1.00").reserve("7.00").hidden().step("0", "0.25"));
    market.bid(BEN, "6.90");
    market.bid(ANN, "9.00");
    assert_eq!(market.price(), Some(eur("7.15")));
    market.closes();
    assert_eq!(market.asked(), Some((ANN, eur("7.15"))), "the price that was shown");
}

#[test]
fn who_is_no_longer_free_is_passed_over_without_penalty() {
    let mut market = Market::with(&[ANN, BEN, CAT]);
    market.auctions(forward(SealedSecondPrice));
    for (agent, amount) in [(ANN, "9.00"), (BEN, "8.00"), (CAT, "7.00")] {
        market.bid(agent, amount);
    }
    market.rests(ANN);
    let events = market.closes();
    assert_eq!(forfeits(&events), [(ANN, LossReason::NotFree)]);
    assert_eq!(losses(&events), [(CAT, LossReason::Outbid)]);
    assert_eq!(market.asked(), Some((BEN, eur("7.00"))), "at the price without it");
    assert_eq!(market.held(ANN), eur("0.00"));
    let why = events.iter().find_map(|event| match event {
        Event::Auction(AuctionEvent::Awarded(e)) => Some(e.why.clone()),
        _ => None,
    });
    let why = why.unwrap();
    assert_eq!((why.rule.as_str(), why.chosen), ("award/1", Some(BEN.into())));
    assert_eq!(
        why.excluded.iter().map(|group| (group.reason, group.agents.clone())).collect::<Vec<_>>(),
        [(ExclusionReason::NotAvailable, vec![1])]
    );
    assert_eq!(why.ranked.iter().map(|ranked| ranked.subject).collect::<Vec<_>>(), [BEN.into(), CAT.into()]);
}

#[test]
fn two_auctions_that_close_at_once_do_not_both_go_to_an_agent_of_capacity_one() {
    let mut market = Market::with(&[ANN, BEN]);
    let inquiries = [0, 1].map(|_| {
        let inquiry = market.auctions(forward(Open));
        market.bid(BEN, "1.00");
        market.bid(ANN, "9.00");
        inquiry
    });
    let events = market.closes();
    assert_eq!(forfeits(&events), [(ANN, LossReason::NotFree)]);
    let mut asked = inquiries.map(|inquiry| {
        market.inquiry = inquiry;
        market.asked()
    });
    asked.sort_by_key(|asked| asked.map(|(agent, _)| agent));
    assert_eq!(asked, [Some((ANN, eur("9.00"))), Some((BEN, eur("1.00")))]);
}

#[test]
fn a_second_agent_whose_money_is_gone_is_passed_over() {
    let mut market = Market::with(&[ANN]);
    market.hire(BEN, "8.00", 2);
    market.hire(CAT, "5.00", 1);
    market.auctions(forward(Open));
    for (agent, amount) in [(CAT, "5.00"), (BEN, "8.00"), (ANN, "9.00")] {
        market.bid(agent, amount);
    }
    market.closes();
    let first = market.auctions(forward(Open));
    market.bid(BEN, "0.01");
    market.inquiry = domain::ids::InquiryId(first.0 - 1);
    let events = market.declines(ANN).unwrap();
    assert_eq!(forfeits(&events), [(ANN, LossReason::Declined), (BEN, LossReason::NoFunds)]);
    assert_eq!(second_agent(&events), Some(CAT));
    assert_eq!((market.asked(), market.held(CAT)), (Some((CAT, eur("5.00"))), eur("5.00")), "exactly enough");
}

#[test]
fn a_provider_beyond_its_limit_buys_nothing_and_at_it_everything() {
    for (limit, asked) in [("7.99", None), ("8.00", Some((ANN, eur("8.00"))))] {
        let mut market = Market::with(&[ANN, BEN]);
        limits(&mut market, limit, 1);
        market.auctions(reverse(Open).step("0", "0.50"));
        market.bid(BEN, "9.00");
        market.bid(ANN, "8.00");
        let events = market.closes();
        assert_eq!(market.asked(), asked);
        if asked.is_none() {
            assert_eq!(losses(&events), [(ANN, LossReason::NoFunds), (BEN, LossReason::NoFunds)]);
        }
    }
}

#[test]
fn a_buy_now_that_the_provider_cannot_pay_is_refused_and_ends_nothing() {
    for format in [Open, Proxy] {
        for (limit, bought) in [("39.99", false), ("40.00", true), ("40.01", true)] {
            let mut market = Market::with(&[ANN, BEN]);
            limits(&mut market, limit, 1);
            market.auctions(reverse(format).buy_now("40.00"));
            market.bid(BEN, "41.00");
            if bought {
                market.bid(ANN, "39.00");
                assert_eq!(market.asked(), Some((ANN, eur("40.00"))));
                continue;
            }
            for amount in ["40.00", "39.00"] {
                assert_eq!(market.bids(ANN, amount), Err(domain::refusal::Refusal::ProviderOutOfFunds));
            }
            assert!(market.pending().is_none());
            // Above it one bids as before, and once there is money it is bought.
            market.bid(ANN, "40.50");
            limits(&mut market, "40.00", 2);
            market.bid(BEN, "40.00");
            assert_eq!(market.asked(), Some((BEN, eur("40.00"))));
        }
    }
    // What others hold of the provider is not there either.
    let mut market = Market::with(&[ANN, BEN]);
    limits(&mut market, "60.00", 1);
    market.auctions(reverse(Open));
    market.bid(ANN, "20.01");
    market.closes();
    market.auctions(reverse(Open).buy_now("40.00"));
    assert_eq!(market.bids(BEN, "40.00"), Err(domain::refusal::Refusal::ProviderOutOfFunds));
    // Sealed auctions have no such price, so a bid never tells of the provider's money.
}

fn limits(market: &mut Market, limit: &str, seq: u64) {
    grants(market, vec![eur(limit)], vec![], seq);
}
fn grants(market: &mut Market, limits: Vec<Money>, lifted: Vec<Currency>, seq: u64) {
    let source = SourcePosition { hash: "00".to_owned(), log: "limits".parse().unwrap(), seq };
    let grant = domain::command::Command::GrantCreditLimits { provider: PROVIDER, limits, lifted, source };
    market.asks(domain::actor::Actor::System, grant).unwrap();
}

#[test]
fn a_provider_whose_limit_is_lifted_pays_on_account_again() {
    let mut market = Market::with(&[ANN]);
    let account = (Party::Provider(PROVIDER), euro());
    limits(&mut market, "7.99", 1);
    let id = market.state.accounts.get(account).unwrap().id;
    grants(&mut market, vec![], vec![euro()], 2);
    let row = market.state.accounts.get(account).unwrap();
    assert_eq!((row.id, row.credit_limit), (id, None), "the same account, without limit");
    market.auctions(reverse(Open));
    market.bid(ANN, "8.00");
    market.closes();
    assert_eq!(market.asked(), Some((ANN, eur("8.00"))));
}

#[test]
fn what_is_held_of_the_provider_stands_in_its_account_from_the_award() {
    let mut market = Market::with(&[ANN, BEN]);
    let provider = Party::Provider(PROVIDER);
    let first = market.auctions(reverse(Open));
    market.bid(ANN, "8.00");
    market.auctions(reverse(Open));
    market.bid(BEN, "9.00");
    market.closes();
    assert_eq!(market.held_of(provider), eur("17.00"));
    // A limit comes between award and consent: both count against it.
    limits(&mut market, "20.00", 1);
    market.inquiry = first;
    market.accepts(ANN).unwrap();
    assert_eq!((market.held_of(provider), market.balance(provider)), (eur("9.00"), eur("-8.00")));
}

#[test]
fn a_bought_auction_tells_the_others_and_stays_bought_for_the_next_in_line() {
    let mut market = Market::with(&[ANN, BEN]);
    market.auctions(forward(Open).buy_now("6.00"));
    market.bid(BEN, "5.00");
    let events = market.bids(ANN, "9.00").unwrap();
    assert_eq!(losses(&events), [(BEN, LossReason::BoughtNow)]);
    assert_eq!(
        names(&events),
        ["auction.bid_placed", "auction.bid_outbid", "auction.awarded", "auction.bid_lost", "reservation.opened"]
    );
    market.declines(ANN).unwrap();
    assert_eq!(market.asked(), Some((BEN, eur("5.00"))));
}

#[test]
fn a_platform_that_was_down_asks_the_buyer_again_at_buy_now() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open).buy_now("6.00"));
    market.bid(ANN, "9.00");
    market.wakes_at(second(60));
    assert_eq!(market.asked(), Some((ANN, eur("6.00"))));
}

#[test]
fn a_late_closing_moves_once_with_time_to_bid_and_the_hard_close_with_it() {
    for (soft, hard, grace) in [(10, 100, 30), (31, 100, 31), (10, 700, 30)] {
        let mut market = Market::with(&[ANN]);
        market.auctions(forward(Open).soft_close(soft, hard));
        market.bid(ANN, "1.00");
        let down_until = second(500);
        assert_eq!(names(&market.wakes_at(down_until)), ["auction.extended"]);
        let row = market.open_auction();
        assert_eq!(row.closes_at, down_until + seconds(grace));
        assert_eq!(row.hard_closes_at, Some(second(hard).max(row.closes_at)));
        assert!(market.bids(ANN, "2.00").is_ok());
        // Down again: now it closes.
        market.wakes_at(second(900));
        assert_eq!(market.asked(), Some((ANN, eur("2.00"))));
    }
}

#[test]
fn an_auction_without_bids_is_unsold_and_its_inquiry_back_in_its_place() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open));
    assert_eq!(names(&market.closes()), ["auction.unsold", "inquiry.requeued"]);
}
