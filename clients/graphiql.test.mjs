// GraphiQL as the house serves it, in Chromium, by its own keyboard.
//
// Promises: with a token in the headers' editor a query shows its answer in the page, and a subscription over the
// page's socket its first item; meanwhile nothing is asked of another host, and nothing offends the page's content
// security policy.
//
// Leaves out: what the editor knows of the schema, and every other page.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { market } from './market.mjs';

const PATIENCE = 60_000;
const { url, operator, inquiries } = market();
const home = new URL('/graphiql', url);
// Nothing of what a browser does by itself. Its profile is empty and goes with it.
const quiet = [
  '--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const [hosts, complaints] = [new Set(), []];
let browser;
let page;

before(async () => {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  browser = await chromium.launch({ executablePath, headless: true, args: quiet });
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  // Of pages and their workers alike.
  context.on('request', (request) => hosts.add(new URL(request.url()).host));
  page = await context.newPage();
  page.on('websocket', (socket) => hosts.add(new URL(socket.url()).host));
  page.on('console', (message) => {
    if (message.type() === 'error' || /content security policy/i.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  // The console's words are the browser's; this event is the standard's.
  await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) =>
    console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`)));
});

after(() => browser?.close());

/** Puts a text in the place of an editor's. */
async function write(editor, text) {
  await page.locator(`${editor} .view-lines`).click();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(text);
}

/** Asks what the editor has by now: the page takes a moment to read it, and names the tab by it. */
async function execute(name, operation) {
  await write('.graphiql-query-editor', operation);
  await page.locator('.graphiql-tab', { hasText: name }).waitFor();
  await page.getByRole('button', { name: /execute query/i }).click();
}

/** What the page shows, once it shows all of these. */
async function shows(...words) {
  const all = (wanted) => {
    // An editor writes its spaces as no-break spaces.
    const text = document.querySelector('.result-window')?.textContent.replaceAll('\u00a0', ' ') ?? '';
    return wanted.every((word) => text.includes(word));
  };
  await page.waitForFunction(all, words);
}

test('a query with a token shows its answer', async () => {
  const answer = await page.goto(home.href);
  assert.equal(answer.status(), 200, await answer.text());
  assert.match(answer.headers()['content-security-policy'], /default-src 'none'/);
  await write('[aria-label="Headers"] .graphiql-editor:not(.hidden)', JSON.stringify({ Authorization: `Bearer ${operator}` }));
  await execute('Mine', 'query Mine { viewer { role } }');
  await shows('"viewer"', '"role": "OPERATOR"');
});

test('a subscription shows its first item', async () => {
  const { auction } = inquiries[0];
  await execute('Ticks', `subscription Ticks { auctionTicks(auctionId: "${auction}") { id state } }`);
  await shows('"auctionTicks"', auction);
});

test('nobody else was asked, and the policy held', () => {
  // What is inside the page itself has no host.
  hosts.delete('');
  assert.deepEqual([...hosts], [home.host]);
  assert.deepEqual(complaints, []);
});
