//! Settlements: the money of one inquiry, and the postings it came to.

use super::agent::Agent;
use super::bid::Bid;
use super::connection::{Pager, connection};
use super::enums::{AuctionDirection, SettlementState};
use super::eyes::Eyes;
use super::filters::SettlementFilter;
use super::fresh;
use super::inquiry::Inquiry;
use super::money::Money;
use super::provider::Provider;
use super::rights::{Sight, is_party, sees_money_of};
use crate::app::{App, blocking};
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Seq};
use async_graphql::{ComplexObject, Context, Error, ID, Object, SimpleObject, Union};
use domain::actor::Actor;
use domain::event::journal::EntryPosted;
use domain::event::settlement::Leg;
use domain::event::wallet;
use domain::ids::{BidId, EventId, InquiryId, PostingId, SettlementId, Subject};
use domain::log::LogName;
use domain::terms::Direction;
use domain::time::Timestamp;
use projections::history::lists::PostingsOf;
use projections::history::rows;
use projections::live::settlement::{PostingRow, SettlementRow, posting_id};
use std::sync::Arc;
use store::chain::event_id;
use store::raw::Hex;

#[derive(Union)]
pub enum Party {
    Provider(Provider),
    Agent(Agent),
}

impl Party {
    /// A party that the viewer meets at money that it sees.
    pub(crate) fn show(app: &App, eyes: &Eyes, party: wallet::Party) -> Result<Party, Error> {
        let shown = match party {
            wallet::Party::Provider(id) => Provider::show(app, eyes, id).map(Party::Provider),
            wallet::Party::Agent(id) => Agent::show(app, eyes, id, false).map(Party::Agent),
        };
        shown.ok_or_else(|| code(ErrorCode::Internal, "money without its owner"))
    }
}

/// The party that an id names.
pub(crate) fn party_of(subject: Subject) -> Option<wallet::Party> {
    match subject {
        Subject::AgentId(id) => Some(wallet::Party::Agent(id)),
        Subject::ProviderId(id) => Some(wallet::Party::Provider(id)),
        _ => None,
    }
}

pub struct Settlement {
    id: SettlementId,
    state: SettlementState,
    at: Timestamp,
    log: LogName,
    seq: domain::log::Seq,
    inquiry: InquiryId,
    bid: Option<BidId>,
    price: domain::money::Money,
    left: domain::money::Money,
    direction: Direction,
    payer: wallet::Party,
    payee: wallet::Party,
    /// Known where the settlement was read from its inquiry.
    postings: Option<Vec<Posting>>,
    eyes: Eyes,
}

connection!(SettlementConnection, SettlementEdge, Settlement);

impl Settlement {
    pub(crate) async fn load(
        app: &Arc<App>,
        eyes: impl Into<Eyes>,
        id: SettlementId,
    ) -> Result<Option<Settlement>, Error> {
        let sight = Sight::of(app, eyes, id).await?;
        Ok(sight.and_then(|sight| Settlement::within(&sight)))
    }

    /// The settlement of an inquiry.
    pub(crate) fn within(sight: &Sight) -> Option<Settlement> {
        let (row, postings) = sight.handle.read(|dossier| {
            let settlement = dossier.settlement()?;
            Some((settlement.row().clone(), settlement.postings().to_vec()))
        })?;
        let seen = sees(&sight.eyes.viewer, row.payer, row.payee);
        seen.then(|| Settlement::of_live(row, postings, &sight.eyes))
    }

    fn of_live(row: SettlementRow, postings: Vec<PostingRow>, eyes: &Eyes) -> Settlement {
        Settlement {
            id: row.id,
            state: row.state.into(),
            at: row.at,
            log: row.log,
            seq: row.seq,
            inquiry: row.inquiry,
            bid: row.bid,
            price: row.price,
            left: row.left,
            direction: row.direction,
            payer: row.payer,
            payee: row.payee,
            postings: Some(postings.into_iter().map(Posting::from).collect()),
            eyes: eyes.clone(),
        }
    }

    fn of_history(row: rows::SettlementRow, viewer: &Actor) -> Option<Settlement> {
        let (payer, payee) = (party_of(row.payer)?, party_of(row.payee)?);
        sees(viewer, payer, payee).then(|| Settlement {
            id: row.id,
            state: row.state.into(),
            at: row.at,
            log: row.log,
            seq: row.seq,
            inquiry: row.inquiry,
            bid: row.bid,
            price: row.price,
            left: row.left,
            direction: row.direction,
            payer,
            payee,
            postings: None,
            eyes: viewer.into(),
        })
    }

    /// Those that the viewer sees, by id. History has all of them once it has caught up.
    pub(crate) async fn list(
        app: &Arc<App>,
        viewer: &Actor,
        filter: SettlementFilter,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<SettlementConnection, Error> {
        let pager = Pager::<u128>::new(app, viewer, "settlements", &filter, first, after)?;
        let own: Option<Subject> = match viewer {
            Actor::Operator(_) | Actor::Finance(_) => None,
            Actor::Agent(id) => Some((*id).into()),
            Actor::Provider(id) => Some((*id).into()),
            Actor::Customer(_) | Actor::Anonymous | Actor::System => {
                return Ok(SettlementConnection::page(&pager, (Vec::new(), false)));
            }
        };
        let Some(wanted) = filter.read() else {
            return Ok(SettlementConnection::page(&pager, (Vec::new(), false)));
        };
        fresh::caught_up(app).await?;
        let mut found = Vec::new();
        let mut at = pager.after.map(SettlementId);
        loop {
            let (mut asked, limit, house) = (wanted.clone(), pager.limit(), app.clone());
            // With a party named as well, what is the viewer's own is sifted below.
            asked.party = asked.party.or(own);
            let rows = blocking(move || house.history.settlements(&asked, at, limit)).await?;
            let ended = rows.len() < limit;
            for row in rows {
                at = Some(row.id);
                let id = row.id.0;
                found.extend(Settlement::of_history(row, viewer).map(|settlement| (id, settlement)));
            }
            if ended || found.len() > pager.first {
                return Ok(SettlementConnection::page(&pager, pager.cut(found)));
            }
        }
    }
}

fn sees(viewer: &Actor, payer: wallet::Party, payee: wallet::Party) -> bool {
    sees_money_of(viewer, payer) || is_party(viewer, payee)
}

#[Object]
impl Settlement {
    pub(crate) async fn id(&self) -> ID {
        self.id.to_string().into()
    }
    async fn state(&self) -> SettlementState {
        self.state
    }
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    async fn log(&self) -> &str {
        self.log.as_str()
    }
    async fn seq(&self) -> Seq {
        Seq(self.seq)
    }
    // Whoever sees the settlement took part in its inquiry, or sees every inquiry that has one.
    async fn inquiry(&self, ctx: &Context<'_>) -> Result<Inquiry, Error> {
        let inquiry = Inquiry::load(app(ctx), &self.eyes, self.inquiry).await?;
        inquiry.ok_or_else(|| code(ErrorCode::Internal, "a settlement without its inquiry"))
    }
    async fn bid(&self, ctx: &Context<'_>) -> Result<Option<Bid>, Error> {
        match self.bid {
            Some(bid) => Bid::load(app(ctx), &self.eyes, bid).await,
            None => Ok(None),
        }
    }
    async fn price(&self) -> Money {
        self.price.into()
    }
    /// Of the price, what was not given back.
    async fn left(&self) -> Money {
        self.left.into()
    }
    async fn direction(&self) -> AuctionDirection {
        self.direction.into()
    }
    async fn payer(&self, ctx: &Context<'_>) -> Result<Party, Error> {
        Party::show(app(ctx), &self.eyes, self.payer)
    }
    async fn payee(&self, ctx: &Context<'_>) -> Result<Party, Error> {
        Party::show(app(ctx), &self.eyes, self.payee)
    }
    async fn postings(&self, ctx: &Context<'_>) -> Result<Vec<Posting>, Error> {
        if let Some(known) = &self.postings {
            return Ok(known.clone());
        }
        let (app, id) = (app(ctx).clone(), self.id);
        // A settlement's events are a handful, with a handful of legs each.
        let rows = blocking(move || app.history.postings(&PostingsOf::Settlement(id), None, 1_000)).await?;
        Ok(rows.into_iter().map(Posting::from).collect())
    }
}

/// Double entry; the postings of one settlement sum to zero per currency. `account` is the path in the chart of accounts, `rule` names rule and version. Debit positive.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(complex)]
pub struct Posting {
    #[graphql(skip)]
    own: PostingId,
    transaction: ID,
    at: DateTime,
    account: String,
    amount: Money,
    rule: String,
    leg: i32,
}

connection!(PostingConnection, PostingEdge, Posting);

impl Posting {
    /// A settlement's, for who sees the settlement; an account's, for who sees the account.
    pub(crate) async fn load(app: &Arc<App>, viewer: &Actor, id: PostingId) -> Result<Option<Posting>, Error> {
        if *viewer == Actor::Anonymous {
            return Ok(None);
        }
        let house = app.clone();
        let Some(row) = blocking(move || house.history.posting(&*house.store, id)).await? else { return Ok(None) };
        let seen = match (row.settlement, row.wallet) {
            (Some(settlement), _) => Settlement::load(app, viewer, settlement).await?.is_some(),
            (None, Some(account)) => {
                app.live.account(account).is_some_and(|account| sees_money_of(viewer, account.owner))
            }
            (None, None) => false,
        };
        Ok(seen.then(|| row.into()))
    }

    /// Those of a journal entry: the same as the event has that it stands for.
    pub(crate) fn of_entry(entry: &EntryPosted) -> Vec<Posting> {
        let Some(source) = Hex::read(&entry.source.hash) else { return Vec::new() };
        let transaction = EventId(event_id(&source));
        let shown = |(leg, of): (u32, &Leg)| {
            let id = posting_id(&source, &of.rule, leg);
            Posting::new(id, transaction, entry.at, &of.account, of.amount, &of.rule, leg)
        };
        (0..).zip(&entry.legs).map(shown).collect()
    }

    fn new(
        id: PostingId,
        transaction: EventId,
        at: Timestamp,
        account: &str,
        amount: domain::money::Money,
        rule: &str,
        leg: u32,
    ) -> Posting {
        Posting {
            own: id,
            transaction: transaction.to_string().into(),
            at: DateTime(at),
            account: account.to_owned(),
            amount: amount.into(),
            rule: rule.to_owned(),
            leg: i32::try_from(leg).unwrap_or(i32::MAX),
        }
    }
}

#[ComplexObject]
impl Posting {
    pub(crate) async fn id(&self) -> ID {
        self.own.to_string().into()
    }
}

impl From<PostingRow> for Posting {
    fn from(row: PostingRow) -> Posting {
        Posting::new(row.id, row.transaction, row.at, &row.account, row.amount, &row.rule, row.leg)
    }
}

impl From<rows::PostingRow> for Posting {
    fn from(row: rows::PostingRow) -> Posting {
        Posting::new(row.id, row.transaction, row.at, &row.account, row.amount, &row.rule, row.leg)
    }
}
