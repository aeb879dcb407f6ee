//! The end of the process, as those see it who must end with it: connections, sockets, streams.
//!
//! Not here: how long they have ([`crate::listen`]), and who asks (`cli::serve`).

use tokio::sync::watch;

/// Held by whoever may ask for the end. Dropping it asks for nothing.
#[derive(Debug)]
pub struct Plug(watch::Sender<bool>);

/// Held by whoever ends when asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<bool>);

/// One plug and its drain.
pub fn drain() -> (Plug, Drain) {
    let (plug, drain) = watch::channel(false);
    (Plug(plug), Drain(drain))
}

impl Plug {
    /// Asks all to end. What asks once has asked for ever.
    pub fn pull(&self) {
        self.0.send_replace(true);
    }
}

impl Drain {
    /// Nobody ever asks.
    pub fn never() -> Drain {
        drain().1
    }

    /// Comes back when the end is asked for, at once if it has been.
    pub async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending().await
        }
    }
}
