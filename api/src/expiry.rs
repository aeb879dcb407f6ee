//! The end of a caller's token, for what outlives its request.
//!
//! Promises: at `exp`, as a new request is refused; by the wall clock, also where that is set meanwhile; before it
//! where the token is revoked, as soon as that is known.
//!
//! Not here: how it becomes known (`revoked`).

use crate::auth::{Authenticate, Viewer, unix_time};
use crate::revoked::Revocations;
use std::time::Duration;

/// The wall clock is looked at this often; timers alone would not see that it was set.
const LOOK: Duration = Duration::from_secs(10);

/// When a caller stops being one; never for callers without a token.
#[derive(Clone, Debug)]
pub(crate) struct Expiry {
    viewer: Viewer,
    revocations: Revocations,
}

impl Expiry {
    pub(crate) fn of(viewer: &Viewer, authenticate: &dyn Authenticate) -> Expiry {
        Expiry { viewer: viewer.clone(), revocations: authenticate.revocations() }
    }

    /// By the clock alone. None is for ever; zero is over.
    pub(crate) fn left(&self) -> Option<Duration> {
        let end = Duration::from_micros(u64::try_from(self.viewer.expires_at?.0).unwrap_or(0));
        Some(end.saturating_sub(unix_time()))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left() == Some(Duration::ZERO) || self.revocations.cover(&self.viewer)
    }

    /// Comes back once it is over, for either reason.
    pub(crate) async fn over(&self) {
        tokio::select! {
            () = self.ended() => {}
            () = self.revoked() => {}
        }
    }

    /// Comes back once the token is revoked.
    pub(crate) async fn revoked(&self) {
        self.revocations.clone().reach(&self.viewer).await;
    }

    async fn ended(&self) {
        while let Some(left) = self.left() {
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
        std::future::pending().await
    }
}
