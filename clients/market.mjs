// A small market for the clients to meet, set up over HTTP with nothing but fetch, and what they share: where the
// server is, who they are, fresh idempotency keys.
//
// Promises: a call server, a provider, two agents with money who are available, an offer, and inquiries whose
// auctions will not close while clients run, one for each client that bids. `node market.mjs URL FILE` writes all of
// it, with the tokens, to FILE, from where each client takes it (CALLMARKET_MARKET names it); `node market.mjs agent`
// prints that caller's token.
//
// Leaves out: anything a client should find out by itself, and every check of the server beyond "it did".

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** A fresh idempotency key: as long as an anonymous caller's must be. */
export const key = () => randomBytes(16).toString('hex');

/** What `clients/run` has set up. Throws where a client is started by hand without it. */
export function market() {
  if (!process.env.CALLMARKET_MARKET) throw new Error('CALLMARKET_MARKET is not set: run clients/run');
  return JSON.parse(readFileSync(process.env.CALLMARKET_MARKET, 'utf8'));
}

/** The request header of a caller; none for a stranger. */
export const bearer = (token) => (token ? { authorization: `Bearer ${token}` } : {});

/** The token of one of each kind of caller. */
export function caller(kind) {
  const { operator, finance, provider, agents, inquiries } = market();
  return { operator, finance, provider: provider.token, agent: agents[0].token, customer: inquiries[0].customer }[kind];
}

/** One request by POST; the data. Throws where there are errors. */
export async function ask(url, token, query, variables) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(token) },
    body: JSON.stringify({ query, variables }),
  });
  const answer = await response.json();
  if (answer.errors) throw new Error(`${query}: ${JSON.stringify(answer.errors)}`);
  return answer.data;
}

/** One mutation; its payload. Throws where it is refused. */
export async function give(url, token, mutation, input, wanted) {
  const type = `${mutation[0].toUpperCase()}${mutation.slice(1)}Input!`;
  const document = `mutation($input: ${type}) { ${mutation}(input: $input) { ${wanted} userErrors { code message field } } }`;
  const payload = (await ask(url, token, document, { input: { ...input, idempotencyKey: key() } }))[mutation];
  if (payload.userErrors.length) throw new Error(`${mutation}: ${JSON.stringify(payload.userErrors)}`);
  return payload;
}

/** A token from the command line, which needs CALLMARKET_DATA and CALLMARKET_BIN. */
export function token(role, subject, ...more) {
  const of = subject ? ['--subject', subject, ...more] : more;
  const printed = execFileSync(process.env.CALLMARKET_BIN, ['token', '--role', role, ...of], { encoding: 'utf8' });
  return printed.trim().split('\n').at(-1);
}

async function found(url) {
  const [operator, finance] = [token('operator'), token('finance')];
  await give(url, operator, 'openCallServer', { name: 'main', topics: ['cards'] }, 'callServer { id }');
  const { provider } = await give(url, operator, 'registerProvider', { name: 'Example Bank' }, 'provider { id }');
  const agents = [];
  for (const displayName of ['Ann', 'Ben']) {
    const hired = { displayName, callServer: 'main', location: 'home', skills: [{ name: 'cards' }] };
    const { agent } = await give(url, operator, 'registerAgent', hired, 'agent { id }');
    const money = { amount: '1000.00', currency: 'EUR' };
    await give(url, finance, 'creditWallet', { owner: agent.id, amount: money, reference: 'first money' }, 'account { id }');
    const itsToken = token('agent', agent.id);
    await give(url, itsToken, 'setAgentStatus', { status: 'AVAILABLE' }, 'agent { status }');
    agents.push({ id: agent.id, token: itsToken });
  }
  const tokenOfProvider = token('provider', provider.id);
  const auction = { direction: 'FORWARD', format: 'OPEN', currency: 'EUR', reserve: '5.00', openFor: 'PT1H' };
  const links = [{ label: 'I lost my card', topic: 'cards/lost' }];
  const offered = { providerId: provider.id, title: 'Help with cards', links, channels: ['MESSAGE'], allocation: { auction } };
  const { offer } = await give(url, tokenOfProvider, 'publishOffer', offered, 'offer { id links { id } }');
  const inquiries = [];
  for (const displayName of ['Carla', 'Carl', 'Cora', 'Clem', 'Cleo']) {
    const press = { offerId: offer.id, linkId: offer.links[0].id, channel: 'MESSAGE', customer: { displayName } };
    const accepted = await give(url, undefined, 'acceptOffer', press, 'inquiry { id } customerToken');
    // The customer itself sees neither.
    const placed = 'query($id: ID!) { inquiry(id: $id) { id auction { id } queues { id } } }';
    const { inquiry } = await ask(url, operator, placed, accepted.inquiry);
    const [auction, queue] = [inquiry.auction.id, inquiry.queues[0].id];
    inquiries.push({ id: inquiry.id, auction, queue, customer: accepted.customerToken });
  }
  const page = await ask(url, operator, '{ agents(first: 1) { edges { cursor } } }');
  return {
    url,
    operator,
    finance,
    provider: { id: provider.id, token: tokenOfProvider },
    agents,
    offer: { id: offer.id, link: offer.links[0].id },
    inquiries,
    cursor: page.agents.edges[0].cursor,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [url, file] = process.argv.slice(2);
  if (file) writeFileSync(file, JSON.stringify(await found(url), null, 2));
  else console.log(caller(url) ?? '');
}
