//! `/graphql` over HTTP: POST, and GET for queries.
//!
//! The order of a request: method, `Accept`, caller, body, document, variables, cost, execution. The first
//! that refuses is the answer.
//!
//! Promises: a body is never read past its limit; each error carries a code of the closed set; a document
//! is validated once, its variables at each request; a panicking resolver costs its own request only;
//! nothing runs longer than the deadline.
//!
//! Not here: how an answer is written (`answer`), WebSocket and SSE, rate limits, CORS and pages.

use crate::answer::{Answer, Media, internal, shown};
use crate::auth::{Authenticate, Viewer};
use crate::cost::cost;
use crate::documents::Documents;
use crate::errors::{ErrorCode, server_error};
use crate::guard::{self, Vetted};
use crate::variables::InputTypes;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::parser::types::{OperationDefinition, OperationType};
use async_graphql::{
    ObjectType, Schema, SchemaBuilder, ServerError, SubscriptionType, ValidationMode, Value, Variables,
};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Query, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::any;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Of a POST.
pub const BODY_BYTES_MAX: usize = 1_024 * 1_024;
/// Of a request from its parameters to its answer, and of reading its body.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// A document can be wrong in thousands of places; nobody reads them all.
const ERRORS_MAX: usize = 20;

/// Everything behind `/graphql`.
pub struct Endpoint<Q, M, S> {
    /// Runs documents that `validator` has passed, without validating them again.
    schema: Schema<Q, M, S>,
    /// The same schema; validates in full and runs nothing.
    validator: Schema<Q, M, S>,
    inputs: InputTypes,
    documents: Documents,
    authenticate: Arc<dyn Authenticate>,
    deadline: Duration,
}

impl<Q, M, S> Endpoint<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    /// `build` is called twice: the library fixes per schema whether it validates. What a schema holds in
    /// `data` should be an `Arc`. The builder's own limits may stay unset: `guard` is stricter.
    pub fn new(build: impl Fn() -> SchemaBuilder<Q, M, S>, authenticate: Arc<dyn Authenticate>) -> Endpoint<Q, M, S> {
        let schema = build().validation_mode(ValidationMode::Fast).finish();
        let validator = build().validation_mode(ValidationMode::Strict).extension(ValidateOnly).finish();
        let inputs = InputTypes::of_sdl(&schema.sdl());
        Endpoint { schema, validator, inputs, documents: Documents::default(), authenticate, deadline: DEADLINE }
    }

    /// Another deadline, for tests and slow machines.
    pub fn with_deadline(self, deadline: Duration) -> Endpoint<Q, M, S> {
        Endpoint { deadline, ..self }
    }

    /// `/graphql` alone; to be merged with the house's other routes.
    pub fn router(self) -> Router {
        Router::new().route("/graphql", any(answer::<Q, M, S>)).with_state(Arc::new(self))
    }

    /// Runs one request. Every transport comes through here, so all have the same guards. The caller has
    /// been named; `writes` says whether the transport may run mutations.
    pub async fn execute(&self, viewer: Viewer, params: Params, writes: bool) -> Answer {
        let all = async {
            match self.prepare(params, writes).await {
                Ok(request) => self.run(request.data(viewer)).await,
                Err(answer) => answer,
            }
        };
        match tokio::time::timeout(self.deadline, caught(all)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Panicked)) => Answer::Refused(vec![internal("a request panicked", None)]),
            Err(_) => Answer::refused(ErrorCode::Timeout, "the deadline passed; a write may have been recorded"),
        }
    }

    /// Everything up to the execution.
    async fn prepare(&self, params: Params, writes: bool) -> Result<async_graphql::Request, Answer> {
        let query = params.query.as_deref().ok_or_else(|| Answer::bad_request("the parameter query is missing"))?;
        let name = params.operation_name.as_deref();
        let given = params.variables.unwrap_or_default();

        let known = self.documents.get(query);
        let vetted = match &known {
            Some(vetted) => Arc::clone(vetted),
            None => Arc::new(guard::vet(query)?),
        };
        let operation = guard::select(&vetted.document, name)?;
        match operation.ty {
            OperationType::Mutation if !writes => return Err(Answer::MethodNotAllowed("POST")),
            OperationType::Subscription => {
                return Err(Answer::bad_request("a subscription needs a stream"));
            }
            _ => {}
        }
        guard::check_variables(&given)?;
        if known.is_none() {
            self.validate(&vetted, name, Variables::default()).await?;
            self.documents.remember(query, &vetted);
        }
        let variables = self.inputs.coerce(operation, given)?;
        if vetted.mixed_arguments {
            self.validate(&vetted, name, nulls_for_omitted(operation, variables.clone())).await?;
        }
        cost(&vetted.document, operation, &variables)?;

        let mut request = async_graphql::Request::new("").variables(variables);
        request.operation_name = name.map(str::to_owned);
        request.set_parsed_query(vetted.document.clone());
        Ok(request)
    }

    /// Without variables the library validates all that depends on the document alone.
    async fn validate(&self, vetted: &Vetted, name: Option<&str>, variables: Variables) -> Result<(), Answer> {
        let mut request = async_graphql::Request::new("").variables(variables);
        request.operation_name = name.map(str::to_owned);
        request.set_parsed_query(vetted.document.clone());
        let errors = self.validator.execute(request).await.errors;
        if errors.is_empty() {
            return Ok(());
        }
        let coded = errors
            .into_iter()
            .take(ERRORS_MAX)
            .map(|error| ServerError { extensions: server_error(ErrorCode::ValidationFailed, "").extensions, ..error });
        Err(Answer::Refused(coded.collect()))
    }

    async fn run(&self, request: async_graphql::Request) -> Answer {
        let response = self.schema.execute(request).await;
        let errors = response.errors.into_iter().take(ERRORS_MAX).map(shown).collect();
        Answer::Executed { data: response.data, errors, extensions: response.extensions }
    }
}

/// A request's parameters, as the GraphQL-over-HTTP draft has them. Null is the same as absent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Params {
    pub query: Option<String>,
    pub operation_name: Option<String>,
    pub variables: Option<Variables>,
    /// Read for its shape; no extension is known.
    pub extensions: Option<BTreeMap<String, serde::de::IgnoredAny>>,
}

async fn answer<Q, M, S>(State(endpoint): State<Arc<Endpoint<Q, M, S>>>, request: Request) -> Response
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    let media = Media::accepted(request.headers());
    answer_to(&endpoint, media, request).await.into_response(media.unwrap_or(Media::Json))
}

async fn answer_to<Q, M, S>(endpoint: &Endpoint<Q, M, S>, media: Option<Media>, request: Request) -> Answer
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    let (parts, body) = request.into_parts();
    let writes = match parts.method {
        Method::POST => true,
        Method::GET => false,
        _ => return Answer::MethodNotAllowed("GET, POST"),
    };
    if media.is_none() {
        let types = "application/graphql-response+json or application/json";
        return Answer::bad_form(StatusCode::NOT_ACCEPTABLE, format!("only {types} is given"));
    }
    let viewer = match endpoint.authenticate.authenticate(&parts.headers) {
        Ok(viewer) => viewer,
        Err(refused) => return Answer::refused(ErrorCode::Unauthenticated, refused.to_string()),
    };
    let params = if writes { posted(&parts.headers, body).await } else { asked(&parts.uri) };
    match params {
        Ok(params) => endpoint.execute(viewer, params, writes).await,
        Err(answer) => answer,
    }
}

/// The parameters of a POST.
async fn posted(headers: &HeaderMap, body: Body) -> Result<Params, Answer> {
    check_form(headers)?;
    let body = match tokio::time::timeout(DEADLINE, bounded(body)).await {
        Ok(body) => body?,
        Err(_) => {
            return Err(Answer::bad_form(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"));
        }
    };
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => Err(Answer::bad_request("batches are not taken; send one request at a time")),
        _ => serde_json::from_slice(&body)
            .map_err(|error| Answer::bad_request(format!("the body is not a request: {error}"))),
    }
}

/// JSON in UTF-8, not compressed, not announced as too long. Other types would let a browser's form post
/// here with a cookie and without a question.
fn check_form(headers: &HeaderMap) -> Result<(), Answer> {
    let unsupported = |message| Err(Answer::bad_form(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
        return unsupported("the content type is application/json");
    }
    let charset =
        parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(|name| name.replace('"', "")));
    if charset.is_some_and(|name| name != "utf-8" && name != "utf8") {
        return unsupported("the charset is utf-8");
    }
    if headers.get_all(CONTENT_ENCODING).iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return unsupported("compressed bodies are not taken");
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    Ok(())
}

/// Reads frame by frame and stops where the limit is passed, so that a body of no announced length costs
/// at most the limit and one frame.
async fn bounded(mut body: Body) -> Result<Vec<u8>, Answer> {
    let mut read = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Answer::bad_request("the body broke off"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if read.len() + data.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
        read.extend_from_slice(&data);
    }
    Ok(read)
}

fn too_large() -> Answer {
    Answer::bad_form(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {BODY_BYTES_MAX} bytes"))
}

/// The parameters of a GET: `variables` and `extensions` are JSON text.
fn asked(uri: &Uri) -> Result<Params, Answer> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Asked {
        query: Option<String>,
        operation_name: Option<String>,
        variables: Option<String>,
        extensions: Option<String>,
    }
    let Query(asked) =
        Query::<Asked>::try_from_uri(uri).map_err(|_| Answer::bad_request("the query string cannot be read"))?;
    fn json<T: serde::de::DeserializeOwned>(name: &str, text: Option<String>) -> Result<Option<T>, Answer> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        serde_json::from_str(&text)
            .map_err(|error| Answer::bad_request(format!("{name} is not a JSON object: {error}")))
    }
    Ok(Params {
        query: asked.query,
        operation_name: asked.operation_name.filter(|name| !name.is_empty()),
        variables: json("variables", asked.variables)?,
        extensions: json("extensions", asked.extensions)?,
    })
}

/// The library skips an argument in which a variable is not given; null stands for it where it may.
fn nulls_for_omitted(operation: &OperationDefinition, mut variables: Variables) -> Variables {
    for definition in &operation.variable_definitions {
        variables.entry(definition.node.name.node.clone()).or_insert(Value::Null);
    }
    variables
}

/// The panic hook has written what and where by now.
#[derive(Debug)]
struct Panicked;

/// A panic ends this future and nothing else. What it held is dropped with it, so nobody meets it half
/// done; what others share must bear a panic (locks are held over no resolver's code).
async fn caught<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

/// Stops after validation: the response is empty and has no errors.
struct ValidateOnly;

impl ExtensionFactory for ValidateOnly {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(ValidateOnly)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for ValidateOnly {
    async fn execute(&self, _: &ExtensionContext<'_>, _: Option<&str>, _: NextExecute<'_>) -> async_graphql::Response {
        async_graphql::Response::default()
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
