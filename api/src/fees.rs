//! The process manager from `treasury` to a call server: fee rules. What one asks there is in `store::handover`.
//!
//! It reads the rules from the live view of the books, which keeps all of them, and brings those that the call server's
//! own state lacks, in order; the state refuses a repeat. A call server takes a rule over a moment after it was set:
//! until then the one before is in force there.
//!
//! Not here: what a rule is, and which is in force (`domain::fees`).

use crate::app::App;
use domain::log::Seq;
use std::sync::Weak;
use std::time::Duration;
use store::handover::order_to_take;
use store::writer::mailbox::Mailbox;
use store::writer::order::{Answer, Entropy};

const RETRY: Duration = Duration::from_millis(100);

/// Brings one call server every rule from position `next` of `treasury` on, for as long as the house runs.
pub(crate) async fn bring(app: Weak<App>, mailbox: Mailbox, mut next: Seq) {
    let Some(mut set) = app.upgrade().map(|app| app.rules_set.subscribe()) else { return };
    // Said once, however long it lasts.
    let mut waits_for = None;
    loop {
        set.mark_unchanged();
        let Some(strong) = app.upgrade() else { return };
        let brought = step(&strong, &mailbox, &mut next).await;
        drop(strong);
        match brought {
            Ok(()) => {
                if waits_for.take().is_some() {
                    tracing::info!(log = %mailbox.log(), next, "fees.resumed");
                }
                if set.changed().await.is_err() {
                    return;
                }
            }
            Err(reason) => {
                if waits_for.replace(reason) != Some(reason) {
                    tracing::error!(log = %mailbox.log(), next, reason, "fees.waiting");
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn step(app: &App, mailbox: &Mailbox, next: &mut Seq) -> Result<(), &'static str> {
    let rules = app.live.books(|_, books| {
        let lacking = books.rules().iter().filter(|row| row.source.seq >= *next);
        lacking.map(|row| (row.rule.clone(), row.source.clone())).collect::<Vec<_>>()
    });
    let mut orders = Vec::with_capacity(rules.len());
    let mut seqs = Vec::with_capacity(rules.len());
    for (rule, source) in rules {
        seqs.push(source.seq);
        orders.push(order_to_take(rule, source, Entropy::draw()));
    }
    for (answer, seq) in mailbox.send_all(orders).into_iter().zip(seqs) {
        match answer.await {
            Ok(Answer::Done(_) | Answer::Replayed { .. }) => *next = seq + 1,
            Ok(Answer::Refused(refusal)) => return Err(refusal.code()),
            Ok(Answer::Unavailable(message)) => return Err(message),
            Err(_) => return Err("the writer has stopped"),
        }
    }
    Ok(())
}
