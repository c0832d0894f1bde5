/** What a soak has shown, for people. */
import type { SoakOptions, SoakOutcome } from "./SoakRun.ts"
import type { Sample } from "./SoakWatch.ts"

const number = (value: number): string => Math.round(value).toLocaleString("en")

const megabytes = (bytes: number): string => `${number(bytes / 1_048_576)} MB`

const lags = (samples: ReadonlyArray<Sample>): string => {
  const quiet = samples.flatMap(({ inFault, lagSeconds }) => (inFault ? [] : [lagSeconds])).sort((a, b) => a - b)
  const at = (share: number) => (quiet[Math.floor(quiet.length * share)] ?? 0).toFixed(1)
  return `lag without a fault, as it was at ${number(quiet.length)} looks: p50 ${at(0.5)} s, p99 ${at(0.99)} s`
}

const searchLine = ([fault, statuses]: readonly [string, Readonly<Record<string, number>>]): string =>
  `${fault === "" ? "no fault" : fault} ${Object.entries(statuses)
    .map(([status, count]) => `${count} × ${status === "0" ? "no answer" : status}`)
    .join(", ")}`

export const soakReport = (options: SoakOptions, outcome: SoakOutcome): string => {
  const { again, faults, indexed, latency, memory, problems, samples, verified } = outcome
  const rate = (outcome.events * 1_000) / outcome.loadMillis
  const resident = samples.map((sample) => sample.resident)
  return [
    `${number(outcome.loadMillis / 1_000)} s, seed ${options.seed}: ${number(outcome.commands)} commands, ${number(outcome.events)} events, ` +
      `${number(rate)}/s of ${number(options.rate)} asked for` +
      (rate < 0.95 * options.rate ? "; the machine was too slow for more" : ""),
    ...faults.map(
      ({ eventsPerSecond, fault, healedMillis, lagSeconds, undoneMillis }) =>
        `${fault.padEnd(17)} undone after ${number(undoneMillis / 1_000).padStart(3)} s, level after ${number(healedMillis / 1_000).padStart(4)} s, ` +
        `lag at most ${number(lagSeconds).padStart(4)} s, ${number(eventsPerSecond)} events/s meanwhile`
    ),
    `a batch took ${latency.p50.toFixed(1)} ms (p50), ${latency.p99.toFixed(1)} ms (p99); nothing was told done for ` +
      `${number(outcome.longestGapMillis)} ms at most; sent again after ${again.busy} × 429, ${again.unavailable} × 503, ${again.none} without an answer`,
    lags(samples),
    `told indexed ${indexed.told}, found ${indexed.found}; searches: ${Object.entries(outcome.searches).map(searchLine).join("; ")}; ` +
      `the slowest ${number(outcome.slowestSearchMillis)} ms`,
    `memory: median ${megabytes(memory.earlier)} in the earlier half, ${megabytes(memory.later)} in the later, ` +
      `at most ${megabytes(Math.max(...resident))}, at the end ${megabytes(resident.at(-1) ?? 0)}`,
    `verify: ${number(verified.wallets)} wallets, ${number(verified.events)} events, ${number(verified.documents)} documents, ` +
      `${verified.differences} differences, ${verified.deadLetters} dead letters, ${number(verified.millis / 1_000)} s`,
    problems.length === 0 ? "ok" : `BROKEN:\n  ${problems.join("\n  ")}`
  ].join("\n")
}
