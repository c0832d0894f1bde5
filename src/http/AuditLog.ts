/**
 * Writes the audit list, beside the requests: what admins have done is put in line when it is done, what keys were
 * refused is counted per key, operation and minute. Neither waits for the store, and neither fails a request.
 *
 * What is in line is bounded. While the store is away the line is kept and tried again; what has no room is counted
 * (`wallet_audit_lost_total`) and logged. A process that is killed takes what is in line with it, a stop writes it first.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { toText } from "../domain/Limits.ts"
import type { ApiKey } from "../stores/ApiKeyStore.ts"
import { type AuditEntry, AuditStore } from "../stores/AuditStore.ts"
import { HttpConfig } from "./HttpConfig.ts"

/** Entries in line: each is some 1 kB at most. */
export const maxWaiting = 10_000

/** Entries of one statement. */
const batchEntries = 500

/** Milliseconds between two looks at the line. */
export const writeInterval = 1_000

/** What was refused is one entry per key and operation for so long, milliseconds. */
export const coalesceMillis = 60_000

/** Keys and operations that are counted at once: of more, one entry of each key tells. */
const maxCounted = 2_000

/** Characters. */
const maxDetail = 255

/** Entries that are removed by one statement. */
const pruneEntries = 1_000

/** Between two looks for entries that are older than they are kept. */
const pruneInterval = "1 hour"

/** A stop waits so long for the store, milliseconds. */
const drainMillis = 2_000

const lost = Metric.counter("wallet_audit_lost_total", {
  description: "Entries of the audit list that had no room in line",
  incremental: true
})

export interface AuditAct {
  readonly key: Pick<ApiKey, "id" | "name">
  readonly action: string
  readonly target?: string | undefined
  readonly detail?: string | undefined
}

const entryOf = (time: number, { action, detail, key, target }: AuditAct): AuditEntry => ({
  time,
  count: 1,
  keyId: key.id,
  keyName: key.name,
  action,
  outcome: "done",
  target: target ?? null,
  detail: detail === undefined ? null : toText(detail, maxDetail)
})

interface Counted {
  entry: AuditEntry
}

/** What waits to be written, and what is still counted. */
class AuditLine {
  private waiting: Array<AuditEntry> = []
  private readonly counted = new Map<string, Counted>()
  /** Since the last look. */
  dropped = 0

  push(entry: AuditEntry): void {
    if (this.waiting.length < maxWaiting) this.waiting.push(entry)
    else this.dropped += entry.count
  }

  refuse(time: number, act: AuditAct): void {
    const all = this.counted.size < maxCounted
    const name = all ? `${act.key.id} ${act.action}` : `${act.key.id} `
    const known = this.counted.get(name)
    if (known !== undefined) known.entry = { ...known.entry, count: Math.min(known.entry.count + 1, 2 ** 31 - 1) }
    else if (all) this.counted.set(name, { entry: { ...entryOf(time, act), outcome: "refused" } })
    else if (this.counted.size < 2 * maxCounted) {
      const entry = entryOf(time, { key: act.key, action: "several.operations" })
      this.counted.set(name, { entry: { ...entry, outcome: "refused" } })
    } else this.dropped++
  }

  /** Puts in line what was counted for long enough; `all`: whatever was counted. */
  settle(now: number, all: boolean): void {
    for (const [name, { entry }] of this.counted) {
      if (!all && now - entry.time < coalesceMillis && now >= entry.time) continue
      this.counted.delete(name)
      this.push(entry)
    }
  }

  first(): ReadonlyArray<AuditEntry> {
    return this.waiting.slice(0, batchEntries)
  }

  written(count: number): void {
    this.waiting = this.waiting.slice(count)
  }
}

const make = Effect.gen(function* () {
  const store = yield* AuditStore
  const clock = yield* Clock.Clock
  const { auditRetentionMillis } = yield* HttpConfig
  const line = new AuditLine()
  // What is waited for is there from the start.
  yield* Metric.update(lost, 0)

  const now = (): number => Math.floor(clock.currentTimeMillisUnsafe())

  /** All that is in line, in its order. */
  const write = Effect.gen(function* () {
    for (let entries = line.first(); entries.length > 0; entries = line.first()) {
      yield* store.add(entries)
      line.written(entries.length)
    }
  })

  const tellLost = Effect.suspend(() => {
    const { dropped } = line
    if (dropped === 0) return Effect.void
    line.dropped = 0
    return Effect.andThen(
      Metric.update(lost, dropped),
      Effect.logError(`${dropped} entries of the audit list are lost: ${maxWaiting} wait already`)
    )
  })

  const look = Effect.suspend(() => {
    line.settle(now(), false)
    return Effect.andThen(tellLost, write)
  }).pipe(Effect.catch((error) => Effect.logWarning(`the audit list cannot be written now: ${error.message}`)))

  yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(writeInterval)))

  const prune = Effect.suspend(() => store.prune(now() - auditRetentionMillis, pruneEntries)).pipe(
    Effect.repeat({ while: (removed) => removed === pruneEntries }),
    Effect.catch((error) => Effect.logWarning(`old entries of the audit list cannot be removed now: ${error.message}`))
  )
  yield* Effect.forkScoped(Effect.repeat(prune, Schedule.spaced(pruneInterval)))

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      line.settle(now(), true)
      return Effect.andThen(tellLost, write)
    }).pipe(
      Effect.timeout(drainMillis),
      Effect.catch((error) => Effect.logError(`the end of the audit list is not written: ${error.message}`))
    )
  )

  return AuditLog.of({
    done: (act) => Effect.sync(() => line.push(entryOf(now(), act))),
    refused: (act) => Effect.sync(() => line.refuse(now(), act)),
    list: store.list
  })
})

export class AuditLog extends Context.Service<
  AuditLog,
  {
    /** An admin has done it. Waits for nothing. */
    readonly done: (act: AuditAct) => Effect.Effect<void>
    /** A valid key was refused. Waits for nothing. */
    readonly refused: (act: AuditAct) => Effect.Effect<void>
    readonly list: AuditStore["Service"]["list"]
  }
>()("effect-wallet/http/AuditLog") {
  static readonly layer: Layer.Layer<AuditLog, never, AuditStore | HttpConfig> = Layer.effect(AuditLog, make)
}
