//! What became of an acceptance: `/i/{capability}`. Whoever has the address is the inquiry's customer here, so no
//! other page is told of it, nothing keeps it, and nothing logs it.

use super::html::{Html, Language, Page, html};
use super::moment::moment;
use super::offers::hidden;
use super::visit::{House, Visit, fresh_key};
use crate::auth::{Authenticate, Viewer};
use crate::graphql::input::origin::origin_alone;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use domain::actor::Actor;
use domain::ids::InquiryId;
use serde_json::{Value, json};

/// Seconds. A position moves seldom faster, and each look costs its customer.
const REFRESH: i64 = 5;

const INQUIRY: &str = "query($id: ID!) { inquiry(id: $id) { state position acceptedAt beginsAt expiresAt placeKeptUntil channel topics question \
    content { url title } offer { title hours { zone } provider { name origins } } session { state startedAt endedAt } } }";

const WITHDRAW: &str = "mutation($input: WithdrawInquiryInput!) { withdrawInquiry(input: $input) { \
    userErrors { code } } }";

const RESUME: &str = "mutation($input: ResumeInquiryInput!) { resumeInquiry(input: $input) { \
    userErrors { code } } }";

/// `GET /i/{capability}`
pub(super) async fn show(State(house): State<House>, Path(capability): Path<String>, request: Request) -> Response {
    let (visit, _) = Visit::of(&house, request);
    let Some((id, viewer)) = opened(&visit, &capability).await else { return visit.absent() };
    let shown = match visit.ask(viewer, INQUIRY, json!({"id": id.to_string()})).await {
        Ok(shown) => shown["inquiry"].clone(),
        Err(trouble) => return visit.troubled(&trouble),
    };
    if shown.is_null() {
        return visit.absent();
    }
    page(&visit, &shown, &capability)
}

/// `POST /i/{capability}`: leaves, or comes back.
pub(super) async fn leave_or_return(
    State(house): State<House>,
    Path(capability): Path<String>,
    request: Request,
) -> Response {
    let (visit, body) = Visit::of(&house, request);
    let form = match visit.form(body).await {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let Some((id, viewer)) = opened(&visit, &capability).await else { return visit.absent() };
    let input = json!({"inquiryId": id.to_string(), "idempotencyKey": form.get("key").unwrap_or_default()});
    let deed = if form.get("back").is_some() { RESUME } else { WITHDRAW };
    // What cannot be done any more shows why.
    if let Err(trouble) = visit.ask(viewer, deed, json!({ "input": input })).await {
        return visit.troubled(&trouble);
    }
    (StatusCode::SEE_OTHER, [(LOCATION, format!("/i/{capability}"))]).into_response()
}

/// The inquiry that an address opens, and its customer.
async fn opened(visit: &Visit, capability: &str) -> Option<(InquiryId, Viewer)> {
    let app = visit.app();
    let id = app.signer.read_inquiry(capability)?;
    let dossier = app.dossier(id).await.ok()??;
    let customer = dossier.read(|dossier| dossier.inquiry().map(|row| row.customer))?;
    let viewer = Viewer { actor: Actor::Customer(customer), ..Viewer::anonymous() };
    // Once erased it is nobody.
    (!app.signing.revocations().cover(&viewer)).then_some((id, viewer))
}

fn page(visit: &Visit, shown: &Value, capability: &str) -> Response {
    let language = visit.language;
    let state = text(&shown["state"]);
    let waits = matches!(state, "QUEUED" | "IN_AUCTION" | "RESERVED");
    let kept = shown["placeKeptUntil"].as_str();
    let is_over = matches!(state, "COMPLETED" | "WITHDRAWN" | "EXPIRED") && kept.is_none();
    let position = shown["position"].as_i64().filter(|_| waits).map(|position| {
        html!("<p>" (language.say("Your place in the queue: ", "Ihr Platz in der Warteschlange: ")) (position) "</p>")
    });
    let topics: Vec<&str> = shown["topics"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let entry = |term: &'static str, value: &Value| {
        value.as_str().map(|value| html!("<dt>" (term) "</dt><dd>" (value) "</dd>"))
    };
    let instant = |term: &'static str, value: &Value| {
        let told = moment(language, value, &shown["offer"]["hours"]["zone"]);
        told.map(|told| html!("<dt>" (term) "</dt><dd>" (told) "</dd>"))
    };
    let withdraw = waits.then(|| {
        html!(
            "<form method=\"post\" action=\"/i/" (capability) "\">" (hidden("key", &fresh_key()))
            "<p><button class=\"second\">" (language.say("I do not need help any more", "Ich brauche keine Hilfe mehr"))
            "</button></p></form>"
        )
    });
    let back = kept.map(|_| {
        html!(
            "<form method=\"post\" action=\"/i/" (capability) "\">" (hidden("key", &fresh_key())) (hidden("back", "1"))
            "<p><button>" (language.say("Back to my place", "Zurück an meinen Platz")) "</button></p></form>"
        )
    });
    let body = html!(
        "<div role=\"status\"><p>" (told(language, if shown["beginsAt"].is_null() { state } else { "CLOSED" })) "</p>" (position) "</div><dl>"
        (instant(language.say("Accepted", "Angenommen"), &shown["acceptedAt"]))
        "<dt>" (language.say("Subject", "Thema")) "</dt><dd>" (topics.join(", ")) "</dd>"
        (entry(language.say("Your question", "Ihre Frage"), &shown["question"]))
        (entry(language.say("About", "Es geht um"), &shown["content"]["title"]))
        (entry(language.say("Page", "Seite"), &shown["content"]["url"]))
        (instant(language.say("We open", "Wir öffnen"), &shown["beginsAt"]))
        (instant(language.say("We look for somebody until", "Wir suchen bis"), &shown["expiresAt"]).filter(|_| waits))
        (instant(language.say("Conversation since", "Gespräch seit"), &shown["session"]["startedAt"]))
        (instant(language.say("Conversation ended", "Gespräch beendet"), &shown["session"]["endedAt"]))
        (instant(language.say("Your place is kept until", "Ihr Platz bleibt frei bis"), &shown["placeKeptUntil"]))
        "</dl>" (withdraw) (back) "<p><small>"
        (language.say(
            "Keep the address of this page to yourself: it opens your inquiry without a password.",
            "Behalten Sie die Adresse dieser Seite für sich: Sie öffnet Ihre Anfrage ohne Passwort."
        )) "</small></p>"
    );
    let origins = shown["offer"]["provider"]["origins"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let framed_by: Vec<String> = origins.filter_map(origin_alone).collect();
    Page {
        status: StatusCode::OK,
        language,
        title: text(&shown["offer"]["title"]),
        body,
        framed_by: &framed_by,
        secret: true,
        refresh: (!is_over).then_some(REFRESH),
    }
    .into_response()
}

fn told(language: Language, state: &str) -> Html {
    html!(
        (match state {
            "QUEUED" | "IN_AUCTION" => language.say(
                "You are waiting for somebody who can help. This page renews itself.",
                "Sie warten auf jemanden, der helfen kann. Diese Seite erneuert sich von selbst.",
            ),
            // No state of an inquiry: it is QUEUED, and the offer's hours have not begun.
            "CLOSED" => language.say(
                "We are closed now. Your inquiry is recorded, and we look for somebody as soon as we open.",
                "Wir haben gerade geschlossen. Ihre Anfrage ist aufgezeichnet, und wir suchen jemanden, sobald wir öffnen.",
            ),
            "RESERVED" => language
                .say("Somebody is being asked to help you now.", "Gerade wird jemand gefragt, Ihnen zu helfen.",),
            "ENGAGED" => language.say("Somebody is helping you.", "Jemand hilft Ihnen."),
            "WRAP_UP" | "COMPLETED" => language.say("This inquiry is finished.", "Diese Anfrage ist abgeschlossen."),
            "WITHDRAWN" => language.say("You have withdrawn this inquiry.", "Sie haben diese Anfrage zurückgezogen."),
            "EXPIRED" => language.say(
                "Nobody was found in time. You may accept the offer again.",
                "Es wurde nicht rechtzeitig jemand gefunden. Sie können das Angebot noch einmal annehmen.",
            ),
            // States may be added; the least specific word is true of all.
            _ => language.say("Your inquiry is recorded.", "Ihre Anfrage ist aufgezeichnet."),
        })
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
