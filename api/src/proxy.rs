//! Whose address it is: the peer's, or, where the peer is a proxy that the house was told of, the one that the proxy
//! names.
//!
//! Promises: without a proxy that was configured, `Forwarded` and `X-Forwarded-For` are not read at all; behind one,
//! the client is the right-most hop that is no such proxy, so what a client writes into these headers itself never
//! counts. Where both headers are there and differ, one of them is the client's own: then it is the proxy's address,
//! and it stays somebody behind a proxy: never a caller of this machine's own.
//!
//! Not here: other headers that proxies invent, and the scheme and host that they name (`--public-url`).

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A network of proxies: `10.0.0.0/8`, `2001:db8::/32`, or one address. IPv4 written within IPv6 (`::ffff:10.0.0.0/104`)
/// is its IPv4 network, as addresses that are met are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(it)) => {
                (base.to_bits() ^ it.to_bits()).checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(it)) => {
                (base.to_bits() ^ it.to_bits()).checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Network, Self::Err> {
        let wrong = "an address, or a network such as 10.0.0.0/8";
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| wrong)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong)?;
        let mapped = match base {
            IpAddr::V6(base) => base.to_ipv4_mapped(),
            IpAddr::V4(_) => None,
        };
        match (mapped, bits) {
            (_, bits) if bits > most => Err(wrong),
            (None, bits) => Ok(Network { base, bits }),
            (Some(base), 96..) => Ok(Network { base: base.into(), bits: bits - 96 }),
            (Some(_), _) => {
                Err("a network of IPv4 addresses within IPv6 has at least 96 bits: ::ffff:0:0/96 is all of them")
            }
        }
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    /// A connection of this machine's own, and no proxy of ours: behind one that the house was not told of, everybody is
    /// this client, and so it is nobody in particular. The address alone does not tell: a proxy of ours may be on
    /// loopback too.
    pub is_own_machine: bool,
}

impl Client {
    /// Nobody speaks for it.
    pub fn direct(peer: IpAddr) -> Client {
        Client { address: peer, is_own_machine: peer.to_canonical().is_loopback() }
    }

    fn behind_proxy(address: IpAddr) -> Client {
        Client { address, is_own_machine: false }
    }
}

/// The proxies in front of the house; none by default.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<Network>);

impl Proxies {
    pub fn of(networks: Vec<Network>) -> Proxies {
        Proxies(networks)
    }

    /// Whether it is one of them.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whoever speaks through `peer`.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        match self.trusts(peer) {
            true => Client::behind_proxy(self.named(peer, headers)),
            false => Client::direct(peer),
        }
    }

    fn named(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let named = |header: HeaderName, read: fn(&str) -> Option<IpAddr>| {
            headers.contains_key(&header).then(|| self.nearest(peer, &hops(headers, &header), read))
        };
        match (named(FORWARDED, element), named(X_FORWARDED_FOR, address)) {
            (Some(one), Some(other)) if one != other => peer,
            (one, other) => one.or(other).unwrap_or(peer),
        }
    }

    /// From the right: past our proxies to the first that is none of them. A hop that names no address ends the
    /// search at the proxy that told of it.
    fn nearest(&self, peer: IpAddr, hops: &[&str], read: fn(&str) -> Option<IpAddr>) -> IpAddr {
        let mut nearest = peer;
        for hop in hops.iter().rev() {
            match read(hop) {
                Some(address) if self.trusts(address) => nearest = address,
                Some(address) => return address,
                None => return nearest,
            }
        }
        nearest
    }
}

/// All lines of the header are one list. One that is no text has no hops that could be trusted after it.
fn hops<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Vec<&'a str> {
    let lines = headers.get_all(header).iter().map(|line| line.to_str().unwrap_or(""));
    lines.flat_map(|line| line.split(',')).map(str::trim).collect()
}

/// An address, of which some proxies write the port too.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

/// The `for` of one element of `Forwarded` (RFC 7239).
fn element(text: &str) -> Option<IpAddr> {
    text.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| address(value.trim().trim_matches('"')))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(networks: &[&str]) -> Proxies {
        Proxies::of(networks.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn client(proxies: &Proxies, peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &map).address.to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_no_proxy_of_ours() {
        let said = [("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4")];
        assert_eq!(client(&Proxies::default(), "10.0.0.1", &said), "10.0.0.1");
        assert_eq!(client(&behind(&["10.0.0.0/8"]), "11.0.0.1", &said), "11.0.0.1");
        assert_eq!(client(&behind(&["10.0.0.0/8"]), "10.255.0.1", &said), "1.2.3.4");
        assert_eq!(client(&behind(&["10.0.0.0/8"]), "::ffff:10.0.0.1", &said), "1.2.3.4");
    }

    #[test]
    fn the_right_most_hop_that_is_no_proxy_is_the_client() {
        let proxies = behind(&["10.0.0.0/8", "2001:db8::/32"]);
        let of = |list: &str| client(&proxies, "10.0.0.1", &[("x-forwarded-for", list)]);
        assert_eq!(of("6.6.6.6, 1.2.3.4"), "1.2.3.4", "what is left of it is the client's own word");
        assert_eq!(of("6.6.6.6, 1.2.3.4, 10.0.0.7,10.0.0.8"), "1.2.3.4");
        assert_eq!(of("10.0.0.9, 10.0.0.7"), "10.0.0.9", "all are ours: the first of them");
        assert_eq!(of("1.2.3.4, unknown"), "10.0.0.1", "nothing is told: the proxy itself");
        assert_eq!(of("1.2.3.4, nonsense, 10.0.0.7"), "10.0.0.7");
        assert_eq!(of(""), "10.0.0.1");
        assert_eq!(of("1.2.3.4:5678"), "1.2.3.4");
        assert_eq!(of("[2001:db9::7]"), "2001:db9::7");
        assert_eq!(of("[2001:db9::7]:443, 2001:db8::1"), "2001:db9::7");
        assert_eq!(client(&proxies, "10.0.0.1", &[]), "10.0.0.1");
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(client(&proxies, "10.0.0.1", &lines), "1.2.3.4", "lines are one list");
        let of = |list: &str| client(&proxies, "10.0.0.1", &[("forwarded", list)]);
        assert_eq!(of(r#"for=6.6.6.6, For="[2001:db9::7]:4711";proto=https"#), "2001:db9::7");
        assert_eq!(of("for=1.2.3.4;by=10.0.0.1, proto=http;for=10.0.0.2"), "1.2.3.4");
        assert_eq!(of("for=1.2.3.4, for=_hidden"), "10.0.0.1");
        assert_eq!(of("proto=https"), "10.0.0.1");
    }

    #[test]
    fn of_two_headers_that_differ_one_is_forged() {
        let proxies = behind(&["10.0.0.1"]);
        let both = |forwarded: &str, plain: &str| {
            client(&proxies, "10.0.0.1", &[("forwarded", forwarded), ("x-forwarded-for", plain)])
        };
        assert_eq!(both("for=1.2.3.4", "1.2.3.4"), "1.2.3.4");
        assert_eq!(both("for=6.6.6.6", "1.2.3.4"), "10.0.0.1");
        assert_eq!(both("for=1.2.3.4", "6.6.6.6"), "10.0.0.1");
    }

    #[test]
    fn whoever_is_behind_a_proxy_of_ours_is_not_this_machine() {
        let is_own = |proxies: &Proxies, peer: &str, headers: &[(&'static str, &'static str)]| {
            let map = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            proxies.client(peer.parse().unwrap(), &map.collect()).is_own_machine
        };
        let none = Proxies::default();
        let forged = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert!(is_own(&none, "127.0.0.1", &[]) && is_own(&none, "::1", &forged) && !is_own(&none, "1.2.3.4", &[]));
        assert!(is_own(&none, "::ffff:127.0.0.1", &[]));
        let ours = behind(&["127.0.0.1"]);
        assert_eq!(client(&ours, "127.0.0.1", &forged), "127.0.0.1");
        assert!(!is_own(&ours, "127.0.0.1", &forged) && !is_own(&ours, "127.0.0.1", &[]));
        assert!(!is_own(&ours, "127.0.0.1", &[("x-forwarded-for", "127.0.0.2")]), "it says so itself");
        assert!(is_own(&ours, "127.0.0.2", &forged), "no proxy of ours");
    }

    #[test]
    fn a_network_ends_where_its_bits_say() {
        let within = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse::<IpAddr>().unwrap())
        };
        assert!(within("10.1.2.0/23", "10.1.3.255") && !within("10.1.2.0/23", "10.1.4.0"));
        assert!(within("10.1.2.3", "10.1.2.3") && !within("10.1.2.3/32", "10.1.2.2"));
        assert!(within("0.0.0.0/0", "255.1.1.1") && !within("0.0.0.0/0", "::1"));
        assert!(within("::/0", "2001::1") && !within("::1", "::2"));
        // IPv4 within IPv6 is IPv4, on both sides.
        assert!(within("::ffff:10.0.0.0/104", "10.255.0.1") && !within("::ffff:10.0.0.0/104", "11.0.0.1"));
        assert!(within("::ffff:10.0.0.0/104", "::ffff:10.255.0.1") && within("::ffff:10.1.2.3", "10.1.2.3"));
        assert!(within("::ffff:0:0/96", "255.1.1.1") && !within("::ffff:0:0/96", "2001::1"));
        let told = "::ffff:10.0.0.0/95".parse::<Network>().unwrap_err();
        assert!(told.contains("at least 96 bits"), "{told}");
        for wrong in
            ["", "10.0.0.0/33", "::ffff:10.0.0.0/129", "::/129", "10.0.0.0/-1", "10.0.0/8", "10.0.0.0/", "host"]
        {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
