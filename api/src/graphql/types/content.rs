//! What an acceptance is about.

use super::enums::Placement;
use super::sealed::{Opening, Question};
use crate::graphql::app;
use async_graphql::{Context, Error, Object};
use std::sync::Arc;

pub struct ContentReference {
    pub(crate) row: Arc<domain::terms::ContentReference>,
    /// Title and excerpt may repeat what the customer wrote, so they are sealed with the question; nothing
    /// where the viewer may not see that.
    pub(crate) question: Arc<Opening<Question>>,
}

/// The content that the acceptance or question is about. `url` must lie on an origin of the provider or of the community.
#[Object]
impl ContentReference {
    async fn url(&self) -> &str {
        &self.row.url
    }
    async fn title(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
        Ok(self.question.get(app(ctx)).await?.and_then(|question| question.title.as_deref()))
    }
    async fn excerpt(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
        Ok(self.question.get(app(ctx)).await?.and_then(|question| question.excerpt.as_deref()))
    }
    async fn placement(&self) -> Placement {
        self.row.placement.into()
    }
}
