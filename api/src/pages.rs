//! What the house serves to browsers. Pages that work without JavaScript: the community's offers at `/`, an offer at
//! `/o/{offer}` and `/l/{link}`, an inquiry at `/i/{capability}`, an agent's reservation at `/reservations/{id}`; and
//! what `web` builds (`built`).
//!
//! In reading order: `offers` shows and takes acceptances, `inquiry` shows what became of one, `reservation` asks an
//! agent for its consent. Each asks `/graphql`'s own endpoint for what it shows and does (`visit`), so rights, limits
//! and costs are the same, and knows no more than the SDL says. `html` writes, `moment` tells instants,
//! `form` reads.
//!
//! Promises: GET writes nothing; what people wrote is escaped where it is written, since nothing but the code's own
//! literals goes out unescaped; no script runs, no cookie is set, and a page is framed by its provider's origins alone.
//!
//! Not here: what the addresses and forms are signed with (`signed`), consoles, compression.

mod built;
mod form;
mod html;
mod inquiry;
mod moment;
mod offers;
mod reservation;
mod visit;

use crate::app::App;
use crate::endpoint::Open;
use axum::Router;
use axum::routing::get;
use std::sync::Arc;
use visit::House;

/// All of them; to be merged with the house's other routes.
pub(crate) fn router(endpoint: Arc<dyn Open>, app: Arc<App>) -> Router {
    let pages = Router::new()
        .route("/", get(offers::community))
        .route("/o/{offer}", get(offers::show_offer).post(offers::accept_offer))
        .route("/l/{link}", get(offers::show_link).post(offers::accept_link))
        .route("/i/{capability}", get(inquiry::show).post(inquiry::leave_or_return))
        .route("/reservations/{id}", get(reservation::show).post(reservation::answer))
        .with_state(House { endpoint, app });
    pages.merge(built::router())
}

#[cfg(test)]
mod tests;
