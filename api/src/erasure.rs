//! Erasing a customer's key, once `community` says that it is erased.
//!
//! Promises: a key goes after the event stands, never before; whoever is answered has both. A house that died between
//! the two deletes at its start, before it serves, whatever the log says erased and the vault still has; while it runs
//! it tries again for as long as it takes. Nothing of the customer is opened from the event on, key or no key (`App::open`), and
//! its tokens and addresses open nothing.
//!
//! Not here: what ends on the call servers (`handover` brings it, `domain::customer` decides it), and the counted
//! terms of its questions (`subjects::terms`).

use crate::app::{App, PATIENCE, fatal};
use crate::errors::{ErrorCode, code};
use async_graphql::Error;
use domain::event::Event;
use domain::event::customer::CustomerEvent;
use domain::ids::CustomerId;
use domain::log::Seq;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use store::recorded::Recorded;
use store::vault::{Vault, VaultError};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;

const RETRY: Duration = Duration::from_millis(100);

/// Where in `community` a customer was erased.
type Erased = (CustomerId, Seq);

/// Erasures whose keys are not deleted yet.
pub(crate) struct Erasures {
    erased: UnboundedSender<Erased>,
    to_delete: Mutex<Option<UnboundedReceiver<Erased>>>,
    /// Every erasure up to this position of `community` has no key.
    done: watch::Sender<Option<Seq>>,
}

/// Told of each acknowledged batch of `community`.
pub(crate) struct Ear(UnboundedSender<Erased>);

impl Ear {
    /// Who is erased by them.
    pub(crate) fn note(&self, events: &[Arc<Recorded>]) -> Vec<CustomerId> {
        let erased = |event: &Arc<Recorded>| match &event.event {
            Event::Customer(CustomerEvent::Erased(e)) => {
                // Nobody deletes any more once the house stops; the next start does.
                let _ = self.0.send((e.customer, event.seq));
                Some(e.customer)
            }
            _ => None,
        };
        events.iter().filter_map(erased).collect()
    }
}

impl Erasures {
    pub(crate) fn new() -> Erasures {
        let (erased, to_delete) = mpsc::unbounded_channel();
        Erasures { erased, to_delete: Mutex::new(Some(to_delete)), done: watch::channel(None).0 }
    }

    pub(crate) fn ear(&self) -> Ear {
        Ear(self.erased.clone())
    }

    /// Before anything is served: deletes what the log says erased up to its `head` and the vault still has.
    pub(crate) fn heal(&self, vault: &Vault, erased: &[CustomerId], head: Option<Seq>) -> Result<(), VaultError> {
        for customer in erased {
            let name = customer.to_string();
            // Whoever never had a key may have a provider's reference, and is erased for good by having one for a moment.
            match vault.key_for(&name) {
                Err(VaultError::Erased) => {}
                Err(error) => return Err(error),
                Ok(_) => {
                    vault.erase(&name)?;
                    tracing::warn!(customer = name, "erasure.resumed: the house had ended before the key was deleted");
                }
            }
        }
        self.done.send_replace(head);
        Ok(())
    }

    /// Waits until the key of an erasure that stands at `seq` is deleted. Errors: UNAVAILABLE.
    pub(crate) async fn deleted(&self, seq: Seq) -> Result<(), Error> {
        let mut done = self.done.subscribe();
        let reached = done.wait_for(|done| done.is_some_and(|done| done >= seq));
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(code(
                ErrorCode::Unavailable,
                "The erasure is recorded, and the key is not deleted yet; send it again with the same key.",
            )),
        }
    }
}

/// Deletes the key of everyone who is erased, in order, for as long as the house runs.
pub(crate) async fn delete(app: Weak<App>) {
    let listening = app.upgrade().and_then(|app| app.erasures.to_delete.lock().expect("no holder panics").take());
    let Some(mut erased) = listening else { return };
    while let Some((customer, seq)) = erased.recv().await {
        loop {
            let Some(strong) = app.upgrade() else { return };
            let vault = strong.vault.clone();
            drop(strong);
            match tokio::task::spawn_blocking(move || vault.erase(&customer.to_string())).await {
                Ok(Ok(())) => break,
                Ok(Err(VaultError::Broken(why))) => fatal(format_args!("the vault has failed: {why}")),
                Ok(Err(error)) => tracing::error!(%customer, %error, "erasure.waiting"),
                Err(error) => tracing::error!(%customer, %error, "erasure.waiting"),
            }
            tokio::time::sleep(RETRY).await;
        }
        let Some(strong) = app.upgrade() else { return };
        strong.erasures.done.send_replace(Some(seq));
    }
}
