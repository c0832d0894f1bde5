/**
 * How fast a search index follows the log: its writer beside a program that sends the same bulks ready-made, what the
 * node's own CPU has to do for it, and how long after its commit an event is found, at half of that rate.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../src/stores/sql/SqlStores.ts"
import type { BenchSettings } from "../BenchSettings.ts"
import { databaseConditions } from "../Databases.ts"
import { type Figure, figureOf, rowOf } from "../Figure.ts"
import { runModule } from "../NodeProcess.ts"
import { fillLog } from "../replay/ReplayLog.ts"
import type { ElasticsearchServer } from "../servers/ElasticsearchServer.ts"
import { lagRows } from "./SearchLag.ts"
import type { SearchPlace } from "./SearchStores.ts"
import { WriterReport } from "./WriterReport.ts"

const counted = (count: number): string => count.toLocaleString("en")

/** What an event costs this process, of each round's the median. */
const cpuOf = ({ cost }: Figure): Figure => figureOf("µs", [cost?.engineCpuMicros ?? Number.NaN])

/** A log of its own, and where it is. */
const filledPlace = Effect.fnUntraced(function* (
  url: Redacted.Redacted,
  elasticsearch: ElasticsearchServer,
  wallets: number
) {
  const place: SearchPlace = {
    database: Redacted.value(url),
    schema: "search",
    elasticsearch: elasticsearch.url,
    prefix: "bench"
  }
  const stores = SqlStores.layer({ words: false }).pipe(
    Layer.provide(SqlMigrator.layerBesideOthers),
    Layer.provideMerge(SqlDatabase.layerServer({ url, schema: place.schema })),
    Layer.orDie
  )
  const on = yield* Effect.provide(Effect.andThen(fillLog(wallets), databaseConditions), stores)
  return { place, on: `Elasticsearch, ${on}` }
})

export const searchBench = Effect.fnUntraced(function* (
  settings: BenchSettings,
  url: Redacted.Redacted,
  elasticsearch: ElasticsearchServer
) {
  const { rounds, searchWallets: wallets } = settings
  const { on, place } = yield* filledPlace(url, elasticsearch, wallets)
  const options = JSON.stringify({ ...place, rounds })
  const output = yield* runModule("bench/search/WriterWorker", [options], ["--expose-gc"])
  const { bare, documents, events, reading, writer } = yield* Effect.orDie(Schema.decodeEffect(WriterReport)(output))
  const perEvent = documents / events
  const inDocuments = ({ rounds, unit }: Figure) =>
    figureOf(
      unit,
      rounds.map((rate) => rate * perEvent)
    )
  const of = `${counted(events)} events of ${counted(wallets)} wallets`
  const beside = "the same bulks, ready-made"
  return [
    rowOf({
      name: `a search index written from the log, ${of}`,
      on,
      engine: writer,
      beside: { name: beside, figure: bare },
      ratioBar: 0.8
    }),
    rowOf({
      name: `… its ${counted(documents)} documents`,
      on,
      engine: inDocuments(writer),
      beside: { name: beside, figure: inDocuments(bare) }
    }),
    rowOf({
      name: "… CPU of the writer's process, an event",
      on,
      engine: cpuOf(writer),
      beside: { name: "reading the log and the rows", figure: cpuOf(reading) },
      bar: 20
    }),
    ...(yield* lagRows(settings, { place, on, perSecond: writer.median / 2 }))
  ]
})
