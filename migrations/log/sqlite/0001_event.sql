-- One file is one log, and this table is all of it.

-- `seq` is the rowid: events stand on the disk in their order, an append touches the last page, and a
-- read from a position is a walk. There is no other index: every one would be paid for by each append,
-- and whoever looks for a subject or a key asks a view in another file.
--
-- `envelope` and `data` are TEXT, so that anybody with a SQLite shell can read the log. They are stored
-- and hashed byte for byte; nothing here parses them, and jsonb would reorder their keys.
--
-- The hash is stored although it can be computed: a repeated batch is recognised by it, and a reader
-- that may not see the data can still check the chain.
--
-- No AUTOINCREMENT and no trigger that counts: the append compares the head before it inserts, in the
-- only process that may write. The primary key is the second lock.
CREATE TABLE event (
    seq      INTEGER PRIMARY KEY CHECK (seq >= 0),
    envelope TEXT NOT NULL,
    data     TEXT NOT NULL,
    salt     BLOB NOT NULL CHECK (length(salt) = 16),
    hash     BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- The log is append-only, also for a hurried person with a shell. Who drops the triggers first means
-- it, and the hash chain tells.
CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event is never changed'); END;

CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event is never deleted'); END;
