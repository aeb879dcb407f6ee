//! Content providers.

use super::account::Account;
use super::connection::Pager;
use super::enums::ProviderState;
use super::offer::{Offer, OfferConnection};
use super::rights::{sees_money_of, sees_provider};
use crate::app::App;
use crate::graphql::app;
use crate::graphql::scalars::Cursor;
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;
use domain::event::wallet::Party;
use domain::ids::ProviderId;
use projections::live::community::ProviderRow;
use std::sync::Arc;

pub struct Provider {
    row: ProviderRow,
    viewer: Actor,
}

impl Provider {
    pub(crate) async fn load(app: &Arc<App>, viewer: &Actor, id: ProviderId) -> Result<Option<Provider>, Error> {
        Ok(Provider::show(app, viewer, id).filter(|_| sees_provider(viewer, id)))
    }

    /// For whoever meets it at something that it sees.
    pub(crate) fn show(app: &App, viewer: &Actor, id: ProviderId) -> Option<Provider> {
        let row = app.live.provider(id)?;
        Some(Provider { row, viewer: viewer.clone() })
    }
}

#[Object]
impl Provider {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn name(&self) -> &str {
        &self.row.name
    }
    async fn homepage(&self) -> Option<&str> {
        self.row.homepage.as_deref()
    }
    async fn origins(&self) -> &[String] {
        &self.row.origins
    }
    async fn state(&self) -> ProviderState {
        if self.row.suspended { ProviderState::Suspended } else { ProviderState::Active }
    }
    async fn accounts(&self, ctx: &Context<'_>) -> Option<Vec<Account>> {
        let owner = Party::Provider(self.row.id);
        sees_money_of(&self.viewer, owner).then(|| Account::of(app(ctx), &self.viewer, None, owner))
    }
    async fn offers(&self, ctx: &Context<'_>, first: i32, after: Option<Cursor>) -> Result<OfferConnection, Error> {
        let list = format_args!("offers of {}", self.row.id).to_string();
        let pager = Pager::new(app(ctx), &self.viewer, list, &(), first, after)?;
        Ok(Offer::page(app(ctx), &self.viewer, Some(self.row.id), &pager))
    }
}
