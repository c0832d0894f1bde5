import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Connection from "../../../src/stores/elastic/Connection.ts"
import * as ElasticSearchIndex from "../../../src/stores/elastic/ElasticSearchIndex.ts"
import { searchIndexContract } from "../../../src/testing/contract/SearchIndexContract.ts"
import { elasticsearchPresent, freshIndexPrefix, sharedElasticsearch } from "../../support/elasticsearch.ts"

const fresh = Layer.unwrap(
  Effect.map(sharedElasticsearch, (url) =>
    ElasticSearchIndex.layer({ prefix: freshIndexPrefix() }).pipe(
      Layer.provide(Connection.layer({ nodes: [url], timeoutMillis: 60_000 }))
    )
  )
)

describe.skipIf(!elasticsearchPresent)("the search index on Elasticsearch", () => {
  for (const { name, run } of searchIndexContract) {
    it.live(name, () => Effect.provide(run, fresh))
  }
})
