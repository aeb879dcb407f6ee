//! The end of a caller's token, for what outlives its request.
//!
//! Promises: at `exp`, as a new request is refused; by the wall clock, also where that is set meanwhile.
//!
//! Not here: tokens that are revoked before their end.

use crate::auth::{Viewer, unix_time};
use domain::time::Timestamp;
use std::time::Duration;

/// The wall clock is looked at this often; timers alone would not see that it was set.
const LOOK: Duration = Duration::from_secs(10);

/// When a caller stops being one; never for callers without a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry(Option<Timestamp>);

impl Expiry {
    pub(crate) fn of(viewer: &Viewer) -> Expiry {
        Expiry(viewer.expires_at)
    }

    /// None is for ever; zero is over.
    pub(crate) fn left(self) -> Option<Duration> {
        let end = Duration::from_micros(u64::try_from(self.0?.0).unwrap_or(0));
        Some(end.saturating_sub(unix_time()))
    }

    pub(crate) fn is_over(self) -> bool {
        self.left() == Some(Duration::ZERO)
    }

    /// Comes back once it is over.
    pub(crate) async fn over(self) {
        while let Some(left) = self.left() {
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
        std::future::pending().await
    }
}
