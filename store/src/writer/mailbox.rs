//! A writer's thread and its bounded mailbox. While a batch syncs, orders gather; the writer wakes for them
//! and for its deadlines. A panic in a decision ends the process, so that no call server is silently dead.

use super::order::{Answer, Order};
use super::{WAITED_TOO_LONG, Writer};
use crate::clock::Clock;
use domain::log::LogName;
use domain::time::Timestamp;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;

enum Letter {
    /// Decided in this order; where one is not decided, none after it is.
    Orders(Vec<(Order, Reply)>, Timestamp),
    Stop,
}

/// Where one answer goes. Dropped without one, because the writer has ended or panicked, it says so.
struct Reply(Option<oneshot::Sender<Answer>>);

impl Reply {
    fn send(mut self, answer: Answer) {
        if let Some(reply) = self.0.take() {
            // A caller that went away finds its answer by its key.
            let _ = reply.send(answer);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            let _ = reply.send(Answer::Unavailable("This log's writer has ended; try again."));
        }
    }
}

/// Where a writer's orders go in. Cheap to clone.
#[derive(Clone)]
pub struct Mailbox {
    log: LogName,
    letters: SyncSender<Letter>,
    clock: Arc<dyn Clock>,
}

impl Mailbox {
    pub fn log(&self) -> &LogName {
        &self.log
    }

    /// Hands an order over; its answer comes when its batch is durable. A full mailbox answers
    /// `Unavailable` at once.
    pub fn send(&self, order: Order) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        self.hand_over(vec![(order, Reply(Some(reply)))]);
        answer
    }

    /// Hands a run of orders over, to be decided in their order: where one is answered `Unavailable`, every
    /// later one is too, so a process manager can go on from there. (Its orders carry no key: one that cannot
    /// be looked up now is answered alone.)
    pub fn send_all(&self, orders: Vec<Order>) -> Vec<oneshot::Receiver<Answer>> {
        let mut answers = Vec::with_capacity(orders.len());
        let mut letter = Vec::with_capacity(orders.len());
        for order in orders {
            let (reply, answer) = oneshot::channel();
            letter.push((order, Reply(Some(reply))));
            answers.push(answer);
        }
        self.hand_over(letter);
        answers
    }

    fn hand_over(&self, orders: Vec<(Order, Reply)>) {
        let letter = Letter::Orders(orders, self.clock.now());
        // To a writer that has ended, the replies answer by themselves.
        if let Err(TrySendError::Full(Letter::Orders(orders, _))) = self.letters.try_send(letter) {
            for (_, reply) in orders {
                reply.send(Answer::Unavailable("Too many commands are waiting; try again."));
            }
        }
    }

    /// Ends the writer after the batch at hand; what still waits is answered `Unavailable`.
    pub fn stop(&self) {
        let _ = self.letters.send(Letter::Stop);
    }
}

/// What a writer cannot mend, told once, on its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A flush failed or the writer panicked: what the disk or the state holds is not known, and the process
    /// must end.
    Broken(&'static str),
    /// The store holds another history. The writer lives on and answers `Unavailable`; what was folded of the
    /// lost one must go.
    Forked,
}

/// Gives a writer its thread.
pub fn spawn(
    mut writer: Writer,
    on_trouble: impl Fn(&LogName, Trouble) + Send + 'static,
) -> (Mailbox, std::thread::JoinHandle<()>) {
    let (letters, mailbox) = sync_channel(writer.settings.mailbox);
    let handle = Mailbox { log: writer.log.clone(), letters, clock: writer.clock.clone() };
    let thread = std::thread::Builder::new().name(format!("writer-{}", writer.log));
    let run = move || {
        run(&mut writer, &mailbox, &on_trouble);
    };
    (handle, thread.spawn(run).expect("a thread can be started"))
}

fn run(writer: &mut Writer, mailbox: &Receiver<Letter>, on_trouble: &dyn Fn(&LogName, Trouble)) {
    // With the store lost, due timers are tried again this often.
    const RETRY: Duration = Duration::from_millis(500);
    const IDLE: Duration = Duration::from_secs(60);
    let mut pause = Duration::ZERO;
    let mut told_of_fork = false;
    loop {
        let wait = writer.next_deadline().map_or(IDLE, |due| {
            let left = due - writer.clock.now();
            Duration::from_micros(left.0.unsigned_abs()).min(IDLE)
        });
        let first = match mailbox.recv_timeout(wait.max(pause)) {
            Ok(letter) => Some(letter),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut orders = Vec::new();
        let mut replies = Vec::new();
        let mut stop = false;
        let mut next = first;
        while let Some(letter) = next {
            match letter {
                Letter::Stop => stop = true,
                Letter::Orders(run, entered) => {
                    let too_late = writer.clock.now() - entered > writer.settings.patience;
                    for (order, reply) in run {
                        if too_late {
                            // Nobody may be left to hear it.
                            reply.send(Answer::Unavailable(WAITED_TOO_LONG));
                        } else {
                            orders.push((order, entered));
                            replies.push(reply);
                        }
                    }
                }
            }
            next = if orders.len() < writer.settings.batch { mailbox.try_recv().ok() } else { None };
        }
        pause = Duration::ZERO;
        // The panic hook has written what and where. The state may be half changed: nothing is decided on it,
        // and whoever waits is told by its dropped reply.
        let caught = catch_unwind(AssertUnwindSafe(|| {
            if orders.is_empty() {
                (writer.tick().map(|_| ()), Vec::new())
            } else {
                let now = writer.clock.now();
                let patience = writer.settings.patience;
                writer.batch(orders, now, Some(patience))
            }
        }));
        let Ok((outcome, answers)) = caught else {
            tracing::error!(log = %writer.log, "writer.panicked");
            on_trouble(&writer.log, Trouble::Broken("its writer panicked"));
            return;
        };
        for (reply, answer) in replies.into_iter().zip(answers) {
            reply.send(answer);
        }
        if outcome.is_err() {
            pause = RETRY;
        }
        if writer.is_forked() && !told_of_fork {
            told_of_fork = true;
            on_trouble(&writer.log, Trouble::Forked);
        }
        if writer.is_broken() {
            on_trouble(&writer.log, Trouble::Broken("a flush failed, so what the disk holds is not known"));
            return;
        }
        if stop {
            return;
        }
    }
}
