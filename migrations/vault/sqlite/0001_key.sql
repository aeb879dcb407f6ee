-- The keys of data subjects. Erasing a person is erasing a key here; the logs keep what nobody can read
-- any more. A backup of this file therefore expires: an old one brings erased keys back.

-- `sealed` is the subject's key, sealed with the master key that stands in a file of its own: this file
-- alone opens nothing. Its length is version 1 + nonce 24 + key 32 + tag 16. NULL says erased: the row
-- stays, so that the subject never gets another key.
--
-- Erasing must leave no copy in the file, also where SQLite has moved rows between pages. That is not
-- this table's doing but `secure_delete`'s, set where the vault is opened: without it a test finds the
-- bytes of about one key in ten, with rows by subject as well as with rows in order of arrival.
CREATE TABLE key (
    subject TEXT PRIMARY KEY,
    sealed  BLOB CHECK (length(sealed) = 73)
) STRICT, WITHOUT ROWID;

-- Random secrets of the store, by name, sealed like the keys. They are never changed: what was made
-- with them (fingerprints, cursors) could no longer be checked.
CREATE TABLE secret (
    name   TEXT PRIMARY KEY,
    sealed BLOB NOT NULL CHECK (length(sealed) = 73)
) STRICT, WITHOUT ROWID;
