//! Offers at their newest revision, or at the one that an inquiry accepted, and their links.

use super::connection::{Pager, connection};
use super::enums::{ChannelKind, OfferState};
use super::eyes::Eyes;
use super::hours::BusinessHours;
use super::money::Money;
use super::provider::Provider;
use super::rights::{sees_hidden_reserve, sees_offer};
use super::terms::{Allocation, RelaxationRing, Skill, Terms};
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{DateTime, Duration};
use async_graphql::{Context, Error, ID, Object};
use domain::actor::Actor;
use domain::ids::{LinkId, OfferId, ProviderId};
use domain::terms::OfferTerms;
use projections::live::community::{OfferRow, OfferState as State};
use projections::live::inquiry::InquiryRow;
use std::sync::Arc;

pub struct Offer {
    id: OfferId,
    provider: ProviderId,
    revision: u32,
    state: State,
    terms: Arc<OfferTerms>,
    eyes: Eyes,
}

connection!(OfferConnection, OfferEdge, Offer);

impl Offer {
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: OfferId) -> Result<Option<Offer>, Error> {
        let eyes = eyes.into();
        let row = eyes.live(app).offer(id).filter(|row| sees_offer(app, &eyes, row));
        Ok(row.map(|row| Offer::show(&eyes, row)))
    }

    fn show(eyes: &Eyes, row: OfferRow) -> Offer {
        Offer {
            id: row.id,
            provider: row.provider,
            revision: row.revision,
            state: row.state,
            terms: row.terms,
            eyes: eyes.clone(),
        }
    }

    /// As accepted: the terms are those of the inquiry, the state is the offer's at the moment.
    pub(crate) fn accepted(app: &App, eyes: &Eyes, inquiry: &InquiryRow) -> Offer {
        let now = eyes.live(app).offer(inquiry.offer);
        Offer {
            id: inquiry.offer,
            provider: inquiry.provider,
            revision: inquiry.revision,
            state: now.map_or(State::Retired, |row| row.state),
            terms: inquiry.terms.clone(),
            eyes: eyes.clone(),
        }
    }

    /// Those that the viewer sees, by id.
    pub(crate) fn page(app: &App, eyes: &Eyes, provider: Option<ProviderId>, pager: &Pager<u128>) -> OfferConnection {
        // A provider's own are all that it sees, so that nobody else's are read through.
        let provider = match &eyes.viewer {
            Actor::Provider(own) => Some(*own).filter(|own| provider.is_none_or(|asked| asked == *own)),
            _ => provider,
        };
        if matches!(eyes.viewer, Actor::Provider(_)) && provider.is_none() {
            return OfferConnection::page(pager, (Vec::new(), false));
        }
        let next = |after: Option<&u128>, limit| eyes.live(app).offers(provider, after.map(|id| OfferId(*id)), limit);
        let take = |row: OfferRow| sees_offer(app, eyes, &row).then(|| Offer::show(eyes, row));
        OfferConnection::page(pager, pager.sift(next, |row| row.id.0, take))
    }
}

impl Offer {
    fn shows_limits(&self) -> bool {
        sees_hidden_reserve(&self.eyes.viewer, self.provider)
    }
}

#[Object]
impl Offer {
    pub(crate) async fn id(&self) -> ID {
        self.id.to_string().into()
    }
    async fn revision(&self) -> i32 {
        i32::try_from(self.revision).unwrap_or(i32::MAX)
    }
    async fn provider(&self, ctx: &Context<'_>) -> Result<Provider, Error> {
        Provider::show(app(ctx), &self.eyes, self.provider)
            .ok_or_else(|| code(ErrorCode::Internal, "an offer without its provider"))
    }
    async fn title(&self) -> &str {
        &self.terms.title
    }
    async fn state(&self) -> OfferState {
        self.state.into()
    }
    async fn links(&self) -> Vec<OfferLink> {
        self.terms.links.iter().map(|link| OfferLink(link.clone())).collect()
    }
    async fn accepts_questions(&self) -> bool {
        self.terms.accepts_questions
    }
    async fn channels(&self) -> Vec<ChannelKind> {
        self.terms.channels.iter().map(|channel| (*channel).into()).collect()
    }
    async fn required_skills(&self) -> Vec<Skill> {
        self.terms.required_skills.iter().map(Skill::from).collect()
    }
    async fn allocation(&self) -> Allocation {
        Allocation::of(&self.terms.allocation, sees_hidden_reserve(&self.eyes.viewer, self.provider))
    }
    async fn consent_window(&self) -> Duration {
        Duration(self.terms.consent_window)
    }
    async fn wrap_up(&self) -> Option<Duration> {
        self.terms.wrap_up.map(Duration)
    }
    async fn max_wait(&self) -> Duration {
        Duration(self.terms.max_wait)
    }
    /// So many times a queue's `priorityCredit` its inquiries stand ahead there.
    async fn priority(&self) -> i32 {
        i32::try_from(self.terms.priority).unwrap_or(i32::MAX)
    }
    /// So long whoever served a customer last for this provider is asked before anybody else, and waited for while it is busy. PT0S: nobody is preferred.
    async fn prefer_last_agent_for(&self) -> Duration {
        Duration(self.terms.prefer_last_agent_for)
    }
    /// What is asked of agents once an inquiry has waited so long; each ring asks for less than the one before.
    async fn relaxation(&self) -> Vec<RelaxationRing> {
        self.terms.relaxation.iter().map(RelaxationRing::from).collect()
    }
    /// When it is served; null: always.
    async fn hours(&self) -> Option<BusinessHours> {
        self.terms.hours.as_ref().map(BusinessHours::from)
    }
    /// When it opens next, by its hours and the clock of now; null: it is open. Accepted before, an inquiry begins then.
    async fn opens_at(&self, ctx: &Context<'_>) -> Option<DateTime> {
        self.terms.hours.as_ref()?.next_opening(app(ctx).clock.now()).map(DateTime)
    }
    async fn independent_agents_only(&self) -> bool {
        self.terms.independent_agents_only
    }
    async fn terms(&self) -> Option<Terms> {
        self.terms.terms.as_ref().map(Terms::from)
    }
    /// Names of the customer attributes an agent sees before consent.
    async fn shown_before_consent(&self) -> &[String] {
        &self.terms.shown_before_consent
    }
    async fn valid_until(&self) -> Option<DateTime> {
        self.terms.valid_until.map(DateTime)
    }
    /// How many of its inquiries may be open at once. Null without such a limit, and to all but provider and operator.
    async fn max_open_inquiries(&self) -> Option<i32> {
        let most = self.terms.max_open.filter(|_| self.shows_limits());
        most.map(|most| i32::try_from(most).unwrap_or(i32::MAX))
    }
    /// What the acceptances of one day (UTC) may cost the provider. Null without such a limit, and to all but provider and operator.
    async fn daily_budget(&self) -> Option<Money> {
        self.terms.daily_budget.filter(|_| self.shows_limits()).map(Money::from)
    }
    async fn url(&self, ctx: &Context<'_>) -> String {
        format!("{}/o/{}", app(ctx).public_url, self.id)
    }
}

pub struct OfferLink(pub(crate) domain::terms::OfferLink);

impl OfferLink {
    /// Of the newest revision that has it, where the viewer sees the offer.
    pub(crate) fn load(app: &App, viewer: &Actor, id: LinkId) -> Option<OfferLink> {
        let (offer, revision) = app.live.link(id)?;
        app.live.offer(offer).filter(|row| sees_offer(app, &viewer.into(), row))?;
        let terms = app.live.offer_terms(offer, revision)?;
        terms.links.iter().find(|link| link.id == id).map(|link| OfferLink(link.clone()))
    }
}

/// A hyperlink of the offer. Its page accepts with one press of its form, or at once where the widget runs; the acceptance's content is `topic`.
#[Object]
impl OfferLink {
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }
    async fn label(&self) -> &str {
        &self.0.label
    }
    async fn topic(&self) -> &str {
        self.0.topic.as_str()
    }
    async fn url(&self, ctx: &Context<'_>) -> String {
        format!("{}/l/{}", app(ctx).public_url, self.0.id)
    }
}
