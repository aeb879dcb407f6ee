//! What a provider bounds of its offer: paused, most open inquiries, a day's budget; and that neither is ever exceeded.

use crate::community::{Front, front, plain};
use crate::support::market::names;
use crate::support::*;
use domain::actor::Actor;
use domain::command::{Command, OfferChange};
use domain::event::Event;
use domain::event::community::{OfferEvent, SourcePosition};
use domain::event::inquiry::{Freed, InquiryEvent};
use domain::ids::{InquiryId, OfferId, ProviderId};
use domain::log::{LogName, Seq};
use domain::money::Money;
use domain::patch::Patch;
use domain::refusal::Refusal;
use domain::terms::{Allocation, AuctionFormat, Direction, OfferTerms, RoutingPolicy};
use domain::time::{Span, Timestamp};
use proptest::prelude::*;

fn paid(price: &str) -> OfferTerms {
    OfferTerms { allocation: Allocation::Claim { direction: Direction::Reverse, price: Some(eur(price)) }, ..plain() }
}

fn limited(max_open: Option<u32>, budget: Option<&str>, price: &str) -> OfferTerms {
    OfferTerms { max_open, daily_budget: budget.map(eur), ..paid(price) }
}

fn is_full(answer: Result<InquiryId, Refusal>) -> bool {
    matches!(answer, Err(Refusal::LimitReached { .. }))
}

impl Front {
    fn takes(&mut self) -> Result<InquiryId, Refusal> {
        self.accepts(|ask| ask.offer_revision = None).map(|accepted| accepted.inquiry)
    }
    /// The call server's end of it, from position `seq` of its log.
    fn ends(&mut self, inquiry: InquiryId, spent: Option<Money>, seq: Seq) -> Answer {
        let source = SourcePosition { hash: format!("{seq:02x}"), log: "bank".parse().unwrap(), seq };
        self.market.asks(Actor::System, Command::FreePlace { inquiry, spent, source })
    }
    fn provider_says(&mut self, command: Command) -> Answer {
        self.market.asks(Actor::Provider(self.provider), command)
    }
}

#[test]
fn a_paused_offer_is_not_accepted_until_it_is_resumed() {
    let mut front = front(plain());
    let offer = front.offer;
    assert_eq!(names(&front.provider_says(Command::PauseOffer { offer }).unwrap()), ["offer.paused"]);
    assert_eq!(front.takes(), Err(Refusal::OfferPaused));
    assert_eq!(names(&front.provider_says(Command::PauseOffer { offer }).unwrap()), ["offer.paused"], "asked again");
    front.revises(1, OfferChange { title: Some("New".to_owned()), ..OfferChange::default() }).unwrap();
    assert_eq!(front.takes(), Err(Refusal::OfferPaused), "a revision resumes nothing");
    front.provider_says(Command::ResumeOffer { offer }).unwrap();
    front.takes().unwrap();

    let other = Actor::Provider(ProviderId(99));
    let absent = Err(Refusal::NotFound { field: "offerId" });
    assert_eq!(front.market.asks(other.clone(), Command::PauseOffer { offer }), absent);
    assert_eq!(front.market.asks(other, Command::ResumeOffer { offer }), absent);
    assert_eq!(front.provider_says(Command::PauseOffer { offer: OfferId(9) }), absent);
    front.provider_says(Command::PauseOffer { offer }).unwrap();
    front.provider_says(Command::RetireOffer { offer }).unwrap();
    assert_eq!(front.takes(), Err(Refusal::OfferRetired), "before that it is paused");
    assert_eq!(front.provider_says(Command::PauseOffer { offer }), Err(Refusal::OfferRetired));
    assert_eq!(front.provider_says(Command::ResumeOffer { offer }), Err(Refusal::OfferRetired));
}

#[test]
fn as_many_are_open_as_the_provider_allows_and_a_place_comes_back() {
    let mut front = front(limited(Some(2), None, "3.00"));
    let first = front.takes().unwrap();
    front.takes().unwrap();
    assert!(is_full(front.takes()));
    assert_eq!(names(&front.ends(first, None, 7).unwrap()), ["offer.place_freed"]);
    assert!(front.ends(first, None, 7).unwrap().is_empty(), "a repeat frees nothing");
    front.takes().unwrap();
    assert!(is_full(front.takes()));
    // What ends at another position of a log that was read before is a repeat too.
    assert!(front.ends(first, None, 6).unwrap().is_empty());
    assert!(front.ends(first, None, 8).unwrap().is_empty(), "it is not counted any more");
    assert!(is_full(front.takes()));
    // Less than are open, more than are open.
    let bound = |most| OfferChange { max_open: Patch::Set(most), ..OfferChange::default() };
    front.revises(1, bound(1)).unwrap();
    assert!(is_full(front.takes()));
    front.revises(2, bound(3)).unwrap();
    front.takes().unwrap();
    assert!(is_full(front.takes()));
    front.revises(3, OfferChange { max_open: Patch::Clear, ..OfferChange::default() }).unwrap();
    front.takes().unwrap();
}

#[test]
fn what_was_accepted_without_limits_is_not_counted() {
    let mut front = front(paid("3.00"));
    let before = front.takes().unwrap();
    front.revises(1, OfferChange { max_open: Patch::Set(1), ..OfferChange::default() }).unwrap();
    front.takes().unwrap();
    assert!(is_full(front.takes()));
    assert!(front.ends(before, None, 1).unwrap().is_empty());
    assert!(is_full(front.takes()));
}

#[test]
fn a_day_costs_no_more_than_its_budget() {
    let mut front = front(limited(None, Some("9.00"), "3.00"));
    let taken: Vec<InquiryId> = (0..3).map(|_| front.takes().unwrap()).collect();
    assert!(is_full(front.takes()), "nine of nine are reserved");
    front.ends(taken[0], Some(eur("3.00")), 1).unwrap();
    assert!(is_full(front.takes()), "it was spent");
    front.ends(taken[1], None, 2).unwrap();
    let again = front.takes().unwrap();
    assert!(is_full(front.takes()));
    // A cent less than is needed, and as much.
    front.ends(again, Some(eur("0.01")), 3).unwrap();
    assert!(is_full(front.takes()));
    let budget = |amount: &str| OfferChange { daily_budget: Patch::Set(eur(amount)), ..OfferChange::default() };
    front.revises(1, budget("9.01")).unwrap();
    front.takes().unwrap();
    assert!(is_full(front.takes()));

    // The next day (UTC) begins anew, to the microsecond; what ends of the day before gives it nothing.
    let midnight = Timestamp((domain::limits::day_of(front.market.now) + 1) * Span::days(1).0);
    front.market.jumps_to(Timestamp(midnight.0 - 1));
    assert!(is_full(front.takes()));
    front.market.jumps_to(midnight);
    for _ in 0..3 {
        front.takes().unwrap();
    }
    assert!(is_full(front.takes()));
    front.ends(taken[2], None, 4).unwrap();
    assert!(is_full(front.takes()));
}

#[test]
fn limits_are_such_as_can_be_kept() {
    let mut front = front(plain());
    let provider = front.provider;
    let mut publish = |terms: OfferTerms| {
        front.provider_says(Command::PublishOffer { provider, terms, links: vec![] }).map_err(|refusal| refusal.field())
    };
    let path = |parts: &[&str]| Err(Some(parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>()));
    assert_eq!(publish(limited(Some(0), None, "3.00")), path(&["maxOpenInquiries"]));
    assert!(publish(limited(Some(1), None, "3.00")).is_ok());
    assert_eq!(publish(limited(None, Some("2.99"), "3.00")), path(&["dailyBudget", "amount"]));
    assert!(publish(limited(None, Some("3.00"), "3.00")).is_ok());
    let dollars =
        OfferTerms { daily_budget: Some(Money::parse("9.00", "USD".parse().unwrap()).unwrap()), ..paid("3.00") };
    assert_eq!(publish(dollars), path(&["dailyBudget", "currency"]));
    let forward = OfferTerms { daily_budget: Some(eur("9.00")), ..plain() };
    assert_eq!(publish(forward), path(&["dailyBudget"]), "agents pay");
    let free = Allocation::Claim { direction: Direction::Reverse, price: None };
    assert_eq!(publish(OfferTerms { allocation: free, ..limited(None, Some("9.00"), "3.00") }), path(&["dailyBudget"]));
    let auction = |budget: &str| OfferTerms {
        daily_budget: Some(eur(budget)),
        ..terms::terms(reverse(AuctionFormat::SealedSecondPrice))
    };
    assert_eq!(publish(auction("99.99")), path(&["dailyBudget", "amount"]), "the ceiling is 100.00");
    assert!(publish(auction("100.00")).is_ok());
    let policy = RoutingPolicy::BestValue;
    let routed = Allocation::Routed { direction: Direction::Reverse, policy, price: Some(eur("5.00")) };
    assert!(publish(OfferTerms { allocation: routed, daily_budget: Some(eur("5.00")), ..plain() }).is_ok());
}

/// The call server says at each end what came of it, where the offer has limits; otherwise it says nothing.
#[test]
fn an_end_says_what_it_leaves() {
    let freed = |events: &[Event]| {
        events.iter().find_map(|event| match event {
            Event::Inquiry(InquiryEvent::Completed(e)) => Some(e.freed),
            Event::Inquiry(InquiryEvent::Withdrawn(e)) => Some(e.freed),
            Event::Inquiry(InquiryEvent::Expired(e)) => Some(e.freed),
            Event::Inquiry(InquiryEvent::PlaceLost(e)) => Some(e.freed),
            _ => None,
        })
    };
    let completes = |terms: OfferTerms| {
        let mut market = Market::with(&[ANN]);
        market.inquires(OfferTerms { wrap_up: None, ..terms }, &["help"]);
        market.claims(ANN).unwrap();
        let session = market.session();
        freed(&market.agent(ANN, Command::EndSession { session }).unwrap()).unwrap()
    };
    let nothing = Some(Freed { offer: OfferId(1), spent: None });
    let price = Some(Freed { offer: OfferId(1), spent: Some(eur("3.00")) });
    assert_eq!(completes(limited(Some(1), None, "3.00")), price);
    assert_eq!(completes(paid("3.00")), None, "without limits nobody is told");
    let forward = Allocation::Claim { direction: Direction::Forward, price: Some(eur("3.00")) };
    assert_eq!(completes(OfferTerms { allocation: forward, max_open: Some(1), ..plain() }), nothing, "the agent paid");

    let mut market = Market::with(&[ANN]);
    market.inquires(limited(Some(1), None, "3.00"), &["help"]);
    assert_eq!(freed(&market.withdraws().unwrap()), Some(None), "its place is kept, and counts");
    let lost = market.now + domain::inquiry::PLACE_KEPT;
    assert_eq!(freed(&market.until(lost)), Some(nothing));
    market.inquires(limited(Some(1), None, "3.00"), &["help"]);
    assert_eq!(freed(&market.pass(Span::days(1))), Some(nothing), "expired");
    // In wrap-up it is open still.
    market.inquires(OfferTerms { wrap_up: Some(Span::minutes(1)), ..limited(Some(1), None, "3.00") }, &["help"]);
    market.claims(ANN).unwrap();
    let session = market.session();
    assert_eq!(freed(&market.agent(ANN, Command::EndSession { session }).unwrap()), None);
    assert_eq!(freed(&market.pass(Span::minutes(1))), Some(price));
}

/// What an offer costs in another currency is counted beside it, and what was counted before is not forgotten.
#[test]
fn a_currency_that_comes_back_finds_what_was_spent_in_it() {
    let mut front = front(limited(None, Some("10.00"), "4.00"));
    let first = front.takes().unwrap();
    front.takes().unwrap();
    assert!(is_full(front.takes()));
    front.revises(1, priced("4.00", "10.00", "USD")).unwrap();
    front.takes().unwrap();
    front.revises(2, priced("4.00", "10.00", "EUR")).unwrap();
    assert!(is_full(front.takes()), "eight of ten");
    // What ends gives back in its own currency, whichever the offer has by then.
    front.revises(3, priced("4.00", "10.00", "USD")).unwrap();
    front.ends(first, Some(eur("1.99")), 1).unwrap();
    front.takes().unwrap();
    assert!(is_full(front.takes()), "eight of ten dollars");
    front.revises(4, priced("4.00", "9.98", "EUR")).unwrap();
    assert!(is_full(front.takes()), "1.99 and 4.00, and 3.99 left");
    front.revises(5, priced("4.00", "9.99", "EUR")).unwrap();
    front.takes().unwrap();
    assert!(is_full(front.takes()));
}

/// The offer's price and budget, in this currency from now on.
fn priced(price: &str, budget: &str, currency: &str) -> OfferChange {
    let money = |amount: &str| Money::parse(amount, currency.parse().unwrap()).unwrap();
    let allocation = Allocation::Claim { direction: Direction::Reverse, price: Some(money(price)) };
    OfferChange { allocation: Some(allocation), daily_budget: Patch::Set(money(budget)), ..OfferChange::default() }
}

proptest! {
    /// Whatever is accepted, revised, spent and ended, in whatever order, on whatever days and in whatever currencies:
    /// never more are open than was allowed when the last one was accepted, and no day's acceptances cost more than its
    /// budget.
    #[test]
    fn no_limit_is_ever_exceeded(steps in proptest::collection::vec((0u8..12, 0usize..8, 0i64..6), 1..80)) {
        let mut front = front(limited(Some(3), Some("12.00"), "3.00"));
        let (mut most, mut budget, mut revision) = (3u32, 1_200i64, 1u32);
        let mut currency = "EUR";
        // Open ones with their day and currency; what each day has cost or may cost in each, in cents.
        let mut open: Vec<(InquiryId, (i64, &str))> = vec![];
        let mut costs: std::collections::BTreeMap<(i64, &str), i64> = Default::default();
        let mut seq = 0;
        for (what, which, amount) in steps {
            let today = (domain::limits::day_of(front.market.now), currency);
            match what {
                0..=4 => match front.takes() {
                    Ok(inquiry) => {
                        open.push((inquiry, today));
                        *costs.entry(today).or_default() += 300;
                        prop_assert!(open.len() as u32 <= most, "{} open", open.len());
                        prop_assert!(costs[&today] <= budget, "{} cents", costs[&today]);
                    }
                    Err(refusal) => {
                        prop_assert!(is_full(Err(refusal)));
                        let today = costs.get(&today).copied().unwrap_or(0);
                        prop_assert!(open.len() as u32 >= most || today + 300 > budget, "there was room");
                    }
                },
                5..=7 if !open.is_empty() => {
                    let (inquiry, counted) = open.remove(which % open.len());
                    let spent = amount.min(3) * 100;
                    *costs.get_mut(&counted).unwrap() -= 300 - spent;
                    seq += 1 + which as u64;
                    let spent = Money::parse(&format!("{}.00", spent / 100), counted.1.parse().unwrap()).ok();
                    let spent = spent.filter(|_| amount > 0);
                    front.ends(inquiry, spent, seq).unwrap();
                    front.ends(inquiry, spent, seq).unwrap();
                }
                8..=10 => {
                    (most, budget) = (1 + which as u32, 300 * (1 + amount));
                    currency = if what == 8 { currency } else { ["EUR", "USD", "GBP"][which % 3] };
                    let change = OfferChange {
                        max_open: Patch::Set(most),
                        ..priced("3.00", &format!("{}.00", budget / 100), currency)
                    };
                    // One that leaves the terms as they are keeps its number.
                    let events = front.revises(revision, change).unwrap();
                    let Event::Offer(OfferEvent::Revised(revised)) = &events[0] else { panic!("{events:?}") };
                    revision = revised.revision;
                }
                _ => front.market.jumps_to(front.market.now + Span::minutes(60 * 7)),
            }
        }
    }
}

#[test]
fn a_place_is_freed_by_the_platform_alone() {
    let mut front = front(limited(Some(1), None, "3.00"));
    let inquiry = front.takes().unwrap();
    let source = SourcePosition { hash: "00".to_owned(), log: LogName::community(), seq: 1 };
    let free = Command::FreePlace { inquiry, spent: None, source };
    assert_eq!(front.market.operator(free.clone()), Err(Refusal::Forbidden));
    assert_eq!(front.provider_says(free), Err(Refusal::Forbidden));
    let published = front.market.log.iter().any(|(_, event)| matches!(event, Event::Offer(OfferEvent::PlaceFreed(_))));
    assert!(!published);
}
