//! One request of a browser: who it is, where it came from, which language it reads; and what is asked of
//! `/graphql` for it.

use super::form::Form;
use super::html::{Html, Language, Page, html};
use crate::answer::Answer;
use crate::app::App;
use crate::auth::Viewer;
use crate::endpoint::{Caller, Open, Params};
use crate::errors::{ErrorCode, code_of};
use crate::graphql::input::origin::origin_of;
use crate::proxy::Client;
use async_graphql::Variables;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, ORIGIN, REFERER, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// A form holds a question, an excerpt and its proof, each letter as up to nine.
const FORM_BYTES_MAX: usize = 128 * 1_024;
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// What waits longer than this waits for more than a moment of rest.
const A_FEW_SECONDS_MS: u64 = 10_000;
const ADDRESS_CHARS_MAX: usize = 2_000;

/// What all pages hold.
#[derive(Clone)]
pub(super) struct House {
    pub(super) endpoint: Arc<dyn Open>,
    pub(super) app: Arc<App>,
}

pub(super) struct Visit {
    house: House,
    headers: HeaderMap,
    client: Client,
    pub(super) query: Form,
    pub(super) language: Language,
}

impl Visit {
    pub(super) fn of(house: &House, request: Request) -> (Visit, Body) {
        let (parts, body) = request.into_parts();
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let client = house.endpoint.transport().proxies.client(peer, &parts.headers);
        let query = parts.uri.query().and_then(|query| Form::read(query.as_bytes())).unwrap_or_default();
        let german = accepted_tag(&parts.headers).is_some_and(|tag| tag.to_ascii_lowercase().starts_with("de"));
        let language = if german { Language::German } else { Language::English };
        (Visit { house: house.clone(), headers: parts.headers, client, query, language }, body)
    }

    pub(super) fn app(&self) -> &Arc<App> {
        &self.house.app
    }

    /// The language that the browser asks for first.
    pub(super) fn tag(&self) -> Option<&str> {
        accepted_tag(&self.headers)
    }

    /// Address and origin of the page that led here, as the browser says: no page can set it for another.
    pub(super) fn referer(&self) -> Option<(String, String)> {
        let referer = self.headers.get(REFERER)?.to_str().ok()?;
        let origin = origin_of(referer)?;
        Some((if referer.len() <= ADDRESS_CHARS_MAX { referer.to_owned() } else { origin.clone() }, origin))
    }

    /// The form that was posted. Refused where another site's page posts it, or where it is none.
    pub(super) async fn form(&self, body: Body) -> Result<Form, Response> {
        if self.is_cross_site() {
            let body = html!("<p>" (self.language.say(
                "This form was sent from a page of another site. Nothing was recorded.",
                "Dieses Formular kam von der Seite einer anderen Website. Nichts wurde aufgezeichnet."
            )) "</p>");
            return Err(self.refused(StatusCode::FORBIDDEN, body));
        }
        let media = self.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        let is_form = media
            .split(';')
            .next()
            .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        let wrong = |visit: &Visit, status| {
            Err(visit.refused(
                status,
                html!("<p>" (visit.language.say(
                "This form cannot be read.",
                "Dieses Formular ist nicht lesbar."
            )) "</p>"),
            ))
        };
        if !is_form {
            return wrong(self, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let body = to_bytes(body, FORM_BYTES_MAX);
        let Ok(Ok(body)) = tokio::time::timeout(crate::endpoint::DEADLINE, body).await else {
            return wrong(self, StatusCode::PAYLOAD_TOO_LARGE);
        };
        match Form::read(&body) {
            Some(form) => Ok(form),
            None => wrong(self, StatusCode::BAD_REQUEST),
        }
    }

    /// Browsers say where a form comes from. What says nothing is no browser, and nobody's session rides on it.
    fn is_cross_site(&self) -> bool {
        if let Some(site) = self.headers.get(FETCH_SITE) {
            return site != "same-origin" && site != "none";
        }
        let own = origin_of(&self.app().public_url);
        // `null` without the header above is a sandboxed frame, or a very old browser.
        self.headers.get(ORIGIN).is_some_and(|origin| origin.to_str().ok().and_then(origin_of) != own)
    }

    /// Runs a document for this viewer, at its cost.
    pub(super) async fn ask(&self, viewer: Viewer, document: &'static str, variables: Value) -> Result<Value, Trouble> {
        let caller = Caller { viewer, client: self.client };
        let endpoint = &self.house.endpoint;
        endpoint.read(&caller, document.len()).map_err(|answer| Trouble::of(&answer))?;
        let variables = Variables::from_json(variables);
        let params = Params { query: Some(document.to_owned()), variables: Some(variables), ..Params::default() };
        let answer = Arc::clone(endpoint).once(caller, params, true).await;
        let broken = || Trouble { code: ErrorCode::Internal, retry_after_ms: None };
        match answer {
            Answer::Executed { data, errors, .. } if errors.is_empty() => data.into_json().map_err(|_| broken()),
            answer => Err(Trouble::of(&answer)),
        }
    }

    /// A page that says no.
    pub(super) fn refused(&self, status: StatusCode, body: Html) -> Response {
        let title = self.language.say("This cannot be done", "Das geht nicht");
        let page = Page { status, language: self.language, title, body, framed_by: &[], secret: true, refresh: None };
        page.into_response()
    }

    pub(super) fn absent(&self) -> Response {
        let body = html!("<p>" (self.language.say("There is nothing here.", "Hier ist nichts.")) "</p>");
        self.refused(StatusCode::NOT_FOUND, body)
    }

    pub(super) fn troubled(&self, trouble: &Trouble) -> Response {
        let mut response = self.refused(trouble.status(), html!("<p>" (trouble.told(self.language)) "</p>"));
        trouble.mark(&mut response);
        response
    }
}

/// An error for everybody, as `/graphql` would give it.
#[derive(Debug)]
pub(super) struct Trouble {
    code: ErrorCode,
    retry_after_ms: Option<u64>,
}

impl Trouble {
    fn of(answer: &Answer) -> Trouble {
        let errors = answer.errors();
        let first = errors.first();
        let retry_after_ms = first.and_then(crate::errors::retry_after_ms);
        Trouble { code: first.and_then(code_of).unwrap_or(ErrorCode::Internal), retry_after_ms }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self.code {
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Unavailable | ErrorCode::StaleRead | ErrorCode::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Forbidden | ErrorCode::Unauthenticated => StatusCode::FORBIDDEN,
            // The documents are ours: what does not fit is what the form put into them.
            ErrorCode::BadRequest | ErrorCode::ValidationFailed => StatusCode::BAD_REQUEST,
            ErrorCode::ParseFailed | ErrorCode::CostExceeded | ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn told(&self, language: Language) -> &'static str {
        if self.retry_after_ms.is_some_and(|ms| ms > A_FEW_SECONDS_MS) {
            return language.say(
                "Many inquiries came from your connection lately. Nothing was recorded; please press again later.",
                "Von Ihrem Anschluss kamen zuletzt viele Anfragen. Nichts wurde aufgezeichnet; bitte später noch einmal drücken.",
            );
        }
        if self.status() == StatusCode::TOO_MANY_REQUESTS || self.status() == StatusCode::SERVICE_UNAVAILABLE {
            return language.say(
                "Too much is going on at the moment. Please press again in a few seconds; nothing is done twice.",
                "Im Moment ist zu viel los. Bitte in ein paar Sekunden noch einmal drücken; nichts geschieht doppelt.",
            );
        }
        language.say("This did not work.", "Das hat nicht geklappt.")
    }

    /// When to come back.
    pub(super) fn mark(&self, response: &mut Response) {
        if self.status() == StatusCode::TOO_MANY_REQUESTS || self.status() == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = self.retry_after_ms.map_or(5, |ms| ms.div_ceil(1_000).max(1));
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

fn accepted_tag(headers: &HeaderMap) -> Option<&str> {
    let first = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?.split([',', ';']).next()?.trim();
    let plain = first.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    ((2..=35).contains(&first.len()) && plain).then_some(first)
}

/// An idempotency key for a form.
pub(super) fn fresh_key() -> String {
    let mut drawn = [0; 16];
    getrandom::fill(&mut drawn).expect("the system gives randomness");
    drawn.iter().map(|byte| format!("{byte:02x}")).collect()
}
