//! `callmarket replay calls`: a recorded month of a telephone centre through the same writers and decisions as live
//! inquiries, on a turned clock.
//!
//! A caller who wants an agent accepts an offer by the link of its call's type: an inquiry. Who hangs up in the queue
//! withdraws. A conversation is a TELEPHONE session of the recorded length. Agents are those whom the log names, with
//! the skills and the presence that it shows (`presence`).
//!
//! *As recorded*, the agent whom the log names claims each call when the log says that it began, and the product
//! refuses who is busy. *By policy*, the house routes. Then two things must be supposed, and a policy file says one
//! of them otherwise: who hung up has the patience it showed, and who was answered, having shown only that it waited
//! so long, waits on (until `max_wait_s`); who hung up and is answered now talks as long as the answered call about
//! the same before it. So by policy less is given up than people would give up where waits grow, never more. How
//! people would behave otherwise under another policy no log knows.
//!
//! Deliberately not here: money, which the log does not have.

mod figures;
mod floor;
mod play;
mod policy;
mod presence;
mod rows;

use self::figures::{Caller, Fate, Figures, Work, at_hour, figures, work};
use self::play::{Played, Refused, Worker};
use self::policy::Policy;
use self::rows::{Answered, Call, End};
use super::auctions::tell_history;
use super::table::Table;
use super::{Failure, Found, Misuse};
use clap::Args;
use domain::time::Span;
use domain::topic::Topic;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use store::backend::EventStore;
use store::folder::DataFolder;
use store::raw::Hex;
use store::sqlite::SqliteStore;
use store::vault::Vault;

#[derive(Args)]
pub(crate) struct Calls {
    /// The calls
    #[arg(long)]
    calls: PathBuf,
    /// The first day, by arrival (YYYY-MM-DD)
    #[arg(long)]
    from: Option<jiff::civil::Date>,
    /// The last day, by arrival (YYYY-MM-DD)
    #[arg(long)]
    to: Option<jiff::civil::Date>,
    /// How the house routes: a JSON object with any of routing (LONGEST_IDLE, BEST_SKILLED, ROUND_ROBIN),
    /// consent_after_s, consent_window_s, wrap_up_s, max_wait_s, break_after_s; priority (0 to 10),
    /// priority_credit_s (what one of these steps is worth), relaxation (at most five rings, each
    /// {"after_s": 60, "any_topic": true, "lower_levels": 0}); and topics, where the last three differ, by
    /// topic: {"bank/nw": {"priority": 2}}
    #[arg(long, conflicts_with = "as_recorded")]
    policy: Option<PathBuf>,
    /// The log's own assignments, claimed at the recorded times
    #[arg(long)]
    as_recorded: bool,
    /// A folder for the replayed market, which `serve` opens; must be new. Absent: kept in memory
    #[arg(long, env = "CALLMARKET_DATA")]
    data: Option<PathBuf>,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// What became of the rows that could be read: left out, left in the IVR, or an inquiry.
#[derive(Default, Serialize)]
struct Rows {
    read: usize,
    unreadable: usize,
    /// By the dates asked for.
    left_out: usize,
    left_in_ivr: usize,
    wanted_an_agent: usize,
    /// The next three are of those who wanted an agent.
    answered_without_agents_name: usize,
    answered_without_conversation: usize,
    hung_up_with_conversation: usize,
    flagged: usize,
}

#[derive(Serialize)]
struct Beside {
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<Topic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<usize>,
    recorded: Figures,
    replayed: Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_work: Option<Work>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed_work: Option<Work>,
}

/// Nothing of it depends on when or how fast it was made.
#[derive(Serialize)]
struct Report {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
    rows: Rows,
    agents: usize,
    sessions: usize,
    /// As recorded: ended by up to two seconds early, because the agent's next one began.
    ended_early: usize,
    refused: Vec<Refused>,
    all: Beside,
    topics: Vec<Beside>,
    hours: Vec<Beside>,
    events: u64,
    /// Of the call server's log.
    head: String,
}

impl Calls {
    pub(crate) fn run(self) -> Result<Found, Failure> {
        let started = Instant::now();
        let policy = self.policy.as_deref().map(Policy::read).transpose()?.unwrap_or_default();
        let mut table = Table::open(&self.calls, &rows::COLUMNS)?;
        let all = rows::read(&mut table);
        if let Some(topic) = policy.topics.keys().find(|topic| all.iter().all(|call| call.topic != **topic)) {
            let shown = self.policy.as_deref().unwrap_or(Path::new("")).display();
            return Err(Misuse(format!("{shown}: topics.{topic}: no call of the file is of this type")).into());
        }
        let mut counted = Rows { read: all.len(), unreadable: table.unreadable.len(), ..Rows::default() };
        let played = self.choose(&all, &mut counted)?;
        let workers = play::workers(&all, &played);
        let recorded_work = recorded_work(&workers, policy.break_after());

        let folder = self.data.as_deref().map(Folder::open).transpose()?;
        let in_memory;
        let vault = match &folder {
            Some(folder) => &folder.vault,
            None => {
                in_memory = Vault::in_memory()?;
                &in_memory
            }
        };
        let done = match self.as_recorded {
            true => play::as_recorded(&played, workers, vault)?,
            false => play::by_policy(&played, &workers, &policy, vault)?,
        };
        if let Some(folder) = &folder {
            folder.keep(&done)?;
        }

        for row in &table.unreadable {
            eprintln!("{row}");
        }
        let policy = (!self.as_recorded).then_some(policy);
        let report = report(&played, done, policy, counted, recorded_work);
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            print!("{}", shown(&report));
            println!("{} events in {:.1} s", report.events, started.elapsed().as_secs_f64());
        }
        // What the product refuses is a finding about the history, and the point of the exercise; a row that cannot
        // be read is one about the file.
        Ok(if table.unreadable.is_empty() { Found::Nothing } else { Found::Something })
    }

    /// Who wanted an agent on the days that are asked for.
    fn choose<'a>(&self, all: &'a [Call], rows: &mut Rows) -> Result<Vec<&'a Call>, Failure> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && to < from
        {
            return Err(Misuse(format!("--to {to} is before --from {from}")).into());
        }
        let from = self.from.map(rows::day).transpose()?;
        let until = self.to.map(|to| rows::day(to.tomorrow()?)).transpose()?;
        let mut wanted = Vec::with_capacity(all.len());
        for call in all {
            if from.is_some_and(|from| call.arrival < from) || until.is_some_and(|until| call.arrival >= until) {
                rows.left_out += 1;
                continue;
            }
            rows.flagged += usize::from(call.flagged);
            match &call.end {
                End::LeftInIvr => {
                    rows.left_in_ivr += 1;
                    continue;
                }
                End::HungUp { odd, .. } => rows.hung_up_with_conversation += usize::from(*odd),
                End::Answered(Answered { agent, session, .. }) => {
                    rows.answered_without_agents_name += usize::from(agent.is_none());
                    rows.answered_without_conversation += usize::from(session.is_none());
                }
            }
            rows.wanted_an_agent += 1;
            wanted.push(call);
        }
        Ok(wanted)
    }
}

/// Where the replayed market is kept.
struct Folder {
    folder: DataFolder,
    store: Arc<SqliteStore>,
    vault: Vault,
}

impl Folder {
    fn open(path: &Path) -> Result<Folder, Failure> {
        let folder = DataFolder::open(path)?;
        let store = Arc::new(SqliteStore::open(&folder)?);
        if !store.logs()?.is_empty() {
            return Err("the data folder already holds a market; a replay needs an empty one".into());
        }
        let vault = Vault::open(&folder)?;
        Ok(Folder { folder, store, vault })
    }

    /// The events that were decided in memory, as they are.
    fn keep(&self, played: &Played) -> Result<(), Failure> {
        store::moved::all_logs(&*played.floor.store, &*self.store)?;
        tell_history(&self.folder, self.store.clone())
    }
}

fn recorded_work(workers: &[Worker], break_after: Span) -> (Work, [Work; 24]) {
    let of = |worker: &Worker| {
        let there = presence::present(worker.sessions.clone(), break_after);
        (there, presence::union(worker.sessions.clone()))
    };
    work(&workers.iter().map(of).collect::<Vec<_>>())
}

fn recorded(call: &Call) -> Caller {
    let fate = match &call.end {
        End::Answered(_) => Fate::Answered,
        End::HungUp { .. } | End::LeftInIvr => Fate::HungUp,
    };
    Caller {
        topic: call.topic.clone(),
        wanted_at: call.wanted_at,
        fate,
        waited: call.waited(),
        queued: call.queued,
        service: call.answered().map_or(Span::ZERO, Answered::service),
    }
}

fn report(
    played: &[&Call],
    done: Played,
    policy: Option<Policy>,
    rows: Rows,
    (recorded_work, recorded_hours): (Work, [Work; 24]),
) -> Report {
    let before: Vec<Caller> = played.iter().map(|call| recorded(call)).collect();
    let after = &done.callers;
    let beside = |is: &dyn Fn(&Caller) -> bool| Beside {
        topic: None,
        hour: None,
        recorded: figures(before.iter().filter(|caller| is(caller))),
        replayed: figures(after.iter().filter(|caller| is(caller))),
        recorded_work: None,
        replayed_work: None,
    };
    let (replayed_work, replayed_hours) = work(&done.agents);
    let all = Beside { recorded_work: Some(recorded_work), replayed_work: Some(replayed_work), ..beside(&|_| true) };
    let topics: BTreeSet<&Topic> = before.iter().map(|caller| &caller.topic).collect();
    let topics = topics
        .into_iter()
        .map(|topic| Beside { topic: Some(topic.clone()), ..beside(&|caller: &Caller| caller.topic == *topic) });
    let worked = recorded_hours.into_iter().zip(replayed_hours).enumerate();
    let hours = worked.map(|(hour, (recorded, replayed))| Beside {
        hour: Some(hour),
        recorded_work: Some(recorded),
        replayed_work: Some(replayed),
        ..beside(&|caller: &Caller| at_hour(caller) == hour)
    });
    let is_worth_a_line = |row: &Beside| {
        row.recorded.calls > 0
            || [&row.recorded_work, &row.replayed_work].into_iter().flatten().any(|work| work.present_s > 0)
    };
    Report {
        mode: if policy.is_some() { "policy" } else { "as recorded" },
        policy,
        rows,
        agents: done.agents.len(),
        sessions: after.iter().filter(|caller| caller.fate == Fate::Answered).count(),
        ended_early: done.ended_early,
        topics: topics.collect(),
        hours: hours.filter(is_worth_a_line).collect(),
        all,
        events: done.floor.events(),
        head: done.floor.head().map_or_else(String::new, |head| Hex(&head.hash).to_string()),
        refused: done.refused,
    }
}

/// For people: recorded and replayed side by side.
fn shown(report: &Report) -> String {
    let mut out = String::new();
    let rows = &report.rows;
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    for refused in &report.refused {
        line(format!(
            "call {}: {} was in call {} for another {} s, and was refused",
            refused.id, refused.agent, refused.with, refused.seconds
        ));
    }
    line(format!(
        "{} calls ({} left out by date): {} wanted an agent, {} left in the IVR; {} answered without an agent's name, \
         {} without a conversation, {} hung up with one",
        rows.read,
        rows.left_out,
        rows.wanted_an_agent,
        rows.left_in_ivr,
        rows.answered_without_agents_name,
        rows.answered_without_conversation,
        rows.hung_up_with_conversation,
    ));
    line(format!(
        "{}: {} agents, {} sessions, {} refused, {} ended up to 2 s early",
        match &report.policy {
            Some(policy) => format!("policy {}", serde_json::to_string(policy).unwrap_or_default()),
            None => "as recorded".to_owned(),
        },
        report.agents,
        report.sessions,
        report.refused.len(),
        report.ended_early,
    ));
    line(String::new());
    line(format!("{:10}{:>8}   {:^52} {:^52}", "", "", "recorded", "replayed"));
    line(format!("{:10}{:>8}  {HEADER} {HEADER}", "", "calls"));
    for row in std::iter::once(&report.all).chain(&report.topics).chain(&report.hours) {
        let name = match (&row.topic, row.hour) {
            (Some(topic), _) => topic.to_string(),
            (None, Some(hour)) => format!("{hour:02}:00"),
            (None, None) => "all".to_owned(),
        };
        line(format!(
            "{name:10}{:>8}  {} {}",
            row.recorded.calls,
            side(&row.recorded, row.recorded_work.as_ref()),
            side(&row.replayed, row.replayed_work.as_ref())
        ));
    }
    line(String::new());
    line(
        "mean to p99: seconds that those answered after queueing waited; busy: of the time that agents were there"
            .to_owned(),
    );
    line(format!("the call server's log ends with {}", report.head));
    out
}

const HEADER: &str = "  mean median   p90   p99  <=20 s  gave up   busy";

fn side(told: &Figures, work: Option<&Work>) -> String {
    let percent = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.1} %", 100.0 * share));
    let seconds = |value: Option<i64>| value.map_or("-".to_owned(), |value| value.to_string());
    let mut text = String::new();
    let written = write!(
        text,
        "{:>6}{:>7}{:>6}{:>6}{:>8}{:>9}{:>7}",
        told.wait.mean.map_or("-".to_owned(), |mean| format!("{mean:.1}")),
        seconds(told.wait.median),
        seconds(told.wait.p90),
        seconds(told.wait.p99),
        percent(told.service_level),
        percent(told.abandonment),
        work.map_or(String::new(), |work| percent(work.occupancy)),
    );
    written.map_or(String::new(), |()| text)
}
