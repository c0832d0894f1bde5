/** What the figures depend on: printed with every one of them. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { statfsSync } from "node:fs"
import { availableParallelism, cpus, tmpdir, totalmem } from "node:os"
import { type ActorBounds, defaultBounds } from "../src/actors/ActorBounds.ts"
import type { BenchSettings } from "./BenchSettings.ts"

export interface Conditions {
  /** RFC 3339, UTC. */
  readonly date: string
  readonly node: string
  readonly cores: number
  readonly cpu: string
  /** Bytes. */
  readonly memory: number
  /** A file system in memory makes every flush free: then fsync means nothing. */
  readonly disk: "disk" | "memory"
  readonly bounds: Pick<ActorBounds, "batchCommands" | "appendCommits" | "appendEvents" | "appendsInFlight">
  readonly settings: BenchSettings
}

/** Linux' type numbers of tmpfs and ramfs. */
const memoryFileSystems = [0x01021994, 0x858458f6]

export const conditionsOf = (settings: BenchSettings): Effect.Effect<Conditions> =>
  Effect.map(DateTime.now, (now) => {
    const { appendCommits, appendEvents, appendsInFlight, batchCommands } = defaultBounds
    return {
      date: DateTime.formatIso(now),
      node: process.versions.node,
      cores: availableParallelism(),
      cpu: cpus()[0]?.model ?? "unknown",
      memory: totalmem(),
      disk: memoryFileSystems.includes(statfsSync(tmpdir()).type) ? "memory" : "disk",
      bounds: { batchCommands, appendCommits, appendEvents, appendsInFlight },
      settings
    }
  })

export const conditionsLines = (conditions: Conditions): ReadonlyArray<string> => {
  const { bounds, cores, cpu, date, disk, memory, node, settings } = conditions
  return [
    `${date}, Node ${node}, ${cores} cores (${cpu}), ${(memory / 2 ** 30).toFixed(1)} GiB, data on ${disk}`,
    `batches: ≤ ${bounds.batchCommands} commands per wallet, ≤ ${bounds.appendCommits} wallets and ` +
      `≤ ${bounds.appendEvents} events per append; appends in flight: engine ${bounds.appendsInFlight}, limit program 1`,
    `medians of ${settings.rounds} round${settings.rounds === 1 ? "" : "s"} of ${settings.millis} ms, ` +
      "engine and what stands beside it in turns, one more round of each before and not counted",
    "rates are of accepted commands only: one that is refused ends the bench"
  ]
}
