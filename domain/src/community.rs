//! The log `community`: providers, offers with their links, call servers, acceptances. Here an acceptance
//! gets its frozen terms and its call server; the call server's log takes it from there.

use crate::actor::Actor;
use crate::block;
use crate::check;
use crate::command::{Acceptance, NewLink, OfferChange};
use crate::currency::Currency;
use crate::decide::Ctx;
use crate::event::Event;
use crate::event::community::*;
use crate::event::inquiry::InformationOutcome;
use crate::event::wallet::Party;
use crate::ids::*;
use crate::limits::{self, Used};
use crate::location;
use crate::log::LogName;
use crate::money::Money;
use crate::patch::Patch;
use crate::refusal::Refusal;
use crate::state::{Account, CallServer, Counted, Offer, Provider, State};
use crate::terms::{ContentReference, Initiator, OfferLink, OfferTerms, Placement};
use crate::time::Timestamp;
use crate::topic::Topic;
use crate::why::{Excluded, ExclusionReason, Ranked, Why};
use std::cmp::Reverse;
use std::sync::Arc;

type Decided = Result<Vec<Event>, Refusal>;

pub fn register_provider(
    state: &State,
    name: &str,
    homepage: &Option<String>,
    origins: &[String],
    limits: &[CreditLimit],
    keys: &[CustomerKey],
    ctx: &Ctx,
) -> Decided {
    check::text(&["name"], name, check::TEXT_CHARS_MAX)?;
    if let Some(homepage) = homepage {
        check::url(&["homepage"], homepage)?;
    }
    check_origins(origins)?;
    check_limits(state, limits)?;
    check_keys(keys)?;
    Ok(vec![
        ProviderRegistered {
            credit_limits: limits.to_vec(),
            customer_keys: keys.to_vec(),
            homepage: homepage.clone(),
            name: name.to_owned(),
            origins: origins.to_vec(),
            provider: ProviderId(ctx.ids.next()),
        }
        .into(),
    ])
}

pub fn update_provider(
    state: &State,
    provider: ProviderId,
    name: &Option<String>,
    homepage: &Patch<String>,
    origins: &Option<Vec<String>>,
    suspended: Option<bool>,
    limits: &Option<Vec<CreditLimit>>,
    keys: &Option<Vec<CustomerKey>>,
) -> Decided {
    let row = state.providers.get(provider).ok_or(Refusal::NotFound { field: "providerId" })?;
    if let Some(name) = name {
        check::text(&["name"], name, check::TEXT_CHARS_MAX)?;
    }
    if let Patch::Set(homepage) = homepage {
        check::url(&["homepage"], homepage)?;
    }
    check_origins(origins.as_deref().unwrap_or_default())?;
    check_limits(state, limits.as_deref().unwrap_or_default())?;
    check_keys(keys.as_deref().unwrap_or_default())?;
    let named = name.is_some() || origins.is_some() || suspended.is_some() || limits.is_some() || keys.is_some();
    if !named && homepage.is_keep() {
        return Err(Refusal::nothing_to_change());
    }
    // The list is the whole truth: what it does not name again has no limit.
    let gone = |old: &&CreditLimit| limits.as_ref().is_some_and(|limits| !limits.iter().any(|new| old.is_of(new)));
    let lift = |old: &CreditLimit| LiftedLimit { call_server: old.call_server.clone(), currency: old.limit.currency() };
    Ok(vec![
        ProviderUpdated {
            credit_limits: limits.clone(),
            customer_keys: keys.clone(),
            homepage: homepage.clone().set(),
            homepage_removed: homepage.is_clear(),
            limits_lifted: row.credit_limits.iter().filter(gone).map(lift).collect(),
            name: name.clone(),
            origins: origins.clone(),
            provider,
            suspended,
        }
        .into(),
    ])
}

fn check_origins(origins: &[String]) -> Result<(), Refusal> {
    check::list(&["origins"], origins)?;
    let check = |(at, origin): (usize, &String)| check::origin(&["origins", &at.to_string()], origin);
    origins.iter().enumerate().try_for_each(check)
}

/// As many as a provider needs that changes its key while proofs are out.
pub const CUSTOMER_KEYS_MAX: usize = 5;
const KID_CHARS_MAX: usize = 100;

fn check_keys(keys: &[CustomerKey]) -> Result<(), Refusal> {
    if keys.len() > CUSTOMER_KEYS_MAX {
        return Err(Refusal::invalid(&["customerKeys"], format!("at most {CUSTOMER_KEYS_MAX} keys")));
    }
    for (at, key) in keys.iter().enumerate() {
        check::text(&["customerKeys", &at.to_string(), "kid"], &key.kid, KID_CHARS_MAX)?;
        if keys[..at].iter().any(|other| other.kid == key.kid) {
            return Err(Refusal::invalid_at(&["customerKeys"], at, &["kid"], "each kid once"));
        }
    }
    Ok(())
}

fn check_limits(state: &State, limits: &[CreditLimit]) -> Result<(), Refusal> {
    check::list(&["creditLimits"], limits)?;
    for (at, limit) in limits.iter().enumerate() {
        let wrong = |member: &[&str], message| Refusal::invalid_at(&["creditLimits"], at, member, message);
        if limits[..at].iter().any(|other| other.is_of(limit)) {
            return Err(wrong(&[], "each call server and currency once"));
        }
        if !state.call_servers.contains_key(&limit.call_server) {
            return Err(wrong(&["callServer"], "no call server has this name"));
        }
        if limit.limit.is_negative() {
            return Err(wrong(&["limit", "amount"], "zero or more"));
        }
        if !check::has_magnitude(limit.limit.amount()) {
            return Err(wrong(&["limit", "amount"], "at most 18 digits before the point"));
        }
    }
    Ok(())
}

/// Names of languages: RFC 5646 tags such as `en` or `de-AT`, compared as given.
fn check_languages(languages: &[String]) -> Result<(), Refusal> {
    check::list(&["languages"], languages)?;
    let tag =
        |text: &String| (2..=35).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if let Some(at) = languages.iter().position(|text| !tag(text)) {
        return Err(Refusal::invalid_at(&["languages"], at, &[], "language tags such as en or de-AT"));
    }
    Ok(())
}

pub fn open_call_server(
    state: &State,
    name: &LogName,
    topics: &[Topic],
    languages: &[String],
    locations: &[Location],
    ctx: &Ctx,
) -> Decided {
    if name.is_reserved() {
        return Err(Refusal::invalid(&["name"], "this name is the house's own"));
    }
    check::list(&["topics"], topics)?;
    check_languages(languages)?;
    check::locations(locations)?;
    if state.call_servers.contains_key(name) {
        return Err(Refusal::NameTaken);
    }
    Ok(vec![
        CallServerOpened {
            call_server: CallServerId(ctx.ids.next()),
            languages: languages.to_vec(),
            locations: locations.to_vec(),
            name: name.clone(),
            topics: topics.to_vec(),
        }
        .into(),
    ])
}

pub fn update_call_server(
    state: &State,
    name: &LogName,
    default: Option<bool>,
    topics: &Option<Vec<Topic>>,
    languages: &Option<Vec<String>>,
    locations: &Option<Vec<Location>>,
) -> Decided {
    let row = state.call_servers.get(name).ok_or(Refusal::NotFound { field: "callServer" })?;
    if default == Some(false) && state.scalars.default_call_server.as_ref() == Some(name) {
        return Err(Refusal::invalid(&["default"], "make another call server the default instead"));
    }
    check::list(&["topics"], topics.as_deref().unwrap_or_default())?;
    check_languages(languages.as_deref().unwrap_or_default())?;
    check::locations(locations.as_deref().unwrap_or_default())?;
    // One that is not the default cannot be made less of it: that is named, and nothing to change.
    let default = default.filter(|default| *default);
    if default.is_none() && topics.is_none() && languages.is_none() && locations.is_none() {
        return Err(Refusal::nothing_to_change());
    }
    Ok(vec![
        CallServerUpdated {
            call_server: row.id,
            default,
            languages: languages.clone(),
            locations: locations.clone(),
            name: name.clone(),
            topics: topics.clone(),
        }
        .into(),
    ])
}

/// Taken over from `community` into the call server's own log. A repeat changes nothing.
pub fn start_call_server(
    state: &State,
    call_server: CallServerId,
    name: &LogName,
    locations: &[Location],
    source: &SourcePosition,
) -> Decided {
    if state.has_source(source)? {
        return Ok(vec![]);
    }
    let started =
        CallServerStarted { call_server, locations: locations.to_vec(), name: name.clone(), source: source.clone() };
    Ok(vec![started.into()])
}

/// Taken over from `community`, all limits of one source event at once. A repeat changes nothing.
pub fn grant_credit_limits(
    state: &State,
    provider: ProviderId,
    limits: &[Money],
    lifted: &[Currency],
    source: &SourcePosition,
    ctx: &Ctx,
) -> Decided {
    if state.has_source(source)? {
        return Ok(vec![]);
    }
    let grant = |currency: Currency, limit: Option<Money>| {
        let account = state.accounts.get((Party::Provider(provider), currency));
        let account = account.map_or_else(|| AccountId(ctx.ids.next()), |account| account.id);
        CreditLimitGranted { account, limit, provider, source: source.clone(), zero: Money::zero(currency) }.into()
    };
    let granted = limits.iter().map(|limit| grant(limit.currency(), Some(*limit)));
    Ok(granted.chain(lifted.iter().map(|currency| grant(*currency, None))).collect())
}

/// The provider whose thing it is, or an operator.
pub(crate) fn own_provider(provider: ProviderId, ctx: &Ctx) -> bool {
    matches!(ctx.actor, Actor::Operator(_)) || ctx.actor == Actor::Provider(provider)
}

pub fn publish_offer(state: &State, provider: ProviderId, terms: &OfferTerms, links: &[NewLink], ctx: &Ctx) -> Decided {
    if !own_provider(provider, ctx) {
        return Err(Refusal::NotFound { field: "providerId" });
    }
    let row = state.providers.get(provider).ok_or(Refusal::NotFound { field: "providerId" })?;
    let terms = OfferTerms { links: make_links(links, ctx), ..terms.clone() };
    check::terms(&terms)?;
    check_valid_until(&terms, ctx)?;
    if row.suspended {
        return Err(Refusal::NotAllowedNow { message: "The provider is suspended." });
    }
    Ok(vec![OfferPublished { offer: OfferId(ctx.ids.next()), provider, terms }.into()])
}

fn make_links(links: &[NewLink], ctx: &Ctx) -> Vec<OfferLink> {
    links
        .iter()
        .map(|link| OfferLink { id: LinkId(ctx.ids.next()), label: link.label.clone(), topic: link.topic.clone() })
        .collect()
}

fn check_valid_until(terms: &OfferTerms, ctx: &Ctx) -> Result<(), Refusal> {
    match terms.valid_until {
        Some(until) if until <= ctx.now => Err(Refusal::invalid(&["validUntil"], "in the future")),
        _ => Ok(()),
    }
}

fn own_offer<'a>(state: &'a State, offer: OfferId, ctx: &Ctx) -> Result<&'a Offer, Refusal> {
    let found = state.offers.get(offer).filter(|row| own_provider(row.provider, ctx));
    found.ok_or(Refusal::NotFound { field: "offerId" })
}

pub fn revise_offer(state: &State, offer: OfferId, expected_revision: u32, change: &OfferChange, ctx: &Ctx) -> Decided {
    let row = own_offer(state, offer, ctx)?;
    if row.retired {
        return Err(Refusal::OfferRetired);
    }
    if row.revision != expected_revision {
        return Err(Refusal::StaleRevision { current: row.revision });
    }
    if *change == OfferChange::default() {
        return Err(Refusal::nothing_to_change());
    }
    let old = &row.terms;
    // A link that stays as it was keeps its id, so that addresses on pages stay good.
    let links = change.links.as_ref().map(|links| {
        let keep =
            |new: &NewLink| old.links.iter().find(|link| link.label == new.label && link.topic == new.topic).cloned();
        let make = |new: &NewLink| {
            keep(new).unwrap_or_else(|| OfferLink {
                id: LinkId(ctx.ids.next()),
                label: new.label.clone(),
                topic: new.topic.clone(),
            })
        };
        links.iter().map(make).collect()
    });
    let terms = OfferTerms {
        accepts_questions: change.accepts_questions.unwrap_or(old.accepts_questions),
        allocation: change.allocation.clone().unwrap_or_else(|| old.allocation.clone()),
        channels: change.channels.clone().unwrap_or_else(|| old.channels.clone()),
        consent_window: change.consent_window.unwrap_or(old.consent_window),
        daily_budget: change.daily_budget.over(old.daily_budget),
        hours: change.hours.clone().over(old.hours.clone()),
        links: links.unwrap_or_else(|| old.links.clone()),
        max_open: change.max_open.over(old.max_open),
        max_wait: change.max_wait.unwrap_or(old.max_wait),
        prefer_last_agent_for: change.prefer_last_agent_for.unwrap_or(old.prefer_last_agent_for),
        priority: change.priority.unwrap_or(old.priority),
        relaxation: change.relaxation.clone().unwrap_or_else(|| old.relaxation.clone()),
        required_skills: change.required_skills.clone().unwrap_or_else(|| old.required_skills.clone()),
        terms: change.terms.clone().over(old.terms.clone()),
        title: change.title.clone().unwrap_or_else(|| old.title.clone()),
        valid_until: change.valid_until.over(old.valid_until),
        wrap_up: change.wrap_up.over(old.wrap_up),
        independent_agents_only: old.independent_agents_only,
        shown_before_consent: old.shown_before_consent.clone(),
    };
    check::terms(&terms)?;
    if !change.valid_until.is_keep() {
        check_valid_until(&terms, ctx)?;
    }
    // What asks for what is so already is recorded, and makes no revision: who has read this one has read the newest.
    let revision = if terms == *row.terms { row.revision } else { row.revision + 1 };
    Ok(vec![OfferRevised { offer, revision, terms }.into()])
}

pub fn retire_offer(state: &State, offer: OfferId, ctx: &Ctx) -> Decided {
    let row = own_offer(state, offer, ctx)?;
    if row.retired {
        return Err(Refusal::OfferRetired);
    }
    Ok(vec![OfferRetired { offer }.into()])
}

/// Asked for again it is recorded again, as a status is.
pub fn pause_offer(state: &State, offer: OfferId, ctx: &Ctx) -> Decided {
    if own_offer(state, offer, ctx)?.retired {
        return Err(Refusal::OfferRetired);
    }
    Ok(vec![OfferPaused { offer }.into()])
}

pub fn resume_offer(state: &State, offer: OfferId, ctx: &Ctx) -> Decided {
    if own_offer(state, offer, ctx)?.retired {
        return Err(Refusal::OfferRetired);
    }
    Ok(vec![OfferResumed { offer }.into()])
}

/// By the process manager of the call server where the inquiry has ended. A repeat changes nothing.
pub fn free_place(state: &State, inquiry: InquiryId, spent: Option<Money>, source: &SourcePosition) -> Decided {
    if state.has_source(source)? {
        return Ok(vec![]);
    }
    let Some(counted) = state.counted.get(inquiry) else { return Ok(vec![]) };
    let Counted { day, offer, reserved } = *counted;
    Ok(vec![OfferPlaceFreed { day, inquiry, offer, reserved, source: source.clone(), spent }.into()])
}

/// Where a question goes that names no topic: no subject was found in it.
pub const GENERAL: &str = "general";

/// An offer and its provider, as an acceptance meets them.
pub struct OfferNow<'a> {
    pub terms: &'a OfferTerms,
    pub revision: u32,
    pub retired: bool,
    pub suspended: bool,
    pub paused: bool,
    /// Of its limits.
    pub used: &'a Used,
    pub origins: &'a [String],
    /// The provider takes no inquiry of whom it is for.
    pub keeps_away: bool,
    /// The subject matters of each call server that is open.
    pub call_servers: Vec<&'a [Topic]>,
}

fn check_offer(
    offer: &OfferNow<'_>,
    acceptance: &Acceptance,
    now: Timestamp,
    sees_limits: bool,
) -> Result<(), Refusal> {
    if offer.retired {
        return Err(Refusal::OfferRetired);
    }
    if offer.terms.valid_until.is_some_and(|until| until <= now) {
        return Err(Refusal::OfferExpired);
    }
    if acceptance.offer_revision.is_some_and(|seen| seen != offer.revision) {
        return Err(Refusal::StaleRevision { current: offer.revision });
    }
    if offer.suspended {
        return Err(Refusal::NotAllowedNow { message: "The provider is suspended." });
    }
    if offer.paused {
        return Err(Refusal::OfferPaused);
    }
    offer.used.admits(offer.terms, now, sees_limits)
}

/// The same of an inquiry that the contact centre starts. Who is turned to has agreed to nothing yet, so no terms are
/// asked for; an offer that takes no questions may still be spoken about.
pub fn check_start(
    offer: &OfferNow<'_>,
    acceptance: &Acceptance,
    now: Timestamp,
    starter: &Actor,
) -> Result<(), Refusal> {
    check_offer(offer, acceptance, now, matches!(starter, Actor::Operator(_)))?;
    if !offer.terms.channels.contains(&acceptance.channel) {
        return Err(Refusal::ChannelNotOffered);
    }
    if acceptance.topics.len() != 1 || acceptance.link.is_some() || acceptance.content.is_some() {
        return Err(Refusal::invalid(&["topic"], "one topic"));
    }
    check_topics(offer, acceptance).map_err(|_| Refusal::invalid(&["topic"], "not a known subject matter"))?;
    check_takers(offer, "The provider takes no inquiry of this customer.")
}

/// Who is in the way whatever the acceptance says: it cannot be known from the acceptance. `kept_away` is for whoever
/// asks.
fn check_takers(offer: &OfferNow<'_>, kept_away: &'static str) -> Result<(), Refusal> {
    if offer.keeps_away {
        return Err(Refusal::NotAllowedNow { message: kept_away });
    }
    if offer.call_servers.is_empty() {
        return Err(NO_CALL_SERVER);
    }
    Ok(())
}

const NO_CALL_SERVER: Refusal = Refusal::NotAllowedNow { message: "No call server is open yet." };

/// Whatever refuses an acceptance, but for who is erased and a proof's key that is taken back: an edge asks it before it
/// seals anything.
/// Returns the content as it will be recorded.
pub fn check_acceptance(
    offer: &OfferNow<'_>,
    acceptance: &Acceptance,
    now: Timestamp,
) -> Result<Option<ContentReference>, Refusal> {
    let terms = offer.terms;
    check_offer(offer, acceptance, now, false)?;
    if acceptance.link.is_none() && acceptance.question.is_none() {
        return Err(Refusal::invalid(&["linkId"], "give a link, a question, or both"));
    }
    if acceptance.question.is_some() && !terms.accepts_questions {
        return Err(Refusal::invalid(&["question"], "the offer takes no questions; follow one of its links"));
    }
    if acceptance.link.is_some_and(|id| !terms.links.iter().any(|link| link.id == id)) {
        return Err(Refusal::NotFound { field: "linkId" });
    }
    if !terms.channels.contains(&acceptance.channel) {
        return Err(Refusal::ChannelNotOffered);
    }
    if acceptance.initiator == Initiator::ContactCenter {
        return Err(Refusal::invalid(&["initiator"], "the contact centre starts inquiries, it does not accept offers"));
    }
    if let Some(consent) = &terms.terms
        && acceptance.terms_version.as_ref() != Some(&consent.version)
    {
        return Err(Refusal::TermsNotAccepted);
    }
    if let Some(language) = &acceptance.language {
        check_languages(std::slice::from_ref(language))
            .map_err(|_| Refusal::invalid(&["language"], "a language tag such as en or de-AT"))?;
    }
    check_topics(offer, acceptance)?;
    check_takers(offer, "This provider takes no inquiries of yours.")?;
    let Some(content) = &acceptance.content else { return Ok(None) };
    let placement = if offer.origins.contains(&content.origin) {
        Placement::ProviderPage
    } else if acceptance.community_origins.contains(&content.origin) {
        if content.direct { Placement::Direct } else { Placement::CommunityPage }
    } else {
        return Err(Refusal::OriginRefused);
    };
    Ok(Some(ContentReference { origin: content.origin.clone(), page: content.page.clone(), placement }))
}

pub fn accept_offer(state: &State, acceptance: &Acceptance, ctx: &Ctx) -> Decided {
    let offer = state.offers.get(acceptance.offer).ok_or(Refusal::NotFound { field: "offerId" })?;
    let content = check_acceptance(&offer_now(state, offer, acceptance.customer), acceptance, ctx.now)?;
    let provider = state.providers.get(offer.provider).expect("an offer's provider was registered before it");
    if acceptance.proven_by.as_ref().is_some_and(|key| !provider.customer_keys.contains(key)) {
        return Err(Refusal::CustomerProofRefused { message: "The provider has taken its key back." });
    }
    accepted(state, offer, acceptance, content, ctx)
}

/// By the contact centre, for a customer whom it turns to.
pub fn start_inquiry(state: &State, acceptance: &Acceptance, ctx: &Ctx) -> Decided {
    let offer = state.offers.get(acceptance.offer).ok_or(Refusal::NotFound { field: "offerId" })?;
    check_start(&offer_now(state, offer, acceptance.customer), acceptance, ctx.now, &ctx.actor)?;
    // Nobody comes with a proof here.
    let acceptance = Acceptance { initiator: Initiator::ContactCenter, proven_by: None, ..acceptance.clone() };
    accepted(state, offer, &acceptance, None, ctx)
}

fn offer_now<'a>(state: &'a State, offer: &'a Offer, customer: CustomerId) -> OfferNow<'a> {
    let provider = state.providers.get(offer.provider).expect("an offer's provider was registered before it");
    OfferNow {
        terms: &offer.terms,
        revision: offer.revision,
        retired: offer.retired,
        suspended: provider.suspended,
        paused: offer.paused,
        used: &offer.used,
        origins: &provider.origins,
        keeps_away: provider.blocks(customer),
        call_servers: state.call_servers.values().map(|server| &*server.topics).collect(),
    }
}

fn accepted(
    state: &State,
    offer: &Offer,
    acceptance: &Acceptance,
    content: Option<ContentReference>,
    ctx: &Ctx,
) -> Decided {
    if state.erased.get(acceptance.customer).is_some() {
        return Err(Refusal::CustomerErased);
    }
    let terms = &offer.terms;
    let link = acceptance.link.and_then(|id| terms.links.iter().find(|link| link.id == id));
    let mut topics: Vec<Topic> = link.map(|link| link.topic.clone()).into_iter().collect();
    for topic in &acceptance.topics {
        if !topics.contains(topic) {
            topics.push(topic.clone());
        }
    }
    // Who said what it is about has said it.
    let classified = acceptance.classified.clone().filter(|_| topics.is_empty());
    topics.extend(classified.iter().map(|classified| classified.chosen.clone()));
    if topics.is_empty() {
        topics.push(GENERAL.parse().expect("the constant is a topic"));
    }
    let (call_server, why) = choose_call_server(state, &topics, acceptance.language.as_deref(), &acceptance.waiting)?;
    let prefers = !terms.prefer_last_agent_for.is_zero();
    let served = acceptance.last_agents.iter().find(|(log, _)| prefers && *log == call_server);
    let last_agent = served.map(|(_, agent)| *agent);

    // After this point the acceptance stands.
    Ok(vec![
        OfferAccepted {
            call_server,
            channel: acceptance.channel,
            classified,
            content,
            customer: acceptance.customer,
            customer_is_new: acceptance.information == InformationOutcome::New,
            information_unavailable: acceptance.information == InformationOutcome::Unavailable,
            initiator: acceptance.initiator,
            inquiry: InquiryId(ctx.ids.next()),
            language: acceptance.language.clone(),
            last_agent,
            link: acceptance.link,
            offer: acceptance.offer,
            profile: acceptance.profile.clone(),
            proven_by: acceptance.proven_by.clone(),
            provider: offer.provider,
            question: acceptance.question.clone(),
            revision: offer.revision,
            started_by: match ctx.actor {
                Actor::Agent(agent) => Some(agent),
                _ => None,
            },
            terms: (**terms).clone(),
            terms_version: acceptance.terms_version.clone(),
            topics,
            why,
        }
        .into(),
    ])
}

/// Topics stand in logs, queues and views in clear, so nobody may make up one: it could be what a customer
/// wrote.
fn check_topics(offer: &OfferNow<'_>, acceptance: &Acceptance) -> Result<(), Refusal> {
    check::list(&["topics"], &acceptance.topics)?;
    for (at, topic) in acceptance.topics.iter().enumerate() {
        let known = offer.terms.links.iter().any(|link| link.topic == *topic)
            || offer.call_servers.iter().any(|topics| topics.contains(topic))
            || acceptance.known_topics.contains(topic);
        if !known {
            return Err(Refusal::invalid_at(&["topics"], at, &[], "not a known subject matter"));
        }
    }
    Ok(())
}

/// Longest topic match, then language, then least waiting, then name; the default where no topic fits.
fn choose_call_server(
    state: &State,
    topics: &[Topic],
    language: Option<&str>,
    waiting: &[(LogName, u64)],
) -> Result<(LogName, Why), Refusal> {
    let mut fitting = Vec::new();
    let mut mismatched = Vec::new();
    for (name, server) in &state.call_servers {
        let matched =
            server.topics.iter().filter(|own| topics.iter().any(|topic| own.contains(topic))).map(Topic::depth).max();
        let speaks = language.is_some_and(|language| server.languages.iter().any(|own| own == language));
        let queued = waiting.iter().find(|(log, _)| log == name).map_or(0, |(_, count)| *count);
        match matched {
            Some(depth) => fitting.push((Reverse(depth), Reverse(speaks), queued, name, server)),
            None => mismatched.push(Subject::from(server.id)),
        }
    }
    fitting.sort_by(|a, b| (a.0, a.1, a.2, a.3).cmp(&(b.0, b.1, b.2, b.3)));
    let ranked = fitting.iter().take(crate::why::RANKED_MAX).map(|(depth, speaks, queued, name, server)| Ranked {
        amount: None,
        bid: None,
        score: Some(depth.0.to_string()),
        subject: server.id.into(),
        tie_key: format!("language {}, waiting {queued}, {name}", u8::from(speaks.0)),
    });
    let excluded = if mismatched.is_empty() {
        vec![]
    } else {
        vec![Excluded { agents: vec![], reason: ExclusionReason::TopicMismatch, subjects: mismatched }]
    };
    let ranked = ranked.collect();
    let (name, server, rule) = match fitting.first() {
        Some((.., name, server)) => ((*name).clone(), *server, "content/1"),
        None => {
            let name = state.scalars.default_call_server.as_ref();
            let name = name.ok_or(NO_CALL_SERVER)?;
            (name.clone(), &state.call_servers[name], "default/1")
        }
    };
    Ok((name, Why { chosen: Some(server.id.into()), excluded, ranked, rule: rule.to_owned() }))
}

pub fn apply_provider(state: &mut State, event: &ProviderEvent) {
    match event {
        ProviderEvent::Registered(e) => {
            let row = Provider {
                suspended: false,
                origins: e.origins.clone().into(),
                credit_limits: e.credit_limits.clone().into(),
                customer_keys: identities(&e.customer_keys),
                blocks: Arc::new([]),
            };
            state.providers.put(&mut state.journal, e.provider, row);
        }
        ProviderEvent::Updated(e) => state.providers.change(&mut state.journal, e.provider, |row| {
            if let Some(origins) = &e.origins {
                row.origins = origins.clone().into();
            }
            if let Some(limits) = &e.credit_limits {
                row.credit_limits = limits.clone().into();
            }
            if let Some(keys) = &e.customer_keys {
                row.customer_keys = identities(keys);
            }
            row.suspended = e.suspended.unwrap_or(row.suspended);
        }),
        ProviderEvent::CustomerBlocked(e) => state.providers.change(&mut state.journal, e.provider, |row| {
            row.blocks = block::with(&row.blocks, e.customer);
        }),
        ProviderEvent::CustomerUnblocked(e) => state.providers.change(&mut state.journal, e.provider, |row| {
            row.blocks = block::without(&row.blocks, e.customer);
        }),
    }
}

fn identities(keys: &[CustomerKey]) -> Arc<[String]> {
    keys.iter().map(|key| key.identity().to_owned()).collect()
}

pub fn apply_offer(state: &mut State, event: &OfferEvent, at: Timestamp) {
    match event {
        OfferEvent::Published(e) => {
            let row = Offer {
                provider: e.provider,
                revision: 1,
                terms: Arc::new(e.terms.clone()),
                paused: false,
                retired: false,
                used: Used::default(),
            };
            state.offers.put(&mut state.journal, e.offer, row);
        }
        OfferEvent::Revised(e) => state.offers.change(&mut state.journal, e.offer, |row| {
            row.revision = e.revision;
            row.terms = Arc::new(e.terms.clone());
        }),
        OfferEvent::Retired(e) => state.offers.change(&mut state.journal, e.offer, |row| row.retired = true),
        OfferEvent::Paused(e) => state.offers.change(&mut state.journal, e.offer, |row| row.paused = true),
        OfferEvent::Resumed(e) => state.offers.change(&mut state.journal, e.offer, |row| row.paused = false),
        // Acceptances live in the call server's log; here is what they take of their offer's limits.
        OfferEvent::Accepted(e) => {
            if e.terms.is_limited() {
                let reserved = e.terms.most_it_costs();
                let counted = Counted { offer: e.offer, day: limits::day_of(at), reserved };
                state.counted.put(&mut state.journal, e.inquiry, counted);
                state.offers.change(&mut state.journal, e.offer, |row| row.used.take(reserved, at));
            }
        }
        OfferEvent::PlaceFreed(e) => {
            state.note_source(&e.source);
            state.counted.remove(&mut state.journal, e.inquiry);
            state.offers.change(&mut state.journal, e.offer, |row| row.used.give_back(e.day, e.reserved, e.spent));
        }
    }
}

pub fn apply_call_server(state: &mut State, event: &CallServerEvent) {
    match event {
        CallServerEvent::Opened(e) => {
            let row = CallServer {
                id: e.call_server,
                topics: e.topics.clone().into(),
                languages: e.languages.clone().into(),
            };
            state.put_call_server(e.name.clone(), row);
            if state.scalars.default_call_server.is_none() {
                state.change_scalars(|scalars| scalars.default_call_server = Some(e.name.clone()));
            }
        }
        CallServerEvent::Updated(e) => {
            let mut row = state.call_servers[&e.name].clone();
            if let Some(topics) = &e.topics {
                row.topics = topics.clone().into();
            }
            if let Some(languages) = &e.languages {
                row.languages = languages.clone().into();
            }
            state.put_call_server(e.name.clone(), row);
            if e.default == Some(true) {
                state.change_scalars(|scalars| scalars.default_call_server = Some(e.name.clone()));
            }
        }
        CallServerEvent::Started(e) => {
            state.note_source(&e.source);
            state.change_scalars(|scalars| {
                scalars.call_server = Some(e.call_server);
                scalars.locations = e.locations.clone().into();
            });
        }
        CallServerEvent::TrafficReported(e) => {
            let report = location::Report { traffic: e.traffic, valid_until: e.valid_until };
            location::apply_report(state, &e.location, Some(report));
        }
        CallServerEvent::TrafficExpired(e) => location::apply_report(state, &e.location, None),
        CallServerEvent::CreditLimitGranted(e) => {
            state.note_source(&e.source);
            let key = (Party::Provider(e.provider), e.zero.currency());
            let limit = e.limit.map(Money::amount);
            match state.accounts.get(key) {
                Some(_) => state.accounts.change(&mut state.journal, key, |row| row.credit_limit = limit),
                None => {
                    let zero = e.zero.amount();
                    let row = Account::new(e.account, zero, limit);
                    state.accounts.put(&mut state.journal, key, row);
                }
            }
        }
    }
}
