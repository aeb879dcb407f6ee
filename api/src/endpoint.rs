//! What is behind `/graphql`, whatever the transport: one request in, one answer or a stream of them out.
//!
//! Promises: each error carries a code of the closed set; a caller pays for what it asks, before it runs, for a document
//! that is not known before it is parsed, and for each item that it was given before the next one is begun; a document
//! is validated once, its variables at each request; a panicking resolver costs its own request or stream only; no
//! answer takes longer than the deadline, no item of a stream either, counted from its event. Only the wait for an event
//! is without end, and to this the library counts the subscription's own resolver: it should give its stream at once.
//!
//! Not here: how a request is read (`http`, `ws`), how an answer is written (`answer`, `sse`), and how long a
//! stream may live: its transport ends it with the caller's token.

use crate::answer::{Answer, internal, shown};
use crate::auth::{Authenticate, Viewer};
use crate::connected::{Connected, Holder, Seat};
use crate::cost::{self, cost};
use crate::documents::Documents;
use crate::drain::Drain;
use crate::errors::{ErrorCode, busy, code_of, server_error};
use crate::graphql::sight;
use crate::guard::{self, Vetted};
use crate::item;
use crate::newcomers::{Door, Newcomers};
use crate::proxy::{Client, Proxies};
use crate::rate::RateLimit;
use crate::shared::{Member, Shared};
use crate::variables::InputTypes;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::parser::types::{OperationDefinition, OperationType};
use async_graphql::{
    ObjectType, Response, Schema, SchemaBuilder, ServerError, SubscriptionType, ValidationMode, Value, Variables,
};
use domain::actor::Actor;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Of a request from its parameters to its answer, of an item from its event, and of reading a body.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// A document can be wrong in thousands of places; nobody reads them all.
pub(crate) const ERRORS_MAX: usize = 20;

/// One after the other; the end of the stream is the end of the operation.
pub type Answers = BoxStream<'static, Answer>;

/// Everything behind `/graphql`.
pub struct Endpoint<Q, M, S> {
    /// Runs queries and mutations that `validator` has passed, without validating them again.
    schema: Schema<Q, M, S>,
    /// The same schema for subscriptions, with the deadline of their items: an extension, which costs each
    /// field a call, so queries go without.
    streams: Schema<Q, M, S>,
    /// The same schema; validates in full and runs nothing.
    validator: Schema<Q, M, S>,
    inputs: InputTypes,
    documents: Documents,
    deadline: Duration,
    rate: Arc<RateLimit>,
    newcomers: Arc<Newcomers>,
    introspection: bool,
    shared: Arc<Shared>,
    transport: Transport,
}

/// Who asks, and from where.
#[derive(Clone, Debug)]
pub struct Caller {
    pub viewer: Viewer,
    pub client: Client,
}

impl Caller {
    /// Whose seats and whose cost it is.
    fn holder(&self) -> Holder {
        match &self.viewer.actor {
            Actor::Anonymous => Holder::address(self.client.address),
            actor => Holder::Caller(actor.clone()),
        }
    }
}

/// What the transports need besides the schema.
pub(crate) struct Transport {
    pub(crate) authenticate: Arc<dyn Authenticate>,
    pub(crate) connected: Arc<Connected>,
    pub(crate) limits: Limits,
    pub(crate) drain: Drain,
    /// The house's own, as browsers write it: `https://example.org`. None is nobody's.
    pub(crate) origin: Option<String>,
    /// Whose word on a caller's address counts.
    pub(crate) proxies: Proxies,
}

impl Transport {
    /// A seat for a stream of this caller; none where it has as many as it may.
    pub(crate) fn seat(&self, caller: &Caller) -> Option<Seat> {
        let holder = caller.holder();
        let most = match &holder {
            Holder::Address(_) => self.limits.address_streams,
            Holder::Caller(_) => self.limits.caller_streams,
        };
        self.connected.seats.take(holder, most)
    }
}

/// What a stream, on a socket or over SSE, may take. The defaults are what is promised; tests set others.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the upgrade to `connection_init`.
    pub init: Duration,
    /// A sign of life from us: proxies cut what is quiet for longer, some after 15 s.
    pub ping: Duration,
    /// A socket that has not been heard of for so long, two pings and some, is dead.
    pub silence: Duration,
    /// For one message to leave. Below the connection's own limit (`listen`), so that the reason can follow.
    pub send: Duration,
    /// For the close frame to leave, and the client's to come.
    pub farewell: Duration,
    /// Live on one socket.
    pub operations: usize,
    /// Subscriptions of a caller, on all its sockets and SSE streams. A console in ten tabs has some hundred; each
    /// costs an inbox and a place among the readers of its log.
    pub caller_subscriptions: usize,
    /// Sockets and SSE streams of a caller. A console in many tabs has a dozen; 64 is some of them stuck.
    pub caller_streams: usize,
    /// The same of an address, for callers without a name and sockets that have not said theirs yet. An office
    /// or a proxy is one address.
    pub address_streams: usize,
    /// The longest message to a client, for clients that hold one in memory. The buffer has room for one.
    pub message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            init: Duration::from_secs(3),
            ping: Duration::from_secs(12),
            silence: Duration::from_secs(30),
            send: Duration::from_secs(8),
            farewell: Duration::from_secs(1),
            operations: 64,
            caller_subscriptions: 256,
            caller_streams: 64,
            address_streams: 1_024,
            message_bytes: 4 * 1_024 * 1_024,
        }
    }
}

impl<Q, M, S> Endpoint<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    /// `build` is called several times: the library fixes per schema whether it validates. What a schema holds
    /// in `data` should be an `Arc`. The builder's own limits may stay unset: `guard` is stricter.
    pub fn new(build: impl Fn() -> SchemaBuilder<Q, M, S>, authenticate: Arc<dyn Authenticate>) -> Endpoint<Q, M, S> {
        let schema = build().validation_mode(ValidationMode::Fast).finish();
        let streams = build().validation_mode(ValidationMode::Fast).extension(ItemDeadline).finish();
        let validator = build().validation_mode(ValidationMode::Strict).extension(ValidateOnly).finish();
        let inputs = InputTypes::of_sdl(&schema.sdl());
        let transport = Transport {
            authenticate,
            connected: Arc::default(),
            limits: Limits::default(),
            drain: Drain::never(),
            origin: None,
            proxies: Proxies::default(),
        };
        Endpoint {
            schema,
            streams,
            validator,
            inputs,
            documents: Documents::default(),
            deadline: DEADLINE,
            rate: Arc::new(RateLimit::off()),
            newcomers: Arc::new(Newcomers::any()),
            introspection: true,
            shared: Arc::default(),
            transport,
        }
    }

    /// Another deadline, for tests and slow machines.
    pub fn with_deadline(self, deadline: Duration) -> Endpoint<Q, M, S> {
        Endpoint { deadline, ..self }
    }

    /// Other limits than the defaults.
    pub fn with_limits(self, limits: Limits) -> Endpoint<Q, M, S> {
        Endpoint { transport: Transport { limits, ..self.transport }, ..self }
    }

    /// What a caller may spend in a second; without it, anything.
    pub fn limited(self, rate: RateLimit) -> Endpoint<Q, M, S> {
        Endpoint { rate: Arc::new(rate), ..self }
    }

    /// How many acceptances may come from one address; without it, any number.
    pub fn welcoming(self, newcomers: Newcomers) -> Endpoint<Q, M, S> {
        Endpoint { newcomers: Arc::new(newcomers), ..self }
    }

    /// Without it `__schema` and `__type` are refused, and errors suggest no names. `build` has to disable
    /// suggestions itself.
    pub fn introspected(self, introspection: bool) -> Endpoint<Q, M, S> {
        Endpoint { introspection, ..self }
    }

    /// Sockets and streams end when this drain is asked for.
    pub fn until(self, drain: Drain) -> Endpoint<Q, M, S> {
        Endpoint { transport: Transport { drain, ..self.transport }, ..self }
    }

    /// Where the house is met from outside: pages of this origin, and of no other, may open a socket with
    /// cookies.
    pub fn at(self, public_url: &str) -> Endpoint<Q, M, S> {
        Endpoint { transport: Transport { origin: crate::ws::origin_of(public_url), ..self.transport }, ..self }
    }

    /// What stands in front of the house and tells whom it speaks for. Without it a caller's address is its peer's.
    pub fn behind(self, proxies: Proxies) -> Endpoint<Q, M, S> {
        Endpoint { transport: Transport { proxies, ..self.transport }, ..self }
    }

    /// What is open, for gauges and tests.
    pub fn connected(&self) -> Arc<Connected> {
        Arc::clone(&self.transport.connected)
    }

    /// Runs one query or mutation. The caller has been named; `writes` says whether the transport may run
    /// mutations.
    pub async fn execute(&self, caller: Caller, params: Params, writes: bool) -> Answer {
        let all = pin!(async {
            let Prepared { kind, request, .. } = self.prepare(&caller, params, writes, false).await?;
            let request = request.data(self.door(&caller)).data(caller.viewer);
            let answer = executed(self.schema.execute(request).await);
            Ok(if kind == OperationType::Query { answer.refused_as_a_whole() } else { answer })
        });
        let answer = within(self.deadline, all).await.and_then(|answer| answer).unwrap_or_else(|refused| refused);
        told(answer, self.introspection)
    }

    /// Runs one operation for a transport that can give several answers: the items of a subscription, or the one
    /// answer of a query or mutation. `Err` is the answer where nothing has run. All guards are those of
    /// [`Endpoint::execute`]. Dropping the stream ends the operation.
    pub async fn stream(&self, caller: Caller, params: Params, writes: bool) -> Result<Answers, Answer> {
        let given = params.clone();
        let names = self.introspection;
        let prepared = within(self.deadline, pin!(self.prepare(&caller, params, writes, true))).await;
        let prepared = prepared.and_then(|prepared| prepared).map_err(|refused| told(refused, names))?;
        let Prepared { kind, request, item: cost, seat } = prepared;
        let (holder, sight) = (caller.holder(), sight(&caller.viewer.actor));
        let request = request.data(self.door(&caller)).data(caller.viewer);
        if kind != OperationType::Subscription {
            let (schema, deadline) = (self.schema.clone(), self.deadline);
            let answer = async move {
                let response = within(deadline, pin!(schema.execute(request))).await;
                told(response.map_or_else(|refused| refused, executed), names)
            };
            return Ok(stream::once(answer).boxed());
        }
        let equal = self.equal(given, sight).map(Arc::new);
        let request = match &equal {
            Some(member) => request.data(Arc::clone(member)),
            None => request,
        };
        // After a panic the stream is never polled again; what it held is dropped with it.
        let responses = AssertUnwindSafe(self.streams.execute_stream(request)).catch_unwind();
        let items = item::each_within(self.deadline, responses.boxed()).map(move |response| {
            let is_shared = equal.as_ref().is_some_and(|member| member.has_taken());
            let answer = match (response, &equal) {
                (Ok(response), Some(member)) => member.answer(told(executed(response), names)),
                (Ok(response), None) => told(executed(response), names),
                (Err(_), _) => panicked(),
            };
            (answer, if is_shared { cost::SHARED_ITEM } else { cost })
        });
        let rate = Arc::clone(&self.rate);
        // Each item is given as soon as it is there and paid before the next one is begun: so none gets old while
        // it waits to be paid, and whoever does not read on owes nothing.
        let paying = stream::unfold((items.boxed(), 0, seat), move |(mut items, owed, seat)| {
            let (rate, holder) = (Arc::clone(&rate), holder.clone());
            async move {
                rate.item(&holder, owed).await;
                let (answer, cost) = items.next().await?;
                Some((answer, (items, cost, seat)))
            }
        });
        Ok(paying.boxed())
    }

    fn door(&self, caller: &Caller) -> Door {
        Door { newcomers: Arc::clone(&self.newcomers), client: caller.client }
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The subscription among its equals. One whose document was forgotten meanwhile has none.
    fn equal(&self, params: Params, sight: String) -> Option<Member> {
        let document = params.query?;
        let vetted = self.documents.get(&document)?;
        let variables = params.variables.unwrap_or_default();
        Some(self.shared.join(&vetted, &document, params.operation_name.as_deref(), variables, sight))
    }

    /// Everything up to the execution.
    async fn prepare(&self, caller: &Caller, params: Params, writes: bool, streams: bool) -> Result<Prepared, Answer> {
        let holder = caller.holder();
        let query = params.query.as_deref().ok_or_else(|| Answer::bad_request("the parameter query is missing"))?;
        let name = params.operation_name.as_deref();
        let given = params.variables.unwrap_or_default();

        let known = self.documents.get(query);
        let vetted = match &known {
            Some(vetted) => Arc::clone(vetted),
            None => {
                // Whether or not it turns out to be a document. More than one may have is not looked at.
                self.pay(&holder, cost::vetting(query.len().min(guard::DOCUMENT_BYTES_MAX)))?;
                Arc::new(guard::vet(query)?)
            }
        };
        if vetted.introspects && !self.introspection {
            let refused = server_error(ErrorCode::ValidationFailed, "this house does not answer introspection");
            return Err(Answer::Refused(vec![refused]));
        }
        let operation = guard::select(&vetted.document, name)?;
        match operation.ty {
            OperationType::Mutation if !writes => return Err(Answer::MethodNotAllowed("POST")),
            OperationType::Subscription if !streams => {
                return Err(Answer::bad_request("a subscription needs a stream: text/event-stream or a WebSocket"));
            }
            _ => {}
        }
        let seat = match operation.ty {
            OperationType::Subscription => Some(self.subscription_of(&holder)?),
            _ => None,
        };
        guard::check_variables(&given)?;
        if known.is_none() {
            self.validate(&vetted, name, Variables::default()).await?;
            self.documents.remember(query, &vetted);
        }
        let variables = self.inputs.coerce(operation, given)?;
        if vetted.mixed_arguments {
            self.validate(&vetted, name, nulls_for_omitted(operation, variables.clone())).await?;
        }
        let whole = cost(&vetted.document, operation, &variables)?;
        self.pay(&holder, whole.saturating_sub(cost::REQUEST))?;
        let item = match seat {
            Some(_) => cost::item(guard::select(vetted.runnable(), name)?, whole),
            None => 0,
        };

        let mut request = async_graphql::Request::new("").variables(variables);
        request.operation_name = name.map(str::to_owned);
        request.set_parsed_query(vetted.runnable().clone());
        Ok(Prepared { kind: operation.ty, request, item, seat })
    }

    /// A place for one more subscription of this holder.
    fn subscription_of(&self, holder: &Holder) -> Result<Seat, Answer> {
        let most = self.transport.limits.caller_subscriptions;
        self.transport.connected.subscriptions.take(holder.clone(), most).ok_or_else(|| {
            let full = format!("a caller has at most {most} subscriptions at once; complete some");
            Answer::Refused(vec![busy(full, Duration::from_secs(1))])
        })
    }

    fn pay(&self, holder: &Holder, cost: u64) -> Result<(), Answer> {
        let paid = self.rate.take(holder, cost);
        paid.map_err(|refused| Answer::Refused(vec![busy("you ask too much at once", refused.retry_after)]))
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
}

/// A request that may run.
struct Prepared {
    kind: OperationType,
    request: async_graphql::Request,
    /// What each item of it costs, if it is a subscription.
    item: u64,
    /// Held for as long as a subscription lives.
    seat: Option<Seat>,
}

/// An endpoint without the types of its schema: what the transports hold.
pub(crate) trait Open: Send + Sync {
    fn transport(&self) -> &Transport;
    /// Takes from the caller's bucket what reading so many bytes of a request costs: for each, before it is parsed or
    /// given to one of the others.
    fn read(&self, caller: &Caller, bytes: usize) -> Result<(), Answer>;
    /// The same, as soon as there is enough in it.
    fn read_late(&self, caller: &Caller, bytes: usize) -> BoxFuture<'_, ()>;
    /// [`Endpoint::execute`].
    fn once(self: Arc<Self>, caller: Caller, params: Params, writes: bool) -> BoxFuture<'static, Answer>;
    /// [`Endpoint::stream`].
    fn open(
        self: Arc<Self>,
        caller: Caller,
        params: Params,
        writes: bool,
    ) -> BoxFuture<'static, Result<Answers, Answer>>;
}

impl<Q, M, S> Open for Endpoint<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    fn transport(&self) -> &Transport {
        &self.transport
    }

    fn read(&self, caller: &Caller, bytes: usize) -> Result<(), Answer> {
        self.pay(&caller.holder(), cost::reading(bytes))
    }

    fn read_late(&self, caller: &Caller, bytes: usize) -> BoxFuture<'_, ()> {
        let holder = caller.holder();
        Box::pin(async move { self.rate.wait(&holder, cost::reading(bytes)).await })
    }

    fn once(self: Arc<Self>, caller: Caller, params: Params, writes: bool) -> BoxFuture<'static, Answer> {
        Box::pin(async move { self.execute(caller, params, writes).await })
    }

    fn open(
        self: Arc<Self>,
        caller: Caller,
        params: Params,
        writes: bool,
    ) -> BoxFuture<'static, Result<Answers, Answer>> {
        Box::pin(async move { self.stream(caller, params, writes).await })
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

fn executed(response: Response) -> Answer {
    let errors = response.errors.into_iter().take(ERRORS_MAX).map(shown).collect();
    Answer::Executed { data: response.data, errors, extensions: response.extensions }
}

/// Where nobody is to learn `names` of the schema, what does not fit it is not told: the library's messages name
/// types, arguments and input fields, and tools put a schema together from those.
fn told(answer: Answer, names: bool) -> Answer {
    let misfit = |error: &ServerError| code_of(error) == Some(ErrorCode::ValidationFailed);
    let veiled = |mut errors: Vec<ServerError>| {
        // How many there are would tell something, too.
        if errors.iter().any(misfit) {
            errors.retain(|error| !misfit(error));
            errors.push(server_error(ErrorCode::ValidationFailed, "the request does not fit the schema"));
        }
        errors
    };
    match answer {
        answer if names => answer,
        Answer::Refused(errors) => Answer::Refused(veiled(errors)),
        Answer::Executed { data, errors, extensions } => Answer::Executed { data, errors: veiled(errors), extensions },
        other => other,
    }
}

/// What the future comes to, or why it does not. Pinned by its owner: each layer that takes a future by value
/// holds it once more, and all of them are copied with the request.
async fn within<T>(deadline: Duration, future: Pin<&mut impl Future<Output = T>>) -> Result<T, Answer> {
    match tokio::time::timeout(deadline, caught(future)).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(Panicked)) => Err(panicked()),
        Err(_) => Err(Answer::Refused(vec![overdue()])),
    }
}

fn panicked() -> Answer {
    Answer::Refused(vec![internal("a request panicked", None)])
}

fn overdue() -> ServerError {
    server_error(ErrorCode::Timeout, "the deadline passed; a write may have been recorded")
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
async fn caught<F: Future>(mut future: Pin<&mut F>) -> Result<F::Output, Panicked> {
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
    async fn execute(&self, _: &ExtensionContext<'_>, _: Option<&str>, _: NextExecute<'_>) -> Response {
        Response::default()
    }
}

/// Ends the execution of an item that takes too long, and begins none of one that an equal subscription has made.
/// The library executes each item through here.
struct ItemDeadline;

impl ExtensionFactory for ItemDeadline {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(ItemDeadline)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for ItemDeadline {
    async fn execute(&self, ctx: &ExtensionContext<'_>, name: Option<&str>, next: NextExecute<'_>) -> Response {
        if ctx.data_opt::<Arc<Member>>().is_some_and(|member| member.has_taken()) {
            return Response::default();
        }
        item::executed(next.run(ctx, name)).await.unwrap_or_else(|_| Response::from_errors(vec![overdue()]))
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
