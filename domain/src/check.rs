//! Bounds of what people send: every limit has a name here, used by the checks and their messages.

use crate::currency::Currency;
use crate::event::community::Location;
use crate::hours::BusinessHours;
use crate::money::Money;
use crate::refusal::Refusal;
use crate::terms::{
    Allocation, AuctionFormat, AuctionRules, Direction, OfferLink, OfferTerms, RelaxationRing, RoutingPolicy,
};
use crate::time::Span;
use crate::topic::{SKILL_LEVEL_MAX, Skill};
use rust_decimal::Decimal;

pub const TEXT_CHARS_MAX: usize = 200;
pub const URL_CHARS_MAX: usize = 2_000;
pub const LIST_MAX: usize = 50;
pub const CAPACITY_MAX: u32 = 100;
/// Agents in one report, so that it fits one event with room to spare; whoever has more sends several.
pub const PRESENCE_MAX: usize = 1_000;
pub const ROUNDS_MAX: u32 = 10;
pub const CONSENT_WINDOW_MAX: Span = Span::minutes(60);
pub const WRAP_UP_MAX: Span = Span::days(1);
pub const MAX_WAIT_MAX: Span = Span::days(60);
pub const OPEN_FOR_MAX: Span = Span::days(30);

type Checked = Result<(), Refusal>;

pub fn text(path: &[&str], value: &str, chars_max: usize) -> Checked {
    let blank = value.trim().is_empty();
    let control = value.chars().any(char::is_control);
    if blank || control || value.chars().count() > chars_max {
        return Err(Refusal::invalid(path, format!("1 to {chars_max} characters, none of them a control character")));
    }
    Ok(())
}

pub fn list<T>(path: &[&str], items: &[T]) -> Checked {
    if items.len() > LIST_MAX {
        return Err(Refusal::invalid(path, format!("at most {LIST_MAX} entries")));
    }
    Ok(())
}

/// An http or https address. The edge has parsed it; this bounds it.
pub fn url(path: &[&str], value: &str) -> Checked {
    let web = value.starts_with("https://") || value.starts_with("http://");
    if !web || value.len() > URL_CHARS_MAX || value.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Refusal::invalid(path, format!("an http or https address of at most {URL_CHARS_MAX} characters")));
    }
    Ok(())
}

/// `scheme://host[:port]`, no path.
pub fn origin(path: &[&str], value: &str) -> Checked {
    url(path, value)?;
    let host = value.split_once("://").map_or("", |(_, rest)| rest);
    if host.is_empty() || host.contains(['/', '?', '#', '@']) || value != value.to_lowercase() {
        return Err(Refusal::invalid(path, "an origin such as https://example.org, in lower case and without a path"));
    }
    Ok(())
}

pub fn span(path: &[&str], value: Span, least: Span, most: Span) -> Checked {
    if value < least || value > most {
        return Err(Refusal::invalid(path, format!("from {} to {} seconds", least.0 / 1_000_000, most.0 / 1_000_000)));
    }
    Ok(())
}

pub fn skills(path: &[&str], skills: &[Skill]) -> Checked {
    list(path, skills)?;
    if let Some(at) = skills.iter().position(|skill| skill.level == 0 || skill.level > SKILL_LEVEL_MAX) {
        return Err(Refusal::invalid_at(path, at, &["level"], format!("a level is from 1 to {SKILL_LEVEL_MAX}")));
    }
    let repeated =
        skills.iter().enumerate().position(|(at, skill)| skills[..at].iter().any(|other| other.name == skill.name));
    if let Some(at) = repeated {
        return Err(Refusal::invalid_at(path, at, &["name"], "each skill once"));
    }
    Ok(())
}

pub fn capacity(capacity: u32) -> Checked {
    if capacity == 0 || capacity > CAPACITY_MAX {
        return Err(Refusal::invalid(&["capacity"], format!("from 1 to {CAPACITY_MAX}")));
    }
    Ok(())
}

pub fn locations(locations: &[Location]) -> Checked {
    list(&["locations"], locations)?;
    for (at, location) in locations.iter().enumerate() {
        text(&["locations", &at.to_string(), "name"], &location.name, TEXT_CHARS_MAX)?;
        let wrong = |member: &str, message: &str| Refusal::invalid_at(&["locations"], at, &[member], message);
        if locations[..at].iter().any(|other| other.name == location.name) {
            return Err(wrong("name", "each location once"));
        }
        if let Some(limit) = location.limit {
            if limit < Decimal::ZERO {
                return Err(wrong("limit", "zero or more"));
            }
            magnitude(&["locations", &at.to_string(), "limit"], limit)?;
        }
        if let Some(unit) = &location.traffic_unit {
            text(&["locations", &at.to_string(), "trafficUnit"], unit, TEXT_CHARS_MAX)?;
        }
    }
    Ok(())
}

/// Digits before the point of what anybody names: a price, a step, a bid, a limit. One such amount more or less
/// keeps the decimals of every currency, so prices can be reckoned without a check at each step.
pub const AMOUNT_DIGITS_MAX: u32 = 18;

pub fn has_magnitude(amount: Decimal) -> bool {
    amount.abs() < Decimal::from(10u64.pow(AMOUNT_DIGITS_MAX))
}

pub fn magnitude(path: &[&str], amount: Decimal) -> Checked {
    if !has_magnitude(amount) {
        return Err(Refusal::invalid(path, format!("at most {AMOUNT_DIGITS_MAX} digits before the point")));
    }
    Ok(())
}

fn amount(path: &[&str], amount: Decimal, currency: Currency) -> Checked {
    magnitude(path, amount)?;
    match Money::new(amount, currency) {
        Ok(money) if money.is_positive() => Ok(()),
        Ok(_) => Err(Refusal::invalid(path, "more than zero")),
        Err(error) => Err(Refusal::invalid(path, error.to_string())),
    }
}

pub const RINGS_MAX: usize = 5;

/// Each ring comes later than the one before, asks for less, and comes before the wait is over.
pub fn rings(rings: &[RelaxationRing], max_wait: Span) -> Checked {
    if rings.len() > RINGS_MAX {
        return Err(Refusal::invalid(&["relaxation"], format!("at most {RINGS_MAX} rings")));
    }
    let first = RelaxationRing { after: Span::ZERO, any_topic: false, lower_levels: 0 };
    for (at, ring) in rings.iter().enumerate() {
        let before = if at == 0 { &first } else { &rings[at - 1] };
        let wrong = |member: &[&str], message: &str| Err(Refusal::invalid_at(&["relaxation"], at, member, message));
        if ring.after <= before.after || ring.after < Span::seconds(1) {
            return wrong(&["after"], "later than the ring before, and PT1S at least");
        }
        if ring.after >= max_wait {
            return wrong(&["after"], "before maxWait is over");
        }
        if ring.lower_levels >= u32::from(SKILL_LEVEL_MAX) {
            return wrong(&["lowerLevels"], "0 to 9");
        }
        let asks_more = ring.lower_levels < before.lower_levels || before.any_topic && !ring.any_topic;
        let asks_the_same = (ring.lower_levels, ring.any_topic) == (before.lower_levels, before.any_topic);
        if asks_more || asks_the_same {
            return wrong(&[], "a ring asks for less than the one before");
        }
    }
    Ok(())
}

/// The longest that anybody waits for the agent who served it last.
pub const PREFERENCE_MAX: Span = Span::minutes(10);

/// Where agents choose, or money does, nobody is asked before anybody.
fn preference(terms: &OfferTerms) -> Checked {
    let path = ["preferLastAgentFor"];
    if terms.prefer_last_agent_for.is_zero() {
        return Ok(());
    }
    span(&path, terms.prefer_last_agent_for, Span::seconds(1), PREFERENCE_MAX)?;
    match terms.allocation {
        Allocation::Routed { .. } => Ok(()),
        Allocation::Auction(_) | Allocation::Claim { .. } => {
            Err(Refusal::invalid(&path, "only where the platform selects: routed"))
        }
    }
}

/// Steps of an offer's priority.
pub const PRIORITY_MAX: u32 = 10;

/// One revision of an offer, links included.
pub fn terms(terms: &OfferTerms) -> Checked {
    text(&["title"], &terms.title, TEXT_CHARS_MAX)?;
    list(&["links"], &terms.links)?;
    for (at, link) in terms.links.iter().enumerate() {
        text(&["links", &at.to_string(), "label"], &link.label, TEXT_CHARS_MAX)?;
    }
    // A revision keeps the ids of links by label and topic.
    let twice = |(at, link): (usize, &OfferLink)| {
        terms.links[..at].iter().any(|other| (&other.label, &other.topic) == (&link.label, &link.topic))
    };
    if let Some(at) = terms.links.iter().enumerate().position(twice) {
        return Err(Refusal::invalid_at(&["links"], at, &[], "each label and topic once"));
    }
    if terms.links.is_empty() && !terms.accepts_questions {
        return Err(Refusal::invalid(&["links"], "an offer without links must accept questions"));
    }
    if terms.channels.is_empty() || terms.channels.len() > 2 || terms.channels[1..].contains(&terms.channels[0]) {
        return Err(Refusal::invalid(&["channels"], "at least one channel, each once"));
    }
    skills(&["requiredSkills"], &terms.required_skills)?;
    list(&["shownBeforeConsent"], &terms.shown_before_consent)?;
    for (at, name) in terms.shown_before_consent.iter().enumerate() {
        text(&["shownBeforeConsent", &at.to_string()], name, TEXT_CHARS_MAX)?;
    }
    span(&["consentWindow"], terms.consent_window, Span::seconds(1), CONSENT_WINDOW_MAX)?;
    span(&["maxWait"], terms.max_wait, Span::seconds(1), MAX_WAIT_MAX)?;
    rings(&terms.relaxation, terms.max_wait)?;
    // A ring is entered while an inquiry waits for its next round, and here there is none.
    if let Allocation::Auction(rules) = &terms.allocation
        && rules.rounds == 1
        && !terms.relaxation.is_empty()
    {
        return Err(Refusal::invalid(&["relaxation"], "not with an auction of one round: nobody is asked after it"));
    }
    preference(terms)?;
    if terms.priority > PRIORITY_MAX {
        return Err(Refusal::invalid(&["priority"], "0 to 10"));
    }
    if let Some(wrap_up) = terms.wrap_up {
        span(&["wrapUp"], wrap_up, Span::seconds(1), WRAP_UP_MAX)?;
    }
    terms.hours.iter().try_for_each(BusinessHours::check)?;
    if let Some(consent) = &terms.terms {
        text(&["terms", "version"], &consent.version, TEXT_CHARS_MAX)?;
        url(&["terms", "url"], &consent.url)?;
    }
    allocation(&terms.allocation)?;
    limits(terms)
}

/// How many may be open at once, and what a day may cost.
fn limits(terms: &OfferTerms) -> Checked {
    if terms.max_open == Some(0) {
        return Err(Refusal::invalid(&["maxOpenInquiries"], "at least one; pause the offer to take none"));
    }
    let Some(budget) = terms.daily_budget else { return Ok(()) };
    let path = ["dailyBudget", "amount"];
    amount(&path, budget.amount(), budget.currency())?;
    let Some(most) = terms.most_it_costs() else {
        return Err(Refusal::invalid(&["dailyBudget"], "only where the provider pays a price: REVERSE"));
    };
    if budget.currency() != most.currency() {
        return Err(Refusal::invalid(
            &["dailyBudget", "currency"],
            format!("the offer's prices are in {}", most.currency()),
        ));
    }
    if budget.amount() < most.amount() {
        return Err(Refusal::invalid(&path, format!("at least {most}, which one inquiry may cost")));
    }
    Ok(())
}

fn allocation(given: &Allocation) -> Checked {
    match given {
        Allocation::Auction(rules) => auction(rules),
        Allocation::Claim { price, .. } => fixed_price(&["allocation", "claim", "price", "amount"], *price),
        Allocation::Routed { policy: RoutingPolicy::BestValue, price: None, .. } => {
            let path = ["allocation", "routed", "price"];
            Err(Refusal::invalid(&path, "BEST_VALUE needs a price: the most or the least that is taken"))
        }
        Allocation::Routed { price, .. } => fixed_price(&["allocation", "routed", "price", "amount"], *price),
    }
}

/// What each inquiry of an offer costs, whoever takes it; absent: nothing.
fn fixed_price(path: &[&str], price: Option<Money>) -> Checked {
    price.map_or(Ok(()), |price| amount(path, price.amount(), price.currency()))
}

fn auction(rules: &AuctionRules) -> Checked {
    let path = |name| ["allocation", "auction", name];
    for (name, given) in
        [("reserve", rules.reserve), ("startingPrice", rules.starting_price), ("buyNow", rules.buy_now)]
    {
        if let Some(given) = given {
            amount(&path(name), given, rules.currency)?;
        }
    }
    if rules.direction == Direction::Reverse && rules.reserve.is_none() {
        return Err(Refusal::invalid(&path("reserve"), "a REVERSE auction needs a ceiling"));
    }
    if rules.reserve_hidden && rules.reserve.is_none() {
        return Err(Refusal::invalid(&path("reserveHidden"), "there is no reserve to hide"));
    }
    if rules.rounds == 0 || rules.rounds > ROUNDS_MAX {
        return Err(Refusal::invalid(&path("rounds"), format!("from 1 to {ROUNDS_MAX}")));
    }
    list(&path("increment"), &rules.increment)?;
    for (at, step) in rules.increment.iter().enumerate() {
        let index = at.to_string();
        let path = |name| ["allocation", "auction", "increment", &index, name];
        amount(&path("by"), step.by, rules.currency)?;
        magnitude(&["allocation", "auction", "increment", "from"], step.from)?;
        let from = Money::new(step.from, rules.currency);
        if from.is_err() || step.from.is_sign_negative() || (at > 0 && step.from <= rules.increment[at - 1].from) {
            return Err(Refusal::invalid(&path("from"), "steps ascend from zero or more, in the currency's decimals"));
        }
    }
    span(&path("openFor"), rules.open_for, Span::seconds(1), OPEN_FOR_MAX)?;
    if let Some(hard_close) = rules.hard_close {
        span(&path("hardClose"), hard_close, rules.open_for, OPEN_FOR_MAX)?;
    }
    if let Some(soft_close) = rules.soft_close {
        span(&path("softClose"), soft_close, Span::seconds(1), OPEN_FOR_MAX)?;
        if rules.format.is_sealed() {
            // An extension would tell that somebody has bid.
            return Err(Refusal::invalid(&path("softClose"), "a sealed auction closes when it said it would"));
        }
        if rules.hard_close.is_none() {
            return Err(Refusal::invalid(&path("hardClose"), "a soft close needs a hard close"));
        }
    }
    if let Some(buy_now) = rules.buy_now {
        if !matches!(rules.format, AuctionFormat::Open | AuctionFormat::Proxy) {
            return Err(Refusal::invalid(&path("buyNow"), "only in OPEN and PROXY"));
        }
        let opening = rules.starting_price.into_iter().chain(rules.reserve);
        if opening.into_iter().any(|bound| !crate::pricing::reaches(rules.direction, buy_now, bound)) {
            return Err(Refusal::invalid(&path("buyNow"), "not short of the starting price or the reserve"));
        }
    }
    Ok(())
}
