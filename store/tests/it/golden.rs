//! Every stored shape for ever: what was once written decodes, and is written again to the letter.
//!
//! `tests/golden/<type>[.<case>].json` holds one line, `{"data":…,"type":…}`. `UPDATE=1` writes the files
//! that are missing and never touches one that is there: a shape that changed gets a new version.

use crate::support::*;
use domain::actor::Actor;
use domain::event::Event;
use domain::event::agent::*;
use domain::event::auction::*;
use domain::event::community::*;
use domain::event::customer::*;
use domain::event::inquiry::*;
use domain::event::journal::*;
use domain::event::queue::*;
use domain::event::reservation::*;
use domain::event::session::*;
use domain::event::settlement::*;
use domain::event::wallet::*;
use domain::event::webhook::*;
use domain::fees::{FeeRule, Percent};
use domain::hours::{BusinessHours, Weekday, WeeklyHours};
use domain::ids::*;
use domain::log::LogName;
use domain::split::Rounding;
use domain::terms::*;
use domain::time::{Span, Timestamp};
use domain::topic::Skill;
use domain::why::{Excluded, ExclusionReason, Ranked, Why};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::PathBuf;
use store::raw::{Head, Hex};
use store::recorded::{CommandId, Facts, KeyMark, Recorded};
use store::{chain, stored};

const PROVIDER: ProviderId = ProviderId(0x0190_0000_0000_7000_8000_0000_0000_0001);
const OFFER: OfferId = OfferId(2);
const LINK: LinkId = LinkId(3);
const SERVER: CallServerId = CallServerId(4);
const QUEUE: QueueId = QueueId(5);
const INQUIRY: InquiryId = InquiryId(6);
const AUCTION: AuctionId = AuctionId(7);
const BID: BidId = BidId(8);
const RESERVATION: ReservationId = ReservationId(10);
const SESSION: SessionId = SessionId(11);
const CHANNEL: ChannelId = ChannelId(12);
const SETTLEMENT: SettlementId = SettlementId(13);
const ACCOUNT: AccountId = AccountId(14);

fn golden_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// How a hash is made, for people who do not read Rust.
const VECTOR: &str = "hash.vector.json";

#[derive(Serialize, Deserialize)]
struct Golden {
    data: Box<RawValue>,
    #[serde(rename = "type")]
    type_name: String,
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

fn source() -> SourcePosition {
    SourcePosition { hash: "0123456789abcdef".repeat(4), log: LogName::community(), seq: 17 }
}
fn full_rules() -> AuctionRules {
    AuctionRules {
        buy_now: Some(eur("50.00").amount()),
        hard_close: Some(Span::seconds(120)),
        increment: vec![IncrementStep { by: eur("0.50").amount(), from: eur("0.00").amount() }],
        reserve: Some(eur("5.00").amount()),
        reserve_hidden: true,
        soft_close: Some(Span::seconds(15)),
        starting_price: Some(eur("1.00").amount()),
        rounds: 3,
        ..rules()
    }
}
fn full_terms() -> OfferTerms {
    OfferTerms {
        links: vec![OfferLink { id: LINK, label: "Ask „us“ – \"now\"".into(), topic: topic("cards/lost") }],
        required_skills: vec![Skill { level: 3, name: topic("cards") }],
        shown_before_consent: vec!["tier".into()],
        terms: Some(ConsentText { url: "https://bank.example/terms".into(), version: "2026-01".into() }),
        valid_until: Some(Timestamp(MORNING.0 + 1)),
        ..terms(full_rules())
    }
}
fn hours() -> BusinessHours {
    let weekly = vec![WeeklyHours { days: vec![Weekday::Monday, Weekday::Saturday], from: 22 * 60, to: 120 }];
    BusinessHours { closed_on: vec!["2026-12-25".parse().unwrap()], weekly, zone: "Europe/Vienna".into() }
}
fn bare_terms(allocation: Allocation) -> OfferTerms {
    OfferTerms { allocation, wrap_up: None, ..terms(rules()) }
}
fn why() -> Why {
    Why {
        chosen: Some(ANN.into()),
        excluded: vec![
            Excluded { agents: vec![2, 3], reason: ExclusionReason::NotAvailable, subjects: vec![] },
            Excluded { agents: vec![], reason: ExclusionReason::TopicMismatch, subjects: vec![SERVER.into()] },
        ],
        ranked: vec![
            Ranked { amount: Some(eur("9.00")), bid: Some(BID), score: None, subject: ANN.into(), tie_key: "0".into() },
            Ranked { amount: None, bid: None, score: Some("1.5".into()), subject: BEN.into(), tie_key: "1".into() },
        ],
        rule: "award/1".into(),
    }
}
fn bare_why() -> Why {
    Why { chosen: None, excluded: vec![], ranked: vec![], rule: "award/1".into() }
}
fn legs() -> Vec<Leg> {
    vec![
        Leg { account: "assets:bank:client".into(), amount: eur("9.00"), rule: "top-up/1".into() },
        Leg { account: "liabilities:escrow".into(), amount: eur("-9.00"), rule: "top-up/1".into() },
    ]
}

/// Each type with every member, and, where members may be absent, once more without them.
fn classified() -> Classified {
    let scores =
        vec![TopicScore { score: 8_123, topic: topic("cards/lost") }, TopicScore { score: 400, topic: topic("cards") }];
    Classified { chosen: topic("cards/lost"), model: "0123456789abcdef+7".into(), rule: "model/1".into(), scores }
}

fn samples() -> Vec<(&'static str, Event)> {
    let (agent, auction, inquiry, bid) = (ANN, AUCTION, INQUIRY, BID);
    let (session, reservation, settlement, customer) = (SESSION, RESERVATION, SETTLEMENT, CUSTOMER);
    let (webhook, delivery) = (WebhookId(15), DeliveryId(16));
    let (closes_at, deadline) = (MORNING + OPEN_FOR, MORNING + CONSENT);
    let location = Location { name: "Graz".into(), ..Location::default() };
    let measured = Location {
        limit: Some("80.5".parse().unwrap()),
        name: "Linz".into(),
        session_limit: Some(12),
        traffic_unit: Some("Mbit/s".into()),
    };
    let limit = CreditLimit { call_server: main_log(), limit: eur("1000.00") };
    let place_freed = OfferPlaceFreed {
        day: 20_600,
        inquiry,
        offer: OFFER,
        reserved: Some(eur("9.00")),
        source: source(),
        spent: Some(eur("3.00")),
    };
    let skills = vec![Skill { level: 2, name: topic("cards") }];
    let moved =
        InquiryMoved { already: false, away: false, desired_skills: skills, from: QUEUE, inquiry, into: QueueId(99) };
    let limited = OfferTerms { daily_budget: Some(eur("90.00")), max_open: Some(3), ..full_terms() };
    let rings = [(20, 1, false), (60, 3, true)].map(|(after, lower_levels, any_topic)| RelaxationRing {
        after: Span::seconds(after),
        any_topic,
        lower_levels,
    });
    let relaxed = OfferTerms { relaxation: rings.to_vec(), ..full_terms() };
    let preferred = OfferTerms { priority: 4, ..full_terms() };
    let prefers = OfferTerms { prefer_last_agent_for: Span::minutes(2), ..full_terms() };
    let accepted = OfferAccepted {
        call_server: main_log(),
        channel: ChannelKind::Telephone,
        classified: None,
        content: Some(ContentReference {
            origin: "https://bank.example".into(),
            page: sealed("cGFnZQ"),
            placement: Placement::ProviderPage,
        }),
        customer,
        customer_is_new: true,
        information_unavailable: false,
        last_agent: None,
        proven_by: None,
        initiator: Initiator::Customer,
        inquiry,
        language: Some("de-AT".into()),
        link: Some(LINK),
        offer: OFFER,
        profile: Some(sealed("cHJvZmlsZQ")),
        provider: PROVIDER,
        question: Some(sealed("cXVlc3Rpb24")),
        revision: 2,
        started_by: None,
        terms: full_terms(),
        terms_version: Some("2026-01".into()),
        topics: vec![topic("cards/lost")],
        why: why(),
    };
    let claim = Allocation::Claim { direction: Direction::Reverse, price: None };
    let routed = Allocation::Routed {
        direction: Direction::Forward,
        policy: RoutingPolicy::RoundRobin,
        price: Some(eur("2.00")),
    };
    let registered = InquiryRegistered {
        accepted_at: MORNING,
        begins_at: None,
        channel: ChannelKind::Message,
        classified: None,
        content: accepted.content.clone(),
        customer,
        desired_skills: vec![Skill { level: 1, name: topic("cards") }],
        initiator: Initiator::UserInterface,
        inquiry,
        language: Some("en".into()),
        link: Some(LINK),
        offer: OFFER,
        provider: PROVIDER,
        question: Some(sealed("cXVlc3Rpb24")),
        queues: vec![QUEUE],
        revision: 2,
        source: source(),
        stands_at: None,
        started_by: None,
        terms: full_terms(),
        topics: vec![topic("cards/lost")],
    };
    let placed = BidPlaced {
        agent,
        amount: eur("9.00"),
        auction,
        bid,
        bidder: 1,
        hold: Some(eur("9.00")),
        inquiry,
        price: Some(eur("5.00")),
        standing: Standing::Leads,
        supersedes: Some(BidId(15)),
    };
    let opened = ReservationOpened {
        agent,
        attempt: 2,
        auction: Some(auction),
        bid: Some(bid),
        deadline,
        inquiry,
        invitation: None,
        payer: None,
        price: Some(eur("9.00")),
        purpose: Purpose::Awarded,
        reservation,
    };
    let invitation = Invitation {
        by: BEN,
        note: Some(sealed("aGVsbG8")),
        session,
        skills: Some(vec![Skill { level: 3, name: topic("cards") }]),
        why: Some(why()),
    };
    let bare_invitation = Invitation { note: None, skills: None, why: None, ..invitation.clone() };
    let invited = |invitation| ReservationOpened {
        auction: None,
        bid: None,
        price: None,
        purpose: Purpose::Transfer,
        invitation: Some(Box::new(invitation)),
        ..opened.clone()
    };
    let answered = InvitationAnswered {
        agent,
        answer: Answer::Lapsed,
        inquiry,
        invited: BEN,
        next: Some(ANN),
        reservation,
        session,
    };
    let left = AgentLeft { agent, inquiry, session, wrap_up_deadline: Some(closes_at) };
    let joined = AgentJoined { agent, first: true, inquiry, reservation, session };
    let connected = ChannelConnected { agent, channel: CHANNEL, inquiry, session, side: true };
    let said = MessageSent {
        agent: Some(agent),
        author: Author::Agent,
        channel: CHANNEL,
        inquiry,
        message: MessageId(17),
        session,
        side: true,
        text: sealed("aGVsbG8"),
    };
    let wrapped = WrapUpCompleted {
        agent,
        customer,
        information: Some(sealed("aW5mbw")),
        inquiry,
        record: RecordId(16),
        session,
    };
    let escrowed = SettlementEscrowed {
        agent,
        bid: Some(bid),
        direction: Direction::Forward,
        fee_rule: None,
        inquiry,
        legs: legs(),
        payee: Party::Provider(PROVIDER),
        payer: Party::Agent(agent),
        price: eur("9.00"),
        settlement,
    };
    let pending = SettlementPending {
        agent,
        fee: None,
        inquiry,
        legs: legs(),
        payable_at: closes_at,
        payee: Party::Provider(PROVIDER),
        settlement,
    };
    let fee = Fee { commission: eur("1.13"), number: 2, tax: eur("0.23") };
    let refunded = SettlementRefunded {
        agent,
        amount: eur("4.50"),
        credit_note: 7,
        fee: Some(fee),
        inquiry,
        left: eur("4.50"),
        legs: legs(),
        payer: Party::Agent(agent),
        reason: RefundReason::PoorQuality,
        settlement,
    };
    let rule = FeeRule {
        id: FeeRuleId(17),
        number: 2,
        commission: "15".parse().unwrap(),
        tax: "8.1".parse().unwrap(),
        tax_rounding: Rounding::HalfUp,
        return_window: Span::days(3),
        jurisdiction: Some("ch".into()),
        valid_from: MORNING,
    };
    let bare = FeeRule {
        jurisdiction: None,
        tax: Percent::ZERO,
        tax_rounding: Rounding::HalfEven,
        return_window: Span::days(2),
        ..rule.clone()
    };
    let (owner, amount, payout) = (Party::Provider(PROVIDER), eur("2.50"), PayoutId(18));
    let netted = PayableNetted { account: ACCOUNT, amount, legs: legs(), owner };
    let paid_out = PaidOut { account: ACCOUNT, amount, legs: legs(), owner, payout };
    let reason = "AC04".parse().unwrap();
    let returned = PayoutReturned { account: ACCOUNT, amount, legs: legs(), owner, payout, reason };
    let yen = domain::money::Money::parse("500", "JPY".parse().unwrap()).unwrap();
    vec![
        (
            "",
            ProviderRegistered {
                credit_limits: vec![limit.clone()],
                customer_keys: vec![],
                homepage: Some("https://bank.example".into()),
                name: "Bänk \u{1f3e6}".into(),
                origins: vec!["https://bank.example".into()],
                provider: PROVIDER,
            }
            .into(),
        ),
        (
            "keys",
            ProviderRegistered {
                credit_limits: vec![],
                customer_keys: vec![
                    CustomerKey {
                        curve: Curve::Ed25519,
                        kid: "2026".into(),
                        thumbprint: String::new(),
                        x: "eA".into(),
                        y: None,
                    },
                    CustomerKey {
                        curve: Curve::P256,
                        kid: "2025".into(),
                        thumbprint: String::new(),
                        x: "eA".into(),
                        y: Some("eQ".into()),
                    },
                ],
                homepage: None,
                name: "Bank".into(),
                origins: vec![],
                provider: PROVIDER,
            }
            .into(),
        ),
        (
            "thumbprint",
            ProviderUpdated {
                credit_limits: None,
                customer_keys: Some(vec![CustomerKey {
                    curve: Curve::Ed25519,
                    kid: "2026".into(),
                    thumbprint: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".into(),
                    x: "eA".into(),
                    y: None,
                }]),
                homepage: None,
                homepage_removed: false,
                limits_lifted: vec![],
                name: None,
                origins: None,
                provider: PROVIDER,
                suspended: None,
            }
            .into(),
        ),
        (
            "keys",
            ProviderUpdated {
                credit_limits: None,
                customer_keys: Some(vec![]),
                homepage: None,
                homepage_removed: false,
                limits_lifted: vec![],
                name: None,
                origins: None,
                provider: PROVIDER,
                suspended: None,
            }
            .into(),
        ),
        (
            "bare",
            ProviderRegistered {
                credit_limits: vec![],
                customer_keys: vec![],
                homepage: None,
                name: "Bank".into(),
                origins: vec![],
                provider: PROVIDER,
            }
            .into(),
        ),
        (
            "",
            ProviderUpdated {
                credit_limits: Some(vec![limit]),
                customer_keys: None,
                homepage: Some("https://bank.example/2".into()),
                homepage_removed: false,
                limits_lifted: vec![LiftedLimit { call_server: main_log(), currency: yen.currency() }],
                name: Some("Bank".into()),
                origins: Some(vec![]),
                provider: PROVIDER,
                suspended: Some(true),
            }
            .into(),
        ),
        (
            "bare",
            ProviderUpdated {
                credit_limits: None,
                customer_keys: None,
                homepage: None,
                homepage_removed: false,
                limits_lifted: vec![],
                name: None,
                origins: None,
                provider: PROVIDER,
                suspended: None,
            }
            .into(),
        ),
        (
            "removed",
            ProviderUpdated {
                credit_limits: None,
                customer_keys: None,
                homepage: None,
                homepage_removed: true,
                limits_lifted: vec![],
                name: None,
                origins: None,
                provider: PROVIDER,
                suspended: None,
            }
            .into(),
        ),
        ("", OfferPublished { offer: OFFER, provider: PROVIDER, terms: full_terms() }.into()),
        ("bare", OfferPublished { offer: OFFER, provider: PROVIDER, terms: bare_terms(claim.clone()) }.into()),
        ("routed", OfferPublished { offer: OFFER, provider: PROVIDER, terms: bare_terms(routed) }.into()),
        ("", OfferRevised { offer: OFFER, revision: 2, terms: full_terms() }.into()),
        ("limited", OfferPublished { offer: OFFER, provider: PROVIDER, terms: limited }.into()),
        ("relaxed", OfferPublished { offer: OFFER, provider: PROVIDER, terms: relaxed }.into()),
        ("last_agent", OfferPublished { offer: OFFER, provider: PROVIDER, terms: prefers }.into()),
        ("preferred", OfferPublished { offer: OFFER, provider: PROVIDER, terms: preferred }.into()),
        ("", OfferPaused { offer: OFFER }.into()),
        ("", OfferResumed { offer: OFFER }.into()),
        ("", OfferRetired { offer: OFFER }.into()),
        ("", place_freed.clone().into()),
        ("bare", OfferPlaceFreed { reserved: None, spent: None, ..place_freed }.into()),
        (
            "bare",
            OfferAccepted {
                content: None,
                language: None,
                link: None,
                profile: None,
                question: None,
                terms: bare_terms(claim),
                terms_version: None,
                why: bare_why(),
                ..accepted.clone()
            }
            .into(),
        ),
        ("classified", OfferAccepted { classified: Some(classified()), link: None, ..accepted.clone() }.into()),
        ("proven", OfferAccepted { customer_is_new: false, proven_by: Some("2026".into()), ..accepted.clone() }.into()),
        (
            "unavailable",
            OfferAccepted { customer_is_new: false, information_unavailable: true, ..accepted.clone() }.into(),
        ),
        ("served", OfferAccepted { customer_is_new: false, last_agent: Some(agent), ..accepted.clone() }.into()),
        ("started", OfferAccepted { link: None, started_by: Some(agent), ..accepted.clone() }.into()),
        ("", accepted.into()),
        (
            "",
            CallServerOpened {
                call_server: SERVER,
                languages: vec!["de".into()],
                locations: vec![location.clone(), Location { name: "Linz".into(), ..Location::default() }],
                name: main_log(),
                topics: vec![topic("cards")],
            }
            .into(),
        ),
        (
            "",
            CallServerUpdated {
                call_server: SERVER,
                default: Some(true),
                languages: Some(vec!["en".into()]),
                locations: Some(vec![location.clone()]),
                name: main_log(),
                topics: Some(vec![]),
            }
            .into(),
        ),
        (
            "bare",
            CallServerUpdated {
                call_server: SERVER,
                default: None,
                languages: None,
                locations: None,
                name: main_log(),
                topics: None,
            }
            .into(),
        ),
        (
            "",
            CallServerStarted { call_server: SERVER, locations: vec![location], name: main_log(), source: source() }
                .into(),
        ),
        (
            "measured",
            CallServerStarted { call_server: SERVER, locations: vec![measured], name: main_log(), source: source() }
                .into(),
        ),
        ("", CustomerErased { customer, reason: Some(sealed("asked for it")) }.into()),
        ("bare", CustomerErased { customer, reason: None }.into()),
        ("", CustomerForgotten { customer, source: Some(source()), until: Some(deadline) }.into()),
        ("last", CustomerForgotten { customer, source: None, until: None }.into()),
        (
            "",
            CreditLimitGranted {
                account: ACCOUNT,
                limit: Some(eur("1000.00")),
                provider: PROVIDER,
                source: source(),
                zero: eur("0.00"),
            }
            .into(),
        ),
        (
            "lifted",
            CreditLimitGranted {
                account: ACCOUNT,
                limit: None,
                provider: PROVIDER,
                source: source(),
                zero: eur("0.00"),
            }
            .into(),
        ),
        (
            "",
            CallServerTrafficReported {
                call_server: SERVER,
                location: "Graz".into(),
                traffic: "80.50".parse().unwrap(),
                valid_until: MORNING,
            }
            .into(),
        ),
        ("", CallServerTrafficExpired { call_server: SERVER, location: "Graz".into() }.into()),
        (
            "",
            QueueOpened {
                born_from: Some(LINK.into()),
                origin: QueueOrigin::Link,
                priority_credit: Span::ZERO,
                queue: QUEUE,
                required_skills: vec![Skill { level: 10, name: topic("cards") }],
                topic: topic("cards/lost"),
            }
            .into(),
        ),
        (
            "bare",
            QueueOpened {
                born_from: None,
                origin: QueueOrigin::Declared,
                priority_credit: Span::ZERO,
                queue: QUEUE,
                required_skills: vec![],
                topic: topic("help"),
            }
            .into(),
        ),
        (
            "credit",
            QueueOpened {
                born_from: None,
                origin: QueueOrigin::Declared,
                priority_credit: Span::minutes(3),
                queue: QUEUE,
                required_skills: vec![],
                topic: topic("help"),
            }
            .into(),
        ),
        ("", QueueRetired { last: Some(inquiry), queue: QUEUE }.into()),
        ("bare", QueueRetired { last: None, queue: QUEUE }.into()),
        ("", QueueMerged { into: QueueId(99), queue: QUEUE }.into()),
        ("", QueueMergePutOff { queue: QUEUE, until: MORNING }.into()),
        ("", moved.clone().into()),
        ("already", InquiryMoved { already: true, ..moved.clone() }.into()),
        ("away", InquiryMoved { away: true, ..moved }.into()),
        ("classified", InquiryRegistered { classified: Some(classified()), link: None, ..registered.clone() }.into()),
        (
            "bare",
            InquiryRegistered { content: None, language: None, link: None, question: None, ..registered.clone() }
                .into(),
        ),
        (
            "hours",
            InquiryRegistered {
                begins_at: Some(closes_at),
                terms: OfferTerms { hours: Some(hours()), ..full_terms() },
                ..registered.clone()
            }
            .into(),
        ),
        ("preferred", InquiryRegistered { stands_at: Some(MORNING - Span::minutes(12)), ..registered.clone() }.into()),
        ("started", InquiryRegistered { link: None, started_by: Some(agent), ..registered.clone() }.into()),
        ("", registered.into()),
        ("", InformationRequested { customer, inquiry }.into()),
        (
            "preferred",
            InformationAnswered {
                customer,
                inquiry,
                last_agent: Some(agent),
                outcome: InformationOutcome::Found,
                preferred_for: Some(Span::minutes(2)),
                profile: Some(sealed("cHJvZmlsZQ")),
            }
            .into(),
        ),
        (
            "",
            InformationAnswered {
                customer,
                inquiry,
                last_agent: None,
                outcome: InformationOutcome::Found,
                preferred_for: None,
                profile: Some(sealed("cHJvZmlsZQ")),
            }
            .into(),
        ),
        (
            "bare",
            InformationAnswered {
                customer,
                inquiry,
                last_agent: None,
                outcome: InformationOutcome::Unavailable,
                preferred_for: None,
                profile: None,
            }
            .into(),
        ),
        ("", SelectionMade { agent: Some(agent), inquiry, why: why() }.into()),
        ("bare", SelectionMade { agent: None, inquiry, why: bare_why() }.into()),
        ("", TopicsConfirmed { agent, inquiry, topics: vec![topic("cards/lost")] }.into()),
        (
            "",
            InquiryRelaxed { desired_skills: vec![Skill { level: 2, name: topic("cards") }], inquiry, ring: 1 }.into(),
        ),
        ("", InquiryPreferenceEnded { agent, inquiry }.into()),
        ("", InquiryBegan { expires_at: closes_at, inquiry }.into()),
        ("", InquiryPutOff { begins_at: closes_at, inquiry }.into()),
        ("", InquiryRequeued { expires_at: closes_at, inquiry }.into()),
        (
            "",
            InquiryWithdrawn { freed: None, inquiry, place_kept_until: None, reason: Some(sealed("cmVhc29u")) }.into(),
        ),
        ("bare", InquiryWithdrawn { freed: None, inquiry, place_kept_until: None, reason: None }.into()),
        ("", InquiryExpired { freed: None, inquiry }.into()),
        ("", InquiryCompleted { freed: None, inquiry }.into()),
        ("freed", InquiryCompleted { freed: Some(Freed { offer: OFFER, spent: Some(eur("3.00")) }), inquiry }.into()),
        ("freed", InquiryExpired { freed: Some(Freed { offer: OFFER, spent: None }), inquiry }.into()),
        (
            "freed",
            InquiryWithdrawn {
                freed: Some(Freed { offer: OFFER, spent: None }),
                inquiry,
                place_kept_until: None,
                reason: None,
            }
            .into(),
        ),
        ("kept", InquiryWithdrawn { freed: None, inquiry, place_kept_until: Some(closes_at), reason: None }.into()),
        ("", InquiryResumed { expires_at: closes_at, inquiry }.into()),
        ("", InquiryPlaceKept { inquiry, until: closes_at }.into()),
        ("", InquiryPlaceLost { freed: None, inquiry }.into()),
        ("freed", InquiryPlaceLost { freed: Some(Freed { offer: OFFER, spent: None }), inquiry }.into()),
        (
            "",
            AuctionOpened {
                auction,
                closes_at,
                hard_closes_at: Some(closes_at),
                inquiry,
                round: 1,
                rules: full_rules(),
            }
            .into(),
        ),
        ("bare", AuctionOpened { auction, closes_at, hard_closes_at: None, inquiry, round: 1, rules: rules() }.into()),
        (
            "bare",
            BidPlaced { hold: None, price: None, supersedes: None, standing: Standing::OutbidAtOnce, ..placed.clone() }
                .into(),
        ),
        ("", placed.into()),
        ("", BidOutbid { agent, auction, bid, inquiry }.into()),
        ("", BidWithdrawn { agent, auction, bid, inquiry }.into()),
        ("", AuctionExtended { auction, bid: Some(bid), closes_at, hard_closes_at: Some(closes_at), inquiry }.into()),
        ("bare", AuctionExtended { auction, bid: None, closes_at, hard_closes_at: None, inquiry }.into()),
        ("", AuctionAwarded { agent, auction, bid, hold: eur("9.00"), inquiry, price: eur("9.00"), why: why() }.into()),
        ("", BidLost { agent, auction, bid, inquiry, reason: LossReason::Outbid }.into()),
        ("", BidForfeited { agent, auction, bid, inquiry, reason: LossReason::Lapsed }.into()),
        ("", AuctionUnsold { auction, inquiry, why: bare_why() }.into()),
        ("", AuctionCancelled { auction, inquiry }.into()),
        (
            "",
            AgentRegistered {
                affiliated_with: Some(PROVIDER),
                agent,
                capacity: 2,
                display_name: sealed_by(agent),
                location: "Graz".into(),
                number: 1,
                skills: vec![Skill { level: 1, name: topic("help") }],
            }
            .into(),
        ),
        (
            "bare",
            AgentRegistered {
                affiliated_with: None,
                agent,
                capacity: 1,
                display_name: sealed_by(agent),
                location: "Graz".into(),
                number: 1,
                skills: vec![],
            }
            .into(),
        ),
        (
            "",
            AgentUpdated {
                affiliated_with: Some(PROVIDER),
                affiliation_ended: false,
                agent,
                capacity: Some(3),
                display_name: Some(sealed_by(agent)),
                location: Some("Linz".into()),
                skills: Some(vec![]),
            }
            .into(),
        ),
        (
            "bare",
            AgentUpdated {
                affiliated_with: None,
                affiliation_ended: false,
                agent,
                capacity: None,
                display_name: None,
                location: None,
                skills: None,
            }
            .into(),
        ),
        (
            "ended",
            AgentUpdated {
                affiliated_with: None,
                affiliation_ended: true,
                agent,
                capacity: None,
                display_name: None,
                location: None,
                skills: None,
            }
            .into(),
        ),
        (
            "",
            AgentStatusSet { agent, note: Some(sealed_by(agent)), reason: WillReason::Asked, will: Will::Break }.into(),
        ),
        ("bare", AgentStatusSet { agent, note: None, reason: WillReason::Lapsed, will: Will::Offline }.into()),
        ("", AgentRoundsPutOff { agent, others: vec![], until: MORNING }.into()),
        ("others", AgentRoundsPutOff { agent, others: vec![ANN], until: MORNING }.into()),
        ("", AgentRoundsResumed { agent }.into()),
        ("", AgentStruck { agent, auction, reason: StrikeReason::Lapsed, reservation, until: closes_at }.into()),
        (
            "declined",
            AgentStruck { agent, auction, reason: StrikeReason::Declined, reservation, until: closes_at }.into(),
        ),
        ("", AgentBarred { agent, until: closes_at }.into()),
        ("", AgentBarEnded { agent }.into()),
        ("", AgentStrikesForgiven { agent, reason: sealed_by(agent) }.into()),
        ("", AgentBlocked { agent, provider: PROVIDER }.into()),
        ("", ProviderCustomerBlocked { customer, known_by: inquiry, provider: PROVIDER }.into()),
        ("", ProviderCustomerUnblocked { customer, provider: PROVIDER }.into()),
        ("", AgentCustomerBlocked { agent, customer, known_by: inquiry }.into()),
        ("", AgentCustomerUnblocked { agent, customer }.into()),
        ("", AgentUnblocked { agent, provider: PROVIDER }.into()),
        ("", AgentNoticesRead { agent, through: 41 }.into()),
        (
            "",
            StandingValueSet {
                agent,
                direction: Direction::Reverse,
                topic: "cards/lost".parse().unwrap(),
                valid_until: Some(closes_at),
                value: Some(eur("9.00")),
            }
            .into(),
        ),
        (
            "bare",
            StandingValueSet {
                agent,
                direction: Direction::Forward,
                topic: "cards".parse().unwrap(),
                valid_until: None,
                value: None,
            }
            .into(),
        ),
        (
            "",
            AgentPresenceReported {
                agents: vec![agent, AgentId(9)],
                call_server: Some(SERVER),
                node: Some("0123456789abcdef".into()),
            }
            .into(),
        ),
        ("bare", AgentPresenceReported { agents: vec![agent], call_server: None, node: None }.into()),
        (
            "",
            WalletOpened {
                account: ACCOUNT,
                credit_limit: Some(eur("0.00")),
                owner: Party::Agent(agent),
                zero: eur("0.00"),
            }
            .into(),
        ),
        (
            "bare",
            WalletOpened {
                account: ACCOUNT,
                credit_limit: None,
                owner: Party::Provider(PROVIDER),
                zero: domain::money::Money::zero(yen.currency()),
            }
            .into(),
        ),
        (
            "",
            WalletCredited {
                account: ACCOUNT,
                amount: eur("9.00"),
                legs: legs(),
                owner: Party::Agent(agent),
                reference: "till 7".into(),
            }
            .into(),
        ),
        ("", CreditLimitSet { account: ACCOUNT, limit: yen, owner: Party::Agent(agent) }.into()),
        (
            "bare",
            ReservationOpened { auction: None, bid: None, price: None, purpose: Purpose::Selected, ..opened.clone() }
                .into(),
        ),
        (
            "held",
            ReservationOpened {
                auction: None,
                bid: None,
                payer: Some(Party::Provider(PROVIDER)),
                purpose: Purpose::Selected,
                ..opened.clone()
            }
            .into(),
        ),
        ("", opened.clone().into()),
        ("", ReservationViewed { agent, inquiry, reservation }.into()),
        ("", ReservationAccepted { agent, inquiry, reservation }.into()),
        (
            "",
            ReservationDeclined {
                agent,
                inquiry,
                reason: Some(sealed_by(agent)),
                reservation,
                second_agent: Some(BEN),
            }
            .into(),
        ),
        ("bare", ReservationDeclined { agent, inquiry, reason: None, reservation, second_agent: None }.into()),
        ("", ReservationLapsed { agent, inquiry, reservation, second_agent: Some(BEN) }.into()),
        ("bare", ReservationLapsed { agent, inquiry, reservation, second_agent: None }.into()),
        ("", ReservationRescinded { agent, inquiry, reason: RescindReason::PlatformLate, reservation }.into()),
        ("", SessionOpened { agent, channel: CHANNEL, customer, inquiry, kind: ChannelKind::Message, session }.into()),
        (
            "",
            MessageSent {
                agent: Some(agent),
                author: Author::Agent,
                channel: CHANNEL,
                inquiry,
                message: MessageId(17),
                session,
                side: false,
                text: sealed("aGVsbG8"),
            }
            .into(),
        ),
        (
            "bare",
            MessageSent {
                agent: None,
                author: Author::Customer,
                channel: CHANNEL,
                inquiry,
                message: MessageId(17),
                session,
                side: false,
                text: sealed("aGVsbG8"),
            }
            .into(),
        ),
        ("side", said.into()),
        ("transfer", invited(invitation).into()),
        ("invited", invited(bare_invitation).into()),
        ("", answered.clone().into()),
        ("bare", InvitationAnswered { answer: Answer::Accepted, next: None, ..answered }.into()),
        ("", joined.clone().into()),
        ("bare", AgentJoined { first: false, ..joined }.into()),
        ("", left.clone().into()),
        ("bare", AgentLeft { wrap_up_deadline: None, ..left }.into()),
        ("", ChannelOpened { agent, by: BEN, channel: CHANNEL, inquiry, kind: ChannelKind::Telephone, session }.into()),
        ("", connected.clone().into()),
        ("bare", ChannelConnected { side: false, ..connected }.into()),
        ("", ChannelClosed { agent, by: BEN, channel: CHANNEL, inquiry, session }.into()),
        ("", SessionKept { inquiry, session, until: closes_at }.into()),
        ("", SessionEnded { agent, by: Author::Customer, inquiry, session, wrap_up_deadline: Some(closes_at) }.into()),
        ("bare", SessionEnded { agent, by: Author::System, inquiry, session, wrap_up_deadline: None }.into()),
        ("", NotesSaved { agent, inquiry, notes: sealed("bm90ZXM"), session }.into()),
        ("", WrapUpExtended { agent, inquiry, session, wrap_up_deadline: closes_at }.into()),
        ("bare", WrapUpCompleted { information: None, ..wrapped.clone() }.into()),
        ("", wrapped.into()),
        ("bare", SettlementEscrowed { bid: None, ..escrowed.clone() }.into()),
        ("fee", SettlementEscrowed { fee_rule: Some(2), ..escrowed.clone() }.into()),
        ("", escrowed.into()),
        ("fee", SettlementPending { fee: Some(fee), ..pending.clone() }.into()),
        ("", pending.into()),
        ("bare", SettlementRefunded { fee: None, reason: RefundReason::NoShow, ..refunded.clone() }.into()),
        ("", refunded.into()),
        ("", SettlementPayable { agent, inquiry, legs: legs(), payee: Party::Provider(PROVIDER), settlement }.into()),
        ("", SettlementReleased { agent, inquiry, legs: legs(), payer: Party::Agent(agent), settlement }.into()),
        (
            "",
            WebhookCreated {
                provider: PROVIDER,
                secret: sealed("c2VjcmV0"),
                types: vec!["offer.accepted.v1".into()],
                url: "https://hooks.bank.example/callmarket".into(),
                webhook,
            }
            .into(),
        ),
        (
            "",
            WebhookSecretRotated { overlaps_until: deadline, provider: PROVIDER, secret: sealed("c2VjcmV0"), webhook }
                .into(),
        ),
        ("", WebhookDeleted { provider: PROVIDER, webhook }.into()),
        ("", WebhookDisabled { provider: PROVIDER, webhook }.into()),
        (
            "",
            WebhookDeliveryPlanned {
                about: inquiry.into(),
                delivery,
                event: EventId(0xdef),
                provider: PROVIDER,
                source: source(),
                webhook,
            }
            .into(),
        ),
        (
            "",
            WebhookDeliveryAttempted {
                attempt: 1,
                delivery,
                next_attempt_at: Some(deadline),
                outcome: DeliveryOutcome::Failed,
                provider: PROVIDER,
                status: Some(503),
                webhook,
            }
            .into(),
        ),
        (
            "bare",
            WebhookDeliveryAttempted {
                attempt: 10,
                delivery,
                next_attempt_at: None,
                outcome: DeliveryOutcome::Dead,
                provider: PROVIDER,
                status: None,
                webhook,
            }
            .into(),
        ),
        ("", WebhookRedeliveryAsked { delivery, provider: PROVIDER, webhook }.into()),
        ("", netted.into()),
        ("", paid_out.into()),
        ("", returned.into()),
        ("", FeeRuleSet { rule: rule.clone() }.into()),
        ("bare", FeeRuleSet { rule: bare }.into()),
        ("", FeeRuleTaken { rule, source: source() }.into()),
        ("", EntryPosted { about: settlement.into(), at: MORNING, legs: legs(), number: 3, source: source() }.into()),
    ]
}

/// Sealed with an agent's key.
fn sealed_by(agent: AgentId) -> domain::sealed::Sealed {
    domain::sealed::Sealed { ciphertext: "bmFtZQ".into(), subject: agent.into() }
}

/// Writes a golden file that is missing, where that was asked for.
fn write_if_missing(name: &str, text: &str) {
    let path = golden_folder().join(name);
    if !path.exists() {
        assert!(updating(), "{name} is missing; run with UPDATE=1 to write it");
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn what_is_written_today_stands_among_the_golden_files() {
    let mut written = BTreeSet::new();
    for (case, event) in samples() {
        let (type_name, data) = stored::encode(&event);
        assert_eq!(type_name, stored::type_name(&event));
        let name = if case.is_empty() { format!("{type_name}.json") } else { format!("{type_name}.{case}.json") };
        assert!(written.insert(name.clone()), "{name} has two samples");
        let data = RawValue::from_string(String::from_utf8(data).unwrap()).unwrap();
        let line = serde_json::to_string(&Golden { data, type_name: type_name.to_owned() }).unwrap() + "\n";
        write_if_missing(&name, &line);
        let found = std::fs::read_to_string(golden_folder().join(&name)).unwrap();
        assert_eq!(found, line, "{name}: a stored shape never changes; give the new one a new version");
    }
    for type_name in stored::TYPES {
        assert!(written.contains(&format!("{type_name}.json")), "{type_name} is written today and has no sample");
    }
}

#[test]
fn every_golden_file_decodes_and_is_written_again_to_the_letter() {
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(golden_folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == VECTOR {
            continue;
        }
        let text = std::fs::read_to_string(golden_folder().join(&name)).unwrap();
        let golden: Golden = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(stored::TYPES.contains(&golden.type_name.as_str()), "{name}: no such type");
        let stem = name.strip_suffix(".json").expect("golden files are JSON");
        let case = stem.strip_prefix(&golden.type_name).unwrap_or_else(|| panic!("{name} belongs to another type"));
        assert!(case.is_empty() || case.starts_with('.'), "{name} belongs to another type");

        let data = golden.data.get();
        let (type_name, event) =
            stored::decode(&golden.type_name, data.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(type_name, golden.type_name);
        // An old version is lifted and written as the newest; a type that is written today comes back as it was.
        let (again, bytes) = stored::encode(&event);
        assert_eq!((again, std::str::from_utf8(&bytes).unwrap()), (type_name, data), "{name}");
        // serde_json keeps an object's members sorted.
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap() + "\n", text, "{name} is canonical");
        assert!(whole(&value), "{name} has a number that JSON readers round");
        seen.insert(golden.type_name);
    }
    let missing: Vec<&&str> = stored::TYPES.iter().filter(|name| !seen.contains(**name)).collect();
    assert!(missing.is_empty() || updating(), "no golden file: {missing:?}");
}

/// Integers below 2^53, and nothing absent written as null.
fn whole(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i64().is_some_and(|number| number.unsigned_abs() < 1 << 53),
        Value::Array(items) => items.iter().all(whole),
        Value::Object(members) => members.values().all(whole),
        Value::Null => false,
        Value::Bool(_) | Value::String(_) => true,
    }
}

#[test]
fn an_unknown_type_and_a_wrong_shape_are_named() {
    let unknown = stored::decode("auction.bid_placed.v99", b"{}").unwrap_err();
    assert_eq!(unknown.to_string(), "unknown event type auction.bid_placed.v99");
    let shape = stored::decode("auction.bid_placed.v1", b"{}").unwrap_err();
    assert_eq!(shape.to_string(), "event data of type auction.bid_placed.v1 does not have its shape");
}

/// A hash and an id that anybody can compute again.
#[derive(Serialize, Deserialize)]
struct Vector {
    data: String,
    data_hash: String,
    envelope: String,
    hash: String,
    how: String,
    id: String,
    previous_hash: String,
    salt: String,
    seq: u64,
}

#[test]
fn an_outsider_can_compute_hash_and_id() {
    let previous = std::array::from_fn(|index| index as u8);
    let salt = std::array::from_fn(|index| 0xa0 + index as u8);
    let event: Event = WalletCredited {
        account: ACCOUNT,
        amount: eur("9.00"),
        legs: legs(),
        owner: Party::Agent(ANN),
        reference: "till 7".into(),
    }
    .into();
    let facts = Facts {
        actor: Actor::Finance("fin-1".into()),
        key: Some(KeyMark { hash: 0xfeed, fingerprint: 0xbeef, events: 1 }),
        correlation: CommandId(0xabc),
        causation: Some(EventId(0xdef)),
        source: Some(source()),
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        time: MORNING,
        salt,
    };
    let sealed = Recorded::seal(&main_log(), 41, &previous, event, facts);
    let hex = |bytes: &[u8]| Hex(bytes).to_string();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let vector = Vector {
        data: text(&sealed.raw.data),
        data_hash: hex(&chain::data_hash(&salt, &sealed.raw.data)),
        envelope: text(&sealed.raw.envelope),
        hash: hex(&sealed.raw.hash),
        how: "data_hash = SHA-256(salt || data); hash = SHA-256(previous_hash || envelope || data_hash); texts as UTF-8, \
              the rest from hexadecimal. id = evt_ and the first 128 bits of hash, version set to 8 and variant to 10 as in a \
              UUID, in 26 digits of Crockford's base 32."
            .into(),
        id: sealed.id.to_string(),
        previous_hash: hex(&previous),
        salt: hex(&salt),
        seq: 41,
    };
    write_if_missing(VECTOR, &(serde_json::to_string_pretty(&vector).unwrap() + "\n"));
    let found = std::fs::read_to_string(golden_folder().join(VECTOR)).unwrap();
    assert_eq!(found, serde_json::to_string_pretty(&vector).unwrap() + "\n", "a hash is made as it always was");

    // As an outsider would, from the file alone.
    let vector: Vector = serde_json::from_str(&found).unwrap();
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    let data_hash = Sha256::digest([bytes(&vector.salt), vector.data.into_bytes()].concat());
    assert_eq!(data_hash.as_slice(), bytes(&vector.data_hash));
    let hash =
        Sha256::digest([bytes(&vector.previous_hash), vector.envelope.into_bytes(), data_hash.to_vec()].concat());
    assert_eq!(hash.as_slice(), bytes(&vector.hash));
    let mut id: [u8; 16] = hash[..16].try_into().unwrap();
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    assert_eq!(EventId(u128::from_be_bytes(id)).to_string(), vector.id);
    let head = sealed.raw.head();
    assert_eq!((head, Head::next(Some(head))), (Head { seq: 41, hash: bytes(&vector.hash).try_into().unwrap() }, 42));
}
