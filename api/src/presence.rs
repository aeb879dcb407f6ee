//! Who is there: which agents have a feed of their own at this node, and the reports of it in their logs.
//!
//! Promises: an agent with an `agentFeed` here is reported soon after it comes, soon after it asks for AVAILABLE,
//! and every 20 s from then on; one whose last feed has gone is reported no more. Where the log cannot be written,
//! it is tried again until it can. What follows from being in no report is decided in `domain`.
//!
//! Not here: reports of who left (that nobody reports them says it), and operators who watch an agent's feed.

use crate::app::App;
use domain::actor::Actor;
use domain::check::PRESENCE_MAX;
use domain::command::Command;
use domain::event::Event;
use domain::event::agent::{AgentEvent, Will};
use domain::ids::AgentId;
use domain::log::LogName;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use store::writer::mailbox::Mailbox;
use store::writer::order::{Answer, Entropy, Order};
use tokio::sync::watch;
use tokio::time::Instant;

/// Two reports may be lost before anybody is gone: `domain` waits 60 s.
const EVERY: Duration = Duration::from_secs(20);
/// Who comes within this is reported together.
const SETTLES: Duration = Duration::from_millis(250);
const RETRY: Duration = Duration::from_secs(1);

/// Of all call servers, by their logs.
pub(crate) struct Presence {
    /// Names this process in its reports.
    node: String,
    rooms: Mutex<BTreeMap<LogName, Arc<Room>>>,
}

/// Of one call server.
struct Room {
    agents: Mutex<BTreeMap<AgentId, Seen>>,
    /// Moves when somebody is to be reported. It ends with the last who could come.
    changed: watch::Sender<()>,
}

struct Seen {
    feeds: usize,
    /// It came, or asked for AVAILABLE, and no report has it since.
    news: bool,
}

impl Presence {
    pub(crate) fn new() -> Presence {
        Presence { node: format!("{:016x}", getrandom::u64().unwrap_or_default()), rooms: Mutex::default() }
    }

    /// The agent has one feed more, until what is returned is dropped.
    pub(crate) fn enter(&self, log: &LogName, agent: AgentId) -> Present {
        let room = self.room(log);
        room.agents.lock().expect("nothing panics under this lock").entry(agent).or_insert(Seen::NOBODY).feeds += 1;
        let present = Present { room, agent };
        present.is_news();
        present
    }

    fn room(&self, log: &LogName) -> Arc<Room> {
        let mut rooms = self.rooms.lock().expect("nothing panics under this lock");
        let new = || Arc::new(Room { agents: Mutex::default(), changed: watch::Sender::new(()) });
        rooms.entry(log.clone()).or_insert_with(new).clone()
    }
}

impl Seen {
    const NOBODY: Seen = Seen { feeds: 0, news: false };
}

impl Room {
    /// Whom to report: everybody, or who is news.
    fn take(&self, everybody: bool) -> Vec<AgentId> {
        let mut agents = self.agents.lock().expect("nothing panics under this lock");
        let due = agents.iter_mut().filter(|(_, seen)| everybody || seen.news);
        due.map(|(id, seen)| {
            seen.news = false;
            *id
        })
        .collect()
    }
}

/// One feed of an agent's own.
pub(crate) struct Present {
    room: Arc<Room>,
    agent: AgentId,
}

impl Present {
    /// Looks at what comes by in the feed: who asks for AVAILABLE is bound by its next report only.
    pub(crate) fn hears(&self, event: &Event) {
        if let Event::Agent(AgentEvent::StatusSet(set)) = event
            && set.agent == self.agent
            && set.will == Will::Available
        {
            self.is_news();
        }
    }

    fn is_news(&self) {
        if let Some(seen) = self.room.agents.lock().expect("nothing panics under this lock").get_mut(&self.agent) {
            seen.news = true;
        }
        self.room.changed.send_replace(());
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut agents = self.room.agents.lock().expect("nothing panics under this lock");
        if let Some(seen) = agents.get_mut(&self.agent) {
            seen.feeds -= 1;
            if seen.feeds == 0 {
                agents.remove(&self.agent);
            }
        }
    }
}

/// Reports who is there to one call server, for as long as the house runs.
pub(crate) async fn run(app: Weak<App>, mailbox: Mailbox) {
    // The house and the feeds hold the room: without them nobody can come any more.
    let begun = app.upgrade().map(|app| {
        let room = app.presence.room(mailbox.log());
        (room.changed.subscribe(), Arc::downgrade(&room), app.presence.node.clone())
    });
    let Some((mut changed, room, node)) = begun else { return };
    let mut everybody_at = Instant::now() + EVERY;
    let mut told = None;
    loop {
        tokio::select! {
            moved = changed.changed() => {
                if moved.is_err() {
                    return;
                }
                tokio::time::sleep(SETTLES).await;
            }
            () = tokio::time::sleep_until(everybody_at) => {}
        }
        changed.mark_unchanged();
        let everybody = Instant::now() >= everybody_at;
        let Some(agents) = room.upgrade().map(|room| room.take(everybody)) else { return };
        if everybody {
            everybody_at = Instant::now() + EVERY;
        }
        match report(&mailbox, &node, &agents).await {
            Ok(()) => {
                if told.take().is_some() {
                    tracing::info!(log = %mailbox.log(), "presence.resumed");
                }
            }
            Err(reason) => {
                // It is tried again every second; what is new is said once.
                if told.replace(reason) != Some(reason) {
                    tracing::error!(log = %mailbox.log(), reason, "presence.unreported");
                }
                everybody_at = Instant::now() + RETRY;
            }
        }
    }
}

async fn report(mailbox: &Mailbox, node: &str, agents: &[AgentId]) -> Result<(), &'static str> {
    let orders = agents.chunks(PRESENCE_MAX).map(|agents| order(agents, node)).collect();
    for answer in mailbox.send_all(orders) {
        match answer.await {
            Ok(Answer::Done(_) | Answer::Replayed { .. }) => {}
            Ok(Answer::Refused(refusal)) => return Err(refusal.code()),
            Ok(Answer::Unavailable(message)) => return Err(message),
            Err(_) => return Err("the writer has stopped"),
        }
    }
    Ok(())
}

fn order(agents: &[AgentId], node: &str) -> Order {
    let entropy = Entropy::draw();
    Order {
        command: Command::ReportPresence { agents: agents.to_vec(), node: node.to_owned() },
        actor: Actor::System,
        id: entropy.command_id(),
        key: None,
        causation: None,
        source: None,
        trace: None,
        entropy,
    }
}

#[cfg(test)]
#[path = "presence_tests.rs"]
mod tests;
