//! Readers of feeds: each watches something of a call server at one node, reads a little when it comes to it, and goes
//! on at either node from the last event it saw: when its node is gone, and sometimes for no reason.
//!
//! What it has seen goes to the auditor. Deliberately not here: what a viewer may see of an event, and what `api`
//! makes of one.

use crate::audit::feeds::{Began, Watch};
use crate::dice::Dice;
use crate::house::{House, lock, log};
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::ids::Subject;
use domain::log::{LogName, Seq};
use projections::feed::{Mark, Reader, Step, Watched};
use projections::live::Live;
use store::backend::EventStore;
use store::recorded::Recorded;

#[derive(Default)]
pub struct Watchers {
    all: Vec<Watcher>,
    pub resumed: usize,
    /// Readers that had to read the log again: they had fallen behind their inbox.
    pub behind: usize,
    /// Events of an inquiry that stood in another queue at the time.
    pub elsewhere: usize,
}

struct Watcher {
    log: LogName,
    watched: Vec<Watched>,
    /// It lags for hours, and its inbox overflows.
    slow: bool,
    began: Began,
    /// Where it went to, and which of that node's lives it knew.
    feed: Option<(usize, u64, Reader)>,
    last: Option<Mark>,
    seen: Vec<(Seq, [u8; 32])>,
}

impl Watchers {
    /// Somebody comes, reads, or goes elsewhere.
    pub fn act(&mut self, dice: &mut Dice, house: &House) {
        if self.all.len() < 4 && dice.percent(25) {
            self.all.extend(Watcher::comes(dice, house));
            return;
        }
        if self.all.is_empty() {
            return;
        }
        let at = dice.throw(self.all.len());
        if dice.percent(8) {
            self.all[at].feed = None;
        }
        let (node, most) = (dice.throw(2), dice.one(&[1, 7, 60]));
        if self.all[at].slow && self.all[at].feed.is_some() && dice.percent(92) {
            return;
        }
        self.read(at, house, [node, 1 - node], most);
    }

    /// Everybody reads to the end.
    pub fn read_all(&mut self, house: &House) {
        for at in 0..self.all.len() {
            self.read(at, house, [0, 1], usize::MAX);
        }
    }

    fn read(&mut self, at: usize, house: &House, nodes: [usize; 2], most: usize) {
        let watcher = &mut self.all[at];
        if !watcher.is_connected(house) {
            watcher.feed = None;
            let goes_on = watcher.last.is_some();
            if watcher.connect(house, nodes) {
                self.resumed += usize::from(goes_on);
            }
        }
        let Some((node, _, reader)) = &mut watcher.feed else { return };
        let mut left = most;
        while left > 0 {
            match reader.step().expect("nothing was lost") {
                Step::Event(event) => {
                    watcher.last = Some(event.raw.head().into());
                    left -= 1;
                    if is_shown(&watcher.watched, &event, &house.live(*node)) {
                        watcher.seen.push((event.seq, event.raw.hash));
                    } else {
                        self.elsewhere += 1;
                    }
                }
                Step::Read => {
                    self.behind += usize::from(!reader.is_catching_up());
                    reader.read_on().expect("nothing was lost");
                }
                Step::Wait => return,
            }
        }
    }

    /// What the auditor is given.
    pub fn watches(&self) -> Vec<Watch> {
        let watches = self.all.iter().map(|one| Watch {
            log: one.log.to_string(),
            watched: one.watched.iter().map(|watched| named(*watched)).collect(),
            began: one.began,
            seen: one.seen.clone(),
        });
        watches.collect()
    }
}

/// As `api` shows a queue's feed: of an inquiry that was moved, what happened while it stood there. Whatever else is
/// watched concerns its reader whenever it happened.
fn is_shown(watched: &[Watched], event: &Recorded, live: &Live) -> bool {
    let row = projections::inquiry_of(&event.subjects).and_then(|id| live.dossier(id));
    let stood_in = |queue| {
        let row = row.as_ref().and_then(|dossier| dossier.read(|dossier| dossier.inquiry().cloned()));
        row.is_none_or(|row| row.all_queues().any(|one| one == queue) && row.stood_in(queue, event.seq))
    };
    let names = |subject: Subject| event.subjects.contains(&subject);
    let opens = matches!(event.event, Event::Auction(AuctionEvent::Opened(_)));
    watched.iter().any(|one| match *one {
        Watched::Queue(id) => names(id.into()) || stood_in(id),
        Watched::Agent(id) => opens || names(id.into()),
        Watched::Inquiry(id) => names(id.into()),
        Watched::Agents => event.subjects.iter().any(|subject| matches!(subject, Subject::AgentId(_))),
    })
}

/// An id, or every agent's.
fn named(watched: Watched) -> Option<String> {
    match watched {
        Watched::Queue(id) => Some(Subject::QueueId(id).to_string()),
        Watched::Agent(id) => Some(Subject::AgentId(id).to_string()),
        Watched::Inquiry(id) => Some(Subject::InquiryId(id).to_string()),
        Watched::Agents => None,
    }
}

impl Watcher {
    fn comes(dice: &mut Dice, house: &House) -> Option<Watcher> {
        let log = log(dice.one(&["main", "main", "east"]));
        let known = lock(&house.known);
        let market = known.markets.get(&log)?;
        let mut watched = vec![match dice.throw(4) {
            0 => Watched::Queue(dice.pick(&market.queues)?),
            1 => Watched::Agent(dice.pick(&market.agents)?),
            2 => Watched::Inquiry(dice.recent(&market.inquiries)?.0),
            _ => Watched::Agents,
        }];
        if dice.percent(25) {
            watched.extend(dice.pick(&market.queues).map(Watched::Queue));
        }
        let length = house.length(&log);
        let (began, last) = match dice.throw(3) {
            0 => (Began::AtTheStart, None),
            1 if length > 0 => {
                let after = dice.word() % length;
                let found = house.store.read(&log, after, 1).expect("the store in memory can be read");
                (Began::After(after), found.first().map(|raw| raw.head().into()))
            }
            _ => (Began::Now(length), None),
        };
        let slow = dice.percent(40);
        Some(Watcher { log, watched, slow, began, feed: None, last, seen: vec![] })
    }

    fn is_connected(&self, house: &House) -> bool {
        self.feed.as_ref().is_some_and(|(node, life, _)| house.life(*node) == Some(*life))
    }

    /// The first of these nodes that is up serves it from where it was.
    fn connect(&mut self, house: &House, nodes: [usize; 2]) -> bool {
        let up = nodes.into_iter().find_map(|node| Some((node, house.life(node)?, house.feeds(node)?)));
        let Some((node, life, feeds)) = up else { return false };
        let watched = self.watched.clone();
        let reader = match self.began {
            Began::AtTheStart if self.last.is_none() => feeds.follow_from_start(&self.log, watched),
            // Whoever has seen nothing yet begins anew.
            Began::Now(_) if self.last.is_none() => {
                self.began = Began::Now(house.length(&self.log));
                feeds.follow(&self.log, watched, None)
            }
            _ => feeds.follow(&self.log, watched, self.last),
        };
        self.feed = Some((node, life, reader.expect("nothing was lost")));
        true
    }
}
