//! `callmarket serve`: the exchange, with no configuration at all.
//!
//! Promises: asked to stop, it takes no more connections, tells sockets and streams to come back, and ends
//! within the drain's time.
//!
//! Not here: how a connection is served (`listen`).

use super::{Failure, Found, Misuse, Place};
use crate::app::{App, Parts};
use crate::endpoint::{Limits, Open};
use crate::newcomers::{self, Newcomers};
use crate::proxy::{Network, Proxies};
use crate::rate::{COST_PER_SECOND, RateLimit};
use crate::snapshotter::EVERY;
use crate::{drain, graphql, http, listen, pages};
use ::topics::Model;
use clap::Args;
use projections::history::History;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::clock::SystemClock;
use store::sqlite::SqliteStore;
use store::vault::Vault;
use store::writer::Settings;
use tokio::signal::unix::{SignalKind, signal};

/// Far within the 5 s in which a revocation is promised to be felt.
const REVOKED_EVERY: Duration = Duration::from_secs(1);
/// How long reads that hold a thread have to end once connections have.
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
    /// What a caller may spend in a second, in the cost of its documents and of the items of its feeds: a whole number, or off
    #[arg(long, env = "CALLMARKET_RATE_LIMIT", value_name = "COST_PER_SECOND", default_value_t = COST_PER_SECOND.to_string())]
    rate_limit: String,
    /// Whether `__schema` and `__type` are answered, and errors suggest names
    #[arg(long, env = "CALLMARKET_INTROSPECTION", value_enum, default_value_t = Switch::On)]
    introspection: Switch,
    /// A proxy in front whose Forwarded or X-Forwarded-For header names the caller: an address or a network
    #[arg(long, env = "CALLMARKET_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    trusted_proxy: Vec<Network>,
    /// Connections of one address; those of a trusted proxy are not counted, it bounds its own clients
    #[arg(long, env = "CALLMARKET_CONNECTIONS_PER_ADDRESS", value_name = "COUNT", default_value_t = listen::Limits::default().address_connections)]
    #[arg(value_parser = at_least_one)]
    connections_per_address: usize,
    /// Live subscriptions of one caller, on all its sockets and streams
    #[arg(long, env = "CALLMARKET_SUBSCRIPTIONS_PER_CALLER", value_name = "COUNT", default_value_t = Limits::default().caller_subscriptions)]
    #[arg(value_parser = at_least_one)]
    subscriptions_per_caller: usize,
    /// Acceptances from one address, in any minute, with a customer's token or without; a /64 of IPv6 is one address, and this machine itself is not bounded
    #[arg(long, env = "CALLMARKET_ACCEPTANCES_PER_MINUTE", value_name = "COUNT", default_value_t = newcomers::PER_MINUTE)]
    #[arg(value_parser = at_least_one)]
    acceptances_per_minute: usize,
    /// The same in any hour
    #[arg(long, env = "CALLMARKET_ACCEPTANCES_PER_HOUR", value_name = "COUNT", default_value_t = newcomers::PER_HOUR)]
    #[arg(value_parser = at_least_one)]
    acceptances_per_hour: usize,
    /// Lets webhooks lead to this machine, and over http: for tests and development, never where others have webhooks
    #[arg(long, env = "CALLMARKET_LOOPBACK_WEBHOOKS")]
    loopback_webhooks: bool,
    /// Idempotency keys of one of the two generations kept in memory
    #[arg(long, env = "CALLMARKET_KEYS_IN_MEMORY", default_value_t = 1_000_000, hide = true)]
    keys_in_memory: usize,
    /// Events of a log from one snapshot of it to the next
    #[arg(long, env = "CALLMARKET_SNAPSHOT_EVERY", value_name = "EVENTS", default_value_t = EVERY)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..), hide = true)]
    snapshot_every: u64,
    /// A model of `callmarket topics train`: what finds the subjects of questions. Its labels become topics
    #[arg(long, env = "CALLMARKET_TOPICS_MODEL", value_name = "FILE")]
    topics_model: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let count: NonZeroUsize = text.parse().map_err(|_| "a whole number from 1".to_owned())?;
    Ok(count.get())
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
        let rate = self.rate_limit.parse::<RateLimit>().map_err(|what| Misuse(format!("--rate-limit: {what}")))?;
        // The port first: a second server fails before it touches the folder.
        let listener =
            listen::bind(self.listen).map_err(|error| format!("cannot listen on {}: {error}", self.listen))?;
        let address = listener.local_addr()?;
        let topics_model = self.topics_model.as_deref().map(Model::load).transpose()?;
        let folder = self.place.alone()?;
        let parts = Parts {
            store: Arc::new(SqliteStore::open(&folder)?),
            vault: Vault::open(&folder)?,
            history: History::open(&folder.history())?,
            clock: Arc::new(SystemClock),
            settings: Settings { keys: self.keys_in_memory, ..Settings::default() },
            snapshot_every: self.snapshot_every,
            topics_model,
            public_url: self
                .public_url
                .map_or_else(|| format!("http://{address}"), |url| url.trim_end_matches('/').to_owned()),
            loopback_webhooks: self.loopback_webhooks,
            folder,
        };
        let app = App::start(parts)?;
        let built = app.clone();
        let (plug, drain) = drain::drain();
        let names = self.introspection == Switch::On;
        let build = move || match graphql::builder(built.clone()) {
            builder if names => builder,
            builder => builder.disable_suggestions(),
        };
        let proxies = Proxies::of(self.trusted_proxy);
        let limits = Limits { caller_subscriptions: self.subscriptions_per_caller, ..Limits::default() };
        let connections = listen::Limits {
            address_connections: self.connections_per_address,
            proxies: proxies.clone(),
            ..listen::Limits::default()
        };
        let endpoint = http::Endpoint::new(build, app.clone())
            .with_limits(limits)
            .at(&app.public_url)
            .limited(rate)
            .welcoming(Newcomers::at_most(self.acceptances_per_minute, self.acceptances_per_hour))
            .introspected(names)
            .behind(proxies)
            .until(drain.clone());
        // Before anybody is told to send one.
        let asked = asked_to_stop();
        // For whoever waits for it, a person or a script.
        println!("callmarket listens on http://{address}/graphql");
        let endpoint: Arc<dyn Open> = Arc::new(endpoint);
        let routes = http::router(endpoint.clone()).merge(pages::router(endpoint, app.clone()));
        let serving = listen::serve(listener, routes, connections, drain);
        let stopping = async {
            asked.await;
            plug.pull();
        };
        tokio::select! {
            _ = async { tokio::join!(serving, stopping) } => {}
            () = look_for_revoked(&app) => {}
        }
        app.stop();
        Ok(Found::Nothing)
    }
}

/// Without end. What cannot be read is said and tried again: whoever is revoked already stays so.
async fn look_for_revoked(app: &Arc<App>) {
    let mut failing = false;
    loop {
        tokio::time::sleep(REVOKED_EVERY).await;
        let looked = app.signing.look_for_revoked();
        if let (Err(error), false) = (&looked, failing) {
            tracing::error!(%error, "revoked.unread");
        }
        failing = looked.is_err();
    }
}

/// Listens from the call on, not from the first poll.
fn asked_to_stop() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            tracing::error!("signals cannot be heard; stop with SIGKILL");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
