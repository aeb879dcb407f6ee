//! Bids, under the eyes of bidders, rivals and the house.

use super::agent::Agent;
use super::auction::Auction;
use super::connection::connection;
use super::enums::{BidLossReason, BidState};
use super::eyes::Eyes;
use super::money::Money;
use super::rights::{Part, Sight};
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{DateTime, Seq};
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;
use domain::event::auction::Standing;
use domain::ids::BidId;
use domain::terms::AuctionFormat;
use projections::live::auction::{AuctionRow, BidRow};
use std::sync::Arc;

/// The pseudonym of every bid in a sealed auction that is open: a number would tell its bidder how many came
/// before. After closing bids show the numbers they have.
const NO_NUMBER_YET: &str = "B0";

pub struct Bid {
    pub(crate) row: BidRow,
    auction: AuctionRow,
    sight: Sight,
}

connection!(BidConnection, BidEdge, Bid);

impl Bid {
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: BidId) -> Result<Option<Bid>, Error> {
        let Some(sight) = Sight::of(app, eyes, id).await? else { return Ok(None) };
        Ok(Bid::within(&sight, id))
    }

    /// One in an inquiry's auctions.
    pub(crate) fn within(sight: &Sight, id: BidId) -> Option<Bid> {
        if !sight.part.sees_auctions() {
            return None;
        }
        let (row, auction) = sight.handle.read(|dossier| {
            let auction = dossier.auction_of(id)?;
            Some((auction.bid(id)?.clone(), auction.row().clone()))
        })?;
        sight.sees_bid(&auction, row.agent).then(|| Bid::show(row, auction, sight.clone()))
    }

    pub(crate) fn show(row: BidRow, auction: AuctionRow, sight: Sight) -> Bid {
        Bid { row, auction, sight }
    }

    fn is_own(&self) -> bool {
        self.sight.eyes.viewer == Actor::Agent(self.row.agent)
    }

    /// To those who are no rivals: the provider, finance, operators, and its agent.
    fn is_named(&self) -> bool {
        self.is_own() || matches!(self.sight.part, Part::Operator | Part::Provider | Part::Finance)
    }

    fn shows_amount(&self) -> bool {
        self.is_own()
            || match self.auction.rules.format {
                AuctionFormat::Open => true,
                // A maximum that led stays its bidder's own. So does what a leader names below it: it would say
                // that the maximum is more. One that never led has made the price, and is as public as that; the
                // audit trail says the same.
                AuctionFormat::Proxy => match self.row.standing {
                    Standing::OutbidAtOnce => true,
                    Standing::Leads | Standing::NoEffect | Standing::Sealed => false,
                },
                // It is closed, or the bid would not be here.
                AuctionFormat::SealedFirstPrice | AuctionFormat::SealedSecondPrice => self.is_named(),
            }
    }
}

/// `agent`: null to rivals, who see the pseudonym `bidder` (B1, B2, ... per auction). `amount`: null where hidden; a leading PROXY maximum is its bidder's alone, for ever. Sealed bids are never OUTBID before closing.
#[Object]
impl Bid {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn auction(&self) -> Result<Auction, Error> {
        Auction::within(&self.sight, self.row.auction)
            .ok_or_else(|| code(ErrorCode::Internal, "a bid without its auction"))
    }
    async fn bidder(&self) -> String {
        if self.sight.is_sealed_now(&self.auction) {
            return NO_NUMBER_YET.to_owned();
        }
        format!("B{}", self.row.bidder)
    }
    async fn agent(&self, ctx: &Context<'_>) -> Option<Agent> {
        Agent::show(app(ctx), &self.sight.eyes, self.row.agent, false).filter(|_| self.is_named())
    }
    async fn amount(&self) -> Option<Money> {
        self.shows_amount().then(|| self.row.amount.into())
    }
    async fn state(&self) -> BidState {
        self.row.state.into()
    }
    async fn placed_at(&self) -> DateTime {
        DateTime(self.row.placed_at)
    }
    async fn seq(&self) -> Seq {
        Seq(self.row.placed_seq)
    }
    async fn loss_reason(&self) -> Option<BidLossReason> {
        self.row.loss_reason.filter(|_| self.is_named()).map(BidLossReason::from)
    }
}
