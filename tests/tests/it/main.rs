//! One binary of stories: what users, operators and newcomers rely on.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, which is what it is for")]

mod allocation;
mod attack;
mod bad_input;
mod blocks;
mod books;
mod comeback;
mod conference;
mod consent;
mod contact_centre;
mod damage;
mod erasure;
mod export;
mod feeds;
mod front;
mod kill;
mod killed;
mod late;
mod limits;
mod locations;
mod notices;
mod offers;
mod past;
mod preferred;
mod promises;
mod proof;
mod queues;
mod readme;
mod replay;
mod replay_calls;
mod restart;
mod rights;
mod sealed;
mod served_replay;
mod snapshots;
mod stalled;
mod statement;
mod story;
mod strikes;
mod tidy;
mod topics;
mod walk;
mod webhooks;
