#!/usr/bin/env node
/** The command: a file that is there before the first build, so that npm can link it. */
await import('../dist/main.js');
