/** What a run of faults has shown, for people. */
import type { ChaosOptions, ChaosOutcome, FaultRecord } from "./ChaosRun.ts"

const number = (value: number): string => Math.round(value).toLocaleString("en")

const ofKind = (kind: string, records: ReadonlyArray<FaultRecord>): string => {
  const most = (of: (record: FaultRecord) => number) => Math.max(...records.map(of))
  const longest = records.reduce((a, b) => (b.longest.millis > a.longest.millis ? b : a)).longest
  return (
    `${kind.padEnd(14)} ${String(records.length).padStart(3)} × ` +
    `longest unavailability of a wallet ${number(longest.millis).padStart(6)} ms (${longest.kind} on ${longest.walletId}), ` +
    `after the fault shared again within ${number(most(({ endedAt, sharedAt }) => sharedAt - endedAt))} ms, ` +
    `at most ${most(({ tries }) => tries)} tries and ${number(most(({ claims }) => claims))} claims`
  )
}

/** One line per kind of fault, then the sums. */
export const report = (options: ChaosOptions, outcome: ChaosOutcome): string => {
  const { answers, cluster, faults, problems, verdict, verified } = outcome
  const kinds = Map.groupBy(faults, ({ kind }) => kind)
  const total = { full: 0, accepted: 0, unavailable: 0, none: 0 }
  for (const phase of Object.values(answers)) {
    for (const name of Object.keys(total) as Array<keyof typeof total>) total[name] += phase[name]
  }
  return [
    `${options.nodes} nodes, stores ${options.stores}, lease ${options.leaseMillis} ms, seed ${options.seed}: ` +
      `${faults.length} faults in ${Math.round(outcome.durationMillis / 1000)} s`,
    ...[...kinds].map(([kind, records]) => ofKind(kind, records)),
    `sent ${number(verdict.sent)}, acknowledged ${number(verdict.acknowledged)}, rejected ${number(verdict.rejected)}, ` +
      `open ${verdict.open}; lost ${verdict.lost}, doubled ${verdict.doubled}, untrue ${verdict.untrue}`,
    `answers: ${number(total.full)} whole, ${number(total.accepted)} × 202, ${number(total.unavailable)} × 429/503, ` +
      `${number(total.none)} without one in time`,
    `order: ${number(cluster.pairs)} pairs, ${cluster.disordered} out of order; ` +
      `claims: ${number(cluster.claims)}, of ${number(cluster.events)} events ${cluster.unclaimed} under another than stood`,
    `verify: ${number(verified.wallets)} wallets, ${verified.differences} differences`,
    problems.length === 0 ? "ok" : `BROKEN:\n  ${problems.join("\n  ")}`
  ].join("\n")
}
