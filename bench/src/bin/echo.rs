//! What the bids are measured against: async-graphql's own axum service, as it comes, and a mutation that gives
//! back the three flat scalars that it was given.
//!
//! Deliberately not here: a document cache, a caller, a check, a store. Whoever is faster than this does more in
//! less time.

use async_graphql::{EmptySubscription, ID, InputObject, Object, Schema, SimpleObject};
use async_graphql_axum::GraphQL;
use axum::Router;
use axum::routing::post_service;
use std::io::Write;

struct Query;

#[Object]
impl Query {
    async fn ready(&self) -> bool {
        true
    }
}

#[derive(InputObject)]
struct EchoInput {
    auction_id: ID,
    amount: String,
    idempotency_key: String,
}

#[derive(SimpleObject)]
struct Echo {
    auction_id: ID,
    amount: String,
    idempotency_key: String,
}

struct Mutation;

#[Object]
impl Mutation {
    async fn echo(&self, input: EchoInput) -> Echo {
        Echo { auction_id: input.auction_id, amount: input.amount, idempotency_key: input.idempotency_key }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schema = Schema::new(Query, Mutation, EmptySubscription);
    let router = Router::new().route("/graphql", post_service(GraphQL::new(schema)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/graphql", listener.local_addr()?);
    std::io::stdout().flush()?;
    axum::serve(listener, router).await?;
    Ok(())
}
