/** Measures the stages of a start and shows each, a line when it is done. */
export interface Stages {
  /** Runs one stage. Stages may run beside each other. */
  run<T>(name: string, work: () => Promise<T>): Promise<T>
  /** Seconds of each stage that is done, in the order they began. */
  seconds(): Record<string, number>
}

export function createStages(say: (line: string) => void): Stages {
  const finished = new Map<string, number | undefined>()
  return {
    async run(name, work) {
      finished.set(name, undefined)
      const begun = performance.now()
      const result = await work()
      const seconds = Math.round((performance.now() - begun) / 100) / 10
      finished.set(name, seconds)
      say(`  ${name.padEnd(24)} ${seconds.toFixed(1).padStart(6)} s`)
      return result
    },
    seconds() {
      return Object.fromEntries([...finished].filter((entry): entry is [string, number] => entry[1] !== undefined))
    },
  }
}
