/**
 * Writes a log to a fresh search index in turns with a program that sends the very same bulks ready-made, and
 * with one that only reads what documents are made of: `node WriterWorker.ts OPTIONS`, both in JSON. A process
 * of its own, so that its CPU time is that of the writer.
 */
import "../../src/bin/noPretenuring.ts"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import { documentsOf } from "../../src/search/Documents.ts"
import { makeFollower } from "../../src/search/Follower.ts"
import { readLogPage } from "../../src/search/LogPage.ts"
import { defaultSearchBounds as bounds } from "../../src/search/SearchBounds.ts"
import { SearchTrouble } from "../../src/search/SearchTrouble.ts"
import { ElasticConnection } from "../../src/stores/elastic/Connection.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { SearchIndex } from "../../src/stores/SearchIndex.ts"
import { StoreOutages } from "../../src/stores/StoreOutages.ts"
import { inTurns, noCost, type Sample } from "../Figure.ts"
import { sendBulks, sent } from "./BareBulks.ts"
import { connection, searchIndex, SearchPlace, sqlStores } from "./SearchStores.ts"
import { WriterReport } from "./WriterReport.ts"

const Options = Schema.fromJsonString(Schema.Struct({ ...SearchPlace.fields, rounds: Schema.Int }))

/** What the writer has sent in its first round. */
interface Recording {
  bulks: Array<Uint8Array> | undefined
}

const recorded = (recording: Recording) =>
  Layer.effect(
    ElasticConnection,
    Effect.map(ElasticConnection, (connection) => ({
      ...connection,
      request: (request) => {
        if (request.path === "/_bulk" && request.lines !== undefined) recording.bulks?.push(Buffer.from(request.lines))
        return connection.request(request)
      }
    }))
  )

/** Events per second, and the CPU time of this process, all its threads, an event. */
const measured = <R>(events: number, run: Effect.Effect<unknown, never, R>) =>
  Effect.gen(function* () {
    globalThis.gc?.()
    const cpuBefore = process.cpuUsage()
    const startedAt = performance.now()
    yield* run
    const seconds = (performance.now() - startedAt) / 1_000
    const { system, user } = process.cpuUsage(cpuBefore)
    return {
      value: events / seconds,
      cost: { ...noCost, engineCpuMicros: (system + user) / events }
    } satisfies Sample
  })

const linesIn = (bulk: Uint8Array): number => bulk.reduce((lines, byte) => (byte === 10 ? lines + 1 : lines), 0)

const remove = Effect.fnUntraced(function* ({ elasticsearch, prefix }: SearchPlace) {
  const found = JSON.parse(yield* sent(elasticsearch, "GET", `/${prefix}-*/_alias`)) as object
  const names = Object.keys(found)
  if (names.length > 0) yield* sent(elasticsearch, "DELETE", `/${names.join(",")}`)
})

const program = Effect.gen(function* () {
  const options = yield* Schema.decodeUnknownEffect(Options)(process.argv[2])
  const recording: Recording = { bulks: [] }
  yield* measure(options, recording).pipe(
    Effect.provide(
      Layer.mergeAll(
        sqlStores(options),
        searchIndex(options).pipe(Layer.provide(recorded(recording)), Layer.provide(connection(options)))
      )
    )
  )
})

const measure = Effect.fnUntraced(function* (options: typeof Options.Type, recording: Recording) {
  const log = yield* EventStore
  const persistence = yield* Persistence
  const { current: set, open } = yield* SearchIndex
  const clock = yield* Clock.Clock
  const trouble = new SearchTrouble(yield* StoreOutages.current, clock, () => 0)
  const { logId, position: head } = yield* log.head

  const fresh = Effect.andThen(remove(options), open(logId))

  const written = Effect.gen(function* () {
    const told = { letters: () => 0, lettersChanged: Effect.void, arrived: Effect.void }
    const context = { log, persistence, set, bounds, clock, trouble, ...told }
    const follower = yield* makeFollower(context, { checkpoint: 0n, mark: undefined })
    const running = yield* Effect.forkChild(follower.run)
    const through: Effect.Effect<void> = Effect.suspend(() => {
      const { moved, written } = follower.places
      return written >= head ? Effect.void : Effect.andThen(moved, through)
    })
    yield* Effect.raceFirst(through, Fiber.join(running))
    yield* Fiber.interrupt(running)
    yield* set.saveCheckpoint(head)
    yield* set.refresh
  })

  const events = yield* readingOf({ log, persistence })
  const counted = Effect.all([set.count("transaction"), set.count("wallet")])
  let found: ReadonlyArray<number> = []
  const follows = Effect.gen(function* () {
    yield* fresh
    const sample = yield* measured(events, Effect.orDie(written))
    found = yield* counted
    return sample
  })
  let bulks: ReadonlyArray<Uint8Array> | undefined
  const bare = Effect.gen(function* () {
    // Those of the first round are all there are.
    bulks ??= recording.bulks ?? []
    recording.bulks = undefined
    yield* fresh
    const sending = sendBulks(options.elasticsearch, bulks, bounds.bulksInFlight)
    const sample = yield* measured(events, Effect.andThen(sending, Effect.orDie(set.refresh)))
    const arrived = yield* counted
    if (String(arrived) === String(found)) return sample
    return yield* Effect.die(new Error(`${arrived} documents have arrived, of the writer ${found}`))
  })
  const reads = measured(events, Effect.orDie(readingOf({ log, persistence })))
  const sides = [follows, bare, reads].map((side) => Effect.orDie(side))
  const [writer, beside, reading] = yield* inTurns("/s", options.rounds, sides)
  const documents = (bulks ?? []).reduce((sum, bulk) => sum + linesIn(bulk) / 2, 0)
  const report = { events, documents, writer: writer!, bare: beside!, reading: reading! }
  yield* Console.log(yield* Schema.encodeEffect(WriterReport)(report))
})

/** All that documents are made of, and no document of it. Answers the number of events. */
const readingOf = Effect.fnUntraced(function* (
  stores: Pick<Parameters<typeof makeFollower>[0], "log" | "persistence">
) {
  let events = 0
  let after = 0n
  for (;;) {
    const page = yield* readLogPage(stores.log, after, bounds.pageEvents)
    yield* documentsOf(stores, page.events)
    events += page.events.length
    if (page.isLast) return events
    after = page.next
  }
})

// Standard output is the report's.
const quiet = Layer.mergeAll(Layer.succeed(References.MinimumLogLevel, "Warn"), Layer.succeed(Logger.LogToStderr, true))

NodeRuntime.runMain(Effect.provide(program, quiet))
