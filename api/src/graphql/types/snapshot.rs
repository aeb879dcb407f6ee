//! `asOf`: the same reads at one past position, under the viewer's present rights.
//!
//! A position is named by its log and `seq`, or found by a time; `log` then says which position `seq` shows. What
//! cannot be read back to is null, as an absent object is: a log that is none or that the viewer sees nothing of, a
//! position that is not there yet, an instant that is still to come.

use super::agent::AgentConnection;
use super::eyes::Eyes;
use super::filters::AgentFilter;
use super::journal::{JournalConnection, JournalEntry, JournalFilter, TrialBalance};
use super::queue::QueueConnection;
use super::rights::sees_log;
use super::{Account, Agent, Auction, Inquiry, Offer, Queue};
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Seq};
use crate::past::{Past, Point, as_of};
use async_graphql::{Context, Error, ID, Object, OneofObject};
use domain::actor::Actor;
use domain::log::LogName;
use std::sync::Arc;

/// A point in the past: a position, or a time that is resolved to one position once.
#[derive(OneofObject, Clone, Copy, Debug)]
pub enum AsOfInput {
    Seq(Seq),
    At(DateTime),
}

pub struct Snapshot {
    past: Arc<Past>,
    eyes: Eyes,
}

impl Snapshot {
    /// Errors: BAD_REQUEST for a position without its log; RATE_LIMITED and UNAVAILABLE as of [`as_of`].
    pub(crate) async fn load(
        app: &Arc<App>,
        viewer: Actor,
        point: AsOfInput,
        log: Option<String>,
    ) -> Result<Option<Snapshot>, Error> {
        // Strangers see what is published now. A fold is work, and nobody would answer for it.
        if viewer == Actor::Anonymous {
            return Ok(None);
        }
        let log = match log.map(|name| name.parse::<LogName>()) {
            None => None,
            Some(Ok(log)) if sees_log(app, &viewer, &log).await? => Some(log),
            Some(_) => return Ok(None),
        };
        let point = match (point, log) {
            (AsOfInput::Seq(Seq(seq)), Some(log)) => Point::Seq { log, seq },
            (AsOfInput::Seq(_), None) => {
                let message = "log: a position is one of a log; name a call server, or community";
                return Err(code(ErrorCode::BadRequest, message));
            }
            (AsOfInput::At(DateTime(at)), log) => Point::At { at, log },
        };
        let past = as_of(app, &viewer, point).await?.map(Arc::new);
        Ok(past.map(|past| Snapshot { eyes: Eyes { viewer, past: Some(past.clone()) }, past }))
    }
}

#[Object]
impl Snapshot {
    async fn log(&self) -> Option<&str> {
        self.past.log().map(LogName::as_str)
    }
    async fn seq(&self) -> Option<Seq> {
        self.past.seq.map(Seq)
    }
    async fn at(&self) -> DateTime {
        DateTime(self.past.at)
    }
    async fn offer(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Offer>, Error> {
        match id.parse() {
            Ok(id) => Offer::load(app(ctx), &self.eyes, id).await,
            Err(_) => Ok(None),
        }
    }
    async fn inquiry(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Inquiry>, Error> {
        match id.parse() {
            Ok(id) => Inquiry::load(app(ctx), &self.eyes, id).await,
            Err(_) => Ok(None),
        }
    }
    async fn auction(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Auction>, Error> {
        match id.parse() {
            Ok(id) => Auction::load(app(ctx), &self.eyes, id).await,
            Err(_) => Ok(None),
        }
    }
    async fn agent(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Agent>, Error> {
        match id.parse() {
            Ok(id) => Agent::load(app(ctx), &self.eyes, id).await,
            Err(_) => Ok(None),
        }
    }
    async fn queue(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Queue>, Error> {
        match id.parse() {
            Ok(id) => Queue::load(app(ctx), &self.eyes, id).await,
            Err(_) => Ok(None),
        }
    }
    async fn account(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Account>, Error> {
        match id.parse() {
            Ok(id) => Account::load(app(ctx), &self.eyes, id).await,
            Err(_) => Ok(None),
        }
    }
    /// The journal as it was known then.
    async fn journal(
        &self,
        ctx: &Context<'_>,
        filter: Option<JournalFilter>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<JournalConnection, Error> {
        JournalEntry::list(app(ctx), &self.eyes, filter.unwrap_or_default(), first, after).await
    }
    /// What stood in each account, as it was known then. `until`: of that, what had moved before this instant.
    async fn trial_balance(&self, ctx: &Context<'_>, until: Option<DateTime>) -> Result<Option<TrialBalance>, Error> {
        TrialBalance::load(app(ctx), &self.eyes, until).await
    }
    async fn agents(
        &self,
        ctx: &Context<'_>,
        filter: Option<AgentFilter>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<AgentConnection, Error> {
        Agent::list(app(ctx), &self.eyes, None, filter.unwrap_or_default(), first, after)
    }
    async fn queues(
        &self,
        ctx: &Context<'_>,
        call_server: Option<String>,
        topic: Option<String>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<QueueConnection, Error> {
        Queue::list(app(ctx), &self.eyes, call_server, topic, first, after)
    }
}
