//! The composition root: stores, writers, views, process managers, keys. Everything that a request
//! touches hangs here, concrete and shared.
//!
//! It promises: a log has one writer on this node; views hold a write before its answer leaves; a call
//! server that `community` opens gets its writer and its process manager without a restart.

use crate::auth::{AuthError, Authenticate, SigningKey, Viewer};
use crate::books::{self, Tills};
use crate::cli::causes;
use crate::erasure::{self, Erasures};
use crate::errors::{ErrorCode, code};
use crate::graphql::types::search::{is_barred_throughout, suits_once_free};
use crate::information::ASKING_MAX;
use crate::keys::{RoamingKeys, Turn, roams};
use crate::past::Pasts;
use crate::places::Places;
use crate::presence::{self, Presence};
use crate::revoked::Revocations;
use crate::signed::Signer;
use crate::snapshotter::Snapshotter;
use crate::subjects::{self, Subjects};
use crate::{fees, fork, handover, places, webhooks};
use async_graphql::Error;
use axum::http::HeaderMap;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::Event;
use domain::event::community::{CallServerEvent, ProviderEvent, ProviderUpdated};
use domain::event::journal::JournalEvent;
use domain::ids::{AgentId, CustomerId, InquiryId, Subject};
use domain::log::{LogName, Seq};
use domain::refusal::Refusal;
use domain::sealed::Sealed;
use domain::time::{Span, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use projections::feed::{FeedError, Feeds, Outsiders, QueuesOf};
use projections::history::projector::Projector;
use projections::history::{History, HistoryError};
use projections::live::agent::AgentRow;
use projections::live::{BUILD, Dossier, DossierHandle, Live, RefoldError};
use projections::webhooks::board::Board;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};
use store::backend::EventStore;
use store::clock::Clock;
use store::folder::DataFolder;
use store::keys::{OldKeys, Seen, Unfindable};
use store::raw::{Head, Hex, RawEvent};
use store::recorded::Recorded;
use store::snapshot::Snapshots;
use store::vault::{Mark, Vault};
use store::writer::folded::Folded;
use store::writer::mailbox::{Mailbox, Trouble};
use store::writer::order::{Answer, Entropy, Key, Order};
use store::writer::{self, Settings, Subscriber, Writer};
use tokio::sync::{Semaphore, watch};

/// How long an edge waits for a second log, or a view, before it answers UNAVAILABLE: less than the
/// request's own deadline, or that answer would never go out.
pub const PATIENCE: Duration = Duration::from_secs(8);
const _: () = assert!(PATIENCE.as_secs() < crate::http::DEADLINE.as_secs());

/// What [`App::start`] is given.
pub struct Parts {
    pub folder: DataFolder,
    pub store: Arc<dyn EventStore>,
    pub vault: Vault,
    pub history: History,
    pub clock: Arc<dyn Clock>,
    pub settings: Settings,
    /// Events of a log from one snapshot of it to the next.
    pub snapshot_every: u64,
    /// What finds the subjects of questions; absent: their names, and what is learned here.
    pub topics_model: Option<topics::Model>,
    /// Where this house is met, without a trailing slash: `http://127.0.0.1:8080`.
    pub public_url: String,
    /// Webhooks may lead to this machine, and over http: for tests and development.
    pub loopback_webhooks: bool,
}

pub struct App {
    pub live: Arc<Live>,
    pub history: Arc<History>,
    pub store: Arc<dyn EventStore>,
    /// Who watches what; fed by the writers.
    pub feeds: Arc<Feeds>,
    pub vault: Arc<Vault>,
    /// Of the logs; none where the folder has none.
    pub snapshots: Arc<Snapshots>,
    pub signing: SigningKey,
    pub public_url: String,
    pub clock: Arc<dyn Clock>,
    /// With a secret of the store: providers' references of their customers are marked with it.
    pub(crate) references: Hmac<Sha256>,
    /// With the store's secret: idempotency keys and fingerprints are hashed with it.
    idempotency: Hmac<Sha256>,
    /// Of the store: cursors are signed with it.
    pub cursor_secret: [u8; 32],
    /// Signs what pages carry.
    pub(crate) signer: Signer,
    /// Webhooks and their deliveries; fed by the writer of `effects`.
    pub(crate) board: Arc<Board>,
    pub(crate) loopback_webhooks: bool,
    settings: Settings,
    writers: RwLock<BTreeMap<LogName, Mailbox>>,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
    projector: Arc<Projector>,
    snapshotter: Arc<Snapshotter>,
    /// Moves with each batch of any log, once the views hold it.
    pub(crate) views_moved: watch::Sender<()>,
    /// Moves with each fee rule that is set.
    pub(crate) rules_set: watch::Sender<()>,
    /// Moves with each batch of `community`.
    pub(crate) community_moved: watch::Sender<()>,
    /// Per call server: up to which position of `community` everything was handed over.
    handovers: RwLock<BTreeMap<LogName, watch::Receiver<Option<Seq>>>>,
    /// Which agents have feeds here.
    pub(crate) presence: Presence,
    /// What questions are about.
    pub(crate) subjects: Subjects,
    /// Ends of inquiries whose offers have limits.
    pub(crate) places: Places,
    /// Money that is not in the books yet.
    pub(crate) tills: Tills,
    /// Turns at history, for who asks whether a customer is known.
    pub(crate) asking: Arc<Semaphore>,
    /// Erased customers whose keys are to go.
    pub(crate) erasures: Erasures,
    /// The house as it was, for whoever looks back.
    pub(crate) pasts: Pasts,
    /// Idempotency keys of those who give commands to several logs.
    roaming: Arc<RoamingKeys>,
    /// Held so that nobody else opens the folder.
    _folder: DataFolder,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the store cannot be read")]
    Store(#[from] store::backend::ReadError),
    #[error("a log cannot be opened")]
    Log(#[from] writer::OpenError),
    #[error("the live views cannot be folded")]
    Views(#[from] RefoldError),
    #[error("the vault cannot be read")]
    Vault(#[from] store::vault::VaultError),
    #[error("the signing key cannot be opened")]
    Signing(#[from] crate::auth::KeyError),
    #[error("the history views cannot be kept")]
    History(#[from] HistoryError),
    #[error(
        "log {log} is not the one that {reader} has read: the store was restored, or lost its end. Look at it with \
         `callmarket verify`; {remedy}"
    )]
    Forked { log: LogName, reader: String, remedy: &'static str },
    #[error("a thread cannot be started")]
    Thread(#[from] std::io::Error),
}

/// What became of a command.
#[derive(Debug)]
pub struct Outcome {
    pub log: LogName,
    /// Of the command's last event; absent where it appended none.
    pub seq: Option<Seq>,
    pub replayed: bool,
    pub result: Result<Vec<Arc<Recorded>>, Refusal>,
}

/// History's key index, for one log's writer.
struct KeyIndex {
    log: LogName,
    history: Arc<History>,
    store: Arc<dyn EventStore>,
}

impl OldKeys for KeyIndex {
    fn find(&self, hash: u128, within: RangeInclusive<Seq>, now: Timestamp) -> Result<Option<Seen>, Unfindable> {
        let found = self.history.find_key(&*self.store, &self.log, hash, within, now);
        let found = found.map_err(|error| Unfindable(error.to_string()))?;
        Ok(found.map(|key| Seen { first: key.seq, events: key.events, fingerprint: key.fingerprint, at: key.time }))
    }
}

impl App {
    /// Opens every log of the store, folds the views, starts writers, projector and process managers. Call
    /// it inside a tokio runtime.
    pub fn start(parts: Parts) -> Result<Arc<App>, StartError> {
        refuse_forks(&parts.history, &*parts.store)?;
        let live = Arc::new(Live::new());
        let history = Arc::new(parts.history);
        let vault = Arc::new(parts.vault);
        let projector = Arc::new(Projector::start(history.clone(), parts.store.clone())?);
        let snapshots = Arc::new(Snapshots::of(&parts.folder, BUILD));
        let snapshotter = Snapshotter::new(snapshots.clone(), parts.store.clone(), live.clone(), parts.snapshot_every);
        let snapshotter = Arc::new(snapshotter);
        let feeds = Feeds::start(parts.store.clone(), queues_of(&live, &history, &parts.store), outsiders(&live))?;
        let app = Arc::new(App {
            live,
            history,
            feeds,
            snapshots,
            signing: SigningKey::open(parts.folder.path())?,
            idempotency: Hmac::new_from_slice(&vault.secret("idempotency")?).expect("any length is a key"),
            references: Hmac::new_from_slice(&vault.secret("references")?).expect("any length is a key"),
            cursor_secret: vault.secret("cursor")?,
            signer: Signer::new(&vault.secret("pages")?),
            board: Arc::default(),
            loopback_webhooks: parts.loopback_webhooks,
            store: parts.store,
            public_url: parts.public_url,
            clock: parts.clock,
            settings: parts.settings,
            writers: RwLock::default(),
            threads: Mutex::default(),
            projector,
            snapshotter,
            views_moved: watch::Sender::new(()),
            rules_set: watch::Sender::new(()),
            community_moved: watch::Sender::new(()),
            handovers: RwLock::default(),
            presence: Presence::new(),
            places: Places::new(),
            tills: Tills::default(),
            asking: Arc::new(Semaphore::new(ASKING_MAX)),
            erasures: Erasures::new(),
            subjects: Subjects::new(parts.topics_model, &vault.secret("topics")?),
            vault,
            pasts: Pasts::default(),
            roaming: Arc::default(),
            _folder: parts.folder,
        });
        // Call servers first: the views then know what is closed before they meet its acceptance.
        let (mut opened, mut snapshots) = (Vec::new(), Vec::new());
        for log in app.store.logs()?.into_iter().filter(|log| !log.is_reserved()) {
            let (writer, snapshot) = app.open_writer(&log)?;
            opened.push(writer);
            snapshots.extend(snapshot.map(|head| (log, head)));
        }
        let (community, snapshot) = app.open_writer(&LogName::community())?;
        snapshots.extend(snapshot.map(|head| (LogName::community(), head)));
        let (effects, _) = app.open_writer(&LogName::effects())?;
        let (treasury, snapshot) = app.open_writer(&LogName::treasury())?;
        snapshots.extend(snapshot.map(|head| (LogName::treasury(), head)));
        app.tills.begin(&treasury.state().sources);
        let named: Vec<LogName> = community.state().call_servers.keys().cloned().collect();
        for log in named {
            if !opened.iter().any(|writer| *writer.log() == log) {
                opened.push(app.open_writer(&log)?.0);
            }
        }
        let head = community.head().map(|head| head.seq);
        app.places.find(&community, &opened, &app.history, &*app.store)?;
        let erased = app.live.erased();
        app.erasures.heal(&app.vault, &erased, head)?;
        app.signing.end_customers(&erased);
        for provider in app.live.providers() {
            app.signing.keep_keys(provider.id, &provider.customer_keys);
        }
        app.run_writer(community);
        app.run_writer(treasury);
        for writer in opened {
            app.open_market(writer, None);
        }
        app.run_writer(effects);
        tokio::spawn(webhooks::plan(Arc::downgrade(&app)));
        tokio::spawn(webhooks::send(Arc::downgrade(&app)));
        tokio::spawn(handover::open_call_servers(Arc::downgrade(&app), head.map_or(0, |seq| seq + 1)));
        tokio::spawn(places::bring(Arc::downgrade(&app)));
        tokio::spawn(erasure::delete(Arc::downgrade(&app)));
        tokio::spawn(subjects::follow(Arc::downgrade(&app)));
        tokio::spawn(subjects::learn(Arc::downgrade(&app)));
        app.projector.wake();
        let house = Arc::downgrade(&app);
        let on_broken = Box::new(move |log: &LogName, error: &dyn std::error::Error| {
            let error = causes(error);
            tracing::error!(%log, %error, "chain.broken: the log takes no more commands; look at it with `callmarket verify`");
            // Not under the lock: its mailbox may be full.
            let mailbox =
                house.upgrade().and_then(|app| app.writers.read().expect("no writer panics").get(log).cloned());
            if let Some(mailbox) = mailbox {
                mailbox.halt();
            }
        });
        app.snapshotter.begin(snapshots, on_broken)?;
        Ok(app)
    }

    /// Folds a log from its newest snapshot on, or from its start. Gives that snapshot's head too.
    fn open_writer(self: &Arc<App>, log: &LogName) -> Result<(Writer, Option<Head>), StartError> {
        let began = Instant::now();
        // What leaves the house has a view of its own, which is folded whole.
        let leaves = *log == LogName::effects();
        let folded = match leaves {
            true => None,
            false => self.snapshots.nearest(&*self.store, log, None, |snapshot| {
                let folded = Folded::restore(&snapshot)?;
                self.live.restore(&snapshot)?;
                Ok(Some(folded))
            })?,
        };
        let snapshot = folded.as_ref().and_then(|folded| folded.head);
        if let Some(head) = snapshot {
            self.feeds.begin_after(log, head);
            self.roaming.begin_after(log, head.seq);
            if *log == LogName::community() {
                self.live.fill(&*self.store)?;
            }
        }
        let index = KeyIndex { log: log.clone(), history: self.history.clone(), store: self.store.clone() };
        let (live, projector, moved) = (self.live.clone(), self.projector.clone(), self.views_moved.clone());
        let snapshotter = self.snapshotter.clone();
        let feeds = (!log.is_reserved()).then(|| self.feeds.clone());
        let board = self.board.clone();
        let views: Subscriber = Arc::new(move |events: &[Arc<Recorded>]| {
            if leaves {
                board.fold(events);
                projector.publish(events);
                return;
            }
            if let Err(error) = live.apply(events) {
                // The view stays where it is and says so at every batch; the log decides.
                tracing::error!(%error, "view.stopped");
            }
            if let Some(feeds) = &feeds {
                feeds.publish(events);
            }
            moved.send_replace(());
            projector.publish(events);
            snapshotter.publish(events);
        });
        let mut subscribers = vec![views];
        if !log.is_reserved() {
            let roaming = self.roaming.clone();
            subscribers.push(Arc::new(move |events: &[Arc<Recorded>]| roaming.note(events)));
            let ear = self.subjects.ear();
            subscribers.push(Arc::new(move |events: &[Arc<Recorded>]| ear.note(events)));
            let ear = self.places.ear();
            subscribers.push(Arc::new(move |events: &[Arc<Recorded>]| ear.note(events)));
            let ear = self.tills.ear(log);
            subscribers.push(Arc::new(move |events: &[Arc<Recorded>]| ear.note(events)));
        }
        if *log == LogName::community() {
            let moved = self.community_moved.clone();
            subscribers.push(Arc::new(move |_: &[Arc<Recorded>]| {
                moved.send_replace(());
            }));
            let (ear, house) = (self.erasures.ear(), Arc::downgrade(self));
            subscribers.push(Arc::new(move |events: &[Arc<Recorded>]| {
                let erased = ear.note(events);
                // At once: the key may take its time.
                let Some(app) = house.upgrade() else { return };
                if !erased.is_empty() {
                    app.signing.end_customers(&erased);
                }
                for event in events {
                    match &event.event {
                        Event::Provider(ProviderEvent::Registered(e)) => {
                            app.signing.keep_keys(e.provider, &e.customer_keys);
                        }
                        Event::Provider(ProviderEvent::Updated(ProviderUpdated {
                            provider,
                            customer_keys: Some(keys),
                            ..
                        })) => app.signing.keep_keys(*provider, keys),
                        _ => {}
                    }
                }
            }));
        }
        if *log == LogName::treasury() {
            let set = self.rules_set.clone();
            let is_rule = |event: &Arc<Recorded>| matches!(event.event, Event::Journal(JournalEvent::FeeRuleSet(_)));
            subscribers.push(Arc::new(move |events: &[Arc<Recorded>]| {
                if events.iter().any(is_rule) {
                    set.send_replace(());
                }
            }));
        }
        let writer = Writer::open_after(
            folded.unwrap_or_default(),
            log.clone(),
            self.store.clone(),
            self.clock.clone(),
            Box::new(Entropy::draw),
            Arc::new(index),
            subscribers,
            self.settings.clone(),
        )?;
        refuse_forked_sources(&writer, &*self.store)?;
        let events = Head::next(writer.head()) - Head::next(snapshot);
        let (seq, ms) = (snapshot.map(|head| head.seq), began.elapsed().as_millis() as u64);
        tracing::info!(%log, snapshot = seq, events, ms, "log.folded");
        Ok((writer, snapshot))
    }

    fn run_writer(self: &Arc<App>, writer: Writer) -> Mailbox {
        let log = writer.log().clone();
        let app = Arc::downgrade(self);
        let (mailbox, thread) = writer::mailbox::spawn(writer, move |log, trouble| match (trouble, app.upgrade()) {
            (Trouble::Broken(why), _) => fatal(format_args!("log {log}: {why}")),
            (Trouble::Forked, Some(app)) => fork::drop_what_was_lost(&app, log),
            (Trouble::Forked, None) => {}
        });
        self.writers.write().expect("no writer panics").insert(log, mailbox.clone());
        self.threads.lock().expect("no holder panics").push(thread);
        mailbox
    }

    /// Runs a call server's writer and the process manager that brings it what `community` decides.
    /// `from`: where in `community` it is first named; absent: after what its own state has taken over.
    fn open_market(self: &Arc<App>, writer: Writer, from: Option<Seq>) {
        let log = writer.log().clone();
        let taken = writer.state().sources.get(&LogName::community()).map(|taken| taken.seq);
        let rules = writer.state().sources.get(&LogName::treasury()).map_or(0, |taken| taken.seq + 1);
        let mailbox = self.run_writer(writer);
        tokio::spawn(fees::bring(Arc::downgrade(self), mailbox.clone(), rules));
        tokio::spawn(books::post(Arc::downgrade(self), log.clone()));
        let next = taken.map(|seq| seq + 1).or(from).unwrap_or(0);
        let (done, seen) = watch::channel(taken);
        self.handovers.write().expect("no writer panics").insert(log, seen);
        tokio::spawn(presence::run(Arc::downgrade(self), mailbox.clone()));
        tokio::spawn(handover::run(Arc::downgrade(self), mailbox, next, done));
    }

    /// Called for each event of `community` as it appears: a call server that was opened gets its writer.
    pub(crate) async fn meet(self: &Arc<App>, recorded: &Recorded) -> Result<(), StartError> {
        if let Event::CallServer(CallServerEvent::Opened(opened)) = &recorded.event
            && !self.writers.read().expect("no writer panics").contains_key(&opened.name)
        {
            let (app, name) = (self.clone(), opened.name.clone());
            // Its log may be long.
            let opening = tokio::task::spawn_blocking(move || app.open_writer(&name));
            let (writer, _) = opening.await.map_err(std::io::Error::other)??;
            self.open_market(writer, Some(recorded.seq));
        }
        Ok(())
    }

    /// Has history look at once whether it lacks anything.
    pub(crate) fn wake_projector(&self) {
        self.projector.wake();
    }

    /// Ends every writer after its batch at hand, and waits for them.
    pub fn stop(&self) {
        self.snapshotter.stop();
        for mailbox in self.writers.read().expect("no writer panics").values() {
            mailbox.stop();
        }
        for thread in self.threads.lock().expect("no holder panics").drain(..) {
            // A writer that panicked has said so already.
            let _ = thread.join();
        }
    }

    /// Gives a command to a log's writer and waits until its answer is durable.
    ///
    /// `mutation`, `key`, `input`: what idempotency is about. Errors: FORBIDDEN, UNAVAILABLE, BAD_REQUEST
    /// for a key of the wrong form.
    pub async fn submit(
        &self,
        log: &LogName,
        actor: &Actor,
        mutation: &str,
        key: &str,
        input: &async_graphql::Value,
        command: Command,
    ) -> Result<Outcome, Error> {
        let key = self.key(actor, mutation, key, input)?;
        let turn = match self.turn(log, actor, &key).await? {
            Ok(turn) => turn,
            Err(refusal) => {
                return Ok(Outcome { log: log.clone(), seq: None, replayed: false, result: Err(refusal) });
            }
        };
        let entropy = Entropy::draw();
        let order = Order {
            command,
            actor: actor.clone(),
            id: entropy.command_id(),
            key: Some(key),
            causation: None,
            source: None,
            trace: None,
            entropy,
        };
        let sent = self.writers.read().expect("no writer panics").get(log).map(|mailbox| mailbox.send(order));
        let answer = sent.ok_or_else(|| code(ErrorCode::Unavailable, "This log is not open here."))?;
        let answer = match turn {
            None => answer.await.ok(),
            // Also where the caller gives up: the writer does not, so the key is still on its way.
            Some(turn) => {
                let waiting = tokio::spawn(async move {
                    let answer = answer.await;
                    drop(turn);
                    answer.ok()
                });
                waiting.await.ok().flatten()
            }
        };
        let answer = answer.ok_or_else(|| code(ErrorCode::Unavailable, "The writer has stopped; try again."))?;
        let outcome = |replayed, events: Vec<Arc<Recorded>>| Outcome {
            log: log.clone(),
            seq: events.last().map(|event| event.seq),
            replayed,
            result: Ok(events),
        };
        match answer {
            Answer::Done(events) => Ok(outcome(false, events)),
            Answer::Replayed { first, events } => {
                let (store, name) = (self.store.clone(), log.clone());
                let read = move || {
                    let seqs: Vec<Seq> = (first..first + u64::from(events)).collect();
                    let raws = store.read_at(&name, &seqs)?;
                    raws.into_iter().map(|raw| Ok(Arc::new(Recorded::open(&name, raw)?))).collect()
                };
                Ok(outcome(true, blocking(read).await?))
            }
            Answer::Refused(Refusal::Forbidden) => Err(code(ErrorCode::Forbidden, "Your role may not do this.")),
            Answer::Refused(refusal) => {
                Ok(Outcome { log: log.clone(), seq: None, replayed: false, result: Err(refusal) })
            }
            Answer::Unavailable(message) => Err(code(ErrorCode::Unavailable, message)),
        }
    }

    /// The turn of whoever may give the same mutation to another call server, once no such log has the key.
    /// `None`: the log's own writer knows all there is.
    async fn turn(&self, log: &LogName, actor: &Actor, key: &Key) -> Result<Result<Option<Turn>, Refusal>, Error> {
        if log.is_reserved() || !roams(actor.role()) {
            return Ok(Ok(None));
        }
        let turn = self.roaming.turn(key.hash).await;
        let others: Vec<LogName> = {
            let writers = self.writers.read().expect("no writer panics");
            writers.keys().filter(|name| !name.is_reserved() && *name != log).cloned().collect()
        };
        if others.is_empty() {
            return Ok(Ok(Some(turn)));
        }
        let (roaming, history, store) = (self.roaming.clone(), self.history.clone(), self.store.clone());
        let (hash, now) = (key.hash, self.clock.now());
        let used = blocking(move || roaming.used_on(&others, hash, now, &history, &*store)).await?;
        Ok(match used {
            Some(first_seen_at) => Err(Refusal::KeyReused { first_seen_at }),
            None => Ok(Some(turn)),
        })
    }

    /// The customer whom this key makes: the same one when it is sent again on the same day (UTC), so that what
    /// is sealed before the decision needs no second vault key.
    pub(crate) fn new_customer(&self, actor: &Actor, mutation: &str, key: &str) -> CustomerId {
        let day = self.clock.now().0.div_euclid(Span::days(1).0) * Span::days(1).0;
        let role = format!("{:?}", actor.role());
        let id = actor.id().unwrap_or_default();
        let named = [role.as_bytes(), id.as_bytes(), mutation.as_bytes(), key.as_bytes()];
        let drawn = self.digest(&[&[b"customer", &day.to_be_bytes() as &[u8]], &named as &[&[u8]]].concat());
        let drawn = u128::from_be_bytes(drawn[..16].try_into().expect("sixteen of thirty-two bytes"));
        // A UUIDv7 of the day's beginning: on 74 bits of one day nobody meets anybody.
        let millis = (day / 1_000).max(0) as u128 & 0xFFFF_FFFF_FFFF;
        let bits = drawn & !(0xF << 76 | 0b11 << 62) & ((1 << 80) - 1);
        CustomerId(millis << 80 | bits | 0x7 << 76 | 0b10 << 62)
    }

    /// Whom a provider's reference leads to. `first`: to this one, where it led to nobody; then it is durable.
    pub(crate) async fn customer_of(
        self: &Arc<App>,
        mark: Mark,
        first: Option<CustomerId>,
    ) -> Result<Option<CustomerId>, Error> {
        let vault = self.vault.clone();
        let led = tokio::task::spawn_blocking(move || match first {
            Some(first) => vault.leads_to(mark, &first.to_string()).map(Some),
            None => vault.led_to(mark),
        });
        match led.await {
            Ok(Ok(id)) => Ok(id.and_then(|id| id.parse().ok())),
            Ok(Err(error)) => Err(vault_failed(&error, "The customer cannot be looked up now; try again.")),
            Err(_) => Err(code(ErrorCode::Internal, "Looking up failed.")),
        }
    }

    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.idempotency.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn key(&self, actor: &Actor, mutation: &str, key: &str, input: &async_graphql::Value) -> Result<Key, Error> {
        check_key(actor, key)?;
        let role = format!("{:?}", actor.role());
        let id = actor.id().unwrap_or_default();
        let hash = self.digest(&[role.as_bytes(), id.as_bytes(), mutation.as_bytes(), key.as_bytes()]);
        let input = crate::fingerprint::canonical(input);
        let fingerprint = self.digest(&[input.as_bytes()]);
        Ok(Key {
            hash: u128::from_be_bytes(hash[..16].try_into().expect("sixteen of thirty-two bytes")),
            fingerprint: u64::from_be_bytes(fingerprint[..8].try_into().expect("eight of thirty-two bytes")),
        })
    }

    /// Where a log's orders go in; absent where it is not open here.
    pub(crate) fn mailbox(&self, log: &LogName) -> Option<Mailbox> {
        self.writers.read().expect("no writer panics").get(log).cloned()
    }

    /// Waits until a call server has taken over everything of `community` up to `seq`.
    pub async fn handed_over(&self, call_server: &LogName, seq: Seq) -> Result<(), Error> {
        let late = || {
            code(
                ErrorCode::Unavailable,
                "It is recorded, and the call server has not taken it over yet; send it again with the same key.",
            )
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut seen = loop {
            let found = self.handovers.read().expect("no writer panics").get(call_server).cloned();
            match found {
                Some(seen) => break seen,
                // The call server was opened a moment ago.
                None if tokio::time::Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(2)).await,
                None => return Err(late()),
            }
        };
        let waited =
            tokio::time::timeout_at(deadline, seen.wait_for(|done| done.is_some_and(|done| done >= seq))).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            _ => Err(late()),
        }
    }

    /// Everything about an inquiry: from the live view, or folded from the log where it is closed.
    pub async fn dossier(self: &Arc<App>, inquiry: InquiryId) -> Result<Option<DossierHandle>, Error> {
        self.dossier_of(inquiry.into()).await
    }

    /// The dossier that an id belongs to: an inquiry's own, an auction's, bid's, reservation's, session's,
    /// channel's, message's, settlement's.
    pub async fn dossier_of(self: &Arc<App>, subject: Subject) -> Result<Option<DossierHandle>, Error> {
        if let Some(handle) = self.live.dossier_of(subject) {
            return Ok(Some(handle));
        }
        let app = self.clone();
        blocking(move || {
            let Some(inquiry) = app.history.inquiry_of(&*app.store, subject)? else { return Ok(None) };
            // It may have been opened since the first look.
            if let Some(handle) = app.live.dossier(inquiry) {
                return Ok(Some(handle));
            }
            let events = app.history.events_of(&*app.store, inquiry.into())?;
            Ok(fold(&events))
        })
        .await
    }

    /// Seals text for a data subject, with a key that is durable before this returns.
    /// Nothing where its subject is erased, also while the vault still has its key.
    pub async fn seal(self: &Arc<App>, subject: Subject, text: String) -> Result<Option<Sealed>, Error> {
        if self.is_erased(subject) {
            return Ok(None);
        }
        let vault = self.vault.clone();
        let sealed = tokio::task::spawn_blocking(move || {
            let name = subject.to_string();
            let key = vault.key_for(&name)?;
            let ciphertext = base64_url(&key.seal(name.as_bytes(), text.as_bytes()));
            Ok::<_, store::vault::VaultError>(Sealed { ciphertext: ciphertext.into(), subject })
        });
        match sealed.await {
            Ok(Ok(sealed)) => Ok(Some(sealed)),
            Ok(Err(store::vault::VaultError::Erased)) => Ok(None),
            Ok(Err(error)) => Err(vault_failed(&error, "Personal data cannot be sealed now; try again.")),
            Err(_) => Err(code(ErrorCode::Internal, "Sealing failed.")),
        }
    }

    /// Opens what was sealed; `None` once its subject is erased, also while the vault still has its key: it may be
    /// busy or full, and who is erased is nobody's to read from then on.
    pub async fn open(self: &Arc<App>, sealed: &Sealed) -> Result<Option<String>, Error> {
        let subject = sealed.subject;
        if self.is_erased(subject) {
            return Ok(None);
        }
        let vault = self.vault.clone();
        let sealed = sealed.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let name = sealed.subject.to_string();
            let Some(key) = vault.existing(&name)? else { return Ok(None) };
            let bytes = from_base64_url(&sealed.ciphertext);
            let plain = bytes.and_then(|bytes| key.open(name.as_bytes(), &bytes).ok());
            Ok::<_, store::vault::VaultError>(plain.and_then(|plain| String::from_utf8(plain).ok()))
        });
        match opened.await {
            // Erased meanwhile.
            Ok(Ok(_)) if self.is_erased(subject) => Ok(None),
            Ok(Ok(text)) => Ok(text),
            Ok(Err(error)) => Err(vault_failed(&error, "Personal data cannot be read now; try again.")),
            Err(_) => Err(code(ErrorCode::Internal, "Unsealing failed.")),
        }
    }

    fn is_erased(&self, subject: Subject) -> bool {
        matches!(subject, Subject::CustomerId(customer) if self.live.erased_at(customer).is_some())
    }
}

/// Ends the process at once: what it would answer from here on could not be trusted.
pub(crate) fn fatal(why: std::fmt::Arguments<'_>) -> ! {
    eprintln!("callmarket: {why}; start again");
    std::process::exit(1);
}

fn vault_failed(error: &store::vault::VaultError, answer: &'static str) -> Error {
    if let store::vault::VaultError::Broken(why) = error {
        fatal(format_args!("the vault has failed: {why}"));
    }
    tracing::error!(%error, "vault.failed");
    code(ErrorCode::Unavailable, answer)
}

/// What the views have folded must stand in the logs. Where it does not, the store holds another history than
/// the one that was answered for, and nothing may be written on top of it.
fn refuse_forks(history: &History, store: &dyn EventStore) -> Result<(), StartError> {
    for (log, checkpoint) in history.checkpoints() {
        let known = checkpoint.head;
        let found = store.read(&log, known.seq, 1)?;
        if found.first().is_none_or(|event| event.head() != known) {
            let remedy = "if it is meant to be so, delete history.sqlite and start again";
            return Err(StartError::Forked { log, reader: "the history view".into(), remedy });
        }
    }
    Ok(())
}

/// What a call server has taken over must stand in the log it came from. Where it does not, that log would give
/// known positions to new events, and each of them would be taken for a repeat.
fn refuse_forked_sources(writer: &Writer, store: &dyn EventStore) -> Result<(), StartError> {
    for (log, taken) in &writer.state().sources {
        let found = store.read(log, taken.seq, 1)?;
        let stands = |event: &RawEvent| event.seq == taken.seq && Hex(&event.hash).to_string() == *taken.hash;
        if !found.first().is_some_and(stands) {
            let remedy = "put the newer one back, or restore both logs from one backup: what either has recorded since \
                          then is gone";
            let kind = if writer.log().is_reserved() { "log" } else { "call server" };
            let reader = format!("{kind} {} (up to position {})", writer.log(), taken.seq);
            return Err(StartError::Forked { log: log.clone(), reader, remedy });
        }
    }
    Ok(())
}

/// The queues of an inquiry that is open, or was once.
fn queues_of(live: &Arc<Live>, history: &Arc<History>, store: &Arc<dyn EventStore>) -> QueuesOf {
    let (live, history, store) = (live.clone(), history.clone(), store.clone());
    Arc::new(move |inquiry| {
        if let Some(row) = live.inquiry(inquiry) {
            return Ok(row.all_queues().collect());
        }
        let events = history.events_of(&*store, inquiry.into()).map_err(|error| FeedError::Queues(Box::new(error)))?;
        let row = fold(&events).and_then(|dossier| dossier.read(|dossier| dossier.inquiry().cloned()));
        Ok(row.map(|row| row.all_queues().collect()).unwrap_or_default())
    })
}

/// Skills, independence and bars alone, as `agentFeed` asks when it shows an opening: see `could_ever_bid`.
fn outsiders(live: &Arc<Live>) -> Outsiders {
    let live = live.clone();
    Arc::new(move |event, agents| {
        let inquiry = projections::inquiry_of(&event.subjects).and_then(|id| live.inquiry(id));
        // Closed again: whoever is told looks in history.
        let Some(inquiry) = inquiry else { return Vec::new() };
        let outside = |agent: AgentRow| !suits_once_free(&agent, &inquiry) || is_barred_throughout(&agent, event);
        let outside = |id: &&AgentId| live.agent(**id).is_some_and(outside);
        agents.iter().filter(outside).copied().collect()
    })
}

/// A dossier from an inquiry's events, which the log gives in order.
pub(crate) fn fold(events: &[Arc<Recorded>]) -> Option<DossierHandle> {
    let (first, rest) = events.split_first()?;
    let mut dossier = Dossier::from_first(first).ok()?;
    for event in rest {
        if let Err(error) = dossier.apply(event) {
            tracing::error!(%error, "dossier.unreadable");
            return None;
        }
    }
    Some(dossier.into())
}

/// Runs what may touch a disk off the async threads. A history that cannot be read is UNAVAILABLE.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            tracing::error!(%error, "history.unreadable");
            Err(code(ErrorCode::Unavailable, "The history cannot be read now; try again."))
        }
        Err(_) => Err(code(ErrorCode::Internal, "Reading failed.")),
    }
}

/// Whether an idempotency key is of a form that is taken; the edge asks before it seals anything. Errors:
/// BAD_REQUEST where the key is not of 16 to 255 characters, or guessable without a token.
pub(crate) fn check_key(actor: &Actor, key: &str) -> Result<(), Error> {
    if !(16..=255).contains(&key.chars().count()) {
        return Err(code(ErrorCode::BadRequest, "idempotencyKey: 16 to 255 characters."));
    }
    if *actor == Actor::Anonymous && !is_random(key) {
        let message =
            "idempotencyKey: without a token, at least 32 hexadecimal or 22 base64url characters, drawn at random.";
        return Err(code(ErrorCode::BadRequest, message));
    }
    Ok(())
}

/// At least 32 hexadecimal or 22 base64url characters: 128 bits, if they were drawn at random. A UUIDv4
/// counts, its hyphens aside.
fn is_random(key: &str) -> bool {
    let bare: Vec<u8> = key.bytes().filter(|b| *b != b'-').collect();
    let hex = bare.len() >= 32 && bare.iter().all(u8::is_ascii_hexdigit);
    let base64 = key.len() >= 22 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let distinct = bare.iter().collect::<std::collections::BTreeSet<_>>().len();
    (hex || base64) && distinct >= 8
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
fn from_base64_url(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
}

/// The house's own tokens.
impl Authenticate for App {
    fn authenticate(&self, headers: &HeaderMap) -> Result<Viewer, AuthError> {
        self.signing.authenticate(headers)
    }

    fn revocations(&self) -> Revocations {
        self.signing.revocations()
    }
}
