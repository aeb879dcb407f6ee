//! Reading what a form posts: `application/x-www-form-urlencoded`, as browsers write it. Also query strings.

/// The fields in order; the first of a name counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Absent where the bytes are not of that form, or not UTF-8.
    pub(super) fn read(encoded: &[u8]) -> Option<Form> {
        let pairs = encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        let read = |pair: &[u8]| {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            Some((decoded(&pair[..at])?, decoded(pair.get(at + 1..).unwrap_or_default())?))
        };
        pairs.map(read).collect::<Option<_>>().map(Form)
    }

    /// What stands there; absent also where it is blank, as an empty field is.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

fn decoded(encoded: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(*digit).to_digit(16));
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).expect("two hexadecimal digits are a byte")
            }
            byte => *byte,
        });
    }
    // Browsers end lines with CR LF; what is recorded has one newline.
    String::from_utf8(bytes).ok().map(|text| text.replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_as_browsers_write_them() {
        let form =
            Form::read(b"question=Where+is%0D%0Amy%20card%3F&name=J%C3%BCrgen&&empty=&flag&name=second").unwrap();
        assert_eq!(form.get("question"), Some("Where is\nmy card?"));
        assert_eq!(form.get("name"), Some("Jürgen"));
        assert_eq!((form.get("empty"), form.get("flag"), form.get("absent")), (None, None, None));
        assert_eq!(Form::read(b""), Some(Form::default()));
        for broken in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%ff", b"%=1"] {
            assert_eq!(Form::read(broken), None);
        }
    }
}
