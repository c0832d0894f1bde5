/**
 * What only several nodes can get wrong: the order of a caller's commands on a wallet, and
 * writing under a claim that no longer stands.
 */
import * as Effect from "effect/Effect"
import { partitionOf } from "../../src/domain/Partition.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import type { SentCommand, Trail } from "../faults/ClientView.ts"
import type { ClaimPlace } from "./ClaimHistory.ts"

/** Complaints that are kept as texts; all are counted. */
const keptComplaints = 20

const pageEvents = 2_000

interface Placed {
  readonly walletId: string
  readonly version: number
  readonly epoch: number
  readonly position: bigint
  readonly key: string
}

export interface ClusterVerdict {
  readonly events: number
  /** Pairs of commands of one caller on one wallet whose order was looked at. */
  readonly pairs: number
  readonly disordered: number
  /** Events under another claim than the one in force at their place in the log. */
  readonly unclaimed: number
  readonly claims: number
  readonly complaints: ReadonlyArray<string>
}

const readLog = Effect.gen(function* () {
  const log = yield* EventStore
  const placed: Array<Placed> = []
  for (let after = 0n; ;) {
    const page = yield* log.readAll({ after, limit: pageEvents })
    const last = page.at(-1)
    if (last === undefined) return placed
    for (const { position, recorded } of page) {
      const { metadata, version, walletId } = recorded
      placed.push({ walletId, version, epoch: metadata.epoch, position, key: metadata.key })
    }
    after = last.position
  }
})

/** The events whose epoch is not that of the last claim before them. */
export const unclaimed = (
  events: ReadonlyArray<Placed>,
  claims: ReadonlyArray<ClaimPlace>,
  partitions: number
): ReadonlyArray<string> => {
  const places = new Map<number, Array<ClaimPlace>>()
  for (const claim of claims) {
    const of = places.get(claim.partition)
    if (of === undefined) places.set(claim.partition, [claim])
    else of.push(claim)
  }
  for (const of of places.values()) of.sort((a, b) => a.epoch - b.epoch)
  const found: Array<string> = []
  for (const { epoch, position, version, walletId } of events) {
    let inForce = 0
    for (const claim of places.get(partitionOf(walletId, partitions)) ?? []) {
      if (claim.position >= position) break
      inForce = claim.epoch
    }
    if (epoch !== inForce) found.push(`${walletId} version ${version}: epoch ${epoch}, claimed was ${inForce}`)
  }
  return found
}

interface Asked {
  readonly command: SentCommand
  readonly trail: Trail
  /** In the log. */
  readonly version: number
}

/**
 * Whether the second, asked for after the first, had to come after it. Of one request they
 * go off together: then a command that was refused, or came through by a later try, may be
 * later than one behind it. A try without an answer, or with none that is known, may have been a rejection, too.
 */
const isBound = ({ command, trail }: Asked, second: Asked): boolean =>
  trail.turn !== second.trail.turn || (!trail.refused && !command.overlapped && trail.round <= second.trail.round)

const told = ({ command, trail, version }: Asked): string =>
  `${command.kind} ${command.key} (version ${version}, try ${trail.round})`

const outOfOrder = (first: Asked, second: Asked): string =>
  `${second.command.walletId}, caller ${first.trail.caller}: ${told(first)} was asked for before ${told(second)}`

/** Answers how many pairs it has looked at: each command with the last of the turns before, and with its own turn. */
const checkLine = (line: ReadonlyArray<Asked>, found: Array<string>): number => {
  let pairs = 0
  let turn: Array<Asked> = []
  let before: Asked | undefined
  for (const second of line) {
    if (turn.length > 0 && turn[0]!.trail.turn !== second.trail.turn) {
      for (const one of turn) if (before === undefined || one.version > before.version) before = one
      turn = []
    }
    const earlier = before === undefined ? turn : [before, ...turn]
    for (const first of earlier) {
      if (!isBound(first, second)) continue
      pairs++
      if (first.version >= second.version) found.push(outOfOrder(first, second))
    }
    turn.push(second)
  }
  return pairs
}

/** Of every caller on every wallet; who else sent a command is not told apart, so it is left out. */
export const disordered = (
  commands: ReadonlyArray<SentCommand>,
  versions: ReadonlyMap<string, number>
): { readonly pairs: number; readonly found: ReadonlyArray<string> } => {
  const lines = new Map<string, Array<Asked>>()
  for (const command of commands) {
    const { trail, walletId } = command
    const version = versions.get(`${walletId} c:${command.key}`)
    if (trail === undefined || trail.shared || version === undefined) continue
    const name = `${trail.caller} ${walletId}`
    const line = lines.get(name)
    if (line === undefined) lines.set(name, [{ command, trail, version }])
    else line.push({ command, trail, version })
  }
  const found: Array<string> = []
  let pairs = 0
  for (const line of lines.values()) {
    line.sort((a, b) => a.trail.turn - b.trail.turn || a.trail.place - b.trail.place)
    pairs += checkLine(line, found)
  }
  return { pairs, found }
}

/** Nothing moves any more; the log is that of the installation, without any proxy. */
export const auditCluster = Effect.fnUntraced(function* (
  commands: ReadonlyArray<SentCommand>,
  claims: ReadonlyArray<ClaimPlace>,
  partitions: number
): Effect.fn.Return<ClusterVerdict, unknown, EventStore> {
  const events = yield* readLog
  const versions = new Map<string, number>()
  for (const { key, version, walletId } of events) versions.set(`${walletId} ${key}`, version)
  const order = disordered(commands, versions)
  const strangers = unclaimed(events, claims, partitions)
  return {
    events: events.length,
    pairs: order.pairs,
    disordered: order.found.length,
    unclaimed: strangers.length,
    claims: claims.length,
    complaints: [...order.found, ...strangers].slice(0, keptComplaints)
  }
})
