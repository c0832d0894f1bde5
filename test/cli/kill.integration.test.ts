/**
 * `kill -9` of the real service under load, again and again: what was acknowledged is
 * there exactly once, what was not is there once or not at all, and its retry with the
 * same key makes it once. `WALLET_KILL_ROUNDS` and `WALLET_KILL_SEED` choose more.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { storesLayer } from "../../src/engine/EngineStores.ts"
import { verify } from "../../src/engine/verify/Verify.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { migratedDataDir } from "../support/embedded.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"
import { keepSending, type KillClient, makeRandom, send, sendAgain, type SentCommand } from "./KillClient.ts"
import { type Environment, startService } from "./WalletProcess.ts"

const rounds = Number(process.env.WALLET_KILL_ROUNDS ?? 3)
const seed = Number(process.env.WALLET_KILL_SEED ?? 20_260_101)
const connections = 48
/** Milliseconds, against a hang alone: a busy machine takes minutes. */
const timeout = 300_000 + rounds * 200_000
/** Settled commands of a round before the kill: at least, and at most so many more. */
const [least, spread] = [200, 1500]

const wallets = Array.from({ length: 12 }, (_, index) => `w${index}`)
const apiKey = "a-secret-of-our-own-0123456789"

const createWallets = (url: string, client: KillClient) =>
  Effect.forEach(
    wallets,
    (id) => {
      const command: SentCommand = {
        key: `create-${id}`,
        kind: "credit",
        walletId: id,
        path: "/v1/wallets",
        body: { id, ownerId: "o", currency: "EUR" },
        belief: { _tag: "Open" }
      }
      client.commands.push(command)
      return send(url, client, command)
    },
    { discard: true }
  )

/** After a restart: half of what is open is retried until it is settled, the other half is left as it is for ever. */
const settle = Effect.fnUntraced(function* (url: string, client: KillClient, left: Set<SentCommand>) {
  const open = client.commands.filter((command) => command.belief._tag === "Open" && !left.has(command))
  for (const command of open) {
    if (client.random(2) === 0) left.add(command)
    else while (command.belief._tag === "Open") assert.isTrue(yield* send(url, client, command))
  }
  const known = client.commands.filter(({ belief }) => belief._tag === "Acknowledged")
  for (let sample = 0; sample < 20 && known.length > 0; sample++) {
    const command = known[client.random(known.length)]
    if (command === undefined) continue
    assert.isUndefined(yield* sendAgain(url, client, command), `${command.kind} ${command.key} sent again`)
  }
})

const round = Effect.fnUntraced(function* (
  environment: Environment,
  client: KillClient,
  left: Set<SentCommand>,
  first: boolean
) {
  const service = yield* startService(environment)
  if (first) yield* createWallets(service.url, client)
  yield* settle(service.url, client, left)
  const enough = yield* Deferred.make<void>()
  let settled = 0
  const target = least + client.random(spread)
  const count = () => {
    settled += 1
    if (settled === target) Deferred.doneUnsafe(enough, Effect.void)
  }
  const senders = yield* Effect.forkChild(
    Effect.forEach(Array.from({ length: connections }), () => keepSending(service.url, client, wallets, count), {
      concurrency: "unbounded",
      discard: true
    })
  )
  yield* Effect.raceFirst(Deferred.await(enough), Fiber.join(senders))
  assert.strictEqual(settled >= target, true, `the service died by itself: ${service.stderr()}`)
  yield* service.kill("SIGKILL")
  assert.isNull(yield* service.exited)
  yield* Fiber.join(senders)
}, Effect.scoped)

/** Every command's events in the log, by wallet and key: ids of the commands that wrote them, and the last version. */
const readLog = Effect.gen(function* () {
  const log = yield* EventStore
  const found = new Map<string, { readonly commandIds: Set<string>; readonly types: Array<string>; version: number }>()
  let after = 0n
  for (;;) {
    const events = yield* log.readAll({ after, limit: 1000 })
    for (const { recorded } of events) {
      const name = `${recorded.walletId} ${recorded.metadata.key}`
      const entry = found.get(name) ?? { commandIds: new Set<string>(), types: [], version: -1 }
      entry.commandIds.add(recorded.metadata.commandId)
      entry.types.push(recorded.event._tag)
      entry.version = recorded.version
      found.set(name, entry)
    }
    const last = events.at(-1)
    if (last === undefined) return found
    after = last.position
  }
})

const judge = (
  command: SentCommand,
  entry: { readonly types: ReadonlyArray<string>; readonly version: number } | undefined
) => {
  const { belief } = command
  const events = entry?.types.length ?? 0
  switch (belief._tag) {
    case "Acknowledged":
      return events === 1 && entry?.version === belief.version ? undefined : `acknowledged at ${belief.version}`
    case "Rejected":
      return events === 0 ? undefined : `rejected with ${belief.code}`
    case "Open":
      return events <= 1 ? undefined : "never answered"
  }
}

const check = Effect.fnUntraced(function* (client: KillClient) {
  const log = yield* readLog
  const wrong = client.commands.flatMap((command) => {
    const name = `${command.walletId} c:${command.key}`
    const entry = log.get(name)
    log.delete(name)
    const complaint = judge(command, entry)
    return complaint === undefined
      ? []
      : [`${command.kind} ${name} ${complaint}; in the log: ${entry?.types.join() ?? "nothing"}`]
  })
  assert.deepStrictEqual(wrong, [])
  assert.deepStrictEqual([...log.keys()], [], "commands that nobody sent")
  const report = yield* verify({ lagMillis: 0 })
  assert.deepStrictEqual(report.differences, [])
  assert.strictEqual(report.wallets, wallets.length)
})

const storesConfig = (environment: Environment) => ({
  kurrentUrl: Option.none(),
  kurrentPrefix: "wallet",
  databaseUrl: Option.map(Option.fromUndefinedOr(environment.DATABASE_URL), Redacted.make),
  dataDir: environment.WALLET_DATA_DIR ?? "",
  schema: "wallet",
  maxConnections: 4
})

const survive = Effect.fnUntraced(function* (environment: Environment) {
  const client: KillClient = { commands: [], holds: new Map(), random: makeRandom(seed), apiKey }
  const left = new Set<SentCommand>()
  for (let number = 0; number < rounds; number++) yield* round(environment, client, left, number === 0)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const service = yield* startService(environment)
      yield* settle(service.url, client, left)
      yield* service.kill("SIGTERM")
      assert.strictEqual(yield* service.exited, 0)
    })
  )
  yield* check(client).pipe(Effect.provide(storesLayer(storesConfig(environment))))
  const acknowledged = client.commands.filter((command) => command.belief._tag === "Acknowledged")
  assert.isAbove(acknowledged.length, rounds * least * 0.3)
})

describe(`the service, killed ${rounds} times under ${connections} connections (seed ${seed})`, () => {
  it.live(
    "keeps every acknowledged command once, with the embedded database",
    () =>
      Effect.gen(function* () {
        yield* survive({ WALLET_DATA_DIR: yield* migratedDataDir, WALLET_API_KEY: apiKey })
      }),
    timeout
  )

  it.live.skipIf(!postgresPresent)(
    "keeps every acknowledged command once, with PostgreSQL",
    () =>
      Effect.gen(function* () {
        const { url } = yield* TestPostgres
        yield* survive({ DATABASE_URL: Redacted.value(url), WALLET_API_KEY: apiKey })
      }).pipe(Effect.provide(TestPostgres.layer)),
    timeout
  )
})
