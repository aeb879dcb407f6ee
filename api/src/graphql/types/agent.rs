//! Agents: who assists, as far as each viewer may know.

use super::account::Account;
use super::call_server::CallServer;
use super::connection::{Pager, connection};
use super::enums::{AgentStatus, AgentWill, StatusReason};
use super::filters::AgentFilter;
use super::notice::{Notice, NoticeConnection};
use super::provider::Provider;
use super::reservation::Reservation;
use super::rights::{Sight, sees_agent, sees_money_of, sees_provider, sees_status};
use super::session::Session;
use super::terms::Skill;
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
use projections::live::agent::AgentRow;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::raw::Head;

pub struct Agent {
    row: AgentRow,
    /// Its display name is shown: the viewer is the agent, or talks with it.
    named: bool,
    viewer: Actor,
    /// Where its log stood before the row was read.
    at: Option<Head>,
}

connection!(AgentConnection, AgentEdge, Agent);

impl Agent {
    pub(crate) async fn load(app: &Arc<App>, viewer: &Actor, id: AgentId) -> Result<Option<Agent>, Error> {
        Ok(Agent::show(app, viewer, id, false).filter(|_| sees_agent(viewer, id)))
    }

    /// For whoever meets it at something that it sees. `named`: the viewer talks with it.
    pub(crate) fn show(app: &App, viewer: &Actor, id: AgentId, named: bool) -> Option<Agent> {
        let at = app.live.head(&app.live.place(id)?.log);
        Some(Agent::over(app.live.agent(id)?, viewer, named, at))
    }

    fn over(row: AgentRow, viewer: &Actor, named: bool, at: Option<Head>) -> Agent {
        let named = named || *viewer == Actor::Agent(row.id);
        Agent { row, named, viewer: viewer.clone(), at }
    }

    /// Those that the viewer sees, by id: operators all, an agent itself.
    pub(crate) fn list(
        app: &Arc<App>,
        viewer: &Actor,
        call_server: Option<&LogName>,
        filter: AgentFilter,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<AgentConnection, Error> {
        let list = call_server.map_or("agents".to_owned(), |name| format!("agents of {name}"));
        let pager = Pager::<u128>::new(app, viewer, list, &filter, first, after)?;
        let nothing = AgentConnection::page(&pager, (Vec::new(), false));
        let Some(wanted) = filter.read() else { return Ok(nothing) };
        let log = match (call_server, &wanted.log) {
            (Some(one), Some(other)) if one != other => return Ok(nothing),
            (one, other) => one.or(other.as_ref()),
        };
        let heads: BTreeMap<LogName, Head> = app.live.heads().into_iter().collect();
        let take = |row: AgentRow| {
            let at = heads.get(&row.log).copied();
            let taken = sees_agent(viewer, row.id) && wanted.takes(&row) && log.is_none_or(|log| *log == row.log);
            taken.then(|| Agent::over(row, viewer, false, at))
        };
        let page = match viewer {
            Actor::Operator(_) => {
                let next = |after: Option<&u128>, limit| app.live.agents(log, after.map(|id| AgentId(*id)), limit);
                pager.sift(next, |row| row.id.0, take)
            }
            Actor::Agent(own) => {
                let itself = app.live.agent(*own).into_iter().filter_map(|row| Some((row.id.0, take(row)?)));
                pager.slice(itself, |(id, _)| *id, false)
            }
            _ => return Ok(nothing),
        };
        Ok(AgentConnection::page(&pager, page))
    }

    fn sees_status(&self) -> bool {
        sees_status(&self.viewer, self.row.id)
    }

    fn reservations_pending(&self, app: &App) -> Vec<Reservation> {
        let pending = app.live.agent_pending(self.row.id).into_iter();
        pending
            .filter_map(|one| {
                let sight = Sight::over(app, &self.viewer, app.live.dossier(one.inquiry)?)?;
                Reservation::within(&sight, one.reservation)
            })
            .collect()
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
        feed_cursor(app(ctx), &self.viewer, &self.row.log, self.at)
    }
    // Null once the agent is erased.
    async fn display_name(&self, ctx: &Context<'_>) -> Result<Option<String>, Error> {
        if self.named {
            return app(ctx).open(&self.row.display_name).await;
        }
        Ok(Some(format!("Agent {}", self.row.number)))
    }
    async fn call_server(&self, ctx: &Context<'_>) -> Result<CallServer, Error> {
        CallServer::show(app(ctx), &self.viewer, &self.row.log)
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
        let provider = self.row.affiliated_with.filter(|id| sees_provider(&self.viewer, *id))?;
        Provider::show(app(ctx), &self.viewer, provider)
    }
    /// `reservation`: the pending one with the nearest deadline. `sessions`: the open ones.
    async fn capacity(&self) -> i32 {
        i32::try_from(self.row.capacity).unwrap_or(i32::MAX)
    }
    #[graphql(name = "load")]
    async fn load_now(&self) -> i32 {
        if self.sees_status() { i32::try_from(self.row.load).unwrap_or(i32::MAX) } else { 0 }
    }
    async fn reservation(&self, ctx: &Context<'_>) -> Option<Reservation> {
        self.reservations_pending(app(ctx)).into_iter().next()
    }
    async fn reservations(&self, ctx: &Context<'_>) -> Vec<Reservation> {
        self.reservations_pending(app(ctx))
    }
    async fn sessions(&self, ctx: &Context<'_>) -> Vec<Session> {
        let app = app(ctx);
        let open = app.live.agent_sessions(self.row.id).into_iter();
        open.filter_map(|one| Session::show(Sight::over(app, &self.viewer, app.live.dossier(one.inquiry)?)?)).collect()
    }
    async fn wallets(&self, ctx: &Context<'_>) -> Option<Vec<Account>> {
        let owner = Party::Agent(self.row.id);
        let shown = sees_money_of(&self.viewer, owner);
        shown.then(|| Account::of(app(ctx), &self.viewer, Some(&self.row.log), owner))
    }
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
        let pager = Pager::<u64>::new(app, &self.viewer, list, &(), first, after)?;
        let all = app.live.notices(self.row.id).into_iter().map(|row| (row.seq, Notice::show(row, &self.viewer)));
        Ok(Some(NoticeConnection::page(&pager, pager.slice(all, |(seq, _)| *seq, false))))
    }
}
