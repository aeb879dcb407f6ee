// GraphiQL over the house's own /graphql: queries and mutations over HTTP, subscriptions over a WebSocket.
// Everything it loads comes from this house. A token goes into the headers' editor as
// {"Authorization": "Bearer …"}; the socket takes it from there. It is kept for the tab alone.
import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './graphiql.css';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createClient } from 'graphql-ws';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';

const url = new URL('/graphql', location.href);
const socket = new URL(url);
socket.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';

// A socket names its caller once, when it opens: another token is another socket.
const sockets = new Map();
function socketOf(authorization) {
  if (!sockets.has(authorization)) {
    const connectionParams = authorization ? { authorization } : {};
    sockets.set(authorization, createClient({ url: socket.href, connectionParams }));
  }
  return sockets.get(authorization);
}

function fetcher(params, options) {
  const headers = options?.headers ?? {};
  const name = Object.keys(headers).find((name) => name.toLowerCase() === 'authorization');
  const fetch = createGraphiQLFetcher({ url: url.href, wsClient: socketOf(name && headers[name]) });
  return fetch(params, options);
}

createRoot(document.getElementById('graphiql')).render(
  createElement(GraphiQL, {
    fetcher,
    defaultEditorToolsVisibility: 'headers',
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
    storage: sessionStorage,
  }),
);
