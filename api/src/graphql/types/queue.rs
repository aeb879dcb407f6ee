//! Topical queues and who stands in them.

use super::call_server::CallServer;
use super::connection::{Pager, connection};
use super::enums::{QueueOrigin, QueueState};
use super::inquiry::{Inquiry, InquiryConnection};
use super::rights::{market_of, sees_queue};
use super::terms::Skill;
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Seq};
use crate::graphql::subscription::feed_cursor;
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;
use domain::ids::{InquiryId, QueueId};
use domain::log::LogName;
use domain::time::Timestamp;
use domain::topic::Topic;
use projections::live::queue::QueueRow;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::raw::Head;

pub struct Queue {
    row: QueueRow,
    viewer: Actor,
    /// Where its log stood before the row was read.
    at: Option<Head>,
}

connection!(QueueConnection, QueueEdge, Queue);

impl Queue {
    pub(crate) async fn load(app: &Arc<App>, viewer: &Actor, id: QueueId) -> Result<Option<Queue>, Error> {
        let queue = Queue::show(app, viewer, id);
        Ok(queue.filter(|queue| sees_queue(viewer, market_of(app, viewer).as_ref(), &queue.row.log)))
    }

    /// For whoever meets it at an inquiry that it sees.
    pub(crate) fn show(app: &App, viewer: &Actor, id: QueueId) -> Option<Queue> {
        let at = app.live.head(&app.live.place(id)?.log);
        Some(Queue { row: app.live.queue(id)?, viewer: viewer.clone(), at })
    }

    /// Open queues that the viewer sees, by topic and id.
    pub(crate) fn page(
        app: &App,
        viewer: &Actor,
        log: Option<&LogName>,
        beneath: Option<&Topic>,
        pager: &Pager<(Topic, QueueId)>,
    ) -> QueueConnection {
        let market = market_of(app, viewer);
        let heads: BTreeMap<LogName, Head> = app.live.heads().into_iter().collect();
        let next = |after: Option<&(Topic, QueueId)>, limit| app.live.queues(log, beneath, after, limit);
        let take = |row: QueueRow| {
            let at = heads.get(&row.log).copied();
            sees_queue(viewer, market.as_ref(), &row.log).then(|| Queue { row, viewer: viewer.clone(), at })
        };
        QueueConnection::page(pager, pager.sift(next, |row| (row.topic.clone(), row.id), take))
    }
}

#[Object]
impl Queue {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn seq(&self) -> Seq {
        Seq(self.row.seq)
    }
    async fn feed_cursor(&self, ctx: &Context<'_>) -> Cursor {
        feed_cursor(app(ctx), &self.viewer, &self.row.log, self.at)
    }
    async fn state(&self) -> QueueState {
        self.row.state.into()
    }
    async fn required_skills(&self) -> Vec<Skill> {
        self.row.required_skills.iter().map(Skill::from).collect()
    }
    async fn topic(&self) -> &str {
        self.row.topic.as_str()
    }
    async fn call_server(&self, ctx: &Context<'_>) -> Result<CallServer, Error> {
        CallServer::show(app(ctx), &self.viewer, &self.row.log)
            .ok_or_else(|| code(ErrorCode::Internal, "a queue without its call server"))
    }
    async fn depth(&self) -> i32 {
        i32::try_from(self.row.depth).unwrap_or(i32::MAX)
    }
    async fn oldest_at(&self) -> Option<DateTime> {
        self.row.oldest_at.map(DateTime)
    }
    async fn origin(&self) -> QueueOrigin {
        self.row.origin.into()
    }
    async fn born_from(&self) -> Option<ID> {
        self.row.born_from.map(|subject| subject.to_string().into())
    }
    async fn retired_at(&self) -> Option<DateTime> {
        self.row.retired_at.map(DateTime)
    }
    async fn inquiries(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<InquiryConnection, Error> {
        let app = app(ctx);
        let list = format_args!("inquiries in {}", self.row.id).to_string();
        let pager = Pager::<(Timestamp, InquiryId)>::new(app, &self.viewer, list, &(), first, after)?;
        let next = |after: Option<&(Timestamp, InquiryId)>, limit| {
            app.live.queue_inquiries(self.row.id, after.copied(), limit)
        };
        let take = |row: projections::live::inquiry::InquiryRow| Inquiry::open(app, &self.viewer, row.id);
        Ok(InquiryConnection::page(&pager, pager.sift(next, |row| (row.accepted_at, row.id), take)))
    }
}
