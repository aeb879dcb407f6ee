//! Accepting and consenting in a browser without JavaScript: plain GETs and form posts against the binary.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use tests::{House, Scratch, Town, eventually, key, text};

pub(crate) struct Page {
    pub(crate) status: u16,
    head: String,
    pub(crate) html: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// The value of a form's hidden field.
    pub(crate) fn field(&self, name: &str) -> String {
        let rest = self.html.split(&format!("name=\"{name}\" value=\"")).nth(1);
        rest.and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no {name}: {}", self.html)).to_owned()
    }
}

/// One request on a connection of its own, as a browser that keeps nothing.
pub(crate) fn browse(house: &House, method: &str, path: &str, headers: &str, body: &str) -> Page {
    let mut stream = TcpStream::connect(house.address).unwrap();
    let form = if method == "POST" && !headers.contains("content-type") {
        "content-type: application/x-www-form-urlencoded\r\n"
    } else {
        ""
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{form}{headers}content-length: {}\r\n\r\n{body}",
        house.address,
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, html) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Page { status, head: head.to_owned(), html: html.to_owned() }
}

/// The path of an address of this house.
fn path(house: &House, url: &Value) -> String {
    text(url).strip_prefix(&format!("http://{}", house.address)).unwrap().to_owned()
}

#[test]
fn a_question_is_asked_answered_and_withdrawn_with_forms_alone() {
    let scratch = Scratch::new();
    let log = scratch.join("heard");
    let house = House::open_heard(&scratch.join("data"), &[], &log);
    let mut town = Town::found(&house, 2);
    let input = json!({"providerId": town.provider_id, "origins": ["https://bank.example"]});
    town.operator.give("updateProvider", input, "provider { id }");
    let auction = json!({"direction": "FORWARD", "format": "SEALED_SECOND_PRICE", "currency": "EUR", "reserve": "5.00", "openFor": "PT2S"});
    let offer = town.publish(auction, json!({"consentWindow": "PT3S"}));

    // From the community's page to the offer.
    let listed = browse(&house, "GET", "/", "", "");
    assert_eq!(listed.status, 200);
    assert!(listed.html.contains("<h2>cards/lost</h2>") && listed.html.contains("I lost my card"), "{}", listed.html);
    let addresses =
        town.operator.ask("query($id: ID!) { offer(id: $id) { url links { url } } }", json!({"id": offer.0}));
    let (by_offer, by_link) =
        (path(&house, &addresses["offer"]["url"]), path(&house, &addresses["offer"]["links"][0]["url"]));
    assert!(listed.html.contains(&by_link) && listed.html.contains(&by_offer));
    let german = browse(&house, "GET", &by_offer, "accept-language: de-AT,de;q=0.9\r\n", "");
    assert!(german.html.contains("<html lang=\"de\">") && german.html.contains("Ihre Frage"));

    // From the provider's article, about that article, in the customer's language.
    let article = "https://bank.example/articles/cards";
    let referred = format!("referer: {article}\r\naccept-language: de-AT\r\n");
    let shown = browse(&house, "GET", &format!("{by_link}?title=Lost%20cards&excerpt=What%20to%20do"), &referred, "");
    assert_eq!(shown.header("set-cookie"), None);
    let form = format!(
        "proof={}&revision={}&title=Lost+cards&excerpt=What+to+do&question=Wo+ist+meine+Karte%3F&name=Carla+Customer&email=carla%40example.org&channel=MESSAGE",
        shown.field("proof"),
        shown.field("revision")
    );
    let same_site = "sec-fetch-site: same-origin\r\naccept-language: de-AT\r\n";
    let pressed = browse(&house, "POST", &by_link, same_site, &form);
    assert_eq!(pressed.status, 303, "{}", pressed.html);
    let waiting = pressed.header("location").unwrap().to_owned();
    assert_eq!(
        browse(&house, "POST", &by_link, same_site, &form).header("location"),
        Some(waiting.as_str()),
        "a double press"
    );

    let page = browse(&house, "GET", &waiting, "", "");
    assert_eq!((page.header("referrer-policy"), page.header("cache-control")), (Some("no-referrer"), Some("no-store")));
    assert!(page.html.contains("Wo ist meine Karte?") && page.html.contains("http-equiv=\"refresh\""), "{}", page.html);
    let asked = town.provider.ask(
        "{ inquiries(first: 9) { edges { node { id question language initiator content { url title excerpt placement } auction { id } } } } }",
        json!({}),
    );
    let edges = asked["inquiries"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 1);
    let inquiry = &edges[0]["node"];
    assert_eq!(
        inquiry["content"],
        json!({"url": article, "title": "Lost cards", "excerpt": "What to do", "placement": "PROVIDER_PAGE"})
    );
    assert_eq!((&inquiry["language"], &inquiry["question"]), (&json!("de-AT"), &json!("Wo ist meine Karte?")));

    // Both agents bid; the first does not answer, the second consents, each on a page of its own.
    for (agent, amount) in [(0, "12.00"), (1, "10.00")] {
        assert_eq!(town.bid(agent, &text(&inquiry["auction"]["id"]), amount)["userErrors"], json!([]));
    }
    let first = eventually("the first agent is asked", || reservation(&mut town, 0));
    let first = path(&house, &first["url"]);
    let asks = browse(&house, "GET", &first, "", "");
    assert!(asks.html.contains("C.") && asks.html.contains("value=\"accept\""), "{}", asks.html);
    for hidden in ["Carla", "carla@", "Karte?", "Lost cards", article] {
        assert!(!asks.html.contains(hidden), "{hidden} before consent: {}", asks.html);
    }
    let second = eventually("the second agent is asked", || reservation(&mut town, 1));
    let (second_path, second_id) = (path(&house, &second["url"]), text(&second["id"]));
    let lapsed = browse(&house, "GET", &first, "", "");
    // Too late: the page says why it is not the agent's, and leads on.
    let late = browse(&house, "POST", &first, "", &format!("key={}&answer=accept", asks.field("key")));
    assert_eq!(late.status, 409, "{}", late.html);
    assert!(late.html.contains("role=\"alert\"") && late.html.contains("The reservation"), "{}", late.html);
    assert!(!late.html.contains("Carla"), "{}", late.html);
    assert!(lapsed.html.contains("you were set to break") && !lapsed.html.contains("C.<"), "{}", lapsed.html);
    // The first agent's address opens no other's page.
    let borrowed = format!("/reservations/{second_id}?{}", first.split_once('?').unwrap().1);
    assert_eq!(browse(&house, "GET", &borrowed, "", "").status, 404);
    assert_eq!(browse(&house, "POST", &borrowed, "", "answer=accept&key=0123456789abcdef").status, 404);
    let asks = browse(&house, "GET", &second_path, "", "");
    let form = format!("key={}&answer=accept", asks.field("key"));
    let cross = browse(&house, "POST", &second_path, "sec-fetch-site: cross-site\r\n", &form);
    assert_eq!(cross.status, 403);
    let accepted = browse(&house, "POST", &second_path, "origin: null\r\nsec-fetch-site: same-origin\r\n", &form);
    assert_eq!(accepted.status, 303, "{}", accepted.html);
    let consented = browse(&house, "GET", accepted.header("location").unwrap(), "", "");
    for shown in ["Carla Customer", "carla@example.org", "Wo ist meine Karte?", "Lost cards", article] {
        assert!(consented.html.contains(shown), "{shown} after consent: {}", consented.html);
    }
    let seen = town.operator.ask(
        "query($id: ID!) { node(id: $id) { ... on Reservation { state informationViewedAt url } } }",
        json!({"id": second_id}),
    );
    assert_eq!(seen["node"]["state"], "ACCEPTED");
    assert!(seen["node"]["informationViewedAt"].is_string());
    assert!(!text(&seen["node"]["url"]).contains("access"), "the operator's address opens nothing");

    // A second inquiry, withdrawn with its form; then declined reservations are pages too.
    let shown = browse(&house, "GET", &by_link, "", "");
    let pressed = browse(&house, "POST", &by_link, "", &format!("proof={}", shown.field("proof")));
    let other = pressed.header("location").unwrap().to_owned();
    let form = format!("key={}", browse(&house, "GET", &other, "", "").field("key"));
    assert_eq!(browse(&house, "POST", &other, "sec-fetch-site: cross-site\r\n", &form).status, 403);
    assert_eq!(browse(&house, "POST", &other, "", &form).status, 303);
    let page = browse(&house, "GET", &other, "", "");
    assert!(page.html.contains("withdrawn") && page.html.contains("Your place is kept until"), "{}", page.html);
    // Back with the form that is there now, and away again.
    let form = format!("key={}&back={}", page.field("key"), page.field("back"));
    assert_eq!(browse(&house, "POST", &other, "", &form).status, 303);
    let page = browse(&house, "GET", &other, "", "");
    assert!(page.html.contains("You are waiting") && !page.html.contains("name=\"back\""), "{}", page.html);
    assert_eq!(browse(&house, "POST", &other, "", &format!("key={}", page.field("key"))).status, 303);
    assert!(browse(&house, "GET", &other, "", "").html.contains("withdrawn"));
    let mut spoilt = other.clone();
    spoilt.pop();
    assert_eq!(browse(&house, "GET", &format!("{spoilt}!"), "", "").status, 404);

    assert_eq!(house.stop(), 0);
    let heard = std::fs::read_to_string(&log).unwrap();
    for secret in [waiting.trim_start_matches("/i/"), first.split_once("access=").unwrap().1, "Carla", "Karte"] {
        assert!(!heard.contains(secret), "{secret} was logged");
    }
}

fn reservation(town: &mut Town, agent: usize) -> Option<Value> {
    let seen = town.agents[agent].1.ask("{ viewer { agent { reservation { id url } } } }", json!({}));
    Some(seen["viewer"]["agent"]["reservation"].clone()).filter(|found| !found.is_null())
}

/// Three markets of one community: an acceptance goes where its content belongs, and says why.
#[test]
fn each_acceptance_goes_to_the_call_server_of_its_content() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 0);
    for (name, topics, languages) in [
        ("lost", json!(["cards/lost"]), json!(["de"])),
        ("homes", json!(["loans/home", "cards/lost"]), json!(["en", "de"])),
    ] {
        let input = json!({"name": name, "topics": topics, "languages": languages});
        town.operator.give("openCallServer", input, "callServer { id }");
    }
    let links = ["cards", "cards/lost", "cards/limit", "loans/home/rate", "travel"];
    let input = json!({
        "providerId": town.provider_id, "title": "Help", "channels": ["MESSAGE"],
        "links": links.map(|topic| json!({"label": topic, "topic": topic})),
        "allocation": {"auction": {"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H"}},
    });
    let published = town.provider.give("publishOffer", input, "offer { id links { id } }");
    let offer = published["offer"].clone();
    let accept = |town: &mut Town, link: usize, language: Option<&str>| {
        let input = json!({"offerId": offer["id"], "linkId": offer["links"][link]["id"], "channel": "MESSAGE", "language": language});
        let accepted = house.client("").give("acceptOffer", input, "inquiry { id }");
        let document = "query($id: ID!) { inquiry(id: $id) { callServer { name } decisions(first: 1) { edges { node { kind rule chosen { ... on CallServer { name } } excluded { reason count } candidates(first: 5) { edges { node { rank score excludedBy tieKey subject { ... on CallServer { name } } } } } } } } } }";
        let seen = town.operator.ask(document, json!({"id": accepted["inquiry"]["id"]}));
        let decision = seen["inquiry"]["decisions"]["edges"][0]["node"].clone();
        assert_eq!(decision["kind"], "CALL_SERVER");
        assert_eq!(decision["chosen"]["name"], seen["inquiry"]["callServer"]["name"]);
        decision
    };
    let names = |decision: &Value| -> Vec<String> {
        let edges = decision["candidates"]["edges"].as_array().unwrap().iter();
        edges
            .filter(|edge| edge["node"]["excludedBy"].is_null())
            .map(|edge| text(&edge["node"]["subject"]["name"]))
            .collect()
    };
    // The longest topic wins, then the language, then who has least waiting, then the name.
    let decision = accept(&mut town, 1, Some("en"));
    assert_eq!(
        (names(&decision), &decision["rule"]),
        (vec!["homes".into(), "lost".into(), "main".into()], &json!("content/1"))
    );
    assert_eq!(
        names(&accept(&mut town, 1, Some("de"))),
        ["lost", "homes", "main"],
        "both speak it, one has somebody waiting"
    );
    assert_eq!(names(&accept(&mut town, 1, None)), ["homes", "lost", "main"], "one waits at each: the name decides");
    assert_eq!(names(&accept(&mut town, 0, None)), ["main"]);
    let decision = accept(&mut town, 2, None);
    assert_eq!(names(&decision), ["main"]);
    assert_eq!(decision["excluded"], json!([{"reason": "TOPIC_MISMATCH", "count": 2}]));
    assert_eq!(names(&accept(&mut town, 3, None)), ["homes"]);
    // What fits nowhere goes to the default, and another one can be made that.
    let decision = accept(&mut town, 4, None);
    assert_eq!((&decision["rule"], &decision["chosen"]["name"]), (&json!("default/1"), &json!("main")));
    town.operator.give("updateCallServer", json!({"callServer": "homes", "default": true}), "callServer { topics }");
    assert_eq!(accept(&mut town, 4, None)["chosen"]["name"], "homes");
    // Rules are changed and shown.
    town.operator.give(
        "updateCallServer",
        json!({"callServer": "lost", "topics": ["travel"], "languages": ["pt"]}),
        "callServer { id }",
    );
    let decision = accept(&mut town, 4, None);
    assert_eq!((&decision["rule"], names(&decision)), (&json!("content/1"), vec!["lost".to_owned()]));
    let shown = town.operator.ask("{ callServers { name topics languages default } }", json!({}));
    let lost = json!({"name": "lost", "topics": ["travel"], "languages": ["pt"], "default": false});
    let all = shown["callServers"].as_array().unwrap();
    assert!(all.contains(&lost), "{shown}");
    let default: Vec<&Value> = all.iter().filter(|one| one["default"] == true).map(|one| &one["name"]).collect();
    assert_eq!(default, ["homes"]);
}

/// Three days from now, on that weekday alone: closed, whatever the time is.
#[test]
fn a_closed_offer_takes_acceptances_and_says_when_it_opens() {
    const WEEK: [&str; 7] = ["THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY"];
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let day = (since.as_secs() / 86_400 + 3) % 7;
    let weekly = json!([{"days": [WEEK[day as usize]], "from": "12:00", "to": "13:00"}]);
    let hours = json!({"zone": "Europe/Vienna", "weekly": weekly});
    let nowhere = json!({
        "providerId": town.provider_id, "title": "Help", "channels": ["MESSAGE"], "links": [{"label": "a", "topic": "b"}],
        "allocation": {"claim": {}}, "hours": {"zone": "Mitteleuropa", "weekly": weekly},
    });
    let refused = town.provider.give_keyed("publishOffer", nowhere, &key(), "offer { id }");
    assert_eq!(refused["userErrors"][0]["field"], json!(["hours", "zone"]), "{refused}");
    let offer = town.offer(json!({"claim": {}}), json!({"hours": hours}));

    let addresses = town.operator.ask("query($id: ID!) { offer(id: $id) { links { url } } }", json!({"id": offer.0}));
    let link = path(&house, &addresses["offer"]["links"][0]["url"]);
    let shown = browse(&house, "GET", &link, "", "");
    assert!(shown.html.contains("We are closed now, and open on <time"), "{}", shown.html);
    let form = format!("proof={}&revision={}&channel=MESSAGE", shown.field("proof"), shown.field("revision"));
    let pressed = browse(&house, "POST", &link, "sec-fetch-site: same-origin\r\n", &form);
    assert_eq!(pressed.status, 303, "{}", pressed.html);
    let page = browse(&house, "GET", pressed.header("location").unwrap(), "", "");
    let asked = town.provider.ask("{ inquiries(first: 9) { edges { node { id beginsAt state } } } }", json!({}));
    let inquiry = &asked["inquiries"]["edges"][0]["node"];
    assert_eq!(inquiry["state"], "QUEUED");
    let begins_at = text(&inquiry["beginsAt"]);
    assert!(
        page.html.contains("We are closed") && page.html.contains(&format!("<time datetime=\"{begins_at}\">")),
        "{}",
        page.html
    );
    let german = browse(&house, "GET", pressed.header("location").unwrap(), "accept-language: de\r\n", "");
    assert!(
        german.html.contains("Wir haben gerade geschlossen") && german.html.contains("Wir öffnen"),
        "{}",
        german.html
    );

    // It stands in its queue, and nobody can take it yet.
    let input = json!({"inquiryId": inquiry["id"]});
    let claim = town.agents[0].1.give_keyed("claimInquiry", input, &key(), "session { id }");
    assert_eq!(claim["userErrors"][0]["code"], "NOT_ALLOWED_NOW", "{claim}");
}
