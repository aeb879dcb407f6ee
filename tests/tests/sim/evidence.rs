//! What the auditor is given of a day: the stored bytes, the answers as plain data, when the nodes came up,
//! and what readers of feeds saw.

use crate::audit::answers::{Said, Told};
use crate::audit::deadlines::Up;
use crate::audit::{Books, Line};
use crate::day::Day;
use crate::house::{Asked, LOGS, lock, log};
use store::backend::EventStore;
use store::raw::RawEvent;
use store::writer::order::Answer;

pub fn of(day: &Day) -> Books {
    let lines = |name: &str| {
        let raw = day.house.store.read(&log(name), 0, usize::MAX >> 1).expect("the store in memory can be read");
        raw.into_iter().map(line).collect()
    };
    let record = lock(&day.house.record);
    Books {
        logs: LOGS.iter().map(|name| ((*name).to_owned(), lines(name))).collect(),
        told: record.asked.iter().map(told).collect(),
        ups: record.ups.iter().map(|up| Up { log: up.log.to_string(), at: up.at.0, length: up.length }).collect(),
        ticks: record.ticks.iter().map(|entropy| entropy.command_id().to_string()).collect(),
        watches: day.watchers.watches(),
        glances: day.glances.clone(),
        sent: record.sent.clone(),
        marks: record.marks.clone(),
    }
}

fn line(raw: RawEvent) -> Line {
    Line { seq: raw.seq, envelope: raw.envelope.into(), data: raw.data.into(), salt: raw.salt, hash: raw.hash }
}

fn told(asked: &Asked) -> Told {
    let key = asked.order.key.map(|key| (format!("{:032x}", key.hash), format!("{:016x}", key.fingerprint)));
    let said = match &asked.answer {
        Some(Answer::Done(events)) => Said::Done(events.iter().map(|event| (event.seq, event.raw.hash)).collect()),
        Some(Answer::Replayed { first, events }) => Said::Replayed { first: *first, events: u64::from(*events) },
        Some(Answer::Refused(refusal)) => Said::Refused { code: refusal.code() },
        Some(Answer::Unavailable(_)) => Said::Unavailable,
        None => Said::Nothing,
    };
    Told {
        log: asked.log.to_string(),
        id: asked.order.id.to_string(),
        key,
        entered: asked.entered.0,
        from: asked.from,
        until: asked.until,
        said,
    }
}
