//! A provider's keys, and acceptances that the edge found proven by one of them.

use crate::community::{Front, front, plain};
use domain::command::Command;
use domain::event::Event;
use domain::event::community::{Curve, CustomerKey, ProviderEvent};
use domain::patch::Patch;
use domain::refusal::Refusal;

fn key(kid: &str) -> CustomerKey {
    let thumbprint = format!("of {kid}");
    CustomerKey { curve: Curve::Ed25519, kid: kid.to_owned(), thumbprint, x: "eA".to_owned(), y: None }
}
fn has(front: &mut Front, keys: Option<Vec<CustomerKey>>) -> Result<Vec<Event>, Refusal> {
    let provider = front.provider;
    front.market.operator(Command::UpdateProvider {
        provider,
        name: None,
        homepage: Patch::Keep,
        origins: None,
        suspended: keys.is_none().then_some(true),
        credit_limits: None,
        customer_keys: keys,
    })
}
fn proven(front: &mut Front, kid: &str) -> Result<Option<String>, &'static str> {
    let accepted = front.accepts(|acceptance| acceptance.proven_by = Some(format!("of {kid}")));
    accepted.map(|accepted| accepted.proven_by).map_err(|refusal| refusal.code())
}

#[test]
fn what_is_proven_by_a_key_of_the_provider_is_recorded_with_it_and_refused_once_the_key_is_taken_back() {
    let mut front = front(plain());
    assert_eq!(proven(&mut front, "a"), Err("CUSTOMER_PROOF_REFUSED"));
    let events = has(&mut front, Some(vec![key("a"), key("b")])).unwrap();
    let [Event::Provider(ProviderEvent::Updated(updated))] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(updated.customer_keys, Some(vec![key("a"), key("b")]));
    assert_eq!(proven(&mut front, "a"), Ok(Some("of a".to_owned())));
    has(&mut front, Some(vec![key("b")])).unwrap();
    assert_eq!(proven(&mut front, "a"), Err("CUSTOMER_PROOF_REFUSED"));
    assert_eq!(proven(&mut front, "b"), Ok(Some("of b".to_owned())));
    has(&mut front, Some(vec![])).unwrap();
    assert_eq!(proven(&mut front, "b"), Err("CUSTOMER_PROOF_REFUSED"));
    // A name that is given to another key later on is another key; one from before thumbprints were kept is its name.
    has(&mut front, Some(vec![CustomerKey { kid: "b".into(), ..key("thief's") }])).unwrap();
    assert_eq!(proven(&mut front, "b"), Err("CUSTOMER_PROOF_REFUSED"));
    has(&mut front, Some(vec![CustomerKey { kid: "of b".into(), thumbprint: String::new(), ..key("b") }])).unwrap();
    assert_eq!(proven(&mut front, "b"), Ok(Some("of b".to_owned())));
    has(&mut front, Some(vec![])).unwrap();
    // What is wrong with the offer is said first.
    has(&mut front, None).unwrap();
    assert_eq!(proven(&mut front, "b"), Err("NOT_ALLOWED_NOW"));
}

#[test]
fn a_provider_has_at_most_five_keys_each_of_its_own_name() {
    let mut front = front(plain());
    let mut with = |keys: Vec<CustomerKey>| has(&mut front, Some(keys)).map_err(|refusal| refusal.field().unwrap());
    let many = |count: usize| (0..count).map(|at| key(&at.to_string())).collect::<Vec<_>>();
    assert!(with(many(5)).is_ok());
    assert_eq!(with(many(6)).unwrap_err(), ["customerKeys"]);
    assert_eq!(with(vec![key("a"), key("a")]).unwrap_err(), ["customerKeys", "1", "kid"]);
    assert_eq!(with(vec![key("a"), key(" ")]).unwrap_err(), ["customerKeys", "1", "kid"]);
    assert!(with(vec![key(&"k".repeat(100))]).is_ok());
    assert_eq!(with(vec![key(&"k".repeat(101))]).unwrap_err(), ["customerKeys", "0", "kid"]);
}
