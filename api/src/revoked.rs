//! Tokens that were ended before their time: one, by its id, or all that somebody was given until a moment.
//!
//! They stand in `DIR/keys/revoked`, a line each, written by `callmarket token` and looked for by the server, which
//! forgets none: a line is never taken back. Beside them, whatever an erased customer was given or opens by an address, and
//! what was given by the word of a provider's key that is the provider's no more.
//!
//! Promises: a line is whole on the disk before the command says so; a line that cannot be read is said loudly and
//! ends nobody else's token; who waits for its own token hears of it at once when the file has been read.
//!
//! Not here: how often the file is looked at (`cli::serve`), and what a stream does then (`expiry`).

use crate::auth::{TokenMark, Viewer, Vouched};
use domain::actor::{Actor, Role};
use domain::event::community::CustomerKey;
use domain::ids::{CustomerId, ProviderId};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Revocation {
    /// By `jti`.
    Token(u128),
    /// Whatever was given to this actor up to and in this Unix second.
    All(Actor, u64),
}

impl Revocation {
    fn line(&self) -> String {
        match self {
            Revocation::Token(jti) => format!("token {jti:032x}\n"),
            Revocation::All(actor, until) => {
                let role = serde_json::to_string(&actor.role()).expect("a role is JSON");
                format!("all {} {} {until}\n", role.trim_matches('"'), actor.id().unwrap_or_default())
            }
        }
    }

    fn read(line: &str) -> Option<Revocation> {
        let mut words = line.split(' ');
        let read = match words.next()? {
            "token" => Revocation::Token(jti(words.next()?)?),
            "all" => {
                let role: Role = serde_json::from_str(&format!("\"{}\"", words.next()?)).ok()?;
                let actor = Actor::new(role, Some(words.next()?)).ok()?;
                Revocation::All(actor, words.next()?.parse().ok()?)
            }
            _ => return None,
        };
        words.next().is_none().then_some(read)
    }

    /// Adds the line to the file of this folder of keys.
    pub(crate) fn write(&self, keys: &Path) -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(keys.join(FILE))?;
        // Whatever broke off before it stays a line of its own.
        let broken = file.metadata()?.len() > 0 && !fs::read(keys.join(FILE))?.ends_with(b"\n");
        let line = if broken { format!("\n{}", self.line()) } else { self.line() };
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        fs::File::open(keys)?.sync_all()
    }
}

const FILE: &str = "revoked";

/// As tokens and the command line write it: 32 hexadecimal digits.
pub(crate) fn jti(text: &str) -> Option<u128> {
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// All that is known to be revoked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Revoked {
    tokens: HashSet<u128>,
    /// The latest second of each.
    until: HashMap<Actor, u64>,
    /// Not of the file: `community` says who they are.
    erased: HashSet<CustomerId>,
    /// Nor are these: with which each provider vouches now.
    keys: HashMap<ProviderId, Vec<String>>,
}

impl Revoked {
    fn add(&mut self, revocation: Revocation) {
        match revocation {
            Revocation::Token(jti) => {
                self.tokens.insert(jti);
            }
            Revocation::All(actor, second) => {
                let until = self.until.entry(actor).or_default();
                *until = second.max(*until);
            }
        }
    }

    fn covers(&self, viewer: &Viewer) -> bool {
        if matches!(viewer.actor, Actor::Customer(id) if self.erased.contains(&id)) {
            return true;
        }
        if viewer.vouched.as_ref().is_some_and(|by| self.has_taken_back(by)) {
            return true;
        }
        let Some(TokenMark { jti, issued }) = viewer.token else { return false };
        self.tokens.contains(&jti) || self.until.get(&viewer.actor).is_some_and(|until| issued <= *until)
    }
}

impl Revoked {
    fn has_taken_back(&self, by: &Vouched) -> bool {
        !self.keys.get(&by.provider).is_some_and(|keys| keys.iter().any(|key| **key == *by.key))
    }
}

/// What is revoked now, and the news of it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Revocations(watch::Receiver<Arc<Revoked>>);

impl Revocations {
    /// Of an issuer that revokes nothing.
    pub fn none() -> Revocations {
        Revocations(watch::channel(Arc::default()).1)
    }

    pub(crate) fn cover(&self, viewer: &Viewer) -> bool {
        self.0.borrow().covers(viewer)
    }

    /// Comes back once this viewer's token is revoked.
    pub(crate) async fn reach(&mut self, viewer: &Viewer) {
        if self.0.wait_for(|revoked| revoked.covers(viewer)).await.is_err() {
            std::future::pending().await
        }
    }
}

/// The file as it was read last, and who wants to know.
pub(crate) struct RevokedFile {
    path: Option<PathBuf>,
    /// Length, and seconds and nanoseconds of its last change.
    read: Mutex<Option<(u64, i64, i64)>>,
    now: watch::Sender<Arc<Revoked>>,
}

impl RevokedFile {
    /// Of a key that is in no folder: nothing is ever revoked.
    pub(crate) fn none() -> RevokedFile {
        RevokedFile { path: None, read: Mutex::default(), now: watch::channel(Arc::default()).0 }
    }

    pub(crate) fn of(keys: &Path) -> std::io::Result<RevokedFile> {
        let file = RevokedFile { path: Some(keys.join(FILE)), ..RevokedFile::none() };
        file.look()?;
        Ok(file)
    }

    /// Reads the file where it has changed. Call seldom enough: it asks the disk.
    pub(crate) fn look(&self) -> std::io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let seen = (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        let mut read = self.read.lock().expect("nothing panics under this lock");
        if *read == Some(seen) {
            return Ok(());
        }
        // A line that is no text is one that cannot be read; the others hold.
        let bytes = fs::read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut revoked =
            Revoked { tokens: HashSet::new(), until: HashMap::new(), ..Revoked::clone(&self.now.borrow()) };
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            match Revocation::read(line) {
                Some(revocation) => revoked.add(revocation),
                None => tracing::error!(line = number + 1, "revoked.unreadable"),
            }
        }
        self.now.send_replace(Arc::new(revoked));
        *read = Some(seen);
        Ok(())
    }

    /// Nobody is these customers any more.
    pub(crate) fn end_customers(&self, erased: &[CustomerId]) {
        // A reader of the file would put back who was known before.
        let _reading = self.read.lock().expect("nothing panics under this lock");
        self.now.send_modify(|revoked| Arc::make_mut(revoked).erased.extend(erased));
    }

    /// A provider vouches with these from now on, and with no other.
    pub(crate) fn keep_keys(&self, provider: ProviderId, keys: &[CustomerKey]) {
        let _reading = self.read.lock().expect("nothing panics under this lock");
        let keys: Vec<String> = keys.iter().map(|key| key.identity().to_owned()).collect();
        self.now.send_modify(|revoked| {
            Arc::make_mut(revoked).keys.insert(provider, keys);
        });
    }

    pub(crate) fn has_taken_back(&self, by: &Vouched) -> bool {
        self.now.borrow().has_taken_back(by)
    }

    pub(crate) fn covers(&self, viewer: &Viewer) -> bool {
        self.now.borrow().covers(viewer)
    }

    pub(crate) fn revocations(&self) -> Revocations {
        Revocations(self.now.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(name: &str, jti: u128, issued: u64) -> Viewer {
        let token = Some(TokenMark { jti, issued });
        Viewer { actor: Actor::Operator(name.into()), expires_at: None, token, vouched: None }
    }

    #[test]
    fn a_line_reads_back_and_nothing_else_is_one() {
        for revocation in [
            Revocation::Token(0xfeed),
            Revocation::All(Actor::Operator("ann".into()), 7),
            Revocation::All(Actor::Agent(domain::ids::AgentId(9)), 1_800_000_000),
        ] {
            assert_eq!(Revocation::read(revocation.line().trim_end()), Some(revocation));
        }
        let digits = "0".repeat(32);
        for line in ["", "token", "token 12", "tokens", "all OPERATOR ann", "all OPERATOR ann 7 8", "all AGENT ann 7"] {
            assert_eq!(Revocation::read(line), None, "{line}");
        }
        assert_eq!(Revocation::read(&format!("token {digits} more")), None);
        assert_eq!(jti(&format!("+{}", "1".repeat(31))), None);
    }

    #[tokio::test]
    async fn what_is_written_is_heard_of_and_nobody_else_is_hurt() {
        let keys = std::env::temp_dir().join(format!("callmarket-revoked-{:016x}", getrandom::u64().unwrap()));
        fs::create_dir_all(&keys).unwrap();
        let file = RevokedFile::of(&keys).unwrap();
        let mut revocations = file.revocations();
        let (one, other) = (viewer("ann", 1, 100), viewer("ann", 2, 101));
        Revocation::Token(1).write(&keys).unwrap();
        assert!(!file.covers(&one), "not looked at yet");
        file.look().unwrap();
        revocations.reach(&one).await;
        assert!(!file.covers(&other) && !revocations.cover(&other));
        // A line that broke off, and one after it.
        fs::OpenOptions::new().append(true).open(keys.join(FILE)).unwrap().write_all(b"token 12").unwrap();
        Revocation::All(Actor::Operator("bob".into()), 100).write(&keys).unwrap();
        file.look().unwrap();
        assert!(file.covers(&one), "for good");
        let covers = |issued| file.covers(&viewer("bob", 3, issued));
        assert_eq!([99, 100, 101].map(covers), [true, true, false]);
        assert!(!file.covers(&viewer("ann", 3, 100)));
        // Whoever is erased is nobody, with a token and without, also after the file was read again.
        let customer = |id| Viewer { actor: Actor::Customer(CustomerId(id)), ..Viewer::anonymous() };
        let mut revocations = file.revocations();
        assert!(!file.covers(&customer(7)));
        file.end_customers(&[CustomerId(7)]);
        revocations.reach(&customer(7)).await;
        Revocation::Token(9).write(&keys).unwrap();
        file.look().unwrap();
        assert!(file.covers(&customer(7)) && !file.covers(&customer(8)));
        // An earlier second later on changes nothing.
        Revocation::All(Actor::Operator("bob".into()), 50).write(&keys).unwrap();
        let again = RevokedFile::of(&keys).unwrap();
        assert!(again.covers(&viewer("bob", 3, 100)) && again.covers(&one), "after a restart");
        fs::remove_dir_all(&keys).unwrap();
    }
}
