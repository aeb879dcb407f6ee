//! Agents: who assists, as far as each viewer may know.

use super::account::Account;
use super::block::{Block, BlockConnection};
use super::call_server::CallServer;
use super::connection::{Pager, connection};
use super::enums::{AgentStatus, AgentWill, StatusReason, StrikeReason};
use super::eyes::Eyes;
use super::filters::AgentFilter;
use super::notice::{Notice, NoticeConnection};
use super::provider::Provider;
use super::reservation::Reservation;
use super::rights::{Sight, sees_agent, sees_money_of, sees_provider, sees_status};
use super::session::Session;
use super::terms::{Skill, StandingValue};
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Seq};
use crate::graphql::subscription::feed_cursor;
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;
use domain::event::wallet::Party;
use domain::ids::AgentId;
use domain::log::LogName;
use projections::live::agent::{AgentRow, StrikeRow};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::raw::Head;

pub struct Agent {
    row: AgentRow,
    /// Its display name is shown: the viewer is the agent, or talks with it.
    named: bool,
    eyes: Eyes,
    /// Where its log stood before the row was read.
    at: Option<Head>,
}

connection!(AgentConnection, AgentEdge, Agent);

impl Agent {
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: AgentId) -> Result<Option<Agent>, Error> {
        let eyes = eyes.into();
        Ok(Agent::show(app, &eyes, id, false).filter(|_| sees_agent(&eyes.viewer, id)))
    }

    /// For whoever meets it at something that it sees. `named`: the viewer talks with it.
    pub(crate) fn show(app: &App, eyes: &Eyes, id: AgentId, named: bool) -> Option<Agent> {
        let live = eyes.live(app);
        let at = live.head(&live.place(id)?.log);
        Some(Agent::over(live.agent(id)?, eyes, named, at))
    }

    fn over(row: AgentRow, eyes: &Eyes, named: bool, at: Option<Head>) -> Agent {
        let named = named || eyes.viewer == Actor::Agent(row.id);
        Agent { row, named, eyes: eyes.clone(), at }
    }

    /// Those that the viewer sees, by id: operators all, an agent itself.
    pub(crate) fn list(
        app: &Arc<App>,
        eyes: &Eyes,
        call_server: Option<&LogName>,
        filter: AgentFilter,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<AgentConnection, Error> {
        let list = call_server.map_or("agents".to_owned(), |name| format!("agents of {name}"));
        let (live, viewer) = (eyes.live(app), &eyes.viewer);
        let pager = Pager::<u128>::new(app, eyes, list, &filter, first, after)?;
        let nothing = AgentConnection::page(&pager, (Vec::new(), false));
        let Some(wanted) = filter.read() else { return Ok(nothing) };
        let log = match (call_server, &wanted.log) {
            (Some(one), Some(other)) if one != other => return Ok(nothing),
            (one, other) => one.or(other.as_ref()),
        };
        let heads: BTreeMap<LogName, Head> = live.heads().into_iter().collect();
        let take = |row: AgentRow| {
            let at = heads.get(&row.log).copied();
            let taken = sees_agent(viewer, row.id) && wanted.takes(&row) && log.is_none_or(|log| *log == row.log);
            taken.then(|| Agent::over(row, eyes, false, at))
        };
        let page = match viewer {
            Actor::Operator(_) => {
                let next = |after: Option<&u128>, limit| live.agents(log, after.map(|id| AgentId(*id)), limit);
                pager.sift(next, |row| row.id.0, take)
            }
            Actor::Agent(own) => {
                let itself = live.agent(*own).into_iter().filter_map(|row| Some((row.id.0, take(row)?)));
                pager.slice(itself, |(id, _)| *id, false)
            }
            _ => return Ok(nothing),
        };
        Ok(AgentConnection::page(&pager, page))
    }

    fn sees_status(&self) -> bool {
        sees_status(&self.eyes.viewer, self.row.id)
    }

    async fn reservations_pending(&self, app: &Arc<App>) -> Result<Vec<Reservation>, Error> {
        let mut shown = Vec::new();
        for one in self.eyes.live(app).agent_pending(self.row.id) {
            let sight = Sight::of(app, &self.eyes, one.inquiry).await?;
            shown.extend(sight.and_then(|sight| Reservation::within(&sight, one.reservation)));
        }
        Ok(shown)
    }
}

#[Object]
impl Agent {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn seq(&self) -> Seq {
        Seq(self.row.seq)
    }
    async fn feed_cursor(&self, ctx: &Context<'_>) -> Cursor {
        feed_cursor(app(ctx), &self.eyes.viewer, &self.row.log, self.at)
    }
    // Null once the agent is erased.
    async fn display_name(&self, ctx: &Context<'_>) -> Result<Option<String>, Error> {
        if self.named {
            return app(ctx).open(&self.row.display_name).await;
        }
        Ok(Some(format!("Agent {}", self.row.number)))
    }
    async fn call_server(&self, ctx: &Context<'_>) -> Result<CallServer, Error> {
        CallServer::show(app(ctx), &self.eyes, &self.row.log)
            .ok_or_else(|| code(ErrorCode::Internal, "an agent without its call server"))
    }
    async fn location(&self) -> &str {
        &self.row.location
    }
    async fn skills(&self) -> Vec<Skill> {
        self.row.skills.iter().map(Skill::from).collect()
    }
    async fn status(&self) -> AgentStatus {
        if self.sees_status() { self.row.status.into() } else { AgentStatus::Unavailable }
    }
    async fn status_reason(&self) -> Option<StatusReason> {
        self.row.status_reason.filter(|_| self.sees_status()).map(StatusReason::from)
    }
    async fn status_since(&self) -> DateTime {
        DateTime(if self.sees_status() { self.row.status_since } else { self.row.registered_at })
    }
    /// Asked for while busy; takes effect after.
    async fn will(&self) -> AgentWill {
        if self.sees_status() { self.row.will.into() } else { AgentWill::Offline }
    }
    async fn affiliated_with(&self, ctx: &Context<'_>) -> Option<Provider> {
        let provider = self.row.affiliated_with.filter(|id| sees_provider(&self.eyes.viewer, *id))?;
        Provider::show(app(ctx), &self.eyes, provider)
    }
    /// `reservation`: the pending one with the nearest deadline. `sessions`: the open ones.
    async fn capacity(&self) -> i32 {
        i32::try_from(self.row.capacity).unwrap_or(i32::MAX)
    }
    #[graphql(name = "load")]
    async fn load_now(&self) -> i32 {
        if self.sees_status() { i32::try_from(self.row.load).unwrap_or(i32::MAX) } else { 0 }
    }
    async fn reservation(&self, ctx: &Context<'_>) -> Result<Option<Reservation>, Error> {
        Ok(self.reservations_pending(app(ctx)).await?.into_iter().next())
    }
    async fn reservations(&self, ctx: &Context<'_>) -> Result<Vec<Reservation>, Error> {
        self.reservations_pending(app(ctx)).await
    }
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>, Error> {
        let (app, mut shown) = (app(ctx), Vec::new());
        for one in self.eyes.live(app).agent_sessions(self.row.id) {
            shown.extend(Sight::of(app, &self.eyes, one.inquiry).await?.and_then(Session::show));
        }
        Ok(shown)
    }
    async fn wallets(&self, ctx: &Context<'_>) -> Result<Option<Vec<Account>>, Error> {
        let owner = Party::Agent(self.row.id);
        if !sees_money_of(&self.eyes.viewer, owner) {
            return Ok(None);
        }
        Account::of(app(ctx), &self.eyes, Some(&self.row.log), owner).await.map(Some)
    }
    async fn standing_values(&self) -> Option<Vec<StandingValue>> {
        self.sees_status().then(|| self.row.values.iter().map(StandingValue::from).collect())
    }
    /// Customers whom it keeps away from, by id. The agent's own and operators'.
    async fn blocks(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<Option<BlockConnection>, Error> {
        Block::all(app(ctx), &self.eyes, Party::Agent(self.row.id), first, after)
    }
    /// Of the last 24 hours, unless they are spent or forgiven: auctions that it won without consenting. The agent's own and operators'; the third at once bars it.
    async fn strikes(&self, ctx: &Context<'_>) -> Option<Vec<Strike>> {
        let now = self.eyes.instant(app(ctx));
        let standing = self.row.strikes.iter().filter(|strike| now < strike.until);
        self.sees_status().then(|| standing.map(|row| Strike { row: *row, eyes: self.eyes.clone() }).collect())
    }
    /// It names no new bid until then; what it has bid stands. Null: it is not barred, or the viewer is neither the agent nor an operator.
    async fn barred_until(&self) -> Option<DateTime> {
        self.row.barred_until.filter(|_| self.sees_status()).map(DateTime)
    }
    // Oldest first: the newest hundred, and before them what is unread.
    async fn notices(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<Option<NoticeConnection>, Error> {
        if !self.sees_status() {
            return Ok(None);
        }
        let app = app(ctx);
        let list = format_args!("notices of {}", self.row.id).to_string();
        let pager = Pager::<u64>::new(app, &self.eyes, list, &(), first, after)?;
        Notice::page(app, &self.eyes, &self.row, &pager).await.map(Some)
    }
    /// Null to whoever does not see its notices.
    async fn unread_notices(&self, ctx: &Context<'_>) -> Option<i32> {
        let unread = || self.eyes.live(app(ctx)).unread_notices(self.row.id);
        self.sees_status().then(|| i32::try_from(unread()).unwrap_or(i32::MAX))
    }
}

pub struct Strike {
    row: StrikeRow,
    eyes: Eyes,
}

/// An auction won, and no consent.
#[Object]
impl Strike {
    async fn at(&self) -> DateTime {
        DateTime(self.row.at)
    }
    async fn reason(&self) -> StrikeReason {
        self.row.reason.into()
    }
    /// Then it is forgotten.
    async fn until(&self) -> DateTime {
        DateTime(self.row.until)
    }
    async fn reservation(&self, ctx: &Context<'_>) -> Result<Option<Reservation>, Error> {
        Reservation::load(app(ctx), &self.eyes, self.row.reservation).await
    }
}
