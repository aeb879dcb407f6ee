use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::{AgentId, CustomerId, ProviderId};
use serde_json::{Value, json};

fn key() -> SigningKey {
    SigningKey::from_seed(&[9; 32]).unwrap()
}

/// A token signed by `key` with these changes to an otherwise good header and claims; null removes.
fn forged(key: &SigningKey, header: Value, claims: Value) -> String {
    let now = unix_seconds();
    let mut head = json!({"typ": "JWT", "alg": "EdDSA", "kid": key.kid});
    let mut body = json!({"iss": HOUSE, "aud": HOUSE, "sub": "ann", "role": "OPERATOR", "iat": now, "nbf": now, "exp": now + 60, "jti": "1".repeat(32)});
    for (target, changes) in [(&mut head, header), (&mut body, claims)] {
        for (name, value) in changes.as_object().unwrap() {
            target.as_object_mut().unwrap().insert(name.clone(), value.clone());
        }
        target.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(head.to_string()), URL_SAFE_NO_PAD.encode(body.to_string()));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key.encoding, Algorithm::EdDSA).unwrap();
    format!("{message}.{signature}")
}

#[test]
fn a_minted_token_says_who_calls() {
    let key = key();
    let actors = [
        Actor::Operator("ann".into()),
        Actor::Provider(ProviderId(1)),
        Actor::Agent(AgentId(1)),
        Actor::Finance("fin".into()),
        Actor::Customer(CustomerId(1)),
    ];
    for actor in actors {
        let token = key.mint(&actor, Span::seconds(60)).unwrap();
        for _ in 0..2 {
            let viewer = key.verify(&token).unwrap();
            assert_eq!(viewer.actor, actor);
            let left = viewer.expires_at.unwrap().0 / 1_000_000 - unix_seconds() as i64;
            assert!((58..=60).contains(&left), "{left}");
        }
    }
}

#[test]
fn what_is_no_token_is_not_minted() {
    let key = key();
    for (actor, ttl) in [(Actor::Anonymous, 1), (Actor::System, 1), (Actor::Agent(AgentId(1)), 0)] {
        assert!(matches!(key.mint(&actor, Span::seconds(ttl)), Err(KeyError::Claims)));
    }
}

#[test]
fn the_unchanged_forgery_holds_so_the_refusals_below_mean_something() {
    let key = key();
    assert!(key.verify(&forged(&key, json!({}), json!({}))).is_ok());
    // Where a key could be fetched from is not read, so it cannot matter.
    let elsewhere = json!({"jku": "http://127.0.0.1:9/keys", "x5u": "http://127.0.0.1:9/cert"});
    assert!(key.verify(&forged(&key, elsewhere, json!({}))).is_ok());
}

#[test]
fn attacks_are_refused() {
    let key = key();
    let now = unix_seconds();
    let attacks = [
        ("expired", json!({}), json!({"exp": now - 60})),
        ("expired now", json!({}), json!({"exp": now})),
        ("no exp", json!({}), json!({"exp": null})),
        ("exp as text", json!({}), json!({"exp": "9999999999"})),
        ("not yet", json!({}), json!({"nbf": now + 60})),
        ("soon", json!({}), json!({"nbf": now + 3})),
        ("no nbf", json!({}), json!({"nbf": null})),
        ("another issuer", json!({}), json!({"iss": "elsewhere"})),
        ("no issuer", json!({}), json!({"iss": null})),
        ("another audience", json!({}), json!({"aud": "elsewhere"})),
        ("no audience", json!({}), json!({"aud": null})),
        ("no subject", json!({}), json!({"sub": null})),
        ("empty subject", json!({}), json!({"sub": ""})),
        ("a subject of another kind", json!({}), json!({"role": "AGENT"})),
        ("no role", json!({}), json!({"role": null})),
        ("unknown role", json!({}), json!({"role": "ROOT"})),
        ("system", json!({}), json!({"role": "SYSTEM"})),
        ("anonymous", json!({}), json!({"role": "ANONYMOUS"})),
        ("no jti", json!({}), json!({"jti": null})),
        ("a jti that nobody could revoke", json!({}), json!({"jti": "1"})),
        ("unknown kid", json!({"kid": "another"}), json!({})),
        ("no kid", json!({"kid": null}), json!({})),
        ("crit", json!({"crit": ["exp"]}), json!({})),
        ("empty crit", json!({"crit": []}), json!({})),
        ("alg none", json!({"alg": "none"}), json!({})),
        ("alg HS256", json!({"alg": "HS256"}), json!({})),
        ("alg RS256", json!({"alg": "RS256"}), json!({})),
    ];
    for (name, header, claims) in attacks {
        assert_eq!(key.verify(&forged(&key, header, claims)), Err(AuthError::BadToken), "{name}");
    }
}

#[test]
fn signatures_of_others_are_refused() {
    let key = key();
    let good = key.mint(&Actor::Operator("ann".into()), Span::seconds(60)).unwrap();
    let (message, signature) = good.rsplit_once('.').unwrap();

    let other = SigningKey::from_seed(&[10; 32]).unwrap();
    assert_eq!(
        key.verify(&forged(&other, json!({"kid": key.kid}), json!({}))),
        Err(AuthError::BadToken),
        "another key"
    );
    // The classic confusion: HMAC with the public key as its secret.
    let head = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "kid": key.kid}).to_string());
    let confused = format!("{head}.{}", message.split_once('.').unwrap().1);
    let public = EncodingKey::from_secret(key.decoding.try_get_as_bytes().unwrap());
    let mac = jsonwebtoken::crypto::sign(confused.as_bytes(), &public, Algorithm::HS256).unwrap();
    assert_eq!(key.verify(&format!("{confused}.{mac}")), Err(AuthError::BadToken), "HS256 by the public key");
    // A key of the attacker's own in the header.
    let own = json!({"kid": key.kid, "jwk": serde_json::to_value(Jwk::from_encoding_key(&other.encoding, Algorithm::EdDSA).unwrap()).unwrap()});
    assert_eq!(key.verify(&forged(&other, own, json!({}))), Err(AuthError::BadToken), "embedded jwk");

    let giant = forged(&key, json!({}), json!({"jti": "x".repeat(64 * 1024)}));
    for bad in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        message,
        &format!("{message}."),
        &format!("{good}A"),
        &format!("{good}.x"),
        &giant,
    ] {
        assert_eq!(key.verify(bad), Err(AuthError::BadToken), "{}", &bad[..bad.len().min(40)]);
    }
    for at in 0..signature.len() - 1 {
        let mut bytes = good.clone().into_bytes();
        let place = message.len() + 1 + at;
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        assert!(key.verify(std::str::from_utf8(&bytes).unwrap()).is_err());
    }
}

#[test]
fn a_remembered_token_ends_too() {
    let key = key();
    let token = forged(&key, json!({}), json!({"exp": unix_seconds() + 2}));
    assert!(key.verify(&token).is_ok());
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    assert_eq!(key.verify(&token), Err(AuthError::BadToken));
}

#[test]
fn only_one_bearer_header_is_read() {
    let key = key();
    let token = key.mint(&Actor::Operator("ann".into()), Span::seconds(60)).unwrap();
    let with = |values: &[String]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        key.authenticate(&headers)
    };
    assert_eq!(with(&[]), Ok(Viewer::anonymous()));
    assert_eq!(with(&[format!("Bearer {token}")]).unwrap().actor, Actor::Operator("ann".into()));
    assert_eq!(with(&[format!("bearer  {token}")]).unwrap().actor, Actor::Operator("ann".into()));
    for bad in [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        format!("Basic {token}"),
        token.clone(),
        format!("Bearer{token}"),
    ] {
        assert!(with(std::slice::from_ref(&bad)).is_err(), "{bad}");
    }
    assert_eq!(with(&[format!("Bearer {token}"), format!("Bearer {token}")]), Err(AuthError::NotBearer));
}

#[test]
fn the_key_is_made_once_and_kept_to_its_owner() {
    let data = std::env::temp_dir().join(format!("callmarket-keys-{:016x}", getrandom::u64().unwrap()));
    let keys: Vec<SigningKey> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| SigningKey::open(&data).unwrap())).collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    let token = keys[0].mint(&Actor::Finance("fin".into()), Span::seconds(60)).unwrap();
    for key in &keys {
        assert_eq!(key.verify(&token).unwrap().actor, Actor::Finance("fin".into()));
    }
    let path = data.join("keys/signing");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(data.join("keys")).unwrap().count(), 1, "no drafts are left");

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(SigningKey::open(&data), Err(KeyError::Exposed { .. })));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, [1; 31]).unwrap();
    assert!(matches!(SigningKey::open(&data), Err(KeyError::Length { .. })));
    fs::remove_dir_all(&data).unwrap();
}
