/** Sends what an operation consists of, and tells the ledger of every command and its answer. */
import * as Effect from "effect/Effect"
import type { CommandLedger, Movement } from "./CommandLedger.ts"
import { commandsOf, type KeyedCommand, type LoadCommand } from "./LoadCommand.ts"
import type { LoadReply, LoadTarget } from "./LoadTarget.ts"
import type { Operation } from "./Workload.ts"

/** The ids and keys of a run. */
export class RunNames {
  readonly run: string
  constructor(run: string) {
    this.run = run
  }
  readonly wallet = (index: number): string => `load-${this.run}-${index}`
  /** Also the command's reference. */
  readonly key = (command: number): string => `${this.run}-${command}`
  readonly openingKey = (index: number): string => `open-${this.wallet(index)}`
  /** The number in a key; `undefined`: it is none of this run's. */
  readonly commandIn = (key: unknown): number | undefined => {
    if (typeof key !== "string" || !key.startsWith(`${this.run}-`)) return undefined
    const number = key.slice(this.run.length + 1)
    return /^\d{1,15}$/.test(number) ? Number(number) : undefined
  }
}

interface Step {
  readonly number: number
  readonly command: LoadCommand
  /** At how many places the wallets show it. */
  readonly sides: number
  readonly moves: ReadonlyArray<Movement>
}

export class Operations {
  private readonly target: LoadTarget["Service"]
  private readonly ledger: CommandLedger
  private readonly names: RunNames

  constructor(target: LoadTarget["Service"], ledger: CommandLedger, names: RunNames) {
    this.target = target
    this.ledger = ledger
    this.names = names
  }

  /** One step after the other, until one is not accepted; the last reply. */
  perform(slot: number, operation: Operation): Effect.Effect<LoadReply> {
    if (operation.kind === "read") {
      const walletId = this.names.wallet(operation.wallet)
      return this.target.send(slot, { _tag: "Read", walletId }, "")
    }
    const first = this.send(slot, this.firstOf(operation))
    if (commandsOf[operation.kind] === 1) return first
    return Effect.flatMap(first, (reply) => {
      const { made } = reply
      if (reply.outcome !== "accepted" || made === undefined) return Effect.succeed(reply)
      return this.goOn(slot, this.restOf(operation, made), reply)
    })
  }

  /** Operations of a single command each, in one request. */
  performAll(slot: number, operations: ReadonlyArray<Operation>): Effect.Effect<ReadonlyArray<LoadReply>> {
    return this.sendAll(
      slot,
      operations.map((operation) => this.firstOf(operation))
    )
  }

  /** Credits of a wallet's past, in one request; their numbers follow one another. */
  history(slot: number, wallet: number, from: number, count: number): Effect.Effect<ReadonlyArray<LoadReply>> {
    const operations = Array.from({ length: count }, (_, index): Operation => {
      return { kind: "credit", wallet, second: wallet, third: wallet, command: from + index }
    })
    return this.performAll(slot, operations)
  }

  private goOn(slot: number, steps: ReadonlyArray<Step>, before: LoadReply): Effect.Effect<LoadReply> {
    const [step, ...rest] = steps
    if (step === undefined || before.outcome !== "accepted") return Effect.succeed(before)
    return Effect.flatMap(this.send(slot, step), (reply) => this.goOn(slot, rest, reply))
  }

  private send(slot: number, { command, moves, number, sides }: Step): Effect.Effect<LoadReply> {
    return Effect.suspend(() => {
      const key = this.names.key(number)
      this.ledger.sent(number, sides)
      return Effect.map(this.target.send(slot, command, key), (reply) => {
        this.ledger.answered(number, { command, key }, reply, moves)
        return reply
      })
    })
  }

  private sendAll(slot: number, steps: ReadonlyArray<Step>): Effect.Effect<ReadonlyArray<LoadReply>> {
    return Effect.suspend(() => {
      const keyed: Array<KeyedCommand> = []
      for (const { command, number, sides } of steps) {
        this.ledger.sent(number, sides)
        keyed.push({ command, key: this.names.key(number) })
      }
      return Effect.map(this.target.sendBatch(slot, keyed), (replies) => {
        steps.forEach(({ moves, number }, index) => this.ledger.answered(number, keyed[index]!, replies[index]!, moves))
        return replies
      })
    })
  }

  private firstOf({ command: number, kind, second, third, wallet }: Operation): Step {
    const { names } = this
    const walletId = names.wallet(wallet)
    switch (kind) {
      case "debit":
        return { number, command: { _tag: "Debit", walletId, amount: 1n }, sides: 1, moves: [[wallet, -1]] }
      case "transfer": {
        const command = { _tag: "Transfer", walletId, to: names.wallet(second), amount: 1n } as const
        return { number, command, sides: 2, moves: [[wallet, -1], [second, 1]] } // prettier-ignore
      }
      case "legs": {
        // Of two wallets it goes there and back.
        const last = third === second ? wallet : third
        const [through, to] = [names.wallet(second), names.wallet(last)]
        const moves: ReadonlyArray<Movement> = [[wallet, -1], [last, 1]] // prettier-ignore
        return { number, command: { _tag: "Legs", walletId, through, to, amount: 1n }, sides: 4, moves }
      }
      case "hold":
      case "order": {
        const amount = kind === "hold" ? 1n : 2n
        return { number, command: { _tag: "Hold", walletId, amount }, sides: 1, moves: [[wallet, 0]] }
      }
      default: {
        const amount = kind === "refund" ? 2 : 1
        const command = { _tag: "Credit", walletId, amount: BigInt(amount) } as const
        return { number, command, sides: 1, moves: [[wallet, amount]] }
      }
    }
  }

  /** What follows the first, which has made a hold or a transaction. */
  private restOf({ command, kind, second, wallet }: Operation, made: string): ReadonlyArray<Step> {
    const walletId = this.names.wallet(wallet)
    const number = command + 1
    const moves: ReadonlyArray<Movement> = [[wallet, -1]]
    if (kind === "refund") {
      const command = { _tag: "Refund", walletId, transactionId: made, amount: 1n } as const
      return [{ number, command, sides: 1, moves }]
    }
    if (kind === "hold") return [{ number, command: { _tag: "Capture", walletId, holdId: made }, sides: 1, moves }]
    // A single wallet has nobody to pay.
    if (second === wallet) return []
    const raise = { _tag: "ChangeHold", walletId, holdId: made, amount: 3n } as const
    const capture = { _tag: "CaptureTo", walletId, holdId: made, to: this.names.wallet(second), amount: 1n } as const
    return [
      { number, command: raise, sides: 1, moves: [[wallet, 0]] },
      { number: number + 1, command: capture, sides: 2, moves: [...moves, [second, 1]] }
    ]
  }
}
