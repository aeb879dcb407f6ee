//! Three agents and a customer in one session, over HTTP, as each of them sees it: invitation and consent, the
//! channel beside, taking over, and who is told of what.

use serde_json::{Value, json};
use tests::feeds::Sse;
use tests::{Client, House, Scratch, Town, eventually, key, text};

const STATUS: &str = "{ viewer { agent { status statusReason load } } }";
const INVITED: &str = "{ viewer { agent { reservation { id purpose invitedBy { id } note session { id } inquiry { question customer { displayName email masked } } } } } }";
const SESSION: &str = "query($id: ID!) { session(id: $id) { state endsAt participants { agent { id } customer leftAt } channels { id kind purpose state dial } notes } }";

/// A session of the first agent with a customer; everybody is AVAILABLE, the others for three inquiries at once.
struct Story {
    _scratch: Scratch,
    house: House,
    town: Town,
    customer: Client,
    inquiry: String,
    session: String,
    main: String,
}

impl Story {
    fn begin(channel: &str, wrap_up: Value) -> Story {
        let scratch = Scratch::new();
        let house = House::open(&scratch.join("data"));
        let mut town = Town::found(&house, 3);
        for agent in 1..3 {
            let more = json!({"agentId": town.agents[agent].0, "capacity": 3, "skills": [{"name": "cards"}, {"name": "law", "level": agent}]});
            town.operator.give("updateAgent", more, "agent { capacity }");
        }
        let auction =
            json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT10M", "buyNow": "3.00"});
        let offer = town.publish(auction, json!({"channels": [channel], "wrapUp": wrap_up, "consentWindow": "PT30S"}));
        let input = json!({"offerId": offer.0, "linkId": offer.1, "channel": channel, "question": "My card is gone, what now?",
            "customer": {"displayName": "Carla Customer", "email": "carla@example.org", "phone": "+43 1 234"}});
        let accepted = house.client("").give("acceptOffer", input, "inquiry { id } customerToken");
        let customer = house.client(&text(&accepted["customerToken"]));
        let inquiry = text(&accepted["inquiry"]["id"]);
        let auction =
            town.operator.ask("query($id: ID!) { inquiry(id: $id) { auction { id } } }", json!({"id": inquiry}));
        town.bid(0, &text(&auction["inquiry"]["auction"]["id"]), "3.00");
        let asked = eventually("the buyer is asked", || reservation(&mut town, 0));
        let consented = town.agents[0].1.give(
            "acceptReservation",
            json!({"reservationId": asked["id"]}),
            "session { id channels { id } }",
        );
        let session = text(&consented["session"]["id"]);
        let main = text(&consented["session"]["channels"][0]["id"]);
        Story { _scratch: scratch, house, town, customer, inquiry, session, main }
    }

    fn agent(&mut self, number: usize) -> &mut Client {
        &mut self.town.agents[number].1
    }
    fn id(&self, number: usize) -> String {
        self.town.agents[number].0.clone()
    }
    /// Status and its reason.
    fn status(&mut self, number: usize) -> (String, Value) {
        let seen = self.agent(number).ask(STATUS, json!({}))["viewer"]["agent"].clone();
        (text(&seen["status"]), seen["statusReason"].clone())
    }
    fn invite(&mut self, choice: Value) -> Value {
        let input = json!({"sessionId": self.session, "agent": choice});
        self.agent(0).give("inviteAgent", input, "reservation { id purpose state agent { id } }")
    }
    fn consents(&mut self, number: usize) -> Value {
        let asked = reservation(&mut self.town, number).expect("it is asked");
        self.agent(number).give(
            "acceptReservation",
            json!({"reservationId": asked["id"]}),
            "session { id state } inquiry { question customer { displayName email phone masked } }",
        )
    }
    fn says(&mut self, number: usize, channel: &str, what: &str) -> Value {
        let input = json!({"sessionId": self.session, "channelId": channel, "text": what});
        self.agent(number).give_keyed("sendMessage", input, &key(), "message { id text }")
    }
    fn seen_by(&mut self, number: usize) -> Value {
        let id = self.session.clone();
        self.agent(number).ask(SESSION, json!({"id": id}))["session"].clone()
    }
    fn heard(client: &mut Client, session: &str, channel: &str) -> Vec<String> {
        let seen = client.ask(
            "query($id: ID!, $channel: ID!) { session(id: $id) { messages(channelId: $channel, first: 50) { edges { node { text } } } } }",
            json!({"id": session, "channel": channel}),
        );
        let edges = seen["session"]["messages"]["edges"].as_array().unwrap();
        edges.iter().map(|edge| text(&edge["node"]["text"])).collect()
    }
}

fn reservation(town: &mut Town, agent: usize) -> Option<Value> {
    let seen = town.agents[agent].1.ask(INVITED, json!({}));
    Some(seen["viewer"]["agent"]["reservation"].clone()).filter(|found| !found.is_null())
}

fn notices(client: &mut Client) -> Vec<(String, Value)> {
    let seen = client.ask(
        "{ viewer { agent { notices(first: 50) { edges { node { kind secondAgent { id } reservation { state } } } } } } }",
        json!({}),
    );
    let edges = seen["viewer"]["agent"]["notices"]["edges"].as_array().unwrap();
    edges.iter().map(|edge| (text(&edge["node"]["kind"]), edge["node"].clone())).collect()
}

/// Kinds of items until one of `last` comes.
fn kinds_until(feed: &mut Sse, last: &str) -> Vec<String> {
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != last) {
        kinds.push(text(&feed.item()["kind"]));
    }
    kinds
}

#[test]
fn a_third_agent_joins_talks_beside_and_leaves_and_the_customer_knows_of_what_concerns_it() {
    let mut story = Story::begin("MESSAGE", Value::Null);
    let feed =
        "subscription($id: ID!) { sessionFeed(sessionId: $id) { kind message { text } session { channels { id } } } }";
    let ids = json!({"id": story.session});
    let mut first = Sse::open(&story.house, &story.town.agents[0].1.token.clone(), feed, ids.clone());
    let mut customers = Sse::open(&story.house, &story.customer.token.clone(), feed, ids);

    // Before consent the third agent is UNAVAILABLE only as far as its capacity goes, and sees a masked customer.
    let asked = story.invite(json!({"agentId": story.id(1)}));
    assert_eq!(asked["reservation"]["purpose"], "INVITED", "{asked}");
    let seen = reservation(&mut story.town, 1).unwrap();
    assert_eq!(seen["invitedBy"]["id"], json!(story.id(0)));
    assert_eq!(seen["inquiry"]["question"], Value::Null);
    assert_eq!(seen["inquiry"]["customer"], json!({"displayName": "C.", "email": null, "masked": true}));
    assert_eq!((story.seen_by(1), seen["session"].clone()), (Value::Null, Value::Null), "no session before consent");
    assert_eq!(story.status(1).0, "AVAILABLE", "one of three");

    let consented = story.consents(1);
    assert_eq!(consented["session"]["id"], json!(story.session));
    assert_eq!(consented["inquiry"]["question"], "My card is gone, what now?");
    assert_eq!(consented["inquiry"]["customer"]["email"], "carla@example.org");
    assert_eq!(story.status(1), ("UNAVAILABLE".into(), json!("CONFERENCE")));
    assert_eq!(story.status(0), ("UNAVAILABLE".into(), json!("ENGAGED")));
    let told = notices(story.agent(0));
    let (kind, notice) = told.last().unwrap();
    assert_eq!((kind.as_str(), &notice["reservation"]["state"]), ("INVITATION_ANSWERED", &json!("ACCEPTED")));

    // MAIN is everybody's; SIDE is the two agents', and of the other kind unless asked otherwise.
    let (session, main, other) = (story.session.clone(), story.main.clone(), story.id(1));
    story.says(1, &main, "Hello, I am here too");
    assert_eq!(Story::heard(&mut story.customer, &session, &main), ["Hello, I am here too"]);
    let open = |kind: Value| json!({"sessionId": session, "agentId": other, "kind": kind});
    let opened =
        story.agent(0).give("openSideChannel", open(Value::Null), "session { channels { id kind purpose state } }");
    let side = opened["session"]["channels"][1].clone();
    assert_eq!(
        (&side["kind"], &side["purpose"], &side["state"]),
        (&json!("TELEPHONE"), &json!("SIDE"), &json!("CONNECTING"))
    );
    let opened = story.agent(0).give("openSideChannel", open(json!("MESSAGE")), "session { channels { id kind } }");
    let side = text(&opened["session"]["channels"][2]["id"]);
    let whispered = story.says(1, &side, "They are a difficult customer");
    let whisper = text(&whispered["message"]["id"]);
    assert_eq!(Story::heard(story.agent(0), &session, &side), ["They are a difficult customer"]);
    assert_eq!(kinds_until(&mut first, "MESSAGE"), ["PARTICIPANT", "MESSAGE"]);
    assert_eq!(kinds_until(&mut first, "MESSAGE"), ["CHANNEL", "CHANNEL", "MESSAGE"]);

    // To the customer there is no SIDE: not by id, not in lists, feeds or trails.
    assert_eq!(Story::heard(&mut story.customer, &session, &side), Vec::<String>::new());
    for id in [&side, &whisper] {
        let seen = story.customer.ask("query($id: ID!) { node(id: $id) { id } }", json!({"id": id}));
        assert_eq!(seen["node"], Value::Null, "{id}");
    }
    let refused = story.customer.give_keyed(
        "sendMessage",
        json!({"sessionId": session, "channelId": side, "text": "I hear you"}),
        &key(),
        "message { id }",
    );
    assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND");
    let inquiry = story.inquiry.clone();
    let trail = "query($id: ID) { auditTrail(subject: $id, first: 100) { edges { node { type data } } } }";
    for subject in [&inquiry, &session, &side] {
        let seen = story.customer.ask(trail, json!({"id": subject})).to_string();
        assert!(!seen.contains(&side) && !seen.contains(&whisper), "{seen}");
        assert!(!seen.contains("reservation.") && !seen.contains("channel_opened"), "{seen}");
        // By the id of what is not there for it, it learns nothing at all.
        assert_eq!(seen.contains("\"type\""), *subject != side, "{subject}: {seen}");
    }
    // A third agent that was not invited is as far away as ever.
    assert_eq!(story.seen_by(2), Value::Null);

    // It leaves; the session goes on, and what is said then is not its business.
    let left = story.agent(1).give("leaveSession", json!({"sessionId": session}), "session { id }");
    assert_eq!(left["session"]["id"], json!(session));
    assert_eq!(story.status(1), ("AVAILABLE".into(), json!("ASKED")));
    let channels = story.seen_by(0)["channels"].clone();
    let states: Vec<&Value> = channels.as_array().unwrap().iter().map(|channel| &channel["state"]).collect();
    assert_eq!(states, ["OPEN", "CLOSED", "CLOSED"]);
    let closed = story.agent(0).give_keyed("closeChannel", json!({"channelId": side}), &key(), "session { id }");
    assert_eq!(closed["userErrors"][0]["code"], "CHANNEL_CLOSED");
    story.says(0, &main, "Only the two of us now");
    assert_eq!(Story::heard(story.agent(1), &session, &main), ["Hello, I am here too"]);
    assert_eq!(Story::heard(&mut story.customer, &session, &main).len(), 2);

    // What it learned of the customer by consenting has gone with its leaving; who stays sees it on.
    let seen = "query($id: ID!) { inquiry(id: $id) { question customer { displayName email masked } } }";
    let gone = story.agent(1).ask(seen, json!({"id": inquiry}))["inquiry"].clone();
    assert_eq!(gone["question"], Value::Null);
    assert_eq!(gone["customer"], json!({"displayName": "C.", "email": null, "masked": true}));
    assert_eq!(story.agent(0).ask(seen, json!({"id": inquiry}))["inquiry"]["customer"]["email"], "carla@example.org");
    story.customer.give("endSession", json!({"sessionId": session}), "session { state }");
    assert_eq!(story.status(0).0, "AVAILABLE");
    let told = kinds_until(&mut customers, "STATE");
    assert_eq!(told, ["PARTICIPANT", "MESSAGE", "PARTICIPANT", "MESSAGE", "STATE"], "joined, MAIN, left, MAIN, over");
}

#[test]
fn by_skills_the_platform_asks_one_after_the_other_and_tells_who_invited() {
    let mut story = Story::begin("MESSAGE", Value::Null);
    let asked = story.invite(json!({"skills": [{"name": "law", "level": 1}]}));
    assert_eq!(asked["reservation"]["agent"]["id"], json!(story.id(2)), "the better skilled");
    let declined = reservation(&mut story.town, 2).unwrap();
    story.agent(2).give("declineReservation", json!({"reservationId": declined["id"]}), "reservation { state }");
    let told = notices(story.agent(0));
    assert_eq!(told.last().unwrap().1["secondAgent"]["id"], json!(story.id(1)));
    let second = reservation(&mut story.town, 1).expect("the next is asked");
    assert_eq!(notices(story.agent(1)).last().unwrap().0, "SECOND_AGENT_SELECTED");
    // Taken back, it is gone for who was asked, who keeps the notice.
    let taken =
        story.agent(0).give("rescindReservation", json!({"reservationId": second["id"]}), "reservation { state }");
    assert_eq!(taken["reservation"]["state"], "RESCINDED");
    assert_eq!(notices(story.agent(1)).last().unwrap().0, "RESERVATION_RESCINDED");
    let late = story.agent(1).give_keyed(
        "acceptReservation",
        json!({"reservationId": second["id"]}),
        &key(),
        "session { id }",
    );
    assert_eq!(late["userErrors"][0]["code"], "RESERVATION_RESCINDED");
    // Both choices are on record, with their candidates.
    let chosen = story.town.provider.ask(
        "query($id: ID!) { inquiry(id: $id) { decisions(first: 20) { edges { node { kind rule chosen { ... on Agent { id } } candidates(first: 5) { edges { node { score rank } } } } } } } }",
        json!({"id": story.inquiry}),
    );
    let edges = chosen["inquiry"]["decisions"]["edges"].as_array().unwrap();
    let selections: Vec<&Value> =
        edges.iter().map(|edge| &edge["node"]).filter(|node| node["kind"] == "SELECTION").collect();
    assert_eq!(selections.len(), 2, "{edges:?}");
    assert_eq!(selections[0]["chosen"]["id"], json!(story.id(2)));
    assert_eq!(selections[0]["candidates"]["edges"][0]["node"]["score"], "2");
}

#[test]
fn who_takes_over_reads_the_note_and_who_hands_over_wraps_up_and_keeps_the_price() {
    let mut story = Story::begin("TELEPHONE", json!("PT5M"));
    let session = story.session.clone();
    // The agent dials: the number is there after consent, for the agents in it alone.
    let channel = story.seen_by(0)["channels"][0].clone();
    assert_eq!((&channel["state"], &channel["dial"]), (&json!("CONNECTING"), &json!("+43 1 234")));
    let report = |report: &str| json!({"channelId": channel["id"], "report": report});
    let connected = story.agent(0).give("reportChannel", report("CONNECTED"), "session { channels { state } }");
    assert_eq!(connected["session"]["channels"][0]["state"], "OPEN");
    let customers = story.customer.ask(SESSION, json!({"id": session}))["session"].clone();
    assert_eq!((&customers["channels"][0]["state"], &customers["channels"][0]["dial"]), (&json!("OPEN"), &Value::Null));

    let to = json!({"sessionId": session, "to": {"agentId": story.id(1)}, "note": "She has called twice today"});
    let asked = story.agent(0).give("transferSession", to, "reservation { id purpose note }");
    assert_eq!(
        (&asked["reservation"]["purpose"], &asked["reservation"]["note"]),
        (&json!("TRANSFER"), &json!("She has called twice today"))
    );
    assert_eq!(reservation(&mut story.town, 1).unwrap()["note"], Value::Null, "not before consent");
    story.consents(1);
    let note = story.agent(1).ask(
        "query($id: ID!) { node(id: $id) { ... on Reservation { note } } }",
        json!({"id": asked["reservation"]["id"]}),
    );
    assert_eq!(note["node"]["note"], "She has called twice today");
    assert_eq!(story.status(0), ("UNAVAILABLE".into(), json!("WRAP_UP")));
    assert_eq!(story.status(1), ("AVAILABLE".into(), json!("ASKED")), "one session of three, and no conference");
    let refused = story.agent(0).give_keyed("endSession", json!({"sessionId": session}), &key(), "session { id }");
    assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND");
    story.agent(0).give("completeWrapUp", json!({"sessionId": session, "notes": "Card blocked"}), "session { state }");
    assert_eq!(story.status(0).0, "AVAILABLE");

    let ended = story.agent(1).give("reportChannel", report("ENDED"), "session { state endedBy } inquiry { state }");
    assert_eq!(ended["session"], json!({"state": "WRAP_UP", "endedBy": "AGENT"}));
    let done = story.agent(1).give(
        "completeWrapUp",
        json!({"sessionId": session, "notes": "New card sent", "disposition": "solved"}),
        "session { record { id notes disposition agent { id } parts { notes agent { id } } } } inquiry { state settlement { payer { ... on Agent { id } } } }",
    );
    let record = &done["session"]["record"];
    assert_eq!((&record["notes"], &record["agent"]["id"]), (&json!("New card sent"), &json!(story.id(1))));
    assert_eq!(record["parts"], json!([{"notes": "Card blocked", "agent": {"id": story.id(0)}}]));
    // Who handed it over and is gone does not read what was written after that.
    let whole = record["id"].clone();
    let seen = "query($id: ID!, $session: ID!) { node(id: $id) { id } session: node(id: $session) { ... on Session { id record { id notes disposition } } } }";
    let asked = json!({"id": whole, "session": session});
    let left = story.agent(0).ask(seen, asked.clone());
    assert_eq!(left, json!({"node": null, "session": {"id": session, "record": null}}));
    let stayed = story.agent(1).ask(seen, asked);
    assert_eq!((&stayed["node"]["id"], &stayed["session"]["record"]["disposition"]), (&whole, &json!("solved")));
    let settled = story.town.finance.ask(
        "query($id: ID) { settlements(filter: {inquiryId: $id}, first: 5) { edges { node { state payer { ... on Agent { id } } } } } }",
        json!({"id": story.inquiry}),
    );
    let edges = settled["settlements"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 1, "a transfer moves no money");
    assert_eq!(edges[0]["node"], json!({"state": "PENDING", "payer": {"id": story.id(0)}}));
}
