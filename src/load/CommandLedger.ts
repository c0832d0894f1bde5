/**
 * What a load knows of its own commands, for the check behind it: how each was answered, and what every wallet must
 * have by that. Two bytes a command and sixteen a wallet, so that a check of millions fits into memory.
 */
import type { KeyedCommand, LoadCommand } from "./LoadCommand.ts"
import type { LoadReply } from "./LoadTarget.ts"

/** What an answer has said. `unsent`: its turn never came. `committed`: it was accepted, and told no more than that. */
export const commandStates = ["unsent", "persisted", "committed", "no", "maybe"] as const
export type CommandState = (typeof commandStates)[number]

/** Commands a page of bytes. */
const pageSize = 1 << 20

class BytePages {
  private readonly pages: Array<Uint8Array> = []

  get(index: number): number {
    return this.pages[Math.floor(index / pageSize)]?.[index % pageSize] ?? 0
  }

  set(index: number, value: number): void {
    const page = (this.pages[Math.floor(index / pageSize)] ??= new Uint8Array(pageSize))
    page[index % pageSize] = value
  }

  pack(): ReadonlyArray<Uint8Array | undefined> {
    return this.pages
  }

  /** Of bytes that are 0 where the others are not. */
  addPacked(pages: ReadonlyArray<Uint8Array | undefined>): void {
    pages.forEach((other, index) => {
      if (other === undefined) return
      const page = (this.pages[index] ??= new Uint8Array(pageSize))
      for (let byte = 0; byte < pageSize; byte++) page[byte] = page[byte]! | other[byte]!
    })
  }
}

/** An accepted command that is to be sent once more: the answer has to be the same. */
export interface AcceptedCommand extends KeyedCommand {
  readonly made: string
}

/** Money that has come to a wallet, less than nought: that has left it; minor units. */
export type Movement = readonly [wallet: number, amount: number]

/** So many accepted commands are kept to be sent again, drawn evenly from all. */
export const sampleSize = 256

/** As it goes from one thread to another. */
export interface PackedLedger {
  readonly states: ReadonlyArray<Uint8Array | undefined>
  readonly moved: Float64Array
  readonly acceptedBy: Float64Array
  readonly sample: ReadonlyArray<AcceptedCommand>
  readonly sampled: number
  readonly commands: number
  readonly open: number
}

export class CommandLedger {
  /** By command: its state, and in the upper half of the byte how many sides of it the wallets must show. */
  private readonly states = new BytePages()
  /** By command: how many sides were found. */
  private readonly sides = new BytePages()
  /** By wallet: what the accepted commands have moved. Exact: amounts are small. */
  private readonly moved: Float64Array
  /** By wallet: accepted commands. */
  readonly acceptedBy: Float64Array
  readonly sample: Array<AcceptedCommand> = []
  private readonly random: () => number
  private sampled = 0
  /** Commands that have a number. */
  commands = 0
  /** Outcomes that are open: not known, or told as being on their way. */
  open = 0

  constructor(wallets: number, random: () => number) {
    this.moved = new Float64Array(wallets)
    this.acceptedBy = new Float64Array(wallets)
    this.random = random
  }

  /** `sides`: places at which it has to be found once it is done; two of a transfer. Until it is answered it may be done. */
  sent(command: number, sides: number): void {
    this.commands = Math.max(this.commands, command + 1)
    this.states.set(command, (sides << 4) | commandStates.indexOf("maybe"))
    this.open++
  }

  /** `moves`: what it moves once it is accepted; the first is of the command's own wallet. */
  answered(number: number, { command, key }: KeyedCommand, reply: LoadReply, moves: ReadonlyArray<Movement>): void {
    const state = stateOf(reply)
    this.states.set(number, (this.states.get(number) & 0xf0) | commandStates.indexOf(state))
    if (state === "maybe") return
    this.open--
    if (state === "no") return
    for (const [wallet, amount] of moves) this.moved[wallet] = this.movedBy(wallet) + amount
    const wallet = moves[0]?.[0] ?? 0
    this.acceptedBy[wallet] = (this.acceptedBy[wallet] ?? 0) + 1
    if (reply.made !== undefined && isSampled(command)) this.keep({ command, key, made: reply.made })
  }

  /** Draws evenly from all that were offered, however many come (Vitter's algorithm R). */
  private keep(one: AcceptedCommand): void {
    const place = Math.floor(this.random() * ++this.sampled)
    if (this.sample.length < sampleSize) this.sample.push(one)
    else if (place < sampleSize) this.sample[place] = one
  }

  pack(): PackedLedger {
    const { acceptedBy, commands, moved, open, sample, sampled } = this
    return { states: this.states.pack(), moved, acceptedBy, sample, sampled, commands, open }
  }

  /** Of the same wallets, and of other commands: what another thread has sent. */
  addPacked(other: PackedLedger): void {
    this.states.addPacked(other.states)
    other.moved.forEach((amount, wallet) => (this.moved[wallet] = this.movedBy(wallet) + amount))
    other.acceptedBy.forEach((count, wallet) => (this.acceptedBy[wallet] = (this.acceptedBy[wallet] ?? 0) + count))
    this.commands = Math.max(this.commands, other.commands)
    this.open += other.open
    this.mix(other.sample, other.sampled)
  }

  /** Two even samples to one: each place is drawn from the one or the other by how many each stands for. */
  private mix(sample: ReadonlyArray<AcceptedCommand>, sampled: number): void {
    const [own, others] = [[...this.sample], [...sample]]
    const share = this.sampled / Math.max(1, this.sampled + sampled)
    this.sample.length = 0
    while (this.sample.length < sampleSize && own.length + others.length > 0) {
      const isOwn = others.length === 0 || (own.length > 0 && this.random() < share)
      const from = isOwn ? own : others
      this.sample.push(...from.splice(Math.floor(this.random() * from.length), 1))
    }
    this.sampled += sampled
  }

  movedBy(wallet: number): number {
    return this.moved[wallet] ?? 0
  }

  state(command: number): CommandState {
    return commandStates[this.states.get(command) & 0x0f] ?? "unsent"
  }

  wantedSides(command: number): number {
    return this.states.get(command) >> 4
  }

  /** Nothing is found yet: a check begins. */
  forgetFound(): void {
    for (let command = 0; command < this.commands; command++) this.sides.set(command, 0)
  }

  found(command: number): void {
    this.sides.set(command, Math.min(255, this.sides.get(command) + 1))
  }

  foundSides(command: number): number {
    return this.sides.get(command)
  }
}

const stateOf = ({ durable, tookPlace }: LoadReply): CommandState =>
  tookPlace === "yes" ? (durable === "committed" ? "committed" : "persisted") : tookPlace

/** What a transaction or a transfer is made by in one command. */
const isSampled = ({ _tag }: LoadCommand): boolean => _tag === "Credit" || _tag === "Debit" || _tag === "Transfer"
