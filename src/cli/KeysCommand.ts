/** `wallet keys`: API keys, made, listed and revoked. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { isId } from "../domain/Limits.ts"
import { ApiKeys } from "../http/ApiKeys.ts"
import { WalletClient } from "../http/WalletClient.ts"
import { formatTime } from "../http/api/SchemaValues.ts"
import type { ApiKey, Scope } from "../stores/ApiKeyStore.ts"
import * as Flags from "./Flags.ts"
import { storesLayer } from "../engine/EngineStores.ts"
import { loggingLayer } from "./Logging.ts"
import { printResult, reportFailure } from "./Output.ts"
import { loadServiceConfig } from "./ServiceConfig.ts"
import { clientLayer, findServicePlace, type RunningService } from "./ServicePlace.ts"

/** There is no key with this id. */
class KeyNotFound extends Schema.TaggedError<KeyNotFound>()("KeyNotFound", { id: Schema.String }) {
  override get message(): string {
    return `there is no key ${this.id}`
  }
}

/** The service refused, or did not answer. */
class KeysRefused extends Schema.TaggedError<KeysRefused>()("KeysRefused", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

interface Keys {
  readonly create: (
    name: string,
    scopes: ReadonlyArray<Scope>
  ) => Effect.Effect<ApiKey & { readonly secret: string }, KeysRefused>
  readonly list: Effect.Effect<ReadonlyArray<ApiKey>, KeysRefused>
  readonly revoke: (id: string) => Effect.Effect<void, KeysRefused | KeyNotFound>
}

interface Failure {
  readonly message: string
  readonly detail?: string | undefined
}

const refused = (error: Failure): KeysRefused => new KeysRefused({ reason: error.detail ?? error.message })

/** What the service answered, and what to do where it lets nobody in with this key. */
const refusedBy =
  (service: RunningService, isEmbedded: boolean) =>
  (error: Failure & { readonly _tag: string }): KeysRefused => {
    const { reason } = refused(error)
    if (error._tag !== "Unauthorized" && error._tag !== "Forbidden") return new KeysRefused({ reason })
    const instead = isEmbedded ? ", or stop the service and repeat this: keys are then made in its folder itself" : ""
    return new KeysRefused({
      reason: `${service.baseUrl} has not let this in (${reason}): set WALLET_API_KEY to an admin key of its own${instead}`
    })
  }

const pageSize = 200

/** All pages; there are as many keys as people and programs, not more. */
const all = Effect.fnUntraced(function* <E>(
  page: (
    cursor: string | undefined
  ) => Effect.Effect<{ readonly data: ReadonlyArray<ApiKey>; readonly next: string | null }, E>
) {
  const keys: Array<ApiKey> = []
  let cursor: string | undefined
  for (;;) {
    const { data, next } = yield* page(cursor)
    keys.push(...data)
    if (next === null) return keys
    cursor = next
  }
})

const localKeys = Effect.map(ApiKeys, (keys): Keys => ({
  create: (name, scopes) =>
    keys.create(name, scopes).pipe(
      Effect.map(({ key, secret }) => ({ ...key, secret: Redacted.value(secret) })),
      Effect.mapError(refused)
    ),
  list: all((cursor) => keys.list({ limit: pageSize, cursor })).pipe(Effect.mapError(refused)),
  revoke: (id) =>
    keys.remove(id).pipe(
      Effect.mapError(refused),
      Effect.flatMap((removed) => (removed ? Effect.void : Effect.fail(new KeyNotFound({ id }))))
    )
}))

const remoteKeys = (service: RunningService, isEmbedded: boolean) =>
  Effect.map(WalletClient, ({ keys }) => keysThrough(keys, refusedBy(service, isEmbedded)))

const keysThrough = (keys: WalletClient["Service"]["keys"], refused: ReturnType<typeof refusedBy>): Keys => ({
  create: (name, scopes) => keys.create({ query: {}, payload: { name, scopes } }).pipe(Effect.mapError(refused)),
  list: all((cursor) => keys.list({ query: { limit: pageSize, ...(cursor === undefined ? {} : { cursor }) } })).pipe(
    Effect.mapError(refused)
  ),
  revoke: (id) =>
    keys.delete({ params: { id }, query: {} }).pipe(
      Effect.asVoid,
      Effect.catchTag("NotFound", () => Effect.fail(new KeyNotFound({ id }))),
      Effect.mapError((error) => (error instanceof KeyNotFound ? error : refused(error)))
    )
})

interface CommonOptions {
  readonly json: boolean
  readonly url: Option.Option<URL>
}

/** Through the service that has the stores open, or on the stores themselves. */
const withKeys = <A, E>(options: CommonOptions, use: (keys: Keys) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const config = yield* loadServiceConfig
    const place = yield* findServicePlace(config, options.url)
    return yield* place._tag === "Service"
      ? Effect.flatMap(remoteKeys(place.service, Option.isNone(options.url)), use).pipe(
          Effect.provide(clientLayer(place.service))
        )
      : Effect.flatMap(localKeys, use).pipe(
          Effect.provide(ApiKeys.layer),
          Effect.provide(storesLayer(config.engine.stores)),
          Effect.provide(loggingLayer(config))
        )
  })

const keyDocument = (key: ApiKey) => ({
  id: key.id,
  name: key.name,
  scopes: key.scopes,
  createdAt: formatTime(key.createdAt)
})

const keyLine = ({ createdAt, id, name, scopes }: ReturnType<typeof keyDocument>): string =>
  `${id}  ${createdAt}  ${scopes.join(",")}  ${name}`

const keyName = Argument.String("name").pipe(
  Argument.withDescription("Who uses it: shown in lists and recorded with every command"),
  Argument.withSchema(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(64)))
)

const scopes = Flag.Literals("scope", ["wallets:read", "wallets:write", "admin"]).pipe(
  Flag.withDescription("What it may do; may be given several times"),
  Flag.atLeast(1)
)

const keyId = Argument.String("id").pipe(
  Argument.withDescription("As shown by list"),
  Argument.filter(isId, (id) => `${JSON.stringify(id)} is not an id of a key`)
)

const common = { url: Flags.url, json: Flags.json }

const create = Command.make("create", { name: keyName, scopes, ...common }, (options) =>
  reportFailure(options.json)(
    Effect.flatMap(
      withKeys(options, (keys) => keys.create(options.name, [...new Set(options.scopes)])),
      ({ secret, ...key }) =>
        printResult(options.json, { ...keyDocument(key), secret }, [
          keyLine(keyDocument(key)),
          `secret, shown this once: ${secret}`
        ])
    )
  )
).pipe(Command.withDescription("Make a key and print its secret, the only time it is seen"))

const list = Command.make("list", common, (options) =>
  reportFailure(options.json)(
    Effect.flatMap(
      withKeys(options, (keys) => keys.list),
      (keys) => {
        const documents = keys.map(keyDocument)
        return printResult(options.json, { data: documents }, documents.map(keyLine))
      }
    )
  )
).pipe(Command.withDescription("List the keys, newest first, without secrets"))

const revoke = Command.make("revoke", { id: keyId, ...common }, (options) =>
  reportFailure(options.json)(
    Effect.andThen(
      withKeys(options, (keys) => keys.revoke(options.id)),
      printResult(options.json, { revoked: options.id }, [`revoked ${options.id}; every node refuses it within 5 s`])
    )
  )
).pipe(Command.withDescription("Revoke a key"))

export const keysCommand = Command.make("keys").pipe(
  Command.withDescription("Make, list and revoke API keys"),
  Command.withSubcommands([create, list, revoke])
)
