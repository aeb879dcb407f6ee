//! The selected agent's page: `/reservations/{id}`, opened by the address that the agent's own `Reservation.url`
//! gives. Before consent it shows the customer's information masked and no inquiry; accepting and declining are one
//! press each, for the first agent and for the second alike.
//!
//! Showing it records nothing. With the agent's answer goes that the information was seen, since the form that
//! answers stood below it.

use super::html::{Html, Language, Page, html};
use super::moment::moment;
use super::offers::hidden;
use super::visit::{House, Visit, fresh_key};
use crate::auth::{Authenticate, TokenMark, Viewer};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use domain::actor::Actor;
use domain::ids::ReservationId;
use serde_json::{Value, json};

/// Seconds; what lapses is to be seen soon.
const REFRESH: i64 = 3;

const RESERVATION: &str = "query($id: ID!) { node(id: $id) { ... on Reservation { state purpose deadline attempt \
    price { amount currency } session { state } inquiry { state topics language channel acceptedAt question offer { hours { zone } } \
    content { url title excerpt } customer { displayName email phone attributes masked since \
    records(first: 5) { edges { node { at topics } } } } } } } }";

const VIEW: &str = "mutation($input: ViewReservationInput!) { viewReservation(input: $input) { userErrors { code } } }";
const ACCEPT: &str =
    "mutation($input: AcceptReservationInput!) { acceptReservation(input: $input) { userErrors { code message } } }";
const DECLINE: &str =
    "mutation($input: DeclineReservationInput!) { declineReservation(input: $input) { userErrors { code message } } }";

/// `GET /reservations/{id}`
pub(super) async fn show(State(house): State<House>, Path(id): Path<String>, request: Request) -> Response {
    let (visit, _) = Visit::of(&house, request);
    let Some((id, viewer)) = opened(&visit, &id).await else { return closed(&visit) };
    let shown = match visit.ask(viewer, RESERVATION, json!({"id": id.to_string()})).await {
        Ok(shown) => shown["node"].clone(),
        Err(trouble) => return visit.troubled(&trouble),
    };
    if shown.is_null() {
        return closed(&visit);
    }
    page(&visit, id, &shown)
}

/// `POST /reservations/{id}`
pub(super) async fn answer(State(house): State<House>, Path(id): Path<String>, request: Request) -> Response {
    let (visit, body) = Visit::of(&house, request);
    let form = match visit.form(body).await {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let Some((id, viewer)) = opened(&visit, &id).await else { return closed(&visit) };
    let document = match form.get("answer") {
        Some("accept") => ACCEPT,
        Some("decline") => DECLINE,
        _ => return visit.refused(StatusCode::BAD_REQUEST, html!("<p>accept or decline</p>")),
    };
    let input =
        json!({"input": {"reservationId": id.to_string(), "idempotencyKey": form.get("key").unwrap_or_default()}});
    // That it was seen matters less than the answer: where it is over by now, the answer says so.
    let seen = visit.ask(viewer.clone(), VIEW, input.clone()).await;
    if let Err(trouble) = &seen {
        return visit.troubled(trouble);
    }
    let said = match visit.ask(viewer, document, input).await {
        Ok(said) => said,
        Err(trouble) => return visit.troubled(&trouble),
    };
    let refusal = ["acceptReservation", "declineReservation"]
        .iter()
        .find_map(|mutation| said[mutation]["userErrors"][0]["message"].as_str().map(str::to_owned));
    let back = format!("/reservations/{id}?access={}", visit.query.get("access").unwrap_or_default());
    match refusal {
        None => (StatusCode::SEE_OTHER, [(LOCATION, back)]).into_response(),
        // Why it is not the agent's; the page behind the link shows what became of it.
        Some(why) => visit.refused(
            StatusCode::CONFLICT,
            html!("<p role=\"alert\">" (why.as_str()) "</p><p><a href=\"" (back.as_str()) "\">"
                (visit.language.say("The reservation", "Die Reservierung")) "</a></p>"),
        ),
    }
}

/// The reservation and its agent, where the address is that agent's, in time, and not revoked with its tokens.
async fn opened(visit: &Visit, id: &str) -> Option<(ReservationId, Viewer)> {
    let app = visit.app();
    let id: ReservationId = id.parse().ok()?;
    let access = visit.query.get("access")?;
    let dossier = app.dossier_of(id.into()).await.ok()??;
    let row = dossier.read(|dossier| dossier.reservation(id).cloned())?;
    if !app.signer.opens_reservation(access, id, row.agent, app.clock.now()) {
        return None;
    }
    let issued = u64::try_from(row.reserved_at.0 / 1_000_000).unwrap_or(0);
    // No token of its own: only what ends all of the agent's tokens ends it.
    let token = Some(TokenMark { jti: 0, issued });
    let viewer = Viewer { actor: Actor::Agent(row.agent), token, ..Viewer::anonymous() };
    (!app.signing.revocations().cover(&viewer)).then_some((id, viewer))
}

fn closed(visit: &Visit) -> Response {
    let body = html!("<p>" (visit.language.say(
        "This address opens no reservation. Its agent finds the right one in the console, for twelve hours.",
        "Diese Adresse öffnet keine Reservierung. Wer gefragt wurde, findet die richtige zwölf Stunden lang in der Konsole."
    )) "</p>");
    visit.refused(StatusCode::NOT_FOUND, body)
}

fn page(visit: &Visit, id: ReservationId, shown: &Value) -> Response {
    let language = visit.language;
    let state = text(&shown["state"]);
    let is_pending = state == "PENDING";
    let (inquiry, customer) = (&shown["inquiry"], &shown["inquiry"]["customer"]);
    let topics = |of: &Value| {
        let topics: Vec<&str> = of["topics"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        topics.join(", ")
    };
    let entry = |term: &'static str, value: &Value| {
        value.as_str().map(|value| html!("<dt>" (term) "</dt><dd>" (value) "</dd>"))
    };
    let zone = &inquiry["offer"]["hours"]["zone"];
    let instant = |term: &'static str, value: &Value| {
        moment(language, value, zone).map(|told| html!("<dt>" (term) "</dt><dd>" (told) "</dd>"))
    };
    let attributes: Vec<Html> = customer["attributes"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            html!("<dt>" (name) "</dt><dd>" (value) "</dd>")
        })
        .collect();
    let earlier: Vec<Html> = customer["records"]["edges"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|edge| html!("<li>" (moment(language, &edge["node"]["at"], zone)) " " (topics(&edge["node"])) "</li>"))
        .collect();
    let price = shown["price"]["amount"].as_str().map(|amount| {
        html!(
            "<dt>" (language.say("Price", "Preis")) "</dt><dd>" (amount) " " (text(&shown["price"]["currency"])) "</dd>"
        )
    });
    let person = (!customer.is_null()).then(|| {
        html!(
            "<h2>" (language.say("The customer", "Die Kundin oder der Kunde")) "</h2><dl>"
            (entry(language.say("Name", "Name"), &customer["displayName"]))
            (entry(language.say("E-mail", "E-Mail"), &customer["email"]))
            (entry(language.say("Telephone", "Telefon"), &customer["phone"]))
            (instant(language.say("Customer since", "Kunde seit"), &customer["since"])) (attributes) "</dl><ul>" (earlier) "</ul>"
        )
    });
    let work = html!(
        "<h2>" (language.say("The inquiry", "Die Anfrage")) "</h2><dl><dt>" (language.say("Subject", "Thema")) "</dt><dd>"
        (topics(inquiry)) "</dd>"
        (entry(language.say("Language", "Sprache"), &inquiry["language"]))
        (instant(language.say("Accepted", "Angenommen"), &inquiry["acceptedAt"]))
        (entry(language.say("Question", "Frage"), &inquiry["question"]))
        (entry(language.say("About", "Es geht um"), &inquiry["content"]["title"]))
        (entry(language.say("Excerpt", "Auszug"), &inquiry["content"]["excerpt"]))
        (entry(language.say("Page", "Seite"), &inquiry["content"]["url"])) (price) "</dl>"
    );
    let form = is_pending.then(|| {
        let access = visit.query.get("access");
        html!(
            "<form method=\"post\" action=\"/reservations/" (id.to_string()) "?access=" (access) "\">"
            (hidden("key", &fresh_key()))
            "<p><button name=\"answer\" value=\"accept\">" (language.say("Accept", "Annehmen")) "</button>"
            "<button class=\"second\" name=\"answer\" value=\"decline\">" (language.say("Decline", "Ablehnen"))
            "</button></p></form>"
        )
    });
    let deadline = is_pending
        .then(|| html!("<p>" (language.say("Answer until ", "Antworten bis ")) (moment(language, &shown["deadline"], zone)) "</p>"));
    let body = html!(
        "<div role=\"status\"><p>" (told(language, state)) "</p>" (deadline) "</div>" (person) (work) (form)
    );
    Page {
        status: StatusCode::OK,
        language,
        title: language.say("Reservation", "Reservierung"),
        body,
        framed_by: &[],
        secret: true,
        refresh: is_pending.then_some(REFRESH),
    }
    .into_response()
}

fn told(language: Language, state: &str) -> &'static str {
    match state {
        "PENDING" => language.say(
            "You are asked to help. The inquiry itself is shown once you accept.",
            "Sie werden um Hilfe gebeten. Die Anfrage selbst erscheint, sobald Sie annehmen.",
        ),
        "ACCEPTED" => language.say("You have accepted.", "Sie haben angenommen."),
        "DECLINED" => language.say("You have declined.", "Sie haben abgelehnt."),
        "LAPSED" => language.say(
            "No answer came in time, so you were set to break, and the inquiry was offered to another agent.",
            "Es kam keine Antwort, deshalb wurden Sie auf Pause gesetzt, und die Anfrage wurde anderen angeboten.",
        ),
        "RESCINDED" => language.say(
            "The reservation was taken back. Nothing is held against you.",
            "Die Reservierung wurde zurückgenommen. Ihnen entsteht kein Nachteil.",
        ),
        // States may be added.
        _ => language.say("The reservation has ended.", "Die Reservierung ist beendet."),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
