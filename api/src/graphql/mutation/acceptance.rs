//! Accepting an offer: `community` decides it, the call server registers it, and the answer goes out once
//! the inquiry stands there.

use super::call::{Call, Done, Step, Stop, answer};
use super::payload::{AcceptOfferPayload, Position};
use crate::app::App;
use crate::errors::{ErrorCode, code};
use crate::graphql::input::acceptance::{AcceptOfferInput, ParsedAcceptance, Personal};
use crate::graphql::input::origin::origin_of;
use crate::graphql::types::Inquiry;
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Acceptance, Command, rights};
use domain::community::{OfferNow, check_acceptance};
use domain::event::Event;
use domain::event::community::OfferEvent;
use domain::ids::{CustomerId, InquiryId};
use domain::log::{LogName, Seq};
use domain::refusal::Refusal;
use domain::sealed::Sealed;
use domain::time::Span;
use projections::live::community::OfferState;

/// How long the token of a new customer holds.
const CUSTOMER_TOKEN: Span = Span::days(30);

#[derive(Default)]
pub(super) struct Acceptances;

#[Object]
impl Acceptances {
    /// Registers the acceptance whether or not any agent is available. Without a token the caller becomes a new customer and gets a customerToken.
    async fn accept_offer(&self, ctx: &Context<'_>, input: AcceptOfferInput) -> Result<AcceptOfferPayload, Error> {
        let call = Call::begin(ctx, rights::ACCEPT_OFFER, &input, &input.idempotency_key)?;
        answer(accept_offer(&call, &input)).await
    }
}

async fn accept_offer(call: &Call, input: &AcceptOfferInput) -> Step<AcceptOfferPayload> {
    let done = submit(call, input).await.map_err(|stop| match stop {
        Stop::Refused(error) => Stop::Refused(error.renamed("expectedRevision", "offerRevision")),
        fault => fault,
    })?;
    // On a replay the customer is the one of then, and what was sealed for the one of now is nobody's.
    let accepted = done.one(|event| match event {
        Event::Offer(OfferEvent::Accepted(e)) => Some((e.call_server.clone(), e.inquiry, e.customer)),
        _ => None,
    });
    let (call_server, inquiry, customer) = accepted?;
    if let Some(seq) = done.seq {
        call.app.handed_over(&call_server, seq).await?;
    }
    let seq = registered_seq(call, inquiry).await?;
    let token = match call.actor {
        Actor::Anonymous => Some(token(call, customer)?),
        _ => None,
    };
    let at = Position { log: call_server.to_string(), seq: Some(seq), replayed: done.replayed };
    // A caller without a token is this customer from here on.
    let inquiry = Inquiry::load(&call.app, &Actor::Customer(customer), inquiry).await?;
    Ok(AcceptOfferPayload::new(at, inquiry, token))
}

/// Seals, and gives the command. For an acceptance that the offer as it stands refuses, nothing is sealed: a
/// key in the vault is for ever.
async fn submit(call: &Call, input: &AcceptOfferInput) -> Step<Done> {
    let (parsed, personal) = input.parse()?;
    let (app, live) = (&call.app, &call.app.live);
    // No offer is ever forgotten.
    let offer = live.offer(parsed.offer).ok_or(Refusal::NotFound { field: "offerId" })?;
    let customer = match call.actor {
        Actor::Customer(id) => id,
        _ => call.new_customer(),
    };
    // Stands for each of them until it is sealed, and is never recorded.
    let unsealed =
        |given: &Option<String>| given.as_ref().map(|_| Sealed { ciphertext: "".into(), subject: customer.into() });
    let placeholders =
        Personal { profile: None, question: unsealed(&personal.question), page: unsealed(&personal.page) };
    let mut acceptance = acceptance(app, input, parsed, customer, placeholders);
    let provider = live.provider(offer.provider).ok_or(Refusal::NotFound { field: "offerId" })?;
    let now = OfferNow {
        terms: &offer.terms,
        revision: offer.revision,
        retired: offer.state == OfferState::Retired,
        suspended: provider.suspended,
        origins: &provider.origins,
    };
    let refused = check_acceptance(&now, &acceptance, app.clock.now()).err();
    if let Some(refusal) = refused {
        // It may have been accepted earlier under its key. Without link and question it cannot be accepted now.
        (acceptance.link, acceptance.question) = (None, None);
        let earlier = call.try_submit(&LogName::community(), Command::AcceptOffer(Box::new(acceptance))).await?;
        return match earlier {
            Ok(done) => Ok(done),
            Err(reused @ Refusal::KeyReused { .. }) => Err(reused.into()),
            Err(_) => Err(refusal.into()),
        };
    }
    acceptance.question = call.seal(customer, personal.question).await?;
    acceptance.profile = call.seal(customer, personal.profile).await?;
    if let (Some(content), Some(page)) = (&mut acceptance.content, call.seal(customer, personal.page).await?) {
        content.page = page;
    }
    call.submit(&LogName::community(), Command::AcceptOffer(Box::new(acceptance))).await
}

fn acceptance(
    app: &App,
    input: &AcceptOfferInput,
    parsed: ParsedAcceptance,
    customer: CustomerId,
    placeholders: Personal<Sealed>,
) -> Acceptance {
    let live = &app.live;
    let names = live.call_servers().into_iter().map(|row| row.name);
    let mut acceptance = input.acceptance(parsed, customer, placeholders);
    acceptance.known_topics =
        acceptance.topics.iter().filter(|topic| live.is_published_topic(topic)).cloned().collect();
    Acceptance {
        customer_is_new: live.customer(customer).is_none(),
        waiting: names.map(|name| (name.clone(), live.waiting(&name) as u64)).collect(),
        community_origins: origin_of(&app.public_url).into_iter().collect(),
        ..acceptance
    }
}

/// The same at every replay: where the call server registered the inquiry, its auction included.
async fn registered_seq(call: &Call, inquiry: InquiryId) -> Step<Seq> {
    let dossier = call.app.dossier(inquiry).await?;
    let seq = dossier.and_then(|dossier| dossier.read(|dossier| dossier.inquiry().map(|row| row.registered_seq)));
    // It was handed over, and no view answers for it: the view of its call server has stopped.
    Ok(seq.ok_or_else(|| {
        code(ErrorCode::Unavailable, "It is recorded, and cannot be shown now; send it again with the same key.")
    })?)
}

fn token(call: &Call, customer: CustomerId) -> Step<String> {
    let minted = call.app.signing.mint(&Actor::Customer(customer), CUSTOMER_TOKEN);
    Ok(minted.map_err(|error| {
        tracing::error!(%error, "token.unsigned");
        code(ErrorCode::Unavailable, "It is recorded, and no token can be given now; send it again with the same key.")
    })?)
}
