/**
 * The calls of this node on one wallet that another node owns, or that nobody owns just
 * now: one bounded line, so that a caller's order is kept while the owner changes.
 *
 * One batch is on its way at a time. What its owner has in hand and has not answered, it
 * holds in order under its epoch; the next batch is sent after it under that epoch only.
 * Plain and synchronous; `ClusterCalls` sends.
 */
import type * as Effect from "effect/Effect"
import type { CommandError } from "../actors/EngineError.ts"
import type { Reply } from "../actors/Mailbox.ts"
import type { WalletCall } from "../engine/WalletCalls.ts"

/** A call and whom to answer. */
export interface LinkedCall {
  /** In the order in which this node was asked. */
  readonly number: number
  readonly call: WalletCall
  /** Milliseconds. */
  readonly askedAt: number
  readonly resume: (answer: Effect.Effect<Reply, CommandError>) => void
  isAnswered: boolean
  /** It was sent and no answer came: whatever is said later, it may have happened or happen yet. */
  isUnsure: boolean
}

export class RemoteQueue {
  readonly walletId: string
  readonly partition: number
  /** By number. */
  private waiting: Array<LinkedCall> = []
  /** The batch on its way. */
  private sent: ReadonlyArray<LinkedCall> = []
  /** In the owner's hands, under `epoch`. */
  private readonly pending = new Set<LinkedCall>()
  private epoch: number | null = null
  bytes = 0
  /** Waits for its turn to be sent, or for a pause to be over. */
  isQueued = false

  constructor(walletId: string, partition: number) {
    this.walletId = walletId
    this.partition = partition
  }

  get size(): number {
    return this.waiting.length + this.sent.length + this.pending.size
  }

  get isEmpty(): boolean {
    return this.size === 0
  }

  get isSending(): boolean {
    return this.sent.length > 0
  }

  /** Whether nothing is on its way or in the owner's hands: then another way may be taken. */
  get isFree(): boolean {
    return this.sent.length === 0 && this.pending.size === 0
  }

  get hasWaiting(): boolean {
    return this.waiting.length > 0
  }

  /** The epoch that the next batch depends on. */
  get after(): number | null {
    return this.pending.size > 0 ? this.epoch : null
  }

  /** Into its place; what comes back belongs before what came later. */
  insert(call: LinkedCall): void {
    this.bytes += call.call.bytes
    let place = this.waiting.length
    while (place > 0 && this.waiting[place - 1]!.number > call.number) place--
    if (place === this.waiting.length) this.waiting.push(call)
    else this.waiting.splice(place, 0, call)
  }

  /** Takes the first of the line to send them, at least one if there is any. */
  send(limit: { readonly calls: number; readonly bytes: number }): ReadonlyArray<LinkedCall> {
    this.forgetAnswered()
    let count = 0
    let bytes = 0
    while (count < this.waiting.length && count < limit.calls) {
      bytes += this.waiting[count]!.call.bytes
      if (count > 0 && bytes > limit.bytes) break
      count++
    }
    this.sent = this.take(count)
    return this.sent
  }

  /** The batch on its way is over. */
  sendingOver(): void {
    this.sent = []
  }

  hold(call: LinkedCall, epoch: number): void {
    this.pending.add(call)
    this.epoch = epoch
  }

  /** The owner has answered it, or nobody knows of it any more. */
  release(call: LinkedCall): void {
    this.pending.delete(call)
  }

  /** Takes all that waits. */
  drain(): ReadonlyArray<LinkedCall> {
    this.forgetAnswered()
    return this.take(this.waiting.length)
  }

  all(): ReadonlyArray<LinkedCall> {
    return [...this.waiting, ...this.sent, ...this.pending]
  }

  isWaiting(call: LinkedCall): boolean {
    return this.waiting.includes(call)
  }

  forgetAnswered(): void {
    if (!this.waiting.some((call) => call.isAnswered)) return
    const left = this.waiting.filter((call) => !call.isAnswered)
    this.waiting = left
    this.bytes = left.reduce((bytes, { call }) => bytes + call.bytes, 0)
  }

  private take(count: number): ReadonlyArray<LinkedCall> {
    const taken = this.waiting.splice(0, count)
    for (const { call } of taken) this.bytes -= call.bytes
    return taken
  }
}
