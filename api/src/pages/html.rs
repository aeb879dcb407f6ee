//! Writing HTML. Markup is the code's own literals; everything else is escaped on its way in. There is no third way,
//! so no page can forget it.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::LazyLock;

/// Markup that is safe to send.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

impl Html {
    pub(super) fn markup(&mut self, literal: &'static str) {
        self.0.push_str(literal);
    }
    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.0
    }
    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
    }
}

/// What can stand between literals.
pub(super) trait Part {
    fn write(&self, out: &mut Html);
}
impl Part for str {
    fn write(&self, out: &mut Html) {
        out.escaped(self);
    }
}
impl Part for String {
    fn write(&self, out: &mut Html) {
        out.escaped(self);
    }
}
impl Part for Html {
    fn write(&self, out: &mut Html) {
        out.0.push_str(&self.0);
    }
}
impl Part for i64 {
    fn write(&self, out: &mut Html) {
        write!(out.0, "{self}").expect("a string takes all");
    }
}
impl<T: Part> Part for Option<T> {
    fn write(&self, out: &mut Html) {
        self.iter().for_each(|part| part.write(out));
    }
}
impl<T: Part> Part for Vec<T> {
    fn write(&self, out: &mut Html) {
        self.iter().for_each(|part| part.write(out));
    }
}
impl<T: Part + ?Sized> Part for &T {
    fn write(&self, out: &mut Html) {
        (*self).write(out);
    }
}

/// `html!("<p>" (text) "</p>")`: literals as they are, what stands in parentheses escaped, or as it is where it is
/// [`Html`] already.
macro_rules! html {
    (@ $out:ident) => {};
    (@ $out:ident $literal:literal $($rest:tt)*) => { $out.markup($literal); html!(@ $out $($rest)*); };
    (@ $out:ident ($part:expr) $($rest:tt)*) => {
        $crate::pages::html::Part::write(&$part, &mut $out);
        html!(@ $out $($rest)*);
    };
    ($($part:tt)+) => {{
        let mut out = $crate::pages::html::Html::default();
        html!(@ out $($part)+);
        out
    }};
}
pub(super) use html;

/// What a visitor reads first of `Accept-Language`, as far as the house speaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
}

impl Language {
    pub(super) fn say(self, english: &'static str, german: &'static str) -> &'static str {
        match self {
            Language::English => english,
            Language::German => german,
        }
    }
}

/// A whole page.
pub(super) struct Page<'a> {
    pub(super) status: StatusCode,
    pub(super) language: Language,
    pub(super) title: &'a str,
    pub(super) body: Html,
    /// Who may frame it: origins. Nobody where empty.
    pub(super) framed_by: &'a [String],
    /// The address itself opens something: no other page is to learn it.
    pub(super) secret: bool,
    /// Seconds after which the browser asks again.
    pub(super) refresh: Option<i64>,
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;\
color:#1b1b1b;background:#fff}label{display:block;margin:.75rem 0 .25rem}\
input[type=text],input[type=email],input[type=tel],textarea{width:100%;box-sizing:border-box;font:inherit;padding:.4rem;\
border:1px solid #666;border-radius:.25rem}fieldset{border:1px solid #999;border-radius:.25rem;margin:1rem 0}\
button{font:inherit;padding:.5rem 1rem;margin:.5rem .5rem .5rem 0;border:1px solid #0b4f8a;border-radius:.25rem;\
background:#0b4f8a;color:#fff;cursor:pointer}button.second{background:#fff;color:#0b4f8a}\
:focus-visible{outline:3px solid #f5a623;outline-offset:2px}[role=alert]{border-left:4px solid #b00020;padding:.5rem 1rem;\
background:#fdecea}dt{font-weight:600}dd{margin:0 0 .5rem}\
@media(prefers-color-scheme:dark){body{background:#16181c;color:#eee}a{color:#8ec5ff}input,textarea{background:#222;\
color:#eee}[role=alert]{background:#3a1d1d}button.second{background:#16181c;color:#8ec5ff}}";

/// The policy names the one style element by its hash, so that no other is taken.
static STYLE_HASH: LazyLock<String> =
    LazyLock::new(|| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes())));

impl Page<'_> {
    pub(super) fn into_response(self) -> Response {
        let refresh = self.refresh.map(|seconds| html!("<meta http-equiv=\"refresh\" content=\"" (seconds) "\">"));
        let mut style = Html::default();
        style.markup(STYLE);
        let html = html!(
            "<!doctype html><html lang=\"" (self.language.say("en", "de")) "\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">" (refresh)
            "<title>" (self.title) "</title><style>" (style) "</style></head><body><main><h1>" (self.title) "</h1>"
            (self.body) "</main></body></html>\n"
        );
        let framed_by = match self.framed_by {
            [] => "'none'".to_owned(),
            origins => format!("'self' {}", origins.join(" ")),
        };
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'self'; frame-ancestors {framed_by}",
            *STYLE_HASH
        );
        let mut response = Response::new(Body::from(html.0));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let policy = HeaderValue::from_str(&policy)
            .unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Language, Referer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // A form of a page without referrer has the origin `null`, which `visit::is_cross_site` knows.
        let referrer = if self.secret { "no-referrer" } else { "same-origin" };
        headers.insert(REFERRER_POLICY, HeaderValue::from_static(referrer));
        response
    }
}

#[cfg(test)]
mod tests {

    #[test]
    fn only_literals_are_markup() {
        let evil = "\"><script>alert('&')</script>";
        let nothing: Option<String> = None;
        let inner = html!("<b>" (evil) "</b>");
        let page = html!("<p title=\"" (evil) "\">" (inner) (nothing) (3) "</p>");
        let text = "&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;";
        assert_eq!(page.0, format!("<p title=\"{text}\"><b>{text}</b>3</p>"));
    }
}
