//! Bids.

use super::call::{Call, Done, Step, answer};
use super::inquiry::agents_market;
use super::payload::BidPayload;
use crate::graphql::input::parse::{self, Path};
use crate::graphql::input::work::{PlaceBidInput, WithdrawBidInput};
use crate::graphql::types::{Auction, Bid};
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Command, rights};
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::ids::{AuctionId, BidId};
use domain::refusal::Refusal;
use projections::live::Dossier;
use projections::live::auction::AuctionState;

#[derive(Default)]
pub(super) struct Bids;

#[Object]
impl Bids {
    async fn place_bid(&self, ctx: &Context<'_>, input: PlaceBidInput) -> Result<BidPayload, Error> {
        let call = Call::begin(ctx, rights::PLACE_BID, &input, &input.idempotency_key)?;
        answer(place_bid(&call, &input, Wanted::of(ctx))).await
    }

    async fn withdraw_bid(&self, ctx: &Context<'_>, input: WithdrawBidInput) -> Result<BidPayload, Error> {
        let call = Call::begin(ctx, rights::WITHDRAW_BID, &input, &input.idempotency_key)?;
        answer(withdraw_bid(&call, &input, Wanted::of(ctx))).await
    }
}

/// What the caller wants to see of the payload: what nobody asks for is not loaded.
#[derive(Clone, Copy)]
struct Wanted {
    bid: bool,
    auction: bool,
}

impl Wanted {
    fn of(ctx: &Context<'_>) -> Wanted {
        let ahead = ctx.look_ahead();
        Wanted { bid: ahead.field("bid").exists(), auction: ahead.field("auction").exists() }
    }
}

async fn place_bid(call: &Call, input: &PlaceBidInput, wanted: Wanted) -> Step<BidPayload> {
    let auction: AuctionId = parse::id(&input.auction_id, "auctionId")?;
    let amount = parse::money(&Path::Input.member("amount"), &input.amount)?;
    let log = call.log_of(auction, "auctionId").await?;
    let command = Command::PlaceBid { auction, amount };
    // An agent of another call server sees no auction here, open or closed.
    let market = || agents_market(call);
    let closed = |dossier: &Dossier, _: &Actor| {
        let row = dossier.auction(auction)?.row();
        (row.state != AuctionState::Open && market() == Some(log.clone())).then_some(Refusal::AuctionClosed)
    };
    let done = call.submit_about(&log, auction, command, closed).await?;
    bid_payload(call, done, wanted).await
}

async fn withdraw_bid(call: &Call, input: &WithdrawBidInput, wanted: Wanted) -> Step<BidPayload> {
    let bid: BidId = parse::id(&input.bid_id, "bidId")?;
    // A rival's bid is not there, whatever else is wrong with the call: that it exists may be a secret.
    let own = |dossier: &Dossier| {
        let bidder = dossier.auction_of(bid)?.bid(bid)?.agent;
        let log = dossier.inquiry()?.log.clone();
        (Actor::Agent(bidder) == call.actor).then_some(log)
    };
    let log = call.look(bid, "bidId", own).await?;
    let closed = |dossier: &Dossier, actor: &Actor| {
        let auction = dossier.auction_of(bid)?;
        let own = auction.bid(bid).is_some_and(|row| Actor::Agent(row.agent) == *actor);
        (own && auction.row().state != AuctionState::Open).then_some(Refusal::AuctionClosed)
    };
    let done = call.submit_about(&log, bid, Command::WithdrawBid { bid }, closed).await?;
    bid_payload(call, done, wanted).await
}

async fn bid_payload(call: &Call, done: Done, wanted: Wanted) -> Step<BidPayload> {
    let (bid, auction) = done.one(|event| match event {
        Event::Auction(AuctionEvent::BidPlaced(e)) => Some((e.bid, e.auction)),
        Event::Auction(AuctionEvent::BidWithdrawn(e)) => Some((e.bid, e.auction)),
        _ => None,
    })?;
    let bid = if wanted.bid { Bid::load(&call.app, &call.actor, bid).await? } else { None };
    let auction = if wanted.auction { Auction::load(&call.app, &call.actor, auction).await? } else { None };
    Ok(BidPayload::new(&done, bid, auction))
}
