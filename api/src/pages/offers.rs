//! Offers: all of them at `/`, one at `/o/{offer}`, one link of it at `/l/{link}`; accepting with one press.
//!
//! Where the visitor met the offer is what the browser says of the page that led here (`Referer`), never what a
//! parameter says. It is signed into the form, with the form's key: a second press, and a reload of what it led to,
//! are the same acceptance.

use super::form::Form;
use super::html::{Html, Language, Page, html};
use super::moment::moment;
use super::visit::{House, Trouble, Visit, fresh_key};
use crate::auth::Viewer;
use crate::graphql::input::origin::{origin_alone, origin_of};
use crate::signed::{CLICK_HOLDS, Click};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::ids::{InquiryId, LinkId, OfferId};
use domain::terms::{Initiator, Placement};
use domain::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TITLE_CHARS_MAX: usize = 300;
const EXCERPT_CHARS_MAX: usize = 2_000;

const OFFERS: &str = "query($after: Cursor) { offers(first: 100, after: $after) { \
    edges { node { title url acceptsQuestions provider { name } links { label topic url } } } \
    pageInfo { hasNextPage endCursor } } }";

const OFFER: &str = "query($id: ID!) { offer(id: $id) { id revision state title acceptsQuestions channels opensAt hours { zone } \
    links { id label topic } terms { version url } provider { name homepage origins } } }";

const ACCEPT: &str = "mutation($input: AcceptOfferInput!) { acceptOffer(input: $input) { \
    inquiry { id } userErrors { code message field } } }";

/// `GET /`
pub(super) async fn community(State(house): State<House>, request: Request) -> Response {
    let (visit, _) = Visit::of(&house, request);
    let shown = visit.ask(Viewer::anonymous(), OFFERS, json!({"after": visit.query.get("after")})).await;
    let offers = match shown {
        Ok(shown) => shown["offers"].clone(),
        Err(trouble) => return visit.troubled(&trouble),
    };
    let (mut topics, mut asking) = (BTreeMap::<String, Vec<Html>>::new(), Vec::new());
    for edge in offers["edges"].as_array().into_iter().flatten() {
        let offer = &edge["node"];
        let by = html!("<small> " (text(&offer["title"])) ", " (text(&offer["provider"]["name"])) "</small></li>");
        for link in offer["links"].as_array().into_iter().flatten() {
            let item = html!("<li><a href=\"" (text(&link["url"])) "\">" (text(&link["label"])) "</a>" (by));
            topics.entry(text(&link["topic"]).to_owned()).or_default().push(item);
        }
        if offer["acceptsQuestions"] == true {
            let label = visit.language.say("Ask a question", "Eine Frage stellen");
            asking.push(html!("<li><a href=\"" (text(&offer["url"])) "\">" (label) "</a>" (by)));
        }
    }
    let section = |title: &str, items: Vec<Html>| html!("<h2>" (title) "</h2><ul>" (items) "</ul>");
    let mut sections: Vec<Html> = topics.into_iter().map(|(topic, items)| section(&topic, items)).collect();
    if !asking.is_empty() {
        sections.push(section(visit.language.say("Questions", "Fragen"), asking));
    }
    if sections.is_empty() {
        sections.push(
            html!("<p>" (visit.language.say("Nothing is offered now.", "Zurzeit wird nichts angeboten.")) "</p>"),
        );
    }
    let next = (offers["pageInfo"]["hasNextPage"] == true).then(|| {
        let more = visit.language.say("More", "Mehr");
        html!("<p><a href=\"/?after=" (text(&offers["pageInfo"]["endCursor"])) "\">" (more) "</a></p>")
    });
    let title = visit.language.say("Offers of assistance", "Angebote zur Hilfe");
    let body = html!((sections)(next));
    let language = visit.language;
    Page { status: StatusCode::OK, language, title, body, framed_by: &[], secret: false, refresh: None }.into_response()
}

/// `GET /o/{offer}`
pub(super) async fn show_offer(State(house): State<House>, Path(id): Path<String>, request: Request) -> Response {
    let (visit, _) = Visit::of(&house, request);
    match id.parse() {
        Ok(offer) => show(&visit, offer, None).await,
        Err(_) => visit.absent(),
    }
}

/// `GET /l/{link}`
pub(super) async fn show_link(State(house): State<House>, Path(id): Path<String>, request: Request) -> Response {
    let (visit, _) = Visit::of(&house, request);
    match offer_of(&visit, &id) {
        Some((offer, link)) => show(&visit, offer, Some(link)).await,
        None => visit.absent(),
    }
}

/// `POST /o/{offer}`
pub(super) async fn accept_offer(State(house): State<House>, Path(id): Path<String>, request: Request) -> Response {
    let (visit, body) = Visit::of(&house, request);
    match id.parse() {
        Ok(offer) => accept(visit, body, offer, None).await,
        Err(_) => visit.absent(),
    }
}

/// `POST /l/{link}`
pub(super) async fn accept_link(State(house): State<House>, Path(id): Path<String>, request: Request) -> Response {
    let (visit, body) = Visit::of(&house, request);
    match offer_of(&visit, &id) {
        Some((offer, link)) => accept(visit, body, offer, Some(link)).await,
        None => visit.absent(),
    }
}

fn offer_of(visit: &Visit, link: &str) -> Option<(OfferId, LinkId)> {
    let link: LinkId = link.parse().ok()?;
    visit.app().live.link(link).map(|(offer, _)| (offer, link))
}

async fn show(visit: &Visit, offer: OfferId, link: Option<LinkId>) -> Response {
    let shown = match Shown::load(visit, offer, link).await {
        Ok(Some(shown)) => shown,
        Ok(None) => return over(visit),
        Err(trouble) => return visit.troubled(&trouble),
    };
    let click = met(visit, &shown, offer, link);
    let about = |name: &str, most: usize| visit.query.get(name).map(|text| text.chars().take(most).collect());
    let filled = Filled {
        proof: visit.app().signer.click(&click),
        customer_proof: visit.query.get("customerProof").map(str::to_owned),
        title: about("title", TITLE_CHARS_MAX),
        excerpt: about("excerpt", EXCERPT_CHARS_MAX),
        ..Filled::default()
    };
    shown.page(visit, link, &filled, StatusCode::OK, None)
}

/// Where the browser says that the visitor came from.
fn met(visit: &Visit, shown: &Shown, offer: OfferId, link: Option<LinkId>) -> Click {
    let app = visit.app();
    let own = origin_of(&app.public_url);
    let community = format!("{}/", app.public_url);
    let page = link.map_or_else(|| format!("{community}o/{offer}"), |link| format!("{community}l/{link}"));
    let fits = |url: &str| domain::check::url(&[], url).is_ok();
    let (placement, url, initiator) = match visit.referer() {
        Some((referer, origin)) if shown.provider.origins.contains(&origin) => {
            // Most browsers say no more than the origin of another site's page; the page may add which it is.
            let named = visit.query.get("page").filter(|url| fits(url) && origin_of(url).as_ref() == Some(&origin));
            let by_itself = visit.query.get("by") == Some("page");
            let initiator = if by_itself { Initiator::UserInterface } else { Initiator::Customer };
            (Placement::ProviderPage, named.map_or(referer, str::to_owned), initiator)
        }
        Some((referer, origin)) if Some(&origin) == own.as_ref() && is_community(&referer) => {
            (Placement::CommunityPage, community, Initiator::Customer)
        }
        _ => (Placement::Direct, page, Initiator::Customer),
    };
    let until = app.clock.now().0.saturating_add(CLICK_HOLDS.0);
    Click { offer, link, key: fresh_key(), url, placement, initiator, until: Timestamp(until) }
}

/// Whether an address of this house is that of all offers.
fn is_community(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split_once('/').is_some_and(|(_, path)| path.is_empty() || path.starts_with('?'))
}

async fn accept(visit: Visit, body: Body, offer: OfferId, link: Option<LinkId>) -> Response {
    let form = match visit.form(body).await {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let click = form.get("proof").and_then(|proof| visit.app().signer.read_click(proof));
    let Some(click) = click.filter(|click| click.offer == offer && click.link == link) else {
        let body = html!("<p>" (visit.language.say(
            "This form was not made by this house, or for another offer. Nothing was recorded. Open the offer again.",
            "Dieses Formular ist nicht von diesem Haus, oder für ein anderes Angebot. Nichts wurde aufgezeichnet. Bitte das Angebot neu öffnen."
        )) "</p>");
        return visit.refused(StatusCode::BAD_REQUEST, body);
    };
    let answered = visit.ask(Viewer::anonymous(), ACCEPT, json!({ "input": input(&visit, &click, &form) })).await;
    let refusal = match &answered {
        Ok(answered) => {
            let payload = &answered["acceptOffer"];
            if let Ok(inquiry) = text(&payload["inquiry"]["id"]).parse::<InquiryId>() {
                return waiting_at(&visit, inquiry);
            }
            let error = &payload["userErrors"][0];
            let about_proof = error["field"][0] == "clickProof";
            Refusal {
                status: match text(&error["code"]) {
                    "STALE_REVISION" | "OFFER_PAUSED" | "LIMIT_REACHED" => StatusCode::CONFLICT,
                    _ => StatusCode::UNPROCESSABLE_ENTITY,
                },
                told: told(visit.language, error, about_proof),
                unknown_customer: error["code"] == "CUSTOMER_PROOF_REFUSED",
                needs_new_proof: about_proof || is_about_key(error) || error["code"] == "IDEMPOTENCY_KEY_REUSED",
            }
        }
        Err(trouble) => {
            let told = trouble.told(visit.language).to_owned();
            Refusal { status: trouble.status(), told, unknown_customer: false, needs_new_proof: false }
        }
    };
    let shown = match Shown::load(&visit, offer, link).await {
        Ok(Some(shown)) => shown,
        Ok(None) => return over(&visit),
        Err(trouble) => return visit.troubled(answered.as_ref().err().unwrap_or(&trouble)),
    };
    let proof = if refusal.needs_new_proof {
        let until = Timestamp(visit.app().clock.now().0.saturating_add(CLICK_HOLDS.0));
        visit.app().signer.click(&Click { key: fresh_key(), until, ..click })
    } else {
        form.get("proof").unwrap_or_default().to_owned()
    };
    let field = |name| form.get(name).map(str::to_owned);
    let filled = Filled {
        proof,
        customer_proof: field("customerProof").filter(|_| !refusal.unknown_customer),
        question: field("question"),
        channel: field("channel"),
        name: field("name"),
        email: field("email"),
        phone: field("phone"),
        title: field("title"),
        excerpt: field("excerpt"),
    };
    let mut page = shown.page(&visit, link, &filled, refusal.status, Some(&refusal.told));
    if let Err(trouble) = &answered {
        trouble.mark(&mut page);
    }
    page
}

struct Refusal {
    status: StatusCode,
    told: String,
    /// Who presses again does so as somebody new.
    unknown_customer: bool,
    needs_new_proof: bool,
}

/// What the form asks of `acceptOffer`.
fn input(visit: &Visit, click: &Click, form: &Form) -> Value {
    let initiator = if click.initiator == Initiator::UserInterface { "USER_INTERFACE" } else { "CUSTOMER" };
    let link = click.link.map(|link| link.to_string());
    let mut customer = serde_json::Map::new();
    for (member, field) in [("displayName", "name"), ("email", "email"), ("phone", "phone")] {
        if let Some(given) = form.get(field) {
            customer.insert(member.to_owned(), given.into());
        }
    }
    json!({
        "offerId": click.offer.to_string(),
        "offerRevision": form.get("revision").and_then(|text| text.parse::<i32>().ok()),
        "linkId": link.as_deref().or(form.get("link")),
        "question": form.get("question"),
        "content": { "url": click.url, "title": form.get("title"), "excerpt": form.get("excerpt") },
        "clickProof": form.get("proof"),
        "customerProof": form.get("customerProof"),
        "channel": form.get("channel").unwrap_or("MESSAGE"),
        "initiator": initiator,
        "language": visit.tag(),
        "customer": (!customer.is_empty()).then_some(customer),
        "termsVersion": form.get("terms"),
        "idempotencyKey": click.key,
    })
}

/// To the page of the inquiry, on whichever host the visitor knows this house by.
fn waiting_at(visit: &Visit, inquiry: InquiryId) -> Response {
    let path = format!("/i/{}", visit.app().signer.inquiry(inquiry));
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::try_from(path).expect("base64url is a header's value"));
    headers.insert(axum::http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(axum::http::header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn over(visit: &Visit) -> Response {
    let body =
        html!("<p>" (visit.language.say("This is not offered any more.", "Das wird nicht mehr angeboten.")) "</p>");
    visit.refused(StatusCode::GONE, body)
}

/// Whoever accepted with this form before was erased.
fn is_about_key(error: &Value) -> bool {
    error["code"] == "INVALID" && error["field"][0] == "idempotencyKey"
}

fn told(language: Language, error: &Value, about_proof: bool) -> String {
    if is_about_key(error) {
        return language
            .say(
                "What was accepted with this form has been erased. Press again to accept anew.",
                "Was mit diesem Formular angenommen wurde, ist gelöscht. Noch einmal drücken, um neu anzunehmen.",
            )
            .to_owned();
    }
    if about_proof {
        return language
            .say(
                "This page was open for long. Please press again.",
                "Diese Seite war lange offen. Bitte noch einmal drücken.",
            )
            .to_owned();
    }
    match text(&error["code"]) {
        "STALE_REVISION" => language
            .say(
                "The offer has changed. Please look at it again.",
                "Das Angebot hat sich geändert. Bitte noch einmal ansehen.",
            )
            .to_owned(),
        "OFFER_PAUSED" => paused(language).to_owned(),
        "LIMIT_REACHED" => language
            .say(
                "No more can be taken now. Nothing was recorded; please try again later.",
                "Zurzeit kann nichts mehr angenommen werden. Nichts wurde aufgezeichnet; bitte später noch einmal versuchen.",
            )
            .to_owned(),
        "CUSTOMER_PROOF_REFUSED" => language
            .say(
                "The page that led here said who you are, and that does not hold any more. Go back to it and follow its \
                 link again, or press again to go on as somebody new.",
                "Die Seite, von der Sie kommen, hat gesagt, wer Sie sind, und das gilt nicht mehr. Gehen Sie zurück und \
                 folgen Sie ihrem Link noch einmal, oder drücken Sie noch einmal, um als jemand Neues weiterzumachen.",
            )
            .to_owned(),
        "TERMS_NOT_ACCEPTED" => {
            language.say("Please agree to the terms.", "Bitte den Bedingungen zustimmen.").to_owned()
        }
        "IDEMPOTENCY_KEY_REUSED" => language
            .say(
                "This form was sent before with other content. Press again to send it anew.",
                "Dieses Formular wurde schon mit anderem Inhalt gesendet. Noch einmal drücken, um es neu zu senden.",
            )
            .to_owned(),
        _ => {
            let field: Vec<&str> = error["field"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            format!("{}: {}", field.join(" "), text(&error["message"])).trim_start_matches(": ").to_owned()
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// An offer as anybody sees it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: String,
    revision: i64,
    state: String,
    title: String,
    accepts_questions: bool,
    channels: Vec<String>,
    links: Vec<ShownLink>,
    /// Absent: it is open.
    opens_at: Value,
    hours: Value,
    terms: Option<ShownTerms>,
    provider: ShownProvider,
}
#[derive(Deserialize)]
struct ShownLink {
    id: String,
    label: String,
    topic: String,
}
#[derive(Deserialize)]
struct ShownTerms {
    version: String,
    url: String,
}
#[derive(Deserialize)]
struct ShownProvider {
    name: String,
    homepage: Option<String>,
    origins: Vec<String>,
}

/// What stands in the form's fields.
#[derive(Default)]
struct Filled {
    proof: String,
    /// What the provider's page says of who comes: whoever has it is that customer.
    customer_proof: Option<String>,
    question: Option<String>,
    channel: Option<String>,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    title: Option<String>,
    excerpt: Option<String>,
}

impl Shown {
    /// Nothing where it is not offered now, or this revision of it has not that link.
    async fn load(visit: &Visit, offer: OfferId, link: Option<LinkId>) -> Result<Option<Shown>, Trouble> {
        let mut shown = visit.ask(Viewer::anonymous(), OFFER, json!({"id": offer.to_string()})).await?;
        let shown: Option<Shown> = serde_json::from_value(shown["offer"].take()).ok().flatten();
        let has = |shown: &Shown| link.is_none_or(|link| shown.links.iter().any(|own| own.id == link.to_string()));
        Ok(shown.filter(has))
    }

    fn page(
        &self,
        visit: &Visit,
        link: Option<LinkId>,
        filled: &Filled,
        status: StatusCode,
        alert: Option<&str>,
    ) -> Response {
        let language = visit.language;
        let action = link.map_or_else(|| format!("/o/{}", self.id), |link| format!("/l/{link}"));
        let by = match self.provider.homepage.as_deref().filter(|url| origin_of(url).is_some()) {
            Some(home) => html!("<a href=\"" (home) "\" rel=\"noopener\">" (self.provider.name) "</a>"),
            None => html!((self.provider.name)),
        };
        let about = filled.title.as_ref().map(|title| {
            let excerpt = filled.excerpt.as_ref().map(|excerpt| html!("<blockquote>" (excerpt) "</blockquote>"));
            html!("<p>" (language.say("About: ", "Es geht um: ")) (title) "</p>" (excerpt))
        });
        let alert = alert.map(|alert| html!("<p role=\"alert\">" (alert) "</p>"));
        let form = (self.state != "PAUSED").then(|| {
            html!(
                "<form method=\"post\" action=\"" (action) "\" accept-charset=\"utf-8\">"
                (hidden("proof", &filled.proof)) (hidden("revision", &self.revision.to_string()))
                (filled.customer_proof.as_ref().map(|proof| hidden("customerProof", proof)))
                (filled.title.as_ref().map(|title| hidden("title", title)))
                (filled.excerpt.as_ref().map(|excerpt| hidden("excerpt", excerpt)))
                (self.question(language, filled)) (self.channels(language, filled)) (person(language, filled))
                (self.consent(language)) (self.buttons(language, link)) "</form>"
            )
        });
        // Said once: who pressed as it was being paused is told by the alert.
        let paused =
            (form.is_none() && alert.is_none()).then(|| html!("<p role=\"status\">" (paused(language)) "</p>"));
        let opens_at = moment(language, &self.opens_at, &self.hours["zone"]).filter(|_| form.is_some());
        let closed = opens_at.map(|opens_at| {
            html!(
                "<p role=\"status\">" (language.say("We are closed now, and open on ", "Wir haben gerade geschlossen und öffnen am "))
                (opens_at) (language.say(
                    ". You may already accept or ask: we look for somebody as soon as we open.",
                    ". Sie können schon annehmen oder fragen: Wir suchen jemanden, sobald wir öffnen."
                )) "</p>"
            )
        });
        let body = html!(
            "<p>" (language.say("Offered by ", "Angeboten von ")) (by) "</p>" (alert) (paused) (closed) (about) (form)
        );
        // As a browser writes them: what is not an origin alone could be another word of the policy.
        let framed_by: Vec<String> = self.provider.origins.iter().filter_map(|origin| origin_alone(origin)).collect();
        let framed_by = &framed_by;
        let secret = filled.customer_proof.is_some();
        Page { status, language, title: &self.title, body, framed_by, secret, refresh: None }.into_response()
    }

    fn question(&self, language: Language, filled: &Filled) -> Option<Html> {
        let label = language.say("Your question", "Ihre Frage");
        self.accepts_questions.then(|| {
            html!(
                "<label for=\"question\">" (label) "</label>"
                // A newline after the tag is dropped by browsers, one that the question begins with is not.
                "<textarea id=\"question\" name=\"question\" rows=\"5\" maxlength=\"4000\">\n" (filled.question) "</textarea>"
            )
        })
    }

    fn channels(&self, language: Language, filled: &Filled) -> Html {
        let name = |channel: &str| match channel {
            "TELEPHONE" => language.say("by telephone", "am Telefon"),
            _ => language.say("by messages", "über Nachrichten"),
        };
        if let [only] = self.channels.as_slice() {
            return hidden("channel", only);
        }
        let chosen = filled.channel.as_deref().or(self.channels.first().map(String::as_str));
        let choice = |channel: &String| {
            let checked = (Some(channel.as_str()) == chosen).then(|| html!(" checked"));
            html!(
                "<label><input type=\"radio\" name=\"channel\" value=\"" (channel) "\"" (checked) "> "
                (name(channel)) "</label>"
            )
        };
        let choices: Vec<Html> = self.channels.iter().map(choice).collect();
        html!("<fieldset><legend>" (language.say("How we talk", "Wie wir sprechen")) "</legend>" (choices) "</fieldset>")
    }

    fn consent(&self, language: Language) -> Option<Html> {
        let terms = self.terms.as_ref()?;
        let url = origin_of(&terms.url).map(|_| terms.url.as_str());
        Some(html!(
            "<label><input type=\"checkbox\" name=\"terms\" required value=\"" (terms.version) "\"> "
            (language.say("I agree to the ", "Ich stimme den ")) "<a href=\"" (url) "\" target=\"_blank\" rel=\"noopener\">"
            (language.say("terms", "Bedingungen")) "</a> (" (terms.version) ")" (language.say("", " zu")) "</label>"
        ))
    }

    /// One press each.
    fn buttons(&self, language: Language, link: Option<LinkId>) -> Html {
        if let Some(link) = link {
            let link = link.to_string();
            let label =
                self.links.iter().find(|own| own.id == link).map(|own| html!("<button>" (own.label) "</button>"));
            return html!("<p>" (label) "</p>");
        }
        let ask = self
            .accepts_questions
            .then(|| html!("<p><button>" (language.say("Send the question", "Frage senden")) "</button></p>"));
        let button = |link: &ShownLink| {
            html!(
                "<button class=\"second\" name=\"link\" value=\"" (link.id) "\" title=\"" (link.topic) "\">"
                (link.label) "</button>"
            )
        };
        let links: Vec<Html> = self.links.iter().map(button).collect();
        let heading = (!links.is_empty())
            .then(|| html!("<h2>" (language.say("Or choose what it is about", "Oder wählen, worum es geht")) "</h2>"));
        html!((ask) (heading) "<p>" (links) "</p>")
    }
}

fn paused(language: Language) -> &'static str {
    language.say("This offer is paused. Please come back later.", "Dieses Angebot pausiert. Bitte später wiederkommen.")
}

fn person(language: Language, filled: &Filled) -> Html {
    html!(
        "<fieldset><legend>" (language.say("About you (if you like)", "Über Sie (freiwillig)")) "</legend>"
        "<label for=\"name\">" (language.say("Name", "Name")) "</label>"
        "<input type=\"text\" id=\"name\" name=\"name\" maxlength=\"200\" autocomplete=\"name\" value=\"" (filled.name) "\">"
        "<label for=\"email\">" (language.say("E-mail", "E-Mail")) "</label>"
        "<input type=\"email\" id=\"email\" name=\"email\" maxlength=\"254\" autocomplete=\"email\" value=\"" (filled.email) "\">"
        "<label for=\"phone\">" (language.say("Telephone", "Telefon")) "</label>"
        "<input type=\"tel\" id=\"phone\" name=\"phone\" maxlength=\"32\" autocomplete=\"tel\" value=\"" (filled.phone) "\">"
        "</fieldset>"
    )
}

pub(super) fn hidden(name: &'static str, value: &str) -> Html {
    html!("<input type=\"hidden\" name=\"" (name) "\" value=\"" (value) "\">")
}
