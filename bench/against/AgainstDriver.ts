/**
 * Drives the library that `effect-wallet` means in this process, configured by the
 * environment as an app's would be, as the parent says; ends with the channel.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import { WalletEngine } from "effect-wallet"
import { type LoopResult, runFibers } from "../ClosedLoop.ts"
import { walletChoice } from "../../src/load/WalletChoice.ts"
import type { Answers, Driven, Reply, Request, Totals, WalletNames } from "./AgainstProtocol.ts"
import { namesOf } from "./AgainstProtocol.ts"

type Of<Tag extends Request["_tag"]> = Extract<Request, { readonly _tag: Tag }>

/** Commands on their way at once, where nothing is measured. */
const together = 1_024

/** Both sides draw from it. */
const seed = "effect-wallet against"

const forWallets = <E, R>(names: WalletNames, use: (walletId: string) => Effect.Effect<unknown, E, R>) =>
  Effect.as(Effect.forEach(namesOf(names), use, { concurrency: together, discard: true }), null)

const create = Effect.fnUntraced(function* (request: Of<"Create">) {
  const engine = yield* WalletEngine
  return yield* forWallets(request, (id) =>
    engine.createWallet({ id, ownerId: "bench", currency: "EUR", idempotencyKey: "create" })
  )
})

const fund = Effect.fnUntraced(function* ({ amount, ...names }: Of<"Fund">) {
  const engine = yield* WalletEngine
  return yield* forWallets(names, (walletId) =>
    engine.credit({ walletId, amount: BigInt(amount), idempotencyKey: "fund" })
  )
})

const history = Effect.fnUntraced(function* ({ keys, ...names }: Of<"History">) {
  const engine = yield* WalletEngine
  const ids = namesOf(names)
  const keyed = Array.from({ length: keys * ids.length }, (_, n) => n)
  yield* Effect.forEach(
    keyed,
    (n) => engine.credit({ walletId: ids[n % ids.length]!, amount: 1n, idempotencyKey: `history-${n}` }),
    { concurrency: together, discard: true }
  )
  return null
})

const driven = <E, R>(loop: Effect.Effect<LoopResult, E, R>): Effect.Effect<Driven, E, R> =>
  Effect.gen(function* () {
    const before = process.cpuUsage()
    const { perSecond, total } = yield* loop
    const { system, user } = process.cpuUsage(before)
    return { perSecond, total, cpuMicros: system + user }
  })

const credits = Effect.fnUntraced(function* (request: Of<"Credits">) {
  const engine = yield* WalletEngine
  const ids = namesOf(request)
  const { count: wallets, keys, zipf } = request
  const choose = yield* walletChoice(
    zipf === 0 ? { _tag: "Uniform", wallets } : { _tag: "Zipf", wallets, exponent: zipf },
    seed
  )
  return yield* driven(
    runFibers(request, (n) => engine.credit({ walletId: ids[choose()]!, amount: 1n, idempotencyKey: `${keys}${n}` }))
  )
})

const transfers = Effect.fnUntraced(function* (request: Of<"Transfers">) {
  const engine = yield* WalletEngine
  const [hot, ...sources] = namesOf(request)
  const { length } = sources
  const choose = yield* walletChoice({ _tag: "Uniform", wallets: length }, seed)
  return yield* driven(
    runFibers(request, (n) => {
      const from = choose()
      const other = sources[(from + 1 + (choose() % (length - 1))) % length]!
      const to = request.into === "one" ? hot! : other
      return engine.transfer({ from: sources[from]!, to, amount: 1n, idempotencyKey: `t${n}` })
    })
  )
})

/** A transfer is answered before its source is told. Looked at so often, at most for ten seconds. */
const lookMillis = 50
const looks = 200

const totals = Effect.fnUntraced(function* (names: Of<"Totals">) {
  const engine = yield* WalletEngine
  const look = Effect.map(
    Effect.forEach(namesOf(names), (walletId) => engine.getWallet({ walletId }), { concurrency: together }),
    (wallets): Totals => ({
      events: wallets.reduce((sum, { version }) => sum + version + 1, 0),
      balance: String(wallets.reduce((sum, { balance }) => sum + balance, 0n)),
      first: String(wallets[0]?.balance ?? 0n)
    })
  )
  let before = yield* look
  for (let n = 0; n < looks; n++) {
    yield* Effect.sleep(lookMillis)
    const now = yield* look
    if (now.events === before.events) return now
    before = now
  }
  return yield* Effect.die(new Error("the wallets do not come to rest"))
})

const answer = (request: Request): Effect.Effect<Answers[keyof Answers], unknown, WalletEngine> => {
  switch (request._tag) {
    case "Create":
      return create(request)
    case "Fund":
      return fund(request)
    case "History":
      return history(request)
    case "Credits":
      return credits(request)
    case "Transfers":
      return transfers(request)
    case "Totals":
      return totals(request)
  }
}

const say = (reply: Reply) => Effect.sync(() => void process.send?.(reply))

const program = Effect.gen(function* () {
  const requests = yield* Queue.unbounded<Request>()
  yield* Effect.sync(() => process.on("message", (request: Request) => void Queue.offerUnsafe(requests, request)))
  // The library is built before the first word.
  yield* WalletEngine
  yield* say({ _tag: "Ready" })
  return yield* Effect.forever(
    Effect.matchCauseEffect(Effect.flatMap(Queue.take(requests), answer), {
      onSuccess: (value) => say({ _tag: "Answer", value }),
      onFailure: (cause) => say({ _tag: "Failed", reason: Cause.pretty(cause) })
    })
  )
})

const parentGone = Effect.callback<void>((resume) => {
  process.once("disconnect", () => resume(Effect.void))
})

NodeRuntime.runMain(
  Effect.raceFirst(program.pipe(Effect.provide(WalletEngine.layerConfig())), parentGone).pipe(
    Effect.provide(
      Layer.mergeAll(Layer.succeed(References.MinimumLogLevel, "Warn"), Layer.succeed(Logger.LogToStderr, true))
    )
  )
)
