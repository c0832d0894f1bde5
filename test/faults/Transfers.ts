/**
 * Random transfers among a few wallets, of one leg or of several, while the service is killed again and again: none
 * is lost, none happens twice or in a part, the money is conserved, and each has ended soon after the
 * last start without a human.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { addMovement, emptyTotals, inTransit, isConserved } from "../../src/engine/verify/Conservation.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import type { SentCommand } from "./ClientView.ts"
import { type FaultClient, sendOne } from "./FaultClient.ts"
import { type Outcome, promisesBroken } from "./Outcome.ts"
import { directStores, execute, type Rig, type ServiceSlot, startRig } from "./Rig.ts"
import { countLegs } from "./LegsLog.ts"
import type { RunOptions, Scenario } from "./Scenario.ts"
import { auditOf, converge, endService, watchMemory } from "./UnderLoad.ts"

/** From the last start of the service on, until every transfer has ended and every caller knows. */
const endLimitMillis = 30_000

const pageEvents = 2_000

/** One of so many transfers is sent once more after its answer. */
const repeated = 50

/** About so many of all are refused by their destination, by a rule of the user's: fewer than compensations are made in a minute. */
const unwanted = 20

export interface TransferKills {
  readonly count: number
  readonly kills: number
  /** Whether {@link refuseUnwanted} has been said. */
  readonly refusing?: boolean
  /** Of so many legs at most, and of two at least; absent: of one. */
  readonly legs?: number
}

/** A rule of the user's: it does not want money under this reference. */
const refuseUnwanted = (rig: Rig): Effect.Effect<void> =>
  execute(
    rig,
    `create function public.unwanted() returns trigger language plpgsql as $$
     begin
       if new.type = 'TransferReceived' and new.reference = 'unwanted' then raise exception 'not this money'; end if;
       return new;
     end $$`,
    "create trigger unwanted before insert on wallet.events for each row execute function public.unwanted()"
  )

const isOpen = ({ view }: SentCommand): boolean => view._tag === "Open"

/** From one wallet to another, both by chance; each caller's retry is the same command under the same key. */
const randomTransfer = (client: FaultClient, { count, refusing }: TransferKills): SentCommand => {
  const { wallets } = client
  const from = client.random(wallets.length)
  const to = (from + 1 + client.random(wallets.length - 1)) % wallets.length
  const walletId = wallets[from]!
  const reference = refusing === true && client.random(Math.ceil(count / unwanted)) === 0 ? "unwanted" : "load"
  const body = { from: walletId, to: wallets[to]!, amount: String(1 + client.random(100)), reference }
  return client.add({ kind: "transfer", walletId, path: "/v1/transfers", body })
}

/** Between any wallets, so that sources and destinations mix; the key is the first source's. */
const randomLegs = (client: FaultClient, most: number): SentCommand => {
  const { wallets } = client
  const legs = Array.from({ length: 2 + client.random(most - 1) }, () => {
    const from = client.random(wallets.length)
    const to = (from + 1 + client.random(wallets.length - 1)) % wallets.length
    return { from: wallets[from]!, to: wallets[to]!, amount: String(1 + client.random(100)) }
  })
  return client.add({ kind: "transfer", walletId: legs[0]!.from, path: "/v1/transfers", body: { legs } })
}

/** Takes one transfer after the other to an answer; a connection that breaks is made anew, to where the service is then. */
const oneCaller = (client: FaultClient, next: () => SentCommand | undefined, settled: () => void) =>
  Effect.gen(function* () {
    let connection = client.connect()
    const send = Effect.fnUntraced(function* (command: SentCommand) {
      if (yield* sendOne(client, connection, command, "persisted")) return
      connection.close()
      yield* Effect.sleep(20 + client.random(80))
      connection = client.connect()
    })
    for (let command = next(); command !== undefined; command = next()) {
      for (yield* send(command); isOpen(command); yield* send(command)) yield* Effect.sleep(client.random(50))
      if (client.random(repeated) === 0) yield* send(command)
      settled()
    }
    connection.close()
  })

/** Whether the service shows one that has not ended. */
const someOpen = (client: FaultClient): Effect.Effect<boolean> =>
  Effect.promise((signal) =>
    fetch(new URL("/v1/transfers?status=pending&limit=1", client.url), {
      headers: { authorization: `Bearer ${client.options.apiKey}` },
      signal
    }).then((answer) => answer.json() as Promise<{ readonly data: ReadonlyArray<unknown> }>)
  ).pipe(Effect.map(({ data }) => data.length > 0))

/** The load, and the kills in the middle of it. Answers how long after the last start all was over, ms. */
export const transfersUnderKills = Effect.fnUntraced(function* (
  client: FaultClient,
  slot: ServiceSlot,
  plan: TransferKills
): Effect.fn.Return<number> {
  const { count, kills } = plan
  /** By then each caller has its last one. */
  const most = count - client.options.connections
  let made = 0
  let done = 0
  const next = () => {
    if (made++ >= count) return undefined
    return plan.legs === undefined ? randomTransfer(client, plan) : randomLegs(client, plan.legs)
  }
  const callers = yield* Effect.forkChild(
    Effect.forEach(
      Array.from({ length: client.options.connections }),
      () => oneCaller(client, next, () => void done++),
      { concurrency: "unbounded", discard: true }
    )
  )
  let lastStart = performance.now()
  for (let kill = 1; kill <= kills; kill++) {
    // Every third dies while it takes up what the one before it has left; the last one, when nothing new will come.
    const again = kill % 3 === 0 && kill < kills
    const target = again ? done + client.random(100) : Math.floor((most * kill) / kills)
    while (done < Math.min(target, most)) yield* Effect.sleep(5)
    yield* Effect.sleep(client.random(20))
    yield* slot.kill
    lastStart = performance.now()
    client.url = new URL((yield* slot.start()).url)
    yield* Effect.logDebug(`killed for the ${kill}th time after ${done} transfers`)
  }
  yield* Fiber.join(callers)
  for (;;) {
    const open = yield* someOpen(client)
    const millis = Math.round(performance.now() - lastStart)
    if (!open || millis > endLimitMillis * 2) return millis
    yield* Effect.sleep(20)
  }
})

export interface TransferCounts {
  sent: number
  received: number
  settled: number
  reversed: number
  /** Sent, and undone before anything else happened to it. */
  undone: number
  /** Events after which money was missing or too much. */
  unbalanced: number
  /** At the end of the log, minor units. */
  balances: bigint
  inTransit: bigint
}

/** The whole log, with law 6 after each of its events. */
export const countTransfers = Effect.gen(function* (): Effect.fn.Return<TransferCounts, unknown, EventStore> {
  const log = yield* EventStore
  const totals = emptyTotals("EUR")
  const counts = { sent: 0, received: 0, settled: 0, reversed: 0, undone: 0, unbalanced: 0 }
  const balances = new Map<string, bigint>()
  for (let after = 0n; ;) {
    const page = yield* log.readAll({ after, limit: pageEvents })
    const last = page.at(-1)
    if (last === undefined) return { ...counts, balances: totals.balances, inTransit: inTransit(totals) }
    for (const { recorded } of page) {
      const { event, walletId } = recorded
      addMovement(totals, event)
      totals.balances += event.balanceAfter - (balances.get(walletId) ?? 0n)
      balances.set(walletId, event.balanceAfter)
      if (!isConserved(totals)) counts.unbalanced++
      if (event._tag === "TransferSent") counts.sent++
      else if (event._tag === "TransferReceived") counts.received++
      else if (event._tag === "TransferSettled") counts.settled++
      else if (event._tag === "TransferReversed") counts.reversed++
      else if (event._tag === "OperationReversed" && event.reversedType === "TransferSent") counts.undone++
    }
    after = last.position
  }
})

/** What of the counts is not as promised. `money`: what the wallets were given. */
export const transfersBroken = (counts: TransferCounts, money: bigint): ReadonlyArray<string> => {
  const { balances, inTransit: left, reversed, sent, settled, unbalanced, undone } = counts
  return [
    ...(unbalanced > 0 ? [`the money was not conserved after ${unbalanced} events`] : []),
    ...(left === 0n ? [] : [`${left} is in transit`]),
    ...(balances === money ? [] : [`the wallets have ${balances}, and were given ${money}`]),
    ...(sent === settled + reversed + undone ? [] : [`${sent} sent, ${settled} settled, ${reversed} reversed`])
  ]
}

/** So little that some legs find too little money, now at the look and now after the promise of others. */
const scarceFunds = "400"

const runLegs = (options: RunOptions) =>
  Effect.gen(function* (): Effect.fn.Return<Outcome, never, Scope.Scope> {
    const started = performance.now()
    const kills = options.kills ?? 10
    const rig = yield* startRig({ ...options, client: { wallets: 200, connections: 32, funds: scarceFunds } })
    const { client } = rig
    const memory = yield* watchMemory(rig)
    const before = performance.now()
    const endMillis = yield* transfersUnderKills(client, rig.service, { count: options.count, kills, legs: 10 })
    const loadMillis = performance.now() - before
    const { verified } = yield* converge(rig)
    const verdict = yield* auditOf(rig)
    const stores = directStores(rig)
    const legs = yield* countLegs.pipe(Effect.provide(stores), Effect.orDie)
    const counts = yield* countTransfers.pipe(Effect.provide(stores), Effect.orDie)
    const money = BigInt(client.options.funds) * BigInt(client.options.wallets)
    return {
      scenario: "legs",
      what: `${options.count.toLocaleString("en")} transfers of 2 to 10 legs among ${client.options.wallets} wallets, the service killed ${kills} times`,
      stores: rig.stores,
      seed: options.seed,
      connections: client.options.connections,
      verdict,
      verified,
      healMillis: endMillis,
      durationMillis: Math.round(performance.now() - started),
      answers: client.answers,
      slowestMillis: client.slowest,
      resident: memory,
      figures: {
        kills,
        begun: legs.begun,
        completed: legs.completed,
        reversed: legs.reversed,
        undone: legs.undone,
        "in transit": Number(counts.inTransit),
        "transfers/s, kills included": Math.round((options.count * 1_000) / loadMillis)
      },
      problems: [
        ...promisesBroken(verdict, verified, { millis: endMillis, limit: endLimitMillis }),
        ...transfersBroken(counts, money),
        ...legs.broken.slice(0, 20),
        ...(yield* endService(rig))
      ]
    }
  })

const run = (options: RunOptions) =>
  Effect.gen(function* (): Effect.fn.Return<Outcome, never, Scope.Scope> {
    const started = performance.now()
    const kills = options.kills ?? 10
    const rig = yield* startRig({ ...options, client: { wallets: 100, connections: 64 } })
    const { client } = rig
    const memory = yield* watchMemory(rig)
    yield* refuseUnwanted(rig)
    const before = performance.now()
    const plan = { count: options.count, kills, refusing: true }
    const endMillis = yield* transfersUnderKills(client, rig.service, plan)
    const loadMillis = performance.now() - before
    const { verified } = yield* converge(rig)
    const verdict = yield* auditOf(rig)
    const counts = yield* countTransfers.pipe(Effect.provide(directStores(rig)), Effect.orDie)
    const money = BigInt(client.options.funds) * BigInt(client.options.wallets)
    return {
      scenario: "transfers",
      what: `${options.count.toLocaleString("en")} transfers among ${client.options.wallets} wallets, the service killed ${kills} times`,
      stores: rig.stores,
      seed: options.seed,
      connections: client.options.connections,
      verdict,
      verified,
      healMillis: endMillis,
      durationMillis: Math.round(performance.now() - started),
      answers: client.answers,
      slowestMillis: client.slowest,
      resident: memory,
      figures: {
        kills,
        sent: counts.sent,
        completed: counts.settled,
        reversed: counts.reversed,
        undone: counts.undone,
        "in transit": Number(counts.inTransit),
        "transfers/s, kills included": Math.round((options.count * 1_000) / loadMillis)
      },
      problems: [
        ...promisesBroken(verdict, verified, { millis: endMillis, limit: endLimitMillis }),
        ...transfersBroken(counts, money),
        ...(counts.sent < options.count ? [`only ${counts.sent} were sent`] : []),
        ...(yield* endService(rig))
      ]
    }
  })

export const transfers: ReadonlyArray<Scenario> = [
  {
    name: "transfers",
    summary: "random transfers among a hundred wallets, the service killed again and again",
    stores: ["both", "postgres"],
    seconds: 0,
    count: 100_000,
    run
  },
  {
    name: "legs",
    summary: "random transfers of 2 to 10 legs among two hundred wallets, the service killed again and again",
    stores: ["both", "postgres"],
    seconds: 0,
    count: 100_000,
    run: runLegs
  }
]
