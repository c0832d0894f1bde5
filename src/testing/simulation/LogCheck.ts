/**
 * The log against the model and against what was asked: every event is allowed where it
 * stands, some command explains it, each key took place once, and no money is lost or made.
 */
import type { RecordedEvent, WalletEvent } from "../../domain/Event.ts"
import { explains, explainsItself } from "./Explanation.ts"
import type { Attempt } from "./History.ts"
import { foreignKey } from "./ForeignWriter.ts"
import { soundMillis } from "./FaultPlan.ts"
import { LegsCheck, type LoggedLegs } from "./LegsCheck.ts"
import { Ledger } from "./Ledger.ts"
import { type LedgerState, refundName, stateBytes } from "./LedgerState.ts"
import type { Trial } from "./Trial.ts"
import { isUnlucky } from "./UserRule.ts"

/** The events of one command: they stand side by side. */
export interface LoggedCommand {
  readonly key: string
  readonly walletId: string
  readonly events: ReadonlyArray<RecordedEvent>
  /** Of its last event. */
  readonly version: number
  /** When it came into the log, ms of the world. */
  readonly landedAt: number
  /** Place in the log of its first event. */
  readonly position: number
}

export interface LoggedTransfer {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly amount: bigint
  readonly sent: RecordedEvent
  arrived: RecordedEvent | undefined
  ended: RecordedEvent | undefined
}

/** The whole log, read by the model. */
export interface Account {
  readonly ledgers: ReadonlyMap<string, Ledger>
  /** By wallet and key, in the order of the log. */
  readonly commands: ReadonlyMap<string, ReadonlyArray<LoggedCommand>>
  readonly transfers: ReadonlyMap<string, LoggedTransfer>
  /** Those of several legs. */
  readonly several: ReadonlyMap<string, LoggedLegs>
}

export const nameOf = (walletId: string, key: string): string => `${walletId} ${key}`

type Violated = (law: string) => void

const totalKey = (currency: string, what: string): string => `${currency} ${what}`

/** Law 6, at every position. */
class Conservation {
  private readonly totals = new Map<string, bigint>()

  private add(currency: string, what: "balances" | "inFlight" | "legs" | "outside", amount: bigint): void {
    const key = totalKey(currency, what)
    this.totals.set(key, (this.totals.get(key) ?? 0n) + amount)
  }

  follow(ledger: Ledger, recorded: RecordedEvent, violated: Violated): void {
    const after = ledger.at(recorded.version)!
    const before = ledger.at(recorded.version - 1)
    const { currency } = after
    const change = after.balance - (before?.balance ?? 0n)
    this.add(currency, "balances", change)
    const { event } = recorded
    const reversed = event._tag === "OperationReversed" ? ledger.events[event.reversedVersion]?.event : undefined
    const cause = reversed ?? event
    // What leaves or enters the wallets, or is between two of them.
    const inFlight =
      cause._tag === "TransferSent" ||
      cause._tag === "HoldCapturedTo" ||
      cause._tag === "TransferReceived" ||
      cause._tag === "TransferReversed"
    this.add(currency, inFlight ? "inFlight" : cause._tag === "LegsApplied" ? "legs" : "outside", -change)
    const sum = (what: string) => this.totals.get(totalKey(currency, what)) ?? 0n
    if (sum("inFlight") < 0n) {
      const place = `after ${event._tag} at version ${recorded.version} of ${ledger.walletId}`
      violated(`${place} ${-sum("inFlight")} ${currency} more has arrived than was sent`)
    }
    if (sum("balances") + sum("inFlight") + sum("legs") + sum("outside") !== 0n)
      violated(`money in ${currency} is not conserved`)
  }

  /** After the last event: nothing is in flight. */
  end(violated: Violated): void {
    for (const [key, amount] of this.totals) {
      // The wallets of several legs apply them one after the other: between them the sum may be on either side.
      if ((key.endsWith(" inFlight") || key.endsWith(" legs")) && amount !== 0n)
        violated(`${amount} ${key.split(" ")[0]} is in flight for ever`)
    }
  }
}

/** The key that a client gave, of an event of a client's. */
export const clientKey = (key: string): string | undefined => (key.startsWith("c:") ? key.slice(2) : undefined)

const checkCommand = (
  command: LoggedCommand,
  before: LedgerState | undefined,
  attempts: ReadonlyMap<string, ReadonlyArray<Attempt>>,
  violated: Violated
): void => {
  const { events, key, walletId } = command
  const place = `${events[0]!.event._tag} at version ${events[0]!.version} of ${walletId}`
  if (key.startsWith(foreignKey)) return
  const given = clientKey(key)
  if (given === undefined) {
    if (events.length !== 1 || !explainsItself(key, walletId, events[0]!))
      violated(`${place}: its key ${key} is not what it does`)
    return
  }
  const asked = attempts.get(nameOf(walletId, given)) ?? []
  const same = asked.filter((attempt) =>
    explains(
      attempt.operation,
      events.map(({ event }) => event),
      before
    )
  )
  if (same.length === 0) violated(`${place}: nobody has asked for it under key ${given}`)
  else if (!same.some(mayHaveDone))
    violated(`${place}: all who asked for it under key ${given} were told that nothing has happened`)
  const { event } = events[0]!
  const uses = event._tag === "HoldCaptured" || event._tag === "HoldCapturedTo" || event._tag === "HoldChanged"
  const captured = uses ? before?.holds.get(event.holdId) : undefined
  const expiresAt = captured?.expiresAt ?? Infinity
  if (
    same.length > 0 &&
    same.every(({ calledAt, clockUnknown }) => !clockUnknown && calledAt > expiresAt + soundMillis)
  )
    violated(`${place}: the hold had expired at ${expiresAt} when it was asked for`)
}

/** Whether the answer leaves room for an effect. */
const mayHaveDone = ({ outcome }: Attempt): boolean => {
  if (outcome === undefined || outcome._tag !== "Failed") return true
  return ["OutcomeUnknown", "OperationReversed", "TransferReversed"].includes(outcome.error._tag)
}

const commandsOf = (trial: Trial): ReadonlyMap<string, ReadonlyArray<LoggedCommand>> => {
  const { history, state } = trial
  const commands = new Map<string, Array<LoggedCommand>>()
  for (const [index, { recorded }] of state.log.entries()) {
    const { commandId, key } = recorded.metadata
    const name = nameOf(recorded.walletId, key)
    const known = commands.get(name) ?? []
    commands.set(name, known)
    const last = known.at(-1)
    if (last !== undefined && last.events[0]!.metadata.commandId === commandId) {
      known[known.length - 1] = { ...last, events: [...last.events, recorded], version: recorded.version }
    } else {
      const landedAt = history.landedAt[index]!
      known.push({
        key,
        walletId: recorded.walletId,
        events: [recorded],
        version: recorded.version,
        landedAt,
        position: index
      })
    }
  }
  return commands
}

/** A key has one effect, for ever. */
const checkOnce = (commands: ReadonlyArray<LoggedCommand>, violated: Violated): void => {
  for (let index = 1; index < commands.length; index++) {
    const [before, after] = [commands[index - 1]!, commands[index]!]
    violated(`${after.walletId}: key ${after.key} took place twice, at versions ${before.version} and ${after.version}`)
  }
}

/** When it counts for the books. */
const effectiveAtOf = ({ event, time }: RecordedEvent): number =>
  "effectiveAt" in event ? (event.effectiveAt ?? time) : time

/** Of a transfer, or of one of its legs, no more than there is, the other way; and of one that was not reversed. */
const checkRefund = (
  ledger: Ledger,
  recorded: RecordedEvent,
  originalOf: (transferId: string, leg: number) => OriginalLeg | undefined,
  violated: Violated
): void => {
  const { event, version, walletId } = recorded
  const sent =
    event._tag === "TransferSent"
      ? [{ refund: event.refund, counterparty: event.to }]
      : event._tag === "LegsPrepared"
        ? event.legs
        : event._tag === "LegsBegun"
          ? event.legs.flatMap(({ from, refund, to }) => (from === walletId ? [{ refund, counterparty: to }] : []))
          : []
  for (const { counterparty, refund } of sent) {
    if (refund === null) continue
    const place = `${event._tag} at version ${version} of ${walletId}`
    const original = originalOf(refund.of, refund.leg)
    if (original === undefined) {
      violated(`${place}: it refunds what was not received`)
      continue
    }
    const refunded = ledger.at(version)!.refunded.get(refundName(refund.of, refund.leg))!
    if (refunded > original.amount) violated(`${place}: ${refunded} of ${original.amount} is refunded`)
    if (original.from !== counterparty || original.to !== walletId) violated(`${place}: it does not go back`)
  }
}

interface OriginalLeg {
  readonly from: string
  readonly to: string
  readonly amount: bigint
}

/** A leg whose money has arrived. */
const receivedLeg = (
  transfers: ReadonlyMap<string, LoggedTransfer>,
  several: ReadonlyMap<string, LoggedLegs>,
  id: string,
  leg: number
): OriginalLeg | undefined => {
  const one = transfers.get(id)
  if (one !== undefined) return leg === 0 && one.arrived?.event._tag === "TransferReceived" ? one : undefined
  const of = several.get(id)
  return of?.decided?.event._tag === "LegsApplied" ? of.event.legs[leg] : undefined
}

const isDated = ({ event }: RecordedEvent): boolean => "effectiveAt" in event && event.effectiveAt !== null
const isOfOneLeg = (
  event: WalletEvent
): event is Extract<WalletEvent, { readonly transferId: string; readonly amount: bigint }> =>
  "transferId" in event && "amount" in event

const followTransfer = (
  transfers: Map<string, LoggedTransfer>,
  ledgers: ReadonlyMap<string, Ledger>,
  recorded: RecordedEvent,
  violated: Violated
): void => {
  const { event, walletId } = recorded
  const place = `${event._tag} at version ${recorded.version} of ${walletId}`
  if (event._tag === "TransferSent" || event._tag === "HoldCapturedTo") {
    if (transfers.has(event.transferId)) violated(`${place}: it is sent twice`)
    const { amount, to, transferId: id } = event
    transfers.set(id, { id, from: walletId, to, amount, sent: recorded, arrived: undefined, ended: undefined })
    return
  }
  if (!isOfOneLeg(event)) return
  const transfer = transfers.get(event.transferId)
  if (transfer === undefined || transfer.amount !== event.amount)
    return violated(`${place}: what was sent is ${transfer?.amount}`)
  switch (event._tag) {
    case "TransferReceived":
    case "TransferRefused":
      if (transfer.to !== walletId || transfer.from !== event.from)
        violated(`${place}: it was sent from ${transfer.from} to ${transfer.to}`)
      if (transfer.arrived !== undefined) violated(`${place}: it has arrived before`)
      if (transfer.ended !== undefined) violated(`${place}: it has ended at its source before`)
      if (
        event._tag === "TransferReceived" &&
        ledgers.get(transfer.from)?.at(0)?.currency !== ledgers.get(walletId)?.at(0)?.currency
      ) {
        violated(`${place}: it is of another currency`)
      }
      if (event._tag === "TransferReceived" && effectiveAtOf(recorded) !== effectiveAtOf(transfer.sent))
        violated(`${place}: it counts at another time than at its source`)
      transfer.arrived = recorded
      return
    case "TransferSettled":
    case "TransferReversed": {
      const { arrived } = transfer
      if (transfer.ended !== undefined) violated(`${place}: it has ended before`)
      if (arrived === undefined) return violated(`${place}: it has not arrived yet`)
      const undone = ledgers.get(transfer.to)?.reversals.has(arrived.version) === true
      const received = arrived.event._tag === "TransferReceived" && !undone
      if (received !== (event._tag === "TransferSettled"))
        violated(`${place}: it was ${received ? "received" : "not received"}`)
      if (
        event._tag === "TransferReversed" &&
        isDated(transfer.sent) &&
        effectiveAtOf(recorded) !== effectiveAtOf(transfer.sent)
      )
        violated(`${place}: it counts at another time than what it takes back`)
      transfer.ended = recorded
      return
    }
  }
}

/** Also after what the engine itself does: what a reversal puts back has kept its room. */
const checkSize = (
  state: LedgerState | undefined,
  { event, version, walletId }: RecordedEvent,
  bound: number,
  violated: Violated
): void => {
  const size = state === undefined ? 0 : stateBytes(state, null)
  if (size > bound)
    violated(`${event._tag} at version ${version} of ${walletId}: the state has ${size} bytes of ${bound}`)
}

/** Reads the log with the model, position by position. */
export const checkLog = (trial: Trial): Account => {
  const { history, state, plan } = trial
  const violated: Violated = (law) => history.violated(law)
  const ledgers = new Map<string, Ledger>()
  const transfers = new Map<string, LoggedTransfer>()
  const several = new LegsCheck(ledgers, violated)
  const conservation = new Conservation()
  const ids = new Set<string>()
  for (const [index, { recorded }] of state.log.entries()) {
    const { id, walletId } = recorded
    if (ids.has(id)) violated(`event id ${id} is there twice`)
    ids.add(id)
    let ledger = ledgers.get(walletId)
    if (ledger === undefined) {
      ledger = new Ledger(walletId, violated)
      ledgers.set(walletId, ledger)
    }
    ledger.apply(recorded, history.landedAt[index]!)
    checkSize(ledger.at(recorded.version), recorded, plan.bounds.limits.stateBytes, violated)
    followTransfer(transfers, ledgers, recorded, violated)
    several.follow(recorded)
    checkRefund(ledger, recorded, (of, leg) => receivedLeg(transfers, several.transfers, of, leg), violated)
    conservation.follow(ledger, recorded, violated)
    if (recorded.event._tag === "OperationReversed") {
      const undone = ledger.events[recorded.event.reversedVersion]!
      const { commandId } = undone.metadata
      const ofCommand = ledger.events.filter(({ metadata }) => metadata.commandId === commandId)
      if (!plan.separate || !ofCommand.some(({ event }) => isUnlucky(event)))
        violated(`${undone.event._tag} at version ${undone.version} of ${walletId} was reversed without a reason`)
      if (trial.monitor.wasPersisted(walletId, undone.version))
        violated(`${undone.event._tag} at version ${undone.version} of ${walletId} was persisted, and then reversed`)
    }
  }
  for (const transfer of transfers.values()) {
    const undone = ledgers.get(transfer.from)!.reversals.has(transfer.sent.version)
    if (undone && transfer.arrived !== undefined)
      violated(`transfer ${transfer.id} arrived, and its sending was reversed`)
    if (!undone && transfer.ended === undefined)
      violated(`transfer ${transfer.id} from ${transfer.from} to ${transfer.to} never ends`)
  }
  several.finish()
  conservation.end(violated)
  const attempts = new Map<string, Array<Attempt>>()
  for (const attempt of history.attempts) {
    // Nothing in the log is of a dry run.
    if (attempt.dryRun) continue
    const name = nameOf(attempt.operation.walletId, attempt.key)
    const others = attempts.get(name)
    if (others === undefined) attempts.set(name, [attempt])
    else others.push(attempt)
  }
  const commands = commandsOf(trial)
  for (const ofKey of commands.values()) {
    checkOnce(ofKey, violated)
    for (const command of ofKey) {
      const before = ledgers.get(command.walletId)?.at(command.events[0]!.version - 1)
      checkCommand(command, before, attempts, violated)
    }
  }
  return { ledgers, commands, transfers, several: several.transfers }
}
