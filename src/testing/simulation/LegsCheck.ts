/** Transfers of several legs in the log: all or nothing, by one decision, which nobody changes. */
import type { LegsBegun, RecordedEvent } from "../../domain/Event.ts"
import { transactionIdOf } from "../../domain/EventId.ts"
import type { Ledger } from "./Ledger.ts"
import { legsOf } from "./LedgerState.ts"
import { isSame } from "./PlainData.ts"

export interface LoggedLegs {
  readonly id: string
  readonly home: string
  readonly begun: RecordedEvent
  readonly event: LegsBegun
  /** By wallet, the home's not among them: prepared or refused. */
  readonly answers: Map<string, RecordedEvent>
  /** At the home. */
  decided: RecordedEvent | undefined
  /** By wallet: what was applied or released there, the home's too. */
  readonly ends: Map<string, RecordedEvent>
  settled: RecordedEvent | undefined
}

type Violated = (law: string) => void

const walletsOf = ({ legs }: LegsBegun): ReadonlySet<string> => new Set(legs.flatMap(({ from, to }) => [from, to]))

const isUndone = (ledgers: ReadonlyMap<string, Ledger>, { version, walletId }: RecordedEvent): boolean =>
  ledgers.get(walletId)?.reversals.has(version) === true

/** Follows the log, position by position. */
export class LegsCheck {
  readonly transfers = new Map<string, LoggedLegs>()
  private readonly ledgers: ReadonlyMap<string, Ledger>
  private readonly violated: Violated

  constructor(ledgers: ReadonlyMap<string, Ledger>, violated: Violated) {
    this.ledgers = ledgers
    this.violated = violated
  }

  follow(recorded: RecordedEvent): void {
    const { event, version, walletId } = recorded
    const wrong = (law: string) => this.violated(`${event._tag} at version ${version} of ${walletId}: ${law}`)
    if (event._tag === "LegsBegun") return this.begin(recorded, event, wrong)
    switch (event._tag) {
      case "LegsPrepared":
      case "LegsRefused":
      case "LegsApplied":
      case "LegsReleased":
      case "LegsSettled": {
        const transfer = this.transfers.get(event.transferId)
        if (transfer === undefined) return wrong("nobody has begun it")
        if ("home" in event && event.home !== transfer.home) wrong(`its home is ${transfer.home}`)
        if (isUndone(this.ledgers, transfer.begun)) wrong("its beginning was reversed")
        if (event._tag === "LegsPrepared" || event._tag === "LegsRefused") this.answer(transfer, recorded, wrong)
        else if (event._tag === "LegsSettled") this.settle(transfer, recorded, wrong)
        else this.end(transfer, recorded, wrong)
      }
    }
  }

  private begin(recorded: RecordedEvent, event: LegsBegun, wrong: Violated): void {
    const { walletId } = recorded
    if (this.transfers.has(event.transferId)) wrong("it is begun twice")
    if (event.legs[0]?.from !== walletId) wrong("the first leg is not its own")
    for (const { currency, from, to } of event.legs) {
      if (from === to) wrong(`${from} sends to itself`)
      for (const id of [from, to]) {
        const is = this.ledgers.get(id)?.at(0)?.currency
        if (is !== currency) wrong(`a leg is in ${currency}, ${id} in ${is}`)
      }
    }
    this.transfers.set(event.transferId, {
      id: event.transferId,
      home: walletId,
      begun: recorded,
      event,
      answers: new Map(),
      decided: undefined,
      ends: new Map(),
      settled: undefined
    })
  }

  private answer(transfer: LoggedLegs, recorded: RecordedEvent, wrong: Violated): void {
    const { event, walletId } = recorded
    const own = legsOf(walletId, transfer.event.legs)
    if (walletId === transfer.home || own.length === 0) wrong("it is not asked")
    if (transfer.answers.has(walletId)) wrong("it has answered before")
    if (transfer.decided !== undefined) wrong("it is decided before")
    if (event._tag === "LegsPrepared" && !isSame(event.legs, own)) wrong("it has promised other legs")
    transfer.answers.set(walletId, recorded)
  }

  private end(transfer: LoggedLegs, recorded: RecordedEvent, wrong: Violated): void {
    const { event, walletId } = recorded
    if (transfer.ends.has(walletId)) wrong("it has ended there before")
    transfer.ends.set(walletId, recorded)
    if (walletId === transfer.home) return this.decide(transfer, recorded, wrong)
    if (transfer.decided === undefined) return wrong("its home has not decided")
    if (transfer.decided.event._tag !== event._tag) wrong(`its home says ${transfer.decided.event._tag}`)
    if (transfer.settled !== undefined) wrong("it is settled before")
  }

  /** When all have answered, and by their answers. */
  private decide(transfer: LoggedLegs, recorded: RecordedEvent, wrong: Violated): void {
    const others = [...walletsOf(transfer.event)].filter((id) => id !== transfer.home)
    const silent = others.filter((id) => !transfer.answers.has(id))
    if (silent.length > 0) wrong(`${silent.join(", ")} have not answered`)
    const all = others.every((id) => this.isPromised(transfer, id))
    if (all !== (recorded.event._tag === "LegsApplied")) wrong(`${all ? "all have" : "not all have"} prepared`)
    transfer.decided = recorded
  }

  private isPromised(transfer: LoggedLegs, walletId: string): boolean {
    const answer = transfer.answers.get(walletId)
    return answer?.event._tag === "LegsPrepared" && !isUndone(this.ledgers, answer)
  }

  private settle(transfer: LoggedLegs, recorded: RecordedEvent, wrong: Violated): void {
    const { decided, ends, event: begun, home } = transfer
    const { event, walletId } = recorded
    if (event._tag !== "LegsSettled") return
    if (walletId !== home) wrong(`its home is ${home}`)
    if (transfer.settled !== undefined) wrong("it is settled before")
    transfer.settled = recorded
    if (decided === undefined) return wrong("it is not decided")
    const deaf = [...transfer.answers.keys()].filter((id) => this.isPromised(transfer, id) && !ends.has(id))
    if (deaf.length > 0) wrong(`${deaf.join(", ")} have promised and do not know`)
    const applied = decided.event._tag === "LegsApplied"
    if (applied !== (event.reason === null)) wrong(`its home has decided ${decided.event._tag}`)
    if (!applied) return
    const idOf = (id: string, leg: number): string | undefined => {
      const end = ends.get(id)
      const index = legsOf(id, begun.legs).findIndex((one) => one.leg === leg)
      return end && transactionIdOf(end.id, index)
    }
    const transactions = begun.legs.map(({ from, to }, leg) => ({ sent: idOf(from, leg), received: idOf(to, leg) }))
    if (!isSame(transactions, event.transactions)) wrong("it names other transactions")
  }

  /** After the last event: all has ended. */
  finish(): void {
    for (const transfer of this.transfers.values()) {
      const undone = isUndone(this.ledgers, transfer.begun)
      if (undone && transfer.answers.size > 0)
        this.violated(`transfer ${transfer.id} was reversed, and wallets promised`)
      if (!undone && transfer.settled === undefined) {
        this.violated(`transfer ${transfer.id} of ${transfer.event.legs.length} legs from ${transfer.home} never ends`)
      }
      for (const [walletId, answer] of transfer.answers) {
        const promised = answer.event._tag === "LegsPrepared" && !isUndone(this.ledgers, answer)
        if (promised !== transfer.ends.has(walletId)) {
          this.violated(`transfer ${transfer.id} has ${promised ? "not ended" : "ended"} at ${walletId}`)
        }
      }
    }
  }
}
