/**
 * Starts the servers that all test files of a run share, and says once, loudly,
 * which are there and what is not tested because one is absent.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type { TestProject } from "vitest/node"
import { elasticsearchLacks, layElasticsearch, startElasticsearch } from "../../bench/servers/ElasticsearchServer.ts"
import { kurrentFolder, startKurrent } from "../../bench/servers/KurrentServer.ts"
import { pgBouncerFolder } from "../../bench/servers/PgBouncer.ts"
import { postgresFolder, startPostgres } from "../../bench/servers/PostgresServer.ts"
import { redisFolder, startRedis } from "../../bench/servers/RedisServer.ts"
import { makeMigratedTemplate, makeTemplate } from "./embeddedTemplate.ts"
import { haproxyFolder } from "./haproxy.ts"
import { offerLazily } from "./lazyServer.ts"

interface Found {
  readonly name: string
  /** `null`: absent. */
  readonly url: string | null
  readonly origin: string
  /** What is not tested without it, and how to have it. */
  readonly loss: string
}

const given = (name: string): string | undefined => {
  const value = process.env[name]
  return value === undefined || value === "" ? undefined : value
}

const postgres = Effect.gen(function* () {
  const loss = "the SQL stores on a real server, faults and fail-over of it (install it, or set TEST_DATABASE_URL)"
  const url = given("TEST_DATABASE_URL")
  if (url !== undefined) return { name: "PostgreSQL", url, origin: "TEST_DATABASE_URL", loss }
  if (postgresFolder === undefined) return { name: "PostgreSQL", url: null, origin: "", loss }
  const server = yield* startPostgres()
  return { name: "PostgreSQL", url: Redacted.value(server.url), origin: `started from ${postgresFolder}`, loss }
})

const redis = Effect.gen(function* () {
  const loss = "leases and the cluster on Redis (install redis-server, or set TEST_REDIS_URL)"
  const url = given("TEST_REDIS_URL")
  if (url !== undefined) return { name: "Redis", url, origin: "TEST_REDIS_URL", loss }
  if (redisFolder === undefined) return { name: "Redis", url: null, origin: "", loss }
  return { name: "Redis", url: (yield* startRedis).url, origin: `started from ${redisFolder}`, loss }
})

const kurrent = Effect.gen(function* () {
  const loss = "the log on KurrentDB, faults and restarts of it (install kurrentd, or set TEST_KURRENTDB_URL)"
  const existing = given("TEST_KURRENTDB_URL")
  if (existing !== undefined) return { name: "KurrentDB", url: existing, origin: "TEST_KURRENTDB_URL", loss }
  if (kurrentFolder === undefined) return { name: "KurrentDB", url: null, origin: "", loss }
  const url = yield* offerLazily(Effect.map(startKurrent(), (server) => Redacted.value(server.url)))
  return { name: "KurrentDB", url, origin: `started from ${kurrentFolder} when needed`, loss }
})

/** Each test that needs one starts it. */
const pgBouncer: Found = {
  name: "PgBouncer",
  url: pgBouncerFolder ?? null,
  origin: `in ${pgBouncerFolder ?? ""}`,
  loss: "the service behind a pooler (install pgbouncer)"
}

const haproxy: Found = {
  name: "HAProxy",
  url: haproxyFolder ?? null,
  origin: `in ${haproxyFolder ?? ""}`,
  loss: "the balancer of the compose file, which sends to the owners of wallets (install haproxy)"
}

interface FoundSearch extends Found {
  /** Where to ask for a server of the run's own; `null`: none can be had here. */
  readonly offer: string | null
}

/** Laid here where it is not yet, about a minute once on a machine: what cannot be laid is absent. */
const elasticsearch = Effect.gen(function* (): Effect.fn.Return<FoundSearch, never, Scope.Scope> {
  const name = "Elasticsearch"
  const url = given("ELASTICSEARCH_TEST_URL") ?? null
  const lacks =
    elasticsearchLacks ??
    (yield* layElasticsearch.pipe(
      Effect.as(undefined),
      Effect.catchCause((cause) => Effect.succeed(`what could not be fetched or built: ${Cause.pretty(cause)}`))
    ))
  const loss = `search on Elasticsearch (needs ${lacks}; or set ELASTICSEARCH_TEST_URL)`
  if (lacks !== undefined)
    return { name, url, origin: "ELASTICSEARCH_TEST_URL, without faults of it", loss, offer: null }
  const offer = yield* offerLazily(Effect.map(startElasticsearch({ heap: "512m" }), (server) => server.url))
  return url === null
    ? { name, url: offer, origin: "started when needed", loss, offer }
    : { name, url, origin: "ELASTICSEARCH_TEST_URL; for faults started when needed", loss, offer }
})

const report = (found: ReadonlyArray<Found>): string => {
  const line = ({ loss, name, origin, url }: Found) =>
    url === null ? `  ${name}: ABSENT - NOT TESTED: ${loss}` : `  ${name}: present, ${origin}`
  return ["", "Servers for the integration tests:", ...found.map(line), "", ""].join("\n")
}

/** Called by vitest once per run; what it answers is called at the end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const scope = Scope.makeUnsafe()
  const [sql, leases, log, search, template, migrated] = await Effect.runPromise(
    Effect.all(
      [postgres, redis, kurrent, elasticsearch, offerLazily(makeTemplate), offerLazily(makeMigratedTemplate)],
      { concurrency: 6 }
    ).pipe(Scope.provide(scope))
  )
  project.provide("postgresUrl", sql.url)
  project.provide("redisUrl", leases.url)
  project.provide("kurrentUrl", log.url)
  project.provide("embeddedTemplate", template)
  project.provide("migratedTemplate", migrated)
  project.provide("elasticsearchUrl", search.url === search.offer ? null : search.url)
  project.provide("elasticsearchOffer", search.offer)
  process.stderr.write(report([sql, leases, log, pgBouncer, haproxy, search]))
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
