//! Accounts: an owner's money in one currency on one call server, and what of it is held for auctions and reservations.
//!
//! A bid holds, it never books. Escrow takes the price from the payer's balance and the hold with it.
//! A provider without an account there is on account without limit: nothing of it is counted here.
//! Not here: postings (a settlement's are in its dossier, all of them in history).

use super::ById;
use super::error::Misfit;
use domain::currency::Currency;
use domain::event::auction::{AuctionAwarded, AuctionEvent, BidPlaced, Standing};
use domain::event::community::CreditLimitGranted;
use domain::event::reservation::ReservationEvent;
use domain::event::settlement::SettlementEvent;
use domain::event::wallet::{Party, WalletEvent};
use domain::ids::{AccountId, AgentId, AuctionId, BidId, InquiryId, PayoutId, ProviderId, ReservationId, SettlementId};
use domain::log::{LogName, Seq};
use domain::money::{Money, MoneyError};
use domain::terms::{AuctionFormat, Direction};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::recorded::Recorded;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    pub id: AccountId,
    /// The call server's log.
    pub log: LogName,
    pub seq: Seq,
    pub owner: Party,
    pub currency: Currency,
    /// Negative where the owner owes.
    pub balance: Money,
    /// How far below zero it may go; absent: without limit.
    pub credit_limit: Option<Money>,
    /// The sum of all holds, secret ones included: who may not see them subtracts them.
    pub held: Money,
    /// Past its return windows, and not paid out.
    pub payable: Money,
    pub opened_at: Timestamp,
}

/// Money that has left the account and did not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutRow {
    pub id: PayoutId,
    pub amount: Money,
    pub at: Timestamp,
}

impl AccountRow {
    /// Balance and credit limit, less what is held; `None` without limit.
    pub fn available(&self) -> Result<Option<Money>, MoneyError> {
        match self.credit_limit {
            None => Ok(None),
            Some(limit) => self.balance.plus(limit)?.minus(self.held).map(Some),
        }
    }
}

/// Why a hold is its owner's alone to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Secret {
    /// For a sealed bid in an auction that is not awarded: it tells that there is a bid.
    Sealed,
    /// For a PROXY bid, or an award beyond its price: it tells the bidder's maximum.
    Proxy,
}

/// What money is held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HeldFor {
    Auction(AuctionId),
    /// Of a routed inquiry, at a fixed price or a standing value, until it ends.
    Reservation(ReservationId),
}

impl HeldFor {
    /// No two things have one.
    pub fn number(self) -> u128 {
        match self {
            HeldFor::Auction(id) => id.0,
            HeldFor::Reservation(id) => id.0,
        }
    }
}

/// Money held for one auction or reservation. There is one hold at most per account and either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRow {
    pub held_for: HeldFor,
    pub inquiry: InquiryId,
    pub bid: Option<BidId>,
    pub amount: Money,
    pub since: Timestamp,
    /// The deadline of a reservation.
    pub expires_at: Option<Timestamp>,
    pub seq: Seq,
    /// Absent where everybody who sees the account may see the hold: that of an award is public, as its
    /// price is.
    pub secret: Option<Secret>,
}

/// An account and its holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    row: AccountRow,
    holds: BTreeMap<HeldFor, HoldRow>,
    payouts: Vec<PayoutRow>,
}

impl Account {
    pub fn row(&self) -> &AccountRow {
        &self.row
    }
    /// On their way, in the order in which they left.
    pub fn payouts(&self) -> &[PayoutRow] {
        &self.payouts
    }
    /// Auctions first.
    pub fn holds(&self) -> &BTreeMap<HeldFor, HoldRow> {
        &self.holds
    }

    fn hold(&mut self, hold: HoldRow) -> Result<(), Misfit> {
        self.release(hold.held_for, hold.seq)?;
        self.row.held = self.row.held.plus(hold.amount)?;
        // A position that moves would tell of a secret hold.
        if hold.secret.is_none() {
            self.row.seq = hold.seq;
        }
        self.holds.insert(hold.held_for, hold);
        Ok(())
    }

    fn release(&mut self, held_for: HeldFor, seq: Seq) -> Result<(), Misfit> {
        if let Some(hold) = self.holds.remove(&held_for) {
            self.row.held = self.row.held.minus(hold.amount)?;
            if hold.secret.is_none() {
                self.row.seq = seq;
            }
        }
        Ok(())
    }
}

/// What a hold needs to know of the auction it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct AuctionFacts {
    pub(super) direction: Direction,
    pub(super) format: AuctionFormat,
    pub(super) provider: ProviderId,
}

impl AuctionFacts {
    /// Whose money is held: the bidder's (FORWARD) or the provider's (REVERSE).
    fn payer(self, bidder: AgentId) -> Party {
        match self.direction {
            Direction::Forward => Party::Agent(bidder),
            Direction::Reverse => Party::Provider(self.provider),
        }
    }
}

/// The accounts of one call server.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Accounts {
    by_id: BTreeMap<AccountId, Account>,
    /// In order of opening: an owner has one in each of a few currencies.
    #[serde(serialize_with = "super::restore::in_order")]
    by_owner: ById<Party, Vec<AccountId>>,
    /// Whose account each payout left that is on its way.
    #[serde(serialize_with = "super::restore::in_order")]
    by_payout: ById<PayoutId, AccountId>,
    /// What stands in escrow: a release does not say its price again.
    #[serde(serialize_with = "super::restore::in_order")]
    escrows: ById<SettlementId, Money>,
}

impl Accounts {
    pub(super) fn get(&self, id: AccountId) -> Option<&Account> {
        self.by_id.get(&id)
    }
    pub(super) fn of_payout(&self, id: PayoutId) -> Option<&Account> {
        self.by_payout.get(&id).and_then(|account| self.by_id.get(account))
    }
    /// By id.
    pub(super) fn after(&self, after: Option<AccountId>) -> impl Iterator<Item = &Account> {
        self.by_id.range(super::past(after)).map(|(_, account)| account)
    }
    /// In order of opening.
    pub(super) fn of(&self, owner: Party) -> impl Iterator<Item = &Account> {
        self.by_owner.get(&owner).into_iter().flatten().filter_map(|id| self.by_id.get(id))
    }

    fn in_currency(&mut self, owner: Party, currency: Currency) -> Option<&mut Account> {
        let id = self.of(owner).find(|account| account.row.currency == currency)?.row.id;
        self.by_id.get_mut(&id)
    }

    fn known(&mut self, id: AccountId) -> Result<&mut Account, Misfit> {
        self.by_id.get_mut(&id).ok_or(Misfit::Unknown(id.into()))
    }

    fn open(&mut self, id: AccountId, owner: Party, zero: Money, credit_limit: Option<Money>, recorded: &Recorded) {
        let row = AccountRow {
            id,
            log: recorded.log.clone(),
            seq: recorded.seq,
            owner,
            currency: zero.currency(),
            balance: zero,
            credit_limit,
            held: zero,
            payable: zero,
            opened_at: recorded.time,
        };
        self.by_id.insert(id, Account { row, holds: BTreeMap::new(), payouts: Vec::new() });
        self.by_owner.entry(owner).or_default().push(id);
    }

    pub(super) fn on_wallet(&mut self, event: &WalletEvent, recorded: &Recorded) -> Result<(), Misfit> {
        match event {
            WalletEvent::Opened(e) => {
                if self.by_id.contains_key(&e.account) {
                    return Err(Misfit::Twice(e.account.into()));
                }
                let zero = Money::zero(e.zero.currency());
                self.open(e.account, e.owner, zero, e.credit_limit, recorded);
            }
            WalletEvent::Credited(e) => {
                let row = &mut self.known(e.account)?.row;
                row.balance = row.balance.plus(e.amount)?;
                row.seq = recorded.seq;
            }
            WalletEvent::CreditLimitSet(e) => {
                let row = &mut self.known(e.account)?.row;
                row.credit_limit = Some(e.limit);
                row.seq = recorded.seq;
            }
            WalletEvent::PayableNetted(e) => {
                let row = &mut self.known(e.account)?.row;
                row.payable = row.payable.minus(e.amount)?;
                row.balance = row.balance.plus(e.amount)?;
                row.seq = recorded.seq;
            }
            WalletEvent::PaidOut(e) => {
                let account = self.known(e.account)?;
                account.row.payable = account.row.payable.minus(e.amount)?;
                account.row.seq = recorded.seq;
                account.payouts.push(PayoutRow { id: e.payout, amount: e.amount, at: recorded.time });
                self.by_payout.insert(e.payout, e.account);
            }
            WalletEvent::PayoutReturned(e) => {
                let account = self.known(e.account)?;
                account.row.payable = account.row.payable.plus(e.amount)?;
                account.row.seq = recorded.seq;
                account.payouts.retain(|payout| payout.id != e.payout);
                self.by_payout.remove(&e.payout);
            }
        }
        Ok(())
    }

    /// Opens the provider's account, or sets its limit anew.
    pub(super) fn on_credit_limit(&mut self, e: &CreditLimitGranted, recorded: &Recorded) {
        match self.by_id.get_mut(&e.account) {
            Some(account) => {
                account.row.credit_limit = e.limit;
                account.row.seq = recorded.seq;
            }
            None => self.open(e.account, Party::Provider(e.provider), e.zero, e.limit, recorded),
        }
    }

    pub(super) fn on_auction(
        &mut self,
        event: &AuctionEvent,
        facts: AuctionFacts,
        recorded: &Recorded,
    ) -> Result<(), Misfit> {
        match event {
            AuctionEvent::BidPlaced(e) => self.on_bid(e, facts, recorded),
            AuctionEvent::Awarded(e) => self.on_award(e, facts, recorded),
            AuctionEvent::BidOutbid(e) => self.free(facts.payer(e.agent), e.auction, e.bid, recorded),
            AuctionEvent::BidWithdrawn(e) => self.free(facts.payer(e.agent), e.auction, e.bid, recorded),
            AuctionEvent::BidLost(e) => self.free(facts.payer(e.agent), e.auction, e.bid, recorded),
            AuctionEvent::BidForfeited(e) => self.free(facts.payer(e.agent), e.auction, e.bid, recorded),
            // Each bid that these end says so itself.
            AuctionEvent::Opened(_)
            | AuctionEvent::Extended(_)
            | AuctionEvent::Unsold(_)
            | AuctionEvent::Cancelled(_) => Ok(()),
        }
    }

    fn on_bid(&mut self, e: &BidPlaced, facts: AuctionFacts, recorded: &Recorded) -> Result<(), Misfit> {
        match e.standing {
            // The bid that stands keeps its hold.
            Standing::NoEffect => return Ok(()),
            Standing::Sealed | Standing::Leads | Standing::OutbidAtOnce => {}
        }
        let (owner, currency) = (Party::Agent(e.agent), e.amount.currency());
        let account = self.in_currency(owner, currency);
        match (account, e.hold) {
            (Some(account), None) => account.release(HeldFor::Auction(e.auction), recorded.seq),
            (None, None) => Ok(()),
            (None, Some(_)) => Err(Misfit::NoAccount { owner, currency }),
            (Some(account), Some(amount)) => account.hold(HoldRow {
                held_for: HeldFor::Auction(e.auction),
                inquiry: e.inquiry,
                bid: Some(e.bid),
                amount,
                since: recorded.time,
                expires_at: None,
                seq: recorded.seq,
                secret: match facts.format {
                    AuctionFormat::SealedFirstPrice | AuctionFormat::SealedSecondPrice => Some(Secret::Sealed),
                    AuctionFormat::Proxy => Some(Secret::Proxy),
                    AuctionFormat::Open => None,
                },
            }),
        }
    }

    fn on_award(&mut self, e: &AuctionAwarded, facts: AuctionFacts, recorded: &Recorded) -> Result<(), Misfit> {
        let currency = e.hold.currency();
        let payer = facts.payer(e.agent);
        match self.in_currency(payer, currency) {
            Some(account) => account.hold(HoldRow {
                held_for: HeldFor::Auction(e.auction),
                inquiry: e.inquiry,
                bid: Some(e.bid),
                amount: e.hold,
                since: recorded.time,
                expires_at: None,
                seq: recorded.seq,
                secret: (facts.format == AuctionFormat::Proxy && e.hold != e.price).then_some(Secret::Proxy),
            }),
            None => missing(payer, currency),
        }
    }

    /// What was held for `bid`. A hold that has passed to a later bid of the same agent stays.
    fn free(&mut self, payer: Party, auction: AuctionId, bid: BidId, recorded: &Recorded) -> Result<(), Misfit> {
        for id in self.by_owner.get(&payer).into_iter().flatten() {
            let account = self.by_id.get_mut(id).ok_or(Misfit::Unknown((*id).into()))?;
            let held_for = HeldFor::Auction(auction);
            if account.holds.get(&held_for).is_some_and(|hold| hold.bid == Some(bid)) {
                account.release(held_for, recorded.seq)?;
            }
        }
        Ok(())
    }

    /// `payer` and price of the reservation, as it opened.
    pub(super) fn on_reservation(
        &mut self,
        event: &ReservationEvent,
        payer: Option<(Party, Money)>,
        recorded: &Recorded,
    ) -> Result<(), Misfit> {
        let Some((payer, price)) = payer else { return Ok(()) };
        let Some(account) = self.in_currency(payer, price.currency()) else { return missing(payer, price.currency()) };
        let held_for = HeldFor::Reservation(match event {
            ReservationEvent::Opened(e) => {
                return account.hold(HoldRow {
                    held_for: HeldFor::Reservation(e.reservation),
                    inquiry: e.inquiry,
                    bid: None,
                    amount: price,
                    since: recorded.time,
                    expires_at: Some(e.deadline),
                    seq: recorded.seq,
                    secret: None,
                });
            }
            ReservationEvent::Viewed(_) | ReservationEvent::InvitationAnswered(_) => return Ok(()),
            // What the session costs is in escrow from the next event on.
            ReservationEvent::Accepted(e) => e.reservation,
            ReservationEvent::Declined(e) => e.reservation,
            ReservationEvent::Lapsed(e) => e.reservation,
            ReservationEvent::Rescinded(e) => e.reservation,
        });
        account.release(held_for, recorded.seq)
    }

    /// `auction`: the one that the settlement's bid won.
    pub(super) fn on_settlement(
        &mut self,
        event: &SettlementEvent,
        auction: Option<AuctionId>,
        recorded: &Recorded,
    ) -> Result<(), Misfit> {
        match event {
            SettlementEvent::Escrowed(e) => {
                self.escrows.insert(e.settlement, e.price);
                let Some(account) = self.in_currency(e.payer, e.price.currency()) else {
                    return missing(e.payer, e.price.currency());
                };
                if let Some(auction) = auction {
                    account.release(HeldFor::Auction(auction), recorded.seq)?;
                }
                account.row.balance = account.row.balance.minus(e.price)?;
                account.row.seq = recorded.seq;
                Ok(())
            }
            // From here on it can no longer go back by a release.
            SettlementEvent::Pending(e) => {
                self.escrows.remove(&e.settlement);
                Ok(())
            }
            SettlementEvent::Refunded(e) => {
                let Some(account) = self.in_currency(e.payer, e.amount.currency()) else {
                    return missing(e.payer, e.amount.currency());
                };
                account.row.balance = account.row.balance.plus(e.amount)?;
                account.row.seq = recorded.seq;
                Ok(())
            }
            SettlementEvent::Payable(e) => {
                // Its first leg takes it out of what is pending. Where the payee has no account, the log is older than
                // payouts are.
                let amount = e.legs.first().map(|leg| leg.amount);
                let account = amount.and_then(|amount| self.in_currency(e.payee, amount.currency()));
                if let (Some(amount), Some(account)) = (amount, account) {
                    account.row.payable = account.row.payable.plus(amount)?;
                    account.row.seq = recorded.seq;
                }
                Ok(())
            }
            SettlementEvent::Released(e) => {
                let price = self.escrows.remove(&e.settlement).ok_or(Misfit::Unknown(e.settlement.into()))?;
                let Some(account) = self.in_currency(e.payer, price.currency()) else {
                    return missing(e.payer, price.currency());
                };
                account.row.balance = account.row.balance.plus(price)?;
                account.row.seq = recorded.seq;
                Ok(())
            }
        }
    }
}

/// A provider may be without an account; an agent whose money moves may not.
fn missing(owner: Party, currency: Currency) -> Result<(), Misfit> {
    match owner {
        Party::Provider(_) => Ok(()),
        Party::Agent(_) => Err(Misfit::NoAccount { owner, currency }),
    }
}
