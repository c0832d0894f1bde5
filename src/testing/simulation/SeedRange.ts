/** Many seeds and what came of them: plain data, so that several threads can share the work. */
import { type Fault, faults, FaultTable, type Step, steps } from "./Faults.ts"
import { simulate } from "./Simulation.ts"
import type { RareCounts } from "./Trial.ts"

/** A seed whose run broke a law. */
export interface FailedSeed {
  readonly seed: number
  readonly violations: ReadonlyArray<string>
}

export interface SeedReport {
  readonly seeds: number
  readonly failed: ReadonlyArray<FailedSeed>
  readonly commands: number
  readonly attempts: number
  readonly events: number
  readonly faults: number
  readonly takeovers: number
  readonly rare: RareCounts
  /** Commands in the log that policies were asked of, and answers that one was against it. */
  readonly policies: { readonly asked: number; readonly rejected: number }
  /** The fewest of any seed. */
  readonly least: { readonly commands: number; readonly faults: number; readonly takeovers: number }
  /** Virtual time, ms. */
  readonly elapsed: number
  /** By step and fault, in the order of the lists. */
  readonly table: ReadonlyArray<ReadonlyArray<number>>
}

export const noSeeds: SeedReport = {
  seeds: 0,
  failed: [],
  commands: 0,
  attempts: 0,
  events: 0,
  faults: 0,
  takeovers: 0,
  rare: { unsure: 0, seen: 0, gathered: 0, joint: 0, withheld: 0, ahead: 0, dropped: 0 },
  policies: { asked: 0, rejected: 0 },
  least: { commands: Infinity, faults: Infinity, takeovers: Infinity },
  elapsed: 0,
  table: steps.map(() => faults.map(() => 0))
}

const cellsOf = (table: FaultTable) => steps.map((step) => faults.map((fault) => table.get(fault, step)))

/** Runs one seed. */
export const runSeed = (seed: number): SeedReport => {
  const { attempts, commands, rare, elapsed, events, policies, table, takeovers, violations } = simulate(seed)
  return {
    seeds: 1,
    failed: violations.length === 0 ? [] : [{ seed, violations }],
    commands,
    attempts,
    events,
    faults: table.total,
    takeovers,
    rare,
    policies,
    least: { commands, faults: table.total, takeovers },
    elapsed,
    table: cellsOf(table)
  }
}

export const sum = (one: SeedReport, other: SeedReport): SeedReport => ({
  seeds: one.seeds + other.seeds,
  failed: [...one.failed, ...other.failed],
  commands: one.commands + other.commands,
  attempts: one.attempts + other.attempts,
  events: one.events + other.events,
  faults: one.faults + other.faults,
  takeovers: one.takeovers + other.takeovers,
  rare: {
    unsure: one.rare.unsure + other.rare.unsure,
    seen: one.rare.seen + other.rare.seen,
    gathered: one.rare.gathered + other.rare.gathered,
    joint: one.rare.joint + other.rare.joint,
    withheld: one.rare.withheld + other.rare.withheld,
    ahead: one.rare.ahead + other.rare.ahead,
    dropped: one.rare.dropped + other.rare.dropped
  },
  policies: {
    asked: one.policies.asked + other.policies.asked,
    rejected: one.policies.rejected + other.policies.rejected
  },
  least: {
    commands: Math.min(one.least.commands, other.least.commands),
    faults: Math.min(one.least.faults, other.least.faults),
    takeovers: Math.min(one.least.takeovers, other.least.takeovers)
  },
  elapsed: one.elapsed + other.elapsed,
  table: one.table.map((row, step) => row.map((count, fault) => count + other.table[step]![fault]!))
})

/** Runs `seeds` seeds from `from` on. */
export const runSeeds = (from: number, seeds: number): SeedReport => {
  let report = noSeeds
  for (let seed = from; seed < from + seeds; seed++) report = sum(report, runSeed(seed))
  return report
}

export const tableOf = ({ table }: SeedReport): FaultTable => {
  const counted = new FaultTable()
  steps.forEach((step: Step, row) => {
    faults.forEach((fault: Fault, column) => counted.count(fault, step, table[row]![column]!))
  })
  return counted
}

/** For a reader. */
export const reportLines = (report: SeedReport): ReadonlyArray<string> => {
  const { attempts, commands, rare, elapsed, events, failed, least, policies, seeds, takeovers } = report
  return [
    "faults by the step that they hit:",
    ...tableOf(report).lines(),
    "",
    `${seeds} seeds: ${commands} commands in ${attempts} attempts, ${events} events, ${report.faults} faults, ` +
      `${takeovers} take-overs, ${Math.round(elapsed / 3_600_000)} hours of virtual time`,
    `${rare.unsure} commits with keys that memory was not sure of, ${rare.seen} left out since one was there, ` +
      `${rare.gathered} queries for keys of several wallets`,
    `${rare.joint} appends of wallets that belong together, ${rare.withheld} left out for one of the others`,
    `${rare.ahead} batches decided ahead of their append, ${rare.dropped} dropped and decided anew`,
    `${policies.asked} commands of which policies were asked, ${policies.rejected} answers that one was against it`,
    `each seed at least: ${least.commands} commands, ${least.faults} faults, ${least.takeovers} take-overs`,
    failed.length === 0
      ? "no law was broken"
      : `${failed.length} seeds broke a law: ${failed.map(({ seed }) => seed).join(", ")}`
  ]
}
