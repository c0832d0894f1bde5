/**
 * Whether a service has kept what it answered during a load: every accepted command is there once, none that was
 * refused is, each balance is the sum of what was accepted, no money was made or lost on its way between wallets, and
 * a key that is sent again is answered as before. By the API alone, so that it works against any service.
 *
 * It reads every event of the load's own wallets, 200 at a time: a million commands are some 5,000 reads. Where the
 * service limits the rate it waits as it is told. Wallets of others and of earlier runs are not looked at.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { CommandLedger } from "./CommandLedger.ts"
import { LoadTarget, type LoadReply, type ReadFailed } from "./LoadTarget.ts"
import type { RunNames } from "./Operations.ts"
import { auditWallet, type AuditContext, CaptureTransfers, MoneySums } from "./WalletAudit.ts"

/** More are counted and not shown. */
const maxFindings = 20

/** Wallets that are read at once. */
const readers = 8

/** A service that asks for longer is asked again all the same, milliseconds. */
const longestPause = 5_000

export interface CheckReport {
  /** Nothing was found, and everything was looked at. */
  readonly ok: boolean
  /** `false`: the time was over before everything was looked at. */
  readonly complete: boolean
  readonly wallets: number
  readonly commands: {
    readonly accepted: number
    /** Accepted, and there once. */
    readonly found: number
    /** Accepted, and not there, or only one side of it. */
    readonly lost: number
    /** There more than once. */
    readonly doubled: number
    /** There although the answer was that nothing was done. */
    readonly unasked: number
    /** Accepted, and undone afterwards. */
    readonly reversed: number
  }
  /** Of those without an answer that tells: what the wallets say. `partial`: one side of a transfer is still to come. */
  readonly unknown: { readonly done: number; readonly notDone: number; readonly partial: number }
  readonly balances: { readonly right: number; readonly wrong: number }
  /** Sent again with their keys: `same` have the first answer. */
  readonly keys: { readonly sent: number; readonly same: number; readonly lost: number }
  /** Minor units of the load's wallets. `unexplained`: what its sums do not account for. */
  readonly money: {
    readonly balances: string
    readonly held: string
    readonly inTransit: string
    readonly unexplained: string
  }
  /** What was found, in words; the first twenty. */
  readonly findings: ReadonlyArray<string>
  readonly findingCount: number
  readonly seconds: number
}

export interface CheckOptions {
  readonly names: RunNames
  readonly ledger: CommandLedger
  readonly wallets: number
  readonly opening: bigint
  /** For all of it, milliseconds. */
  readonly millis: number
}

class Findings {
  readonly texts: Array<string> = []
  count = 0

  readonly add = (text: string): void => {
    this.count++
    if (this.texts.length < maxFindings) this.texts.push(text)
  }
}

/** A read is tried again while it says that it may succeed; the whole check has an end. */
const patient = <A>(read: Effect.Effect<A, ReadFailed>): Effect.Effect<A, ReadFailed> =>
  Effect.catch(read, (failure) =>
    failure.retryAfter === undefined
      ? Effect.fail(failure)
      : Effect.delay(
          Effect.suspend(() => patient(read)),
          Math.min(failure.retryAfter, longestPause)
        )
  )

/** What says nothing for good: the same command with the same key may be answered better. */
const isOpen = ({ outcome }: LoadReply): boolean =>
  outcome === "refused" || outcome === "unknown" || outcome === "failed"

/** Sent again until somebody says what became of it. */
export const settled = (send: Effect.Effect<LoadReply>): Effect.Effect<LoadReply> =>
  Effect.flatMap(send, (reply) =>
    isOpen(reply)
      ? Effect.delay(
          Effect.suspend(() => settled(send)),
          Math.min(reply.retryAfter ?? 500, longestPause)
        )
      : Effect.succeed(reply)
  )

const sendAgain = Effect.fnUntraced(function* ({ ledger }: CheckOptions, findings: Findings) {
  const target = yield* LoadTarget
  const keys = { sent: 0, same: 0, lost: 0 }
  const one = Effect.fnUntraced(function* (slot: number) {
    for (let index = slot; index < ledger.sample.length; index += readers) {
      const { command, key, made } = ledger.sample[index]!
      const reply = yield* settled(Effect.suspend(() => target.send(slot, command, key)))
      keys.sent++
      if (reply.outcome === "accepted" && reply.replayed && reply.made === made) keys.same++
      else {
        keys.lost++
        const answer = reply.outcome === "accepted" ? `${reply.made}, ${reply.replayed ? "again" : "anew"}` : reply.code
        findings.add(`the key ${key}, sent again, is answered with ${answer}; it was ${made}`)
      }
    }
  })
  yield* Effect.forEach(
    Array.from({ length: readers }, (_, slot) => slot),
    one,
    { concurrency: readers, discard: true }
  )
  return keys
})

/** Wallets that could not be read have no balance that is right. */
const auditAll = Effect.fnUntraced(function* (context: AuditContext, wallets: number) {
  let next = 0
  const reader = Effect.fnUntraced(function* (slot: number) {
    for (let index = next++; index < wallets; index = next++) {
      yield* Effect.catch(auditWallet(context, slot, index), ({ code }) =>
        Effect.sync(() => {
          context.finding(`${context.names.wallet(index)} cannot be read: ${code}`)
          context.differences[index] = Number.NaN
        })
      )
    }
  })
  const slots = Array.from({ length: Math.min(readers, wallets) }, (_, slot) => slot)
  yield* Effect.forEach(slots, reader, { concurrency: readers, discard: true })
})

const judgeBalances = ({ captures, differences, names, finding }: AuditContext) => {
  for (const { change, wallet } of captures.foreign) {
    finding(`${names.wallet(wallet)} has received ${change} that no wallet of this load has sent`)
  }
  const balances = { right: 0, wrong: 0 }
  differences.forEach((difference, index) => {
    balances[difference === 0 ? "right" : "wrong"]++
    if (difference === 0 || Number.isNaN(difference)) return
    const way = difference < 0 ? "less" : "more"
    finding(`${names.wallet(index)} has ${Math.abs(difference)} ${way} than what was accepted makes`)
  })
  return balances
}

/** What the wallets have shown of every command. */
const compare = ({ ledger, names }: CheckOptions, findings: Findings) => {
  const commands = { accepted: 0, found: 0, lost: 0, doubled: 0, unasked: 0 }
  const unknown = { done: 0, notDone: 0, partial: 0 }
  for (let command = 0; command < ledger.commands; command++) {
    const [found, wanted, state] = [ledger.foundSides(command), ledger.wantedSides(command), ledger.state(command)]
    const key = names.key(command)
    if (state === "persisted" || state === "committed") commands.accepted++
    if (found > wanted) {
      commands.doubled++
      findings.add(`${key} is there ${found} times; it should be ${wanted}`)
    } else if (state === "maybe") {
      unknown[found === 0 ? "notDone" : found === wanted ? "done" : "partial"]++
    } else if (state === "persisted" || state === "committed") {
      commands[found === wanted ? "found" : "lost"]++
      if (found < wanted) findings.add(`${key} was accepted and is ${found === 0 ? "not there" : "there in part"}`)
    } else if (found > 0) {
      commands.unasked++
      findings.add(`${key} is there, although it was ${state === "no" ? "answered not to be done" : "never sent"}`)
    }
  }
  return { commands, unknown }
}

const judgeMoney = (sums: MoneySums, isOpen: boolean, findings: Findings) => {
  const { balances, fromOutside, held, inTransit } = sums
  const unexplained = fromOutside - balances - inTransit
  if (unexplained !== 0n)
    findings.add(`balances and what is on its way differ by ${unexplained} from what came and went`)
  if (inTransit !== 0n && !isOpen) findings.add(`${inTransit} is on its way between wallets, and no transfer is open`)
  return {
    balances: balances.toString(),
    held: held.toString(),
    inTransit: inTransit.toString(),
    unexplained: unexplained.toString()
  }
}

/** Waits as the service asks, for as long as the options allow; then what is missing makes the check fail. */
export const checkLoad = Effect.fnUntraced(function* (options: CheckOptions) {
  const target = yield* LoadTarget
  const { ledger, names, opening, wallets } = options
  const findings = new Findings()
  const sums = new MoneySums()
  const reversed = { count: 0 }
  ledger.forgetFound()
  const differences = new Float64Array(wallets)
  const captures = new CaptureTransfers((command, { change, wallet }) => {
    ledger.found(command)
    // Of one whose outcome is open nobody has counted what it brings.
    if (ledger.state(command) === "maybe") differences[wallet] = (differences[wallet] ?? 0) - Number(change)
  })
  const context: AuditContext = {
    target,
    ledger,
    names,
    opening,
    sums,
    captures,
    differences,
    patient,
    finding: findings.add,
    reversed: () => void reversed.count++
  }
  let keys = { sent: 0, same: 0, lost: 0 }
  let balances = { right: 0, wrong: 0 }
  let complete = false
  const all = Effect.gen(function* () {
    // Before the events are read: what a lost key did again is then among them.
    keys = yield* sendAgain(options, findings)
    yield* auditAll(context, wallets)
    balances = judgeBalances(context)
    complete = true
  })
  const [duration] = yield* Effect.timed(Effect.timeoutOption(all, options.millis))
  const { commands, unknown } = compare(options, complete ? findings : new Findings())
  const money = judgeMoney(sums, ledger.open > 0, complete ? findings : new Findings())
  if (!complete) findings.add("the time for the check was over before everything was looked at")
  const report: CheckReport = {
    ok: findings.count === 0,
    complete,
    wallets,
    commands: { ...commands, reversed: reversed.count },
    unknown,
    balances,
    keys,
    money,
    findings: findings.texts,
    findingCount: findings.count,
    seconds: Duration.toSeconds(duration)
  }
  return report
})
