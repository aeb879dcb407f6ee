//! The programs that are measured, started and ended: the server that users get, the echo, PostGraphile.
//!
//! Promises: what was started is ended with its owner, by SIGTERM first; a program that is missing is named with what
//! would install it.
//!
//! Not here: building them (`bench/run` does), and what is asked of them.

use crate::Failure;
use crate::ask::Caller;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to end once asked.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program that listens.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Program {
    /// Starts it and reads the address that it prints first.
    fn start(mut command: Command, name: &str) -> Result<Program, Failure> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name} cannot be started: {error}"))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()?.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{name} did not start: see what it says above").into());
        };
        Ok(Program { child, address })
    }

    /// The echo that stands beside this program.
    pub(crate) fn echo() -> Result<Program, Failure> {
        Program::start(Command::new(beside("echo")?), "echo")
    }

    /// What the program holds in memory: resident now, and the most it ever was, in MiB.
    pub(crate) fn memory(&self) -> Result<(f64, f64), Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kilobytes / 1_024.0)
        };
        of("VmRSS:").zip(of("VmHWM:")).ok_or_else(|| "the system does not say what memory a process has".into())
    }
}

impl Program {
    /// Waits until it has done nothing for two seconds. Errors: it never stops.
    pub(crate) fn rest(&self) -> Result<(), Failure> {
        const LOOK: Duration = Duration::from_secs(2);
        const LOOKS_MAX: usize = 900;
        let mut before = self.ticks()?;
        for _ in 0..LOOKS_MAX {
            std::thread::sleep(LOOK);
            let now = self.ticks()?;
            // Of a hundredth of a second: looking at an idle server's timers takes one or two.
            if now - before <= 4 {
                return Ok(());
            }
            before = now;
        }
        Err("the server is busy with itself".into())
    }

    /// Of the processor, by all its threads.
    fn ticks(&self) -> Result<u64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // After the name in parentheses: state is the third field, user and system time the 14th and 15th (proc(5)).
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        ticks(11).zip(ticks(12)).map(|(user, system)| user + system).ok_or_else(|| "proc has another form".into())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let deadline = Instant::now() + PATIENCE;
        while asked.is_ok() && Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that was built with this one. `CALLMARKET_BIN` names another `callmarket`.
fn beside(name: &str) -> Result<PathBuf, Failure> {
    if name == "callmarket"
        && let Some(path) = std::env::var_os("CALLMARKET_BIN")
    {
        return Ok(path.into());
    }
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is not built; use bench/run", path.display()).into()) }
}

/// A running server and its folder.
pub(crate) struct House {
    pub(crate) program: Program,
    data: PathBuf,
    /// From the start of the process until it answered.
    pub(crate) started_in: Duration,
}

impl House {
    /// Serves the folder on a free port. `shim`: preloaded, to make flushes slow.
    pub(crate) fn open(data: &Path, shim: Option<&Path>, extra: &[&str]) -> Result<House, Failure> {
        let binary = beside("callmarket")?;
        let mut command = Command::new(&binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(extra);
        // One generator stands for many callers, behind one address.
        if serves_with(&binary, "--rate-limit")? {
            command.args(["--rate-limit", "off"]);
        }
        if let Some(shim) = shim {
            command.env("LD_PRELOAD", shim);
        }
        command.env("CALLMARKET_LOG", "warn");
        let begun = Instant::now();
        let program = Program::start(command, "callmarket")?;
        Caller::new(program.address, "").ask("{ __typename }", &serde_json::json!({}))?;
        Ok(House { program, data: data.to_owned(), started_in: begun.elapsed() })
    }

    pub(crate) fn token(&self, role: &str, subject: Option<&str>) -> Result<String, Failure> {
        let mut command = Command::new(beside("callmarket")?);
        command.args(["token", "--role", role, "--data"]).arg(&self.data);
        if let Some(subject) = subject {
            command.args(["--subject", subject]);
        }
        let output = command.stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8(output.stdout)?;
        let token = text.lines().last().filter(|_| output.status.success());
        Ok(token.ok_or("no token was printed")?.to_owned())
    }

    pub(crate) fn caller(&self, role: &str, subject: Option<&str>) -> Result<Caller, Failure> {
        Ok(Caller::new(self.program.address, &self.token(role, subject)?))
    }
}

fn serves_with(binary: &Path, option: &str) -> Result<bool, Failure> {
    let help = Command::new(binary).args(["serve", "--help"]).output()?;
    Ok(String::from_utf8_lossy(&help.stdout).contains(option))
}

/// Builds the history views of a folder that nobody serves.
pub(crate) fn rebuild(data: &Path) -> Result<(), Failure> {
    let status =
        Command::new(beside("callmarket")?).args(["rebuild", "--data"]).arg(data).stdout(Stdio::null()).status();
    if status?.success() { Ok(()) } else { Err("the history views could not be built".into()) }
}

/// The folder with the peers: `CALLMARKET_SHARED`, or `shared` beside the workspace.
fn peers() -> Result<PathBuf, Failure> {
    let shared = std::env::var_os("CALLMARKET_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let peers = shared.join("peers");
    if peers.exists() {
        return Ok(peers);
    }
    Err(format!("there is no {}: name the folder that holds `peers` with CALLMARKET_SHARED", peers.display()).into())
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compiles the shim that adds a millisecond to every flush.
pub(crate) fn slow_flush(scratch: &Path) -> Result<PathBuf, Failure> {
    let (source, shim) = (peers()?.join("slowsync.c"), scratch.join("slowsync.so"));
    let compiled =
        Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).args([&shim, &source]).arg("-ldl").status();
    match compiled {
        Ok(status) if status.success() => Ok(shim.canonicalize()?),
        Ok(_) => Err(format!("{} does not compile", source.display()).into()),
        Err(_) => Err("the flush shim needs a C compiler: apt-get install gcc libc6-dev".into()),
    }
}

/// PostgreSQL behind PostGraphile, with its table of bids.
pub(crate) struct Peer {
    pub(crate) program: Program,
    psql: PathBuf,
    port: u16,
}

impl Peer {
    /// `scratch`: where it keeps its packages and its data; they are used again.
    pub(crate) fn open(scratch: &Path, shim: Option<&Path>) -> Result<Peer, Failure> {
        let serve = peers()?.join("postgraphile/serve");
        let psql = psql().ok_or("the peer needs PostgreSQL's server: apt-get install postgresql")?;
        if crate::machine::said("npm", &["--version"]).is_none() {
            return Err("the peer needs Node and npm: apt-get install nodejs npm".into());
        }
        let folder = scratch.join("postgraphile");
        fs::create_dir_all(&folder)?;
        let (pgport, port) = (free_port()?, free_port()?);
        let mut command = Command::new(&serve);
        command.arg(folder.canonicalize()?).env("PGPORT", pgport.to_string()).env("PORT", port.to_string());
        if let Some(shim) = shim {
            command.env("SLOWSYNC", shim);
        }
        let why = "PostGraphile (its folder must be one that other users may enter: name another with --data)";
        let peer = Peer { program: Program::start(command, why)?, psql, port: pgport };
        peer.empty()?;
        Ok(peer)
    }

    /// No bids, as its benchmark wants it before each run.
    pub(crate) fn empty(&self) -> Result<(), Failure> {
        self.sql("TRUNCATE bids; UPDATE auctions SET best = 0").map(|_| ())
    }
    pub(crate) fn count(&self) -> Result<u64, Failure> {
        Ok(self.sql("SELECT count(*) FROM bids")?.parse()?)
    }
    pub(crate) fn version(&self) -> Result<String, Failure> {
        Ok(format!("PostgreSQL {}", self.sql("SHOW server_version")?))
    }

    fn sql(&self, text: &str) -> Result<String, Failure> {
        let port = self.port.to_string();
        let output = Command::new(&self.psql)
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "peer", "-qtA", "-c", text, "mkt"])
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err("the peer's database does not answer".into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

fn psql() -> Option<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").ok()?;
    installed.filter_map(|entry| Some(entry.ok()?.path().join("bin/psql"))).find(|path| path.exists())
}

/// A port that nobody listens at now.
fn free_port() -> Result<u16, Failure> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    // Whoever got it meanwhile is no program of ours.
    if TcpStream::connect(("127.0.0.1", port)).is_ok() { free_port() } else { Ok(port) }
}
