//! The deadline of a subscription's item: one for its making and its execution.
//!
//! The two are far apart. A feed makes an item of an event (`graphql::subscription::source`), then the library executes
//! the document over it, and tells neither of the other; so when the item began stands with the task that polls both.
//!
//! Promises: from the first touch of its event to its answer an item takes no longer than the deadline of its endpoint.
//!
//! Not here: the wait for an event, which is without end, and what an item costs (`rate`).

use crate::endpoint::DEADLINE;
use futures_util::stream::{self, Stream, StreamExt};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::error::Elapsed;

tokio::task_local! {
    static ITEM: Arc<Item>;
}

/// The item that one stream is at.
struct Item {
    deadline: Duration,
    /// By when it has to be there, once its making has begun.
    by: Mutex<Option<Instant>>,
}

impl Item {
    fn by(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.by.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same items, each within `deadline`.
pub(crate) fn each_within<S: Stream + Unpin>(deadline: Duration, mut items: S) -> impl Stream<Item = S::Item> {
    let item = Arc::new(Item { deadline, by: Mutex::default() });
    stream::poll_fn(move |context| ITEM.sync_scope(Arc::clone(&item), || items.poll_next_unpin(context)))
}

/// What an item is made of. Begins its time.
pub(crate) async fn made<F: Future>(making: F) -> Result<F::Output, Elapsed> {
    let begin = |item: &Arc<Item>| *item.by().insert(Instant::now() + item.deadline);
    let by = ITEM.try_with(begin).unwrap_or_else(|_| Instant::now() + DEADLINE);
    tokio::time::timeout_at(by, making).await
}

/// What the item comes to, in the time that its making has left; all of it where nothing was made.
pub(crate) async fn executed<F: Future>(executing: F) -> Result<F::Output, Elapsed> {
    let take = |item: &Arc<Item>| item.by().take().unwrap_or_else(|| Instant::now() + item.deadline);
    let by = ITEM.try_with(take).unwrap_or_else(|_| Instant::now() + DEADLINE);
    tokio::time::timeout_at(by, executing).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    const DEADLINE: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn making_and_execution_have_one_deadline_and_each_item_its_own() {
        let items = stream::iter(0..2).then(|_| async {
            let began = Instant::now();
            made(tokio::time::sleep(DEADLINE / 2)).await.unwrap();
            let making = began.elapsed();
            executed(pending::<()>()).await.unwrap_err();
            (making, began.elapsed())
        });
        let took: Vec<(Duration, Duration)> = each_within(DEADLINE, items.boxed()).collect().await;
        for (making, all) in took {
            // A timer is never early. Had the execution all of it again, this would be the sum.
            assert!(all >= DEADLINE && all < making + DEADLINE, "{making:?} of {all:?}");
        }
    }

    #[tokio::test]
    async fn a_making_that_does_not_end_is_ended() {
        let began = Instant::now();
        let items = stream::once(async { made(pending::<()>()).await.is_err() });
        assert!(each_within(DEADLINE, items.boxed()).next().await.unwrap());
        assert!(began.elapsed() >= DEADLINE && began.elapsed() < super::DEADLINE, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn what_is_waited_for_before_the_making_does_not_count() {
        let items = stream::once(async {
            tokio::time::sleep(DEADLINE + DEADLINE / 4).await;
            made(std::future::ready(7)).await.is_ok() && executed(std::future::ready(7)).await.is_ok()
        });
        assert!(each_within(DEADLINE, items.boxed()).next().await.unwrap());
    }
}
