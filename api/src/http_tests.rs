use super::*;
use crate::auth::{Authenticate, SigningKey, Viewer};
use crate::cursor;
use crate::endpoint::ERRORS_MAX;
use crate::errors::{busy, code};
use crate::graphql::scalars::Decimal;
use async_graphql::{Context, EmptySubscription, InputObject, Object, Schema, SimpleObject};
use axum::http::header::ACCEPT;
use domain::actor::Actor;
use domain::time::Span;
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tower::ServiceExt;

#[derive(Default)]
struct Ran(AtomicUsize);

struct TestQuery;
struct TestMutation;

struct Parent;

#[derive(SimpleObject)]
struct Leaf {
    id: i32,
}

#[derive(InputObject)]
struct MoneyInput {
    amount: Decimal,
    currency: String,
}

#[Object]
impl Parent {
    async fn fine(&self) -> i32 {
        1
    }
    /// Non-null, and fails.
    async fn required(&self) -> async_graphql::Result<i32> {
        Err(code(ErrorCode::Unavailable, "no store"))
    }
}

#[Object]
impl TestQuery {
    async fn viewer(&self, ctx: &Context<'_>) -> String {
        let viewer = ctx.data_unchecked::<Viewer>();
        format!("{:?} {}", viewer.actor.role(), viewer.actor.id().unwrap_or_default())
    }
    async fn parent(&self) -> Option<Parent> {
        Some(Parent)
    }
    async fn certain_parent(&self) -> Parent {
        Parent
    }
    async fn echo(&self, value: Option<Decimal>) -> Option<Decimal> {
        value
    }
    async fn small(&self, n: i32) -> i32 {
        n
    }
    async fn leaves(&self, first: i32) -> Vec<Leaf> {
        (0..first).map(|id| Leaf { id }).collect()
    }
    async fn slow(&self) -> i32 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        1
    }
    async fn boom(&self) -> Option<i32> {
        let missing: Option<i32> = std::hint::black_box(None);
        Some(missing.expect("canary in a panic"))
    }
    async fn broken(&self) -> async_graphql::Result<Option<i32>> {
        Err("canary: SELECT * FROM wallets".into())
    }
    async fn bug(&self) -> async_graphql::Result<Option<i32>> {
        Err(code(ErrorCode::Internal, "canary"))
    }
    async fn refuse(&self, how: i32) -> async_graphql::Result<i32> {
        Err(match how {
            401 => code(ErrorCode::Unauthenticated, "a token is needed"),
            403 => code(ErrorCode::Forbidden, "not yours"),
            400 => cursor::BadCursor.into(),
            _ => {
                let busy = busy("too much at once", Duration::from_millis(1_500));
                async_graphql::Error { message: busy.message, source: None, extensions: busy.extensions }
            }
        })
    }
}

#[Object]
impl TestMutation {
    async fn place_bid(&self, ctx: &Context<'_>, input: MoneyInput) -> String {
        ctx.data_unchecked::<Arc<Ran>>().0.fetch_add(1, Ordering::SeqCst);
        format!("{} {}", input.amount.0, input.currency)
    }
}

struct House {
    router: Router,
    key: Arc<SigningKey>,
    ran: Arc<Ran>,
}

fn house() -> House {
    house_with(|endpoint| endpoint)
}

type TestEndpoint = Endpoint<TestQuery, TestMutation, EmptySubscription>;

fn house_with(change: impl Fn(TestEndpoint) -> TestEndpoint) -> House {
    let key = Arc::new(SigningKey::from_seed(&[3; 32]).unwrap());
    let ran = Arc::new(Ran::default());
    let build = || Schema::build(TestQuery, TestMutation, EmptySubscription).data(Arc::clone(&ran));
    let authenticate: Arc<dyn Authenticate> = key.clone();
    let router = change(Endpoint::new(build, authenticate).with_deadline(Duration::from_millis(200))).router();
    House { router, key, ran }
}

struct Got {
    status: u16,
    headers: HeaderMap,
    json: Json,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
    fn code(&self) -> &str {
        self.json["errors"][0]["extensions"]["code"].as_str().unwrap_or("")
    }
    fn has_data(&self) -> bool {
        self.json.as_object().unwrap().contains_key("data")
    }
}

const GRAPHQL: &str = "application/graphql-response+json";

impl House {
    async fn send(&self, request: axum::http::Request<Body>) -> Got {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let json = serde_json::from_slice(&body).unwrap();
        Got { status, headers, json }
    }

    async fn post_as(&self, accept: &str, body: impl Into<Body>) -> Got {
        let request =
            axum::http::Request::post("/graphql").header(CONTENT_TYPE, "application/json").header(ACCEPT, accept);
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn post(&self, query: &str, variables: Json) -> Got {
        self.post_as(GRAPHQL, json!({ "query": query, "variables": variables }).to_string()).await
    }

    async fn get(&self, query_string: &str) -> Got {
        self.send(axum::http::Request::get(format!("/graphql?{query_string}")).body(Body::empty()).unwrap()).await
    }
}

/// Why 8.0.0-rc.5 and not 7.2: there the key was left out and the object given all the same.
#[tokio::test]
async fn a_failed_non_null_field_takes_its_parent_with_it() {
    let got = house().post("{parent{fine required} echo(value:\"1\")}", json!({})).await;
    assert_eq!(got.json["data"], json!({"parent": null, "echo": "1"}));
    assert_eq!(got.json["errors"][0]["path"], json!(["parent", "required"]));
    assert_eq!((got.status, got.code()), (200, "UNAVAILABLE"));

    let got = house().post("{certainParent{fine required}}", json!({})).await;
    assert_eq!(got.json["data"], Json::Null);
    assert!(got.has_data() && got.status == 200);
}

#[tokio::test]
async fn an_answer_is_written_as_it_was_asked_for() {
    let house = house();
    for (accept, content_type) in [
        (GRAPHQL, GRAPHQL),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL),
        ("application/json;q=0.5, Application/GraphQL-Response+JSON;charset=utf-8", GRAPHQL),
        ("application/json, application/graphql-response+json", "application/json"),
        ("application/graphql-response+json;q=0, application/json", "application/json"),
    ] {
        let got = house.post_as(accept, r#"{"query":"{__typename}"}"#).await;
        assert_eq!(
            (got.status, got.header("content-type")),
            (200, format!("{content_type}; charset=utf-8").as_str()),
            "{accept}"
        );
        assert_eq!(got.json, json!({"data": {"__typename": "TestQuery"}}), "no errors key");
        assert_eq!(got.header("cache-control"), "no-store");
        assert_eq!(got.header("vary"), "Accept, Authorization, Origin");
    }
    let request = axum::http::Request::post("/graphql").header(CONTENT_TYPE, "application/json; charset=UTF-8");
    let got = house.send(request.body(Body::from(r#"{"query":"{__typename}"}"#)).unwrap()).await;
    assert_eq!((got.status, got.header("content-type")), (200, "application/json; charset=utf-8"));
    for accept in ["text/html", "image/*", "application/json;q=0", ""] {
        let got = house.post_as(accept, r#"{"query":"{__typename}"}"#).await;
        assert_eq!((got.status, got.code(), got.has_data()), (406, "BAD_REQUEST", false), "{accept}");
    }
}

#[tokio::test]
async fn request_errors_have_no_data_and_the_status_of_their_media_type() {
    let house = house();
    let bid = "mutation($i:MoneyInput!){placeBid(input:$i)}";
    let coercion = json!({"query": bid, "variables": {"i": {"amount": 1.5, "currency": "EUR"}}});
    for (body, expected) in [
        (json!({"query": "{"}), "PARSE_FAILED"),
        (json!({"query": "{nothing}"}), "VALIDATION_FAILED"),
        (json!({"query": "query($i:ID!){__typename}", "variables": {"i": null}}), "VALIDATION_FAILED"),
        (json!({"query": "query($i:Decimal!){echo(value:$i)}"}), "VALIDATION_FAILED"),
        (coercion, "VALIDATION_FAILED"),
        (json!({"query": "{leaves(first:101){id}}"}), "VALIDATION_FAILED"),
        (json!({"query": format!("{{{}", "{a".repeat(100))}), "COST_EXCEEDED"),
    ] {
        for (accept, status) in [(GRAPHQL, 400), ("application/json", 200)] {
            let got = house.post_as(accept, body.to_string()).await;
            assert_eq!((got.status, got.code(), got.has_data()), (status, expected, false), "{body}");
        }
    }
    assert_eq!(house.ran.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_request_of_another_form_is_400_in_any_media_type() {
    let house = house();
    for body in [
        "",
        "{",
        "null",
        "7",
        "\"{__typename}\"",
        "[]",
        "[{\"query\":\"{__typename}\"}]",
        " \n[{}]",
        "{}",
        r#"{"query":null}"#,
        r#"{"query":7}"#,
        r#"{"query":{}}"#,
        r#"{"query":["a"]}"#,
        r#"{"query":true}"#,
        r#"{"query":"{__typename}","variables":7}"#,
        r#"{"query":"{__typename}","variables":[1]}"#,
        r#"{"query":"{__typename}","variables":"{}"}"#,
        r#"{"query":"{__typename}","operationName":7}"#,
        r#"{"query":"{__typename}","operationName":"A"}"#,
        r#"{"query":"query A{__typename} query B{__typename}"}"#,
        r#"{"query":"{__typename}","extensions":7}"#,
        r#"{"query":"{__typename}","extensions":[]}"#,
        r#"{"query":"{__typename}"} x"#,
        r#"{"query":"{__typename}","query":"{__typename}"}"#,
    ] {
        for accept in [GRAPHQL, "application/json"] {
            let got = house.post_as(accept, body).await;
            assert_eq!((got.status, got.code(), got.has_data()), (400, "BAD_REQUEST", false), "{body}");
        }
    }
    for body in [
        r#"{"query":"{__typename}","variables":null,"operationName":null,"extensions":null}"#,
        r#"{"query":"{__typename}","variables":{},"extensions":{"a":[1]},"stranger":1}"#,
        r#"{"query":"query A{__typename} query B{__typename}","operationName":"B"}"#,
    ] {
        assert_eq!(house.post_as("application/json", body).await.status, 200, "{body}");
    }
}

#[tokio::test]
async fn a_get_reads_and_never_writes() {
    let house = house();
    assert_eq!(house.get("query=%7B__typename%7D").await.json["data"]["__typename"], "TestQuery");
    let got = house.get("query=query(%24v:Decimal)%7Becho(value:%24v)%7D&variables=%7B%22v%22:%221.50%22%7D&operationName=&extensions=%7B%7D").await;
    assert_eq!(got.json, json!({"data": {"echo": "1.50"}}));
    for bad in [
        "",
        "query",
        "variables=%7B%7D",
        "query=%7B__typename%7D&variables=7",
        "query=%7B__typename%7D&variables=%7B",
        "query=%7B__typename%7D&extensions=%5B%5D",
    ] {
        let got = house.get(bad).await;
        assert!(got.status == 400 || got.code() == "PARSE_FAILED", "{bad}");
    }
    let write = "query=mutation%7BplaceBid(input:%7Bamount:%221%22,currency:%22EUR%22%7D)%7D";
    let got = house.get(write).await;
    assert_eq!((got.status, got.header("allow"), got.has_data()), (405, "POST", false));
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = axum::http::Request::builder().method(method).uri("/graphql").body(Body::empty()).unwrap();
        let got = house.send(request).await;
        assert_eq!((got.status, got.header("allow")), (405, "GET, POST"));
    }
    assert_eq!(house.ran.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn bodies_of_other_types_are_415() {
    let house = house();
    let body = r#"{"query":"mutation{placeBid(input:{amount:\"1\",currency:\"EUR\"})}"}"#;
    let post = || axum::http::Request::post("/graphql");
    for request in [
        post(),
        post().header(CONTENT_TYPE, "text/plain"),
        post().header(CONTENT_TYPE, "multipart/form-data; boundary=x"),
        post().header(CONTENT_TYPE, "application/x-www-form-urlencoded"),
        post().header(CONTENT_TYPE, "application/jsonp"),
        post().header(CONTENT_TYPE, "application/json; charset=utf-16"),
        post().header(CONTENT_TYPE, "application/json").header(CONTENT_ENCODING, "gzip"),
        post()
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_ENCODING, "identity")
            .header(CONTENT_ENCODING, "br"),
    ] {
        let got = house.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!((got.status, got.has_data()), (415, false));
    }
    assert_eq!(house.ran.0.load(Ordering::SeqCst), 0);
    let request = post().header(CONTENT_TYPE, "application/json").header(CONTENT_ENCODING, "identity");
    assert_eq!(house.send(request.body(Body::from(body)).unwrap()).await.json["data"]["placeBid"], "1 EUR");
}

/// Gives 64 KiB frames for ever and counts them.
struct Endless(Arc<AtomicUsize>);

impl HttpBody for Endless {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok(http_body::Frame::data(vec![b' '; 64 * 1_024].into()))))
    }
}

#[tokio::test]
async fn bodies_end_at_the_limit_announced_or_not() {
    let house = house();
    let read = Arc::new(AtomicUsize::new(0));
    let got = house.post_as(GRAPHQL, Body::new(Endless(Arc::clone(&read)))).await;
    assert_eq!((got.status, got.code(), got.has_data()), (413, "BAD_REQUEST", false));
    assert_eq!(read.load(Ordering::SeqCst), 17, "the limit and one frame");

    let request = axum::http::Request::post("/graphql")
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, "104857600");
    let got = house.send(request.body(Body::new(Endless(Arc::clone(&read)))).unwrap()).await;
    assert_eq!((got.status, read.load(Ordering::SeqCst)), (413, 17), "not one frame is read");

    let padded = |bytes: usize| {
        let request = r#"{"query":"{__typename}"}"#;
        request.to_owned() + &" ".repeat(bytes - request.len())
    };
    assert_eq!(house.post_as(GRAPHQL, padded(BODY_BYTES_MAX)).await.status, 200);
    assert_eq!(house.post_as(GRAPHQL, padded(BODY_BYTES_MAX + 1)).await.status, 413);
    // A megabyte of brackets overflows no stack, in the document or around it.
    let brackets = "{".repeat(BODY_BYTES_MAX - 100);
    assert_eq!(house.post(&brackets, json!({})).await.code(), "COST_EXCEEDED");
    assert_eq!(house.post_as(GRAPHQL, brackets).await.status, 400);
    assert_eq!(
        house.post_as(GRAPHQL, format!(r#"{{"query":"{{a}}","variables":{}"#, "{\"a\":".repeat(100_000))).await.status,
        400
    );
}

#[tokio::test]
async fn callers_are_named_or_refused() {
    let house = house();
    let with = |value: &str| {
        let request = axum::http::Request::post("/graphql")
            .header(CONTENT_TYPE, "application/json")
            .header("authorization", value);
        house.send(request.body(Body::from(r#"{"query":"{viewer}"}"#)).unwrap())
    };
    let token = house.key.mint(&Actor::Operator("ann".into()), Span::seconds(60)).unwrap();
    assert_eq!(with(&format!("Bearer {token}")).await.json["data"]["viewer"], "Operator ann");
    assert_eq!(house.post("{viewer}", json!({})).await.json["data"]["viewer"], "Anonymous ");
    for bad in
        ["Bearer x", "Basic eDp5", "", &format!("Bearer {token}x"), &format!("Bearer {}", "x".repeat(64 * 1_024))]
    {
        let got = with(bad).await;
        assert_eq!((got.status, got.code(), got.has_data()), (401, "UNAUTHENTICATED", false));
        assert_eq!(got.header("www-authenticate"), "Bearer");
    }
    // Claims in the query string or the body are nobody's.
    assert_eq!(
        house.get(&format!("query=%7Bviewer%7D&access_token={token}")).await.json["data"]["viewer"],
        "Anonymous "
    );
}

#[tokio::test]
async fn refusals_of_resolvers_have_a_status_where_nothing_else_is_told() {
    let house = house();
    for (how, status, code) in [(401, 401, "UNAUTHENTICATED"), (403, 403, "FORBIDDEN"), (429, 429, "RATE_LIMITED")] {
        for accept in [GRAPHQL, "application/json"] {
            let got = house.post_as(accept, json!({"query": format!("{{refuse(how:{how})}}")}).to_string()).await;
            assert_eq!((got.status, got.code(), &got.json["data"]), (status, code, &Json::Null));
            assert_eq!(got.header("retry-after"), if how == 429 { "2" } else { "" });
        }
    }
    assert_eq!(house.post("{refuse(how:429)}", json!({})).await.json["errors"][0]["extensions"]["retryAfterMs"], 1_500);
}

#[tokio::test]
async fn what_breaks_inside_shows_an_id_and_nothing_else() {
    let house = house();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let got = house.post("{boom}", json!({})).await;
    std::panic::set_hook(hook);
    assert_eq!((got.status, got.code(), got.has_data()), (500, "INTERNAL", false));
    let id = |got: &Got| got.json["errors"][0]["extensions"]["requestId"].as_str().map(str::len);
    assert_eq!(id(&got), Some(16));
    for query in ["{broken}", "{bug}"] {
        let got = house.post(query, json!({})).await;
        assert_eq!((got.status, got.code(), id(&got)), (200, "INTERNAL", Some(16)));
        assert!(!got.json.to_string().contains("canary"));
        assert!(got.json["errors"][0]["path"].is_array());
    }
    assert_eq!(house.post("{__typename}", json!({})).await.status, 200, "the house lives");
}

#[tokio::test]
async fn the_deadline_ends_a_request() {
    let house = house();
    let got = house.post("{slow}", json!({})).await;
    assert_eq!((got.status, got.code(), got.has_data()), (504, "TIMEOUT", false));
}

#[tokio::test]
async fn a_remembered_document_is_checked_as_the_first_time() {
    let house = house();
    let bid = "mutation($i:MoneyInput!){placeBid(input:$i)}";
    let mixed = "mutation($a:Decimal,$c:String!){placeBid(input:{amount:$a,currency:$c})}";
    let wrong = "mutation($c:String!){placeBid(input:{amount:1.5,currency:$c})}";
    for _ in 0..3 {
        let got = house.post(bid, json!({"i": {"amount": "1.50", "currency": "EUR"}})).await;
        assert_eq!(got.json, json!({"data": {"placeBid": "1.50 EUR"}}));
        for (amount, why) in
            [(json!(1.5), ", found a number"), (json!("1e3"), ""), (json!("-0"), ""), (json!("1.50٣"), "")]
        {
            let got = house.post(bid, json!({"i": {"amount": amount, "currency": "EUR"}})).await;
            assert_eq!((got.status, got.code()), (400, "VALIDATION_FAILED"));
            assert_eq!(got.json["errors"][0]["message"], format!("$i.amount: not a Decimal{why}"));
        }
        // Inside a literal the library sees the variable only when it is given.
        for (query, variables) in
            [(wrong, json!({"c": "EUR"})), (mixed, json!({"c": "EUR"})), (mixed, json!({"a": null, "c": "EUR"}))]
        {
            let got = house.post(query, variables).await;
            assert_eq!((got.status, got.code(), got.has_data()), (400, "VALIDATION_FAILED", false), "{query}");
        }
    }
    assert_eq!(house.ran.0.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn variables_reach_the_field_as_declared() {
    let house = house();
    // The workspace must not turn on serde_json's arbitrary_precision: numbers would stop being numbers.
    assert_eq!(
        house.post("query($n:Int!){leaves(first:$n){id}}", json!({"n": 2})).await.json["data"]["leaves"],
        json!([{"id": 0}, {"id": 1}])
    );
    assert_eq!(
        house.post("query($n:Int!=1){leaves(first:$n){id}}", json!({})).await.json["data"]["leaves"],
        json!([{"id": 0}])
    );
    assert_eq!(
        house.post("query($b:Boolean!=true){viewer @skip(if:$b) __typename}", json!({})).await.json["data"],
        json!({"__typename": "TestQuery"}),
        "a default counts in a directive"
    );
    assert_eq!(house.post("query($n:Int!){leaves(first:$n){id}}", json!({"n": 101})).await.code(), "VALIDATION_FAILED");
    // Too large for the library's Int, written in the document: its field says so, under a code.
    let got = house.post("{small(n:3000000000)}", json!({})).await;
    assert_eq!(got.code(), "VALIDATION_FAILED");
}

#[tokio::test]
async fn the_error_list_ends() {
    let many = (0..2_000).fold(String::new(), |text, n| text + &format!("x{n} "));
    let got = house().post(&format!("{{{many}}}"), json!({})).await;
    assert_eq!((got.code(), got.json["errors"].as_array().unwrap().len()), ("VALIDATION_FAILED", ERRORS_MAX));
}

#[tokio::test]
async fn subscriptions_need_a_stream() {
    let got = house().post("subscription{queueFeed(queueId:\"que_1\"){kind}}", json!({})).await;
    assert_eq!((got.status, got.code()), (400, "BAD_REQUEST"));
}

#[tokio::test]
async fn introspection_by_a_tool_passes_the_guard() {
    let query = "query{__schema{queryType{name} types{...F} directives{name args{...I}}}} fragment F on __Type{kind name fields(includeDeprecated:true){name args{...I} type{...T}} inputFields{...I} interfaces{...T} enumValues(includeDeprecated:true){name} possibleTypes{...T}} fragment I on __InputValue{name type{...T} defaultValue} fragment T on __Type{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name}}}}}}}}";
    let got = house().post(query, json!({})).await;
    assert!(got.json.get("errors").is_none(), "{}", got.json);
}

#[tokio::test]
async fn who_asks_too_much_waits_and_nobody_else() {
    let house = house_with(|endpoint| endpoint.limited("1".parse().unwrap()));
    let rich = "{ a: leaves(first: 100) { id } b: leaves(first: 100) { id } }";
    let (mut passed, mut got) = (0, house.post(rich, json!({})).await);
    while got.status == 200 {
        passed += 1;
        assert!(passed < 1_000, "nothing is refused");
        got = house.post(rich, json!({})).await;
    }
    assert_eq!((got.status, got.code()), (429, "RATE_LIMITED"));
    assert!(got.header("retry-after").parse::<u64>().unwrap() > 0);
    assert!(passed > 10, "one request may cost what a request may cost at all: {passed}");
    let token = house.key.mint(&Actor::Operator("olga".into()), Span::seconds(3_600)).unwrap();
    let request = axum::http::Request::post("/graphql")
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, GRAPHQL)
        .header("authorization", format!("Bearer {token}"));
    let body = json!({ "query": rich }).to_string();
    assert_eq!(house.send(request.body(body.into()).unwrap()).await.status, 200, "its own bucket");
    // Garbage is paid for, too.
    let mut garbage = 0;
    while house.post("{", json!({})).await.code() == "PARSE_FAILED" {
        garbage += 1;
        assert!(garbage < 1_000, "garbage costs nothing");
    }
}

#[tokio::test]
async fn what_is_refused_costs_by_its_length_and_what_is_known_does_not() {
    let house = house_with(|endpoint| endpoint.limited("1".parse().unwrap()));
    let times = async |code: &str, ask: &dyn Fn(usize) -> String| {
        let mut times = 0;
        loop {
            let got = house.post(&ask(times), json!({})).await;
            if got.code() != code {
                assert_eq!((got.status, got.code()), (429, "RATE_LIMITED"));
                return times;
            }
            times += 1;
            assert!(times < 1_000, "nothing is refused");
        }
    };
    // 8 KiB that do not fit the schema: 512 to find out, 33 to read. What is left is not worth another.
    let long = |at: usize| format!("{{{}}} # {at:05}", " x".repeat(4_090));
    assert_eq!(times("VALIDATION_FAILED", &long).await, 20_000 / (1 + 4 * 8 + 512));
    let small = times("VALIDATION_FAILED", &|_| "{x}".to_owned()).await;
    assert!((1..546).contains(&small), "the rest at 1 each: {small}");
    // Known, such a document costs what it asks for and its reading. As another caller, with a bucket of its own.
    let token = house.key.mint(&Actor::Operator("olga".into()), Span::seconds(3_600)).unwrap();
    let document = format!("{{viewer}} # {}", "x".repeat(8_180));
    let body = json!({ "query": document }).to_string();
    for time in 0..500 {
        let request = axum::http::Request::post("/graphql")
            .header(CONTENT_TYPE, "application/json")
            .header("authorization", format!("Bearer {token}"));
        assert_eq!(house.send(request.body(body.clone().into()).unwrap()).await.status, 200, "{time}");
    }
}

#[tokio::test]
async fn variables_and_bodies_that_are_no_request_cost_by_their_length() {
    let house = house_with(|endpoint| endpoint.limited("1".parse().unwrap()));
    let mut times = 0;
    loop {
        let got = house.post_as(GRAPHQL, " ".repeat(500 * 1_024)).await;
        if got.status == 429 {
            break;
        }
        assert_eq!((got.status, got.code()), (400, "BAD_REQUEST"));
        times += 1;
        assert!(times < 1_000, "garbage costs nothing");
    }
    assert_eq!(times, 20_000 / (1 + 4 * 500));
}

/// A cursor of another viewer is found out only where it is used.
#[tokio::test]
async fn what_the_form_of_a_query_shows_nothing_of_is_400_without_data() {
    let house = house();
    for media in [GRAPHQL, "application/json"] {
        for query in ["{refuse(how:400)}", "{viewer a:refuse(how:400) b:refuse(how:400)}"] {
            let got = house.post_as(media, json!({ "query": query }).to_string()).await;
            assert_eq!((got.status, got.code(), got.has_data()), (400, "BAD_REQUEST", false), "{media} {query}");
        }
    }
    // What fails for another reason is a result as ever.
    let got = house.post("{a:certainParent{required}}", json!({})).await;
    assert_eq!((got.status, got.has_data()), (200, true));
}

#[tokio::test]
async fn without_introspection_names_stay_unknown() {
    let house = house_with(|endpoint| endpoint.introspected(false));
    let hidden = "{ ...F } fragment F on TestQuery { t: __type(name: \"Leaf\") { name } }";
    for query in ["{ __schema { types { name } } }", hidden] {
        let got = house.post(query, json!({})).await;
        assert_eq!((got.status, got.code(), got.has_data()), (400, "VALIDATION_FAILED", false), "{query}");
    }
    let got = house.post("{ __typename }", json!({})).await;
    assert_eq!(got.json["data"]["__typename"], "TestQuery");
    // Whether a name is near one, or is one and used wrongly: nothing is told apart.
    let nearby = house.post("{ nothing }", json!({})).await.json;
    for (query, variables) in [
        ("{ fin }", json!({})),
        ("{ parent }", json!({})),
        ("{ fine { x } }", json!({})),
        ("{ small }", json!({})),
        ("{ small(m: 1) }", json!({})),
        ("{ small(n: \"x\") leaves { ids } echo(val: 1) }", json!({})),
        ("query($x: Leaf) { small(n: $x) }", json!({})),
        ("query($n: Int!) { small(n: $n) }", json!({})),
        ("query($n: Int!) { small(n: $n) }", json!({"n": "x"})),
        ("query($v: Decimal) { echo(value: $v) }", json!({"v": 1})),
        ("mutation($i: MoneyInput!) { placeBid(input: $i) }", json!({"i": {"amount": "1"}})),
        ("mutation { placeBid(input: {}) }", json!({})),
    ] {
        let got = house.post(query, variables).await.json;
        assert_eq!(got["errors"], nearby["errors"], "{query}");
    }
}
