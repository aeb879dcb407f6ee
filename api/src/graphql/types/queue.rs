//! Topical queues and who stands in them.

use super::call_server::CallServer;
use super::connection::{Pager, connection};
use super::enums::{QueueOrigin, QueueState};
use super::eyes::Eyes;
use super::inquiry::{Inquiry, InquiryConnection};
use super::rights::{market_of, sees_queue};
use super::terms::Skill;
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Duration, Seq};
use crate::graphql::subscription::feed_cursor;
use async_graphql::{Context, Error, ID, Object};
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
    eyes: Eyes,
    /// Where its log stood before the row was read.
    at: Option<Head>,
}

connection!(QueueConnection, QueueEdge, Queue);

impl Queue {
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: QueueId) -> Result<Option<Queue>, Error> {
        let eyes = eyes.into();
        let market = market_of(app, &eyes.viewer);
        let queue = Queue::show(app, &eyes, id);
        Ok(queue.filter(|queue| sees_queue(&eyes.viewer, market.as_ref(), &queue.row.log)))
    }

    /// For whoever meets it at an inquiry that it sees.
    pub(crate) fn show(app: &App, eyes: &Eyes, id: QueueId) -> Option<Queue> {
        let live = eyes.live(app);
        let at = live.head(&live.place(id)?.log);
        Some(Queue { row: live.queue(id)?, eyes: eyes.clone(), at })
    }

    /// Open queues that the viewer sees, by topic and id. What names no call server or topic finds nothing.
    pub(crate) fn list(
        app: &Arc<App>,
        eyes: &Eyes,
        call_server: Option<String>,
        topic: Option<String>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<QueueConnection, Error> {
        let filter = (call_server.as_deref(), topic.as_deref());
        let pager = Pager::new(app, eyes, "queues", &filter, first, after)?;
        let log = call_server.map(|name| name.parse::<LogName>()).transpose();
        let beneath = topic.map(|topic| topic.parse::<Topic>()).transpose();
        match (log, beneath) {
            (Ok(log), Ok(beneath)) => Ok(Queue::page(app, eyes, log.as_ref(), beneath.as_ref(), &pager)),
            _ => Ok(QueueConnection::page(&pager, (Vec::new(), false))),
        }
    }

    fn page(
        app: &App,
        eyes: &Eyes,
        log: Option<&LogName>,
        beneath: Option<&Topic>,
        pager: &Pager<(Topic, QueueId)>,
    ) -> QueueConnection {
        let live = eyes.live(app);
        let market = market_of(app, &eyes.viewer);
        let heads: BTreeMap<LogName, Head> = live.heads().into_iter().collect();
        let next = |after: Option<&(Topic, QueueId)>, limit| live.queues(log, beneath, after, limit);
        let take = |row: QueueRow| {
            let at = heads.get(&row.log).copied();
            sees_queue(&eyes.viewer, market.as_ref(), &row.log).then(|| Queue { row, eyes: eyes.clone(), at })
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
        feed_cursor(app(ctx), &self.eyes.viewer, &self.row.log, self.at)
    }
    async fn state(&self) -> QueueState {
        self.row.state.into()
    }
    async fn merged_into(&self, ctx: &Context<'_>) -> Option<Queue> {
        self.row.merged_into.and_then(|id| Queue::show(app(ctx), &self.eyes, id))
    }
    async fn required_skills(&self) -> Vec<Skill> {
        self.row.required_skills.iter().map(Skill::from).collect()
    }
    /// For each step of its offer's priority an inquiry stands so much earlier than it came. PT0S: first come, first served.
    async fn priority_credit(&self) -> Duration {
        Duration(self.row.priority_credit)
    }
    async fn topic(&self) -> &str {
        self.row.topic.as_str()
    }
    async fn call_server(&self, ctx: &Context<'_>) -> Result<CallServer, Error> {
        CallServer::show(app(ctx), &self.eyes, &self.row.log)
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
        let pager = Pager::<(Timestamp, InquiryId)>::new(app, &self.eyes, list, &(), first, after)?;
        let (mut found, mut at) = (Vec::new(), pager.after);
        // Who sees the queue sees all of them, but for those that leave meanwhile.
        loop {
            let rows = self.eyes.live(app).queue_inquiries(self.row.id, at, pager.limit());
            let ended = rows.len() < pager.limit();
            for row in rows {
                at = Some((row.stands_at, row.id));
                let inquiry = Inquiry::load(app, &self.eyes, row.id).await?;
                found.extend(inquiry.map(|inquiry| ((row.stands_at, row.id), inquiry)));
            }
            if ended || found.len() > pager.first {
                return Ok(InquiryConnection::page(&pager, pager.cut(found)));
            }
        }
    }
}
