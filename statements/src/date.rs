//! Days as the formats write them.

use jiff::civil::Date;

/// `YYMMDD` of MT. Years from 70 on are of the last century. Where banks count every month as thirty days, a February has
/// thirty: its last day is meant.
pub(crate) fn six(text: &str) -> Option<Date> {
    let (year, month, day) = (number(text.get(..2)?)?, number(text.get(2..4)?)?, number(text.get(4..6)?)?);
    if text.len() != 6 {
        return None;
    }
    let year = if year >= 70 { 1900 + year } else { 2000 + year };
    civil(year, month, day)
}

/// `MMDD` next to the day whose year is known: the nearest such day.
pub(crate) fn beside(text: &str, known: Date) -> Option<Date> {
    let (month, day) = (number(text.get(..2)?)?, number(text.get(2..4)?)?);
    let years = (known.year() - 1)..=(known.year() + 1);
    let days = years.filter_map(|year| civil(year, month, day));
    days.min_by_key(|date| (*date - known).get_days().abs())
}

/// `YYYYMMDD` at the beginning, as in OFX; what follows is a time.
pub(crate) fn eight(text: &str) -> Option<Date> {
    let part = |from: usize, to: usize| number(text.get(from..to)?);
    civil(part(0, 4)?, part(4, 6)?, part(6, 8)?)
}

/// `YYYY-MM-DD` at the beginning, as in ISO 20022; what follows is a time.
pub(crate) fn iso(text: &str) -> Option<Date> {
    let part = |from: usize, to: usize| number(text.get(from..to)?);
    let dashes = text.get(4..5)? == "-" && text.get(7..8)? == "-";
    let ends = text.get(10..).is_some_and(|rest| rest.is_empty() || rest.starts_with(['T', 'Z', '+', '-']));
    if dashes && ends { civil(part(0, 4)?, part(5, 7)?, part(8, 10)?) } else { None }
}

fn civil(year: i16, month: i16, day: i16) -> Option<Date> {
    let day = if month == 2 && (29..=30).contains(&day) && !is_leap(year) {
        28
    } else if month == 2 && day == 30 {
        29
    } else {
        day
    };
    Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()
}

fn is_leap(year: i16) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn number(text: &str) -> Option<i16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_days() {
        let written = |date: Option<Date>| date.map(|date| date.to_string());
        assert_eq!(written(six("160230")).as_deref(), Some("2016-02-29"));
        assert_eq!(written(six("150229")).as_deref(), Some("2015-02-28"));
        assert_eq!(written(six("991231")).as_deref(), Some("1999-12-31"));
        for text in ["", "12345", "1234567", "161301", "160431", "16020a", "1602é"] {
            assert_eq!(six(text), None, "{text}");
        }
        let new_year = Date::constant(2017, 1, 2);
        assert_eq!(written(beside("1230", new_year)).as_deref(), Some("2016-12-30"));
        assert_eq!(written(beside("0103", new_year)).as_deref(), Some("2017-01-03"));
        assert_eq!(beside("9999", new_year), None);
        assert_eq!(written(eight("20091215202000.000[-4:EST]")).as_deref(), Some("2009-12-15"));
        assert_eq!(written(iso("2025-07-23T00:00:00.000000000")).as_deref(), Some("2025-07-23"));
        assert_eq!(written(iso("2014-12-30+01:00")).as_deref(), Some("2014-12-30"));
        for text in ["2014-12", "2014/12/30", "2014-12-30x", "2014-13-30"] {
            assert_eq!(iso(text), None, "{text}");
        }
    }
}
