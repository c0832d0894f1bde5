/** What an event costs: the server's CPU time and log, and the CPU time of the process that sent it. */

/** Per event. `null`: not told here. */
export interface Cost {
  /** All processes of the PostgreSQL server, microseconds. */
  readonly serverCpuMicros: number | null
  /** Time that statements ran, by `pg_stat_statements`, waiting included; microseconds. */
  readonly executionMicros: number | null
  /** Written to the server's log, full-page images apart. */
  readonly walBytes: number | null
  /** Images of whole pages, one for each page that is first changed after a checkpoint. */
  readonly fullPageBytes: number | null
  /** Events per call of the statement that has written the most log: how large the batches were. */
  readonly eventsPerStatement: number | null
  /** The process of the engine, microseconds: the driver's callers are in it. */
  readonly engineCpuMicros: number | null
}

export const noCost: Cost = {
  serverCpuMicros: null,
  executionMicros: null,
  walBytes: null,
  fullPageBytes: null,
  eventsPerStatement: null,
  engineCpuMicros: null
}

const costNames = Object.keys(noCost) as ReadonlyArray<keyof Cost>

export const middle = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2
}

/** Medians over rounds, each by itself; `null` when no round told anything. */
export const medianCost = (costs: ReadonlyArray<Cost>): Cost | null => {
  const medians = costNames.map((name) => {
    const told = costs.map((cost) => cost[name]).filter((value) => value !== null)
    return [name, told.length === 0 ? null : middle(told)] as const
  })
  // Every name of a cost has its entry; `fromEntries` cannot tell.
  return medians.every(([, value]) => value === null) ? null : (Object.fromEntries(medians) as unknown as Cost)
}
