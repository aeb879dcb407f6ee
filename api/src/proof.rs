//! Customer proofs: a JWT by which a provider says which of its customers accepts. And the keys they are signed with.
//!
//! Promises: a proof is taken only where a key that its provider has registered signed it, for that provider, in time;
//! the key's own curve says by which algorithm, never the token; nothing a token names (`jku`, `x5u`, `jwk`) is followed.
//! The reference in it leaves here as a mark alone, an HMAC of provider and reference.
//!
//! Not here: whom a mark leads to (the vault), whether the key is the provider's still when it is decided (`domain`), and
//! who may register keys. Why it is so: `docs/adr/0043-customer-proofs.md`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use domain::event::community::{Curve, CustomerKey};
use domain::ids::ProviderId;
use domain::refusal::Refusal;
use domain::time::{Span, Timestamp};
use ed25519_dalek::VerifyingKey;
use hmac::{Hmac, Mac};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use store::vault::Mark;

/// Longer ones are refused unread.
const PROOF_BYTES_MAX: usize = 4 * 1_024;
/// Who holds a proof is that customer for so long, whoever it is.
const HOLDS_MAX: Span = Span::days(1);
/// A provider's clock may be ahead of this one by so much.
const CLOCKS_APART: Span = Span::seconds(60);
const REFERENCE_CHARS_MAX: usize = 255;
/// What a key is checked with: of both curves, as many bytes.
const COORDINATE_BYTES: usize = 32;

/// What a proof says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    /// Which key signed it.
    pub(crate) key: String,
    pub(crate) mark: Mark,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    aud: Audience,
    /// Seconds since 1970; some libraries write parts of them.
    exp: f64,
    nbf: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn names(&self, whom: &str) -> bool {
        match self {
            Audience::One(one) => one == whom,
            Audience::Many(all) => all.iter().any(|one| one == whom),
        }
    }
}

/// Reads a proof that is made for this provider, with its keys. `secret` is the store's, for marks alone.
pub(crate) fn read(
    proof: &str,
    provider: ProviderId,
    keys: &[CustomerKey],
    secret: &Hmac<Sha256>,
    now: Timestamp,
) -> Result<Proven, Refusal> {
    let refused = |message| Err(Refusal::CustomerProofRefused { message });
    if proof.len() > PROOF_BYTES_MAX {
        return refused("At most 4,096 characters.");
    }
    let Some((key, claims)) = signed(proof, keys) else {
        return refused("Not a JWT signed with EdDSA or ES256 by a key that the provider has registered.");
    };
    let Ok(claims) = claims else {
        return refused("`sub`, `aud` and `exp` have to be there, and in their form.");
    };
    if !claims.aud.names(&provider.to_string()) {
        return refused("`aud` is another than the provider's id.");
    }
    let exp = instant(claims.exp);
    if exp <= now {
        return refused("The proof is over; ask the provider for a new one.");
    }
    if exp > now + HOLDS_MAX + CLOCKS_APART {
        return refused("`exp` is more than a day ahead.");
    }
    if claims.nbf.is_some_and(|from| instant(from) > now + CLOCKS_APART) {
        return refused("The proof does not hold yet.");
    }
    if claims.sub.is_empty() || claims.sub.chars().count() > REFERENCE_CHARS_MAX {
        return refused("`sub` is the provider's reference, 1 to 255 characters.");
    }
    Ok(Proven { key, mark: mark(provider, &claims.sub, secret) })
}

/// The key that signed it, and what it says; nothing where none of them did.
fn signed(proof: &str, keys: &[CustomerKey]) -> Option<(String, Result<Claims, serde_json::Error>)> {
    let header = decode_header(proof).ok()?;
    // RFC 7515 §4.1.11: what is critical and not understood makes a token invalid; nothing is understood.
    if header.crit.is_some() {
        return None;
    }
    let meant = |key: &&CustomerKey| {
        algorithm(key.curve) == header.alg && header.kid.as_ref().is_none_or(|kid| *kid == key.kid)
    };
    for key in keys.iter().filter(meant) {
        let mut signature_alone = Validation::new(algorithm(key.curve));
        signature_alone.validate_exp = false;
        signature_alone.validate_aud = false;
        signature_alone.required_spec_claims.clear();
        // Times are held to the house's clock, and to bounds of its own; so the library looks at none.
        let read = decoding(key).and_then(|decoding| decode::<Value>(proof, &decoding, &signature_alone).ok());
        if let Some(read) = read {
            return Some((key.identity().to_owned(), serde_json::from_value(read.claims)));
        }
    }
    None
}

/// Whom it is about, without saying who: the same for the same reference of the same provider, and nobody's else.
fn mark(provider: ProviderId, reference: &str, secret: &Hmac<Sha256>) -> Mark {
    let mut mac = secret.clone();
    mac.update(&provider.0.to_be_bytes());
    mac.update(reference.as_bytes());
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    let mut mark = [0; 16];
    mark.copy_from_slice(&whole[..16]);
    mark
}

/// Far beyond either end where the number is.
fn instant(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1e6) as i64)
}

fn algorithm(curve: Curve) -> Algorithm {
    match curve {
        Curve::Ed25519 => Algorithm::EdDSA,
        Curve::P256 => Algorithm::ES256,
    }
}

fn decoding(key: &CustomerKey) -> Option<DecodingKey> {
    match (key.curve, &key.y) {
        (Curve::Ed25519, _) if is_weak(key) => None,
        (Curve::Ed25519, _) => DecodingKey::from_ed_components(&key.x).ok(),
        (Curve::P256, Some(y)) => DecodingKey::from_ec_components(&key.x, y).ok(),
        (Curve::P256, None) => None,
    }
}

/// A point of small order: by such a key one signature, which anybody can make, is right for whatever is signed.
fn is_weak(key: &CustomerKey) -> bool {
    let bytes = BASE64.decode(&key.x).ok().and_then(|bytes| <[u8; COORDINATE_BYTES]>::try_from(bytes).ok());
    let point = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    point.is_some_and(|point| point.is_weak())
}

/// A public key as a JWK has it (RFC 7517, RFC 8037). Errors: what is wrong with it.
pub(crate) fn key_of(jwk: &Value) -> Result<CustomerKey, &'static str> {
    let member = |name: &str| jwk.get(name).and_then(Value::as_str);
    if ["d", "k", "p", "q"].iter().any(|secret| jwk.get(secret).is_some()) {
        return Err("a secret key; give the public one, and use another from now on");
    }
    let curve = match (member("kty"), member("crv")) {
        (Some("OKP"), Some("Ed25519")) => Curve::Ed25519,
        (Some("EC"), Some("P-256")) => Curve::P256,
        _ => return Err("a JWK with kty OKP and crv Ed25519, or kty EC and crv P-256"),
    };
    let named = match curve {
        Curve::Ed25519 => ["EdDSA", "Ed25519"],
        Curve::P256 => ["ES256"; 2],
    };
    let fits = |name: &str, allowed: &[&str]| {
        jwk.get(name).is_none_or(|given| given.as_str().is_some_and(|given| allowed.contains(&given)))
    };
    // RFC 7517 §4.3: a private half may be said to sign; whatever else it is for, it is no key of this purpose.
    let verifies = jwk.get("key_ops").is_none_or(|given| {
        let named = given.as_array().map(|all| all.iter().map(Value::as_str).collect::<Vec<_>>());
        named.is_some_and(|all| {
            all.contains(&Some("verify")) && all.iter().all(|one| matches!(one, Some("verify" | "sign")))
        })
    });
    if !verifies || !fits("alg", &named) || !fits("use", &["sig"]) {
        return Err("a key that signs, by the algorithm of its curve");
    }
    let coordinate = |name| {
        let bytes = member(name).and_then(|text| BASE64.decode(text).ok());
        bytes.filter(|bytes| bytes.len() == COORDINATE_BYTES).map(|bytes| BASE64.encode(bytes))
    };
    let x = coordinate("x").ok_or("x is 32 bytes in base64url")?;
    let y = match curve {
        Curve::Ed25519 => None,
        Curve::P256 => Some(coordinate("y").ok_or("y is 32 bytes in base64url")?),
    };
    let mut key = CustomerKey { curve, kid: String::new(), thumbprint: String::new(), x, y };
    let works = decoding(&key).is_some_and(|decoding| {
        // Whatever is not on the curve makes no verifier at all.
        jsonwebtoken::crypto::verify("", b"", &decoding, algorithm(curve)).is_ok()
    });
    if !works {
        return Err("no point of its curve, or a weak one");
    }
    key.thumbprint = thumbprint(&key).ok_or("no point of its curve")?;
    key.kid = match jwk.get("kid") {
        Some(kid) => kid.as_str().ok_or("kid is text")?.to_owned(),
        None => key.thumbprint.clone(),
    };
    Ok(key)
}

/// RFC 7638.
fn thumbprint(key: &CustomerKey) -> Option<String> {
    let jwk: Jwk = serde_json::from_value(jwk_of(key)).ok()?;
    jwk.thumbprint(ThumbprintHash::SHA256).ok()
}

pub(crate) fn jwk_of(key: &CustomerKey) -> Value {
    match key.curve {
        Curve::Ed25519 => json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": key.kid, "x": key.x }),
        Curve::P256 => {
            json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": key.kid, "x": key.x, "y": key.y })
        }
    }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
