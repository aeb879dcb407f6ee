//! The query root. Absent and forbidden are both null; lists hold what the viewer may see.

use super::scalars::{CurrencyCode, Cursor, DateTime, Seq};
use super::types::account::AccountConnection;
use super::types::agent::AgentConnection;
use super::types::auction::AuctionConnection;
use super::types::audit::AuditConnection;
use super::types::connection::Pager;
use super::types::eyes::Eyes;
use super::types::fee::{FeeRule, FeeRuleConnection};
use super::types::filters::{AgentFilter, AuctionFilter, AuditFilter, InquiryFilter, SettlementFilter};
use super::types::inquiry::InquiryConnection;
use super::types::journal::{JournalConnection, JournalEntry, JournalFilter, TrialBalance};
use super::types::node::Node;
use super::types::offer::OfferConnection;
use super::types::queue::QueueConnection;
use super::types::settlement::SettlementConnection;
use super::types::snapshot::{AsOfInput, Snapshot};
use super::types::topic_score::TopicScore;
use super::types::viewer::Viewer;
use super::types::{Account, Agent, Auction, CallServer, Customer, Inquiry, Offer, Queue, Session, Settlement};
use super::types::{fresh, search, topic_score};
use super::{actor, app};
use async_graphql::{Context, Error, ID, Object};
use domain::ids::Subject;
use std::str::FromStr;

pub struct Query;

/// An id of the kind that a field takes; another kind names nothing.
fn read<T: FromStr>(id: &ID) -> Option<T> {
    id.parse().ok()
}

/// The id, once `min_seq` is reached.
async fn read_after<T: FromStr + Copy + Into<Subject>>(
    ctx: &Context<'_>,
    id: &ID,
    min_seq: Option<Seq>,
) -> Result<Option<T>, Error> {
    let Some(id) = read::<T>(id) else { return Ok(None) };
    fresh::at_least(app(ctx), &actor(ctx), id, min_seq).await?;
    Ok(Some(id))
}

#[Object]
impl Query {
    /// Null without a token.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Option<Viewer>, Error> {
        Ok(Viewer::of(actor(ctx)))
    }
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Node>, Error> {
        Node::load(app(ctx), &actor(ctx), &id).await
    }
    /// At most 100.
    async fn nodes(&self, ctx: &Context<'_>, ids: Vec<ID>) -> Result<Vec<Option<Node>>, Error> {
        let viewer = actor(ctx);
        let mut nodes = Vec::with_capacity(ids.len());
        for id in &ids {
            nodes.push(Node::load(app(ctx), &viewer, id).await?);
        }
        Ok(nodes)
    }
    async fn offer(&self, ctx: &Context<'_>, id: ID, min_seq: Option<Seq>) -> Result<Option<Offer>, Error> {
        match read_after(ctx, &id, min_seq).await? {
            Some(id) => Offer::load(app(ctx), &actor(ctx), id).await,
            None => Ok(None),
        }
    }
    /// The classifier's subject matters of a question, for the customer to confirm before accepting. Records nothing.
    async fn suggest_topics(&self, ctx: &Context<'_>, offer_id: ID, question: String, first: i32) -> Vec<TopicScore> {
        topic_score::suggest(app(ctx), read(&offer_id), &question, first)
    }
    async fn offers(
        &self,
        ctx: &Context<'_>,
        provider_id: Option<ID>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<OfferConnection, Error> {
        let eyes = Eyes::from(&actor(ctx));
        let pager = Pager::new(app(ctx), &eyes, "offers", &provider_id.as_deref(), first, after)?;
        match provider_id.map(|id| read(&id)) {
            Some(None) => Ok(OfferConnection::page(&pager, (Vec::new(), false))),
            Some(provider) => Ok(Offer::page(app(ctx), &eyes, provider, &pager)),
            None => Ok(Offer::page(app(ctx), &eyes, None, &pager)),
        }
    }
    async fn call_servers(&self, ctx: &Context<'_>) -> Result<Vec<CallServer>, Error> {
        Ok(CallServer::all(app(ctx), &actor(ctx)))
    }
    async fn queue(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Queue>, Error> {
        match read(&id) {
            Some(id) => Queue::load(app(ctx), &actor(ctx), id).await,
            None => Ok(None),
        }
    }
    /// Open queues, by topic and id.
    async fn queues(
        &self,
        ctx: &Context<'_>,
        call_server: Option<String>,
        topic: Option<String>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<QueueConnection, Error> {
        Queue::list(app(ctx), &Eyes::from(&actor(ctx)), call_server, topic, first, after)
    }
    async fn inquiry(&self, ctx: &Context<'_>, id: ID, min_seq: Option<Seq>) -> Result<Option<Inquiry>, Error> {
        match read_after(ctx, &id, min_seq).await? {
            Some(id) => Inquiry::load(app(ctx), &actor(ctx), id).await,
            None => Ok(None),
        }
    }
    async fn inquiries(
        &self,
        ctx: &Context<'_>,
        filter: Option<InquiryFilter>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<InquiryConnection, Error> {
        search::inquiries(app(ctx), &actor(ctx), filter.unwrap_or_default(), first, after).await
    }
    async fn auction(&self, ctx: &Context<'_>, id: ID, min_seq: Option<Seq>) -> Result<Option<Auction>, Error> {
        match read_after(ctx, &id, min_seq).await? {
            Some(id) => Auction::load(app(ctx), &actor(ctx), id).await,
            None => Ok(None),
        }
    }
    /// `eligibleOnly`: those the viewing agent could bid in now.
    async fn auctions(
        &self,
        ctx: &Context<'_>,
        filter: Option<AuctionFilter>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<AuctionConnection, Error> {
        search::auctions(app(ctx), &actor(ctx), filter.unwrap_or_default(), first, after).await
    }
    async fn agent(&self, ctx: &Context<'_>, id: ID, min_seq: Option<Seq>) -> Result<Option<Agent>, Error> {
        match read_after(ctx, &id, min_seq).await? {
            Some(id) => Agent::load(app(ctx), &actor(ctx), id).await,
            None => Ok(None),
        }
    }
    async fn agents(
        &self,
        ctx: &Context<'_>,
        filter: Option<AgentFilter>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<AgentConnection, Error> {
        Agent::list(app(ctx), &Eyes::from(&actor(ctx)), None, filter.unwrap_or_default(), first, after)
    }
    async fn session(&self, ctx: &Context<'_>, id: ID, min_seq: Option<Seq>) -> Result<Option<Session>, Error> {
        match read_after(ctx, &id, min_seq).await? {
            Some(id) => Session::load(app(ctx), &actor(ctx), id).await,
            None => Ok(None),
        }
    }
    async fn customer(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Customer>, Error> {
        match read(&id) {
            Some(id) => Customer::load(app(ctx), &actor(ctx), id).await,
            None => Ok(None),
        }
    }
    /// Every event whose subjects include `subject` (an id of any kind), oldest first. A provider sees what concerns its own offers.
    async fn audit_trail(
        &self,
        ctx: &Context<'_>,
        subject: Option<ID>,
        filter: Option<AuditFilter>,
        #[graphql(default = false)] reverse: bool,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<AuditConnection, Error> {
        let filter = filter.unwrap_or_default();
        AuditConnection::read(app(ctx), &actor(ctx), subject, filter, reverse, first, after).await
    }
    async fn account(&self, ctx: &Context<'_>, id: ID, min_seq: Option<Seq>) -> Result<Option<Account>, Error> {
        match read_after(ctx, &id, min_seq).await? {
            Some(id) => Account::load(app(ctx), &actor(ctx), id).await,
            None => Ok(None),
        }
    }
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        owner_id: Option<ID>,
        currency: Option<CurrencyCode>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<AccountConnection, Error> {
        Account::list(app(ctx), &actor(ctx), owner_id, currency, first, after).await
    }
    async fn settlements(
        &self,
        ctx: &Context<'_>,
        filter: Option<SettlementFilter>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<SettlementConnection, Error> {
        Settlement::list(app(ctx), &actor(ctx), filter.unwrap_or_default(), first, after).await
    }
    /// Journal entries, by when their money moved. For finance and operators.
    async fn journal(
        &self,
        ctx: &Context<'_>,
        filter: Option<JournalFilter>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<JournalConnection, Error> {
        JournalEntry::list(app(ctx), &Eyes::from(&actor(ctx)), filter.unwrap_or_default(), first, after).await
    }
    /// What the house takes of a price, by number. For agents, providers, finance and operators.
    async fn fee_rules(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<FeeRuleConnection, Error> {
        FeeRule::list(app(ctx), &Eyes::from(&actor(ctx)), first, after)
    }
    /// What stands in each account. `until`: what had moved before that instant; late entries count from when their money moved. Null before the first entry. For finance and operators.
    async fn trial_balance(&self, ctx: &Context<'_>, until: Option<DateTime>) -> Result<Option<TrialBalance>, Error> {
        TrialBalance::load(app(ctx), &Eyes::from(&actor(ctx)), until).await
    }
    /// The same reads at one past position, for the whole subtree, under the viewer's present rights. `log`: a call server's name, `community` or `treasury`; required with `point.seq`. Other logs are read as of the same instant.
    async fn as_of(&self, ctx: &Context<'_>, point: AsOfInput, log: Option<String>) -> Result<Option<Snapshot>, Error> {
        Snapshot::load(app(ctx), actor(ctx), point, log).await
    }
}
