//! The books, given, when, then: what is posted, once, and what is no entry.

use crate::support::market::names;
use crate::support::*;
use domain::actor::Actor;
use domain::books::LEGS_MAX;
use domain::command::Command;
use domain::currency::Currency;
use domain::event::Event;
use domain::event::community::SourcePosition;
use domain::event::journal::JournalEvent;
use domain::event::settlement::Leg;
use domain::event::wallet::Party;
use domain::ids::{SettlementId, Subject};
use domain::money::Money;
use domain::refusal::Refusal;
use domain::terms::AuctionFormat;
use domain::time::{Span, Timestamp};

const ABOUT: Subject = Subject::SettlementId(SettlementId(7));
const WALLET: &str = "liabilities:agent:agt_01jd3v8k3qe5x9m2w7t6c4h0bn:wallet";

fn leg(account: &str, amount: Money) -> Leg {
    Leg { account: account.to_owned(), amount, rule: "top-up/1".to_owned() }
}

fn money(amount: &str, currency: &str) -> Money {
    Money::parse(amount, currency.parse::<Currency>().unwrap()).unwrap()
}

fn source(log: &str, seq: u64, hash: &str) -> SourcePosition {
    SourcePosition { hash: hash.to_owned(), log: log.parse().unwrap(), seq }
}

fn post(legs: Vec<Leg>, source: SourcePosition) -> Command {
    Command::PostEntry { about: ABOUT, at: Timestamp(7), legs, source }
}

fn top_up() -> Vec<Leg> {
    vec![leg("assets:bank:client", eur("9.00")), leg(WALLET, eur("-9.00"))]
}

fn refused(legs: Vec<Leg>) -> bool {
    let answer = Market::empty().asks(Actor::System, post(legs, source("main", 0, "aa")));
    match answer {
        Err(Refusal::Invalid { field, .. }) => field == ["legs"],
        Ok(_) | Err(_) => false,
    }
}

#[test]
fn a_source_is_posted_once_as_it_says() {
    let mut books = Market::empty();
    let posted = books.asks(Actor::System, post(top_up(), source("main", 4, "aa"))).unwrap();
    let [Event::Journal(JournalEvent::EntryPosted(entry))] = &posted[..] else { panic!("{posted:?}") };
    assert_eq!((entry.at, &entry.legs, &entry.source), (Timestamp(7), &top_up(), &source("main", 4, "aa")));
    assert_eq!(entry.number, 1);

    assert_eq!(books.asks(Actor::System, post(top_up(), source("main", 4, "aa"))), Ok(vec![]), "a repeat");
    assert_eq!(books.asks(Actor::System, post(top_up(), source("main", 3, "bb"))), Ok(vec![]), "what was before it");
    assert_eq!(books.asks(Actor::System, post(top_up(), source("main", 4, "bb"))), Err(Refusal::SourceForked));
    for next in [source("main", 5, "cc"), source("other", 4, "aa")] {
        let posted = books.asks(Actor::System, post(top_up(), next)).unwrap();
        assert_eq!(names(&posted), ["journal.entry_posted"], "logs are counted apart");
    }
}

#[test]
fn a_source_that_was_posted_stays_posted_when_it_comes_with_other_legs() {
    let mut books = Market::empty();
    books.asks(Actor::System, post(top_up(), source("main", 4, "aa"))).unwrap();
    let other = vec![leg("assets:bank:client", eur("1.00")), leg(WALLET, eur("-1.00"))];
    assert_eq!(books.asks(Actor::System, post(other, source("main", 4, "aa"))), Ok(vec![]));
}

#[test]
fn legs_that_do_not_balance_are_no_entry() {
    assert!(refused(vec![leg("assets:bank:client", eur("9.00")), leg(WALLET, eur("-8.99"))]), "a cent");
    assert!(refused(vec![leg("assets:bank:client", eur("9.00")), leg(WALLET, money("-9.00", "USD"))]));
    let largest = "999999999999999999.99";
    let too_large: Vec<Leg> = (0..LEGS_MAX).map(|_| leg("assets:bank:client", eur(largest))).collect();
    assert!(refused(too_large), "large sums are not wrapped");
}

#[test]
fn each_currency_balances_by_itself() {
    let fx = vec![
        leg(WALLET, money("10.00", "USD")),
        leg("equity:fx", money("-10.00", "USD")),
        leg("equity:fx", money("1400", "JPY")),
        leg("liabilities:escrow:inq_01jd3v8k3qe5x9m2w7t6c4h0bn", money("-1400", "JPY")),
    ];
    let mut books = Market::empty();
    let posted = books.asks(Actor::System, post(fx.clone(), source("main", 0, "aa"))).unwrap();
    assert_eq!(names(&posted), ["journal.entry_posted"]);
    let mut off = fx;
    off[3].amount = money("-1401", "JPY");
    assert!(refused(off));
}

#[test]
fn an_entry_has_two_to_so_many_legs() {
    assert!(refused(vec![]));
    assert!(refused(vec![leg("assets:bank:client", eur("0.00"))]));
    let legs = |count: usize| -> Vec<Leg> {
        (0..count).map(|at| leg(WALLET, if at % 2 == 0 { eur("1.00") } else { eur("-1.00") })).collect()
    };
    assert!(Market::empty().asks(Actor::System, post(legs(LEGS_MAX), source("main", 0, "aa"))).is_ok());
    assert!(refused(legs(LEGS_MAX + 2)));
}

#[test]
fn a_path_is_one_of_the_chart() {
    let long = format!("assets:{}", "a".repeat(200));
    for bad in ["", "assets", "assets:", "assets::x", "bank:client", "assets:a  b", "assets:A", "assets:x;y", &long] {
        assert!(refused(vec![leg(bad, eur("1.00")), leg(WALLET, eur("-1.00"))]), "{bad}");
    }
}

#[test]
fn nobody_but_the_house_posts() {
    let mut books = Market::empty();
    for actor in [Actor::Finance("till".into()), Actor::Agent(ANN), Actor::Anonymous] {
        let asked = books.asks(actor, post(top_up(), source("main", 0, "aa")));
        assert_eq!(asked, Err(Refusal::Forbidden));
    }
    assert_eq!(books.operator(post(top_up(), source("main", 0, "aa"))), Err(Refusal::Forbidden));
}

/// Ann wins at 9.00, serves, and two days pass.
fn a_served_market() -> Market {
    let mut market = Market::with(&[ANN]);
    market.inquires(terms::terms(forward(AuctionFormat::Open)), &["help"]);
    market.bid(ANN, "9.00");
    market.closes();
    market.accepts(ANN).unwrap();
    let session = market.session();
    market.customer(Command::EndSession { session }).unwrap();
    market.agent(ANN, Command::CompleteWrapUp { session, information: None }).unwrap();
    market.pass(Span::days(2));
    market
}

#[test]
fn what_a_call_server_moves_is_what_the_books_hold() {
    let market = a_served_market();
    let mut books = Market::empty();
    let mut posted = vec![];
    for (seq, (at, event)) in (0..).zip(&market.log) {
        let Some(legs) = event.legs() else { continue };
        let about = event.subjects().iter().next().unwrap();
        let command = Command::PostEntry { about, at: *at, legs: legs.to_vec(), source: source("main", seq, "aa") };
        posted.push(names(std::slice::from_ref(event))[0]);
        assert_eq!(names(&books.asks(Actor::System, command).unwrap()), ["journal.entry_posted"]);
    }
    let moved = ["wallet.credited", "settlement.escrowed", "settlement.pending", "settlement.payable"];
    assert_eq!(posted, moved, "a bid is a hold, and holds never post");
    let wallet = domain::wallet::wallet_path(Party::Agent(ANN));
    let payable = format!("liabilities:provider:{PROVIDER}:payable");
    let escrow = format!("liabilities:escrow:{}", market.inquiry);
    for (path, amount) in
        [("assets:bank:client", "100.00"), (&wallet, "-91.00"), (&payable, "-9.00"), (&escrow, "0.00")]
    {
        assert_eq!(books.auditor.posted(path, eur("1.00").currency()), eur(amount).amount(), "{path}");
    }
    books.auditor.books_sum_to_zero();
}

#[test]
fn a_journal_entry_moves_nothing_a_second_time() {
    let mut books = Market::empty();
    let posted = books.asks(Actor::System, post(top_up(), source("main", 0, "aa"))).unwrap();
    assert!(posted[0].legs().is_none());
}
