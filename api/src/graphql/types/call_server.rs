//! Call servers and the locations of their agents.

use super::agent::{Agent, AgentConnection};
use super::eyes::Eyes;
use super::filters::AgentFilter;
use super::rights::{market_of, sees_call_server};
use crate::app::App;
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Decimal, Seq};
use async_graphql::{Context, Error, ID, Object, SimpleObject};
use domain::actor::Actor;
use domain::location::is_at_limit;
use domain::log::LogName;
use projections::live::community::CallServerRow;
use std::sync::Arc;

pub struct CallServer {
    row: CallServerRow,
    /// Seen by id or in the list, and not only at an inquiry or account.
    inside: bool,
    eyes: Eyes,
}

impl CallServer {
    pub(crate) async fn load(
        app: &Arc<App>,
        eyes: impl Into<Eyes>,
        name: &LogName,
    ) -> Result<Option<CallServer>, Error> {
        Ok(CallServer::show(app, &eyes.into(), name).filter(|shown| shown.inside))
    }

    /// For whoever meets it at something that it sees.
    pub(crate) fn show(app: &App, eyes: &Eyes, name: &LogName) -> Option<CallServer> {
        let row = eyes.live(app).call_server(name)?;
        let inside = sees_call_server(&eyes.viewer, market_of(app, &eyes.viewer).as_ref(), name);
        Some(CallServer { row, inside, eyes: eyes.clone() })
    }

    /// By name.
    pub(crate) fn all(app: &App, viewer: &Actor) -> Vec<CallServer> {
        let market = market_of(app, viewer);
        let rows = app.live.call_servers().into_iter();
        rows.filter(|row| sees_call_server(viewer, market.as_ref(), &row.name))
            .map(|row| CallServer { row, inside: true, eyes: viewer.into() })
            .collect()
    }

    /// Its agents' doings are theirs and operators'.
    fn shows_traffic(&self) -> bool {
        self.inside && matches!(self.eyes.viewer, Actor::Operator(_) | Actor::Agent(_))
    }
}

/// A market of its own. The front picks it from the content of an acceptance. `node` is the process that prefers it now.
#[Object]
impl CallServer {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn name(&self) -> &str {
        self.row.name.as_str()
    }
    async fn topics(&self) -> Vec<&str> {
        self.row.topics.iter().map(|topic| topic.as_str()).collect()
    }
    async fn languages(&self) -> &[String] {
        &self.row.languages
    }
    /// Where an acceptance goes whose topics fit no call server.
    #[graphql(name = "default")]
    async fn is_default(&self) -> bool {
        self.row.is_default
    }
    async fn queue_depth(&self, ctx: &Context<'_>) -> i32 {
        i32::try_from(self.eyes.live(app(ctx)).waiting(&self.row.name)).unwrap_or(i32::MAX)
    }
    async fn agents_available(&self, ctx: &Context<'_>) -> i32 {
        i32::try_from(self.eyes.live(app(ctx)).agents_available(&self.row.name)).unwrap_or(i32::MAX)
    }
    async fn head(&self, ctx: &Context<'_>) -> Option<Seq> {
        let head = self.eyes.live(app(ctx)).head(&self.row.name).filter(|_| self.inside);
        head.map(|head| Seq(head.seq))
    }
    async fn locations(&self, ctx: &Context<'_>) -> Vec<Location> {
        if !self.shows_traffic() {
            return Vec::new();
        }
        let live = self.eyes.live(app(ctx));
        let show = |location: &domain::event::community::Location| {
            let sessions = live.location_load(&self.row.name, &location.name);
            let traffic = live.location_traffic(&self.row.name, &location.name);
            let at_limit = is_at_limit(location, traffic.map(|traffic| traffic.amount), sessions);
            let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
            Location {
                name: location.name.clone(),
                traffic: traffic.map(|traffic| Decimal(traffic.amount)),
                limit: location.limit.map(Decimal),
                traffic_unit: location.traffic_unit.clone(),
                reported_at: traffic.map(|traffic| DateTime(traffic.reported_at)),
                sessions: count(sessions),
                session_limit: location.session_limit.map(count),
                avoided: at_limit,
            }
        };
        self.row.locations.iter().map(show).collect()
    }
    async fn agents(
        &self,
        ctx: &Context<'_>,
        filter: Option<AgentFilter>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<AgentConnection, Error> {
        Agent::list(app(ctx), &self.eyes, Some(&self.row.name), filter.unwrap_or_default(), first, after)
    }
}

/// Where agents sit. `traffic` is the last report (null once older than its `validFor`), `sessions` counts open sessions and pending reservations. At or above either limit its agents are passed over.
#[derive(SimpleObject, Debug)]
pub struct Location {
    name: String,
    traffic: Option<Decimal>,
    limit: Option<Decimal>,
    traffic_unit: Option<String>,
    reported_at: Option<DateTime>,
    sessions: i32,
    session_limit: Option<i32>,
    avoided: bool,
}
