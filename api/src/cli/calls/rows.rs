//! The recorded calls: what each row says, and what is odd about it.
//!
//! It promises that no row is dropped without a word: it is a call, or it is named with file, line and column.
//! Times come without a zone and are taken as they stand, as if in UTC: order, lengths and hours of day are the
//! log's own.

use crate::cli::table::{Row, Table};
use domain::time::{Span, Timestamp};
use domain::topic::Topic;
use std::collections::HashSet;

pub(super) const COLUMNS: [&str; 12] = [
    "id",
    "customer",
    "type",
    "arrival",
    "vru_exit",
    "queue_enter",
    "queue_exit",
    "outcome",
    "service_start",
    "service_end",
    "agent",
    "flags",
];

/// All topics lie beneath it: `bank/ps`.
pub(super) const ROOT: &str = "bank";

pub(super) struct Call {
    pub(super) id: String,
    /// A pseudonym that comes back; absent: nobody knows who it was.
    pub(super) customer: Option<String>,
    pub(super) topic: Topic,
    pub(super) arrival: Timestamp,
    /// When the caller wanted an agent: entry to the queue, or the exit from the IVR where there was none.
    pub(super) wanted_at: Timestamp,
    pub(super) queued: bool,
    pub(super) end: End,
    /// The log marks it as odd.
    pub(super) flagged: bool,
}

/// How a call ended.
pub(super) enum End {
    /// Never asked for an agent.
    LeftInIvr,
    /// Hung up in the queue. Whatever conversation the row has besides (`odd`) is not told: the outcome counts.
    HungUp {
        at: Timestamp,
        odd: bool,
    },
    Answered(Answered),
}

pub(super) struct Answered {
    /// The end of the wait.
    pub(super) at: Timestamp,
    pub(super) agent: Option<String>,
    /// The conversation; absent where the log has none.
    pub(super) session: Option<(Timestamp, Timestamp)>,
}

impl Answered {
    /// Where the log has no conversation, it has no length.
    pub(super) fn service(&self) -> Span {
        self.session.map_or(Span::ZERO, |(start, end)| end - start)
    }
}

impl Call {
    /// How long the caller waited for what came.
    pub(super) fn waited(&self) -> Span {
        match &self.end {
            End::LeftInIvr => Span::ZERO,
            End::HungUp { at, .. } => *at - self.wanted_at,
            End::Answered(_) if !self.queued => Span::ZERO,
            End::Answered(answered) => answered.at - self.wanted_at,
        }
    }
    pub(super) fn answered(&self) -> Option<&Answered> {
        match &self.end {
            End::Answered(answered) => Some(answered),
            End::LeftInIvr | End::HungUp { .. } => None,
        }
    }
}

/// The calls of a table in its order; what cannot be read is reported in it.
pub(super) fn read(table: &mut Table) -> Vec<Call> {
    let mut calls = Vec::with_capacity(table.rows.len());
    let mut seen = HashSet::new();
    for row in std::mem::take(&mut table.rows) {
        match read_call(table, &row) {
            Ok(call) if !seen.insert(call.id.clone()) => {
                table.report(row.line, format!("id {:?} stands in the file twice", call.id));
            }
            Ok(call) => calls.push(call),
            Err(reason) => table.report(row.line, reason),
        }
    }
    calls
}

fn read_call(table: &Table, row: &Row) -> Result<Call, String> {
    let text = |column: &str| Some(table.cell(row, column)).filter(|text| !text.is_empty()).map(str::to_owned);
    let time = |column: &str| instant(column, table.cell(row, column));
    let id = text("id").ok_or("id is empty")?;
    let kind = table.cell(row, "type");
    let topic: Topic = format!("{ROOT}/{}", kind.to_ascii_lowercase())
        .parse()
        .map_err(|_| format!("type {kind:?}: not a word of letters and digits"))?;
    let arrival = time("arrival")?.ok_or("arrival is empty")?;
    let vru_exit = time("vru_exit")?.ok_or("vru_exit is empty")?;
    let queue = both("queue_enter", time("queue_enter")?, "queue_exit", time("queue_exit")?)?;
    let session = both("service_start", time("service_start")?, "service_end", time("service_end")?)?;
    let end = match (table.cell(row, "outcome"), queue) {
        ("AGENT", _) => {
            let at = queue.map_or(vru_exit, |(_, exit)| exit);
            End::Answered(Answered { at, agent: text("agent"), session })
        }
        ("HANG", Some((_, at))) => End::HungUp { at, odd: session.is_some() },
        ("HANG", None) if session.is_some() => {
            return Err("outcome \"HANG\" with a conversation and no queue: who hung up on whom is not told".to_owned());
        }
        ("HANG", None) => End::LeftInIvr,
        (other, _) => return Err(format!("outcome {other:?}: neither AGENT nor HANG")),
    };
    Ok(Call {
        id,
        customer: text("customer"),
        topic,
        arrival,
        wanted_at: queue.map_or(vru_exit, |(enter, _)| enter),
        queued: queue.is_some(),
        end,
        flagged: text("flags").is_some(),
    })
}

/// A beginning and an end, or neither.
fn both(
    from_column: &str,
    from: Option<Timestamp>,
    to_column: &str,
    to: Option<Timestamp>,
) -> Result<Option<(Timestamp, Timestamp)>, String> {
    match (from, to) {
        (None, None) => Ok(None),
        (Some(from), Some(to)) if to < from => Err(format!("{to_column}: earlier than {from_column}")),
        (Some(from), Some(to)) => Ok(Some((from, to))),
        (Some(_), None) => Err(format!("{to_column} is empty, and {from_column} is not")),
        (None, Some(_)) => Err(format!("{from_column} is empty, and {to_column} is not")),
    }
}

fn instant(column: &str, text: &str) -> Result<Option<Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || format!("{column} {text:?}: not a local time such as 1999-01-31T09:30:00");
    let local: jiff::civil::DateTime = text.parse().map_err(|_| wrong())?;
    let instant = jiff::tz::Offset::UTC.to_timestamp(local).map_err(|_| wrong())?;
    // The log's clock has seconds; a replay has a past and a future to it.
    if local.subsec_nanosecond() != 0 || !(1970..=9000).contains(&local.year()) {
        return Err(wrong());
    }
    Ok(Some(Timestamp(instant.as_microsecond())))
}

/// Midnight at a day's beginning.
pub(super) fn day(date: jiff::civil::Date) -> Result<Timestamp, jiff::Error> {
    Ok(Timestamp(jiff::tz::Offset::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::midnight()))?.as_microsecond()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The calls of rows given as `id,type,arrival,vru_exit,queue_enter,queue_exit,outcome,service_start,service_end,agent`,
    /// times as `HH:MM:SS` of one day.
    pub(in crate::cli::calls) fn calls(rows: &[&str]) -> (Vec<Call>, Vec<String>) {
        let on_the_day = |cell: &str| match cell.len() == 8 && cell.as_bytes()[2] == b':' {
            true => format!("1999-01-03T{cell}"),
            false => cell.to_owned(),
        };
        let mut text =
            "id,type,arrival,vru_exit,queue_enter,queue_exit,outcome,service_start,service_end,agent,customer,flags\n"
                .to_owned();
        for row in rows {
            let cells: Vec<String> = row.split(',').map(on_the_day).collect();
            text += &format!("{},,\n", cells.join(","));
        }
        let mut table = Table::read(text.as_bytes(), "calls.csv".as_ref(), &COLUMNS).unwrap();
        (read(&mut table), table.unreadable)
    }

    #[test]
    fn a_row_says_when_an_agent_was_wanted_and_what_came() {
        let (calls, unreadable) = calls(&[
            "1,PS,08:00:00,08:00:10,,,AGENT,08:00:09,08:02:00,A1",
            "2,NW,08:00:00,08:00:10,08:00:10,08:01:00,AGENT,08:01:00,08:02:00,A1",
            "3,NE,08:00:00,08:00:10,08:00:10,08:00:40,HANG,,,",
            "4,IN,08:00:00,08:00:10,,,HANG,,,",
            "5,TT,08:00:00,08:00:10,08:00:10,08:00:10,AGENT,,,",
        ]);
        assert_eq!(unreadable, Vec::<String>::new());
        let told: Vec<_> =
            calls.iter().map(|call| (call.topic.as_str(), call.queued, call.waited().0 / 1_000_000)).collect();
        assert_eq!(
            told,
            [
                ("bank/ps", false, 0),
                ("bank/nw", true, 50),
                ("bank/ne", true, 30),
                ("bank/in", false, 0),
                ("bank/tt", true, 0)
            ]
        );
        assert_eq!(calls[0].answered().map(|answered| answered.service()), Some(Span::seconds(111)));
        assert_eq!(calls[4].answered().map(|answered| answered.service()), Some(Span::ZERO));
        assert!(matches!(calls[2].end, End::HungUp { odd: false, .. }) && matches!(calls[3].end, End::LeftInIvr));
    }

    #[test]
    fn what_cannot_be_read_is_named_by_line_and_column() {
        let (calls, unreadable) = calls(&[
            "1,PS,08:00:00,08:00:10,,,HANG,,,",
            "1,PS,08:00:00,08:00:10,,,HANG,,,",
            "3,P S,08:00:00,08:00:10,,,HANG,,,",
            "4,PS,8 o'clock,08:00:10,,,HANG,,,",
            "5,PS,08:00:00,08:00:10,08:00:10,,HANG,,,",
            "6,PS,08:00:00,08:00:10,08:00:10,08:00:09,HANG,,,",
            "7,PS,08:00:00,08:00:10,,,GONE,,,",
            "8,PS,08:00:00,08:00:10,,,HANG,08:00:10,08:00:11,",
            ",PS,08:00:00,08:00:10,,,HANG,,,",
        ]);
        assert_eq!(calls.len(), 1);
        let places: Vec<_> =
            unreadable.iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            places,
            [
                "calls.csv:3: id",
                "calls.csv:4: type",
                "calls.csv:5: arrival",
                "calls.csv:6: queue_exit",
                "calls.csv:7: queue_exit:",
                "calls.csv:8: outcome",
                "calls.csv:9: outcome",
                "calls.csv:10: id",
            ]
        );
    }
}
