use super::*;
use crate::graphql;
use crate::graphql::testing::{House as Fixture, Who, market, text, who};
use crate::http::Endpoint;
use crate::signed::{CLICK_HOLDS, Signer};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use domain::actor::Role;
use domain::log::LogName;
use domain::time::Timestamp;
use serde_json::json;
use store::memory::Fault;
use tower::ServiceExt;

const SITE: &str = "https://bank.example";
const EVIL: &str = "\"'><script>alert(1)</script><b>&amp;";

/// A house with one provider and one offer, and its pages.
struct Town {
    house: Fixture,
    routes: Router,
    operator: Who,
    provider: Who,
    offer: String,
    link: String,
}

struct Answer {
    status: StatusCode,
    location: Option<String>,
    policy: String,
    html: String,
}

impl Town {
    async fn found(more: serde_json::Value) -> Town {
        let house = Fixture::start();
        let operator = who(Role::Operator);
        let open = json!({"name": "main", "topics": []});
        house.tell(&operator, "openCallServer", open, "callServer { id }").await;
        let input = json!({"name": EVIL, "origins": [SITE]});
        let provider = house.tell(&operator, "registerProvider", input, "provider { id }").await;
        let provider = Who(Role::Provider, text(&provider["provider"]["id"]));
        let mut input = json!({
            "title": EVIL, "channels": ["MESSAGE", "TELEPHONE"], "links": [{"label": EVIL, "topic": "cards/lost"}],
            "terms": {"version": EVIL, "url": "https://bank.example/terms?a=\"><script>"},
            "allocation": {"auction": {"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H"}},
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        let offer = house.tell(&provider, "publishOffer", input, "offer { id links { id } }").await;
        let (offer, link) = (text(&offer["offer"]["id"]), text(&offer["offer"]["links"][0]["id"]));
        let app = house.app.clone();
        let build = move || graphql::builder(app.clone());
        let endpoint: Arc<dyn Open> = Arc::new(Endpoint::new(build, house.app.clone()));
        let routes = router(endpoint, house.app.clone());
        Town { house, routes, operator, provider, offer, link }
    }

    async fn request(&self, request: Request<Body>) -> Answer {
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (location, policy) = (header("location"), header("content-security-policy").unwrap_or_default());
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer { status, location, policy, html: String::from_utf8(body.into()).unwrap() }
    }

    async fn get(&self, path: &str, referer: Option<&str>) -> Answer {
        let request = Request::get(path);
        let request = match referer {
            Some(referer) => request.header("referer", referer),
            None => request,
        };
        self.request(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        self.request(request.body(Body::from(pairs.join("&"))).unwrap()).await
    }

    /// The proof in the form at this address.
    async fn proof(&self, path: &str, referer: Option<&str>) -> String {
        field(&self.get(path, referer).await.html, "proof")
    }

    async fn inquiries(&self) -> usize {
        let document = "{ inquiries(first: 50) { edges { node { id } } } }";
        self.house.ask(&self.operator, document, json!({})).await["inquiries"]["edges"].as_array().unwrap().len()
    }

    /// What an inquiry's provider sees of where it came from.
    async fn content(&self, address: &Answer) -> serde_json::Value {
        let id = self.house.app.signer.read_inquiry(address.location.as_ref().unwrap().trim_start_matches("/i/"));
        let document = "query($id: ID!) { inquiry(id: $id) { initiator link { id } question language content { url title excerpt placement } } }";
        self.house.ask(&self.provider, document, json!({"id": id.unwrap().to_string()})).await["inquiry"].take()
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn field(html: &str, name: &str) -> String {
    let from = html.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("no {name} in {html}"));
    from.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_visitor_met_the_offer_is_what_the_browser_says() {
    let town = Town::found(json!({"terms": null})).await;
    let (link, own) = (format!("/l/{}", town.link), "http://127.0.0.1:8080");
    let article = format!("{SITE}/washing/pump?x=1");
    for (query, referer, placement, url, initiator) in [
        ("", Some(article.as_str()), "PROVIDER_PAGE", article.as_str(), "CUSTOMER"),
        (
            "?page=https%3A%2F%2Fbank.example%2Fa&by=page",
            Some("https://bank.example/"),
            "PROVIDER_PAGE",
            "https://bank.example/a",
            "USER_INTERFACE",
        ),
        // A parameter alone says nothing.
        ("?page=https%3A%2F%2Fbank.example%2Fa&by=page", None, "DIRECT", "", "CUSTOMER"),
        (
            "?page=https%3A%2F%2Felse.example%2Fa",
            Some("https://bank.example/"),
            "PROVIDER_PAGE",
            "https://bank.example/",
            "CUSTOMER",
        ),
        ("?page=https%3A%2F%2Fbank.example%2Fa", Some("https://else.example/"), "DIRECT", "", "CUSTOMER"),
        ("", Some("https://bank.example.evil.example/"), "DIRECT", "", "CUSTOMER"),
        ("", Some("http://bank.example/"), "DIRECT", "", "CUSTOMER"),
        ("", Some("http://127.0.0.1:8080/"), "COMMUNITY_PAGE", "http://127.0.0.1:8080/", "CUSTOMER"),
        ("", Some("http://127.0.0.1:8080/?after=x"), "COMMUNITY_PAGE", "http://127.0.0.1:8080/", "CUSTOMER"),
        ("", Some("http://127.0.0.1:8080/o/x"), "DIRECT", "", "CUSTOMER"),
        ("", Some("about:blank"), "DIRECT", "", "CUSTOMER"),
    ] {
        let proof = town.proof(&format!("{link}{query}"), referer).await;
        let pressed = town.post(&link, &[("proof", &proof)], &[]).await;
        assert_eq!(pressed.status, StatusCode::SEE_OTHER, "{query} {referer:?}: {}", pressed.html);
        let seen = town.content(&pressed).await;
        let url = if url.is_empty() { format!("{own}{link}") } else { url.to_owned() };
        assert_eq!(
            seen["content"],
            json!({"url": url, "title": null, "excerpt": null, "placement": placement}),
            "{query} {referer:?}"
        );
        assert_eq!((&seen["initiator"], &seen["link"]["id"]), (&json!(initiator), &json!(town.link)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_anybody_wrote_is_text() {
    let town = Town::found(json!({})).await;
    let offer = format!("/o/{}", town.offer);
    let shown = town.get(&format!("{offer}?title={0}&excerpt={0}&after={0}&page={0}", encoded(EVIL)), None).await;
    assert_eq!(shown.status, StatusCode::OK);
    // Refused for the terms: all fields are shown again.
    let fields = ["question", "name", "email", "phone", "title", "excerpt", "revision", "key"].map(|name| (name, EVIL));
    let proof = field(&shown.html, "proof");
    let refused = town.post(&offer, &[&fields[..], &[("proof", &proof), ("channel", "TELEPHONE")]].concat(), &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.html);
    let sent = [
        ("proof", proof.as_str()),
        ("question", EVIL),
        ("name", EVIL),
        ("title", EVIL),
        ("terms", EVIL),
        ("channel", "MESSAGE"),
    ];
    let pressed = town.post(&offer, &sent, &[]).await;
    assert_eq!(pressed.status, StatusCode::SEE_OTHER, "{}", pressed.html);
    let waiting = town.get(pressed.location.as_ref().unwrap(), None).await;
    let listed = town.get("/", None).await;
    let bad_cursor = town.get(&format!("/?after={}", encoded(EVIL)), None).await;
    assert_eq!(bad_cursor.status, StatusCode::BAD_REQUEST);
    for page in [&shown, &refused, &waiting, &listed, &bad_cursor] {
        let html = page.html.to_ascii_lowercase();
        assert!(!html.contains("<script") && !html.contains("\"'>") && !html.contains("<b>"), "{html}");
        assert!(page.policy.starts_with("default-src 'none'; style-src 'sha256-"), "{}", page.policy);
    }
    assert!(waiting.html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "the question is shown as it was asked");
    assert!(shown.policy.ends_with("frame-ancestors 'self' https://bank.example"), "{}", shown.policy);
    assert!(waiting.policy.ends_with("frame-ancestors 'self' https://bank.example"), "{}", waiting.policy);
    assert!(listed.policy.ends_with("frame-ancestors 'none'"), "{}", listed.policy);
    let seen = town.content(&pressed).await;
    assert_eq!((&seen["question"], &seen["content"]["title"]), (&json!(EVIL), &json!(EVIL)), "kept as it was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_borrowed_and_foreign_forms_record_nothing() {
    let town = Town::found(json!({"terms": null})).await;
    let (offer, link) = (format!("/o/{}", town.offer), format!("/l/{}", town.link));
    let input = json!({
        "title": "Other", "channels": ["MESSAGE"], "links": [{"label": "Other", "topic": "cards"}],
        "allocation": {"auction": {"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H"}},
    });
    let other = town.house.tell(&town.provider, "publishOffer", input, "offer { id links { id } }").await;
    let other_link = format!("/l/{}", text(&other["offer"]["links"][0]["id"]));
    let (for_offer, for_link, for_other) =
        (town.proof(&offer, None).await, town.proof(&link, None).await, town.proof(&other_link, None).await);
    let elsewhere = Signer::new(&[0; 32]);
    let forged = elsewhere.click(&town.house.app.signer.read_click(&for_link).unwrap());
    for (path, proof) in [
        (&link, ""),
        (&link, "x"),
        (&link, forged.as_str()),
        (&link, for_other.as_str()),
        (&link, for_offer.as_str()),
        (&offer, for_link.as_str()),
    ] {
        let refused = town.post(path, &[("proof", proof), ("question", "Why?")], &[]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path} {proof}");
    }
    // A good form from another site's page, or from a frame that hides where it is.
    for headers in [
        &[("sec-fetch-site", "cross-site"), ("origin", "http://127.0.0.1:8080")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", SITE)],
        &[("origin", "null")],
    ] {
        let refused = town.post(&link, &[("proof", &for_link)], headers).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    // The link of another offer, a channel that is none, and what is no form.
    let other_id = text(&other["offer"]["links"][0]["id"]);
    let refused = town.post(&offer, &[("proof", &for_offer), ("link", &other_id)], &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let refused = town.post(&link, &[("proof", &for_link), ("channel", "PIGEON")], &[]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let request =
        Request::post(&link).header("content-type", "text/plain").body(Body::from(format!("proof={for_link}")));
    assert_eq!(town.request(request.unwrap()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let request =
        Request::post(&link).header("content-type", "application/x-www-form-urlencoded").body(Body::from("a=%zz"));
    assert_eq!(town.request(request.unwrap()).await.status, StatusCode::BAD_REQUEST);
    let long = "x".repeat(200_000);
    assert_eq!(town.post(&link, &[("question", &long)], &[]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(town.inquiries().await, 0);
    // The same proof over the API is for its own key and address alone.
    let click = town.house.app.signer.read_click(&for_link).unwrap();
    let accept = async |key: &str, url: &str| {
        let input = json!({"offerId": town.offer, "linkId": town.link, "channel": "MESSAGE", "clickProof": for_link,
                           "content": {"url": url}, "idempotencyKey": key});
        let document = "mutation($input: AcceptOfferInput!) { acceptOffer(input: $input) { inquiry { content { placement } } userErrors { field } } }";
        town.house.ask(&who(Role::Anonymous), document, json!({"input": input})).await["acceptOffer"].take()
    };
    for (key, url) in [("0123456789abcdef0123456789abcdef", click.url.as_str()), (&click.key, "https://bank.example/")]
    {
        assert_eq!(accept(key, url).await["userErrors"], json!([{"field": ["clickProof"]}]), "{key} {url}");
    }
    assert_eq!(town.inquiries().await, 0);
    assert_eq!(accept(&click.key, &click.url).await["inquiry"]["content"]["placement"], "DIRECT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_lay_open_is_pressed_again_and_a_second_press_is_the_first() {
    let town = Town::found(json!({"terms": null})).await;
    let link = format!("/l/{}", town.link);
    let article = format!("{SITE}/pump");
    let proof = town.proof(&link, Some(&article)).await;
    let early = town.post(&link, &[("proof", &proof), ("question", "Why?")], &[]).await;
    let again = town.post(&link, &[("proof", &proof), ("question", "Why?")], &[]).await;
    assert_eq!((early.status, &early.location), (StatusCode::SEE_OTHER, &again.location));
    // Pressed again with other words: a question of its own, once it is pressed again.
    let other = town.post(&link, &[("proof", &proof), ("question", "And when?")], &[]).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(other.html.contains("And when?</textarea>"), "{}", other.html);
    let second = town.post(&link, &[("proof", &field(&other.html, "proof")), ("question", "And when?")], &[]).await;
    assert_eq!(second.status, StatusCode::SEE_OTHER);
    assert_eq!(town.inquiries().await, 2);

    let unpressed = town.proof(&link, Some(&article)).await;
    town.house.turn_to(Timestamp(town.house.app.clock.now().0 + CLICK_HOLDS.0 + 1_000_000));
    let late = town.post(&link, &[("proof", &unpressed), ("question", "Still?")], &[]).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(town.inquiries().await, 2);
    // A reload of what was accepted in time still leads there.
    let reloaded = town.post(&link, &[("proof", &proof), ("question", "Why?")], &[]).await;
    assert_eq!((reloaded.status, reloaded.location), (StatusCode::SEE_OTHER, early.location));
    // The new form remembers where the visitor came from.
    let pressed = town.post(&link, &[("proof", &field(&late.html, "proof")), ("question", "Still?")], &[]).await;
    assert_eq!(town.content(&pressed).await["content"]["url"], article);
    assert_eq!(town.inquiries().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_offered_any_more_is_gone_also_for_open_forms() {
    let until = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 3_600).unwrap();
    for ending in ["retired", "suspended", "expired", "revised"] {
        let town = Town::found(json!({"terms": null, "validUntil": until.to_string()})).await;
        let link = format!("/l/{}", town.link);
        let proof = town.proof(&link, None).await;
        match ending {
            "retired" => {
                town.house.tell(&town.provider, "retireOffer", json!({"offerId": town.offer}), "offer { id }").await;
            }
            "suspended" => {
                let input = json!({"providerId": town.provider.1, "state": "SUSPENDED"});
                town.house.tell(&town.operator, "updateProvider", input, "provider { id }").await;
            }
            "revised" => {
                let input = json!({"offerId": town.offer, "expectedRevision": 1, "title": "Second"});
                town.house.tell(&town.provider, "reviseOffer", input, "offer { id }").await;
            }
            _ => town.house.turn_to(Timestamp(town.house.app.clock.now().0 + 3_601_000_000)),
        }
        let pressed = town.post(&link, &[("proof", &proof), ("revision", "1")], &[]).await;
        if ending == "revised" {
            assert_eq!(pressed.status, StatusCode::CONFLICT);
            let fields = [("proof", field(&pressed.html, "proof")), ("revision", field(&pressed.html, "revision"))];
            let fields = [("proof", fields[0].1.as_str()), ("revision", fields[1].1.as_str())];
            assert_eq!(town.post(&link, &fields, &[]).await.status, StatusCode::SEE_OTHER);
            continue;
        }
        assert_eq!(pressed.status, StatusCode::GONE, "{ending}");
        assert_eq!(town.get(&link, None).await.status, StatusCode::GONE, "{ending}");
        assert!(town.get("/", None).await.html.contains("Nothing is offered now."), "{ending}");
        assert_eq!(town.inquiries().await, 0);
    }
    let town = Town::found(json!({})).await;
    for absent in [
        "/o/x",
        "/l/x",
        "/i/x",
        "/o/off_00000000000000000000000000",
        "/l/lnk_00000000000000000000000000",
        "/reservations/x",
    ] {
        let status = town.get(absent, None).await.status;
        assert!(status == StatusCode::NOT_FOUND || status == StatusCode::GONE, "{absent}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_says_so_and_the_same_form_goes_through_later() {
    let town = Town::found(json!({"terms": null})).await;
    let link = format!("/l/{}", town.link);
    let proof = town.proof(&link, None).await;
    town.house.store.inject(&LogName::community(), [Fault::RefusedFull]);
    let full = town.post(&link, &[("proof", &proof), ("question", "Why?")], &[]).await;
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(full.html.contains("role=\"alert\"") && full.html.contains("Why?</textarea>"), "{}", full.html);
    assert_eq!(field(&full.html, "proof"), proof, "the same key");
    let pressed = town.post(&link, &[("proof", &proof), ("question", "Why?")], &[]).await;
    assert_eq!(pressed.status, StatusCode::SEE_OTHER);
    assert_eq!(town.inquiries().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_page_is_its_own_and_ends_with_its_tokens() {
    let house = Fixture::start();
    let market = market(&house, "SEALED_FIRST_PRICE").await;
    let bid = json!({"auctionId": market.auction, "amount": {"amount": "10", "currency": "EUR"}});
    house.tell(&market.agents[0], "placeBid", bid, "bid { id }").await;
    house.close(&market).await;
    let document = "query($id: ID!) { inquiry(id: $id) { reservation { id url } } }";
    let seen = async |who: &Who| {
        let seen = house.ask(who, document, json!({"id": market.inquiry})).await;
        text(&seen["inquiry"]["reservation"]["url"])
    };
    let (own, operators) = (seen(&market.agents[0]).await, seen(&who(Role::Operator)).await);
    assert!(own.starts_with(&format!("{operators}?access=")), "{own} {operators}");
    let app = house.app.clone();
    let build = move || graphql::builder(app.clone());
    let routes = router(Arc::new(Endpoint::new(build, house.app.clone())), house.app.clone());
    let get = async |url: &str| {
        let path = url.strip_prefix("http://127.0.0.1:8080").unwrap();
        routes.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    };
    assert_eq!(get(&own).await.status(), StatusCode::OK);
    assert_eq!(get(&operators).await.status(), StatusCode::NOT_FOUND);
    let agent = market.agents[0].1.parse().unwrap();
    let now = u64::try_from(house.app.clock.now().0 / 1_000_000).unwrap();
    let ended = crate::revoked::Revocation::All(domain::actor::Actor::Agent(agent), now);
    ended.write(&house.keys_folder()).unwrap();
    house.app.signing.look_for_revoked().unwrap();
    assert_eq!(get(&own).await.status(), StatusCode::NOT_FOUND, "revoked with the agent's tokens");
}
