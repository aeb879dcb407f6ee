//! One mutation's way from its input to its payload: who calls and whether the role may, the log it is
//! about, the command, and what became of it.

use super::user_error::UserError;
use crate::app::{App, Outcome, check_key};
use crate::errors::{ErrorCode, code};
use crate::graphql::{actor, app};
use async_graphql::{Context, Error, InputType, Value};
use domain::actor::Actor;
use domain::command::{Command, Right};
use domain::event::Event;
use domain::ids::{CustomerId, Subject};
use domain::log::{LogName, Seq};
use domain::refusal::Refusal;
use domain::sealed::Sealed;
use futures_util::future::BoxFuture;
use projections::live::{Dossier, DossierHandle};
use std::sync::Arc;
use store::recorded::Recorded;

/// Why a mutation ends before its payload: an error for everybody, or an answer to act on.
#[derive(Debug)]
pub(super) enum Stop {
    Fault(Error),
    Refused(UserError),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Fault(error)
    }
}
impl From<UserError> for Stop {
    fn from(error: UserError) -> Stop {
        Stop::Refused(error)
    }
}
impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal.into())
    }
}

pub(super) type Step<T> = Result<T, Stop>;

/// The payloads, each of which can say no.
pub(super) trait Payload {
    fn refused(error: UserError) -> Self;
}

/// The payload of a mutation's work. The work stands in a box: the future of the root has room for the largest
/// mutation there is, and whoever asks for the smallest one would carry that.
pub(super) fn answer<'a, P: Payload>(
    work: impl Future<Output = Step<P>> + Send + 'a,
) -> BoxFuture<'a, Result<P, Error>> {
    Box::pin(async move {
        match work.await {
            Ok(payload) => Ok(payload),
            Err(Stop::Refused(error)) => Ok(P::refused(error)),
            Err(Stop::Fault(error)) => Err(error),
        }
    })
}

/// A mutation that its caller's role may give.
pub(super) struct Call {
    pub(super) app: Arc<App>,
    pub(super) actor: Actor,
    mutation: &'static str,
    key: String,
    /// As the caller meant it, defaults filled in: what idempotency compares.
    input: Value,
}

/// What a command came to.
pub(super) struct Done {
    pub(super) log: LogName,
    pub(super) seq: Option<Seq>,
    pub(super) replayed: bool,
    events: Vec<Arc<Recorded>>,
}

impl Call {
    /// Errors: FORBIDDEN, and UNAUTHENTICATED for who has no token, before anything is looked up or sealed;
    /// BAD_REQUEST for a bad idempotency key.
    pub(super) fn begin(ctx: &Context<'_>, right: Right, input: &impl InputType, key: &str) -> Result<Call, Error> {
        let actor = actor(ctx);
        let (mutation, roles) = right;
        if !roles.contains(&actor.role()) {
            return Err(match actor {
                Actor::Anonymous => code(ErrorCode::Unauthenticated, "This needs a token."),
                _ => code(ErrorCode::Forbidden, "Your role may not do this."),
            });
        }
        check_key(&actor, key)?;
        Ok(Call { app: app(ctx).clone(), actor, mutation, key: key.to_owned(), input: input.to_value() })
    }

    /// Gives the command; a refusal ends the mutation.
    pub(super) async fn submit(&self, log: &LogName, command: Command) -> Step<Done> {
        Ok(self.try_submit(log, command).await??)
    }

    /// The same for a command about a part of an inquiry. The log forgets those with their inquiry; where the
    /// thing is the caller's to see and over, `closed` says how, instead of NOT_FOUND.
    pub(super) async fn submit_about(
        &self,
        log: &LogName,
        subject: impl Into<Subject>,
        command: Command,
        closed: impl FnOnce(&Dossier, &Actor) -> Option<Refusal>,
    ) -> Step<Done> {
        match self.try_submit(log, command).await? {
            Ok(done) => Ok(done),
            Err(missing @ Refusal::NotFound { .. }) => {
                let dossier = self.app.dossier_of(subject.into()).await?;
                let why = dossier.and_then(|dossier| dossier.read(|dossier| closed(dossier, &self.actor)));
                Err(why.unwrap_or(missing).into())
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// The id of a customer that this call makes.
    pub(super) fn new_customer(&self) -> CustomerId {
        self.app.new_customer(&self.actor, self.mutation, &self.key)
    }

    pub(super) async fn try_submit(&self, log: &LogName, command: Command) -> Result<Result<Done, Refusal>, Error> {
        let outcome = self.app.submit(log, &self.actor, self.mutation, &self.key, &self.input, command).await?;
        let Outcome { log, seq, replayed, result } = outcome;
        Ok(result.map(|events| Done { log, seq, replayed, events }))
    }

    /// The log of something that belongs to an inquiry, open or closed.
    pub(super) async fn log_of(&self, subject: impl Into<Subject>, field: &'static str) -> Step<LogName> {
        let subject = subject.into();
        if let Some(place) = self.app.live.place(subject) {
            return Ok(place.log);
        }
        self.look(subject, field, |dossier| Some(dossier.inquiry()?.log.clone())).await
    }

    /// What is needed of the dossier that an id belongs to, open or closed. NOT_FOUND where there is none or
    /// `look` finds nothing.
    pub(super) async fn look<T>(
        &self,
        subject: impl Into<Subject>,
        field: &'static str,
        look: impl FnOnce(&Dossier) -> Option<T>,
    ) -> Step<T> {
        let dossier: Option<DossierHandle> = self.app.dossier_of(subject.into()).await?;
        let found = dossier.and_then(|dossier| dossier.read(look));
        found.ok_or(Stop::from(Refusal::NotFound { field }))
    }

    /// Nothing where there is nothing to seal, or nobody to seal it for any more: what it belongs to is decided without.
    pub(super) async fn seal(&self, subject: impl Into<Subject>, text: Option<String>) -> Step<Option<Sealed>> {
        match text {
            Some(text) => Ok(self.app.seal(subject.into(), text).await?),
            None => Ok(None),
        }
    }

    /// For what is nobody's to erase. Errors: INTERNAL where it was.
    pub(super) async fn seal_for(&self, subject: impl Into<Subject>, text: String) -> Step<Sealed> {
        let gone = || code(ErrorCode::Internal, "The key of what is registered is gone.").into();
        self.app.seal(subject.into(), text).await?.ok_or_else(gone)
    }

    /// The command that records a text. Whose subject is erased gets none: it is refused there, unless it was recorded
    /// before under this key.
    pub(super) async fn recording(
        &self,
        subject: impl Into<Subject>,
        text: String,
        command: impl FnOnce(Sealed) -> Command,
    ) -> Step<Command> {
        Ok(self.app.seal(subject.into(), text).await?.map_or(Command::RecordOfErased, command))
    }
}

impl Done {
    /// What an event of the command says, the first one that says it. On a replay, the recorded ones.
    pub(super) fn find<T>(&self, look: impl Fn(&Event) -> Option<T>) -> Option<T> {
        self.events.iter().find_map(|recorded| look(&recorded.event))
    }

    /// The same where the command has no other outcome. Errors: INTERNAL.
    pub(super) fn one<T>(&self, look: impl Fn(&Event) -> Option<T>) -> Step<T> {
        self.find(look).ok_or_else(|| {
            tracing::error!(log = %self.log, seq = self.seq, "mutation.event_missing");
            Stop::from(code(ErrorCode::Internal, "The command's events are not the ones it makes."))
        })
    }
}
