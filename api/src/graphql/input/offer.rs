//! Offers and how they are allocated.

use super::super::scalars::{CurrencyCode, DateTime, Decimal, Duration};
use super::super::types::enums::{AuctionDirection, AuctionFormat, ChannelKind, RoutingPolicy};
use super::hours::BusinessHoursInput;
use super::parse::{self, Clearable, MoneyInput, Path, SkillInput};
use async_graphql::{ID, InputObject, OneofObject};
use domain::command::{Command, NewLink, OfferChange};
use domain::currency::Currency;
use domain::ids::ProviderId;
use domain::refusal::Refusal;
use domain::terms::{Allocation, AuctionRules, ConsentText, IncrementStep, OfferTerms, RelaxationRing};
use domain::time::Span;

#[derive(InputObject, Clone, Debug)]
pub struct TermsInput {
    pub version: String,
    pub url: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct OfferLinkInput {
    pub label: String,
    pub topic: String,
}

#[derive(OneofObject, Clone, Debug)]
pub enum AllocationInput {
    Claim(ClaimRulesInput),
    Routed(RoutedRulesInput),
    Auction(AuctionRulesInput),
}

#[derive(InputObject, Clone, Debug)]
pub struct ClaimRulesInput {
    pub price: Option<MoneyInput>,
    #[graphql(default_with = "AuctionDirection::Reverse")]
    pub direction: AuctionDirection,
}

#[derive(InputObject, Clone, Debug)]
pub struct RoutedRulesInput {
    pub price: Option<MoneyInput>,
    #[graphql(default_with = "AuctionDirection::Reverse")]
    pub direction: AuctionDirection,
    #[graphql(default_with = "RoutingPolicy::LongestIdle")]
    pub policy: RoutingPolicy,
}

#[derive(InputObject, Clone, Debug)]
pub struct AuctionRulesInput {
    pub direction: AuctionDirection,
    pub format: AuctionFormat,
    pub currency: CurrencyCode,
    pub reserve: Option<Decimal>,
    #[graphql(default = false)]
    pub reserve_hidden: bool,
    pub starting_price: Option<Decimal>,
    pub buy_now: Option<Decimal>,
    #[graphql(default = 3)]
    pub rounds: i32,
    pub increment: Option<Vec<IncrementStepInput>>,
    pub open_for: Duration,
    pub soft_close: Option<Duration>,
    pub hard_close: Option<Duration>,
}

#[derive(InputObject, Clone, Debug)]
pub struct IncrementStepInput {
    pub from: Decimal,
    pub by: Decimal,
}

#[derive(InputObject, Clone, Debug)]
pub struct RelaxationRingInput {
    pub after: Duration,
    #[graphql(default = 0)]
    pub lower_levels: i32,
    #[graphql(default = false)]
    pub any_topic: bool,
}

#[derive(InputObject, Clone, Debug)]
pub struct PublishOfferInput {
    pub provider_id: Option<ID>,
    pub title: String,
    pub links: Vec<OfferLinkInput>,
    #[graphql(default = true)]
    pub accepts_questions: bool,
    pub channels: Vec<ChannelKind>,
    #[graphql(default)]
    pub required_skills: Vec<SkillInput>,
    pub allocation: AllocationInput,
    #[graphql(default_with = "Duration(Span::seconds(20))")]
    pub consent_window: Duration,
    pub wrap_up: Option<Duration>,
    #[graphql(default_with = "Duration(Span::days(1))")]
    pub max_wait: Duration,
    /// 0 to 10: so many times a queue's `priorityCredit` its inquiries stand ahead there. A queue without credit serves first who came first.
    #[graphql(default = 0)]
    pub priority: i32,
    /// `routed` alone: so long, PT10M at most, whoever served the customer last for this provider is asked before anybody else, and waited for while it is busy. PT0S: nobody is preferred.
    #[graphql(default_with = "Duration(Span::ZERO)")]
    pub prefer_last_agent_for: Duration,
    /// At most five rings, in order of time, all of them before `maxWait` is over.
    #[graphql(default)]
    pub relaxation: Vec<RelaxationRingInput>,
    /// Absent: always.
    pub hours: Option<BusinessHoursInput>,
    #[graphql(default = true)]
    pub independent_agents_only: bool,
    #[graphql(default)]
    pub shown_before_consent: Vec<String>,
    pub terms: Option<TermsInput>,
    pub valid_until: Option<DateTime>,
    /// How many of its inquiries may be open at once; LIMIT_REACHED otherwise.
    pub max_open_inquiries: Option<i32>,
    /// REVERSE alone: what the acceptances of one day (UTC) may cost. Each reserves the most that it may cost and gives back what was not spent; LIMIT_REACHED otherwise.
    pub daily_budget: Option<MoneyInput>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct ReviseOfferInput {
    pub offer_id: ID,
    pub expected_revision: i32,
    pub title: Option<String>,
    pub links: Option<Vec<OfferLinkInput>>,
    pub accepts_questions: Option<bool>,
    pub channels: Option<Vec<ChannelKind>>,
    pub required_skills: Option<Vec<SkillInput>>,
    pub allocation: Option<AllocationInput>,
    pub consent_window: Option<Duration>,
    pub wrap_up: Clearable<Duration>,
    pub max_wait: Option<Duration>,
    pub priority: Option<i32>,
    pub prefer_last_agent_for: Option<Duration>,
    pub relaxation: Option<Vec<RelaxationRingInput>>,
    pub hours: Clearable<BusinessHoursInput>,
    pub terms: Clearable<TermsInput>,
    pub valid_until: Clearable<DateTime>,
    pub max_open_inquiries: Clearable<i32>,
    pub daily_budget: Clearable<MoneyInput>,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct PauseOfferInput {
    pub offer_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct ResumeOfferInput {
    pub offer_id: ID,
    pub idempotency_key: String,
}

#[derive(InputObject, Clone, Debug)]
pub struct RetireOfferInput {
    pub offer_id: ID,
    pub idempotency_key: String,
}

impl PublishOfferInput {
    /// `own`: the provider that asks; everybody else names one.
    pub fn parse(&self, own: Option<ProviderId>) -> Result<Command, Refusal> {
        let path = Path::Input;
        let named = self.provider_id.as_ref().map(|id| parse::id(id, "providerId")).transpose()?;
        Ok(Command::PublishOffer {
            provider: named.or(own).ok_or_else(|| path.member("providerId").invalid("name the provider"))?,
            terms: OfferTerms {
                accepts_questions: self.accepts_questions,
                allocation: self.allocation.parse()?,
                channels: channels(&self.channels),
                consent_window: self.consent_window.0,
                daily_budget: self.daily_budget.as_ref().map(budget).transpose()?,
                hours: self.hours.as_ref().map(BusinessHoursInput::parse).transpose()?,
                independent_agents_only: self.independent_agents_only,
                links: Vec::new(),
                max_open: self.max_open_inquiries.map(most_open).transpose()?,
                max_wait: self.max_wait.0,
                prefer_last_agent_for: self.prefer_last_agent_for.0,
                priority: priority(self.priority)?,
                relaxation: relaxation(&self.relaxation)?,
                required_skills: parse::skills(&path.member("requiredSkills"), &self.required_skills)?,
                shown_before_consent: self.shown_before_consent.clone(),
                terms: self.terms.as_ref().map(TermsInput::parse).transpose()?,
                title: self.title.clone(),
                valid_until: self.valid_until.map(|until| until.0),
                wrap_up: self.wrap_up.map(|wrap_up| wrap_up.0),
            },
            links: links(&self.links)?,
        })
    }
}

impl ReviseOfferInput {
    pub fn parse(&self) -> Result<Command, Refusal> {
        let path = Path::Input;
        let skills = |given: &[SkillInput]| parse::skills(&path.member("requiredSkills"), given);
        Ok(Command::ReviseOffer {
            offer: parse::id(&self.offer_id, "offerId")?,
            expected_revision: parse::count(&path.member("expectedRevision"), self.expected_revision)?,
            change: OfferChange {
                accepts_questions: self.accepts_questions,
                allocation: self.allocation.as_ref().map(AllocationInput::parse).transpose()?,
                channels: self.channels.as_deref().map(channels),
                consent_window: self.consent_window.map(|window| window.0),
                daily_budget: self.daily_budget.0.as_ref().try_map(budget)?,
                hours: self.hours.0.as_ref().try_map(BusinessHoursInput::parse)?,
                links: self.links.as_deref().map(links).transpose()?,
                max_open: self.max_open_inquiries.0.try_map(most_open)?,
                max_wait: self.max_wait.map(|wait| wait.0),
                prefer_last_agent_for: self.prefer_last_agent_for.map(|span| span.0),
                priority: self.priority.map(priority).transpose()?,
                relaxation: self.relaxation.as_deref().map(relaxation).transpose()?,
                required_skills: self.required_skills.as_deref().map(skills).transpose()?,
                terms: self.terms.0.as_ref().try_map(TermsInput::parse)?,
                title: self.title.clone(),
                valid_until: self.valid_until.0.map(|until| until.0),
                wrap_up: self.wrap_up.0.map(|wrap_up| wrap_up.0),
            },
        })
    }
}

impl TermsInput {
    fn parse(&self) -> Result<ConsentText, Refusal> {
        parse::url(&Path::Input.member("terms").member("url"), &self.url)?;
        Ok(ConsentText { url: self.url.clone(), version: self.version.clone() })
    }
}

fn most_open(given: i32) -> Result<u32, Refusal> {
    parse::count(&Path::Input.member("maxOpenInquiries"), given)
}

fn priority(given: i32) -> Result<u32, Refusal> {
    parse::count(&Path::Input.member("priority"), given)
}

fn relaxation(given: &[RelaxationRingInput]) -> Result<Vec<RelaxationRing>, Refusal> {
    let input = Path::Input;
    let list = input.member("relaxation");
    let parse = |(at, ring): (usize, &RelaxationRingInput)| {
        let lower_levels = parse::count(&list.entry(at).member("lowerLevels"), ring.lower_levels)?;
        Ok(RelaxationRing { after: ring.after.0, any_topic: ring.any_topic, lower_levels })
    };
    given.iter().enumerate().map(parse).collect()
}

fn budget(given: &MoneyInput) -> Result<domain::money::Money, Refusal> {
    parse::money(&Path::Input.member("dailyBudget"), given)
}

fn channels(given: &[ChannelKind]) -> Vec<domain::terms::ChannelKind> {
    given.iter().map(|kind| (*kind).into()).collect()
}

fn links(given: &[OfferLinkInput]) -> Result<Vec<NewLink>, Refusal> {
    let input = Path::Input;
    let list = input.member("links");
    let parse = |(at, link): (usize, &OfferLinkInput)| {
        let topic = parse::topic(&list.entry(at).member("topic"), &link.topic)?;
        Ok(NewLink { label: link.label.clone(), topic })
    };
    given.iter().enumerate().map(parse).collect()
}

impl AllocationInput {
    fn parse(&self) -> Result<Allocation, Refusal> {
        let input = Path::Input;
        let allocation = input.member("allocation");
        let price = |name: &'static str, given: &Option<MoneyInput>| {
            given.as_ref().map(|price| parse::money(&allocation.member(name).member("price"), price)).transpose()
        };
        Ok(match self {
            AllocationInput::Claim(rules) => {
                Allocation::Claim { direction: rules.direction.into(), price: price("claim", &rules.price)? }
            }
            AllocationInput::Routed(rules) => Allocation::Routed {
                direction: rules.direction.into(),
                policy: rules.policy.into(),
                price: price("routed", &rules.price)?,
            },
            AllocationInput::Auction(rules) => Allocation::Auction(rules.parse(&allocation.member("auction"))?),
        })
    }
}

impl AuctionRulesInput {
    fn parse(&self, path: &Path<'_>) -> Result<AuctionRules, Refusal> {
        let currency = parse::currency(&path.member("currency"), &self.currency)?;
        let bound = |name, given: Option<Decimal>| match given {
            Some(given) => amount(&path.member(name), given, currency).map(Some),
            None => Ok(None),
        };
        let list = path.member("increment");
        let step = |(at, step): (usize, &IncrementStepInput)| {
            let path = list.entry(at);
            Ok(IncrementStep {
                by: amount(&path.member("by"), step.by, currency)?,
                from: amount(&path.member("from"), step.from, currency)?,
            })
        };
        let increment = self.increment.as_deref().unwrap_or_default();
        Ok(AuctionRules {
            buy_now: bound("buyNow", self.buy_now)?,
            currency,
            direction: self.direction.into(),
            format: self.format.into(),
            hard_close: self.hard_close.map(|span| span.0),
            increment: increment.iter().enumerate().map(step).collect::<Result<_, Refusal>>()?,
            open_for: self.open_for.0,
            reserve: bound("reserve", self.reserve)?,
            reserve_hidden: self.reserve_hidden,
            rounds: parse::count(&path.member("rounds"), self.rounds)?,
            soft_close: self.soft_close.map(|span| span.0),
            starting_price: bound("startingPrice", self.starting_price)?,
        })
    }
}

fn amount(path: &Path<'_>, given: Decimal, currency: Currency) -> Result<rust_decimal::Decimal, Refusal> {
    parse::amount(path, given, currency).map(domain::money::Money::amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        Decimal(text.parse().unwrap())
    }

    fn rules() -> AuctionRulesInput {
        AuctionRulesInput {
            direction: AuctionDirection::Forward,
            format: AuctionFormat::Open,
            currency: CurrencyCode("EUR".into()),
            reserve: Some(dec("1")),
            reserve_hidden: false,
            starting_price: None,
            buy_now: None,
            rounds: 3,
            increment: Some(vec![IncrementStepInput { from: dec("0"), by: dec("0.5") }]),
            open_for: Duration(Span::seconds(30)),
            soft_close: None,
            hard_close: None,
        }
    }

    fn refused(rules: AuctionRulesInput) -> Vec<String> {
        AllocationInput::Auction(rules).parse().unwrap_err().field().unwrap()
    }

    #[test]
    fn amounts_of_an_auction_stand_at_its_currencys_exponent() {
        let Ok(Allocation::Auction(parsed)) = AllocationInput::Auction(rules()).parse() else { panic!() };
        assert_eq!(parsed.reserve.unwrap().to_string(), "1.00");
        assert_eq!(parsed.increment[0].by.to_string(), "0.50");
        assert_eq!(parsed.increment[0].from.to_string(), "0.00");
        let path = |name| ["allocation", "auction", name].map(str::to_owned).to_vec();
        assert_eq!(refused(AuctionRulesInput { reserve: Some(dec("1.001")), ..rules() }), path("reserve"));
        assert_eq!(refused(AuctionRulesInput { currency: CurrencyCode("XAU".into()), ..rules() }), path("currency"));
        assert_eq!(refused(AuctionRulesInput { rounds: -1, ..rules() }), path("rounds"));
        let step = IncrementStepInput { from: dec("0"), by: dec("0.001") };
        let steps = Some(vec![IncrementStepInput { from: dec("0"), by: dec("1") }, step]);
        let field = refused(AuctionRulesInput { increment: steps, ..rules() });
        assert_eq!(field, ["allocation", "auction", "increment", "1", "by"]);
    }

    #[test]
    fn a_price_names_its_rules() {
        let price = MoneyInput { amount: dec("5.001"), currency: CurrencyCode("EUR".into()) };
        let claim = ClaimRulesInput { price: Some(price), direction: AuctionDirection::Reverse };
        let field = AllocationInput::Claim(claim).parse().unwrap_err().field().unwrap();
        assert_eq!(field, ["allocation", "claim", "price", "amount"]);
    }

    #[test]
    fn links_name_the_entry() {
        let link = |topic: &str| OfferLinkInput { label: "Lost card".into(), topic: topic.into() };
        assert_eq!(links(&[link("cards/lost")]).unwrap()[0].topic.as_str(), "cards/lost");
        let field = links(&[link("cards"), link("Cards")]).unwrap_err().field().unwrap();
        assert_eq!(field, ["links", "1", "topic"]);
    }
}
