//! What bids cost, from the rules of an auction as its event states them (DESIGN §4). Amounts are counted in
//! the auction's direction: what is better for the seller of the right is greater in `worth`.

use super::entry::{Amount, amount, int, list, smallest, text};
use serde_json::Value;

#[derive(Clone, Debug)]
pub struct Rules<'a> {
    pub currency: &'a str,
    pub forward: bool,
    pub format: &'a str,
    pub buy_now: Option<Amount>,
    pub hard_close: Option<i64>,
    /// From, by.
    increment: Vec<(Amount, Amount)>,
    pub open_for: i64,
    pub reserve: Option<Amount>,
    hidden: bool,
    pub soft_close: Option<i64>,
    starting: Option<Amount>,
}

impl<'a> Rules<'a> {
    pub fn read(value: &'a Value) -> Rules<'a> {
        let currency = text(value, "currency");
        let if_given = |name: &str| value.get(name).map(|one| amount(one.as_str().expect("an amount"), currency));
        let step = |one: &'a Value| (amount(text(one, "from"), currency), amount(text(one, "by"), currency));
        Rules {
            currency,
            forward: text(value, "direction") == "FORWARD",
            format: text(value, "format"),
            buy_now: if_given("buy_now"),
            hard_close: value.get("hard_close").and_then(Value::as_i64),
            increment: list(value, "increment").iter().map(step).collect(),
            open_for: int(value, "open_for"),
            reserve: if_given("reserve"),
            hidden: value["reserve_hidden"] == Value::Bool(true),
            soft_close: value.get("soft_close").and_then(Value::as_i64),
            starting: if_given("starting_price"),
        }
    }

    pub fn sealed(&self) -> bool {
        self.format.starts_with("SEALED")
    }
    /// Greater is better: the highest payment, the lowest fee.
    pub fn worth(&self, amount: Amount) -> Amount {
        if self.forward { amount } else { -amount }
    }
    pub fn at_least(&self, amount: Amount, bound: Amount) -> bool {
        self.worth(amount) >= self.worth(bound)
    }
    fn worse(&self, a: Amount, b: Amount) -> Amount {
        if self.worth(a) < self.worth(b) { a } else { b }
    }
    fn better(&self, a: Amount, b: Amount) -> Amount {
        if self.worth(a) < self.worth(b) { b } else { a }
    }
    pub fn valid(&self, amount: Amount) -> bool {
        self.reserve.is_none_or(|reserve| self.at_least(amount, reserve))
    }

    fn beyond(&self, amount: Amount) -> Amount {
        let reached = self.increment.iter().rev().find(|(from, _)| *from <= amount);
        let by = reached.map_or(smallest(self.currency), |(_, by)| *by);
        if self.forward { amount + by } else { 0.max(amount - by) }
    }
    /// Where bidding begins; nowhere in particular for a fee without a public ceiling.
    fn opening(&self) -> Option<Amount> {
        let public = self.reserve.filter(|_| !self.hidden);
        let least = self.forward.then(|| smallest(self.currency));
        self.starting.or(public).or(least)
    }

    /// What a bid must reach that is not a PROXY leader's own. Buying now is always possible.
    pub fn bound(&self, price: Option<Amount>) -> Option<Amount> {
        let bound = match price {
            Some(price) if !self.sealed() => Some(self.beyond(price)),
            _ => self.opening(),
        };
        bound.map(|bound| self.buy_now.map_or(bound, |buy_now| self.worse(bound, buy_now)))
    }

    /// PROXY: best maximum, best maximum of anyone else.
    pub fn proxy(&self, best: Amount, other: Option<Amount>) -> Option<Amount> {
        let price = match other {
            Some(other) => Some(self.beyond(other)),
            None => self.opening(),
        };
        let price = price.map(|price| self.worse(price, best));
        match self.reserve.filter(|reserve| self.at_least(best, *reserve)) {
            Some(reserve) => Some(price.map_or(reserve, |price| self.better(price, reserve))),
            None => price,
        }
    }

    /// What the best of the ranked amounts pays.
    pub fn clearing(&self, own: Amount, next: Option<Amount>) -> Amount {
        if let Some(buy_now) = self.buy_now.filter(|buy_now| self.at_least(own, *buy_now)) {
            return buy_now;
        }
        let second = next.filter(|next| self.valid(*next));
        match self.format {
            "PROXY" => self.proxy(own, next).expect("who wins has a price"),
            "SEALED_SECOND_PRICE" if self.forward => {
                let floor = self.reserve.max(self.starting).unwrap_or(smallest(self.currency));
                second.map_or(floor, |second| second.max(floor))
            }
            "SEALED_SECOND_PRICE" => second.unwrap_or(own),
            _ => own,
        }
    }
}
