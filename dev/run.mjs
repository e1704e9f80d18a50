// `node dev/run.mjs FILE ARGS...`: runs a file of this repository on any machine that has Node and npm.
import { runWithNode } from './bootstrap.mjs'

runWithNode(process.argv.slice(2))
