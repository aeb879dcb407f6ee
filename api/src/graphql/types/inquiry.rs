//! Inquiries: one acceptance and its life.

use super::agent::Agent;
use super::auction::{Auction, AuctionConnection};
use super::call_server::CallServer;
use super::connection::{Pager, connection};
use super::content::ContentReference;
use super::customer::{Customer, CustomerInformation};
use super::decision::{Decision, DecisionConnection};
use super::enums::{ChannelKind, Initiator, InquiryState};
use super::eyes::Eyes;
use super::offer::{Offer, OfferLink};
use super::queue::Queue;
use super::reservation::{Reservation, ReservationConnection};
use super::rights::{Part, Sight};
use super::sealed::{Opening, Question};
use super::session::Session;
use super::settlement::Settlement;
use super::terms::Skill;
use super::topic_score::TopicScore;
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::app;
use crate::graphql::scalars::{Cursor, DateTime, Seq};
use crate::graphql::subscription::feed_cursor;
use async_graphql::{Context, Error, ID, Object};
use domain::ids::InquiryId;
use domain::state::Preferred;
use projections::live::inquiry::InquiryRow;
use std::sync::Arc;

pub struct Inquiry {
    pub(crate) row: InquiryRow,
    pub(crate) sight: Sight,
    question: Arc<Opening<Question>>,
}

connection!(InquiryConnection, InquiryEdge, Inquiry);

impl Inquiry {
    pub(crate) async fn load(app: &Arc<App>, eyes: impl Into<Eyes>, id: InquiryId) -> Result<Option<Inquiry>, Error> {
        Ok(Sight::of(app, eyes, id).await?.and_then(Inquiry::show))
    }

    pub(crate) fn show(sight: Sight) -> Option<Inquiry> {
        let row = sight.handle.read(|dossier| dossier.inquiry().cloned())?;
        let question = row.question.clone().filter(|_| sight.part.sees_question());
        Some(Inquiry { row, sight, question: Arc::new(Opening::new(question)) })
    }

    fn preferred(&self) -> Option<Preferred> {
        self.row.preferred.filter(|_| matches!(self.sight.part, Part::Operator | Part::Provider))
    }
}

#[Object]
impl Inquiry {
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }
    async fn seq(&self) -> Seq {
        Seq(self.row.seq)
    }
    async fn feed_cursor(&self, ctx: &Context<'_>) -> Cursor {
        feed_cursor(app(ctx), &self.sight.eyes.viewer, &self.row.log, self.sight.at)
    }
    /// As accepted: the revision is fixed.
    async fn offer(&self, ctx: &Context<'_>) -> Offer {
        Offer::accepted(app(ctx), &self.sight.eyes, &self.row)
    }
    async fn state(&self) -> InquiryState {
        self.row.state.into()
    }
    async fn channel(&self) -> ChannelKind {
        self.row.channel.into()
    }
    async fn initiator(&self) -> Initiator {
        self.row.initiator.into()
    }
    async fn link(&self) -> Option<OfferLink> {
        let id = self.row.link?;
        self.row.terms.links.iter().find(|link| link.id == id).map(|link| OfferLink(link.clone()))
    }
    async fn content(&self) -> Option<ContentReference> {
        let row = self.row.content.clone().filter(|_| self.sight.part.sees_content())?;
        Some(ContentReference::new(row, self.sight.part.sees_question()))
    }
    async fn language(&self) -> Option<&str> {
        self.row.language.as_deref()
    }
    async fn topics(&self) -> Vec<&str> {
        self.row.topics.iter().map(|topic| topic.as_str()).collect()
    }
    // Empty where the topics came with a link or were given.
    async fn topic_scores(&self) -> Vec<TopicScore> {
        self.row.classified.iter().flat_map(|classified| TopicScore::all(classified)).collect()
    }
    async fn queues(&self, ctx: &Context<'_>) -> Vec<Queue> {
        if self.sight.part == Part::Customer {
            return Vec::new();
        }
        self.row.queues.iter().filter_map(|id| Queue::show(app(ctx), &self.sight.eyes, *id)).collect()
    }
    async fn call_server(&self, ctx: &Context<'_>) -> Result<CallServer, Error> {
        CallServer::show(app(ctx), &self.sight.eyes, &self.row.log)
            .ok_or_else(|| code(ErrorCode::Internal, "an inquiry without its call server"))
    }
    async fn required_skills(&self) -> Vec<Skill> {
        self.row.desired_skills.iter().map(Skill::from).collect()
    }
    /// Of its offer's `relaxation`, the ring that it entered last: `requiredSkills` are what is asked for by now. 0 before the first.
    async fn ring(&self) -> i32 {
        i32::try_from(self.row.ring).unwrap_or(i32::MAX)
    }
    async fn accepted_at(&self) -> DateTime {
        DateTime(self.row.accepted_at)
    }
    /// By this, then by `id`, it is ordered in all its queues: `acceptedAt`, earlier by what its offer's priority is worth there. It stays, whatever comes.
    async fn stands_at(&self) -> DateTime {
        DateTime(self.row.stands_at)
    }
    /// Smallest over its queues.
    async fn position(&self, ctx: &Context<'_>) -> Option<i32> {
        let position = self.sight.eyes.live(app(ctx)).position(self.row.id)?;
        Some(i32::try_from(position).unwrap_or(i32::MAX))
    }
    /// Accepted outside the offer's hours: when they begin, and nobody is asked before; until then nobody waits behind it, and it has no `position`. Null once it has begun.
    async fn begins_at(&self) -> Option<DateTime> {
        self.row.begins_at.map(DateTime)
    }
    async fn expires_at(&self) -> Option<DateTime> {
        self.row.expires_at.map(DateTime)
    }
    /// Who served its customer last for this provider, where the offer prefers it: asked before anybody else until an agent has the inquiry or the preference is over. Provider and operators alone.
    async fn preferred_agent(&self, ctx: &Context<'_>) -> Option<Agent> {
        Agent::show(app(ctx), &self.sight.eyes, self.preferred()?.agent, false)
    }
    /// Until then nobody else is asked while that agent is merely busy. Null before the offer's hours begin.
    async fn preferred_until(&self) -> Option<DateTime> {
        self.preferred()?.until.map(DateTime)
    }
    // Withdrawn by its customer: `resumeInquiry` brings it back to its place before this instant.
    async fn place_kept_until(&self) -> Option<DateTime> {
        self.row.place_kept_until.map(DateTime)
    }
    // Its customer's alone: whoever has the address is the customer there.
    async fn url(&self, ctx: &Context<'_>) -> Option<String> {
        let app = app(ctx);
        let is_customer = self.sight.part == Part::Customer;
        is_customer.then(|| format!("{}/i/{}", app.public_url, app.signer.inquiry(self.row.id)))
    }
    /// The electronic question. Null for an agent until consent.
    async fn question(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
        Ok(self.question.get(app(ctx)).await?.and_then(|question| question.question.as_deref()))
    }
    /// Masked for an agent until consent.
    async fn customer(&self) -> Option<Customer> {
        Customer::of(&self.sight)
    }
    async fn customer_information(&self) -> Option<CustomerInformation> {
        CustomerInformation::of(&self.sight)
    }
    /// The latest of each; all of them in the connections.
    async fn auction(&self) -> Option<Auction> {
        Auction::latest(&self.sight)
    }
    async fn reservation(&self) -> Option<Reservation> {
        Reservation::all(&self.sight).pop()
    }
    async fn session(&self) -> Option<Session> {
        Session::show(self.sight.clone())
    }
    async fn settlement(&self) -> Option<Settlement> {
        Settlement::within(&self.sight)
    }
    async fn auctions(&self, ctx: &Context<'_>, first: i32, after: Option<Cursor>) -> Result<AuctionConnection, Error> {
        let list = format_args!("auctions of {}", self.row.id).to_string();
        let pager = Pager::<u64>::new(app(ctx), &self.sight.eyes, list, &(), first, after)?;
        let (page, more) = pager.slice(Auction::rounds(&self.sight), |(round, _)| *round, false);
        Ok(AuctionConnection::page(&pager, (page, more)))
    }
    async fn reservations(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<ReservationConnection, Error> {
        let list = format_args!("reservations of {}", self.row.id).to_string();
        let pager = Pager::<u64>::new(app(ctx), &self.sight.eyes, list, &(), first, after)?;
        let all = Reservation::all(&self.sight).into_iter().map(|one| (u64::from(one.row.attempt), one));
        Ok(ReservationConnection::page(&pager, pager.slice(all, |(attempt, _)| *attempt, false)))
    }
    /// Each choice so far, oldest first: call server, topics, selection, award. Rivals' bids and scores only for the provider, finance and operators, after closing.
    async fn decisions(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<Cursor>,
    ) -> Result<DecisionConnection, Error> {
        let list = format_args!("decisions of {}", self.row.id).to_string();
        let pager = Pager::<u64>::new(app(ctx), &self.sight.eyes, list, &(), first, after)?;
        let all = (0..).zip(Decision::all(&self.sight));
        Ok(DecisionConnection::page(&pager, pager.slice(all, |(at, _)| *at, false)))
    }
}
