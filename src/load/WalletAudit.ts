/**
 * Reads one wallet of a load as the service shows it, event by event, and holds it against what the load knows: which
 * commands are there, that the events add up, and that the balance is what the accepted commands make of it.
 */
import * as Effect from "effect/Effect"
import type { CommandLedger } from "./CommandLedger.ts"
import type { LoadTarget, ReadFailed, ShownEvent, WalletState } from "./LoadTarget.ts"
import type { RunNames } from "./Operations.ts"

/** Sums of events, minor units: what law 6 of the money is about. */
export class MoneySums {
  /** Credits and refunds received, less debits, captures and refunds paid, each net of its reversal. */
  fromOutside = 0n
  sent = 0n
  received = 0n
  returned = 0n
  balances = 0n
  held = 0n

  /** Sent, and neither received nor back: in nobody's balance. */
  get inTransit(): bigint {
    return this.sent - this.received - this.returned
  }
}

/** Transfers by capture have no reference at their destination: both sides are joined by the transfer's id. */
export class CaptureTransfers {
  private readonly captured = new Map<string, number>()
  private readonly received = new Map<string, Received>()
  private readonly join: (command: number, received: Received) => void

  /** `join` is called once for each transfer whose two sides were seen. */
  constructor(join: (command: number, received: Received) => void) {
    this.join = join
  }

  sent(transfer: string, command: number): void {
    const received = this.received.get(transfer)
    if (received === undefined) return void this.captured.set(transfer, command)
    this.received.delete(transfer)
    this.join(command, received)
  }

  arrived(transfer: string, received: Received): void {
    const command = this.captured.get(transfer)
    if (command === undefined) return void this.received.set(transfer, received)
    this.captured.delete(transfer)
    this.join(command, received)
  }

  /** Received, and no wallet has sent it. */
  get foreign(): ReadonlyArray<Received> {
    return [...this.received.values()]
  }
}

interface Received {
  /** The destination's number. */
  readonly wallet: number
  readonly change: bigint
}

export interface AuditContext {
  readonly target: LoadTarget["Service"]
  readonly ledger: CommandLedger
  readonly names: RunNames
  /** Credited to each wallet when it was made. */
  readonly opening: bigint
  readonly sums: MoneySums
  readonly captures: CaptureTransfers
  /** By wallet: its balance less what was accepted makes of it, minor units. */
  readonly differences: Float64Array
  readonly finding: (text: string) => void
  /** An operation that was accepted and undone afterwards. */
  readonly reversed: () => void
  /** Tries a read again for as long as the check may last. */
  readonly patient: <A>(read: Effect.Effect<A, ReadFailed>) => Effect.Effect<A, ReadFailed>
}

const amountIn = (data: ShownEvent["data"], name: string): bigint => {
  const value = data[name]
  return typeof value === "string" && /^-?\d{1,40}$/.test(value) ? BigInt(value) : 0n
}

/** Commands that are told apart by the hold that they are about, by how many numbers behind the one that placed it. */
const holdSteps: Readonly<Record<string, number>> = { HoldCaptured: 1, HoldChanged: 1, HoldCapturedTo: 2 }

/** One wallet from its first event to the version at which it was read. */
class WalletAudit {
  private readonly context: AuditContext
  private readonly index: number
  private readonly walletId: string
  /** Its number by the hold that a command has placed. */
  private readonly holds = new Map<string, number>()
  /** By version: the command that it is of. */
  private readonly commandAt: Array<number | undefined> = []
  version = -1
  balance = 0n
  held = 0n
  private openings = 0
  /** Of commands whose outcome was open, and of what was undone: no accepted command accounts for it. */
  private beside = 0n

  constructor(context: AuditContext, index: number) {
    this.context = context
    this.index = index
    this.walletId = context.names.wallet(index)
  }

  take(event: ShownEvent): void {
    const { context, walletId } = this
    if (event.version !== this.version + 1) {
      context.finding(`${walletId} has no event at version ${this.version + 1}`)
    }
    this.version = event.version
    const { data, type } = event
    const balance = type === "WalletCreated" ? 0n : amountIn(data, "balanceAfter")
    const change = balance - this.balance
    this.balance = balance
    this.held = type === "WalletCreated" ? 0n : amountIn(data, "heldAfter")
    this.sum(event, change)
    if (data["reference"] === context.names.openingKey(this.index)) {
      this.openings++
      return
    }
    const commands = this.commandsOf(event)
    for (const command of commands) context.ledger.found(command)
    const [command] = commands
    this.commandAt[event.version] = command
    if (type === "OperationReversed" || type === "TransferReversed") this.undone(event, change)
    else if (command === undefined) this.unexplained(event, change)
    else if (context.ledger.state(command) === "maybe") this.beside += change
  }

  private unexplained({ data, type, version }: ShownEvent, change: bigint): void {
    const { transferId } = data
    if (type === "TransferReceived" && data["reference"] === null && typeof transferId === "string") {
      this.context.captures.arrived(transferId, { wallet: this.index, change })
    } else if (change !== 0n) {
      this.context.finding(`${this.walletId} has a ${type} at version ${version} that this load did not send`)
    }
  }

  private undone({ data, type, version }: ShownEvent, change: bigint): void {
    const { context, walletId } = this
    this.beside += change
    context.reversed()
    const reversed = data["reversedVersion"]
    const command = type === "OperationReversed" && typeof reversed === "number" ? this.commandAt[reversed] : undefined
    if (command !== undefined && context.ledger.state(command) === "persisted") {
      context.finding(`${walletId} has undone at version ${version} what was answered to be persisted`)
    }
  }

  /** The commands that an event is of, each as often as it is a side of it. */
  private commandsOf({ data, type }: ShownEvent): ReadonlyArray<number> {
    const { names } = this.context
    const { holdId, legs } = data
    if (type === "LegsApplied" && Array.isArray(legs)) {
      return legs.flatMap((leg: { readonly reference?: unknown }) => names.commandIn(leg.reference) ?? [])
    }
    // What begins or ends a transfer of several legs has its reference, too, and moves nothing.
    if (type.startsWith("Legs")) return []
    const step = holdSteps[type]
    if (step !== undefined) {
      const placed = typeof holdId === "string" ? this.holds.get(holdId) : undefined
      if (placed === undefined) return []
      // Nothing follows: a wallet may have had a million of them.
      if (type !== "HoldChanged" && typeof holdId === "string") this.holds.delete(holdId)
      if (typeof data["transferId"] === "string") this.context.captures.sent(data["transferId"], placed + step)
      return [placed + step]
    }
    const command = names.commandIn(data["reference"])
    if (command === undefined) return []
    if (type === "HoldPlaced" && typeof holdId === "string") this.holds.set(holdId, command)
    return [command]
  }

  private sum({ data, type }: ShownEvent, change: bigint): void {
    const { sums } = this.context
    const reversed = data["reversedType"]
    const subject = type === "OperationReversed" && typeof reversed === "string" ? reversed : type
    switch (subject) {
      case "TransferSent":
      case "HoldCapturedTo":
        sums.sent -= change
        return
      case "TransferReceived":
        sums.received += change
        return
      case "TransferReversed":
        sums.returned += change
        return
      case "LegsApplied":
        this.sumLegs(data["legs"], change)
        return
      default:
        sums.fromOutside += change
    }
  }

  private sumLegs(legs: unknown, change: bigint): void {
    const { sums } = this.context
    // One that was undone does not name its legs.
    if (!Array.isArray(legs)) {
      sums.returned += change
      return
    }
    for (const leg of legs as ReadonlyArray<ShownEvent["data"]>) {
      if (leg["side"] === "sent") sums.sent += amountIn(leg, "amount")
      else sums.received += amountIn(leg, "amount")
    }
  }

  judge(shown: WalletState): void {
    const { balance, context, held, index, version, walletId } = this
    const { differences, finding, ledger, opening, sums } = context
    sums.balances += shown.balance
    sums.held += shown.held
    if (version !== shown.version || balance !== shown.balance || held !== shown.held) {
      const events = `${balance} and ${held} held at version ${version}`
      finding(`${walletId} shows ${shown.balance} and ${shown.held} held at ${shown.version}, its events ${events}`)
    }
    if (this.openings !== 1) finding(`${walletId} has its opening credit ${this.openings} times`)
    const difference = Number(shown.balance - opening - this.beside) - ledger.movedBy(index)
    // Added: the other side of a transfer may have been joined before.
    differences[index] = (differences[index] ?? 0) + difference
  }
}

/** Reads it, finds its commands and notes by how much its balance is wrong. */
export const auditWallet = Effect.fnUntraced(function* (context: AuditContext, slot: number, index: number) {
  const { names, patient, target } = context
  const walletId = names.wallet(index)
  // First the wallet and then its events: what is done in between does not count.
  const shown = yield* patient(target.wallet(slot, walletId))
  const audit = new WalletAudit(context, index)
  while (audit.version < shown.version) {
    const events = yield* patient(target.events(slot, walletId, audit.version))
    const before = audit.version
    for (const event of events) if (event.version <= shown.version) audit.take(event)
    if (audit.version === before) break
  }
  audit.judge(shown)
})
