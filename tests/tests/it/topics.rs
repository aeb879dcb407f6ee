//! The classifier on files, through the binary: what it prints, what it refuses, and its exit codes. And in a house:
//! questions that find their queues, or make them.

use serde_json::{Value, json};
use std::fs;
use tests::{House, Scratch, Town, eventually, run, text};

const QUESTIONS: &str = "id,text,category,note
1,I lost my card yesterday,Lost Card,
2,My card is gone and I cannot find it,Lost Card,x
3,Somebody took my card,Lost Card,
4,What is the exchange rate for dollars,rate,
5,How do you set exchange rates,rate,
6,Is the rate for euros fixed,rate,
";

#[test]
fn questions_are_learned_from_and_classified() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.join(name).to_str().unwrap().to_owned();
    let (train, asked, model) = (path("train.csv"), path("asked.csv"), path("m.model"));
    fs::write(&train, QUESTIONS).unwrap();
    fs::write(&asked, "text,id\n\"I have lost the card, alas\",a\nΩ,b\n").unwrap();
    let trained = run(&["topics", "train", &train, "--model", &model, "--validate", &train, "--json"]);
    assert_eq!(trained.code, 0, "{}", trained.err);
    let said: Value = serde_json::from_str(&trained.out).unwrap();
    assert_eq!((&said["labels"], &said["examples"], &said["out_of_scope"]), (&2.into(), &6.into(), &0.into()));
    assert_eq!(said["validation"]["accuracy"], 1.0);
    let bytes = fs::read(&model).unwrap();
    run(&["topics", "train", &train, "--model", &model]);
    assert_eq!(fs::read(&model).unwrap(), bytes, "the same questions give the same bytes");

    let classified = run(&["topics", "classify", "--model", &model, &asked, "--json"]);
    assert_eq!(classified.code, 0, "{}", classified.err);
    let lines: Vec<Value> = classified.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["id"], &lines[0]["topic"]), (&"a".into(), &"Lost Card".into()), "the label as trained");
    assert_eq!((&lines[1]["id"], &lines[1]["topic"]), (&"b".into(), &Value::Null));
    assert!(lines.iter().all(|line| line["score"].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score))));
    assert_eq!(lines.len(), 2);

    // Found wrong within: 1. Not there, of another kind, or wrong use: 2.
    let refused = |code, args: &[&str], words: &str| {
        let ran = run(&[&["topics"], args].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
    };
    refused(2, &["train", &asked, "--model", &model], "asked.csv:1: the header has no column category or intent");
    fs::write(path("latin"), b"id,text,category\na,caf\xe9,x\n").unwrap();
    refused(1, &["train", &path("latin"), "--model", &model], "latin:2: not UTF-8");
    refused(2, &["classify", "--model", &train, &asked, "--json"], "train.csv is no model of topics");
    let mut damaged = bytes.clone();
    damaged[100] ^= 1;
    fs::write(path("damaged"), damaged).unwrap();
    refused(1, &["classify", "--model", &path("damaged"), &asked], "damaged: its checksum is another");
    refused(2, &["classify", "--model", &path("nowhere"), &asked], "nowhere cannot be read");
    refused(2, &["classify", "--model", &model, &path("nowhere")], "nowhere cannot be read");
    refused(2, &["train", &train], "--model");
    assert_eq!(fs::read(&model).unwrap(), bytes, "what was refused wrote nothing");
}

const REGISTERED: &str = "query($id: ID!) { inquiry(id: $id) { topics topicScores { topic score modelVersion }
    queues { id topic origin bornFrom state } callServer { name }
    decisions(first: 5) { edges { node { kind rule chosen { __typename ... on Queue { topic } }
    candidates(first: 5) { edges { node { rank score tieKey } } } } } } } }";

/// A customer without a token asks; the inquiry as the operator sees it.
fn ask(house: &House, town: &mut Town, offer: &str, question: &str) -> Value {
    let input = json!({"offerId": offer, "question": question, "channel": "MESSAGE"});
    let accepted = house.client("").give("acceptOffer", input, "inquiry { id topics topicScores { topic } }");
    let mut inquiry = town.operator.ask(REGISTERED, json!({"id": accepted["inquiry"]["id"]}))["inquiry"].clone();
    assert_eq!(inquiry["topics"], accepted["inquiry"]["topics"], "the customer sees what it is about");
    inquiry["id"] = accepted["inquiry"]["id"].clone();
    inquiry
}

/// The decision about topics.
fn decided(inquiry: &Value) -> Value {
    let edges = inquiry["decisions"]["edges"].as_array().unwrap();
    edges.iter().map(|edge| &edge["node"]).find(|node| node["kind"] == "TOPICS").unwrap().clone()
}

fn suggested(house: &House, offer: &str, question: &str) -> Vec<String> {
    let document = "query($o: ID!, $q: String!) { suggestTopics(offerId: $o, question: $q, first: 3) { topic score } }";
    let found = house.client("").ask(document, json!({"o": offer, "q": question}));
    found["suggestTopics"].as_array().unwrap().iter().map(|one| text(&one["topic"])).collect()
}

fn auction() -> Value {
    json!({"direction": "REVERSE", "format": "OPEN", "currency": "EUR", "reserve": "5.00", "openFor": "PT1S"})
}

#[test]
fn a_question_makes_a_queue_of_its_subject() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.join(name).to_str().unwrap().to_owned();
    let (train, model) = (path("train.csv"), path("m.model"));
    fs::write(&train, QUESTIONS).unwrap();
    assert_eq!(run(&["topics", "train", &train, "--model", &model]).code, 0);
    let house = House::open_with(&scratch.join("data"), &["--topics-model", &model]);
    let mut town = Town::found(&house, 0);
    let (offer, _) = town.publish(auction(), json!({}));

    // The classifier knows it, and the queue is named as topics are.
    assert_eq!(suggested(&house, &offer, "I have lost the card, alas")[0], "lost-card");
    let known = ask(&house, &mut town, &offer, "I have lost the card, alas");
    assert_eq!(known["topics"], json!(["lost-card"]));
    assert_eq!(known["topicScores"][0]["topic"], "lost-card");
    let version = text(&known["topicScores"][0]["modelVersion"]);
    assert!(version.ends_with("+0") && version.len() == 18, "{version}");
    let queue = &known["queues"][0];
    assert_eq!((&queue["topic"], &queue["origin"]), (&json!("lost-card"), &json!("QUESTION")));
    assert_eq!((&queue["bornFrom"], &queue["state"]), (&known["id"], &json!("OPEN")));
    let decision = decided(&known);
    assert_eq!((&decision["rule"], &decision["chosen"]["topic"]), (&json!("model/1"), &json!("lost-card")));
    let best = &decision["candidates"]["edges"][0]["node"];
    assert_eq!((&best["rank"], &best["tieKey"]), (&json!(1), &json!("lost-card")));
    assert_eq!(best["score"], known["topicScores"][0]["score"]);

    // What was suggested may be given, what was made up may not.
    let give = |topic: &str| {
        let input = json!({"offerId": offer, "question": "?", "topics": [topic], "channel": "MESSAGE"});
        house.client("").give_keyed("acceptOffer", input, &tests::key(), "inquiry { topics topicScores { topic } }")
    };
    assert_eq!(give("rate")["inquiry"], json!({"topics": ["rate"], "topicScores": []}));
    assert_eq!(give("ludwig")["userErrors"][0]["field"], json!(["topics", "0"]));

    // Nothing of it is known: one customer's words name no queue, five customers' word does.
    let odd = "Ω Ludwig microwave";
    assert_eq!(suggested(&house, &offer, odd), Vec::<String>::new());
    for _ in 0..5 {
        let unknown = ask(&house, &mut town, &offer, odd);
        let (rule, topics) = (decided(&unknown)["rule"].clone(), unknown["topics"].clone());
        assert_eq!((rule, topics), (json!("general/1"), json!(["general"])));
    }
    eventually("the term is counted", || (!suggested(&house, &offer, odd).is_empty()).then_some(()));
    let sixth = ask(&house, &mut town, &offer, "Ω microwave");
    assert_eq!((&decided(&sixth)["rule"], &sixth["topics"]), (&json!("term/1"), &json!(["microwave"])));
    assert_eq!((&sixth["queues"][0]["origin"], &sixth["queues"][0]["bornFrom"]), (&json!("QUESTION"), &sixth["id"]));

    // The operator merges it away: from now on it is called that, to everybody.
    let merge = json!({"fromQueueIds": [sixth["queues"][0]["id"]], "intoQueueId": queue["id"]});
    town.operator.give("mergeQueues", merge, "queue { id }");
    let seventh = ask(&house, &mut town, &offer, "Ω microwave");
    assert_eq!((&decided(&seventh)["rule"], &seventh["topics"]), (&json!("term/1"), &json!(["lost-card"])));
    assert_eq!(suggested(&house, &offer, "Ω microwave"), ["lost-card"]);
    assert_eq!(give("microwave")["userErrors"][0]["field"], json!(["topics", "0"]));
    // Retired, a name is nobody's: neither is it suggested, nor does it make a queue.
    for _ in 0..5 {
        ask(&house, &mut town, &offer, "Ω nitwits");
    }
    eventually("the term is counted", || (suggested(&house, &offer, "Ω nitwits") == ["nitwits"]).then_some(()));
    let declare = json!({"callServer": "main", "topic": "nitwits"});
    let declared = town.operator.give("declareQueue", declare, "queue { id }");
    town.operator.give("retireQueue", json!({"queueId": declared["queue"]["id"]}), "queue { id }");
    assert_eq!(suggested(&house, &offer, "Ω nitwits"), Vec::<String>::new());
    assert_eq!(ask(&house, &mut town, &offer, "Ω nitwits")["topics"], json!(["general"]));
    assert_eq!(house.stop(), 0);
}

/// Who asks again and again, behind a proxy that the house was told of.
#[test]
fn one_address_names_no_queue_however_many_customers_it_makes() {
    let scratch = Scratch::new();
    let house = House::open_with(&scratch.join("data"), &["--trusted-proxy", "127.0.0.1/32"]);
    let mut town = Town::found(&house, 0);
    let (offer, _) = town.publish(auction(), json!({}));
    let ask_from = |address: &str, word: &str| {
        let input = json!({"offerId": offer, "question": format!("Ω {word}"), "channel": "MESSAGE"});
        let mut customer = house.client("");
        customer.comes_from = Some(address.to_owned());
        customer.give("acceptOffer", input, "inquiry { topics }")
    };
    for last in 1..=9 {
        ask_from("203.0.113.9", "nitwits");
        ask_from(&format!("2001:db8:5::{last}"), "nitwits");
    }
    for last in 1..=5 {
        ask_from(&format!("203.0.113.{last}"), "overdraft");
    }
    eventually("the later one is counted", || {
        (suggested(&house, &offer, "Ω overdraft") == ["overdraft"]).then_some(())
    });
    assert_eq!(suggested(&house, &offer, "Ω nitwits"), Vec::<String>::new());
    assert_eq!(ask_from("198.51.100.1", "nitwits")["inquiry"]["topics"], json!(["general"]));
    assert_eq!(ask_from("198.51.100.1", "overdraft")["inquiry"]["topics"], json!(["overdraft"]));
}

#[test]
fn without_a_model_questions_go_by_published_names() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 0);
    let (offer, _) = town.publish(auction(), json!({}));
    let found = ask(&house, &mut town, &offer, "Somehow I lost my card!");
    assert_eq!((&decided(&found)["rule"], &found["topics"]), (&json!("name/1"), &json!(["cards/lost"])));
    assert_eq!(found["topicScores"][0]["modelVersion"], "none+0");
    let general = ask(&house, &mut town, &offer, "Good day");
    assert_eq!((&decided(&general)["rule"], &general["topics"]), (&json!("general/1"), &json!(["general"])));
    let refused = run(&[
        "serve",
        "--data",
        scratch.join("d2").to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--topics-model",
        "/nowhere",
    ]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("/nowhere cannot be read"), "{}", refused.err);
}

#[test]
fn what_an_agent_confirms_is_learned_and_kept() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let (offer, _) = town.publish(auction(), json!({"consentWindow": "PT60S", "wrapUp": "PT60S"}));
    let declare = json!({"callServer": "main", "topic": "plastic"});
    town.operator.give("declareQueue", declare, "queue { id }");
    let question = "my debit thing vanished at the till";
    assert_eq!(suggested(&house, &offer, question), Vec::<String>::new());

    let input = json!({"offerId": offer, "question": question, "topics": ["cards"], "channel": "MESSAGE"});
    let accepted = house.client("").give("acceptOffer", input, "inquiry { id }");
    let inquiry = text(&accepted["inquiry"]["id"]);
    let document = "query($id: ID!) { inquiry(id: $id) { topics queues { id } auction { id } session { id } } }";
    let before = town.operator.ask(document, json!({"id": inquiry}))["inquiry"].clone();
    let confirm = |topics: Value| json!({"inquiryId": inquiry, "topics": topics});
    let refused =
        town.agents[0].1.give_keyed("confirmTopics", confirm(json!(["plastic"])), &tests::key(), "inquiry { id }");
    assert_eq!(refused["userErrors"][0]["code"], "NOT_ALLOWED_NOW", "nobody has it yet");
    let bid = json!({"auctionId": before["auction"]["id"], "amount": {"amount": "2.00", "currency": "EUR"}});
    town.agents[0].1.give("placeBid", bid, "bid { id }");
    let reservation = eventually("the agent is asked", || {
        let seen = town.agents[0].1.ask("{ viewer { agent { reservation { id } } } }", json!({}));
        seen["viewer"]["agent"]["reservation"]["id"].as_str().map(str::to_owned)
    });
    town.agents[0].1.give("acceptReservation", json!({"reservationId": reservation}), "session { id }");

    let made_up =
        town.agents[0].1.give_keyed("confirmTopics", confirm(json!(["ludwig"])), &tests::key(), "inquiry { id }");
    assert_eq!(made_up["userErrors"][0]["field"], json!(["topics", "0"]));
    let twice = confirm(json!(["plastic", "plastic"]));
    let twice = town.agents[0].1.give_keyed("confirmTopics", twice, &tests::key(), "inquiry { id }");
    assert_eq!(
        (&twice["userErrors"][0]["code"], &twice["userErrors"][0]["field"]),
        (&json!("INVALID"), &json!(["topics", "1"]))
    );
    // The last one counts, once: what was said before it is taken back, and said again it teaches nothing.
    for topic in ["cards", "plastic", "plastic", "plastic"] {
        town.agents[0].1.give("confirmTopics", confirm(json!([topic])), "inquiry { id topics }");
    }
    let after = town.operator.ask(document, json!({"id": inquiry}))["inquiry"].clone();
    assert_eq!((&after["topics"], &after["queues"]), (&before["topics"], &before["queues"]), "it moves no queue");
    let asked = "the debit thing vanished";
    let learned = |house: &House| {
        eventually("it is learned", || {
            suggested(house, &offer, asked).first().filter(|first| *first == "plastic").cloned()
        })
    };
    learned(&house);
    assert_eq!(house.stop(), 0);
    // And again from the log, when the house starts.
    let house = House::open(&scratch.join("data"));
    learned(&house);
    town.move_to(&house);
    let again = ask(&house, &mut town, &offer, asked);
    assert_eq!((&decided(&again)["rule"], &again["topics"]), (&json!("model/1"), &json!(["plastic"])));
    assert_eq!(again["topicScores"][0]["modelVersion"], "none+2");
}
