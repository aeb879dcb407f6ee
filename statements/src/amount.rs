//! Amounts as banks write them: `1234,56`, `1234.56`, `0,`, `000000473,17`, `-6.60`, `1.234,56`.

use rust_decimal::Decimal;

/// The last mark is the decimal one, unless it stands there more than once: then its kind groups, as the other kind does
/// before it. `None`: it is no amount, or has more than 28 digits.
pub(crate) fn parse(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let is_digit = |c: char| c.is_ascii_digit();
    if !digits.contains(is_digit) || !digits.chars().all(|c| is_digit(c) || c == '.' || c == ',') {
        return None;
    }
    let (whole, fraction) = match digits.rfind(['.', ',']) {
        Some(at) if !digits[..at].contains(&digits[at..=at]) => (&digits[..at], &digits[at + 1..]),
        _ => (digits, ""),
    };
    let mut groups = whole.split(['.', ',']);
    let first = groups.next()?;
    if groups.any(|group| group.len() != 3) || (first.is_empty() && first.len() != whole.len()) {
        return None;
    }
    let whole: String = whole.chars().filter(|c| c.is_ascii_digit()).collect();
    let significant = whole.trim_start_matches('0');
    let whole = if significant.is_empty() { "0" } else { significant };
    let exact = if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
    let amount = Decimal::from_str_exact(&exact).ok()?.normalize();
    Some(if negative && !amount.is_zero() { -amount } else { amount })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_banks_write_them() {
        let known = [
            ("1234,56", "1234.56"),
            ("1234.56", "1234.56"),
            ("0,", "0"),
            ("000000473,17", "473.17"),
            (",08", "0.08"),
            ("-6.60", "-6.6"),
            ("+200,29", "200.29"),
            ("1.234,56", "1234.56"),
            ("1,234,567.8", "1234567.8"),
            ("1.234.567", "1234567"),
            ("1,234", "1.234"),
            ("-0,00", "0"),
        ];
        for (text, amount) in known {
            assert_eq!(parse(text).map(|amount| amount.to_string()).as_deref(), Some(amount), "{text}");
        }
        let long = "9".repeat(40);
        for text in ["", ",", "-", "1 000", "12a", "1.23,4567.8", "1,,2", ".1.2", "--1", "1e3", &long] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
