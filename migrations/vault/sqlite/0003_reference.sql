-- Whom a provider's own reference for a customer leads to. It stands here and not in a log, because what stands in a log
-- cannot be forgotten: erasing the customer takes its rows along, and the reference leads to somebody new.
--
-- `mark` is an HMAC of provider and reference with a secret of the store, so nobody reads the reference here, and who
-- guesses one needs the secret to try it.
CREATE TABLE reference (
    mark     BLOB PRIMARY KEY CHECK (length(mark) = 16),
    customer TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- For erasing.
CREATE INDEX reference_customer ON reference (customer);
