/** The short form of `npm run soak`. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ownElasticsearchPresent } from "../support/elasticsearch.ts"
import { postgresPresent } from "../support/postgres.ts"
import { soakReport } from "./SoakReport.ts"
import { runSoak, type SoakOptions } from "./SoakRun.ts"

const options: SoakOptions = {
  seed: 1,
  millis: 20_000,
  rate: 200,
  wallets: 60,
  kinds: ["kill", "document-refused", "index-deleted"],
  faults: 3,
  holdMillis: 1_000,
  elasticsearch: { heap: "512m" },
  judgesMemory: false,
  tell: () => Effect.void
}

describe.skipIf(!ownElasticsearchPresent || !postgresPresent)(
  "the service under load with search on Elasticsearch",
  () => {
    it.live(
      "loses nothing and is level again after a kill, a refused document and an index deleted by hand",
      () =>
        Effect.gen(function* () {
          const outcome = yield* runSoak(options)
          const report = soakReport(options, outcome)
          assert.deepStrictEqual(outcome.problems, [], report)
          assert.lengthOf(outcome.faults, options.faults)
          // There was something to look at.
          assert.isAbove(outcome.commands, 2 * options.wallets)
          assert.isAbove(outcome.verified.documents, options.wallets)
        }).pipe(Effect.scoped),
      900_000
    )
  }
)
