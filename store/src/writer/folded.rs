//! What a log's writer knows of it, apart from the writer: what a start and the background fold of snapshots
//! share, so that both come to the same.

use super::OpenError;
use crate::backend::EventStore;
use crate::chain::Verifier;
use crate::keys::KeyTrace;
use crate::raw::Head;
use crate::recorded::Recorded;
use crate::snapshot::{self, Damaged, Snapshot};
use domain::decide;
use domain::log::LogName;
use domain::state::State;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Events of one read.
pub const PAGE: usize = 1_000;

/// The fold of a log's first events.
#[derive(Clone, Serialize, Deserialize)]
pub struct Folded {
    pub state: State,
    /// Of the last event.
    pub time: Timestamp,
    pub keys: KeyTrace,
    #[serde(skip)]
    pub head: Option<Head>,
}

impl Default for Folded {
    fn default() -> Folded {
        Folded { state: State::default(), time: Timestamp(i64::MIN), keys: KeyTrace::default(), head: None }
    }
}

impl Folded {
    /// What stood in the log at the snapshot's head.
    pub fn restore(snapshot: &Snapshot) -> Result<Folded, Damaged> {
        let mut folded: Folded = snapshot::decode(&snapshot.writer)?;
        folded.state.share();
        Ok(Folded { head: Some(snapshot.head), ..folded })
    }

    /// For [`Snapshot::writer`].
    pub fn save(&self) -> Vec<u8> {
        snapshot::encode(self)
    }

    /// Folds the next event of the log.
    pub fn take(&mut self, event: &Recorded) {
        apply(&mut self.state, &mut self.time, &mut self.head, event);
        self.keys.replay(event);
    }
}

/// One event that the log holds, folded into what a decision looks at.
pub(super) fn apply(state: &mut State, time: &mut Timestamp, head: &mut Option<Head>, event: &Recorded) {
    decide::apply(state, &event.event, event.time);
    state.acknowledge();
    *time = event.time.max(*time);
    *head = Some(event.raw.head());
}

/// The events after `head`, a page of them, chained to it; fewer than [`PAGE`] means that the log ended there.
pub fn page_after(store: &dyn EventStore, log: &LogName, head: Option<Head>) -> Result<Vec<Arc<Recorded>>, OpenError> {
    let read = store.read(log, Head::next(head), PAGE);
    let page = read.map_err(|source| OpenError::Read { log: log.clone(), source })?;
    let mut verifier = Verifier::after(head);
    let mut taken = Vec::with_capacity(page.len());
    for raw in page {
        verifier.check(&raw).map_err(|source| OpenError::Chain { log: log.clone(), source })?;
        taken.push(Arc::new(Recorded::open(log, raw)?));
    }
    Ok(taken)
}
