//! Who looks, and when: what every object is loaded with and hands on to what hangs on it.
//!
//! Promises: all rows that are shown are those of one moment. Rights are not: they are asked of the present, which
//! is `app`'s own views, by `rights`.

use crate::app::App;
use crate::past::Past;
use async_graphql::Error;
use domain::actor::Actor;
use domain::ids::InquiryId;
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use projections::live::{DossierHandle, Live};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) struct Eyes {
    pub(crate) viewer: Actor,
    /// Absent: as things are now.
    pub(crate) past: Option<Arc<Past>>,
}

impl From<&Actor> for Eyes {
    fn from(viewer: &Actor) -> Eyes {
        Eyes { viewer: viewer.clone(), past: None }
    }
}

impl From<&Eyes> for Eyes {
    fn from(eyes: &Eyes) -> Eyes {
        eyes.clone()
    }
}

impl Eyes {
    /// The rows that are shown.
    pub(crate) fn live<'a>(&'a self, app: &'a App) -> &'a Live {
        self.past.as_ref().map_or(&app.live, |past| &past.rows.live)
    }

    /// Everything about an inquiry, where it was there.
    pub(crate) async fn dossier(&self, app: &Arc<App>, inquiry: InquiryId) -> Result<Option<DossierHandle>, Error> {
        match &self.past {
            None => app.dossier(inquiry).await,
            Some(past) => past.dossier(app, inquiry).await,
        }
    }

    /// The instant that is looked at.
    pub(crate) fn instant(&self, app: &App) -> Timestamp {
        self.past.as_ref().map_or_else(|| app.clock.now(), |past| past.at)
    }

    /// Whether an event had happened by then.
    pub(crate) fn reach(&self, log: &LogName, seq: Seq) -> bool {
        self.past.as_ref().is_none_or(|past| past.holds(log, seq))
    }

    /// What a cursor is bound to besides its list: a list of one moment goes on at that moment alone. The point as it
    /// was asked, and not where it stands in each log: the next page asks for the same.
    pub(crate) fn scope(&self) -> String {
        self.past.as_ref().map_or_else(String::new, |past| format!("\nas of {:?}", past.point))
    }
}
