// One page so far. Every address is the house's own; names of assets carry their hash, so they never change.
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/',
  build: {
    outDir: 'dist',
    assetsDir: 'assets',
    // A data: address would need a wider content security policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 8192,
    rollupOptions: { input: { graphiql: 'graphiql.html' } },
    rolldownOptions: { input: { graphiql: 'graphiql.html' } },
  },
  worker: { format: 'es' },
});
