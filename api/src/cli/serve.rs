//! `callmarket serve`: the exchange, with no configuration at all.
//!
//! Not here: how long a request's head may take to arrive. A body has its deadline (`http`); slow heads are for
//! the proxy in front.

use super::{Failure, Found, Place};
use crate::app::{App, Parts};
use crate::auth::{AuthError, Authenticate, Viewer};
use crate::{graphql, http};
use axum::http::HeaderMap;
use clap::Args;
use projections::history::History;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::clock::SystemClock;
use store::sqlite::SqliteStore;
use store::vault::Vault;
use store::writer::Settings;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How long open connections have to end once the process is asked to stop; one that is half sent, or idle, may
/// never end by itself.
const DRAIN: Duration = Duration::from_secs(5);
/// The same for reads that hold a thread.
const LEFTOVERS: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    place: Place,
    /// Where to listen; port 0 takes a free one
    #[arg(long, env = "CALLMARKET_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// How the house is met from outside, for addresses in answers; default: where it listens
    #[arg(long, env = "CALLMARKET_PUBLIC_URL")]
    public_url: Option<String>,
    /// Idempotency keys of one of the two generations kept in memory
    #[arg(long, env = "CALLMARKET_KEYS_IN_MEMORY", default_value_t = 1_000_000, hide = true)]
    keys_in_memory: usize,
}

impl Serve {
    pub(crate) fn run(self) -> Result<Found, Failure> {
        let filter = tracing_subscriber::EnvFilter::try_from_env("CALLMARKET_LOG").unwrap_or_else(|_| "info".into());
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(self.serve());
        // What still reads for a caller that is gone is not waited for.
        runtime.shutdown_timeout(LEFTOVERS);
        outcome
    }

    async fn serve(self) -> Result<Found, Failure> {
        // The port first: a second server fails before it touches the folder.
        let listener = TcpListener::bind(self.listen)
            .await
            .map_err(|error| format!("cannot listen on {}: {error}", self.listen))?;
        let address = listener.local_addr()?;
        let folder = self.place.alone()?;
        let parts = Parts {
            store: Arc::new(SqliteStore::open(&folder)?),
            vault: Vault::open(&folder)?,
            history: History::open(&folder.history())?,
            clock: Arc::new(SystemClock),
            settings: Settings { keys: self.keys_in_memory, ..Settings::default() },
            public_url: self.public_url.unwrap_or_else(|| format!("http://{address}")),
            folder,
        };
        let app = App::start(parts)?;
        let (built, doorman) = (app.clone(), Doorman(app.clone()));
        let endpoint = http::Endpoint::new(move || graphql::builder(built.clone()), Arc::new(doorman));
        // For whoever waits for it, a person or a script.
        println!("callmarket listens on http://{address}/graphql");
        let (drain, mut draining) = watch::channel(());
        let serving = axum::serve(listener, endpoint.router()).with_graceful_shutdown(async move {
            let _ = draining.changed().await;
        });
        let overdue = async move {
            asked_to_stop().await;
            drain.send_replace(());
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = serving.into_future() => served?,
            () = overdue => tracing::warn!("stop.undrained"),
        }
        app.stop();
        Ok(Found::Nothing)
    }
}

/// The house's own tokens.
struct Doorman(Arc<App>);

impl Authenticate for Doorman {
    fn authenticate(&self, headers: &HeaderMap) -> Result<Viewer, AuthError> {
        self.0.signing.authenticate(headers)
    }
}

async fn asked_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be heard; stop with SIGKILL");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
