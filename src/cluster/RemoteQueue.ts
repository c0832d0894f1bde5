/**
 * The calls of this node on one wallet that another node owns, or that nobody owns just
 * now: one bounded queue, so that a caller's order is kept while the owner changes.
 *
 * A call is *waiting* here, *in flight* to the owner (one batch at a time), or *pending*:
 * the owner has accepted it, under its epoch, and has not answered yet. The owner keeps
 * what is pending in order, so the next batch is sent after it under that epoch only.
 *
 * Plain and synchronous; `OwnerBatcher` sends.
 */
import type * as Effect from "effect/Effect"
import type { CommandError } from "../actors/EngineError.ts"
import type { Reply } from "../actors/Mailbox.ts"
import type { WalletCall } from "../engine/WalletCalls.ts"

/** A call and whom to answer. */
export interface QueuedCall {
  /** In the order in which this node was asked. */
  readonly sequence: number
  readonly call: WalletCall
  /** Milliseconds. */
  readonly askedAt: number
  readonly resume: (answer: Effect.Effect<Reply, CommandError>) => void
  isAnswered: boolean
  /** It was sent and no answer came: whatever is answered later, it may have happened or happen yet. */
  isInDoubt: boolean
}

export class RemoteQueue {
  readonly walletId: string
  readonly partition: number
  /** By sequence. */
  private waiting: Array<QueuedCall> = []
  private inFlight: ReadonlyArray<QueuedCall> = []
  private readonly pending = new Set<QueuedCall>()
  /** Of what is pending. */
  private epoch: number | null = null
  /** Of what is waiting. */
  bytes = 0
  /** It is in line for the next batch, or pauses: whoever put it there takes its next step. */
  isScheduled = false

  constructor(walletId: string, partition: number) {
    this.walletId = walletId
    this.partition = partition
  }

  get size(): number {
    return this.waiting.length + this.inFlight.length + this.pending.size
  }

  get isEmpty(): boolean {
    return this.size === 0
  }

  get isSending(): boolean {
    return this.inFlight.length > 0
  }

  /** Whether the owner has nothing of it, nor will get it: then the calls may go another way. */
  get isAllWaiting(): boolean {
    return this.inFlight.length === 0 && this.pending.size === 0
  }

  get hasWaiting(): boolean {
    return this.waiting.length > 0
  }

  /** The epoch that the next batch depends on. */
  get after(): number | null {
    return this.pending.size > 0 ? this.epoch : null
  }

  /** By its sequence: what comes back belongs before what came later. */
  insert(call: QueuedCall): void {
    this.bytes += call.call.bytes
    let place = this.waiting.length
    while (place > 0 && this.waiting[place - 1]!.sequence > call.sequence) place--
    if (place === this.waiting.length) this.waiting.push(call)
    else this.waiting.splice(place, 0, call)
  }

  /** Takes the first that wait to send them, at least one if there is any. */
  startSending(limit: { readonly calls: number; readonly bytes: number }): ReadonlyArray<QueuedCall> {
    this.dropAnswered()
    let count = 0
    let bytes = 0
    while (count < this.waiting.length && count < limit.calls) {
      bytes += this.waiting[count]!.call.bytes
      if (count > 0 && bytes > limit.bytes) break
      count++
    }
    this.inFlight = this.take(count)
    return this.inFlight
  }

  /** The batch in flight is answered, or given up. */
  endSending(): void {
    this.inFlight = []
  }

  addPending(call: QueuedCall, epoch: number): void {
    this.pending.add(call)
    this.epoch = epoch
  }

  /** The owner has answered it, or knows nothing of it any more. */
  removePending(call: QueuedCall): void {
    this.pending.delete(call)
  }

  takeWaiting(): ReadonlyArray<QueuedCall> {
    this.dropAnswered()
    return this.take(this.waiting.length)
  }

  all(): ReadonlyArray<QueuedCall> {
    return [...this.waiting, ...this.inFlight, ...this.pending]
  }

  isWaiting(call: QueuedCall): boolean {
    return this.waiting.includes(call)
  }

  /** Of what is waiting. */
  dropAnswered(): void {
    if (!this.waiting.some((call) => call.isAnswered)) return
    const left = this.waiting.filter((call) => !call.isAnswered)
    this.waiting = left
    this.bytes = left.reduce((bytes, { call }) => bytes + call.bytes, 0)
  }

  private take(count: number): ReadonlyArray<QueuedCall> {
    const taken = this.waiting.splice(0, count)
    for (const { call } of taken) this.bytes -= call.bytes
    return taken
  }
}
