//! One delivery, once: signed as Standard Webhooks says, sent to the address that was checked, and what came of it.
//!
//! Promises: 15 s for all of it, 5 s of them for an answer's body, and what it has said by its head counts; 64 KiB of the
//! body are read; no redirect is followed; nothing of the secret or the address is logged.

use super::target::{Refused, Target};
use axum::http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::ids::DeliveryId;
use domain::time::Span;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use projections::webhooks::told::Answered;
use sha2::Sha256;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const DEADLINE: Duration = Duration::from_secs(15);
const BODY_DEADLINE: Duration = Duration::from_secs(5);
const READ_MAX: usize = 64 * 1_024;
const SECRET_BYTES: usize = 32;
const PREFIX: &str = "whsec_";

/// A fresh secret as it is shown, once.
pub(crate) fn fresh_secret() -> String {
    let mut drawn = [0; SECRET_BYTES];
    getrandom::fill(&mut drawn).expect("the system gives randomness");
    format!("{PREFIX}{}", BASE64.encode(drawn))
}

/// `webhook-signature`: one entry for each secret that holds now.
pub(super) fn signature(secrets: &[String], id: &str, timestamp: i64, body: &str) -> Option<String> {
    let sign = |secret: &String| {
        let key = BASE64.decode(secret.strip_prefix(PREFIX)?).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length is a key");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        Some(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
    };
    secrets.iter().map(sign).collect::<Option<Vec<String>>>().map(|entries| entries.join(" "))
}

/// Asks once. `Err`: the address is refused now. `Ok(None)`: no answer came.
pub(super) async fn send(
    target: &Target,
    loopback: bool,
    delivery: DeliveryId,
    timestamp: i64,
    signature: &str,
    body: String,
) -> Result<Option<Answered>, Refused> {
    let ends = Instant::now() + DEADLINE;
    let all = async {
        let addresses = target.addresses(loopback).await?;
        Ok(exchange(target, &addresses, delivery, timestamp, signature, body, ends).await)
    };
    tokio::time::timeout_at(ends, all).await.unwrap_or(Ok(None))
}

async fn exchange(
    target: &Target,
    addresses: &[std::net::SocketAddr],
    delivery: DeliveryId,
    timestamp: i64,
    signature: &str,
    body: String,
    ends: Instant,
) -> Option<Answered> {
    let stream = TcpStream::connect(addresses).await.ok()?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(target.path.as_str())
        .header(HOST, &target.authority)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, "callmarket")
        .header("webhook-id", delivery.to_string())
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(Full::new(Bytes::from(body)))
        .ok()?;
    if target.tls {
        let name = ServerName::try_from(target.host.clone()).ok()?;
        let stream = TlsConnector::from(TLS.clone()).connect(name, stream).await.ok()?;
        talk(stream, request, ends).await
    } else {
        talk(stream, request, ends).await
    }
}

/// Roots are the binary's own, so that what is trusted does not depend on the machine.
static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.expect("the provider has the default versions").with_root_certificates(roots);
    Arc::new(config.with_no_client_auth())
});

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    ends: Instant,
) -> Option<Answered> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let _ending = Ending(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    // Seconds; a day is as good as any more.
    let retry_after = retry_after.map(|seconds: u64| Span::seconds(seconds.min(86_400) as i64));
    let mut body = response.into_body();
    let mut read = 0;
    // What it says is nobody's; it may finish saying it, so that it does not take an early end for a failure.
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > READ_MAX {
                break;
            }
        }
    };
    // A drip is no end, and no failure: it has answered.
    let _ = tokio::time::timeout_at(ends.min(Instant::now() + BODY_DEADLINE), rest).await;
    Some(Answered { status, retry_after })
}

/// Ends the connection with whoever waits for it.
struct Ending(JoinHandle<()>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification's reference libraries.
    #[test]
    fn a_signature_is_the_standards() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        let body = r#"{"test": 2432232314}"#;
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = signature(std::slice::from_ref(&secret), id, 1_614_265_330, body).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = fresh_secret();
        let both = signature(&[secret.clone(), other], id, 1_614_265_330, body).unwrap();
        assert!(both.starts_with(&format!("{signed} v1,")), "{both}");
        assert_ne!(signature(std::slice::from_ref(&secret), id, 1_614_265_331, body).unwrap(), signed);
        assert_eq!(signature(&["whsec_!".to_owned()], id, 0, body), None);
    }

    #[test]
    fn a_secret_is_long_and_never_the_same() {
        let (one, other) = (fresh_secret(), fresh_secret());
        assert_ne!(one, other);
        assert_eq!(BASE64.decode(one.strip_prefix(PREFIX).unwrap()).unwrap().len(), SECRET_BYTES);
    }
}
