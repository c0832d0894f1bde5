/** The Elasticsearch server that a run shares; every test writes under a prefix of its own. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { randomBytes } from "node:crypto"
import { inject } from "vitest"
import {
  elasticsearchLacks,
  type ElasticsearchServer,
  startElasticsearch
} from "../../bench/servers/ElasticsearchServer.ts"
import { acceptOffer } from "./lazyServer.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Where to ask for the URL of the run's shared server; `null`: absent; `undefined`: the run has no global set-up. */
    elasticsearchOffer: string | null | undefined
    /** A server that runs already, not to be stopped. */
    elasticsearchUrl: string | null | undefined
  }
}

const given = inject("elasticsearchUrl")
const offer = inject("elasticsearchOffer")

/** Whether tests can start a server of their own, to freeze, kill and secure: `describe.skipIf(!ownElasticsearchPresent)`. */
export const ownElasticsearchPresent: boolean =
  offer === undefined ? elasticsearchLacks === undefined : typeof offer === "string"

/** Whether tests against Elasticsearch can run: `describe.skipIf(!elasticsearchPresent)`. */
export const elasticsearchPresent: boolean = typeof given === "string" || ownElasticsearchPresent

/** A server of the scope's own. Another process may have been quicker to take its port. */
export const ownElasticsearch = (options: Parameters<typeof startElasticsearch>[0] = {}) =>
  startElasticsearch(options).pipe(Effect.sandbox, Effect.retry({ times: 2 }), Effect.orDie)

/** The URL of the server that the run shares, or of one of the scope's own. */
export const sharedElasticsearch = Effect.suspend(() => {
  if (typeof given === "string") return Effect.succeed(given)
  return typeof offer === "string" ? acceptOffer(offer) : Effect.map(ownElasticsearch(), (server) => server.url)
})

/** A prefix of indexes that no other has. */
export const freshIndexPrefix = (): string => `t${randomBytes(6).toString("hex")}`

/** A server of a test file's own, to be frozen and killed. */
export class TestElasticsearch extends Context.Service<TestElasticsearch, ElasticsearchServer>()(
  "effect-wallet/test/TestElasticsearch"
) {
  static readonly layer = (options: Parameters<typeof startElasticsearch>[0] = {}): Layer.Layer<TestElasticsearch> =>
    Layer.effect(TestElasticsearch, ownElasticsearch(options))
}
