//! Who asks.

use super::agent::Agent;
use super::customer::Customer;
use super::enums::Role;
use super::provider::Provider;
use crate::graphql::app;
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;

pub struct Viewer {
    actor: Actor,
    id: String,
}

impl Viewer {
    /// Null without a token.
    pub(crate) fn of(actor: Actor) -> Option<Viewer> {
        let id = actor.id()?;
        Some(Viewer { actor, id })
    }
}

#[Object]
impl Viewer {
    async fn id(&self) -> ID {
        self.id.as_str().into()
    }
    async fn role(&self) -> Role {
        self.actor.role().into()
    }
    async fn agent(&self, ctx: &Context<'_>) -> Result<Option<Agent>, Error> {
        match self.actor {
            Actor::Agent(id) => Agent::load(app(ctx), &self.actor, id).await,
            _ => Ok(None),
        }
    }
    async fn provider(&self, ctx: &Context<'_>) -> Result<Option<Provider>, Error> {
        match self.actor {
            Actor::Provider(id) => Provider::load(app(ctx), &self.actor, id).await,
            _ => Ok(None),
        }
    }
    async fn customer(&self, ctx: &Context<'_>) -> Result<Option<Customer>, Error> {
        match self.actor {
            Actor::Customer(id) => Customer::load(app(ctx), &self.actor, id).await,
            _ => Ok(None),
        }
    }
}
