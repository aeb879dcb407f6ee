//! Webhooks, given, when, then: whose they are, how many, and what is claimed to be told.

use crate::support::market::names;
use crate::support::*;
use domain::actor::Actor;
use domain::command::Command;
use domain::event::Event;
use domain::event::community::SourcePosition;
use domain::event::webhook::{DeliveryOutcome, WebhookEvent};
use domain::ids::{DeliveryId, EventId, InquiryId, ProviderId, WebhookId};
use domain::refusal::Refusal;
use domain::time::Span;
use domain::webhook::{Attempt, WEBHOOKS_MAX};

const OWNER: Actor = Actor::Provider(ProviderId(1));
const STRANGER: Actor = Actor::Provider(ProviderId(2));

fn create(webhook: u128, provider: u128) -> Command {
    Command::CreateWebhook {
        webhook: WebhookId(webhook),
        provider: ProviderId(provider),
        url: "https://hooks.example.org/".to_owned(),
        types: vec!["offer.accepted.v1".to_owned()],
        secret: sealed("secret"),
    }
}

fn plan(seq: u64, hash: &str, webhooks: &[u128]) -> Command {
    Command::PlanDeliveries {
        webhooks: webhooks.iter().map(|id| WebhookId(*id)).collect(),
        about: InquiryId(7).into(),
        event: EventId(9),
        source: SourcePosition { hash: hash.to_owned(), log: "main".parse().unwrap(), seq },
    }
}

fn attempt(webhook: u128, outcome: DeliveryOutcome, is_gone: bool) -> Command {
    let attempt = Attempt { number: 1, status: Some(410), outcome, next_in: None, is_gone };
    Command::RecordAttempt { webhook: WebhookId(webhook), delivery: DeliveryId(3), attempt }
}

#[test]
fn a_webhook_is_its_providers_and_operators() {
    let mut market = Market::empty();
    assert_eq!(market.asks(STRANGER, create(1, 1)), Err(Refusal::NotFound { field: "providerId" }));
    assert_eq!(names(&market.asks(OWNER, create(1, 1)).unwrap()), ["webhook.created"]);
    assert_eq!(names(&market.operator(create(2, 1)).unwrap()), ["webhook.created"]);
    let (webhook, delivery) = (WebhookId(1), DeliveryId(3));
    let rotate = Command::RotateWebhookSecret { webhook, secret: sealed("other") };
    let redeliver = Command::RedeliverWebhook { webhook, delivery };
    let delete = Command::DeleteWebhook { webhook };
    for (command, field, name) in [
        (rotate, "webhookId", "webhook.secret_rotated"),
        (redeliver, "deliveryId", "webhook.redelivery_asked"),
        (delete, "webhookId", "webhook.deleted"),
    ] {
        assert_eq!(market.asks(STRANGER, command.clone()), Err(Refusal::NotFound { field }));
        assert_eq!(names(&market.asks(OWNER, command.clone()).unwrap()), [name]);
        if name == "webhook.deleted" {
            assert_eq!(market.asks(OWNER, command), Err(Refusal::NotFound { field }), "it is gone");
        }
    }
}

#[test]
fn a_provider_has_so_many_and_no_more() {
    let mut market = Market::empty();
    for number in 1..=WEBHOOKS_MAX as u128 {
        assert!(market.asks(OWNER, create(number, 1)).is_ok(), "{number}");
    }
    let full = market.asks(OWNER, create(100, 1));
    assert!(matches!(full, Err(Refusal::LimitReached { .. })), "{full:?}");
    assert!(market.asks(STRANGER, create(101, 2)).is_ok(), "others have their own");
    market.asks(OWNER, Command::DeleteWebhook { webhook: WebhookId(1) }).unwrap();
    assert!(market.asks(OWNER, create(100, 1)).is_ok());
}

#[test]
fn an_event_is_claimed_once_for_each_that_stands() {
    let mut market = Market::empty();
    market.asks(OWNER, create(1, 1)).unwrap();
    market.asks(OWNER, create(2, 1)).unwrap();
    let planned = market.asks(Actor::System, plan(4, "aa", &[1, 2, 3])).unwrap();
    assert_eq!(names(&planned), ["webhook.delivery_planned"; 2], "of one that is not there nothing is claimed");
    let Event::Webhook(WebhookEvent::DeliveryPlanned(first)) = &planned[0] else { panic!() };
    assert_eq!((first.webhook, first.provider, first.about), (WebhookId(1), ProviderId(1), InquiryId(7).into()));
    assert_eq!(market.asks(Actor::System, plan(4, "aa", &[1, 2])), Ok(vec![]), "a repeat");
    assert_eq!(market.asks(Actor::System, plan(3, "bb", &[1])), Ok(vec![]), "what was before it");
    assert_eq!(market.asks(Actor::System, plan(4, "bb", &[1])), Err(Refusal::SourceForked));
    assert_eq!(names(&market.asks(Actor::System, plan(5, "cc", &[1])).unwrap()), ["webhook.delivery_planned"]);
    assert_eq!(market.asks(OWNER, plan(6, "dd", &[1])), Err(Refusal::Forbidden));
}

#[test]
fn a_receiver_that_is_gone_is_told_nothing_more() {
    let mut market = Market::empty();
    market.asks(OWNER, create(1, 1)).unwrap();
    let failed = market.asks(Actor::System, attempt(1, DeliveryOutcome::Failed, false)).unwrap();
    assert_eq!(names(&failed), ["webhook.delivery_attempted"]);
    let gone = market.asks(Actor::System, attempt(1, DeliveryOutcome::Dead, true)).unwrap();
    assert_eq!(names(&gone), ["webhook.delivery_attempted", "webhook.disabled"]);
    let again = market.asks(Actor::System, attempt(1, DeliveryOutcome::Dead, true)).unwrap();
    assert_eq!(names(&again), ["webhook.delivery_attempted"], "once");
    // What was on its way meanwhile is not tried again.
    let next = Attempt {
        number: 1,
        status: None,
        outcome: DeliveryOutcome::Failed,
        next_in: Some(Span::seconds(9)),
        is_gone: false,
    };
    let late = Command::RecordAttempt { webhook: WebhookId(1), delivery: DeliveryId(4), attempt: next };
    let late = market.asks(Actor::System, late).unwrap();
    let [Event::Webhook(WebhookEvent::DeliveryAttempted(late))] = &late[..] else { panic!("{late:?}") };
    assert_eq!((late.outcome, late.next_attempt_at), (DeliveryOutcome::Dead, None));
    assert_eq!(market.asks(Actor::System, plan(1, "aa", &[1])), Ok(vec![]));
    let redeliver = Command::RedeliverWebhook { webhook: WebhookId(1), delivery: DeliveryId(3) };
    assert!(matches!(market.asks(OWNER, redeliver), Err(Refusal::NotAllowedNow { .. })));
    market.asks(OWNER, Command::DeleteWebhook { webhook: WebhookId(1) }).unwrap();
    let late = market.asks(Actor::System, attempt(1, DeliveryOutcome::Delivered, false));
    assert_eq!(late, Err(Refusal::NotFound { field: "webhookId" }));
}
