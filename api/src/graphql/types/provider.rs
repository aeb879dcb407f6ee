//! Content providers.

use super::Webhook;
use super::account::Account;
use super::block::{Block, BlockConnection};
use super::connection::Pager;
use super::enums::ProviderState;
use super::eyes::Eyes;
use super::offer::{Offer, OfferConnection};
use super::rights::{sees_customer_keys, sees_money_of, sees_provider};
use crate::app::App;
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, Json};
use crate::proof;
use async_graphql::{Context, Error, ID, Object};
use domain::event::wallet::Party;
use domain::ids::ProviderId;
use projections::live::community::ProviderRow;
use std::sync::Arc;

pub struct Provider {
    row: ProviderRow,
    eyes: Eyes,
}

impl Provider {
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: ProviderId) -> Result<Option<Provider>, Error> {
        let eyes = eyes.into();
        Ok(Provider::show(app, &eyes, id).filter(|_| sees_provider(&eyes.viewer, id)))
    }

    /// For whoever meets it at something that it sees.
    pub(crate) fn show(app: &App, eyes: &Eyes, id: ProviderId) -> Option<Provider> {
        let row = eyes.live(app).provider(id)?;
        Some(Provider { row, eyes: eyes.clone() })
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
    /// The public keys of its customer proofs, as JWKs. The provider's own and operators'.
    async fn customer_keys(&self) -> Option<Vec<Json>> {
        let shown = sees_customer_keys(&self.eyes.viewer, self.row.id);
        let jwk = |key| async_graphql::Value::from_json(proof::jwk_of(key)).map(Json).ok();
        shown.then(|| self.row.customer_keys.iter().filter_map(jwk).collect())
    }
    async fn accounts(&self, ctx: &Context<'_>) -> Result<Option<Vec<Account>>, Error> {
        let owner = Party::Provider(self.row.id);
        if !sees_money_of(&self.eyes.viewer, owner) {
            return Ok(None);
        }
        Account::of(app(ctx), &self.eyes, None, owner).await.map(Some)
    }
    /// Agents whom it keeps from its inquiries, and customers of whom it takes none, by id. The provider's own and operators'.
    async fn blocks(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<Option<BlockConnection>, Error> {
        Block::all(app(ctx), &self.eyes, Party::Provider(self.row.id), first, after)
    }
    async fn webhooks(&self, ctx: &Context<'_>) -> Option<Vec<Webhook>> {
        Webhook::of(app(ctx), &self.eyes, self.row.id)
    }
    async fn offers(&self, ctx: &Context<'_>, first: i32, after: Option<Cursor>) -> Result<OfferConnection, Error> {
        let list = format_args!("offers of {}", self.row.id).to_string();
        let pager = Pager::new(app(ctx), &self.eyes, list, &(), first, after)?;
        Ok(Offer::page(app(ctx), &self.eyes, Some(self.row.id), &pager))
    }
}
