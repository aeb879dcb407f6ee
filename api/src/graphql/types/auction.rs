//! Auctions: one bidding round over one inquiry.

use super::agent::Agent;
use super::bid::{Bid, BidConnection};
use super::connection::{Pager, connection};
use super::enums::AuctionState;
use super::eyes::Eyes;
use super::inquiry::Inquiry;
use super::money::Money;
use super::rights::{Part, Sight};
use super::terms::AuctionRules;
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Seq};
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;
use domain::ids::AuctionId;
use domain::pricing;
use domain::terms::Direction;
use projections::live::auction::{Auction as Fold, AuctionRow, AuctionState as State, BidRow};
use std::sync::Arc;

pub struct Auction {
    pub(crate) row: AuctionRow,
    sight: Sight,
    my_bid: Option<BidRow>,
}

connection!(AuctionConnection, AuctionEdge, Auction);

impl Auction {
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: AuctionId) -> Result<Option<Auction>, Error> {
        let sight = Sight::of(app, eyes, id).await?;
        Ok(sight.and_then(|sight| Auction::within(&sight, id)))
    }

    /// One of an inquiry's.
    pub(crate) fn within(sight: &Sight, id: AuctionId) -> Option<Auction> {
        if !sight.part.sees_auctions() {
            return None;
        }
        sight.handle.read(|dossier| dossier.auction(id).map(|auction| Auction::show(sight, auction)))
    }

    pub(crate) fn latest(sight: &Sight) -> Option<Auction> {
        Auction::rounds(sight).pop().map(|(_, auction)| auction)
    }

    /// All of an inquiry's, by round.
    pub(crate) fn rounds(sight: &Sight) -> Vec<(u64, Auction)> {
        if !sight.part.sees_auctions() {
            return Vec::new();
        }
        let show = |auction: &Fold| (u64::from(auction.row().round), Auction::show(sight, auction));
        sight.handle.read(|dossier| dossier.auctions().iter().map(show).collect())
    }

    fn show(sight: &Sight, auction: &Fold) -> Auction {
        let row = auction.row().clone();
        let my_bid = match sight.eyes.viewer {
            Actor::Agent(id) => auction.effective_bid(id).cloned(),
            _ => None,
        };
        Auction { row, sight: sight.clone(), my_bid }
    }

    fn is_sealed_now(&self) -> bool {
        self.sight.is_sealed_now(&self.row)
    }

    fn is_open(&self) -> bool {
        self.row.state == State::Open
    }

    fn meets_reserve(&self) -> bool {
        let rules = &self.row.rules;
        let meets = |amount: domain::money::Money| pricing::meets_reserve(rules, amount.amount());
        rules.reserve.is_none()
            || match self.row.price {
                Some(price) => meets(price),
                None => self.sight.handle.read(|dossier| {
                    dossier.auction(self.row.id).is_some_and(|auction| auction.any_effective(|bid| meets(bid.amount)))
                }),
            }
    }

    /// What was paid: to agents their own award alone. In a sealed auction the price is that too.
    fn sees_outcome(&self) -> bool {
        match self.sight.eyes.viewer {
            Actor::Agent(id) => self.row.winner == Some(id),
            _ => true,
        }
    }

    /// The least (FORWARD) or greatest (REVERSE) next bid; none after closing, where any would do, and where
    /// no bid is left that would stand.
    fn bound(&self, direction: Direction) -> Option<Money> {
        let rules = &self.row.rules;
        if !self.is_open() || rules.direction != direction {
            return None;
        }
        let bound = pricing::next_bound(rules, self.row.price.map(|price| price.amount()))?;
        (!bound.is_zero()).then(|| Money::of(bound, rules.currency))
    }
}

#[Object]
impl Auction {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn seq(&self) -> Seq {
        Seq(self.row.seq)
    }
    async fn round(&self) -> i32 {
        i32::try_from(self.row.round).unwrap_or(i32::MAX)
    }
    async fn inquiry(&self) -> Result<Inquiry, Error> {
        Inquiry::show(self.sight.clone()).ok_or_else(|| code(ErrorCode::Internal, "an auction without its inquiry"))
    }
    async fn rules(&self) -> AuctionRules {
        let shows_reserve = matches!(self.sight.part, Part::Provider | Part::Operator);
        AuctionRules::of(&self.row.rules, shows_reserve)
    }
    async fn state(&self) -> AuctionState {
        self.row.state.into()
    }
    async fn opens_at(&self) -> DateTime {
        DateTime(self.row.opens_at)
    }
    async fn closes_at(&self) -> DateTime {
        DateTime(self.row.closes_at)
    }
    async fn hard_closes_at(&self) -> Option<DateTime> {
        self.row.hard_closes_at.map(DateTime)
    }
    async fn server_now(&self, ctx: &Context<'_>) -> DateTime {
        DateTime(self.sight.eyes.instant(app(ctx)))
    }
    /// Sealed: price, reserveMet and bidCount are null to everybody but the record until closing, and the next-bid bounds come from the rules alone.
    async fn price(&self) -> Option<Money> {
        let hidden = self.row.rules.format.is_sealed() && (self.is_sealed_now() || !self.sees_outcome());
        self.row.price.filter(|_| !hidden).map(Money::from)
    }
    /// FORWARD: the least, REVERSE: the greatest next bid that would be accepted; the other one is null.
    async fn minimum_bid(&self) -> Option<Money> {
        self.bound(Direction::Forward)
    }
    async fn maximum_bid(&self) -> Option<Money> {
        self.bound(Direction::Reverse)
    }
    async fn reserve_met(&self) -> Option<bool> {
        (!self.is_sealed_now()).then(|| self.meets_reserve())
    }
    async fn bid_count(&self) -> Option<i32> {
        let count = i32::try_from(self.row.bid_count).unwrap_or(i32::MAX);
        (!self.is_sealed_now()).then_some(count)
    }
    async fn my_bid(&self) -> Option<Bid> {
        self.my_bid.clone().map(|bid| Bid::show(bid, self.row.clone(), self.sight.clone()))
    }
    /// Sealed, until closing: a bidder's own bids; empty to everybody else, provider and operator included.
    async fn bids(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = false)] reverse: bool,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<BidConnection, Error> {
        let list = format_args!("bids in {}", self.row.id).to_string();
        let pager = Pager::<u64>::new(app(ctx), &self.sight.eyes, list, &reverse, first, after)?;
        // Rows and the state that says who sees them are read in one look.
        let (rows, more) = self.sight.handle.read(|dossier| {
            let Some(auction) = dossier.auction(self.row.id) else { return (Vec::new(), false) };
            let (row, bids) = (auction.row(), auction.bids());
            let sealed = self.sight.is_sealed_now(row);
            let seen = |bid: &&BidRow| !sealed || self.sight.eyes.viewer == Actor::Agent(bid.agent);
            let key = |bid: &&BidRow| bid.placed_seq;
            let (page, more) = if reverse {
                pager.slice(bids.iter().rev().filter(seen), key, true)
            } else {
                pager.slice(bids.iter().filter(seen), key, false)
            };
            let show = |bid: &BidRow| (bid.placed_seq, Bid::show(bid.clone(), row.clone(), self.sight.clone()));
            (page.into_iter().map(show).collect(), more)
        });
        Ok(BidConnection::page(&pager, (rows, more)))
    }
    /// To rival bidders: null; they see `Bid.bidder`.
    async fn winner(&self, ctx: &Context<'_>) -> Option<Agent> {
        let winner = self.row.winner.filter(|_| self.sees_outcome())?;
        Agent::show(app(ctx), &self.sight.eyes, winner, false)
    }
    async fn clearing_price(&self) -> Option<Money> {
        self.row.clearing_price.filter(|_| self.sees_outcome()).map(Money::from)
    }
}
