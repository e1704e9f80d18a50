import { runWithNode } from './bootstrap.mjs'

runWithNode(['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)])
