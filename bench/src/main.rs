//! `bench ROW`: one figure of the design, measured and printed with both sides, the ratio, the machine and the seed.
//!
//! Promises: both sides of a ratio are measured in one run, in turns, and their medians compared; what was put on the
//! disk is removed; an error is an exit code of 1 and no figure.
//!
//! Not here: a word on whether a figure is good enough (the report says which bound it holds), and figures of other
//! days: whoever wants to compare keeps the lines of `--json`.

mod ask;
mod load;
mod machine;
mod past;
mod program;
mod report;
mod rows;
mod town;

use clap::{Parser, ValueEnum};
use rows::{append, bids, decide, feed, fold, memory, scale};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Anything that ends a row without a figure.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(name = "bench/run", about = "Measures one row of the design's figures", max_term_width = 100)]
pub(crate) struct Line {
    #[arg(value_enum)]
    row: Row,
    /// Of each round; what a row needs by default differs
    #[arg(long)]
    seconds: Option<u64>,
    /// Of each side, taken in turns
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// HTTP connections, each with one request on its way
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// bids, peer, scale: agents that bid against each other in one auction; with 1 an agent only raises itself
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=20))]
    rivals: u64,
    /// scale, fold: events in the log, several for scale
    #[arg(long, value_delimiter = ',')]
    events: Vec<u64>,
    /// memory: closed inquiries
    #[arg(long, default_value_t = 100_000)]
    inquiries: usize,
    /// feed: agents who watch
    #[arg(long, default_value_t = 1_000)]
    subscribers: usize,
    /// feed: acceptances a second
    #[arg(long, default_value_t = 20)]
    pace: u64,
    /// Where things are kept while it runs; default: below the workspace's target
    #[arg(long)]
    data: Option<PathBuf>,
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Row {
    /// Durable accepted placeBid/s against the echo
    Bids,
    /// The same with 1 ms added to every flush
    BidsSlow,
    /// Durable accepted placeBid/s against PostGraphile and PostgreSQL
    Peer,
    /// The same with 1 ms added to every flush
    PeerSlow,
    /// Decide and apply, no I/O, one core
    Decide,
    /// The store's append against write and fdatasync
    Append,
    /// Folding a log into state against reading and parsing it
    Fold,
    /// placeBid, start, memory and disk with a long log against an empty one
    Scale,
    /// Acceptance to the agent's feed
    Feed,
    /// Memory after closed inquiries against none
    Memory,
}

impl Line {
    fn span(&self, default: u64) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(default).max(1))
    }
    fn rivals(&self) -> usize {
        self.rivals as usize
    }
}

/// A folder of this run, gone afterwards.
pub(crate) struct Scratch {
    /// Kept from run to run: the peer's packages, the shim.
    base: PathBuf,
    own: PathBuf,
}

impl Scratch {
    fn new(data: Option<&Path>) -> Result<Scratch, Failure> {
        let base = data.map_or_else(|| program::root().join("target/bench"), Path::to_owned);
        std::fs::create_dir_all(&base)?;
        let base = base.canonicalize()?;
        let own = base.join(format!("run-{}", std::process::id()));
        std::fs::create_dir_all(&own)?;
        Ok(Scratch { base, own })
    }
    fn join(&self, name: &str) -> PathBuf {
        self.own.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.own);
    }
}

/// What goes on, for whoever waits; figures go to standard output.
pub(crate) fn tell(text: &str) {
    eprintln!("bench: {text}");
}

fn run(line: &Line) -> Result<(), Failure> {
    if line.rounds == 0 || line.connections == 0 {
        return Err("at least one round and one connection".into());
    }
    let scratch = Scratch::new(line.data.as_deref())?;
    let machine = machine::facts(&scratch.own);
    let report = match line.row {
        Row::Bids => bids::against_echo(line, &scratch, false)?,
        Row::BidsSlow => bids::against_echo(line, &scratch, true)?,
        Row::Peer => bids::against_peer(line, &scratch, false)?,
        Row::PeerSlow => bids::against_peer(line, &scratch, true)?,
        Row::Decide => decide::run(line)?,
        Row::Append => append::run(line, &scratch)?,
        Row::Fold => fold::run(line, &scratch)?,
        Row::Scale => scale::run(line, &scratch)?,
        Row::Feed => feed::run(line, &scratch)?,
        Row::Memory => memory::run(line, &scratch)?,
    };
    report.print(&machine, line.seed, line.json);
    Ok(())
}

fn main() -> ExitCode {
    match run(&Line::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("bench: because {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}
