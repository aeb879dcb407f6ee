//! The command line. Exit codes: 0 ok (also after SIGTERM), 1 found something or failed, 2 wrong use.
//! Every option is a `CALLMARKET_…` variable too. Answers go to standard output, everything else to
//! standard error.

mod auctions;
mod booked;
mod calls;
mod check;
mod export;
mod journal;
mod market;
mod progress;
mod serve;
mod statement;
mod table;
mod token;
mod topics;

#[cfg(fuzzing)]
pub(crate) use auctions::check_recorded;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use store::folder::{DataFolder, FolderError};

#[derive(Parser)]
#[command(name = "callmarket", version, about = "An exchange for live assistance", max_term_width = 100)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the exchange
    Serve(serve::Serve),
    /// Prints a bearer token as its last line; works beside a running server
    Token(token::Token),
    /// Prints the SDL
    Schema,
    /// Checks hash chains, gaps, and that the views are what the logs say
    Verify(check::Verify),
    /// Builds the history views anew from the logs
    Rebuild(check::Rebuild),
    /// Prints what the house holds; works beside a running server
    #[command(subcommand)]
    Export(export::Export),
    /// Reads bank statements, without importing them, and proves their balances
    Statement(statement::StatementFiles),
    /// Runs recorded market history through the same decisions on a turned clock
    #[command(subcommand)]
    Replay(Replay),
    /// Finds the subject matters of questions: makes a model, and asks it
    #[command(subcommand)]
    Topics(topics::Topics),
}

#[derive(Subcommand)]
enum Replay {
    /// Proxy auctions with recorded bids (auction_id, open_usd, price_usd, duration_days; bid_usd,
    /// bidtime_days, bidder)
    Auctions(auctions::Auctions),
    /// Sealed first-price auctions (auction_id, winning_bid; bid)
    Sealed(auctions::Sealed),
    /// A telephone centre's calls with waits, hang-ups and conversations (id, customer, type, arrival, vru_exit,
    /// queue_enter, queue_exit, outcome, service_start, service_end, agent, flags)
    Calls(calls::Calls),
}

/// Where the house keeps its things.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// The data folder
    #[arg(long, env = "CALLMARKET_DATA", default_value = "./callmarket-data")]
    data: PathBuf,
    /// Where the logs are kept
    #[arg(long, env = "CALLMARKET_STORE", value_enum, default_value_t = Backend::Sqlite)]
    store: Backend,
}

#[derive(Clone, Copy, ValueEnum)]
enum Backend {
    Sqlite,
}

/// Anything that ends a command with exit code 1.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A command that cannot be meant: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub(crate) String);

/// Wrong use, as against something found or failed: a folder or file that is not there, or is of another kind.
fn is_misuse(error: &Failure) -> bool {
    let folder = error.downcast_ref::<FolderError>();
    let file = error.downcast_ref::<table::TableError>();
    let questions = error.downcast_ref::<::topics::table::TableError>();
    let model = error.downcast_ref::<::topics::FileError>();
    error.is::<Misuse>()
        || matches!(
            folder,
            Some(FolderError::Absent { .. } | FolderError::NotAFolder { .. } | FolderError::Foreign { .. })
        )
        || file.is_some()
        || matches!(
            questions,
            Some(::topics::table::TableError::Open { .. } | ::topics::table::TableError::Header { .. })
        )
        || matches!(
            model,
            Some(
                ::topics::FileError::Open { .. }
                    | ::topics::FileError::Write { .. }
                    | ::topics::FileError::Foreign { .. }
                    | ::topics::FileError::Format { .. }
            )
        )
}

/// What a command found.
pub(crate) enum Found {
    Nothing,
    Something,
}

impl Place {
    /// Alone: nobody else may have the folder open.
    fn alone(&self) -> Result<DataFolder, Failure> {
        match self.store {
            Backend::Sqlite => Ok(DataFolder::open(&self.data)?),
        }
    }
    /// Beside a running server.
    fn beside(&self) -> Result<DataFolder, Failure> {
        match self.store {
            Backend::Sqlite => Ok(DataFolder::open_shared(&self.data)?),
        }
    }
    /// Beside a running server; where no server has been yet, the folder is made whole, so that `serve` finds
    /// a data folder and no stranger's.
    fn beside_or_new(&self) -> Result<DataFolder, Failure> {
        match self.store {
            Backend::Sqlite => match DataFolder::open_shared(&self.data) {
                Err(FolderError::Absent { .. }) => self.alone(),
                opened => Ok(opened?),
            },
        }
    }
}

pub fn main() -> ExitCode {
    let line = Line::parse();
    let outcome = match line.command {
        Command::Serve(serve) => serve.run(),
        Command::Token(token) => token.run(),
        Command::Schema => {
            print!("{}", crate::graphql::sdl());
            Ok(Found::Nothing)
        }
        Command::Verify(verify) => verify.run(),
        Command::Rebuild(rebuild) => rebuild.run(),
        Command::Export(export) => export.run(),
        Command::Statement(statement) => statement.run(),
        Command::Replay(Replay::Auctions(replay)) => replay.run(),
        Command::Replay(Replay::Sealed(replay)) => replay.run(),
        Command::Replay(Replay::Calls(replay)) => replay.run(),
        Command::Topics(topics) => topics.run(),
    };
    match outcome {
        Ok(Found::Nothing) => ExitCode::SUCCESS,
        Ok(Found::Something) => ExitCode::from(1),
        Err(error) => {
            eprintln!("callmarket: {}", causes(&*error));
            ExitCode::from(if is_misuse(&error) { 2 } else { 1 })
        }
    }
}

/// An error and its causes, on one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
