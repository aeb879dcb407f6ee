//! Rules of auctions and terms of offers, told by what differs from the plain ones.

use super::{d, euro, seconds, topic};
use domain::ids::LinkId;
use domain::terms::*;
use domain::time::Span;

/// An auction of one minute and one round, without reserve or starting price; REVERSE with a ceiling of
/// 100.00. Increments are the smallest amount.
pub fn auction(direction: Direction, format: AuctionFormat) -> AuctionRules {
    AuctionRules {
        buy_now: None,
        currency: euro(),
        direction,
        format,
        hard_close: None,
        increment: vec![],
        open_for: seconds(60),
        reserve: (direction == Direction::Reverse).then(|| d("100.00")),
        reserve_hidden: false,
        rounds: 1,
        soft_close: None,
        starting_price: None,
    }
}
pub fn forward(format: AuctionFormat) -> AuctionRules {
    auction(Direction::Forward, format)
}
pub fn reverse(format: AuctionFormat) -> AuctionRules {
    auction(Direction::Reverse, format)
}

pub trait Rules {
    fn starting_at(self, amount: &str) -> AuctionRules;
    fn reserve(self, amount: &str) -> AuctionRules;
    fn hidden(self) -> AuctionRules;
    fn buy_now(self, amount: &str) -> AuctionRules;
    fn step(self, from: &str, by: &str) -> AuctionRules;
    fn soft_close(self, soft: i64, hard: i64) -> AuctionRules;
    fn rounds(self, count: u32) -> AuctionRules;
}

impl Rules for AuctionRules {
    fn starting_at(self, amount: &str) -> AuctionRules {
        AuctionRules { starting_price: Some(d(amount)), ..self }
    }
    fn reserve(self, amount: &str) -> AuctionRules {
        AuctionRules { reserve: Some(d(amount)), ..self }
    }
    fn hidden(self) -> AuctionRules {
        AuctionRules { reserve_hidden: true, ..self }
    }
    fn buy_now(self, amount: &str) -> AuctionRules {
        AuctionRules { buy_now: Some(d(amount)), ..self }
    }
    /// From this amount upward the increment is `by`.
    fn step(mut self, from: &str, by: &str) -> AuctionRules {
        self.increment.push(IncrementStep { by: d(by), from: d(from) });
        self
    }
    /// Seconds that a bid leaves at least, and seconds from opening beyond which nothing goes.
    fn soft_close(self, soft: i64, hard: i64) -> AuctionRules {
        AuctionRules { soft_close: Some(seconds(soft)), hard_close: Some(seconds(hard)), ..self }
    }
    fn rounds(self, count: u32) -> AuctionRules {
        AuctionRules { rounds: count, ..self }
    }
}

/// An offer under these rules: 20 seconds to consent, an hour to wait, ten minutes of wrap-up.
pub fn terms(rules: AuctionRules) -> OfferTerms {
    OfferTerms {
        accepts_questions: true,
        allocation: Allocation::Auction(rules),
        channels: vec![ChannelKind::Message],
        consent_window: seconds(20),
        daily_budget: None,
        hours: None,
        independent_agents_only: true,
        links: vec![OfferLink { id: LinkId(1), label: "Ask us".to_owned(), topic: topic("help") }],
        max_open: None,
        max_wait: Span::minutes(60),
        prefer_last_agent_for: Span::ZERO,
        priority: 0,
        relaxation: vec![],
        required_skills: vec![],
        shown_before_consent: vec![],
        terms: None,
        title: "Help".to_owned(),
        valid_until: None,
        wrap_up: Some(Span::minutes(10)),
    }
}
