/**
 * Where search has an index of its own: its configuration (type, defaults and environment), and the
 * layer of it. Without an address search reads the rows of Persistence.
 *
 * A wrong value stops the start. That Elasticsearch is away, refuses the key or has somebody else's
 * index does not: then search alone is off, and money goes on.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import type { ElasticCredentials } from "../stores/elastic/Connection.ts"
import { prefixPattern } from "../stores/elastic/IndexNames.ts"
import type { ReadModel } from "../stores/ReadModel.ts"
import type { SearchIndex } from "../stores/SearchIndex.ts"
import type { StoreDefect } from "../stores/StoreError.ts"

export interface SearchConfig {
  /** `ELASTICSEARCH_URL`: addresses of one cluster's nodes, at least one. */
  readonly nodes: ReadonlyArray<string>
  /** `ELASTICSEARCH_API_KEY` */
  readonly apiKey?: Redacted.Redacted | undefined
  /** `ELASTICSEARCH_USERNAME` */
  readonly username?: string | undefined
  /** `ELASTICSEARCH_PASSWORD` */
  readonly password?: Redacted.Redacted | undefined
  /** `ELASTICSEARCH_CA_CERT`: whom to trust; a PEM or the path of one. */
  readonly caCert?: string | undefined
  /** `ELASTICSEARCH_CA_FINGERPRINT`: the same by the SHA-256 of its certificate. */
  readonly caFingerprint?: string | undefined
  /** `WALLET_SEARCH_PREFIX`, default `wallet`: the names of all indexes begin with it. */
  readonly prefix: string
  /** `WALLET_SEARCH_SHARDS`, default 1; of an index that is made. */
  readonly shards: number
  /** `WALLET_SEARCH_REPLICAS`, default 0; of an index that is made. */
  readonly replicas: number
  /** `WALLET_SEARCH_REFRESH`, default 300 ms: what is written is found so much later at most; of an index that is made. */
  readonly refreshMillis: number
  /** `WALLET_SEARCH_TIMEOUT`, default 2 s: a search that is not answered so soon is given up. */
  readonly timeoutMillis: number
  /** `WALLET_SEARCH_REBUILD`, default `manual`: who rebuilds an index of another release's mapping. */
  readonly rebuild: SearchRebuildMode
}

export type SearchRebuildMode = "auto" | "manual"

/** What to do with an index of another mapping; the stores' configuration says it to the engine. */
export const SearchRebuilds = Context.Reference<SearchRebuildMode>("effect-wallet/engine/SearchRebuilds", {
  defaultValue: () => "manual"
})

const nodesOf = (text: string): ReadonlyArray<string> => text.split(",").map((node) => node.trim())

/** A password in an address would be read wherever addresses are. */
const isNode = (node: string): boolean => {
  if (!URL.canParse(node)) return false
  const { hash, password, protocol, search, username } = new URL(node)
  return /^https?:$/.test(protocol) && username + password + search + hash === ""
}

const urlForm = "http://host:9200 or https://host:9200, several by comma, without a user and a password"

const urls = Schema.String.check(Schema.makeFilter((text) => nodesOf(text).every(isNode), { expected: urlForm }))

const fingerprint = Schema.String.check(
  Schema.makeFilter((text) => /^(?:[0-9a-f]{2}:?){32}$/i.test(text), {
    expected: "the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons"
  })
)

const prefix = Schema.String.check(
  Schema.makeFilter((text) => prefixPattern.test(text), {
    expected: "lower-case letters, digits, _ and -, at most 64 characters, beginning with a letter or digit"
  })
)

/** Milliseconds, from `minimum` to a minute. */
const time = (name: string, fallback: number, minimum: number): Config.Config<number> =>
  Config.schema(
    Schema.DurationFromString.pipe(
      Schema.check(
        Schema.makeFilter(
          (duration) => Duration.toMillis(duration) >= minimum && Duration.toMillis(duration) <= 60_000,
          {
            expected: `a time from ${minimum} ms to 60 s`
          }
        )
      )
    ),
    name
  ).pipe(
    Config.map((duration) => Math.round(Duration.toMillis(duration))),
    Config.withDefault(fallback)
  )

const whole = (name: string, fallback: number, minimum: number, maximum: number): Config.Config<number> =>
  Config.schema(Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum })), name).pipe(
    Config.withDefault(fallback)
  )

const optional = <A>(config: Config.Config<A>): Config.Config<A | undefined> =>
  Config.map(Config.option(config), Option.getOrUndefined)

/** `undefined`: search reads the rows of Persistence. */
export const searchConfig: Config.Config<SearchConfig | undefined> = Config.all({
  url: optional(Config.schema(urls, "ELASTICSEARCH_URL")),
  apiKey: optional(Config.Redacted("ELASTICSEARCH_API_KEY")),
  username: optional(Config.NonEmptyString("ELASTICSEARCH_USERNAME")),
  password: optional(Config.Redacted("ELASTICSEARCH_PASSWORD")),
  caCert: optional(Config.NonEmptyString("ELASTICSEARCH_CA_CERT")),
  caFingerprint: optional(Config.schema(fingerprint, "ELASTICSEARCH_CA_FINGERPRINT")),
  prefix: Config.schema(prefix, "WALLET_SEARCH_PREFIX").pipe(Config.withDefault("wallet")),
  shards: whole("WALLET_SEARCH_SHARDS", 1, 1, 1_024),
  replicas: whole("WALLET_SEARCH_REPLICAS", 0, 0, 16),
  refreshMillis: time("WALLET_SEARCH_REFRESH", 300, 50),
  timeoutMillis: time("WALLET_SEARCH_TIMEOUT", 2_000, 100),
  rebuild: Config.Literals(["auto", "manual"], "WALLET_SEARCH_REBUILD").pipe(Config.withDefault("manual" as const))
}).pipe(Config.map(({ url, ...rest }) => (url === undefined ? undefined : { ...rest, nodes: nodesOf(url) })))

/** Variables that contradict one another, or a file that cannot be read. */
export class SearchMisconfigured extends Schema.TaggedError<SearchMisconfigured>()("SearchMisconfigured", {
  variable: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.variable} is wrong: ${this.reason}`
  }
}

const wrong = (variable: string, reason: string) => Effect.fail(new SearchMisconfigured({ variable, reason }))

const credentialsOf = ({
  apiKey,
  password,
  username
}: SearchConfig): Effect.Effect<ElasticCredentials | undefined, SearchMisconfigured> => {
  if (apiKey !== undefined) {
    return username === undefined && password === undefined
      ? Effect.succeed({ apiKey })
      : wrong("ELASTICSEARCH_API_KEY", "it stands beside a user or a password: give one of them")
  }
  if (username === undefined && password === undefined) return Effect.undefined
  if (username === undefined) return wrong("ELASTICSEARCH_PASSWORD", "there is no ELASTICSEARCH_USERNAME")
  if (password === undefined) return wrong("ELASTICSEARCH_USERNAME", "there is no ELASTICSEARCH_PASSWORD")
  return Effect.succeed({ username, password })
}

const isPem = (text: string): boolean => text.includes("-----BEGIN CERTIFICATE-----")

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "unknown")

const certificateOf = ({
  caCert,
  caFingerprint
}: SearchConfig): Effect.Effect<string | undefined, SearchMisconfigured> => {
  if (caCert === undefined) return Effect.undefined
  if (caFingerprint !== undefined) {
    return wrong("ELASTICSEARCH_CA_CERT", "it stands beside ELASTICSEARCH_CA_FINGERPRINT: give one of them")
  }
  if (isPem(caCert)) return Effect.succeed(caCert)
  return Effect.try({ try: () => readFileSync(caCert, "utf8"), catch: (error) => error }).pipe(
    Effect.matchEffect({
      onSuccess: (text) =>
        isPem(text) ? Effect.succeed(text) : wrong("ELASTICSEARCH_CA_CERT", "the file has no certificate in PEM"),
      onFailure: (error) =>
        wrong("ELASTICSEARCH_CA_CERT", `neither a certificate in PEM nor a file that can be read (${codeOf(error)})`)
    })
  )
}

/** For people. */
export const describeSearch = ({ nodes }: SearchConfig): string => `Elasticsearch at ${nodes.join(", ")}`

/** Loaded where it is configured: the client takes its time at every start. */
export const searchLayer = (
  config: SearchConfig
): Layer.Layer<ReadModel | SearchIndex, SearchMisconfigured | StoreDefect> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const credentials = yield* credentialsOf(config)
      const caCertificate = yield* certificateOf(config)
      const [connection, readModel, searchIndex] = yield* Effect.promise(() =>
        Promise.all([
          import("../stores/elastic/Connection.ts"),
          import("../stores/elastic/ElasticReadModel.ts"),
          import("../stores/elastic/ElasticSearchIndex.ts")
        ])
      )
      const { caFingerprint, nodes, prefix, rebuild, refreshMillis, replicas, shards, timeoutMillis } = config
      return Layer.mergeAll(
        readModel.layer({ prefix, timeoutMillis }),
        searchIndex.layer({ prefix, shards, replicas, refreshInterval: refreshMillis }),
        Layer.succeed(SearchRebuilds, rebuild)
      ).pipe(Layer.provide(connection.layer({ nodes, credentials, caCertificate, caFingerprint })))
    })
  )
