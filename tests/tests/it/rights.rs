//! Who may do what and who sees what, over HTTP, from two tables. A mutation that stands in the SDL and not
//! in the table fails the test, so that nobody brings one without saying who may give it.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::{Client, House, Scratch, Town, eventually, key, run, text};

const ROLES: [&str; 6] = ["anonymous", "customer", "agent", "provider", "finance", "operator"];

/// Mutation, the roles that may give it, an input that fits the schema and names nothing that exists.
const MUTATIONS: [(&str, &[&str], &str); 57] = [
    (
        "createWebhook",
        &["provider", "operator"],
        r#"{"providerId": "prv_00000000000000000000000000", "url": "https://hooks.example.org/"}"#,
    ),
    ("rotateWebhookSecret", &["provider", "operator"], r#"{"webhookId": "whk_00000000000000000000000000"}"#),
    ("deleteWebhook", &["provider", "operator"], r#"{"webhookId": "whk_00000000000000000000000000"}"#),
    ("redeliverWebhook", &["provider", "operator"], r#"{"deliveryId": "dlv_00000000000000000000000000"}"#),
    ("registerProvider", &["operator"], r#"{"name": " "}"#),
    ("updateProvider", &["operator"], r#"{"providerId": "prv_00000000000000000000000000"}"#),
    ("openCallServer", &["operator"], r#"{"name": "community", "topics": []}"#),
    ("updateCallServer", &["operator"], r#"{"callServer": "absent"}"#),
    (
        "registerAgent",
        &["operator"],
        r#"{"displayName": "Nobody", "callServer": "absent", "location": "home", "skills": []}"#,
    ),
    ("eraseCustomer", &["operator"], r#"{"customerId": "cus_00000000000000000000000000"}"#),
    ("updateAgent", &["operator"], r#"{"agentId": "agt_00000000000000000000000000"}"#),
    ("setAgentStatus", &["agent", "operator"], r#"{"agentId": "agt_00000000000000000000000000", "status": "BREAK"}"#),
    ("forgiveStrikes", &["operator"], r#"{"agentId": "agt_00000000000000000000000000", "reason": "none"}"#),
    (
        "setStandingValue",
        &["agent", "operator"],
        r#"{"agentId": "agt_00000000000000000000000000", "topic": "cards", "direction": "FORWARD"}"#,
    ),
    ("blockAgent", &["provider", "operator"], r#"{"agentId": "agt_00000000000000000000000000"}"#),
    ("unblockAgent", &["provider", "operator"], r#"{"agentId": "agt_00000000000000000000000000"}"#),
    ("blockCustomer", &["agent", "provider", "operator"], r#"{"inquiryId": "inq_00000000000000000000000000"}"#),
    ("unblockCustomer", &["agent", "provider", "operator"], r#"{"inquiryId": "inq_00000000000000000000000000"}"#),
    ("readNotices", &["agent"], r#"{"noticeId": "ntc_00000000000000000000000000"}"#),
    ("reportLocationTraffic", &["operator"], r#"{"callServer": "absent", "location": "home", "traffic": "1"}"#),
    ("declareQueue", &["operator"], r#"{"callServer": "absent", "topic": "cards"}"#),
    ("retireQueue", &["operator"], r#"{"queueId": "que_00000000000000000000000000"}"#),
    (
        "creditWallet",
        &["finance"],
        r#"{"owner": "agt_00000000000000000000000000", "amount": {"amount": "1.00", "currency": "EUR"}, "reference": "none"}"#,
    ),
    (
        "refundSettlement",
        &["finance"],
        r#"{"settlementId": "stl_00000000000000000000000000", "amount": {"amount": "1.00", "currency": "EUR"}, "reason": "GOODWILL"}"#,
    ),
    (
        "payOut",
        &["finance"],
        r#"{"accountId": "acc_00000000000000000000000000", "amount": {"amount": "1.00", "currency": "EUR"}}"#,
    ),
    (
        "returnPayout",
        &["finance"],
        r#"{"accountId": "acc_00000000000000000000000000", "payoutId": "pay_00000000000000000000000000", "reason": "AC04"}"#,
    ),
    ("netPayable", &["finance"], r#"{"accountId": "acc_00000000000000000000000000"}"#),
    ("setFeeRule", &["finance"], r#"{"commission": "100.5", "tax": "0"}"#),
    (
        "publishOffer",
        &["provider", "operator"],
        r#"{"providerId": "prv_00000000000000000000000000", "title": " ", "links": [], "channels": ["MESSAGE"], "allocation": {"claim": {}}}"#,
    ),
    (
        "reviseOffer",
        &["provider", "operator"],
        r#"{"offerId": "off_00000000000000000000000000", "expectedRevision": 1}"#,
    ),
    ("pauseOffer", &["provider", "operator"], r#"{"offerId": "off_00000000000000000000000000"}"#),
    ("resumeOffer", &["provider", "operator"], r#"{"offerId": "off_00000000000000000000000000"}"#),
    (
        "mergeQueues",
        &["operator"],
        r#"{"fromQueueIds": ["que_00000000000000000000000000"], "intoQueueId": "que_00000000000000000000000001"}"#,
    ),
    ("retireOffer", &["provider", "operator"], r#"{"offerId": "off_00000000000000000000000000"}"#),
    (
        "acceptOffer",
        &["anonymous", "customer"],
        r#"{"offerId": "off_00000000000000000000000000", "linkId": "lnk_00000000000000000000000000", "channel": "MESSAGE"}"#,
    ),
    (
        "startInquiry",
        &["agent", "operator"],
        r#"{"offerId": "off_00000000000000000000000000", "topic": "cards", "channel": "MESSAGE"}"#,
    ),
    ("withdrawInquiry", &["customer", "operator"], r#"{"inquiryId": "inq_00000000000000000000000000"}"#),
    ("resumeInquiry", &["customer"], r#"{"inquiryId": "inq_00000000000000000000000000"}"#),
    ("claimInquiry", &["agent"], r#"{"inquiryId": "inq_00000000000000000000000000"}"#),
    (
        "placeBid",
        &["agent"],
        r#"{"auctionId": "auc_00000000000000000000000000", "amount": {"amount": "1.00", "currency": "EUR"}}"#,
    ),
    ("withdrawBid", &["agent"], r#"{"bidId": "bid_00000000000000000000000000"}"#),
    ("viewReservation", &["agent"], r#"{"reservationId": "res_00000000000000000000000000"}"#),
    ("acceptReservation", &["agent"], r#"{"reservationId": "res_00000000000000000000000000"}"#),
    ("declineReservation", &["agent"], r#"{"reservationId": "res_00000000000000000000000000"}"#),
    (
        "sendMessage",
        &["agent", "customer"],
        r#"{"sessionId": "ses_00000000000000000000000000", "channelId": "chn_00000000000000000000000000", "text": "Hello"}"#,
    ),
    (
        "inviteAgent",
        &["agent"],
        r#"{"sessionId": "ses_00000000000000000000000000", "agent": {"agentId": "agt_00000000000000000000000000"}}"#,
    ),
    ("rescindReservation", &["agent"], r#"{"reservationId": "res_00000000000000000000000000"}"#),
    (
        "openSideChannel",
        &["agent"],
        r#"{"sessionId": "ses_00000000000000000000000000", "agentId": "agt_00000000000000000000000000"}"#,
    ),
    ("closeChannel", &["agent"], r#"{"channelId": "chn_00000000000000000000000000"}"#),
    ("reportChannel", &["agent"], r#"{"channelId": "chn_00000000000000000000000000", "report": "CONNECTED"}"#),
    (
        "transferSession",
        &["agent"],
        r#"{"sessionId": "ses_00000000000000000000000000", "to": {"agentId": "agt_00000000000000000000000000"}}"#,
    ),
    ("leaveSession", &["agent"], r#"{"sessionId": "ses_00000000000000000000000000"}"#),
    ("endSession", &["agent", "customer"], r#"{"sessionId": "ses_00000000000000000000000000"}"#),
    ("saveNotes", &["agent"], r#"{"sessionId": "ses_00000000000000000000000000", "notes": "none"}"#),
    ("confirmTopics", &["agent"], r#"{"inquiryId": "inq_00000000000000000000000000", "topics": ["cards"]}"#),
    ("extendWrapUp", &["agent"], r#"{"sessionId": "ses_00000000000000000000000000", "by": "PT1M"}"#),
    ("completeWrapUp", &["agent"], r#"{"sessionId": "ses_00000000000000000000000000"}"#),
];

const VIEWERS: [&str; 10] = [
    "anonymous",
    "the customer",
    "another customer",
    "the winner",
    "a rival",
    "an onlooker",
    "the provider",
    "another provider",
    "finance",
    "the operator",
];

/// When, what, and who sees it, in the order of VIEWERS: `c` in clear, `m` masked, `-` not at all.
/// `open`: the auction is sealed and open. `engaged`: the winner has consented, talks and takes notes.
const FIELDS: [(&str, &str, &str); 17] = [
    ("open", "name", "-c-mmmm---"),
    ("open", "email", "-c--------"),
    ("open", "question", "-c----c---"),
    ("open", "the winner's bid", "---c------"),
    ("open", "the rival's bid", "----c-----"),
    ("open", "wallet", "---c----cc"),
    ("open", "hold", "---c------"),
    ("open", "decision", "----------"),
    ("engaged", "name", "-c-c--m---"),
    ("engaged", "email", "-c-c------"),
    ("engaged", "question", "-c-c--c---"),
    ("engaged", "message", "-c-c------"),
    ("engaged", "notes", "---c-----c"),
    ("engaged", "the winner's bid", "---c--c-cc"),
    ("engaged", "the rival's bid", "----c-c-cc"),
    ("engaged", "wallet", "---c----cc"),
    ("engaged", "decision", "---c--c-cc"),
];

/// The mutations that the SDL has.
fn in_sdl() -> BTreeSet<String> {
    let sdl = run(&["schema"]).out;
    let body = sdl.split("type Mutation {").nth(1).expect("the SDL has mutations");
    let body = body.split("\n}").next().unwrap();
    let lines = body.lines().map(str::trim).filter(|line| !line.starts_with('"'));
    lines.filter_map(|line| line.split_once('(')).map(|(name, _)| name.to_owned()).collect()
}

fn callers(house: &House, town: &Town, customer: &str) -> Vec<Client> {
    let token = |role: &str| match role {
        "anonymous" => String::new(),
        "customer" => customer.to_owned(),
        "agent" => town.agents[0].1.token.clone(),
        "provider" => town.provider.token.clone(),
        "finance" => town.finance.token.clone(),
        _ => town.operator.token.clone(),
    };
    ROLES.iter().map(|role| house.client(&token(role))).collect()
}

#[test]
fn each_role_gives_what_the_table_says_and_nothing_else() {
    let listed: BTreeSet<String> = MUTATIONS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let there = in_sdl();
    let missing: Vec<_> = there.difference(&listed).collect();
    assert!(
        missing.is_empty(),
        "the SDL has {missing:?}, and the table in tests/it/rights.rs does not say who may give them"
    );
    let gone: Vec<_> = listed.difference(&there).collect();
    assert!(gone.is_empty(), "the table in tests/it/rights.rs has {gone:?}, which the SDL has not");

    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let offer = town
        .publish(json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H"}), json!({}));
    let customer = text(&town.accept(&house, &offer)["customerToken"]);
    let where_logs_stand =
        |town: &mut Town| town.operator.ask("{ auditTrail(first: 1) { upTo { log seq hash } } }", json!({}));
    let before = where_logs_stand(&mut town);
    let mut wrong = Vec::new();
    for (role, client) in ROLES.iter().zip(&mut callers(&house, &town, &customer)) {
        for (mutation, allowed, input) in MUTATIONS {
            let input: Value = serde_json::from_str(input).unwrap();
            let (document, variables) = tests::command(mutation, input, &key(), "");
            let answer = client.send(&document, variables).unwrap();
            let code = answer["errors"][0]["extensions"]["code"].as_str();
            let may = allowed.contains(role);
            // What may be given is refused for what it names, and by userErrors alone.
            let right = match code {
                Some("FORBIDDEN") => !may && *role != "anonymous",
                Some("UNAUTHENTICATED") => !may && *role == "anonymous",
                Some(_) => false,
                None => {
                    may && answer["data"][mutation]["userErrors"].as_array().is_some_and(|errors| !errors.is_empty())
                }
            };
            if !right {
                wrong.push(format!("{role} {} give {mutation}: {answer}", if may { "may" } else { "may not" }));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(before, where_logs_stand(&mut town), "nothing of that was recorded");
}

const LOOK: &str = "
query($inquiry: ID!, $auction: ID!, $winner: ID!, $customer: ID!, $session: ID!, $channel: ID!) {
  inquiry(id: $inquiry) { question customer { displayName email phone } customerInformation { customer { displayName email } } session { notes }
    decisions(first: 20) { edges { node { candidates(first: 10) { edges { node { bid { amount } score tieKey } } } } } } }
  inquiries(first: 10) { edges { node { question customer { displayName email } auction { ...auction } } } }
  customer(id: $customer) { displayName email phone records(first: 5) { edges { node { notes } } } }
  auction(id: $auction) { ...auction }
  auctions(first: 10) { edges { node { ...auction } } }
  agent(id: $winner) { wallets { ...account } }
  accounts(first: 20) { edges { node { ...account } } }
  session(id: $session) { notes record { notes } messages(channelId: $channel, first: 10) { edges { node { text } } } }
  auditTrail(first: 100) { edges { node { type data } } }
  ofInquiry: auditTrail(subject: $inquiry, first: 100) { edges { node { type data } } }
}
fragment auction on Auction { bids(first: 10) { edges { node { amount { amount } } } } myBid { amount { amount } } }
fragment account on Account { balance { amount } held { amount } available { amount } holds(first: 5) { edges { node { amount { amount } } } } }";

/// What stands in an answer where a field is seen in clear, and where it is masked; and where it is looked
/// for. A field that is not to be seen must not stand anywhere in the answer.
fn sought(phase: &str, field: &str) -> (&'static str, Option<&'static str>, &'static [&'static str]) {
    match (phase, field) {
        (_, "name") => ("Carla Customer", Some("\"C.\""), &["/inquiry/customer"]),
        (_, "email") => ("carla@example.org", None, &["/inquiry/customer"]),
        (_, "question") => ("Where is my lost card?", None, &["/inquiry/question"]),
        (_, "message") => ("I wait at the station", None, &["/session/messages"]),
        (_, "notes") => ("asks for a new card", None, &["/session/notes"]),
        (_, "the winner's bid") => ("\"12.34\"", None, &["/auction"]),
        (_, "the rival's bid") => ("\"10.57\"", None, &["/auction"]),
        ("open", "wallet") => ("\"1007.77\"", None, &["/accounts"]),
        // 1007.77 less the price 10.57 in escrow.
        (_, "wallet") => ("\"997.20\"", None, &["/accounts"]),
        (_, "hold") => ("\"995.43\"", None, &["/accounts"]),
        (_, "decision") => ("\"12.34\"", None, &["/inquiry/decisions"]),
        other => panic!("{other:?} is not looked for"),
    }
}

fn check(phase: &str, viewers: &mut [Client], ids: &Value) {
    let mut wrong = Vec::new();
    for (at, (who, client)) in VIEWERS.iter().zip(viewers).enumerate() {
        let answer = client.ask(LOOK, ids.clone());
        let whole = answer.to_string();
        for (_, field, seen) in FIELDS.iter().filter(|(when, ..)| *when == phase) {
            let (clear, masked, places) = sought(phase, field);
            let place: String = places.iter().filter_map(|path| answer.pointer(path)).map(Value::to_string).collect();
            let expected = seen.as_bytes()[at];
            let right = match expected {
                b'c' => place.contains(clear),
                b'm' => masked.is_some_and(|masked| place.contains(masked)) && !whole.contains(clear),
                // Of a decision only the place counts: the bid itself may be seen. The second bid is the price.
                _ if *field == "decision" || (phase, *field) == ("engaged", "the rival's bid") => {
                    !place.contains(clear)
                }
                _ => !whole.contains(clear) && masked.is_none_or(|masked| !whole.contains(masked)),
            };
            if !right {
                wrong.push(format!("{phase}: {who} and {field}, expected {:?}: {place}", expected as char));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_role_sees_what_the_table_says_and_nothing_else() {
    for (phase, field, seen) in FIELDS {
        assert_eq!(seen.len(), VIEWERS.len(), "{phase} {field}");
    }
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 3);
    let money =
        json!({"owner": town.agents[0].0, "amount": {"amount": "7.77", "currency": "EUR"}, "reference": "more"});
    town.finance.give("creditWallet", money, "account { id }");
    let rules = json!({"direction": "FORWARD", "format": "SEALED_SECOND_PRICE", "currency": "EUR", "openFor": "PT4S"});
    let offer = town.publish(rules, json!({"consentWindow": "PT1M"}));
    let profile = json!({"displayName": "Carla Customer", "email": "carla@example.org"});
    let input = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "customer": profile, "question": "Where is my lost card?"});
    let accepted = house.client("").give("acceptOffer", input, "inquiry { id customer { id } } customerToken");
    let document = "query($id: ID!) { inquiry(id: $id) { auction { id } } }";
    let inquiry = text(&accepted["inquiry"]["id"]);
    let auction = text(&town.operator.ask(document, json!({"id": inquiry}))["inquiry"]["auction"]["id"]);
    // Another customer, of another provider.
    let other = text(
        &town.operator.give("registerProvider", json!({"name": "Another House"}), "provider { id }")["provider"]["id"],
    );
    let stranger = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "customer": {"displayName": "Zoe Stranger"}});
    let stranger = text(&house.client("").give("acceptOffer", stranger, "customerToken")["customerToken"]);
    for (agent, amount) in [(0, "12.34"), (1, "10.57")] {
        assert_eq!(town.bid(agent, &auction, amount)["userErrors"], json!([]));
    }
    let mut viewers = [
        String::new(),
        text(&accepted["customerToken"]),
        stranger,
        town.agents[0].1.token.clone(),
        town.agents[1].1.token.clone(),
        town.agents[2].1.token.clone(),
        town.provider.token.clone(),
        house.token("provider", Some(&other)),
        town.finance.token.clone(),
        town.operator.token.clone(),
    ]
    .map(|token| house.client(&token));
    let absent = |kind: &str| format!("{kind}_00000000000000000000000000");
    let mut ids = json!({
        "inquiry": inquiry, "auction": auction, "winner": town.agents[0].0, "customer": accepted["inquiry"]["customer"]["id"],
        "session": absent("ses"), "channel": absent("chn"),
    });
    check("open", &mut viewers, &ids);

    let winner = &mut town.agents[0].1;
    let reservation = eventually("the winner is asked", || {
        let seen = winner.ask("{ viewer { agent { reservation { id } } } }", json!({}));
        Some(seen["viewer"]["agent"]["reservation"]["id"].clone()).filter(|id| !id.is_null())
    });
    let given = json!({"reservationId": reservation});
    let session = winner.give("acceptReservation", given, "session { id channels { id } }")["session"].clone();
    (ids["session"], ids["channel"]) = (session["id"].clone(), session["channels"][0]["id"].clone());
    winner.give("saveNotes", json!({"sessionId": session["id"], "notes": "asks for a new card"}), "session { id }");
    let said = json!({"sessionId": session["id"], "channelId": ids["channel"], "text": "I wait at the station"});
    viewers[1].give("sendMessage", said, "message { id }");
    check("engaged", &mut viewers, &ids);
}
