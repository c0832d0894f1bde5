/**
 * What the log has, held against what the clients were told: nothing acknowledged may
 * be missing, nothing may be there twice, nothing rejected may be there, nothing may be
 * there that nobody sent. Then `verify` holds PostgreSQL against the log.
 */
import * as Effect from "effect/Effect"
import type { WalletEvent } from "../../src/domain/Event.ts"
import { maxTime } from "../../src/domain/Limits.ts"
import { verify } from "../../src/engine/verify/Verify.ts"
import { EventStore, type PositionedEvent } from "../../src/stores/EventStore.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { type Body, type SentCommand, versionOf } from "./ClientView.ts"
import type { FaultClient } from "./FaultClient.ts"

/** Complaints that are kept as texts; all are counted. */
const keptComplaints = 20

const pageEvents = 2_000

/** What the log has under one key of one wallet. */
export interface Entry {
  readonly commandIds: Set<string>
  version: number
  reversed: boolean
}

interface TransferEntry {
  sent: number
  received: number
  refused: number
  settled: number
  reversed: number
}

export interface LogContent {
  readonly events: number
  readonly byKey: Map<string, Entry>
  readonly transfers: Map<string, TransferEntry>
  readonly duplicates: ReadonlyArray<string>
  readonly negative: ReadonlyArray<string>
}

export interface Verdict {
  readonly sent: number
  readonly acknowledged: number
  readonly rejected: number
  readonly reversed: number
  /** Nobody asked any more what became of them. */
  readonly open: number
  readonly lost: number
  readonly doubled: number
  readonly untrue: number
  readonly events: number
  readonly complaints: ReadonlyArray<string>
}

export interface Verified {
  readonly wallets: number
  readonly differences: number
  readonly refusals: number
  readonly millis: number
  readonly found: ReadonlyArray<string>
}

/** Of several legs what their home says. */
const kindOf = (event: WalletEvent): keyof TransferEntry | undefined => {
  if (event._tag === "LegsSettled") return event.reason === null ? "received" : "refused"
  return transferKinds[event._tag]
}

const transferKinds: Readonly<Record<string, keyof TransferEntry>> = {
  LegsBegun: "sent",
  TransferSent: "sent",
  TransferReceived: "received",
  TransferRefused: "refused",
  TransferSettled: "settled",
  TransferReversed: "reversed"
}

class Reader {
  events = 0
  readonly byKey = new Map<string, Entry>()
  readonly transfers = new Map<string, TransferEntry>()
  readonly duplicates: Array<string> = []
  readonly negative: Array<string> = []
  private readonly byVersion = new Map<string, Entry>()

  add({ recorded }: PositionedEvent): void {
    const { event, metadata, version, walletId } = recorded
    this.events++
    // No wallet of a run has an overdraft limit.
    if (event.balanceAfter < event.heldAfter) this.negative.push(`${walletId} is overdrawn at version ${version}`)
    const name = `${walletId} ${metadata.key}`
    const entry = this.byKey.get(name) ?? { commandIds: new Set<string>(), version: -1, reversed: false }
    this.byKey.set(name, entry)
    entry.commandIds.add(metadata.commandId)
    if (entry.commandIds.size === 2) this.duplicates.push(`${event._tag} ${name}: two commands under one key`)
    entry.version = Math.max(entry.version, version)
    this.byVersion.set(`${walletId} ${version}`, entry)
    if (event._tag === "OperationReversed") {
      const operation = this.byVersion.get(`${walletId} ${event.reversedVersion}`)
      if (operation !== undefined) operation.reversed = true
    }
    const kind = kindOf(event)
    if (kind === undefined || !("transferId" in event)) return
    const transfer = this.transfers.get(event.transferId) ?? {
      sent: 0,
      received: 0,
      refused: 0,
      settled: 0,
      reversed: 0
    }
    this.transfers.set(event.transferId, transfer)
    if (++transfer[kind] === 2) this.duplicates.push(`${event._tag} of transfer ${event.transferId} twice`)
  }
}

const readLog = Effect.gen(function* (): Effect.fn.Return<LogContent, unknown, EventStore> {
  const log = yield* EventStore
  const reader = new Reader()
  for (let after = 0n; ;) {
    const page = yield* log.readAll({ after, limit: pageEvents })
    const last = page.at(-1)
    if (last === undefined) return reader
    for (const one of page) reader.add(one)
    after = last.position
  }
})

type Complaint = readonly [what: "lost" | "doubled" | "untrue", text: string]

const judgeTransfer = (body: Body, log: LogContent): Complaint | undefined => {
  const { id, status } = body["transfer"] as { readonly id: string; readonly status: string }
  const found = log.transfers.get(id)
  if (found === undefined || found.sent === 0) return ["lost", `transfer ${id} is not in the log`]
  if (status === "completed" && found.received === 0) return ["lost", `transfer ${id} was completed, and not received`]
  if (found.received + found.refused === 0) return ["untrue", `transfer ${id} has no end`]
  return undefined
}

const judgeAcknowledged = (body: Body, command: SentCommand, entry: Entry | undefined, log: LogContent) => {
  if (entry === undefined) return ["lost", "acknowledged, and not in the log"] as const
  // Told as committed only, and then undone: a transfer that was taken back has no other end.
  if (command.kind === "transfer") return entry.reversed ? undefined : judgeTransfer(body, log)
  const version = versionOf(body)
  if (entry.version !== version) return ["untrue", `told version ${version}, the log has ${entry.version}`] as const
  return undefined
}

/** What was told against what is there; `undefined`: they agree. */
export const judge = (command: SentCommand, entry: Entry | undefined, log: LogContent): Complaint | undefined => {
  const { view, forbidden } = command
  if (entry !== undefined && entry.reversed !== (forbidden === true)) {
    return ["untrue", entry.reversed ? "reversed, and no rule is against it" : "refused by a rule, and not reversed"]
  }
  switch (view._tag) {
    case "Acknowledged":
      if (view.persisted && entry?.reversed === true) return ["untrue", "reversed, and it was told persisted"]
      return judgeAcknowledged(view.body, command, entry, log)
    case "Rejected":
      // Another request with it may have been done: beside this one, or since and without an answer.
      if (command.overlapped || command.unanswered > 0) return undefined
      return entry === undefined ? undefined : ["untrue", `rejected with ${view.code}, and in the log`]
    case "Reversed":
      if (entry === undefined) return ["lost", `told ${view.code}, and not in the log`]
      if (view.code === "OperationReversed" && !entry.reversed) return ["untrue", "told reversed, and it is not"]
      return undefined
    case "Open":
      return undefined
  }
}

/** Nothing moves any more; the stores are those of the installation, without any proxy. */
export const audit = Effect.fnUntraced(function* (client: FaultClient): Effect.fn.Return<Verdict, unknown, EventStore> {
  const log = yield* readLog
  const views = { Open: 0, Acknowledged: 0, Rejected: 0, Reversed: 0 }
  const counts = { lost: 0, doubled: log.duplicates.length, untrue: client.untrueCount + log.negative.length }
  const complaints = [...client.untrue, ...log.duplicates, ...log.negative]
  const known = new Set<string>()
  const ours = new Set(client.commands.map(({ walletId }) => walletId))
  for (const command of client.commands) {
    const name = `${command.walletId} c:${command.key}`
    known.add(name)
    views[command.view._tag]++
    const complaint = judge(command, log.byKey.get(name), log)
    if (complaint === undefined) continue
    counts[complaint[0]]++
    complaints.push(`${command.kind} ${name}: ${complaint[1]}`)
  }
  for (const name of log.byKey.keys()) {
    if (!name.includes(" c:") || known.has(name) || !ours.has(name.slice(0, name.indexOf(" ")))) continue
    counts.untrue++
    complaints.push(`${name}: in the log, and nobody sent it`)
  }
  return {
    sent: client.commands.length,
    acknowledged: views.Acknowledged,
    rejected: views.Rejected,
    reversed: views.Reversed,
    open: views.Open,
    ...counts,
    events: log.events,
    complaints: complaints.slice(0, keptComplaints)
  }
})

/** Without any allowance for rows that are behind. */
export const verifyNow = Effect.gen(function* (): Effect.fn.Return<
  Verified,
  unknown,
  Effect.Services<ReturnType<typeof verify>>
> {
  const report = yield* verify({ lagMillis: 0, maxDifferences: keptComplaints })
  return {
    wallets: report.wallets,
    differences: report.differenceCount,
    refusals: report.refusals,
    millis: report.durationMillis,
    found: report.differences.map(
      ({ expected, found, store, walletId, what }) =>
        `${walletId} ${store} ${what}: expected ${expected}, found ${found}`
    )
  }
})

/** The last version of every wallet in the log. */
const heads = Effect.gen(function* (): Effect.fn.Return<ReadonlyMap<string, number>, unknown, EventStore> {
  const log = yield* EventStore
  const versions = new Map<string, number>()
  for (let after = 0n; ;) {
    const page = yield* log.readAll({ after, limit: pageEvents })
    const last = page.at(-1)
    if (last === undefined) return versions
    for (const { recorded } of page) versions.set(recorded.walletId, recorded.version)
    after = last.position
  }
})

/**
 * What PostgreSQL lacks of the log, and what has been begun and not ended; empty: they are
 * level. Says less than `verify`, and in a fraction of its time.
 */
export const openWork = Effect.gen(function* (): Effect.fn.Return<
  ReadonlyArray<string>,
  unknown,
  EventStore | Persistence
> {
  const persistence = yield* Persistence
  const versions = yield* heads
  const persisted = yield* persistence.persistedVersions(Array.from(versions.keys()))
  const behind = Array.from(versions).filter(
    ([walletId, version]) => (persisted.get(walletId)?.version ?? -1) < version
  )
  const refusals = yield* persistence.openRefusals({ after: { walletId: "", version: -1 }, limit: 10 })
  const transfers = yield* persistence.openTransfers({ before: maxTime, limit: 10 })
  return [
    ...behind.slice(0, 10).map(([walletId, version]) => `${walletId} is not at version ${version}`),
    ...refusals.map(({ version, walletId }) => `version ${version} of ${walletId} is not reversed`),
    ...transfers.map(({ transferId }) => `transfer ${transferId} has not ended`)
  ]
})
