//! One event → its rows. Exhaustive, in log order, inside the transaction of `History::project`.
//!
//! A row that an event changes must be there: an event about an auction that was never opened cannot be
//! applied, and is named. Logs are folded independently, so nothing here may need a row of another log:
//! what a call server's rows say of offers comes from `inquiry.registered`, never from `community`.
//!
//! Not here: what is derived from several rows (dossiers, balances, statuses), and bids: the log finds them, and
//! their auction's events tell what became of them.

use super::postings::postings_of;
use super::rows::{AuctionState, InquiryState, SettlementState, Whole, word};
use super::subjects::{self, Numbers};
use super::{HistoryError, at, runs, segments};
use domain::event::Event;
use domain::event::auction::AuctionEvent;
use domain::event::community::{CallServerEvent, OfferAccepted, OfferEvent, ProviderEvent};
use domain::event::customer::CustomerEvent;
use domain::event::inquiry::{InquiryEvent, InquiryRegistered};
use domain::event::journal::{EntryPosted, JournalEvent};
use domain::event::queue::QueueEvent;
use domain::event::reservation::ReservationEvent;
use domain::event::session::SessionEvent;
use domain::event::settlement::{SettlementEscrowed, SettlementEvent};
use domain::event::wallet::WalletEvent;
use domain::ids::{AgentId, AuctionId, InquiryId, OfferId, ProviderId, SettlementId, Subject};
use domain::log::{LogName, Seq};
use domain::time::Timestamp;
use rusqlite::{Params, Transaction, params};
use store::recorded::Recorded;

/// What is true while one slice of one log is folded.
pub(super) struct Fold<'a> {
    tx: &'a Transaction<'a>,
    log: &'a LogName,
    log_no: i64,
    numbers: &'a mut Numbers,
    /// (subject, seq), written as runs at the end.
    concerned: Vec<(i64, Seq)>,
    /// Written as one segment at the end, and the time of the last of them.
    keys: Vec<segments::Entry>,
    newest_key: Timestamp,
}

impl<'a> Fold<'a> {
    pub(super) fn new(tx: &'a Transaction<'a>, log: &'a LogName, log_no: i64, numbers: &'a mut Numbers) -> Fold<'a> {
        let newest_key = Timestamp(i64::MIN);
        Fold { tx, log, log_no, numbers, concerned: Vec::new(), keys: Vec::new(), newest_key }
    }

    pub(super) fn event(&mut self, e: &Recorded) -> Result<(), HistoryError> {
        self.rows(e)?;
        for (id, home) in subjects::homes(&e.event) {
            // Bids are found by their time; a revised offer repeats its links.
            if !matches!(id, Subject::BidId(_)) {
                self.put("INSERT OR IGNORE INTO lookup(id, home) VALUES(?1, ?2)", (id.to_string(), home.to_string()))?;
            }
        }
        if let Some(key) = e.key {
            self.keys.push((segments::half(key.hash), e.seq));
            self.newest_key = e.time;
        }
        self.subjects(e)
    }

    /// Writes what was gathered, and cuts keys that are too old off the front. `time`: of the last event.
    pub(super) fn finish(mut self, time: Timestamp) -> Result<(), HistoryError> {
        runs::write(self.tx, self.log_no, &mut self.concerned).map_err(at("writing the index"))?;
        segments::add(self.tx, self.log_no, self.newest_key, self.keys).map_err(at("writing keys"))?;
        segments::cut(self.tx, self.log_no, time).map_err(at("cutting keys"))
    }

    fn put(&self, sql: &str, params: impl Params) -> Result<usize, HistoryError> {
        let run = || self.tx.prepare_cached(sql)?.execute(params);
        run().map_err(at("writing a row"))
    }

    /// A statement that must find the one row that it changes.
    fn change(&self, e: &Recorded, what: &'static str, sql: &str, params: impl Params) -> Result<(), HistoryError> {
        if self.put(sql, params)? == 1 { Ok(()) } else { Err(self.unfit(e, what)) }
    }

    fn unfit(&self, e: &Recorded, what: &'static str) -> HistoryError {
        HistoryError::Apply { log: self.log.clone(), seq: e.seq, subject: e.subjects.first().copied(), what }
    }

    /// The subjects of the event and, through its inquiry, the offer.
    fn subjects(&mut self, e: &Recorded) -> Result<(), HistoryError> {
        let mut names_offer = false;
        for subject in &e.subjects {
            names_offer |= matches!(subject, Subject::OfferId(_));
            let no = self.numbers.subject(self.tx, *subject).map_err(at("numbering a subject"))?;
            self.concerned.push((no, e.seq));
        }
        if let Some(inquiry) = subjects::inquiry_of(&e.subjects).filter(|_| !names_offer) {
            let offer = self.numbers.offer_of(self.tx, inquiry).map_err(at("finding an inquiry's offer"))?;
            let offer = offer.ok_or_else(|| self.unfit(e, "its inquiry is not registered"))?;
            self.concerned.push((offer, e.seq));
        }
        Ok(())
    }

    fn rows(&self, e: &Recorded) -> Result<(), HistoryError> {
        match &e.event {
            Event::Provider(
                ProviderEvent::Registered(_)
                | ProviderEvent::Updated(_)
                | ProviderEvent::CustomerBlocked(_)
                | ProviderEvent::CustomerUnblocked(_),
            ) => Ok(()),
            Event::Offer(OfferEvent::Published(o)) => self.offer(o.offer, o.provider),
            Event::Offer(OfferEvent::Accepted(o)) => {
                self.offer(o.offer, o.provider)?;
                self.customer(e, o)
            }
            Event::Offer(
                OfferEvent::Revised(_)
                | OfferEvent::Paused(_)
                | OfferEvent::Resumed(_)
                | OfferEvent::Retired(_)
                | OfferEvent::PlaceFreed(_),
            ) => Ok(()),
            Event::CallServer(
                CallServerEvent::Opened(_)
                | CallServerEvent::Updated(_)
                | CallServerEvent::Started(_)
                | CallServerEvent::CreditLimitGranted(_)
                | CallServerEvent::TrafficReported(_)
                | CallServerEvent::TrafficExpired(_),
            ) => Ok(()),
            // The key is gone, and with it what rows lead to.
            Event::Customer(CustomerEvent::Erased(_) | CustomerEvent::Forgotten(_)) => Ok(()),
            Event::Queue(
                QueueEvent::Opened(_) | QueueEvent::Retired(_) | QueueEvent::Merged(_) | QueueEvent::MergePutOff(_),
            ) => Ok(()),
            Event::Inquiry(event) => self.inquiry(e, event),
            Event::Auction(event) => self.auction(e, event),
            // Who an agent is and how it is doing: folded from its own events.
            Event::Agent(_) => Ok(()),
            Event::Wallet(WalletEvent::Opened(_) | WalletEvent::CreditLimitSet(_)) => Ok(()),
            Event::Wallet(
                WalletEvent::Credited(_)
                | WalletEvent::PayableNetted(_)
                | WalletEvent::PaidOut(_)
                | WalletEvent::PayoutReturned(_),
            ) => self.postings(e),
            Event::Reservation(event) => self.reservation(e, event),
            Event::Session(event) => self.session(e, event),
            Event::Settlement(event) => self.settlement(e, event),
            // Folded in the memory of the node that sends.
            Event::Webhook(_) => Ok(()),
            Event::Journal(JournalEvent::EntryPosted(entry)) => self.entry(e, entry),
            // Few, and kept by the live view of the books.
            Event::Journal(JournalEvent::FeeRuleSet(_) | JournalEvent::FeeRuleTaken(_)) => Ok(()),
        }
    }

    /// The postings are rows already, of the event that the entry names.
    fn entry(&self, e: &Recorded, entry: &EntryPosted) -> Result<(), HistoryError> {
        let (at, seq) = (entry.at.0, Whole(e.seq));
        let sql = "INSERT INTO entry(at, seq, source) VALUES(?1, ?2, ?3)";
        self.put(sql, (at, seq, entry.source.log.as_str()))?;
        for leg in &entry.legs {
            // Two legs may meet one account.
            let sql = "INSERT OR IGNORE INTO entry_account(account, at, seq) VALUES(?1, ?2, ?3)";
            self.put(sql, (&leg.account, at, Whole(e.seq)))?;
        }
        Ok(())
    }

    fn offer(&self, offer: OfferId, provider: ProviderId) -> Result<(), HistoryError> {
        let sql = "INSERT OR IGNORE INTO offer(id, provider) VALUES(?1, ?2)";
        self.put(sql, (offer.to_string(), provider.to_string())).map(drop)
    }

    fn customer(&self, e: &Recorded, o: &OfferAccepted) -> Result<(), HistoryError> {
        let sql = "INSERT INTO customer(id, seq, at, profile) SELECT ?1, ?2, ?3, ?4
                   WHERE ?4 OR NOT EXISTS (SELECT 1 FROM customer WHERE id = ?1)";
        self.put(sql, (o.customer.to_string(), Whole(e.seq), e.time.0, o.profile.is_some())).map(drop)
    }

    fn inquiry(&self, e: &Recorded, event: &InquiryEvent) -> Result<(), HistoryError> {
        match event {
            InquiryEvent::Registered(i) => self.registered(i),
            InquiryEvent::InformationRequested(_)
            | InquiryEvent::InformationAnswered(_)
            | InquiryEvent::SelectionMade(_)
            | InquiryEvent::Began(_)
            | InquiryEvent::PutOff(_)
            | InquiryEvent::Relaxed(_)
            | InquiryEvent::PreferenceEnded(_)
            | InquiryEvent::TopicsConfirmed(_) => Ok(()),
            InquiryEvent::Moved(i) => {
                let place = (i.into.to_string(), i.inquiry.to_string());
                self.put("INSERT OR IGNORE INTO inquiry_queue(queue, inquiry) VALUES(?1, ?2)", place)?;
                Ok(())
            }
            InquiryEvent::Requeued(i) => self.inquiry_is(e, i.inquiry, InquiryState::Queued),
            InquiryEvent::Withdrawn(i) => self.inquiry_ends(e, i.inquiry, InquiryState::Withdrawn),
            InquiryEvent::Resumed(i) => self.inquiry_returns(e, i.inquiry),
            InquiryEvent::PlaceKept(_) | InquiryEvent::PlaceLost(_) => Ok(()),
            InquiryEvent::Expired(i) => self.inquiry_ends(e, i.inquiry, InquiryState::Expired),
            InquiryEvent::Completed(i) => self.inquiry_ends(e, i.inquiry, InquiryState::Completed),
        }
    }

    fn registered(&self, i: &InquiryRegistered) -> Result<(), HistoryError> {
        self.offer(i.offer, i.provider)?;
        let id = i.inquiry.to_string();
        let sql =
            "INSERT INTO inquiry(id, offer, revision, provider, call_server, state, customer, channel, accepted_at)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let (offer, provider, customer) = (i.offer.to_string(), i.provider.to_string(), i.customer.to_string());
        let (state, channel) = (word(&InquiryState::Queued), word(&i.channel));
        self.put(
            sql,
            params![id, offer, i.revision, provider, self.log.as_str(), state, customer, channel, i.accepted_at.0],
        )?;
        for topic in i.topics.iter().flat_map(|topic| topic.and_ancestors()) {
            self.put("INSERT OR IGNORE INTO inquiry_topic(topic, inquiry) VALUES(?1, ?2)", (topic.as_str(), &id))?;
        }
        for queue in &i.queues {
            self.put("INSERT OR IGNORE INTO inquiry_queue(queue, inquiry) VALUES(?1, ?2)", (queue.to_string(), &id))?;
        }
        Ok(())
    }

    fn inquiry_is(&self, e: &Recorded, id: InquiryId, state: InquiryState) -> Result<(), HistoryError> {
        let sql = "UPDATE inquiry SET state = ?2 WHERE id = ?1";
        self.change(e, "its inquiry is not registered", sql, (id.to_string(), word(&state)))
    }

    fn inquiry_ends(&self, e: &Recorded, id: InquiryId, state: InquiryState) -> Result<(), HistoryError> {
        let sql = "UPDATE inquiry SET state = ?2, closed_at = ?3 WHERE id = ?1";
        self.change(e, "its inquiry is not registered", sql, (id.to_string(), word(&state), e.time.0))
    }

    fn inquiry_returns(&self, e: &Recorded, id: InquiryId) -> Result<(), HistoryError> {
        let sql = "UPDATE inquiry SET state = ?2, closed_at = NULL WHERE id = ?1";
        self.change(e, "its inquiry is not registered", sql, (id.to_string(), word(&InquiryState::Queued)))
    }

    /// Until something follows. Who is asked next, or what happens else, stands in a later event.
    fn inquiry_leaves(&self, id: InquiryId, from: InquiryState) -> Result<(), HistoryError> {
        let sql = "UPDATE inquiry SET state = ?3 WHERE id = ?1 AND state = ?2";
        self.put(sql, (id.to_string(), word(&from), word(&InquiryState::Queued))).map(drop)
    }

    fn asked(&self, inquiry: InquiryId, agent: AgentId) -> Result<(), HistoryError> {
        let sql = "INSERT OR IGNORE INTO inquiry_agent(agent, inquiry) VALUES(?1, ?2)";
        self.put(sql, (agent.to_string(), inquiry.to_string())).map(drop)
    }

    fn auction(&self, e: &Recorded, event: &AuctionEvent) -> Result<(), HistoryError> {
        const MISSING: &str = "its auction was never opened";
        match event {
            AuctionEvent::Opened(a) => {
                let sql = "INSERT INTO auction(id, inquiry, call_server, round, state, direction, format, currency, opened_at, closes_at)
                           VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
                let (id, inquiry, state) = (a.auction.to_string(), a.inquiry.to_string(), word(&AuctionState::Open));
                let (direction, format) = (word(&a.rules.direction), word(&a.rules.format));
                let currency = a.rules.currency.code();
                let log = self.log.as_str();
                self.put(
                    sql,
                    params![id, inquiry, log, a.round, state, direction, format, currency, e.time.0, a.closes_at.0],
                )?;
                self.inquiry_is(e, a.inquiry, InquiryState::InAuction)
            }
            AuctionEvent::BidPlaced(_)
            | AuctionEvent::BidOutbid(_)
            | AuctionEvent::BidWithdrawn(_)
            | AuctionEvent::BidLost(_)
            | AuctionEvent::BidForfeited(_) => Ok(()),
            AuctionEvent::Extended(a) => {
                let sql = "UPDATE auction SET closes_at = ?2 WHERE id = ?1";
                self.change(e, MISSING, sql, (a.auction.to_string(), a.closes_at.0))
            }
            AuctionEvent::Awarded(a) => {
                let sql = "UPDATE auction SET state = ?2, closed_at = coalesce(closed_at, ?3), winner = ?4, clearing_price = ?5
                           WHERE id = ?1";
                let (id, state, winner) = (a.auction.to_string(), word(&AuctionState::Awarded), a.agent.to_string());
                self.change(e, MISSING, sql, (id, state, e.time.0, winner, a.price.amount().to_string()))
            }
            AuctionEvent::Unsold(a) => {
                self.auction_ends(e, a.auction, AuctionState::Unsold)?;
                self.inquiry_leaves(a.inquiry, InquiryState::InAuction)
            }
            AuctionEvent::Cancelled(a) => self.auction_ends(e, a.auction, AuctionState::Cancelled),
        }
    }

    /// Without a winner, also where one was awarded and did not come.
    fn auction_ends(&self, e: &Recorded, id: AuctionId, state: AuctionState) -> Result<(), HistoryError> {
        let sql =
            "UPDATE auction SET state = ?2, closed_at = coalesce(closed_at, ?3), winner = NULL, clearing_price = NULL
                   WHERE id = ?1";
        self.change(e, "its auction was never opened", sql, (id.to_string(), word(&state), e.time.0))
    }

    fn reservation(&self, e: &Recorded, event: &ReservationEvent) -> Result<(), HistoryError> {
        use domain::event::reservation::Purpose;
        match event {
            ReservationEvent::Opened(r) => {
                self.asked(r.inquiry, r.agent)?;
                match r.purpose {
                    Purpose::Selected | Purpose::Awarded => self.inquiry_is(e, r.inquiry, InquiryState::Reserved),
                    // Another agent is asked into the conversation, which goes on.
                    Purpose::Invited | Purpose::Transfer => Ok(()),
                }
            }
            ReservationEvent::Viewed(_) | ReservationEvent::Accepted(_) | ReservationEvent::InvitationAnswered(_) => {
                Ok(())
            }
            ReservationEvent::Declined(r) => self.inquiry_leaves(r.inquiry, InquiryState::Reserved),
            ReservationEvent::Lapsed(r) => self.inquiry_leaves(r.inquiry, InquiryState::Reserved),
            ReservationEvent::Rescinded(r) => self.inquiry_leaves(r.inquiry, InquiryState::Reserved),
        }
    }

    fn session(&self, e: &Recorded, event: &SessionEvent) -> Result<(), HistoryError> {
        match event {
            SessionEvent::Opened(s) => {
                self.asked(s.inquiry, s.agent)?;
                self.inquiry_is(e, s.inquiry, InquiryState::Engaged)
            }
            SessionEvent::Ended(s) if s.wrap_up_deadline.is_some() => {
                self.inquiry_is(e, s.inquiry, InquiryState::WrapUp)
            }
            // Closed at once: `inquiry.completed` follows.
            SessionEvent::Ended(_)
            | SessionEvent::MessageSent(_)
            | SessionEvent::NotesSaved(_)
            | SessionEvent::WrapUpExtended(_)
            | SessionEvent::WrapUpCompleted(_)
            // Asked already, by the reservation.
            | SessionEvent::AgentJoined(_)
            | SessionEvent::AgentLeft(_)
            | SessionEvent::ChannelOpened(_)
            | SessionEvent::ChannelConnected(_)
            | SessionEvent::ChannelClosed(_)
            | SessionEvent::Kept(_) => Ok(()),
        }
    }

    fn settlement(&self, e: &Recorded, event: &SettlementEvent) -> Result<(), HistoryError> {
        match event {
            SettlementEvent::Escrowed(s) => self.escrowed(e, s)?,
            SettlementEvent::Pending(s) => self.settlement_is(e, s.settlement, SettlementState::Pending)?,
            SettlementEvent::Payable(s) => self.settlement_is(e, s.settlement, SettlementState::Payable)?,
            SettlementEvent::Refunded(s) => {
                let state =
                    if s.left.amount().is_zero() { SettlementState::Refunded } else { SettlementState::Pending };
                self.settlement_is(e, s.settlement, state)?;
                let sql = "UPDATE settlement SET left = ?2 WHERE id = ?1";
                self.put(sql, (s.settlement.to_string(), s.left.amount().to_string()))?;
            }
            SettlementEvent::Released(s) => self.settlement_is(e, s.settlement, SettlementState::Released)?,
        }
        self.postings(e)
    }

    fn escrowed(&self, e: &Recorded, s: &SettlementEscrowed) -> Result<(), HistoryError> {
        let sql =
            "INSERT INTO settlement(id, inquiry, bid, state, direction, price, left, currency, payer, payee, at, log, seq)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let (id, inquiry, bid) = (s.settlement.to_string(), s.inquiry.to_string(), s.bid.map(|bid| bid.to_string()));
        let (state, direction) = (word(&SettlementState::Escrowed), word(&s.direction));
        let (price, currency) = (s.price.amount().to_string(), s.price.currency());
        let (payer, payee) = (s.payer.subject().to_string(), s.payee.subject().to_string());
        let (currency, log) = (currency.code(), self.log.as_str());
        self.put(
            sql,
            params![id, inquiry, bid, state, direction, price, currency, payer, payee, e.time.0, log, Whole(e.seq)],
        )
        .map(drop)
    }

    fn settlement_is(&self, e: &Recorded, id: SettlementId, state: SettlementState) -> Result<(), HistoryError> {
        let sql = "UPDATE settlement SET state = ?2, at = ?3, log = ?4, seq = ?5 WHERE id = ?1";
        let params = (id.to_string(), word(&state), e.time.0, self.log.as_str(), Whole(e.seq));
        self.change(e, "its settlement was never escrowed", sql, params)
    }

    fn postings(&self, e: &Recorded) -> Result<(), HistoryError> {
        for row in postings_of(e) {
            let sql =
                "INSERT INTO posting(at, log, seq, leg, id, txn, settlement, wallet, account, amount, currency, rule)
                       VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
            let (settlement, wallet) = (row.settlement.map(|id| id.to_string()), row.wallet.map(|id| id.to_string()));
            let (id, txn) = (row.id.to_string(), row.transaction.to_string());
            let (amount, currency) = (row.amount.amount().to_string(), row.amount.currency());
            let (log, currency) = (self.log.as_str(), currency.code());
            self.put(
                sql,
                params![
                    row.at.0,
                    log,
                    Whole(row.seq),
                    row.leg,
                    id,
                    txn,
                    settlement,
                    wallet,
                    row.account,
                    amount,
                    currency,
                    row.rule
                ],
            )?;
        }
        Ok(())
    }
}
