//! Pages of rows, by id: `after` is the last id of the page before. As far as history is folded: what
//! is open now is listed by the live views; what has just ended may be missing for a moment.
//!
//! Where a filter allows several values of one column, each value is a statement of its own and the
//! pages are merged: SQLite would otherwise read and sort every row of them for each page.

use super::rows::{self, AuctionRow, InquiryRow, PostingRow, SettlementRow, word};
use super::rows::{AuctionState, InquiryState, SettlementState};
use super::trail::Position;
use super::{History, HistoryError};
use domain::currency::Currency;
use domain::ids::{AgentId, AuctionId, CustomerId, InquiryId, OfferId, ProviderId, QueueId, SettlementId, Subject};
use domain::log::LogName;
use domain::time::Timestamp;
use domain::topic::Topic;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params_from_iter};

/// Empty and absent members ask nothing. Times are of acceptance, half-open.
#[derive(Clone, Debug, Default)]
pub struct InquiryFilter {
    pub states: Vec<InquiryState>,
    pub offer: Option<OfferId>,
    pub provider: Option<ProviderId>,
    pub queue: Option<QueueId>,
    /// Was asked to assist, or did.
    pub agent: Option<AgentId>,
    pub call_server: Option<LogName>,
    /// This topic or one beneath it.
    pub topic: Option<Topic>,
    pub customer: Option<CustomerId>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
pub struct AuctionFilter {
    pub states: Vec<AuctionState>,
    pub call_server: Option<LogName>,
    /// Any of these, or one beneath it; empty asks nothing.
    pub topics: Vec<Topic>,
    pub inquiry: Option<InquiryId>,
    pub provider: Option<ProviderId>,
}

/// Times are of the present state's beginning, half-open.
#[derive(Clone, Debug, Default)]
pub struct SettlementFilter {
    pub states: Vec<SettlementState>,
    /// Payer or payee: an agent or a provider.
    pub party: Option<Subject>,
    pub inquiry: Option<InquiryId>,
    pub currency: Option<Currency>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub enum PostingsOf {
    Settlement(SettlementId),
    /// One account, by its path in the chart.
    Account(String),
}

/// The last posting of the page before: its event's position and its leg.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PostingPosition {
    pub event: Position,
    pub leg: u32,
}

impl PostingPosition {
    pub fn of(row: &PostingRow) -> PostingPosition {
        PostingPosition { event: Position { time: row.at, log: row.log.clone(), seq: row.seq }, leg: row.leg }
    }
}

/// A statement under construction. Placeholders are numbered by SQLite in the order of `values`.
#[derive(Clone)]
struct Query {
    from: String,
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Query {
    fn new(from: &str) -> Query {
        Query { from: from.to_owned(), conditions: Vec::new(), values: Vec::new() }
    }
    /// `condition` holds one `?`.
    fn with(&mut self, condition: &str, value: impl Into<Value>) {
        self.conditions.push(condition.to_owned());
        self.values.push(value.into());
    }
    fn with_if(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.with(condition, value);
        }
    }
    /// The query once for each value, or as it is where there are none.
    fn each(self, condition: &str, values: Vec<String>) -> Vec<Query> {
        if values.is_empty() {
            return vec![self];
        }
        let with = |value: String| {
            let mut query = self.clone();
            query.with(condition, value);
            query
        };
        values.into_iter().map(with).collect()
    }
    fn sql(&self, select: &str, order: &str, limit: usize) -> String {
        let conditions = if self.conditions.is_empty() { "1" } else { &self.conditions.join(" AND ") };
        format!("SELECT {select} FROM {} WHERE {conditions} ORDER BY {order} LIMIT {limit}", self.from)
    }
}

impl History {
    pub fn inquiries(
        &self,
        filter: &InquiryFilter,
        after: Option<InquiryId>,
        limit: usize,
    ) -> Result<Vec<InquiryRow>, HistoryError> {
        let queue = filter.queue.map(|queue| ("queue", queue.to_string()));
        let agent = filter.agent.map(|agent| ("agent", agent.to_string()));
        let topic = filter.topic.as_ref().map(|topic| ("topic", topic.as_str().to_owned()));
        // The likely smallest of the lists leads, and CROSS JOIN keeps SQLite from turning it round.
        let mut lists = [agent, queue, topic].into_iter().flatten();
        let mut query = match lists.next() {
            None => {
                let mut query = Query::new("inquiry i");
                query.with_if("i.id > ?", after.map(|id| id.to_string()));
                query
            }
            Some((list, value)) => {
                let mut query = Query::new(&format!("inquiry_{list} d CROSS JOIN inquiry i ON i.id = d.inquiry"));
                query.with(&format!("d.{list} = ?"), value);
                query.with_if("d.inquiry > ?", after.map(|id| id.to_string()));
                query
            }
        };
        for (list, value) in lists {
            let exists = format!("EXISTS(SELECT 1 FROM inquiry_{list} x WHERE x.{list} = ? AND x.inquiry = i.id)");
            query.with(&exists, value);
        }
        query.with_if("i.offer = ?", filter.offer.map(|offer| offer.to_string()));
        query.with_if("i.provider = ?", filter.provider.map(|provider| provider.to_string()));
        query.with_if("i.customer = ?", filter.customer.map(|customer| customer.to_string()));
        query.with_if("i.call_server = ?", filter.call_server.as_ref().map(|log| log.to_string()));
        query.with_if("i.accepted_at >= ?", filter.from.map(|from| from.0));
        query.with_if("i.accepted_at < ?", filter.to.map(|to| to.0));
        let queries = query.each("i.state = ?", filter.states.iter().map(word).collect());
        self.page(queries, "i.*", "i.id", limit, rows::inquiry, |row| row.id)
    }

    pub fn inquiry(&self, id: InquiryId) -> Result<Option<InquiryRow>, HistoryError> {
        self.row("SELECT * FROM inquiry WHERE id = ?1", id, rows::inquiry)
    }

    /// Whether a customer has, or had, an inquiry at this call server.
    pub fn has_inquired(&self, customer: CustomerId, log: &LogName) -> Result<bool, HistoryError> {
        // By the customer's few inquiries, whatever SQLite thinks: a call server has them all.
        let sql = "SELECT EXISTS(SELECT 1 FROM inquiry WHERE customer = ?1 AND +call_server = ?2)";
        self.read("looking for a customer's inquiry", |db| {
            db.prepare_cached(sql)?.query_row([customer.to_string(), log.to_string()], |row| row.get(0))
        })
    }

    pub fn auctions(
        &self,
        filter: &AuctionFilter,
        after: Option<AuctionId>,
        limit: usize,
    ) -> Result<Vec<AuctionRow>, HistoryError> {
        let mut query = Query::new("auction a");
        query.with_if("a.id > ?", after.map(|id| id.to_string()));
        query.with_if("a.call_server = ?", filter.call_server.as_ref().map(|log| log.to_string()));
        query.with_if("a.inquiry = ?", filter.inquiry.map(|inquiry| inquiry.to_string()));
        let provider = "EXISTS(SELECT 1 FROM inquiry i WHERE i.id = a.inquiry AND i.provider = ?)";
        query.with_if(provider, filter.provider.map(|provider| provider.to_string()));
        let topic = "EXISTS(SELECT 1 FROM inquiry_topic t WHERE t.topic = ? AND t.inquiry = a.inquiry)";
        let topics: Vec<String> = filter.topics.iter().map(|topic| topic.as_str().to_owned()).collect();
        let states: Vec<String> = filter.states.iter().map(word).collect();
        let queries = query.each(topic, topics).into_iter().flat_map(|query| query.each("a.state = ?", states.clone()));
        self.page(queries.collect(), "a.*", "a.id", limit, rows::auction, |row| row.id)
    }

    pub fn auction(&self, id: AuctionId) -> Result<Option<AuctionRow>, HistoryError> {
        self.row("SELECT * FROM auction WHERE id = ?1", id, rows::auction)
    }

    pub fn settlements(
        &self,
        filter: &SettlementFilter,
        after: Option<SettlementId>,
        limit: usize,
    ) -> Result<Vec<SettlementRow>, HistoryError> {
        let mut query = Query::new("settlement s");
        query.with_if("s.id > ?", after.map(|id| id.to_string()));
        query.with_if("s.inquiry = ?", filter.inquiry.map(|inquiry| inquiry.to_string()));
        query.with_if("s.currency = ?", filter.currency.map(|currency| currency.to_string()));
        query.with_if("s.at >= ?", filter.from.map(|from| from.0));
        query.with_if("s.at < ?", filter.to.map(|to| to.0));
        let mut queries = query.each("s.state = ?", filter.states.iter().map(word).collect());
        if let Some(party) = filter.party {
            let either = |query: Query| ["s.payer = ?", "s.payee = ?"].map(|side| (query.clone(), side));
            let with = |(mut query, side): (Query, &str)| {
                query.with(side, party.to_string());
                query
            };
            queries = queries.into_iter().flat_map(either).map(with).collect();
        }
        self.page(queries, "s.*", "s.id", limit, rows::settlement, |row| row.id)
    }

    pub fn settlement(&self, id: SettlementId) -> Result<Option<SettlementRow>, HistoryError> {
        self.row("SELECT * FROM settlement WHERE id = ?1", id, rows::settlement)
    }

    /// In the order of the books: time, log, position, leg.
    pub fn postings(
        &self,
        of: &PostingsOf,
        after: Option<&PostingPosition>,
        limit: usize,
    ) -> Result<Vec<PostingRow>, HistoryError> {
        let mut query = Query::new("posting p");
        match of {
            PostingsOf::Settlement(id) => query.with("p.settlement = ?", id.to_string()),
            PostingsOf::Account(path) => query.with("p.account = ?", path.clone()),
        }
        if let Some(after) = after {
            query.conditions.push("(p.at, p.log, p.seq, p.leg) > (?, ?, ?, ?)".to_owned());
            let event = &after.event;
            let seq = i64::try_from(event.seq).unwrap_or(i64::MAX);
            let log = Value::from(event.log.to_string());
            query.values.extend([event.time.0.into(), log, seq.into(), i64::from(after.leg).into()]);
        }
        self.page(vec![query], "p.*", "p.at, p.log, p.seq, p.leg", limit, rows::posting, PostingPosition::of)
    }

    fn row<T>(
        &self,
        sql: &str,
        id: impl Into<Subject>,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, HistoryError> {
        let id = id.into().to_string();
        self.read("reading a row", |db| db.prepare_cached(sql)?.query_row([id], read).optional())
    }

    /// The first `limit` rows over all the queries, in one order; a row that two queries find is one row.
    fn page<T, K: Ord>(
        &self,
        queries: Vec<Query>,
        select: &str,
        order: &str,
        limit: usize,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
        key: impl Fn(&T) -> K,
    ) -> Result<Vec<T>, HistoryError> {
        let mut rows = self.read("reading a page", |db| {
            let mut rows = Vec::new();
            for query in &queries {
                let mut statement = db.prepare_cached(&query.sql(select, order, limit))?;
                let found = statement.query_map(params_from_iter(&query.values), &read)?;
                for row in found {
                    rows.push(row?);
                }
            }
            Ok(rows)
        })?;
        rows.sort_by_key(|row| key(row));
        rows.dedup_by_key(|row| key(row));
        rows.truncate(limit);
        Ok(rows)
    }
}
