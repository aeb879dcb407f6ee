//! What leaves the house, by `effects`, by what receivers heard, and by the logs that it is about: each event that a
//! provider may see is claimed once for each webhook that stood, sent after that and no sooner than it was said, in the
//! order of its inquiry, until its receiver has it, ten attempts have failed, or nobody wants it any more.

use super::entry::{Entry, list, text, texts};
use super::{Audited, must};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A request that came to a receiver.
#[derive(Clone, Debug)]
pub struct Sent {
    pub webhook: String,
    pub delivery: String,
    /// By the sender's clock.
    pub at: i64,
    /// How many events `effects` had, and the log of the event that it tells.
    pub effects: u64,
    pub of: u64,
    /// What it was signed with, as they are sealed.
    pub secrets: Vec<String>,
    pub body: String,
    /// What the sender heard: a status, and when it is to ask again.
    pub answered: Option<(u16, Option<i64>)>,
}

/// Where the other logs stood when `effects` had so many events.
#[derive(Clone, Debug)]
pub struct Mark {
    pub effects: u64,
    pub lengths: BTreeMap<String, u64>,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Seconds from an attempt that failed to the next.
const STEPS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

struct Webhook<'a> {
    created: &'a Entry,
    /// Disabled, or deleted.
    ended: Option<u64>,
    deleted: bool,
    secrets: Vec<(&'a str, i64)>,
}

struct Delivery<'a> {
    webhook: &'a str,
    about: &'a str,
    source: &'a Entry,
    event: &'a str,
    attempts: i64,
    due: i64,
    pending: bool,
    /// What its last requests heard, none of them recorded.
    heard: Option<&'a Sent>,
}

#[derive(Default)]
struct Desk<'a> {
    webhooks: BTreeMap<&'a str, Webhook<'a>>,
    deliveries: BTreeMap<&'a str, Delivery<'a>>,
    /// What is pending, in order.
    lines: BTreeMap<(&'a str, &'a str), VecDeque<&'a str>>,
    planned: BTreeSet<(&'a str, &'a str, u64)>,
}

pub fn audit(sent: &[Sent], marks: &[Mark], logs: &BTreeMap<&str, Vec<Entry>>, over: bool) -> Audited {
    let Some(effects) = logs.get("effects") else { return Ok(()) };
    let mut desk = Desk::default();
    let owners = owners(logs);
    let mut requests = sent.iter().peekable();
    for (at, entry) in effects.iter().enumerate() {
        while let Some(request) = requests.next_if(|request| request.effects <= at as u64) {
            desk.asks(request, &owners, entry)?;
        }
        desk.takes(entry, logs, &owners)?;
    }
    let Some(last) = effects.last() else { return Ok(()) };
    for request in requests {
        desk.asks(request, &owners, last)?;
    }
    if over {
        desk.all_is_told(marks, logs, &owners, last)?;
    }
    Ok(())
}

/// Whose offers and inquiries they are, and where sealed auctions closed.
#[derive(Default)]
struct Owners<'a> {
    providers: BTreeMap<&'a str, &'a str>,
    /// By auction: its closing; absent: open to the end.
    sealed: BTreeMap<&'a str, Option<u64>>,
}

fn owners<'a>(logs: &'a BTreeMap<&str, Vec<Entry>>) -> Owners<'a> {
    let mut owners = Owners::default();
    for entry in logs.values().flatten() {
        match entry.kind.as_str() {
            "offer.published.v1" => drop(owners.providers.insert(entry.text("offer"), entry.text("provider"))),
            "inquiry.registered.v1" => drop(owners.providers.insert(entry.text("inquiry"), entry.text("provider"))),
            "auction.opened.v1" if text(&entry.data["rules"], "format").starts_with("SEALED") => {
                owners.sealed.insert(entry.text("auction"), None);
            }
            "auction.awarded.v1" | "auction.unsold.v1" | "auction.cancelled.v1" => {
                if let Some(closing) = owners.sealed.get_mut(entry.text("auction")) {
                    closing.get_or_insert(entry.seq);
                }
            }
            _ => {}
        }
    }
    owners
}

impl Owners<'_> {
    /// Whose trail an event stands in.
    fn of<'a>(&'a self, entry: &'a Entry) -> Option<&'a str> {
        let (family, _) = entry.kind.split_once('.')?;
        let named = |name: &str| entry.data.get(name).and_then(Value::as_str);
        match family {
            "provider" => named("provider"),
            "offer" => named("provider").or_else(|| self.providers.get(entry.text("offer")).copied()),
            "call_server" if entry.is("call_server.credit_limit_granted") => named("provider"),
            "agent" if entry.is("agent.blocked") || entry.is("agent.unblocked") => named("provider"),
            "wallet" => entry.data.get("owner")?.get("provider")?.as_str(),
            "inquiry" | "auction" | "reservation" | "session" | "settlement" => {
                let inquiry = entry.subjects.iter().find(|subject| subject.starts_with("inq_"))?;
                self.providers.get(inquiry.as_str()).copied()
            }
            _ => None,
        }
    }

    /// Of what a bid did in a sealed auction: its closing, if ever.
    fn sealed(&self, entry: &Entry) -> Option<Option<u64>> {
        let moved = entry.is("auction.extended") && entry.text_if("bid").is_some();
        let bid = entry.kind.starts_with("auction.bid_") || moved;
        if bid { self.sealed.get(entry.text("auction")).copied() } else { None }
    }
}

fn wants(webhook: &Webhook<'_>, event: &Entry) -> bool {
    let types = texts(&webhook.created.data, "types");
    webhook.created.time <= event.time && (types.is_empty() || types.contains(&event.kind.as_str()))
}

impl<'a> Desk<'a> {
    fn takes(&mut self, entry: &'a Entry, logs: &'a BTreeMap<&str, Vec<Entry>>, owners: &Owners<'a>) -> Audited {
        match entry.kind.strip_suffix(".v1").unwrap_or(&entry.kind) {
            "webhook.created" => {
                let secrets = vec![(text(&entry.data["secret"], "ciphertext"), i64::MAX)];
                let webhook = Webhook { created: entry, ended: None, deleted: false, secrets };
                let twice = self.webhooks.insert(entry.text("webhook"), webhook).is_some();
                must!(entry, !twice, "webhooks", "is created twice");
                return Ok(());
            }
            "webhook.delivery_planned" => return self.planned(entry, logs, owners),
            _ => {}
        }
        let id = entry.text("webhook");
        let row = self.webhooks.get_mut(id).filter(|row| !row.deleted);
        must!(entry, row.is_some(), "webhooks", "is about no webhook");
        let row = row.expect("just seen");
        must!(entry, row.created.text("provider") == entry.text("provider"), "webhooks", "is another's");
        match entry.kind.strip_suffix(".v1").unwrap_or(&entry.kind) {
            "webhook.secret_rotated" => {
                let until = entry.int("overlaps_until");
                must!(entry, until == entry.time + DAY, "webhooks", "overlaps until {until}");
                row.secrets.iter_mut().for_each(|secret| secret.1 = secret.1.min(until));
                // The one before, and no other.
                row.secrets.truncate(1);
                row.secrets.insert(0, (text(&entry.data["secret"], "ciphertext"), i64::MAX));
            }
            "webhook.deleted" | "webhook.disabled" => {
                row.ended.get_or_insert(entry.seq);
                row.deleted |= entry.is("webhook.deleted");
                self.lines.retain(|(webhook, _), _| *webhook != id);
                self.deliveries.values_mut().filter(|one| one.webhook == id).for_each(|one| one.pending = false);
            }
            "webhook.redelivery_asked" => {
                must!(entry, row.ended.is_none(), "webhooks", "asks for what nobody is there for");
                let Some(delivery) = self.deliveries.get_mut(entry.text("delivery")).filter(|one| one.webhook == id)
                else {
                    must!(entry, false, "webhooks", "asks for what was never planned");
                    return Ok(());
                };
                if !delivery.pending {
                    (delivery.pending, delivery.attempts, delivery.due) = (true, 0, entry.time);
                    let line = self.lines.entry((id, delivery.about)).or_default();
                    line.push_back(entry.text("delivery"));
                }
            }
            "webhook.delivery_attempted" => return self.attempted(entry),
            _ => must!(entry, false, "known events", "is no event of `effects`"),
        }
        Ok(())
    }

    fn planned(&mut self, entry: &'a Entry, logs: &'a BTreeMap<&str, Vec<Entry>>, owners: &Owners<'a>) -> Audited {
        let (id, source) = (entry.text("webhook"), &entry.data["source"]);
        let (log, seq) = (text(source, "log"), source["seq"].as_u64().unwrap_or(u64::MAX));
        let event = logs.get(log).and_then(|entries| entries.get(seq as usize));
        let hex = |hash: &[u8; 32]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let event = event.filter(|event| hex(&event.hash) == text(source, "hash"));
        must!(entry, event.is_some(), "claims of webhooks", "tells of nothing that stands at {log} {seq}");
        let event = event.expect("just seen");
        let row = self.webhooks.get(id).filter(|row| row.ended.is_none());
        must!(entry, row.is_some(), "claims of webhooks", "is for no webhook that stands");
        let row = row.expect("just seen");
        let may = owners.of(event) == Some(row.created.text("provider"));
        must!(entry, may && wants(row, event), "claims of webhooks", "tells {id} of {} {log} {seq}", event.kind);
        let once = self.planned.insert((id, log, seq));
        must!(entry, once, "planned once", "{log} {seq} is told to {id} twice");
        let inquiry = event.subjects.iter().find(|subject| subject.starts_with("inq_"));
        let about = inquiry.or(event.subjects.first()).map(String::as_str);
        must!(entry, about == entry.text_if("about"), "claims of webhooks", "is about {about:?}");
        let (about, name) = (entry.text("about"), entry.text("delivery"));
        let delivery = Delivery {
            webhook: id,
            about,
            source: event,
            event: entry.text("event"),
            attempts: 0,
            due: entry.time,
            pending: true,
            heard: None,
        };
        must!(entry, self.deliveries.insert(name, delivery).is_none(), "planned once", "{name} is planned already");
        self.lines.entry((id, about)).or_default().push_back(name);
        Ok(())
    }

    fn attempted(&mut self, entry: &'a Entry) -> Audited {
        let name = entry.text("delivery");
        let delivery = self.deliveries.get_mut(name);
        must!(entry, delivery.is_some(), "attempts", "is of nothing that was planned");
        let delivery = delivery.expect("just seen");
        let heard = delivery.heard.take();
        must!(entry, heard.is_some(), "attempts", "was never made");
        let answered = heard.and_then(|heard| heard.answered);
        delivery.attempts += 1;
        let number = delivery.attempts;
        // Its webhook may have ended while it was on its way.
        let late = self.webhooks[delivery.webhook].ended.zip(heard).is_some_and(|(end, heard)| heard.effects <= end);
        must!(entry, delivery.pending || late, "attempts", "is of what has ended");
        must!(entry, entry.int("attempt") == number, "attempts", "is number {number}");
        let status = answered.map(|(status, _)| i64::from(status));
        must!(entry, entry.int_if("status") == status, "attempts", "heard {status:?}");
        let outcome = match status {
            Some(200..300) => "DELIVERED",
            Some(410) => "DEAD",
            _ if late || number > STEPS.len() as i64 => "DEAD",
            _ => "FAILED",
        };
        must!(entry, entry.text("outcome") == outcome, "attempts", "is {outcome}");
        let next = entry.int_if("next_attempt_at");
        if outcome == "FAILED" {
            let step = STEPS[number as usize - 1] * SECOND;
            let wanted = answered.and_then(|(_, wanted)| wanted).unwrap_or(0).min(DAY);
            let (least, most) = (entry.time + step.max(wanted), entry.time + (step + step / 5).max(wanted));
            let right = next.is_some_and(|next| least <= next && next <= most);
            must!(entry, right, "attempts", "is followed at {next:?}, and {least} to {most} would be right");
            delivery.due = next.unwrap_or(i64::MAX);
            return Ok(());
        }
        must!(entry, next.is_none(), "attempts", "is followed by another");
        delivery.pending = false;
        let line = (delivery.webhook, delivery.about);
        if let Some(waiting) = self.lines.get_mut(&line) {
            waiting.retain(|one| *one != name);
        }
        Ok(())
    }

    /// A request, before the event `entry`.
    fn asks(&mut self, request: &'a Sent, owners: &Owners<'a>, entry: &Entry) -> Audited {
        let name = request.delivery.as_str();
        let delivery = self.deliveries.get_mut(name).filter(|one| one.webhook == request.webhook);
        must!(entry, delivery.is_some(), "nothing is sent before it is claimed", "{name} was sent before");
        let delivery = delivery.expect("just seen");
        let row = &self.webhooks[delivery.webhook];
        must!(entry, row.ended.is_none(), "webhooks", "{name} is sent to nobody");
        must!(entry, delivery.pending, "sent once", "{name} has ended, and was sent before this");
        let first = self.lines.get(&(delivery.webhook, delivery.about)).and_then(|line| line.front());
        must!(entry, first == Some(&name), "order of deliveries", "{name} was sent before, and {first:?} is first");
        let early = request.at < delivery.due;
        must!(entry, !early, "sent when due", "{name} was sent at {}, and is due {}", request.at, delivery.due);
        let valid: Vec<&str> = row.secrets.iter().filter(|one| request.at < one.1).map(|one| one.0).collect();
        must!(
            entry,
            request.secrets == valid,
            "webhooks",
            "{name} was signed with {:?}, {valid:?} hold",
            request.secrets
        );
        if let Some(closing) = owners.sealed(delivery.source) {
            let closed = closing.is_some_and(|closing| closing < request.of);
            must!(entry, closed, "sealed bids", "{name} tells of a bid in a sealed auction that is open");
        }
        let told = tells(delivery, &request.body);
        must!(entry, told.is_ok(), "ids and topics alone", "{name}: {:?} in {}", told, request.body);
        delivery.heard = Some(request);
        Ok(())
    }

    /// In the evening nothing waits, and nothing was left out.
    fn all_is_told(
        &self,
        marks: &[Mark],
        logs: &BTreeMap<&str, Vec<Entry>>,
        owners: &Owners<'_>,
        last: &Entry,
    ) -> Audited {
        let waits = self.deliveries.iter().find(|(_, delivery)| delivery.pending);
        must!(last, waits.is_none(), "told at least once", "{:?} still waits", waits.map(|(name, _)| name));
        for (id, row) in self.webhooks.iter().filter(|(_, row)| row.ended.is_none()) {
            // Where the logs stood when it was there for sure.
            let mark = marks.iter().filter(|mark| mark.effects > row.created.seq).min_by_key(|mark| mark.effects);
            let Some(mark) = mark else { continue };
            for (log, entries) in logs.iter().filter(|(log, _)| **log != "effects") {
                let from = mark.lengths.get(*log).copied().unwrap_or(0) as usize;
                for event in entries.iter().skip(from) {
                    let sees = owners.of(event) == Some(row.created.text("provider"));
                    // What is hidden while it is read is not told later.
                    if !sees || !wants(row, event) || owners.sealed(event).is_some() {
                        continue;
                    }
                    let planned = self.planned.contains(&(*id, *log, event.seq));
                    must!(event, planned, "told at least once", "was never to be told to {id}");
                }
            }
        }
        Ok(())
    }
}

/// Which event, when, and what of its data are ids and topics.
fn tells(delivery: &Delivery<'_>, body: &str) -> Result<(), String> {
    let body: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let event = delivery.source;
    let members: Vec<&String> = body.as_object().into_iter().flat_map(|members| members.keys()).collect();
    let head = members == ["data", "timestamp", "type"] && text(&body, "type") == event.kind;
    if !head || text(&body, "timestamp") != event.time.to_string() {
        return Err("another event".to_owned());
    }
    let data = &body["data"];
    let subjects = texts(data, "subjects");
    let names = text(data, "log") == event.log && text(data, "seq") == event.seq.to_string();
    if !names || text(data, "event") != delivery.event || !subjects.iter().eq(&event.subjects) {
        return Err("another event".to_owned());
    }
    for (name, value) in data.as_object().into_iter().flatten() {
        let own = event.data.get(name);
        let fine = match name.as_str() {
            "event" | "log" | "seq" | "subjects" => true,
            "topics" => Some(value) == own || list(data, "topics").is_empty(),
            "call_server" => Some(value) == own,
            _ => Some(value) == own && value.as_str().is_some_and(is_id),
        };
        if !fine {
            return Err(name.clone());
        }
    }
    Ok(())
}

/// `inq_01jq…`: what it is, and twenty-six letters and digits.
fn is_id(text: &str) -> bool {
    text.split_once('_').is_some_and(|(kind, rest)| {
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        (2..=4).contains(&kind.len()) && rest.len() == 26 && plain(kind) && plain(rest)
    })
}
