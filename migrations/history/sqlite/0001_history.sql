-- History: rows folded from the logs, in a file of their own. Whatever stands here can be folded again,
-- so a change of shape is a new number and `rebuild`, never an ALTER of grown rows.
--
-- Choices:
-- * Ids are text, as the API and the logs write them. A body of 128 bits takes 30 characters instead of
--   16 bytes, and for that every row can be read in any SQLite shell, and text order is id order, which
--   is time order: keyset pages and appends run along the right edge of every index. The one table with
--   a row per event and subject, subject_event, holds integers only.
-- * Money is text at its currency's exponent, exactly as in the log. SQLite has no decimal, and REAL
--   would round. Nothing here is ever summed by SQL.
-- * Rows name their log by its text, not by its number: numbers follow the order in which logs were met,
--   and rows of two folds of the same logs must be equal (`verify` compares them).
-- * No foreign keys: the fold itself refuses an event whose row is missing, and names it.
-- * Times are microseconds since 1970, as in the log.

CREATE TABLE log(
  no   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- How far each log is folded in. Written in the transaction of the rows, guarded by its old value:
-- a second projector finds its guard broken and takes its rows back.
CREATE TABLE checkpoint(
  log  INTEGER PRIMARY KEY,
  seq  INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK(length(hash) = 32),
  time INTEGER NOT NULL
) STRICT;

CREATE TABLE subject(
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE
) STRICT;

-- Which events concern a subject: the index of every audit trail. WITHOUT ROWID, so a trail is one range
-- of one B-tree. The offer of an inquiry has a row here for each event of that inquiry; its provider has
-- not, because a provider's few offers are merged while reading, and each row costs at every bid.
CREATE TABLE subject_event(
  subject INTEGER NOT NULL,
  log     INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  PRIMARY KEY(subject, log, seq)
) STRICT, WITHOUT ROWID;

-- Ids that are no subject of any event, and the inquiry or offer they lead to: channels, messages,
-- records, links. Bids have rows of their own and need none here.
CREATE TABLE lookup(
  id   TEXT PRIMARY KEY,
  home TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE offer(
  id       TEXT PRIMARY KEY,
  provider TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX offer_by_provider ON offer(provider, id);

CREATE TABLE inquiry(
  id          TEXT PRIMARY KEY,
  offer       TEXT NOT NULL,
  revision    INTEGER NOT NULL,
  provider    TEXT NOT NULL,
  call_server TEXT NOT NULL,
  state       TEXT NOT NULL,
  customer    TEXT NOT NULL,
  channel     TEXT NOT NULL,
  accepted_at INTEGER NOT NULL,
  closed_at   INTEGER
) STRICT, WITHOUT ROWID;
-- One index for each equality that a list can ask for, each ending in the id: a page is a seek.
CREATE INDEX inquiry_by_state ON inquiry(state, id);
CREATE INDEX inquiry_by_offer ON inquiry(offer, id);
CREATE INDEX inquiry_by_provider ON inquiry(provider, id);
CREATE INDEX inquiry_by_customer ON inquiry(customer, id);
CREATE INDEX inquiry_by_call_server ON inquiry(call_server, id);
CREATE INDEX inquiry_by_accepted_at ON inquiry(accepted_at);

-- Each topic with its ancestors: `cards` finds an inquiry about `cards/lost` by equality.
CREATE TABLE inquiry_topic(
  topic   TEXT NOT NULL,
  inquiry TEXT NOT NULL,
  PRIMARY KEY(topic, inquiry)
) STRICT, WITHOUT ROWID;
CREATE TABLE inquiry_queue(
  queue   TEXT NOT NULL,
  inquiry TEXT NOT NULL,
  PRIMARY KEY(queue, inquiry)
) STRICT, WITHOUT ROWID;
-- Agents that were asked to assist, or did. Bidders stand in bid.
CREATE TABLE inquiry_agent(
  agent   TEXT NOT NULL,
  inquiry TEXT NOT NULL,
  PRIMARY KEY(agent, inquiry)
) STRICT, WITHOUT ROWID;

CREATE TABLE auction(
  id             TEXT PRIMARY KEY,
  inquiry        TEXT NOT NULL,
  call_server    TEXT NOT NULL,
  round          INTEGER NOT NULL,
  state          TEXT NOT NULL,
  direction      TEXT NOT NULL,
  format         TEXT NOT NULL,
  currency       TEXT NOT NULL,
  opened_at      INTEGER NOT NULL,
  closes_at      INTEGER NOT NULL,
  closed_at      INTEGER,
  winner         TEXT,
  clearing_price TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX auction_by_state ON auction(state, id);
CREATE INDEX auction_by_inquiry ON auction(inquiry, id);
CREATE INDEX auction_by_call_server ON auction(call_server, id);

-- No index by auction or by agent: the bids of either are its rows in subject_event, each looked up by its
-- place, and both B-trees of this table grow at their right edge alone. An index on (agent, id) scattered
-- its inserts: with it history followed 29,000 bids a second instead of 43,000 (2 cores, 500 agents).
-- amount: PROXY, the agent's maximum. Who may see it is decided where it is shown, never here.
CREATE TABLE bid(
  id          TEXT PRIMARY KEY,
  auction     TEXT NOT NULL,
  inquiry     TEXT NOT NULL,
  agent       TEXT NOT NULL,
  bidder      INTEGER NOT NULL,
  amount      TEXT NOT NULL,
  currency    TEXT NOT NULL,
  state       TEXT NOT NULL,
  standing    TEXT NOT NULL,
  loss_reason TEXT,
  placed_at   INTEGER NOT NULL,
  log         TEXT NOT NULL,
  seq         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX bid_by_place ON bid(log, seq);

-- at, log, seq: of the event that brought the state about.
CREATE TABLE settlement(
  id        TEXT PRIMARY KEY,
  inquiry   TEXT NOT NULL,
  bid       TEXT,
  state     TEXT NOT NULL,
  direction TEXT NOT NULL,
  price     TEXT NOT NULL,
  currency  TEXT NOT NULL,
  payer     TEXT NOT NULL,
  payee     TEXT NOT NULL,
  at        INTEGER NOT NULL,
  log       TEXT NOT NULL,
  seq       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX settlement_by_state ON settlement(state, id);
CREATE INDEX settlement_by_inquiry ON settlement(inquiry, id);
CREATE INDEX settlement_by_payer ON settlement(payer, id);
CREATE INDEX settlement_by_payee ON settlement(payee, id);
CREATE INDEX settlement_by_at ON settlement(at);

-- In the order of the books, since a posting's id is taken from a hash and has none. Exactly one of
-- settlement and wallet is set. txn: the event whose legs these are.
CREATE TABLE posting(
  at         INTEGER NOT NULL,
  log        TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  leg        INTEGER NOT NULL,
  id         TEXT NOT NULL,
  txn        TEXT NOT NULL,
  settlement TEXT,
  wallet     TEXT,
  account    TEXT NOT NULL,
  amount     TEXT NOT NULL,
  currency   TEXT NOT NULL,
  rule       TEXT NOT NULL,
  PRIMARY KEY(at, log, seq, leg)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX posting_by_id ON posting(id);
CREATE INDEX posting_by_settlement ON posting(settlement) WHERE settlement IS NOT NULL;
CREATE INDEX posting_by_account ON posting(account, at, log, seq, leg);

-- Idempotency keys of the last 24 hours of event time. In the order of the log, so that old ones are cut
-- off its front; a key may come again after 24 hours, so the hash alone is no primary key.
CREATE TABLE idempotency_key(
  log         TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  hash        BLOB NOT NULL CHECK(length(hash) = 16),
  fingerprint BLOB NOT NULL CHECK(length(fingerprint) = 8),
  events      INTEGER NOT NULL,
  time        INTEGER NOT NULL,
  PRIMARY KEY(log, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_key_by_hash ON idempotency_key(hash, log, seq);

PRAGMA user_version = 1;
