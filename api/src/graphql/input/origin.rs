//! The origin of a web address, `scheme://host[:port]`, as the URL standard computes it.
//!
//! Strict on purpose: an address whose host a browser would rewrite (percent signs, non-ASCII letters,
//! numbers like `0x7f.1`), or that hides its host (user names, backslashes), has no origin here. What is
//! taken has the origin that a browser gives it. International names come in their ASCII form, `xn--…`.

use std::net::{Ipv4Addr, Ipv6Addr};

const HOST_CHARS_MAX: usize = 253;
const LABEL_CHARS_MAX: usize = 63;

/// The origin of an http or https address, in lower case and without the scheme's own port.
pub fn origin_of(url: &str) -> Option<String> {
    split(url).map(|(origin, _)| origin)
}

/// An address that is nothing but an origin, in its canonical form. A slash at the end is forgiven.
pub fn origin_alone(url: &str) -> Option<String> {
    split(url).filter(|(_, rest)| matches!(*rest, "" | "/")).map(|(origin, _)| origin)
}

fn split(url: &str) -> Option<(String, &str)> {
    // Browsers drop some of these and encode others: neither is what the sender wrote.
    if url.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let own_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (host, port) = match authority.strip_prefix('[') {
        Some(inside) => {
            let (address, after) = inside.split_once(']')?;
            let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?) };
            (ipv6(address)?, port)
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            (name_or_ipv4(host)?, port)
        }
    };
    let port = match port {
        Some(digits) => Some(read_port(digits)?).filter(|port| *port != own_port),
        None => None,
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some((format!("{scheme}://{host}{port}"), rest))
}

fn read_port(digits: &str) -> Option<u16> {
    let plain = (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

fn name_or_ipv4(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=LABEL_CHARS_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if host.len() > HOST_CHARS_MAX || !host.split('.').all(label) {
        return None;
    }
    // A browser reads a host whose last label is a number as an IPv4 address, in many spellings.
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if number { host.parse::<Ipv4Addr>().ok().map(|address| address.to_string()) } else { Some(host) }
}

fn ipv6(text: &str) -> Option<String> {
    let address: Ipv6Addr = text.parse().ok()?;
    // The standard writes the last 32 bits in hexadecimal where Rust writes dots.
    let [.., sixth, high, low] = address.segments();
    match address.to_ipv4_mapped() {
        Some(_) => Some(format!("[::{sixth:x}:{high:x}:{low:x}]")),
        None => Some(format!("[{address}]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn origins_as_a_browser_gives_them() {
        for (url, origin) in [
            ("https://example.org", "https://example.org"),
            ("HTTPS://Example.ORG/Path?q#f", "https://example.org"),
            ("https://example.org:443/", "https://example.org"),
            ("http://example.org:443/", "http://example.org:443"),
            ("http://example.org:080", "http://example.org"),
            ("http://localhost:8080?x", "http://localhost:8080"),
            ("https://xn--bcher-kva.example#a@b", "https://xn--bcher-kva.example"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("http://[2001:DB8:0:0:0:0:0:1]/", "http://[2001:db8::1]"),
            ("http://[::ffff:1.2.3.4]", "http://[::ffff:102:304]"),
            ("https://a_b.example/@x:y", "https://a_b.example"),
        ] {
            assert_eq!(origin_of(url).as_deref(), Some(origin), "{url}");
        }
    }

    #[test]
    fn what_has_no_origin() {
        for url in [
            "",
            "example.org",
            "//example.org",
            "https:/example.org",
            "https:example.org",
            "ftp://example.org",
            "javascript://example.org/%0aalert(1)",
            "https://",
            "https:///path",
            "https://user@example.org",
            "https://example.org@evil.example",
            "https://example.org\\@evil.example",
            "https://exa mple.org",
            "https://example.org\n",
            " https://example.org",
            "https://bücher.example",
            "https://ex%61mple.org",
            "https://example..org",
            "https://example.org.",
            "https://example.org:",
            "https://example.org:+80",
            "https://example.org:65536",
            "https://example.org:123456",
            "http://0x7f.1",
            "http://2130706433",
            "http://127.1",
            "http://256.1.1.1",
            "http://example.0x1",
            "http://[::1",
            "http://[::1]x",
            "http://[1.2.3.4]",
        ] {
            assert_eq!(origin_of(url), None, "{url}");
        }
    }

    #[test]
    fn an_origin_alone_has_no_path() {
        assert_eq!(origin_alone("https://Example.org:443/").as_deref(), Some("https://example.org"));
        for url in ["https://example.org/a", "https://example.org?", "https://example.org#"] {
            assert_eq!(origin_alone(url), None, "{url}");
        }
    }

    proptest! {
        #[test]
        fn an_origin_is_its_own_origin(url in "(http|HTTPS)://[a-z0-9.:\\[\\]@_-]{0,20}[/?#]?[ -~]{0,5}") {
            if let Some(origin) = origin_of(&url) {
                prop_assert_eq!(origin_alone(&origin), Some(origin.clone()));
                prop_assert_eq!(origin.to_lowercase(), origin);
            }
        }
    }
}
