//! Sealed personal data, opened at most once for the object that shows it. What was erased, and what does
//! not have the form that the edge gives it, opens to nothing.

use crate::app::App;
use async_graphql::Error;
use domain::sealed::Sealed;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// What a customer's profile holds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    pub(crate) display_name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    /// In the order they came in.
    pub(crate) attributes: Option<async_graphql::Value>,
}

/// The electronic question.
#[derive(Debug, Deserialize)]
pub(crate) struct Question {
    pub(crate) question: Option<String>,
    /// Where it came from, as a hash under a key of the house; shown to nobody.
    pub(crate) from: Option<String>,
}

/// The page that an offer was accepted from.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) title: Option<String>,
    pub(crate) excerpt: Option<String>,
}

/// What wrap-up saves to the customer's record.
#[derive(Debug, Deserialize)]
pub(crate) struct Saved {
    pub(crate) notes: Option<String>,
    pub(crate) disposition: Option<String>,
    pub(crate) information: Option<async_graphql::Value>,
}

/// One sealed JSON object.
#[derive(Debug)]
pub(crate) struct Opening<T> {
    sealed: Option<Arc<Sealed>>,
    opened: OnceCell<Option<T>>,
}

impl<T: DeserializeOwned> Opening<T> {
    pub(crate) fn new(sealed: Option<Arc<Sealed>>) -> Opening<T> {
        Opening { sealed, opened: OnceCell::new() }
    }

    /// Errors: UNAVAILABLE where the vault cannot be read.
    pub(crate) async fn get(&self, app: &Arc<App>) -> Result<Option<&T>, Error> {
        let Some(sealed) = &self.sealed else { return Ok(None) };
        let open = || async {
            let Some(text) = app.open(sealed).await? else { return Ok(None) };
            let read = serde_json::from_str(&text);
            // Nothing of the text: it is personal data.
            let read = read.inspect_err(|_| tracing::error!(subject = %sealed.subject, "sealed.unreadable"));
            Ok::<_, Error>(read.ok())
        };
        Ok(self.opened.get_or_try_init(open).await?.as_ref())
    }
}
