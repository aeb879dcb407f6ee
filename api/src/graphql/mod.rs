//! The schema: what the contract names, no more than works.
//!
//! `types` are what is read, one file per subject; `query`, `mutation` and `subscription` are the roots; `input` is what is
//! written. A resolver names the viewer, asks a view, and shows what the rights table lets the viewer see:
//! rights are checked where a thing is loaded and where a field is shown, never by guards, which interfaces
//! bypass. A mutation parses, seals, submits one command, and loads what it answers with.

pub mod input;
pub mod mutation;
pub mod query;
pub mod scalars;
pub mod subscription;
pub mod types;

#[cfg(test)]
mod deadline_tests;
#[cfg(test)]
mod hours_tests;
#[cfg(test)]
mod lookup_tests;
#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod sdl_tests;
#[cfg(test)]
mod snapshot_tests;
#[cfg(test)]
pub(crate) mod testing;

use crate::app::App;
use crate::auth::Viewer;
use async_graphql::{Context, Schema, SchemaBuilder};
use domain::actor::Actor;
use std::sync::Arc;

pub type Builder = SchemaBuilder<query::Query, mutation::Mutation, subscription::Feeds>;

/// The schema over one house.
pub fn builder(app: Arc<App>) -> Builder {
    bare().data(app)
}

/// Without a house: enough to print the SDL.
pub fn bare() -> Builder {
    Schema::build(query::Query, mutation::Mutation::default(), subscription::Feeds)
}

/// The schema as text, as `callmarket schema` prints it and `api/schema.graphql` keeps it.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().prefer_single_line_descriptions();
    let text = bare().finish().sdl_with_options(options);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim())
}

/// What of a viewer decides what it sees: the same for all of a role that sees the same. Cursors hold for whoever
/// has the sight that they were given to.
pub(crate) fn sight(viewer: &Actor) -> String {
    let own = match viewer {
        Actor::Operator(_) | Actor::Finance(_) | Actor::Anonymous | Actor::System => None,
        Actor::Provider(_) | Actor::Agent(_) | Actor::Customer(_) => viewer.id(),
    };
    format!("{:?}\n{}", viewer.role(), own.unwrap_or_default())
}

/// The house that this request is asked of.
pub(crate) fn app<'a>(ctx: &Context<'a>) -> &'a Arc<App> {
    ctx.data_unchecked::<Arc<App>>()
}

/// Who asks.
pub(crate) fn actor(ctx: &Context<'_>) -> Actor {
    ctx.data_unchecked::<Viewer>().actor.clone()
}
