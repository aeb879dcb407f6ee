//! The log `community`: providers, offers, call servers, and an acceptance with its guards in order.

use crate::support::market::names;
use crate::support::*;
use domain::actor::Actor;
use domain::command::{Acceptance, Command, Content, NewLink, OfferChange};
use domain::event::Event;
use domain::event::community::{
    Classified, CreditLimit, LiftedLimit, Location, OfferAccepted, OfferEvent, ProviderEvent, TopicScore,
};
use domain::event::inquiry::InformationOutcome;
use domain::ids::{LinkId, OfferId, ProviderId};
use domain::refusal::Refusal;
use domain::terms::AuctionFormat::*;
use domain::terms::{
    Allocation, AuctionRules, ChannelKind, ConsentText, ContentReference, Direction, Initiator, OfferTerms, Placement,
    RoutingPolicy,
};
use domain::time::{Span, Timestamp};

/// A provider with one offer of one link, and the call server `bank`.
pub(crate) struct Front {
    pub(crate) market: Market,
    pub(crate) provider: ProviderId,
    pub(crate) offer: OfferId,
    link: LinkId,
}

fn content(origin: &str) -> Option<Content> {
    Some(Content { origin: origin.to_owned(), page: sealed("page"), direct: false })
}

fn open(market: &mut Market, name: &str, topics: &[&str], languages: &[&str]) {
    let topics = topics.iter().map(|text| topic(text)).collect();
    let languages = languages.iter().map(|text| (*text).to_owned()).collect();
    market
        .operator(Command::OpenCallServer { name: name.parse().unwrap(), topics, languages, locations: vec![] })
        .unwrap();
}

pub(crate) fn front(terms: OfferTerms) -> Front {
    let mut market = Market::empty();
    open(&mut market, "bank", &["cards"], &[]);
    let register = Command::RegisterProvider {
        name: "Bank".to_owned(),
        homepage: None,
        origins: vec!["https://bank.example".to_owned()],
        credit_limits: vec![],
        customer_keys: vec![],
    };
    let events = market.operator(register).unwrap();
    let Event::Provider(ProviderEvent::Registered(registered)) = &events[0] else { panic!() };
    let provider = registered.provider;
    let links = vec![NewLink { label: "Lost card".to_owned(), topic: topic("cards/lost") }];
    let publish = Command::PublishOffer { provider, terms: OfferTerms { links: vec![], ..terms }, links };
    let events = market.asks(Actor::Provider(provider), publish).unwrap();
    let Event::Offer(OfferEvent::Published(published)) = &events[0] else { panic!() };
    Front { offer: published.offer, link: published.terms.links[0].id, market, provider }
}

impl Front {
    pub(crate) fn acceptance(&self) -> Acceptance {
        Acceptance {
            offer: self.offer,
            offer_revision: Some(1),
            link: Some(self.link),
            topics: vec![],
            question: None,
            classified: None,
            content: None,
            channel: ChannelKind::Message,
            initiator: Initiator::Customer,
            language: None,
            customer: CUSTOMER,
            information: InformationOutcome::New,
            last_agents: vec![],
            proven_by: None,
            profile: None,
            terms_version: None,
            waiting: vec![],
            known_topics: vec![],
            community_origins: vec!["https://callmarket.example".to_owned()],
        }
    }
    pub(crate) fn accepts(&mut self, change: impl FnOnce(&mut Acceptance)) -> Result<OfferAccepted, Refusal> {
        let mut acceptance = self.acceptance();
        change(&mut acceptance);
        let events = self.market.asks(Actor::Anonymous, Command::AcceptOffer(Box::new(acceptance)))?;
        let Event::Offer(OfferEvent::Accepted(accepted)) = &events[0] else { panic!() };
        Ok((**accepted).clone())
    }
    pub(crate) fn revises(&mut self, expected_revision: u32, change: OfferChange) -> Answer {
        self.market
            .asks(Actor::Provider(self.provider), Command::ReviseOffer { offer: self.offer, expected_revision, change })
    }
}

pub(crate) fn plain() -> OfferTerms {
    terms::terms(forward(Open))
}

#[test]
fn an_acceptance_freezes_the_terms_and_takes_the_links_topic_first() {
    let mut front = front(plain());
    open(&mut front.market, "money", &["loans"], &[]);
    let accepted = front.accepts(|ask| ask.topics = vec![topic("loans"), topic("cards/lost")]).unwrap();
    assert_eq!(accepted.topics, [topic("cards/lost"), topic("loans")]);
    assert_eq!((accepted.call_server.as_str(), accepted.revision), ("bank", 1));
    assert_eq!(accepted.terms.links[0].id, front.link);
}

/// A topic stands in logs and queues in clear.
#[test]
fn nobody_makes_up_a_topic() {
    let mut front = front(plain());
    open(&mut front.market, "money", &["loans"], &[]);
    let unknown = |at: &str| Refusal::invalid(&["topics", at], "not a known subject matter");
    let mut asks = |topics: &[&str]| {
        front.accepts(|ask| {
            ask.topics = topics.iter().map(|name| topic(name)).collect();
            ask.known_topics = vec![topic("taxes")];
        })
    };
    assert!(asks(&["loans", "cards/lost", "taxes"]).is_ok(), "a call server's, a link's and a queue's");
    assert_eq!(asks(&["loans", "ann-example"]).unwrap_err(), unknown("1"));
    assert_eq!(asks(&["loans/ann"]).unwrap_err(), unknown("0"), "what lies beneath is not the same");
}

#[test]
fn a_choice_records_its_score_as_a_number_and_the_rest_as_tie_key() {
    let mut front = front(plain());
    open(&mut front.market, "cards", &["cards/lost"], &["de"]);
    let accepted = front.accepts(|ask| ask.waiting = vec![("cards".parse().unwrap(), 3)]).unwrap();
    let ranked = &accepted.why.ranked[0];
    assert_eq!(ranked.score.as_deref(), Some("2"));
    assert_eq!(ranked.tie_key, "language 0, waiting 3, cards");
}

#[test]
fn a_question_without_topics_is_general() {
    let mut front = front(plain());
    let accepted = front.accepts(|ask| (ask.link, ask.question) = (None, Some(sealed("why?")))).unwrap();
    assert_eq!(accepted.topics, [topic("general")]);
    assert_eq!(accepted.why.rule, "default/1");
}

#[test]
fn what_the_classifier_finds_counts_where_nobody_said_what_it_is_about() {
    let mut front = front(plain());
    let scores = vec![TopicScore { score: 9_000, topic: topic("cards") }];
    let found = Classified { chosen: topic("cards"), model: "m+0".into(), rule: "model/1".into(), scores };
    let asks = |acceptance: &mut Acceptance| {
        acceptance.question = Some(sealed("question"));
        acceptance.classified = Some(found.clone());
    };
    let accepted = front.accepts(|a| (asks(a), a.link = None).1).unwrap();
    assert_eq!((accepted.topics, accepted.classified), (vec![topic("cards")], Some(found.clone())));
    // A link has said it, and so has a topic that was given.
    let accepted = front.accepts(asks).unwrap();
    assert_eq!((accepted.topics, accepted.classified), (vec![topic("cards/lost")], None));
    let given = |a: &mut Acceptance| {
        asks(a);
        (a.link, a.topics, a.known_topics) = (None, vec![topic("loans")], vec![topic("loans")]);
    };
    let accepted = front.accepts(given).unwrap();
    assert_eq!((accepted.topics, accepted.classified), (vec![topic("loans")], None));
}

#[test]
fn an_acceptance_with_everything_wrong_is_refused_in_the_order_of_the_guards() {
    let valid_until = second(100);
    let mut front = front(OfferTerms {
        accepts_questions: false,
        valid_until: Some(valid_until),
        terms: Some(ConsentText { url: "https://bank.example/terms".to_owned(), version: "2".to_owned() }),
        ..plain()
    });
    let suspended = |suspended| Command::UpdateProvider {
        provider: PROVIDER,
        name: None,
        homepage: Patch::Keep,
        origins: None,
        suspended: Some(suspended),
        credit_limits: None,
        customer_keys: None,
    };
    let suspend = |front: &mut Front, to| {
        let Command::UpdateProvider { name, homepage, origins, suspended, credit_limits, customer_keys, .. } =
            suspended(to)
        else {
            panic!()
        };
        let provider = front.provider;
        let update =
            Command::UpdateProvider { provider, name, homepage, origins, suspended, credit_limits, customer_keys };
        front.market.operator(update).unwrap();
    };
    suspend(&mut front, true);
    let mut ask = Acceptance {
        offer: OfferId(9),
        offer_revision: Some(7),
        link: None,
        channel: ChannelKind::Telephone,
        initiator: Initiator::ContactCenter,
        content: content("https://evil.example"),
        language: Some("!".to_owned()),
        ..front.acceptance()
    };
    let said = |front: &mut Front, ask: &Acceptance| {
        let ask = ask.clone();
        front.accepts(|slot| *slot = ask).unwrap_err()
    };
    let invalid = |refusal: Refusal, name: &str| matches!(refusal, Refusal::Invalid { field, .. } if field == [name]);

    assert_eq!(said(&mut front, &ask), Refusal::NotFound { field: "offerId" });
    ask.offer = front.offer;
    for late in [valid_until, valid_until + MICROSECOND] {
        front.market.jumps_to(late);
        assert_eq!(said(&mut front, &ask), Refusal::OfferExpired);
    }
    front.market.jumps_to(before(valid_until));
    assert_eq!(said(&mut front, &ask), Refusal::StaleRevision { current: 1 });
    ask.offer_revision = None;
    assert!(matches!(said(&mut front, &ask), Refusal::NotAllowedNow { .. }), "suspended");
    suspend(&mut front, false);
    assert!(invalid(said(&mut front, &ask), "linkId"), "neither link nor question");
    ask.question = Some(sealed("why?"));
    assert!(invalid(said(&mut front, &ask), "question"));
    (ask.question, ask.link) = (None, Some(LinkId(9)));
    assert_eq!(said(&mut front, &ask), Refusal::NotFound { field: "linkId" });
    ask.link = Some(front.link);
    assert_eq!(said(&mut front, &ask), Refusal::ChannelNotOffered);
    ask.channel = ChannelKind::Message;
    assert!(invalid(said(&mut front, &ask), "initiator"));
    ask.initiator = Initiator::UserInterface;
    for version in [None, Some("1".to_owned())] {
        ask.terms_version = version;
        assert_eq!(said(&mut front, &ask), Refusal::TermsNotAccepted);
    }
    ask.terms_version = Some("2".to_owned());
    assert!(invalid(said(&mut front, &ask), "language"));
    ask.language = Some("de-AT".to_owned());
    assert_eq!(said(&mut front, &ask), Refusal::OriginRefused);
    ask.content = content("https://bank.example");
    let accepted = front.accepts(|slot| *slot = ask).unwrap();
    let placed = ContentReference {
        origin: "https://bank.example".to_owned(),
        page: sealed("page"),
        placement: Placement::ProviderPage,
    };
    assert_eq!(accepted.content, Some(placed), "the origin in clear, the page as it was sealed");
}

#[test]
fn content_on_the_communitys_own_page_is_placed_there() {
    let mut front = front(plain());
    let accepted = front.accepts(|ask| ask.content = content("https://callmarket.example"));
    assert_eq!(accepted.unwrap().content.unwrap().placement, Placement::CommunityPage);
}

#[test]
fn a_direct_visit_is_one_to_the_communitys_own_page_alone() {
    let mut front = front(plain());
    let direct = |origin| content(origin).map(|content| Content { direct: true, ..content });
    let mut placed = |origin| front.accepts(|ask| ask.content = direct(origin)).map(|e| e.content.unwrap().placement);
    assert_eq!(placed("https://callmarket.example"), Ok(Placement::Direct));
    assert_eq!(placed("https://bank.example"), Ok(Placement::ProviderPage), "whatever the edge says");
    assert_eq!(placed("https://else.example"), Err(Refusal::OriginRefused));
}

#[test]
fn a_retired_offer_is_neither_accepted_nor_revised_nor_retired_again() {
    let mut front = front(plain());
    let retire = Command::RetireOffer { offer: front.offer };
    assert_eq!(
        front.market.asks(Actor::Provider(ProviderId(9)), retire.clone()),
        Err(Refusal::NotFound { field: "offerId" })
    );
    assert_eq!(names(&front.market.operator(retire.clone()).unwrap()), ["offer.retired"]);
    assert_eq!(front.market.operator(retire), Err(Refusal::OfferRetired));
    assert_eq!(front.accepts(|_| ()).unwrap_err(), Refusal::OfferRetired);
    assert_eq!(front.revises(1, OfferChange::default()), Err(Refusal::OfferRetired));
}

#[test]
fn a_revision_names_the_one_it_read_and_keeps_the_ids_of_links_that_stay() {
    let mut front = front(plain());
    assert_eq!(front.revises(2, OfferChange::default()), Err(Refusal::StaleRevision { current: 1 }));
    let stay = NewLink { label: "Lost card".to_owned(), topic: topic("cards/lost") };
    let new = NewLink { label: "New card".to_owned(), topic: topic("cards/new") };
    let change = OfferChange { links: Some(vec![new, stay.clone()]), ..OfferChange::default() };
    let events = front.revises(1, change).unwrap();
    let Event::Offer(OfferEvent::Revised(revised)) = &events[0] else { panic!() };
    assert_eq!((revised.revision, revised.terms.links[1].id), (2, front.link));
    let twice = OfferChange { links: Some(vec![stay.clone(), stay]), ..OfferChange::default() };
    assert!(matches!(front.revises(2, twice), Err(Refusal::Invalid { field, .. }) if field == ["links", "1"]));
    assert_eq!(front.accepts(|_| ()).unwrap_err(), Refusal::StaleRevision { current: 2 });
    assert_eq!(front.accepts(|ask| ask.offer_revision = None).unwrap().revision, 2);
}

#[test]
fn a_revision_that_leaves_the_terms_as_they_are_is_recorded_and_makes_no_new_one() {
    let mut front = front(plain());
    let revised = |front: &mut Front, expected, change| {
        let events = front.revises(expected, change).unwrap();
        let [Event::Offer(OfferEvent::Revised(revised))] = &events[..] else { panic!("{events:?}") };
        (revised.revision, revised.terms.clone())
    };
    let title = |title: &str| OfferChange { title: Some(title.to_owned()), ..OfferChange::default() };
    let links = vec![NewLink { label: "Lost card".to_owned(), topic: topic("cards/lost") }];
    let as_it_is = OfferChange { links: Some(links), max_open: Patch::Clear, ..title(&plain().title) };
    let before = revised(&mut front, 1, as_it_is.clone());
    assert_eq!((before.0, before.1.links[0].id), (1, front.link));
    assert_eq!(front.accepts(|ask| ask.offer_revision = Some(1)).unwrap().revision, 1, "who has read it may accept");
    assert_eq!(revised(&mut front, 1, title("Another")).0, 2);
    assert_eq!(revised(&mut front, 2, title("Another")).0, 2);
    assert_eq!(front.revises(1, title("Another")), Err(Refusal::StaleRevision { current: 2 }));
    assert_eq!(revised(&mut front, 2, as_it_is), (3, before.1));
}

#[test]
fn a_revision_takes_away_what_it_names_as_nothing_and_keeps_what_it_does_not_name() {
    let consent = ConsentText { url: "https://bank.example/terms".to_owned(), version: "2".to_owned() };
    let full = OfferTerms {
        terms: Some(consent.clone()),
        valid_until: Some(second(100)),
        wrap_up: Some(seconds(60)),
        ..plain()
    };
    let revised = |front: &mut Front, expected_revision, change| {
        let events = front.revises(expected_revision, change).unwrap();
        let Event::Offer(OfferEvent::Revised(revised)) = &events[0] else { panic!() };
        (revised.terms.terms.clone(), revised.terms.valid_until, revised.terms.wrap_up)
    };
    let mut front = front(full);
    let kept = (Some(consent.clone()), Some(second(100)), Some(seconds(60)));
    assert_eq!(front.revises(1, OfferChange::default()), Err(Refusal::nothing_to_change()));
    let title = OfferChange { title: Some("Another".to_owned()), ..OfferChange::default() };
    assert_eq!(revised(&mut front, 1, title), kept);
    let clear =
        OfferChange { terms: Patch::Clear, valid_until: Patch::Clear, wrap_up: Patch::Clear, ..OfferChange::default() };
    assert_eq!(revised(&mut front, 2, clear), (None, None, None));
    let again = OfferChange { wrap_up: Patch::Set(seconds(61)), ..OfferChange::default() };
    assert_eq!(revised(&mut front, 3, again), (None, None, Some(seconds(61))));
    // An offer that has run out is valid again without an end.
    let ends = OfferChange { valid_until: Patch::Set(second(10)), ..OfferChange::default() };
    revised(&mut front, 4, ends);
    front.market.jumps_to(second(10));
    assert_eq!(front.accepts(|ask| ask.offer_revision = None).unwrap_err(), Refusal::OfferExpired);
    revised(&mut front, 5, OfferChange { valid_until: Patch::Clear, ..OfferChange::default() });
    assert!(front.accepts(|ask| ask.offer_revision = None).is_ok());
}

#[test]
fn a_homepage_is_kept_replaced_or_removed() {
    let mut front = front(plain());
    for (homepage, recorded) in [
        (Patch::Keep, Patch::Keep),
        (Patch::Set("https://bank.example".to_owned()), Patch::Set("https://bank.example")),
        (Patch::Clear, Patch::Clear),
    ] {
        let update = Command::UpdateProvider {
            provider: front.provider,
            name: None,
            homepage,
            origins: Some(vec![]),
            suspended: None,
            credit_limits: None,
            customer_keys: None,
        };
        let events = front.market.operator(update).unwrap();
        let Event::Provider(ProviderEvent::Updated(updated)) = &events[0] else { panic!() };
        assert_eq!(updated.homepage(), recorded);
    }
}

// Which call server.

fn chosen(servers: &[(&str, &[&str], &[&str])], waiting: &[(&str, u64)], language: Option<&str>) -> String {
    let mut front = front(plain());
    for (name, topics, languages) in servers {
        open(&mut front.market, name, topics, languages);
    }
    let accepted = front.accepts(|ask| {
        ask.waiting = waiting.iter().map(|(name, count)| (name.parse().unwrap(), *count)).collect();
        ask.language = language.map(str::to_owned);
    });
    accepted.unwrap().call_server.to_string()
}

#[test]
fn the_longest_topic_match_then_language_then_the_least_waiting_then_the_name() {
    assert_eq!(chosen(&[("x", &["cards/lost"], &[]), ("y", &["cards/lost/abroad"], &[])], &[("x", 99)], None), "x");
    assert_eq!(chosen(&[("x", &["cards"], &["de"])], &[("x", 99)], Some("de")), "x");
    assert_eq!(chosen(&[("x", &["cards"], &[])], &[("bank", 1)], None), "x");
    assert_eq!(chosen(&[("x", &["cards"], &[]), ("a", &["cards"], &[])], &[], None), "a");
}

#[test]
fn where_nothing_fits_the_default_is_chosen_and_the_first_opened_is_it_until_changed() {
    let mut front = front(plain());
    open(&mut front.market, "shop", &["shoes"], &[]);
    let ask = |ask: &mut Acceptance| {
        (ask.link, ask.question, ask.topics) = (None, Some(sealed("why?")), vec![topic("taxes")]);
        ask.known_topics = vec![topic("taxes")];
    };
    assert_eq!(front.accepts(ask).unwrap().call_server.as_str(), "bank");
    let change = |name: &str, default| Command::UpdateCallServer {
        name: name.parse().unwrap(),
        default: Some(default),
        topics: None,
        languages: None,
        locations: None,
    };
    assert!(matches!(front.market.operator(change("bank", false)), Err(Refusal::Invalid { .. })));
    assert_eq!(front.market.operator(change("shop", false)), Err(Refusal::nothing_to_change()));
    front.market.operator(change("shop", true)).unwrap();
    assert_eq!(front.accepts(ask).unwrap().call_server.as_str(), "shop");
    assert!(front.market.operator(change("nowhere", true)).is_err());
}

#[test]
fn an_update_that_names_nothing_is_refused() {
    let mut front = front(plain());
    let provider = Command::UpdateProvider {
        provider: front.provider,
        name: None,
        homepage: Patch::Keep,
        origins: None,
        suspended: None,
        credit_limits: None,
        customer_keys: None,
    };
    let call_server = Command::UpdateCallServer {
        name: "bank".parse().unwrap(),
        default: None,
        topics: None,
        languages: None,
        locations: None,
    };
    for command in [provider, call_server] {
        assert_eq!(front.market.operator(command), Err(Refusal::nothing_to_change()));
    }
    assert_eq!(Refusal::nothing_to_change().field(), None, "it is about the whole input");
}

#[test]
fn without_any_call_server_nothing_is_accepted_now() {
    let mut front = front(plain());
    front.market.state.call_servers.clear();
    front.market.state.scalars.default_call_server = None;
    assert!(matches!(front.accepts(|_| ()).unwrap_err(), Refusal::NotAllowedNow { .. }));
}

#[test]
fn a_call_servers_name_is_unique_and_not_the_houses() {
    let mut market = Market::empty();
    let command = |name: &str| Command::OpenCallServer {
        name: name.parse().unwrap(),
        topics: vec![],
        languages: vec![],
        locations: vec![],
    };
    for name in ["community", "treasury", "effects"] {
        assert!(matches!(market.operator(command(name)), Err(Refusal::Invalid { .. })));
    }
    market.operator(command("bank")).unwrap();
    assert_eq!(market.operator(command("bank")), Err(Refusal::NameTaken));
}

// What may be published.

#[test]
fn the_best_value_needs_a_bound() {
    let mut front = front(plain());
    let routed = |price| Allocation::Routed { direction: Direction::Reverse, policy: RoutingPolicy::BestValue, price };
    let change = |price| OfferChange { allocation: Some(routed(price)), ..OfferChange::default() };
    let refused = front.revises(1, change(None)).unwrap_err();
    assert_eq!(refused.field().unwrap(), ["allocation", "routed", "price"]);
    let refused = front.revises(1, change(Some(eur("0.00")))).unwrap_err();
    assert_eq!(refused.field().unwrap(), ["allocation", "routed", "price", "amount"]);
    front.revises(1, change(Some(eur("0.01")))).unwrap();
}

#[test]
fn terms_at_their_bounds() {
    let mut front = front(plain());
    let mut publishes = |terms: OfferTerms| {
        let provider = front.provider;
        front.market.asks(Actor::Provider(provider), Command::PublishOffer { provider, terms, links: vec![] }).is_ok()
    };
    let rules = |rules: AuctionRules| OfferTerms { allocation: Allocation::Auction(rules), ..plain() };
    let now = MORNING;
    for (valid, terms) in [
        (true, plain()),
        (false, OfferTerms { title: " ".to_owned(), ..plain() }),
        (true, OfferTerms { title: "x".repeat(200), ..plain() }),
        (false, OfferTerms { title: "x".repeat(201), ..plain() }),
        (false, OfferTerms { accepts_questions: false, ..plain() }),
        (false, OfferTerms { channels: vec![], ..plain() }),
        (false, OfferTerms { channels: vec![ChannelKind::Message; 2], ..plain() }),
        (true, OfferTerms { channels: vec![ChannelKind::Message, ChannelKind::Telephone], ..plain() }),
        (false, OfferTerms { consent_window: Span(999_999), ..plain() }),
        (true, OfferTerms { consent_window: seconds(1), ..plain() }),
        (true, OfferTerms { consent_window: Span::minutes(60), ..plain() }),
        (false, OfferTerms { consent_window: Span(Span::minutes(60).0 + 1), ..plain() }),
        (true, OfferTerms { max_wait: Span::days(60), ..plain() }),
        (false, OfferTerms { max_wait: Span(Span::days(60).0 + 1), ..plain() }),
        (false, OfferTerms { valid_until: Some(now), ..plain() }),
        (true, OfferTerms { valid_until: Some(Timestamp(now.0 + 1)), ..plain() }),
        (false, rules(AuctionRules { reserve: None, ..reverse(Open) })),
        (false, rules(forward(Open).rounds(0))),
        (true, rules(forward(Open).rounds(10))),
        (false, rules(forward(Open).rounds(11))),
        (false, rules(forward(Open).reserve("0"))),
        (false, rules(forward(Open).reserve("1.005"))),
        (false, rules(forward(Open).step("0", "0"))),
        (false, rules(forward(Open).step("5", "1").step("5", "2"))),
        (true, rules(forward(Open).step("5", "1").step("5.01", "2"))),
        (false, rules(AuctionRules { soft_close: Some(seconds(5)), ..forward(Open) })),
        (false, rules(forward(SealedFirstPrice).soft_close(5, 90))),
        (true, rules(forward(Open).soft_close(5, 60))),
        (false, rules(forward(Open).soft_close(5, 59))),
        (false, rules(forward(SealedFirstPrice).buy_now("9.00"))),
        (false, rules(forward(Open).reserve("9.01").buy_now("9.00"))),
        (true, rules(forward(Open).reserve("9.00").buy_now("9.00"))),
        (false, rules(reverse(Proxy).reserve("8.99").buy_now("9.00"))),
    ] {
        assert_eq!(publishes(terms.clone()), valid, "{terms:?}");
    }
}

#[test]
fn rules_that_contradict_each_other_are_refused_by_the_name_of_what_is_wrong() {
    let mut front = front(plain());
    let mut refused = |rules: AuctionRules| {
        let provider = front.provider;
        let terms = OfferTerms { allocation: Allocation::Auction(rules), ..plain() };
        let publish = Command::PublishOffer { provider, terms, links: vec![] };
        match front.market.asks(Actor::Provider(provider), publish) {
            Ok(_) => None,
            Err(Refusal::Invalid { mut field, .. }) => field.pop(),
            Err(other) => panic!("{other:?}"),
        }
    };
    for (rules, field) in [
        (forward(Open).hidden(), Some("reserveHidden")),
        (forward(Open).reserve("0.01").hidden(), None),
        (AuctionRules { reserve: None, ..reverse(Open) }.hidden(), Some("reserve")),
        (reverse(Open).hidden(), None),
        (AuctionRules { soft_close: Some(seconds(5)), ..forward(Open) }, Some("hardClose")),
        (AuctionRules { hard_close: Some(Span(seconds(60).0 - 1)), ..forward(Open) }, Some("hardClose")),
        (AuctionRules { hard_close: Some(seconds(60)), ..forward(Open) }, None),
        (forward(SealedSecondPrice).soft_close(5, 90), Some("softClose")),
        (forward(SealedSecondPrice).buy_now("9.00"), Some("buyNow")),
        (forward(Open).starting_at("9.01").buy_now("9.00"), Some("buyNow")),
        (forward(Open).starting_at("9.00").buy_now("9.00"), None),
        (forward(Proxy).reserve("9.01").hidden().buy_now("9.00"), Some("buyNow")),
        (reverse(Open).starting_at("8.99").buy_now("9.00"), Some("buyNow")),
        (reverse(Open).starting_at("9.00").buy_now("9.00"), None),
        (reverse(Proxy).reserve("8.99").buy_now("9.00"), Some("buyNow")),
    ] {
        assert_eq!(refused(rules.clone()).as_deref(), field, "{rules:?}");
    }
}

#[test]
fn what_is_wrong_in_a_list_is_named_with_its_place() {
    let mut market = Market::empty();
    let mut refused = |command: Command| match market.operator(command) {
        Err(Refusal::Invalid { field, .. }) => field.join("."),
        other => panic!("{other:?}"),
    };
    let location = |name: &str| Location { name: name.to_owned(), ..Location::default() };
    let open = |languages: &[&str], locations: Vec<Location>| Command::OpenCallServer {
        name: "bank".parse().unwrap(),
        topics: vec![],
        languages: languages.iter().map(|tag| (*tag).to_owned()).collect(),
        locations,
    };
    assert_eq!(refused(open(&[], vec![location("Graz"), location(" ")])), "locations.1.name");
    assert_eq!(refused(open(&["en", "?"], vec![])), "languages.1");
    let register = |origins: &[&str], credit_limits| Command::RegisterProvider {
        name: "Bank".to_owned(),
        homepage: None,
        origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        credit_limits,
        customer_keys: vec![],
    };
    assert_eq!(refused(register(&["https://a.example", "b.example"], vec![])), "origins.1");
    let limit = CreditLimit { call_server: "nowhere".parse().unwrap(), limit: eur("1.00") };
    assert_eq!(refused(register(&[], vec![limit])), "creditLimits.0.callServer");
    let agent = |skills| Command::RegisterAgent {
        agent: ANN,
        display_name: sealed("Ann"),
        location: "Graz".to_owned(),
        skills,
        capacity: 1,
        affiliated_with: None,
        credit_limit: None,
    };
    assert_eq!(refused(agent(vec![skill("a", 1), skill("b", 11)])), "skills.1.level");
    assert_eq!(refused(agent(vec![skill("a", 1), skill("a", 2)])), "skills.1.name");

    let mut front = front(plain());
    let mut refused = |terms: OfferTerms, labels: &[&str]| {
        let link = |label: &&str| NewLink { label: (*label).to_owned(), topic: topic("help") };
        let links = labels.iter().map(link).collect();
        match front.market.operator(Command::PublishOffer { provider: front.provider, terms, links }) {
            Err(Refusal::Invalid { field, .. }) => field.join("."),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(plain(), &["a", ""]), "links.1.label");
    assert_eq!(refused(plain(), &["a", "a"]), "links.1");
    let shown = vec!["tier".to_owned(), String::new()];
    assert_eq!(refused(OfferTerms { shown_before_consent: shown, ..plain() }, &["a"]), "shownBeforeConsent.1");
    let rules = |rules: AuctionRules| OfferTerms { allocation: Allocation::Auction(rules), ..plain() };
    let steps = forward(Open).step("0", "0.25");
    assert_eq!(refused(rules(steps.clone().step("0", "0.50")), &["a"]), "allocation.auction.increment.1.from");
    assert_eq!(refused(rules(steps.step("5.00", "0")), &["a"]), "allocation.auction.increment.1.by");
}

#[test]
fn a_provider_publishes_its_own_and_not_while_suspended() {
    let mut front = front(plain());
    let provider = front.provider;
    let publish = |provider| Command::PublishOffer { provider, terms: plain(), links: vec![] };
    let stranger = Actor::Provider(ProviderId(9));
    assert_eq!(front.market.asks(stranger, publish(provider)), Err(Refusal::NotFound { field: "providerId" }));
    assert_eq!(front.market.operator(publish(ProviderId(9))), Err(Refusal::NotFound { field: "providerId" }));
    let suspend = Command::UpdateProvider {
        provider,
        name: None,
        homepage: Patch::Keep,
        origins: None,
        suspended: Some(true),
        credit_limits: None,
        customer_keys: None,
    };
    front.market.operator(suspend).unwrap();
    assert!(matches!(front.market.operator(publish(provider)), Err(Refusal::NotAllowedNow { .. })));
}

#[test]
fn a_credit_limit_names_an_open_call_server_once_per_currency() {
    let mut front = front(plain());
    let limit = |name: &str, limit| CreditLimit { call_server: name.parse().unwrap(), limit: eur(limit) };
    let mut grants = |limits: Vec<CreditLimit>| {
        let command = Command::UpdateProvider {
            provider: front.provider,
            name: None,
            homepage: Patch::Keep,
            origins: None,
            suspended: None,
            credit_limits: Some(limits),
            customer_keys: None,
        };
        front.market.operator(command).is_ok()
    };
    assert!(grants(vec![limit("bank", "0.00")]));
    assert!(!grants(vec![limit("bank", "-0.01")]));
    assert!(!grants(vec![limit("shop", "1.00")]));
    assert!(!grants(vec![limit("bank", "1.00"), limit("bank", "2.00")]));
}

#[test]
fn the_list_of_credit_limits_is_the_whole_truth() {
    let mut front = front(plain());
    open(&mut front.market, "shop", &["shoes"], &[]);
    let limit = |name: &str, limit: &str| {
        let (amount, currency) = limit.split_once(' ').unwrap();
        let limit = domain::money::Money::parse(amount, currency.parse().unwrap()).unwrap();
        CreditLimit { call_server: name.parse().unwrap(), limit }
    };
    let mut lifted = |limits: Option<Vec<CreditLimit>>| -> Vec<String> {
        let command = Command::UpdateProvider {
            provider: front.provider,
            name: Some("Bank".to_owned()),
            homepage: Patch::Keep,
            origins: None,
            suspended: None,
            credit_limits: limits,
            customer_keys: None,
        };
        let events = front.market.operator(command).unwrap();
        let [Event::Provider(ProviderEvent::Updated(updated))] = events.as_slice() else { panic!() };
        let name = |limit: &LiftedLimit| format!("{} {}", limit.call_server, limit.currency);
        updated.limits_lifted.iter().map(name).collect()
    };
    let all = vec![limit("bank", "5.00 EUR"), limit("bank", "500 JPY"), limit("shop", "7.00 EUR")];
    assert_eq!(lifted(Some(all)), Vec::<String>::new());
    assert_eq!(lifted(None), Vec::<String>::new(), "an absent list changes nothing");
    assert_eq!(lifted(Some(vec![limit("bank", "6.00 EUR"), limit("shop", "7.00 EUR")])), ["bank JPY"]);
    assert_eq!(lifted(Some(vec![])), ["bank EUR", "shop EUR"]);
    assert_eq!(lifted(Some(vec![])), Vec::<String>::new(), "what is lifted is lifted once");
}

#[test]
fn every_command_is_given_by_its_roles_alone() {
    let mut market = Market::with(&[ANN]);
    market.auctions(forward(Open));
    let everybody = [
        Actor::Operator("ops".into()),
        Actor::Finance("till".into()),
        Actor::Provider(PROVIDER),
        Actor::Agent(ANN),
        Actor::Customer(CUSTOMER),
        Actor::Anonymous,
        Actor::System,
    ];
    let commands: Vec<Command> = market
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Command { command, .. } => Some(command.clone()),
            Step::Due { .. } => None,
        })
        .collect();
    for command in commands {
        let (_, roles) = command.rights();
        for actor in everybody.iter().filter(|actor| !roles.contains(&actor.role())) {
            assert_eq!(market.asks(actor.clone(), command.clone()), Err(Refusal::Forbidden), "{actor:?}: {command:?}");
        }
    }
}

#[test]
fn the_contact_centre_starts_inquiries_about_one_known_topic_and_asks_for_no_terms() {
    let consent = ConsentText { url: "https://bank.example/terms".to_owned(), version: "1".to_owned() };
    let mut front = front(OfferTerms { terms: Some(consent), ..terms::terms(forward(Open)) });
    let start = Acceptance { link: None, topics: vec![topic("cards/lost")], ..front.acceptance() };
    let ask =
        |front: &mut Front, start: &Acceptance| front.market.operator(Command::StartInquiry(Box::new(start.clone())));
    let events = ask(&mut front, &start).unwrap();
    let Event::Offer(OfferEvent::Accepted(accepted)) = &events[0] else { panic!("{events:?}") };
    assert_eq!((accepted.initiator, &accepted.topics), (Initiator::ContactCenter, &vec![topic("cards/lost")]));
    assert_eq!(accepted.terms_version, None, "who is turned to has agreed to nothing");
    assert_eq!(accepted.started_by, None, "an operator is paid for nothing");
    let events = front.market.agent(ANN, Command::StartInquiry(Box::new(start.clone()))).unwrap();
    let Event::Offer(OfferEvent::Accepted(accepted)) = &events[0] else { panic!("{events:?}") };
    assert_eq!(accepted.started_by, Some(ANN));
    let customer = Actor::Customer(CUSTOMER);
    assert_eq!(front.market.asks(customer, Command::StartInquiry(Box::new(start.clone()))), Err(Refusal::Forbidden));
    let invalid = |answer: Answer| matches!(answer, Err(Refusal::Invalid { field, .. }) if field == ["topic"]);
    assert!(invalid(ask(&mut front, &Acceptance { topics: vec![topic("unheard-of")], ..start.clone() })));
    assert!(invalid(ask(&mut front, &Acceptance { topics: vec![], ..start.clone() })));
    let elsewhere = Acceptance { offer: OfferId(9), ..start.clone() };
    assert_eq!(ask(&mut front, &elsewhere), Err(Refusal::NotFound { field: "offerId" }));
    front.market.operator(Command::RetireOffer { offer: start.offer }).unwrap();
    assert_eq!(ask(&mut front, &start), Err(Refusal::OfferRetired));
}
