/**
 * Clients, each with an order of its own: they ask, wait, lose patience, retry with the
 * same key, send twice at once, retry long after, and use a key for something else.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Cause from "effect/Cause"
import type { CommandOptions, DryRun, WalletEngine } from "../../engine/WalletEngine.ts"
import type { Attempt, Operation, Outcome, Told } from "./History.ts"
import { describeOperation, describeOutcome } from "./History.ts"
import type { SeededRandom } from "./SeededRandom.ts"
import type { SimulatedCluster } from "./SimulatedCluster.ts"
import { persistedOf, rowsOf, type Trial, versionsOf } from "./Trial.ts"
import { unluckyAmount } from "./UserRule.ts"
import { drawOperation, type Knowledge } from "./Workload.ts"
import { type Life, processContext } from "./World.ts"

/** Tries of one command before its client gives up. */
const maxTries = 12

/** Of the client that comes when all is calm: some 20 s, in which a node that was replaced finds out. */
const patientTries = 100

/** A run with fewer faults goes on, but no further than to so many times its commands. */
const faultsLeast = 10
const commandsMost = 4

/** Retries of commands that are long over. */
const echoRate = 0.08

/** Dry runs, most of them without a key. */
const dryRate = 0.05

/** Commands for one version of their wallet: the last that its client knows of, or one that is over. */
const conditionRate = 0.08

/** How one attempt is made, beside what it asks. */
interface Manner {
  readonly dryRun: boolean
  readonly ifVersion: number | undefined
}

const plain: Manner = { dryRun: false, ifVersion: undefined }

/** How a command is asked for; those of no wallet that is there have no use for a version. */
type AskedOptions = (CommandOptions | DryRun<CommandOptions>) & { readonly ifVersion?: number | undefined }

const engineCall = (
  engine: WalletEngine["Service"],
  operation: Operation,
  options: AskedOptions
): Effect.Effect<object, { readonly _tag: string; readonly message: string }> => {
  switch (operation.kind) {
    case "create":
      return engine.createWallet({ ...options, ...operation, id: operation.walletId })
    case "credit":
      return engine.credit({ ...options, ...operation })
    case "debit":
      return engine.debit({ ...options, ...operation })
    case "hold":
      return engine.placeHold({ ...options, ...operation })
    case "capture":
      return operation.to === null
        ? engine.captureHold({ ...options, ...operation, amount: operation.amount ?? undefined })
        : engine.captureHoldTo({ ...options, ...operation, amount: operation.amount ?? undefined, to: operation.to })
    case "change":
      return engine.changeHold({ ...options, ...operation, amount: operation.amount ?? undefined })
    case "release":
      return engine.releaseHold({ ...options, ...operation })
    case "freeze":
      return engine.freeze({ ...options, ...operation })
    case "unfreeze":
      return engine.unfreeze({ ...options, ...operation })
    case "close":
      return engine.close({ ...options, ...operation })
    case "update":
      return engine.updateWallet({
        ...options,
        walletId: operation.walletId,
        overdraftLimit: operation.overdraftLimit ?? undefined,
        metadata: operation.metadata ?? undefined
      })
    case "transfer":
      return engine.transfer({ ...options, ...operation, from: operation.walletId })
    case "legs":
      return engine.transfer({ ...options, legs: operation.legs, reference: operation.reference })
    case "refund":
      return engine.refundTransaction({ ...options, ...operation, amount: operation.amount ?? undefined })
    case "refundTransfer":
      return engine.refundTransfer({
        ...options,
        ...operation,
        leg: operation.leg ?? undefined,
        amount: operation.amount ?? undefined
      })
    case "read":
      return Effect.map(engine.getWallet(operation), (wallet) => ({ wallet }))
    case "past":
      return Effect.map(engine.walletAt(operation), (wallet) => ({ wallet }))
  }
}

const outcomeOf = (exit: Exit.Exit<object, { readonly _tag: string; readonly message: string }>): Outcome => {
  // Of a dry run ids may be null, which its check looks at.
  if (Exit.isSuccess(exit)) return { _tag: "Done", told: exit.value as Told }
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  return error === undefined
    ? { _tag: "Died", message: Cause.pretty(exit.cause).split("\n")[0]! }
    : { _tag: "Failed", error }
}

/** Whether the same key should be tried again. */
const isOpen = (outcome: Outcome): boolean => {
  switch (outcome._tag) {
    case "Done":
      return outcome.told.transfer?.status === "pending"
    case "Failed":
      return ["OutcomeUnknown", "StoreUnavailable", "StoreDefect", "MailboxFull"].includes(outcome.error._tag)
    case "Died":
    case "Lost":
      return true
  }
}

/** What the keyless dry runs are called by: none of them has a key. */
const noKey = "dry-"

const isConditional = ({ kind }: Operation): boolean =>
  !["create", "transfer", "legs", "refundTransfer", "read", "past"].includes(kind)

const drawCommand = (random: SeededRandom, known: Knowledge): Operation => {
  let operation = drawOperation(random, known)
  while (operation.kind === "read" || operation.kind === "past") operation = drawOperation(random, known)
  return operation
}

const mannerText = ({ dryRun, ifVersion }: Attempt): string =>
  `${dryRun ? " dry" : ""}${ifVersion === undefined ? "" : ` if ${ifVersion}`}`

const optionsOf = ({ await: wanted, dryRun, ifVersion, key }: Attempt): AskedOptions => {
  const options = { await: wanted, ifVersion }
  if (!dryRun) return { ...options, idempotencyKey: key }
  return { ...options, dryRun, idempotencyKey: key.startsWith(noKey) ? undefined : key }
}

/** The same asked of another wallet. */
const atWallet = (operation: Operation, walletId: string): Operation =>
  operation.kind === "legs"
    ? {
        ...operation,
        walletId,
        legs: operation.legs.map((leg, index) => (index === 0 ? { ...leg, from: walletId } : leg))
      }
    : { ...operation, walletId }

export class Clients {
  private readonly trial: Trial
  private readonly cluster: SimulatedCluster
  private readonly known: Knowledge
  private readonly finished: Array<{ readonly key: string; readonly operation: Operation }> = []
  private keys = 0
  running = 0

  constructor(trial: Trial, cluster: SimulatedCluster) {
    this.trial = trial
    this.cluster = cluster
    const { plan, world } = trial
    this.known = {
      wallets: Array.from({ length: plan.wallets }, (_, index) => `w${index}`),
      holds: new Map(),
      versions: new Map(),
      originals: new Map(),
      transfers: [],
      refusalRate: plan.refusalRate,
      now: () => world.now
    }
  }

  start(): void {
    const { plan } = this.trial
    const commands = Math.ceil(plan.commands / plan.clients)
    for (let index = 0; index < plan.clients; index++) {
      this.run(`client${index}`, (name, random) => this.work(name, random, commands))
    }
  }

  /** Now that all is calm: whatever a wallet says to be available can be spent. */
  probe(): void {
    this.run("client9", (name, random) => this.spendAll(name, random))
  }

  private run(name: string, work: (name: string, random: SeededRandom) => Effect.Effect<void>): void {
    const { history, world } = this.trial
    const random = this.trial.random.fork()
    const life: Life = { name, alive: true, up: true, clockAhead: 0, clockUnknown: false, preemption: undefined }
    const context = processContext(world, life, random, (level, message) =>
      history.note(world.elapsed, name, `${level}: ${message}`)
    )
    this.running++
    Effect.runForkWith(context)(work(name, random)).addObserver((exit) => {
      this.running--
      if (Exit.isFailure(exit)) history.violated(`${name} broke: ${Cause.pretty(exit.cause)}`)
    })
  }

  private readonly spendAll = Effect.fnUntraced(function* (
    this: Clients,
    name: string,
    random: SeededRandom
  ): Effect.fn.Return<void> {
    const { history, state } = this.trial
    for (const [walletId, { wallet }] of Array.from(state.wallets)) {
      const amount = wallet.balance - wallet.held + wallet.overdraftLimit
      if (wallet.status !== "active" || amount <= 0n || amount === unluckyAmount) continue
      const operation: Operation = {
        kind: "debit",
        walletId,
        amount,
        reference: null,
        metadata: {},
        effectiveAt: null,
        force: false
      }
      const outcome = yield* this.insist(name, random, `9-${this.keys++}`, operation, false)
      if (outcome?._tag === "Done") continue
      // Whether it was is checked with all other rejections.
      if (outcome?._tag === "Failed" && outcome.error._tag === "PolicyRejected") continue
      const said = outcome === undefined ? "nothing" : describeOutcome(outcome)
      history.violated(`all is calm, ${amount} is available at ${walletId} and cannot be spent: ${said}`)
    }
  })

  private readonly work = Effect.fnUntraced(function* (
    this: Clients,
    name: string,
    random: SeededRandom,
    commands: number
  ): Effect.fn.Return<void> {
    const { table } = this.trial
    for (let n = 0; n < commands || (table.total < faultsLeast && n < commandsMost * commands); n++) {
      if (random.chance(echoRate) && this.finished.length > 0) {
        const { key, operation } = random.pick(this.finished)
        const other = random.chance(0.2) ? atWallet(drawOperation(random, this.known), operation.walletId) : operation
        yield* this.attempt(name, random, key, other, plain)
        continue
      }
      if (random.chance(dryRate)) {
        yield* this.tryOut(name, random)
        continue
      }
      const key = `${name.slice(6)}-${this.keys++}`
      const operation = drawOperation(random, this.known)
      if (random.chance(0.06)) {
        // The same at once, several times.
        yield* Effect.forEach([0, 1, 2], () => this.insist(name, random, key, operation), {
          concurrency: 3,
          discard: true
        })
      } else yield* this.insist(name, random, key, operation)
      if (random.chance(0.3)) yield* Effect.sleep(random.below(400))
    }
  })

  /** What it would come to: with a key that was used, or without one. */
  private tryOut(name: string, random: SeededRandom): Effect.Effect<Outcome> {
    const ifVersion = this.conditionOf(random, undefined)
    if (random.chance(0.3) && this.finished.length > 0) {
      const { key, operation } = random.pick(this.finished)
      return this.attempt(name, random, key, operation, { dryRun: true, ifVersion })
    }
    const operation = drawCommand(random, this.known)
    const manner = { dryRun: true, ifVersion: this.conditionOf(random, operation) }
    return this.attempt(name, random, `${noKey}${this.keys++}`, operation, manner)
  }

  private conditionOf(random: SeededRandom, operation: Operation | undefined): number | undefined {
    if (operation === undefined || !isConditional(operation) || !random.chance(conditionRate)) return undefined
    const known = this.known.versions.get(operation.walletId)
    return known === undefined ? undefined : Math.max(0, known - (random.chance(0.2) ? 1 : 0))
  }

  /** Until the outcome is known, or patience is at its end. */
  private readonly insist = Effect.fnUntraced(function* (
    this: Clients,
    name: string,
    random: SeededRandom,
    key: string,
    operation: Operation,
    impatient = true
  ): Effect.fn.Return<Outcome | undefined> {
    let outcome: Outcome | undefined
    const manner = impatient ? { dryRun: false, ifVersion: this.conditionOf(random, operation) } : plain
    for (let tries = 0; tries < (impatient ? maxTries : patientTries); tries++) {
      while (this.cluster.newest() === undefined) yield* Effect.sleep(random.between(20, 200))
      outcome = yield* this.attempt(name, random, key, operation, manner)
      if (!isOpen(outcome) || (impatient && random.chance(0.1))) break
      yield* Effect.sleep(random.below(300))
    }
    if (operation.kind !== "read" && operation.kind !== "past") this.finished.push({ key, operation })
    return outcome
  })

  private attempt(
    name: string,
    random: SeededRandom,
    key: string,
    operation: Operation,
    { dryRun, ifVersion }: Manner
  ): Effect.Effect<Outcome> {
    return Effect.callback<Outcome>((resume) => {
      const { history, monitor, world } = this.trial
      const node = this.cluster.pick()
      if (node?.engine === undefined) {
        world.after(random.between(20, 200), () => resume(Effect.succeed({ _tag: "Lost" })))
        return
      }
      const attempt: Attempt = {
        number: history.attempts.length,
        client: name,
        key,
        operation,
        await: random.chance(0.2) ? "committed" : "persisted",
        dryRun,
        ifVersion,
        node: node.name,
        calledAt: world.now,
        clockUnknown: node.life.clockUnknown,
        versionsBefore: versionsOf(this.trial),
        rowsBefore: rowsOf(this.trial),
        toldBefore: new Map(history.told),
        stale: undefined,
        outcome: undefined,
        truth: undefined
      }
      history.attempts.push(attempt)
      history.note(
        world.elapsed,
        name,
        `→ ${node.name} ${attempt.number} [${key}] ${describeOperation(operation)} ${attempt.await}${mannerText(attempt)}`
      )
      let waits = true
      const hear = (outcome: Outcome) => {
        if (!waits) return
        waits = false
        resume(Effect.succeed(outcome))
      }
      const { owner } = node
      node.run(engineCall(node.engine, operation, optionsOf(attempt)), (exit) => {
        const outcome = outcomeOf(exit)
        attempt.outcome = outcome
        attempt.stale = monitor.supersession(owner)
        attempt.truth = { time: world.now, versions: versionsOf(this.trial), persisted: persistedOf(this.trial) }
        history.note(world.elapsed, name, `← ${node.name} ${attempt.number} [${key}] ${describeOutcome(outcome)}`)
        this.learn(operation, outcome)
        world.after(random.below(10), () => hear(outcome))
      })
      world.after(random.chance(0.1) ? random.between(50, 1_000) : 6_000, () => {
        if (waits && attempt.outcome === undefined)
          history.note(world.elapsed, name, `  ${attempt.number} [${key}] waits no longer`)
        hear({ _tag: "Lost" })
      })
    })
  }

  private learn({ kind, walletId }: Operation, outcome: Outcome): void {
    if (outcome._tag !== "Done" || outcome.told.dryRun === true) return
    const { hold, transaction, transfer, wallet } = outcome.told
    if (transaction !== undefined) {
      const known = this.known.originals.get(walletId) ?? []
      this.known.originals.set(walletId, known)
      known.push(transaction.id)
    }
    if (transfer?.status === "completed") this.known.transfers.push(transfer)
    if (wallet !== undefined) {
      this.told(walletId, wallet.version)
      this.known.versions.set(walletId, Math.max(wallet.version, this.known.versions.get(walletId) ?? -1))
    }
    if (transfer !== undefined) {
      const several = transfer.to === null
      const completed = transfer.status === "completed"
      for (const { from, to } of transfer.legs) {
        if (several && completed) {
          for (const id of [from, to]) this.told(id, this.versionOf(id, "LegsApplied", transfer.id))
        }
        if (!several)
          this.told(from, this.versionOf(from, kind === "capture" ? "HoldCapturedTo" : "TransferSent", transfer.id))
        if (!several && completed) this.told(to, this.versionOf(to, "TransferReceived", transfer.id))
      }
      const home = transfer.legs[0]!.from
      if (several) this.told(home, this.versionOf(home, completed ? "LegsSettled" : "LegsBegun", transfer.id))
    }
    if (hold !== undefined && hold.status === "active") {
      const holds = this.known.holds.get(walletId) ?? []
      this.known.holds.set(walletId, holds)
      if (!holds.includes(hold.id)) holds.push(hold.id)
    }
  }

  private told(walletId: string, version: number): void {
    const { told } = this.trial.history
    told.set(walletId, Math.max(version, told.get(walletId) ?? -1))
  }

  /** Of a transfer's answer, which names no version; `-1`: the log does not have it, which the checks tell. */
  private versionOf(
    walletId: string,
    type: "TransferSent" | "HoldCapturedTo" | "TransferReceived" | "LegsBegun" | "LegsApplied" | "LegsSettled",
    transferId: string
  ): number {
    const events = this.trial.state.streams.get(walletId) ?? []
    return events.findLast(({ event }) => event._tag === type && event.transferId === transferId)?.version ?? -1
  }
}
