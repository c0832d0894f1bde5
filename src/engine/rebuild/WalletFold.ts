/** Folds one wallet's events, a page at a time, into all that is derived of them. Pure. */
import type { RecordedEvent } from "../../domain/Event.ts"
import { fold } from "../../domain/Evolve.ts"
import { type HoldChange, holdChanges, type TransferChange, transferChanges } from "../../domain/Projection.ts"
import type { Hold, Transfer, Wallet } from "../../domain/Wallet.ts"
import type { ScannedEvent } from "../../stores/EventStore.ts"
import type { DerivedWallet } from "../../stores/WalletRows.ts"

interface Placed {
  readonly version: number
  readonly hold: Hold
}

interface Sent {
  readonly version: number
  readonly position: bigint
  readonly transfer: Transfer
}

/** Whether an event touches no more than the wallet's row: nearly all do. */
const isPlain = ({ event: { _tag } }: RecordedEvent): boolean =>
  _tag === "WalletCredited" || _tag === "WalletDebited" || _tag === "TransferReceived" || _tag === "WalletCreated"

export class ReplayFold {
  readonly walletId: string
  readonly #holds = new Map<string, Placed>()
  readonly #transfers = new Map<string, Sent>()
  #wallet: Wallet | undefined
  #position = 0n

  constructor(walletId: string) {
    this.walletId = walletId
  }

  /** Of the last event taken; `-1`: none. */
  get version(): number {
    return this.#wallet?.version ?? -1
  }

  /** How many rows it makes. */
  get rows(): number {
    return 1 + this.#holds.size + this.#transfers.size
  }

  /** The next events, in order. `false`: they do not follow. */
  take(events: ReadonlyArray<ScannedEvent>): boolean {
    const first = this.version + 1
    if (events.some(({ recorded }, index) => recorded.version !== first + index)) return false
    if (first === 0) this.#position = events[0]!.position
    const recorded = events.map((one) => one.recorded)
    this.#wallet = fold(this.#wallet, recorded)
    if (recorded.every(isPlain)) return true
    for (const change of holdChanges({ events: recorded })) this.#changeHold(change)
    for (const change of transferChanges({ events: recorded })) {
      const position = change._tag === "Sent" ? events[change.version - first]!.position : 0n
      this.#changeTransfer(change, position)
    }
    return true
  }

  /** `undefined`: there were no events. */
  get derived(): DerivedWallet | undefined {
    if (this.#wallet === undefined) return undefined
    return {
      wallet: this.#wallet,
      position: this.#position,
      holds: Array.from(this.#holds.values()),
      transfers: Array.from(this.#transfers.values())
    }
  }

  #changeHold(change: HoldChange): void {
    if (change._tag === "Placed") {
      this.#holds.set(change.hold.id, { version: change.version, hold: change.hold })
      return
    }
    const before = this.#holds.get(change.holdId)
    if (before === undefined) return
    const { captured, remaining, status } = change
    this.#holds.set(change.holdId, { ...before, hold: { ...before.hold, captured, remaining, status } })
  }

  #changeTransfer(change: TransferChange, position: bigint): void {
    if (change._tag === "Sent") {
      this.#transfers.set(change.transfer.id, { version: change.version, position, transfer: change.transfer })
      return
    }
    const before = this.#transfers.get(change.transferId)
    if (before === undefined) return
    const { reason, status } = change
    const updatedAt = change.updatedAt ?? before.transfer.updatedAt
    this.#transfers.set(change.transferId, { ...before, transfer: { ...before.transfer, reason, status, updatedAt } })
  }
}
