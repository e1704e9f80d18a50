import { readdirSync, readFileSync } from 'node:fs'

/** What /proc counts processor time in; the same wherever Linux runs Node. */
const ticksPerSecond = 100

/**
 * User and system time that a process and all below it have used since they began, those that have ended included: PostgreSQL has a
 * process for each connection. Seconds; NaN where there is no /proc.
 */
export function cpuSeconds(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? [])
  let ticks = 0
  const family = [pid]
  for (const member of family) {
    ticks += all.find((one) => one.pid === member)?.ticks ?? 0
    family.push(...all.filter(({ parent }) => parent === member).map((child) => child.pid))
  }
  return ticks / ticksPerSecond
}

/** The most memory that a process ever had resident, in MB; NaN where there is no /proc. */
export function peakMemoryMb(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 1024)
}

/** Undefined for a process that has ended since it was listed. */
function readStat(pid: number): { pid: number; parent: number; ticks: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field, the name, may hold blanks and brackets. After it: state, parent, ..., and from the 12th on the times, the last two
    // those of children that have ended.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const [, parent = 0] = fields
    return { pid, parent, ticks: fields.slice(11, 15).reduce((sum, time) => sum + time, 0) }
  } catch {
    return undefined
  }
}
