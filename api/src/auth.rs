//! Who calls: `Authorization: Bearer` → [`Viewer`].
//!
//! Promises: a token is taken only if the house's own Ed25519 key signed it, in time, for this house; a
//! header that is there and does not hold is an error, never an anonymous caller; nothing a token names
//! (`jku`, `x5u`, `jwk`) is followed. The key is 32 bytes in `DIR/keys/signing`, mode 0600, made by whoever
//! needs it first, so `token` works beside a running server. A token that was revoked (`revoked`) does not hold, nor does one
//! that was given by the word of a provider's key once that is taken back.
//!
//! Not here: what a role may do (the decision or the view says that), other issuers and API keys (another
//! [`Authenticate`]), and what stands in a query string or a socket's payload.

use crate::cache::TwoGenerations;
use crate::revoked::{Revocation, Revocations, RevokedFile, jti};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use domain::actor::{Actor, Role};
use domain::event::community::CustomerKey;
use domain::ids::{CustomerId, ProviderId};
use domain::time::{Span, Timestamp};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Issuer and audience of the house's own tokens.
const HOUSE: &str = "callmarket";
/// Longer tokens are refused unread.
const TOKEN_BYTES_MAX: usize = 8 * 1_024;
/// Tokens per generation of the cache of verified ones.
const CACHED_TOKENS: usize = 4_096;

/// The caller, for resolvers in `ctx.data::<Viewer>()`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    pub actor: Actor,
    /// When the token ends; a feed ends with it. None for anonymous callers.
    pub expires_at: Option<Timestamp>,
    /// Which token of the house's own it was, so that it can be revoked.
    pub token: Option<TokenMark>,
    /// By which provider's word it was given; it holds for as long as the provider has that key.
    pub vouched: Option<Vouched>,
}

/// A provider's key that said who the customer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    pub provider: ProviderId,
    /// Its identity: see `CustomerKey::identity`.
    pub key: Arc<str>,
}

/// What a revocation names of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenMark {
    pub jti: u128,
    /// Unix seconds.
    pub issued: u64,
}

impl Viewer {
    pub fn anonymous() -> Viewer {
        Viewer { actor: Actor::Anonymous, expires_at: None, token: None, vouched: None }
    }
}

/// Why a caller is refused. The client is told no more than this: which check failed is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("the Authorization header is not one bearer token")]
    NotBearer,
    #[error("the token is not valid")]
    BadToken,
}

/// Turns a request's headers into a caller. No header is an anonymous caller; a bad one is an error.
pub trait Authenticate: Send + Sync {
    fn authenticate(&self, headers: &HeaderMap) -> Result<Viewer, AuthError>;

    /// For what outlives its request.
    fn revocations(&self) -> Revocations {
        Revocations::none()
    }
}

/// A key that could not be read or made, or a token that could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the signing key {path} cannot be read or made")]
    File { path: PathBuf, source: std::io::Error },
    #[error("the signing key {path} does not hold 32 bytes")]
    Length { path: PathBuf },
    #[error("the signing key {path} can be read by others; chmod 600 it, or remove it and give out new tokens")]
    Exposed { path: PathBuf },
    #[error("no randomness")]
    Random(#[source] getrandom::Error),
    #[error("the signing key does not work")]
    Crypto(#[from] jsonwebtoken::errors::Error),
    #[error("a token needs somebody whom it speaks for and a time to live above zero")]
    Claims,
}

/// Claims of the house's tokens; times in Unix seconds.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    role: Role,
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vouched: Option<Vouched>,
}

/// The house's own key: mints and verifies.
pub struct SigningKey {
    kid: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    verified: Mutex<TwoGenerations<[u8; 32], Viewer>>,
    revoked: RevokedFile,
}

impl SigningKey {
    /// Reads `DIR/keys/signing`, or makes it.
    pub fn open(data: &Path) -> Result<SigningKey, KeyError> {
        let folder = data.join("keys");
        let path = folder.join("signing");
        let seed = match read_seed(&path)? {
            Some(seed) => seed,
            None => make_seed(&folder, &path)?,
        };
        let failed = |source| KeyError::File { path: folder.join("revoked"), source };
        Ok(SigningKey { revoked: RevokedFile::of(&folder).map_err(failed)?, ..SigningKey::from_seed(&seed)? })
    }

    /// What revokes a token: its `jti`, given as it is or within the token, which need not hold any more.
    pub(crate) fn jti(&self, text: &str) -> Option<u128> {
        if let Some(jti) = jti(text) {
            return Some(jti);
        }
        let anytime = Validation {
            validate_exp: false,
            validate_nbf: false,
            reject_tokens_expiring_in_less_than: 0,
            ..self.validation.clone()
        };
        jti(&decode::<Claims>(text, &self.decoding, &anytime).ok()?.claims.jti)
    }

    /// These customers are erased: no token of theirs holds any more, and no address opens anything as them.
    pub(crate) fn end_customers(&self, erased: &[CustomerId]) {
        self.revoked.end_customers(erased);
    }

    /// These are a provider's keys from now on: what was given by the word of any other holds no more.
    pub(crate) fn keep_keys(&self, provider: ProviderId, keys: &[CustomerKey]) {
        self.revoked.keep_keys(provider, keys);
    }

    /// Looks whether more was revoked. Asks the disk.
    pub fn look_for_revoked(&self) -> std::io::Result<()> {
        self.revoked.look()
    }

    /// Writes it down beside the key in `DIR`, for the server that runs there and all that come after it.
    pub(crate) fn revoke(data: &Path, revocation: &Revocation) -> Result<(), KeyError> {
        let folder = data.join("keys");
        let failed = |source| KeyError::File { path: folder.join("revoked"), source };
        revocation.write(&folder).map_err(failed)
    }

    /// An Ed25519 private key as RFC 8032 has it: 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<SigningKey, KeyError> {
        // PKCS#8 of an Ed25519 key (RFC 8410 §7) is these 16 bytes and the seed.
        const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let encoding = EncodingKey::from_ed_der(&[PKCS8.as_slice(), seed].concat());
        let public = Jwk::from_encoding_key(&encoding, Algorithm::EdDSA)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[HOUSE]);
        validation.set_audience(&[HOUSE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        // Who minted it reads the same clock: it holds from its first instant to its last, and at `exp` no more.
        validation.leeway = 0;
        validation.reject_tokens_expiring_in_less_than = 1;
        Ok(SigningKey {
            kid: public.thumbprint(ThumbprintHash::SHA256)?,
            decoding: DecodingKey::from_jwk(&public)?,
            encoding,
            validation,
            verified: Mutex::new(TwoGenerations::new(CACHED_TOKENS)),
            revoked: RevokedFile::none(),
        })
    }

    /// A token that holds from now for `ttl`, in whole seconds.
    pub fn mint(&self, actor: &Actor, ttl: Span) -> Result<String, KeyError> {
        self.mint_by(actor, ttl, None)
    }

    /// The same by a provider's word: nothing where it does not count any more.
    pub(crate) fn mint_vouched(&self, actor: &Actor, ttl: Span, by: Vouched) -> Result<Option<String>, KeyError> {
        if self.revoked.has_taken_back(&by) {
            return Ok(None);
        }
        self.mint_by(actor, ttl, Some(by)).map(Some)
    }

    fn mint_by(&self, actor: &Actor, ttl: Span, vouched: Option<Vouched>) -> Result<String, KeyError> {
        let now = unix_seconds();
        let seconds = u64::try_from(ttl.0 / 1_000_000).unwrap_or(0);
        let sub = actor.id().filter(|_| seconds > 0).ok_or(KeyError::Claims)?;
        let mut jti = [0; 16];
        getrandom::fill(&mut jti).map_err(KeyError::Random)?;
        let claims = Claims {
            iss: HOUSE.to_owned(),
            aud: HOUSE.to_owned(),
            sub,
            role: actor.role(),
            iat: now,
            nbf: now,
            exp: now.saturating_add(seconds),
            jti: format!("{:032x}", u128::from_be_bytes(jti)),
            vouched,
        };
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        Ok(encode(&header, &claims, &self.encoding)?)
    }

    /// The caller a token speaks for. A token that held is remembered by its SHA-256 until it ends: a
    /// signature check costs as much as a query.
    pub fn verify(&self, token: &str) -> Result<Viewer, AuthError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::BadToken);
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let known = self.verified.lock().expect("nothing panics under this lock").get(&hash);
        let viewer = match known {
            Some(viewer) => {
                let end = viewer.expires_at.map_or(0, |at| at.0 / 1_000_000);
                let now = i64::try_from(unix_seconds()).unwrap_or(i64::MAX);
                if now < end { viewer } else { return Err(AuthError::BadToken) }
            }
            None => {
                let viewer = self.check(token)?;
                self.verified.lock().expect("nothing panics under this lock").insert(hash, viewer.clone(), 1);
                viewer
            }
        };
        // Asked each time: a revocation needs no way into the cache.
        if self.revoked.covers(&viewer) { Err(AuthError::BadToken) } else { Ok(viewer) }
    }

    fn check(&self, token: &str) -> Result<Viewer, AuthError> {
        let header = decode_header(token).map_err(|_| AuthError::BadToken)?;
        // RFC 7515 §4.1.11: what is critical and not understood makes a token invalid; nothing is understood.
        if header.alg != Algorithm::EdDSA || header.kid.as_ref() != Some(&self.kid) || header.crit.is_some() {
            return Err(AuthError::BadToken);
        }
        let claims = decode::<Claims>(token, &self.decoding, &self.validation).map_err(|_| AuthError::BadToken)?.claims;
        // Refuses roles that nobody has a token for, and subjects that are not of their role's kind.
        let actor = Actor::new(claims.role, Some(&claims.sub)).map_err(|_| AuthError::BadToken)?;
        let expires_at = i64::try_from(claims.exp).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let token = TokenMark { jti: jti(&claims.jti).ok_or(AuthError::BadToken)?, issued: claims.iat };
        let vouched = claims.vouched;
        Ok(Viewer { actor, expires_at: Some(Timestamp(expires_at)), token: Some(token), vouched })
    }
}

impl Authenticate for SigningKey {
    fn authenticate(&self, headers: &HeaderMap) -> Result<Viewer, AuthError> {
        match bearer(headers)? {
            Some(token) => self.verify(token),
            None => Ok(Viewer::anonymous()),
        }
    }

    fn revocations(&self) -> Revocations {
        self.revoked.revocations()
    }
}

/// The one bearer token of a request; none where there is no `Authorization` at all.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(AuthError::NotBearer);
    }
    let (scheme, token) =
        value.to_str().ok().and_then(|text| text.trim().split_once(' ')).ok_or(AuthError::NotBearer)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::NotBearer);
    }
    Ok(Some(token.trim_start()))
}

fn unix_seconds() -> u64 {
    unix_time().as_secs()
}

/// The time that tokens are held to: the wall clock's, here and wherever they were given out.
pub(crate) fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn read_seed(path: &Path) -> Result<Option<[u8; 32]>, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned() });
    }
    let bytes = fs::read(path).map_err(failed)?;
    bytes.try_into().map(Some).map_err(|_| KeyError::Length { path: path.to_owned() })
}

/// Written whole beside its place and linked into it: nobody reads half a key, and of two makers the
/// second takes the first one's.
fn make_seed(folder: &Path, path: &Path) -> Result<[u8; 32], KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(KeyError::Random)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let draft = folder.join(format!(".signing.{:016x}", getrandom::u64().map_err(KeyError::Random)?));
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(&seed).and_then(|()| file.sync_all()))
        .and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match written {
        Ok(()) => {
            removed.map_err(failed)?;
            fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
            Ok(seed)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            read_seed(path)?.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
