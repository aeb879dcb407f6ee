//! References that we issue, and how they are found again in what banks leave of them.
//!
//! Ours are ISO 11649: `RF`, two check digits, and here always 21 consonants, so that one is found in the middle of any
//! words, and makes none. Each wrong letter and each swap of neighbours is noticed by the check digits (ISO 7064,
//! mod 97-10; were there digits among the letters, it would not be): a damaged one is never taken for another.

const BODY: usize = 21;
/// All of it.
pub const LENGTH: usize = 4 + BODY;
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// The reference of a number, which is taken modulo 20^21: some 90 bits.
pub fn issue(mut number: u128) -> String {
    let mut body = [b'B'; BODY];
    for letter in body.iter_mut().rev() {
        *letter = ALPHABET[(number % 20) as usize];
        number /= 20;
    }
    let check = 98 - remainder(body.into_iter().chain(*b"RF00")).unwrap_or(0);
    let letters: String = body.into_iter().map(char::from).collect();
    format!("RF{check:02}{letters}")
}

/// Whether it is one of ours, whole and unharmed.
pub fn is_ours(text: &str) -> bool {
    text.len() == LENGTH && text.starts_with("RF") && {
        let (head, body) = text.as_bytes().split_at(4);
        head[2..].iter().all(u8::is_ascii_digit)
            && body.iter().all(|letter| ALPHABET.contains(letter))
            && remainder(body.iter().chain(head).copied()) == Some(1)
    }
}

/// Mod 97 of letters as two digits; `None` where something is neither.
fn remainder(text: impl Iterator<Item = u8>) -> Option<u32> {
    text.into_iter().try_fold(0, |rest, letter| match letter {
        b'0'..=b'9' => Some((rest * 10 + u32::from(letter - b'0')) % 97),
        b'A'..=b'Z' => Some((rest * 100 + u32::from(letter - b'A') + 10) % 97),
        _ => None,
    })
}

/// Only letters and digits, the letters large: banks break, pad and fold.
pub fn normal(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// Ours within any words, in their order, each once.
pub fn found_in(text: &str) -> Vec<String> {
    let text: Vec<char> = normal(text).chars().collect();
    let mut found: Vec<String> = vec![];
    for window in text.windows(LENGTH).filter(|window| window.starts_with(&['R', 'F'])) {
        let candidate: String = window.iter().collect();
        if is_ours(&candidate) && !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_the_standard() {
        // ISO 11649's own example.
        assert_eq!(remainder("539007547034RF18".bytes()), Some(1));
        assert!([0, 1, 1 << 89, u128::MAX].into_iter().all(|number| is_ours(&issue(number))));
        assert_ne!(issue(1 << 89), issue(0));
    }

    #[test]
    fn a_wrong_letter_or_a_swap_is_noticed_wherever_it_is() {
        let whole = issue(0x1234_5678_9abc_def0_1234);
        for at in 2..LENGTH {
            for letter in ('0'..='9').chain('A'..='Z') {
                let mut wrong = whole.clone();
                wrong.replace_range(at..=at, &letter.to_string());
                assert_eq!(is_ours(&wrong), wrong == whole, "{wrong}");
            }
            if at + 1 < LENGTH {
                let mut letters: Vec<char> = whole.chars().collect();
                letters.swap(at, at + 1);
                let swapped: String = letters.into_iter().collect();
                assert_eq!(is_ours(&swapped), swapped == whole, "{swapped}");
            }
        }
    }

    #[test]
    fn it_is_found_in_what_banks_leave() {
        let one = issue(77);
        let two = issue(1 << 80);
        let words = format!("SVWZ+Payout {} thanks/{}-", one.to_lowercase(), two);
        let broken: String =
            words.chars().enumerate().flat_map(|(at, c)| if at % 9 == 0 { vec!['\n', c] } else { vec![c] }).collect();
        assert_eq!(found_in(&broken), [one.clone(), two]);
        assert_eq!(found_in(&format!("RF{one}{one}")), [one]);
        assert!(found_in("RF").is_empty());
    }
}
