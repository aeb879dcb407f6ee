//! Inquiry information saved to a customer's record.

use super::agent::Agent;
use super::connection::connection;
use super::enums::ChannelKind;
use super::eyes::Eyes;
use super::rights::Sight;
use super::sealed::{Opening, Saved};
use crate::app::App;
use crate::graphql::app;
use crate::graphql::scalars::{DateTime, Json};
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;
use domain::ids::RecordId;
use domain::topic::Topic;
use projections::live::DossierHandle;
use projections::live::session::{RecordRow, SessionRow};
use std::sync::Arc;

pub struct InquiryRecord {
    row: RecordRow,
    session: SessionRow,
    topics: Arc<[Topic]>,
    channel: domain::terms::ChannelKind,
    /// Before consent there is `at` and `topics` alone.
    whole: bool,
    saved: Opening<Saved>,
    eyes: Eyes,
    parts: Vec<InquiryRecord>,
}

connection!(InquiryRecordConnection, InquiryRecordEdge, InquiryRecord);

impl InquiryRecord {
    pub(crate) async fn load(
        app: &Arc<App>,
        eyes: impl Into<Eyes>,
        id: RecordId,
    ) -> Result<Option<InquiryRecord>, Error> {
        let sight = Sight::of(app, eyes, id).await?;
        let Some(sight) = sight.filter(|sight| sight.part.sees_session()) else { return Ok(None) };
        let all = InquiryRecord::every(&sight.handle, &sight.eyes, true);
        let is_shown = |record: &InquiryRecord| record.row.id == id && sight.sees_record_of(record.row.agent);
        Ok(all.into_iter().find(is_shown))
    }

    /// The record of an inquiry's session, for who sees that. Of one who left, what it saved itself: nothing that came
    /// after.
    pub(crate) fn within(sight: &Sight) -> Option<InquiryRecord> {
        if !sight.part.sees_session() {
            return None;
        }
        let mut own = InquiryRecord::of(&sight.handle, &sight.eyes, true)?;
        if sight.sees_record_of(own.row.agent) {
            own.parts.retain(|part| sight.sees_record_of(part.row.agent));
            return Some(own);
        }
        None
    }

    /// The record of the session itself.
    pub(crate) fn of(handle: &DossierHandle, eyes: &Eyes, whole: bool) -> Option<InquiryRecord> {
        let mut all = InquiryRecord::every(handle, eyes, whole);
        let at =
            all.iter().position(|record| Some(record.row.id) == record.session.record.as_ref().map(|row| row.id))?;
        let mut own = all.remove(at);
        own.parts = all;
        Some(own)
    }

    /// What agents saved who handed the session over, and its own record where there is one.
    fn every(handle: &DossierHandle, eyes: &Eyes, whole: bool) -> Vec<InquiryRecord> {
        let found = handle.read(|dossier| {
            let (inquiry, session) = (dossier.inquiry()?, dossier.session()?);
            let rows: Vec<RecordRow> = session.parts().iter().chain(&session.row().record).cloned().collect();
            Some((rows, session.row().clone(), inquiry.topics.clone(), inquiry.channel))
        });
        let Some((rows, session, topics, channel)) = found else { return Vec::new() };
        // Written by agents for agents; a customer reads what was saved of it, never the notes.
        let opens = whole && matches!(eyes.viewer, Actor::Agent(_) | Actor::Customer(_));
        let show = |row: RecordRow| {
            let saved = Opening::new(row.information.clone().filter(|_| opens));
            let (session, topics, eyes) = (session.clone(), topics.clone(), eyes.clone());
            InquiryRecord { row, session, topics, channel, whole, saved, eyes, parts: Vec::new() }
        };
        rows.into_iter().map(show).collect()
    }
}

#[Object]
impl InquiryRecord {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn at(&self) -> DateTime {
        DateTime(self.row.at)
    }
    async fn topics(&self) -> Vec<&str> {
        self.topics.iter().map(|topic| topic.as_str()).collect()
    }
    async fn channel(&self) -> ChannelKind {
        self.channel.into()
    }
    async fn seconds(&self) -> Option<i32> {
        let lasted = self.session.ended_at.filter(|_| self.whole)? - self.session.started_at;
        Some(i32::try_from(lasted.0 / 1_000_000).unwrap_or(i32::MAX))
    }
    async fn agent(&self, ctx: &Context<'_>) -> Option<Agent> {
        let named = matches!(self.eyes.viewer, Actor::Customer(_));
        Agent::show(app(ctx), &self.eyes, self.row.agent, named).filter(|_| self.whole)
    }
    /// What the agents before saved, who handed the session over; oldest first.
    async fn parts(&self) -> &[InquiryRecord] {
        &self.parts
    }
    async fn disposition(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
        Ok(self.saved.get(app(ctx)).await?.and_then(|saved| saved.disposition.as_deref()))
    }
    async fn notes(&self, ctx: &Context<'_>) -> Result<Option<String>, Error> {
        if !matches!(self.eyes.viewer, Actor::Agent(_)) || !self.whole {
            return Ok(None);
        }
        let saved = self.saved.get(app(ctx)).await?.and_then(|saved| saved.notes.clone());
        match (saved, &self.session.notes) {
            // What was autosaved is the record where wrap-up ended without a word.
            (None, Some(autosaved)) if self.session.record.as_ref().is_some_and(|own| own.id == self.row.id) => {
                app(ctx).open(autosaved).await
            }
            (saved, _) => Ok(saved),
        }
    }
    async fn information(&self, ctx: &Context<'_>) -> Result<Option<Json>, Error> {
        let information = self.saved.get(app(ctx)).await?.and_then(|saved| saved.information.clone());
        Ok(information.map(Json))
    }
}
