// The first file of every command. Plain JavaScript for the machine's own Node, which may be older than the code needs.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repository = dirname(dirname(fileURLToPath(import.meta.url)))

const neededMajor = 24
/** One Ctrl-C arrives several times: from the terminal, and passed on by npm and by the shell that npm starts. */
const sameSignalMs = 1000
const orphanCheckMs = 500

/**
 * Installs what is missing, then runs `args` with a Node that is new enough and ends as it ends.
 * @param {string[]} args
 */
export function runWithNode(args) {
  prepare()
  // In a group of its own, so that a signal reaches it once, from here; the channel tells it when we are killed.
  const child = spawn(modernNode(), args, {
    cwd: repository,
    detached: true,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  const lastSent = new Map()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (Date.now() - (lastSent.get(signal) ?? 0) < sameSignalMs) return
      lastSent.set(signal, Date.now())
      child.kill(signal)
    })
  }
  // Who kills npm means us, but npm does not always live to say so.
  const starters = startedBy()
  setInterval(() => {
    if (startedBy() !== starters && !child.killed) child.kill('SIGTERM')
  }, orphanCheckMs).unref()
  child.on('error', (error) => fail(`Node could not be started: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? exitCodeOf(signal)))
}

/** Who started us, and who started them: npm starts a shell that may outlive it. Only Linux shows the second. */
function startedBy() {
  try {
    const fields = readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')
    return `${process.ppid} ${fields?.[1]}`
  } catch {
    return String(process.ppid)
  }
}

/** Runs `npm ci` unless what is installed is as new as the lockfile. */
export function prepare() {
  const installed = join(repository, 'node_modules', '.package-lock.json')
  const lockfile = join(repository, 'package-lock.json')
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lockfile).mtimeMs) return
  console.log('Installing dependencies (npm ci) ...')
  const { status, error, stderr } = spawnSync('npm', ['ci', '--no-progress'], {
    cwd: repository,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (status === 0) return
  const reason = error?.message ?? stderr.split('\n').find(saysWhy) ?? `exit code ${status}`
  fail(`Installing dependencies failed (${reason.trim()}): run npm ci to see all of it, then try again`)
}

/** npm's first lines of an error are codes. */
function saysWhy(line) {
  return /^npm (error|ERR!) (?!code|errno|syscall|path)\S/.test(line)
}

/** The Node that came by npm for this platform, else the machine's if it is new enough. */
export function modernNode() {
  const fromNpm = join(repository, 'node_modules', '.bin', 'node')
  if (majorOf(fromNpm) >= neededMajor) return fromNpm
  if (majorOf(process.execPath) >= neededMajor) return process.execPath
  return fail(
    `Node ${neededMajor} or newer is needed: this is ${process.version}, and npm has none that runs on ${process.platform}-${process.arch}. Install it from https://nodejs.org`,
  )
}

/** @returns {number} 0 when it does not run. */
function majorOf(node) {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  return Number(/^v(\d+)\./.exec(stdout ?? '')?.[1] ?? 0)
}

function exitCodeOf(signal) {
  return { SIGHUP: 129, SIGINT: 130, SIGKILL: 137, SIGTERM: 143 }[signal] ?? 1
}

/** @returns {never} */
function fail(message) {
  console.error(message)
  process.exit(1)
}
