// graphql-http's audit of a server against the GraphQL-over-HTTP draft.
//
// Promises: every audit that the package has is "ok": no error, no warning, and no notice either.
//
// Leaves out: what the draft leaves to the server; api/src/http_tests.rs has that.

import { auditServer } from 'graphql-http';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearer, market } from './market.mjs';

const { url, operator } = market();
/** How many the pinned version has at least: an audit that finds nothing to ask is no audit. */
const AUDITS = 60;

for (const [who, token] of [['a stranger', undefined], ['an operator', operator]]) {
  test(`the audit finds nothing to say to ${who}`, async (t) => {
    const fetchFn = (address, init = {}) => fetch(address, { ...init, headers: { ...init.headers, ...bearer(token) } });
    const results = await auditServer({ url, fetchFn });
    const count = (status) => results.filter((result) => result.status === status).length;
    const counts = ['ok', 'notice', 'warn', 'error'].map((status) => `${count(status)} ${status}`);
    t.diagnostic(`${results.length} audits: ${counts.join(', ')}`);
    assert.ok(results.length >= AUDITS, `${results.length} audits`);
    const others = results.filter((result) => result.status !== 'ok');
    assert.deepEqual(others.map(({ id, status, name, reason }) => ({ id, status, name, reason })), []);
  });
}
