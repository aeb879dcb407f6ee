-- History: rows folded from the logs, in a file of their own. Whatever stands here can be folded again,
-- so a change of shape is a new number and `rebuild`, never an ALTER of grown rows.
--
-- Choices:
-- * Ids are text, as the API and the logs write them. A body of 128 bits takes 30 characters instead of
--   16 bytes, and for that every row can be read in any SQLite shell, and text order is id order, which
--   is time order: keyset pages and appends run along the right edge of every index. The indexes that grow
--   with every event, subject_event and the keys, hold integers only, many to a row.
-- * No row for a bid. A bid's id holds the instant of its event, so the log finds it, and its auction's
--   events tell the rest (docs/adr/0013). A row each would be an insert into two B-trees and an update.
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

-- Which events concern a subject: the index of every audit trail. A row is a run: `first`, and in `seqs` the
-- distances of those that follow, each a LEB128 number. One slice of the log makes one run of a subject, or
-- several of bounded length, so what is written follows the busy subjects and not the events. Runs of a
-- subject never overlap. WITHOUT ROWID, so a trail is one range of one B-tree. The offer of an inquiry has
-- entries here for each event of that inquiry; its provider has not, because a provider's few offers are
-- merged while reading.
CREATE TABLE subject_event(
  subject INTEGER NOT NULL,
  log     INTEGER NOT NULL,
  first   INTEGER NOT NULL,
  seqs    BLOB NOT NULL,
  PRIMARY KEY(subject, log, first)
) STRICT, WITHOUT ROWID;

-- Ids that are no subject of any event, and the inquiry or offer they lead to: channels, messages,
-- records, links. Bids are found by their time and need none here.
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

-- What acceptances say of customers: the first of each, and those that gave a profile, which is read from the log.
CREATE TABLE customer(
  id      TEXT NOT NULL,
  seq     INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  profile INTEGER NOT NULL CHECK(profile IN (0, 1)),
  PRIMARY KEY(id, seq)
) STRICT, WITHOUT ROWID;

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

-- at, log, seq: of the event that brought the state about. left: of the price, what was not given back.
CREATE TABLE settlement(
  id        TEXT PRIMARY KEY,
  inquiry   TEXT NOT NULL,
  bid       TEXT,
  state     TEXT NOT NULL,
  direction TEXT NOT NULL,
  price     TEXT NOT NULL,
  left      TEXT NOT NULL,
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

-- Entries of the journal, in its order: by when the money moved, then as they were posted. The entry itself is read from
-- the log `treasury` by its position. `source`: the log of the event that moved the money. Within one source, positions
-- follow the times, so what was posted late is found at one end of a range (docs/adr/0049).
CREATE TABLE entry(
  at     INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  source TEXT NOT NULL,
  PRIMARY KEY(at, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_by_source ON entry(source, at, seq);
CREATE TABLE entry_account(
  account TEXT NOT NULL,
  at      INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  PRIMARY KEY(account, at, seq)
) STRICT, WITHOUT ROWID;

-- Idempotency keys of the last 24 hours of event time: the first half of each hash, and the position of
-- its event, which has the rest. An index over hashes would scatter its inserts over a day's keys, so
-- they stand in segments: each slice adds one, eight of one level become one of the next, and after a
-- day the whole segment goes. Segments of a log never overlap.
CREATE TABLE key_segment(
  no     INTEGER PRIMARY KEY,
  log    INTEGER NOT NULL,
  first  INTEGER NOT NULL,
  last   INTEGER NOT NULL,
  newest INTEGER NOT NULL,
  level  INTEGER NOT NULL,
  keys   INTEGER NOT NULL
) STRICT;
CREATE INDEX key_segment_by_last ON key_segment(log, last);

-- The keys of a segment in the order of their hashes, cut by the hash into parts of about a page.
-- place: the segment's number << 16 | the part's. keys: 16 bytes each, half a hash and a position.
CREATE TABLE key_part(
  place INTEGER PRIMARY KEY,
  keys  BLOB NOT NULL
) STRICT;

PRAGMA user_version = 3;
