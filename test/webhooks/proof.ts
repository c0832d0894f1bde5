/**
 * By hand: `node test/webhooks/proof.ts [EVENTS [WALLETS]]`, and `node test/webhooks/proof.ts --cost [SECONDS]`.
 *
 * The real service on an embedded database, and a receiver in this process. The first sends a log to a receiver that
 * refuses one request in three and is away twice for a while, from a service that is killed twice, and holds what was
 * acknowledged against the log: every event at least once, in order per wallet, none lost. The second counts credits a
 * second, in turns without webhooks and with twenty of them. Both print one line of JSON; what is wrong ends with 1.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Service, startService, temporaryFolder } from "../cli/WalletProcess.ts"
import { makeReceiver, type Received, type Receiver } from "./Receiver.ts"

const environment = (folder: string) => ({ WALLET_DATA_DIR: folder, WALLET_WEBHOOK_ALLOW_PRIVATE: "true" })

interface Reply {
  // The script says by what it reads which document it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
  readonly status: number
}

let requests = 0

const caller =
  (service: Service, key: string) => (method: string, path: string, body?: unknown, idempotencyKey?: string) =>
    Effect.promise(async (): Promise<Reply> => {
      const response = await fetch(`${service.url}/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          "content-type": "application/json",
          "idempotency-key": idempotencyKey ?? `r${process.pid}-${++requests}`
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      return { status: response.status, json: response.status === 204 ? undefined : await response.json() }
    })

type Call = ReturnType<typeof caller>

/** The same request with the same keys, until it is as it should be: on a busy machine the first may not be. */
const untilDone = (request: Effect.Effect<Reply>, until: (reply: Reply) => boolean) =>
  Effect.repeat(request, { schedule: Schedule.spaced(500), until })

const areAllDone = ({ json, status }: Reply): boolean =>
  status === 200 && json.results.every((one: Reply) => one.status === 201)

const walletOf = (n: number) => `w${n}`

const createWallets = (call: Call, wallets: number) =>
  Effect.forEach(
    Array.from({ length: wallets }, (_, n) => walletOf(n)),
    (id) =>
      untilDone(
        call("POST", "/wallets", { id, ownerId: "o", currency: "EUR" }, `c-${id}`),
        ({ status }) => status === 201
      ),
    { concurrency: 4, discard: true }
  )

let keys = 0

const credits = (wallets: number, count: number, from: number) => ({
  commands: Array.from({ length: count }, (_, n) => ({
    type: "credit",
    walletId: walletOf((from + n) % wallets),
    amount: "1",
    idempotencyKey: `k${process.pid}-${++keys}`
  }))
})

const batch = 250

/** Refuses one in three, and keeps per wallet which versions it has taken, in the order of their first coming. */
class Ledger {
  readonly versions = new Map<string, Array<number>>()
  readonly #seen = new Set<string>()
  requests = 0
  taken = 0
  again = 0
  disorder: string | undefined

  readonly answer = ({ data }: Received): number => {
    if (++this.requests % 3 === 0) return 500
    const name = `${data.walletId} ${data.version}`
    if (this.#seen.has(name)) {
      this.again++
      return 204
    }
    this.#seen.add(name)
    this.taken++
    const known = this.versions.get(data.walletId) ?? []
    if (data.version !== known.length) this.disorder ??= `${name} came when ${known.length} was due`
    known.push(data.version)
    this.versions.set(data.walletId, known)
    return 204
  }
}

const forgetful = (receiver: Receiver, ledger: Ledger) => {
  receiver.answer = (received) => {
    // The ledger has what is needed: a hundred thousand bodies need not be kept.
    receiver.received.length = 0
    return ledger.answer(received)
  }
}

const until = (isSo: () => boolean) =>
  Effect.repeat(Effect.sync(isSo), { schedule: Schedule.spaced(100), until: (so) => so })

const keyIn = (folder: string) => readFileSync(join(folder, "api-key"), "utf8").trim()

const prove = Effect.fnUntraced(function* (events: number, wallets: number) {
  const folder = yield* temporaryFolder
  const ledger = new Ledger()
  let receiverScope = yield* Scope.make()
  const first = yield* Scope.provide(makeReceiver(), receiverScope)
  forgetful(first, ledger)
  const port = Number(new URL(first.url).port)

  let service = yield* startService(environment(folder))
  const key = keyIn(folder)
  let call = caller(service, key)
  yield* createWallets(call, wallets)
  const startedAt = yield* Clock.currentTimeMillis
  const made = yield* untilDone(
    call("POST", "/webhooks", { url: first.url, from: "0" }),
    ({ status }) => status === 201
  )
  for (let sent = wallets; sent < events; sent += batch) {
    yield* untilDone(call("POST", "/batch", credits(wallets, Math.min(batch, events - sent), sent)), areAllDone)
  }

  const kills: Array<number> = []
  for (const share of [1 / 4, 1 / 2]) {
    yield* until(() => ledger.taken >= events * share)
    kills.push(ledger.taken)
    yield* service.kill("SIGKILL")
    yield* service.exited
    yield* Scope.close(receiverScope, Exit.void)
    service = yield* startService(environment(folder))
    call = caller(service, key)
    yield* Effect.sleep("2 seconds")
    receiverScope = yield* Scope.make()
    forgetful(yield* Scope.provide(makeReceiver(port), receiverScope), ledger)
  }
  yield* until(() => ledger.taken >= events)
  const webhook = yield* Effect.repeat(call("GET", `/webhooks/${made.json.id}`), {
    schedule: Schedule.spaced(200),
    until: ({ json, status }) => status === 200 && json.walletsBehind === 0 && json.position === `${events}`
  })
  const seconds = ((yield* Clock.currentTimeMillis) - startedAt) / 1_000
  const lost = events - [...ledger.versions.values()].reduce((sum, { length }) => sum + length, 0)
  const { again, disorder, requests } = ledger
  yield* Console.log(
    JSON.stringify({
      events,
      wallets,
      requests,
      again,
      lost,
      disorder,
      kills,
      seconds,
      position: webhook.json.position
    })
  )
  yield* Scope.close(receiverScope, Exit.void)
  if (lost !== 0 || disorder !== undefined) return yield* Effect.fail(new Error("not every event came in order"))
})

const endpoints = 20
const rounds = 4
const lanes = 4

/** Credits a second by four callers of batches. */
const creditsFor = Effect.fnUntraced(function* (call: Call, seconds: number, wallets: number) {
  const startedAt = yield* Clock.currentTimeMillis
  const end = startedAt + seconds * 1_000
  let done = 0
  const lane = (number: number) =>
    Effect.gen(function* () {
      for (let turn = 0; (yield* Clock.currentTimeMillis) < end; turn++) {
        const { json, status } = yield* call("POST", "/batch", credits(wallets, 250, number * 97 + turn * 250))
        if (status === 200) done += json.results.filter((one: Reply) => one.status === 201).length
      }
    })
  yield* Effect.forEach(
    Array.from({ length: lanes }, (_, n) => n),
    lane,
    { concurrency: lanes, discard: true }
  )
  return done / (((yield* Clock.currentTimeMillis) - startedAt) / 1_000)
})

const cost = Effect.fnUntraced(function* (seconds: number) {
  const wallets = 200
  const folder = yield* temporaryFolder
  const receiver = yield* makeReceiver()
  let received = 0
  receiver.answer = () => {
    receiver.received.length = 0
    received++
    return 204
  }
  const service = yield* startService(environment(folder))
  const call = caller(service, keyIn(folder))
  yield* createWallets(call, wallets)
  yield* creditsFor(call, 2, wallets)
  const without: Array<number> = []
  const withThem: Array<number> = []
  const delivered: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    without.push(Math.round(yield* creditsFor(call, seconds, wallets)))
    const made = yield* Effect.forEach(Array.from({ length: endpoints }), () =>
      call("POST", "/webhooks", { url: receiver.url })
    )
    yield* Effect.sleep("1 second")
    const before = received
    withThem.push(Math.round(yield* creditsFor(call, seconds, wallets)))
    delivered.push(Math.round((received - before) / seconds))
    for (const { json } of made) yield* call("DELETE", `/webhooks/${json.id}`)
    yield* Effect.sleep("2 seconds")
  }
  yield* Console.log(JSON.stringify({ seconds, endpoints, without, with: withThem, deliveredPerSecond: delivered }))
})

const [first, second] = process.argv.slice(2)
const program =
  first === "--cost" ? cost(Number(second ?? 5)) : prove(Number(first ?? 100_000), Number(second ?? 1_000))

NodeRuntime.runMain(Effect.scoped(program))
