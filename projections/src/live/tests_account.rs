//! Holds and balances through bids, awards, lapses and escrow.

use super::Misfit;
use super::account::{AccountRow, Secret};
use super::testing::*;
use domain::event::auction::{LossReason, Standing};
use domain::event::community::{CreditLimitGranted, SourcePosition};
use domain::event::settlement::SettlementReleased;
use domain::event::wallet::{CreditLimitSet, Party, WalletCredited};
use domain::ids::{AccountId, AgentId, InquiryId, SettlementId};
use domain::log::LogName;
use domain::terms::{AuctionFormat, Direction};

fn row(desk: &Desk, account: u128) -> AccountRow {
    desk.live.account(AccountId(account)).unwrap()
}
fn held(desk: &Desk, account: u128) -> String {
    row(desk, account).held.to_string()
}
fn party(agent: AgentId) -> Party {
    Party::Agent(agent)
}

/// Ann's and Ben's wallets are accounts 1 and 2, with a limit of 50; inquiry 1 is in auction.
fn in_auction(direction: Direction, format: AuctionFormat) -> Desk {
    let mut desk = Desk::new();
    desk.at(1, [wallet(1, party(ANN), Some("50")), wallet(2, party(BEN), Some("50"))]);
    desk.at(2, [registered(1, 1, &[1]), opened(1, rules(direction, format))]);
    desk
}

#[test]
fn one_hold_an_agent_from_outbid_to_award_to_second_to_escrow() {
    let mut desk = in_auction(Direction::Forward, AuctionFormat::Open);
    desk.at(3, [bid(1, 1, ANN, "10", Standing::Leads, Some("10"), None)]);
    assert_eq!(held(&desk, 1), "10.00 EUR");
    assert_eq!(row(&desk, 1).available(), Ok(Some(eur("40"))));
    desk.at(4, [bid(1, 2, BEN, "12", Standing::Leads, Some("12"), None), outbid(1, 1, ANN)]);
    assert_eq!((held(&desk, 1), held(&desk, 2)), ("0.00 EUR".into(), "12.00 EUR".into()));
    // Ben raises itself: one hold, of the new bid.
    desk.at(5, [bid(1, 3, BEN, "15", Standing::Leads, Some("15"), Some(2))]);
    let holds = desk.live.holds(AccountId(2), None, 10);
    assert_eq!((holds.len(), holds[0].bid.unwrap().0, holds[0].amount, holds[0].secret), (1, 3, eur("15"), None));
    // The superseded bid's loss does not touch it, and neither does a bid without effect.
    desk.at(6, [lost(1, 2, BEN, LossReason::Outbid), bid(1, 4, BEN, "14", Standing::NoEffect, None, None)]);
    assert_eq!(held(&desk, 2), "15.00 EUR");
    desk.at(60, [awarded(1, 3, BEN, "11"), reserved(1, 1, BEN, 1, 80)]);
    assert_eq!(held(&desk, 2), "11.00 EUR");
    desk.at(80, [lapsed(1, 1, BEN, Some(ANN)), forfeited(1, 3, BEN, LossReason::Lapsed), awarded(1, 1, ANN, "10")]);
    assert_eq!((held(&desk, 1), held(&desk, 2)), ("10.00 EUR".into(), "0.00 EUR".into()));
    desk.at(90, [session(1, ANN), escrowed(1, 1, party(ANN), Party::Provider(PROVIDER), "10")]);
    let ann = row(&desk, 1);
    assert_eq!((ann.held, ann.balance, ann.available()), (eur("0"), eur("-10"), Ok(Some(eur("40")))));
    let released = SettlementReleased {
        agent: ANN,
        inquiry: InquiryId(1),
        legs: vec![],
        payer: party(ANN),
        settlement: SettlementId(1),
    };
    desk.at(95, [released.into()]);
    assert_eq!(row(&desk, 1).balance, eur("0"));
}

#[test]
fn a_hold_that_tells_of_a_bid_is_secret_until_the_award_and_moves_no_position() {
    for (format, standing, secret) in [
        (AuctionFormat::SealedFirstPrice, Standing::Sealed, Secret::Sealed),
        (AuctionFormat::Proxy, Standing::Leads, Secret::Proxy),
    ] {
        let mut desk = in_auction(Direction::Forward, format);
        let opened = row(&desk, 1).seq;
        desk.at(3, [bid(1, 1, ANN, "10", standing, Some("10"), None)]);
        assert_eq!(desk.live.holds(AccountId(1), None, 10)[0].secret, Some(secret));
        assert_eq!((held(&desk, 1).as_str(), row(&desk, 1).seq), ("10.00 EUR", opened));
        desk.at(60, [awarded(1, 1, ANN, "7")]);
        assert_eq!(desk.live.holds(AccountId(1), None, 10)[0].secret, None);
        assert_eq!(held(&desk, 1), "7.00 EUR");
        assert!(row(&desk, 1).seq > opened);
    }
}

#[test]
fn in_reverse_the_provider_pays_where_it_has_an_account() {
    let steps = |desk: &mut Desk| {
        desk.at(3, [bid(1, 1, ANN, "10", Standing::Leads, None, None)]);
        desk.at(60, [awarded(1, 1, ANN, "10")]);
    };
    let mut desk = in_auction(Direction::Reverse, AuctionFormat::Open);
    steps(&mut desk);
    desk.at(61, [escrowed(1, 1, Party::Provider(PROVIDER), party(ANN), "10")]);
    assert_eq!((held(&desk, 1), row(&desk, 1).balance), ("0.00 EUR".into(), eur("0")));

    let mut desk = in_auction(Direction::Reverse, AuctionFormat::Open);
    let limit = |limit: Option<&str>| CreditLimitGranted {
        account: AccountId(3),
        limit: limit.map(eur),
        provider: PROVIDER,
        source: SourcePosition { hash: String::new(), log: LogName::community(), seq: 0 },
        zero: eur("0"),
    };
    desk.at(2, [limit(Some("100")).into(), limit(Some("200")).into()]);
    steps(&mut desk);
    assert_eq!((held(&desk, 3), held(&desk, 1)), ("10.00 EUR".into(), "0.00 EUR".into()));
    desk.at(80, [forfeited(1, 1, ANN, LossReason::Lapsed)]);
    assert_eq!(row(&desk, 3).available(), Ok(Some(eur("200"))));
    desk.at(81, [awarded(1, 1, ANN, "10"), escrowed(1, 1, Party::Provider(PROVIDER), party(ANN), "10")]);
    assert_eq!((held(&desk, 3), row(&desk, 3).balance), ("0.00 EUR".into(), eur("-10")));
    desk.at(82, [limit(None).into()]);
    assert_eq!((row(&desk, 3).available(), row(&desk, 3).balance), (Ok(None), eur("-10")), "lifted: on account");
}

#[test]
fn credits_and_limits() {
    let mut desk = Desk::new();
    let owner = party(ANN);
    let credited =
        WalletCredited { account: AccountId(1), amount: eur("30"), legs: vec![], owner, reference: "transfer".into() };
    desk.at(1, [wallet(1, owner, None), credited.into()]);
    assert_eq!((row(&desk, 1).balance, row(&desk, 1).available()), (eur("30"), Ok(None)));
    desk.at(2, [CreditLimitSet { account: AccountId(1), limit: eur("5"), owner }.into()]);
    assert_eq!(row(&desk, 1).available(), Ok(Some(eur("35"))));
    assert_eq!(desk.live.accounts(None, Some(owner), None, 10).len(), 1);
    assert!(desk.live.accounts(None, Some(owner), Some(AccountId(1)), 10).is_empty());
    assert!(desk.live.accounts(None, Some(party(BEN)), None, 10).is_empty());
}

#[test]
fn an_agents_hold_without_an_account_does_not_fit() {
    let mut desk = Desk::new();
    desk.at(2, [registered(1, 1, &[1]), opened(1, rules(Direction::Forward, AuctionFormat::Open))]);
    let batch = desk.pen.at(3, [bid(1, 1, ANN, "10", Standing::Leads, Some("10"), None)]);
    let error = desk.live.apply(&batch).unwrap_err();
    assert_eq!(error.misfit, Misfit::NoAccount { owner: party(ANN), currency: "EUR".parse().unwrap() });
}
