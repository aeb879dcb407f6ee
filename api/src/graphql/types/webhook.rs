//! Webhooks and what they delivered: their provider's and operators' alone.

use super::audit::{AuditEntry, Now, Search};
use super::connection::{Pager, connection};
use super::enums::DeliveryState;
use super::eyes::Eyes;
use crate::app::{App, blocking};
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime};
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;
use domain::ids::{DeliveryId, ProviderId, WebhookId};
use projections::history::trail::AuditFilter;
use projections::webhooks::board::{DeliveryRow, WebhookRow};
use store::recorded::Recorded;

pub struct Webhook {
    row: WebhookRow,
    eyes: Eyes,
}

fn sees_webhooks_of(viewer: &Actor, provider: ProviderId) -> bool {
    matches!(viewer, Actor::Operator(_)) || *viewer == Actor::Provider(provider)
}

impl Webhook {
    pub(crate) fn load(app: &App, eyes: impl Into<Eyes>, id: WebhookId) -> Option<Webhook> {
        let eyes = eyes.into();
        let row = app.board.webhook(id).filter(|row| sees_webhooks_of(&eyes.viewer, row.provider))?;
        Some(Webhook { row, eyes })
    }

    /// Those of a provider; absent for whoever may not see them.
    pub(crate) fn of(app: &App, eyes: &Eyes, provider: ProviderId) -> Option<Vec<Webhook>> {
        let show = |row| Webhook { row, eyes: eyes.clone() };
        sees_webhooks_of(&eyes.viewer, provider)
            .then(|| app.board.webhooks_of(provider).into_iter().map(show).collect())
    }
}

/// Standard Webhooks. Carries ids, types and times, never personal data or sealed bids.
#[Object]
impl Webhook {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn url(&self) -> &str {
        &self.row.url
    }
    async fn types(&self) -> &[String] {
        &self.row.types
    }
    async fn disabled_at(&self) -> Option<DateTime> {
        self.row.disabled_at.map(DateTime)
    }
    // The newest first; of those that ended, the last thousand.
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        state: Option<DeliveryState>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<WebhookDeliveryConnection, Error> {
        let list = format_args!("deliveries of {}", self.row.id).to_string();
        let pager = Pager::<u128>::new(app(ctx), &self.eyes, list, &state, first, after)?;
        let rows = app(ctx).board.deliveries_of(self.row.id, state.map(Into::into));
        let all = rows.into_iter().map(|row| (row.id.0, WebhookDelivery { row, eyes: self.eyes.clone() }));
        Ok(WebhookDeliveryConnection::page(&pager, pager.slice(all, |(id, _)| *id, true)))
    }
}

pub struct WebhookDelivery {
    row: DeliveryRow,
    eyes: Eyes,
}

connection!(WebhookDeliveryConnection, WebhookDeliveryEdge, WebhookDelivery);

impl WebhookDelivery {
    pub(crate) fn load(app: &App, eyes: impl Into<Eyes>, id: DeliveryId) -> Option<WebhookDelivery> {
        let eyes = eyes.into();
        let row = app.board.delivery(id)?;
        Webhook::load(app, eyes.clone(), row.webhook).map(|_| WebhookDelivery { row, eyes })
    }
}

#[Object]
impl WebhookDelivery {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn entry(&self, ctx: &Context<'_>) -> Result<AuditEntry, Error> {
        let (house, viewer) = (app(ctx).clone(), self.eyes.viewer.clone());
        let (log, seq) = (self.row.log.clone(), self.row.seq);
        let read = move || {
            let before = match seq.checked_sub(1) {
                Some(before) => house.store.read(&log, before, 1)?.pop().map(|raw| raw.head()),
                None => None,
            };
            let Some(raw) = house.store.read(&log, seq, 1)?.pop() else { return Ok(None) };
            let event = Recorded::open(&log, raw)?;
            let filter = AuditFilter::default();
            let search = Search { app: house.clone(), viewer, subject: None, filter, reverse: false, first: 1 };
            let seen = search.see(&event, &Now::of(&house));
            search.entry(&event, seen, before).map(Some)
        };
        blocking(read).await?.ok_or_else(|| code(ErrorCode::Internal, "a delivery without its event"))
    }
    async fn state(&self) -> DeliveryState {
        self.row.state.into()
    }
    async fn attempts(&self) -> i32 {
        i32::try_from(self.row.attempts).unwrap_or(i32::MAX)
    }
    async fn last_status(&self) -> Option<i32> {
        self.row.last_status.map(i32::from)
    }
    async fn next_attempt_at(&self) -> Option<DateTime> {
        self.row.next_attempt_at.map(DateTime)
    }
}
