/** The stores of the bench's search programs: log and rows in a schema of PostgreSQL, the index in Elasticsearch. */
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Connection from "../../src/stores/elastic/Connection.ts"
import * as ElasticSearchIndex from "../../src/stores/elastic/ElasticSearchIndex.ts"
import { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"
import * as SqlStores from "../../src/stores/sql/SqlStores.ts"

/** Where a search program's stores are. */
export const SearchPlace = Schema.Struct({
  /** Of the PostgreSQL server, with its password: the server is this bench's own. */
  database: Schema.String,
  schema: Schema.String,
  elasticsearch: Schema.String,
  prefix: Schema.String
})
export type SearchPlace = typeof SearchPlace.Type

/** Milliseconds; the service's own default. */
export const refreshMillis = 300

/** All tables are there; search is elsewhere, as the service has it. */
export const sqlStores = ({ database, schema }: SearchPlace) =>
  SqlStores.layer({ words: false }).pipe(
    Layer.provideMerge(SqlDatabase.layerServer({ url: Redacted.make(database), schema })),
    Layer.orDie
  )

export const connection = ({ elasticsearch }: SearchPlace) => Layer.orDie(Connection.layer({ nodes: [elasticsearch] }))

export const searchIndex = ({ prefix }: SearchPlace) =>
  ElasticSearchIndex.layer({ prefix, refreshInterval: refreshMillis })
