//! The request for user information: whether the customer database, which is history, knows who accepts.
//!
//! Promises: an answer in two seconds, whatever history does: found, new, or that there was none in time, which is
//! recorded as any other. What cannot answer holds a few threads and nobody else up. Who is known is found without
//! waiting for what history has still to fold.
//!
//! Where the offer prefers who served the customer last, that is looked up with it: as far as history has come by then.
//!
//! Not here: whether a proof leads to somebody (`proof`, the vault), and what of a customer is shown (`graphql::types`).

use crate::app::{App, blocking};
use domain::event::inquiry::InformationOutcome;
use domain::ids::{AgentId, CustomerId, ProviderId};
use domain::log::LogName;
use projections::history::{HistoryError, Waited};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// An agent is asked with what is known by then.
const PATIENCE: Duration = Duration::from_secs(2);
/// Threads that may stand before history at once: one that is stuck stays so for longer than anybody waits.
pub(crate) const ASKING_MAX: usize = 16;

/// Who served a customer last for a provider, on each call server: a session that came to its end, and whoever led it
/// then. Nobody where that cannot be said in time.
pub(crate) async fn last_agents(app: &Arc<App>, customer: CustomerId, provider: ProviderId) -> Vec<(LogName, AgentId)> {
    let until = Instant::now() + PATIENCE;
    let asked = tokio::time::timeout_at(until.into(), served(app, customer, provider, until));
    asked.await.unwrap_or_else(|_| {
        tracing::warn!(%customer, "information.late: last agents");
        Vec::new()
    })
}

async fn served(app: &Arc<App>, customer: CustomerId, provider: ProviderId, until: Instant) -> Vec<(LogName, AgentId)> {
    let Ok(turn) = app.asking.clone().acquire_owned().await else { return Vec::new() };
    let house = app.clone();
    let read = blocking(move || {
        let _turn = turn;
        // Half of the time: what is folded by then is looked at.
        let left = until.saturating_duration_since(Instant::now()) / 2;
        house.wake_projector();
        house.history.wait_unless_full(&house.live.heads(), left);
        house.history.last_served(customer, provider)
    });
    let mut found = Vec::new();
    for (log, inquiry) in read.await.unwrap_or_default() {
        let dossier = app.dossier(inquiry).await.ok().flatten();
        let agent = dossier.and_then(|dossier| dossier.read(|dossier| dossier.session().map(|one| one.row().agent)));
        found.extend(agent.map(|agent| (log, agent)));
    }
    found
}

/// Whether the customer has accepted anything before.
pub(crate) async fn ask(app: &Arc<App>, customer: CustomerId) -> InformationOutcome {
    let until = Instant::now() + PATIENCE;
    let asked = tokio::time::timeout_at(until.into(), answer(app.clone(), customer, until));
    match asked.await {
        Ok(outcome) => outcome,
        Err(_) => {
            tracing::warn!(%customer, "information.late");
            InformationOutcome::Unavailable
        }
    }
}

async fn answer(app: Arc<App>, customer: CustomerId, until: Instant) -> InformationOutcome {
    let asking: Arc<Semaphore> = app.asking.clone();
    let Ok(turn) = asking.acquire_owned().await else { return InformationOutcome::Unavailable };
    let read = blocking(move || {
        // Given back by the thread that has it, not by who stopped waiting for it.
        let _turn = turn;
        look_up(&app, customer, until)
    });
    // Why it cannot be read is written by who reads.
    read.await.unwrap_or(InformationOutcome::Unavailable)
}

fn look_up(app: &App, customer: CustomerId, until: Instant) -> Result<InformationOutcome, HistoryError> {
    if app.history.knows_customer(customer)? {
        return Ok(InformationOutcome::Found);
    }
    let community = LogName::community();
    let Some(head) = app.live.head(&community) else { return Ok(InformationOutcome::New) };
    if app.history.checkpoint(&community).is_none_or(|known| known.head.seq < head.seq) {
        app.wake_projector();
        let left = until.saturating_duration_since(Instant::now());
        match app.history.wait_unless_full(&[(community, head)], left) {
            Waited::There => {}
            Waited::Full | Waited::Late => return Ok(InformationOutcome::Unavailable),
        }
    }
    let known = app.history.knows_customer(customer)?;
    Ok(if known { InformationOutcome::Found } else { InformationOutcome::New })
}
