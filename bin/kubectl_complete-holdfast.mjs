#!/usr/bin/env node
/** kubectl runs a program of this name to learn what could come after `kubectl holdfast`. */
process.argv.splice(2, 0, '__complete', '--');
await import('./kubectl-holdfast.mjs');
