//! Rights: who sees what of which event, and that hidden bids leave no trace.

use super::fixture::*;
use super::visibility::{AuctionFacts, Facts, InquiryFacts, Seen, see, sees_actor};
use domain::actor::Actor;
use domain::event::auction::{AuctionExtended, AuctionUnsold, BidPlaced, BidWithdrawn, Standing};
use domain::event::inquiry::InquiryWithdrawn;
use domain::event::session::{Author, MessageSent};
use domain::event::settlement::SettlementReleased;
use domain::event::wallet::{CreditLimitSet, Party};
use domain::event::{Event, agent};
use domain::ids::*;
use domain::terms::AuctionFormat;
use domain::time::Timestamp;
use serde_json::Value;
use store::recorded::Recorded;

struct Now {
    format: AuctionFormat,
    open: bool,
}

impl Facts for Now {
    fn auction(&self, id: AuctionId) -> Option<AuctionFacts> {
        (id == AUCTION).then_some(AuctionFacts { format: self.format, open: self.open })
    }
    fn inquiry(&self, id: InquiryId) -> Option<InquiryFacts> {
        (id == INQUIRY).then_some(InquiryFacts { provider: PROVIDER, customer: CUSTOMER })
    }
    fn is_engaged(&self, inquiry: InquiryId, agent: AgentId) -> bool {
        (inquiry, agent) == (INQUIRY, ANN)
    }
    fn provider_of(&self, offer: OfferId) -> Option<ProviderId> {
        (offer == OFFER).then_some(PROVIDER)
    }
}

const SEALED: Now = Now { format: AuctionFormat::SealedFirstPrice, open: true };
const CLOSED: Now = Now { format: AuctionFormat::SealedFirstPrice, open: false };
const PROXY: Now = Now { format: AuctionFormat::Proxy, open: false };

fn operator() -> Actor {
    Actor::Operator("op".into())
}
fn finance() -> Actor {
    Actor::Finance("fin".into())
}
fn everybody() -> [Actor; 9] {
    let agents = [Actor::Agent(ANN), Actor::Agent(BEN)];
    let [ann, ben] = agents;
    let providers = (Actor::Provider(PROVIDER), Actor::Provider(OTHER_PROVIDER));
    [
        operator(),
        finance(),
        providers.0,
        providers.1,
        ann,
        ben,
        Actor::Customer(CUSTOMER),
        Actor::Customer(CustomerId(2)),
        Actor::Anonymous,
    ]
}

fn recorded(event: impl Into<Event>) -> Recorded {
    Logs::default().add(&main_log(), 1, event)
}

/// What the viewer gets, with the names of what is hidden.
fn redacted(viewer: &Actor, event: &Recorded, facts: &Now) -> Option<Vec<String>> {
    match see(viewer, event, facts) {
        Seen::Absent => None,
        Seen::Full => Some(Vec::new()),
        Seen::Partial { data, redacted } => {
            for path in &redacted {
                assert_eq!(data.pointer(&format!("/{}", path.replace('.', "/"))), Some(&Value::Null), "{path}");
            }
            Some(redacted)
        }
    }
}

#[test]
fn each_role_sees_its_own() {
    let logs = life();
    let seen = |viewer: Actor| -> Vec<&str> {
        let mut types: Vec<&str> = logs
            .recorded
            .values()
            .flatten()
            .filter(|event| see(&viewer, event, &CLOSED) != Seen::Absent)
            .map(|event| event.type_name)
            .collect();
        types.dedup();
        types
    };
    let all: usize = logs.recorded.values().map(Vec::len).sum();
    let full: Vec<_> =
        logs.recorded.values().flatten().filter(|event| see(&operator(), event, &CLOSED) != Seen::Absent).collect();
    assert_eq!(full.len(), all);
    assert_eq!(seen(finance()), ["wallet.credited.v1", "settlement.escrowed.v1"]);
    assert_eq!(seen(Actor::Provider(OTHER_PROVIDER)), ["offer.published.v1"]);
    let provider = seen(Actor::Provider(PROVIDER));
    assert!(provider.contains(&"auction.bid_placed.v1") && provider.contains(&"settlement.escrowed.v1"));
    assert!(!provider.iter().any(|name| name.starts_with("agent.") || name.starts_with("wallet.")));
    assert_eq!(
        seen(Actor::Customer(CUSTOMER)),
        [
            "offer.accepted.v1",
            "inquiry.registered.v1",
            "session.opened.v1",
            "session.message_sent.v1",
            "session.ended.v1",
            "inquiry.completed.v1"
        ]
    );
    assert_eq!(seen(Actor::Customer(CustomerId(2))), Vec::<&str>::new());
    assert_eq!(seen(Actor::Anonymous), Vec::<&str>::new());
    assert_eq!(
        seen(Actor::Agent(BEN)),
        ["agent.registered.v1", "auction.bid_placed.v1", "auction.bid_outbid.v1", "auction.bid_lost.v1"]
    );
}

/// Who is there and who is not says when people work; it is nobody's business but the house's.
#[test]
fn reports_of_presence_are_the_operators_alone() {
    let agents = vec![ANN, BEN];
    let report =
        agent::AgentPresenceReported { agents, call_server: Some(CallServerId(1)), node: Some("n1".to_owned()) };
    let event = recorded(report);
    for viewer in everybody() {
        let seen = redacted(&viewer, &event, &CLOSED);
        assert_eq!(seen, (viewer == operator()).then(Vec::new), "{viewer:?}");
    }
}

#[test]
fn sealed_data_is_null_for_all() {
    let status = agent::AgentStatusSet {
        agent: ANN,
        note: Some(sealed(ANN)),
        reason: agent::WillReason::Asked,
        will: agent::Will::Break,
    };
    let event = recorded(status);
    for viewer in [operator(), Actor::Agent(ANN)] {
        assert_eq!(redacted(&viewer, &event, &CLOSED), Some(vec!["note".to_owned()]));
    }
}

#[test]
fn a_hidden_reserve_is_the_providers_and_operators() {
    let (auction, acceptance) =
        (recorded(opened(AUCTION, INQUIRY, AuctionFormat::Open)), recorded(accepted(INQUIRY, OFFER, PROVIDER)));
    for knows in [operator(), Actor::Provider(PROVIDER)] {
        assert_eq!(redacted(&knows, &auction, &CLOSED), Some(vec![]));
        assert_eq!(redacted(&knows, &acceptance, &CLOSED), Some(vec!["profile".to_owned()]));
    }
    let customer = Actor::Customer(CUSTOMER);
    let paths = vec!["profile".to_owned(), "terms.allocation.auction.reserve".to_owned()];
    assert_eq!(redacted(&customer, &acceptance, &CLOSED), Some(paths));
}

#[test]
fn a_leading_proxy_maximum_is_its_bidders_for_ever() {
    for (standing, hidden) in [(Standing::Leads, true), (Standing::NoEffect, true), (Standing::OutbidAtOnce, false)] {
        let event = recorded(bid(1, ANN, "9.00", standing));
        let hidden: Vec<String> = if hidden { vec!["amount".into(), "hold".into()] } else { Vec::new() };
        assert_eq!(redacted(&operator(), &event, &PROXY), Some(hidden.clone()));
        assert_eq!(redacted(&Actor::Provider(PROVIDER), &event, &PROXY), Some(hidden));
        assert_eq!(redacted(&Actor::Agent(ANN), &event, &PROXY), Some(vec![]));
    }
    let award = recorded(awarded(1, ANN, "5.00", why(vec![(ANN, "9.00"), (BEN, "4.00")])));
    let both = vec!["why.ranked.0.amount".to_owned(), "why.ranked.1.amount".to_owned()];
    assert_eq!(redacted(&operator(), &award, &PROXY), Some(both));
    assert_eq!(redacted(&operator(), &award, &CLOSED), Some(vec![]));
}

#[test]
fn rivals_stay_unknown_to_agents() {
    let award = recorded(awarded(1, ANN, "7.00", why(vec![(ANN, "7.00"), (BEN, "6.00")])));
    let hidden = ["why.excluded.0.agents", "why.ranked.1"].map(String::from).to_vec();
    assert_eq!(redacted(&Actor::Agent(ANN), &award, &CLOSED), Some(hidden));
    assert_eq!(redacted(&Actor::Agent(BEN), &award, &CLOSED), None);
}

#[test]
fn what_a_bid_does_in_an_open_sealed_auction_is_its_bidders() {
    let placed = recorded(bid(1, ANN, "7.00", Standing::Sealed));
    let withdrawn = recorded(BidWithdrawn { agent: ANN, auction: AUCTION, bid: BidId(1), inquiry: INQUIRY });
    let moved = AuctionExtended {
        auction: AUCTION,
        bid: Some(BidId(1)),
        closes_at: Timestamp(5),
        hard_closes_at: None,
        inquiry: INQUIRY,
    };
    let moved = recorded(moved);
    for viewer in everybody() {
        let own = viewer == Actor::Agent(ANN);
        assert_eq!(see(&viewer, &placed, &SEALED) != Seen::Absent, own, "{viewer:?}");
        assert_eq!(see(&viewer, &withdrawn, &SEALED) != Seen::Absent, own, "{viewer:?}");
        assert_eq!(see(&viewer, &moved, &SEALED), Seen::Absent, "{viewer:?}");
    }
    // Its number would tell the bidder how many came before.
    assert_eq!(redacted(&Actor::Agent(ANN), &placed, &SEALED), Some(vec!["bidder".to_owned()]));
    assert_eq!(see(&operator(), &placed, &CLOSED), Seen::Full);
    assert_eq!(see(&Actor::Agent(ANN), &placed, &CLOSED), Seen::Full);
    // An auction that nobody knows may be one of those.
    let unknown = recorded(BidPlaced { auction: AuctionId(9), ..bid(1, ANN, "7.00", Standing::Sealed) });
    assert_eq!(see(&operator(), &unknown, &CLOSED), Seen::Absent);
}

/// Who acted, by event and actor; `sees` names the viewers who are told, the actor itself aside.
#[test]
fn who_acted_is_told_to_those_who_may_see_that_party() {
    const OTHER: CustomerId = CustomerId(2);
    let (customer, other) = (Actor::Customer(CUSTOMER), Actor::Customer(OTHER));
    let (provider, ann, ben) = (Actor::Provider(PROVIDER), Actor::Agent(ANN), Actor::Agent(BEN));
    let message = |inquiry| MessageSent {
        agent: Some(ANN),
        author: Author::Agent,
        channel: ChannelId(1),
        inquiry,
        message: MessageId(1),
        session: SESSION,
        side: false,
        text: sealed(CUSTOMER),
    };
    let from_customer = |inquiry| MessageSent { agent: None, author: Author::Customer, ..message(inquiry) };
    let owner = Party::Agent(ANN);
    let limit = CreditLimitSet { account: AccountId(1), limit: eur("5.00"), owner };
    let released = SettlementReleased {
        agent: ANN,
        inquiry: INQUIRY,
        legs: Vec::new(),
        payer: Party::Provider(PROVIDER),
        settlement: SETTLEMENT,
    };
    let status =
        agent::AgentStatusSet { agent: ANN, note: None, reason: agent::WillReason::Asked, will: agent::Will::Break };
    let withdrawn = InquiryWithdrawn { freed: None, inquiry: INQUIRY, place_kept_until: None, reason: None };
    let unknown = InquiryWithdrawn { freed: None, inquiry: InquiryId(9), place_kept_until: None, reason: None };
    let cases: Vec<(Event, Actor, Vec<Actor>)> = vec![
        // An acceptance names its parties before any call server knows it.
        (accepted(InquiryId(9), OFFER, PROVIDER).into(), customer.clone(), vec![provider.clone()]),
        (withdrawn.clone().into(), customer.clone(), vec![provider.clone(), ann.clone()]),
        (withdrawn.clone().into(), other, vec![]),
        (withdrawn.into(), Actor::Operator("chief".into()), vec![finance(), ann.clone(), ben.clone()]),
        (unknown.into(), customer.clone(), vec![]),
        (from_customer(INQUIRY).into(), customer.clone(), vec![provider.clone(), ann.clone()]),
        (message(INQUIRY).into(), ann.clone(), vec![provider.clone(), customer.clone()]),
        (message(InquiryId(9)).into(), ann.clone(), vec![]),
        (bid(1, ANN, "7.00", Standing::Leads).into(), ann.clone(), vec![provider.clone()]),
        // Whose bid outbid it is a rival's secret; the event is the loser's alone.
        (outbid(1, BEN).into(), ann.clone(), vec![]),
        (opened(AUCTION, INQUIRY, AuctionFormat::Open).into(), ben.clone(), vec![]),
        // Who became free and so let a round begin is no party of the inquiry.
        (opened(AUCTION, INQUIRY, AuctionFormat::Open).into(), customer, vec![provider.clone(), ann.clone()]),
        (published(OFFER, PROVIDER).into(), Actor::Operator("chief".into()), vec![finance(), ann.clone(), ben.clone()]),
        (published(OFFER, PROVIDER).into(), provider.clone(), vec![]),
        (status.into(), ann.clone(), vec![]),
        (limit.clone().into(), Actor::Finance("till".into()), vec![finance()]),
        (limit.clone().into(), ann.clone(), vec![finance()]),
        (limit.into(), ben, vec![]),
        (released.clone().into(), provider, vec![finance()]),
        (released.into(), ann, vec![finance(), Actor::Provider(PROVIDER)]),
    ];
    for (event, actor, sees) in cases {
        let mut logs = Logs::default();
        let event = logs.add_by(&main_log(), 1, event, actor.clone(), None);
        for viewer in everybody() {
            let told = matches!(viewer, Actor::Operator(_)) || viewer == actor || sees.contains(&viewer);
            let found = sees_actor(&viewer, &event, &CLOSED);
            assert_eq!(found, told, "{viewer:?} of {actor:?} in {}", event.type_name);
        }
        let nobody = Recorded { actor: Actor::System, ..event };
        assert!(everybody().iter().all(|viewer| sees_actor(viewer, &nobody, &CLOSED)), "the platform has no id");
    }
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What a viewer gets of a history, without positions and hashes: those may move.
fn view(logs: &Logs, viewer: &Actor) -> Vec<(Timestamp, &'static str, Vec<Subject>, Actor, Seen)> {
    let entry = |event: &Recorded| {
        let seen = see(viewer, event, &SEALED);
        (seen != Seen::Absent).then(|| (event.time, event.type_name, event.subjects.clone(), event.actor.clone(), seen))
    };
    logs.recorded.values().flatten().filter_map(entry).collect()
}

#[test]
fn histories_that_differ_in_hidden_bids_look_the_same() {
    let main = main_log();
    for seed in 0..300 {
        let (mut plain, mut with_bids) = (Logs::default(), Logs::default());
        let mut dice = Dice(seed);
        let both = |event: Event, at: i64, actor: Actor, plain: &mut Logs, with_bids: &mut Logs| {
            plain.add_by(&main, at, event.clone(), actor.clone(), None);
            with_bids.add_by(&main, at, event, actor, None);
        };
        both(registered(INQUIRY, OFFER, PROVIDER).into(), 1, Actor::System, &mut plain, &mut with_bids);
        both(
            opened(AUCTION, INQUIRY, AuctionFormat::SealedFirstPrice).into(),
            1,
            Actor::System,
            &mut plain,
            &mut with_bids,
        );
        for at in 2..2 + dice.roll(30) as i64 {
            let amount = format!("{}.00", 1 + dice.roll(50));
            let number = at as u128;
            match dice.roll(6) {
                // The rival's own bids stand in both, with another number behind others.
                0 => {
                    let own = bid(number, BEN, &amount, Standing::Sealed);
                    plain.add_by(&main, at, own.clone(), Actor::Agent(BEN), None);
                    with_bids.add_by(&main, at, BidPlaced { bidder: 9, ..own }, Actor::Agent(BEN), None);
                }
                1 => both(published(OFFER, PROVIDER).into(), at, Actor::Provider(PROVIDER), &mut plain, &mut with_bids),
                2 => {
                    let gone = BidWithdrawn { agent: ANN, auction: AUCTION, bid: BidId(number), inquiry: INQUIRY };
                    with_bids.add_by(&main, at, gone, Actor::Agent(ANN), None);
                }
                3 => {
                    let bid = Some(BidId(number));
                    let moved = AuctionExtended {
                        auction: AUCTION,
                        bid,
                        closes_at: Timestamp(99),
                        hard_closes_at: None,
                        inquiry: INQUIRY,
                    };
                    with_bids.add_by(&main, at, moved, Actor::Agent(ANN), None);
                }
                _ => {
                    let agent = AgentId(10 + u128::from(dice.roll(5)));
                    with_bids.add_by(
                        &main,
                        at,
                        bid(number, agent, &amount, Standing::Sealed),
                        Actor::Agent(agent),
                        None,
                    );
                }
            }
        }
        let unsold = AuctionUnsold { auction: AuctionId(8), inquiry: INQUIRY, why: why(Vec::new()) };
        both(unsold.into(), 90, Actor::System, &mut plain, &mut with_bids);
        for viewer in [Actor::Agent(BEN), Actor::Provider(PROVIDER), finance(), operator(), Actor::Customer(CUSTOMER)] {
            assert_eq!(view(&plain, &viewer), view(&with_bids, &viewer), "seed {seed}, {viewer:?}");
        }
    }
}
