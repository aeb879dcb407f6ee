//! Where a webhook may lead: https to a public address, and nothing that stands beside this house.
//!
//! Promises: an address is refused when the webhook is made and again each time something is sent; where a name has
//! several addresses, one that is not public refuses them all; what is connected to is the address that was checked.
//! Loopback, and http, only where the house was started for that (tests, development).

use crate::graphql::input::origin::origin_of;
use axum::http::uri::PathAndQuery;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An address of a webhook, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(super) tls: bool,
    /// As the certificate names it.
    pub(super) host: String,
    /// Of the `Host` header.
    pub(super) authority: String,
    pub(super) port: u16,
    pub(super) path: PathAndQuery,
}

/// What may be told to providers of why an address is refused.
pub(crate) type Refused = &'static str;

const FORM: Refused = "Give an https address with a plain host name, without user name and fragment.";
const PRIVATE: Refused = "Nothing is sent to this address: it is not a public one.";
const UNKNOWN: Refused = "The host's name leads to no address.";

impl Target {
    pub(crate) fn read(url: &str, loopback: bool) -> Result<Target, Refused> {
        let origin = origin_of(url).filter(|_| !url.contains('#')).ok_or(FORM)?;
        let (scheme, authority) = origin.split_once("://").ok_or(FORM)?;
        let tls = scheme == "https";
        if !tls && !loopback {
            return Err(FORM);
        }
        let bracket = authority.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match authority[bracket..].rfind(':') {
            Some(at) => (&authority[..bracket + at], authority[bracket + at + 1..].parse().map_err(|_| FORM)?),
            None => (authority, if tls { 443 } else { 80 }),
        };
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.find(['/', '?']).map_or("/", |at| &rest[at..]);
        let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
        let path = PathAndQuery::try_from(path).map_err(|_| FORM)?;
        Ok(Target { tls, host: host.trim_matches(['[', ']']).to_owned(), authority: authority.to_owned(), port, path })
    }

    /// The addresses to connect to, each of them checked just now.
    pub(crate) async fn addresses(&self, loopback: bool) -> Result<Vec<SocketAddr>, Refused> {
        let found: Vec<SocketAddr> = match self.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, self.port)],
            Err(_) => match tokio::net::lookup_host((self.host.as_str(), self.port)).await {
                Ok(found) => found.collect(),
                Err(_) => return Err(UNKNOWN),
            },
        };
        checked(found, loopback)
    }
}

/// All of them, or none.
fn checked(found: Vec<SocketAddr>, loopback: bool) -> Result<Vec<SocketAddr>, Refused> {
    if found.is_empty() {
        return Err(UNKNOWN);
    }
    let fits = |address: &SocketAddr| is_public(address.ip()) || (loopback && address.ip().is_loopback());
    if found.iter().all(fits) { Ok(found) } else { Err(PRIVATE) }
}

/// Whether an address is one of the internet's own (IANA's special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224.., ..)
    );
    !special
}

/// Global unicast without what leads back to IPv4 in disguise (mapped, NAT64, Teredo, 6to4) or to nobody.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_global = a & 0xE000 == 0x2000;
    // 2001::/23 is IETF's, Teredo in it; 2001:db8::/32 and 3fff::/20 stand in examples; 2002::/16 is 6to4.
    let special = (a == 0x2001 && (b < 0x200 || b == 0xDB8)) || a == 0x2002 || (a == 0x3FFF && b < 0x1000);
    is_global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_stands_beside_this_house_is_refused() {
        for url in [
            "https://127.0.0.1/",
            "https://127.1.2.3:8443/x",
            "https://[::1]/",
            "https://0.0.0.0/",
            "https://[::]/",
            "https://10.0.0.1/",
            "https://100.64.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://172.16.0.1/",
            "https://172.31.255.255/",
            "https://192.168.1.1/",
            "https://192.0.0.1/",
            "https://198.18.0.1/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:8.8.8.8]/",
            "https://[::127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[64:ff9b:1::7f00:1]/",
            "https://[2001:0:1::1]/",
            "https://[2001:db8::1]/",
            "https://[2002:7f00:1::]/",
            "https://[fc00::1]/",
            "https://[fd12::1]/",
            "https://[fe80::1]/",
            "https://[fec0::1]/",
            "https://[ff02::1]/",
            "https://[100::1]/",
            "https://localhost/",
        ] {
            let target = Target::read(url, false).unwrap_or_else(|_| panic!("{url} is an address"));
            assert!(target.addresses(false).await.is_err(), "{url}");
        }
        for url in ["https://8.8.8.8/", "https://[2606:4700::1111]/", "https://172.32.0.1/", "https://100.128.0.1/"] {
            let addresses = Target::read(url, false).unwrap().addresses(false).await;
            assert_eq!(addresses.unwrap().len(), 1, "{url}");
        }
    }

    #[test]
    fn what_hides_its_host_is_refused() {
        for url in [
            "https://0x7f000001/",
            "https://2130706433/",
            "https://127.1/",
            "https://0177.0.0.1/",
            "https://user:pass@example.org/",
            "https://example.org@127.0.0.1/",
            "https://example.org\\@127.0.0.1/",
            "https://example.org/#x",
            "http://example.org/",
            "ftp://example.org/",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "https://",
            "https://ex ample.org/",
            "https://example.org/a\r\nx: y",
        ] {
            assert_eq!(Target::read(url, false), Err(FORM), "{url}");
        }
    }

    #[test]
    fn an_address_is_taken_apart() {
        let target = |url| Target::read(url, true).unwrap();
        let whole = target("https://Hooks.example.org:8443/a/b?c=d");
        assert_eq!((whole.tls, whole.port, whole.host.as_str()), (true, 8443, "hooks.example.org"));
        assert_eq!((whole.authority.as_str(), whole.path.as_str()), ("hooks.example.org:8443", "/a/b?c=d"));
        let bare = target("https://example.org");
        assert_eq!((bare.port, bare.path.as_str()), (443, "/"));
        assert_eq!(target("https://example.org?x").path.as_str(), "/?x");
        let six = target("http://[::1]:8080/x");
        assert_eq!((six.tls, six.port, six.host.as_str(), six.authority.as_str()), (false, 8080, "::1", "[::1]:8080"));
        assert_eq!(target("http://[::1]/").port, 80);
    }

    #[test]
    fn one_private_address_among_public_ones_refuses_them_all() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 443);
        assert_eq!(checked(vec![at("8.8.8.8"), at("10.0.0.1")], true), Err(PRIVATE));
        assert_eq!(checked(vec![at("8.8.8.8"), at("127.0.0.1")], false), Err(PRIVATE));
        assert_eq!(checked(vec![at("::1")], false), Err(PRIVATE));
        assert_eq!(checked(vec![], true), Err(UNKNOWN));
        assert!(checked(vec![at("127.0.0.1")], true).is_ok());
        assert!(checked(vec![at("8.8.8.8"), at("2606:4700::1111")], false).is_ok());
    }
}
