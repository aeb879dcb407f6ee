//! Recorded choices and their reasons. The best candidates stand in full; of the rest there are counts.

use super::agent::Agent;
use super::call_server::CallServer;
use super::connection::{Pager, connection};
use super::enums::{DecisionKind, ExclusionReason};
use super::eyes::Eyes;
use super::money::Money;
use super::queue::Queue;
use super::rights::{Part, Sight};
use crate::app::App;
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Decimal, Seq};
use async_graphql::{Context, Error, Object, SimpleObject, Union};
use domain::actor::Actor;
use domain::ids::{InquiryId, Subject};
use domain::log::LogName;
use domain::terms::{Allocation, AuctionFormat};
use domain::why::Ranked;
use projections::live::inquiry::{DecisionKind as Kind, DecisionRow};

#[derive(Union)]
pub enum DecisionSubject {
    Agent(Agent),
    CallServer(CallServer),
    Queue(Queue),
}

impl DecisionSubject {
    fn show(app: &App, eyes: &Eyes, subject: Subject) -> Option<DecisionSubject> {
        match subject {
            Subject::AgentId(id) => Agent::show(app, eyes, id, false).map(DecisionSubject::Agent),
            Subject::QueueId(id) => Queue::show(app, eyes, id).map(DecisionSubject::Queue),
            Subject::CallServerId(id) => {
                let row = eyes.live(app).call_server_by_id(id)?;
                CallServer::show(app, eyes, &row.name).map(DecisionSubject::CallServer)
            }
            _ => None,
        }
    }
}

pub struct Decision {
    row: DecisionRow,
    inquiry: InquiryId,
    /// The call server that the inquiry went to.
    log: LogName,
    /// Bids were maxima, which are their bidders' alone.
    proxy: bool,
    part: Part,
    eyes: Eyes,
}

connection!(DecisionConnection, DecisionEdge, Decision);

impl Decision {
    /// Oldest first. A customer learns where its inquiry went and why, not who bid.
    pub(crate) fn all(sight: &Sight) -> Vec<Decision> {
        let read = sight.handle.read(|dossier| Some((dossier.inquiry()?.clone(), dossier.decisions().to_vec())));
        let Some((inquiry, rows)) = read else { return Vec::new() };
        let proxy = match &inquiry.terms.allocation {
            Allocation::Auction(rules) => rules.format == AuctionFormat::Proxy,
            Allocation::Claim { .. } | Allocation::Routed { .. } => false,
        };
        let seen = |kind| match kind {
            Kind::CallServer | Kind::Topics => true,
            Kind::Selection | Kind::Award => sight.part != Part::Customer,
        };
        let rows = rows.into_iter().filter(|row| seen(row.kind));
        let show = |row| Decision {
            row,
            inquiry: inquiry.id,
            log: inquiry.log.clone(),
            proxy,
            part: sight.part,
            eyes: sight.eyes.clone(),
        };
        rows.map(show).collect()
    }

    /// Whether the viewer learns who this was: itself, the call server it is on, or, for those who see
    /// rivals, anyone.
    fn names(&self, app: &App, subject: Subject) -> bool {
        match subject {
            Subject::AgentId(id) => self.part.sees_rivals() || self.eyes.viewer == Actor::Agent(id),
            Subject::CallServerId(id) if self.part.is_agent() || self.part == Part::Customer => {
                self.eyes.live(app).call_server(&self.log).is_some_and(|row| row.id == id)
            }
            _ => true,
        }
    }

    fn candidate(&self, app: &App, rank: i32, ranked: &Ranked) -> Candidate {
        let own =
            matches!((&self.eyes.viewer, ranked.subject), (Actor::Agent(own), Subject::AgentId(id)) if *own == id);
        let named = self.names(app, ranked.subject);
        // What an award ranks are bids.
        let priced = own || (named && !(self.proxy && self.row.kind == Kind::Award));
        Candidate {
            subject: DecisionSubject::show(app, &self.eyes, ranked.subject).filter(|_| named),
            excluded_by: None,
            score: ranked.score.as_deref().and_then(|score| score.parse().ok()).filter(|_| priced).map(Decimal),
            bid: ranked.amount.filter(|_| priced).map(Money::from),
            rank: Some(rank),
            tie_key: Some(ranked.tie_key.clone()).filter(|_| named),
        }
    }

    /// The ranked ones, best first, then whoever was left out and is named.
    fn candidates(&self, app: &App) -> Vec<Candidate> {
        let why = &self.row.why;
        let mut candidates: Vec<Candidate> =
            (1..).zip(&why.ranked).map(|(rank, ranked)| self.candidate(app, rank, ranked)).collect();
        for group in &why.excluded {
            let named = group.subjects.iter().filter(|subject| self.names(app, **subject));
            candidates.extend(named.map(|subject| Candidate {
                subject: DecisionSubject::show(app, &self.eyes, *subject),
                excluded_by: Some(group.reason.into()),
                score: None,
                bid: None,
                rank: None,
                tie_key: None,
            }));
        }
        candidates
    }
}

#[Object]
impl Decision {
    async fn seq(&self) -> Seq {
        Seq(self.row.seq)
    }
    async fn at(&self) -> DateTime {
        DateTime(self.row.at)
    }
    async fn kind(&self) -> DecisionKind {
        self.row.kind.into()
    }
    async fn rule(&self) -> &str {
        &self.row.why.rule
    }
    async fn chosen(&self, ctx: &Context<'_>) -> Option<DecisionSubject> {
        let chosen = self.row.why.chosen.filter(|subject| self.names(app(ctx), *subject))?;
        DecisionSubject::show(app(ctx), &self.eyes, chosen)
    }
    async fn excluded(&self) -> Vec<ExclusionCount> {
        let mut counts: Vec<ExclusionCount> = Vec::new();
        for group in &self.row.why.excluded {
            // That somebody is blocked is between the provider and operators: to rivals, and to itself, it is not free.
            let reason = match ExclusionReason::from(group.reason) {
                ExclusionReason::Blocked if self.part.is_agent() => ExclusionReason::NotAvailable,
                reason => reason,
            };
            let more = i32::try_from(group.agents.len() + group.subjects.len()).unwrap_or(i32::MAX);
            match counts.iter_mut().find(|one| one.reason == reason) {
                Some(one) => one.count = one.count.saturating_add(more),
                None => counts.push(ExclusionCount { reason, count: more }),
            }
        }
        counts
    }
    #[graphql(name = "candidates")]
    async fn candidate_page(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<CandidateConnection, Error> {
        let app = app(ctx);
        let list = format_args!("candidates of {} {}:{}", self.inquiry, self.row.log, self.row.seq).to_string();
        let pager = Pager::<u64>::new(app, &self.eyes, list, &(), first, after)?;
        let all = (0..).zip(self.candidates(app));
        Ok(CandidateConnection::page(&pager, pager.slice(all, |(at, _)| *at, false)))
    }
}

#[derive(SimpleObject, Debug)]
pub struct ExclusionCount {
    reason: ExclusionReason,
    count: i32,
}

#[derive(SimpleObject)]
pub struct Candidate {
    subject: Option<DecisionSubject>,
    excluded_by: Option<ExclusionReason>,
    score: Option<Decimal>,
    bid: Option<Money>,
    rank: Option<i32>,
    tie_key: Option<String>,
}

connection!(CandidateConnection, CandidateEdge, Candidate);
