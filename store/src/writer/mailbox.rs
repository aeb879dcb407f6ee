//! A writer's thread and its bounded mailbox. While a batch syncs, orders gather; the writer wakes for them
//! and for its deadlines. A second thread, the teller, publishes what became durable and then answers, while the
//! writer is at its next batch: what both do is a fifth of a bid each, and the disk waits for neither
//! (docs/adr/0020-teller-and-handed-events.md). A panic in either ends the process, so that no call server is silently dead.

use super::order::{Answer, Order};
use super::{Subscriber, WAITED_TOO_LONG, Writer};
use crate::clock::Clock;
use crate::recorded::Recorded;
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
    Halt,
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

    /// The log is not what was written: it takes no more commands.
    pub fn halt(&self) {
        let _ = self.letters.send(Letter::Halt);
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

/// What a writer has told and answered, in order.
enum Word {
    Events(Vec<Arc<Recorded>>),
    Answers(Vec<(Reply, Answer)>),
    /// Everything before it was told.
    Heard(SyncSender<()>),
}

/// Words that may wait: a writer whose views are slow waits for them, and its mailbox fills.
const WORDS: usize = 16;

type OnTrouble = Arc<dyn Fn(&LogName, Trouble) + Send + Sync>;

/// Gives a writer its threads. The one that is given back ends last.
pub fn spawn(
    mut writer: Writer,
    on_trouble: impl Fn(&LogName, Trouble) + Send + Sync + 'static,
) -> (Mailbox, std::thread::JoinHandle<()>) {
    let (letters, mailbox) = sync_channel(writer.settings.mailbox);
    let handle = Mailbox { log: writer.log.clone(), letters, clock: writer.clock.clone() };
    let (words, told) = sync_channel(WORDS);
    let on_trouble: OnTrouble = Arc::new(on_trouble);
    let thread = |name: &str| std::thread::Builder::new().name(format!("{name}-{}", handle.log));

    let subscribers = std::mem::take(&mut writer.subscribers);
    let (log, trouble) = (handle.log.clone(), on_trouble.clone());
    let teller = thread("teller").spawn(move || {
        // The panic hook has written what and where; a view may be half changed.
        if catch_unwind(AssertUnwindSafe(|| tell(&subscribers, &told))).is_err() {
            tracing::error!(%log, "teller.panicked");
            trouble(&log, Trouble::Broken("its views panicked"));
        }
    });
    let teller = teller.expect("a thread can be started");

    let events = words.clone();
    // To a teller that has panicked: the process ends.
    writer.subscribers = vec![Arc::new(move |batch: &[Arc<Recorded>]| {
        let _ = events.send(Word::Events(batch.to_vec()));
    })];
    let thread = thread("writer").spawn(move || {
        run(&mut writer, &mailbox, &words, &*on_trouble);
        // Nobody has anything to tell any more, so the teller ends.
        drop((writer, words));
        let _ = teller.join();
    });
    (handle, thread.expect("a thread can be started"))
}

fn tell(subscribers: &[Subscriber], words: &Receiver<Word>) {
    for word in words {
        match word {
            Word::Events(events) => {
                for subscriber in subscribers {
                    subscriber(&events);
                }
            }
            Word::Answers(answers) => {
                for (reply, answer) in answers {
                    reply.send(answer);
                }
            }
            Word::Heard(heard) => {
                let _ = heard.send(());
            }
        }
    }
}

fn run(
    writer: &mut Writer,
    mailbox: &Receiver<Letter>,
    words: &SyncSender<Word>,
    on_trouble: &dyn Fn(&LogName, Trouble),
) {
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
                Letter::Halt => writer.halt(),
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
        if words.send(Word::Answers(replies.into_iter().zip(answers).collect())).is_err() {
            // The teller has panicked, and said so; whoever waits is told by the dropped replies.
            return;
        }
        if outcome.is_err() {
            pause = RETRY;
        }
        if writer.is_forked() && !told_of_fork {
            told_of_fork = true;
            let (heard, all) = sync_channel(1);
            if words.send(Word::Heard(heard)).is_ok() {
                let _ = all.recv();
            }
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
