//! The recorded calls through the house: by its own routing, or as recorded.
//!
//! What happens is read from the log, never remembered from what was asked: a caller is answered when a session
//! opens, whatever led to it.

use super::figures::{Caller, Fate};
use super::floor::{Floor, Open, Promise};
use super::policy::{Favour, Policy};
use super::presence::{Interval, present, same_day, union};
use super::rows::{Answered, Call, End};
use crate::cli::Failure;
use crate::cli::progress::Progress;
use domain::command::ChannelReport;
use domain::event::Event;
use domain::event::agent::Will;
use domain::event::inquiry::InquiryEvent;
use domain::event::reservation::ReservationEvent;
use domain::event::session::SessionEvent;
use domain::ids::{AgentId, CustomerId, InquiryId, ReservationId};
use domain::terms::{Allocation, Direction};
use domain::time::{Span, Timestamp};
use domain::topic::Topic;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use store::vault::Vault;

/// Two clocks of the log differ by as much: a conversation that begins so much before its agent's last one ended
/// follows it.
pub(super) const SLACK: Span = Span::seconds(2);
/// As recorded nobody waits so long that the house would let go of it.
const EVER: Span = Span::days(1);

/// A conversation that the product did not let its agent have.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refused {
    pub(super) id: String,
    pub(super) agent: String,
    /// So long before the end of the other one this one began.
    pub(super) seconds: i64,
    /// The row of the conversation that the agent had.
    pub(super) with: String,
}

pub(super) struct Played {
    pub(super) floor: Floor,
    /// One for each caller who wanted an agent, in the order of the rows.
    pub(super) callers: Vec<Caller>,
    pub(super) refused: Vec<Refused>,
    /// Conversations ended early, by at most the slack, because the agent's next one began.
    pub(super) ended_early: usize,
    /// Of each agent, when it was there and when it was in conversations.
    pub(super) agents: Vec<(Vec<Interval>, Vec<Interval>)>,
}

/// An agent as the log shows it.
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) topics: BTreeSet<Topic>,
    pub(super) sessions: Vec<Interval>,
}

/// The agents with a name: skills of all calls, conversations of the played ones.
pub(super) fn workers(all: &[Call], played: &[&Call]) -> Vec<Worker> {
    let mut workers: BTreeMap<&str, Worker> = BTreeMap::new();
    for call in all {
        if let Some(Answered { agent: Some(name), .. }) = call.answered() {
            let worker = workers.entry(name).or_insert_with(|| Worker {
                name: name.clone(),
                topics: BTreeSet::new(),
                sessions: vec![],
            });
            worker.topics.insert(call.topic.clone());
        }
    }
    for call in played {
        if let Some(Answered { agent: Some(name), session: Some(session), .. }) = call.answered()
            && let Some(worker) = workers.get_mut(&**name)
        {
            worker.sessions.push(*session);
        }
    }
    workers.into_values().filter(|worker| !worker.sessions.is_empty()).collect()
}

/// What comes next; of one instant in this order. Who is served or hangs up in one second is served.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Comes(usize),
    Consents(ReservationId),
    Ends(usize),
    Calls(usize),
    Claims(usize),
    HangsUp(usize),
    /// `bool`: comes back the same day.
    Goes(usize, bool),
}

/// What is known of a caller while it is played.
struct Line {
    inquiry: Option<InquiryId>,
    customer: CustomerId,
    /// How long the conversation lasts.
    service: Span,
    /// When an agent was asked about it last.
    chosen_at: Option<Timestamp>,
    open: Option<Open>,
    agent: Option<AgentId>,
    answered_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    fate: Option<(Fate, Timestamp)>,
}

struct Run<'a> {
    floor: Floor,
    steps: BinaryHeap<Reverse<(Timestamp, Step)>>,
    calls: &'a [&'a Call],
    lines: Vec<Line>,
    by_inquiry: HashMap<InquiryId, usize>,
    customers: HashMap<&'a str, CustomerId>,
    agents: Vec<AgentId>,
    consent_after: Span,
    refused: Vec<Refused>,
    ended_early: usize,
    /// As recorded: who claims which call, and which one each agent has.
    claimant: HashMap<usize, usize>,
    talks: HashMap<usize, usize>,
    /// Sessions that were opened and are not connected yet.
    ringing: Vec<usize>,
}

/// By the house's own routing.
pub(super) fn by_policy(
    calls: &[&Call],
    workers: &[Worker],
    policy: &Policy,
    vault: &Vault,
) -> Result<Played, Failure> {
    let promise = Promise {
        allocation: Allocation::Routed { direction: Direction::Reverse, policy: policy.routing, price: None },
        consent_window: policy.consent_window(),
        max_wait: policy.max_wait(),
        wrap_up: policy.wrap_up(),
    };
    let there: Vec<Vec<Interval>> =
        workers.iter().map(|worker| present(worker.sessions.clone(), policy.break_after())).collect();
    let mut run = Run::open(calls, workers, &there, promise, &|topic| policy.favour(topic), vault)?;
    run.consent_after = policy.consent_after();
    let lengths = lengths(calls);
    for (number, call) in calls.iter().enumerate() {
        run.lines[number].service = lengths[number];
        run.plan(call.wanted_at, Step::Calls(number));
        if let End::HungUp { at, .. } = &call.end {
            run.plan(*at, Step::HangsUp(number));
        }
    }
    run.play()?;
    run.played(there, |call| call.wanted_at)
}

/// As the log has it: each recorded agent claims its calls at the recorded time.
pub(super) fn as_recorded(calls: &[&Call], named: Vec<Worker>, vault: &Vault) -> Result<Played, Failure> {
    let (workers, claimant) = with_stand_ins(calls, named);
    let promise = Promise {
        allocation: Allocation::Claim { direction: Direction::Reverse, price: None },
        consent_window: Span::seconds(20),
        max_wait: EVER,
        wrap_up: None,
    };
    let break_after = Policy::default().break_after();
    let there: Vec<Vec<Interval>> =
        workers.iter().map(|worker| present(worker.sessions.clone(), break_after)).collect();
    let mut run = Run::open(calls, &workers, &there, promise, &|_| Favour::default(), vault)?;
    run.claimant = claimant;
    for (number, call) in calls.iter().enumerate() {
        match &call.end {
            End::LeftInIvr => {}
            End::HungUp { at, .. } => {
                run.plan(call.wanted_at, Step::Calls(number));
                run.plan(*at, Step::HangsUp(number));
            }
            End::Answered(answered) => {
                let (start, _) = talk(answered);
                run.lines[number].service = answered.service();
                // Two clocks: some conversations begin a second before the wait for them.
                run.plan(start.min(call.wanted_at), Step::Calls(number));
                run.plan(start, Step::Claims(number));
            }
        }
    }
    run.play()?;
    run.played(there, |call| match call.answered() {
        Some(answered) => talk(answered).0.min(call.wanted_at),
        None => call.wanted_at,
    })
}

/// The conversation, and where the log has none, the instant at which the wait ended.
fn talk(answered: &Answered) -> Interval {
    answered.session.unwrap_or((answered.at, answered.at))
}

/// Whoever took the calls that have no agent's name, or no conversation to compare: as few as could have, each
/// taking what begins when it is free. And which of all the agents each call is taken by.
fn with_stand_ins(calls: &[&Call], mut workers: Vec<Worker>) -> (Vec<Worker>, HashMap<usize, usize>) {
    let by_name: HashMap<String, usize> =
        workers.iter().enumerate().map(|(at, worker)| (worker.name.clone(), at)).collect();
    let named = workers.len();
    let mut claimant = HashMap::new();
    let mut nameless = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        match call.answered() {
            Some(Answered { agent: Some(name), session: Some(_), .. }) => {
                claimant.insert(number, by_name[name]);
            }
            Some(answered) => nameless.push((talk(answered), number)),
            None => {}
        }
    }
    nameless.sort_unstable();
    for ((start, end), number) in nameless {
        let free = |worker: &Worker| worker.sessions.last().is_none_or(|(_, busy_until)| *busy_until <= start);
        let at = workers[named..].iter().position(free).map_or(workers.len(), |at| named + at);
        if at == workers.len() {
            let name = format!("unnamed {}", at - named + 1);
            workers.push(Worker { name, topics: BTreeSet::new(), sessions: vec![] });
        }
        workers[at].sessions.push((start, end));
        workers[at].topics.insert(calls[number].topic.clone());
        claimant.insert(number, at);
    }
    (workers, claimant)
}

/// How long each call's conversation lasts once it is answered. Who hung up had none: it is given that of the call
/// before it that was about the same and had one, or else of the one after it.
fn lengths(calls: &[&Call]) -> Vec<Span> {
    let mut known: HashMap<&Topic, Span> = HashMap::new();
    for call in calls.iter().rev() {
        if let Some(answered) = call.answered() {
            known.insert(&call.topic, answered.service());
        }
    }
    let mut lengths = Vec::with_capacity(calls.len());
    for call in calls {
        let length = match call.answered() {
            Some(answered) => answered.service(),
            None => known.get(&call.topic).copied().unwrap_or(Span::ZERO),
        };
        if call.answered().is_some() {
            known.insert(&call.topic, length);
        }
        lengths.push(length);
    }
    lengths
}

impl<'a> Run<'a> {
    /// The house before the first of it all, with its agents, and when they come and go.
    fn open(
        calls: &'a [&'a Call],
        workers: &[Worker],
        there: &[Vec<Interval>],
        promise: Promise,
        favour: &dyn Fn(&Topic) -> Favour,
        vault: &Vault,
    ) -> Result<Run<'a>, Failure> {
        let first_of = |call: &&Call| match call.answered() {
            Some(answered) => talk(answered).0.min(call.wanted_at),
            None => call.wanted_at,
        };
        let first = calls.iter().map(first_of).chain(there.iter().flatten().map(|(from, _)| *from)).min();
        let opened = Timestamp(first.unwrap_or_default().0 - Span::minutes(1).0);
        let topics: BTreeSet<Topic> = calls.iter().map(|call| call.topic.clone()).collect();
        let topics: Vec<(Topic, Favour)> = topics.into_iter().map(|topic| (topic.clone(), favour(&topic))).collect();
        let mut floor = Floor::open(opened, &topics, promise)?;
        let mut agents = Vec::with_capacity(workers.len());
        for worker in workers {
            let topics: Vec<Topic> = worker.topics.iter().cloned().collect();
            agents.push(floor.register(&worker.name, &topics, vault)?);
        }
        let mut run = Run {
            floor,
            steps: BinaryHeap::new(),
            calls,
            lines: Vec::with_capacity(calls.len()),
            by_inquiry: HashMap::new(),
            customers: HashMap::new(),
            agents,
            consent_after: Span::ZERO,
            refused: vec![],
            ended_early: 0,
            claimant: HashMap::new(),
            talks: HashMap::new(),
            ringing: vec![],
        };
        for _ in calls {
            run.lines.push(Line {
                inquiry: None,
                customer: CustomerId(0),
                service: Span::ZERO,
                chosen_at: None,
                open: None,
                agent: None,
                answered_at: None,
                ended_at: None,
                fate: None,
            });
        }
        for (agent, intervals) in there.iter().enumerate() {
            for (at, (from, to)) in intervals.iter().enumerate() {
                let back = intervals.get(at + 1).is_some_and(|(next, _)| same_day(*to, *next));
                run.plan(*from, Step::Comes(agent));
                run.plan(*to, Step::Goes(agent, back));
            }
        }
        Ok(run)
    }

    fn plan(&mut self, at: Timestamp, step: Step) {
        self.steps.push(Reverse((at, step)));
    }

    /// Steps and deadlines in order of time until there is nothing left of either.
    fn play(&mut self) -> Result<(), Failure> {
        let mut progress = Progress::new(self.calls.len(), "calls");
        self.hear();
        loop {
            let next = self.steps.peek().map(|Reverse((at, _))| *at);
            match (self.floor.next_deadline(), next) {
                // What is due comes before what is asked for at the same instant, as everywhere in the house.
                (Some(due), at) if at.is_none_or(|at| due <= at) => self.floor.tick(due)?,
                (_, Some(at)) => {
                    let Some(Reverse((_, step))) = self.steps.pop() else { break };
                    self.floor.turn(at);
                    self.take(step, at)?;
                    if matches!(step, Step::Calls(_)) {
                        progress.step();
                    }
                }
                (_, None) => break,
            }
            self.hear();
            self.connect()?;
        }
        progress.end();
        Ok(())
    }

    fn take(&mut self, step: Step, at: Timestamp) -> Result<(), Failure> {
        match step {
            Step::Comes(agent) => self.floor.be(self.agents[agent], Will::Available),
            Step::Goes(agent, back) => {
                let will = if back { Will::Break } else { Will::Offline };
                self.floor.be(self.agents[agent], will)
            }
            Step::Consents(reservation) => self.floor.consent(reservation),
            Step::Calls(number) => self.call(number),
            Step::Claims(number) => self.claim(number, at),
            Step::Ends(number) => self.end(number),
            Step::HangsUp(number) => self.hang_up(number),
        }
    }

    fn call(&mut self, number: usize) -> Result<(), Failure> {
        let call = self.calls[number];
        let known = call.customer.as_deref().and_then(|name| self.customers.get(name).copied());
        let customer = known.unwrap_or_else(|| self.floor.customer());
        if let Some(name) = &call.customer {
            self.customers.insert(name, customer);
        }
        self.lines[number].customer = customer;
        let inquiry = self.floor.call(&call.topic, customer, known.is_none())?;
        self.lines[number].inquiry = Some(inquiry);
        self.by_inquiry.insert(inquiry, number);
        Ok(())
    }

    fn hang_up(&mut self, number: usize) -> Result<(), Failure> {
        let line = &self.lines[number];
        match (line.inquiry, line.answered_at, line.fate) {
            (Some(inquiry), None, None) => self.floor.hang_up(inquiry, line.customer),
            _ => Ok(()),
        }
    }

    fn end(&mut self, number: usize) -> Result<(), Failure> {
        match self.lines[number].open.take() {
            Some(open) => self.floor.report(open, ChannelReport::Ended),
            // Ended early, for the agent's next one.
            None => Ok(()),
        }
    }

    /// The recorded agent takes the call. What it still has for no longer than the two clocks differ ends first.
    fn claim(&mut self, number: usize, at: Timestamp) -> Result<(), Failure> {
        let agent = self.claimant[&number];
        let other = self.talks.get(&agent).copied().filter(|other| self.lines[*other].open.is_some());
        let left = other.map_or(Span::ZERO, |other| self.ends_at(other) - at);
        if let Some(other) = other.filter(|_| left <= SLACK) {
            self.ended_early += 1;
            self.end(other)?;
        }
        let inquiry = self.lines[number].inquiry.ok_or("a call is claimed before it came")?;
        if self.floor.claim(inquiry, self.agents[agent])? {
            self.talks.insert(agent, number);
            return Ok(());
        }
        let other =
            other.ok_or_else(|| format!("call {}: its agent is free, and was refused", self.calls[number].id))?;
        let name = self.calls[number].answered().and_then(|answered| answered.agent.clone());
        self.refused.push(Refused {
            id: self.calls[number].id.clone(),
            agent: name.unwrap_or_default(),
            seconds: left.0 / 1_000_000,
            with: self.calls[other].id.clone(),
        });
        self.lines[number].fate = Some((Fate::Refused, at));
        self.floor.hang_up(inquiry, self.lines[number].customer)
    }

    /// When a conversation that is going on ends, as recorded.
    fn ends_at(&self, number: usize) -> Timestamp {
        self.lines[number].answered_at.unwrap_or_default() + self.lines[number].service
    }

    /// Takes note of what has happened.
    fn hear(&mut self) {
        for told in self.floor.news() {
            self.note(&told.event, told.time);
        }
    }

    fn note(&mut self, event: &Event, at: Timestamp) {
        if let Event::Reservation(ReservationEvent::Opened(opened)) = event {
            self.plan(at + self.consent_after, Step::Consents(opened.reservation));
            if let Some(number) = self.by_inquiry.get(&opened.inquiry) {
                self.lines[*number].chosen_at = Some(at);
            }
        } else if let Event::Session(SessionEvent::Opened(opened)) = event {
            let Some(number) = self.by_inquiry.get(&opened.inquiry).copied() else { return };
            let line = &mut self.lines[number];
            line.answered_at = Some(at);
            line.agent = Some(opened.agent);
            line.fate = Some((Fate::Answered, at));
            line.open = Some(Open { session: opened.session, channel: opened.channel, agent: opened.agent });
            self.ringing.push(number);
        } else if let Event::Session(SessionEvent::Ended(ended)) = event {
            if let Some(number) = self.by_inquiry.remove(&ended.inquiry) {
                self.lines[number].ended_at = Some(at);
            }
        } else if let Event::Inquiry(InquiryEvent::Withdrawn(gone)) = event {
            self.gone(gone.inquiry, Fate::HungUp, at);
        } else if let Event::Inquiry(InquiryEvent::Expired(gone)) = event {
            self.gone(gone.inquiry, Fate::Expired, at);
        }
    }

    fn gone(&mut self, inquiry: InquiryId, fate: Fate, at: Timestamp) {
        if let Some(number) = self.by_inquiry.remove(&inquiry) {
            // Who was refused hangs up because of it.
            self.lines[number].fate.get_or_insert((fate, at));
        }
    }

    /// Agents say that their new callers are on the line; from then on the conversation lasts as recorded.
    fn connect(&mut self) -> Result<(), Failure> {
        for number in std::mem::take(&mut self.ringing) {
            if let Some(open) = self.lines[number].open {
                self.floor.report(open, ChannelReport::Connected)?;
                self.plan(self.ends_at(number), Step::Ends(number));
            }
        }
        Ok(())
    }

    /// `came`: when a call was put to the house.
    fn played(self, there: Vec<Vec<Interval>>, came: impl Fn(&Call) -> Timestamp) -> Result<Played, Failure> {
        let mut callers = Vec::with_capacity(self.calls.len());
        let mut busy: HashMap<AgentId, Vec<Interval>> = HashMap::new();
        for (call, line) in self.calls.iter().zip(&self.lines) {
            let (fate, at) = line.fate.ok_or_else(|| format!("call {} has not ended", call.id))?;
            if let (Some(agent), Some(from), Some(to)) = (line.agent, line.answered_at, line.ended_at) {
                busy.entry(agent).or_default().push((from, to));
            }
            let service = line.answered_at.zip(line.ended_at).map_or(Span::ZERO, |(from, to)| to - from);
            let since = came(call);
            callers.push(Caller {
                topic: call.topic.clone(),
                wanted_at: call.wanted_at,
                fate,
                waited: at - since,
                queued: line.chosen_at.or(line.answered_at).is_none_or(|chosen| chosen > since),
                service,
            });
        }
        let agents = self.agents.iter().zip(there).map(|(agent, there)| {
            let busy = busy.remove(agent).unwrap_or_default();
            // Who is in a conversation when its time is over stays for it.
            (union(there.into_iter().chain(busy.iter().copied()).collect()), union(busy))
        });
        let agents = agents.collect();
        Ok(Played { floor: self.floor, callers, refused: self.refused, ended_early: self.ended_early, agents })
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::calls;
    use super::*;

    fn wanted(calls: &[Call]) -> Vec<&Call> {
        calls.iter().filter(|call| !matches!(call.end, End::LeftInIvr)).collect()
    }
    fn recorded(rows: &[&str]) -> Played {
        let (calls, unreadable) = calls(rows);
        assert_eq!(unreadable, Vec::<String>::new());
        let calls_played = wanted(&calls);
        let vault = Vault::in_memory().unwrap();
        as_recorded(&calls_played, workers(&calls, &calls_played), &vault).unwrap()
    }
    fn routed(rows: &[&str], policy: &Policy) -> Played {
        let (calls, unreadable) = calls(rows);
        assert_eq!(unreadable, Vec::<String>::new());
        let calls_played = wanted(&calls);
        let vault = Vault::in_memory().unwrap();
        by_policy(&calls_played, &workers(&calls, &calls_played), policy, &vault).unwrap()
    }
    fn fates(played: &Played) -> Vec<(Fate, i64)> {
        played.callers.iter().map(|caller| (caller.fate, caller.waited.0 / 1_000_000)).collect()
    }
    fn refused(played: &Played) -> Vec<(&str, &str, i64, &str)> {
        played.refused.iter().map(|one| (&*one.id, &*one.agent, one.seconds, &*one.with)).collect()
    }

    #[test]
    fn two_seconds_are_the_clocks_and_three_are_two_conversations() {
        for (start, overlap) in [("08:02:01", 0), ("08:02:00", 0), ("08:01:58", 2), ("08:01:57", 3)] {
            let second = format!("2,PS,08:00:00,08:00:10,08:00:10,{start},AGENT,{start},08:04:00,A1");
            let played = recorded(&["1,PS,08:00:00,08:00:10,,,AGENT,08:00:09,08:02:00,A1", &second]);
            let expected = if overlap > 2 { vec![("2", "A1", overlap, "1")] } else { vec![] };
            assert_eq!(refused(&played), expected, "{start}");
            assert_eq!(played.ended_early, usize::from(overlap == 2), "{start}");
            // Whose conversation ended early has it as long as it lasted.
            let first = if overlap == 2 { 109 } else { 111 };
            assert_eq!(played.callers[0].service, Span::seconds(first), "{start}");
        }
    }

    #[test]
    fn who_is_refused_takes_nobody_elses_place() {
        // The second lies in the first, the third in the second alone: the agent never had the second.
        let played = recorded(&[
            "1,PS,08:00:00,08:00:00,,,AGENT,08:00:00,08:05:00,A1",
            "2,PS,08:01:00,08:01:00,,,AGENT,08:01:00,08:20:00,A1",
            "3,PS,08:10:00,08:10:00,,,AGENT,08:10:00,08:11:00,A1",
            "4,PS,08:10:30,08:10:30,,,AGENT,08:10:30,08:10:30,A2",
        ]);
        assert_eq!(refused(&played), [("2", "A1", 240, "1")]);
        let fates: Vec<Fate> = played.callers.iter().map(|caller| caller.fate).collect();
        assert_eq!(fates, [Fate::Answered, Fate::Refused, Fate::Answered, Fate::Answered]);
    }

    #[test]
    fn calls_without_an_agents_name_or_a_conversation_are_taken_by_as_few_stand_ins_as_could_have() {
        let played = recorded(&[
            "1,PS,08:00:00,08:00:00,,,AGENT,08:00:00,08:05:00,",
            "2,PS,08:01:00,08:01:00,,,AGENT,08:01:00,08:03:00,",
            "3,PS,08:05:00,08:05:00,,,AGENT,08:05:00,08:06:00,",
            "4,PS,08:05:30,08:05:30,08:05:30,08:05:40,AGENT,,,A1",
        ]);
        assert_eq!(refused(&played), []);
        assert_eq!(
            fates(&played),
            [(Fate::Answered, 0), (Fate::Answered, 0), (Fate::Answered, 0), (Fate::Answered, 10)]
        );
        assert_eq!(played.agents.len(), 2, "the fourth is taken by whoever had the second");
    }

    #[test]
    fn who_is_answered_in_the_second_of_hanging_up_is_answered() {
        let rows = |until: &str| {
            let second = format!("2,PS,08:00:10,08:00:10,08:00:10,{until},HANG,,,");
            routed(&["1,PS,08:00:00,08:00:00,,,AGENT,08:00:00,08:01:00,A1", &second], &Policy::default())
        };
        // Patience of 49, 50 and 51 seconds; the agent is free after 50. Nobody is there after its last recorded work.
        assert_eq!(fates(&rows("08:00:59"))[1], (Fate::HungUp, 49));
        assert_eq!(fates(&rows("08:01:00"))[1], (Fate::Answered, 50));
        assert_eq!(fates(&rows("08:01:01"))[1], (Fate::Answered, 50));
    }

    #[test]
    fn consent_and_wrap_up_take_their_time_and_skills_are_those_shown() {
        let rows = [
            "1,PS,08:00:00,08:00:00,,,AGENT,08:00:00,08:01:00,A1",
            "2,NW,08:00:10,08:00:10,,,AGENT,08:00:10,08:02:00,A2",
            "3,PS,08:01:30,08:01:30,,,AGENT,08:01:30,08:02:00,A1",
        ];
        let played = routed(&rows, &Policy { consent_after_s: 5, wrap_up_s: 30, ..Policy::default() });
        // The first is answered at 08:00:05, ends at 08:01:05, and its agent wraps up until 08:01:35.
        assert_eq!(fates(&played), [(Fate::Answered, 5), (Fate::Answered, 5), (Fate::Answered, 10)]);
        let queued: Vec<bool> = played.callers.iter().map(|caller| caller.queued).collect();
        assert_eq!(queued, [false, false, true]);
    }

    #[test]
    fn midnight_passes_in_a_conversation_and_in_a_queue() {
        let rows = [
            "1,PS,1999-01-03T23:58:00,1999-01-03T23:58:00,,,AGENT,1999-01-03T23:58:00,1999-01-04T00:01:00,A1",
            "2,PS,1999-01-03T23:59:00,1999-01-03T23:59:00,1999-01-03T23:59:00,1999-01-04T00:01:00,AGENT,1999-01-04T00:01:00,1999-01-04T00:02:00,A1",
        ];
        for played in [recorded(&rows), routed(&rows, &Policy::default())] {
            assert_eq!(fates(&played), [(Fate::Answered, 0), (Fate::Answered, 120)]);
            assert_eq!(played.agents[0].0.len(), 1);
        }
    }

    #[test]
    fn who_cannot_be_served_any_more_expires() {
        // The only agent who can is gone before the call comes.
        let rows = [
            "1,PS,08:00:00,08:00:00,,,AGENT,08:00:00,08:01:00,A1",
            "2,PS,09:00:00,09:00:00,,,AGENT,09:00:00,09:01:00,",
        ];
        let played = routed(&rows, &Policy { max_wait_s: 600, ..Policy::default() });
        assert_eq!(fates(&played), [(Fate::Answered, 0), (Fate::Expired, 600)]);
    }

    fn by(text: &str) -> Policy {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn who_has_priority_stands_ahead_by_its_credit() {
        let rows = [
            "1,PS,08:00:00,08:00:00,,,AGENT,08:00:00,08:01:00,A1",
            "2,NW,08:00:10,08:00:10,08:00:10,08:01:00,AGENT,08:01:00,08:02:00,A1",
            "3,PS,08:00:20,08:00:20,08:00:20,08:02:00,AGENT,08:02:00,08:03:00,A1",
        ];
        let waited =
            |text: &str| fates(&routed(&rows, &by(text))).into_iter().map(|(_, waited)| waited).collect::<Vec<_>>();
        let ps = |credit: u32| {
            waited(&format!(r#"{{"priority_credit_s": {credit}, "topics": {{"bank/ps": {{"priority": 1}}}}}}"#))
        };
        assert_eq!(waited("{}"), [0, 50, 100]);
        assert_eq!(ps(9), [0, 50, 100]);
        assert_eq!(ps(11), [0, 110, 40]);
        assert_eq!(waited(r#"{"priority": 1, "priority_credit_s": 60}"#), [0, 50, 100], "the same for everybody");
        assert_eq!(
            waited(r#"{"topics": {"bank/ps": {"priority": 1}, "bank/nw": {"priority_credit_s": 60}}}"#),
            [0, 50, 100]
        );
    }

    #[test]
    fn less_is_asked_for_after_a_while() {
        let rows = [
            "1,PS,08:00:00,08:00:00,,,AGENT,08:00:00,08:05:00,A1",
            "2,NW,08:00:00,08:00:00,,,AGENT,08:00:00,08:00:30,A2",
            "3,PS,08:00:10,08:00:10,08:00:10,08:05:00,AGENT,08:05:00,08:05:20,A1",
            "4,NW,08:06:00,08:06:00,,,AGENT,08:06:00,08:07:00,A2",
        ];
        let third = |text: &str| fates(&routed(&rows, &by(text)))[2];
        assert_eq!(third("{}"), (Fate::Answered, 290));
        let ring = r#"[{"after_s": 60, "any_topic": true}]"#;
        assert_eq!(third(&format!(r#"{{"relaxation": {ring}}}"#)), (Fate::Answered, 60));
        assert_eq!(third(&format!(r#"{{"topics": {{"bank/ps": {{"relaxation": {ring}}}}}}}"#)), (Fate::Answered, 60));
        assert_eq!(third(&format!(r#"{{"topics": {{"bank/nw": {{"relaxation": {ring}}}}}}}"#)), (Fate::Answered, 290));
        let no = format!(r#"{{"relaxation": {ring}, "topics": {{"bank/ps": {{"relaxation": []}}}}}}"#);
        assert_eq!(third(&no), (Fate::Answered, 290));
    }

    #[test]
    fn the_same_calls_are_the_same_bytes() {
        let rows =
            ["1,PS,08:00:00,08:00:00,,,AGENT,08:00:00,08:01:00,A1", "2,PS,08:00:10,08:00:10,08:00:10,08:01:00,HANG,,,"];
        let head = |played: Played| played.floor.head().unwrap();
        assert_eq!(head(recorded(&rows)), head(recorded(&rows)));
        assert_eq!(head(routed(&rows, &Policy::default())), head(routed(&rows, &Policy::default())));
        assert_ne!(head(recorded(&rows)), head(routed(&rows, &Policy::default())));
    }
}
