/**
 * What one endpoint is yet to be sent: a lane per wallet, each in order, and the position of the
 * log that this comes to.
 *
 * A lane that keeps up holds its events in memory, and holds the position below the first of them.
 * One that fails, or has too many, is *behind*: it keeps two versions and no event, goes on from its wallet's own
 * stream, and the position goes past it. So a million events behind a wallet that is refused are one
 * row, and nothing of any other wallet waits for them.
 *
 * Nothing here waits or asks anybody: a snapshot of all is one moment.
 */
import type { ToldEvent } from "../engine/EngineApi.ts"
import { servedBytes } from "../engine/FeedPages.ts"
import type { WalletBehind } from "../stores/WebhookStore.ts"
import type { Backoff } from "./Backoff.ts"
import type { WebhookBounds } from "./WebhookBounds.ts"

/** An event of the log and the position of the one before it, wanted or not. */
interface WaitingEvent {
  readonly recorded: ToldEvent
  readonly after: bigint
  readonly bytes: number
}

export class Lane {
  readonly walletId: string
  /** Of the last event that was acknowledged, or that nobody wants. */
  delivered: number
  /** Of the last event that is due. */
  through: number
  readonly events: Array<WaitingEvent> = []
  isBehind = false
  /** Failed in a row. */
  attempts = 0
  /** Milliseconds. */
  failedSince: number | null = null
  nextAt: number | null = null
  lastError: string | null = null
  backoff: Backoff | undefined
  /** Milliseconds, of a clock that nobody sets: when its attempt has begun; `undefined`: nobody is at it. */
  takenAt: number | undefined
  /** The pause that is waited for: it may be cut short. */
  pause: object | undefined
  /** Milliseconds: the time of its first event that is due. */
  since: number

  constructor(walletId: string, delivered: number, through: number, since: number) {
    this.walletId = walletId
    this.delivered = delivered
    this.through = through
    this.since = since
  }

  get row(): WalletBehind {
    const { attempts, delivered, failedSince, lastError, nextAt, through, walletId } = this
    return { walletId, delivered, through, attempts, failedSince, nextAt, lastError }
  }
}

/** All of it at one moment. */
export interface LanesSnapshot {
  readonly position: bigint
  readonly behind: ReadonlyArray<WalletBehind>
  readonly caughtUp: ReadonlyArray<string>
  readonly lastError: string | null
}

export class Lanes {
  readonly #bounds: WebhookBounds
  readonly #lanes = new Map<string, Lane>()
  /** All events up to it were handed over. */
  #read: bigint
  #events = 0
  /** Of these. */
  #bytes = 0
  #behind = 0
  /** Those that the store has otherwise. */
  #changed = new Set<Lane>()
  /** Those of which the store has, or may have, a row. */
  readonly #stored: Set<string>
  /** … and should have none. */
  #caughtUp = new Set<string>()

  constructor(bounds: WebhookBounds, position: bigint, behind: ReadonlyArray<WalletBehind>, now: number) {
    this.#bounds = bounds
    this.#read = position
    this.#stored = new Set(behind.map(({ walletId }) => walletId))
    for (const { attempts, delivered, failedSince, lastError, nextAt, through, walletId } of behind) {
      const lane = new Lane(walletId, delivered, through, failedSince ?? now)
      this.#lanes.set(walletId, Object.assign(lane, { isBehind: true, attempts, failedSince, lastError, nextAt }))
      this.#behind++
    }
  }

  get hasRoom(): boolean {
    const { walletsBehind, windowBytes, windowEvents } = this.#bounds
    return this.#events < windowEvents && this.#bytes < windowBytes && this.#behind < walletsBehind
  }

  get behind(): ReadonlyArray<Lane> {
    return [...this.#lanes.values()].filter(({ isBehind }) => isBehind)
  }

  /** Whether nothing is due of all that was handed over. */
  get isIdle(): boolean {
    return this.#lanes.size === 0
  }

  /** All events up to it are acknowledged, but for those of lanes that are behind. */
  get position(): bigint {
    let lowest = this.#read
    for (const { events, isBehind } of this.#lanes.values()) {
      const first = isBehind ? undefined : events[0]
      if (first !== undefined && first.after < lowest) lowest = first.after
    }
    return lowest
  }

  /** Milliseconds: the time of the oldest event that is due; `undefined`: none is. */
  get oldest(): number | undefined {
    let oldest: number | undefined
    for (const { events, since } of this.#lanes.values()) {
      const time = events[0]?.recorded.time ?? since
      if (oldest === undefined || time < oldest) oldest = time
    }
    return oldest
  }

  /** The next event that is wanted, and the position of the one before it. Answers the lane if it has had nothing to do. */
  add(recorded: ToldEvent, after: bigint): Lane | undefined {
    const { version, walletId } = recorded
    const lane = this.#lanes.get(walletId)
    if (lane === undefined) {
      const made = new Lane(walletId, version - 1, version, recorded.time)
      this.#hold(made, recorded, after)
      this.#lanes.set(walletId, made)
      return made
    }
    if (lane.isBehind) {
      lane.through = Math.max(lane.through, version)
      // The log is read again from further back: so is this wallet.
      if (version <= lane.delivered) lane.delivered = version - 1
      this.#changed.add(lane)
      return undefined
    }
    lane.through = version
    this.#hold(lane, recorded, after)
    if (lane.events.length > this.#bounds.walletEvents && this.#behind < this.#bounds.walletsBehind)
      this.fallBehind(lane)
    return undefined
  }

  #hold(lane: Lane, recorded: ToldEvent, after: bigint): void {
    const bytes = servedBytes(recorded.event)
    lane.events.push({ recorded, after, bytes })
    this.#events++
    this.#bytes += bytes
  }

  /** All up to here were handed over, or nobody wants them. */
  passed(position: bigint): void {
    this.#read = position
  }

  /** Its events are read again, from its own stream. */
  fallBehind(lane: Lane): void {
    if (lane.isBehind) return
    lane.since = lane.events[0]?.recorded.time ?? lane.since
    this.#events -= lane.events.length
    for (const { bytes } of lane.events) this.#bytes -= bytes
    lane.events.length = 0
    lane.isBehind = true
    this.#behind++
    this.#caughtUp.delete(lane.walletId)
    this.#changed.add(lane)
  }

  /** Lanes whose attempt has hung since before `time` keep themselves and nobody else. */
  setAside(time: number): void {
    for (const lane of this.#lanes.values()) {
      if (this.#behind >= this.#bounds.walletsBehind) return
      if (!lane.isBehind && lane.takenAt !== undefined && lane.takenAt < time) this.fallBehind(lane)
    }
  }

  /** `from`: where the lane was when the attempt began; it may have been put back since. */
  acknowledged(lane: Lane, version: number, from: number): void {
    if (!lane.isBehind) {
      this.#bytes -= lane.events.shift()?.bytes ?? 0
      this.#events--
    }
    this.passedBy(lane, version, from)
    lane.attempts = 0
    lane.failedSince = null
    lane.nextAt = null
    lane.lastError = null
    lane.backoff = undefined
  }

  /** Events up to this version are none that the endpoint wants, or are acknowledged. */
  passedBy(lane: Lane, version: number, from: number): void {
    if (lane.delivered === from) lane.delivered = version
    if (lane.isBehind) this.#changed.add(lane)
    this.#endIfDone(lane)
  }

  /** `pauseMillis`: until the next attempt. */
  refused(lane: Lane, error: string, now: number, pauseMillis: number): void {
    this.fallBehind(lane)
    lane.attempts++
    lane.failedSince ??= now
    lane.nextAt = now + pauseMillis
    lane.lastError = error
    this.#changed.add(lane)
  }

  /** Without a wallet that the endpoint does not want any more. */
  drop(lane: Lane): void {
    lane.delivered = Math.max(lane.delivered, lane.through)
    this.#endIfDone(lane)
  }

  #endIfDone(lane: Lane): void {
    const isDone = lane.isBehind ? lane.delivered >= lane.through : lane.events.length === 0
    if (!isDone) return
    this.#lanes.delete(lane.walletId)
    if (!lane.isBehind) return
    this.#behind--
    this.#changed.delete(lane)
    if (this.#stored.has(lane.walletId)) this.#caughtUp.add(lane.walletId)
  }

  has(lane: Lane): boolean {
    return this.#lanes.get(lane.walletId) === lane
  }

  /** What the store does not have yet. It is forgotten here: `unsaved` brings it back. */
  snapshot(): LanesSnapshot {
    const behind = [...this.#changed].map(({ row }) => row)
    const caughtUp = [...this.#caughtUp]
    for (const { walletId } of behind) this.#stored.add(walletId)
    for (const walletId of caughtUp) this.#stored.delete(walletId)
    this.#changed = new Set()
    this.#caughtUp = new Set()
    return { position: this.position, behind, caughtUp, lastError: this.#lastError() }
  }

  /** The snapshot may not be in the store. */
  unsaved({ behind, caughtUp }: LanesSnapshot): void {
    for (const { walletId } of behind) {
      const lane = this.#lanes.get(walletId)
      if (lane?.isBehind === true) this.#changed.add(lane)
      else this.#caughtUp.add(walletId)
    }
    for (const walletId of caughtUp) {
      this.#stored.add(walletId)
      const lane = this.#lanes.get(walletId)
      if (lane?.isBehind !== true) this.#caughtUp.add(walletId)
    }
  }

  #lastError(): string | null {
    let oldest: Lane | undefined
    for (const lane of this.#lanes.values()) {
      if (lane.failedSince !== null && lane.failedSince < (oldest?.failedSince ?? Infinity)) oldest = lane
    }
    return oldest === undefined
      ? null
      : `wallet ${oldest.walletId}, behind version ${oldest.delivered}: ${oldest.lastError}`
  }
}
