//! Accepting an offer: `community` decides it, the call server registers it, and the answer goes out once
//! the inquiry stands there.

use super::call::{Call, Done, Step, Stop, answer};
use super::payload::{AcceptOfferPayload, InquiryPayload, Position};
use crate::app::{App, blocking};
use crate::auth::Vouched;
use crate::errors::{ErrorCode, busy_field, code};
use crate::graphql::input::acceptance::{AcceptOfferInput, ParsedAcceptance, Personal, StartInquiryInput};
use crate::graphql::input::origin::origin_of;
use crate::graphql::types::{Inquiry, fresh, topic_score};
use crate::information;
use crate::newcomers::{Door, Entry};
use crate::proof;
use async_graphql::{Context, Error, Object};
use domain::actor::Actor;
use domain::command::{Acceptance, Command, rights};
use domain::community::{OfferNow, check_acceptance, check_start};
use domain::event::Event;
use domain::event::community::OfferEvent;
use domain::event::inquiry::InformationOutcome;
use domain::ids::{AgentId, CustomerId, InquiryId, ProviderId};
use domain::log::{LogName, Seq};
use domain::refusal::Refusal;
use domain::sealed::Sealed;
use domain::terms::Placement;
use domain::time::Span;
use projections::history::lists::InquiryFilter;
use projections::live::Dossier;
use projections::live::community::{CallServerRow, OfferRow, OfferState, ProviderRow};

/// How long the token of a new customer holds.
const CUSTOMER_TOKEN: Span = Span::days(30);
/// Inquiries of a customer that an agent was asked about, of which one must have become a session.
const SERVED_LOOKED_AT: usize = 100;

#[derive(Default)]
pub(super) struct Acceptances;

#[Object]
impl Acceptances {
    /// Registers the acceptance whether or not any agent is available. Without a token the caller becomes a new customer and gets a customerToken.
    async fn accept_offer(&self, ctx: &Context<'_>, input: AcceptOfferInput) -> Result<AcceptOfferPayload, Error> {
        let call = Call::begin(ctx, rights::ACCEPT_OFFER, &input, &input.idempotency_key)?;
        answer(accept_offer(&call, &input, ctx.data_opt::<Door>())).await
    }

    /// The contact centre turns to a customer: operators, and agents for customers they have served.
    async fn start_inquiry(&self, ctx: &Context<'_>, input: StartInquiryInput) -> Result<InquiryPayload, Error> {
        let call = Call::begin(ctx, rights::START_INQUIRY, &input, &input.idempotency_key)?;
        answer(start_inquiry(&call, &input)).await
    }
}

async fn start_inquiry(call: &Call, input: &StartInquiryInput) -> Step<InquiryPayload> {
    let (parsed, personal) = input.parse()?;
    let (app, live) = (&call.app, &call.app.live);
    let offer = live.offer(parsed.offer).ok_or(Refusal::NotFound { field: "offerId" })?;
    let known = match parsed.customer {
        Some(id) if may_turn_to(call, id, offer.provider).await? => Some(id),
        // To an agent who has not served it, it is not there.
        Some(_) => return Err(Refusal::NotFound { field: "customerId" }.into()),
        None if matches!(call.actor, Actor::Agent(_)) => {
            return Err(Refusal::invalid(&["customerId"], "a customer whom you have served").into());
        }
        None => None,
    };
    if matches!(call.actor, Actor::Agent(_)) && input.customer.is_some() {
        return Err(Refusal::invalid(&["customer"], "customers say themselves who they are").into());
    }
    let customer = known.unwrap_or_else(|| call.new_customer());
    let information = if known.is_some() { InformationOutcome::Found } else { InformationOutcome::New };
    let mut acceptance = informed(app, input.acceptance(parsed, customer, information));
    acceptance.last_agents = last_agents(call, &offer, &acceptance).await;
    let provider = live.provider(offer.provider).ok_or(Refusal::NotFound { field: "offerId" })?;
    let call_servers = live.call_servers();
    let now = offer_now(&offer, &provider, &call_servers, live.blocks(provider.id, customer));
    // Its call server says who is blocked there, and `community` does not know of it: so here, by what its view shows.
    let blocked = match call.actor {
        Actor::Agent(id) => live.agent(id).is_some_and(|agent| agent.blocked_by.contains(&provider.id)),
        _ => false,
    };
    let allowed = match blocked {
        true => Err(Refusal::AgentBlocked),
        false => check_start(&now, &acceptance, app.clock.now(), &call.actor),
    };
    // Nothing is sealed for what is refused: a key in the vault is for ever.
    let done = match allowed {
        Ok(()) => {
            acceptance.question = call.seal(customer, personal.question).await?;
            acceptance.profile = call.seal(customer, personal.profile).await?;
            call.submit(&LogName::community(), Command::StartInquiry(Box::new(acceptance))).await?
        }
        Err(refusal) => {
            acceptance.topics.clear();
            earlier(call, Command::StartInquiry(Box::new(acceptance)), refusal.into()).await?
        }
    };
    let accepted = done.one(|event| match event {
        Event::Offer(OfferEvent::Accepted(e)) => Some((e.call_server.clone(), e.inquiry)),
        _ => None,
    });
    let (call_server, inquiry) = accepted?;
    if let Some(seq) = done.seq {
        call.app.handed_over(&call_server, seq).await?;
    }
    let seq = registered_seq(call, inquiry).await?;
    let at = Position { log: call_server.to_string(), seq: Some(seq), replayed: done.replayed };
    Ok(InquiryPayload::new(at, Inquiry::load(&call.app, &call.actor, inquiry).await?))
}

/// Operators to customers of this provider, agents to those of them they have had a session with: no provider's customer
/// becomes another's.
async fn may_turn_to(call: &Call, id: CustomerId, provider: ProviderId) -> Step<bool> {
    fresh::caught_up(&call.app).await?;
    let filter = InquiryFilter { customer: Some(id), provider: Some(provider), ..InquiryFilter::default() };
    let house = call.app.clone();
    let Actor::Agent(agent) = call.actor else {
        return Ok(!blocking(move || house.history.inquiries(&filter, None, 1)).await?.is_empty());
    };
    Ok(served(call, agent, filter).await?.is_some())
}

/// Of the inquiries that a filter finds, the latest that an agent was in a session of. History has caught up.
pub(super) async fn served(call: &Call, agent: AgentId, filter: InquiryFilter) -> Step<Option<InquiryId>> {
    let (house, filter) = (call.app.clone(), InquiryFilter { agent: Some(agent), ..filter });
    let rows = blocking(move || house.history.inquiries(&filter, None, SERVED_LOOKED_AT)).await?;
    for row in rows {
        let dossier = call.app.dossier(row.id).await?;
        let served = |dossier: &Dossier| dossier.session().is_some_and(|session| session.had(agent));
        if dossier.is_some_and(|dossier| dossier.read(served)) {
            return Ok(Some(row.id));
        }
    }
    Ok(None)
}

async fn accept_offer(call: &Call, input: &AcceptOfferInput, door: Option<&Door>) -> Step<AcceptOfferPayload> {
    let done = submit(call, input, door).await.map_err(|stop| match stop {
        Stop::Refused(error) => Stop::Refused(error.renamed("expectedRevision", "offerRevision")),
        fault => fault,
    })?;
    // On a replay the customer is the one of then, and what was sealed for the one of now is nobody's.
    let accepted = done.one(|event| match event {
        Event::Offer(OfferEvent::Accepted(e)) => {
            let by = e.proven_by.as_deref().map(|key| Vouched { provider: e.provider, key: key.into() });
            Some((e.call_server.clone(), e.inquiry, e.customer, by))
        }
        _ => None,
    });
    let (call_server, inquiry, customer, vouched) = accepted?;
    if call.app.live.erased_at(customer).is_some() {
        return Err(erased().into());
    }
    if let Some(seq) = done.seq {
        call.app.handed_over(&call_server, seq).await?;
    }
    let seq = registered_seq(call, inquiry).await?;
    let token = match call.actor {
        Actor::Anonymous => token(call, customer, vouched)?,
        _ => None,
    };
    let at = Position { log: call_server.to_string(), seq: Some(seq), replayed: done.replayed };
    // A caller without a token is this customer from here on.
    let inquiry = Inquiry::load(&call.app, &Actor::Customer(customer), inquiry).await?;
    Ok(AcceptOfferPayload::new(at, inquiry, token))
}

/// Seals, and gives the command. For an acceptance that the offer as it stands refuses, nothing is sealed: a
/// key in the vault is for ever.
async fn submit(call: &Call, input: &AcceptOfferInput, door: Option<&Door>) -> Step<Done> {
    let (parsed, personal) = input.parse()?;
    let (app, live) = (&call.app, &call.app.live);
    // No offer is ever forgotten.
    let offer = live.offer(parsed.offer).ok_or(Refusal::NotFound { field: "offerId" })?;
    let provider = live.provider(offer.provider).ok_or(Refusal::NotFound { field: "offerId" })?;
    let customer = match call.actor {
        Actor::Customer(id) => id,
        _ => call.new_customer(),
    };
    let vouched = input
        .customer_proof
        .as_deref()
        .map(|proof| proof::read(proof, provider.id, &provider.customer_keys, &app.references, app.clock.now()));
    let vouched = vouched.transpose();
    // Whom the proof leads to already; it is led to nobody before all else is well.
    let led = match &vouched {
        Ok(Some(vouched)) => app.customer_of(vouched.mark, None).await?,
        _ => None,
    };
    let customer = led.filter(|_| call.actor == Actor::Anonymous).unwrap_or(customer);
    if live.erased_at(customer).is_some() {
        return Err(erased().into());
    }
    // Stands for each of them until it is sealed, and is never recorded.
    let unsealed =
        |given: &Option<String>| given.as_ref().map(|_| Sealed { ciphertext: "".into(), subject: customer.into() });
    let placeholders =
        Personal { profile: None, question: unsealed(&personal.question), page: unsealed(&personal.page) };
    let mut acceptance = acceptance(app, input, parsed, customer, placeholders);
    let proven = match &input.click_proof {
        Some(proof) => proven(app, proof, input, &acceptance),
        None => Ok(false),
    };
    if let (Some(content), Ok(direct)) = (&mut acceptance.content, &proven) {
        content.direct = *direct;
    }
    let call_servers = live.call_servers();
    let now = offer_now(&offer, &provider, &call_servers, live.blocks(provider.id, customer));
    let refused = proven.err().or_else(|| check_acceptance(&now, &acceptance, app.clock.now()).err());
    let (refused, vouched) = match (refused, vouched) {
        (Some(refusal), _) | (None, Err(refusal)) => (Some(refusal), None),
        (None, Ok(vouched)) => (vouched.as_ref().and_then(|_| is_another(call, led)), vouched),
    };
    let entered = match (refused, door) {
        (Some(refusal), _) => Err(Stop::from(refusal)),
        // A customer's token is what anybody gets for the first one.
        (None, Some(door)) if matches!(call.actor, Actor::Anonymous | Actor::Customer(_)) => {
            door.enter(app.clock.now()).map_err(|full| {
                Stop::from(busy_field(
                    "so many inquiries came from your address that the next has to wait",
                    full.retry_after,
                ))
            })
        }
        (None, _) => Ok(None),
    };
    let mut entry = match entered {
        Ok(entry) => entry,
        Err(stop) => return earlier(call, unacceptable(acceptance), stop).await,
    };
    let led_now = vouched.as_ref().filter(|_| led.is_none() && call.actor == Actor::Anonymous);
    if led_now.is_some() {
        // Whose key was used for something else has its answer, and the proof leads to nobody by it.
        let stands = call.try_submit(&LogName::community(), unacceptable(acceptance.clone())).await?;
        match stands {
            Ok(done) => return Ok(done),
            Err(reused @ Refusal::KeyReused { .. }) => return Err(reused.into()),
            Err(_) => {}
        }
    }
    // From here on the vault holds what only an erasure takes from it, whatever is decided, and also where whoever asked
    // goes away.
    let leaves_something = led_now.is_some()
        || [&personal.question, &personal.profile, &personal.page].into_iter().any(|text| text.is_some());
    if leaves_something {
        entry.iter_mut().for_each(Entry::keep);
    }
    let made = call.new_customer();
    let customer = match led_now {
        Some(vouched) => app.customer_of(vouched.mark, Some(customer)).await?.unwrap_or(customer),
        None => customer,
    };
    acceptance.customer = customer;
    acceptance.information = information(call, customer, made, vouched.is_some()).await;
    acceptance.last_agents = last_agents(call, &offer, &acceptance).await;
    acceptance.proven_by = vouched.map(|vouched| vouched.key);
    if acceptance.link.is_none() && acceptance.topics.is_empty() {
        // While it is in clear.
        let published = topic_score::published_topics(app, &offer.terms);
        acceptance.classified =
            input.question.as_deref().map(|question| app.subjects.of(question, &published, |name| live.named(name)));
    }
    let question = match (personal.question, door) {
        (Some(question), Some(door)) => Some(app.subjects.with_origin(question, door.client)),
        (question, _) => question,
    };
    acceptance.question = call.seal(customer, question).await?;
    acceptance.profile = call.seal(customer, personal.profile).await?;
    if let (Some(content), Some(page)) = (&mut acceptance.content, call.seal(customer, personal.page).await?) {
        content.page = page;
    }
    // Whoever goes away while it is written has had its acceptance.
    entry.iter_mut().for_each(Entry::keep);
    let answered = call.try_submit(&LogName::community(), Command::AcceptOffer(Box::new(acceptance))).await;
    let is_replay = matches!(&answered, Ok(Ok(done)) if done.replayed);
    let came_to_nothing = !leaves_something && !matches!(&answered, Ok(Ok(_)));
    if let Some(entry) = entry.filter(|_| is_replay || came_to_nothing) {
        entry.give_back();
    }
    Ok(answered??)
}

/// Whoever was made by this key is nobody any more.
fn erased() -> Refusal {
    Refusal::invalid(&["idempotencyKey"], "whoever accepted with it has been erased; accept with a new one")
}

/// What cannot be accepted now may have been accepted earlier under its key. `command` cannot be accepted either.
async fn earlier(call: &Call, command: Command, stop: Stop) -> Step<Done> {
    match call.try_submit(&LogName::community(), command).await? {
        Ok(done) => Ok(done),
        Err(reused @ Refusal::KeyReused { .. }) => Err(reused.into()),
        Err(_) => Err(stop),
    }
}

/// Without link and question it cannot be accepted.
fn unacceptable(mut acceptance: Acceptance) -> Command {
    (acceptance.link, acceptance.question) = (None, None);
    Command::AcceptOffer(Box::new(acceptance))
}

fn offer_now<'a>(
    offer: &'a OfferRow,
    provider: &'a ProviderRow,
    call_servers: &'a [CallServerRow],
    keeps_away: bool,
) -> OfferNow<'a> {
    OfferNow {
        terms: &offer.terms,
        revision: offer.revision,
        retired: offer.state == OfferState::Retired,
        suspended: provider.suspended,
        paused: offer.state == OfferState::Paused,
        used: &offer.used,
        origins: &provider.origins,
        keeps_away,
        call_servers: call_servers.iter().map(|row| &*row.topics).collect(),
    }
}

fn acceptance(
    app: &App,
    input: &AcceptOfferInput,
    parsed: ParsedAcceptance,
    customer: CustomerId,
    placeholders: Personal<Sealed>,
) -> Acceptance {
    informed(app, input.acceptance(parsed, customer, placeholders))
}

/// With what the live views know.
fn informed(app: &App, mut acceptance: Acceptance) -> Acceptance {
    let live = &app.live;
    let names = live.call_servers().into_iter().map(|row| row.name);
    acceptance.known_topics = acceptance
        .topics
        .iter()
        .filter(|topic| live.is_published_topic(topic) || app.subjects.knows(topic, |name| live.named(name)))
        .cloned()
        .collect();
    Acceptance {
        waiting: names.map(|name| (name.clone(), live.waiting(&name) as u64)).collect(),
        community_origins: origin_of(&app.public_url).into_iter().collect(),
        ..acceptance
    }
}

/// Whether the visit that a page of this house vouches for came from nowhere. Refused where the proof is not ours, or
/// for another form than this.
fn proven(app: &App, proof: &str, input: &AcceptOfferInput, acceptance: &Acceptance) -> Result<bool, Refusal> {
    let wrong = |message: &str| Refusal::invalid(&["clickProof"], message);
    let click = app.signer.read_click(proof).ok_or_else(|| wrong("not made by this house"))?;
    let url = input.content.as_ref().map(|content| content.url.as_str());
    let is_this = click.offer == acceptance.offer
        && (click.link.is_none() || click.link == acceptance.link)
        && url == Some(click.url.as_str())
        && click.key == input.idempotency_key
        && click.initiator == acceptance.initiator;
    if !is_this {
        return Err(wrong("made for another offer, link, address, key or initiator"));
    }
    if click.until <= app.clock.now() {
        return Err(wrong("too old; open the page again"));
    }
    Ok(click.placement == Placement::Direct)
}

/// A token and a proof that are not about one customer: whoever has both is not made one of two.
fn is_another(call: &Call, led: Option<CustomerId>) -> Option<Refusal> {
    let Actor::Customer(id) = call.actor else { return None };
    let message = "The token speaks for another customer than the proof; leave one of them out.";
    (led != Some(id)).then_some(Refusal::CustomerProofRefused { message })
}

/// What is known of the customer. Who has no token is new where this request made it: without a proof always, with one
/// where it was the first to ask, which the vault has decided, so that of two at once one alone is new.
async fn information(call: &Call, id: CustomerId, made: CustomerId, vouched: bool) -> InformationOutcome {
    let anonymous = call.actor == Actor::Anonymous;
    if anonymous && id == made {
        return InformationOutcome::New;
    }
    match information::ask(&call.app, id).await {
        // The first with its proof is on its way.
        InformationOutcome::New if anonymous && vouched => InformationOutcome::Found,
        answer => answer,
    }
}

/// Who served a customer that is known before, where the offer prefers it.
async fn last_agents(call: &Call, offer: &OfferRow, acceptance: &Acceptance) -> Vec<(LogName, AgentId)> {
    let known = acceptance.information == InformationOutcome::Found;
    if !known || offer.terms.prefer_last_agent_for.is_zero() {
        return Vec::new();
    }
    information::last_agents(&call.app, acceptance.customer, offer.provider).await
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

/// None where a provider has vouched for the customer with a key that it has taken back since.
fn token(call: &Call, customer: CustomerId, vouched: Option<Vouched>) -> Step<Option<String>> {
    let (signing, actor) = (&call.app.signing, Actor::Customer(customer));
    let minted = match vouched {
        Some(by) => signing.mint_vouched(&actor, CUSTOMER_TOKEN, by),
        None => signing.mint(&actor, CUSTOMER_TOKEN).map(Some),
    };
    Ok(minted.map_err(|error| {
        tracing::error!(%error, "token.unsigned");
        code(ErrorCode::Unavailable, "It is recorded, and no token can be given now; send it again with the same key.")
    })?)
}
