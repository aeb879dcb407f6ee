//! What an acceptance is about.

use super::enums::Placement;
use super::sealed::{Opening, Page};
use crate::graphql::app;
use async_graphql::{Context, Error, Object};
use std::sync::Arc;

pub struct ContentReference {
    pub(crate) row: Arc<domain::terms::ContentReference>,
    /// Nothing where the viewer may not see what the customer asked: the page may repeat it.
    pub(crate) page: Opening<Page>,
}

impl ContentReference {
    pub(crate) fn new(row: Arc<domain::terms::ContentReference>, opens: bool) -> ContentReference {
        let page = opens.then(|| Arc::new(row.page.clone()));
        ContentReference { row, page: Opening::new(page) }
    }
}

/// The content that the acceptance or question is about. `url` must lie on an origin of the provider or of the community.
#[Object]
impl ContentReference {
    // Its origin alone for operators, and once the customer is erased.
    async fn url(&self, ctx: &Context<'_>) -> Result<&str, Error> {
        Ok(self.page.get(app(ctx)).await?.map_or(&self.row.origin, |page| &page.url))
    }
    async fn title(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
        Ok(self.page.get(app(ctx)).await?.and_then(|page| page.title.as_deref()))
    }
    async fn excerpt(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
        Ok(self.page.get(app(ctx)).await?.and_then(|page| page.excerpt.as_deref()))
    }
    async fn placement(&self) -> Placement {
        self.row.placement.into()
    }
}
