import { runWithNode } from './bootstrap.mjs'

runWithNode(['dev/main.ts', ...process.argv.slice(2)])
