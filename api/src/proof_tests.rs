//! Attacks on proofs, and what of a key is taken.

use super::*;
use base64::engine::general_purpose::STANDARD;
use hmac::KeyInit;
use jsonwebtoken::{EncodingKey, Header, encode};

const PROVIDER: ProviderId = ProviderId(7);
const NOW: Timestamp = Timestamp(1_800_000_000 * 1_000_000);
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400;

/// PKCS#8 around a seed of Ed25519 (RFC 8410), and around a scalar of P-256 without its point (RFC 5915).
fn ed25519(seed: u8) -> EncodingKey {
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    EncodingKey::from_ed_der(&[head.as_slice(), &[seed; 32]].concat())
}
fn p256(scalar: u8) -> EncodingKey {
    let head = "MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCA=";
    EncodingKey::from_ec_der(&[STANDARD.decode(head).unwrap().as_slice(), &[scalar; 32]].concat())
}
fn public(key: &EncodingKey, algorithm: Algorithm) -> Value {
    serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap()
}
fn registered(key: &EncodingKey, algorithm: Algorithm, kid: &str) -> CustomerKey {
    CustomerKey { kid: kid.to_owned(), ..key_of(&public(key, algorithm)).unwrap() }
}
fn keys() -> Vec<CustomerKey> {
    vec![registered(&ed25519(1), Algorithm::EdDSA, "ed"), registered(&p256(1), Algorithm::ES256, "ec")]
}
fn secret() -> Hmac<Sha256> {
    Hmac::new_from_slice(&[9; 32]).unwrap()
}
fn claims() -> Value {
    json!({ "sub": "ann", "aud": PROVIDER.to_string(), "exp": NOW.0 / SECOND + 60 })
}
fn header(algorithm: Algorithm, kid: Option<&str>) -> Header {
    Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) }
}
fn signed_by_ed(claims: &Value) -> String {
    encode(&header(Algorithm::EdDSA, Some("ed")), claims, &ed25519(1)).unwrap()
}
fn taken(proof: &str) -> Result<Proven, &'static str> {
    read(proof, PROVIDER, &keys(), &secret(), NOW).map_err(|refusal| match refusal {
        Refusal::CustomerProofRefused { message } => message,
        other => panic!("{other:?}"),
    })
}
fn with(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}
const UNSIGNED: &str = "Not a JWT signed with EdDSA or ES256 by a key that the provider has registered.";

#[test]
fn a_proof_by_a_registered_key_leads_to_the_same_mark_by_either_key_and_to_another_for_another_provider() {
    let by_ed = taken(&signed_by_ed(&claims())).unwrap();
    let by_ec = taken(&encode(&header(Algorithm::ES256, Some("ec")), &claims(), &p256(1)).unwrap()).unwrap();
    assert_eq!(
        vec![by_ed.key.clone(), by_ec.key.clone()],
        keys().into_iter().map(|key| key.thumbprint).collect::<Vec<_>>()
    );
    assert_eq!(by_ed.mark, by_ec.mark);
    // Who names no key is tried with all of them.
    let unnamed = taken(&encode(&header(Algorithm::ES256, None), &claims(), &p256(1)).unwrap()).unwrap();
    assert_eq!(unnamed, by_ec);
    assert_ne!(taken(&signed_by_ed(&with("sub", json!("ben")))).unwrap().mark, by_ed.mark);
    let other = ProviderId(8);
    let proof = signed_by_ed(&with("aud", json!([other.to_string(), PROVIDER.to_string()])));
    let elsewhere = read(&proof, other, &keys(), &secret(), NOW).unwrap();
    assert_ne!(elsewhere.mark, by_ed.mark, "the same reference of another provider");
    assert_eq!(taken(&proof).unwrap().mark, by_ed.mark);
    let other_house = Hmac::new_from_slice(&[8; 32]).unwrap();
    assert_ne!(read(&proof, PROVIDER, &keys(), &other_house, NOW).unwrap().mark, by_ed.mark);
}

#[test]
fn no_other_algorithm_than_the_keys_own_counts() {
    let body = |header: Value| {
        let part = |value: &Value| BASE64.encode(value.to_string());
        format!("{}.{}", part(&header), part(&claims()))
    };
    // Without a signature, under any spelling.
    for alg in ["none", "None", "NONE", "nOnE"] {
        let unsigned = body(json!({ "alg": alg, "kid": "ed" }));
        assert_eq!(taken(&format!("{unsigned}.")), Err(UNSIGNED));
        assert_eq!(taken(&unsigned), Err(UNSIGNED));
    }
    // The public key as the secret of an HMAC: as bytes, as text, as the whole JWK.
    let keys = keys();
    let x = BASE64.decode(&keys[0].x).unwrap();
    let texts = [x.clone(), keys[0].x.clone().into_bytes(), jwk_of(&keys[0]).to_string().into_bytes()];
    for secret in texts {
        for alg in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let forged = encode(&header(alg, Some("ed")), &claims(), &EncodingKey::from_secret(&secret)).unwrap();
            assert_eq!(taken(&forged), Err(UNSIGNED));
        }
    }
    // One key's name over the other key's signature.
    let crossed = encode(&header(Algorithm::ES256, Some("ed")), &claims(), &p256(1)).unwrap();
    assert_eq!(taken(&crossed), Err(UNSIGNED));
    let crossed = encode(&header(Algorithm::EdDSA, Some("ec")), &claims(), &ed25519(1)).unwrap();
    assert_eq!(taken(&crossed), Err(UNSIGNED));
    // A header that says another algorithm than what signed.
    let proof = signed_by_ed(&claims());
    let (_, rest) = proof.split_once('.').unwrap();
    let relabelled = BASE64.encode(json!({ "alg": "ES256", "kid": "ed" }).to_string());
    assert_eq!(taken(&format!("{relabelled}.{rest}")), Err(UNSIGNED));
}

#[test]
fn a_key_that_is_not_the_providers_proves_nothing_however_the_token_names_it() {
    let stranger = ed25519(2);
    for kid in [Some("ed"), None, Some("nobody's"), Some("")] {
        assert_eq!(taken(&encode(&header(Algorithm::EdDSA, kid), &claims(), &stranger).unwrap()), Err(UNSIGNED));
    }
    // The right key under a name that nobody knows.
    let unknown = encode(&header(Algorithm::EdDSA, Some("2019")), &claims(), &ed25519(1)).unwrap();
    assert_eq!(taken(&unknown), Err(UNSIGNED));
    // A key that comes along is not followed.
    let own = Jwk::from_encoding_key(&stranger, Algorithm::EdDSA).unwrap();
    let carrying = Header {
        jwk: Some(own),
        jku: Some("https://evil.example/keys".into()),
        x5u: Some("https://evil.example/cert".into()),
        ..header(Algorithm::EdDSA, Some("ed"))
    };
    assert_eq!(taken(&encode(&carrying, &claims(), &stranger).unwrap()), Err(UNSIGNED));
    // Of a provider without keys.
    let none = read(&signed_by_ed(&claims()), PROVIDER, &[], &secret(), NOW).unwrap_err();
    assert_eq!(none, Refusal::CustomerProofRefused { message: UNSIGNED });
    // What is critical is not understood.
    let part = |value: Value| BASE64.encode(value.to_string());
    let said = format!("{}.{}", part(json!({"alg": "EdDSA", "kid": "ed", "crit": ["x"], "x": 1})), part(claims()));
    let signature = jsonwebtoken::crypto::sign(said.as_bytes(), &ed25519(1), Algorithm::EdDSA).unwrap();
    assert_eq!(taken(&format!("{said}.{signature}")), Err(UNSIGNED));
}

#[test]
fn any_other_character_spoils_a_proof_and_so_does_its_size() {
    let proof = signed_by_ed(&claims());
    for at in 0..proof.len() {
        let mut altered = proof.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        assert!(taken(std::str::from_utf8(&altered).unwrap()).is_err(), "character {at}");
        assert!(taken(&proof[..at]).is_err(), "cut at {at}");
    }
    for broken in ["", ".", "..", "a.b.c", "ä.ö.ü", &format!("{proof}."), &format!("{proof}A"), &format!(" {proof}")]
    {
        assert!(taken(broken).is_err(), "{broken}");
    }
    // Right in everything, and too long by one; a megabyte is not even looked at.
    let padded = |most: usize| {
        let whole = |fill: usize| signed_by_ed(&with("fill", json!("x".repeat(fill))));
        let fill = (0..most).find(|fill| whole(*fill).len() >= most).unwrap();
        whole(fill)
    };
    let (most, over) = (padded(PROOF_BYTES_MAX - 1), padded(PROOF_BYTES_MAX + 1));
    assert!(most.len() <= PROOF_BYTES_MAX && taken(&most).is_ok(), "{}", most.len());
    assert_eq!(taken(&over), Err("At most 4,096 characters."));
    assert_eq!(taken(&"x".repeat(1 << 20)), Err("At most 4,096 characters."));
}

#[test]
fn a_proof_holds_in_its_time_for_its_provider_and_names_somebody() {
    let now = NOW.0 / SECOND;
    let exp = |seconds: i64| taken(&signed_by_ed(&with("exp", json!(now + seconds)))).map(drop);
    assert_eq!(exp(1), Ok(()));
    assert_eq!(exp(0), Err("The proof is over; ask the provider for a new one."));
    assert_eq!(exp(-1), Err("The proof is over; ask the provider for a new one."));
    assert_eq!(exp(DAY + 60), Ok(()), "a day, and clocks are apart");
    assert_eq!(exp(DAY + 61), Err("`exp` is more than a day ahead."));
    assert_eq!(exp(i64::MAX - now), Err("`exp` is more than a day ahead."));
    assert_eq!(taken(&signed_by_ed(&with("exp", json!(1e300)))), Err("`exp` is more than a day ahead."));
    assert!(taken(&signed_by_ed(&with("exp", json!(now as f64 + 0.5)))).is_ok(), "parts of seconds");
    let nbf = |seconds: i64| taken(&signed_by_ed(&with("nbf", json!(now + seconds)))).map(drop);
    assert_eq!((nbf(0), nbf(60)), (Ok(()), Ok(())));
    assert_eq!(nbf(61), Err("The proof does not hold yet."));

    const FORM: &str = "`sub`, `aud` and `exp` have to be there, and in their form.";
    for missing in ["sub", "aud", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(missing);
        assert_eq!(taken(&signed_by_ed(&claims)), Err(FORM), "{missing}");
    }
    for (member, wrong) in [("exp", json!("1900000000")), ("sub", json!(7)), ("nbf", json!("now")), ("aud", json!({}))]
    {
        assert_eq!(taken(&signed_by_ed(&with(member, wrong))), Err(FORM), "{member}");
    }
    for aud in [json!("callmarket"), json!(ProviderId(8).to_string()), json!([]), json!("")] {
        assert_eq!(taken(&signed_by_ed(&with("aud", aud))), Err("`aud` is another than the provider's id."));
    }
    let sub = |length: usize| taken(&signed_by_ed(&with("sub", json!("ä".repeat(length))))).map(drop);
    assert_eq!((sub(1), sub(255)), (Ok(()), Ok(())));
    let wrong = Err("`sub` is the provider's reference, 1 to 255 characters.");
    assert_eq!((sub(0), sub(256)), (wrong, wrong));
}

/// Points of small order, each in its form of RFC 8032: by one of them anybody signs anything.
#[test]
fn a_weak_key_is_no_key_and_proves_nothing_where_it_is_one_already() {
    const POINTS: [&str; 6] = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    ];
    let byte = |text: &str, at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    for point in POINTS {
        let point: Vec<u8> = (0..64).step_by(2).map(|at| byte(point, at)).collect();
        let x = BASE64.encode(&point);
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
        assert_eq!(key_of(&jwk), Err("no point of its curve, or a weak one"), "{point:?}");
        // The signature of a neutral R and S = 0, which such a key takes for some or all of what there is to sign.
        let known = CustomerKey { curve: Curve::Ed25519, kid: "weak".into(), thumbprint: String::new(), x, y: None };
        let part = |value: Value| BASE64.encode(value.to_string());
        let signature = BASE64.encode([&[1][..], &[0; 63]].concat());
        for nonce in 0..16 {
            let head = part(json!({ "alg": "EdDSA", "kid": "weak", "n": nonce }));
            let forged = format!("{head}.{}.{signature}", part(claims()));
            assert!(read(&forged, PROVIDER, std::slice::from_ref(&known), &secret(), NOW).is_err());
        }
    }
}

#[test]
fn a_key_is_taken_as_a_public_jwk_of_its_curve() {
    let (ed, ec) = (public(&ed25519(1), Algorithm::EdDSA), public(&p256(1), Algorithm::ES256));
    let thumbprint = |key: &EncodingKey, algorithm| {
        Jwk::from_encoding_key(key, algorithm).unwrap().thumbprint(ThumbprintHash::SHA256).unwrap()
    };
    assert_eq!(key_of(&ed).unwrap().kid, thumbprint(&ed25519(1), Algorithm::EdDSA), "named by itself");
    assert_eq!(key_of(&ec).unwrap().kid, thumbprint(&p256(1), Algorithm::ES256));
    let change = |jwk: &Value, member: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[member] = value;
        key_of(&jwk)
    };
    assert_eq!(change(&ed, "kid", json!("2026")).unwrap().kid, "2026");
    assert!(change(&ed, "key_ops", json!(["verify"])).is_ok() && change(&ec, "use", json!("sig")).is_ok());
    for key in [key_of(&ed).unwrap(), key_of(&ec).unwrap()] {
        assert_eq!(key_of(&jwk_of(&key)), Ok(key), "what is shown can be given again");
    }
    let short = BASE64.encode([1; 31]);
    let long = BASE64.encode([1; 33]);
    let off_the_curve = BASE64.encode([1; 32]);
    for wrong in [
        change(&ed, "d", json!(off_the_curve)),
        change(&ed, "kty", json!("RSA")),
        change(&ed, "crv", json!("X25519")),
        change(&ed, "crv", json!("P-256")),
        change(&ed, "alg", json!("HS256")),
        change(&ed, "alg", json!("none")),
        change(&ec, "alg", json!("EdDSA")),
        change(&ed, "alg", json!(1)),
        change(&ed, "use", json!("enc")),
        change(&ed, "key_ops", json!(["encrypt"])),
        change(&ed, "key_ops", json!(["verify", "deriveKey"])),
        change(&ed, "key_ops", json!(["sign"])),
        change(&ed, "key_ops", json!([])),
        change(&ed, "key_ops", json!("verify")),
        change(&ed, "kid", json!(1)),
        change(&ed, "x", json!(short)),
        change(&ed, "x", json!(long)),
        change(&ed, "x", json!("")),
        change(&ed, "x", json!("+/+/")),
        change(&ec, "x", json!(short)),
        change(&ec, "y", Value::Null),
        change(&ec, "y", json!(off_the_curve)),
        change(&ec, "crv", json!("P-384")),
        key_of(&json!({ "kty": "oct", "k": off_the_curve })),
        key_of(&json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" })),
        key_of(&json!({})),
        key_of(&json!([])),
        key_of(&json!("text")),
        key_of(&json!(null)),
    ] {
        assert!(wrong.is_err(), "{wrong:?}");
    }
}
