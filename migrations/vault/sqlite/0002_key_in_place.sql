-- Where a sealed key stands, it stays, until it is overwritten there. In 0001 rows stood by subject, so pages split
-- in their middle and SQLite moved rows; `secure_delete` overwrites what is deleted, but not the copy that a move
-- leaves in the free part of the old page: the test of traces found one after about one run in fifteen.
--
-- Rows that are only ever appended never move: a full page at the right edge gets a neighbour and keeps its rows.
-- A row is overwritten in its place, because the zeros are as long as the key was.

CREATE TABLE sealed_key (
    no     INTEGER PRIMARY KEY,
    -- Version 1 + nonce 24 + key 32 + tag 16; all zeros: erased. Rows are never deleted.
    sealed BLOB NOT NULL CHECK (length(sealed) = 73)
) STRICT;

-- Says nothing that must be erased. `no` NULL: erased, and never to have another key.
CREATE TABLE subject (
    subject TEXT PRIMARY KEY,
    no      INTEGER
) STRICT, WITHOUT ROWID;

INSERT INTO subject (subject, no)
    SELECT subject, CASE WHEN sealed IS NULL THEN NULL ELSE row_number() OVER (ORDER BY subject) END FROM key;
INSERT INTO sealed_key (no, sealed)
    SELECT no, sealed FROM (SELECT sealed, row_number() OVER (ORDER BY subject) AS no FROM key)
    WHERE sealed IS NOT NULL ORDER BY no;
-- Its pages are zeroed as they are freed, by this.
PRAGMA secure_delete = ON;
DROP TABLE key;
