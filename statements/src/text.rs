//! From bytes to text: UTF-8, UTF-16 with a mark, or what the file says of itself; else Windows-1252, which most banks
//! that say nothing mean, and which has a letter for every byte.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Mt,
    Xml,
    Ofx,
}

pub(crate) fn decode(bytes: &[u8]) -> Result<String, &'static str> {
    let declared = declared(bytes);
    let encoding = match Encoding::for_bom(bytes) {
        Some((marked, _)) => marked,
        None if std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => declared.unwrap_or(WINDOWS_1252),
    };
    let (text, _, damaged) = encoding.decode(bytes);
    if damaged {
        return Err("its bytes are no text in the encoding that it names");
    }
    if text.contains('\0') {
        return Err("it holds a zero byte, so it is no text");
    }
    Ok(text.into_owned())
}

/// `encoding="…"` of an XML declaration, unless it names UTF-8, which it is not.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(200)];
    let at = head.windows(9).position(|window| window == b"encoding=")? + 9;
    let quote = *head.get(at)?;
    let name = head[at + 1..].split(|byte| *byte == quote).next()?;
    Encoding::for_label(name).filter(|encoding| *encoding != UTF_8)
}

pub(crate) fn kind(text: &str) -> Option<Kind> {
    // Not at a byte: it may be inside a letter.
    let head: String = text.chars().take(4_096).collect();
    if head.contains("OFXHEADER") || head.to_ascii_uppercase().contains("<OFX>") {
        return Some(Kind::Ofx);
    }
    if head.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
        return Some(Kind::Xml);
    }
    text.lines().any(|line| line.starts_with(":20:") || line.contains("{4:")).then_some(Kind::Mt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_windows_1252_and_what_says_something_is_that() {
        assert_eq!(decode("Müller €".as_bytes()).as_deref(), Ok("Müller €"));
        assert_eq!(decode(b"M\xfcller \x80").as_deref(), Ok("Müller €"));
        let named = b"<?xml version='1.0' encoding='ISO-8859-2'?><a>\xb9</a>";
        assert!(decode(named).unwrap().contains('š'));
        let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain("a€".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(decode(&wide).as_deref(), Ok("a€"));
        assert!(decode(b"a\0b").is_err());
    }
}
