//! The words of the tests: a market, its people, the rules of an auction, and who watches over it.

pub mod auditor;
pub mod json;
pub mod market;
pub mod routed;
pub mod terms;

pub use auditor::Auditor;
pub use market::{Answer, Market, Step};
pub use terms::{Rules, auction, forward, reverse};

use domain::currency::Currency;
use domain::ids::{AgentId, CustomerId, ProviderId};
use domain::money::Money;
pub use domain::patch::Patch;
use domain::sealed::Sealed;
use domain::time::{Span, Timestamp};
pub use domain::topic::Skill;
use domain::topic::Topic;
use rust_decimal::Decimal;

pub const ANN: AgentId = AgentId(1);
pub const BEN: AgentId = AgentId(2);
pub const CAT: AgentId = AgentId(3);
pub const DAN: AgentId = AgentId(4);
pub const PROVIDER: ProviderId = ProviderId(1);
pub const CUSTOMER: CustomerId = CustomerId(1);

/// When a market opens.
pub const MORNING: Timestamp = Timestamp(1_800_000_000_000_000);
pub const MICROSECOND: Span = Span(1);

pub fn seconds(count: i64) -> Span {
    Span::seconds(count)
}
/// An instant of the market's first day.
pub fn second(count: i64) -> Timestamp {
    MORNING + Span::seconds(count)
}
/// One microsecond before.
pub fn before(at: Timestamp) -> Timestamp {
    Timestamp(at.0 - 1)
}
pub fn euro() -> Currency {
    "EUR".parse().unwrap()
}
pub fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}
pub fn eur(text: &str) -> Money {
    Money::parse(text, euro()).unwrap()
}
pub fn topic(text: &str) -> Topic {
    text.parse().unwrap()
}
pub fn skill(name: &str, level: u8) -> Skill {
    Skill { level, name: topic(name) }
}
pub fn sealed(text: &str) -> Sealed {
    Sealed { ciphertext: text.into(), subject: CUSTOMER.into() }
}
