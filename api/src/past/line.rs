//! Who waits for a fold of the past, and whose turn it is.
//!
//! Promises: one fold at a time; its turn goes to the role that has had none the longest, and of that role to the
//! caller, so nobody's asking keeps it from others, and customers, whom anybody may become, keep it from nobody else;
//! a fold that several ask for is one; who has gone holds no place. What is held is bounded: a caller has no more
//! folds in line than one request may ask for, and of a full line the one that would come last is told to come again.
//!
//! Not here: the folding, and what is kept of it.

use super::{Heads, Rows};
use async_graphql::Error;
use domain::actor::{Actor, Role};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Folds of one caller in line: before, at and after.
const OWN_MAX: usize = 3;
/// Folds in line, besides the one at work.
const LINE_MAX: usize = 64;
/// For as many turns it is known who had them.
const TURNS_MAX: u64 = 1_024;

pub(super) type Folded = Result<Arc<Rows>, Error>;

#[derive(Debug, Default)]
pub(super) struct Line {
    folding: Option<Asked>,
    /// In the order in which they came.
    waiting: Vec<Asked>,
    /// Turns so far; each role's and caller's last.
    turn: u64,
    roles: HashMap<Role, u64>,
    callers: HashMap<Actor, u64>,
}

#[derive(Debug)]
struct Asked {
    heads: Heads,
    by: Vec<(Actor, oneshot::Sender<Folded>)>,
}

impl Asked {
    /// Forgets who has gone; whether anybody is left.
    fn wanted(&mut self) -> bool {
        self.by.retain(|(_, tell)| !tell.is_closed());
        !self.by.is_empty()
    }
}

impl Line {
    /// A place in line. `None`: the caller has as many as it may. The sender is dropped where others came before it
    /// and the line is full.
    pub(super) fn enter(&mut self, who: &Actor, heads: Heads) -> Option<oneshot::Receiver<Folded>> {
        self.forget_the_gone();
        let (tell, told) = oneshot::channel();
        let (mut own, mut same) = (0, None);
        for asked in self.folding.iter_mut().chain(&mut self.waiting) {
            own += usize::from(asked.by.iter().any(|(other, _)| other == who));
            if asked.heads == heads {
                same = Some(asked);
            }
        }
        match same {
            Some(asked) => asked.by.push((who.clone(), tell)),
            None if own >= OWN_MAX => return None,
            None => self.waiting.push(Asked { heads, by: vec![(who.clone(), tell)] }),
        }
        if self.waiting.len() > LINE_MAX
            && let Some(last) = (0..self.waiting.len()).max_by_key(|at| self.rank(*at))
        {
            self.waiting.remove(last);
        }
        Some(told)
    }

    /// What is to be folded now. `None`: nobody waits, or a fold is at work.
    pub(super) fn next(&mut self) -> Option<Heads> {
        self.forget_the_gone();
        if self.folding.is_some() {
            return None;
        }
        let first = (0..self.waiting.len()).min_by_key(|at| self.rank(*at))?;
        let asked = self.waiting.remove(first);
        self.turn += 1;
        for (who, _) in &asked.by {
            self.roles.insert(who.role(), self.turn);
            self.callers.insert(who.clone(), self.turn);
        }
        self.callers.retain(|_, had| self.turn - *had < TURNS_MAX);
        let heads = asked.heads.clone();
        self.folding = Some(asked);
        Some(heads)
    }

    /// The fold at work has come to this.
    pub(super) fn end(&mut self, folded: Folded) {
        for (_, tell) in self.folding.take().into_iter().flat_map(|asked| asked.by) {
            // Whoever has gone finds what is kept when it asks again.
            let _ = tell.send(folded.clone());
        }
    }

    /// The lowest is first: whose role, then who, has had no turn the longest, then who came first.
    fn rank(&self, at: usize) -> (u64, u64, usize) {
        let had = |who: &Actor| {
            let role = self.roles.get(&who.role()).copied().unwrap_or(0);
            (role, self.callers.get(who).copied().unwrap_or(0))
        };
        // Nobody is there without having been asked for.
        let (role, caller) = self.waiting[at].by.iter().map(|(who, _)| had(who)).min().unwrap_or_default();
        (role, caller, at)
    }

    fn forget_the_gone(&mut self) {
        if let Some(asked) = &mut self.folding {
            asked.wanted();
        }
        self.waiting.retain_mut(Asked::wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::{AgentId, CustomerId};
    use domain::log::{LogName, Seq};
    use store::raw::Head;

    fn at(seq: Seq) -> Heads {
        [(LogName::community(), Head { seq, hash: [0; 32] })].into()
    }

    fn seq(heads: &Heads) -> Seq {
        heads[&LogName::community()].seq
    }

    fn failed() -> Folded {
        Err(Error::new("folded"))
    }

    /// The positions in the order of their turns.
    fn turns(line: &mut Line) -> Vec<Seq> {
        let mut all = Vec::new();
        while let Some(heads) = line.next() {
            all.push(seq(&heads));
            line.end(failed());
        }
        all
    }

    fn ann() -> Actor {
        Actor::Operator("ann".into())
    }

    fn ben() -> Actor {
        Actor::Operator("ben".into())
    }

    #[test]
    fn callers_take_turns_however_much_one_asks() {
        let mut line = Line::default();
        let mut held: Vec<_> = (0..3).map(|seq| line.enter(&ann(), at(seq)).unwrap()).collect();
        held.push(line.enter(&ben(), at(10)).unwrap());
        assert_eq!(line.next().as_ref().map(seq), Some(0), "the first is first");
        assert_eq!(line.next(), None, "one at a time");
        line.end(failed());
        // Asks anew after each turn, and is behind whoever has had none.
        held.push(line.enter(&ann(), at(3)).unwrap());
        assert_eq!(line.next().as_ref().map(seq), Some(10));
        line.end(failed());
        held.push(line.enter(&ben(), at(11)).unwrap());
        assert_eq!(turns(&mut line), [1, 11, 2, 3]);
        assert!(held.iter_mut().all(|told| matches!(told.try_recv(), Ok(Err(_)))));
    }

    #[test]
    fn roles_take_turns_however_many_callers_one_has() {
        let mut line = Line::default();
        let customers = || (1..=40).map(|number| (Actor::Customer(CustomerId(u128::from(number))), number));
        let crowd: Vec<_> = customers().map(|(who, seq)| line.enter(&who, at(seq)).unwrap()).collect();
        let agent = Actor::Agent(AgentId(7));
        let own: Vec<_> = [100, 101].into_iter().map(|seq| line.enter(&agent, at(seq)).unwrap()).collect();
        assert_eq!(turns(&mut line)[..5], [1, 100, 2, 101, 3]);
        drop((crowd, own));
    }

    #[test]
    fn a_caller_has_no_more_in_line_than_a_request_may_ask_for() {
        let mut line = Line::default();
        let held: Vec<_> = (0..3).map(|seq| line.enter(&ann(), at(seq)).unwrap()).collect();
        assert!(line.enter(&ann(), at(3)).is_none());
        let again = line.enter(&ann(), at(2));
        assert!(again.is_some(), "what is in line already takes no place");
        assert!(line.enter(&ben(), at(3)).is_some(), "others have their own");
        assert_eq!(line.next().as_ref().map(seq), Some(0));
        assert!(line.enter(&ann(), at(4)).is_none(), "the one at work counts");
        drop((held, again));
        assert!(line.enter(&ann(), at(4)).is_some(), "who has gone holds no place");
        line.end(failed());
        assert!(turns(&mut line).is_empty(), "nothing is folded for nobody");
    }

    #[test]
    fn who_joins_brings_its_own_turn() {
        let mut line = Line::default();
        let first = line.enter(&ann(), at(0)).unwrap();
        assert_eq!(turns(&mut line), [0]);
        // Ann had a turn; Ben asks for the second of hers.
        let own: Vec<_> = [1, 2].into_iter().map(|seq| line.enter(&ann(), at(seq)).unwrap()).collect();
        let mut joined = line.enter(&ben(), at(2)).unwrap();
        assert_eq!(turns(&mut line), [2, 1]);
        assert!(matches!(joined.try_recv(), Ok(Err(_))));
        drop((first, own));
    }

    #[test]
    fn of_a_full_line_the_last_one_is_told_to_come_again() {
        let mut line = Line::default();
        let customer = |number: u64| Actor::Customer(CustomerId(u128::from(number)));
        let mut crowd: Vec<_> =
            (0..LINE_MAX as u64).map(|number| line.enter(&customer(number), at(number)).unwrap()).collect();
        let refused =
            |told: &mut oneshot::Receiver<Folded>| matches!(told.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert!(!crowd.iter_mut().any(refused));
        assert!(refused(&mut line.enter(&customer(1_000), at(1_000)).unwrap()), "the newcomer is the last of its kind");
        assert_eq!(line.next().as_ref().map(seq), Some(0));
        line.end(failed());
        crowd.push(line.enter(&customer(1_001), at(1_001)).unwrap());
        // Another role's turn comes before theirs, and so does its place.
        let mut agent = line.enter(&Actor::Agent(AgentId(7)), at(2_000)).unwrap();
        assert!(refused(crowd.last_mut().unwrap()) && !refused(&mut agent));
        assert_eq!(turns(&mut line)[..2], [2_000, 1]);
    }
}
